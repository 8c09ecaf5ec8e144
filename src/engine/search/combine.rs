//! The weighted sum of unit vectors.

use sightline_index::UnitVector;

use crate::engine::error::EngineError;

/// A sum shorter than this share of its weights is what rounding left of nothing.
const MIN_LENGTH: f64 = 1e-3;

/// The weighted sum of unit vectors, scaled to unit length; a single vector that is added is
/// returned as it is. `None` where they cancel out.
///
/// # Errors
/// When the sum is not finite.
pub(super) fn combined(vectors: &[(f32, UnitVector)]) -> Result<Option<UnitVector>, EngineError> {
    if let [(weight, vector)] = vectors
        && *weight > 0.0
    {
        return Ok(Some(vector.clone()));
    }
    let dimension = vectors
        .first()
        .map_or(0, |(_, vector)| vector.as_slice().len());
    let mut sum = vec![0.0_f64; dimension];
    for (weight, vector) in vectors {
        for (sum, value) in sum.iter_mut().zip(vector.as_slice()) {
            *sum += f64::from(*weight) * f64::from(*value);
        }
    }
    let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
    let weights: f64 = vectors
        .iter()
        .map(|(weight, _)| f64::from(weight.abs()))
        .sum();
    if length <= MIN_LENGTH * weights {
        return Ok(None);
    }
    #[expect(clippy::cast_possible_truncation, reason = "the index compares f32")]
    let scaled = sum
        .into_iter()
        .map(|value| (value / length) as f32)
        .collect();
    Ok(Some(UnitVector::new(scaled)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(values: &[f32]) -> UnitVector {
        let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
        UnitVector::new(values.iter().map(|value| value / length).collect()).unwrap()
    }

    fn vectors() -> impl Strategy<Value = Vec<(f32, UnitVector)>> {
        let vector = prop::collection::vec(-1.0_f32..1.0, 8)
            .prop_filter("no direction", |values| {
                values.iter().any(|v| v.abs() > 0.1)
            })
            .prop_map(|values| unit(&values));
        prop::collection::vec((0.1_f32..3.0, vector), 2..6)
    }

    fn cosine(a: &UnitVector, b: &UnitVector) -> f32 {
        a.as_slice()
            .iter()
            .zip(b.as_slice())
            .map(|(a, b)| a * b)
            .sum()
    }

    proptest! {
        #[test]
        fn the_order_of_parts_does_not_matter(parts in vectors()) {
            let reversed: Vec<_> = parts.iter().rev().cloned().collect();
            let (a, b) = (combined(&parts).unwrap(), combined(&reversed).unwrap());
            prop_assert_eq!(a.is_some(), b.is_some());
            if let Some((a, b)) = a.zip(b) {
                prop_assert!(cosine(&a, &b) > 0.999_999);
            }
        }

        #[test]
        fn adding_a_query_to_itself_changes_nothing(parts in vectors()) {
            if let Some(once) = combined(&parts).unwrap() {
                let twice = [parts.clone(), parts].concat();
                prop_assert!(cosine(&once, &combined(&twice).unwrap().unwrap()) > 0.999_999);
                let again = combined(&[(1.0, once.clone()), (1.0, once.clone())]).unwrap();
                prop_assert!(cosine(&once, &again.unwrap()) > 0.999_999);
            }
        }

        #[test]
        fn what_is_subtracted_becomes_less_similar(parts in vectors(), weight in 0.1_f32..1.0) {
            let (_, unwanted) = parts[0].clone();
            let wanted = combined(&parts[1..]).unwrap();
            if let Some(wanted) = wanted {
                let less = combined(&[(1.0, wanted.clone()), (-weight, unwanted.clone())]).unwrap();
                if let Some(less) = less {
                    let (before, after) = (cosine(&wanted, &unwanted), cosine(&less, &unwanted));
                    prop_assert!(after <= before + 1e-6, "{before} to {after}");
                }
            }
        }
    }

    #[test]
    fn parts_that_cancel_out_have_no_sum() {
        let x = unit(&[3.0, 4.0, 0.1]);
        assert_eq!(
            combined(&[(1.0, x.clone()), (-1.0, x.clone())]).unwrap(),
            None
        );
        assert_eq!(
            combined(&[(0.3, x.clone()), (0.2, x.clone()), (-0.5, x.clone())]).unwrap(),
            None
        );
        assert!(
            combined(&[(1.0, x.clone()), (-0.5, x.clone())])
                .unwrap()
                .is_some()
        );
        let alone = combined(&[(7.0, x.clone())]).unwrap().unwrap();
        assert_eq!(alone.as_slice(), x.as_slice(), "to the last bit");
    }
}
