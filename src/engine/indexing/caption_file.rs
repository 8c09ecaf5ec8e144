//! Reads files of captions: sidecars, plain lists, and JSON lines.
//!
//! Text is UTF-8, or UTF-16 with a byte order mark. Lines end with LF, CR or both. Of JSON lines
//! each bad one is left out and named; a plain text has no structure to tell its lines apart by, so
//! if one of them is not text, none is read.

use std::borrow::Cow;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::engine::EngineError;
use crate::engine::error::LineError;

/// Form of a line of a captions file or data set.
const LINE_FORM: &str = r#"{"image": "relative/path.jpg", "captions": ["…"]}"#;

/// The longest caption, in bytes. Nobody writes longer ones, and tokenizing them takes long.
const MAX_CAPTION: usize = 1 << 20;

/// The largest sidecar, in bytes. A larger text beside a picture is something else.
const MAX_SIDECAR: u64 = 16 << 20;

/// The longest parser's message that is quoted, in characters.
const MAX_MESSAGE: usize = 160;

/// Bad lines that are named one by one when a file has no good one.
const MAX_NAMED: usize = 10;

/// Extensions of JSON lines, whatever the first line looks like.
const JSON_EXTENSIONS: [&str; 3] = ["jsonl", "ndjson", "json"];

/// A caption and the line that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaptionText {
    /// Trimmed, not empty.
    pub(crate) text: String,
    /// From 1; `None` when unknown.
    pub(crate) line: Option<usize>,
}

/// Captions that a line gives a picture, or that a plain list gives none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaptionSet {
    /// The picture's path as written, joined to the file's folder; `None` in a plain list.
    pub(crate) image: Option<PathBuf>,
    /// The line, from 1; 1 for a plain list.
    pub(crate) line: usize,
    /// In order.
    pub(crate) captions: Vec<CaptionText>,
}

/// A line, or a caption in it, that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadLine {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) reason: String,
    /// Whether it is not even known which picture the line is about.
    pub(crate) is_whole: bool,
}

/// What a file of captions says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct CaptionFile {
    pub(crate) sets: Vec<CaptionSet>,
    pub(crate) bad: Vec<BadLine>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct DatasetLine {
    image: PathBuf,
    captions: Vec<String>,
}

/// Reads a captions file: JSON lines when its extension says so or its first line that is not blank
/// starts with `{`, otherwise a plain list with one caption per line, which belong to no picture.
pub(crate) fn read_file(path: &Path) -> Result<CaptionFile, EngineError> {
    let bytes = fs_err::read(path)?;
    let lines = lines_of(&bytes);
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    let is_named_json = JSON_EXTENSIONS.iter().any(|json| extension == *json);
    let is_blank =
        |line: &&Option<Cow<'_, str>>| matches!(line, Some(text) if text.trim().is_empty());
    let first = lines.iter().find(|line| !is_blank(line));
    let is_json =
        is_named_json || matches!(first, Some(Some(text)) if text.trim_start().starts_with('{'));
    if is_json {
        return Ok(parse_json_lines(path, &lines));
    }
    let mut file = CaptionFile::default();
    let captions = plain(path, &lines, &mut file.bad)?;
    file.sets.push(CaptionSet {
        image: None,
        line: 1,
        captions,
    });
    Ok(file)
}

/// Reads a captions file of JSON lines, the form of data sets.
pub(crate) fn read_json_lines(path: &Path) -> Result<CaptionFile, EngineError> {
    Ok(parse_json_lines(path, &lines_of(&fs_err::read(path)?)))
}

