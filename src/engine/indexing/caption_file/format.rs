//! Which format a captions file has, by its content.

use std::io::{BufRead, Read as _};
use std::path::Path;

use super::document;
use super::lines::{self, LineFeeds, text_of};
use super::table::{Header, is_headless_row, token};
use crate::engine::EngineError;

/// The format of a captions file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptionFormat {
    /// One caption per line, which belong to no picture.
    Text,
    /// A JSON object per line: `{"image": "a.jpg", "captions": ["…"]}`.
    JsonLines,
    /// A table with a header that names a picture and a caption column, separated by commas,
    /// semicolons or vertical bars: CSV, Kaggle's `captions.txt`, Flickr30k's `results.csv`.
    Csv,
    /// The same, separated by tabs.
    Tsv,
    /// `photo.jpg#0`, a tab and a caption per line: the token files of Flickr8k and Flickr30k.
    Tokens,
    /// COCO's captions: one JSON document with `images` and `annotations`.
    Coco,
    /// Karpathy's `dataset_*.json`: one JSON document with `images` and their `sentences`.
    Karpathy,
}

/// What a file is read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReadAs {
    Text,
    JsonLines,
    Table(Header),
    Tokens,
    Document(Option<document::DatasetKind>),
}

/// How much of a file's start is searched for its first line.
const START: u64 = 1 << 16;

/// Extensions of JSON lines, whatever the first line looks like.
const JSON_LINES: [&str; 2] = ["jsonl", "ndjson"];

/// How to read a file: as the format that was asked for, or else as its content and name say.
///
/// # Errors
/// When it cannot be read, is a table without a usable header, or could be one.
pub(super) fn reading(path: &Path, wanted: Option<CaptionFormat>) -> Result<ReadAs, EngineError> {
    let unclear = |what| EngineError::UnclearCaptions {
        path: path.to_path_buf(),
        what,
    };
    let first = first_line(path)?;
    let table = |is_tsv: bool| {
        let header = Header::find(&first).filter(|header| (header.delimiter == b'\t') == is_tsv);
        let what = "its first line does not name a picture and a caption column";
        header.map(ReadAs::Table).ok_or_else(|| unclear(what))
    };
    match wanted {
        Some(CaptionFormat::Text) => return Ok(ReadAs::Text),
        Some(CaptionFormat::JsonLines) => return Ok(ReadAs::JsonLines),
        Some(CaptionFormat::Csv) => return table(false),
        Some(CaptionFormat::Tsv) => return table(true),
        Some(CaptionFormat::Tokens) => return Ok(ReadAs::Tokens),
        Some(CaptionFormat::Coco) => {
            return Ok(ReadAs::Document(Some(document::DatasetKind::Coco)));
        }
        Some(CaptionFormat::Karpathy) => {
            return Ok(ReadAs::Document(Some(document::DatasetKind::Karpathy)));
        }
        None => {}
    }
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    let is_named = |names: &[&str]| names.iter().any(|name| extension == *name);
    if is_named(&JSON_LINES) {
        return Ok(ReadAs::JsonLines);
    }
    if is_named(&["json"]) || first.trim_start().starts_with('{') {
        return Ok(if document::is_document(lines::open(path)?) {
            ReadAs::Document(None)
        } else {
            ReadAs::JsonLines
        });
    }
    if token(&first).is_some() {
        return Ok(ReadAs::Tokens);
    }
    if let Some(header) = Header::find(&first) {
        return Ok(ReadAs::Table(header));
    }
    if is_named(&["csv", "tsv"]) || is_headless_row(&first) {
        let what = "looks like a table, but its first line does not name a picture and a caption \
                    column";
        return Err(unclear(what));
    }
    Ok(ReadAs::Text)
}

/// The first line that is not blank; empty if it is not text or there is none.
fn first_line(path: &Path) -> Result<String, EngineError> {
    let start = lines::open(path)?.take(START);
    for line in std::io::BufReader::new(LineFeeds::new(start)).split(b'\n') {
        let line = line?;
        match text_of(&line) {
            Some(text) if text.trim().is_empty() => {}
            text => return Ok(text.unwrap_or_default().to_owned()),
        }
    }
    Ok(String::new())
}
