//! An exchange without an answer, as an error.

use super::{HttpError, HttpErrorKind};
use crate::error::{Code, LinkError};

/// `who` is what did not answer: "The server".
#[must_use]
pub fn unreachable(error: HttpError, who: &str) -> LinkError {
    let (code, what) = match error.kind {
        HttpErrorKind::Connect => (Code::Unavailable, format!("{who} cannot be reached")),
        HttpErrorKind::ConnectTimeout => (Code::Unavailable, format!("{who} could not be reached in time")),
        HttpErrorKind::Interrupted => {
            (Code::Unavailable, format!("{who} closed the connection before the answer came"))
        }
        HttpErrorKind::Throttled => (Code::Throttled, format!("{who} limits this user, and the limit is used up")),
        HttpErrorKind::TooLarge => (Code::Protocol, format!("{who} gave an answer that is too long")),
    };
    let after = error.retry_after;
    let fault = LinkError::new(code, format!("{what}: {}.", error.message)).caused_by(error);
    fault.with(|details| details.retry_after = after)
}
