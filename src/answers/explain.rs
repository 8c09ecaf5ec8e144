//! The answer of `explain`.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::{PathAnswer, each};
use crate::engine::{
    Confidence, Explanation, Heat, Ninth, SeenPart, Strength, TextLanguage, WordEffect,
};

/// Which parts of a picture and which words of a text make them match.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
pub struct ExplainAnswer<'a> {
    image: PathAnswer<'a>,
    text: &'a str,
    #[serde(flatten)]
    explanation: ExplanationAnswer<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overlay: Option<String>,
}

impl<'a> ExplainAnswer<'a> {
    /// The explanation of this picture, `-` for one without a file, and text.
    #[must_use]
    pub fn new(image: &'a Path, text: &'a str, explanation: &'a Explanation) -> Self {
        Self {
            image: image.into(),
            text,
            explanation: explanation.into(),
            overlay: None,
        }
    }

    /// The same with the picture and the heat map over it, the content of a PNG file.
    #[must_use]
    pub fn with_overlay(self, png: &[u8]) -> Self {
        Self {
            overlay: Some(format!("data:image/png;base64,{}", STANDARD.encode(png))),
            ..self
        }
    }
}

answers! {
    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct ExplanationAnswer<'a> from explanation in &'a Explanation {
        similarity: f32 = explanation.similarity,
        confidence: Option<f32> = explanation.confidence.map(Confidence::value),
        #[cfg_attr(feature = "serve", schema(value_type = Option<String>))]
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

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct SeenAnswer from seen in SeenPart {
        left: f32 = seen.left,
        top: f32 = seen.top,
        right: f32 = seen.right,
        bottom: f32 = seen.bottom,
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct GridAnswer<'a> from heat in &'a Heat {
        columns: usize = heat.side,
        rows: usize = heat.side,
        values: &'a [f32] = &heat.values,
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct NinthAnswer from ninth in Ninth {
        place: &'static str = ninth.name,
        share: f32 = ninth.share,
    }

    #[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
    struct WordAnswer<'a> from effect in &'a WordEffect {
        word: &'a str = &effect.word,
        support: f32 = effect.support,
    }
}
