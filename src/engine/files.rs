//! Which file of an image may be handed out.

use std::path::PathBuf;

use sightline_index::{Image, IndexReader};

use super::error::EngineError;
use super::indexing::walk::is_current;

/// The real path of a file of an image that is in a library folder and as it was indexed; `None`
/// when there is none. A link that leaves the library folders does not count.
///
/// # Errors
/// When the index cannot be read.
pub(super) fn file_of(reader: &IndexReader, image: &Image) -> Result<Option<PathBuf>, EngineError> {
    let libraries = reader.libraries()?;
    let libraries = libraries.iter();
    let libraries: Vec<PathBuf> = libraries
        .filter_map(|library| library.folder.canonicalize().ok())
        .collect();
    for path in &image.paths {
        let Ok(real) = path.canonicalize() else {
            continue;
        };
        let is_inside = libraries.iter().any(|folder| real.starts_with(folder));
        let Ok(about) = std::fs::metadata(&real) else {
            continue;
        };
        let record = reader.file(path)?;
        if is_inside && record.is_some_and(|record| is_current(&about, &record)) {
            return Ok(Some(real));
        }
    }
    Ok(None)
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
}
