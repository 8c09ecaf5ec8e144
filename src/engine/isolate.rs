//! Encodes batches so that a picture or text that the model cannot encode spoils no other one.
//!
//! A batch that fails is halved until the items at fault stand alone. Whether an item that fails
//! alone is at fault, or the model, the device or the memory, is decided by encoding something
//! harmless: if that fails too, the error is that of the run.

use std::collections::BTreeMap;

use image::{Rgb, RgbImage};
use sightline_onnx::{EncodeError, Pixels};

use super::encoder::{Encoders, Lane, LanguageHint, TextEncoder};
use super::error::EngineError;

/// One embedding per item, in order, or why it has none.
pub(crate) type Embeddings = Vec<Result<Vec<f32>, EngineError>>;

/// Texts that every working model can encode, or at least one of them.
const HARMLESS: [&str; 3] = ["a", "a photo of a dog", ""];

/// The longest cause that is quoted, in characters.
const MAX_CAUSE: usize = 160;

/// Encodes captions, each by the tower of its language. For each that the model cannot encode there
/// is an [`EngineError::NotEncoded`].
///
/// # Errors
/// When the model cannot be loaded or run at all, or has no tower for the language asked for.
pub(crate) fn texts(
    encoders: &Encoders,
    texts: &[&str],
    hint: LanguageHint,
) -> Result<Embeddings, EngineError> {
    by_tower(encoders, texts, hint, |tower, texts| tower.encode(texts))
}

/// The same for queries.
pub(crate) fn queries(
    encoders: &Encoders,
    texts: &[&str],
    hint: LanguageHint,
) -> Result<Embeddings, EngineError> {
    by_tower(encoders, texts, hint, |tower, texts| {
        tower.encode_queries(texts)
    })
}

/// The same, all by one tower, whatever language each seems to be in.
pub(crate) fn queries_of_tower(
    encoders: &Encoders,
    tower: usize,
    texts: &[&str],
) -> Result<Embeddings, EngineError> {
    let tower = encoders.text_tower(tower);
    of_tower(texts, |texts| tower.encode_queries(texts))
}

fn of_tower(
    texts: &[&str],
    encode: impl Fn(&[&str]) -> Result<Vec<Vec<f32>>, EngineError>,
) -> Result<Embeddings, EngineError> {
    let works = || HARMLESS.into_iter().any(|text| encode(&[text]).is_ok());
    each("this text", texts, &encode, works)
}

fn by_tower(
    encoders: &Encoders,
    texts: &[&str],
    hint: LanguageHint,
    encode: impl Fn(&dyn TextEncoder, &[&str]) -> Result<Vec<Vec<f32>>, EngineError>,
) -> Result<Embeddings, EngineError> {
    let mut places: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, text) in texts.iter().enumerate() {
        let choice = encoders.choose(text, hint)?;
        places.entry(choice.tower).or_default().push(place);
    }
    let mut with_places = Vec::with_capacity(texts.len());
    for (tower, places) in places {
        let for_it: Vec<&str> = places.iter().map(|&place| texts[place]).collect();
        let tower = encoders.text_tower(tower);
        let encoded = of_tower(&for_it, |texts| encode(tower, texts))?;
        with_places.extend(places.into_iter().zip(encoded));
    }
    with_places.sort_by_key(|(place, _)| *place);
    Ok(with_places
        .into_iter()
        .map(|(_, embedding)| embedding)
        .collect())
}

/// The same for pictures, encoded in a lane.
pub(crate) fn pictures(
    encoders: &Encoders,
    lane: Lane,
    pictures: &[Pixels],
) -> Result<Embeddings, EngineError> {
    let image = encoders.image();
    let encode = |pictures: &[Pixels]| image.encode_in(lane, pictures);
    let works = || encode(&[image.prepare(&harmless_picture())]).is_ok();
    each("this picture", pictures, encode, works)
}

fn harmless_picture() -> RgbImage {
    let value = |position: u32| u8::try_from(position * 4 % 256).unwrap_or(u8::MAX);
    RgbImage::from_fn(64, 64, |x, y| Rgb([value(x), value(y), value(x + y)]))
}

