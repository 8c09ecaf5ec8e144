//! The captions of an index run: sidecars and captions files, encoded where their words changed.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sightline_index::{Caption, IndexReader, Item, ItemId, UnitVector};

use super::caption_files::{self, CaptionSet};
use super::run::Run;
use crate::engine::EngineError;
use crate::engine::report::{Skipped, Stage};

/// Captions encoded at once.
const BATCH: usize = 32;

/// The captions that one file gives one image (or none), to be written over those it gave before.
struct Change {
    image: Option<ItemId>,
    source: PathBuf,
    captions: Vec<String>,
    n_before: usize,
}

/// Captions in their order, by the file that they came from.
fn by_source(captions: Vec<Caption>) -> BTreeMap<PathBuf, Vec<String>> {
    let mut texts: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for caption in captions {
        texts.entry(caption.source).or_default().push(caption.text);
    }
    texts
}

impl Run<'_> {
    /// Brings the captions up to date: of `pictures` with a sidecar among `texts`, and of the
    /// captions files.
    pub(crate) fn captions(
        &mut self,
        pictures: &[&Path],
        texts: &HashSet<PathBuf>,
        files: Vec<(PathBuf, Vec<CaptionSet>)>,
    ) -> Result<ControlFlow<()>, EngineError> {
        let mut changes = self.changed_sidecars(pictures, texts)?;
        if let Some(before) = self.before {
            let given: HashSet<&Path> = files.iter().map(|(source, _)| source.as_path()).collect();
            changes.extend(self.taken_over(before, &given)?);
        }
        for (source, sets) in files {
            changes.extend(self.changed_by_file(&source, sets)?);
        }
        self.encode_captions(changes)
    }

    /// Takes away what the texts beside `path` said of `image`, which is not there any more.
    pub(crate) fn drop_sidecar_captions(
        &mut self,
        path: &Path,
        image: ItemId,
    ) -> Result<(), EngineError> {
        for source in caption_files::sidecars_of(path) {
            let n = self.writing().captions_from(Some(image), &source)?.len();
            if n > 0 {
                self.writing()
                    .set_captions(Some(image), &source, Vec::new())?;
                self.ledger.report.n_captions_removed += n;
            }
        }
        Ok(())
    }

    /// The same for files whose content changed: their old image may live on under another path.
    pub(crate) fn drop_captions_of_old_content(&mut self) -> Result<(), EngineError> {
        for (path, before) in self.ledger.take_known() {
            let now = self.writing().file(&path)?.map(|record| record.image);
            if now != Some(before) {
                self.drop_sidecar_captions(&path, before)?;
            }
        }
        Ok(())
    }

    fn changed_sidecars(
        &mut self,
        pictures: &[&Path],
        texts: &HashSet<PathBuf>,
    ) -> Result<Vec<Change>, EngineError> {
        let mut changes = Vec::new();
        for picture in pictures {
            let Some(record) = self.writing().file(picture)? else {
                continue;
            };
            for source in caption_files::sidecars_of(picture) {
                let captions = if texts.contains(&source) {
                    match caption_files::read_sidecar(&source) {
                        Ok(captions) => captions,
                        Err(error) => {
                            let reason = match error {
                                EngineError::NotText { .. } => "not UTF-8 text".to_owned(),
                                error => error.to_string(),
                            };
                            self.ledger.report.skipped.push(Skipped {
                                path: source,
                                reason,
                            });
                            continue;
                        }
                    }
                } else {
                    // Gone, or never there: what it gave before leaves.
                    Vec::new()
                };
                changes.extend(self.change(Some(record.image), source, captions)?);
            }
        }
        Ok(changes)
    }

    fn changed_by_file(
        &mut self,
        source: &Path,
        sets: Vec<CaptionSet>,
    ) -> Result<Vec<Change>, EngineError> {
        // Identical pictures are one image, so several lines may speak of the same one.
        let mut wanted: BTreeMap<Option<ItemId>, Vec<String>> = BTreeMap::new();
        for CaptionSet { image, captions } in sets {
            let owner = match &image {
                None => None,
                Some(picture) => {
                    let path = fs_err::canonicalize(picture).unwrap_or_else(|_| picture.clone());
                    let Some(record) = self.writing().file(&path)? else {
                        let source = source.display();
                        let reason = format!("has captions in {source} but is not in the index");
                        self.ledger.report.skipped.push(Skipped { path, reason });
                        continue;
                    };
                    Some(record.image)
                }
            };
            let of_owner = wanted.entry(owner).or_default();
            for caption in captions {
                if !of_owner.contains(&caption) {
                    of_owner.push(caption);
                }
            }
        }
        let mut changes = Vec::new();
        for owner in self.writing().caption_owners(source)? {
            wanted.entry(owner).or_default();
        }
        for (owner, captions) in wanted {
            changes.extend(self.change(owner, source.to_path_buf(), captions)?);
        }
        Ok(changes)
    }

    /// The texts that `before` has from captions files, for its images that are here too. Sidecars
    /// were read again, and so will be the files that are `given`.
    fn taken_over(
        &mut self,
        before: &IndexReader,
        given: &HashSet<&Path>,
    ) -> Result<Vec<Change>, EngineError> {
        let mut changes = Vec::new();
        let alone = by_source(before.captions_alone()?);
        for (source, captions) in alone {
            if !given.contains(source.as_path()) {
                changes.extend(self.change(None, source, captions)?);
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
            let Some(here) = self.writing().image_with_hash(&image.content_hash)? else {
                continue;
            };
            let sidecars: HashSet<PathBuf> = image
                .paths
                .iter()
                .flat_map(|path| caption_files::sidecars_of(path))
                .collect();
            for (source, captions) in by_source(before.captions_of(record.image)?) {
                if !sidecars.contains(&source) && !given.contains(source.as_path()) {
                    changes.extend(self.change(Some(here), source, captions)?);
                }
            }
        }
        Ok(changes)
    }

    /// `None` when the index has just these captions from there.
    fn change(
        &mut self,
        image: Option<ItemId>,
        source: PathBuf,
        captions: Vec<String>,
    ) -> Result<Option<Change>, EngineError> {
        let before = self.writing().captions_from(image, &source)?;
        let n_before = before.len();
        Ok((before != captions).then_some(Change {
            image,
            source,
            captions,
            n_before,
        }))
    }

    fn encode_captions(&mut self, changes: Vec<Change>) -> Result<ControlFlow<()>, EngineError> {
        let began = Instant::now();
        let n_total: usize = changes.iter().map(|change| change.captions.len()).sum();
        let mut n_done = 0;
        let mut changes = changes.into_iter().peekable();
        while changes.peek().is_some() {
            // Whole changes, as many as make a batch: each is written all at once.
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
            // Beside the encoding itself, counting the tokens once more costs next to nothing.
            for change in &group {
                for caption in &change.captions {
                    if self.encoders.text().n_tokens_dropped(caption)? > 0 {
                        self.ledger.report.cut_captions.push(change.source.clone());
                    }
                }
            }
            let mut vectors = Vec::with_capacity(texts.len());
            for batch in texts.chunks(BATCH) {
                vectors.extend(self.encoders.text().encode(batch)?);
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
                self.writing().set_captions(image, &source, put)?;
                self.ledger.report.n_captions_added += n;
                self.ledger.report.n_captions_removed += n_before;
            }
            n_done += n_texts;
            self.commit_if_due()?;
            if self
                .tell(Stage::Captions, n_done, n_total, began)
                .is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
