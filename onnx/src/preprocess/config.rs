//! The settings of a model's preprocessing.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::ModelError;

/// The settings of a model's preprocessing. All of them are part of the model's fingerprint.
#[derive(Debug, Clone, PartialEq)]
pub struct PreprocessConfig {
    /// How a picture's size is changed.
    pub resize: Resize,
    /// The filter of that change, always antialiased.
    pub interpolation: Interpolation,
    /// Height of the model's input, in pixels.
    pub height: u32,
    /// Width of the model's input, in pixels.
    pub width: u32,
    /// Factor on the stored values of 0 to 255; nearly always 1 / 255.
    pub rescale: f64,
    /// Mean of each channel (red, green, blue) after rescaling.
    pub mean: [f32; 3],
    /// Standard deviation of each channel (red, green, blue) after rescaling.
    pub std: [f32; 3],
    /// Order of the channels.
    pub channels: Channels,
    /// Colour (red, green, blue) of the padding around a picture that is smaller than the model's
    /// input.
    pub fill: [u8; 3],
    /// How halves are rounded.
    pub rounding: Rounding,
}

/// Order of a picture's channels in the model's input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Channels {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// Where the odd pixel goes when a difference of lengths is halved, and how a length computed from
/// another one is rounded. References differ, and half of all photos have an odd pixel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Rounding {
    /// As the Hugging Face image processors: a crop starts at the half rounded down, a padded
    /// picture at the half rounded up.
    #[default]
    Transformers,
    /// As torchvision and `open_clip`: a crop starts at the half rounded to even, a padded picture
    /// at the half rounded down.
    Torchvision,
}

/// How a picture's size is changed. The result is then cropped or padded around the centre to the
/// size of the model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resize {
    /// The shorter side gets this length in pixels; the proportions stay.
    ShortestEdge(u32),
    /// The longer side gets this length in pixels; the proportions stay.
    LongestEdge(u32),
    /// Both sides get the size of the model's input; the proportions are lost.
    Squash,
    /// Both sides get this length in pixels; the proportions are lost.
    SquashTo(u32),
    /// The size stays as it is.
    Keep,
}

/// The filter of a resize, named as in Pillow. Except for `Nearest`, its support grows with the
/// reduction, so that no pixel is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Interpolation {
    /// The nearest pixel; Pillow's filter 0.
    Nearest,
    /// The mean of the pixels below; Pillow's filter 4.
    Box,
    /// A triangle narrowed by a Hamming window; Pillow's filter 5.
    Hamming,
    /// A triangle; Pillow's filter 2.
    Bilinear,
    /// Cubic convolution with a = -0.5 (Keys 1981); Pillow's filter 3.
    Bicubic,
    /// A sinc windowed to three lobes; Pillow's filter 1.
    Lanczos,
}

impl PreprocessConfig {
    /// Refuses settings that would make no usable picture. `file` is for messages.
    pub(crate) fn checked(self, file: &Path) -> Result<Self, ModelError> {
        let invalid =
            |key, value: String, reason| Err(ModelError::invalid(file, key, value, reason));
        // No model takes more than a few thousand pixels per side; a typo here would otherwise
        // allocate the memory of thousands of pictures.
        let is_valid = |side: u32| (1..=8192).contains(&side);
        let edge = match self.resize {
            Resize::ShortestEdge(edge) | Resize::LongestEdge(edge) | Resize::SquashTo(edge) => edge,
            Resize::Squash | Resize::Keep => self.height,
        };
        if ![self.height, self.width, edge].into_iter().all(is_valid) {
            let value = format!("{} × {}, edge {edge}", self.height, self.width);
            return invalid("image.size", value, "expected sides of 1 to 8192 pixels");
        }
        if !self.mean.iter().all(|x| x.is_finite()) {
            let reason = "expected finite numbers";
            return invalid("image.mean", format!("{:?}", self.mean), reason);
        }
        if !self.std.iter().all(|&x| x.is_finite() && x > 0.0) {
            let reason = "expected numbers above zero";
            return invalid("image.std", format!("{:?}", self.std), reason);
        }
        if !(self.rescale.is_finite() && self.rescale > 0.0) {
            let reason = "expected a number above zero";
            return invalid("image.rescale", self.rescale.to_string(), reason);
        }
        Ok(self)
    }

    /// All settings, written out for the fingerprint. Destructuring makes a new field fail to
    /// compile here until someone decides how it counts.
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
        // Added later; defaults are left out, so that older fingerprints stay valid.
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
