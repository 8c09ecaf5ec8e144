//! The words that a view searches: those on disk, with the documents that changed since put over
//! them in memory, or an index in memory where there are none.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::derived::documents;
use crate::disk::layout::Layout;
use crate::disk::manifest::Manifest;
use crate::error::{IndexError, Within};
use crate::item::Generation;
use crate::language::Language;
use crate::records::read::Records;
use crate::records::store::Store;
use crate::words::{Document, Words, WordsError};

/// The words of a view. Any number of threads can share them.
pub(super) struct ViewWords {
    folder: PathBuf,
    index_id: [u8; 16],
    state: Mutex<WordsState>,
}

struct WordsState {
    /// The words to start from, or why there are none.
    base: Result<WordsBase, WordsError>,
    /// Those of the generation of the view, once they were needed.
    current: Option<Arc<Words>>,
}

/// Words of the generation of a view or an earlier one.
#[derive(Clone)]
struct WordsBase {
    words: Arc<Words>,
    generation: Generation,
}

impl ViewWords {
    /// Opens the words on disk. To be called before the records are opened: words switch to a
    /// generation after the records, so these are not newer than the records opened afterwards.
    ///
    /// An error is kept until the words are needed. Unless they are missing or damaged, or the user
    /// may not read them, they are then opened again.
    pub(super) fn open(layout: &Layout, manifest: &Manifest) -> Self {
        let (folder, index_id) = (layout.words(), manifest.index_id());
        let base = WordsBase::open(&folder, index_id);
        Self::starting_from(folder, index_id, base)
    }

    /// The words for a newer view of the same index, also to be called before its records are
    /// opened. Shares what did not change.
    pub(super) fn newer(&self) -> Self {
        let folder = self.folder.clone();
        let old = self.lock().base.as_ref().ok().cloned();
        let base = match old {
            None => WordsBase::open(&folder, self.index_id),
            Some(old) => {
                let opened = old.words.newer(&folder);
                let base = opened.and_then(|words| WordsBase::of(words, self.index_id));
                // As long as there are none on disk, or they cannot be read, the old ones and the
                // lists of changes since are enough.
                Ok(base.unwrap_or(old))
            }
        };
        Self::starting_from(folder, self.index_id, base)
    }

    fn starting_from(
        folder: PathBuf,
        index_id: [u8; 16],
        base: Result<WordsBase, WordsError>,
    ) -> Self {
        let current = None;
        Self {
            folder,
            index_id,
            state: Mutex::new(WordsState { base, current }),
        }
    }

    /// Whether they were needed, so that a newer view will probably need its own.
    pub(super) fn is_used(&self) -> bool {
        self.lock().current.is_some()
    }

    /// The words of the generation that `store` has.
    ///
    /// # Errors
    /// When the records cannot be read, or the words cannot, for another reason than that they are
    /// missing or damaged, or that the user may not read them.
    pub(super) fn of(
        &self,
        store: &Store,
        dir: &Path,
        language: Language,
        generation: Generation,
    ) -> Result<Arc<Words>, IndexError> {
        let mut state = self.lock();
        if let Some(words) = &state.current {
            return Ok(Arc::clone(words));
        }
        if let Err(error) = &state.base
            && !error.is_damage()
            && !error.is_denied()
        {
            state.base = WordsBase::open(&self.folder, self.index_id);
        }
        let overlaid = match &state.base {
            Ok(base) if base.words.language() == language => {
                match overlay(base, store, dir, generation) {
                    Err(IndexError::Words { source, .. }) if source.is_damage() => None,
                    overlaid => overlaid?,
                }
            }
            Err(error) if !error.is_damage() && !error.is_denied() => {
                return Err(error.clone()).within(dir);
            }
            _ => None,
        };
        let words = if let Some(words) = overlaid {
            words
        } else {
            let words = in_memory(store, dir, language)?;
            state.base = Ok(WordsBase {
                words: Arc::clone(&words),
                generation,
            });
            words
        };
        state.current = Some(Arc::clone(&words));
        Ok(words)
    }

    /// Forgets damaged words, so that the next call of [`of`](Self::of) indexes them in memory.
    /// Returns false for words in memory.
    pub(super) fn forget(&self, damaged: &Arc<Words>) -> bool {
        let mut state = self.lock();
        let is_memory = matches!(&state.base, Ok(base) if base.words.stamp.is_none());
        let is_current = state
            .current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, damaged));
        if is_current && !is_memory {
            state.current = None;
            state.base = Err(WordsError::Damaged);
        }
        !is_current || !is_memory
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, WordsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WordsBase {
    fn open(folder: &Path, index_id: [u8; 16]) -> Result<Self, WordsError> {
        Words::open(folder, None).and_then(|words| Self::of(words, index_id))
    }

    fn of(words: Words, index_id: [u8; 16]) -> Result<Self, WordsError> {
        match words.stamp {
            Some(stamp) if stamp.index_id == index_id => Ok(Self {
                words: Arc::new(words),
                generation: Generation(stamp.generation),
            }),
            _ => Err(WordsError::OtherSchema),
        }
    }
}

/// The words of a generation, from earlier ones and the lists of changes since; none when the lists
/// do not go back far enough.
fn overlay(
    base: &WordsBase,
    store: &Store,
    dir: &Path,
    generation: Generation,
) -> Result<Option<Arc<Words>>, IndexError> {
    if base.generation == generation {
        return Ok(Some(Arc::clone(&base.words)));
    }
    let Some(ids) = documents::changed_since(store, base.generation, generation).within(dir)?
    else {
        return Ok(None);
    };
    let libraries = store.libraries().within(dir)?;
    let mut changed: Vec<Document> = Vec::new();
    for &id in &ids {
        changed.extend(documents::document(store, &libraries, id).within(dir)?);
    }
    let ids: Vec<u32> = ids.into_iter().map(|id| id.0).collect();
    let words = base.words.overlaid(&ids, &changed).within(dir)?;
    Ok(Some(Arc::new(words)))
}

fn in_memory(store: &Store, dir: &Path, language: Language) -> Result<Arc<Words>, IndexError> {
    let words = Words::in_memory::<IndexError>(language, |put| {
        documents::all_documents(store, dir, &mut |document| put(document).within(dir))
    })?;
    Ok(Arc::new(words))
}
