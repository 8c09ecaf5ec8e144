//! Finds and opens the requested model at the requested precision, or at the one that fits an
//! index.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sightline_onnx::{Model, ModelError, Precision, check_complete};

use super::error::ModelsError;
use super::registry::{Entry, Place, Registry, STARTER};
use super::unsupported;

/// A file that changed less than this before it was read may change again within the resolution of
/// its time, so its fingerprint is not recorded yet.
const SETTLED: Duration = Duration::from_secs(2);

/// A request for a model. The default is the default model at its best precision.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    /// A name or a folder.
    pub(crate) model: Option<&'a Path>,
    /// The precision.
    pub(crate) precision: Option<Precision>,
    /// The fingerprint of the index to be used. It decides what is not requested.
    pub(crate) fingerprint: Option<&'a str>,
}

/// A model that was found and opened. Its graphs are not loaded yet.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    /// Where it was found.
    pub(crate) entry: Entry,
    /// The model.
    pub(crate) model: Model,
}

/// What [`Registry::inspect`] found.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// The model at the precision that is used by default.
    pub model: Model,
    /// Whether its files changed since the last check, or no longer worked then.
    pub has_changed: bool,
}

impl Registry {
    /// Finds and opens the requested model.
    ///
    /// If no model is requested, this is the model with a name that made the index, else the
    /// default one. If no precision is requested, this is the one that made the index, else the one
    /// that the last check chose, else the most exact one.
    ///
    /// # Errors
    /// When the model does not exist, does not have the precision, or its files are not a model.
    pub(crate) fn open(&self, wanted: &Wanted<'_>) -> Result<Opened, ModelsError> {
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
            None => self.default_precision(&entry, wanted.fingerprint)?,
        };
        let model = self.open_entry(&entry, precision)?;
        Ok(Opened { entry, model })
    }

    /// Opens a model; `None` for the most exact precision. Its fingerprint is the recorded one if
    /// no file has changed since; otherwise it is computed and recorded.
    ///
    /// # Errors
    /// When it does not have the precision, or its files are not a model.
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
        let model = Model::open_known(folder, precision, &known);
        let model = model.map_err(|error| match error {
            // Called as the user calls it, not as its files do.
            ModelError::NoPrecision { asked, found, .. } => ModelError::NoPrecision {
                model: entry.label(),
                asked,
                found,
            }
            .into(),
            error => ModelsError::opening(folder)(error),
        })?;
        if let Some(pointer) = unsupported::pointer_among(folder, &model.files()) {
            return Err(pointer.into());
        }
        if let Some(stamp) = model.stamp()
            && entry.record.fingerprint_of(stamp).is_none()
            && is_settled(&model.files())
        {
            // A data folder that cannot be written only costs time.
            let _ = self.update_record(entry, |record| {
                record.set_fingerprint(model.precision(), model.fingerprint(), stamp.to_owned());
            });
        }
        Ok(model)
    }

    /// Opens a model as [`Registry::open_entry`] does, at the precision that is used by default,
    /// and looks for graphs of any precision that were cut short or changed since the last check.
    ///
    /// # Errors
    /// As [`Registry::open_entry`], and for a graph that is cut short.
    pub fn inspect(&self, entry: &Entry) -> Result<Inspected, ModelsError> {
        let mut has_changed = entry.checked_unix_s().is_some() && entry.chosen().is_none();
        for precision in entry.precisions()? {
            let Some(recorded) = entry.record.precisions.get(precision.as_str()) else {
                // Not checked, and hashing it may take seconds.
                continue;
            };
            let opened = self.open_entry(entry, Some(precision)).and_then(complete);
            has_changed |= match opened {
                Ok(model) => model.fingerprint() != recorded.fingerprint,
                Err(_) => true,
            };
        }
        Ok(Inspected {
            model: self.open_entry(entry, entry.chosen()).and_then(complete)?,
            has_changed,
        })
    }

    /// The model and the precision that made the vectors of an index; `None` if it is neither known
    /// on this machine, by name or folder, nor the model at `asked`.
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

    /// The same among the models with a name.
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
            // Nothing is recorded of the others yet: the built-in one, and folders copied by hand.
            // A broken one made no index.
            let is_unrecorded = entry.record.precisions.is_empty();
            let found = is_unrecorded.then(|| self.precision_with(&entry, fingerprint));
            if let Some(precision) = found.flatten() {
                return Ok(Some((entry, precision)));
            }
        }
        Ok(None)
    }

    /// The precision of a model that has this fingerprint.
    fn precision_with(&self, entry: &Entry, fingerprint: &str) -> Option<Precision> {
        let mut precisions = entry.precisions().ok()?.into_iter();
        precisions.find(|&precision| {
            let model = self.open_entry(entry, Some(precision));
            model.is_ok_and(|model| model.fingerprint() == fingerprint)
        })
    }

    /// The precision used if none is requested; `None` for the most exact one.
    fn default_precision(
        &self,
        entry: &Entry,
        fingerprint: Option<&str>,
    ) -> Result<Option<Precision>, ModelsError> {
        let precisions = entry.precisions()?;
        if let Some(fingerprint) = fingerprint {
            if let Some(precision) = entry.record.precision_of(fingerprint) {
                return Ok(Some(precision));
            }
            // A single precision needs no search.
            let found = (precisions.len() > 1).then(|| self.precision_with(entry, fingerprint));
            if let Some(precision) = found.flatten() {
                return Ok(Some(precision));
            }
        }
        Ok(entry.chosen().filter(|chosen| precisions.contains(chosen)))
    }
}

/// Checks that no graph of a model is cut short.
fn complete(model: Model) -> Result<Model, ModelsError> {
    for graph in model.graphs() {
        check_complete(graph)?;
    }
    Ok(model)
}

fn is_settled(files: &[PathBuf]) -> bool {
    let now = SystemTime::now();
    files.iter().all(|file| {
        let changed = fs_err::metadata(file).and_then(|metadata| metadata.modified());
        changed.is_ok_and(|changed| now.duration_since(changed).is_ok_and(|age| age > SETTLED))
    })
}
