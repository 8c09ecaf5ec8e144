//! Adds models to the registry, and removes them.
//!
//! A model is copied to a hidden folder beside the others, compared with the original, and renamed
//! when it is complete, so that a killed process leaves no partial model.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sightline_onnx::{Model, ModelError, Precision};

use super::catalogue::in_catalogue;
use super::check::Check;
use super::error::ModelsError;
use super::hub::{ByteProgress, HubError, MAX_DESCRIPTION_BYTES, is_description};
use super::lock::try_lock;
use super::registry::{Entry, ModelRecord, Place, Registry, STARTER, is_name};
use super::unsupported;
use crate::atomic;

/// Bytes copied between two calls of the progress callback.
const CHUNK: usize = 4 << 20;

const ADDING: &str = ".adding-";
const REMOVING: &str = ".removing-";

/// A model that can be added: it is a model, its name is free, and the registry does not hold it
/// yet.
#[derive(Debug, Clone)]
pub struct PendingModel {
    name: String,
    home: Home,
    models: Vec<Model>,
}

/// Where the files of a model lie that is to be added.
#[derive(Debug, Clone)]
enum Home {
    /// In one folder.
    Folder(PathBuf),
    /// Each tower in a folder of its own.
    Towers { image: PathBuf, text: PathBuf },
}

/// What the folders of two towers are called in the folder that joins them.
const IMAGE: &str = "image";
const TEXT: &str = "text";

impl Home {
    /// The folder that stands for the model in messages.
    fn shown(&self) -> &Path {
        match self {
            Self::Folder(folder) => folder,
            Self::Towers { image, .. } => image,
        }
    }

    /// Its folders, each with the name that it gets below the model's own folder.
    fn parts(&self) -> Vec<(&Path, &'static str)> {
        match self {
            Self::Folder(folder) => vec![(folder, "")],
            Self::Towers { image, text } => vec![(image, IMAGE), (text, TEXT)],
        }
    }

    /// Writes what joins two towers in a folder.
    fn join(&self, name: &str, folder: &Path) -> Result<(), ModelsError> {
        if matches!(self, Self::Folder(_)) {
            return Ok(());
        }
        let manifest = format!(
            "name = {name:?}\n\n[image]\nfolder = {IMAGE:?}\n\n[text]\nfolder = {TEXT:?}\n"
        );
        let file = folder.join("sightline.toml");
        fs_err::write(&file, manifest)?;
        Ok(atomic::sync_folder_of(&file)?)
    }
}

impl PendingModel {
    /// The name it will have.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The model at each precision, the most exact one first.
    #[must_use]
    pub fn models(&self) -> &[Model] {
        &self.models
    }
}

/// A model that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Where it was. Only files in the registry's own folder are deleted.
    pub place: Place,
    /// Whether it was the default model, which is now the built-in one.
    pub was_default: bool,
}

impl Registry {
    /// Opens a folder that is to be added, under this name or the model's own.
    ///
    /// # Errors
    /// When it is not a model, the name is not valid or taken, or the registry already holds the
    /// model.
    pub fn pending(&self, folder: &Path, name: Option<&str>) -> Result<PendingModel, ModelsError> {
        if !folder.is_dir() {
            let name = folder.file_name().and_then(|name| name.to_str());
            return Err(ModelsError::NoModelFolder {
                folder: folder.to_path_buf(),
                is_file: folder.is_file(),
                in_catalogue: name.and_then(in_catalogue).map(|entry| entry.name),
            });
        }
        let models = every_precision(folder)?;
        self.pending_in(Home::Folder(folder.to_path_buf()), models, name)
    }

