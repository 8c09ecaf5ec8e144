//! Brings captions up to date: those of sidecars (`photo.txt` beside `photo.jpg`), of the pictures
//! themselves and of captions files are encoded where they changed. What sidecars say beyond that
//! is stored beside the metadata of the pictures.
//!
//! A caption that the model cannot encode is skipped, and what the index has in its place stays.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sightline_index::{Caption, Details, IndexReader, IndexWriter, Item, ItemId};

use super::caption_changes::Changes;
use super::caption_file::{CaptionFile, CaptionText};
use super::caption_owners::owners;
use super::metadata;
use super::sidecar_files::{self, SidecarContent};
use super::sidecars::{SidecarKind, SidecarNames, Sidecars, assign};
use super::store::Store;
use super::walk::Visit;
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
    let folders: Vec<&Path> = visits.iter().map(|visit| &*visit.folder).collect();
    for (source, file) in files {
        if by_file(&mut changes, source, file, &folders)?.is_break() {
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

/// Removes what files and their sidecars gave images: captions and facts. The files are no longer
/// there, but the images may live on under other paths. Returns how many.
pub(crate) fn drop_sidecars<'p>(
    writer: &mut IndexWriter,
    files: impl IntoIterator<Item = (&'p Path, ItemId)>,
) -> Result<usize, EngineError> {
    let mut n_removed = 0;
    for (image, paths) in by_image(files) {
        let sources = writer.caption_sources_of(Some(image))?;
        let (_, beside) = writer.details_of(image)?;
        if sources.is_empty() && beside.is_empty() {
            continue;
        }
        let names = SidecarNames::of(paths);
        for source in beside.keys().filter(|source| names.contains(source)) {
            writer.set_sidecar_details(image, source, Details::default())?;
        }
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
    let odd = visits.iter().flat_map(|visit| &visit.walk.odd_sidecars);
    let odd: HashSet<&Path> = odd.map(PathBuf::as_path).collect();
    let files = visits.iter().flat_map(|visit| &visit.walk.sidecars);
    let files = files.map(PathBuf::as_path).chain(odd.iter().copied());
    let sidecars = assign(pictures(), files);
    note_unused(changes.store, &sidecars, given, &odd)?;

    let in_order = in_order(&sidecars);
    changes.expect(in_order.iter().map(|(_, sources)| sources.len()).sum());
    // An image may have several files, each with sidecars.
    let mut current: HashSet<(ItemId, PathBuf)> = HashSet::new();
    // Several pictures may share a sidecar; what is wrong with it is reported once.
    let mut read: HashSet<&Path> = HashSet::new();
    for (picture, sources) in in_order {
        changes.compared(sources.len());
        let Some(record) = changes.store.writer.file(picture)? else {
            continue;
        };
        for &source in sources {
            if !current.insert((record.image, source.to_path_buf())) {
                continue;
            }
            let content = if odd.contains(source) {
                Err("not a file".to_owned())
            } else {
                sidecar_files::read(source).map_err(|error| error.to_string())
            };
            if read.insert(source) {
                note_faults(changes.store, source, &content);
            }
            // Of a sidecar that cannot be read, what the index has from it stays.
            if let Ok(content) = content
                && by_sidecar(changes, record.image, source, content)?.is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    by_pictures(changes, visits, &current)
}

/// Reports why a sidecar, or some of its lines, could not be read.
fn note_faults(store: &mut Store<'_>, source: &Path, content: &Result<SidecarContent, String>) {
    match content {
        Ok(content) => {
            for row in &content.bad {
                store
                    .ledger
                    .skipped_caption(source, Some(row.at), &row.reason);
            }
        }
        Err(reason) => store.ledger.report.skipped.push(Skipped {
            path: source.to_path_buf(),
            reason: reason.clone(),
        }),
    }
}

/// Sets what one sidecar says about an image.
fn by_sidecar(
    changes: &mut Changes<'_, '_>,
    image: ItemId,
    source: &Path,
    content: SidecarContent,
) -> Result<ControlFlow<()>, EngineError> {
    let writer = &mut changes.store.writer;
    let SidecarContent {
        captions,
        mut details,
        ..
    } = content;
    if SidecarKind::of(source) != Some(SidecarKind::Text) {
        let (own, _) = writer.details_of(image)?;
        if own.position.is_some() {
            details.position = None;
        }
        let details = metadata::with_places_near(details);
        writer.set_sidecar_details(image, source, details)?;
        changes.store.commit_if_due()?;
    }
    changes.set(Some(image), source, &captions)
}

/// Brings what follows from the pictures themselves up to date: the captions in their files, and
/// what is left of sidecars that were deleted or that another one has replaced.
fn by_pictures(
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
    let is_hidden = |source: &Path| visits.iter().any(|visit| visit.walk.hides(source));
    for (image, paths) in by_image(files) {
        let writer = &mut changes.store.writer;
        let sources = writer.caption_sources_of(Some(image))?;
        let (own, beside) = writer.details_of(image)?;
        if sources.is_empty() && beside.is_empty() && own.texts.is_empty() {
            continue;
        }
        let names = SidecarNames::of(paths);
        let is_stale = |source: &Path| {
            let is_current = current.contains(&(image, source.to_path_buf()));
            names.contains(source) && !is_current && !is_hidden(source)
        };
        for source in beside.keys().filter(|source| is_stale(source)) {
            writer.set_sidecar_details(image, source, Details::default())?;
        }
        let holder = match own.texts.as_slice() {
            [] => None,
            _ => writer.paths_of(image)?.into_iter().next(),
        };
        let texts = own
            .texts
            .into_iter()
            .map(|text| CaptionText { text, at: None });
        let texts: Vec<CaptionText> = texts.collect();
        for source in sources
            .iter()
            .filter(|source| Some(*source) != holder.as_ref())
        {
            let none: [CaptionText; 0] = [];
            if is_stale(source) && changes.set(Some(image), source, &none)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if let Some(holder) = holder
            && changes.set(Some(image), &holder, &texts)?.is_break()
        {
            return Ok(ControlFlow::Break(()));
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
    folders: &[&Path],
) -> Result<ControlFlow<()>, EngineError> {
    let store = &mut *changes.store;
    for row in &file.bad {
        store
            .ledger
            .skipped_caption(source, Some(row.at), &row.reason);
    }
    if file.bad.is_empty() && file.sets.iter().all(|set| set.captions.is_empty()) {
        let (path, reason) = (source.to_path_buf(), "it has no captions".to_owned());
        store.ledger.report.skipped.push(Skipped { path, reason });
    }
    let owners = owners(store, source, file, folders)?;
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
    // A bad row may be about any picture, so that none loses its captions for want of a row.
    if !file.bad.iter().any(|row| row.is_whole) {
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
        let (text, at) = (caption.text, None);
        texts
            .entry(caption.source)
            .or_default()
            .push(CaptionText { text, at });
    }
    texts
}
