//! The directories of a TIFF file, an EXIF block or a camera's raw file (TIFF 6.0, section 2).

use image::metadata::Orientation;

/// Tags of TIFF 6.0, TIFF/EP, EXIF, DNG and Panasonic.
pub(crate) mod tag {
    pub(crate) const PANASONIC_JPEG: u16 = 0x002E;
    pub(crate) const NEW_SUBFILE_TYPE: u16 = 254;
    pub(crate) const SUBFILE_TYPE: u16 = 255;
    pub(crate) const WIDTH: u16 = 256;
    pub(crate) const HEIGHT: u16 = 257;
    pub(crate) const BITS_PER_SAMPLE: u16 = 258;
    pub(crate) const COMPRESSION: u16 = 259;
    pub(crate) const PHOTOMETRIC: u16 = 262;
    pub(crate) const IMAGE_DESCRIPTION: u16 = 270;
    pub(crate) const MAKE: u16 = 271;
    pub(crate) const MODEL: u16 = 272;
    pub(crate) const STRIP_OFFSETS: u16 = 273;
    pub(crate) const ORIENTATION: u16 = 274;
    pub(crate) const SAMPLES_PER_PIXEL: u16 = 277;
    pub(crate) const STRIP_BYTES: u16 = 279;
    pub(crate) const PLANAR_CONFIGURATION: u16 = 284;
    pub(crate) const DATE_TIME: u16 = 306;
    pub(crate) const COLOUR_MAP: u16 = 320;
    pub(crate) const SUB_DIRECTORIES: u16 = 330;
    pub(crate) const EXTRA_SAMPLES: u16 = 338;
    pub(crate) const SAMPLE_FORMAT: u16 = 339;
    pub(crate) const JPEG_OFFSET: u16 = 513;
    pub(crate) const JPEG_BYTES: u16 = 514;
    pub(crate) const XMP: u16 = 700;
    pub(crate) const IPTC: u16 = 33_723;
    pub(crate) const PHOTOSHOP: u16 = 34_377;
    pub(crate) const EXIF: u16 = 34_665;
    pub(crate) const ICC_PROFILE: u16 = 34_675;
    pub(crate) const GPS: u16 = 34_853;
    pub(crate) const DATE_TIME_ORIGINAL: u16 = 36_867;
    pub(crate) const DATE_TIME_DIGITIZED: u16 = 36_868;
    pub(crate) const USER_COMMENT: u16 = 37_510;
    pub(crate) const XP_TITLE: u16 = 40_091;
    pub(crate) const XP_COMMENT: u16 = 40_092;
    pub(crate) const XP_KEYWORDS: u16 = 40_094;
    pub(crate) const XP_SUBJECT: u16 = 40_095;
    pub(crate) const DNG_VERSION: u16 = 50_706;
    /// In the GPS directory.
    pub(crate) const LATITUDE_REF: u16 = 1;
    pub(crate) const LATITUDE: u16 = 2;
    pub(crate) const LONGITUDE_REF: u16 = 3;
    pub(crate) const LONGITUDE: u16 = 4;
}

/// Maximum number of directories, and of entries in each, that are read: far more than any program
/// writes.
const MAX_DIRECTORIES: usize = 64;
const MAX_ENTRIES: usize = 1024;

/// Maximum number of values that are read of an entry of numbers.
const MAX_NUMBERS: usize = 64;

/// A TIFF file: its bytes and their order.
pub(crate) struct Tiff<'a> {
    pub(crate) bytes: &'a [u8],
    is_little: bool,
    first: usize,
}

impl<'a> Tiff<'a> {
    /// Opens a TIFF file, or a camera's raw file that differs only in its first bytes.
    pub(crate) fn open(bytes: &'a [u8]) -> Option<Self> {
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

    pub(crate) fn short(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    }

    /// A text in UTF-16, in the order of the file's numbers.
    pub(crate) fn utf16(&self, bytes: &[u8]) -> String {
        let (pairs, _) = bytes.as_chunks::<2>();
        let units = pairs.iter().map(|&pair| {
            if self.is_little {
                u16::from_le_bytes(pair)
            } else {
                u16::from_be_bytes(pair)
            }
        });
        let units: Vec<u16> = units.take_while(|&unit| unit != 0).collect();
        String::from_utf16_lossy(&units)
    }

    fn long(&self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    }

    /// The first directory.
    pub(crate) fn first(&self) -> Option<Directory> {
        self.at(self.first)
    }

    /// The directory at an offset.
    pub(crate) fn at(&self, at: usize) -> Option<Directory> {
        self.directory(at).map(|(directory, _)| directory)
    }

    /// All directories, the first one first, each of them once. The ones below a directory follow
    /// it, the last one first.
    pub(crate) fn directories(&self) -> Vec<Directory> {
        self.walk(|children| children)
    }

    /// Like [`directories`](Self::directories), in the order of the file: the ones below a
    /// directory follow it, the first one first.
    pub(crate) fn pages(&self) -> Vec<Directory> {
        self.walk(|mut children| {
            children.reverse();
            children
        })
    }

    /// Visits all directories; `stacked` orders those below one, the last of them is next.
    fn walk(&self, stacked: impl Fn(Vec<u32>) -> Vec<u32>) -> Vec<Directory> {
        let mut found: Vec<Directory> = Vec::new();
        let mut seen = vec![];
        let mut next = vec![(self.first, None)];
        while let Some((at, above)) = next.pop() {
            if at == 0 || seen.contains(&at) || seen.len() == MAX_DIRECTORIES {
                continue;
            }
            seen.push(at);
            if let Some((mut directory, after)) = self.directory(at) {
                next.extend(after.map(|after| (after, above)));
                let children = directory.numbers(self, tag::SUB_DIRECTORIES);
                let children = stacked(children.unwrap_or_default());
                next.extend(children.iter().map(|&below| (below as usize, Some(at))));
                directory.above = above;
                found.push(directory);
            }
        }
        found
    }

    /// The directory at an offset, and the offset of the one after it.
    fn directory(&self, at: usize) -> Option<(Directory, Option<usize>)> {
        let n_entries = usize::from(self.short(at)?);
        let end = at.checked_add(2 + 12 * n_entries)?;
        let entries = (0..n_entries.min(MAX_ENTRIES))
            .map_while(|n| {
                let at = at + 2 + 12 * n;
                Some(Entry {
                    tag: self.short(at)?,
                    kind: self.short(at + 2)?,
                    n_values: self.long(at + 4)? as usize,
                    at: at + 8,
                })
            })
            .collect();
        let directory = Directory {
            at,
            above: None,
            entries,
        };
        Some((directory, self.long(end).map(|at| at as usize)))
    }
}

pub(crate) struct Directory {
    /// Offset in the file.
    pub(crate) at: usize,
    /// Offset of the directory that lists this one as below it.
    pub(crate) above: Option<usize>,
    entries: Vec<Entry>,
}

pub(crate) struct Entry {
    tag: u16,
    kind: u16,
    n_values: usize,
    /// Offset of the values, or of their offset when they have more than four bytes.
    at: usize,
}

impl Entry {
    /// Size of one value in bytes (TIFF 6.0, page 15).
    fn size(&self) -> usize {
        match self.kind {
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16..=18 => 8,
            _ => 1,
        }
    }

