//! Compacts an index, and removes files from it by name. Needs no model.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use sightline_index::{Compacted, IndexError, IndexReader, IndexWriter, Library};

use super::error::EngineError;
use super::indexing::captions::drop_sidecars;
use super::names::{composed, places};
use super::report::{OnBuilding, building, reasons};

/// Files or captions that are removed between two commits.
const COMMIT_EVERY: usize = 10_000;

/// What [`Engine::remove`](crate::engine::Engine::remove) removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoveReport {
    /// Files removed.
    pub n_files: u64,
    /// Images removed because no other file holds them.
    pub n_images: u64,
    /// Captions removed.
    pub n_captions: u64,
    /// Library folders that were forgotten.
    pub libraries: Vec<PathBuf>,
    /// Requested paths that are not in the index.
    pub unknown: Vec<PathBuf>,
    /// Work after the commit that failed, and why: the next run does it.
    pub postponed: Vec<String>,
}

/// See [`Engine::compact`](crate::engine::Engine::compact).
pub(crate) fn compact(
    folder: &Path,
    progress: &mut OnBuilding<'_>,
) -> Result<Compacted, EngineError> {
    let mut writer = open_writer(folder)?;
    let compacted = writer.compact(&mut building(progress))?;
    writer.finish()?;
    Ok(compacted)
}

/// See [`Engine::remove`](crate::engine::Engine::remove).
pub(crate) fn remove(
    folder: &Path,
    paths: &[PathBuf],
    progress: &mut OnBuilding<'_>,
) -> Result<RemoveReport, EngineError> {
    let mut writer = open_writer(folder)?;
    let before = IndexReader::open(folder, None)?.counts();
    let mut report = RemoveReport::default();
    let mut above = BTreeSet::new();
    let mut unknown = Vec::new();
    for path in paths {
        let places = places(path)?;
        let mut is_known = false;
        for place in &places {
            if remove_below(&mut writer, place, &mut above, &mut report)? {
                is_known = true;
                break;
            }
        }
        if !is_known {
            unknown.push((path, places));
        }
        if writer.n_pending() >= COMMIT_EVERY {
            writer.commit()?;
        }
    }
    let alike = places_that_look_like(&writer, &unknown)?;
    for ((path, _), place) in unknown.into_iter().zip(alike) {
        let is_known = match place {
            Some(place) => remove_below(&mut writer, &place, &mut above, &mut report)?,
            None => false,
        };
        if !is_known {
            report.unknown.push(path.clone());
        }
    }
    for library in writer.libraries()? {
        if above.contains(&library.folder) {
            let n_files = writer.n_files_under(&library.folder)?;
            writer.put_library(Library { n_files, ..library })?;
        }
    }
    let finished = writer.finish_with(&mut building(progress))?;
    report.postponed = reasons(&finished.postponed);
    let after = IndexReader::open(folder, None)?.counts();
    report.n_files = before.n_files.saturating_sub(after.n_files);
    report.n_images = before.n_images.saturating_sub(after.n_images);
    report.n_captions = before.n_captions.saturating_sub(after.n_captions);
    Ok(report)
}

/// Opens an existing index for writing, whichever model made it.
fn open_writer(folder: &Path) -> Result<IndexWriter, EngineError> {
    let binding = sightline_index::binding(folder)?;
    let binding = binding.ok_or_else(|| {
        // Opening it for reading distinguishes the possible errors.
        IndexReader::open(folder, None)
            .err()
            .unwrap_or_else(|| IndexError::NoIndex {
                dir: folder.to_path_buf(),
            })
    })?;
    Ok(IndexWriter::open_or_create(folder, &binding)?)
}

