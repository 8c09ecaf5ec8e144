//! A set of item ids: one bit per id.
//!
//! Ids are dense: they count up from 1 and are never reused, so a plain bitmap takes an eighth of a
//! byte per id that was ever assigned, and a scan asks it with one load per row.
//! `benches/RESULTS.md` compares it with a compressed bitmap.

use std::fmt;
use std::ops::{Bound, RangeBounds};

use crate::item::ItemId;

const BITS: u32 = u64::BITS;

/// A set of [`ItemId`]s.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct IdSet {
    /// Bit `id % 64` of word `id / 64`. The last word is not zero.
    words: Vec<u64>,
    /// Number of bits that are set.
    len: usize,
}

impl IdSet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an id. Returns whether it was missing.
    pub fn insert(&mut self, id: ItemId) -> bool {
        let (at, bit) = place(id);
        if at >= self.words.len() {
            self.words.resize(at + 1, 0);
        }
        let Some(word) = self.words.get_mut(at) else {
            return false;
        };
        let is_new = *word & bit == 0;
        *word |= bit;
        self.len += usize::from(is_new);
        is_new
    }

    /// Removes an id. Returns whether it was in the set.
    pub fn remove(&mut self, id: ItemId) -> bool {
        let (at, bit) = place(id);
        let Some(word) = self.words.get_mut(at) else {
            return false;
        };
        let was_in = *word & bit != 0;
        *word &= !bit;
        self.len -= usize::from(was_in);
        if was_in {
            self.trim();
        }
        was_in
    }

    /// Whether an id is in the set.
    #[must_use]
    #[inline]
    pub fn contains(&self, id: ItemId) -> bool {
        let (at, bit) = place(id);
        self.words.get(at).is_some_and(|word| word & bit != 0)
    }

    /// The number of ids.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no id in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The ids in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = ItemId> + '_ {
        self.iter_in(..)
    }

    /// The ids within a range, in ascending order. Takes time for the range only.
    pub fn iter_in(&self, range: impl RangeBounds<ItemId>) -> impl Iterator<Item = ItemId> + '_ {
        self.words_in(bounds(&range)).flat_map(|(first, word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                if rest == 0 {
                    return None;
                }
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                Some(ItemId(first + bit))
            })
        })
    }

    /// The number of ids within a range.
    #[must_use]
    pub fn count_in(&self, range: impl RangeBounds<ItemId>) -> usize {
        let words = self.words_in(bounds(&range));
        words.map(|(_, word)| word.count_ones() as usize).sum()
    }

    /// Adds the ids whose bits are set in `words`, the lowest bit being `first`, a multiple of 64.
    pub(crate) fn insert_words(&mut self, first: ItemId, words: &[u64]) {
        let at = (first.0 / BITS) as usize;
        let n = words
            .iter()
            .rposition(|&word| word != 0)
            .map_or(0, |last| last + 1);
        if n > 0 && self.words.len() < at + n {
            self.words.resize(at + n, 0);
        }
        let mut n_new = 0;
        for (word, &more) in self.words.iter_mut().skip(at).zip(words) {
            n_new += (more & !*word).count_ones() as usize;
            *word |= more;
        }
        self.len += n_new;
    }

    /// Adds all ids of another set.
    pub fn union_with(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
        self.recount();
    }

    /// Removes all ids that are not in another set.
    pub fn intersect_with(&mut self, other: &Self) {
        self.words.truncate(other.words.len());
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
        self.recount();
    }

    /// Removes all ids of another set.
    pub fn subtract(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= !other;
        }
        self.recount();
    }

    /// The words of the ids `first` to `last`, each with the id of its lowest bit. The bits of
    /// other ids are cleared.
    fn words_in(&self, (first, last): (u32, u32)) -> impl Iterator<Item = (u32, u64)> + '_ {
        let from = (first / BITS) as usize;
        let to = if first > last {
            from
        } else {
            (last / BITS) as usize + 1
        };
        let to = to.min(self.words.len());
        let words = self.words.get(from.min(to)..to).unwrap_or_default();
        words.iter().zip(first / BITS..).map(move |(&word, n)| {
            let start = n * BITS;
            let below = first.saturating_sub(start);
            let above = (BITS - 1).saturating_sub(last - start);
            (start, word & (u64::MAX << below) & (u64::MAX >> above))
        })
    }

    fn recount(&mut self) {
        let ones = self.words.iter().map(|word| word.count_ones() as usize);
        self.len = ones.sum();
        self.trim();
    }

    /// Drops zeros at the end, so that equal sets have equal words.
    fn trim(&mut self) {
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
    }
}

