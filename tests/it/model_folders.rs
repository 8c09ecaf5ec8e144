//! Folders that look like models and are something else: each is named for what it is, with a fix.

use std::path::Path;

use crate::support::{CLIP_MODEL, Ran, TestCommand, TestEnv, copy_folder};

/// What lies in place of a file that git-lfs has not fetched.
const POINTER: &str = "version https://git-lfs.github.com/spec/v1\n\
    oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

fn models(env: &TestEnv, arguments: &[&str]) -> TestCommand {
    env.sightline(["models"]).args(arguments).starter()
}

/// A copy of the tests' CLIP model in the folder `clip`.
fn clip() -> TestEnv {
    let env = TestEnv::new();
    copy_folder(Path::new(CLIP_MODEL), &env.path("clip"));
    env
}

fn rename(env: &TestEnv, from: &str, to: &str) {
    fs_err::rename(env.path("clip").join(from), env.path("clip").join(to)).unwrap();
}

#[track_caller]
fn assert_says(ran: &Ran, error: &str, hint: &str) {
    let lines: Vec<&str> = ran.stderr().lines().collect();
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("error: ") && line.contains(error)),
        "{error}\n{ran}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("hint: ") && line.contains(hint)),
        "{hint}\n{ran}"
    );
    // No key can make up for what is missing.
    assert!(!ran.stderr().contains("sightline.toml"), "{ran}");
}

/// Asserts that adding, checking and using the folder `clip` report the same.
#[track_caller]
fn assert_refused(env: &TestEnv, error: &str, hint: &str) {
    let ran = models(env, &["add", "clip"]).run().expect(2);
    assert_says(&ran, error, hint);
    let ran = models(env, &["check", "./clip"]).run().expect(2);
    assert_says(&ran, error, hint);
    let embed = ["embed", "--text", "a dog", "--model", "./clip"];
    let ran = env.sightline(embed).run().expect(2);
    assert_says(&ran, error, hint);
}

#[test]
fn four_bit_graphs_alone_are_named() {
    let mut n_cases = 0;
    for suffix in ["_q4", "_q4f16", "_bnb4"] {
        let env = clip();
        for tower in ["vision", "text"] {
            let graph = |suffix: &str| format!("onnx/{tower}_model{suffix}.onnx");
            rename(&env, &graph(""), &graph(suffix));
        }
        let error = format!("only 4-bit graphs, such as onnx/vision_model{suffix}.onnx");
        assert_refused(&env, &error, "onnx/vision_model_quantized.onnx");
        n_cases += 1;
    }
    assert_eq!(n_cases, 3);
    // One tower is enough.
    let env = clip();
    rename(&env, "onnx/text_model.onnx", "onnx/text_model_q4.onnx");
    assert_refused(
        &env,
        "only 4-bit graphs, such as onnx/text_model_q4.onnx",
        "onnx/text_model_quantized.onnx",
    );
    // Beside others they do no harm.
    let env = clip();
    for tower in ["vision", "text"] {
        env.write(format!("clip/onnx/{tower}_model_q4.onnx"), "4 bits");
    }
    let ran = models(&env, &["add", "clip", "--anyway"]).run().expect(0);
    assert!(ran.stdout().contains("added clip"), "{ran}");
}

#[test]
fn git_lfs_pointers_are_named() {
    let mut n_cases = 0;
    for file in [
        "onnx/vision_model.onnx",
        "onnx/text_model.onnx",
        "tokenizer.json",
    ] {
        let env = clip();
        env.write(format!("clip/{file}"), POINTER);
        let error = format!("{file} is a git-lfs pointer, not the file itself");
        assert_refused(&env, &error, "lfs pull");
        n_cases += 1;
    }
    assert_eq!(n_cases, 3);
    // A manifest names the graphs, and weights lie beside them.
    let env = TestEnv::new();
    env.colour_model("clip", "0.9");
    env.write("clip/image.onnx", POINTER);
    assert_refused(&env, "image.onnx is a git-lfs pointer", "lfs pull");
    // Of several precisions, only one was fetched: that one is used.
    let env = clip();
    for tower in ["vision", "text"] {
        let graph = |suffix: &str| format!("onnx/{tower}_model{suffix}.onnx");
        rename(&env, &graph(""), &graph("_fp16"));
        env.write(format!("clip/{}", graph("")), POINTER);
    }
    let ran = models(&env, &["check", "./clip", "--json"]).run().expect(2);
    let json = ran.json();
    let precisions = json["precisions"].as_array().unwrap();
    assert_eq!(precisions.len(), 1, "{json}");
    assert_eq!(precisions[0]["precision"], "fp16");
    assert_eq!(precisions[0]["works"], true, "{json}");
}

