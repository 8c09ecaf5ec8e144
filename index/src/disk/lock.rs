//! Single-writer lock, released by the OS when the process exits, and the gate between readers and
//! the writer.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::layout::Layout;
use crate::error::IndexError;

/// The exclusive right to write. The operating system releases it when the process exits. The
/// process id in the file is only for messages.
#[derive(Debug)]
pub(crate) struct WriteLock {
    _file: File,
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
                Err(TryLockError::Error(source)) => return Err(IndexError::Io { path, source }),
            }
            let pid = holder(&mut file);
            if pid != Some(std::process::id()) || start.elapsed() > OWN_PATIENCE {
                return Err(IndexError::Locked {
                    dir: layout.dir().to_owned(),
                    pid,
                });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let note = |file: &mut File| -> io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        note(&mut file).map_err(writing)?;
        Ok(Self { _file: file })
    }
}

/// How long to wait for a lock that this process itself seems to hold. A child process has a copy
/// of every open file between fork and exec, and keeps a lock for that moment that its parent has
/// released.
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

/// Held shared by readers while they open the records, and exclusively by the writer while it moves
/// records between files. Without it a reader could read the list of files before such a move and
/// the log after it, and miss the records in between. On file systems without locks both go on
/// without it.
#[derive(Debug)]
pub(crate) struct Gate {
    _file: Option<File>,
}

/// How long to wait for the gate. Moving the records takes well under a second.
const PATIENCE: Duration = Duration::from_secs(20);

impl Gate {
    /// Takes the gate for a reader. Works on a read-only folder.
    ///
    /// # Errors
    /// When a writer keeps it closed for too long, or the file cannot be read.
    pub(crate) fn pass(layout: &Layout) -> Result<Self, IndexError> {
        let path = layout.gate();
        match File::open(&path) {
            Ok(file) => Self::wait(layout, file, File::try_lock_shared),
            // A copy of an index may lack the file; then nobody writes to it either.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { _file: None }),
            Err(source) => Err(IndexError::Io { path, source }),
        }
    }

    /// Takes the gate for the writer. Creates the file if it is missing.
    ///
    /// # Errors
    /// When readers keep it for too long, or the file cannot be written.
    pub(crate) fn close(layout: &Layout) -> Result<Self, IndexError> {
        let path = layout.gate();
        let file = open_or_create(&path);
        let file = file.map_err(|source| IndexError::writing(layout.dir(), &path, source))?;
        Self::wait(layout, file, File::try_lock)
    }

    fn wait(
        layout: &Layout,
        file: File,
        attempt: fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Self, IndexError> {
        let path = layout.gate();
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            match attempt(&file) {
                Ok(()) => return Ok(Self { _file: Some(file) }),
                Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(50));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(IndexError::Busy {
                        dir: layout.dir().to_owned(),
                    });
                }
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    return Ok(Self { _file: None });
                }
                Err(TryLockError::Error(source)) => return Err(IndexError::Io { path, source }),
            }
        }
    }
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
    fn readers_share_the_gate_and_the_writer_has_it_alone() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        drop(Gate::pass(&layout).unwrap());
        assert!(!layout.gate().exists(), "a reader creates no file");
        drop(Gate::close(&layout).unwrap());
        let readers = (Gate::pass(&layout).unwrap(), Gate::pass(&layout).unwrap());
        let file = File::open(layout.gate()).unwrap();
        assert!(matches!(file.try_lock(), Err(TryLockError::WouldBlock)));
        drop(readers);
        let closed = Gate::close(&layout).unwrap();
        assert!(matches!(
            file.try_lock_shared(),
            Err(TryLockError::WouldBlock)
        ));
        drop(closed);
        file.try_lock_shared().unwrap();
    }
}
