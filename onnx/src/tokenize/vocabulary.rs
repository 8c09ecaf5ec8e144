//! Tokenizers as they lie in a model's folder: a `tokenizer.json`, or the vocabulary alone, in the
//! two forms that transformers wrote before there was one.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokenizers::models::bpe::BPE;
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{
    AddedToken, DecoderWrapper, Model, ModelWrapper, NormalizerWrapper, PaddingParams,
    PostProcessorWrapper, PreTokenizerWrapper, TokenizerImpl,
};

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
        whole(&bytes)
    };
    tokenizer.map_err(|source| ModelError::Tokenizer {
        file: file.clone(),
        source,
    })
}

/// Reads a `tokenizer.json`. The library's own way makes generic values of the vocabulary first,
/// which takes several times as long as reading it as what it is.
fn whole(file: &[u8]) -> tokenizers::Result<tokenizers::Tokenizer> {
    #[derive(Deserialize)]
    struct File {
        model: Kind,
    }
    #[derive(Deserialize)]
    struct Kind {
        r#type: String,
    }
    let kind = serde_json::from_slice::<File>(file).map(|file| file.model.r#type);
    let tokenizer = match kind.as_deref() {
        Ok("WordPiece") => with_model::<WordPiece>(file),
        Ok("Unigram") => with_model::<Unigram>(file),
        Ok("BPE") => with_model::<BPE>(file),
        _ => None,
    };
    // What the direct way refuses is read by the other one, or refused with its error.
    tokenizer.map_or_else(|| tokenizers::Tokenizer::from_bytes(file), Ok)
}

/// Reads a `tokenizer.json` whose model is an `M`.
fn with_model<M>(file: &[u8]) -> Option<tokenizers::Tokenizer>
where
    M: DeserializeOwned + Model + Into<ModelWrapper>,
{
    type Tokenizer<M> = TokenizerImpl<
        M,
        NormalizerWrapper,
        PreTokenizerWrapper,
        PostProcessorWrapper,
        DecoderWrapper,
    >;
    let tokenizer: Tokenizer<M> = serde_json::from_slice(file).ok()?;
    Some(tokenizer.into())
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn vocabularies_are_read_as_by_the_library() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let files = [
            "starter/tokenizer.json",
            "starter/tokenizer-other.json",
            "tests/data/layouts/chinese_clip/tokenizer.json",
            "tests/data/layouts/mobileclip/tokenizer.json",
            "tests/data/layouts/siglip2/tokenizer.json",
        ];
        for name in files {
            let file = fs_err::read(folder.join(name)).unwrap();
            let direct = [
                with_model::<WordPiece>(&file),
                with_model::<Unigram>(&file),
                with_model::<BPE>(&file),
            ];
            let n_direct = direct.iter().flatten().count();
            assert_eq!(n_direct, 1, "{name}");
            let expected = tokenizers::Tokenizer::from_bytes(&file).unwrap();
            let found = whole(&file).unwrap();
            assert!(
                found.to_string(false).unwrap() == expected.to_string(false).unwrap(),
                "{name}"
            );
            for text in ["Ein Hund im Schnee", "a dog's tail, naïve", "两只猫 [MASK]"] {
                let ids = |tokenizer: &tokenizers::Tokenizer| {
                    let encoded = tokenizer.encode(text, true).unwrap();
                    encoded.get_ids().to_vec()
                };
                assert_eq!(ids(&found), ids(&expected), "{name}, {text}");
            }
        }
        assert_eq!(files.len(), 5);
    }

    #[test]
    fn a_file_that_is_no_tokenizer_is_refused_with_the_error_of_the_library() {
        let files: [&[u8]; 3] = [b"{}", b"{\"model\": {\"type\": \"BPE\"}}", b"\xff"];
        for file in files {
            let error = |result: tokenizers::Result<tokenizers::Tokenizer>| {
                result.err().map(|error| error.to_string())
            };
            let expected = error(tokenizers::Tokenizer::from_bytes(file));
            assert!(expected.is_some());
            assert_eq!(error(whole(file)), expected);
        }
        assert_eq!(files.len(), 3);
    }
}
