//! Reads one file and finds out what it is: known content, a new picture, or a bad file. Runs on
//! many threads; nothing is written here.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError, RwLock};

use sightline_index::{Details, IndexWriter, ItemId};
use sightline_onnx::Pixels;
use sightline_picture::{DecodeError, Smallest};

use super::budget::MemoryBudget;
use super::request::IndexRequest;
use super::walk::Candidate;
use crate::engine::picture_file;
use crate::engine::{Encoders, EngineError};

/// BLAKE3 of a file's bytes: what makes two files the same picture.
pub(crate) type Hash = [u8; 32];

/// What a thread found out about one file.
pub(crate) struct Prepared {
    pub(crate) candidate: Candidate,
    pub(crate) content: Content,
}

pub(crate) enum Content {
    /// An image of the index has this content.
    Known { hash: Hash, image: ItemId },
    /// Another file of this run has the same content and is being prepared already.
    Twin(Hash),
    /// A new picture.
    Fresh {
        hash: Hash,
        width: u32,
        height: u32,
        pixels: Pixels,
        /// What its file says about it.
        details: Details,
    },
    /// Not a picture, or one that cannot be decoded.
    Bad { hash: Option<Hash>, reason: String },
    /// What it holds could not be found out this time.
    Unreadable { reason: String },
}

/// A picture made ready for the encoder.
pub(crate) struct Picture {
    /// Of the whole picture in pixels, upright, even if it was decoded at a reduced size.
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Pixels,
}

/// From a file to pixels, within a bound of memory that all threads share.
pub(crate) struct Decoding<'a> {
    request: &'a IndexRequest,
    encoders: &'a Encoders,
    smallest: Smallest,
    /// For the bytes of files. Whoever holds some may wait for the other budget, never the other
    /// way round, so that no two threads wait for each other.
    files: MemoryBudget,
    /// For decoded pictures.
    pictures: MemoryBudget,
}

impl<'a> Decoding<'a> {
    pub(crate) fn new(request: &'a IndexRequest, encoders: &'a Encoders) -> Self {
        let smallest = if request.full_decode {
            Smallest::whole()
        } else {
            encoders.image().smallest()
        };
        // Files are compressed: what is in them takes several times their bytes.
        let for_files = request.memory / 4;
        Self {
            request,
            encoders,
            smallest,
            files: MemoryBudget::new(for_files),
            pictures: MemoryBudget::new(request.memory - for_files),
        }
    }

    /// Reads a file of so many bytes and hands its content on, while its share of memory is held.
    pub(crate) fn read<R>(
        &self,
        path: &Path,
        n_bytes: u64,
        then: impl FnOnce(Vec<u8>) -> R,
    ) -> std::io::Result<R> {
        let _share = self.files.take(n_bytes);
        Ok(then(fs_err::read(path)?))
    }

    /// Reads, decodes and preprocesses a file that someone named; see [`picture_file::read`].
    pub(crate) fn file(&self, path: &Path) -> Result<Picture, EngineError> {
        let limits = &self.request.limits;
        // What is no plain file has no length and is read up to the limit. What is missing fails
        // below, where the error names it.
        let n_bytes = std::fs::metadata(path).map_or(0, |about| {
            if about.is_file() {
                about.len().min(limits.max_bytes)
            } else {
                limits.max_bytes
            }
        });
        let _share = self.files.take(n_bytes);
        let bytes = picture_file::read(path, limits)?;
        self.picture(bytes).map_err(|source| EngineError::Picture {
            path: path.to_path_buf(),
            source,
        })
    }

    /// Decodes and preprocesses; the bytes are dropped as soon as they are decoded.
    pub(crate) fn picture(&self, bytes: Vec<u8>) -> Result<Picture, DecodeError> {
        let _share = self.pictures.take(sightline_picture::memory_needed(&bytes));
        let decoded =
            sightline_picture::decode_reduced(&bytes, &self.request.limits, self.smallest)?;
        drop(bytes);
        Ok(Picture {
            width: decoded.width,
            height: decoded.height,
            pixels: self.encoders.image().prepare(&decoded.image),
        })
    }
}

/// What preparing a file needs to know.
pub(crate) struct Preparing<'a> {
    pub(crate) request: &'a IndexRequest,
    pub(crate) encoders: &'a Encoders,
    pub(crate) decoding: Decoding<'a>,
    pub(crate) writer: &'a RwLock<IndexWriter>,
    /// Contents under preparation, so that of identical files only one is decoded.
    pub(crate) claimed: &'a Mutex<HashSet<Hash>>,
}

impl Preparing<'_> {
    /// Reads, hashes and, if its content is new, decodes and preprocesses one file.
    pub(crate) fn prepare(&self, candidate: Candidate) -> Prepared {
        let max_bytes = self.request.limits.max_bytes;
        let content = if candidate.n_bytes > max_bytes {
            let reason = DecodeError::FileTooLarge { max_bytes }.reason();
            Content::Bad { hash: None, reason }
        } else {
            self.read(&candidate)
                .unwrap_or_else(|error| Content::Unreadable {
                    reason: unreadable(&error),
                })
        };
        Prepared { candidate, content }
    }

    fn read(&self, candidate: &Candidate) -> std::io::Result<Content> {
        let (path, n_bytes) = (&candidate.path, candidate.n_bytes);
        if let Some(error) = picture_file::refused(path)? {
            let reason = error.reason();
            return Ok(Content::Bad { hash: None, reason });
        }
        self.decoding
            .read(path, n_bytes, |bytes| self.content(bytes))
    }

    fn content(&self, bytes: Vec<u8>) -> Content {
        let hash: Hash = *blake3::hash(&bytes).as_bytes();
        let known = self
            .writer
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .image_with_hash(&hash);
        match known {
            Ok(Some(image)) => return Content::Known { hash, image },
            Ok(None) => {}
            Err(error) => {
                let reason = error.to_string();
                return Content::Unreadable { reason };
            }
        }
        let mut claims = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        if !claims.insert(hash) {
            return Content::Twin(hash);
        }
        drop(claims);
        let details = super::metadata::of(&bytes);
        match self.decoding.picture(bytes) {
            Ok(picture) => Content::Fresh {
                hash,
                width: picture.width,
                height: picture.height,
                pixels: picture.pixels,
                details,
            },
            Err(error) => Content::Bad {
                hash: Some(hash),
                reason: error.reason(),
            },
        }
    }
}

/// The cause without the path, which the report shows beside it.
fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => "no permission to read it".to_owned(),
        std::io::ErrorKind::NotFound => "gone before it was read".to_owned(),
        kind => kind.to_string(),
    }
}
