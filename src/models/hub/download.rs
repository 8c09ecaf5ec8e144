//! Downloads files, resuming after broken connections.
//!
//! A file is downloaded to `PATH.HASH.part`, whose name holds the start of the expected hash, so
//! that the part of an older version is never resumed as the new one. It is renamed to `PATH` when
//! it is complete and its hash matches. A file in the shared cache of Hugging Face's own libraries
//! is copied from there instead, if its hash matches.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err::{File, OpenOptions};
use sha1::Digest;

use super::choose::{Choice, RemoteFile};
use super::error::HubError;
use super::http::{Client, FileBody, GetError, to_io};
use crate::atomic;

/// Attempts in a row without progress before a download fails.
const MAX_TRIES: u32 = 5;
/// Bytes by which an attempt counts as progress.
const PROGRESS_BYTES: u64 = 1 << 20;
/// Pause after the first failed attempt; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const CHUNK: usize = 1 << 16;

/// Progress of a download or a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteProgress {
    /// Bytes present, those of earlier runs included.
    pub n_done: u64,
    /// Bytes of all files.
    pub n_total: u64,
}

/// Result of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullReport {
    /// Files copied from the shared cache.
    pub n_from_cache: usize,
}

type OnBytes<'a> = &'a mut dyn FnMut(&ByteProgress) -> ControlFlow<()>;

/// Downloads all files of a choice into a folder.
pub(super) fn all(
    client: &Client,
    cache: Option<&Path>,
    choice: &Choice,
    folder: &Path,
    on_progress: OnBytes<'_>,
) -> Result<PullReport, HubError> {
    let report = some(client, cache, choice, folder, on_progress)?;
    sweep(folder, folder, &choice.files)?;
    Ok(report)
}

/// The same for a choice of some files, which leaves others in the folder alone.
pub(super) fn some(
    client: &Client,
    cache: Option<&Path>,
    choice: &Choice,
    folder: &Path,
    on_progress: OnBytes<'_>,
) -> Result<PullReport, HubError> {
    let mut download = Download {
        client,
        cache,
        choice,
        on_progress,
        report: PullReport { n_from_cache: 0 },
        progress: ByteProgress {
            n_done: 0,
            n_total: choice.n_bytes(),
        },
    };
    for file in &choice.files {
        download.file(file, folder)?;
    }
    Ok(download.report)
}

/// Deletes files that are not in the listing: parts of older versions, and files removed since.
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
    /// The shared cache.
    cache: Option<&'a Path>,
    choice: &'a Choice,
    on_progress: OnBytes<'a>,
    report: PullReport,
    progress: ByteProgress,
}

impl Download<'_> {
    fn file(&mut self, file: &RemoteFile, folder: &Path) -> Result<(), HubError> {
        let target = folder.join(&file.path);
        if let Some(folder) = target.parent() {
            fs_err::create_dir_all(folder)?;
        }
        if self.is_present(file, &target)? {
            return Ok(());
        }
        let part = part_path(&target, file);
        let mut partial = PartialFile::open(&part, file)?;
        if self.copy_cached(file, &mut partial)? {
            self.report.n_from_cache += 1;
        } else {
            self.fetch(file, &mut partial)?;
        }
        let found = partial.finish()?;
        if let Some((what, expected)) = file.hash()
            && found != expected
        {
            // Resuming it would never give the right file.
            fs_err::remove_file(&part)?;
            return Err(HubError::HashMismatch {
                file: file.path.clone(),
                what,
                found,
                expected: expected.to_owned(),
            });
        }
        Ok(atomic::rename(&part, &target)?)
    }

    /// Copies a file from the shared cache. False if it is not there, or is not the right one.
    fn copy_cached(
        &mut self,
        file: &RemoteFile,
        partial: &mut PartialFile,
    ) -> Result<bool, HubError> {
        let Some((cache, (_, expected))) = self.cache.zip(file.hash()) else {
            return Ok(false);
        };
        let Some(mut cached) = open_cached(cache, &self.choice.repository, expected, file.n_bytes)
        else {
            return Ok(false);
        };
        partial.restart()?;
        let n_done_before = self.progress.n_done;
        let mut chunk = vec![0; CHUNK];
        // A file that cannot be read to its end is downloaded.
        while let Ok(n @ 1..) = cached.read(&mut chunk) {
            partial.append(&chunk[..n])?;
            self.progress.n_done += n as u64;
            self.tell_progress()?;
        }
        let is_right = partial.n_bytes == file.n_bytes && partial.hash() == expected;
        if !is_right {
            partial.restart()?;
            self.progress.n_done = n_done_before;
        }
        Ok(is_right)
    }

    /// Downloads what is missing of a file.
    fn fetch(&mut self, file: &RemoteFile, partial: &mut PartialFile) -> Result<(), HubError> {
        if partial.n_bytes > file.n_bytes {
            partial.restart()?;
        }
        self.progress.n_done += partial.n_bytes;
        let mut n_tries = 0;
        while partial.n_bytes < file.n_bytes {
            let before = partial.n_bytes;
            let error = match self.attempt(file, partial) {
                Ok(()) => break,
                Err(TryError::Final(error)) => return Err(error),
                Err(TryError::Broken(error)) => error,
            };
            if partial.n_bytes >= before + PROGRESS_BYTES {
                n_tries = 0;
            }
            n_tries += 1;
            if n_tries >= MAX_TRIES {
                return Err(HubError::Broken {
                    file: file.path.clone(),
                    host: self.client.host(),
                    n_tries,
                    source: error,
                });
            }
            self.pause(FIRST_PAUSE * (1 << (n_tries - 1)))?;
        }
        Ok(())
    }

    /// Whether an earlier run downloaded the file.
    fn is_present(&mut self, file: &RemoteFile, target: &Path) -> Result<bool, HubError> {
        if !target.is_file() {
            return Ok(false);
        }
        let present = PartialFile::open(target, file)?;
        let is_right = present.n_bytes == file.n_bytes
            && match file.hash() {
                Some((_, expected)) => present.finish()? == expected,
                None => true,
            };
        if is_right {
            self.progress.n_done += file.n_bytes;
            self.tell_progress()?;
        }
        Ok(is_right)
    }

    /// Requests the missing bytes and appends them.
    fn attempt(&mut self, file: &RemoteFile, partial: &mut PartialFile) -> Result<(), TryError> {
        let Choice {
            repository, commit, ..
        } = self.choice;
        let opened = self
            .client
            .open(repository, commit, &file.path, partial.n_bytes)
            .map_err(|error| match error {
                GetError::Network(error) => TryError::Broken(to_io(error)),
                GetError::Hub(error) => TryError::Final(error),
            })?;
        let mut body = match opened {
            FileBody::Rest(body) => body,
            FileBody::All(body) => {
                self.progress.n_done -= partial.n_bytes;
                partial.restart()?;
                body
            }
            FileBody::Nothing => {
                self.progress.n_done -= partial.n_bytes;
                partial.restart()?;
                let error = io::Error::other("the server has fewer bytes than it listed");
                return Err(TryError::Broken(error));
            }
        };
        let mut chunk = vec![0; CHUNK];
        while partial.n_bytes < file.n_bytes {
            let n = body.read(&mut chunk).map_err(TryError::Broken)?;
            if n == 0 {
                return Err(TryError::Broken(io::ErrorKind::UnexpectedEof.into()));
            }
            // Excess bytes are not read.
            let n = n.min(usize::try_from(file.n_bytes - partial.n_bytes).unwrap_or(n));
            partial.append(&chunk[..n])?;
            self.progress.n_done += n as u64;
            self.tell_progress()?;
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
            self.tell_progress()?;
        }
        Ok(())
    }

    fn tell_progress(&mut self) -> Result<(), HubError> {
        match (self.on_progress)(&self.progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(HubError::Stopped),
        }
    }
}

