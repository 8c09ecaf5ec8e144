//! How likely a picture is what was asked for, from all that is known of it. No I/O.
//!
//! The similarities of a query to the picture and to its nearest caption, and the share of the
//! query's words that were found, are weighed as logistic regressions weigh them that were fitted
//! to right and wrong photos of Flickr8k's dev split (`onnx/starter/train/evidence.py`). One
//! regression is for photos without captions and one for those with some: a caption about something
//! else speaks against a photo, a missing one does not. So neither kind buries the other, which
//! fusing by rank alone would do (benches/RESULTS.md).
//!
//! Similarities are taken in standard deviations of unrelated pairs ([`Calibration`]), so the
//! weights hold for models whose cosines lie on other scales.

use serde::Serialize;
use sightline_onnx::{Calibration, Unrelated};

/// Weights for the similarity to a picture of which nothing else is known.
const PICTURE: f32 = 2.26;
const PICTURE_BASE: f32 = -7.54;

/// Weights for a picture of which words match: the similarity, and the share of the query found.
const WITH_WORDS: f32 = 1.84;
const WORDS: f32 = 4.94;
const WITH_WORDS_BASE: f32 = -7.52;

/// From [`WELL_MATCHED`] to all of the query, words count for up to this much more. A query whose
/// words are all in a name or a camera is as likely meant as a text as it is meant as a
/// description, so both kinds of hits stand side by side. Descriptions as long as those that the
/// weights were fitted to are hardly ever matched whole.
const ALL_WORDS: f32 = 5.2;

/// From this share of its words on, a query is matched well.
const WELL_MATCHED: f32 = 0.8;

/// Weights for a picture with captions: the similarities to the picture and to the nearest caption,
/// and the share of the query found.
const PICTURE_OF_CAPTION: f32 = 0.85;
const CAPTION: f32 = 1.40;
const CAPTION_WORDS: f32 = 0.18;
const CAPTION_BASE: f32 = -8.60;

/// The share of the query found, beside the similarity to a mixture with a picture. Words that a
/// picture is to be mixed with say little alone: half of the collection may have been taken “at
/// night”.
const WORDS_BESIDE_A_PICTURE: f32 = 1.0;

/// Weights for a caption in view of a text: the similarity, and the share of the text's words that
/// were found. Fitted to captions of the same photo among 5,000; the share says next to nothing
/// beside the similarity, and counts just enough to put the one with the words first among similar
/// captions.
const TEXT: f32 = 1.73;
const TEXT_WORDS: f32 = 1.0;
const TEXT_BASE: f32 = -10.30;

/// A caption may say nothing about what is seen. It costs at most this many log-odds …
const USELESS_CAPTION: f32 = 2.0;

/// … and the nearer the caption is to the query, the less likely that is: from the first similarity
/// on less, from the second on nothing.
const NEAR_CAPTION: (f32, f32) = (4.0, 6.0);

/// The similarity of equal texts, in standard deviations of unrelated ones, of the model that the
/// weights were fitted to. Other models are brought to it: some put all texts near each other.
const EQUAL_TEXTS: f32 = 8.03;

/// How likely a hit is, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    /// Most such hits are right.
    Strong,
    /// About as many are right as wrong.
    Fair,
    /// Most are wrong, but some are right.
    Weak,
    /// Nearly all are wrong.
    Unlikely,
}

impl Strength {
    /// Whether at least about as many such hits are right as wrong.
    #[must_use]
    pub fn is_likely(self) -> bool {
        matches!(self, Self::Strong | Self::Fair)
    }

    /// `strong`, `fair`, `weak` or `unlikely`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strong => "strong",
            Self::Fair => "fair",
            Self::Weak => "weak",
            Self::Unlikely => "unlikely",
        }
    }
}

/// How likely a hit is what was asked for, 0…1, for a collection in which about one picture in a
/// hundred is, or one caption in a thousand: see [`Strength`].
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Confidence(f32);

impl Confidence {
    /// `None` unless it is 0…1.
    #[must_use]
    pub fn new(value: f32) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    pub(in crate::engine) fn of_log_odds(log_odds: f32) -> Self {
        Self(1.0 / (1.0 + (-log_odds).exp()))
    }

    /// 0…1.
    #[must_use]
    pub fn value(self) -> f32 {
        self.0
    }

    /// In words.
    #[must_use]
    pub fn strength(self) -> Strength {
        match self.0 {
            value if value >= Self::STRONG => Strength::Strong,
            value if value >= Self::FAIR => Strength::Fair,
            value if value >= Self::WEAK => Strength::Weak,
            _ => Strength::Unlikely,
        }
    }

