//! Hugging Face tokenizers: what `tokenizer_config.json` changes about a `tokenizer.json`.
//!
//! In transformers the configuration's class takes precedence over parts of the tokenizer's own
//! file: BERT's classes set the casing, CLIP's frames every text, `add_bos_token` replaces the
//! frame. Each key is followed here as the class does, or refused.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use tokenizers::normalizers::NormalizerWrapper;

use super::files::{json, json_or_default};
use super::keys::{Guard, Others};
use super::manifest::{Hints, TextKeys};
use super::outline::{Framing, framing, lowercases, own_prefix};
use crate::error::ModelError;
use crate::tokenize::{Clean, Side, VOCABULARY_JSON, VOCABULARY_TXT, find_bert};

pub(super) const TOKENIZER: &str = "tokenizer.json";
const CONFIG: &str = "tokenizer_config.json";
const TOKENS: &str = "special_tokens_map.json";

/// Keys of `tokenizer_config.json` that change no id: they concern decoding, offsets, loading,
/// saving, chats and batches, or name files. transformers 5 saves whatever it was called with.
const HARMLESS: &[&str] = &[
    "backend",
    "chat_control_tokens",
    "chat_template",
    "clean_up_tokenization_spaces",
    "device_map",
    "dtype",
    "errors",
    "extra_ids",
    "from_slow",
    "init_inputs",
    "is_local",
    "legacy",
    "local_files_only",
    "mask_token",
    "max_length",
    "merges_file",
    "model_input_names",
    "model_specific_special_tokens",
    "name_or_path",
    "pad_token_type_id",
    "processor_class",
    "response_template",
    "return_token_type_ids",
    "spaces_between_special_tokens",
    "special_tokens_map_file",
    "stride",
    "tgt_lang",
    "tokenizer_file",
    "torch_dtype",
    "trim_offsets",
    "trust_remote_code",
    "use_default_system_prompt",
    "use_fast",
    "vocab_file",
];

/// `tokenizer_config.json`; `model_max_length` can be an astronomical number, hence a float.
#[derive(Deserialize, Default)]
#[serde(default)]
struct TokenizerConfig {
    tokenizer_class: Option<String>,
    model_max_length: Option<f64>,
    bos_token: Option<Token>,
    eos_token: Option<Token>,
    cls_token: Option<Token>,
    sep_token: Option<Token>,
    pad_token: Option<Token>,
    unk_token: Option<Token>,
    padding_side: Option<Side>,
    truncation_side: Option<Side>,
    do_lower_case: Option<bool>,
    strip_accents: Option<bool>,
    tokenize_chinese_chars: Option<bool>,
    add_bos_token: Option<bool>,
    add_eos_token: Option<bool>,
    add_prefix_space: Option<bool>,
    added_tokens_decoder: Option<BTreeMap<String, Token>>,
    additional_special_tokens: Option<Vec<Token>>,
    extra_special_tokens: Option<Value>,
    do_basic_tokenize: Option<bool>,
    split_special_tokens: Option<bool>,
    never_split: Option<Vec<String>>,
    sp_model_kwargs: Option<Others>,
    truncation_strategy: Option<String>,
    pad_to_multiple_of: Option<u32>,
    auto_map: Option<Value>,
    src_lang: Option<String>,
    legacy_behaviour: Option<bool>,
    /// The old name of `model_max_length`.
    max_len: Option<f64>,
    #[serde(flatten)]
    others: Others,
}

#[derive(Deserialize, Clone)]
#[serde(untagged)]
enum Token {
    Plain(String),
    Added { content: String },
}

