//! Joins a ranking by meaning with a ranking by words. Pure: no I/O, no index.
//!
//! Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): an item's worth is the sum
//! over the rankings of `1 / (60 + rank)`. It needs only places, so cosine and BM25, whose scales
//! have nothing in common, need not be made comparable. One thing is added: a place by words
//! counts as much as its BM25 is of the best one's, since a ranking by words may be long although
//! only its first items hold more than a stray word of the query.

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
    /// How much that place counts, 0…1.
    weight: f32,
}

impl<Id> Fused<Id> {
    fn worth(&self) -> f64 {
        let place =
            |rank: Option<usize>| rank.map_or(0.0, |rank| 1.0 / (RANK_OFFSET + rank as f64));
        place(self.rank_by_meaning) + f64::from(self.weight) * place(self.rank_by_words)
    }
}

/// Joins two rankings, best first, and keeps `n`. The ranking by words comes with each item's BM25
/// (above 0). Of equal worth, the one nearer by meaning comes first, then the lower id.
pub fn fuse<Id: Copy + Eq + Hash + Ord>(
    by_meaning: &[Id],
    by_words: &[(Id, f32)],
    n: usize,
) -> Vec<Fused<Id>> {
    let mut joined: HashMap<Id, Fused<Id>> = HashMap::new();
    let nowhere = |id| Fused {
        id,
        rank_by_meaning: None,
        rank_by_words: None,
        weight: 0.0,
    };
    for (place, &id) in by_meaning.iter().enumerate() {
        let fused = joined.entry(id).or_insert(nowhere(id));
        fused.rank_by_meaning.get_or_insert(place + 1);
    }
    let best = by_words.first().map_or(1.0, |&(_, bm25)| bm25);
    for (place, &(id, bm25)) in by_words.iter().enumerate() {
        let fused = joined.entry(id).or_insert(nowhere(id));
        if fused.rank_by_words.is_none() {
            fused.rank_by_words = Some(place + 1);
            fused.weight = bm25 / best;
        }
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

    /// All matches as good as each other.
    fn even(ids: &[u32]) -> Vec<(u32, f32)> {
        ids.iter().map(|&id| (id, 2.5)).collect()
    }

    #[test]
    fn found_both_ways_beats_found_one_way() {
        assert_eq!(ids(&fuse(&[1, 2, 3], &even(&[9, 3]), 10)), [3, 1, 9, 2]);
    }

    #[test]
    fn one_empty_ranking_leaves_the_other_as_it_is() {
        assert_eq!(ids(&fuse(&[4, 2, 7], &[], 2)), [4, 2]);
        assert_eq!(ids(&fuse(&[], &even(&[4, 2, 7]), 2)), [4, 2]);
        assert!(fuse::<u32>(&[], &[], 5).is_empty());
    }

    #[test]
    fn a_full_match_by_words_beats_a_stray_word() {
        // 1 is first by meaning and holds one word of many; 2 is third by meaning and holds all.
        let by_words = [(2, 12.0), (3, 1.5), (1, 1.0)];
        assert_eq!(ids(&fuse(&[1, 3, 2], &by_words, 1)), [2]);
        assert_eq!(ids(&fuse(&[1, 3, 2], &even(&[2, 3, 1]), 1)), [1]);
    }

    proptest! {
        #[test]
        fn every_item_once_and_never_worse_for_a_better_place(
            a in proptest::sample::subsequence((0..40_u32).collect::<Vec<_>>(), 0..40).prop_shuffle(),
            b in proptest::sample::subsequence((0..40_u32).collect::<Vec<_>>(), 0..40).prop_shuffle(),
        ) {
            let by_words: Vec<(u32, f32)> = b.iter().zip(1_u8..).map(|(&id, i)| (id, 9.0 / f32::from(i))).collect();
            let fused = fuse(&a, &by_words, usize::MAX);
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