    /// The lowest strong confidence. The bounds were chosen by the share of right hits above them
    /// (benches/RESULTS.md).
    pub const STRONG: f32 = 0.73;

    /// The lowest fair confidence.
    pub const FAIR: f32 = 0.27;

    /// The lowest weak confidence.
    pub const WEAK: f32 = 0.05;
}

/// What is known of a picture in view of a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Evidence {
    /// Cosine of query and picture, less what it owes to being a hub.
    pub(super) picture: f32,
    /// Cosine of query and nearest caption; `None` without captions.
    pub(super) caption: Option<f32>,
    /// Share of the query's words that were found, 0…1.
    pub(super) coverage: f32,
}

/// What the query is, which decides how its cosines are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A text.
    Words,
    /// A picture, or a mixture with one.
    Picture,
}

/// Turns evidence into log-odds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    asked: Asked,
    picture: Unrelated,
    caption: Unrelated,
}

impl Scale {
    /// The scale for a query.
    pub(super) fn new(calibration: Calibration, asked: Asked) -> Self {
        let Calibration {
            text_picture,
            text_text,
            picture_picture,
        } = calibration;
        match asked {
            Asked::Words => Self {
                asked,
                picture: text_picture,
                caption: {
                    let deviation = (1.0 - text_text.mean()) / EQUAL_TEXTS;
                    Unrelated::new(text_text.mean(), deviation).unwrap_or(text_text)
                },
            },
            Asked::Picture => Self {
                asked,
                picture: picture_picture,
                caption: text_picture,
            },
        }
    }

    /// Natural logarithm of the odds that the picture is what was asked for. Falls with none of the
    /// evidence.
    pub(super) fn log_odds(self, evidence: Evidence) -> f32 {
        let Evidence {
            picture,
            caption,
            coverage,
        } = evidence;
        let picture = self.picture.standard(picture);
        let alone = PICTURE * picture + PICTURE_BASE;
        if self.asked == Asked::Picture {
            return alone + WORDS_BESIDE_A_PICTURE * coverage;
        }
        let all_words = all_words(coverage);
        let with_words = WITH_WORDS * picture + WORDS * coverage + all_words + WITH_WORDS_BASE;
        let without_caption = if coverage > 0.0 {
            alone.max(with_words)
        } else {
            alone
        };
        let log_odds = match caption {
            None => without_caption,
            Some(caption) => {
                let caption = self.caption(caption);
                let words = CAPTION_WORDS * coverage;
                let both = PICTURE_OF_CAPTION * picture + CAPTION * caption + words + CAPTION_BASE;
                let (from, to) = NEAR_CAPTION;
                let is_near = ((caption - from) / (to - from)).clamp(0.0, 1.0);
                both.max(without_caption - USELESS_CAPTION * (1.0 - is_near))
            }
        };
        at_least_fair_if_matched(log_odds, coverage)
    }

    /// The similarity of a caption, 0 for unrelated ones.
    pub(super) fn caption(self, cosine: f32) -> f32 {
        self.caption.standard(cosine)
    }

    /// The confidence in a picture.
    pub(super) fn confidence(self, evidence: Evidence) -> Confidence {
        Confidence::of_log_odds(self.log_odds(evidence))
    }

    /// The confidence in a caption in view of a text: its cosine, and the share of the text's words
    /// found in it.
    pub(super) fn confidence_in_text(self, cosine: f32, coverage: f32) -> Confidence {
        let words = TEXT_WORDS * coverage + all_words(coverage);
        let log_odds = TEXT * self.caption(cosine) + words + TEXT_BASE;
        Confidence::of_log_odds(at_least_fair_if_matched(log_odds, coverage))
    }

    /// The confidence in a caption found by its similarity to a picture.
    pub(super) fn confidence_in_caption(self, cosine: f32) -> Confidence {
        Confidence::of_log_odds(PICTURE * self.caption(cosine) + PICTURE_BASE)
    }
}

/// What a query that is matched well counts for beyond the share of its words.
fn all_words(coverage: f32) -> f32 {
    (coverage - WELL_MATCHED).max(0.0) / (1.0 - WELL_MATCHED) * ALL_WORDS
}

fn at_least_fair_if_matched(log_odds: f32, coverage: f32) -> f32 {
    if coverage >= WELL_MATCHED {
        log_odds.max(log_odds_of(Confidence::FAIR))
    } else {
        log_odds
    }
}

