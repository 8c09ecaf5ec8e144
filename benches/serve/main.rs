//! The server under load, the real program over loopback on an index of 100,000 photos:
//! `cargo bench --bench serve -- FOLDER [texts|load|memory|depth]… [--program FILE] [--n PHOTOS]`.
//!
//! FOLDER keeps the index between runs. Without words behind it, all is measured: `texts` is the
//! time to encode queries alone and several in a run, `depth` is the
//! time of a text search in this process for lists of several lengths, `load` are requests per
//! second and their times for 1, 8 and 64 clients, idle and while the server indexes, and `memory`
//! is what the server holds after 10,000 and 100,000 requests.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]
#![expect(clippy::print_stderr, reason = "what the server says belongs to them")]

mod library;
mod load;
mod server;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use library::Samples;
use load::{Outcome, arriving, closed};
use server::{Server, cpu_ms};
use sightline::engine::{Encoders, Engine, LanguageHint, SearchRequest};
use sightline_onnx::{Runtime, RuntimeError};

const N_CLIENTS: [usize; 3] = [1, 8, 64];

/// How long requests arrive in each row.
const TIME: Duration = Duration::from_secs(15);

/// The share of what the server can do at most that arrives.
const SHARE: f64 = 0.5;

/// How long it is measured what the server can do at most.
const TIME_AT_MOST: Duration = Duration::from_secs(10);

struct Options {
    folder: PathBuf,
    wanted: Vec<String>,
    program: PathBuf,
    n: u32,
}

impl Options {
    fn read() -> Option<Self> {
        let mut all = std::env::args().skip(1).filter(|word| word != "--bench");
        let mut options = Self {
            folder: PathBuf::from(all.next()?),
            wanted: Vec::new(),
            program: PathBuf::from(env!("CARGO_BIN_EXE_sightline")),
            n: 100_000,
        };
        while let Some(word) = all.next() {
            match &*word {
                "--program" => options.program = PathBuf::from(all.next()?),
                "--n" => options.n = all.next()?.parse().ok()?,
                "texts" | "load" | "memory" | "depth" => options.wanted.push(word),
                _ => return None,
            }
        }
        Some(options)
    }

    fn wants(&self, what: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|wanted| wanted == what)
    }
}

fn runtime() -> Result<Runtime, RuntimeError> {
    let beside = std::env::current_exe().unwrap();
    let (before, after) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let name = format!("{before}onnxruntime{after}");
    let places: Vec<PathBuf> = beside
        .ancestors()
        .map(|folder| folder.join(&name))
        .collect();
    Runtime::open(&places)
}

fn main() {
    let Some(options) = Options::read() else {
        println!(
            "cargo bench --bench serve -- FOLDER [texts|load|memory|depth]… [--program FILE] [--n PHOTOS]"
        );
        return;
    };
    let encoders = Encoders::starter(runtime).unwrap();
    let samples = Samples::new(&encoders);
    let kept = options.folder.join(format!("index-{}", options.n));
    let (library, waiting) = (
        options.folder.join("library"),
        options.folder.join("waiting"),
    );
    if !kept.exists() {
        let began = Instant::now();
        let part = options.folder.join("part");
        let _ = fs_err::remove_dir_all(&part);
        samples.make_index(&part, &library, options.n);
        samples.make_waiting(&part, &waiting);
        fs_err::rename(&part, &kept).unwrap();
        println!("made the index in {:.0} s", began.elapsed().as_secs_f64());
    }
    let index = options.folder.join("served");
    let fresh = || {
        let _ = fs_err::remove_dir_all(&index);
        copy(&kept, &index);
    };
    fresh();
    if options.wants("texts") {
        texts(&samples, &encoders);
    }
    if options.wants("depth") {
        depth(&samples, &Engine::open(&index, encoders));
    }
    if options.wants("load") {
        load(&samples, &options.program, &index, &waiting);
        fresh();
    }
    if options.wants("memory") {
        memory(&samples, &options.program, &index);
    }
}

fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs_err::copy(entry.path(), to).unwrap();
        }
    }
}

/// Times of a query that is encoded alone, and with others in one run, in turn.
fn texts(samples: &Samples, encoders: &Encoders) {
    let sizes = [1, 2, 4, 8, 16];
    let mut sums = [(0.0, 0.0); 5];
    let (n_rounds, n_texts) = (10, 64);
    for round in 0..n_rounds {
        for (size, sum) in sizes.into_iter().zip(&mut sums) {
            let texts = (0..n_texts).map(|at| samples.text((1 << 43) + round * 64 + at));
            let texts: Vec<String> = texts.collect();
            let (began, cpu) = (Instant::now(), cpu_ms("self"));
            for run in texts.chunks(size) {
                let run: Vec<&str> = run.iter().map(String::as_str).collect();
                let tower = encoders.text(run[0], LanguageHint::default()).unwrap();
                assert_eq!(tower.encode_queries(&run).unwrap().len(), run.len());
            }
            sum.0 += began.elapsed().as_secs_f64() * 1e3;
            sum.1 += cpu_ms("self") - cpu;
        }
    }
    println!("| queries of a run | ms per query | CPU ms |");
    println!("| --: | --: | --: |");
    let n = (n_rounds * n_texts) as f64;
    for (size, (ms, cpu)) in sizes.into_iter().zip(sums) {
        println!("| {size} | {:.1} | {:.1} |", ms / n, cpu / n);
    }
    println!();
}

