//! How does a graph lie on disk? One file of flat arrays behind a header, written aside and renamed; see FORMAT.md.

use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use memmap2::Mmap;

use super::build::Built;
use super::exact::{self, Best};
use super::search::{self, Links, Scratch};
use super::{GraphError, Neighbour};

/// The first bytes of every graph file.
const MAGIC: [u8; 8] = *b"SLGRAPH\n";

/// The format this program writes and reads.
pub(crate) const FORMAT: u32 = 1;

const HEADER_BYTES: usize = 256;
const N_SECTIONS: usize = 7;

/// Sections start at multiples of this, a cache line.
const ALIGNMENT: usize = 64;

/// Vectors up to this size are checked when the file is opened; larger ones only by [`Graph::verify`], which every
/// writer calls, so that a single search of a large index need not read all of it.
const MAX_BYTES_CHECKED_ON_OPEN: usize = 64 << 20;

/// What a graph file is about, besides its arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Of the index that the file belongs to.
    pub(crate) index_id: [u8; 16],
    /// What kind of item, as the caller counts kinds.
    pub(crate) kind: u32,
    /// The generation whose items the graph holds.
    pub(crate) generation: u64,
    /// Every id up to this one that lived in that generation is in the graph; none above.
    pub(crate) last_id: u32,
}

/// The numbers from which every offset follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    dimension: u32,
    n_points: u32,
    n_ids: u32,
    m: u32,
    m0: u32,
    entry: u32,
    n_upper_rows: u32,
    n_loose: u32,
}

/// The order of the sections in the file.
#[derive(Debug, Clone, Copy)]
enum Section {
    UpperStart,
    Layer0,
    Upper,
    IdsStart,
    Ids,
    Loose,
    Vectors,
}

impl Shape {
    /// Byte ranges of the sections, or nothing when the numbers overflow.
    fn sections(&self) -> Option<[Range<usize>; N_SECTIONS]> {
        let number = |n: u32| usize::try_from(n).ok();
        let n = number(self.n_points)?;
        let values = [
            n.checked_add(1)?,
            n.checked_mul(number(self.m0)?)?,
            number(self.n_upper_rows)?.checked_mul(number(self.m)?)?,
            n.checked_add(1)?,
            number(self.n_ids)?,
            number(self.n_loose)?,
            n.checked_mul(number(self.dimension)?)?,
        ];
        let mut sections: [Range<usize>; N_SECTIONS] = std::array::from_fn(|_| 0..0);
        let mut end = HEADER_BYTES;
        for (section, n_values) in sections.iter_mut().zip(values) {
            let start = end.checked_next_multiple_of(ALIGNMENT)?;
            end = start.checked_add(n_values.checked_mul(4)?)?;
            *section = start..end;
        }
        Some(sections)
    }
}

/// Writes a graph so that `path` holds either the old file or the whole new one, whatever happens. `before_switch` is
/// called when the new one is complete but not in its place.
///
/// # Errors
/// When the file system refuses, or `before_switch` does.
pub(crate) fn write(
    path: &Path,
    stamp: &Stamp,
    built: &Built,
    before_switch: impl FnOnce() -> io::Result<()>,
) -> Result<(), GraphError> {
    let count = |n: usize| u32::try_from(n).map_err(|_| GraphError::TooLarge { n_points: n });
    let shape = Shape {
        dimension: count(built.dimension)?,
        n_points: count(built.n_points())?,
        n_ids: count(built.ids.len())?,
        m: count(built.params.m)?,
        m0: count(built.params.m0)?,
        entry: built.entry,
        n_upper_rows: count(built.upper.len() / built.params.m)?,
        n_loose: count(built.loose.len())?,
    };
    let too_large = GraphError::TooLarge {
        n_points: built.n_points(),
    };
    let sections = shape.sections().ok_or(too_large)?;
    let values: [&[u8]; N_SECTIONS] = [
        bytemuck::cast_slice(&built.upper_start),
        bytemuck::cast_slice(&built.layer0),
        bytemuck::cast_slice(&built.upper),
        bytemuck::cast_slice(&built.ids_start),
        bytemuck::cast_slice(&built.ids),
        bytemuck::cast_slice(&built.loose),
        bytemuck::cast_slice(&built.vectors),
    ];
    let sums = values.map(crc32fast::hash);
    let header = encode_header(stamp, &shape, &sums);
    let aside = path.with_extension("graph.tmp");
    let io_error = |source| GraphError::Io {
        path: path.to_owned(),
        source,
    };
    let write_all = move || -> io::Result<()> {
        let file = fs_err::File::create(&aside)?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        out.write_all(&header)?;
        let mut end = HEADER_BYTES;
        for (section, bytes) in sections.iter().zip(values) {
            out.write_all(&[0; ALIGNMENT][..section.start - end])?;
            out.write_all(bytes)?;
            end = section.end;
        }
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        before_switch()?;
        fs_err::rename(&aside, path)?;
        sync_folder(path)
    };
    write_all().map_err(io_error)
}

