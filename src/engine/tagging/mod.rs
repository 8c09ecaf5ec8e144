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
use super::report::{OnProgress, Progress, Skipped};
use super::search::{self, Part, QueryEncoder};
use pictures::PictureVector;
use request::{BATCH, names};
pub use request::{
    LabelReport, MIN_TAG_CONFIDENCE, RepeatedLabel, Tag, TagReport, TagRequest, TagSidecar,
    TaggedPicture,
};
use sidecar::SidecarWriter;
pub(super) use store::tag_untagged;
use tagger::Tagger;

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
    let Some((tagger, bank, labels)) = Tagger::new(encoder, bank, request, progress)? else {
        report.interrupted = true;
        return Ok(report);
    };
    (report.bank, report.labels) = (bank, labels);
    let began = Instant::now();
    let n_total = request.given.len() + files.len();
    tag_given(&tagger, reader, encoder, request, &mut report);
    let mut saved: Vec<(ItemId, Vec<String>)> = Vec::new();
    let mut sidecars = SidecarWriter::default();
    for batch in files.chunks(BATCH) {
        let (n_done, n_skipped) = (report.pictures.len(), report.skipped.len());
        let flow = progress(&Progress::tagging(n_done, n_total, n_skipped, began));
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
                .then(|| sidecars.write(&path, &names(&tags)));
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

/// Tags the pictures without a file.
fn tag_given(
    tagger: &Tagger,
    reader: Option<&IndexReader>,
    encoder: QueryEncoder<'_>,
    request: &TagRequest,
    report: &mut TagReport,
) {
    for (path, bytes) in &request.given {
        let path = path.clone();
        let vector = match search::picture_vector(reader, encoder, &Part::bytes(bytes.as_slice())) {
            Ok(vector) => vector,
            Err(error) => {
                report.skipped.push(Skipped {
                    path,
                    reason: error.to_string(),
                });
                continue;
            }
        };
        if request.write_xmp {
            report.unwritten.push(Skipped {
                path: path.clone(),
                reason: "the picture has no file".to_owned(),
            });
        }
        report.n_not_indexed += usize::from(request.save);
        report.pictures.push(TaggedPicture {
            path,
            tags: tagger.tags(&vector, request.min_confidence),
            sidecar: None,
        });
    }
}
