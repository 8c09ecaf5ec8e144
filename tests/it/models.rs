//! `sightline models`, `--model NAME`, `--precision`.

use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::corpus;
use crate::support::{
    COLOUR_MODEL, FAULTY_GRAPHS, Ran, TestCommand, TestEnv, file_names, snapshot, wait_until,
};

/// `sightline models …` without `SIGHTLINE_MODEL`.
fn models(env: &TestEnv, arguments: &[&str]) -> TestCommand {
    env.sightline(["models"]).args(arguments).starter()
}

#[track_caller]
fn names(env: &TestEnv) -> Vec<String> {
    let list = models(env, &["list", "--json"]).run().expect(0).json();
    let models = list["models"].as_array().unwrap().iter();
    models
        .map(|model| model["name"].as_str().unwrap().to_owned())
        .collect()
}

/// File names in the registry, including hidden ones.
fn in_registry(env: &TestEnv) -> Vec<String> {
    let mut names = file_names(&env.registry());
    names.retain(|name| name != ".lock");
    names
}

/// A copy of the colour model with one of the faulty image towers, as its own or as its int8 graph.
fn with_graph(env: &TestEnv, name: &str, graph: &str, as_file: &str) -> PathBuf {
    let folder = env.colour_model(name, "0.5");
    let from = Path::new(FAULTY_GRAPHS).join(graph).with_extension("onnx");
    fs_err::copy(from, folder.join(as_file)).unwrap();
    if as_file == "image_int8.onnx" {
        fs_err::copy(folder.join("text.onnx"), folder.join("text_int8.onnx")).unwrap();
    }
    folder
}

fn precision<'a>(check: &'a Value, name: &str) -> &'a Value {
    let mut all = check["precisions"].as_array().unwrap().iter();
    all.find(|one| one["precision"] == name).unwrap()
}

#[track_caller]
fn assert_reports(ran: &Ran, what: &[&str]) {
    for what in what {
        assert!(ran.stderr().contains(what), "{what:?} is missing\n{ran}");
    }
}

