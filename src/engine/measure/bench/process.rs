//! What this process has used so far. Linux tells it in files; elsewhere it is not known.

use std::time::Duration;

/// The most memory in use so far, in bytes.
#[must_use]
pub fn peak_memory() -> Option<u64> {
    status("VmHWM:")
}

/// Memory in use, in bytes.
#[must_use]
pub fn resident_memory() -> Option<u64> {
    status("VmRSS:")
}

/// Time of all cores, in the program and in the system on its behalf.
#[must_use]
pub fn cpu_time() -> Option<Duration> {
    let text = fs_err::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in brackets and may hold blanks. User and system time
    // are fields 14 and 15 (proc(5)), in ticks of which Linux tells programs 100 a second.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis(10 * (user + system)))
}

/// Begins a new peak, where the system allows it.
pub(super) fn forget_peak() {
    // Documented in proc(5) since Linux 4.0; without it the peak is that of the whole process.
    let _ = fs_err::write("/proc/self/clear_refs", "5");
}

/// A line of `/proc/self/status`, in bytes.
fn status(name: &str) -> Option<u64> {
    let text = fs_err::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let n_kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(n_kib * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_what_was_used() {
        let (peak, now) = (peak_memory().unwrap(), resident_memory().unwrap());
        assert!(peak > 1 << 20 && now > 1 << 20, "{peak} {now}");
        let before = cpu_time().unwrap();
        let mut sum = 0_u64;
        while cpu_time().unwrap() == before {
            sum = (0..100_000).fold(sum, u64::wrapping_add);
        }
        assert!(std::hint::black_box(sum) > 0);
    }
}
