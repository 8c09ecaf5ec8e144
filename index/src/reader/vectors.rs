//! The vectors of one kind: its graph, and the items newer than that.

use std::sync::{Arc, Mutex, PoisonError};

use crate::graph::file::Graph;
use crate::ids::IdSet;
use crate::item::{ItemId, ItemKind};
use crate::records::RecordsError;
use crate::records::read::Records;
use crate::records::store::Store;

/// The search state of one kind of items.
pub(super) struct KindState {
    /// The graph, none, or why it cannot be used.
    pub(super) graph: Result<Option<Graph>, String>,
    /// Read from the records on first use.
    pub(super) fresh: Mutex<Option<Arc<Fresh>>>,
}

/// The difference between the records and the graph of a kind.
pub(super) struct Fresh {
    /// The ids of items newer than the graph; of all items when there is none.
    pub(super) newer: Vec<u32>,
    /// Their vectors, shape `[newer.len(), dimension]`.
    pub(super) vectors: Vec<f32>,
    /// Ids in the graph that no longer exist.
    pub(super) removed: IdSet,
}

impl KindState {
    /// The items newer than the graph, and the removed ones of the graph.
    pub(super) fn fresh(
        &self,
        store: &Store,
        kind: ItemKind,
        dimension: usize,
    ) -> Result<Arc<Fresh>, RecordsError> {
        let mut slot = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fresh) = &*slot {
            return Ok(Arc::clone(fresh));
        }
        let graph = self.graph.as_ref().ok().and_then(Option::as_ref);
        let after = graph.map_or(ItemId(0), |graph| ItemId(graph.stamp.last_id));
        let (mut newer, mut vectors) = (Vec::new(), Vec::new());
        store.scan_vectors(kind, after, dimension, &mut |id, vector| {
            newer.push(id.0);
            vectors.extend_from_slice(vector);
            Ok(true)
        })?;
        let removed = match graph {
            Some(_) => store.removed(kind)?,
            None => Vec::new(),
        };
        let fresh = Arc::new(Fresh {
            newer,
            vectors,
            removed: removed.into_iter().collect(),
        });
        *slot = Some(Arc::clone(&fresh));
        Ok(fresh)
    }
}
