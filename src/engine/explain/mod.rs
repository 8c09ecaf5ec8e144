//! Which parts of a picture and which words of a text make them match.
//!
//! Parts by occlusion sensitivity (Zeiler and Fergus, "Visualizing and Understanding Convolutional
//! Networks", 2014): parts of the picture are masked, and what the similarity falls by is what they
//! contribute ([`heat`]). Words are left out one at a time ([`words`]). Only encodings of the model
//! are used, so that it works with any model.
//!
//! A mask has the mean colour of its surroundings: on a plain background it is not seen, which that
//! of the whole picture would be. On composites of two photos it names as many right halves as the
//! latter and as a blurred copy of what is masked.

mod file;
mod heat;
mod overlay;
mod report;
#[cfg(test)]
mod tests;
mod words;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use image::{GenericImage as _, Rgb, RgbImage, imageops};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use sightline_onnx::{Pixels, SeenPart};
use sightline_picture::{DecodeError, Smallest};

use crate::engine::decode::{DecodeOptions, Decoder};
use crate::engine::encoder::{Encoders, Lane, LanguageHint};
use crate::engine::error::EngineError;
use crate::engine::isolate;
use crate::engine::names::Finder;
use crate::engine::report::{FirstRuns, OnProgress, Progress, Stage};
use crate::engine::search;
use heat::Mask;

pub use file::{OverlayFile, png};
pub use heat::{Heat, Ninth};
pub use report::{ExplainRequest, ExplainedPicture, Explanation, WordEffect};

/// Copies of the picture that are prepared and encoded together, and held in memory.
const BATCH: usize = 4;

/// Texts that are encoded together.
const TEXTS: usize = 16;

/// Masked copies keep at least this many pixels per side for each of the model's input, as reduced
/// decoding does.
const PIXELS_PER_INPUT: u32 = 2;

/// Margins around a window whose colour is taken for its mask, per shorter side of the picture.
const MARGINS_PER_SIDE: u32 = 36;

/// Explains why a picture and a text match; `None` when `progress` stopped it.
///
/// # Errors
/// When the text is blank, the picture cannot be read, or the model cannot be run or has no text
/// tower for the language asked for.
pub(super) fn explain(
    encoders: &Encoders,
    decode: &DecodeOptions,
    hint: LanguageHint,
    request: &ExplainRequest,
    progress: &mut OnProgress<'_>,
) -> Result<Option<Explanation>, EngineError> {
    let began = Instant::now();
    let text = request.text.as_str();
    if text.trim().is_empty() {
        return Err(EngineError::EmptyQuery);
    }
    let Loaded { picture, overlay } = load(encoders, decode, request)?;
    let reading = encoders.reading(text, hint)?;
    let tower = encoders.choose(text, hint)?.tower;
    let of_text = single(isolate::queries_of_tower(encoders, tower, &[text])?)?;
    let seen = encoders.image().seen(picture.width(), picture.height());
    let whole = encoders.image().prepare(&picture);
    let small = reduced(encoders, &picture, &whole);
    let of_picture = single(isolate::pictures(encoders, Lane::Whole, &[whole])?)?;
    let similarity = dot(&of_text, &of_picture);
    let small = small.as_ref().unwrap_or(&picture);
    let mut masking = Masking {
        encoders,
        picture: small,
        seen,
        text: &of_text,
        n_encoded: 1,
        n_total: 0,
        began,
    };
    let ControlFlow::Continue(values) = masking.heat(progress)? else {
        return Ok(None);
    };
    let n_encoded = masking.n_encoded;
    let heat = Heat {
        seen,
        side: heat::SIDE,
        values,
    };
    Ok(Some(Explanation {
        similarity,
        confidence: encoders
            .calibration()
            .filter(|_| reading.is_known)
            .map(|calibration| search::confidence_in_picture(calibration, similarity)),
        reading,
        words: effects(encoders, tower, text, similarity, &of_picture)?,
        n_encoded,
        overlay: overlay.map(|picture| overlay::overlay(&picture, &heat)),
        heat,
        elapsed: began.elapsed(),
    }))
}

