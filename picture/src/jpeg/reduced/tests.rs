//! Against libjpeg-turbo's output, against itself, and on corrupt bytes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use image::RgbImage;

use super::{Detail, Reduced, Stop, decode, size};
use crate::DecodeLimits;
use crate::limits::Deadline;

const KINDS: [(&str, &[&str]); 7] = [
    ("444", &["baseline", "optimized", "progressive", "restart"]),
    ("422", &["baseline", "optimized", "progressive", "restart"]),
    ("420", &["baseline", "optimized", "progressive", "restart"]),
    ("440", &["baseline", "optimized", "progressive", "restart"]),
    ("411", &["baseline", "optimized", "progressive", "restart"]),
    ("grey", &["baseline", "progressive"]),
    ("rgb", &["baseline", "progressive", "scans"]),
];
const N_FILES: usize = 25;
const SIZE: (u32, u32) = (151, 107);

fn deadline(max_time: Duration) -> Deadline {
    DecodeLimits::default().with_max_time(max_time).deadline()
}

fn never() -> Deadline {
    deadline(Duration::MAX)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/jpeg")
}

/// All files as (sampling, kind, bytes).
fn files() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let all = KINDS.iter().flat_map(|&(sampling, kinds)| {
        kinds.iter().map(move |&kind| {
            let path = folder().join(format!("{sampling}_{kind}.jpg"));
            (sampling, kind, fs_err::read(path).unwrap())
        })
    });
    let all: Vec<_> = all.collect();
    assert_eq!(all.len(), N_FILES);
    all
}

fn exact(bytes: &[u8], divisor: u32) -> Reduced<'_> {
    decode(bytes, false, divisor, Detail::Exact, u64::MAX, never()).unwrap()
}

/// The mean difference, the largest, and the share of those that are at most 2.
fn difference(a: &[u8], b: &[u8]) -> (f64, u8, f64) {
    assert_eq!(a.len(), b.len());
    let all = a.iter().zip(b).map(|(&a, &b)| a.abs_diff(b));
    let sum: u64 = all.clone().map(u64::from).sum();
    let within = all.clone().filter(|&d| d <= 2).count();
    let n = a.len() as f64;
    (sum as f64 / n, all.max().unwrap(), within as f64 / n)
}

/// Means of squares with sides of `divisor` pixels; incomplete ones at the edges are left out.
fn box_filtered(picture: &RgbImage, divisor: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    RgbImage::from_fn(width / divisor, height / divisor, |x, y| {
        let mut sums = [0_u32; 3];
        for i in 0..divisor * divisor {
            let pixel = picture.get_pixel(x * divisor + i % divisor, y * divisor + i / divisor);
            for (sum, &value) in sums.iter_mut().zip(&pixel.0) {
                *sum += u32::from(value);
            }
        }
        let n = divisor * divisor;
        image::Rgb(sums.map(|sum| u8::try_from((sum + n / 2) / n).unwrap()))
    })
}

/// The luminance of red, green and blue.
fn luminance(rgb: &[u8]) -> Vec<u8> {
    let weigh = |pixel: &[u8]| {
        let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
        u8::try_from((299 * r + 587 * g + 114 * b + 500) / 1000).unwrap()
    };
    rgb.chunks_exact(3).map(weigh).collect()
}

#[test]
fn reduced_pictures_match_libjpeg_turbo() {
    let mut n_cases = 0;
    for (sampling, kind, bytes) in files() {
        assert_eq!(size(&bytes), Some(SIZE));
        for divisor in [2, 4, 8] {
            let ours = exact(&bytes, divisor);
            let path = folder().join(format!("{sampling}_{divisor}.png"));
            let reference = image::open(path).unwrap().into_rgb8();
            assert_eq!((ours.width, ours.height), reference.dimensions());
            let what = format!("{sampling} {kind} 1/{divisor}");
            if matches!(sampling, "422" | "440" | "411") {
                // libjpeg reduces both directions of the colours together and interpolates what is
                // then missing. Here each direction is reduced by itself, and the colours are
                // sharper. Luminance is the same, except where colours are clipped.
                let (ours, reference) = (luminance(&ours.rgb), luminance(&reference));
                let (mean, _, within) = difference(&ours, &reference);
                assert!(mean < 1.5 && within >= 0.979, "{what}: {mean} {within}");
            } else {
                let (mean, max, within) = difference(&ours.rgb, &reference);
                assert!(
                    mean < 0.15 && max <= 3 && within >= 0.998,
                    "{what}: {mean} {max} {within}"
                );
            }
            n_cases += 1;
        }
    }
    assert_eq!(n_cases, 3 * N_FILES);
}

#[test]
fn the_order_and_coding_of_coefficients_makes_no_difference() {
    let files = files();
    let mut n_cases = 0;
    for (sampling, kind, bytes) in &files {
        let (_, _, baseline) = files
            .iter()
            .find(|file| file.0 == *sampling && file.1 == "baseline")
            .unwrap();
        for (divisor, detail) in [
            (1, Detail::Exact),
            (2, Detail::Exact),
            (4, Detail::Exact),
            (4, Detail::Enough),
            (8, Detail::Exact),
            (8, Detail::Enough),
        ] {
            let shown = |bytes| {
                let found = decode(bytes, false, divisor, detail, u64::MAX, never());
                found.unwrap().rgb
            };
            assert!(
                shown(bytes) == shown(baseline),
                "{sampling} {kind} 1/{divisor} {detail:?}"
            );
            n_cases += 1;
        }
    }
    assert_eq!(n_cases, 6 * N_FILES);
}

