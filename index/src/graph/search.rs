//! Best-first search of a graph, from the top layer down.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::arrays::Links;
use super::codes::{self, Query};
use super::{NONE, Neighbour};

/// Buffers of a search, reused by the next one.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    visited: Visited,
    candidates: BinaryHeap<Neighbour>,
    found: BinaryHeap<Reverse<Neighbour>>,
    /// Links of one point to points not visited before.
    fresh: Vec<u32>,
}

/// At most `ef` points near `query` (of the graph's dimension) for which `accept` returns true,
/// best first. [`Neighbour::id`] is the number of the point; similarities are those of codes. The
/// search also walks through points that are not accepted.
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

impl Scratch {
    /// Lists the links of a point that were not visited before in `fresh`.
    fn visit(&mut self, links: &Links<'_>, point: u32) {
        visit(links, point, &mut self.visited, &mut self.fresh);
    }
}

fn visit(links: &Links<'_>, point: u32, visited: &mut Visited, fresh: &mut Vec<u32>) {
    fresh.clear();
    let row = links.links_in(point, 0).iter();
    fresh.extend(
        row.take_while(|&&link| link != NONE)
            .filter(|&&link| visited.insert(link)),
    );
    // All rows are on their way before the first of them is needed.
    for &link in fresh.iter() {
        if let Some(row) = links.row(link) {
            codes::prefetch(row);
        }
    }
}