#[test]
fn folders_of_one_tower_are_named() {
    let env = clip();
    fs_err::remove_file(env.path("clip/onnx/text_model.onnx")).unwrap();
    assert_refused(
        &env,
        "only an image tower, without a text tower",
        "clip' --text TEXT_FOLDER`",
    );
    let env = clip();
    fs_err::remove_file(env.path("clip/onnx/vision_model.onnx")).unwrap();
    let ran = models(&env, &["add", "clip"]).run().expect(2);
    assert_says(
        &ran,
        "only a text tower, without an image tower",
        "`sightline models add IMAGE_FOLDER --text 'clip'`",
    );
    // As Qdrant and nomic publish theirs: the graph is called model.onnx.
    let env = clip();
    rename(&env, "onnx/vision_model.onnx", "model.onnx");
    for file in [
        "onnx/text_model.onnx",
        "tokenizer.json",
        "tokenizer_config.json",
    ] {
        fs_err::remove_file(env.path("clip").join(file)).unwrap();
    }
    let ran = models(&env, &["add", "clip"]).run().expect(2);
    assert_says(&ran, "only an image tower", "--text TEXT_FOLDER");
    let env = clip();
    rename(&env, "onnx/text_model.onnx", "model.onnx");
    for file in ["onnx/vision_model.onnx", "preprocessor_config.json"] {
        fs_err::remove_file(env.path("clip").join(file)).unwrap();
    }
    let ran = models(&env, &["add", "clip"]).run().expect(2);
    assert_says(&ran, "only a text tower", "--text 'clip'");
}

#[test]
fn a_naflex_model_is_named() {
    let env = clip();
    env.write(
        "clip/preprocessor_config.json",
        "{\"image_processor_type\": \"Siglip2ImageProcessor\", \"max_num_patches\": 256, \
         \"patch_size\": 16}",
    );
    assert_refused(
        &env,
        "a NaFlex model",
        "`sightline models pull siglip2-base`",
    );
}

#[test]
fn weights_without_an_export_are_named() {
    let env = clip();
    fs_err::remove_dir_all(env.path("clip/onnx")).unwrap();
    env.write("clip/model.safetensors", "weights");
    assert_refused(
        &env,
        "model.safetensors without an ONNX export",
        "optimum-cli export onnx --model ",
    );
    // As sentence-transformers has it, and open_clip.
    let env = TestEnv::new();
    env.write("clip/modules.json", "[]");
    env.write("clip/0_CLIPModel/config.json", "{}");
    env.write("clip/0_CLIPModel/pytorch_model.bin", "weights");
    let ran = models(&env, &["add", "clip"]).run().expect(2);
    assert_says(
        &ran,
        "0_CLIPModel/pytorch_model.bin without",
        "--model 'clip/0_CLIPModel'",
    );
    let env = TestEnv::new();
    env.write("clip/open_clip_config.json", "{}");
    env.write("clip/open_clip_pytorch_model.bin", "weights");
    let ran = models(&env, &["add", "clip"]).run().expect(2);
    assert_says(&ran, "open_clip_pytorch_model.bin without", "immich-app");
}

#[test]
fn a_folder_that_does_not_exist_is_not_added() {
    let env = clip();
    let ran = models(&env, &["add", "nope"]).run().expect(2);
    assert_says(&ran, "nope: no such folder", "models pull --list");
    let ran = models(&env, &["add", "clip-vit-b-32"]).run().expect(2);
    assert_says(
        &ran,
        "clip-vit-b-32: no such folder",
        "`sightline models pull clip-vit-b-32`",
    );
    let ran = models(&env, &["add", "clip/config.json"]).run().expect(2);
    assert_says(
        &ran,
        "clip/config.json: not a folder",
        "`sightline models add 'clip'`",
    );
}

