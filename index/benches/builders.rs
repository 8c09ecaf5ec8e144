//! Builds a graph with `hnsw_rs`, as the program does, and with a plain HNSW over flat arrays.
//!
//! ```text
//! cargo bench --locked -p sightline-index --bench builders -- [N] [hnsw_rs|own]
//! ```
//! N (100,000) clustered vectors of 512 dimensions, on two threads, each builder in a process of
//! its own. Both insert in the same order, compare the same codes, and mend their graphs; both
//! graphs are searched by the program's own search. Prints a table; memory is the highest during
//! the build, without the vectors.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::collections::{BinaryHeap, HashMap};
use std::ops::ControlFlow::Continue;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;
use support::{Clusters, DIMENSION, arguments, resident_mb};

use graph::arrays::GraphArrays;
use graph::build::Builder;
use graph::codes::{self, Query};
use graph::exact::Best;
use graph::params::{GraphParams, N_SEQUENTIAL};
use graph::search::{self, Scratch};
use graph::{NONE, Neighbour, distance, mend};

mod support;

#[allow(dead_code, reason = "used by `graph`")]
#[path = "../src/atomic.rs"]
mod atomic;
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "part of it is used"
)]
#[path = "../src/graph/mod.rs"]
mod graph;

const N_QUERIES: usize = 200;
const WIDTH: usize = 96;
/// Number of vectors added at once, of pivots that group them, and of vectors inserted by both
/// threads before these wait for each other, as in the program.
const PORTION: usize = 32_768;
const N_PIVOTS: usize = 1_024;
const N_BETWEEN: usize = 1_024;
/// A lock serves all points whose numbers are equal modulo this.
const N_LOCKS: usize = 4_096;

/// Vectors around centres for `n_in_all`, one after the other.
fn clustered(n: usize, n_in_all: usize, seed: u64) -> Vec<f32> {
    let mut clusters = Clusters::new(n_in_all, seed);
    let mut vectors = Vec::with_capacity(n * DIMENSION);
    for _ in 0..n {
        vectors.extend_from_slice(clusters.next().as_slice());
    }
    vectors
}

/// The points that a thread has visited: those whose mark is the epoch.
struct Visited {
    marks: Vec<u32>,
    epoch: u32,
}

/// HNSW as in the paper. Links are atomic and read without a lock: a reader may see half of a
/// change, but every number that it sees is a point or `NONE`.
struct Own {
    params: GraphParams,
    rows: Vec<u8>,
    layer0: Vec<AtomicU32>,
    upper_start: Vec<u32>,
    upper: Vec<AtomicU32>,
    locks: Vec<Mutex<()>>,
    entry: Mutex<u32>,
    visited: Mutex<Vec<Visited>>,
    points: HashMap<blake3::Hash, u32>,
}

impl Own {
    fn new(n: usize) -> Self {
        let params = GraphParams::default();
        let mut rng = StdRng::seed_from_u64(7);
        let mut upper_start = vec![0; n + 1];
        for point in 0..n {
            // A layer has one in `m` of the points of the layer below.
            let level = (0..15).take_while(|_| rng.random_range(0..params.m) == 0);
            upper_start[point + 1] = upper_start[point] + u32::try_from(level.count()).unwrap();
        }
        let unused = |n: usize| (0..n).map(|_| AtomicU32::new(NONE)).collect();
        Self {
            rows: Vec::with_capacity(n * codes::stride(DIMENSION)),
            layer0: unused(n * params.m0),
            upper: unused(upper_start[n] as usize * params.m),
            upper_start,
            params,
            locks: (0..N_LOCKS).map(|_| Mutex::new(())).collect(),
            entry: Mutex::new(NONE),
            visited: Mutex::default(),
            points: HashMap::new(),
        }
    }

    /// Does what `Builder::add` does, the search for equal vectors included.
    fn add(&mut self, vectors: Vec<f32>) {
        let n_before = self.points.len();
        for vector in vectors.chunks_exact(DIMENSION) {
            let next = u32::try_from(self.points.len()).unwrap();
            let hash = blake3::hash(bytemuck::cast_slice(vector));
            if *self.points.entry(hash).or_insert(next) == next {
                codes::encode(vector, &mut self.rows);
            }
        }
        drop(vectors);
        let number = |n: usize| u32::try_from(n).unwrap();
        let mut sequential: Vec<u32> = (number(n_before)..number(self.points.len())).collect();
        let n_sequential = N_SEQUENTIAL.saturating_sub(n_before);
        let in_parallel = sequential.split_off(n_sequential.min(sequential.len()));
        let in_parallel = self.grouped(&in_parallel);
        for point in sequential {
            self.insert(point);
        }
        for points in in_parallel.chunks(N_BETWEEN) {
            points.par_iter().for_each(|&(_, point)| self.insert(point));
        }
    }

