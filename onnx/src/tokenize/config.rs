//! The settings of a model's tokenization.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::repair::repaired;

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
    /// The side on which shorter texts are padded; `None`: that of the tokenizer's own padding
    /// settings, else the right.
    pub pad_side: Option<Side>,
    /// The side on which a text beyond the context length is cut.
    pub truncate_side: Side,
    /// Whether BERT's normalizer lowercases; `None`: as the tokenizer's file says, and for a plain
    /// vocabulary (`vocab.txt`) it does.
    pub lowercase: Option<bool>,
    /// Whether BERT's normalizer removes accents; `None`: as the tokenizer's file says, and for a
    /// plain vocabulary where it lowercases.
    pub strip_accents: Option<bool>,
    /// Whether BERT's normalizer splits Chinese characters; `None`: as the tokenizer's file says,
    /// and for a plain vocabulary it does.
    pub split_chinese: Option<bool>,
    /// How a text is cleaned before it is tokenized.
    pub clean: Clean,
    /// The tokens that frame a text, if they are not those of the tokenizer's file.
    pub frame: Option<Frame>,
    /// A token that is replaced by id 0 wherever it stands, as `open_clip` does for CLIPA
    /// (`strip_sep_token`).
    pub erased_token: Option<String>,
    /// What the attention mask says about padding.
    pub mask: MaskRule,
    /// Put before every query.
    pub query_prefix: String,
    /// Put before every caption.
    pub caption_prefix: String,
}

/// A side of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Side {
    /// The start of the text.
    #[serde(alias = "Left")]
    Left,
    /// The end of the text.
    #[default]
    #[serde(alias = "Right")]
    Right,
}

/// What a text is encoded for; some models put different words before the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextRole {
    /// It is searched with.
    Query,
    /// It is found.
    Caption,
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
    /// Typography and entities are repaired, each run of white space becomes one space, white space
    /// at the ends is removed: `open_clip`.
    Whitespace,
    /// The same, lowercased: `open_clip`'s `lower`.
    LowerSpaced,
    /// Lowercased.
    Lower,
    /// Lowercased, without ASCII punctuation, white space as above: `SigLIP` in transformers.
    Canonical,
    /// As `Canonical`, but not lowercased.
    CanonicalCased,
    /// As `Canonical`, but repaired first, and underscores become spaces: `SigLIP` in `open_clip`.
    CanonicalSpaced,
}

impl Clean {
    pub(super) fn apply(self, text: &str) -> Cow<'_, str> {
        let stripped =
            |text: &str| -> String { text.chars().filter(|c| !c.is_ascii_punctuation()).collect() };
        match self {
            Self::None => Cow::Borrowed(text),
            Self::Whitespace => joined(&repaired(text)).into(),
            Self::LowerSpaced => joined(&repaired(text)).to_lowercase().into(),
            Self::Lower => text.to_lowercase().into(),
            Self::Canonical => joined(&stripped(&text.to_lowercase())).into(),
            Self::CanonicalCased => joined(&stripped(text)).into(),
            Self::CanonicalSpaced => {
                joined(&stripped(&repaired(text).replace('_', " ")).to_lowercase()).into()
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
            pad_side,
            truncate_side,
            lowercase,
            strip_accents,
            split_chinese,
            clean,
            frame,
            erased_token,
            mask,
            query_prefix,
            caption_prefix,
        } = self;
        let mut text = format!("context {context_length} pad {pad:?} {pad_token:?}");
        // Added later; defaults are left out, so that older fingerprints stay valid.
        if let Some(pad_id) = pad_id {
            let _ = write!(text, " pad id {pad_id}");
        }
        match lowercase {
            None => {}
            Some(true) => text.push_str(" lowercased"),
            Some(false) => text.push_str(" cased"),
        }
        let others = [("accents", strip_accents), ("Chinese", split_chinese)];
        for (name, value) in others {
            if let Some(value) = value {
                let _ = write!(text, " {name} {value}");
            }
        }
        if let Some(side) = pad_side {
            let _ = write!(text, " padded {side:?}");
        }
        if *truncate_side != Side::Right {
            let _ = write!(text, " cut {truncate_side:?}");
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
        if let Some(token) = erased_token {
            let _ = write!(text, " erased {token:?}");
        }
        if !(query_prefix.is_empty() && caption_prefix.is_empty()) {
            let _ = write!(text, " prefixes {query_prefix:?} {caption_prefix:?}");
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
