//! A query in the terms of the index: encoded once.

use sightline_index::{Filter, UnitVector};

use super::evidence::Asked;
use super::request::{By, Query, SearchRequest};
use crate::engine::decode::{DecodeOptions, Decoding};
use crate::engine::encoder::{Encoders, Lane, LanguageHint};
use crate::engine::error::EngineError;
use crate::engine::isolate;
use crate::engine::names::Finder;

/// The minimum length of each ranking: enough that an item far down one of them can still be
/// lifted by the other.
pub(super) const FUSION_DEPTH: usize = 200;

/// The model that encodes queries, and how it is shown pictures.
#[derive(Clone, Copy)]
pub(in crate::engine) struct QueryEncoder<'a> {
    pub(in crate::engine) encoders: &'a Encoders,
    pub(in crate::engine) decode: &'a DecodeOptions,
    /// The language of texts.
    pub(in crate::engine) hint: LanguageHint,
}

/// A query in the terms of the index.
pub(super) struct EncodedQuery<'a> {
    pub(super) vector: Option<UnitVector>,
    pub(super) words: Option<&'a str>,
    pub(super) filter: Option<&'a Filter>,
    pub(super) asked: Asked,
}

impl<'a> EncodedQuery<'a> {
    pub(super) fn new(
        encoder: QueryEncoder<'_>,
        request: &'a SearchRequest,
    ) -> Result<Self, EngineError> {
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
            asked: match query {
                Query::Text(_) => Asked::Words,
                Query::Picture(_) => Asked::Picture,
            },
        })
    }
}

impl QueryEncoder<'_> {
    fn knows(self, query: &Query) -> Result<bool, EngineError> {
        match query {
            Query::Text(text) => self.encoders.text(text, self.hint)?.knows(text),
            Query::Picture(_) => Ok(true),
        }
    }

    fn encode(self, query: &Query) -> Result<UnitVector, EngineError> {
        let Self {
            encoders,
            decode,
            hint,
        } = self;
        let embeddings = match query {
            Query::Text(text) => isolate::queries(encoders, &[text], hint)?,
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
