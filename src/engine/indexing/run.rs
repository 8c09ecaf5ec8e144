//! One index run: walk → changed? → decode → encode → commit.
//!
//! Threads read, hash, decode and preprocess; one or two threads encode, each in a lane of its own;
//! the calling thread writes. Finished work is committed from time to time, so that a run that was
//! stopped or killed continues where it left off.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::RwLock;
use std::time::Instant;

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use sightline_index::{
    Details, FileRecord, Filter, IndexReader, IndexWriter, Item, ItemId, ItemKind, LastRun, Library,
};

use super::caption_file::CaptionFile;
use super::captions;
use super::encode::Encoding;
use super::metadata;
use super::missing::{self, LibraryState, Missing};
use super::pipeline::{self, Event};
use super::prepare::Preparing;
use super::request::IndexRequest;
use super::store::{PictureStore, Store, building};
use super::tuning::{finder, lanes, shape};
use super::walk::{Candidate, Visit, Walk, walk_library};
use crate::engine::decode::{DecodeOptions, Decoding, MemoryBudget};
use crate::engine::report::{IndexReport, OnProgress, Stage, reasons};
use crate::engine::{Encoders, EngineError};

/// Files whose metadata is read before it is handed to the writer.
const METADATA_BATCH: usize = 256;

/// Records of unchanged files that are completed before they are committed.
const COMPLETED_BATCH: usize = 10_000;

/// Deleted files that are removed before that is committed.
const REMOVED_BATCH: usize = 10_000;

/// What one run indexes, and with what.
pub(crate) struct Run<'a> {
    pub(crate) request: &'a IndexRequest,
    pub(crate) encoders: &'a Encoders,
    pub(crate) decode: &'a DecodeOptions,
    /// Library folders, absolute, none inside another.
    pub(crate) folders: Vec<PathBuf>,
    /// Captions files and what they say.
    pub(crate) captions: Vec<(PathBuf, CaptionFile)>,
    /// When the model is changed: the index of the old model.
    pub(crate) before: Option<&'a IndexReader>,
}

