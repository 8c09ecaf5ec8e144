//! Models of several text towers, each for languages of its own.

use std::path::Path;

use sightline_onnx::quantize::{QuantizeOptions, quantize};
use sightline_onnx::{
    EncodeError, Language, Model, ModelError, Precision, SessionOptions, TextRole, TextTower,
};

use crate::support::{
    Tensors, chain, copy_folder, copy_of, cosine, data, edit, nth_text_tower, runtime,
};

fn codes(languages: &[Language]) -> Vec<&'static str> {
    languages.iter().map(|language| language.code()).collect()
}

fn fingerprint(folder: &Path) -> String {
    Model::open(folder).unwrap().fingerprint().to_owned()
}

/// A copy of the model, with this text of its manifest replaced.
fn towers_with(from: &str, to: &str) -> tempfile::TempDir {
    let folder = copy_of("towers");
    edit(&folder.path().join("sightline.toml"), from, to);
    folder
}

/// Compares the vectors of a tower with the rows of golden ones.
fn compare(name: &str, texts: &[&str], found: &[sightline_onnx::Embedding], expected: &[f32]) {
    let rows = expected.chunks_exact(16);
    assert_eq!((found.len(), rows.len()), (texts.len(), texts.len()));
    for ((text, found), expected) in texts.iter().zip(found).zip(rows) {
        let similarity = cosine(found.as_slice(), expected);
        assert!(similarity > 0.9999, "{name}: {text:?}: {similarity}");
    }
}

#[test]
fn each_text_tower_gives_the_ids_and_vectors_of_its_reference() {
    let listing: serde_json::Value =
        serde_json::from_slice(&fs_err::read(data().join("towers.json")).unwrap()).unwrap();
    let tensors = Tensors::read(&data().join("towers.safetensors"));
    let texts: Vec<String> = serde_json::from_value(listing["texts"].clone()).unwrap();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(texts.len(), 15);
    let model = Model::open(&data().join("towers")).unwrap();
    for (n, name) in ["first", "other"].into_iter().enumerate() {
        let mut tower = nth_text_tower(&model, n);
        for (text, ids) in texts.iter().zip(listing["ids"][name].as_array().unwrap()) {
            let ids: Vec<u32> = serde_json::from_value(ids.clone()).unwrap();
            assert_eq!(tower.token_ids(text).unwrap(), ids, "{name}: {text:?}");
        }
        let found = tower.encode(&texts).unwrap();
        compare(name, &texts, &found, &tensors.f32s(name));
        let found = tower.encode_as(TextRole::Caption, &texts).unwrap();
        compare(name, &texts, &found, &tensors.f32s(name));
    }
    // Only the other tower has words before a query.
    let found = nth_text_tower(&model, 1)
        .encode_as(TextRole::Query, &texts)
        .unwrap();
    compare("other", &texts, &found, &tensors.f32s("other, query"));
    let found = nth_text_tower(&model, 0)
        .encode_as(TextRole::Query, &texts)
        .unwrap();
    compare("first", &texts, &found, &tensors.f32s("first"));
}

#[test]
fn the_files_and_languages_of_all_text_towers_are_the_models() {
    let folder = data().join("towers");
    let model = Model::open(&folder).unwrap();
    let languages = model.text_languages();
    let languages: Vec<_> = languages.into_iter().map(codes).collect();
    assert_eq!(languages, [vec!["en"], vec!["zh", "de", "fr"]]);
    let names = [
        "image.onnx",
        "text.onnx",
        "tokenizer.json",
        "text-other.onnx",
        "tokenizer-other.json",
    ];
    let files = names.map(|name| folder.join(name));
    assert_eq!(model.files(), files);
    let sizes = files.map(|file| fs_err::metadata(file).unwrap().len());
    assert_eq!(model.n_bytes().unwrap(), sizes.iter().sum::<u64>());
    let graphs = ["image.onnx", "text.onnx", "text-other.onnx"].map(|name| folder.join(name));
    assert_eq!(model.graphs(), graphs);
    assert_eq!(model.other_text_graphs(), [folder.join("text-other.onnx")]);
    let prefix = |n| Some(model.tokenize_nth(n)?.query_prefix.as_str());
    assert_eq!(
        (prefix(0), prefix(1), prefix(2)),
        (Some(""), Some("query: "), None)
    );
    let error = TextTower::load_nth(&runtime(), &model, 2, &SessionOptions::default());
    let error = error.err().unwrap();
    assert!(
        matches!(error, EncodeError::NoTextTower { n: 2, n_towers: 2 }),
        "{error}"
    );

    for file in names {
        let copy = copy_of("towers");
        fs_err::remove_file(copy.path().join(file)).unwrap();
        let error = Model::open(copy.path()).unwrap_err();
        assert!(
            matches!(error, ModelError::MissingFile { .. }),
            "{file}: {error}"
        );
        assert!(error.to_string().contains(file), "{error}");
    }
}

