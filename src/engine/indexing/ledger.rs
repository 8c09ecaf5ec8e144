//! Counts what happened to each file of a run, in the terms of its report.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sightline_index::ItemId;

use super::caption_file::RowPlace;
use crate::engine::report::{IndexReport, Skipped};

/// The report under construction.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) report: IndexReport,
    /// Files of the picture stage that are done, whatever became of them.
    pub(crate) n_settled: usize,
    /// Files that the index has with another size or time, and the image of each.
    known: HashMap<PathBuf, ItemId>,
    /// Images that got another path in this run, and how many: copies, until an old path of the
    /// same image turns out to be deleted, which makes one of them a move.
    linked: HashMap<ItemId, usize>,
}

impl Ledger {
    /// A file of the index has another size or time and will be read again.
    pub(crate) fn note_known(&mut self, path: &Path, image: ItemId) {
        self.known.insert(path.to_path_buf(), image);
    }

    /// Takes those files with the image that each had before the run.
    pub(crate) fn take_known(&mut self) -> HashMap<PathBuf, ItemId> {
        std::mem::take(&mut self.known)
    }

    pub(crate) fn was_known(&self, path: &Path) -> bool {
        self.known.contains_key(path)
    }

    /// Whether the index had this image under this path before the run.
    pub(crate) fn is_of(&self, path: &Path, image: ItemId) -> bool {
        self.known.get(path) == Some(&image)
    }

    /// A file was read and encoded.
    pub(crate) fn encoded(&mut self, path: &Path) {
        self.n_settled += 1;
        if self.was_known(path) {
            self.report.n_changed += 1;
        } else {
            self.report.n_added += 1;
        }
    }

    /// A file has the content of an image of the index.
    pub(crate) fn linked(&mut self, path: &Path, image: ItemId) {
        self.n_settled += 1;
        match self.known.get(path) {
            // At most its times changed.
            Some(&before) if before == image => {
                self.report.n_unchanged += 1;
                self.report.n_reread += 1;
            }
            Some(_) => self.report.n_changed_to_known += 1,
            None => *self.linked.entry(image).or_default() += 1,
        }
    }

    /// A file was skipped.
    pub(crate) fn skipped(&mut self, skipped: Skipped) {
        self.n_settled += 1;
        self.report.skipped.push(skipped);
    }

    /// A caption, or a row of a captions file, was skipped.
    pub(crate) fn skipped_caption(&mut self, source: &Path, at: Option<RowPlace>, reason: &str) {
        self.report.n_captions_skipped += 1;
        self.report.skipped.push(Skipped {
            path: source.to_path_buf(),
            reason: match at {
                Some(at) => format!("{at}: {reason}"),
                None => reason.to_owned(),
            },
        });
    }

    /// A file of the index was deleted.
    pub(crate) fn removed(&mut self, image: ItemId) {
        match self.linked.get_mut(&image) {
            Some(n) if *n > 0 => {
                *n -= 1;
                self.report.n_moved += 1;
            }
            _ => self.report.n_removed += 1,
        }
    }

    pub(crate) fn into_report(mut self) -> IndexReport {
        self.report.n_copies += self.linked.values().sum::<usize>();
        // Threads finish in any order.
        self.report.skipped.sort_by(|a, b| a.path.cmp(&b.path));
        self.report
    }
}
