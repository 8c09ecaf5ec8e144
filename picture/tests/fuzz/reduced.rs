use std::cell::Cell;
use std::mem::discriminant;

use image::{DynamicImage, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sightline_picture::{DecodeLimits, Smallest, decode, decode_reduced};

use crate::change::Change;
use crate::counted::alone;
use crate::samples;

/// The largest mean difference of one file, in steps of 255, and the mean over all files at 1/2,
/// 1/4 and 1/8. The general decoder interpolates subsampled colours and clips before the mean is
/// taken; at 1/4 the reduced one uses only the lowest frequencies of luminance.
const MAX_DIFFERENCE: f64 = 4.0;
const MEAN_DIFFERENCE: [f64; 3] = [0.6, 0.9, 0.6];

const SAMPLINGS: [SamplingFactor; 8] = [
    SamplingFactor::R_4_4_4,
    SamplingFactor::R_4_4_0,
    SamplingFactor::R_4_4_1,
    SamplingFactor::R_4_2_2,
    SamplingFactor::R_4_2_0,
    SamplingFactor::R_4_2_1,
    SamplingFactor::R_4_1_1,
    SamplingFactor::R_4_1_0,
];

/// How a JPEG is stored.
#[derive(Debug, Clone)]
enum Storage {
    /// With this many units between restart markers; 0 for none.
    Sequential { restart_interval: u16 },
    /// With Huffman tables of its own, in one scan per component.
    Optimized,
    /// Progressively, with this many scans per component.
    Progressive { n_scans: u8 },
}

impl Storage {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            Just(Self::Sequential {
                restart_interval: 0
            }),
            (1..12u16).prop_map(|restart_interval| Self::Sequential { restart_interval }),
            Just(Self::Optimized),
            // The encoder writes invalid scans when there are more.
            (2..=33u8).prop_map(|n_scans| Self::Progressive { n_scans }),
        ]
    }
}

/// A JPEG to encode: a part of a photo, and how it is stored.
#[derive(Debug, Clone)]
struct Jpeg {
    size: (u16, u16),
    corner: (u16, u16),
    quality: u8,
    is_grey: bool,
    sampling: usize,
    storage: Storage,
}

impl Jpeg {
    fn any() -> impl Strategy<Value = Self> {
        let picture = ((1..200u16, 1..200u16), any::<(u16, u16)>());
        let coding = (20..=100u8, prop::bool::weighted(0.15), 0..SAMPLINGS.len());
        (picture, coding, Storage::any()).prop_map(|(picture, coding, storage)| Self {
            size: picture.0,
            corner: picture.1,
            quality: coding.0,
            is_grey: coding.1,
            sampling: coding.2,
            storage,
        })
    }

    fn encode(&self, photo: &RgbImage) -> Vec<u8> {
        let (width, height) = self.size;
        let (left, top) = (u32::from(self.corner.0), u32::from(self.corner.1));
        // The photo is repeated, which also makes sharp edges.
        let part = RgbImage::from_fn(width.into(), height.into(), |x, y| {
            *photo.get_pixel((left + x) % photo.width(), (top + y) % photo.height())
        });
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, self.quality);
        encoder.set_sampling_factor(SAMPLINGS[self.sampling]);
        match self.storage {
            Storage::Sequential { restart_interval } => {
                encoder.set_restart_interval(restart_interval);
            }
            Storage::Optimized => encoder.set_optimized_huffman_tables(true),
            Storage::Progressive { n_scans } => encoder.set_progressive_scans(n_scans),
        }
        let result = if self.is_grey {
            let grey = DynamicImage::ImageRgb8(part).into_luma8();
            encoder.encode(&grey, width, height, ColorType::Luma)
        } else {
            encoder.encode(&part, width, height, ColorType::Rgb)
        };
        result.unwrap();
        bytes
    }
}

/// Asks for a picture of this size at 1/`divisor`, and returns the divisor that results: tiny
/// pictures may be reduced further.
fn smallest((width, height): (u32, u32), divisor: u32) -> (Smallest, u32) {
    let side = width.min(height);
    let least = side.div_ceil(divisor);
    let found = [8, 4, 2].into_iter().find(|&d| side.div_ceil(d) >= least);
    (Smallest::shorter_side(least), found.unwrap_or(1))
}

