//! Which missing files of a library were probably not deleted, but are on a disk that is not
//! mounted now.
//!
//! A missing folder was deleted, and so was a file whose folder still has others. A folder
//! that is there but empty, and had many files whose content is nowhere else now, looks like the
//! mount point of a disk that is not mounted. Where the index knows that a file was on another disk
//! than its library folder, it need not guess: the disk is there or not.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use sightline_index::FileRecord;

use super::walk::disk_of;

/// From this many files on, an empty folder is taken for a mount point.
const MANY: usize = 10;

/// Up to this many files, an empty folder was emptied by its owner. In between, it depends on
/// whether most of the library was in it.
const FEW: usize = 3;

/// A file of the index that is not in its library folder any more.
pub(crate) struct Missing<'a> {
    pub(crate) path: &'a Path,
    pub(crate) record: &'a FileRecord,
    /// Whether its content was found under another path.
    pub(crate) is_elsewhere: bool,
}

/// A library folder as it is now.
pub(crate) struct LibraryState<'a> {
    folder: &'a Path,
    /// The disk of the folder.
    disk: Option<u64>,
    /// Number of files that the index has from it.
    n_known: usize,
}

impl<'a> LibraryState<'a> {
    pub(crate) fn new(folder: &'a Path, n_known: usize) -> Self {
        Self {
            folder,
            disk: disk_of(folder),
            n_known,
        }
    }
}

/// The nearest existing folder above a file.
#[derive(Clone)]
struct Nearest {
    folder: PathBuf,
    is_empty: bool,
    disk: Option<u64>,
}

/// Why the files of a folder may be unavailable.
#[derive(Default)]
struct Suspect<'a> {
    paths: Vec<&'a Path>,
    n_lost: usize,
    /// Whether the files were on another disk, which is not there.
    is_unmounted: bool,
}

/// The folders that seem to be unavailable, each with those of the missing files that were in it.
pub(crate) fn unavailable<'a>(
    place: &LibraryState<'_>,
    missing: impl Iterator<Item = Missing<'a>>,
) -> BTreeMap<PathBuf, Vec<&'a Path>> {
    let mut nearest: HashMap<&Path, Option<Nearest>> = HashMap::new();
    let mut suspects: BTreeMap<PathBuf, Suspect<'_>> = BTreeMap::new();
    for Missing {
        path,
        record,
        is_elsewhere,
    } in missing
    {
        let Some(parent) = path.parent() else {
            continue;
        };
        let found = nearest
            .entry(parent)
            .or_insert_with(|| nearest_to(parent, place.folder));
        let Some(found) = found else { continue };
        let was_mounted = record.change.is_some_and(|change| change.is_mounted);
        let is_unmounted = was_mounted && found.disk == place.disk;
        let folder = if found.is_empty && found.folder != place.folder {
            found.folder.clone()
        } else if is_unmounted {
            // Some systems remove the mount point with the disk; in others it holds a file that
            // says what is missing.
            let below = parent.strip_prefix(&found.folder).unwrap_or(parent);
            let first = below.components().next();
            first.map_or_else(|| parent.to_path_buf(), |first| found.folder.join(first))
        } else {
            continue;
        };
        let suspect = suspects.entry(folder).or_default();
        suspect.paths.push(path);
        suspect.n_lost += usize::from(!is_elsewhere);
        suspect.is_unmounted |= is_unmounted;
    }
    suspects.retain(|_, suspect| {
        suspect.n_lost > 0 && (suspect.is_unmounted || suspect.was_full(place.n_known))
    });
    let paths = suspects.into_iter();
    paths
        .map(|(folder, suspect)| (folder, suspect.paths))
        .collect()
}

impl Suspect<'_> {
    /// Whether more was lost than a person deletes without deleting the folder. Files that were
    /// moved elsewhere are not lost.
    fn was_full(&self, n_known: usize) -> bool {
        let is_most_of = |n: usize| self.n_lost * 2 >= n;
        let is_many = self.n_lost >= MANY || (self.n_lost > FEW && is_most_of(n_known));
        is_many && is_most_of(self.paths.len())
    }
}

