//! Files that are not pictures, damaged, dangerous or oddly named: reported and skipped.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::corpus::{self, COLOURS};
use crate::support::{FAULTY_GRAPHS, TestEnv, hits, os, snapshot};

/// Reasons of the skipped files, by file name.
fn skipped(report: &Value) -> BTreeMap<String, String> {
    let skipped = report["skipped"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let name = |path: String| path.rsplit('/').next().unwrap().to_owned();
    skipped
        .iter()
        .map(|entry| (name(text(&entry["path"])), text(&entry["reason"])))
        .collect()
}

/// Writes one file of each unreadable kind and returns their names.
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
fn unreadable_files_are_skipped_with_a_reason() {
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
    cut.jpg: the file is truncated
    cut.png: the file is truncated
    empty.jpg: the file is empty
    head.jpg: the file is truncated
    text.jpg: this is not a picture
    zeros.png: this is not a picture
    ");
    for (name, _) in COLOURS {
        assert_eq!(
            env.found([name, "--by", "meaning", "-k1"]),
            [format!("photos/{name}.png")]
        );
    }
    // Only skipped files are read again, since they may have been repaired.
    let again = env.index_photos();
    assert_eq!(skipped(&again), reasons);
    assert_eq!(again["unchanged"], 8);
}

#[test]
fn only_the_first_skipped_files_are_listed_by_default() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    for number in 0..14 {
        env.write(
            format!("photos/{number:02}.jpg"),
            format!("no picture {number}"),
        );
    }
    let ran = env.succeed(["index", "photos"]);
    assert_eq!(ran.stderr().matches("skipped photos/").count(), 10, "{ran}");
    assert!(
        ran.stderr()
            .contains("… and 4 more (use --list-skipped to list all)"),
        "{ran}"
    );
    let ran = env.succeed(["index", "photos", "--list-skipped"]);
    assert_eq!(ran.stderr().matches("skipped photos/").count(), 14, "{ran}");
}

