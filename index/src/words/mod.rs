//! Here are words, give me ids. tantivy is named only in this folder.
//!
//! [`WordsWriter`] keeps one document per item. Each commit carries the stamp of its generation.
//! [`Words`] searches the committed documents, or documents in memory. Nothing here knows records
//! or graphs.

pub(crate) mod calendar;
mod chain;
mod dates;
mod normal;
pub(crate) mod query;
mod schema;
mod split;
mod terms;
mod unspaced;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    DirectoryLock, FileHandle, Lock, MmapDirectory, WatchCallback, WatchHandle, WritePtr,
};
use tantivy::schema::Schema;
use tantivy::{Directory, Index, IndexWriter, ReloadPolicy, Searcher, TantivyDocument};

use self::chain::Chain;
use self::query::Match;
use self::schema::Fields;
use crate::language::Language;

/// Memory budget of the writer; beyond it, it writes a segment.
const WRITER_BYTES: usize = 48 << 20;

/// Checksums of word indexes up to this size are verified when they are opened.
const MAX_BYTES_CHECKED_ON_OPEN: u64 = 64 << 20;

/// An error of the word index.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WordsError {
    /// tantivy failed.
    #[error("failed to read or write the word index")]
    Storage {
        /// The error of tantivy.
        #[from]
        source: tantivy::TantivyError,
    },
    /// The folder cannot be opened.
    #[error("failed to open the folder of the word index")]
    Folder {
        /// The error of tantivy.
        #[from]
        source: tantivy::directory::error::OpenDirectoryError,
    },
    /// Its schema differs from that of this program.
    #[error("the word index was written by another version of this program")]
    OtherSchema,
    /// Files do not match their checksums or cannot be decoded.
    #[error("the word index is damaged")]
    Damaged,
}

/// The index and generation that a word index belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WordsStamp {
    pub(crate) index_id: [u8; 16],
    pub(crate) generation: u64,
}

impl WordsStamp {
    fn to_payload(self) -> String {
        let id = u128::from_be_bytes(self.index_id);
        format!("{id:032x} {}", self.generation)
    }

    fn from_payload(payload: &str) -> Option<Self> {
        let (id, generation) = payload.split_once(' ')?;
        let index_id = u128::from_str_radix(id, 16).ok()?.to_be_bytes();
        Some(Self {
            index_id,
            generation: generation.parse().ok()?,
        })
    }
}

/// The searchable text of an item.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// The number of the item's kind, from 0.
    pub(crate) kind: usize,
    pub(crate) id: u32,
    pub(crate) text: String,
}

fn to_tantivy(fields: &Fields, document: &Document) -> TantivyDocument {
    let mut out = TantivyDocument::new();
    out.add_u64(fields.id, u64::from(document.id));
    out.add_u64(fields.kind, document.kind as u64);
    out.add_text(
        fields.text[document.kind.min(schema::N_KINDS - 1)],
        &document.text,
    );
    out
}

/// Runs tantivy on possibly damaged files, on which it may panic.
fn guarded<T>(work: impl FnOnce() -> Result<T, WordsError>) -> Result<T, WordsError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(WordsError::Damaged))
}

fn stamp_of(index: &Index) -> Result<Option<WordsStamp>, WordsError> {
    Ok(index
        .load_metas()?
        .payload
        .as_deref()
        .and_then(WordsStamp::from_payload))
}

fn searcher_of(index: &Index) -> tantivy::Result<Searcher> {
    let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual);
    Ok(reader.try_into()?.searcher())
}

fn check_schema(index: &Index, expected: &Schema) -> Result<(), WordsError> {
    if index.schema() == *expected {
        Ok(())
    } else {
        Err(WordsError::OtherSchema)
    }
}

fn check_sums(index: &Index, dir: &Path, max_bytes: u64) -> Result<(), WordsError> {
    let size = |entry: std::io::Result<fs_err::DirEntry>| {
        entry
            .and_then(|entry| entry.metadata())
            .map_or(0, |m| m.len())
    };
    let n_bytes: u64 = fs_err::read_dir(dir).map_or(0, |entries| entries.map(size).sum());
    if n_bytes <= max_bytes && !index.validate_checksum()?.is_empty() {
        return Err(WordsError::Damaged);
    }
    Ok(())
}

/// Writes the word index. The caller holds the lock of the index, so there is only one writer.
pub(crate) struct WordsWriter {
    fields: Fields,
    writer: IndexWriter,
    /// The stamp of the last commit.
    pub(crate) stamp: Option<WordsStamp>,
}

impl WordsWriter {
    /// Opens the word index in `dir`, or creates one in an empty folder.
    ///
    /// # Errors
    /// When it is unusable or of another language. It should then be deleted and rebuilt.
    pub(crate) fn open(dir: &Path, language: Language) -> Result<Self, WordsError> {
        guarded(|| {
            let (expected, fields) = schema::schema(language);
            let directory = MmapDirectory::open(dir)?;
            let index = if Index::exists(&directory).map_err(tantivy::TantivyError::from)? {
                Index::open(directory)?
            } else {
                Index::create(
                    directory,
                    expected.clone(),
                    tantivy::IndexSettings::default(),
                )?
            };
            check_schema(&index, &expected)?;
            check_sums(&index, dir, MAX_BYTES_CHECKED_ON_OPEN)?;
            schema::register(&index, language);
            let stamp = stamp_of(&index)?;
            let writer = index.writer_with_num_threads(1, WRITER_BYTES)?;
            Ok(Self {
                fields,
                writer,
                stamp,
            })
        })
    }

