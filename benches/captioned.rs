//! Finds photos by what they show and by what is written about them: `cargo bench --bench captioned
//! -- DATASET.jsonl`, with lines `{"image": path relative to the file, "captions": [five]}`.
//!
//! Four captions of each photo are indexed and the fifth is asked for, with the built-in model:
//! once with all captions, once with those of every second photo, and once with none. Prints R@1,
//! R@5 and R@10 of the photos with and without captions, and milliseconds per query.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Deserialize;
use sightline::engine::{By, Encoders, Engine, IndexRequest, SearchRequest, quietly};
use sightline_onnx::{Runtime, RuntimeError};

#[derive(Deserialize)]
struct Row {
    image: PathBuf,
    captions: Vec<String>,
}

fn runtime() -> Result<Runtime, RuntimeError> {
    let beside = std::env::current_exe().unwrap();
    let name = format!(
        "{}onnxruntime{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    let places: Vec<PathBuf> = beside
        .ancestors()
        .map(|folder| folder.join(&name))
        .collect();
    Runtime::open(&places)
}

fn main() {
    let dataset = std::env::args()
        .nth(1)
        .filter(|argument| !argument.starts_with("--"));
    let Some(dataset) = dataset.map(PathBuf::from) else {
        println!("give a data set: cargo bench --bench captioned -- DATASET.jsonl");
        return;
    };
    let folder = dataset.parent().unwrap().canonicalize().unwrap();
    let text = fs_err::read_to_string(&dataset).unwrap();
    let rows: Vec<Row> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (name, n_in_two) in [("no captions", 0), ("of every second photo", 1), ("all", 2)] {
        measure(&folder, &rows, name, n_in_two);
    }
}

/// Indexes the photos and the captions of `n_in_two` of every two photos, and asks for all.
fn measure(folder: &Path, rows: &[Row], name: &str, n_in_two: usize) {
    let place = tempfile::tempdir().unwrap();
    let photos = place.path().join("photos");
    let mut lines = String::new();
    for (row, at) in rows.iter().zip(0..) {
        let copy = photos.join(&row.image);
        fs_err::create_dir_all(copy.parent().unwrap()).unwrap();
        fs_err::hard_link(folder.join(&row.image), &copy)
            .or_else(|_| fs_err::copy(folder.join(&row.image), &copy).map(drop))
            .unwrap();
        if at % 2 < n_in_two {
            let captions = &row.captions[..row.captions.len() - 1];
            let line = serde_json::json!({"image": row.image, "captions": captions});
            lines += &line.to_string();
            lines.push('\n');
        }
    }
    let captions = photos.join("captions.jsonl");
    fs_err::write(&captions, lines).unwrap();
    let engine = Engine::open(
        place.path().join("index"),
        Encoders::starter(runtime).unwrap(),
    );
    let request = IndexRequest {
        folders: vec![photos.clone()],
        captions: vec![captions],
        ..IndexRequest::default()
    };
    let report = engine
        .index(&request, &mut |progress| quietly(progress))
        .unwrap();
    assert!(report.skipped.is_empty(), "{:?}", report.skipped);
    for by in [By::Meaning, By::Both] {
        let mut ranks: HashMap<bool, Vec<usize>> = HashMap::new();
        let began = Instant::now();
        for (row, at) in rows.iter().zip(0..) {
            let request = SearchRequest {
                by,
                ..SearchRequest::text(row.captions.last().unwrap(), 10)
            };
            let hits = engine.search(&request).unwrap();
            let own = photos.join(&row.image);
            let rank = hits.iter().position(|hit| hit.paths.contains(&own));
            let is_captioned = at % 2 < n_in_two;
            ranks
                .entry(is_captioned)
                .or_default()
                .push(rank.unwrap_or(usize::MAX));
        }
        let ms = began.elapsed().as_secs_f64() * 1e3 / rows.len() as f64;
        for (is_captioned, ranks) in ranks {
            let within = |k| {
                let n = ranks.iter().filter(|&&rank| rank < k).count();
                100.0 * n as f64 / ranks.len() as f64
            };
            println!(
                "captions: {name}; {by:?}; photos with captions: {is_captioned}; R@1/5/10 \
                 {:.1} / {:.1} / {:.1}; {ms:.1} ms per query",
                within(1),
                within(5),
                within(10)
            );
        }
    }
}