#[test]
fn a_skipped_file_is_reported_in_one_line() {
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
fn formats_are_detected_by_content_not_by_extension() {
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
    let answer = env.succeed(["search", "red", "--by", "meaning", "--json"]);
    let found = hits(&answer.json());
    assert_eq!(found.len(), 5);
    assert!(
        found.iter().all(|(_, similarity)| *similarity > 0.99),
        "{found:?}"
    );
}

#[test]
fn an_unreadable_query_picture_is_an_error() {
    let env = TestEnv::indexed();
    let bad = write_bad_files(&env);
    for name in &bad {
        let file = format!("photos/{name}");
        for command in [
            ["search", "--image", &file].as_slice(),
            &["captions", &file],
        ] {
            let ran = env.fail(command);
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
    error: photos/cut.jpg: the file is truncated
    ");
    snapshot!(env, env.sightline(["search", "--image", "absent.png"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: failed to open file `absent.png`: No such file or directory (os error 2)

    hint: check the path; a relative one starts at the current folder
    ");
    snapshot!(env, env.sightline(["captions", "photos"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: photos: a folder, not a file

    hint: give a picture in it; to index the folder: `sightline index 'photos' --index [ROOT]/index`
    ");
    let by_words = ["search", "--image", "photos/red.png", "--by", "words"];
    snapshot!(env, env.sightline(by_words).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: a picture cannot be searched by words alone

    hint: leave out `--by words`, or search by text instead of by pictures
    ");
}

#[test]
fn unsupported_formats_are_named_by_index_and_search() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    env.write("photos/layers.psd", b"8BPS\0\x01 and what follows");
    env.write("photos/SCAN.JP2", b"\0\0\0\x0cjP  \r\n\x87\n and so on");
    env.write("photos/scan.jpg", b"\xff\x4f\xff\x51 and so on");
    env.write("photos/raw.mrw", b"\0MRM and what follows");
    // A wrong extension does not matter.
    let jpeg = corpus::jpeg(&corpus::halves("blue", "blue"));
    env.write("photos/blue.psd", &jpeg);
    let report = env.index_photos();
    assert_eq!((&report["seen"], &report["added"]), (&6.into(), &2.into()));
    let reasons = skipped(&report);
    let lines: Vec<_> = reasons
        .iter()
        .map(|(name, reason)| format!("{name}: {reason}"))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    SCAN.JP2: unsupported picture format: JPEG 2000
    layers.psd: unsupported picture format: Photoshop
    raw.mrw: unsupported picture format: camera RAW (MRW) without an embedded JPEG
    scan.jpg: unsupported picture format: JPEG 2000
    ");
    let ran = env.fail(["search", "--image", "photos/layers.psd"]);
    let expected = format!(
        "error: photos/layers.psd: {}\n\nhint: convert it, for example to JPEG or PNG\n",
        reasons["layers.psd"]
    );
    assert_eq!(ran.stderr(), expected);
}

#[test]
fn pipes_devices_and_folders_are_not_read() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/folder.jpg/red.png"), "red");
    let pipe = env.path("photos/pipe.jpg");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    std::os::unix::fs::symlink("/dev/zero", env.path("photos/endless.png")).unwrap();
    std::os::unix::fs::symlink("nowhere", env.path("photos/lost.png")).unwrap();
    let report = env.index_photos();
    assert_eq!((&report["seen"], &report["added"]), (&1.into(), &1.into()));
    let names: Vec<String> = skipped(&report).into_keys().collect();
    assert_eq!(names, ["lost.png"]);
    snapshot!(env, env.sightline(["search", "--image", "photos/endless.png"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: photos/endless.png: a pipe or device, not a file

    hint: save it as a file first
    ");
}

#[cfg(target_os = "linux")]
#[test]
fn paths_that_are_not_utf8_are_kept_byte_for_byte() {
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
    assert_eq!(
        env.index_photos()["unchanged"],
        2,
        "recognised by path, size and time"
    );
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
    // As a query, and as a link in a page.
    env.succeed(os(&[&"search", &"--image", &picture]));
    env.succeed(os(&[&"captions", &picture]));
    env.succeed(["search", "red", "--html", "page.html"]);
    let page = fs_err::read_to_string(env.path("page.html")).unwrap();
    assert!(
        page.contains("/%E9t%E9/caf%E9.png"),
        "no link to the picture"
    );
    // Such a file is also reported when skipped, and removed when deleted.
    fs_err::write(&picture, "not a picture").unwrap();
    let report = env.index_photos();
    assert!(
        report["skipped"][0]["path_base64"].is_string(),
        "{report:#}"
    );
    fs_err::remove_file(&picture).unwrap();
    env.index_photos();
    assert_eq!(env.counts()[1], 1);
}

#[test]
fn a_picture_that_the_model_cannot_encode_costs_no_other() {
    let env = TestEnv::new();
    env.colour_model("some", "0.5");
    let graph = format!("{FAULTY_GRAPHS}/some_pictures.onnx");
    fs_err::copy(graph, env.path("some/image.onnx")).unwrap();
    for number in 0..20 {
        let grey = image::RgbImage::from_pixel(8, 8, image::Rgb([60 + number * 5; 3]));
        corpus::save(&env.path(format!("photos/{number:02}.png")), &grey);
    }
    corpus::plain(&env.path("photos/red.png"), "red");
    let index = || {
        let ran = env.succeed(["index", "photos", "--model", "some", "--json"]);
        let report = ran.json();
        (report["added"].as_u64().unwrap(), skipped(&report))
    };
    let reason = "the model cannot encode this picture: its embedding is zero or not finite";
    let bad = BTreeMap::from([("red.png".to_owned(), reason.to_owned())]);
    assert_eq!(index(), (20, bad.clone()));
    // Alone in its run it is at fault too.
    assert_eq!(index(), (0, bad));
    let ran = env.fail([
        "embed",
        "--model",
        "some",
        "photos/07.png",
        "photos/red.png",
    ]);
    assert_eq!(ran.stdout().lines().count(), 1);
    assert_eq!(ran.stderr(), format!("error: photos/red.png: {reason}\n"));
    let ran = env.fail(["captions", "--model", "some", "photos/red.png"]);
    let named = reason.replace("this picture", "photos/red.png");
    assert_eq!(ran.stderr(), format!("error: {named}\n"));
    // A model that can encode nothing at all has failed itself.
    for name in ["zero", "nan"] {
        let graph = format!("{FAULTY_GRAPHS}/{name}.onnx");
        fs_err::copy(graph, env.path("some/image.onnx")).unwrap();
        let arguments = ["index", "photos", "--model", "some", "--index", name];
        let ran = env.fail(arguments);
        assert!(!ran.stderr().contains("skipped"), "{ran}");
    }
}
