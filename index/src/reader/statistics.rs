//! What is there, counted and listed.

use super::IndexReader;
use crate::disk::layout;
use crate::error::{IndexError, Within};
use crate::item::{ItemId, ItemKind, LastRun};
use crate::records::codec::StoredCounts;
use crate::records::keys;
use crate::records::read::Records;

/// How the items of a kind are searched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphState {
    /// There is no graph; every vector is compared.
    Absent,
    /// There is a graph.
    Ready {
        /// How many items it holds that still exist.
        n_items: u64,
        /// How many items are newer than it and compared one by one.
        n_fresh: u64,
    },
    /// The graph cannot be used; every vector is compared until the next writer builds a new one.
    Unusable {
        /// Why.
        reason: String,
    },
}

/// How much an index holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Different images.
    pub n_images: u64,
    /// Captions, with and without an image.
    pub n_captions: u64,
    /// Picture files; identical ones are one image.
    pub n_files: u64,
    /// All files of the index together, in bytes.
    pub n_bytes_on_disk: u64,
    /// How images are searched.
    pub image_graph: GraphState,
    /// How captions are searched.
    pub caption_graph: GraphState,
}

/// The bytes of each part of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sizes {
    /// The records, which are the truth.
    pub n_bytes_of_records: u64,
    /// The graphs of both kinds.
    pub n_bytes_of_graphs: u64,
    /// The word index.
    pub n_bytes_of_words: u64,
}

/// What a graph drags along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Leftovers {
    /// Items of the graph that do not exist any more.
    pub n_tombstones: u64,
    /// Vectors that a search of the graph does not reach, and that are compared one by one.
    pub n_loose: u64,
}

impl IndexReader {
    /// How much there is.
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

    /// How large the parts are.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        Sizes {
            n_bytes_of_records: layout::n_bytes_in(&self.layout.records()),
            n_bytes_of_graphs: layout::n_bytes_in(&self.layout.graphs()),
            n_bytes_of_words: layout::n_bytes_in(&self.layout.words()),
        }
    }

    /// What the graph of a kind drags along until it is built anew.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn leftovers(&self, kind: ItemKind) -> Result<Leftovers, IndexError> {
        let graph = self.kinds[kind.number()].graph.as_ref();
        Ok(Leftovers {
            n_tombstones: self.store.removed(kind).within(self.dir())?.len() as u64,
            n_loose: graph
                .ok()
                .and_then(Option::as_ref)
                .map_or(0, |graph| graph.n_loose() as u64),
        })
    }

    /// How many captions describe no image.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn n_captions_alone(&self) -> Result<u64, IndexError> {
        let prefix = keys::owner_prefix(None);
        let ids = self.store.caption_ids(&prefix).within(self.dir())?;
        Ok(ids.len() as u64)
    }

    /// What the last run of whoever filled the index did, if it was noted.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn last_run(&self) -> Result<Option<LastRun>, IndexError> {
        self.store.last_run().within(self.dir())
    }

    /// The numbers of all items, in order.
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
        match &self.kinds[kind.number()].graph {
            Ok(None) => GraphState::Absent,
            Err(reason) => GraphState::Unusable {
                reason: reason.clone(),
            },
            Ok(Some(graph)) => {
                let n_removed = self.store.removed(kind).map_or(0, |ids| ids.len());
                let n_frozen = graph.n_ids().saturating_sub(n_removed) as u64;
                GraphState::Ready {
                    n_items: n_frozen,
                    n_fresh: n_items.saturating_sub(n_frozen),
                }
            }
        }
    }
}
