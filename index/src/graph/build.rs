//! Builds a graph in parallel with `hnsw_rs` and copies it into flat arrays.
//!
//! The pitfalls of that library are avoided here. It gets only finite vectors of one dimension.
//! Equal vectors become one point, since hundreds of equal points would link only to each other.
//! The first points are inserted sequentially, since concurrent insertions into an empty graph miss
//! each other. Its distance is our own, never negative or NaN. Functions that print or exit the
//! process are not called. A panic becomes an error.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use hnsw_rs::anndists::dist::Distance;
use hnsw_rs::hnsw::Hnsw;

use rayon::prelude::*;

use super::arrays::GraphArrays;
use super::codes::{CodeDot, Query};
use super::params::{GraphParams, N_SEQUENTIAL};
use super::{GraphError, NONE, codes, mend};

/// Number of rows by which the rows of a portion are grouped.
const N_PIVOTS: usize = 1_024;

/// Number of rows inserted between two calls of [`GoOn`], a fraction of a second.
const N_BETWEEN: usize = 1_024;

/// Called with a number of ids that are done. Breaks when the work is to stop.
pub(crate) type GoOn<'a> = dyn FnMut(usize) -> ControlFlow<()> + 'a;

/// The number of layers `hnsw_rs` can hold.
const N_LAYERS: usize = 16;

/// The distance 2 − cosine of rows of codes. By rounding, a cosine of codes may exceed 1, and the
/// library asserts that no distance is negative; clamping would make all members of a tight cluster
/// equally near. Building is bound by memory bandwidth, and codes are a quarter of the size of full
/// vectors.
#[derive(Debug, Clone, Copy)]
struct CodeDistance {
    dot: CodeDot,
}

impl Distance<u8> for CodeDistance {
    fn eval(&self, a: &[u8], b: &[u8]) -> f32 {
        (2.0 - codes::similarity(self.dot, a, b)).max(0.0)
    }
}

/// Builds a graph of vectors with ids, added in any number of portions.
pub(crate) struct Builder {
    params: GraphParams,
    dimension: usize,
    hnsw: Hnsw<'static, u8, CodeDistance>,
    /// The point of a vector, by the vector's hash.
    points: HashMap<[u8; 16], u32>,
    /// (point, id), in the order added.
    members: Vec<(u32, u32)>,
}

impl Builder {
    /// `n_expected` only avoids reallocation.
    pub(crate) fn new(dimension: usize, n_expected: usize) -> Self {
        let params = GraphParams::default();
        // The library exits the process for more than 256 links; ours are far fewer.
        let hnsw = Hnsw::new(
            params.m.min(128),
            n_expected,
            N_LAYERS,
            params.ef_construction,
            CodeDistance {
                dot: codes::dot_function(),
            },
        );
        Self {
            params,
            dimension,
            hnsw,
            points: HashMap::new(),
            members: Vec::with_capacity(n_expected),
        }
    }

    /// Adds `vectors`, shape `[ids.len(), dimension]`. Rows that are not finite are skipped with
    /// their ids. `go_on` is called with the number of ids added so far, often enough for a user
    /// who waits; when it breaks, the builder is of no more use.
    ///
    /// # Errors
    /// When the library panics, or there are more points than 32 bits can count.
    pub(crate) fn add(
        &mut self,
        ids: &[u32],
        vectors: Vec<f32>,
        go_on: &mut GoOn<'_>,
    ) -> Result<ControlFlow<()>, GraphError> {
        let stride = codes::stride(self.dimension);
        let mut rows = Vec::with_capacity(ids.len() * stride);
        let mut new_points = Vec::with_capacity(ids.len());
        let n_before = self.members.len();
        for (&id, vector) in ids.iter().zip(vectors.chunks_exact(self.dimension)) {
            if !vector.iter().all(|value| value.is_finite()) {
                continue;
            }
            let next = u32::try_from(self.points.len())
                .ok()
                .filter(|&next| next < NONE)
                .ok_or(GraphError::TooLarge {
                    n_points: self.points.len(),
                })?;
            let point = *self.points.entry(hash(vector)).or_insert(next);
            if point == next {
                codes::encode(vector, &mut rows);
                new_points.push(point as usize);
            }
            self.members.push((point, id));
        }
        // Before the memory of the new points is needed.
        drop(vectors);
        let n_inserted = self.hnsw.get_nb_point();
        let n_sequential = N_SEQUENTIAL
            .saturating_sub(n_inserted)
            .min(new_points.len());
        let mut sequential: Vec<_> = rows.chunks_exact(stride).zip(new_points).collect();
        let in_parallel = grouped(sequential.split_off(n_sequential));
        guarded(|| {
            for (row, point) in sequential {
                self.hnsw.insert_slice((row, point));
            }
        })?;
        for (n, rows) in in_parallel.chunks(N_BETWEEN).enumerate() {
            if go_on(n_before + n * N_BETWEEN).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            guarded(|| {
                rows.par_iter().for_each(|&row| self.hnsw.insert_slice(row));
            })?;
        }
        Ok(go_on(self.members.len()))
    }

