//! The layout of transformers.js and Optimum.
//!
//! `config.json` gives the model type, the dimension and the context length,
//! `preprocessor_config.json` the preprocessing, `tokenizer_config.json` the padding token. The
//! graphs are in `onnx/` (transformers.js) or beside these files (Optimum), one per tower or one
//! for both.

use std::path::Path;

use serde::Deserialize;

use super::files::{check_dimension, graphs, json, json_or_default};
use super::manifest::{Hints, Manifest, TextKeys};
use super::processor::{self, PREPROCESSOR, PROCESSOR};
use crate::error::ModelError;
use crate::tokenize::{Clean, MaskRule, Pad};

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// A plain `WordPiece` vocabulary, as the first Chinese-CLIP folders have.
const VOCABULARY: &str = "vocab.txt";

/// The part of `config.json` that is used.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Config {
    model_type: String,
    license: Option<String>,
    projection_dim: Option<usize>,
    #[serde(rename = "text_config")]
    text: Option<TowerConfig>,
    #[serde(rename = "vision_config")]
    vision: TowerConfig,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TowerConfig {
    max_position_embeddings: Option<usize>,
    projection_dim: Option<usize>,
    projection_size: Option<usize>,
    hidden_size: Option<usize>,
    embed_dim: Option<usize>,
}

/// `tokenizer_config.json`; `model_max_length` can be an astronomical number, hence a float.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct TokenizerConfig {
    pub(super) pad_token: Option<Token>,
    model_max_length: Option<f64>,
    tokenizer_class: String,
    do_lower_case: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Token {
    Plain(String),
    Added { content: String },
}

impl Token {
    pub(super) fn content(self) -> String {
        match self {
            Self::Plain(content) | Self::Added { content } => content,
        }
    }
}

impl TokenizerConfig {
    /// The most tokens, unless the number is a placeholder.
    fn limit(&self) -> Option<usize> {
        let limit = self.model_max_length?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked: between 1 and a million"
        )]
        (1.0..1e6).contains(&limit).then_some(limit as usize)
    }
}

/// What differs between model families.
#[derive(Default)]
struct Family {
    dimension: Option<usize>,
    context_length: Option<usize>,
    pad: Option<Pad>,
    mask: Option<MaskRule>,
    clean: Option<Clean>,
    image_outputs: &'static [&'static str],
    text_outputs: &'static [&'static str],
}

pub(super) fn is_one(folder: &Path) -> bool {
    folder.join(PREPROCESSOR).is_file() || folder.join(PROCESSOR).is_file()
}

/// Reads the description of the model in this folder.
pub(super) fn read(folder: &Path) -> Result<Manifest, ModelError> {
    let config: Config = json(folder, CONFIG)?;
    let tokenizer: TokenizerConfig = json_or_default(folder, TOKENIZER_CONFIG)?;
    let family = family(&config, &tokenizer);
    check_dimension(&folder.join(CONFIG), "projection_dim", family.dimension)?;
    let mut image = processor::read(folder, &config.model_type)?;
    image.hints.outputs = family.image_outputs;
    let (image_graph, text_graph) = graphs(folder);
    image.file = Some(image_graph);
    let context_length = match (family.context_length, tokenizer.limit()) {
        (Some(model), Some(tokenizer)) => Some(model.min(tokenizer)),
        (model, tokenizer) => model.or(tokenizer),
    };
    let is_plain_vocabulary =
        !folder.join(TOKENIZER).is_file() && folder.join(VOCABULARY).is_file();
    let tokenizer_file = if is_plain_vocabulary {
        VOCABULARY
    } else {
        TOKENIZER
    };
    let why = format!("config.json says model_type = {:?}", config.model_type);
    Ok(Manifest {
        dimension: family.dimension,
        license: config.license,
        image,
        text: TextKeys {
            file: Some(text_graph),
            tokenizer: Some(tokenizer_file.to_owned()),
            context_length,
            pad: family.pad,
            pad_token: tokenizer.pad_token.map(Token::content),
            lowercase: tokenizer.do_lower_case.filter(|_| is_plain_vocabulary),
            mask: family.mask,
            clean: family.clean,
            hints: Hints {
                outputs: family.text_outputs,
                file: folder.join(CONFIG),
                why: Some(why),
            },
            ..TextKeys::default()
        },
        layout: "transformers.js",
        ..Manifest::default()
    })
}

/// Values that a file leaves out default to those of the model's Hugging Face configuration.
fn family(config: &Config, tokenizer: &TokenizerConfig) -> Family {
    let default = TowerConfig::default();
    let (text, vision) = (config.text.as_ref().unwrap_or(&default), &config.vision);
    let projection = config.projection_dim.or(text.projection_dim);
    match config.model_type.as_str() {
        // Attention is causal, so padding after the end changes nothing, unless a graph of fixed
        // length requires it. MobileCLIP's exports use the same type and say nothing more about
        // their text towers, which do see padding.
        "clip" => Family {
            dimension: projection.or(vision.projection_dim).or(Some(512)),
            context_length: text.max_position_embeddings.or(Some(77)),
            pad: Some(match config.text {
                Some(_) => Pad::Longest,
                None => Pad::Context,
            }),
            image_outputs: &["image_embeds"],
            text_outputs: &["text_embeds"],
            ..Family::default()
        },
        // The last of exactly 64 tokens is the text's vector, and training included padding.
        "siglip" | "siglip2" => Family {
            dimension: text.projection_size.or(text.hidden_size).or(Some(768)),
            context_length: text.max_position_embeddings.or(Some(64)),
            pad: Some(Pad::Context),
            mask: Some(MaskRule::All),
            clean: siglip_clean(tokenizer),
            image_outputs: &["image_embeds", "pooler_output"],
            text_outputs: &["text_embeds", "pooler_output"],
        },
        "chinese_clip" => Family {
            dimension: projection.or(Some(512)),
            context_length: text.max_position_embeddings.or(Some(512)),
            pad: Some(Pad::Longest),
            image_outputs: &["image_embeds"],
            text_outputs: &["text_embeds"],
            ..Family::default()
        },
        "jina_clip" => Family {
            dimension: projection.or(text.embed_dim),
            context_length: text.max_position_embeddings,
            pad: Some(Pad::Longest),
            ..Family::default()
        },
        _ => Family {
            dimension: projection,
            context_length: text.max_position_embeddings,
            ..Family::default()
        },
    }
}

/// `SigLIP`'s tokenizer lowercases and strips punctuation, `SigLIP` 2's (Gemma's) only lowercases.
/// Where `tokenizer.json` does the same, repeating it changes nothing.
fn siglip_clean(tokenizer: &TokenizerConfig) -> Option<Clean> {
    let class = tokenizer.tokenizer_class.as_str();
    let lowercases = tokenizer.do_lower_case != Some(false);
    if class.starts_with("Siglip2") || class.starts_with("Gemma") {
        // Their file may lack the key; the models were trained on lower case only.
        return lowercases.then_some(Clean::Lower);
    }
    let is_first = class.starts_with("Siglip") || class.starts_with("T5");
    (is_first && lowercases).then_some(Clean::Canonical)
}
