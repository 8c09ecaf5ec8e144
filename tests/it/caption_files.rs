//! Files of captions: bad lines and captions, encodings, and whose they are.

use serde_json::Value;

use crate::support::corpus::{self, COLOURS};
use crate::support::{FAULTY_GRAPHS, TestEnv, os, snapshot};

const NFC: &str = "Z\u{fc}rich";
const NFD: &str = "Zu\u{308}rich";

/// A copy of the colour model with another text tower.
fn with_text_tower(env: &TestEnv, graph: &str) {
    env.colour_model("some", "0.5");
    let graph = format!("{FAULTY_GRAPHS}/{graph}.onnx");
    fs_err::copy(graph, env.path("some/text.onnx")).unwrap();
}

/// Reads at most eight words, neither "pink" nor "cyan" alone.
fn choosy() -> TestEnv {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    with_text_tower(&env, "some_texts");
    env
}

/// Added and skipped captions of `sightline index photos` with more arguments.
#[track_caller]
fn index(env: &TestEnv, more: &[&str]) -> ([u64; 2], Vec<String>) {
    let arguments = ["index", "photos", "--json"].iter().chain(more);
    let report = env.succeed(arguments).json();
    let skipped = report["skipped"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let reasons = skipped
        .iter()
        .map(|one| {
            format!(
                "{}: {}",
                env.shown(text(&one["path"])),
                text(&one["reason"])
            )
        })
        .collect();
    let counts = ["captions_added", "captions_skipped"];
    (counts.map(|key| report[key].as_u64().unwrap()), reasons)
}

fn found_by(env: &TestEnv, words: &str) -> Vec<String> {
    let ran = env.sightline(["search", "--paths", "--by", "words", words]);
    let model: &[&str] = if env.path("some").exists() {
        &["--model", "some"]
    } else {
        &[]
    };
    let ran = ran.args(model).run();
    ran.stdout().lines().map(|path| env.shown(path)).collect()
}

#[test]
fn a_caption_that_the_model_cannot_encode_is_named_and_costs_no_other() {
    let env = choosy();
    let long = "a caption of nine words that is too long";
    env.write("photos/red.txt", format!("an apple\n{long}\na rose\n"));
    env.write("photos/green.txt", "cyan\n");
    env.write("photos/blue.txt", "a blue door\n");
    env.write(
        "list.jsonl",
        "{\"image\": \"photos/red.png\", \"captions\": [\"a tomato\"]}\n\n\
         {\"image\": \"photos/black.png\", \"captions\": [\"a cat\", \"pink\", \"a stove\"]}\n",
    );
    let many: Vec<String> = (0..100)
        .map(|number| if number == 70 { "pink" } else { "number" }.to_owned() + &number.to_string())
        .map(|text| text.replace("pink70", "pink"))
        .collect();
    env.write("many.txt", many.join("\n"));
    let arguments = [
        "index",
        "photos",
        "--captions",
        "list.jsonl",
        "--captions",
        "many.txt",
        "--model",
        "some",
    ];
    snapshot!(env, env.sightline(arguments).run(), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    skipped list.jsonl: line 3: the model cannot encode this text: its embedding is zero or not finite
    skipped many.txt: line 71: the model cannot encode this text: its embedding is zero or not finite
    skipped photos/green.txt: line 1: the model cannot encode this text: its embedding is zero or not finite
    skipped photos/red.txt: line 2: the model cannot encode this text: ONNX Runtime failed: indices element out of data bounds, idx=8 must be within the inclusive range [-8,7]
    8 picture files in [TIME]: 8 added, 105 captions added, 4 captions skipped
    ");
    for (words, picture) in [
        ("apple", "photos/red.png"),
        ("rose", "photos/red.png"),
        ("tomato", "photos/red.png"),
        ("door", "photos/blue.png"),
        ("cat", "photos/black.png"),
        ("stove", "photos/black.png"),
    ] {
        assert_eq!(found_by(&env, words), [picture], "{words}");
    }
    assert_eq!(env.counts(), [8, 8, 6 + 99]);
    // Tried again, and only they.
    let captions = [
        "--captions",
        "list.jsonl",
        "--captions",
        "many.txt",
        "--model",
        "some",
    ];
    let (counts, skipped) = index(&env, &captions);
    assert_eq!((counts, skipped.len()), ([0, 4], 4), "{skipped:?}");
    // What the index had in its place stays; what else changed is done.
    env.write("photos/red.txt", "an apple\npink\na bus\n");
    env.write("photos/blue.txt", format!("{long}\n"));
    index(&env, &["--model", "some"]);
    assert_eq!(found_by(&env, "rose"), ["photos/red.png"]);
    assert_eq!(found_by(&env, "bus"), ["photos/red.png"]);
    assert_eq!(found_by(&env, "door"), ["photos/blue.png"]);
    assert_eq!(env.counts()[2], 7 + 99);
    let (counts, _) = index(&env, &["--model", "some"]);
    assert_eq!(counts, [0, 3], "nothing is written again");
    env.write("photos/red.txt", "a bus\n");
    env.write("photos/blue.txt", "a blue gate\n");
    index(&env, &["--model", "some"]);
    assert_eq!(found_by(&env, "rose"), [""; 0]);
    assert_eq!(found_by(&env, "door"), [""; 0]);
    assert_eq!(found_by(&env, "gate"), ["photos/blue.png"]);
}

#[test]
fn repeated_captions_do_not_move_the_place_of_one_that_cannot_be_encoded() {
    let env = choosy();
    env.write("photos/red.txt", "an apple\na tomato\nan apple\na rose\n");
    index(&env, &["--model", "some"]);
    env.write("photos/red.txt", "an apple\na tomato\nan apple\npink\n");
    let (counts, _) = index(&env, &["--model", "some"]);
    assert_eq!(counts, [0, 1]);
    assert_eq!(found_by(&env, "rose"), ["photos/red.png"]);
}

#[test]
fn one_text_that_cannot_be_encoded_is_one_line() {
    let env = choosy();
    env.succeed(["index", "photos", "--model", "some"]);
    snapshot!(env, env.sightline(["search", "pink", "--model", "some"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: the model cannot encode this text: its embedding is zero or not finite

    hint: use other or fewer words; `--by words` searches without the model
    ");
    env.sightline(["search", "pink", "--model", "some", "--by", "words"])
        .run()
        .expect(0);
    let texts = [
        "red",
        "pink",
        "a text of nine words that is too long",
        "cyan",
        "blue",
    ];
    let mut arguments = vec!["embed", "--model", "some"];
    arguments.extend(texts.iter().flat_map(|text| ["--text", text]));
    let ran = env.fail(&arguments);
    let inputs: Vec<String> = ran
        .stdout()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["input"].to_string())
        .collect();
    assert_eq!(inputs, ["\"red\"", "\"blue\""]);
    let lines: Vec<&str> = ran.stderr().lines().collect();
    assert_eq!(lines.len(), 3, "{ran}");
    for (line, number) in lines.iter().zip([2, 3, 4]) {
        let start = format!("error: text {number}: the model cannot encode this text: ");
        assert!(line.starts_with(&start), "{ran}");
    }
    // A data set is measured without them.
    env.write(
        "set.jsonl",
        "{\"image\": \"photos/red.png\", \"captions\": [\"red\", \"pink\"]}\nred.png: red\n\
         {\"image\": \"photos/green.png\", \"captions\": [\"green\"]}\n\
         {\"image\": \"photos/pink.png\", \"captions\": [\"pink\"]}\n",
    );
    let ran = env.succeed(["eval", "set.jsonl", "--json", "--model", "some"]);
    let answer = ran.json();
    assert_eq!(
        (&answer["images"], &answer["captions"]),
        (&2.into(), &2.into())
    );
    let reasons: Vec<&str> = answer["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["reason"].as_str().unwrap())
        .collect();
    let starts = [
        "line 2: expected {",
        "line 1: the model cannot",
        "line 4: the model cannot",
    ];
    assert_eq!(reasons.len(), 3);
    for (reason, start) in reasons.iter().zip(starts) {
        assert!(reason.starts_with(start), "{reasons:?}");
    }
}

#[test]
fn a_model_that_encodes_no_text_ends_the_run() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    with_text_tower(&env, "no_texts");
    for (name, _) in COLOURS {
        env.write(format!("photos/{name}.txt"), format!("{name}\n"));
    }
    let ran = env.fail(["index", "photos", "--model", "some"]);
    assert!(!ran.stderr().contains("skipped"), "{ran}");
    assert!(ran.stderr().contains("zero or not finite"), "{ran}");
    // The pictures are kept.
    assert_eq!(env.counts(), [8, 8, 0]);
}

#[test]
fn captions_files_without_captions_and_folders_are_named() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env.write("list.txt", "a walrus\n");
    index(&env, &["--captions", "list.txt"]);
    assert_eq!(env.counts(), [8, 8, 1]);
    for (name, text) in [
        ("list.txt", " \n\n"),
        ("none.jsonl", ""),
        ("none.csv", "image,caption\n"),
        (
            "empty.jsonl",
            "{\"image\": \"red.png\", \"captions\": []}\n",
        ),
    ] {
        env.write(name, text);
        let ran = env.sightline(["index", "photos", "--captions", name]).run();
        let ran = ran.expect(0);
        let expected = format!("skipped {name}: it has no captions\n");
        assert!(ran.stderr().contains(&expected), "{ran}");
    }
    // That is how the captions of a list are removed.
    assert_eq!(env.counts(), [8, 8, 0]);
    snapshot!(env, env.sightline(["index", "photos", "--captions", "photos"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: photos: a folder, not a file of captions

    hint: give a file in it; texts beside photos, as `photo.txt`, are read without this
    ");
    snapshot!(env, env.sightline(["eval", "photos"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: photos: a folder, not a file of captions

    hint: give a file in it; texts beside photos, as `photo.txt`, are read without this
    ");
    env.write(
        "cut.json",
        "{\"images\": [{\"id\": 1, \"file_name\": \"red.png\"}],\n\"x\": nope}",
    );
    snapshot!(env, env.sightline(["index", "--captions", "cut.json"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/cut.json: not a data set: not valid JSON: expected a text in double quotes, a number, a list or an object at line 2, column 7
    ");
}

#[test]
fn what_is_wrong_with_a_sidecar_of_several_pictures_is_reported_once() {
    let env = TestEnv::new();
    for name in ["a.png", "a.jpg", "b.png"] {
        let picture = match name {
            "a.png" => corpus::halves("red", "blue"),
            "a.jpg" => corpus::halves("red", "green"),
            _ => corpus::halves("pink", "green"),
        };
        corpus::save(&env.path(format!("photos/{name}")), &picture);
    }
    env.write("photos/a.xmp", "<x");
    env.write("photos/a.txt", "a fine line\na bad \0 line\n");
    let ran = env.sightline(["index", "photos"]).run().expect(0);
    for name in ["a.xmp: not valid XMP", "a.txt: "] {
        assert_eq!(ran.stderr().matches(name).count(), 1, "{name} {ran}");
    }
    assert_eq!(found_by(&env, "fine").len(), 0, "a text with a NUL is none");
    env.write(
        "photos/a.txt",
        format!("a fine line\n{}\n", "x".repeat(1 << 21)),
    );
    let ran = env.sightline(["index", "photos"]).run().expect(0);
    assert_eq!(ran.stderr().matches("a.txt: line 2").count(), 1, "{ran}");
    assert!(ran.stderr().contains("1 caption skipped"), "{ran}");
    assert_eq!(found_by(&env, "fine").len(), 2);
}

#[test]
fn bad_lines_of_a_captions_file_are_named_and_left_out() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    corpus::save(
        &env.path("photos/sub/deep.png"),
        &corpus::halves("red", "blue"),
    );
    env.write(
        "photos/list.jsonl",
        concat!(
            "{\"image\": \"red.png\", \"captions\": [\"fine gamma\"]}\n",
            "{\"image\": \"blue.png\", \"captions\": [\"a dog \\ud83d\"]}\n",
            "{\"image\": \"sub\\\\deep.png\", \"captions\": [\"windows delta\"]}\n",
            "{\"image\": \".\\\\sub\\\\..\\\\green.png\", \"captions\": [\"windows epsilon\"]}\n",
            "{\"image\": \"C:\\\\Photos\\\\black.png\", \"captions\": [\"windows zeta\"]}\n",
            "{\"image\": \"white.png\", \"captions\"",
        ),
    );
    let arguments = ["index", "photos", "--captions", "photos/list.jsonl"];
    snapshot!(env, env.sightline(arguments).run(), @r#"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    skipped photos/C:\Photos\black.png: has captions in [ROOT]/photos/list.jsonl (line 5) but is not in the index; its path must be relative to that file, without a drive
    skipped photos/list.jsonl: line 2: expected {"image": "relative/path.jpg", "captions": ["…"]}: not valid JSON: an escape that begins with `\` is wrong at column 49
    skipped photos/list.jsonl: line 6: expected {"image": "relative/path.jpg", "captions": ["…"]}: not valid JSON: an object is not closed with `}` at column 33
    9 picture files in [TIME]: 9 added, 1 skipped, 3 captions added, 2 captions skipped
    "#);
    assert_eq!(found_by(&env, "gamma"), ["photos/red.png"]);
    assert_eq!(found_by(&env, "delta"), ["photos/sub/deep.png"]);
    assert_eq!(found_by(&env, "epsilon"), ["photos/green.png"]);
    assert_eq!(env.counts(), [9, 9, 3]);
    // A file of that very name goes first.
    corpus::save(
        &env.path("photos/sub\\deep.png"),
        &corpus::halves("green", "blue"),
    );
    env.write(
        "photos/list.jsonl",
        "{\"image\": \"red.png\", \"captions\": [\"fine gamma\"]}\n\
         {\"image\": \"sub\\\\deep.png\", \"captions\": [\"windows delta\"]}\n",
    );
    index(&env, &["--captions", "photos/list.jsonl"]);
    assert_eq!(found_by(&env, "delta"), ["photos/sub\\deep.png"]);
    assert_eq!(env.counts()[2], 2);
    // A line that was good and is bad now keeps its captions, since it may be about any picture.
    env.write(
        "photos/list.jsonl",
        "{\"image\": \"red.png\", \"captions\": [\"fine gamma\"\n",
    );
    let (counts, _) = index(&env, &["--captions", "photos/list.jsonl"]);
    assert_eq!(counts, [0, 1]);
    assert_eq!(env.counts()[2], 2);
}

#[test]
fn sidecars_are_found_whatever_the_case_of_their_names() {
    let env = TestEnv::new();
    for (number, name) in [
        "IMG_1.PNG",
        "IMG_2.PNG",
        "img_3.png",
        "IMG_4.PNG",
        "IMG_5.PNG",
    ]
    .into_iter()
    .zip(COLOURS)
    .enumerate()
    .map(|(number, (name, (colour, _)))| (number + 1, (name, colour)))
    {
        let (name, colour) = name;
        corpus::plain(&env.path(format!("photos/{number}.png")), colour);
        let photos = env.path("photos");
        fs_err::rename(photos.join(format!("{number}.png")), photos.join(name)).unwrap();
    }
    for (name, caption) in [
        ("IMG_1.TXT", "walrus"),
        ("IMG_2.txt", "otter"),
        ("IMG_3.txt", "beaver"),
        ("IMG_4.PNG.TXT", "badger"),
        ("IMG_5.Txt", "ferret"),
    ] {
        env.write(format!("photos/{name}"), caption);
    }
    let (counts, skipped) = index(&env, &[]);
    assert_eq!((counts, skipped.len()), ([5, 0], 0), "{skipped:?}");
    assert_eq!(found_by(&env, "walrus"), ["photos/IMG_1.PNG"]);
    assert_eq!(found_by(&env, "otter"), ["photos/IMG_2.PNG"]);
    assert_eq!(found_by(&env, "beaver"), ["photos/img_3.png"]);
    assert_eq!(found_by(&env, "badger"), ["photos/IMG_4.PNG"]);
    assert_eq!(found_by(&env, "ferret"), ["photos/IMG_5.PNG"]);
    assert_eq!(index(&env, &[]).0, [0, 0]);
    // What is not used is named, whatever it is.
    env.write("photos/IMG_1.txt", "seal");
    env.write("photos/IMG_6.txt", "mole");
    env.write("photos/README.txt", "about these photos");
    fs_err::remove_file(env.path("photos/IMG_4.PNG.TXT")).unwrap();
    fs_err::create_dir(env.path("photos/IMG_4.txt")).unwrap();
    let pipe = std::process::Command::new("mkfifo")
        .arg(env.path("photos/img_3.png.txt"))
        .status();
    assert!(pipe.unwrap().success());
    snapshot!(env, env.sightline(["index", "photos"]).run(), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    skipped photos/IMG_1.TXT: not used: IMG_1.txt is read instead
    skipped photos/IMG_4.txt: not a file
    skipped photos/img_3.png.txt: not a file
    1 text file beside pictures matches no picture and is not used: photos/IMG_6.txt
    5 picture files in [TIME]: 5 unchanged, 3 skipped, 1 caption added, 2 captions removed
    ");
    assert_eq!(found_by(&env, "seal"), ["photos/IMG_1.PNG"]);
    assert_eq!(found_by(&env, "walrus"), [""; 0]);
    assert_eq!(found_by(&env, "badger"), [""; 0]);
    // What cannot be read now stays as it was.
    fs_err::remove_file(env.path("photos/IMG_5.Txt")).unwrap();
    std::os::unix::fs::symlink("nowhere", env.path("photos/IMG_5.Txt")).unwrap();
    assert_eq!(index(&env, &[]).1.len(), 4);
    assert_eq!(found_by(&env, "ferret"), ["photos/IMG_5.PNG"]);
    // Removing the picture removes its captions.
    fs_err::remove_file(env.path("photos/img_3.png")).unwrap();
    index(&env, &[]);
    assert_eq!(found_by(&env, "beaver"), [""; 0]);
}

#[test]
fn sidecars_may_be_utf16_and_end_their_lines_with_cr() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    let utf16: Vec<u8> = "\u{feff}Señor Gómez\r\nGebüsch\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    env.write("photos/red.txt", utf16);
    env.write("photos/green.txt", "erste Zeile\rzweite Zeile\r");
    env.write("photos/blue.txt", b"Se\xf1or\nascii\n");
    let (counts, skipped) = index(&env, &[]);
    assert_eq!(counts, [4, 0]);
    assert_eq!(skipped, ["photos/blue.txt: not UTF-8 text"]);
    assert_eq!(found_by(&env, "gebüsch"), ["photos/red.png"]);
    assert_eq!(found_by(&env, "zweite"), ["photos/green.png"]);
}

#[cfg(target_os = "linux")]
#[test]
fn names_match_however_they_are_composed() {
    let env = TestEnv::new();
    for (name, colour) in [
        (format!("photos/{NFD}/Mu\u{308}ller Cafe\u{301}.png"), "red"),
        (format!("photos/{NFC}.png"), "green"),
        ("photos/Ja\u{308}ger.png".to_owned(), "blue"),
        (
            "photos/\u{1100}\u{1161}\u{1102}\u{1161}.png".to_owned(),
            "black",
        ),
    ] {
        corpus::plain(&env.path(name), colour);
    }
    env.write("photos/J\u{e4}ger.txt", "a hunter in the woods\n");
    env.write(
        "photos/list.jsonl",
        format!(
            "{{\"image\": \"{NFC}/M\u{fc}ller Caf\u{e9}.png\", \"captions\": [\"zanzibar\"]}}\n\
             {{\"image\": \"{NFD}.png\", \"captions\": [\"quixotic\"]}}\n\
             {{\"image\": \"\u{ac00}\u{b098}.png\", \"captions\": [\"kumquat\"]}}\n"
        ),
    );
    let (counts, skipped) = index(&env, &["--captions", "photos/list.jsonl"]);
    assert_eq!((counts, skipped.len()), ([4, 0], 0), "{skipped:?}");
    let cafe = format!("photos/{NFD}/Mu\u{308}ller Cafe\u{301}.png");
    assert_eq!(found_by(&env, "zanzibar"), [cafe]);
    assert_eq!(found_by(&env, "quixotic"), [format!("photos/{NFC}.png")]);
    assert_eq!(
        found_by(&env, "kumquat"),
        ["photos/\u{1100}\u{1161}\u{1102}\u{1161}.png"]
    );
    assert_eq!(found_by(&env, "hunter"), ["photos/Ja\u{308}ger.png"]);
    // Wherever a file is named.
    let typed = format!("photos/{NFC}/M\u{fc}ller Caf\u{e9}.png");
    env.succeed(["captions", &typed, "-k1"]);
    env.succeed(["search", "--image", &typed, "-k1"]);
    env.succeed(["embed", &typed]);
    let report = env
        .succeed(["index", &format!("photos/{NFC}"), "--json"])
        .json();
    assert_eq!(report["unchanged"], 1);
    // Both spellings exist: each is itself, and a third one is neither.
    corpus::plain(&env.path(format!("photos/{NFD}.png")), "yellow");
    corpus::plain(&env.path("photos/e\u{301}e\u{301}.png"), "white");
    corpus::plain(&env.path("photos/\u{e9}\u{e9}.png"), "cyan");
    env.write(
        "photos/list.jsonl",
        format!(
            "{{\"image\": \"{NFD}.png\", \"captions\": [\"quixotic\"]}}\n\
             {{\"image\": \"{NFC}.png\", \"captions\": [\"zanzibar\"]}}\n\
             {{\"image\": \"\u{e9}e\u{301}.png\", \"captions\": [\"kumquat\"]}}\n"
        ),
    );
    let (_, skipped) = index(&env, &["--captions", "photos/list.jsonl"]);
    assert_eq!(found_by(&env, "quixotic"), [format!("photos/{NFD}.png")]);
    assert_eq!(found_by(&env, "zanzibar"), [format!("photos/{NFC}.png")]);
    assert_eq!((found_by(&env, "kumquat"), skipped.len()), (Vec::new(), 1));
    assert!(
        skipped[0].ends_with("looks like several pictures of the index"),
        "{skipped:?}"
    );
    let [_, before, _] = env.counts();
    env.sightline(["remove", "photos/\u{e9}e\u{301}.png"])
        .run()
        .expect(1);
    env.succeed(["remove", &format!("photos/{NFC}.png")]);
    assert_eq!(found_by(&env, "quixotic"), [format!("photos/{NFD}.png")]);
    // What looks the same is removed, folders too, whether they still exist or not.
    env.succeed(["remove", "photos/J\u{e4}ger.png"]);
    assert_eq!(found_by(&env, "hunter"), [""; 0]);
    fs_err::remove_dir_all(env.path(format!("photos/{NFD}"))).unwrap();
    env.succeed(os(&[&"remove", &format!("photos/{NFC}/")]));
    assert_eq!(env.counts()[1], before - 3);
}
