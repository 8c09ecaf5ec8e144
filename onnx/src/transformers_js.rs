//! What do the files of a CLIP model in the transformers.js layout say?
//!
//! `config.json` gives the dimension and the context length, `preprocessor_config.json` the
//! preprocessing, `tokenizer.json` and, where there is one, `tokenizer_config.json` the
//! tokenization. The graphs' inputs and outputs have fixed names in this layout.

use std::fmt::Display;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::ModelError;
use crate::model::{Description, ImageTower, TextTower};
use crate::precision::Precision;
use crate::preprocess::{Interpolation, PreprocessConfig, Resize};
use crate::source::Source;
use crate::tokenize::{Pad, TokenizeConfig};

pub(crate) const PREPROCESSOR: &str = "preprocessor_config.json";
const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// The part of `config.json` that is used.
#[derive(Deserialize)]
struct Config {
    model_type: String,
    projection_dim: Option<usize>,
    #[serde(default)]
    #[serde(rename = "text_config")]
    text: TextConfig,
}

/// Defaults are those of the Hugging Face configuration, which leaves out what equals them.
#[derive(Deserialize)]
#[serde(default)]
struct TextConfig {
    max_position_embeddings: usize,
    projection_dim: Option<usize>,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            max_position_embeddings: 77,
            projection_dim: None,
        }
    }
}

/// `preprocessor_config.json`; defaults are those of `CLIPImageProcessor`.
#[derive(Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the file's keys, each of which switches one step"
)]
struct ImageProcessor {
    #[serde(alias = "feature_extractor_type")]
    #[serde(rename = "image_processor_type")]
    kind: String,
    do_resize: bool,
    size: Size,
    resample: u8,
    do_center_crop: bool,
    crop_size: Size,
    do_rescale: bool,
    rescale_factor: f64,
    do_normalize: bool,
    image_mean: [f32; 3],
    image_std: [f32; 3],
}

impl Default for ImageProcessor {
    fn default() -> Self {
        Self {
            kind: "CLIPImageProcessor".to_owned(),
            do_resize: true,
            size: Size::Edge(224),
            resample: 3,
            do_center_crop: true,
            crop_size: Size::Edge(224),
            do_rescale: true,
            rescale_factor: 1.0 / 255.0,
            do_normalize: true,
            image_mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            image_std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
        }
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(untagged)]
enum Size {
    Sides { height: u32, width: u32 },
    ShortestEdge { shortest_edge: u32 },
    Edge(u32),
}

/// `tokenizer_config.json`; `model_max_length` can be an astronomic number, hence a float.
#[derive(Deserialize, Default)]
struct TokenizerConfig {
    pad_token: Option<Token>,
    model_max_length: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Token {
    Plain(String),
    Added { content: String },
}

/// Reads the description of the model in this folder.
pub(crate) fn read(folder: &Path) -> Result<Description, ModelError> {
    let config: Config = json(folder, CONFIG)?;
    if config.model_type != "clip" {
        let reason = "of this layout only CLIP models are understood";
        return Err(value(
            folder,
            CONFIG,
            "model_type",
            config.model_type,
            reason,
        ));
    }
    let dimension = config
        .projection_dim
        .or(config.text.projection_dim)
        .unwrap_or_default();
    if !(1..=65_536).contains(&dimension) {
        let reason = "it must be 1 to 65536";
        return Err(value(folder, CONFIG, "projection_dim", dimension, reason));
    }
    let preprocess = preprocess(folder, &json(folder, PREPROCESSOR)?)?;
    let tokenizer_config: TokenizerConfig = if folder.join(TOKENIZER_CONFIG).is_file() {
        json(folder, TOKENIZER_CONFIG)?
    } else {
        TokenizerConfig::default()
    };
    let graph = |name: &str| Source::File(folder.join("onnx").join(name));
    let name = folder
        .file_name()
        .map_or_else(|| "model".to_owned(), |n| n.to_string_lossy().into_owned());
    Ok(Description {
        name,
        license: None,
        dimension,
        folder: Some(folder.to_path_buf()),
        layout: "transformers.js",
        precision: Precision::Fp32,
        preprocess,
        image: ImageTower {
            source: graph("vision_model.onnx"),
            input: "pixel_values".to_owned(),
            output: "image_embeds".to_owned(),
        },
        text: TextTower {
            source: graph("text_model.onnx"),
            input_ids: "input_ids".to_owned(),
            attention_mask: Some("attention_mask".to_owned()),
            token_type_ids: None,
            extra_inputs_optional: true,
            output: "text_embeds".to_owned(),
            tokenizer: Source::File(folder.join(TOKENIZER)),
            tokenize: tokenize(&config.text, tokenizer_config),
        },
    })
}

fn tokenize(text: &TextConfig, tokenizer: TokenizerConfig) -> TokenizeConfig {
    let mut context_length = text.max_position_embeddings;
    if let Some(limit) = tokenizer.model_max_length
        && limit >= 1.0
        && limit < context_length as f64
    {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and a usize, as just checked"
        )]
        let limit = limit as usize;
        context_length = limit;
    }
    TokenizeConfig {
        context_length,
        pad: Pad::Longest,
        pad_token: tokenizer.pad_token.map(|token| match token {
            Token::Plain(content) | Token::Added { content } => content,
        }),
    }
}

