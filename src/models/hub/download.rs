//! How does a file come whole, however often the connection breaks?
//!
//! A file comes into `PATH.HASH.part`, named after what it shall be, so that what came of an older
//! version is never continued as the new one. Renamed to `PATH` it is whole and compared with its
//! hash.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err::{File, OpenOptions};
use sha1::Digest;

use super::PullProgress;
use super::choose::{Choice, RemoteFile};
use super::error::HubError;
use super::http::{Client, GetError, Opened, to_io};
use crate::atomic;

/// After so many tries that brought next to nothing it is given up.
const MOST_TRIES: u32 = 5;
/// A try that brought so much counts as success.
const ENOUGH: u64 = 1 << 20;
/// The pause after the first try; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const PIECE: usize = 1 << 16;

type Watch<'a> = &'a mut dyn FnMut(&PullProgress) -> ControlFlow<()>;

/// Downloads all files of a choice into a folder.
pub(super) fn all(
    client: &Client,
    choice: &Choice,
    folder: &Path,
    watch: Watch<'_>,
) -> Result<(), HubError> {
    let mut download = Download {
        client,
        choice,
        watch,
        told: PullProgress {
            n_done: 0,
            n_total: choice.n_bytes(),
        },
    };
    for file in &choice.files {
        download.file(file, folder)?;
    }
    sweep(folder, folder, &choice.files)
}

/// Deletes what is not of the model: parts of older versions, and files that it no longer has.
fn sweep(root: &Path, folder: &Path, files: &[RemoteFile]) -> Result<(), HubError> {
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sweep(root, &path, files)?;
            continue;
        }
        if !files.iter().any(|file| root.join(&file.path) == path) {
            fs_err::remove_file(&path)?;
        }
    }
    Ok(())
}

struct Download<'a> {
    client: &'a Client,
    choice: &'a Choice,
    watch: Watch<'a>,
    told: PullProgress,
}

impl Download<'_> {
    fn file(&mut self, file: &RemoteFile, folder: &Path) -> Result<(), HubError> {
        let target = folder.join(&file.path);
        if let Some(folder) = target.parent() {
            fs_err::create_dir_all(folder)?;
        }
        if self.is_there(file, &target)? {
            return Ok(());
        }
        let part = part_path(&target, file);
        let mut arriving = Arriving::open(&part, file)?;
        if arriving.n_bytes > file.n_bytes {
            arriving.restart()?;
        }
        self.told.n_done += arriving.n_bytes;
        let mut n_tries = 0;
        while arriving.n_bytes < file.n_bytes {
            let before = arriving.n_bytes;
            let error = match self.attempt(file, &mut arriving) {
                Ok(()) => break,
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Broken(error)) => error,
            };
            if arriving.n_bytes >= before + ENOUGH {
                n_tries = 0;
            }
            n_tries += 1;
            if n_tries >= MOST_TRIES {
                return Err(HubError::Broken {
                    file: file.path.clone(),
                    host: self.client.host(),
                    n_tries,
                    source: error,
                });
            }
            self.pause(FIRST_PAUSE * (1 << (n_tries - 1)))?;
        }
        let found = arriving.finish()?;
        if let Some((what, expected)) = file.hash()
            && found != expected
        {
            // Continued, it would never become right.
            fs_err::remove_file(&part)?;
            return Err(HubError::Different {
                file: file.path.clone(),
                what,
                found,
                expected: expected.to_owned(),
            });
        }
        Ok(atomic::rename(&part, &target)?)
    }

    /// Whether an earlier run brought the file.
    fn is_there(&mut self, file: &RemoteFile, target: &Path) -> Result<bool, HubError> {
        if !target.is_file() {
            return Ok(false);
        }
        let there = Arriving::open(target, file)?;
        let is_right = there.n_bytes == file.n_bytes
            && match file.hash() {
                Some((_, expected)) => there.finish()? == expected,
                None => true,
            };
        if is_right {
            self.told.n_done += file.n_bytes;
            self.look()?;
        }
        Ok(is_right)
    }

    /// Asks for what is missing and takes what comes.
    fn attempt(&mut self, file: &RemoteFile, arriving: &mut Arriving) -> Result<(), Attempt> {
        let Choice {
            repository, commit, ..
        } = self.choice;
        let opened = self
            .client
            .open(repository, commit, &file.path, arriving.n_bytes)
            .map_err(|error| match error {
                GetError::Network(error) => Attempt::Broken(to_io(error)),
                GetError::Hub(error) => Attempt::Final(error),
            })?;
        let mut body = match opened {
            Opened::Rest(body) => body,
            Opened::All(body) => {
                self.told.n_done -= arriving.n_bytes;
                arriving.restart()?;
                body
            }
            Opened::NothingThere => {
                self.told.n_done -= arriving.n_bytes;
                arriving.restart()?;
                let error = io::Error::other("the server has less of this file than it says");
                return Err(Attempt::Broken(error));
            }
        };
        let mut piece = vec![0; PIECE];
        while arriving.n_bytes < file.n_bytes {
            let n = body.read(&mut piece).map_err(Attempt::Broken)?;
            if n == 0 {
                return Err(Attempt::Broken(io::ErrorKind::UnexpectedEof.into()));
            }
            // More than was promised shows in the hash, or is never read.
            let n = n.min(usize::try_from(file.n_bytes - arriving.n_bytes).unwrap_or(n));
            arriving.take(&piece[..n])?;
            self.told.n_done += n as u64;
            self.look()?;
        }
        Ok(())
    }

    fn pause(&mut self, length: Duration) -> Result<(), HubError> {
        const STEP: Duration = Duration::from_millis(50);
        let mut rest = length;
        while !rest.is_zero() {
            let step = rest.min(STEP);
            std::thread::sleep(step);
            rest -= step;
            self.look()?;
        }
        Ok(())
    }

    fn look(&mut self) -> Result<(), HubError> {
        match (self.watch)(&self.told) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(HubError::Stopped),
        }
    }
}

