//! The flat arrays of a graph: owned while it is built, borrowed while it is searched.

use super::codes;
use super::params::GraphParams;

/// The borrowed arrays of a graph, in memory or mapped from a file. Points are numbered 0…n−1.
///
/// The arrays may come from a damaged file, so no number in them is trusted: links to missing
/// points are skipped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Links<'a> {
    pub(crate) dimension: usize,
    pub(crate) m: usize,
    pub(crate) m0: usize,
    /// The point where every search starts, in the top layer.
    pub(crate) entry: u32,
    /// `[n, m0]`: links in layer 0; unused slots are [`NONE`](super::NONE).
    pub(crate) layer0: &'a [u32],
    /// `[n + 1]`: point i has the rows `upper_start[i]..upper_start[i + 1]` of `upper`, one per
    /// layer from 1.
    pub(crate) upper_start: &'a [u32],
    /// `[rows, m]`: links in the upper layers.
    pub(crate) upper: &'a [u32],
    /// `[n, stride(dimension)]`: a row of codes per point.
    pub(crate) rows: &'a [u8],
}

impl<'a> Links<'a> {
    pub(crate) fn n_points(&self) -> usize {
        self.upper_start.len().saturating_sub(1)
    }

    /// The codes of a point.
    pub(crate) fn row(&self, point: u32) -> Option<&'a [u8]> {
        let stride = codes::stride(self.dimension);
        let start = (point as usize).checked_mul(stride)?;
        self.rows.get(start..start.checked_add(stride)?)
    }

    pub(super) fn links_in(&self, point: u32, layer: usize) -> &'a [u32] {
        let row = if layer == 0 {
            let start = point as usize * self.m0;
            self.layer0.get(start..start + self.m0)
        } else {
            self.upper_row(point, layer)
                .and_then(|row| self.upper.get(row * self.m..(row + 1) * self.m))
        };
        row.unwrap_or(&[])
    }

    fn upper_row(&self, point: u32, layer: usize) -> Option<usize> {
        let start = *self.upper_start.get(point as usize)? as usize;
        let end = *self.upper_start.get(point as usize + 1)? as usize;
        let row = start + layer - 1;
        (row < end).then_some(row)
    }

    /// The links of a point in all layers, unused slots included.
    pub(crate) fn all(&self, point: u32) -> impl Iterator<Item = u32> {
        let layers = 0..=self.level(point);
        layers.flat_map(move |layer| self.links_in(point, layer).iter().copied())
    }

    /// The highest layer of a point.
    pub(super) fn level(&self, point: u32) -> usize {
        let at = |i: usize| self.upper_start.get(i).copied().unwrap_or(0) as usize;
        at(point as usize + 1).saturating_sub(at(point as usize))
    }
}

/// The owned arrays of a graph while it is built. See [`Links`] for those without documentation.
#[derive(Debug)]
pub(crate) struct GraphArrays {
    pub(crate) params: GraphParams,
    pub(crate) dimension: usize,
    pub(crate) entry: u32,
    pub(crate) layer0: Vec<u32>,
    pub(crate) upper_start: Vec<u32>,
    pub(crate) upper: Vec<u32>,
    pub(crate) rows: Vec<u8>,
    /// `[n + 1]`: the ids of point i are `ids[ids_start[i]..ids_start[i + 1]]`.
    pub(crate) ids_start: Vec<u32>,
    pub(crate) ids: Vec<u32>,
    /// Loose points: no search reaches them, so every search compares them.
    pub(crate) loose: Vec<u32>,
}

impl GraphArrays {
    pub(crate) fn links(&self) -> Links<'_> {
        Links {
            dimension: self.dimension,
            m: self.params.m,
            m0: self.params.m0,
            entry: self.entry,
            layer0: &self.layer0,
            upper_start: &self.upper_start,
            upper: &self.upper,
            rows: &self.rows,
        }
    }

    pub(crate) fn n_points(&self) -> usize {
        self.upper_start.len() - 1
    }

    /// The lowest id of each point, by point and thus also by id.
    pub(crate) fn first_ids(&self) -> impl Iterator<Item = u32> {
        let starts = self.ids_start.iter().take(self.n_points());
        starts.filter_map(|&start| self.ids.get(start as usize).copied())
    }
}
