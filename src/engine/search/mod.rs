//! Answers a query: words or a picture against the images or the captions of the index.
//!
//! The query is encoded once. One call of the index finds candidates ([`IndexReader::search`]),
//! [`rank`] fuses their two rankings, and another call fetches the items of the final hits
//! ([`IndexReader::items`]).

mod hits;
mod rank;
mod request;

use sightline_index::{Candidate, Filter, IndexReader, ItemKind, Nearest, SearchQuery, UnitVector};

use crate::engine::decode::{DecodeOptions, Decoding};
use crate::engine::encoder::{Encoders, Lane};
use crate::engine::error::EngineError;
use crate::engine::isolate;
use crate::engine::names::Finder;

pub use hits::{CaptionHit, SearchHit};
pub use request::{By, Query, SearchRequest};

/// The minimum length of each ranking: enough that an item far down one of them can still be
/// lifted by the other.
const FUSION_DEPTH: usize = 200;

/// The model that encodes queries, and how it is shown pictures.
#[derive(Clone, Copy)]
pub(super) struct QueryEncoder<'a> {
    pub(super) encoders: &'a Encoders,
    pub(super) decode: &'a DecodeOptions,
}

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
    hits::images(reader, query.ranked(reader, ItemKind::Image, request.n)?)
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
    // Joining equal texts leaves fewer, so the search is widened until enough are left.
    let mut n = request.n.saturating_mul(2);
    loop {
        let ranked = query.ranked(reader, ItemKind::Caption, n)?;
        let is_all = ranked.len() < n;
        let mut hits = hits::captions(reader, ranked)?;
        if hits.len() >= request.n || is_all {
            hits.truncate(request.n);
            return Ok(hits);
        }
        n = n.saturating_mul(2);
    }
}

/// A query in the terms of the index.
struct EncodedQuery<'a> {
    vector: Option<UnitVector>,
    words: Option<&'a str>,
    filter: Option<&'a Filter>,
}

impl<'a> EncodedQuery<'a> {
    fn new(encoder: QueryEncoder<'_>, request: &'a SearchRequest) -> Result<Self, EngineError> {
        let SearchRequest {
            query, by, filter, ..
        } = request;
        let text = match query {
            Query::Text(text) if text.trim().is_empty() => return Err(EngineError::EmptyQuery),
            Query::Text(text) => Some(text.as_str()),
            Query::Picture(_) if *by == By::Words => return Err(EngineError::PictureByWords),
            Query::Picture(_) => None,
        };
        Ok(Self {
            vector: match by {
                By::Words => None,
                // Its embedding would be that of any other unknown text.
                By::Both if !encoder.knows(query)? => None,
                By::Meaning | By::Both => Some(encoder.encode(query)?),
            },
            words: text.filter(|_| *by != By::Meaning),
            filter: filter.as_ref(),
        })
    }

    /// The best `n` items of a kind, best first.
    fn ranked(
        &self,
        reader: &IndexReader,
        kind: ItemKind,
        n: usize,
    ) -> Result<Vec<Candidate>, EngineError> {
        let candidates = reader.search(&SearchQuery {
            kind,
            vector: self.vector.as_ref(),
            words: self.words,
            n: n.max(FUSION_DEPTH),
            among: None,
            filter: self.filter,
            nearest: Nearest::default(),
        })?;
        Ok(rank::fuse(candidates, n))
    }
}

impl QueryEncoder<'_> {
    fn knows(self, query: &Query) -> Result<bool, EngineError> {
        match query {
            Query::Text(text) => self.encoders.text().knows(text),
            Query::Picture(_) => Ok(true),
        }
    }

    fn encode(self, query: &Query) -> Result<UnitVector, EngineError> {
        let Self { encoders, decode } = self;
        let embeddings = match query {
            Query::Text(text) => isolate::queries(encoders, &[text])?,
            Query::Picture(path) => {
                let path = Finder::default().find(path);
                let picture = Decoding::new(decode, encoders).file(&path)?;
                let mut embeddings = isolate::pictures(encoders, Lane::Whole, &[picture.pixels])?;
                if let Some(Err(EngineError::NotEncoded { what, .. })) = embeddings.first_mut() {
                    *what = path.display().to_string().into();
                }
                embeddings
            }
        };
        let embedding = embeddings.into_iter().next();
        Ok(UnitVector::new(embedding.transpose()?.unwrap_or_default())?)
    }
}
