//! Writes down what became of each file: the writer's side of the pipeline.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Instant;

use sightline_index::{FileRecord, IndexWriter, ItemId, UnitVector};

use super::encode::{Finding, Source, encode};
use super::ledger::Ledger;
use super::prepare::{Content, Hash, Prepared, Preparing};
use super::request::IndexRequest;
use super::walk::Candidate;
use crate::engine::EngineError;
use crate::engine::encoder::Lane;
use crate::engine::report::Skipped;

/// The writer and the books.
pub(crate) struct Storing<'a, 'w> {
    pub(crate) request: &'a IndexRequest,
    pub(crate) preparing: &'w Preparing<'w>,
    pub(crate) writer: &'w RwLock<IndexWriter>,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) last_commit: &'a mut Instant,
    /// Files whose content another file of this run is bringing.
    pub(crate) twins: HashMap<Hash, Vec<Candidate>>,
    /// Contents that turned out to be bad, for twins that come later.
    pub(crate) bad: HashMap<Hash, String>,
}

impl Storing<'_, '_> {
    pub(crate) fn take(&mut self, finding: Finding) -> Result<(), EngineError> {
        match finding {
            Finding::Seen(prepared) => self.seen(prepared),
            Finding::Encoded(source, vector) => self.encoded(&source, vector),
            Finding::Failed(error) => Err(error),
        }
    }

    fn encoded(
        &mut self,
        source: &Source,
        vector: Result<UnitVector, String>,
    ) -> Result<(), EngineError> {
        match vector {
            Ok(vector) => self.put(source, vector),
            Err(reason) => {
                self.skip_all(source.hash, &reason)?;
                self.skip(source.candidate.clone(), reason)
            }
        }
    }

    fn seen(&mut self, prepared: Prepared) -> Result<(), EngineError> {
        let Prepared { candidate, content } = prepared;
        match content {
            Content::Known { hash, image } => {
                if self.image_with_hash(&hash)? == Some(image) {
                    return self.link(&candidate, image);
                }
                // It lost its last path in a commit since this file was looked at.
                self.seen(self.preparing.prepare(candidate))
            }
            Content::Twin(hash) => {
                let image = self.image_with_hash(&hash)?;
                match (image, self.bad.get(&hash)) {
                    (Some(image), _) => self.link(&candidate, image),
                    (None, Some(reason)) => self.skip(candidate, reason.clone()),
                    (None, None) => {
                        self.twins.entry(hash).or_default().push(candidate);
                        Ok(())
                    }
                }
            }
            // Only a picture whose image was lost comes here; all others come encoded.
            Content::Fresh {
                hash,
                width,
                height,
                pixels,
                details,
            } => {
                let pictures = std::slice::from_ref(&pixels);
                let mut vectors = encode(self.preparing.encoders, Lane::Whole, pictures)?;
                let source = Source {
                    candidate,
                    hash,
                    width,
                    height,
                    details,
                };
                self.encoded(&source, vectors.swap_remove(0))
            }
            Content::Bad { hash, reason } => {
                if let Some(hash) = hash {
                    self.skip_all(hash, &reason)?;
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

    fn put(&mut self, source: &Source, vector: UnitVector) -> Result<(), EngineError> {
        let Source {
            candidate,
            hash,
            width,
            height,
            details,
        } = source;
        let mut writer = self.writer.write().unwrap_or_else(PoisonError::into_inner);
        let image = writer.put_image(*hash, *width, *height, vector)?;
        writer.set_details(image, details.clone())?;
        writer.put_file(&candidate.path, record(candidate, image))?;
        drop(writer);
        self.ledger.encoded(&candidate.path);
        for twin in self.twins.remove(hash).unwrap_or_default() {
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

    fn skip_all(&mut self, hash: Hash, reason: &str) -> Result<(), EngineError> {
        for twin in self.twins.remove(&hash).unwrap_or_default() {
            self.skip(twin, reason.to_owned())?;
        }
        self.bad.insert(hash, reason.to_owned());
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

    pub(crate) fn commit_if_due(&mut self) -> Result<(), EngineError> {
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
