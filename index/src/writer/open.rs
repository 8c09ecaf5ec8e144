//! Where is the index, and is it whole? What is looked at and made before a writer can write.

use std::io;
use std::path::Path;

use crate::derived;
use crate::disk::atomic;
use crate::disk::layout::{Layout, data_name};
use crate::disk::manifest::{Binding, Manifest};
use crate::disk::steps::{Step, Steps};
use crate::error::{IndexError, Within};
use crate::records::read::Records;
use crate::records::store::Store;

/// Looks at the records without changing anything, before RocksDB deletes what it thinks that nobody needs.
fn refuse_lost_records(layout: &Layout, manifest: &Manifest) -> Result<(), IndexError> {
    let seen = derived::newest_seen(layout, manifest);
    let store = Store::open_read_only(&layout.records()).within(layout.dir())?;
    let found = store.generation().within(layout.dir())?;
    derived::refuse_lost_commits(layout, seen, found)
}

/// Makes the folder, or refuses one that holds something else.
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

/// Makes a folder and those above it, and makes their names last.
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

/// Opens or makes the records and the manifest, and tells where the data lie. The manifest comes last and marks the
/// index as made; its copy in the records brings back a lost or damaged one. An older format becomes the newest.
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
        let layout = layout.with_data(manifest.data());
        if !layout.has_records() {
            return Err(IndexError::Damaged {
                path: layout.records(),
                what: "its records are gone",
            });
        }
        refuse_lost_records(&layout, manifest)?;
        let store = Store::open(&layout.records(), false).within(dir)?;
        (layout, store, Some(manifest.clone()))
    } else {
        let layout = layout.with_data(&data_without_manifest(layout));
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
    // The copy first: a crash in between leaves the old manifest, and the same is done again.
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
    Ok((layout, manifest, store))
}

/// Where the data of an index lie that has no manifest: in the newest folder whose records say that they are the
/// present ones. An index that was to take this one's place, and did not come so far, says otherwise.
pub(crate) fn data_without_manifest(layout: &Layout) -> String {
    let says_so = |name: &str| {
        let there = layout.with_data(name);
        let store = Store::open_read_only(&there.records()).ok()?;
        let manifest = Manifest::parse(layout, &store.manifest_copy().ok()??).ok()?;
        (manifest.data() == name).then_some(())
    };
    let names = layout.data_folders().into_iter().map(data_name);
    names
        .filter(|name| layout.with_data(name).has_records())
        .find(|name| says_so(name).is_some())
        .unwrap_or_default()
}
