//! From texts to token ids.
//!
//! The tokenizer's own file says how a text is split, normalised and framed by special tokens; the
//! model's description adds the context length and the padding, and may change the casing and the
//! frame. Truncation drops tokens of the text and keeps the closing special token, as in the Python
//! reference.

mod config;
mod repair;
mod vocabulary;

use std::borrow::Cow;
use std::path::Path;

use ndarray::Array2;
use tokenizers::normalizers::{BertNormalizer, NormalizerWrapper};
use tokenizers::{Model as _, ModelWrapper, PostProcessor, TruncationDirection};

use crate::error::{EncodeError, ModelError};
use crate::source::Source;

pub use config::{Clean, Frame, MaskRule, Pad, Side, TextRole, TokenizeConfig};
pub(crate) use vocabulary::{MERGES, VOCABULARY_JSON, VOCABULARY_TXT};

/// Tokens of several texts, `[n, n_tokens]`.
pub(crate) struct TokenBatch {
    pub(crate) ids: Array2<i64>,
    /// 1 for a token, 0 for padding.
    pub(crate) mask: Array2<i64>,
}

pub(crate) struct Tokenizer {
    library: tokenizers::Tokenizer,
    config: TokenizeConfig,
    /// Number of tokens that frame each text.
    n_special: usize,
    /// Ids of the tokens before and after each text, where the model's description names them.
    frame: Option<(Vec<u32>, Vec<u32>)>,
    erased_id: Option<u32>,
    pad_id: u32,
    pad_side: Side,
}

impl Tokenizer {
    pub(crate) fn load(source: &Source, config: &TokenizeConfig) -> Result<Self, ModelError> {
        let file = &source.path;
        let invalid = |source| ModelError::Tokenizer {
            file: file.clone(),
            source,
        };
        let mut tokenizer = vocabulary::tokenizer(source)?;
        let pad_side = config.pad_side.or_else(|| own_pad_side(&tokenizer));
        let pad_id = pad_id(&tokenizer, config).ok_or_else(|| {
            let token = config.pad_token.as_deref().unwrap_or_default();
            let reason = "the tokenizer has no such padding token";
            ModelError::invalid(file, "pad_token", token, reason)
        })?;
        // The file's own padding and truncation are meant for another use: files of sentence
        // encoders, for example, pad everything to 128 tokens.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(invalid)?;
        set_casing(&mut tokenizer, config, file)?;
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
        let erased = config.erased_token.as_ref();
        let erased_id = erased.map(|token| id_of("erased_token", token, &tokenizer, file));
        Ok(Self {
            library: tokenizer,
            config: config.clone(),
            n_special,
            frame,
            erased_id: erased_id.transpose()?,
            pad_id,
            pad_side: pad_side.unwrap_or_default(),
        })
    }

    /// The token ids of each text, special tokens included, without padding: at most the context
    /// length.
    pub(crate) fn encode(
        &self,
        texts: &[&str],
        role: Option<TextRole>,
    ) -> Result<Vec<Vec<u32>>, EncodeError> {
        let one = |(position, text): (usize, &&str)| {
            self.tokens(text, role)
                .map_err(|source| EncodeError::Tokenize { position, source })
        };
        texts.iter().enumerate().map(one).collect()
    }

    /// Number of tokens of a text beyond the context length.
    pub(crate) fn n_dropped(
        &self,
        text: &str,
        role: Option<TextRole>,
    ) -> Result<usize, EncodeError> {
        let bare = self.library.encode_fast(self.prepared(text, role), false);
        let bare = bare.map_err(|source| EncodeError::Tokenize {
            position: 0,
            source,
        })?;
        Ok(bare.len().saturating_sub(self.room()))
    }

    /// Whether any token of a text is more than the unknown token, a single byte of a character
    /// that is not in the vocabulary, or a space.
    pub(crate) fn knows(&self, text: &str) -> Result<bool, EncodeError> {
        let bare = self.library.encode_fast(self.prepared(text, None), false);
        let bare = bare.map_err(|source| EncodeError::Tokenize {
            position: 0,
            source,
        })?;
        let unknown = unknown_id(&self.library);
        let is_known = |&id: &u32| {
            let token = self.library.id_to_token(id).unwrap_or_default();
            let is_byte = token.len() == 6 && token.starts_with("<0x") && token.ends_with('>');
            Some(id) != unknown && !is_byte && token != "\u{2581}"
        };
        Ok(bare.get_ids().iter().any(is_known))
    }

    /// Whether padding moves a text's tokens by the length of the texts beside it.
    pub(crate) fn moves_texts(&self) -> bool {
        self.pad_side == Side::Left && self.config.pad == Pad::Longest
    }

