//! The vectors of the bank's texts: encoded once per model, and kept in a file.
//!
//! The file holds a key (a hash over the model's fingerprint and the bank's texts), the number and
//! length of the vectors, the vectors, and a checksum over all of that. One that is damaged, or of
//! another bank, is replaced.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use sightline_index::UnitVector;

use super::contents;
use crate::atomic::AtomicFile;
use crate::engine::isolate;
use crate::engine::report::{BankReport, FirstRuns, OnProgress, Progress, Stage};
use crate::engine::{Encoders, EngineError, LanguageHint};

/// The first bytes of a file of vectors, with the version of its format.
const MAGIC: &[u8; 8] = b"SLBANK1\n";

/// Bytes before the vectors: magic, key, number and length of the vectors.
const HEADER: usize = 8 + 32 + 4 + 4;

/// Bytes of a BLAKE3 hash.
const HASH: usize = 32;

/// Texts encoded between two reports of progress.
const BATCH: usize = 32;

/// What is encoded together. Tagging needs no phrase, and phrases are ten times as many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BankPart {
    Phrases,
    /// The texts of the tags.
    Tags,
}

impl BankPart {
    /// Its texts, in the order of their vectors.
    fn texts(self) -> Vec<String> {
        match self {
            Self::Phrases => contents::phrases()
                .map(|phrase| phrase.text.to_owned())
                .collect(),
            Self::Tags => contents::tags()
                .into_iter()
                .flat_map(|tag| tag.texts)
                .collect(),
        }
    }
}

/// The bank of one model, each part of it encoded or read when first needed.
#[derive(Default)]
pub(crate) struct Bank {
    /// Where files of vectors are kept; `None`: nowhere.
    folder: Option<PathBuf>,
    phrases: Mutex<Option<BankVectors>>,
    tags: Mutex<Option<BankVectors>>,
}

/// The vectors of a part's texts, in order.
pub(crate) type BankVectors = Arc<Vec<UnitVector>>;

impl Bank {
    /// A bank whose vectors are kept in this folder, which need not exist.
    pub(crate) fn kept_in(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            ..Self::default()
        }
    }

    /// The vectors of a part: of this process, of its file, or encoded now. `None` when `progress`
    /// breaks.
    pub(crate) fn vectors(
        &self,
        part: BankPart,
        encoders: &Encoders,
        progress: &mut OnProgress<'_>,
    ) -> Result<Option<(BankVectors, BankReport)>, EngineError> {
        let slot = match part {
            BankPart::Phrases => &self.phrases,
            BankPart::Tags => &self.tags,
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let mut report = BankReport::default();
        if let Some(loaded) = slot.as_ref() {
            return Ok(Some((Arc::clone(loaded), report)));
        }
        let texts = part.texts();
        let key = key(&encoders.identity().fingerprint, &texts);
        let folder = self.folder.as_deref();
        let file = folder.map(|folder| file(folder, part, encoders));
        let mut found = None;
        if let Some(path) = &file {
            match read(path, &key, texts.len(), encoders.identity().dimension) {
                Ok(vectors) => found = vectors,
                Err(why) => report.unusable = Some((path.clone(), why)),
            }
        }
        let vectors = if let Some(vectors) = found {
            vectors
        } else {
            let Some(vectors) = encoded(encoders, part, &texts, progress)? else {
                return Ok(None);
            };
            if let Some(path) = &file {
                let written = write(path, &key, &vectors);
                report.not_kept = written.err().map(|error| error.to_string());
            }
            vectors
        };
        let vectors = Arc::new(vectors);
        *slot = Some(Arc::clone(&vectors));
        Ok(Some((vectors, report)))
    }
}

/// English, where a text tower of the model is for it.
pub(crate) fn english(encoders: &Encoders) -> LanguageHint {
    let english = "en".parse().ok();
    let towers = encoders.text_languages();
    let is_listed = towers
        .iter()
        .any(|languages| languages.iter().any(|language| Some(*language) == english));
    LanguageHint {
        asked: english.filter(|_| is_listed),
        usual: english,
    }
}

fn key(fingerprint: &str, texts: &[String]) -> [u8; HASH] {
    let mut hasher = blake3::Hasher::new();
    for text in std::iter::once(fingerprint).chain(texts.iter().map(String::as_str)) {
        hasher.update(text.as_bytes());
        hasher.update(b"\0");
    }
    *hasher.finalize().as_bytes()
}

