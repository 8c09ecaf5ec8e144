//! Everything that goes wrong with a message: what it says, how to go on, the exit code.

use std::collections::BTreeMap;

use serde_json::Value;
use sightline_index::{IndexReader, IndexWriter};

use crate::support::corpus::{self, COLOURS};
use crate::support::{COLOUR_MODEL, TestEnv, as_root, copy_program, hits, os, set_mode, snapshot};

fn indexed() -> TestEnv {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env.index_photos();
    env
}

/// Skipped files and why, by name.
fn skipped(report: &Value) -> BTreeMap<String, String> {
    let skipped = report["skipped"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let name = |path: String| path.rsplit('/').next().unwrap().to_owned();
    skipped
        .iter()
        .map(|entry| (name(text(&entry["path"])), text(&entry["reason"])))
        .collect()
}

/// Writes one file of every kind that is no picture or a broken one; their names.
fn write_bad_files(env: &TestEnv) -> Vec<&'static str> {
    let picture = corpus::halves("red", "blue");
    let jpeg = corpus::jpeg(&picture);
    let png = fs_err::read(env.path("photos/red.png")).unwrap();
    env.write("photos/empty.jpg", "");
    env.write("photos/cut.jpg", &jpeg[..jpeg.len() / 2]);
    env.write("photos/cut.png", &png[..png.len() / 2]);
    env.write("photos/head.jpg", &jpeg[..3]);
    env.write("photos/text.jpg", "Dear diary, this is not a picture.\n");
    env.write("photos/zeros.png", vec![0; 5000]);
    env.write("photos/bomb.jpg", corpus::jpeg_bomb());
    corpus::bomb(&env.path("photos/bomb.png"));
    vec![
        "empty.jpg",
        "cut.jpg",
        "cut.png",
        "head.jpg",
        "text.jpg",
        "zeros.png",
        "bomb.jpg",
        "bomb.png",
    ]
}

#[test]
fn bad_files_are_named_and_counted_and_spoil_nothing() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    let bad = write_bad_files(&env);
    let report = env.index_photos();
    let reasons = skipped(&report);
    assert_eq!(
        (&report["seen"], &report["added"]),
        (&16.into(), &8.into()),
        "{report:#}"
    );
    assert_eq!(reasons.len(), bad.len());
    let lines: Vec<_> = reasons
        .iter()
        .map(|(name, reason)| format!("{name}: {reason}"))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    bomb.jpg: the picture is too large: 30000 × 30000 pixels, the limit is 268435456 in all
    bomb.png: the picture is too large: 30000 × 30000 pixels, the limit is 268435456 in all
    cut.jpg: the file ends before the picture does
    cut.png: the file ends before the picture does
    empty.jpg: the file is empty
    head.jpg: the file ends before the picture does
    text.jpg: this is not a picture
    zeros.png: this is not a picture
    ");
    for (name, _) in COLOURS {
        assert_eq!(
            env.found([name, "--by", "meaning", "-k1"]),
            [format!("photos/{name}.png")]
        );
    }
    // They are tried again, since they may have been mended; nothing else is.
    let again = env.index_photos();
    assert_eq!(skipped(&again), reasons);
    assert_eq!(again["unchanged"], 8);
}

#[test]
fn only_the_first_bad_files_are_named_unless_all_are_asked_for() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    for number in 0..14 {
        env.write(
            format!("photos/{number:02}.jpg"),
            format!("no picture {number}"),
        );
    }
    let ran = env.sightline(["index", "photos"]).run().expect(0);
    assert_eq!(ran.stderr().matches("skipped photos/").count(), 10, "{ran}");
    assert!(
        ran.stderr()
            .contains("… and 4 more (--list-skipped names them all)"),
        "{ran}"
    );
    let ran = env
        .sightline(["index", "photos", "--list-skipped"])
        .run()
        .expect(0);
    assert_eq!(ran.stderr().matches("skipped photos/").count(), 14, "{ran}");
}

#[test]
fn a_bad_file_as_people_see_it() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    env.write("photos/sub/empty.jpg", "");
    snapshot!(env, env.sightline(["index", "photos"]).run(), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    skipped photos/sub/empty.jpg: the file is empty
    2 picture files in [TIME]: 1 added, 1 skipped
    ");
}

