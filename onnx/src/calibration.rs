//! What the cosines of a model mean.
//!
//! Each model has a scale of its own: a text and a picture that have nothing to do with each other
//! have a cosine near 0 in one and near 0.15 in another, and the gap between texts and pictures
//! differs from that among texts (Liang et al., "Mind the Gap", 2022). The mean and the
//! standard deviation of unrelated pairs bring them to a common scale.

use serde::{Deserialize, Serialize};

/// The cosines of unrelated pairs of embeddings of a model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Calibration {
    /// A text as a query, and a picture.
    pub text_picture: Unrelated,
    /// A text as a query, and a caption.
    pub text_text: Unrelated,
    /// Two pictures.
    pub picture_picture: Unrelated,
}

/// Mean and standard deviation of the cosines of unrelated pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stated", deny_unknown_fields)]
pub struct Unrelated {
    mean: f32,
    deviation: f32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    mean: f32,
    deviation: f32,
}

impl TryFrom<Stated> for Unrelated {
    type Error = &'static str;

    fn try_from(stated: Stated) -> Result<Self, Self::Error> {
        let Stated { mean, deviation } = stated;
        Self::new(mean, deviation)
            .ok_or("expected a mean between -1 and 1 and a deviation between 0.001 and 1")
    }
}

impl Unrelated {
    /// `None` unless −1 ≤ mean ≤ 1 and 0.001 ≤ deviation ≤ 1: embeddings that differ by less cannot
    /// be distinguished.
    #[must_use]
    pub fn new(mean: f32, deviation: f32) -> Option<Self> {
        let is_sound = (-1.0..=1.0).contains(&mean) && (0.001..=1.0).contains(&deviation);
        is_sound.then_some(Self { mean, deviation })
    }

    /// Mean and standard deviation of these cosines; `None` for fewer than two, and unless
    /// [`new`](Self::new) accepts them.
    #[must_use]
    pub fn of(cosines: &[f32]) -> Option<Self> {
        if cosines.len() < 2 {
            return None;
        }
        let n = cosines.len() as f32;
        let mean = cosines.iter().sum::<f32>() / n;
        let square = |&cosine: &f32| (cosine - mean).powi(2);
        let variance = cosines.iter().map(square).sum::<f32>() / n;
        Self::new(mean, variance.sqrt())
    }

    /// The mean.
    #[must_use]
    pub fn mean(self) -> f32 {
        self.mean
    }

    /// The cosine this many standard deviations above the mean of unrelated pairs.
    #[must_use]
    pub fn cosine(self, standard: f32) -> f32 {
        self.mean + standard * self.deviation
    }

    /// By how many standard deviations a cosine is above the mean of unrelated pairs.
    #[must_use]
    pub fn standard(self, cosine: f32) -> f32 {
        (cosine - self.mean) / self.deviation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_are_compared_with_those_of_unrelated_pairs() {
        let unrelated = Unrelated::of(&[0.1, 0.3]).unwrap();
        assert!((unrelated.standard(0.2)).abs() < 1e-6);
        assert!((unrelated.standard(0.5) - 3.0).abs() < 1e-5);
        assert!((unrelated.cosine(3.0) - 0.5).abs() < 1e-5);
    }

    #[test]
    fn impossible_numbers_are_refused() {
        let mut n_refused = 0;
        for (mean, deviation) in [(f32::NAN, 0.1), (0.0, 0.0), (0.0, f32::NAN), (1.5, 0.1)] {
            assert_eq!(Unrelated::new(mean, deviation), None);
            n_refused += 1;
        }
        assert_eq!(n_refused, 4);
        assert_eq!(Unrelated::of(&[0.5]), None);
        assert_eq!(Unrelated::of(&[0.5, 0.5]), None);
        let stated: Result<Unrelated, _> = toml::from_str("mean = 0.1\ndeviation = 0.0");
        assert!(stated.unwrap_err().to_string().contains("deviation"));
        let stated: Result<Unrelated, _> = toml::from_str("mean = 0.1\ndeviation = 0.1\nn = 3");
        assert!(stated.unwrap_err().to_string().contains("`n`"));
    }
}
