//! Errors of opening a model and of encoding with it.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use crate::device::DeviceError;
use crate::precision::Precision;

/// Why a folder cannot be used as a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The folder does not exist.
    #[error("{}: no such model folder", folder.display())]
    NoFolder {
        /// The folder asked for.
        folder: PathBuf,
    },
    /// The folder has none of the supported layouts.
    #[error(
        "{}: not a model folder (none of sightline.toml, preprocessor_config.json, \
         open_clip_config.json, visual/preprocess_cfg.json found)",
        folder.display()
    )]
    NotAModel {
        /// The folder.
        folder: PathBuf,
    },
    /// A file that the layout or the manifest requires is missing.
    #[error("{}: this model file is missing", file.display())]
    MissingFile {
        /// The file.
        file: PathBuf,
    },
    /// A tower has no graph of the precision asked for.
    #[error(
        "{model}: the model has no {asked} graphs for both towers (available: {})",
        list(found)
    )]
    NoPrecision {
        /// The model's name.
        model: String,
        /// The precision asked for.
        asked: Precision,
        /// The precisions that both towers have.
        found: Vec<Precision>,
    },
    /// A file of the model cannot be read.
    #[error("{}: cannot read this model file", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// `sightline.toml` is invalid: its syntax, an unknown or missing key, or a type.
    #[error("{}: invalid manifest", file.display())]
    Manifest {
        /// The manifest.
        file: PathBuf,
        /// What is wrong, and where.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A JSON file of the model is invalid: its syntax, a missing key, or a type.
    #[error("{}: invalid model file", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// What is wrong, and where.
        #[source]
        source: serde_json::Error,
    },
    /// Neither the model's files nor its graphs give something that must be known.
    #[error(
        "{}: cannot determine {} from the model's files{}",
        folder.display(),
        keys.join(", "),
        because(why)
    )]
    Unknown {
        /// The model's folder.
        folder: PathBuf,
        /// The keys to add to `sightline.toml`, dotted: `image.mean` is `mean` in `[image]`,
        /// `text.other[zh].pool` is `pool` in the `[[text.other]]` whose languages begin with `zh`.
        keys: Vec<String>,
        /// Why they are unknown; may be empty.
        why: String,
    },
    /// A value is invalid.
    #[error("{}: invalid {key} = {}: {reason}", file.display(), printable(value))]
    Value {
        /// The file that holds the value.
        file: PathBuf,
        /// Its key, dotted.
        key: String,
        /// The value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A configuration file has keys that are neither read nor known to change nothing.
    #[error("{}: unknown {}, which might change the vectors", file.display(), settings(keys))]
    UnknownKeys {
        /// The file.
        file: PathBuf,
        /// The keys, dotted, each with its value as JSON.
        keys: Vec<(String, String)>,
    },
    /// A configuration file asks for something that this program does not do.
    #[error(
        "{}: {} = {} is not supported{}",
        file.display(),
        printable(key),
        printable(value),
        because(reason)
    )]
    Unsupported {
        /// The file.
        file: PathBuf,
        /// The key, dotted.
        key: String,
        /// Its value.
        value: String,
        /// Why; may be empty.
        reason: &'static str,
    },
    /// The tokenizer's file is invalid.
    #[error("{}: cannot read the tokenizer", file.display())]
    Tokenizer {
        /// The file.
        file: PathBuf,
        /// The error of the `tokenizers` library.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ModelError {
    /// Makes [`ModelError::Unreadable`] for a file.
    pub(crate) fn unreadable(file: &Path) -> impl Fn(io::Error) -> Self {
        |source| Self::Unreadable {
            file: file.to_path_buf(),
            source,
        }
    }

    /// Makes [`ModelError::Value`] for a value in a file.
    pub(crate) fn invalid(
        file: &Path,
        key: impl Into<String>,
        value: impl Display,
        reason: &'static str,
    ) -> Self {
        Self::Value {
            file: file.to_path_buf(),
            key: key.into(),
            value: value.to_string(),
            reason,
        }
    }

    /// Fails when a file that the model needs does not exist.
    pub(crate) fn check_exists(file: &Path) -> Result<(), Self> {
        if file.is_file() {
            return Ok(());
        }
        Err(Self::MissingFile {
            file: file.to_path_buf(),
        })
    }
}

fn list(found: &[Precision]) -> String {
    if found.is_empty() {
        return "none".to_owned();
    }
    let found: Vec<&str> = found.iter().map(|precision| precision.as_str()).collect();
    found.join(", ")
}

/// `keys a = 1, b = 2`
fn settings(keys: &[(String, String)]) -> String {
    let one =
        |(key, value): &(String, String)| format!("{} = {}", printable(key), printable(value));
    let all: Vec<String> = keys.iter().map(one).collect();
    let noun = if all.len() == 1 { "key" } else { "keys" };
    format!("{noun} {}", all.join(", "))
}

