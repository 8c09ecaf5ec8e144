//! Models whose towers are in two folders, each read by its own layout.

use std::path::Path;

use serde_json::Value;
use sightline_onnx::{Model, TextRole};

use crate::golden::decoded;
use crate::support::{Tensors, copy_folder, cosine, data, image_tower, text_tower};

/// One case: the folders of the towers, what the manifest says besides, the names of the golden
/// vectors.
struct Pair {
    image: &'static str,
    text: &'static str,
    manifest: &'static str,
    of_image: &'static str,
    of_text: &'static str,
    role: Option<TextRole>,
}

const PAIRS: [Pair; 7] = [
    Pair {
        image: "clip-vision",
        text: "clip-text",
        manifest: "",
        of_image: "clip-vision",
        of_text: "clip-text",
        role: None,
    },
    // No prompts are named, so every role is the same.
    Pair {
        image: "clip-vision",
        text: "multilingual-text",
        manifest: "",
        of_image: "clip-vision",
        of_text: "multilingual-text",
        role: Some(TextRole::Query),
    },
    Pair {
        image: "nomic-vision",
        text: "nomic-text",
        manifest: "image.pool = \"cls\"",
        of_image: "nomic-vision",
        of_text: "nomic-text, query",
        role: Some(TextRole::Query),
    },
    Pair {
        image: "nomic-vision",
        text: "nomic-text",
        manifest: "image.pool = \"cls\"",
        of_image: "nomic-vision",
        of_text: "nomic-text, caption",
        role: Some(TextRole::Caption),
    },
    Pair {
        image: "nomic-vision",
        text: "nomic-text",
        manifest: "image.pool = \"mean\"\nimage.layer_norm = true\ntext.layer_norm = true",
        of_image: "nomic-vision, mean with layer norm",
        of_text: "nomic-text, layer norm",
        role: None,
    },
    // As nomic's model cards have it.
    Pair {
        image: "nomic-vision",
        text: "nomic-text",
        manifest: "image.pool = \"cls\"\ntext.layer_norm = true",
        of_image: "nomic-vision",
        of_text: "nomic-text, layer norm",
        role: None,
    },
    // The manifest's own words take the place of the folder's.
    Pair {
        image: "nomic-vision",
        text: "nomic-text",
        manifest: "image.pool = \"cls\"\ntext.query_prefix = \"search_document: \"",
        of_image: "nomic-vision",
        of_text: "nomic-text, caption",
        role: Some(TextRole::Query),
    },
];

fn joined(pair: &Pair) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in [pair.image, pair.text] {
        copy_folder(&data().join("pairs").join(name), &folder.path().join(name));
    }
    let Pair {
        image,
        text,
        manifest,
        ..
    } = pair;
    let manifest = format!("{manifest}\nimage.folder = \"{image}\"\ntext.folder = \"{text}\"\n");
    fs_err::write(folder.path().join("sightline.toml"), manifest).unwrap();
    folder
}

fn golden() -> (Value, Tensors) {
    let listing = fs_err::read(data().join("pairs.json")).unwrap();
    (
        serde_json::from_slice(&listing).unwrap(),
        Tensors::read(&data().join("pairs.safetensors")),
    )
}

fn open(folder: &Path) -> Model {
    Model::open(folder).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn towers_of_two_folders_give_the_vectors_of_the_reference() {
    let (listing, tensors) = golden();
    let texts: Vec<String> = serde_json::from_value(listing["texts"].clone()).unwrap();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let pictures: Vec<String> = serde_json::from_value(listing["pictures"].clone()).unwrap();
    let (mut n_texts, mut n_pictures, mut failures) = (0, 0, Vec::new());
    for pair in &PAIRS {
        let name = format!("{} and {}", pair.of_image, pair.of_text);
        let folder = joined(pair);
        let model = open(folder.path());
        let mut tower = text_tower(&model);
        let found = match pair.role {
            Some(role) => tower.encode_as(role, &texts).unwrap(),
            None => tower.encode(&texts).unwrap(),
        };
        let expected = tensors.f32s(pair.of_text);
        for ((text, found), expected) in texts
            .iter()
            .zip(&found)
            .zip(expected.chunks_exact(model.dimension()))
        {
            let similarity = cosine(found.as_slice(), expected);
            if similarity < 0.9999 {
                failures.push(format!("{name}: {text:.30?}: {similarity}"));
            }
            n_texts += 1;
        }
        if pair.role.is_none() {
            let ids = listing["ids"][pair.of_text].as_array().unwrap();
            for (text, ids) in texts.iter().zip(ids) {
                let ids: Vec<u32> = serde_json::from_value(ids.clone()).unwrap();
                assert_eq!(tower.token_ids(text).unwrap(), ids, "{name}: {text:.30?}");
            }
        }
        let mut tower = image_tower(&model);
        for picture in &pictures {
            let pixels = model.preprocessor().pixels(&decoded(picture));
            let found = tower.encode(&[pixels]).unwrap();
            let expected = tensors.f32s(&format!("{}/{picture}", pair.of_image));
            let similarity = cosine(found[0].as_slice(), &expected);
            if similarity < 0.9999 {
                failures.push(format!("{name}: {picture}: {similarity}"));
            }
            n_pictures += 1;
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!((n_texts, n_pictures), (7 * 13, 7 * 2));
}

#[test]
fn a_tower_without_projection_asks_how_to_pool() {
    let nomic = &PAIRS[2];
    let folder = joined(&Pair {
        manifest: "",
        ..*nomic
    });
    let error = Model::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("image.pool"), "{error}");
}

#[test]
fn every_part_of_a_two_folder_model_counts_for_its_fingerprint() {
    let pair = &PAIRS[1];
    let whole = joined(pair);
    let usual = open(whole.path()).fingerprint().to_owned();
    let changes = [
        ("multilingual-text/2_Dense/model.safetensors", 200),
        ("multilingual-text/onnx/model.onnx", 20_000),
        ("clip-vision/model.onnx", 20_000),
    ];
    for (file, at) in changes {
        let folder = joined(pair);
        let file = folder.path().join(file);
        let mut bytes = fs_err::read(&file).unwrap();
        bytes[at] ^= 1;
        fs_err::write(&file, bytes).unwrap();
        assert_ne!(
            open(folder.path()).fingerprint(),
            usual,
            "{}",
            file.display()
        );
    }
    assert_eq!(changes.len(), 3);
}
