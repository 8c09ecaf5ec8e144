//! Locks between processes, released by the operating system when the process ends.
//!
//! On a file system without locks every lock is granted.

use std::fs::TryLockError;
use std::io;
use std::path::Path;

/// Waits for a lock on a file, which is created if missing. It is held until the result is dropped.
pub(super) fn lock(path: &Path) -> io::Result<fs_err::File> {
    let file = open(path)?;
    match file.lock() {
        Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(error),
        _ => Ok(file),
    }
}

/// As [`lock`], but `None` if another process holds it.
pub(super) fn try_lock(path: &Path) -> io::Result<Option<fs_err::File>> {
    let file = open(path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::Unsupported => Err(error),
        _ => Ok(Some(file)),
    }
}

fn open(path: &Path) -> io::Result<fs_err::File> {
    fs_err::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}
