//! Pictures similar to a given one, which is not among them.

use std::path::Path;
use std::sync::Arc;

use sightline_index::{IndexReader, Item, ItemId, ItemKind, Nearest, SearchQuery, UnitVector};

use super::evidence::{Asked, Evidence, Scale};
use super::found::Found;
use super::hits::{self, SearchHit};
use super::parts::{Part, PartContent};
use super::pictures::Ranked;
use super::query::QueryEncoder;
use crate::engine::decode::Decoding;
use crate::engine::encoder::Lane;
use crate::engine::error::EngineError;
use crate::engine::indexing::walk::is_current;
use crate::engine::isolate;
use crate::engine::names::{Finder, places};

/// The picture that is asked with: its vector, and its item if the index has its content.
struct Known {
    vector: UnitVector,
    item: Option<ItemId>,
}

/// The `n` images nearest to the picture at `path`, nearest first, without those of the same
/// content. A picture of the index is not decoded, unless all pictures are to be decoded at full
/// size.
pub(in crate::engine) fn similar(
    reader: &IndexReader,
    encoder: QueryEncoder<'_>,
    path: &Path,
    n: usize,
    min_confidence: Option<f32>,
) -> Result<Vec<SearchHit>, EngineError> {
    let asked = known(Some(reader), encoder, path)?;
    let ranked = ranked(reader, encoder, &asked, n, min_confidence)?;
    hits::images(reader, ranked)
}

/// The same for an image of the index, whose hits are read later; `None` when there is no such
/// image.
pub(in crate::engine) fn find_similar(
    reader: &Arc<IndexReader>,
    encoder: QueryEncoder<'_>,
    id: ItemId,
    n: usize,
    min_confidence: Option<f32>,
) -> Result<Option<Found>, EngineError> {
    let is_image = matches!(reader.item(id)?, Some(Item::Image(_)));
    let Some(vector) = reader.vector(id)?.filter(|_| is_image) else {
        return Ok(None);
    };
    let item = Some(id);
    let asked = Known { vector, item };
    let ranked = ranked(reader, encoder, &asked, n, min_confidence)?;
    Ok(Some(Found::new(Arc::clone(reader), ranked)))
}

/// The `n` images nearest to a picture, without its own.
fn ranked(
    reader: &IndexReader,
    encoder: QueryEncoder<'_>,
    asked: &Known,
    n: usize,
    min_confidence: Option<f32>,
) -> Result<Vec<Ranked>, EngineError> {
    let mut candidates = reader.search(&SearchQuery {
        kind: ItemKind::Image,
        vector: Some(&asked.vector),
        words: None,
        n: n.saturating_add(1),
        among: None,
        filter: None,
        nearest: Nearest::default(),
    })?;
    candidates.retain(|candidate| Some(candidate.id) != asked.item);
    candidates.truncate(n);
    for (candidate, rank) in candidates.iter_mut().zip(1..) {
        candidate.rank_by_meaning = Some(rank);
    }
    let calibration = super::calibration_for(encoder, min_confidence)?;
    let scale = calibration.map(|calibration| Scale::new(calibration, Asked::Picture));
    let ranked = candidates.into_iter().map(|candidate| Ranked {
        confidence: scale.map(|scale| {
            scale.confidence(Evidence {
                picture: candidate.similarity.unwrap_or(-1.0),
                caption: None,
                coverage: 0.0,
            })
        }),
        candidate,
        caption: None,
    });
    let ranked = ranked.filter(|ranked| super::is_likely(ranked.confidence, min_confidence));
    Ok(ranked.collect())
}

/// The vector of a part that is a picture. That of a file in the index and unchanged is not encoded
/// again.
///
/// # Errors
/// When the picture cannot be read or encoded, or is to be in the index and is not.
pub(in crate::engine) fn picture_vector(
    reader: Option<&IndexReader>,
    encoder: QueryEncoder<'_>,
    part: &Part,
) -> Result<UnitVector, EngineError> {
    match (&part.content, reader) {
        (PartContent::Picture(path), _) => Ok(known(reader, encoder, path)?.vector),
        (PartContent::Bytes(bytes), _) => {
            let embedding = encoder.bytes(bytes)?.into_iter().next();
            Ok(UnitVector::new(embedding.transpose()?.unwrap_or_default())?)
        }
        (_, Some(reader)) => encoder.encode(reader, part),
        (PartContent::Item(path), None) => Err(EngineError::NotIndexed {
            path: path.clone(),
            what: "picture",
        }),
        (PartContent::Text(_), None) => Err(EngineError::EmptyQuery),
    }
}

fn known(
    reader: Option<&IndexReader>,
    encoder: QueryEncoder<'_>,
    path: &Path,
) -> Result<Known, EngineError> {
    let path = Finder::default().find(path);
    if let Some(reader) = reader
        && let Some((vector, item)) = indexed(reader, encoder, &path)?
    {
        let item = Some(item);
        return Ok(Known { vector, item });
    }
    encoded(reader, encoder, &path)
}

/// The vector and the item of the file at `path`, if it is indexed and was not changed since. One
/// that is missing, as on a disk that is not mounted, counts as unchanged.
pub(in crate::engine) fn indexed(
    reader: &IndexReader,
    encoder: QueryEncoder<'_>,
    path: &Path,
) -> Result<Option<(UnitVector, ItemId)>, EngineError> {
    let about = std::fs::metadata(path).ok();
    if about.is_some() && encoder.decode.full_decode {
        return Ok(None);
    }
    for place in places(path).unwrap_or_default() {
        let Some(record) = reader.file(&place)? else {
            continue;
        };
        if about.is_none_or(|about| is_current(&about, &record)) {
            let vector = reader.vector(record.image)?;
            return Ok(vector.map(|vector| (vector, record.image)));
        }
        break;
    }
    Ok(None)
}

/// Reads the file; decodes and encodes it if the index does not have its content.
fn encoded(
    reader: Option<&IndexReader>,
    encoder: QueryEncoder<'_>,
    path: &Path,
) -> Result<Known, EngineError> {
    let decoding = Decoding::new(encoder.decode, encoder.encoders);
    let (bytes, _share) = decoding.decoder().content(path)?;
    let mut item = None;
    if let Some(reader) = reader {
        item = reader.image_with_hash(blake3::hash(&bytes).as_bytes())?;
        if let Some(known) = item.filter(|_| !encoder.decode.full_decode)
            && let Some(vector) = reader.vector(known)?
        {
            return Ok(Known { vector, item });
        }
    }
    let picture = decoding.picture(bytes);
    let picture = picture.map_err(|source| EngineError::Picture {
        path: path.to_path_buf(),
        source,
    })?;
    let pixels = std::slice::from_ref(&picture.pixels);
    let mut embeddings = isolate::pictures(encoder.encoders, Lane::Whole, pixels)?;
    if let Some(Err(EngineError::NotEncoded { what, .. })) = embeddings.first_mut() {
        *what = path.display().to_string().into();
    }
    let embedding = embeddings.into_iter().next().transpose()?;
    let vector = UnitVector::new(embedding.unwrap_or_default())?;
    Ok(Known { vector, item })
}
