//! Here are words, give me ids. tantivy is named only in this folder.
//!
//! [`WordsWriter`] keeps one document per item. Each commit carries the stamp of its generation.
//! [`Words`] searches the committed documents, documents in memory, or both. Nothing here knows
//! records or graphs.

pub(crate) mod calendar;
mod chain;
mod dates;
mod directory;
mod error;
mod files;
mod merge;
mod normal;
mod phrase;
pub(crate) mod query;
mod schema;
mod score;
mod segment;
mod split;
mod stamp;
mod terms;
mod unspaced;
mod writer;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use tantivy::directory::RamDirectory;
use tantivy::directory::error::OpenReadError;
use tantivy::{Index, IndexWriter, SingleSegmentIndexWriter, TantivyError};

use self::chain::Chain;
use self::directory::WordsFolder;
use self::error::guarded;
use self::files::is_small;
use self::query::Match;
use self::schema::Fields;
use self::segment::{SegmentKey, WordsSegment};
use self::writer::WRITER_BYTES;
use crate::ids::IdSet;
use crate::language::Language;

pub use self::error::WordsError;
pub(crate) use self::phrase::Phrase;
pub(crate) use self::schema::Document;
pub(crate) use self::stamp::WordsStamp;
pub(crate) use self::writer::{Merge, Prepared, WordsWriter};

/// Memory budget of an overlay, of which tantivy derives the size of a hash table.
const OVERLAY_BYTES: usize = 16 << 20;

/// How often the list of segments is read again while a writer deletes segments.
const N_ATTEMPTS: u32 = 8;

/// An immutable snapshot of the word index. Any number of threads can share it.
pub(crate) struct Words {
    language: Language,
    fields: Fields,
    chain: Chain,
    segments: Vec<Arc<WordsSegment>>,
    /// The stamp of this snapshot; none in memory.
    pub(crate) stamp: Option<WordsStamp>,
    /// Whether checksums are verified before the first search.
    is_checked: bool,
}

impl Words {
    /// Opens the newest commit without writing anything.
    ///
    /// # Errors
    /// When there is none, it is unusable or not of the language asked for, or cannot be read.
    pub(crate) fn open(dir: &Path, language: Option<Language>) -> Result<Self, WordsError> {
        let words = Self::open_sharing(dir, &[])?;
        match language {
            Some(language) if language != words.language => Err(WordsError::OtherSchema),
            _ => Ok(words),
        }
    }