    /// Replaces the document of an item.
    pub(crate) fn put(&mut self, document: &Document) -> Result<(), WordsError> {
        self.remove(document.id);
        let added = self.writer.add_document(to_tantivy(&self.fields, document));
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
    pub(crate) fn rollback(&mut self) -> Result<(), WordsError> {
        self.writer.rollback()?;
        Ok(())
    }

    /// Merges all segments into one without removed documents, and deletes unused files. Call it
    /// without uncommitted changes.
    pub(crate) fn merge(&mut self) -> Result<(), WordsError> {
        let segments = self.writer.index().searchable_segment_metas()?;
        let is_tidy = match segments.as_slice() {
            [] => true,
            [only] => only.num_deleted_docs() == 0,
            _ => false,
        };
        if !is_tidy {
            let ids: Vec<_> = segments
                .iter()
                .map(tantivy::index::SegmentMeta::id)
                .collect();
            self.writer.merge(&ids).wait()?;
        }
        self.writer.garbage_collect_files().wait()?;
        Ok(())
    }

    /// Waits for merges and stops the threads.
    pub(crate) fn close(self) -> Result<(), WordsError> {
        self.writer.wait_merging_threads()?;
        Ok(())
    }
}

/// A commit of which only the last step is missing.
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

    /// Drops all changes since the last commit.
    pub(crate) fn abort(self) -> Result<(), WordsError> {
        self.commit.abort()?;
        Ok(())
    }
}

/// An immutable snapshot of the word index. Any number of threads can share it.
pub(crate) struct Words {
    fields: Fields,
    chain: Chain,
    searcher: Searcher,
    /// The stamp of this snapshot; none in memory.
    pub(crate) stamp: Option<WordsStamp>,
    index: Index,
}

impl Words {
    /// Opens the newest commit without writing anything.
    ///
    /// # Errors
    /// When there is none, it is unusable or of another language, or a writer changed it meanwhile.
    pub(crate) fn open(dir: &Path, language: Language) -> Result<Self, WordsError> {
        guarded(|| {
            let (expected, fields) = schema::schema(language);
            let index = Index::open(ReadOnly(MmapDirectory::open(dir)?))?;
            check_schema(&index, &expected)?;
            check_sums(&index, dir, MAX_BYTES_CHECKED_ON_OPEN)?;
            let before = stamp_of(&index)?;
            let searcher = searcher_of(&index)?;
            // After a commit between the two reads, the stamp would belong to another snapshot.
            if stamp_of(&index)? != before {
                return Err(WordsError::Damaged);
            }
            Ok(Self {
                fields,
                chain: Chain::new(language),
                searcher,
                stamp: before,
                index,
            })
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
        let index = Index::create_in_ram(expected);
        schema::register(&index, language);
        let storage = WordsError::from;
        let mut writer: IndexWriter = index
            .writer_with_num_threads(1, WRITER_BYTES)
            .map_err(storage)?;
        fill(&mut |document| {
            writer.add_document(to_tantivy(&fields, document))?;
            Ok(())
        })?;
        writer.commit().map_err(storage)?;
        Ok(Self {
            fields,
            chain: Chain::new(language),
            searcher: searcher_of(&index).map_err(storage)?,
            stamp: None,
            index,
        })
    }

    /// The stamp of the newest commit in a folder, read without opening it.
    pub(crate) fn stamp_in(dir: &Path) -> Option<WordsStamp> {
        let meta: serde_json::Value =
            serde_json::from_slice(&fs_err::read(dir.join("meta.json")).ok()?).ok()?;
        WordsStamp::from_payload(meta.get("payload")?.as_str()?)
    }

    /// The best `n` items of a kind for a bag of words among those that `accept` returns true for,
    /// highest BM25 first, equal ones by id.
    ///
    /// # Errors
    /// When files are damaged or cannot be read.
    pub(crate) fn matching(
        &self,
        kind: usize,
        words: &str,
        n: usize,
        accept: &dyn Fn(u32) -> bool,
    ) -> Result<Vec<Match>, WordsError> {
        let kind = kind.min(schema::N_KINDS - 1);
        guarded(|| {
            Ok(query::matching(
                &self.searcher,
                &self.fields,
                &self.chain,
                (kind, words),
                n,
                accept,
            )?)
        })
    }

    /// All ids, sorted, after verifying all checksums.
    ///
    /// # Errors
    /// When files are damaged or cannot be read.
    pub(crate) fn verified_ids(&self) -> Result<Vec<u32>, WordsError> {
        guarded(|| {
            if !self.index.validate_checksum()?.is_empty() {
                return Err(WordsError::Damaged);
            }
            let mut ids = Vec::new();
            for reader in self.searcher.segment_readers() {
                let column = reader.fast_fields().u64(schema::ID)?;
                let alive = reader.doc_ids_alive().filter_map(|doc| column.first(doc));
                ids.extend(alive.filter_map(|id| u32::try_from(id).ok()));
            }
            ids.sort_unstable();
            Ok(ids)
        })
    }
}

/// A read-only directory: it creates nothing, not even locks. Without locks, a writer may delete
/// files while they are being opened; the caller then retries.
#[derive(Debug, Clone)]
struct ReadOnly(MmapDirectory);

fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "opened read-only")
}

impl Directory for ReadOnly {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.0.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        Err(DeleteError::IoError {
            io_error: Arc::new(read_only()),
            filepath: path.to_owned(),
        })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.0.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::wrap_io_error(read_only(), path.to_owned()))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.0.atomic_read(path)
    }

    fn atomic_write(&self, _path: &Path, _data: &[u8]) -> io::Result<()> {
        Err(read_only())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn acquire_lock(&self, _lock: &Lock) -> Result<DirectoryLock, LockError> {
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, _callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}

#[cfg(test)]
mod tests;
