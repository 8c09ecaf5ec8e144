//! Facts about an image beside its pixels: metadata of its file and of its sidecars, and its tags.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::IndexWriter;
use crate::error::{IndexError, Within as _};
use crate::item::{Details, Item, ItemId};
use crate::records::read::Records as _;

impl IndexWriter {
    /// The metadata of an image's file, empty if they were never read, and those of its sidecars,
    /// by their paths; none of an image that does not exist.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn details_of(
        &self,
        image: ItemId,
    ) -> Result<(Details, BTreeMap<PathBuf, Details>), IndexError> {
        self.overlay.details(image).within(self.dir())
    }

    /// Sets the metadata that the sidecar at `source` gives an image. Those of all sidecars, in the
    /// order of their paths, complete those of the image's file. Empty ones remove the sidecar.
    ///
    /// # Errors
    /// When there is no such image, or the records cannot be read.
    pub fn set_sidecar_details(
        &mut self,
        image: ItemId,
        source: &Path,
        details: Details,
    ) -> Result<(), IndexError> {
        self.overlay
            .set_sidecar_details(image, source, details)
            .within(self.layout.dir())
    }

    /// Sets the metadata of an image's file, whose words become searchable. A new image has none.
    ///
    /// # Errors
    /// When there is no such image, or the records cannot be read.
    pub fn set_details(&mut self, image: ItemId, details: Details) -> Result<(), IndexError> {
        self.overlay
            .set_details(image, details)
            .within(self.layout.dir())
    }

    /// Sets the tags of an image, which become searchable as words. Spaces around a tag, empty tags
    /// and repeated ones are dropped. That it has been tagged is kept, even if there are none.
    ///
    /// # Errors
    /// When there is no such image, or the records cannot be read.
    pub fn set_tags(
        &mut self,
        image: ItemId,
        tags: impl IntoIterator<Item = String>,
    ) -> Result<(), IndexError> {
        let tags = tags.into_iter().map(|tag| tag.trim().to_owned());
        let tags: BTreeSet<String> = tags.filter(|tag| !tag.is_empty()).collect();
        let tags = tags.into_iter().collect();
        self.overlay.set_tags(image, tags).within(self.layout.dir())
    }

    /// The tags of an image; none when it does not exist.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn tags_of(&self, image: ItemId) -> Result<Vec<String>, IndexError> {
        match self.overlay.item(image).within(self.dir())? {
            Some(Item::Image(image)) => Ok(image.tags),
            _ => Ok(Vec::new()),
        }
    }
}
