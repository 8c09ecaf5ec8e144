//! From texts to token ids.
//!
//! The tokenizer's own file says how a text is split, normalised and framed by special tokens; this
//! module sets only the context length and the padding. Truncation drops tokens from the end of the
//! text and keeps the closing special token, as in the Python reference.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, PaddingParams, PostProcessor, TruncationDirection};

use crate::error::{EncodeError, ModelError};
use crate::source::Source;

/// The settings of a model's tokenization. All of them are part of the model's fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenizeConfig {
    /// The most tokens that the model sees, special tokens included.
    pub context_length: usize,
    /// To which length shorter texts are padded.
    pub pad: Pad,
    /// The padding token; `None`: the one that the tokenizer's file names.
    pub pad_token: Option<String>,
    /// The id to pad with; takes precedence over the padding token.
    pub pad_id: Option<u32>,
    /// Whether texts are lowercased for a plain vocabulary (`vocab.txt`); true unless the model's
    /// files say otherwise. A `tokenizer.json` decides that itself.
    pub lowercase: bool,
    /// How a text is cleaned before it is tokenized.
    pub clean: Clean,
    /// The tokens that frame a text, if they are not those of the tokenizer's file.
    pub frame: Option<Frame>,
    /// What the attention mask says about padding.
    pub mask: MaskRule,
}

/// The tokens that frame a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// Before the text.
    pub start: Option<String>,
    /// After the text, also if the text was truncated.
    pub end: Option<String>,
}

/// How a text is cleaned before it is tokenized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Clean {
    /// Not at all; most tokenizers say in their own files what they need.
    #[default]
    None,
    /// Each run of white space becomes one space; white space at the ends is removed.
    Whitespace,
    /// Lowercased.
    Lower,
    /// Lowercased, without ASCII punctuation, white space as above: `SigLIP` in transformers.
    Canonical,
    /// As `Canonical`, but underscores become spaces: `SigLIP` in `open_clip`.
    CanonicalSpaced,
}

impl Clean {
    fn apply(self, text: &str) -> Cow<'_, str> {
        let stripped =
            |text: &str| -> String { text.chars().filter(|c| !c.is_ascii_punctuation()).collect() };
        match self {
            Self::None => Cow::Borrowed(text),
            Self::Whitespace => joined(text).into(),
            Self::Lower => text.to_lowercase().into(),
            Self::Canonical => joined(&stripped(&text.to_lowercase())).into(),
            Self::CanonicalSpaced => {
                joined(&stripped(&text.replace('_', " ")).to_lowercase()).into()
            }
        }
    }
}

/// The words joined by single spaces. Four control characters are white space as well: in Python,
/// whose rule this is, but not in Unicode.
fn joined(text: &str) -> String {
    let is_space = |c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c);
    let words = text.split(is_space).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// What the attention mask says about padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MaskRule {
    /// 1 for a token, 0 for padding.
    #[default]
    Tokens,
    /// 1 everywhere: the model was trained with visible padding.
    All,
}

impl TokenizeConfig {
    /// All settings, written out for the fingerprint. Destructuring makes a new field fail to
    /// compile here until someone decides how it counts.
    pub(crate) fn describe(&self) -> String {
        let Self {
            context_length,
            pad,
            pad_token,
            pad_id,
            lowercase,
            clean,
            frame,
            mask,
        } = self;
        let mut text = format!("context {context_length} pad {pad:?} {pad_token:?}");
        // Added later; defaults are left out, so that older fingerprints stay valid.
        if let Some(pad_id) = pad_id {
            let _ = write!(text, " pad id {pad_id}");
        }
        if !*lowercase {
            text.push_str(" cased");
        }
        if *clean != Clean::None {
            let _ = write!(text, " clean {clean:?}");
        }
        if let Some(frame) = frame {
            let _ = write!(text, " frame {frame:?}");
        }
        if *mask != MaskRule::Tokens {
            let _ = write!(text, " mask {mask:?}");
        }
        text
    }
}