/// The whole pictures are decoded by the general decoder.
#[test]
fn reduced_pictures_are_means_of_whole_ones() {
    let mut n_cases = 0;
    for (sampling, kind, bytes) in files() {
        if kind != "baseline" {
            continue;
        }
        let whole = crate::decode(&bytes, &DecodeLimits::default()).unwrap();
        for divisor in [2, 4, 8] {
            let expected = box_filtered(&whole, divisor);
            let ours = exact(&bytes, divisor);
            let ours = RgbImage::from_raw(ours.width, ours.height, ours.rgb).unwrap();
            // At the right and lower edge a mean may be of fewer pixels.
            let (width, height) = expected.dimensions();
            let ours = image::imageops::crop_imm(&ours, 0, 0, width, height).to_image();
            let (mean, max, _) = difference(&ours, &expected);
            // The general decoder interpolates subsampled colours, and clips before the mean is
            // taken.
            assert!(
                mean < 1.3 && max <= 25,
                "{sampling} 1/{divisor}: {mean} {max}"
            );
            n_cases += 1;
        }
    }
    assert_eq!(n_cases, 21);
}

#[test]
fn scans_that_a_size_does_not_need_are_skipped() {
    let path = folder().join("420_progressive.jpg");
    let bytes = fs_err::read(path).unwrap();
    let at = bytes
        .windows(2)
        .rposition(|pair| pair == [0xFF, 0xDA])
        .unwrap();
    let mut changed = bytes.clone();
    // The last scan refines luminance. Everything after its header is overwritten.
    let end = changed.len() - 2;
    for byte in &mut changed[at + 10..end] {
        *byte = 0xFE;
    }
    let whole = exact(&bytes, 8);
    assert!(exact(&changed, 8).rgb == whole.rgb);
    let half = decode(&changed, false, 2, Detail::Exact, u64::MAX, never());
    assert!(half.is_err() || half.unwrap().rgb != exact(&bytes, 2).rgb);
}

#[test]
fn memory_and_time_are_limited() {
    let (_, _, bytes) = files().swap_remove(0);
    let limited = |max_bytes, end| {
        let found = decode(&bytes, false, 2, Detail::Enough, max_bytes, end);
        found.map(|_| ())
    };
    // 76 × 54 pixels, and three planes of 19 × 14 blocks of 4 × 4 samples.
    let needed = 3 * 76 * 54 + 3 * 16 * 19 * 14;
    assert_eq!(limited(needed, never()), Ok(()));
    assert_eq!(limited(needed - 1, never()), Err(Stop::Memory));
    assert_eq!(limited(needed, deadline(Duration::ZERO)), Err(Stop::Late));
    let later = deadline(Duration::from_hours(1));
    assert_eq!(limited(needed, later), Ok(()));
}

#[test]
fn truncated_files_are_left_to_the_general_decoder() {
    let mut n_cases = 0;
    for (sampling, kind, bytes) in files() {
        for length in (0..bytes.len()).step_by(97) {
            let found = decode(
                &bytes[..length],
                false,
                4,
                Detail::Enough,
                u64::MAX,
                never(),
            );
            assert!(found.is_err(), "{sampling} {kind} {length}");
            n_cases += 1;
        }
    }
    assert!(n_cases > 2000, "{n_cases}");
}

/// Skipping a scan must not wait for the byte after 0xFF.
#[test]
fn progressive_files_that_end_in_0xff_are_left_to_the_general_decoder() {
    let mut n_cases = 0;
    for (sampling, kind, bytes) in files() {
        let scan = bytes
            .windows(2)
            .position(|pair| pair == [0xFF, 0xDA])
            .unwrap();
        for (at, &byte) in bytes.iter().enumerate().skip(scan) {
            if byte == 0xFF && kind == "progressive" {
                let cut = &bytes[..=at];
                let found = decode(cut, false, 4, Detail::Enough, u64::MAX, never());
                assert!(found.is_err(), "{sampling} {at}");
                n_cases += 1;
            }
        }
    }
    assert!(n_cases > 100, "{n_cases}");
}

#[test]
fn changed_files_cause_no_panic() {
    let (mut n_cases, mut n_shown) = (0, 0);
    let mut state = 0x2026_1124_u64;
    for (_, _, bytes) in files() {
        for round in 0..240 {
            let mut changed = bytes.clone();
            // Every second time only the headers are changed, where most can go wrong.
            let range = if round % 2 == 0 { 700 } else { changed.len() };
            for _ in 0..=round / 60 {
                // A fixed sequence of pseudo-random places (Knuth's MMIX constants).
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let at = usize::try_from(state >> 33).unwrap() % range;
                changed[at] = if state & 0x100 == 0 {
                    changed[at] ^ 1 << (state % 8)
                } else {
                    state.to_be_bytes()[7]
                };
            }
            let divisor = [1, 2, 4, 8][round % 4];
            let found = decode(&changed, false, divisor, Detail::Enough, 1 << 24, never());
            n_shown += usize::from(found.is_ok());
            n_cases += 1;
        }
    }
    assert_eq!(n_cases, 240 * N_FILES);
    assert!((100..n_cases - 100).contains(&n_shown), "{n_shown}");
}
