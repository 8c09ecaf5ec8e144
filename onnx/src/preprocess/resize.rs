//! Resizing and cropping to the size of the model's input.
//!
//! Pillow's resampling by `fast_image_resize`: the same filters, whose support grows with the
//! reduction, and the same 8-bit rounding between the two passes. Only the window that the crop
//! keeps is computed, which gives the same values as resizing everything and then cropping, and
//! prevents a picture of 1 × 30,000 pixels from becoming gigabytes.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use image::imageops;

use super::config::{Interpolation, PreprocessConfig, Resize, Rounding};

/// Width and height that a picture of this size is resized to, before the crop.
pub(super) fn target(config: &PreprocessConfig, width: u32, height: u32) -> (u32, u32) {
    let (short, long) = (width.min(height), width.max(height));
    let (to_short, to_long) = match config.resize {
        Resize::Keep => return (width, height),
        Resize::Squash => return (config.width, config.height),
        Resize::SquashTo(edge) => return (edge, edge),
        // Truncated, as the Hugging Face image processors do.
        Resize::ShortestEdge(edge) => (edge, saturating_scale(edge, long, short, 0)),
        Resize::LongestEdge(edge) if config.rounding == Rounding::Torchvision => {
            (rounded_to_even(edge, short, long).max(1), edge)
        }
        Resize::LongestEdge(edge) => (saturating_scale(edge, short, long, long / 2).max(1), edge),
    };
    if width <= height {
        (to_short, to_long)
    } else {
        (to_long, to_short)
    }
}

/// `(edge × numerator + carry) / denominator`.
fn saturating_scale(edge: u32, numerator: u32, denominator: u32, carry: u32) -> u32 {
    let value =
        (u64::from(edge) * u64::from(numerator) + u64::from(carry)) / u64::from(denominator.max(1));
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// `length / (of / edge)`, computed and rounded as in `open_clip`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and a few thousand: the checked edge times at most 1"
)]
fn rounded_to_even(edge: u32, length: u32, of: u32) -> u32 {
    let ratio = f64::from(of) / f64::from(edge);
    (f64::from(length) / ratio).round_ties_even() as u32
}

/// The part of a resized picture that the model sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// First column and row of the resized picture that are kept.
    pub(super) from: (u32, u32),
    /// Number of columns and rows that are kept.
    pub(super) size: (u32, u32),
    /// Column and row of the output where they start.
    pub(super) at: (u32, u32),
    /// Width and height of the output.
    pub(super) output: (u32, u32),
}

impl Window {
    /// A crop around the centre; sides that are too short are padded on both ends.
    pub(super) fn centered(resized: (u32, u32), output: (u32, u32), rounding: Rounding) -> Self {
        let (from_x, size_x, at_x) = centered_side(resized.0, output.0, rounding);
        let (from_y, size_y, at_y) = centered_side(resized.1, output.1, rounding);
        Self {
            from: (from_x, from_y),
            size: (size_x, size_y),
            at: (at_x, at_y),
            output,
        }
    }
}

fn centered_side(resized: u32, output: u32, rounding: Rounding) -> (u32, u32, u32) {
    if resized >= output {
        let surplus = resized - output;
        let from = match rounding {
            Rounding::Transformers => surplus / 2,
            // 0.5 rounds to 0, 1.5 and 2.5 to 2.
            Rounding::Torchvision => surplus / 2 + u32::from(surplus % 4 == 3),
        };
        return (from, output, 0);
    }
    let at = match rounding {
        Rounding::Transformers => (output - resized).div_ceil(2),
        Rounding::Torchvision => (output - resized) / 2,
    };
    (0, resized, at)
}

/// The picture padded to the window's output size.
pub(super) fn padded(kept: RgbImage, window: Window, fill: [u8; 3]) -> RgbImage {
    if kept.dimensions() == window.output {
        return kept;
    }
    let mut output = RgbImage::from_pixel(window.output.0, window.output.1, image::Rgb(fill));
    let (x, y) = window.at;
    imageops::replace(&mut output, &kept, i64::from(x), i64::from(y));
    output
}

