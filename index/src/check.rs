//! Is everything as it should be? Reads all of an index and compares its parts with each other.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::error::{IndexError, Within};
use crate::graph::file::Graph;
use crate::item::{Generation, ItemId, ItemKind};
use crate::layout::Layout;
use crate::lock::Gate;
use crate::manifest::Manifest;
use crate::records::RecordsError;
use crate::records::codec::{StoredCounts, StoredItem};
use crate::records::keys::{self, Column};
use crate::records::read::Read;
use crate::records::store::Store;
use crate::records::{Source, codec};
use crate::shelf::{self, Usable};
use crate::words::{Words, WordsStamp};

/// Something in an index that should not be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
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

/// Compares all parts of an index. An empty list means that nothing is wrong. Writes nothing. While a writer commits,
/// words and graphs may seem not to belong to the records for a moment.
///
/// # Errors
/// When there is no index, or its records cannot be read at all.
pub fn check(dir: &Path) -> Result<Vec<Problem>, IndexError> {
    let layout = Layout::new(dir);
    let manifest = Manifest::read(&layout)?.ok_or_else(|| IndexError::NoIndex {
        dir: dir.to_owned(),
    })?;
    let gate = Gate::pass(&layout)?;
    let store = Store::open_read_only(&layout.records()).within(dir)?;
    drop(gate);
    let mut checker = Checker {
        layout,
        manifest,
        store,
        problems: Vec::new(),
    };
    let items = checker.check_items().within(dir)?;
    checker.check_files(&items).within(dir)?;
    checker.check_captions(&items).within(dir)?;
    checker.check_counts(&items).within(dir)?;
    checker.check_generations().within(dir)?;
    for kind in ItemKind::ALL {
        checker.check_graph(kind, &items).within(dir)?;
    }
    checker.check_words(&items).within(dir)?;
    Ok(checker.problems)
}

type Items = HashMap<ItemId, StoredItem>;

struct Checker {
    layout: Layout,
    manifest: Manifest,
    store: Store,
    problems: Vec<Problem>,
}

