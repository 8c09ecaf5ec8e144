//! What do the files of a model in the layout of transformers.js and Optimum say?
//!
//! `config.json` gives the kind of model, the dimension and the context length,
//! `preprocessor_config.json` the preprocessing, `tokenizer_config.json` the padding token. The
//! graphs lie in `onnx/` (transformers.js) or beside these files (Optimum), one for each tower or
//! one for both.

use std::path::Path;

use serde::Deserialize;

use super::processor::{self, PREPROCESSOR, PROCESSOR};
use super::{graphs, json_if_there, value};
use crate::error::ModelError;
use crate::manifest::{Hints, Manifest, Text};
use crate::tokenize::{Clean, MaskRule, Pad};

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// A bare vocabulary of word pieces, as the first Chinese-CLIP folders have.
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

/// `tokenizer_config.json`; `model_max_length` can be an astronomic number, hence a float.
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
    /// The most tokens, when it is a number that means something.
    fn limit(&self) -> Option<usize> {
        let limit = self.model_max_length?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and a million, as checked"
        )]
        (1.0..1e6).contains(&limit).then_some(limit as usize)
    }
}

/// What sets one kind of model apart from the others.
#[derive(Default)]
struct Kind {
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
    if !folder.join(CONFIG).is_file() {
        return Err(ModelError::MissingFile {
            file: folder.join(CONFIG),
        });
    }
    let config: Config = json_if_there(folder, CONFIG)?;
    let tokenizer: TokenizerConfig = json_if_there(folder, TOKENIZER_CONFIG)?;
    let kind = kind(&config, &tokenizer);
    if let Some(dimension) = kind.dimension
        && !(1..=65_536).contains(&dimension)
    {
        let reason = "it must be 1 to 65536";
        return Err(value(folder, CONFIG, "projection_dim", dimension, reason));
    }
    let mut image = processor::read(folder, &config.model_type)?;
    image.hints.outputs = kind.image_outputs;
    let (image_graph, text_graph) = graphs(folder);
    image.file = Some(image_graph);
    let context_length = match (kind.context_length, tokenizer.limit()) {
        (Some(model), Some(tokenizer)) => Some(model.min(tokenizer)),
        (model, tokenizer) => model.or(tokenizer),
    };
    let is_bare = !folder.join(TOKENIZER).is_file() && folder.join(VOCABULARY).is_file();
    let why = format!("config.json says model_type = {:?}", config.model_type);
    Ok(Manifest {
        dimension: kind.dimension,
        license: config.license,
        image,
        text: Text {
            file: Some(text_graph),
            tokenizer: Some(if is_bare { VOCABULARY } else { TOKENIZER }.to_owned()),
            context_length,
            pad: kind.pad,
            pad_token: tokenizer.pad_token.map(Token::content),
            mask: kind.mask,
            clean: kind.clean,
            hints: Hints {
                outputs: kind.text_outputs,
                file: Some(folder.join(CONFIG)),
                why: Some(why),
            },
            ..Text::default()
        },
        ..Manifest::default()
    })
}

/// Values that a file leaves out are those of the Hugging Face configuration of that model.
fn kind(config: &Config, tokenizer: &TokenizerConfig) -> Kind {
    let unsaid = TowerConfig::default();
    let (text, vision) = (config.text.as_ref().unwrap_or(&unsaid), &config.vision);
    let projection = config.projection_dim.or(text.projection_dim);
    match config.model_type.as_str() {
        // Attention looks back only, so what is filled in behind the end changes nothing, unless a
        // graph of fixed length says otherwise. MobileCLIP's exports borrow the name and say no more
        // of their text towers, which see what is filled in.
        "clip" => Kind {
            dimension: projection.or(vision.projection_dim).or(Some(512)),
            context_length: text.max_position_embeddings.or(Some(77)),
            pad: Some(match config.text {
                Some(_) => Pad::Longest,
                None => Pad::Context,
            }),
            image_outputs: &["image_embeds"],
            text_outputs: &["text_embeds"],
            ..Kind::default()
        },
        // The last of exactly 64 tokens is the text's vector, and padding was seen in training.
        "siglip" | "siglip2" => Kind {
            dimension: text.projection_size.or(text.hidden_size).or(Some(768)),
            context_length: text.max_position_embeddings.or(Some(64)),
            pad: Some(Pad::Context),
            mask: Some(MaskRule::All),
            clean: siglip_clean(tokenizer),
            image_outputs: &["image_embeds", "pooler_output"],
            text_outputs: &["text_embeds", "pooler_output"],
        },
        "chinese_clip" => Kind {
            dimension: projection.or(Some(512)),
            context_length: text.max_position_embeddings.or(Some(512)),
            pad: Some(Pad::Longest),
            image_outputs: &["image_embeds"],
            text_outputs: &["text_embeds"],
            ..Kind::default()
        },
        "jina_clip" => Kind {
            dimension: projection.or(text.embed_dim),
            context_length: text.max_position_embeddings,
            pad: Some(Pad::Longest),
            ..Kind::default()
        },
        _ => Kind {
            dimension: projection,
            context_length: text.max_position_embeddings,
            ..Kind::default()
        },
    }
}

/// The first `SigLIP`'s tokenizer lowers and strips punctuation, the second's (Gemma's) only lowers.
/// Where `tokenizer.json` does the same again, nothing changes.
fn siglip_clean(tokenizer: &TokenizerConfig) -> Option<Clean> {
    let class = tokenizer.tokenizer_class.as_str();
    let lowers = tokenizer.do_lower_case;
    if class.starts_with("Siglip2") || class.starts_with("Gemma") {
        // Their file may lack the key; the models were trained on lower case throughout.
        return (lowers != Some(false)).then_some(Clean::Lower);
    }
    let is_first = class.starts_with("Siglip") || class.starts_with("T5");
    (is_first && lowers != Some(false)).then_some(Clean::Canonical)
}
