//! Thumbnails: small upright JPEGs for galleries and web pages.

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
    let max_side = max_side.clamp(1, MAX_JPEG_SIDE);
    // Twice the size leaves enough pixels for a clean resize.
    let decoded = decode_reduced(bytes, limits, Smallest::longer_side(2 * max_side))?;
    let longer = decoded.width.max(decoded.height);
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(max_side) + u64::from(longer) / 2;
        u32::try_from(side / u64::from(longer)).map_or(max_side, |side| side.max(1))
    };
    let image = if longer > max_side {
        imageops::thumbnail(
            &decoded.image,
            scaled(decoded.width),
            scaled(decoded.height),
        )
    } else {
        decoded.image
    };
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&image)?;
    Ok(Thumbnail {
        jpeg,
        width: image.width(),
        height: image.height(),
    })
}
