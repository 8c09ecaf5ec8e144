//! Checks an index: reads all of it and compares its parts with each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::rules::{self, Items, is_unit};
use crate::derived::segments::{self, Opened};
use crate::disk::layout::Layout;
use crate::disk::manifest::Manifest;
use crate::error::{IndexError, Within};
use crate::item::{Generation, ItemId, ItemKind};
use crate::records::RecordsError;
use crate::records::codec;
use crate::records::codec::{StoredCounts, StoredItem};
use crate::records::facets;
use crate::records::keys::{self, Column};
use crate::records::read::Records;
use crate::records::segments::SegmentEntry;
use crate::records::store::Store;
use crate::words::{Words, WordsStamp};
use crate::writer::open::data_without_manifest;

/// A defect of an index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// `manifest.json` is missing or damaged. The next writer restores it from its copy in the
    /// records.
    #[error("the manifest: {what}")]
    Manifest {
        /// What is wrong.
        what: String,
    },
    /// A file of the records cannot be read or is damaged.
    #[error("the records: {what}")]
    Records {
        /// What is wrong.
        what: String,
    },
    /// A record contradicts another one or is missing.
    #[error("item {}: {what}", id.0)]
    Item {
        /// The item.
        id: ItemId,
        /// What is wrong.
        what: &'static str,
    },
    /// A file refers to an image that does not exist or does not refer back.
    #[error("{}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The stored counts are wrong.
    #[error("the counts: stored as {stored}, but found {found}")]
    Counts {
        /// The stored counts.
        stored: String,
        /// The actual counts.
        found: String,
    },
    /// The records of generations contradict each other.
    #[error("the generations: {what}")]
    Generations {
        /// What is wrong.
        what: &'static str,
    },
    /// The facets, by which filters select images, do not match the items.
    #[error("the facets: {what}")]
    Facets {
        /// What is wrong.
        what: &'static str,
    },
    /// A graph is damaged or does not belong to the records. Searches compare every vector until
    /// the next writer rebuilds it.
    #[error("the graph of kind {kind:?}: {what}")]
    Graph {
        /// The kind of items in the graph.
        kind: ItemKind,
        /// What is wrong.
        what: String,
    },
    /// The word index is damaged or does not belong to the records. Readers build one in memory
    /// until the next writer updates it.
    #[error("the word index: {what}")]
    Words {
        /// What is wrong.
        what: String,
    },
}

