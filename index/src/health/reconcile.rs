//! Makes records consistent again. Wrong records that follow from others are rebuilt; incomplete
//! items are removed and reported.
//!
//! An item and its vector follow from nothing. Its look-ups (`hashes`, `captions`, both halves of
//! `paths`) follow from it and from each other, the counts from all of them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;

use super::rules::{self, Items, is_unit};
use crate::item::{FileRecord, Generation, ItemId, ItemKind};
use crate::records::RecordsError;
use crate::records::codec::{self, StoredItem};
use crate::records::facets;
use crate::records::keys::{self, Column, meta};
use crate::records::read::Records;
use crate::records::store::Store;

/// What is known about the records from elsewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    /// The dimension of all vectors.
    pub(crate) dimension: usize,
    /// The newest generation known to have been committed.
    pub(crate) generation: Generation,
    /// The highest id known to have been assigned.
    pub(crate) last_id: ItemId,
    /// Whether something could not be read, so that items missing from the counts are lost.
    pub(crate) is_incomplete: bool,
    /// Whether an image without a path has lost it. Otherwise it may never have had one.
    pub(crate) images_need_paths: bool,
}

/// What was corrected, and what is lost.
#[derive(Debug, Default)]
pub(crate) struct Reconciled {
    /// Number of records written or removed. 0 when everything was consistent; nothing was written
    /// then.
    pub(crate) n_changes: usize,
    pub(crate) lost_files: Vec<PathBuf>,
    /// Files of existing images whose size and modification time are lost.
    pub(crate) n_files_to_read: usize,
    pub(crate) n_lost_images: u64,
    pub(crate) n_lost_captions: u64,
    /// Files that lost captions came from.
    pub(crate) lost_sources: Vec<PathBuf>,
    pub(crate) n_lost_libraries: usize,
    /// Commits known to other parts but missing from the records.
    pub(crate) n_lost_generations: u64,
}

/// Makes the records consistent in one synced batch, which is a new generation if anything changes.
///
/// # Errors
/// When the records cannot be read or written.
pub(crate) fn reconcile(store: &Store, expected: Expected) -> Result<Reconciled, RecordsError> {
    let mut work = Reconciler {
        store,
        expected,
        changes: Vec::new(),
        outcome: Reconciled::default(),
        items: Items::new(),
        lost: BTreeSet::new(),
        last_id: expected.last_id,
    };
    let files = work.read()?;
    work.correct_lookups(&files)?;
    work.correct_single_records(files.len() as u64)?;
    if !work.changes.is_empty() || work.outcome.n_lost_generations > 0 {
        work.begin_generation()?;
    }
    let Reconciler {
        changes, outcome, ..
    } = work;
    store.write(
        changes
            .iter()
            .map(|(column, key, value)| (*column, key.as_slice(), value.as_deref())),
    )?;
    Ok(Reconciled {
        n_changes: changes.len(),
        ..outcome
    })
}

type Files = BTreeMap<PathBuf, FileRecord>;

/// A key of a column with its new value, or none to remove it.
pub(crate) type OwnedChange = (Column, Vec<u8>, Option<Vec<u8>>);

struct Reconciler<'a> {
    store: &'a Store,
    expected: Expected,
    changes: Vec<OwnedChange>,
    outcome: Reconciled,
    /// The complete items.
    items: Items,
    /// The incomplete items, which are removed.
    lost: BTreeSet<(ItemKind, ItemId)>,
    last_id: ItemId,
}

