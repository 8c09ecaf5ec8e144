//! Answers a query: words or a picture against the images or the captions of the index.
//!
//! The query is encoded once. One call of the index finds candidates ([`IndexReader::search`]),
//! [`rank`] fuses their two rankings, and another call fetches the items of the final hits
//! ([`IndexReader::items`]). Captions are found by their distinct vectors and texts ([`captions`]).
//! A picture of the index needs no encoding (`similar`).

mod captions;
mod hits;
mod query;
mod rank;
mod request;
mod similar;

use sightline_index::IndexReader;

use crate::engine::error::EngineError;

pub use captions::CaptionHit;
pub use hits::SearchHit;
use query::EncodedQuery;
pub(super) use query::QueryEncoder;
pub use request::{By, Query, SearchRequest};
pub(super) use similar::similar;

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
    let query = EncodedQuery::new(encoder, request)?;
    captions::ranked(reader, &query, request.n)
}
