//! Verdict of `sightline models check` and `add`: copies of the starter model, one thing broken in
//! each, as a foreign model's files may be.

use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use crate::support::{CLIP_MODEL, Ran, TestCommand, TestEnv, copy_folder, file_names};

const STARTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/onnx/starter");

fn models(env: &TestEnv, arguments: &[&str]) -> TestCommand {
    env.sightline(["models"]).args(arguments).starter()
}

/// A copy of the starter model without its tower of other languages, with other lines in `[image]`
/// and `[text]`, and another tokenizer.
fn copy(env: &TestEnv, image: &str, text: &str, tokenizer: impl FnOnce(&mut Value)) {
    let folder = env.path("copy");
    if folder.exists() {
        fs_err::remove_dir_all(&folder).unwrap();
    }
    fs_err::create_dir(&folder).unwrap();
    let starter = Path::new(STARTER);
    for graph in ["image.onnx", "text.onnx"] {
        symlink(starter.join(graph), folder.join(graph)).unwrap();
    }
    let manifest = fs_err::read_to_string(starter.join("sightline.toml")).unwrap();
    let (manifest, _) = manifest.split_once("[[text.other]]").unwrap();
    let manifest = manifest.replace("[image]", &format!("[image]\n{image}"));
    let manifest = manifest.replace("[text]", &format!("[text]\n{text}"));
    let manifest = manifest.replace("pad = \"longest\"", "");
    let manifest = if text.contains("pad = ") {
        manifest
    } else {
        manifest.replace("[text]", "[text]\npad = \"longest\"")
    };
    env.write("copy/sightline.toml", manifest);
    let file = fs_err::read(starter.join("tokenizer.json")).unwrap();
    let mut json: Value = serde_json::from_slice(&file).unwrap();
    tokenizer(&mut json);
    env.write("copy/tokenizer.json", serde_json::to_vec(&json).unwrap());
}

fn as_it_is(_: &mut Value) {}

/// Checks the copy; with what exit status, and what was measured at fp32.
#[track_caller]
fn check(env: &TestEnv, status: i32) -> (Ran, Value) {
    let ran = models(env, &["check", "./copy", "--json"])
        .run()
        .expect(status);
    let measured = ran.json()["precisions"][0].clone();
    (ran, measured)
}

#[test]
fn a_good_copy_passes_in_any_style() {
    let env = TestEnv::new();
    copy(&env, "", "", as_it_is);
    let (ran, measured) = check(&env, 0);
    assert_eq!(measured["texts_first"], 16);
    assert_eq!(measured["texts_needed"], 5);
    assert_eq!(measured["better_than_chance"], true);
    assert_eq!(measured["language"], "English");
    let cosine = |style: &str| measured[style]["cosine"].as_f64().unwrap();
    assert!(
        cosine("capitals") > 0.9999 && cosine("accents") > 0.9999,
        "{measured}"
    );
    // It does see punctuation.
    assert!(cosine("punctuation") < 0.95, "{measured}");
    assert!(measured["colours"].as_f64().unwrap() > 0.1, "{measured}");
    assert!(!ran.stderr().contains("hint"), "{ran}");
    // Its own fp32 graphs alone: what an int8 copy would bring is said.
    let ran = models(&env, &["add", "copy", "--name", "good", "--link"])
        .run()
        .expect(0);
    assert!(
        ran.stderr().contains("`sightline models quantize good`"),
        "{ran}"
    );
    assert!(
        ran.stderr().contains("2.9 times the pictures per second"),
        "{ran}"
    );
}

#[test]
fn a_copy_that_matches_by_chance_is_refused_unless_anyway() {
    let env = TestEnv::new();
    // Values rescaled twice; ids of another vocabulary.
    let rotated = |tokenizer: &mut Value| {
        let vocabulary = tokenizer["model"]["vocab"].as_object_mut().unwrap();
        let n = vocabulary.len() as u64 - 999;
        for id in vocabulary.values_mut() {
            if let Some(word) = id.as_u64().unwrap().checked_sub(999) {
                *id = (999 + (word + 1) % n).into();
            }
        }
    };
    let mut n_cases = 0;
    for case in 0..2 {
        if case == 0 {
            copy(&env, "rescale = 0.0000153787", "", as_it_is);
        } else {
            copy(&env, "", "", rotated);
        }
        let (ran, measured) = check(&env, 2);
        let n_first = measured["texts_first"].as_u64().unwrap();
        assert!(n_first < 5, "{case}: {measured}");
        assert_eq!(measured["better_than_chance"], false);
        let error = format!(
            "error: ./copy: finds the right picture for {n_first} of 16 texts, no better than \
             chance (at least 5 are needed)"
        );
        assert!(ran.stderr().contains(&error), "{ran}");
        assert!(
            ran.stderr().contains("likely causes: preprocessing"),
            "{ran}"
        );
        let ran = models(&env, &["add", "copy", "--name", "bad", "--link"])
            .run()
            .expect(2);
        assert!(ran.stderr().contains("no better than chance"), "{ran}");
        assert!(ran.stderr().contains("with `--anyway`"), "{ran}");
        assert!(!models(&env, &["list"]).run().stdout().contains("bad"));
        n_cases += 1;
    }
    assert_eq!(n_cases, 2);
    let anyway = ["add", "copy", "--name", "bad", "--link", "--anyway"];
    let ran = models(&env, &anyway).run().expect(0);
    assert!(ran.stdout().contains("added bad"), "{ran}");
    assert!(ran.stderr().contains("no better than chance"), "{ran}");
    // Checked again, it is called by its name.
    let ran = models(&env, &["check", "./copy"]).run().expect(2);
    assert!(
        ran.stderr().contains("error: bad: finds the right picture"),
        "{ran}"
    );
    let ran = models(&env, &["check", "bad", "--precision", "fp16"])
        .run()
        .expect(2);
    assert!(
        ran.stderr()
            .contains("error: bad: the model has no fp16 graphs"),
        "{ran}"
    );
}

