//! Which layout does a model folder follow, and what do its files say?
//!
//! Each layout is read into a [`Manifest`]; `complete` adds what the graphs themselves tell and
//! asks for what is still missing.

mod complete;
mod graph;
mod license;
mod open_clip;
mod processor;
mod transformers;

use std::fmt::Display;
use std::path::Path;

use serde::de::DeserializeOwned;

pub(crate) use complete::{complete_built_in, complete_in};

use crate::error::ModelError;
use crate::manifest::{self, Manifest};

/// What a folder's files say, and which layout they follow.
pub(crate) struct Found {
    pub(crate) manifest: Manifest,
    pub(crate) layout: &'static str,
}

/// Reads the files that describe the model in a folder.
pub(crate) fn find(folder: &Path) -> Result<Found, ModelError> {
    if !folder.is_dir() {
        return Err(ModelError::NoFolder {
            folder: folder.to_path_buf(),
        });
    }
    let own = manifest::read(folder)?;
    let base = if own.as_ref().is_some_and(Manifest::is_whole) {
        None
    } else if open_clip::is_immich(folder) {
        Some((open_clip::read_immich(folder)?, "Immich"))
    } else if transformers::is_one(folder) {
        Some((transformers::read(folder)?, "transformers.js"))
    } else if folder.join(open_clip::CONFIG).is_file() {
        Some((open_clip::read(folder)?, "open_clip"))
    } else {
        None
    };
    let mut found = match (own, base) {
        (Some(own), Some((base, layout))) => Found {
            manifest: own.over(base),
            layout,
        },
        (None, Some((manifest, layout))) => Found { manifest, layout },
        (Some(manifest), None) => Found {
            manifest,
            layout: manifest::FILE_NAME,
        },
        (None, None) => {
            return Err(ModelError::NotAModel {
                folder: folder.to_path_buf(),
            });
        }
    };
    let license = found.manifest.license.take();
    found.manifest.license = license.or_else(|| license::stated(folder));
    Ok(found)
}

/// Graphs of both towers in a folder: where exporters put them, without the end `.onnx`.
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

/// The names of the graphs of the image tower and of the text tower, relative to the folder and as
/// they are called in fp32; where none exist, those that are missed.
fn graphs(folder: &Path) -> (String, String) {
    let first = |names: &[&str]| {
        let exists = |name: &&&str| {
            let file = folder.join(format!("{name}.onnx"));
            !crate::precision::copies(&file, crate::Precision::Fp32).is_empty()
        };
        let found = names.iter().find(exists)?;
        Some(format!("{found}.onnx"))
    };
    match (first(IMAGE_GRAPHS), first(TEXT_GRAPHS), first(JOINT_GRAPHS)) {
        (Some(image), Some(text), _) => (image, text),
        (None, None, Some(joint)) => (joint.clone(), joint),
        (image, text, _) => {
            let missed = |found: Option<String>, names: &[&str]| {
                found.unwrap_or_else(|| format!("{}.onnx", names[0]))
            };
            (missed(image, IMAGE_GRAPHS), missed(text, TEXT_GRAPHS))
        }
    }
}

/// Reads a JSON file of the model, which must exist.
fn json<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<T, ModelError> {
    let file = folder.join(name);
    if !file.is_file() {
        return Err(ModelError::MissingFile { file });
    }
    let bytes = fs_err::read(&file).map_err(|source| ModelError::Unreadable {
        file: file.clone(),
        source,
    })?;
    serde_json::from_slice(&bytes).map_err(|source| ModelError::Json { file, source })
}

/// As [`json`], but a file that is missing says nothing.
fn json_if_there<T: DeserializeOwned + Default>(
    folder: &Path,
    name: &str,
) -> Result<T, ModelError> {
    if folder.join(name).is_file() {
        json(folder, name)
    } else {
        Ok(T::default())
    }
}

fn value(
    folder: &Path,
    file: &str,
    key: &'static str,
    value: impl Display,
    reason: &'static str,
) -> ModelError {
    ModelError::Value {
        file: folder.join(file),
        key,
        value: value.to_string(),
        reason,
    }
}

/// The name of a model is that of its folder unless a manifest names it.
fn name_of(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.into());
    folder
        .file_name()
        .map_or_else(|| "model".to_owned(), |n| n.to_string_lossy().into_owned())
}
