//! Answers a query: a weighted sum of texts and pictures against the images or the captions of the
//! index, of which some may be chosen.
//!
//! What a user types becomes a [`Query`] first ([`syntax`], [`negation`]), which says all that will
//! be done. Its parts are encoded once and summed up ([`combine`]); its conditions choose items
//! ([`restrict`]). One call of the index finds candidates ([`IndexReader::search`]), [`rank`] fuses
//! their two rankings, and another call fetches the items of the final hits
//! ([`IndexReader::items`]). Captions are found by their distinct vectors and texts ([`captions`]).

mod captions;
mod combine;
mod condition;
mod hits;
mod negation;
mod parts;
mod query;
mod rank;
mod request;
mod restrict;
mod syntax;
#[cfg(test)]
mod tests;

use sightline_index::{IndexReader, ItemKind};

use crate::engine::error::EngineError;

pub use captions::CaptionHit;
pub use condition::{Condition, Key};
pub use hits::SearchHit;
pub use parts::{By, Part, PartContent, Query, UnknownKey};
use query::EncodedQuery;
pub(super) use query::QueryEncoder;
pub use request::SearchRequest;
pub(super) use syntax::parse;

/// Images that match a query, best first.
///
/// # Errors
/// When the query is empty, the picture cannot be read, or the index or the model fails.
pub(super) fn images(
    reader: &IndexReader,
    encoder: QueryEncoder<'_>,
    request: &SearchRequest,
) -> Result<Vec<SearchHit>, EngineError> {
    let query = EncodedQuery::new(encoder, reader, ItemKind::Image, request)?;
    hits::images(reader, query.images(reader, request.n)?)
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
    captions::ranked(reader, &query, request.n)
}
