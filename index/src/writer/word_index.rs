//! Keeps the word index in step with the records. Each commit puts the documents of the changed
//! items. A word index that is behind is brought up to date by the lists of changes; a damaged one
//! is rebuilt.

use super::IndexWriter;
use crate::derived::documents;
use crate::error::{IndexError, Within};
use crate::item::Generation;
use crate::records::read::Records;
use crate::words::WordsWriter;

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
        if let Some(mut words) = self.words.take() {
            // Even if this fails, uncommitted documents are dropped.
            let _ = words.rollback();
        }
    }

    /// Opens the word index and brings it to the newest generation, whatever its state.
    pub(super) fn open_words(&mut self) -> Result<(), IndexError> {
        let path = self.layout.words();
        let writing = |source| IndexError::writing(self.layout.dir(), &path, source);
        fs_err::create_dir_all(&path).map_err(writing)?;
        let mut words = if let Ok(words) = WordsWriter::open(&path, self.language) {
            words
        } else {
            // It is derived: whatever is wrong with it, it can be rebuilt.
            fs_err::remove_dir_all(&path).map_err(writing)?;
            fs_err::create_dir_all(&path).map_err(writing)?;
            WordsWriter::open(&path, self.language).within(self.dir())?
        };
        if words.stamp != Some(self.stamp(self.generation)) {
            self.replay_words(&mut words)?;
        }
        self.words = Some(words);
        Ok(())
    }

    /// Brings the words to the newest generation: by the lists of changes if they go back far
    /// enough, or by a rebuild.
    fn replay_words(&self, words: &mut WordsWriter) -> Result<(), IndexError> {
        let dir = self.dir();
        let store = &self.overlay.store;
        let behind = words.stamp.filter(|stamp| {
            stamp.index_id == self.manifest.index_id() && stamp.generation <= self.generation.0
        });
        let lists = match behind {
            Some(stamp) => store
                .changes_after(Generation(stamp.generation))
                .within(dir)?,
            None => Vec::new(),
        };
        let complete = behind.is_some_and(|stamp| {
            let expected = stamp.generation + 1..=self.generation.0;
            lists
                .iter()
                .map(|(generation, _)| generation.0)
                .eq(expected)
        });
        if complete {
            let libraries = store.libraries().within(dir)?;
            for (_, id) in lists.into_iter().flat_map(|(_, ids)| ids) {
                match documents::document(store, &libraries, id).within(dir)? {
                    Some(document) => words.put(&document).within(dir)?,
                    None => words.remove(id.0),
                }
            }
        } else {
            words.clear().within(dir)?;
            documents::all_documents(store, dir, &mut |document| words.put(document).within(dir))?;
        }
        words
            .prepare(self.stamp(self.generation))
            .and_then(crate::words::Prepared::commit)
            .within(dir)
    }
}
