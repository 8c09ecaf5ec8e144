//! Unit vectors, checked once on entry so that nothing inside has to check them again.

use crate::graph::distance;

/// Vectors whose length differs from 1 by more than this are refused instead of scaled.
const LENGTH_TOLERANCE: f64 = 1e-3;

/// Vectors this close to unit length are not scaled, so that a stored vector is returned bit for
/// bit.
const LENGTH_EXACT: f64 = 1e-6;

/// A vector of unit length: shape `[dimension]`, f32, every value finite.
///
/// The similarity of two unit vectors is their inner product, the cosine of the angle between them.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitVector {
    values: Box<[f32]>,
}

/// Why values are not a unit vector.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VectorError {
    /// There are no values.
    #[error("a vector needs at least one value")]
    Empty,
    /// A value is infinite or not a number.
    #[error("value {position} of the vector is not a finite number")]
    NotFinite {
        /// Position of the value, from 0.
        position: usize,
    },
    /// The length differs from 1 by more than 0.001.
    #[error("the vector has length {length}, expected 1")]
    NotUnit {
        /// The Euclidean length.
        length: f64,
    },
}

impl UnitVector {
    /// A unit vector of `values`, scaled to length 1 if its length is within 0.001 of it.
    ///
    /// # Errors
    /// When `values` is empty, holds a value that is not finite, or is not of unit length.
    pub fn new(mut values: Vec<f32>) -> Result<Self, VectorError> {
        if values.is_empty() {
            return Err(VectorError::Empty);
        }
        if let Some(position) = values.iter().position(|value| !value.is_finite()) {
            return Err(VectorError::NotFinite { position });
        }
        let length = values
            .iter()
            .map(|&value| f64::from(value) * f64::from(value))
            .sum::<f64>()
            .sqrt();
        let off = (length - 1.0).abs();
        if off > LENGTH_TOLERANCE {
            return Err(VectorError::NotUnit { length });
        }
        if off > LENGTH_EXACT {
            for value in &mut values {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the quotient is rounded to f32 on purpose"
                )]
                let scaled = (f64::from(*value) / length) as f32;
                *value = scaled;
            }
        }
        Ok(Self {
            values: values.into_boxed_slice(),
        })
    }

    /// The values, shape `[dimension]`.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.values
    }

    /// The number of values.
    pub(crate) fn dimension(&self) -> usize {
        self.values.len()
    }

    /// Cosine of the angle to `other`, −1…1. Values beyond the shorter of the two vectors are
    /// ignored.
    #[must_use]
    pub fn similarity(&self, other: &Self) -> f32 {
        distance::dot(&self.values, &other.values).clamp(-1.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_a_unit_vector() {
        assert_eq!(UnitVector::new(vec![]), Err(VectorError::Empty));
        assert_eq!(
            UnitVector::new(vec![1.0, f32::NAN]),
            Err(VectorError::NotFinite { position: 1 })
        );
        assert_eq!(
            UnitVector::new(vec![f32::INFINITY]),
            Err(VectorError::NotFinite { position: 0 })
        );
        assert!(matches!(
            UnitVector::new(vec![0.0, 0.0]),
            Err(VectorError::NotUnit { .. })
        ));
        assert!(matches!(
            UnitVector::new(vec![1.0, 1.0]),
            Err(VectorError::NotUnit { .. })
        ));
        assert!(matches!(
            UnitVector::new(vec![1e30, 1e30]),
            Err(VectorError::NotUnit { .. })
        ));
    }

    #[test]
    fn scales_what_is_nearly_one_and_keeps_what_is_one() {
        let scaled = UnitVector::new(vec![0.6003, 0.8004]).unwrap();
        assert!((scaled.similarity(&scaled) - 1.0).abs() < 1e-6);
        let again = UnitVector::new(scaled.as_slice().to_vec()).unwrap();
        assert_eq!(scaled, again);
        assert_eq!(scaled.dimension(), 2);
    }
}
