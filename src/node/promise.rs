//! The bridge from futures to Promises, and the cancellation of calls.

use std::{future, panic::AssertUnwindSafe, sync::Arc};

use futures_util::{FutureExt, TryFutureExt, future::Either};
use napi::{
    Env, JsValue,
    bindgen_prelude::{PromiseRaw, ToNapiValue, Unknown},
};
use napi_derive::napi;
use tokio_util::sync::CancellationToken;

use super::{
    error::{self, Failure},
    panics::defect,
    runtime::{Jobs, Place},
    settling::{Deferred, Outcome, Settled, Settling},
};
use crate::error::LinkError;

/// The promises of one environment.
#[derive(Clone)]
pub(super) struct Promises(pub(super) Arc<Settling>);

impl Promises {
    /// The promises of the current environment, set up by its first call.
    pub(super) fn of(env: Env) -> napi::Result<Self> {
        if let Some(promises) = env.get_instance_data::<Self>()? {
            return Ok(promises.clone());
        }
        let promises = Self(Settling::new(env)?);
        env.set_instance_data(promises.clone(), (), |_| {})?;
        Ok(promises)
    }

    /// A promise for the result of the future that `start` returns. `start` runs in call order at this place.
    pub(super) fn promise<'env, T, F>(
        &self,
        env: &'env Env,
        jobs: &Jobs,
        place: Place,
        start: impl FnOnce() -> F + Send + 'static,
    ) -> napi::Result<Unknown<'env>>
    where
        T: ToNapiValue + Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let (deferred, promise) = self.0.promise(env)?;
        let completion = Completion { settling: Arc::clone(&self.0), deferred: Some(deferred) };
        jobs.submit(place, move || {
            // SAFETY: called by `settle_batch`, on the environment's thread, with its environment.
            let convert = |value| Box::new(move |env| unsafe { T::to_napi_value(env, value) }) as Outcome;
            guarded(start).map(move |outcome| completion.complete(outcome.map(convert)))
        });
        Ok(promise)
    }

    /// A promise that is rejected already.
    pub(super) fn rejected<'env>(env: &'env Env, failure: &Failure) -> napi::Result<Unknown<'env>> {
        let promise = PromiseRaw::<()>::reject(env, error::rejection(env, failure)?)?;
        // SAFETY: the value is the promise just made.
        Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), promise.raw()) })
    }
}

/// Calls `start`, and turns a panic in it or in its future into an `INTERNAL` error.
///
/// Here and around it, futures are mapped instead of awaited in an `async` block: a block has room for the future as captured and as
/// awaited, so each one around another doubles the size of the task, which is copied several times.
pub(super) fn guarded<T, F>(start: impl FnOnce() -> F) -> impl Future<Output = Result<T, Failure>>
where
    F: Future<Output = Result<T, Failure>>,
{
    let ended = match std::panic::catch_unwind(AssertUnwindSafe(start)) {
        Ok(future) => Either::Left(AssertUnwindSafe(future).catch_unwind()),
        Err(panic) => Either::Right(future::ready(Err(panic))),
    };
    ended.map(|ended| ended.unwrap_or_else(|_| Err(defect().into())))
}

/// Settles one promise. If its task is lost, dropping it rejects the promise, so that none is left pending.
struct Completion {
    settling: Arc<Settling>,
    deferred: Option<Deferred>,
}

impl Completion {
    fn complete(mut self, outcome: Result<Outcome, Failure>) {
        if let Some(deferred) = self.deferred.take() {
            self.settling.push(Settled { deferred, outcome });
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if let Some(deferred) = self.deferred.take() {
            self.settling.push(Settled { deferred, outcome: Err(defect().into()) });
        }
    }
}

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
    pub(super) fn run<T>(
        self,
        work: impl Future<Output = Result<T, LinkError>>,
    ) -> impl Future<Output = Result<T, Failure>> {
        let work = work.map_err(Failure::Error);
        match self.0 {
            None => Either::Left(work),
            Some(token) => Either::Right(Box::pin(async move {
                token.run_until_cancelled(work).await.unwrap_or(Err(Failure::Aborted))
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::panics, *};
    use crate::error::Code;

    fn panics() -> Result<(), Failure> {
        panic!("a secret")
    }

    #[tokio::test]
    async fn a_panic_early_or_late_becomes_internal_with_its_place_and_without_its_message() {
        panics::install_hook();
        let early = guarded(|| std::future::ready(panics()));
        let late = guarded(|| async { panics() });
        for outcome in [early.await, late.await] {
            let Err(Failure::Error(error)) = outcome else { panic!("it passed") };
            assert_eq!(error.code(), Code::Internal);
            assert!(error.details().maybe_applied, "the call may have written before");
            assert!(error.message().contains("promise.rs:"), "{error}");
            assert!(!error.message().contains("secret"), "{error}");
        }
    }
}
