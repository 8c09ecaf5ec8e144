//! Vectors of pictures and texts, for programs with an index of their own.

use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::engine::decode::{DecodeOptions, Decoding};
use crate::engine::indexing::pipeline::{self, Event, Shape};
use crate::engine::names::Finder;
use crate::engine::{Encoders, EngineError, Lane, LanguageHint, isolate};

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
        self.embed_decoded(files, &options, take)
    }

    /// The same with pictures decoded as `options` say.
    pub(crate) fn embed_decoded(
        &self,
        files: &[PathBuf],
        options: &DecodeOptions,
        take: &mut TakeVector<'_>,
    ) -> Result<(), EngineError> {
        let decoding = Decoding::new(options, self);
        let shape = Shape {
            n_workers: pipeline::default_workers(),
            n_prepared: BATCH,
            n_encoders: 1,
            n_encoded: BATCH,
        };
        let mut finder = Finder::default();
        for (chunk, files) in files.chunks(BATCH).enumerate() {
            let files: Vec<PathBuf> = files.iter().map(|file| finder.find(file)).collect();
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
            let vectors = isolate::pictures(self, Lane::Whole, &batch)?;
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

    /// Embeds texts as captions, in order, each by the text tower of its language. The image tower
    /// is not loaded. Tokens beyond the model's context are ignored, see
    /// [`TextEncoder::n_tokens_dropped`](crate::engine::TextEncoder).
    ///
    /// # Errors
    /// When the model cannot be loaded or run, or has no text tower for the language asked for.
    pub fn embed_texts(
        &self,
        texts: &[&str],
        hint: LanguageHint,
        take: &mut TakeVector<'_>,
    ) -> Result<(), EngineError> {
        for (chunk, texts) in texts.chunks(BATCH).enumerate() {
            let vectors = isolate::texts(self, texts, hint)?;
            for (place, vector) in vectors.into_iter().enumerate() {
                if take(chunk * BATCH + place, vector).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
