//! Which files make a model, and which numbers go with them?
//!
//! A [`Model`] is a checked description. It holds no session: the towers are loaded by
//! [`ImageEncoder`](crate::ImageEncoder) and [`TextEncoder`](crate::TextEncoder), each for itself,
//! so that a text query never pays for the image tower.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::ModelError;
use crate::layouts;
use crate::precision::{self, Precision};
use crate::preprocess::{PreprocessConfig, Preprocessor};
use crate::source::{self, Source};
use crate::tokenize::TokenizeConfig;

/// What a graph that holds both towers must be fed with while the other one is asked, where they
/// cannot be told apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Unused {
    /// The graph holds one tower only.
    None,
    /// One short text: these inputs.
    Texts(Vec<String>),
    /// One black picture: the input, height and width.
    Pixels(String, u32, u32),
}

#[derive(Clone)]
pub(crate) struct ImageTower {
    pub(crate) source: Source,
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) unused: Unused,
}

#[derive(Clone)]
pub(crate) struct TextTower {
    pub(crate) source: Source,
    pub(crate) input_ids: String,
    pub(crate) attention_mask: Option<String>,
    pub(crate) token_type_ids: Option<String>,
    pub(crate) position_ids: Option<String>,
    pub(crate) output: String,
    pub(crate) unused: Unused,
    pub(crate) tokenizer: Source,
    pub(crate) tokenize: TokenizeConfig,
}

/// What a layout says about a model, before its files are hashed.
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) license: Option<String>,
    pub(crate) dimension: usize,
    pub(crate) folder: Option<PathBuf>,
    /// Which layout the description was read from, for people.
    pub(crate) layout: &'static str,
    /// The precision of graphs whose names say nothing about it.
    pub(crate) precision: Precision,
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
    stamp: Option<String>,
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
    /// Reads the description of the model in a folder, in whichever layout it is (see
    /// [the crate's documentation](crate#what-a-model-folder-holds)). The graphs are hashed, not
    /// loaded.
    ///
    /// # Errors
    /// [`ModelError`] when the folder is no model, a file is missing or unreadable, or a value in
    /// a description cannot be used.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        Self::open_with(folder, None)
    }

    /// As [`open`](Self::open), but with the graphs of this precision. `None` takes the most exact
    /// one that both towers have, unless a manifest names the file of another one.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`ModelError::NoPrecision`] when the towers have no graphs of this
    /// precision.
    pub fn open_with(folder: &Path, precision: Option<Precision>) -> Result<Self, ModelError> {
        Self::open_known(folder, precision, &|_| None)
    }

    /// As [`open_with`](Self::open_with), but the graphs are only hashed when `known` does not
    /// have the fingerprint that belongs to the model's [`stamp`](Self::stamp), for which it is
    /// asked.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    pub fn open_known(
        folder: &Path,
        precision: Option<Precision>,
        known: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ModelError> {
        let description = layouts::complete_in(folder, layouts::find(folder)?, precision)?;
        Self::with_known(description, known)
    }

    /// The precisions for which both towers of the model in this folder have graphs, the most
    /// exact one first. The graphs are neither loaded nor hashed.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn variants(folder: &Path) -> Result<Vec<Precision>, ModelError> {
        let manifest = layouts::find(folder)?.manifest;
        let plain = manifest.precision.unwrap_or(Precision::Fp32);
        let file = |name: Option<String>| folder.join(name.unwrap_or_default());
        let (image, text) = (file(manifest.image.file), file(manifest.text.file));
        Ok(precision::in_common(&image, &text, plain))
    }

    pub(crate) fn new(description: Description) -> Result<Self, ModelError> {
        Self::with_known(description, &|_| None)
    }

    fn with_known(
        description: Description,
        known: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ModelError> {
        let Description { image, text, .. } = &description;
        for source in [&image.source, &text.source, &text.tokenizer] {
            source.check_exists()?;
        }
        let stamp = stamp(&description)?;
        let fingerprint = match stamp.as_deref().and_then(known) {
            Some(known) => known,
            None => fingerprint(&description)?,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                preprocessor: Preprocessor::new(&description.preprocess),
                stamp,
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

    /// Changes with any number of preprocessing and tokenization, and with the name, size or time
    /// of any file, so that whoever keeps it beside the [`fingerprint`](Self::fingerprint) need not
    /// have hundreds of megabytes hashed again. It says nothing where the folder is. `None` for the
    /// model that is built in.
    ///
    /// A file that is changed twice within the resolution of the file system's clock, and keeps
    /// its size, keeps its stamp: do not keep that of a file that was changed a moment ago.
    #[must_use]
    pub fn stamp(&self) -> Option<&str> {
        self.inner.stamp.as_deref()
    }

    /// The precision of its graphs, by their names; a manifest can tell that of a graph whose name
    /// says nothing.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.inner.description.precision
    }

    /// Which layout its folder follows: `"sightline.toml"`, `"transformers.js"`, `"Immich"`,
    /// `"open_clip"`, or `"built in"`.
    #[must_use]
    pub fn layout(&self) -> &'static str {
        self.inner.description.layout
    }

    /// The files that are run: the graphs with the weights beside them, and the tokenizer. None
    /// for the model that is built in.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = self
            .sources()
            .iter()
            .flat_map(|source| source.files())
            .collect();
        files.dedup();
        files
    }

    /// How many bytes the graphs, the weights beside them and the tokenizer have.
    ///
    /// # Errors
    /// [`ModelError::Unreadable`] when a file has gone since the model was opened.
    pub fn n_bytes(&self) -> Result<u64, ModelError> {
        let sources = self.sources();
        // A graph that holds both towers counts once.
        let is_shared = sources[0].file().is_some() && sources[0].file() == sources[1].file();
        sources
            .iter()
            .skip(usize::from(is_shared))
            .try_fold(0, |sum, source| Ok(sum + source.n_bytes()?))
    }

    /// How many bytes the image tower's graph and the weights beside it have.
    ///
    /// # Errors
    /// [`ModelError::Unreadable`] when a file has gone since the model was opened.
    pub fn n_image_bytes(&self) -> Result<u64, ModelError> {
        self.image_tower().source.n_bytes()
    }

    /// The file of the image tower's graph; `None` when it is built in.
    #[must_use]
    pub fn image_graph(&self) -> Option<&Path> {
        self.image_tower().source.file()
    }

    /// The file of the text tower's graph, which may be the image tower's too; `None` when it is
    /// built in.
    #[must_use]
    pub fn text_graph(&self) -> Option<&Path> {
        self.text_tower().source.file()
    }

    /// Graph of the image tower, graph of the text tower, tokenizer.
    fn sources(&self) -> [&Source; 3] {
        let Description { image, text, .. } = &self.inner.description;
        [&image.source, &text.source, &text.tokenizer]
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

/// Everything that changes a vector goes in.
fn fingerprint(description: &Description) -> Result<String, ModelError> {
    let numbers = numbers(description);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(numbers.len() as u64).to_le_bytes());
    hasher.update(numbers.as_bytes());
    let Description { image, text, .. } = description;
    for source in [&image.source, &text.source, &text.tokenizer] {
        source.hash_into(&mut hasher)?;
    }
    Ok(short_hex(&hasher))
}

