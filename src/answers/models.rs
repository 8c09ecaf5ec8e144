//! What `models list`, `models info` and `models check` say about models.

use std::time::Duration;

use serde::Serialize;
use sightline_onnx::{
    Channels, Clean, Interpolation, MaskRule, Model, Pad, Precision, PreprocessConfig, Resize,
    Signature,
};

use super::PathAnswer;
use crate::models::{Check, Checked, Entry, Figures, ModelsError, Outcome, Place, Registry, Tower};

/// The answer of `models list`.
#[derive(Debug, Clone, Serialize)]
pub struct ModelListAnswer<'a> {
    default: &'a str,
    models: Vec<ListedAnswer<'a>>,
}

#[derive(Debug, Clone, Serialize)]
struct ListedAnswer<'a> {
    name: String,
    default: bool,
    place: &'static str,
    #[serde(flatten)]
    folder: Option<PathAnswer<'a>>,
    #[serde(flatten)]
    opened: OpenedAnswer,
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum OpenedAnswer {
    Usable {
        layout: &'static str,
        dimension: usize,
        precision: &'static str,
        fingerprint: String,
        bytes: u64,
    },
    Unusable {
        error: String,
    },
}

impl<'a> ModelListAnswer<'a> {
    /// The models of a registry, each opened, and the name of its default one.
    #[must_use]
    pub fn new(registry: &Registry, entries: &'a [Entry], default: &'a str) -> Self {
        let one = |entry: &'a Entry| ListedAnswer {
            name: entry.label(),
            default: entry.label() == default,
            place: place(entry),
            folder: entry.folder().map(PathAnswer::from),
            opened: OpenedAnswer::new(registry.open_entry(entry, entry.chosen())),
        };
        Self {
            default,
            models: entries.iter().map(one).collect(),
        }
    }
}

impl OpenedAnswer {
    fn new(model: Result<Model, ModelsError>) -> Self {
        let usable = |model: Model| {
            Ok(Self::Usable {
                layout: model.layout(),
                dimension: model.dimension(),
                precision: model.precision().as_str(),
                fingerprint: model.fingerprint().to_owned(),
                bytes: model.n_bytes()?,
            })
        };
        model
            .and_then(usable)
            .unwrap_or_else(|error| Self::Unusable {
                error: error.to_string(),
            })
    }
}

/// Where a model's files are.
fn place(entry: &Entry) -> &'static str {
    match entry.place() {
        Place::BuiltIn => "built in",
        Place::Copied(_) => "copied",
        Place::Linked(_) => "linked",
        Place::Folder(_) => "folder",
    }
}

/// The answer of `models info`.
#[derive(Debug, Clone, Serialize)]
pub struct ModelInfoAnswer<'a> {
    pub(crate) model: String,
    pub(crate) place: &'static str,
    #[serde(flatten)]
    pub(crate) folder: Option<PathAnswer<'a>>,
    pub(crate) layout: &'static str,
    pub(crate) dimension: usize,
    pub(crate) context_length: usize,
    pub(crate) preprocessing: PreprocessingAnswer,
    pub(crate) texts: TextsAnswer<'a>,
    pub(crate) fingerprint: &'a str,
    pub(crate) bytes: u64,
    pub(crate) license: Option<&'a str>,
    pub(crate) origin: Option<OriginAnswer<'a>>,
    pub(crate) precision: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) precisions: Vec<PrecisionAnswer<'a>>,
    pub(crate) checked_unix_s: Option<u64>,
    pub(crate) image: Option<SignatureAnswer<'a>>,
    pub(crate) text: Option<SignatureAnswer<'a>>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct PreprocessingAnswer {
    pub(crate) height: u32,
    pub(crate) width: u32,
    pub(crate) resize: &'static str,
    pub(crate) edge: Option<u32>,
    pub(crate) interpolation: String,
    pub(crate) rescale: f64,
    pub(crate) mean: [f32; 3],
    pub(crate) std: [f32; 3],
    pub(crate) channels: &'static str,
    pub(crate) fill: [u8; 3],
    /// All of it in words.
    pub(crate) words: String,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct TextsAnswer<'a> {
    pub(crate) pad: &'static str,
    pub(crate) pad_token: Option<&'a str>,
    pub(crate) pad_id: Option<u32>,
    pub(crate) mask: &'static str,
    pub(crate) clean: &'static str,
    /// All of it in words.
    pub(crate) words: String,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct OriginAnswer<'a> {
    pub(crate) repository: &'a str,
    pub(crate) commit: &'a str,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct PrecisionAnswer<'a> {
    pub(crate) precision: &'static str,
    pub(crate) figures: Option<&'a Figures>,
}

