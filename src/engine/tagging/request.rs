//! What tagging is asked for, and what it did.

use std::path::PathBuf;

use sightline_onnx::Language as TextLanguage;

pub use crate::engine::bank::labels::RepeatedLabel;
use crate::engine::report::{BankReport, Skipped};
use crate::engine::search::Confidence;

/// The default of [`TagRequest::min_confidence`]. On the sample photos, three quarters of the tags
/// of at least this confidence are right (benches/RESULTS.md).
pub const MIN_TAG_CONFIDENCE: f32 = 0.5;

/// Pictures that are tagged between two reports of progress.
pub(super) const BATCH: usize = 64;

/// What to tag and how; for [`Engine::tag`](crate::Engine::tag).
#[derive(Debug, Clone, PartialEq)]
pub struct TagRequest {
    /// Picture files, and folders, which are walked as in indexing.
    pub paths: Vec<PathBuf>,
    /// Pictures without a file, each with the name that it has in the report. They come before
    /// those of `paths`; none of them gets a sidecar or is in the index.
    pub given: Vec<(PathBuf, Vec<u8>)>,
    /// A file with one label per line; `None`: the tags of the bank.
    pub labels: Option<PathBuf>,
    /// Leaves out tags of which less is likely, 0…1.
    pub min_confidence: f32,
    /// The language of the labels of a file, or that in which the bank's tags are shown: in Chinese
    /// for Chinese, else in English. `None`: that of the index.
    pub language: Option<TextLanguage>,
    /// Adds the tags to the keywords in the pictures' XMP sidecars.
    pub write_xmp: bool,
    /// Stores the tags in the index, in place of those stored before. Pictures that are not in it
    /// are left out.
    pub save: bool,
}

impl TagRequest {
    /// The tags of the bank for these files and folders.
    pub fn new(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self {
            paths: paths.into_iter().map(Into::into).collect(),
            given: Vec::new(),
            labels: None,
            min_confidence: MIN_TAG_CONFIDENCE,
            language: None,
            write_xmp: false,
            save: false,
        }
    }
}

/// A tag of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    /// The tag.
    pub name: String,
    /// The set of tags of which a picture has at most one: `place`, `time` and so on.
    pub set: Option<String>,
    /// Cosine of picture and tag, −1…1.
    pub similarity: f32,
    /// How likely the picture has it.
    pub confidence: Confidence,
}

/// An XMP sidecar with the tags of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagSidecar {
    /// The file.
    pub path: PathBuf,
    /// Whether it was written; if not, it had all of the tags.
    pub is_changed: bool,
}

/// A picture and its tags, the most likely first.
#[derive(Debug, Clone, PartialEq)]
pub struct TaggedPicture {
    /// The file, as it was found.
    pub path: PathBuf,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Its sidecar; `None` if none was asked for, there are no tags, or it could not be written.
    pub sidecar: Option<TagSidecar>,
}

/// Labels of a file that were left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelReport {
    /// Those that the file has again. The first of each counts.
    pub repeated: Vec<RepeatedLabel>,
    /// Those of which the model knows no part.
    pub unknown: Vec<String>,
}

/// What [`Engine::tag`](crate::Engine::tag) did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TagReport {
    /// The pictures, in the order of the request; those of a folder by path.
    pub pictures: Vec<TaggedPicture>,
    /// Pictures that could not be read or encoded.
    pub skipped: Vec<Skipped>,
    /// Sidecars that could not be changed, and are as they were.
    pub unwritten: Vec<Skipped>,
    /// Images of the index whose tags were stored.
    pub n_saved: usize,
    /// Pictures whose tags were not stored since they are not in the index.
    pub n_not_indexed: usize,
    /// Work after the commit that failed, and why: the next run does it.
    pub postponed: Vec<String>,
    /// What became of the bank's file of vectors.
    pub bank: BankReport,
    /// Labels that were left out.
    pub labels: LabelReport,
    /// Whether `progress` stopped the run. What was stored and written stays.
    pub interrupted: bool,
}

/// The names of some tags.
pub(super) fn names(tags: &[Tag]) -> Vec<String> {
    tags.iter().map(|tag| tag.name.clone()).collect()
}
