//! What is written down about models? The file `models.toml` in the data folder.
//!
//! It holds choices (the default model, links), the figures of the last check, and fingerprints,
//! so that hundreds of megabytes need not be hashed at every start. A folder in `models/` is a
//! model without being named here. Keys that this program does not know are kept.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sightline_onnx::Precision;

use crate::models::RegistryError;

const HEAD: &str = "# Written by `sightline models`. See `sightline models list`.\n\n";

/// `models.toml`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Book {
    /// Which model is used unless another is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<String>,
    /// By name.
    pub(super) models: BTreeMap<String, Record>,
    /// Models that are used by their folder and have no name, by absolute path.
    pub(super) folders: BTreeMap<String, Record>,
    #[serde(flatten)]
    rest: toml::Table,
}

/// What is known of one model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    /// Where a model is that was not copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<String>,
    /// Which copy of the graphs is run unless another is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) precision: Option<String>,
    /// When the model was last checked, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checked_unix_s: Option<u64>,
    /// Where it was downloaded from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<Origin>,
    /// By the name of the precision.
    pub(super) precisions: BTreeMap<String, Variant>,
    #[serde(flatten)]
    rest: toml::Table,
}

/// Where a model was downloaded from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Its repository on the hub.
    pub repository: String,
    /// The commit that its files are of.
    pub commit: String,
    /// Its licence, as the hub or else the catalogue states it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

/// What is known of one copy of a model's graphs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Variant {
    /// The fingerprint of the model with these graphs.
    pub(super) fingerprint: String,
    /// [`Model::stamp`](sightline_onnx::Model::stamp) when that was computed.
    #[serde(default)]
    pub(super) stamp: String,
    /// What the last check measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) figures: Option<Figures>,
    #[serde(flatten)]
    rest: toml::Table,
}

/// What a check measured of one precision of a model on this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Milliseconds a picture, preprocessing not counted, in a batch of all built-in pictures.
    pub ms_per_picture: f64,
    /// Milliseconds a text, one at a time.
    pub ms_per_text: f64,
    /// How the embeddings compare with those of fp32; nothing when this is fp32, or there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_fp32: Option<Agreement>,
}

/// How the embeddings of a smaller copy compare with those of fp32, over the built-in pictures and
/// texts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Mean cosine.
    pub mean_cosine: f64,
    /// Lowest cosine.
    pub worst_cosine: f64,
    /// How many times as many pictures a second, measured in turns with fp32.
    pub picture_speed: f64,
    /// How many times as many texts a second, measured in turns with fp32.
    pub text_speed: f64,
}

impl Record {
    /// The fingerprint that belongs to a stamp.
    pub(super) fn fingerprint_of(&self, stamp: &str) -> Option<&str> {
        let mut variants = self.precisions.values();
        variants
            .find(|variant| variant.stamp == stamp)
            .map(|variant| variant.fingerprint.as_str())
    }

    /// The precision whose graphs have this fingerprint, as far as is known.
    pub(super) fn precision_of(&self, fingerprint: &str) -> Option<Precision> {
        let mut variants = self.precisions.iter();
        variants
            .find(|(_, variant)| variant.fingerprint == fingerprint)
            .and_then(|(name, _)| name.parse().ok())
    }

    /// Notes a fingerprint. Figures of other graphs are forgotten, and with them the choice that
    /// was made by them.
    pub(super) fn note(&mut self, precision: Precision, fingerprint: &str, stamp: String) {
        let variant = self.precisions.entry(precision.to_string()).or_default();
        if variant.fingerprint != fingerprint {
            *variant = Variant::default();
            fingerprint.clone_into(&mut variant.fingerprint);
            self.precision = None;
        }
        variant.stamp = stamp;
    }
}

/// Where the book is.
#[derive(Debug, Clone)]
pub(super) struct BookFile {
    path: PathBuf,
}

impl BookFile {
    pub(super) fn new(data: &Path) -> Self {
        Self {
            path: data.join("models.toml"),
        }
    }

