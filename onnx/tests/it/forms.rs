//! The forms that model folders take besides one of each layout: casing, framing, cleaning,
//! padding, image processors.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sightline_onnx::Model;

use crate::cases::{Answers, Golden, Outcome, Tally, apply};
use crate::support::{copy_of, data, text_tower};

/// Texts for which a folder gives other ids than its reference: `SigLIP`'s tokenizer in Python puts
/// a space into an empty text and before one that begins with spaces.
fn known_to_differ(folder: &str) -> &'static [&'static str] {
    match folder {
        "layouts/siglip" => &["", " ", "  white space at both ends\t\n"],
        _ => &[],
    }
}

/// What may be refused although one version of the reference reads it.
const MAY_BE_REFUSED: [&str; 11] = [
    // Without a frame a text may have no token at all.
    "no frame, plain class",
    // transformers 4 follows these keys in this place, transformers 5 does not.
    "add_bos_token = false, add_eos_token = true",
    "add_bos_token = true, add_eos_token = true",
    "add_bos_token = true, add_eos_token = false",
    "add_bos_token = false, add_eos_token = false",
    // Its own scheme of special tokens.
    "tokenizer mode clips",
    // The type alone does not say which processor.
    "no type, of align",
    "no type, of blip",
    // Which words are cleaned how is not said.
    "a plain class, do_lower_case = true",
    // Two rules at once.
    "CLIPImageProcessor 7",
    // SigLIP's outputs are not those of this folder.
    "no type, of siglip",
];

/// Image processors that may be refused by name.
const OTHER_PROCESSORS: [&str; 6] = [
    "BlipImageProcessor",
    "ConvNextImageProcessor",
    "EfficientNetImageProcessor",
    "LevitImageProcessor",
    "Owlv2ImageProcessor",
    "PoolFormerImageProcessor",
];

fn may_be_refused(case: &Value) -> bool {
    let name = case["name"].as_str().unwrap();
    let is_refused = |part: &str| case[part].get("refused").is_some();
    is_refused("texts")
        || is_refused("pictures")
        || MAY_BE_REFUSED.contains(&name)
        || OTHER_PROCESSORS.iter().any(|other| name.starts_with(other))
}

fn usual(golden: &Golden, folder: &str) -> Answers {
    let answers = golden.answers(&data().join(folder));
    answers.unwrap_or_else(|error| panic!("{folder}: {error}"))
}

#[test]
fn texts_and_pictures_of_every_folder_equal_the_reference() {
    for listing in ["forms", "keys"] {
        let golden = Golden::read(listing);
        let mut n_folders = 0;
        for folder in golden.folders() {
            let answers = usual(&golden, folder);
            let others = golden.different_texts(folder, &answers);
            assert_eq!(others, known_to_differ(folder), "{listing}: {folder}");
            n_folders += 1;
        }
        assert_eq!(n_folders, 8);
    }
}

#[test]
fn every_form_of_a_folder_gives_the_vectors_of_the_reference() {
    let golden = Golden::read("forms");
    let folders = golden.folders().map(|name| (name, usual(&golden, name)));
    let usual: BTreeMap<&str, Answers> = folders.collect();
    let (mut tally, mut failures) = (Tally::default(), Vec::new());
    for (n, case) in golden.cases().iter().enumerate() {
        let (name, folder) = (
            case["name"].as_str().unwrap(),
            case["folder"].as_str().unwrap(),
        );
        let copy = copy_of(folder);
        for edit in case["edits"].as_array().unwrap() {
            apply(copy.path(), edit);
        }
        let found = golden.answers(copy.path());
        let found = found.as_ref().map_err(String::as_str);
        match golden.judge(n, &usual[folder], found, known_to_differ(folder)) {
            Ok(Outcome::Refused) if !may_be_refused(case) => {
                failures.push(format!("{folder}: {name}: {:?}", found.err()));
            }
            Ok(outcome) => tally.add(outcome),
            Err(why) => failures.push(format!("{folder}: {name}: {why}")),
        }
    }
    let n = failures.len();
    assert!(failures.is_empty(), "{n} wrong:\n{}", failures.join("\n"));
    assert_eq!(golden.cases().len(), 97);
    assert!(tally.n("reference") >= 45, "{tally:?}");
}

