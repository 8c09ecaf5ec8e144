//! Which file of an image may be handed out.

use std::fs::File;
use std::path::{Path, PathBuf};

use same_file::Handle;

use sightline_index::{Image, IndexReader};

use super::error::EngineError;
use super::indexing::walk::is_current;

/// The real path of a file of an image that is in a library folder and as it was indexed; `None`
/// when there is none. A link that leaves the library folders does not count.
///
/// # Errors
/// When the index cannot be read.
pub(super) fn file_of(reader: &IndexReader, image: &Image) -> Result<Option<PathBuf>, EngineError> {
    let libraries = real_libraries(reader)?;
    for path in &image.paths {
        let Some(real) = real_within(&libraries, path) else {
            continue;
        };
        let Ok(about) = std::fs::metadata(&real) else {
            continue;
        };
        let record = reader.file(path)?;
        if record.is_some_and(|record| is_current(&about, &record)) {
            return Ok(Some(real));
        }
    }
    Ok(None)
}

/// The same, opened. What was opened is checked, so that a link that takes the place of the file
/// meanwhile leads nowhere.
///
/// # Errors
/// When the index cannot be read.
pub(super) fn open_file_of(
    reader: &IndexReader,
    image: &Image,
) -> Result<Option<(PathBuf, File)>, EngineError> {
    let libraries = real_libraries(reader)?;
    for path in &image.paths {
        let Some(real) = real_within(&libraries, path) else {
            continue;
        };
        let Ok(file) = File::open(&real) else {
            continue;
        };
        if !is_file_within(&libraries, path, &file) {
            continue;
        }
        let Ok(about) = file.metadata() else {
            continue;
        };
        let record = reader.file(path)?;
        if record.is_some_and(|record| is_current(&about, &record)) {
            return Ok(Some((real, file)));
        }
    }
    Ok(None)
}

fn real_libraries(reader: &IndexReader) -> Result<Vec<PathBuf>, EngineError> {
    let libraries = reader.libraries()?.into_iter();
    let real = libraries.filter_map(|library| library.folder.canonicalize().ok());
    Ok(real.collect())
}

/// The real path of a file, if it is in one of the folders.
fn real_within(folders: &[PathBuf], path: &Path) -> Option<PathBuf> {
    let real = path.canonicalize().ok()?;
    let is_inside = folders.iter().any(|folder| real.starts_with(folder));
    is_inside.then_some(real)
}

/// Whether an open file is the one that its path leads to within the folders.
fn is_file_within(folders: &[PathBuf], path: &Path, file: &File) -> bool {
    let there = real_within(folders, path).and_then(|real| Handle::from_path(real).ok());
    let opened = file.try_clone().and_then(Handle::from_file).ok();
    there.is_some() && there == opened
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::engine::tests::{BLUE, Place, RED};
    use crate::engine::{Engine, SearchRequest};

    fn file(engine: &Engine, text: &str) -> Option<PathBuf> {
        let hits = engine.search(&SearchRequest::text(text, 1)).unwrap();
        let (image, _) = engine.picture(hits[0].id).unwrap().unwrap();
        engine.file_of(&image).unwrap()
    }

    #[test]
    fn only_files_within_a_library_folder_that_were_not_changed_are_handed_out() {
        let place = Place::new();
        let red = place.draw("red.png", RED, 10);
        let outside = place.draw("../outside/blue.png", BLUE, 10);
        fs_err::os::unix::fs::symlink(&outside, place.photos.join("blue.png")).unwrap();
        assert_eq!(place.index().n_added, 2);
        let engine = place.engine();
        assert_eq!(file(&engine, "red"), Some(red.clone()));
        assert_eq!(file(&engine, "blue"), None, "a link that leaves the folder");
        place.draw("red.png", BLUE, 30);
        assert_eq!(file(&engine, "red"), None, "changed");
        fs_err::remove_file(&red).unwrap();
        assert_eq!(file(&engine, "red"), None, "deleted");
        // The same path, but the file that it leads to now is elsewhere.
        fs_err::os::unix::fs::symlink("/etc/hostname", &red).unwrap();
        assert_eq!(file(&engine, "red"), None, "replaced by a link");
    }

    #[test]
    fn a_file_that_was_opened_while_a_link_stood_there_is_not_handed_out() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        let (inside, outside) = (root.join("library"), root.join("secret.png"));
        fs_err::create_dir(&inside).unwrap();
        let path = inside.join("red.png");
        fs_err::write(&path, "red").unwrap();
        fs_err::write(&outside, "top").unwrap();
        let folders = [inside];
        let own = File::open(&path).unwrap();
        assert!(is_file_within(&folders, &path, &own));
        let other = File::open(&outside).unwrap();
        assert!(
            !is_file_within(&folders, &path, &other),
            "opened and put back"
        );
        fs_err::remove_file(&path).unwrap();
        fs_err::os::unix::fs::symlink(&outside, &path).unwrap();
        assert!(!is_file_within(&folders, &path, &other), "still a link");
        assert!(!is_file_within(&folders, &path, &own), "replaced since");
    }
}
