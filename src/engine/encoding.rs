//! Encodes what was prepared and writes it down: the consumer's side of the pipeline.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Instant;

use sightline_index::{FileRecord, IndexWriter, ItemId, UnitVector};
use sightline_onnx::Pixels;

use super::ingest::IndexRequest;
use super::ledger::Ledger;
use super::prepare::{Content, Hash, Prepared, prepare};
use super::report::Skipped;
use super::walk::Candidate;
use super::{Encoders, EngineError};

/// A picture that waits to be encoded.
struct Ready {
    candidate: Candidate,
    hash: Hash,
    width: u32,
    height: u32,
    pixels: Pixels,
}

#[derive(Default)]
pub(super) struct Batch {
    ready: Vec<Ready>,
    /// Files whose content another file of this run is bringing.
    twins: HashMap<Hash, Vec<Candidate>>,
    /// Contents that turned out to be bad, for twins that come later.
    bad: HashMap<Hash, String>,
}

/// The consumer's side of the pipeline: the encoder, the writer and the books.
pub(super) struct Encoding<'a, 'w> {
    pub(super) request: &'a IndexRequest,
    pub(super) encoders: &'a Encoders,
    pub(super) writer: &'w RwLock<IndexWriter>,
    pub(super) claimed: &'w Mutex<HashSet<Hash>>,
    pub(super) ledger: &'a mut Ledger,
    pub(super) last_commit: &'a mut Instant,
}

impl Encoding<'_, '_> {
    pub(super) fn take(
        &mut self,
        prepared: Prepared,
        batch: &mut Batch,
    ) -> Result<(), EngineError> {
        let Prepared { candidate, content } = prepared;
        match content {
            Content::Known { hash, image } => {
                if self.image_with_hash(&hash)? == Some(image) {
                    return self.link(&candidate, image);
                }
                // It lost its last path in a commit since this file was looked at.
                let Self {
                    request,
                    encoders,
                    writer,
                    claimed,
                    ..
                } = *self;
                self.take(
                    prepare(candidate, request, encoders, writer, claimed),
                    batch,
                )
            }
            Content::Twin(hash) => {
                let image = self.image_with_hash(&hash)?;
                match (image, batch.bad.get(&hash)) {
                    (Some(image), _) => self.link(&candidate, image),
                    (None, Some(reason)) => self.skip(candidate, reason.clone()),
                    (None, None) => {
                        batch.twins.entry(hash).or_default().push(candidate);
                        Ok(())
                    }
                }
            }
            Content::Fresh {
                hash,
                width,
                height,
                pixels,
            } => {
                batch.ready.push(Ready {
                    candidate,
                    hash,
                    width,
                    height,
                    pixels,
                });
                Ok(())
            }
            Content::Bad { hash, reason } => {
                if let Some(hash) = hash {
                    self.skip_all(batch, hash, &reason)?;
                }
                self.skip(candidate, reason)
            }
            // What cannot be seen is not gone: what the index held under its path stays.
            Content::Unreadable { reason } => {
                self.ledger.skipped(Skipped {
                    path: candidate.path,
                    reason,
                });
                Ok(())
            }
        }
    }

    /// Encodes when a batch is full, or when nothing else is coming just now.
    pub(super) fn flush_if_due(
        &mut self,
        batch: &mut Batch,
        idle: bool,
    ) -> Result<(), EngineError> {
        let due = batch.ready.len() >= self.request.batch_size || idle;
        if due { self.flush(batch) } else { Ok(()) }
    }

