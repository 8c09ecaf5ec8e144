//! Hits as rows of CSV: the columns of a table, and the cells of each hit.
//!
//! A cell holds a list with one element per line. A path is as in JSON: text, and its exact bytes
//! in base64 where that is not UTF-8.

use std::path::Path;

use super::PathAnswer;
use crate::engine::{CaptionHit, Confidence, PhraseHit, SearchHit, Tag, TaggedPicture};

/// What a row says of a picture.
pub const IMAGE_COLUMNS: [&str; 18] = [
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
    "keywords",
    "tags",
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

/// What a row says of a phrase of the bank.
pub const PHRASE_COLUMNS: [&str; 6] = [
    "rank",
    "text",
    "group",
    "confidence",
    "strength",
    "similarity",
];

/// What a row says of a tag of a picture.
pub const TAG_COLUMNS: [&str; 7] = [
    "path",
    "path_base64",
    "tag",
    "set",
    "confidence",
    "strength",
    "similarity",
];

/// The cells of a picture, under [`IMAGE_COLUMNS`], with its rank from 1.
#[must_use]
pub fn image_cells((rank, hit): (usize, &SearchHit)) -> [String; 18] {
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
        list(&hit.details.keywords),
        list(&hit.tags),
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

/// The cells of a phrase of the bank, under [`PHRASE_COLUMNS`], with its rank from 1.
#[must_use]
pub fn phrase_cells((rank, hit): (usize, &PhraseHit)) -> [String; 6] {
    let [confidence, strength] = confidence(hit.confidence);
    [
        rank.to_string(),
        hit.text.clone(),
        hit.group.to_owned(),
        confidence,
        strength,
        hit.similarity.to_string(),
    ]
}

/// The cells of a tag of a picture, under [`TAG_COLUMNS`].
#[must_use]
pub fn tag_cells((picture, tag): (&TaggedPicture, &Tag)) -> [String; 7] {
    let [path, path_base64] = path_cells(&picture.path);
    let [confidence, strength] = confidence(Some(tag.confidence));
    [
        path,
        path_base64,
        tag.name.clone(),
        tag.set.clone().unwrap_or_default(),
        confidence,
        strength,
        tag.similarity.to_string(),
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
