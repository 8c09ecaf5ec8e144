use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb32FImage, RgbImage, RgbaImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use sightline_picture::{
    DecodeError, DecodeLimits, Smallest, decode, decode_reduced, memory_needed,
    memory_needed_reduced,
};

use crate::counted::{alone, counted};
use crate::samples;

/// Memory that does not depend on the picture's size, in bytes: tables and small buffers.
const CONSTANT_BYTES: u64 = 1 << 20;

#[test]
fn no_valid_file_takes_more_than_estimated() {
    let _alone = alone();
    let mut n_cases = 0;
    let mut failures = Vec::new();
    for (name, bytes) in samples().into_values().flatten() {
        let (decoded, took) = counted(|| decode(&bytes, &DecodeLimits::default()));
        if decoded.is_err() {
            continue;
        }
        let needed = memory_needed(&bytes);
        if took.memory > needed + CONSTANT_BYTES {
            failures.push(format!("{name}: {} bytes, {needed} estimated", took.memory));
        }
        n_cases += 1;
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(n_cases, 105 + 43);
}

/// The pictures are so large that constants do not matter.
#[test]
fn estimates_for_large_pictures_are_at_most_four_times_too_high() {
    let _alone = alone();
    let (width, height) = (1500, 1100);
    let colour = RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([x, y, x * y / 97].map(|v| u8::try_from(v % 256).unwrap()))
    });
    let colour = DynamicImage::ImageRgb8(colour);
    let mut transparent: RgbaImage = colour.to_rgba8();
    transparent
        .pixels_mut()
        .for_each(|pixel| pixel[3] = pixel[0]);
    let transparent = DynamicImage::ImageRgba8(transparent);
    let light: Rgb32FImage = colour.to_rgb32f();
    let light = DynamicImage::ImageRgb32F(light);
    let cases = [
        (ImageFormat::Png, colour.clone()),
        (ImageFormat::Png, transparent.clone()),
        (ImageFormat::Png, colour.to_rgb16().into()),
        (ImageFormat::Png, transparent.to_rgba16().into()),
        (ImageFormat::Png, colour.to_luma8().into()),
        (ImageFormat::Png, colour.to_luma16().into()),
        (ImageFormat::Png, transparent.to_luma_alpha8().into()),
        (ImageFormat::Png, transparent.to_luma_alpha16().into()),
        (ImageFormat::Jpeg, colour.clone()),
        (ImageFormat::Jpeg, colour.to_luma8().into()),
        (ImageFormat::Gif, transparent.clone()),
        (ImageFormat::WebP, colour.clone()),
        (ImageFormat::WebP, transparent.clone()),
        (ImageFormat::Bmp, colour.clone()),
        (ImageFormat::Tiff, colour.clone()),
        (ImageFormat::Tiff, colour.to_rgb16().into()),
        (ImageFormat::Pnm, colour.clone()),
        (ImageFormat::Qoi, transparent.clone()),
        (ImageFormat::Tga, colour.clone()),
        (ImageFormat::OpenExr, light.clone()),
        (ImageFormat::Hdr, light),
    ];
    let mut failures = Vec::new();
    for (n, (format, picture)) in cases.iter().enumerate() {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, *format).unwrap();
        let bytes = bytes.into_inner();
        let (decoded, took) = counted(|| decode(&bytes, &DecodeLimits::default()));
        assert_eq!(decoded.unwrap().dimensions(), (width, height));
        let needed = memory_needed(&bytes);
        if took.memory > needed + CONSTANT_BYTES || took.memory < needed / 4 {
            let pixels = picture.color();
            failures.push(format!(
                "{n}: {format:?} {pixels:?}: {}, {needed} estimated",
                took.memory
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(cases.len(), 21);
}

/// Large JPEGs by name: of all kinds that cameras write, and one that is only decoded whole.
fn large_jpegs() -> Vec<(&'static str, Vec<u8>)> {
    let (width, height) = (2400, 1800);
    let picture = RgbImage::from_fn(width.into(), height.into(), |x, y| {
        image::Rgb([x, y, x * y / 97].map(|v| u8::try_from(v % 256).unwrap()))
    });
    let made = |make: &dyn Fn(&mut Encoder<&mut Vec<u8>>)| {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 90);
        encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
        make(&mut encoder);
        encoder
            .encode(&picture, width, height, ColorType::Rgb)
            .unwrap();
        bytes
    };
    let plain = made(&|_| {});
    // Turned on its side: EXIF with the orientation alone.
    let exif = b"\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\
        \x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let turned = [&plain[..2], exif, &plain[2..]].concat();
    let cmyk: Vec<u8> = picture
        .pixels()
        .flat_map(|p| [p[0], p[1], p[2], 9])
        .collect();
    let mut inks = Vec::new();
    let encoder = Encoder::new(&mut inks, 90);
    encoder
        .encode(&cmyk, width, height, ColorType::Cmyk)
        .unwrap();
    vec![
        ("plain", plain),
        ("turned", turned),
        (
            "scans",
            made(&|encoder| encoder.set_optimized_huffman_tables(true)),
        ),
        (
            "progressive",
            made(&|encoder| encoder.set_progressive_scans(8)),
        ),
        ("inks", inks),
    ]
}

#[test]
fn large_jpegs_need_less_memory_when_they_are_reduced() {
    let _alone = alone();
    let mut n_cases = 0;
    for (name, bytes) in large_jpegs() {
        let whole = memory_needed(&bytes);
        for length in [900, 448, 224] {
            let smallest = Smallest::shorter_side(length);
            let needed = memory_needed_reduced(&bytes, smallest);
            let limits = DecodeLimits::default().with_max_bytes(needed);
            let (decoded, took) = counted(|| decode_reduced(&bytes, &limits, smallest));
            let label = format!("{name} at {length}: {} bytes of {needed}", took.memory);
            if name == "inks" {
                assert_eq!(needed, whole);
            } else {
                let decoded = decoded.unwrap();
                assert!(decoded.image.width() < decoded.width, "{label}");
                let factor = if name == "progressive" { 1 } else { 2 };
                assert!(factor * needed < whole, "{label}, {whole} whole");
            }
            assert!(took.memory <= needed + CONSTANT_BYTES, "{label}");
            n_cases += 1;
        }
    }
    assert_eq!(n_cases, 5 * 3);
}

/// An estimate for a reduced picture must not let a whole one through.
#[test]
fn a_jpeg_that_cannot_be_reduced_is_refused_at_the_smaller_estimate() {
    let _alone = alone();
    let (_, mut bytes) = large_jpegs().swap_remove(0);
    // A segment that only the general decoder skips.
    bytes.splice(2..2, *b"\xff\xf0\0\x04??");
    let smallest = Smallest::shorter_side(224);
    let needed = memory_needed_reduced(&bytes, smallest);
    let limits = DecodeLimits::default().with_max_bytes(needed);
    let error = decode_reduced(&bytes, &limits, smallest).unwrap_err();
    assert!(
        matches!(error, DecodeError::TooManyBytes { .. }),
        "{error:?}"
    );
    assert!(decode_reduced(&bytes, &DecodeLimits::default(), smallest).is_ok());
}
