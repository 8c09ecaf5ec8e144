//! Decodes a file's content with the decoder for its format.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{ImageFormat, RgbImage};

use super::colour::ColourSpace;
use super::limits::{Deadline, guarded};
use super::orientation::{swaps_sides, upright};
use super::sniff::{self, FileKind, sniff};
use super::{DecodeError, DecodeLimits, Smallest};
use super::{heif, image_crate, jpeg, jxl, raw, svg, tiff};

/// A decoded picture and its size in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The picture, upright, possibly at a reduced size.
    pub image: RgbImage,
    /// Width of the upright picture at its full size, in pixels.
    pub width: u32,
    /// Height of the upright picture at its full size, in pixels.
    pub height: u32,
}

impl Decoded {
    /// A picture at its full size.
    fn whole(image: RgbImage) -> Self {
        let (width, height) = image.dimensions();
        Self {
            image,
            width,
            height,
        }
    }
}

/// Decodes a picture file's content at its full size.
///
/// # Errors
/// [`DecodeError`]; never panics, whatever the bytes are.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, DecodeError> {
    decode_reduced(bytes, limits, Smallest::whole()).map(|decoded| decoded.image)
}

/// Like [`decode`], but a large JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, as far as
/// `smallest` allows.
///
/// # Errors
/// [`DecodeError`]; never panics, whatever the bytes are.
pub fn decode_reduced(
    bytes: &[u8],
    limits: &DecodeLimits,
    smallest: Smallest,
) -> Result<Decoded, DecodeError> {
    let deadline = limits.deadline();
    guarded(|| decode_in_time(bytes, limits, deadline, smallest))
        .unwrap_or_else(|| Err(DecodeError::corrupt("the decoder panicked")))
        .map_err(|error| deadline.explain(error))
}

/// The error for a file in a known but unsupported format, detected from its first 64 bytes or
/// more: large files need not be read to the end.
#[must_use]
pub fn unsupported(start: &[u8]) -> Option<DecodeError> {
    sniff::unsupported_name(start).map(DecodeError::unsupported)
}

fn decode_in_time(
    bytes: &[u8],
    limits: &DecodeLimits,
    deadline: Deadline,
    smallest: Smallest,
) -> Result<Decoded, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let whole = match sniff(bytes) {
        FileKind::Jpeg => return decode_jpeg(bytes, limits, deadline, smallest, None),
        FileKind::Raw(name) => {
            let preview = raw::preview(bytes).ok_or_else(|| {
                DecodeError::unsupported(format!("camera RAW ({name}) without an embedded JPEG"))
            })?;
            let orientation = preview.orientation;
            return decode_jpeg(preview.jpeg, limits, deadline, smallest, orientation);
        }
        FileKind::Tiff => tiff::decode(bytes, limits, deadline)?,
        FileKind::Image(format) => image_crate::decode(bytes, format, limits, deadline)?,
        FileKind::Heif => heif::decode(bytes, limits, deadline)?,
        FileKind::Jxl => jxl::decode(bytes, limits, deadline)?,
        FileKind::Svg => svg::decode(bytes, limits, deadline, embedded_png)?,
        FileKind::Unsupported(format) => return Err(DecodeError::unsupported(format)),
        FileKind::Unknown => return Err(DecodeError::NotAPicture),
    };
    Ok(Decoded::whole(whole))
}

/// Decodes a JPEG. The orientation of the file around it, if any, overrides its own.
fn decode_jpeg(
    bytes: &[u8],
    limits: &DecodeLimits,
    deadline: Deadline,
    smallest: Smallest,
    orientation: Option<Orientation>,
) -> Result<Decoded, DecodeError> {
    deadline.check()?;
    let mut jpeg = jpeg::decode(bytes, limits, deadline, smallest)?;
    ColourSpace::from_icc(jpeg.icc).apply::<3>(&mut jpeg.image);
    let orientation = orientation.unwrap_or(jpeg.orientation);
    let (width, height) = if swaps_sides(orientation) {
        (jpeg.height, jpeg.width)
    } else {
        (jpeg.width, jpeg.height)
    };
    Ok(Decoded {
        image: upright(jpeg.image, orientation),
        width,
        height,
    })
}

/// Decodes a picture embedded in an SVG within the limits, and encodes it as a PNG, which the
/// renderer can read without further checks. Drawings inside drawings are left out.
fn embedded_png(bytes: &[u8], limits: &DecodeLimits) -> Option<Vec<u8>> {
    let image = match sniff(bytes) {
        FileKind::Svg | FileKind::Unsupported(_) | FileKind::Unknown => return None,
        FileKind::Image(ImageFormat::Png) => {
            // Kept as it is: on white it would hide what is below it.
            let n_bytes = memory_needed(bytes);
            return (n_bytes > 0 && n_bytes <= limits.max_bytes).then(|| bytes.to_vec());
        }
        _ => {
            // Held as decoded, as a PNG, and as drawn: at most four bytes per pixel each.
            let max_pixels = limits.max_pixels.min(limits.max_bytes / 12);
            decode(bytes, &limits.clone().with_max_pixels(max_pixels)).ok()?
        }
    };
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).ok()?;
    Some(png.into_inner())
}

/// Upper estimate of the memory that [`decode`] holds at once for this file, in bytes, the file
/// itself not included. Zero for files that cannot be decoded.
///
/// Reads only the header, so it is cheap. It serves to bound the sum over several pictures.
#[must_use]
pub fn memory_needed(bytes: &[u8]) -> u64 {
    memory_needed_reduced(bytes, Smallest::whole())
}

/// Like [`memory_needed`], for [`decode_reduced`]. A JPEG of a kind that is only decoded whole
/// needs more than this; [`decode_reduced`] refuses it with [`DecodeError::TooManyBytes`] when
/// [`DecodeLimits::max_bytes`] is this estimate.
#[must_use]
pub fn memory_needed_reduced(bytes: &[u8], smallest: Smallest) -> u64 {
    let estimate = || -> Result<u64, DecodeError> {
        Ok(match sniff(bytes) {
            FileKind::Jpeg => jpeg::memory_needed(bytes, smallest),
            FileKind::Raw(_) => {
                raw::preview(bytes).map_or(0, |preview| jpeg::memory_needed(preview.jpeg, smallest))
            }
            FileKind::Tiff => tiff::memory_needed(bytes)?,
            FileKind::Image(format) => image_crate::memory_needed(bytes, format)?,
            FileKind::Heif => heif::memory_needed(bytes)?,
            FileKind::Jxl => jxl::memory_needed(bytes)?,
            FileKind::Svg => svg::memory_needed(bytes),
            FileKind::Unsupported(_) | FileKind::Unknown => 0,
        })
    };
    guarded(|| estimate().unwrap_or(0)).unwrap_or(0)
}
