//! `sightline index`: added, changed, moved, removed and ignored files, and captions.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::corpus::{self, COLOURS};
use crate::support::{TestEnv, hits, snapshot};

/// The nonzero counts of a report, as words.
fn summary(report: &Value) -> String {
    let keys = [
        "seen",
        "added",
        "changed",
        "unchanged",
        "moved",
        "copies",
        "removed",
        "captions_added",
        "captions_removed",
    ];
    let count = |key: &str| {
        report[key]
            .as_u64()
            .unwrap_or_else(|| panic!("no count {key} in {report:#}"))
    };
    let lists = ["skipped", "held_back"].map(|key| (key, report[key].as_array().unwrap().len()));
    let counts = keys.map(|key| (key, usize::try_from(count(key)).unwrap()));
    let counts = counts.into_iter().chain(lists).filter(|(_, n)| *n > 0);
    counts
        .map(|(key, n)| format!("{n} {key}"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn rename(env: &TestEnv, from: &str, to: &str) {
    let to = env.path(to);
    fs_err::create_dir_all(to.parent().unwrap()).unwrap();
    fs_err::rename(env.path(from), to).unwrap();
}

#[test]
fn unchanged_files_are_not_encoded_again() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    assert_eq!(summary(&env.index_photos()), "8 seen, 8 added");
    // Without ONNX Runtime, any attempt to encode would fail.
    let again = env
        .sightline(["index", "photos", "--json"])
        .env("ORT_DYLIB_PATH", "/nowhere.so");
    assert_eq!(
        summary(&again.run().expect(0).json()),
        "8 seen, 8 unchanged"
    );
    assert_eq!(env.counts(), [8, 8, 0]);
}

#[test]
fn reread_reads_all_files_and_encodes_none_that_is_unchanged() {
    let env = TestEnv::indexed();
    let again = |arguments: &[&str]| {
        let ran = env.sightline(["index", "photos"]).args(arguments);
        // Without ONNX Runtime, any attempt to encode would fail.
        ran.env("ORT_DYLIB_PATH", "/nowhere.so").run().expect(0)
    };
    let report = again(&["--reread", "--json"]).json();
    assert_eq!(
        (&report["unchanged"], &report["reread"]),
        (&json!(8), &json!(8))
    );
    let report = again(&["--json"]).json();
    assert_eq!(
        (&report["unchanged"], &report["reread"]),
        (&json!(8), &json!(0))
    );
    let said = again(&["--reread"]);
    assert!(
        said.stderr()
            .ends_with(": 8 unchanged, 8 of them read again\n"),
        "{said}"
    );
}

#[test]
fn an_emptied_folder_that_had_many_pictures_is_held_back_like_a_disk_that_is_not_mounted() {
    let env = TestEnv::new();
    corpus::numbered(&env.path("photos/disk"), 12);
    corpus::plain(&env.path("photos/few/red.png"), "red");
    corpus::plain(&env.path("photos/own.png"), "blue");
    env.index_photos();
    // The mount point is there, the disk is not.
    rename(&env, "photos/disk", "aside");
    fs_err::create_dir(env.path("photos/disk")).unwrap();
    // A few missing pictures count as deleted.
    fs_err::remove_file(env.path("photos/few/red.png")).unwrap();
    let said = env.succeed(["index", "photos"]);
    let expected = "no pictures in photos/disk, but 12 in the index: nothing was removed\n";
    assert!(said.stderr().contains(expected), "{said}");
    assert!(said.stderr().contains("`--prune`"), "{said}");
    assert_eq!(env.counts(), [13, 13, 0]);
    let report = env.index_photos();
    let folder = env.path("photos/disk");
    assert_eq!(
        report["held_back"],
        json!([{ "path": folder, "files": 12 }])
    );
    // Mounted again, nothing is encoded.
    fs_err::remove_dir(&folder).unwrap();
    rename(&env, "aside", "photos/disk");
    assert_eq!(summary(&env.index_photos()), "13 seen, 13 unchanged");
    // Sorted into another folder: moved, not lost.
    rename(&env, "photos/disk", "photos/sorted");
    fs_err::create_dir(&folder).unwrap();
    assert_eq!(
        summary(&env.index_photos()),
        "13 seen, 1 unchanged, 12 moved"
    );
    // Deleted with its folder.
    fs_err::remove_dir_all(env.path("photos/sorted")).unwrap();
    assert_eq!(
        summary(&env.index_photos()),
        "1 seen, 1 unchanged, 12 removed"
    );
    // Really emptied.
    corpus::numbered(&folder, 12);
    env.index_photos();
    fs_err::remove_dir_all(&folder).unwrap();
    fs_err::create_dir(&folder).unwrap();
    assert_eq!(
        summary(&env.index_photos()),
        "1 seen, 1 unchanged, 1 held_back"
    );
    let pruned = env.succeed(["index", "photos", "--prune", "--json"]).json();
    assert_eq!(summary(&pruned), "1 seen, 1 unchanged, 12 removed");
}

#[test]
fn the_report_lists_counts_and_skipped_files() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env.write("photos/red.txt", "the sun goes down\nan apple\n");
    env.write("photos/notes.png", "not a picture at all");
    snapshot!(env, env.sightline(["index", "photos"]).run(), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    skipped photos/notes.png: this is not a picture
    9 picture files in [TIME]: 8 added, 1 skipped, 2 captions added
    ");
    snapshot!(env, env.sightline(["index", "photos"]).run(), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    skipped photos/notes.png: this is not a picture
    9 picture files in [TIME]: 8 unchanged, 1 skipped
    ");
    snapshot!(env, env.sightline(["index", "photos", "--quiet"]).run(), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    ");
}

#[test]
fn the_json_report_has_every_field() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    env.write("photos/bad.png", "no");
    let mut report = env.index_photos();
    for key in ["seconds", "images_per_second"] {
        assert!(report[key].as_f64().unwrap() > 0.0, "{key} in {report:#}");
        report.as_object_mut().unwrap().remove(key);
    }
    let expected = serde_json::json!({
        "seen": 2, "added": 1, "changed": 0, "unchanged": 0, "reread": 0,
        "moved": 0, "copies": 0, "removed": 0, "captions_added": 0, "captions_removed": 0,
        "captions_cut": 0, "captions_skipped": 0, "unused_texts": [],
        "skipped": [{ "path": env.path("photos/bad.png"), "reason": "this is not a picture" }],
        "held_back": [], "interrupted": false, "batch_size": null, "model_change": null,
        "postponed": [], "tagged": null,
    });
    let starved = report.as_object_mut().unwrap().remove("starved").unwrap();
    assert!(
        (0.0..=1.0).contains(&starved.as_f64().unwrap()),
        "{starved}"
    );
    assert_eq!(report, expected);
}

#[test]
fn a_changed_picture_is_found_by_its_new_content() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env.index_photos();
    corpus::save(
        &env.path("photos/red.png"),
        &corpus::halves("cyan", "white"),
    );
    // Now identical to another file of the index.
    corpus::plain(&env.path("photos/green.png"), "pink");
    assert_eq!(
        summary(&env.index_photos()),
        "8 seen, 2 changed, 6 unchanged"
    );
    assert_eq!(env.counts(), [7, 8, 0]);
    corpus::save(&env.path("query.png"), &corpus::halves("cyan", "white"));
    assert_eq!(
        env.found(["--image", "query.png", "-k1"]),
        ["photos/red.png"]
    );
    let answer = env
        .sightline(["search", "pink", "--by", "meaning", "-k1", "--json"])
        .run();
    let hit = &answer.expect(0).json()["hits"][0];
    assert_eq!(hit["path"], env.path("photos/green.png").to_str().unwrap());
    assert_eq!(
        hit["other_paths"][0]["path"],
        env.path("photos/pink.png").to_str().unwrap()
    );
}

#[test]
fn a_new_modification_time_alone_changes_nothing() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env.index_photos();
    let file = fs_err::OpenOptions::new()
        .append(true)
        .open(env.path("photos/red.png"))
        .unwrap();
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_hours(24);
    file.file().set_modified(long_ago).unwrap();
    let run = || {
        env.sightline(["index", "photos", "--json"])
            .env("ORT_DYLIB_PATH", "/nowhere.so")
    };
    assert_eq!(
        summary(&run().run().expect(0).json()),
        "8 seen, 8 unchanged"
    );
    assert_eq!(
        summary(&run().run().expect(0).json()),
        "8 seen, 8 unchanged"
    );
}

#[test]
fn moved_copied_and_removed_files_are_not_encoded() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env.index_photos();
    let catch_up = || {
        let run = env
            .sightline(["index", "photos", "--json"])
            .env("ORT_DYLIB_PATH", "/nowhere.so");
        summary(&run.run().expect(0).json())
    };

    rename(&env, "photos/red.png", "photos/warm/crimson.png");
    rename(&env, "photos/yellow.png", "photos/warm/yellow.png");
    assert_eq!(catch_up(), "8 seen, 6 unchanged, 2 moved");
    assert_eq!(
        env.found(["red", "--by", "meaning", "-k1"]),
        ["photos/warm/crimson.png"]
    );

    fs_err::copy(
        env.path("photos/blue.png"),
        env.path("photos/warm/cold.png"),
    )
    .unwrap();
    assert_eq!(catch_up(), "9 seen, 8 unchanged, 1 copies");
    assert_eq!(env.counts(), [8, 9, 0]);

    fs_err::remove_file(env.path("photos/blue.png")).unwrap();
    assert_eq!(catch_up(), "8 seen, 8 unchanged, 1 removed");
    assert_eq!(env.counts(), [8, 8, 0]);
    assert_eq!(
        env.found(["blue", "--by", "meaning", "-k1"]),
        ["photos/warm/cold.png"]
    );

    fs_err::remove_file(env.path("photos/warm/cold.png")).unwrap();
    fs_err::remove_dir_all(env.path("photos/warm")).unwrap();
    assert_eq!(catch_up(), "5 seen, 5 unchanged, 3 removed");
    assert_eq!(env.counts(), [5, 5, 0]);
    assert_eq!(env.found(["blue", "--by", "meaning"]).len(), 5);
}

