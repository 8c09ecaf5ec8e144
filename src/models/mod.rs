//! Which models does this machine know, by which names, and which one is meant?
//!
//! A [`Registry`] is two things in the user's data folder: `models/NAME/`, models that were copied
//! there, and `models.toml`, what is written down about models. Without them there is
//! still the model that is built in.

mod add;
mod book;
mod catalogue;
mod check;
mod error;
pub mod hub;
mod open;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use sightline_onnx::{Model, ModelError, Precision};

use book::{BookFile, Record};

pub use add::{CopyProgress, Newcomer, Removed};
pub use book::{Agreement, Figures, Origin};
pub use catalogue::{CATALOGUE, CatalogueEntry, in_catalogue};
pub use check::{Check, Checked, NEAR_ENOUGH, Outcome, Tower, Verdict};
pub use error::RegistryError;
pub use open::{Opened, Wanted};

/// The name of the model that is built into the program.
pub const STARTER: &str = "starter";

/// The models that this machine knows.
#[derive(Debug, Clone)]
pub struct Registry {
    data: Option<PathBuf>,
}

/// Where a model's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the program.
    BuiltIn,
    /// In the registry's own folder.
    Copied(PathBuf),
    /// In this folder, which belongs to someone else, under a name of the registry.
    Linked(PathBuf),
    /// In this folder, without a name.
    Folder(PathBuf),
}

/// A model that can be asked for, not opened yet.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name, or nothing when it is only a folder.
    name: Option<String>,
    place: Place,
    record: Record,
}

impl Entry {
    /// Its name; nothing when it is only a folder.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// How to ask for it with `--model`.
    #[must_use]
    pub fn label(&self) -> String {
        match (&self.name, self.folder()) {
            (Some(name), _) => name.clone(),
            (None, Some(folder)) => folder.display().to_string(),
            (None, None) => STARTER.to_owned(),
        }
    }

    /// Where its files are.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The folder of its files; nothing when they are built in.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match &self.place {
            Place::BuiltIn => None,
            Place::Copied(folder) | Place::Linked(folder) | Place::Folder(folder) => Some(folder),
        }
    }

    /// The precisions that it has, the most exact one first.
    ///
    /// # Errors
    /// When its files are no model.
    pub fn precisions(&self) -> Result<Vec<Precision>, ModelError> {
        match self.folder() {
            None => Ok(vec![Model::starter()?.precision()]),
            Some(folder) => Model::variants(folder),
        }
    }

    /// The precision that the last check chose, if there was one and the model is still the same.
    #[must_use]
    pub fn chosen(&self) -> Option<Precision> {
        self.record.precision.as_deref()?.parse().ok()
    }

    /// What the last check measured of a precision.
    #[must_use]
    pub fn figures(&self, precision: Precision) -> Option<&Figures> {
        let variant = self.record.precisions.get(precision.as_str())?;
        variant.figures.as_ref()
    }

    /// Which precision is run unless another is asked for, and why; nothing when the model was not
    /// checked since it last changed.
    ///
    /// # Errors
    /// When its files are no model.
    pub fn verdict(&self) -> Result<Option<Verdict>, ModelError> {
        let mut sound = Vec::new();
        for precision in self.precisions()? {
            // One without figures does not work, or came after the check.
            if let Some(figures) = self.figures(precision) {
                sound.push((precision, figures.to_fp32));
            }
        }
        let verdict = Verdict::choose(&sound);
        Ok(self.chosen().map(|chosen| Verdict {
            chosen: Some(chosen),
            ..verdict
        }))
    }

    /// Where it was downloaded from, if it was.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.record.origin.as_ref()
    }

    /// When it was last checked, in seconds since 1970.
    #[must_use]
    pub fn checked_unix_s(&self) -> Option<u64> {
        self.record.checked_unix_s
    }
}

