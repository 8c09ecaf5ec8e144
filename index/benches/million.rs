//! A large index from its creation to its growth: time, memory and recall of each step.
//!
//! ```text
//! cargo bench -p sightline-index --bench million -- INDEX [N]
//! ```
//! Puts N (1,000,000) × 512 clustered vectors into a new index, searches it in new processes and in
//! one that is warm, on one thread, then adds 1,000 items and finds each of them. Each step is a
//! process of its own, whose highest resident memory is printed; pages of mapped files count,
//! although the system can reclaim them. An index that exists is not made again. Without
//! arguments it does nothing.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]
#![expect(clippy::print_stdout, reason = "it is a program")]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use sightline_index::{IndexReader, ItemId, ItemKind, Nearest, UnitVector, WriterOptions};
use support::{Clusters, DIMENSION, arguments, at, ms, open, put, resident_mb};

const N_PER_COMMIT: u32 = 10_000;
const N_QUERIES: usize = 1_000;
/// Queries that are compared with an exact scan.
const N_COMPARED: usize = 200;
const N_ADDED: u32 = 1_000;
const N_COLD: usize = 9;
const EXACT: Nearest = Nearest { exact: true, ef: 0 };

/// Vectors of their own: none of them is in the index.
fn queries(n: u32) -> Vec<UnitVector> {
    let mut clusters = Clusters::new(n as usize, 7);
    (0..N_QUERIES).map(|_| clusters.next()).collect()
}

fn nearest(reader: &IndexReader, query: &UnitVector, how: Nearest) -> Vec<ItemId> {
    let found = reader.nearest(ItemKind::Image, query, 10, &how).unwrap();
    found.into_iter().map(|near| near.id).collect()
}

fn create(dir: &Path, n: u32) -> Value {
    let mut clusters = Clusters::new(n as usize, 6);
    let start = Instant::now();
    let mut writer = open(dir, DIMENSION, WriterOptions::default());
    for number in 0..n {
        put(&mut writer, number, clusters.next());
        if number % N_PER_COMMIT == N_PER_COMMIT - 1 {
            writer.commit().unwrap();
        }
    }
    writer.commit().unwrap();
    let put_s = ms(start) / 1e3;
    let put_mb = resident_mb("VmHWM:");
    let start = Instant::now();
    writer.finish().unwrap();
    json!({"put_s": put_s, "put_mb": put_mb, "build_s": ms(start) / 1e3})
}

/// One query in this process, which is new.
fn cold(dir: &Path, n: u32, number: usize) -> Value {
    let query = queries(n).swap_remove(number);
    let start = Instant::now();
    let reader = IndexReader::open(dir, None).unwrap();
    let open_ms = ms(start);
    nearest(&reader, &query, Nearest::default());
    json!({"open_ms": open_ms, "total_ms": ms(start)})
}

/// The true nearest items.
fn truth(dir: &Path, n: u32) -> Value {
    let reader = IndexReader::open(dir, None).unwrap();
    let queries = queries(n);
    let found = queries[..N_COMPARED].iter();
    let found: Vec<Vec<u32>> = found
        .map(|query| {
            let found = nearest(&reader, query, EXACT);
            found.into_iter().map(|id| id.0).collect()
        })
        .collect();
    json!({"found": found})
}

/// All queries, one after the other, by searches of a width; 0 is the default one.
fn warm(dir: &Path, n: u32, ef: usize) -> Value {
    let reader = IndexReader::open(dir, None).unwrap();
    let queries = queries(n);
    let mut took = Vec::new();
    let mut found: Vec<Vec<u32>> = Vec::new();
    for round in 0..3 {
        for query in &queries {
            let start = Instant::now();
            let near = nearest(&reader, query, Nearest { exact: false, ef });
            // The first round only warms the caches.
            if round > 0 {
                took.push(ms(start));
            }
            if found.len() < N_COMPARED {
                found.push(near.into_iter().map(|id| id.0).collect());
            }
        }
    }
    took.sort_by(f64::total_cmp);
    let mean = took.iter().sum::<f64>() / took.len() as f64;
    json!({"found": found, "mean_ms": mean, "p50_ms": at(&took, 0.5), "p99_ms": at(&took, 0.99)})
}

