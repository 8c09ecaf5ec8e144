//! TIFF files.
//!
//! The `image` crate decodes most of them. What it refuses or decodes wrongly is decoded by `page`.
//! Of several pages, the first one is shown that is a picture of its own: scanners and photo
//! programs put reduced copies before it, or the picture itself into a directory below.

mod page;

use image::RgbImage;
use image::metadata::Orientation;

use super::directory::{Directory, Tiff, tag};
use super::image_crate::{self, Tagged};
use super::limits::Deadline;
use super::{DecodeError, DecodeLimits};
use page::Page;

/// Decodes the main page to upright 8-bit sRGB on white.
pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<RgbImage, DecodeError> {
    match open(bytes)? {
        (Some(page), tagged) => page.decode(bytes, tagged, limits, deadline),
        (None, tagged) => image_crate::decode_tiff(bytes, tagged, limits, deadline),
    }
}

/// Upper estimate of the memory for decoding in bytes, from the directory.
pub(super) fn memory_needed(bytes: &[u8]) -> Result<u64, DecodeError> {
    match open(bytes)? {
        (Some(page), _) => Ok(page.n_bytes()),
        (None, tagged) => image_crate::tiff_memory_needed(bytes, &tagged),
    }
}

/// The main page, unless the `image` crate decodes it or refuses it with its own error, and what
/// its directory says beside the pixels. The profile is read here since the `image` crate does not
/// take bytes of undefined type for one.
fn open(bytes: &[u8]) -> Result<(Option<Page>, Tagged), DecodeError> {
    let Some(tiff) = Tiff::open(bytes) else {
        return Ok((None, Tagged::default()));
    };
    let Some(main) = main_page(&tiff) else {
        return Ok((None, Tagged::default()));
    };
    // Decoders allocate what an entry claims to hold.
    if !main.is_plausible(&tiff) {
        return Err(DecodeError::corrupt("an entry is longer than the file"));
    }
    // What a directory does not say is said by the one above it.
    let above = main.above.and_then(|at| tiff.at(at));
    let described = [Some(&main), above.as_ref()];
    let mut described = described.into_iter().flatten();
    let orientation = described.clone().find_map(|d| d.orientation(&tiff));
    let icc = described.find_map(|d| d.bytes(&tiff, tag::ICC_PROFILE));
    let tagged = Tagged {
        start: u32::try_from(main.at).ok(),
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        icc: icc.map(<[u8]>::to_vec),
    };
    Ok((Page::read(&main, &tiff)?, tagged))
}

/// The first directory of a picture that is neither a reduced copy of another one, nor a mask, nor
/// a depth map. Without one, the first directory.
fn main_page(tiff: &Tiff<'_>) -> Option<Directory> {
    let mut pages = tiff.pages();
    let main = pages.iter().position(|page| is_main(page, tiff));
    if pages.is_empty() {
        return None;
    }
    Some(pages.swap_remove(main.unwrap_or(0)))
}

fn is_main(page: &Directory, tiff: &Tiff<'_>) -> bool {
    /// Bits of `NewSubfileType` (TIFF 6.0, page 36; DNG 1.6): reduced, mask, depth map.
    const OTHER: u32 = 1 | 4 | 8;
    /// Of the older `SubfileType`.
    const REDUCED: u32 = 2;
    let has_pixels = page.entry(tag::WIDTH).is_some() && page.entry(tag::HEIGHT).is_some();
    has_pixels
        && match page.number(tiff, tag::NEW_SUBFILE_TYPE) {
            Some(kind) => kind & OTHER == 0,
            None => page.number(tiff, tag::SUBFILE_TYPE) != Some(REDUCED),
        }
}
