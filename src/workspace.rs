//! Which index is used with which model.
//!
//! An index keeps the model it was built with; only a request for another one changes that. These
//! rules are the same whatever the front end, so a [`Workspace`] applies them for all of them. It
//! prints nothing and reads no environment variable.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sightline_onnx::{Model, Precision, Runtime, RuntimeError, SessionOptions};

use crate::engine::{Encoders, Engine, EngineError, RuntimeSource, TextLanguage, UnfinishedChange};
use crate::models::{
    Check, Entry, ModelsError, OLD_STARTERS, Opened, Registry, Signatures, Wanted,
};

/// An index folder, the models of this machine, and what was requested of them.
pub struct Workspace {
    index: PathBuf,
    named_index: Option<PathBuf>,
    registry: Registry,
    /// Where the vectors of the phrase bank are kept.
    bank: Option<PathBuf>,
    model: Option<PathBuf>,
    may_change_model: bool,
    precision: Option<Precision>,
    session: SessionOptions,
    runtime: Arc<dyn Fn() -> Result<Runtime, RuntimeError> + Send + Sync>,
}

/// What a front end was asked to work with. The default leaves every choice to the index.
#[derive(Debug, Clone, Default)]
pub struct WorkspaceOptions {
    /// The index folder; `None` for the folder `index` in the data folder.
    pub index: Option<PathBuf>,
    /// Name or folder of a model; `None` for the model of the index, or else the default model.
    pub model: Option<PathBuf>,
    /// Whether indexing may change an existing index to `model`.
    pub may_change_model: bool,
    /// Precision of the model; `None` for that of the index, or else the one that the last check
    /// chose.
    pub precision: Option<Precision>,
    /// Device and threads to run the model with.
    pub session: SessionOptions,
}

