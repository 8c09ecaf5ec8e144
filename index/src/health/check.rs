//! Is everything as it should be? Reads all of an index and compares its parts with each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::rules::{self, Items, is_unit};
use crate::derived::graph_files::{self, Usable};
use crate::disk::layout::Layout;
use crate::disk::lock::Gate;
use crate::disk::manifest::Manifest;
use crate::error::{IndexError, Within};
use crate::graph::file::Graph;
use crate::item::{Generation, ItemId, ItemKind};
use crate::records::RecordsError;
use crate::records::codec;
use crate::records::codec::{StoredCounts, StoredItem};
use crate::records::keys::{self, Column};
use crate::records::read::Records;
use crate::records::store::Store;
use crate::words::{Words, WordsStamp};
use crate::writer::open::data_without_manifest;

/// Something in an index that should not be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// `manifest.json` is missing or damaged. The next writer brings it back from its copy in the records.
    #[error("the manifest: {what}")]
    Manifest {
        /// What is wrong.
        what: String,
    },
    /// A file of the records cannot be read, or is not what was written.
    #[error("the records: {what}")]
    Records {
        /// What is wrong.
        what: String,
    },
    /// A record contradicts another, or is missing.
    #[error("item {}: {what}", id.0)]
    Item {
        /// The item.
        id: ItemId,
        /// What is wrong.
        what: &'static str,
    },
    /// A file points nowhere, or its image does not know it.
    #[error("{}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The stored counts are not what is there.
    #[error("the counts say {stored}, there are {found}")]
    Counts {
        /// What the record says.
        stored: String,
        /// What was counted.
        found: String,
    },
    /// The record of generations is wrong.
    #[error("the generations contradict each other: {what}")]
    Generations {
        /// What is wrong.
        what: &'static str,
    },
    /// A graph is damaged or does not belong to the records. Searches compare every vector until the next writer
    /// builds a new one.
    #[error("the graph of kind {kind:?}: {what}")]
    Graph {
        /// Which graph.
        kind: ItemKind,
        /// What is wrong.
        what: String,
    },
    /// The word index is damaged or does not belong to the records. Readers make one in memory until the next writer
    /// brings it up to date.
    #[error("the word index: {what}")]
    Words {
        /// What is wrong.
        what: String,
    },
}

/// Reads all of an index, which looks at every checksum, and compares its parts with each other. An empty list means
/// that nothing is wrong. Writes nothing. While a writer commits, words and graphs may seem not to belong to the
/// records for a moment.
///
/// # Errors
/// When there is no index, it has another format, or it may not be read.
pub fn check(dir: &Path) -> Result<Vec<Problem>, IndexError> {
    let layout = Layout::new(dir);
    let mut problems = Vec::new();
    let manifest = find_manifest(&layout, &mut problems)?;
    let layout = match &manifest {
        Some(manifest) => layout.with_data(manifest.data()),
        None => layout.with_data(&data_without_manifest(&layout)),
    };
    let Some(store) = open_store(&layout, &mut problems)? else {
        return Ok(problems);
    };
    for column in Column::ALL {
        if let Err(error) = store.verify(column) {
            note_damage(error, dir, &mut problems)?;
        }
    }
    let n_unreadable = problems.len() - usize::from(manifest.is_none());
    if n_unreadable > 0 {
        // Whatever else seems wrong may only be unreadable.
        return Ok(problems);
    }
    let manifest = match (manifest, store.manifest_copy().within(dir)?) {
        (Some(manifest), copy) => {
            if copy.is_none() {
                let what = "its copy in the records is missing".to_owned();
                problems.push(Problem::Manifest { what });
            }
            manifest
        }
        (None, Some(copy)) => Manifest::parse(&layout, &copy)?,
        (None, None) => {
            let what = "its copy in the records is missing too".to_owned();
            problems.push(Problem::Manifest { what });
            return Ok(problems);
        }
    };
    let mut checker = Checker {
        layout,
        manifest,
        store,
        problems,
    };
    if let Err(error) = checker.check_all() {
        note_damage(error, dir, &mut checker.problems)?;
    }
    Ok(checker.problems)
}

