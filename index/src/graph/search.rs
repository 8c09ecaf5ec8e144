//! How is a frozen graph searched? Best first, from the top layer down, over flat arrays.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::codes::{self, Query};
use super::visited::Visited;
use super::{NONE, Neighbour};

/// The arrays of a graph, wherever they lie (built in memory, or mapped from a file). Points are numbered 0…n−1.
///
/// The arrays may come from a file, so no number in them is trusted: what points nowhere is skipped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Links<'a> {
    pub(crate) dimension: usize,
    pub(crate) m: usize,
    pub(crate) m0: usize,
    /// The point where every search starts; it lies in the top layer.
    pub(crate) entry: u32,
    /// `[n, m0]`: links in layer 0, unused slots [`NONE`].
    pub(crate) layer0: &'a [u32],
    /// `[n + 1]`: the rows of `upper` that belong to point i are `upper_start[i]..upper_start[i + 1]`, one per layer from 1 up.
    pub(crate) upper_start: &'a [u32],
    /// `[rows, m]`: links in the upper layers.
    pub(crate) upper: &'a [u32],
    /// `[n, stride(dimension)]`: a row of codes each.
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

    fn links(&self, point: u32, layer: usize) -> &'a [u32] {
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

    /// The links of a point in all layers, [`NONE`] among them.
    pub(crate) fn all(&self, point: u32) -> impl Iterator<Item = u32> {
        let layers = 0..=self.level(point);
        layers.flat_map(move |layer| self.links(point, layer).iter().copied())
    }

    /// The highest layer of a point.
    fn level(&self, point: u32) -> usize {
        let at = |i: usize| self.upper_start.get(i).copied().unwrap_or(0) as usize;
        at(point as usize + 1).saturating_sub(at(point as usize))
    }
}

/// What a search needs and leaves behind for the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    visited: Visited,
    candidates: BinaryHeap<Neighbour>,
    found: BinaryHeap<Reverse<Neighbour>>,
    /// Links of one point that were not seen before.
    fresh: Vec<u32>,
}

/// The points nearest to `query` (of the graph's dimension) that `accept` takes, at most `ef` of them, best first;
/// [`Neighbour::id`] is the number of the point, and similarities are those of codes. Points that are not accepted are
/// walked through all the same.
pub(crate) fn search(
    links: &Links<'_>,
    query: &Query,
    ef: usize,
    scratch: &mut Scratch,
    accept: impl Fn(u32) -> bool,
) -> Vec<Neighbour> {
    let Some(mut nearest) = similarity(links, query, links.entry) else {
        return Vec::new();
    };
    for layer in (1..=links.level(links.entry)).rev() {
        nearest = descend(links, query, nearest, layer);
    }
    widen(links, query, nearest, ef.max(1), scratch, accept)
}

fn similarity(links: &Links<'_>, query: &Query, point: u32) -> Option<Neighbour> {
    let similarity = query.similarity(links.row(point)?);
    Some(Neighbour {
        similarity,
        id: point,
    })
}

/// Walks to ever nearer points of one upper layer.
fn descend(links: &Links<'_>, query: &Query, mut nearest: Neighbour, layer: usize) -> Neighbour {
    loop {
        let here = nearest;
        for &link in links
            .links(here.id, layer)
            .iter()
            .take_while(|&&link| link != NONE)
        {
            if let Some(there) = similarity(links, query, link)
                && there.similarity > nearest.similarity
            {
                nearest = there;
            }
        }
        if nearest.id == here.id {
            return nearest;
        }
    }
}

/// Best-first search of layer 0.
fn widen(
    links: &Links<'_>,
    query: &Query,
    start: Neighbour,
    ef: usize,
    scratch: &mut Scratch,
    accept: impl Fn(u32) -> bool,
) -> Vec<Neighbour> {
    let Scratch {
        visited,
        candidates,
        found,
        fresh,
    } = scratch;
    visited.start(links.n_points());
    candidates.clear();
    found.clear();
    visited.insert(start.id);
    candidates.push(start);
    if accept(start.id) {
        found.push(Reverse(start));
    }
    while let Some(candidate) = candidates.pop() {
        if found.len() >= ef
            && found
                .peek()
                .is_some_and(|worst| candidate.similarity < worst.0.similarity)
        {
            break;
        }
        // All rows of a list are asked for from memory before the first of them is needed.
        fresh.clear();
        let row = links.links(candidate.id, 0).iter();
        fresh.extend(
            row.take_while(|&&link| link != NONE)
                .filter(|&&link| visited.insert(link)),
        );
        for &link in fresh.iter() {
            if let Some(row) = links.row(link) {
                codes::prefetch(row);
            }
        }
        for &link in fresh.iter() {
            let Some(there) = similarity(links, query, link) else {
                continue;
            };
            let full = found.len() >= ef;
            if full
                && found
                    .peek()
                    .is_some_and(|worst| there.similarity <= worst.0.similarity)
            {
                continue;
            }
            // Its links may be wanted soon.
            codes::prefetch(bytemuck::cast_slice(links.links(link, 0)));
            candidates.push(there);
            if accept(link) {
                if full {
                    found.pop();
                }
                found.push(Reverse(there));
            }
        }
    }
    let mut found: Vec<Neighbour> = found.drain().map(|found| found.0).collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found
}
