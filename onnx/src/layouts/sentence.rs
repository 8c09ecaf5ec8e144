//! The text towers of sentence-transformers.
//!
//! `modules.json` lists the steps after the graph: pooling over the tokens, linear layers, and a
//! normalisation, which every embedding gets here.

use std::path::Path;

use serde::Deserialize;

use super::files::{json, json_or_default};
use super::keys::{Guard, Others};
use super::manifest::TextKeys;
use crate::error::ModelError;
use crate::file::mapped::stays_inside;
use crate::head::{DenseSpec, Pool, check_dense_file};
use crate::tokenize::Clean;

const MODULES: &str = "modules.json";
const LIMITS: &str = "sentence_bert_config.json";
const PROMPTS: &str = "config_sentence_transformers.json";

#[derive(Deserialize)]
struct Module {
    path: String,
    r#type: String,
}

#[derive(Deserialize)]
struct Pooling {
    /// The newer form; the older one has a key for each way.
    #[serde(rename = "pooling_mode")]
    mode: Option<String>,
    #[serde(default, rename = "pooling_mode_cls_token")]
    takes_cls: bool,
    #[serde(default, rename = "pooling_mode_mean_tokens")]
    takes_mean: bool,
    /// Whether the words before a text count for the mean.
    #[serde(default = "yes")]
    include_prompt: bool,
    #[serde(flatten)]
    others: Others,
}

#[derive(Deserialize)]
struct DenseModule {
    in_features: usize,
    out_features: usize,
    #[serde(default = "yes")]
    bias: bool,
    activation_function: Option<String>,
    #[serde(flatten)]
    others: Others,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Limits {
    max_seq_length: Option<usize>,
    do_lower_case: bool,
    #[serde(flatten)]
    others: Others,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Prompts {
    #[serde(rename = "prompts")]
    by_name: std::collections::BTreeMap<String, String>,
    default_prompt_name: Option<String>,
    #[serde(flatten)]
    others: Others,
}

pub(super) fn is_one(folder: &Path) -> bool {
    folder.join(MODULES).is_file()
}

/// Adds what the modules of a folder say to its text tower. Returns the dimension, if it is known.
pub(super) fn complete(
    folder: &Path,
    text: &mut TextKeys,
    ignored: &[String],
) -> Result<Option<usize>, ModelError> {
    let modules: Vec<Module> = json(folder, MODULES)?;
    let modules_file = folder.join(MODULES);
    let mut is_normalized = false;
    for module in &modules {
        if !module.path.is_empty() && !stays_inside(&module.path) {
            let reason = "a model's files must be inside its folder";
            return Err(ModelError::invalid(
                &modules_file,
                "path",
                &module.path,
                reason,
            ));
        }
        let name = module.r#type.rsplit('.').next().unwrap_or_default();
        match name {
            "Transformer" => continue,
            "Normalize" => {
                is_normalized = true;
                continue;
            }
            "Pooling" => text.pool = Some(pooling(folder, &module.path, ignored)?),
            // Every embedding is normalised at the end, and only there.
            "Dense" if text.dense.is_none() && !is_normalized => {
                let dense = dense(folder, &module.path, ignored)?;
                text.hints.beside.push(dense.file.clone());
                text.dense = Some(dense);
            }
            _ => {
                let (key, reason) = ("type", "this module is not supported here");
                return Err(ModelError::invalid(
                    &modules_file,
                    key,
                    &module.r#type,
                    reason,
                ));
            }
        }
        let config = folder.join(&module.path).join("config.json");
        text.hints.beside.push(config);
    }
    let limits: Limits = json_or_default(folder, LIMITS)?;
    let limits_file = folder.join(LIMITS);
    // The graph is what it is, however the program that trained it loads it.
    let harmless = [
        "transformer_task",
        "modality_config",
        "module_output_name",
        "architecture",
        "unpad_inputs",
    ];
    Guard::new(&limits_file, ignored).check("", &limits.others, &harmless)?;
    text.context_length = match (text.context_length, limits.max_seq_length) {
        (Some(model), Some(limit)) => Some(model.min(limit)),
        (model, limit) => limit.or(model),
    };
    if limits.do_lower_case {
        text.clean = Some(Clean::Lower);
    }
    prompts(folder, text, ignored)?;
    Ok(text.dense.as_ref().map(|dense| dense.n_out))
}

fn pooling(folder: &Path, path: &str, ignored: &[String]) -> Result<Pool, ModelError> {
    let name = format!("{path}/config.json");
    let pooling: Pooling = json(folder, &name)?;
    let file = folder.join(name);
    let guard = Guard::new(&file, ignored);
    let harmless = ["word_embedding_dimension", "embedding_dimension"];
    let others: Others = pooling
        .others
        .into_iter()
        // Another way of pooling that is not asked for.
        .filter(|(key, value)| !(key.starts_with("pooling_mode_") && value == false))
        .collect();
    guard.check("", &others, &harmless)?;
    if !pooling.include_prompt {
        guard.refuse("include_prompt", false, "")?;
    }
    let (cls, mean) = (pooling.takes_cls, pooling.takes_mean);
    match (pooling.mode.as_deref(), cls, mean) {
        (Some("cls"), ..) | (None, true, false) => Ok(Pool::Cls),
        (Some("mean"), ..) | (None, false, true) => Ok(Pool::Mean),
        (other, ..) => {
            let reason = "expected the first token or the mean";
            let value = other.unwrap_or("several");
            Err(ModelError::invalid(&file, "pooling_mode", value, reason))
        }
    }
}

fn dense(folder: &Path, path: &str, ignored: &[String]) -> Result<DenseSpec, ModelError> {
    let name = format!("{path}/config.json");
    let dense: DenseModule = json(folder, &name)?;
    let file = folder.join(name);
    let harmless = ["module_input_name", "module_output_name"];
    Guard::new(&file, ignored).check("", &dense.others, &harmless)?;
    let activation = dense.activation_function.as_deref().unwrap_or_default();
    let tanh = match activation.rsplit('.').next().unwrap_or_default() {
        "Identity" => false,
        "Tanh" => true,
        _ => {
            let (key, reason) = ("activation_function", "expected Identity or Tanh");
            return Err(ModelError::invalid(&file, key, activation, reason));
        }
    };
    let is_sound = |n: usize| (1..=65_536).contains(&n);
    if !is_sound(dense.in_features) || !is_sound(dense.out_features) {
        let value = format!("{} × {}", dense.out_features, dense.in_features);
        return Err(ModelError::invalid(
            &file,
            "out_features",
            value,
            "expected 1 to 65536",
        ));
    }
    Ok(DenseSpec {
        file: check_dense_file(&folder.join(path))?,
        n_in: dense.in_features,
        n_out: dense.out_features,
        has_bias: dense.bias,
        tanh,
    })
}

/// The words before queries and captions that the model was trained with.
fn prompts(folder: &Path, text: &mut TextKeys, ignored: &[String]) -> Result<(), ModelError> {
    let prompts: Prompts = json_or_default(folder, PROMPTS)?;
    let file = folder.join(PROMPTS);
    let harmless = ["__version__", "model_type", "similarity_fn_name"];
    Guard::new(&file, ignored).check("", &prompts.others, &harmless)?;
    let named = |name: &str| prompts.by_name.get(name).cloned();
    let usual = prompts.default_prompt_name.as_deref().and_then(named);
    text.query_prefix = named("query").or_else(|| usual.clone());
    text.caption_prefix = named("document").or_else(|| named("passage")).or(usual);
    Ok(())
}
