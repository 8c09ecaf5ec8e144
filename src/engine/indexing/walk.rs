//! Finds the pictures of a library folder and the sidecars beside them.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ignore::WalkBuilder;
use sightline_index::{ChangeStamp, FileRecord, ItemId};
use sightline_picture::is_picture;

use super::sidecars::SidecarKind;
use crate::engine::decode::extension;
use crate::engine::report::Skipped;

/// Name of the file with `.gitignore`-style rules for Sightline alone, beside `.ignore` files.
pub(crate) const IGNORE_FILE: &str = ".sightlineignore";

/// Folders that are never walked: they hold thumbnails, caches or code.
const SKIPPED_FOLDERS: [&str; 5] = [
    "@eaDir",
    "node_modules",
    "System Volume Information",
    "$RECYCLE.BIN",
    "__MACOSX",
];

/// A file whose name is that of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Absolute, links resolved up to the library folder.
    pub(crate) path: PathBuf,
    pub(crate) n_bytes: u64,
    /// Nanoseconds since 1970, negative before.
    pub(crate) modified_ns: i128,
    /// None where the system has no such thing.
    pub(crate) change: Option<ChangeStamp>,
}

/// Up to this many false alarms in a row, each is a reason to read the file; later ones at growing
/// intervals. Some file systems make up a `ctime` at every mount, and some programs change it every
/// night.
const MAX_FALSE_ALARMS: u8 = 3;

/// The longest interval between two readings, in alarms.
const LONGEST_INTERVAL: u8 = 128;

/// The number of the false alarm after `n_before` others, counted on from the longest interval
/// when there are more than fit.
fn next_alarm(n_before: u8) -> u8 {
    n_before.checked_add(1).unwrap_or(LONGEST_INTERVAL)
}

/// Whether an alarm is a reason to read: the 1st to 4th, 8th, 16th and so on.
fn is_heeded(alarm: u8) -> bool {
    alarm <= MAX_FALSE_ALARMS || alarm.is_power_of_two()
}

impl Candidate {
    /// Whether size and times are those that the index has, or only the `ctime` differs and is
    /// ignored this time. A record without a `ctime` does not disagree with any.
    pub(crate) fn is_unchanged(&self, record: &FileRecord) -> bool {
        self.has_size_and_time_of(record)
            && match (self.change, record.change) {
                (Some(now), Some(before)) => {
                    now.changed_ns == before.changed_ns
                        || !is_heeded(next_alarm(before.n_false_alarms))
                }
                _ => true,
            }
    }

    fn has_size_and_time_of(&self, record: &FileRecord) -> bool {
        record.n_bytes == self.n_bytes && record.modified_ns == self.modified_ns
    }

    /// Counts a false alarm if only the `ctime` differs from that of the record. Whether it was one
    /// is known when the content turns out to be the same.
    pub(crate) fn suspected(&self, record: &FileRecord) -> Self {
        let mut suspected = self.clone();
        if let (Some(now), Some(before)) = (&mut suspected.change, record.change)
            && self.has_size_and_time_of(record)
            && now.changed_ns != before.changed_ns
        {
            now.n_false_alarms = next_alarm(before.n_false_alarms);
        }
        suspected
    }

    /// The file once its content is known: the count of false alarms starts again when the content
    /// has changed.
    pub(crate) fn confirmed(&self, is_same: bool) -> Self {
        let mut confirmed = self.clone();
        if let Some(change) = confirmed.change.as_mut().filter(|_| !is_same) {
            change.n_false_alarms = 0;
        }
        confirmed
    }

    /// What the index records of the file once its content is known to be that of `image`.
    pub(crate) fn record(&self, image: ItemId) -> FileRecord {
        FileRecord {
            n_bytes: self.n_bytes,
            modified_ns: self.modified_ns,
            image,
            change: self.change,
        }
    }

