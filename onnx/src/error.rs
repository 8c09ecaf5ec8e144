//! What can go wrong between a model folder and a vector?

use std::path::PathBuf;

use crate::precision::Precision;
use crate::session::Device;

/// Why ONNX Runtime could not be opened. Every message is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// No candidate exists and the system's loader knows no ONNX Runtime either.
    #[error("ONNX Runtime was not found{}", list(tried))]
    NotFound {
        /// Where it was looked for, in order; the last one is the name given to the system's loader.
        tried: Vec<PathBuf>,
    },
    /// The library is an ONNX Runtime, but speaks no API that this program understands.
    #[error("{}: ONNX Runtime {found} is too old, {needed} or newer is needed", library.display())]
    TooOld {
        /// The library.
        library: PathBuf,
        /// Its version, as it says itself.
        found: String,
        /// The oldest version that serves.
        needed: String,
    },
    /// The library loads, but does not export what ONNX Runtime exports.
    #[error("{}: this library is not ONNX Runtime", library.display())]
    NotOnnxRuntime {
        /// The library.
        library: PathBuf,
        /// What the loader said.
        #[source]
        source: libloading::Error,
    },
    /// The file exists, but the system's loader refuses it: not a library, for another machine,
    /// or one of the libraries that it needs is missing.
    #[error("{}: this file cannot be loaded as a library", library.display())]
    NotLoadable {
        /// The file.
        library: PathBuf,
        /// What the loader said.
        #[source]
        source: libloading::Error,
    },
    /// A process can hold one ONNX Runtime only, and it holds another one already.
    #[error(
        "{}: this process has already opened ONNX Runtime from {}",
        asked.display(),
        loaded.display()
    )]
    AlreadyOpen {
        /// The library asked for now.
        asked: PathBuf,
        /// The library in use.
        loaded: PathBuf,
    },
    /// The library was loaded, but would not start.
    #[error("{}: ONNX Runtime does not start", library.display())]
    Start {
        /// The library.
        library: PathBuf,
        /// What ONNX Runtime said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn list(tried: &[PathBuf]) -> String {
    if tried.is_empty() {
        return String::new();
    }
    let names: Vec<_> = tried.iter().map(|p| p.display().to_string()).collect();
    format!(" (tried {})", names.join(", "))
}

fn precisions(found: &[Precision]) -> String {
    let found: Vec<&str> = found.iter().map(|precision| precision.as_str()).collect();
    if found.is_empty() {
        return "no other one of both towers".to_owned();
    }
    found.join(", ")
}

fn it(n: usize) -> &'static str {
    if n == 1 { "it" } else { "them" }
}

fn because(why: &str) -> String {
    if why.is_empty() {
        return String::new();
    }
    format!(" ({})", told(why))
}

/// Letters of a value that are told.
const MAX_TOLD: usize = 200;

/// Words from a model's files on one line: they may be anything, of any length, and must not drive
/// a terminal.
fn told(words: &str) -> String {
    let mut letters = words.chars();
    let mut told = String::new();
    for letter in letters.by_ref().take(MAX_TOLD) {
        if letter.is_control() {
            told.extend(letter.escape_default());
        } else {
            told.push(letter);
        }
    }
    if letters.next().is_some() {
        told.push('…');
    }
    told
}

