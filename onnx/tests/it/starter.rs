use sightline_onnx::Model;
use sightline_picture::DecodeLimits;

use crate::support::{cosine, image_tower, text_tower};

/// The shipped weights are int8, the golden embeddings come from the fp32 network.
const LEAST_COSINE: f64 = 0.99;

fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("starter")
}

fn golden() -> serde_json::Value {
    let file = folder().join("golden.json");
    serde_json::from_str(&fs_err::read_to_string(file).unwrap()).unwrap()
}

fn expected(entry: &serde_json::Value) -> Vec<f32> {
    serde_json::from_value(entry["embedding"].clone()).unwrap()
}

#[test]
fn the_built_in_model_equals_the_one_in_the_folder() {
    let built_in = Model::starter().unwrap();
    let on_disk = Model::open(&folder()).unwrap();
    assert_eq!(
        built_in.fingerprint(),
        on_disk.fingerprint(),
        "the files have changed: put the second one into onnx/src/starter.rs"
    );
    assert_eq!(built_in.name(), on_disk.name());
    assert_eq!(built_in.dimension(), on_disk.dimension());
    assert_eq!(built_in.preprocess(), on_disk.preprocess());
    assert_eq!(
        (built_in.folder(), built_in.license().is_some()),
        (None, true)
    );
}

#[test]
fn embeddings_of_pictures_equal_those_of_training() {
    let model = Model::starter().unwrap();
    let mut encoder = image_tower(&model);
    let golden = golden();
    let pictures = golden["pictures"].as_array().unwrap();
    let mut n_not_square = 0;
    let mut pixels = Vec::new();
    for entry in pictures {
        let bytes = fs_err::read(folder().join(entry["file"].as_str().unwrap())).unwrap();
        let picture = sightline_picture::decode(&bytes, &DecodeLimits::default()).unwrap();
        n_not_square += usize::from(picture.width() != picture.height());
        pixels.push(model.preprocessor().pixels(&picture));
    }
    let embeddings = encoder.encode(&pixels).unwrap();
    for (entry, embedding) in pictures.iter().zip(&embeddings) {
        let cosine = cosine(embedding.as_slice(), &expected(entry));
        assert!(cosine >= LEAST_COSINE, "{}: {cosine}", entry["file"]);
    }
    assert!(
        embeddings.len() >= 5 && n_not_square >= 4,
        "{} {n_not_square}",
        embeddings.len()
    );
}

#[test]
fn embeddings_of_texts_equal_those_of_training() {
    let model = Model::starter().unwrap();
    let mut encoder = text_tower(&model);
    let golden = golden();
    let texts = golden["texts"].as_array().unwrap();
    let words: Vec<&str> = texts
        .iter()
        .map(|entry| entry["text"].as_str().unwrap())
        .collect();
    let together = encoder.encode(&words).unwrap();
    for ((entry, words), embedding) in texts.iter().zip(words).zip(&together) {
        let expected = expected(entry);
        let alone = &encoder.encode(&[words]).unwrap()[0];
        for found in [embedding, alone] {
            let cosine = cosine(found.as_slice(), &expected);
            assert!(cosine >= LEAST_COSINE, "{words}: {cosine}");
        }
    }
    assert!(together.len() >= 5, "{}", together.len());
}
