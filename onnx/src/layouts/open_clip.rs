//! The two layouts of `open_clip` models.
//!
//! In Immich's exports `config.json` is `open_clip`'s model configuration, and `visual/` and
//! `textual/` hold one tower each, with `preprocess_cfg.json` and `tokenizer.json`. In folders from
//! the hub `open_clip_config.json` holds both configurations, with the graphs and the tokenizer
//! beside it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::files::{check_dimension, graphs, json};
use super::keys::{Guard, Others};
use super::manifest::{Hints, ImageKeys, Manifest, TextKeys};
use super::processor::{Size, Steps, open_clip_steps};
use super::tokenizer::{Implied, TokenizerFiles};
use crate::error::ModelError;
use crate::tokenize::{Clean, Pad};

/// The configuration of a folder from the hub.
pub(super) const CONFIG: &str = "open_clip_config.json";
const IMMICH_CONFIG: &str = "config.json";
const IMMICH_PREPROCESS: &str = "visual/preprocess_cfg.json";

/// Keys of the text tower that describe its network, which is in the graph. `pad_id` and `eos_id`
/// are what the network looks for; the ids themselves come from the tokenizer.
const TEXT_NETWORK: &[&str] = &[
    "act_kwargs",
    "block_type",
    "embed_cls",
    "eos_id",
    "final_ln_after_pool",
    "heads",
    "hf_model_name",
    "hf_model_pretrained",
    "hf_pooler_type",
    "hf_proj_type",
    "layers",
    "ls_init_value",
    "mlp_ratio",
    "no_causal_mask",
    "norm_kwargs",
    "output_tokens",
    "pad_id",
    "pool_type",
    "pooler_type",
    "proj",
    "proj_bias",
    "proj_type",
    "qk_norm",
    "scale_attn",
    "scale_attn_inner",
    "scale_fc",
    "scale_heads",
    "scaled_cosine_attn",
    "vocab_size",
    "width",
];
/// Keys of the model that describe its network.
const NETWORK: &[&str] = &[
    "cast_dtype",
    "custom_text",
    "init_logit_bias",
    "init_logit_scale",
    "multimodal_cfg",
    "nonscalar_logit_scale",
    "quick_gelu",
];

/// `open_clip_config.json`.
#[derive(Deserialize)]
struct Both {
    model_cfg: ModelCfg,
    #[serde(default)]
    preprocess_cfg: Steps,
    #[serde(flatten)]
    others: Others,
}

#[derive(Deserialize)]
struct ModelCfg {
    embed_dim: Option<usize>,
    #[serde(default)]
    vision_cfg: VisionCfg,
    text_cfg: TextCfg,
    #[serde(flatten)]
    others: Others,
}

/// The rest describes the network, which is in the graph.
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
    tokenizer_mode: Option<String>,
    tokenizer_kwargs: Option<TokenizerKwargs>,
    #[serde(flatten)]
    others: Others,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TokenizerKwargs {
    clean: Option<String>,
    strip_sep_token: bool,
    tokenizer_mode: Option<String>,
    language: Option<String>,
    #[serde(flatten)]
    others: Others,
}

pub(super) fn is_immich(folder: &Path) -> bool {
    folder.join(IMMICH_PREPROCESS).is_file()
        || folder.join("visual/model.onnx").is_file() && folder.join("textual").is_dir()
}

/// Reads the description of the Immich export in this folder.
pub(super) fn read_immich(folder: &Path, ignored: &[String]) -> Result<Manifest, ModelError> {
    let model: ModelCfg = json(folder, IMMICH_CONFIG)?;
    let preprocess = json(folder, IMMICH_PREPROCESS)?;
    let folder = OpenClip {
        folder,
        layout: "Immich",
        config: folder.join(IMMICH_CONFIG),
        preprocess: folder.join(IMMICH_PREPROCESS),
        section: "",
        text_folder: "textual/",
        ignored,
    };
    folder.manifest(&model, preprocess)
}

/// Reads the description of the folder from the hub.
pub(super) fn read(folder: &Path, ignored: &[String]) -> Result<Manifest, ModelError> {
    let both: Both = json(folder, CONFIG)?;
    let file = folder.join(CONFIG);
    Guard::new(&file, ignored).check("", &both.others, &[])?;
    let folder = OpenClip {
        folder,
        layout: "open_clip",
        config: file.clone(),
        preprocess: file,
        section: "model_cfg.",
        text_folder: "",
        ignored,
    };
    folder.manifest(&both.model_cfg, both.preprocess_cfg)
}

/// A folder of one of the two layouts.
struct OpenClip<'a> {
    folder: &'a Path,
    layout: &'static str,
    /// The file of the model's configuration, and that of its preprocessing.
    config: PathBuf,
    preprocess: PathBuf,
    /// Where the model's configuration is in its file, for messages.
    section: &'static str,
    text_folder: &'static str,
    ignored: &'a [String],
}