    /// Encodes what is ready. When a batch fails it is tried one by one, so that one picture the
    /// model chokes on does not take its neighbours along.
    pub(super) fn flush(&mut self, batch: &mut Batch) -> Result<(), EngineError> {
        if batch.ready.is_empty() {
            return Ok(());
        }
        let (pixels, rest): (Vec<Pixels>, Vec<_>) = std::mem::take(&mut batch.ready)
            .into_iter()
            .map(|ready| {
                (
                    ready.pixels,
                    (ready.candidate, ready.hash, ready.width, ready.height),
                )
            })
            .unzip();
        let embeddings = match self.encoders.image().encode(&pixels) {
            Ok(embeddings) => embeddings.into_iter().map(Ok).collect(),
            Err(error) if pixels.len() == 1 || error.is_runtime() => return Err(error),
            Err(error) => {
                let one = |pixels| self.encoders.image().encode(std::slice::from_ref(pixels));
                let singly: Vec<_> = pixels.iter().map(one).collect();
                if singly.iter().all(Result::is_err) {
                    return Err(error);
                }
                singly
                    .into_iter()
                    .map(|one| one.map(|mut one| one.swap_remove(0)))
                    .collect::<Vec<_>>()
            }
        };
        for ((candidate, hash, width, height), embedding) in rest.into_iter().zip(embeddings) {
            let vector = embedding
                .map_err(|error| error.to_string())
                .and_then(|e| UnitVector::new(e).map_err(|error| error.to_string()));
            match vector {
                Ok(vector) => self.put(batch, &candidate, hash, (width, height), vector)?,
                Err(reason) => {
                    self.skip_all(batch, hash, &reason)?;
                    self.skip(candidate, reason)?;
                }
            }
        }
        Ok(())
    }

    fn put(
        &mut self,
        batch: &mut Batch,
        candidate: &Candidate,
        hash: Hash,
        (width, height): (u32, u32),
        vector: UnitVector,
    ) -> Result<(), EngineError> {
        let mut writer = self.writer.write().unwrap_or_else(PoisonError::into_inner);
        let image = writer.put_image(hash, width, height, vector)?;
        writer.put_file(&candidate.path, record(candidate, image))?;
        drop(writer);
        self.ledger.encoded(&candidate.path);
        for twin in batch.twins.remove(&hash).unwrap_or_default() {
            self.link(&twin, image)?;
        }
        Ok(())
    }

    fn image_with_hash(&self, hash: &Hash) -> Result<Option<ItemId>, EngineError> {
        Ok(self
            .writer
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .image_with_hash(hash)?)
    }

    /// Gives a file to an image that is there already.
    fn link(&mut self, candidate: &Candidate, image: ItemId) -> Result<(), EngineError> {
        let mut writer = self.writer.write().unwrap_or_else(PoisonError::into_inner);
        writer.put_file(&candidate.path, record(candidate, image))?;
        drop(writer);
        self.ledger.linked(&candidate.path, image);
        Ok(())
    }

    fn skip_all(&mut self, batch: &mut Batch, hash: Hash, reason: &str) -> Result<(), EngineError> {
        for twin in batch.twins.remove(&hash).unwrap_or_default() {
            self.skip(twin, reason.to_owned())?;
        }
        batch.bad.insert(hash, reason.to_owned());
        Ok(())
    }

    /// Reports a bad file. What the index held under its path is of an older content and leaves.
    fn skip(&mut self, candidate: Candidate, reason: String) -> Result<(), EngineError> {
        if self.ledger.was_known(&candidate.path) {
            let mut writer = self.writer.write().unwrap_or_else(PoisonError::into_inner);
            writer.remove_file(&candidate.path)?;
        }
        self.ledger.skipped(Skipped {
            path: candidate.path,
            reason,
        });
        Ok(())
    }

    pub(super) fn commit_if_due(&mut self) -> Result<(), EngineError> {
        let mut writer = self.writer.write().unwrap_or_else(PoisonError::into_inner);
        let n_pending = writer.n_pending();
        let in_time = self.last_commit.elapsed() < self.request.commit_interval;
        if n_pending >= self.request.commit_every || (n_pending > 0 && !in_time) {
            writer.commit()?;
            *self.last_commit = Instant::now();
        }
        Ok(())
    }
}

fn record(candidate: &Candidate, image: ItemId) -> FileRecord {
    FileRecord {
        n_bytes: candidate.n_bytes,
        modified_ns: candidate.modified_ns,
        image,
    }
}