    /// Opens two folders with one tower each, which are to be added as one model, under this name
    /// or that of the image tower's folder.
    ///
    /// # Errors
    /// As [`pending`](Self::pending).
    pub fn pending_towers(
        &self,
        image: &Path,
        text: &Path,
        name: Option<&str>,
    ) -> Result<PendingModel, ModelsError> {
        for folder in [image, text] {
            if !folder.is_dir() {
                return Err(ModelsError::NoModelFolder {
                    folder: folder.to_path_buf(),
                    is_file: folder.is_file(),
                    in_catalogue: None,
                });
            }
        }
        // Files are named by their true places.
        let (image, text) = (fs_err::canonicalize(image)?, fs_err::canonicalize(text)?);
        let opening = ModelsError::opening_towers(&image, &text);
        let precisions = Model::variants_of_towers(&image, &text).map_err(&opening)?;
        let open = |precision| {
            let model = Model::open_towers(&image, &text, precision).map_err(&opening)?;
            let (of_text, of_image): (Vec<PathBuf>, Vec<PathBuf>) = model
                .files()
                .into_iter()
                .partition(|file| file.starts_with(&text));
            let pointer = unsupported::pointer_among(&image, &of_image);
            match pointer.or_else(|| unsupported::pointer_among(&text, &of_text)) {
                Some(pointer) => Err(pointer.into()),
                None => Ok(model),
            }
        };
        let models: Result<Vec<Model>, ModelsError> = if precisions.is_empty() {
            open(None).map(|model| vec![model])
        } else {
            precisions.into_iter().map(|one| open(Some(one))).collect()
        };
        let models = models?;
        drop(opening);
        self.pending_in(Home::Towers { image, text }, models, name)
    }

