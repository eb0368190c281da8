//! The error type of the crate and the table of its codes.

use std::{error::Error, fmt, io, time::Duration};

/// Builds [`Code`] and the functions over all codes from one table.
macro_rules! codes {
    ($( $(#[$doc:meta])+ $variant:ident = $text:literal, retryable: $retryable:literal; )+) => {
        /// The kind of an error: a stable string that programs may compare. Each variant is documented with its `code` in JavaScript.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $( $(#[$doc])+ $variant, )+ }

        impl Code {
            /// Every code, in alphabetical order.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )+];

            /// The `code` that JavaScript sees.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }

            /// Whether the same call may succeed later without any change.
            #[must_use]
            pub const fn is_retryable(self) -> bool {
                match self { $( Self::$variant => $retryable, )+ }
            }
        }
    };
}

codes! {
    /// `AMBIGUOUS`: several records match.
    Ambiguous = "AMBIGUOUS", retryable: false;
    /// `AUTHENTICATION_FAILED`: the credential returned no token, or the server did not accept it.
    AuthenticationFailed = "AUTHENTICATION_FAILED", retryable: false;
    /// `CLOSED`: the client was closed before the call, or while an import was reading its file.
    Closed = "CLOSED", retryable: false;
    /// `CONFLICT`: other writers changed the conversation at every attempt, or while a response was lost.
    Conflict = "CONFLICT", retryable: true;
    /// `CONVERSATION_NOT_ACTIVE`: only active conversations can be linked.
    ConversationNotActive = "CONVERSATION_NOT_ACTIVE", retryable: false;
    /// `CONVERSATION_NOT_FOUND`: the store has no such conversation.
    ConversationNotFound = "CONVERSATION_NOT_FOUND", retryable: false;
    /// `FORBIDDEN`: the caller is known and lacks a privilege.
    Forbidden = "FORBIDDEN", retryable: false;
    /// `INTERNAL`: a bug of this package, or the system refused a thread (then it is retryable).
    Internal = "INTERNAL", retryable: false;
    /// `INVALID_ARGUMENT`: an argument or option of the call is invalid. Nothing was read or written.
    InvalidArgument = "INVALID_ARGUMENT", retryable: false;
    /// `INVALID_CONFIGURATION`: the client's options or its environment cannot work.
    InvalidConfiguration = "INVALID_CONFIGURATION", retryable: false;
    /// `NO_FOCUSED_CONVERSATION`: the call has no conversation id and no conversation is focused.
    NoFocusedConversation = "NO_FOCUSED_CONVERSATION", retryable: false;
    /// `NOT_LINKED`: the record to unlink is not linked.
    NotLinked = "NOT_LINKED", retryable: false;
    /// `OCCUPIED`: the slot holds another record, which must not be replaced.
    Occupied = "OCCUPIED", retryable: false;
    /// `PROTOCOL`: the response does not follow the Dataverse Web API.
    Protocol = "PROTOCOL", retryable: false;
    /// `RECORD_NOT_FOUND`: the account, contact or incident does not exist.
    RecordNotFound = "RECORD_NOT_FOUND", retryable: false;
    /// `REJECTED`: the server rejected the change for a reason of its own, such as a plug-in.
    Rejected = "REJECTED", retryable: false;
    /// `STORE`: the embedded database failed.
    Store = "STORE", retryable: false;
    /// `THROTTLED`: too many calls, for the server or for this client.
    Throttled = "THROTTLED", retryable: true;
    /// `TIMEOUT`: the call's `timeoutInMs` ran out.
    Timeout = "TIMEOUT", retryable: true;
    /// `UNAVAILABLE`: the server could not be reached, or it failed.
    Unavailable = "UNAVAILABLE", retryable: true;
    /// `VERIFICATION_FAILED`: the server confirmed the write, but reading it back shows another value.
    VerificationFailed = "VERIFICATION_FAILED", retryable: false;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreName {
    /// A Dataverse environment, through the Web API.
    Dataverse,
    /// An SQLite file.
    Embedded,
}

impl StoreName {
    /// `dataverse` or `embedded`, as outcomes and errors show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dataverse => "dataverse",
            Self::Embedded => "embedded",
        }
    }
}

/// A record in an error: the table's logical name and the id in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentRecord {
    /// `account`, `contact` or `incident`.
    pub entity_logical_name: &'static str,
    pub record_id: String,
}

