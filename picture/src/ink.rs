//! Which colours do the inks of a CMYK TIFF make?
//!
//! The `image` crate reads these files, but cuts fractions off where Pillow rounds, which darkens
//! the whole picture by half a step. So the inks are read here and mixed as Pillow mixes them.

use std::io::Cursor;

use image::RgbImage;
use tiff::decoder::{Decoder, DecodingResult, Limits};

use super::colour::inks_to_srgb;

/// Reads an 8-bit CMYK TIFF whose inks are stored pixel by pixel. `None` when the file is not of
/// that kind after all, or broken: then the general reader has the word.
///
/// A CMYK profile says how the inks look; without one they are mixed as Pillow mixes them.
pub(super) fn read(bytes: &[u8], max_bytes: u64, icc: Option<&[u8]>) -> Option<RgbImage> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = usize::try_from(max_bytes).ok()?;
    limits.intermediate_buffer_size = limits.decoding_buffer_size;
    let mut decoder = Decoder::new(Cursor::new(bytes)).ok()?.with_limits(limits);
    if decoder.colortype().ok()? != tiff::ColorType::CMYK(8) {
        return None;
    }
    let (width, height) = decoder.dimensions().ok()?;
    let DecodingResult::U8(inks) = decoder.read_image().ok()? else {
        return None;
    };
    let n_pixels = usize::try_from(u64::from(width) * u64::from(height)).ok()?;
    if inks.len() != n_pixels.checked_mul(4)? {
        return None;
    }
    let rgb = icc
        .and_then(|icc| inks_to_srgb(&inks, icc))
        .unwrap_or_else(|| mix(&inks));
    RgbImage::from_raw(width, height, rgb)
}

/// Cyan, magenta, yellow and black, 255 being full ink, to red, green and blue.
pub(super) fn mix(inks: &[u8]) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(inks.len() / 4 * 3);
    for pixel in inks.chunks_exact(4) {
        let paper = u32::from(255 - pixel[3]);
        for &ink in &pixel[..3] {
            let dark = (u32::from(ink) * paper + 127) / 255;
            rgb.push(u8::try_from(paper - dark.min(paper)).unwrap_or(0));
        }
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inks_darken_white_paper() {
        assert_eq!(mix(&[0, 0, 0, 0]), [255, 255, 255]);
        assert_eq!(mix(&[255, 0, 0, 0]), [0, 255, 255]);
        assert_eq!(mix(&[0, 0, 0, 255]), [0, 0, 0]);
        assert_eq!(mix(&[0, 128, 255, 51]), [204, 102, 0]);
    }

    #[test]
    fn other_files_are_left_alone() {
        assert!(read(b"II*\0 and nothing that follows", 1 << 20, None).is_none());
        assert!(read(b"", 1 << 20, None).is_none());
    }
}