    /// Points with their nearest pivots, sorted by these.
    fn grouped(&self, points: &[u32]) -> Vec<(usize, u32)> {
        let nearest = |&point: &u32| {
            let query = Query::of_row(self.row(point));
            let pivots = points.iter().take(N_PIVOTS).enumerate();
            let similar = pivots.map(|(n, &pivot)| (n, query.similarity(self.row(pivot))));
            (similar.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0, point)
        };
        let mut placed: Vec<_> = points.par_iter().map(nearest).collect();
        placed.sort_by_key(|&(pivot, _)| pivot);
        placed
    }

    fn row(&self, point: u32) -> &[u8] {
        let stride = codes::stride(DIMENSION);
        &self.rows[point as usize * stride..][..stride]
    }

    fn near(&self, to: u32, id: u32) -> Neighbour {
        let dot = codes::dot_function();
        let similarity = codes::similarity(dot, self.row(to), self.row(id));
        Neighbour { similarity, id }
    }

    fn level(&self, point: u32) -> usize {
        let start = &self.upper_start[point as usize..];
        (start[1] - start[0]) as usize
    }

    fn slots(&self, point: u32, layer: usize) -> &[AtomicU32] {
        let GraphParams { m, m0, .. } = self.params;
        if layer == 0 {
            return &self.layer0[point as usize * m0..][..m0];
        }
        let row = self.upper_start[point as usize] as usize + layer - 1;
        &self.upper[row * m..][..m]
    }

    fn links(&self, point: u32, layer: usize) -> impl Iterator<Item = u32> {
        let slots = self.slots(point, layer).iter();
        let links = slots.map(|slot| slot.load(Relaxed));
        links.take_while(|&link| link != NONE)
    }

    fn insert(&self, point: u32) {
        let entry = *self.entry.lock().unwrap();
        if entry == NONE {
            *self.entry.lock().unwrap() = point;
            return;
        }
        let visited = self.visited.lock().unwrap().pop();
        let mut visited = visited.unwrap_or_else(|| Visited {
            marks: vec![0; self.upper_start.len()],
            epoch: 0,
        });
        let (level, top) = (self.level(point), self.level(entry));
        let mut nearest = self.near(point, entry);
        let mut chosen = Vec::new();
        for layer in (0..=top).rev() {
            let is_linked = layer <= level;
            let ef = [1, self.params.ef_construction][usize::from(is_linked)];
            let found = self.walk(point, nearest, ef, layer, &mut visited);
            nearest = found[0];
            if is_linked {
                let slots = self.slots(point, layer);
                let links = self.select(&found, slots.len());
                for (slot, link) in slots.iter().zip(&links) {
                    slot.store(*link, Relaxed);
                }
                chosen.extend(links.into_iter().map(|link| (link, layer)));
            }
        }
        self.visited.lock().unwrap().push(visited);
        // No other thread reaches the point before its own links are complete.
        for (from, layer) in chosen {
            self.link(from, point, layer);
        }
        let mut entry = self.entry.lock().unwrap();
        if level > self.level(*entry) {
            *entry = point;
        }
    }

    /// The `ef` points nearest to `point` in a layer, best first.
    fn walk(
        &self,
        point: u32,
        start: Neighbour,
        ef: usize,
        layer: usize,
        visited: &mut Visited,
    ) -> Vec<Neighbour> {
        visited.epoch += 1;
        visited.marks[start.id as usize] = visited.epoch;
        let mut found = Best::new(ef);
        found.offer(start);
        let (mut candidates, mut fresh) = (BinaryHeap::from([start]), Vec::new());
        while let Some(candidate) = candidates.pop() {
            if candidate.similarity < found.floor() {
                break;
            }
            fresh.extend(self.links(candidate.id, layer).filter(|&link| {
                let mark = &mut visited.marks[link as usize];
                std::mem::replace(mark, visited.epoch) != visited.epoch
            }));
            for &link in &fresh {
                codes::prefetch(self.row(link));
            }
            for link in fresh.drain(..) {
                let there = self.near(point, link);
                if there.similarity > found.floor() {
                    candidates.push(there);
                    found.offer(there);
                }
            }
        }
        found.into_sorted()
    }

    /// The paper's heuristic: up to `n` points, each nearer to the point than to those before it.
    fn select(&self, candidates: &[Neighbour], n: usize) -> Vec<u32> {
        let mut taken = Vec::with_capacity(n);
        for &Neighbour { similarity, id } in candidates {
            let nearer = |&other| self.near(id, other).similarity < similarity;
            if taken.len() < n && taken.iter().all(nearer) {
                taken.push(id);
            }
        }
        taken
    }

