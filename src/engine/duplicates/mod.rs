//! Which files show the same picture, and which of them is worth keeping?
//!
//! Files with the same content are one image of the index. Images that look the same are found in
//! two steps ([`near`]): the nearest vectors of each image are candidates, and of these the ones
//! whose perceptual hashes agree, too, are pairs. [`groups`] makes groups of both, each around the
//! file to keep, which [`keeper`] chooses. Only files that are still as they were indexed count
//! ([`copies`]).

mod copies;
mod groups;
mod keeper;
mod near;
mod report;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sightline_index::{IndexReader, ItemId};

use copies::Copies;
use near::{NearPairs, NearSearch};
use report::into_skipped;
pub use report::{DuplicateFile, DuplicateGroup, DuplicatesReport, DuplicatesRequest, KeepReason};

use crate::engine::error::EngineError;
use crate::engine::names::places;
use crate::engine::report::OnProgress;

/// Finds groups of duplicates; see [`Engine::duplicates`](crate::Engine::duplicates).
pub(super) fn find(
    reader: &IndexReader,
    request: &DuplicatesRequest,
    progress: &mut OnProgress<'_>,
) -> Result<DuplicatesReport, EngineError> {
    let began = Instant::now();
    let scope = WantedImages::of(reader, request.folder.as_deref())?;
    let mut found = NearPairs::default();
    let n_compared = if request.exact_only {
        scope.images.len()
    } else {
        let mut search = NearSearch::new(reader, &request.decode, progress);
        search.run(scope.images.iter().copied().collect())?;
        found = search.finish();
        found.n_searched
    };
    let mut skipped = found.skipped;
    let mut images = Vec::new();
    let of_pairs = found.pairs.keys().flat_map(|&(a, b)| [a, b]);
    let wanted: BTreeSet<ItemId> = scope.with_copies.into_iter().chain(of_pairs).collect();
    for id in wanted {
        images.extend(Copies::read(reader, id, &mut skipped)?);
    }
    let mut groups = groups::of(images, &found.pairs);
    if let Some(folder) = &scope.folder {
        groups.retain(|group| {
            let mut files = group.others.iter().chain([&group.keep]);
            files.any(|file| file.path.starts_with(folder))
        });
    }
    Ok(DuplicatesReport {
        groups,
        n_compared,
        skipped: into_skipped(skipped),
        interrupted: found.interrupted,
        elapsed: began.elapsed(),
    })
}

/// The images that a request is about.
struct WantedImages {
    images: BTreeSet<ItemId>,
    /// Those with several files, and possibly others.
    with_copies: BTreeSet<ItemId>,
    /// The folder as it is in the index.
    folder: Option<PathBuf>,
}

impl WantedImages {
    fn of(reader: &IndexReader, folder: Option<&Path>) -> Result<Self, EngineError> {
        let mut images = BTreeSet::new();
        let Some(folder) = folder else {
            let mut with_copies = BTreeSet::new();
            for (_, file) in reader.files()? {
                if !images.insert(file.image) {
                    with_copies.insert(file.image);
                }
            }
            return Ok(Self {
                images,
                with_copies,
                folder: None,
            });
        };
        for place in places(folder)? {
            let files = reader.files_under(&place)?;
            images.extend(files.into_iter().map(|(_, file)| file.image));
            if !images.is_empty() {
                return Ok(Self {
                    with_copies: images.clone(),
                    images,
                    folder: Some(place),
                });
            }
        }
        Err(EngineError::NotIndexed {
            path: folder.to_path_buf(),
            what: if folder.is_file() {
                "picture"
            } else {
                "folder"
            },
        })
    }
}
