//! The models known on this machine: the folders in `models/`, and what `models.toml` says about
//! models.
//!
//! `models.toml` holds choices (the default model, links), the figures of the last check, and
//! fingerprints, so that hundreds of megabytes are not hashed at every start. A folder in `models/`
//! is a model even if the file does not mention it. Unknown keys are kept.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sightline_onnx::{Calibration, Model, Precision};

use super::error::ModelsError;
use super::lock::lock;
use super::verdict::{Figures, Verdict};
use crate::atomic::AtomicFile;

const HEADER: &str = "# Written by `sightline models`. See `sightline models list`.\n\n";

/// Name of the built-in model.
pub const STARTER: &str = "starter";

/// Names of built-in models of older versions, which no longer ship. An index may still hold their
/// vectors.
pub(crate) const OLD_STARTERS: [&str; 1] = ["sightline-starter-1"];

/// The models known on this machine.
#[derive(Debug, Clone)]
pub struct Registry {
    data: Option<PathBuf>,
}

/// Where a model's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the program itself.
    BuiltIn,
    /// In the registry's own folder.
    Copied(PathBuf),
    /// In a folder outside the registry, which knows it by a name.
    Linked(PathBuf),
    /// In a folder without a name.
    Folder(PathBuf),
}

/// A model that was found, not opened yet.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(super) name: Option<String>,
    pub(super) place: Place,
    pub(super) record: ModelRecord,
}

impl Entry {
    /// Its name; `None` for a folder without one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What to give to `--model`: its name, else its folder.
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

    /// The folder of its files; `None` for the built-in model.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match &self.place {
            Place::BuiltIn => None,
            Place::Copied(folder) | Place::Linked(folder) | Place::Folder(folder) => Some(folder),
        }
    }

    /// Its precisions, the most exact one first.
    ///
    /// # Errors
    /// When its files are not a model.
    pub fn precisions(&self) -> Result<Vec<Precision>, ModelsError> {
        match self.folder() {
            None => Ok(vec![Model::starter()?.precision()]),
            Some(folder) => Model::variants(folder).map_err(ModelsError::opening(folder)),
        }
    }

    /// The precision that the last check chose; `None` if the model was not checked or changed
    /// since.
    #[must_use]
    pub fn chosen(&self) -> Option<Precision> {
        self.record.precision.as_deref()?.parse().ok()
    }

    /// What the last check measured for a precision.
    #[must_use]
    pub fn figures(&self, precision: Precision) -> Option<&Figures> {
        let variant = self.record.precisions.get(precision.as_str())?;
        variant.figures.as_ref()
    }

    /// What the cosines of a precision mean, as the last check measured it.
    #[must_use]
    pub fn calibration(&self, precision: Precision) -> Option<Calibration> {
        self.record.precisions.get(precision.as_str())?.unrelated
    }

    /// Which precision is used by default, and why; `None` if the model was not checked since it
    /// last changed.
    ///
    /// # Errors
    /// When its files are not a model.
    pub fn verdict(&self) -> Result<Option<Verdict>, ModelsError> {
        let mut sound = Vec::new();
        for precision in self.precisions()? {
            // One without figures does not work, or is newer than the check.
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

    /// Where it was downloaded from; `None` if it was not downloaded.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.record.origin.as_ref()
    }

    /// When it was last checked, in Unix time (seconds).
    #[must_use]
    pub fn checked_unix_s(&self) -> Option<u64> {
        self.record.checked_unix_s
    }
}

impl Registry {
    /// The registry in Sightline's data folder, which need not exist. Without a data folder, only
    /// the built-in model has a name.
    #[must_use]
    pub fn new(data: Option<PathBuf>) -> Self {
        Self { data }
    }

    /// The folder of the copied models.
    ///
    /// # Errors
    /// [`ModelsError::NoDataFolder`] without a data folder.
    pub fn folder(&self) -> Result<PathBuf, ModelsError> {
        Ok(self.data()?.join("models"))
    }

