//! Model folders as each exporter writes them, against the references that `make_layouts.py` ran.

use image::RgbImage;
use sightline_onnx::{ImageEncoder, Model, Precision, SessionOptions, TextEncoder};

use crate::golden::{decoded, differences};
use crate::support::{Tensors, copy_of, cosine, data, edit, runtime};

/// Folder, layout, dimension, precision-independent facts: context length and texts with golden ids.
const FOLDERS: [(&str, &str, usize, usize); 6] = [
    ("siglip", "transformers.js", 16, 14),
    ("siglip2", "transformers.js", 16, 14),
    ("chinese_clip", "transformers.js", 24, 14),
    ("immich", "Immich", 20, 13),
    ("mobileclip", "transformers.js", 24, 13),
    ("jina", "transformers.js", 24, 13),
];
const N_PICTURES: usize = 8;

fn golden() -> (serde_json::Value, Tensors) {
    let listing = fs_err::read_to_string(data().join("layouts.json")).unwrap();
    let tensors = Tensors::read(&data().join("layouts.safetensors"));
    (serde_json::from_str(&listing).unwrap(), tensors)
}

fn open(folder: &str) -> Model {
    Model::open(&data().join("layouts").join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"))
}

/// The pictures that a folder has golden tensors for.
fn pictures<'a>(tensors: &'a Tensors, folder: &str) -> Vec<(&'a str, RgbImage)> {
    let prefix = format!("{folder}/resized/");
    let names = tensors
        .names()
        .filter_map(|name| name.strip_prefix(&prefix));
    names.map(|name| (name, decoded(name))).collect()
}

#[test]
fn folders_are_understood_without_editing() {
    for (folder, layout, dimension, _) in FOLDERS {
        let model = open(folder);
        assert_eq!(model.layout(), layout, "{folder}");
        assert_eq!(model.dimension(), dimension, "{folder}");
        assert_eq!(model.context_length(), 16, "{folder}");
        assert_eq!(model.preprocess().output_size(), (32, 32), "{folder}");
        assert_eq!(model.precision(), Precision::Fp32, "{folder}");
    }
}

#[test]
fn pictures_are_resized_and_encoded_as_by_each_reference() {
    let (_, tensors) = golden();
    let (mut n_pictures, mut n_values, mut n_off_in_all) = (0, 0, 0);
    for (folder, ..) in FOLDERS {
        let model = open(folder);
        let preprocessor = model.preprocessor();
        let mut encoder =
            ImageEncoder::load(&runtime(), &model, &SessionOptions::default()).unwrap();
        for (name, picture) in pictures(&tensors, folder) {
            let key = format!("{folder}/resized/{name}");
            let resized = preprocessor.resized(&picture);
            assert_eq!(tensors.shape(&key), [32, 32, 3]);
            let (n_off, largest) = differences(resized.as_raw(), tensors.u8s(&key));
            assert!(
                n_off * 100 <= resized.len() && largest <= 3,
                "{key}: {n_off} off, up to {largest}"
            );
            n_values += resized.len();
            n_off_in_all += n_off;
            let embedding = encoder.encode(&[preprocessor.pixels(&picture)]).unwrap();
            let expected = tensors.f32s(&format!("{folder}/embedding/{name}"));
            let similarity = cosine(embedding[0].as_slice(), &expected);
            assert!(similarity >= 0.9999, "{folder} {name}: {similarity}");
            n_pictures += 1;
        }
    }
    // One picture is none for jina-clip's reference.
    assert_eq!(n_pictures, FOLDERS.len() * N_PICTURES - 1);
    assert!(
        n_off_in_all * 1000 <= n_values,
        "{n_off_in_all} of {n_values} values are off"
    );
}

