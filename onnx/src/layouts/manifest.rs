//! The manifest `sightline.toml`.
//!
//! Every other layout is read into a [`Manifest`] too: its files say in their own way what a
//! manifest would say, and a manifest beside them takes precedence. Unknown keys are errors: a typo
//! in `interpolation` must not become a wrong vector.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::Error as _;

use crate::calibration::Calibration;
use crate::error::ModelError;
use crate::head::{DenseSpec, Pool};
use crate::language::Language;
use crate::precision::Precision;
use crate::preprocess::{Channels, Interpolation, Rounding};
use crate::tokenize::{Clean, MaskRule, Pad, Side};

pub(super) const FILE_NAME: &str = "sightline.toml";

/// Everything that can be said about a model; `None` where nothing is said.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Manifest {
    pub(super) name: Option<String>,
    pub(super) dimension: Option<usize>,
    pub(super) license: Option<String>,
    /// Precision of graphs whose file names have no suffix.
    #[serde(deserialize_with = "precision")]
    pub(super) precision: Option<Precision>,
    /// Keys of other layouts' files that are known to change nothing.
    pub(super) ignore: Vec<String>,
    pub(super) image: ImageKeys,
    pub(super) text: TextKeys,
    /// Cosines of unrelated pairs. They change no vector.
    pub(super) unrelated: Option<Calibration>,
    /// The text towers of other languages, [`TextKeys::other`] of the first.
    #[serde(skip)]
    pub(super) others: Vec<TextKeys>,
    /// The layout that it was read from, for people.
    #[serde(skip)]
    pub(super) layout: &'static str,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ImageKeys {
    /// A folder with a layout of its own that describes the tower, relative to the model's.
    pub(super) folder: Option<String>,
    /// The graph, relative to the folder.
    pub(super) file: Option<String>,
    pub(super) input: Option<String>,
    pub(super) output: Option<String>,
    /// Height and width.
    pub(super) size: Option<[u32; 2]>,
    pub(super) resize: Option<ResizeKey>,
    /// Length of the edge that `resize` refers to; without it, the size must be square.
    pub(super) edge: Option<u32>,
    pub(super) interpolation: Option<Interpolation>,
    pub(super) crop: Option<CropKey>,
    pub(super) rounding: Option<Rounding>,
    pub(super) fill: Option<[u8; 3]>,
    pub(super) rescale: Option<f64>,
    pub(super) mean: Option<[f32; 3]>,
    pub(super) std: Option<[f32; 3]>,
    pub(super) channels: Option<Channels>,
    pub(super) pool: Option<Pool>,
    pub(super) layer_norm: Option<bool>,
    #[serde(skip)]
    pub(super) hints: Hints,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TextKeys {
    /// The languages whose texts it encodes.
    #[serde(deserialize_with = "languages")]
    pub(super) languages: Option<Vec<Language>>,
    /// Moved to [`Manifest::others`] once it is read.
    #[serde(deserialize_with = "others")]
    pub(super) other: Option<Vec<TextKeys>>,
    /// As that of the image tower.
    pub(super) folder: Option<String>,
    /// The graph, relative to the folder.
    pub(super) file: Option<String>,
    pub(super) input_ids: Option<String>,
    pub(super) attention_mask: Option<String>,
    pub(super) token_type_ids: Option<String>,
    pub(super) position_ids: Option<String>,
    pub(super) output: Option<String>,
    /// The tokenizer, relative to the folder.
    pub(super) tokenizer: Option<String>,
    pub(super) context_length: Option<usize>,
    pub(super) pad: Option<Pad>,
    pub(super) pad_token: Option<String>,
    pub(super) pad_id: Option<u32>,
    pub(super) pad_side: Option<Side>,
    pub(super) truncate_side: Option<Side>,
    /// What BERT's normalizer does.
    pub(super) lowercase: Option<bool>,
    pub(super) strip_accents: Option<bool>,
    pub(super) split_chinese: Option<bool>,
    pub(super) mask: Option<MaskRule>,
    pub(super) clean: Option<Clean>,
    pub(super) start_token: Option<String>,
    pub(super) end_token: Option<String>,
    pub(super) erased_token: Option<String>,
    pub(super) query_prefix: Option<String>,
    pub(super) caption_prefix: Option<String>,
    pub(super) pool: Option<Pool>,
    pub(super) layer_norm: Option<bool>,
    /// A linear layer after the graph.
    #[serde(skip)]
    pub(super) dense: Option<DenseSpec>,
    #[serde(skip)]
    pub(super) hints: Hints,
}

/// What a layout knows besides the values.
#[derive(Default)]
pub(super) struct Hints {
    /// Output names that exporters of this layout give the embedding, the likeliest first.
    pub(super) outputs: &'static [&'static str],
    /// The file that most values were read from, for messages.
    pub(super) file: PathBuf,
    /// Why values are unknown, for messages.
    pub(super) why: Option<String>,
    /// Files besides the graph that the tower is made of.
    pub(super) beside: Vec<PathBuf>,
    /// Keys of the tower's table that must be given, because the layout's files leave them open.
    pub(super) needs: Vec<&'static str>,
    /// Whether no token sees those after it, so that padding after the end changes nothing.
    pub(super) is_causal: bool,
    /// What a text tower besides the first is called in dotted keys, such as `text.other[zh]`.
    pub(super) place: Option<String>,
    /// The dimension that such a tower's own folder gives.
    pub(super) dimension: Option<usize>,
}

