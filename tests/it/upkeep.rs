//! `sightline check`, `compact` and `remove`: maintenance of an index.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sightline_index::{
    Binding, FileRecord, IndexReader, IndexWriter, Library, Problem, UnitVector,
};

use crate::support::{TestEnv, corpus, snapshot};

/// Index of eight pictures, one with two files, and captions from a text file and two lists.
fn indexed() -> TestEnv {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    corpus::plain(&env.path("photos/again/red.png"), "red");
    env.write("photos/again/red.txt", "an apple\n");
    env.write(
        "photos/captions.jsonl",
        "{\"image\": \"green.png\", \"captions\": [\"grass\", \"a frog\"]}\n",
    );
    env.write("words.txt", "sky\nsea\n");
    env.succeed([
        "index",
        "photos",
        "--captions",
        "photos/captions.jsonl",
        "--captions",
        "words.txt",
    ]);
    env
}

/// The table file with the vectors: the largest one.
fn table_of_vectors(env: &TestEnv) -> PathBuf {
    fs_err::read_dir(env.index().join("records"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sst"))
        .max_by_key(|path| fs_err::metadata(path).unwrap().len())
        .unwrap()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs_err::read(path).unwrap();
    bytes[at] ^= 0x40;
    fs_err::write(path, bytes).unwrap();
}

#[test]
fn checking_a_sound_index_changes_nothing() {
    let env = indexed();
    let ran = env.succeed(["check"]);
    let line = "no problems: 8 pictures, 9 files, 5 captions, generation ";
    assert!(ran.stdout().starts_with(line), "{ran}");
    assert_eq!(ran.stderr(), "");
    let report = env.succeed(["check", "--json"]).json();
    assert_eq!(report["sound"], true);
    assert_eq!(report["problems"].as_array().unwrap().len(), 0);
    assert!(report["repair"].is_null());
    let status = || {
        let mut status = env.status();
        // It counts the lock file, which holds the process number of the last writer.
        assert!(status["bytes_on_disk"].take().as_u64() > status["sizes"]["records"].as_u64());
        status
    };
    let before = status();
    let ran = env.succeed(["check", "--repair"]);
    assert!(ran.stdout().starts_with(line), "{ran}");
    assert_eq!(status(), before, "a sound index is not changed");
}

#[test]
fn maintenance_commands_need_an_index() {
    let env = TestEnv::new();
    for command in [
        &["check"][..],
        &["check", "--repair"],
        &["compact"],
        &["remove", "a.jpg"],
        &["export", "out"],
    ] {
        let ran = env.fail(command);
        assert_eq!(ran.stdout(), "");
        let message = "there is no index here\n\nhint: index a folder first";
        assert!(ran.stderr().contains(message), "{command:?}: {ran}");
        assert!(!env.index().exists() && !env.path("out").exists());
    }
}

#[test]
fn derived_data_is_repaired_without_loss() {
    let env = indexed();
    fs_err::write(env.index().join("words/meta.json"), "{").unwrap();
    fs_err::remove_file(env.index().join("manifest.json")).unwrap();
    let ran = env.fail(["status"]);
    let index = env.index();
    let index = index.display();
    let hint = format!(
        "hint: list the damage with `sightline check --index {index}`, repair it with `sightline \
         check --repair --index {index}`"
    );
    assert!(ran.stderr().contains(&hint), "{ran}");
    snapshot!(env, env.sightline(["check"]).run(), @r"
    exit code: 2
    ----- stdout -----
    the manifest: it is missing
    the word index: its file meta.json is damaged: Meta file cannot be deserialized

    ----- stderr -----
    error: index: the index is damaged

    hint: repair it with `sightline check --repair --index [ROOT]/index`
    ");
    let report = env.fail(["check", "--json"]).json();
    assert_eq!(report["sound"], false);
    assert_eq!(report["problems"][0]["about"], "manifest");
    assert_eq!(report["problems"][1]["about"], "words");
    snapshot!(env, env.sightline(["check", "--repair"]).run(), @r"
    exit code: 0
    ----- stdout -----
    the manifest: it is missing
    the word index: its file meta.json is damaged: Meta file cannot be deserialized
    all problems were repaired

    ----- stderr -----
    ");
    env.succeed(["check"]);
    assert_eq!(env.counts(), [8, 9, 5]);
    assert_eq!(env.found(["grass", "--by", "words"]), ["photos/green.png"]);
}

/// What a hint says to type acts on the same index as the command before.
#[test]
fn hints_name_the_index_unless_it_is_the_default_one() {
    let env = indexed();
    let default = env.path("data/sightline/index");
    fs_err::create_dir_all(default.parent().unwrap()).unwrap();
    for (index, named) in [
        ("dm", " --index dm"),
        ("my index", " --index 'my index'"),
        ("it's", r" --index 'it'\''s'"),
        (default.to_str().unwrap(), ""),
    ] {
        fs_err::rename(env.index(), env.path(index)).unwrap();
        let run = |arguments: &[&str]| {
            let command = env.sightline(arguments.iter().copied()).default_index();
            match named {
                "" => command.run(),
                _ => command.args(["--index", index]).run(),
            }
        };
        let meta = env.path(index).join("words/meta.json");
        let sound = fs_err::read(&meta).unwrap();
        fs_err::write(&meta, "{").unwrap();
        let ran = run(&["check"]).expect(2);
        let hint = format!("repair it with `sightline check --repair{named}`\n");
        assert!(ran.stderr().contains(&hint), "{ran}");
        fs_err::write(&meta, sound).unwrap();
        let damaged = env.path(index).join("damaged-1");
        fs_err::create_dir(&damaged).unwrap();
        fs_err::write(damaged.join("a"), "a").unwrap();
        let command = format!("`sightline check --discard-damaged{named}`");
        let ran = run(&["check"]).expect(0);
        assert!(ran.stderr().contains(&command), "{ran}");
        let ran = run(&["status"]).expect(0);
        assert!(ran.stdout().contains(&command), "{ran}");
        let ran = run(&["search", "", "--by", "words"]).expect(2);
        let hint = format!("`sightline search \"a dog on the beach\"{named}`");
        assert!(ran.stderr().contains(&hint), "{ran}");
        fs_err::remove_dir_all(&damaged).unwrap();
        fs_err::rename(env.path(index), env.index()).unwrap();
    }
}

#[test]
fn a_missing_file_of_the_word_index_is_named() {
    let env = indexed();
    fs_err::remove_file(env.index().join("words/meta.json")).unwrap();
    let ran = env.fail(["check"]);
    let line = "the word index: its file meta.json is missing\n";
    assert_eq!(ran.stdout(), line, "{ran}");
}

#[test]
fn lost_pictures_are_listed_and_can_be_indexed_again() {
    let env = TestEnv::new();
    corpus::numbered(&env.path("photos"), 400);
    env.index_photos();
    // Without this, the pictures would still be in the log.
    env.succeed(["compact"]);
    let table = table_of_vectors(&env);
    flip(&table, 100);
    let image = ["search", "--image", "photos/0000.png"];
    for command in [
        &image[..],
        &["search", "red", "--by", "meaning"],
        &["check"],
    ] {
        let ran = env.fail(command);
        let hint = "sightline check --repair";
        assert!(ran.stderr().contains(hint), "{ran}");
    }
    let ran = env.fail(["check"]);
    let name = table.file_name().unwrap().to_str().unwrap();
    assert!(ran.stdout().starts_with("the records: Corruption"), "{ran}");
    assert!(ran.stdout().contains(name), "{ran}");
    assert_eq!(ran.stdout().lines().count(), 1, "{ran}");

    let ran = env.succeed(["check", "--repair", "--json"]);
    let report = ran.json();
    assert_eq!(report["sound"], true);
    assert_eq!(report["problems"][0]["about"], "records");
    let lost = &report["repair"]["lost"];
    let n_lost = lost["images"].as_u64().unwrap();
    assert!((20..400).contains(&n_lost), "{report}");
    let files = lost["files"].as_array().unwrap();
    assert_eq!(files.len() as u64, n_lost, "every lost picture is listed");
    assert!(ran.stderr().contains("sightline index"), "{ran}");
    let kept = report["repair"]["kept"]["path"].as_str().unwrap();
    assert!(Path::new(kept).is_dir());
    assert_eq!(report["damaged"][0]["path"], kept);
    let ran = env.succeed(["check"]);
    let note = "the damaged data before a repair are kept in index/damaged-1 (";
    let hint = "delete them with `sightline check --discard-damaged --index ";
    assert!(
        ran.stderr().contains(note) && ran.stderr().contains(hint),
        "{ran}"
    );
    assert_eq!(env.status()["damaged"][0]["path"], kept);
    let ran = env.succeed(["status"]);
    assert!(
        ran.stdout().contains("sightline check --discard-damaged"),
        "{ran}"
    );
    assert_eq!(env.counts(), [400 - n_lost, 400 - n_lost, 0]);
    for file in files {
        let path = file["path"].as_str().unwrap();
        let name = Path::new(path).file_stem().unwrap().to_str().unwrap();
        env.sightline(["search", name, "--by", "words"])
            .run()
            .expect(1);
    }
    let report = env.index_photos();
    assert_eq!(report["added"], n_lost);
    assert_eq!(env.counts(), [400, 400, 0]);
    let ran = env.succeed(["check", "--discard-damaged", "--json"]).json();
    assert_eq!(ran["discarded"][0]["path"], kept);
    assert_eq!(ran["damaged"].as_array().unwrap().len(), 0);
    assert!(!Path::new(kept).exists());
    assert_eq!(env.succeed(["check"]).stderr(), "");
}

#[test]
fn damaged_data_are_not_discarded_while_the_index_is_damaged() {
    let env = indexed();
    fs_err::create_dir(env.index().join("damaged-1")).unwrap();
    fs_err::write(env.index().join("damaged-1/a"), "a").unwrap();
    fs_err::write(env.index().join("words/meta.json"), "{").unwrap();
    let ran = env.fail(["check", "--discard-damaged"]);
    assert!(ran.stderr().contains("sightline check --repair"), "{ran}");
    let hint = "they are kept until the index is sound";
    assert!(
        ran.stderr().contains(hint) && !ran.stderr().contains("--discard-damaged"),
        "{ran}"
    );
    let ran = env.succeed(["check", "--repair"]);
    assert!(
        ran.stderr().contains("--discard-damaged") && !ran.stderr().contains(hint),
        "{ran}"
    );
    assert!(env.index().join("damaged-1/a").exists());
    let ran = env.succeed(["check", "--discard-damaged"]);
    assert!(
        ran.stdout().ends_with("deleted index/damaged-1 (1 B)\n"),
        "{ran}"
    );
    assert!(!env.index().join("damaged-1").exists());
}

#[test]
fn compacting_changes_no_hits() {
    let env = TestEnv::new();
    corpus::numbered(&env.path("photos"), 300);
    env.index_photos();
    for number in 0..200 {
        fs_err::remove_file(env.path(format!("photos/{number:04}.png"))).unwrap();
    }
    env.index_photos();
    let search = ["search", "--image", "photos/0250.png", "--json", "-k5"];
    let answer = |env: &TestEnv| env.succeed(search).json()["hits"].clone();
    let before = answer(&env);
    let ran = env.succeed(["compact", "--json"]);
    let report = ran.json();
    let bytes = |key: &str| report[key].as_u64().unwrap();
    assert!(bytes("bytes_after") < bytes("bytes_before"), "{ran}");
    assert!(ran.stderr().contains("compacted from "), "{ran}");
    assert_eq!(answer(&env), before);
    assert_eq!(env.counts(), [100, 100, 0]);
    env.succeed(["check"]);
    let ran = env.succeed(["compact", "-q"]);
    assert_eq!((ran.stdout(), ran.stderr()), ("", ""));
}

#[test]
fn files_folders_and_caption_lists_can_be_removed() {
    let env = indexed();
    // One of two identical files: the picture is kept, the caption beside that file removed.
    snapshot!(env, env.sightline(["remove", "photos/again/red.png"]).run(), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    removed 1 file (0 pictures) and 1 caption
    ");
    assert_eq!(env.counts(), [8, 8, 4]);
    assert!(
        env.path("photos/again/red.png").exists(),
        "the file itself is kept"
    );
    let library = &env.status()["libraries"][0];
    assert_eq!(library["files"], 8);
    // A caption list.
    let ran = env.succeed(["remove", "words.txt", "-q"]);
    assert_eq!((ran.stdout(), ran.stderr()), ("", ""));
    assert_eq!(env.counts(), [8, 8, 2]);
    // A file deleted from disk, by a path that is not normalised, and one that never existed.
    fs_err::remove_file(env.path("photos/green.png")).unwrap();
    let ran = env
        .sightline([
            "remove",
            "photos/../photos/./green.png",
            "nothing.png",
            "--json",
        ])
        .run()
        .expect(1);
    let report = ran.json();
    assert_eq!(
        (&report["files"], &report["images"], &report["captions"]),
        (&1.into(), &1.into(), &2.into())
    );
    assert_eq!(report["unknown"][0]["path"], "nothing.png");
    assert!(ran.stderr().contains("nothing.png: not in the index"));
    assert_eq!(env.counts(), [7, 7, 0]);
    // The whole library, which is then no longer listed.
    let report = env.succeed(["remove", "photos", "--json"]).json();
    assert_eq!(report["files"], 7);
    assert_eq!(
        report["libraries"][0]["path"],
        env.path("photos").to_str().unwrap()
    );
    env.sightline(["status"]).run().expect(1);
    assert_eq!(env.status()["libraries"].as_array().unwrap().len(), 0);
    env.succeed(["check"]);
    let ran = env.sightline(["remove", "photos"]).run().expect(1);
    assert!(
        ran.stderr().starts_with("photos: not in the index"),
        "{ran}"
    );
    // Indexing adds the files again.
    assert_eq!(env.index_photos()["added"], 7);
}

#[test]
fn many_paths_are_removed_at_once_and_their_libraries_counted() {
    let env = TestEnv::new();
    corpus::numbered(&env.path("photos"), 120);
    for number in 0..4 {
        let name = format!("photos/inner/\u{e9}{number}.png");
        env.write(name, corpus::one_numbered(200 + number));
    }
    // The inner folder first, so that it is a library folder, too.
    env.succeed(["index", "photos/inner"]);
    env.index_photos();
    let counted = || {
        let status = env.status();
        let libraries = status["libraries"].as_array().unwrap().iter();
        let counted = libraries.map(|library| library["files"].as_u64().unwrap());
        counted.collect::<Vec<_>>()
    };
    assert_eq!(counted(), [124, 4]);
    // Three by another spelling; the first of them twice, so that the second is missing.
    let names = (0..100).map(|number| format!("photos/{number:04}.png"));
    let spelled = |number| format!("photos/inner/e\u{301}{number}.png");
    let missing = ["photos/none.png", "photos/e\u{301}.png"].map(str::to_owned);
    let names = names.chain((0..3).map(spelled));
    let names = names.chain(missing.clone()).chain([spelled(0)]);
    let ran = env
        .sightline(["remove", "--json"])
        .args(names)
        .run()
        .expect(1);
    let report = ran.json();
    assert_eq!(
        (&report["files"], &report["images"]),
        (&103.into(), &103.into())
    );
    let unknown = report["unknown"].as_array().unwrap().iter();
    let unknown: Vec<&str> = unknown.filter_map(|path| path["path"].as_str()).collect();
    assert_eq!(unknown, [&missing[0], &missing[1], &spelled(0)]);
    assert_eq!(counted(), [21, 1]);
    env.succeed(["check"]);
}

#[test]
fn a_linked_library_is_removed_by_either_name() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("real/photos"));
    std::os::unix::fs::symlink(env.path("real"), env.path("link")).unwrap();
    for name in ["link/photos", "real/photos"] {
        env.succeed(["index", "link/photos"]);
        assert_eq!(env.counts(), [8, 8, 0]);
        env.succeed(["remove", &format!("{name}/red.png")]);
        assert_eq!(env.counts(), [7, 7, 0]);
        env.succeed(["remove", name]);
        assert_eq!(env.counts(), [0, 0, 0]);
    }
}

/// Files, and captions without a picture, of a library that is removed while it is killed.
const N_REMOVED: u32 = 45_000;

/// An index of two libraries: `library` with `N_REMOVED` files, and `other` with ten.
fn put_two_libraries(index: &Path, library: &Path, other: &Path) {
    let binding = Binding {
        dimension: 4,
        fingerprint: "none".to_owned(),
        model: "none".to_owned(),
    };
    let unit = |angle: f32| UnitVector::new(vec![angle.cos(), angle.sin(), 0.0, 0.0]).unwrap();
    let mut writer = IndexWriter::open_or_create(index, &binding).unwrap();
    for folder in [library, other] {
        let folder = folder.to_owned();
        let (n_files, last_run_unix_s) = (u64::from(N_REMOVED), 1);
        writer
            .put_library(Library {
                folder,
                n_files,
                last_run_unix_s,
            })
            .unwrap();
    }
    for number in 0..N_REMOVED + 10 {
        let folder = if number < N_REMOVED { library } else { other };
        let mut hash = [7; 32];
        hash[..4].copy_from_slice(&number.to_le_bytes());
        let image = writer.put_image(hash, 2, 2, unit(number as f32)).unwrap();
        let record = FileRecord {
            n_bytes: 1,
            modified_ns: 1,
            image,
            change: None,
        };
        writer
            .put_file(&folder.join(format!("{number}.jpg")), record)
            .unwrap();
        let source = folder.join(format!("{number}.txt"));
        if number % 9 == 0 {
            let caption = (format!("number {number}"), unit(0.5));
            writer
                .set_captions(Some(image), &source, vec![caption])
                .unwrap();
        }
    }
    let list = |folder: &Path, n: u32| {
        let captions = (0..n).map(|number| (format!("line {number}"), unit(number as f32)));
        (folder.join("list.txt"), captions.collect())
    };
    for (source, captions) in [list(library, N_REMOVED), list(other, 3)] {
        writer.set_captions(None, &source, captions).unwrap();
    }
    writer.commit().unwrap();
}

#[test]
fn a_killed_removal_is_completed_by_the_next() {
    let env = TestEnv::new();
    let (library, other) = (Path::new("/removed/library"), Path::new("/kept"));
    put_two_libraries(&env.index(), library, other);
    let counts = || {
        // Words may be behind.
        let is_derived = |problem: &Problem| matches!(problem, Problem::Words { .. });
        let problems = sightline_index::check(&env.index()).unwrap();
        assert!(problems.iter().all(is_derived), "{problems:?}");
        let counts = IndexReader::open(&env.index(), None).unwrap().counts();
        [counts.n_files, counts.n_images, counts.n_captions]
    };
    let full = counts();
    let (mut n_partial, mut is_complete) = (0, false);
    let mut before = full;
    let mut delay = Duration::from_millis(100);
    while n_partial < 3 {
        let mut running = env.sightline(["remove", "/removed/library"]).spawn();
        let began = Instant::now();
        while !running.has_ended() && began.elapsed() < delay {
            std::thread::sleep(Duration::from_millis(5));
        }
        if !running.has_ended() {
            running.signal(Signal::SIGKILL);
        }
        if running.wait().signal().is_none() {
            is_complete = true;
            break;
        }
        let now = counts();
        assert!(now.iter().zip(before).all(|(now, before)| *now <= before));
        assert!(now[0] >= 10 && now[2] >= 3, "{now:?}");
        let reader = IndexReader::open(&env.index(), None).unwrap();
        is_complete = reader.libraries().unwrap().len() == 1;
        if is_complete {
            // Killed after the last commit.
            break;
        }
        if now == before {
            delay += delay / 8;
        } else {
            n_partial += 1;
        }
        before = now;
    }
    assert!(n_partial > 0, "every removal ended before it was killed");
    if !is_complete {
        let report = env.succeed(["remove", "/removed/library", "--json"]).json();
        assert_eq!(report["libraries"].as_array().unwrap().len(), 1);
    }
    let n_kept = (N_REMOVED..N_REMOVED + 10)
        .filter(|number| number % 9 == 0)
        .count() as u64;
    assert_eq!(counts(), [10, 10, 3 + n_kept]);
}
