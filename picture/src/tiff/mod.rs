//! TIFF files.
//!
//! The `image` crate decodes most of them. What it refuses or decodes wrongly is decoded by `page`.

pub(super) mod directory;
mod page;

use image::{ImageFormat, RgbImage};

use super::image_crate;
use super::limits::Deadline;
use super::{DecodeError, DecodeLimits};
use directory::{Tiff, tag};
use page::Page;

/// Decodes the first page to upright 8-bit sRGB on white.
pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<RgbImage, DecodeError> {
    let (page, icc) = open(bytes)?;
    let icc = icc.map(<[u8]>::to_vec);
    match page {
        Some(page) => page.decode(bytes, icc, limits, deadline),
        None => image_crate::decode(bytes, ImageFormat::Tiff, icc, limits, deadline),
    }
}

/// Upper estimate of the memory for decoding in bytes, from the directory.
pub(super) fn memory_needed(bytes: &[u8]) -> Result<u64, DecodeError> {
    match open(bytes)?.0 {
        Some(page) => Ok(page.n_bytes()),
        None => image_crate::memory_needed(bytes, ImageFormat::Tiff),
    }
}

/// The first page, unless the `image` crate decodes it or refuses it with its own error, and its
/// ICC profile. That is read here since the `image` crate does not take bytes of undefined type for
/// a profile.
fn open(bytes: &[u8]) -> Result<(Option<Page>, Option<&[u8]>), DecodeError> {
    let Some((first, tiff)) = Tiff::open(bytes).and_then(|tiff| Some((tiff.first()?, tiff))) else {
        return Ok((None, None));
    };
    // Decoders allocate what an entry claims to hold.
    if !first.is_plausible(&tiff) {
        return Err(DecodeError::corrupt("an entry is longer than the file"));
    }
    let icc = first.bytes(&tiff, tag::ICC_PROFILE);
    Ok((Page::read(&first, &tiff)?, icc))
}
