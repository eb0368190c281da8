//! The open conversations and the focused one.

use crate::{domain::ConversationId, error::LinkError};

/// The open conversations, in the order in which they were last focused. The last one has the focus.
#[derive(Debug, Default)]
pub struct Session {
    open: Vec<ConversationId>,
}

impl Session {
    /// Opens a conversation, if it is not open, and focuses it.
    pub fn open(&mut self, id: ConversationId) {
        self.close(id);
        self.open.push(id);
    }

    /// Focuses an open conversation.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if it is not open.
    pub fn focus(&mut self, id: ConversationId) -> Result<(), LinkError> {
        if !self.open.contains(&id) {
            let error = LinkError::invalid_argument("conversationId", format!("conversation {id} is not open"));
            return Err(error.hint("Call openConversation(id), which focuses it too."));
        }
        self.open(id);
        Ok(())
    }

    /// Closes a conversation, if it is open. The focus returns to the one that was focused before.
    pub fn close(&mut self, id: ConversationId) {
        self.open.retain(|open| *open != id);
    }

    #[must_use]
    pub fn focused(&self) -> Option<ConversationId> {
        self.open.last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn id(byte: u8) -> ConversationId {
        [byte; 16].into()
    }

    #[test]
    fn closing_returns_the_focus_to_the_previous_conversation() {
        let mut session = Session::default();
        assert_eq!(session.focused(), None);
        for byte in 1..=3 {
            session.open(id(byte));
        }
        session.focus(id(1)).unwrap();
        session.close(id(1));
        assert_eq!(session.focused(), Some(id(3)));
        session.close(id(3));
        assert_eq!(session.focused(), Some(id(2)));
        session.close(id(2));
        assert_eq!(session.focused(), None);
    }

    #[test]
    fn closing_another_conversation_keeps_the_focus() {
        let mut session = Session::default();
        session.open(id(1));
        session.open(id(2));
        session.close(id(1));
        session.close(id(7));
        assert_eq!(session.focused(), Some(id(2)));
    }

    #[test]
    fn opening_twice_has_no_further_effect() {
        let mut session = Session::default();
        session.open(id(1));
        session.open(id(2));
        session.open(id(1));
        session.close(id(1));
        assert_eq!(session.focused(), Some(id(2)));
    }

    #[test]
    fn only_open_conversations_can_be_focused() {
        let mut session = Session::default();
        session.open(id(1));
        assert_eq!(session.focus(id(2)).unwrap_err().code(), Code::InvalidArgument);
        assert_eq!(session.focused(), Some(id(1)));
    }
}
