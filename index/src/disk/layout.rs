//! The paths of the files and folders of an index.
//!
//! The data folders `records`, `graphs` and `words` are in the index folder itself or in a
//! subfolder `data-2`, `data-3`…, as the manifest says. Any other folder of such a name is a
//! successor of this index or a leftover.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::IndexError;
use crate::item::ItemKind;

/// Suffix of a data folder that is being deleted.
pub(crate) const GONE: &str = ".gone";

/// The folder in which a repair makes damaged records readable.
pub(crate) const SCRATCH: &str = "records.tmp";

/// The paths in the folder of an index.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    dir: PathBuf,
    data: PathBuf,
}

/// The number of the data in the index folder itself.
pub(crate) const FIRST_DATA: u32 = 1;

/// The name of a data folder; empty for the index folder itself.
pub(crate) fn data_name(number: u32) -> String {
    if number == FIRST_DATA {
        String::new()
    } else {
        format!("data-{number}")
    }
}

/// The number of a data folder, or none when `name` is not the name of one.
pub(crate) fn data_number(name: &str) -> Option<u32> {
    let number = match name.strip_prefix("data-") {
        Some(number) => number.parse().ok()?,
        None => FIRST_DATA,
    };
    (data_name(number) == name).then_some(number)
}

/// The name of a folder of damaged data that a repair kept.
pub(crate) fn damaged_name(number: u32) -> String {
    format!("damaged-{number}")
}

/// The number in such a name, or none when `name` is another one.
pub(crate) fn damaged_number(name: &str) -> Option<u32> {
    let number = name.strip_prefix("damaged-")?.parse().ok()?;
    (number > 0 && damaged_name(number) == name).then_some(number)
}

