//! Cancellation of a call from JavaScript. lib/signals.js connects it to the caller's `AbortSignal`.

use napi_derive::napi;
use tokio_util::sync::CancellationToken;

use super::error::Failure;
use crate::error::LinkError;

/// The cancellation of one call with a signal.
#[napi]
#[derive(Default)]
pub struct Cancellation(CancellationToken);

#[napi]
impl Cancellation {
    /// A cancellation that was not requested yet.
    #[napi(constructor)]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the work. A write that was already sent is not undone.
    #[napi]
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

/// The call's side of a cancellation; `None` without a signal.
#[derive(Clone)]
pub(super) struct Cancelled(Option<CancellationToken>);

impl From<Option<&Cancellation>> for Cancelled {
    fn from(cancellation: Option<&Cancellation>) -> Self {
        Self(cancellation.map(|cancellation| cancellation.0.clone()))
    }
}

impl Cancelled {
    /// Whether the signal was aborted already.
    pub(super) fn is_requested(&self) -> bool {
        self.0.as_ref().is_some_and(CancellationToken::is_cancelled)
    }

    /// Runs the work until it ends or is cancelled.
    pub(super) async fn run<T>(self, work: impl Future<Output = Result<T, LinkError>>) -> Result<T, Failure> {
        match self.0 {
            None => work.await.map_err(Failure::Error),
            Some(token) => match token.run_until_cancelled(work).await {
                Some(done) => done.map_err(Failure::Error),
                None => Err(Failure::Aborted),
            },
        }
    }
}
