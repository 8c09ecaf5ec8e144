//! The answer of `explain`.

use std::path::Path;

use serde::Serialize;

use super::{PathAnswer, each};
use crate::engine::{
    Confidence, Explanation, Heat, Ninth, SeenPart, Strength, TextLanguage, WordEffect,
};

/// Which parts of a picture and which words of a text make them match.
#[derive(Debug, Clone, Serialize)]
pub struct ExplainAnswer<'a> {
    image: PathAnswer<'a>,
    text: &'a str,
    #[serde(flatten)]
    explanation: ExplanationAnswer<'a>,
}

impl<'a> ExplainAnswer<'a> {
    /// The explanation of this picture, `-` for one without a file, and text.
    #[must_use]
    pub fn new(image: &'a Path, text: &'a str, explanation: &'a Explanation) -> Self {
        Self {
            image: image.into(),
            text,
            explanation: explanation.into(),
        }
    }
}

answers! {
    struct ExplanationAnswer<'a> from explanation in &'a Explanation {
        similarity: f32 = explanation.similarity,
        confidence: Option<f32> = explanation.confidence.map(Confidence::value),
        strength: Option<Strength> = explanation.confidence.map(Confidence::strength),
        known_to_model: bool = explanation.reading.is_known,
        language: Option<&'static str> =
            explanation.reading.language.map(TextLanguage::code),
        text_tower: Option<usize> = explanation.reading.tower,
        seen: SeenAnswer = explanation.heat.seen.into(),
        grid: GridAnswer<'a> = (&explanation.heat).into(),
        places: Vec<NinthAnswer> = explanation.heat.places().map(Into::into).into(),
        strongest: Vec<&'static str> =
            explanation.heat.strongest().iter().map(|place| place.name).collect(),
        words: Vec<WordAnswer<'a>> = each(&explanation.words),
        encoded: usize = explanation.n_encoded,
        took_ms: f64 = (explanation.elapsed.as_secs_f64() * 1e4).round() / 10.0,
    }

    struct SeenAnswer from seen in SeenPart {
        left: f32 = seen.left,
        top: f32 = seen.top,
        right: f32 = seen.right,
        bottom: f32 = seen.bottom,
    }

    struct GridAnswer<'a> from heat in &'a Heat {
        columns: usize = heat.side,
        rows: usize = heat.side,
        values: &'a [f32] = &heat.values,
    }

    struct NinthAnswer from ninth in Ninth {
        place: &'static str = ninth.name,
        share: f32 = ninth.share,
    }

    struct WordAnswer<'a> from effect in &'a WordEffect {
        word: &'a str = &effect.word,
        support: f32 = effect.support,
    }
}