/// The pixel under the centre of each new one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most the old side, as the next line ensures"
)]
fn nearest_window(picture: &RgbImage, to: (u32, u32), window: Window) -> RgbImage {
    // Pillow adds up the step, and where the exact sum is a whole number, the rounding of all
    // these additions decides between two pixels.
    let under = |from: u32, n: u32, to: u32, side: u32| -> Vec<u32> {
        let step = f64::from(side) / f64::from(to);
        let mut at = step / 2.0;
        let mut places = Vec::new();
        for new in 0..from + n {
            if new >= from {
                places.push((at as u32).min(side - 1));
            }
            at += step;
        }
        places
    };
    let (width, height) = picture.dimensions();
    let columns = under(window.from.0, window.size.0, to.0, width);
    let rows = under(window.from.1, window.size.1, to.1, height);
    RgbImage::from_fn(window.size.0, window.size.1, |x, y| {
        *picture.get_pixel(columns[x as usize], rows[y as usize])
    })
}

/// Resizes a picture of at least one pixel to `to` (width, height) and returns the window of it.
pub(super) fn resized_window(
    picture: &RgbImage,
    to: (u32, u32),
    interpolation: Interpolation,
    window: Window,
) -> RgbImage {
    let (width, height) = picture.dimensions();
    if (width, height) == to {
        let (x, y) = window.from;
        return imageops::crop_imm(picture, x, y, window.size.0, window.size.1).to_image();
    }
    let filter = match interpolation {
        Interpolation::Nearest => return nearest_window(picture, to, window),
        Interpolation::Box => FilterType::Box,
        Interpolation::Hamming => FilterType::Hamming,
        Interpolation::Bilinear => FilterType::Bilinear,
        Interpolation::Bicubic => FilterType::CatmullRom,
        Interpolation::Lanczos => FilterType::Lanczos3,
    };
    // The window in the picture's own pixels.
    let x_scale = f64::from(width) / f64::from(to.0);
    let y_scale = f64::from(height) / f64::from(to.1);
    let left = f64::from(window.from.0) * x_scale;
    let top = f64::from(window.from.1) * y_scale;
    let box_width = inside(left, f64::from(window.size.0) * x_scale, f64::from(width));
    let box_height = inside(top, f64::from(window.size.1) * y_scale, f64::from(height));
    let mut resizer = Resizer::new();
    // Columns first, then rows, as Pillow does: the values between the passes are rounded and
    // clamped to 8 bits, so the order shows at hard edges.
    let across = pass(
        &mut resizer,
        (picture.as_raw(), width, height),
        (window.size.0, height),
        (left, 0.0, box_width, f64::from(height)),
        filter,
    );
    let down = pass(
        &mut resizer,
        (&across, window.size.0, height),
        window.size,
        (0.0, top, f64::from(window.size.0), box_height),
        filter,
    );
    RgbImage::from_raw(window.size.0, window.size.1, down).unwrap_or_default()
}

/// The length cut so that it does not pass the end, not even by a rounding error.
fn inside(start: f64, length: f64, end: f64) -> f64 {
    let mut length = length.min(end - start);
    while start + length > end {
        length = length.next_down();
    }
    length
}

/// Resizes the box (left, top, width, height) of a picture of 8-bit RGB pixels.
fn pass(
    resizer: &mut Resizer,
    (pixels, width, height): (&[u8], u32, u32),
    to: (u32, u32),
    (left, top, box_width, box_height): (f64, f64, f64, f64),
    filter: FilterType,
) -> Vec<u8> {
    let mut out = Image::new(to.0, to.1, PixelType::U8x3);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter))
        .crop(left, top, box_width, box_height);
    // Neither step can fail: the buffer has the picture's size and type, and the box is inside it.
    if let Ok(source) = ImageRef::new(width, height, pixels, PixelType::U8x3) {
        let result = resizer.resize(&source, &mut out, &options);
        debug_assert!(result.is_ok(), "{result:?}");
    }
    out.into_vec()
}
