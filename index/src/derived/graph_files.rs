//! The graph segments as the writer sees them: checked when it opens an index, and built, merged
//! and rebuilt when [`plan`] says so.

use std::collections::HashSet;
use std::ops::{ControlFlow, RangeInclusive};

use super::building::{self, Job, Place};
use super::plan::{self, Due, SegmentSizes, Span, Wear};
use super::segments;
use crate::atomic::temporary_path;
use crate::disk::layout::Layout;
use crate::disk::steps::Step;
use crate::error::{IndexError, Within};
use crate::graph::file::Graph;
use crate::item::{ItemId, ItemKind};
use crate::records::overlay::{Overlay, Relisting};
use crate::records::read::Records;
use crate::records::segments::SegmentEntry;

/// What is derived from the vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildStep {
    /// A graph.
    Graph,
    /// Hub biases.
    HubBiases,
}

/// Progress of building a graph, or of computing the hub biases of many images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuildProgress {
    /// Which of the two.
    pub step: BuildStep,
    /// The kind of the items.
    pub kind: ItemKind,
    /// Number of items added so far.
    pub n_done: usize,
    /// Number of items to be added in all.
    pub n_total: usize,
}

/// Called with the progress of building. Breaks when building is to stop.
pub(crate) type OnBuild<'a> = dyn FnMut(BuildProgress) -> ControlFlow<()> + 'a;

/// Bytes of segments whose checksums are verified whenever a writer opens, which takes about 10 ms.
/// More are verified after an unclean end, and by `check`.
const N_BYTES_VERIFIED: usize = 64 << 20;

/// The segments of both kinds.
#[derive(Debug)]
pub(crate) struct GraphFiles {
    sizes: SegmentSizes,
    /// By kind, in the order of ids.
    lists: [Vec<SegmentEntry>; 2],
    /// By kind, higher than any number in the list or in the folder.
    next_number: [u64; 2],
}

impl GraphFiles {
    /// Checks the headers of the listed files and the first arrays, or all of them if `verify`.
    /// Those that are missing or damaged are no longer listed, so their items are fresh. Files that
    /// are not listed are deleted.
    ///
    /// # Errors
    /// When the records or a file cannot be read or written for another reason than damage.
    pub(crate) fn open(
        place: &Place<'_>,
        overlay: &mut Overlay,
        sizes: SegmentSizes,
        verify: bool,
    ) -> Result<Self, IndexError> {
        let Place {
            layout, manifest, ..
        } = *place;
        let dir = layout.dir();
        if !overlay.store.is_segmented().within(dir)? {
            adopt(place, overlay)?;
        }
        let mut files = Self {
            sizes,
            lists: [Vec::new(), Vec::new()],
            next_number: [1; 2],
        };
        let mut has_lost = false;
        let mut n_bytes = N_BYTES_VERIFIED;
        for kind in ItemKind::ALL {
            let mut lost = Vec::new();
            for entry in overlay.store.segments(kind).within(dir)? {
                let is_intact =
                    segments::is_intact(layout, manifest, kind, &entry, verify, &mut n_bytes);
                if is_intact.within(dir)? {
                    files.lists[kind.number()].push(entry);
                } else {
                    lost.push(entry);
                }
            }
            if !lost.is_empty() {
                let relisting = Relisting {
                    kind,
                    unlisted: &lost,
                    listed: &[],
                    is_obsolete: &|id| lost.iter().any(|entry| entry.covers(id)),
                };
                overlay.relist(&[relisting]).within(dir)?;
                has_lost = true;
            }
        }
        if has_lost {
            place.reach(Step::GraphsUnlisted)?;
        }
        files.sweep(layout)?;
        overlay.read_segments().within(dir)?;
        Ok(files)
    }

    /// Deletes files that are not listed: what interrupted builds and replaced segments left.
    fn sweep(&mut self, layout: &Layout) -> Result<(), IndexError> {
        let found = layout.graph_files().map_err(|source| IndexError::Io {
            path: layout.graphs(),
            source,
        })?;
        for file in found {
            let kind = file.kind.number();
            let mut listed = self.lists[kind].iter().map(|entry| entry.number);
            if file.is_temporary || !listed.any(|number| number == file.number) {
                layout.discard(&file.path)?;
            }
            self.count_number(file.kind, file.number);
        }
        layout.discard(&temporary_path(&layout.hubs()))?;
        for kind in ItemKind::ALL {
            let listed = self.lists[kind.number()].iter();
            let highest = listed.map(|entry| entry.number).max();
            self.count_number(kind, highest.unwrap_or(0));
        }
        Ok(())
    }