/// A picture, upright, in sRGB.
struct Loaded {
    /// As it is decoded for the model.
    picture: RgbImage,
    /// As the heat map is drawn over it.
    overlay: Option<RgbImage>,
}

fn load(
    encoders: &Encoders,
    options: &DecodeOptions,
    request: &ExplainRequest,
) -> Result<Loaded, EngineError> {
    let smallest = if options.full_decode {
        Smallest::whole()
    } else {
        encoders.image().smallest()
    };
    let decoder = Decoder::new(options, smallest);
    let (path, (bytes, _share)) = match &request.picture {
        ExplainedPicture::File(path) => {
            let path = Finder::default().find(path);
            let (bytes, share) = decoder.content(&path)?;
            (path, (bytes, Some(share)))
        }
        ExplainedPicture::Bytes(bytes) => {
            (PathBuf::from("the given picture"), (bytes.clone(), None))
        }
    };
    let loaded = || {
        let max_bytes = decoder.max_bytes();
        if bytes.len() as u64 > max_bytes {
            return Err(DecodeError::FileTooLarge { max_bytes });
        }
        let draw = |side| sightline_picture::reduced(&bytes, &options.limits, side);
        let overlay = request.overlay.map(draw).transpose()?;
        let picture = decoder.decode(bytes, |decoded| decoded.image.clone())?;
        Ok(Loaded { picture, overlay })
    };
    loaded().map_err(|source| EngineError::Picture { path, source })
}

/// A copy that is small enough to be masked and prepared many times; `None` if the picture is, or
/// the model takes pictures in their own size. `prepared` has the size of the model's input.
fn reduced(encoders: &Encoders, picture: &RgbImage, prepared: &Pixels) -> Option<RgbImage> {
    if encoders.image().smallest() == Smallest::whole() {
        return None;
    }
    let enough = PIXELS_PER_INPUT * prepared.width().max(prepared.height());
    let (width, height) = picture.dimensions();
    let shorter = width.min(height);
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(enough) / u64::from(shorter.max(1));
        u32::try_from(side).unwrap_or(u32::MAX)
    };
    (shorter > enough).then(|| imageops::thumbnail(picture, scaled(width), scaled(height)))
}

/// The mean colour of the pixels around a window, of which `columns` and `rows` are the first and
/// the one behind the last.
fn surroundings(picture: &RgbImage, columns: (u32, u32), rows: (u32, u32)) -> Rgb<u8> {
    let (width, height) = picture.dimensions();
    let margin = (width.min(height) / MARGINS_PER_SIDE).max(1);
    let mut sums = [0_u64; 3];
    let mut n = 0;
    for y in rows.0.saturating_sub(margin)..(rows.1 + margin).min(height) {
        for x in columns.0.saturating_sub(margin)..(columns.1 + margin).min(width) {
            let is_inside = (columns.0..columns.1).contains(&x) && (rows.0..rows.1).contains(&y);
            if !is_inside {
                let Rgb(pixel) = picture.get_pixel(x, y);
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += u64::from(*value);
                }
                n += 1;
            }
        }
    }
    Rgb(sums.map(|sum| u8::try_from(sum / n.max(1)).unwrap_or(u8::MAX)))
}

/// A picture whose parts are masked, and the text it is compared with.
struct Masking<'a> {
    encoders: &'a Encoders,
    picture: &'a RgbImage,
    seen: SeenPart,
    text: &'a [f32],
    n_encoded: usize,
    n_total: usize,
    began: Instant,
}