    /// Offset of the values.
    pub(crate) fn offset(&self, tiff: &Tiff<'_>) -> Option<usize> {
        if self.n_values.checked_mul(self.size())? <= 4 {
            Some(self.at)
        } else {
            Some(tiff.long(self.at)? as usize)
        }
    }
}

impl Directory {
    pub(crate) fn entry(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }

    /// The integers of an entry, at most [`MAX_NUMBERS`] of them.
    pub(crate) fn numbers(&self, tiff: &Tiff<'_>, tag: u16) -> Option<Vec<u32>> {
        let entry = self.entry(tag)?;
        let at = entry.offset(tiff)?;
        let number = |n| match entry.kind {
            3 => tiff.short(at + 2 * n).map(u32::from),
            4 | 13 => tiff.long(at + 4 * n),
            _ => None,
        };
        (0..entry.n_values.min(MAX_NUMBERS)).map(number).collect()
    }

    /// The value of an entry that holds a single integer.
    pub(crate) fn number(&self, tiff: &Tiff<'_>, tag: u16) -> Option<u32> {
        match self.numbers(tiff, tag)?[..] {
            [number] => Some(number),
            _ => None,
        }
    }

    /// The unsigned fractions of an entry; `None` if it has other values or a denominator is zero.
    pub(crate) fn fractions<const N: usize>(&self, tiff: &Tiff<'_>, tag: u16) -> Option<[f64; N]> {
        let entry = self.entry(tag).filter(|entry| entry.kind == 5)?;
        let at = entry.offset(tiff).filter(|_| entry.n_values >= N)?;
        let mut fractions = [0.0; N];
        for (n, fraction) in fractions.iter_mut().enumerate() {
            let (above, below) = (tiff.long(at + 8 * n)?, tiff.long(at + 8 * n + 4)?);
            // Some programs write 0/0 for missing seconds.
            *fraction = match (above, below) {
                (0, 0) => 0.0,
                (_, 0) => return None,
                _ => f64::from(above) / f64::from(below),
            };
        }
        Some(fractions)
    }

    /// The orientation of the picture. The standard asks for one SHORT; programs write every type
    /// of integer, and more than one.
    pub(crate) fn orientation(&self, tiff: &Tiff<'_>) -> Option<Orientation> {
        let entry = self.entry(tag::ORIENTATION).filter(|e| e.n_values > 0)?;
        let at = entry.offset(tiff)?;
        // None of the valid values, 1 to 8, has a sign.
        let value = match entry.kind {
            1 | 6 => u32::from(*tiff.bytes.get(at)?),
            3 | 8 => u32::from(tiff.short(at)?),
            4 | 9 | 13 => tiff.long(at)?,
            16..=18 => {
                let (low, high) = if tiff.is_little {
                    (at, at + 4)
                } else {
                    (at + 4, at)
                };
                tiff.long(low).filter(|_| tiff.long(high) == Some(0))?
            }
            _ => return None,
        };
        Orientation::from_exif(u8::try_from(value).ok()?)
    }

    /// Whether every entry's claimed length fits into the file.
    pub(crate) fn is_plausible(&self, tiff: &Tiff<'_>) -> bool {
        self.entries.iter().all(|entry| {
            let n_bytes = entry.n_values.checked_mul(entry.size());
            n_bytes.is_some_and(|n_bytes| n_bytes <= tiff.bytes.len())
        })
    }

    /// The raw bytes of an entry.
    pub(crate) fn bytes<'a>(&self, tiff: &Tiff<'a>, tag: u16) -> Option<&'a [u8]> {
        let entry = self.entry(tag)?;
        let n_bytes = entry.n_values.checked_mul(entry.size())?;
        let at = entry.offset(tiff)?;
        tiff.bytes.get(at..at.checked_add(n_bytes)?)
    }
}
