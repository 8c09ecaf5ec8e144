//! When segments of the word index are merged.
//!
//! Segments of like size are merged, so that their number grows with the logarithm of the number of
//! documents, and each document is rewritten about as often. Removed documents do not count: how
//! many there are changes no answer, see [`super::segment`].

use tantivy::index::SegmentMeta;
use tantivy::merge_policy::{MergeCandidate, MergePolicy};

/// Segments with fewer documents are of like size.
const SMALL: u32 = 1_024;

/// Larger ones are of like size if none has this many times as many documents as another; and this
/// many are merged.
const FACTOR: usize = 8;

/// Merges segments of like size, all that there are when there are [`FACTOR`].
#[derive(Debug, Clone, Copy)]
pub(super) struct BySize;

impl MergePolicy for BySize {
    fn compute_merge_candidates(&self, segments: &[SegmentMeta]) -> Vec<MergeCandidate> {
        let sizes: Vec<u32> = segments.iter().map(SegmentMeta::num_docs).collect();
        let of_tier = |tier: Vec<usize>| {
            let ids = tier.into_iter().map(|at| segments[at].id());
            MergeCandidate(ids.collect())
        };
        due(&sizes).into_iter().map(of_tier).collect()
    }
}

/// The places of the segments to merge, by their numbers of documents.
fn due(sizes: &[u32]) -> Vec<Vec<usize>> {
    let mut tiers: Vec<Vec<usize>> = Vec::new();
    for (at, &size) in sizes.iter().enumerate() {
        let tier = tier_of(size);
        tiers.resize_with(tiers.len().max(tier + 1), Vec::new);
        tiers[tier].push(at);
    }
    tiers.retain(|tier| tier.len() >= FACTOR);
    tiers
}

fn tier_of(n_documents: u32) -> usize {
    let mut tier = 0;
    let mut rest = n_documents / SMALL;
    while rest > 0 {
        tier += 1;
        rest /= 8;
    }
    tier
}

/// Whether enough documents of a segment were removed to rewrite it: a tenth.
pub(super) fn is_rewrite_due(segment: &SegmentMeta) -> bool {
    u64::from(segment.num_deleted_docs()) * 10 > u64::from(segment.max_doc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_like_size_are_merged_in_eights() {
        assert_eq!(due(&[1; 7]), Vec::<Vec<usize>>::new());
        assert_eq!(due(&[1; 8]), [(0..8).collect::<Vec<_>>()]);
        let mixed = [900, 1_023, 1, 5_000, 2, 3, 4, 5, 6];
        assert_eq!(due(&mixed), [[0, 1, 2, 4, 5, 6, 7, 8]]);
        let large = [1_024, 8_191, 8_192, 65_535, 65_536].map(tier_of);
        assert_eq!(large, [1, 1, 2, 2, 3]);
    }

    /// A million documents, added one by one.
    #[test]
    fn the_number_of_segments_and_of_rewrites_is_logarithmic() {
        let mut sizes: Vec<u32> = Vec::new();
        let (mut n_most, mut n_rewritten) = (0, 0_u64);
        for _ in 0..1_000_000 {
            sizes.push(1);
            while let [merged, ..] = due(&sizes).as_slice() {
                let total = merged.iter().map(|&at| sizes[at]).sum();
                n_rewritten += u64::from(total);
                for &at in merged.iter().rev() {
                    sizes.swap_remove(at);
                }
                sizes.push(total);
            }
            n_most = n_most.max(sizes.len());
        }
        assert_eq!(sizes.iter().sum::<u32>(), 1_000_000);
        assert!(n_most <= 4 * 7 + 1, "{n_most}");
        println!("at most {n_most} segments; {n_rewritten} documents rewritten");
    }
}
