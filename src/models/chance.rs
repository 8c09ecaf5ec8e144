//! How many matches a model reaches by chance.
//!
//! For each of `n` texts a model names the most similar of `n` pictures. If its embeddings have
//! nothing to do with what is in them, every assignment of the pictures to the texts is equally
//! likely to be the right one, so the number of texts whose own picture comes first is that of
//! the matches of a random permutation with the named pictures. It is largest where the model
//! names every picture once: then it is the number of fixed points of a random permutation of `n`,
//! whose distribution is exact, `P(k) = C(n, k) · D(n - k) / n!` with `D` the derangements, and for
//! more than a few texts does not depend on `n`. Where some pictures are named several times, high
//! numbers are less likely; the test goes through every such pattern.

/// A model without knowledge passes a check in at most this share of cases.
pub(super) const MAX_CHANCE: f64 = 0.01;

/// Probability that a random permutation of `n` has at least `k` fixed points.
pub(super) fn at_least(k: usize, n: usize) -> f64 {
    // P(j) = 1/j! · Σ_{i ≤ n-j} (-1)^i / i!
    let factor = |j: usize| (1..=j).fold(1.0, |product, i| product / i as f64);
    let derangements = |m: usize| -> f64 {
        let sign = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        (0..=m).map(|i| sign(i) * factor(i)).sum()
    };
    (k..=n).map(|j| factor(j) * derangements(n - j)).sum()
}

/// Fewest matches among `n` texts that chance reaches in at most [`MAX_CHANCE`] of cases, where the
/// best of `n_tries` sets of texts counts.
pub(super) fn matches_needed(n: usize, n_tries: usize) -> usize {
    let is_enough = |k: &usize| at_least(*k, n) * n_tries as f64 <= MAX_CHANCE;
    (1..=n).find(is_enough).unwrap_or(n)
}

#[cfg(test)]
mod tests {
    use super::super::pairs::{Language, PAIRS};
    use super::*;

    /// Calls `visit` with every way to write `rest` as a sum of parts of at most `most`.
    fn partitions(
        rest: usize,
        most: usize,
        parts: &mut Vec<usize>,
        visit: &mut impl FnMut(&[usize]),
    ) {
        if rest == 0 {
            visit(parts);
        }
        for part in (1..=most.min(rest)).rev() {
            parts.push(part);
            partitions(rest - part, part, parts, visit);
            parts.pop();
        }
    }

    fn factorial(n: usize) -> i128 {
        (1..=n as i128).product()
    }

    fn choose(n: usize, k: usize) -> i128 {
        factorial(n) / factorial(k) / factorial(n - k)
    }

    /// Permutations of `n` with exactly `m` matches for each `m`, where the pictures are named as
    /// often as `counts` says: the rook numbers give it by inclusion and exclusion.
    fn permutations_by_matches(n: usize, counts: &[usize]) -> Vec<i128> {
        let mut symmetric = vec![0_i128; n + 1];
        symmetric[0] = 1;
        for &count in counts {
            for k in (1..=n).rev() {
                symmetric[k] += symmetric[k - 1] * count as i128;
            }
        }
        let exactly = |m: usize| -> i128 {
            let term = |k: usize| {
                let sign = if (k - m).is_multiple_of(2) { 1 } else { -1 };
                sign * choose(k, m) * symmetric[k] * factorial(n - k)
            };
            (m..=n).map(term).sum()
        };
        (0..=n).map(exactly).collect()
    }

    #[test]
    fn counting_all_permutations_gives_the_same_distribution() {
        const N: usize = 7;
        fn count(named: &[usize; N], free: &mut Vec<usize>, n_matches: usize, by: &mut [i128]) {
            let text = N - free.len();
            if text == N {
                by[n_matches] += 1;
            }
            for at in 0..free.len() {
                let picture = free.remove(at);
                let is_match = usize::from(named[text] == picture);
                count(named, free, n_matches + is_match, by);
                free.insert(at, picture);
            }
        }
        let cases = [
            ([0, 1, 2, 3, 4, 5, 6], vec![1; 7]),
            ([0, 0, 0, 1, 1, 2, 3], vec![3, 2, 1, 1]),
            ([4; 7], vec![7]),
        ];
        for (named, counts) in cases {
            let mut by = [0; N + 1];
            count(&named, &mut (0..N).collect(), 0, &mut by);
            assert_eq!(
                by.as_slice(),
                permutations_by_matches(N, &counts),
                "{named:?}"
            );
        }
    }

    #[test]
    fn chance_passes_in_at_most_one_percent_whatever_pictures_a_model_prefers() {
        let n = PAIRS.len();
        let needed = matches_needed(n, Language::ALL.len());
        assert_eq!((n, needed), (16, 5));
        let (mut n_patterns, mut worst) = (0, 0.0_f64);
        partitions(n, n, &mut Vec::new(), &mut |counts| {
            let by = permutations_by_matches(n, counts);
            assert_eq!(by.iter().sum::<i128>(), factorial(n));
            let passing: i128 = by[needed..].iter().sum();
            worst = worst.max(passing as f64 / factorial(n) as f64);
            n_patterns += 1;
        });
        assert_eq!(n_patterns, 231);
        assert!((worst - at_least(needed, n)).abs() < 1e-12, "{worst}");
        assert!((worst - 0.003_66).abs() < 1e-5, "{worst}");
        assert!(worst * 2.0 <= MAX_CHANCE);
        // One match fewer would not do.
        assert!(at_least(needed - 1, n) > MAX_CHANCE);
    }

    #[test]
    fn the_smallest_cases_are_right() {
        assert!((at_least(0, 5) - 1.0).abs() < 1e-12);
        assert!((at_least(2, 2) - 0.5).abs() < 1e-12);
        assert!((at_least(1, 3) - 4.0 / 6.0).abs() < 1e-12);
        assert!(at_least(4, 3).abs() < 1e-12);
        assert_eq!(matches_needed(3, 1), 3);
    }
}
