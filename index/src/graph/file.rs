//! A graph file, memory-mapped and searched in place.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use memmap2::Mmap;

use super::arrays::Links;
use super::codes::{self, Query};
use super::exact::{self, Best};
use super::format::{
    FORMAT, HEADER_BYTES, MAGIC, N_SECTIONS, Section, Shape, Stamp, at, decode_header, number_at,
};
use super::params::{MAX_EF_IN_DOUBT, n_candidates};
use super::search::{self, Scratch};
use super::write::io_error;
use super::{GraphError, Neighbour, distance};

/// Checksums of codes and vectors up to this size are verified when the file is opened. Larger ones
/// are verified only by [`Graph::verify`], which every writer calls, so that a single search of a
/// large index need not read all of it.
const MAX_BYTES_CHECKED_ON_OPEN: usize = 64 << 20;

/// A memory-mapped graph file. Any number of threads can search it at once.
#[derive(Debug)]
pub(crate) struct Graph {
    path: PathBuf,
    map: Mmap,
    pub(crate) stamp: Stamp,
    shape: Shape,
    sections: [Range<usize>; N_SECTIONS],
    sums: [u32; N_SECTIONS],
    idle: Mutex<Vec<Scratch>>,
}

impl Graph {
    /// Opens a graph file, or returns none when it is missing.
    ///
    /// # Errors
    /// When the file cannot be read, has another format, or is damaged.
    #[allow(unsafe_code, reason = "maps the file into memory")]
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, GraphError> {
        let io_error = |source| io_error(path, source);
        let file = match fs_err::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error(error)),
        };
        // SAFETY: graph files are never changed in place: `AtomicFile` renames a new file over the
        // old one, whose bytes stay unchanged while they are mapped. If another program truncates
        // the file meanwhile, the process gets a SIGBUS, as does every program that maps files.
        let map = unsafe { Mmap::map(file.file()) }.map_err(io_error)?;
        let damaged = |what| GraphError::Damaged {
            path: path.to_owned(),
            what,
        };
        let header = map
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
        if number_at(header, at::HEADER_SUM) != crc32fast::hash(&header[..at::HEADER_SUM]) {
            return Err(damaged("its header does not match its checksum"));
        }
        let (stamp, shape) = decode_header(header);
        let sections = shape
            .sections()
            .ok_or_else(|| damaged("its header is invalid"))?;
        if sections[N_SECTIONS - 1].end != map.len() {
            return Err(damaged("its length does not match its header"));
        }
        if cfg!(target_endian = "big") {
            return Err(damaged(
                "its numbers are little-endian, but this machine is big-endian",
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
        let large = [Section::Rows, Section::Vectors];
        let small = |&i: &usize| {
            let is_large = large.iter().any(|&section| section as usize == i);
            !is_large || graph.sections[i].len() <= MAX_BYTES_CHECKED_ON_OPEN
        };
        graph.check_sums((0..N_SECTIONS).filter(small))?;
        Ok(Some(graph))
    }

    /// The checksum at the end of its header, which covers the checksums of all arrays.
    #[allow(
        dead_code,
        reason = "readers and writers use it from the next change on"
    )]
    pub(crate) fn header_sum(&self) -> u32 {
        number_at(&self.map, at::HEADER_SUM)
    }

    pub(crate) fn dimension(&self) -> usize {
        self.shape.dimension as usize
    }

    /// Number of ids in the graph, including removed ones.
    pub(crate) fn n_ids(&self) -> usize {
        self.shape.n_ids as usize
    }

    /// Number of loose points, which every search compares because no links lead to them.
    pub(crate) fn n_loose(&self) -> usize {
        self.shape.n_loose as usize
    }

    fn check_sums(&self, which: impl Iterator<Item = usize>) -> Result<(), GraphError> {
        for i in which {
            if self.map.get(self.sections[i].clone()).map(crc32fast::hash) != Some(self.sums[i]) {
                return Err(GraphError::Damaged {
                    path: self.path.clone(),
                    what: "its bytes do not match their checksum",
                });
            }
        }
        Ok(())
    }

    /// Verifies all checksums and that every number is valid.
    ///
    /// # Errors
    /// When the file is damaged.
    pub(crate) fn verify(&self) -> Result<(), GraphError> {
        self.check_sums(0..N_SECTIONS)?;
        let damaged = |what| {
            Err(GraphError::Damaged {
                path: self.path.clone(),
                what,
            })
        };
        let exists = |&point: &u32| point == super::NONE || point < self.shape.n_points;
        let mut links = self
            .numbers(Section::Layer0)
            .iter()
            .chain(self.numbers(Section::Upper));
        if !links.all(exists) {
            return damaged("a link refers to a point that does not exist");
        }
        for (section, last, what) in [
            (
                Section::IdsStart,
                self.shape.n_ids,
                "the ids of its points are not in order",
            ),
            (
                Section::UpperStart,
                self.shape.n_upper_rows,
                "its upper layers are not in order",
            ),
        ] {
            let starts = self.numbers(section);
            if !starts.is_sorted() || starts.first() != Some(&0) || starts.last() != Some(&last) {
                return damaged(what);
            }
        }
        let mut loose = self.numbers(Section::Loose).iter();
        if !loose.all(|&point| point < self.shape.n_points) {
            return damaged("a loose point does not exist");
        }
        if self.vectors().iter().any(|value| !value.is_finite()) {
            return damaged("a vector is not finite");
        }
        Ok(())
    }

    fn bytes(&self, section: Section) -> &[u8] {
        self.map
            .get(self.sections[section as usize].clone())
            .unwrap_or(&[])
    }

    fn numbers(&self, section: Section) -> &[u32] {
        bytemuck::try_cast_slice(self.bytes(section)).unwrap_or(&[])
    }

    fn vectors(&self) -> &[f32] {
        bytemuck::try_cast_slice(self.bytes(Section::Vectors)).unwrap_or(&[])
    }

    /// The full vector of a point.
    fn vector(&self, point: u32) -> Option<&[f32]> {
        let start = (point as usize).checked_mul(self.dimension())?;
        self.vectors()
            .get(start..start.checked_add(self.dimension())?)
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
            rows: self.bytes(Section::Rows),
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

    /// All ids and their vectors, in no particular order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u32, &[f32])> {
        (0..self.shape.n_points).flat_map(move |point| {
            let vector = self.vector(point).unwrap_or(&[]);
            self.ids_of(point).iter().map(move |&id| (id, vector))
        })
    }

    /// Offers the ids near `query` that are `alive` to `best`, found by a search of width `ef`, or
    /// of a multiple of it when too many vectors are too close for codes to distinguish the
    /// nearest.
    ///
    /// `ef` counts points with at least one id that is alive, so removed items never displace
    /// others.
    pub(crate) fn search(
        &self,
        query: &[f32],
        ef: usize,
        alive: impl Fn(u32) -> bool,
        best: &mut Best,
    ) {
        let codes = Query::new(query);
        let mut scratch = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_default();
        let mut width = ef;
        let mut found = Vec::new();
        loop {
            // A wider search takes other paths, so the points found by a narrower one are kept.
            let narrower = found;
            found = self.candidates(&codes, width, &alive, &mut scratch);
            add_missing(&mut found, &narrower);
            let (nearest, in_doubt) = self.compare_again(query, &codes, &found, &alive, best.n);
            let is_last = found.len() < width || width >= MAX_EF_IN_DOUBT;
            if is_last || !in_doubt {
                best.extend(nearest);
                break;
            }
            width = width.saturating_mul(2);
        }
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(scratch);
    }

    /// The points that a search of width `ef` finds and all loose points, with similarities of
    /// codes, best first.
    fn candidates(
        &self,
        codes: &Query,
        ef: usize,
        alive: impl Fn(u32) -> bool,
        scratch: &mut Scratch,
    ) -> Vec<Neighbour> {
        let links = self.links();
        let accept = |point| self.ids_of(point).iter().any(|&id| alive(id));
        let mut found = search::search(&links, codes, ef, scratch, accept);
        let loose = self.numbers(Section::Loose);
        if !loose.is_empty() {
            found.retain(|point| !loose.contains(&point.id));
            found.extend(loose.iter().map(|&id| Neighbour {
                similarity: links.row(id).map_or(f32::NAN, |row| codes.similarity(row)),
                id,
            }));
            found.sort_unstable_by(|a, b| b.cmp(a));
        }
        found
    }

    /// The `n` ids of `candidates` (points, best first by codes) that are nearest by full vectors.
    /// True when a point beyond the last candidate may be nearer than one of them, by the error of
    /// codes.
    fn compare_again(
        &self,
        query: &[f32],
        codes: &Query,
        candidates: &[Neighbour],
        alive: impl Fn(u32) -> bool,
        n: usize,
    ) -> (Best, bool) {
        let links = self.links();
        let dot = distance::dot_function();
        let mut nearest = Best::new(n);
        for candidate in candidates {
            let margin = links
                .row(candidate.id)
                .map_or(f32::INFINITY, |row| codes.margin(row, candidate.similarity));
            if candidate.similarity + margin < nearest.floor() {
                return (nearest, false);
            }
            let similarity = self
                .vector(candidate.id)
                .map_or(f32::NAN, |vector| dot(query, vector));
            for &id in self.ids_of(candidate.id).iter().filter(|&&id| alive(id)) {
                nearest.offer(Neighbour { similarity, id });
            }
        }
        (nearest, true)
    }

    /// Offers the ids nearest to `query` that are `alive`, found by a scan of all codes, or of all
    /// vectors when codes cannot distinguish the nearest.
    pub(crate) fn scan_codes(
        &self,
        query: &[f32],
        alive: impl Fn(u32) -> bool + Sync,
        best: &mut Best,
    ) {
        let codes = Query::new(query);
        let n = n_candidates(best.n);
        let mut candidates = Best::new(n);
        exact::scan(
            self.bytes(Section::Rows),
            codes::stride(self.dimension()),
            |row| codes.similarity(row),
            &mut candidates,
            |row, sink| {
                let point = u32::try_from(row).unwrap_or(super::NONE);
                if self.ids_of(point).iter().any(|&id| alive(id)) {
                    sink(point);
                }
            },
        );
        let candidates = candidates.into_sorted();
        let (nearest, in_doubt) = self.compare_again(query, &codes, &candidates, &alive, best.n);
        if in_doubt && candidates.len() >= n {
            self.scan(query, alive, best);
        } else {
            best.extend(nearest);
        }
    }

    /// Number of points that cannot be reached from the entry point along links, not counting loose
    /// ones.
    pub(crate) fn n_unreachable(&self) -> usize {
        let links = self.links();
        let n_points = links.n_points();
        let mut seen = vec![false; n_points];
        let loose = self.numbers(Section::Loose).iter();
        let mut waiting = vec![self.shape.entry];
        let mut n_seen = 0;
        loose.for_each(|&point| {
            if let Some(seen) = seen.get_mut(point as usize)
                && !std::mem::replace(seen, true)
            {
                n_seen += 1;
            }
        });
        while let Some(point) = waiting.pop() {
            match seen.get_mut(point as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            n_seen += 1;
            waiting.extend(links.all(point).filter(|&link| link != super::NONE));
        }
        n_points - n_seen
    }

    /// Offers all ids that are `alive` to `best`, compared by full vectors.
    pub(crate) fn scan(&self, query: &[f32], alive: impl Fn(u32) -> bool + Sync, best: &mut Best) {
        let dot = distance::dot_function();
        exact::scan(
            self.vectors(),
            self.dimension(),
            |vector| dot(query, vector),
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

/// Adds the points of `others` that are not in `found`. Both are sorted best first, and so is the
/// result.
fn add_missing(found: &mut Vec<Neighbour>, others: &[Neighbour]) {
    if others.is_empty() {
        return;
    }
    found.extend_from_slice(others);
    found.sort_unstable_by(|a, b| b.cmp(a));
    // A point has the same similarity in both, so its two entries are adjacent.
    found.dedup_by_key(|point| point.id);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::build::Builder;
    use crate::graph::write::GraphFileWriter;

    const DIMENSION: usize = 8;

    fn vector(number: u16) -> Vec<f32> {
        let values = (0..DIMENSION).map(|i| (f32::from(number) * 0.37 + i as f32).sin());
        let values: Vec<f32> = values.collect();
        let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
        values.into_iter().map(|value| value / length).collect()
    }

    fn write(path: &Path, change: impl FnOnce(&mut crate::graph::arrays::GraphArrays)) -> Graph {
        let mut builder = Builder::new(DIMENSION, 200);
        let vectors: Vec<f32> = (0..200).flat_map(vector).collect();
        let ids: Vec<u32> = (10..210).collect();
        builder.add(&ids, &vectors).unwrap();
        let mut built = builder.finish().unwrap();
        change(&mut built);
        let stamp = Stamp {
            index_id: [1; 16],
            kind: 0,
            generation: 1,
            last_id: 209,
        };
        let mut file = GraphFileWriter::begin(path, &stamp, &built).unwrap();
        for (&id, vector) in ids.iter().zip(vectors.chunks_exact(DIMENSION)) {
            file.push(id, vector).unwrap();
        }
        file.switch(|| Ok(())).unwrap();
        Graph::open(path).unwrap().unwrap()
    }

    #[test]
    fn unreachable_points_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.graph");
        assert_eq!(write(&path, |_| {}).n_unreachable(), 0);
        let cut = |point: u32| {
            move |built: &mut crate::graph::arrays::GraphArrays| {
                let links = built.layer0.iter_mut().chain(&mut built.upper);
                links
                    .filter(|link| **link == point)
                    .for_each(|link| *link = super::super::NONE);
                assert_ne!(built.entry, point);
            }
        };
        let graph = write(&path, cut(150));
        graph.verify().unwrap();
        assert_eq!(graph.n_unreachable(), 1);
        let graph = write(&path, |built| {
            cut(150)(built);
            built.loose.push(150);
        });
        assert_eq!(graph.n_unreachable(), 0, "loose points are always compared");
        let mut best = Best::new(1);
        graph.search(&vector(150), 8, |_| true, &mut best);
        assert_eq!(best.into_sorted()[0].id, 160);
    }

    #[test]
    fn a_graph_without_all_vectors_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.graph");
        let mut builder = Builder::new(DIMENSION, 2);
        let vectors: Vec<f32> = (0..2).flat_map(vector).collect();
        builder.add(&[1, 2], &vectors).unwrap();
        let built = builder.finish().unwrap();
        let stamp = Stamp {
            index_id: [1; 16],
            kind: 0,
            generation: 1,
            last_id: 2,
        };
        let mut file = GraphFileWriter::begin(&path, &stamp, &built).unwrap();
        file.push(1, &vector(0)).unwrap();
        assert!(matches!(
            file.switch(|| Ok(())),
            Err(GraphError::Build { .. })
        ));
        assert!(!path.exists());
    }

    #[test]
    fn a_scan_compares_full_vectors_when_codes_are_too_coarse() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.graph");
        let mut builder = Builder::new(DIMENSION, 600);
        // All within one step of the codes.
        let vectors: Vec<Vec<f32>> = (0..600u16)
            .map(|i| {
                let angle = f32::from(i) * 1e-5;
                let mut values = vec![0.0; DIMENSION];
                (values[0], values[1]) = (angle.cos(), angle.sin());
                values
            })
            .collect();
        let ids: Vec<u32> = (1..=600).collect();
        builder.add(&ids, &vectors.concat()).unwrap();
        let built = builder.finish().unwrap();
        let stamp = Stamp {
            index_id: [1; 16],
            kind: 0,
            generation: 1,
            last_id: 600,
        };
        let mut file = GraphFileWriter::begin(&path, &stamp, &built).unwrap();
        for (&id, vector) in ids.iter().zip(&vectors) {
            file.push(id, vector).unwrap();
        }
        file.switch(|| Ok(())).unwrap();
        let graph = Graph::open(&path).unwrap().unwrap();
        let answer = |scan: &dyn Fn(&mut Best)| {
            let mut best = Best::new(10);
            scan(&mut best);
            best.into_sorted()
        };
        let query = &vectors[599];
        let exact = answer(&|best| graph.scan(query, |_| true, best));
        let codes = answer(&|best| graph.scan_codes(query, |_| true, best));
        assert_eq!(codes, exact);
    }
}