impl Layout {
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            data: dir.to_owned(),
        }
    }

    /// The same index with its data in the folder `name`, see [`data_name`].
    pub(crate) fn with_data(&self, name: &str) -> Self {
        let dir = self.dir.clone();
        let data = if name.is_empty() {
            dir.clone()
        } else {
            dir.join(name)
        };
        Self { dir, data }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder of the data.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Whether there is a database.
    pub(crate) fn has_records(&self) -> bool {
        self.records().join("CURRENT").exists()
    }

    /// Whether the folder of the records contains any: tables, or logs that are not empty. The
    /// creation of a database leaves none when it is interrupted.
    ///
    /// # Errors
    /// When the folder cannot be read. A missing one is empty.
    pub(crate) fn has_any_records(&self) -> Result<bool, IndexError> {
        for entry in entries(&self.records())? {
            let path = entry.path();
            let ending = path.extension().and_then(|ending| ending.to_str());
            let is_empty = || entry.metadata().is_ok_and(|data| data.len() == 0);
            if ending == Some("sst") || (ending == Some("log") && !is_empty()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The name of the folder of the data, see [`data_name`].
    pub(crate) fn name(&self) -> String {
        let name = self.data.strip_prefix(&self.dir).unwrap_or(&self.data);
        name.to_string_lossy().into_owned()
    }

    /// The numbers of the existing data folders, newest first, without the index folder itself.
    ///
    /// # Errors
    /// When the folder cannot be read. A missing one is empty.
    pub(crate) fn data_folders(&self) -> Result<Vec<u32>, IndexError> {
        let entries = entries(&self.dir)?.into_iter();
        let mut numbers: Vec<u32> = entries
            .filter_map(|entry| data_number(entry.file_name().to_str()?))
            .collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        Ok(numbers)
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.dir.join("manifest.json")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    pub(crate) fn records(&self) -> PathBuf {
        self.data.join("records")
    }

    pub(crate) fn words(&self) -> PathBuf {
        self.data.join("words")
    }

    pub(crate) fn graphs(&self) -> PathBuf {
        self.data.join("graphs")
    }

    pub(crate) fn graph(&self, kind: ItemKind) -> PathBuf {
        self.graphs().join(match kind {
            ItemKind::Image => "image.graph",
            ItemKind::Caption => "caption.graph",
        })
    }

    /// The file of a graph segment. Number 0 is the one graph of an index of format 2.
    pub(crate) fn segment(&self, kind: ItemKind, number: u64) -> PathBuf {
        let name = match kind {
            ItemKind::Image => "image",
            ItemKind::Caption => "caption",
        };
        match number {
            0 => self.graph(kind),
            number => self.graphs().join(format!("{name}-{number}.graph")),
        }
    }

    /// The file of the hub biases of images.
    pub(crate) fn hubs(&self) -> PathBuf {
        self.graphs().join("image.hubs")
    }

    /// The graph files of both kinds, listed in the records or not, and temporary ones.
    ///
    /// # Errors
    /// When the folder cannot be read. A missing one is empty.
    pub(crate) fn graph_files(&self) -> io::Result<Vec<GraphFile>> {
        let entries = match fs_err::read_dir(self.graphs()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            if let Some((kind, number, is_temporary)) = name.to_str().and_then(parse_graph) {
                files.push(GraphFile {
                    path: entry.path(),
                    kind,
                    number,
                    is_temporary,
                });
            }
        }
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Whether every entry of the folder may belong to an index, as after an interrupted creation.
    pub(crate) fn holds_nothing_else(&self) -> io::Result<bool> {
        const KNOWN: [&str; 11] = [
            "manifest.json",
            "manifest.json.tmp",
            "lock",
            "gate",
            "records",
            "words",
            "graphs",
            "records.damaged",
            "records.new",
            SCRATCH,
            "repair.json",
        ];
        for entry in fs_err::read_dir(&self.dir)? {
            let name = entry?.file_name();
            let is_data = name.to_str().is_some_and(|name| {
                data_number(name.trim_end_matches(GONE)).is_some() || damaged_number(name).is_some()
            });
            if !is_data && !KNOWN.iter().any(|known| name == *known) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Deletes a file or folder of the index if it exists.
    pub(crate) fn discard(&self, path: &Path) -> Result<(), IndexError> {
        if path.is_dir() {
            self.discarded(path, fs_err::remove_dir_all(path))
        } else {
            self.discard_file(path)
        }
    }

    /// Deletes a file of the index if it exists. A folder in its place is an error.
    pub(crate) fn discard_file(&self, path: &Path) -> Result<(), IndexError> {
        self.discarded(path, fs_err::remove_file(path))
    }

    fn discarded(&self, path: &Path, removed: io::Result<()>) -> Result<(), IndexError> {
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(IndexError::writing(&self.dir, path, error))
            }
            _ => Ok(()),
        }
    }

    /// Size of all files of the index in bytes. Unreadable files count as 0.
    pub(crate) fn n_bytes(&self) -> u64 {
        n_bytes_in(&self.dir)
    }
}

/// The entries of a folder; none if it is missing.
fn entries(folder: &Path) -> Result<Vec<fs_err::DirEntry>, IndexError> {
    let read = || fs_err::read_dir(folder)?.collect::<io::Result<Vec<_>>>();
    match read() {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(Vec::new())
        }
        read => read.map_err(|source| IndexError::Io {
            path: folder.to_owned(),
            source,
        }),
    }
}

/// A file in the folder of the graphs.
#[derive(Debug)]
pub(crate) struct GraphFile {
    pub(crate) path: PathBuf,
    pub(crate) kind: ItemKind,
    /// See [`Layout::segment`].
    pub(crate) number: u64,
    /// Whether it was being written.
    pub(crate) is_temporary: bool,
}

/// The kind and number of a graph file, and whether it is a temporary one.
fn parse_graph(name: &str) -> Option<(ItemKind, u64, bool)> {
    let (name, is_temporary) = match name.strip_suffix(".tmp") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let name = name.strip_suffix(".graph")?;
    let (kind, rest) = match name.strip_prefix("image") {
        Some(rest) => (ItemKind::Image, rest),
        None => (ItemKind::Caption, name.strip_prefix("caption")?),
    };
    let number = match rest.strip_prefix('-') {
        Some(number) => number.parse().ok()?,
        None if rest.is_empty() => 0,
        None => return None,
    };
    Some((kind, number, is_temporary))
}

/// Size of all files in a folder and its subfolders in bytes. Unreadable files count as 0.
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