/// Failure to find the index folder or to open the model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkspaceError {
    /// No index folder was given, and there is no data folder for the default one.
    #[error("no home folder for the default index")]
    NoIndexFolder,
    /// The path of the index folder cannot be made absolute.
    #[error("invalid index folder `{}`", path.display())]
    BadIndexFolder {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The model is not available.
    #[error(transparent)]
    Models(#[from] ModelsError),
    /// ONNX Runtime or the device is not available.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The model that an index keeps although another one is the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptModel {
    /// Label of the model the index was built with.
    pub kept: String,
    /// Name of the default model.
    pub default: String,
}

impl Workspace {
    /// Applies the options. `data_folder` holds the default index, the models and the vectors
    /// of the phrase bank, and need not exist; `runtime` opens ONNX Runtime when a model is first
    /// run.
    ///
    /// # Errors
    /// When no index folder is given and there is no data folder, or its path is invalid.
    pub fn new(
        options: WorkspaceOptions,
        data_folder: Option<PathBuf>,
        runtime: RuntimeSource,
    ) -> Result<Self, WorkspaceError> {
        let named_index = options.index.clone();
        let index = match (options.index, &data_folder) {
            (Some(path), _) => std::path::absolute(&path)
                .map_err(|source| WorkspaceError::BadIndexFolder { path, source })?,
            (None, Some(data)) => data.join("index"),
            (None, None) => return Err(WorkspaceError::NoIndexFolder),
        };
        Ok(Self {
            index,
            named_index,
            bank: data_folder.as_ref().map(|data| data.join("bank")),
            registry: Registry::new(data_folder),
            model: options.model,
            may_change_model: options.may_change_model,
            precision: options.precision,
            session: options.session,
            runtime: Arc::from(runtime),
        })
    }

    /// The index folder, as an absolute path. It need not exist.
    #[must_use]
    pub fn index(&self) -> &Path {
        &self.index
    }

    /// The index folder as it was named; `None` for the default one.
    #[must_use]
    pub fn named_index(&self) -> Option<&Path> {
        self.named_index.as_deref()
    }

    /// The models of this machine.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Whether indexing may change an existing index to the requested model.
    #[must_use]
    pub fn may_change_model(&self) -> bool {
        self.may_change_model
    }

    /// The requested model, if it is that of the environment.
    #[must_use]
    pub fn model_of_environment(&self) -> Option<&Path> {
        self.model.as_deref().filter(|_| !self.may_change_model)
    }

    /// The requested precision.
    #[must_use]
    pub fn precision(&self) -> Option<Precision> {
        self.precision
    }

    /// The requested device and threads.
    #[must_use]
    pub fn session(&self) -> &SessionOptions {
        &self.session
    }

    /// The model named by `which`, else the requested one, else the default one.
    ///
    /// # Errors
    /// When there is no such model or the registry cannot be read.
    pub fn entry(&self, which: Option<&Path>) -> Result<Entry, WorkspaceError> {
        Ok(match which.or(self.model.as_deref()) {
            Some(which) => self.registry.find(which)?,
            None => self.registry.default_entry()?,
        })
    }

    /// The requested model; `None` when none was requested, or it does not exist.
    #[must_use]
    pub fn requested(&self) -> Option<Entry> {
        self.registry.find(self.model.as_deref()?).ok()
    }

    /// The requested model, else the one the index was built with, else the default one, joined
    /// with the index. ONNX Runtime is not opened yet.
    ///
    /// # Errors
    /// When the model or the device is not available.
    pub fn engine(&self) -> Result<Engine, WorkspaceError> {
        self.engine_for(self.fingerprint().as_deref())
    }

    /// As [`Workspace::engine`], for indexing: where the requested model may replace that of the
    /// index, and such a change was begun, its precision is that of the change.
    ///
    /// # Errors
    /// When the model or the device is not available.
    pub fn engine_to_index(&self) -> Result<Engine, WorkspaceError> {
        let built_with = self.fingerprint();
        let is_requested = |fingerprint: &str| {
            let opened = self.open(Some(fingerprint));
            opened.is_ok_and(|opened| opened.model.fingerprint() == fingerprint)
        };
        let mut begun = None;
        if self.may_change_model && !built_with.as_deref().is_some_and(is_requested) {
            let unfinished = sightline_index::unfinished(&self.index).ok().flatten();
            let fingerprint = unfinished.map(|unfinished| unfinished.binding.fingerprint);
            begun = fingerprint.filter(|fingerprint| is_requested(fingerprint));
        }
        self.engine_for(begun.or(built_with).as_deref())
    }

    /// The requested model, else the default one, for work without an index. ONNX Runtime is not
    /// opened yet.
    ///
    /// # Errors
    /// When the model or the device is not available.
    pub fn encoders(&self) -> Result<Encoders, WorkspaceError> {
        self.encoders_for(None)
    }

    /// Opens ONNX Runtime, and makes sure that the requested device is available.
    ///
    /// # Errors
    /// When either is not available.
    pub fn runtime(&self) -> Result<Runtime, WorkspaceError> {
        self.session.device.check().map_err(EngineError::from)?;
        Ok((self.runtime)().map_err(EngineError::from)?)
    }

    /// The model the index was built with and its precision; `None` when there is no index that
    /// can be read, or its model is not known on this machine.
    #[must_use]
    pub fn builder(&self) -> Option<(Entry, Precision)> {
        self.model_of(&self.fingerprint()?)
    }

    /// The name of the model that the index was built with, whether or not it is known on this
    /// machine; `None` when there is no index that can be read.
    #[must_use]
    pub fn model_of_index(&self) -> Option<String> {
        let binding = sightline_index::binding(&self.index).ok().flatten()?;
        Some(binding.model)
    }

    /// The name of the built-in model and the number of its languages, if the index was built with
    /// one of an older version.
    #[must_use]
    pub fn newer_starter(&self) -> Option<(String, usize)> {
        let built_with = self.model_of_index()?;
        if !OLD_STARTERS.contains(&built_with.as_str()) || self.builder().is_some() {
            return None;
        }
        let starter = Model::starter().ok()?;
        let n_languages = starter.text_languages().into_iter().map(<[_]>::len).sum();
        Some((starter.name().to_owned(), n_languages))
    }

    /// The languages of each text tower of the index's model; empty when there is no index that can
    /// be read, or its model is not known on this machine.
    #[must_use]
    pub fn text_languages_of_index(&self) -> Vec<Vec<TextLanguage>> {
        let opened = self.builder().and_then(|(entry, precision)| {
            let opened = self.registry.open_entry(&entry, Some(precision)).ok()?;
            let is_same = self.fingerprint().as_deref() == Some(opened.fingerprint());
            is_same.then_some(opened)
        });
        let languages = opened.iter().flat_map(Model::text_languages);
        languages.map(<[TextLanguage]>::to_vec).collect()
    }

    /// The new model of an unfinished change and its precision; `None` when the model is not known
    /// on this machine.
    #[must_use]
    pub fn successor(&self, unfinished: &UnfinishedChange) -> Option<(Entry, Precision)> {
        self.model_of(&unfinished.fingerprint)
    }

    /// What the index keeps where the default model might be expected: when no model is requested,
    /// and the default one is not the one the index was built with.
    #[must_use]
    pub fn kept_model(&self) -> Option<KeptModel> {
        let built_with = self.fingerprint().filter(|_| self.model.is_none())?;
        let default = self.registry.default_name().ok()?;
        let kept = self.open(Some(&built_with)).ok()?.entry.label();
        (kept != default).then_some(KeptModel { kept, default })
    }

    /// The precisions of a model that a check runs: the requested one and fp32 to compare it with,
    /// or else all of them.
    ///
    /// # Errors
    /// When the model's files cannot be read or the precision is not among them.
    pub fn models_to_check(&self, entry: &Entry) -> Result<Vec<Model>, WorkspaceError> {
        let precisions = entry.precisions()?;
        let has_fp32 = precisions.contains(&Precision::Fp32);
        let wanted = match self.precision {
            None => precisions,
            Some(Precision::Fp32) => vec![Precision::Fp32],
            Some(precision) if has_fp32 => vec![Precision::Fp32, precision],
            Some(precision) => vec![precision],
        };
        let open = |precision| self.registry.open_entry(entry, precision);
        // Towers without a common precision are run as they are.
        let models: Result<Vec<Model>, _> = if wanted.is_empty() {
            open(None).map(|model| vec![model])
        } else {
            wanted.into_iter().map(|one| open(Some(one))).collect()
        };
        Ok(models?)
    }

    /// Runs [`Check::run`] on the requested device.
    ///
    /// # Errors
    /// When ONNX Runtime or the device is not available.
    pub fn check(
        &self,
        models: &[Model],
        must_match: bool,
        progress: &mut dyn FnMut(Precision) -> ControlFlow<()>,
    ) -> Result<Option<Check>, WorkspaceError> {
        let runtime = self.runtime()?;
        Ok(Check::run(
            models,
            &runtime,
            &self.session,
            must_match,
            progress,
        )?)
    }

    /// Keeps the figures of a check of this model, unless a precision, device or number of threads
    /// was requested: such figures choose nothing for later runs.
    ///
    /// # Errors
    /// When the registry cannot be written.
    pub fn record_check(&self, entry: &Entry, check: &Check) -> Result<(), WorkspaceError> {
        if self.precision.is_none() && self.session == SessionOptions::default() {
            self.registry.record_check(entry, check)?;
        }
        Ok(())
    }

    /// Inputs and outputs of all towers.
    ///
    /// # Errors
    /// When ONNX Runtime or the device is not available, or a graph cannot be loaded.
    pub fn signatures(&self, model: &Model) -> Result<Signatures, WorkspaceError> {
        let runtime = self.runtime()?;
        let signatures = Signatures::load(model, &runtime, &self.session);
        Ok(signatures.map_err(EngineError::from)?)
    }

    fn engine_for(&self, fingerprint: Option<&str>) -> Result<Engine, WorkspaceError> {
        let engine = Engine::open(&self.index, self.encoders_for(fingerprint)?);
        Ok(engine.with_bank_folder(self.bank.clone()))
    }

    fn encoders_for(&self, fingerprint: Option<&str>) -> Result<Encoders, WorkspaceError> {
        // Before any work is done, not when the first picture is decoded.
        self.session.device.check().map_err(EngineError::from)?;
        let Opened { entry, model } = self.open(fingerprint)?;
        let runtime = Arc::clone(&self.runtime);
        let calibration = model.calibration();
        let calibration = calibration.or_else(|| entry.calibration(model.precision()));
        let encoders = Encoders::from_model(&model, move || runtime(), &self.session);
        Ok(encoders.with_calibration(calibration))
    }

    fn open(&self, fingerprint: Option<&str>) -> Result<Opened, ModelsError> {
        self.registry.open(&Wanted {
            model: self.model.as_deref(),
            precision: self.precision,
            fingerprint,
        })
    }

    /// The fingerprint of the model the index was built with. An index that cannot be read has
    /// none; opening it reports why.
    fn fingerprint(&self) -> Option<String> {
        let binding = sightline_index::binding(&self.index).ok().flatten()?;
        Some(binding.fingerprint)
    }

    fn model_of(&self, fingerprint: &str) -> Option<(Entry, Precision)> {
        let found = self.registry.maker(fingerprint, self.model.as_deref());
        found.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(
        index: Option<&str>,
        data_folder: Option<&str>,
    ) -> Result<Workspace, WorkspaceError> {
        let options = WorkspaceOptions {
            index: index.map(PathBuf::from),
            ..WorkspaceOptions::default()
        };
        let data_folder = data_folder.map(PathBuf::from);
        Workspace::new(options, data_folder, Box::new(|| Runtime::open(&[])))
    }

    #[test]
    fn the_default_index_is_in_the_data_folder() {
        let index = |index, data| workspace(index, data).map(|workspace| workspace.index);
        assert_eq!(
            index(None, Some("/data")).unwrap(),
            Path::new("/data/index")
        );
        assert_eq!(
            index(Some("/mine"), Some("/data")).unwrap(),
            Path::new("/mine")
        );
        assert_eq!(index(Some("/mine"), None).unwrap(), Path::new("/mine"));
        assert!(matches!(
            index(None, None),
            Err(WorkspaceError::NoIndexFolder)
        ));
    }

    #[test]
    fn an_empty_path_is_not_an_index_folder() {
        let error = workspace(Some(""), Some("/data")).err();
        assert!(matches!(error, Some(WorkspaceError::BadIndexFolder { .. })));
    }
}