    /// Copies the graph into flat arrays and mends it. None when `go_on` breaks.
    ///
    /// # Errors
    /// When the library panics or its graph lacks a point.
    pub(crate) fn finish(self, go_on: &mut GoOn<'_>) -> Result<Option<GraphArrays>, GraphError> {
        let Self {
            params,
            dimension,
            hnsw,
            points,
            mut members,
        } = self;
        let n_points = points.len();
        let n_ids = members.len();
        drop(points);
        members.sort_unstable();
        let mut built = guarded(|| freeze(&hnsw, params, dimension, n_points))??;
        drop(hnsw);
        built.ids_start = starts(members.iter().map(|member| member.0), n_points);
        built.ids = members.iter().map(|member| member.1).collect();
        let flow = mend::mend(&mut built, &mut || go_on(n_ids));
        Ok(flow.is_continue().then_some(built))
    }
}

/// Groups rows by their nearest pivot. Inserting a row visits its neighbourhood, which is then in
/// the processor's caches for the next row; these visits dominate the time of a build.
fn grouped(rows: Vec<(&[u8], usize)>) -> Vec<(&[u8], usize)> {
    // The first rows are as good as any.
    let pivots: Vec<&[u8]> = rows.iter().take(N_PIVOTS).map(|row| row.0).collect();
    let nearest = |row: &[u8]| {
        let query = Query::of_row(row);
        let similarities = pivots.iter().map(|pivot| query.similarity(pivot));
        let best = similarities.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(0, |(pivot, _)| pivot)
    };
    let mut placed: Vec<_> = rows
        .into_par_iter()
        .map(|row| (nearest(row.0), row))
        .collect();
    placed.sort_by_key(|&(pivot, _)| pivot);
    placed.into_iter().map(|(_, row)| row).collect()
}

fn hash(vector: &[f32]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(bytemuck::cast_slice(vector));
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    short
}

/// Runs code of the library and turns a panic into an error.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, GraphError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let what = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
            .unwrap_or_else(|| "a panic without a message".to_owned());
        GraphError::Build { what }
    })
}

/// `[n + 1]`: start offsets of the runs of equal values in the sorted `owners`.
fn starts(owners: impl Iterator<Item = u32>, n: usize) -> Vec<u32> {
    let mut starts = vec![0u32; n + 1];
    for owner in owners {
        if let Some(count) = starts.get_mut(owner as usize + 1) {
            *count += 1;
        }
    }
    for i in 1..starts.len() {
        starts[i] += starts[i - 1];
    }
    starts
}

fn freeze(
    hnsw: &Hnsw<'static, u8, CodeDistance>,
    params: GraphParams,
    dimension: usize,
    n_points: usize,
) -> Result<GraphArrays, GraphError> {
    let missing = |what: &str| GraphError::Build {
        what: what.to_owned(),
    };
    let mut points = vec![None; n_points];
    let mut entry = NONE;
    for level in 0..N_LAYERS {
        let mut first = NONE;
        for point in hnsw.get_point_indexation().get_layer_iterator(level) {
            let number = point.get_origin_id();
            if first == NONE {
                first = u32::try_from(number).unwrap_or(NONE);
            }
            if let Some(slot) = points.get_mut(number) {
                *slot = Some((level, point));
            }
        }
        if first != NONE {
            entry = first;
        }
    }
    let points: Vec<_> = points
        .into_iter()
        .collect::<Option<_>>()
        .ok_or_else(|| missing("a point is missing"))?;
    let level_of = |number: usize| points.get(number).map_or(0, |point| point.0);
    let mut built = GraphArrays {
        params,
        dimension,
        entry,
        layer0: Vec::with_capacity(n_points * params.m0),
        upper_start: Vec::with_capacity(n_points + 1),
        upper: Vec::new(),
        rows: Vec::with_capacity(n_points * codes::stride(dimension)),
        ids_start: Vec::new(),
        ids: Vec::new(),
        loose: Vec::new(),
    };
    let mut n_rows = 0u32;
    built.upper_start.push(0);
    for (number, (level, point)) in points.iter().enumerate() {
        let row = point.get_v();
        if row.len() != codes::stride(dimension) {
            return Err(missing("a point has another dimension"));
        }
        built.rows.extend_from_slice(row);
        let layers = point.get_neighborhood_id();
        for layer in 0..=*level {
            let width = if layer == 0 { params.m0 } else { params.m };
            // Above a point's level, the library keeps entries that are not links, and it may list
            // points that exist only in lower layers.
            let links = layers
                .get(layer)
                .map_or(&[][..], Vec::as_slice)
                .iter()
                .map(|link| link.d_id);
            let links =
                links.filter(|&link| link != number && link < n_points && level_of(link) >= layer);
            let links = links
                .take(width)
                .filter_map(|link| u32::try_from(link).ok());
            let row = if layer == 0 {
                &mut built.layer0
            } else {
                &mut built.upper
            };
            let end = row.len() + width;
            row.extend(links);
            row.resize(end, NONE);
        }
        n_rows += u32::try_from(*level).unwrap_or(0);
        built.upper_start.push(n_rows);
    }
    Ok(built)
}
