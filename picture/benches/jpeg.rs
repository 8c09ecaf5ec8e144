//! Decoding a photo of 12 megapixels whole and at reduced sizes, against `jpeg-decoder`.
//!
//! `SIGHTLINE_BENCH_FILE=photo.jpg` writes the photo, for `python picture/benches/draft.py
//! photo.jpg`, which does the same with Pillow. `SIGHTLINE_BENCH_JPEG=photo.jpg` measures another.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot start may stop with a backtrace, and prints what it measures"
)]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use image::codecs::jpeg::JpegEncoder;
use image::imageops;
use sightline_picture::{DecodeLimits, Smallest, decode, decode_reduced};

const SIZE: (u16, u16) = (4000, 3000);

/// A sample photo, enlarged, with grain, at quality 90.
fn photo() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/photos/animals/cow.jpg");
    let photo = decode(&fs_err::read(path).unwrap(), &DecodeLimits::default()).unwrap();
    let (width, height) = (SIZE.0.into(), SIZE.1.into());
    let mut photo = imageops::resize(&photo, width, height, imageops::FilterType::CatmullRom);
    let mut state = 0x2026_1124_u64;
    for value in photo.iter_mut() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let grain = u8::try_from(state >> 61).unwrap();
        *value = value.saturating_add(grain).saturating_sub(4);
    }
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 90)
        .encode_image(&photo)
        .unwrap();
    bytes
}

fn decoding(c: &mut Criterion) {
    let limits = DecodeLimits::default();
    let jpeg = match std::env::var_os("SIGHTLINE_BENCH_JPEG") {
        Some(path) => fs_err::read(path).unwrap(),
        None => photo(),
    };
    if let Some(path) = std::env::var_os("SIGHTLINE_BENCH_FILE") {
        fs_err::write(path, &jpeg).unwrap();
    }
    println!("{} bytes", jpeg.len());
    let mut group = c.benchmark_group("12 megapixels");
    group.sample_size(20);
    for divisor in [1, 2, 4, 8] {
        let smallest = match divisor {
            1 => Smallest::whole(),
            _ => Smallest::longer_side(u32::from(SIZE.0) / divisor),
        };
        group.bench_function(format!("sightline 1/{divisor}"), |b| {
            b.iter(|| decode_reduced(black_box(&jpeg), &limits, smallest).unwrap());
        });
        group.bench_function(format!("jpeg-decoder 1/{divisor}"), |b| {
            let divisor = u16::try_from(divisor).unwrap();
            b.iter(|| {
                let mut decoder = jpeg_decoder::Decoder::new(black_box(jpeg.as_slice()));
                decoder.scale(SIZE.0 / divisor, SIZE.1 / divisor).unwrap();
                decoder.decode().unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decoding);
criterion_main!(benches);
