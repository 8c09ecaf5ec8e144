//! A query in the terms of the index: encoded once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sightline_index::{IdSet, IndexReader, ItemKind, UnitVector};
use sightline_picture::DecodeError;

use super::combine::combined;
use super::evidence::Asked;
use super::known::KnownTexts;
use super::parts::{By, Part, PartContent, Query};
use super::request::SearchRequest;
use super::restrict;
use crate::engine::decode::{DecodeOptions, Decoding, Picture};
use crate::engine::encoder::{Encoders, Lane, LanguageHint};
use crate::engine::error::EngineError;
use crate::engine::isolate;
use crate::engine::names::{self, Finder};

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
    pub(in crate::engine) known: &'a KnownTexts,
}

/// A query in the terms of the index. Without a vector and words, it asks for a list.
pub(super) struct EncodedQuery {
    pub(super) vector: Option<UnitVector>,
    pub(super) words: Option<String>,
    /// The items that may be hits; `None` for all.
    pub(super) chosen: Option<Arc<IdSet>>,
    /// Whether nothing is looked for, and the chosen items are listed.
    pub(super) is_list: bool,
    pub(super) asked: Asked,
}

impl EncodedQuery {
    pub(super) fn new(
        encoder: QueryEncoder<'_>,
        reader: &IndexReader,
        kind: ItemKind,
        request: &SearchRequest,
    ) -> Result<Self, EngineError> {
        let SearchRequest {
            query, by, filter, ..
        } = request;
        query.check(*by)?;
        let chosen = restrict::chosen(reader, kind, query, filter.as_ref())?;
        let is_list = query.parts.is_empty();
        if is_list && chosen.is_none() {
            return Err(EngineError::EmptyQuery);
        }
        let words = query.texts().collect::<Vec<_>>().join(" ");
        Ok(Self {
            vector: match by {
                By::Words => None,
                By::Meaning | By::Both => encoder.vector(reader, query, *by)?,
            },
            words: Some(words).filter(|words| !words.is_empty() && *by != By::Meaning),
            chosen,
            is_list,
            asked: if query.has_added_pictures() {
                Asked::Picture
            } else {
                Asked::Words
            },
        })
    }
}

impl QueryEncoder<'_> {
    /// The weighted sum of the parts; none without parts, and in a search by both when the model
    /// knows none of the texts that are added: the embedding of one would be that of any other
    /// unknown text.
    fn vector(
        self,
        reader: &IndexReader,
        query: &Query,
        by: By,
    ) -> Result<Option<UnitVector>, EngineError> {
        let mut vectors = Vec::with_capacity(query.parts.len());
        let mut is_any_added = false;
        for (part, weight) in query.parts.iter().zip(query.weights()) {
            if by == By::Both && !self.knows(part)? {
                continue;
            }
            is_any_added |= !part.is_negative;
            vectors.push((weight, self.encode(reader, part)?));
        }
        if !is_any_added {
            return Ok(None);
        }
        let vector = combined(&vectors)?;
        let cancelled = || EngineError::CancelledOut { query: query.sum() };
        Ok(Some(vector.ok_or_else(cancelled)?))
    }

    fn knows(self, part: &Part) -> Result<bool, EngineError> {
        match &part.content {
            PartContent::Text(text) => self.encoders.text(text, self.hint)?.knows(text),
            _ => Ok(true),
        }
    }

    /// The vector of a part.
    pub(super) fn encode(
        self,
        reader: &IndexReader,
        part: &Part,
    ) -> Result<UnitVector, EngineError> {
        let Self {
            encoders,
            decode,
            hint,
            known,
        } = self;
        let embeddings = match &part.content {
            PartContent::Text(text) => {
                let encode = || unit_vector(isolate::queries(encoders, &[text], hint)?);
                return known.vector(text, hint, encode);
            }
            PartContent::Picture(path) => {
                let path = Finder::default().find(path);
                let picture = Decoding::new(decode, encoders).file(&path)?;
                self.picture(&picture, &path)?
            }
            PartContent::Bytes(bytes) => self.bytes(bytes)?,
            PartContent::Item(path) => return stored(reader, path),
        };
        unit_vector(embeddings)
    }

    /// The embedding of the picture whose file has these bytes.
    pub(super) fn bytes(self, bytes: &[u8]) -> Result<isolate::Embeddings, EngineError> {
        let path = PathBuf::from("the given picture");
        let max_bytes = self.decode.limits.max_bytes;
        let picture = if bytes.len() as u64 > max_bytes {
            Err(DecodeError::FileTooLarge { max_bytes })
        } else {
            Decoding::new(self.decode, self.encoders).picture(bytes.to_vec())
        };
        let refused = |source| {
            let path = path.clone();
            EngineError::Picture { path, source }
        };
        self.picture(&picture.map_err(refused)?, &path)
    }

    fn picture(self, picture: &Picture, path: &Path) -> Result<isolate::Embeddings, EngineError> {
        let pixels = std::slice::from_ref(&picture.pixels);
        let mut embeddings = isolate::pictures(self.encoders, Lane::Whole, pixels)?;
        if let Some(Err(EngineError::NotEncoded { what, .. })) = embeddings.first_mut() {
            *what = path.display().to_string().into();
        }
        Ok(embeddings)
    }
}

/// The vector of the only embedding.
fn unit_vector(embeddings: isolate::Embeddings) -> Result<UnitVector, EngineError> {
    let embedding = embeddings.into_iter().next().transpose()?;
    Ok(UnitVector::new(embedding.unwrap_or_default())?)
}

/// The vector of the image that a file has in the index.
fn stored(reader: &IndexReader, path: &Path) -> Result<UnitVector, EngineError> {
    for place in names::places(&Finder::default().find(path))? {
        if let Some(file) = reader.file(&place)?
            && let Some(vector) = reader.vector(file.image)?
        {
            return Ok(vector);
        }
    }
    Err(EngineError::NotIndexed {
        path: path.to_path_buf(),
        what: "picture",
    })
}
