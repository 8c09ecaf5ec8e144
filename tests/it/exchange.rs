//! `sightline export` and `import`: an index as files for other programs.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{TestEnv, corpus, file_names, snapshot};

/// Index of pictures with captions of each kind; one picture has two files, one a name that is not
/// UTF-8.
fn indexed() -> TestEnv {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    corpus::plain(&env.path("photos/again/red.png"), "red");
    let odd = env.path("photos").join(OsStr::from_bytes(b"bl\xfce.png"));
    fs_err::rename(env.path("photos/blue.png"), odd).unwrap();
    env.write("photos/red.txt", "an apple\na rose\n");
    env.write("words.txt", "sky\n");
    env.succeed(["index", "photos", "--captions", "words.txt"]);
    env
}

fn lines(folder: &Path) -> Vec<Value> {
    let text = fs_err::read_to_string(folder.join("items.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    fs_err::read(folder.join(name)).unwrap()
}

/// The rows of vectors.npy: a header of 128 bytes, then f32 values.
fn rows(folder: &Path) -> Vec<Vec<f32>> {
    let npy = bytes(folder, "vectors.npy");
    let (header, data) = npy.split_at(128);
    assert_eq!(&header[..10], b"\x93NUMPY\x01\x00\x76\x00");
    let text = std::str::from_utf8(&header[10..]).unwrap().trim_end();
    let n = data.len() / 4 / 13;
    assert_eq!(
        text,
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({n}, 13), }}")
    );
    let (values, rest) = data.as_chunks::<4>();
    assert!(rest.is_empty());
    values
        .chunks_exact(13)
        .map(|row| row.iter().map(|value| f32::from_le_bytes(*value)).collect())
        .collect()
}

#[test]
fn an_export_contains_every_record() {
    let env = indexed();
    snapshot!(env, env.sightline(["export", "out"]).run(), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    exported 8 pictures and 3 captions to out
    ");
    let out = env.path("out");
    assert_eq!(
        file_names(&out),
        ["index.json", "items.jsonl", "vectors.npy"]
    );
    let about: Value = serde_json::from_slice(&bytes(&out, "index.json")).unwrap();
    assert_eq!(about["format"], "sightline-export");
    assert_eq!(about["version"], 1);
    assert_eq!(about["model"]["name"], "colours");
    assert_eq!(about["model"]["dimension"], 13);
    assert_eq!(
        (&about["images"], &about["captions"]),
        (&8.into(), &3.into())
    );
    let folder = env.path("photos");
    assert_eq!(about["libraries"][0]["path"], folder.to_str().unwrap());

    let (lines, rows) = (lines(&out), rows(&out));
    assert_eq!((lines.len(), rows.len()), (11, 11));
    for (place, (line, row)) in lines.iter().zip(&rows).enumerate() {
        assert_eq!(line["row"], place);
        let length: f32 = row.iter().map(|value| value * value).sum();
        assert!((length - 1.0).abs() < 1e-4);
    }
    let with_kind = |kind: &str| {
        let of_kind = lines.iter().filter(|line| line["kind"] == kind);
        of_kind.collect::<Vec<_>>()
    };
    let (images, captions) = (with_kind("image"), with_kind("caption"));
    assert_eq!((images.len(), captions.len()), (8, 3));
    let red = images
        .iter()
        .find(|line| line["files"].as_array().unwrap().len() == 2)
        .unwrap();
    let file = env.path("photos/red.png");
    let content = fs_err::read(&file).unwrap();
    assert_eq!(red["hash"], blake3::hash(&content).to_hex().as_str());
    assert_eq!((&red["width"], &red["height"]), (&48.into(), &32.into()));
    assert_eq!(red["files"][1]["path"], file.to_str().unwrap());
    assert_eq!(red["files"][1]["bytes"], content.len());
    let modified = fs_err::metadata(&file).unwrap().modified().unwrap();
    let modified = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(
        red["files"][1]["modified_ns"],
        u64::try_from(modified.as_nanos()).unwrap()
    );
    let odd = images
        .iter()
        .find(|line| line["files"][0]["path_base64"].is_string())
        .expect("a path that is not UTF-8");
    assert!(
        odd["files"][0]["path"]
            .as_str()
            .unwrap()
            .contains("bl\u{fffd}e")
    );
    let texts: Vec<_> = captions
        .iter()
        .map(|line| (line["text"].as_str().unwrap(), line["image"].clone()))
        .collect();
    assert_eq!(
        texts,
        [
            ("an apple", red["id"].clone()),
            ("a rose", red["id"].clone()),
            ("sky", json!(null))
        ]
    );
    assert_eq!(
        captions[2]["source"]["path"],
        env.path("words.txt").to_str().unwrap()
    );
    assert_numpy_agrees(&out);
}

/// Reads the export with numpy, if installed.
fn assert_numpy_agrees(folder: &Path) {
    let script = "import json, sys, numpy\n\
        vectors = numpy.load(sys.argv[1] + '/vectors.npy')\n\
        items = open(sys.argv[1] + '/items.jsonl', encoding='utf-8')\n\
        lines = [json.loads(line) for line in items]\n\
        assert vectors.shape == (11, 13) and vectors.dtype == numpy.float32\n\
        assert numpy.allclose((vectors * vectors).sum(axis=1), 1)\n\
        assert [line['row'] for line in lines] == list(range(11))\n\
        print('read', repr(float(vectors[7, 3])))\n";
    let has_numpy = Command::new("python3")
        .args(["-c", "import numpy"])
        .output();
    if !has_numpy.is_ok_and(|ran| ran.status.success()) {
        eprintln!("python3 with numpy not found: reading with numpy is not tested");
        return;
    }
    let ran = Command::new("python3")
        .args(["-c", script])
        .arg(folder)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&ran.stdout).into_owned();
    let number: f64 = stdout
        .trim()
        .strip_prefix("read ")
        .unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&ran.stderr)))
        .parse()
        .unwrap();
    assert_eq!(number, f64::from(rows(folder)[7][3]));
}

