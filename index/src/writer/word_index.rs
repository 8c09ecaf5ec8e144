//! Keeps the word index in step with the records. Each commit puts the documents of the changed
//! items. A word index that is behind is brought up to date by the lists of changes; a damaged one,
//! or one with another number of documents than there are items, is rebuilt.

use super::IndexWriter;
use crate::derived::documents;
use crate::disk::steps::Step;
use crate::error::{IndexError, Within};
use crate::item::Generation;
use crate::records::read::Records;
use crate::words::{Document, Merge, Prepared, WordsWriter};

impl IndexWriter {
    /// Puts the documents of all changed items into the word index, uncommitted.
    pub(super) fn write_words(&mut self) -> Result<(), IndexError> {
        let Some(words) = &mut self.words else {
            return Ok(());
        };
        let dir = self.layout.dir();
        let libraries = self.overlay.libraries().within(dir)?;
        for &(_, id) in &self.overlay.touched {
            match documents::document(&self.overlay, &libraries, id).within(dir)? {
                Some(document) => words.put(&document).within(dir)?,
                None => words.remove(id.0),
            }
        }
        Ok(())
    }

    /// Closes the word index after an error, which leaves it in an unknown state. The next commit
    /// opens it again and replays missing changes.
    pub(super) fn give_up_words(&mut self) {
        // This drops uncommitted documents.
        self.words = None;
    }

    /// Waits for merges, closes the word index, and rewrites segments of which a tenth was removed.
    pub(super) fn finish_words(&mut self) -> Result<(), IndexError> {
        if self.merge_words(Merge::Worthwhile)? {
            let stopped = |source| IndexError::writing(self.dir(), self.dir(), source);
            self.steps.reach(Step::WordsMerged).map_err(stopped)?;
        }
        Ok(())
    }

    /// Merges all segments into one without removed documents, and closes the word index.
    pub(super) fn compact_words(&mut self) -> Result<(), IndexError> {
        self.merge_words(Merge::Everything).map(drop)
    }

    fn merge_words(&mut self, merge: Merge) -> Result<bool, IndexError> {
        let dir = self.layout.dir();
        if let Some(words) = self.words.take() {
            words.close().within(dir)?;
        }
        WordsWriter::merge(&self.layout.words(), self.language, merge).within(dir)
    }

    /// Opens the word index and brings it to the newest generation. A damaged one, and one with
    /// another number of documents than there are items, is rebuilt; one that cannot be read for
    /// another reason is an error and stays as it is.
    pub(super) fn open_words(&mut self) -> Result<(), IndexError> {
        let path = self.layout.words();
        let writing = |source| IndexError::writing(self.layout.dir(), &path, source);
        fs_err::create_dir_all(&path).map_err(writing)?;
        let mut words = match WordsWriter::open(&path, self.language) {
            Err(error) if error.is_damage() => {
                fs_err::remove_dir_all(&path).map_err(writing)?;
                fs_err::create_dir_all(&path).map_err(writing)?;
                WordsWriter::open(&path, self.language)
            }
            opened => opened,
        }
        .within(self.dir())?;
        if words.stamp != Some(self.stamp(self.generation)) {
            self.replay_words(&mut words)?;
        }
        if !self.is_document_count_right(&words)? {
            self.rebuild_words(&mut words)?;
        }
        self.words = Some(words);
        Ok(())
    }

    /// Whether there are as many documents as committed items. The stored counts answer that,
    /// unless they differ: then the items are counted.
    fn is_document_count_right(&self, words: &WordsWriter) -> Result<bool, IndexError> {
        let dir = self.dir();
        let store = &self.overlay.store;
        let found = words.n_documents().within(dir)?;
        let counts = store.stored_counts().within(dir)?;
        if counts.n_images.checked_add(counts.n_captions) == Some(found) {
            return Ok(true);
        }
        let mut n_items = 0;
        let count = &mut |_, _| {
            n_items += 1;
            Ok(())
        };
        store.scan_items(count).within(dir)?;
        Ok(found == n_items)
    }

    /// Brings the words to the newest generation: by the lists of changes if they go back far
    /// enough, or by a rebuild.
    fn replay_words(&self, words: &mut WordsWriter) -> Result<(), IndexError> {
        let dir = self.dir();
        let store = &self.overlay.store;
        let behind = words
            .stamp
            .filter(|stamp| stamp.index_id == self.manifest.index_id());
        let changed = match behind {
            Some(stamp) => {
                documents::changed_since(store, Generation(stamp.generation), self.generation)
                    .within(dir)?
            }
            None => None,
        };
        let Some(changed) = changed else {
            return self.rebuild_words(words);
        };
        let libraries = store.libraries().within(dir)?;
        for id in changed {
            match documents::document(store, &libraries, id).within(dir)? {
                Some(document) => words.put(&document).within(dir)?,
                None => words.remove(id.0),
            }
        }
        self.commit_words(words)
    }

    /// Replaces all documents by those of the committed items.
    fn rebuild_words(&self, words: &mut WordsWriter) -> Result<(), IndexError> {
        let dir = self.dir();
        words.clear().within(dir)?;
        let put = &mut |document: &Document| words.put(document).within(dir);
        documents::all_documents(&self.overlay.store, dir, put)?;
        self.commit_words(words)
    }

    fn commit_words(&self, words: &mut WordsWriter) -> Result<(), IndexError> {
        words
            .prepare(self.stamp(self.generation))
            .and_then(Prepared::commit)
            .within(self.dir())
    }
}
