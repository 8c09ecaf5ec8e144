//! Models of several text towers: `[[text.other]]` in `sightline.toml`.

use std::path::PathBuf;

use serde_json::json;

use crate::support::{TestEnv, copy_folder, file_names};

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