impl OpenClip<'_> {
    fn manifest(&self, model: &ModelCfg, mut steps: Steps) -> Result<Manifest, ModelError> {
        check_dimension(&self.config, "embed_dim", model.embed_dim)?;
        let guard = Guard::new(&self.config, self.ignored);
        guard.check(self.section.trim_end_matches('.'), &model.others, NETWORK)?;
        let of_steps = Guard::new(&self.preprocess, self.ignored);
        let section = if self.section.is_empty() {
            ""
        } else {
            "preprocess_cfg"
        };
        of_steps.check(section, &steps.others, &[])?;
        let (image_graph, text_graph) = graphs(self.folder);
        steps.size = steps.size.or(model.vision_cfg.image_size);
        let image = open_clip_steps(&self.preprocess, &steps)?;
        Ok(Manifest {
            dimension: model.embed_dim,
            image: ImageKeys {
                file: Some(image_graph),
                hints: Hints {
                    file: self.preprocess.clone(),
                    ..Hints::default()
                },
                ..image
            },
            text: TextKeys {
                file: Some(text_graph),
                ..self.text(&model.text_cfg)?
            },
            layout: self.layout,
            ..Manifest::default()
        })
    }

    fn text(&self, cfg: &TextCfg) -> Result<TextKeys, ModelError> {
        let guard = Guard::new(&self.config, self.ignored);
        let default = TokenizerKwargs::default();
        let kwargs = cfg.tokenizer_kwargs.as_ref().unwrap_or(&default);
        let section = format!("{}text_cfg", self.section);
        guard.check(&section, &cfg.others, TEXT_NETWORK)?;
        let modes = [&cfg.tokenizer_mode, &kwargs.tokenizer_mode];
        if let Some(mode) = modes.into_iter().flatten().find(|mode| !mode.is_empty()) {
            guard.refuse("text_cfg.tokenizer_mode", mode, "")?;
        }
        if let Some(language) = &kwargs.language {
            guard.refuse(
                "text_cfg.tokenizer_kwargs.language",
                language,
                "not supported",
            )?;
        }
        let folder = self.folder.join(self.text_folder);
        let has_clip_tokenizer = cfg.hf_tokenizer_name.as_ref().is_none_or(String::is_empty);
        let implied = if has_clip_tokenizer {
            guard.check(&format!("{section}.tokenizer_kwargs"), &kwargs.others, &[])?;
            Implied {
                class: Some("CLIPTokenizer"),
                ..Implied::default()
            }
        } else {
            // open_clip passes the keys that are not its own on to transformers.
            Implied {
                is_cleaned: matches!(kwargs.clean.as_deref(), Some("lower" | "canonicalize")),
                arguments: Some(&kwargs.others),
                ..Implied::default()
            }
        };
        let tokenizer = TokenizerFiles::read(&folder, &implied, self.ignored)?;
        let clean = match kwargs.clean.as_deref() {
            // CLIP's own tokenizer lowercases by its file.
            None | Some("whitespace") => Clean::Whitespace,
            Some("lower") => Clean::LowerSpaced,
            Some("canonicalize") => Clean::CanonicalSpaced,
            Some(other) => {
                let reason = "expected whitespace, lower or canonicalize";
                let key = "text_cfg.tokenizer_kwargs.clean";
                return Err(ModelError::invalid(&self.config, key, other, reason));
            }
        };
        if has_clip_tokenizer && kwargs.clean.as_deref() == Some("whitespace") {
            let reason = "CLIP's tokenizer.json lowercases";
            guard.refuse("text_cfg.tokenizer_kwargs.clean", "whitespace", reason)?;
        }
        let mut keys = tokenizer.text_keys(Hints {
            file: self.config.clone(),
            ..Hints::default()
        });
        if kwargs.strip_sep_token {
            let reason = "tokenizer_config.json names no sep_token";
            let key = "text_cfg.tokenizer_kwargs.strip_sep_token";
            keys.erased_token = Some(
                tokenizer
                    .separator()
                    .ok_or_else(|| ModelError::invalid(&self.config, key, true, reason))?,
            );
        }
        // A model that names no tokenizer has CLIP's, which open_clip pads with zeros, whatever the
        // tokenizer's file says. It matters in towers that attend to their padding.
        if has_clip_tokenizer {
            (keys.pad_id, keys.pad_token) = (Some(0), None);
            (keys.pad_side, keys.truncate_side) = (None, None);
        }
        let name = keys.tokenizer.unwrap_or_default();
        Ok(TextKeys {
            tokenizer: Some(format!("{}{name}", self.text_folder)),
            context_length: Some(cfg.context_length.unwrap_or(77)),
            pad: Some(Pad::Context),
            clean: Some(clean),
            ..keys
        })
    }
}
