//! Weight files beside a graph, whatever their names.

use std::path::{Path, PathBuf};

use sightline_onnx::quantize::{QuantizeOptions, quantize};
use sightline_onnx::{Model, ModelError, Precision};

use crate::support::{copy_of, edit_bytes, image_tower, text_tower};

/// Names given by the quantiser, and others of the same length to replace them with.
const NAMES: [(&str, &str); 2] = [
    ("vision_model_int8.onnx_data", "onnx__MatMul_267_of_picture"),
    ("text_model_int8.onnx_data", "onnx__MatMul_267_of_words"),
];

/// A model whose int8 graphs have weight files named as by old exporters.
fn model() -> tempfile::TempDir {
    let folder = copy_of("layouts/siglip2");
    let path = |name: &str| folder.path().join(name);
    let options = QuantizeOptions {
        largest_file: 5_000,
        ..QuantizeOptions::default()
    };
    for tower in ["vision_model", "text_model"] {
        let (from, to) = (format!("{tower}.onnx"), format!("{tower}_int8.onnx"));
        quantize(&path(&from), &path(&to), &options).unwrap();
    }
    for (from, to) in NAMES {
        let graph = path(from.strip_suffix("_data").unwrap());
        edit_bytes(&graph, from.as_bytes(), to.as_bytes());
        fs_err::rename(path(from), path(to)).unwrap();
    }
    folder
}

fn open(folder: &Path) -> Result<Model, ModelError> {
    Model::open_with(folder, Some(Precision::Int8))
}

#[test]
fn weight_files_belong_to_the_model() {
    let folder = model();
    let model = open(folder.path()).unwrap();
    let names = |model: &Model| -> Vec<String> {
        let name = |file: PathBuf| file.file_name().unwrap().to_str().unwrap().to_owned();
        model.files().into_iter().map(name).collect()
    };
    let expected = [
        "vision_model_int8.onnx",
        NAMES[0].1,
        "text_model_int8.onnx",
        NAMES[1].1,
        "tokenizer.json",
    ];
    assert_eq!(names(&model), expected);
    let sizes = model
        .files()
        .into_iter()
        .map(|file| fs_err::metadata(file).unwrap().len());
    assert_eq!(model.n_bytes().unwrap(), sizes.sum::<u64>());
    // ONNX Runtime finds them.
    image_tower(&model);
    let mut texts = text_tower(&model);
    assert_eq!(texts.encode(&["a dog"]).unwrap().len(), 1);

    let mut n_cases = 0;
    for (_, name) in NAMES {
        let file = folder.path().join(name);
        let content = fs_err::read(&file).unwrap();
        let mut changed = content.clone();
        changed[100] ^= 1;
        fs_err::write(&file, changed).unwrap();
        let other = open(folder.path()).unwrap();
        assert_ne!(other.fingerprint(), model.fingerprint(), "{name}");
        fs_err::remove_file(&file).unwrap();
        let error = open(folder.path()).unwrap_err();
        assert!(
            matches!(&error, ModelError::MissingFile { file: missing } if *missing == file),
            "{error}"
        );
        fs_err::write(&file, content).unwrap();
        n_cases += 1;
    }
    assert_eq!(n_cases, 2);
    assert_eq!(
        open(folder.path()).unwrap().fingerprint(),
        model.fingerprint()
    );
}

#[test]
fn weight_files_must_be_inside_the_folder() {
    let folder = model();
    let graph = folder.path().join("text_model_int8.onnx");
    edit_bytes(&graph, NAMES[1].1.as_bytes(), b"../../../../../etc/passwd");
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("must be inside its folder"), "{error}");
}
