//! What can go wrong with models. Advice is not part of a message: the command line adds hints.

use std::path::PathBuf;

use sightline_onnx::quantize::QuantizeError;
use sightline_onnx::{EncodeError, ModelError};

use super::hub::HubError;

/// Any failure to find, open, add, download, check or quantize a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelsError {
    /// The user has no home folder, so there is no place for models.
    #[error("no home folder, so no place for models")]
    NoPlace,
    /// There is neither a model of this name nor a folder.
    #[error("{name}: there is neither a model of this name nor such a folder")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names that there are.
        known: Vec<String>,
        /// The one of them that was probably meant.
        close: Option<String>,
    },
    /// A name is needed, and this is only a folder.
    #[error("{}: this folder is no model with a name", folder.display())]
    NoName {
        /// The folder.
        folder: PathBuf,
    },
    /// The model that `models.toml` calls the default one is gone.
    #[error("{name}: the default model is gone")]
    DefaultGone {
        /// Its name.
        name: String,
    },
    /// A name that a model cannot have.
    #[error("{name}: a model's name is made of letters, digits, and . _ - inside")]
    BadName {
        /// The name.
        name: String,
    },
    /// Another model has this name.
    #[error("{name}: there is a model of this name already")]
    Taken {
        /// The name.
        name: String,
    },
    /// The very same model is there already.
    #[error("{}: this is the model {name}, which is there already", folder.display())]
    Same {
        /// The folder that was to be added.
        folder: PathBuf,
        /// The name that it has.
        name: String,
    },
    /// The model is part of the program.
    #[error("{name}: this model is built into the program")]
    BuiltIn {
        /// Its name.
        name: String,
    },
    /// A folder whose name is not UTF-8 cannot be written down.
    #[error("{}: a folder can only be linked when its name is UTF-8", folder.display())]
    NotUtf8 {
        /// The folder.
        folder: PathBuf,
    },
    /// Another process is adding or removing a model.
    #[error("{}: another process is adding or removing a model", folder.display())]
    Busy {
        /// The folder of the models.
        folder: PathBuf,
    },
    /// The copy is not what was copied.
    #[error("{}: the copy differs from the original, which was changed meanwhile or cannot be read soundly", folder.display())]
    BadCopy {
        /// The original.
        folder: PathBuf,
    },
    /// `models.toml` is not valid.
    #[error("{}: this file is not valid", file.display())]
    Book {
        /// The file.
        file: PathBuf,
        /// What is wrong and where.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// What was to be written down cannot be.
    #[error("{}: this file cannot be written", file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: Box<toml::ser::Error>,
    },
    /// The model's files are missing or do not fit together.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A loaded model failed to encode.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A model could not be downloaded.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// An int8 copy of a model's graph could not be written.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// A file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The work was stopped; nothing is left of it.
    #[error("stopped")]
    Stopped,
}
