//! Uncommitted changes: changed records in memory on top of the database, all written by a commit.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::Path;

use super::RecordsError;
use super::codec::{self, Beside, StoredCounts, StoredItem};
use super::facets::{self, FacetValues};
use super::keys::{self, Column, meta};
use super::read::{Records, Visit};
use super::segments::SegmentEntry;
use super::store::Store;
use crate::item::{Details, FileRecord, Generation, ItemId, ItemKind, LastRun, Library};
use crate::vector::UnitVector;

/// Number of lists of changes that are kept, so that readers learn what has changed since an older
/// generation.
const MAX_LISTS: usize = 64;

/// Total size of the lists that are kept, but for the newest.
const MAX_LISTS_BYTES: usize = 1 << 20;

/// The database under uncommitted changes. Reads see both.
pub(crate) struct Overlay {
    pub(crate) store: Store,
    /// New values (none: removed) by column and key.
    changes: [BTreeMap<Vec<u8>, Option<Vec<u8>>>; Column::ALL.len()],
    /// Items that were put or removed, or whose words changed.
    pub(crate) touched: BTreeSet<(ItemKind, ItemId)>,
    /// Images that lost a path. They may get another one before the commit, as when two files swap
    /// their paths, so only the commit removes those without any.
    pathless: BTreeSet<(ItemKind, ItemId)>,
    /// The graph segments of each kind. Removing an item in their ranges leaves a tombstone.
    segments: [Vec<SegmentEntry>; 2],
}

/// A change of the list of graph segments of a kind.
pub(crate) struct Relisting<'a> {
    pub(crate) kind: ItemKind,
    pub(crate) unlisted: &'a [SegmentEntry],
    pub(crate) listed: &'a [SegmentEntry],
    /// Whether a tombstone of the kind is not needed any more.
    pub(crate) is_obsolete: &'a dyn Fn(ItemId) -> bool,
}

