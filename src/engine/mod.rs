//! The library's face: one [`Engine`] joins one index with one model.
//!
//! `walk` finds files, `ingest` turns them into items, `query` answers, `evaluate` measures,
//! `upkeep` looks after the index, `exchange` takes it to other programs and back. The engine prints nothing, never exits, reads no environment variable and installs no logger.

mod batch_size;
pub mod bench;
mod budget;
mod caption_files;
mod captions_stage;
mod details;
mod embed;
mod encoder;
mod encoding;
mod error;
mod evaluate;
pub mod exchange;
mod fusion;
pub mod hub;
mod ingest;
mod ledger;
mod model_change;
pub mod models;
pub mod npy;
mod picture_file;
mod pipeline;
mod prepare;
mod query;
mod report;
mod request;
mod storing;
mod upkeep;
mod walk;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod incremental_tests;
#[cfg(test)]
mod lane_tests;
#[cfg(test)]
mod model_change_tests;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sightline_index::{Binding, IndexReader};

pub use embed::TakeVector;
pub use encoder::{Encoders, ImageEncoder, Lane, ModelIdentity, RuntimeSource, TextEncoder};
pub use error::{EngineError, LineError};
pub use evaluate::{Evaluation, Recalls};
pub use fusion::{Fused, fuse};
pub use model_change::{ModelChange, UnfinishedChange};
pub use query::{By, Find, Query, SearchRequest};
pub use report::{
    CaptionHit, EncodingFigures, IndexReport, KindStatus, Progress, SearchHit, Skipped, Stage,
    Status,
};
pub use request::IndexRequest;
pub use sightline_index::{Details, Language, Moment};
pub use upkeep::{OnBuilding, RemoveReport};
pub use walk::{IGNORE_FILE, SKIPPED_FOLDERS};

/// A progress callback that shows nothing and never stops the run.
pub fn quietly(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// One index and the model its vectors are made with.
///
/// Queries may run from many threads at once. [`Engine::index`] takes the index's writer lock for
/// as long as it runs; queries meanwhile answer from the last generation that was opened.
pub struct Engine {
    folder: PathBuf,
    encoders: Encoders,
    reader: Mutex<Option<Arc<IndexReader>>>,
}

impl Engine {
    /// Joins the index in `folder` (which need not exist yet) with a model. Touches no file: the
    /// index is opened by the first call that needs it, ONNX Runtime by the first encoding.
    #[must_use]
    pub fn open(folder: impl Into<PathBuf>, encoders: Encoders) -> Self {
        Self {
            folder: folder.into(),
            encoders,
            reader: Mutex::new(None),
        }
    }

    /// The index folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The model.
    #[must_use]
    pub fn encoders(&self) -> &Encoders {
        &self.encoders
    }

    /// Gives the model back, to open another index with.
    #[must_use]
    pub fn into_encoders(self) -> Encoders {
        self.encoders
    }

    /// What the index must have been made with to be used by this engine.
    fn binding(&self) -> Binding {
        let identity = self.encoders.identity();
        Binding {
            dimension: identity.dimension,
            fingerprint: identity.fingerprint.clone(),
            model: identity.name.clone(),
        }
    }

    /// The newest generation, opened once and kept until the next [`Engine::index`].
    fn reader(&self) -> Result<Arc<IndexReader>, EngineError> {
        let mut slot = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = slot.as_ref() {
            return Ok(Arc::clone(reader));
        }
        let reader = Arc::new(IndexReader::open(&self.folder, Some(&self.binding()))?);
        *slot = Some(Arc::clone(&reader));
        Ok(reader)
    }

    fn forget_reader(&self) {
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What the index in `folder` holds, whichever model made it.
    ///
    /// # Errors
    /// When there is no index there or it cannot be read.
    pub fn status(folder: &Path) -> Result<Status, EngineError> {
        let reader = IndexReader::open(folder, None)?;
        Status::read(folder, &reader)
    }
}
