//! Counts and sizes of the parts of an index.

use super::IndexReader;
use super::vectors::KindState;
use crate::disk::layout;
use crate::error::{IndexError, Within};
use crate::item::{ItemId, ItemKind, LastRun};
use crate::records::codec::StoredCounts;
use crate::records::keys;
use crate::records::read::Records;

/// The state of the graph of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphState {
    /// No graph: every vector is compared.
    Absent,
    /// The graph is in use.
    Ready {
        /// Number of its items that still exist.
        n_items: u64,
        /// Number of items newer than the graph, which are compared one by one.
        n_fresh: u64,
    },
    /// The graph cannot be used: every vector is compared until the next writer rebuilds it.
    Unusable {
        /// The reason.
        reason: String,
    },
}

/// The size of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Number of distinct images.
    pub n_images: u64,
    /// Number of captions, with and without an image.
    pub n_captions: u64,
    /// Number of picture files. Identical files are one image.
    pub n_files: u64,
    /// Size of all files of the index, in bytes.
    pub n_bytes_on_disk: u64,
    /// The graph of images.
    pub image_graph: GraphState,
    /// The graph of captions.
    pub caption_graph: GraphState,
}

/// The sizes of the parts of an index, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sizes {
    /// The records, the source of truth.
    pub n_bytes_of_records: u64,
    /// The graphs of both kinds.
    pub n_bytes_of_graphs: u64,
    /// The word index.
    pub n_bytes_of_words: u64,
}

/// What searches of a graph pass over or compare one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Leftovers {
    /// Items of the graph that no longer exist, until it is built again.
    pub n_tombstones: u64,
    /// Vectors that links do not lead to, as among many with equal codes. They are compared one by
    /// one.
    pub n_loose: u64,
}

impl IndexReader {
    /// The size of the index and the state of its graphs.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let StoredCounts {
            n_images,
            n_captions,
            n_files,
        } = self.counts;
        Counts {
            n_images,
            n_captions,
            n_files,
            n_bytes_on_disk: self.layout.n_bytes(),
            image_graph: self.graph_state(ItemKind::Image, n_images),
            caption_graph: self.graph_state(ItemKind::Caption, n_captions),
        }
    }

    /// The sizes of the parts of the index.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        Sizes {
            n_bytes_of_records: layout::n_bytes_in(&self.layout.records()),
            n_bytes_of_graphs: layout::n_bytes_in(&self.layout.graphs()),
            n_bytes_of_words: layout::n_bytes_in(&self.layout.words()),
        }
    }

    /// Number of usable graphs of a kind, all of which a search asks.
    #[must_use]
    pub fn n_graphs(&self, kind: ItemKind) -> u64 {
        self.kinds[kind.number()].segments.len() as u64
    }

    /// What searches of the graphs of a kind pass over or compare one by one.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn leftovers(&self, kind: ItemKind) -> Result<Leftovers, IndexError> {
        let segments = &self.kinds[kind.number()].segments;
        let n_loose = segments
            .iter()
            .map(|segment| segment.graph.n_loose() as u64);
        Ok(Leftovers {
            n_tombstones: self.store.removed(kind).within(self.dir())?.len() as u64,
            n_loose: n_loose.sum(),
        })
    }

    /// Number of captions without an image.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn n_captions_alone(&self) -> Result<u64, IndexError> {
        let prefix = keys::owner_prefix(None);
        let ids = self.store.caption_ids(&prefix).within(self.dir())?;
        Ok(ids.len() as u64)
    }

    /// Statistics of the last indexing run, if recorded.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn last_run(&self) -> Result<Option<LastRun>, IndexError> {
        self.store.last_run().within(self.dir())
    }

    /// The ids of all items, in order.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn ids(&self) -> Result<Vec<ItemId>, IndexError> {
        let mut ids = Vec::new();
        let scan = self.store.scan_items(&mut |id, _| {
            ids.push(id);
            Ok(())
        });
        scan.within(self.dir())?;
        Ok(ids)
    }

    fn graph_state(&self, kind: ItemKind, n_items: u64) -> GraphState {
        let KindState {
            segments, unusable, ..
        } = &self.kinds[kind.number()];
        if segments.is_empty() {
            return match unusable {
                None => GraphState::Absent,
                Some(reason) => GraphState::Unusable {
                    reason: reason.clone(),
                },
            };
        }
        let is_frozen = |id: &ItemId| segments.iter().any(|segment| segment.entry.covers(*id));
        let n_removed = self.store.removed(kind).map_or(0, |removed| {
            removed.iter().filter(|&id| is_frozen(id)).count()
        });
        let n_ids: usize = segments.iter().map(|segment| segment.graph.n_ids()).sum();
        let n_frozen = n_ids.saturating_sub(n_removed) as u64;
        GraphState::Ready {
            n_items: n_frozen,
            n_fresh: n_items.saturating_sub(n_frozen),
        }
    }
}