/// One file per model and part, so that a new bank replaces the old one.
fn file(folder: &Path, part: BankPart, encoders: &Encoders) -> PathBuf {
    let hash = blake3::hash(encoders.identity().fingerprint.as_bytes());
    let name: String = hash.to_hex().chars().take(16).collect();
    folder.join(match part {
        BankPart::Phrases => format!("{name}.vectors"),
        BankPart::Tags => format!("{name}.tags.vectors"),
    })
}

/// The vectors in a file; `None` if it does not exist.
fn read(
    path: &Path,
    key: &[u8; HASH],
    n: usize,
    dimension: usize,
) -> Result<Option<Vec<UnitVector>>, &'static str> {
    let bytes = match fs_err::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(_) => return Err("cannot be read"),
    };
    let damaged = "is damaged";
    let header = bytes.first_chunk::<HEADER>().ok_or(damaged)?;
    let (body, checksum) = bytes.split_last_chunk::<HASH>().ok_or(damaged)?;
    if header.starts_with(MAGIC) && header[8..8 + HASH] != *key {
        return Err("is of another version");
    }
    let expected = header_of(key, n, dimension).ok_or(damaged)?;
    let n_bytes = n.checked_mul(dimension).and_then(|n| n.checked_mul(4));
    if *header != expected
        || n_bytes.and_then(|n| n.checked_add(HEADER)) != Some(body.len())
        || blake3::hash(body).as_bytes() != checksum
    {
        return Err(damaged);
    }
    let (values, _) = body[HEADER..].as_chunks::<4>();
    let values: Vec<f32> = values
        .iter()
        .map(|&four| f32::from_le_bytes(four))
        .collect();
    let vectors = values.chunks(dimension.max(1));
    let vectors: Result<Vec<UnitVector>, _> =
        vectors.map(|one| UnitVector::new(one.to_vec())).collect();
    vectors.map(Some).map_err(|_| damaged)
}

fn header_of(key: &[u8; HASH], n: usize, dimension: usize) -> Option<[u8; HEADER]> {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..8 + HASH].copy_from_slice(key);
    header[40..44].copy_from_slice(&u32::try_from(n).ok()?.to_le_bytes());
    header[44..].copy_from_slice(&u32::try_from(dimension).ok()?.to_le_bytes());
    Some(header)
}

fn write(path: &Path, key: &[u8; HASH], vectors: &[UnitVector]) -> std::io::Result<()> {
    let dimension = vectors.first().map_or(0, |first| first.as_slice().len());
    let too_large = || std::io::Error::other("too many vectors");
    let header = header_of(key, vectors.len(), dimension).ok_or_else(too_large)?;
    let mut bytes = header.to_vec();
    for value in vectors.iter().flat_map(UnitVector::as_slice) {
        bytes.extend(value.to_le_bytes());
    }
    let checksum = blake3::hash(&bytes);
    bytes.extend(checksum.as_bytes());
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder)?;
    }
    let mut file = AtomicFile::create(path)?;
    file.write_all(&bytes)?;
    file.commit()
}

