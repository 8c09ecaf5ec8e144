//! Queries per second by recall: the Rust half of `benches/graph.py`, which creates the data,
//! measures other libraries, and prints the table.
//!
//! ```text
//! cargo bench -p sightline-index --bench graph -- build INDEX BASE.npy
//! cargo bench -p sightline-index --bench graph -- search INDEX QUERIES.npy TRUTH.npy N EF…
//! ```
//! `build` builds an index of the vectors, `search` measures all queries at each EF. Each prints
//! lines of JSON. Without arguments it does nothing.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]
#![expect(clippy::print_stdout, reason = "it is a program")]

mod support;

use std::path::Path;
use std::time::Instant;

use serde_json::json;
use sightline_index::{IndexReader, ItemKind, Nearest, UnitVector, WriterOptions};
use support::{arguments, open, put, resident_mb};

/// Items per commit.
const N_PER_COMMIT: usize = 10_000;

/// A matrix of 4-byte values from a NumPy file of format 1.0.
struct Matrix {
    width: usize,
    bytes: Vec<u8>,
}

impl Matrix {
    fn read(path: &str) -> Self {
        let bytes = fs_err::read(path).unwrap();
        assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00", "{path}");
        let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let header = std::str::from_utf8(&bytes[10..start]).unwrap();
        assert!(
            header.contains("'<f4'") || header.contains("'<i4'"),
            "{header}"
        );
        assert!(header.contains("'fortran_order': False"), "{header}");
        let shape = header.split_once('(').unwrap().1.split_once(')').unwrap().0;
        let width = shape.split(',').nth(1).unwrap().trim().parse().unwrap();
        Self {
            width,
            bytes: bytes[start..].to_vec(),
        }
    }

    fn rows<T>(&self, value: fn([u8; 4]) -> T) -> impl Iterator<Item = Vec<T>> {
        let rows = self.bytes.chunks_exact(self.width * 4);
        rows.map(move |row| {
            row.as_chunks()
                .0
                .iter()
                .map(|bytes| value(*bytes))
                .collect()
        })
    }

    fn vectors(&self) -> impl Iterator<Item = UnitVector> {
        self.rows(f32::from_le_bytes)
            .map(|row| UnitVector::new(row).unwrap())
    }
}

fn build(dir: &Path, base: &str) {
    let base = Matrix::read(base);
    let mut options = WriterOptions::default();
    options.min_graph_items = 1_000;
    let start = Instant::now();
    let mut writer = open(dir, base.width, options);
    let mut n = 0;
    for (number, vector) in (0..).zip(base.vectors()) {
        put(&mut writer, number, vector);
        n += 1;
        if n % N_PER_COMMIT == 0 {
            writer.commit().unwrap();
        }
    }
    writer.commit().unwrap();
    let put_s = start.elapsed().as_secs_f64();
    let start = Instant::now();
    writer.finish().unwrap();
    let build_s = start.elapsed().as_secs_f64();
    let sizes = IndexReader::open(dir, None).unwrap().sizes();
    println!(
        "{}",
        json!({"n": n, "put_s": put_s, "build_s": build_s,
               "graph_bytes": sizes.n_bytes_of_graphs, "peak_bytes": resident("VmHWM:")})
    );
}

/// A figure from the kernel's statistics of this process, in bytes.
fn resident(name: &str) -> f64 {
    resident_mb(name) * 1e6
}

fn search(dir: &Path, queries: &str, truth: &str, n: usize, efs: &[usize]) {
    let queries: Vec<UnitVector> = Matrix::read(queries).vectors().collect();
    let truth: Vec<Vec<i32>> = Matrix::read(truth).rows(i32::from_le_bytes).collect();
    let reader = IndexReader::open(dir, None).unwrap();
    for (round, &ef) in efs.iter().take(1).chain(efs).enumerate() {
        let how = Nearest { exact: false, ef };
        let start = Instant::now();
        let found: Vec<_> = queries
            .iter()
            .map(|query| reader.nearest(ItemKind::Image, query, n, &how).unwrap())
            .collect();
        let seconds = start.elapsed().as_secs_f64();
        // The first round only warms the caches.
        if round == 0 {
            continue;
        }
        let n_right: usize = found
            .iter()
            .zip(&truth)
            .map(|(found, truth)| {
                // Ids start at 1, rows at 0.
                let is_true = |id: u32| {
                    truth[..n]
                        .iter()
                        .any(|&row| i64::from(row) + 1 == i64::from(id))
                };
                found.iter().filter(|near| is_true(near.id.0)).count()
            })
            .sum();
        let recall = n_right as f64 / (n * queries.len()) as f64;
        let rate = queries.len() as f64 / seconds;
        println!(
            "{}",
            json!({"ef": ef, "qps": rate, "recall": recall, "resident_bytes": resident("VmRSS:")})
        );
    }
}

fn main() {
    let arguments = arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<usize>().unwrap();
    match arguments[..] {
        ["build", dir, base, ..] => build(dir.as_ref(), base),
        ["search", dir, queries, truth, n, ref efs @ ..] => {
            let efs: Vec<usize> = efs.iter().filter_map(|ef| ef.parse().ok()).collect();
            search(dir.as_ref(), queries, truth, number(n), &efs);
        }
        _ => println!("see benches/graph.py"),
    }
}
