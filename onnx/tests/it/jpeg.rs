use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{RgbImage, imageops};
use sightline_onnx::picture::{DecodeLimits, Smallest, decode, decode_reduced};
use sightline_onnx::{ImageEncoder, Model, SessionOptions};

use crate::support::{data, runtime};

fn sample(name: &str) -> Vec<u8> {
    fs_err::read(data().join("pictures").join(name)).unwrap()
}

#[test]
fn a_large_jpeg_is_reduced_and_its_whole_size_is_told() {
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
    // Every other format comes out whole.
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

/// What the quick decoder does not read says the same at every size that is asked for.
#[test]
fn other_jpegs_and_broken_ones_go_to_the_general_decoder() {
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

#[test]
fn a_preprocessor_asks_for_twice_what_its_resize_makes() {
    let smallest = Model::starter().unwrap().preprocessor().smallest();
    assert_eq!(smallest, Smallest::shorter_side(2 * 260));
}

/// A photo as a telephone would store it: enlarged by `factor`, with grain, at quality 90.
fn enlarged(photo: &RgbImage, factor: u32) -> Vec<u8> {
    let (width, height) = photo.dimensions();
    let filter = imageops::FilterType::CatmullRom;
    let mut large = imageops::resize(photo, width * factor, height * factor, filter);
    let mut state = 0x2026_1124_u64;
    for value in large.iter_mut() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let grain = u8::try_from(state >> 61).unwrap();
        *value = value.saturating_add(grain).saturating_sub(4);
    }
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(Cursor::new(&mut bytes), 90)
        .encode_image(&large)
        .unwrap();
    bytes
}

/// Loss of decoding at a reduced size: the cosine between the embeddings that the starter model
/// gives. `benches/decode.rs` prints it for
/// all sample photos at 12 megapixels.
#[test]
fn what_a_model_sees_hardly_changes() {
    let photos = data().join("../../../tests/data/photos");
    let names = [
        "animals/macaw.jpg",
        "buildings/colosseum.jpg",
        "food/fig.jpg",
        "nature/forest_stream.jpg",
        "night/city_skyline.jpg",
        "people/orchestra.jpg",
    ];
    let model = Model::starter().unwrap();
    let preprocessor = model.preprocessor();
    let mut encoder = ImageEncoder::load(&runtime(), &model, &SessionOptions::default()).unwrap();
    let limits = DecodeLimits::default();
    let (mut worst, mut n_reduced) = (1.0_f32, 0);
    for name in names {
        let photo = decode(&fs_err::read(photos.join(name)).unwrap(), &limits).unwrap();
        let bytes = enlarged(&photo, 4);
        let whole = decode(&bytes, &limits).unwrap();
        let reduced = decode_reduced(&bytes, &limits, preprocessor.smallest()).unwrap();
        n_reduced += usize::from(reduced.image.width() < whole.width());
        let pixels = [&whole, &reduced.image].map(|picture| preprocessor.pixels(picture));
        let found = encoder.encode(&pixels).unwrap();
        let cosine = found[0].similarity(&found[1]);
        println!("{name}: {cosine}");
        worst = worst.min(cosine);
    }
    assert_eq!(n_reduced, names.len());
    assert!(worst >= 0.99, "{worst}");
}
