//! Brings captions up to date: those of sidecars (`photo.txt` beside `photo.jpg`) and of captions
//! files are encoded where they changed.
//!
//! A caption that the model cannot encode is skipped, and what the index has in its place stays.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sightline_index::{Caption, IndexReader, IndexWriter, Item, ItemId, UnitVector};

use super::caption_file::{CaptionFile, CaptionSet, CaptionText, read_sidecar};
use super::sidecars::{Sidecars, assign, is_sidecar_of};
use super::store::Store;
use super::walk::Visit;
use crate::engine::names::{composed, places, with_slashes};
use crate::engine::report::{Skipped, Stage};
use crate::engine::{Encoders, EngineError, isolate};

/// Captions per batch.
const BATCH: usize = 32;

/// The captions that one file gives one image (or none), to replace those it gave before.
struct Change {
    image: Option<ItemId>,
    source: PathBuf,
    captions: Vec<CaptionText>,
    before: Vec<String>,
}

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
    let mut changes = changes_by_sidecars(store, visits, &given)?;
    if let Some(before) = before {
        changes.extend(changes_by_old_index(store, before, &given)?);
    }
    for (source, file) in files {
        changes.extend(changes_by_file(store, source, file)?);
    }
    encode(store, encoders, changes)
}

/// Removes the captions that the sidecars of `path` gave `image`, which is no longer there but may
/// live on under another path. Returns how many.
pub(crate) fn drop_sidecars(
    writer: &mut IndexWriter,
    path: &Path,
    image: ItemId,
) -> Result<usize, EngineError> {
    let mut n_removed = 0;
    for source in writer.caption_sources_of(Some(image))? {
        if is_sidecar_of(&source, path) {
            n_removed += writer.captions_from(Some(image), &source)?.len();
            writer.set_captions(Some(image), &source, Vec::new())?;
        }
    }
    Ok(n_removed)
}

/// The same for all files whose content changed in this run.
pub(crate) fn drop_of_old_content(store: &mut Store<'_>) -> Result<(), EngineError> {
    for (path, before) in store.ledger.take_known() {
        let now = store.writer.file(&path)?.map(|record| record.image);
        if now != Some(before) {
            let n = drop_sidecars(&mut store.writer, &path, before)?;
            store.ledger.report.n_captions_removed += n;
        }
    }
    Ok(())
}

