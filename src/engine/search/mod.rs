//! Answers a query: a text or a picture against the images or the captions of the index.

pub(crate) mod rank;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sightline_index::{Caption, IndexReader, Item, ItemId, ItemKind, Nearest, UnitVector};

use super::{Engine, EngineError};
use crate::engine::decode::Decoding;
use crate::engine::report::{CaptionHit, SearchHit};
use crate::engine::search::rank::{Fused, fuse};

/// How many of each ranking are joined: deep enough that an item far down one list can still be
/// lifted by the other.
const FUSION_DEPTH: usize = 200;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Words.
    Text(String),
    /// The picture in this file, which need not be in the index.
    Picture(PathBuf),
}

/// What counts as a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum By {
    /// The model's similarity.
    Meaning,
    /// Keywords in captions, file and folder names, camera, date and places (BM25).
    Words,
    /// Both rankings joined; a picture as query has no words and goes by meaning.
    #[default]
    Both,
}

/// Which kind of item is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Find {
    /// Pictures.
    #[default]
    Images,
    /// Captions.
    Captions,
}

/// A query for [`Engine::search`] and [`Engine::search_captions`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchRequest {
    /// What is asked.
    pub query: Query,
    /// At most this many hits.
    pub n: usize,
    /// What counts as a match.
    pub by: By,
}

impl SearchRequest {
    /// By words and meaning, `n` hits.
    pub fn text(text: impl Into<String>, n: usize) -> Self {
        Self {
            query: Query::Text(text.into()),
            n,
            by: By::default(),
        }
    }

    /// Pictures like the one in this file, `n` hits.
    pub fn picture(path: impl Into<PathBuf>, n: usize) -> Self {
        Self {
            query: Query::Picture(path.into()),
            n,
            by: By::Meaning,
        }
    }
}

/// One ranking of item ids with what each hit needs to say why it is there.
struct Ranking {
    fused: Vec<Fused<ItemId>>,
    similarity: HashMap<ItemId, f32>,
    words: HashMap<ItemId, Vec<String>>,
    vector: Option<UnitVector>,
}

impl Ranking {
    /// A hit found by its words alone is scored too, so that all hits can be compared.
    fn similarity(&self, reader: &IndexReader, id: ItemId) -> Result<Option<f32>, EngineError> {
        if let Some(&similarity) = self.similarity.get(&id) {
            return Ok(Some(similarity));
        }
        let Some(query) = &self.vector else {
            return Ok(None);
        };
        let stored = reader.vector(id)?;
        Ok(stored.map(|stored| {
            query
                .as_slice()
                .iter()
                .zip(stored.as_slice())
                .map(|(a, b)| a * b)
                .sum()
        }))
    }
}

impl Engine {
    /// Images that match a query, best first. No two hits are the same picture.
    ///
    /// # Errors
    /// When the query is empty, the picture cannot be read, the index is missing or was made by
    /// another model, or the model cannot be run.
    pub fn search(&self, request: &SearchRequest) -> Result<Vec<SearchHit>, EngineError> {
        let reader = self.reader()?;
        let ranking = self.rank(&reader, request, ItemKind::Image, request.n)?;
        let mut hits = Vec::with_capacity(ranking.fused.len());
        for fused in &ranking.fused {
            let Some(Item::Image(image)) = reader.item(fused.id)? else {
                continue;
            };
            // Its file has been overwritten, and the run that would find it elsewhere is not over.
            if image.paths.is_empty() {
                continue;
            }
            let captions = reader.captions_of(fused.id)?;
            hits.push(SearchHit {
                paths: image.paths,
                similarity: ranking.similarity(&reader, fused.id)?,
                rank_by_meaning: fused.rank_by_meaning,
                rank_by_words: fused.rank_by_words,
                words: ranking.words.get(&fused.id).cloned().unwrap_or_default(),
                captions: captions.into_iter().map(|caption| caption.text).collect(),
                width: image.width,
                height: image.height,
                details: image.details.unwrap_or_default(),
            });
        }
        Ok(hits)
    }

    /// Captions that fit a picture, best first: reverse look-up. The picture need not be indexed.
    ///
    /// # Errors
    /// As [`Engine::search`].
    pub fn captions(&self, picture: &Path, n: usize) -> Result<Vec<CaptionHit>, EngineError> {
        self.search_captions(&SearchRequest::picture(picture, n))
    }