impl Run<'_> {
    /// Brings the index that `writer` writes up to date.
    pub(crate) fn run(
        self,
        writer: IndexWriter,
        progress: &mut OnProgress<'_>,
    ) -> Result<IndexReport, EngineError> {
        let mut store = Store::new(writer, self.request, progress);
        let outcome = self.update(&mut store).and_then(|flow| {
            if flow.is_break() {
                self.note_libraries(&mut store)?;
                note_run(&mut store, true);
            }
            Ok(flow)
        });
        let Store {
            writer,
            mut ledger,
            progress,
            ..
        } = store;
        let mut is_stopped = matches!(outcome, Ok(ControlFlow::Break(())));
        let mut report = building(progress, ledger.report.skipped.len());
        // Even after an error, finished work is kept; the first error is the one returned. A run
        // that was stopped builds nothing, and building can be stopped: the next run goes on.
        let finished = writer.finish_with(&mut |build| {
            is_stopped = is_stopped || report(build).is_break();
            if is_stopped {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        drop(report);
        ledger.report.interrupted = outcome?.is_break() || is_stopped;
        ledger.report.postponed = reasons(&finished?.postponed);
        Ok(ledger.into_report())
    }

    /// All stages but the building of graphs; breaks when the run was stopped.
    fn update(&self, store: &mut Store<'_>) -> Result<ControlFlow<()>, EngineError> {
        let mut visits = Vec::new();
        let libraries = self.libraries(store)?;
        for folder in &self.folders {
            let n_seen = store.ledger.report.n_seen;
            if store
                .report(Stage::Walking, n_seen, 0, Instant::now())
                .is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
            // A missing folder counts as empty: `prune` empties it in the index too, and a change
            // of the model is held back by it.
            let walk = if folder.exists() {
                let is_inner = |other: &&PathBuf| other.starts_with(folder) && *other != folder;
                let inner: Vec<PathBuf> = libraries.iter().filter(is_inner).cloned().collect();
                walk_library(folder, &inner).without(&self.request.being_written)
            } else {
                Walk::default()
            };
            let report = &mut store.ledger.report;
            report.n_seen += walk.candidates.len();
            report.skipped.extend(walk.unreadable.iter().cloned());
            let known = store.writer.files_under(folder)?;
            // Before its files: an image's words are the names from its library folder down.
            note_library(store, folder, known.len() as u64)?;
            visits.push(Visit {
                folder: folder.clone(),
                walk,
                known,
            });
        }
        if self.read_missing_details(store, &visits)?.is_break()
            || self.pictures(store, &visits)?.is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
        self.keep_tags(store)?;
        captions::drop_of_old_content(store)?;
        for visit in &visits {
            self.remove_deleted(store, visit)?;
        }
        store.commit()?;
        if captions::update(store, self.encoders, self.before, &visits, &self.captions)?.is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
        self.note_libraries(store)?;
        // Folders inside others that were once indexed on their own.
        let before = self.before.map_or(Ok(Vec::new()), IndexReader::libraries)?;
        for library in before {
            if !self.folders.contains(&library.folder) {
                let n_files = store.writer.n_files_under(&library.folder)?;
                store.writer.put_library(Library { n_files, ..library })?;
            }
        }
        note_run(store, false);
        store.commit()?;
        Ok(ControlFlow::Continue(()))
    }

    /// The library folders of the index, and of the one of the old model.
    fn libraries(&self, store: &Store<'_>) -> Result<BTreeSet<PathBuf>, EngineError> {
        let before = self.before.map_or(Ok(Vec::new()), IndexReader::libraries)?;
        let libraries = store.writer.libraries()?.into_iter().chain(before);
        Ok(libraries.map(|library| library.folder).collect())
    }

    /// Gives the images of a new model the tags that they had before.
    fn keep_tags(&self, store: &mut Store<'_>) -> Result<(), EngineError> {
        let Some(before) = self.before else {
            return Ok(());
        };
        // No filter finds those that were tagged and got none.
        for id in before
            .select(ItemKind::Image, &Filter::All(Vec::new()))?
            .iter()
        {
            let Some(Item::Image(image)) = before.item(id)? else {
                continue;
            };
            if image.is_tagged
                && let Some(id) = store.writer.image_with_hash(&image.content_hash)?
            {
                store.writer.set_tags(id, image.tags)?;
                store.commit_if_due()?;
            }
        }
        Ok(())
    }

    /// Notes how many files the index has from each folder.
    fn note_libraries(&self, store: &mut Store<'_>) -> Result<(), EngineError> {
        for folder in &self.folders {
            let n_files = store.writer.n_files_under(folder)?;
            note_library(store, folder, n_files)?;
        }
        Ok(())
    }

    /// Reads the metadata of images that an older version indexed without it, from their unchanged
    /// files; nothing is decoded. Files that cannot be read are tried again by the next run.
    fn read_missing_details(
        &self,
        store: &mut Store<'_>,
        visits: &[Visit],
    ) -> Result<ControlFlow<()>, EngineError> {
        let missing = store.writer.images_without_details()?;
        let mut missing: HashSet<ItemId> = missing.into_iter().collect();
        let mut jobs = Vec::new();
        for (candidate, record) in visits.iter().flat_map(Visit::unchanged) {
            if missing.remove(&record.image) {
                jobs.push((record.image, candidate));
            }
        }
        let began = Instant::now();
        let max_bytes = self.decode.limits.max_bytes;
        let budget = MemoryBudget::new(self.decode.memory);
        let mut n_done = 0;
        for batch in jobs.chunks(METADATA_BATCH) {
            if store
                .report(Stage::Details, n_done, jobs.len(), began)
                .is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
            let read: Vec<(ItemId, Option<Details>)> = batch
                .into_par_iter()
                .map(|(image, candidate)| {
                    let _share = budget.take(candidate.n_bytes.min(max_bytes));
                    (*image, metadata::read(&candidate.path, max_bytes).ok())
                })
                .collect();
            for (image, details) in read {
                if let Some(details) = details {
                    store.writer.set_details(image, details)?;
                }
            }
            n_done += batch.len();
            store.commit_if_due()?;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Reads and encodes the files that are new or changed.
    fn pictures(
        &self,
        store: &mut Store<'_>,
        visits: &[Visit],
    ) -> Result<ControlFlow<()>, EngineError> {
        let mut jobs = Vec::new();
        let mut n_completed = 0;
        for visit in visits {
            for (candidate, record) in visit.files() {
                match record {
                    Some(record) if candidate.is_unchanged(record) && !self.request.reread => {
                        store.ledger.report.n_unchanged += 1;
                        if let Some(completed) = candidate.completed(record) {
                            store.writer.put_file(&candidate.path, completed)?;
                            n_completed += 1;
                            if n_completed % COMPLETED_BATCH == 0 {
                                store.writer.checkpoint()?;
                            }
                        }
                    }
                    Some(record) => {
                        store.ledger.note_known(&candidate.path, record.image);
                        jobs.push(if self.request.reread {
                            candidate.clone()
                        } else {
                            candidate.suspected(record)
                        });
                    }
                    None => jobs.push(candidate.clone()),
                }
            }
        }
        let began = Instant::now();
        let flow = self.encode_pictures(store, jobs, began)?;
        store.ledger.report.elapsed_pictures = began.elapsed();
        Ok(flow)
    }

    fn encode_pictures(
        &self,
        store: &mut Store<'_>,
        jobs: Vec<Candidate>,
        began: Instant,
    ) -> Result<ControlFlow<()>, EngineError> {
        let n_total = jobs.len();
        let lanes = lanes(self.request, self.encoders, n_total);
        let finder = finder(self.request, self.encoders, &lanes);
        let shape = shape(self.request, &finder, &lanes);
        let encoding = Encoding::new(self.encoders, finder);
        // Shared with the preparing threads, which look up content hashes.
        let writer = RwLock::new(&mut store.writer);
        let preparing = Preparing::new(
            Decoding::new(self.decode, self.encoders),
            &writer,
            self.request.reread,
        );
        let mut pictures = PictureStore::new(&writer, &mut store.ledger, &mut store.commits);
        let mut interrupted = false;
        let flow = pipeline::run(
            jobs.into_iter(),
            shape,
            |candidate| preparing.prepare(candidate),
            |number, inlet, results| encoding.run(lanes[number], inlet, results),
            |event, stop| {
                let stored = match event {
                    Event::Ready(result) => result.and_then(|prepared| pictures.put(prepared)),
                    Event::Idle => Ok(()),
                };
                if let Err(error) = stored {
                    return ControlFlow::Break(error);
                }
                let now = pictures.progress(n_total, began, encoding.first_runs());
                let mut ask = || {
                    // What is encoded already is still written after a stop, without asking again.
                    if !interrupted && (store.progress)(&now).is_break() {
                        interrupted = true;
                        stop.stop();
                    }
                    if interrupted {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                };
                if let Err(error) = pictures.commit_if_due(&mut ask) {
                    return ControlFlow::Break(error);
                }
                let _ = ask();
                ControlFlow::Continue(())
            },
        );
        if let ControlFlow::Break(error) = flow {
            return Err(error);
        }
        store.ledger.report.encoding = encoding.into_figures();
        let n_done = store.ledger.n_settled;
        if interrupted
            || store
                .report(Stage::Pictures, n_done, n_total, began)
                .is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Removes the files that the walk did not find, unless they are below something that could not
    /// be read, or below a folder that seems to be unavailable.
    fn remove_deleted(&self, store: &mut Store<'_>, visit: &Visit) -> Result<(), EngineError> {
        let Visit {
            folder,
            walk,
            known,
        } = visit;
        if walk.candidates.is_empty() && !known.is_empty() && !self.request.prune {
            let held_back = &mut store.ledger.report.held_back;
            held_back.push((folder.clone(), known.len()));
            return Ok(());
        }
        let seen: HashSet<&Path> = walk
            .candidates
            .iter()
            .map(|candidate| candidate.path.as_path())
            .collect();
        let missing: Vec<&(PathBuf, FileRecord)> = known
            .iter()
            .filter(|(path, _)| !seen.contains(path.as_path()) && !walk.hides(path))
            .collect();
        let mut held_back: HashSet<&Path> = HashSet::new();
        if !self.request.prune && !missing.is_empty() {
            let elsewhere = elsewhere(&store.writer, &missing, &seen)?;
            let suspects = missing.iter().copied().map(|(path, record)| Missing {
                path,
                record,
                is_elsewhere: elsewhere.contains(&record.image),
            });
            let place = LibraryState::new(folder, known.len());
            for (folder, paths) in missing::unavailable(&place, suspects) {
                store.ledger.report.held_back.push((folder, paths.len()));
                held_back.extend(paths);
            }
        }
        let mut removed: Vec<(&Path, ItemId)> = Vec::new();
        for (path, record) in missing {
            if !held_back.contains(path.as_path()) {
                removed.push((path, record.image));
            }
        }
        for some in removed.chunks(REMOVED_BATCH) {
            let n = captions::drop_sidecars(&mut store.writer, some.iter().copied())?;
            store.ledger.report.n_captions_removed += n;
            for &(path, image) in some {
                store.writer.remove_file(path)?;
                store.ledger.removed(image);
            }
            if some.len() == REMOVED_BATCH {
                store.commit()?;
            }
        }
        Ok(())
    }
}

/// The images of the `missing` files that have another file, in any library folder. Those `seen` by
/// the walk exist.
fn elsewhere(
    writer: &IndexWriter,
    missing: &[&(PathBuf, FileRecord)],
    seen: &HashSet<&Path>,
) -> Result<HashSet<ItemId>, EngineError> {
    let paths: HashSet<&Path> = missing.iter().map(|(path, _)| path.as_path()).collect();
    let images: HashSet<ItemId> = missing.iter().map(|(_, record)| record.image).collect();
    let mut elsewhere = HashSet::new();
    for image in images {
        let exists = |path: &Path| seen.contains(path) || (!paths.contains(path) && path.exists());
        if writer.paths_of(image)?.iter().any(|path| exists(path)) {
            elsewhere.insert(image);
        }
    }
    Ok(elsewhere)
}

/// Notes what `sightline status` shows of this run.
fn note_run(store: &mut Store<'_>, interrupted: bool) {
    let report = &store.ledger.report;
    let run = LastRun {
        ended_unix_s: unix_s(),
        n_seen: report.n_seen as u64,
        n_added: report.n_added as u64,
        n_changed: (report.n_changed + report.n_changed_to_known) as u64,
        n_removed: report.n_removed as u64,
        n_skipped: report.skipped.len() as u64,
        interrupted,
    };
    store.writer.put_last_run(&run);
}

fn note_library(store: &mut Store<'_>, folder: &Path, n_files: u64) -> Result<(), EngineError> {
    Ok(store.writer.put_library(Library {
        folder: folder.to_path_buf(),
        n_files,
        last_run_unix_s: unix_s(),
    })?)
}

/// Now, in seconds since 1970.
fn unix_s() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