#[test]
fn identical_files_are_one_picture() {
    let env = TestEnv::new();
    for copy in 0..20 {
        corpus::plain(&env.path(format!("photos/{copy}/red.png")), "red");
    }
    corpus::plain(&env.path("photos/blue.png"), "blue");
    assert_eq!(summary(&env.index_photos()), "21 seen, 2 added, 19 copies");
    assert_eq!(env.counts(), [2, 21, 0]);
}

#[test]
fn files_that_swap_names_are_found_under_their_new_names() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env.write("photos/red.txt", "an apple");
    env.index_photos();
    // A cycle of four: each rename leaves one content without a file for a moment.
    rename(&env, "photos/red.png", "photos/keep.png");
    rename(&env, "photos/green.png", "photos/red.png");
    rename(&env, "photos/blue.png", "photos/green.png");
    rename(&env, "photos/yellow.png", "photos/blue.png");
    rename(&env, "photos/keep.png", "photos/yellow.png");
    assert_eq!(
        summary(&env.index_photos()),
        "8 seen, 4 changed, 4 unchanged, 1 captions_added, 1 captions_removed"
    );
    assert_eq!(env.counts(), [8, 8, 1]);
    let mut n_found = 0;
    for (shown, file) in [
        ("red", "yellow"),
        ("green", "red"),
        ("blue", "green"),
        ("yellow", "blue"),
    ] {
        let expected = format!("photos/{file}.png");
        assert_eq!(env.found([shown, "--by", "meaning", "-k1"]), [expected]);
        n_found += 1;
    }
    assert_eq!(n_found, 4);
    assert_eq!(env.found(["apple", "--by", "words"]), ["photos/red.png"]);
    assert_eq!(summary(&env.index_photos()), "8 seen, 8 unchanged");
}

