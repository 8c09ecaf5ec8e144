//! Files that changed, until they stand still.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Size and time of a file; `None` of one that is missing.
pub(super) type Stamp = Option<(u64, Option<SystemTime>)>;

/// Reads the stamp of a file.
pub(super) fn stamp(path: &Path) -> Stamp {
    let metadata = fs_err::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}

/// A file that changed, as it was when that was last noticed.
struct Changed {
    stamp: Stamp,
    since: Instant,
}

/// What changed and is not indexed yet.
pub(super) struct Pending {
    files: BTreeMap<PathBuf, Changed>,
    /// When the oldest of them changed first.
    began: Option<Instant>,
    /// How long a file has to stand still.
    still: Duration,
    /// How long the others wait for files that do not.
    patience: Duration,
}

impl Pending {
    pub(super) fn new(still: Duration, patience: Duration) -> Self {
        Self {
            files: BTreeMap::new(),
            began: None,
            still,
            patience,
        }
    }

    /// Notes that something happened to a file.
    pub(super) fn add(&mut self, path: PathBuf, stamp: Stamp, now: Instant) {
        self.began.get_or_insert(now);
        self.files.insert(path, Changed { stamp, since: now });
    }

    /// What is not settled: a run leaves it out.
    pub(super) fn unsettled(&self) -> HashSet<PathBuf> {
        self.files.keys().cloned().collect()
    }

    /// Removes and returns what is to be indexed now: everything, when all of it stands still; what
    /// does, when it has waited long enough for the rest; or nothing.
    pub(super) fn settle(
        &mut self,
        now: Instant,
        mut stamp: impl FnMut(&Path) -> Stamp,
    ) -> Vec<PathBuf> {
        let Some(began) = self.began else {
            return Vec::new();
        };
        let is_patient = now.duration_since(began) < self.patience;
        let still = self.still;
        let is_recent = |file: &Changed| now.duration_since(file.since) < still;
        // No file needs to be read while another one was only just written.
        if is_patient && self.files.values().any(is_recent) {
            return Vec::new();
        }
        for (path, file) in &mut self.files {
            if !is_recent(file) {
                let current = stamp(path);
                if current != file.stamp {
                    *file = Changed {
                        stamp: current,
                        since: now,
                    };
                }
            }
        }
        if is_patient && self.files.values().any(is_recent) {
            return Vec::new();
        }
        let settled = self.files.extract_if(.., |_, file| !is_recent(file));
        let settled: Vec<PathBuf> = settled.map(|(path, _)| path).collect();
        if !settled.is_empty() {
            self.began = (!self.files.is_empty()).then_some(now);
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STILL: Duration = Duration::from_secs(2);
    const PATIENCE: Duration = Duration::from_secs(20);

    #[expect(clippy::unnecessary_wraps, reason = "a file that is there has a stamp")]
    fn of_size(n_bytes: u64) -> Stamp {
        Some((n_bytes, None))
    }

    struct Clock {
        pending: Pending,
        start: Instant,
    }

    impl Clock {
        fn new() -> Self {
            Self {
                pending: Pending::new(STILL, PATIENCE),
                start: Instant::now(),
            }
        }

        fn at(&self, seconds: f64) -> Instant {
            self.start + Duration::from_secs_f64(seconds)
        }

        fn add(&mut self, seconds: f64, path: &str, stamp: Stamp) {
            let now = self.at(seconds);
            self.pending.add(path.into(), stamp, now);
        }

        /// What is settled, as text.
        fn settle(&mut self, seconds: f64, stamp: impl FnMut(&Path) -> Stamp) -> Vec<String> {
            let now = self.at(seconds);
            let settled = self.pending.settle(now, stamp).into_iter();
            settled
                .map(|path| path.to_string_lossy().into_owned())
                .collect()
        }
    }

    const NONE: [&str; 0] = [];

    #[test]
    fn a_burst_is_settled_after_its_last_file() {
        let mut clock = Clock::new();
        assert_eq!(clock.settle(0.0, |_| of_size(1)), NONE);
        for number in 0..100 {
            let seconds = f64::from(number) / 10.0;
            clock.add(seconds, &format!("{number:02}.jpg"), of_size(1));
            assert_eq!(clock.settle(seconds, |_| of_size(1)), NONE);
        }
        assert_eq!(clock.settle(11.8, |_| of_size(1)), NONE);
        assert_eq!(clock.settle(12.0, |_| of_size(1)).len(), 100);
        assert_eq!(clock.settle(99.0, |_| of_size(1)), NONE);
        assert!(clock.pending.unsettled().is_empty());
    }

    #[test]
    fn a_file_that_grows_without_events_is_waited_for() {
        let mut clock = Clock::new();
        clock.add(0.0, "a.jpg", of_size(1));
        assert_eq!(clock.settle(2.0, |_| of_size(2)), NONE);
        assert_eq!(clock.settle(3.9, |_| of_size(2)), NONE);
        assert_eq!(clock.settle(4.0, |_| of_size(2)), ["a.jpg"]);
    }

    #[test]
    fn a_file_that_never_stands_still_does_not_hold_up_the_others() {
        let mut clock = Clock::new();
        clock.add(0.0, "still.jpg", of_size(1));
        let mut size = 0;
        for second in 0..20 {
            size += 1;
            clock.add(f64::from(second), "growing.tif", of_size(size));
            let settled = clock.settle(f64::from(second) + 0.5, |_| of_size(1));
            assert_eq!(settled, NONE);
        }
        assert_eq!(clock.settle(20.0, |_| of_size(1)), ["still.jpg"]);
        let unsettled = HashSet::from([PathBuf::from("growing.tif")]);
        assert_eq!(clock.pending.unsettled(), unsettled);
        // Alone, it is waited for however long that takes.
        for second in 21..90 {
            size += 1;
            clock.add(f64::from(second), "growing.tif", of_size(size));
            let settled = clock.settle(f64::from(second) + 0.5, |_| of_size(1));
            assert_eq!(settled, NONE);
        }
        assert_eq!(clock.settle(91.1, |_| of_size(size)), ["growing.tif"]);
    }

    #[test]
    fn a_file_that_is_missing_stands_still() {
        let mut clock = Clock::new();
        clock.add(0.0, "a.jpg", of_size(1));
        clock.add(1.0, "a.jpg", None);
        assert_eq!(clock.settle(3.0, |_| None), ["a.jpg"]);
    }
}