/// Inputs and outputs of a graph.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SignatureAnswer<'a> {
    pub(crate) inputs: Vec<TensorAnswer<'a>>,
    pub(crate) outputs: Vec<TensorAnswer<'a>>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct TensorAnswer<'a> {
    pub(crate) name: &'a str,
    /// Element type and shape.
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
}

impl<'a> ModelInfoAnswer<'a> {
    /// A model at the precision at which it was opened. `asked`: whether that one was asked for,
    /// rather than chosen by a check. `signatures`: those of its image and of its text graph, when
    /// they could be loaded.
    ///
    /// # Errors
    /// When the model's files cannot be read.
    pub fn new(
        entry: &'a Entry,
        model: &'a Model,
        asked: bool,
        signatures: Option<&'a (Signature, Signature)>,
    ) -> Result<Self, ModelsError> {
        let precision = |precision: Precision| PrecisionAnswer {
            precision: precision.as_str(),
            figures: entry.figures(precision),
        };
        let origin = entry.origin();
        let verdict = entry.verdict()?.filter(|_| !asked);
        Ok(Self {
            model: entry.label(),
            place: place(entry),
            folder: entry.folder().map(PathAnswer::from),
            layout: model.layout(),
            dimension: model.dimension(),
            context_length: model.context_length(),
            preprocessing: model.preprocess().into(),
            texts: model.into(),
            fingerprint: model.fingerprint(),
            bytes: model.n_bytes()?,
            license: model
                .license()
                .or(origin.and_then(|origin| origin.license.as_deref())),
            origin: origin.map(|origin| OriginAnswer {
                repository: &origin.repository,
                commit: &origin.commit,
            }),
            precision: model.precision().as_str(),
            reason: verdict.map(|verdict| verdict.reason),
            precisions: entry.precisions()?.into_iter().map(precision).collect(),
            checked_unix_s: entry.checked_unix_s(),
            image: signatures.map(|(image, _)| image.into()),
            text: signatures.map(|(_, text)| text.into()),
        })
    }
}

impl<'a> From<&'a Signature> for SignatureAnswer<'a> {
    fn from(signature: &'a Signature) -> Self {
        fn all(tensors: &[(String, String)]) -> Vec<TensorAnswer<'_>> {
            let tensors = tensors.iter();
            tensors
                .map(|(name, kind)| TensorAnswer { name, kind })
                .collect()
        }
        Self {
            inputs: all(&signature.inputs),
            outputs: all(&signature.outputs),
        }
    }
}

impl From<&PreprocessConfig> for PreprocessingAnswer {
    /// With the words of `sightline.toml`.
    fn from(config: &PreprocessConfig) -> Self {
        let (resize, edge) = match config.resize {
            Resize::ShortestEdge(edge) => ("shortest-edge", Some(edge)),
            Resize::LongestEdge(edge) => ("longest-edge", Some(edge)),
            Resize::SquashTo(edge) => ("squash-to", Some(edge)),
            Resize::Keep => ("keep", None),
            _ => ("squash", None),
        };
        Self {
            height: config.height,
            width: config.width,
            resize,
            edge,
            interpolation: interpolation(config.interpolation),
            rescale: config.rescale,
            mean: config.mean,
            std: config.std,
            channels: if config.channels == Channels::Bgr {
                "bgr"
            } else {
                "rgb"
            },
            fill: config.fill,
            words: preprocessing_in_words(config),
        }
    }
}

impl<'a> From<&'a Model> for TextsAnswer<'a> {
    /// With the words of `sightline.toml`.
    fn from(model: &'a Model) -> Self {
        let config = model.tokenize();
        Self {
            pad: if config.pad == Pad::Context {
                "context"
            } else {
                "longest"
            },
            pad_token: config.pad_token.as_deref(),
            pad_id: config.pad_id,
            mask: if config.mask == MaskRule::All {
                "all"
            } else {
                "tokens"
            },
            clean: match config.clean {
                Clean::Whitespace => "whitespace",
                Clean::Lower => "lower",
                Clean::Canonical => "canonical",
                Clean::CanonicalSpaced => "canonical-spaced",
                _ => "none",
            },
            words: texts_in_words(model),
        }
    }
}

fn interpolation(interpolation: Interpolation) -> String {
    format!("{interpolation:?}").to_lowercase()
}

