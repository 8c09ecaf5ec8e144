//! What does `sightline.toml` say about the model in its folder?
//!
//! A [`Manifest`] is also what every other layout is read into: each says in its own files what a
//! manifest would say, and what a manifest beside them says wins. Keys that are not known are
//! errors: a typing error in `interpolation` must not become a wrong vector.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::ModelError;
use crate::precision::Precision;
use crate::preprocess::{Channels, Interpolation, Rounding};
use crate::tokenize::{Clean, MaskRule, Pad};

pub(crate) const FILE_NAME: &str = "sightline.toml";

/// Everything that can be said about a model. `None`: not said.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Manifest {
    pub(crate) name: Option<String>,
    pub(crate) dimension: Option<usize>,
    pub(crate) license: Option<String>,
    /// That of graphs whose names do not tell it.
    #[serde(deserialize_with = "precision")]
    pub(crate) precision: Option<Precision>,
    pub(crate) image: Image,
    pub(crate) text: Text,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Image {
    /// The graph, relative to the folder.
    pub(crate) file: Option<String>,
    pub(crate) input: Option<String>,
    pub(crate) output: Option<String>,
    /// Height and width.
    pub(crate) size: Option<[u32; 2]>,
    pub(crate) resize: Option<ResizeKey>,
    /// Length of the edge that `resize` speaks of; when it is left out, the size must be square.
    pub(crate) edge: Option<u32>,
    pub(crate) interpolation: Option<Interpolation>,
    pub(crate) crop: Option<CropKey>,
    pub(crate) rounding: Option<Rounding>,
    pub(crate) fill: Option<[u8; 3]>,
    pub(crate) rescale: Option<f64>,
    pub(crate) mean: Option<[f32; 3]>,
    pub(crate) std: Option<[f32; 3]>,
    pub(crate) channels: Option<Channels>,
    #[serde(skip)]
    pub(crate) hints: Hints,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Text {
    /// The graph, relative to the folder.
    pub(crate) file: Option<String>,
    pub(crate) input_ids: Option<String>,
    pub(crate) attention_mask: Option<String>,
    pub(crate) token_type_ids: Option<String>,
    pub(crate) position_ids: Option<String>,
    pub(crate) output: Option<String>,
    /// The tokenizer, relative to the folder.
    pub(crate) tokenizer: Option<String>,
    pub(crate) context_length: Option<usize>,
    pub(crate) pad: Option<Pad>,
    pub(crate) pad_token: Option<String>,
    pub(crate) pad_id: Option<u32>,
    pub(crate) mask: Option<MaskRule>,
    pub(crate) clean: Option<Clean>,
    pub(crate) start_token: Option<String>,
    pub(crate) end_token: Option<String>,
    #[serde(skip)]
    pub(crate) hints: Hints,
}

/// What a layout knows beside the values.
#[derive(Default)]
pub(crate) struct Hints {
    /// Names under which exporters of this layout put out the embedding, the likeliest first.
    pub(crate) outputs: &'static [&'static str],
    /// The file that most values were read from, for messages.
    pub(crate) file: Option<PathBuf>,
    /// Why values are not known, for messages.
    pub(crate) why: Option<String>,
}

#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ResizeKey {
    ShortestEdge,
    LongestEdge,
    Squash,
    SquashTo,
    Keep,
}

#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CropKey {
    Center,
    None,
}

fn precision<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Precision>, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// The manifest in this folder, if there is one.
pub(crate) fn read(folder: &Path) -> Result<Option<Manifest>, ModelError> {
    let file = folder.join(FILE_NAME);
    if !file.is_file() {
        return Ok(None);
    }
    let text = fs_err::read_to_string(&file).map_err(|source| ModelError::Unreadable {
        file: file.clone(),
        source,
    })?;
    parse(&text, &file).map(Some)
}

/// Reads a manifest. `file` is for messages.
pub(crate) fn parse(text: &str, file: &Path) -> Result<Manifest, ModelError> {
    let mut manifest: Manifest = toml::from_str(text).map_err(|source| ModelError::Manifest {
        file: file.to_path_buf(),
        source: Box::new(source),
    })?;
    manifest.image.hints.file = Some(file.to_path_buf());
    manifest.text.hints.file = Some(file.to_path_buf());
    if manifest.is_whole() {
        manifest.text.pad.get_or_insert(Pad::Longest);
    }
    Ok(manifest)
}

/// Each field of the first, or where it says nothing, of the second.
macro_rules! over {
    ($own:expr, $base:expr, $($field:ident),+ ; $($rest:tt)*) => {{
        let (own, base) = ($own, $base);
        Self { $($field: own.$field.or(base.$field),)+ $($rest)* }
    }};
}

impl Manifest {
    /// Whether it names both graphs. Such a manifest speaks for itself, and files of other layouts
    /// beside it change nothing.
    pub(crate) fn is_whole(&self) -> bool {
        self.image.file.is_some() && self.text.file.is_some()
    }

    /// Whether it says so much that no graph has to be asked. The extra inputs may be left out by
    /// intent, so they do not count.
    pub(crate) fn names_all(&self) -> bool {
        let names = [
            &self.image.input,
            &self.image.output,
            &self.text.input_ids,
            &self.text.output,
        ];
        names.into_iter().all(Option::is_some) && self.dimension.is_some()
    }

    /// What this manifest says, and where it says nothing, what the other one does.
    pub(crate) fn over(self, base: Self) -> Self {
        let image = self.image.over(base.image);
        let text = self.text.over(base.text);
        Self {
            name: self.name.or(base.name),
            dimension: self.dimension.or(base.dimension),
            license: self.license.or(base.license),
            precision: self.precision.or(base.precision),
            image,
            text,
        }
    }
}

impl Image {
    fn over(self, base: Self) -> Self {
        let hints = base.hints;
        over!(
            self, Self { hints: Hints::default(), ..base },
            file, input, output, size, resize, edge, interpolation, crop, rounding, fill, rescale,
            mean, std, channels; hints
        )
    }
}

impl Text {
    fn over(self, base: Self) -> Self {
        let hints = base.hints;
        over!(
            self, Self { hints: Hints::default(), ..base },
            file, input_ids, attention_mask, token_type_ids, position_ids, output, tokenizer,
            context_length, pad, pad_token, pad_id, mask, clean, start_token, end_token; hints
        )
    }
}