#[test]
fn what_a_file_is_its_content_says() {
    let env = TestEnv::new();
    let picture = corpus::halves("red", "red");
    for (name, format) in [
        ("a-png.jpg", image::ImageFormat::Png),
        ("a-jpeg.png", image::ImageFormat::Jpeg),
        ("a-gif.webp", image::ImageFormat::Gif),
        ("a-webp.gif", image::ImageFormat::WebP),
        ("a-bmp.tiff", image::ImageFormat::Bmp),
    ] {
        fs_err::create_dir_all(env.path("photos")).unwrap();
        picture
            .save_with_format(env.path("photos").join(name), format)
            .unwrap();
    }
    let report = env.index_photos();
    assert_eq!(
        (&report["seen"], skipped(&report).len()),
        (&5.into(), 0),
        "{report:#}"
    );
    let answer = env
        .sightline(["search", "red", "--by", "meaning", "--json"])
        .run()
        .expect(0);
    let found = hits(&answer.json());
    assert_eq!(found.len(), 5);
    assert!(
        found.iter().all(|(_, similarity)| *similarity > 0.99),
        "{found:?}"
    );
}

#[test]
fn a_bad_file_as_the_query() {
    let env = indexed();
    let bad = write_bad_files(&env);
    for name in &bad {
        let file = format!("photos/{name}");
        for command in [
            ["search", "--image", &file].as_slice(),
            &["captions", &file],
        ] {
            let ran = env.sightline(command).run().expect(2);
            assert!(
                ran.stderr().starts_with(&format!("error: {file}: ")),
                "{ran}"
            );
            assert_eq!(
                (ran.stdout(), ran.stderr().lines().count()),
                ("", 1),
                "{ran}"
            );
        }
    }
    assert_eq!(bad.len(), 8);
    snapshot!(env, env.sightline(["captions", "photos/empty.jpg"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: photos/empty.jpg: the file is empty
    ");
    snapshot!(env, env.sightline(["search", "--image", "photos/bomb.png"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: photos/bomb.png: the picture is too large: 30000 × 30000 pixels, the limit is 268435456 in all
    ");
    snapshot!(env, env.sightline(["search", "--image", "photos/cut.jpg"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: photos/cut.jpg: the file ends before the picture does
    ");
    snapshot!(env, env.sightline(["search", "--image", "absent.png"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: failed to open file `absent.png`: No such file or directory (os error 2)
    ");
    snapshot!(env, env.sightline(["captions", "photos"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: failed to read from file `photos`: Is a directory (os error 21)
    ");
    snapshot!(env, env.sightline(["search", "--image", "photos/red.png", "--by", "words"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: a picture cannot be searched by words alone

    hint: leave out --by words, or search with words instead of --image
    ");
}

/// A world in which another user may start the program and read the pictures.
fn for_another_user() -> (TestEnv, std::path::PathBuf, String) {
    let env = TestEnv::new();
    env.open_to_all();
    let program = copy_program(&env, "bin", true);
    fs_err::create_dir(env.path("model")).unwrap();
    for file in [
        "sightline.toml",
        "image.onnx",
        "text.onnx",
        "tokenizer.json",
    ] {
        fs_err::copy(
            format!("{COLOUR_MODEL}/{file}"),
            env.path("model").join(file),
        )
        .unwrap();
        set_mode(&env.path("model").join(file), 0o644);
    }
    set_mode(&env.path("model"), 0o755);
    let model = env.path("model").to_str().unwrap().to_owned();
    corpus::one_of_each(&env.path("photos"));
    (env, program, model)
}

#[test]
fn a_folder_without_read_permission() {
    let (env, program, model) = for_another_user();
    corpus::plain(&env.path("photos/locked/yellow.png"), "yellow");
    corpus::save(
        &env.path("photos/secret.png"),
        &corpus::halves("red", "white"),
    );
    fs_err::create_dir(env.path("writable")).unwrap();
    set_mode(&env.path("writable"), 0o777);
    let index = || {
        env.program(&program, ["index", "photos", "--index", "writable/index"])
            .env("SIGHTLINE_MODEL", &model)
            .bound_by_permissions()
    };
    // Once with all open, so that the index holds what is then locked.
    index().run().expect(0);
    set_mode(&env.path("photos/locked"), 0o000);
    fs_err::OpenOptions::new()
        .append(true)
        .open(env.path("photos/secret.png"))
        .unwrap()
        .file()
        .set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    set_mode(&env.path("photos/secret.png"), 0o000);
    let ran = index().run();
    let status = env
        .sightline(["status", "--json", "--index", "writable/index"])
        .run();
    // The folder that holds all of it.
    set_mode(&env.path("photos"), 0o000);
    let nothing = index().run();
    set_mode(&env.path("photos"), 0o755);
    set_mode(&env.path("photos/locked"), 0o755);
    set_mode(&env.path("photos/secret.png"), 0o644);
    snapshot!(env, ran, @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    skipped photos/locked: no permission to read it
    skipped photos/secret.png: no permission to read it
    9 picture files in [TIME]: 8 unchanged, 2 skipped
    ");
    snapshot!(env, nothing, @r"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    skipped photos: no permission to read it
    no pictures in photos, but the index holds 10 from there: nothing was removed

    hint: if they are gone for good and not on a disk that is away, run again with --prune
    0 picture files in [TIME]: 1 skipped
    ");
    // What cannot be seen is not gone.
    assert_eq!(status.json()["files"], 10, "{ran}");
    let ran = index().run().expect(0);
    assert!(ran.stderr().contains("10 unchanged"), "{ran}");
}

#[test]
fn an_index_that_may_not_be_written() {
    let (env, program, model) = for_another_user();
    env.sightline(["index", "photos"]).run().expect(0);
    open_tree(&env);
    let run = |arguments: &[&str]| {
        let run = env
            .program(&program, arguments)
            .env("SIGHTLINE_MODEL", &model);
        run.bound_by_permissions().run()
    };
    if !as_root() {
        close_tree(&env, 0o555, 0o444);
    }
    let found = run(&["search", "red", "--by", "both", "-k1", "--paths"]);
    let status = run(&["status"]);
    let indexing = run(&["index", "photos"]);
    let creating = run(&["index", "photos", "--index", "model/index"]);
    close_tree(&env, 0o755, 0o644);
    assert_eq!(
        env.shown(found.expect(0).stdout().trim_end()),
        "photos/red.png"
    );
    status.expect(0);
    snapshot!(env, indexing, @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/index: the index cannot be written here: Permission denied (os error 13)

    hint: make the folder writable, or use another --index folder; only searching works without
    ");
    if as_root() {
        snapshot!(env, creating, @r"
        exit code: 2
        ----- stdout -----

        ----- stderr -----
        error: [ROOT]/model/index: the index cannot be written here: failed to create directory `[ROOT]/model/index`: Permission denied (os error 13)

        hint: make the folder writable, or use another --index folder; only searching works without
        ");
    }
}

fn open_tree(env: &TestEnv) {
    close_tree(env, 0o755, 0o644);
}

/// Sets the permissions of the index's folders and files.
fn close_tree(env: &TestEnv, folder_mode: u32, file_mode: u32) {
    let mut folders = vec![env.index()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                set_mode(&path, file_mode);
            }
        }
        set_mode(&folder, folder_mode);
    }
}

#[test]
fn an_index_that_another_process_is_writing() {
    let env = indexed();
    let binding = IndexReader::open(&env.index(), None)
        .unwrap()
        .binding()
        .clone();
    let writer = IndexWriter::open_or_create(&env.index(), &binding).unwrap();
    corpus::save(&env.path("photos/new.png"), &corpus::halves("red", "white"));
    snapshot!(env, env.sightline(["index", "photos"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/index: the index is being written by process [PID]

    hint: wait until it is done, or use another --index folder
    ");
    // Reading goes on meanwhile.
    assert_eq!(
        env.found(["red", "--by", "meaning", "-k1"]),
        ["photos/red.png"]
    );
    env.sightline(["status"]).run().expect(0);
    drop(writer);
    // A process that another test is starting just now may hold a copy of the lock until it has
    // become its program.
    let run = || env.sightline(["index", "photos", "--json"]).run();
    let mut attempts = (0..50)
        .map(|_| run())
        .filter(|ran| !ran.stderr().contains("being written"));
    let ran = attempts.next().expect("the lock is free at last");
    assert_eq!(ran.expect(0).json()["added"], 1);
}

#[test]
fn an_index_made_by_another_model() {
    let env = indexed();
    fs_err::create_dir(env.path("other")).unwrap();
    for file in ["image.onnx", "text.onnx", "tokenizer.json"] {
        fs_err::copy(
            format!("{COLOUR_MODEL}/{file}"),
            env.path("other").join(file),
        )
        .unwrap();
    }
    let manifest = fs_err::read_to_string(format!("{COLOUR_MODEL}/sightline.toml")).unwrap();
    // The same graphs on another preprocessing make other vectors.
    let manifest = manifest.replace("\"colours\"", "\"pale colours\"");
    let manifest = manifest.replace("std = [0.5, 0.5, 0.5]", "std = [0.9, 0.9, 0.9]");
    env.write("other/sightline.toml", manifest);
    let commands: [&[&str]; 4] = [
        &["search", "red"],
        &["search", "--image", "photos/red.png"],
        &["captions", "photos/red.png"],
        &["index", "photos"],
    ];
    for command in commands {
        let ran = env
            .sightline(command)
            .args(["--model", "other"])
            .run()
            .expect(2);
        assert!(
            ran.stderr().contains("colours") && ran.stderr().contains("\nhint: "),
            "{ran}"
        );
    }
    snapshot!(env, env.sightline(["search", "red", "--model", "other"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/index: the index was built with model colours, not with pale colours

    hint: vectors of two models cannot be compared: use the --model it was built with, or another --index folder
    ");
    // Of another dimension.
    let ran = env.sightline(["search", "red"]).starter().run().expect(2);
    assert!(ran.stderr().contains("\nhint: "), "{ran}");
    // Nothing was touched.
    assert_eq!(env.index_photos()["unchanged"], 8);
}

#[test]
fn model_folders_that_are_none() {
    let env = indexed();
    let search = |model: &str| env.sightline(["search", "red", "--model", model]).run();
    snapshot!(env, search("absent"), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: absent: there is no such model folder

    hint: give a model folder with --model FOLDER, or leave it out to use the built-in starter model
    ");
    snapshot!(env, search("photos"), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: photos: this is not a model folder (it holds neither sightline.toml nor preprocessor_config.json)

    hint: give a model folder with --model FOLDER, or leave it out to use the built-in starter model
    ");
    env.write(
        "torn/sightline.toml",
        fs_err::read(format!("{COLOUR_MODEL}/sightline.toml")).unwrap(),
    );
    snapshot!(env, search("torn"), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: torn/image.onnx: this file of the model is missing

    hint: give a model folder with --model FOLDER, or leave it out to use the built-in starter model
    ");
    env.write("typo/sightline.toml", "name = \"typo\"\ndimensoin = 13\n");
    let ran = search("typo").expect(2);
    assert!(
        ran.stderr()
            .starts_with("error: typo/sightline.toml: the manifest"),
        "{ran}"
    );
    assert!(ran.stderr().contains("dimensoin"), "{ran}");
}

#[test]
fn a_graph_that_is_broken() {
    let env = indexed();
    fs_err::create_dir(env.path("broken")).unwrap();
    for file in ["sightline.toml", "image.onnx", "tokenizer.json"] {
        fs_err::copy(
            format!("{COLOUR_MODEL}/{file}"),
            env.path("broken").join(file),
        )
        .unwrap();
    }
    env.write("broken/text.onnx", "these are no protocol buffers");
    env.sightline(["index", "photos", "--model", "broken", "--index", "b"])
        .run()
        .expect(0);
    let ran = env
        .sightline(["search", "red", "--model", "broken", "--index", "b"])
        .run()
        .expect(2);
    assert!(
        ran.stderr()
            .starts_with("error: broken/text.onnx: ONNX Runtime cannot load"),
        "{ran}"
    );
}

#[test]
fn no_index_yet() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    snapshot!(env, env.sightline(["search", "red"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/index: there is no index here

    hint: index a folder first: sightline index ~/Pictures
    ");
    snapshot!(env, env.sightline(["captions", "photos/red.png"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/index: there is no index here

    hint: index a folder first: sightline index ~/Pictures
    ");
    snapshot!(env, env.sightline(["status"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/index: there is no index here

    hint: index a folder first: sightline index ~/Pictures
    ");
    assert!(!env.index().exists(), "looking for it made one");
}

#[test]
fn something_else_where_the_index_should_be() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    env.write("papers/letter.txt", "Dear Sir");
    let on_papers = ["index", "photos", "--index", "papers"];
    snapshot!(env, env.sightline(on_papers).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/papers: this folder holds other files and no index

    hint: give an empty folder, or one that does not exist yet, with --index
    ");
    assert_eq!(
        fs_err::read_dir(env.path("papers")).unwrap().count(),
        1,
        "nothing was put there"
    );
    snapshot!(env, env.sightline(["search", "red", "--index", "papers"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/papers: there is no index here

    hint: index a folder first: sightline index ~/Pictures
    ");
    let ran = env
        .sightline(["index", "photos", "--index", "papers/letter.txt"])
        .run()
        .expect(2);
    assert!(ran.stderr().contains("papers/letter.txt"), "{ran}");
    assert_eq!(
        fs_err::read(env.path("papers/letter.txt")).unwrap(),
        b"Dear Sir"
    );
}

#[test]
fn an_empty_folder_and_an_empty_index() {
    let env = TestEnv::new();
    env.write("photos/notes.md", "no pictures here");
    snapshot!(env, env.sightline(["index", "photos"]).run(), @r"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    0 picture files in [TIME]: nothing to do
    no pictures found in the folders given
    ");
    snapshot!(env, env.sightline(["search", "red"]).run(), @r"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    no picture found

    hint: the index has no pictures yet; add some with: sightline index ~/Pictures
    ");
    snapshot!(env, env.sightline(["search", "red", "--json"]).run(), @r#"
    exit code: 1
    ----- stdout -----
    {
      "by": "both",
      "hits": [],
      "query": {
        "text": "red"
      },
      "took_ms": [TIME]
    }

    ----- stderr -----
    no picture found

    hint: the index has no pictures yet; add some with: sightline index ~/Pictures
    "#);
    corpus::plain(&env.path("elsewhere/red.png"), "red");
    snapshot!(env, env.sightline(["captions", "elsewhere/red.png"]).run(), @r"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    no caption found

    hint: the index has no captions yet; add some with: sightline index --captions FILE, or texts beside pictures
    ");
    env.sightline(["status"]).run().expect(1);
}

#[test]
fn folders_that_are_none() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    snapshot!(env, env.sightline(["index", "absent"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: absent: no such folder

    hint: check the path
    ");
    snapshot!(env, env.sightline(["index", "photos/red.png"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: photos/red.png: not a folder

    hint: index the folder it is in: sightline index photos
    ");
    // All are looked at before the index is made.
    env.sightline(["index", "photos", "absent"]).run().expect(2);
    assert!(!env.index().exists());
}

#[test]
fn an_empty_query() {
    let env = indexed();
    snapshot!(env, env.sightline(["search", ""]).run(), @r#"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: the query is empty

    hint: say what to look for, as in: sightline search "a dog on the beach"
    "#);
    for query in ["", " ", "\t\n", "\u{3000}"] {
        for by in ["meaning", "words", "both"] {
            env.sightline(["search", "--by", by, "--", query])
                .run()
                .expect(2);
        }
    }
}

#[test]
fn a_query_of_ten_thousand_words() {
    let env = indexed();
    let words = |first: &str| format!("{first} {}", vec!["of"; 9_999].join(" "));
    let query = words("red");
    assert_eq!(query.split(' ').count(), 10_000);
    snapshot!(env, env.sightline(["search", &query, "-k1"]).run(), @r"
    exit code: 0
    ----- stdout -----
      1   0.524  photos/red.png  meaning + words (red)

    ----- stderr -----
    the model reads only the beginning of so long a query: 9984 tokens at its end were left out
    ");
    // By words alone nothing is left out, and nothing needs to be said.
    let ran = env
        .sightline(["search", &query, "--by", "words", "-k1"])
        .run()
        .expect(0);
    assert_eq!(ran.stderr(), "");
    // Ten thousand different ones, of which one far down the line counts.
    let mut many: Vec<String> = (0..10_000).map(|number| format!("word{number}")).collect();
    many[400] = "red".to_owned();
    let found = env.found([many.join(" ").as_str(), "--by", "words"]);
    assert_eq!(found, ["photos/red.png"]);
}

#[test]
fn captions_files_that_are_none() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    let index = |file: &str| env.sightline(["index", "photos", "--captions", file]).run();
    env.write(
        "bad.jsonl",
        "{\"image\": \"red.png\", \"captions\": [\"red\"]}\n{\"image\": 7}\n",
    );
    snapshot!(env, index("bad.jsonl"), @r#"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/bad.jsonl: line 2: not of the form {"image": "relative/path.jpg", "captions": ["…"]}: invalid type: integer `7`, expected path string at line 1 column 11
    "#);
    env.write(
        "torn.jsonl",
        "{\"image\": \"red.png\", \"captions\": [\"red\"",
    );
    snapshot!(env, index("torn.jsonl"), @r#"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/torn.jsonl: line 1: not of the form {"image": "relative/path.jpg", "captions": ["…"]}: EOF while parsing a list at line 1 column 39
    "#);
    env.write("bytes.txt", b"caf\xe9\n");
    snapshot!(env, index("bytes.txt"), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/bytes.txt: not UTF-8 text

    hint: save the file as UTF-8
    ");
    snapshot!(env, index("absent.jsonl"), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: failed to open file `absent.jsonl`: No such file or directory (os error 2)
    ");
    // They are read before anything is done.
    assert!(!env.index().exists());
}

#[test]
fn a_page_that_cannot_be_written() {
    let env = indexed();
    snapshot!(env, env.sightline(["search", "red", "--html", "absent/page.html"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: failed to create file `absent/page.html`: No such file or directory (os error 2)
    ");
    env.write("mine.html", "my own page");
    let append = ["search", "red", "--html", "mine.html", "--append"];
    snapshot!(env, env.sightline(append).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: mine.html: not a page that Sightline wrote, so nothing was added
    ");
    assert_eq!(fs_err::read(env.path("mine.html")).unwrap(), b"my own page");
}

#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_not_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let env = TestEnv::new();
    let folder = env.path("photos").join(OsStr::from_bytes(b"\xe9t\xe9"));
    let picture = folder.join(OsStr::from_bytes(b"caf\xe9.png"));
    corpus::plain(&folder.join("red.png"), "red");
    fs_err::rename(folder.join("red.png"), &picture).unwrap();
    corpus::plain(&env.path("photos/blue.png"), "blue");
    fs_err::write(
        folder.join(OsStr::from_bytes(b"caf\xe9.txt")),
        "a cup of coffee\n",
    )
    .unwrap();

    let report = env.index_photos();
    assert_eq!(
        (&report["added"], &report["captions_added"]),
        (&2.into(), &1.into())
    );
    assert_eq!(env.index_photos()["unchanged"], 2, "it is known again");
    snapshot!(env, env.sightline(["search", "coffee", "--by", "words"]).run(), @r"
    exit code: 0
    ----- stdout -----
      1       –  photos/�t�/caf�.png  words (coffee)
                 “a cup of coffee”

    ----- stderr -----
    ");
    let ran = env
        .sightline(["search", "red", "-k1", "--by", "meaning", "--paths", "-0"])
        .run();
    let exact = [picture.as_os_str().as_bytes(), b"\0"].concat();
    assert_eq!(ran.expect(0).stdout_bytes(), exact);
    let answer = env
        .sightline(["search", "red", "-k1", "--by", "meaning", "--json"])
        .run();
    let encoded = answer.expect(0).json()["hits"][0]["path_base64"]
        .as_str()
        .unwrap()
        .to_owned();
    let decoded = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .unwrap()
    };
    assert_eq!(decoded, picture.as_os_str().as_bytes());
    // As a query, and in a page.
    env.sightline(os(&[&"search", &"--image", &picture]))
        .run()
        .expect(0);
    env.sightline(os(&[&"captions", &picture])).run().expect(0);
    env.sightline(["search", "red", "--html", "page.html"])
        .run()
        .expect(0);
    let page = fs_err::read_to_string(env.path("page.html")).unwrap();
    assert!(
        page.contains("/%E9t%E9/caf%E9.png"),
        "a link that leads to it"
    );
    // A bad file with such a name is named, and one that is gone is forgotten.
    fs_err::write(&picture, "no picture any more").unwrap();
    let report = env.index_photos();
    assert!(
        report["skipped"][0]["path_base64"].is_string(),
        "{report:#}"
    );
    fs_err::remove_file(&picture).unwrap();
    env.index_photos();
    assert_eq!(env.sightline(["status", "--json"]).run().json()["files"], 1);
}
