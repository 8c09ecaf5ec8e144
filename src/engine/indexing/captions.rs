//! Captions: sidecars (`photo.txt` beside `photo.jpg`) and captions files are read, and encoded
//! where they changed.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Deserialize;
use sightline_index::{Caption, IndexReader, IndexWriter, Item, ItemId, UnitVector};

use super::store::Store;
use crate::engine::error::LineError;
use crate::engine::report::{Skipped, Stage};
use crate::engine::{Encoders, EngineError};

/// Captions per batch.
const BATCH: usize = 32;

/// Form of a line of a captions file or data set.
const LINE_FORM: &str = r#"{"image": "relative/path.jpg", "captions": ["…"]}"#;

/// Captions that a file gives one picture, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaptionSet {
    /// The picture's path as written, joined to the file's folder; `None` in a plain text list.
    pub(crate) image: Option<PathBuf>,
    /// Trimmed, in order, without empty ones.
    pub(crate) captions: Vec<String>,
}

#[derive(Deserialize)]
struct DatasetLine {
    image: PathBuf,
    captions: Vec<String>,
}

/// Reads a captions file: JSON lines when its first line that is not blank starts with `{`,
/// otherwise plain text with one caption per line, which belong to no picture.
pub(crate) fn read_file(path: &Path) -> Result<Vec<CaptionSet>, EngineError> {
    let text = read_text(path)?;
    if text.trim_start().starts_with('{') {
        return parse_lines(path, &text);
    }
    Ok(vec![CaptionSet {
        image: None,
        captions: captions_of_text(&text),
    }])
}

/// Reads a captions file of JSON lines, the form of data sets.
pub(crate) fn read_json_lines(path: &Path) -> Result<Vec<CaptionSet>, EngineError> {
    parse_lines(path, &read_text(path)?)
}

/// Reads a sidecar: one caption per line.
fn read_sidecar(path: &Path) -> Result<Vec<String>, EngineError> {
    Ok(captions_of_text(&read_text(path)?))
}

/// The paths that a picture's sidecar may have: `photo.txt` and `photo.jpg.txt`.
pub(crate) fn sidecars_of(picture: &Path) -> [PathBuf; 2] {
    let mut appended = picture.as_os_str().to_owned();
    appended.push(".txt");
    [picture.with_extension("txt"), PathBuf::from(appended)]
}

fn read_text(path: &Path) -> Result<String, EngineError> {
    let bytes = fs_err::read(path)?;
    let text = String::from_utf8(bytes).map_err(|_| EngineError::NotText {
        path: path.to_path_buf(),
    })?;
    // Editors on Windows begin UTF-8 files with a byte order mark.
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}

fn captions_of_text(text: &str) -> Vec<String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

fn parse_lines(path: &Path, text: &str) -> Result<Vec<CaptionSet>, EngineError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut sets = Vec::new();
    for (number, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let line: DatasetLine =
            serde_json::from_str(line).map_err(|error| EngineError::BadLine {
                path: path.to_path_buf(),
                line: number + 1,
                form: LINE_FORM,
                source: LineError(error),
            })?;
        let captions = line
            .captions
            .iter()
            .flat_map(|text| captions_of_text(text))
            .collect();
        sets.push(CaptionSet {
            image: Some(folder.join(line.image)),
            captions,
        });
    }
    Ok(sets)
}

/// The captions that one file gives one image (or none), to replace those it gave before.
struct Change {
    image: Option<ItemId>,
    source: PathBuf,
    captions: Vec<String>,
    n_before: usize,
}

