//! Checks the header of a graph file, and nothing else of it.

use std::ops::Range;
use std::path::Path;

use super::GraphError;
use super::format::{
    FORMAT, HEADER_BYTES, MAGIC, N_SECTIONS, Shape, Stamp, at, decode_header, number_at,
};

/// The header of a graph file whose length agrees with it.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) stamp: Stamp,
    /// The checksum at the end of the header, which covers the checksums of all arrays.
    pub(crate) sum: u32,
    pub(super) shape: Shape,
    pub(super) sections: [Range<usize>; N_SECTIONS],
    pub(super) sums: [u32; N_SECTIONS],
}

impl Header {
    /// The header at the start of `bytes`, of a file of `n_bytes`.
    pub(super) fn parse(path: &Path, bytes: &[u8], n_bytes: u64) -> Result<Self, GraphError> {
        let damaged = |what| GraphError::Damaged {
            path: path.to_owned(),
            what,
        };
        let header = bytes
            .get(..HEADER_BYTES)
            .ok_or_else(|| damaged("it is shorter than its header"))?;
        if header[..8] != MAGIC {
            return Err(damaged("it is not a graph file"));
        }
        let found = number_at(header, at::FORMAT);
        if found != FORMAT {
            return Err(GraphError::OtherFormat {
                path: path.to_owned(),
                found,
                supported: FORMAT,
            });
        }
        let sum = number_at(header, at::HEADER_SUM);
        if sum != crc32fast::hash(&header[..at::HEADER_SUM]) {
            return Err(damaged("its header does not match its checksum"));
        }
        let (stamp, shape) = decode_header(header);
        let sections = shape
            .sections()
            .ok_or_else(|| damaged("its header is invalid"))?;
        if sections[N_SECTIONS - 1].end as u64 != n_bytes {
            return Err(damaged("its length does not match its header"));
        }
        Ok(Self {
            stamp,
            sum,
            shape,
            sections,
            sums: std::array::from_fn(|i| number_at(header, at::SUMS + 4 * i)),
        })
    }

    pub(crate) fn dimension(&self) -> usize {
        self.shape.dimension as usize
    }

    /// Number of ids in the graph, including removed ones.
    pub(crate) fn n_ids(&self) -> usize {
        self.shape.n_ids as usize
    }

    /// Number of points that every search compares.
    pub(crate) fn n_loose(&self) -> usize {
        self.shape.n_loose as usize
    }
}
