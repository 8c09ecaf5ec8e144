//! Encoders without a model, for the engine's tests: pictures and texts match by colour.
//!
//! An embedding holds the amounts of red, green and blue, of the mean pixel or of the colour words,
//! and a small constant, so that it is never zero.

use std::sync::Arc;

use image::RgbImage;
use sightline_onnx::{
    Channels, Interpolation, Pixels, PreprocessConfig, Preprocessor, Resize, Rounding, SeenPart,
};
use sightline_picture::Smallest;

use crate::engine::encoder::{Encoders, ImageEncoder, Lane, ModelIdentity, TextEncoder};
use crate::engine::error::EngineError;

/// Encoders of a fake model with this fingerprint.
pub(crate) fn encoders(fingerprint: &str) -> Encoders {
    Fake::default().encoders(fingerprint)
}

/// The same; `watch` is called with the lane of each batch before it is encoded.
pub(crate) fn watched_encoders(
    fingerprint: &str,
    watch: impl Fn(Lane) + Send + Sync + 'static,
) -> Encoders {
    let watch = Box::new(watch);
    Fake {
        watch,
        ..Fake::default()
    }
    .encoders(fingerprint)
}

/// The same; `watch` is called with the texts of each batch before it is encoded.
pub(crate) fn encoders_with_watched_texts(
    fingerprint: &str,
    watch: impl Fn(&[&str]) + Send + Sync + 'static,
) -> Encoders {
    let watch_texts = Box::new(watch);
    Fake {
        watch_texts,
        ..Fake::default()
    }
    .encoders(fingerprint)
}

/// The same; `watch` is called with `image` or `text` when that encoder is unloaded.
pub(crate) fn encoders_with_watched_memory(
    fingerprint: &str,
    watch: impl Fn(&'static str) + Send + Sync + 'static,
) -> Encoders {
    let watch_memory = Arc::new(watch);
    Fake {
        watch_memory,
        ..Fake::default()
    }
    .encoders(fingerprint)
}

/// The same with a text tower for English and one for German, which knows the colours by their
/// German names; `watch` is called with the tower and the texts of each batch.
pub(crate) fn bilingual_encoders(
    fingerprint: &str,
    watch: impl Fn(usize, &[&str]) + Clone + Send + Sync + 'static,
) -> Encoders {
    let of_other = watch.clone();
    let other = FakeTextEncoder {
        n_more: 0,
        watch: Box::new(move |texts| of_other(1, texts)),
        watch_memory: Arc::new(|_| ()),
        colours: ["rot", "grün", "blau"],
    };
    let languages = |code: &str| code.parse().into_iter().collect();
    encoders_with_watched_texts(fingerprint, move |texts| watch(0, texts)).with_text_tower(
        languages("en"),
        languages("de"),
        Box::new(other),
    )
}

/// The same on a device other than the processor.
pub(crate) fn device_encoders(fingerprint: &str) -> Encoders {
    let has_own_device = true;
    Fake {
        has_own_device,
        ..Fake::default()
    }
    .encoders(fingerprint)
}

/// Encoders of another fake model, whose embeddings have one more dimension.
pub(crate) fn wider_encoders(fingerprint: &str) -> Encoders {
    let (name, n_more) = ("wide colours", 1);
    Fake {
        name,
        n_more,
        ..Fake::default()
    }
    .encoders(fingerprint)
}

type WatchTexts = Box<dyn Fn(&[&str]) + Send + Sync>;

type WatchMemory = Arc<dyn Fn(&'static str) + Send + Sync>;

/// A fake model.
struct Fake {
    name: &'static str,
    /// Dimensions beyond the four of colours.
    n_more: usize,
    has_own_device: bool,
    watch: Box<dyn Fn(Lane) + Send + Sync>,
    watch_texts: WatchTexts,
    watch_memory: WatchMemory,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            name: "colours",
            n_more: 0,
            has_own_device: false,
            watch: Box::new(|_| ()),
            watch_texts: Box::new(|_| ()),
            watch_memory: Arc::new(|_| ()),
        }
    }
}