    /// All models with a name: the built-in one, then the others by name.
    ///
    /// # Errors
    /// When the registry cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>, ModelsError> {
        let mut data = self.read()?;
        let mut entries = vec![Entry {
            name: Some(STARTER.to_owned()),
            place: Place::BuiltIn,
            record: data.models.remove(STARTER).unwrap_or_default(),
        }];
        for name in self.copied()? {
            let record = data.models.remove(&name).unwrap_or_default();
            entries.push(Entry {
                place: Place::Copied(self.folder()?.join(&name)),
                name: Some(name),
                record,
            });
        }
        for (name, record) in data.models {
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

    /// Finds a model by its name or folder. The built-in model has two names, [`STARTER`] and the
    /// one that its indexes show. A name wins over a folder of the same name in the
    /// current folder, which can still be given as `./NAME`.
    ///
    /// # Errors
    /// [`ModelsError::Unknown`] when neither exists, or the registry cannot be read.
    pub fn find(&self, asked: &Path) -> Result<Entry, ModelsError> {
        let entries = self.list()?;
        // Compared as text: `clip/` is always a folder.
        let named = |entry: &&Entry| entry.name().map(OsStr::new) == Some(asked.as_os_str());
        if let Some(entry) = entries.iter().find(named) {
            return Ok(entry.clone());
        }
        if asked.is_dir() {
            return Ok(self.find_folder(asked, entries));
        }
        if Model::starter().is_ok_and(|starter| asked.as_os_str() == starter.name()) {
            return self.find(Path::new(STARTER));
        }
        let name = asked.display().to_string();
        let known: Vec<String> = entries.into_iter().filter_map(|entry| entry.name).collect();
        Err(ModelsError::Unknown {
            close: closest(&name, &known),
            name,
            known,
        })
    }

    /// The model in a folder: that of a name, if the registry knows the folder by one.
    fn find_folder(&self, asked: &Path, entries: Vec<Entry>) -> Entry {
        let real = |path: &Path| fs_err::canonicalize(path).ok();
        let asked_real = real(asked);
        let mut named = entries.into_iter().filter(|entry| entry.folder().is_some());
        if let Some(entry) = named.find(|entry| entry.folder().and_then(real) == asked_real) {
            return entry;
        }
        let record = folder_key(asked).and_then(|key| self.read().ok()?.folders.remove(&key));
        Entry {
            name: None,
            place: Place::Folder(asked.to_path_buf()),
            record: record.unwrap_or_default(),
        }
    }

    /// Finds a model by its name.
    ///
    /// # Errors
    /// [`ModelsError::Unknown`] when it does not exist, [`ModelsError::Unnamed`] when only a folder
    /// of this name does.
    pub fn find_named(&self, name: &str) -> Result<Entry, ModelsError> {
        let entry = self.find(Path::new(name)).map_err(|error| match error {
            ModelsError::Unknown { name, known, close } => {
                ModelsError::UnknownName { name, known, close }
            }
            error => error,
        })?;
        match entry.name {
            Some(_) => Ok(entry),
            None => Err(ModelsError::Unnamed {
                folder: PathBuf::from(name),
            }),
        }
    }

    /// Name of the default model.
    ///
    /// # Errors
    /// When the registry cannot be read.
    pub fn default_name(&self) -> Result<String, ModelsError> {
        Ok(self.read()?.default.unwrap_or_else(|| STARTER.to_owned()))
    }

    /// The default model.
    ///
    /// # Errors
    /// [`ModelsError::DefaultMissing`] when it no longer exists.
    pub fn default_entry(&self) -> Result<Entry, ModelsError> {
        let name = self.default_name()?;
        let mut entries = self.list()?.into_iter();
        entries
            .find(|entry| entry.name() == Some(&name))
            .ok_or(ModelsError::DefaultMissing { name })
    }

    /// Makes a model the default.
    ///
    /// # Errors
    /// As [`Registry::find_named`], or when `models.toml` cannot be written.
    pub fn set_default(&self, name: &str) -> Result<Entry, ModelsError> {
        let entry = self.find_named(name)?;
        let default = entry.name.clone().filter(|name| name != STARTER);
        self.file()?.update(|data| data.default = default)?;
        Ok(entry)
    }

    /// Records where a model was downloaded from.
    ///
    /// # Errors
    /// When `models.toml` cannot be written.
    pub fn record_origin(&self, entry: &Entry, origin: Origin) -> Result<(), ModelsError> {
        self.update_record(entry, |record| record.origin = Some(origin))
    }

    /// Names of the copied models.
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

    pub(super) fn read(&self) -> Result<RegistryData, ModelsError> {
        match &self.data {
            None => Ok(RegistryData::default()),
            Some(data) => RegistryFile::new(data).read(),
        }
    }

    pub(super) fn file(&self) -> Result<RegistryFile, ModelsError> {
        Ok(RegistryFile::new(self.data()?))
    }

    fn data(&self) -> Result<&Path, ModelsError> {
        self.data.as_deref().ok_or(ModelsError::NoDataFolder)
    }

    /// Changes what `models.toml` says about a model.
    pub(super) fn update_record(
        &self,
        entry: &Entry,
        change: impl FnOnce(&mut ModelRecord),
    ) -> Result<(), ModelsError> {
        let key = entry.folder().and_then(folder_key);
        self.file()?.update(|data| match (&entry.name, key) {
            (Some(name), _) => change(data.models.entry(name.clone()).or_default()),
            (None, Some(folder)) => change(data.folders.entry(folder).or_default()),
            (None, None) => {}
        })
    }
}

/// The key of a folder without a name; `None` when its path is missing or not UTF-8.
fn folder_key(folder: &Path) -> Option<String> {
    let real = fs_err::canonicalize(folder).ok()?;
    real.to_str().map(ToOwned::to_owned)
}

/// Whether a model can have this name: it must stay inside the folder of the models, not look like
/// an option, and not be hidden, as unfinished copies are.
pub(super) fn is_name(name: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty()
        && name.len() <= 100
        && !name.starts_with(['.', '-'])
        && name.chars().all(inside)
}

/// The known name that was probably meant.
fn closest(asked: &str, known: &[String]) -> Option<String> {
    /// Less similar names only share some letters.
    const MIN_SIMILARITY: f64 = 0.8;
    let asked = asked.to_lowercase();
    known
        .iter()
        .map(|name| (strsim::jaro_winkler(&asked, &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.clone())
}

/// The content of `models.toml`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RegistryData {
    /// The default model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<String>,
    /// Models by name.
    pub(super) models: BTreeMap<String, ModelRecord>,
    /// Models without a name, by the absolute path of their folder.
    pub(super) folders: BTreeMap<String, ModelRecord>,
    #[serde(flatten)]
    rest: toml::Table,
}

/// What `models.toml` says about one model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ModelRecord {
    /// Folder of a linked model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<String>,
    /// The precision used by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) precision: Option<String>,
    /// When the model was last checked, in Unix time (seconds).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checked_unix_s: Option<u64>,
    /// Where it was downloaded from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<Origin>,
    /// By name of the precision.
    pub(super) precisions: BTreeMap<String, PrecisionRecord>,
    #[serde(flatten)]
    rest: toml::Table,
}

/// Where a model was downloaded from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Its repository on the hub.
    pub repository: String,
    /// The commit of its files.
    pub commit: String,
    /// Its licence as stated by the hub, else by the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

/// What `models.toml` says about one precision of a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct PrecisionRecord {
    /// The fingerprint of the model with these graphs.
    pub(super) fingerprint: String,
    /// [`Model::stamp`](sightline_onnx::Model::stamp) at the time the fingerprint was computed.
    #[serde(default)]
    pub(super) stamp: String,
    /// What the last check measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) figures: Option<Figures>,
    /// What its cosines mean, as the last check measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unrelated: Option<Calibration>,
    #[serde(flatten)]
    rest: toml::Table,
}

