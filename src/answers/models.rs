//! What `models list`, `models info` and `models check` say about models.

use std::fmt::Write as _;

use serde::Serialize;
use sightline_onnx::{
    Channels, Clean, Interpolation, Language, MaskRule, Model, Pad, Precision, PreprocessConfig,
    Resize, Side, Signature, TokenizeConfig,
};

use super::{PathAnswer, each};
use crate::models::{
    Check, Checked, Entry, Figures, Inspected, ModelsError, Origin, OtherText, Outcome, Place,
    Registry, Rewritten, Signatures, Tower,
};

/// The answer of `models list`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
pub struct ModelListAnswer<'a> {
    default: &'a str,
    models: Vec<ListedAnswer<'a>>,
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
struct ListedAnswer<'a> {
    name: String,
    default: bool,
    place: &'static str,
    #[serde(flatten)]
    #[cfg_attr(feature = "serve", schema(value_type = FolderOrNoneAnswer))]
    folder: Option<PathAnswer<'a>>,
    #[serde(flatten)]
    opened: OpenedAnswer,
}

/// How a folder that may be missing is described: the document has no word for a flattened `None`.
#[cfg(feature = "serve")]
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the keys")]
struct FolderOrNoneAnswer {
    path: Option<String>,
    path_base64: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
enum OpenedAnswer {
    Usable {
        layout: &'static str,
        dimension: usize,
        #[cfg_attr(feature = "serve", schema(value_type = String))]
        precision: Precision,
        fingerprint: String,
        bytes: u64,
        changed: bool,
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
            opened: OpenedAnswer::new(registry.inspect(entry)),
        };
        Self {
            default,
            models: entries.iter().map(one).collect(),
        }
    }
}

impl OpenedAnswer {
    fn new(inspected: Result<Inspected, ModelsError>) -> Self {
        let usable = |Inspected { model, has_changed }| {
            Ok(Self::Usable {
                layout: model.layout(),
                dimension: model.dimension(),
                precision: model.precision(),
                fingerprint: model.fingerprint().to_owned(),
                bytes: model.n_bytes()?,
                changed: has_changed,
            })
        };
        inspected
            .and_then(usable)
            .unwrap_or_else(|error| Self::Unusable {
                error: reason(&error),
            })
    }
}

/// An error with its causes, in one line.
fn reason(error: &ModelsError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
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
    pub(crate) languages: Vec<&'static str>,
    pub(crate) other_texts: Vec<OtherTextAnswer<'a>>,
    pub(crate) fingerprint: &'a str,
    pub(crate) bytes: u64,
    pub(crate) license: Option<&'a str>,
    pub(crate) origin: Option<OriginAnswer<'a>>,
    pub(crate) precision: Precision,
    pub(crate) reason: Option<String>,
    pub(crate) precisions: Vec<PrecisionAnswer<'a>>,
    pub(crate) checked_unix_s: Option<u64>,
    pub(crate) image: Option<SignatureAnswer<'a>>,
    pub(crate) text: Option<SignatureAnswer<'a>>,
}

impl<'a> ModelInfoAnswer<'a> {
    /// A model at the precision at which it was opened. `asked`: whether that one was asked for,
    /// rather than chosen by a check. `signatures`: those of its graphs, when they could be loaded.
    ///
    /// # Errors
    /// When the model's files cannot be read.
    pub fn new(
        entry: &'a Entry,
        model: &'a Model,
        asked: bool,
        signatures: Option<&'a Signatures>,
    ) -> Result<Self, ModelsError> {
        let text = |n: usize| signatures.and_then(|all| all.texts.get(n)).map(Into::into);
        let mut languages = model.text_languages().into_iter().map(codes);
        let first = languages.next().unwrap_or_default();
        let other = |(languages, n): (Vec<&'static str>, usize)| {
            let config = model.tokenize_nth(n)?;
            Some(OtherTextAnswer {
                languages,
                context_length: config.context_length,
                texts: config.into(),
                text: text(n),
            })
        };
        let precision = |precision: Precision| PrecisionAnswer {
            precision,
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
            context_length: model.tokenize().context_length,
            preprocessing: model.preprocess().into(),
            texts: model.tokenize().into(),
            languages: first,
            other_texts: languages.zip(1..).filter_map(other).collect(),
            fingerprint: model.fingerprint(),
            bytes: model.n_bytes()?,
            license: model
                .license()
                .or(origin.and_then(|origin| origin.license.as_deref())),
            origin: origin.map(Into::into),
            precision: model.precision(),
            reason: verdict.map(|verdict| verdict.reason),
            precisions: entry.precisions()?.into_iter().map(precision).collect(),
            checked_unix_s: entry.checked_unix_s(),
            image: signatures.map(|all| (&all.image).into()),
            text: text(0),
        })
    }
}

