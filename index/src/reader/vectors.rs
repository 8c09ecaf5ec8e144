//! The vectors of one kind: its graph segments, and the items that are in none of them.
//!
//! Opening reads the headers of the segments only. What a search needs besides, the removed and the
//! fresh items, is read by the first one. A newer view takes over what did not change.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use crate::derived::segments::{self, Opened, Segment};
use crate::disk::layout::Layout;
use crate::disk::manifest::Manifest;
use crate::error::{IndexError, Within};
use crate::graph::coded::{CodedVectors, CodedVectorsBuilder};
use crate::ids::IdSet;
use crate::item::{ItemId, ItemKind};
use crate::records::RecordsError;
use crate::records::read::{Records, VisitVector};
use crate::records::store::Store;

/// Bytes of segments whose checksums are verified before the first search of a kind. That takes
/// about 10 ms and covers all of an index of 20,000 items, and the ids of a million.
const N_BYTES_VERIFIED: usize = 64 << 20;

/// Maximum number of distinct fresh vectors that are kept as codes, 38 MB at 512 dimensions. With
/// more, as without a usable graph of a large index, every search reads them from the records.
const MAX_CODED: usize = if cfg!(test) { 500 } else { 65_536 };

/// The search state of one kind of items.
pub(super) struct KindState {
    kind: ItemKind,
    dimension: usize,
    /// The usable segments, in the order of ids.
    pub(super) segments: Vec<Arc<Segment>>,
    /// Why a segment cannot be used.
    pub(super) unusable: Option<String>,
    /// Read on first use.
    vectors: Mutex<Option<Arc<Vectors>>>,
}

/// All vectors of a kind, as a search compares them.
pub(super) struct Vectors {
    /// The segments without damage that was found, in the order of ids.
    pub(super) segments: Vec<Arc<Segment>>,
    /// Ids in the segments that no longer exist.
    pub(super) removed: Arc<IdSet>,
    /// The ranges of ids that no segment covers. Items in them are *fresh*.
    pub(super) uncovered: Vec<RangeInclusive<ItemId>>,
    /// The fresh items; none when there are too many.
    pub(super) fresh: Option<CodedVectors>,
    /// No item has a higher id.
    pub(super) last_id: ItemId,
}

impl KindState {
    /// Opens the listed segments, and returns whether they belong to the records.
    ///
    /// # Errors
    /// When the records or a file cannot be read for another reason than damage.
    pub(super) fn open(
        layout: &Layout,
        manifest: &Manifest,
        store: &Store,
        kind: ItemKind,
        held: &[Arc<Segment>],
    ) -> Result<(Self, bool), IndexError> {
        let dir = layout.dir();
        let generation = store.generation().within(dir)?;
        let mut state = Self {
            kind,
            dimension: manifest.binding.dimension,
            segments: Vec::new(),
            unusable: None,
            vectors: Mutex::default(),
        };
        let mut settled = true;
        for entry in segments::listed(layout, manifest, store, kind, generation)? {
            if let Some(held) = held.iter().find(|held| held.entry == entry) {
                state.segments.push(Arc::clone(held));
                continue;
            }
            match segments::open(layout, manifest, kind, entry).within(dir)? {
                Opened::Usable(segment) => state.segments.push(segment),
                Opened::Unusable {
                    reason,
                    may_have_moved,
                } => {
                    state.unusable = Some(reason);
                    settled &= !may_have_moved;
                }
            }
        }
        Ok((state, settled))
    }

