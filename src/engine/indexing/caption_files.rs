//! Where do captions come from? Sidecars (`photo.txt` beside `photo.jpg`) and captions files.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::engine::EngineError;
use crate::engine::error::LineError;

/// The form of a line of a captions file or data set.
const LINE_FORM: &str = r#"{"image": "relative/path.jpg", "captions": ["…"]}"#;

/// Captions of one picture, or of none, as a file gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaptionSet {
    /// The picture's path as written, joined to the file's folder; `None` in a plain text list.
    pub(crate) image: Option<PathBuf>,
    /// Trimmed, without empty ones, in order.
    pub(crate) captions: Vec<String>,
}

#[derive(Deserialize)]
struct Line {
    image: PathBuf,
    captions: Vec<String>,
}

/// Reads a captions file: JSON lines when its first line that is not blank starts with `{`,
/// otherwise plain text with one caption a line, bound to no picture.
pub(crate) fn read(path: &Path) -> Result<Vec<CaptionSet>, EngineError> {
    let text = read_text(path)?;
    if text.trim_start().starts_with('{') {
        return parse_lines(path, &text);
    }
    Ok(vec![CaptionSet {
        image: None,
        captions: captions_of_text(&text),
    }])
}

/// Reads JSON lines only, as data sets are written.
pub(crate) fn read_json_lines(path: &Path) -> Result<Vec<CaptionSet>, EngineError> {
    parse_lines(path, &read_text(path)?)
}

/// Reads a sidecar: one caption a line.
pub(crate) fn read_sidecar(path: &Path) -> Result<Vec<String>, EngineError> {
    Ok(captions_of_text(&read_text(path)?))
}

/// The names a picture's sidecar may have: `photo.txt` and `photo.jpg.txt`.
pub(crate) fn sidecars_of(picture: &Path) -> [PathBuf; 2] {
    let mut appended = picture.as_os_str().to_owned();
    appended.push(".txt");
    [picture.with_extension("txt"), PathBuf::from(appended)]
}

fn read_text(path: &Path) -> Result<String, EngineError> {
    let bytes = fs_err::read(path)?;
    let text = String::from_utf8(bytes).map_err(|_| EngineError::NotText {
        path: path.to_path_buf(),
    })?;
    // Editors on Windows begin UTF-8 files with a byte order mark.
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}

fn captions_of_text(text: &str) -> Vec<String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

fn parse_lines(path: &Path, text: &str) -> Result<Vec<CaptionSet>, EngineError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut sets = Vec::new();
    for (number, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let line: Line = serde_json::from_str(line).map_err(|error| EngineError::BadLine {
            path: path.to_path_buf(),
            line: number + 1,
            form: LINE_FORM,
            source: LineError(error),
        })?;
        let captions = line
            .captions
            .iter()
            .flat_map(|text| captions_of_text(text))
            .collect();
        sets.push(CaptionSet {
            image: Some(folder.join(line.image)),
            captions,
        });
    }
    Ok(sets)
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

    #[test]
    fn json_lines_are_joined_to_their_folder() {
        let (folder, path) = written(
            "c.jsonl",
            b"\n{\"image\": \"a/b.jpg\", \"captions\": [\" one \", \"\", \"two\"]}\n",
        );
        let expected = CaptionSet {
            image: Some(folder.path().join("a/b.jpg")),
            captions: vec!["one".into(), "two".into()],
        };
        assert_eq!(read(&path).unwrap(), [expected]);
    }

    #[test]
    fn plain_text_is_a_list_of_captions_of_no_picture() {
        let (_folder, path) = written("c.txt", "\u{feff}a red boat\r\n\n  a dog  \n".as_bytes());
        let expected = CaptionSet {
            image: None,
            captions: vec!["a red boat".into(), "a dog".into()],
        };
        assert_eq!(read(&path).unwrap(), [expected]);
    }

    #[test]
    fn a_bad_line_is_named_by_file_and_number() {
        let (_folder, path) = written(
            "c.jsonl",
            b"{\"image\": \"a.jpg\", \"captions\": []}\n{\"picture\": 1}\n",
        );
        let message = read(&path).unwrap_err().to_string();
        assert!(
            message.contains("c.jsonl: line 2: not of the form"),
            "{message}"
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let (_folder, path) = written("c.txt", b"caf\xe9\n");
        assert!(matches!(read(&path), Err(EngineError::NotText { .. })));
    }

    #[test]
    fn sidecar_names() {
        let names = sidecars_of(Path::new("/p/a.b.jpg"));
        assert_eq!(
            names,
            [PathBuf::from("/p/a.b.txt"), PathBuf::from("/p/a.b.jpg.txt")]
        );
    }
}
