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
    check_lengths(bytes)?;
    if let Some(page) = Page::open(bytes)? {
        return page.decode(bytes, limits, deadline);
    }
    image_crate::decode(bytes, ImageFormat::Tiff, icc(bytes), limits, deadline)
}

/// Upper estimate of the memory for decoding in bytes, from the directory.
pub(super) fn memory_needed(bytes: &[u8]) -> Result<u64, DecodeError> {
    check_lengths(bytes)?;
    match Page::open(bytes)? {
        Some(page) => Ok(page.n_bytes()),
        None => image_crate::memory_needed(bytes, ImageFormat::Tiff),
    }
}

/// Refuses entries longer than the file: decoders allocate what an entry claims to hold.
fn check_lengths(bytes: &[u8]) -> Result<(), DecodeError> {
    let first = Tiff::open(bytes).and_then(|tiff| Some((tiff.first()?, tiff)));
    match first {
        Some((first, tiff)) if !first.is_plausible(&tiff) => {
            Err(DecodeError::corrupt("an entry is longer than the file"))
        }
        _ => Ok(()),
    }
}

/// The ICC profile of the first page. It is read here since the `image` crate does not take bytes
/// of undefined type for a profile.
fn icc(bytes: &[u8]) -> Option<Vec<u8>> {
    let tiff = Tiff::open(bytes)?;
    let icc = tiff.first()?.bytes(&tiff, tag::ICC_PROFILE)?;
    Some(icc.to_vec())
}