/// To which length texts are padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pad {
    /// To the longest text of the run.
    Longest,
    /// Always to the context length.
    Context,
}

/// Tokens of several texts, `[n, n_tokens]`.
pub(crate) struct TokenBatch {
    pub(crate) ids: Array2<i64>,
    /// 1 for a token, 0 for padding.
    pub(crate) mask: Array2<i64>,
}

pub(crate) struct Tokenizer {
    library: tokenizers::Tokenizer,
    context_length: usize,
    /// Number of tokens that frame each text.
    n_special: usize,
    /// Ids of the tokens before and after each text, where the model's description names them.
    frame: Option<(Vec<u32>, Vec<u32>)>,
    clean: Clean,
    pad: Pad,
    pad_id: u32,
    mask: MaskRule,
}

impl Tokenizer {
    pub(crate) fn load(source: &Source, config: &TokenizeConfig) -> Result<Self, ModelError> {
        let file = &source.path;
        let invalid = |source| ModelError::Tokenizer {
            file: file.clone(),
            source,
        };
        let bytes = source.bytes()?;
        let mut tokenizer = if file.extension().is_some_and(|end| end == VOCABULARY) {
            word_pieces(&bytes, config.lowercase).map_err(invalid)?
        } else {
            tokenizers::Tokenizer::from_bytes(&bytes).map_err(invalid)?
        };
        let pad_id = pad_id(&tokenizer, config).ok_or_else(|| {
            let token = config.pad_token.as_deref().unwrap_or_default();
            let reason = "the tokenizer has no such padding token";
            ModelError::invalid(file, "pad_token", token, reason)
        })?;
        // The file's own padding and truncation are meant for another use: files of sentence
        // encoders, for example, pad everything to 128 tokens.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(invalid)?;
        let frame = match &config.frame {
            Some(frame) => Some(ids_of(frame, &tokenizer, file)?),
            None => None,
        };
        let n_special = match &frame {
            Some((start, end)) => start.len() + end.len(),
            None => tokenizer
                .get_post_processor()
                .map_or(0, |frame| frame.added_tokens(false)),
        };
        if config.context_length <= n_special {
            let (key, length) = ("context_length", config.context_length);
            let reason = "it leaves no room for text between the special tokens";
            return Err(ModelError::invalid(file, key, length, reason));
        }
        Ok(Self {
            library: tokenizer,
            context_length: config.context_length,
            n_special,
            frame,
            clean: config.clean,
            pad: config.pad,
            pad_id,
            mask: config.mask,
        })
    }

    /// The token ids of each text, special tokens included, without padding: at most the context
    /// length.
    pub(crate) fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<u32>>, EncodeError> {
        let one = |(position, text): (usize, &&str)| {
            self.tokens(text)
                .map_err(|source| EncodeError::Tokenize { position, source })
        };
        texts.iter().enumerate().map(one).collect()
    }

    /// Number of tokens of a text beyond the context length.
    pub(crate) fn n_dropped(&self, text: &str) -> Result<usize, EncodeError> {
        let bare = self.library.encode_fast(self.clean.apply(text), false);
        let bare = bare.map_err(|source| EncodeError::Tokenize {
            position: 0,
            source,
        })?;
        Ok(bare.len().saturating_sub(self.room()))
    }

    /// Truncates before framing, so that the closing token is always kept.
    fn tokens(&self, text: &str) -> tokenizers::Result<Vec<u32>> {
        let mut bare = self.library.encode_fast(self.clean.apply(text), false)?;
        bare.truncate(self.room(), 0, TruncationDirection::Right);
        if let Some((start, end)) = &self.frame {
            return Ok([start, bare.get_ids(), end].concat());
        }
        let framed = self.library.post_process(bare, None, true)?;
        Ok(framed.get_ids().to_vec())
    }

    /// Number of tokens of a text that fit between the special tokens.
    fn room(&self) -> usize {
        self.context_length - self.n_special
    }

