//! Hits of `search` and `captions`.

use std::time::Duration;

use serde::Serialize;

use super::{PathAnswer, paths};
use crate::engine::{
    By, CaptionHit, CaptionMatch, Confidence, Query, Reading, SearchHit, Strength,
};

/// The answer to a search: the query and its hits, best first.
#[derive(Debug, Clone, Serialize)]
pub struct FoundAnswer<'a> {
    query: QueryAnswer<'a>,
    by: By,
    known_to_model: Option<bool>,
    language: Option<&'static str>,
    text_tower: Option<usize>,
    took_ms: f64,
    hits: Vec<HitAnswer<'a>>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase")]
enum QueryAnswer<'a> {
    Text(&'a str),
    Image(PathAnswer<'a>),
}

impl<'a> FoundAnswer<'a> {
    /// The answer to `query`, matched `by`, that `took` this long. `reading`: what the model made
    /// of a text; none where no text was encoded.
    #[must_use]
    pub fn new(
        query: &'a Query,
        by: By,
        reading: Option<Reading>,
        took: Duration,
        hits: Vec<HitAnswer<'a>>,
    ) -> Self {
        Self {
            query: match query {
                Query::Text(text) => QueryAnswer::Text(text),
                Query::Picture(path) => QueryAnswer::Image(path.as_path().into()),
            },
            by,
            known_to_model: reading.map(|reading| reading.is_known),
            language: reading.and_then(|reading| Some(reading.language?.code())),
            text_tower: reading.and_then(|reading| reading.tower),
            took_ms: (took.as_secs_f64() * 1e4).round() / 10.0,
            hits,
        }
    }
}

/// A picture or a caption that was found.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum HitAnswer<'a> {
    /// A picture.
    Image(ImageHitAnswer<'a>),
    /// A caption.
    Caption(CaptionHitAnswer<'a>),
}

answers! {
    /// A picture that was found, and its rank from 1.
    pub struct ImageHitAnswer<'a> from (rank, hit) in (usize, &'a SearchHit) {
        rank: usize = rank,
        #[serde(flatten)]
        file: PathAnswer<'a> = hit.path().into(),
        other_paths: Vec<PathAnswer<'a>> = paths(hit.paths.get(1..).unwrap_or_default()),
        confidence: Option<f32> = hit.confidence.map(Confidence::value),
        strength: Option<Strength> = hit.confidence.map(Confidence::strength),
        similarity: Option<f32> = hit.similarity,
        by: Vec<&'static str> = {
            let by_meaning = hit.rank_by_meaning.map(|_| "meaning");
            let by_words = hit.rank_by_words.map(|_| "words");
            let by_caption = hit.caption.as_ref().map(|_| "caption");
            [by_meaning, by_words, by_caption].into_iter().flatten().collect()
        },
        rank_by_meaning: Option<usize> = hit.rank_by_meaning,
        rank_by_words: Option<usize> = hit.rank_by_words,
        caption: Option<CaptionMatchAnswer<'a>> = hit.caption.as_ref().map(Into::into),
        words: &'a [String] = &hit.words,
        captions: &'a [String] = &hit.captions,
        width: u32 = hit.width,
        height: u32 = hit.height,
        camera: Option<&'a str> = hit.details.camera.as_deref(),
        taken: Option<String> = hit.details.taken.map(|taken| taken.to_string()),
        places: &'a [String] = &hit.details.places,
    }

    /// The caption by which a picture was found.
    struct CaptionMatchAnswer<'a> from hit in &'a CaptionMatch {
        text: &'a str = &hit.text,
        similarity: f32 = hit.similarity,
    }

    /// A caption that was found, and its rank from 1.
    pub struct CaptionHitAnswer<'a> from (rank, hit) in (usize, &'a CaptionHit) {
        rank: usize = rank,
        text: &'a str = &hit.text,
        confidence: Option<f32> = hit.confidence.map(Confidence::value),
        strength: Option<Strength> = hit.confidence.map(Confidence::strength),
        similarity: Option<f32> = hit.similarity,
        words: &'a [String] = &hit.words,
        images: Vec<PathAnswer<'a>> = paths(&hit.pictures),
        count: usize = hit.n_captions,
        source: PathAnswer<'a> = hit.source.as_path().into(),
    }
}

impl<'a> From<(usize, &'a SearchHit)> for HitAnswer<'a> {
    fn from(hit: (usize, &'a SearchHit)) -> Self {
        Self::Image(hit.into())
    }
}

impl<'a> From<(usize, &'a CaptionHit)> for HitAnswer<'a> {
    fn from(hit: (usize, &'a CaptionHit)) -> Self {
        Self::Caption(hit.into())
    }
}
