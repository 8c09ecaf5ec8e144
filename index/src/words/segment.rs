//! An immutable segment of the word index, and the statistics of its live documents.
//!
//! tantivy counts removed documents in its statistics until a merge drops them, and estimates the
//! number of words after a merge. Here, only live documents count, and the length of each is the
//! rounded one that is stored with it. So an answer depends on the documents alone, not on how they
//! came into the index.

use std::sync::OnceLock;

use tantivy::fieldnorm::FieldNormReader;
use tantivy::index::{Segment, SegmentId, SegmentMeta, SegmentReader};
use tantivy::postings::{SegmentPostings, TermInfo};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{BitSet, DocId, DocSet, Opstamp, TERMINATED, Term};

use super::error::WordsError;
use super::files::check_sums;
use super::schema::{self, Fields};

/// A segment with the documents that are hidden from it. Views share it.
pub(super) struct WordsSegment {
    reader: SegmentReader,
    meta: SegmentMeta,
    /// Documents that an overlay replaces.
    hidden: Option<BitSet>,
    totals: OnceLock<[Totals; schema::N_KINDS]>,
    /// Whether the checksums of its files are right, once they were computed.
    is_intact: OnceLock<bool>,
}

/// How many live documents of a kind there are, and how many words they have.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) n_documents: u64,
    pub(super) n_words: u64,
}

/// What distinguishes a segment from every other.
pub(super) type SegmentKey = (SegmentId, Option<Opstamp>);

impl WordsSegment {
    pub(super) fn open(segment: &Segment) -> tantivy::Result<Self> {
        Ok(Self {
            reader: SegmentReader::open(segment)?,
            meta: segment.meta().clone(),
            hidden: None,
            totals: OnceLock::new(),
            is_intact: OnceLock::new(),
        })
    }

    pub(super) fn key(&self) -> SegmentKey {
        (self.reader.segment_id(), self.reader.delete_opstamp())
    }

    /// The same segment without the items in `ids`, sorted; none when it has none of them.
    pub(super) fn without(&self, fields: &Fields, ids: &[u32]) -> tantivy::Result<Option<Self>> {
        let mut found = Vec::new();
        // A look-up in the dictionary of ids costs about as much as reading 64 ids in a row.
        if ids.len().saturating_mul(64) < self.reader.max_doc() as usize {
            for &id in ids {
                if let Some(info) = self.term_info(&fields.id_term(id))? {
                    let field = fields.id;
                    let mut postings = self.postings(field, &info, IndexRecordOption::Basic)?;
                    while postings.doc() != TERMINATED {
                        found.push(postings.doc());
                        postings.advance();
                    }
                }
            }
        } else {
            let column = self.ids()?;
            let is_in = |id: u64| u32::try_from(id).is_ok_and(|id| ids.binary_search(&id).is_ok());
            let is_found = |doc: &DocId| column.first(*doc).is_some_and(is_in);
            found.extend((0..self.reader.max_doc()).filter(is_found));
        }
        found.retain(|&doc| self.is_live(doc));
        if found.is_empty() {
            return Ok(None);
        }
        let mut hidden = match &self.hidden {
            Some(hidden) => hidden.clone(),
            None => BitSet::with_max_value(self.reader.max_doc()),
        };
        for doc in found {
            hidden.insert(doc);
        }
        Ok(Some(Self {
            reader: self.reader.clone(),
            meta: self.meta.clone(),
            hidden: Some(hidden),
            totals: OnceLock::new(),
            is_intact: self.is_intact.clone(),
        }))
    }

    /// Verifies the checksums of its files, once.
    pub(super) fn verify(&self) -> Result<(), WordsError> {
        let is_intact = if let Some(&is_intact) = self.is_intact.get() {
            is_intact
        } else {
            // By the index of the reader, which still has files that were deleted since.
            let is_intact = match check_sums(self.reader.index(), &self.meta) {
                Ok(()) => true,
                Err(WordsError::Damaged) => false,
                Err(error) => return Err(error),
            };
            *self.is_intact.get_or_init(|| is_intact)
        };
        if is_intact {
            Ok(())
        } else {
            Err(WordsError::Damaged)
        }
    }