    /// The record of an unchanged file, if the index lacks something that this run knows. A `ctime`
    /// that was ignored counts again in the next run, so that the file is read some day.
    pub(crate) fn completed(&self, record: &FileRecord) -> Option<FileRecord> {
        let now = self.change?;
        let change = record.change.map_or(now, |before| ChangeStamp {
            n_false_alarms: if now.changed_ns == before.changed_ns {
                before.n_false_alarms
            } else {
                next_alarm(before.n_false_alarms)
            },
            is_mounted: now.is_mounted,
            ..before
        });
        (record.change != Some(change)).then_some(FileRecord {
            change: Some(change),
            ..self.record(record.image)
        })
    }
}

/// A library folder, what a walk over it found, and what the index had of it before.
pub(crate) struct Visit {
    pub(crate) folder: PathBuf,
    pub(crate) walk: Walk,
    /// The files that the index holds from this folder.
    pub(crate) known: Vec<(PathBuf, FileRecord)>,
}

impl Visit {
    /// The files that the walk found, each with what the index has of it.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&Candidate, Option<&FileRecord>)> {
        let known: HashMap<&Path, &FileRecord> = self
            .known
            .iter()
            .map(|(path, record)| (path.as_path(), record))
            .collect();
        let files = self.walk.candidates.iter();
        files.map(move |candidate| (candidate, known.get(candidate.path.as_path()).copied()))
    }

    /// The files whose size and time have not changed.
    pub(crate) fn unchanged(&self) -> impl Iterator<Item = (&Candidate, &FileRecord)> {
        self.files().filter_map(|(candidate, record)| {
            let record = record.filter(|record| candidate.is_unchanged(record))?;
            Some((candidate, record))
        })
    }
}

/// What a walk over a library folder found.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Sorted by path.
    pub(crate) candidates: Vec<Candidate>,
    /// Files that may be sidecars of pictures.
    pub(crate) sidecars: HashSet<PathBuf>,
    /// Folders, pipes and the like whose names are those of sidecars.
    pub(crate) odd_sidecars: Vec<PathBuf>,
    /// Files and folders that could not be read. What the index holds below them stays.
    pub(crate) unreadable: Vec<Skipped>,
    /// Files that are left for a later run. What the index holds of them stays.
    being_written: HashSet<PathBuf>,
}

/// Walks `folder` (absolute). Skips hidden files, [`SKIPPED_FOLDERS`] and what `.ignore` or
/// [`IGNORE_FILE`] exclude. Follows links; reports those that lead back up as unreadable.
pub(crate) fn walk(folder: &Path) -> Walk {
    walk_part(folder, &mut Disks::new(folder))
}

/// Walks a library folder and those in it that are library folders, too: what is in these belongs
/// to the library, whatever the rules of the folder above them leave out.
pub(crate) fn walk_library(folder: &Path, inner: &[PathBuf]) -> Walk {
    let mut disks = Disks::new(folder);
    let mut found = walk_part(folder, &mut disks);
    for inner in inner.iter().filter(|inner| inner.is_dir()) {
        found.join(walk_part(inner, &mut disks));
    }
    found
}