    /// Reads it; empty where there is none.
    pub(super) fn read(&self) -> Result<Book, RegistryError> {
        let text = match fs_err::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Book::default()),
            Err(error) => return Err(error.into()),
        };
        toml::from_str(&text).map_err(|source| RegistryError::Book {
            file: self.path.clone(),
            source: Box::new(source),
        })
    }

    /// Changes it. Changes of several processes come one after the other; readers see the file as
    /// it was before or as it is after.
    pub(super) fn update<R>(
        &self,
        change: impl FnOnce(&mut Book) -> R,
    ) -> Result<R, RegistryError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs_err::create_dir_all(folder)?;
        let lock = fs_err::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.path.with_extension("toml.lock"))?;
        // Where the file system has no locks, the rename still keeps the file whole.
        match lock.lock() {
            Err(error) if error.kind() != io::ErrorKind::Unsupported => return Err(error.into()),
            _ => {}
        }
        let mut book = self.read()?;
        let before = book.clone();
        let result = change(&mut book);
        book.folders.retain(|folder, _| Path::new(folder).is_dir());
        if book != before {
            self.write(&book)?;
        }
        Ok(result)
    }

    fn write(&self, book: &Book) -> Result<(), RegistryError> {
        let text = toml::to_string(book).map_err(|source| RegistryError::Unwritable {
            file: self.path.clone(),
            source: Box::new(source),
        })?;
        let aside = self.path.with_extension("toml.tmp");
        let mut file = fs_err::File::create(&aside)?;
        file.write_all(HEAD.as_bytes())?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs_err::rename(&aside, &self.path)?;
        crate::models::sync_folder_of(&self.path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_with_what_is_not_understood() {
        let folder = tempfile::tempdir().unwrap();
        let file = BookFile::new(folder.path());
        assert_eq!(file.read().unwrap(), Book::default());
        let text = "colour = 'red'\ndefault = 'a'\n[models.a]\nlink = '/a'\nshape = [1]\n\
                    [models.a.precisions.int8]\nfingerprint = 'f'\nkind = 'q'\n[future]\nx = 1\n";
        fs_err::write(folder.path().join("models.toml"), text).unwrap();
        file.update(|book| {
            let record = book.models.get_mut("a").unwrap();
            record.note(Precision::Int8, "f", "s".into());
            record.note(Precision::Fp32, "g", "t".into());
            record.checked_unix_s = Some(7);
        })
        .unwrap();
        let text = fs_err::read_to_string(folder.path().join("models.toml")).unwrap();
        let table: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(table["colour"].as_str(), Some("red"));
        assert_eq!(table["future"]["x"].as_integer(), Some(1));
        let model = &table["models"]["a"];
        assert_eq!(model["shape"][0].as_integer(), Some(1));
        assert_eq!(model["precisions"]["int8"]["kind"].as_str(), Some("q"));
        assert_eq!(model["precisions"]["int8"]["stamp"].as_str(), Some("s"));
        let book = file.read().unwrap();
        let record = &book.models["a"];
        assert_eq!(record.link.as_deref(), Some("/a"));
        assert_eq!(record.fingerprint_of("t"), Some("g"));
        assert_eq!(record.precision_of("f"), Some(Precision::Int8));
        assert_eq!(record.precision_of("h"), None);
    }

    #[test]
    fn other_graphs_end_what_was_found_out_about_the_old_ones() {
        let mut record = Record::default();
        record.note(Precision::Int8, "f", "s".into());
        record.precision = Some("int8".into());
        record.precisions.get_mut("int8").unwrap().figures = Some(Figures {
            ms_per_picture: 1.0,
            ms_per_text: 1.0,
            to_fp32: None,
        });
        record.note(Precision::Int8, "f", "later".into());
        assert!(record.precisions["int8"].figures.is_some() && record.precision.is_some());
        record.note(Precision::Int8, "g", "later still".into());
        assert!(record.precisions["int8"].figures.is_none() && record.precision.is_none());
    }

    #[test]
    fn a_book_that_is_none_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = BookFile::new(folder.path());
        fs_err::write(folder.path().join("models.toml"), "default = 7\n").unwrap();
        let error = file.read().unwrap_err();
        assert!(error.to_string().contains("models.toml"), "{error}");
        let text = fs_err::read_to_string(folder.path().join("models.toml")).unwrap();
        file.update(|book| book.default = Some("b".into()))
            .unwrap_err();
        let after = fs_err::read_to_string(folder.path().join("models.toml")).unwrap();
        assert_eq!(text, after);
    }

    #[test]
    fn changes_of_many_at_once_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = BookFile::new(folder.path());
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let file = &file;
                scope.spawn(move || {
                    for turn in 0..10 {
                        let name = format!("m{thread}-{turn}");
                        file.update(|book| {
                            book.models.entry(name).or_default();
                        })
                        .unwrap();
                    }
                });
            }
        });
        assert_eq!(file.read().unwrap().models.len(), 80);
    }
}
