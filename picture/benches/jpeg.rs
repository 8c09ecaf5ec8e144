//! Decoding a photo of 12 megapixels whole and at reduced sizes, against `jpeg-decoder`.
//!
//! `SIGHTLINE_BENCH_FILE=photo.jpg` writes the photo, for `python picture/benches/draft.py
//! photo.jpg`, which does the same with Pillow. `SIGHTLINE_BENCH_JPEG=photo.jpg` measures another.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot start may stop with a backtrace, and prints what it measures"
)]

mod photo;

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use photo::SIZE;
use sightline_picture::{DecodeLimits, Smallest, decode, decode_reduced};

/// A sample photo, enlarged.
fn enlarged() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/photos/animals/cow.jpg");
    let photo = decode(&fs_err::read(path).unwrap(), &DecodeLimits::default()).unwrap();
    photo::large(&photo)
}

fn decoding(c: &mut Criterion) {
    let limits = DecodeLimits::default();
    let jpeg = match std::env::var_os("SIGHTLINE_BENCH_JPEG") {
        Some(path) => fs_err::read(path).unwrap(),
        None => enlarged(),
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
