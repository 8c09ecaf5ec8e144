//! Files of a model folder, read for every layout alike.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::variants;
use crate::error::ModelError;
use crate::precision::Precision;

/// Graphs of one tower each: where exporters put them, without the extension `.onnx`.
const IMAGE_GRAPHS: &[&str] = &[
    "onnx/vision_model",
    "vision_model",
    "visual/model",
    "onnx/visual",
    "visual",
];
const TEXT_GRAPHS: &[&str] = &[
    "onnx/text_model",
    "text_model",
    "textual/model",
    "onnx/textual",
    "textual",
];
/// Graphs that hold both towers.
const JOINT_GRAPHS: &[&str] = &["onnx/model", "model"];

/// File names of the image tower's and the text tower's graph, relative to the folder and without
/// the suffix of a precision. Where neither exists, the names that are expected.
pub(super) fn graphs(folder: &Path) -> (String, String) {
    let first = |names| first(folder, names);
    match (first(IMAGE_GRAPHS), first(TEXT_GRAPHS), first(JOINT_GRAPHS)) {
        (Some(image), Some(text), _) => (image, text),
        (None, None, Some(joint)) => (joint.clone(), joint),
        (image, text, _) => {
            let or_expected = |found: Option<String>, names: &[&str]| {
                found.unwrap_or_else(|| format!("{}.onnx", names[0]))
            };
            (
                or_expected(image, IMAGE_GRAPHS),
                or_expected(text, TEXT_GRAPHS),
            )
        }
    }
}

/// One half of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tower {
    Image,
    Text,
}

/// The file name of a tower's graph in a folder that need not hold the other one.
pub(super) fn graph(folder: &Path, tower: Tower) -> String {
    let own = match tower {
        Tower::Image => IMAGE_GRAPHS,
        Tower::Text => TEXT_GRAPHS,
    };
    let found = first(folder, own).or_else(|| first(folder, JOINT_GRAPHS));
    found.unwrap_or_else(|| format!("{}.onnx", own[0]))
}

/// The first of these graphs that exists in a precision.
fn first(folder: &Path, names: &[&str]) -> Option<String> {
    let exists = |name: &&&str| {
        let file = folder.join(format!("{name}.onnx"));
        !variants::copies(&file, Precision::Fp32).is_empty()
    };
    let found = names.iter().find(exists)?;
    Some(format!("{found}.onnx"))
}

/// Reads a JSON file of the model, which must exist.
pub(super) fn json<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<T, ModelError> {
    let file = folder.join(name);
    ModelError::check_exists(&file)?;
    let bytes = fs_err::read(&file).map_err(ModelError::unreadable(&file))?;
    serde_json::from_slice(&bytes).map_err(|source| ModelError::Json { file, source })
}

/// As [`json`], with the default for a missing file.
pub(super) fn json_or_default<T: DeserializeOwned + Default>(
    folder: &Path,
    name: &str,
) -> Result<T, ModelError> {
    if folder.join(name).is_file() {
        json(folder, name)
    } else {
        Ok(T::default())
    }
}

/// Checks the dimension of a model's embeddings, which a file gives under this key.
pub(super) fn check_dimension(
    file: &Path,
    key: &'static str,
    dimension: Option<usize>,
) -> Result<(), ModelError> {
    match dimension {
        Some(dimension) if !(1..=65_536).contains(&dimension) => {
            let reason = "expected 1 to 65536";
            Err(ModelError::invalid(file, key, dimension, reason))
        }
        _ => Ok(()),
    }
}

/// A model is called as its folder, unless a manifest names it.
pub(super) fn name_of(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.into());
    folder
        .file_name()
        .map_or_else(|| "model".to_owned(), |n| n.to_string_lossy().into_owned())
}
