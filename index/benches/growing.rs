//! An index that is fed for years and asked all day. `cargo bench -p sightline-index --bench
//! growing` makes many small runs and counts what they leave, opens a large index, and measures
//! queries beside another process that commits. `runs`, `open` or `follow` behind `--` chooses one.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

mod support;

use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sightline_index::{
    IndexReader, IndexWriter, ItemKind, Nearest, SearchQuery, UnitVector, WriterOptions,
};
use support::{DIMENSION, arguments, at, hash, ms, open, put, resident_mb, unit};

const N_RUNS: u32 = 1000;
const N_LARGE: u32 = 200_000;
const N_FOLLOWED: u32 = 20_000;
const N_COMMITS: u32 = 500;

fn vector(number: u32) -> UnitVector {
    let mut state = u64::from(number) + 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        f32::from(u16::try_from(state >> 48).unwrap()) / 32768.0 - 1.0
    };
    let values: Vec<f32> = (0..DIMENSION).map(|_| next()).collect();
    unit(values)
}

fn begin(dir: &Path, graphs: bool) -> IndexWriter {
    let mut options = WriterOptions::default();
    if !graphs {
        options.min_graph_items = usize::MAX;
    }
    open(dir, DIMENSION, options)
}

fn fill(dir: &Path, n: u32, graphs: bool) {
    let mut writer = begin(dir, graphs);
    for number in 0..n {
        put(&mut writer, number, vector(number));
        if number % 1000 == 999 {
            writer.commit().unwrap();
        }
    }
    writer.finish().unwrap();
}

fn n_files(dir: &Path, folder: &str, extension: &str) -> usize {
    let entries = fs_err::read_dir(dir.join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| extension.is_empty() || path.extension().is_some_and(|e| e == extension))
        .count()
}

fn runs() {
    println!("| runs | ms per run | tables, most | logs, most | files of words | ms to open |");
    println!("| --: | --: | --: | --: | --: | --: |");
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (mut n_tables, mut n_logs, mut start) = (0, 0, Instant::now());
    for number in 0..N_RUNS {
        let mut writer = begin(dir, true);
        put(&mut writer, number, vector(number));
        writer.finish().unwrap();
        n_tables = n_tables.max(n_files(dir, "records", "sst"));
        n_logs = n_logs.max(n_files(dir, "records", "log"));
        if (number + 1) % (N_RUNS / 5) == 0 {
            let per_run = ms(start) / f64::from(N_RUNS / 5);
            let opened = Instant::now();
            drop(IndexReader::open(dir, None).unwrap());
            let opened = ms(opened);
            let n_words = n_files(dir, "words", "");
            let n = number + 1;
            println!("| {n} | {per_run:.1} | {n_tables} | {n_logs} | {n_words} | {opened:.1} |");
            start = Instant::now();
        }
    }
}

fn open_large() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let start = Instant::now();
    fill(dir, N_LARGE, false);
    println!("{N_LARGE} × {DIMENSION} put in {:.1} s", ms(start) / 1e3);
    let mut opened: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            drop(IndexReader::open(dir, None).unwrap());
            ms(start)
        })
        .collect();
    opened.sort_by(f64::total_cmp);
    let reader = IndexReader::open(dir, None).unwrap();
    let start = Instant::now();
    for number in 0..20_000 {
        let number = number * 7919 % N_LARGE;
        let id = reader.image_with_hash(&hash(number)).unwrap().unwrap();
        reader.vector(id).unwrap().unwrap();
    }
    let got = ms(start) / 20.0;
    let start = Instant::now();
    for number in 0..20_000 {
        assert!(
            reader
                .image_with_hash(&hash(N_LARGE + number))
                .unwrap()
                .is_none()
        );
    }
    let missed = ms(start) / 20.0;
    let start = Instant::now();
    let exact = Nearest { exact: true, ef: 0 };
    reader
        .nearest(ItemKind::Image, &vector(1), 10, &exact)
        .unwrap();
    println!(
        "{} tables; open {:.1} ms (median), image by hash with its vector {got:.1} µs, unknown \
         hash {missed:.2} µs, first scan of all vectors {:.0} ms",
        n_files(dir, "records", "sst"),
        at(&opened, 0.5),
        ms(start)
    );
}

