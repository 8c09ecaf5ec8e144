//! Tags in the index: those that the program makes, apart from the keywords that people gave.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use sightline_index::{Filter, IndexReader, IndexWriter, Item, ItemId, ItemKind, WriterOptions};

use super::request::{BATCH, MIN_TAG_CONFIDENCE, names};
use super::tagger::Tagger;
use crate::engine::bank::Bank;
use crate::engine::report::{BankReport, OnProgress, Progress, building, reasons};
use crate::engine::{Encoders, EngineError};

/// Images whose tags are stored between two commits.
const COMMIT_EVERY: usize = 10_000;

/// What [`tag_untagged`] did.
#[derive(Debug, Default)]
pub(in crate::engine) struct TaggedIndex {
    /// Images that got tags.
    pub(in crate::engine) n_tagged: usize,
    pub(in crate::engine) postponed: Vec<String>,
    pub(in crate::engine) bank: BankReport,
    pub(in crate::engine) interrupted: bool,
}

/// Stores tags in place of those stored before. Returns work after the commit that failed.
pub(super) fn save(
    folder: &Path,
    encoders: &Encoders,
    tags: Vec<(ItemId, Vec<String>)>,
    progress: &mut OnProgress<'_>,
) -> Result<Vec<String>, EngineError> {
    if tags.is_empty() {
        return Ok(Vec::new());
    }
    let options = WriterOptions::default();
    let mut writer = IndexWriter::open_or_create_with(folder, &encoders.binding(), options)?;
    for (image, tags) in tags {
        // Another process may have removed it meanwhile.
        if writer.paths_of(image)?.is_empty() {
            continue;
        }
        writer.set_tags(image, tags)?;
        if writer.n_pending() >= COMMIT_EVERY {
            writer.commit()?;
        }
    }
    let mut ignored = |now: &_| {
        let _ = progress(now);
    };
    let finished = writer.finish_with(&mut building(&mut ignored))?;
    Ok(reasons(&finished.postponed))
}

/// Tags the images of the index in `folder` that were never tagged; keywords are no tags. One that
/// gets no tag counts as tagged from then on, so that a run costs no more than what is new.
pub(in crate::engine) fn tag_untagged(
    folder: &Path,
    encoders: &Encoders,
    bank: &Bank,
    progress: &mut OnProgress<'_>,
) -> Result<TaggedIndex, EngineError> {
    let reader = IndexReader::open(folder, Some(&encoders.binding()))?;
    let mut done = TaggedIndex::default();
    let images = reader.select(ItemKind::Image, &Filter::All(Vec::new()))?;
    let mut untagged = Vec::new();
    for id in images.iter() {
        if let Some(Item::Image(image)) = reader.item(id)?
            && !image.is_tagged
        {
            untagged.push(id);
        }
    }
    if untagged.is_empty() {
        return Ok(done);
    }
    let Some((tagger, bank)) = Tagger::for_index(&reader, encoders, bank, progress)? else {
        done.interrupted = true;
        return Ok(done);
    };
    done.bank = bank;
    let mut tags = Vec::new();
    let began = Instant::now();
    for batch in untagged.chunks(BATCH) {
        let flow = progress(&Progress::tagging(tags.len(), untagged.len(), 0, began));
        if flow == ControlFlow::Break(()) {
            done.interrupted = true;
            break;
        }
        for &id in batch {
            if let Some(vector) = reader.vector(id)? {
                let found = tagger.tags(&vector, MIN_TAG_CONFIDENCE);
                done.n_tagged += usize::from(!found.is_empty());
                tags.push((id, names(&found)));
            }
        }
    }
    done.postponed = save(folder, encoders, tags, progress)?;
    Ok(done)
}