/// Reads a sidecar: one caption per line, for the picture that it is beside.
pub(crate) fn read_sidecar(path: &Path) -> Result<(Vec<CaptionText>, Vec<BadLine>), SidecarError> {
    let mut bytes = Vec::new();
    let file = fs_err::File::open(path)?;
    file.take(MAX_SIDECAR + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_SIDECAR {
        return Err(SidecarError::TooLarge);
    }
    let mut bad = Vec::new();
    match plain(path, &lines_of(&bytes), &mut bad) {
        Ok(captions) => Ok((captions, bad)),
        Err(_) => Err(SidecarError::NotText),
    }
}

/// Why a sidecar could not be read; whoever reports it names the file beside it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SidecarError {
    #[error("not UTF-8 text")]
    NotText,
    #[error("larger than {} MiB: not read as captions", MAX_SIDECAR >> 20)]
    TooLarge,
    #[error("{}", .0.kind())]
    Io(#[from] std::io::Error),
}

/// The lines of a text without their ends; `None` for one that is not text.
fn lines_of(bytes: &[u8]) -> Vec<Option<Cow<'_, str>>> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16_lines(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16_lines(rest, u16::from_be_bytes),
        _ => split(bytes, b'\r', b'\n')
            .map(|line| Some(Cow::Borrowed(without_mark(str::from_utf8(line).ok()?))))
            .map(|line| line.filter(|text| !text.contains('\0')))
            .collect(),
    }
}

fn utf16_lines(bytes: &[u8], from_bytes: fn([u8; 2]) -> u16) -> Vec<Option<Cow<'_, str>>> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|&pair| from_bytes(pair)).collect();
    let mut lines: Vec<Option<Cow<'_, str>>> = split(&units, u16::from(b'\r'), u16::from(b'\n'))
        .map(|line| {
            let text = String::from_utf16(line).ok()?;
            (!text.contains('\0')).then(|| Cow::Owned(without_mark(&text).to_owned()))
        })
        .collect();
    if !rest.is_empty() {
        // Half a character at the end.
        lines.push(None);
    }
    lines
}

/// Parts between line ends: CR, LF, or CR and LF together.
fn split<T: Copy + PartialEq>(units: &[T], cr: T, lf: T) -> impl Iterator<Item = &[T]> {
    let mut rest = Some(units);
    std::iter::from_fn(move || {
        let units = rest?;
        let Some(end) = units.iter().position(|&unit| unit == cr || unit == lf) else {
            rest = None;
            return Some(units);
        };
        let is_pair = units[end] == cr && units.get(end + 1) == Some(&lf);
        rest = Some(&units[end + 1 + usize::from(is_pair)..]);
        Some(&units[..end])
    })
}

/// Editors on Windows begin UTF-8 files with a byte order mark; joined files have it in the middle.
fn without_mark(line: &str) -> &str {
    line.trim_start_matches('\u{feff}')
}

