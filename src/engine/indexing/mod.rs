//! Brings an index up to date with library folders and captions files.
//!
//! [`index`] opens a writer and starts a [`run`]: it walks the folders, prepares and encodes what
//! is new, stores it, and ends with the captions. [`model_change`] does such a run beside the old
//! index.

mod caption_changes;
pub(crate) mod caption_file;
mod caption_owners;
pub(crate) mod captions;
mod encode;
pub(crate) mod geography;
mod ledger;
mod metadata;
mod missing;
mod model_change;
pub(crate) mod pipeline;
pub(crate) mod prepare;
mod request;
mod run;
mod sidecar_files;
mod sidecars;
mod store;
mod takeout_names;
pub(crate) mod tuning;
pub(crate) mod walk;

#[cfg(test)]
mod caption_tests;
#[cfg(test)]
mod incremental_tests;
#[cfg(test)]
mod lane_tests;
#[cfg(test)]
mod language_tests;
#[cfg(test)]
mod model_change_tests;

use std::path::Path;
use std::time::Instant;

use sightline_index::{IndexWriter, WriterOptions};

use crate::engine::decode::DecodeOptions;
use crate::engine::names::Finder;
use crate::engine::report::{IndexReport, OnProgress};
use crate::engine::{Encoders, EngineError};

pub use caption_file::CaptionFormat;
pub(crate) use model_change::planned as planned_change;
pub use request::IndexRequest;
pub(crate) use walk::concerns;

/// Brings the index in `folder` up to date; see [`Engine::index`](crate::engine::Engine::index).
pub(crate) fn index(
    folder: &Path,
    encoders: &Encoders,
    decode: &DecodeOptions,
    request: &IndexRequest,
    progress: &mut OnProgress<'_>,
) -> Result<IndexReport, EngineError> {
    let began = Instant::now();
    // Everything that can be refused is checked before the index is touched.
    let mut caption_sets = Vec::new();
    for path in &request.captions {
        let path = &Finder::default().find(path);
        // The error about a missing file names it as it was given, as does the one about a folder.
        if path.is_dir() {
            let path = path.clone();
            return Err(EngineError::CaptionsFolder { path });
        }
        fs_err::File::open(path)?;
        let path = fs_err::canonicalize(path)?;
        let file = caption_file::read_file(&path, request.captions_format)?;
        caption_sets.push((path, file));
    }
    let run = run::Run {
        request,
        encoders,
        decode,
        folders: request.resolve_folders(folder)?,
        captions: caption_sets,
        before: None,
    };
    let change = if request.change_model {
        planned_change(folder, encoders)?
    } else {
        None
    };
    let mut report = if let Some(change) = change {
        model_change::change(folder, run, change, progress)?
    } else {
        let mut options = WriterOptions::default();
        options.language = request.language;
        let writer = IndexWriter::open_or_create_with(folder, &encoders.binding(), options)?;
        run.run(writer, progress)?
    };
    report.elapsed = began.elapsed();
    Ok(report)
}
