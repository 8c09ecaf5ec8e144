use image::imageops;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use sightline_picture::{DecodeLimits, Smallest, decode, decode_reduced};

use crate::data;

fn sample(name: &str) -> Vec<u8> {
    fs_err::read(data().join("pictures").join(name)).unwrap()
}

#[test]
fn a_large_jpeg_is_reduced_and_its_full_size_reported() {
    let limits = DecodeLimits::default();
    // 320 × 214 as stored.
    let bytes = sample("landscape_420.jpg");
    let cases = [
        (Smallest::whole(), (320, 214)),
        (Smallest::shorter_side(108), (320, 214)),
        (Smallest::shorter_side(107), (160, 107)),
        (Smallest::shorter_side(54), (80, 54)),
        (Smallest::longer_side(40), (40, 27)),
        (Smallest::both_sides(1, 28), (80, 54)),
    ];
    for (smallest, size) in cases {
        let decoded = decode_reduced(&bytes, &limits, smallest).unwrap();
        assert_eq!(decoded.image.dimensions(), size, "{smallest:?}");
        assert_eq!((decoded.width, decoded.height), (320, 214));
    }
    assert_eq!(cases.len(), 6);
    // Other formats are not reduced.
    let png = sample("rgb16.png");
    let decoded = decode_reduced(&png, &limits, Smallest::shorter_side(1)).unwrap();
    assert_eq!(decoded.image.dimensions(), (decoded.width, decoded.height));
}

#[test]
fn reduced_pictures_are_upright() {
    let limits = DecodeLimits::default();
    for n in 1..=8 {
        let bytes = sample(&format!("exif_{n}.jpg"));
        let whole = decode(&bytes, &limits).unwrap();
        let decoded = decode_reduced(&bytes, &limits, Smallest::shorter_side(1)).unwrap();
        let (width, height) = whole.dimensions();
        assert_eq!((decoded.width, decoded.height), (width, height), "{n}");
        let (small_width, small_height) = decoded.image.dimensions();
        assert_eq!(
            (small_width, small_height),
            (width.div_ceil(8), height.div_ceil(8)),
            "{n}"
        );
        let filter = imageops::FilterType::Triangle;
        let expected = imageops::resize(&whole, small_width, small_height, filter);
        let sum: u64 = expected
            .as_raw()
            .iter()
            .zip(decoded.image.as_raw())
            .map(|(&a, &b)| u64::from(a.abs_diff(b)))
            .sum();
        let mean = sum as f64 / expected.as_raw().len() as f64;
        assert!(mean < 16.0, "{n}: {mean}");
    }
}

#[test]
fn results_for_other_and_truncated_jpegs_do_not_depend_on_the_requested_size() {
    let limits = DecodeLimits::default();
    let mut n_cases = 0;
    for name in [
        "cmyk_adobe.jpg",
        "ycck_adobe.jpg",
        "cmyk_without_marker.jpg",
        "landscape_420.jpg",
        "progressive.jpg",
        "grey.jpg",
    ] {
        let bytes = sample(name);
        for (part, parts) in [(1, 3), (2, 3), (9, 10), (1, 1)] {
            let cut = &bytes[..bytes.len() * part / parts];
            let whole = decode(cut, &limits);
            let reduced = decode_reduced(cut, &limits, Smallest::shorter_side(8));
            match (whole, reduced) {
                (Ok(whole), Ok(reduced)) => {
                    assert_eq!((reduced.width, reduced.height), whole.dimensions());
                    let is_whole = reduced.image == whole;
                    assert_eq!(is_whole, name.contains("cmyk") || name.contains("ycck"));
                }
                (Err(whole), Err(reduced)) => assert_eq!(whole.to_string(), reduced.to_string()),
                (whole, reduced) => panic!("{name} {part}/{parts}: {whole:?} {reduced:?}"),
            }
            n_cases += 1;
        }
    }
    assert_eq!(n_cases, 24);
}

/// Optimized files of this encoder have one scan per component.
#[test]
fn separate_scans_of_subsampled_colours_are_decoded() {
    let limits = DecodeLimits::default();
    let photo = decode(&sample("landscape_420.jpg"), &limits).unwrap();
    let mut n_cases = 0;
    for sampling in [
        SamplingFactor::R_4_2_0,
        SamplingFactor::R_4_2_2,
        SamplingFactor::R_4_4_0,
        SamplingFactor::R_4_1_0,
    ] {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 90);
        encoder.set_sampling_factor(sampling);
        encoder.set_optimized_huffman_tables(true);
        encoder.encode(&photo, 320, 214, ColorType::Rgb).unwrap();
        let n_scans = bytes.windows(2).filter(|w| *w == [0xFF, 0xDA]).count();
        assert_eq!(n_scans, 3);
        let decoded = decode(&bytes, &limits).unwrap();
        let pairs = photo.iter().zip(decoded.iter());
        let sum: u64 = pairs.map(|(&a, &b)| u64::from(a.abs_diff(b))).sum();
        let mean = sum as f64 / photo.as_raw().len() as f64;
        assert!(mean < 10.0, "{sampling:?}: {mean}");
        n_cases += 1;
    }
    assert_eq!(n_cases, 4);
}
