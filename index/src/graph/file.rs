//! A graph file, memory-mapped and searched in place.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use memmap2::Mmap;

use super::arrays::Links;
use super::codes::Query;
use super::exact::{self, Best};
use super::format::{N_SECTIONS, Section, Stamp};
use super::header::Header;
use super::points::{Extras, Points};
use super::search::{self, Effort, Scratch};
use super::write::io_error;
use super::{GraphError, Neighbour, distance};

/// A memory-mapped graph file. Any number of threads can search it at once.
#[derive(Debug)]
pub(crate) struct Graph {
    path: PathBuf,
    map: Mmap,
    pub(crate) stamp: Stamp,
    pub(crate) header: Header,
    idle: Mutex<Vec<Scratch>>,
    /// Computed on first use.
    extras: OnceLock<Extras>,
    /// Whether [`check`](Self::check) found no damage.
    are_ids_sound: OnceLock<bool>,
    is_sound: OnceLock<bool>,
}

impl Graph {
    /// Opens a graph file, or returns none when it is missing. Reads and checks its header only.
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
        let header = Header::parse(path, &map, map.len() as u64)?;
        if cfg!(target_endian = "big") {
            return Err(GraphError::Damaged {
                path: path.to_owned(),
                what: "its numbers are little-endian, but this machine is big-endian",
            });
        }
        Ok(Some(Self {
            path: path.to_owned(),
            map,
            stamp: header.stamp,
            header,
            idle: Mutex::default(),
            extras: OnceLock::new(),
            are_ids_sound: OnceLock::new(),
            is_sound: OnceLock::new(),
        }))
    }

    /// Verifies the checksums of the ids, without which answers would be wrong rather than
    /// incomplete, once for all callers, as far as `n_bytes` allow. Takes what it reads off
    /// `n_bytes`.
    pub(crate) fn are_ids_sound(&self, n_bytes: &mut usize) -> bool {
        let ids = [Section::IdsStart, Section::Ids, Section::Loose];
        *self
            .are_ids_sound
            .get_or_init(|| self.check_some(&ids, n_bytes))
    }

    /// The same for the other arrays.
    pub(crate) fn is_sound(&self, n_bytes: &mut usize) -> bool {
        const OTHERS: [Section; N_SECTIONS - 3] = [
            Section::UpperStart,
            Section::Upper,
            Section::Layer0,
            Section::Rows,
            Section::Vectors,
        ];
        *self
            .is_sound
            .get_or_init(|| self.check_some(&OTHERS, n_bytes))
    }

    fn check_some(&self, sections: &[Section], n_bytes: &mut usize) -> bool {
        sections.iter().map(|&section| section as usize).all(|i| {
            let n = self.header.sections[i].len();
            if n > *n_bytes {
                return true;
            }
            *n_bytes -= n;
            self.check_sums([i].into_iter()).is_ok()
        })
    }

    /// The checksum at the end of its header, which covers the checksums of all arrays.
    pub(crate) fn header_sum(&self) -> u32 {
        self.header.sum
    }

    pub(crate) fn dimension(&self) -> usize {
        self.header.dimension()
    }

    /// Number of ids in the graph, including removed ones.
    pub(crate) fn n_ids(&self) -> usize {
        self.header.n_ids()
    }

    /// Number of loose points, which every search compares because no links lead to them.
    pub(crate) fn n_loose(&self) -> usize {
        self.header.n_loose()
    }

    fn check_sums(&self, which: impl Iterator<Item = usize>) -> Result<(), GraphError> {
        for i in which {
            if self
                .map
                .get(self.header.sections[i].clone())
                .map(crc32fast::hash)
                != Some(self.header.sums[i])
            {
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
        let exists = |&point: &u32| point == super::NONE || point < self.header.shape.n_points;
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
                self.header.shape.n_ids,
                "the ids of its points are not in order",
            ),
            (
                Section::UpperStart,
                self.header.shape.n_upper_rows,
                "its upper layers are not in order",
            ),
        ] {
            let starts = self.numbers(section);
            if !starts.is_sorted() || starts.first() != Some(&0) || starts.last() != Some(&last) {
                return damaged(what);
            }
        }
        let mut loose = self.numbers(Section::Loose).iter();
        if !loose.all(|&point| point < self.header.shape.n_points) {
            return damaged("a loose point does not exist");
        }
        if self.vectors().iter().any(|value| !value.is_finite()) {
            return damaged("a vector is not finite");
        }
        Ok(())
    }

    fn bytes(&self, section: Section) -> &[u8] {
        self.map
            .get(self.header.sections[section as usize].clone())
            .unwrap_or(&[])
    }

    fn numbers(&self, section: Section) -> &[u32] {
        bytemuck::try_cast_slice(self.bytes(section)).unwrap_or(&[])
    }

    fn vectors(&self) -> &[f32] {
        bytemuck::try_cast_slice(self.bytes(Section::Vectors)).unwrap_or(&[])
    }

    /// The full vector of a point.
    pub(crate) fn vector(&self, point: u32) -> Option<&[f32]> {
        let start = (point as usize).checked_mul(self.dimension())?;
        self.vectors()
            .get(start..start.checked_add(self.dimension())?)
    }

    fn links(&self) -> Links<'_> {
        Links {
            dimension: self.dimension(),
            m: self.header.shape.m as usize,
            m0: self.header.shape.m0 as usize,
            entry: self.header.shape.entry,
            layer0: self.numbers(Section::Layer0),
            upper_start: self.numbers(Section::UpperStart),
            upper: self.numbers(Section::Upper),
            rows: self.bytes(Section::Rows),
        }
    }

    /// Its points with their codes and ids.
    pub(crate) fn points(&self) -> Points<'_> {
        Points {
            dimension: self.dimension(),
            rows: self.bytes(Section::Rows),
            ids_start: self.numbers(Section::IdsStart),
            ids: self.numbers(Section::Ids),
        }
    }

    /// The points of `ids`, which are ascending. Unknown ids are left out.
    pub(crate) fn points_of(&self, ids: impl Iterator<Item = u32>) -> Vec<u32> {
        let extras = self.extras.get_or_init(|| self.points().extras());
        self.points().points_of(extras, ids)
    }

    /// All ids and their vectors, in no particular order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u32, &[f32])> {
        (0..self.header.shape.n_points).flat_map(move |point| {
            let vector = self.vector(point).unwrap_or(&[]);
            self.points()
                .ids_of(point)
                .iter()
                .map(move |&id| (id, vector))
        })
    }

    /// Searches several graphs as if they were one. Returns the wanted points near a query of each,
    /// best first, with similarities of codes: about [`ef`](Effort::ef) in all, and the loose ones;
    /// none when that takes more than the budget.
    ///
    /// Points that are not wanted are walked through but never displace others.
    pub(crate) fn walk_together(
        graphs: &[&Self],
        codes: &Query,
        effort: Effort,
        is_wanted: impl Fn(usize, u32) -> bool,
    ) -> Option<Vec<Vec<Neighbour>>> {
        let idle = |graph: &Self| {
            graph
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop()
        };
        let links: Vec<Links<'_>> = graphs.iter().map(|graph| graph.links()).collect();
        let mut scratches: Vec<Scratch> = graphs
            .iter()
            .map(|graph| idle(graph).unwrap_or_default())
            .collect();
        let found = search::walk_together(&links, codes, effort, &mut scratches, &is_wanted);
        for (graph, scratch) in graphs.iter().zip(scratches) {
            let mut idle = graph.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(scratch);
        }
        let mut found = found?;
        for (number, (graph, found)) in graphs.iter().zip(&mut found).enumerate() {
            let is_full = found.len() >= effort.ef_of_each;
            graph.add_loose(codes, |point| is_wanted(number, point), is_full, found);
        }
        Some(found)
    }

    /// Adds the wanted loose points to those that a search has found. If it may have left out
    /// others (`is_full`), only those that are not farther than the last: they must not hide that.
    fn add_loose(
        &self,
        codes: &Query,
        is_wanted: impl Fn(u32) -> bool,
        is_full: bool,
        found: &mut Vec<Neighbour>,
    ) {
        let links = self.links();
        let loose = self.numbers(Section::Loose);
        if !loose.is_empty() {
            let last = found.last().filter(|_| is_full);
            let lowest = last.map_or(f32::NEG_INFINITY, |last| last.similarity);
            found.retain(|point| !loose.contains(&point.id));
            let wanted = loose.iter().filter(|&&point| is_wanted(point));
            let wanted = wanted.map(|&id| Neighbour {
                similarity: links.row(id).map_or(f32::NAN, |row| codes.similarity(row)),
                id,
            });
            found.extend(wanted.filter(|point| point.similarity >= lowest));
            found.sort_unstable_by(|a, b| b.cmp(a));
        }
    }

    /// Number of points that cannot be reached from the entry point along links, not counting loose
    /// ones.
    pub(crate) fn n_unreachable(&self) -> usize {
        let links = self.links();
        let n_points = links.n_points();
        let mut seen = vec![false; n_points];
        let mut waiting = vec![self.header.shape.entry];
        // A search also walks through loose points that it reaches.
        while let Some(point) = waiting.pop() {
            if let Some(seen) = seen.get_mut(point as usize)
                && !std::mem::replace(seen, true)
            {
                waiting.extend(links.all(point).filter(|&link| link != super::NONE));
            }
        }
        for &point in self.numbers(Section::Loose) {
            if let Some(seen) = seen.get_mut(point as usize) {
                *seen = true;
            }
        }
        seen.iter().filter(|&&seen| !seen).count()
    }

    /// Offers all wanted points to `best`, compared by full vectors.
    pub(crate) fn scan(
        &self,
        query: &[f32],
        is_wanted: impl Fn(u32) -> bool + Sync,
        best: &mut Best,
    ) {
        let dot = distance::dot_function();
        let n_points = self.header.shape.n_points as usize;
        exact::scan(n_points, self.dimension() * 4, best, |row, best| {
            let Ok(id) = u32::try_from(row) else { return };
            if is_wanted(id)
                && let Some(vector) = self.vector(id)
            {
                let similarity = dot(query, vector);
                best.offer(Neighbour { similarity, id });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::graph::arrays::GraphArrays;
    use crate::graph::build::Builder;
    use crate::graph::write::GraphFileWriter;

    const DIMENSION: usize = 8;

    fn vector(number: u16) -> Vec<f32> {
        let values = (0..DIMENSION).map(|i| (f32::from(number) * 0.37 + i as f32).sin());
        let values: Vec<f32> = values.collect();
        let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
        values.into_iter().map(|value| value / length).collect()
    }

    fn built(ids: &[u32], vectors: &[f32]) -> GraphArrays {
        let mut go_on = |_| ControlFlow::Continue(());
        let mut builder = Builder::new(DIMENSION, ids.len());
        let added = builder.add(ids, vectors.to_vec(), &mut go_on).unwrap();
        assert!(added.is_continue());
        builder.finish(&mut go_on).unwrap().unwrap()
    }

    fn write(path: &Path, change: impl FnOnce(&mut GraphArrays)) -> Graph {
        let vectors: Vec<f32> = (0..200).flat_map(vector).collect();
        let ids: Vec<u32> = (10..210).collect();
        let mut built = built(&ids, &vectors);
        change(&mut built);
        finish(path, &ids, &vectors, &built)
    }

    fn write_of(path: &Path, ids: &[u32], vectors: &[f32]) -> Graph {
        finish(path, ids, vectors, &built(ids, vectors))
    }

    fn finish(path: &Path, ids: &[u32], vectors: &[f32], built: &GraphArrays) -> Graph {
        let stamp = Stamp {
            index_id: [1; 16],
            kind: 0,
            generation: 1,
            last_id: 209,
        };
        let mut file = GraphFileWriter::begin(path, &stamp, built).unwrap();
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
            move |built: &mut GraphArrays| {
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
        let entry = write(&path, |built| built.loose.push(built.entry));
        assert_eq!(entry.n_unreachable(), 0, "and lead to others");
        let effort = Effort {
            ef: 8,
            ef_of_each: 8,
            budget: usize::MAX,
        };
        let query = Query::new(&vector(150));
        let found = Graph::walk_together(&[&graph], &query, effort, |_, _| true);
        assert_eq!(found.unwrap()[0][0].id, 150);
    }

    #[test]
    fn several_graphs_are_walked_as_one() {
        let dir = tempfile::tempdir().unwrap();
        let graphs = [0u16, 1, 2].map(|part| {
            let path = dir.path().join(format!("{part}.graph"));
            let numbers = (0..200).map(|number| number * 3 + part);
            let vectors: Vec<f32> = numbers.flat_map(vector).collect();
            let ids: Vec<u32> = (10..210).collect();
            write_of(&path, &ids, &vectors)
        });
        let graphs: Vec<&Graph> = graphs.iter().collect();
        let walk = |query: &Query, budget, accept: fn(usize, u32) -> bool| {
            let effort = Effort {
                ef: 40,
                ef_of_each: 8,
                budget,
            };
            Graph::walk_together(&graphs, query, effort, accept)
        };
        for number in 0..600u16 {
            let query = Query::new(&vector(number));
            let found = walk(&query, usize::MAX, |_, _| true).unwrap();
            let best = found.iter().map(|found| found.first()).enumerate();
            let best = best.max_by_key(|(_, best)| *best).unwrap();
            let similarity = best.1.unwrap().similarity;
            assert!(similarity > 0.99, "{number}: {similarity}");
            assert!(
                found
                    .iter()
                    .all(|found| found.len() >= 8 && found.is_sorted_by(|a, b| a >= b))
            );
            let part = usize::from(number % 3);
            let own = walk(&query, usize::MAX, |_, point| point % 2 == 0).unwrap();
            assert!(own.iter().flatten().all(|point| point.id % 2 == 0));
            assert!(found[part][0].similarity >= 0.99);
        }
        let query = Query::new(&vector(1));
        assert!(walk(&query, 30, |_, _| true).is_none(), "beyond the budget");
    }

    #[test]
    fn a_graph_without_all_vectors_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.graph");
        let vectors: Vec<f32> = (0..2).flat_map(vector).collect();
        let built = built(&[1, 2], &vectors);
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
}
