//! Pictures that match a query, made from the items of the index.

use std::path::{Path, PathBuf};

use sightline_index::{Details, FullItem, IndexReader, Item, ItemId};

use super::evidence::Confidence;
use super::pictures::Ranked;
use crate::engine::error::EngineError;

/// A picture that matches a query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SearchHit {
    /// Its item.
    pub id: ItemId,
    /// BLAKE3 hash of its files' content.
    pub content_hash: [u8; 32],
    /// All files with this content, at least one.
    pub paths: Vec<PathBuf>,
    /// Cosine of query and picture, −1…1, higher is nearer; `None` in a search by words alone.
    pub similarity: Option<f32>,
    /// How likely it is what was asked for. Falls from hit to hit. `None` in a search by words
    /// alone, and for a model whose cosines are not calibrated.
    pub confidence: Option<Confidence>,
    /// The caption by which it was found, if the meaning of one was near the query.
    pub caption: Option<CaptionMatch>,
    /// Rank by similarity, from 1; `None` when it is not among the candidates.
    pub rank_by_meaning: Option<usize>,
    /// Rank among the keyword matches, from 1; `None` when it is not one.
    pub rank_by_words: Option<usize>,
    /// Words of the query found in its captions, file and folder names, camera, date or places.
    pub words: Vec<String>,
    /// Its captions, in the order of their files.
    pub captions: Vec<String>,
    /// Width in pixels, upright.
    pub width: u32,
    /// Height in pixels, upright.
    pub height: u32,
    /// What its file says about it: camera, date, places.
    pub details: Details,
    /// The tags that it was given by [`Engine::tag`](crate::Engine::tag) or in indexing. Keywords,
    /// which somebody wrote, are among the details.
    pub tags: Vec<String>,
}

impl SearchHit {
    /// The first of its paths; empty when it has none.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.paths.first().map_or(Path::new(""), PathBuf::as_path)
    }
}

/// A caption whose meaning is near a query.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptionMatch {
    /// The caption.
    pub text: String,
    /// Cosine of query and caption, −1…1, higher is nearer.
    pub similarity: f32,
}

/// The images of ranked candidates.
pub(super) fn images(
    reader: &IndexReader,
    ranked: Vec<Ranked>,
) -> Result<Vec<SearchHit>, EngineError> {
    let ids: Vec<ItemId> = ranked.iter().map(|ranked| ranked.candidate.id).collect();
    let mut items = reader.items(&ids)?;
    let mut hits = Vec::with_capacity(ranked.len());
    for ranked in ranked {
        let Ranked {
            candidate,
            confidence,
            caption,
        } = ranked;
        let Some(FullItem::Image { image, captions }) = items.remove(&candidate.id) else {
            continue;
        };
        // Its file was overwritten by a run that may still find the content elsewhere.
        if image.paths.is_empty() {
            continue;
        }
        let caption = match caption {
            Some(near) => match reader.item(near.id)? {
                Some(Item::Caption(caption)) => Some(CaptionMatch {
                    text: caption.text,
                    similarity: near.similarity,
                }),
                _ => None,
            },
            None => None,
        };
        hits.push(SearchHit {
            id: candidate.id,
            content_hash: image.content_hash,
            confidence,
            caption,
            paths: image.paths,
            similarity: candidate.similarity,
            rank_by_meaning: candidate.rank_by_meaning,
            rank_by_words: candidate.rank_by_words,
            words: candidate.words,
            captions: captions.into_iter().map(|caption| caption.text).collect(),
            width: image.width,
            height: image.height,
            details: image.details.unwrap_or_default(),
            tags: image.tags,
        });
    }
    Ok(hits)
}
