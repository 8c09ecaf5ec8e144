//! How does a model come into the registry, and how does it leave?
//!
//! A copy is made in a hidden folder beside the others, compared with the original, and renamed
//! when it is whole, so that a run that is killed leaves nothing half.

use std::collections::BTreeSet;
use std::fs::TryLockError;
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sightline_onnx::Model;

use super::check::Check;
use super::error::ModelsError;
use super::registry::{Entry, Place, Record, Registry, STARTER, is_name};
use crate::atomic;

/// Files larger than this are only copied when the model's description names them.
const MOST_BYTES_BESIDE: u64 = 64 << 20;

/// How much is copied between two looks at whether to stop.
const PIECE: usize = 4 << 20;

const ADDING: &str = ".adding-";
const REMOVING: &str = ".removing-";

/// A model folder that may be added: it is a model, its name is free, and it is not there yet.
#[derive(Debug, Clone)]
pub struct Newcomer {
    name: String,
    folder: PathBuf,
    models: Vec<Model>,
}

impl Newcomer {
    /// The name it will have.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The model at each of its precisions, the most exact one first.
    #[must_use]
    pub fn models(&self) -> &[Model] {
        &self.models
    }
}

/// How far a copy has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyProgress {
    /// Bytes copied.
    pub n_done: u64,
    /// Bytes to copy.
    pub n_total: u64,
}

/// A model that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Where it was. Files are only deleted in the registry's own folder.
    pub place: Place,
    /// Whether it was the default one; the built-in one is the default again.
    pub was_default: bool,
}

impl Registry {
    /// Looks at a folder that is to be added, under this name or the model's own.
    ///
    /// # Errors
    /// When it is no model, the name cannot be used or is taken, or the same model is there
    /// already.
    pub fn newcomer(&self, folder: &Path, name: Option<&str>) -> Result<Newcomer, ModelsError> {
        let mut models = Vec::new();
        for precision in Model::variants(folder)? {
            models.push(Model::open_with(folder, Some(precision))?);
        }
        let name = match name {
            Some(name) => name.to_owned(),
            None => models.first().map_or_else(String::new, own_name),
        };
        if !is_name(&name) {
            return Err(ModelsError::BadName { name });
        }
        self.check_free(&name)?;
        for model in &models {
            if let Some((entry, _)) = self.named_maker(model.fingerprint())? {
                return Err(ModelsError::Same {
                    folder: folder.to_path_buf(),
                    name: entry.label(),
                });
            }
        }
        Ok(Newcomer {
            name,
            folder: folder.to_path_buf(),
            models,
        })
    }

    /// Whether a model that is to come can have this name.
    ///
    /// # Errors
    /// [`ModelsError::BadName`] or [`ModelsError::Taken`].
    pub fn check_new_name(&self, name: &str) -> Result<(), ModelsError> {
        if !is_name(name) {
            return Err(ModelsError::BadName { name: name.into() });
        }
        self.check_free(name)
    }

    /// Two names must also differ where the file system does not tell small letters from capitals.
    fn check_free(&self, name: &str) -> Result<(), ModelsError> {
        let names = self.list()?.into_iter().filter_map(|entry| entry.name);
        match names
            .into_iter()
            .find(|taken| taken.eq_ignore_ascii_case(name))
        {
            Some(name) => Err(ModelsError::Taken { name }),
            None => Ok(()),
        }
    }

    /// Copies the files that the model needs, and the texts beside them, into the registry.
    ///
    /// # Errors
    /// When a file cannot be read or written, or the copy is not the same model;
    /// [`ModelsError::Stopped`] when `progress` breaks. Nothing is left then.
    pub fn add_copy(
        &self,
        newcomer: &Newcomer,
        check: &Check,
        progress: &mut dyn FnMut(&CopyProgress) -> ControlFlow<()>,
    ) -> Result<Entry, ModelsError> {
        let _lock = self.lock()?;
        // Before minutes of copying, and again after them.
        self.check_free(&newcomer.name)?;
        let staging = Staging::new(&self.folder()?, ADDING, &newcomer.name)?;
        copy(newcomer, staging.path(), progress)?;
        // Read anew from the disk, and by the same rules: what the copy lacks shows.
        for model in &newcomer.models {
            let copied = Model::open_with(staging.path(), Some(model.precision()));
            if copied?.fingerprint() != model.fingerprint() {
                return Err(ModelsError::BadCopy {
                    folder: newcomer.folder.clone(),
                });
            }
        }
        self.settle(staging.path(), newcomer, check)
    }

