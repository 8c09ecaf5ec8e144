//! Which files of a folder are pictures to try, and which texts lie beside them?

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ignore::WalkBuilder;
use sightline_picture::is_picture;

use crate::engine::decode::extension;
use crate::engine::report::Skipped;

/// A file with `.gitignore`-style rules for Sightline alone; `.ignore` files count too.
pub const IGNORE_FILE: &str = ".sightlineignore";

/// Folders that hold thumbnails, caches or code, never a person's photos.
pub const SKIPPED_FOLDERS: [&str; 5] = [
    "@eaDir",
    "node_modules",
    "System Volume Information",
    "$RECYCLE.BIN",
    "__MACOSX",
];

/// A file that may be a picture, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Absolute, links resolved up to the library folder.
    pub(crate) path: PathBuf,
    pub(crate) n_bytes: u64,
    /// Nanoseconds since 1970, negative before.
    pub(crate) modified_ns: i128,
}

/// What one walk over a library folder saw.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Sorted by path.
    pub(crate) candidates: Vec<Candidate>,
    /// Texts that may be sidecars of pictures.
    pub(crate) texts: HashSet<PathBuf>,
    /// Files and folders that could not be looked at. What the index holds below them stays.
    pub(crate) unreadable: Vec<Skipped>,
}

/// Walks `folder` (absolute). Hidden files, junk folders and what `.ignore` or
/// [`IGNORE_FILE`] exclude are left out; links are followed, loops are noticed.
pub(crate) fn walk(folder: &Path) -> Walk {
    let mut seen = Walk::default();
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
                .any(|junk| entry.file_name() == std::ffi::OsStr::new(junk))
        })
        .build();
    for entry in walker {
        match entry {
            Ok(entry) => {
                if entry.file_type().is_some_and(|kind| kind.is_file()) {
                    seen.note(entry);
                }
            }
            Err(error) => seen.unreadable.push(unreadable(folder, &error)),
        }
    }
    seen.candidates.sort_by(|a, b| a.path.cmp(&b.path));
    seen
}

impl Walk {
    fn note(&mut self, entry: ignore::DirEntry) {
        let extension = extension(entry.path());
        if extension == "txt" {
            self.texts.insert(entry.into_path());
        } else if is_picture(&extension) {
            match entry.metadata() {
                Ok(metadata) => {
                    let modified_ns = metadata.modified().map_or(0, nanoseconds_since_1970);
                    self.candidates.push(Candidate {
                        n_bytes: metadata.len(),
                        modified_ns,
                        path: entry.into_path(),
                    });
                }
                Err(error) => {
                    let reason = error.to_string();
                    self.unreadable.push(Skipped {
                        path: entry.into_path(),
                        reason,
                    });
                }
            }
        }
    }

    /// True when `path` lies at or below something that could not be looked at.
    pub(crate) fn hides(&self, path: &Path) -> bool {
        self.unreadable
            .iter()
            .any(|skipped| path.starts_with(&skipped.path))
    }
}

fn nanoseconds_since_1970(time: SystemTime) -> i128 {
    let signed = |nanoseconds: u128| i128::try_from(nanoseconds).unwrap_or(i128::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => signed(after.as_nanos()),
        Err(before) => -signed(before.duration().as_nanos()),
    }
}

/// `ignore` nests its errors; the path is the innermost named one, the reason the plain cause.
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
                let reason = "a link that leads back to a folder above it".to_owned();
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
            "no permission to read it".to_owned()
        }
        // walkdir puts the path into its own I/O errors; the cause alone is wanted here.
        Some(io) => io
            .get_ref()
            .map_or_else(|| io.to_string(), ToString::to_string),
        None => inner.to_string(),
    };
    Skipped { path, reason }
}