#[test]
fn a_file_renamed_over_another_replaces_it() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env.index_photos();
    rename(&env, "photos/red.png", "photos/green.png");
    assert_eq!(
        summary(&env.index_photos()),
        "7 seen, 1 changed, 6 unchanged, 1 removed"
    );
    assert_eq!(env.counts(), [7, 7, 0]);
    assert_eq!(
        env.found(["red", "--by", "meaning", "-k1"]),
        ["photos/green.png"]
    );
}

#[test]
fn a_picture_that_became_unreadable_is_removed() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env.index_photos();
    env.write("photos/red.png", "overwritten");
    assert_eq!(
        summary(&env.index_photos()),
        "8 seen, 7 unchanged, 1 skipped"
    );
    assert_eq!(env.counts(), [7, 7, 0]);
}

#[test]
fn text_files_beside_pictures_are_their_captions() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env.write(
        "photos/red.txt",
        "\u{feff}an apple\r\n\r\n  a fire engine \r\n",
    );
    env.write("photos/green.png.txt", "a frog\n");
    env.write("photos/alone.txt", "of no picture\n");
    assert_eq!(
        summary(&env.index_photos()),
        "8 seen, 8 added, 3 captions_added"
    );
    assert_eq!(
        env.found(["fire engine", "--by", "words"]),
        ["photos/red.png"]
    );
    assert_eq!(summary(&env.index_photos()), "8 seen, 8 unchanged");

    env.write("photos/red.txt", "an apple\na tomato\n");
    assert_eq!(
        summary(&env.index_photos()),
        "8 seen, 8 unchanged, 1 captions_added, 1 captions_removed"
    );
    env.sightline(["search", "engine", "--by", "words"])
        .run()
        .expect(1);
    assert_eq!(env.found(["tomato", "--by", "words"]), ["photos/red.png"]);

    fs_err::remove_file(env.path("photos/green.png.txt")).unwrap();
    assert_eq!(
        summary(&env.index_photos()),
        "8 seen, 8 unchanged, 1 captions_removed"
    );
    env.sightline(["search", "frog", "--by", "words"])
        .run()
        .expect(1);

    // A picture moved together with its text file.
    rename(&env, "photos/red.png", "photos/fruit/red.png");
    rename(&env, "photos/red.txt", "photos/fruit/red.txt");
    env.index_photos();
    assert_eq!(env.counts(), [8, 8, 2]);
    assert_eq!(
        env.found(["tomato", "--by", "words"]),
        ["photos/fruit/red.png"]
    );

    // Removing the picture removes its captions.
    fs_err::remove_file(env.path("photos/fruit/red.png")).unwrap();
    env.index_photos();
    assert_eq!(env.counts(), [7, 7, 0]);
}