    /// Links `from` to `to`. When all slots are used, selects among the links.
    fn link(&self, from: u32, to: u32, layer: usize) {
        let _lock = self.locks[from as usize % N_LOCKS].lock().unwrap();
        let slots = self.slots(from, layer);
        let links: Vec<u32> = self.links(from, layer).collect();
        if links.contains(&to) {
            return;
        }
        if let Some(slot) = slots.get(links.len()) {
            slot.store(to, Relaxed);
            return;
        }
        let links = links.into_iter().chain([to]);
        let mut near: Vec<_> = links.map(|link| self.near(from, link)).collect();
        near.sort_unstable_by(|a, b| b.cmp(a));
        let kept = self.select(&near, slots.len()).into_iter();
        for (slot, link) in slots.iter().zip(kept.chain(std::iter::repeat(NONE))) {
            slot.store(link, Relaxed);
        }
    }

    fn finish(self) -> GraphArrays {
        let plain = |links: Vec<AtomicU32>| links.into_iter().map(AtomicU32::into_inner).collect();
        let n = u32::try_from(self.points.len()).unwrap();
        let mut built = GraphArrays {
            params: self.params,
            dimension: DIMENSION,
            entry: self.entry.into_inner().unwrap(),
            layer0: plain(self.layer0),
            upper_start: self.upper_start,
            upper: plain(self.upper),
            rows: self.rows,
            ids_start: (0..=n).collect(),
            ids: (0..n).collect(),
            loose: Vec::new(),
        };
        assert!(mend::mend(&mut built, &mut || Continue(())).is_continue());
        built
    }
}

/// Processor time of this process in seconds.
fn processor_seconds() -> f64 {
    let status = fs_err::read_to_string("/proc/self/stat").unwrap();
    let numbers = status.rsplit_once(')').unwrap().1.split_whitespace();
    let ticks = numbers.skip(11).take(2).map(str::parse::<f64>);
    ticks.map(Result::unwrap).sum::<f64>() / 100.0
}

/// Builds a graph and prints a row of the table.
fn run(n: usize, builder: &str) {
    let vectors = clustered(n, n, 5);
    let before = resident_mb("VmRSS:");
    let portions = vectors.chunks(PORTION * DIMENSION).map(<[f32]>::to_vec);
    let (start, processor) = (Instant::now(), processor_seconds());
    let step = || {
        let wall = start.elapsed().as_secs_f64();
        (wall, processor_seconds() - processor)
    };
    let (added, built) = if builder == "own" {
        let mut own = Own::new(n);
        portions.for_each(|portion| own.add(portion));
        (step(), own.finish())
    } else {
        let mut builder = Builder::new(DIMENSION, n);
        let mut ids = 0..u32::try_from(n).unwrap();
        for portion in portions {
            let ids: Vec<u32> = ids.by_ref().take(portion.len() / DIMENSION).collect();
            let added = builder.add(&ids, portion, &mut |_| Continue(()));
            assert!(added.unwrap().is_continue());
        }
        let added = step();
        let finished = builder.finish(&mut |_| Continue(()));
        (added, finished.unwrap().unwrap())
    };
    let all = step();
    let bytes = (resident_mb("VmHWM:") - before) * 1e6 / n as f64;
    let n_links = built.layer0.iter().filter(|&&link| link != NONE).count();
    println!(
        "| {builder} | {n} | {:.1} | {:.1} | {:.1} | {:.1} | {bytes:.0} | {:.1} | {:.4} |",
        added.0,
        added.1,
        all.0,
        all.1,
        n_links as f64 / n as f64,
        recall(&vectors, &built)
    );
}

/// Recall@10 of candidates found by codes and ranked by full vectors.
fn recall(vectors: &[f32], built: &GraphArrays) -> f64 {
    let best = |query: &[f32], points: &mut dyn Iterator<Item = u32>| {
        let mut best = Best::new(10);
        for id in points {
            let vector = &vectors[id as usize * DIMENSION..][..DIMENSION];
            let similarity = distance::dot(query, vector);
            best.offer(Neighbour { similarity, id });
        }
        best.into_sorted()
    };
    let queries = clustered(N_QUERIES, built.n_points(), 6);
    let n_right = queries.par_chunks_exact(DIMENSION).map(|query| {
        let codes = Query::new(query);
        let mut scratch = Scratch::default();
        let found = search::search(&built.links(), &codes, WIDTH, &mut scratch, |_| true);
        let found = best(query, &mut found.iter().map(|near| near.id));
        let truth = best(query, &mut built.ids.iter().copied());
        found.iter().filter(|near| truth.contains(near)).count()
    });
    n_right.sum::<usize>() as f64 / (10 * N_QUERIES) as f64
}

fn main() {
    // Absent when tests run all benchmarks.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let arguments = arguments();
    let n = arguments.first().map_or("100000", String::as_str);
    if let Some(builder) = arguments.get(1) {
        let threads = rayon::ThreadPoolBuilder::new().num_threads(2);
        threads.build_global().unwrap();
        return run(n.parse().unwrap(), builder);
    }
    println!(
        "| builder | vectors | added s | processor s | built s | processor s | B | links | recall |"
    );
    println!("| --- {}|", "| --: ".repeat(8));
    for builder in ["hnsw_rs", "own"] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let status = child.args(["--bench", n, builder]).status();
        assert!(status.unwrap().success());
    }
}
