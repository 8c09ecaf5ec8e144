//! Captions files of every format, good and bad.

use std::path::PathBuf;

use super::rows::MAX_CAPTION;
use super::*;

fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs_err::write(&path, bytes).unwrap();
    (folder, path)
}

fn texts(captions: &[CaptionText]) -> Vec<(&str, usize)> {
    let one = |caption: &CaptionText| match caption.at {
        Some(RowPlace::Line(line)) => line,
        other => panic!("{other:?}"),
    };
    captions
        .iter()
        .map(|caption| (&*caption.text, one(caption)))
        .collect()
}

fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{text}")
        .encode_utf16()
        .flat_map(to_bytes)
        .collect()
}

#[test]
fn images_in_json_lines_are_relative_to_the_file() {
    let line = b"\n{\"image\": \"a/b.jpg\", \"captions\": [\" one \", \"\", \"two\"]}\n";
    let (folder, path) = written("c.jsonl", line);
    let file = read_file(&path, None).unwrap();
    assert_eq!(file.bad, []);
    let [set] = file.sets.as_slice() else {
        panic!("{file:?}")
    };
    assert_eq!(set.image, Some(folder.path().join("a/b.jpg")));
    assert_eq!(
        (set.at, texts(&set.captions)),
        (RowPlace::Line(2), vec![("one", 2), ("two", 2)])
    );
}

#[test]
fn plain_text_is_a_list_of_captions_without_pictures() {
    let (_folder, path) = written("c.txt", "\u{feff}a red boat\r\n\r\n  a dog  \n".as_bytes());
    let file = read_file(&path, None).unwrap();
    let [set] = file.sets.as_slice() else {
        panic!("{file:?}")
    };
    assert_eq!(set.image, None);
    assert_eq!(texts(&set.captions), [("a red boat", 1), ("a dog", 3)]);
}

#[test]
fn every_encoding_and_line_end_gives_the_same_captions() {
    let mut n_cases = 0;
    for end in ["\n", "\r\n", "\r"] {
        let text = format!("Señor Gómez{end}{end} 猫 🐈 {end}third");
        let plain = text.clone().into_bytes();
        let marked = format!("\u{feff}{text}").into_bytes();
        let joined = format!("\u{feff}{}", text.replace(end, &format!("{end}\u{feff}")));
        for bytes in [
            plain,
            marked,
            joined.into_bytes(),
            utf16(&text, u16::to_le_bytes),
            utf16(&text, u16::to_be_bytes),
        ] {
            let (_folder, path) = written("c.txt", &bytes);
            let expected = [("Señor Gómez", 1), ("猫 🐈", 3), ("third", 4)];
            assert_eq!(
                texts(&read_sidecar(&path).unwrap().0),
                expected,
                "{bytes:x?}"
            );
            let file = read_file(&path, None).unwrap();
            assert_eq!(texts(&file.sets[0].captions), expected, "{bytes:x?}");
            n_cases += 1;
        }
    }
    assert_eq!(n_cases, 15);
    // Separators of lines and paragraphs, as some word processors write them.
    let (_folder, path) = written("c.txt", "a\u{2028}b\u{2029}c\u{85}d\n".as_bytes());
    let captions = read_sidecar(&path).unwrap().0;
    assert_eq!(texts(&captions), [("a", 1), ("b", 1), ("c", 1), ("d", 1)]);
}

#[test]
fn what_is_not_text_is_refused_as_a_whole() {
    let without_mark = &utf16("a dog", u16::to_le_bytes)[2..];
    let half = [&utf16("a dog\n", u16::to_be_bytes)[..], b"\0"].concat();
    let utf32 = b"\xff\xfe\0\0a\0\0\0";
    let surrogate = b"\xff\xfea\0\x3d\xd8\n\0";
    for bytes in [
        &b"a dog\ncaf\xe9\n"[..],
        without_mark,
        &half,
        utf32,
        surrogate,
    ] {
        let (_folder, path) = written("c.txt", bytes);
        let error = read_file(&path, None).unwrap_err();
        assert!(
            matches!(error, EngineError::NotText { .. }),
            "{bytes:x?}: {error}"
        );
        let error = read_sidecar(&path).unwrap_err();
        assert_eq!(error.to_string(), "not UTF-8 text", "{bytes:x?}");
    }
}