    /// Never gives this number to a new file.
    fn count_number(&mut self, kind: ItemKind, number: u64) {
        let next = &mut self.next_number[kind.number()];
        *next = (*next).max(number.saturating_add(1));
    }

    /// Builds what is due, until `progress` breaks. What was built before stays.
    ///
    /// # Errors
    /// When the records cannot be read or written, or a segment cannot be built or written.
    pub(crate) fn build_due(
        &mut self,
        place: &Place<'_>,
        overlay: &mut Overlay,
        due: Due,
        progress: &mut OnBuild<'_>,
    ) -> Result<ControlFlow<()>, IndexError> {
        let dir = place.layout.dir();
        for kind in ItemKind::ALL {
            loop {
                let counts = overlay.store.stored_counts().within(dir)?;
                let n_items = match kind {
                    ItemKind::Image => counts.n_images,
                    ItemKind::Caption => counts.n_captions,
                };
                let n_items = usize::try_from(n_items).unwrap_or(usize::MAX);
                if n_items < self.sizes.min {
                    let whole = ItemId(0)..=ItemId(u32::MAX);
                    let replaced = self.entries(kind, &whole);
                    if !replaced.is_empty() {
                        self.switch(place, overlay, kind, &whole, &replaced, &[])?;
                    }
                    break;
                }
                let pieces = self.pieces(overlay, kind, n_items).within(dir)?;
                let numbers: Vec<Span> = pieces.iter().map(|piece| piece.0).collect();
                let Some(merged) = plan::next_merge(&numbers, self.sizes, due) else {
                    break;
                };
                let merged = &pieces[merged];
                if self
                    .build(place, overlay, kind, merged, progress)?
                    .is_break()
                {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn entries(&self, kind: ItemKind, range: &RangeInclusive<ItemId>) -> Vec<SegmentEntry> {
        let entries = self.lists[kind.number()].iter();
        entries
            .filter(|entry| range.contains(&entry.first_id))
            .copied()
            .collect()
    }

    /// The segments of a kind and the fresh items between and after them, with their ranges of ids.
    fn pieces(
        &self,
        overlay: &Overlay,
        kind: ItemKind,
        n_items: usize,
    ) -> Result<Vec<(Span, RangeInclusive<ItemId>)>, crate::records::RecordsError> {
        let removed = overlay.store.removed(kind)?;
        let mut pieces = Vec::new();
        let mut gaps = Vec::new();
        let mut next = ItemId(0);
        let mut n_in_segments = 0;
        for entry in &self.lists[kind.number()] {
            gaps.push(next..=ItemId(entry.first_id.0.saturating_sub(1)));
            next = ItemId(entry.last_id.0.saturating_add(1));
            let below = |limit: ItemId| removed.partition_point(|&id| id < limit);
            let n_removed = below(next) - below(entry.first_id);
            let n_items = (entry.n_ids as usize).saturating_sub(n_removed);
            n_in_segments += n_items;
            let segment = Some(Wear { n_removed });
            pieces.push((Span { n_items, segment }, entry.first_id..=entry.last_id));
        }
        let mut n_fresh = n_items.saturating_sub(n_in_segments);
        let mut all = Vec::with_capacity(2 * pieces.len() + 1);
        for (gap, piece) in gaps.into_iter().zip(pieces) {
            // Only a lost segment leaves a gap with items, of which there may be few by now.
            if n_fresh > 0 && !gap.is_empty() {
                let n_items = overlay.store.ids_between(kind, gap.clone())?.len();
                n_fresh = n_fresh.saturating_sub(n_items);
                all.extend((n_items > 0).then(|| (fresh(n_items), gap)));
            }
            all.push(piece);
        }
        all.extend((n_fresh > 0).then(|| (fresh(n_fresh), next..=ItemId(u32::MAX))));
        Ok(all)
    }

    /// Builds segments of the items of some pieces, and lists them instead of the segments among
    /// those pieces.
    fn build(
        &mut self,
        place: &Place<'_>,
        overlay: &mut Overlay,
        kind: ItemKind,
        pieces: &[(Span, RangeInclusive<ItemId>)],
        progress: &mut OnBuild<'_>,
    ) -> Result<ControlFlow<()>, IndexError> {
        let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else {
            return Ok(ControlFlow::Continue(()));
        };
        let range = *first.1.start()..=*last.1.end();
        let replaced = self.entries(kind, &range);
        let n_total: usize = pieces.iter().map(|piece| piece.0.n_items).sum();
        let mut built: Vec<SegmentEntry> = Vec::new();
        let mut next = *range.start();
        let mut n_done = 0;
        while n_done < n_total {
            let n_items = (n_total - n_done).min(self.sizes.max);
            if replaced.is_empty() && n_done > 0 && n_items < self.sizes.min {
                break;
            }
            let number = self.next_number[kind.number()];
            self.count_number(kind, number);
            let job = Job {
                place,
                kind,
                range: next..=*range.end(),
                n_items,
                number,
            };
            let mut report = |n| {
                progress(BuildProgress {
                    step: BuildStep::Graph,
                    kind,
                    n_done: n_done + n,
                    n_total,
                })
            };
            let Some(segment) = building::build(&job, overlay, &mut report)? else {
                return Ok(ControlFlow::Break(()));
            };
            n_done += segment.n_ids as usize;
            next = ItemId(segment.last_id.0.saturating_add(1));
            if replaced.is_empty() {
                let own = job.range.start().max(&ItemId(1))..=&segment.last_id;
                let own = **own.start()..=**own.end();
                self.switch(place, overlay, kind, &own, &[], &[segment])?;
            } else {
                built.push(segment);
            }
        }
        if !replaced.is_empty() {
            self.switch(place, overlay, kind, &range, &replaced, &built)?;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Lists `built` instead of `replaced`, whose files are then deleted, and drops the tombstones
    /// within `range`.
    fn switch(
        &mut self,
        place: &Place<'_>,
        overlay: &mut Overlay,
        kind: ItemKind,
        range: &RangeInclusive<ItemId>,
        replaced: &[SegmentEntry],
        built: &[SegmentEntry],
    ) -> Result<(), IndexError> {
        let relisting = Relisting {
            kind,
            unlisted: replaced,
            listed: built,
            is_obsolete: &|id| range.contains(&id),
        };
        overlay.relist(&[relisting]).within(place.layout.dir())?;
        let list = &mut self.lists[kind.number()];
        list.retain(|entry| !replaced.contains(entry));
        list.extend_from_slice(built);
        list.sort_unstable_by_key(|entry| entry.first_id);
        place.reach(Step::GraphListed)?;
        for entry in replaced {
            // The next writer deletes what remains, as on systems that keep open files.
            let _ = fs_err::remove_file(place.layout.segment(kind, entry.number));
        }
        place.reach(Step::GraphsDeleted)
    }
}

fn fresh(n_items: usize) -> Span {
    Span {
        n_items,
        segment: None,
    }
}

/// Lists the graphs of an index of format 2.
fn adopt(place: &Place<'_>, overlay: &mut Overlay) -> Result<(), IndexError> {
    let Place {
        layout,
        manifest,
        generation,
        ..
    } = *place;
    let dir = layout.dir();
    let purged = overlay.store.purged().within(dir)?;
    let mut adopted: [Vec<SegmentEntry>; 2] = [Vec::new(), Vec::new()];
    let mut held: [Option<HashSet<u32>>; 2] = [None, None];
    for kind in ItemKind::ALL {
        let listed = segments::listed(layout, manifest, &overlay.store, kind, generation)?;
        let Some(entry) = listed.first() else {
            continue;
        };
        adopted[kind.number()].push(*entry);
        let graph = Graph::open(&layout.graph(kind)).within(dir)?;
        // The writer that built this graph was interrupted before it dropped the tombstones.
        let is_newer = |graph: &Graph| graph.stamp.generation > purged[kind.number()].0;
        held[kind.number()] = graph
            .filter(is_newer)
            .map(|graph| graph.rows().map(|(id, _)| id).collect());
    }
    let is_obsolete = ItemKind::ALL.map(|kind| {
        let (adopted, held) = (&adopted[kind.number()], &held[kind.number()]);
        move |id: ItemId| {
            adopted.is_empty() || held.as_ref().is_some_and(|held| !held.contains(&id.0))
        }
    });
    let relistings = ItemKind::ALL.map(|kind| Relisting {
        kind,
        unlisted: &[],
        listed: &adopted[kind.number()],
        is_obsolete: &is_obsolete[kind.number()],
    });
    overlay.relist(&relistings).within(dir)?;
    place.reach(Step::GraphsAdopted)
}