impl TokenizerConfig {
    /// Takes the tokens that only `special_tokens_map.json` names, as older versions of
    /// transformers wrote them, and refuses one that contradicts.
    fn add_tokens(&mut self, folder: &Path, guard: &Guard<'_>) -> Result<(), ModelError> {
        let map: Others = json_or_default(folder, TOKENS)?;
        for (key, own) in [
            ("bos_token", &mut self.bos_token),
            ("eos_token", &mut self.eos_token),
            ("cls_token", &mut self.cls_token),
            ("sep_token", &mut self.sep_token),
            ("pad_token", &mut self.pad_token),
        ] {
            let stated = map
                .get(key)
                .and_then(|value| Token::deserialize(value).ok());
            match (own.as_ref(), stated) {
                (None, stated) => *own = stated,
                (Some(own), Some(stated)) if own.content() != stated.content() => {
                    let reason = "tokenizer_config.json says something else";
                    guard.refuse(key, stated.content(), reason)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Token {
    fn content(&self) -> &str {
        match self {
            Self::Plain(content) | Self::Added { content } => content,
        }
    }
}

/// The parts of `tokenizer.json` that the configuration may contradict.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Outline {
    padding: Option<OutlinePadding>,
    added_tokens: Vec<OutlineToken>,
    normalizer: Option<NormalizerWrapper>,
    pre_tokenizer: Option<Value>,
    post_processor: Option<Value>,
    model: OutlineModel,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OutlinePadding {
    direction: Option<Side>,
}

#[derive(Deserialize)]
struct OutlineToken {
    id: u32,
    content: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OutlineModel {
    r#type: Option<String>,
    end_of_word_suffix: Option<String>,
}

/// Whether a tokenizer's own file names its padding token.
pub(super) fn names_padding(file: &Path) -> Result<bool, ModelError> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
        return Ok(false);
    };
    match name.to_string_lossy().as_ref() {
        VOCABULARY_JSON => Ok(false),
        _ if file.extension().is_some_and(|end| end == "txt") => Ok(true),
        name => Ok(json::<Outline>(folder, name)?.padding.is_some()),
    }
}

/// What the classes of tokenizers do, by their names without `Fast`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Casing by the configuration, framed by `[CLS]` and `[SEP]`.
    Bert,
    /// Framed by the begin and the end token.
    Clip,
    /// Cleaned, then as the file says.
    Siglip,
    /// As the file says, unless the configuration asks for begin and end tokens. Gemma's classes
    /// pad on the left where nothing else is said.
    Gemma,
    /// As the file says, framed by `<s>` and `</s>`.
    Roberta,
    /// As the file says, closed by the end token.
    T5,
    /// As the file says.
    File,
    /// Not known: only a file that leaves nothing open is trusted.
    Unknown,
}

impl Class {
    fn of(name: Option<&str>) -> Self {
        let Some(name) = name else {
            return Self::Unknown;
        };
        match name.strip_suffix("Fast").unwrap_or(name) {
            "BertTokenizer"
            | "DistilBertTokenizer"
            | "ElectraTokenizer"
            | "MobileBertTokenizer" => Self::Bert,
            "CLIPTokenizer" => Self::Clip,
            "SiglipTokenizer" => Self::Siglip,
            "GemmaTokenizer" | "Siglip2Tokenizer" => Self::Gemma,
            "RobertaTokenizer" | "XLMRobertaTokenizer" | "CamembertTokenizer" => Self::Roberta,
            "T5Tokenizer" => Self::T5,
            "PreTrainedTokenizer" | "TokenizersBackend" => Self::File,
            _ => Self::Unknown,
        }
    }

    /// The kinds of model that a `tokenizer.json` of this class holds.
    fn kinds(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Bert => Some(&["WordPiece"]),
            Self::Clip => Some(&["BPE"]),
            Self::Siglip | Self::T5 => Some(&["Unigram"]),
            Self::Gemma | Self::Roberta => Some(&["BPE", "Unigram"]),
            Self::File | Self::Unknown => None,
        }
    }
}

/// What a model's type and other files say about its tokenizer.
#[derive(Default, Clone, Copy)]
pub(super) struct Implied<'a> {
    /// The class where no file names one.
    pub(super) class: Option<&'static str>,
    /// Whether texts are cleaned before they are tokenized, so that `do_lower_case` is settled.
    pub(super) is_cleaned: bool,
    /// Keys that take precedence over those of the configuration.
    pub(super) arguments: Option<&'a Others>,
}

/// The tokenizer of a folder.
pub(super) struct TokenizerFiles {
    /// The tokenizer, relative to the folder.
    pub(super) name: &'static str,
    config_file: PathBuf,
    /// Whether there is a `tokenizer_config.json`.
    has_config: bool,
    config: TokenizerConfig,
    class: Class,
    outline: Outline,
}

impl TokenizerFiles {
    /// Reads the tokenizer in a folder.
    pub(super) fn read(
        folder: &Path,
        implied: &Implied<'_>,
        ignored: &[String],
    ) -> Result<Self, ModelError> {
        let config_file = folder.join(CONFIG);
        let mut values: serde_json::Map<String, Value> = json_or_default(folder, CONFIG)?;
        values.extend(implied.arguments.cloned().unwrap_or_default());
        let config = serde_json::from_value(Value::Object(values));
        let mut config: TokenizerConfig = config.map_err(|source| ModelError::Json {
            file: config_file.clone(),
            source,
        })?;
        config.add_tokens(folder, &Guard::new(&folder.join(TOKENS), ignored))?;
        let exists = |name: &str| folder.join(name).is_file();
        let class = Class::of(config.tokenizer_class.as_deref().or(implied.class));
        let name = if exists(TOKENIZER) {
            TOKENIZER
        } else if exists(VOCABULARY_TXT) {
            VOCABULARY_TXT
        } else if class == Class::Clip && exists(VOCABULARY_JSON) {
            VOCABULARY_JSON
        } else {
            TOKENIZER
        };
        let outline = if name == TOKENIZER && exists(TOKENIZER) {
            json(folder, TOKENIZER)?
        } else {
            Outline::default()
        };
        let files = Self {
            name,
            has_config: config_file.is_file(),
            config_file,
            config,
            class,
            outline,
        };
        let guard = Guard::new(&files.config_file, ignored);
        files.check(&guard)?;
        // Before a download, or where it is missing, which is reported later.
        if exists(name) {
            files.check_against_file(&guard, implied.is_cleaned)?;
        }
        Ok(files)
    }

