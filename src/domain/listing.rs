//! Reading conversations page by page, as many as are wanted and no longer than the store has any.

use std::time::Duration;

use super::query::{ConversationDetails, ConversationPage, ConversationQuery};
use crate::{
    clock::{Clock, jitter},
    error::{Code, LinkError},
};

/// Rows of a page at the most: one comes in a moment, and few are read in vain.
const PAGE_SIZE: u32 = 250;
/// A server may send empty pages before one with rows; this many in a row look as if they would never end.
const MOST_EMPTY_PAGES: u32 = 25;
/// The pause after the first empty page. It doubles with each further one …
const PAUSE: Duration = Duration::from_millis(25);
/// … up to this. All of them together fit into the default timeout of a call.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What is still to be read.
#[derive(Clone, Debug)]
pub struct Listing {
    query: ConversationQuery,
    /// How many are wanted; all if absent.
    left: Option<u32>,
    /// The store's own word for the next page.
    next: Option<String>,
    /// A word from some pages ago.
    earlier: Option<String>,
    pages: u64,
    /// Pages without a conversation since the last one with any.
    empty_pages: u32,
}

impl Listing {
    /// The first `top` conversations that the query asks for, or all.
    #[must_use]
    pub fn new(query: ConversationQuery, top: Option<u32>) -> Self {
        let page_size = top.map_or(PAGE_SIZE, |top| top.min(PAGE_SIZE));
        Self {
            query: ConversationQuery { page_size, ..query },
            left: top,
            next: None,
            earlier: None,
            pages: 0,
            empty_pages: 0,
        }
    }

    /// What to ask the store for next.
    pub(super) fn request(&self) -> (ConversationQuery, Option<String>) {
        (self.query.clone(), self.next.clone())
    }

    /// How long to wait before the next page: after an empty one the server is not asked at once.
    pub(super) fn pause(&self, clock: &dyn Clock) -> Option<Duration> {
        let doublings = self.empty_pages.checked_sub(1)?;
        let pause = LONGEST_PAUSE.min(PAUSE.saturating_mul(2_u32.saturating_pow(doublings)));
        Some(pause / 2 + jitter(clock, pause / 2))
    }

    /// The conversations of a page, and what is still to be read after them.
    ///
    /// # Errors
    /// `PROTOCOL` if the pages go round in a circle, or none of many has a conversation.
    pub(super) fn turn(
        mut self,
        ConversationPage { mut conversations, next }: ConversationPage,
    ) -> Result<(Vec<ConversationDetails>, Option<Self>), LinkError> {
        self.empty_pages = if conversations.is_empty() { self.empty_pages + 1 } else { 0 };
        if let Some(left) = &mut self.left {
            conversations.truncate(*left as usize);
            *left -= u32::try_from(conversations.len()).unwrap_or(*left);
        }
        if next.is_none() || self.left == Some(0) {
            return Ok((conversations, None));
        }
        if next == self.earlier {
            let message =
                "The link to the next page of conversations leads back to an earlier page: they would never end.";
            return Err(LinkError::new(Code::Protocol, message));
        }
        if self.empty_pages == MOST_EMPTY_PAGES {
            let message = format!(
                "The last {MOST_EMPTY_PAGES} pages of conversations were empty, and each has a link to a next one."
            );
            return Err(LinkError::new(Code::Protocol, message));
        }
        self.pages += 1;
        // Brent's way: a word is kept for as many pages as there were before it, so a circle of any size is met, and one is enough.
        if self.pages.is_power_of_two() {
            self.earlier.clone_from(&next);
        }
        self.next = next;
        Ok((conversations, Some(self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Conversation, Status};

    fn page(next: u64) -> ConversationPage {
        let conversation = Conversation { id: [0; 16].into(), status: Status::ACTIVE, customer: None, case: None };
        let details = ConversationDetails {
            conversation,
            subject: None,
            created_on: None,
            agent: None,
            customer_name: None,
            case_name: None,
        };
        ConversationPage { conversations: vec![details], next: Some(next.to_string()) }
    }

    /// Pages read until they are refused: `before` that lead into a circle of `round`.
    fn pages_until_refused(before: u64, round: u64) -> u64 {
        let mut listing = Listing::new(ConversationQuery::default(), None);
        for number in 0.. {
            let place = if number < before { number } else { before + (number - before) % round };
            match listing.turn(page(place)) {
                Ok((_, rest)) => listing = rest.expect("there is a next page"),
                Err(error) => {
                    assert_eq!(error.code(), Code::Protocol);
                    return number;
                }
            }
        }
        unreachable!("it never ends")
    }

    #[test]
    fn pages_that_go_round_in_a_circle_are_refused() {
        for before in [0, 1, 2, 5, 100] {
            for round in [1, 2, 3, 7, 64] {
                let read = pages_until_refused(before, round);
                assert!(read <= 3 * (before + round), "{before} and then {round} for ever: {read} pages");
            }
        }
    }

    #[test]
    fn as_many_pages_as_there_are_come() {
        let mut listing = Listing::new(ConversationQuery::default(), None);
        for number in 0..10_000 {
            listing = listing.turn(page(number)).unwrap().1.unwrap();
        }
        let last = ConversationPage { conversations: Vec::new(), next: None };
        assert!(listing.turn(last).unwrap().1.is_none());
    }
}