    /// The vectors. The first call reads the removed and the fresh items.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub(super) fn vectors(&self, store: &Store) -> Result<Arc<Vectors>, RecordsError> {
        let mut slot = self.vectors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(vectors) = &*slot {
            return Ok(Arc::clone(vectors));
        }
        let segments = self.sound();
        let uncovered = uncovered(&segments);
        let mut fresh = CodedVectorsBuilder::new(self.dimension);
        let complete = self.add_fresh(store, &uncovered, ItemId(0), &mut fresh)?;
        let vectors = Arc::new(Vectors {
            removed: Arc::new(self.removed(store, &segments)?),
            segments,
            uncovered,
            fresh: complete.then(|| fresh.finish()),
            last_id: last_id(store)?,
        });
        *slot = Some(Arc::clone(&vectors));
        Ok(vectors)
    }

    /// Whether a search has read the vectors.
    pub(super) fn is_read(&self) -> bool {
        let slot = self.vectors.lock().unwrap_or_else(PoisonError::into_inner);
        slot.is_some()
    }

    /// Takes over what `older`, the state of an older generation, has read. `changed` are the items
    /// of this kind that were put or removed since.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub(super) fn take_over(
        &self,
        older: &Self,
        store: &Store,
        changed: &IdSet,
    ) -> Result<(), RecordsError> {
        let slot = older.vectors.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(old) = slot.as_ref().map(Arc::clone) else {
            return Ok(());
        };
        drop(slot);
        let Some(old_fresh) = &old.fresh else {
            return Ok(());
        };
        let segments = self.sound();
        let uncovered = uncovered(&segments);
        let was_fresh = |range: &RangeInclusive<ItemId>| {
            let mut before = old.uncovered.iter();
            let starts_later = *range.start() > old.last_id;
            starts_later
                || before.any(|old| old.contains(range.start()) && old.contains(range.end()))
        };
        if !uncovered.iter().all(was_fresh) {
            return Ok(());
        }
        let mut deleted = IdSet::new();
        for id in changed.iter_in(..=old.last_id) {
            if store
                .vector_values(self.kind, id, self.dimension)?
                .is_none()
            {
                deleted.insert(id);
            }
        }
        let is_same = segments.len() == old.segments.len()
            && segments
                .iter()
                .zip(&old.segments)
                .all(|(a, b)| Arc::ptr_eq(a, b));
        let removed = if !is_same {
            Arc::new(self.removed(store, &segments)?)
        } else if deleted.is_empty() {
            Arc::clone(&old.removed)
        } else {
            let mut removed = IdSet::clone(&old.removed);
            removed.union_with(&deleted);
            Arc::new(removed)
        };
        let mut fresh = CodedVectorsBuilder::new(self.dimension);
        fresh.keep(old_fresh, |id| {
            let id = ItemId(id);
            !deleted.contains(id) && uncovered.iter().any(|range| range.contains(&id))
        });
        let complete = self.add_fresh(store, &uncovered, old.last_id, &mut fresh)?;
        let vectors = Vectors {
            segments,
            removed,
            uncovered,
            fresh: complete.then(|| fresh.finish()),
            last_id: last_id(store)?,
        };
        let mut slot = self.vectors.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(Arc::new(vectors));
        Ok(())
    }

    /// The segments in which no damage is found. Those of an older view were verified by it.
    fn sound(&self) -> Vec<Arc<Segment>> {
        let mut n_bytes = N_BYTES_VERIFIED;
        let mut sound = self.segments.clone();
        sound.retain(|segment| segment.graph.are_ids_sound(&mut n_bytes));
        sound.retain(|segment| segment.graph.is_sound(&mut n_bytes));
        sound
    }

    /// The ids in `segments` that no longer exist.
    fn removed(&self, store: &Store, segments: &[Arc<Segment>]) -> Result<IdSet, RecordsError> {
        if segments.is_empty() {
            return Ok(IdSet::new());
        }
        Ok(store.removed(self.kind)?.into_iter().collect())
    }

    /// Adds the items in `ranges` with ids above `after`, or returns false when there are too many.
    fn add_fresh(
        &self,
        store: &Store,
        ranges: &[RangeInclusive<ItemId>],
        after: ItemId,
        fresh: &mut CodedVectorsBuilder,
    ) -> Result<bool, RecordsError> {
        for range in ranges {
            let first = range.start().0.max(after.0.saturating_add(1));
            self.scan(store, ItemId(first)..=*range.end(), &mut |id, vector| {
                fresh.add(id.0, vector);
                Ok(fresh.n_points() <= MAX_CODED)
            })?;
            if fresh.n_points() > MAX_CODED {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Visits the vectors with ids in `range`, by id, until `visit` returns false.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub(super) fn scan(
        &self,
        store: &Store,
        range: RangeInclusive<ItemId>,
        visit: &mut VisitVector<'_>,
    ) -> Result<(), RecordsError> {
        if range.is_empty() {
            return Ok(());
        }
        let before = ItemId(range.start().0.saturating_sub(1));
        store.scan_vectors(self.kind, before, self.dimension, &mut |id, vector| {
            Ok(range.contains(&id) && visit(id, vector)?)
        })
    }
}

/// The ranges of ids, from 1 to the highest possible, that no segment covers.
fn uncovered(segments: &[Arc<Segment>]) -> Vec<RangeInclusive<ItemId>> {
    let mut uncovered = Vec::new();
    let mut next = 1;
    for segment in segments {
        let entry = &segment.entry;
        if next < entry.first_id.0 {
            uncovered.push(ItemId(next)..=ItemId(entry.first_id.0 - 1));
        }
        next = entry.last_id.0.saturating_add(1);
    }
    uncovered.push(ItemId(next)..=ItemId(u32::MAX));
    uncovered
}

/// The highest id that was ever given to an item.
fn last_id(store: &Store) -> Result<ItemId, RecordsError> {
    Ok(ItemId(store.next_id()?.0.saturating_sub(1)))
}
