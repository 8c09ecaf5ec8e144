//! A model: which files make it, and which numbers go with them.
//!
//! A [`Model`] is a checked description and holds no session. [`ImageTower`](crate::ImageTower) and
//! [`TextTower`](crate::TextTower) load the towers separately, so that a text query never pays for
//! the image tower.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::calibration::Calibration;
use crate::description::{Description, ImageSpec, TextSpec};
use crate::error::ModelError;
use crate::language::Language;
use crate::layouts;
use crate::precision::Precision;
use crate::preprocess::{PreprocessConfig, Preprocessor};
use crate::source::{self, Source};
use crate::tokenize::TokenizeConfig;

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
    /// Reads the description of the model in a folder, whatever its layout (see
    /// [the crate's documentation](crate#what-a-model-folder-holds)). The graphs are hashed, not
    /// loaded.
    ///
    /// # Errors
    /// [`ModelError`] when the folder is not a model, a file is missing or unreadable, or a
    /// description has an invalid value.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        Self::open_with(folder, None)
    }

    /// As [`open`](Self::open), with the graphs of this precision. `None` takes the most exact
    /// precision that both towers have, unless a manifest names the file of another one.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`ModelError::NoPrecision`] when a tower has no graph of this
    /// precision.
    pub fn open_with(folder: &Path, precision: Option<Precision>) -> Result<Self, ModelError> {
        Self::open_known(folder, precision, &|_| None)
    }

    /// As [`open_with`](Self::open_with), but skips hashing the graphs when `known` returns the
    /// fingerprint for the model's [`stamp`](Self::stamp).
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    pub fn open_known(
        folder: &Path,
        precision: Option<Precision>,
        known: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ModelError> {
        let description = layouts::describe(folder, precision)?;
        Self::new(description, known)
    }

    /// Reads the description of a model whose towers lie in two folders, each by its own layout:
    /// an image tower and a text tower that were trained for one space. A `sightline.toml` with
    /// `image.folder` and `text.folder` in a folder above describes the same model.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    pub fn open_towers(
        image: &Path,
        text: &Path,
        precision: Option<Precision>,
    ) -> Result<Self, ModelError> {
        let description = layouts::describe_towers(image, text, precision)?;
        Self::new(description, &|_| None)
    }

    /// As [`variants`](Self::variants), of the model whose towers lie in two folders.
    ///
    /// # Errors
    /// As [`open_towers`](Self::open_towers).
    pub fn variants_of_towers(image: &Path, text: &Path) -> Result<Vec<Precision>, ModelError> {
        layouts::variants_of_towers(image, text)
    }

    /// The precisions for which both towers of the model in this folder have graphs, the most exact
    /// first. The graphs are neither loaded nor hashed.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn variants(folder: &Path) -> Result<Vec<Precision>, ModelError> {
        layouts::variants(folder)
    }

    /// Reads the files that describe the model in a folder, which may have no graphs yet.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for what only the graphs show.
    pub fn check_description(folder: &Path) -> Result<(), ModelError> {
        layouts::check_description(folder)
    }

    /// `known` returns the fingerprint for a stamp, if it is known.
    pub(crate) fn new(
        description: Description,
        known: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ModelError> {
        for source in description.sources() {
            source.check_exists()?;
        }
        let stamp = description.stamp()?;
        let fingerprint = match stamp.as_deref().and_then(known) {
            Some(known) => known,
            None => description.fingerprint()?,
        };
        Ok(Self::of(description, stamp, fingerprint))
    }

    /// The built-in model, whose fingerprint is known.
    pub(crate) fn built_in(description: Description, fingerprint: &str) -> Self {
        Self::of(description, None, fingerprint.to_owned())
    }

    fn of(description: Description, stamp: Option<String>, fingerprint: String) -> Self {
        Self {
            inner: Arc::new(Inner {
                preprocessor: Preprocessor::new(&description.preprocess),
                stamp,
                fingerprint,
                description,
            }),
        }
    }

    /// The model's name, for people. What identifies it is the fingerprint.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.description.name
    }

    /// The licence stated by the model's files.
    #[must_use]
    pub fn license(&self) -> Option<&str> {
        self.inner.description.license.as_deref()
    }

    /// What its cosines mean, if its files say so.
    #[must_use]
    pub fn calibration(&self) -> Option<Calibration> {
        self.inner.description.calibration
    }

    /// Number of values of an embedding.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.inner.description.dimension
    }

    /// 32 hexadecimal digits, the start of a BLAKE3 hash, that change with any byte of the graphs
    /// and the tokenizers and with any setting of preprocessing and tokenization. Vectors are
    /// comparable only if their models' fingerprints are equal.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.inner.fingerprint
    }

    /// Changes with any setting of preprocessing and tokenization, and with the name, size or time
    /// of any file. Stored beside the [`fingerprint`](Self::fingerprint), it saves hashing hundreds
    /// of megabytes again. It does not depend on where the folder is. `None` for the built-in
    /// model.
    ///
    /// A file that is changed twice within the resolution of the file system's clock, and keeps
    /// its size, keeps its stamp: do not store the stamp of a file that has only just changed.
    #[must_use]
    pub fn stamp(&self) -> Option<&str> {
        self.inner.stamp.as_deref()
    }

    /// The precision of its graphs by their names; a manifest can give that of a graph whose name
    /// has no suffix.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.inner.description.precision
    }

    /// The layout of its folder: `"sightline.toml"`, `"transformers.js"`, `"Immich"`,
    /// `"open_clip"`, or `"built in"`.
    #[must_use]
    pub fn layout(&self) -> &'static str {
        self.inner.description.layout
    }

    /// The files that are run, each once: the graphs with the weights beside them, and the
    /// tokenizers. None for the built-in model.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.inner.description.files()
    }

    /// Size of the graphs, the weights beside them and the tokenizers, in bytes.
    ///
    /// # Errors
    /// [`ModelError::Unreadable`] when a file has disappeared since the model was opened.
    pub fn n_bytes(&self) -> Result<u64, ModelError> {
        let sources = self.inner.description.sources();
        let built_in = sources.iter().filter_map(|source| source.built_in);
        let built_in: u64 = built_in.map(|bytes| bytes.len() as u64).sum();
        let files = self.files();
        files
            .iter()
            .try_fold(built_in, |sum, file| Ok(sum + source::n_bytes(file)?))
    }

    /// Size of the image tower's graph and the weights beside it, in bytes.
    ///
    /// # Errors
    /// [`ModelError::Unreadable`] when a file has disappeared since the model was opened.
    pub fn n_image_bytes(&self) -> Result<u64, ModelError> {
        self.image().source.n_bytes()
    }

    /// The files of the graphs, each once: the image tower's, the first text tower's, the others'.
    /// None for the built-in model.
    #[must_use]
    pub fn graphs(&self) -> Vec<&Path> {
        let texts = self.inner.description.texts().map(|text| &text.source);
        let sources = std::iter::once(&self.image().source).chain(texts);
        let mut graphs: Vec<&Path> = Vec::new();
        for file in sources.filter_map(Source::file) {
            if !graphs.contains(&file) {
                graphs.push(file);
            }
        }
        graphs
    }

    /// The graphs of the text towers besides the first. A precision of the model need not have
    /// one: a text tower without it is run as it is.
    #[must_use]
    pub fn other_text_graphs(&self) -> Vec<&Path> {
        let others = self.inner.description.others.iter();
        others.filter_map(|text| text.source.file()).collect()
    }

    /// The model's folder; `None` for the built-in model.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.inner.description.folder.as_deref()
    }

    /// The settings of its preprocessing.
    #[must_use]
    pub fn preprocess(&self) -> &PreprocessConfig {
        &self.inner.description.preprocess
    }

    /// Turns decoded pictures into the image tower's input.
    #[must_use]
    pub fn preprocessor(&self) -> Preprocessor {
        self.inner.preprocessor.clone()
    }

    /// The tokenization settings of its first text tower.
    #[must_use]
    pub fn tokenize(&self) -> &TokenizeConfig {
        &self.text().tokenize
    }

    /// The tokenization settings of text tower `n`, counted from 0; `None` if there is none.
    #[must_use]
    pub fn tokenize_nth(&self, n: usize) -> Option<&TokenizeConfig> {
        Some(&self.inner.description.texts().nth(n)?.tokenize)
    }

    /// The languages of each text tower, in order. Texts of other languages are for the first. A
    /// model with one text tower may name none.
    #[must_use]
    pub fn text_languages(&self) -> Vec<&[Language]> {
        let texts = self.inner.description.texts();
        texts.map(|text| text.languages.as_slice()).collect()
    }

    /// Whether one graph holds the image tower and the first text tower.
    pub(crate) fn is_joint(&self) -> bool {
        self.inner.description.is_joint
    }

    pub(crate) fn image(&self) -> &ImageSpec {
        &self.inner.description.image
    }

    /// The first text tower.
    pub(crate) fn text(&self) -> &Arc<TextSpec> {
        &self.inner.description.text
    }

    /// Text tower `n`, counted from 0, or the number of text towers.
    pub(crate) fn text_nth(&self, n: usize) -> Result<&Arc<TextSpec>, usize> {
        let description = &self.inner.description;
        let found = description.texts().nth(n);
        found.ok_or(1 + description.others.len())
    }
}
