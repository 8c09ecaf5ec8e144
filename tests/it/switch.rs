//! Changing the model of an index; indexes of other models, dimensions and formats.

use std::path::Path;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::support::numbers::Numbers;
use crate::support::{
    COLOUR_MODEL, Ran, TestEnv, content, copy_folder, corpus, hits, snapshot, wait_until,
};

/// Number of pictures; a run commits every thousand.
const N_PICTURES: usize = 2_500;
const N_KILLS: usize = 6;
/// Minimum number of kills that leave an unfinished change.
const N_PARTIAL: usize = 2;
const SEED: u64 = 0x0005_117c;

/// Index of thousands of pictures by the colour model, with captions for every tenth, and two more
/// models, `pale` and `dark`.
fn indexed() -> TestEnv {
    let env = TestEnv::new();
    corpus::numbered_with_captions(&env.path("photos"), N_PICTURES, &[]);
    env.colour_model("pale", "0.9");
    env.colour_model("dark", "0.3");
    let ran = env.sightline(["index", "photos", "--captions", "photos/captions.jsonl"]);
    ran.run().expect(0);
    // The model is changed without it.
    fs_err::remove_file(env.path("photos/captions.jsonl")).unwrap();
    env
}

/// Hits of a few queries with a model.
fn answers(env: &TestEnv, index: &str, model: &str) -> Vec<Vec<(String, f64)>> {
    let queries: [&[&str]; 4] = [
        &["search", "red", "--by", "meaning", "-k", "3"],
        &["search", "--image", "photos/0777.png", "-k", "3"],
        &["search", "1230", "--by", "words"],
        &["captions", "photos/0770.png", "-k", "1"],
    ];
    let answer = |query: &&[&str]| {
        let ran = env.sightline(*query);
        let ran = ran.args(["--json", "--index", index, "--model", model]);
        let json = ran.run().expect(0).json();
        if query[0] == "captions" {
            let hit = &json["hits"][0];
            return vec![(hit["text"].to_string(), hit["similarity"].as_f64().unwrap())];
        }
        let found = hits(&json);
        let number = |similarity: f64| if similarity.is_nan() { 0.0 } else { similarity };
        found
            .into_iter()
            .map(|(name, similarity)| (name, number(similarity)))
            .collect()
    };
    queries.iter().map(answer).collect()
}

fn model_of(index: &Path) -> String {
    sightline_index::binding(index).unwrap().unwrap().model
}

