//! What does a picture look like to the image tower?
//!
//! Resize, crop, scale and normalise exactly as the model was trained, which for nearly all models
//! means: as Pillow and the Hugging Face image processors do it. The golden tensors in `tests/`
//! hold each stage against those.

mod resize;

use image::RgbImage;

use crate::error::ModelError;
use crate::picture::Smallest;

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
    /// Standard deviation of each channel after rescaling.
    pub std: [f32; 3],
}

/// How a picture's size is changed. What is then larger than the model's size is cut off around
/// the centre, what is smaller is filled up with black around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resize {
    /// The shorter side gets this length in pixels, the longer one follows.
    ShortestEdge(u32),
    /// The longer side gets this length in pixels, the shorter one follows.
    LongestEdge(u32),
    /// Both sides get the model's size, whatever becomes of the proportions.
    Squash,
    /// The size is left as it is.
    Keep,
}

/// The filter of a resize, with the meaning that Pillow gives these names: its support grows with
/// the reduction, so that nothing is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Interpolation {
    /// A triangle.
    Bilinear,
    /// Cubic convolution with a = -0.5 (Keys 1981).
    Bicubic,
    /// A sinc windowed to three lobes.
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
            Resize::ShortestEdge(edge) | Resize::LongestEdge(edge) => edge,
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
        } = self;
        format!(
            "resize {resize:?} {interpolation:?} to {height}x{width} \
             scale {rescale:?} mean {mean:?} std {std:?}"
        )
    }
}

/// One prepared picture: f32 `[3, height, width]`, channels red, green, blue.
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
        let window = resize::Window::centered((to_width, to_height), (config.width, config.height));
        resize::resize_and_crop(picture, (to_width, to_height), config.interpolation, window)
    }

    fn normalized(&self, picture: &RgbImage) -> Pixels {
        let (width, height) = picture.dimensions();
        let n = width as usize * height as usize;
        let mut values = vec![0.0; 3 * n];
        let (red, rest) = values.split_at_mut(n);
        let (green, blue) = rest.split_at_mut(n);
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
