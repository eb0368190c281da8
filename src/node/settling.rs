//! The outcomes of calls, on their way to the promises of Node.
//!
//! Each environment (the main thread's, and that of each `worker_thread`) has one queue. A call that ends on another thread puts its
//! outcome there, and one callback on the environment's thread settles the promises of all outcomes of the queue.
//!
//! To wake Node costs more than the rest of a call. So the runtime's thread wakes it when nothing is left to do there, or when
//! [`MAX_GATHERED`] outcomes wait. Other threads wake it at once.

use std::{
    cell::RefCell,
    ffi::c_void,
    panic::AssertUnwindSafe,
    ptr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use napi::{
    Env, JsValue,
    bindgen_prelude::{Unknown, retain_current_module_for_unload_safety},
    check_status, sys,
};

use super::{
    error::{self, Failure},
    panics::defect,
};
use crate::sync::lock;

/// Outcomes that wake Node although the runtime's thread is still busy, because it may be busy forever.
pub(super) const MAX_GATHERED: usize = 64;

/// Most promises settled in one callback, so that a burst does not block the event loop.
const MAX_BATCH: usize = 256;

thread_local! {
    /// The queues with outcomes that Node was not woken for yet. `None` on every thread but the runtime's.
    static GATHERING: RefCell<Option<Vec<Arc<Settling>>>> = const { RefCell::new(None) };
}

/// The result of a call, to be converted on the environment's thread.
pub(super) type Outcome = Box<dyn FnOnce(sys::napi_env) -> napi::Result<sys::napi_value> + Send>;

pub(super) struct Settled {
    pub(super) deferred: Deferred,
    pub(super) outcome: Result<Outcome, Failure>,
}

/// Node's handle of a pending promise, used only on the thread of its environment.
pub(super) struct Deferred(sys::napi_deferred);

// SAFETY: other threads only move the pointer. Node dereferences it, on the thread that created it.
unsafe impl Send for Deferred {}

/// The outcomes and pending promises of one environment.
pub(super) struct Settling {
    queue: Mutex<Queue>,
    /// `None` when the environment has ended. Callers hold the lock for reading, so none waits for another one. The environment's
    /// cleanup hook takes it for writing: it waits for the calls in progress, which do not block, and only then Node frees the
    /// function. It is not the queue's lock, because a system call wakes Node, which would then run into that lock.
    function: RwLock<Option<WakingFunction>>,
    /// Number of pending promises. They keep the process alive. Changed only on the environment's thread.
    pending: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    settled: Vec<Settled>,
    /// Whether a callback was requested and has not run yet.
    is_woken: bool,
    /// Whether the environment has ended.
    is_closed: bool,
}

/// Node's thread-safe function whose callback is [`settle_batch`].
struct WakingFunction(sys::napi_threadsafe_function);

// SAFETY: a thread-safe function may be called from any thread, by several at once. It is alive while `Settling` has it.
unsafe impl Send for WakingFunction {}
// SAFETY: as above.
unsafe impl Sync for WakingFunction {}

/// Gathers the outcomes of the current thread, which calls [`wake_gathered`] before it waits for anything, until this is dropped.
pub(super) struct Gathering(());

impl Gathering {
    pub(super) fn start() -> Self {
        GATHERING.set(Some(Vec::new()));
        Self(())
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        wake_gathered();
        GATHERING.set(None);
    }
}

/// Wakes Node for the outcomes that were gathered.
pub(super) fn wake_gathered() {
    while let Some(settling) = GATHERING.with_borrow_mut(|gathering| gathering.as_mut()?.pop()) {
        settling.wake_now();
    }
}

impl Settling {
    /// Sets up the queue of an environment.
    pub(super) fn new(env: Env) -> napi::Result<Arc<Self>> {
        let settling =
            Arc::new(Self { queue: Mutex::default(), function: RwLock::default(), pending: AtomicUsize::new(0) });
        let function = WakingFunction::new(&env, &settling)?;
        *settling.function.write().unwrap_or_else(PoisonError::into_inner) = Some(function);
        // Hooks run in reverse order, so this one runs before Node frees the function.
        env.add_env_cleanup_hook(Arc::clone(&settling), |settling| settling.close())?;
        Ok(settling)
    }

    /// Creates a pending promise, which keeps the process alive.
    pub(super) fn promise<'env>(&self, env: &'env Env) -> napi::Result<(Deferred, Unknown<'env>)> {
        let (mut deferred, mut promise) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the environment is the current one, and both pointers outlive the call.
        check_status!(unsafe { sys::napi_create_promise(env.raw(), &raw mut deferred, &raw mut promise) })?;
        if self.pending.fetch_add(1, Ordering::Relaxed) == 0
            && let Some(WakingFunction(function)) = &*self.function()
        {
            // SAFETY: alive while it is borrowed; and this is the environment's thread.
            check_status!(unsafe { sys::napi_ref_threadsafe_function(env.raw(), *function) })?;
        }
        // SAFETY: created above, in this environment and scope.
        Ok((Deferred(deferred), unsafe { Unknown::from_raw_unchecked(env.raw(), promise) }))
    }

    /// Queues an outcome. That of an environment that has ended is dropped.
    pub(super) fn push(self: &Arc<Self>, settled: Settled) {
        let mut queue = lock(&self.queue);
        if queue.is_closed {
            return;
        }
        queue.settled.push(settled);
        let may_wait = queue.settled.len() < MAX_GATHERED && self.is_gathered();
        if !queue.is_woken && !may_wait {
            self.request_callback(queue);
        }
    }

    /// Wakes Node for the outcomes in the queue.
    pub(super) fn wake_now(&self) {
        let queue = lock(&self.queue);
        if !queue.is_woken && !queue.settled.is_empty() {
            self.request_callback(queue);
        }
    }

    /// Leaves it to [`wake_gathered`] to wake Node, if this thread calls that.
    fn is_gathered(self: &Arc<Self>) -> bool {
        // A task may end while its thread ends.
        let gathered = GATHERING.try_with(|gathering| {
            let mut gathering = gathering.borrow_mut();
            let Some(gathering) = &mut *gathering else { return false };
            if !gathering.iter().any(|known| Arc::ptr_eq(known, self)) {
                gathering.push(Arc::clone(self));
            }
            true
        });
        gathered.unwrap_or_default()
    }

    /// Has [`settle_batch`] called on the environment's thread.
    fn request_callback(&self, mut queue: MutexGuard<'_, Queue>) {
        queue.is_woken = true;
        drop(queue);
        self.wake();
    }

    fn wake(&self) {
        if let Some(WakingFunction(function)) = &*self.function() {
            let mode = sys::ThreadsafeFunctionCallMode::nonblocking;
            // SAFETY: alive while it is borrowed. Its queue has no limit, so it cannot be full.
            unsafe { sys::napi_call_threadsafe_function(*function, ptr::null_mut(), mode) };
        }
    }

    fn take_batch(&self) -> Vec<Settled> {
        let mut queue = lock(&self.queue);
        if queue.settled.len() <= MAX_BATCH {
            queue.is_woken = false;
            return std::mem::take(&mut queue.settled);
        }
        let batch = queue.settled.drain(..MAX_BATCH).collect();
        drop(queue);
        self.wake();
        batch
    }

    fn fewer(&self, env: sys::napi_env, settled: usize) {
        if self.pending.fetch_sub(settled, Ordering::Relaxed) == settled
            && let Some(WakingFunction(function)) = &*self.function()
        {
            // SAFETY: as in `promise`. There is nothing to do if it fails: the process is kept alive.
            unsafe { sys::napi_unref_threadsafe_function(env, *function) };
        }
    }

    fn function(&self) -> RwLockReadGuard<'_, Option<WakingFunction>> {
        self.function.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops all outcomes, also later ones, and waits until no thread calls the function.
    fn close(&self) {
        let mut queue = lock(&self.queue);
        queue.is_closed = true;
        let dropped = std::mem::take(&mut queue.settled);
        drop(queue);
        drop(dropped);
        *self.function.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl WakingFunction {
    fn new(env: &Env, settling: &Arc<Settling>) -> napi::Result<Self> {
        // The runtime's thread may still run this code when the environment has ended, so the addon must stay loaded.
        retain_current_module_for_unload_safety();
        let name = env.create_string("omnichannel-link")?;
        let context = Arc::into_raw(Arc::clone(settling)).cast_mut().cast();
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
}

unsafe extern "C" fn free_context(_env: sys::napi_env, context: *mut c_void, _hint: *mut c_void) {
    // SAFETY: the pointer from `WakingFunction::new`. Node calls the finalizer once, after the last callback.
    drop(unsafe { Arc::from_raw(context.cast_const().cast::<Settling>()) });
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
    let settling = unsafe { &*context.cast_const().cast::<Settling>() };
    let batch = settling.take_batch();
    let count = batch.len();
    for Settled { deferred, outcome } in batch {
        // A panic must not unwind into Node. Converting a value should never panic.
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| settle(env, &deferred, outcome)));
    }
    settling.fewer(env, count);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn settling() -> Arc<Settling> {
        Arc::new(Settling { queue: Mutex::default(), function: RwLock::default(), pending: AtomicUsize::new(0) })
    }

    fn push(settling: &Arc<Settling>, count: usize) {
        for _ in 0..count {
            settling.push(Settled { deferred: Deferred(ptr::null_mut()), outcome: Err(Failure::Aborted) });
        }
    }

    fn is_woken(settling: &Settling) -> bool {
        lock(&settling.queue).is_woken
    }

    #[test]
    fn a_gathering_thread_wakes_every_environment_before_it_waits() {
        let _gathering = Gathering::start();
        let environments = [settling(), settling(), settling()];
        push(&environments[0], 2);
        push(&environments[1], MAX_GATHERED - 1);
        assert!(!environments.iter().any(|settling| is_woken(settling)));
        wake_gathered();
        assert_eq!(environments.each_ref().map(|settling| is_woken(settling)), [true, true, false]);
        // Outcomes that arrive after the callback need another one.
        assert_eq!(environments[0].take_batch().len(), 2);
        push(&environments[0], 1);
        assert!(!is_woken(&environments[0]));
        wake_gathered();
        assert!(is_woken(&environments[0]));
    }

    #[test]
    fn a_gathering_thread_that_never_waits_wakes_an_environment_all_the_same() {
        let _gathering = Gathering::start();
        let settling = settling();
        for _ in 0..3 {
            push(&settling, MAX_GATHERED - 1);
            assert!(!is_woken(&settling));
            push(&settling, 1);
            assert!(is_woken(&settling));
            assert_eq!(settling.take_batch().len(), MAX_GATHERED);
        }
    }

    #[test]
    fn outcomes_of_other_threads_and_of_a_thread_that_ends_wake_at_once() {
        let [other, ending] = [settling(), settling()];
        push(&other, 1);
        assert!(is_woken(&other));
        let gathering = Gathering::start();
        push(&ending, 1);
        drop(gathering);
        assert!(is_woken(&ending));
        assert_eq!(ending.take_batch().len(), 1);
        push(&ending, 1);
        assert!(is_woken(&ending));
    }

    #[test]
    fn a_batch_that_leaves_outcomes_behind_requests_another_callback() {
        let settling = settling();
        push(&settling, MAX_BATCH + 1);
        assert_eq!(settling.take_batch().len(), MAX_BATCH);
        assert!(is_woken(&settling));
        assert_eq!(settling.take_batch().len(), 1);
        assert!(!is_woken(&settling));
    }

    #[test]
    fn outcomes_of_an_environment_that_ended_are_dropped() {
        let _gathering = Gathering::start();
        let settling = settling();
        push(&settling, 1);
        settling.close();
        push(&settling, 1);
        wake_gathered();
        assert!(!is_woken(&settling));
        assert!(settling.take_batch().is_empty());
    }
}
