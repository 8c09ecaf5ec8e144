//! What was typed, made into what it means: the index folder and the model.

use std::path::{Path, PathBuf};

use anyhow::Context;
use sightline_onnx::{Model, SessionOptions};

use super::args::Global;
use super::printer::Printer;
use crate::engine::{Encoders, Engine, EngineError};
use crate::platform;

/// What every command works with.
pub(super) struct Settings {
    index: PathBuf,
    model: Option<PathBuf>,
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
            session: session_options(global),
            current_folder,
        })
    }

    pub(super) fn index(&self) -> &Path {
        &self.index
    }

    /// The model asked for, or the starter. ONNX Runtime is not touched yet.
    pub(super) fn encoders(&self) -> anyhow::Result<Encoders> {
        // Before any work is done, not when the first picture is decoded.
        self.session.device.check().map_err(EngineError::from)?;
        let model = match &self.model {
            Some(folder) => Model::open(folder),
            None => Model::starter(),
        };
        Ok(Encoders::from_model(
            model.map_err(EngineError::from)?,
            platform::runtime_source(),
            self.session_options(),
        ))
    }

    /// The device and the threads asked for.
    pub(super) fn session_options(&self) -> SessionOptions {
        self.session.clone()
    }

    /// Threads asked for with `--threads`.
    pub(super) fn threads(&self) -> Option<usize> {
        self.session.n_threads
    }

    pub(super) fn engine(&self) -> anyhow::Result<Engine> {
        Ok(Engine::open(&self.index, self.encoders()?))
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

fn session_options(global: &Global) -> SessionOptions {
    let options = SessionOptions::default().with_device(global.device);
    match global.threads {
        Some(n_threads) => options.with_threads(n_threads.into()),
        None => options,
    }
}
