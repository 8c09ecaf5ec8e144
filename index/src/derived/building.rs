//! Builds one graph segment and gives its file its name. Only a list in the records makes it used.

use std::ops::{ControlFlow, RangeInclusive};

use crate::atomic::temporary_path;
use crate::disk::layout::Layout;
use crate::disk::manifest::Manifest;
use crate::disk::steps::{Step, Steps};
use crate::error::{IndexError, Within};
use crate::graph::arrays::GraphArrays;
use crate::graph::build::{Builder, GoOn};
use crate::graph::format::Stamp;
use crate::graph::write::GraphFileWriter;
use crate::item::{Generation, ItemId, ItemKind};
use crate::records::RecordsError;
use crate::records::overlay::Overlay;
use crate::records::read::Records;
use crate::records::segments::SegmentEntry;

/// Number of vectors read and passed to the builder at once. Within a portion, rows are grouped.
const PORTION: usize = 32_768;

/// The parts of the writer that its graphs depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) manifest: &'a Manifest,
    pub(crate) generation: Generation,
    pub(crate) steps: Steps,
}

impl Place<'_> {
    pub(super) fn reach(&self, step: Step) -> Result<(), IndexError> {
        let dir = self.layout.dir();
        let reached = self.steps.reach(step);
        reached.map_err(|source| IndexError::writing(dir, dir, source))
    }
}

/// The segment to build: the first `n_items` of a kind within a range.
pub(super) struct Job<'a> {
    pub(super) place: &'a Place<'a>,
    pub(super) kind: ItemKind,
    pub(super) range: RangeInclusive<ItemId>,
    pub(super) n_items: usize,
    pub(super) number: u64,
}

/// Builds a segment. None when `go_on` breaks.
///
/// # Errors
/// When the records cannot be read, or the segment cannot be built or written.
pub(super) fn build(
    job: &Job<'_>,
    overlay: &Overlay,
    go_on: &mut GoOn<'_>,
) -> Result<Option<SegmentEntry>, IndexError> {
    let layout = job.place.layout;
    let dir = layout.dir();
    if go_on(0).is_break() {
        return Ok(None);
    }
    let Some(built) = arrays(job, overlay, go_on)? else {
        return Ok(None);
    };
    let folder = layout.graphs();
    fs_err::create_dir_all(&folder).map_err(|source| IndexError::writing(dir, &folder, source))?;
    let path = layout.segment(job.kind, job.number);
    let written = write(job, overlay, &built, go_on);
    if !matches!(written, Ok(Some(_))) {
        // It may be why the disk is full.
        let _ = fs_err::remove_file(temporary_path(&path));
    }
    let Some(entry) = written? else {
        return Ok(None);
    };
    job.place.reach(Step::GraphNamed)?;
    Ok(Some(entry))
}

/// The arrays of the graph, without the full vectors.
fn arrays(
    job: &Job<'_>,
    overlay: &Overlay,
    go_on: &mut GoOn<'_>,
) -> Result<Option<GraphArrays>, IndexError> {
    let dir = job.place.layout.dir();
    let mut builder = Builder::new(job.place.manifest.binding.dimension, job.n_items);
    let mut portions = Portions::of(job);
    while let Some((ids, vectors)) = portions.next(overlay).within(dir)? {
        let added = builder.add(&ids, vectors, go_on).within(dir)?;
        if added.is_break() {
            return Ok(None);
        }
    }
    builder.finish(go_on).within(dir)
}

/// Writes the file. None when `go_on` breaks.
fn write(
    job: &Job<'_>,
    overlay: &Overlay,
    built: &GraphArrays,
    go_on: &mut GoOn<'_>,
) -> Result<Option<SegmentEntry>, IndexError> {
    let Place {
        layout,
        manifest,
        generation,
        steps,
    } = *job.place;
    let dir = layout.dir();
    let dimension = manifest.binding.dimension;
    let lost = || IndexError::Damaged {
        path: layout.records(),
        what: "the vectors of a graph segment are missing",
    };
    let first_id = built.ids.iter().min().copied().ok_or_else(lost)?;
    let last_id = built.ids.iter().max().copied().ok_or_else(lost)?;
    let stamp = Stamp {
        index_id: manifest.index_id(),
        kind: job.kind as u32,
        generation: generation.0,
        last_id,
    };
    let path = layout.segment(job.kind, job.number);
    let mut file = GraphFileWriter::begin(&path, &stamp, built).within(dir)?;
    let mut portions = Portions::of(job);
    while let Some((ids, vectors)) = portions.next(overlay).within(dir)? {
        if go_on(job.n_items) == ControlFlow::Break(()) {
            return Ok(None);
        }
        for (&id, vector) in ids.iter().zip(vectors.chunks_exact(dimension)) {
            file.push(id, vector).within(dir)?;
        }
    }
    let header_sum = file.switch(|| steps.reach(Step::GraphAside)).within(dir)?;
    Ok(Some(SegmentEntry {
        first_id: ItemId(first_id),
        last_id: ItemId(last_id),
        number: job.number,
        n_ids: u32::try_from(built.ids.len()).unwrap_or(u32::MAX),
        header_sum,
    }))
}

/// The vectors of a segment, read in portions.
struct Portions {
    kind: ItemKind,
    dimension: usize,
    after: ItemId,
    last: ItemId,
    n_left: usize,
}

impl Portions {
    fn of(job: &Job<'_>) -> Self {
        Self {
            kind: job.kind,
            dimension: job.place.manifest.binding.dimension,
            after: ItemId(job.range.start().0.saturating_sub(1)),
            last: *job.range.end(),
            n_left: job.n_items,
        }
    }

    /// The next ids and their vectors, or none after the last.
    #[expect(
        clippy::type_complexity,
        reason = "two lists in step need no name of their own"
    )]
    fn next(&mut self, overlay: &Overlay) -> Result<Option<(Vec<u32>, Vec<f32>)>, RecordsError> {
        let n = PORTION.min(self.n_left);
        if n == 0 {
            return Ok(None);
        }
        let mut ids = Vec::with_capacity(n);
        let mut vectors = Vec::with_capacity(n * self.dimension);
        let last = self.last;
        overlay
            .store
            .scan_vectors(self.kind, self.after, self.dimension, &mut |id, vector| {
                if id <= last {
                    ids.push(id.0);
                    vectors.extend_from_slice(vector);
                }
                Ok(id < last && ids.len() < n)
            })?;
        let Some(&read) = ids.last() else {
            return Ok(None);
        };
        self.after = ItemId(read);
        self.n_left -= ids.len();
        Ok(Some((ids, vectors)))
    }
}