#[test]
fn a_caption_file_that_is_not_utf8_is_skipped_and_its_picture_indexed() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    env.write("photos/red.txt", b"caf\xe9");
    let report = env.index_photos();
    assert_eq!(summary(&report), "1 seen, 1 added, 1 skipped");
    assert_eq!(
        report["skipped"][0]["path"],
        env.path("photos/red.txt").to_str().unwrap()
    );
    assert_eq!(report["skipped"][0]["reason"], "not UTF-8 text");
}

#[test]
fn json_lines_replace_the_captions_of_earlier_runs() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    let lines = |red: &str| {
        format!(
            "{{\"image\": \"red.png\", \"captions\": {red}}}\n\n\
             {{\"image\": \"green.png\", \"captions\": [\"a frog\"], \"licence\": \"CC0\"}}\n\
             {{\"image\": \"absent.png\", \"captions\": [\"a ghost\"]}}\n"
        )
    };
    let index = || {
        let run = env.sightline([
            "index",
            "photos",
            "--captions",
            "photos/words.jsonl",
            "--json",
        ]);
        run.run().expect(0).json()
    };
    env.write("photos/words.jsonl", lines(r#"["an apple", "a rose"]"#));
    let report = index();
    assert_eq!(
        summary(&report),
        "8 seen, 8 added, 3 captions_added, 1 skipped"
    );
    assert_eq!(
        report["skipped"][0]["path"],
        env.path("photos/absent.png").to_str().unwrap()
    );
    let reason = report["skipped"][0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("not in the index") && reason.contains("words.jsonl"),
        "{reason}"
    );
    assert_eq!(env.found(["frog", "--by", "words"]), ["photos/green.png"]);
    assert_eq!(summary(&index()), "8 seen, 8 unchanged, 1 skipped");

    env.write("photos/words.jsonl", lines(r#"["a rose"]"#));
    let report = index();
    assert_eq!(
        report["captions_added"].as_u64().unwrap() + 1,
        report["captions_removed"]
    );
    env.sightline(["search", "apple", "--by", "words"])
        .run()
        .expect(1);

    // Deleting a line removes its captions; runs without --captions keep them.
    env.write(
        "photos/words.jsonl",
        "{\"image\": \"red.png\", \"captions\": [\"a rose\"]}\n",
    );
    assert_eq!(summary(&index()), "8 seen, 8 unchanged, 1 captions_removed");
    env.sightline(["search", "frog", "--by", "words"])
        .run()
        .expect(1);
    assert_eq!(summary(&env.index_photos()), "8 seen, 8 unchanged");
    assert_eq!(env.counts(), [8, 8, 1]);
}

#[test]
fn lines_of_a_text_file_are_captions_without_pictures() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    env.index_photos();
    env.write("words.txt", "green\nred\nblue\n");
    let run = || {
        env.sightline(["index", "--captions", "words.txt", "--json"])
            .run()
    };
    assert_eq!(summary(&run().expect(0).json()), "3 captions_added");
    assert_eq!(summary(&run().expect(0).json()), "");
    assert_eq!(env.counts(), [1, 1, 3]);
    let ran = env.succeed(["captions", "photos/red.png", "-k1", "--json"]);
    assert_eq!(ran.json()["hits"][0]["text"], "red");
    env.write("words.txt", "green\n");
    run().expect(0);
    assert_eq!(env.counts(), [1, 1, 1]);
}

#[test]
fn hidden_system_and_ignored_files_are_not_indexed() {
    let env = TestEnv::new();
    let left_out = [
        "photos/.hidden.png",
        "photos/.thumbnails/a.png",
        "photos/@eaDir/a.png",
        "photos/node_modules/a.png",
        "photos/System Volume Information/a.png",
        "photos/$RECYCLE.BIN/a.png",
        "photos/__MACOSX/a.png",
        "photos/private/a.png",
        "photos/trip/draft-1.png",
        "photos/old/a.png",
    ];
    for path in left_out {
        corpus::plain(&env.path(path), "red");
    }
    let kept = ["photos/a.png", "photos/git/a.png", "photos/trip/a.png"];
    for path in kept {
        corpus::plain(&env.path(path), "red");
    }
    env.write(
        "photos/notes.md",
        "not a picture extension, so not reported as skipped",
    );
    env.write("photos/.sightlineignore", "private/\n");
    env.write("photos/trip/.sightlineignore", "draft-*\n");
    env.write("photos/.ignore", "old/\n");
    // .gitignore is not applied: photos are often kept out of repositories.
    env.write("photos/.gitignore", "git/\n");
    fs_err::create_dir(env.path("photos/.git")).unwrap();
    let report = env.index_photos();
    assert_eq!(summary(&report), "3 seen, 1 added, 2 copies");
    let answer = env.succeed(["search", "red", "--json"]).json();
    let mut found = vec![answer["hits"][0]["path"].as_str().unwrap().to_owned()];
    let others = answer["hits"][0]["other_paths"].as_array().unwrap();
    found.extend(
        others
            .iter()
            .map(|other| other["path"].as_str().unwrap().to_owned()),
    );
    found.sort();
    assert_eq!(
        found.iter().map(|path| env.shown(path)).collect::<Vec<_>>(),
        kept
    );

    // A rule added later removes files from the index.
    env.write("photos/.sightlineignore", "private/\ntrip/\n");
    assert_eq!(
        summary(&env.index_photos()),
        "2 seen, 2 unchanged, 1 removed"
    );
}

#[test]
fn symbolic_links_are_followed_and_loops_skipped() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    corpus::plain(&env.path("elsewhere/green.png"), "green");
    corpus::plain(&env.path("single/blue.png"), "blue");
    symlink(env.path("elsewhere"), env.path("photos/linked")).unwrap();
    symlink(env.path("single/blue.png"), env.path("photos/blue.png")).unwrap();
    symlink(env.path("photos"), env.path("photos/round")).unwrap();
    symlink(env.path("nowhere.png"), env.path("photos/dangling.png")).unwrap();
    let report = env.index_photos();
    assert_eq!(summary(&report), "3 seen, 3 added, 2 skipped");
    let skipped: Vec<_> = report["skipped"].as_array().unwrap().iter().collect();
    let of = |name: &str| {
        let entry = skipped
            .iter()
            .find(|entry| entry["path"].as_str().unwrap().ends_with(name));
        entry.unwrap_or_else(|| panic!("{name} in {report:#}"))["reason"]
            .as_str()
            .unwrap()
    };
    assert_eq!(of("/round"), "symbolic link to a folder above it");
    assert!(of("/dangling.png").contains("No such file"), "{report:#}");
    assert_eq!(
        summary(&env.index_photos()),
        "3 seen, 3 unchanged, 2 skipped"
    );
}

#[test]
fn a_run_changes_only_the_folders_it_was_given() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    corpus::plain(&env.path("photos/below/green.png"), "green");
    corpus::plain(&env.path("phone/blue.png"), "blue");
    let index = |folders: &[&str]| {
        let run = env.sightline(["index", "--json"]).args(folders).run();
        summary(&run.expect(0).json())
    };
    // A folder inside another one is not walked twice.
    assert_eq!(
        index(&["photos/below", "photos", "phone", "./photos/"]),
        "3 seen, 3 added"
    );
    // Files outside the given folder are kept.
    fs_err::remove_file(env.path("phone/blue.png")).unwrap();
    assert_eq!(index(&["photos"]), "2 seen, 2 unchanged");
    assert_eq!(env.counts(), [3, 3, 0]);
    fs_err::remove_file(env.path("photos/below/green.png")).unwrap();
    corpus::plain(&env.path("phone/white.png"), "white");
    assert_eq!(index(&["phone"]), "1 seen, 1 added, 1 removed");
    assert_eq!(env.counts(), [3, 3, 0]);
}

