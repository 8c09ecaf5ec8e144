//! Deletes data folders that are no longer in use, and keeps damaged ones that a repair replaced.

use std::path::Path;

use super::kept::{self, Noted, Replaced};
use super::layout::{FIRST_DATA, GONE, Layout, SCRATCH, data_name, data_number};
use super::manifest::Manifest;
use super::steps::{Step, Steps};
use crate::error::IndexError;

/// Deletes all data folders but the one that the manifest names and its successor, and what an
/// interrupted repair read from. Data that a repair replaced are renamed instead. The caller holds
/// the lock.
///
/// Folders that cannot be deleted, as on systems that keep files a reader has open, are left to the
/// next writer.
///
/// # Errors
/// When the folder of the index or the note of a repair cannot be read.
pub(crate) fn sweep(layout: &Layout, manifest: &Manifest, steps: Steps) -> Result<(), IndexError> {
    let dir = layout.dir();
    let io_error = |source| IndexError::Io {
        path: dir.to_owned(),
        source,
    };
    let present = manifest.data_number();
    let replaced = keep_damaged(layout, manifest, steps)?;
    keep_unfinished(layout, manifest)?;
    let mut unused = Vec::new();
    for entry in fs_err::read_dir(dir).map_err(io_error)? {
        let name = entry.map_err(io_error)?.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_unused = match name {
            "records" | "graphs" | "words" => {
                present != FIRST_DATA && !replaced.contains(&FIRST_DATA)
            }
            _ => match data_number(name) {
                Some(number) => {
                    let is_needed = number == present || number == present.saturating_add(1);
                    !is_needed && !replaced.contains(&number)
                }
                None => name.strip_suffix(GONE).and_then(data_number).is_some(),
            },
        };
        if is_unused {
            unused.push(dir.join(name));
        }
    }
    // Up to format 2, readers and writers took turns by it.
    let _ = fs_err::remove_file(dir.join("gate"));
    for folder in [dir, layout.data()] {
        let _ = std::fs::remove_dir_all(folder.join(SCRATCH));
    }
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

/// Renames the data that a repair replaced, unless that was done before. Returns their numbers: all
/// that may be such data, if the note of the repair is damaged.
fn keep_damaged(
    layout: &Layout,
    manifest: &Manifest,
    steps: Steps,
) -> Result<Vec<u32>, IndexError> {
    kept::keep_old(layout)?;
    let present = manifest.data_number();
    let (numbers, name) = match kept::read_note::<Replaced>(layout)? {
        Noted::Nothing | Noted::Note(Replaced { replaced: None }) => return Ok(Vec::new()),
        Noted::Note(Replaced {
            replaced: Some((number, name)),
        }) => (vec![number], Some(name)),
        Noted::Damaged => {
            let mut numbers = layout.data_folders()?;
            numbers.retain(|&number| {
                let folder = layout.dir().join(data_name(number));
                number < present && !is_of_other_model(&folder, manifest)
            });
            numbers.push(FIRST_DATA);
            (numbers, None)
        }
    };
    for &number in numbers.iter().filter(|&&number| number != present) {
        let name = match &name {
            Some(name) => name.clone(),
            None => kept::free_name(layout.dir())?,
        };
        if kept::keep(layout, number, &name)? {
            let stopped = |source| IndexError::writing(layout.dir(), layout.dir(), source);
            steps.reach(Step::RepairSetAside).map_err(stopped)?;
        }
    }
    Ok(numbers)
}

/// A repair takes the number after an unfinished change of the model. That successor follows the
/// repaired data from now on.
fn keep_unfinished(layout: &Layout, manifest: &Manifest) -> Result<(), IndexError> {
    let present = manifest.data_number();
    let follower = layout.dir().join(data_name(present.saturating_add(1)));
    for number in layout.data_folders()? {
        let folder = layout.dir().join(data_name(number));
        if number < present
            && number != FIRST_DATA
            && !follower.exists()
            && is_of_other_model(&folder, manifest)
        {
            crate::atomic::rename(&folder, &follower)
                .map_err(|source| IndexError::writing(layout.dir(), &folder, source))?;
        }
    }
    Ok(())
}

/// Whether a folder is an index of its own, of another model or of a newer program. Old data are
/// not: their manifest was the one of the index.
pub(crate) fn is_of_other_model(folder: &Path, manifest: &Manifest) -> bool {
    match Manifest::read(&Layout::new(folder)) {
        Ok(found) => found.is_some_and(|found| found.binding != manifest.binding),
        Err(error) => !matches!(error, IndexError::Damaged { .. }),
    }
}