/// Walks a part of the library that `disks` is for.
fn walk_part(folder: &Path, disks: &mut Disks) -> Walk {
    let mut found = Walk::default();
    let walker = WalkBuilder::new(folder)
        .hidden(true)
        .parents(false)
        .git_ignore(false)
        .git_global(false)
        .git_exclude(false)
        .follow_links(true)
        .add_custom_ignore_filename(IGNORE_FILE)
        .filter_entry(|entry| {
            !SKIPPED_FOLDERS
                .iter()
                .any(|junk| entry.file_name() == OsStr::new(junk))
        })
        .build();
    for entry in walker {
        match entry {
            Ok(entry) => {
                if entry.file_type().is_some_and(|kind| kind.is_file()) {
                    found.add(folder, entry, disks);
                } else if entry.depth() > 0 && SidecarKind::of(entry.path()).is_some() {
                    found.odd_sidecars.push(entry.into_path());
                }
            }
            Err(error) => found.unreadable.push(unreadable(folder, &error)),
        }
    }
    found.candidates.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Whether a walk over `library` could find `path`, or would find something else because of what
/// happened to it. Missing paths may have been folders.
pub(crate) fn concerns(library: &Path, path: &Path) -> bool {
    let Ok(below) = path.strip_prefix(library) else {
        return false;
    };
    let is_ignore_file = |name: &OsStr| name == IGNORE_FILE || name == ".ignore";
    let mut names = below.iter().peekable();
    while let Some(name) = names.next() {
        if names.peek().is_none() && is_ignore_file(name) {
            return true;
        }
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        if is_hidden || SKIPPED_FOLDERS.iter().any(|junk| name == *junk) {
            return false;
        }
    }
    is_picture(&extension(path)) || SidecarKind::of(path).is_some() || !path.is_file()
}

impl Walk {
    fn add(&mut self, folder: &Path, entry: ignore::DirEntry, disks: &mut Disks) {
        if SidecarKind::of(entry.path()).is_some() {
            self.sidecars.insert(entry.into_path());
        } else if is_picture(&extension(entry.path())) {
            match entry.metadata() {
                Ok(metadata) => {
                    let modified_ns = metadata.modified().map_or(0, nanoseconds_since_1970);
                    self.candidates.push(Candidate {
                        n_bytes: metadata.len(),
                        modified_ns,
                        change: change(&metadata, disks.is_mounted(entry.path())),
                        path: entry.into_path(),
                    });
                }
                Err(error) => self.unreadable.push(Skipped {
                    path: entry.into_path(),
                    ..unreadable(folder, &error)
                }),
            }
        }
    }

    /// Adds what another walk found and this one did not.
    fn join(&mut self, other: Self) {
        fn add<T: PartialEq>(to: &mut Vec<T>, from: Vec<T>) {
            for one in from {
                if !to.contains(&one) {
                    to.push(one);
                }
            }
        }
        self.candidates.extend(other.candidates);
        // Stable: of the same file, what this walk found comes first.
        self.candidates.sort_by(|a, b| a.path.cmp(&b.path));
        self.candidates.dedup_by(|a, b| a.path == b.path);
        self.sidecars.extend(other.sidecars);
        add(&mut self.odd_sidecars, other.odd_sidecars);
        add(&mut self.unreadable, other.unreadable);
    }

    /// Leaves these files for a later run.
    pub(crate) fn without(mut self, being_written: &HashSet<PathBuf>) -> Self {
        if !being_written.is_empty() {
            let is_finished = |path: &PathBuf| !being_written.contains(path);
            self.candidates
                .retain(|candidate| is_finished(&candidate.path));
            self.sidecars.retain(is_finished);
            self.being_written.clone_from(being_written);
        }
        self
    }

    /// Whether `path` is left for a later run, or could not be read, or is below something that
    /// could not.
    pub(crate) fn hides(&self, path: &Path) -> bool {
        let is_below = |skipped: &Skipped| path.starts_with(&skipped.path);
        self.being_written.contains(path) || self.unreadable.iter().any(is_below)
    }
}

/// Tells which folders are on another disk than the library folder. Those of the files themselves
/// are not comparable: on an overlay, they may be those of its layers.
struct Disks {
    of_library: Option<u64>,
    /// The folder that was asked for last, and whether it is on another disk.
    last: (PathBuf, bool),
}

impl Disks {
    fn new(library: &Path) -> Self {
        Self {
            of_library: disk_of(library),
            last: (library.to_path_buf(), false),
        }
    }

    /// Whether a file is in a folder on another disk.
    fn is_mounted(&mut self, file: &Path) -> bool {
        if let Some(folder) = file.parent()
            && folder != self.last.0
        {
            self.last = (folder.to_path_buf(), disk_of(folder) != self.of_library);
        }
        self.last.1
    }
}

/// The disk of a folder; none if it cannot be read.
pub(crate) fn disk_of(folder: &Path) -> Option<u64> {
    fs_err::metadata(folder).ok().as_ref().and_then(disk)
}

/// The number of the disk that something is on, as long as it is mounted.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no such thing")]
fn disk(metadata: &Metadata) -> Option<u64> {
    Some(std::os::unix::fs::MetadataExt::dev(metadata))
}

#[cfg(not(unix))]
fn disk(_: &Metadata) -> Option<u64> {
    None
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no such thing")]
fn change(metadata: &Metadata, is_mounted: bool) -> Option<ChangeStamp> {
    use std::os::unix::fs::MetadataExt as _;
    let seconds = metadata.ctime().saturating_mul(1_000_000_000);
    Some(ChangeStamp {
        changed_ns: seconds.saturating_add(metadata.ctime_nsec()),
        n_false_alarms: 0,
        is_mounted,
    })
}

#[cfg(not(unix))]
fn change(_: &Metadata, _: bool) -> Option<ChangeStamp> {
    None
}

/// Whether a file still has the size and the time of its record.
pub(crate) fn is_current(metadata: &Metadata, record: &FileRecord) -> bool {
    metadata.is_file()
        && metadata.len() == record.n_bytes
        && metadata.modified().map_or(0, nanoseconds_since_1970) == record.modified_ns
}

fn nanoseconds_since_1970(time: SystemTime) -> i128 {
    let signed = |nanoseconds: u128| i128::try_from(nanoseconds).unwrap_or(i128::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => signed(after.as_nanos()),
        Err(before) => -signed(before.duration().as_nanos()),
    }
}

/// Unwraps the nested errors of `ignore`: the innermost path and the cause alone.
fn unreadable(folder: &Path, error: &ignore::Error) -> Skipped {
    let mut path = folder.to_path_buf();
    let mut inner = error;
    loop {
        match inner {
            ignore::Error::WithPath { path: named, err } => {
                path.clone_from(named);
                inner = err;
            }
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
                inner = err;
            }
            ignore::Error::Loop { child, .. } => {
                let reason = "symbolic link to a folder above it".to_owned();
                return Skipped {
                    path: child.clone(),
                    reason,
                };
            }
            _ => break,
        }
    }
    let reason = match inner.io_error() {
        Some(io) if io.kind() == std::io::ErrorKind::PermissionDenied => {
            "permission denied".to_owned()
        }
        // The I/O errors of walkdir repeat the path; only the cause is wanted.
        Some(io) => io
            .get_ref()
            .map_or_else(|| io.to_string(), ToString::to_string),
        None => inner.to_string(),
    };
    Skipped { path, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_walk_could_find_concerns_a_library() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path();
        fs_err::create_dir(library.join("trip.2024")).unwrap();
        fs_err::write(library.join("film.mp4"), "").unwrap();
        let rows = [
            ("", true),
            ("a.jpg", true),
            ("2024/a.JPG", true),
            ("a.txt", true),
            ("a.jpg.xmp", true),
            ("a.jpg.json", true),
            (".sightlineignore", true),
            ("2024/.ignore", true),
            ("trip.2024", true),
            // May have been a folder.
            ("missing", true),
            ("film.mp4", false),
            (".a.jpg.Xq3F", false),
            (".cache/a.jpg", false),
            (".ignore/a.jpg", false),
            ("code/node_modules/a.png", false),
            ("@eaDir", false),
        ];
        for (below, expected) in rows {
            assert_eq!(concerns(library, &library.join(below)), expected, "{below}");
        }
        assert_eq!(rows.len(), 16);
        assert!(!concerns(&library.join("2024"), &library.join("a.jpg")));
    }

    #[test]
    fn false_alarms_are_heeded_at_growing_intervals_without_end() {
        let mut alarm = 0;
        let mut heeded = Vec::new();
        for number in 1..=600 {
            alarm = next_alarm(alarm);
            if is_heeded(alarm) {
                heeded.push(number);
            }
        }
        assert_eq!(heeded, [1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 384, 512]);
    }
}
