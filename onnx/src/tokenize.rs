//! Which numbers does the text tower see for a text?
//!
//! The tokenizer's own file says how text is split, normalised and framed by special tokens; this
//! module only sets the context length and the padding. Truncation drops tokens from the end of
//! the text and keeps the closing special token, as the Python reference does.

use tokenizers::{PostProcessor, TruncationDirection};

use crate::error::{EncodeError, ModelError};
use crate::source::Source;

/// How texts are framed into equal lengths.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenizeConfig {
    /// The most tokens that the model sees, special ones included.
    pub context_length: usize,
    /// How far shorter texts are filled up.
    pub pad: Pad,
    /// The token to fill up with; `None`: the one that the tokenizer's file names.
    pub pad_token: Option<String>,
}

impl TokenizeConfig {
    /// All settings, written out for the fingerprint. Taking the struct apart makes a new field
    /// fail to compile here until someone decides how it counts.
    pub(crate) fn describe(&self) -> String {
        let Self {
            context_length,
            pad,
            pad_token,
        } = self;
        format!("context {context_length} pad {pad:?} {pad_token:?}")
    }
}

/// How far texts are filled up with padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pad {
    /// To the longest text that shares the run.
    Longest,
    /// Always to the context length.
    Context,
}

/// The tokens of one text, special ones included, without padding.
pub(crate) struct Tokens {
    pub(crate) ids: Vec<u32>,
}

/// Tokens of several texts, `[n, n_tokens]` row after row.
pub(crate) struct TokenBatch {
    pub(crate) n_tokens: usize,
    pub(crate) ids: Vec<i64>,
    /// 1 for a token, 0 for padding.
    pub(crate) mask: Vec<i64>,
}

pub(crate) struct Tokenizer {
    library: tokenizers::Tokenizer,
    context_length: usize,
    /// How many tokens frame each text.
    n_special: usize,
    pad: Pad,
    pad_id: u32,
}

impl Tokenizer {
    pub(crate) fn load(source: &Source, config: &TokenizeConfig) -> Result<Self, ModelError> {
        let file = source.path().to_path_buf();
        let broken = |source| ModelError::Tokenizer {
            file: file.clone(),
            source,
        };
        let bytes = source.bytes()?;
        let mut tokenizer = tokenizers::Tokenizer::from_bytes(&bytes).map_err(broken)?;
        let pad_id = pad_id(&tokenizer, config).ok_or_else(|| ModelError::Value {
            file: file.clone(),
            key: "pad_token",
            value: config.pad_token.clone().unwrap_or_default(),
            reason: "the tokenizer knows no such token to fill up with",
        })?;
        // What the file itself says about padding and truncation was meant for another use: files
        // from sentence encoders, for example, fill up everything to 128 tokens.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(broken)?;
        let n_special = tokenizer
            .get_post_processor()
            .map_or(0, |frame| frame.added_tokens(false));
        if config.context_length <= n_special {
            return Err(ModelError::Value {
                file,
                key: "context_length",
                value: config.context_length.to_string(),
                reason: "it leaves no room beside the special tokens",
            });
        }
        Ok(Self {
            library: tokenizer,
            context_length: config.context_length,
            n_special,
            pad: config.pad,
            pad_id,
        })
    }

    /// The tokens of each text, at most the context length.
    pub(crate) fn encode(&self, texts: &[&str]) -> Result<Vec<Tokens>, EncodeError> {
        let one = |(position, text): (usize, &&str)| {
            self.tokens(text)
                .map_err(|source| EncodeError::Tokenize { position, source })
        };
        texts.iter().enumerate().map(one).collect()
    }

    /// How many tokens the context length cuts off a text.
    pub(crate) fn n_dropped(&self, text: &str) -> Result<usize, EncodeError> {
        let bare = self.library.encode_fast(text, false);
        let bare = bare.map_err(|source| EncodeError::Tokenize {
            position: 0,
            source,
        })?;
        Ok(bare.len().saturating_sub(self.room()))
    }

    /// Cuts first and frames then, so that the closing token is always there.
    fn tokens(&self, text: &str) -> tokenizers::Result<Tokens> {
        let mut bare = self.library.encode_fast(text, false)?;
        bare.truncate(self.room(), 0, TruncationDirection::Right);
        let framed = self.library.post_process(bare, None, true)?;
        let ids = framed.get_ids().to_vec();
        Ok(Tokens { ids })
    }

    /// How many tokens of a text fit beside the special ones.
    fn room(&self) -> usize {
        self.context_length - self.n_special
    }

    /// Fills the texts up to one length, and up to `n` rows.
    pub(crate) fn pad(&self, texts: &[&Tokens], n: usize) -> TokenBatch {
        let longest = texts.iter().map(|t| t.ids.len()).max().unwrap_or(0).max(1);
        let n_tokens = match self.pad {
            Pad::Longest => longest,
            Pad::Context => self.context_length,
        };
        let mut ids = vec![i64::from(self.pad_id); n * n_tokens];
        let mut mask = vec![0; n * n_tokens];
        for (row, tokens) in texts.iter().enumerate() {
            for (column, &id) in tokens.ids.iter().enumerate() {
                ids[row * n_tokens + column] = i64::from(id);
                mask[row * n_tokens + column] = 1;
            }
        }
        // A row that only fills a fixed batch must not be all padding: some graphs divide by the
        // number of real tokens.
        for row in texts.len()..n {
            mask[row * n_tokens] = 1;
        }
        TokenBatch {
            n_tokens,
            ids,
            mask,
        }
    }
}

/// The padding token: by name when the model names one, else the one in the tokenizer's own padding
/// settings, else 0, which is harmless because padding is masked or lies behind the end-of-text
/// token that the tower reads.
fn pad_id(tokenizer: &tokenizers::Tokenizer, config: &TokenizeConfig) -> Option<u32> {
    match (&config.pad_token, tokenizer.get_padding()) {
        (Some(token), _) => tokenizer.token_to_id(token),
        (None, Some(padding)) => Some(padding.pad_id),
        (None, None) => Some(0),
    }
}
