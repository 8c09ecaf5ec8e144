//! Decoding and preprocessing a photo of 12 megapixels, and what the starter model loses when it is
//! decoded at a reduced size. Decoding alone is measured by `picture/benches/jpeg.rs`.
//!
//! With `SIGHTLINE_BENCH_LOSS=1`, each sample photo is enlarged to 12 megapixels, and the cosine
//! between its embeddings from the whole and from the reduced picture is printed; this takes
//! minutes.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot start may stop with a backtrace, and prints what it measures"
)]

#[path = "../../picture/benches/photo/mod.rs"]
mod photo;

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, criterion_group, criterion_main};
use photo::large;
use sightline_onnx::{ImageTower, Model, Runtime, SessionOptions};
use sightline_picture::{DecodeLimits, Smallest};

fn photos() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/photos")
}

fn decoding(c: &mut Criterion) {
    let limits = DecodeLimits::default();
    let photo = fs_err::read(photos().join("animals/cow.jpg")).unwrap();
    let jpeg = large(&sightline_picture::decode(&photo, &limits).unwrap());
    let preprocessor = Model::starter().unwrap().preprocessor();
    let mut group = c.benchmark_group("12 megapixels");
    group.sample_size(20);
    let reduced =
        sightline_picture::decode_reduced(&jpeg, &limits, preprocessor.smallest()).unwrap();
    group.bench_function("pixels of the reduced picture", |b| {
        b.iter(|| preprocessor.pixels(black_box(&reduced.image)));
    });
    group.bench_function("decode reduced and prepare", |b| {
        b.iter(|| {
            let reduced =
                sightline_picture::decode_reduced(&jpeg, &limits, preprocessor.smallest());
            preprocessor.pixels(&reduced.unwrap().image)
        });
    });
    group.bench_function("decode whole and prepare", |b| {
        b.iter(|| preprocessor.pixels(&sightline_picture::decode(&jpeg, &limits).unwrap()));
    });
    group.finish();
}

/// The cosine between the embeddings of the whole and the reduced picture, for all sample photos.
fn loss(_: &mut Criterion) {
    if std::env::var_os("SIGHTLINE_BENCH_LOSS").is_none() {
        return;
    }
    let library = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
    let runtime = Runtime::open(&library.into_iter().collect::<Vec<_>>()).unwrap();
    let model = Model::starter().unwrap();
    let preprocessor = model.preprocessor();
    let mut encoder = ImageTower::load(&runtime, &model, &SessionOptions::default()).unwrap();
    let limits = DecodeLimits::default();
    let mut rules = [
        (
            "as small as the model allows",
            preprocessor.smallest(),
            Vec::new(),
        ),
        ("half of that", Smallest::shorter_side(288), Vec::new()),
    ];
    for folder in fs_err::read_dir(photos()).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        for file in fs_err::read_dir(folder).unwrap() {
            let bytes = fs_err::read(file.unwrap().path()).unwrap();
            let Ok(photo) = sightline_picture::decode(&bytes, &limits) else {
                continue;
            };
            let jpeg = large(&photo);
            let whole = preprocessor.pixels(&sightline_picture::decode(&jpeg, &limits).unwrap());
            let whole = encoder.encode(&[whole]).unwrap();
            for (_, smallest, cosines) in &mut rules {
                let reduced = sightline_picture::decode_reduced(&jpeg, &limits, *smallest).unwrap();
                assert!(reduced.image.width() < reduced.width);
                let reduced = preprocessor.pixels(&reduced.image);
                let reduced = encoder.encode(&[reduced]).unwrap();
                cosines.push(whole[0].similarity(&reduced[0]));
            }
        }
    }
    for (name, _, cosines) in rules {
        let mean = cosines.iter().sum::<f32>() / cosines.len() as f32;
        let worst = cosines.iter().copied().fold(1.0, f32::min);
        println!(
            "{name}: {} photos, cosine mean {mean:.5}, worst {worst:.5}",
            cosines.len()
        );
    }
}

criterion_group!(benches, decoding, loss);
criterion_main!(benches);
