//! Time and recall@10 of searches among a part of the items.
//!
//! ```text
//! cargo bench -p sightline-index --bench filters -- INDEX [N]
//! ```
//! With N, an index of N clustered vectors of 512 dimensions is created first. The wanted items are
//! a share of all, chosen at random, those nearest to the query (with it), or those farthest from
//! it (against it). Prints a table: median and highest time in ms, recall@10. Without arguments it
//! does nothing.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]
#![expect(clippy::print_stdout, reason = "it is a program")]

mod support;

use std::path::Path;
use std::time::Instant;

use rand::RngExt;
use sightline_index::{
    IdSet, IndexReader, ItemId, ItemKind, Near, Nearest, SearchQuery, UnitVector, WriterOptions,
};
use support::{Clusters, DIMENSION, arguments, at, ms, open, put};

const N_QUERIES: usize = 20;
/// Parts of 10,000.
const SHARES: [usize; 6] = [1, 10, 100, 500, 1_000, 5_000];
const EXACT: Nearest = Nearest { exact: true, ef: 0 };

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

fn ask(reader: &IndexReader, vector: &UnitVector, nearest: Nearest, among: &IdSet) -> Vec<ItemId> {
    let query = SearchQuery {
        kind: ItemKind::Image,
        vector: Some(vector),
        words: None,
        n: 10,
        among: Some(among),
        filter: None,
        nearest,
    };
    let found = reader.search(&query).unwrap();
    found.into_iter().map(|candidate| candidate.id).collect()
}

/// Median and highest time in ms, and recall@10.
fn measure(reader: &IndexReader, asked: &[(UnitVector, IdSet)]) -> (f64, f64, f64) {
    let (mut times, mut n_right, mut n_true) = (Vec::new(), 0, 0);
    for (query, among) in asked {
        let truth = ask(reader, query, EXACT, among);
        ask(reader, query, Nearest::default(), among);
        let start = Instant::now();
        let found = ask(reader, query, Nearest::default(), among);
        times.push(ms(start));
        n_true += truth.len();
        n_right += found.iter().filter(|id| truth.contains(id)).count();
    }
    times.sort_by(f64::total_cmp);
    let recall = n_right as f64 / n_true.max(1) as f64;
    (at(&times, 0.5), at(&times, 1.0), recall)
}

fn main() {
    let arguments = arguments();
    let Some(dir) = arguments.first() else {
        println!("usage: cargo bench -p sightline-index --bench filters -- INDEX [N]");
        return;
    };
    let n = arguments.get(1).map(|n| n.parse::<usize>().unwrap());
    if let Some(n) = n {
        create(dir.as_ref(), n);
    }
    let reader = IndexReader::open(dir.as_ref(), None).unwrap();
    let n = usize::try_from(reader.counts().n_images).unwrap();
    // Other vectors than those in the index.
    let mut clusters = Clusters::new(n, 7);
    let queries: Vec<UnitVector> = (0..N_QUERIES).map(|_| clusters.next()).collect();
    let by_similarity: Vec<Vec<Near>> = queries
        .iter()
        .map(|query| reader.nearest(ItemKind::Image, query, n, &EXACT).unwrap())
        .collect();
    println!("{n} items; {N_QUERIES} queries; median / highest ms, recall@10");
    println!("| share | at random | with the query | against it |");
    println!("| --: | --: | --: | --: |");
    for share in SHARES {
        let n_wanted = n * share / 10_000;
        let random: Vec<IdSet> = queries
            .iter()
            .map(|_| {
                let wanted = (1..=n).filter(|_| clusters.rng.random_range(0..10_000) < share);
                wanted
                    .map(|id| ItemId(u32::try_from(id).unwrap()))
                    .collect()
            })
            .collect();
        let ids = |near: &[Near]| near.iter().map(|near| near.id).collect::<IdSet>();
        let near = by_similarity.iter().map(|near| ids(&near[..n_wanted]));
        let far = by_similarity.iter().map(|near| ids(&near[n - n_wanted..]));
        let cells: Vec<String> = [random, near.collect(), far.collect()]
            .into_iter()
            .map(|sets| {
                let asked: Vec<_> = queries.iter().cloned().zip(sets).collect();
                let (median, highest, recall) = measure(&reader, &asked);
                format!("{median:.2} / {highest:.2}, {recall:.4}")
            })
            .collect();
        println!("| {} % | {} |", share as f64 / 100.0, cells.join(" | "));
    }
}
