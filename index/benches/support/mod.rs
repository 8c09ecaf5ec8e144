//! What several benchmarks of the index share.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::path::Path;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sightline_index::{Binding, FileRecord, IndexWriter, UnitVector, WriterOptions};

/// Number of dimensions of the vectors in [`Clusters`].
pub(crate) const DIMENSION: usize = 512;

/// Vectors around centres, one for each 1,000 items, as photos of one subject are near each other.
pub(crate) struct Clusters {
    pub(crate) rng: StdRng,
    centres: Vec<Vec<f32>>,
}

impl Clusters {
    /// Centres for `n` items. Every seed of the vectors gives others around the same centres.
    pub(crate) fn new(n: usize, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(5);
        let centres = (0..n.div_ceil(1_000))
            .map(|_| (0..DIMENSION).map(|_| normal(&mut rng)).collect())
            .collect();
        let rng = StdRng::seed_from_u64(seed);
        Self { rng, centres }
    }

    pub(crate) fn next(&mut self) -> UnitVector {
        let centre = self.rng.random_range(0..self.centres.len());
        let values = self.centres[centre].iter();
        let values: Vec<f32> = values
            .map(|value| value + 0.5 * normal(&mut self.rng))
            .collect();
        unit(values)
    }
}

fn normal(rng: &mut StdRng) -> f32 {
    let (u, v) = (1.0 - rng.random::<f32>(), rng.random::<f32>());
    (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos()
}

/// The vector of this direction.
pub(crate) fn unit(mut values: Vec<f32>) -> UnitVector {
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    for value in &mut values {
        *value /= length;
    }
    UnitVector::new(values).unwrap()
}

/// Opens or creates an index for vectors of a dimension.
pub(crate) fn open(dir: &Path, dimension: usize, options: WriterOptions) -> IndexWriter {
    let binding = Binding {
        dimension,
        fingerprint: "f00d".into(),
        model: "bench".into(),
    };
    IndexWriter::open_or_create_with(dir, &binding, options).unwrap()
}

/// A hash of its own for each number, in no order, as hashes of files are.
pub(crate) fn hash(number: u32) -> [u8; 32] {
    let mut hash = [7; 32];
    hash[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
    hash
}

/// Adds a picture with a file.
pub(crate) fn put(writer: &mut IndexWriter, number: u32, vector: UnitVector) {
    let image = writer.put_image(hash(number), 640, 480, vector).unwrap();
    let file = FileRecord {
        n_bytes: 1,
        modified_ns: 2,
        image,
        change: None,
    };
    let path = format!("/home/somebody/Pictures/2023/beach/IMG_{number:08}.jpg");
    writer.put_file(path.as_ref(), file).unwrap();
}

/// Milliseconds since then.
pub(crate) fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// The value below which a share of the sorted values is.
pub(crate) fn at(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share).ceil().max(1.0);
    let place = sorted.iter().zip(1..).find(|(_, n)| f64::from(*n) >= place);
    place.map_or(f64::NAN, |(value, _)| *value)
}

/// A figure of this process from the kernel, such as `VmHWM:`, in MB.
pub(crate) fn resident_mb(name: &str) -> f64 {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    let kb = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kb.map_or(f64::NAN, |kb| kb * 1024.0 / 1e6)
}

/// The arguments behind `--`.
pub(crate) fn arguments() -> Vec<String> {
    let all = std::env::args().skip(1);
    all.filter(|argument| argument != "--bench").collect()
}
