//! Settings of RocksDB for vectors and for hashes of files: `cargo bench -p sightline-index --bench
//! tables -- 200000`, with the number of items. Each setting gets a database of its own, as
//! `records/store.rs` makes them otherwise, and is measured three times in turn with the others;
//! the shortest times are printed.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

mod support;

use std::path::Path;
use std::time::Instant;

use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompactionStyle, DBCompressionType, IteratorMode, Options,
    WriteBatch,
};
use support::{DIMENSION, arguments, hash, ms};

const N_ASKED: u32 = 20_000;
const CACHE_BYTES: usize = 32 << 20;

#[derive(Clone, Copy)]
struct Setting {
    block_kib: usize,
    has_bloom: bool,
    n_open: i32,
}

impl Setting {
    fn options(self, is_compressed: bool) -> Options {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_write_buffer_size(64 << 20);
        options.set_compression_type(if is_compressed {
            DBCompressionType::Lz4
        } else {
            DBCompressionType::None
        });
        options.set_compaction_style(DBCompactionStyle::Universal);
        options.set_level_zero_file_num_compaction_trigger(4);
        options.set_target_file_size_base(256 << 20);
        options.set_max_open_files(self.n_open);
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&Cache::new_lru_cache(CACHE_BYTES));
        blocks.set_block_size(self.block_kib << 10);
        if self.has_bloom {
            blocks.set_bloom_filter(10.0, false);
        }
        options.set_block_based_table_factory(&blocks);
        options
    }
}

fn fill(dir: &Path, options: &Options, n: u32, entry: impl Fn(u32) -> (Vec<u8>, Vec<u8>)) {
    let db = DB::open(options, dir).unwrap();
    for first in (0..n).step_by(1000) {
        let mut batch = WriteBatch::default();
        for number in first..n.min(first + 1000) {
            let (key, value) = entry(number);
            batch.put(key, value);
        }
        db.write(batch).unwrap();
    }
    db.flush().unwrap();
    db.wait_for_compact(&rocksdb::WaitForCompactOptions::default())
        .unwrap();
}

/// Times of opening in ms, of a key that exists, of one that does not and of a whole scan, and the
/// memory of open tables in kB.
fn measure(
    dir: &Path,
    options: &Options,
    (n, n_asked): (u32, u32),
    key: impl Fn(u32) -> Vec<u8>,
) -> [f64; 5] {
    let start = Instant::now();
    let db = DB::open_for_read_only(options, dir, false).unwrap();
    let open = ms(start);
    let asked = |start: Instant| ms(start) * 1e3 / f64::from(n_asked);
    let start = Instant::now();
    for number in 0..n_asked {
        assert!(db.get_pinned(key(number * 7919 % n)).unwrap().is_some());
    }
    let hit = asked(start);
    let start = Instant::now();
    for number in 0..n_asked {
        assert!(db.get_pinned(key(n + number)).unwrap().is_none());
    }
    let miss = asked(start);
    let start = Instant::now();
    let n_bytes: usize = db
        .iterator(IteratorMode::Start)
        .map(|entry| entry.unwrap().1.len())
        .sum();
    let scan = ms(start);
    assert!(n_bytes > 0);
    let memory = db.property_int_value("rocksdb.estimate-table-readers-mem");
    let memory = memory.unwrap().unwrap() as f64 / 1e3;
    [open, hit, miss, scan, memory]
}

fn compare(
    title: &str,
    settings: &[Setting],
    (n, n_asked): (u32, u32),
    entry: impl Fn(u32) -> (Vec<u8>, Vec<u8>),
) {
    let folder = tempfile::tempdir().unwrap();
    let is_compressed = title == "hashes";
    let dir = |at: usize| folder.path().join(at.to_string());
    for (at, setting) in settings.iter().enumerate() {
        fill(&dir(at), &setting.options(is_compressed), n, &entry);
    }
    let mut best = vec![[f64::INFINITY; 5]; settings.len()];
    for _ in 0..3 {
        for (at, setting) in settings.iter().enumerate() {
            let options = setting.options(is_compressed);
            let measured = measure(&dir(at), &options, (n, n_asked), |number| entry(number).0);
            for (best, measured) in best[at].iter_mut().zip(measured) {
                *best = best.min(measured);
            }
        }
    }
    for (setting, [open, hit, miss, scan, memory]) in settings.iter().zip(best) {
        let Setting {
            block_kib,
            has_bloom,
            n_open,
        } = setting;
        println!(
            "| {title} | {block_kib} KiB | {} | {n_open} | {open:.1} | {hit:.1} | {miss:.2} | \
             {scan:.0} | {memory:.0} |",
            if *has_bloom { "yes" } else { "no" },
        );
    }
}

fn main() {
    let n = arguments().first().map_or(20_000, |n| n.parse().unwrap());
    let n_asked = n.min(N_ASKED);
    println!(
        "| | block | bloom filter | open files | open ms | known µs | unknown µs | scan ms | \
         memory kB |"
    );
    println!("| --- | --: | --- | --: | --: | --: | --: | --: | --: |");
    let with = |block_kib, has_bloom, n_open| Setting {
        block_kib,
        has_bloom,
        n_open,
    };
    let vectors = [
        with(4, false, -1),
        with(16, false, -1),
        with(64, false, -1),
        with(16, false, 64),
        with(16, true, -1),
    ];
    compare("vectors", &vectors, (n, n_asked), |number| {
        let mut state = u64::from(number) + 1;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 32).to_le_bytes()
        };
        let value = (0..DIMENSION).flat_map(|_| next().into_iter().take(4));
        (number.to_be_bytes().to_vec(), value.collect())
    });
    let hashes = [with(4, false, -1), with(4, true, -1), with(16, true, -1)];
    compare("hashes", &hashes, (n, n_asked), |number| {
        (hash(number).to_vec(), number.to_be_bytes().to_vec())
    });
}