impl Hints {
    /// A key of the text tower, dotted.
    pub(super) fn text_key(&self, key: &str) -> String {
        format!("{}.{key}", self.place.as_deref().unwrap_or("text"))
    }
}

#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ResizeKey {
    ShortestEdge,
    LongestEdge,
    Squash,
    SquashTo,
    Keep,
}

#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum CropKey {
    Center,
    None,
}

fn precision<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Precision>, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

fn languages<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Vec<Language>>, D::Error> {
    let codes: Vec<String> = Vec::deserialize(from)?;
    let mut languages: Vec<Language> = Vec::new();
    for code in codes {
        let language = code.parse();
        let language = language.map_err(|why| D::Error::custom(format!("`{code}`: {why}")))?;
        if languages.contains(&language) {
            return Err(D::Error::custom(format!("`{code}` is listed twice")));
        }
        languages.push(language);
    }
    if languages.is_empty() {
        return Err(D::Error::custom("expected at least one language"));
    }
    Ok(Some(languages))
}

fn others<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Vec<TextKeys>>, D::Error> {
    let others: Vec<TextKeys> = Vec::deserialize(from)?;
    if others.iter().any(|other| other.other.is_some()) {
        return Err(D::Error::custom("only [text] has other text towers"));
    }
    Ok(Some(others))
}

/// The manifest in this folder, if there is one.
pub(super) fn read(folder: &Path) -> Result<Option<Manifest>, ModelError> {
    let file = folder.join(FILE_NAME);
    if !file.is_file() {
        return Ok(None);
    }
    let text = fs_err::read_to_string(&file).map_err(ModelError::unreadable(&file))?;
    parse(&text, &file).map(Some)
}

/// Parses a manifest. `file` is for messages.
pub(super) fn parse(text: &str, file: &Path) -> Result<Manifest, ModelError> {
    let mut manifest: Manifest = toml::from_str(text).map_err(|source| ModelError::Manifest {
        file: file.to_path_buf(),
        source: Box::new(source),
    })?;
    manifest.layout = FILE_NAME;
    manifest.others = manifest.text.other.take().unwrap_or_default();
    manifest.image.hints.file = file.to_path_buf();
    for text in manifest.texts_mut() {
        text.hints.file = file.to_path_buf();
    }
    Ok(manifest)
}

/// Each field of the first value, or of the second where the first has none.
macro_rules! over {
    ($own:expr, $base:expr, $($field:ident),+) => {{
        let (own, base) = ($own, $base);
        Self { $($field: own.$field.or(base.$field),)+ hints: base.hints }
    }};
}

impl Manifest {
    /// Whether it names both graphs. Such a manifest stands alone: files of other layouts beside it
    /// are ignored.
    pub(super) fn is_whole(&self) -> bool {
        self.image.file.is_some() && self.text.file.is_some()
    }

    /// Whether it says enough that the graphs need not be read. The optional inputs may be left
    /// out on purpose, so they do not count.
    pub(super) fn names_all(&self) -> bool {
        let of_image = self.image.input.is_some() && self.image.output.is_some();
        of_image && self.text.names_all() && self.dimension.is_some()
    }

    /// The text towers, the first one first.
    pub(super) fn texts(&self) -> impl Iterator<Item = &TextKeys> {
        std::iter::once(&self.text).chain(&self.others)
    }

    /// As [`texts`](Self::texts), to be changed.
    pub(super) fn texts_mut(&mut self) -> impl Iterator<Item = &mut TextKeys> {
        std::iter::once(&mut self.text).chain(&mut self.others)
    }

    /// The values of this manifest, completed by those of a layout.
    pub(super) fn over(self, base: Self) -> Self {
        Self {
            name: self.name.or(base.name),
            dimension: self.dimension.or(base.dimension),
            license: self.license.or(base.license),
            precision: self.precision.or(base.precision),
            ignore: self.ignore,
            image: self.image.over(base.image),
            text: self.text.over(base.text),
            unrelated: self.unrelated.or(base.unrelated),
            others: if self.others.is_empty() {
                base.others
            } else {
                self.others
            },
            layout: base.layout,
        }
    }
}

impl ImageKeys {
    fn over(self, base: Self) -> Self {
        over!(
            self,
            base,
            file,
            input,
            output,
            size,
            resize,
            edge,
            interpolation,
            crop,
            rounding,
            fill,
            rescale,
            mean,
            std,
            channels,
            folder,
            pool,
            layer_norm
        )
    }
}

impl TextKeys {
    /// The same of a text tower.
    pub(super) fn names_all(&self) -> bool {
        self.input_ids.is_some() && self.output.is_some()
    }

    pub(super) fn over(self, base: Self) -> Self {
        over!(
            self,
            base,
            file,
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            output,
            tokenizer,
            context_length,
            pad,
            pad_token,
            pad_id,
            lowercase,
            mask,
            clean,
            start_token,
            end_token,
            folder,
            pad_side,
            truncate_side,
            strip_accents,
            split_chinese,
            erased_token,
            query_prefix,
            caption_prefix,
            pool,
            layer_norm,
            dense,
            languages,
            other
        )
    }
}
