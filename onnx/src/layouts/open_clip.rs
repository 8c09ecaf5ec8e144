//! The two layouts of `open_clip` models.
//!
//! In Immich's exports `config.json` is `open_clip`'s model configuration, and `visual/` and
//! `textual/` hold one tower each, with `preprocess_cfg.json` and `tokenizer.json`. In folders from
//! the hub `open_clip_config.json` holds both configurations, with the graphs and the tokenizer
//! beside it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::files::{check_dimension, graphs, json, json_or_default};
use super::manifest::{Hints, ImageKeys, Manifest, TextKeys};
use super::processor::{Size, Steps, open_clip_steps};
use super::transformers::{TOKENIZER_CONFIG, Token, TokenizerConfig};
use crate::error::ModelError;
use crate::tokenize::{Clean, Pad};

/// The configuration of a folder from the hub.
pub(super) const CONFIG: &str = "open_clip_config.json";
const IMMICH_CONFIG: &str = "config.json";
const IMMICH_PREPROCESS: &str = "visual/preprocess_cfg.json";

/// `open_clip_config.json`.
#[derive(Deserialize)]
struct Both {
    model_cfg: ModelCfg,
    #[serde(default)]
    preprocess_cfg: Steps,
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

pub(super) fn is_immich(folder: &Path) -> bool {
    folder.join(IMMICH_PREPROCESS).is_file()
        || folder.join("visual/model.onnx").is_file() && folder.join("textual").is_dir()
}

/// Reads the description of the Immich export in this folder.
pub(super) fn read_immich(folder: &Path) -> Result<Manifest, ModelError> {
    let model: ModelCfg = json(folder, IMMICH_CONFIG)?;
    let preprocess = json(folder, IMMICH_PREPROCESS)?;
    let files = (IMMICH_CONFIG, IMMICH_PREPROCESS);
    manifest(folder, "Immich", files, "textual/", &model, preprocess)
}

/// Reads the description of the folder from the hub.
pub(super) fn read(folder: &Path) -> Result<Manifest, ModelError> {
    let both: Both = json(folder, CONFIG)?;
    let (files, model) = ((CONFIG, CONFIG), &both.model_cfg);
    manifest(folder, "open_clip", files, "", model, both.preprocess_cfg)
}

fn manifest(
    folder: &Path,
    layout: &'static str,
    (config, preprocess_file): (&str, &str),
    text_folder: &str,
    model: &ModelCfg,
    mut steps: Steps,
) -> Result<Manifest, ModelError> {
    let config_file = folder.join(config);
    check_dimension(&config_file, "embed_dim", model.embed_dim)?;
    let (image_graph, text_graph) = graphs(folder);
    steps.size = steps.size.or(model.vision_cfg.image_size);
    let file = folder.join(preprocess_file);
    let image = open_clip_steps(&file, &steps)?;
    Ok(Manifest {
        dimension: model.embed_dim,
        image: ImageKeys {
            file: Some(image_graph),
            hints: Hints {
                file,
                ..Hints::default()
            },
            ..image
        },
        text: TextKeys {
            file: Some(text_graph),
            ..text(folder, config_file, text_folder, &model.text_cfg)?
        },
        layout,
        ..Manifest::default()
    })
}

fn text(
    folder: &Path,
    file: PathBuf,
    text_folder: &str,
    cfg: &TextCfg,
) -> Result<TextKeys, ModelError> {
    let tokenizer_config = format!("{text_folder}{TOKENIZER_CONFIG}");
    let tokenizer: TokenizerConfig = json_or_default(folder, &tokenizer_config)?;
    let clean = match cfg.tokenizer_kwargs.clean.as_deref() {
        // CLIP's own tokenizer lowercases by its file.
        None | Some("whitespace") => Clean::Whitespace,
        Some("lower") => Clean::Lower,
        Some("canonicalize") => Clean::CanonicalSpaced,
        Some(other) => {
            let reason = "expected whitespace, lower or canonicalize";
            let key = "text_cfg.tokenizer_kwargs.clean";
            return Err(ModelError::invalid(&file, key, other, reason));
        }
    };
    // A model that names no tokenizer has CLIP's, which open_clip pads with zeros, whatever the
    // tokenizer's file says. It matters in towers that attend to their padding.
    let has_clip_tokenizer = cfg.hf_tokenizer_name.is_none();
    Ok(TextKeys {
        tokenizer: Some(format!("{text_folder}tokenizer.json")),
        context_length: Some(cfg.context_length.unwrap_or(77)),
        pad: Some(Pad::Context),
        pad_id: has_clip_tokenizer.then_some(0),
        pad_token: tokenizer
            .pad_token
            .filter(|_| !has_clip_tokenizer)
            .map(Token::content),
        clean: Some(clean),
        hints: Hints {
            file,
            ..Hints::default()
        },
        ..TextKeys::default()
    })
}
