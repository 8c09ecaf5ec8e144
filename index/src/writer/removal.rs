//! What leaves the index by name, and the notes about runs.

use std::path::{Path, PathBuf};

use super::IndexWriter;
use crate::error::{IndexError, Within};
use crate::item::{ItemId, LastRun, Library};
use crate::records::read::Read;

impl IndexWriter {
    /// The indexed folders, sorted by the bytes of their paths.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn libraries(&self) -> Result<Vec<Library>, IndexError> {
        self.draft.libraries().within(self.dir())
    }

    /// Forgets that a folder was indexed; what was found in it stays. A folder that is not known is no error.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn remove_library(&mut self, folder: &Path) -> Result<(), IndexError> {
        self.draft.remove_library(folder).within(self.layout.dir())
    }

    /// The files in `folder` and below, or `folder` itself, that captions came from; each with the images that it has
    /// captions for, and with none for captions on their own.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn caption_sources_under(
        &self,
        folder: &Path,
    ) -> Result<Vec<(PathBuf, Option<ItemId>)>, IndexError> {
        let mut sources = self.draft.caption_sources().within(self.dir())?;
        sources.retain(|(source, _)| source.starts_with(folder));
        Ok(sources)
    }

    /// Notes what a run did; the note of the run before goes.
    pub fn put_last_run(&mut self, run: &LastRun) {
        self.draft.put_last_run(run);
    }
}
