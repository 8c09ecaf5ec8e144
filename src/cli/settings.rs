//! What was typed, made into what it means: the index folder and the model.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::args::Global;
use super::printer::Printer;
use crate::engine::{Encoders, Engine};
use crate::platform;

/// What every command works with.
pub(super) struct Settings {
    index: PathBuf,
    model: Option<PathBuf>,
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
            current_folder,
        })
    }

    pub(super) fn index(&self) -> &Path {
        &self.index
    }

    /// The model asked for, or the starter. ONNX Runtime is not touched yet.
    pub(super) fn encoders(&self) -> anyhow::Result<Encoders> {
        let runtime = platform::runtime_source();
        let encoders = match &self.model {
            Some(folder) => Encoders::from_folder(folder, runtime),
            None => Encoders::starter(runtime),
        };
        Ok(encoders.map_err(crate::EngineError::from)?)
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
