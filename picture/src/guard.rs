//! A decoder that panics costs one picture, not the run.
//!
//! Decoders are large and their input comes from anywhere. Their panics are caught; a program that
//! has a hook for panics can ask there whether this one is, and leave it to the picture's error.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Whether a panic of this thread would be caught here, and become an error of one picture.
#[must_use]
pub fn panics_are_caught() -> bool {
    DEPTH.try_with(Cell::get).is_ok_and(|depth| depth > 0)
}

/// Does some work that shares nothing with its surroundings but its input; `None` when it panics.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    struct Deeper;
    impl Deeper {
        fn by(steps: i32) {
            let _ = DEPTH.try_with(|depth| depth.set(depth.get().saturating_add_signed(steps)));
        }
    }
    impl Drop for Deeper {
        fn drop(&mut self) {
            Self::by(-1);
        }
    }
    Deeper::by(1);
    let _shallower = Deeper;
    catch_unwind(AssertUnwindSafe(work)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_inside_are_caught_and_told_from_others() {
        assert!(!panics_are_caught());
        let seen = guarded(|| {
            assert_eq!(guarded(|| panic!("for the test") as u8), None);
            panics_are_caught()
        });
        assert_eq!(seen, Some(true));
        assert!(!panics_are_caught());
    }
}
