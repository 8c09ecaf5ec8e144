//! The models that this machine knows: folders in `models/`, and `models.toml`, which holds what is
//! written down about models.
//!
//! `models.toml` holds choices (the default model, links), the figures of the last check, and
//! fingerprints, so that hundreds of megabytes need not be hashed at every start. A folder in
//! `models/` is a model without being named there. Keys that this program does not know are kept.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sightline_onnx::{Model, Precision};

use super::error::ModelsError;
use super::verdict::{Figures, Verdict};
use crate::atomic::AtomicFile;

const HEAD: &str = "# Written by `sightline models`. See `sightline models list`.\n\n";

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
    pub(super) name: Option<String>,
    pub(super) place: Place,
    pub(super) record: Record,
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
    pub fn precisions(&self) -> Result<Vec<Precision>, ModelsError> {
        match self.folder() {
            None => Ok(vec![Model::starter()?.precision()]),
            Some(folder) => Ok(Model::variants(folder)?),
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
    pub fn verdict(&self) -> Result<Option<Verdict>, ModelsError> {
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
    /// [`ModelsError::NoPlace`] without a data folder.
    pub fn folder(&self) -> Result<PathBuf, ModelsError> {
        Ok(self.data()?.join("models"))
    }

    /// Every model with a name: the built-in one, then the others by name.
    ///
    /// # Errors
    /// When the registry cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>, ModelsError> {
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
    /// [`ModelsError::Unknown`] when there is neither.
    pub fn find(&self, asked: &Path) -> Result<Entry, ModelsError> {
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
        Err(ModelsError::Unknown {
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
    /// [`ModelsError::Unknown`] when there is none, [`ModelsError::NoName`] when there is only
    /// a folder.
    pub fn find_named(&self, name: &str) -> Result<Entry, ModelsError> {
        let entry = self.find(Path::new(name))?;
        match entry.name {
            Some(_) => Ok(entry),
            None => Err(ModelsError::NoName {
                folder: PathBuf::from(name),
            }),
        }
    }

    /// The name of the model that is used unless another is asked for.
    ///
    /// # Errors
    /// When the registry cannot be read.
    pub fn default_name(&self) -> Result<String, ModelsError> {
        Ok(self.read()?.default.unwrap_or_else(|| STARTER.to_owned()))
    }

    /// The model that is used unless another is asked for.
    ///
    /// # Errors
    /// [`ModelsError::DefaultGone`] when it is no longer there.
    pub fn default_entry(&self) -> Result<Entry, ModelsError> {
        let name = self.default_name()?;
        let mut entries = self.list()?.into_iter();
        entries
            .find(|entry| entry.name() == Some(&name))
            .ok_or(ModelsError::DefaultGone { name })
    }

    /// Makes a model of the registry the one that is used unless another is asked for.
    ///
    /// # Errors
    /// As [`Registry::find_named`], or when the choice cannot
    /// be written down.
    pub fn set_default(&self, name: &str) -> Result<Entry, ModelsError> {
        let entry = self.find_named(name)?;
        let default = entry.name.clone().filter(|name| name != STARTER);
        self.book()?.update(|book| book.default = default)?;
        Ok(entry)
    }

    /// Writes down where a model was downloaded from.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn note_origin(&self, entry: &Entry, origin: Origin) -> Result<(), ModelsError> {
        self.note(entry, |record| record.origin = Some(origin))
    }

    /// Names of the folders in the registry's own.
    fn copied(&self) -> Result<Vec<String>, ModelsError> {
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

    pub(super) fn read(&self) -> Result<Book, ModelsError> {
        match &self.data {
            None => Ok(Book::default()),
            Some(data) => BookFile::new(data).read(),
        }
    }

    pub(super) fn book(&self) -> Result<BookFile, ModelsError> {
        Ok(BookFile::new(self.data()?))
    }

    fn data(&self) -> Result<&Path, ModelsError> {
        self.data.as_deref().ok_or(ModelsError::NoPlace)
    }

    /// Changes the record of a model.
    pub(super) fn note(
        &self,
        entry: &Entry,
        change: impl FnOnce(&mut Record),
    ) -> Result<(), ModelsError> {
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
pub(super) fn is_name(name: &str) -> bool {
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

/// `models.toml`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Book {
    /// Which model is used unless another is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<String>,
    /// By name.
    pub(super) models: BTreeMap<String, Record>,
    /// Models that are used by their folder and have no name, by absolute path.
    pub(super) folders: BTreeMap<String, Record>,
    #[serde(flatten)]
    rest: toml::Table,
}

/// What is known of one model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    /// Where a model is that was not copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<String>,
    /// Which copy of the graphs is run unless another is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) precision: Option<String>,
    /// When the model was last checked, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checked_unix_s: Option<u64>,
    /// Where it was downloaded from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<Origin>,
    /// By the name of the precision.
    pub(super) precisions: BTreeMap<String, Variant>,
    #[serde(flatten)]
    rest: toml::Table,
}

/// Where a model was downloaded from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Its repository on the hub.
    pub repository: String,
    /// The commit that its files are of.
    pub commit: String,
    /// Its licence, as the hub or else the catalogue states it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

/// What is known of one copy of a model's graphs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Variant {
    /// The fingerprint of the model with these graphs.
    pub(super) fingerprint: String,
    /// [`Model::stamp`](sightline_onnx::Model::stamp) when that was computed.
    #[serde(default)]
    pub(super) stamp: String,
    /// What the last check measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) figures: Option<Figures>,
    #[serde(flatten)]
    rest: toml::Table,
}

impl Record {
    /// The fingerprint that belongs to a stamp.
    pub(super) fn fingerprint_of(&self, stamp: &str) -> Option<&str> {
        let mut variants = self.precisions.values();
        variants
            .find(|variant| variant.stamp == stamp)
            .map(|variant| variant.fingerprint.as_str())
    }

    /// The precision whose graphs have this fingerprint, as far as is known.
    pub(super) fn precision_of(&self, fingerprint: &str) -> Option<Precision> {
        let mut variants = self.precisions.iter();
        variants
            .find(|(_, variant)| variant.fingerprint == fingerprint)
            .and_then(|(name, _)| name.parse().ok())
    }

    /// Notes a fingerprint. Figures of other graphs are forgotten, and with them the choice that
    /// was made by them.
    pub(super) fn note(&mut self, precision: Precision, fingerprint: &str, stamp: String) {
        let variant = self.precisions.entry(precision.to_string()).or_default();
        if variant.fingerprint != fingerprint {
            *variant = Variant::default();
            fingerprint.clone_into(&mut variant.fingerprint);
            self.precision = None;
        }
        variant.stamp = stamp;
    }
}

/// Where the book is.
#[derive(Debug, Clone)]
pub(super) struct BookFile {
    path: PathBuf,
}

impl BookFile {
    pub(super) fn new(data: &Path) -> Self {
        Self {
            path: data.join("models.toml"),
        }
    }

    /// Reads it; empty where there is none.
    pub(super) fn read(&self) -> Result<Book, ModelsError> {
        let text = match fs_err::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Book::default()),
            Err(error) => return Err(error.into()),
        };
        toml::from_str(&text).map_err(|source| ModelsError::Book {
            file: self.path.clone(),
            source: Box::new(source),
        })
    }

    /// Changes it. Changes of several processes come one after the other; readers see the file as
    /// it was before or as it is after.
    pub(super) fn update<R>(&self, change: impl FnOnce(&mut Book) -> R) -> Result<R, ModelsError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs_err::create_dir_all(folder)?;
        let lock = fs_err::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.path.with_extension("toml.lock"))?;
        // Where the file system has no locks, the rename still keeps the file whole.
        match lock.lock() {
            Err(error) if error.kind() != io::ErrorKind::Unsupported => return Err(error.into()),
            _ => {}
        }
        let mut book = self.read()?;
        let before = book.clone();
        let result = change(&mut book);
        book.folders.retain(|folder, _| Path::new(folder).is_dir());
        if book != before {
            self.write(&book)?;
        }
        Ok(result)
    }

    fn write(&self, book: &Book) -> Result<(), ModelsError> {
        let text = toml::to_string(book).map_err(|source| ModelsError::Unwritable {
            file: self.path.clone(),
            source: Box::new(source),
        })?;
        let mut file = AtomicFile::create(&self.path)?;
        file.write_all(HEAD.as_bytes())?;
        file.write_all(text.as_bytes())?;
        Ok(file.commit()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_with_what_is_not_understood() {
        let folder = tempfile::tempdir().unwrap();
        let file = BookFile::new(folder.path());
        assert_eq!(file.read().unwrap(), Book::default());
        let text = "colour = 'red'\ndefault = 'a'\n[models.a]\nlink = '/a'\nshape = [1]\n\
                    [models.a.precisions.int8]\nfingerprint = 'f'\nkind = 'q'\n[future]\nx = 1\n";
        fs_err::write(folder.path().join("models.toml"), text).unwrap();
        file.update(|book| {
            let record = book.models.get_mut("a").unwrap();
            record.note(Precision::Int8, "f", "s".into());
            record.note(Precision::Fp32, "g", "t".into());
            record.checked_unix_s = Some(7);
        })
        .unwrap();
        let text = fs_err::read_to_string(folder.path().join("models.toml")).unwrap();
        let table: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(table["colour"].as_str(), Some("red"));
        assert_eq!(table["future"]["x"].as_integer(), Some(1));
        let model = &table["models"]["a"];
        assert_eq!(model["shape"][0].as_integer(), Some(1));
        assert_eq!(model["precisions"]["int8"]["kind"].as_str(), Some("q"));
        assert_eq!(model["precisions"]["int8"]["stamp"].as_str(), Some("s"));
        let book = file.read().unwrap();
        let record = &book.models["a"];
        assert_eq!(record.link.as_deref(), Some("/a"));
        assert_eq!(record.fingerprint_of("t"), Some("g"));
        assert_eq!(record.precision_of("f"), Some(Precision::Int8));
        assert_eq!(record.precision_of("h"), None);
    }

    #[test]
    fn other_graphs_end_what_was_found_out_about_the_old_ones() {
        let mut record = Record::default();
        record.note(Precision::Int8, "f", "s".into());
        record.precision = Some("int8".into());
        record.precisions.get_mut("int8").unwrap().figures = Some(Figures {
            ms_per_picture: 1.0,
            ms_per_text: 1.0,
            to_fp32: None,
        });
        record.note(Precision::Int8, "f", "later".into());
        assert!(record.precisions["int8"].figures.is_some() && record.precision.is_some());
        record.note(Precision::Int8, "g", "later still".into());
        assert!(record.precisions["int8"].figures.is_none() && record.precision.is_none());
    }

    #[test]
    fn a_book_that_is_none_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = BookFile::new(folder.path());
        fs_err::write(folder.path().join("models.toml"), "default = 7\n").unwrap();
        let error = file.read().unwrap_err();
        assert!(error.to_string().contains("models.toml"), "{error}");
        let text = fs_err::read_to_string(folder.path().join("models.toml")).unwrap();
        file.update(|book| book.default = Some("b".into()))
            .unwrap_err();
        let after = fs_err::read_to_string(folder.path().join("models.toml")).unwrap();
        assert_eq!(text, after);
    }

    #[test]
    fn changes_of_many_at_once_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = BookFile::new(folder.path());
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let file = &file;
                scope.spawn(move || {
                    for turn in 0..10 {
                        let name = format!("m{thread}-{turn}");
                        file.update(|book| {
                            book.models.entry(name).or_default();
                        })
                        .unwrap();
                    }
                });
            }
        });
        assert_eq!(file.read().unwrap().models.len(), 80);
    }

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