#[test]
fn a_killed_model_change_loses_nothing_and_can_be_resumed() {
    let env = indexed();
    let old = content(&env.index());
    let (with_old, is_old) = (answers(&env, "index", COLOUR_MODEL), "colours");
    // Reference: an index built from scratch with the new model, with the captions of the first.
    let began = Instant::now();
    copy_folder(&env.index(), &env.path("clean"));
    let change =
        |index: &str| env.sightline(["index", "--model", "pale", "--json", "--index", index]);
    let report = change("clean").run().expect(0).json();
    let time_of_a_run = began.elapsed();
    assert_eq!(
        (&report["added"], &report["model_change"]["done"]),
        (&N_PICTURES.into(), &true.into())
    );
    let rebuild = ["index", "photos", "--model", "pale", "--index", "rebuilt"];
    env.succeed(rebuild);
    let new = content(&env.path("clean"));
    assert_eq!((new.len(), old.len()), (N_PICTURES, N_PICTURES));
    for (path, (vector, _)) in content(&env.path("rebuilt")) {
        assert_eq!(new[&path].0, vector);
        assert_eq!(new[&path].1, old[&path].1, "the same captions");
        assert_ne!(new[&path].0, old[&path].0, "a different vector");
    }
    let with_new = answers(&env, "clean", "pale");
    assert_ne!(with_new, with_old);

    let mut numbers = Numbers(SEED);
    let (mut n_kills, mut n_partial, mut n_tries) = (0, 0, 0);
    let mut index = String::new();
    while n_kills < N_KILLS || n_partial < N_PARTIAL {
        n_tries += 1;
        assert!(
            n_tries <= 10 * N_KILLS,
            "{n_kills} kills, {n_partial} of them with an unfinished change"
        );
        if index.is_empty() {
            index = format!("killed-{n_tries}");
            copy_folder(&env.index(), &env.path(&index));
        }
        let when = format!("seed {SEED:#x}, try {n_tries}, {index}");
        let mut running = change(&index).spawn();
        std::thread::sleep(time_of_a_run.mul_f64(numbers.share()));
        if !running.has_ended() {
            running.signal(Signal::SIGKILL);
        }
        let was_killed = running.wait().signal() == Some(Signal::SIGKILL as i32);
        n_kills += usize::from(was_killed);
        let folder = env.path(&index);
        assert_eq!(sightline_index::check(&folder).unwrap(), [], "{when}");
        if model_of(&folder) == is_old {
            assert!(was_killed, "{when}");
            assert_eq!(content(&folder), old, "{when}");
            assert_eq!(answers(&env, &index, COLOUR_MODEL), with_old, "{when}");
            let status = env.sightline(["status", "--json", "--index", &index]);
            let status = status.run().expect(0).json();
            let n_done = status["unfinished_change"]["images"].as_u64().unwrap_or(0);
            n_partial += usize::from(n_done > 0);
        } else {
            assert_eq!(content(&folder), new, "{when}");
            index.clear();
        }
    }
    if index.is_empty() {
        index = "last".to_owned();
        copy_folder(&env.index(), &env.path(&index));
    }

    // The last change is completed.
    let report = change(&index).run().expect(0).json();
    assert_eq!(report["model_change"]["done"], true);
    let n_done = &report["model_change"]["done_before"];
    assert_eq!(&report["unchanged"], n_done, "nothing is embedded twice");
    let folder = env.path(&index);
    assert_eq!(content(&folder), new);
    assert_eq!(answers(&env, &index, "pale"), with_new);
    assert_eq!(sightline_index::check(&folder).unwrap(), []);
    assert!(!folder.join("records").exists(), "the old data is deleted");
    eprintln!("{n_kills} kills survived, 0 items lost");
}

/// Starts a change to a model and interrupts it by Ctrl-C once some images are done.
fn interrupted(env: &TestEnv, model: &str) -> Ran {
    let running = env.sightline(["index", "--model", model, "--json"]).spawn();
    let has_begun = || {
        let unfinished = sightline_index::unfinished(&env.index()).unwrap();
        unfinished.is_some_and(|unfinished| unfinished.binding.model == model)
    };
    wait_until("the change has begun", has_begun);
    running.signal(Signal::SIGINT);
    running.wait().expect(130)
}

#[test]
fn an_unfinished_model_change_is_reported_and_resumed() {
    let env = indexed();
    let with_old = answers(&env, "index", COLOUR_MODEL);
    let ran = interrupted(&env, "pale");
    let report = ran.json();
    assert_eq!(report["model_change"]["done"], false);
    let last: Vec<&str> = ran.stderr().lines().rev().take(2).collect();
    assert_eq!(
        last,
        [
            "interrupted; finished work is kept. Run the same command again to resume.",
            "the change to pale is not complete: searches still use colours",
        ]
    );
    let n_done = report["added"].as_u64().unwrap();
    assert!(n_done < N_PICTURES as u64, "it was interrupted too late");
    assert_eq!(answers(&env, "index", COLOUR_MODEL), with_old);

    let status = env.succeed(["status"]);
    let pale = env.path("pale");
    let go_on = format!(
        "sightline index --model '{}' --precision fp32 --index {}",
        pale.display(),
        env.index().display()
    );
    let expected = [
        &format!("change to pale, {n_done} of 2,500 images; resume with `{go_on}`"),
        "to discard it, delete index/data-2",
    ];
    // Without commas, which only thousands have.
    let stdout = status.stdout().replace(',', "");
    for part in expected {
        assert!(stdout.contains(&part.replace(',', "")), "{part}\n{status}");
    }
    // A run without --model uses the old model, and says so.
    let ran = env.succeed(["index", "photos"]);
    let note = format!("the change of the model to pale is not complete; resume it with `{go_on}`");
    assert_eq!(ran.stderr().lines().last(), Some(note.as_str()), "{ran}");

    // Changing to a third model discards the unfinished change.
    let ran = interrupted(&env, "dark");
    let first: Vec<&str> = ran.stderr().lines().take(2).collect();
    assert_eq!(
        first,
        [
            "discarding the unfinished change to pale",
            "embedding 2,500 images again with dark; searches use colours until this is complete",
        ]
    );
    assert_eq!(ran.json()["model_change"]["discarded"], "pale");
    let n_done = ran.json()["added"].as_u64().unwrap();
    let ran = env.succeed(["index", "--model", "dark", "--json"]);
    assert_eq!(ran.json()["unchanged"], n_done);
    assert_eq!(model_of(&env.index()), "dark");
    assert_eq!(content(&env.index()).len(), N_PICTURES);
}

