//! How much memory will decoding a file take?

use image::metadata::Orientation;

use super::guard::guarded;
use super::sniff::{Kind, kind};
use super::{from_exif, general, heif, jpeg, jxl, raw, svg, turns_sides};

/// The most bytes that [`decode`](super::decode) will hold at once for this file, the file itself
/// not counted, as far as its header tells. Zero for what is not read or broken.
///
/// Only the header is looked at, so this is cheap; it is an upper estimate, for keeping the sum
/// over several pictures within bounds.
#[must_use]
pub fn memory_needed(bytes: &[u8]) -> u64 {
    guarded(|| measure(bytes)).unwrap_or(0)
}

fn measure(bytes: &[u8]) -> u64 {
    match kind(bytes) {
        Kind::Jpeg => of_jpeg(bytes),
        Kind::Readable(format) => general::memory_needed(bytes, format).unwrap_or(0),
        Kind::Heif => heif::memory_needed(bytes).unwrap_or(0),
        Kind::Jxl => jxl::memory_needed(bytes).unwrap_or(0),
        Kind::Svg | Kind::Svgz => svg::memory_needed(bytes),
        Kind::Raw(_) => raw::preview(bytes).map_or(0, |preview| of_jpeg(preview.jpeg)),
        Kind::Known(_) | Kind::Unknown => 0,
    }
}

/// By the segments before the first scan (ITU-T T.81, B.2).
fn of_jpeg(bytes: &[u8]) -> u64 {
    let mut orientation = Orientation::NoTransforms;
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let [0xFF, marker, tail @ ..] = rest {
        if *marker == 0xFF {
            rest = &rest[1..];
            continue;
        }
        let Some(segment) = tail.first_chunk().and_then(|&length| {
            let length = usize::from(u16::from_be_bytes(length));
            tail.get(2..length)
        }) else {
            return 0;
        };
        match (marker, segment) {
            (0xE1, exif) if exif.starts_with(b"Exif\0\0") => orientation = from_exif(exif),
            (
                0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF,
                &[_, h0, h1, w0, w1, n_components, ..],
            ) => {
                let height = u64::from(u16::from_be_bytes([h0, h1]));
                let width = u64::from(u16::from_be_bytes([w0, w1]));
                // Sides are filled up to whole blocks, of 16 pixels at most where colour is halved.
                let n_pixels = width.next_multiple_of(16) * height.next_multiple_of(16);
                let n_components = u64::from(n_components);
                // A progressive file keeps all coefficients, two bytes each, until its last scan.
                let is_progressive = matches!(marker, 0xC2 | 0xC6 | 0xCA | 0xCE);
                let coefficients = if is_progressive { 2 * n_components } else { 0 };
                // Grey is widened to three channels; a turned picture is a second one.
                let beside =
                    u64::from(n_components == 1).max(3 * u64::from(turns_sides(orientation)));
                // A few rows of blocks, in 16 bits and interpolated.
                let rows = 64 * 4 * n_components * width.next_multiple_of(16);
                // Inks are held beside the colours that become of them, when a profile says how.
                let (inks, table) = if n_components == 4 {
                    (jpeg::INKS_BYTES, jpeg::TABLE_BYTES)
                } else {
                    (0, 0)
                };
                return n_pixels * (3 + coefficients.max(beside) + inks) + rows + table;
            }
            (0xDA | 0xD9, _) => return 0,
            _ => {}
        }
        rest = &tail[2 + segment.len()..];
    }
    0
}
