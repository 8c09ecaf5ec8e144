//! Joins a ranking by meaning with a ranking by words. Pure: no I/O, no index.
//!
//! Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): an item's worth is the sum
//! over the rankings of `1 / (60 + rank)`. It needs only places, so cosine and BM25, whose scales
//! have nothing in common, need not be made comparable.

use std::collections::HashMap;
use std::hash::Hash;

/// The constant of the paper: the higher, the less the first places stand out.
const RANK_OFFSET: f64 = 60.0;

/// One item of the joined ranking.
#[derive(Debug, Clone, PartialEq)]
pub struct Fused<Id> {
    /// The item.
    pub id: Id,
    /// Its place by meaning, from 1.
    pub rank_by_meaning: Option<usize>,
    /// Its place by words, from 1.
    pub rank_by_words: Option<usize>,
}

impl<Id> Fused<Id> {
    fn worth(&self) -> f64 {
        [self.rank_by_meaning, self.rank_by_words]
            .into_iter()
            .flatten()
            .map(|rank| 1.0 / (RANK_OFFSET + rank as f64))
            .sum()
    }
}

/// Joins two rankings, best first, and keeps `n`. Of equal worth, the one nearer by meaning comes
/// first, then the lower id.
pub fn fuse<Id: Copy + Eq + Hash + Ord>(
    by_meaning: &[Id],
    by_words: &[Id],
    n: usize,
) -> Vec<Fused<Id>> {
    let mut joined: HashMap<Id, Fused<Id>> = HashMap::new();
    let mut entry = |id: Id, rank: usize, meaning: bool| {
        let fused = joined.entry(id).or_insert(Fused {
            id,
            rank_by_meaning: None,
            rank_by_words: None,
        });
        let place = if meaning {
            &mut fused.rank_by_meaning
        } else {
            &mut fused.rank_by_words
        };
        place.get_or_insert(rank);
    };
    for (place, &id) in by_meaning.iter().enumerate() {
        entry(id, place + 1, true);
    }
    for (place, &id) in by_words.iter().enumerate() {
        entry(id, place + 1, false);
    }
    let mut fused: Vec<Fused<Id>> = joined.into_values().collect();
    fused.sort_by(|a, b| {
        let meaning = |fused: &Fused<Id>| fused.rank_by_meaning.unwrap_or(usize::MAX);
        b.worth()
            .total_cmp(&a.worth())
            .then(meaning(a).cmp(&meaning(b)))
            .then(a.id.cmp(&b.id))
    });
    fused.truncate(n);
    fused
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(fused: &[Fused<u32>]) -> Vec<u32> {
        fused.iter().map(|fused| fused.id).collect()
    }

    #[test]
    fn found_both_ways_beats_found_one_way() {
        assert_eq!(ids(&fuse(&[1, 2, 3], &[9, 3], 10)), [3, 1, 9, 2]);
    }

    #[test]
    fn one_empty_ranking_leaves_the_other_as_it_is() {
        assert_eq!(ids(&fuse(&[4, 2, 7], &[], 2)), [4, 2]);
        assert_eq!(ids(&fuse(&[], &[4, 2, 7], 2)), [4, 2]);
        assert!(fuse::<u32>(&[], &[], 5).is_empty());
    }

    proptest! {
        #[test]
        fn every_item_once_and_never_worse_for_a_better_place(
            a in proptest::sample::subsequence((0..40_u32).collect::<Vec<_>>(), 0..40).prop_shuffle(),
            b in proptest::sample::subsequence((0..40_u32).collect::<Vec<_>>(), 0..40).prop_shuffle(),
        ) {
            let fused = fuse(&a, &b, usize::MAX);
            let mut found = ids(&fused);
            found.sort_unstable();
            let mut expected: Vec<u32> = a.iter().chain(&b).copied().collect();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(found, expected);
            for (i, x) in fused.iter().enumerate() {
                for y in &fused[i + 1..] {
                    let better = |p: Option<usize>, q: Option<usize>| {
                        p.unwrap_or(usize::MAX) > q.unwrap_or(usize::MAX)
                    };
                    let y_wins_both = better(x.rank_by_meaning, y.rank_by_meaning)
                        && better(x.rank_by_words, y.rank_by_words);
                    prop_assert!(!y_wins_both, "{x:?} stands before {y:?}");
                }
            }
        }
    }
}