/// Why a folder is not a model that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// There is no such folder.
    #[error("{}: there is no such model folder", folder.display())]
    NoFolder {
        /// The folder asked for.
        folder: PathBuf,
    },
    /// The folder follows none of the layouts that are understood.
    #[error(
        "{}: this is not a model folder (it holds none of sightline.toml, preprocessor_config.json, \
         open_clip_config.json, visual/preprocess_cfg.json)",
        folder.display()
    )]
    NotAModel {
        /// The folder.
        folder: PathBuf,
    },
    /// A file that the layout or the manifest asks for is missing.
    #[error("{}: this file of the model is missing", file.display())]
    MissingFile {
        /// The file.
        file: PathBuf,
    },
    /// Not both towers have graphs of the precision that was asked for.
    #[error(
        "{model}: the model has no {asked} graphs of both towers, it has {}",
        precisions(found)
    )]
    NoPrecision {
        /// The model's name.
        model: String,
        /// The precision that was asked for.
        asked: Precision,
        /// The precisions that both towers have.
        found: Vec<Precision>,
    },
    /// A file of the model cannot be read.
    #[error("{}: this file of the model cannot be read", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// `sightline.toml` is not valid: its syntax, a key that is unknown or missing, a type.
    #[error("{}: the manifest is not valid", file.display())]
    Manifest {
        /// The manifest.
        file: PathBuf,
        /// What is wrong and where.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A JSON file of the model is not valid: its syntax, a key that is missing, a type.
    #[error("{}: this file is not valid", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// What is wrong and where.
        #[source]
        source: serde_json::Error,
    },
    /// Neither the model's files nor its graphs tell something that must be known.
    #[error("{}: {} cannot be told from this model's files, add {} to sightline.toml{}",
        folder.display(), keys.join(", "), it(keys.len()), because(why))]
    Unknown {
        /// The model's folder.
        folder: PathBuf,
        /// The keys to add to `sightline.toml`, dotted: `image.mean` is `mean` below `[image]`.
        keys: Vec<&'static str>,
        /// Why it is not known; may be empty.
        why: String,
    },
    /// A value cannot be used.
    #[error("{}: {key} = {} cannot be used: {reason}", file.display(), told(value))]
    Value {
        /// The file that holds the value.
        file: PathBuf,
        /// Its key, dotted.
        key: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The tokenizer's file cannot be understood.
    #[error("{}: the tokenizer cannot be read", file.display())]
    Tokenizer {
        /// The file.
        file: PathBuf,
        /// What the tokenizer's library said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No device has this name.
    #[error("there is no device named {name} (cpu, cuda, coreml, directml)")]
    Unknown {
        /// The name given.
        name: String,
    },
    /// This build was made without the device.
    #[error("{device} is not part of this build: it takes the cargo feature {device}")]
    NotBuiltIn {
        /// The device asked for.
        device: Device,
    },
    /// The ONNX Runtime that was found was made without the device.
    #[error("{}: this ONNX Runtime was built without {device}", library.display())]
    NotInLibrary {
        /// The device asked for.
        device: Device,
        /// The library.
        library: PathBuf,
    },
    /// ONNX Runtime knows the device and cannot use it: a driver or a library is missing, say.
    #[error("{}: ONNX Runtime cannot use {device}", library.display())]
    Refused {
        /// The device asked for.
        device: Device,
        /// The library.
        library: PathBuf,
        /// What ONNX Runtime said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Why an encoder could not be loaded, or could not encode.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A file of the model is broken.
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
        /// What ONNX Runtime said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The graph has no such input.
    #[error(
        "{}: the graph has no input named {name} (its inputs: {})",
        file.display(),
        found.join(", ")
    )]
    NoInput {
        /// The graph's file.
        file: PathBuf,
        /// The input looked for.
        name: String,
        /// The inputs that there are.
        found: Vec<String>,
    },
    /// The graph asks for an input that nothing is known to feed it with.
    #[error("{}: the graph wants an input named {name}, which is not known", file.display())]
    UnknownInput {
        /// The graph's file.
        file: PathBuf,
        /// The input.
        name: String,
    },
    /// The graph has no such output.
    #[error(
        "{}: the graph has no output named {name} (its outputs: {})",
        file.display(),
        found.join(", ")
    )]
    NoOutput {
        /// The graph's file.
        file: PathBuf,
        /// The output looked for.
        name: String,
        /// The outputs that there are.
        found: Vec<String>,
    },
    /// An input or output of the graph holds another type or shape than it must.
    #[error("{}: {name} is {found}, it must be {expected}", file.display())]
    Signature {
        /// The graph's file.
        file: PathBuf,
        /// The input or output.
        name: String,
        /// Type and shape that it has.
        found: String,
        /// Type and shape that it must have.
        expected: String,
    },
    /// The graph's embeddings have another dimension than the model's description says, so that
    /// the two towers would not meet.
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
        "picture {position} of the batch was prepared for a size of {found_height} × {found_width}, \
         this model takes {height} × {width}"
    )]
    OtherSize {
        /// Place in the batch, from 0.
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
    /// A text could not be cut into tokens.
    #[error("text {position} of the batch cannot be cut into tokens")]
    Tokenize {
        /// Place in the batch, from 0.
        position: usize,
        /// What the tokenizer's library said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// ONNX Runtime failed while it ran the graph.
    #[error("{}: ONNX Runtime failed while running this graph", file.display())]
    Run {
        /// The graph's file.
        file: PathBuf,
        /// What ONNX Runtime said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The graph put out zeros, infinities or no numbers, which point nowhere.
    #[error("the embedding of item {position} of the batch has no direction")]
    NoDirection {
        /// Place in the batch, from 0.
        position: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_told_on_one_line_of_bounded_length() {
        let error = |value: &str| {
            let (file, value) = (PathBuf::from("a.json"), value.to_owned());
            let (key, reason) = ("size", "no");
            let error = ModelError::Value {
                file,
                key,
                value,
                reason,
            };
            error.to_string()
        };
        assert_eq!(error("7"), "a.json: size = 7 cannot be used: no");
        assert_eq!(
            error("a\nb\u{1b}[31m"),
            "a.json: size = a\\nb\\u{1b}[31m cannot be used: no"
        );
        let long = error(&"x".repeat(10_000));
        let cut = "x".repeat(MAX_TOLD);
        assert_eq!(long, format!("a.json: size = {cut}… cannot be used: no"));
    }
}
