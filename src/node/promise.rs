//! The bridge from futures to Promises, and the cancellation of calls.
//!
//! Each environment (the main thread's, and that of each `worker_thread`) has one queue. A call that ends on the runtime's thread
//! puts its outcome there; one callback on the environment's thread settles all outcomes of the queue. When the environment ends,
//! its queue is closed under the lock, and later outcomes are dropped.

use std::{
    ffi::c_void,
    panic::AssertUnwindSafe,
    ptr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::FutureExt;
use napi::{
    Env, JsValue,
    bindgen_prelude::{PromiseRaw, ToNapiValue, Unknown},
    check_status, sys,
};

use napi_derive::napi;
use tokio_util::sync::CancellationToken;

use super::{
    error::{self, Failure},
    runtime::{self, Jobs},
};
use crate::{
    error::{Code, LinkError},
    sync::lock,
};

/// Most promises settled in one callback, so that a burst does not block the event loop.
const MAX_BATCH: usize = 256;

/// The result of a call, to be converted on the environment's thread.
type Outcome = Box<dyn FnOnce(sys::napi_env) -> napi::Result<sys::napi_value> + Send>;

struct Settled {
    deferred: Deferred,
    outcome: Result<Outcome, Failure>,
}

/// Node's handle of a pending promise, used only on the thread of its environment.
struct Deferred(sys::napi_deferred);

// SAFETY: other threads only move the pointer. Node dereferences it, on the thread that created it.
unsafe impl Send for Deferred {}

/// The promises of one environment.
#[derive(Clone)]
pub(super) struct Promises(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    /// Number of pending promises. They keep the process alive. Changed only on the environment's thread.
    pending: AtomicUsize,
}

struct Queue {
    settled: Vec<Settled>,
    /// `None` when the environment has ended.
    waker: Option<WakerFunction>,
    /// Whether a callback was requested and has not run yet.
    woken: bool,
}

/// Node's thread-safe function whose callback is [`settle_batch`].
#[derive(Clone, Copy)]
struct WakerFunction(sys::napi_threadsafe_function);

// SAFETY: a thread-safe function may be called from any thread; `Queue` drops it when the environment ends.
unsafe impl Send for WakerFunction {}

impl Promises {
    /// The promises of the current environment, set up by its first call.
    pub(super) fn of(env: Env) -> napi::Result<Self> {
        if let Some(promises) = env.get_instance_data::<Self>()? {
            return Ok(promises.clone());
        }
        let queue = Mutex::new(Queue { settled: Vec::new(), waker: None, woken: false });
        let shared = Arc::new(Shared { queue, pending: AtomicUsize::new(0) });
        let waker = WakerFunction::new(&env, &shared)?;
        lock(&shared.queue).waker = Some(waker);
        // Hooks run in reverse order, so this one runs before Node frees the function.
        env.add_env_cleanup_hook(Arc::clone(&shared), |shared| {
            let mut queue = lock(&shared.queue);
            queue.waker = None;
            queue.settled.clear();
        })?;
        let promises = Self(shared);
        env.set_instance_data(promises.clone(), (), |_| {})?;
        Ok(promises)
    }

    /// A promise for the result of the future that `start` returns. `start` runs on the runtime's thread, in call order.
    pub(super) fn promise<'env, T, F>(
        &self,
        env: &'env Env,
        jobs: &Jobs,
        start: impl FnOnce() -> F + Send + 'static,
    ) -> napi::Result<Unknown<'env>>
    where
        T: ToNapiValue + Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let (mut deferred, mut promise) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the environment is the current one, and both pointers outlive the call.
        check_status!(unsafe { sys::napi_create_promise(env.raw(), &raw mut deferred, &raw mut promise) })?;
        self.0.one_more(env)?;
        let completion = Completion { shared: Arc::clone(&self.0), deferred: Some(Deferred(deferred)) };
        jobs.submit(move || {
            let outcome = guarded(start);
            async move {
                // SAFETY: called by `settle_batch`, on the environment's thread, with its environment.
                let convert = |value| Box::new(move |env| unsafe { T::to_napi_value(env, value) }) as Outcome;
                completion.complete(outcome.await.map(convert));
            }
        });
        // SAFETY: created above, in this environment and scope.
        Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), promise) })
    }

    /// A promise that is rejected already.
    pub(super) fn rejected<'env>(env: &'env Env, failure: &Failure) -> napi::Result<Unknown<'env>> {
        let promise = PromiseRaw::<()>::reject(env, error::rejection(env, failure)?)?;
        // SAFETY: the value is the promise just made.
        Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), promise.raw()) })
    }
}

/// Calls `start`, and turns a panic in it or in its future into an `INTERNAL` error.
fn guarded<T, F>(start: impl FnOnce() -> F) -> impl Future<Output = Result<T, Failure>>
where
    F: Future<Output = Result<T, Failure>>,
{
    let started = std::panic::catch_unwind(AssertUnwindSafe(start));
    async move {
        let ended = match started {
            Ok(future) => AssertUnwindSafe(future).catch_unwind().await,
            Err(panic) => Err(panic),
        };
        ended.unwrap_or_else(|_| Err(defect().into()))
    }
}

/// The error of a call that panicked. It may have written before.
fn defect() -> LinkError {
    let location = runtime::last_panic().map_or_else(String::new, |location| format!(" ({location})"));
    LinkError::new(
        Code::Internal,
        format!("A defect of omnichannel-link{location} stopped this call; please report it."),
    )
    .with(|details| details.maybe_applied = true)
}

