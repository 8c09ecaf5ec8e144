//! From decoded pictures to the image tower's input.
//!
//! Resizes, crops, scales and normalises exactly as in the model's training, which for nearly all
//! models means as Pillow and the Hugging Face image processors do. The golden tensors in `tests/`
//! compare each stage with those.

mod config;
mod resize;

use std::sync::Arc;

use image::RgbImage;
use sightline_picture::Smallest;

pub use config::{Channels, Interpolation, PreprocessConfig, Resize, Rounding};

/// One prepared picture: f32 `[3, height, width]`, channels in the model's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Pixels {
    values: Vec<f32>,
    height: u32,
    width: u32,
}

impl Pixels {
    /// The values, `[3, height, width]` in row-major order.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.values
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }
}

/// The part of a picture that a model sees, as shares of its width and height, 0…1 from the upper
/// left corner. A crop around the centre leaves out the ends of the longer side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeenPart {
    /// Where it begins, from the left.
    pub left: f32,
    /// Where it begins, from the top.
    pub top: f32,
    /// Where it ends, from the left.
    pub right: f32,
    /// Where it ends, from the top.
    pub bottom: f32,
}

impl SeenPart {
    /// All of the picture.
    pub const WHOLE: Self = Self {
        left: 0.0,
        top: 0.0,
        right: 1.0,
        bottom: 1.0,
    };
}

/// Prepares pictures for one model. Cheap to clone; threads can share one.
#[derive(Debug, Clone)]
pub struct Preprocessor {
    config: PreprocessConfig,
    /// The normalised value of each stored value, per channel.
    tables: [Arc<[f32; 256]>; 3],
}

impl Preprocessor {
    /// A preprocessor with these settings; [`Model::preprocessor`](crate::Model::preprocessor)
    /// returns a model's.
    #[must_use]
    pub fn new(config: &PreprocessConfig) -> Self {
        let table = |channel: usize| {
            let mut table = [0.0; 256];
            for (stored, value) in (0u8..=255).zip(&mut table) {
                // The reference multiplies in f64, rounds to f32, and normalises in f32.
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the reference rounds here too"
                )]
                let scaled = (f64::from(stored) * config.rescale) as f32;
                *value = (scaled - config.mean[channel]) / config.std[channel];
            }
            Arc::new(table)
        };
        Self {
            config: config.clone(),
            tables: [table(0), table(1), table(2)],
        }
    }

    /// The smallest size to which a picture may be reduced during decoding: twice the size that it
    /// is resized to. Pictures that are not resized are not reduced.
    #[must_use]
    pub fn smallest(&self) -> Smallest {
        let config = &self.config;
        match config.resize {
            Resize::ShortestEdge(edge) => Smallest::shorter_side(2 * edge),
            Resize::LongestEdge(edge) => Smallest::longer_side(2 * edge),
            Resize::Squash => Smallest::both_sides(2 * config.width, 2 * config.height),
            Resize::SquashTo(edge) => Smallest::both_sides(2 * edge, 2 * edge),
            Resize::Keep => Smallest::whole(),
        }
    }

    /// The part of a picture of this size, in pixels, that the model sees.
    #[must_use]
    pub fn seen(&self, width: u32, height: u32) -> SeenPart {
        if width == 0 || height == 0 {
            return SeenPart::WHOLE;
        }
        let resized = resize::target(&self.config, width, height);
        let output = (self.config.width, self.config.height);
        let window = resize::Window::centered(resized, output, self.config.rounding);
        let share = |pixels: u32, of: u32| pixels as f32 / of as f32;
        SeenPart {
            left: share(window.from.0, resized.0),
            top: share(window.from.1, resized.1),
            right: share(window.from.0 + window.size.0, resized.0),
            bottom: share(window.from.1 + window.size.1, resized.1),
        }
    }

    /// Resizes, crops and normalises a picture. A picture without pixels counts as black.
    #[must_use]
    pub fn pixels(&self, picture: &RgbImage) -> Pixels {
        self.normalized(&self.resized(picture))
    }

    /// The picture in the size of the model's input, before its values are normalised.
    #[must_use]
    pub fn resized(&self, picture: &RgbImage) -> RgbImage {
        let (width, height) = picture.dimensions();
        let config = &self.config;
        if width == 0 || height == 0 {
            return RgbImage::new(config.width, config.height);
        }
        let (to_width, to_height) = resize::target(config, width, height);
        let output = (config.width, config.height);
        let window = resize::Window::centered((to_width, to_height), output, config.rounding);
        let kept =
            resize::resized_window(picture, (to_width, to_height), config.interpolation, window);
        resize::padded(kept, window, config.fill)
    }

    fn normalized(&self, picture: &RgbImage) -> Pixels {
        let (width, height) = picture.dimensions();
        let n = width as usize * height as usize;
        let mut values = vec![0.0; 3 * n];
        let (red, rest) = values.split_at_mut(n);
        let (green, blue) = rest.split_at_mut(n);
        let (red, blue) = match self.config.channels {
            Channels::Rgb => (red, blue),
            Channels::Bgr => (blue, red),
        };
        let [of_red, of_green, of_blue] = &self.tables;
        for (i, pixel) in picture.as_raw().chunks_exact(3).enumerate() {
            red[i] = of_red[usize::from(pixel[0])];
            green[i] = of_green[usize::from(pixel[1])];
            blue[i] = of_blue[usize::from(pixel[2])];
        }
        Pixels {
            values,
            height,
            width,
        }
    }
}
