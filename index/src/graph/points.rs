//! Points: rows of codes with their ids, in a graph file or in memory.
//!
//! A point stands for one vector and all ids that have it. Points are numbered by their lowest id,
//! and the ids of a point are ascending. The arrays may come from a damaged file, so no number in
//! them is trusted.

use super::Neighbour;
use super::codes::{self, Query};
use super::exact::{self, Best};

/// Number of rows by which a comparison of scattered rows is ahead with prefetching.
const N_AHEAD: usize = 8;

/// The points of a graph file, or of vectors in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Points<'a> {
    pub(crate) dimension: usize,
    /// `[n, stride(dimension)]`: a row of codes per point.
    pub(crate) rows: &'a [u8],
    /// `[n + 1]`: the ids of point i are `ids[ids_start[i]..ids_start[i + 1]]`.
    pub(crate) ids_start: &'a [u32],
    pub(crate) ids: &'a [u32],
}

/// The ids that are not the lowest of their point, with their points, sorted by id.
pub(crate) type Extras = Vec<(u32, u32)>;

impl<'a> Points<'a> {
    pub(crate) fn n_points(&self) -> usize {
        self.ids_start.len().saturating_sub(1)
    }

    /// The codes of a point.
    pub(crate) fn row(&self, point: u32) -> Option<&'a [u8]> {
        let stride = codes::stride(self.dimension);
        let start = (point as usize).checked_mul(stride)?;
        self.rows.get(start..start.checked_add(stride)?)
    }

    /// The ids of a point, ascending.
    #[inline]
    pub(crate) fn ids_of(&self, point: u32) -> &'a [u32] {
        let at = |i: usize| self.ids_start.get(i).map_or(0, |&start| start as usize);
        let ids = at(point as usize)..at((point as usize).saturating_add(1));
        self.ids.get(ids).unwrap_or(&[])
    }

    fn first_id(&self, point: usize) -> u32 {
        let start = self.ids_start.get(point).copied().unwrap_or(u32::MAX);
        self.ids.get(start as usize).copied().unwrap_or(u32::MAX)
    }

    /// See [`Extras`].
    pub(crate) fn extras(&self) -> Extras {
        if self.ids.len() <= self.n_points() {
            return Vec::new();
        }
        let mut extras = Extras::new();
        for point in (0u32..).take(self.n_points()) {
            let others = self.ids_of(point).iter().skip(1);
            extras.extend(others.map(|&id| (id, point)));
        }
        extras.sort_unstable();
        extras
    }

    /// The points of `ids`, which are ascending. Unknown ids are left out.
    pub(crate) fn points_of(&self, extras: &Extras, ids: impl Iterator<Item = u32>) -> Vec<u32> {
        let n_points = self.n_points();
        let mut points = Vec::new();
        let (mut at, mut rest) = (0, extras.as_slice());
        for id in ids {
            // The next point is usually near.
            let (mut end, mut step) = (at, 1);
            while end < n_points && self.first_id(end) < id {
                at = end + 1;
                end += step;
                step *= 2;
            }
            let mut end = end.min(n_points);
            while at < end {
                let middle = usize::midpoint(at, end);
                if self.first_id(middle) < id {
                    at = middle + 1;
                } else {
                    end = middle;
                }
            }
            if at < n_points && self.first_id(at) == id {
                points.extend(u32::try_from(at));
                continue;
            }
            rest = &rest[rest.partition_point(|extra| extra.0 < id)..];
            if let Some(&(found, point)) = rest.first()
                && found == id
            {
                points.push(point);
            }
        }
        if !extras.is_empty() {
            points.sort_unstable();
            points.dedup();
        }
        points
    }

    /// Offers all points that are wanted to `best`, compared by codes.
    pub(crate) fn scan(
        &self,
        query: &Query,
        is_wanted: impl Fn(u32) -> bool + Sync,
        best: &mut Best,
    ) {
        let stride = codes::stride(self.dimension);
        exact::scan(self.rows.len() / stride, stride, best, |row, best| {
            let Ok(point) = u32::try_from(row) else {
                return;
            };
            if is_wanted(point)
                && let Some(row) = self.row(point)
            {
                offer(query, row, point, best);
            }
        });
    }

    /// Offers the points in a list to `best`, compared by codes.
    pub(crate) fn gather(&self, query: &Query, points: &[u32], best: &mut Best) {
        let stride = codes::stride(self.dimension);
        exact::scan(points.len(), stride, best, |at, best| {
            if let Some(row) = points.get(at + N_AHEAD).and_then(|&next| self.row(next)) {
                codes::prefetch(row);
            }
            if let Some(&point) = points.get(at)
                && let Some(row) = self.row(point)
            {
                offer(query, row, point, best);
            }
        });
    }
}

#[inline]
fn offer(query: &Query, row: &[u8], point: u32, best: &mut Best) {
    let similarity = query.similarity(row);
    if similarity >= best.floor() {
        best.offer(Neighbour {
            similarity,
            id: point,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_found_by_their_ids() {
        // Point 0: 3, 9, 20. Point 1: 5. Point 2: 8, 10. Points 3…: 30, 32, 34…
        let mut ids = vec![3, 9, 20, 5, 8, 10];
        let mut ids_start = vec![0, 3, 4, 6];
        for i in 0..100 {
            ids.push(30 + 2 * i);
            ids_start.push(7 + i);
        }
        let points = Points {
            dimension: 1,
            rows: &[],
            ids_start: &ids_start,
            ids: &ids,
        };
        assert_eq!(points.n_points(), 103);
        let extras = points.extras();
        assert_eq!(extras, [(9, 0), (10, 2), (20, 0)]);
        let point_of = |id: u32| (0..103).find(|&point| points.ids_of(point).contains(&id));
        let mut n_checked = 0;
        for step in [1, 2, 3, 7, 50, 229] {
            for first in 0..step {
                let asked = || (first..260).step_by(step as usize);
                let mut expected: Vec<u32> = asked().filter_map(point_of).collect();
                expected.sort_unstable();
                expected.dedup();
                assert_eq!(points.points_of(&extras, asked()), expected);
                n_checked += expected.len();
            }
        }
        assert!(n_checked > 500, "{n_checked}");
    }
}
