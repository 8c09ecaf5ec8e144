//! Opens or creates the records and the manifest of an index for a writer.

use std::io;
use std::path::Path;

use super::upgrade::record_facets;
use crate::atomic;
use crate::derived;
use crate::disk::layout::{FIRST_DATA, Layout, data_name};
use crate::disk::manifest::{Binding, Manifest};
use crate::disk::steps::{Step, Steps};
use crate::error::{IndexError, Within};
use crate::graph::codes;
use crate::item::Generation;
use crate::records::read::Records;
use crate::records::store::Store;

/// Checks the records for lost commits without changing anything. RocksDB deletes files that it
/// considers obsolete when it opens a database for writing.
fn refuse_lost_records(layout: &Layout, manifest: &Manifest) -> Result<(), IndexError> {
    let seen = derived::newest_seen(layout, manifest)?;
    let store = Store::open_read_only(&layout.records()).within(layout.dir())?;
    store.require_columns().within(layout.dir())?;
    let found = store.generation().within(layout.dir())?;
    derived::refuse_lost_commits(layout, seen, found)
}

/// Refuses vectors that the graphs cannot compare.
pub(super) fn check_dimension(binding: &Binding) -> Result<(), IndexError> {
    let (dimension, largest) = (binding.dimension, codes::MAX_DIMENSION);
    if dimension > largest {
        return Err(IndexError::DimensionTooLarge { dimension, largest });
    }
    Ok(())
}

/// Creates the folder, or refuses one that contains something else.
pub(super) fn prepare_folder(layout: &Layout) -> Result<(), IndexError> {
    let dir = layout.dir();
    if !dir.exists() {
        return create_folder(dir).map_err(|source| IndexError::writing(dir, dir, source));
    }
    if !dir.is_dir()
        || !layout
            .holds_nothing_else()
            .map_err(|source| IndexError::Io {
                path: dir.to_owned(),
                source,
            })?
    {
        return Err(IndexError::NotAnIndex {
            dir: dir.to_owned(),
        });
    }
    Ok(())
}

/// Creates a folder and its parents, durably.
fn create_folder(dir: &Path) -> io::Result<()> {
    let dir = std::path::absolute(dir)?;
    let made: Vec<&Path> = dir
        .ancestors()
        .take_while(|above| !above.exists())
        .collect();
    fs_err::create_dir_all(&dir)?;
    made.iter()
        .filter_map(|made| made.parent())
        .try_for_each(atomic::sync_folder)
}

/// Opens or creates the records and the manifest. Returns the layout with the folder of the data.
///
/// The manifest is written last and marks the index as complete. A missing or damaged one is
/// restored from its copy in the records. New records are made only where there are none, damaged
/// or not: the data that the manifest does not name are deleted afterwards. An older format is
/// upgraded, and the facets that it lacks are recorded.
///
/// # Errors
/// When the index has another model or format, its records are damaged, or the folder is not
/// writable.
pub(super) fn open_records(
    layout: &Layout,
    binding: &Binding,
    steps: Steps,
) -> Result<(Layout, Manifest, Store), IndexError> {
    let dir = layout.dir();
    let has_records = layout.has_records() || !layout.data_folders()?.is_empty();
    let found = match Manifest::read(layout) {
        Ok(found) => found,
        Err(IndexError::Damaged { .. }) if has_records => None,
        Err(error) => return Err(error),
    };
    let known = match &found {
        Some(manifest) => Some(manifest.clone()),
        None => match data_without_manifest(layout)? {
            Unnamed::Current(manifest) => Some(manifest),
            Unnamed::Nothing => None,
            Unnamed::Damaged(_) => {
                return Err(IndexError::Damaged {
                    path: layout.manifest(),
                    what: "neither it nor its copy in the records can be read",
                });
            }
        },
    };
    let (layout, store) = match &known {
        Some(manifest) => open_present(layout, manifest, binding)?,
        None => create(layout)?,
    };
    let io_error = |source| IndexError::Io {
        path: layout.records(),
        source,
    };
    let manifest = match &known {
        Some(manifest) => manifest.upgraded(),
        None => Manifest::new(binding),
    };
    let bytes = manifest.to_bytes().map_err(io_error)?;
    // The copy first: a crash in between leaves the old manifest, and the next writer repeats this.
    if store.manifest_copy().within(dir)?.as_deref() != Some(bytes.as_slice()) {
        store.write_manifest_copy(&bytes).within(dir)?;
    }
    if known.is_none() {
        steps.reach(Step::RecordsCreated).map_err(io_error)?;
    }
    if found.as_ref() != Some(&manifest) {
        steps.reach(Step::UpgradeCopied).map_err(io_error)?;
        manifest.write(&layout)?;
    }
    // After the manifest, so that an older program refuses the index by its format.
    record_facets(&layout, &store, steps)?;
    Ok((layout, manifest, store))
}

