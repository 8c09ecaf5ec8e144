//! Brings captions up to date: those of sidecars (`photo.txt` beside `photo.jpg`) and of captions
//! files are encoded where they changed.
//!
//! A caption that the model cannot encode is skipped, and what the index has in its place stays.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sightline_index::{Caption, IndexReader, IndexWriter, Item, ItemId};

use super::caption_changes::Changes;
use super::caption_file::{CaptionFile, CaptionSet, CaptionText, read_sidecar};
use super::sidecars::{SidecarNames, Sidecars, assign};
use super::store::Store;
use super::walk::Visit;
use crate::engine::names::{composed, places, with_slashes};
use crate::engine::report::Skipped;
use crate::engine::{Encoders, EngineError};

/// Brings the captions up to date: those of sidecars that the visits found, and those of captions
/// `files`. When the model is changed, `before` is the index of the old model. Breaks when the run
/// was stopped.
pub(crate) fn update(
    store: &mut Store<'_>,
    encoders: &Encoders,
    before: Option<&IndexReader>,
    visits: &[Visit],
    files: &[(PathBuf, CaptionFile)],
) -> Result<ControlFlow<()>, EngineError> {
    let given: HashSet<&Path> = files.iter().map(|(source, _)| source.as_path()).collect();
    if renew(store, encoders)?.is_break() {
        return Ok(ControlFlow::Break(()));
    }
    let mut changes = Changes::new(store, encoders);
    for (_, file) in files {
        let n_captions = file.sets.iter().map(|set| set.captions.len());
        changes.expect(n_captions.sum());
    }
    if by_sidecars(&mut changes, visits, &given)?.is_break() {
        return Ok(ControlFlow::Break(()));
    }
    if let Some(before) = before
        && by_old_index(&mut changes, before, &given)?.is_break()
    {
        return Ok(ControlFlow::Break(()));
    }
    for (source, file) in files {
        if by_file(&mut changes, source, file)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    changes.write()
}

/// After a change of the language, encodes those captions again that another text tower is for now.
/// Noted as done when all are committed, so that a run that was stopped is followed by another.
fn renew(store: &mut Store<'_>, encoders: &Encoders) -> Result<ControlFlow<()>, EngineError> {
    if !store.writer.is_language_changed()? {
        return Ok(ControlFlow::Continue(()));
    }
    if encoders.text_languages().len() > 1 {
        let mut sources = BTreeSet::new();
        store.writer.for_each_caption_source(&mut |source| {
            sources.insert(source);
        })?;
        let mut changes = Changes::new(store, encoders);
        for source in sources {
            for image in changes.store.writer.caption_owners(&source)? {
                if changes.renew(image, &source)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        if changes.write()?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    store.writer.note_language_changed(false);
    Ok(ControlFlow::Continue(()))
}

/// Removes the captions that sidecars gave images from the files that they are beside. The files
/// are no longer there, but the images may live on under other paths. Returns how many.
pub(crate) fn drop_sidecars<'p>(
    writer: &mut IndexWriter,
    files: impl IntoIterator<Item = (&'p Path, ItemId)>,
) -> Result<usize, EngineError> {
    let mut n_removed = 0;
    for (image, paths) in by_image(files) {
        let sources = writer.caption_sources_of(Some(image))?;
        if sources.is_empty() {
            continue;
        }
        let names = SidecarNames::of(paths);
        for source in sources.iter().filter(|source| names.contains(source)) {
            n_removed += writer.captions_from(Some(image), source)?.len();
            writer.set_captions(Some(image), source, Vec::new())?;
        }
    }
    Ok(n_removed)
}

/// The paths of each image among files, in the order of ids, so that an image with many copies is
/// looked up once.
fn by_image<'p>(
    files: impl IntoIterator<Item = (&'p Path, ItemId)>,
) -> BTreeMap<ItemId, Vec<&'p Path>> {
    let mut paths: BTreeMap<ItemId, Vec<&Path>> = BTreeMap::new();
    for (path, image) in files {
        paths.entry(image).or_default().push(path);
    }
    paths
}

/// Removes the same of all files whose content changed in this run.
pub(crate) fn drop_of_old_content(store: &mut Store<'_>) -> Result<(), EngineError> {
    let known = store.ledger.take_known();
    let mut changed = Vec::new();
    for (path, before) in &known {
        let now = store.writer.file(path)?.map(|record| record.image);
        if now != Some(*before) {
            changed.push((path.as_path(), *before));
        }
    }
    let n_removed = drop_sidecars(&mut store.writer, changed)?;
    store.ledger.report.n_captions_removed += n_removed;
    Ok(())
}

fn by_sidecars(
    changes: &mut Changes<'_, '_>,
    visits: &[Visit],
    given: &HashSet<&Path>,
) -> Result<ControlFlow<()>, EngineError> {
    let pictures = || visits.iter().flat_map(|visit| &visit.walk.candidates);
    let pictures = || pictures().map(|candidate| candidate.path.as_path());
    let odd = visits.iter().flat_map(|visit| &visit.walk.odd_texts);
    let odd: HashSet<&Path> = odd.map(PathBuf::as_path).collect();
    let texts = visits.iter().flat_map(|visit| &visit.walk.texts);
    let texts = texts.map(PathBuf::as_path).chain(odd.iter().copied());
    let sidecars = assign(pictures(), texts);
    note_unused(changes.store, &sidecars, given, &odd)?;

    let in_order = in_order(&sidecars);
    changes.expect(in_order.iter().map(|(_, sources)| sources.len()).sum());
    // An image may have several files, each with sidecars.
    let mut current: HashSet<(ItemId, PathBuf)> = HashSet::new();
    for (picture, sources) in in_order {
        changes.compared(sources.len());
        let Some(record) = changes.store.writer.file(picture)? else {
            continue;
        };
        for &source in sources {
            if !current.insert((record.image, source.to_path_buf())) {
                continue;
            }
            let captions = if odd.contains(source) {
                Err("not a file".to_owned())
            } else {
                read_sidecar(source).map_err(|error| error.to_string())
            };
            let ledger = &mut changes.store.ledger;
            match captions {
                Ok((captions, bad)) => {
                    for line in bad {
                        ledger.skipped_caption(source, Some(line.line), &line.reason);
                    }
                    if changes
                        .set(Some(record.image), source, &captions)?
                        .is_break()
                    {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                // What it says is unknown, so what the index has from it stays.
                Err(reason) => ledger.report.skipped.push(Skipped {
                    path: source.to_path_buf(),
                    reason,
                }),
            }
        }
    }
    without_missing_sidecars(changes, visits, &current)
}

/// Removes the captions of deleted sidecars, and of those that another one has replaced.
fn without_missing_sidecars(
    changes: &mut Changes<'_, '_>,
    visits: &[Visit],
    current: &HashSet<(ItemId, PathBuf)>,
) -> Result<ControlFlow<()>, EngineError> {
    let mut files: Vec<(&Path, ItemId)> = Vec::new();
    for candidate in visits.iter().flat_map(|visit| &visit.walk.candidates) {
        if let Some(record) = changes.store.writer.file(&candidate.path)? {
            files.push((&candidate.path, record.image));
        }
    }
    for (image, paths) in by_image(files) {
        let sources = changes.store.writer.caption_sources_of(Some(image))?;
        if sources.is_empty() {
            continue;
        }
        let names = SidecarNames::of(paths);
        for source in sources {
            let is_hidden = |source: &Path| visits.iter().any(|visit| visit.walk.hides(source));
            let key = (image, source);
            let source = key.1.as_path();
            if names.contains(source)
                && !current.contains(&key)
                && !is_hidden(source)
                && changes
                    .set(Some(image), source, &[] as &[CaptionText])?
                    .is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Pictures with their sidecars, by path.
fn in_order<'s, 'p>(sidecars: &'s Sidecars<'p>) -> Vec<(&'p Path, &'s [&'p Path])> {
    let mut pictures: Vec<_> = sidecars
        .of
        .iter()
        .map(|(&picture, sources)| (picture, sources.as_slice()))
        .collect();
    pictures.sort_unstable();
    pictures
}

/// Reports the texts that are not used although they lie beside pictures.
fn note_unused(
    store: &mut Store<'_>,
    sidecars: &Sidecars<'_>,
    given: &HashSet<&Path>,
    odd: &HashSet<&Path>,
) -> Result<(), EngineError> {
    for (text, reason) in &sidecars.passed_over {
        store.ledger.report.skipped.push(Skipped {
            path: text.to_path_buf(),
            reason: reason.clone(),
        });
    }
    for &text in &sidecars.unclaimed {
        // Captions files may lie there too, of this run or an earlier one.
        let is_used = given.contains(text) || !store.writer.caption_owners(text)?.is_empty();
        if !is_used && !odd.contains(text) {
            store.ledger.report.unused_texts.push(text.to_path_buf());
        }
    }
    Ok(())
}

fn by_file(
    changes: &mut Changes<'_, '_>,
    source: &Path,
    file: &CaptionFile,
) -> Result<ControlFlow<()>, EngineError> {
    let store = &mut *changes.store;
    for line in &file.bad {
        store
            .ledger
            .skipped_caption(source, Some(line.line), &line.reason);
    }
    let owners = owners(store, source, &file.sets)?;
    // Identical pictures are one image, so that several lines may be about the same one.
    let mut wanted: BTreeMap<Option<ItemId>, Vec<&CaptionText>> = BTreeMap::new();
    let mut seen: HashSet<(Option<ItemId>, &str)> = HashSet::new();
    for (set, owner) in file.sets.iter().zip(owners) {
        let Some(owner) = owner else { continue };
        let of_owner = wanted.entry(owner).or_default();
        for caption in &set.captions {
            if seen.insert((owner, &caption.text)) {
                of_owner.push(caption);
            }
        }
    }
    // A bad line may be about any picture, so that none loses its captions for want of a line.
    if !file.bad.iter().any(|line| line.is_whole) {
        for owner in store.writer.caption_owners(source)? {
            wanted.entry(owner).or_default();
        }
    }
    for (owner, captions) in wanted {
        changes.compared(captions.len());
        if changes.set(owner, source, &captions)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The image that each set of captions is about; the outer option is none for a picture that is not
/// in the index, which is reported.
#[expect(
    clippy::option_option,
    reason = "captions of no picture and captions of a missing one are different"
)]
fn owners(
    store: &mut Store<'_>,
    source: &Path,
    sets: &[CaptionSet],
) -> Result<Vec<Option<Option<ItemId>>>, EngineError> {
    let mut owners = Vec::with_capacity(sets.len());
    // Places in `owners` of pictures that must be looked for by what their names look like.
    let mut missing: Vec<usize> = Vec::new();
    for set in sets {
        let Some(picture) = &set.image else {
            owners.push(Some(None));
            continue;
        };
        let mut found = indexed(&store.writer, picture)?;
        if found.is_none()
            && !picture.exists()
            && let Some(picture) = with_slashes(picture)
        {
            found = indexed(&store.writer, &picture)?;
        }
        if found.is_none() {
            missing.push(owners.len());
        }
        owners.push(found.map(Some));
    }
    if missing.is_empty() {
        return Ok(owners);
    }
    let mut alike = images_that_look_like(store, sets, &missing)?;
    for place in missing {
        let set = &sets[place];
        let Some(picture) = &set.image else { continue };
        let images = alike.remove(&place).unwrap_or_default();
        if images.len() == 1 {
            owners[place] = Some(images.first().copied());
            continue;
        }
        let what = if images.is_empty() {
            "is not in the index"
        } else {
            "looks like several pictures of the index"
        };
        let given = picture.strip_prefix(source.parent().unwrap_or(Path::new("")));
        let hint = if given.is_ok_and(has_drive) {
            "; its path must be relative to that file, without a drive"
        } else {
            ""
        };
        let reason = format!(
            "has captions in {} (line {}) but {what}{hint}",
            source.display(),
            set.line
        );
        let path = fs_err::canonicalize(picture).unwrap_or_else(|_| picture.clone());
        store.ledger.report.skipped.push(Skipped { path, reason });
    }
    Ok(owners)
}

/// Whether a path begins like `C:\`.
fn has_drive(path: &Path) -> bool {
    matches!(
        path.as_os_str().as_encoded_bytes(),
        [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic()
    )
}

/// The image in a file of the index.
fn indexed(writer: &IndexWriter, picture: &Path) -> Result<Option<ItemId>, EngineError> {
    if let Ok(resolved) = fs_err::canonicalize(picture)
        && let Some(record) = writer.file(&resolved)?
    {
        return Ok(Some(record.image));
    }
    for place in places(picture)? {
        if let Some(record) = writer.file(&place)? {
            return Ok(Some(record.image));
        }
    }
    Ok(None)
}

/// For each of these sets, the images whose paths look like that of its picture. Reads the paths of
/// the whole index once.
fn images_that_look_like(
    store: &Store<'_>,
    sets: &[CaptionSet],
    missing: &[usize],
) -> Result<HashMap<usize, BTreeSet<ItemId>>, EngineError> {
    let mut wanted: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
    for &set in missing {
        let given = sets[set].image.iter();
        let slashed = sets[set].image.as_deref().and_then(with_slashes);
        let mut keys: HashSet<Vec<u8>> = HashSet::new();
        for path in given.chain(slashed.iter()) {
            let places = places(path)?;
            keys.extend(
                places
                    .iter()
                    .map(|at| composed(at.as_os_str()).into_owned()),
            );
        }
        for key in keys {
            wanted.entry(key).or_default().push(set);
        }
    }
    let mut alike: HashMap<usize, BTreeSet<ItemId>> = HashMap::new();
    store.writer.for_each_file(&mut |path, record| {
        for &set in wanted
            .get(&*composed(path.as_os_str()))
            .into_iter()
            .flatten()
        {
            alike.entry(set).or_default().insert(record.image);
        }
    })?;
    Ok(alike)
}

/// Takes over the captions that `before` has from captions files, for its images that are here too.
/// Sidecars have been read again, and the files in `given` will be.
fn by_old_index(
    changes: &mut Changes<'_, '_>,
    before: &IndexReader,
    given: &HashSet<&Path>,
) -> Result<ControlFlow<()>, EngineError> {
    for (source, captions) in by_source(before.captions_alone()?) {
        if !given.contains(source.as_path()) && changes.set(None, &source, &captions)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    let mut seen = HashSet::new();
    for (_, record) in before.files()? {
        if !seen.insert(record.image) {
            continue;
        }
        let Some(Item::Image(image)) = before.item(record.image)? else {
            continue;
        };
        let Some(here) = changes.store.writer.image_with_hash(&image.content_hash)? else {
            continue;
        };
        let names = SidecarNames::of(image.paths.iter().map(PathBuf::as_path));
        for (source, captions) in by_source(before.captions_of(record.image)?) {
            if !names.contains(&source)
                && !given.contains(source.as_path())
                && changes.set(Some(here), &source, &captions)?.is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Captions in their order, grouped by the file that they came from.
fn by_source(captions: Vec<Caption>) -> BTreeMap<PathBuf, Vec<CaptionText>> {
    let mut texts: BTreeMap<PathBuf, Vec<CaptionText>> = BTreeMap::new();
    for caption in captions {
        let (text, line) = (caption.text, None);
        texts
            .entry(caption.source)
            .or_default()
            .push(CaptionText { text, line });
    }
    texts
}
