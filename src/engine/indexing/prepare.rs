//! Reads one file and finds out what it is: a known image, a new one, or nothing usable. Runs on
//! many threads and writes nothing.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError, RwLock};

use sightline_index::{Details, IndexWriter, ItemId};
use sightline_onnx::Pixels;
use sightline_picture::DecodeError;

use super::metadata;
use super::walk::Candidate;
use crate::engine::decode::{self, Decoding};

/// BLAKE3 of a file's bytes. Files with the same hash are one image.
pub(crate) type Hash = [u8; 32];

/// An image that is not in the index yet: its file, and what is stored of it beside its vector.
pub(crate) struct NewImage {
    pub(crate) file: Candidate,
    pub(crate) hash: Hash,
    /// Width in pixels, upright.
    pub(crate) width: u32,
    /// Height in pixels, upright.
    pub(crate) height: u32,
    pub(crate) details: Details,
}

/// What a file turned out to be. `T` is what was made of a new image so far: its pixels, or its
/// vector.
pub(crate) enum Prepared<T> {
    New(NewImage, T),
    Other(Candidate, Content),
}

/// The content of a file that needs no encoding.
pub(crate) enum Content {
    /// That of an image of the index; with its metadata if they were asked for.
    Known(ItemId, Option<Details>),
    /// That of another file of this run, which is being prepared.
    Twin(Hash),
    /// Not a picture, or one that cannot be decoded or encoded.
    Bad { hash: Option<Hash>, reason: String },
    /// Unknown: the file could not be read this time.
    Unreadable { reason: String },
}

/// Prepares files; shared by all threads of a run.
pub(crate) struct Preparing<'a, 'w> {
    decoding: Decoding<'a>,
    writer: &'a RwLock<&'w mut IndexWriter>,
    /// Contents met in this run, so that of identical files only one is decoded.
    claimed: Mutex<HashSet<Hash>>,
    /// Whether the metadata of known images are read again.
    reread: bool,
}

impl<'a, 'w> Preparing<'a, 'w> {
    pub(crate) fn new(
        decoding: Decoding<'a>,
        writer: &'a RwLock<&'w mut IndexWriter>,
        reread: bool,
    ) -> Self {
        Self {
            decoding,
            writer,
            claimed: Mutex::default(),
            reread,
        }
    }

    /// Reads, hashes and, if its content is new, decodes and preprocesses one file.
    pub(crate) fn prepare(&self, file: Candidate) -> Prepared<Pixels> {
        match self.read(&file) {
            Ok((image, pixels)) => Prepared::New(image, pixels),
            Err(content) => Prepared::Other(file, content),
        }
    }

    fn read(&self, file: &Candidate) -> Result<(NewImage, Pixels), Content> {
        let refused = |error: DecodeError| Content::Bad {
            hash: None,
            reason: error.reason(),
        };
        let max_bytes = self.decoding.decoder().max_bytes();
        if file.n_bytes > max_bytes {
            return Err(refused(DecodeError::FileTooLarge { max_bytes }));
        }
        let unreadable = |error: std::io::Error| Content::Unreadable {
            reason: io_reason(&error),
        };
        if let Some(error) = decode::unsupported(&file.path).map_err(unreadable)? {
            return Err(refused(error));
        }
        self.decoding
            .decoder()
            .read(&file.path, file.n_bytes, |bytes| self.decode(file, bytes))
            .map_err(unreadable)?
    }

    fn decode(&self, file: &Candidate, bytes: Vec<u8>) -> Result<(NewImage, Pixels), Content> {
        let hash: Hash = *blake3::hash(&bytes).as_bytes();
        let known = self
            .writer
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .image_with_hash(&hash);
        match known {
            Ok(Some(image)) => {
                let details = self.reread.then(|| metadata::of(&bytes));
                return Err(Content::Known(image, details));
            }
            Ok(None) => {}
            Err(error) => {
                let reason = error.to_string();
                return Err(Content::Unreadable { reason });
            }
        }
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        if !claimed.insert(hash) {
            return Err(Content::Twin(hash));
        }
        drop(claimed);
        let details = metadata::of(&bytes);
        match self.decoding.picture(bytes) {
            Ok(picture) => {
                let image = NewImage {
                    file: file.clone(),
                    hash,
                    width: picture.width,
                    height: picture.height,
                    details,
                };
                Ok((image, picture.pixels))
            }
            Err(error) => Err(Content::Bad {
                hash: Some(hash),
                reason: error.reason(),
            }),
        }
    }
}

/// The cause alone; the report names the path beside it.
pub(crate) fn io_reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::NotFound => "deleted before it was read".to_owned(),
        kind => kind.to_string(),
    }
}