#[test]
fn nothing_is_removed_when_a_library_folder_is_suddenly_empty() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env.index_photos();
    rename(&env, "photos", "unmounted");
    fs_err::create_dir(env.path("photos")).unwrap();
    snapshot!(env, env.sightline(["index", "photos"]).run(), @r"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    no pictures in photos, but 8 in the index: nothing was removed

    hint: if they were deleted, and not on an unmounted disk, run again with `--prune`
    0 picture files in [TIME]: nothing to do
    ");
    assert_eq!(env.counts(), [8, 8, 0]);
    fs_err::remove_dir(env.path("photos")).unwrap();
    snapshot!(env, env.sightline(["index", "photos"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: photos: no such folder

    hint: the index keeps its 8 files from this folder; to remove them, run again with `--prune`
    ");
    assert_eq!(env.counts(), [8, 8, 0]);

    // Mounted again: nothing to encode.
    rename(&env, "unmounted", "photos");
    assert_eq!(summary(&env.index_photos()), "8 seen, 8 unchanged");

    // Deleted.
    fs_err::remove_dir_all(env.path("photos")).unwrap();
    snapshot!(env, env.sightline(["index", "photos", "--prune"]).run(), @r"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    0 picture files in [TIME]: 8 removed
    no pictures found in the given folders
    ");
    assert_eq!(env.counts(), [0, 0, 0]);
}

#[test]
fn prune_removes_the_files_of_an_empty_folder() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env.index_photos();
    fs_err::remove_dir_all(env.path("photos")).unwrap();
    fs_err::create_dir(env.path("photos")).unwrap();
    let ran = env
        .sightline(["index", "photos", "--prune", "--json"])
        .run();
    assert_eq!(summary(&ran.json()), "8 removed");
    assert_eq!(env.counts(), [0, 0, 0]);
}

#[test]
fn exif_orientation_is_applied() {
    let env = TestEnv::new();
    // As stored by the camera: red on the left, blue on the right, 48 × 32.
    let sensor = corpus::halves("red", "blue");
    // The upright picture for each orientation (TIFF 6.0, tag 0x0112).
    let upright = [
        image::imageops::rotate90(&sensor),
        image::imageops::rotate180(&sensor),
        image::imageops::rotate270(&sensor),
    ];
    for (orientation, expected) in [6, 3, 8].into_iter().zip(&upright) {
        let jpeg = corpus::jpeg_with_orientation(&sensor, orientation);
        env.write(format!("photos/{orientation}.jpg"), jpeg);
        corpus::save(&env.path(format!("upright/{orientation}.png")), expected);
    }
    assert_eq!(summary(&env.index_photos()), "3 seen, 3 added");
    let mut n_checked = 0;
    for (orientation, expected) in [6, 3, 8].into_iter().zip(&upright) {
        let query = format!("upright/{orientation}.png");
        let answer = env.succeed(["search", "--image", &query, "--json"]).json();
        let (name, similarity) = hits(&answer).swap_remove(0);
        assert_eq!(name, format!("{orientation}.jpg"));
        assert!(similarity > 0.999, "{similarity}");
        let size = [&answer["hits"][0]["width"], &answer["hits"][0]["height"]];
        assert_eq!(size, [expected.width(), expected.height()]);
        n_checked += 1;
    }
    assert_eq!(n_checked, 3);
}

#[test]
fn common_formats_are_read() {
    let env = TestEnv::new();
    let formats = [
        "bmp", "gif", "ico", "jpg", "png", "ppm", "qoi", "tga", "tiff", "webp",
    ];
    for (format, (name, _)) in formats.iter().zip(COLOURS.iter().cycle()) {
        corpus::plain(&env.path(format!("photos/{format}/{name}.{format}")), name);
    }
    corpus::plain(&env.path("photos/loud/RED.JPEG.png"), "red");
    rename(&env, "photos/loud/RED.JPEG.png", "photos/loud/RED.PNG");
    let report = env.index_photos();
    assert_eq!(report["skipped"].as_array().unwrap().len(), 0, "{report:#}");
    assert_eq!(report["seen"], formats.len() + 1);
    assert_eq!(env.counts()[1], formats.len() as u64 + 1);
}

#[test]
fn the_index_is_in_the_data_folder_by_default() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    env.sightline(["index", "photos"])
        .default_index()
        .run()
        .expect(0);
    assert!(env.path("data/sightline/index").is_dir());
    assert!(!env.index().exists());
    // The option takes precedence over the environment.
    env.succeed(["index", "photos", "--index", "mine"]);
    assert!(env.path("mine").is_dir() && !env.index().exists());
    env.succeed(["status", "--index", "mine"]);
    env.fail(["status"]);
}
