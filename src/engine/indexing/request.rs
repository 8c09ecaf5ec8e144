//! What is to be indexed, and how?

use std::path::PathBuf;
use std::time::Duration;

use sightline_index::{IndexReader, Language};

use super::run::outermost;
use crate::engine::{Engine, EngineError};

/// What to index and how.
#[derive(Debug, Clone)]
pub struct IndexRequest {
    /// Library folders, walked recursively.
    pub folders: Vec<PathBuf>,
    /// Captions files: JSON lines `{"image": …, "captions": […]}` with paths relative to the
    /// file, or plain text with one caption a line. Sidecars (`photo.txt`) are found by the walk.
    pub captions: Vec<PathBuf>,
    /// Also remove what is gone when a whole library folder is missing or empty.
    pub prune: bool,
    /// Where the index was made with another model, give it this one: all that it holds is
    /// embedded again beside it, and takes its place when complete. Otherwise that is an error.
    pub change_model: bool,
    /// Pictures in a batch; `None`: found by measuring the first batches.
    pub batch_size: Option<usize>,
    /// Encodes one batch at a time with all threads. Otherwise, when there is much to do, the
    /// threads are split between two batches at a time, which is a little quicker and takes the
    /// memory of a second copy of the image tower.
    pub no_split: bool,
    /// Threads that read and decode; `None`: one a core.
    pub n_decoders: Option<usize>,
    /// The language of captions and names, for the stems of words; `None`: that of the index, which is English for a
    /// new one. Another one makes the word index anew, nothing else.
    pub language: Option<Language>,
    /// Pictures or captions after which what is finished is committed.
    pub commit_every: usize,
    /// Time after which it is committed all the same.
    pub commit_interval: Duration,
}

impl IndexRequest {
    /// One library folder with the usual settings.
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folders: vec![folder.into()],
            ..Self::default()
        }
    }
}

impl Default for IndexRequest {
    fn default() -> Self {
        Self {
            folders: Vec::new(),
            captions: Vec::new(),
            prune: false,
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

/// Absolute folders, each once; a missing one is an error unless `prune` asks to forget it.
pub(crate) fn resolve_folders(
    engine: &Engine,
    request: &IndexRequest,
) -> Result<Vec<PathBuf>, EngineError> {
    let mut folders = Vec::new();
    for folder in &request.folders {
        let resolved = match fs_err::canonicalize(folder) {
            Ok(resolved) if resolved.is_dir() => resolved,
            Ok(_) => {
                return Err(EngineError::NotAFolder {
                    path: folder.clone(),
                });
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let absolute = std::path::absolute(folder)?;
                // Whichever model made it.
                let n_indexed = IndexReader::open(engine.folder(), None)
                    .and_then(|reader| reader.files())
                    .map_or(0, |files| {
                        files
                            .iter()
                            .filter(|(path, _)| path.starts_with(&absolute))
                            .count()
                    });
                if !(request.prune && n_indexed > 0) {
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