/// Removes everything that the index holds at a path and below. False if there is nothing. Adds
/// the library folders above to `above`; their files are to be counted again.
///
/// This is committed every [`COMMIT_EVERY`] files and captions, and library folders are forgotten
/// last, so that after a kill the same call removes the rest.
fn remove_below(
    writer: &mut IndexWriter,
    place: &Path,
    above: &mut BTreeSet<PathBuf>,
    report: &mut RemoveReport,
) -> Result<bool, EngineError> {
    let has_files = remove_files_below(writer, place)?;
    let has_captions = remove_captions_below(writer, place)?;
    let (below, others): (Vec<Library>, Vec<Library>) = writer
        .libraries()?
        .into_iter()
        .partition(|library| library.folder.starts_with(place));
    if !has_files && !has_captions && below.is_empty() {
        return Ok(false);
    }
    for library in below {
        writer.remove_library(&library.folder)?;
        report.libraries.push(library.folder);
    }
    let others = others.into_iter().map(|library| library.folder);
    above.extend(others.filter(|folder| place.starts_with(folder)));
    Ok(true)
}

/// Removes files, and the captions that their sidecars gave to images with other files too.
fn remove_files_below(writer: &mut IndexWriter, place: &Path) -> Result<bool, EngineError> {
    let mut last: Option<PathBuf> = None;
    loop {
        let files = writer.some_files_under(place, last.as_deref(), COMMIT_EVERY)?;
        let sidecars = files
            .iter()
            .map(|(path, file)| (path.as_path(), file.image));
        drop_sidecars(writer, sidecars)?;
        for (path, _) in &files {
            writer.remove_file(path)?;
        }
        let is_last = files.len() < COMMIT_EVERY;
        last = files.into_iter().next_back().map(|(path, _)| path).or(last);
        if is_last {
            return Ok(last.is_some());
        }
        writer.commit()?;
    }
}

/// Removes what was read from captions files.
fn remove_captions_below(writer: &mut IndexWriter, place: &Path) -> Result<bool, EngineError> {
    let mut last = None;
    'from_last: loop {
        let sources = writer.caption_sources_under(place, last.as_ref(), COMMIT_EVERY)?;
        let is_last = sources.len() < COMMIT_EVERY;
        for (source, image) in sources {
            let generation = writer.generation();
            let mut revision = writer.revise_captions(image, &source)?;
            while revision.settle(COMMIT_EVERY)? {
                revision.writer().commit()?;
            }
            if writer.n_pending() >= COMMIT_EVERY {
                writer.commit()?;
            }
            last = Some((source, image));
            // A commit may remove images that the following captions are about.
            if writer.generation() != generation {
                continue 'from_last;
            }
        }
        if is_last {
            return Ok(last.is_some());
        }
    }
}

/// For each path, given with its places, the only path of the index that looks like it: a file, a
/// captions file, or a folder above some. None if several do. Reads all paths of the index once.
fn places_that_look_like(
    writer: &IndexWriter,
    paths: &[(&PathBuf, Vec<PathBuf>)],
) -> Result<Vec<Option<PathBuf>>, EngineError> {
    let mut found: Vec<BTreeSet<PathBuf>> = vec![BTreeSet::new(); paths.len()];
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    // By the number of components, and by what all spellings have in common.
    let mut wanted: BTreeMap<usize, HashMap<Vec<u8>, Vec<usize>>> = BTreeMap::new();
    for (number, (_, places)) in paths.iter().enumerate() {
        for place in places {
            let of_length = wanted.entry(place.components().count()).or_default();
            let key = composed(place.as_os_str()).into_owned();
            of_length.entry(key).or_default().push(number);
        }
    }
    let mut add = |path: &Path| {
        for (&n_components, keys) in &wanted {
            let start: PathBuf = path.components().take(n_components).collect();
            let numbers = keys.get(&*composed(start.as_os_str()));
            for &number in numbers.into_iter().flatten() {
                found[number].insert(start.clone());
            }
        }
    };
    writer.for_each_file(&mut |path, _| add(&path))?;
    writer.for_each_caption_source(&mut |source| add(&source))?;
    for library in writer.libraries()? {
        add(&library.folder);
    }
    let only = |places: BTreeSet<PathBuf>| {
        let mut places = places.into_iter();
        places.next().filter(|_| places.next().is_none())
    };
    Ok(found.into_iter().map(only).collect())
}