/// Greedy search of one upper layer.
fn descend(links: &Links<'_>, query: &Query, mut nearest: Neighbour, layer: usize) -> Neighbour {
    loop {
        let here = nearest;
        for &link in links
            .links_in(here.id, layer)
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
        visit(links, candidate.id, visited, fresh);
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
            // Its links may be needed soon.
            codes::prefetch(bytemuck::cast_slice(links.links_in(link, 0)));
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

/// How far a search of several graphs goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Number of points that it keeps in all.
    pub(crate) ef: usize,
    /// Number of points that it keeps of each graph at least, since the way to the best ones may
    /// begin with worse ones than another graph has.
    pub(crate) ef_of_each: usize,
    /// Maximum number of comparisons.
    pub(crate) budget: usize,
}

/// Searches several graphs as if they were one: what is found in one of them decides how far the
/// search of another goes. Returns the points of each, best first, or none when it takes more than
/// the budget, or appears to. `accept` gets the number of the graph and the point.
pub(crate) fn walk_together(
    graphs: &[Links<'_>],
    query: &Query,
    effort: Effort,
    scratches: &mut [Scratch],
    accept: impl Fn(usize, u32) -> bool,
) -> Option<Vec<Vec<Neighbour>>> {
    let mut joint = Joint {
        effort,
        found: BinaryHeap::new(),
        best_of: vec![BinaryHeap::new(); graphs.len()],
    };
    for (graph, (links, scratch)) in graphs.iter().zip(scratches.iter_mut()).enumerate() {
        let Some(mut nearest) = similarity(links, query, links.entry) else {
            continue;
        };
        for layer in (1..=links.level(links.entry)).rev() {
            nearest = descend(links, query, nearest, layer);
        }
        scratch.visited.start(links.n_points());
        scratch.visited.insert(nearest.id);
        scratch.candidates.clear();
        scratch.candidates.push(nearest);
        if accept(graph, nearest.id) {
            joint.keep(nearest, graph);
        }
    }
    let mut n_compared = 0;
    loop {
        let best = scratches.iter().map(|scratch| scratch.candidates.peek());
        let best = best.enumerate().max_by_key(|(_, candidate)| *candidate);
        let Some((graph, _)) = best else { break };
        let (Some(links), Some(scratch)) = (graphs.get(graph), scratches.get_mut(graph)) else {
            break;
        };
        let Some(candidate) = scratch.candidates.pop() else {
            break;
        };
        if joint.is_too_far(candidate, graph) {
            scratch.candidates.clear();
            continue;
        }
        if is_hopeless(n_compared, joint.found.len(), effort.ef, effort.budget) {
            return None;
        }
        scratch.visit(links, candidate.id);
        n_compared += scratch.fresh.len();
        for &link in &scratch.fresh {
            if let Some(there) = similarity(links, query, link)
                && !joint.is_too_far(there, graph)
            {
                codes::prefetch(bytemuck::cast_slice(links.links_in(link, 0)));
                scratch.candidates.push(there);
                if accept(graph, link) {
                    joint.keep(there, graph);
                }
            }
        }
    }
    Some(joint.into_lists())
}

/// What a search of several graphs has found. Each point comes with the number of its graph.
struct Joint {
    effort: Effort,
    found: BinaryHeap<Reverse<(Neighbour, usize)>>,
    /// The best points of each graph.
    best_of: Vec<BinaryHeap<Reverse<Neighbour>>>,
}

impl Joint {
    /// Whether a point is below all that are kept, in all and of its graph.
    fn is_too_far(&self, point: Neighbour, graph: usize) -> bool {
        let best = &self.best_of[graph];
        let is_below = |worst: Option<Neighbour>| {
            worst.is_some_and(|worst| point.similarity < worst.similarity)
        };
        self.found.len() >= self.effort.ef
            && best.len() >= self.effort.ef_of_each
            && is_below(self.found.peek().map(|worst| worst.0.0))
            && is_below(best.peek().map(|worst| worst.0))
    }

    fn keep(&mut self, point: Neighbour, graph: usize) {
        self.found.push(Reverse((point, graph)));
        if self.found.len() > self.effort.ef {
            self.found.pop();
        }
        let best = &mut self.best_of[graph];
        best.push(Reverse(point));
        if best.len() > self.effort.ef_of_each {
            best.pop();
        }
    }

    /// The points of each graph, best first.
    fn into_lists(self) -> Vec<Vec<Neighbour>> {
        let mut lists = vec![Vec::new(); self.best_of.len()];
        // The best come first, as the heap is reversed.
        for Reverse((point, graph)) in self.found.into_sorted_vec() {
            lists[graph].push(point);
        }
        for (list, best) in lists.iter_mut().zip(self.best_of) {
            // One of the two contains the other.
            if best.len() > list.len() {
                *list = best
                    .into_sorted_vec()
                    .into_iter()
                    .map(|point| point.0)
                    .collect();
            }
        }
        lists
    }
}

/// Whether a search that has found `n_found` of `ef` points by `n_compared` comparisons will exceed
/// its budget, if it goes on finding as few.
fn is_hopeless(n_compared: usize, n_found: usize, ef: usize, budget: usize) -> bool {
    /// Before, little can be said.
    const N_FOR_A_GUESS: usize = 512;
    n_compared > budget
        || n_found < ef
            && n_compared > N_FOR_A_GUESS.min(budget / 2)
            && n_compared.saturating_mul(ef) > budget.saturating_mul(n_found.max(1))
}

/// The set of visited points, cleared in O(1) by an epoch counter: one mark per point, the epoch
/// that visited it. Marks are reset only when the 16-bit counter overflows.
#[derive(Debug, Default)]
struct Visited {
    marks: Vec<u16>,
    epoch: u16,
}

impl Visited {
    /// Clears the set and makes room for `n_points`.
    fn start(&mut self, n_points: usize) {
        if self.marks.len() != n_points || self.epoch == u16::MAX {
            self.marks.clear();
            self.marks.resize(n_points, 0);
            self.epoch = 0;
        }
        self.epoch += 1;
    }

    /// Adds a point. True when it was not in the set. A point that does not exist counts as
    /// visited.
    fn insert(&mut self, point: u32) -> bool {
        match self.marks.get_mut(point as usize) {
            Some(mark) if *mark != self.epoch => {
                *mark = self.epoch;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_finds_too_little_gives_up() {
        for (n_compared, n_found, budget, expected) in [
            (400, 0, 1_000, false),
            (600, 0, 1_000, true),
            (600, 50, 1_000, true),
            (600, 60, 1_000, false),
            (1_000, 100, 1_000, false),
            (1_001, 100, 1_000, true),
            (11, 0, 20, true),
            (1_000_000, 0, usize::MAX, false),
        ] {
            let found = is_hopeless(n_compared, n_found, 100, budget);
            assert_eq!(found, expected, "{n_compared}, {n_found}, {budget}");
        }
    }

    #[test]
    fn visited_points_are_cleared_even_when_the_counter_overflows() {
        let mut visited = Visited::default();
        let mut n_searches = 0;
        for _ in 0..70_000 {
            visited.start(3);
            assert!(visited.insert(1));
            assert!(!visited.insert(1));
            assert!(visited.insert(2));
            assert!(!visited.insert(3), "there is no point 3");
            n_searches += 1;
        }
        assert_eq!(n_searches, 70_000);
    }
}