impl Overlay {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            changes: Default::default(),
            touched: BTreeSet::new(),
            pathless: BTreeSet::new(),
            segments: Default::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changes.iter().all(BTreeMap::is_empty)
    }

    /// Removes the images that have no path left, including those noted by an earlier
    /// [`note_pathless`](Self::note_pathless).
    pub(crate) fn drop_pathless(&mut self) -> Result<(), RecordsError> {
        let noted = self.noted_pathless()?;
        if !noted.is_empty() {
            self.remove(Column::Default, meta::PATHLESS.to_vec());
        }
        for (_, image) in self.take_pathless(noted)? {
            self.remove_image(image)?;
        }
        Ok(())
    }

    /// Notes the images that have no path left, for a later
    /// [`drop_pathless`](Self::drop_pathless).
    pub(crate) fn note_pathless(&mut self) -> Result<(), RecordsError> {
        if !self.pathless.is_empty() {
            let noted = self.noted_pathless()?;
            let images = self.take_pathless(noted)?;
            self.put_meta(meta::PATHLESS, codec::encode_changes(&images));
        }
        Ok(())
    }

    /// The images without a path, of `noted` and of those that lost one since.
    fn take_pathless(
        &mut self,
        noted: Vec<(ItemKind, ItemId)>,
    ) -> Result<BTreeSet<(ItemKind, ItemId)>, RecordsError> {
        let mut images = std::mem::take(&mut self.pathless);
        images.extend(noted);
        let mut pathless = BTreeSet::new();
        for image in images {
            if self.paths_of(image.1)?.is_empty() {
                pathless.insert(image);
            }
        }
        Ok(pathless)
    }

    /// Writes all changes and their list as one generation. Older lists up to `unneeded` are
    /// deleted beyond [`MAX_LISTS`] and [`MAX_LISTS_BYTES`]. After a failure everything stays
    /// pending, so that the next call writes it again.
    pub(crate) fn commit(
        &mut self,
        generation: Generation,
        unneeded: Generation,
    ) -> Result<(), RecordsError> {
        self.put_facets()?;
        self.put_tombstones();
        let mut lists = Vec::new();
        self.store
            .scan(Column::Default, keys::CHANGES, &[], &mut |key, list| {
                lists.push((key.to_vec(), list.len()));
                Ok(true)
            })?;
        let mut n_bytes = 0;
        for ((key, length), n_newer) in lists.into_iter().rev().zip(1..) {
            n_bytes += length;
            let is_unneeded = keys::generation_of(&key).is_some_and(|list| list <= unneeded.0);
            if is_unneeded && (n_newer >= MAX_LISTS || n_bytes > MAX_LISTS_BYTES) {
                self.remove(Column::Default, key);
            }
        }
        let list = codec::encode_changes(&self.touched);
        self.put(Column::Default, keys::changes(generation.0), list);
        self.put_meta(meta::GENERATION, generation.0.to_le_bytes().to_vec());
        self.store
            .write(Column::ALL.into_iter().flat_map(|column| {
                let changes = self.changes[column as usize].iter();
                changes.map(move |(key, value)| (column, key.as_slice(), value.as_deref()))
            }))?;
        self.changes = Default::default();
        self.touched.clear();
        Ok(())
    }

    /// Changes the lists of graph segments, in one batch without a generation of its own.
    pub(crate) fn relist(&mut self, changes: &[Relisting<'_>]) -> Result<(), RecordsError> {
        let mut batch = Vec::new();
        for change in changes {
            let kind = change.kind;
            for entry in change.unlisted {
                batch.push((keys::segment(kind, entry.first_id), None));
            }
            for entry in change.listed {
                let (key, value) = entry.encode(kind);
                batch.push((key, Some(value)));
            }
            for id in self.store.removed(kind)? {
                if (change.is_obsolete)(id) {
                    batch.push((keys::removed(kind, id), None));
                }
            }
        }
        if !self.store.is_segmented()? {
            batch.push((meta::SEGMENTED.to_vec(), Some(Vec::new())));
            batch.push((meta::PURGED.to_vec(), None));
        }
        self.store.write(
            batch
                .iter()
                .map(|(key, value)| (Column::Default, key.as_slice(), value.as_deref())),
        )?;
        self.read_segments()
    }

    /// Reads the lists of segments, after which removing an item of one leaves a tombstone.
    pub(crate) fn read_segments(&mut self) -> Result<(), RecordsError> {
        for kind in ItemKind::ALL {
            self.segments[kind.number()] = self.store.segments(kind)?;
        }
        Ok(())
    }

    /// Puts the facets that the changed images gained or lost.
    fn put_facets(&mut self) -> Result<(), RecordsError> {
        // What a failed commit has put may no longer be right.
        self.changes[Column::Default as usize].retain(|key, _| !key.starts_with(keys::FACETS));
        let next = self.store.next_id()?;
        let mut edits = BTreeMap::new();
        for &(kind, id) in &self.touched {
            if kind != ItemKind::Image {
                continue;
            }
            let before = if id < next {
                facets::stored(&self.store, id)?
            } else {
                FacetValues::new()
            };
            let after = facets::stored(self, id)?;
            facets::compare(id, &before, &after, &mut edits);
        }
        for (key, edits) in edits {
            let stored = self.store.get(Column::Default, &key)?;
            let value = facets::edited(stored, &edits)?;
            self.changes[Column::Default as usize].insert(key, value);
        }
        Ok(())
    }

    /// Puts tombstones for the removed items in the range of a graph segment, which may have been
    /// built after they were removed here.
    fn put_tombstones(&mut self) {
        // Those that a failed commit has put may be of a segment that is not listed any more.
        self.changes[Column::Default as usize].retain(|key, _| !key.starts_with(keys::REMOVED));
        let items = &self.changes[Column::Items as usize];
        let removed: Vec<Vec<u8>> = self
            .touched
            .iter()
            .filter(|(_, id)| matches!(items.get(keys::item(*id).as_slice()), Some(None)))
            .filter(|&&(kind, id)| self.is_in_segment(kind, id))
            .map(|&(kind, id)| keys::removed(kind, id))
            .collect();
        for key in removed {
            self.put(Column::Default, key, Vec::new());
        }
    }

    fn is_in_segment(&self, kind: ItemKind, id: ItemId) -> bool {
        let segments = &self.segments[kind.number()];
        let after = segments.partition_point(|segment| segment.first_id <= id);
        after > 0 && segments[after - 1].covers(id)
    }

    pub(super) fn put(&mut self, column: Column, key: Vec<u8>, value: Vec<u8>) {
        self.changes[column as usize].insert(key, Some(value));
    }

    fn put_meta(&mut self, key: &[u8], value: Vec<u8>) {
        self.put(Column::Default, key.to_vec(), value);
    }

    pub(super) fn remove(&mut self, column: Column, key: Vec<u8>) {
        self.changes[column as usize].insert(key, None);
    }

    pub(super) fn change_counts(
        &mut self,
        change: impl FnOnce(&mut StoredCounts),
    ) -> Result<(), RecordsError> {
        let mut counts = self.stored_counts()?;
        change(&mut counts);
        self.put_meta(meta::COUNTS, codec::encode_counts(&counts));
        Ok(())
    }

    pub(super) fn take_id(&mut self) -> Result<ItemId, RecordsError> {
        let id = self.next_id()?;
        // The highest number marks an empty slot in graphs.
        let next =
            id.0.checked_add(1)
                .filter(|&next| next < u32::MAX)
                .ok_or(RecordsError::IdsExhausted)?;
        self.put_meta(meta::NEXT_ID, codec::encode_id(ItemId(next)));
        Ok(id)
    }

    pub(super) fn put_item(
        &mut self,
        id: ItemId,
        item: &StoredItem,
        vector: &UnitVector,
    ) -> Result<(), RecordsError> {
        self.put(
            Column::Items,
            keys::item(id).to_vec(),
            codec::encode_item(item)?,
        );
        self.put(
            Column::Vectors,
            keys::vector(item.kind(), id),
            codec::encode_vector(vector.as_slice()),
        );
        self.touched.insert((item.kind(), id));
        Ok(())
    }

    pub(super) fn drop_item(&mut self, kind: ItemKind, id: ItemId) {
        self.remove(Column::Items, keys::item(id).to_vec());
        self.remove(Column::Vectors, keys::vector(kind, id));
        self.touched.insert((kind, id));
    }

    /// Adds an image, unless one with the same hash exists. Returns the id of either.
    pub(crate) fn put_image(
        &mut self,
        content_hash: [u8; 32],
        width: u32,
        height: u32,
        vector: &UnitVector,
    ) -> Result<ItemId, RecordsError> {
        if let Some(id) = self.image_with_hash(&content_hash)? {
            return Ok(id);
        }
        let id = self.take_id()?;
        let item = StoredItem::Image {
            content_hash,
            width,
            height,
            details: None,
            beside: Beside::new(),
            tags: None,
        };
        self.insert(id, &item, vector)?;
        Ok(id)
    }

    /// Sets the tags of an image, sorted and each once, and that it was tagged.
    pub(crate) fn set_tags(&mut self, id: ItemId, tags: Vec<String>) -> Result<(), RecordsError> {
        self.change_image(id, |item| match item {
            StoredItem::Image { tags: known, .. } if known.as_ref() != Some(&tags) => {
                *known = Some(tags);
                true
            }
            _ => false,
        })
    }

    /// Puts an item that does not exist, with its look-ups. The owner of a caption must exist at
    /// the commit.
    pub(crate) fn insert(
        &mut self,
        id: ItemId,
        item: &StoredItem,
        vector: &UnitVector,
    ) -> Result<(), RecordsError> {
        self.put_item(id, item, vector)?;
        match item {
            StoredItem::Image { content_hash, .. } => {
                self.put(Column::Hashes, content_hash.to_vec(), codec::encode_id(id));
                self.change_counts(|counts| counts.n_images += 1)
            }
            StoredItem::Caption {
                owner,
                rank,
                source,
                ..
            } => {
                let key = keys::caption(*owner, source, *rank)?;
                self.put(Column::Captions, key, codec::encode_id(id));
                let key = keys::source(source, *owner)?;
                self.put(Column::Captions, key, Vec::new());
                if let Some(image) = *owner {
                    self.touched.insert((ItemKind::Image, image));
                }
                self.change_counts(|counts| counts.n_captions += 1)
            }
        }
    }

    /// Makes the next item get at least the id `next`.
    pub(crate) fn reserve_ids(&mut self, next: ItemId) -> Result<(), RecordsError> {
        if next > self.next_id()? {
            self.put_meta(meta::NEXT_ID, codec::encode_id(next));
        }
        Ok(())
    }

    /// Removes these images at the next commit if they have no path then.
    pub(crate) fn expect_paths(&mut self, images: impl IntoIterator<Item = ItemId>) {
        let images = images.into_iter().map(|image| (ItemKind::Image, image));
        self.pathless.extend(images);
    }

    /// The metadata of an image's file, and of its sidecars by path.
    pub(crate) fn details(&self, id: ItemId) -> Result<(Details, Beside), RecordsError> {
        match self.stored_item(id)? {
            Some(StoredItem::Image {
                details, beside, ..
            }) => Ok((details.unwrap_or_default(), beside)),
            _ => Ok((Details::default(), Beside::new())),
        }
    }

    /// Sets the metadata that a sidecar gives an image; empty ones remove the sidecar.
    pub(crate) fn set_sidecar_details(
        &mut self,
        id: ItemId,
        source: &Path,
        details: Details,
    ) -> Result<(), RecordsError> {
        let details = Some(details).filter(|details| *details != Details::default());
        self.change_image(id, |item| match item {
            StoredItem::Image { beside, .. } if beside.get(source) != details.as_ref() => {
                match details {
                    Some(details) => beside.insert(source.to_path_buf(), details),
                    None => beside.remove(source),
                };
                true
            }
            _ => false,
        })
    }

    /// Sets the metadata of an image's file.
    pub(crate) fn set_details(&mut self, id: ItemId, details: Details) -> Result<(), RecordsError> {
        self.change_image(id, |item| match item {
            StoredItem::Image { details: known, .. } if known.as_ref() != Some(&details) => {
                *known = Some(details);
                true
            }
            _ => false,
        })
    }

    /// Puts an image again if `change` returns true.
    fn change_image(
        &mut self,
        id: ItemId,
        change: impl FnOnce(&mut StoredItem) -> bool,
    ) -> Result<(), RecordsError> {
        let item = self.stored_item(id)?;
        let image = item.filter(|item| item.kind() == ItemKind::Image);
        let mut image = image.ok_or(RecordsError::NoSuchImage { id })?;
        if change(&mut image) {
            let bytes = codec::encode_item(&image)?;
            self.put(Column::Items, keys::item(id).to_vec(), bytes);
            self.touched.insert((ItemKind::Image, id));
        }
        Ok(())
    }

    /// The committed images without metadata. If there are none, this is recorded, since finding
    /// out takes time.
    pub(crate) fn images_without_details(&self) -> Result<Vec<ItemId>, RecordsError> {
        let noted = meta::DETAILED;
        let mut found = Vec::new();
        if self.store.get(Column::Default, noted)?.is_some() {
            return Ok(found);
        }
        self.store.scan_items(&mut |id, item| {
            if matches!(item, StoredItem::Image { details: None, .. }) {
                found.push(id);
            }
            Ok(())
        })?;
        if found.is_empty() {
            self.store
                .write([(Column::Default, noted, Some([].as_slice()))])?;
        }
        Ok(found)
    }

    pub(crate) fn require_image(&self, id: ItemId) -> Result<(), RecordsError> {
        match self.stored_item(id)? {
            Some(StoredItem::Image { .. }) => Ok(()),
            _ => Err(RecordsError::NoSuchImage { id }),
        }
    }

    /// Records which image a path contains. An image without any path at the next commit is
    /// removed.
    pub(crate) fn put_file(&mut self, path: &Path, file: &FileRecord) -> Result<(), RecordsError> {
        self.require_image(file.image)?;
        let before = self.file(path)?;
        self.put(Column::Paths, keys::file(path)?, codec::encode_file(file));
        if before.is_some_and(|before| before.image == file.image) {
            return Ok(());
        }
        self.put(Column::Paths, keys::link(file.image, path)?, Vec::new());
        self.touched.insert((ItemKind::Image, file.image));
        match before {
            Some(before) => self.unlink(before.image, path),
            None => self.change_counts(|counts| counts.n_files += 1),
        }
    }

    /// Removes a path. An image without any path at the next commit is removed.
    pub(crate) fn remove_file(&mut self, path: &Path) -> Result<(), RecordsError> {
        let Some(file) = self.file(path)? else {
            return Ok(());
        };
        self.remove(Column::Paths, keys::file(path)?);
        self.change_counts(|counts| counts.n_files = counts.n_files.saturating_sub(1))?;
        self.unlink(file.image, path)
    }

    fn unlink(&mut self, image: ItemId, path: &Path) -> Result<(), RecordsError> {
        self.remove(Column::Paths, keys::link(image, path)?);
        self.touched.insert((ItemKind::Image, image));
        self.pathless.insert((ItemKind::Image, image));
        Ok(())
    }

    fn remove_image(&mut self, id: ItemId) -> Result<(), RecordsError> {
        let Some(StoredItem::Image { content_hash, .. }) = self.stored_item(id)? else {
            return Ok(());
        };
        self.remove_captions_of(Some(id))?;
        self.drop_item(ItemKind::Image, id);
        self.remove(Column::Hashes, content_hash.to_vec());
        self.change_counts(|counts| counts.n_images = counts.n_images.saturating_sub(1))
    }

    pub(crate) fn put_library(&mut self, library: &Library) -> Result<(), RecordsError> {
        let key = keys::library(&library.folder)?;
        if self.get(Column::Default, &key)?.is_none() {
            self.touch_names_under(&library.folder)?;
        }
        self.put(Column::Default, key, codec::encode_library(library));
        Ok(())
    }

    pub(crate) fn remove_library(&mut self, folder: &Path) -> Result<(), RecordsError> {
        let key = keys::library(folder)?;
        if self.get(Column::Default, &key)?.is_some() {
            self.touch_names_under(folder)?;
            self.remove(Column::Default, key);
        }
        Ok(())
    }

    /// Marks the images whose words change when a folder becomes a library folder or ceases to be
    /// one: those with a file in it, since their names begin there, unless they begin at another
    /// library folder further up.
    fn touch_names_under(&mut self, folder: &Path) -> Result<(), RecordsError> {
        let libraries = self.libraries()?;
        let mut others = libraries.iter().filter(|other| other.folder != folder);
        if others.any(|other| folder.starts_with(&other.folder)) {
            return Ok(());
        }
        let mut images = Vec::new();
        self.scan_files_under(folder, None, &mut |_, file| {
            images.push((ItemKind::Image, file.image));
            Ok(true)
        })?;
        self.touched.extend(images);
        Ok(())
    }

    /// Notes whether the captions must be checked because the language was changed.
    pub(crate) fn note_language_changed(&mut self, is_changed: bool) {
        if is_changed {
            self.put_meta(meta::LANGUAGE_CHANGED, Vec::new());
        } else {
            self.remove(Column::Default, meta::LANGUAGE_CHANGED.to_vec());
        }
    }

    pub(crate) fn put_last_run(&mut self, run: &LastRun) {
        self.put_meta(meta::LAST_RUN, codec::encode_last_run(run));
    }
}

impl Records for Overlay {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, RecordsError> {
        match self.changes[column as usize].get(key) {
            Some(value) => Ok(value.clone()),
            None => self.store.get(column, key),
        }
    }

    fn scan(
        &self,
        column: Column,
        prefix: &[u8],
        start: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), RecordsError> {
        let from = prefix.max(start);
        let mut pending = self.changes[column as usize]
            .range::<[u8], _>((Bound::Included(from), Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .peekable();
        let mut goes_on = true;
        self.store.scan(column, prefix, start, &mut |key, value| {
            while let Some((new_key, new_value)) =
                pending.next_if(|(new_key, _)| new_key.as_slice() < key)
            {
                if let Some(new_value) = new_value {
                    goes_on = visit(new_key, new_value)?;
                    if !goes_on {
                        return Ok(false);
                    }
                }
            }
            goes_on = match pending.next_if(|(new_key, _)| new_key.as_slice() == key) {
                Some((_, Some(new_value))) => visit(key, new_value)?,
                Some((_, None)) => true,
                None => visit(key, value)?,
            };
            Ok(goes_on)
        })?;
        if goes_on {
            for (key, value) in pending {
                if let Some(value) = value
                    && !visit(key, value)?
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
