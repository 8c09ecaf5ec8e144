//! What a search is asked for.

use std::path::PathBuf;

use sightline_index::Filter;
use sightline_onnx::Language as TextLanguage;

use super::parts::{By, Query};

/// A query for [`Engine::search`](crate::Engine::search) and
/// [`Engine::search_captions`](crate::Engine::search_captions).
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRequest {
    /// What to look for.
    pub query: Query,
    /// The maximum number of hits.
    pub n: usize,
    /// What counts as a match.
    pub by: By,
    /// A condition that hits meet, beside those of the query.
    pub filter: Option<Filter>,
    /// Leaves out hits of which less is likely, 0…1; for a model whose cosines are calibrated.
    pub min_confidence: Option<f32>,
    /// The language of the texts, which chooses among the text towers of a model; `None`: of each
    /// by its script, letters and words, and where those leave it open, the language of the index.
    pub language: Option<TextLanguage>,
}

impl SearchRequest {
    /// A query in its usual ranking, at most `n` hits.
    #[must_use]
    pub fn new(query: Query, n: usize) -> Self {
        Self {
            by: query.usual_ranking(),
            query,
            n,
            filter: None,
            min_confidence: None,
            language: None,
        }
    }

    /// By words and meaning, at most `n` hits. The text is taken literally.
    pub fn text(text: impl Into<String>, n: usize) -> Self {
        Self::new(Query::text(text), n)
    }

    /// Items similar to the picture in this file, at most `n` hits.
    pub fn picture(path: impl Into<PathBuf>, n: usize) -> Self {
        Self::new(Query::picture(path), n)
    }
}