impl Masking<'_> {
    /// The values of [`Heat`]; breaks when `progress` does.
    fn heat(
        &mut self,
        progress: &mut OnProgress<'_>,
    ) -> Result<ControlFlow<(), Vec<f32>>, EngineError> {
        let large = heat::large_masks();
        // Without any mask first: what the others fall from.
        let masks: Vec<Option<Mask>> = std::iter::once(None)
            .chain(large.iter().copied().map(Some))
            .collect();
        let ControlFlow::Continue(found) = self.similarities(&masks, progress)? else {
            return Ok(ControlFlow::Break(()));
        };
        let base = found[0];
        let falls = |similarities: &[f32]| -> Vec<f32> {
            similarities
                .iter()
                .map(|similarity| base - similarity)
                .collect()
        };
        let mut all_falls = falls(&found[1..]);
        let small = heat::small_masks(&heat::values(&large, &all_falls));
        let masks: Vec<Option<Mask>> = small.iter().copied().map(Some).collect();
        let ControlFlow::Continue(found) = self.similarities(&masks, progress)? else {
            return Ok(ControlFlow::Break(()));
        };
        all_falls.extend(falls(&found));
        let masks: Vec<Mask> = large.into_iter().chain(small).collect();
        Ok(ControlFlow::Continue(heat::values(&masks, &all_falls)))
    }

    /// The similarities of the text to the picture with each of these masks.
    fn similarities(
        &mut self,
        masks: &[Option<Mask>],
        progress: &mut OnProgress<'_>,
    ) -> Result<ControlFlow<(), Vec<f32>>, EngineError> {
        self.n_total += masks.len();
        let mut similarities = Vec::with_capacity(masks.len());
        for masks in masks.chunks(BATCH) {
            let at = Progress {
                stage: Stage::Masking,
                n_done: self.n_encoded,
                n_total: self.n_total,
                n_skipped: 0,
                elapsed: self.began.elapsed(),
                first_runs: FirstRuns::default(),
            };
            if progress(&at).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let prepared: Vec<Pixels> = masks.par_iter().map(|mask| self.prepared(*mask)).collect();
            for vector in isolate::pictures(self.encoders, Lane::Whole, &prepared)? {
                similarities.push(dot(self.text, &vector?));
            }
            self.n_encoded += masks.len();
        }
        Ok(ControlFlow::Continue(similarities))
    }

    fn prepared(&self, mask: Option<Mask>) -> Pixels {
        let Some(mask) = mask else {
            return self.encoders.image().prepare(self.picture);
        };
        let mut copy = self.picture.clone();
        let (columns, rows) = mask.pixels(self.seen, copy.dimensions());
        let size = (columns.1 - columns.0, rows.1 - rows.0);
        let around = surroundings(self.picture, columns, rows);
        let patch = RgbImage::from_pixel(size.0, size.1, around);
        let is_inside = copy.copy_from(&patch, columns.0, rows.0);
        debug_assert!(is_inside.is_ok());
        self.encoders.image().prepare(&copy)
    }
}

/// What each word of a text does for its similarity to a picture. The text without a word is
/// encoded by the tower of the whole text, whatever language it seems to be in then.
fn effects(
    encoders: &Encoders,
    tower: usize,
    text: &str,
    similarity: f32,
    picture: &[f32],
) -> Result<Vec<WordEffect>, EngineError> {
    let mut words = words::words(text);
    if words.len() < 2 {
        return Ok(Vec::new());
    }
    words.truncate(words::MAX_WORDS);
    let mut effects = Vec::with_capacity(words.len());
    for words in words.chunks(TEXTS) {
        let texts: Vec<String> = words
            .iter()
            .map(|word| words::without(text, word))
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let vectors = isolate::queries_of_tower(encoders, tower, &texts)?;
        for (word, vector) in words.iter().zip(vectors) {
            effects.push(WordEffect {
                word: text[word.clone()].to_owned(),
                support: similarity - dot(&vector?, picture),
            });
        }
    }
    Ok(effects)
}

fn single(embeddings: isolate::Embeddings) -> Result<Vec<f32>, EngineError> {
    embeddings.into_iter().next().unwrap_or(Ok(Vec::new()))
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
