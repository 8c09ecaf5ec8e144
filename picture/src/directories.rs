//! What is written in a TIFF file's directories?
//!
//! EXIF, camera RAW files and plain TIFF all have them (TIFF 6.0, section 2). Readers of pictures
//! keep most of it to themselves.

/// Directories that are looked at, and entries of each: far more than any program writes.
const N_DIRECTORIES: usize = 64;
const N_ENTRIES: usize = 1024;

/// A TIFF file's bytes and their order.
pub(super) struct Tiff<'a> {
    pub(super) bytes: &'a [u8],
    is_little: bool,
    first: usize,
}

impl<'a> Tiff<'a> {
    /// A TIFF file, or one of the cameras' kinds that differ in the first bytes only.
    pub(super) fn open(bytes: &'a [u8]) -> Option<Self> {
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

    pub(super) fn short(&self, at: usize) -> Option<u16> {
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

    /// The first directory.
    pub(super) fn first(&self) -> Option<Directory> {
        self.directory(self.first).map(|(directory, _)| directory)
    }

    /// The one at an offset.
    pub(super) fn at(&self, at: usize) -> Option<Directory> {
        self.directory(at).map(|(directory, _)| directory)
    }

    /// All directories, the first one first, each once.
    pub(super) fn directories(&self) -> Vec<Directory> {
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
                let below = directory.numbers(self, SUB_DIRECTORIES).unwrap_or_default();
                next.extend(below.iter().map(|&at| at as usize));
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
                    n_values: self.long(at + 4)? as usize,
                    at: at + 8,
                })
            })
            .collect();
        Some((Directory { entries }, self.long(end).map(|at| at as usize)))
    }
}

const SUB_DIRECTORIES: u16 = 330;

pub(super) struct Directory {
    entries: Vec<Entry>,
}

pub(super) struct Entry {
    tag: u16,
    kind: u16,
    n_values: usize,
    /// Where the value is, or, when it has more than four bytes, the value's offset.
    at: usize,
}

impl Entry {
    /// Bytes of one value (TIFF 6.0, page 15).
    fn size(&self) -> usize {
        match self.kind {
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 => 8,
            _ => 1,
        }
    }

    /// Where the values are.
    pub(super) fn place(&self, tiff: &Tiff<'_>) -> Option<usize> {
        if self.n_values.checked_mul(self.size())? <= 4 {
            Some(self.at)
        } else {
            Some(tiff.long(self.at)? as usize)
        }
    }
}

impl Directory {
    pub(super) fn entry(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }

    /// The whole numbers of an entry, the first few of them.
    pub(super) fn numbers(&self, tiff: &Tiff<'_>, tag: u16) -> Option<Vec<u32>> {
        let entry = self.entry(tag)?;
        let at = entry.place(tiff)?;
        let number = |n| match entry.kind {
            3 => tiff.short(at + 2 * n).map(u32::from),
            4 | 13 => tiff.long(at + 4 * n),
            _ => None,
        };
        (0..entry.n_values.min(N_DIRECTORIES)).map(number).collect()
    }

    /// The only whole number of an entry.
    pub(super) fn number(&self, tiff: &Tiff<'_>, tag: u16) -> Option<u32> {
        match self.numbers(tiff, tag)?[..] {
            [number] => Some(number),
            _ => None,
        }
    }

    /// Whether no entry claims to be longer than the file: readers ask for memory by the claim.
    pub(super) fn is_plausible(&self, tiff: &Tiff<'_>) -> bool {
        self.entries.iter().all(|entry| {
            let n_bytes = entry.n_values.checked_mul(entry.size());
            n_bytes.is_some_and(|n_bytes| n_bytes <= tiff.bytes.len())
        })
    }

    /// An entry's bytes as they are.
    pub(super) fn bytes<'a>(&self, tiff: &Tiff<'a>, tag: u16) -> Option<&'a [u8]> {
        let entry = self.entry(tag)?;
        let n_bytes = entry.n_values.checked_mul(entry.size())?;
        let at = entry.place(tiff)?;
        tiff.bytes.get(at..at.checked_add(n_bytes)?)
    }
}
