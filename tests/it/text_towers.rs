//! Models of several text towers: `[[text.other]]` in `sightline.toml`.

use std::path::PathBuf;

use serde_json::json;

use crate::support::{TestEnv, copy_folder, corpus, file_names};

const FILES: [&str; 6] = [
    "image.onnx",
    "sightline.toml",
    "text-other.onnx",
    "text.onnx",
    "tokenizer-other.json",
    "tokenizer.json",
];

/// A copy of the tiny model of two text towers, as `towers` in the test's folder.
fn model(env: &TestEnv) -> PathBuf {
    let folder = env.path("towers");
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/onnx/tests/data/towers");
    copy_folder(data.as_ref(), &folder);
    folder
}

#[test]
fn a_model_of_two_text_towers_is_added_checked_and_shown_whole() {
    let env = TestEnv::new();
    let folder = model(&env);
    // Its weights are random.
    let check = env.sightline(["models", "check", "towers"]).run().expect(2);
    let line = "text tower for zh, de, fr: loaded in ";
    assert!(check.stdout().contains(line), "{check}");
    assert!(check.stdout().contains(" texts in Chinese"), "{check}");
    let check = env.sightline(["models", "check", "towers", "--json"]);
    let other = &check.run().expect(2).json()["precisions"][0]["other_texts"];
    assert_eq!(other.as_array().unwrap().len(), 1, "{other}");
    assert_eq!(other[0]["languages"], json!(["zh", "de", "fr"]));
    assert_eq!(other[0]["language"], "Chinese");
    assert!(other[0]["ms_per_text"].as_f64().unwrap() > 0.0, "{other}");

    env.succeed(["models", "add", "towers", "--name", "copied", "--anyway"]);
    assert_eq!(file_names(&env.registry().join("copied")), FILES);
    fs_err::remove_dir_all(folder).unwrap();
    let info = env.succeed(["models", "info", "copied", "--json"]).json();
    assert_eq!(info["languages"], json!(["en"]));
    let other = &info["other_texts"];
    assert_eq!(other.as_array().unwrap().len(), 1, "{other}");
    assert_eq!(other[0]["languages"], json!(["zh", "de", "fr"]));
    assert_eq!(other[0]["texts"]["query_prefix"], "query: ");
    assert_eq!(other[0]["text"]["outputs"][0]["name"], "text_embeds");
    let sizes = FILES.iter().filter(|name| **name != "sightline.toml");
    let copied = env.registry().join("copied");
    let sizes = sizes.map(|name| fs_err::metadata(copied.join(name)).unwrap().len());
    assert_eq!(info["bytes"], sizes.sum::<u64>());
    let shown = env.succeed(["models", "info", "copied"]);
    for line in ["languages    en\n", "languages    zh, de, fr\n"] {
        assert!(shown.stdout().contains(line), "{shown}");
    }
}

#[test]
fn a_linked_model_is_marked_when_a_further_text_tower_changes() {
    let env = TestEnv::new();
    let folder = model(&env);
    env.succeed([
        "models", "add", "towers", "--link", "--name", "linked", "--anyway",
    ]);
    let state = || {
        let list = env.succeed(["models", "list", "--json"]).json();
        let mut models = list["models"].as_array().unwrap().clone().into_iter();
        models.find(|one| one["name"] == "linked").unwrap()
    };
    assert_eq!(state()["changed"], false);
    let tokenizer = folder.join("tokenizer-other.json");
    let text = fs_err::read_to_string(&tokenizer).unwrap();
    fs_err::write(&tokenizer, format!("{text}\n")).unwrap();
    assert_eq!(state()["changed"], true);
    // Cut short.
    let graph = folder.join("text-other.onnx");
    let bytes = fs_err::read(&graph).unwrap();
    fs_err::write(&graph, &bytes[..bytes.len() / 2]).unwrap();
    let error = state()["error"].as_str().unwrap().to_owned();
    assert!(error.contains("text-other.onnx"), "{error}");
}

#[test]
fn a_check_names_the_text_tower_that_fails() {
    let env = TestEnv::new();
    let folder = model(&env);
    fs_err::copy(folder.join("image.onnx"), folder.join("text-other.onnx")).unwrap();
    let check = env.sightline(["models", "check", "towers"]).run().expect(2);
    let error = check.stderr();
    assert!(error.contains("text tower for zh, de, fr: "), "{check}");
    assert!(error.contains("text-other.onnx"), "{check}");
    // It is not added either.
    let ran = env.fail(["models", "add", "towers", "--anyway"]);
    assert!(
        ran.stderr().contains("text tower for zh, de, fr: "),
        "{ran}"
    );
}

#[test]
fn missing_keys_of_a_text_tower_are_named_with_their_table() {
    let env = TestEnv::new();
    let manifest = model(&env).join("sightline.toml");
    let text = fs_err::read_to_string(&manifest).unwrap();
    let cut = text.replacen("languages = [\"en\"]\n", "", 1);
    fs_err::write(&manifest, cut).unwrap();
    let ran = env.fail(["models", "info", "towers"]);
    for part in [
        "cannot determine text.languages",
        "text.languages = [\"en\"]",
    ] {
        assert!(ran.stderr().contains(part), "{ran}");
    }
    let at = text.rfind("context_length = 20\n").unwrap();
    let cut = format!(
        "{}{}",
        &text[..at],
        &text[at + "context_length = 20\n".len()..]
    );
    fs_err::write(&manifest, cut).unwrap();
    let ran = env.fail(["models", "info", "towers"]);
    for part in [
        "cannot determine text.other[zh].context_length",
        "context_length = 77 below the [[text.other]] for zh",
    ] {
        assert!(ran.stderr().contains(part), "{ran}");
    }
}