/// Checks an index for damage: reads all of it, verifies every checksum, and compares its parts
/// with each other.
///
/// An empty list means that the index is sound. Writes nothing. While a writer commits, words and
/// graphs may be reported as not belonging to the records.
///
/// # Errors
/// When there is no index, it has another format, or it cannot be read for another reason than
/// damage.
pub fn check(dir: &Path) -> Result<Vec<Problem>, IndexError> {
    let layout = Layout::new(dir);
    let mut problems = Vec::new();
    let manifest = find_manifest(&layout, &mut problems)?;
    let layout = match &manifest {
        Some(manifest) => layout.with_data(&manifest.data),
        None => layout.with_data(&data_without_manifest(&layout)?),
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
        // Further problems may only be consequences of unreadable blocks.
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

/// The manifest, or none and a reported problem.
fn find_manifest(
    layout: &Layout,
    problems: &mut Vec<Problem>,
) -> Result<Option<Manifest>, IndexError> {
    let what = match Manifest::read(layout) {
        Ok(Some(manifest)) => return Ok(Some(manifest)),
        // Empty records belong to an index whose creation was interrupted, which does not count as
        // one.
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

/// How often opening is attempted while a writer is moving records.
const N_ATTEMPTS: usize = 4;

/// The records, or none and a reported problem.
fn open_store(layout: &Layout, problems: &mut Vec<Problem>) -> Result<Option<Store>, IndexError> {
    let path = layout.records();
    if !path.is_dir() {
        let what = "their folder is missing".to_owned();
        problems.push(Problem::Records { what });
        return Ok(None);
    }
    let mut attempt = 1;
    loop {
        match Store::open_read_only(&path) {
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

/// Reports damage as a problem. Any other error is returned.
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
        self.check_facets()?;
        self.check_generations()?;
        for kind in ItemKind::ALL {
            self.check_graph(kind, &items)?;
        }
        self.check_words(&items)
    }

    fn report(&mut self, id: ItemId, what: &'static str) {
        self.problems.push(Problem::Item { id, what });
    }

    /// Checks that items and vectors match, and hashes and images.
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
                self.manifest.binding.dimension,
                &mut |id, vector| {
                    found.push((id, is_unit(vector)));
                    Ok(true)
                },
            )?;
            for (id, is_unit) in found {
                with_vector.insert(id);
                if items.get(&id).map(StoredItem::kind) != Some(kind) {
                    self.report(id, "it has a vector, but does not exist with that kind");
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
                    what: "its id was never assigned",
                });
            }
            if let StoredItem::Image { content_hash, .. } = item
                && hashes.remove(content_hash.as_slice()) != Some(id)
            {
                self.problems.push(Problem::Item {
                    id,
                    what: "its hash does not refer to it",
                });
            }
        }
        for id in hashes.into_values() {
            self.report(id, "a hash refers to it that it does not have");
        }
        Ok(items)
    }

    /// Checks that files and images refer to each other.
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
                        what: "an image that it does not contain refers to it",
                    });
                }
            }
        }
        if n_links != files.len() {
            let (path, what) = (
                self.layout.records(),
                "an image does not refer to one of its files",
            );
            self.problems.push(Problem::File { path, what });
        }
        Ok(())
    }

    /// Checks that captions are listed under their owners and sources, and that owners exist.
    fn check_captions(&mut self, items: &Items) -> Result<(), RecordsError> {
        let mut listed = BTreeMap::new();
        self.store
            .scan(Column::Captions, keys::OWNERS, &[], &mut |key, value| {
                listed.insert(codec::decode_id(value)?, key.to_vec());
                Ok(true)
            })?;
        let mut sources = BTreeSet::new();
        self.store
            .scan(Column::Captions, keys::SOURCES, &[], &mut |key, _| {
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
            self.report(id, "it is listed as a caption, but is not one");
        }
        if used != sources {
            self.problems.push(Problem::Generations {
                what: "the list of caption files does not match the captions",
            });
        }
        Ok(())
    }

    /// Checks that the facets are those of the items and their paths. An upgrade that was
    /// interrupted has recorded some of them; the next writer records the rest.
    fn check_facets(&mut self) -> Result<(), RecordsError> {
        if !facets::are_complete(&self.store)? {
            return Ok(());
        }
        let expected = facets::computed(&self.store)?;
        let mut found = BTreeMap::new();
        self.store
            .scan(Column::Default, keys::FACETS, &[], &mut |key, value| {
                found.insert(key.to_vec(), value.to_vec());
                Ok(true)
            })?;
        if found != expected {
            let what = "they are not those of the images";
            self.problems.push(Problem::Facets { what });
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
                what: "the lists of changes do not end with the newest generation",
            });
        }
        let words = Words::stamp_in(&self.layout.words());
        if let Some(words) = words.filter(|stamp| stamp.index_id == self.manifest.index_id())
            && words.generation > generation.0
        {
            self.problems.push(Problem::Records {
                what: format!(
                    "commits are missing: they end with generation {}, but generation {} existed",
                    generation.0, words.generation
                ),
            });
        }
        let mut purged = self.store.purged()?.into_iter();
        if !self.store.is_segmented()? && purged.any(|purged| purged > generation) {
            self.problems.push(Problem::Generations {
                what: "a graph is recorded for a future generation",
            });
        }
        Ok(())
    }

    /// Checks that the graph segments contain exactly the items that they should, with the vectors
    /// in the records.
    fn check_graph(&mut self, kind: ItemKind, items: &Items) -> Result<(), RecordsError> {
        let removed: BTreeSet<ItemId> = self.store.removed(kind)?.into_iter().collect();
        for &id in removed.iter().filter(|id| items.contains_key(id)) {
            self.problems.push(Problem::Item {
                id,
                what: "it exists, but is marked as removed",
            });
        }
        let generation = self.store.generation()?;
        let (layout, manifest) = (&self.layout, &self.manifest);
        let listed = match segments::listed(layout, manifest, &self.store, kind, generation) {
            Err(IndexError::Records { source, .. }) => return Err(source),
            Err(error) => {
                let what = error.to_string();
                self.problems.push(Problem::Graph { kind, what });
                return Ok(());
            }
            Ok(listed) => listed,
        };
        for entry in listed {
            self.check_segment(kind, &entry, items, &removed)?;
        }
        Ok(())
    }

    fn check_segment(
        &mut self,
        kind: ItemKind,
        entry: &SegmentEntry,
        items: &Items,
        removed: &BTreeSet<ItemId>,
    ) -> Result<(), RecordsError> {
        let mut report = |what: String| self.problems.push(Problem::Graph { kind, what });
        let segment = match segments::open(&self.layout, &self.manifest, kind, *entry) {
            Ok(Opened::Usable(segment)) => segment,
            Ok(Opened::Unusable { reason, .. }) => {
                report(reason);
                return Ok(());
            }
            Err(error) => {
                report(error.to_string());
                return Ok(());
            }
        };
        let graph = &segment.graph;
        if let Err(error) = graph.verify() {
            report(error.to_string());
            return Ok(());
        }
        if graph.n_unreachable() > 0 {
            report(format!(
                "no search reaches {} of its points",
                graph.n_unreachable()
            ));
        }
        let mut expected: BTreeSet<ItemId> = items
            .range(entry.first_id..=entry.last_id)
            .filter(|(_, item)| item.kind() == kind)
            .map(|(&id, _)| id)
            .collect();
        for (id, vector) in graph.rows() {
            let id = ItemId(id);
            if !expected.remove(&id) {
                if !removed.contains(&id) {
                    report(format!(
                        "it contains item {} twice, or the item does not exist",
                        id.0
                    ));
                }
            } else if self.store.vector_values(kind, id, vector.len())?.as_deref() != Some(vector) {
                report(format!("it contains another vector of item {}", id.0));
            }
        }
        for id in expected {
            report(format!("it lacks item {}", id.0));
        }
        Ok(())
    }

    /// Checks that the word index has this generation and one document for each item.
    fn check_words(&mut self, items: &Items) -> Result<(), RecordsError> {
        let generation = self.store.generation()?;
        let expected = WordsStamp {
            index_id: self.manifest.index_id(),
            generation: generation.0,
        };
        let mut report = |what: String| self.problems.push(Problem::Words { what });
        let words = match Words::open(&self.layout.words(), Some(self.store.language()?)) {
            Ok(words) => words,
            // Nothing was committed yet.
            Err(_) if generation == Generation(0) => return Ok(()),
            Err(error) => {
                report(error.to_string());
                return Ok(());
            }
        };
        if words.stamp != Some(expected) {
            report(format!("it does not belong to generation {}", generation.0));
            return Ok(());
        }
        match words.verified_ids() {
            Ok(found) => {
                let mut ids: Vec<u32> = items.keys().map(|id| id.0).collect();
                ids.sort_unstable();
                if ids != found {
                    report("its documents do not match the items".to_owned());
                }
            }
            Err(error) => report(error.to_string()),
        }
        Ok(())
    }
}
