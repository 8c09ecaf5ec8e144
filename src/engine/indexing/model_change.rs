//! How does an index get another model? All that it holds is embedded again beside it, by an
//! ordinary run into an index of its own, which takes the old one's place when complete.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sightline_index::{Binding, IndexError, IndexReader, IndexWriter, Successor, WriterOptions};

use super::run::{Job, OnProgress, outermost};
use crate::engine::report::IndexReport;
use crate::engine::{Engine, EngineError};

/// A change of the model of an index, planned or made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelChange {
    /// The model that made the index; where both have the same name, with its fingerprint.
    pub from: String,
    /// The model that it is to be made with, likewise.
    pub to: String,
    /// Images of the index.
    pub n_images: u64,
    /// Images that an earlier run has embedded again already.
    pub n_before: u64,
    /// The model of an unfinished change that is thrown away for this one.
    pub discarded: Option<String>,
    /// Whether the index is now of the new model. If not, the next run goes on.
    pub is_done: bool,
}

/// A change of the model that was begun and is not complete: searches use the old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedChange {
    /// What is there of it. Deleting this folder gives the change up.
    pub folder: PathBuf,
    /// Name of the new model.
    pub model: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Length of its vectors.
    pub dimension: usize,
    /// Images that are embedded again.
    pub n_images: u64,
}

impl UnfinishedChange {
    /// That of the index in a folder, if there is one.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn read(index: &Path) -> Result<Option<Self>, EngineError> {
        let Some(found) = sightline_index::unfinished(index)? else {
            return Ok(None);
        };
        let Binding {
            dimension,
            fingerprint,
            model,
        } = found.binding;
        // Nothing is committed yet, or it is damaged: either way it is begun anew.
        let reader = IndexReader::open(&found.folder, None);
        Ok(Some(Self {
            n_images: reader.map_or(0, |reader| reader.counts().n_images),
            folder: found.folder,
            model,
            fingerprint,
            dimension,
        }))
    }
}

impl Engine {
    /// What [`Engine::index`] with [`change_model`](crate::engine::IndexRequest::change_model) would do to
    /// the model of the index; nothing when there is no index, or it is of this engine's model.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn planned_change(&self) -> Result<Option<ModelChange>, EngineError> {
        let own = self.binding();
        let made = match sightline_index::binding(self.folder()) {
            Ok(Some(made)) => made,
            // A writer brings a damaged manifest back.
            Ok(None) | Err(IndexError::Damaged { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if made.fingerprint == own.fingerprint {
            return Ok(None);
        }
        let unfinished = UnfinishedChange::read(self.folder())?;
        let (going_on, other): (Option<_>, Option<_>) = match unfinished {
            Some(found) if found.fingerprint == own.fingerprint => (Some(found), None),
            other => (None, other),
        };
        let reader = IndexReader::open(self.folder(), None)?;
        Ok(Some(ModelChange {
            from: told_apart(&made, &own),
            to: told_apart(&own, &made),
            n_images: reader.counts().n_images,
            n_before: going_on.map_or(0, |found| found.n_images),
            discarded: other.map(|found| found.model),
            is_done: false,
        }))
    }

    /// Embeds all again that the index holds, with what `job` asks for, and switches to it.
    pub(crate) fn change_model(
        &self,
        job: Job<'_>,
        change: ModelChange,
        progress: &mut OnProgress<'_>,
    ) -> Result<IndexReport, EngineError> {
        let Some(successor) = Successor::begin(self.folder(), &self.binding())? else {
            // Another process has made the same change meanwhile.
            let mut options = WriterOptions::default();
            options.language = job.request.language;
            let writer = IndexWriter::open_or_create_with(self.folder(), &self.binding(), options)?;
            return self.run(job, writer, progress);
        };
        let before = IndexReader::open(self.folder(), None)?;
        let libraries = before.libraries()?;
        let known = libraries.into_iter().map(|library| library.folder);
        let folders = outermost(job.folders.into_iter().chain(known).collect());
        let prune = job.request.prune;
        let mut options = WriterOptions::default();
        options.language = job.request.language.or(Some(before.language()));
        let writer = successor.writer(options)?;
        let job = Job {
            folders,
            before: Some(&before),
            ..job
        };
        let mut report = self.run(job, writer, progress)?;
        let mut is_done = false;
        if !report.interrupted {
            if !prune {
                let after = IndexReader::open(successor.folder(), None)?;
                for (folder, n_files) in held_back(&before, &after)? {
                    if report.held_back.iter().all(|(known, _)| *known != folder) {
                        report.held_back.push((folder, n_files));
                    }
                }
            }
            if report.held_back.is_empty() {
                // Some systems delete no file that is open.
                drop(before);
                successor.replace()?;
                is_done = true;
            }
        }
        self.forget_reader();
        report.model_change = Some(ModelChange { is_done, ..change });
        Ok(report)
    }
}

/// The library folders of which `after` must not take the place of `before` yet, each with so many
/// files: nothing was found there, as when a disk is away, or some files could not be looked at.
/// Single files that are gone, or are no pictures any more, hold nothing back.
fn held_back(
    before: &IndexReader,
    after: &IndexReader,
) -> Result<BTreeMap<PathBuf, usize>, EngineError> {
    let mut held_back = BTreeMap::new();
    for library in before.libraries()? {
        let known = before.files_under(&library.folder)?;
        let is_away = after.files_under(&library.folder)?.is_empty();
        let mut n_files = 0;
        for (path, _) in known {
            if is_away || (after.file(&path)?.is_none() && is_out_of_sight(&path)) {
                n_files += 1;
            }
        }
        if n_files > 0 {
            held_back.insert(library.folder, n_files);
        }
    }
    Ok(held_back)
}

/// Whether nobody can say what became of a file.
fn is_out_of_sight(path: &Path) -> bool {
    match fs_err::File::open(path) {
        Ok(_) => false,
        Err(error) => !matches!(
            error.kind(),
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
        ),
    }
}

/// The model's name; where the other one has the same, with the beginning of its fingerprint.
fn told_apart(model: &Binding, other: &Binding) -> String {
    let Binding {
        model: name,
        fingerprint,
        ..
    } = model;
    if *name == other.model {
        let short = fingerprint.get(..12).unwrap_or(fingerprint);
        format!("{name} ({short})")
    } else {
        name.clone()
    }
}
