use std::alloc::{GlobalAlloc, Layout, System};
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

/// The system's allocator with counters.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn more(n_bytes: usize) {
    let held = HELD.fetch_add(n_bytes, Ordering::Relaxed) + n_bytes;
    MOST.fetch_max(held, Ordering::Relaxed);
}

#[allow(unsafe_code, reason = "only an allocator can count allocations")]
// SAFETY: every call is passed to the system's allocator unchanged; counting allocates nothing.
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

/// The cost of some work.
pub(crate) struct Took {
    /// Peak memory in bytes, beyond what was held before.
    pub(crate) memory: u64,
    pub(crate) time: Duration,
}

/// Silences panics that become a picture's error, as the program itself does.
///
/// With `RUST_BACKTRACE` set, printing one reads the debug information of this whole program: some
/// 90 MB that would count as the decoder's.
fn silence_caught_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !sightline_picture::panics_are_caught() {
                default(panic);
            }
        }));
    });
}

/// Held by each test to its end, since allocations of a concurrent test would be counted too.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    silence_caught_panics();
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs some work and measures it.
pub(crate) fn counted<T>(work: impl FnOnce() -> T) -> (T, Took) {
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let start = Instant::now();
    let result = work();
    let memory = MOST.load(Ordering::Relaxed).saturating_sub(before) as u64;
    let time = start.elapsed();
    (result, Took { memory, time })
}

#[test]
fn peak_memory_is_counted() {
    const N_TRIES: u32 = 5;
    let _alone = alone();
    let peak = || {
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
        took.memory
    };
    // The thread of a test that has just ended may still free memory, which lowers one measurement.
    let memory = (0..N_TRIES).map(|_| peak()).max().unwrap();
    assert!((4_400_000..6_000_000).contains(&memory), "{memory}");
}