/// Brings the captions up to date: those of `pictures` that have a sidecar among `texts`, and those
/// of captions `files`. When the model is changed, `before` is the index of the old model. Breaks
/// when the run was stopped.
pub(crate) fn update(
    store: &mut Store<'_>,
    encoders: &Encoders,
    before: Option<&IndexReader>,
    pictures: &[&Path],
    texts: &HashSet<PathBuf>,
    files: &[(PathBuf, Vec<CaptionSet>)],
) -> Result<ControlFlow<()>, EngineError> {
    let mut changes = changes_by_sidecars(store, pictures, texts)?;
    if let Some(before) = before {
        let given = files.iter().map(|(source, _)| source.as_path()).collect();
        changes.extend(changes_by_old_index(store, before, &given)?);
    }
    for (source, sets) in files {
        changes.extend(changes_by_file(store, source, sets)?);
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
    for source in sidecars_of(path) {
        let n = writer.captions_from(Some(image), &source)?.len();
        if n > 0 {
            writer.set_captions(Some(image), &source, Vec::new())?;
            n_removed += n;
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
    pictures: &[&Path],
    texts: &HashSet<PathBuf>,
) -> Result<Vec<Change>, EngineError> {
    let mut changes = Vec::new();
    for picture in pictures {
        let Some(record) = store.writer.file(picture)? else {
            continue;
        };
        for source in sidecars_of(picture) {
            let captions = if texts.contains(&source) {
                match read_sidecar(&source) {
                    Ok(captions) => captions,
                    Err(error) => {
                        let reason = match error {
                            EngineError::NotText { .. } => "not UTF-8 text".to_owned(),
                            error => error.to_string(),
                        };
                        store.ledger.report.skipped.push(Skipped {
                            path: source,
                            reason,
                        });
                        continue;
                    }
                }
            } else {
                // Deleted, or never there: the captions it gave before are removed.
                Vec::new()
            };
            changes.extend(change(store, Some(record.image), source, captions)?);
        }
    }
    Ok(changes)
}

fn changes_by_file(
    store: &mut Store<'_>,
    source: &Path,
    sets: &[CaptionSet],
) -> Result<Vec<Change>, EngineError> {
    // Identical pictures are one image, so that several lines may be about the same one.
    let mut wanted: BTreeMap<Option<ItemId>, Vec<String>> = BTreeMap::new();
    for CaptionSet { image, captions } in sets {
        let owner = match image {
            None => None,
            Some(picture) => {
                let path = fs_err::canonicalize(picture).unwrap_or_else(|_| picture.clone());
                let Some(record) = store.writer.file(&path)? else {
                    let source = source.display();
                    let reason = format!("has captions in {source} but is not in the index");
                    store.ledger.report.skipped.push(Skipped { path, reason });
                    continue;
                };
                Some(record.image)
            }
        };
        let of_owner = wanted.entry(owner).or_default();
        for caption in captions {
            if !of_owner.contains(caption) {
                of_owner.push(caption.clone());
            }
        }
    }
    for owner in store.writer.caption_owners(source)? {
        wanted.entry(owner).or_default();
    }
    let mut changes = Vec::new();
    for (owner, captions) in wanted {
        changes.extend(change(store, owner, source.to_path_buf(), captions)?);
    }
    Ok(changes)
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
        let sidecars: HashSet<PathBuf> = image
            .paths
            .iter()
            .flat_map(|path| sidecars_of(path))
            .collect();
        for (source, captions) in by_source(before.captions_of(record.image)?) {
            if !sidecars.contains(&source) && !given.contains(source.as_path()) {
                changes.extend(change(store, Some(here), source, captions)?);
            }
        }
    }
    Ok(changes)
}

/// Captions in their order, grouped by the file that they came from.
fn by_source(captions: Vec<Caption>) -> BTreeMap<PathBuf, Vec<String>> {
    let mut texts: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for caption in captions {
        texts.entry(caption.source).or_default().push(caption.text);
    }
    texts
}

/// `None` when the index has exactly these captions from there.
fn change(
    store: &Store<'_>,
    image: Option<ItemId>,
    source: PathBuf,
    captions: Vec<String>,
) -> Result<Option<Change>, EngineError> {
    let before = store.writer.captions_from(image, &source)?;
    let n_before = before.len();
    Ok((before != captions).then_some(Change {
        image,
        source,
        captions,
        n_before,
    }))
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
        let texts: Vec<&str> = group
            .iter()
            .flat_map(|change| &change.captions)
            .map(String::as_str)
            .collect();
        // Counting the tokens again costs little beside encoding.
        for change in &group {
            for caption in &change.captions {
                if encoders.text().n_tokens_dropped(caption)? > 0 {
                    let source = change.source.clone();
                    store.ledger.report.cut_captions.push(source);
                }
            }
        }
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in texts.chunks(BATCH) {
            vectors.extend(encoders.text().encode(batch)?);
        }
        let mut vectors = vectors.into_iter();
        for Change {
            image,
            source,
            captions,
            n_before,
        } in group
        {
            let n = captions.len();
            let mut put = Vec::with_capacity(n);
            for (caption, vector) in captions.into_iter().zip(vectors.by_ref()) {
                put.push((caption, UnitVector::new(vector)?));
            }
            store.writer.set_captions(image, &source, put)?;
            store.ledger.report.n_captions_added += n;
            store.ledger.report.n_captions_removed += n_before;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs_err::write(&path, bytes).unwrap();
        (folder, path)
    }

    #[test]
    fn images_in_json_lines_are_relative_to_the_file() {
        let (folder, path) = written(
            "c.jsonl",
            b"\n{\"image\": \"a/b.jpg\", \"captions\": [\" one \", \"\", \"two\"]}\n",
        );
        let expected = CaptionSet {
            image: Some(folder.path().join("a/b.jpg")),
            captions: vec!["one".into(), "two".into()],
        };
        assert_eq!(read_file(&path).unwrap(), [expected]);
    }

    #[test]
    fn plain_text_is_a_list_of_captions_without_pictures() {
        let (_folder, path) = written("c.txt", "\u{feff}a red boat\r\n\n  a dog  \n".as_bytes());
        let expected = CaptionSet {
            image: None,
            captions: vec!["a red boat".into(), "a dog".into()],
        };
        assert_eq!(read_file(&path).unwrap(), [expected]);
    }

    #[test]
    fn a_bad_line_is_named_by_file_and_number() {
        let (_folder, path) = written(
            "c.jsonl",
            b"{\"image\": \"a.jpg\", \"captions\": []}\n{\"picture\": 1}\n",
        );
        let message = read_file(&path).unwrap_err().to_string();
        assert!(message.contains("c.jsonl: line 2: expected"), "{message}");
    }

    #[test]
    fn a_captions_file_must_be_utf8() {
        let (_folder, path) = written("c.txt", b"caf\xe9\n");
        assert!(matches!(read_file(&path), Err(EngineError::NotText { .. })));
    }

    #[test]
    fn a_sidecar_replaces_the_extension_or_follows_it() {
        let names = sidecars_of(Path::new("/p/a.b.jpg"));
        assert_eq!(
            names,
            [PathBuf::from("/p/a.b.txt"), PathBuf::from("/p/a.b.jpg.txt")]
        );
    }
}
