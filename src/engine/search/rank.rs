//! Fuses the ranking by meaning with the ranking by words. No I/O.
//!
//! Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): the score of an item is the
//! sum of `1 / (60 + rank)` over the rankings. It needs ranks only, so cosine and BM25 need not be
//! made comparable. One addition: the term for words is weighted by the item's BM25 as a share of
//! the best one, since a ranking by words may be long although only its first items hold more than
//! a stray word of the query.

use sightline_index::Candidate;

/// The constant of the paper: the higher, the less the first ranks stand out.
const RANK_OFFSET: f64 = 60.0;

/// The best `n` candidates of a search, best first. Of equal score, the one nearer by meaning comes
/// first, then the lower id.
pub(super) fn fuse(candidates: Vec<Candidate>, n: usize) -> Vec<Candidate> {
    let bm25 = |candidate: &Candidate| candidate.bm25.unwrap_or(0.0);
    let best = candidates
        .iter()
        .map(bm25)
        .fold(f32::MIN_POSITIVE, f32::max);
    let score = |candidate: &Candidate| {
        let term = |rank: Option<usize>| rank.map_or(0.0, |rank| 1.0 / (RANK_OFFSET + rank as f64));
        let weight = f64::from(bm25(candidate) / best);
        term(candidate.rank_by_meaning) + weight * term(candidate.rank_by_words)
    };
    let mut scored: Vec<(f64, Candidate)> = candidates
        .into_iter()
        .map(|candidate| (score(&candidate), candidate))
        .collect();
    scored.sort_by(|(a_score, a), (b_score, b)| {
        let meaning = |candidate: &Candidate| candidate.rank_by_meaning.unwrap_or(usize::MAX);
        b_score
            .total_cmp(a_score)
            .then(meaning(a).cmp(&meaning(b)))
            .then(a.id.cmp(&b.id))
    });
    scored.truncate(n);
    scored.into_iter().map(|(_, candidate)| candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sightline_index::ItemId;

    /// The candidates of two rankings of ids, that by words with the BM25 of each.
    fn candidates(by_meaning: &[u32], by_words: &[(u32, f32)]) -> Vec<Candidate> {
        let mut found: Vec<Candidate> = Vec::new();
        for (&id, rank) in by_meaning.iter().zip(1..) {
            found.push(Candidate {
                rank_by_meaning: Some(rank),
                ..Candidate::unranked(ItemId(id))
            });
        }
        for (&(id, bm25), rank) in by_words.iter().zip(1..) {
            let at = found.iter().position(|known| known.id == ItemId(id));
            let at = at.unwrap_or_else(|| {
                found.push(Candidate::unranked(ItemId(id)));
                found.len() - 1
            });
            (found[at].rank_by_words, found[at].bm25) = (Some(rank), Some(bm25));
        }
        found
    }

    fn fused(by_meaning: &[u32], by_words: &[(u32, f32)], n: usize) -> Vec<u32> {
        let fused = fuse(candidates(by_meaning, by_words), n);
        fused.iter().map(|candidate| candidate.id.0).collect()
    }

    /// A ranking by words in which all match equally well.
    fn even(ids: &[u32]) -> Vec<(u32, f32)> {
        ids.iter().map(|&id| (id, 2.5)).collect()
    }

    #[test]
    fn an_item_in_both_rankings_beats_one_in_a_single_ranking() {
        assert_eq!(fused(&[1, 2, 3], &even(&[9, 3]), 10), [3, 1, 9, 2]);
    }

    #[test]
    fn an_empty_ranking_leaves_the_other_unchanged() {
        assert_eq!(fused(&[4, 2, 7], &[], 2), [4, 2]);
        assert_eq!(fused(&[], &even(&[4, 2, 7]), 2), [4, 2]);
        assert!(fused(&[], &[], 5).is_empty());
    }

    #[test]
    fn a_full_match_by_words_beats_a_stray_word() {
        // 1 is first by meaning and holds one word of many; 2 is third by meaning and holds all.
        let by_words = [(2, 12.0), (3, 1.5), (1, 1.0)];
        assert_eq!(fused(&[1, 3, 2], &by_words, 1), [2]);
        assert_eq!(fused(&[1, 3, 2], &even(&[2, 3, 1]), 1), [1]);
    }

    proptest! {
        #[test]
        fn every_item_is_ranked_once_and_a_better_rank_is_never_worse(
            a in proptest::sample::subsequence((0..40).collect::<Vec<u32>>(), 0..40).prop_shuffle(),
            b in proptest::sample::subsequence((0..40).collect::<Vec<u32>>(), 0..40).prop_shuffle(),
        ) {
            let bm25 = (1_u8..).map(|rank| 9.0 / f32::from(rank));
            let by_words: Vec<(u32, f32)> = b.iter().copied().zip(bm25).collect();
            let fused = fuse(candidates(&a, &by_words), usize::MAX);
            let mut found: Vec<u32> = fused.iter().map(|candidate| candidate.id.0).collect();
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
