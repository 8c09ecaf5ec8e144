//! Checks an index: reads all of it and compares its parts with each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::problem::Problem;
use super::rules::{Brief, Survey};
use crate::derived;
use crate::derived::documents;
use crate::derived::hub_biases::{FoundBiases, HubBiases};
use crate::derived::segments::{self, Opened};
use crate::disk::layout::Layout;
use crate::disk::manifest::Manifest;
use crate::error::{IndexError, Within};
use crate::graph::GraphError;
use crate::item::{Generation, ItemId, ItemKind};
use crate::records::RecordsError;
use crate::records::keys::Column;
use crate::records::read::Records;
use crate::records::segments::SegmentEntry;
use crate::records::store::Store;
use crate::words::Words;
use crate::writer::open::{Unnamed, data_without_manifest};

/// Checks an index for damage: reads all of it, verifies every checksum, and compares its parts
/// with each other.
///
/// An empty list means that the index is sound. Words that the next writer completes, as after a
/// kill, are sound. Writes nothing. While a writer commits, words, graphs and hub biases may be
/// reported as not belonging to the records.
///
/// # Errors
/// When there is no index, it has another format, or it cannot be read for another reason than
/// damage.
pub fn check(dir: &Path) -> Result<Vec<Problem>, IndexError> {
    let layout = Layout::new(dir);
    let mut problems = Vec::new();
    let (layout, manifest) = find_manifest(&layout, &mut problems)?;
    // Before the records are opened, since a writer may commit meanwhile.
    let index_id = manifest.as_ref().map(Manifest::index_id);
    let seen = derived::seen(&layout, index_id)?.generation;
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
        seen,
        store,
        problems,
    };
    match checker.check_all() {
        Err(IndexError::Records { source, .. }) => {
            note_damage(source, dir, &mut checker.problems)?;
        }
        done => done?,
    }
    Ok(checker.problems)
}