impl Registry {
    /// The registry in Sightline's data folder, which need not exist; `None` when there is no
    /// place for one, so that only the built-in model has a name.
    #[must_use]
    pub fn new(data: Option<PathBuf>) -> Self {
        Self { data }
    }

    /// The folder that holds the copied models.
    ///
    /// # Errors
    /// [`RegistryError::NoPlace`] without a data folder.
    pub fn folder(&self) -> Result<PathBuf, RegistryError> {
        Ok(self.data()?.join("models"))
    }

    /// Every model with a name: the built-in one, then the others by name.
    ///
    /// # Errors
    /// When the registry cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>, RegistryError> {
        let mut book = self.read()?;
        let mut entries = vec![Entry {
            name: Some(STARTER.to_owned()),
            place: Place::BuiltIn,
            record: book.models.remove(STARTER).unwrap_or_default(),
        }];
        for name in self.copied()? {
            let record = book.models.remove(&name).unwrap_or_default();
            entries.push(Entry {
                place: Place::Copied(self.folder()?.join(&name)),
                name: Some(name),
                record,
            });
        }
        for (name, record) in book.models {
            if let Some(link) = &record.link {
                entries.push(Entry {
                    place: Place::Linked(PathBuf::from(link)),
                    name: Some(name),
                    record,
                });
            }
        }
        entries[1..].sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// The model that is asked for by a name or by its folder. A name wins over a folder of the
    /// same name in the current folder, which can still be written `./NAME`.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] when there is neither.
    pub fn find(&self, asked: &Path) -> Result<Entry, RegistryError> {
        let entries = self.list()?;
        // Compared as text: `clip/` is a folder.
        let named = |entry: &&Entry| entry.name().map(OsStr::new) == Some(asked.as_os_str());
        if let Some(entry) = entries.iter().find(named) {
            return Ok(entry.clone());
        }
        if asked.is_dir() {
            return Ok(self.find_folder(asked, entries));
        }
        let name = asked.display().to_string();
        let known: Vec<String> = entries.into_iter().filter_map(|entry| entry.name).collect();
        Err(RegistryError::Unknown {
            close: closest(&name, &known),
            name,
            known,
        })
    }

    /// A folder that has a name is the model of that name.
    fn find_folder(&self, asked: &Path, entries: Vec<Entry>) -> Entry {
        let real = |path: &Path| fs_err::canonicalize(path).ok();
        let asked_really = real(asked);
        let mut named = entries.into_iter().filter(|entry| entry.folder().is_some());
        if let Some(entry) = named.find(|entry| entry.folder().and_then(real) == asked_really) {
            return entry;
        }
        let record = key(asked).and_then(|key| self.read().ok()?.folders.remove(&key));
        Entry {
            name: None,
            place: Place::Folder(asked.to_path_buf()),
            record: record.unwrap_or_default(),
        }
    }

    /// The model of this name.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] when there is none, [`RegistryError::NoName`] when there is only
    /// a folder.
    pub fn find_named(&self, name: &str) -> Result<Entry, RegistryError> {
        let entry = self.find(Path::new(name))?;
        match entry.name {
            Some(_) => Ok(entry),
            None => Err(RegistryError::NoName {
                folder: PathBuf::from(name),
            }),
        }
    }

    /// The name of the model that is used unless another is asked for.
    ///
    /// # Errors
    /// When the registry cannot be read.
    pub fn default_name(&self) -> Result<String, RegistryError> {
        Ok(self.read()?.default.unwrap_or_else(|| STARTER.to_owned()))
    }

    /// The model that is used unless another is asked for.
    ///
    /// # Errors
    /// [`RegistryError::DefaultGone`] when it is no longer there.
    pub fn default_entry(&self) -> Result<Entry, RegistryError> {
        let name = self.default_name()?;
        let mut entries = self.list()?.into_iter();
        entries
            .find(|entry| entry.name() == Some(&name))
            .ok_or(RegistryError::DefaultGone { name })
    }