#[test]
fn list_marks_graphs_that_changed_or_are_cut_short() {
    let env = TestEnv::new();
    env.colour_model("pale", "0.9");
    models(&env, &["add", "pale", "--anyway"]).run().expect(0);
    let line = || {
        let list = models(&env, &["list"]).run().expect(0);
        let line = list.stdout().lines().find(|line| line.contains("pale"));
        line.unwrap().to_owned()
    };
    let listed = || models(&env, &["list", "--json"]).run().expect(0).json()["models"][1].clone();
    assert!(!line().contains("changed"), "{}", line());
    assert_eq!(listed()["changed"], false);
    let graph = env.registry().join("pale/image.onnx");
    let whole = fs_err::read(&graph).unwrap();
    // Cut short: no longer a graph.
    fs_err::write(&graph, &whole[..whole.len() / 2]).unwrap();
    assert!(
        line().contains("unusable: ") && line().contains("image.onnx"),
        "{}",
        line()
    );
    assert!(listed()["error"].as_str().unwrap().contains("image.onnx"));
    // Another graph, also the second time.
    let other = Path::new(crate::support::FAULTY_GRAPHS).join("near.onnx");
    fs_err::copy(other, &graph).unwrap();
    for _ in 0..2 {
        assert!(
            line().contains("changed since the last check"),
            "{}",
            line()
        );
        assert_eq!(listed()["changed"], true);
    }
    models(&env, &["check", "pale"]).run().expect(2);
    assert!(!line().contains("changed"), "{}", line());
}

/// A tower of the tests' models of two folders.
fn tower(env: &TestEnv, name: &str) {
    let pairs = Path::new(env!("CARGO_MANIFEST_DIR")).join("onnx/tests/data/pairs");
    copy_folder(&pairs.join(name), &env.path(name));
}

/// The vector of a text, as `embed` prints it.
fn vector(env: &TestEnv, model: &str) -> String {
    let embed = ["embed", "--text", "Two dogs", "--model", model];
    env.sightline(embed).run().expect(0).stdout().to_owned()
}

#[test]
fn two_folders_are_added_as_one_model() {
    let pairs = [
        ("clip-vision", "clip-text"),
        // Its linear layer and the ways of pooling lie in folders of their own.
        ("clip-vision", "multilingual-text"),
    ];
    for (image, text) in pairs {
        let env = TestEnv::new();
        tower(&env, image);
        tower(&env, text);
        let add = ["add", image, "--text", text, "--anyway"];
        let linked = [&add[..], &["--name", "linked", "--link"]].concat();
        models(&env, &linked).run().expect(0);
        let of_link = vector(&env, "linked");
        models(&env, &["remove", "linked"]).run().expect(0);
        assert!(env.path(text).join("config.json").is_file());
        let ran = models(&env, &add).run().expect(0);
        assert!(ran.stdout().contains("added clip-vision"), "{ran}");
        // The copy needs neither folder any more.
        for folder in [image, text] {
            fs_err::remove_dir_all(env.path(folder)).unwrap();
        }
        let found = vector(&env, "clip-vision");
        assert_eq!(found.replace("clip-vision", "linked"), of_link);
        models(&env, &["info", "clip-vision"]).run().expect(0);
    }
    assert_eq!(pairs.len(), 2);
}

#[test]
fn a_second_folder_that_cannot_work_is_named() {
    let env = TestEnv::new();
    tower(&env, "clip-vision");
    tower(&env, "nomic-text");
    let add = ["add", "clip-vision", "--text"];
    let with = |text| models(&env, &[&add[..], &[text]].concat()).run().expect(2);
    assert!(with("nope").stderr().contains("nope: no such folder"));
    // Their spaces have different dimensions.
    let ran = with("nomic-text");
    let error = "nomic-text/config.json: invalid dimension = 16: ";
    assert!(ran.stderr().contains(error), "{ran}");
    assert!(
        ran.stderr()
            .contains("hint: both towers must belong to one model"),
        "{ran}"
    );
    // The image tower twice.
    let ran = with("clip-vision");
    assert!(ran.stderr().contains("clip-vision"), "{ran}");
    assert!(
        models(&env, &["list"])
            .run()
            .expect(0)
            .stdout()
            .lines()
            .count()
            == 1
    );
}