    fn pending_in(
        &self,
        home: Home,
        models: Vec<Model>,
        name: Option<&str>,
    ) -> Result<PendingModel, ModelsError> {
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
                    folder: home.shown().to_path_buf(),
                    name: entry.label(),
                });
            }
        }
        Ok(PendingModel { name, home, models })
    }

    /// The folder into which a model of this name is downloaded, created if missing.
    ///
    /// # Errors
    /// [`ModelsError::BadName`]; [`HubError::Busy`] while another process downloads into it; or it
    /// cannot be created.
    pub fn download_folder(&self, name: &str) -> Result<DownloadFolder, ModelsError> {
        if !is_name(name) {
            return Err(ModelsError::BadName { name: name.into() });
        }
        let models = self.folder()?;
        let path = models.join(format!(".{name}.part"));
        let lock_path = models.join(format!(".{name}.part.lock"));
        fs_err::create_dir_all(&path)?;
        match try_lock(&lock_path)? {
            Some(lock) => Ok(DownloadFolder {
                path,
                lock_path,
                lock,
            }),
            None => Err(HubError::Busy { folder: path }.into()),
        }
    }

    /// Checks that a new model can have this name.
    ///
    /// # Errors
    /// [`ModelsError::BadName`] or [`ModelsError::Taken`].
    pub fn check_new_name(&self, name: &str) -> Result<(), ModelsError> {
        if !is_name(name) {
            return Err(ModelsError::BadName { name: name.into() });
        }
        self.check_free(name)
    }

    /// Names must differ in more than case, which some file systems ignore.
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
    /// When a file cannot be read or written, or the copy differs from the original;
    /// [`ModelsError::Stopped`] when `progress` breaks. Nothing is left behind.
    pub fn add_copy(
        &self,
        pending: &PendingModel,
        check: &Check,
        progress: &mut dyn FnMut(&ByteProgress) -> ControlFlow<()>,
    ) -> Result<Entry, ModelsError> {
        let _lock = self.lock()?;
        // Checked before minutes of copying, and again after them.
        self.check_free(&pending.name)?;
        let staging = Staging::new(&self.folder()?, ADDING, &pending.name)?;
        copy(pending, staging.path(), progress)?;
        pending.home.join(&pending.name, staging.path())?;
        // Opened from disk by the same rules, so that a missing file shows.
        for model in &pending.models {
            let copied = Model::open_with(staging.path(), Some(model.precision()));
            if copied?.fingerprint() != model.fingerprint() {
                return Err(ModelsError::BadCopy {
                    folder: pending.home.shown().to_path_buf(),
                });
            }
        }
        self.install(staging.path(), pending, check)
    }

    /// Moves a complete folder into the registry; it must be on the disk of [`Registry::folder`].
    ///
    /// # Errors
    /// When the name is taken, or the folder cannot be renamed.
    pub fn adopt(&self, pending: &PendingModel, check: &Check) -> Result<Entry, ModelsError> {
        let _lock = self.lock()?;
        self.install(pending.home.shown(), pending, check)
    }

    /// Gives a model a name and leaves its files where they are.
    ///
    /// # Errors
    /// When the name is taken or cannot be recorded.
    pub fn add_link(&self, pending: &PendingModel, check: &Check) -> Result<Entry, ModelsError> {
        let _lock = self.lock()?;
        self.check_free(&pending.name)?;
        let Home::Folder(folder) = &pending.home else {
            let staging = Staging::new(&self.folder()?, ADDING, &pending.name)?;
            for (folder, name) in pending.home.parts() {
                link_folder(folder, &staging.path().join(name))?;
            }
            pending.home.join(&pending.name, staging.path())?;
            return self.install(staging.path(), pending, check);
        };
        let folder = fs_err::canonicalize(folder)?;
        let Some(link) = folder.to_str().map(ToOwned::to_owned) else {
            return Err(ModelsError::NotUtf8 { folder });
        };
        self.file()?.update(|data| {
            let record = data.models.entry(pending.name.clone()).or_default();
            *record = data.folders.remove(&link).unwrap_or_default();
            record.link = Some(link);
        })?;
        self.finish(&pending.name, Place::Linked(folder), check)
    }

    /// Renames a complete folder to its place among the models.
    fn install(
        &self,
        folder: &Path,
        pending: &PendingModel,
        check: &Check,
    ) -> Result<Entry, ModelsError> {
        self.check_free(&pending.name)?;
        let target = self.folder()?.join(&pending.name);
        // What is recorded under this name is about a model that was deleted by hand.
        self.file()?
            .update(|data| data.models.remove(&pending.name))?;
        atomic::rename(folder, &target)?;
        self.finish(&pending.name, Place::Copied(target), check)
    }

    /// Records the check of a model that is in place now.
    fn finish(&self, name: &str, place: Place, check: &Check) -> Result<Entry, ModelsError> {
        let entry = Entry {
            name: Some(name.to_owned()),
            place,
            record: ModelRecord::default(),
        };
        self.record_check(&entry, check)?;
        self.find(Path::new(name))
    }

    /// Removes a model from the registry. Its files are deleted only if they are the registry's
    /// own.
    ///
    /// # Errors
    /// When the model does not exist, is the built-in one, or its files cannot be deleted.
    pub fn remove(&self, name: &str) -> Result<Removed, ModelsError> {
        if name == STARTER {
            return Err(ModelsError::BuiltIn { name: name.into() });
        }
        let entry = self.find_named(name)?;
        // As spelled in the registry.
        let name = entry.name.clone().unwrap_or_else(|| name.to_owned());
        let _lock = self.lock()?;
        let staging = match &entry.place {
            Place::Copied(folder) => {
                let staging = Staging::new(&self.folder()?, REMOVING, &name)?;
                // Its name is free at once, whatever happens while its files are deleted.
                fs_err::rename(folder, staging.path().join(&name))?;
                Some(staging)
            }
            _ => None,
        };
        let was_default = self.file()?.update(|data| {
            data.models.remove(&name);
            let was_default = data.default.as_ref() == Some(&name);
            if was_default {
                data.default = None;
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

    /// Locks the folder of the models until the file is dropped or the process ends, and deletes
    /// what killed processes left behind.
    fn lock(&self) -> Result<fs_err::File, ModelsError> {
        let folder = self.folder()?;
        fs_err::create_dir_all(&folder)?;
        let Some(lock) = try_lock(&folder.join(".lock"))? else {
            return Err(ModelsError::Busy { folder });
        };
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

/// The folder that a model is downloaded into, beside the complete ones. It stays when a download
/// is interrupted, so that the next one resumes it. Locked until dropped.
#[derive(Debug)]
pub struct DownloadFolder {
    path: PathBuf,
    lock_path: PathBuf,
    lock: fs_err::File,
}

impl DownloadFolder {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what is left once the model is in the registry.
    pub fn finish(self) {
        drop(self.lock);
        // A leftover lock file does no harm.
        let _ = fs_err::remove_file(&self.lock_path);
    }
}

/// A hidden folder, deleted on drop unless it was renamed.
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
        // If it fails, the next run deletes it.
        let _ = fs_err::remove_dir_all(&self.path);
    }
}

/// The model in a folder at fp32, from which copies in int8 are made. `label` is its name for
/// messages.
///
/// # Errors
/// [`ModelsError::NothingToQuantize`], or when the folder is not a model.
pub(crate) fn fp32_in(folder: &Path, label: &str) -> Result<Model, ModelsError> {
    match Model::open_with(folder, Some(Precision::Fp32)) {
        Err(ModelError::NoPrecision { .. }) => Err(ModelsError::NothingToQuantize {
            model: label.to_owned(),
        }),
        model => model.map_err(ModelsError::opening(folder)),
    }
}

/// The model at each of its precisions, the most exact one first.
///
/// # Errors
/// When the folder is not a model.
pub(crate) fn every_precision(folder: &Path) -> Result<Vec<Model>, ModelsError> {
    let open = |precision| {
        let model = Model::open_with(folder, precision).map_err(ModelsError::opening(folder))?;
        match unsupported::pointer_among(folder, &model.files()) {
            Some(pointer) => Err(pointer.into()),
            None => Ok(model),
        }
    };
    let precisions = Model::variants(folder).map_err(ModelsError::opening(folder))?;
    if precisions.is_empty() {
        // Opening it says what is missing.
        return Ok(vec![open(None)?]);
    }
    precisions.into_iter().map(|one| open(Some(one))).collect()
}

/// The model's own name, made a valid one.
fn own_name(model: &Model) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = model
        .name()
        .chars()
        .map(|c| if allowed(c) { c } else { '-' })
        .collect();
    name.trim_matches(['-', '.']).to_owned()
}

/// Links a folder into another place.
fn link_folder(folder: &Path, link: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    return fs_err::os::unix::fs::symlink(folder, link);
    #[cfg(windows)]
    return fs_err::os::windows::fs::symlink_dir(folder, link);
}

/// A file to copy.
struct FileToCopy {
    from: PathBuf,
    /// Relative to the model's own folder.
    to: PathBuf,
    n_bytes: u64,
}

/// The files to copy: the model's files, and the small texts in the same folders that describe the
/// model or state its licence.
fn files_to_copy(pending: &PendingModel) -> Result<Vec<FileToCopy>, ModelsError> {
    let parts = pending.home.parts();
    let needed: BTreeSet<PathBuf> = pending.models.iter().flat_map(Model::files).collect();
    let mut places: BTreeSet<&Path> = needed.iter().filter_map(|file| file.parent()).collect();
    places.extend(parts.iter().map(|(folder, _)| *folder));
    let mut files = needed.clone();
    for place in places {
        for entry in fs_err::read_dir(place)? {
            let path = entry?.path();
            let metadata = fs_err::metadata(&path);
            let is_small = metadata.is_ok_and(|m| m.is_file() && m.len() <= MAX_DESCRIPTION_BYTES);
            let name = path.file_name().unwrap_or_default();
            if is_small && is_description(&name.to_string_lossy()) {
                files.insert(path);
            }
        }
    }
    let mut wanted = Vec::new();
    for from in files {
        let n_bytes = fs_err::metadata(&from)?.len();
        // One tower's folder may lie in the other's: a file there belongs to both.
        for (folder, name) in &parts {
            // A description cannot name files outside its folder.
            if let Ok(inside) = from.strip_prefix(folder) {
                wanted.push(FileToCopy {
                    to: Path::new(name).join(inside),
                    from: from.clone(),
                    n_bytes,
                });
            }
        }
    }
    Ok(wanted)
}

fn copy(
    pending: &PendingModel,
    target: &Path,
    progress: &mut dyn FnMut(&ByteProgress) -> ControlFlow<()>,
) -> Result<(), ModelsError> {
    let files = files_to_copy(pending)?;
    let mut done = ByteProgress {
        n_done: 0,
        n_total: files.iter().map(|file| file.n_bytes).sum(),
    };
    let mut chunk = vec![0; CHUNK];
    for FileToCopy { from, to, .. } in &files {
        let target = target.join(to);
        if let Some(folder) = target.parent() {
            fs_err::create_dir_all(folder)?;
        }
        let mut from = fs_err::File::open(from)?;
        let mut to = fs_err::File::create(&target)?;
        loop {
            let n = from.read(&mut chunk)?;
            to.write_all(&chunk[..n])?;
            done.n_done += n as u64;
            if progress(&done).is_break() {
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
