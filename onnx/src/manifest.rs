//! What does `sightline.toml` say about the model in its folder?
//!
//! The manifest names every file, input, output and number, so nothing has to be guessed. Keys that
//! are not known are errors: a typing error in `interpolation` must not become a wrong vector.

use std::fmt::Display;
use std::path::{Component, Path};

use serde::Deserialize;

use crate::error::ModelError;
use crate::model::{Description, ImageTower, TextTower};
use crate::precision::Precision;
use crate::preprocess::{Interpolation, PreprocessConfig, Resize};
use crate::source::Source;
use crate::tokenize::{Pad, TokenizeConfig};

pub(crate) const FILE_NAME: &str = "sightline.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    name: String,
    dimension: usize,
    license: Option<String>,
    image: Image,
    text: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    file: String,
    input: String,
    output: String,
    /// Height and width.
    size: [u32; 2],
    resize: ResizeKey,
    /// Length of the edge that `resize` speaks of; when it is left out, the size must be square.
    edge: Option<u32>,
    interpolation: InterpolationKey,
    #[serde(default)]
    crop: CropKey,
    rescale: Option<f64>,
    mean: [f32; 3],
    std: [f32; 3],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    file: String,
    input_ids: String,
    attention_mask: Option<String>,
    token_type_ids: Option<String>,
    output: String,
    tokenizer: String,
    context_length: usize,
    #[serde(default)]
    pad: PadKey,
    pad_token: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum ResizeKey {
    ShortestEdge,
    LongestEdge,
    Squash,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum InterpolationKey {
    Bilinear,
    Bicubic,
    Lanczos,
}

#[derive(Deserialize, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum CropKey {
    #[default]
    Center,
    None,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
enum PadKey {
    #[default]
    Longest,
    Context,
}

/// Reads the manifest in this folder.
pub(crate) fn read(folder: &Path) -> Result<Description, ModelError> {
    let file = folder.join(FILE_NAME);
    let text = fs_err::read_to_string(&file).map_err(|source| ModelError::Unreadable {
        file: file.clone(),
        source,
    })?;
    let mut description = parse(&text, &file, |name| Some(Source::File(folder.join(name))))?;
    description.folder = Some(folder.to_path_buf());
    Ok(description)
}

/// Reads a manifest whose files are found by `locate`. `file` is for messages.
pub(crate) fn parse(
    text: &str,
    file: &Path,
    locate: impl Fn(&str) -> Option<Source>,
) -> Result<Description, ModelError> {
    let manifest: Manifest = toml::from_str(text).map_err(|source| ModelError::Manifest {
        file: file.to_path_buf(),
        source: Box::new(source),
    })?;
    let locate = |key: &'static str, name: &str| {
        let inside = Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !inside || name.is_empty() {
            let reason = "a model's files must lie in its folder";
            return Err(value(file, key, name, reason));
        }
        locate(name).ok_or_else(|| ModelError::MissingFile {
            file: Path::new(name).to_path_buf(),
        })
    };
    if !(1..=65_536).contains(&manifest.dimension) {
        let reason = "it must be 1 to 65536";
        return Err(value(file, "dimension", manifest.dimension, reason));
    }
    let preprocess = preprocess(&manifest.image, file)?;
    let image = ImageTower {
        source: locate("image.file", &manifest.image.file)?,
        input: manifest.image.input,
        output: manifest.image.output,
    };
    let text = manifest.text;
    let text = TextTower {
        source: locate("text.file", &text.file)?,
        tokenizer: locate("text.tokenizer", &text.tokenizer)?,
        input_ids: text.input_ids,
        attention_mask: text.attention_mask,
        token_type_ids: text.token_type_ids,
        extra_inputs_optional: false,
        output: text.output,
        tokenize: TokenizeConfig {
            context_length: text.context_length,
            pad: match text.pad {
                PadKey::Longest => Pad::Longest,
                PadKey::Context => Pad::Context,
            },
            pad_token: text.pad_token,
        },
    };
    Ok(Description {
        name: manifest.name,
        license: manifest.license,
        dimension: manifest.dimension,
        folder: None,
        layout: FILE_NAME,
        precision: Precision::Fp32,
        preprocess,
        image,
        text,
    })
}

fn preprocess(image: &Image, file: &Path) -> Result<PreprocessConfig, ModelError> {
    let [height, width] = image.size;
    let edge = match image.edge {
        Some(edge) => edge,
        None if height == width => height,
        None => 0,
    };
    let resize = match image.resize {
        ResizeKey::ShortestEdge => Resize::ShortestEdge(edge),
        ResizeKey::LongestEdge => Resize::LongestEdge(edge),
        ResizeKey::Squash => Resize::Squash,
    };
    if resize != Resize::Squash {
        if edge == 0 {
            let reason = "a size that is not square needs image.edge, the length to resize to";
            return Err(value(
                file,
                "image.size",
                format!("{:?}", image.size),
                reason,
            ));
        }
        if image.crop == CropKey::None {
            let reason = "only squashed pictures have the model's size without a crop";
            return Err(value(file, "image.crop", "none", reason));
        }
    }
    PreprocessConfig {
        resize,
        interpolation: match image.interpolation {
            InterpolationKey::Bilinear => Interpolation::Bilinear,
            InterpolationKey::Bicubic => Interpolation::Bicubic,
            InterpolationKey::Lanczos => Interpolation::Lanczos,
        },
        height,
        width,
        rescale: image.rescale.unwrap_or(1.0 / 255.0),
        mean: image.mean,
        std: image.std,
    }
    .checked(file)
}

fn value(file: &Path, key: &'static str, value: impl Display, reason: &'static str) -> ModelError {
    ModelError::Value {
        file: file.to_path_buf(),
        key,
        value: value.to_string(),
        reason,
    }
}
