//! Which JPEG does a camera's RAW file carry?
//!
//! What the sensor measured is not developed: every such file also carries what the camera's own
//! developing made, as a JPEG for its screen, often in full size. Most kinds are TIFF files in
//! whose directories the JPEGs are listed; where a directory is not enough (makers' own notes,
//! Fujifilm's and Canon's containers), the bytes themselves are searched for JPEGs. The largest one
//! is shown, turned as the RAW file says, else as the JPEG says.

use image::metadata::Orientation;

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
            let value = directory
                .get(&tiff, tag)
                .and_then(|values| values.first().copied());
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
    let listed = tiff.as_ref().and_then(|tiff| {
        let jpegs = directories
            .iter()
            .filter_map(|directory| directory.jpeg(tiff));
        largest(jpegs)
    });
    let found = match listed {
        Some((n_pixels, jpeg)) if n_pixels > N_PIXELS_OF_A_THUMBNAIL => (n_pixels, jpeg),
        listed => largest(listed.map(|(_, jpeg)| jpeg).into_iter().chain(all(bytes)))?,
    };
    let own = tiff.as_ref().and_then(|tiff| {
        let first = directories.first()?;
        first.get(tiff, tag::ORIENTATION)?.first().copied()
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
    let directory = tiff.directory(tiff.first)?.0;
    directory.get(&tiff, tag::ORIENTATION)?.first().copied()
}

/// Tags of TIFF 6.0, TIFF/EP, DNG and Panasonic.
mod tag {
    pub(super) const PANASONIC_JPEG: u16 = 0x002E;
    pub(super) const COMPRESSION: u16 = 259;
    pub(super) const PHOTOMETRIC: u16 = 262;
    pub(super) const STRIP_OFFSETS: u16 = 273;
    pub(super) const ORIENTATION: u16 = 274;
    pub(super) const STRIP_BYTES: u16 = 279;
    pub(super) const SUB_DIRECTORIES: u16 = 330;
    pub(super) const JPEG_OFFSET: u16 = 513;
    pub(super) const JPEG_BYTES: u16 = 514;
    pub(super) const DNG_VERSION: u16 = 50_706;
}

/// A TIFF file's bytes and their order.
struct Tiff<'a> {
    bytes: &'a [u8],
    is_little: bool,
    first: usize,
}

/// Directories that are looked at, and entries of each: far more than any camera writes.
const N_DIRECTORIES: usize = 64;
const N_ENTRIES: usize = 1024;

impl<'a> Tiff<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        let is_little = match bytes.get(..4)? {
            [b'I', b'I', 42, 0] | b"IIRO" | b"IIRS" | b"IIU\0" => true,
            [b'M', b'M', 0, 42] | b"MMOR" => false,
            _ => return None,
        };
        let mut tiff = Self {
            bytes,
            is_little,
            first: 0,
        };
        tiff.first = tiff.long(4)? as usize;
        Some(tiff)
    }

    fn short(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    }

    /// All directories, the first one first, each once.
    fn directories(&self) -> Vec<Directory> {
        let mut found: Vec<Directory> = Vec::new();
        let mut seen = vec![];
        let mut next = vec![self.first];
        while let Some(at) = next.pop() {
            if at == 0 || seen.contains(&at) || seen.len() == N_DIRECTORIES {
                continue;
            }
            seen.push(at);
            if let Some((directory, after)) = self.directory(at) {
                next.extend(after);
                let below = directory
                    .get(self, tag::SUB_DIRECTORIES)
                    .unwrap_or_default();
                next.extend(below.iter().take(N_DIRECTORIES).map(|&at| at as usize));
                found.push(directory);
            }
        }
        found
    }

    /// The directory at an offset, and the offset of the one after it.
    fn directory(&self, at: usize) -> Option<(Directory, Option<usize>)> {
        let n_entries = usize::from(self.short(at)?);
        let end = at.checked_add(2 + 12 * n_entries)?;
        let entries = (0..n_entries.min(N_ENTRIES))
            .map_while(|n| {
                let at = at + 2 + 12 * n;
                Some(Entry {
                    tag: self.short(at)?,
                    kind: self.short(at + 2)?,
                    n_values: self.long(at + 4)?,
                    at: at + 8,
                })
            })
            .collect();
        Some((Directory { entries }, self.long(end).map(|at| at as usize)))
    }
}

struct Directory {
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    tag: u16,
    kind: u16,
    n_values: u32,
    /// Where the value is, or, when it has more than four bytes, the value's offset.
    at: usize,
}

impl Directory {
    fn entry(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }

    /// The whole numbers of an entry, the first few of them.
    fn get(&self, tiff: &Tiff<'_>, tag: u16) -> Option<Vec<u32>> {
        let entry = self.entry(tag)?;
        let n_values = (entry.n_values as usize).min(N_DIRECTORIES);
        let n_bytes = match entry.kind {
            3 => 2,
            4 | 13 => 4,
            _ => return None,
        };
        let at = if entry.n_values as usize * n_bytes <= 4 {
            entry.at
        } else {
            tiff.long(entry.at)? as usize
        };
        (0..n_values)
            .map(|n| match n_bytes {
                2 => tiff.short(at + 2 * n).map(u32::from),
                _ => tiff.long(at + 4 * n),
            })
            .collect()
    }

    /// The JPEG that this directory lists, if any.
    fn jpeg<'a>(&self, tiff: &Tiff<'a>) -> Option<&'a [u8]> {
        let one = |tag| match self.get(tiff, tag)?[..] {
            [value] => Some(value as usize),
            _ => None,
        };
        let pair = |at, n_bytes| Some((one(at)?, one(n_bytes)?));
        let (at, n_bytes) = pair(tag::JPEG_OFFSET, tag::JPEG_BYTES)
            .or_else(|| {
                let is_jpeg = matches!(one(tag::COMPRESSION), Some(6 | 7));
                pair(tag::STRIP_OFFSETS, tag::STRIP_BYTES).filter(|_| is_jpeg)
            })
            .or_else(|| {
                let entry = self.entry(tag::PANASONIC_JPEG)?;
                Some((tiff.long(entry.at)? as usize, entry.n_values as usize))
            })?;
        tiff.bytes.get(at..at.checked_add(n_bytes)?)
    }
}
