//! Reads the index. A reader sees one generation, whatever is written meanwhile, and writes nothing
//! itself.

pub(crate) mod facet_counts;
mod folders;
mod hubs;
mod look;
pub(crate) mod nearest;
mod newer;
mod newest;
pub(crate) mod references;
pub(crate) mod search;
mod select;
#[cfg(test)]
mod select_tests;
mod selections;
pub(crate) mod statistics;
mod texts;
mod vectors;
#[cfg(test)]
mod vectors_tests;
mod view_words;
mod words;
#[cfg(test)]
mod words_tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::look::Look;
use self::references::Hubs;
use self::selections::Selections;
use self::vectors::KindState;
use self::view_words::ViewWords;
use crate::derived;
use crate::disk::layout::Layout;
use crate::disk::manifest::{Binding, Manifest};
use crate::error::{IndexError, Within};
use crate::item::{Caption, FileRecord, Generation, Item, ItemId, ItemKind, Library};
use crate::language::Language;
use crate::records::codec::StoredCounts;
use crate::records::damaged;
use crate::records::read::Records;
use crate::records::store::Store;
use crate::vector::UnitVector;

/// A generation of one index. Views with the same id show the same items, also where another index
/// was put in the place of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ViewId {
    index_id: [u8; 16],
    generation: Generation,
}

/// Reads one generation of an index. Any number of threads can share it.
pub struct IndexReader {
    layout: Layout,
    index_id: [u8; 16],
    binding: Binding,
    /// The files as they were before they were opened.
    look: Look,
    store: Store,
    generation: Generation,
    counts: StoredCounts,
    language: Language,
    kinds: [KindState; 2],
    words: ViewWords,
    selections: Selections,
    hubs: Hubs,
}

/// How often opening is attempted while a writer is changing the index.
const N_ATTEMPTS: u32 = 5;

impl IndexReader {
    /// Opens the newest generation. Works while a writer runs, and on a read-only folder.
    ///
    /// With a `binding`, an index made with another model is refused.
    ///
    /// # Errors
    /// When there is no index, it has another format or model, or its records cannot be read.
    /// Graphs or words that are missing, behind or damaged are not an error: vectors are then
    /// compared one by one, and words are completed in memory on first use. Without usable ones,
    /// all are indexed in memory, which takes about a second per 100,000 items.
    pub fn open(dir: &Path, binding: Option<&Binding>) -> Result<Self, IndexError> {
        Self::open_after(dir, binding, None).map(|(reader, _)| reader)
    }

    /// Opens the newest generation, and takes over from an older view what did not change. Returns
    /// whether the parts belong together.
    fn open_after(
        dir: &Path,
        binding: Option<&Binding>,
        older: Option<&Self>,
    ) -> Result<(Self, bool), IndexError> {
        let mut pause = Duration::from_millis(5);
        for attempt in 1..=N_ATTEMPTS {
            let is_last = attempt == N_ATTEMPTS;
            let layout = Layout::new(dir);
            // Read again in each attempt: a switch to another model deletes the old data.
            let Some(manifest) = Manifest::read(&layout)? else {
                return Err(no_index(&layout)?);
            };
            if let Some(binding) = binding {
                manifest.check_binding(dir, binding)?;
            }
            let layout = layout.with_data(&manifest.data);
            let older = older.filter(|older| older.is_of(&layout, &manifest));
            match Self::open_once(&layout, &manifest, older) {
                Ok((reader, settled)) if settled || is_last => return Ok((reader, settled)),
                // The records were opened again and again for long enough.
                Err(error @ IndexError::Busy { .. }) => return Err(error),
                Err(error) if is_last => return Err(error),
                Ok(_) | Err(_) => {}
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
        Err(IndexError::Busy {
            dir: dir.to_owned(),
        })
    }

    /// Opens the present state, and returns whether its parts belong together.
    fn open_once(
        layout: &Layout,
        manifest: &Manifest,
        older: Option<&Self>,
    ) -> Result<(Self, bool), IndexError> {
        let dir = layout.dir();
        let path = layout.records();
        if !layout.has_records() {
            return Err(IndexError::Damaged {
                path,
                what: "its records are missing",
            });
        }
        let look = Look::at(layout)?;
        let seen = derived::newest_seen(layout, manifest)?;
        let words = match older {
            Some(older) => older.words.newer(),
            None => ViewWords::open(layout, manifest),
        };
        let store = match older {
            Some(older) => older.store.open_again(&path),
            None => Store::open_read_only(&path),
        }
        .within(dir)?;
        store.require_columns().within(dir)?;
        let generation = store.generation().within(dir)?;
        derived::refuse_lost_commits(layout, seen, generation)?;
        let counts = store.stored_counts().within(dir)?;
        let language = store.language().within(dir)?;
        let [images, captions] = ItemKind::ALL.map(|kind| {
            let held = older.map_or(&[][..], |older| &older.kinds[kind.number()].segments);
            KindState::open(layout, manifest, &store, kind, held)
        });
        let ((images, images_settled), (captions, captions_settled)) = (images?, captions?);
        let settled = images_settled && captions_settled;
        let kinds = [images, captions];
        let (layout, binding) = (layout.clone(), manifest.binding.clone());
        Ok((
            Self {
                layout,
                index_id: manifest.index_id(),
                binding,
                look,
                store,
                generation,
                counts,
                language,
                kinds,
                words,
                selections: Selections::default(),
                hubs: Hubs::default(),
            },
            settled,
        ))
    }

    /// The model that made the vectors.
    #[must_use]
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// The generation of this reader.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Which view this is.
    #[must_use]
    pub fn view_id(&self) -> ViewId {
        ViewId {
            index_id: self.index_id,
            generation: self.generation,
        }
    }

    /// The language of the stemmer.
    #[must_use]
    pub fn language(&self) -> Language {
        self.language
    }

    /// The library folders, sorted by the bytes of their paths.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn libraries(&self) -> Result<Vec<Library>, IndexError> {
        self.store.libraries().within(self.dir())
    }

    /// An item, if it exists.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn item(&self, id: ItemId) -> Result<Option<Item>, IndexError> {
        self.store.item(id).within(self.dir())
    }

