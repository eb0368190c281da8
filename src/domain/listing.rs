//! Reading a list of conversations page by page.

use std::time::Duration;

use super::query::{ConversationDetails, ConversationPage, ConversationQuery};
use crate::{
    clock::{Clock, jitter},
    error::{Code, LinkError},
};

/// Rows of a page: few enough to arrive quickly, even if the caller does not use them all.
const PAGE_SIZE: u32 = 250;
/// A server may send empty pages before one with rows. This many in succession count as endless.
const MAX_EMPTY_PAGES: u32 = 25;
/// Most pages of one list, which is 25 million conversations. Ends a chain of pages that never repeats a link.
const MAX_PAGES: u64 = 100_000;
/// Pause after the first empty page. It doubles with each further one.
const PAUSE: Duration = Duration::from_millis(25);
/// Longest pause. The sum of all pauses is shorter than the default timeout of a call.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// A list of conversations, and the position of the next page in it.
#[derive(Clone, Debug)]
pub struct Listing {
    query: ConversationQuery,
    /// Conversations that are still wanted; all if absent.
    left: Option<u32>,
    /// Continuation token of the next page.
    next: Option<String>,
    /// Continuation token of an earlier page, for cycle detection.
    earlier: Option<String>,
    pages: u64,
    /// Empty pages since the last page with a conversation.
    empty_pages: u32,
}

impl Listing {
    /// The first `top` conversations that match the query, or all.
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

    /// Arguments of [`super::LinkStore::list`] for the next page.
    pub(super) fn request(&self) -> (ConversationQuery, Option<String>) {
        (self.query.clone(), self.next.clone())
    }

    /// Time to wait before the next page is read, if the last one was empty.
    pub(super) fn pause(&self, clock: &dyn Clock) -> Option<Duration> {
        let doublings = self.empty_pages.checked_sub(1)?;
        let pause = MAX_PAUSE.min(PAUSE.saturating_mul(2_u32.saturating_pow(doublings)));
        Some(pause / 2 + jitter(clock, pause / 2))
    }

    /// Takes a page. Returns its conversations, and the rest of the list unless this was the last page.
    ///
    /// # Errors
    /// `PROTOCOL` if the pages form a cycle, too many in succession are empty, or there are too many.
    pub(super) fn accept_page(
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
                "The link to the next page of conversations leads back to an earlier page, so the list never ends.";
            return Err(LinkError::new(Code::Protocol, message));
        }
        if self.empty_pages == MAX_EMPTY_PAGES {
            let message = format!(
                "The last {MAX_EMPTY_PAGES} pages of conversations were empty, and each has a link to a next one."
            );
            return Err(LinkError::new(Code::Protocol, message));
        }
        self.pages += 1;
        if self.pages == MAX_PAGES {
            let message = format!("The list of conversations has more than {MAX_PAGES} pages.");
            return Err(LinkError::new(Code::Protocol, message));
        }
        // Brent's algorithm: one token is kept for as many pages as there were before it, which finds a cycle of any length.
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

    /// Pages that are read before the error: `before` pages that lead into a cycle of `round` pages.
    fn pages_until_error(before: u64, round: u64) -> u64 {
        let mut listing = Listing::new(ConversationQuery::default(), None);
        for number in 0.. {
            let place = if number < before { number } else { before + (number - before) % round };
            match listing.accept_page(page(place)) {
                Ok((_, rest)) => listing = rest.expect("there is a next page"),
                Err(error) => {
                    assert_eq!(error.code(), Code::Protocol);
                    return number;
                }
            }
        }
        unreachable!("there is always a next page")
    }

    #[test]
    fn pages_that_form_a_cycle_are_rejected() {
        for before in [0, 1, 2, 5, 100] {
            for round in [1, 2, 3, 7, 64] {
                let read = pages_until_error(before, round);
                assert!(read <= 3 * (before + round), "{before}, then {round} again and again: {read} pages");
            }
        }
    }

    #[test]
    fn a_long_list_is_read_to_its_end() {
        let mut listing = Listing::new(ConversationQuery::default(), None);
        for number in 0..10_000 {
            listing = listing.accept_page(page(number)).unwrap().1.unwrap();
        }
        let last = ConversationPage { conversations: Vec::new(), next: None };
        assert!(listing.accept_page(last).unwrap().1.is_none());
    }

    #[test]
    fn a_chain_in_which_every_link_is_new_ends() {
        assert_eq!(pages_until_error(u64::MAX, 1), MAX_PAGES - 1);
    }
}
