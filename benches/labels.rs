//! Time to find captions where one text describes most of the pictures, as class labels do:
//! 20,000 and 100,000 pictures with `cargo bench --bench labels`, other numbers with
//! `cargo bench --bench labels -- 1000 5000`. The encoder is a fake and takes no time.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

use std::path::Path;
use std::time::Instant;

use image::RgbImage;
use sightline::engine::{
    By, Encoders, Engine, EngineError, ImageEncoder, Lane, ModelIdentity, SearchRequest,
    TextEncoder,
};
use sightline_index::{Binding, FileRecord, IndexWriter, ItemId, UnitVector};
use sightline_onnx::Pixels;

const DIMENSION: usize = 64;
/// Captions with texts of their own.
const N_OTHERS: usize = 100;
const N_HITS: usize = 10;
const N_RUNS: usize = 5;

/// No picture is encoded.
struct NoPictures;

impl ImageEncoder for NoPictures {
    fn prepare(&self, _: &RgbImage) -> Pixels {
        unreachable!("no picture is searched for")
    }

    fn encode_in(&self, _: Lane, _: &[Pixels]) -> Result<Vec<Vec<f32>>, EngineError> {
        Ok(Vec::new())
    }
}

/// A direction for each text, from its bytes.
struct HashedTexts;

impl TextEncoder for HashedTexts {
    fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        Ok(texts.iter().map(|text| direction(text)).collect())
    }

    fn n_tokens_dropped(&self, _: &str) -> Result<usize, EngineError> {
        Ok(0)
    }

    fn knows(&self, _: &str) -> Result<bool, EngineError> {
        Ok(true)
    }
}

fn direction(text: &str) -> Vec<f32> {
    let bytes = blake3::hash(text.as_bytes());
    let mut reader = blake3::Hasher::new_derive_key("labels");
    reader.update(bytes.as_bytes());
    let mut drawn = [0; DIMENSION];
    reader.finalize_xof().fill(&mut drawn);
    let values = drawn.map(|byte| f32::from(byte) - 127.5);
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.iter().map(|value| value / length).collect()
}

fn binding() -> Binding {
    Binding {
        dimension: DIMENSION,
        fingerprint: "labels".to_owned(),
        model: "labels".to_owned(),
    }
}

fn encoders() -> Encoders {
    let identity = ModelIdentity {
        name: "labels".to_owned(),
        fingerprint: "labels".to_owned(),
        dimension: DIMENSION,
    };
    Encoders::new(identity, Box::new(NoPictures), Box::new(HashedTexts))
}

fn fill(index: &Path, n_pictures: usize) {
    let mut writer = IndexWriter::open_or_create(index, &binding()).unwrap();
    let mut put = |number: usize, text: &str| {
        let mut hash = [1; 32];
        hash[..8].copy_from_slice(&number.to_le_bytes());
        let of_picture = UnitVector::new(direction(&number.to_string())).unwrap();
        let image: ItemId = writer.put_image(hash, 640, 480, of_picture).unwrap();
        let path = Path::new("/photos").join(format!("{number}.jpg"));
        let record = FileRecord {
            n_bytes: 1,
            modified_ns: 1,
            image,
            change: None,
        };
        writer.put_file(&path, record).unwrap();
        let caption = (text.to_owned(), UnitVector::new(direction(text)).unwrap());
        let source = path.with_extension("txt");
        writer
            .set_captions(Some(image), &source, vec![caption])
            .unwrap();
        if writer.n_pending() > 10_000 {
            writer.commit().unwrap();
        }
    };
    for number in 0..n_pictures {
        put(number, "a photo of a dog");
    }
    for number in 0..N_OTHERS {
        put(n_pictures + number, &format!("a photo of number {number}"));
    }
    writer.finish().unwrap();
}

fn main() {
    let asked = std::env::args().skip(1);
    let mut sizes: Vec<usize> = asked.filter_map(|argument| argument.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![20_000, 100_000];
    }
    for n_pictures in sizes {
        let folder = tempfile::tempdir().unwrap();
        let began = Instant::now();
        fill(folder.path(), n_pictures);
        let seconds = began.elapsed().as_secs_f64();
        println!("{n_pictures} pictures of one label: indexed in {seconds:.1} s");
        let engine = Engine::open(folder.path(), encoders());
        for by in [By::Meaning, By::Words, By::Both] {
            let request = SearchRequest {
                by,
                ..SearchRequest::text("a photo of a dog", N_HITS)
            };
            let mut times = Vec::new();
            for _ in 0..N_RUNS {
                let began = Instant::now();
                let hits = engine.search_captions(&request).unwrap();
                times.push(began.elapsed().as_secs_f64() * 1e3);
                assert_eq!(hits.len(), N_HITS);
            }
            let first = times[0];
            times.sort_by(f64::total_cmp);
            let median = times[N_RUNS / 2];
            println!("  by {by:?}: first {first:.1} ms, median of {N_RUNS} {median:.1} ms");
        }
    }
}
