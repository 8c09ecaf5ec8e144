//! Encodes and writes changed lists of captions. Only new texts are encoded, equal ones once, and
//! all is committed from time to time, however long a list is.
//!
//! In memory are the texts of at most [`MAX_WAITING`] captions or of one list, and the vectors of
//! what is not committed.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sightline_index::{ItemId, UnitVector};

use super::caption_file::CaptionText;
use super::store::{self, Store};
use crate::engine::report::Stage;
use crate::engine::{Encoders, EngineError, LanguageHint, isolate};

/// Captions per batch of the encoder.
const BATCH: usize = 32;

/// Captions of changed lists that are gathered before they are encoded.
const MAX_WAITING: usize = 10_000;

/// Captions that are removed or moved between two commits.
const STEP: usize = 10_000;

/// Vectors that are kept for further captions with the same texts.
const MAX_READY: usize = 4_096;

/// The captions that one file gives one image (or none), to replace those it gave before.
struct Change {
    image: Option<ItemId>,
    source: PathBuf,
    captions: Vec<CaptionText>,
    before: Vec<String>,
    /// Texts that are encoded even if the index has them.
    renewed: HashSet<String>,
}

/// The changed lists of captions of a run.
pub(crate) struct Changes<'s, 'a> {
    pub(crate) store: &'s mut Store<'a>,
    encoders: &'s Encoders,
    hint: LanguageHint,
    began: Instant,
    waiting: Vec<Change>,
    /// Captions of the lists that wait.
    n_waiting: usize,
    /// Captions of the lists that are written.
    n_done: usize,
    /// Captions that have not been compared yet; those of a file that was not read count as one.
    n_ahead: usize,
}

impl<'s, 'a> Changes<'s, 'a> {
    pub(crate) fn new(store: &'s mut Store<'a>, encoders: &'s Encoders) -> Self {
        let hint = LanguageHint::of_index(store.writer.language(), None);
        Self {
            store,
            encoders,
            hint,
            began: Instant::now(),
            waiting: Vec::new(),
            n_waiting: 0,
            n_done: 0,
            n_ahead: 0,
        }
    }

    /// Announces `n` captions to come, for the progress.
    pub(crate) fn expect(&mut self, n: usize) {
        self.n_ahead += n;
    }

    /// `n` of the announced captions have been compared.
    pub(crate) fn compared(&mut self, n: usize) {
        self.n_ahead = self.n_ahead.saturating_sub(n);
    }

    /// Sets the captions that `source` gives `image` (or none), at the latest with
    /// [`write`](Self::write). Breaks when the run was stopped.
    pub(crate) fn set(
        &mut self,
        image: Option<ItemId>,
        source: &Path,
        captions: &[impl Borrow<CaptionText>],
    ) -> Result<ControlFlow<()>, EngineError> {
        let before = self.store.writer.captions_from(image, source)?;
        let texts = captions.iter().map(|caption| &caption.borrow().text);
        if before.iter().eq(texts) {
            return Ok(ControlFlow::Continue(()));
        }
        let change = Change {
            image,
            source: source.to_path_buf(),
            captions: captions.iter().map(|one| one.borrow().clone()).collect(),
            before,
            renewed: HashSet::new(),
        };
        self.wait(change)
    }

    /// Encodes those captions that `source` gives `image` (or none) again whose text tower is
    /// chosen by the usual language, at the latest with [`write`](Self::write). Breaks when the run
    /// was stopped.
    pub(crate) fn renew(
        &mut self,
        image: Option<ItemId>,
        source: &Path,
    ) -> Result<ControlFlow<()>, EngineError> {
        let before = self.store.writer.captions_from(image, source)?;
        let mut renewed = HashSet::new();
        for text in &before {
            if self.encoders.goes_by_usual_language(text)? {
                renewed.insert(text.clone());
            }
        }
        if renewed.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let captions = before.iter().map(|text| CaptionText {
            text: text.clone(),
            at: None,
        });
        self.wait(Change {
            image,
            source: source.to_path_buf(),
            captions: captions.collect(),
            before,
            renewed,
        })
    }

    /// Writes a change with others. Breaks when the run was stopped.
    fn wait(&mut self, change: Change) -> Result<ControlFlow<()>, EngineError> {
        self.n_waiting += change.n_counted();
        self.waiting.push(change);
        if self.n_waiting < MAX_WAITING {
            return Ok(ControlFlow::Continue(()));
        }
        self.write()
    }

