//! The folders of the indexed files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::IndexReader;
use crate::error::{IndexError, Within};
use crate::records::facet_keys::{self, Facet};
use crate::records::facets;
use crate::records::keys::{self, Column};
use crate::records::read::Records;
use crate::records::{RecordsError, damaged};

impl IndexReader {
    /// The folders that have indexed files in themselves, not only in folders below, sorted by the
    /// bytes of their paths.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn folders(&self) -> Result<Vec<PathBuf>, IndexError> {
        self.all_folders().within(self.dir())
    }

    fn all_folders(&self) -> Result<Vec<PathBuf>, RecordsError> {
        let mut folders: BTreeSet<Vec<u8>> = BTreeSet::new();
        if facets::are_complete(&self.store)? {
            let prefix = facet_keys::prefix(Facet::Folder);
            let mut last = Vec::new();
            self.store
                .scan(Column::Default, &prefix, &[], &mut |key, _| {
                    let (value, _) = facet_keys::parts(key).ok_or(damaged("the key of a facet"))?;
                    if folders.is_empty() || last != value {
                        last = value.to_vec();
                        folders.insert(facet_keys::unescaped(value).into_owned());
                    }
                    Ok(true)
                })?;
        } else {
            self.store.scan_files(&mut |path, _| {
                let folder = path.parent().unwrap_or(Path::new(""));
                folders.insert(keys::path_bytes(folder)?.into_owned());
                Ok(())
            })?;
        }
        folders
            .iter()
            .map(|folder| keys::path_from(folder))
            .collect()
    }
}