impl Reconciler<'_> {
    fn note_id(&mut self, id: ItemId) {
        self.last_id = self.last_id.max(id);
    }

    fn is_image(&self, id: ItemId) -> bool {
        matches!(self.items.get(&id), Some(StoredItem::Image { .. }))
    }

    /// Reads everything and keeps complete items.
    fn read(&mut self) -> Result<Files, RecordsError> {
        let vectors = self.read_vectors()?;
        self.read_items(&vectors)?;
        self.drop_duplicates();
        let files = self.read_files()?;
        if self.expected.images_need_paths {
            let with_path: HashSet<ItemId> = files.values().map(|file| file.image).collect();
            let is_lost = |id: &ItemId, item: &StoredItem| {
                item.kind() == ItemKind::Image && !with_path.contains(id)
            };
            self.drop_items(is_lost);
        }
        self.drop_orphans();
        // Vectors of incomplete or missing items.
        for (kind, id) in vectors {
            if self.items.get(&id).map(StoredItem::kind) != Some(kind) {
                self.changes
                    .push((Column::Vectors, keys::vector(kind, id), None));
                self.lost.insert((kind, id));
            }
        }
        let count = |kind| self.lost.iter().filter(|lost| lost.0 == kind).count() as u64;
        self.outcome.n_lost_images = count(ItemKind::Image);
        self.outcome.n_lost_captions = count(ItemKind::Caption);
        Ok(files)
    }

    /// The items with a valid vector. Invalid vectors are removed.
    fn read_vectors(&mut self) -> Result<HashSet<(ItemKind, ItemId)>, RecordsError> {
        let mut usable = HashSet::new();
        let mut bad = Vec::new();
        let dimension = self.expected.dimension;
        self.store
            .scan(Column::Vectors, &[], &[], &mut |key, value| {
                let mut values = Vec::with_capacity(dimension);
                let name = match key {
                    [kind, id @ ..] if id.len() == 4 => {
                        ItemKind::from_number(*kind).zip(keys::id_at_end(id))
                    }
                    _ => None,
                };
                match name {
                    Some(name)
                        if codec::decode_vector(value, dimension, &mut values).is_ok()
                            && is_unit(&values) =>
                    {
                        usable.insert(name);
                    }
                    _ => bad.push((key.to_vec(), name)),
                }
                Ok(true)
            })?;
        for (key, name) in bad {
            self.changes.push((Column::Vectors, key, None));
            self.lost.extend(name);
        }
        for id in usable.iter().map(|name| name.1).collect::<Vec<_>>() {
            self.note_id(id);
        }
        Ok(usable)
    }

    fn read_items(&mut self, vectors: &HashSet<(ItemKind, ItemId)>) -> Result<(), RecordsError> {
        let mut found = Vec::new();
        self.store
            .scan(Column::Items, &[], &[], &mut |key, value| {
                let id = keys::id_at_end(key).filter(|_| key.len() == 4);
                found.push((key.to_vec(), id, codec::decode_item(value).ok()));
                Ok(true)
            })?;
        for (key, id, item) in found {
            if let Some(id) = id {
                self.note_id(id);
            }
            match (id, item) {
                (Some(id), Some(item)) if vectors.contains(&(item.kind(), id)) => {
                    self.items.insert(id, item);
                }
                (id, item) => {
                    self.changes.push((Column::Items, key, None));
                    if let (Some(id), Some(item)) = (id, &item) {
                        self.lost.insert((item.kind(), id));
                        self.note_source(item);
                    }
                }
            }
        }
        Ok(())
    }

    fn note_source(&mut self, item: &StoredItem) {
        if let StoredItem::Caption { source, .. } = item
            && !self.outcome.lost_sources.contains(source)
        {
            self.outcome.lost_sources.push(source.clone());
        }
    }

    /// Removes the older of two images with the same content, or of two captions in the same place:
    /// it is a leftover.
    fn drop_duplicates(&mut self) {
        let mut hashes = HashSet::new();
        let mut places = HashSet::new();
        let mut duplicates = HashSet::new();
        for (&id, item) in self.items.iter().rev() {
            let is_first = match item {
                StoredItem::Image { content_hash, .. } => hashes.insert(*content_hash),
                StoredItem::Caption {
                    owner,
                    rank,
                    source,
                    ..
                } => places.insert((*owner, source.clone(), *rank)),
            };
            if !is_first {
                duplicates.insert(id);
            }
        }
        self.drop_items(|id, _| duplicates.contains(id));
    }

    /// Removes captions of missing images.
    fn drop_orphans(&mut self) {
        let images: HashSet<ItemId> = self
            .items
            .iter()
            .filter(|(_, item)| item.kind() == ItemKind::Image)
            .map(|(&id, _)| id)
            .collect();
        self.drop_items(|_, item| match item {
            StoredItem::Caption {
                owner: Some(owner), ..
            } => !images.contains(owner),
            _ => false,
        });
    }

    fn drop_items(&mut self, is_bad: impl Fn(&ItemId, &StoredItem) -> bool) {
        let bad: Vec<ItemId> = self
            .items
            .iter()
            .filter(|(id, item)| is_bad(id, item))
            .map(|(&id, _)| id)
            .collect();
        for id in bad {
            if let Some(item) = self.items.remove(&id) {
                self.lost.insert((item.kind(), id));
                self.note_source(&item);
                self.changes
                    .push((Column::Items, keys::item(id).to_vec(), None));
            }
        }
    }

    /// The files of existing images. Each path is stored twice; either record is enough, though
    /// only one has the size and modification time.
    fn read_files(&mut self) -> Result<Files, RecordsError> {
        let mut files = Files::new();
        let mut lost = BTreeSet::new();
        let mut found = Vec::new();
        let store = self.store;
        store.scan(Column::Paths, keys::FILES, &[], &mut |key, value| {
            if let (Ok(path), Ok(file)) = (keys::path_of_file(key), codec::decode_file(value)) {
                found.push((path, file));
            }
            Ok(true)
        })?;
        for (path, file) in found {
            self.note_id(file.image);
            if self.is_image(file.image) {
                files.insert(path, file);
            } else {
                lost.insert(path);
            }
        }
        let mut links = Vec::new();
        store.scan(Column::Paths, keys::LINKS, &[], &mut |key, _| {
            if let (Some(id), Ok(path)) = (
                key.get(..5).and_then(keys::id_at_end),
                keys::path_of_link(key),
            ) {
                links.push((id, path));
            }
            Ok(true)
        })?;
        // By id: the newest image of a path comes last.
        let mut unknown: BTreeMap<PathBuf, ItemId> = BTreeMap::new();
        for (image, path) in links {
            self.note_id(image);
            if files.contains_key(&path) {
                continue;
            }
            if self.is_image(image) {
                unknown.insert(path, image);
            } else {
                lost.insert(path);
            }
        }
        self.outcome.n_files_to_read = unknown.len();
        for (path, image) in unknown {
            lost.remove(&path);
            // No file has this size and time, so the next run reads it and finds its content in the
            // index.
            let file = FileRecord {
                n_bytes: u64::MAX,
                modified_ns: 0,
                image,
                change: None,
            };
            files.insert(path, file);
        }
        self.outcome.lost_files = lost.into_iter().collect();
        Ok(files)
    }

    /// Corrects the columns that follow from items and files.
    fn correct_lookups(&mut self, files: &Files) -> Result<(), RecordsError> {
        let mut hashes = BTreeMap::new();
        let mut captions = BTreeMap::new();
        let mut paths = BTreeMap::new();
        for (&id, item) in &self.items {
            match item {
                StoredItem::Image { content_hash, .. } => {
                    hashes.insert(content_hash.to_vec(), codec::encode_id(id));
                }
                StoredItem::Caption {
                    owner,
                    rank,
                    source,
                    ..
                } => {
                    captions.insert(keys::caption(*owner, source, *rank)?, codec::encode_id(id));
                    captions.insert(keys::source(source, *owner)?, Vec::new());
                }
            }
        }
        for (path, file) in files {
            paths.insert(keys::file(path)?, codec::encode_file(file));
            paths.insert(keys::link(file.image, path)?, Vec::new());
        }
        self.note_lost_captions(&captions)?;
        for (column, expected) in [
            (Column::Hashes, hashes),
            (Column::Captions, captions),
            (Column::Paths, paths),
        ] {
            self.correct(column, &[], expected)?;
        }
        self.correct_facets(files)
    }

    /// Corrects the facets, unless they are not all recorded: then the next writer records them.
    fn correct_facets(&mut self, files: &Files) -> Result<(), RecordsError> {
        match facets::are_complete(self.store) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(_) => {
                let key = meta::FACETED.to_vec();
                self.changes.push((Column::Default, key, None));
                return Ok(());
            }
        }
        let mut paths: BTreeMap<ItemId, Vec<PathBuf>> = BTreeMap::new();
        for (path, file) in files {
            paths.entry(file.image).or_default().push(path.clone());
        }
        let mut chunks = facets::Chunks::default();
        let none = Vec::new();
        for (&id, item) in &self.items {
            let paths = paths.get(&id).unwrap_or(&none);
            chunks.add(id, &facets::facets_of(item, paths)?);
        }
        self.correct(Column::Default, keys::FACETS, chunks.encoded())
    }

    /// Reports captions that are listed but missing. At least their file is known.
    fn note_lost_captions(
        &mut self,
        expected: &BTreeMap<Vec<u8>, Vec<u8>>,
    ) -> Result<(), RecordsError> {
        let mut lost = Vec::new();
        self.store
            .scan(Column::Captions, &[], &[], &mut |key, value| {
                if !expected.contains_key(key) {
                    lost.push((key.to_vec(), codec::decode_id(value).ok()));
                }
                Ok(true)
            })?;
        for (key, id) in lost {
            if let Some(id) = id.filter(|_| key.first() == Some(&b'o')) {
                self.note_id(id);
                if self.lost.insert((ItemKind::Caption, id)) {
                    self.outcome.n_lost_captions += 1;
                }
            }
            if let Some(source) = keys::source_in(&key)
                && !self.outcome.lost_sources.contains(&source)
            {
                self.outcome.lost_sources.push(source);
            }
        }
        Ok(())
    }

    fn correct(
        &mut self,
        column: Column,
        prefix: &[u8],
        mut expected: BTreeMap<Vec<u8>, Vec<u8>>,
    ) -> Result<(), RecordsError> {
        let changes = &mut self.changes;
        self.store.scan(column, prefix, &[], &mut |key, value| {
            match expected.remove(key) {
                Some(right) if right == value => {}
                right => changes.push((column, key.to_vec(), right)),
            }
            Ok(true)
        })?;
        let missing = expected.into_iter();
        changes.extend(missing.map(|(key, value)| (column, key, Some(value))));
        Ok(())
    }

    /// Corrects the counts, the next id and the libraries.
    fn correct_single_records(&mut self, n_files: u64) -> Result<(), RecordsError> {
        let counts = rules::counts(&self.items, n_files);
        let stored = self.store.stored_counts().ok();
        if let Some(stored) = stored.filter(|_| self.expected.is_incomplete) {
            // Items without any trace are still included in the stored counts.
            let lost =
                |stored: u64, found: u64, known: u64| stored.saturating_sub(found).max(known);
            let outcome = &mut self.outcome;
            outcome.n_lost_images = lost(stored.n_images, counts.n_images, outcome.n_lost_images);
            outcome.n_lost_captions = lost(
                stored.n_captions,
                counts.n_captions,
                outcome.n_lost_captions,
            );
        }
        if stored != Some(counts) {
            self.put(meta::COUNTS, codec::encode_counts(&counts));
        }
        let next = self.store.next_id().ok();
        if next.is_none_or(|next| next <= self.last_id) {
            // The highest number marks an empty slot in graphs and is never assigned.
            let id = ItemId(self.last_id.0.saturating_add(1).min(u32::MAX - 1));
            self.put(meta::NEXT_ID, codec::encode_id(id));
        }
        let mut bad = Vec::new();
        self.store
            .scan(Column::Default, keys::LIBRARIES, &[], &mut |key, value| {
                let folder = keys::path_from(key.get(1..).unwrap_or(&[]));
                if folder.is_err()
                    || folder.is_ok_and(|folder| codec::decode_library(&folder, value).is_err())
                {
                    bad.push(key.to_vec());
                }
                Ok(true)
            })?;
        self.outcome.n_lost_libraries = bad.len();
        let bad = bad.into_iter().map(|key| (Column::Default, key, None));
        self.changes.extend(bad);
        self.check_history()
    }

    /// Checks generations, lists of changes and tombstones. If any is wrong, all are rebuilt.
    fn check_history(&mut self) -> Result<(), RecordsError> {
        let generation = self.store.generation().ok();
        let known = self.expected.generation.0;
        self.outcome.n_lost_generations =
            known.saturating_sub(generation.map_or(0, |found| found.0));
        let lists = self.store.changes_after(Generation(0)).ok();
        let is_complete = lists
            .zip(generation)
            .is_some_and(|(lists, generation)| rules::are_complete(&lists, generation));
        let is_past = self.store.purged().ok().zip(generation);
        let is_past = is_past.is_some_and(|(purged, now)| purged.iter().all(|&then| then <= now));
        let is_listed = |kind| self.store.segments(kind).is_ok();
        let is_past = is_past && ItemKind::ALL.into_iter().all(is_listed);
        let mut n_alive = 0;
        for kind in ItemKind::ALL {
            let removed = self.store.removed(kind)?;
            for &id in &removed {
                self.note_id(id);
            }
            n_alive += removed
                .iter()
                .filter(|id| self.items.contains_key(id))
                .count();
        }
        if !is_complete || !is_past || n_alive > 0 {
            // Any change leads to a new generation, which rebuilds all of these.
            let generation = generation.unwrap_or(Generation(0));
            self.put(meta::GENERATION, generation.0.to_le_bytes().to_vec());
        }
        Ok(())
    }

    fn put(&mut self, key: &[u8], value: Vec<u8>) {
        self.changes
            .push((Column::Default, key.to_vec(), Some(value)));
    }

    /// Begins a new generation, without graphs.
    fn begin_generation(&mut self) -> Result<(), RecordsError> {
        let known = self.store.generation().unwrap_or(Generation(0));
        let next = Generation(known.max(self.expected.generation).0 + 1);
        let mut old = Vec::new();
        for prefix in [keys::CHANGES, keys::REMOVED, keys::SEGMENTS] {
            self.store
                .scan(Column::Default, prefix, &[], &mut |key, _| {
                    old.push((Column::Default, key.to_vec(), None));
                    Ok(true)
                })?;
        }
        self.changes.extend(old);
        let list = codec::encode_changes(&self.lost);
        self.changes
            .push((Column::Default, keys::changes(next.0), Some(list)));
        self.put(meta::SEGMENTED, Vec::new());
        self.changes
            .push((Column::Default, meta::PURGED.to_vec(), None));
        self.put(meta::GENERATION, next.0.to_le_bytes().to_vec());
        Ok(())
    }
}
