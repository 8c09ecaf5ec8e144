//! Opens the graph segments that the records list.

use std::sync::Arc;

use crate::disk::layout::Layout;
use crate::disk::manifest::Manifest;
use crate::error::{IndexError, Within};
use crate::graph::GraphError;
use crate::graph::file::Graph;
use crate::graph::header::Header;
use crate::item::{Generation, ItemId, ItemKind};
use crate::records::read::Records;
use crate::records::segments::SegmentEntry;

/// A graph segment with its place in the list.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) entry: SegmentEntry,
    pub(crate) graph: Graph,
}

/// What [`open`] found of a listed segment.
#[derive(Debug)]
pub(crate) enum Opened {
    Usable(Arc<Segment>),
    /// Its file is missing, damaged, of another format, or not the listed one. Its items count as
    /// fresh, and the next writer builds it again.
    Unusable {
        reason: String,
        /// Whether a writer may have switched segments after the list was read.
        may_have_moved: bool,
    },
}

/// Opens a listed segment. Reads and checks its header only.
///
/// # Errors
/// When the file cannot be read for another reason than damage.
pub(crate) fn open(
    layout: &Layout,
    manifest: &Manifest,
    kind: ItemKind,
    entry: SegmentEntry,
) -> Result<Opened, GraphError> {
    let unusable = |reason: String, may_have_moved| {
        Ok(Opened::Unusable {
            reason,
            may_have_moved,
        })
    };
    let graph = match Graph::open(&layout.segment(kind, entry.number)) {
        Ok(Some(graph)) => graph,
        Ok(None) => return unusable("its file is missing".to_owned(), true),
        Err(error @ GraphError::Io { .. }) => return Err(error),
        Err(error) => return unusable(error.to_string(), false),
    };
    if is_listed(&graph.header, manifest, kind, &entry) {
        Ok(Opened::Usable(Arc::new(Segment { entry, graph })))
    } else {
        unusable("its file is not the listed one".to_owned(), false)
    }
}

/// Whether the file of a listed segment is there and undamaged. Verifies the header and as many
/// arrays as `n_bytes` allows, or everything if `verify`.
///
/// # Errors
/// When the file cannot be read for another reason than damage.
pub(crate) fn is_intact(
    layout: &Layout,
    manifest: &Manifest,
    kind: ItemKind,
    entry: &SegmentEntry,
    verify: bool,
    n_bytes: &mut usize,
) -> Result<bool, GraphError> {
    let mut is_intact = || {
        let Some(graph) = Graph::open(&layout.segment(kind, entry.number))? else {
            return Ok(false);
        };
        if verify {
            graph.verify()?;
        }
        let mut is_sound = || graph.are_ids_sound(n_bytes) && graph.is_sound(n_bytes);
        Ok(is_listed(&graph.header, manifest, kind, entry) && (verify || is_sound()))
    };
    match is_intact() {
        Err(GraphError::Damaged { .. } | GraphError::OtherFormat { .. }) => Ok(false),
        is_intact => is_intact,
    }
}

fn is_listed(header: &Header, manifest: &Manifest, kind: ItemKind, entry: &SegmentEntry) -> bool {
    let stamp = &header.stamp;
    header.sum == entry.header_sum
        && stamp.index_id == manifest.index_id()
        && stamp.kind as usize == kind.number()
        && stamp.last_id == entry.last_id.0
        && header.n_ids() == entry.n_ids as usize
        && header.dimension() == manifest.binding.dimension
}

/// The list of segments of a kind: the one in the records, or for an index of an older format its
/// one graph, if that is usable.
///
/// # Errors
/// When the records or the header of that graph cannot be read for another reason than damage.
pub(crate) fn listed(
    layout: &Layout,
    manifest: &Manifest,
    records: &impl Records,
    kind: ItemKind,
    generation: Generation,
) -> Result<Vec<SegmentEntry>, IndexError> {
    let dir = layout.dir();
    if records.is_segmented().within(dir)? {
        return records.segments(kind).within(dir);
    }
    let purged = records.purged().within(dir)?[kind.number()];
    let graph = match Graph::open(&layout.graph(kind)) {
        Ok(graph) => graph,
        Err(error @ GraphError::Io { .. }) => return Err(error).within(dir),
        Err(_) => None,
    };
    let usable =
        graph.filter(|graph| is_usable(graph, manifest, kind, generation, purged) == Usable::Yes);
    Ok(usable
        .map(|graph| entry_of(&graph, ItemId(1), 0))
        .into_iter()
        .collect())
}

/// Whether the graph of an index of format 2 can be used with records of `generation` whose
/// tombstones were dropped up to `purged`.
fn is_usable(
    graph: &Graph,
    manifest: &Manifest,
    kind: ItemKind,
    generation: Generation,
    purged: Generation,
) -> Usable {
    let stamp = &graph.stamp;
    if stamp.index_id != manifest.index_id()
        || stamp.kind as usize != kind.number()
        || graph.dimension() != manifest.binding.dimension
    {
        Usable::No("it belongs to another index")
    } else if stamp.generation > generation.0 {
        Usable::Ahead
    } else if stamp.generation < purged.0 {
        Usable::Behind
    } else {
        Usable::Yes
    }
}

/// The answer of [`is_usable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usable {
    /// It can be used.
    Yes,
    /// It contains items that are not in the records.
    Ahead,
    /// Items in it were removed, and their tombstones are dropped.
    Behind,
    /// It cannot be used, with the reason.
    No(&'static str),
}

/// The entry of a graph file that is to be listed under `number` for the ids from `first_id`.
pub(crate) fn entry_of(graph: &Graph, first_id: ItemId, number: u64) -> SegmentEntry {
    SegmentEntry {
        first_id,
        last_id: ItemId(graph.stamp.last_id),
        number,
        n_ids: u32::try_from(graph.n_ids()).unwrap_or(u32::MAX),
        header_sum: graph.header_sum(),
    }
}