/// Details of an error besides its code and message.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// Name of the invalid argument or option: `recordId`, `options.timeoutInMs`.
    pub argument: Option<String>,
    pub conversation_id: Option<String>,
    pub http_status: Option<u16>,
    /// The server's own code, such as `0x80040217`.
    pub service_code: Option<String>,
    /// The server's own message: redacted, at most 500 characters.
    pub service_message: Option<String>,
    /// Id that this client gave the call.
    pub request_id: Option<String>,
    /// Id that the server gave the request.
    pub service_request_id: Option<String>,
    /// How long the server asks the client to wait.
    pub retry_after: Option<Duration>,
    /// Overrides [`Code::is_retryable`].
    pub retryable: Option<bool>,
    /// The write may have taken effect although the call failed.
    pub maybe_applied: bool,
    /// `statuscode` of the conversation that was not active.
    pub conversation_status: Option<i32>,
    /// Content of the slot: `None` if unknown, `Some(None)` if empty.
    pub current: Option<Option<CurrentRecord>>,
    /// Some of the records that match, with their names if known.
    pub candidates: Vec<(CurrentRecord, Option<String>)>,
    pub store: Option<StoreName>,
    pub hint: Option<String>,
}

impl Details {
    /// [`Self::retry_after`] in whole milliseconds, rounded up so that a caller does not retry too early.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a JavaScript number, exact up to 285,000 years")]
    pub fn retry_after_in_ms(&self) -> Option<f64> {
        self.retry_after.map(|after| after.as_nanos().div_ceil(1_000_000) as f64)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Failure {
    code: Code,
    message: String,
    details: Details,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Why a call failed. One pointer, so that `Result` stays small.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct LinkError(Box<Failure>);

impl LinkError {
    /// An error with a message that names the argument or the cause.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let message = shortened(message.into());
        Self(Box::new(Failure { code, message, details: Details::default(), source: None }))
    }

    /// An `INVALID_ARGUMENT` error. `argument` is its full name, such as `options.timeoutInMs`; `why` is a clause without a full stop.
    #[must_use]
    pub fn invalid_argument(argument: &str, why: impl fmt::Display) -> Self {
        Self::invalid(Code::InvalidArgument, argument, why)
    }

    /// An `INVALID_CONFIGURATION` error about an option of a client, or an environment variable.
    #[must_use]
    pub fn invalid_option(option: &str, why: impl fmt::Display) -> Self {
        Self::invalid(Code::InvalidConfiguration, option, why)
    }

    fn invalid(code: Code, argument: &str, why: impl fmt::Display) -> Self {
        Self::new(code, format!("`{argument}`: {why}."))
            .with(|details| details.argument = Some(shortened(argument.to_owned())))
    }

    /// Turns an invalid argument into an invalid option of a client.
    pub(crate) fn into_misconfigured(mut self) -> Self {
        self.0.code = Code::InvalidConfiguration;
        self
    }

    /// The system refused to start a thread.
    pub(crate) fn no_thread(error: io::Error) -> Self {
        Self::new(Code::Internal, format!("A thread of omnichannel-link could not be started: {error}."))
            .hint("The system refuses this process another thread or file. The next call tries again.")
            .with(|details| details.retryable = Some(true))
            .caused_by(error)
    }

    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    #[must_use]
    pub fn details(&self) -> &Details {
        &self.0.details
    }

    /// Whether the same call may succeed later without any change.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.details.retryable.unwrap_or_else(|| self.0.code.is_retryable())
    }

    #[must_use]
    pub fn with(mut self, add: impl FnOnce(&mut Details)) -> Self {
        add(&mut self.0.details);
        self
    }

    /// Adds how to fix it. A second hint is appended to the first.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        let hint = shortened(hint.into());
        self.with(|details| {
            details.hint = Some(match details.hint.take() {
                Some(first) => format!("{first} {hint}"),
                None => hint,
            });
        })
    }

