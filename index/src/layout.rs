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

    /// The bytes of all files of the index; what cannot be read counts nothing.
    pub(crate) fn n_bytes(&self) -> u64 {
        fn of_folder(folder: &Path) -> u64 {
            let Ok(entries) = fs_err::read_dir(folder) else {
                return 0;
            };
            entries
                .flatten()
                .map(|entry| match entry.metadata() {
                    Ok(data) if data.is_dir() => of_folder(&entry.path()),
                    Ok(data) => data.len(),
                    Err(_) => 0,
                })
                .sum()
        }
        of_folder(&self.dir)
    }
}