#[test]
fn the_built_in_model_is_always_available() {
    let env = TestEnv::new();
    snapshot!(env, models(&env, &["list"]).run(), @r"
    exit code: 0
    ----- stdout -----
    * starter    384 dimensions   85.32 MiB  fp32  built in

    ----- stderr -----
    ");
    snapshot!(env, models(&env, &["default"]).run(), @r"
    exit code: 0
    ----- stdout -----
    starter

    ----- stderr -----
    ");
    snapshot!(env, models(&env, &["remove", "starter"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: starter: the built-in model cannot be removed
    ");
    // Listing writes nothing, and works without a home folder.
    assert!(!env.path("data/sightline").exists());
    let homeless = models(&env, &["list"])
        .env("HOME", "")
        .env("XDG_DATA_HOME", "");
    assert!(homeless.run().expect(0).stdout().contains("starter"));
}

#[test]
fn the_built_in_model_passes_its_check() {
    let env = TestEnv::new();
    let check = models(&env, &["check", "--json"]).run().expect(0).json();
    let fp32 = precision(&check, "fp32");
    assert_eq!(fp32["pairs"], 16);
    assert_eq!(
        (&fp32["texts_first"], &fp32["pictures_first"]),
        (&16.into(), &16.into())
    );
    assert_eq!(fp32["works"], true);
    assert!(fp32["figures"]["ms_per_picture"].as_f64().unwrap() > 0.0);
    assert!(fp32["image"]["load_ms"].as_f64().unwrap() > 0.0);
    let norm = &fp32["image"]["raw_norm"];
    assert!(norm["least"].as_f64().unwrap() <= norm["most"].as_f64().unwrap());
    assert_eq!(check["chosen"], "fp32");
    assert_eq!(check["reason"], "it is the only one");
}

#[test]
fn an_added_model_does_not_need_its_original() {
    let env = TestEnv::indexed();
    let folder = env.colour_model("pale", "0.9");
    env.write("pale/LICENSE", "as you like");
    env.write("pale/model.safetensors", "weights of another program");
    env.write("pale/.git/config", "not ours");
    let ran = models(&env, &["add", "pale", "--anyway"]).run().expect(0);
    assert!(ran.stdout().contains("added pale"), "{ran}");
    let expected = [
        "LICENSE",
        "image.onnx",
        "sightline.toml",
        "text.onnx",
        "tokenizer.json",
    ];
    assert_eq!(file_names(&env.registry().join("pale")), expected);
    let embed = |model: &str| {
        let ran = env
            .sightline(["embed", "photos/red.png", "--model", model])
            .run();
        ran.expect(0).stdout().to_owned()
    };
    let before = embed("./pale");
    fs_err::remove_dir_all(folder).unwrap();
    assert_eq!(embed("pale"), before);
    assert_ne!(embed(COLOUR_MODEL), before);
    assert_eq!(names(&env), ["starter", "pale"]);
    // By name in the environment.
    let ran = env
        .sightline(["embed", "photos/red.png"])
        .env("SIGHTLINE_MODEL", "pale");
    assert_eq!(ran.run().expect(0).stdout(), before);
    // Removing the model deletes its files.
    snapshot!(env, models(&env, &["remove", "pale"]).run(), @r"
    exit code: 0
    ----- stdout -----
    removed pale and its files

    ----- stderr -----
    ");
    assert!(in_registry(&env).is_empty());
    assert_eq!(names(&env), ["starter"]);
}

#[test]
fn a_linked_model_stays_in_its_folder() {
    let env = TestEnv::new();
    let folder = env.colour_model("pale", "0.9");
    models(&env, &["add", "pale", "--link", "--name", "p", "--anyway"])
        .run()
        .expect(0);
    assert!(in_registry(&env).is_empty());
    snapshot!(env, models(&env, &["list"]).run(), @r"
    exit code: 0
    ----- stdout -----
    * starter    384 dimensions   85.32 MiB  fp32  built in
      p           13 dimensions    2.30 KiB  fp32  linked: pale

    ----- stderr -----
    ");
    // By name, relative path and absolute path.
    for model in ["p", "pale", folder.to_str().unwrap()] {
        let info = models(&env, &["info", model, "--json"])
            .run()
            .expect(0)
            .json();
        assert_eq!(
            (&info["model"], &info["place"]),
            (&"p".into(), &"linked".into())
        );
    }
    snapshot!(env, models(&env, &["remove", "p"]).run(), @r"
    exit code: 0
    ----- stdout -----
    removed p; its files remain in pale

    ----- stderr -----
    ");
    assert_eq!(fs_err::read_dir(folder).unwrap().count(), 4);
    assert_eq!(names(&env), ["starter"]);
}

#[test]
fn duplicate_models_and_invalid_names_are_refused() {
    let env = TestEnv::new();
    env.colour_model("pale", "0.9");
    env.colour_model("dark", "0.8");
    corpus::plain(&env.path("photos/red.png"), "red");
    models(&env, &["add", "pale", "--anyway"]).run().expect(0);
    snapshot!(env, models(&env, &["add", "pale", "--name", "other"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: pale: already added as pale

    hint: use it with `--model pale`
    ");
    snapshot!(env, models(&env, &["add", "dark", "--name", "Pale"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: pale: a model of this name already exists

    hint: choose another name with `--name NAME`, or remove that model first: `sightline models remove pale`
    ");
    snapshot!(env, models(&env, &["add", "dark", "--name", "../dark"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: ../dark: not a valid model name: use letters, digits, `.`, `_` and `-`, and start with a letter, a digit or `_`

    hint: choose a name with `--name NAME`
    ");
    let ran = models(&env, &["add", "photos"]).run().expect(2);
    assert_reports(&ran, &["error: photos: not a model folder"]);
    models(&env, &["add", "dark", "--name", "starter"])
        .run()
        .expect(2);
    models(&env, &["add", "absent"]).run().expect(2);
    assert_eq!(names(&env), ["starter", "pale"]);
    assert_eq!(in_registry(&env), ["pale"]);
}

#[test]
fn an_unknown_name_is_reported_with_the_known_ones() {
    let env = TestEnv::new();
    env.colour_model("pale", "0.9");
    models(&env, &["add", "pale", "--anyway"]).run().expect(0);
    snapshot!(env, models(&env, &["info", "mobile"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: mobile: no such model or folder

    hint: known models: starter, pale; any other model is given by its folder
    ");
    snapshot!(env, env.sightline(["embed", "--text", "red", "--model", "plae"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: plae: no such model or folder

    hint: did you mean `pale`?
    ");
    for command in ["remove", "default"] {
        let ran = models(&env, &[command, "mobile"]).run().expect(2);
        let expected = "error: mobile: no model of this name\n\nhint: models with a name: \
                        starter, pale\n";
        assert_eq!(ran.stderr(), expected);
    }
    models(&env, &["check", "mobile"]).run().expect(2);
    snapshot!(env, models(&env, &["default", "./pale"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: ./pale: this model folder has no name

    hint: add it under a name first: `sightline models add './pale'`
    ");
}

#[test]
fn an_index_keeps_its_model_when_the_default_changes() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    for (name, deviation) in [("pale", "0.9"), ("dark", "0.8")] {
        env.colour_model(name, deviation);
        models(&env, &["add", name, "--anyway"]).run().expect(0);
    }
    let run = |arguments: &[&str]| env.sightline(arguments).starter().run();
    models(&env, &["default", "pale"]).run().expect(0);
    run(&["index", "photos"]).expect(0);
    let status = run(&["status", "--json"]).expect(0).json();
    assert_eq!(status["model"]["name"], "pale");
    snapshot!(env, models(&env, &["default", "dark"]).run(), @r"
    exit code: 0
    ----- stdout -----
    dark is now the default model

    ----- stderr -----
    existing indexes keep the model they were built with
    ");
    let search = run(&["search", "red", "--paths", "-k1"]).expect(0);
    assert!(search.stdout().ends_with("red.png\n"), "{search}");
    assert_eq!(search.stderr(), "");
    snapshot!(env, run(&["index", "photos"]), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    the index keeps the model it was built with, pale; to change it to dark: `sightline index --model dark --index [ROOT]/index`
    8 picture files in [TIME]: 8 unchanged
    ");
    snapshot!(env, run(&["search", "red", "--model", "dark"]), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/index: the index was built with model pale, not with dark

    hint: the index was built with pale at fp32: leave out `--model`, `--precision` and SIGHTLINE_MODEL, or use another index with `--index`; to change its model: `sightline index --model dark --index [ROOT]/index`
    ");
    // A new index uses the default model.
    run(&["index", "photos", "--index", "other"]).expect(0);
    let status = run(&["status", "--json", "--index", "other"])
        .expect(0)
        .json();
    assert_eq!(status["model"]["name"], "dark");
    // The model of an index is removed.
    snapshot!(env, models(&env, &["remove", "dark", "--index", "other"]).run(), @r"
    exit code: 0
    ----- stdout -----
    removed dark and its files

    ----- stderr -----
    it was the default model; the default is now starter
    the index other was built with it

    hint: add the model again to search there, or build a new index with `--index`
    ");
    let ran = run(&["search", "red", "--index", "other"]).expect(2);
    assert_reports(&ran, &["built with model dark (dimension ", "\nhint: "]);
    // A model without a name is not searched for, but the hint gives its last known folder.
    let ran = env.sightline(["search", "red", "--index", "other", "--model", "dark"]);
    let ran = ran.run().expect(0);
    assert!(ran.stdout().contains("red.png"), "{ran}");
    let ran = run(&["search", "red", "--index", "other"]).expect(2);
    let dark = env.path("dark");
    assert_reports(&ran, &[&format!("use `--model '{}'", dark.display())]);
}

#[test]
fn a_missing_default_model_is_reported() {
    let env = TestEnv::indexed();
    env.colour_model("pale", "0.9");
    models(&env, &["add", "pale", "--anyway"]).run().expect(0);
    models(&env, &["default", "pale"]).run().expect(0);
    fs_err::remove_dir_all(env.registry().join("pale")).unwrap();
    snapshot!(env, env.sightline(["embed", "--text", "red"]).starter().run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: pale: the default model is missing

    hint: choose another default model, such as `sightline models default starter`
    ");
    let ran = models(&env, &["list"]).run().expect(0);
    assert_reports(&ran, &["the default model, pale, is missing"]);
    models(&env, &["default", "starter"]).run().expect(0);
    env.sightline(["embed", "--text", "red"])
        .starter()
        .run()
        .expect(0);
}

#[test]
fn a_folder_placed_in_the_registry_is_a_model() {
    let env = TestEnv::indexed();
    fs_err::create_dir_all(env.registry()).unwrap();
    let folder = env.colour_model("pale", "0.9");
    fs_err::rename(folder, env.registry().join("pale")).unwrap();
    env.write("data/sightline/models/no model/notes.txt", "x");
    env.write("data/sightline/models/broken/notes.txt", "x");
    assert_eq!(names(&env), ["starter", "broken", "pale"]);
    let index = ["index", "photos", "--index", "other", "--model", "pale"];
    env.succeed(index);
    // Found for the index without --model.
    let search = ["search", "red", "--index", "other", "--paths", "-k1"];
    let ran = env.sightline(search).starter().run().expect(0);
    assert!(ran.stdout().ends_with("red.png\n"), "{ran}");
    let ran = models(&env, &["list"]).run().expect(0);
    let broken = ran.stdout().lines().find(|line| line.contains("broken"));
    assert!(broken.unwrap().contains("unusable: "), "{ran}");
    models(&env, &["remove", "broken"]).run().expect(0);
    assert_eq!(names(&env), ["starter", "pale"]);
}

#[test]
fn unchanged_files_are_not_hashed_again() {
    let env = TestEnv::new();
    env.colour_model("pale", "0.9");
    models(&env, &["add", "pale", "--anyway"]).run().expect(0);
    let fingerprint = || {
        let info = models(&env, &["info", "pale", "--json"])
            .run()
            .expect(0)
            .json();
        info["fingerprint"].as_str().unwrap().to_owned()
    };
    let computed = fingerprint();
    assert_eq!(computed.len(), 32);
    // A fingerprint that hashing cannot give: it must come from the registry.
    let file = env.path("data/sightline/models.toml");
    let text = fs_err::read_to_string(&file).unwrap();
    assert_eq!(text.matches(&computed).count(), 1);
    let marked = "0123456789abcdef0123456789abcdef";
    fs_err::write(&file, text.replace(&computed, marked)).unwrap();
    assert_eq!(fingerprint(), marked);
    // A rewritten file is hashed again, even with the same bytes.
    let graph = env.registry().join("pale/image.onnx");
    let bytes = fs_err::read(&graph).unwrap();
    fs_err::write(&graph, &bytes).unwrap();
    assert_eq!(fingerprint(), computed);
    // Other bytes of the same length give another fingerprint.
    let other = fs_err::read(Path::new(FAULTY_GRAPHS).join("near.onnx")).unwrap();
    fs_err::write(&graph, other).unwrap();
    assert_ne!(fingerprint(), computed);
}

#[test]
fn info_describes_a_model() {
    let env = TestEnv::new();
    let info = || models(&env, &["info", COLOUR_MODEL]);
    snapshot!(env, info().run(), @r"
    exit code: 0
    ----- stdout -----
    model        [COLOUR_MODEL]
    place        [COLOUR_MODEL]
    layout       sightline.toml
    dimension    13
    pictures     8 × 8: stretched to fit (bilinear), values 0 to 1, mean 0.500 0.500 0.500, deviation 0.500 0.500 0.500
    texts        at most 16 tokens
    fingerprint  3e7867d17d98fade30d7d441c466373a
    size         2.30 KiB
    licence      MIT OR Apache-2.0
    precision    fp32, used: not checked
    used         fp32: the most precise; `sightline models check [COLOUR_MODEL]` chooses the best
    image in     pixel_values  Tensor<f32>(batch, 3, 8, 8)
    image out    embedding  Tensor<f32>(batch, 13)
    text in      input_ids  Tensor<i64>(batch, n_tokens)
    text in      attention_mask  Tensor<i64>(batch, n_tokens)
    text out     embedding  Tensor<f32>(batch, 13)

    ----- stderr -----
    ");
    let info = models(&env, &["info", COLOUR_MODEL, "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(info["layout"], "sightline.toml");
    assert_eq!(info["dimension"], 13);
    assert_eq!(info["context_length"], 16);
    assert_eq!(info["license"], "MIT OR Apache-2.0");
    assert_eq!(info["preprocessing"]["height"], 8);
    assert_eq!(info["image"]["inputs"][0]["name"], "pixel_values");
    assert_eq!(info["text"]["outputs"][0]["name"], "embedding");
    assert_eq!(info["path"], COLOUR_MODEL);
    // Without ONNX Runtime everything but inputs and outputs is printed.
    let ran = models(&env, &["info", COLOUR_MODEL]).env("ORT_DYLIB_PATH", "/nowhere.so");
    let ran = ran.run().expect(2);
    assert!(ran.stdout().contains("fingerprint  3e78"), "{ran}");
    assert_reports(&ran, &["ONNX Runtime not found"]);
}

#[test]
fn a_faulty_model_is_reported_in_one_error() {
    let env = TestEnv::new();
    let faults = [
        ("zero", "the image tower returns zeros, infinities or NaN"),
        ("nan", "the image tower returns zeros, infinities or NaN"),
        (
            "same",
            "the image tower returns the same embedding for every picture",
        ),
        (
            "wide",
            "the graph's embeddings have 14 values, the model's description says 13",
        ),
    ];
    let mut n_faults = 0;
    for (fault, error) in faults {
        with_graph(&env, fault, fault, "image.onnx");
        let ran = models(&env, &["check", fault]).run().expect(2);
        let errors: Vec<&str> = ran
            .stderr()
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        assert_eq!(errors.len(), 1, "{ran}");
        assert!(
            errors[0].contains(error) && errors[0].contains(fault),
            "{ran}"
        );
        let json = models(&env, &["check", fault, "--json"])
            .run()
            .expect(2)
            .json();
        assert_eq!(precision(&json, "fp32")["works"], false);
        assert_eq!(json["chosen"], Value::Null);
        // It cannot be added.
        let ran = models(&env, &["add", fault]).run().expect(2);
        assert_reports(&ran, &[error]);
        n_faults += 1;
    }
    assert_eq!(n_faults, 4);
    assert_eq!(names(&env), ["starter"]);
    assert!(!env.registry().exists() || in_registry(&env).is_empty());
    // Its only graph of texts is missing.
    fs_err::remove_file(env.path("nan/text.onnx")).unwrap();
    let ran = models(&env, &["add", "nan"]).run().expect(2);
    assert_reports(&ran, &["nan/text.onnx: this model file is missing"]);
    // Not a graph at all.
    env.write("zero/text.onnx", "not a graph");
    let ran = models(&env, &["check", "zero"]).run().expect(2);
    assert_reports(&ran, &["zero/text.onnx"]);
}

#[test]
fn the_precision_is_chosen_by_measured_figures() {
    let env = TestEnv::new();
    with_graph(&env, "near", "near", "image_int8.onnx");
    let check = models(&env, &["check", "near", "--json"])
        .run()
        .expect(2)
        .json();
    let agreement = &precision(&check, "int8")["figures"]["to_fp32"];
    let figure = |name: &str| agreement[name].as_f64().unwrap();
    assert!(
        figure("worst_cosine") >= 0.99 && figure("worst_cosine") < 1.0,
        "{check}"
    );
    assert!(figure("mean_cosine") >= figure("worst_cosine"));
    // The speed differs between runs; the rule does not.
    let expected = if figure("picture_speed") >= 1.05 {
        "int8"
    } else {
        "fp32"
    };
    assert_eq!(check["chosen"], expected, "{check}");
    let info = models(&env, &["info", "near", "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(info["precision"], expected);
    assert_eq!(info["reason"], check["reason"]);
    assert_eq!(precision(&info, "int8")["figures"]["to_fp32"], *agreement);

    with_graph(&env, "far", "far", "image_int8.onnx");
    let check = models(&env, &["check", "far", "--json"])
        .run()
        .expect(2)
        .json();
    assert_eq!(check["chosen"], "fp32");
    let reason = check["reason"].as_str().unwrap();
    assert!(reason.contains("below 0.99"), "{reason}");
    let ran = models(&env, &["info", "far"]).run().expect(0);
    assert!(ran.stdout().contains("below 0.99"), "{ran}");

    // A graph that fails is reported and not chosen.
    with_graph(&env, "half", "nan", "image_int8.onnx");
    let ran = models(&env, &["check", "half"]).run().expect(2);
    assert_reports(&ran, &["error: ", "half (int8): the image tower"]);
    let check = models(&env, &["check", "half", "--json"])
        .run()
        .expect(2)
        .json();
    assert_eq!(check["chosen"], "fp32");
    assert_eq!(precision(&check, "fp32")["works"], true);
    env.succeed(["embed", "--text", "red", "--model", "half"]);
}

#[test]
fn every_command_accepts_a_precision() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    with_graph(&env, "far", "far", "image_int8.onnx");
    let embed = |precision: &str| {
        let embed = [
            "embed",
            "photos/red.png",
            "--model",
            "far",
            "--precision",
            precision,
        ];
        env.succeed(embed).stdout().to_owned()
    };
    assert_ne!(embed("int8"), embed("fp32"));
    let ran = env
        .sightline(["embed", "photos/red.png", "--model", "far"])
        .run();
    assert_eq!(ran.stdout(), embed("fp32"));
    let run = |arguments: &[&str]| {
        let model = ["--model", "far"];
        env.sightline(arguments).args(model).run()
    };
    run(&["index", "photos", "--precision", "int8"]).expect(0);
    // The precision is recorded in the index.
    let ran = run(&["search", "red", "--paths", "-k1"]).expect(0);
    assert!(ran.stdout().ends_with(".png\n"), "{ran}");
    let ran = run(&["search", "red", "--precision", "fp32"]).expect(2);
    assert_reports(&ran, &["the index was built with", "--precision int8"]);
    snapshot!(env, run(&["search", "red", "--precision", "fp16"]), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: far: the model has no fp16 graphs for both towers (available: fp32, int8)

    hint: leave out `--precision` to use an available one
    ");
    let ran = run(&["search", "red", "--precision", "fp8"]).expect(2);
    assert_reports(&ran, &["fp8", "fp32, fp16 or int8"]);
    // One precision checked alone is still compared with fp32, but none is chosen.
    let check = ["check", "far", "--precision", "int8", "--json"];
    let check = models(&env, &check).run().expect(2).json();
    assert_eq!(check["precisions"].as_array().unwrap().len(), 2);
    assert_eq!(check["chosen"], Value::Null);
    let info = models(&env, &["info", "far", "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(info["checked_unix_s"], Value::Null);
    let info = models(&env, &["info", "far", "--precision", "int8", "--json"]);
    assert_eq!(info.run().expect(0).json()["precision"], "int8");
    let ran = env
        .sightline(["embed", "--text", "red", "--precision", "int8"])
        .starter();
    assert_reports(&ran.run().expect(2), &["starter", "int8"]);
}

#[test]
fn a_killed_add_leaves_no_partial_model() {
    let env = TestEnv::new();
    env.colour_model("pale", "0.9");
    // Large enough to be killed while copying.
    let block = vec![7; 48 << 20];
    for number in 0..6 {
        env.write(format!("pale/notes_{number}.txt"), &block);
    }
    let adding = env.registry().join(".adding-pale");
    let mut running = models(&env, &["add", "pale", "--anyway"]).spawn();
    wait_until("copying has begun", || {
        adding.exists() || running.has_ended()
    });
    running.signal(Signal::SIGKILL);
    let ran = running.wait();
    assert!(
        ran.signal().is_some(),
        "it ended before it was killed\n{ran}"
    );
    assert_eq!(in_registry(&env), [".adding-pale"]);
    assert_eq!(names(&env), ["starter"]);

    // After Ctrl-C it cleans up at once.
    fs_err::remove_dir_all(&adding).unwrap();
    let mut running = models(&env, &["add", "pale", "--anyway"]).spawn();
    let copied = adding.join("notes_0.txt");
    wait_until("a file is copied", || {
        copied.exists() || running.has_ended()
    });
    running.signal(Signal::SIGINT);
    running.wait().expect(130);
    assert!(in_registry(&env).is_empty());

    // Leftovers are deleted by the next `models add`.
    env.write("data/sightline/models/.adding-x/half", "");
    for number in 0..6 {
        fs_err::remove_file(env.path(format!("pale/notes_{number}.txt"))).unwrap();
    }
    models(&env, &["add", "pale", "--anyway"]).run().expect(0);
    assert_eq!(in_registry(&env), ["pale"]);
}

#[test]
fn concurrent_checks_keep_all_results() {
    let env = TestEnv::new();
    let folders = ["0.51", "0.52", "0.53", "0.54", "0.55", "0.56"];
    let running: Vec<_> = folders
        .iter()
        .enumerate()
        .map(|(number, deviation)| {
            let name = format!("m{number}");
            env.colour_model(&name, deviation);
            models(&env, &["check", &name]).spawn()
        })
        .collect();
    for one in running {
        // Colours are not enough to find the pictures.
        one.wait().expect(2);
    }
    let mut n_kept = 0;
    for number in 0..folders.len() {
        let info = ["info", &format!("m{number}"), "--json"];
        let info = models(&env, &info).run().expect(0).json();
        assert!(info["checked_unix_s"].as_u64().is_some(), "{info}");
        n_kept += 1;
    }
    assert_eq!(n_kept, 6);
}

#[test]
fn a_damaged_registry_is_an_error() {
    let env = TestEnv::new();
    let file = env.write("data/sightline/models.toml", "default = [\n");
    let ran = models(&env, &["list"]).run().expect(2);
    assert_reports(
        &ran,
        &["models.toml", "\nhint: correct the file, or delete it"],
    );
    env.fail(["embed", "--text", "red"]);
    fs_err::remove_file(file).unwrap();
    env.succeed(["embed", "--text", "red"]);
}

#[test]
fn encoding_works_without_a_writable_registry() {
    let env = TestEnv::new();
    // A file in place of the folder: not even root can write there.
    env.write("data/sightline", "a file");
    let ran = env.sightline(["embed", "--text", "red"]).run();
    assert_reports(&ran.expect(2), &["data/sightline"]);
    fs_err::remove_file(env.path("data/sightline")).unwrap();
    fs_err::create_dir(env.path("data/sightline")).unwrap();
    fs_err::create_dir(env.path("data/sightline/models.toml.lock")).unwrap();
    env.succeed(["embed", "--text", "red"]);
    let ran = models(&env, &["check", COLOUR_MODEL]).run().expect(2);
    assert_reports(&ran, &["cannot save the figures"]);
}
