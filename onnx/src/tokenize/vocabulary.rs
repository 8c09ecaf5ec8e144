//! Tokenizers as they lie in a model's folder: a `tokenizer.json`, or the vocabulary alone, in the
//! two forms that transformers wrote before there was one.

use serde_json::{Value, json};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, PaddingParams};

use crate::error::ModelError;
use crate::source::Source;

/// A `WordPiece` vocabulary, one piece per line.
pub(crate) const VOCABULARY_TXT: &str = "vocab.txt";
/// A vocabulary of byte pairs, each with its id; their merges are beside it.
pub(crate) const VOCABULARY_JSON: &str = "vocab.json";
/// The merges of a `vocab.json`, the likeliest first.
pub(crate) const MERGES: &str = "merges.txt";

/// Special tokens of BERT's vocabularies.
const BERT_TOKENS: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// Reads a tokenizer.
pub(super) fn tokenizer(source: &Source) -> Result<tokenizers::Tokenizer, ModelError> {
    let bytes = source.bytes()?;
    let file = &source.path;
    let is = |name: &str| file.file_name().is_some_and(|found| found == name);
    let tokenizer = if file.extension().is_some_and(|end| end == "txt") {
        word_pieces(&bytes)
    } else if is(VOCABULARY_JSON) {
        let merges = file.with_file_name(MERGES);
        let merges = fs_err::read_to_string(&merges).map_err(ModelError::unreadable(&merges))?;
        clip_pairs(&bytes, &merges)
    } else {
        tokenizers::Tokenizer::from_bytes(&bytes)
    };
    tokenizer.map_err(|source| ModelError::Tokenizer {
        file: file.clone(),
        source,
    })
}

/// BERT's tokenizer (Devlin et al. 2018) for a plain vocabulary: words in lower case without
/// accents, each Chinese character on its own, framed by `[CLS]` and `[SEP]`.
fn word_pieces(vocabulary: &[u8]) -> tokenizers::Result<tokenizers::Tokenizer> {
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
    let model = WordPiece::builder().vocab(vocabulary).build()?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    tokenizer
        .with_normalizer(Some(BertNormalizer::default()))?
        .with_pre_tokenizer(Some(BertPreTokenizer))
        .with_post_processor(Some(frame))
        .with_padding(Some(padding));
    tokenizer.add_special_tokens(special)?;
    Ok(tokenizer)
}

/// CLIP's tokenizer (Radford et al. 2021) for its vocabulary and merges: what transformers makes of
/// them, as a `tokenizer.json`.
fn clip_pairs(vocabulary: &[u8], merges: &str) -> tokenizers::Result<tokenizers::Tokenizer> {
    const START: &str = "<|startoftext|>";
    const END: &str = "<|endoftext|>";
    let vocabulary: Value = serde_json::from_slice(vocabulary)?;
    let id = |token: &str| {
        let id = vocabulary.get(token).and_then(Value::as_u64);
        id.ok_or_else(|| format!("the vocabulary has no {token}"))
    };
    let special = |token: &str| {
        Ok::<_, String>(json!({
            "id": id(token)?, "content": token, "special": true, "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false,
        }))
    };
    let lines = merges.lines().filter(|line| !line.starts_with("#version"));
    let pairs: Vec<&str> = lines.filter(|line| !line.trim().is_empty()).collect();
    if pairs.is_empty() {
        return Err("merges.txt is empty".into());
    }
    let words = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
    let file = json!({
        "version": "1.0",
        "added_tokens": [special(START)?, special(END)?],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
            {"type": "Lowercase"},
        ]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": words}, "behavior": "Removed", "invert": true},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
             "use_regex": false},
        ]},
        "post_processor": {"type": "RobertaProcessing", "sep": [END, id(END)?],
            "cls": [START, id(START)?], "trim_offsets": false, "add_prefix_space": false},
        "model": {"type": "BPE", "unk_token": END, "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>", "fuse_unk": false, "vocab": vocabulary,
            "merges": pairs},
    });
    tokenizers::Tokenizer::from_bytes(serde_json::to_vec(&file)?)
}
