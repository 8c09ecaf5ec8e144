//! Puts everything that is kept of damaged records into a new index, by the ordinary writer.

use std::collections::BTreeMap;
use std::path::Path;

use super::rules::{Source, Survey};
use crate::disk::steps::{Step, Steps};
use crate::error::{IndexError, Within};
use crate::item::{FileRecord, ItemId, ItemKind, Library};
use crate::records::codec::{self, StoredItem};
use crate::records::keys::{self, Column};
use crate::records::{RecordsError, damaged};
use crate::vector::UnitVector;
use crate::writer::IndexWriter;

/// Number of items that are committed at once.
const PORTION: usize = 10_000;

impl<R: Source> Survey<'_, R> {
    /// Puts the items that are kept into a new index under their ids, with their files, the library
    /// folders and the last run. Ids up to `last_id` are not assigned again.
    ///
    /// # Errors
    /// When the records cannot be read, or the new index cannot be written.
    pub(super) fn replay(
        &self,
        writer: &mut IndexWriter,
        last_id: ItemId,
        steps: Steps,
        dir: &Path,
    ) -> Result<(), IndexError> {
        // Libraries first: the words of a path begin at its library folder.
        for library in self.libraries().within(dir)? {
            writer.put_library(library)?;
        }
        if let Ok(Some(run)) = self.records.last_run() {
            writer.put_last_run(&run);
        }
        let mut files: BTreeMap<ItemId, Vec<(&Path, FileRecord)>> = BTreeMap::new();
        for (path, file) in &self.files {
            files.entry(file.image).or_default().push((path, *file));
        }
        let stopped = |source| IndexError::writing(dir, dir, source);
        for (n_put, (id, kind)) in self.kept().enumerate() {
            if n_put > 0 && n_put % PORTION == 0 {
                writer.checkpoint()?;
                steps.reach(Step::RepairFilling).map_err(stopped)?;
            }
            let (item, vector) = self.read(kind, id).within(dir)?;
            writer.restore(id, &item, &vector)?;
            for (path, file) in files.remove(&id).into_iter().flatten() {
                writer.put_file(path, file)?;
            }
        }
        let last_id = last_id.max(self.last_id);
        writer.reserve_ids(ItemId(last_id.0.saturating_add(1)))?;
        // The next commit of a writer removes these if they still have no path.
        let pathless = self.records.noted_pathless().unwrap_or_default();
        let pathless = pathless.into_iter().map(|(_, id)| id);
        writer.expect_paths(pathless.filter(|id| self.items.contains_key(id)));
        writer.checkpoint()?;
        steps.reach(Step::RepairFilling).map_err(stopped)
    }

    fn libraries(&self) -> Result<Vec<Library>, RecordsError> {
        let mut libraries = Vec::new();
        let mut add = |key: &[u8], value: &[u8]| {
            let folder = keys::path_from(key.get(1..).unwrap_or(&[]));
            let library = folder.and_then(|folder| codec::decode_library(&folder, value));
            libraries.extend(library.ok());
            Ok(true)
        };
        let prefix = keys::LIBRARIES;
        self.records.scan(Column::Default, prefix, &[], &mut add)?;
        Ok(libraries)
    }

    fn read(&self, kind: ItemKind, id: ItemId) -> Result<(StoredItem, UnitVector), RecordsError> {
        let item = self.records.stored_item(id)?;
        let values = self.records.vector_values(kind, id, self.dimension)?;
        let vector = values.and_then(|values| UnitVector::new(values).ok());
        item.zip(vector)
            .ok_or(damaged("an item that was readable before"))
    }
}
