//! The weighted sum of unit vectors.

use std::cmp::Ordering;

use sightline_index::UnitVector;

use crate::engine::error::EngineError;

/// A sum shorter than this share of its weights is what rounding left of nothing.
const MIN_LENGTH: f64 = 1e-3;

/// The weighted sum of unit vectors, scaled to unit length; a single vector that is added is
/// returned as it is. `None` where they cancel out. The same in whatever order they are given, to
/// the last bit, so that a query has the same hits however it is written.
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
    let mut in_order: Vec<&(f32, UnitVector)> = vectors.iter().collect();
    in_order.sort_by(|a, b| compared(a, b));
    for (weight, vector) in in_order {
        for (sum, value) in sum.iter_mut().zip(vector.as_slice()) {
            *sum += f64::from(*weight) * f64::from(*value);
        }
    }
    let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
    let weights = vectors.iter().map(|(weight, _)| f64::from(weight.abs()));
    let weights: f64 = weights.sum();
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

/// An order of the terms of a sum.
fn compared((weight, vector): &(f32, UnitVector), other: &(f32, UnitVector)) -> Ordering {
    let values = vector.as_slice().iter().zip(other.1.as_slice());
    let by_values = values.map(|(value, other)| value.total_cmp(other));
    let mut all = std::iter::once(weight.total_cmp(&other.0)).chain(by_values);
    all.find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
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
            prop_assert_eq!(combined(&parts).unwrap(), combined(&reversed).unwrap());
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