fn preprocess(folder: &Path, from: &ImageProcessor) -> Result<PreprocessConfig, ModelError> {
    let kind = from.kind.as_str();
    if !matches!(
        kind,
        "CLIPImageProcessor" | "CLIPImageProcessorFast" | "CLIPFeatureExtractor"
    ) {
        let reason = "of this layout only CLIP's image processor is understood";
        return Err(value(
            folder,
            PREPROCESSOR,
            "image_processor_type",
            kind,
            reason,
        ));
    }
    let interpolation = match from.resample {
        1 => Interpolation::Lanczos,
        2 => Interpolation::Bilinear,
        3 => Interpolation::Bicubic,
        other => {
            let reason = "only 1 (Lanczos), 2 (bilinear) and 3 (bicubic) are known";
            return Err(value(folder, PREPROCESSOR, "resample", other, reason));
        }
    };
    let crop = match from.crop_size {
        Size::Sides { height, width } => (height, width),
        Size::Edge(edge)
        | Size::ShortestEdge {
            shortest_edge: edge,
        } => (edge, edge),
    };
    let (resize, (height, width)) = match (from.do_resize, from.size, from.do_center_crop) {
        (
            true,
            Size::Edge(edge)
            | Size::ShortestEdge {
                shortest_edge: edge,
            },
            true,
        ) => (Resize::ShortestEdge(edge), crop),
        (true, Size::Sides { height, width }, true) if crop == (height, width) => {
            (Resize::Squash, crop)
        }
        (true, Size::Sides { height, width }, false) => (Resize::Squash, (height, width)),
        (false, _, true) => (Resize::Keep, crop),
        _ => {
            let reason = "together with size and do_resize it leaves pictures of no fixed size";
            let crops = from.do_center_crop;
            return Err(value(folder, PREPROCESSOR, "do_center_crop", crops, reason));
        }
    };
    PreprocessConfig {
        resize,
        interpolation,
        height,
        width,
        rescale: if from.do_rescale {
            from.rescale_factor
        } else {
            1.0
        },
        mean: if from.do_normalize {
            from.image_mean
        } else {
            [0.0; 3]
        },
        std: if from.do_normalize {
            from.image_std
        } else {
            [1.0; 3]
        },
    }
    .checked(&folder.join(PREPROCESSOR))
}

fn json<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<T, ModelError> {
    let file = folder.join(name);
    if !file.is_file() {
        return Err(ModelError::MissingFile { file });
    }
    let bytes = fs_err::read(&file).map_err(|source| ModelError::Unreadable {
        file: file.clone(),
        source,
    })?;
    serde_json::from_slice(&bytes).map_err(|source| ModelError::Json { file, source })
}

fn value(
    folder: &Path,
    file: &str,
    key: &'static str,
    value: impl Display,
    reason: &'static str,
) -> ModelError {
    ModelError::Value {
        file: folder.join(file),
        key,
        value: value.to_string(),
        reason,
    }
}
