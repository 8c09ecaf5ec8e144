use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{RgbImage, imageops};
use sightline_onnx::Model;
use sightline_picture::{DecodeLimits, Smallest, decode, decode_reduced};

use crate::support::{data, image_tower};

#[test]
fn a_preprocessor_needs_twice_the_size_that_it_resizes_to() {
    let smallest = Model::starter().unwrap().preprocessor().smallest();
    assert_eq!(smallest, Smallest::shorter_side(2 * 288));
}

/// A photo as a phone would store it: enlarged by `factor`, with grain, at quality 90.
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

/// Loss of decoding at a reduced size: the cosine between the starter model's embeddings.
/// `benches/decode.rs` prints it for all sample photos at 12 megapixels.
#[test]
fn reduced_decoding_hardly_changes_embeddings() {
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
    let mut encoder = image_tower(&model);
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
