use sightline_onnx::{EncodeError, Model, ModelError, TextTower};

use crate::support::{
    GoldenText, Tensors, chain, copy_of, cosine, data, golden_texts, plain_with, text_error,
    text_tower,
};

fn load(folder: &std::path::Path) -> TextTower {
    let model = Model::open(folder).unwrap();
    text_tower(&model)
}

fn texts(model: &str) -> Vec<GoldenText> {
    let listing = fs_err::read(data().join("golden.json")).unwrap();
    let listing: serde_json::Value = serde_json::from_slice(&listing).unwrap();
    golden_texts(&listing["models"][model])
}

#[test]
fn tokens_and_embeddings_equal_the_reference() {
    let tensors = Tensors::read(&data().join("golden.safetensors"));
    let mut n_texts = 0;
    for folder in ["clip", "plain"] {
        let mut encoder = load(&data().join(folder));
        let texts = texts(folder);
        let words: Vec<&str> = texts.iter().map(|(words, _, _)| words.as_str()).collect();
        // All at once: padding to longer texts must change nothing.
        let embeddings = encoder.encode(&words).unwrap();
        assert_eq!(embeddings.len(), texts.len());
        for (i, (words, ids, n_dropped)) in texts.iter().enumerate() {
            let start: String = words.chars().take(40).collect();
            assert_eq!(
                encoder.token_ids(words).unwrap(),
                *ids,
                "{folder}: {start:?}"
            );
            assert_eq!(
                encoder
                    .n_tokens_dropped(sightline_onnx::TextRole::Caption, words)
                    .unwrap(),
                *n_dropped,
                "{folder}: {start:?}"
            );
            let expected = tensors.f32s(&format!("{folder}/text/{i}"));
            let cosine = cosine(embeddings[i].as_slice(), &expected);
            assert!(cosine >= 0.9999, "{folder}: {start:?}: {cosine}");
            n_texts += 1;
        }
    }
    assert_eq!(n_texts, 2 * 12);
}

#[test]
fn a_text_without_any_known_token_is_unknown_to_the_model() {
    // WordPiece, Unigram, BPE with single bytes for unknown characters, BPE over bytes.
    let starter = Model::starter().unwrap();
    let layout = |name: &str| Model::open(&data().join("layouts").join(name)).unwrap();
    let rows: [(Model, &[&str], &[&str]); 4] = [
        (
            starter,
            &["狗", "🐶", "狗 🐶", "\u{200b}"],
            &["dog", "狗 dog", "?", "chien"],
        ),
        (
            layout("siglip"),
            &["狗", "🐶 狗", "?!"],
            &["a dog", "狗 a dog"],
        ),
        (layout("siglip2"), &["狗", "🐶"], &["a dog", "狗 a dog"]),
        (
            Model::open(&data().join("clip")).unwrap(),
            &[],
            &["狗", "🐶", "a dog"],
        ),
    ];
    let mut n_texts = 0;
    for (model, unknown, known) in rows {
        let encoder = text_tower(&model);
        for (texts, expected) in [(unknown, false), (known, true)] {
            for text in texts {
                let knows = encoder.knows(text).unwrap();
                assert_eq!(knows, expected, "{}: {text}", model.name());
                n_texts += 1;
            }
        }
    }
    assert_eq!(n_texts, 8 + 5 + 4 + 3);
}

#[test]
fn a_text_too_long_keeps_its_end_token() {
    for (folder, context_length) in [("clip", 24), ("plain", 16)] {
        let encoder = load(&data().join(folder));
        let short = encoder.token_ids("a dog").unwrap();
        let long = encoder.token_ids(&"a dog ".repeat(5000)).unwrap();
        assert_eq!(long.len(), context_length);
        assert_eq!(long.first(), short.first());
        assert_eq!(long.last(), short.last());
        assert_eq!(
            encoder
                .n_tokens_dropped(sightline_onnx::TextRole::Caption, "a dog")
                .unwrap(),
            0
        );
        assert!(
            encoder
                .n_tokens_dropped(sightline_onnx::TextRole::Caption, &"a dog ".repeat(5000))
                .unwrap()
                > 9000
        );
    }
}

#[test]
fn embeddings_are_in_the_order_of_the_texts() {
    let mut encoder = load(&data().join("clip"));
    assert!(encoder.encode(&[]).unwrap().is_empty());
    // More texts than fit one run, of mixed lengths.
    let texts: Vec<String> = (0..150)
        .map(|i| "dog ".repeat(i * 7 % 23) + &i.to_string())
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let together = encoder.encode(&texts).unwrap();
    assert_eq!(together.len(), 150);
    for i in [0, 1, 77, 149] {
        let alone = encoder.encode(&[texts[i]]).unwrap();
        assert!(alone[0].similarity(&together[i]) > 0.999_99, "{}", texts[i]);
    }
}

#[test]
fn an_invalid_tokenizer_is_named() {
    let folder = copy_of("clip");
    fs_err::write(
        folder.path().join("tokenizer.json"),
        "{\"version\": \"1.0\"}",
    )
    .unwrap();
    let error = text_error(folder.path());
    assert!(
        matches!(error, EncodeError::Model(ModelError::Tokenizer { .. })),
        "{error:?}"
    );
    let message = &chain(&error)[0];
    assert!(
        message.ends_with("tokenizer.json: cannot read the tokenizer"),
        "{message}"
    );
}

#[test]
fn settings_that_a_tokenizer_cannot_follow_are_errors() {
    let cases = [
        (
            "context_length = 16",
            "context_length = 2",
            "invalid context_length = 2: ",
        ),
        (
            "context_length = 16",
            "context_length = 0",
            "invalid context_length = 0: ",
        ),
        (
            "pad = \"context\"",
            "pad_token = \"[FILL]\"",
            "invalid pad_token = [FILL]: ",
        ),
    ];
    for (from, to, expected) in cases {
        let folder = plain_with(from, to);
        let error = text_error(folder.path());
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert_eq!(cases.len(), 3);
}
