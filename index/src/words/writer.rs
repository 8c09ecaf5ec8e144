//! Writes the word index.

use std::path::Path;

use tantivy::index::SegmentMeta;
use tantivy::indexer::NoMergePolicy;
use tantivy::{Index, IndexSettings, IndexWriter, TantivyError};

use super::directory::WordsFolder;
use super::error::{WordsError, guarded};
use super::files::{check_schema, check_sums, is_small};
use super::merge::{BySize, is_rewrite_due};
use super::schema::{self, Document, Fields};
use super::stamp::WordsStamp;
use crate::language::Language;

/// Memory budget of the writer; beyond it, it writes a segment.
pub(super) const WRITER_BYTES: usize = 48 << 20;

/// Writes the word index. The caller holds the lock of the index, so there is only one writer.
pub(crate) struct WordsWriter {
    fields: Fields,
    writer: IndexWriter,
    /// The stamp of the last commit.
    pub(crate) stamp: Option<WordsStamp>,
}

/// Which segments [`WordsWriter::merge`] rewrites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    /// Those of which a tenth was removed.
    Worthwhile,
    /// All, if there are several or documents were removed.
    Everything,
}

impl WordsWriter {
    /// Opens the word index in `dir`, or creates one in an empty folder.
    ///
    /// # Errors
    /// When it cannot be opened. If it [is damaged](WordsError::is_damage), it should be deleted
    /// and rebuilt.
    pub(crate) fn open(dir: &Path, language: Language) -> Result<Self, WordsError> {
        guarded(|| {
            let (expected, fields) = schema::schema(language);
            let folder = WordsFolder::writable(dir)?;
            let mut index = if Index::exists(&folder).map_err(TantivyError::from)? {
                Index::open(folder)?
            } else {
                Index::create(folder, expected.clone(), IndexSettings::default())?
            };
            let metas = index.load_metas()?;
            check_schema(&metas, &expected)?;
            if is_small(dir) {
                let mut segments = metas.segments.iter();
                segments.try_for_each(|segment| check_sums(&index, segment))?;
            }
            index.set_tokenizers(schema::tokenizers(language));
            let writer: IndexWriter = index.writer_with_num_threads(1, WRITER_BYTES)?;
            writer.set_merge_policy(Box::new(BySize));
            Ok(Self {
                fields,
                writer,
                stamp: WordsStamp::of(&metas),
            })
        })
    }

    /// Replaces the document of an item.
    pub(crate) fn put(&mut self, document: &Document) -> Result<(), WordsError> {
        self.remove(document.id);
        let added = self
            .writer
            .add_document(self.fields.tantivy_document(document));
        if let Err(error) = added {
            // It says only that the writing thread has ended; joining the thread says why.
            self.writer.prepare_commit()?;
            return Err(error.into());
        }
        Ok(())
    }

    /// Removes the document of an item, if any.
    pub(crate) fn remove(&self, id: u32) {
        self.writer.delete_term(self.fields.id_term(id));
    }

    /// Removes all documents.
    pub(crate) fn clear(&self) -> Result<(), WordsError> {
        self.writer.delete_all_documents()?;
        Ok(())
    }

    /// Writes all changes to disk. Only [`Prepared::commit`] makes them visible.
    pub(crate) fn prepare(&mut self, stamp: WordsStamp) -> Result<Prepared<'_>, WordsError> {
        let mut commit = self.writer.prepare_commit()?;
        commit.set_payload(&stamp.to_payload());
        Ok(Prepared {
            commit,
            stamp,
            committed: &mut self.stamp,
        })
    }

    /// Drops all changes since the last commit.
    ///
    /// # Errors
    /// When the last commit cannot be read again. This writer must then be dropped, which drops the
    /// changes, too.
    pub(crate) fn rollback(&mut self) -> Result<(), WordsError> {
        self.writer.rollback()?;
        // tantivy has replaced the writer by a new one.
        self.writer.set_merge_policy(Box::new(BySize));
        Ok(())
    }

    /// Rewrites segments without their removed documents, and deletes unused files. Returns whether
    /// any were rewritten. No writer may be open: its own merge could delete a segment.
    ///
    /// # Errors
    /// When the word index cannot be read or written. It then is as before.
    pub(crate) fn merge(dir: &Path, language: Language, merge: Merge) -> Result<bool, WordsError> {
        let folder = WordsFolder::read_only(dir)?;
        let segments = Index::open(folder)?.searchable_segment_metas()?;
        let is_due = match (merge, segments.as_slice()) {
            (Merge::Worthwhile, segments) => segments.iter().any(is_rewrite_due),
            (Merge::Everything, []) => false,
            (Merge::Everything, [only]) => only.has_deletes(),
            (Merge::Everything, _) => true,
        };
        if !is_due {
            return Ok(false);
        }
        let mut words = Self::open(dir, language)?;
        words.writer.set_merge_policy(Box::new(NoMergePolicy));
        let chosen = segments
            .iter()
            .filter(|segment| merge == Merge::Everything || is_rewrite_due(segment));
        let ids: Vec<_> = chosen.map(SegmentMeta::id).collect();
        words.writer.merge(&ids).wait()?;
        words.writer.garbage_collect_files().wait()?;
        words.close()?;
        Ok(true)
    }

    /// Waits for merges and stops the threads.
    pub(crate) fn close(self) -> Result<(), WordsError> {
        self.writer.wait_merging_threads()?;
        Ok(())
    }
}

/// A commit of which only the last step is missing. Dropping it leaves its changes uncommitted.
pub(crate) struct Prepared<'a> {
    commit: tantivy::indexer::PreparedCommit<'a>,
    stamp: WordsStamp,
    committed: &'a mut Option<WordsStamp>,
}

impl Prepared<'_> {
    pub(crate) fn commit(self) -> Result<(), WordsError> {
        self.commit.commit()?;
        *self.committed = Some(self.stamp);
        Ok(())
    }
}