/// What tells cheaply that the fingerprint is still the same; `None` when nothing lies in files.
fn stamp(description: &Description) -> Result<Option<String>, ModelError> {
    let Description {
        folder,
        image,
        text,
        ..
    } = description;
    let Some(folder) = folder else {
        return Ok(None);
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update(numbers(description).as_bytes());
    for source in [&image.source, &text.source, &text.tokenizer] {
        for file in source.files() {
            let metadata = fs_err::metadata(&file).map_err(|source| ModelError::Unreadable {
                file: file.clone(),
                source,
            })?;
            let name = file.strip_prefix(folder).unwrap_or(&file);
            let told = format!("\n{} {}", name.display(), source::state(&metadata));
            hasher.update(told.as_bytes());
        }
    }
    Ok(Some(short_hex(&hasher)))
}

fn short_hex(hasher: &blake3::Hasher) -> String {
    let mut digits = hasher.finalize().to_hex().to_string();
    digits.truncate(32);
    digits
}

/// All that is not in the bytes of the graphs and the tokenizer. The structs are taken apart, so
/// that a new field does not compile here until someone decides whether it counts.
fn numbers(description: &Description) -> String {
    let Description {
        name: _,
        license: _,
        folder: _,
        layout: _,
        precision: _,
        dimension,
        preprocess,
        image,
        text,
    } = description;
    let ImageTower {
        source: _,
        input,
        output: image_output,
        unused: _,
    } = image;
    let TextTower {
        source: _,
        input_ids,
        attention_mask,
        token_type_ids,
        position_ids,
        output: text_output,
        unused: _,
        tokenizer: _,
        tokenize,
    } = text;
    let mut numbers = format!(
        "sightline model 1\ndimension {dimension}\n{}\n{}\n\
         {input:?} {image_output:?}\n\
         {input_ids:?} {attention_mask:?} {token_type_ids:?} {text_output:?}\n",
        preprocess.describe(),
        tokenize.describe(),
    );
    // This came later: without it, older fingerprints stay.
    if let Some(position_ids) = position_ids {
        let _ = writeln!(numbers, "positions {position_ids:?}");
    }
    numbers
}
