//! The cost of durable commits. `cargo bench -p sightline-index --bench durability` writes batches
//! like those of a commit to RocksDB with and without syncing, and complete commits for comparison.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

mod support;

use std::path::Path;
use std::time::Instant;

use rocksdb::{DB, Options, WriteBatch, WriteOptions};
use sightline_index::WriterOptions;
use support::{DIMENSION, at, hash, ms, open, put, unit};

const SIZES: [u32; 4] = [1, 16, 256, 1000];
const N_ROUNDS: u32 = 30;

fn vector(number: u32) -> Vec<f32> {
    let mut state = u64::from(number) + 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        f32::from(u16::try_from(state >> 48).unwrap()) / 32768.0 - 1.0
    };
    let values: Vec<f32> = (0..DIMENSION).map(|_| next()).collect();
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.iter().map(|value| value / length).collect()
}

fn path(number: u32) -> String {
    format!("/home/somebody/Pictures/2023/beach/IMG_{number:08}.jpg")
}

/// The records of `n` pictures: item, vector, hash, and path in both directions.
fn batch(first: u32, n: u32) -> WriteBatch {
    let mut batch = WriteBatch::default();
    for number in first..first + n {
        let key = number.to_be_bytes();
        let values: Vec<u8> = vector(number)
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        batch.put([b"i", &key[..]].concat(), [7; 42]);
        batch.put([b"v", &key[..]].concat(), values);
        batch.put([b"h", &hash(number)[..]].concat(), key);
        batch.put([b"f", path(number).as_bytes()].concat(), [7; 29]);
        batch.put([b"p", &key[..], path(number).as_bytes()].concat(), []);
    }
    batch
}

/// Milliseconds per round, at the median.
fn rounds(mut round: impl FnMut(u32)) -> f64 {
    let timed = |number| {
        let began = Instant::now();
        round(number);
        ms(began)
    };
    let mut took: Vec<f64> = (0..N_ROUNDS).map(timed).collect();
    took.sort_by(f64::total_cmp);
    at(&took, 0.5)
}

fn raw(dir: &Path, n: u32, sync: bool) -> f64 {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_write_buffer_size(512 << 20);
    let db = DB::open(&options, dir).unwrap();
    let batches: Vec<WriteBatch> = (0..N_ROUNDS).map(|round| batch(round * n, n)).collect();
    let mut batches = batches.into_iter();
    let mut how = WriteOptions::default();
    how.set_sync(sync);
    rounds(|_| db.write_opt(batches.next().unwrap(), &how).unwrap())
}

fn commits(dir: &Path, n: u32) -> f64 {
    let mut writer = open(dir, DIMENSION, WriterOptions::default());
    rounds(|round| {
        for number in round * n..(round + 1) * n {
            put(&mut writer, number, unit(vector(number)));
        }
        writer.commit().unwrap();
    })
}

fn main() {
    println!(
        "| items | batch, unsynced ms | batch, synced ms | whole commit ms | synced µs an item |"
    );
    println!("| --: | --: | --: | --: | --: |");
    for n in SIZES {
        let folder = tempfile::tempdir().unwrap();
        let unsynced = raw(&folder.path().join("unsynced"), n, false);
        let synced = raw(&folder.path().join("synced"), n, true);
        let commit = commits(&folder.path().join("index"), n);
        let per_item = 1e3 * synced / f64::from(n);
        println!("| {n} | {unsynced:.3} | {synced:.3} | {commit:.2} | {per_item:.0} |");
    }
}