    /// The text with the words that the model expects before it, cleaned.
    fn prepared<'a>(&self, text: &'a str, role: Option<TextRole>) -> Cow<'a, str> {
        let prefix = match role {
            None => "",
            Some(TextRole::Query) => &self.config.query_prefix,
            Some(TextRole::Caption) => &self.config.caption_prefix,
        };
        if prefix.is_empty() {
            return self.config.clean.apply(text);
        }
        let text = format!("{prefix}{text}");
        Cow::Owned(self.config.clean.apply(&text).into_owned())
    }

    /// Truncates before framing, so that the closing token is always kept.
    fn tokens(&self, text: &str, role: Option<TextRole>) -> tokenizers::Result<Vec<u32>> {
        let mut bare = self.library.encode_fast(self.prepared(text, role), false)?;
        let from = match self.config.truncate_side {
            Side::Left => TruncationDirection::Left,
            Side::Right => TruncationDirection::Right,
        };
        bare.truncate(self.room(), 0, from);
        let mut ids = if let Some((start, end)) = &self.frame {
            [start, bare.get_ids(), end].concat()
        } else {
            self.library
                .post_process(bare, None, true)?
                .get_ids()
                .to_vec()
        };
        for id in &mut ids {
            if Some(*id) == self.erased_id {
                *id = 0;
            }
        }
        Ok(ids)
    }

    /// Number of tokens of a text that fit between the special tokens.
    fn room(&self) -> usize {
        self.config.context_length - self.n_special
    }

    /// Pads the texts to one length, and to `n` rows.
    pub(crate) fn pad(&self, texts: &[&[u32]], n: usize) -> TokenBatch {
        let longest = texts.iter().map(|ids| ids.len()).max().unwrap_or(0).max(1);
        let n_tokens = match self.config.pad {
            Pad::Longest => longest,
            Pad::Context => self.config.context_length,
        };
        let mut ids = Array2::from_elem((n, n_tokens), i64::from(self.pad_id));
        let of_padding = i64::from(self.config.mask == MaskRule::All);
        let mut mask = Array2::from_elem((n, n_tokens), of_padding);
        for (row, tokens) in texts.iter().enumerate() {
            let first = match self.pad_side {
                Side::Left => n_tokens.saturating_sub(tokens.len()),
                Side::Right => 0,
            };
            for (column, &id) in (first..n_tokens).zip(*tokens) {
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

/// The id of what is not in the vocabulary, if there is one. A vocabulary of all bytes needs none.
fn unknown_id(tokenizer: &tokenizers::Tokenizer) -> Option<u32> {
    let id_of = |token: &str| tokenizer.token_to_id(token);
    match tokenizer.get_model() {
        ModelWrapper::BPE(model) => model.get_unk_token().as_deref().and_then(id_of),
        ModelWrapper::WordPiece(model) => id_of(&model.unk_token),
        ModelWrapper::WordLevel(model) => id_of(&model.unk_token),
        // Its id is private, so a character that no vocabulary has shows it.
        ModelWrapper::Unigram(model) => {
            let tokens = model.tokenize("\u{10fffd}").unwrap_or_default();
            tokens.first().map(|token| token.id)
        }
    }
}

/// The id to pad with: the model's, else that of the tokenizer's own padding settings, else 0,
/// which is harmless because padding is masked or comes after the end-of-text token that the tower
/// reads: a model that attends to its padding must name it. `None` if the tokenizer has no such
/// token.
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

/// The side on which the tokenizer's own settings pad.
fn own_pad_side(tokenizer: &tokenizers::Tokenizer) -> Option<Side> {
    let padding = tokenizer.get_padding()?;
    Some(match padding.direction {
        tokenizers::PaddingDirection::Left => Side::Left,
        tokenizers::PaddingDirection::Right => Side::Right,
    })
}

/// BERT's normalizer, alone or among others.
pub(crate) fn find_bert(normalizer: &NormalizerWrapper) -> Option<&BertNormalizer> {
    match normalizer {
        NormalizerWrapper::BertNormalizer(bert) => Some(bert),
        NormalizerWrapper::Sequence(all) => all.as_ref().iter().find_map(find_bert),
        _ => None,
    }
}

fn find_bert_mut(normalizer: &mut NormalizerWrapper) -> Option<&mut BertNormalizer> {
    match normalizer {
        NormalizerWrapper::BertNormalizer(bert) => Some(bert),
        NormalizerWrapper::Sequence(all) => all.as_mut().iter_mut().find_map(find_bert_mut),
        _ => None,
    }
}

/// Changes BERT's normalizer as the model's description says.
fn set_casing(
    tokenizer: &mut tokenizers::Tokenizer,
    config: &TokenizeConfig,
    file: &Path,
) -> Result<(), ModelError> {
    let asked = [
        ("text.lowercase", config.lowercase),
        ("text.strip_accents", config.strip_accents),
        ("text.split_chinese", config.split_chinese),
    ];
    let Some((key, value)) = asked
        .into_iter()
        .find_map(|(key, value)| Some((key, value?)))
    else {
        return Ok(());
    };
    let mut normalizer = tokenizer.get_normalizer().cloned();
    let Some(bert) = normalizer.as_mut().and_then(find_bert_mut) else {
        let reason = "only a tokenizer with BERT's normalizer can change that";
        return Err(ModelError::invalid(file, key, value, reason));
    };
    if let Some(lowercase) = config.lowercase {
        bert.lowercase = lowercase;
    }
    if let Some(strips) = config.strip_accents {
        bert.strip_accents = Some(strips);
    }
    if let Some(splits) = config.split_chinese {
        bert.handle_chinese_chars = splits;
    }
    let invalid = |source| ModelError::Tokenizer {
        file: file.to_path_buf(),
        source,
    };
    tokenizer.with_normalizer(normalizer).map_err(invalid)?;
    Ok(())
}

fn id_of(
    key: &'static str,
    token: &str,
    tokenizer: &tokenizers::Tokenizer,
    file: &Path,
) -> Result<u32, ModelError> {
    let id = tokenizer.token_to_id(token);
    id.ok_or_else(|| ModelError::invalid(file, key, token, "the tokenizer has no such token"))
}

/// The ids of the tokens before and after each text.
fn ids_of(
    frame: &Frame,
    tokenizer: &tokenizers::Tokenizer,
    file: &Path,
) -> Result<(Vec<u32>, Vec<u32>), ModelError> {
    let ids = |key, token: &Option<String>| {
        let ids = token.iter().map(|token| id_of(key, token, tokenizer, file));
        ids.collect::<Result<Vec<u32>, ModelError>>()
    };
    Ok((
        ids("start_token", &frame.start)?,
        ids("end_token", &frame.end)?,
    ))
}