    /// The captions of an image, by source file, then in their order there.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn captions_of(&self, image: ItemId) -> Result<Vec<Caption>, IndexError> {
        self.store.captions_of(Some(image)).within(self.dir())
    }

    /// The captions without an image, by source file, then in their order there.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn captions_alone(&self) -> Result<Vec<Caption>, IndexError> {
        self.store.captions_of(None).within(self.dir())
    }

    /// Visits the vectors of a kind, by id.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn visit_vectors(
        &self,
        kind: ItemKind,
        visit: &mut dyn FnMut(ItemId, &[f32]),
    ) -> Result<(), IndexError> {
        let dimension = self.binding.dimension;
        self.store
            .scan_vectors(kind, ItemId(0), dimension, &mut |id, vector| {
                visit(id, vector);
                Ok(true)
            })
            .within(self.dir())
    }

    /// The vector of an item, if it exists.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn vector(&self, id: ItemId) -> Result<Option<UnitVector>, IndexError> {
        let Some(item) = self.store.stored_item(id).within(self.dir())? else {
            return Ok(None);
        };
        let values = self
            .store
            .vector_values(item.kind(), id, self.binding.dimension)
            .within(self.dir())?;
        let vector = values.and_then(|values| UnitVector::new(values).ok());
        let vector = vector.ok_or(damaged("the vector of an item"));
        vector.map(Some).within(self.dir())
    }

    /// The record of a file, if it is indexed.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn file(&self, path: &Path) -> Result<Option<FileRecord>, IndexError> {
        self.store.file(path).within(self.dir())
    }

    /// The indexed files in `folder` and its subfolders, sorted by the bytes of their paths.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn files_under(&self, folder: &Path) -> Result<Vec<(PathBuf, FileRecord)>, IndexError> {
        self.store.files_under(folder).within(self.dir())
    }

    /// The image with this content hash, if any.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn image_with_hash(&self, hash: &[u8; 32]) -> Result<Option<ItemId>, IndexError> {
        self.store.image_with_hash(hash).within(self.dir())
    }

    /// All indexed files, sorted by the bytes of their paths.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn files(&self) -> Result<Vec<(PathBuf, FileRecord)>, IndexError> {
        let mut files = Vec::new();
        let scan = self.store.scan_files(&mut |path, file| {
            files.push((path, file));
            Ok(())
        });
        scan.within(self.dir())?;
        Ok(files)
    }

    fn dir(&self) -> &Path {
        self.layout.dir()
    }
}

impl fmt::Debug for IndexReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("IndexReader")
            .field("dir", &self.dir())
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// The error for a folder without a manifest. Records without a manifest belong either to an index
/// whose creation was interrupted, which contains nothing and does not count as one, or to an index
/// that has lost its manifest.
fn no_index(layout: &Layout) -> Result<IndexError, IndexError> {
    let is_made = if layout.has_records() {
        // While it is being created, some of its columns are missing, and all are empty.
        let store = Store::open_read_only(&layout.records());
        match store.and_then(|store| store.generation()) {
            Ok(generation) => generation != Generation(0),
            Err(error) if error.is_damage() => true,
            Err(source) => {
                return Err(IndexError::Records {
                    dir: layout.dir().to_owned(),
                    source,
                });
            }
        }
    } else {
        layout.has_any_records()?
    };
    Ok(if is_made || !layout.data_folders()?.is_empty() {
        IndexError::Damaged {
            path: layout.manifest(),
            what: "it is missing; indexing again restores it",
        }
    } else {
        IndexError::NoIndex {
            dir: layout.dir().to_owned(),
        }
    })
}
