//! What is asked of an explanation, and its answer.

use std::path::PathBuf;
use std::time::Duration;

use image::RgbImage;
use sightline_onnx::Language as TextLanguage;

use super::heat::Heat;
use crate::engine::report::Reading;
use crate::engine::search::Confidence;

/// Asks which parts of a picture and which words of a text make them match.
#[derive(Debug, Clone)]
pub struct ExplainRequest {
    /// The picture, which need not be indexed.
    pub picture: ExplainedPicture,
    /// The text, taken as it stands.
    pub text: String,
    /// The language of the text; without one, it is detected.
    pub language: Option<TextLanguage>,
    /// The longest side in pixels of the picture to draw the heat map over; `None` draws none.
    pub overlay: Option<u32>,
}

/// Where a picture to explain comes from.
#[derive(Debug, Clone)]
pub enum ExplainedPicture {
    /// This file.
    File(PathBuf),
    /// These bytes of a picture file.
    Bytes(Vec<u8>),
}

/// Which parts of a picture and which words of a text make them match.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// Cosine of text and picture, −1…1.
    pub similarity: f32,
    /// What that means, from the picture alone, as of a picture without captions and keywords;
    /// `None` of an uncalibrated model, and of a text that the model does not know.
    pub confidence: Option<Confidence>,
    /// What the model makes of the text.
    pub reading: Reading,
    /// By how much each part of the picture counts.
    pub heat: Heat,
    /// The words of the text in order, at most 64; empty for a text of one word.
    pub words: Vec<WordEffect>,
    /// Copies of the picture that were encoded.
    pub n_encoded: usize,
    /// The picture with the heat map over it, if that was asked for.
    pub overlay: Option<RgbImage>,
    /// Time from reading the picture to the end.
    pub elapsed: Duration,
}

/// A word and what it does for the similarity.
#[derive(Debug, Clone, PartialEq)]
pub struct WordEffect {
    /// The word as it stands in the text.
    pub word: String,
    /// By how much the similarity falls when the word is left out. Below 0, the picture is nearer
    /// to the text without it.
    pub support: f32,
}
