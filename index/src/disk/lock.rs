//! Single-writer lock, released by the OS when the process exits.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::layout::Layout;
use crate::error::IndexError;

/// The exclusive right to write, released with its last clone. The operating system also releases
/// it when the process exits. The process id in the file is for messages, and remains after an
/// unclean end, until the files that it may have harmed are [verified](Self::verified).
#[derive(Debug, Clone)]
pub(crate) struct WriteLock(Arc<Held>);

#[derive(Debug)]
struct Held {
    file: File,
    is_after_crash: bool,
    is_verified: AtomicBool,
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.is_after_crash || self.is_verified.load(Ordering::Relaxed) {
            // If this fails, the next writer checks more than it needs to.
            let _ = self.file.set_len(0);
        }
    }
}

impl WriteLock {
    /// Takes the lock and writes the id of this process to the file.
    ///
    /// # Errors
    /// When another writer holds it, or the file cannot be written.
    pub(crate) fn take(layout: &Layout) -> Result<Self, IndexError> {
        let path = layout.lock();
        let writing = |source| IndexError::writing(layout.dir(), &path, source);
        let mut file = open_or_create(&path).map_err(writing)?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => {
                    return Err(IndexError::NoLock {
                        dir: layout.dir().to_owned(),
                        source,
                    });
                }
            }
            let pid = holder(&mut file);
            let may_be_own = pid.is_none_or(|pid| pid == std::process::id());
            if !may_be_own || start.elapsed() > OWN_PATIENCE {
                return Err(IndexError::Locked {
                    dir: layout.dir().to_owned(),
                    pid,
                });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let is_after_crash = holder(&mut file).is_some();
        let note = |file: &mut File| -> io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        note(&mut file).map_err(writing)?;
        Ok(Self(Arc::new(Held {
            file,
            is_after_crash,
            is_verified: AtomicBool::new(false),
        })))
    }

    /// Whether the last writer ended without releasing the lock: killed, or by a crash of the
    /// system, after which files that were written long ago are verified, too.
    pub(crate) fn is_after_crash(&self) -> bool {
        self.0.is_after_crash
    }

    /// Notes that all files were verified. Otherwise the next writer does it, if the last end was
    /// unclean.
    pub(crate) fn verified(&self) {
        self.0.is_verified.store(true, Ordering::Relaxed);
    }
}

/// How long to wait for a lock that this process itself or nobody seems to hold. A child process
/// has a copy of every open file between fork and exec, and keeps a lock for that moment that its
/// parent has released.
const OWN_PATIENCE: Duration = Duration::from_millis(500);

fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path)
}

/// The process that last took the lock, as recorded in its file.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_refused_with_the_pid_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let first = WriteLock::take(&layout).unwrap();
        let mut file = File::open(layout.lock()).unwrap();
        assert_eq!(holder(&mut file), Some(std::process::id()));
        match WriteLock::take(&layout) {
            Err(IndexError::Locked { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
            other => panic!("{other:?}"),
        }
        drop(first);
        WriteLock::take(&layout).unwrap();
    }

    #[test]
    fn only_an_unclean_end_leaves_a_process_id() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        assert!(!WriteLock::take(&layout).unwrap().is_after_crash());
        assert!(!WriteLock::take(&layout).unwrap().is_after_crash());
        fs_err::write(layout.lock(), "77\n").unwrap();
        for _ in 0..2 {
            assert!(WriteLock::take(&layout).unwrap().is_after_crash());
        }
        let lock = WriteLock::take(&layout).unwrap();
        lock.verified();
        let other = lock.clone();
        drop(lock);
        assert!(WriteLock::take(&layout).is_err(), "a clone holds it");
        drop(other);
        assert!(!WriteLock::take(&layout).unwrap().is_after_crash());
    }

    #[test]
    fn a_released_lock_that_a_child_still_holds_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        drop(WriteLock::take(&layout).unwrap());
        let child = File::open(layout.lock()).unwrap();
        child.try_lock().unwrap();
        let release = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            drop(child);
        });
        WriteLock::take(&layout).unwrap();
        release.join().unwrap();
    }
}