/// Makes a rename last. Only Unix lets a folder be opened for that; elsewhere the rename itself must do.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => fs_err::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// Where things lie in the header.
mod at {
    pub(super) const FORMAT: usize = 8;
    pub(super) const INDEX_ID: usize = 16;
    pub(super) const GENERATION: usize = 32;
    pub(super) const NUMBERS: usize = 40;
    pub(super) const SUMS: usize = 80;
    pub(super) const HEADER_SUM: usize = super::HEADER_BYTES - 4;
}

fn encode_header(stamp: &Stamp, shape: &Shape, sums: &[u32; N_SECTIONS]) -> [u8; HEADER_BYTES] {
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

fn number_at(header: &[u8], offset: usize) -> u32 {
    let mut bytes = [0; 4];
    if let Some(found) = header.get(offset..offset + 4) {
        bytes.copy_from_slice(found);
    }
    u32::from_le_bytes(bytes)
}

/// A graph file, mapped into memory. Any number of threads may search it at once.
#[derive(Debug)]
pub(crate) struct Graph {
    path: PathBuf,
    map: Mmap,
    stamp: Stamp,
    shape: Shape,
    sections: [Range<usize>; N_SECTIONS],
    sums: [u32; N_SECTIONS],
    idle: Mutex<Vec<Scratch>>,
}

impl Graph {
    /// Opens a graph file; nothing when there is none.
    ///
    /// # Errors
    /// When the file cannot be read, is of another format, or its bytes are not those that were written.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, GraphError> {
        let io_error = |source| GraphError::Io {
            path: path.to_owned(),
            source,
        };
        let file = match fs_err::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error(error)),
        };
        // SAFETY: graph files are never changed in place: `write` makes a new file and renames it over the old one,
        // whose bytes stay as they are while they are mapped. A stranger that cuts the file meanwhile gets the
        // process a SIGBUS, as with every program that maps files.
        let map = unsafe { Mmap::map(file.file()) }.map_err(io_error)?;
        let damaged = |what| GraphError::Damaged {
            path: path.to_owned(),
            what,
        };
        let header = map
            .get(..HEADER_BYTES)
            .ok_or_else(|| damaged("it is shorter than its header"))?;
        if header[..8] != MAGIC {
            return Err(damaged("it does not begin like a graph file"));
        }
        let found = number_at(header, at::FORMAT);
        if found != FORMAT {
            return Err(GraphError::OtherFormat {
                path: path.to_owned(),
                found,
                supported: FORMAT,
            });
        }
        if number_at(header, at::HEADER_SUM) != crc32fast::hash(&header[..at::HEADER_SUM]) {
            return Err(damaged("its header does not match its checksum"));
        }
        let (stamp, shape) = decode_header(header);
        let sections = shape
            .sections()
            .ok_or_else(|| damaged("its numbers are impossible"))?;
        if sections[N_SECTIONS - 1].end != map.len() {
            return Err(damaged("its length does not match its header"));
        }
        if cfg!(target_endian = "big") {
            return Err(damaged(
                "its numbers are little-endian and this machine is not",
            ));
        }
        let sums = std::array::from_fn(|i| number_at(header, at::SUMS + 4 * i));
        let graph = Self {
            path: path.to_owned(),
            map,
            stamp,
            shape,
            sections,
            sums,
            idle: Mutex::default(),
        };
        let vectors = &graph.sections[Section::Vectors as usize];
        let n_checked = if vectors.len() <= MAX_BYTES_CHECKED_ON_OPEN {
            N_SECTIONS
        } else {
            N_SECTIONS - 1
        };
        graph.check_sums(n_checked)?;
        Ok(Some(graph))
    }

    pub(crate) fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    pub(crate) fn dimension(&self) -> usize {
        self.shape.dimension as usize
    }

    /// How many ids the graph holds, removed ones included.
    pub(crate) fn n_ids(&self) -> usize {
        self.shape.n_ids as usize
    }

    /// How many of its points every search compares one by one, because no links lead to them.
    pub(crate) fn n_loose(&self) -> usize {
        self.shape.n_loose as usize
    }

    fn check_sums(&self, n_sections: usize) -> Result<(), GraphError> {
        for (section, sum) in self.sections.iter().zip(self.sums).take(n_sections) {
            if self.map.get(section.clone()).map(crc32fast::hash) != Some(sum) {
                return Err(GraphError::Damaged {
                    path: self.path.clone(),
                    what: "its bytes do not match their checksum",
                });
            }
        }
        Ok(())
    }

    /// Reads every byte and checks that each number points somewhere.
    ///
    /// # Errors
    /// When something is not as it was written.
    pub(crate) fn verify(&self) -> Result<(), GraphError> {
        self.check_sums(N_SECTIONS)?;
        let damaged = |what| {
            Err(GraphError::Damaged {
                path: self.path.clone(),
                what,
            })
        };
        let exists = |&point: &u32| point == super::NONE || point < self.shape.n_points;
        if !self.numbers(Section::Layer0).iter().all(exists)
            || !self.numbers(Section::Upper).iter().all(exists)
        {
            return damaged("a link points nowhere");
        }
        let (starts, last) = (self.numbers(Section::IdsStart), self.shape.n_ids);
        if !starts.is_sorted() || starts.first() != Some(&0) || starts.last() != Some(&last) {
            return damaged("the ids of its points are not in order");
        }
        let (starts, last) = (self.numbers(Section::UpperStart), self.shape.n_upper_rows);
        if !starts.is_sorted() || starts.first() != Some(&0) || starts.last() != Some(&last) {
            return damaged("its upper layers are not in order");
        }
        if !self
            .numbers(Section::Loose)
            .iter()
            .all(|&point| point < self.shape.n_points)
        {
            return damaged("a loose point does not exist");
        }
        if self.vectors().iter().any(|value| !value.is_finite()) {
            return damaged("a vector is not finite");
        }
        Ok(())
    }

    fn numbers(&self, section: Section) -> &[u32] {
        let bytes = self
            .map
            .get(self.sections[section as usize].clone())
            .unwrap_or(&[]);
        bytemuck::try_cast_slice(bytes).unwrap_or(&[])
    }

    fn vectors(&self) -> &[f32] {
        let bytes = self
            .map
            .get(self.sections[Section::Vectors as usize].clone())
            .unwrap_or(&[]);
        bytemuck::try_cast_slice(bytes).unwrap_or(&[])
    }

    fn links(&self) -> Links<'_> {
        Links {
            dimension: self.dimension(),
            m: self.shape.m as usize,
            m0: self.shape.m0 as usize,
            entry: self.shape.entry,
            layer0: self.numbers(Section::Layer0),
            upper_start: self.numbers(Section::UpperStart),
            upper: self.numbers(Section::Upper),
            vectors: self.vectors(),
        }
    }

    /// The ids of one point.
    fn ids_of(&self, point: u32) -> &[u32] {
        let starts = self.numbers(Section::IdsStart);
        let at = |i: usize| starts.get(i).map_or(0, |&start| start as usize);
        self.numbers(Section::Ids)
            .get(at(point as usize)..at(point as usize + 1))
            .unwrap_or(&[])
    }

    /// Every id with its vector, in no particular order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u32, &[f32])> {
        let links = self.links();
        (0..self.shape.n_points).flat_map(move |point| {
            self.ids_of(point)
                .iter()
                .map(move |&id| (id, links.vector(point).unwrap_or(&[])))
        })
    }

    /// Offers the ids near `query` that are `alive` to `best`, by a search of width `ef`.
    ///
    /// `ef` counts points of which at least one id is alive, so removed items never crowd out others.
    pub(crate) fn search(
        &self,
        query: &[f32],
        ef: usize,
        alive: impl Fn(u32) -> bool,
        best: &mut Best,
    ) {
        if query.len() != self.dimension() {
            return;
        }
        let links = self.links();
        let mut scratch = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_default();
        let found = search::search(&links, query, ef, &mut scratch, |point| {
            self.ids_of(point).iter().any(|&id| alive(id))
        });
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(scratch);
        let mut offer = |point: u32, similarity: f32| {
            for &id in self.ids_of(point).iter().filter(|&&id| alive(id)) {
                best.offer(Neighbour { similarity, id });
            }
        };
        let dot = super::distance::dot_function();
        let loose = self.numbers(Section::Loose);
        for &point in loose {
            offer(
                point,
                links
                    .vector(point)
                    .map_or(f32::NAN, |vector| dot(query, vector)),
            );
        }
        for point in found {
            if !loose.contains(&point.id) {
                offer(point.id, point.similarity);
            }
        }
    }

    /// Offers every id that is `alive` to `best`.
    pub(crate) fn scan(&self, query: &[f32], alive: impl Fn(u32) -> bool + Sync, best: &mut Best) {
        if query.len() != self.dimension() {
            return;
        }
        exact::scan(
            self.vectors(),
            self.dimension(),
            query,
            best,
            |row, sink| {
                let point = u32::try_from(row).unwrap_or(super::NONE);
                self.ids_of(point)
                    .iter()
                    .filter(|&&id| alive(id))
                    .for_each(|&id| sink(id));
            },
        );
    }
}

fn decode_header(header: &[u8]) -> (Stamp, Shape) {
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