    /// Pads the texts to one length, and to `n` rows.
    pub(crate) fn pad(&self, texts: &[&[u32]], n: usize) -> TokenBatch {
        let longest = texts.iter().map(|ids| ids.len()).max().unwrap_or(0).max(1);
        let n_tokens = match self.pad {
            Pad::Longest => longest,
            Pad::Context => self.context_length,
        };
        let mut ids = Array2::from_elem((n, n_tokens), i64::from(self.pad_id));
        let of_padding = i64::from(self.mask == MaskRule::All);
        let mut mask = Array2::from_elem((n, n_tokens), of_padding);
        for (row, tokens) in texts.iter().enumerate() {
            for (column, &id) in tokens.iter().enumerate() {
                ids[[row, column]] = i64::from(id);
                mask[[row, column]] = 1;
            }
        }
        // A row that only fills up a fixed batch must not be all padding: some graphs divide by the
        // number of unmasked tokens.
        for row in texts.len()..n {
            mask[[row, 0]] = 1;
        }
        TokenBatch { ids, mask }
    }
}

/// The id to pad with: the model's, else that of the tokenizer's own padding settings, else 0,
/// which is harmless because padding is masked or comes after the end-of-text token that the tower
/// reads. `None` if the tokenizer has no such token.
fn pad_id(tokenizer: &tokenizers::Tokenizer, config: &TokenizeConfig) -> Option<u32> {
    if config.pad_id.is_some() {
        return config.pad_id;
    }
    match (&config.pad_token, tokenizer.get_padding()) {
        (Some(token), _) => tokenizer.token_to_id(token),
        (None, Some(padding)) => Some(padding.pad_id),
        (None, None) => Some(0),
    }
}

/// The ids of the tokens before and after each text.
fn ids_of(
    frame: &Frame,
    tokenizer: &tokenizers::Tokenizer,
    file: &Path,
) -> Result<(Vec<u32>, Vec<u32>), ModelError> {
    let id_of = |key: &'static str, token: &Option<String>| match token {
        None => Ok(Vec::new()),
        Some(token) => tokenizer
            .token_to_id(token)
            .map(|id| vec![id])
            .ok_or_else(|| {
                ModelError::invalid(file, key, token, "the tokenizer has no such token")
            }),
    };
    Ok((
        id_of("start_token", &frame.start)?,
        id_of("end_token", &frame.end)?,
    ))
}

/// The extension of a plain `WordPiece` vocabulary, one piece per line.
const VOCABULARY: &str = "txt";

/// Special tokens of BERT's vocabularies.
const BERT_TOKENS: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// BERT's tokenizer (Devlin et al. 2018) for a plain vocabulary: words without accents if they are
/// lowercased, each Chinese character on its own, framed by `[CLS]` and `[SEP]`.
fn word_pieces(vocabulary: &[u8], lowercase: bool) -> tokenizers::Result<tokenizers::Tokenizer> {
    let vocabulary = WordPiece::read_bytes(vocabulary)?;
    let id = |token: &str| {
        let id = vocabulary.get(token).copied();
        id.ok_or_else(|| format!("the vocabulary has no {token}"))
    };
    let frame = |token: &str| Ok::<_, String>((token.to_owned(), id(token)?));
    let frame = BertProcessing::new(frame("[SEP]")?, frame("[CLS]")?);
    let padding = PaddingParams {
        pad_id: id("[PAD]")?,
        ..PaddingParams::default()
    };
    let special = BERT_TOKENS.into_iter();
    let special = special.filter(|token| vocabulary.contains_key(*token));
    let special: Vec<_> = special.map(|token| AddedToken::from(token, true)).collect();
    let mut normalizer = BertNormalizer::default();
    normalizer.lowercase = lowercase;
    let model = WordPiece::builder().vocab(vocabulary).build()?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    tokenizer
        .with_normalizer(Some(normalizer))?
        .with_pre_tokenizer(Some(BertPreTokenizer))
        .with_post_processor(Some(frame))
        .with_padding(Some(padding));
    tokenizer.add_special_tokens(special)?;
    Ok(tokenizer)
}
