//! Time of a search by scan and by graph. `cargo bench -p sightline-index` compares both at several
//! sizes; the size at which they are equal determines the smallest collection that gets a graph.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sightline_index::{
    Binding, FileRecord, IndexReader, IndexWriter, ItemKind, Nearest, UnitVector, WriterOptions,
};

const DIMENSION: usize = 384;
const N_CENTRES: usize = 400;
const N_QUERIES: usize = 64;

fn normal(rng: &mut StdRng) -> f32 {
    let (u, v) = (1.0 - rng.random::<f32>(), rng.random::<f32>());
    (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos()
}

/// A vector near one of the centres, as embeddings of similar photos are.
fn near_a_centre(centres: &[Vec<f32>], rng: &mut StdRng) -> UnitVector {
    let centre = rng.random_range(0..centres.len());
    let mut values: Vec<f32> = centres[centre]
        .iter()
        .map(|value| value + 0.5 * normal(rng))
        .collect();
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    for value in &mut values {
        *value /= length;
    }
    UnitVector::new(values).unwrap()
}

fn make_index(n: u32, centres: &[Vec<f32>], rng: &mut StdRng) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let binding = Binding {
        dimension: DIMENSION,
        fingerprint: "f00d".into(),
        model: "toy".into(),
    };
    let mut options = WriterOptions::default();
    options.min_graph_items = 1_000;
    let mut writer = IndexWriter::open_or_create_with(dir.path(), &binding, options).unwrap();
    for number in 0..n {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&number.to_be_bytes());
        let image = writer
            .put_image(hash, 1, 1, near_a_centre(centres, rng))
            .unwrap();
        let file = FileRecord {
            n_bytes: 1,
            modified_ns: 1,
            image,
            change: None,
        };
        writer
            .put_file(format!("/p/{number}.jpg").as_ref(), file)
            .unwrap();
        if number % 5_000 == 4_999 {
            writer.commit().unwrap();
        }
    }
    writer.finish().unwrap();
    dir
}

fn search(criterion: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(5);
    let centres: Vec<Vec<f32>> = (0..N_CENTRES)
        .map(|_| (0..DIMENSION).map(|_| normal(&mut rng)).collect())
        .collect();
    let mut group = criterion.benchmark_group("nearest 10");
    for n in [4_000, 10_000, 50_000] {
        let dir = make_index(n, &centres, &mut rng);
        let reader = IndexReader::open(dir.path(), None).unwrap();
        let queries: Vec<UnitVector> = (0..N_QUERIES)
            .map(|_| near_a_centre(&centres, &mut rng))
            .collect();
        for (name, how) in [
            ("scan", Nearest { exact: true, ef: 0 }),
            ("graph", Nearest::default()),
        ] {
            let mut next = 0;
            group.bench_function(BenchmarkId::new(name, n), |bencher| {
                bencher.iter(|| {
                    next = (next + 1) % N_QUERIES;
                    black_box(
                        reader
                            .nearest(ItemKind::Image, &queries[next], 10, &how)
                            .unwrap(),
                    )
                });
            });
        }
        let open = || black_box(IndexReader::open(dir.path(), None).unwrap());
        group.bench_function(BenchmarkId::new("open", n), |bencher| bencher.iter(open));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).without_plots();
    targets = search
}
criterion_main!(benches);
