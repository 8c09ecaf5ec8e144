//! XMP sidecars with tags. The picture itself is never changed, nor what else a sidecar says.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sightline_picture::is_picture;

use super::request::TagSidecar;
use crate::atomic::{AtomicFile, remove_leftovers};
use crate::engine::decode::extension;
use crate::engine::names::folded;
use crate::engine::report::Skipped;

/// Writes the sidecars of a run.
#[derive(Default)]
pub(super) struct SidecarWriter {
    /// The folders that were seen, each with the names, without extension, of several pictures.
    shared: HashMap<PathBuf, HashSet<Vec<u8>>>,
}

impl SidecarWriter {
    /// Adds tags to the keywords (`dc:subject`) in the sidecar of a picture, which is created if
    /// there is none. A sidecar that has them already is not touched.
    pub(super) fn write(&mut self, picture: &Path, tags: &[String]) -> Result<TagSidecar, Skipped> {
        let path = path_of(picture, self.is_shared(picture));
        match self.add(&path, tags) {
            Ok(is_changed) => Ok(TagSidecar { path, is_changed }),
            Err(reason) => Err(Skipped { path, reason }),
        }
    }

    /// Whether other pictures beside this one have its name with another extension.
    fn is_shared(&mut self, picture: &Path) -> bool {
        let shared = self.enter(picture.parent().unwrap_or(Path::new("")));
        let stem = picture.file_stem().map(folded);
        stem.is_some_and(|stem| shared.contains(&stem))
    }

    /// The names that several pictures of a folder share. Removes what a killed run left there,
    /// when the folder is seen first.
    fn enter(&mut self, folder: &Path) -> &HashSet<Vec<u8>> {
        self.shared.entry(folder.to_path_buf()).or_insert_with(|| {
            let folder = if folder == Path::new("") {
                Path::new(".")
            } else {
                folder
            };
            remove_leftovers(folder);
            shared_names(folder)
        })
    }

    /// Whether the file was changed, or why it cannot be. A link stays one: the file that it leads
    /// to is changed.
    fn add(&mut self, path: &Path, tags: &[String]) -> Result<bool, String> {
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
            return Err(
                "it has several names (hard links), of which only one would change".to_owned(),
            );
        }
        let Some(content) = sightline_picture::with_keywords(existing.as_deref(), tags)
            .map_err(|reason| format!("cannot add keywords to this XMP: {reason}"))?
        else {
            return Ok(false);
        };
        if let Some(folder) = path.parent() {
            self.enter(folder);
        }
        let written = AtomicFile::create(path).and_then(|mut file| {
            if existing.is_some() {
                file.take_after(&fs_err::metadata(path)?)?;
            }
            file.write_all(content.as_bytes())?;
            file.commit()
        });
        written.map(|()| true).map_err(|error| error.to_string())
    }
}

/// The names, without extension, that several pictures of a folder have. Empty for a folder that
/// cannot be read: then nothing can be written there either.
fn shared_names(folder: &Path) -> HashSet<Vec<u8>> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| PathBuf::from(entry.file_name()));
    let (mut seen, mut shared) = (HashSet::new(), HashSet::new());
    for name in names.filter(|name| is_picture(&extension(name))) {
        let stem = folded(name.file_stem().unwrap_or(OsStr::new("")));
        if !seen.insert(stem.clone()) {
            shared.insert(stem);
        }
    }
    shared
}

/// `photo.jpg.xmp` if there is one, else an existing `photo.xmp`, unless it is that of several
/// pictures, else the former.
fn path_of(picture: &Path, is_shared: bool) -> PathBuf {
    let with = |ending: &str| {
        let mut name = OsString::from(picture);
        name.push(".");
        name.push(ending);
        PathBuf::from(name)
    };
    let named = with("xmp");
    let own = [named.clone(), with("XMP")].into_iter();
    let plain = ["xmp", "XMP"].map(|extension| picture.with_extension(extension));
    let plain = plain.into_iter().filter(|_| !is_shared);
    let mut existing = own.chain(plain).filter(|path| path.exists());
    existing.next().unwrap_or(named)
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