#[test]
fn every_graph_is_quantized_that_can_be() {
    let env = TestEnv::new();
    let folder = model(&env);
    // Random weights, so the check that follows fails.
    let ran = env.sightline(["models", "quantize", "towers"]).run();
    for name in ["image", "text", "text-other"] {
        let wrote = format!("wrote towers/{name}_int8.onnx: ");
        assert!(ran.stderr().contains(&wrote), "{ran}");
    }
    // One that is quantized already stays beside the copies of the others.
    for name in ["image", "text"] {
        fs_err::remove_file(folder.join(format!("{name}_int8.onnx"))).unwrap();
    }
    fs_err::rename(
        folder.join("text-other_int8.onnx"),
        folder.join("text-other.onnx"),
    )
    .unwrap();
    let ran = env
        .sightline(["models", "quantize", "towers", "--json"])
        .run();
    let note = "text-other.onnx: this graph is already quantised: it is run as it is";
    assert!(ran.stderr().contains(note), "{ran}");
    let report = ran.json();
    let precisions = report["precisions"].as_array().unwrap();
    assert_eq!(precisions.len(), 2, "{report:#}");
    assert_eq!(precisions[1]["works"], true, "{report:#}");
}

#[test]
fn a_search_names_the_language_and_the_text_tower_of_its_query() {
    let env = TestEnv::new();
    let folder = model(&env);
    let folder = folder.to_str().unwrap();
    corpus::one_of_each(&env.path("photos"));
    env.write("photos/red.txt", "ein Hund im Schnee");
    env.write("photos/green.txt", "a cat in the grass");
    let run = |arguments: &[&str]| {
        env.sightline(arguments)
            .env("SIGHTLINE_MODEL", folder)
            .run()
    };
    run(&["index", "photos", "--json"]).expect(0);
    let status = run(&["status", "--json"]).expect(0).json();
    let towers = json!([{ "languages": ["en"] }, { "languages": ["zh", "de", "fr"] }]);
    assert_eq!(status["text_towers"], towers);
    let status = run(&["status"]).expect(0);
    for line in ["text tower 1  en\n", "text tower 2  zh, de, fr\n"] {
        assert!(status.stdout().contains(line), "{status}");
    }

    let read = |arguments: &[&str]| {
        let answer = run(&[&["search", "--by", "meaning", "--json"], arguments].concat());
        let answer = answer.expect(0).json();
        (answer["language"].clone(), answer["text_tower"].clone())
    };
    for (arguments, language, tower) in [
        (&["a dog in the snow"][..], "en", 0),
        (&["ein Hund im Schnee"], "de", 1),
        (&["ein Hund im Schnee", "--language", "en"], "en", 0),
        (&["狗"], "zh", 1),
        // Of the language of the index.
        (&["Taxi"], "en", 0),
    ] {
        assert_eq!(read(arguments), (json!(language), json!(tower)));
    }
    let search = run(&["search", "ein Hund im Schnee"]).expect(0);
    let note = "query in language de, encoded by text tower 2\n";
    assert!(search.stderr().contains(note), "{search}");
    run(&["index", "--language", "de", "photos"]).expect(0);
    assert_eq!(read(&["Taxi"]), (json!("de"), json!(1)));

    let search = run(&["search", "hund", "--language", "sv"]).expect(2);
    let error = "towers: the model has no text tower for `sv` (languages: de, en, fr, zh)";
    assert!(search.stderr().contains(error), "{search}");
    let search = run(&["search", "hund", "--language", "german"]).expect(2);
    assert!(
        search.stderr().contains("unknown language code"),
        "{search}"
    );
}

#[test]
fn texts_and_evaluations_take_a_language() {
    let env = TestEnv::new();
    let folder = model(&env);
    let folder = folder.to_str().unwrap();
    let run = |arguments: &[&str]| {
        env.sightline(arguments)
            .env("SIGHTLINE_MODEL", folder)
            .run()
    };
    let vector = |arguments: &[&str]| {
        let ran = run(&[&["embed", "--text", "Taxi"], arguments].concat());
        ran.expect(0).json()["vector"].clone()
    };
    assert_eq!(vector(&[]), vector(&["--language", "en"]));
    assert_ne!(vector(&[]), vector(&["--language", "de"]));
    corpus::one_of_each(&env.path("photos"));
    env.write(
        "set.jsonl",
        "{\"image\": \"photos/red.png\", \"captions\": [\"ein Hund im Schnee\"]}\n",
    );
    run(&["eval", "set.jsonl", "--language", "zh"]).expect(0);
    let ran = run(&["eval", "set.jsonl", "--language", "ko"]).expect(2);
    assert!(ran.stderr().contains("no text tower for `ko`"), "{ran}");
}
