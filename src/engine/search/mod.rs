//! Answers a query: a weighted sum of texts and pictures against the images or the captions of the
//! index, of which some may be chosen.
//!
//! What a user types becomes a [`Query`] first ([`syntax`], [`negation`]), which says all that will
//! be done. Its parts are encoded once and summed up ([`combine`]); its conditions choose items
//! ([`restrict`]). One call of the index finds candidates ([`IndexReader::search`]); [`pictures`]
//! ranks them by how likely they are ([`evidence`]), or where the model's cosines are not
//! calibrated, [`rank`] fuses their two rankings. Another call fetches the items of the final hits
//! ([`IndexReader::items`]). Captions are found by their distinct vectors and texts ([`captions`]).
//! A picture of the index needs no encoding (`similar`). A query is changed turn by turn in a
//! [`Refinement`], by what was typed ([`Turn`]).

mod captions;
mod combine;
mod condition;
mod evidence;
mod found;
mod hits;
mod known;
mod near;
mod negation;
mod parts;
mod pictures;
mod query;
mod rank;
mod refine;
mod request;
mod restrict;
mod similar;
mod syntax;
#[cfg(test)]
mod tests;
mod turn;

use std::sync::Arc;

use sightline_index::{IndexReader, ItemKind};
use sightline_onnx::Calibration;

use crate::engine::error::EngineError;

pub use crate::engine::indexing::geography::Town;
pub use captions::CaptionHit;
pub use condition::{Condition, Key};
pub use evidence::{Confidence, Strength};
pub(super) use evidence::{confidence_in_picture, log_odds_of_text};
pub use found::Found;
pub use hits::{CaptionMatch, SearchHit};
pub(super) use known::KnownTexts;
pub use near::Vicinity;
pub use parts::{By, Part, PartContent, Query, TypedPath, UnknownKey};
use pictures::Ranked;
use query::EncodedQuery;
pub(super) use query::QueryEncoder;
pub use refine::{RefineError, RefineOptions, Refinement};
pub use request::SearchRequest;
pub(super) use similar::{find_similar, indexed, picture_vector, similar};
pub(super) use syntax::parse;
pub use turn::{QueryChange, Turn, TurnError};

/// Images that match a query, best first.
///
/// # Errors
/// When the query is empty, the picture cannot be read, or the index or the model fails.
pub(super) fn images(
    reader: &IndexReader,
    encoder: QueryEncoder<'_>,
    request: &SearchRequest,
) -> Result<Vec<SearchHit>, EngineError> {
    hits::images(reader, ranked(reader, encoder, request)?)
}

/// The same, whose hits are read later.
///
/// # Errors
/// As [`images`].
pub(super) fn find(
    reader: Arc<IndexReader>,
    encoder: QueryEncoder<'_>,
    request: &SearchRequest,
) -> Result<Found, EngineError> {
    let ranked = ranked(&reader, encoder, request)?;
    Ok(Found::new(reader, ranked))
}

fn ranked(
    reader: &IndexReader,
    encoder: QueryEncoder<'_>,
    request: &SearchRequest,
) -> Result<Vec<Ranked>, EngineError> {
    let query = EncodedQuery::new(encoder, reader, ItemKind::Image, request)?;
    let calibration = calibration(encoder, request)?;
    let mut ranked = pictures::ranked(reader, &query, calibration, request.n)?;
    ranked.retain(|ranked| is_likely(ranked.confidence, request.min_confidence));
    Ok(ranked)
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
    let query = EncodedQuery::new(encoder, reader, ItemKind::Caption, request)?;
    let calibration = calibration(encoder, request)?;
    let mut hits = captions::ranked(reader, &query, calibration, request.n)?;
    hits.retain(|hit| is_likely(hit.confidence, request.min_confidence));
    Ok(hits)
}

/// What the model's cosines mean, which a lowest confidence requires.
fn calibration(
    encoder: QueryEncoder<'_>,
    request: &SearchRequest,
) -> Result<Option<Calibration>, EngineError> {
    if request.min_confidence.is_some() && request.by == By::Words {
        return Err(EngineError::ConfidenceByWords);
    }
    calibration_for(encoder, request.min_confidence)
}

/// The same for a picture as query, of which there is no search by words.
pub(super) fn calibration_for(
    encoder: QueryEncoder<'_>,
    min_confidence: Option<f32>,
) -> Result<Option<Calibration>, EngineError> {
    let calibration = encoder.encoders.calibration();
    if min_confidence.is_some() && calibration.is_none() {
        return Err(EngineError::NotCalibrated {
            model: encoder.encoders.identity().name.clone(),
        });
    }
    Ok(calibration)
}

/// Whether a hit has at least the confidence that was asked for. One without any was found by words
/// alone, as of a query that the model does not know.
pub(super) fn is_likely(confidence: Option<Confidence>, min: Option<f32>) -> bool {
    confidence
        .zip(min)
        .is_none_or(|(confidence, min)| confidence.value() >= min)
}
