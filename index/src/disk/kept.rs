//! The damaged data that repairs have kept, in `damaged-1`, `damaged-2`…, and the note of a repair.
//!
//! A repair builds sound data in a folder of their own. The note lies in that folder from before
//! the switch until the losses were reported. It says which data were damaged and which folder
//! keeps them, so that whoever sweeps the index renames those data instead of deleting them.

use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::layout::{FIRST_DATA, Layout, damaged_name, damaged_number, data_name, n_bytes_in};
use crate::atomic;
use crate::error::IndexError;

/// Damaged data that a repair replaced and kept. Nothing but
/// [`discard_damaged`](crate::discard_damaged) deletes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedData {
    /// Their folder.
    pub folder: PathBuf,
    /// Size of all files in it, in bytes.
    pub n_bytes: u64,
}

/// The damaged data that repairs of the index in `dir` have kept, the oldest first.
///
/// # Errors
/// When the folder cannot be read.
pub fn damaged_data(dir: &Path) -> Result<Vec<DamagedData>, IndexError> {
    let numbers = numbers(dir).map_err(|source| IndexError::Io {
        path: dir.to_owned(),
        source,
    })?;
    let folders = numbers
        .into_iter()
        .map(|number| dir.join(damaged_name(number)));
    Ok(folders
        .map(|folder| DamagedData {
            n_bytes: n_bytes_in(&folder),
            folder,
        })
        .collect())
}

fn numbers(dir: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs_err::read_dir(dir)? {
        numbers.extend(entry?.file_name().to_str().and_then(damaged_number));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// A name for a folder of damaged data that is not in use.
pub(crate) fn free_name(dir: &Path) -> Result<String, IndexError> {
    let numbers = numbers(dir).map_err(|source| IndexError::Io {
        path: dir.to_owned(),
        source,
    })?;
    let newest = numbers.last().copied().unwrap_or(0);
    Ok(damaged_name(newest.saturating_add(1)))
}

/// The file in which a repair notes what it did, until that is reported.
pub(crate) fn note_path(data: &Path) -> PathBuf {
    data.join("repair.json")
}

/// The part of the note that is about the damaged data.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Replaced {
    /// The number of the data that the repair replaced, and the name of the folder that keeps them.
    /// None in a note of format 2, whose repairs replaced only the records.
    #[serde(default)]
    pub(crate) replaced: Option<(u32, String)>,
}

/// What [`read_note`] found.
#[derive(Debug)]
pub(crate) enum Noted<T> {
    /// No repair, or one whose losses were reported.
    Nothing,
    Note(T),
    /// A repair of which nothing else is known.
    Damaged,
}

/// The note, or a part of it, in the folder of the data.
///
/// # Errors
/// When it is there and cannot be read.
pub(crate) fn read_note<T: DeserializeOwned>(layout: &Layout) -> Result<Noted<T>, IndexError> {
    let path = note_path(layout.data());
    match fs_err::read(&path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).map_or(Noted::Damaged, Noted::Note)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Noted::Nothing),
        Err(source) => Err(IndexError::Io { path, source }),
    }
}

/// Renames the data number `number` to the folder `name`, or what is left of them after an
/// interruption. Returns whether anything was renamed.
pub(crate) fn keep(layout: &Layout, number: u32, name: &str) -> Result<bool, IndexError> {
    let target = layout.dir().join(name);
    if number == FIRST_DATA {
        let parts = ["records", "graphs", "words"].map(|part| layout.dir().join(part));
        return keep_parts(layout, &parts, &target);
    }
    let data = layout.dir().join(data_name(number));
    let is_there = data.is_dir();
    if is_there {
        atomic::rename(&data, &target)
            .map_err(|source| IndexError::writing(layout.dir(), &target, source))?;
    }
    Ok(is_there)
}

fn keep_parts(layout: &Layout, parts: &[PathBuf], target: &Path) -> Result<bool, IndexError> {
    let mut is_renamed = false;
    for part in parts.iter().filter(|part| part.exists()) {
        let name = part.file_name().unwrap_or_default();
        fs_err::create_dir_all(target)
            .and_then(|()| atomic::rename(part, &target.join(name)))
            .and_then(|()| atomic::sync_folder(layout.dir()))
            .map_err(|source| IndexError::writing(layout.dir(), target, source))?;
        is_renamed = true;
    }
    Ok(is_renamed)
}

/// Moves the damaged records that a repair of format 2 kept to a numbered folder.
pub(crate) fn keep_old(layout: &Layout) -> Result<(), IndexError> {
    for data in [layout.dir(), layout.data()] {
        let old = data.join("records.damaged");
        if old.is_dir() {
            let target = layout.dir().join(free_name(layout.dir())?);
            fs_err::create_dir_all(&target)
                .and_then(|()| atomic::rename(&old, &target.join("records")))
                .and_then(|()| atomic::sync_folder(layout.dir()))
                .map_err(|source| IndexError::writing(layout.dir(), &target, source))?;
        }
    }
    Ok(())
}
