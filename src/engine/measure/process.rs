//! Memory and processor time used by this process, as Linux reports them in files; `None`
//! elsewhere.

use std::time::Duration;

/// Peak memory since the start or [`reset_peak_memory`], in bytes.
pub(super) fn peak_memory() -> Option<u64> {
    status("VmHWM:")
}

/// Memory in use, in bytes.
pub(super) fn resident_memory() -> Option<u64> {
    status("VmRSS:")
}

/// Processor time of all cores, user and system.
pub(super) fn cpu_time() -> Option<Duration> {
    let text = fs_err::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses and may contain spaces. User and system
    // time are fields 14 and 15 (proc(5)), in ticks of 10 ms.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis(10 * (user + system)))
}

/// Starts a new peak, where the system supports it; otherwise the peak is that of the whole
/// process.
pub(super) fn reset_peak_memory() {
    // Supported since Linux 4.0 (proc(5)).
    let _ = fs_err::write("/proc/self/clear_refs", "5");
}

/// A value of `/proc/self/status`, in bytes.
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
    fn memory_and_time_are_measured() {
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