/// The layout with the folder of the data, and the manifest, or none and a reported problem.
fn find_manifest(
    layout: &Layout,
    problems: &mut Vec<Problem>,
) -> Result<(Layout, Option<Manifest>), IndexError> {
    let what = match Manifest::read(layout) {
        Ok(Some(manifest)) => return Ok((layout.with_data(&manifest.data), Some(manifest))),
        Ok(None) => None,
        Err(IndexError::Damaged { what, .. }) => Some(what),
        Err(error) => return Err(error),
    };
    let unnamed = data_without_manifest(layout)?;
    // Empty records belong to an index whose creation was interrupted, which does not count as one.
    let is_empty = match &unnamed {
        Unnamed::Nothing => true,
        Unnamed::Damaged(_) => false,
        Unnamed::Current(manifest) => {
            let records = layout.with_data(&manifest.data).records();
            let store = Store::open_read_only(&records).within(layout.dir())?;
            store.generation().within(layout.dir())? == Generation(0)
        }
    };
    if what.is_none() && is_empty {
        return Err(IndexError::NoIndex {
            dir: layout.dir().to_owned(),
        });
    }
    problems.push(Problem::Manifest {
        what: what.unwrap_or("it is missing").to_owned(),
    });
    Ok((layout.with_data(&unnamed.folder()), None))
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

/// Checks what is derived from the records.
struct Checker {
    layout: Layout,
    manifest: Manifest,
    /// The newest generation that words or graphs have seen committed.
    seen: Generation,
    store: Store,
    problems: Vec<Problem>,
}

impl Checker {
    fn check_all(&mut self) -> Result<(), IndexError> {
        let survey = Survey::of(&self.store, self.manifest.binding.dimension);
        let survey = survey.within(self.layout.dir())?;
        let (problems, items) = (survey.problems, survey.items);
        self.problems.extend(problems);
        self.check_commits()?;
        for kind in ItemKind::ALL {
            self.check_graph(kind, &items)?;
        }
        self.check_hubs(&items)?;
        self.check_words(&items)
    }

    /// Checks that no derived part has seen a commit that the records lack.
    fn check_commits(&mut self) -> Result<(), IndexError> {
        let found = self.store.generation().within(self.layout.dir())?;
        let seen = self.seen;
        if seen > found {
            self.problems.push(Problem::Records {
                what: format!(
                    "commits are missing: they end with generation {}, but generation {} existed",
                    found.0, seen.0
                ),
            });
        }
        Ok(())
    }

    /// Checks that the graph segments contain exactly the items that they should, with the vectors
    /// in the records.
    fn check_graph(
        &mut self,
        kind: ItemKind,
        items: &BTreeMap<ItemId, Brief>,
    ) -> Result<(), IndexError> {
        let (layout, manifest) = (&self.layout, &self.manifest);
        let removed = self.store.removed(kind).within(layout.dir())?;
        let removed: BTreeSet<ItemId> = removed.into_iter().collect();
        let generation = self.store.generation().within(layout.dir())?;
        for entry in segments::listed(layout, manifest, &self.store, kind, generation)? {
            self.check_segment(kind, &entry, items, &removed)?;
        }
        Ok(())
    }

    fn check_segment(
        &mut self,
        kind: ItemKind,
        entry: &SegmentEntry,
        items: &BTreeMap<ItemId, Brief>,
        removed: &BTreeSet<ItemId>,
    ) -> Result<(), IndexError> {
        let dir = self.layout.dir();
        let mut report = |what: String| self.problems.push(Problem::Graph { kind, what });
        let opened = segments::open(&self.layout, &self.manifest, kind, *entry);
        let segment = match opened.within(dir)? {
            Opened::Usable(segment) => segment,
            Opened::Unusable { reason, .. } => {
                report(reason);
                return Ok(());
            }
        };
        let graph = &segment.graph;
        match graph.verify() {
            Err(error @ (GraphError::Damaged { .. } | GraphError::OtherFormat { .. })) => {
                report(error.to_string());
                return Ok(());
            }
            verified => verified.within(dir)?,
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
                continue;
            }
            let stored = self.store.vector_values(kind, id, vector.len());
            if stored.within(dir)?.as_deref() != Some(vector) {
                report(format!("it contains another vector of item {}", id.0));
            }
        }
        for id in expected {
            report(format!("it lacks item {}", id.0));
        }
        Ok(())
    }

    /// Checks that the hub biases, if there is a file of them, are those of the images.
    fn check_hubs(&mut self, items: &BTreeMap<ItemId, Brief>) -> Result<(), IndexError> {
        let (kind, dir) = (ItemKind::Image, self.layout.dir());
        let dimension = self.manifest.binding.dimension;
        let what = match HubBiases::read(&self.layout, self.manifest.index_id(), dimension) {
            FoundBiases::Missing => None,
            FoundBiases::Unusable(what) => Some(what),
            FoundBiases::Usable(found) => {
                let images = items.iter().filter(|(_, item)| item.kind() == kind);
                let images: Vec<ItemId> = images.map(|(&id, _)| id).collect();
                // Damaged vectors are reported by their own rule.
                let vector = |id| match self.store.vector_values(kind, id, dimension) {
                    Err(error) if error.is_damage() => Ok(None),
                    found => found,
                };
                found.defect(&images, vector).within(dir)?
            }
        };
        self.problems
            .extend(what.map(|what| Problem::Hubs { what }));
        Ok(())
    }

    /// Checks that the word index has one document for each item. One of an earlier generation is
    /// sound if the lists of changes go back to it; the items in those lists are left out.
    fn check_words(&mut self, items: &BTreeMap<ItemId, Brief>) -> Result<(), IndexError> {
        let dir = self.layout.dir();
        let generation = self.store.generation().within(dir)?;
        let index_id = self.manifest.index_id();
        let mut report = |what: String| self.problems.push(Problem::Words { what });
        let language = self.store.language().within(dir)?;
        let words = match Words::open(&self.layout.words(), Some(language)) {
            Err(error) if error.is_damage() => {
                // Nothing may be committed yet.
                if generation != Generation(0) {
                    report(error.damage());
                }
                return Ok(());
            }
            words => words.within(dir)?,
        };
        let own = words.stamp.filter(|stamp| stamp.index_id == index_id);
        let changed = match own.map(|stamp| Generation(stamp.generation)) {
            Some(behind) => {
                documents::changed_since(&self.store, behind, generation).within(dir)?
            }
            None => None,
        };
        let Some(changed) = changed else {
            report(format!("it does not belong to generation {}", generation.0));
            return Ok(());
        };
        match words.verified_ids() {
            Ok(mut found) => {
                found.retain(|&id| !changed.contains(&ItemId(id)));
                let unchanged = items.keys().filter(|id| !changed.contains(id));
                if !unchanged.map(|id| id.0).eq(found) {
                    report("its documents do not match the items".to_owned());
                }
            }
            Err(error) if error.is_damage() => report(error.damage()),
            Err(error) => return Err(error).within(dir),
        }
        Ok(())
    }
}