#[test]
fn texts_have_the_ids_and_embeddings_of_each_reference() {
    let (listing, tensors) = golden();
    for (folder, _, _, n_texts) in FOLDERS {
        let model = open(folder);
        let mut encoder =
            TextEncoder::load(&runtime(), &model, &SessionOptions::default()).unwrap();
        let texts = listing[folder]["texts"].as_array().unwrap();
        assert_eq!(texts.len(), n_texts, "{folder}");
        let mut n_cut = 0;
        for golden in texts {
            // Only the longest text is left out of the listing.
            let long = "word ".repeat(10_000);
            let text = golden["text"].as_str().unwrap_or(&long);
            let ids: Vec<u32> = serde_json::from_value(golden["ids"].clone()).unwrap();
            let shown: String = text.chars().take(60).collect();
            assert_eq!(encoder.token_ids(text).unwrap(), ids, "{folder}: {shown:?}");
            let n_dropped = encoder.n_tokens_dropped(text).unwrap();
            assert_eq!(golden["n_dropped"], n_dropped, "{folder}: {shown:?}");
            n_cut += usize::from(n_dropped > 0);
            let expected = tensors.f32s(&format!("{folder}/text/{}", golden["number"]));
            let embedding = encoder.encode(&[text]).unwrap();
            let similarity = cosine(embedding[0].as_slice(), &expected);
            assert!(similarity >= 0.9999, "{folder} {shown:?}: {similarity}");
        }
        assert!(n_cut >= 2, "{folder}: {n_cut} texts were cut");
    }
}

#[test]
fn precisions_of_one_folder_agree_within_their_tolerance() {
    let folder = data().join("layouts/precisions");
    let all = [Precision::Fp32, Precision::Fp16, Precision::Int8];
    assert_eq!(Model::variants(&folder).unwrap(), all);
    let (_, tensors) = golden();
    let pictures = pictures(&tensors, "siglip");
    let texts = ["a dog", "two dogs play in the snow", ""];
    let mut vectors = Vec::new();
    for precision in all {
        let model = Model::open_with(&folder, Some(precision)).unwrap();
        assert_eq!(model.precision(), precision);
        let preprocessor = model.preprocessor();
        let options = SessionOptions::default();
        let mut images = ImageEncoder::load(&runtime(), &model, &options).unwrap();
        let mut words = TextEncoder::load(&runtime(), &model, &options).unwrap();
        let mut all = Vec::new();
        for (_, picture) in &pictures {
            all.extend(images.encode(&[preprocessor.pixels(picture)]).unwrap());
        }
        for text in texts {
            all.extend(words.encode(&[text]).unwrap());
        }
        vectors.push(all);
    }
    assert_eq!(vectors[0].len(), N_PICTURES + texts.len());
    for (n, bound) in [(1, 0.9999), (2, 0.99)] {
        for (plain, other) in vectors[0].iter().zip(&vectors[n]) {
            let similarity = cosine(plain.as_slice(), other.as_slice());
            assert!(similarity >= bound, "{:?}: {similarity}", all[n]);
        }
    }
    let fingerprints: Vec<String> = all
        .iter()
        .map(|&p| {
            Model::open_with(&folder, Some(p))
                .unwrap()
                .fingerprint()
                .to_owned()
        })
        .collect();
    assert!(fingerprints[0] != fingerprints[1] && fingerprints[1] != fingerprints[2]);
}

#[test]
fn what_no_file_says_is_asked_for_by_the_key_that_says_it() {
    // A kind of model that nobody knows: how its texts are filled up cannot be told.
    let folder = copy_of("layouts/mobileclip");
    edit(
        &folder.path().join("config.json"),
        "\"model_type\": \"clip\"",
        "\"model_type\": \"novel\"",
    );
    let graph = folder.path().join("onnx/text_model.onnx");
    fs_err::copy(data().join("clip/onnx/text_model.onnx"), &graph).unwrap();
    let cut = folder.path().join("tokenizer_config.json");
    edit(&cut, "\"model_max_length\": 16,", "");
    let config = folder.path().join("config.json");
    edit(&config, "\"max_position_embeddings\": 16", "");
    let error = Model::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("text.context_length"), "{error}");
    // The key in a manifest beside the other files is enough.
    fs_err::write(
        folder.path().join("sightline.toml"),
        "[text]\ncontext_length = 12\n",
    )
    .unwrap();
    let model = Model::open(folder.path()).unwrap();
    assert_eq!(model.context_length(), 12);
    assert_eq!(model.layout(), "transformers.js");
}
