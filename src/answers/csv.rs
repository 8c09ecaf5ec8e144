//! Hits as rows of CSV: the columns of a table, and the cells of each hit.
//!
//! A cell holds a list with one element per line. A path is as in JSON: text, and its exact bytes
//! in base64 where that is not UTF-8.

use std::path::Path;

use super::PathAnswer;
use crate::engine::{CaptionHit, Confidence, SearchHit};

/// What a row says of a picture.
pub const IMAGE_COLUMNS: [&str; 16] = [
    "rank",
    "path",
    "path_base64",
    "other_paths",
    "confidence",
    "strength",
    "similarity",
    "by",
    "words",
    "captions",
    "caption",
    "width",
    "height",
    "camera",
    "taken",
    "places",
];

/// What a row says of a caption.
pub const CAPTION_COLUMNS: [&str; 10] = [
    "rank",
    "text",
    "confidence",
    "strength",
    "similarity",
    "words",
    "images",
    "count",
    "source",
    "source_base64",
];

/// The cells of a picture, under [`IMAGE_COLUMNS`], with its rank from 1.
#[must_use]
pub fn image_cells((rank, hit): (usize, &SearchHit)) -> [String; 16] {
    let [path, path_base64] = path_cells(hit.path());
    let by = [
        hit.rank_by_meaning.map(|_| "meaning"),
        hit.rank_by_words.map(|_| "words"),
        hit.caption.as_ref().map(|_| "caption"),
    ];
    let [confidence, strength] = confidence(hit.confidence);
    [
        rank.to_string(),
        path,
        path_base64,
        paths(hit.paths.get(1..).unwrap_or_default()),
        confidence,
        strength,
        optional(hit.similarity),
        list(by.into_iter().flatten()),
        list(&hit.words),
        list(&hit.captions),
        hit.caption
            .as_ref()
            .map(|caption| caption.text.clone())
            .unwrap_or_default(),
        hit.width.to_string(),
        hit.height.to_string(),
        hit.details.camera.clone().unwrap_or_default(),
        optional(hit.details.taken),
        list(&hit.details.places),
    ]
}

/// The cells of a caption, under [`CAPTION_COLUMNS`], with its rank from 1.
#[must_use]
pub fn caption_cells((rank, hit): (usize, &CaptionHit)) -> [String; 10] {
    let [source, source_base64] = path_cells(&hit.source);
    let [confidence, strength] = confidence(hit.confidence);
    [
        rank.to_string(),
        hit.text.clone(),
        confidence,
        strength,
        optional(hit.similarity),
        list(&hit.words),
        paths(&hit.pictures),
        hit.n_captions.to_string(),
        source,
        source_base64,
    ]
}

/// The value and the word for it.
fn confidence(confidence: Option<Confidence>) -> [String; 2] {
    let strength = confidence.map(|confidence| confidence.strength().as_str());
    [
        optional(confidence.map(Confidence::value)),
        strength.unwrap_or_default().to_owned(),
    ]
}

fn path_cells(path: &Path) -> [String; 2] {
    let PathAnswer { path, path_base64 } = path.into();
    [path.into_owned(), path_base64.unwrap_or_default()]
}

fn paths(paths: &[impl AsRef<Path>]) -> String {
    list(paths.iter().map(|path| path.as_ref().to_string_lossy()))
}

fn list(elements: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut cell = String::new();
    for element in elements {
        if !cell.is_empty() {
            cell.push('\n');
        }
        cell.push_str(element.as_ref());
    }
    cell
}

fn optional(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
