//! What is asked for, and what was found: plain data with public fields.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use sightline_index::{ItemId, Moment};

use crate::engine::decode::DecodeOptions;
use crate::engine::report::Skipped;

/// What [`Engine::duplicates`](crate::Engine::duplicates) looks for.
#[derive(Debug, Clone, Default)]
pub struct DuplicatesRequest {
    /// Only groups with a file in this folder or below it; their other files may be elsewhere.
    pub folder: Option<PathBuf>,
    /// Only files with the same content. No picture is read then.
    pub exact_only: bool,
    /// How pictures that may look the same are read.
    pub decode: DecodeOptions,
}

/// A file in a group of duplicates, as it is on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct DuplicateFile {
    /// The file.
    pub path: PathBuf,
    /// The image of the index that it has.
    pub id: ItemId,
    /// Width in pixels, upright.
    pub width: u32,
    /// Height in pixels, upright.
    pub height: u32,
    /// Size in bytes.
    pub n_bytes: u64,
    /// When the picture was taken, as far as the file says.
    pub taken: Option<Moment>,
    /// Cosine of its vector and that of the file to keep, −1…1; `None` if the content is the same.
    pub similarity: Option<f32>,
    /// Number of bits, of 256, in which its perceptual hash differs from that of the file to keep.
    pub hash_distance: u32,
}

/// Files that show the same picture.
#[derive(Debug, Clone, PartialEq)]
pub struct DuplicateGroup {
    /// The file to keep. Each of the others looks the same as this one.
    pub keep: DuplicateFile,
    /// Why that one, and not the next best.
    pub reason: KeepReason,
    /// The others, at least one, best first.
    pub others: Vec<DuplicateFile>,
}

impl DuplicateGroup {
    /// Whether all of its files have the same content.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.others.iter().all(|file| file.similarity.is_none())
    }

    /// Size in bytes of all files but the one to keep.
    #[must_use]
    pub fn n_bytes_of_others(&self) -> u64 {
        self.others.iter().map(|file| file.n_bytes).sum()
    }
}

/// What [`Engine::duplicates`](crate::Engine::duplicates) found.
#[derive(Debug, Clone, Default)]
pub struct DuplicatesReport {
    /// The groups, by the path of the file to keep. No file is in two of them.
    pub groups: Vec<DuplicateGroup>,
    /// Images that were compared with their nearest ones, or with `exact_only`, checked for copies.
    pub n_compared: usize,
    /// Files that were left out because they are missing, changed or cannot be read, and why.
    pub skipped: Vec<Skipped>,
    /// Whether the run was stopped before all images were compared.
    pub interrupted: bool,
    /// Wall time.
    pub elapsed: Duration,
}

/// Why a file is kept and not the next best: the first of these in which the two differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeepReason {
    /// It is what the others were made from: camera RAW or a drawing (SVG). The sizes of such files
    /// do not count, being those of a preview.
    Source,
    /// It has more pixels.
    MorePixels,
    /// Its format, by its name, is one without loss, and that of the other is not.
    Lossless,
    /// It is the larger file.
    LargerFile,
    /// It says when the picture was taken, and the other does not.
    Dated,
    /// The picture was taken earlier, as the files say.
    TakenEarlier,
    /// Nothing in its name says that it is a copy.
    PlainName,
    /// It was changed last before the other one was.
    OlderFile,
    /// Its name is shorter.
    ShorterName,
    /// Its path comes first in order.
    FirstPath,
}

impl KeepReason {
    /// The reason in a few words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Source => "camera RAW or drawing",
            Self::MorePixels => "more pixels",
            Self::Lossless => "lossless format",
            Self::LargerFile => "larger file",
            Self::Dated => "says when it was taken",
            Self::TakenEarlier => "taken earlier",
            Self::PlainName => "not named as a copy",
            Self::OlderFile => "older file",
            Self::ShorterName => "shorter name",
            Self::FirstPath => "first by path",
        }
    }
}

/// Reasons by file, so that a file met twice is named once.
pub(super) type SkippedFiles = BTreeMap<PathBuf, String>;

/// The same, sorted by path.
pub(super) fn into_skipped(skipped: SkippedFiles) -> Vec<Skipped> {
    let skipped = skipped.into_iter();
    skipped
        .map(|(path, reason)| Skipped { path, reason })
        .collect()
}
