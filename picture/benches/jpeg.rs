//! Decoding a photo of 12 megapixels whole and at reduced sizes, against `jpeg-decoder`; and photos
//! of 48 megapixels on all cores, as many at once as fit into a budget of memory.
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

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use image::codecs::jpeg::JpegEncoder;
use image::{ImageEncoder, RgbImage};
use photo::SIZE;
use sightline_picture::{
    DecodeLimits, Smallest, decode, decode_reduced, memory_needed, memory_needed_reduced,
};

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

/// A portrait of 48 megapixels, stored on its side: four photos of 12 side by side.
fn portrait() -> Vec<u8> {
    let photo = decode(&enlarged(), &DecodeLimits::default()).unwrap();
    let (width, height) = photo.dimensions();
    let four = RgbImage::from_fn(2 * width, 2 * height, |x, y| {
        *photo.get_pixel(x % width, y % height)
    });
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 90);
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    encoder.set_exif_metadata(exif.to_vec()).unwrap();
    encoder.encode_image(&four).unwrap();
    bytes
}

/// How many are decoded at once is decided by the estimate for the whole picture or for the reduced
/// one, within the memory that `index` gives to decoded pictures.
fn budget(c: &mut Criterion) {
    const BUDGET: u64 = 384 << 20;
    let limits = DecodeLimits::default();
    let jpeg = portrait();
    let smallest = Smallest::shorter_side(512);
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut group = c.benchmark_group("48 megapixels");
    group.sample_size(10);
    for (name, needed) in [
        ("whole", memory_needed(&jpeg)),
        ("reduced", memory_needed_reduced(&jpeg, smallest)),
    ] {
        let n_fit = usize::try_from(BUDGET / needed).unwrap();
        let n_threads = n_fit.clamp(1, n_cores);
        println!("{name}: {needed} bytes, {n_fit} fit, {n_threads} at once");
        group.throughput(Throughput::Elements(n_threads as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                std::thread::scope(|scope| {
                    for _ in 0..n_threads {
                        scope.spawn(|| decode_reduced(&jpeg, &limits, smallest).unwrap());
                    }
                });
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decoding, budget);
criterion_main!(benches);
