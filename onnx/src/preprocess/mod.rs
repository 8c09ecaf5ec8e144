//! What does a picture look like to the image tower?
//!
//! Resize, crop, scale and normalise exactly as the model was trained, which for nearly all models
//! means: as Pillow and the Hugging Face image processors do it. The golden tensors in `tests/`
//! hold each stage against those.

mod resize;

use std::fmt::Write as _;

use image::RgbImage;
use serde::Deserialize;

use crate::error::ModelError;
use sightline_picture::Smallest;

/// The numbers of a model's preprocessing. All of them are part of the model's fingerprint.
#[derive(Debug, Clone, PartialEq)]
pub struct PreprocessConfig {
    /// How a picture's size is changed.
    pub resize: Resize,
    /// The filter of that change, always antialiased.
    pub interpolation: Interpolation,
    /// Height that the model takes, in pixels.
    pub height: u32,
    /// Width that the model takes, in pixels.
    pub width: u32,
    /// Factor on the stored values of 0 to 255; nearly always 1 / 255.
    pub rescale: f64,
    /// Mean of each channel (red, green, blue) after rescaling.
    pub mean: [f32; 3],
    /// Standard deviation of each channel (red, green, blue) after rescaling.
    pub std: [f32; 3],
    /// In which order the model takes the channels.
    pub channels: Channels,
    /// Colour (red, green, blue) of what is filled up around a picture that is smaller than the
    /// model's size.
    pub fill: [u8; 3],
    /// Where an odd pixel falls.
    pub rounding: Rounding,
}

/// In which order a model takes the channels of a picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Channels {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// Where the odd pixel falls when a difference of lengths is halved, and how a length that
/// follows from another one is rounded. References differ, and half of all photos have one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Rounding {
    /// As the Hugging Face image processors: a crop starts at the half rounded down, a picture in
    /// a frame at the half rounded up.
    #[default]
    Transformers,
    /// As torchvision and `open_clip`: a crop starts at the half rounded to even, a picture in a
    /// frame at the half rounded down.
    Torchvision,
}

/// How a picture's size is changed. What is then larger than the model's size is cut off around
/// the centre, what is smaller is filled up around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resize {
    /// The shorter side gets this length in pixels, the longer one follows.
    ShortestEdge(u32),
    /// The longer side gets this length in pixels, the shorter one follows.
    LongestEdge(u32),
    /// Both sides get the model's size, whatever becomes of the proportions.
    Squash,
    /// Both sides get this length in pixels, whatever becomes of the proportions.
    SquashTo(u32),
    /// The size is left as it is.
    Keep,
}

/// The filter of a resize, with the meaning that Pillow gives these names: its support grows with
/// the reduction, so that nothing is skipped, except by `Nearest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Interpolation {
    /// The pixel that lies nearest, Pillow's number 0.
    Nearest,
    /// The mean of the pixels below, Pillow's number 4.
    Box,
    /// A triangle narrowed by a Hamming window, Pillow's number 5.
    Hamming,
    /// A triangle, Pillow's number 2.
    Bilinear,
    /// Cubic convolution with a = -0.5 (Keys 1981), Pillow's number 3.
    Bicubic,
    /// A sinc windowed to three lobes, Pillow's number 1.
    Lanczos,
}

impl PreprocessConfig {
    /// Height and width that the model takes, in pixels.
    #[must_use]
    pub fn output_size(&self) -> (u32, u32) {
        (self.height, self.width)
    }

    /// Refuses numbers that no picture survives.
    pub(crate) fn checked(self, file: &std::path::Path) -> Result<Self, ModelError> {
        let wrong = |key, value: String, reason| {
            Err(ModelError::Value {
                file: file.to_path_buf(),
                key,
                value,
                reason,
            })
        };
        // No model takes more than a few thousand pixels a side; a typing error here would
        // otherwise ask for the memory of thousands of pictures.
        let side_is_sound = |side: u32| (1..=8192).contains(&side);
        let edge = match self.resize {
            Resize::ShortestEdge(edge) | Resize::LongestEdge(edge) | Resize::SquashTo(edge) => edge,
            Resize::Squash | Resize::Keep => self.height,
        };
        if ![self.height, self.width, edge]
            .into_iter()
            .all(side_is_sound)
        {
            let value = format!("{} × {}, edge {edge}", self.height, self.width);
            return wrong("image.size", value, "sides must be 1 to 8192 pixels");
        }
        if !self.mean.iter().all(|x| x.is_finite()) {
            return wrong(
                "image.mean",
                format!("{:?}", self.mean),
                "it must be finite",
            );
        }
        if !self.std.iter().all(|&x| x.is_finite() && x > 0.0) {
            let reason = "it must be above zero";
            return wrong("image.std", format!("{:?}", self.std), reason);
        }
        if !(self.rescale.is_finite() && self.rescale > 0.0) {
            let reason = "it must be above zero";
            return wrong("image.rescale", self.rescale.to_string(), reason);
        }
        Ok(self)
    }

    /// All numbers, written out for the fingerprint. Taking the struct apart makes a new field fail
    /// to compile here until someone decides how it counts.
    pub(crate) fn describe(&self) -> String {
        let Self {
            resize,
            interpolation,
            height,
            width,
            rescale,
            mean,
            std,
            channels,
            fill,
            rounding,
        } = self;
        let mut text = format!(
            "resize {resize:?} {interpolation:?} to {height}x{width} \
             scale {rescale:?} mean {mean:?} std {std:?}"
        );
        // These came later: what is usual is left out, so that older fingerprints stay.
        if *channels != Channels::Rgb {
            let _ = write!(text, " channels {channels:?}");
        }
        if *fill != [0; 3] {
            let _ = write!(text, " fill {fill:?}");
        }
        if *rounding != Rounding::Transformers {
            let _ = write!(text, " rounding {rounding:?}");
        }
        text
    }
}

/// One prepared picture: f32 `[3, height, width]`, channels in the model's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Pixels {
    values: Vec<f32>,
    height: u32,
    width: u32,
}

impl Pixels {
    /// The values, `[3, height, width]` row after row.
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

/// Prepares pictures for one model. Cheap to clone, and as many threads as wished may share one.
#[derive(Debug, Clone)]
pub struct Preprocessor {
    config: PreprocessConfig,
    /// The normalised value of each stored value, per channel: 256 entries make the arithmetic the
    /// same for every pixel and leave nothing to compute.
    tables: [std::sync::Arc<[f32; 256]>; 3],
}

impl Preprocessor {
    /// Prepares as `config` says; [`Model::preprocessor`](crate::Model::preprocessor) gives a model's.
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
            std::sync::Arc::new(table)
        };
        Self {
            config: config.clone(),
            tables: [table(0), table(1), table(2)],
        }
    }

    /// The least size to which a picture may be reduced while it is decoded: twice the size that
    /// the resize makes of it. Without a resize there is none.
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

    /// Resizes, crops and normalises a picture. A picture without any pixel counts as black.
    #[must_use]
    pub fn pixels(&self, picture: &RgbImage) -> Pixels {
        self.normalized(&self.resized(picture))
    }

    /// The picture at the model's size, before its values are normalised.
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
            resize::resize_and_crop(picture, (to_width, to_height), config.interpolation, window);
        resize::framed(kept, window, config.fill)
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
