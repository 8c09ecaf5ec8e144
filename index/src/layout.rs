//! Which file of an index is where?

use std::path::{Path, PathBuf};

use crate::item::ItemKind;

/// The paths inside the folder of an index.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    dir: PathBuf,
}

impl Layout {
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.dir.join("manifest.json")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    pub(crate) fn gate(&self) -> PathBuf {
        self.dir.join("gate")
    }

    pub(crate) fn records(&self) -> PathBuf {
        self.dir.join("records")
    }

    pub(crate) fn words(&self) -> PathBuf {
        self.dir.join("words")
    }

    pub(crate) fn graphs(&self) -> PathBuf {
        self.dir.join("graphs")
    }

    pub(crate) fn graph(&self, kind: ItemKind) -> PathBuf {
        self.graphs().join(match kind {
            ItemKind::Image => "image.graph",
            ItemKind::Caption => "caption.graph",
        })
    }

    /// Whether every entry of the folder could be one of ours, as after a creation that was cut short.
    pub(crate) fn holds_nothing_else(&self) -> std::io::Result<bool> {
        const OURS: [&str; 7] = [
            "manifest.json",
            "manifest.json.tmp",
            "lock",
            "gate",
            "records",
            "words",
            "graphs",
        ];
        for entry in fs_err::read_dir(&self.dir)? {
            let name = entry?.file_name();
            if !OURS.iter().any(|ours| name == *ours) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Records that are being made from what can be read of damaged ones.
    pub(crate) fn new_records(&self) -> PathBuf {
        self.dir.join("records.new")
    }

    /// Damaged records that were replaced.
    pub(crate) fn damaged_records(&self) -> PathBuf {
        self.dir.join("records.damaged")
    }

    /// A folder to work in while records are repaired.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.dir.join("records.tmp")
    }

    /// The bytes of all files of the index; what cannot be read counts nothing.
    pub(crate) fn n_bytes(&self) -> u64 {
        n_bytes_in(&self.dir)
    }
}

/// The bytes of all files in a folder and below; what cannot be read counts nothing.
pub(crate) fn n_bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = fs_err::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => n_bytes_in(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}