#[test]
fn each_bad_line_is_left_out_and_named_and_the_others_are_read() {
    let good = r#"{"image": "a.jpg", "captions": ["a dog"]}"#;
    let long = format!("{{\"image\": \"{}", "x".repeat(2_000_000));
    let wrong = format!("\"{}\"", "x".repeat(2_000_000));
    let bad: [&[u8]; 21] = [
        b"[1, 2]",
        br#"["a.jpg", ["a dog"]]"#,
        b"7",
        b"null",
        b"a dog",
        b"{}",
        br#"{"image": "a.jpg"}"#,
        br#"{"captions": ["a dog"]}"#,
        br#"{"image": 7, "captions": []}"#,
        br#"{"image": "a.jpg", "captions": "a dog"}"#,
        br#"{"image": "a.jpg", "captions": [7]}"#,
        br#"{"image": "a.jpg", "captions": ["a dog"#,
        br#"{"image": "a.jpg", "captions": ["a dog"]} {}"#,
        br#"{"image": "a.jpg", "captions": ["a \ud83d"]}"#,
        br#"{"image": "a.jpg", "image": "b.jpg", "captions": []}"#,
        br#"{"image": "", "captions": ["a dog"]}"#,
        b"{\"image\": \"a.jpg\", \"captions\": [\"caf\xe9\"]}",
        b"{\"image\": \"a.jpg\", \"captions\": [\"a\0dog\"]}",
        b"{\"image\": \"a.jpg\", \"captions\": [\"a\tdog\"]}",
        long.as_bytes(),
        wrong.as_bytes(),
    ];
    for bad in bad {
        for first in [true, false] {
            let lines = if first {
                [bad, b"\r\n", good.as_bytes()].concat()
            } else {
                [good.as_bytes(), b"\r\n", bad].concat()
            };
            let (_folder, path) = written("c.jsonl", &lines);
            let file = read_file(&path, None).unwrap();
            let shown = String::from_utf8_lossy(&bad[..bad.len().min(80)]);
            assert_eq!(file.sets.len(), 1, "{shown}");
            assert_eq!(texts(&file.sets[0].captions)[0].0, "a dog");
            let [line] = file.bad.as_slice() else {
                panic!("{shown}: {:?}", file.bad)
            };
            assert_eq!(
                (line.at, line.is_whole),
                (RowPlace::Line(if first { 1 } else { 2 }), true)
            );
            assert!(
                line.reason.chars().count() < 300,
                "{shown}: {}",
                line.reason
            );
            assert!(!line.reason.contains(char::is_control), "{:?}", line.reason);
        }
    }
}

#[test]
fn a_file_without_any_good_line_is_named_once() {
    let pretty = format!("{{\n{}}}\n", "  \"annotations\": [],\n".repeat(1000));
    let (_folder, path) = written("coco.json", pretty.as_bytes());
    let file = read_file(&path, None).unwrap();
    let [bad] = file.bad.as_slice() else {
        panic!("{:?}", file.bad)
    };
    assert_eq!((file.sets.len(), bad.at), (0, RowPlace::Line(1)));
    assert!(
        bad.reason.ends_with("; no other line is valid either"),
        "{}",
        bad.reason
    );
    let (_folder, path) = written("list.jsonl", b"\"images\"\n7\n");
    let bad = read_file(&path, None).unwrap().bad;
    assert_eq!(bad.len(), 2);
    for bad in bad {
        let reason = bad.reason;
        assert!(reason.contains(", expected an object at"), "{reason}");
    }
}

#[test]
fn a_bad_caption_costs_its_line_no_other() {
    let long = "x".repeat(MAX_CAPTION + 1);
    let line =
        format!("{{\"image\": \"a\", \"captions\": [\"a\\u0000b\", \"a dog\", \"{long}\"]}}\n");
    let (_folder, path) = written("c.jsonl", line.as_bytes());
    let file = read_file(&path, None).unwrap();
    assert_eq!(texts(&file.sets[0].captions), [("a dog", 1)]);
    let reasons: Vec<&str> = file.bad.iter().map(|line| line.reason.as_str()).collect();
    let too_long = "the caption is too long: 1048577 bytes, the limit is 1048576";
    assert_eq!(reasons, ["the caption contains a NUL character", too_long]);
    assert!(
        file.bad
            .iter()
            .all(|line| !line.is_whole && line.at == RowPlace::Line(1))
    );
}