    /// The most tokens, unless the number is a placeholder.
    pub(super) fn limit(&self) -> Option<usize> {
        let limit = self.config.model_max_length.or(self.config.max_len)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked: between 1 and a million"
        )]
        (1.0..1e6).contains(&limit).then_some(limit as usize)
    }

    /// The token that closes a segment, which some models erase.
    pub(super) fn separator(&self) -> Option<String> {
        let stated = self.config.sep_token.as_ref().map(Token::content);
        let usual = match self.class {
            Class::Bert => Some("[SEP]"),
            Class::Roberta => Some("</s>"),
            _ => None,
        };
        stated.or(usual).map(str::to_owned)
    }

    /// Whether the tokenizer's own file lowercases every text.
    pub(super) fn lowercases(&self) -> bool {
        self.name == VOCABULARY_JSON || self.outline.normalizer.as_ref().is_some_and(lowercases)
    }

    /// Refuses what is not supported, whatever the tokenizer's own file says.
    fn check(&self, guard: &Guard<'_>) -> Result<(), ModelError> {
        let config = &self.config;
        guard.check("", &config.others, HARMLESS)?;
        if let Some(program) = config
            .auto_map
            .as_ref()
            .and_then(|map| map.get("AutoTokenizer"))
        {
            let reason = "the model has a tokenizer program of its own";
            guard.refuse("auto_map", program, reason)?;
        }
        if config.do_basic_tokenize == Some(false) {
            guard.refuse("do_basic_tokenize", false, "")?;
        }
        if config.split_special_tokens == Some(true) {
            guard.refuse("split_special_tokens", true, "")?;
        }
        let words = config.never_split.as_deref().unwrap_or_default();
        if !words.is_empty() {
            guard.refuse("never_split", words.join(" "), "")?;
        }
        if let Some(kwargs) = &config.sp_model_kwargs {
            guard.check("sp_model_kwargs", kwargs, &[])?;
        }
        if let Some(strategy) = config.truncation_strategy.as_deref()
            && !["longest_first", "only_first"].contains(&strategy)
        {
            guard.refuse("truncation_strategy", strategy, "")?;
        }
        if let Some(n) = config.pad_to_multiple_of {
            guard.refuse("pad_to_multiple_of", n, "")?;
        }
        if matches!(self.class, Class::Bert | Class::Clip | Class::Roberta) {
            let reason = "tokenizers of this class always frame a text";
            if config.add_bos_token == Some(false) {
                guard.refuse("add_bos_token", false, reason)?;
            }
            if config.add_eos_token == Some(false) {
                guard.refuse("add_eos_token", false, reason)?;
            }
        }
        Ok(())
    }

    /// Refuses what the tokenizer's own file contradicts, where the class does not settle it.
    fn check_against_file(&self, guard: &Guard<'_>, is_cleaned: bool) -> Result<(), ModelError> {
        let (config, outline) = (&self.config, &self.outline);
        let kind = outline.model.r#type.as_deref();
        if let (Some(kinds), Some(kind)) = (self.class.kinds(), kind)
            && !kinds.contains(&kind)
        {
            let class = config.tokenizer_class.as_deref().unwrap_or_default();
            guard.refuse(
                "tokenizer_class",
                class,
                "tokenizer.json is of another kind",
            )?;
        }
        let is_of_clip = outline.model.end_of_word_suffix.as_deref() == Some("</w>");
        let other = match self.class {
            Class::Clip => !is_of_clip,
            Class::Gemma | Class::Roberta => is_of_clip,
            _ => false,
        };
        if other && kind.is_some() {
            let class = config.tokenizer_class.as_deref().unwrap_or("CLIPTokenizer");
            guard.refuse(
                "tokenizer_class",
                class,
                "tokenizer.json is of another kind",
            )?;
        }
        // Tokenizers of many languages frame a text with the name of its own.
        if let Some(language) = &config.src_lang {
            let own = self.own_frame().and_then(|own| own.0);
            if own.as_ref() != Some(language) {
                guard.refuse(
                    "src_lang",
                    language,
                    "tokenizer.json starts texts otherwise",
                )?;
            }
        }
        self.check_frame(guard)?;
        self.check_added_tokens(guard)?;
        self.check_casing(guard, is_cleaned)?;
        let own_prefix = outline.pre_tokenizer.as_ref().and_then(own_prefix);
        if let (Some(prefix), Some(own)) = (config.add_prefix_space, own_prefix)
            && prefix != own
        {
            guard.refuse("add_prefix_space", prefix, "tokenizer.json says otherwise")?;
        }
        Ok(())
    }

    /// Tokens that the configuration adds to those of the tokenizer's own file would get new ids.
    fn check_added_tokens(&self, guard: &Guard<'_>) -> Result<(), ModelError> {
        if self.name != TOKENIZER {
            return Ok(());
        }
        let config = &self.config;
        let added = self.outline.added_tokens.iter();
        let known: HashMap<&str, u32> = added
            .map(|token| (token.content.as_str(), token.id))
            .collect();
        // A word of the vocabulary keeps its id when it becomes an added token, but texts that
        // spell it are then split otherwise; nobody spells `<unk>`. Reading the vocabulary takes
        // time, and is seldom needed.
        let is_marked = |content: &str| {
            let is_in = |first, last| content.starts_with(first) && content.ends_with(last);
            is_in('<', '>') || is_in('[', ']')
        };
        let mut whole = None;
        let mut id_of = |content: &str| {
            if let Some(&id) = known.get(content) {
                return Some(id);
            }
            if !is_marked(content) {
                return None;
            }
            let file = self.config_file.with_file_name(TOKENIZER);
            let whole = whole.get_or_insert_with(|| tokenizers::Tokenizer::from_file(file).ok());
            whole.as_ref()?.token_to_id(content)
        };
        for (id, token) in config.added_tokens_decoder.iter().flatten() {
            let content = token.content();
            if id_of(content).is_none_or(|found| found.to_string() != *id) {
                let reason = "tokenizer.json has no such token of this number";
                guard.refuse("added_tokens_decoder", format!("{id}: {content}"), reason)?;
            }
        }
        let extra = match &config.extra_special_tokens {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(list)) => list.iter().collect(),
            Some(Value::Object(map)) => map.values().collect(),
            Some(other) => vec![other],
        };
        let content = |token: &Value| match token {
            Value::String(content) => content.clone(),
            Value::Object(map) => {
                let content = map.get("content").and_then(Value::as_str);
                content.unwrap_or_default().to_owned()
            }
            other => other.to_string(),
        };
        let extra = extra
            .into_iter()
            .map(|token| ("extra_special_tokens", content(token)));
        let additional = config.additional_special_tokens.iter().flatten();
        let additional =
            additional.map(|token| ("additional_special_tokens", token.content().to_owned()));
        for (key, token) in extra.chain(additional) {
            if id_of(&token).is_none() {
                guard.refuse(key, token, "tokenizer.json has no such token")?;
            }
        }
        Ok(())
    }

    /// Only BERT's and `SigLIP`'s classes follow the keys about casing and accents; elsewhere they
    /// must agree with the file.
    fn check_casing(&self, guard: &Guard<'_>, is_cleaned: bool) -> Result<(), ModelError> {
        let config = &self.config;
        let is_plain = self.name == VOCABULARY_TXT;
        let agrees = match self.class {
            Class::Bert => true,
            _ if is_plain => true,
            _ if is_cleaned => config.do_lower_case != Some(false) || !self.lowercases(),
            _ => match config.do_lower_case {
                Some(lower) => lower == self.lowercases(),
                None => true,
            },
        };
        if let (false, Some(lower)) = (agrees, config.do_lower_case) {
            let reason = if lower {
                "tokenizer.json does not lowercase"
            } else {
                "tokenizer.json lowercases"
            };
            guard.refuse("do_lower_case", lower, reason)?;
        }
        let is_whole = self.outline.model.r#type.is_some();
        if self.class == Class::Clip && is_whole && !self.lowercases() {
            // transformers 5 does it nevertheless, transformers 4 does not.
            let reason = "tokenizer.json does not lowercase, as it usually does";
            guard.refuse("tokenizer_class", "CLIPTokenizer", reason)?;
        }
        if self.class == Class::Bert || is_plain {
            return Ok(());
        }
        if config.strip_accents == Some(true) {
            guard.refuse(
                "strip_accents",
                true,
                "tokenizers of this class do not do that",
            )?;
        }
        if config.tokenize_chinese_chars == Some(false) {
            let reason = "tokenizers of this class do not do that";
            guard.refuse("tokenize_chinese_chars", false, reason)?;
        }
        Ok(())
    }

    /// What the tokenizer's files say about texts.
    pub(super) fn text_keys(&self, hints: Hints) -> TextKeys {
        let config = &self.config;
        let content = |token: &Option<Token>| token.as_ref().map(|t| t.content().to_owned());
        let (start_token, end_token) = self.frame().unzip();
        let casing = self.casing();
        TextKeys {
            tokenizer: Some(self.name.to_owned()),
            pad_token: content(&config.pad_token),
            pad_side: self.pad_side(),
            truncate_side: config.truncation_side.filter(|side| *side != Side::Right),
            lowercase: casing.lowercase,
            strip_accents: casing.strip_accents,
            split_chinese: casing.split_chinese,
            start_token: start_token.flatten(),
            end_token: end_token.flatten(),
            hints: Hints {
                needs: self.needs(),
                ..hints
            },
            ..TextKeys::default()
        }
    }

    /// The side of the padding, where it is said to be another than the right.
    fn pad_side(&self) -> Option<Side> {
        let of_file = self
            .outline
            .padding
            .as_ref()
            .and_then(|padding| padding.direction);
        let stated = self.config.padding_side.or(of_file);
        // Said here, lest the file's own side counts.
        let is_contradicted = self.config.padding_side.is_some() && of_file == Some(Side::Left);
        stated.filter(|side| *side == Side::Left || is_contradicted)
    }

    /// What must be said in a manifest, because the files leave it open.
    fn needs(&self) -> Vec<&'static str> {
        let config = &self.config;
        let mut needs = Vec::new();
        let own = self.outline.normalizer.as_ref().and_then(find_bert);
        let is_cased = self.class == Class::Bert && own.is_some_and(|own| !own.lowercase);
        let is_plain = self.name == VOCABULARY_TXT && !self.has_config;
        if is_plain && self.class != Class::Bert || is_cased && config.do_lower_case.is_none() {
            needs.push("lowercase");
        }
        let says_side = config.padding_side.is_some() || self.outline.padding.is_some();
        if self.class == Class::Gemma && !says_side {
            needs.push("pad_side");
        }
        // Otherwise the class settles it, or the file alone knows.
        let (Some(frame), None) = (self.own_frame(), self.frame()) else {
            return needs;
        };
        // Which of the named tokens frame a text depends on the class, and whether these two flags
        // count depends on the version of transformers.
        let is_open = |token: Option<&Token>, is_added: Option<bool>, own: Option<&String>| {
            let is_named = token.is_some() && frame == (None, None) && is_added != Some(false);
            is_named || is_added.is_some_and(|is_added| is_added != own.is_some())
        };
        let first = config.bos_token.as_ref().or(config.cls_token.as_ref());
        if is_open(first, config.add_bos_token, frame.0.as_ref()) {
            needs.push("start_token");
        }
        let last = config.eos_token.as_ref().or(config.sep_token.as_ref());
        if is_open(last, config.add_eos_token, frame.1.as_ref()) {
            needs.push("end_token");
        }
        needs
    }

    /// The tokens that frame a text where the tokenizer's own file adds none, by the class; `None`
    /// where the file is right as it is, or where the class does not say.
    fn frame(&self) -> Option<Framing> {
        if self.own_frame() != Some((None, None)) {
            return None;
        }
        let (starts, ends) = self.named_tokens();
        let or_usual = |tokens: Vec<&Token>, usual: &str| {
            let stated = tokens.first().map(|token| token.content());
            Some(stated.unwrap_or(usual).to_owned())
        };
        match self.class {
            Class::Clip => Some((
                or_usual(starts, "<|startoftext|>"),
                or_usual(ends, "<|endoftext|>"),
            )),
            Class::Bert => Some((or_usual(starts, "[CLS]"), or_usual(ends, "[SEP]"))),
            Class::Roberta => Some((or_usual(starts, "<s>"), or_usual(ends, "</s>"))),
            Class::T5 | Class::Siglip => Some((None, or_usual(ends, "</s>"))),
            Class::Gemma | Class::File | Class::Unknown => None,
        }
    }

    /// The tokens that the configuration names for the start and the end of a text, those that the
    /// class frames texts with first.
    fn named_tokens(&self) -> (Vec<&Token>, Vec<&Token>) {
        let config = &self.config;
        let mut starts = [&config.bos_token, &config.cls_token];
        let mut ends = [&config.eos_token, &config.sep_token];
        if matches!(self.class, Class::Bert | Class::Roberta) {
            starts.reverse();
            ends.reverse();
        }
        (
            starts.into_iter().flatten().collect(),
            ends.into_iter().flatten().collect(),
        )
    }

    /// Refuses a frame that contradicts the tokens that the configuration names: some versions of
    /// transformers follow the one, some the other.
    fn check_frame(&self, guard: &Guard<'_>) -> Result<(), ModelError> {
        let (Some(own), None) = (self.own_frame(), self.frame()) else {
            return Ok(());
        };
        let (mut starts, ends) = self.named_tokens();
        if self.config.src_lang.is_some() {
            starts.clear();
        }
        let always = matches!(self.class, Class::Clip | Class::Bert);
        let places = [("bos_token", starts, own.0), ("eos_token", ends, own.1)];
        for (key, named, own) in places {
            let Some(first) = named.first() else {
                continue;
            };
            let is_other = match &own {
                Some(own) => named.iter().all(|token| token.content() != own),
                None => always,
            };
            if is_other {
                let reason = "tokenizer.json frames a text with another token";
                guard.refuse(key, first.content(), reason)?;
            }
        }
        Ok(())
    }

    /// The tokens with which the tokenizer's own file frames a text; `None` if it does more, or if
    /// the tokenizer is a plain vocabulary.
    fn own_frame(&self) -> Option<Framing> {
        let is_file = self.name == TOKENIZER;
        is_file
            .then(|| framing(self.outline.post_processor.as_ref()))
            .flatten()
    }

    /// How the configuration changes what BERT's normalizer does: its class takes precedence over
    /// the tokenizer's own file.
    fn casing(&self) -> Casing {
        let config = &self.config;
        if self.class != Class::Bert && self.name != VOCABULARY_TXT {
            return Casing::default();
        }
        let own = self.outline.normalizer.as_ref().and_then(find_bert);
        let own = own.copied().unwrap_or_default();
        let strips = |accents: Option<bool>, lower: bool| accents.unwrap_or(lower);
        let lower = config.do_lower_case.unwrap_or(own.lowercase);
        let accents = strips(config.strip_accents, lower);
        let chinese = config.tokenize_chinese_chars.unwrap_or(true);
        Casing {
            lowercase: (lower != own.lowercase).then_some(lower),
            strip_accents: (accents != strips(own.strip_accents, lower)).then_some(accents),
            split_chinese: (chinese != own.handle_chinese_chars).then_some(chinese),
        }
    }

    /// How `SigLIP` models clean a text: its own tokenizer lowercases and strips punctuation, that
    /// of `SigLIP` 2 (Gemma's) only lowercases. Where `tokenizer.json` does the same, repeating it
    /// changes nothing. `None` where no file decides it.
    pub(super) fn siglip_clean(&self) -> Option<Clean> {
        let lower = self.config.do_lower_case;
        match self.class {
            Class::Gemma => Some(match lower {
                Some(false) => Clean::None,
                // Their file may lack the key; the models were trained on lower case only.
                _ => Clean::Lower,
            }),
            Class::Siglip | Class::T5 => Some(match lower {
                Some(false) => Clean::CanonicalCased,
                _ => Clean::Canonical,
            }),
            _ => match lower {
                Some(true) => Some(Clean::Lower),
                Some(false) => Some(Clean::None),
                None => None,
            },
        }
    }
}

#[derive(Default)]
struct Casing {
    lowercase: Option<bool>,
    strip_accents: Option<bool>,
    split_chinese: Option<bool>,
}