/// The captions of a plain text.
fn plain(
    path: &Path,
    lines: &[Option<Cow<'_, str>>],
    bad: &mut Vec<BadLine>,
) -> Result<Vec<CaptionText>, EngineError> {
    let mut captions = Vec::new();
    for (number, line) in (1..).zip(lines) {
        let Some(line) = line else {
            return Err(EngineError::NotText {
                path: path.to_path_buf(),
            });
        };
        add_captions(line, number, &mut captions, bad);
    }
    Ok(captions)
}

/// Adds the captions in a text. The ends of lines that only some programs know separate them too.
fn add_captions(text: &str, line: usize, captions: &mut Vec<CaptionText>, bad: &mut Vec<BadLine>) {
    let is_end = |c: char| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    for text in text.split(is_end).map(str::trim) {
        let reason = if text.len() > MAX_CAPTION {
            format!(
                "the caption is too long: {} bytes, the limit is {MAX_CAPTION}",
                text.len()
            )
        } else if text.contains('\0') {
            "the caption contains a NUL character".to_owned()
        } else {
            if !text.is_empty() {
                captions.push(CaptionText {
                    text: text.to_owned(),
                    line: Some(line),
                });
            }
            continue;
        };
        bad.push(BadLine {
            line,
            reason,
            is_whole: false,
        });
    }
}

fn parse_json_lines(path: &Path, lines: &[Option<Cow<'_, str>>]) -> CaptionFile {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut file = CaptionFile::default();
    for (line, text) in (1..).zip(lines) {
        if matches!(text, Some(text) if text.trim().is_empty()) {
            continue;
        }
        match parse_json_line(text.as_deref()) {
            Ok(DatasetLine { image, captions }) => {
                let mut lines = Vec::new();
                for text in captions {
                    add_captions(&text, line, &mut lines, &mut file.bad);
                }
                file.sets.push(CaptionSet {
                    image: Some(folder.join(image)),
                    line,
                    captions: lines,
                });
            }
            Err(reason) => file.bad.push(BadLine {
                line,
                reason,
                is_whole: true,
            }),
        }
    }
    // Something else than JSON lines, such as one value over many lines.
    if file.sets.is_empty() && file.bad.len() > MAX_NAMED {
        file.bad.truncate(1);
        for bad in &mut file.bad {
            bad.reason.push_str("; no other line is valid either");
        }
    }
    file
}

fn parse_json_line(text: Option<&str>) -> Result<DatasetLine, String> {
    let text = text.ok_or("not UTF-8 text")?;
    let line: DatasetLine = serde_json::from_str(text).map_err(|error| {
        let message = LineError(error).to_string();
        let message = match message.char_indices().nth(MAX_MESSAGE) {
            Some((end, _)) => format!("{}…", &message[..end]),
            None => message,
        };
        format!("expected {LINE_FORM}: {message}")
    })?;
    // A list of the values would be read too.
    if !text.trim_start().starts_with('{') {
        return Err(format!("expected {LINE_FORM}"));
    }
    if line.image.as_os_str().is_empty() {
        return Err("the name of the picture is empty".to_owned());
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs_err::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn texts(captions: &[CaptionText]) -> Vec<(&str, usize)> {
        let one = |caption: &CaptionText| caption.line.unwrap();
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
        let file = read_file(&path).unwrap();
        assert_eq!(file.bad, []);
        let [set] = file.sets.as_slice() else {
            panic!("{file:?}")
        };
        assert_eq!(set.image, Some(folder.path().join("a/b.jpg")));
        assert_eq!(
            (set.line, texts(&set.captions)),
            (2, vec![("one", 2), ("two", 2)])
        );
    }

    #[test]
    fn plain_text_is_a_list_of_captions_without_pictures() {
        let (_folder, path) = written("c.txt", "\u{feff}a red boat\r\n\r\n  a dog  \n".as_bytes());
        let file = read_file(&path).unwrap();
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
                let file = read_file(&path).unwrap();
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
            let error = read_file(&path).unwrap_err();
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
                let file = read_file(&path).unwrap();
                let shown = String::from_utf8_lossy(&bad[..bad.len().min(80)]);
                assert_eq!(file.sets.len(), 1, "{shown}");
                assert_eq!(texts(&file.sets[0].captions)[0].0, "a dog");
                let [line] = file.bad.as_slice() else {
                    panic!("{shown}: {:?}", file.bad)
                };
                assert_eq!(
                    (line.line, line.is_whole),
                    (if first { 1 } else { 2 }, true)
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
        let pretty = format!("{{\n{}}}\n", "  \"images\": [],\n".repeat(1000));
        let (_folder, path) = written("coco.json", pretty.as_bytes());
        let file = read_file(&path).unwrap();
        let [bad] = file.bad.as_slice() else {
            panic!("{:?}", file.bad)
        };
        assert_eq!((file.sets.len(), bad.line), (0, 1));
        assert!(
            bad.reason.ends_with("; no other line is valid either"),
            "{}",
            bad.reason
        );
        let (_folder, path) = written("list.jsonl", b"\"images\"\n7\n");
        let bad = read_file(&path).unwrap().bad;
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
        let file = read_file(&path).unwrap();
        assert_eq!(texts(&file.sets[0].captions), [("a dog", 1)]);
        let reasons: Vec<&str> = file.bad.iter().map(|line| line.reason.as_str()).collect();
        let too_long = "the caption is too long: 1048577 bytes, the limit is 1048576";
        assert_eq!(reasons, ["the caption contains a NUL character", too_long]);
        assert!(file.bad.iter().all(|line| !line.is_whole && line.line == 1));
    }

    #[test]
    fn a_sidecar_has_a_largest_size() {
        let (_folder, path) = written("c.txt", b"a dog\n");
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(MAX_SIDECAR + 1).unwrap();
        let error = read_sidecar(&path).unwrap_err().to_string();
        assert_eq!(error, "larger than 16 MiB: not read as captions");
    }
}
