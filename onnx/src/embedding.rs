//! What the towers return: one unit vector per picture or text.

use crate::error::EncodeError;

/// A unit vector in the space shared by pictures and texts: `[dimension]` f32, finite.
///
/// The dot product of two embeddings of the same [`Model`](crate::Model) is their cosine
/// similarity: -1 to 1, higher is nearer.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    values: Vec<f32>,
    raw_norm: f32,
}

impl Embedding {
    /// Scales one row of a graph's output to length 1.
    ///
    /// `position` is the row's position in its batch, for the error.
    pub(crate) fn from_output(values: &[f32], position: usize) -> Result<Self, EncodeError> {
        let square: f64 = values.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        if !square.is_finite() || square <= f64::MIN_POSITIVE {
            return Err(EncodeError::ZeroOrNotFinite { position });
        }
        let norm = square.sqrt();
        let scale = 1.0 / norm;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "summed in f64 for accuracy, returned as f32"
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

    /// The values, without copying them.
    #[must_use]
    pub fn into_vec(self) -> Vec<f32> {
        self.values
    }

    /// The length of the model's output before it was scaled to 1; also 1 for a model that
    /// normalises its output itself.
    #[must_use]
    pub fn raw_norm(&self) -> f32 {
        self.raw_norm
    }

    /// The cosine similarity to another embedding of the same model, -1 to 1.
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
    fn embeddings_have_length_one() {
        let embedding = Embedding::from_output(&[3.0, 0.0, -4.0], 0).unwrap();
        assert_eq!(embedding.as_slice(), [0.6, 0.0, -0.8]);
        assert_eq!((embedding.as_slice().len(), embedding.raw_norm()), (3, 5.0));
        assert!((embedding.similarity(&embedding) - 1.0).abs() < 1e-6);
        // Their squares exceed the range of f32, but not that of f64.
        let large = Embedding::from_output(&[3e30, 4e30], 0).unwrap();
        assert!((large.as_slice()[0] - 0.6).abs() < 1e-6);
    }

    #[test]
    fn a_row_that_is_zero_or_not_finite_is_an_error() {
        for (position, row) in [[0.0, 0.0], [f32::NAN, 1.0], [f32::INFINITY, 1.0]]
            .iter()
            .enumerate()
        {
            let error = Embedding::from_output(row, position).unwrap_err();
            assert!(
                matches!(error, EncodeError::ZeroOrNotFinite { position: p } if p == position),
                "{error}"
            );
        }
    }
}
