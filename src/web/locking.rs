//! Locks whose data stay usable after a panic of another holder.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, whatever happened to another holder.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