fn each<T>(
    what: &'static str,
    items: &[T],
    encode: impl Fn(&[T]) -> Result<Vec<Vec<f32>>, EngineError>,
    works: impl Fn() -> bool,
) -> Result<Embeddings, EngineError> {
    let mut embeddings = Embeddings::with_capacity(items.len());
    // The next part is the last one.
    let mut parts = Vec::from_iter((!items.is_empty()).then_some(items));
    let mut of_batch = None;
    while let Some(part) = parts.pop() {
        match encode(part) {
            Ok(found) => embeddings.extend(found.into_iter().map(Ok)),
            Err(error) if part.len() > 1 && is_of_a_run(&error) => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
                of_batch.get_or_insert(error);
            }
            Err(error) if is_of_a_run(&error) && !is_of_memory(&error) && works() => {
                let reason = reason(&error);
                embeddings.push(Err(EngineError::NotEncoded {
                    what: what.into(),
                    reason,
                }));
            }
            Err(error) => return Err(of_batch.unwrap_or(error)),
        }
    }
    Ok(embeddings)
}

/// Whether a loaded model failed on what it was given, as opposed to all that is the same for
/// every item.
fn is_of_a_run(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::Embedding(_)
            | EngineError::Encode(
                EncodeError::Run { .. }
                    | EncodeError::Tokenize { .. }
                    | EncodeError::ZeroOrNotFinite { .. }
            )
    )
}

/// Whether memory was short. Every picture takes the same, and no text more than the model's
/// context, so that a single item is never the cause.
fn is_of_memory(error: &EngineError) -> bool {
    let EngineError::Encode(EncodeError::Run { source, .. }) = error else {
        return false;
    };
    let text = source.to_string().to_lowercase();
    ["allocat", "alloc_failed", "out of memory", "bad_alloc"]
        .iter()
        .any(|sign| text.contains(sign))
}

fn reason(error: &EngineError) -> String {
    match error {
        EngineError::Encode(EncodeError::Run { source, .. }) => {
            format!("ONNX Runtime failed: {}", cause(&source.to_string()))
        }
        EngineError::Encode(EncodeError::Tokenize { source, .. }) => {
            format!("it cannot be tokenized: {}", cause(&source.to_string()))
        }
        EngineError::Encode(EncodeError::ZeroOrNotFinite { .. }) => {
            "its embedding is zero or not finite".to_owned()
        }
        error => cause(&error.to_string()),
    }
}