#[test]
fn lost_lowercasing_shows_in_capitals() {
    let env = TestEnv::new();
    copy(&env, "", "", |tokenizer| {
        tokenizer["normalizer"]["lowercase"] = false.into();
    });
    let (_, measured) = check(&env, 0);
    let capitals = &measured["capitals"];
    assert!(capitals["cosine"].as_f64().unwrap() < 0.5, "{measured}");
    assert!(capitals["texts_first"].as_u64().unwrap() < 5, "{measured}");
    let ran = models(&env, &["check", "./copy"]).run().expect(0);
    assert!(
        ran.stderr()
            .contains("capitals change the vectors (cosine "),
        "{ran}"
    );
    // The fix of the hint works.
    assert!(
        ran.stderr()
            .contains("set `clean = \"lower\"` below [text]"),
        "{ran}"
    );
    copy(&env, "", "clean = \"lower\"", |tokenizer| {
        tokenizer["normalizer"]["lowercase"] = false.into();
    });
    let ran = models(&env, &["check", "./copy"]).run().expect(0);
    assert!(!ran.stderr().contains("capitals"), "{ran}");
}

#[test]
fn swapped_red_and_blue_are_noticed() {
    let env = TestEnv::new();
    copy(&env, "channels = \"bgr\"", "", as_it_is);
    let (_, measured) = check(&env, 0);
    assert!(measured["colours"].as_f64().unwrap() < -0.1, "{measured}");
    let ran = models(&env, &["check", "./copy"]).run().expect(0);
    assert!(
        ran.stderr().contains("red and blue are probably swapped"),
        "{ran}"
    );
    assert!(
        ran.stderr().contains("set `channels` below [image]"),
        "{ran}"
    );
}

#[test]
fn a_copy_that_matches_badly_is_noted() {
    let env = TestEnv::new();
    // Values of another scale.
    copy(&env, "rescale = 0.05", "", as_it_is);
    let (_, measured) = check(&env, 0);
    let n_first = measured["texts_first"].as_u64().unwrap();
    assert!((5..14).contains(&n_first), "{measured}");
    let ran = models(&env, &["add", "copy", "--name", "weak", "--link"])
        .run()
        .expect(0);
    let note = format!("finds the right picture for {n_first} of 16 texts only");
    assert!(ran.stderr().contains(&note), "{ran}");
    assert!(ran.stderr().contains("likely causes"), "{ran}");
}

#[test]
fn adding_can_quantize_in_one_go() {
    let env = TestEnv::new();
    copy_folder(Path::new(CLIP_MODEL), &env.path("clip"));
    let add = ["add", "clip", "--anyway", "--quantize"];
    let ran = models(&env, &add).run().expect(0);
    assert!(ran.stdout().contains("int8  loaded"), "{ran}");
    assert!(ran.stdout().contains("added clip"), "{ran}");
    assert!(!ran.stderr().contains("models quantize"), "{ran}");
    let graphs = file_names(&env.registry().join("clip/onnx"));
    for graph in ["vision_model_int8.onnx", "text_model_int8.onnx"] {
        assert!(graphs.contains(&graph.to_owned()), "{graphs:?}");
    }
    // The folder itself is left alone.
    assert!(!env.path("clip/onnx/vision_model_int8.onnx").exists());
    let info = models(&env, &["info", "clip", "--json"])
        .run()
        .expect(0)
        .json();
    let measured = info["precisions"].as_array().unwrap();
    assert_eq!(measured.len(), 2);
    assert!(measured[1]["figures"]["to_fp32"].is_object(), "{info}");

    // Without fp32 graphs there is nothing to quantize, and nothing is added.
    models(&env, &["remove", "clip"]).run().expect(0);
    for tower in ["vision", "text"] {
        let graph = |suffix: &str| env.path(format!("clip/onnx/{tower}_model{suffix}.onnx"));
        fs_err::rename(graph(""), graph("_fp16")).unwrap();
    }
    let ran = models(&env, &add).run().expect(2);
    assert!(ran.stderr().contains("no fp32 graphs to quantize"), "{ran}");
    assert!(!models(&env, &["list"]).run().stdout().contains("clip"));
}
