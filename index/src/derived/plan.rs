//! Which segments to build: size-tiered merging of neighbours.
//!
//! The ids of a kind form a row of *pieces*: segments, and fresh items between and after them. A
//! piece belongs to the lowest tier whose limit it is below; limits are four times each other. A
//! run of adjacent pieces of a tier and lower ones is merged when together they reach the limit, so
//! each item is built into a new segment about once per tier, and fewer than four segments of a
//! tier remain. A segment near the maximum size stays as it is, until a quarter of it is removed.

use std::ops::Range;

use crate::graph::params::REBUILD_DIVISOR;

/// The limits of tiers are powers of this times the smallest size of a segment.
const FACTOR: usize = 4;

/// Number of adjacent segments below the smallest size, left by removals, that are merged.
const MAX_TINY: usize = 4;

/// A segment, or a row of fresh items between segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Number of items that exist.
    pub(crate) n_items: usize,
    /// What is known of the segment; none for fresh items.
    pub(crate) segment: Option<Wear>,
}

/// What a segment holds beside items that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wear {
    /// Number of its items that were removed.
    pub(crate) n_removed: usize,
}

/// What to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// During a run: segments of fresh items, and small merges.
    Fresh,
    /// At the end of a run: everything that pays off.
    Worthwhile,
    /// Everything that is not as compact as it can be.
    Outdated,
}

/// The sizes of segments, in items.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentSizes {
    /// Fewer fresh items are scanned.
    pub(crate) min: usize,
    /// The memory of a build is bounded by this.
    pub(crate) max: usize,
}

impl SegmentSizes {
    /// Whether so large a segment is merged no more.
    fn is_full(self, n_items: usize) -> bool {
        n_items > self.max / 4 * 3
    }

    /// The limits of the tiers, ascending. The last one is what makes a full segment.
    fn limits(self) -> Vec<usize> {
        let last = self.max - self.max / 8;
        let tiers = std::iter::successors(Some(self.min), |&limit| limit.checked_mul(FACTOR));
        let mut limits: Vec<usize> = tiers.take_while(|&limit| limit < last).collect();
        limits.push(last.max(1));
        limits
    }
}

impl Span {
    /// Number of items, including removed ones. It decides the tier: if a segment fell into a lower
    /// one whenever some of its items were removed, as many new ones would have it built again.
    fn n_ids(&self) -> usize {
        self.n_items + self.segment.map_or(0, |wear| wear.n_removed)
    }

    fn is_worn(&self) -> bool {
        self.segment
            .is_some_and(|wear| wear.n_removed > self.n_ids() / REBUILD_DIVISOR)
    }

    fn is_clean(&self) -> bool {
        self.segment == Some(Wear { n_removed: 0 })
    }
}

/// The next run of pieces to build as one segment (as several if there are too many fresh items for
/// one), or none when nothing is due. Ask again after each build.
pub(crate) fn next_merge(pieces: &[Span], sizes: SegmentSizes, due: Due) -> Option<Range<usize>> {
    if due == Due::Outdated {
        return next_outdated(pieces, sizes);
    }
    let max = match due {
        Due::Fresh => sizes.max.min(sizes.min.saturating_mul(FACTOR)),
        _ => sizes.max,
    };
    let sizes = SegmentSizes { max, ..sizes };
    for limit in sizes.limits().into_iter().rev() {
        let fits = |piece: &Span| piece.n_ids() < limit && !sizes.is_full(piece.n_ids());
        let due = groups(pieces, max, fits).find(|group| {
            let group = &pieces[group.clone()];
            let n_items: usize = group.iter().map(|piece| piece.n_items).sum();
            let n_segments = group.iter().filter(|piece| piece.segment.is_some()).count();
            group.len() > 1
                && n_segments > 0
                && (n_items >= limit || (limit == sizes.min && n_segments >= MAX_TINY))
        });
        if due.is_some() {
            return due;
        }
    }
    let is_due = |piece: &Span| match piece.segment {
        None => piece.n_items >= sizes.min,
        Some(_) => due == Due::Worthwhile && piece.is_worn(),
    };
    pieces.iter().position(is_due).map(|piece| piece..piece + 1)
}

/// The next run of pieces that are not one full or clean segment.
fn next_outdated(pieces: &[Span], sizes: SegmentSizes) -> Option<Range<usize>> {
    let fits = |piece: &Span| !(piece.is_clean() && sizes.is_full(piece.n_items));
    groups(pieces, sizes.max, fits).find(|group| match &pieces[group.clone()] {
        [one] => match one.segment {
            None => one.n_items >= sizes.min,
            Some(_) => !one.is_clean(),
        },
        _ => true,
    })
}

