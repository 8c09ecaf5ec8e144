//! Memory that was freed, given back to the operating system.

/// Gives back what the allocator keeps of freed memory. The threads that decode pictures each have
/// a heap of their own, of which glibc keeps nearly everything that it ever held.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a function of the C library")]
pub(super) fn give_back() {
    unsafe extern "C" {
        fn malloc_trim(pad: usize) -> std::ffi::c_int;
    }
    // SAFETY: glibc declares `int malloc_trim(size_t)` in malloc.h. It may be called at any time
    // from any thread, locks each heap while it works on it, and touches no memory in use.
    unsafe {
        malloc_trim(0);
    }
}

/// Other allocators give back by themselves what is not used for a while.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn give_back() {}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn freed_memory_is_given_back_though_some_after_it_is_in_use() {
        // Memory of this process that is in RAM, in pages.
        let resident = || -> usize {
            let statm = fs_err::read_to_string("/proc/self/statm").unwrap();
            statm.split(' ').nth(1).unwrap().parse().unwrap()
        };
        // Too small for a mapping of its own, so it is on the heap. What is kept is at its end.
        let mut blocks: Vec<Vec<u8>> = (0..4000).map(|_| vec![1; 64 << 10]).collect();
        let kept = blocks.pop();
        let before = resident();
        drop(blocks);
        give_back();
        let after = resident();
        // Other tests use memory meanwhile, but not 250 MB.
        assert!(after + 40_000 < before, "{before} pages, then {after}");
        assert_eq!(kept.unwrap().len(), 64 << 10);
    }
}