    pub(super) fn is_live(&self, doc: DocId) -> bool {
        !self.reader.is_deleted(doc)
            && self
                .hidden
                .as_ref()
                .is_none_or(|hidden| !hidden.contains(doc))
    }

    fn has_dead(&self) -> bool {
        self.hidden.is_some() || self.reader.has_deletes()
    }

    /// The item of each document.
    pub(super) fn ids(&self) -> tantivy::Result<tantivy::columnar::Column<u64>> {
        self.reader.fast_fields().u64(schema::ID)
    }

    /// The items of all live documents.
    pub(super) fn live_ids(&self) -> tantivy::Result<Vec<u32>> {
        let column = self.ids()?;
        let live = (0..self.reader.max_doc()).filter(|&doc| self.is_live(doc));
        let ids = live.filter_map(|doc| column.first(doc));
        Ok(ids.filter_map(|id| u32::try_from(id).ok()).collect())
    }

    /// The lengths of the documents in a field.
    pub(super) fn lengths(&self, field: Field) -> tantivy::Result<FieldNormReader> {
        self.reader.get_fieldnorms_reader(field)
    }

    pub(super) fn term_info(&self, term: &Term) -> tantivy::Result<Option<TermInfo>> {
        let inverted = self.reader.inverted_index(term.field())?;
        Ok(inverted.get_term_info(term)?)
    }

    pub(super) fn postings(
        &self,
        field: Field,
        info: &TermInfo,
        option: IndexRecordOption,
    ) -> tantivy::Result<SegmentPostings> {
        let inverted = self.reader.inverted_index(field)?;
        Ok(inverted.read_postings_from_terminfo(info, option)?)
    }

    /// The number of live documents with a term.
    pub(super) fn n_live(&self, field: Field, info: &TermInfo) -> tantivy::Result<u64> {
        if !self.has_dead() {
            return Ok(u64::from(info.doc_freq));
        }
        let mut postings = self.postings(field, info, IndexRecordOption::Basic)?;
        let mut n = 0;
        while postings.doc() != TERMINATED {
            n += u64::from(self.is_live(postings.doc()));
            postings.advance();
        }
        Ok(n)
    }

    /// The totals of a kind, computed once: a byte of each document is read.
    pub(super) fn totals(&self, fields: &Fields, kind: usize) -> tantivy::Result<Totals> {
        if let Some(totals) = self.totals.get() {
            return Ok(totals[kind]);
        }
        let mut totals = [Totals::default(); schema::N_KINDS];
        for (kind, totals) in totals.iter_mut().enumerate() {
            let Some(info) = self.term_info(&fields.kind_term(kind))? else {
                continue;
            };
            totals.n_documents = self.n_live(fields.kind, &info)?;
            totals.n_words = self.n_words(fields.text[kind])?;
        }
        Ok(self.totals.get_or_init(|| totals)[kind])
    }

    fn n_words(&self, field: Field) -> tantivy::Result<u64> {
        let lengths = self.lengths(field)?;
        let mut n_of_length = [0_u64; 256];
        if self.has_dead() {
            for doc in (0..self.reader.max_doc()).filter(|&doc| self.is_live(doc)) {
                n_of_length[usize::from(lengths.fieldnorm_id(doc))] += 1;
            }
        } else {
            for doc in 0..self.reader.max_doc() {
                n_of_length[usize::from(lengths.fieldnorm_id(doc))] += 1;
            }
        }
        let n_words = |(n, code): (u64, u8)| {
            n.saturating_mul(u64::from(FieldNormReader::id_to_fieldnorm(code)))
        };
        Ok(n_of_length.into_iter().zip(0..=u8::MAX).map(n_words).sum())
    }
}