#[test]
fn an_imported_export_exports_the_same_files() {
    let env = indexed();
    env.succeed(["export", "out"]);
    snapshot!(env, env.sightline(["import", "out", "--index", "other"]).run(), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    imported 8 pictures (9 files) and 3 captions
    ");
    env.succeed(["export", "back", "--index", "other"]);
    for name in ["index.json", "items.jsonl", "vectors.npy"] {
        assert_eq!(
            bytes(&env.path("out"), name),
            bytes(&env.path("back"), name),
            "{name}"
        );
    }
    env.succeed(["check", "--index", "other"]);
    let search = ["search", "a rose", "--json"];
    let hits = |index: &str| {
        let ran = env.sightline(search).args(["--index", index]).run();
        ran.expect(0).json()["hits"].clone()
    };
    assert_eq!(hits("index"), hits("other"));
    // Files are recognised by size and modification time.
    let report = env
        .succeed(["index", "photos", "--json", "--index", "other"])
        .json();
    assert_eq!(
        (&report["unchanged"], &report["added"]),
        (&9.into(), &0.into())
    );
    // Importing into an index that already has the records.
    let imported = env.succeed(["import", "out", "--json"]).json();
    assert_eq!(
        (&imported["images"], &imported["known"]),
        (&8.into(), &8.into())
    );
    env.succeed(["check"]);
    let model = env.colour_model("others", "0.4");
    corpus::plain(&env.path("few/red.png"), "red");
    env.sightline(["index", "few", "--index", "third", "--model"])
        .args([&model])
        .run()
        .expect(0);
    let ran = env.fail(["import", "out", "--index", "third"]);
    assert!(ran.stderr().contains("built with model others"), "{ran}");
}

#[test]
fn details_and_language_are_exported_and_imported() {
    let env = indexed();
    env.succeed(["index", "photos", "--language", "de"]);
    env.succeed(["export", "out"]);
    let path = env.path("out/items.jsonl");
    let text = fs_err::read_to_string(&path).unwrap();
    let empty = r#""details":{"camera":null,"taken":null,"places":[]}"#;
    assert_eq!(text.matches(empty).count(), 8);
    let full =
        r#""details":{"camera":"Nikon D7","taken":"2023-08-14T17:03:21","places":["Kyoto"]}"#;
    fs_err::write(&path, text.replacen(empty, full, 1)).unwrap();
    env.succeed(["import", "out", "--index", "other"]);
    let search = |words: &str| {
        env.sightline([
            "search", words, "--by", "words", "--json", "--index", "other",
        ])
        .run()
        .json()
    };
    for words in ["nikon", "kyoto", "2023-08", "montag"] {
        let hits = search(words)["hits"].clone();
        assert_eq!(hits.as_array().unwrap().len(), 1, "{words}");
        assert_eq!(hits[0]["taken"], "2023-08-14T17:03:21");
    }
    let status = env.sightline(["status", "--json", "--index", "other"]);
    assert_eq!(status.run().expect(0).json()["language"], "de");
    env.succeed(["export", "back", "--index", "other"]);
    assert_eq!(
        bytes(&env.path("out"), "items.jsonl"),
        bytes(&env.path("back"), "items.jsonl")
    );
    let month = full.replace("2023-08-14T17:03:21", "1993-08");
    fs_err::write(&path, text.replacen(empty, &month, 1)).unwrap();
    env.succeed(["import", "out", "--index", "month"]);
    for words in ["1993-08", "1993", "august"] {
        let found = env.sightline([
            "search", words, "--by", "words", "--json", "--index", "month",
        ]);
        let hits = found.run().expect(0).json()["hits"].clone();
        assert_eq!(hits.as_array().unwrap().len(), 1, "{words}");
        assert_eq!(hits[0]["taken"], "1993-08");
    }
    let bad = full.replace("2023-08-14", "2023-02-31");
    fs_err::write(&path, text.replacen(empty, &bad, 1)).unwrap();
    let ran = env.sightline(["import", "out", "--index", "third"]).run();
    let ran = ran.expect(2);
    let stderr = ran.stderr();
    assert!(
        stderr.contains("items.jsonl: line 1: invalid \"taken\""),
        "{stderr}"
    );
}

#[test]
fn only_an_export_is_overwritten_and_only_with_force() {
    let env = indexed();
    fs_err::create_dir(env.path("out")).unwrap();
    env.succeed(["export", "out"]);
    env.succeed(["remove", "words.txt"]);
    snapshot!(env, env.sightline(["export", "out"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/out: already exists

    hint: use `--force` to replace it, or another folder
    ");
    assert_eq!(lines(&env.path("out")).len(), 11);
    env.succeed(["export", "out", "--force"]);
    assert_eq!(lines(&env.path("out")).len(), 10);
    snapshot!(env, env.sightline(["export", "photos", "--force"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/photos: not a Sightline export; refusing to overwrite it

    hint: use another folder
    ");
    assert!(env.path("photos/red.png").exists());
    let left: Vec<_> = file_names(&env.path(""))
        .into_iter()
        .filter(|name| name.starts_with("out.") || name.starts_with("photos."))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

/// A file of an export, a change of its bytes, and the error expected for it.
type Change<'a> = (&'a str, &'a dyn Fn(Vec<u8>) -> Vec<u8>, &'a str);

#[test]
#[expect(clippy::too_many_lines, reason = "most of it is a table")]
fn an_invalid_export_is_refused_before_anything_is_written() {
    fn text(change: impl Fn(&str) -> String) -> impl Fn(Vec<u8>) -> Vec<u8> {
        move |bytes| {
            let before = String::from_utf8(bytes).unwrap();
            let after = change(&before);
            assert_ne!(before, after);
            after.into_bytes()
        }
    }
    let env = indexed();
    env.succeed(["export", "out"]);
    let changes: [Change<'_>; 14] = [
        (
            "index.json",
            &text(|t| t.replace("-export", "")),
            "index.json: not a Sightline export",
        ),
        (
            "index.json",
            &text(|t| t.replace("\"version\": 1", "\"version\": 2")),
            "index.json: the export has version 2, but this program reads only version 1",
        ),
        (
            "index.json",
            &text(|t| t.replace("\"captions\": 3", "\"captions\": 4")),
            "index.json: 8 images and 4 captions, but items.jsonl has 8 and 3",
        ),
        (
            "index.json",
            &text(|t| t.replace("\"dimension\": 13", "\"dimension\": 12")),
            "vectors.npy: shape [11, 13] does not match dimension 12",
        ),
        (
            "items.jsonl",
            &text(|t| t.replacen("\"row\":2,", "\"row\":1,", 1)),
            "items.jsonl: line 3: row 1 is used by an earlier line",
        ),
        (
            "items.jsonl",
            &text(|t| t.replacen("\"row\":2,", "\"row\":99,", 1)),
            "items.jsonl: line 3: row 99 is out of range",
        ),
        (
            "items.jsonl",
            &text(|t| t.replacen("\"kind\":\"image\"", "\"kind\":\"film\"", 1)),
            "items.jsonl: line 1: expected",
        ),
        (
            "items.jsonl",
            &text(|t| t.replacen("\"hash\":\"", "\"hash\":\"x", 1)),
            "items.jsonl: line 1: hash is not 64 hex digits",
        ),
        (
            "items.jsonl",
            &text(|t| t.replacen("\"text\":", "\"txt\":", 1)),
            "items.jsonl: line 9: missing \"text\"",
        ),
        (
            "items.jsonl",
            &text(|t| t.lines().skip(8).collect::<Vec<_>>().join("\n")),
            "items.jsonl: line 1: image ",
        ),
        (
            "items.jsonl",
            &text(|t| t.lines().take(10).collect::<Vec<_>>().join("\n")),
            "items.jsonl: 10 lines",
        ),
        (
            "items.jsonl",
            &|mut bytes| {
                bytes.truncate(bytes.len() - 20);
                bytes
            },
            "items.jsonl: line 11 is incomplete: the file was cut off",
        ),
        (
            "vectors.npy",
            &|mut bytes| {
                bytes.truncate(300);
                bytes
            },
            "vectors.npy: 300 bytes",
        ),
        (
            "vectors.npy",
            &|mut bytes| {
                bytes[128 + 52..128 + 104].fill(0);
                bytes
            },
            "items.jsonl: line 2: row 1 of vectors.npy: the vector has length 0",
        ),
    ];
    assert_eq!(changes.len(), 14);
    for (name, change, expected) in changes {
        let path = env.path("out").join(name);
        let before = fs_err::read(&path).unwrap();
        fs_err::write(&path, change(before.clone())).unwrap();
        let ran = env.fail(["import", "out", "--index", "new"]);
        assert!(
            ran.stderr().starts_with(&format!("error: out/{expected}")),
            "{expected}: {ran}"
        );
        let advice = if expected.contains("has version 2") {
            "update sightline"
        } else {
            "export the index again"
        };
        if expected.starts_with("index.json: the") || expected.contains("cut off") {
            assert!(ran.stderr().contains(advice), "{ran}");
        }
        assert!(!env.path("new").exists(), "{expected}");
        fs_err::write(&path, before).unwrap();
    }
    fs_err::remove_file(env.path("out/vectors.npy")).unwrap();
    let ran = env.fail(["import", "out"]);
    assert!(ran.stderr().contains("out/vectors.npy"), "{ran}");
}