fn because(why: &str) -> String {
    if why.is_empty() {
        return String::new();
    }
    format!(" ({})", printable(why))
}

/// How many characters of a value are shown.
const MAX_SHOWN: usize = 200;

/// A value from a model's files, cut and escaped: it may hold anything, of any length, and must not
/// reach the terminal as control characters.
fn printable(value: &str) -> String {
    let mut letters = value.chars();
    let mut shown = String::new();
    for letter in letters.by_ref().take(MAX_SHOWN) {
        if letter.is_control() {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    if letters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Why a tower could not be loaded, or failed to encode.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A file of the model is invalid.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The device asked for cannot be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// ONNX Runtime does not accept the graph.
    #[error("{}: ONNX Runtime cannot load this graph", file.display())]
    Load {
        /// The graph's file.
        file: PathBuf,
        /// ONNX Runtime's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The model has fewer text towers.
    #[error("the model has {n_towers} text towers, none at position {n}")]
    NoTextTower {
        /// The position asked for, from 0.
        n: usize,
        /// Number of text towers.
        n_towers: usize,
    },
    /// The graph has no such input.
    #[error(
        "{}: the graph has no input `{name}` (inputs: {})",
        file.display(),
        found.join(", ")
    )]
    NoInput {
        /// The graph's file.
        file: PathBuf,
        /// The input expected.
        name: String,
        /// The graph's inputs.
        found: Vec<String>,
    },
    /// The graph has an input whose values are unknown.
    #[error("{}: the graph has an unsupported input `{name}`", file.display())]
    UnknownInput {
        /// The graph's file.
        file: PathBuf,
        /// The input.
        name: String,
    },
    /// The graph has no such output.
    #[error(
        "{}: the graph has no output `{name}` (outputs: {})",
        file.display(),
        found.join(", ")
    )]
    NoOutput {
        /// The graph's file.
        file: PathBuf,
        /// The output expected.
        name: String,
        /// The graph's outputs.
        found: Vec<String>,
    },
    /// An input or output of the graph has another type or shape than expected.
    #[error("{}: {name} is {found}, expected {expected}", file.display())]
    Signature {
        /// The graph's file.
        file: PathBuf,
        /// The input or output.
        name: String,
        /// Its type and shape.
        found: String,
        /// The type and shape expected.
        expected: String,
    },
    /// The graph's embeddings have another dimension than the model's description says, so that
    /// the two towers' embeddings could not be compared.
    #[error(
        "{}: the graph's embeddings have {found} values, the model's description says {expected}",
        file.display()
    )]
    Dimension {
        /// The graph's file.
        file: PathBuf,
        /// The graph's dimension.
        found: usize,
        /// The dimension in the description.
        expected: usize,
    },
    /// A picture was prepared for another model.
    #[error(
        "picture {position} of the batch has {found_height} × {found_width} pixels, the model \
         takes {height} × {width}"
    )]
    OtherSize {
        /// Position in the batch, from 0.
        position: usize,
        /// The picture's height in pixels.
        found_height: u32,
        /// The picture's width in pixels.
        found_width: u32,
        /// The model's height in pixels.
        height: u32,
        /// The model's width in pixels.
        width: u32,
    },
    /// A text could not be tokenized.
    #[error("cannot tokenize text {position} of the batch")]
    Tokenize {
        /// Position in the batch, from 0.
        position: usize,
        /// The error of the `tokenizers` library.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// ONNX Runtime failed to run the graph.
    #[error("{}: ONNX Runtime failed to run this graph", file.display())]
    Run {
        /// The graph's file.
        file: PathBuf,
        /// ONNX Runtime's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The graph returned zeros, infinities or NaN, which cannot be scaled to a unit vector.
    #[error("the embedding of item {position} of the batch is zero or not finite")]
    ZeroOrNotFinite {
        /// Position in the batch, from 0.
        position: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_on_one_line_of_bounded_length() {
        let error = |value: &str| {
            let (file, value) = (PathBuf::from("a.json"), value.to_owned());
            let (key, reason) = ("size".to_owned(), "no");
            let error = ModelError::Value {
                file,
                key,
                value,
                reason,
            };
            error.to_string()
        };
        assert_eq!(error("7"), "a.json: invalid size = 7: no");
        assert_eq!(
            error("a\nb\u{1b}[31m"),
            "a.json: invalid size = a\\nb\\u{1b}[31m: no"
        );
        let long = error(&"x".repeat(10_000));
        let cut = "x".repeat(MAX_SHOWN);
        assert_eq!(long, format!("a.json: invalid size = {cut}…: no"));
    }
}