impl ModelRecord {
    /// The fingerprint recorded with this stamp.
    pub(super) fn fingerprint_of(&self, stamp: &str) -> Option<&str> {
        let mut variants = self.precisions.values();
        variants
            .find(|variant| variant.stamp == stamp)
            .map(|variant| variant.fingerprint.as_str())
    }

    /// The precision recorded with this fingerprint.
    pub(super) fn precision_of(&self, fingerprint: &str) -> Option<Precision> {
        let mut variants = self.precisions.iter();
        variants
            .find(|(_, variant)| variant.fingerprint == fingerprint)
            .and_then(|(name, _)| name.parse().ok())
    }

    /// Records a fingerprint. If it is new, the figures of the old graphs are dropped, and so is
    /// the choice made by them.
    pub(super) fn set_fingerprint(
        &mut self,
        precision: Precision,
        fingerprint: &str,
        stamp: String,
    ) {
        let variant = self.precisions.entry(precision.to_string()).or_default();
        if variant.fingerprint != fingerprint {
            *variant = PrecisionRecord::default();
            fingerprint.clone_into(&mut variant.fingerprint);
            self.precision = None;
        }
        variant.stamp = stamp;
    }
}

/// The file `models.toml`.
#[derive(Debug, Clone)]
pub(super) struct RegistryFile {
    path: PathBuf,
}

