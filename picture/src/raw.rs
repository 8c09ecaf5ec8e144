//! Which JPEG does a camera's RAW file carry?
//!
//! What the sensor measured is not developed: every such file also carries what the camera's own
//! developing made, as a JPEG for its screen, often in full size. Most kinds are TIFF files in
//! whose directories the JPEGs are listed; where a directory is not enough (makers' own notes,
//! Fujifilm's and Canon's containers), the bytes themselves are searched for JPEGs. The largest one
//! is shown, turned as the RAW file says, else as the JPEG says.

use image::metadata::Orientation;

use super::directories::{Directory, Tiff};

/// A JPEG inside a RAW file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Preview<'a> {
    /// From the JPEG's start to the end of the space that it lies in.
    pub(super) jpeg: &'a [u8],
    /// What the RAW file says about which way is up.
    pub(super) orientation: Option<Orientation>,
}

/// The kind of RAW file, by its content.
pub(super) fn kind(bytes: &[u8]) -> Option<&'static str> {
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
    // Values of a sensor's colour filters, or compressed as only cameras do it.
    if has_number(tag::PHOTOMETRIC, &[32_803, 34_892])
        || has_number(tag::COMPRESSION, &[32_767, 32_769, 32_770, 34_713, 65_535])
    {
        return Some("TIFF-based");
    }
    None
}

/// Below this many pixels a listed JPEG is a thumbnail, and the bytes are searched for another.
const N_PIXELS_OF_A_THUMBNAIL: u64 = 512 * 512;

/// The largest JPEG of a RAW file that the JPEG decoder can read.
pub(super) fn preview(bytes: &[u8]) -> Option<Preview<'_>> {
    let tiff = Tiff::open(bytes);
    let directories = tiff.as_ref().map(Tiff::directories).unwrap_or_default();
    let in_directories = tiff.as_ref().and_then(|tiff| {
        let jpegs = directories
            .iter()
            .filter_map(|directory| listed(directory, tiff));
        largest(jpegs)
    });
    let found = match in_directories {
        Some((n_pixels, jpeg)) if n_pixels > N_PIXELS_OF_A_THUMBNAIL => (n_pixels, jpeg),
        other => largest(other.map(|(_, jpeg)| jpeg).into_iter().chain(all(bytes)))?,
    };
    let own = tiff.as_ref().and_then(|tiff| {
        let first = directories.first()?;
        first.number(tiff, tag::ORIENTATION)
    });
    let orientation = own
        .or_else(|| canon(bytes))
        .and_then(|value| Orientation::from_exif(u8::try_from(value).ok()?));
    Some(Preview {
        jpeg: found.1,
        orientation,
    })
}

/// The JPEG with the most pixels, and how many.
fn largest<'a>(jpegs: impl Iterator<Item = &'a [u8]>) -> Option<(u64, &'a [u8])> {
    jpegs
        .filter_map(|jpeg| n_pixels(jpeg).map(|n_pixels| (n_pixels, jpeg)))
        .max_by_key(|&(n_pixels, _)| n_pixels)
}

/// Pixels of a JPEG that is not lossless: those hold a sensor's values.
fn n_pixels(jpeg: &[u8]) -> Option<u64> {
    let mut rest = jpeg.strip_prefix(&[0xFF, 0xD8])?;
    loop {
        let [0xFF, marker, high, low, ..] = *rest else {
            return None;
        };
        match marker {
            0xFF => rest = &rest[1..],
            0xC0..=0xC2 => {
                let [_, h0, h1, w0, w1] = *rest.get(4..)?.first_chunk()?;
                let height = u64::from(u16::from_be_bytes([h0, h1]));
                let width = u64::from(u16::from_be_bytes([w0, w1]));
                return Some(width * height).filter(|&n_pixels| n_pixels > 0);
            }
            0xC4 | 0xDB | 0xDD | 0xE0..=0xEF | 0xFE => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                rest = rest.get(length.max(2) + 2..)?;
            }
            _ => return None,
        }
    }
}

/// Every place in the bytes where a JPEG begins that is not inside another.
fn all(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    const MOST: usize = 64;
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let at = rest.windows(3).position(|w| w == [0xFF, 0xD8, 0xFF])?;
        let jpeg = &rest[at..];
        rest = &jpeg[3..];
        Some(jpeg)
    })
    .filter(|jpeg| n_pixels(jpeg).is_some())
    .take(MOST)
}

/// The orientation in a CR3: the first directory of the TIFF in the box `CMT1`.
fn canon(bytes: &[u8]) -> Option<u32> {
    if bytes.get(4..12)? != b"ftypcrx " {
        return None;
    }
    // The box lies in others, near the start of the file.
    let start = &bytes[..bytes.len().min(1 << 16)];
    let at = start.windows(4).position(|name| name == b"CMT1")?;
    let tiff = Tiff::open(&start[at + 4..])?;
    tiff.first()?.number(&tiff, tag::ORIENTATION)
}

/// Tags of TIFF 6.0, TIFF/EP, DNG and Panasonic.
mod tag {
    pub(super) const PANASONIC_JPEG: u16 = 0x002E;
    pub(super) const COMPRESSION: u16 = 259;
    pub(super) const PHOTOMETRIC: u16 = 262;
    pub(super) const STRIP_OFFSETS: u16 = 273;
    pub(super) const ORIENTATION: u16 = 274;
    pub(super) const STRIP_BYTES: u16 = 279;
    pub(super) const JPEG_OFFSET: u16 = 513;
    pub(super) const JPEG_BYTES: u16 = 514;
    pub(super) const DNG_VERSION: u16 = 50_706;
}

/// The JPEG that a directory lists, if any.
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
