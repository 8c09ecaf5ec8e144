//! Changes the model of an index: an ordinary run embeds everything again into an index of its own
//! beside the old one, which it replaces when complete.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sightline_index::{
    Binding, IndexError, IndexReader, IndexWriter, Item, ItemId, Successor, WriterOptions,
};

use super::missing::{self, LibraryState, Missing};
use super::request::outermost;
use super::run::Run;
use crate::engine::report::{IndexReport, ModelChange, OnProgress, UnfinishedChange};
use crate::engine::{Encoders, EngineError};

/// The change that the model of `encoders` means for the index in `folder`; `None` when there is no
/// index, or it uses this model.
pub(crate) fn planned(
    folder: &Path,
    encoders: &Encoders,
) -> Result<Option<ModelChange>, EngineError> {
    let new = encoders.binding();
    let old = match sightline_index::binding(folder) {
        Ok(Some(old)) => old,
        // A writer restores a damaged manifest.
        Ok(None) | Err(IndexError::Damaged { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if old.fingerprint == new.fingerprint {
        return Ok(None);
    }
    let unfinished = UnfinishedChange::read(folder)?;
    let (same, other): (Option<_>, Option<_>) = match unfinished {
        Some(found) if found.fingerprint == new.fingerprint => (Some(found), None),
        other => (None, other),
    };
    let reader = IndexReader::open(folder, None)?;
    Ok(Some(ModelChange {
        from: distinct_name(&old, &new),
        to: distinct_name(&new, &old),
        n_images: reader.counts().n_images,
        n_before: same.map_or(0, |found| found.n_images),
        discarded: other.map(|found| found.model),
        is_done: false,
    }))
}

/// Embeds everything in the index in `folder` again, together with what `run` asks for, and
/// switches to the new index when it is complete.
pub(crate) fn change(
    folder: &Path,
    run: Run<'_>,
    change: ModelChange,
    progress: &mut OnProgress<'_>,
) -> Result<IndexReport, EngineError> {
    let binding = run.encoders.binding();
    let Some(successor) = Successor::begin(folder, &binding)? else {
        // Another process has made the same change meanwhile.
        let mut options = WriterOptions::default();
        options.language = run.request.language;
        let writer = IndexWriter::open_or_create_with(folder, &binding, options)?;
        return run.run(writer, progress);
    };
    let before = IndexReader::open(folder, None)?;
    let libraries = before.libraries()?;
    let known = libraries.into_iter().map(|library| library.folder);
    let folders = outermost(run.folders.into_iter().chain(known).collect());
    let prune = run.request.prune;
    let mut options = WriterOptions::default();
    options.language = run.request.language.or(Some(before.language()));
    let writer = successor.writer(options)?;
    let run = Run {
        folders,
        before: Some(&before),
        ..run
    };
    let mut report = run.run(writer, progress)?;
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
            // Some systems cannot delete open files.
            drop(before);
            successor.replace()?;
            is_done = true;
        }
    }
    report.model_change = Some(ModelChange { is_done, ..change });
    Ok(report)
}

/// The folders that keep `after` from replacing `before`, with the number of files each:
/// nothing was found there, as when a disk is not mounted, or some files could not be read; and
/// folders in them that seem to be unavailable. Single files that were deleted, or are no longer
/// pictures, hold nothing back.
fn held_back(
    before: &IndexReader,
    after: &IndexReader,
) -> Result<BTreeMap<PathBuf, usize>, EngineError> {
    let mut held_back = BTreeMap::new();
    for library in before.libraries()? {
        let known = before.files_under(&library.folder)?;
        let is_missing = after.files_under(&library.folder)?.is_empty();
        let mut n_files = 0;
        let mut missing = Vec::new();
        for (path, record) in &known {
            let is_left_out = is_missing || after.file(path)?.is_none();
            if is_missing || (is_left_out && is_unreadable(path)) {
                n_files += 1;
            } else if is_left_out {
                let is_elsewhere = has_content_of(after, before, record.image)?;
                missing.push(Missing {
                    path,
                    record,
                    is_elsewhere,
                });
            }
        }
        let place = LibraryState::new(&library.folder, known.len());
        for (folder, paths) in missing::unavailable(&place, missing.into_iter()) {
            held_back.insert(folder, paths.len());
        }
        if n_files > 0 {
            held_back.insert(library.folder, n_files);
        }
    }
    Ok(held_back)
}

/// Whether `after` has the content of an image of `before`.
fn has_content_of(
    after: &IndexReader,
    before: &IndexReader,
    image: ItemId,
) -> Result<bool, EngineError> {
    Ok(match before.item(image)? {
        Some(Item::Image(image)) => after.image_with_hash(&image.content_hash)?.is_some(),
        _ => false,
    })
}

/// Whether a file cannot be opened although it may exist.
fn is_unreadable(path: &Path) -> bool {
    match fs_err::File::open(path) {
        Ok(_) => false,
        Err(error) => !matches!(
            error.kind(),
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
        ),
    }
}

/// The model's name, followed by the start of its fingerprint if the other one has the same name.
fn distinct_name(model: &Binding, other: &Binding) -> String {
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
