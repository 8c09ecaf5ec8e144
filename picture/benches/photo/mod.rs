//! A large photo for benchmarks, also those of `onnx`.

use image::codecs::jpeg::JpegEncoder;
use image::{RgbImage, imageops};

/// Width and height of the photo in pixels.
pub(crate) const SIZE: (u16, u16) = (4000, 3000);

/// A photo enlarged to 12 megapixels in landscape format, with grain, at quality 90.
pub(crate) fn large(photo: &RgbImage) -> Vec<u8> {
    let (width, height) = (SIZE.0.into(), SIZE.1.into());
    let mut photo = imageops::resize(photo, width, height, imageops::FilterType::CatmullRom);
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
