//! Which files make a model, and which numbers go with them?
//!
//! A [`Model`] is a checked description. It holds no session: the towers are loaded by
//! [`ImageEncoder`](crate::ImageEncoder) and [`TextEncoder`](crate::TextEncoder), each for itself,
//! so that a text query never pays for the image tower.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::ModelError;
use crate::preprocess::{PreprocessConfig, Preprocessor};
use crate::tokenize::TokenizeConfig;
use crate::{manifest, transformers_js};

/// Where the bytes of one of a model's files are.
#[derive(Clone)]
pub(crate) enum Source {
    File(PathBuf),
    /// Built into the program; the name only serves messages.
    Embedded {
        name: &'static str,
        bytes: &'static [u8],
    },
}

impl Source {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Embedded { name, .. } => Path::new(name),
        }
    }

    pub(crate) fn bytes(&self) -> Result<Cow<'static, [u8]>, ModelError> {
        match self {
            Self::Embedded { bytes, .. } => Ok(Cow::Borrowed(bytes)),
            Self::File(path) => {
                fs_err::read(path)
                    .map(Cow::Owned)
                    .map_err(|source| ModelError::Unreadable {
                        file: path.clone(),
                        source,
                    })
            }
        }
    }

    /// Fails when the file is missing.
    fn check_exists(&self) -> Result<(), ModelError> {
        match self {
            Self::File(path) if !path.is_file() => {
                Err(ModelError::MissingFile { file: path.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Weights too large for the graph's own file lie beside it under these names.
    fn companions(&self) -> Vec<PathBuf> {
        let Self::File(path) = self else {
            return Vec::new();
        };
        ["_data", ".data"]
            .iter()
            .map(|suffix| {
                let mut name = path.clone().into_os_string();
                name.push(suffix);
                PathBuf::from(name)
            })
            .filter(|companion| companion.is_file())
            .collect()
    }

    fn hash_into(&self, hasher: &mut blake3::Hasher) -> Result<(), ModelError> {
        match self {
            Self::Embedded { bytes, .. } => {
                hasher.update(&(bytes.len() as u64).to_le_bytes());
                hasher.update_rayon(bytes);
            }
            Self::File(path) => {
                for path in std::iter::once(path.clone()).chain(self.companions()) {
                    let unreadable = |source| ModelError::Unreadable {
                        file: path.clone(),
                        source,
                    };
                    let n_bytes = fs_err::metadata(&path).map_err(unreadable)?.len();
                    hasher.update(&n_bytes.to_le_bytes());
                    hasher.update_mmap_rayon(&path).map_err(unreadable)?;
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone)]
pub(crate) struct ImageTower {
    pub(crate) source: Source,
    pub(crate) input: String,
    pub(crate) output: String,
}

#[derive(Clone)]
pub(crate) struct TextTower {
    pub(crate) source: Source,
    pub(crate) input_ids: String,
    pub(crate) attention_mask: Option<String>,
    pub(crate) token_type_ids: Option<String>,
    /// Whether mask and types are only fed when the graph has these inputs. A manifest is exact,
    /// so there they must exist.
    pub(crate) extra_inputs_optional: bool,
    pub(crate) output: String,
    pub(crate) tokenizer: Source,
    pub(crate) tokenize: TokenizeConfig,
}

/// What a layout says about a model, before its files are hashed.
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) license: Option<String>,
    pub(crate) dimension: usize,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) preprocess: PreprocessConfig,
    pub(crate) image: ImageTower,
    pub(crate) text: TextTower,
}

/// A model: its files, its preprocessing, its tokenization, and the fingerprint of all of them.
/// Clones are cheap.
#[derive(Clone)]
pub struct Model {
    inner: Arc<Inner>,
}

struct Inner {
    description: Description,
    preprocessor: Preprocessor,
    fingerprint: String,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("name", &self.name())
            .field("dimension", &self.dimension())
            .field("folder", &self.folder())
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Reads the description of the model in a folder. Two layouts are understood:
    ///
    /// - a manifest `sightline.toml`, which names everything (see the crate's documentation), and
    /// - a CLIP model as transformers.js keeps it: `config.json`, `preprocessor_config.json`,
    ///   `tokenizer.json`, `onnx/vision_model.onnx`, `onnx/text_model.onnx`.
    ///
    /// A manifest wins over the other files. The graphs are hashed, not loaded.
    ///
    /// # Errors
    /// [`ModelError`] when the folder is no model, a file is missing or unreadable, or a value in
    /// a description cannot be used.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        if !folder.is_dir() {
            return Err(ModelError::NoFolder {
                folder: folder.to_path_buf(),
            });
        }
        if folder.join(manifest::FILE_NAME).is_file() {
            return Self::new(manifest::read(folder)?);
        }
        if folder.join(transformers_js::PREPROCESSOR).is_file() {
            return Self::new(transformers_js::read(folder)?);
        }
        Err(ModelError::NotAModel {
            folder: folder.to_path_buf(),
        })
    }

    pub(crate) fn new(description: Description) -> Result<Self, ModelError> {
        let Description { image, text, .. } = &description;
        for source in [&image.source, &text.source, &text.tokenizer] {
            source.check_exists()?;
        }
        let fingerprint = fingerprint(&description)?;
        Ok(Self {
            inner: Arc::new(Inner {
                preprocessor: Preprocessor::new(&description.preprocess),
                fingerprint,
                description,
            }),
        })
    }

    /// The model's name, for people; the fingerprint is what tells models apart.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.description.name
    }

    /// The licence as the model's files state it.
    #[must_use]
    pub fn license(&self) -> Option<&str> {
        self.inner.description.license.as_deref()
    }

    /// How many values an embedding has.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.inner.description.dimension
    }

    /// 32 hexadecimal digits that change with any byte of the graphs and the tokenizer, and with
    /// any number of preprocessing and tokenization: vectors of two models with the same
    /// fingerprint can be compared, others cannot.
    ///
    /// It is the start of a BLAKE3 hash.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.inner.fingerprint
    }

    /// Where the model's files are; `None` for the one that is built in.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.inner.description.folder.as_deref()
    }

    /// The numbers of the preprocessing.
    #[must_use]
    pub fn preprocess(&self) -> &PreprocessConfig {
        &self.inner.description.preprocess
    }

    /// What turns decoded pictures into the image tower's input.
    #[must_use]
    pub fn preprocessor(&self) -> Preprocessor {
        self.inner.preprocessor.clone()
    }

    /// The numbers of the tokenization.
    #[must_use]
    pub fn tokenize(&self) -> &TokenizeConfig {
        &self.inner.description.text.tokenize
    }

    /// The most tokens that the text tower sees of a text, special ones included.
    #[must_use]
    pub fn context_length(&self) -> usize {
        self.tokenize().context_length
    }

    pub(crate) fn image_tower(&self) -> &ImageTower {
        &self.inner.description.image
    }

    pub(crate) fn text_tower(&self) -> &TextTower {
        &self.inner.description.text
    }
}

/// Everything that changes a vector goes in. The structs are taken apart, so that a new field does
/// not compile here until someone decides whether it counts.
fn fingerprint(description: &Description) -> Result<String, ModelError> {
    let Description {
        name: _,
        license: _,
        folder: _,
        dimension,
        preprocess,
        image,
        text,
    } = description;
    let ImageTower {
        source: image_source,
        input,
        output: image_output,
    } = image;
    let TextTower {
        source: text_source,
        input_ids,
        attention_mask,
        token_type_ids,
        extra_inputs_optional: _,
        output: text_output,
        tokenizer,
        tokenize,
    } = text;
    let numbers = format!(
        "sightline model 1\ndimension {dimension}\n{}\n{}\n\
         {input:?} {image_output:?}\n\
         {input_ids:?} {attention_mask:?} {token_type_ids:?} {text_output:?}\n",
        preprocess.describe(),
        tokenize.describe(),
    );
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(numbers.len() as u64).to_le_bytes());
    hasher.update(numbers.as_bytes());
    for source in [image_source, text_source, tokenizer] {
        source.hash_into(&mut hasher)?;
    }
    let mut digits = hasher.finalize().to_hex().to_string();
    digits.truncate(32);
    Ok(digits)
}
