//! What is there, counted and listed.

use super::IndexReader;
use crate::error::{IndexError, Within};
use crate::item::{ItemId, ItemKind, LastRun};
use crate::layout;
use crate::records::read::Read;

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
        let graph = self.shelves[kind.number()].graph.as_ref();
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
        let prefix = crate::records::keys::owner_prefix(None);
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
}
