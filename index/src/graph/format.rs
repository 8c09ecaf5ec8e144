//! The bytes of a graph file: a header of 256 bytes, then flat arrays whose offsets follow from it.
//! See FORMAT.md.

use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use super::codes;

/// The first bytes of every graph file.
pub(super) const MAGIC: [u8; 8] = *b"SLGRAPH\n";

/// The graph format that this program writes and reads.
pub(crate) const FORMAT: u32 = 2;

pub(super) const HEADER_BYTES: usize = 256;
pub(super) const N_SECTIONS: usize = 8;

/// Sections start at multiples of this, a cache line.
pub(super) const ALIGNMENT: usize = 64;

/// What a graph file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The id of the index.
    pub(crate) index_id: [u8; 16],
    /// The number of the items' kind, from 0.
    pub(crate) kind: u32,
    /// The generation whose items the graph contains.
    pub(crate) generation: u64,
    /// The graph contains every id up to this one that existed in that generation, and no others.
    pub(crate) last_id: u32,
}

/// The numbers from which all offsets follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) dimension: u32,
    pub(super) n_points: u32,
    pub(super) n_ids: u32,
    pub(super) m: u32,
    pub(super) m0: u32,
    pub(super) entry: u32,
    pub(super) n_upper_rows: u32,
    pub(super) n_loose: u32,
}

/// The order of the sections in the file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Section {
    UpperStart,
    Layer0,
    Upper,
    IdsStart,
    Ids,
    Loose,
    Rows,
    Vectors,
}

impl Shape {
    /// Byte ranges of the sections, or none when the numbers overflow.
    pub(super) fn sections(&self) -> Option<[Range<usize>; N_SECTIONS]> {
        let number = |n: u32| usize::try_from(n).ok();
        let n = number(self.n_points)?;
        let bytes = |n_values: usize| n_values.checked_mul(4);
        let dimension = number(self.dimension)?;
        let stride = dimension
            .checked_next_multiple_of(codes::BLOCK)
            .filter(|bytes| bytes.checked_add(codes::BLOCK).is_some())
            .map(|_| codes::stride(dimension))?;
        let sizes = [
            bytes(n.checked_add(1)?)?,
            bytes(n.checked_mul(number(self.m0)?)?)?,
            bytes(number(self.n_upper_rows)?.checked_mul(number(self.m)?)?)?,
            bytes(n.checked_add(1)?)?,
            bytes(number(self.n_ids)?)?,
            bytes(number(self.n_loose)?)?,
            n.checked_mul(stride)?,
            bytes(n.checked_mul(dimension)?)?,
        ];
        let mut sections: [Range<usize>; N_SECTIONS] = std::array::from_fn(|_| 0..0);
        let mut end = HEADER_BYTES;
        for (section, size) in sections.iter_mut().zip(sizes) {
            let start = end.checked_next_multiple_of(ALIGNMENT)?;
            end = start.checked_add(size)?;
            *section = start..end;
        }
        Some(sections)
    }
}

/// Offsets in the header.
pub(super) mod at {
    pub(in crate::graph) const FORMAT: usize = 8;
    pub(in crate::graph) const INDEX_ID: usize = 16;
    pub(in crate::graph) const GENERATION: usize = 32;
    pub(in crate::graph) const NUMBERS: usize = 40;
    pub(in crate::graph) const SUMS: usize = 80;
    pub(in crate::graph) const HEADER_SUM: usize = super::HEADER_BYTES - 4;
}

pub(super) fn encode_header(
    stamp: &Stamp,
    shape: &Shape,
    sums: &[u32; N_SECTIONS],
) -> [u8; HEADER_BYTES] {
    let mut header = [0u8; HEADER_BYTES];
    let mut put =
        |offset: usize, bytes: &[u8]| header[offset..offset + bytes.len()].copy_from_slice(bytes);
    put(0, &MAGIC);
    put(at::FORMAT, &FORMAT.to_le_bytes());
    put(at::INDEX_ID, &stamp.index_id);
    put(at::GENERATION, &stamp.generation.to_le_bytes());
    let Shape {
        dimension,
        n_points,
        n_ids,
        m,
        m0,
        entry,
        n_upper_rows,
        n_loose,
    } = *shape;
    let numbers = [
        stamp.kind,
        stamp.last_id,
        dimension,
        n_points,
        n_ids,
        m,
        m0,
        entry,
        n_upper_rows,
        n_loose,
    ];
    for (i, number) in numbers.iter().enumerate() {
        put(at::NUMBERS + 4 * i, &number.to_le_bytes());
    }
    for (i, sum) in sums.iter().enumerate() {
        put(at::SUMS + 4 * i, &sum.to_le_bytes());
    }
    let sum = crc32fast::hash(&header[..at::HEADER_SUM]);
    header[at::HEADER_SUM..].copy_from_slice(&sum.to_le_bytes());
    header
}

/// The stamp of a graph file, or none when it is missing or its header is not sound. Reads nothing
/// else.
///
/// # Errors
/// When the file is there and cannot be read for the moment.
pub(crate) fn stamp_in(path: &Path) -> io::Result<Option<Stamp>> {
    let mut header = [0; HEADER_BYTES];
    let read = fs_err::File::open(path).and_then(|mut file| file.read_exact(&mut header));
    match read.map_err(|error| (error.kind(), error)) {
        Ok(()) => {}
        Err((
            io::ErrorKind::NotFound
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::IsADirectory,
            _,
        )) => return Ok(None),
        Err((_, error)) => return Err(error),
    }
    let is_sound = header[..8] == MAGIC
        && number_at(&header, at::FORMAT) == FORMAT
        && number_at(&header, at::HEADER_SUM) == crc32fast::hash(&header[..at::HEADER_SUM]);
    Ok(is_sound.then(|| decode_header(&header).0))
}

pub(super) fn number_at(header: &[u8], offset: usize) -> u32 {
    let bytes = header.get(offset..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

pub(super) fn decode_header(header: &[u8]) -> (Stamp, Shape) {
    let mut index_id = [0; 16];
    index_id.copy_from_slice(&header[at::INDEX_ID..at::INDEX_ID + 16]);
    let number = |i: usize| number_at(header, at::NUMBERS + 4 * i);
    let generation = u64::from(number_at(header, at::GENERATION))
        | u64::from(number_at(header, at::GENERATION + 4)) << 32;
    let stamp = Stamp {
        index_id,
        kind: number(0),
        last_id: number(1),
        generation,
    };
    let shape = Shape {
        dimension: number(2),
        n_points: number(3),
        n_ids: number(4),
        m: number(5),
        m0: number(6),
        entry: number(7),
        n_upper_rows: number(8),
        n_loose: number(9),
    };
    (stamp, shape)
}
