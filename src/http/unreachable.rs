//! An exchange without an answer, as an error.

use super::{HttpError, HttpErrorKind};
use crate::error::{Code, LinkError};

/// `who` is what did not answer: "The server".
#[must_use]
pub fn unreachable(error: HttpError, who: &str) -> LinkError {
    let (code, what) = match error.kind {
        HttpErrorKind::Connect => (Code::Unavailable, format!("{who} cannot be reached")),
        HttpErrorKind::ConnectTimeout => (Code::Unavailable, format!("{who} could not be reached in time")),
        HttpErrorKind::Untrusted => (Code::InvalidConfiguration, format!("{who} cannot be trusted")),
        HttpErrorKind::ProxyRefused => {
            (Code::InvalidConfiguration, format!("The proxy refused the way to {}", lower(who)))
        }
        HttpErrorKind::NoRoute => (Code::InvalidConfiguration, format!("There is no way to {}", lower(who))),
        HttpErrorKind::ReadTimeout => (Code::Unavailable, format!("{who} did not answer")),
        HttpErrorKind::Interrupted => {
            (Code::Unavailable, format!("{who} closed the connection before its answer was complete"))
        }
        HttpErrorKind::Throttled => (Code::Throttled, format!("{who} limits this user, and the limit is used up")),
        HttpErrorKind::TooLarge => (Code::Protocol, format!("{who} gave an answer that is too long")),
        HttpErrorKind::Encoding => (Code::Protocol, format!("{who} sent a response that cannot be decoded")),
    };
    let (after, hint) = (error.retry_after, error.kind.hint());
    let mut fault = LinkError::new(code, format!("{what}: {}.", error.message)).caused_by(error);
    if let Some(hint) = hint {
        fault = fault.hint(hint);
    }
    fault.with(|details| details.retry_after = after)
}

/// Within a sentence.
fn lower(who: &str) -> String {
    who.replacen("The ", "the ", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_get_no_answer_has_its_code_and_what_to_do() {
        for (kind, code, text, hint) in [
            (HttpErrorKind::Connect, Code::Unavailable, "The server cannot be reached: lost.", ""),
            (HttpErrorKind::ReadTimeout, Code::Unavailable, "The server did not answer: lost.", ""),
            (
                HttpErrorKind::Untrusted,
                Code::InvalidConfiguration,
                "The server cannot be trusted: lost.",
                "`caCertificates`",
            ),
            (
                HttpErrorKind::ProxyRefused,
                Code::InvalidConfiguration,
                "The proxy refused the way to the server: lost.",
                "NTLM or Kerberos",
            ),
            (HttpErrorKind::Encoding, Code::Protocol, "The server sent a response that cannot be decoded: lost.", ""),
            (HttpErrorKind::NoRoute, Code::InvalidConfiguration, "There is no way to the server: lost.", "`proxy`"),
        ] {
            let lost = HttpError { kind, message: "lost".into(), retry_after: None, source: None };
            let fault = unreachable(lost, "The server");
            assert_eq!((fault.code(), fault.message()), (code, text));
            assert!(fault.details().hint.as_deref().unwrap_or_default().contains(hint), "{kind:?}");
        }
    }
}