    /// The same error for another call. The source is copied as a string, because not every error can be cloned.
    #[must_use]
    pub fn repeated(&self) -> Self {
        let Failure { code, message, details, source } = &*self.0;
        let source = source.as_ref().map(|cause| cause.to_string().into());
        Self(Box::new(Failure { code: *code, message: message.clone(), details: details.clone(), source }))
    }

    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }
}

/// Longest message, in characters.
const MAX_CHARACTERS: usize = 1000;
/// Characters that a shortened message keeps of its beginning.
const MAX_BEGINNING: usize = 600;

/// Removes the middle of a message that is too long, for example because it quotes a long value.
pub(crate) fn shortened(message: String) -> String {
    if message.len() <= MAX_CHARACTERS {
        return message;
    }
    let characters = message.chars().count();
    let Some(left_out @ 1..) = characters.checked_sub(MAX_CHARACTERS) else { return message };
    let beginning: String = message.chars().take(MAX_BEGINNING).collect();
    let end: String = message.chars().skip(MAX_BEGINNING + left_out).collect();
    format!("{beginning}… ({left_out} characters left out) …{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_keeps_its_beginning_and_end() {
        let message = |characters: usize| format!("`a`: '{}', expected less.", "ä".repeat(characters));
        let short = LinkError::new(Code::Store, message(500)).hint(message(500));
        assert_eq!(short.message(), message(500));
        let long = LinkError::new(Code::Store, message(100_000)).hint(message(100_000));
        for text in [Some(long.message()), long.details().hint.as_deref()] {
            let text = text.unwrap();
            assert!(text.starts_with("`a`: 'ä") && text.ends_with("ä', expected less."), "{text}");
            assert!(text.contains("… (99023 characters left out) …"), "{text}");
            assert!(text.chars().count() < 1100, "{text}");
        }
    }

    #[test]
    fn codes_are_alphabetical_unique_and_spelled_like_their_variants() {
        let texts: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let mut sorted = texts.clone();
        sorted.sort_by_key(|text| text.replace('_', ""));
        sorted.dedup();
        assert_eq!(texts, sorted);
        for code in Code::ALL {
            let spelled = code.as_str().split('_').map(|word| {
                let mut letters = word.chars();
                letters.next().into_iter().chain(letters.map(|letter| letter.to_ascii_lowercase())).collect::<String>()
            });
            assert_eq!(format!("{code:?}"), spelled.collect::<String>());
        }
    }

    #[test]
    fn an_error_is_one_pointer() {
        assert_eq!(size_of::<LinkError>(), size_of::<usize>());
    }

    #[test]
    fn retry_after_is_rounded_up_to_milliseconds() {
        for (nanoseconds, expected) in [(0, 0.0), (1, 1.0), (1_000_000, 1.0), (727_722_470_000, 727_723.0)] {
            let details = Details { retry_after: Some(Duration::from_nanos(nanoseconds)), ..Details::default() };
            assert_eq!(details.retry_after_in_ms(), Some(expected));
        }
        assert_eq!(Details::default().retry_after_in_ms(), None);
    }

    #[test]
    fn hints_are_joined_and_the_source_is_kept() {
        let error = LinkError::new(Code::Store, "no").hint("Do this.").hint("Or that.").caused_by("disk");
        assert_eq!(error.details().hint.as_deref(), Some("Do this. Or that."));
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("disk"));
    }
}