    /// Takes a folder that is complete and lies on the disk of [`Registry::folder`] into the
    /// registry by renaming it.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn adopt(&self, newcomer: &Newcomer, check: &Check) -> Result<Entry, ModelsError> {
        let _lock = self.lock()?;
        self.settle(&newcomer.folder, newcomer, check)
    }

    /// Gives a model a name and leaves it where it is.
    ///
    /// # Errors
    /// When the name cannot be written down.
    pub fn add_link(&self, newcomer: &Newcomer, check: &Check) -> Result<Entry, ModelsError> {
        let _lock = self.lock()?;
        self.check_free(&newcomer.name)?;
        let folder = fs_err::canonicalize(&newcomer.folder)?;
        let Some(link) = folder.to_str().map(ToOwned::to_owned) else {
            return Err(ModelsError::NotUtf8 { folder });
        };
        self.book()?.update(|book| {
            let record = book.models.entry(newcomer.name.clone()).or_default();
            *record = book.folders.remove(&link).unwrap_or_default();
            record.link = Some(link);
        })?;
        self.finish(&newcomer.name, Place::Linked(folder), check)
    }

    /// Renames a complete folder to where the models are.
    fn settle(
        &self,
        folder: &Path,
        newcomer: &Newcomer,
        check: &Check,
    ) -> Result<Entry, ModelsError> {
        self.check_free(&newcomer.name)?;
        let target = self.folder()?.join(&newcomer.name);
        // What is written down under this name is about a model that was deleted by hand.
        self.book()?
            .update(|book| book.models.remove(&newcomer.name))?;
        atomic::rename(folder, &target)?;
        self.finish(&newcomer.name, Place::Copied(target), check)
    }

    fn finish(&self, name: &str, place: Place, check: &Check) -> Result<Entry, ModelsError> {
        let entry = Entry {
            name: Some(name.to_owned()),
            place,
            record: Record::default(),
        };
        self.note_check(&entry, check)?;
        self.find(Path::new(name))
    }

    /// Takes a model out of the registry. Its files are deleted only where they are the registry's
    /// own.
    ///
    /// # Errors
    /// When there is no such model, it is the built-in one, or its files cannot be deleted.
    pub fn remove(&self, name: &str) -> Result<Removed, ModelsError> {
        if name == STARTER {
            return Err(ModelsError::BuiltIn { name: name.into() });
        }
        let entry = self.find_named(name)?;
        // As it is written in the registry.
        let name = entry.name.clone().unwrap_or_else(|| name.to_owned());
        let _lock = self.lock()?;
        let staging = match &entry.place {
            Place::Copied(folder) => {
                let staging = Staging::new(&self.folder()?, REMOVING, &name)?;
                // At once gone under its name, whatever happens while its files are deleted.
                fs_err::rename(folder, staging.path().join(&name))?;
                Some(staging)
            }
            _ => None,
        };
        let was_default = self.book()?.update(|book| {
            book.models.remove(&name);
            let was_default = book.default.as_ref() == Some(&name);
            if was_default {
                book.default = None;
            }
            was_default
        })?;
        if let Some(staging) = staging {
            fs_err::remove_dir_all(staging.path())?;
        }
        Ok(Removed {
            place: entry.place,
            was_default,
        })
    }

    /// The right to change the folder of the models, which ends with the process. What processes
    /// that were killed left half is swept out.
    fn lock(&self) -> Result<fs_err::File, ModelsError> {
        let folder = self.folder()?;
        fs_err::create_dir_all(&folder)?;
        let lock = fs_err::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join(".lock"))?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(ModelsError::Busy { folder }),
            Err(TryLockError::Error(error)) if error.kind() != std::io::ErrorKind::Unsupported => {
                return Err(error.into());
            }
            _ => {}
        }
        for entry in fs_err::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(ADDING) || name.starts_with(REMOVING) {
                fs_err::remove_dir_all(entry.path())?;
            }
        }
        Ok(lock)
    }
}

