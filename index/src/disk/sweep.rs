//! Deletes data folders that are no longer in use.

use super::layout::{FIRST_DATA, GONE, Layout, data_number};
use super::manifest::Manifest;
use super::steps::{Step, Steps};
use crate::error::IndexError;

/// Deletes all data folders but the one that the manifest names and its successor. The caller holds
/// the lock.
///
/// Folders that cannot be deleted, as on systems that keep files a reader has open, are left to the
/// next writer.
///
/// # Errors
/// When the folder of the index cannot be listed.
pub(crate) fn sweep(layout: &Layout, manifest: &Manifest, steps: Steps) -> Result<(), IndexError> {
    let dir = layout.dir();
    let io_error = |source| IndexError::Io {
        path: dir.to_owned(),
        source,
    };
    let present = manifest.data_number();
    let mut unused = Vec::new();
    for entry in fs_err::read_dir(dir).map_err(io_error)? {
        let name = entry.map_err(io_error)?.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_unused = match name {
            "records" | "graphs" | "words" => present != FIRST_DATA,
            _ => match data_number(name) {
                Some(number) => number != present && number != present.saturating_add(1),
                None => name.strip_suffix(GONE).and_then(data_number).is_some(),
            },
        };
        if is_unused {
            unused.push(dir.join(name));
        }
    }
    // Up to format 2, readers and writers took turns by it.
    let _ = fs_err::remove_file(dir.join("gate"));
    if present != FIRST_DATA {
        // Leftovers from the time when it was an index of its own.
        for name in ["manifest.json", "lock", "gate"] {
            let _ = fs_err::remove_file(layout.data().join(name));
        }
    }
    if unused.is_empty() {
        return Ok(());
    }
    // First, so that a reader that is opening them notices: it never mistakes half of the old
    // records for all.
    for folder in &unused {
        for records in [folder.clone(), folder.join("records")] {
            let _ = fs_err::remove_file(records.join("CURRENT"));
        }
    }
    steps.reach(Step::OldDataDisabled).map_err(io_error)?;
    for folder in &unused {
        let _ = std::fs::remove_dir_all(folder);
    }
    Ok(())
}