    /// Opens the newest commit in the folder of this one, and shares the segments that are in both.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn newer(&self, dir: &Path) -> Result<Self, WordsError> {
        Self::open_sharing(dir, &self.segments)
    }

    /// The language of the stemmer.
    pub(crate) fn language(&self) -> Language {
        self.language
    }

    fn open_sharing(dir: &Path, known: &[Arc<WordsSegment>]) -> Result<Self, WordsError> {
        let mut attempt = 1;
        loop {
            let opened = guarded(|| Self::open_once(dir, known));
            match opened {
                Err(error) if attempt < N_ATTEMPTS && is_file_missing(&error) => attempt += 1,
                opened => return opened,
            }
        }
    }

    fn open_once(dir: &Path, known: &[Arc<WordsSegment>]) -> Result<Self, WordsError> {
        let index = Index::open(WordsFolder::read_only(dir)?)?;
        let metas = index.load_metas()?;
        let mut languages = Language::ALL.into_iter();
        let language = languages
            .find(|&language| schema::schema(language).0 == metas.schema)
            .ok_or(WordsError::OtherSchema)?;
        let (_, fields) = schema::schema(language);
        let known: HashMap<SegmentKey, &Arc<WordsSegment>> = known
            .iter()
            .map(|segment| (segment.key(), segment))
            .collect();
        let mut segments = Vec::with_capacity(metas.segments.len());
        for meta in &metas.segments {
            segments.push(match known.get(&(meta.id(), meta.delete_opstamp())) {
                Some(&segment) => Arc::clone(segment),
                None => Arc::new(WordsSegment::open(&index.segment(meta.clone()))?),
            });
        }
        Ok(Self {
            language,
            fields,
            chain: Chain::new(language),
            segments,
            stamp: WordsStamp::of(&metas),
            is_checked: is_small(dir),
        })
    }

    /// Builds a word index in memory. `fill` passes every document to its argument.
    ///
    /// # Errors
    /// When `fill` or tantivy fails.
    pub(crate) fn in_memory<E>(
        language: Language,
        fill: impl FnOnce(&mut dyn FnMut(&Document) -> Result<(), WordsError>) -> Result<(), E>,
    ) -> Result<Self, E>
    where
        E: From<WordsError>,
    {
        let (expected, fields) = schema::schema(language);
        let mut index = Index::create_in_ram(expected);
        index.set_tokenizers(schema::tokenizers(language));
        let storage = WordsError::from;
        let mut writer: IndexWriter = index
            .writer_with_num_threads(1, WRITER_BYTES)
            .map_err(storage)?;
        fill(&mut |document| {
            writer.add_document(fields.tantivy_document(document))?;
            Ok(())
        })?;
        writer.commit().map_err(storage)?;
        writer.wait_merging_threads().map_err(storage)?;
        Ok(Self {
            language,
            fields,
            chain: Chain::new(language),
            segments: segments_of(&index).map_err(storage)?,
            stamp: None,
            is_checked: false,
        })
    }

    /// This snapshot with some items replaced: those in `changed`, sorted, have the given documents
    /// or none. The answers are those of a word index with these documents.
    ///
    /// # Errors
    /// When files are damaged or cannot be read.
    pub(crate) fn overlaid(
        &self,
        changed: &[u32],
        documents: &[Document],
    ) -> Result<Self, WordsError> {
        guarded(|| {
            self.check()?;
            let mut segments = Vec::with_capacity(self.segments.len() + 1);
            for segment in &self.segments {
                let without = segment.without(&self.fields, changed)?;
                segments.push(without.map_or_else(|| Arc::clone(segment), Arc::new));
            }
            if !documents.is_empty() {
                let (schema, fields) = schema::schema(self.language);
                let mut writer: SingleSegmentIndexWriter = Index::builder()
                    .schema(schema)
                    .tokenizers(schema::tokenizers(self.language))
                    .single_segment_index_writer(RamDirectory::create(), OVERLAY_BYTES)?;
                for document in documents {
                    writer.add_document(fields.tantivy_document(document))?;
                }
                segments.extend(segments_of(&writer.finalize()?)?);
            }
            Ok(Self {
                language: self.language,
                fields: self.fields,
                chain: self.chain.clone(),
                segments,
                stamp: None,
                is_checked: false,
            })
        })
    }

    /// The highest id of a document in a folder, removed ones included; 0 without documents.
    ///
    /// # Errors
    /// When files are missing or damaged, or cannot be read.
    pub(crate) fn last_id_in(dir: &Path) -> Result<u32, WordsError> {
        let words = Self::open(dir, None)?;
        guarded(|| {
            words.verify()?;
            let mut last = 0;
            for segment in &words.segments {
                last = last.max(segment.ids()?.max_value());
            }
            Ok(u32::try_from(last).unwrap_or(0))
        })
    }

    /// The best `n` items of a kind for a bag of words among those in `among`, if given, highest
    /// BM25 first, equal ones by id.
    ///
    /// # Errors
    /// When files are damaged or cannot be read.
    pub(crate) fn matching(
        &self,
        kind: usize,
        words: &str,
        n: usize,
        among: Option<&IdSet>,
    ) -> Result<Vec<Match>, WordsError> {
        let kind = kind.min(schema::N_KINDS - 1);
        guarded(|| {
            self.check()?;
            Ok(query::matching(
                &self.segments,
                &self.fields,
                &self.chain,
                (kind, words),
                n,
                among,
            )?)
        })
    }

    /// Adjacent words to look for.
    pub(crate) fn phrase(&self, text: &str) -> Phrase {
        Phrase::new(&self.chain, text)
    }

    /// The items of a kind that have all words of a phrase, in no order. Without words, none.
    ///
    /// # Errors
    /// When files are damaged or cannot be read.
    pub(crate) fn with_words_of(
        &self,
        kind: usize,
        phrase: &Phrase,
    ) -> Result<Vec<u32>, WordsError> {
        let kind = kind.min(schema::N_KINDS - 1);
        guarded(|| {
            self.check()?;
            Ok(phrase.candidates(&self.segments, &self.fields, kind)?)
        })
    }

    /// Verifies the checksums of a small word index, once.
    fn check(&self) -> Result<(), WordsError> {
        if self.is_checked {
            self.verify()
        } else {
            Ok(())
        }
    }

    fn verify(&self) -> Result<(), WordsError> {
        self.segments
            .iter()
            .try_for_each(|segment| segment.verify())
    }

    /// The number of segments that another snapshot also has.
    #[cfg(test)]
    pub(crate) fn n_segments_of(&self, other: &Self) -> usize {
        let id = |segment: &Arc<WordsSegment>| segment.key().0;
        let is_known = |segment: &&Arc<WordsSegment>| {
            other.segments.iter().any(|other| id(other) == id(segment))
        };
        self.segments.iter().filter(is_known).count()
    }

    /// All ids, sorted, after verifying all checksums.
    ///
    /// # Errors
    /// When files are damaged or cannot be read.
    pub(crate) fn verified_ids(&self) -> Result<Vec<u32>, WordsError> {
        guarded(|| {
            self.verify()?;
            let mut ids = Vec::new();
            for segment in &self.segments {
                ids.extend(segment.live_ids()?);
            }
            ids.sort_unstable();
            Ok(ids)
        })
    }
}

fn segments_of(index: &Index) -> tantivy::Result<Vec<Arc<WordsSegment>>> {
    let segments = index.searchable_segments()?.into_iter();
    segments
        .map(|segment| Ok(Arc::new(WordsSegment::open(&segment)?)))
        .collect()
}

/// Whether a file of the list was missing, as after a writer has replaced the list.
fn is_file_missing(error: &WordsError) -> bool {
    matches!(
        error,
        WordsError::Storage {
            source: TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(_)),
        }
    )
}

#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod tests;
