//! Helpers: bindings, vectors from seeds, small indexes.

#[path = "../../../tests/it/support/copy.rs"]
mod copy;

use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sightline_index::{
    Binding, FileRecord, IndexReader, IndexWriter, ItemId, ItemKind, Near, Nearest, UnitVector,
    WriterOptions, check,
};

pub(crate) use copy::copy_folder;

pub(crate) const EXACT: Nearest = Nearest { exact: true, ef: 0 };

pub(crate) fn binding(dimension: usize) -> Binding {
    Binding {
        dimension,
        fingerprint: "f00d".into(),
        model: "toy".into(),
    }
}

/// Options with which a graph is built for at least `min_graph_items`.
pub(crate) fn with_graphs_from(min_graph_items: usize) -> WriterOptions {
    let mut options = WriterOptions::default();
    options.min_graph_items = min_graph_items;
    options
}

pub(crate) fn unit(mut values: Vec<f32>) -> UnitVector {
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    for value in &mut values {
        *value /= length;
    }
    UnitVector::new(values).unwrap()
}

/// A random number of the normal distribution (Box and Muller).
pub(crate) fn normal(rng: &mut StdRng) -> f32 {
    let (u, v) = (1.0 - rng.random::<f32>(), rng.random::<f32>());
    (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos()
}

/// A random unit vector, determined by the seed.
pub(crate) fn vector(dimension: usize, seed: u64) -> UnitVector {
    let mut rng = StdRng::seed_from_u64(seed);
    unit((0..dimension).map(|_| normal(&mut rng)).collect())
}

/// Vectors in clusters, as embeddings of photos are.
pub(crate) struct Clusters {
    rng: StdRng,
    centres: Vec<Vec<f32>>,
    spread: f32,
}

impl Clusters {
    pub(crate) fn new(dimension: usize, n_centres: usize, spread: f32, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let centres = (0..n_centres)
            .map(|_| (0..dimension).map(|_| normal(&mut rng)).collect())
            .collect();
        Self {
            rng,
            centres,
            spread,
        }
    }

    pub(crate) fn next(&mut self) -> UnitVector {
        let centre = self.rng.random_range(0..self.centres.len());
        let (rng, spread) = (&mut self.rng, self.spread);
        unit(
            self.centres[centre]
                .iter()
                .map(|value| value + spread * normal(rng))
                .collect(),
        )
    }
}

pub(crate) fn hash(number: u64) -> [u8; 32] {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    hash
}

pub(crate) fn photo(number: u64) -> PathBuf {
    PathBuf::from(format!("/photos/album{}/photo{number}.jpg", number % 7))
}

pub(crate) fn file(image: ItemId) -> FileRecord {
    FileRecord {
        n_bytes: 1000,
        modified_ns: 5,
        image,
        change: None,
    }
}

/// Adds an image with one file, both named by a number.
pub(crate) fn put_photo(writer: &mut IndexWriter, number: u64, vector: UnitVector) -> ItemId {
    let id = writer.put_image(hash(number), 640, 480, vector).unwrap();
    writer.put_file(&photo(number), file(id)).unwrap();
    id
}

pub(crate) fn ids(hits: &[Near]) -> Vec<u32> {
    hits.iter().map(|hit| hit.id.0).collect()
}

/// The answers of an index to a few vectors and words of each kind. Equal answers mean equal
/// indexes.
pub(crate) fn answers(dir: &Path, dimension: usize) -> Vec<String> {
    let reader = IndexReader::open(dir, None).unwrap();
    let mut answers = Vec::new();
    for kind in ItemKind::ALL {
        for seed in 0..5 {
            let query = vector(dimension, 1_000_000 + seed);
            let hits = reader.nearest(kind, &query, 10, &EXACT).unwrap();
            answers.push(format!("{hits:?}"));
        }
        for words in ["album3", "photo5 photo7", "caption 2"] {
            let found = reader.matching(kind, words, 1000).unwrap();
            answers.push(format!("{found:?}"));
        }
    }
    assert_eq!(answers.len(), 16);
    answers
}

pub(crate) fn assert_healthy(dir: &Path) {
    assert_eq!(check(dir).unwrap(), []);
}

/// An index of `n` photos with a caption each, and graphs if there are 50 or more.
pub(crate) fn make_index(dir: &Path, dimension: usize, n: u64) {
    let mut writer =
        IndexWriter::open_or_create_with(dir, &binding(dimension), with_graphs_from(50)).unwrap();
    for number in 0..n {
        let id = put_photo(&mut writer, number, vector(dimension, number));
        let caption = (
            format!("caption {number}"),
            vector(dimension, 5000 + number),
        );
        writer
            .set_captions(Some(id), Path::new("/photos/captions.jsonl"), vec![caption])
            .unwrap();
    }
    // So that there are tables.
    writer
        .compact(&mut |_| std::ops::ControlFlow::Continue(()))
        .unwrap();
    writer.finish().unwrap();
}
