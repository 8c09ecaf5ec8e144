//! Which phrases and tags a picture gets. No I/O.
//!
//! The figures were chosen on the sample photos and Flickr8k's dev split (benches/RESULTS.md).
//! Subtracting a bias from phrases that are near every picture, as it is done for captions, was
//! measured to help nowhere: the phrases are all of one kind, and none is near everything.

use std::collections::BTreeMap;

use sightline_index::UnitVector;
use sightline_onnx::Calibration;

use super::labels::Label;
use crate::engine::search::{Confidence, log_odds_of_text};

/// From this cosine on, two phrases say the same: only the better one is shown.
const SAME: f32 = 0.8;

/// From this cosine on, two labels compete for what is seen: "crab" and "lobster".
const RIVALS: f32 = 0.3;

/// A label is dropped if a rival is more likely by these log-odds.
const LEAD: f32 = 1.0;

/// What speaks for no label of a set: a text this many standard deviations above unrelated ones. A
/// set of which no label is nearer says nothing of the picture.
const NO_LABEL: f32 = 2.0;

/// A phrase or label that was chosen: its place, and how near and how likely it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Chosen {
    pub(crate) place: usize,
    pub(crate) similarity: f32,
    pub(crate) confidence: Option<Confidence>,
}

/// The `n` nearest phrases that differ from each other, nearest first.
pub(crate) fn phrases(
    phrases: &[UnitVector],
    picture: &UnitVector,
    calibration: Option<Calibration>,
    n: usize,
) -> Vec<Chosen> {
    let mut order: Vec<(f32, usize)> = similarities(phrases, picture).zip(0..).collect();
    order.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let mut chosen: Vec<Chosen> = Vec::new();
    for (similarity, place) in order {
        if chosen.len() == n {
            break;
        }
        let is_said = |one: &Chosen| phrases[one.place].similarity(&phrases[place]) >= SAME;
        if !chosen.iter().any(is_said) {
            chosen.push(Chosen {
                place,
                similarity,
                confidence: calibration.map(|calibration| {
                    Confidence::of_log_odds(log_odds_of_text(calibration, similarity))
                }),
            });
        }
    }
    chosen
}

/// A label with its vectors, at least one.
pub(crate) struct LabelVectors {
    pub(crate) label: Label,
    /// The vectors of its texts if it is of a set, else only their mean.
    pub(crate) vectors: Vec<UnitVector>,
}

impl LabelVectors {
    /// The largest cosine to a picture, and the log-odds that any of the texts is about it.
    fn compared(&self, picture: &UnitVector, calibration: Calibration) -> (f32, f32) {
        let similarities = || similarities(&self.vectors, picture);
        let similarity = similarities().fold(-1.0, f32::max);
        let log_odds = |similarity| log_odds_of_text(calibration, similarity);
        let most = log_odds(similarity);
        let sum: f32 = similarities().map(|one| (log_odds(one) - most).exp()).sum();
        (similarity, most + sum.ln())
    }

    fn is_rival_of(&self, other: &Self) -> bool {
        let pair = self.vectors.first().zip(other.vectors.first());
        pair.is_some_and(|(own, other)| own.similarity(other) >= RIVALS)
    }
}

/// The labels that a picture has with at least this confidence, 0…1, the most likely first; one of
/// each exclusive set.
///
/// In a set, the texts of all labels and what speaks for none compete (softmax), and the confidence
/// in a label is the share of its texts. So a set can be described by many texts of which one fits:
/// "outdoors" by streets, forests and towers.
pub(crate) fn labels(
    candidates: &[LabelVectors],
    picture: &UnitVector,
    calibration: Calibration,
    min_confidence: f32,
) -> Vec<Chosen> {
    let compared = candidates
        .iter()
        .map(|one| one.compared(picture, calibration));
    let compared: Vec<(f32, f32)> = compared.collect();
    let odds = |place: usize| compared[place].1;
    let choose = |place: usize, confidence| Chosen {
        place,
        similarity: compared[place].0,
        confidence: Some(confidence),
    };
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|&a, &b| odds(b).total_cmp(&odds(a)));
    let mut chosen: Vec<Chosen> = Vec::new();
    let mut sets: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for place in order {
        let candidate = &candidates[place];
        if let Some(set) = candidate.label.set.as_deref() {
            sets.entry(set).or_default().push(place);
            continue;
        }
        let is_beaten = |one: &Chosen| {
            odds(one.place) > odds(place) + LEAD && candidates[one.place].is_rival_of(candidate)
        };
        if !chosen.iter().any(is_beaten) {
            chosen.push(choose(place, Confidence::of_log_odds(odds(place))));
        }
    }
    let none = log_odds_of_text(calibration, calibration.text_picture.cosine(NO_LABEL));
    // The first of each set is the most likely one.
    for places in sets.values() {
        let best = odds(places[0]).max(none);
        let share = |odds: f32| (odds - best).exp();
        let sum: f32 = places.iter().map(|&place| share(odds(place))).sum();
        let confidence = share(odds(places[0])) / (sum + share(none));
        chosen.extend(Confidence::new(confidence).map(|value| choose(places[0], value)));
    }
    let value = |one: &Chosen| one.confidence.map_or(0.0, Confidence::value);
    chosen.retain(|one| value(one) >= min_confidence);
    chosen.sort_by(|a, b| value(b).total_cmp(&value(a)));
    chosen
}

