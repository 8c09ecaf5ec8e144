//! What can go wrong with models. Advice is not part of a message: the command line adds hints.

use std::path::{Path, PathBuf};

use sightline_onnx::quantize::QuantizeError;
use sightline_onnx::{EncodeError, ModelError};

use super::hub::HubError;
use super::unsupported::{self, Unsupported};

/// Any failure to find, open, add, download, check or quantize a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelsError {
    /// The user has no home folder to keep models in.
    #[error("no home folder to keep models in")]
    NoDataFolder,
    /// Neither a known name nor a folder.
    #[error("{name}: no such model or folder")]
    Unknown {
        /// The requested name.
        name: String,
        /// The known names.
        known: Vec<String>,
        /// The known name that was probably meant.
        close: Option<String>,
    },
    /// A folder to add does not exist.
    #[error(
        "{}: {}",
        folder.display(),
        if *is_file { "not a folder" } else { "no such folder" }
    )]
    NoModelFolder {
        /// The folder.
        folder: PathBuf,
        /// Whether it is a file.
        is_file: bool,
        /// The model of the catalogue with this name.
        in_catalogue: Option<&'static str>,
    },
    /// Not a known name, where a folder will not do.
    #[error("{name}: no model of this name")]
    UnknownName {
        /// The requested name.
        name: String,
        /// The known names.
        known: Vec<String>,
        /// The known name that was probably meant.
        close: Option<String>,
    },
    /// A model with a name is needed, and this is a folder without one.
    #[error("{}: this model folder has no name", folder.display())]
    Unnamed {
        /// The folder.
        folder: PathBuf,
    },
    /// The default model named in `models.toml` does not exist.
    #[error("{name}: the default model is missing")]
    DefaultMissing {
        /// Its name.
        name: String,
    },
    /// Not a valid name for a model.
    #[error(
        "{name}: not a valid model name: use letters, digits, `.`, `_` and `-`, and start with a \
         letter, a digit or `_`"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// Another model has this name.
    #[error("{name}: a model of this name already exists")]
    Taken {
        /// The name.
        name: String,
    },
    /// The registry already holds this model.
    #[error("{}: already added as {name}", folder.display())]
    Same {
        /// The folder to add.
        folder: PathBuf,
        /// The name of the model.
        name: String,
    },
    /// The built-in model was to be removed.
    #[error("{name}: the built-in model cannot be removed")]
    BuiltIn {
        /// Its name.
        name: String,
    },
    /// The built-in model was to be quantized.
    #[error("{name}: the built-in model cannot be quantized")]
    BuiltInQuantized {
        /// Its name.
        name: String,
    },
    /// A model without fp32 graphs was to be quantized.
    #[error("{model}: the model has no fp32 graphs to quantize")]
    NothingToQuantize {
        /// The name or folder of the model.
        model: String,
    },
    /// The path of a folder to link is not UTF-8, so it cannot be recorded.
    #[error("{}: cannot link a folder whose path is not UTF-8", folder.display())]
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
    /// The copy differs from the original.
    #[error(
        "{}: the copy differs from the original, which changed or cannot be read reliably",
        folder.display()
    )]
    BadCopy {
        /// The original.
        folder: PathBuf,
    },
    /// `models.toml` cannot be parsed.
    #[error("{}: not a valid model registry", file.display())]
    InvalidRegistry {
        /// The file.
        file: PathBuf,
        /// What is wrong and where.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// The new content of `models.toml` cannot be serialized.
    #[error("{}: cannot be written as TOML", file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: Box<toml::ser::Error>,
    },
    /// Pictures and texts of a model match no better than by chance.
    #[error(
        "{model}: finds the right picture for {n_first} of {n_pairs} texts, no better than chance \
         (at least {n_needed} are needed)"
    )]
    NoBetterThanChance {
        /// The name or folder of the model.
        model: String,
        /// Texts to which their own picture is the most similar one.
        n_first: usize,
        /// Number of texts.
        n_pairs: usize,
        /// The fewest that chance reaches in at most 1 % of cases.
        n_needed: usize,
    },
    /// The folder is something else than a model that works here.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
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
    /// Stopped on request; nothing is left behind.
    #[error("stopped")]
    Stopped,
}

impl ModelsError {
    /// Why the folder of a model cannot be opened: what it is instead, if its files show it.
    pub(super) fn opening(folder: &Path) -> impl Fn(ModelError) -> Self {
        |error| {
            let shown = is_symptom(&error).then(|| unsupported::in_folder(folder));
            shown.flatten().map_or_else(|| error.into(), Into::into)
        }
    }

    /// The same of a model whose towers lie in two folders, each of which lacks the other tower.
    pub(super) fn opening_towers(image: &Path, text: &Path) -> impl Fn(ModelError) -> Self {
        move |error| {
            let shown = is_symptom(&error).then(|| {
                let mut shown = [image, text].into_iter().filter_map(unsupported::in_folder);
                shown.find(|one| !matches!(one, Unsupported::OneTower { .. }))
            });
            shown.flatten().map_or_else(|| error.into(), Into::into)
        }
    }
}

/// Whether the folder's files may show why a model cannot be opened. Other errors say it
/// themselves.
fn is_symptom(error: &ModelError) -> bool {
    matches!(
        error,
        ModelError::NotAModel { .. }
            | ModelError::MissingFile { .. }
            | ModelError::Unreadable { .. }
            | ModelError::Json { .. }
            | ModelError::Unknown { .. }
            | ModelError::Tokenizer { .. }
    )
}
