//! Which graph files are usable, and when to rebuild.

use std::collections::HashSet;

use crate::atomic::temporary_path;
use crate::disk::layout::Layout;
use crate::disk::manifest::Manifest;
use crate::disk::steps::{Step, Steps};
use crate::error::{IndexError, Within};
use crate::graph::build::Builder;
use crate::graph::file::Graph;
use crate::graph::format::Stamp;
use crate::graph::params::{MIN_ITEMS, REBUILD_DIVISOR};
use crate::graph::write::GraphFileWriter;
use crate::item::{Generation, ItemId, ItemKind};
use crate::records::overlay::Overlay;
use crate::records::read::Records;

/// Progress of building a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuildProgress {
    /// The kind of items in the graph.
    pub kind: ItemKind,
    /// Number of items added so far.
    pub n_done: usize,
    /// Number of items in the complete graph.
    pub n_total: usize,
}

/// Number of vectors read and passed to the builder at once.
const PORTION: usize = 32_768;

/// Facts about the graph in a file.
#[derive(Debug, Clone, Copy)]
struct OnDisk {
    n_ids: usize,
    n_loose: usize,
    last_id: ItemId,
}

/// The graph files of both kinds, as the writer sees them.
#[derive(Debug)]
pub(crate) struct GraphFiles {
    min_items: usize,
    graphs: [Option<OnDisk>; 2],
}

/// When a graph is rebuilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// When new, removed and loose items exceed a quarter of the old graph and a minimum number.
    WhenWorthwhile,
    /// When there is any new, removed or loose item.
    WhenOutdated,
}

/// Whether a graph can be used with records of `generation` whose tombstones were dropped up to
/// `purged`.
pub(crate) fn is_usable(
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
pub(crate) enum Usable {
    /// It can be used.
    Yes,
    /// It contains items that are not in the records.
    Ahead,
    /// Items in it were removed, and their tombstones are dropped.
    Behind,
    /// It cannot be used, with the reason.
    No(&'static str),
}

impl GraphFiles {
    /// Checks the graph files and deletes those that cannot be used, so that they cannot seem
    /// usable later.
    ///
    /// # Errors
    /// When the records cannot be read or written, or a file cannot be deleted.
    pub(crate) fn open(
        layout: &Layout,
        manifest: &Manifest,
        overlay: &mut Overlay,
        generation: Generation,
        min_items: usize,
    ) -> Result<Self, IndexError> {
        let dir = layout.dir();
        let mut files = Self {
            min_items,
            graphs: [None, None],
        };
        for kind in ItemKind::ALL {
            // The leftover of an interrupted build.
            layout.discard_file(&temporary_path(&layout.graph(kind)))?;
            let purged = overlay.store.purged().within(dir)?[kind.number()];
            let graph = Graph::open(&layout.graph(kind)).ok().flatten();
            let graph = graph.filter(|graph| graph.verify().is_ok());
            let graph = graph.filter(|graph| {
                is_usable(graph, manifest, kind, generation, purged) == Usable::Yes
            });
            let Some(graph) = graph else {
                layout.discard_file(&layout.graph(kind))?;
                if purged < generation || !overlay.store.removed(kind).within(dir)?.is_empty() {
                    overlay.purge(kind, generation, |_| false).within(dir)?;
                }
                continue;
            };
            if graph.stamp.generation > purged.0 {
                // The writer that switched to this graph was interrupted before it dropped the
                // tombstones.
                let held: HashSet<u32> = graph.rows().map(|(id, _)| id).collect();
                let built = Generation(graph.stamp.generation);
                overlay
                    .purge(kind, built, |id| held.contains(&id.0))
                    .within(dir)?;
            }
            files.graphs[kind.number()] = Some(on_disk(&graph));
        }
        overlay.frozen = files.frozen();
        Ok(files)
    }

    /// The highest id in each graph.
    fn frozen(&self) -> [ItemId; 2] {
        self.graphs
            .map(|graph| graph.map_or(ItemId(0), |graph| graph.last_id))
    }

    /// Builds each graph that is due.
    ///
    /// # Errors
    /// When the records cannot be read or written, or a graph cannot be built or written.
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of the writer that building needs"
    )]
    pub(crate) fn build_due(
        &mut self,
        layout: &Layout,
        manifest: &Manifest,
        overlay: &mut Overlay,
        generation: Generation,
        due: Due,
        steps: Steps,
        progress: &mut dyn FnMut(BuildProgress),
    ) -> Result<(), IndexError> {
        let dir = layout.dir();
        for kind in ItemKind::ALL {
            let counts = overlay.stored_counts().within(dir)?;
            let n_items = match kind {
                ItemKind::Image => counts.n_images,
                ItemKind::Caption => counts.n_captions,
            };
            let n_items = usize::try_from(n_items).unwrap_or(usize::MAX);
            let n_removed = overlay.store.removed(kind).within(dir)?.len();
            let graph = &mut self.graphs[kind.number()];
            if n_items < self.min_items.max(1) {
                if graph.take().is_some() {
                    layout.discard_file(&layout.graph(kind))?;
                    overlay.purge(kind, generation, |_| false).within(dir)?;
                }
            } else if is_due(*graph, n_items, n_removed, self.min_items, due) {
                let job = Job {
                    layout,
                    manifest,
                    generation,
                    kind,
                    n_items,
                };
                *graph = Some(build(&job, overlay, steps, progress)?);
            }
        }
        overlay.frozen = self.frozen();
        Ok(())
    }
}

