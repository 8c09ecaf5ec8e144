//! Thumbnails: small upright JPEGs for galleries and web pages.

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::imageops;

use super::{DecodeError, DecodeLimits, Smallest, decode_reduced};

/// JPEG quality, 1 to 100.
const QUALITY: u8 = 80;

/// The longest side of a JPEG, in pixels.
const MAX_JPEG_SIDE: u32 = 65_535;

/// A small copy of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// The content of a JPEG file: upright, sRGB, on white, without metadata.
    pub jpeg: Vec<u8>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// Makes a thumbnail of a picture file's content. Its longer side has at most `max_side` pixels; a
/// picture that is smaller keeps its size.
///
/// Large JPEGs are decoded at a reduced size, so that their thumbnails are cheap.
///
/// # Errors
/// [`DecodeError`], as from [`decode`](super::decode); never panics, whatever the bytes are.
pub fn thumbnail(
    bytes: &[u8],
    limits: &DecodeLimits,
    max_side: u32,
) -> Result<Thumbnail, DecodeError> {
    let image = reduced(bytes, limits, max_side)?;
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&image)?;
    Ok(Thumbnail {
        jpeg,
        width: image.width(),
        height: image.height(),
    })
}

/// Decodes a picture file's content to a small upright picture. Its longer side has at most
/// `max_side` pixels; a picture that is smaller keeps its size.
///
/// Large JPEGs are decoded at a reduced size, so that this is cheap.
///
/// # Errors
/// [`DecodeError`], as from [`decode`](super::decode); never panics, whatever the bytes are.
pub fn reduced(
    bytes: &[u8],
    limits: &DecodeLimits,
    max_side: u32,
) -> Result<RgbImage, DecodeError> {
    let max_side = max_side.clamp(1, MAX_JPEG_SIDE);
    // Twice the size leaves enough pixels for a clean resize.
    let decoded = decode_reduced(bytes, limits, Smallest::longer_side(2 * max_side))?;
    let full = (decoded.width, decoded.height);
    Ok(within(&decoded.image, full, max_side).unwrap_or(decoded.image))
}

/// A picture scaled down to at most `max_side` pixels; `None` if it is no larger. `full` is its
/// size before any reduction, which decides the shape.
pub(super) fn within(image: &RgbImage, full: (u32, u32), max_side: u32) -> Option<RgbImage> {
    let longer = full.0.max(full.1);
    if longer <= max_side {
        return None;
    }
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(max_side) + u64::from(longer) / 2;
        u32::try_from(side / u64::from(longer)).map_or(max_side, |side| side.max(1))
    };
    let (width, height) = (scaled(full.0), scaled(full.1));
    Some(imageops::thumbnail(image, width, height))
}