/// Settles one promise. If its task is lost, dropping it rejects the promise, so that none is left pending.
struct Completion {
    shared: Arc<Shared>,
    deferred: Option<Deferred>,
}

impl Completion {
    fn complete(mut self, outcome: Result<Outcome, Failure>) {
        if let Some(deferred) = self.deferred.take() {
            self.shared.push(Settled { deferred, outcome });
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if let Some(deferred) = self.deferred.take() {
            self.shared.push(Settled { deferred, outcome: Err(defect().into()) });
        }
    }
}

impl Shared {
    fn push(&self, settled: Settled) {
        let mut queue = lock(&self.queue);
        let Some(waker) = queue.waker else { return };
        queue.settled.push(settled);
        if !queue.woken {
            queue.woken = true;
            // Under the lock: the cleanup hook has not run, so the function is alive.
            waker.wake();
        }
    }

    fn take_batch(&self) -> Vec<Settled> {
        let mut queue = lock(&self.queue);
        if queue.settled.len() <= MAX_BATCH {
            queue.woken = false;
            return std::mem::take(&mut queue.settled);
        }
        if let Some(waker) = queue.waker {
            waker.wake();
        }
        queue.settled.drain(..MAX_BATCH).collect()
    }

    fn one_more(&self, env: &Env) -> napi::Result<()> {
        if self.pending.fetch_add(1, Ordering::Relaxed) == 0
            && let Some(WakerFunction(function)) = lock(&self.queue).waker
        {
            // SAFETY: alive, because the cleanup hook has not run; and this is the environment's thread.
            check_status!(unsafe { sys::napi_ref_threadsafe_function(env.raw(), function) })?;
        }
        Ok(())
    }

    fn fewer(&self, env: sys::napi_env, settled: usize) {
        if self.pending.fetch_sub(settled, Ordering::Relaxed) == settled
            && let Some(WakerFunction(function)) = lock(&self.queue).waker
        {
            // SAFETY: as in `one_more`. There is nothing to do if it fails: the process is kept alive.
            unsafe { sys::napi_unref_threadsafe_function(env, function) };
        }
    }
}

impl WakerFunction {
    fn new(env: &Env, shared: &Arc<Shared>) -> napi::Result<Self> {
        // The runtime's thread may still run this code when the environment has ended, so the addon must stay loaded.
        napi::bindgen_prelude::retain_current_module_for_unload_safety();
        let name = env.create_string("omnichannel-link")?;
        let context = Arc::into_raw(Arc::clone(shared)).cast_mut().cast();
        let mut function = ptr::null_mut();
        // SAFETY: without a JavaScript function the callback gets none; the context is freed by the finalizer.
        check_status!(unsafe {
            sys::napi_create_threadsafe_function(
                env.raw(),
                ptr::null_mut(),
                ptr::null_mut(),
                name.raw(),
                0,
                1,
                context,
                Some(free_context),
                context,
                Some(settle_batch),
                &raw mut function,
            )
        })?;
        // SAFETY: created above. Unreferenced, because an idle client must not keep the process alive.
        check_status!(unsafe { sys::napi_unref_threadsafe_function(env.raw(), function) })?;
        Ok(Self(function))
    }

    /// Has [`settle_batch`] called on the environment's thread.
    fn wake(self) {
        // SAFETY: called under the queue's lock while the function is alive. Its queue has no limit, so it cannot be full.
        unsafe {
            sys::napi_call_threadsafe_function(self.0, ptr::null_mut(), sys::ThreadsafeFunctionCallMode::nonblocking)
        };
    }
}

unsafe extern "C" fn free_context(_env: sys::napi_env, context: *mut c_void, _hint: *mut c_void) {
    // SAFETY: the pointer from `WakerFunction::new`. Node calls the finalizer once, after the last callback.
    drop(unsafe { Arc::from_raw(context.cast_const().cast::<Shared>()) });
}

unsafe extern "C" fn settle_batch(
    env: sys::napi_env,
    _function: sys::napi_value,
    context: *mut c_void,
    _data: *mut c_void,
) {
    if env.is_null() {
        return;
    }
    // SAFETY: the finalizer has not run, so the context is alive.
    let shared = unsafe { &*context.cast_const().cast::<Shared>() };
    let batch = shared.take_batch();
    let count = batch.len();
    for Settled { deferred, outcome } in batch {
        // A panic must not unwind into Node. Converting a value should never panic.
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| settle(env, &deferred, outcome)));
    }
    shared.fewer(env, count);
}

fn settle(env: sys::napi_env, Deferred(deferred): &Deferred, outcome: Result<Outcome, Failure>) {
    let value = outcome.and_then(|make| make(env).map_err(|error| defect().caused_by(error.reason.clone()).into()));
    match value {
        // SAFETY: a deferred of this environment, settled once, because it is moved.
        Ok(value) => unsafe { sys::napi_resolve_deferred(env, *deferred, value) },
        Err(failure) => {
            let reason = error::rejection(&Env::from_raw(env), &failure).map_or(ptr::null_mut(), |reason| reason.raw());
            // SAFETY: as above.
            unsafe { sys::napi_reject_deferred(env, *deferred, reason) }
        }
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn panics() -> Result<(), Failure> {
        panic!("a secret")
    }

    #[tokio::test]
    async fn a_panic_early_or_late_becomes_internal_with_its_place_and_without_its_message() {
        runtime::install_panic_hook();
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