/// `224 × 224: shortest edge to 224, centre crop (bicubic), values 0 to 1, …`
fn preprocessing_in_words(config: &PreprocessConfig) -> String {
    let (height, width) = config.output_size();
    let size = match config.resize {
        Resize::ShortestEdge(edge) => format!("shortest edge to {edge}, centre crop"),
        Resize::LongestEdge(edge) => format!("longest edge to {edge}, padded"),
        Resize::Squash => "stretched to fit".to_owned(),
        Resize::SquashTo(edge) => format!("stretched to {edge} × {edge}, centre crop"),
        Resize::Keep => "not resized, centre crop".to_owned(),
        _ => format!("{:?}", config.resize),
    };
    let filter = interpolation(config.interpolation);
    let numbers = |values: [f32; 3]| values.map(|value| format!("{value:.3}")).join(" ");
    let scale = if (config.rescale - 1.0 / 255.0).abs() < 1e-9 {
        "values 0 to 1".to_owned()
    } else {
        format!("values times {:?}", config.rescale)
    };
    let order = if config.channels == Channels::Bgr {
        ", BGR"
    } else {
        ""
    };
    let fill = if config.fill == [0; 3] {
        String::new()
    } else {
        format!(", padded with {:?}", config.fill)
    };
    format!(
        "{height} × {width}: {size} ({filter}), {scale}, mean {}, deviation {}{order}{fill}",
        numbers(config.mean),
        numbers(config.std)
    )
}

/// `64 tokens, always padded with token 0, in lower case without punctuation`
fn texts_in_words(model: &Model) -> String {
    let config = model.tokenize();
    let n = config.context_length;
    let mut words = match config.pad {
        Pad::Context => format!("{n} tokens, always padded"),
        _ => format!("at most {n} tokens"),
    };
    let filler = config.pad_id.map(|id| format!("token {id}"));
    if let Some(filler) = filler.or_else(|| config.pad_token.clone()) {
        words = format!("{words} with {filler}");
    }
    if config.mask == MaskRule::All {
        words += ", padding visible to the model";
    }
    match config.clean {
        Clean::Whitespace => words += ", white space collapsed",
        Clean::Lower => words += ", in lower case",
        Clean::Canonical | Clean::CanonicalSpaced => {
            words += ", in lower case without punctuation";
        }
        _ => {}
    }
    words
}

/// The answer of `models check`.
#[derive(Debug, Clone, Serialize)]
pub struct ModelCheckAnswer<'a> {
    model: String,
    chosen: Option<&'static str>,
    reason: Option<&'a str>,
    precisions: Vec<CheckedAnswer<'a>>,
}

#[derive(Debug, Clone, Serialize)]
struct CheckedAnswer<'a> {
    precision: &'static str,
    fingerprint: &'a str,
    dimension: usize,
    works: bool,
    #[serde(flatten)]
    outcome: OutcomeAnswer<'a>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum OutcomeAnswer<'a> {
    Works {
        pairs: usize,
        texts_first: usize,
        pictures_first: usize,
        image: TowerAnswer,
        text: TowerAnswer,
        figures: &'a Figures,
    },
    Fails {
        error: &'a str,
    },
}

#[derive(Debug, Clone, Serialize)]
struct TowerAnswer {
    load_ms: f64,
    raw_norm: RangeAnswer,
}

#[derive(Debug, Clone, Serialize)]
struct RangeAnswer {
    least: f32,
    most: f32,
}

impl<'a> ModelCheckAnswer<'a> {
    /// What a check found. `asked`: whether it was of a precision that was asked for, so that it
    /// chooses none.
    #[must_use]
    pub fn new(entry: &Entry, check: &'a Check, asked: bool) -> Self {
        let chosen = check.verdict.chosen.filter(|_| !asked);
        Self {
            model: entry.label(),
            chosen: chosen.map(Precision::as_str),
            reason: chosen.map(|_| check.verdict.reason.as_str()),
            precisions: check.checked.iter().map(CheckedAnswer::from).collect(),
        }
    }
}

impl<'a> From<&'a Checked> for CheckedAnswer<'a> {
    fn from(Checked { model, outcome }: &'a Checked) -> Self {
        Self {
            precision: model.precision().as_str(),
            fingerprint: model.fingerprint(),
            dimension: model.dimension(),
            works: outcome.is_ok(),
            outcome: match outcome {
                Ok(outcome) => outcome.into(),
                Err(error) => OutcomeAnswer::Fails { error },
            },
        }
    }
}

impl<'a> From<&'a Outcome> for OutcomeAnswer<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        Self::Works {
            pairs: outcome.n_pairs,
            texts_first: outcome.n_texts_first,
            pictures_first: outcome.n_pictures_first,
            image: (&outcome.image).into(),
            text: (&outcome.text).into(),
            figures: &outcome.figures,
        }
    }
}

impl From<&Tower> for TowerAnswer {
    fn from(tower: &Tower) -> Self {
        let (least, most) = tower.raw_norm;
        Self {
            load_ms: milliseconds(tower.load),
            raw_norm: RangeAnswer { least, most },
        }
    }
}

/// With two decimals.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 100.0
}
