//! How much memory may all threads together ask for at once?

use std::sync::{Condvar, Mutex, PoisonError};

/// Bytes of memory that threads share. Each takes what its next piece of work needs before it
/// begins, and waits until that much is free.
///
/// Whoever came first is served first, so that a large picture is not passed over for ever by
/// small ones. One that needs more than there is in all is worked on alone.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    n_bytes: u64,
    taken: Mutex<u64>,
    freed: Condvar,
    /// Held by the thread whose turn it is, while it waits.
    turn: Mutex<()>,
}

/// Bytes taken from a budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share<'a> {
    budget: &'a MemoryBudget,
    n_bytes: u64,
}

impl MemoryBudget {
    pub(crate) fn new(n_bytes: u64) -> Self {
        Self {
            n_bytes,
            taken: Mutex::new(0),
            freed: Condvar::new(),
            turn: Mutex::new(()),
        }
    }

    /// Takes this many bytes as soon as they are free.
    pub(crate) fn take(&self, n_bytes: u64) -> Share<'_> {
        let n_bytes = n_bytes.min(self.n_bytes);
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = self
            .freed
            .wait_while(taken, |taken| *taken > self.n_bytes - n_bytes)
            .unwrap_or_else(PoisonError::into_inner);
        *taken += n_bytes;
        Share {
            budget: self,
            n_bytes,
        }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let budget = self.budget;
        *budget.taken.lock().unwrap_or_else(PoisonError::into_inner) -= self.n_bytes;
        budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn no_more_is_taken_at_once_than_there_is() {
        const N_BYTES: u64 = 100;
        let budget = MemoryBudget::new(N_BYTES);
        let (in_use, most, n_done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (budget, in_use, most, n_done) = (&budget, &in_use, &most, &n_done);
                scope.spawn(move || {
                    for turn in 0..50 {
                        // From 1 to 150: some need more than there is and then are alone.
                        let n_bytes = (thread * 37 + turn * 61) % 150 + 1;
                        let share = budget.take(n_bytes);
                        let counted = n_bytes.min(N_BYTES);
                        let now = in_use.fetch_add(counted, Ordering::SeqCst) + counted;
                        most.fetch_max(now, Ordering::SeqCst);
                        std::thread::yield_now();
                        in_use.fetch_sub(counted, Ordering::SeqCst);
                        drop(share);
                        n_done.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(n_done.into_inner(), 400);
        assert_eq!(most.into_inner(), N_BYTES);
        assert_eq!(*budget.taken.lock().unwrap(), 0);
    }

    #[test]
    fn what_needs_more_than_all_is_alone() {
        let budget = MemoryBudget::new(10);
        let share = budget.take(u64::MAX);
        assert_eq!(*budget.taken.lock().unwrap(), 10);
        drop(share);
        let shares = [budget.take(4), budget.take(6)];
        assert_eq!(*budget.taken.lock().unwrap(), 10);
        drop(shares);
        assert_eq!(*budget.taken.lock().unwrap(), 0);
    }
}
