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

/// Decodes the main page to upright 8-bit sRGB on white. If it is of a kind that is not supported,
/// its reduced copy is decoded, as the preview of camera RAW is.
pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<RgbImage, DecodeError> {
    let decode = |opened| match opened {
        (Some(page), tagged) => Page::decode(page, bytes, tagged, limits, deadline),
        (None, tagged) => image_crate::decode_tiff(bytes, tagged, limits, deadline),
    };
    match open(bytes, main_page).and_then(|main| decode(main.unwrap_or_default())) {
        Err(error @ DecodeError::Unsupported { .. }) => match open(bytes, reduced_page) {
            Ok(Some(reduced)) => decode(reduced).map_err(|_| error),
            _ => Err(error),
        },
        decoded => decoded,
    }
}

/// Upper estimate of the memory for decoding in bytes, from the directories. Some kinds of pages
/// turn out to be unsupported only when their pixels are read.
pub(super) fn memory_needed(bytes: &[u8]) -> Result<u64, DecodeError> {
    let needed = |opened| match opened {
        (Some(page), _) => Ok(Page::n_bytes(&page)),
        (None, tagged) => image_crate::tiff_memory_needed(bytes, &tagged),
    };
    let main = open(bytes, main_page).and_then(|main| needed(main.unwrap_or_default()));
    let reduced = open(bytes, reduced_page).ok().flatten();
    let reduced = reduced.and_then(|reduced| needed(reduced).ok());
    match (main, reduced) {
        (Ok(main), reduced) => Ok(main.max(reduced.unwrap_or(0))),
        (Err(DecodeError::Unsupported { .. }), Some(reduced)) => Ok(reduced),
        (Err(error), _) => Err(error),
    }
}

/// A page whose directory was read, unless the `image` crate decodes it or refuses it with its own
/// error, and what that directory says beside the pixels.
type Opened = (Option<Page>, Tagged);

/// Opens the page that `choose` finds; `None` if it finds none. The profile is read here since the
/// `image` crate does not take bytes of undefined type for one.
fn open(
    bytes: &[u8],
    choose: fn(&Tiff<'_>) -> Option<Directory>,
) -> Result<Option<Opened>, DecodeError> {
    let Some(tiff) = Tiff::open(bytes) else {
        return Ok(None);
    };
    let Some(page) = choose(&tiff) else {
        return Ok(None);
    };
    // Decoders allocate what an entry claims to hold.
    if !page.is_plausible(&tiff) {
        return Err(DecodeError::corrupt("an entry is longer than the file"));
    }
    // What a directory does not say is said by the one above it.
    let above = page.above.and_then(|at| tiff.at(at));
    let described = [Some(&page), above.as_ref()];
    let mut described = described.into_iter().flatten();
    let orientation = described.clone().find_map(|d| d.orientation(&tiff));
    let icc = described.find_map(|d| d.bytes(&tiff, tag::ICC_PROFILE));
    let tagged = Tagged {
        start: u32::try_from(page.at).ok(),
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        icc: icc.map(<[u8]>::to_vec),
    };
    Ok(Some((Page::read(&page, &tiff)?, tagged)))
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

/// The first reduced copy in colours: RGB, or luminance with colour differences, as in JPEGs.
fn reduced_page(tiff: &Tiff<'_>) -> Option<Directory> {
    let is_coloured = |page: &Directory| {
        let photometric = page.number(tiff, tag::PHOTOMETRIC);
        matches!(photometric, Some(2 | 6))
    };
    let mut pages = tiff.pages().into_iter();
    pages.find(|page| role(page, tiff) == Some(Role::Reduced) && is_coloured(page))
}

fn is_main(page: &Directory, tiff: &Tiff<'_>) -> bool {
    role(page, tiff) == Some(Role::Main)
}

/// What a page is in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A picture of its own.
    Main,
    /// A reduced copy of one.
    Reduced,
    /// A mask or a depth map, reduced or not.
    Beside,
}

/// The role of a page; `None` for a directory without pixels.
fn role(page: &Directory, tiff: &Tiff<'_>) -> Option<Role> {
    /// Bits of `NewSubfileType` (TIFF 6.0, page 36; DNG 1.6).
    const REDUCED: u32 = 1;
    const MASK_OR_DEPTH: u32 = 4 | 8;
    /// Of the older `SubfileType`.
    const OLD_REDUCED: u32 = 2;
    page.entry(tag::WIDTH)?;
    page.entry(tag::HEIGHT)?;
    Some(match page.number(tiff, tag::NEW_SUBFILE_TYPE) {
        Some(kind) if kind & MASK_OR_DEPTH != 0 => Role::Beside,
        Some(kind) if kind & REDUCED != 0 => Role::Reduced,
        None if page.number(tiff, tag::SUBFILE_TYPE) == Some(OLD_REDUCED) => Role::Reduced,
        _ => Role::Main,
    })
}
