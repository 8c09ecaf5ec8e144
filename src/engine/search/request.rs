//! What a search is asked for.

use std::path::PathBuf;

use serde::Serialize;
use sightline_index::Filter;
use sightline_onnx::Language as TextLanguage;

/// The query of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Words.
    Text(String),
    /// The picture in this file, which need not be in the index.
    Picture(PathBuf),
}

/// What counts as a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The model's similarity.
    Meaning,
    /// Keywords in captions, file and folder names, camera, date and places (BM25).
    Words,
    /// Both rankings, fused. A picture as query has no words and is matched by meaning alone.
    #[default]
    Both,
}

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
    /// A condition that hits meet.
    pub filter: Option<Filter>,
    /// Leaves out hits of which less is likely, 0…1; for a model whose cosines are calibrated.
    pub min_confidence: Option<f32>,
    /// The language of a text, which chooses among the text towers of a model; `None`: by its
    /// script, letters and words, and where those leave it open, the language of the index.
    pub language: Option<TextLanguage>,
}

impl SearchRequest {
    /// By words and meaning, at most `n` hits.
    pub fn text(text: impl Into<String>, n: usize) -> Self {
        Self {
            query: Query::Text(text.into()),
            n,
            by: By::default(),
            filter: None,
            min_confidence: None,
            language: None,
        }
    }

    /// Items similar to the picture in this file, at most `n` hits.
    pub fn picture(path: impl Into<PathBuf>, n: usize) -> Self {
        Self {
            query: Query::Picture(path.into()),
            n,
            by: By::Meaning,
            filter: None,
            min_confidence: None,
            language: None,
        }
    }
}
