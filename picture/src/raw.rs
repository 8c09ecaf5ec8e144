//! Camera RAW files: their embedded JPEGs.
//!
//! Sensor data is not developed. Every such file also holds the camera's own rendering as a JPEG,
//! often at full size. Most formats are TIFF files whose directories list the JPEGs. Where that is
//! not enough (maker notes, Fujifilm's and Canon's containers), the bytes are searched for JPEGs.
//! The largest one is shown, oriented as the RAW file says, otherwise as the JPEG says.

use image::metadata::Orientation;

use super::chunks::jpeg_segments;
use super::directory::{Directory, Tiff, tag};

/// A JPEG inside a RAW file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Preview<'a> {
    /// From the start of the JPEG to the end of the space that it lies in.
    pub(super) jpeg: &'a [u8],
    /// The orientation according to the RAW file.
    pub(super) orientation: Option<Orientation>,
}

/// The name of the RAW format, detected from the content.
pub(super) fn format_name(bytes: &[u8]) -> Option<&'static str> {
    const SIGNATURES: &[(usize, &[u8], &str)] = &[
        (0, b"FUJIFILMCCD-RAW", "RAF"),
        (4, b"ftypcrx ", "CR3"),
        (0, b"IIRO", "ORF"),
        (0, b"IIRS", "ORF"),
        (0, b"MMOR", "ORF"),
        (0, b"IIU\0", "RW2"),
        (6, b"HEAPCCDR", "CRW"),
        (0, b"FOVb", "X3F"),
        (0, b"\0MRM", "MRW"),
    ];
    let signed = SIGNATURES
        .iter()
        .find(|(at, signature, _)| bytes.get(*at..).is_some_and(|b| b.starts_with(signature)))
        .map(|&(_, _, name)| name);
    if signed.is_some() {
        return signed;
    }
    let tiff = Tiff::open(bytes)?;
    if bytes.get(8..10) == Some(b"CR") {
        return Some("CR2");
    }
    let directories = tiff.directories();
    let has_number = |tag, numbers: &[u32]| {
        directories.iter().any(|directory| {
            let value = directory.number(&tiff, tag);
            value.is_some_and(|value| numbers.contains(&value))
        })
    };
    let first = directories.first()?;
    if first.entry(tag::DNG_VERSION).is_some() {
        return Some("DNG");
    }
    // Sensor data behind a colour filter array, or compression that only cameras use.
    if has_number(tag::PHOTOMETRIC, &[32_803, 34_892])
        || has_number(tag::COMPRESSION, &[32_767, 32_769, 32_770, 34_713, 65_535])
    {
        return Some("TIFF-based");
    }
    None
}

/// Maximum number of pixels of a thumbnail. When no larger JPEG is listed, the bytes are searched
/// for one.
const MAX_THUMBNAIL_PIXELS: u64 = 512 * 512;

/// The largest embedded JPEG that can be decoded.
pub(super) fn preview(bytes: &[u8]) -> Option<Preview<'_>> {
    let tiff = Tiff::open(bytes);
    let directories = tiff.as_ref().map(Tiff::directories).unwrap_or_default();
    let in_directories = tiff.as_ref().and_then(|tiff| {
        let jpegs = directories
            .iter()
            .filter_map(|directory| listed(directory, tiff));
        largest(jpegs)
    });
    let (_, jpeg) = match in_directories {
        Some(found @ (n_pixels, _)) if n_pixels > MAX_THUMBNAIL_PIXELS => found,
        other => largest(
            other
                .map(|(_, jpeg)| jpeg)
                .into_iter()
                .chain(embedded(bytes)),
        )?,
    };
    let own = tiff
        .as_ref()
        .and_then(|tiff| directories.first()?.orientation(tiff));
    let orientation = own.or_else(|| cr3_orientation(bytes));
    Some(Preview { jpeg, orientation })
}

/// The JPEG with the most pixels, and their number.
fn largest<'a>(jpegs: impl Iterator<Item = &'a [u8]>) -> Option<(u64, &'a [u8])> {
    jpegs
        .filter_map(|jpeg| n_pixels(jpeg).map(|n_pixels| (n_pixels, jpeg)))
        .max_by_key(|&(n_pixels, _)| n_pixels)
}

/// The number of pixels of a JPEG. `None` for a lossless one, which holds sensor data, and for
/// bytes that only begin like a JPEG.
fn n_pixels(jpeg: &[u8]) -> Option<u64> {
    /// A JPEG has at most 255 for a colour profile, and a few others.
    const MAX_SEGMENTS: usize = 1024;
    let (_, frame) = jpeg_segments(jpeg)
        .take(MAX_SEGMENTS)
        .take_while(
            |(marker, _)| matches!(marker, 0xC0..=0xC2 | 0xC4 | 0xDB | 0xDD | 0xE0..=0xEF | 0xFE),
        )
        .find(|(marker, _)| matches!(marker, 0xC0..=0xC2))?;
    let &[_, h0, h1, w0, w1, ..] = frame else {
        return None;
    };
    let height = u64::from(u16::from_be_bytes([h0, h1]));
    let width = u64::from(u16::from_be_bytes([w0, w1]));
    Some(width * height).filter(|&n_pixels| n_pixels > 0)
}

/// Every place in the bytes where a JPEG begins.
fn embedded(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    const MAX_JPEGS: usize = 64;
    /// In sensor data the three bytes stand by chance once in 16 MB.
    const MAX_STARTS: usize = 4096;
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let at = rest.windows(3).position(|w| w == [0xFF, 0xD8, 0xFF])?;
        let jpeg = &rest[at..];
        rest = &jpeg[3..];
        Some(jpeg)
    })
    .take(MAX_STARTS)
    .filter(|jpeg| n_pixels(jpeg).is_some())
    .take(MAX_JPEGS)
}

/// The orientation in a CR3: in the first directory of the TIFF in the box `CMT1`.
fn cr3_orientation(bytes: &[u8]) -> Option<Orientation> {
    if bytes.get(4..12)? != b"ftypcrx " {
        return None;
    }
    // The box is nested in others near the start of the file.
    let start = &bytes[..bytes.len().min(1 << 16)];
    let at = start.windows(4).position(|name| name == b"CMT1")?;
    let tiff = Tiff::open(&start[at + 4..])?;
    tiff.first()?.orientation(&tiff)
}

/// The JPEG that a directory lists.
fn listed<'a>(directory: &Directory, tiff: &Tiff<'a>) -> Option<&'a [u8]> {
    if directory.entry(tag::PANASONIC_JPEG).is_some() && tiff.bytes.starts_with(b"IIU\0") {
        return directory.bytes(tiff, tag::PANASONIC_JPEG);
    }
    let one = |tag| directory.number(tiff, tag).map(|number| number as usize);
    let pair = |at, n_bytes| Some((one(at)?, one(n_bytes)?));
    let (at, n_bytes) = pair(tag::JPEG_OFFSET, tag::JPEG_BYTES).or_else(|| {
        let is_jpeg = matches!(one(tag::COMPRESSION), Some(6 | 7));
        pair(tag::STRIP_OFFSETS, tag::STRIP_BYTES).filter(|_| is_jpeg)
    })?;
    tiff.bytes.get(at..at.checked_add(n_bytes)?)
}
