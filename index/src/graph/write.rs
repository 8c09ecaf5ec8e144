//! Writes a graph file, which gets its name when complete.

use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use super::GraphError;
use super::arrays::GraphArrays;
use super::format::{
    ALIGNMENT, HEADER_BYTES, N_SECTIONS, Section, Shape, Stamp, at, encode_header, number_at,
};
use crate::atomic::AtomicFile;

/// A graph file under construction, under a temporary name.
pub(crate) struct GraphFileWriter {
    path: PathBuf,
    out: BufWriter<AtomicFile>,
    stamp: Stamp,
    shape: Shape,
    sums: [u32; N_SECTIONS],
    /// The lowest id of each point after `next`.
    awaited: std::vec::IntoIter<u32>,
    /// The id whose vector is expected next.
    next: Option<u32>,
    vectors_sum: crc32fast::Hasher,
}

impl GraphFileWriter {
    /// Writes everything but the vectors, which must then be [`push`](Self::push)ed.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn begin(
        path: &Path,
        stamp: &Stamp,
        built: &GraphArrays,
    ) -> Result<Self, GraphError> {
        let shape = shape_of(built)?;
        let sections = shape.sections().ok_or(GraphError::TooLarge {
            n_points: built.n_points(),
        })?;
        let values: [&[u8]; N_SECTIONS - 1] = [
            bytemuck::cast_slice(&built.upper_start),
            bytemuck::cast_slice(&built.layer0),
            bytemuck::cast_slice(&built.upper),
            bytemuck::cast_slice(&built.ids_start),
            bytemuck::cast_slice(&built.ids),
            bytemuck::cast_slice(&built.loose),
            &built.rows,
        ];
        let mut sums = [0; N_SECTIONS];
        for (sum, bytes) in sums.iter_mut().zip(values) {
            *sum = crc32fast::hash(bytes);
        }
        let begin = || -> io::Result<BufWriter<AtomicFile>> {
            let mut out = BufWriter::with_capacity(1 << 20, AtomicFile::create(path)?);
            // The header is written last, when its checksums are known.
            out.write_all(&[0; HEADER_BYTES])?;
            let mut end = HEADER_BYTES;
            for (section, bytes) in sections.iter().zip(values.into_iter().chain([&[][..]])) {
                out.write_all(&[0; ALIGNMENT][..section.start - end])?;
                out.write_all(bytes)?;
                end = section.start + bytes.len();
            }
            Ok(out)
        };
        let mut awaited = built.first_ids().collect::<Vec<_>>().into_iter();
        Ok(Self {
            out: begin().map_err(|source| io_error(path, source))?,
            path: path.to_owned(),
            stamp: *stamp,
            shape,
            sums,
            next: awaited.next(),
            awaited,
            vectors_sum: crc32fast::Hasher::new(),
        })
    }

    /// Writes the vector of an id. Push all ids of the graph in ascending order; those that share
    /// the vector of a lower one are skipped.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn push(&mut self, id: u32, vector: &[f32]) -> Result<(), GraphError> {
        if self.next != Some(id) {
            return Ok(());
        }
        self.next = self.awaited.next();
        let bytes = bytemuck::cast_slice(vector);
        self.vectors_sum.update(bytes);
        self.out
            .write_all(bytes)
            .map_err(|source| io_error(&self.path, source))
    }

    /// Syncs the file and gives it its name. `before_switch` is called when it is complete but not
    /// yet in place. Returns the checksum of the header.
    ///
    /// # Errors
    /// When a vector is missing, the file cannot be written, or `before_switch` fails.
    pub(crate) fn switch(
        mut self,
        before_switch: impl FnOnce() -> io::Result<()>,
    ) -> Result<u32, GraphError> {
        if self.next.is_some() {
            return Err(GraphError::Build {
                what: "the vector of a point is missing".to_owned(),
            });
        }
        self.sums[Section::Vectors as usize] = self.vectors_sum.finalize();
        let header = encode_header(&self.stamp, &self.shape, &self.sums);
        let path = self.path;
        let switch = || -> io::Result<()> {
            let mut file = self
                .out
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            file.write_all(&header)?;
            file.commit(before_switch)
        };
        switch().map_err(|source| io_error(&path, source))?;
        Ok(number_at(&header, at::HEADER_SUM))
    }
}

fn shape_of(built: &GraphArrays) -> Result<Shape, GraphError> {
    let count = |n: usize| u32::try_from(n).map_err(|_| GraphError::TooLarge { n_points: n });
    Ok(Shape {
        dimension: count(built.dimension)?,
        n_points: count(built.n_points())?,
        n_ids: count(built.ids.len())?,
        m: count(built.params.m)?,
        m0: count(built.params.m0)?,
        entry: built.entry,
        n_upper_rows: count(built.upper.len() / built.params.m)?,
        n_loose: count(built.loose.len())?,
    })
}

pub(super) fn io_error(path: &Path, source: io::Error) -> GraphError {
    GraphError::Io {
        path: path.to_owned(),
        source,
    }
}