#[test]
fn a_sidecar_has_a_largest_size() {
    let (_folder, path) = written("c.txt", b"a dog\n");
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(MAX_SIDECAR + 1).unwrap();
    let error = read_sidecar(&path).unwrap_err().to_string();
    assert_eq!(error, "larger than 16 MiB: not read as captions");
}

/// Pictures with their captions and where each was read; bad rows.
fn read_as(name: &str, text: &str, format: Option<CaptionFormat>) -> (Vec<String>, Vec<String>) {
    let (folder, path) = written(name, text.as_bytes());
    let file = read_file(&path, format).unwrap();
    let set = |set: &CaptionSet| {
        let image = set.image.as_deref().map_or("-".into(), |image| {
            image
                .strip_prefix(folder.path())
                .unwrap()
                .to_string_lossy()
                .into_owned()
        });
        let captions = set.captions.iter();
        let captions: Vec<String> = captions
            .map(|caption| format!("{} ({})", caption.text, caption.at.unwrap()))
            .collect();
        format!("{image}: {}", captions.join(", "))
    };
    let bad = |bad: &BadRow| format!("{}: {}", bad.at, bad.reason);
    (
        file.sets.iter().map(set).collect(),
        file.bad.iter().map(bad).collect(),
    )
}

#[test]
fn tables_are_recognized_by_their_header_whatever_separates_the_columns() {
    let tables = [
        (
            "captions.txt",
            "image,caption\nb/a.jpg,A dog .\nb/a.jpg,\"Two dogs, \"\"wet\"\"\"\nc.png,A cat",
        ),
        (
            "list.csv",
            "\u{feff}Caption;File Name\r\nA dog .;b/a.jpg\r\n\"Two dogs, \"\"wet\"\"\";b/a.jpg\r\n\
             A cat;\
             c.png\r\n",
        ),
        (
            "list.tsv",
            "id\tpath\ttext\r1\tb/a.jpg\tA dog .\r2\tb/a.jpg\t\"Two dogs, \"\"wet\"\"\"\r3\tc.png\t\
             A cat\r",
        ),
        (
            "results.csv",
            "image_name| comment_number| comment\nb/a.jpg| 0| A dog .\n\
             b/a.jpg| 1| Two dogs, \"wet\"\n\
             c.png| 0| A cat\n",
        ),
        (
            "any.token",
            "b/a.jpg#0\tA dog .\nb/a.jpg#1\tTwo dogs, \"wet\"\nc.png\tA cat\n",
        ),
    ];
    let mut n_tables = 0;
    for (name, text) in tables {
        let first = if name == "any.token" { 1 } else { 2 };
        let (sets, bad) = read_as(name, text, None);
        let expected = [
            format!(
                "b/a.jpg: A dog . (line {first}), Two dogs, \"wet\" (line {})",
                first + 1
            ),
            format!("c.png: A cat (line {})", first + 2),
        ];
        assert_eq!(sets, expected, "{name}");
        assert_eq!(bad, [""; 0], "{name}");
        n_tables += 1;
    }
    assert_eq!(n_tables, 5);
}