    /// Captions that match a query, best first. The same words from several files are one hit.
    ///
    /// # Errors
    /// As [`Engine::search`].
    pub fn search_captions(&self, request: &SearchRequest) -> Result<Vec<CaptionHit>, EngineError> {
        let reader = self.reader()?;
        // Equal texts are joined below, so more than `n` are fetched until `n` remain or none
        // are left to fetch.
        let mut n_fetched = request.n.saturating_mul(2);
        loop {
            let ranking = self.rank(&reader, request, ItemKind::Caption, n_fetched)?;
            let hits = caption_hits(&reader, &ranking)?;
            if hits.len() >= request.n || ranking.fused.len() < n_fetched {
                return Ok(hits.into_iter().take(request.n).collect());
            }
            n_fetched = n_fetched.saturating_mul(2);
        }
    }

    /// How many tokens at the end of a text the model will not read.
    ///
    /// # Errors
    /// When the model cannot be loaded.
    pub fn n_tokens_dropped(&self, text: &str) -> Result<usize, EngineError> {
        self.encoders().text().n_tokens_dropped(text)
    }

    fn rank(
        &self,
        reader: &IndexReader,
        request: &SearchRequest,
        kind: ItemKind,
        n: usize,
    ) -> Result<Ranking, EngineError> {
        let text = match &request.query {
            Query::Text(text) if text.trim().is_empty() => return Err(EngineError::EmptyQuery),
            Query::Text(text) => Some(text.as_str()),
            Query::Picture(_) if request.by == By::Words => {
                return Err(EngineError::PictureByWords);
            }
            Query::Picture(_) => None,
        };
        let depth = n.max(FUSION_DEPTH);
        let vector = if request.by == By::Words {
            None
        } else {
            Some(self.vector_of(&request.query)?)
        };
        let near = match &vector {
            Some(vector) => reader.nearest(kind, vector, depth, &Nearest::default())?,
            None => Vec::new(),
        };
        let matches = match text {
            Some(text) if request.by != By::Meaning => reader.matching(kind, text, depth)?,
            _ => Vec::new(),
        };
        let by_meaning: Vec<ItemId> = near.iter().map(|near| near.id).collect();
        let by_words: Vec<_> = matches.iter().map(|found| (found.id, found.bm25)).collect();
        Ok(Ranking {
            fused: fuse(&by_meaning, &by_words, n),
            similarity: near
                .into_iter()
                .map(|near| (near.id, near.similarity))
                .collect(),
            words: matches
                .into_iter()
                .map(|found| (found.id, found.words))
                .collect(),
            vector,
        })
    }

    fn vector_of(&self, query: &Query) -> Result<UnitVector, EngineError> {
        let embeddings = match query {
            Query::Text(text) => self.encoders().text().encode(&[text])?,
            Query::Picture(path) => {
                let decoding = Decoding::new(self.decode_options(), self.encoders());
                let picture = decoding.file(path)?;
                self.encoders().image().encode(&[picture.pixels])?
            }
        };
        Ok(UnitVector::new(
            embeddings.into_iter().next().unwrap_or_default(),
        )?)
    }
}

fn caption_hits(reader: &IndexReader, ranking: &Ranking) -> Result<Vec<CaptionHit>, EngineError> {
    let mut hits: Vec<CaptionHit> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for fused in &ranking.fused {
        let Some(Item::Caption(Caption {
            text,
            image,
            source,
            ..
        })) = reader.item(fused.id)?
        else {
            continue;
        };
        let pictures = match image.map(|image| reader.item(image)).transpose()?.flatten() {
            Some(Item::Image(image)) => image.paths,
            _ => Vec::new(),
        };
        // As for images.
        if image.is_some() && pictures.is_empty() {
            continue;
        }
        if let Some(&place) = places.get(&text) {
            let known = &mut hits[place].pictures;
            known.extend(
                pictures
                    .into_iter()
                    .filter(|path| !known.contains(path))
                    .collect::<Vec<_>>(),
            );
            continue;
        }
        places.insert(text.clone(), hits.len());
        hits.push(CaptionHit {
            similarity: ranking.similarity(reader, fused.id)?,
            words: ranking.words.get(&fused.id).cloned().unwrap_or_default(),
            text,
            pictures,
            source,
        });
    }
    Ok(hits)
}