/// `SigLIP`'s texts are seen with their padding, so it cannot be guessed.
#[test]
fn a_padding_token_that_no_file_names_is_asked_for() {
    let golden = Golden::read("forms");
    let copy = copy_of("layouts/siglip");
    fs_err::remove_file(copy.path().join("tokenizer_config.json")).unwrap();
    let error = golden.answers(copy.path()).err().unwrap();
    assert!(error.contains("text.pad_token"), "{error}");
    let manifest = copy.path().join("sightline.toml");
    let keys = "[text]\npad_token = \"</s>\"\nclean = \"canonical\"\n";
    fs_err::write(manifest, keys).unwrap();
    let answers = golden.answers(copy.path()).unwrap();
    let others = golden.different_texts("layouts/siglip", &answers);
    assert_eq!(others, known_to_differ("layouts/siglip"));
}

/// A tower that attends to padding always sees the same amount of it.
#[test]
fn the_vector_of_a_text_does_not_depend_on_its_neighbours() {
    let long = "a dog runs over the green grass ".repeat(3);
    let folders = ["forms/open", "forms/bert", "clip", "layouts/siglip"];
    for folder in folders {
        for side in ["left", "right"] {
            let copy = copy_of(folder);
            let edit = json!({"file": "tokenizer_config.json", "key": ["padding_side"],
                              "value": side});
            apply(copy.path(), &edit);
            let model = Model::open(copy.path()).unwrap();
            let mut tower = text_tower(&model);
            let alone = tower.encode(&["a dog"]).unwrap();
            let beside = tower.encode(&[&long, "a dog", ""]).unwrap();
            let similarity = alone[0].similarity(&beside[1]);
            assert!(similarity > 0.999_99, "{folder}, {side}: {similarity}");
        }
    }
    assert_eq!(folders.len(), 4);
}

/// What transformers 5 adds to every `tokenizer_config.json` that it saves, and others write.
#[test]
fn keys_that_savers_add_change_nothing() {
    let saved = [
        ("backend", json!("tokenizers")),
        ("is_local", json!(true)),
        ("local_files_only", json!(false)),
        ("trust_remote_code", json!(false)),
        ("clean_up_tokenization_spaces", json!(true)),
        ("name_or_path", json!("openai/clip")),
        ("processor_class", json!("Processor")),
        ("extra_special_tokens", json!([])),
        ("additional_special_tokens", json!([])),
        ("sp_model_kwargs", json!({})),
        ("chat_template", json!(null)),
        ("src_lang", json!(null)),
        ("model_input_names", json!(["input_ids", "attention_mask"])),
    ];
    let folders = [
        ("clip", "tokenizer_config.json"),
        ("layouts/siglip", "tokenizer_config.json"),
        ("layouts/siglip2", "tokenizer_config.json"),
        ("layouts/chinese_clip", "tokenizer_config.json"),
        ("layouts/immich", "textual/tokenizer_config.json"),
        ("layouts/open_clip", "tokenizer_config.json"),
        ("layouts/jina_clip", "tokenizer_config.json"),
        ("layouts/mobileclip", "tokenizer_config.json"),
    ];
    for (folder, file) in folders {
        let usual = Model::open(&data().join(folder)).unwrap();
        let copy = copy_of(folder);
        for (key, value) in &saved {
            apply(
                copy.path(),
                &json!({"file": file, "key": [key], "value": value}),
            );
        }
        let found = Model::open(copy.path()).unwrap_or_else(|error| panic!("{folder}: {error}"));
        assert_eq!(found.fingerprint(), usual.fingerprint(), "{folder}");
    }
    assert_eq!(folders.len(), 8);
}

