//! The layout of transformers.js and Optimum.
//!
//! `config.json` gives the model type, the dimension and the context length,
//! `preprocessor_config.json` the preprocessing, `tokenizer_config.json` the tokenizer's class and
//! padding token. The graphs are in `onnx/` (transformers.js) or beside these files (Optimum), one
//! per tower or one for both. A folder may hold one tower only.

use std::path::Path;

use serde::Deserialize;

use super::files::{Tower, check_dimension, graph, graphs, json};
use super::manifest::{Hints, ImageKeys, Manifest, TextKeys};
use super::processor::{self, PREPROCESSOR, PROCESSOR};
use super::sentence;
use super::tokenizer::{Implied, TokenizerFiles};
use crate::error::ModelError;
use crate::tokenize::{MaskRule, Pad};

const CONFIG: &str = "config.json";

/// The part of `config.json` that is used. The rest describes what is in the graphs.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Config {
    model_type: String,
    license: Option<String>,
    #[serde(rename = "text_config")]
    text: Option<TowerConfig>,
    #[serde(rename = "vision_config")]
    vision: TowerConfig,
    /// What a folder of one tower says at the top.
    #[serde(flatten)]
    own: TowerConfig,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
struct TowerConfig {
    max_position_embeddings: Option<usize>,
    projection_dim: Option<usize>,
    projection_size: Option<usize>,
    hidden_size: Option<usize>,
    embed_dim: Option<usize>,
}

/// What differs between model families.
#[derive(Default)]
struct Family {
    dimension: Option<usize>,
    context_length: Option<usize>,
    pad: Option<Pad>,
    mask: Option<MaskRule>,
    /// Whether padding after the end of a text changes nothing.
    is_causal: bool,
    /// Whether `SigLIP`'s rules clean a text.
    is_siglip: bool,
    /// The class of the tokenizer where no file names one.
    tokenizer: Option<&'static str>,
    image_outputs: &'static [&'static str],
    text_outputs: &'static [&'static str],
}

pub(super) fn is_one(folder: &Path) -> bool {
    folder.join(PREPROCESSOR).is_file() || folder.join(PROCESSOR).is_file()
}

/// Whether the folder holds a text tower.
pub(super) fn is_text(folder: &Path) -> bool {
    folder.join(CONFIG).is_file()
}

/// Reads the description of the model in this folder.
pub(super) fn read(folder: &Path, ignored: &[String]) -> Result<Manifest, ModelError> {
    let config: Config = json(folder, CONFIG)?;
    let family = family(&config);
    check_dimension(&folder.join(CONFIG), "projection_dim", family.dimension)?;
    let (image_graph, text_graph) = graphs(folder);
    let mut image = image(folder, &config, &family, ignored)?;
    image.file = Some(image_graph);
    let mut text = text(folder, &config, &family, ignored)?;
    text.file = Some(text_graph);
    Ok(Manifest {
        image,
        text,
        ..whole(&config, family.dimension)
    })
}

/// Reads the description of the image tower in this folder.
pub(super) fn read_image(folder: &Path, ignored: &[String]) -> Result<Manifest, ModelError> {
    let config: Config = json(folder, CONFIG)?;
    let family = family(&config);
    let mut image = image(folder, &config, &family, ignored)?;
    image.file = Some(graph(folder, Tower::Image));
    Ok(Manifest {
        image,
        ..whole(&config, family.dimension)
    })
}

/// Reads the description of the text tower in this folder.
pub(super) fn read_text(folder: &Path, ignored: &[String]) -> Result<Manifest, ModelError> {
    let config: Config = json(folder, CONFIG)?;
    let family = family(&config);
    let mut text = text(folder, &config, &family, ignored)?;
    text.file = Some(graph(folder, Tower::Text));
    let dimension = if sentence::is_one(folder) {
        sentence::complete(folder, &mut text, ignored)?
    } else {
        family.dimension
    };
    Ok(Manifest {
        text,
        ..whole(&config, dimension)
    })
}

fn whole(config: &Config, dimension: Option<usize>) -> Manifest {
    Manifest {
        dimension,
        license: config.license.clone(),
        layout: "transformers.js",
        ..Manifest::default()
    }
}