/// How one try ended.
enum Attempt {
    Broken(io::Error),
    Final(HubError),
}

impl From<HubError> for Attempt {
    fn from(error: HubError) -> Self {
        Self::Final(error)
    }
}

impl From<io::Error> for Attempt {
    /// Errors of the disk, unlike those of the network.
    fn from(error: io::Error) -> Self {
        Self::Final(error.into())
    }
}

impl RemoteFile {
    /// What the file is compared by, and what it must be.
    fn hash(&self) -> Option<(&'static str, &str)> {
        match (&self.sha256, &self.git_sha1) {
            (Some(hash), _) => Some(("SHA-256", hash)),
            (None, Some(hash)) => Some(("git SHA-1", hash)),
            (None, None) => None,
        }
    }
}

fn part_path(target: &Path, file: &RemoteFile) -> PathBuf {
    let hash = file.hash().map_or("", |(_, hash)| hash);
    let start: String = hash
        .chars()
        .take(12)
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let mut name = target.as_os_str().to_owned();
    name.push(format!(".{start}.part"));
    name.into()
}

/// A file that is coming, and the hash of what came.
struct Arriving {
    file: File,
    hasher: Hasher,
    n_bytes: u64,
    /// Size in the end, which git's hashes begin with.
    n_expected: u64,
    is_git: bool,
}

enum Hasher {
    Sha256(sha2::Sha256),
    Sha1(sha1::Sha1),
}

impl Hasher {
    /// Git hashes a file as the object it keeps of it: `blob SIZE`, a zero byte, the content.
    fn new(is_git: bool, n_bytes: u64) -> Self {
        if is_git {
            let mut hasher = sha1::Sha1::new();
            hasher.update(format!("blob {n_bytes}\0"));
            Self::Sha1(hasher)
        } else {
            Self::Sha256(sha2::Sha256::new())
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha1(hasher) => hasher.update(bytes),
        }
    }

    fn digits(self) -> String {
        let hash = match self {
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
            Self::Sha1(hasher) => hasher.finalize().to_vec(),
        };
        let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
        hash.iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
            .collect()
    }
}

impl Arriving {
    /// Opens what came so far, which may be nothing, and hashes it.
    fn open(path: &Path, expected: &RemoteFile) -> Result<Self, HubError> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        let is_git = expected.sha256.is_none() && expected.git_sha1.is_some();
        let mut arriving = Self {
            file,
            hasher: Hasher::new(is_git, expected.n_bytes),
            n_bytes: 0,
            n_expected: expected.n_bytes,
            is_git,
        };
        let mut piece = vec![0; PIECE];
        loop {
            let n = arriving.file.read(&mut piece)?;
            if n == 0 {
                return Ok(arriving);
            }
            arriving.hasher.update(&piece[..n]);
            arriving.n_bytes += n as u64;
        }
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.n_bytes += bytes.len() as u64;
        Ok(())
    }

    fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.hasher = Hasher::new(self.is_git, self.n_expected);
        self.n_bytes = 0;
        Ok(())
    }

    /// The hash, once everything is on the disk.
    fn finish(self) -> io::Result<String> {
        self.file.sync_all()?;
        Ok(self.hasher.digits())
    }
}