/// Why an attempt failed.
enum TryError {
    /// The connection broke; the next attempt resumes.
    Broken(io::Error),
    /// A retry would fail the same way.
    Final(HubError),
}

impl From<HubError> for TryError {
    fn from(error: HubError) -> Self {
        Self::Final(error)
    }
}

impl From<io::Error> for TryError {
    /// For errors of the disk; those of the network are [`TryError::Broken`].
    fn from(error: io::Error) -> Self {
        Self::Final(error.into())
    }
}

impl RemoteFile {
    /// The kind of hash that the hub knows for the file, and the hash.
    fn hash(&self) -> Option<(&'static str, &str)> {
        match (&self.sha256, &self.git_sha1) {
            (Some(hash), _) => Some(("SHA-256", hash)),
            (None, Some(hash)) => Some(("git SHA-1", hash)),
            (None, None) => None,
        }
    }
}

/// Opens the file with this hash and size in the shared cache, where a blob is named after the
/// SHA-256 that the hub knows for it, or after the SHA-1 of its git blob.
fn open_cached(cache: &Path, repository: &str, hash: &str, n_bytes: u64) -> Option<File> {
    if !hash.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let folder = format!("models--{}", repository.replace('/', "--"));
    let file = File::open(cache.join(folder).join("blobs").join(hash)).ok()?;
    let metadata = file.metadata().ok()?;
    (metadata.is_file() && metadata.len() == n_bytes).then_some(file)
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

/// A file being downloaded, and the hash of its bytes so far.
struct PartialFile {
    file: File,
    hasher: Hasher,
    n_bytes: u64,
    /// Final size, with which the input of git's hash starts.
    n_expected: u64,
    is_git: bool,
}

#[derive(Clone)]
enum Hasher {
    Sha256(sha2::Sha256),
    Sha1(sha1::Sha1),
}

impl Hasher {
    /// Git hashes a file as the object that it stores: `blob SIZE`, a zero byte, the content.
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

    fn hex(self) -> String {
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

impl PartialFile {
    /// Opens a file that may be partial or missing, and hashes it.
    fn open(path: &Path, expected: &RemoteFile) -> Result<Self, HubError> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        let is_git = expected.sha256.is_none() && expected.git_sha1.is_some();
        let mut partial = Self {
            file,
            hasher: Hasher::new(is_git, expected.n_bytes),
            n_bytes: 0,
            n_expected: expected.n_bytes,
            is_git,
        };
        let mut chunk = vec![0; CHUNK];
        loop {
            let n = partial.file.read(&mut chunk)?;
            if n == 0 {
                return Ok(partial);
            }
            partial.hasher.update(&chunk[..n]);
            partial.n_bytes += n as u64;
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
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

    /// The hash of the bytes so far, in hexadecimal.
    fn hash(&self) -> String {
        self.hasher.clone().hex()
    }

    /// Syncs the file and returns its hash in hexadecimal.
    fn finish(self) -> io::Result<String> {
        self.file.sync_all()?;
        Ok(self.hasher.hex())
    }
}