/// The mean difference, in steps of 255, between a reduced picture and the means of squares of the
/// whole one. Incomplete squares at the edges are left out; `None` when there are no others.
fn difference(whole: &RgbImage, reduced: &RgbImage, divisor: u32) -> Option<f64> {
    let (columns, rows) = (whole.width() / divisor, whole.height() / divisor);
    let n_pixels = divisor * divisor;
    let mut sum = 0.0;
    for (x, y) in (0..rows).flat_map(|y| (0..columns).map(move |x| (x, y))) {
        let mut sums = [0u32; 3];
        for n in 0..n_pixels {
            let pixel = whole.get_pixel(x * divisor + n % divisor, y * divisor + n / divisor);
            for (sum, &value) in sums.iter_mut().zip(&pixel.0) {
                *sum += u32::from(value);
            }
        }
        for (total, &value) in sums.iter().zip(&reduced.get_pixel(x, y).0) {
            sum += (f64::from(*total) / f64::from(n_pixels) - f64::from(value)).abs();
        }
    }
    (columns * rows > 0).then(|| sum / f64::from(3 * columns * rows))
}

fn runner(cases: u32) -> TestRunner {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]))
}

fn photo() -> RgbImage {
    let jpegs = samples().remove("jpg").unwrap();
    let mut jpegs = jpegs.iter();
    let (_, bytes) = jpegs.find(|(name, _)| name == "landscape_420.jpg").unwrap();
    decode(bytes, &DecodeLimits::default()).unwrap()
}

#[test]
fn reduced_pictures_are_means_of_whole_ones() {
    let _alone = alone();
    let photo = photo();
    let limits = DecodeLimits::default();
    let sums = [(); 3].map(|()| Cell::new((0.0, 0u32)));
    let outcome = runner(500).run(&Jpeg::any(), |jpeg| {
        let bytes = jpeg.encode(&photo);
        let whole = decode(&bytes, &limits).unwrap();
        for (n, sums) in sums.iter().enumerate() {
            let (smallest, divisor) = smallest(whole.dimensions(), 2 << n);
            let reduced = decode_reduced(&bytes, &limits, smallest).unwrap();
            prop_assert_eq!((reduced.width, reduced.height), whole.dimensions());
            let (width, height) = whole.dimensions();
            let size = (width.div_ceil(divisor), height.div_ceil(divisor));
            let is_whole = reduced.image == whole;
            // What the encoder writes for some restart intervals only the general one decodes.
            prop_assert!(reduced.image.dimensions() == size || is_whole);
            if !is_whole && let Some(mean) = difference(&whole, &reduced.image, divisor) {
                prop_assert!(mean <= MAX_DIFFERENCE, "1/{}: {}", divisor, mean);
                let (sum, count) = sums.get();
                sums.set((sum + mean, count + 1));
            }
        }
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    for ((sum, count), most) in sums.map(Cell::into_inner).into_iter().zip(MEAN_DIFFERENCE) {
        let mean = sum / f64::from(count);
        assert!(count >= 400 && mean <= most, "{count} files, {mean}");
    }
}

#[test]
fn changed_files_have_the_same_size_or_error_when_reduced() {
    let _alone = alone();
    let photo = photo();
    let limits = DecodeLimits::default().with_max_pixels(1 << 20);
    let (n_failed, n_reduced, n_differ) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let n_only_whole_failed = Cell::new(0);
    let more = |count: &Cell<u32>| count.set(count.get() + 1);
    let cases = (Jpeg::any(), Change::any(), 0..3usize);
    let outcome = runner(1000).run(&cases, |(jpeg, change, n)| {
        let bytes = change.apply(&jpeg.encode(&photo));
        let whole = decode(&bytes, &limits);
        let size = whole.as_ref().map_or((8, 8), RgbImage::dimensions);
        let (smallest, divisor) = smallest(size, 2 << n);
        match (whole, decode_reduced(&bytes, &limits, smallest)) {
            (Ok(whole), Ok(reduced)) => {
                prop_assert_eq!((reduced.width, reduced.height), whole.dimensions());
                if reduced.image != whole {
                    more(&n_reduced);
                    let mean = difference(&whole, &reduced.image, divisor);
                    if mean.is_some_and(|mean| mean > MAX_DIFFERENCE) {
                        more(&n_differ);
                    }
                }
            }
            (Err(whole), Err(reduced)) => {
                more(&n_failed);
                prop_assert_eq!(discriminant(&whole), discriminant(&reduced));
            }
            // The change is in what the reduced size does not need, as the end of a progressive
            // file is not.
            (Err(_), Ok(_)) => more(&n_only_whole_failed),
            (Ok(_), Err(error)) => prop_assert!(false, "{}", error.reason()),
        }
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    let (n_failed, n_reduced) = (n_failed.get(), n_reduced.get());
    assert!(n_failed > 300 && n_reduced > 50, "{n_failed} {n_reduced}");
    // Clipped values differ more.
    assert!(
        n_differ.get() <= n_reduced / 20,
        "{n_differ:?} of {n_reduced}"
    );
    let n_only_whole_failed = n_only_whole_failed.get();
    assert!(
        n_only_whole_failed <= n_failed / 20,
        "{n_only_whole_failed} beside {n_failed}"
    );
}
