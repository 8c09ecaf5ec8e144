//! What hub biases add to the time of a query.
//!
//! ```text
//! cargo bench -p sightline-index --bench hubs -- INDEX [N]
//! ```
//! With N, an index of N clustered vectors of 512 dimensions is created first. A query finds the
//! 200 nearest pictures, as a search by words does, and then subtracts their biases or not. Each
//! query is asked in a new view first, and again when the biases of its pictures are known; a
//! process of its own opens the index and asks one. Prints medians in ms. Without arguments it does
//! nothing.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]
#![expect(clippy::print_stdout, reason = "it is a program")]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use sightline_index::{IndexReader, ItemId, ItemKind, Nearest, UnitVector, WriterOptions};
use support::{Clusters, DIMENSION, arguments, at, ms, open, put};

/// Pictures that a search by words considers.
const DEPTH: usize = 200;
const MIN_PICTURES: usize = 256;
const N_QUERIES: usize = 400;
const N_PROCESSES: u64 = 41;

fn create(dir: &Path, n: usize) {
    let mut clusters = Clusters::new(n, 6);
    let mut writer = open(dir, DIMENSION, WriterOptions::default());
    for number in (0u32..).take(n) {
        put(&mut writer, number, clusters.next());
        if number % 10_000 == 9_999 {
            writer.commit().unwrap();
        }
    }
    writer.finish().unwrap();
}

fn reader(dir: &Path) -> IndexReader {
    IndexReader::open(dir, None).unwrap()
}

fn ask(reader: &IndexReader, vector: &UnitVector, with_biases: bool) {
    let kind = ItemKind::Image;
    let near = reader.nearest(kind, vector, DEPTH, &Nearest::default());
    let ids: Vec<ItemId> = near.unwrap().iter().map(|near| near.id).collect();
    if with_biases {
        let biases = reader.hub_biases(kind, &ids, MIN_PICTURES).unwrap();
        assert_eq!(biases.len(), DEPTH);
    }
}

/// The time of each query, in ms.
fn times(reader: &IndexReader, queries: &[UnitVector], with_biases: bool) -> Vec<f64> {
    let time = |query| {
        let start = Instant::now();
        ask(reader, query, with_biases);
        ms(start)
    };
    queries.iter().map(time).collect()
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    at(&sorted, 0.5)
}

/// What a process of its own takes to open the index and ask one query, as it says itself.
fn in_new_process(dir: &str, seed: u64, with_biases: bool) -> f64 {
    let ran = Command::new(std::env::current_exe().unwrap())
        .args([dir, "ask", &seed.to_string(), &with_biases.to_string()])
        .output()
        .unwrap();
    String::from_utf8(ran.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

fn main() {
    let arguments = arguments();
    let Some(dir) = arguments.first() else {
        println!("usage: cargo bench -p sightline-index --bench hubs -- INDEX [N]");
        return;
    };
    let path = Path::new(dir);
    if let [_, ask_one, seed, with_biases] = &arguments[..] {
        assert_eq!(ask_one, "ask");
        // As many centres as the index has.
        let n = usize::try_from(reader(path).counts().n_images).unwrap();
        let query = Clusters::new(n, seed.parse().unwrap()).next();
        let start = Instant::now();
        ask(&reader(path), &query, with_biases.parse().unwrap());
        println!("{}", ms(start));
        return;
    }
    if let Some(n) = arguments.get(1) {
        create(path, n.parse().unwrap());
    }
    let n = usize::try_from(reader(path).counts().n_images).unwrap();
    // Other vectors than those in the index.
    let mut clusters = Clusters::new(n, 7);
    let queries: Vec<UnitVector> = (0..N_QUERIES).map(|_| clusters.next()).collect();
    println!("{n} pictures; {N_QUERIES} queries in one view, {N_PROCESSES} in new processes");
    println!("| ms | without | with biases |");
    println!("| --- | --: | --: |");
    let row = |what: &str, [without, with]: [f64; 2]| {
        let share = 100.0 * (with - without) / without;
        println!("| {what} | {without:.2} | {with:.2} ({share:+.1} %) |");
    };
    let both = [false, true];
    let views = both.map(|_| reader(path));
    // Pages of the graph are read once before.
    times(&views[0], &queries, false);
    let first = both.map(|with| times(&views[usize::from(with)], &queries, with));
    let again = both.map(|with| times(&views[usize::from(with)], &queries, with));
    let part = |range: std::ops::Range<usize>| [0, 1].map(|at| median(&first[at][range.clone()]));
    row("the first query of a view", [0, 1].map(|at| first[at][0]));
    row("queries 2 to 20", part(1..20));
    row("queries 21 to 400", part(20..N_QUERIES));
    row("the same again", [0, 1].map(|at| median(&again[at])));
    let alone = both.map(|with| {
        let seeds = 100..100 + N_PROCESSES;
        let times: Vec<f64> = seeds.map(|seed| in_new_process(dir, seed, with)).collect();
        median(&times)
    });
    row("a new process: open and ask", alone);
}