impl RegistryFile {
    pub(super) fn new(data: &Path) -> Self {
        Self {
            path: data.join("models.toml"),
        }
    }

    /// Reads the file; a missing one is empty.
    pub(super) fn read(&self) -> Result<RegistryData, ModelsError> {
        let text = match fs_err::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(RegistryData::default());
            }
            Err(error) => return Err(error.into()),
        };
        toml::from_str(&text).map_err(|source| ModelsError::InvalidRegistry {
            file: self.path.clone(),
            source: Box::new(source),
        })
    }

    /// Changes the file. Processes take turns, and readers see it either before or after a change.
    pub(super) fn update<R>(
        &self,
        change: impl FnOnce(&mut RegistryData) -> R,
    ) -> Result<R, ModelsError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs_err::create_dir_all(folder)?;
        // Without locks, the rename still keeps the file complete.
        let _lock = lock(&self.path.with_extension("toml.lock"))?;
        let mut data = self.read()?;
        let before = data.clone();
        let result = change(&mut data);
        data.folders.retain(|folder, _| Path::new(folder).is_dir());
        if data != before {
            self.write(&data)?;
        }
        Ok(result)
    }

    fn write(&self, data: &RegistryData) -> Result<(), ModelsError> {
        let text = toml::to_string(data).map_err(|source| ModelsError::Unwritable {
            file: self.path.clone(),
            source: Box::new(source),
        })?;
        let mut file = AtomicFile::create(&self.path)?;
        file.write_all(HEADER.as_bytes())?;
        file.write_all(text.as_bytes())?;
        Ok(file.commit()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_survive_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = RegistryFile::new(folder.path());
        assert_eq!(file.read().unwrap(), RegistryData::default());
        let text = "colour = 'red'\ndefault = 'a'\n[models.a]\nlink = '/a'\nshape = [1]\n\
                    [models.a.precisions.int8]\nfingerprint = 'f'\nkind = 'q'\n[future]\nx = 1\n";
        fs_err::write(folder.path().join("models.toml"), text).unwrap();
        file.update(|data| {
            let record = data.models.get_mut("a").unwrap();
            record.set_fingerprint(Precision::Int8, "f", "s".into());
            record.set_fingerprint(Precision::Fp32, "g", "t".into());
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
        let data = file.read().unwrap();
        let record = &data.models["a"];
        assert_eq!(record.link.as_deref(), Some("/a"));
        assert_eq!(record.fingerprint_of("t"), Some("g"));
        assert_eq!(record.precision_of("f"), Some(Precision::Int8));
        assert_eq!(record.precision_of("h"), None);
    }

    #[test]
    fn a_new_fingerprint_drops_figures_and_choice() {
        let mut record = ModelRecord::default();
        record.set_fingerprint(Precision::Int8, "f", "s".into());
        record.precision = Some("int8".into());
        record.precisions.get_mut("int8").unwrap().figures = Some(Figures {
            ms_per_picture: 1.0,
            ms_per_text: 1.0,
            to_fp32: None,
        });
        record.set_fingerprint(Precision::Int8, "f", "later".into());
        assert!(record.precisions["int8"].figures.is_some() && record.precision.is_some());
        record.set_fingerprint(Precision::Int8, "g", "later still".into());
        assert!(record.precisions["int8"].figures.is_none() && record.precision.is_none());
    }

    #[test]
    fn an_invalid_file_is_named_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = RegistryFile::new(folder.path());
        fs_err::write(folder.path().join("models.toml"), "default = 7\n").unwrap();
        let error = file.read().unwrap_err();
        assert!(error.to_string().contains("models.toml"), "{error}");
        let text = fs_err::read_to_string(folder.path().join("models.toml")).unwrap();
        file.update(|data| data.default = Some("b".into()))
            .unwrap_err();
        let after = fs_err::read_to_string(folder.path().join("models.toml")).unwrap();
        assert_eq!(text, after);
    }

    #[test]
    fn concurrent_changes_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = RegistryFile::new(folder.path());
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let file = &file;
                scope.spawn(move || {
                    for turn in 0..10 {
                        let name = format!("m{thread}-{turn}");
                        file.update(|data| {
                            data.models.entry(name).or_default();
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
    fn a_typo_is_matched_to_the_closest_name() {
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
