//! What `bench` and `eval` measured, and the embeddings of `embed`.

use std::borrow::Cow;
use std::path::Path;

use serde::Serialize;

use super::{PathAnswer, SkippedAnswer, each};
use crate::engine::bench::{BenchReport, BenchRound, CpuTimes};
use crate::engine::{Evaluation, Recalls};

/// The answer of `bench`.
#[derive(Debug, Clone, Serialize)]
pub struct BenchAnswer<'a> {
    model: &'a str,
    device: &'a str,
    pictures: usize,
    bytes: u64,
    skipped: usize,
    load_seconds: f64,
    encode: Option<f64>,
    decode: Option<f64>,
    index: f64,
    ideal: Option<f64>,
    ratio: Option<f64>,
    batch_size: Option<usize>,
    starved: f64,
    finish_share: f64,
    peak_memory: Option<u64>,
    memory: Vec<MemoryAnswer>,
    rounds: Vec<RoundAnswer>,
}

impl<'a> BenchAnswer<'a> {
    /// What was measured of this model on this device.
    #[must_use]
    pub fn new(report: &BenchReport, model: &'a str, device: &'a str) -> Self {
        let with_both = report.rounds.iter().all(|round| round.encode > 0.0);
        let last = report.rounds.last();
        let memory = report.memory.iter();
        Self {
            model,
            device,
            pictures: report.n_pictures,
            bytes: report.n_bytes,
            skipped: report.n_skipped,
            load_seconds: report.load.as_secs_f64(),
            encode: measured(report.median(|round| round.encode)),
            decode: measured(report.median(|round| round.decode)),
            index: report.median(|round| round.index),
            ideal: measured(report.median(BenchRound::ideal)),
            ratio: with_both.then(|| report.median(BenchRound::ratio)),
            batch_size: last.and_then(|round| round.encoding.batch_size),
            starved: report.median(|round| round.encoding.starved()),
            finish_share: report.median(|round| round.finish_share),
            peak_memory: report.peak_memory,
            memory: memory.map(Into::into).collect(),
            rounds: each(&report.rounds),
        }
    }
}

answers! {
    struct MemoryAnswer from (pictures, bytes) in (&usize, &u64) {
        pictures: usize = *pictures,
        bytes: u64 = *bytes,
    }

    struct RoundAnswer from round in &BenchRound {
        encode: Option<f64> = measured(round.encode),
        decode: Option<f64> = measured(round.decode),
        index: f64 = round.index,
        cpu_ms: Option<CpuAnswer> = round.cpu_ms.map(Into::into),
        batch_size: Option<usize> = round.encoding.batch_size,
        batches: usize = round.encoding.n_batches,
        encoded: usize = round.encoding.n_encoded,
        starved_batches: usize = round.encoding.n_starved,
        waited_seconds: f64 = round.encoding.waited.as_secs_f64(),
        encoding_seconds: f64 = round.encoding.encoded.as_secs_f64(),
        finish_share: f64 = round.finish_share,
    }

    struct CpuAnswer from ms in CpuTimes {
        encode: Option<f64> = measured(ms.encode),
        decode: Option<f64> = measured(ms.decode),
        index: f64 = ms.index,
    }

    /// The answer of `eval`: what was measured, and of which model.
    pub struct EvalAnswer<'a> from (evaluation, model) in (&'a Evaluation, &'a str) {
        model: &'a str = model,
        images: usize = evaluation.n_images,
        captions: usize = evaluation.n_captions,
        captions_cut: usize = evaluation.n_captions_cut,
        text_to_image: RecallsAnswer = (&evaluation.text_to_image).into(),
        image_to_text: RecallsAnswer = (&evaluation.image_to_text).into(),
        text_to_image_without_hubs: RecallsAnswer = (&evaluation.text_to_image_without_hubs).into(),
        image_to_text_without_hubs: RecallsAnswer = (&evaluation.image_to_text_without_hubs).into(),
        skipped: Vec<SkippedAnswer<'a>> = each(&evaluation.skipped),
    }

    struct RecallsAnswer from recalls in &Recalls {
        r1: f64 = rounded(recalls.r1),
        r5: f64 = rounded(recalls.r5),
        r10: f64 = rounded(recalls.r10),
        median_rank: f64 = recalls.median_rank,
    }
}

/// A figure of 0 was not measured.
fn measured(figure: f64) -> Option<f64> {
    (figure > 0.0).then_some(figure)
}

/// Two decimals, which is all that a data set of a few thousand supports.
fn rounded(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

/// A line of `embed`: an input, and its vector or the vector's row in a NumPy file.
#[derive(Debug, Clone, Serialize)]
pub struct EmbedAnswer<'a> {
    input: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vector: Option<&'a [f32]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<usize>,
}

impl<'a> EmbedAnswer<'a> {
    /// The vector of a text, left out when it is in a row of a file.
    #[must_use]
    pub fn text(text: &'a str, vector: &'a [f32], row: Option<usize>) -> Self {
        Self {
            input: text.into(),
            input_base64: None,
            vector: row.is_none().then_some(vector),
            row,
        }
    }

    /// The vector of a picture, left out when it is in a row of a file.
    #[must_use]
    pub fn picture(path: &'a Path, vector: &'a [f32], row: Option<usize>) -> Self {
        let PathAnswer { path, path_base64 } = path.into();
        Self {
            input: path,
            input_base64: path_base64,
            vector: row.is_none().then_some(vector),
            row,
        }
    }
}
