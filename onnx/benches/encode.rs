//! Speed of the starter model: decoding, preprocessing, both towers, and loading them.
//!
//! ONNX Runtime is taken from `ORT_DYLIB_PATH`, else from a folder above the benchmark, as in the
//! tests.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot start may stop with a backtrace"
)]

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use sightline_onnx::{ImageTower, Model, Runtime, SessionOptions, TextTower};
use sightline_picture::DecodeLimits;

fn runtime() -> Runtime {
    let name = format!(
        "{}onnxruntime{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    let candidates: Vec<PathBuf> = match std::env::var_os("ORT_DYLIB_PATH") {
        Some(path) => vec![path.into()],
        None => std::env::current_exe()
            .unwrap()
            .ancestors()
            .skip(1)
            .map(|folder| folder.join(&name))
            .collect(),
    };
    Runtime::open(&candidates).unwrap()
}

/// 12 megapixels with soft colours, edges and some noise, like a photo from a phone.
fn photo() -> RgbImage {
    let byte = |value: u32| u8::try_from(value % 256).unwrap_or(0);
    RgbImage::from_fn(4000, 3000, |x, y| {
        let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) >> 28;
        let checker = (x / 311 + y / 257) % 2 * 60;
        Rgb([
            byte(x * 150 / 4000 + checker + noise),
            byte(y * 150 / 3000 + checker + noise),
            byte((x + y) * 150 / 7000 + noise),
        ])
    })
}

fn pictures(c: &mut Criterion) {
    let photo = photo();
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 85)
        .encode_image(&photo)
        .unwrap();
    let preprocessor = Model::starter().unwrap().preprocessor();
    let mut group = c.benchmark_group("12 megapixels");
    group.sample_size(20);
    group.bench_function("decode", |b| {
        b.iter(|| sightline_picture::decode(black_box(&jpeg), &DecodeLimits::default()).unwrap());
    });
    group.bench_function("preprocess", |b| {
        b.iter(|| preprocessor.pixels(black_box(&photo)));
    });
    group.finish();
}

fn towers(c: &mut Criterion) {
    let (runtime, model) = (runtime(), Model::starter().unwrap());
    let options = SessionOptions::default();
    let mut images = ImageTower::load(&runtime, &model, &options).unwrap();
    let mut texts = TextTower::load(&runtime, &model, &options).unwrap();
    let pixels = model.preprocessor().pixels(&photo());
    let mut group = c.benchmark_group("image tower");
    group.sample_size(10);
    for n in [1_usize, 8, 16] {
        group.throughput(Throughput::Elements(n as u64));
        let batch = vec![pixels.clone(); n];
        group.bench_function(format!("batch of {n}"), |b| {
            b.iter(|| images.encode(&batch).unwrap());
        });
    }
    group.finish();
    let mut group = c.benchmark_group("text tower");
    group.bench_function("query", |b| {
        b.iter(|| {
            texts
                .encode(black_box(&["two dogs run over a green meadow"]))
                .unwrap()
        });
    });
    let captions = vec!["two dogs run over a green meadow"; 64];
    group.sample_size(10).throughput(Throughput::Elements(64));
    group.bench_function("64 captions", |b| {
        b.iter(|| texts.encode(black_box(&captions)).unwrap());
    });
    group.finish();
    let mut group = c.benchmark_group("load");
    group.sample_size(10);
    group.bench_function("image tower", |b| {
        b.iter_batched(
            || (),
            |()| ImageTower::load(&runtime, &model, &options).unwrap(),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("text tower", |b| {
        b.iter_batched(
            || (),
            |()| TextTower::load(&runtime, &model, &options).unwrap(),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, pictures, towers);
criterion_main!(benches);