fn similarities<'a>(
    vectors: &'a [UnitVector],
    picture: &'a UnitVector,
) -> impl Iterator<Item = f32> + 'a {
    vectors.iter().map(|vector| vector.similarity(picture))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sightline_onnx::Unrelated;

    fn calibration() -> Calibration {
        let unrelated = Unrelated::new(0.0, 0.1).unwrap();
        Calibration {
            text_picture: unrelated,
            text_text: unrelated,
            picture_picture: unrelated,
        }
    }

    /// A vector of unit length in the plane of the picture, at this cosine to it, on one side.
    fn at(cosine: f32, side: f32) -> UnitVector {
        UnitVector::new(vec![cosine, side * (1.0 - cosine * cosine).sqrt()]).unwrap()
    }

    fn picture() -> UnitVector {
        UnitVector::new(vec![1.0, 0.0]).unwrap()
    }

    fn candidate(set: Option<&str>, name: &str, vectors: &[UnitVector]) -> LabelVectors {
        let label = Label {
            set: set.map(ToOwned::to_owned),
            name: name.to_owned(),
            chinese: None,
            texts: vec![name.to_owned(); vectors.len()],
        };
        let vectors = vectors.to_vec();
        LabelVectors { label, vectors }
    }

    fn places(candidates: &[LabelVectors], min: f32) -> Vec<usize> {
        let found = labels(candidates, &picture(), calibration(), min);
        found.into_iter().map(|one| one.place).collect()
    }

    #[test]
    fn phrases_that_say_the_same_are_shown_once() {
        let vectors = [at(0.6, 1.0), at(0.59, 1.0), at(0.5, -1.0), at(0.45, -1.0)];
        let found = phrases(&vectors, &picture(), Some(calibration()), 3);
        let places: Vec<usize> = found.iter().map(|one| one.place).collect();
        assert_eq!(places, [0, 2]);
        assert!(found[0].confidence > found[1].confidence);
        let found = phrases(&vectors, &picture(), None, 1);
        assert_eq!((found.len(), found[0].confidence), (1, None));
    }

    #[test]
    fn a_label_is_dropped_for_a_rival_that_is_far_more_likely() {
        let candidates = [
            candidate(None, "crab", &[at(0.6, 1.0)]),
            candidate(None, "lobster", &[at(0.5, 1.0)]),
            candidate(None, "beach", &[at(0.5, -1.0)]),
        ];
        assert_eq!(places(&candidates, 0.5), [0, 2]);
        assert_eq!(places(&candidates, 0.99), [0]);
        // One that is nearly as likely stays.
        let candidates = [
            candidate(None, "sheep", &[at(0.5, 1.0)]),
            candidate(None, "lamb", &[at(0.49, 1.0)]),
        ];
        assert_eq!(places(&candidates, 0.5), [0, 1]);
    }

    #[test]
    fn of_a_set_there_is_one_label_or_none() {
        let candidates = [
            candidate(Some("place"), "indoors", &[at(0.2, 1.0), at(0.1, 1.0)]),
            candidate(Some("place"), "outdoors", &[at(0.05, 1.0), at(0.4, 1.0)]),
            candidate(Some("time"), "day", &[at(0.05, 1.0)]),
            candidate(Some("time"), "night", &[at(0.04, 1.0)]),
        ];
        let found = labels(&candidates, &picture(), calibration(), 0.5);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].place, found[0].similarity), (1, 0.4));
        assert!(found[0].confidence.is_some_and(|value| value.value() > 0.9));
        assert_eq!(places(&candidates, 0.0), [1, 2]);
    }
}
