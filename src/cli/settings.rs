//! What was typed, made into what it means: the index folder and the model.

use std::path::{Path, PathBuf};

use anyhow::Context;
use sightline_index::IndexError;
use sightline_onnx::{Precision, SessionOptions};

use super::args::Global;
use super::printer::Printer;
use crate::engine::{Encoders, Engine, EngineError, UnfinishedChange};
use crate::models::{Entry, ModelsError, Opened, Registry, Wanted};
use crate::platform;

/// What every command works with.
pub(super) struct Settings {
    index: PathBuf,
    model: Option<PathBuf>,
    is_model_typed: bool,
    precision: Option<Precision>,
    registry: Registry,
    session: SessionOptions,
    /// For showing paths below it shortly.
    current_folder: Option<PathBuf>,
}

impl Settings {
    pub(super) fn new(global: &Global) -> anyhow::Result<Self> {
        let index = match &global.index {
            Some(index) => std::path::absolute(index)
                .with_context(|| format!("--index {}", index.display()))?,
            None => platform::default_index()
                .context("no home folder, so no place for an index: give one with --index DIR")?,
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the command line knows where it was started"
        )]
        let current_folder = std::env::current_dir().ok();
        Ok(Self {
            index,
            model: global.model.clone(),
            is_model_typed: global.model_is_typed,
            precision: global.precision,
            registry: Registry::new(platform::data_folder()),
            session: session_options(global),
            current_folder,
        })
    }

    pub(super) fn index(&self) -> &Path {
        &self.index
    }

    /// The models that have a name.
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The precision asked for with `--precision`.
    pub(super) fn precision(&self) -> Option<Precision> {
        self.precision
    }

    /// The model that a command is about: the one named there, else that of `--model`, else the
    /// default one.
    pub(super) fn entry(&self, named: Option<&Path>) -> anyhow::Result<Entry> {
        Ok(match named.or(self.model.as_deref()) {
            Some(asked) => self.registry.find(asked)?,
            None => self.registry.default_entry()?,
        })
    }

    /// The model asked for, or the default one, for what has nothing to do with an index. ONNX
    /// Runtime is not touched yet.
    pub(super) fn encoders(&self) -> anyhow::Result<Encoders> {
        self.encoders_for(None)
    }

    fn encoders_for(&self, fingerprint: Option<&str>) -> anyhow::Result<Encoders> {
        // Before any work is done, not when the first picture is decoded.
        self.session.device.check().map_err(EngineError::from)?;
        Ok(Encoders::from_model(
            self.opened(fingerprint)?.model,
            platform::runtime_source(),
            self.session_options(),
        ))
    }

    fn opened(&self, fingerprint: Option<&str>) -> Result<Opened, ModelsError> {
        self.registry.open(&Wanted {
            model: self.model.as_deref(),
            precision: self.precision,
            fingerprint,
        })
    }

    /// The fingerprint of the model that made the index. What is wrong with an index that cannot
    /// be read is told when it is used.
    fn made_with(&self) -> Option<String> {
        let binding = sightline_index::binding(&self.index).ok().flatten()?;
        Some(binding.fingerprint)
    }

    /// Whether the index that is set was made with the model of this name.
    pub(super) fn is_made_with(&self, name: &str) -> bool {
        let maker = self.made_with().and_then(|fingerprint| {
            let found = self.registry.maker(&fingerprint, None);
            found.ok().flatten()
        });
        maker.is_some_and(|(entry, _)| entry.name() == Some(name))
    }

    /// The device and the threads asked for.
    pub(super) fn session_options(&self) -> SessionOptions {
        self.session.clone()
    }

    /// Whether the model runs as it does when nothing is asked for.
    pub(super) fn is_usual_session(&self) -> bool {
        self.session == SessionOptions::default()
    }

    /// Threads asked for with `--threads`.
    pub(super) fn threads(&self) -> Option<usize> {
        self.session.n_threads
    }

    /// The index with the model asked for, else the one that made it, else the default one.
    pub(super) fn engine(&self) -> anyhow::Result<Engine> {
        let encoders = self.encoders_for(self.made_with().as_deref())?;
        Ok(Engine::open(&self.index, encoders))
    }

    /// Whether `--model` was typed. The environment or the default model changes no index.
    pub(super) fn is_model_typed(&self) -> bool {
        self.is_model_typed
    }

    /// The same for what is going to be indexed: of a model that was typed, also the precision of
    /// a change to it that was begun.
    pub(super) fn engine_to_index(&self) -> anyhow::Result<Engine> {
        let made_with = self.made_with();
        let begun = self.is_model_typed.then(|| {
            let unfinished = sightline_index::unfinished(&self.index).ok().flatten()?;
            let is_meant = |fingerprint: Option<&str>| {
                let opened = self.opened(fingerprint).ok();
                opened.is_some_and(|opened| Some(opened.model.fingerprint()) == fingerprint)
            };
            let fingerprint = unfinished.binding.fingerprint;
            (!is_meant(made_with.as_deref()) && is_meant(Some(&fingerprint))).then_some(fingerprint)
        });
        let fingerprint = begun.flatten().or(made_with);
        let encoders = self.encoders_for(fingerprint.as_deref())?;
        Ok(Engine::open(&self.index, encoders))
    }

    /// The command that goes on with a change of the model that was begun.
    pub(super) fn command_to_go_on(&self, unfinished: &UnfinishedChange) -> String {
        let maker = self
            .registry
            .maker(&unfinished.fingerprint, self.model.as_deref());
        match maker {
            Ok(Some((entry, precision))) => change_to(&quoted(&entry), Some(precision)),
            _ => change_to(&unfinished.model, None),
        }
    }

    /// What to tell someone who indexes and may expect the default model to be used.
    pub(super) fn note_on_the_model(&self) -> Option<String> {
        let made_with = self.made_with().filter(|_| self.model.is_none())?;
        let default = self.registry.default_name().ok()?;
        let used = self.opened(Some(&made_with)).ok()?.entry.label();
        (used != default).then(|| {
            format!(
                "this index goes on with the model that made it, {used}; to change it to {default}: \
                 {}",
                change_to(&default, None)
            )
        })
    }

    /// The way out of an error that only those know who know the models.
    pub(super) fn hint(&self, error: &anyhow::Error) -> Option<String> {
        match error.downcast_ref() {
            Some(EngineError::Index(
                IndexError::OtherModel { .. } | IndexError::OtherDimension { .. },
            )) => {}
            _ => return None,
        }
        let maker = self
            .registry
            .maker(&self.made_with()?, self.model.as_deref());
        let (maker, precision) = maker.ok()??;
        let made_by = format!("the index was made with {} at {precision}", maker.label());
        let asked = match &self.model {
            Some(asked) => self.registry.find(asked).ok()?,
            None => maker.clone(),
        };
        let change = change_to(&quoted(&asked), self.precision);
        Some(match maker.name() {
            Some(_) => format!(
                "{made_by}: leave out --model and --precision, and SIGHTLINE_MODEL if it is set, \
                 or use another --index folder; to change its model: {change}"
            ),
            None => format!(
                "{made_by}: give --model '{}' --precision {precision}, or use another --index \
                 folder; to change its model: {change}",
                maker.label()
            ),
        })
    }

    /// A path as people want to read it: relative when below the folder they are in.
    pub(super) fn shown(&self, path: &Path) -> String {
        let short = self
            .current_folder
            .as_deref()
            .and_then(|folder| path.strip_prefix(folder).ok())
            .filter(|short| !short.as_os_str().is_empty())
            .unwrap_or(path);
        Printer::safe(&short.to_string_lossy())
    }
}

/// A model as it is typed: a name, or a folder that may have spaces in it.
fn quoted(entry: &Entry) -> String {
    match entry.name() {
        Some(name) => name.to_owned(),
        None if entry.folder().is_some() => format!("'{}'", entry.label()),
        None => entry.label(),
    }
}

/// The command that gives an index another model.
fn change_to(model: &str, precision: Option<Precision>) -> String {
    match precision {
        Some(precision) => format!("sightline index --model {model} --precision {precision}"),
        None => format!("sightline index --model {model}"),
    }
}

fn session_options(global: &Global) -> SessionOptions {
    let options = SessionOptions::default().with_device(global.device);
    match global.threads {
        Some(n_threads) => options.with_threads(n_threads.into()),
        None => options,
    }
}
