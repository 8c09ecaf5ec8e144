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
/// restored from its copy in the records. An older format is upgraded, and the facets that it
/// lacks are recorded.
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
    let has_records = layout.has_records() || !layout.data_folders().is_empty();
    let found = match Manifest::read(layout) {
        Ok(found) => found,
        Err(IndexError::Damaged { .. }) if has_records => None,
        Err(error) => return Err(error),
    };
    let (layout, store, known) = if let Some(manifest) = &found {
        manifest.check_binding(dir, binding)?;
        let layout = layout.with_data(&manifest.data);
        if !layout.has_records() {
            return Err(IndexError::Damaged {
                path: layout.records(),
                what: "its records are missing",
            });
        }
        refuse_lost_records(&layout, manifest)?;
        let store = Store::open(&layout.records(), false).within(dir)?;
        (layout, store, Some(manifest.clone()))
    } else {
        let layout = layout.with_data(&data_without_manifest(layout)?);
        let path = layout.records();
        fs_err::create_dir_all(&path).map_err(|source| IndexError::writing(dir, &path, source))?;
        let store = Store::open(&path, true).within(dir)?;
        let copy = store.manifest_copy().within(dir)?;
        let known = copy
            .map(|copy| Manifest::parse(&layout, &copy))
            .transpose()?;
        (layout, store, known)
    };
    let io_error = |source| IndexError::Io {
        path: layout.records(),
        source,
    };
    let manifest = if let Some(manifest) = &known {
        manifest.check_binding(dir, binding)?;
        manifest.upgraded()
    } else {
        Manifest::new(binding)
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

/// The folder of the data of an index without a manifest: the newest one whose records state that
/// they are current. The records of an unfinished successor state otherwise.
///
/// # Errors
/// When records cannot be read for another reason than damage, so that it is not known.
pub(crate) fn data_without_manifest(layout: &Layout) -> Result<String, IndexError> {
    for name in layout.data_folders().into_iter().map(data_name) {
        let candidate = layout.with_data(&name);
        if !candidate.has_records() {
            continue;
        }
        let store = Store::open_read_only(&candidate.records());
        match store.and_then(|store| store.manifest_copy()) {
            Ok(Some(copy)) => {
                let found = Manifest::parse(layout, &copy);
                if found.is_ok_and(|found| found.data == name) {
                    return Ok(name);
                }
            }
            Ok(None) => {}
            Err(error) if error.is_damage() => {}
            Err(error) => return Err(error).within(layout.dir()),
        }
    }
    Ok(data_name(FIRST_DATA))
}
