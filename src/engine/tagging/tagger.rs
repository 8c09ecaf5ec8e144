//! Labels with their vectors, ready to be compared with pictures.

use sightline_index::{IndexReader, UnitVector};
use sightline_onnx::Calibration;

use super::request::{LabelReport, Tag, TagRequest};
use crate::engine::bank::choice::LabelVectors;
use crate::engine::bank::labels::Label;
use crate::engine::bank::{Bank, BankPart, choice, contents, labels};
use crate::engine::error::EngineError;
use crate::engine::isolate;
use crate::engine::report::{BankReport, OnProgress};
use crate::engine::search::QueryEncoder;
use crate::engine::{Encoders, LanguageHint};

/// Tags pictures by their vectors.
pub(super) struct Tagger {
    candidates: Vec<LabelVectors>,
    calibration: Calibration,
    in_chinese: bool,
}

impl Tagger {
    /// For the labels of a request; `None` when `progress` breaks. The index's language is that of
    /// the encoder's hint. Labels that the model does not know are left out: what it returns for
    /// them says nothing about a picture.
    pub(super) fn new(
        encoder: QueryEncoder<'_>,
        bank: &Bank,
        request: &TagRequest,
        progress: &mut OnProgress<'_>,
    ) -> Result<Option<(Self, BankReport, LabelReport)>, EngineError> {
        let language = request.language.or(encoder.hint.usual);
        let in_chinese = language.is_some_and(|language| language.code() == "zh");
        let Some(file) = &request.labels else {
            let found = Self::of_bank(encoder.encoders, bank, in_chinese, progress)?;
            return Ok(found.map(|(tagger, bank)| (tagger, bank, LabelReport::default())));
        };
        let hint = LanguageHint {
            asked: request.language,
            ..encoder.hint
        };
        let with_photos = |label: Label| {
            if hint.is_english(&label.name) {
                label.photographed()
            } else {
                label
            }
        };
        let (labels, repeated) = labels::read_file(file)?;
        let (mut known, mut unknown) = (Vec::with_capacity(labels.len()), Vec::new());
        for label in labels {
            if encoder.encoders.reading(&label.name, hint)?.is_known {
                known.push(with_photos(label));
            } else {
                unknown.push(label.name);
            }
        }
        if known.is_empty() {
            return Err(EngineError::BadLabels {
                path: file.clone(),
                what: "the model knows none of the labels".to_owned(),
            });
        }
        let labels = known;
        let texts: Vec<&str> = labels
            .iter()
            .flat_map(|label| label.texts.iter().map(String::as_str))
            .collect();
        let calibration = calibration(encoder.encoders)?;
        let mut vectors = Vec::with_capacity(texts.len());
        for embedding in isolate::texts(encoder.encoders, &texts, hint)? {
            vectors.push(UnitVector::new(embedding?)?);
        }
        let tagger = Self {
            candidates: candidates(labels, &vectors)?,
            calibration,
            in_chinese: false,
        };
        let report = LabelReport { repeated, unknown };
        Ok(Some((tagger, BankReport::default(), report)))
    }

    /// For the tags of the bank.
    fn of_bank(
        encoders: &Encoders,
        bank: &Bank,
        in_chinese: bool,
        progress: &mut OnProgress<'_>,
    ) -> Result<Option<(Self, BankReport)>, EngineError> {
        let calibration = calibration(encoders)?;
        let Some((vectors, report)) = bank.vectors(BankPart::Tags, encoders, progress)? else {
            return Ok(None);
        };
        let tagger = Self {
            candidates: candidates(contents::tags(), &vectors)?,
            calibration,
            in_chinese,
        };
        Ok(Some((tagger, report)))
    }

    /// For the tags of the bank, in the language of an index.
    pub(super) fn for_index(
        reader: &IndexReader,
        encoders: &Encoders,
        bank: &Bank,
        progress: &mut OnProgress<'_>,
    ) -> Result<Option<(Self, BankReport)>, EngineError> {
        let in_chinese = reader.language().code() == "zh";
        Self::of_bank(encoders, bank, in_chinese, progress)
    }

    /// The tags of a picture of at least this confidence, the most likely first.
    pub(super) fn tags(&self, picture: &UnitVector, min_confidence: f32) -> Vec<Tag> {
        let Self {
            candidates,
            calibration,
            in_chinese,
        } = self;
        let chosen = choice::labels(candidates, picture, *calibration, min_confidence);
        let tag = |chosen: choice::Chosen| {
            let label = &candidates[chosen.place].label;
            let chinese = label.chinese.as_ref().filter(|_| *in_chinese);
            Some(Tag {
                name: chinese.unwrap_or(&label.name).clone(),
                set: label.set.clone(),
                similarity: chosen.similarity,
                confidence: chosen.confidence?,
            })
        };
        chosen.into_iter().filter_map(tag).collect()
    }
}

/// What the model's cosines mean: without that, nothing says which tags are likely.
fn calibration(encoders: &Encoders) -> Result<Calibration, EngineError> {
    encoders
        .calibration()
        .ok_or_else(|| EngineError::TagsNotCalibrated {
            model: encoders.identity().name.clone(),
        })
}

/// The labels with their vectors. `vectors`: those of the texts of all labels, in order.
fn candidates(
    labels: Vec<Label>,
    vectors: &[UnitVector],
) -> Result<Vec<LabelVectors>, EngineError> {
    let mut rest = vectors;
    let mut candidates = Vec::with_capacity(labels.len());
    for label in labels {
        let (own, others) = rest.split_at(label.texts.len().min(rest.len()));
        rest = others;
        let vectors = match label.set {
            Some(_) => own.to_vec(),
            None => vec![mean(own)?],
        };
        candidates.push(LabelVectors { label, vectors });
    }
    Ok(candidates)
}

/// The mean of some vectors, scaled to unit length.
fn mean(vectors: &[UnitVector]) -> Result<UnitVector, EngineError> {
    let dimension = vectors.first().map_or(0, |first| first.as_slice().len());
    let mut sum = vec![0.0f32; dimension];
    for vector in vectors {
        for (sum, value) in sum.iter_mut().zip(vector.as_slice()) {
            *sum += value;
        }
    }
    let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt();
    match vectors {
        // Texts that cancel out have no mean; the first one stands for them.
        [first, ..] if length < 1e-3 => Ok(first.clone()),
        _ => Ok(UnitVector::new(
            sum.iter().map(|value| value / length).collect(),
        )?),
    }
}
