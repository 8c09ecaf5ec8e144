//! What to index, and which folders that means.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sightline_index::{IndexReader, Language};

use super::caption_file::CaptionFormat;
use crate::engine::EngineError;
use crate::engine::names::Finder;

/// What to index and how.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct IndexRequest {
    /// Library folders, walked recursively.
    pub folders: Vec<PathBuf>,
    /// Files to leave for a later run, absolute, since they are being written. What the index holds
    /// of them stays.
    pub being_written: HashSet<PathBuf>,
    /// Captions files: JSON lines, tables, data sets in JSON or plain text, see [`CaptionFormat`].
    /// Sidecars (`photo.txt`) are found by the walk.
    pub captions: Vec<PathBuf>,
    /// The format of all captions files; `None`: recognized by the content of each.
    pub captions_format: Option<CaptionFormat>,
    /// Removes deleted files from the index even when a whole library folder is missing or empty.
    pub prune: bool,
    /// Reads all files again, not only those of another size or time. Those whose content is in the
    /// index are not decoded.
    pub reread: bool,
    /// Tags the images of the index that were never tagged, with the tags of the phrase bank.
    pub tag: bool,
    /// If another model made the index, switches it to this one: everything in it is embedded again
    /// beside it, and takes its place when complete. Otherwise such an index is an error.
    pub change_model: bool,
    /// Pictures per batch; `None`: chosen by measuring the first batches.
    pub batch_size: Option<usize>,
    /// Encodes one batch at a time with all threads. Otherwise, when there are many pictures, the
    /// threads are split between two batches at a time, which is slightly faster and takes the
    /// memory of a second copy of the image tower.
    pub no_split: bool,
    /// Threads that read and decode; `None`: one per core.
    pub n_decoders: Option<usize>,
    /// Language of captions and names, for stemming, and of texts that could be in several; `None`:
    /// that of the index, English for a new one. Another language rebuilds the word index and, if
    /// the model has several text towers, encodes the captions again that another one is for now.
    pub language: Option<Language>,
    /// Commit after this many new or changed pictures and captions.
    pub commit_every: usize,
    /// Commit at least this often while there is anything to commit.
    pub commit_interval: Duration,
}

impl IndexRequest {
    /// One library folder with default settings.
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folders: vec![folder.into()],
            ..Self::default()
        }
    }

    /// The library folders, absolute, without duplicates and without those inside others. A missing
    /// one is an error, except with `prune` when the index at `index` has files from it.
    pub(crate) fn resolve_folders(&self, index: &Path) -> Result<Vec<PathBuf>, EngineError> {
        let mut folders = Vec::new();
        for folder in &self.folders {
            let resolved = match fs_err::canonicalize(Finder::default().find(folder)) {
                Ok(resolved) if resolved.is_dir() => resolved,
                Ok(_) => {
                    return Err(EngineError::NotAFolder {
                        path: folder.clone(),
                    });
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    let absolute = std::path::absolute(folder)?;
                    // Whichever model made it.
                    let n_indexed = IndexReader::open(index, None)
                        .and_then(|reader| reader.files_under(&absolute))
                        .map_or(0, |files| files.len());
                    if !(self.prune && n_indexed > 0) {
                        return Err(EngineError::FolderMissing {
                            path: folder.clone(),
                            n_indexed,
                        });
                    }
                    absolute
                }
                Err(error) => return Err(error.into()),
            };
            folders.push(resolved);
        }
        Ok(outermost(folders))
    }
}

impl Default for IndexRequest {
    fn default() -> Self {
        Self {
            folders: Vec::new(),
            being_written: HashSet::new(),
            captions: Vec::new(),
            captions_format: None,
            prune: false,
            reread: false,
            tag: false,
            change_model: false,
            batch_size: None,
            no_split: false,
            n_decoders: None,
            language: None,
            commit_every: 1000,
            commit_interval: Duration::from_secs(10),
        }
    }
}

/// Drops duplicates and folders inside others, which are walked with them.
pub(crate) fn outermost(mut folders: Vec<PathBuf>) -> Vec<PathBuf> {
    folders.sort();
    folders.dedup_by(|inner, outer| inner.starts_with(&*outer));
    folders
}