    /// Encodes and writes the lists that wait. Breaks when the run was stopped.
    pub(crate) fn write(&mut self) -> Result<ControlFlow<()>, EngineError> {
        let changes = std::mem::take(&mut self.waiting);
        let mut texts = Texts::new(self.encoders, self.hint, &changes);
        for change in &changes {
            if self.write_one(change, &mut texts)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            self.n_done += change.n_counted();
            self.n_waiting = self.n_waiting.saturating_sub(change.n_counted());
            self.store.commit_if_due()?;
            let (n_done, n_total) = (self.n_done, self.n_total());
            let began = self.began;
            if self
                .store
                .report(Stage::Captions, n_done, n_total, began)
                .is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Writes a list. In place of a caption that cannot be encoded stays what the index had there.
    fn write_one<'c>(
        &mut self,
        change: &'c Change,
        texts: &mut Texts<'c>,
    ) -> Result<ControlFlow<()>, EngineError> {
        let Change {
            image,
            source,
            captions,
            before,
            renewed,
        } = change;
        let (n_done, n_total, began) = (self.n_done, self.n_total(), self.began);
        let Store {
            writer,
            ledger,
            commits,
            progress,
        } = &mut *self.store;
        let mut revision = writer.revise_captions(*image, source)?;
        let wanted: HashSet<&str> = captions.iter().map(|caption| &*caption.text).collect();
        let mut places = Places::new(before);
        for (number, CaptionText { text, at }) in captions.iter().enumerate() {
            if !renewed.contains(text) && revision.keep(text) {
                places.pass(text);
                continue;
            }
            if !texts.is_ready(text) {
                let mut go_on = store::building(progress, ledger.report.skipped.len());
                let built = commits.commit_if_due(revision.writer(), &mut go_on)?;
                drop(go_on);
                let counts = (n_done + number, n_total);
                let flow = store::report(progress, ledger, Stage::Captions, counts, began);
                if built.is_break() || flow.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            match texts.vector(text)? {
                Ok(vector) => {
                    let tower = self.encoders.text(text, self.hint)?;
                    if tower.n_tokens_dropped(text)? > 0 {
                        ledger.report.cut_captions.push(source.clone());
                    }
                    revision.add(text.clone(), vector)?;
                    ledger.report.n_captions_added += 1;
                }
                Err(reason) => {
                    ledger.skipped_caption(source, *at, reason);
                    if renewed.contains(text) {
                        revision.keep(text);
                    } else if let Some(old) = before.get(places.next)
                        && !wanted.contains(old.as_str())
                        && revision.keep(old)
                    {
                        places.next += 1;
                    }
                }
            }
        }
        ledger.report.n_captions_removed += revision.n_left();
        while revision.settle(STEP)? {
            revision.writer().checkpoint()?;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn n_total(&self) -> usize {
        self.n_done + self.n_waiting + self.n_ahead
    }
}

impl Change {
    /// Its captions, as the progress counts them. An emptied list is work too.
    fn n_counted(&self) -> usize {
        self.captions.len().max(1)
    }

    /// The texts that the index does not have from there yet.
    fn new_texts(&self) -> impl Iterator<Item = &str> {
        let mut n_known: HashMap<&str, usize> = HashMap::new();
        let kept = self.before.iter();
        for text in kept.filter(|text| !self.renewed.contains(*text)) {
            *n_known.entry(text).or_default() += 1;
        }
        let texts = self.captions.iter().map(|caption| caption.text.as_str());
        texts.filter(move |text| match n_known.get_mut(text) {
            Some(n) if *n > 0 => {
                *n -= 1;
                false
            }
            _ => true,
        })
    }
}

/// Places in the old list.
struct Places<'c> {
    of: HashMap<&'c str, Vec<usize>>,
    /// The place after the text that was passed last.
    next: usize,
}

impl<'c> Places<'c> {
    fn new(before: &'c [String]) -> Self {
        let mut of: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, text) in before.iter().enumerate() {
            of.entry(text).or_default().push(place);
        }
        Self { of, next: 0 }
    }

    /// Goes on behind a text; of several equal ones, behind the next.
    fn pass(&mut self, text: &str) {
        if let Some(places) = self.of.get(text) {
            let nth = places.partition_point(|&place| place < self.next);
            self.next = places.get(nth).or(places.first()).map_or(0, |at| at + 1);
        }
    }
}

/// The new texts of some changes, which are encoded in batches when the first of them is needed.
struct Texts<'c> {
    encoders: &'c Encoders,
    hint: LanguageHint,
    waiting: std::vec::IntoIter<&'c str>,
    /// Vectors, or why a text has none.
    ready: HashMap<&'c str, Result<UnitVector, String>>,
}

impl<'c> Texts<'c> {
    fn new(encoders: &'c Encoders, hint: LanguageHint, changes: &'c [Change]) -> Self {
        let texts: Vec<&str> = changes.iter().flat_map(Change::new_texts).collect();
        Self {
            encoders,
            hint,
            waiting: texts.into_iter(),
            ready: HashMap::new(),
        }
    }

    fn is_ready(&self, text: &str) -> bool {
        self.ready.contains_key(text)
    }

    /// The vector of a text, or why it has none. Texts are needed in the order of the changes.
    fn vector(&mut self, text: &'c str) -> Result<&Result<UnitVector, String>, EngineError> {
        if !self.is_ready(text) {
            // All that were encoded before were needed before.
            if self.ready.len() >= MAX_READY {
                self.ready.clear();
            }
            let mut batch = vec![text];
            let mut seen = HashSet::from([text]);
            while batch.len() < BATCH
                && let Some(next) = self.waiting.next()
            {
                if !self.is_ready(next) && seen.insert(next) {
                    batch.push(next);
                }
            }
            let embeddings = isolate::texts(self.encoders, &batch, self.hint)?;
            for (text, embedding) in batch.into_iter().zip(embeddings) {
                let vector = embedding.and_then(|values| Ok(UnitVector::new(values)?));
                let vector = vector.map_err(|error| error.to_string());
                self.ready.insert(text, vector);
            }
        }
        let missing = || Err("the model returned no embedding for it".to_owned());
        Ok(self.ready.entry(text).or_insert_with(missing))
    }
}