/// All at once, so that one edit of `ignore` is enough.
#[test]
fn unknown_keys_are_named_together_and_can_be_ignored() {
    let copy = copy_of("clip");
    for (key, value) in [("do_new_thing", json!(true)), ("other_thing", json!(3))] {
        let edit = json!({"file": "tokenizer_config.json", "key": [key], "value": value});
        apply(copy.path(), &edit);
    }
    let error = Model::open(copy.path()).unwrap_err().to_string();
    let expected = "unknown keys do_new_thing = true, other_thing = 3, which";
    assert!(error.contains(expected), "{error}");
    let manifest = copy.path().join("sightline.toml");
    fs_err::write(manifest, "ignore = [\"do_new_thing\", \"other_thing\"]\n").unwrap();
    let usual = Model::open(&data().join("clip")).unwrap();
    let found = Model::open(copy.path()).unwrap();
    assert_eq!(found.fingerprint(), usual.fingerprint());
}

#[test]
fn tokens_of_the_older_map_count_and_must_not_contradict() {
    let copy = copy_of("layouts/siglip");
    let config = json!({"file": "tokenizer_config.json", "key": ["pad_token"]});
    apply(copy.path(), &config);
    let map = |token: &str| {
        let content = json!({"pad_token": token, "additional_special_tokens": []});
        apply(
            copy.path(),
            &json!({"file": "special_tokens_map.json", "content": content}),
        );
        Model::open(copy.path())
    };
    let usual = Model::open(&data().join("layouts/siglip")).unwrap();
    assert_eq!(map("</s>").unwrap().fingerprint(), usual.fingerprint());
    apply(
        copy.path(),
        &json!({"file": "tokenizer_config.json", "key": ["pad_token"],
                               "value": "</s>"}),
    );
    let error = map("a").unwrap_err().to_string();
    assert!(
        error.contains("special_tokens_map.json: pad_token = a is not supported"),
        "{error}"
    );
}

/// Nothing of a processor that is not followed is taken for granted.
#[test]
fn all_numbers_of_an_unsupported_processor_are_asked_for() {
    let copy = copy_of("clip");
    apply(
        copy.path(),
        &json!({"file": "preprocessor_config.json",
                               "key": ["image_processor_type"], "value": "FooImageProcessor"}),
    );
    let usual = Model::open(&data().join("clip")).unwrap();
    let manifest = copy.path().join("sightline.toml");
    let stated = "image.resize = \"shortest-edge\"\nimage.interpolation = \"bicubic\"\n\
        image.mean = [0.48145466, 0.4578275, 0.40821073]\n\
        image.std = [0.26862954, 0.26130258, 0.27577711]\nimage.size = [32, 32]\n";
    fs_err::write(&manifest, stated).unwrap();
    let error = Model::open(copy.path()).unwrap_err().to_string();
    assert!(
        error.contains("cannot determine image.edge, image.rescale"),
        "{error}"
    );
    let all = format!("{stated}image.edge = 36\nimage.rescale = 0.00392156862745098\n");
    fs_err::write(&manifest, all).unwrap();
    let found = Model::open(copy.path()).unwrap();
    assert_eq!(found.preprocess(), usual.preprocess());
}

#[test]
fn merges_must_not_be_empty() {
    let copy = copy_of("clip");
    apply(
        copy.path(),
        &json!({"file": "vocab.json", "from": ["model", "vocab"]}),
    );
    fs_err::write(copy.path().join("merges.txt"), "").unwrap();
    fs_err::remove_file(copy.path().join("tokenizer.json")).unwrap();
    let model = Model::open(copy.path()).unwrap();
    let options = sightline_onnx::SessionOptions::default();
    let error = sightline_onnx::TextTower::load(&crate::support::runtime(), &model, &options);
    let error = crate::support::chain(&error.err().unwrap()).join(": ");
    assert!(error.contains("merges.txt is empty"), "{error}");
    fs_err::remove_file(copy.path().join("merges.txt")).unwrap();
    let error = Model::open(copy.path()).unwrap_err().to_string();
    assert!(
        error.contains("merges.txt: this model file is missing"),
        "{error}"
    );
}
