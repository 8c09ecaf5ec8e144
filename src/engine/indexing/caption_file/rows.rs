//! What files of captions say, whatever their format.

use std::fmt;
use std::path::PathBuf;

/// The longest caption, in bytes. Nobody writes longer ones, and tokenizing them takes long.
pub(super) const MAX_CAPTION: usize = 1 << 20;

/// Bad rows that are named one by one when a file has no good one.
pub(super) const MAX_NAMED: usize = 10;

/// Where something stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowPlace {
    /// A line, from 1.
    Line(usize),
    /// An entry of a list in a JSON document, from 0: `annotations[17]`.
    Entry {
        /// The key of the list.
        list: &'static str,
        /// Its place in the list.
        number: usize,
    },
}

impl fmt::Display for RowPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(formatter, "line {line}"),
            Self::Entry { list, number } => write!(formatter, "{list}[{number}]"),
        }
    }
}

/// A caption and where it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaptionText {
    /// Trimmed, not empty.
    pub(crate) text: String,
    /// `None` when unknown.
    pub(crate) at: Option<RowPlace>,
}

/// Captions that a file gives a picture, or that a plain list gives none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaptionSet {
    /// The picture's path as written, joined to the file's folder; `None` in a plain list.
    pub(crate) image: Option<PathBuf>,
    /// Where the picture is named first; line 1 for a plain list.
    pub(crate) at: RowPlace,
    /// In order.
    pub(crate) captions: Vec<CaptionText>,
}

/// A row, or a caption in it, that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadRow {
    pub(crate) at: RowPlace,
    pub(crate) reason: String,
    /// Whether it is not even known which picture the row is about.
    pub(crate) is_whole: bool,
}

/// What a file of captions says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct CaptionFile {
    pub(crate) sets: Vec<CaptionSet>,
    pub(crate) bad: Vec<BadRow>,
    /// Whether such files name pictures that lie elsewhere by their file names alone.
    pub(crate) is_by_name: bool,
}

impl CaptionFile {
    /// Notes a row of which nothing can be used.
    pub(super) fn refuse(&mut self, at: RowPlace, reason: impl Into<String>) {
        let reason = reason.into();
        self.bad.push(BadRow {
            at,
            reason,
            is_whole: true,
        });
    }

    /// Names the first bad row alone if there are many and no good one: the file is something else.
    pub(super) fn shortened(mut self, row: &str) -> Self {
        if self.sets.is_empty() && self.bad.len() > MAX_NAMED {
            self.bad.truncate(1);
            for bad in &mut self.bad {
                let more = format!("; no other {row} is valid either");
                bad.reason.push_str(&more);
            }
        }
        self
    }
}

/// Adds the captions in a text. The ends of lines that only some programs know separate them too.
pub(super) fn add_captions(
    text: &str,
    at: RowPlace,
    captions: &mut Vec<CaptionText>,
    bad: &mut Vec<BadRow>,
) {
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
                    at: Some(at),
                });
            }
            continue;
        };
        bad.push(BadRow {
            at,
            reason,
            is_whole: false,
        });
    }
}
