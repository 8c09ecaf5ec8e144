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
            begin(&writer)?;
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

    /// Adds a document without replacing that of the item.
    #[cfg(test)]
    pub(crate) fn add_again(&self, document: &Document) {
        let document = self.fields.tantivy_document(document);
        self.writer.add_document(document).unwrap();
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
        begin(&self.writer)
    }

    /// The number of committed documents.
    ///
    /// # Errors
    /// When the list of segments cannot be read.
    pub(crate) fn n_documents(&self) -> Result<u64, WordsError> {
        let segments = self.writer.index().searchable_segment_metas()?;
        let sizes = segments.iter().map(SegmentMeta::num_docs);
        Ok(sizes.map(u64::from).sum())
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

/// Prepares a writer that tantivy has just opened at a commit.
fn begin(writer: &IndexWriter) -> Result<(), WordsError> {
    writer.set_merge_policy(Box::new(BySize));
    // A killed writer may have written lists of removed documents (`*.del`) without the commit that
    // names them. Their names are numbered like the operations of this writer, and tantivy does not
    // replace a file.
    writer.garbage_collect_files().wait()?;
    // tantivy numbers the operations from the number of the commit. A removal with that very number
    // counts as applied to segments of which the commit removed documents; a merge that is due then
    // keeps the document for good. An empty operation takes that number instead.
    writer.run([])?;
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Words;

    fn document(id: u32, text: &str) -> Document {
        Document {
            kind: 0,
            id,
            text: text.to_owned(),
        }
    }

    fn commit(words: &mut WordsWriter, generation: u64) {
        let index_id = [7; 16];
        let stamp = WordsStamp {
            index_id,
            generation,
        };
        words.prepare(stamp).unwrap().commit().unwrap();
    }

    fn ids(dir: &Path) -> Vec<u32> {
        Words::open(dir, None).unwrap().verified_ids().unwrap()
    }

    /// Eight segments of three documents each; the last commit removes documents of the given ones,
    /// and their merge is due.
    fn before_a_merge(dir: &Path, shortened: &[u32]) -> WordsWriter {
        let mut words = WordsWriter::open(dir, Language::English).unwrap();
        words.writer.set_merge_policy(Box::new(NoMergePolicy));
        for segment in 0..8 {
            words.put(&document(segment, "dog")).unwrap();
            words.put(&document(100 + segment, "cat")).unwrap();
            words.put(&document(200 + segment, "bird")).unwrap();
            if segment == 7 {
                for other in shortened {
                    words.remove(100 + other);
                }
            }
            commit(&mut words, 1 + u64::from(segment));
        }
        words
    }

    #[test]
    fn the_first_replacement_of_a_writer_is_kept_by_a_due_merge() {
        let mut n_due = 0;
        // tantivy merges segments in random order, and the first one matters.
        for is_rolled_back in [false, true].into_iter().cycle().take(8) {
            let dir = tempfile::tempdir().unwrap();
            let mut words = before_a_merge(dir.path(), &[3]);
            if is_rolled_back {
                words.rollback().unwrap();
            } else {
                drop(words);
                words = WordsWriter::open(dir.path(), Language::English).unwrap();
            }
            n_due += words
                .writer
                .index()
                .searchable_segment_metas()
                .unwrap()
                .len()
                / 8;
            words.put(&document(3, "horse")).unwrap();
            commit(&mut words, 9);
            words.close().unwrap();
            let expected = (0..8).chain(100..108).chain(200..208);
            let expected: Vec<u32> = expected.filter(|&id| id != 103).collect();
            assert_eq!(ids(dir.path()), expected);
            let words = Words::open(dir.path(), None).unwrap();
            let n = |text| words.matching(0, text, 20, None).unwrap().len();
            assert_eq!((n("dog"), n("horse"), n("cat")), (7, 1, 7));
        }
        assert_eq!(n_due, 8);
    }

    #[test]
    fn what_a_writer_left_that_was_killed_in_a_commit_does_not_stop_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        drop(before_a_merge(dir.path(), &[]));
        let list = dir.path().join("meta.json");
        let before = fs_err::read(&list).unwrap();
        let n_removed = || {
            let files = fs_err::read_dir(dir.path()).unwrap();
            let names = files.map(|entry| entry.unwrap().file_name());
            names
                .filter(|name| name.to_string_lossy().ends_with(".del"))
                .count()
        };
        for attempt in 0..3 {
            let mut words = WordsWriter::open(dir.path(), Language::English).unwrap();
            words.writer.set_merge_policy(Box::new(NoMergePolicy));
            words.put(&document(3, "horse")).unwrap();
            commit(&mut words, 9);
            drop(words);
            assert_eq!(n_removed(), 1, "{attempt}");
            // All but the list of files is written.
            fs_err::write(&list, &before).unwrap();
            assert_eq!(ids(dir.path()).len(), 24, "{attempt}");
        }
    }
}