/// What a library says, on one line, without where in its source code it says so.
fn cause(text: &str) -> String {
    let status = text.rsplit("Status Message: ").next().unwrap_or(text);
    let words: Vec<&str> = status.split_whitespace().collect();
    let line = words.join(" ");
    let line = without_location(&line);
    match line.char_indices().nth(MAX_CAUSE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// What follows `/src/gather.cc:101 Status onnxruntime::Gather(…) const`, which ONNX Runtime puts
/// before some errors, and of a check that failed, what follows its condition.
fn without_location(line: &str) -> &str {
    let Some((place, rest)) = line.split_once(' ') else {
        return line;
    };
    let is_location = place.rsplit_once(':').is_some_and(|(file, number)| {
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number && file.contains(['/', '\\', '.'])
    });
    if !is_location {
        return line;
    }
    let mut rest = signature_end(rest).map_or(rest, |end| &rest[end..]);
    rest = rest.strip_prefix(" const").unwrap_or(rest).trim_start();
    // The types of a template.
    if rest.starts_with("[with ")
        && let Some((_, after)) = rest.split_once("] ")
    {
        rest = after;
    }
    match rest.split_once(" was false. ") {
        Some((_, reason)) if !reason.is_empty() => reason,
        _ => rest,
    }
}

/// The end of a signature in C++: the first `)` outside of all brackets that a space follows.
fn signature_end(text: &str) -> Option<usize> {
    let mut n_open = 0usize;
    let mut ends = text.char_indices().filter(|&(at, character)| {
        match character {
            '(' | '<' => n_open += 1,
            ')' | '>' => n_open = n_open.saturating_sub(1),
            _ => {}
        }
        character == ')' && n_open == 0 && text[at + 1..].starts_with(' ')
    });
    ends.next().map(|(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::path::PathBuf;

    use super::*;

    fn failure(source: &str) -> EngineError {
        EngineError::Encode(EncodeError::Run {
            file: PathBuf::from("text.onnx"),
            source: source.into(),
        })
    }

    /// Fails for batches with a negative item.
    fn encode(items: &[i32]) -> Result<Vec<Vec<f32>>, EngineError> {
        if items.iter().any(|&item| item < 0) {
            return Err(failure("Status Message: negative\nitem"));
        }
        Ok(items.iter().map(|&item| vec![item as f32]).collect())
    }

    fn shown(embeddings: Embeddings) -> Vec<String> {
        let one = |embedding: Result<Vec<f32>, EngineError>| match embedding {
            Ok(vector) => vector[0].to_string(),
            Err(error) => error.to_string(),
        };
        embeddings.into_iter().map(one).collect()
    }

    #[test]
    fn items_at_fault_are_named_and_the_others_encoded() {
        let n_runs = Cell::new(0);
        let counted = |items: &[i32]| {
            n_runs.set(n_runs.get() + 1);
            encode(items)
        };
        let mut items: Vec<i32> = (0..32).collect();
        items[20] = -1;
        let found = shown(each("this text", &items, counted, || true).unwrap());
        for (place, found) in found.iter().enumerate() {
            let expected = if place == 20 {
                "the model cannot encode this text: ONNX Runtime failed: negative item".to_owned()
            } else {
                place.to_string()
            };
            assert_eq!(*found, expected);
        }
        assert_eq!(found.len(), 32);
        // Halving, not one by one.
        assert_eq!(n_runs.get(), 11);
        let none: [i32; 0] = [];
        assert!(
            each("this text", &none, encode, || true)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn all_of_a_batch_can_be_at_fault() {
        let found = each("this picture", &[-1, -2], encode, || true).unwrap();
        assert_eq!(found.iter().filter(|one| one.is_err()).count(), 2);
    }

    #[test]
    fn when_nothing_can_be_encoded_the_run_has_failed() {
        let error = each("this text", &[1, -1], encode, || false).unwrap_err();
        assert!(
            matches!(error, EngineError::Encode(EncodeError::Run { .. })),
            "{error}"
        );
    }

    #[test]
    fn short_memory_halves_batches_and_blames_no_item() {
        let at_most = |n: usize, sign: &'static str| {
            move |items: &[i32]| {
                if items.len() > n {
                    return Err(failure(sign));
                }
                encode(items)
            }
        };
        let items = [1, 2, 3, 4, 5];
        let signs = [
            "Failed to allocate memory for requested buffer",
            "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0",
        ];
        for sign in signs {
            let found = each("this text", &items, at_most(2, sign), || true).unwrap();
            assert!(found.iter().all(Result::is_ok));
            assert!(each("this text", &items, at_most(0, sign), || true).is_err());
        }
    }

    #[test]
    fn what_does_not_depend_on_the_items_is_never_blamed_on_one() {
        let no_model = |_: &[i32]| -> Result<Vec<Vec<f32>>, EngineError> {
            Err(sightline_onnx::RuntimeError::NotFound { tried: Vec::new() }.into())
        };
        let error = each("this text", &[1, 2], no_model, || true).unwrap_err();
        assert!(matches!(error, EngineError::Runtime(_)), "{error}");
    }

    #[test]
    fn causes_are_one_line_of_bounded_length() {
        let text = "Non-zero status code returned while running Gather node. Name:'x' Status \
                    Message: indices element out of data bounds,\n idx=9";
        assert_eq!(cause(text), "indices element out of data bounds, idx=9");
        let rows = [
            (
                "Non-zero status code returned while running Add node. Name:'/Add' Status Message: \
                 /onnxruntime_src/onnxruntime/core/providers/cpu/math/element_wise_ops.h:563 void \
                 onnxruntime::BroadcastIterator::Init(ptrdiff_t, ptrdiff_t) axis == 1 || axis == \
                 largest was false. Attempting to broadcast an axis by a dimension other than 1. \
                 77 by 101",
                "Attempting to broadcast an axis by a dimension other than 1. 77 by 101",
            ),
            (
                "/src/op.cc:12 std::function<void(long int)> (anonymous namespace)::f<T>::\
                 operator()(int (*)(int)) const [with T = std::vector<int>; U = float] size (in \
                 bytes) is odd",
                "size (in bytes) is odd",
            ),
            (
                "D:\\a\\onnxruntime\\op.cc:12 onnxruntime::Op::Compute n_axes > 0 was false. ",
                "onnxruntime::Op::Compute n_axes > 0 was false.",
            ),
            (
                "ratio 4:3 (wide) was false. Or not",
                "ratio 4:3 (wide) was false. Or not",
            ),
            ("/src/op.cc:12", "/src/op.cc:12"),
        ];
        for (text, expected) in rows {
            assert_eq!(cause(text), expected);
        }
        assert_eq!(cause(&"é".repeat(1000)).chars().count(), MAX_CAUSE + 1);
    }
}
