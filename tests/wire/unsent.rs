//! Writes whose token was rejected, and that are not sent again because there is no other token.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use omnichannel_link::{
    dataverse::Concurrency,
    error::{Code, LinkError},
    http::{AccessToken, Token, TokenProvider},
};

use crate::{
    empty, lost,
    script::{SECRET, Script, reply},
    support::{account, http::Reply},
};

/// Returns one token. From then on it fails, or hangs.
#[derive(Default)]
struct OneToken {
    hangs: bool,
    is_spent: AtomicBool,
}

impl TokenProvider for OneToken {
    fn token(&self, _: Option<String>) -> BoxFuture<'_, Result<AccessToken, LinkError>> {
        if !self.is_spent.swap(true, Ordering::SeqCst) {
            let token = AccessToken { token: Token::new(SECRET).unwrap(), lifetime: None };
            return Box::pin(std::future::ready(Ok(token)));
        }
        if self.hangs {
            return Box::pin(std::future::pending());
        }
        Box::pin(std::future::ready(Err(LinkError::new(Code::AuthenticationFailed, "The vault is closed."))))
    }
}

fn rejected_token() -> Reply {
    reply(401, "")
}

/// The error of a call with these tokens, after 25 of its 30 seconds.
fn error(tokens: OneToken, replies: impl IntoIterator<Item = Reply>) -> LinkError {
    let script = Script::with_tokens(Arc::new(tokens), Concurrency::CompareAndSwap, replies);
    let clock = script.clock.clone();
    let call = script.link(account(1));
    tokio::pin!(call);
    for time in [Duration::ZERO, Duration::from_secs(25)] {
        clock.advance(time);
        for _ in 0..8 {
            if let Some(outcome) = call.as_mut().now_or_never() {
                return outcome.unwrap_err();
            }
        }
    }
    unreachable!("the write's deadline has passed")
}

#[tokio::test]
async fn a_write_with_a_rejected_token_was_not_applied_if_there_is_no_other_token() {
    let error = error(OneToken::default(), [empty(), rejected_token()]);
    assert_eq!((error.code(), error.details().maybe_applied), (Code::AuthenticationFailed, false));
}

#[tokio::test]
async fn a_write_that_waits_too_long_for_its_turn_is_reported_as_not_sent() {
    let error = error(OneToken { hangs: true, ..OneToken::default() }, [empty(), rejected_token()]);
    assert_eq!((error.code(), error.details().maybe_applied), (Code::Timeout, false));
    assert!(error.message().starts_with("The change was not sent within 22500 ms: "), "{error}");
}

#[tokio::test]
async fn a_second_write_that_is_not_sent_leaves_the_error_of_the_first() {
    for response in lost() {
        for hangs in [false, true] {
            let replies = [empty(), response.clone(), empty(), rejected_token()];
            let error = error(OneToken { hangs, ..OneToken::default() }, replies);
            assert!(error.details().maybe_applied, "{error:?}");
            assert!(!error.message().contains("vault") && !error.message().contains("not sent"), "{error}");
        }
    }
}
