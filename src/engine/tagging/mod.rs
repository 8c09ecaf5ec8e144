//! Tags pictures by their vectors: those of the index as they are, others decoded and encoded.
//! Tags go to the caller, into XMP sidecars ([`sidecar`]) and into the index ([`store`]).

mod pictures;
mod request;
mod sidecar;
mod store;
mod tagger;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use sightline_index::{IndexReader, ItemId};

use super::bank::Bank;
use super::error::EngineError;
use super::report::{FirstRuns, OnProgress, Progress, Stage};
use super::search::QueryEncoder;
use pictures::PictureVector;
use request::names;
pub use request::{MIN_TAG_CONFIDENCE, Tag, TagReport, TagRequest, TagSidecar, TaggedPicture};
pub(super) use store::tag_untagged;
use tagger::Tagger;

/// Pictures that are tagged between two reports of progress.
const BATCH: usize = 64;

/// See [`Engine::tag`](crate::Engine::tag).
pub(super) fn tag(
    folder: &Path,
    reader: Option<&IndexReader>,
    encoder: QueryEncoder<'_>,
    bank: &Bank,
    request: &TagRequest,
    progress: &mut OnProgress<'_>,
) -> Result<TagReport, EngineError> {
    let mut report = TagReport::default();
    // Whatever can be refused is checked before pictures are read.
    let files = pictures::files(reader, encoder, &request.paths, &mut report.skipped)?;
    let Some((tagger, bank)) = Tagger::new(encoder, bank, request, progress)? else {
        report.interrupted = true;
        return Ok(report);
    };
    report.bank = bank;
    let began = Instant::now();
    let mut saved: Vec<(ItemId, Vec<String>)> = Vec::new();
    for batch in files.chunks(BATCH) {
        let flow = progress(&Progress {
            stage: Stage::Tagging,
            n_done: report.pictures.len(),
            n_total: files.len(),
            n_skipped: report.skipped.len(),
            elapsed: began.elapsed(),
            first_runs: FirstRuns::default(),
        });
        if flow == ControlFlow::Break(()) {
            report.interrupted = true;
            break;
        }
        for (path, found) in pictures::vectors(reader, encoder, batch, &mut report.skipped)? {
            let PictureVector { vector, item } = found;
            let tags = tagger.tags(&vector, request.min_confidence);
            if request.save {
                match item {
                    Some(item) => saved.push((item, names(&tags))),
                    None => report.n_not_indexed += 1,
                }
            }
            let sidecar = (request.write_xmp && !tags.is_empty())
                .then(|| sidecar::write(&path, &names(&tags)));
            let sidecar = sidecar.and_then(|written| match written {
                Ok(sidecar) => Some(sidecar),
                Err(skipped) => {
                    report.unwritten.push(skipped);
                    None
                }
            });
            report.pictures.push(TaggedPicture {
                path,
                tags,
                sidecar,
            });
        }
    }
    if request.save {
        report.n_saved = saved.len();
        report.postponed = store::save(folder, encoder.encoders, saved, progress)?;
    }
    Ok(report)
}
