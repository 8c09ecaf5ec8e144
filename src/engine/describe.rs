//! Answers "what is in this picture?": with captions of the index, or phrases of the bank.

use std::sync::Arc;

use sightline_index::{IndexError, IndexReader};

use super::bank::{Bank, BankPart, choice, contents};
use super::error::EngineError;
use super::report::{BankReport, OnProgress};
use super::search::{self, CaptionHit, Confidence, Part, Query, QueryEncoder, SearchRequest};

/// Where answers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptionSource {
    /// Captions of the index, which somebody wrote.
    Captions,
    /// Phrases of the built-in bank.
    Bank,
}

/// What is asked about a picture; for [`Engine::describe`](crate::Engine::describe).
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeRequest {
    /// A picture: a file, its bytes, or an item of the index.
    pub picture: Part,
    /// The maximum number of answers.
    pub n: usize,
    /// Leaves out answers of which less is likely, 0…1; for a model whose cosines are calibrated.
    pub min_confidence: Option<f32>,
    /// Where answers come from; `None`: captions if the index has any, else the bank.
    pub from: Option<CaptionSource>,
}

/// A phrase of the bank that fits a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct PhraseHit {
    /// The phrase, in English.
    pub text: String,
    /// What kind of phrase it is: `animals`, `scenes` and so on.
    pub group: &'static str,
    /// Cosine of picture and phrase, −1…1.
    pub similarity: f32,
    /// How likely it is about the picture. Falls from hit to hit. `None` for a model whose cosines
    /// are not calibrated.
    pub confidence: Option<Confidence>,
}

/// The answers, best first.
#[derive(Debug, Clone, PartialEq)]
pub enum DescriptionHits {
    /// Captions of the index.
    Captions(Vec<CaptionHit>),
    /// Phrases of the bank, no two of which say the same.
    Phrases(Vec<PhraseHit>),
}

/// Why the bank answered although nobody asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCaptions {
    /// There is no index.
    NoIndex,
    /// The index has no captions.
    NoneIndexed,
}

/// What [`Engine::describe`](crate::Engine::describe) found.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// The answers.
    pub hits: DescriptionHits,
    /// Why the bank answered, unless it was asked for.
    pub fallback: Option<NoCaptions>,
    /// What became of the bank's file of vectors.
    pub bank: BankReport,
}

/// See [`Engine::describe`](crate::Engine::describe). `reader`: the view of the index, or why there
/// is none.
pub(super) fn describe(
    reader: Result<Arc<IndexReader>, EngineError>,
    encoder: QueryEncoder<'_>,
    bank: &Bank,
    request: &DescribeRequest,
    progress: &mut OnProgress<'_>,
) -> Result<Option<Description>, EngineError> {
    let fallback = match (request.from, &reader) {
        (None, Ok(reader)) if reader.counts().n_captions == 0 => Some(NoCaptions::NoneIndexed),
        (None, Err(EngineError::Index(IndexError::NoIndex { .. }))) => Some(NoCaptions::NoIndex),
        _ => None,
    };
    if request.from != Some(CaptionSource::Bank) && fallback.is_none() {
        let query = Query::default().plus(request.picture.clone());
        let request = SearchRequest {
            min_confidence: request.min_confidence,
            ..SearchRequest::new(query, request.n)
        };
        return Ok(Some(Description {
            hits: DescriptionHits::Captions(search::captions(&*reader?, encoder, &request)?),
            fallback,
            bank: BankReport::default(),
        }));
    }
    let calibration = search::calibration_for(encoder, request.min_confidence)?;
    // The bank needs no index, nor one of this model.
    let picture = search::picture_vector(reader.as_deref().ok(), encoder, &request.picture)?;
    let Some((vectors, bank)) = bank.vectors(BankPart::Phrases, encoder.encoders, progress)? else {
        return Ok(None);
    };
    let chosen = choice::phrases(&vectors, &picture, calibration, request.n);
    let phrases: Vec<contents::Phrase> = contents::phrases().collect();
    let hits = chosen.into_iter().filter_map(|chosen| {
        let phrase = phrases.get(chosen.place)?;
        let hit = PhraseHit {
            text: phrase.text.to_owned(),
            group: phrase.group,
            similarity: chosen.similarity,
            confidence: chosen.confidence,
        };
        search::is_likely(hit.confidence, request.min_confidence).then_some(hit)
    });
    Ok(Some(Description {
        hits: DescriptionHits::Phrases(hits.collect()),
        fallback,
        bank,
    }))
}