/// The longest runs of adjacent pieces that fit and have at most `max` items together, or are one.
fn groups(
    pieces: &[Span],
    max: usize,
    fits: impl Fn(&Span) -> bool,
) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        while !fits(pieces.get(start)?) {
            start += 1;
        }
        let first = start;
        let mut n_items = 0usize;
        while let Some(piece) = pieces.get(start).filter(|piece| fits(piece)) {
            n_items = n_items.saturating_add(piece.n_items);
            if start > first && n_items > max {
                break;
            }
            start += 1;
        }
        Some(first..start)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: SegmentSizes = SegmentSizes {
        min: 8_192,
        max: 262_144,
    };

    fn segment(n_items: usize) -> Span {
        worn(n_items, 0)
    }

    fn worn(n_items: usize, n_removed: usize) -> Span {
        Span {
            n_items,
            segment: Some(Wear { n_removed }),
        }
    }

    fn fresh(n_items: usize) -> Span {
        Span {
            n_items,
            segment: None,
        }
    }

    /// Builds what is due until nothing is. Returns the pieces left and the number of items built.
    fn settle(pieces: &mut Vec<Span>, sizes: SegmentSizes, due: Due) -> usize {
        let mut n_built = 0;
        for _ in 0..1_000 {
            let Some(merged) = next_merge(pieces, sizes, due) else {
                return n_built;
            };
            let mut n_items: usize = pieces[merged.clone()].iter().map(|one| one.n_items).sum();
            n_built += n_items;
            let mut built = Vec::new();
            while n_items > 0 {
                let n = n_items.min(sizes.max);
                built.push(segment(n));
                n_items -= n;
            }
            pieces.splice(merged, built);
        }
        panic!("building does not end: {pieces:?}");
    }

    #[test]
    fn few_fresh_items_are_scanned() {
        for due in [Due::Fresh, Due::Worthwhile, Due::Outdated] {
            assert_eq!(next_merge(&[fresh(8_191)], SIZES, due), None);
            assert_eq!(next_merge(&[fresh(8_192)], SIZES, due), Some(0..1));
            let full = [segment(260_000), fresh(8_191)];
            assert_eq!(next_merge(&full, SIZES, due), None, "{due:?}");
        }
    }

    #[test]
    fn equal_neighbours_are_merged() {
        let three = [segment(8_192), segment(8_192), segment(8_192)];
        assert_eq!(next_merge(&three, SIZES, Due::Worthwhile), None);
        let four = [&three[..], &[fresh(8_192)]].concat();
        assert_eq!(next_merge(&four, SIZES, Due::Worthwhile), Some(0..4));
        assert_eq!(next_merge(&four, SIZES, Due::Fresh), Some(0..4));
        let larger = [&[segment(40_000)], &four[..]].concat();
        assert_eq!(
            next_merge(&larger, SIZES, Due::Worthwhile),
            Some(1..5),
            "a larger neighbour waits for more"
        );
        assert_eq!(next_merge(&larger, SIZES, Due::Outdated), Some(0..5));
    }

    #[test]
    fn a_segment_is_rebuilt_when_a_quarter_of_it_is_removed() {
        let kept = [worn(240_000, 80_000)];
        assert_eq!(next_merge(&kept, SIZES, Due::Worthwhile), None);
        let rebuilt = [worn(240_000, 80_001)];
        assert_eq!(next_merge(&rebuilt, SIZES, Due::Worthwhile), Some(0..1));
        assert_eq!(next_merge(&rebuilt, SIZES, Due::Fresh), None);
        assert_eq!(
            next_merge(&[worn(9_000, 1)], SIZES, Due::Outdated),
            Some(0..1)
        );
        let tiny = [worn(10, 90), segment(9), segment(8), segment(7)];
        assert_eq!(next_merge(&tiny, SIZES, Due::Worthwhile), Some(0..4));
    }

    #[test]
    fn a_segment_of_an_old_index_stays_whatever_its_size() {
        let old = [segment(3_000_000), fresh(20_000)];
        assert_eq!(next_merge(&old, SIZES, Due::Worthwhile), Some(1..2));
        assert_eq!(next_merge(&old[..1], SIZES, Due::Outdated), None);
        let mut worn = vec![worn(900_000, 400_000)];
        assert_eq!(settle(&mut worn, SIZES, Due::Worthwhile), 900_000);
        assert_eq!(worn.len(), 4);
    }

    #[test]
    fn few_segments_remain_and_each_item_is_built_a_few_times() {
        for per_run in [100, 1_000, 5_000, 8_192, 10_000, 50_000, 300_000] {
            let mut pieces = Vec::new();
            let (mut n_built, mut n_most, mut n_total) = (0, 0, 0);
            while n_total < 1_000_000 {
                n_total += per_run;
                match pieces.last_mut() {
                    Some(Span {
                        n_items,
                        segment: None,
                    }) => *n_items += per_run,
                    _ => pieces.push(fresh(per_run)),
                }
                n_built += settle(&mut pieces, SIZES, Due::Worthwhile);
                n_most = n_most.max(pieces.len());
            }
            let n_items: usize = pieces.iter().map(|piece| piece.n_items).sum();
            assert_eq!(n_items, n_total);
            println!("{per_run}: at most {n_most} pieces, {n_built} built");
            assert!(n_most <= 12, "{per_run}: {n_most} pieces");
            assert!(n_built <= 4 * n_total, "{per_run}: {n_built} built");
        }
    }

    /// Removes items from the segments, spread over them or from the first one, and builds what is
    /// due after each run. Returns the number of items built.
    fn replace(pieces: &mut Vec<Span>, per_run: usize, n_runs: usize, spread: bool) -> usize {
        let mut n_built = 0;
        for run in 0..n_runs {
            let n_pieces = pieces.len();
            for number in 0..per_run {
                let at = if spread { (run + number) % n_pieces } else { 0 };
                let piece = &mut pieces[at];
                piece.n_items -= 1;
                if let Some(wear) = &mut piece.segment {
                    wear.n_removed += 1;
                }
            }
            match pieces.last_mut() {
                Some(last) if last.segment.is_none() => last.n_items += per_run,
                _ => pieces.push(fresh(per_run)),
            }
            n_built += settle(pieces, SIZES, Due::Worthwhile);
        }
        n_built
    }

    #[test]
    fn photos_that_are_replaced_have_no_large_segment_built_in_every_run() {
        for (n_items, per_run) in [(131_100, 100), (131_100, 20), (32_800, 100), (229_400, 50)] {
            for spread in [false, true] {
                let mut pieces = vec![segment(n_items)];
                let n_built = replace(&mut pieces, per_run, 200, spread);
                let n_changed = 200 * per_run;
                assert!(
                    n_built <= 8 * n_changed,
                    "{n_items}, {per_run} per run: {n_built} built"
                );
            }
        }
    }

    #[test]
    fn a_long_run_merges_only_small_segments_until_it_ends() {
        let mut pieces = Vec::new();
        let mut n_built = 0;
        for _ in 0..125 {
            pieces.push(fresh(8_192));
            n_built += settle(&mut pieces, SIZES, Due::Fresh);
            assert!(pieces.iter().all(|piece| piece.n_items <= 32_768));
        }
        assert!(pieces.len() <= 34, "{}", pieces.len());
        assert!(n_built < 3 * 1_024_000);
        n_built = settle(&mut pieces, SIZES, Due::Worthwhile);
        assert!(pieces.len() <= 8, "{}", pieces.len());
        assert!(n_built <= 1_024_000);
    }

    #[test]
    fn building_ends_for_any_sizes_and_pieces() {
        let mut state = 1u64;
        let mut random = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % below
        };
        let mut n_checked = 0;
        for _ in 0..3_000 {
            let min = 1 + random(50);
            let sizes = SegmentSizes {
                min,
                max: min * (1 + random(40)),
            };
            let mut pieces: Vec<Span> = (0..random(30))
                .map(|_| match random(3) {
                    0 => fresh(random(3 * sizes.max)),
                    1 => segment(random(sizes.max)),
                    _ => worn(random(2 * sizes.max), random(sizes.max)),
                })
                .collect();
            let n_items: usize = pieces.iter().map(|piece| piece.n_items).sum();
            for due in [Due::Fresh, Due::Worthwhile, Due::Outdated] {
                settle(&mut pieces, sizes, due);
                assert_eq!(
                    pieces.iter().map(|piece| piece.n_items).sum::<usize>(),
                    n_items
                );
            }
            n_checked += 1;
        }
        assert_eq!(n_checked, 3_000);
    }
}