#[test]
fn index_with_a_model_changes_the_model_of_the_index() {
    let env = TestEnv::indexed();
    env.colour_model("pale", "0.9");
    snapshot!(env, env.sightline(["index", "--model", "pale"]).run(), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    embedding 8 images again with pale; searches use colours until this is complete
    8 picture files in [TIME]: 8 added
    the index now uses pale; the vectors of colours are deleted
    ");
    assert_eq!(
        env.found(["red", "--by", "meaning", "-k1", "--model", "pale"]),
        ["photos/red.png"]
    );
    // Running it again changes nothing.
    snapshot!(env, env.sightline(["index", "--model", "pale"]).run(), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    0 picture files in [TIME]: nothing to do
    the index already uses pale
    ");
    // To the built-in model, which has another dimension, while the library is missing.
    fs_err::rename(env.path("photos"), env.path("away")).unwrap();
    snapshot!(env, env.sightline(["index", "--model", "starter"]).run(), @r"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    embedding 8 images again with sightline-starter-2; searches use pale until this is complete
    8 indexed pictures in photos were not found or could not be read

    hint: if they were deleted, and not on an unmounted disk, run again with `--prune`
    0 picture files in [TIME]: nothing to do
    the change to sightline-starter-2 is not complete: searches still use pale
    ");
    assert_eq!(
        env.found(["red", "--by", "words", "-k1", "--model", "pale"]),
        ["photos/red.png"]
    );
    fs_err::rename(env.path("away"), env.path("photos")).unwrap();
    snapshot!(env, env.sightline(["index", "--model", "starter"]).run(), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    embedding 8 images again with sightline-starter-2; searches use pale until this is complete
    8 picture files in [TIME]: 8 added
    the index now uses sightline-starter-2; the vectors of pale are deleted
    ");
    let status = env.succeed(["status", "--json"]).json();
    assert_eq!(
        (&status["model"]["name"], &status["images"]),
        (&"sightline-starter-2".into(), &8.into())
    );
    assert_eq!(status["unfinished_change"], serde_json::Value::Null);
    let ran = env.sightline(["search", "red"]).starter().run().expect(0);
    assert_eq!(ran.stderr(), "");
    // The index must exist.
    let ran = env.fail(["index", "--model", "pale", "--index", "absent"]);
    assert!(ran.stderr().contains("there is no index here"), "{ran}");
    assert!(!env.path("absent").exists());
    snapshot!(env, env.sightline(["index"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: nothing to index: give folders, captions with --captions, or --model to change the model of the index

    Usage: sightline index [OPTIONS] [FOLDER]...

    For more information, try '--help'.
    ");
}

#[test]
fn each_kind_of_incompatible_index_has_its_own_error_and_hint() {
    let env = TestEnv::indexed();
    let manifest = env.index().join("manifest.json");
    let text = fs_err::read_to_string(&manifest).unwrap();
    // SIGHTLINE_MODEL does not change the model of an index.
    let pale = env.colour_model("pale", "0.9");
    let ran = env
        .sightline(["index", "photos"])
        .env("SIGHTLINE_MODEL", &pale);
    snapshot!(env, ran.run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/index: the index was built with model colours, not with pale

    hint: the index was built with [COLOUR_MODEL] at fp32: use `--model '[COLOUR_MODEL]' --precision fp32`, or use another index with `--index`; to change its model: `sightline index --model '[ROOT]/pale' --index [ROOT]/index`
    ");
    snapshot!(env, env.sightline(["search", "red", "--model", "starter"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/index: the index was built with model colours (dimension 13), not with sightline-starter-2 (dimension 384)

    hint: the index was built with [COLOUR_MODEL] at fp32: use `--model '[COLOUR_MODEL]' --precision fp32`, or use another index with `--index`; to change its model: `sightline index --model starter --index [ROOT]/index`
    ");
    let (newer, older) = (
        text.replace("\"format\": 3", "\"format\": 4"),
        text.replace("\"format\": 3", "\"format\": 0"),
    );
    assert!(newer != text && older != text);
    fs_err::write(&manifest, &newer).unwrap();
    snapshot!(env, env.sightline(["search", "red"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/index: the index has format 4, but this program reads only up to format 3

    hint: update sightline, or use another index with `--index`; nothing was changed
    ");
    for command in [
        &["index", "photos"][..],
        &["index", "--model", "pale"],
        &["status"],
    ] {
        let ran = env.fail(command);
        assert!(ran.stderr().contains("reads only up to format 3"), "{ran}");
    }
    assert_eq!(fs_err::read_to_string(&manifest).unwrap(), newer);
    fs_err::write(&manifest, &older).unwrap();
    snapshot!(env, env.sightline(["search", "red"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/index: the index has format 0, but this program reads only formats from 1

    hint: build a new index with `--index`, or use the version of sightline that built this one
    ");
    fs_err::write(&manifest, &text).unwrap();
    assert_eq!(env.index_photos()["unchanged"], 8);
}

#[test]
fn an_index_of_a_former_starter_model_names_the_command_that_moves_it() {
    let before = TestEnv::new();
    corpus::one_of_each(&before.path("photos"));
    before.write("photos/red.txt", "a red square");
    before.colour_model("sightline-starter-1", "0.6");
    before.succeed(["index", "photos", "--model", "./sightline-starter-1"]);
    // On a machine that does not know the model.
    let env = TestEnv::new();
    copy_folder(&before.index(), &env.index());
    let run = |arguments: &[&str]| env.sightline(arguments).starter().run();

    let starter = sightline_onnx::Model::starter().unwrap();
    let command = format!("`sightline index --model {}", starter.name());
    corpus::one_of_each(&env.path("photos"));
    for arguments in [&["search", "red"][..], &["index", "photos"]] {
        let ran = run(arguments).expect(2);
        let hint = ran.stderr().lines().find(|line| line.contains(&command));
        assert!(
            hint.is_some_and(|hint| hint.contains("finds more")),
            "{ran}"
        );
    }
    let found = run(&["search", "square", "--by", "words", "--paths"]).expect(0);
    assert!(found.stdout().ends_with("red.png\n"), "{found}");
    run(&["status"]).expect(0);
    run(&["check"]).expect(0);
    run(&["export", "exported"]).expect(0);

    run(&["index", "photos", "--model", starter.name()]).expect(0);
    assert_eq!(env.status()["model"]["name"], starter.name());
    run(&["search", "red"]).expect(0);
}

/// An index that was built with that model itself, without what is derived from its records.
#[test]
fn a_stored_index_of_the_first_starter_model_opens() {
    let env = TestEnv::new();
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/starter-1-index");
    copy_folder(&stored, &env.index());
    let run = |arguments: &[&str]| env.sightline(arguments).starter().run();
    snapshot!(env, run(&["search", "red"]), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/index: the index was built with model sightline-starter-1, not with sightline-starter-2

    hint: sightline-starter-1 is no longer built in: sightline-starter-2 finds more, and understands 16 languages; to move the index to it: `sightline index --model sightline-starter-2 --index [ROOT]/index`; until then, `search --by words` still works
    ");
    let found = run(&["search", "square", "--by", "words", "--paths"]).expect(0);
    assert_eq!(found.stdout(), "/photos/red.png\n");
    let status = run(&["status", "--json"]).expect(0).json();
    assert_eq!(
        (&status["model"]["name"], &status["images"]),
        (&"sightline-starter-1".into(), &3.into())
    );
}
