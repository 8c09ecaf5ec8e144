use std::alloc::{GlobalAlloc, Layout, System};
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

/// The system's allocator, which also counts.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn more(n_bytes: usize) {
    let held = HELD.fetch_add(n_bytes, Ordering::Relaxed) + n_bytes;
    MOST.fetch_max(held, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: the caller keeps `alloc_zeroed`'s contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, n_bytes: usize) -> *mut u8 {
        more(n_bytes);
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps `realloc`'s contract.
        unsafe { System.realloc(place, layout, n_bytes) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What some work took.
pub(crate) struct Took {
    /// Bytes held at once at most, beside those that were held before.
    pub(crate) memory: u64,
    pub(crate) time: Duration,
}

/// Leaves a panic that becomes a picture's error untold, as the program itself does.
///
/// Where `RUST_BACKTRACE` is set, telling it reads the debug information of this whole program:
/// some 90 MB that would count as the decoder's.
fn caught_panics_stay_silent() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !sightline_picture::panics_are_caught() {
                told(panic);
            }
        }));
    });
}

/// Does some work, alone: other tests of this program wait.
pub(crate) fn counted<T>(work: impl FnOnce() -> T) -> (T, Took) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    caught_panics_stay_silent();
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let start = Instant::now();
    let result = work();
    let memory = MOST.load(Ordering::Relaxed).saturating_sub(before) as u64;
    let time = start.elapsed();
    (result, Took { memory, time })
}

#[test]
fn what_is_held_is_counted() {
    let (_, took) = counted(|| {
        let first = vec![1u8; 3_000_000];
        drop(first);
        let mut second = vec![1u8; 1_000_000];
        second.resize(2_000_000, 2);
        std::thread::spawn(|| vec![0u8; 2_500_000].len())
            .join()
            .unwrap()
            + second.len()
    });
    assert!(
        (4_500_000..6_000_000).contains(&took.memory),
        "{}",
        took.memory
    );
}
