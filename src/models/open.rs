//! Which model, and which copy of its graphs, is meant?

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sightline_onnx::{Model, ModelError, Precision};

use super::error::ModelsError;
use super::registry::{Entry, Place, Registry, STARTER};

/// A file changed less than this before it was read may be changed once more without its time
/// showing it, so its fingerprint is not written down yet.
const SETTLED: Duration = Duration::from_secs(2);

/// What is asked for; nothing asked for is the default model at its best precision.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// A name or a folder.
    pub model: Option<&'a Path>,
    /// Which copy of its graphs.
    pub precision: Option<Precision>,
    /// The fingerprint that the index to be used was made with. It decides what is not asked for.
    pub fingerprint: Option<&'a str>,
}

/// A model that was found and opened. Its graphs are not loaded yet.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Where it was found.
    pub entry: Entry,
    /// The model.
    pub model: Model,
}

impl Registry {
    /// Finds and opens the model that is meant.
    ///
    /// What was asked for counts. Without a model asked for, it is the one with a name that made
    /// the index, else the default one. Without a precision asked for, it is the one that made the
    /// index, else the one that the last check chose, else the most exact one.
    ///
    /// # Errors
    /// When there is no such model, it has no such precision, or its files are no model.
    pub fn open(&self, wanted: &Wanted<'_>) -> Result<Opened, ModelsError> {
        let maker = match (wanted.model, wanted.fingerprint) {
            (None, Some(fingerprint)) => self.named_maker(fingerprint)?,
            _ => None,
        };
        let (entry, of_index) = match (maker, wanted.model) {
            (Some((entry, precision)), _) => (entry, Some(precision)),
            (None, Some(asked)) => (self.find(asked)?, None),
            (None, None) => (self.default_entry()?, None),
        };
        let precision = match wanted.precision.or(of_index) {
            Some(precision) => Some(precision),
            None => self.usual_precision(&entry, wanted.fingerprint)?,
        };
        let model = self.open_entry(&entry, precision)?;
        Ok(Opened { entry, model })
    }

    /// Opens a model; `None` for the most exact precision. Its fingerprint is taken from what is
    /// written down when no file has changed since, and else written down.
    ///
    /// # Errors
    /// When it has no such precision, or its files are no model.
    pub fn open_entry(
        &self,
        entry: &Entry,
        precision: Option<Precision>,
    ) -> Result<Model, ModelsError> {
        let Some(folder) = entry.folder() else {
            let model = Model::starter()?;
            return match precision {
                Some(asked) if asked != model.precision() => Err(ModelError::NoPrecision {
                    model: STARTER.to_owned(),
                    asked,
                    found: vec![model.precision()],
                }
                .into()),
                _ => Ok(model),
            };
        };
        let known = |stamp: &str| entry.record.fingerprint_of(stamp).map(ToOwned::to_owned);
        let model = Model::open_known(folder, precision, &known)?;
        if let Some(stamp) = model.stamp()
            && entry.record.fingerprint_of(stamp).is_none()
            && is_settled(&model.files())
        {
            // A data folder that cannot be written only costs time.
            let _ = self.note(entry, |record| {
                record.note(model.precision(), model.fingerprint(), stamp.to_owned());
            });
        }
        Ok(model)
    }

    /// The model that made the vectors of an index, and its precision, when it is one that this
    /// machine knows, be it only by its folder, or the one that was asked for instead.
    ///
    /// # Errors
    /// When the registry cannot be read.
    pub fn maker(
        &self,
        fingerprint: &str,
        asked: Option<&Path>,
    ) -> Result<Option<(Entry, Precision)>, ModelsError> {
        if let Some(found) = self.named_maker(fingerprint)? {
            return Ok(Some(found));
        }
        if let Some(entry) = asked.and_then(|asked| self.find(asked).ok()) {
            let found = self.precision_with(&entry, fingerprint);
            if let Some(precision) = found {
                return Ok(Some((entry, precision)));
            }
        }
        let mut folders = self.read()?.folders.into_iter();
        let found = folders.find_map(|(folder, record)| {
            let precision = record.precision_of(fingerprint)?;
            let entry = Entry {
                name: None,
                place: Place::Folder(PathBuf::from(folder)),
                record,
            };
            Some((entry, precision))
        });
        Ok(found)
    }

    pub(super) fn named_maker(
        &self,
        fingerprint: &str,
    ) -> Result<Option<(Entry, Precision)>, ModelsError> {
        let entries = self.list()?;
        for entry in &entries {
            if let Some(precision) = entry.record.precision_of(fingerprint) {
                return Ok(Some((entry.clone(), precision)));
            }
        }
        for entry in entries {
            // Of the others nothing is written down yet: the built-in one, and folders that were
            // put there by hand. A broken one made no index.
            let is_unknown = entry.record.precisions.is_empty();
            let found = is_unknown.then(|| self.precision_with(&entry, fingerprint));
            if let Some(precision) = found.flatten() {
                return Ok(Some((entry, precision)));
            }
        }
        Ok(None)
    }

    /// Which precision of a model has this fingerprint, if any.
    fn precision_with(&self, entry: &Entry, fingerprint: &str) -> Option<Precision> {
        let mut precisions = entry.precisions().ok()?.into_iter();
        precisions.find(|&precision| {
            let model = self.open_entry(entry, Some(precision));
            model.is_ok_and(|model| model.fingerprint() == fingerprint)
        })
    }

    /// The precision of a model that is run unless another is asked for; `None`: the most exact
    /// one.
    fn usual_precision(
        &self,
        entry: &Entry,
        fingerprint: Option<&str>,
    ) -> Result<Option<Precision>, ModelsError> {
        let precisions = entry.precisions()?;
        if let Some(fingerprint) = fingerprint {
            if let Some(precision) = entry.record.precision_of(fingerprint) {
                return Ok(Some(precision));
            }
            // A single one is what it is.
            let found = (precisions.len() > 1).then(|| self.precision_with(entry, fingerprint));
            if let Some(precision) = found.flatten() {
                return Ok(Some(precision));
            }
        }
        Ok(entry.chosen().filter(|chosen| precisions.contains(chosen)))
    }
}

fn is_settled(files: &[PathBuf]) -> bool {
    let now = SystemTime::now();
    files.iter().all(|file| {
        let changed = fs_err::metadata(file).and_then(|metadata| metadata.modified());
        changed.is_ok_and(|changed| now.duration_since(changed).is_ok_and(|age| age > SETTLED))
    })
}
