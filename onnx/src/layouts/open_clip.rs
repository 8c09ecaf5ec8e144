//! What do the files of a model that `open_clip` describes say?
//!
//! Two layouts hold the same values. Immich's exports: `config.json` is `open_clip`'s model
//! configuration, `visual/` and `textual/` hold one tower each with `preprocess_cfg.json` and
//! `tokenizer.json`. Folders from the hub: `open_clip_config.json` holds both configurations, and
//! graphs and tokenizer lie beside it.

use std::path::Path;

use serde::Deserialize;

use super::processor::{Steps, open_clip_steps};
use super::transformers::{TOKENIZER_CONFIG, Token, TokenizerConfig};
use super::{graphs, json, json_if_there, value};
use crate::error::ModelError;
use crate::manifest::{Hints, Image, Manifest, Text};
use crate::tokenize::{Clean, Pad};

/// What the hub's folders keep their configuration in.
pub(super) const CONFIG: &str = "open_clip_config.json";
const IMMICH_CONFIG: &str = "config.json";
const IMMICH_PREPROCESS: &str = "visual/preprocess_cfg.json";

/// `open_clip_config.json`.
#[derive(Deserialize)]
struct Both {
    model_cfg: ModelCfg,
    #[serde(default)]
    preprocess_cfg: PreprocessCfg,
}

#[derive(Deserialize)]
struct ModelCfg {
    embed_dim: Option<usize>,
    #[serde(default)]
    vision_cfg: VisionCfg,
    #[serde(default)]
    text_cfg: TextCfg,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct VisionCfg {
    image_size: Option<Size>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TextCfg {
    context_length: Option<usize>,
    hf_tokenizer_name: Option<String>,
    tokenizer_kwargs: TokenizerKwargs,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TokenizerKwargs {
    clean: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PreprocessCfg {
    size: Option<Size>,
    mode: Option<String>,
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
    interpolation: Option<String>,
    resize_mode: Option<String>,
    fill_color: Option<u8>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(untagged)]
enum Size {
    Side(u32),
    Sides([u32; 2]),
    Alone([u32; 1]),
}

impl Size {
    fn sides(self) -> [u32; 2] {
        match self {
            Self::Side(side) | Self::Alone([side]) => [side, side],
            Self::Sides(sides) => sides,
        }
    }
}

pub(super) fn is_immich(folder: &Path) -> bool {
    folder.join(IMMICH_PREPROCESS).is_file()
        || folder.join("visual/model.onnx").is_file() && folder.join("textual").is_dir()
}

/// Reads the description of the Immich export in this folder.
pub(super) fn read_immich(folder: &Path) -> Result<Manifest, ModelError> {
    let model: ModelCfg = json(folder, IMMICH_CONFIG)?;
    let preprocess: PreprocessCfg = json(folder, IMMICH_PREPROCESS)?;
    let files = (IMMICH_CONFIG, IMMICH_PREPROCESS);
    manifest(folder, files, "textual/", &model, &preprocess)
}

/// Reads the description of the folder from the hub.
pub(super) fn read(folder: &Path) -> Result<Manifest, ModelError> {
    let both: Both = json(folder, CONFIG)?;
    let files = (CONFIG, CONFIG);
    manifest(folder, files, "", &both.model_cfg, &both.preprocess_cfg)
}

fn manifest(
    folder: &Path,
    (config, preprocess_file): (&str, &str),
    text_folder: &str,
    model: &ModelCfg,
    preprocess: &PreprocessCfg,
) -> Result<Manifest, ModelError> {
    if let Some(dimension) = model.embed_dim
        && !(1..=65_536).contains(&dimension)
    {
        let reason = "it must be 1 to 65536";
        return Err(value(folder, config, "embed_dim", dimension, reason));
    }
    if let Some(mode) = preprocess.mode.as_deref()
        && mode != "RGB"
    {
        let reason = "only RGB is known";
        return Err(value(folder, preprocess_file, "mode", mode, reason));
    }
    let (image_graph, text_graph) = graphs(folder);
    let size = preprocess.size.or(model.vision_cfg.image_size);
    let steps = Steps {
        size: size.map(Size::sides),
        mean: preprocess.mean,
        std: preprocess.std,
        interpolation: preprocess.interpolation.as_deref(),
        resize_mode: preprocess.resize_mode.as_deref(),
        fill: preprocess.fill_color,
    };
    let image = open_clip_steps(folder, preprocess_file, &steps)?;
    let hints = |file: &str| Hints {
        file: Some(folder.join(file)),
        ..Hints::default()
    };
    Ok(Manifest {
        dimension: model.embed_dim,
        image: Image {
            file: Some(image_graph),
            hints: hints(preprocess_file),
            ..image
        },
        text: Text {
            file: Some(text_graph),
            hints: hints(config),
            ..text(folder, config, text_folder, &model.text_cfg)?
        },
        ..Manifest::default()
    })
}

fn text(folder: &Path, config: &str, text_folder: &str, cfg: &TextCfg) -> Result<Text, ModelError> {
    let tokenizer_config = format!("{text_folder}{TOKENIZER_CONFIG}");
    let tokenizer: TokenizerConfig = json_if_there(folder, &tokenizer_config)?;
    let clean = match cfg.tokenizer_kwargs.clean.as_deref() {
        // The tokenizer of CLIP itself lowers in its own file.
        None | Some("whitespace") => Clean::Whitespace,
        Some("lower") => Clean::Lower,
        Some("canonicalize") => Clean::CanonicalSpaced,
        Some(other) => {
            let reason = "it must be whitespace, lower or canonicalize";
            let key = "text_cfg.tokenizer_kwargs.clean";
            return Err(value(folder, config, key, other, reason));
        }
    };
    // Without a tokenizer of its own a model has CLIP's, which open_clip fills up with zeros,
    // whatever the file of the tokenizer says. It shows in towers that look at their padding.
    let is_clip_s = cfg.hf_tokenizer_name.is_none();
    Ok(Text {
        tokenizer: Some(format!("{text_folder}tokenizer.json")),
        context_length: Some(cfg.context_length.unwrap_or(77)),
        pad: Some(Pad::Context),
        pad_id: is_clip_s.then_some(0),
        pad_token: tokenizer
            .pad_token
            .filter(|_| !is_clip_s)
            .map(Token::content),
        clean: Some(clean),
        ..Text::default()
    })
}
