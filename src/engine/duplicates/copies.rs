//! The files of an image as they are on disk now.
//!
//! What the index says may be out of date, and a suggestion to delete files must not be: a file
//! that is missing or was changed since it was indexed is left out. So are other names of the same
//! file (hard and symbolic links), which take no space, and behind which the file itself must stay.

use std::collections::HashMap;
use std::fs::Metadata;
use std::path::Path;

use sightline_index::{FileRecord, Image, IndexReader, Item, ItemId};

use super::keeper::Rated;
use super::report::{DuplicateFile, SkippedFiles};
use crate::engine::error::EngineError;
use crate::engine::indexing::prepare::io_reason;
use crate::engine::indexing::walk::is_current;

/// An image with its files.
pub(super) struct Copies {
    pub(super) id: ItemId,
    /// At least one, each another file on disk, the best first.
    pub(super) files: Vec<Rated>,
}

impl Copies {
    /// Reads an image and looks at its files; `None` if none of them is as it was.
    pub(super) fn read(
        reader: &IndexReader,
        image: ItemId,
        skipped: &mut SkippedFiles,
    ) -> Result<Option<Self>, EngineError> {
        let Some(Item::Image(image)) = reader.item(image)? else {
            return Ok(None);
        };
        let mut files: HashMap<FileId, Rated> = HashMap::new();
        for path in &image.paths {
            let Some(record) = reader.file(path)? else {
                continue;
            };
            let about = match current(path, &record) {
                Ok(about) => about,
                Err(reason) => {
                    skipped.insert(path.clone(), reason);
                    continue;
                }
            };
            let file = Rated::new(file(&image, path, &record), record.modified_ns);
            let id = file_id(path, &about);
            // Of the names of a file, the first one that is no link is listed.
            let is_better = |known: &Rated| is_link(&known.file.path) && !is_link(path);
            if files.get(&id).is_none_or(is_better) {
                files.insert(id, file);
            }
        }
        let mut files: Vec<Rated> = files.into_values().collect();
        files.sort_by(Rated::compare);
        let id = image.id;
        Ok((!files.is_empty()).then_some(Self { id, files }))
    }
}

/// What the system says about a file, or why it is left out.
pub(super) fn current(path: &Path, record: &FileRecord) -> Result<Metadata, String> {
    match std::fs::metadata(path) {
        Ok(about) if is_current(&about, record) => Ok(about),
        Ok(_) => Err("changed since it was indexed".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err("no longer there".to_owned())
        }
        Err(error) => Err(io_reason(&error)),
    }
}

fn file(image: &Image, path: &Path, record: &FileRecord) -> DuplicateFile {
    DuplicateFile {
        path: path.to_path_buf(),
        id: image.id,
        width: image.width,
        height: image.height,
        n_bytes: record.n_bytes,
        taken: image.details.as_ref().and_then(|details| details.taken),
        similarity: None,
        hash_distance: 0,
    }
}

/// Whether a path leads to its file through a symbolic link.
fn is_link(path: &Path) -> bool {
    !fs_err::canonicalize(path).is_ok_and(|real| real == path)
}

/// Disk and number of a file.
#[cfg(unix)]
type FileId = (u64, u64);

#[cfg(unix)]
fn file_id(_: &Path, about: &Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt as _;
    (about.dev(), about.ino())
}

/// The path without links.
#[cfg(not(unix))]
type FileId = std::path::PathBuf;

#[cfg(not(unix))]
fn file_id(path: &Path, _: &Metadata) -> FileId {
    fs_err::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}