/// Names the index for the child that commits.
const FOLDER: &str = "SIGHTLINE_BENCH_FOLLOWED";

fn commit_all_the_time(dir: &Path) {
    let mut writer = begin(dir, true);
    for number in N_FOLLOWED..N_FOLLOWED + N_COMMITS {
        put(&mut writer, number, vector(number));
        writer.commit().unwrap();
        if number % 50 == 0 {
            writer.finish().unwrap();
            writer = begin(dir, true);
        }
    }
}

/// Queries per second.
const RATE: u32 = 200;

/// The times of queries at a fixed rate until `is_done`, in milliseconds.
fn ask(view: impl Fn() -> Arc<IndexReader>, is_done: impl Fn(u32) -> bool) -> Vec<f64> {
    let mut took = Vec::new();
    let start = Instant::now();
    for n in 0.. {
        if is_done(n) {
            break;
        }
        let number = n * 7919 % N_FOLLOWED;
        let (vector, words) = (vector(number), format!("beach {number:08}"));
        let asked = Instant::now();
        let view = view();
        let found = view.search(&SearchQuery {
            kind: ItemKind::Image,
            vector: Some(&vector),
            words: Some(&words),
            n: 200,
            among: None,
            filter: None,
            nearest: Nearest::default(),
        });
        let found = found.unwrap();
        view.items(
            &found
                .iter()
                .take(10)
                .map(|found| found.id)
                .collect::<Vec<_>>(),
        )
        .unwrap();
        drop(view);
        took.push(ms(asked));
        let due = Duration::from_secs(1) * (n + 1) / RATE;
        thread::sleep(due.saturating_sub(start.elapsed()));
    }
    took.sort_by(f64::total_cmp);
    took
}

fn follow() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fill(dir, N_FOLLOWED, true);
    let current = Mutex::new(Arc::new(IndexReader::open(dir, None).unwrap()));
    let view = || Arc::clone(&current.lock().unwrap());
    println!("| | queries | p50 ms | p99 ms | longest ms | views | resident MB |");
    println!("| :-- | --: | --: | --: | --: | --: | --: |");
    let show = |name: &str, took: &[f64], n_views: u32| {
        println!(
            "| {name} | {} | {:.2} | {:.2} | {:.2} | {n_views} | {:.0} |",
            took.len(),
            at(took, 0.5),
            at(took, 0.99),
            at(took, 1.0),
            resident_mb("VmRSS:"),
        );
    };
    ask(view, |n| n == 2 * RATE);
    show("idle", &ask(view, |n| n == 10 * RATE), 0);
    let child = Command::new(std::env::current_exe().unwrap())
        .env(FOLDER, dir)
        .spawn();
    let child: Mutex<Child> = Mutex::new(child.unwrap());
    let is_done = AtomicBool::new(false);
    let (took, n_views) = thread::scope(|scope| {
        let following = scope.spawn(|| {
            let mut n_views = 0;
            while !is_done.load(Ordering::SeqCst) {
                if let Some(newer) = view().newer().unwrap() {
                    *current.lock().unwrap() = Arc::new(newer);
                    n_views += 1;
                }
                thread::sleep(Duration::from_millis(50));
            }
            n_views
        });
        let took = ask(view, |_| {
            child.lock().unwrap().try_wait().unwrap().is_some()
        });
        is_done.store(true, Ordering::SeqCst);
        (took, following.join().unwrap())
    });
    show("beside 500 commits", &took, n_views);
}

fn main() {
    if let Some(dir) = std::env::var_os(FOLDER) {
        return commit_all_the_time(Path::new(&dir));
    }
    let asked = arguments();
    let all: [(&str, fn()); 3] = [("runs", runs), ("open", open_large), ("follow", follow)];
    let is_asked = |name: &str| asked.iter().any(|asked| asked == name);
    let any = all.iter().any(|(name, _)| is_asked(name));
    for (name, bench) in all {
        if is_asked(name) || !any {
            bench();
        }
    }
}
