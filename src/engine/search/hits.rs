//! What a search returns, made from the items of the index.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sightline_index::{Candidate, Details, FullItem, IndexReader, ItemId};

use crate::engine::error::EngineError;

/// A picture that matches a query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SearchHit {
    /// All files with this content, at least one.
    pub paths: Vec<PathBuf>,
    /// Cosine of query and picture, −1…1, higher is nearer; `None` in a search by words alone.
    pub similarity: Option<f32>,
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
}

impl SearchHit {
    /// The first of its paths; empty when it has none.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.paths.first().map_or(Path::new(""), PathBuf::as_path)
    }
}

/// A caption that matches a query.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptionHit {
    /// The caption.
    pub text: String,
    /// Cosine of query and caption, −1…1; `None` in a search by words alone.
    pub similarity: Option<f32>,
    /// Words of the query found in it.
    pub words: Vec<String>,
    /// Files of the pictures it describes; empty for a caption of a plain text list.
    pub pictures: Vec<PathBuf>,
    /// The file it came from.
    pub source: PathBuf,
}

/// The images of ranked candidates.
pub(super) fn images(
    reader: &IndexReader,
    ranked: Vec<Candidate>,
) -> Result<Vec<SearchHit>, EngineError> {
    let mut items = items(reader, &ranked)?;
    let hit = |candidate: Candidate| {
        let Some(FullItem::Image { image, captions }) = items.remove(&candidate.id) else {
            return None;
        };
        // Its file was overwritten by a run that may still find the content elsewhere.
        if image.paths.is_empty() {
            return None;
        }
        Some(SearchHit {
            paths: image.paths,
            similarity: candidate.similarity,
            rank_by_meaning: candidate.rank_by_meaning,
            rank_by_words: candidate.rank_by_words,
            words: candidate.words,
            captions: captions.into_iter().map(|caption| caption.text).collect(),
            width: image.width,
            height: image.height,
            details: image.details.unwrap_or_default(),
        })
    };
    Ok(ranked.into_iter().filter_map(hit).collect())
}

/// The captions of ranked candidates. Equal texts are one hit, at the best of their ranks, with the
/// pictures of all.
pub(super) fn captions(
    reader: &IndexReader,
    ranked: Vec<Candidate>,
) -> Result<Vec<CaptionHit>, EngineError> {
    let mut items = items(reader, &ranked)?;
    let mut hits: Vec<CaptionHit> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for candidate in ranked {
        let Some(FullItem::Caption {
            caption,
            image_paths,
        }) = items.remove(&candidate.id)
        else {
            continue;
        };
        // As for images.
        if caption.image.is_some() && image_paths.is_empty() {
            continue;
        }
        if let Some(&place) = places.get(&caption.text) {
            let pictures = &mut hits[place].pictures;
            for path in image_paths {
                if !pictures.contains(&path) {
                    pictures.push(path);
                }
            }
            continue;
        }
        places.insert(caption.text.clone(), hits.len());
        hits.push(CaptionHit {
            text: caption.text,
            similarity: candidate.similarity,
            words: candidate.words,
            pictures: image_paths,
            source: caption.source,
        });
    }
    Ok(hits)
}

fn items(
    reader: &IndexReader,
    ranked: &[Candidate],
) -> Result<HashMap<ItemId, FullItem>, EngineError> {
    let ids: Vec<ItemId> = ranked.iter().map(|candidate| candidate.id).collect();
    Ok(reader.items(&ids)?)
}