impl Fake {
    fn encoders(self, fingerprint: &str) -> Encoders {
        let identity = ModelIdentity {
            name: self.name.to_owned(),
            fingerprint: fingerprint.to_owned(),
            dimension: 4 + self.n_more,
        };
        let config = PreprocessConfig {
            width: 4,
            height: 4,
            resize: Resize::Squash,
            interpolation: Interpolation::Bilinear,
            rescale: 1.0 / 255.0,
            mean: [0.0; 3],
            std: [1.0; 3],
            channels: Channels::default(),
            fill: [0; 3],
            rounding: Rounding::default(),
        };
        let image = FakeImageEncoder {
            preprocessor: Preprocessor::new(&config),
            watch: self.watch,
            n_more: self.n_more,
            has_own_device: self.has_own_device,
            watch_memory: Arc::clone(&self.watch_memory),
        };
        let text = FakeTextEncoder {
            n_more: self.n_more,
            watch: self.watch_texts,
            watch_memory: self.watch_memory,
            colours: ["red", "green", "blue"],
        };
        Encoders::new(identity, Box::new(image), Box::new(text))
    }
}

struct FakeImageEncoder {
    preprocessor: Preprocessor,
    watch: Box<dyn Fn(Lane) + Send + Sync>,
    n_more: usize,
    has_own_device: bool,
    watch_memory: WatchMemory,
}

impl ImageEncoder for FakeImageEncoder {
    fn prepare(&self, picture: &RgbImage) -> Pixels {
        self.preprocessor.pixels(picture)
    }

    fn seen(&self, width: u32, height: u32) -> SeenPart {
        self.preprocessor.seen(width, height)
    }

    fn smallest(&self) -> Smallest {
        self.preprocessor.smallest()
    }

    fn unload(&self) {
        (self.watch_memory)("image");
    }

    fn n_parts(&self) -> usize {
        2
    }

    fn has_own_device(&self) -> bool {
        self.has_own_device
    }

    fn encode_in(&self, lane: Lane, batch: &[Pixels]) -> Result<Vec<Vec<f32>>, EngineError> {
        (self.watch)(lane);
        let mean = |plane: &[f32]| plane.iter().sum::<f32>() / plane.len() as f32;
        let one = |pixels: &Pixels| {
            let values = pixels.as_slice();
            let mut planes = values.chunks(values.len() / 3).map(mean);
            std::array::from_fn(|_| planes.next().unwrap())
        };
        Ok(batch
            .iter()
            .map(|pixels| unit(one(pixels), self.n_more))
            .collect())
    }
}

struct FakeTextEncoder {
    n_more: usize,
    watch: WatchTexts,
    watch_memory: WatchMemory,
    colours: [&'static str; 3],
}

impl TextEncoder for FakeTextEncoder {
    fn unload(&self) {
        (self.watch_memory)("text");
    }

    fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        (self.watch)(texts);
        let one = |text: &&str| {
            let n = |colour| {
                text.split_whitespace()
                    .filter(|&word| word == colour)
                    .count() as f32
            };
            unit(self.colours.map(n), self.n_more)
        };
        Ok(texts.iter().map(one).collect())
    }

    fn n_tokens_dropped(&self, text: &str) -> Result<usize, EngineError> {
        Ok(text.split_whitespace().count().saturating_sub(8))
    }

    fn knows(&self, text: &str) -> Result<bool, EngineError> {
        Ok(text.is_ascii())
    }
}

/// The wider model adds a constant, so that its similarities differ.
fn unit([red, green, blue]: [f32; 3], n_more: usize) -> Vec<f32> {
    let mut vector = vec![red, green, blue, 0.05];
    vector.extend(std::iter::repeat_n(0.3, n_more));
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.iter().map(|value| value / length).collect()
}