#[test]
fn each_part_of_another_text_tower_counts_for_the_fingerprint() {
    let usual = fingerprint(&data().join("towers"));
    let changes = [
        ("\"zh\", \"de\", \"fr\"", "\"zh\", \"de\""),
        ("[\"en\"]", "[\"en\", \"es\"]"),
        ("\"query: \"", "\"passage: \""),
        (
            "query_prefix = \"query: \"",
            "query_prefix = \"query: \"\ntruncate_side = \"left\"",
        ),
        (
            "query_prefix = \"query: \"",
            "query_prefix = \"query: \"\nlayer_norm = true",
        ),
    ];
    let mut seen = vec![usual.clone()];
    for (from, to) in changes {
        seen.push(fingerprint(towers_with(from, to).path()));
    }
    for file in ["text-other.onnx", "tokenizer-other.json"] {
        let copy = copy_of("towers");
        let stamp = || {
            Model::open(copy.path())
                .unwrap()
                .stamp()
                .unwrap()
                .to_owned()
        };
        let before = stamp();
        let path = copy.path().join(file);
        let mut bytes = fs_err::read(&path).unwrap();
        bytes.push(b'\n');
        fs_err::write(&path, bytes).unwrap();
        assert_ne!(stamp(), before, "{file}");
        seen.push(fingerprint(copy.path()));
    }
    let n = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((n, seen.len()), (8, 8));
    // The order of languages chooses nothing.
    let reordered = towers_with("\"zh\", \"de\", \"fr\"", "\"fr\", \"zh\", \"de\"");
    assert_eq!(fingerprint(reordered.path()), usual);
}

#[test]
fn languages_of_a_single_text_tower_are_information() {
    let folder = copy_of("plain");
    let manifest = folder.path().join("sightline.toml");
    let before = Model::open(folder.path()).unwrap();
    assert_eq!(before.text_languages().concat(), []);
    edit(&manifest, "[text]", "[text]\nlanguages = [\"zh\", \"en\"]");
    let after = Model::open(folder.path()).unwrap();
    assert_eq!(codes(&after.text_languages().concat()), ["zh", "en"]);
    assert_eq!(after.fingerprint(), before.fingerprint());
}

#[test]
fn contradictions_between_text_towers_are_refused_in_one_line() {
    let languages = "\"zh\", \"de\", \"fr\"";
    let cases = [
        (
            "languages = [\"zh\", \"de\", \"fr\"]\n",
            "",
            "cannot determine text.other.languages from the model's files",
        ),
        (
            "languages = [\"en\"]\n",
            "",
            "cannot determine text.languages from the model's files",
        ),
        (languages, "", "expected at least one language"),
        (languages, "\"zh\", \"cz\"", "`cz`: unknown language code"),
        (languages, "\"zh\", \"ZH\"", "`ZH`: unknown language code"),
        (languages, "\"zh\", \"zh\"", "`zh` is listed twice"),
        (
            languages,
            "\"zh\", \"en\"",
            "invalid text.other[zh].languages = en: another text tower has this language",
        ),
        (
            "query_prefix",
            "query_prefiks",
            "unknown field `query_prefiks`",
        ),
        (
            "query_prefix = \"query: \"",
            "[[text.other.other]]\nlanguages = [\"fr\"]",
            "only [text] has other text towers",
        ),
        (
            "\"text-other.onnx\"",
            "\"../text-other.onnx\"",
            "invalid text.other[zh].file = ../text-other.onnx",
        ),
        (
            "tokenizer = \"tokenizer-other.json\"",
            "",
            "cannot determine text.other[zh].tokenizer",
        ),
        (
            "tokenizer = \"tokenizer-other.json\"\ncontext_length = 20",
            "tokenizer = \"tokenizer-other.json\"",
            "cannot determine text.other[zh].context_length",
        ),
        (
            "\"text-other.onnx\"\ninput_ids = \"input_ids\"\nattention_mask = \"attention_mask\"\n\
             output = \"text_embeds\"",
            "\"text-24.onnx\"\ninput_ids = \"ids\"\nattention_mask = \"mask\"\noutput = \"vector\"",
            "invalid text.other[zh].output = vector: its embeddings have another number of values",
        ),
    ];
    for (from, to, expected) in cases {
        let folder = towers_with(from, to);
        let words = data().join("plain/words.onnx");
        fs_err::copy(words, folder.path().join("text-24.onnx")).unwrap();
        let error = Model::open(folder.path()).unwrap_err();
        let lines = chain(&error);
        assert!(
            lines.join(": ").contains(expected),
            "{from} -> {to}: {lines:?}"
        );
        assert!(!lines[0].contains('\n'), "{lines:?}");
        let at_once = Model::check_description(folder.path());
        let needs_files = expected.contains(".file") || expected.contains("cannot determine");
        assert!(
            at_once.is_err() || needs_files || expected.contains(".output"),
            "{from}"
        );
    }
    assert_eq!(cases.len(), 13);
}