/// Opens the data that a manifest names.
fn open_present(
    layout: &Layout,
    manifest: &Manifest,
    binding: &Binding,
) -> Result<(Layout, Store), IndexError> {
    manifest.check_binding(layout.dir(), binding)?;
    let layout = layout.with_data(&manifest.data);
    if !layout.has_records() {
        return Err(IndexError::Damaged {
            path: layout.records(),
            what: "its records are missing",
        });
    }
    refuse_lost_records(&layout, manifest)?;
    let store = Store::open(&layout.records(), false).within(layout.dir())?;
    Ok((layout, store))
}

/// Creates empty records, or completes those of an interrupted creation.
fn create(layout: &Layout) -> Result<(Layout, Store), IndexError> {
    let layout = layout.with_data(&data_name(FIRST_DATA));
    let (dir, path) = (layout.dir(), layout.records());
    fs_err::create_dir_all(&path).map_err(|source| IndexError::writing(dir, &path, source))?;
    let store = Store::open(&path, true).within(dir)?;
    Ok((layout, store))
}

/// What is in the folder of an index whose manifest is missing or damaged.
pub(crate) enum Unnamed {
    /// Data whose records state that they are current, in their copy of the manifest.
    Current(Manifest),
    /// Data in the folder of this name, and none that are known to be current.
    Damaged(String),
    /// No data. There may be records that contain nothing, of an interrupted creation.
    Nothing,
}

impl Unnamed {
    /// The name of the folder of the data.
    pub(crate) fn folder(&self) -> String {
        match self {
            Self::Current(manifest) => manifest.data.clone(),
            Self::Damaged(name) => name.clone(),
            Self::Nothing => data_name(FIRST_DATA),
        }
    }
}

/// Finds the data of an index without a manifest: the newest whose records state that they are
/// current, unless newer ones are damaged. The records of an unfinished successor, which has a
/// manifest of its own until the switch, state otherwise.
///
/// # Errors
/// When something cannot be read for another reason than damage, so that it is not known, or the
/// index has an unsupported format.
pub(crate) fn data_without_manifest(layout: &Layout) -> Result<Unnamed, IndexError> {
    let mut found = Unnamed::Nothing;
    for number in layout.data_folders()?.into_iter().chain([FIRST_DATA]) {
        let name = data_name(number);
        let candidate = layout.with_data(&name);
        match copy_in(&candidate)? {
            Copy::Nothing => continue,
            Copy::Of(manifest) if manifest.data == name => return Ok(Unnamed::Current(manifest)),
            Copy::Unreadable if !Layout::new(candidate.data()).manifest().exists() => {
                return Ok(Unnamed::Damaged(name));
            }
            Copy::Of(_) | Copy::Unreadable => {}
        }
        if matches!(found, Unnamed::Nothing) {
            found = Unnamed::Damaged(name);
        }
    }
    Ok(found)
}

/// The copy of the manifest in the records of a data folder.
enum Copy {
    Of(Manifest),
    /// It is damaged, or the records are.
    Unreadable,
    /// There are no records, or nothing was ever committed to them.
    Nothing,
}

fn copy_in(candidate: &Layout) -> Result<Copy, IndexError> {
    if !candidate.has_records() {
        return Ok(if candidate.has_any_records()? {
            Copy::Unreadable
        } else {
            Copy::Nothing
        });
    }
    let store = Store::open_read_only(&candidate.records());
    match store.and_then(|store| Ok((store.manifest_copy()?, store.generation()?))) {
        Ok((Some(copy), _)) => match Manifest::parse(candidate, &copy) {
            Ok(manifest) => Ok(Copy::Of(manifest)),
            Err(IndexError::Damaged { .. }) => Ok(Copy::Unreadable),
            Err(error) => Err(error),
        },
        // The copy is the first thing that is written.
        Ok((None, Generation(0))) => match derived::seen(candidate, None)?.generation {
            Generation(0) => Ok(Copy::Nothing),
            _ => Ok(Copy::Unreadable),
        },
        Ok((None, _)) => Ok(Copy::Unreadable),
        Err(error) if error.is_damage() => Ok(Copy::Unreadable),
        Err(error) => Err(error).within(candidate.dir()),
    }
}