/// Encodes English texts as captions; `None` when `progress` breaks.
fn encoded(
    encoders: &Encoders,
    part: BankPart,
    texts: &[String],
    progress: &mut OnProgress<'_>,
) -> Result<Option<Vec<UnitVector>>, EngineError> {
    let (began, hint) = (Instant::now(), english(encoders));
    let mut vectors = Vec::with_capacity(texts.len());
    for batch in texts.chunks(BATCH) {
        let flow = progress(&Progress {
            stage: match part {
                BankPart::Phrases => Stage::Phrases,
                BankPart::Tags => Stage::Labels,
            },
            n_done: vectors.len(),
            n_total: texts.len(),
            n_skipped: 0,
            elapsed: began.elapsed(),
            first_runs: FirstRuns::default(),
        });
        if flow == ControlFlow::Break(()) {
            return Ok(None);
        }
        let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
        for embedding in isolate::texts(encoders, &batch, hint)? {
            vectors.push(UnitVector::new(embedding?)?);
        }
    }
    Ok(Some(vectors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{fake, quietly};

    fn vectors(bank: &Bank, encoders: &Encoders) -> (BankVectors, BankReport) {
        let found = bank.vectors(BankPart::Tags, encoders, &mut quietly);
        found.unwrap().unwrap()
    }

    #[test]
    fn a_bank_is_encoded_once_and_read_from_then_on() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("bank");
        let encoders = fake::encoders("a");
        let (first, report) = vectors(&Bank::kept_in(Some(folder.clone())), &encoders);
        assert_eq!(report, BankReport::default());
        assert_eq!(first.len(), BankPart::Tags.texts().len());
        let bank = Bank::kept_in(Some(folder.clone()));
        let mut n_reports = 0;
        let found = bank.vectors(BankPart::Tags, &encoders, &mut |_| {
            n_reports += 1;
            ControlFlow::Continue(())
        });
        let (again, report) = found.unwrap().unwrap();
        assert_eq!((n_reports, report), (0, BankReport::default()));
        assert_eq!(again, first);
        assert_eq!(fs_err::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn phrases_and_tags_are_encoded_when_they_are_needed() {
        let folder = tempfile::tempdir().unwrap();
        let bank = Bank::kept_in(Some(folder.path().to_path_buf()));
        let encoders = fake::encoders("a");
        let mut n_total = Vec::new();
        let mut of = |part| {
            let found = bank.vectors(part, &encoders, &mut |progress| {
                n_total.push((progress.stage, progress.n_total));
                ControlFlow::Continue(())
            });
            found.unwrap().unwrap().0.len()
        };
        let n_tags = of(BankPart::Tags);
        let n_phrases = of(BankPart::Phrases);
        assert_eq!(n_phrases, contents::phrases().count());
        assert!(n_tags < n_phrases / 4, "{n_tags}");
        let is_right = |&(stage, n)| match stage {
            Stage::Labels => n == n_tags,
            Stage::Phrases => n == n_phrases,
            _ => false,
        };
        assert!(n_total.iter().all(is_right));
        assert_eq!(n_total[0].0, Stage::Labels);
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_that_is_damaged_or_of_another_bank_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let bank = || Bank::kept_in(Some(folder.path().to_path_buf()));
        let encoders = fake::encoders("a");
        let (first, _) = vectors(&bank(), &encoders);
        let path = file(folder.path(), BankPart::Tags, &encoders);
        let whole = fs_err::read(&path).unwrap();
        let changed = |place: usize| {
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            bytes
        };
        let rows = [
            (Vec::new(), "is damaged"),
            (whole[..whole.len() - 4].to_vec(), "is damaged"),
            (changed(0), "is damaged"),
            (changed(9), "is of another version"),
            (changed(45), "is damaged"),
            (changed(1000), "is damaged"),
            (changed(whole.len() - 1), "is damaged"),
        ];
        assert_eq!(rows.len(), 7);
        for (bytes, why) in rows {
            fs_err::write(&path, bytes).unwrap();
            let (again, report) = vectors(&bank(), &encoders);
            assert_eq!(report.unusable, Some((path.clone(), why)));
            assert_eq!(again, first);
            assert_eq!(fs_err::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn a_vector_in_the_file_that_is_not_of_unit_length_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.vectors");
        let unit = UnitVector::new(vec![1.0, 0.0]).unwrap();
        write(&path, &[7; HASH], &[unit]).unwrap();
        assert_eq!(read(&path, &[7; HASH], 1, 2).unwrap().unwrap().len(), 1);
        let mut bytes = fs_err::read(&path).unwrap();
        bytes.truncate(HEADER);
        bytes.extend(f32::NAN.to_le_bytes());
        bytes.extend(0f32.to_le_bytes());
        let checksum = blake3::hash(&bytes);
        bytes.extend(checksum.as_bytes());
        fs_err::write(&path, bytes).unwrap();
        assert_eq!(read(&path, &[7; HASH], 1, 2), Err("is damaged"));
    }

    #[test]
    fn a_bank_that_cannot_be_kept_is_used_anyway() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs_err::write(&file, "").unwrap();
        let (found, report) = vectors(&Bank::kept_in(Some(file)), &fake::encoders("a"));
        assert!(!found.is_empty());
        assert!(report.not_kept.is_some());
    }
}