fn codes(languages: &[Language]) -> Vec<&'static str> {
    languages.iter().map(|language| language.code()).collect()
}

/// A text tower besides the first.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct OtherTextAnswer<'a> {
    pub(crate) languages: Vec<&'static str>,
    pub(crate) context_length: usize,
    pub(crate) texts: TextsAnswer<'a>,
    pub(crate) text: Option<SignatureAnswer<'a>>,
}

answers! {
    /// How pictures are prepared, in the words of `sightline.toml`.
    pub(crate) struct PreprocessingAnswer from config in &PreprocessConfig {
        height: u32 = config.height,
        width: u32 = config.width,
        resize: &'static str = match config.resize {
            Resize::ShortestEdge(_) => "shortest-edge",
            Resize::LongestEdge(_) => "longest-edge",
            Resize::SquashTo(_) => "squash-to",
            Resize::Keep => "keep",
            _ => "squash",
        },
        pub(crate) edge: Option<u32> = match config.resize {
            Resize::ShortestEdge(edge) | Resize::LongestEdge(edge) | Resize::SquashTo(edge) => {
                Some(edge)
            }
            _ => None,
        },
        interpolation: Interpolation = config.interpolation,
        rescale: f64 = config.rescale,
        mean: [f32; 3] = config.mean,
        std: [f32; 3] = config.std,
        channels: Channels = config.channels,
        fill: [u8; 3] = config.fill,
        /// All of it in words.
        pub(crate) words: String = preprocessing_in_words(config),
    }

    /// How texts are prepared, in the words of `sightline.toml`.
    pub(crate) struct TextsAnswer<'a> from config in &'a TokenizeConfig {
        pad: Pad = config.pad,
        pub(crate) pad_token: Option<&'a str> = config.pad_token.as_deref(),
        pub(crate) pad_id: Option<u32> = config.pad_id,
        pub(crate) pad_side: Option<Side> = config.pad_side,
        truncate_side: Side = config.truncate_side,
        mask: MaskRule = config.mask,
        clean: Clean = config.clean,
        pub(crate) query_prefix: &'a str = config.query_prefix.as_str(),
        pub(crate) caption_prefix: &'a str = config.caption_prefix.as_str(),
        /// All of it in words.
        pub(crate) words: String = texts_in_words(config),
    }

    pub(crate) struct OriginAnswer<'a> from origin in &'a Origin {
        pub(crate) repository: &'a str = &origin.repository,
        pub(crate) commit: &'a str = &origin.commit,
    }

    /// Inputs and outputs of a graph.
    pub(crate) struct SignatureAnswer<'a> from signature in &'a Signature {
        pub(crate) inputs: Vec<TensorAnswer<'a>> = each(&signature.inputs),
        pub(crate) outputs: Vec<TensorAnswer<'a>> = each(&signature.outputs),
    }

    pub(crate) struct TensorAnswer<'a> from (name, kind) in &'a (String, String) {
        pub(crate) name: &'a str = name,
        /// Element type and shape.
        #[serde(rename = "type")]
        pub(crate) kind: &'a str = kind,
    }

    struct CheckedAnswer<'a> from Checked { model, outcome } in &'a Checked {
        precision: Precision = model.precision(),
        fingerprint: &'a str = model.fingerprint(),
        dimension: usize = model.dimension(),
        works: bool = outcome.is_ok(),
        #[serde(flatten)]
        outcome: OutcomeAnswer<'a> = match outcome {
            Ok(outcome) => OutcomeAnswer::Works(outcome.into()),
            Err(error) => OutcomeAnswer::Fails { error },
        },
    }

    struct WorksAnswer<'a> from outcome in &'a Outcome {
        pairs: usize = outcome.n_pairs,
        language: &'static str = outcome.matches.language.as_str(),
        texts_first: usize = outcome.matches.n_texts_first,
        pictures_first: usize = outcome.matches.n_pictures_first,
        texts_needed: usize = outcome.n_needed,
        better_than_chance: bool = outcome.is_better_than_chance(),
        capitals: RewrittenAnswer = (&outcome.capitals).into(),
        punctuation: RewrittenAnswer = (&outcome.punctuation).into(),
        accents: RewrittenAnswer = (&outcome.accents).into(),
        colours: f64 = outcome.colours,
        image: TowerAnswer = (&outcome.image).into(),
        text: TowerAnswer = (&outcome.text).into(),
        other_texts: Vec<OtherOutcomeAnswer> = each(&outcome.other_texts),
        figures: &'a Figures = &outcome.figures,
    }

    struct OtherOutcomeAnswer from text in &OtherText {
        languages: Vec<&'static str> = text.languages.clone(),
        #[serde(flatten)]
        tower: TowerAnswer = (&text.tower).into(),
        ms_per_text: f64 = text.ms_per_text,
        language: Option<&'static str> = text.matches.map(|matches| matches.language.as_str()),
        texts_first: Option<usize> = text.matches.map(|matches| matches.n_texts_first),
        pictures_first: Option<usize> = text.matches.map(|matches| matches.n_pictures_first),
    }

    struct RewrittenAnswer from rewritten in &Rewritten {
        cosine: f64 = rewritten.cosine,
        texts_first: usize = rewritten.n_texts_first,
    }

    struct TowerAnswer from tower in &Tower {
        /// With two decimals.
        load_ms: f64 = (tower.load.as_secs_f64() * 1e5).round() / 100.0,
        raw_norm: RangeAnswer = tower.raw_norm.into(),
    }

    struct RangeAnswer from (least, most) in (f32, f32) {
        least: f32 = least,
        most: f32 = most,
    }
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct PrecisionAnswer<'a> {
    pub(crate) precision: Precision,
    pub(crate) figures: Option<&'a Figures>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum OutcomeAnswer<'a> {
    Works(WorksAnswer<'a>),
    Fails { error: &'a str },
}

/// `224 × 224: shortest edge to 224, centre crop (bicubic), values 0 to 1, …`
fn preprocessing_in_words(config: &PreprocessConfig) -> String {
    let (height, width) = (config.height, config.width);
    let size = match config.resize {
        Resize::ShortestEdge(edge) => format!("shortest edge to {edge}, centre crop"),
        Resize::LongestEdge(edge) => format!("longest edge to {edge}, padded"),
        Resize::Squash => "stretched to fit".to_owned(),
        Resize::SquashTo(edge) => format!("stretched to {edge} × {edge}, centre crop"),
        Resize::Keep => "not resized, centre crop".to_owned(),
        _ => format!("{:?}", config.resize),
    };
    let filter = format!("{:?}", config.interpolation).to_lowercase();
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
fn texts_in_words(config: &TokenizeConfig) -> String {
    let n = config.context_length;
    let mut words = match config.pad {
        Pad::Context => format!("{n} tokens, always padded"),
        _ => format!("at most {n} tokens"),
    };
    let filler = config.pad_id.map(|id| format!("token {id}"));
    if let Some(filler) = filler.or_else(|| config.pad_token.clone()) {
        words = format!("{words} with {filler}");
    }
    if config.pad_side == Some(Side::Left) {
        words += ", padded at the start";
    }
    if config.mask == MaskRule::All {
        words += ", padding visible to the model";
    }
    if config.truncate_side == Side::Left {
        words += ", cut at the start";
    }
    match config.lowercase {
        Some(true) => words += ", in lower case",
        Some(false) => words += ", in upper and lower case",
        None => {}
    }
    match config.clean {
        Clean::Whitespace => words += ", white space collapsed",
        Clean::Lower | Clean::LowerSpaced => words += ", in lower case",
        Clean::Canonical | Clean::CanonicalSpaced => {
            words += ", in lower case without punctuation";
        }
        Clean::CanonicalCased => words += ", without punctuation",
        _ => {}
    }
    let prefixes = [
        ("queries", &config.query_prefix),
        ("captions", &config.caption_prefix),
    ];
    for (texts, prefix) in prefixes {
        if !prefix.is_empty() {
            let _ = write!(words, ", {prefix:?} before {texts}");
        }
    }
    words
}

/// The answer of `models check`.
#[derive(Debug, Clone, Serialize)]
pub struct ModelCheckAnswer<'a> {
    model: String,
    chosen: Option<Precision>,
    reason: Option<&'a str>,
    precisions: Vec<CheckedAnswer<'a>>,
}

impl<'a> ModelCheckAnswer<'a> {
    /// What a check found. `asked`: whether it was of a precision that was asked for, so that it
    /// chooses none.
    #[must_use]
    pub fn new(entry: &Entry, check: &'a Check, asked: bool) -> Self {
        let chosen = check.verdict.chosen.filter(|_| !asked);
        Self {
            model: entry.label(),
            chosen,
            reason: chosen.map(|_| check.verdict.reason.as_str()),
            precisions: each(&check.checked),
        }
    }
}
