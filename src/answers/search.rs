//! Hits of `search` and `captions`.

use std::time::Duration;

use serde::Serialize;

use super::{PathAnswer, paths};
use crate::engine::{By, CaptionHit, Details, Query, SearchHit};

/// The answer to a search: the query and its hits, best first.
#[derive(Debug, Clone, Serialize)]
pub struct FoundAnswer<'a> {
    query: QueryAnswer<'a>,
    by: &'static str,
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
    /// The answer to `query`, matched `by`, that `took` this long.
    #[must_use]
    pub fn new(query: &'a Query, by: By, took: Duration, hits: Vec<HitAnswer<'a>>) -> Self {
        Self {
            query: match query {
                Query::Text(text) => QueryAnswer::Text(text),
                Query::Picture(path) => QueryAnswer::Image(path.as_path().into()),
            },
            by: match by {
                By::Meaning => "meaning",
                By::Words => "words",
                By::Both => "both",
            },
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

/// A picture that was found.
#[derive(Debug, Clone, Serialize)]
pub struct ImageHitAnswer<'a> {
    rank: usize,
    #[serde(flatten)]
    file: PathAnswer<'a>,
    other_paths: Vec<PathAnswer<'a>>,
    similarity: Option<f32>,
    by: Vec<&'static str>,
    words: &'a [String],
    captions: &'a [String],
    width: u32,
    height: u32,
    camera: Option<&'a str>,
    taken: Option<String>,
    places: &'a [String],
}

/// A caption that was found.
#[derive(Debug, Clone, Serialize)]
pub struct CaptionHitAnswer<'a> {
    rank: usize,
    text: &'a str,
    similarity: Option<f32>,
    words: &'a [String],
    images: Vec<PathAnswer<'a>>,
    source: PathAnswer<'a>,
}

impl<'a> HitAnswer<'a> {
    /// The picture at this rank, from 1.
    #[must_use]
    pub fn image((rank, hit): (usize, &'a SearchHit)) -> Self {
        let SearchHit {
            paths: files,
            similarity,
            rank_by_meaning,
            rank_by_words,
            words,
            captions,
            width,
            height,
            details:
                Details {
                    camera,
                    taken,
                    places,
                },
        } = hit;
        let by_meaning = rank_by_meaning.map(|_| "meaning");
        Self::Image(ImageHitAnswer {
            rank,
            file: hit.path().into(),
            other_paths: paths(files.get(1..).unwrap_or_default()),
            similarity: *similarity,
            by: by_meaning
                .into_iter()
                .chain(rank_by_words.map(|_| "words"))
                .collect(),
            words,
            captions,
            width: *width,
            height: *height,
            camera: camera.as_deref(),
            taken: taken.map(|taken| taken.to_string()),
            places,
        })
    }

    /// The caption at this rank, from 1.
    #[must_use]
    pub fn caption((rank, hit): (usize, &'a CaptionHit)) -> Self {
        Self::Caption(CaptionHitAnswer {
            rank,
            text: &hit.text,
            similarity: hit.similarity,
            words: &hit.words,
            images: paths(&hit.pictures),
            source: hit.source.as_path().into(),
        })
    }
}
