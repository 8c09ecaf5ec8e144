//! Deletes data folders that are no longer used.

use super::layout::{FIRST_DATA, GONE, Layout, data_number};
use super::lock::Gate;
use super::manifest::Manifest;
use super::steps::{Step, Steps};
use crate::error::IndexError;

/// Deletes what is neither the data that the manifest names nor their successor. What cannot be deleted, since some
/// systems keep files that a reader has open, stays for the next writer. For whoever holds the lock.
pub(crate) fn sweep(layout: &Layout, manifest: &Manifest, steps: Steps) -> Result<(), IndexError> {
    let dir = layout.dir();
    let io_error = |source| IndexError::Io {
        path: dir.to_owned(),
        source,
    };
    let present = manifest.data_number();
    let mut rubbish = Vec::new();
    for entry in fs_err::read_dir(dir).map_err(io_error)? {
        let name = entry.map_err(io_error)?.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_rubbish = match name {
            "records" | "graphs" | "words" => present != FIRST_DATA,
            _ => match data_number(name) {
                Some(number) => number != present && number != present.saturating_add(1),
                None => name.strip_suffix(GONE).and_then(data_number).is_some(),
            },
        };
        if is_rubbish {
            rubbish.push(dir.join(name));
        }
    }
    if present != FIRST_DATA {
        // Left from when it was an index of its own.
        for name in ["manifest.json", "lock", "gate"] {
            let _ = fs_err::remove_file(layout.data().join(name));
        }
    }
    if rubbish.is_empty() {
        return Ok(());
    }
    // Behind the closed gate no reader is opening them: it either has all of the old records or notices that they
    // are gone, and never takes half of them for the whole.
    let gate = Gate::close(layout)?;
    for folder in &rubbish {
        for records in [folder.clone(), folder.join("records")] {
            let _ = fs_err::remove_file(records.join("CURRENT"));
        }
    }
    drop(gate);
    steps.reach(Step::OldDataDisabled).map_err(io_error)?;
    for folder in &rubbish {
        let _ = std::fs::remove_dir_all(folder);
    }
    Ok(())
}
