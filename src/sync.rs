//! Locking without poisoning.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after a panic in another thread: no critical section of this crate leaves its data half changed.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
