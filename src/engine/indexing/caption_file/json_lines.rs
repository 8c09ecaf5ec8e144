//! JSON lines, the format of our own captions files and data sets.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::lines::lines;
use super::rows::{CaptionFile, CaptionSet, RowPlace, add_captions};
use crate::engine::error::LineError;

/// Form of a line of a captions file or data set.
const LINE_FORM: &str = r#"{"image": "relative/path.jpg", "captions": ["…"]}"#;

/// The longest parser's message that is quoted, in characters.
const MAX_MESSAGE: usize = 160;

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct DatasetLine {
    image: PathBuf,
    captions: Vec<String>,
}

/// Reads JSON lines; paths in them are relative to `folder`.
pub(super) fn read(folder: &Path, reader: impl BufRead) -> io::Result<CaptionFile> {
    let mut file = CaptionFile::default();
    for (number, text) in (1..).zip(lines(reader)) {
        let text = text?;
        if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
            continue;
        }
        let at = RowPlace::Line(number);
        match parse(text.as_deref()) {
            Ok(DatasetLine { image, captions }) => {
                let mut texts = Vec::new();
                for text in captions {
                    add_captions(&text, at, &mut texts, &mut file.bad);
                }
                file.sets.push(CaptionSet {
                    image: Some(folder.join(image)),
                    at,
                    captions: texts,
                });
            }
            Err(reason) => file.refuse(at, reason),
        }
    }
    Ok(file.shortened("line"))
}

fn parse(text: Option<&str>) -> Result<DatasetLine, String> {
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