/// The manifest, or none and a problem.
fn find_manifest(
    layout: &Layout,
    problems: &mut Vec<Problem>,
) -> Result<Option<Manifest>, IndexError> {
    let what = match Manifest::read(layout) {
        Ok(Some(manifest)) => return Ok(Some(manifest)),
        // Records without anything in them are an index whose making was cut short, which is none.
        Ok(None)
            if !layout.records().is_dir()
                || Store::open_read_only(&layout.records())
                    .is_ok_and(|store| matches!(store.generation(), Ok(Generation(0)))) =>
        {
            return Err(IndexError::NoIndex {
                dir: layout.dir().to_owned(),
            });
        }
        Ok(None) => "it is missing".to_owned(),
        Err(IndexError::Damaged { what, .. }) => what.to_owned(),
        Err(error) => return Err(error),
    };
    problems.push(Problem::Manifest { what });
    Ok(None)
}

/// How often opening is tried while a writer moves records under our eyes.
const N_ATTEMPTS: usize = 4;

/// The records, or none and a problem.
fn open_store(layout: &Layout, problems: &mut Vec<Problem>) -> Result<Option<Store>, IndexError> {
    let path = layout.records();
    if !path.is_dir() {
        let what = "their folder is gone".to_owned();
        problems.push(Problem::Records { what });
        return Ok(None);
    }
    let mut attempt = 1;
    loop {
        let gate = Gate::pass(layout)?;
        let opened = Store::open_read_only(&path);
        drop(gate);
        match opened {
            Ok(store) => return Ok(Some(store)),
            Err(_) if attempt < N_ATTEMPTS => {
                attempt += 1;
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            Err(error) => {
                note_damage(error, layout.dir(), problems)?;
                return Ok(None);
            }
        }
    }
}

/// Damage is what a check looks for; anything else is an error.
fn note_damage(
    error: RecordsError,
    dir: &Path,
    problems: &mut Vec<Problem>,
) -> Result<(), IndexError> {
    let what = match &error {
        RecordsError::Storage { source } if error.is_damage() => source.to_string(),
        error if error.is_damage() => error.to_string(),
        _ => return Err(error).within(dir),
    };
    if !problems
        .iter()
        .any(|problem| matches!(problem, Problem::Records { what: known } if *known == what))
    {
        problems.push(Problem::Records { what });
    }
    Ok(())
}

struct Checker {
    layout: Layout,
    manifest: Manifest,
    store: Store,
    problems: Vec<Problem>,
}

impl Checker {
    fn check_all(&mut self) -> Result<(), RecordsError> {
        let items = self.check_items()?;
        self.check_files(&items)?;
        self.check_captions(&items)?;
        self.check_counts(&items)?;
        self.store.libraries()?;
        self.store.last_run()?;
        self.check_generations()?;
        for kind in ItemKind::ALL {
            self.check_graph(kind, &items)?;
        }
        self.check_words(&items)
    }

    fn report(&mut self, id: ItemId, what: &'static str) {
        self.problems.push(Problem::Item { id, what });
    }

    /// Items and vectors belong to each other, and hashes to images.
    fn check_items(&mut self) -> Result<Items, RecordsError> {
        let mut items = Items::new();
        self.store.scan_items(&mut |id, item| {
            items.insert(id, item);
            Ok(())
        })?;
        let next = self.store.next_id()?;
        let mut with_vector = BTreeSet::new();
        for kind in ItemKind::ALL {
            let mut found = Vec::new();
            self.store.scan_vectors(
                kind,
                ItemId(0),
                self.manifest.dimension(),
                &mut |id, vector| {
                    found.push((id, is_unit(vector)));
                    Ok(true)
                },
            )?;
            for (id, is_unit) in found {
                with_vector.insert(id);
                if items.get(&id).map(StoredItem::kind) != Some(kind) {
                    self.report(id, "there is a vector but no item of its kind");
                }
                if !is_unit {
                    self.report(id, "its vector is not of unit length");
                }
            }
        }
        let mut hashes = BTreeMap::new();
        self.store
            .scan(Column::Hashes, &[], &[], &mut |key, value| {
                hashes.insert(key.to_vec(), codec::decode_id(value)?);
                Ok(true)
            })?;
        for (&id, item) in &items {
            if !with_vector.contains(&id) {
                self.problems.push(Problem::Item {
                    id,
                    what: "it has no vector",
                });
            }
            if id >= next {
                self.problems.push(Problem::Item {
                    id,
                    what: "its number was never given out",
                });
            }
            if let StoredItem::Image { content_hash, .. } = item
                && hashes.remove(content_hash.as_slice()) != Some(id)
            {
                self.problems.push(Problem::Item {
                    id,
                    what: "its hash does not lead to it",
                });
            }
        }
        for id in hashes.into_values() {
            self.report(id, "a hash leads to it, which it does not have");
        }
        Ok(items)
    }

    /// Files and images know each other.
    fn check_files(&mut self, items: &Items) -> Result<(), RecordsError> {
        let mut files = BTreeMap::new();
        self.store.scan_files(&mut |path, file| {
            files.insert(path, file.image);
            Ok(())
        })?;
        for (path, image) in &files {
            if !matches!(items.get(image), Some(StoredItem::Image { .. })) {
                let path = path.clone();
                self.problems.push(Problem::File {
                    path,
                    what: "its image does not exist",
                });
            }
        }
        let mut n_links = 0;
        for (&id, item) in items {
            if item.kind() != ItemKind::Image {
                continue;
            }
            for path in self.store.paths_of(id)? {
                n_links += 1;
                if files.get(&path) != Some(&id) {
                    self.problems.push(Problem::File {
                        path,
                        what: "an image claims it that it does not hold",
                    });
                }
            }
        }
        if n_links != files.len() {
            let (path, what) = (self.layout.records(), "some file is not known to its image");
            self.problems.push(Problem::File { path, what });
        }
        Ok(())
    }

    /// Captions are listed under their owners and sources, and owners exist.
    fn check_captions(&mut self, items: &Items) -> Result<(), RecordsError> {
        let mut listed = BTreeMap::new();
        self.store
            .scan(Column::Captions, b"o", b"o", &mut |key, value| {
                listed.insert(codec::decode_id(value)?, key.to_vec());
                Ok(true)
            })?;
        let mut sources = BTreeSet::new();
        self.store
            .scan(Column::Captions, b"s", b"s", &mut |key, _| {
                sources.insert(key.to_vec());
                Ok(true)
            })?;
        let mut used = BTreeSet::new();
        for (&id, item) in items {
            let StoredItem::Caption {
                owner,
                rank,
                source,
                ..
            } = item
            else {
                continue;
            };
            if listed.remove(&id) != Some(keys::caption(*owner, source, *rank)?) {
                self.report(id, "its owner does not list it");
            }
            used.insert(keys::source(source, *owner)?);
            if owner
                .is_some_and(|owner| !matches!(items.get(&owner), Some(StoredItem::Image { .. })))
            {
                self.report(id, "its image does not exist");
            }
        }
        for id in listed.into_keys() {
            self.report(id, "it is listed as a caption and is none");
        }
        if used != sources {
            self.problems.push(Problem::Generations {
                what: "the list of caption files is not that of the captions",
            });
        }
        Ok(())
    }

    fn check_counts(&mut self, items: &Items) -> Result<(), RecordsError> {
        let mut n_files = 0;
        self.store.scan_files(&mut |_, _| {
            n_files += 1;
            Ok(())
        })?;
        let found = rules::counts(items, n_files);
        let stored = self.store.stored_counts()?;
        if found != stored {
            let text = |counts: StoredCounts| {
                let StoredCounts {
                    n_images,
                    n_captions,
                    n_files,
                } = counts;
                format!("{n_images} images, {n_captions} captions and {n_files} files")
            };
            self.problems.push(Problem::Counts {
                stored: text(stored),
                found: text(found),
            });
        }
        Ok(())
    }

    fn check_generations(&mut self) -> Result<(), RecordsError> {
        let generation = self.store.generation()?;
        let lists = self.store.changes_after(Generation(0))?;
        if !rules::are_complete(&lists, generation) {
            self.problems.push(Problem::Generations {
                what: "the lists of changes do not end with the newest",
            });
        }
        let words = Words::stamp_in(&self.layout.words());
        if let Some(words) = words.filter(|stamp| stamp.index_id == self.manifest.index_id())
            && words.generation > generation.0
        {
            self.problems.push(Problem::Records {
                what: format!(
                    "commits are missing: they end with {}, and there was a {}",
                    generation.0, words.generation
                ),
            });
        }
        if self
            .store
            .purged()?
            .iter()
            .any(|&purged| purged > generation)
        {
            self.problems.push(Problem::Generations {
                what: "a graph of the future was built",
            });
        }
        Ok(())
    }

    /// The graph holds exactly the items that it should, with the vectors that the records have.
    fn check_graph(&mut self, kind: ItemKind, items: &Items) -> Result<(), RecordsError> {
        let removed: BTreeSet<ItemId> = self.store.removed(kind)?.into_iter().collect();
        for &id in removed.iter().filter(|id| items.contains_key(id)) {
            self.problems.push(Problem::Item {
                id,
                what: "it exists and counts as removed",
            });
        }
        let mut report = |what: String| self.problems.push(Problem::Graph { kind, what });
        let graph = match Graph::open(&self.layout.graph(kind)).and_then(|graph| {
            graph
                .map(|graph| graph.verify().map(|()| graph))
                .transpose()
        }) {
            Ok(Some(graph)) => graph,
            Ok(None) => return Ok(()),
            Err(error) => {
                report(error.to_string());
                return Ok(());
            }
        };
        if graph.n_unreachable() > 0 {
            report(format!(
                "no search reaches {} of its points",
                graph.n_unreachable()
            ));
        }
        let purged = self.store.purged()?[kind.number()];
        let usable = graph_files::is_usable(
            &graph,
            &self.manifest,
            kind,
            self.store.generation()?,
            purged,
        );
        if usable != Usable::Yes {
            report("it does not belong to the records".to_owned());
            return Ok(());
        }
        let last_id = ItemId(graph.stamp().last_id);
        let mut expected: BTreeSet<ItemId> = items
            .iter()
            .filter(|&(&id, item)| item.kind() == kind && id <= last_id)
            .map(|(&id, _)| id)
            .collect();
        for (id, vector) in graph.rows() {
            let id = ItemId(id);
            if !expected.remove(&id) {
                if !removed.contains(&id) {
                    report(format!(
                        "it holds item {}, which does not exist, or twice",
                        id.0
                    ));
                }
            } else if self.store.vector_values(kind, id, vector.len())?.as_deref() != Some(vector) {
                report(format!("it holds another vector of item {}", id.0));
            }
        }
        for id in expected {
            report(format!("it lacks item {}", id.0));
        }
        Ok(())
    }

    /// The word index is of this generation and has one document for each item.
    fn check_words(&mut self, items: &Items) -> Result<(), RecordsError> {
        let generation = self.store.generation()?;
        let expected = WordsStamp {
            index_id: self.manifest.index_id(),
            generation: generation.0,
        };
        let mut report = |what: String| self.problems.push(Problem::Words { what });
        let words = match Words::open(&self.layout.words(), self.store.language()?) {
            Ok(words) => words,
            // Nothing was committed yet.
            Err(_) if generation == Generation(0) => return Ok(()),
            Err(error) => {
                report(error.to_string());
                return Ok(());
            }
        };
        if words.stamp() != Some(expected) {
            report(format!("it does not belong to generation {}", generation.0));
            return Ok(());
        }
        match words.verified_ids() {
            Ok(found) => {
                let mut ids: Vec<u32> = items.keys().map(|id| id.0).collect();
                ids.sort_unstable();
                if ids != found {
                    report("its documents are not the items".to_owned());
                }
            }
            Err(error) => report(error.to_string()),
        }
        Ok(())
    }
}
