//! XMP sidecars with tags. The picture itself is never changed, nor what else a sidecar says.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::request::TagSidecar;
use crate::atomic::AtomicFile;
use crate::engine::report::Skipped;

/// Adds tags to the keywords (`dc:subject`) in the sidecar of a picture, which is created if there
/// is none. A sidecar that has them already is not touched.
pub(super) fn write(picture: &Path, tags: &[String]) -> Result<TagSidecar, Skipped> {
    let path = path_of(picture);
    match add(&path, tags) {
        Ok(is_changed) => Ok(TagSidecar { path, is_changed }),
        Err(reason) => Err(Skipped { path, reason }),
    }
}

/// `photo.xmp` or `photo.jpg.xmp` if there is one, else the latter: several pictures may share the
/// name without an ending.
fn path_of(picture: &Path) -> PathBuf {
    let with = |ending: &str| {
        let mut name = OsString::from(picture);
        name.push(".");
        name.push(ending);
        PathBuf::from(name)
    };
    let named = with("xmp");
    let others = [
        with("XMP"),
        picture.with_extension("xmp"),
        picture.with_extension("XMP"),
    ];
    let candidates = std::iter::once(named.clone()).chain(others);
    let mut existing = candidates.filter(|path| path.exists());
    existing.next().unwrap_or(named)
}

/// Whether the file was changed, or why it cannot be. A link stays one: the file that it leads to
/// is changed.
fn add(path: &Path, tags: &[String]) -> Result<bool, String> {
    let path = &match fs_err::canonicalize(path) {
        Ok(path) => path,
        Err(_) if path.is_symlink() => return Err("it is a link to a missing file".to_owned()),
        Err(_) => path.to_path_buf(),
    };
    let existing = match fs_err::read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.to_string()),
    };
    if has_other_names(path) {
        return Err("it has several names (hard links), of which only one would change".to_owned());
    }
    let Some(content) = sightline_picture::with_keywords(existing.as_deref(), tags)
        .map_err(|reason| format!("cannot add keywords to this XMP: {reason}"))?
    else {
        return Ok(false);
    };
    let written = AtomicFile::create(path).and_then(|mut file| {
        if existing.is_some() {
            file.take_after(&fs_err::metadata(path)?)?;
        }
        file.write_all(content.as_bytes())?;
        file.commit()
    });
    written.map(|()| true).map_err(|error| error.to_string())
}

#[cfg(unix)]
fn has_other_names(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs_err::metadata(path).is_ok_and(|metadata| metadata.nlink() > 1)
}

#[cfg(not(unix))]
fn has_other_names(_path: &Path) -> bool {
    false
}