impl Checker {
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
        let mut with_vector = HashSet::new();
        for kind in ItemKind::ALL {
            let mut found = Vec::new();
            self.store.scan_vectors(
                kind,
                ItemId(0),
                self.manifest.dimension(),
                &mut |id, vector| {
                    let length = vector
                        .iter()
                        .map(|&value| f64::from(value) * f64::from(value))
                        .sum::<f64>()
                        .sqrt();
                    found.push((id, (length - 1.0).abs() < 1e-3));
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
        let mut hashes = HashMap::new();
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
        let mut files = HashMap::new();
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
        let mut listed = HashMap::new();
        self.store
            .scan(Column::Captions, b"o", b"o", &mut |key, value| {
                listed.insert(codec::decode_id(value)?, key.to_vec());
                Ok(true)
            })?;
        let mut sources = HashSet::new();
        self.store
            .scan(Column::Captions, b"s", b"s", &mut |key, _| {
                sources.insert(key.to_vec());
                Ok(true)
            })?;
        let mut used = HashSet::new();
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
        let count = |kind| items.values().filter(|item| item.kind() == kind).count() as u64;
        let mut n_files = 0;
        self.store.scan_files(&mut |_, _| {
            n_files += 1;
            Ok(())
        })?;
        let found = StoredCounts {
            n_images: count(ItemKind::Image),
            n_captions: count(ItemKind::Caption),
            n_files,
        };
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
        // The newest list is kept until the next commit; older ones go when the words have passed them.
        let first = lists.first().map_or(1, |(first, _)| first.0);
        let numbers = lists.iter().map(|(number, _)| number.0);
        if !numbers.eq(first..=generation.0) {
            self.problems.push(Problem::Generations {
                what: "the lists of changes do not end with the newest",
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
        let removed: HashSet<ItemId> = self.store.removed(kind)?.into_iter().collect();
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
        let purged = self.store.purged()?[kind.number()];
        let usable = shelf::is_usable(
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
        let mut expected: HashSet<ItemId> = items
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
        let words = match Words::open(&self.layout.words()) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::FileRecord;
    use crate::manifest::Binding;
    use crate::records::keys::Meta;
    use crate::vector::UnitVector;
    use crate::{IndexWriter, WriterOptions};

    /// A record to write or remove behind the writer's back.
    type Change = (Column, Vec<u8>, Option<Vec<u8>>);

    fn vector(number: u8) -> UnitVector {
        let angle = f32::from(number) / 20.0;
        UnitVector::new(vec![angle.cos(), angle.sin()]).unwrap()
    }

    /// Ten images (ids 1, 3, 5, …) with a caption each (2, 4, 6, …), and graphs of both.
    fn make(dir: &Path) {
        let binding = Binding {
            dimension: 2,
            fingerprint: "f".into(),
            model: "m".into(),
        };
        let options = WriterOptions { min_graph_items: 5 };
        let mut writer = IndexWriter::open_or_create_with(dir, &binding, options).unwrap();
        for number in 0..10u8 {
            let image = writer
                .put_image([number; 32], 1, 1, vector(number))
                .unwrap();
            let file = FileRecord {
                n_bytes: 1,
                modified_ns: 1,
                image,
            };
            writer
                .put_file(Path::new(&format!("/{number}.jpg")), file)
                .unwrap();
            let caption = (format!("text {number}"), vector(100 + number));
            writer
                .set_captions(Some(image), Path::new("/c.txt"), vec![caption])
                .unwrap();
        }
        writer.finish().unwrap();
    }

    /// Every kind of damage to the records is noticed, and said of the right thing.
    #[test]
    #[expect(clippy::too_many_lines, reason = "most of it is a table")]
    fn contradicting_records_are_reported() {
        let image = ItemId(3);
        let caption = ItemId(4);
        let path = Path::new("/1.jpg");
        let source = Path::new("/c.txt");
        let long = codec::encode_vector(&[3.0, 4.0]);
        let counts = StoredCounts {
            n_images: 11,
            n_captions: 10,
            n_files: 10,
        };
        let bytes = |number: u64| number.to_le_bytes().to_vec();
        let rows: Vec<(&str, Change, &str)> = vec![
            (
                "item",
                (Column::Items, keys::item(image).to_vec(), None),
                "no item of its kind",
            ),
            (
                "vector",
                (Column::Vectors, keys::vector(ItemKind::Image, image), None),
                "has no vector",
            ),
            (
                "length",
                (
                    Column::Vectors,
                    keys::vector(ItemKind::Image, image),
                    Some(long),
                ),
                "unit length",
            ),
            (
                "hash",
                (Column::Hashes, vec![1; 32], None),
                "hash does not lead",
            ),
            (
                "stray hash",
                (Column::Hashes, vec![77; 32], Some(codec::encode_id(image))),
                "which it does not have",
            ),
            (
                "file",
                (Column::Paths, keys::file(path).unwrap(), None),
                "that it does not hold",
            ),
            (
                "link",
                (Column::Paths, keys::link(image, path).unwrap(), None),
                "not known to its image",
            ),
            (
                "listing",
                (
                    Column::Captions,
                    keys::caption(Some(image), source, 0).unwrap(),
                    None,
                ),
                "does not list it",
            ),
            (
                "source",
                (
                    Column::Captions,
                    keys::source(source, Some(image)).unwrap(),
                    None,
                ),
                "caption files",
            ),
            (
                "counts",
                (
                    Column::Default,
                    keys::meta(Meta::Counts).to_vec(),
                    Some(codec::encode_counts(&counts)),
                ),
                "11 images",
            ),
            (
                "next id",
                (
                    Column::Default,
                    keys::meta(Meta::NextId).to_vec(),
                    Some(codec::encode_id(ItemId(20))),
                ),
                "never given out",
            ),
            (
                "list",
                (Column::Default, keys::changes(1), None),
                "do not end with the newest",
            ),
            (
                "generation",
                (
                    Column::Default,
                    keys::meta(Meta::Generation).to_vec(),
                    Some(bytes(2)),
                ),
                "do not end with the newest",
            ),
            (
                "tombstone",
                (
                    Column::Default,
                    keys::removed(ItemKind::Caption, caption),
                    Some(vec![]),
                ),
                "counts as removed",
            ),
            (
                "purged",
                (
                    Column::Default,
                    keys::meta(Meta::Purged).to_vec(),
                    Some(codec::encode_purged([Generation(9), Generation(1)])),
                ),
                "of the future",
            ),
        ];
        assert_eq!(rows.len(), 15);
        for (name, (column, key, value), expected) in rows {
            let dir = tempfile::tempdir().unwrap();
            make(dir.path());
            assert_eq!(check(dir.path()).unwrap(), [], "{name}");
            let store = Store::open(&Layout::new(dir.path()).records(), false).unwrap();
            store
                .write([(column, key.as_slice(), value.as_deref())])
                .unwrap();
            drop(store);
            let problems = check(dir.path()).unwrap();
            assert!(
                problems
                    .iter()
                    .any(|problem| problem.to_string().contains(expected)),
                "{name}: {problems:?}"
            );
        }
    }

    /// A graph that is whole but holds something else than the records do.
    #[test]
    fn graphs_that_hold_other_items_are_reported() {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path());
        let other = tempfile::tempdir().unwrap();
        make(other.path());
        let graph = |dir: &Path| Layout::new(dir).graph(ItemKind::Image);
        fs_err::copy(graph(other.path()), graph(dir.path())).unwrap();
        let problems = check(dir.path()).unwrap();
        assert!(
            matches!(
                problems[..],
                [Problem::Graph {
                    kind: ItemKind::Image,
                    ..
                }]
            ),
            "{problems:?}"
        );
        // Turned vectors of the same ids, with the right id of the index.
        let dir = tempfile::tempdir().unwrap();
        make(dir.path());
        let store = Store::open(&Layout::new(dir.path()).records(), false).unwrap();
        let turned = codec::encode_vector(vector(55).as_slice());
        let key = keys::vector(ItemKind::Image, ItemId(3));
        store
            .write([(Column::Vectors, key.as_slice(), Some(turned.as_slice()))])
            .unwrap();
        drop(store);
        let problems: Vec<String> = check(dir.path())
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            problems,
            ["the graph of kind Image: it holds another vector of item 3"]
        );
    }
}