fn image(
    folder: &Path,
    config: &Config,
    family: &Family,
    ignored: &[String],
) -> Result<ImageKeys, ModelError> {
    let mut image = processor::read(folder, &config.model_type, ignored)?;
    image.hints.outputs = family.image_outputs;
    Ok(image)
}

fn text(
    folder: &Path,
    config: &Config,
    family: &Family,
    ignored: &[String],
) -> Result<TextKeys, ModelError> {
    let implied = Implied {
        class: family.tokenizer,
        is_cleaned: family.is_siglip,
        arguments: None,
    };
    let tokenizer = TokenizerFiles::read(folder, &implied, ignored)?;
    let context_length = match (family.context_length, tokenizer.limit()) {
        (Some(model), Some(tokenizer)) => Some(model.min(tokenizer)),
        (model, tokenizer) => model.or(tokenizer),
    };
    let why = format!("config.json says model_type = {:?}", config.model_type);
    let mut text = tokenizer.text_keys(Hints {
        outputs: family.text_outputs,
        file: folder.join(CONFIG),
        why: Some(why),
        is_causal: family.is_causal,
        ..Hints::default()
    });
    text.context_length = context_length;
    text.pad = family.pad;
    text.mask = family.mask;
    if family.is_siglip {
        text.clean = tokenizer.siglip_clean();
        if text.clean.is_none() && !tokenizer.lowercases() {
            text.hints.needs.push("clean");
        }
    }
    Ok(text)
}

/// Values that a file leaves out default to those of the model's Hugging Face configuration.
fn family(config: &Config) -> Family {
    let (own, vision) = (config.own, config.vision);
    let is_half = config.model_type.ends_with("_text_model");
    let text = if is_half {
        own
    } else {
        config.text.unwrap_or_default()
    };
    let projection = own.projection_dim.or(text.projection_dim);
    match config.model_type.as_str() {
        // Attention is causal, so padding after the end changes nothing, unless a graph of fixed
        // length requires it. MobileCLIP's exports use the same type and say nothing more about
        // their text towers, which do see padding.
        "clip" | "clip_text_model" | "clip_vision_model" => {
            let is_causal = config.text.is_some() || is_half;
            Family {
                dimension: projection.or(vision.projection_dim).or(Some(512)),
                context_length: text.max_position_embeddings.or(Some(77)),
                pad: (!is_causal).then_some(Pad::Context),
                is_causal,
                tokenizer: Some("CLIPTokenizer"),
                image_outputs: &["image_embeds"],
                text_outputs: &["text_embeds"],
                ..Family::default()
            }
        }
        // The last of exactly 64 tokens is the text's vector, and training included padding.
        "siglip" | "siglip2" | "siglip_text_model" | "siglip_vision_model" => Family {
            dimension: text.projection_size.or(text.hidden_size).or(Some(768)),
            context_length: text.max_position_embeddings.or(Some(64)),
            pad: Some(Pad::Context),
            mask: Some(MaskRule::All),
            is_siglip: true,
            image_outputs: &["image_embeds", "pooler_output"],
            text_outputs: &["text_embeds", "pooler_output"],
            ..Family::default()
        },
        "chinese_clip" => Family {
            dimension: projection.or(Some(512)),
            context_length: text.max_position_embeddings.or(Some(512)),
            tokenizer: Some("BertTokenizer"),
            image_outputs: &["image_embeds"],
            text_outputs: &["text_embeds"],
            ..Family::default()
        },
        // Where its graph takes no mask, it makes one from the id of the padding.
        "jina_clip" => Family {
            dimension: projection.or(text.embed_dim),
            context_length: text.max_position_embeddings,
            pad: Some(Pad::Longest),
            ..Family::default()
        },
        // The first two positions of RoBERTa's table are not for tokens.
        "roberta" | "xlm-roberta" => Family {
            dimension: projection,
            context_length: own.max_position_embeddings.map(|n| n.saturating_sub(2)),
            ..Family::default()
        },
        _ => Family {
            dimension: projection,
            context_length: text.max_position_embeddings.or(own.max_position_embeddings),
            ..Family::default()
        },
    }
}
