//! The pictures to tag, and their vectors.

use std::path::{Path, PathBuf};

use sightline_index::{IndexReader, ItemId, UnitVector};

use crate::engine::error::EngineError;
use crate::engine::indexing::walk::walk;
use crate::engine::names::Finder;
use crate::engine::report::Skipped;
use crate::engine::search::{self, QueryEncoder};

/// The vector of a picture, and its item if it is in the index.
pub(super) struct PictureVector {
    pub(super) vector: UnitVector,
    pub(super) item: Option<ItemId>,
}

/// The picture files of a request: those named, and those in the folders named, each once. What
/// could not be read on the way is `skipped`.
///
/// # Errors
/// When something that is named does not exist, on disk or in the index.
pub(super) fn files(
    reader: Option<&IndexReader>,
    encoder: QueryEncoder<'_>,
    paths: &[PathBuf],
    skipped: &mut Vec<Skipped>,
) -> Result<Vec<PathBuf>, EngineError> {
    let (mut files, mut finder) = (Vec::new(), Finder::default());
    for path in paths {
        let path = finder.find(path);
        if path.is_dir() {
            let found = walk(&fs_err::canonicalize(&path)?);
            skipped.extend(found.unreadable);
            files.extend(found.candidates.into_iter().map(|one| one.path));
            continue;
        }
        let is_indexed = || match reader {
            Some(reader) => search::indexed(reader, encoder, &path).map(|found| found.is_some()),
            None => Ok(false),
        };
        if !path.exists() && !is_indexed()? {
            // The error names the file.
            fs_err::File::open(&path)?;
        }
        // As the files of a folder are named.
        files.push(std::path::absolute(&path).unwrap_or(path));
    }
    let mut seen = std::collections::HashSet::new();
    files.retain(|file| seen.insert(file.clone()));
    Ok(files)
}

/// The vectors of some pictures, in order: of those in the index and unchanged as they are there,
/// the others decoded and encoded. Those that cannot be are `skipped`.
pub(super) fn vectors(
    reader: Option<&IndexReader>,
    encoder: QueryEncoder<'_>,
    files: &[PathBuf],
    skipped: &mut Vec<Skipped>,
) -> Result<Vec<(PathBuf, PictureVector)>, EngineError> {
    let mut found: Vec<Option<PictureVector>> = Vec::with_capacity(files.len());
    let (mut places, mut unknown) = (Vec::new(), Vec::new());
    for (place, file) in files.iter().enumerate() {
        let known = match reader {
            Some(reader) => search::indexed(reader, encoder, file)?,
            None => None,
        };
        if known.is_none() {
            places.push(place);
            unknown.push(file.clone());
        }
        found.push(known.map(|(vector, item)| PictureVector {
            vector,
            item: Some(item),
        }));
    }
    let mut failed = Vec::new();
    let take = &mut |place: usize, embedding: Result<Vec<f32>, EngineError>| {
        let vector = embedding.and_then(|values| Ok(UnitVector::new(values)?));
        match vector {
            Ok(vector) => found[places[place]] = Some(PictureVector { vector, item: None }),
            Err(error) => failed.push(Skipped {
                path: unknown[place].clone(),
                reason: reason(&unknown[place], &error),
            }),
        }
        std::ops::ControlFlow::Continue(())
    };
    encoder
        .encoders
        .embed_decoded(&unknown, encoder.decode, take)?;
    skipped.extend(failed);
    let found = files.iter().cloned().zip(found);
    Ok(found
        .filter_map(|(path, found)| Some((path, found?)))
        .collect())
}

/// Why a file was skipped, without its name.
fn reason(path: &Path, error: &EngineError) -> String {
    let text = error.to_string();
    let name = format!("{}: ", path.display());
    text.strip_prefix(&name).unwrap_or(&text).to_owned()
}
