//! Errors about the index, the model and the query: message, hint and exit code.

use sightline_index::{IndexReader, IndexWriter};

use crate::support::corpus;
use crate::support::{COLOUR_MODEL, PROGRAM, TestEnv, snapshot};

#[test]
fn a_second_writer_is_refused_and_readers_are_not() {
    let env = TestEnv::indexed();
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

    hint: wait until it is done, or use another index with `--index`
    ");
    // Reading still works.
    assert_eq!(
        env.found(["red", "--by", "meaning", "-k1"]),
        ["photos/red.png"]
    );
    env.succeed(["status"]);
    drop(writer);
    // A process forked by another test may hold a copy of the lock until it calls exec.
    let run = || env.sightline(["index", "photos", "--json"]).run();
    let mut attempts = (0..50)
        .map(|_| run())
        .filter(|ran| !ran.stderr().contains("being written"));
    let ran = attempts.next().expect("the lock is released");
    assert_eq!(ran.expect(0).json()["added"], 1);
}

#[test]
fn a_model_other_than_that_of_the_index_is_refused() {
    let env = TestEnv::indexed();
    env.colour_model("other", "0.9");
    let commands: [&[&str]; 4] = [
        &["search", "red"],
        &["search", "--image", "photos/red.png"],
        &["captions", "photos/red.png"],
        &["index", "photos"],
    ];
    for command in commands {
        let ran = env
            .sightline(command)
            .env("SIGHTLINE_MODEL", "other")
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
    error: [ROOT]/index: the index was built with model colours, not with other

    hint: the index was built with [COLOUR_MODEL] at fp32: use `--model '[COLOUR_MODEL]' --precision fp32`, or use another index with `--index`; to change its model: `sightline index --model 'other' --index [ROOT]/index`
    ");
    // A model with another dimension.
    let ran = env.sightline(["search", "red"]).starter().run().expect(2);
    assert!(ran.stderr().contains("\nhint: "), "{ran}");
    // The index is unchanged.
    assert_eq!(env.index_photos()["unchanged"], 8);
}

#[test]
fn invalid_model_folders_are_refused() {
    let env = TestEnv::indexed();
    let search = |model: &str| env.sightline(["search", "red", "--model", model]).run();
    snapshot!(env, search("absent"), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: absent: no such model or folder

    hint: known models: starter; any other model is given by its folder
    ");
    let of_environment = env
        .sightline(["search", "red"])
        .env("SIGHTLINE_MODEL", "absent");
    snapshot!(env, of_environment.run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: absent: no such model or folder

    hint: known models: starter; any other model is given by its folder; SIGHTLINE_MODEL names it in the environment
    ");
    snapshot!(env, search("photos"), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: photos: not a model folder (none of sightline.toml, preprocessor_config.json, open_clip_config.json, visual/preprocess_cfg.json found)

    hint: give the folder of a model's graphs and of the files that describe them; docs/models.md lists the layouts
    ");
    env.write(
        "torn/sightline.toml",
        fs_err::read(format!("{COLOUR_MODEL}/sightline.toml")).unwrap(),
    );
    snapshot!(env, search("torn"), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: torn/image.onnx: this model file is missing

    hint: download it from where the model came from; a model needs both towers, a tokenizer and the files that describe them
    ");
    env.write("typo/sightline.toml", "name = \"typo\"\ndimensoin = 13\n");
    let ran = search("typo").expect(2);
    assert!(
        ran.stderr()
            .starts_with("error: typo/sightline.toml: invalid manifest"),
        "{ran}"
    );
    assert!(ran.stderr().contains("dimensoin"), "{ran}");
}

#[test]
fn a_damaged_graph_is_an_error_only_when_it_is_used() {
    let env = TestEnv::indexed();
    env.colour_model("broken", "0.5");
    env.write("broken/text.onnx", "not protocol buffers");
    env.succeed(["index", "photos", "--model", "broken", "--index", "b"]);
    let ran = env.fail(["search", "red", "--model", "broken", "--index", "b"]);
    assert!(
        ran.stderr()
            .starts_with("error: broken/text.onnx: ONNX Runtime cannot load"),
        "{ran}"
    );
}

#[test]
fn reading_commands_need_an_index() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    let expected = env.fail(["search", "red"]);
    snapshot!(env, expected, @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/index: there is no index here

    hint: index a folder first: `sightline index ~/Pictures --index [ROOT]/index`
    ");
    for command in [
        &["captions", "photos/red.png", "--from", "captions"][..],
        &["status"],
    ] {
        let ran = env.fail(command);
        assert_eq!((ran.stdout(), ran.stderr()), ("", expected.stderr()));
    }
    assert!(!env.index().exists(), "an index was created");
}

#[test]
fn a_folder_with_other_files_is_not_used_as_an_index() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    env.write("papers/letter.txt", "Dear Sir");
    let into_papers = ["index", "photos", "--index", "papers"];
    snapshot!(env, env.sightline(into_papers).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/papers: not an index: the folder contains other files

    hint: use an empty or a new folder with `--index`
    ");
    assert_eq!(
        fs_err::read_dir(env.path("papers")).unwrap().count(),
        1,
        "a file was added"
    );
    snapshot!(env, env.sightline(["search", "red", "--index", "papers"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/papers: there is no index here

    hint: index a folder first: `sightline index ~/Pictures --index papers`
    ");
    let ran = env.fail(["index", "photos", "--index", "papers/letter.txt"]);
    assert!(ran.stderr().contains("papers/letter.txt"), "{ran}");
    assert_eq!(
        fs_err::read(env.path("papers/letter.txt")).unwrap(),
        b"Dear Sir"
    );
}

#[test]
fn an_empty_folder_or_index_exits_with_1() {
    let env = TestEnv::new();
    env.write("photos/notes.md", "no pictures here");
    snapshot!(env, env.sightline(["index", "photos"]).run(), @r"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    0 picture files in [TIME]: nothing to do
    no pictures found in the given folders
    ");
    snapshot!(env, env.sightline(["search", "red"]).run(), @r"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    no picture found

    hint: the index has no pictures yet; add some with `sightline index ~/Pictures --index [ROOT]/index`
    ");
    snapshot!(env, env.sightline(["search", "red", "--json"]).run(), @r#"
    exit code: 1
    ----- stdout -----
    {
      "by": "both",
      "hits": [],
      "known_to_model": true,
      "language": null,
      "query": {
        "excluded": [],
        "filters": [],
        "parts": [
          {
            "known_to_model": true,
            "text": "red",
            "weight": 1.0
          }
        ],
        "phrases": [],
        "text": "red",
        "unknown_keys": []
      },
      "text_tower": null,
      "took_ms": [TIME]
    }

    ----- stderr -----
    no picture found

    hint: the index has no pictures yet; add some with `sightline index ~/Pictures --index [ROOT]/index`
    "#);
    corpus::plain(&env.path("elsewhere/red.png"), "red");
    let command = ["captions", "elsewhere/red.png", "--from", "captions"];
    snapshot!(env, env.sightline(command).run(), @r"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    no caption found

    hint: the index has no captions yet; add some with `sightline index --captions FILE --index [ROOT]/index`, or text files beside pictures
    ");
    env.sightline(["status"]).run().expect(1);
}

#[test]
fn missing_folders_and_files_cannot_be_indexed() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    snapshot!(env, env.sightline(["index", "absent"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: absent: no such folder

    hint: check the path; a relative one starts at the current folder
    ");
    snapshot!(env, env.sightline(["index", "photos/red.png"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: photos/red.png: not a folder

    hint: index its folder: `sightline index photos --index [ROOT]/index`
    ");
    // All folders are checked before the index is created.
    env.fail(["index", "photos", "absent"]);
    assert!(!env.index().exists());
}

#[test]
fn an_empty_query_is_refused() {
    let env = TestEnv::indexed();
    snapshot!(env, env.sightline(["search", ""]).run(), @r#"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: the query is empty

    hint: give a text to search for: `sightline search "a dog on the beach" --index [ROOT]/index`
    "#);
    for query in ["", " ", "\t\n", "\u{3000}"] {
        for by in ["meaning", "words", "both"] {
            env.fail(["search", "--by", by, "--", query]);
        }
    }
}

#[test]
fn a_query_too_long_for_the_model_is_cut_with_a_note() {
    let env = TestEnv::indexed();
    let words = |first: &str| format!("{first} {}", vec!["of"; 9_999].join(" "));
    let query = words("red");
    assert_eq!(query.split(' ').count(), 10_000);
    snapshot!(env, env.sightline(["search", &query, "-k1"]).run(), @r"
    exit code: 0
    ----- stdout -----
      1   0.524  photos/red.png  meaning + words (red)

    ----- stderr -----
    query too long for the model: its last 9984 tokens were ignored
    ");
    // Searching by words uses the whole query, so there is no note.
    let ran = env.succeed(["search", &query, "--by", "words", "-k1"]);
    assert_eq!(ran.stderr(), "");
    // Ten thousand different words, only one of which matches.
    let mut many: Vec<String> = (0..10_000).map(|number| format!("word{number}")).collect();
    many[400] = "red".to_owned();
    let found = env.found([many.join(" ").as_str(), "--by", "words"]);
    assert_eq!(found, ["photos/red.png"]);
}

#[test]
fn invalid_caption_files_are_refused_before_indexing() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    let index = |file: &str| env.sightline(["index", "photos", "--captions", file]).run();
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

    hint: check the path; a relative one starts at the current folder
    ");
    // The files are read before the index is created.
    assert!(!env.index().exists());
}

#[test]
fn a_page_that_cannot_be_written_is_an_error() {
    let env = TestEnv::indexed();
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
    error: mine.html: not a page that Sightline wrote; refusing to add to it
    ");
    assert_eq!(fs_err::read(env.path("mine.html")).unwrap(), b"my own page");
    let picture = fs_err::read(env.path("photos/red.png")).unwrap();
    snapshot!(env, env.sightline(["search", "red", "--html", "photos/red.png"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: photos/red.png: not a page that Sightline wrote; refusing to replace it
    ");
    assert_eq!(fs_err::read(env.path("photos/red.png")).unwrap(), picture);
}

#[test]
fn a_page_that_cannot_be_completed_stays_as_it_was() {
    let env = TestEnv::indexed();
    env.succeed(["search", "red", "--html", "page.html"]);
    std::os::unix::fs::symlink("page.html", env.path("link.html")).unwrap();
    let before = fs_err::read(env.path("page.html")).unwrap();
    // Files of at most 1 KB, as on a full disk.
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" search red --html link.html --append";
    let ran = env.program("sh", ["-c", script, PROGRAM]).run().expect(2);
    assert!(ran.stderr().contains("page.html"), "{ran}");
    assert_eq!(fs_err::read(env.path("page.html")).unwrap(), before);
    // With room it is completed, through the link too.
    env.succeed(["search", "red", "--html", "link.html", "--append"]);
    let after = fs_err::read(env.path("page.html")).unwrap();
    assert!(after.len() > before.len());
    assert!(env.path("link.html").is_symlink());
}

#[test]
fn folders_pipes_and_devices_are_not_pictures() {
    let env = TestEnv::indexed();
    env.program("mkfifo", ["pipe.jpg"]).run().expect(0);
    let rows = [
        ("photos", "a folder", "`sightline index 'photos' --index "),
        ("pipe.jpg", "a pipe or device", "as a file"),
        ("/dev/zero", "a pipe or device", "as a file"),
    ];
    let mut n_asked = 0;
    for (path, what, advice) in rows {
        let commands: [&[&str]; 3] = [&["search", "--image"], &["captions"], &["embed"]];
        for command in commands {
            // A pipe that is opened would be waited for.
            let ran = env.sightline(command).args([path]).run().expect(2);
            let expected = format!("error: {path}: {what}, not a file\n");
            assert!(ran.stderr().starts_with(&expected), "{ran}");
            assert!(
                command == ["embed"] || ran.stderr().contains(advice),
                "{ran}"
            );
            n_asked += 1;
        }
    }
    assert_eq!(n_asked, 9);
    // The same as stdin. Opened in both directions, a named pipe does not wait for a writer.
    let redirections = [
        ("< photos", "a folder"),
        ("<> pipe.jpg", "a pipe or device"),
    ];
    for (redirection, what) in redirections {
        let script = format!("exec \"$0\" search --image /dev/stdin 0{redirection}");
        let ran = env.program("sh", ["-c", &script, PROGRAM]).run().expect(2);
        let expected = format!("error: /dev/stdin: {what}, not a file\n");
        assert!(ran.stderr().starts_with(&expected), "{ran}");
    }
}

#[test]
fn a_picture_can_come_through_a_pipe_of_the_shell() {
    let env = TestEnv::indexed();
    let expected = env.found(["--image", "photos/red.png"]);
    assert!(expected.len() > 1);
    let scripts = [
        "cat photos/red.png | \"$0\" search --paths --image /dev/stdin",
        "cat photos/red.png | \"$0\" search --paths --image /dev/fd/0",
        "cat photos/red.png | \"$0\" search --paths --image /proc/self/fd/0",
        "\"$0\" search --paths --image <(cat photos/red.png)",
        "\"$0\" search --paths --image /dev/stdin < photos/red.png",
    ];
    for script in scripts {
        let path = std::env::var_os("PATH").unwrap();
        let ran = env
            .program("bash", ["-c", script, PROGRAM])
            .env("PATH", path);
        let ran = ran.run().expect(0);
        let found: Vec<String> = ran.stdout().lines().map(|path| env.shown(path)).collect();
        assert_eq!(found, expected, "{ran}");
    }
    assert_eq!(scripts.len(), 5);
}

#[test]
fn an_index_whose_model_is_gone_or_changed_names_it_and_the_fix() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    env.colour_model("pale", "0.9");
    let run = |arguments: &[&str]| env.sightline(arguments).starter().run();
    // It knows colours, and none of what the check shows it.
    run(&["models", "add", "pale", "--anyway"]).expect(0);
    run(&["index", "photos", "--model", "pale"]).expect(0);
    run(&["search", "red"]).expect(0);
    // Another file of the same name.
    let manifest = env.registry().join("pale/sightline.toml");
    let before = fs_err::read_to_string(&manifest).unwrap();
    fs_err::write(&manifest, before.replace("0.9", "0.8")).unwrap();
    let ran = run(&["search", "red"]).expect(2);
    assert!(
        ran.stderr()
            .contains("hint: the files of pale have changed"),
        "{ran}"
    );
    assert!(!ran.stderr().contains("leave out"), "{ran}");
    fs_err::write(&manifest, before).unwrap();
    run(&["search", "red"]).expect(0);
    run(&["models", "remove", "pale"]).expect(0);
    let ran = run(&["search", "red"]).expect(2);
    let expected = "hint: its model, pale, is not on this machine any more: bring it back";
    assert!(ran.stderr().contains(expected), "{ran}");
}

#[test]
fn an_error_in_a_toml_file_is_one_line() {
    let env = TestEnv::indexed();
    env.colour_model("other", "0.9");
    let manifest = env.path("other/sightline.toml");
    fs_err::write(&manifest, "name = \"other\"\ndimension = = 3\n").unwrap();
    let ran = env.fail(["search", "red", "--model", "other"]);
    let error = ran.stderr().lines().next().unwrap();
    assert!(error.contains("other/sightline.toml: "), "{ran}");
    assert!(error.contains("line 2, column 13: "), "{ran}");
    assert!(
        !ran.stderr().contains("\\n") && !ran.stderr().contains(" | "),
        "{ran}"
    );
}

#[test]
fn a_value_that_begins_with_a_dash_gets_a_tip_that_works() {
    let env = TestEnv::indexed();
    fs_err::rename(env.path("photos/red.png"), env.path("-rf.png")).unwrap();
    let ran = env.fail(["search", "--image", "-rf.png"]);
    assert!(ran.stderr().contains("'--image=-rf.png'"), "{ran}");
    env.succeed(["search", "--image=-rf.png"]);
}

#[test]
fn names_cannot_reorder_what_a_person_reads() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/ab\u{202e}gpj.png"), "red");
    env.write("photos/ab\u{202e}gpj.txt", "a \u{2066}caption\u{1b}[2J");
    env.write("photos/bad\u{202e}.png", "no");
    let indexed = env.succeed(["index", "photos"]);
    let found = env.succeed(["search", "red", "-k1"]);
    let failed = env.fail(["search", "--image", "x\u{202e}y"]);
    let refused = env.fail(["search", "--by", "\u{202e}\u{1b}[2J", "red"]);
    for ran in [&indexed, &found, &failed, &refused] {
        let shown = format!("{}{}", ran.stdout(), ran.stderr());
        assert!(shown.contains("\\u{202e}"), "{ran}");
        assert!(!shown.contains(['\u{202e}', '\u{2066}', '\u{1b}']), "{ran}");
    }
    // Programs get the names as they are.
    assert_eq!(env.found(["red"]), ["photos/ab\u{202e}gpj.png"]);
}

#[test]
fn captions_in_every_script_are_shown_as_they_are() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    let caption = "ឆ្កែ\u{200b}ក្រហម 👩\u{200d}🚀";
    env.write("photos/red.txt", caption);
    env.succeed(["index", "photos"]);
    for command in [["search", "red"], ["captions", "photos/red.png"]] {
        let ran = env.succeed(command);
        assert!(ran.stdout().contains(caption), "{ran}");
    }
}

#[test]
fn control_characters_in_error_messages_are_escaped() {
    let env = TestEnv::new();
    let ran = env.fail(["index", "red\u{1b}[31m"]);
    assert!(!ran.stderr().contains('\u{1b}'), "{:?}", ran.stderr());
    assert!(
        ran.stderr().contains("red\\u{1b}[31m"),
        "{:?}",
        ran.stderr()
    );
}

/// The limit is reached in the records, and with some more files in the word index.
#[test]
fn a_lack_of_file_handles_is_an_error_with_a_hint() {
    let env = TestEnv::indexed();
    env.succeed(["compact"]);
    let (mut n_records, mut n_words, mut is_enough) = (0, 0, false);
    for n in 6..40 {
        let script = format!("ulimit -n {n}; exec \"$0\" check");
        let ran = env.program("sh", ["-c", &script, PROGRAM]).run();
        if ran.stdout().starts_with("no problems") {
            is_enough = true;
            break;
        }
        let stderr = ran.stderr();
        assert!(stderr.contains("Too many open files"), "{n} files: {ran}");
        let hint = "\nhint: raise the limit on open files, e.g. `ulimit -n 1024`\n";
        assert!(stderr.ends_with(hint), "{n} files: {ran}");
        n_records += usize::from(stderr.contains("the records of the index"));
        n_words += usize::from(stderr.contains("the word index"));
    }
    assert!(
        is_enough && n_records > 0 && n_words > 0,
        "{n_records} {n_words}"
    );
}