#[test]
fn another_text_tower_may_be_in_a_folder_with_a_layout_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "clip-vision",
        "clip-text",
        "multilingual-text",
        "nomic-text",
    ] {
        copy_folder(&data().join("pairs").join(name), &folder.path().join(name));
    }
    let manifest = folder.path().join("sightline.toml");
    let text = "image.folder = \"clip-vision\"\n[text]\nfolder = \"clip-text\"\n\
                languages = [\"en\"]\n[[text.other]]\nfolder = \"multilingual-text\"\n";
    fs_err::write(&manifest, format!("{text}languages = [\"de\", \"fr\"]\n")).unwrap();
    let model = Model::open(folder.path()).unwrap();
    let listing: serde_json::Value =
        serde_json::from_slice(&fs_err::read(data().join("pairs.json")).unwrap()).unwrap();
    let tensors = Tensors::read(&data().join("pairs.safetensors"));
    let texts: Vec<String> = serde_json::from_value(listing["texts"].clone()).unwrap();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for (n, name) in ["clip-text", "multilingual-text"].into_iter().enumerate() {
        let found = nth_text_tower(&model, n).encode(&texts).unwrap();
        compare(name, &texts, &found, &tensors.f32s(name));
    }
    // The weights of its last layer are a file of the model.
    let dense = folder
        .path()
        .join("multilingual-text/2_Dense/model.safetensors");
    assert!(model.files().contains(&dense), "{:?}", model.files());

    // Its languages may be in its own folder.
    fs_err::write(&manifest, text).unwrap();
    let own = folder.path().join("multilingual-text/sightline.toml");
    fs_err::write(own, "text.languages = [\"de\", \"fr\"]\n").unwrap();
    let found = Model::open(folder.path()).unwrap();
    assert_eq!(found.fingerprint(), model.fingerprint());

    // Embeddings of 24 values, not 16.
    let text = text.replace("multilingual-text", "nomic-text");
    fs_err::write(&manifest, format!("{text}languages = [\"de\"]\n")).unwrap();
    let error = Model::open(folder.path()).unwrap_err().to_string();
    let expected = "invalid text.other[de].output = last_hidden_state: its embeddings have \
                    another number of values";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_text_tower_without_a_copy_of_the_precision_is_run_as_it_is() {
    let folder = copy_of("towers");
    let path = |name: &str| folder.path().join(name);
    let options = QuantizeOptions::default();
    for name in ["image", "text"] {
        let copy = path(&format!("{name}_int8.onnx"));
        quantize(&path(&format!("{name}.onnx")), &copy, &options).unwrap();
    }
    let open = || Model::open_with(folder.path(), Some(Precision::Int8)).unwrap();
    let graphs = ["image_int8.onnx", "text_int8.onnx", "text-other.onnx"];
    assert_eq!(open().graphs(), graphs.map(path));
    // What it multiplies in 4 bits stays; the rest becomes int8.
    let copy = path("text-other_int8.onnx");
    quantize(&path("text-other.onnx"), &copy, &options).unwrap();
    let model = open();
    assert_eq!(model.graphs()[2], copy);
    let plain = Model::open_with(folder.path(), Some(Precision::Fp32)).unwrap();
    let texts = ["一只狗在雪地里奔跑", "ein roter Bus auf der Straße"];
    let found = nth_text_tower(&model, 1).encode(&texts).unwrap();
    let expected = nth_text_tower(&plain, 1).encode(&texts).unwrap();
    for (found, expected) in found.iter().zip(&expected) {
        let similarity = cosine(found.as_slice(), expected.as_slice());
        assert!(similarity > 0.99, "{similarity}");
    }
}
