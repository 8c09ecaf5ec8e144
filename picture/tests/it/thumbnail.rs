use image::RgbImage;
use sightline_picture::{DecodeError, DecodeLimits, decode, thumbnail};

use crate::data;

fn sample(name: &str) -> Vec<u8> {
    fs_err::read(data().join("pictures").join(name)).unwrap()
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    RgbImage::from_pixel(width, height, image::Rgb([10, 120, 10]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

#[test]
fn the_longer_side_is_limited_and_small_pictures_keep_their_size() {
    let limits = DecodeLimits::default();
    let cases = [
        ((900, 300), 480, (480, 160)),
        ((300, 901), 480, (160, 480)),
        ((480, 480), 480, (480, 480)),
        ((48, 31), 480, (48, 31)),
        ((1000, 1), 100, (100, 1)),
        ((7, 5), 0, (1, 1)),
    ];
    for ((width, height), max_side, expected) in cases {
        let made = thumbnail(&png(width, height), &limits, max_side).unwrap();
        assert_eq!((made.width, made.height), expected, "{width} × {height}");
        let shown = decode(&made.jpeg, &limits).unwrap();
        assert_eq!(shown.dimensions(), expected, "{width} × {height}");
        assert!(made.jpeg.starts_with(&[0xFF, 0xD8]));
    }
    assert_eq!(cases.len(), 6);
}

#[test]
fn thumbnails_are_upright_and_show_the_picture() {
    let limits = DecodeLimits::default();
    let mut n_cases = 0;
    for n in 1..=8 {
        let bytes = sample(&format!("exif_{n}.jpg"));
        let whole = decode(&bytes, &limits).unwrap();
        let side = whole.width().max(whole.height()) / 3;
        let made = thumbnail(&bytes, &limits, side).unwrap();
        assert_eq!(made.width > made.height, whole.width() > whole.height());
        let shown = decode(&made.jpeg, &limits).unwrap();
        let expected = image::imageops::thumbnail(&whole, made.width, made.height);
        let sum: u64 = expected
            .iter()
            .zip(shown.iter())
            .map(|(&a, &b)| u64::from(a.abs_diff(b)))
            .sum();
        let mean = sum as f64 / expected.as_raw().len() as f64;
        assert!(mean < 12.0, "exif_{n}: {mean}");
        n_cases += 1;
    }
    assert_eq!(n_cases, 8);
}

#[test]
fn errors_and_limits_are_those_of_decoding() {
    let error = |bytes: &[u8], limits: &DecodeLimits| thumbnail(bytes, limits, 480).unwrap_err();
    let limits = DecodeLimits::default();
    assert!(matches!(error(b"", &limits), DecodeError::Empty));
    assert!(matches!(
        error(b"no picture", &limits),
        DecodeError::NotAPicture
    ));
    let few = DecodeLimits::default().with_max_pixels(100);
    assert!(matches!(
        error(&png(20, 20), &few),
        DecodeError::TooLarge { .. }
    ));
}
