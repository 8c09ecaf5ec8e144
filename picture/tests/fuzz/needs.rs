use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb32FImage, RgbImage, RgbaImage};
use sightline_picture::{DecodeLimits, decode, memory_needed};

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