#[test]
fn bad_rows_of_tables_are_named_by_line_and_the_others_are_read() {
    let text = "image,caption\n\na.jpg,\"one\ntwo\"\n,nobody\nb.jpg\nc.jpg,three, four\n";
    let (sets, bad) = read_as("list.csv", text, None);
    assert_eq!(
        sets,
        [
            "a.jpg: one (line 3), two (line 3)",
            "c.jpg: three, four (line 7)"
        ]
    );
    let expected = [
        "line 5: the name of the picture is empty",
        "line 6: it has too few columns",
    ];
    assert_eq!(bad, expected);
    // In Flickr30k, one row lacks a bar, and Flickr8k has a name that no file has.
    let (sets, bad) = read_as(
        "results.csv",
        "image_name| comment_number| comment\na.jpg| 4   A dog\na.jpg| 5| A \"dog\n",
        None,
    );
    assert_eq!(sets, ["a.jpg: A \"dog (line 3)"]);
    assert_eq!(bad, ["line 2: it has too few columns"]);
    let text = "a.jpg.1#0\tA dog\nno tab\n\u{feff}b.jpg#1\tA cat\n";
    let (sets, bad) = read_as("f.token", text, None);
    assert_eq!(sets, ["a.jpg.1: A dog (line 1)", "b.jpg: A cat (line 3)"]);
    let expected = "line 2: expected a picture's name, a tab and its caption";
    assert_eq!(bad, [expected]);
    // A quotation mark that is never closed does not make captions of the rest.
    let open = format!(
        "image,caption\na.jpg,\"open\n{}",
        "b.jpg,a cat\n".repeat(200)
    );
    let (sets, bad) = read_as("list.csv", &open, None);
    assert_eq!(sets, [""; 0]);
    let expected = "line 2: a field in quotes goes on over the next lines, which were not read: \
                    its closing quotation mark is missing";
    assert_eq!(bad, [expected]);
    // Nor of a few rows, whether or not a later row has a quotation mark too.
    for (end, n_after) in [("", 0), ("d.jpg,\"a cup\"\ne.jpg,a tree\n", 1)] {
        let open = format!("image,caption\na.jpg,\"open\nb.jpg,a cat\nc.jpg,a dog\n{end}");
        let (sets, bad) = read_as("list.csv", &open, None);
        assert_eq!(
            (sets.len(), &bad[..]),
            (n_after, &[expected.to_owned()][..]),
            "{open}"
        );
    }
    let lines = "image,caption\na.jpg,\"two\nlines, one.jpg\"\n";
    assert_eq!(read_as("list.csv", lines, None).1, [""; 0]);
    // Other encodings than UTF-8.
    let (_folder, path) = written("list.csv", b"image,caption\na.jpg,caf\xe9\nb.jpg,a bar\n");
    let file = read_file(&path, None).unwrap();
    assert_eq!((file.sets.len(), file.bad.len()), (1, 1));
    assert_eq!(file.bad[0].reason, "not UTF-8 text");
    assert!(file.bad[0].is_whole);
    let (_folder, path) = written(
        "list.csv",
        &utf16("image,caption\na.jpg,caf\u{e9}\n", u16::to_le_bytes),
    );
    let file = read_file(&path, None).unwrap();
    assert_eq!(texts(&file.sets[0].captions), [("caf\u{e9}", 2)]);
}

const COCO: &str = r#"{"info": {"year": 2017, "images": 2},
"images": [{"id": 7, "file_name": "7.jpg", "height": 4}, {"id": 8, "file_name": "8.jpg"}, {"id": 9},
           {"id": 10, "file_name": "10.jpg"}],
"annotations": [{"image_id": 8, "id": 1, "caption": "A cat.\n"},
                {"image_id": 7, "id": 2, "caption": "A dog."},
                {"image_id": 99, "id": 3, "caption": "Nobody."},
                {"image_id": 7, "id": 4, "caption": 5}, 17,
                {"image_id": 7, "id": 5, "caption": "Two dogs."}]}"#;

const KARPATHY: &str = r#"{"images": [
 {"filepath": "val2014", "filename": "7.jpg", "sentids": [0, 1], "imgid": 0, "split": "test",
  "sentences": [{"tokens": ["a", "dog"], "raw": "A dog.", "imgid": 0, "sentid": 0},
                {"tokens": ["two", "dogs"]}, {"sentid": 2}]},
 {"filename": "8.jpg", "sentences": [{"raw": "A cat."}]}, {"sentences": []}], "dataset": "coco"}"#;

