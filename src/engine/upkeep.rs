//! Compacts an index, and removes files from it by name. Needs no model.

use std::path::{Component, Path, PathBuf};

use sightline_index::{Compacted, IndexError, IndexReader, IndexWriter, Library};

use super::error::EngineError;
use super::indexing::captions::drop_sidecars;
use super::report::{OnBuilding, building};

/// What [`Engine::remove`](crate::engine::Engine::remove) removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoveReport {
    /// Files removed.
    pub n_files: u64,
    /// Images removed because no other file holds them.
    pub n_images: u64,
    /// Captions removed.
    pub n_captions: u64,
    /// Library folders that were forgotten.
    pub libraries: Vec<PathBuf>,
    /// Requested paths that are not in the index.
    pub unknown: Vec<PathBuf>,
}

/// See [`Engine::compact`](crate::engine::Engine::compact).
pub(crate) fn compact(
    folder: &Path,
    progress: &mut OnBuilding<'_>,
) -> Result<Compacted, EngineError> {
    let mut writer = open_writer(folder)?;
    let compacted = writer.compact(&mut building(progress))?;
    writer.finish()?;
    Ok(compacted)
}

/// See [`Engine::remove`](crate::engine::Engine::remove).
pub(crate) fn remove(
    folder: &Path,
    paths: &[PathBuf],
    progress: &mut OnBuilding<'_>,
) -> Result<RemoveReport, EngineError> {
    let mut writer = open_writer(folder)?;
    let before = IndexReader::open(folder, None)?.counts();
    let mut report = RemoveReport::default();
    for path in paths {
        let mut is_known = false;
        for place in places(path)? {
            if remove_below(&mut writer, &place, &mut report)? {
                is_known = true;
                break;
            }
        }
        if !is_known {
            report.unknown.push(path.clone());
        }
    }
    writer.finish_with(&mut building(progress))?;
    let after = IndexReader::open(folder, None)?.counts();
    report.n_files = before.n_files.saturating_sub(after.n_files);
    report.n_images = before.n_images.saturating_sub(after.n_images);
    report.n_captions = before.n_captions.saturating_sub(after.n_captions);
    Ok(report)
}

/// Opens an existing index for writing, whichever model made it.
fn open_writer(folder: &Path) -> Result<IndexWriter, EngineError> {
    let binding = sightline_index::binding(folder)?;
    let binding = binding.ok_or_else(|| {
        // Opening it for reading distinguishes the possible errors.
        IndexReader::open(folder, None)
            .err()
            .unwrap_or_else(|| IndexError::NoIndex {
                dir: folder.to_path_buf(),
            })
    })?;
    Ok(IndexWriter::open_or_create(folder, &binding)?)
}

/// Removes everything that the index holds at a path and below. False if there is nothing.
fn remove_below(
    writer: &mut IndexWriter,
    place: &Path,
    report: &mut RemoveReport,
) -> Result<bool, EngineError> {
    let files = writer.files_under(place)?;
    let sources = writer.caption_sources_under(place)?;
    let (below, others): (Vec<Library>, Vec<Library>) = writer
        .libraries()?
        .into_iter()
        .partition(|library| library.folder.starts_with(place));
    if files.is_empty() && sources.is_empty() && below.is_empty() {
        return Ok(false);
    }
    for (path, file) in &files {
        drop_sidecars(writer, path, file.image)?;
        writer.remove_file(path)?;
    }
    for (source, image) in sources {
        writer.set_captions(image, &source, Vec::new())?;
    }
    for library in below {
        writer.remove_library(&library.folder)?;
        report.libraries.push(library.folder);
    }
    for library in others {
        if place.starts_with(&library.folder) {
            let n_files = writer.files_under(&library.folder)?.len() as u64;
            writer.put_library(Library { n_files, ..library })?;
        }
    }
    Ok(true)
}

/// The forms in which a path can be in the index: links are resolved only up to the library folder,
/// and a missing file cannot be resolved at all.
fn places(path: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let absolute = std::path::absolute(path)?;
    let plain = without_dots(&absolute);
    let mut places = vec![plain.clone(), resolved(&plain)];
    if let (Some(parent), Some(name)) = (plain.parent(), plain.file_name()) {
        places.push(resolved(parent).join(name));
    }
    // `a/../b` is not `b` where `a` is a link.
    places.extend(fs_err::canonicalize(&absolute));
    let mut distinct: Vec<PathBuf> = Vec::new();
    for place in places {
        if !distinct.contains(&place) {
            distinct.push(place);
        }
    }
    Ok(distinct)
}

fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            component => plain.push(component),
        }
    }
    plain
}

/// Canonicalizes the longest existing prefix of a path.
fn resolved(path: &Path) -> PathBuf {
    match (fs_err::canonicalize(path), path.parent(), path.file_name()) {
        (Ok(resolved), _, _) => resolved,
        (Err(_), Some(parent), Some(name)) => resolved(parent).join(name),
        _ => path.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_existing_prefix_of_a_missing_path_is_resolved() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs_err::canonicalize(folder.path()).unwrap();
        fs_err::create_dir(root.join("real")).unwrap();
        std::os::unix::fs::symlink(root.join("real"), root.join("link")).unwrap();
        let asked = root.join("link/../link/missing/./a.jpg");
        let places = places(&asked).unwrap();
        assert_eq!(
            places,
            [
                root.join("link/missing/a.jpg"),
                root.join("real/missing/a.jpg")
            ]
        );
    }
}