/// A hidden folder that is deleted again unless it was renamed to something else.
struct Staging {
    path: PathBuf,
}

impl Staging {
    fn new(folder: &Path, kind: &str, name: &str) -> Result<Self, ModelsError> {
        let path = folder.join(format!("{kind}{name}"));
        fs_err::create_dir(&path)?;
        Ok(Self { path })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Swept out by the next run if not now.
        let _ = fs_err::remove_dir_all(&self.path);
    }
}

/// The model's name made into one that can be typed.
fn own_name(model: &Model) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = model
        .name()
        .chars()
        .map(|c| if allowed(c) { c } else { '-' })
        .collect();
    name.trim_matches(['-', '.']).to_owned()
}

/// What to copy, by path inside the folder: the model's files, and the small texts that lie in the
/// folders of these, which describe the model or state its licence.
fn files_to_copy(newcomer: &Newcomer) -> Result<Vec<(PathBuf, u64)>, ModelsError> {
    let folder = &newcomer.folder;
    let needed: BTreeSet<PathBuf> = newcomer.models.iter().flat_map(Model::files).collect();
    let mut places: BTreeSet<&Path> = needed.iter().filter_map(|file| file.parent()).collect();
    places.insert(folder);
    let mut files = needed.clone();
    for place in places {
        for entry in fs_err::read_dir(place)? {
            let path = entry?.path();
            let metadata = fs_err::metadata(&path);
            let is_small = metadata.is_ok_and(|m| m.is_file() && m.len() <= MOST_BYTES_BESIDE);
            if is_small && is_description(&path) {
                files.insert(path);
            }
        }
    }
    let mut sized = Vec::new();
    for file in files {
        let n_bytes = fs_err::metadata(&file)?.len();
        // Descriptions cannot name files outside of their folder.
        if let Ok(inside) = file.strip_prefix(folder) {
            sized.push((inside.to_path_buf(), n_bytes));
        }
    }
    Ok(sized)
}

fn is_description(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_lowercase();
    let by_ending = [".json", ".toml", ".txt", ".md", ".model"];
    let by_beginning = ["license", "licence", "notice", "copying", "readme"];
    !name.starts_with('.')
        && (by_ending.iter().any(|end| name.ends_with(end))
            || by_beginning.iter().any(|begin| name.starts_with(begin)))
}

fn copy(
    newcomer: &Newcomer,
    target: &Path,
    progress: &mut dyn FnMut(&CopyProgress) -> ControlFlow<()>,
) -> Result<(), ModelsError> {
    let files = files_to_copy(newcomer)?;
    let mut told = CopyProgress {
        n_done: 0,
        n_total: files.iter().map(|(_, n_bytes)| n_bytes).sum(),
    };
    let mut piece = vec![0; PIECE];
    for (file, _) in &files {
        let target = target.join(file);
        if let Some(folder) = target.parent() {
            fs_err::create_dir_all(folder)?;
        }
        let mut from = fs_err::File::open(newcomer.folder.join(file))?;
        let mut to = fs_err::File::create(&target)?;
        loop {
            let n = from.read(&mut piece)?;
            to.write_all(&piece[..n])?;
            told.n_done += n as u64;
            if progress(&told).is_break() {
                return Err(ModelsError::Stopped);
            }
            if n == 0 {
                break;
            }
        }
        to.sync_all()?;
        atomic::sync_folder_of(&target)?;
    }
    Ok(())
}
