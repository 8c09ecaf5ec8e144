//! What the parts of a `tokenizer.json` do, as far as other files may contradict them.

use serde_json::Value;
use tokenizers::normalizers::NormalizerWrapper;

/// Whether a pre-tokenizer puts a space before a text; `None` if it has no such setting.
pub(super) fn own_prefix(pre_tokenizer: &Value) -> Option<bool> {
    match pre_tokenizer.get("type")?.as_str()? {
        "Metaspace" => {
            let scheme = pre_tokenizer.get("prepend_scheme").and_then(Value::as_str);
            Some(scheme.map_or_else(
                || {
                    pre_tokenizer
                        .get("add_prefix_space")
                        .and_then(Value::as_bool)
                        != Some(false)
                },
                |scheme| scheme != "never",
            ))
        }
        "Sequence" => {
            let all = pre_tokenizer.get("pretokenizers")?.as_array()?;
            all.iter().find_map(own_prefix)
        }
        _ => pre_tokenizer.get("add_prefix_space")?.as_bool(),
    }
}

/// Whether a normalizer lowercases.
pub(super) fn lowercases(normalizer: &NormalizerWrapper) -> bool {
    match normalizer {
        NormalizerWrapper::Lowercase(_) => true,
        NormalizerWrapper::BertNormalizer(bert) => bert.lowercase,
        NormalizerWrapper::Sequence(all) => all.as_ref().iter().any(lowercases),
        _ => false,
    }
}

/// The tokens before and after a text.
pub(super) type Framing = (Option<String>, Option<String>);

/// The tokens with which a post-processor frames a single text; `None` if it does more than that.
pub(super) fn framing(post_processor: Option<&Value>) -> Option<Framing> {
    let Some(value) = post_processor.filter(|value| !value.is_null()) else {
        return Some((None, None));
    };
    let list = |key: &str| value.get(key).and_then(Value::as_array);
    match value.get("type")?.as_str()? {
        "ByteLevel" => Some((None, None)),
        "RobertaProcessing" | "BertProcessing" => {
            let first = |key: &str| Some(list(key)?.first()?.as_str()?.to_owned());
            Some((first("cls"), first("sep")))
        }
        "TemplateProcessing" => {
            let special =
                |piece: &Value| Some(piece.get("SpecialToken")?.get("id")?.as_str()?.to_owned());
            let is_text = |piece: &Value| piece.get("Sequence").is_some();
            match list("single")?.as_slice() {
                [text] if is_text(text) => Some((None, None)),
                [before, text] if is_text(text) => Some((special(before), None)),
                [text, after] if is_text(text) => Some((None, special(after))),
                [before, text, after] if is_text(text) => Some((special(before), special(after))),
                _ => None,
            }
        }
        "Sequence" => {
            let all = list("processors")?.iter().map(|one| framing(Some(one)));
            let mut framing = all.filter(|found| *found != Some((None, None)));
            match (framing.next(), framing.next()) {
                (None, _) => Some((None, None)),
                (Some(one), None) => one,
                _ => None,
            }
        }
        _ => None,
    }
}
