//! Whose captions a captions file has: finds the pictures that it names in the index.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use sightline_index::{IndexWriter, ItemId};

use super::caption_file::{CaptionFile, CaptionSet};
use super::store::Store;
use crate::engine::EngineError;
use crate::engine::names::{composed, places, with_slashes};
use crate::engine::report::Skipped;

/// The image that each set of captions is about; the outer option is none for a picture that is not
/// in the index, which is reported.
///
/// A picture is the file at its path. Where the format names pictures by file names, it is
/// otherwise the only image below the library `folders` of the run, or of the whole index if the
/// run has none, that has a file whose path ends with that name.
#[expect(
    clippy::option_option,
    reason = "captions of no picture and captions of a missing one are different"
)]
pub(crate) fn owners(
    store: &mut Store<'_>,
    source: &Path,
    file: &CaptionFile,
    folders: &[&Path],
) -> Result<Vec<Option<Option<ItemId>>>, EngineError> {
    let sets = &file.sets;
    let mut owners = Vec::with_capacity(sets.len());
    // Places in `owners` of pictures that must be looked for by what their names look like.
    let mut missing: Vec<usize> = Vec::new();
    for set in sets {
        let Some(picture) = &set.image else {
            owners.push(Some(None));
            continue;
        };
        let mut found = indexed(&store.writer, picture)?;
        if found.is_none()
            && !picture.exists()
            && let Some(picture) = with_slashes(picture)
        {
            found = indexed(&store.writer, &picture)?;
        }
        if found.is_none() {
            missing.push(owners.len());
        }
        owners.push(found.map(Some));
    }
    if missing.is_empty() {
        return Ok(owners);
    }
    let mut alike = images_that_look_like(store, sets, &missing)?;
    if file.is_by_name {
        let folder = source.parent().unwrap_or(Path::new(""));
        missing_by_name(store, sets, folder, folders, &mut alike, &missing)?;
    }
    for place in missing {
        let set = &sets[place];
        let Some(picture) = &set.image else { continue };
        let images = alike.remove(&place).unwrap_or_default();
        if images.len() == 1 {
            owners[place] = Some(images.first().copied());
            continue;
        }
        let what = if images.is_empty() {
            "is not in the index"
        } else {
            "looks like several pictures of the index"
        };
        let given = picture.strip_prefix(source.parent().unwrap_or(Path::new("")));
        let hint = if given.is_ok_and(has_drive) {
            "; its path must be relative to that file, without a drive"
        } else {
            ""
        };
        let reason = format!(
            "has captions in {} ({}) but {what}{hint}",
            source.display(),
            set.at
        );
        let path = fs_err::canonicalize(picture).unwrap_or_else(|_| picture.clone());
        store.ledger.report.skipped.push(Skipped { path, reason });
    }
    Ok(owners)
}

/// Whether a path begins like `C:\`.
fn has_drive(path: &Path) -> bool {
    matches!(
        path.as_os_str().as_encoded_bytes(),
        [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic()
    )
}

/// The image in a file of the index.
fn indexed(writer: &IndexWriter, picture: &Path) -> Result<Option<ItemId>, EngineError> {
    if let Ok(resolved) = fs_err::canonicalize(picture)
        && let Some(record) = writer.file(&resolved)?
    {
        return Ok(Some(record.image));
    }
    for place in places(picture)? {
        if let Some(record) = writer.file(&place)? {
            return Ok(Some(record.image));
        }
    }
    Ok(None)
}

/// For each of these sets, the images whose paths look like that of its picture. Reads the paths of
/// the whole index once.
fn images_that_look_like(
    store: &Store<'_>,
    sets: &[CaptionSet],
    missing: &[usize],
) -> Result<HashMap<usize, BTreeSet<ItemId>>, EngineError> {
    let mut wanted: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
    for &set in missing {
        let given = sets[set].image.iter();
        let slashed = sets[set].image.as_deref().and_then(with_slashes);
        let mut keys: HashSet<Vec<u8>> = HashSet::new();
        for path in given.chain(slashed.iter()) {
            let places = places(path)?;
            keys.extend(
                places
                    .iter()
                    .map(|at| composed(at.as_os_str()).into_owned()),
            );
        }
        for key in keys {
            wanted.entry(key).or_default().push(set);
        }
    }
    let mut alike: HashMap<usize, BTreeSet<ItemId>> = HashMap::new();
    store.writer.for_each_file(&mut |path, record| {
        for &set in wanted
            .get(&*composed(path.as_os_str()))
            .into_iter()
            .flatten()
        {
            alike.entry(set).or_default().insert(record.image);
        }
    })?;
    Ok(alike)
}

/// The bytes of a file's name.
type FileName = Vec<u8>;
/// The names of the folders that a path must have before the file's name.
type FolderNames = Vec<Vec<u8>>;

/// Adds to `alike` the images of those sets in `missing` that have none yet by the end of their
/// paths. Reads the paths of the whole index once.
fn missing_by_name(
    store: &Store<'_>,
    sets: &[CaptionSet],
    folder: &Path,
    folders: &[&Path],
    alike: &mut HashMap<usize, BTreeSet<ItemId>>,
    missing: &[usize],
) -> Result<(), EngineError> {
    let mut wanted: HashMap<FileName, Vec<(usize, FolderNames)>> = HashMap::new();
    for &set in missing {
        let Some(image) = sets[set].image.as_ref() else {
            continue;
        };
        let given = image.strip_prefix(folder).unwrap_or(image);
        let slashed = with_slashes(given);
        let mut names = names_of(slashed.as_deref().unwrap_or(given));
        if !alike.contains_key(&set)
            && let Some(name) = names.pop()
        {
            wanted.entry(name).or_default().push((set, names));
        }
    }
    store.writer.for_each_file(&mut |path, record| {
        let is_near = |folder: &&Path| path.starts_with(folder);
        if !folders.is_empty() && !folders.iter().any(is_near) {
            return;
        }
        let name = path.file_name().unwrap_or_default();
        let Some(sets) = wanted.get(&*composed(name)) else {
            return;
        };
        let names = path.parent().map(names_of).unwrap_or_default();
        for (set, above) in sets {
            if names.ends_with(above) {
                alike.entry(*set).or_default().insert(record.image);
            }
        }
    })?;
    Ok(())
}

/// The names in a path, without those that only point to folders.
fn names_of(path: &Path) -> Vec<Vec<u8>> {
    let names = path.components().filter_map(|component| match component {
        std::path::Component::Normal(name) => Some(composed(name).into_owned()),
        _ => None,
    });
    names.collect()
}