#[test]
fn data_sets_in_one_document_are_recognized_however_they_are_laid_out() {
    let mut n_files = 0;
    for name in ["captions.json", "captions"] {
        for text in [
            COCO.to_owned(),
            COCO.replace('\n', " "),
            format!("\u{feff}\n{COCO}"),
        ] {
            let (sets, bad) = read_as(name, &text, None);
            let expected = [
                "7.jpg: A dog. (annotations[1]), Two dogs. (annotations[5])",
                "8.jpg: A cat. (annotations[0])",
            ];
            assert_eq!(sets, expected);
            let form = "expected an object with `image_id` and `caption`";
            let expected = [
                "images[2]: expected an object with `id` and `file_name`".to_owned(),
                "annotations[2]: `images` has no picture with the id 99".to_owned(),
                format!("annotations[3]: {form}"),
                format!("annotations[4]: {form}"),
            ];
            assert_eq!(bad, expected);
            n_files += 1;
        }
        let (sets, bad) = read_as(name, KARPATHY, None);
        let expected = [
            "val2014/7.jpg: A dog. (images[0]), two dogs (images[0])",
            "8.jpg: A cat. (images[1])",
        ];
        assert_eq!(sets, expected);
        let expected = [
            "images[0]: a sentence without `raw` or `tokens`",
            "images[2]: expected an object with `filename` and `sentences`",
        ];
        assert_eq!(bad, expected);
        n_files += 1;
    }
    assert_eq!(n_files, 8);
    // Objects of another kind, and one that is cut off.
    let lines = r#"{"image": "a.jpg", "captions": ["images"]}"#;
    assert_eq!(read_as("l.json", lines, None).0, ["a.jpg: images (line 1)"]);
    for text in [r#"{"images": []}"#, r#"{"images": [{"id": 1}], "x": 1}"#] {
        let (_folder, path) = written("captions.json", text.as_bytes());
        let error = read_file(&path, None).unwrap_err();
        assert!(
            error.to_string().contains("has neither the `annotations`"),
            "{error}"
        );
    }
    let (_folder, path) = written("captions.json", &COCO.as_bytes()[..300]);
    let error = read_file(&path, None).unwrap_err();
    assert!(
        matches!(error, EngineError::CaptionsDocument { .. }),
        "{error}"
    );
}

#[test]
fn an_unclear_table_is_refused_and_a_format_can_be_named() {
    let headless = "a.jpg,A dog\nb.jpg,A cat\n";
    let unclear = [
        ("list.txt", headless),
        ("list.csv", "name,words\na.jpg,A dog\n"),
        ("list.tsv", "a dog\na cat\n"),
    ];
    for (name, text) in unclear {
        let (_folder, path) = written(name, text.as_bytes());
        let error = read_file(&path, None).unwrap_err();
        assert!(
            matches!(error, EngineError::UnclearCaptions { .. }),
            "{error}"
        );
        let as_text = read_file(&path, Some(CaptionFormat::Text)).unwrap();
        assert_eq!(as_text.sets[0].captions.len(), 2, "{name}");
    }
    // A table that is a list of captions to those who say so, and the reverse.
    let table = "image,caption\na.jpg,A dog\n";
    let (sets, _) = read_as("list.csv", table, Some(CaptionFormat::Text));
    assert_eq!(sets, ["-: image,caption (line 1), a.jpg,A dog (line 2)"]);
    let (_folder, path) = written("list.csv", table.as_bytes());
    for format in [CaptionFormat::Tsv, CaptionFormat::Coco] {
        assert!(read_file(&path, Some(format)).is_err(), "{format:?}");
    }
    let (sets, _) = read_as("list", "a.jpg\tA dog\n", Some(CaptionFormat::Tokens));
    assert_eq!(sets, ["a.jpg: A dog (line 1)"]);
    let (_folder, path) = written("captions.json", COCO.as_bytes());
    assert!(read_file(&path, Some(CaptionFormat::Karpathy)).is_err());
    let lines = read_file(&path, Some(CaptionFormat::JsonLines)).unwrap();
    assert_eq!((lines.sets.len(), lines.is_by_name), (0, false));
    // Text that only mentions pictures is text.
    let text = "a dog, a.jpg\nimage, caption and more\n";
    let (sets, _) = read_as("words.txt", text, None);
    assert_eq!(sets.len(), 1);
}
