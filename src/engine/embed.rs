//! Vectors of pictures and texts, for programs with an index of their own.

use std::ops::ControlFlow;
use std::path::PathBuf;

use sightline_onnx::EncodeError;

use crate::engine::decode::{DecodeOptions, Decoding};
use crate::engine::indexing::pipeline::{self, Event, Shape};
use crate::engine::{Encoders, EngineError};

/// Pictures or texts per batch; this many prepared pictures are held in memory.
const BATCH: usize = 16;

/// Receives the vector of an input, or why it has none, with its position; breaking stops.
pub type TakeVector<'a> = dyn FnMut(usize, Result<Vec<f32>, EngineError>) -> ControlFlow<()> + 'a;

impl Encoders {
    /// Embeds the pictures in these files, decoded at full size, in order. The text tower is not
    /// loaded. For a file that cannot be read or encoded, `take` gets the error; the others go on.
    ///
    /// # Errors
    /// When the model cannot be loaded or run.
    pub fn embed_files(
        &self,
        files: &[PathBuf],
        take: &mut TakeVector<'_>,
    ) -> Result<(), EngineError> {
        let options = DecodeOptions {
            full_decode: true,
            ..DecodeOptions::default()
        };
        let decoding = Decoding::new(&options, self);
        let shape = Shape {
            n_workers: pipeline::default_workers(),
            n_prepared: BATCH,
            n_encoders: 1,
            n_encoded: BATCH,
        };
        for (chunk, files) in files.chunks(BATCH).enumerate() {
            let mut failed = Vec::new();
            let mut prepared = Vec::new();
            let jobs = files.iter().enumerate();
            let _: ControlFlow<()> = pipeline::prepare_all(
                jobs,
                shape,
                |(place, file)| (place, decoding.file(file)),
                |event| {
                    match event {
                        Event::Ready((place, Ok(picture))) => {
                            prepared.push((place, picture.pixels));
                        }
                        Event::Ready((place, Err(error))) => failed.push((place, Err(error))),
                        Event::Idle => {}
                    }
                    ControlFlow::Continue(())
                },
            );
            prepared.sort_by_key(|(place, _)| *place);
            let (places, batch): (Vec<_>, Vec<_>) = prepared.into_iter().unzip();
            let vectors = each_or_all(&batch, |batch| self.image().encode(batch))?;
            let mut done: Vec<_> = places.into_iter().zip(vectors).chain(failed).collect();
            done.sort_by_key(|(place, _)| *place);
            for (place, vector) in done {
                if take(chunk * BATCH + place, vector).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Embeds texts, in order. The image tower is not loaded. Tokens beyond the model's context are
    /// ignored, see [`TextEncoder::n_tokens_dropped`](crate::engine::TextEncoder).
    ///
    /// # Errors
    /// When the model cannot be loaded or run.
    pub fn embed_texts(
        &self,
        texts: &[&str],
        take: &mut TakeVector<'_>,
    ) -> Result<(), EngineError> {
        for (chunk, texts) in texts.chunks(BATCH).enumerate() {
            let vectors = each_or_all(texts, |texts| self.text().encode(texts))?;
            for (place, vector) in vectors.into_iter().enumerate() {
                if take(chunk * BATCH + place, vector).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Encodes a batch; if one of its items has no usable embedding, one by one, so that the others are
/// not affected.
fn each_or_all<T>(
    batch: &[T],
    encode: impl Fn(&[T]) -> Result<Vec<Vec<f32>>, EngineError>,
) -> Result<Vec<Result<Vec<f32>, EngineError>>, EngineError> {
    let is_of_one_item = |error: &EngineError| {
        matches!(
            error,
            EngineError::Encode(EncodeError::ZeroOrNotFinite { .. })
        )
    };
    match encode(batch) {
        Ok(vectors) => Ok(vectors.into_iter().map(Ok).collect()),
        Err(error) if is_of_one_item(&error) => {
            let one = |item| match encode(std::slice::from_ref(item)) {
                Ok(mut vectors) => Ok(vectors.pop().ok_or(error_without_vector())),
                Err(error) if is_of_one_item(&error) => Ok(Err(error)),
                Err(error) => Err(error),
            };
            batch.iter().map(one).collect()
        }
        Err(error) => Err(error),
    }
}

fn error_without_vector() -> EngineError {
    EngineError::Encode(EncodeError::ZeroOrNotFinite { position: 0 })
}