/// Adds items and finds each of them.
fn add(dir: &Path, first: u32) -> Value {
    let mut clusters = Clusters::new(first as usize, u64::from(first));
    let added: Vec<UnitVector> = (0..N_ADDED).map(|_| clusters.next()).collect();
    let start = Instant::now();
    let mut writer = open(dir, DIMENSION, WriterOptions::default());
    let open_ms = ms(start);
    for (number, vector) in (first..).zip(&added) {
        put(&mut writer, number, vector.clone());
    }
    writer.finish().unwrap();
    let put_ms = ms(start);
    let reader = IndexReader::open(dir, None).unwrap();
    let mut n_found = 0;
    for (number, vector) in (first..).zip(&added) {
        let found = nearest(&reader, vector, Nearest::default());
        let id = reader.image_with_hash(&support::hash(number)).unwrap();
        n_found += usize::from(found.first().copied() == id);
    }
    json!({"open_ms": open_ms, "put_ms": put_ms, "total_ms": ms(start), "n_found": n_found})
}

/// Runs a step in a process of its own. Searches are given one thread.
fn step(name: &str, dir: &Path, n: u32, query: usize) -> Value {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name.as_ref(), dir.as_os_str()]);
    command.args([n.to_string(), query.to_string()]);
    if ["cold", "warm"].contains(&name) {
        command.env("RAYON_NUM_THREADS", "1");
    }
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{name}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap()
}

fn recall(found: &Value, truth: &Value) -> f64 {
    let lists = |value: &Value| value["found"].as_array().unwrap().clone();
    let (mut n_right, mut n_true) = (0, 0);
    for (found, truth) in lists(found).iter().zip(lists(truth)) {
        let truth = truth.as_array().unwrap();
        n_true += truth.len();
        n_right += found
            .as_array()
            .unwrap()
            .iter()
            .filter(|id| truth.contains(id))
            .count();
    }
    n_right as f64 / n_true as f64
}

fn all(dir: &Path, n: u32) {
    println!("{n} × {DIMENSION}; highest resident memory of each process in MB");
    if !dir.exists() {
        let made = step("create", dir, n, 0);
        println!(
            "put: {:.0} s, {:.0} MB; graphs: {:.0} s, {:.0} MB in all",
            number(&made, "put_s"),
            number(&made, "put_mb"),
            number(&made, "build_s"),
            number(&made, "peak_mb"),
        );
    }
    let sizes = IndexReader::open(dir, None).unwrap().sizes();
    println!(
        "graph files: {:.0} MB",
        sizes.n_bytes_of_graphs as f64 / 1e6
    );
    let truth = step("truth", dir, n, 0);
    println!("exact scans: {:.0} MB", number(&truth, "peak_mb"));
    let cold: Vec<Value> = (0..N_COLD)
        .map(|query| step("cold", dir, n, query))
        .collect();
    let sorted = |name: &str| {
        let mut values: Vec<f64> = cold.iter().map(|one| number(one, name)).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let total = sorted("total_ms");
    println!(
        "a query in a new process: {:.1} ms at the median, {:.1} at most, of which opening {:.1}; \
         {:.0} MB",
        at(&total, 0.5),
        at(&total, 1.0),
        at(&sorted("open_ms"), 0.5),
        at(&sorted("peak_mb"), 1.0),
    );
    let warm = step("warm", dir, n, 0);
    println!(
        "a query, warm, one thread: {:.2} ms at the mean, p50 {:.2}, p99 {:.2}, recall@10 {:.4}; \
         {:.0} MB",
        number(&warm, "mean_ms"),
        number(&warm, "p50_ms"),
        number(&warm, "p99_ms"),
        recall(&warm, &truth),
        number(&warm, "peak_mb"),
    );
    for _ in 0..3 {
        let first = IndexReader::open(dir, None).unwrap().counts().n_images;
        let added = step("add", dir, u32::try_from(first).unwrap(), 0);
        println!(
            "{N_ADDED} items added and {} of them found: {:.0} ms, of which opening the writer \
             {:.0}, until all are committed {:.0}; {:.0} MB",
            added["n_found"],
            number(&added, "total_ms"),
            number(&added, "open_ms"),
            number(&added, "put_ms"),
            number(&added, "peak_mb"),
        );
    }
}

fn main() {
    let arguments = arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (name, dir, n, query) = match arguments[..] {
        [dir] => return all(dir.as_ref(), 1_000_000),
        [dir, n] => return all(dir.as_ref(), n.parse().unwrap()),
        [name, dir, n, query] => (name, Path::new(dir), n.parse().unwrap(), query),
        _ => return println!("usage: cargo bench -p sightline-index --bench million -- INDEX [N]"),
    };
    let mut result = match name {
        "create" => create(dir, n),
        "truth" => truth(dir, n),
        "cold" => cold(dir, n, query.parse().unwrap()),
        "warm" => warm(dir, n, query.parse().unwrap()),
        "add" => add(dir, n),
        other => return println!("no such step: {other}"),
    };
    result["peak_mb"] = json!(resident_mb("VmHWM:"));
    println!("{result}");
}
