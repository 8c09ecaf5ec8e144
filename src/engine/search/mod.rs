//! Answers a query: words or a picture against the images or the captions of the index.
//!
//! The query is encoded once. One call of the index finds candidates ([`IndexReader::search`]);
//! [`pictures`] ranks them by how likely they are ([`evidence`]), or where the model's cosines are
//! not calibrated, [`rank`] fuses their two rankings. Another call fetches the items of the final
//! hits ([`IndexReader::items`]). Captions are found by their distinct vectors and texts
//! ([`captions`]).

mod captions;
mod evidence;
mod hits;
mod pictures;
mod query;
mod rank;
mod request;

use sightline_index::IndexReader;
use sightline_onnx::Calibration;

use crate::engine::error::EngineError;

pub use captions::CaptionHit;
pub use evidence::{Confidence, Strength};
pub use hits::{CaptionMatch, SearchHit};
use query::EncodedQuery;
pub(super) use query::QueryEncoder;
pub use request::{By, Query, SearchRequest};

/// Images that match a query, best first.
///
/// # Errors
/// When the query is empty, the picture cannot be read, or the index or the model fails.
pub(super) fn images(
    reader: &IndexReader,
    encoder: QueryEncoder<'_>,
    request: &SearchRequest,
) -> Result<Vec<SearchHit>, EngineError> {
    let query = EncodedQuery::new(encoder, request)?;
    let calibration = calibration(encoder, request)?;
    let mut ranked = pictures::ranked(reader, &query, calibration, request.n)?;
    ranked.retain(|ranked| is_likely(ranked.confidence, request));
    hits::images(reader, ranked)
}

/// Captions that match a query, best first. Equal texts are one hit.
///
/// # Errors
/// As [`images`].
pub(super) fn captions(
    reader: &IndexReader,
    encoder: QueryEncoder<'_>,
    request: &SearchRequest,
) -> Result<Vec<CaptionHit>, EngineError> {
    let query = EncodedQuery::new(encoder, request)?;
    let calibration = calibration(encoder, request)?;
    let mut hits = captions::ranked(reader, &query, calibration, request.n)?;
    hits.retain(|hit| is_likely(hit.confidence, request));
    Ok(hits)
}

/// What the model's cosines mean, which a lowest confidence requires.
fn calibration(
    encoder: QueryEncoder<'_>,
    request: &SearchRequest,
) -> Result<Option<Calibration>, EngineError> {
    let calibration = encoder.encoders.calibration();
    if request.min_confidence.is_some() {
        if request.by == By::Words {
            return Err(EngineError::ConfidenceByWords);
        }
        if calibration.is_none() {
            return Err(EngineError::NotCalibrated {
                model: encoder.encoders.identity().name.clone(),
            });
        }
    }
    Ok(calibration)
}

/// Whether a hit has at least the confidence that was asked for. One without any was found by words
/// alone, as of a query that the model does not know.
fn is_likely(confidence: Option<Confidence>, request: &SearchRequest) -> bool {
    confidence
        .zip(request.min_confidence)
        .is_none_or(|(confidence, min)| confidence.value() >= min)
}