/// The nearest existing folder at or above `folder`, up to the library folder.
fn nearest_to(folder: &Path, library: &Path) -> Option<Nearest> {
    let at_or_above = folder.ancestors();
    let mut inside = at_or_above.take_while(|folder| folder.starts_with(library));
    inside.find_map(|folder| {
        let entries = fs_err::read_dir(folder).ok()?;
        let mut names = entries.flatten().map(|entry| entry.file_name());
        Some(Nearest {
            folder: folder.to_path_buf(),
            is_empty: names.all(|name| name.as_encoded_bytes().starts_with(b".")),
            disk: disk_of(folder),
        })
    })
}

#[cfg(test)]
mod tests {
    use sightline_index::{ChangeStamp, ItemId};

    use super::*;

    fn record(is_mounted: Option<bool>) -> FileRecord {
        FileRecord {
            n_bytes: 1,
            modified_ns: 1,
            image: ItemId(1),
            change: is_mounted.map(|is_mounted| ChangeStamp {
                changed_ns: 1,
                n_false_alarms: 0,
                is_mounted,
            }),
        }
    }

    /// Numbers of files held back, by folder below the library.
    fn held_back(
        library: &Path,
        (n_known, n_elsewhere): (usize, usize),
        record: &FileRecord,
        missing: &[PathBuf],
    ) -> Vec<(String, usize)> {
        let place = LibraryState::new(library, n_known);
        let missing = missing.iter().enumerate().map(|(number, path)| Missing {
            path,
            record,
            is_elsewhere: number < n_elsewhere,
        });
        let found = unavailable(&place, missing).into_iter();
        let below = |folder: &Path| folder.strip_prefix(library).unwrap().display().to_string();
        found
            .map(|(folder, paths)| (below(&folder), paths.len()))
            .collect()
    }

    #[test]
    fn a_folder_that_is_there_but_empty_and_had_many_files_is_held_back() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path();
        fs_err::create_dir_all(library.join("empty/.Trash")).unwrap();
        fs_err::create_dir(library.join("used")).unwrap();
        fs_err::write(library.join("used/notes.md"), "").unwrap();
        // Folder of the files, number of them, of the known ones, of those found elsewhere.
        let rows = [
            ("empty", 10, 1000, 0, Some("empty")),
            ("empty/disk/2019", 10, 1000, 0, Some("empty")),
            ("empty", 9, 1000, 0, None),
            ("empty", 4, 8, 0, Some("empty")),
            ("empty", 4, 9, 0, None),
            ("empty", 3, 3, 0, None),
            // Sorted into other folders, but for some.
            ("empty", 40, 1000, 31, None),
            ("empty", 40, 1000, 30, None),
            ("empty", 40, 1000, 20, Some("empty")),
            ("used", 100, 100, 0, None),
            ("gone", 100, 100, 0, None),
            ("", 100, 100, 0, None),
        ];
        assert_eq!(rows.len(), 12);
        for stamped in [None, Some(false)] {
            for (below, n, n_known, n_elsewhere, expected) in rows {
                let path = |number| library.join(below).join(format!("{number}.jpg"));
                let missing: Vec<PathBuf> = (0..n).map(path).collect();
                let expected = expected.map(|folder| (folder.to_owned(), n));
                let counts = (n_known, n_elsewhere);
                let found = held_back(library, counts, &record(stamped), &missing);
                assert_eq!(
                    found,
                    Vec::from_iter(expected),
                    "{n} of {n_known} in {below}"
                );
            }
        }
    }

    #[test]
    fn files_of_a_disk_that_is_not_mounted_are_held_back_however_few() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path();
        for below in ["empty", "used"] {
            fs_err::create_dir(library.join(below)).unwrap();
        }
        fs_err::write(library.join("used/a.jpg"), "").unwrap();
        let rows = [
            ("empty/a.jpg", Some("empty")),
            ("empty/2019/a.jpg", Some("empty")),
            ("gone/a.jpg", Some("gone")),
            ("gone/2019/a.jpg", Some("gone")),
            ("used/disk/a.jpg", Some("used/disk")),
            // A mount point that holds a file of its own.
            ("used/b.jpg", Some("used")),
        ];
        assert_eq!(rows.len(), 6);
        for (below, expected) in rows {
            let missing = [library.join(below)];
            let expected = expected.map(|folder| (folder.to_owned(), 1));
            let found = held_back(library, (1000, 0), &record(Some(true)), &missing);
            assert_eq!(found, Vec::from_iter(expected), "{below}");
            let found = held_back(library, (1000, 1), &record(Some(true)), &missing);
            assert_eq!(found, [], "{below} is elsewhere");
        }
    }
}
