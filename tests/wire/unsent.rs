//! Writes that were refused for their token, and are not sent again because there is no other.

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

/// Gives one token. From then on it fails, or hangs.
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
        Box::pin(std::future::ready(Err(LinkError::new(Code::AuthenticationFailed, "The vault is shut."))))
    }
}

fn refused_token() -> Reply {
    reply(401, "")
}

/// The error of a call whose tokens come from there, after 25 of its 30 seconds.
fn error(tokens: OneToken, answers: impl IntoIterator<Item = Reply>) -> LinkError {
    let exchange = Script::with_tokens(Arc::new(tokens), Concurrency::CompareAndSwap, answers);
    let clock = exchange.clock.clone();
    let call = exchange.link(account(1));
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
async fn a_write_with_a_refused_token_did_nothing_when_there_is_no_other() {
    let error = error(OneToken::default(), [empty(), refused_token()]);
    assert_eq!((error.code(), error.details().maybe_applied), (Code::AuthenticationFailed, false));
}

#[tokio::test]
async fn a_write_that_waits_for_its_turn_until_it_is_too_late_says_that_it_was_not_sent() {
    let error = error(OneToken { hangs: true, ..OneToken::default() }, [empty(), refused_token()]);
    assert_eq!((error.code(), error.details().maybe_applied), (Code::Timeout, false));
    assert!(error.message().starts_with("The change was not sent within 22500 ms: "), "{error}");
}

#[tokio::test]
async fn a_second_write_that_is_not_sent_leaves_the_first_ones_error() {
    for answer in lost() {
        for hangs in [false, true] {
            let answers = [empty(), answer.clone(), empty(), refused_token()];
            let error = error(OneToken { hangs, ..OneToken::default() }, answers);
            assert!(error.details().maybe_applied, "{error:?}");
            assert!(!error.message().contains("vault") && !error.message().contains("not sent"), "{error}");
        }
    }
}