fn on_disk(graph: &Graph) -> OnDisk {
    OnDisk {
        n_ids: graph.n_ids(),
        n_loose: graph.n_loose(),
        last_id: ItemId(graph.stamp.last_id),
    }
}

fn is_due(
    graph: Option<OnDisk>,
    n_items: usize,
    n_removed: usize,
    min_items: usize,
    due: Due,
) -> bool {
    let Some(graph) = graph else { return true };
    let n_fresh = n_items.saturating_sub(graph.n_ids.saturating_sub(n_removed));
    let allowed = match due {
        Due::WhenWorthwhile => (graph.n_ids / REBUILD_DIVISOR).max(min_items.min(MIN_ITEMS)),
        Due::WhenOutdated => 0,
    };
    n_fresh + n_removed + graph.n_loose > allowed
}

/// The graph to build.
struct Job<'a> {
    layout: &'a Layout,
    manifest: &'a Manifest,
    generation: Generation,
    kind: ItemKind,
    n_items: usize,
}

fn build(
    job: &Job<'_>,
    overlay: &mut Overlay,
    steps: Steps,
    progress: &mut dyn FnMut(BuildProgress),
) -> Result<OnDisk, IndexError> {
    let Job {
        layout,
        manifest,
        generation,
        kind,
        n_items,
    } = *job;
    let dir = layout.dir();
    let dimension = manifest.binding.dimension;
    let mut builder = Builder::new(dimension, n_items);
    let mut last_id = ItemId(0);
    loop {
        let (ids, vectors) = portion(overlay, kind, last_id, dimension).within(dir)?;
        let Some(&last) = ids.last() else { break };
        last_id = ItemId(last);
        builder.add(&ids, &vectors).within(dir)?;
        progress(BuildProgress {
            kind,
            n_done: builder.n_ids(),
            n_total: n_items.max(builder.n_ids()),
        });
    }
    let built = builder.finish().within(dir)?;
    let stamp = Stamp {
        index_id: manifest.index_id(),
        kind: kind as u32,
        generation: generation.0,
        last_id: last_id.0,
    };
    let folder = layout.graphs();
    fs_err::create_dir_all(&folder).map_err(|source| IndexError::writing(dir, &folder, source))?;
    let mut file = GraphFileWriter::begin(&layout.graph(kind), &stamp, &built).within(dir)?;
    let mut written = ItemId(0);
    loop {
        let (ids, vectors) = portion(overlay, kind, written, dimension).within(dir)?;
        let Some(&last) = ids.last() else { break };
        written = ItemId(last);
        for (&id, vector) in ids.iter().zip(vectors.chunks_exact(dimension)) {
            file.push(id, vector).within(dir)?;
        }
    }
    file.switch(|| steps.reach(Step::GraphAside)).within(dir)?;
    let stopped = |source| IndexError::writing(dir, dir, source);
    steps.reach(Step::GraphSwitched).map_err(stopped)?;
    overlay.purge(kind, generation, |_| false).within(dir)?;
    steps.reach(Step::GraphPurged).map_err(stopped)?;
    Ok(OnDisk {
        n_ids: built.ids.len(),
        n_loose: built.loose.len(),
        last_id,
    })
}

/// The next vectors of a kind after an id, and their ids.
fn portion(
    overlay: &Overlay,
    kind: ItemKind,
    after: ItemId,
    dimension: usize,
) -> Result<(Vec<u32>, Vec<f32>), crate::records::RecordsError> {
    let mut ids = Vec::with_capacity(PORTION);
    let mut vectors = Vec::with_capacity(PORTION * dimension);
    overlay
        .store
        .scan_vectors(kind, after, dimension, &mut |id, vector| {
            ids.push(id.0);
            vectors.extend_from_slice(vector);
            Ok(ids.len() < PORTION)
        })?;
    Ok((ids, vectors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_is_due_when_a_quarter_is_new_or_removed() {
        let graph = |n_ids, n_loose| {
            Some(OnDisk {
                n_ids,
                n_loose,
                last_id: ItemId(1),
            })
        };
        let is_due = |graph, n_items, n_removed, min_items| {
            is_due(graph, n_items, n_removed, min_items, Due::WhenWorthwhile)
        };
        assert!(is_due(None, 5_000, 0, MIN_ITEMS));
        assert!(!is_due(graph(100_000, 0), 100_000, 0, MIN_ITEMS));
        assert!(!is_due(graph(100_000, 0), 125_000, 0, MIN_ITEMS));
        assert!(is_due(graph(100_000, 0), 125_001, 0, MIN_ITEMS));
        assert!(is_due(graph(100_000, 0), 75_000, 25_001, MIN_ITEMS));
        assert!(is_due(graph(100_000, 25_001), 100_000, 0, MIN_ITEMS));
        assert!(
            !is_due(graph(9_000, 0), 15_000, 0, MIN_ITEMS),
            "a few thousand are scanned"
        );
        assert!(is_due(graph(9_000, 0), 18_000, 0, MIN_ITEMS));
        let is_outdated = |graph, n_items, n_removed| {
            super::is_due(graph, n_items, n_removed, MIN_ITEMS, Due::WhenOutdated)
        };
        assert!(!is_outdated(graph(9_000, 0), 9_000, 0));
        assert!(is_outdated(graph(9_000, 0), 9_001, 0));
        assert!(is_outdated(graph(9_000, 0), 8_999, 1));
        assert!(is_outdated(graph(9_000, 1), 9_000, 0));
    }
}