/// The first and the last id of a range; for an empty one, the first is greater.
fn bounds(range: &impl RangeBounds<ItemId>) -> (u32, u32) {
    let first = match range.start_bound() {
        Bound::Included(id) => Some(id.0),
        Bound::Excluded(id) => id.0.checked_add(1),
        Bound::Unbounded => Some(0),
    };
    let last = match range.end_bound() {
        Bound::Included(id) => Some(id.0),
        Bound::Excluded(id) => id.0.checked_sub(1),
        Bound::Unbounded => Some(u32::MAX),
    };
    first.zip(last).unwrap_or((1, 0))
}

fn place(id: ItemId) -> (usize, u64) {
    ((id.0 / BITS) as usize, 1 << (id.0 % BITS))
}

impl Extend<ItemId> for IdSet {
    fn extend<T: IntoIterator<Item = ItemId>>(&mut self, ids: T) {
        for id in ids {
            self.insert(id);
        }
    }
}

impl FromIterator<ItemId> for IdSet {
    fn from_iter<T: IntoIterator<Item = ItemId>>(ids: T) -> Self {
        let mut set = Self::new();
        set.extend(ids);
        set
    }
}

impl<const N: usize> From<[ItemId; N]> for IdSet {
    fn from(ids: [ItemId; N]) -> Self {
        ids.into_iter().collect()
    }
}

impl fmt::Debug for IdSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.iter().map(|id| id.0);
        formatter.debug_set().entries(ids).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ops::RangeInclusive;

    use proptest::prelude::*;

    use super::*;

    fn ids() -> impl Strategy<Value = Vec<u32>> {
        // Near each other, around the borders of words, and far away.
        let id = prop_oneof![0..200u32, 62..67u32, 100_000..100_100u32];
        prop::collection::vec(id, 0..40)
    }

    fn set(ids: &[u32]) -> (IdSet, BTreeSet<u32>) {
        (
            ids.iter().copied().map(ItemId).collect(),
            ids.iter().copied().collect(),
        )
    }

    fn is_same(set: &IdSet, expected: &BTreeSet<u32>) -> bool {
        let found: Vec<u32> = set.iter().map(|id| id.0).collect();
        // Equality holds only when both are trimmed.
        let again: IdSet = set.iter().collect();
        set.len() == expected.len()
            && set.is_empty() == expected.is_empty()
            && found.iter().eq(expected)
            && *set == again
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn a_set_of_ids_is_a_set(a in ids(), b in ids(), first in 0..210u32, n in 0..100_100u32) {
            let ((set_a, a), (set_b, b)) = (set(&a), set(&b));
            prop_assert!(is_same(&set_a, &a));
            let mut union = set_a.clone();
            union.union_with(&set_b);
            prop_assert!(is_same(&union, &(&a | &b)));
            let mut both = set_a.clone();
            both.intersect_with(&set_b);
            prop_assert!(is_same(&both, &(&a & &b)));
            let mut only = set_a.clone();
            only.subtract(&set_b);
            prop_assert!(is_same(&only, &(&a - &b)));
            let mut removed = set_a.clone();
            for &id in &b {
                prop_assert_eq!(removed.remove(ItemId(id)), a.contains(&id));
            }
            prop_assert_eq!(&removed, &only);
            for id in (0..300).chain([99_999, 100_050, u32::MAX]) {
                prop_assert_eq!(set_a.contains(ItemId(id)), a.contains(&id));
            }
            let range: RangeInclusive<u32> = first..=first + n;
            let expected: Vec<u32> = a.range(range.clone()).copied().collect();
            let wanted = ItemId(first)..=ItemId(first + n);
            let found: Vec<u32> = set_a.iter_in(wanted.clone()).map(|id| id.0).collect();
            prop_assert_eq!(set_a.count_in(wanted), expected.len());
            prop_assert_eq!(&found, &expected);
            let open = set_a.iter_in(ItemId(first)..ItemId(first + n)).map(|id| id.0);
            let expected: Vec<u32> = a.range(first..first + n).copied().collect();
            prop_assert_eq!(open.collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn the_highest_id_and_empty_ranges() {
        let top = ItemId(1 << 20);
        let mut ids = IdSet::from([ItemId(1), top]);
        assert!(!ids.insert(top));
        assert!(ids.contains(top) && !ids.contains(ItemId(u32::MAX)));
        assert_eq!(ids.count_in(ItemId(0)..ItemId(0)), 0);
        assert_eq!(
            ids.count_in((Bound::Excluded(ItemId(1)), Bound::Unbounded)),
            1
        );
        let beyond = (Bound::Excluded(ItemId(u32::MAX)), Bound::Unbounded);
        assert_eq!(ids.count_in(beyond), 0);
        assert_eq!(ids.count_in(top..), 1);
        assert!(ids.remove(top) && !ids.remove(top));
        assert_eq!(ids, IdSet::from([ItemId(1)]));
        assert_eq!(format!("{ids:?}"), "{1}");
        ids.remove(ItemId(1));
        assert_eq!((ids.is_empty(), ids), (true, IdSet::new()));
    }
}