fn changes_by_sidecars(
    store: &mut Store<'_>,
    visits: &[Visit],
    given: &HashSet<&Path>,
) -> Result<Vec<Change>, EngineError> {
    let pictures = || visits.iter().flat_map(|visit| &visit.walk.candidates);
    let pictures = || pictures().map(|candidate| candidate.path.as_path());
    let odd = visits.iter().flat_map(|visit| &visit.walk.odd_texts);
    let odd: HashSet<&Path> = odd.map(PathBuf::as_path).collect();
    let texts = visits.iter().flat_map(|visit| &visit.walk.texts);
    let texts = texts.map(PathBuf::as_path).chain(odd.iter().copied());
    let sidecars = assign(pictures(), texts);
    note_unused(store, &sidecars, given, &odd)?;

    let mut changes = Vec::new();
    // An image may have several files, each with sidecars.
    let mut current: HashSet<(ItemId, PathBuf)> = HashSet::new();
    for (picture, sources) in in_order(&sidecars) {
        let Some(record) = store.writer.file(picture)? else {
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
            match captions {
                Ok((captions, bad)) => {
                    for line in bad {
                        let (line, reason) = (line.line, &line.reason);
                        store.ledger.skipped_caption(source, Some(line), reason);
                    }
                    let source = source.to_path_buf();
                    changes.extend(change(store, Some(record.image), source, captions)?);
                }
                // What it says is unknown, so what the index has from it stays.
                Err(reason) => store.ledger.report.skipped.push(Skipped {
                    path: source.to_path_buf(),
                    reason,
                }),
            }
        }
    }
    // Deleted sidecars, and those that another one has replaced.
    for picture in pictures() {
        let Some(record) = store.writer.file(picture)? else {
            continue;
        };
        for source in store.writer.caption_sources_of(Some(record.image))? {
            let is_hidden = || visits.iter().any(|visit| visit.walk.hides(&source));
            if is_sidecar_of(&source, picture)
                && !current.contains(&(record.image, source.clone()))
                && !is_hidden()
            {
                current.insert((record.image, source.clone()));
                changes.extend(change(store, Some(record.image), source, Vec::new())?);
            }
        }
    }
    Ok(changes)
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

fn changes_by_file(
    store: &mut Store<'_>,
    source: &Path,
    file: &CaptionFile,
) -> Result<Vec<Change>, EngineError> {
    for line in &file.bad {
        store
            .ledger
            .skipped_caption(source, Some(line.line), &line.reason);
    }
    let owners = owners(store, source, &file.sets)?;
    // Identical pictures are one image, so that several lines may be about the same one.
    let mut wanted: BTreeMap<Option<ItemId>, Vec<CaptionText>> = BTreeMap::new();
    let mut seen: HashSet<(Option<ItemId>, &str)> = HashSet::new();
    for (set, owner) in file.sets.iter().zip(owners) {
        let Some(owner) = owner else { continue };
        let of_owner = wanted.entry(owner).or_default();
        for caption in &set.captions {
            if seen.insert((owner, &caption.text)) {
                of_owner.push(caption.clone());
            }
        }
    }
    // A bad line may be about any picture, so that none loses its captions for want of a line.
    if !file.bad.iter().any(|line| line.is_whole) {
        for owner in store.writer.caption_owners(source)? {
            wanted.entry(owner).or_default();
        }
    }
    let mut changes = Vec::new();
    for (owner, captions) in wanted {
        changes.extend(change(store, owner, source.to_path_buf(), captions)?);
    }
    Ok(changes)
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
        if let [image] = images.as_slice() {
            owners[place] = Some(Some(*image));
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
) -> Result<HashMap<usize, Vec<ItemId>>, EngineError> {
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
    let mut alike: HashMap<usize, Vec<ItemId>> = HashMap::new();
    store.writer.for_each_file(&mut |path, record| {
        for &set in wanted
            .get(&*composed(path.as_os_str()))
            .into_iter()
            .flatten()
        {
            let images = alike.entry(set).or_default();
            if !images.contains(&record.image) {
                images.push(record.image);
            }
        }
    })?;
    Ok(alike)
}

/// The captions that `before` has from captions files, for its images that are here too. Sidecars
/// have been read again, and the files in `given` will be.
fn changes_by_old_index(
    store: &Store<'_>,
    before: &IndexReader,
    given: &HashSet<&Path>,
) -> Result<Vec<Change>, EngineError> {
    let mut changes = Vec::new();
    for (source, captions) in by_source(before.captions_alone()?) {
        if !given.contains(source.as_path()) {
            changes.extend(change(store, None, source, captions)?);
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
        let Some(here) = store.writer.image_with_hash(&image.content_hash)? else {
            continue;
        };
        for (source, captions) in by_source(before.captions_of(record.image)?) {
            let is_sidecar = image.paths.iter().any(|path| is_sidecar_of(&source, path));
            if !is_sidecar && !given.contains(source.as_path()) {
                changes.extend(change(store, Some(here), source, captions)?);
            }
        }
    }
    Ok(changes)
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

/// `None` when the index has exactly these captions from there.
fn change(
    store: &Store<'_>,
    image: Option<ItemId>,
    source: PathBuf,
    captions: Vec<CaptionText>,
) -> Result<Option<Change>, EngineError> {
    let before = store.writer.captions_from(image, &source)?;
    let is_same = before
        .iter()
        .eq(captions.iter().map(|caption| &caption.text));
    Ok((!is_same).then_some(Change {
        image,
        source,
        captions,
        before,
    }))
}

impl Change {
    /// The texts that the index does not have from there yet.
    fn new_texts(&self) -> Vec<&str> {
        let before: HashSet<&str> = self.before.iter().map(String::as_str).collect();
        let texts = self.captions.iter().map(|caption| caption.text.as_str());
        texts.filter(|text| !before.contains(text)).collect()
    }
}

fn encode(
    store: &mut Store<'_>,
    encoders: &Encoders,
    changes: Vec<Change>,
) -> Result<ControlFlow<()>, EngineError> {
    let began = Instant::now();
    let n_total: usize = changes.iter().map(|change| change.captions.len()).sum();
    let mut n_done = 0;
    let mut changes = changes.into_iter().peekable();
    while changes.peek().is_some() {
        // Whole changes, as many as make a batch: each is written at once.
        let mut group = Vec::new();
        let mut n_texts = 0;
        while let Some(change) =
            changes.next_if(|change| n_texts == 0 || n_texts + change.captions.len() <= BATCH)
        {
            n_texts += change.captions.len();
            group.push(change);
        }
        let texts: Vec<&str> = group.iter().flat_map(Change::new_texts).collect();
        let mut embeddings = Vec::with_capacity(texts.len());
        for batch in texts.chunks(BATCH) {
            // A list of many captions is one change.
            let n_now = n_done + embeddings.len();
            if !embeddings.is_empty()
                && store
                    .report(Stage::Captions, n_now, n_total, began)
                    .is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
            embeddings.extend(isolate::texts(encoders, batch)?);
        }
        let mut embeddings = embeddings.into_iter();
        for change in group {
            write(store, encoders, change, &mut embeddings)?;
        }
        n_done += n_texts;
        store.commit_if_due()?;
        if store
            .report(Stage::Captions, n_done, n_total, began)
            .is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Writes a change, with the next embeddings for its new texts. In place of a caption that has none
/// stays what the index had there.
fn write(
    store: &mut Store<'_>,
    encoders: &Encoders,
    change: Change,
    embeddings: &mut impl Iterator<Item = Result<Vec<f32>, EngineError>>,
) -> Result<(), EngineError> {
    let Change {
        image,
        source,
        captions,
        before,
    } = change;
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, text) in before.iter().enumerate() {
        places.entry(text).or_default().push(place);
    }
    let texts: HashSet<&str> = captions.iter().map(|caption| &*caption.text).collect();
    let mut kept: HashSet<usize> = HashSet::new();
    let mut after: Vec<(&str, Option<UnitVector>)> = Vec::with_capacity(captions.len());
    // The place in `before` that comes next.
    let mut next = 0;
    for caption in &captions {
        if let Some(places) = places.get(&*caption.text) {
            // Of a text that occurs several times, the occurrence that comes next.
            let nth = places.partition_point(|&place| place < next);
            next = places.get(nth).unwrap_or(&places[0]) + 1;
            after.push((&caption.text, None));
            continue;
        }
        let embedding = embeddings.next().unwrap_or_else(|| Ok(Vec::new()));
        let vector = embedding.and_then(|values| Ok(UnitVector::new(values)?));
        match vector {
            Ok(vector) => {
                if encoders.text().n_tokens_dropped(&caption.text)? > 0 {
                    store.ledger.report.cut_captions.push(source.clone());
                }
                after.push((&caption.text, Some(vector)));
            }
            Err(error) => {
                let reason = error.to_string();
                store.ledger.skipped_caption(&source, caption.line, &reason);
                if let Some(old) = before.get(next)
                    && !texts.contains(old.as_str())
                    && kept.insert(next)
                {
                    after.push((old, None));
                    next += 1;
                }
            }
        }
    }
    if after.iter().map(|(text, _)| *text).eq(&before) {
        return Ok(());
    }
    let known: HashMap<String, UnitVector> = if after.iter().any(|(_, vector)| vector.is_none()) {
        let known = store.writer.caption_vectors_from(image, &source)?;
        known.into_iter().collect()
    } else {
        HashMap::new()
    };
    let mut put = Vec::with_capacity(after.len());
    for (text, vector) in after {
        if let Some(vector) = vector.or_else(|| known.get(text).cloned()) {
            put.push((text.to_owned(), vector));
        }
    }
    store.ledger.report.n_captions_added += put.len();
    store.ledger.report.n_captions_removed += before.len();
    store.writer.set_captions(image, &source, put)?;
    Ok(())
}