    /// Makes a model of the registry the one that is used unless another is asked for.
    ///
    /// # Errors
    /// As [`Registry::find_named`], or when the choice cannot
    /// be written down.
    pub fn set_default(&self, name: &str) -> Result<Entry, RegistryError> {
        let entry = self.find_named(name)?;
        let default = entry.name.clone().filter(|name| name != STARTER);
        self.book()?.update(|book| book.default = default)?;
        Ok(entry)
    }

    /// Writes down where a model was downloaded from.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn note_origin(&self, entry: &Entry, origin: Origin) -> Result<(), RegistryError> {
        self.note(entry, |record| record.origin = Some(origin))
    }

    /// Names of the folders in the registry's own.
    fn copied(&self) -> Result<Vec<String>, RegistryError> {
        let Some(data) = &self.data else {
            return Ok(Vec::new());
        };
        let entries = match fs_err::read_dir(data.join("models")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string()
                && is_name(&name)
                && name != STARTER
                && entry.path().is_dir()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn read(&self) -> Result<book::Book, RegistryError> {
        match &self.data {
            None => Ok(book::Book::default()),
            Some(data) => BookFile::new(data).read(),
        }
    }

    fn book(&self) -> Result<BookFile, RegistryError> {
        Ok(BookFile::new(self.data()?))
    }

    fn data(&self) -> Result<&Path, RegistryError> {
        self.data.as_deref().ok_or(RegistryError::NoPlace)
    }

    /// Changes the record of a model.
    fn note(&self, entry: &Entry, change: impl FnOnce(&mut Record)) -> Result<(), RegistryError> {
        let key = entry.folder().and_then(key);
        self.book()?.update(|book| match (&entry.name, key) {
            (Some(name), _) => change(book.models.entry(name.clone()).or_default()),
            (None, Some(folder)) => change(book.folders.entry(folder).or_default()),
            (None, None) => {}
        })
    }
}

/// Under which key a folder without a name is written down; nothing when it cannot be.
fn key(folder: &Path) -> Option<String> {
    let real = fs_err::canonicalize(folder).ok()?;
    real.to_str().map(ToOwned::to_owned)
}

/// Whether a model can have this name: it must not leave the folder of the models, nor look like
/// an option, nor be hidden, as unfinished copies are.
fn is_name(name: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty()
        && name.len() <= 100
        && !name.starts_with(['.', '-'])
        && name.chars().all(inside)
}

/// The name that was probably meant.
fn closest(asked: &str, known: &[String]) -> Option<String> {
    /// Below this the names only share some letters.
    const LEAST: f64 = 0.8;
    let asked = asked.to_lowercase();
    known
        .iter()
        .map(|name| (strsim::jaro_winkler(&asked, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= LEAST)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.clone())
}

/// Makes a new name in a folder last. Only Unix lets a folder be opened for that.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => fs_err::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_the_folder_of_the_models() {
        let good = [
            "clip",
            "clip-vit-base-patch32",
            "ViT-B-32__openai",
            "a.b",
            "7",
        ];
        let bad = [
            "", ".", "..", ".hidden", "-x", "a/b", "a\\b", "a b", "é", "a\n", "/", "a:b",
        ];
        for name in good {
            assert!(is_name(name), "{name}");
        }
        for name in bad {
            assert!(!is_name(name), "{name:?}");
        }
        assert!(!is_name(&"a".repeat(101)));
    }

    #[test]
    fn a_slip_of_the_keyboard_is_recognised() {
        let known = ["starter", "clip-vit-base", "siglip"].map(ToOwned::to_owned);
        assert_eq!(closest("statrer", &known).as_deref(), Some("starter"));
        assert_eq!(
            closest("CLIP-vit-bas", &known).as_deref(),
            Some("clip-vit-base")
        );
        assert_eq!(closest("siglip2", &known).as_deref(), Some("siglip"));
        assert_eq!(closest("mobile", &known), None);
    }
}
