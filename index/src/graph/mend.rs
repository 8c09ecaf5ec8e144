//! Mends a graph so that every point is found by its own vector, or is listed as loose and compared
//! with every query.
//!
//! `hnsw_rs` drops the farthest link of a full list, and its threads race while inserting. Both
//! leave some points that no search reaches. Each of them gets links from the points that a search
//! for it finds.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::NONE;
use super::arrays::GraphArrays;
use super::codes::Query;
use super::params::EF_SELF;
use super::search::{self, Scratch};

/// Number of attempts to link points that are not found before they become loose.
const N_ROUNDS: usize = 3;

/// Number of points that get a link to a point that is not found.
const N_ENTRANCES: usize = 4;

/// A link may be replaced only if its target has more than this many incoming links.
const MIN_INCOMING: u32 = 3;

/// Number of points searched for between two calls of `go_on`, a fraction of a second.
const N_BETWEEN: usize = 8_192;

/// Links points that are not found; those still not found afterwards become [`GraphArrays::loose`].
/// `go_on` is called often; when it breaks, the work is not complete.
///
/// All points are searched for once, and if any was linked, once more at the end. In between, only
/// those are that were not found or lost a link to them.
pub(crate) fn mend(
    built: &mut GraphArrays,
    go_on: &mut dyn FnMut() -> ControlFlow<()>,
) -> ControlFlow<()> {
    let all: Vec<u32> = (0..NONE).take(built.n_points()).collect();
    let mut lost = find_lost(built, &all, go_on)?;
    if lost.is_empty() {
        return ControlFlow::Continue(());
    }
    let mut incoming = count_incoming(built);
    for _ in 0..N_ROUNDS {
        let mut in_doubt: Vec<u32> = Vec::new();
        for (point, near) in lost {
            in_doubt.push(point);
            let entrances = near.into_iter().filter(|&other| other != point);
            for other in entrances.take(N_ENTRANCES) {
                in_doubt.extend(link(built, &mut incoming, other, point));
                in_doubt.extend(link(built, &mut incoming, point, other));
            }
        }
        in_doubt.sort_unstable();
        in_doubt.dedup();
        lost = find_lost(built, &in_doubt, go_on)?;
        if lost.is_empty() {
            break;
        }
    }
    let lost = find_lost(built, &all, go_on)?;
    built.loose = lost.into_iter().map(|(point, _)| point).collect();
    ControlFlow::Continue(())
}

fn count_incoming(built: &GraphArrays) -> Vec<u32> {
    let mut incoming = vec![0u32; built.n_points()];
    for &link in &built.layer0 {
        if let Some(count) = incoming.get_mut(link as usize) {
            *count += 1;
        }
    }
    incoming
}

/// Those of `points`, which are sorted, that their own vectors do not find, each with the points
/// found instead, best first; sorted by point.
fn find_lost(
    built: &GraphArrays,
    points: &[u32],
    go_on: &mut dyn FnMut() -> ControlFlow<()>,
) -> ControlFlow<(), Vec<(u32, Vec<u32>)>> {
    let links = built.links();
    let is_lost = |scratch: &mut Scratch, &point: &u32| {
        let query = Query::of_row(links.row(point)?);
        let near = search::search(&links, &query, EF_SELF, scratch, |_| true);
        if near.iter().any(|found| found.id == point) {
            return None;
        }
        Some((point, near.into_iter().map(|found| found.id).collect()))
    };
    let mut lost = Vec::new();
    for part in points.chunks(N_BETWEEN) {
        go_on()?;
        let found = part.par_iter().map_init(Scratch::default, is_lost);
        lost.par_extend(found.flatten());
    }
    ControlFlow::Continue(lost)
}

/// Links `from` to `to` in layer 0, in a free slot or instead of the last link that can be
/// replaced, whose target is returned.
fn link(built: &mut GraphArrays, incoming: &mut [u32], from: u32, to: u32) -> Option<u32> {
    let m0 = built.params.m0;
    let start = from as usize * m0;
    let row = built.layer0.get_mut(start..start + m0)?;
    if row.contains(&to) {
        return None;
    }
    let spare = |target: u32| {
        incoming
            .get(target as usize)
            .is_none_or(|&count| count > MIN_INCOMING)
    };
    let slot = row
        .iter()
        .position(|&link| link == NONE)
        .or_else(|| row.iter().rposition(|&link| spare(link)))?;
    let replaced = std::mem::replace(&mut row[slot], to);
    if let Some(count) = incoming.get_mut(replaced as usize) {
        *count -= 1;
    }
    if let Some(count) = incoming.get_mut(to as usize) {
        *count += 1;
    }
    (replaced != NONE).then_some(replaced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::codes;
    use crate::graph::params::GraphParams;

    /// Points on a semicircle, linked in a chain without the last `n_cut` of them.
    fn chain(n: u16, n_cut: u16) -> GraphArrays {
        let params = GraphParams {
            m: 2,
            m0: 4,
            ef_construction: 8,
        };
        let mut layer0 = vec![NONE; usize::from(n) * 4];
        for i in 0..n - n_cut - 1 {
            layer0[usize::from(i) * 4 + 1] = u32::from(i) + 1;
            layer0[usize::from(i) * 4 + 4] = u32::from(i);
        }
        for row in layer0.chunks_exact_mut(4) {
            row.sort_unstable();
        }
        let angle = |i: u16| f32::from(i) * std::f32::consts::PI / f32::from(n);
        let mut rows = vec![];
        (0..n).for_each(|i| codes::encode(&[angle(i).cos(), angle(i).sin()], &mut rows));
        GraphArrays {
            params,
            dimension: 2,
            entry: 0,
            layer0,
            upper_start: vec![0; usize::from(n) + 1],
            upper: vec![],
            rows,
            ids_start: (0..=u32::from(n)).collect(),
            ids: (0..u32::from(n)).collect(),
            loose: vec![],
        }
    }

    fn lost(built: &GraphArrays) -> Vec<(u32, Vec<u32>)> {
        let all: Vec<u32> = (0..NONE).take(built.n_points()).collect();
        match find_lost(built, &all, &mut || ControlFlow::Continue(())) {
            ControlFlow::Continue(lost) => lost,
            ControlFlow::Break(()) => panic!("not stopped"),
        }
    }

    #[test]
    fn points_without_links_get_some() {
        let mut built = chain(200, 20);
        assert_eq!(lost(&built).len(), 20);
        assert!(mend(&mut built, &mut || ControlFlow::Continue(())).is_continue());
        assert!(lost(&built).is_empty());
        assert!(built.loose.is_empty());
    }

    #[test]
    fn points_that_cannot_be_linked_become_loose() {
        let mut built = chain(200, 20);
        // Without an entry point, a search finds nothing.
        built.entry = NONE;
        assert!(mend(&mut built, &mut || ControlFlow::Continue(())).is_continue());
        assert_eq!(built.loose.len(), 200);
    }

    #[test]
    fn mending_can_be_stopped() {
        let mut built = chain(200, 20);
        assert!(mend(&mut built, &mut || ControlFlow::Break(())).is_break());
    }
}