/// Times of new texts, warm, for lists of several lengths, of which 50 hits are read.
fn depth(samples: &Samples, engine: &Engine) {
    println!("| pictures of a list | p50 ms | p99 ms | CPU ms |");
    println!("| --: | --: | --: | --: |");
    let mut number = 1 << 40;
    for n in [50, 500, 2_000, 5_000, 10_000] {
        let mut outcome = Outcome::default();
        let mut cpu = 0.0;
        for at in 0..120 {
            if at == 20 {
                cpu = cpu_ms("self");
            }
            number += 1;
            let began = Instant::now();
            let request = SearchRequest::text(samples.text(number), n);
            let found = engine.find(&request).unwrap();
            let hits = found.hits(0..50).unwrap();
            assert_eq!(hits.len(), 50);
            if at >= 20 {
                outcome.ms.push(began.elapsed().as_secs_f64() * 1e3);
            }
        }
        outcome.ms.sort_by(f64::total_cmp);
        let cpu = (cpu_ms("self") - cpu) / 100.0;
        let (p50, p99) = (outcome.at(0.5), outcome.at(0.99));
        println!("| {n} | {p50:.1} | {p99:.1} | {cpu:.1} |");
    }
    println!();
}

fn search(text: &str) -> String {
    let mut query = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            query.push(byte.into());
        } else {
            let _ = write!(query, "%{byte:02X}");
        }
    }
    format!("/v1/search?limit=50&q={query}")
}

/// Searches for texts that were not asked for before.
fn load(samples: &Samples, program: &Path, index: &Path, waiting: &Path) {
    let server = Server::start(program, index);
    let address = &*server.address;
    let asked = |from: u64| move |number: u64| search(&samples.text(from + number));
    let mut from = 1 << 41;
    let mut next = || {
        from += 1 << 20;
        from
    };
    closed(address, 8, u64::MAX, Duration::from_secs(5), &asked(next()));
    println!(
        "| server | clients | most requests/s | CPU ms | requests/s | p50 ms | p95 ms | p99 ms | \
         failed |"
    );
    println!("| --- | --: | --: | --: | --: | --: | --: | --: | --: |");
    for is_indexing in [false, true] {
        let state = if is_indexing { "indexes" } else { "idle" };
        if is_indexing {
            start_to_index(&server, waiting);
        }
        for n_clients in N_CLIENTS {
            let cpu = server.cpu_ms();
            let most = closed(address, n_clients, u64::MAX, TIME_AT_MOST, &asked(next()));
            let cpu = (server.cpu_ms() - cpu) / most.ms.len() as f64;
            let rate = most.per_second * SHARE;
            let got = arriving(address, n_clients, rate, TIME, &asked(next()));
            println!(
                "| {state} | {n_clients} | {:.0} | {cpu:.1} | {:.0} | {:.1} | {:.1} | {:.1} | {} |",
                most.per_second,
                got.per_second,
                got.at(0.5),
                got.at(0.95),
                got.at(0.99),
                most.n_failed + got.n_failed
            );
        }
        let run = &server.ask("GET", "/v1/status", "")["indexing"];
        assert_eq!(
            run["running"].as_bool().unwrap_or(false),
            is_indexing,
            "{run}"
        );
        if is_indexing {
            println!("\nindexed meanwhile: {run}");
        }
    }
    println!();
}

fn start_to_index(server: &Server, waiting: &Path) {
    let folders = serde_json::json!({ "folders": [waiting] });
    server.ask("POST", "/v1/index", &folders.to_string());
    thread::sleep(Duration::from_secs(3));
}

/// A mixture of requests: of ten, one is a new text, five are known ones, two are pictures similar to
/// one, one is a picture and one is the state.
fn memory(samples: &Samples, program: &Path, index: &Path) {
    let server = Server::start(program, index);
    // Of three ids in a row, the second is that of a caption.
    let image = |number: u64| 1 + 3 * (number * 7_919 % 30_000);
    let ask = |number: u64| match number % 10 {
        0 => search(&samples.text((1 << 42) + number)),
        1..=5 => search(&samples.text(number * 7 % 20)),
        6 | 7 => format!("/v1/similar/{}?limit=50", image(number)),
        8 => format!("/v1/items/{}", image(number)),
        _ => "/v1/status".to_owned(),
    };
    println!("| requests | requests/s | failed | anonymous MB | mapped files MB | most MB |");
    println!("| --: | --: | --: | --: | --: | --: |");
    let (mut n_before, mut first) = (0, None);
    for n in [1_000, 10_000, 50_000, 100_000] {
        let got = closed(&server.address, 8, n - n_before, Duration::MAX, &|at| {
            ask(n_before + at)
        });
        let own = server.mb("RssAnon:");
        println!(
            "| {n} | {:.0} | {} | {own:.0} | {:.0} | {:.0} |",
            got.per_second,
            got.n_failed,
            server.mb("RssFile:"),
            server.mb("VmHWM:")
        );
        n_before = n;
        if n == 10_000 {
            first = Some(own);
        }
    }
    let grown = server.mb("RssAnon:") / first.unwrap();
    println!("\nanonymous memory from 10,000 to 100,000 requests: x {grown:.2}\n");
}
