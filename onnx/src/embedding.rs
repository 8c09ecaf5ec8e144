//! What does an encoder return? One unit vector per picture or text.

use crate::error::EncodeError;

/// A point of the space that pictures and texts share: `[dimension]` f32, finite, of length 1.
///
/// The dot product of two embeddings of the same [`Model`](crate::Model) is their cosine
/// similarity, in -1 to 1, higher is nearer.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    values: Vec<f32>,
    raw_norm: f32,
}

impl Embedding {
    /// Scales what a model put out to length 1.
    ///
    /// `position` is the row's place in its batch and is only used in the error.
    pub(crate) fn from_output(values: &[f32], position: usize) -> Result<Self, EncodeError> {
        let square: f64 = values.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        if !square.is_finite() || square <= f64::MIN_POSITIVE {
            return Err(EncodeError::NoDirection { position });
        }
        let norm = square.sqrt();
        let scale = 1.0 / norm;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the sum runs in f64 for accuracy; the result is an f32 on purpose"
        )]
        let narrow = |x: f64| x as f32;
        let scaled = values.iter().map(|&x| narrow(f64::from(x) * scale));
        Ok(Self {
            values: scaled.collect(),
            raw_norm: narrow(norm),
        })
    }

    /// The values, `[dimension]`.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.values
    }

    /// The values, without a copy.
    #[must_use]
    pub fn into_vec(self) -> Vec<f32> {
        self.values
    }

    /// How many values there are.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.values.len()
    }

    /// The length that the model's output had before it was scaled to 1: 1 as well for a model
    /// that scales itself.
    #[must_use]
    pub fn raw_norm(&self) -> f32 {
        self.raw_norm
    }

    /// The cosine similarity to another embedding of the same model, in -1 to 1.
    ///
    /// Values beyond the shorter one's dimension are ignored.
    #[must_use]
    pub fn similarity(&self, other: &Self) -> f32 {
        self.values
            .iter()
            .zip(&other.values)
            .map(|(a, b)| a * b)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_out_has_length_one() {
        let embedding = Embedding::from_output(&[3.0, 0.0, -4.0], 0).unwrap();
        assert_eq!(embedding.as_slice(), [0.6, 0.0, -0.8]);
        assert_eq!((embedding.dimension(), embedding.raw_norm()), (3, 5.0));
        assert!((embedding.similarity(&embedding) - 1.0).abs() < 1e-6);
        // Squares of these leave the range of f32, not that of f64.
        let large = Embedding::from_output(&[3e30, 4e30], 0).unwrap();
        assert!((large.as_slice()[0] - 0.6).abs() < 1e-6);
    }

    #[test]
    fn a_row_without_a_direction_is_an_error() {
        for (position, row) in [[0.0, 0.0], [f32::NAN, 1.0], [f32::INFINITY, 1.0]]
            .iter()
            .enumerate()
        {
            let error = Embedding::from_output(row, position).unwrap_err();
            assert!(
                matches!(error, EncodeError::NoDirection { position: p } if p == position),
                "{error}"
            );
        }
    }
}
