//! Reads one file and finds out what it is: known content, a new picture, or a bad file. Runs on
//! many threads; nothing is written here.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError, RwLock};

use sightline_index::{Details, IndexWriter, ItemId};
use sightline_onnx::Pixels;
use sightline_picture::DecodeError;

use super::walk::Candidate;
use crate::engine::Encoders;
use crate::engine::decode::{self, Decoding};

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

/// What preparing a file needs to know.
pub(crate) struct Preparing<'a> {
    pub(crate) encoders: &'a Encoders,
    pub(crate) decoding: Decoding<'a>,
    pub(crate) writer: &'a RwLock<IndexWriter>,
    /// Contents under preparation, so that of identical files only one is decoded.
    pub(crate) claimed: &'a Mutex<HashSet<Hash>>,
}

impl Preparing<'_> {
    /// Reads, hashes and, if its content is new, decodes and preprocesses one file.
    pub(crate) fn prepare(&self, candidate: Candidate) -> Prepared {
        let max_bytes = self.decoding.max_bytes();
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
        if let Some(error) = decode::unsupported(path)? {
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
