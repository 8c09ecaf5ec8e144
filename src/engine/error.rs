//! What can go wrong in the engine. Advice is not part of a message: the command line adds hints.

use std::path::PathBuf;

use sightline_index::{IndexError, VectorError};
use sightline_onnx::{DeviceError, EncodeError, ModelError, RuntimeError};
use sightline_picture::DecodeError;

use crate::engine::exchange::ExchangeError;

/// Any failure of an [`Engine`](crate::engine::Engine) call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The index could not be opened, read or written.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The model's files are missing or do not fit together.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// An index could not be exported or imported.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// ONNX Runtime could not be opened.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A loaded model failed to encode.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The model returned something that is no unit vector.
    #[error("the model returned an embedding that cannot be used")]
    Embedding(#[from] VectorError),
    /// The picture given as a query cannot be read.
    #[error("{}: {}", path.display(), source.reason())]
    Picture {
        /// The picture.
        path: PathBuf,
        /// Why not.
        source: DecodeError,
    },
    /// A file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The query has no words in it.
    #[error("the query is empty")]
    EmptyQuery,
    /// A query by words was asked of a picture, which has none.
    #[error("a picture cannot be searched by words alone")]
    PictureByWords,
    /// A folder to index does not exist.
    #[error("{}: no such folder", path.display())]
    FolderMissing {
        /// The folder.
        path: PathBuf,
        /// How many of its files the index still holds.
        n_indexed: usize,
    },
    /// Something that is not a folder was given as one.
    #[error("{}: not a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// A folder holds no picture that can be read.
    #[error("{}: no pictures there that can be read", path.display())]
    NoPictures {
        /// The folder.
        path: PathBuf,
    },
    /// A line of a captions file or data set is not of the documented form.
    #[error("{}: line {line}: not of the form {form}", path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What a line must look like.
        form: &'static str,
        /// What the parser said.
        source: LineError,
    },
    /// A captions file or data set is not UTF-8 text.
    #[error("{}: not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// A data set has nothing in it to measure.
    #[error("{}: no line with a picture and a caption", path.display())]
    EmptyDataset {
        /// The file.
        path: PathBuf,
    },
}

/// What the parser said of one line. It was shown that line alone, so of the place it gives only
/// the column means anything.
#[derive(Debug, thiserror::Error)]
#[error("{} in column {}", reason(.0), .0.column())]
pub struct LineError(pub(crate) serde_json::Error);

fn reason(error: &serde_json::Error) -> String {
    let told = error.to_string();
    told.split_once(" at line ")
        .map_or(told.as_str(), |(reason, _)| reason)
        .to_owned()
}

impl EngineError {
    /// True when the way out is `ONNX Runtime` or the device: missing, too old, or something else.
    #[must_use]
    pub fn is_runtime(&self) -> bool {
        matches!(
            self,
            Self::Runtime(_) | Self::Encode(EncodeError::Device(_))
        )
    }
}

impl From<DeviceError> for EngineError {
    fn from(error: DeviceError) -> Self {
        Self::Encode(EncodeError::Device(error))
    }
}