/// The confidence in a picture of which nothing but its similarity to a text is known.
pub(in crate::engine) fn confidence_in_picture(
    calibration: Calibration,
    similarity: f32,
) -> Confidence {
    Confidence::of_log_odds(log_odds_of_text(calibration, similarity))
}

/// Log-odds that a text is about a picture of which nothing else is known, from their cosine.
pub(in crate::engine) fn log_odds_of_text(calibration: Calibration, cosine: f32) -> f32 {
    PICTURE * calibration.text_picture.standard(cosine) + PICTURE_BASE
}

fn log_odds_of(probability: f32) -> f32 {
    (probability / (1.0 - probability)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One with a gap between texts and pictures, as CLIP has it.
    fn with_gap() -> Calibration {
        let unrelated = |mean, deviation| Unrelated::new(mean, deviation).unwrap();
        Calibration {
            text_picture: unrelated(0.15, 0.03),
            text_text: unrelated(0.6, 0.09),
            picture_picture: unrelated(0.5, 0.1),
        }
    }

    fn of_text() -> Scale {
        Scale::new(with_gap(), Asked::Words)
    }

    fn evidence(picture: f32, caption: Option<f32>, coverage: f32) -> Evidence {
        Evidence {
            picture,
            caption,
            coverage,
        }
    }

    #[test]
    fn a_picture_without_captions_is_not_buried_by_captions_about_something_else() {
        let scale = of_text();
        let right = evidence(0.29, None, 0.0);
        // The gap between the kinds puts every caption above every picture by cosine alone.
        let wrong = evidence(0.2, Some(0.66), 0.2);
        let captioned = evidence(0.29, Some(0.9), 0.5);
        assert!(scale.log_odds(right) > scale.log_odds(wrong));
        assert!(scale.log_odds(captioned) > scale.log_odds(right));
    }

    #[test]
    fn a_useless_caption_costs_a_picture_a_limited_amount() {
        let scale = of_text();
        for picture in [0.2, 0.25, 0.3, 0.35] {
            let alone = scale.log_odds(evidence(picture, None, 0.0));
            let captioned = scale.log_odds(evidence(picture, Some(0.3), 0.0));
            assert!(captioned >= alone - USELESS_CAPTION - 1e-4, "{picture}");
        }
    }

    #[test]
    fn a_hit_that_matches_the_words_well_is_at_least_fair() {
        let scale = of_text();
        let unlike = evidence(0.05, Some(0.4), WELL_MATCHED);
        let confidence = scale.confidence(unlike);
        assert!(confidence.value() >= Confidence::FAIR, "{confidence:?}");
        let unmatched = evidence(0.05, Some(0.4), 0.0);
        assert_eq!(scale.confidence(unmatched).strength(), Strength::Unlikely);
    }

    #[test]
    fn the_words_for_confidences_follow_its_bounds() {
        let strengths = [0.0, 0.05, 0.27, 0.73, 1.0].map(|value| {
            let confidence = Confidence::new(value).unwrap();
            confidence.strength()
        });
        let expected = [
            Strength::Unlikely,
            Strength::Weak,
            Strength::Fair,
            Strength::Strong,
            Strength::Strong,
        ];
        assert_eq!(strengths, expected);
        for value in [-0.1, 1.1, f32::NAN] {
            assert_eq!(Confidence::new(value), None);
        }
    }

    proptest! {
        #[test]
        fn more_evidence_never_lowers_the_odds(
            picture in -1.0f32..1.0,
            caption in proptest::option::of(-1.0f32..1.0),
            coverage in 0.0f32..=1.0,
            more in 0.0f32..0.5,
        ) {
            let scale = of_text();
            let log_odds = scale.log_odds(evidence(picture, caption, coverage));
            let better = [
                evidence(picture + more, caption, coverage),
                evidence(picture, caption.map(|caption| caption + more), coverage),
                evidence(picture, caption, (coverage + more).min(1.0)),
            ];
            for evidence in better {
                prop_assert!(scale.log_odds(evidence) >= log_odds - 1e-3, "{evidence:?}");
            }
            let in_text = |cosine, coverage| scale.confidence_in_text(cosine, coverage).value();
            let least = in_text(picture, coverage) - 1e-6;
            prop_assert!(in_text(picture + more, coverage) >= least);
            prop_assert!(in_text(picture, (coverage + more).min(1.0)) >= least);
        }
    }
}
