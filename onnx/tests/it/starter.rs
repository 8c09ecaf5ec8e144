use sightline_onnx::{ImageTower, Model, SessionOptions, TextRole, TextTower};
use sightline_picture::DecodeLimits;

use crate::support::{cosine, image_tower, nth_text_tower, runtime};

/// The shipped weights are int8, the golden embeddings come from the fp32 network.
const LEAST_COSINE: f64 = 0.99;

/// Of the other text tower, whose weights are the 4-bit blocks of its package in both networks.
const LEAST_COSINE_OF_BLOCKS: f64 = 0.9999;

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
    let golden = golden();
    let towers = [("texts", LEAST_COSINE), ("other", LEAST_COSINE_OF_BLOCKS)];
    for (n, (key, least_cosine)) in towers.into_iter().enumerate() {
        let mut encoder = nth_text_tower(&model, n);
        let texts = golden[key].as_array().unwrap();
        let words: Vec<&str> = texts
            .iter()
            .map(|entry| entry["text"].as_str().unwrap())
            .collect();
        let together = encoder.encode_as(TextRole::Query, &words).unwrap();
        for ((entry, words), embedding) in texts.iter().zip(words).zip(&together) {
            let expected = expected(entry);
            let alone = &encoder.encode_as(TextRole::Query, &[words]).unwrap()[0];
            for found in [embedding, alone] {
                let cosine = cosine(found.as_slice(), &expected);
                assert!(cosine >= least_cosine, "{words}: {cosine}");
            }
        }
        assert!(together.len() >= 9, "{}", together.len());
    }
}

#[test]
fn a_session_for_few_runs_gives_the_same_embeddings() {
    let model = Model::starter().unwrap();
    let few_runs = SessionOptions {
        few_runs: true,
        ..SessionOptions::default()
    };
    let is_near = |a: &[f32], b: &[f32]| {
        let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f32::max) <= 1e-6);
    };
    for n in 0..2 {
        let mut brief = TextTower::load_nth(&runtime(), &model, n, &few_runs).unwrap();
        let texts = ["a dog in the snow", "雪地里的狗", "x"];
        let embeddings = nth_text_tower(&model, n).encode(&texts).unwrap();
        let brief = brief.encode(&texts).unwrap();
        for (a, b) in embeddings.iter().zip(&brief) {
            is_near(a.as_slice(), b.as_slice());
        }
        assert_eq!(brief.len(), 3);
    }
    let bytes = fs_err::read(folder().join("golden/photo.jpg")).unwrap();
    let picture = sightline_picture::decode(&bytes, &DecodeLimits::default());
    let pixels = [model.preprocessor().pixels(&picture.unwrap())];
    let brief = ImageTower::load(&runtime(), &model, &few_runs)
        .unwrap()
        .encode(&pixels)
        .unwrap();
    let embedding = image_tower(&model).encode(&pixels).unwrap();
    is_near(embedding[0].as_slice(), brief[0].as_slice());
}

#[test]
fn the_other_tower_takes_texts_apart_as_its_package_does() {
    let model = Model::starter().unwrap();
    let encoder = nth_text_tower(&model, 1);
    let file = folder().join("golden-tokens.json");
    let golden: serde_json::Value =
        serde_json::from_str(&fs_err::read_to_string(file).unwrap()).unwrap();
    let prefix = golden["prefix"].as_str().unwrap();
    let texts = golden["texts"].as_array().unwrap();
    for entry in texts {
        let text = format!("{prefix}{}", entry["text"].as_str().unwrap());
        let expected: Vec<u32> = serde_json::from_value(entry["ids"].clone()).unwrap();
        assert_eq!(encoder.token_ids(&text).unwrap(), expected, "{text:?}");
    }
    assert!(texts.len() >= 200, "{}", texts.len());
}

#[test]
fn the_built_in_model_reads_sixteen_languages() {
    let model = Model::starter().unwrap();
    let towers = model.text_languages();
    assert_eq!(towers.iter().map(|tower| tower.len()).sum::<usize>(), 16);
    assert_eq!(towers[0], ["en".parse().unwrap()]);
}
