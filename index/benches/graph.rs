//! Queries per second by recall: the Rust half of `benches/graph.py`, which creates the data,
//! measures other libraries, and prints the table.
//!
//! ```text
//! cargo bench -p sightline-index --bench graph -- build INDEX BASE.npy
//! cargo bench -p sightline-index --bench graph -- search INDEX QUERIES.npy TRUTH.npy N EF…
//! cargo bench -p sightline-index --bench graph -- cold INDEX QUERIES.npy N EF
//! ```
//! `build` builds an index of the vectors, `search` measures all queries at each EF, `cold` runs
//! one query in a new process, with EF a number or `exact`. Each prints lines of JSON. Without
//! arguments it does nothing.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]
#![expect(clippy::print_stdout, reason = "it is a program")]

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use serde_json::json;
use sightline_index::{
    Binding, FileRecord, IndexReader, IndexWriter, ItemKind, Nearest, UnitVector, WriterOptions,
};

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
    let binding = Binding {
        dimension: base.width,
        fingerprint: "f00d".into(),
        model: "bench".into(),
    };
    let mut options = WriterOptions::default();
    options.min_graph_items = 1_000;
    let start = Instant::now();
    let mut writer = IndexWriter::open_or_create_with(dir, &binding, options).unwrap();
    let mut n = 0;
    for (number, vector) in base.vectors().enumerate() {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let image = writer.put_image(hash, 1, 1, vector).unwrap();
        let file = FileRecord {
            n_bytes: 1,
            modified_ns: 1,
            image,
            change: None,
        };
        let path = format!("/photos/{number}.jpg");
        writer.put_file(path.as_ref(), file).unwrap();
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

/// A figure in kB from the kernel's statistics of this process, in bytes.
fn resident(name: &str) -> Option<u64> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kb: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kb * 1024)
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

fn cold(dir: &Path, queries: &str, n: usize, ef: Option<usize>, start: Instant) {
    let query = Matrix::read(queries).vectors().next().unwrap();
    let read = Instant::now();
    let reader = IndexReader::open(dir, None).unwrap();
    let opened = Instant::now();
    let how = Nearest {
        exact: ef.is_none(),
        ef: ef.unwrap_or_default(),
    };
    black_box(reader.nearest(ItemKind::Image, &query, n, &how).unwrap());
    let found = Instant::now();
    let ms = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1000.0;
    println!(
        "{}",
        json!({
            "start_ms": ms(start, read),
            "open_ms": ms(read, opened),
            "query_ms": ms(opened, found),
            "peak_bytes": resident("VmHWM:"),
        })
    );
}

fn main() {
    let start = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<usize>().unwrap();
    match arguments[..] {
        ["build", dir, base, ..] => build(dir.as_ref(), base),
        ["search", dir, queries, truth, n, ref efs @ ..] => {
            let efs: Vec<usize> = efs.iter().filter_map(|ef| ef.parse().ok()).collect();
            search(dir.as_ref(), queries, truth, number(n), &efs);
        }
        ["cold", dir, queries, n, ef, ..] => {
            cold(dir.as_ref(), queries, number(n), ef.parse().ok(), start);
        }
        _ => println!("see benches/graph.py"),
    }
}
