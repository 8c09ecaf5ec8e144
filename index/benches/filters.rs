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

use std::path::Path;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sightline_index::{
    Binding, FileRecord, IdSet, IndexReader, IndexWriter, ItemId, ItemKind, Near, Nearest,
    SearchQuery, UnitVector,
};

const DIMENSION: usize = 512;
const N_QUERIES: usize = 20;
/// Parts of 10,000.
const SHARES: [usize; 6] = [1, 10, 100, 500, 1_000, 5_000];
const EXACT: Nearest = Nearest { exact: true, ef: 0 };

fn normal(rng: &mut StdRng) -> f32 {
    let (u, v) = (1.0 - rng.random::<f32>(), rng.random::<f32>());
    (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos()
}

/// Vectors around centres, one for each 1,000 items, as photos of one subject are near each other.
struct Clusters {
    rng: StdRng,
    centres: Vec<Vec<f32>>,
}

impl Clusters {
    fn new(n: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(5);
        let centres = (0..n.div_ceil(1_000))
            .map(|_| (0..DIMENSION).map(|_| normal(&mut rng)).collect())
            .collect();
        Self { rng, centres }
    }

    fn next(&mut self) -> UnitVector {
        let centre = self.rng.random_range(0..self.centres.len());
        let mut values: Vec<f32> = self.centres[centre]
            .iter()
            .map(|value| value + 0.5 * normal(&mut self.rng))
            .collect();
        let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
        for value in &mut values {
            *value /= length;
        }
        UnitVector::new(values).unwrap()
    }
}

fn create(dir: &Path, n: usize, clusters: &mut Clusters) {
    let binding = Binding {
        dimension: DIMENSION,
        fingerprint: "f00d".into(),
        model: "bench".into(),
    };
    let mut writer = IndexWriter::open_or_create(dir, &binding).unwrap();
    for number in 0..n {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let image = writer.put_image(hash, 1, 1, clusters.next()).unwrap();
        let file = FileRecord {
            n_bytes: 1,
            modified_ns: 1,
            image,
            change: None,
        };
        let path = format!("/photos/{number}.jpg");
        writer.put_file(path.as_ref(), file).unwrap();
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
        times.push(start.elapsed().as_secs_f64() * 1000.0);
        n_true += truth.len();
        n_right += found.iter().filter(|id| truth.contains(id)).count();
    }
    times.sort_by(f64::total_cmp);
    let recall = n_right as f64 / n_true.max(1) as f64;
    (times[times.len() / 2], times[times.len() - 1], recall)
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let Some(dir) = arguments.first() else {
        println!("usage: cargo bench -p sightline-index --bench filters -- INDEX [N]");
        return;
    };
    let n = arguments.get(1).map(|n| n.parse::<usize>().unwrap());
    if let Some(n) = n {
        create(dir.as_ref(), n, &mut Clusters::new(n));
    }
    let reader = IndexReader::open(dir.as_ref(), None).unwrap();
    let n = usize::try_from(reader.counts().n_images).unwrap();
    let mut clusters = Clusters::new(n);
    // Other vectors than those in the index.
    clusters.rng = StdRng::seed_from_u64(6);
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
