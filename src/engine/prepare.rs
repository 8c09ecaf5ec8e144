//! Reads one file and finds out what it is: known content, a new picture, or a bad file. Runs on
//! many threads; nothing is written here.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError, RwLock};

use sightline_index::{IndexWriter, ItemId};
use sightline_onnx::Pixels;
use sightline_onnx::picture;

use super::Encoders;
use super::ingest::IndexRequest;
use super::walk::Candidate;

/// BLAKE3 of a file's bytes: what makes two files the same picture.
pub(super) type Hash = [u8; 32];

/// What a thread found out about one file.
pub(super) struct Prepared {
    pub(super) candidate: Candidate,
    pub(super) content: Content,
}

pub(super) enum Content {
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
    },
    /// Not a picture, or one that cannot be decoded.
    Bad { hash: Option<Hash>, reason: String },
    /// What it holds could not be found out this time.
    Unreadable { reason: String },
}

/// Reads, hashes and, if its content is new, decodes and preprocesses one file. Runs on many
/// threads.
pub(super) fn prepare(
    candidate: Candidate,
    request: &IndexRequest,
    encoders: &Encoders,
    writer: &RwLock<IndexWriter>,
    claimed: &Mutex<HashSet<Hash>>,
) -> Prepared {
    let bad = |hash, reason| Content::Bad { hash, reason };
    let content = 'content: {
        if candidate.n_bytes > request.limits.max_bytes {
            let reason = format!("larger than {} MB", request.limits.max_bytes / 1_000_000);
            break 'content bad(None, reason);
        }
        let bytes = match fs_err::read(&candidate.path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let reason = unreadable(&error);
                break 'content Content::Unreadable { reason };
            }
        };
        let hash: Hash = *blake3::hash(&bytes).as_bytes();
        let known = writer
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .image_with_hash(&hash);
        match known {
            Ok(Some(image)) => break 'content Content::Known { hash, image },
            Ok(None) => {}
            Err(error) => {
                let reason = error.to_string();
                break 'content Content::Unreadable { reason };
            }
        }
        let mut claims = claimed.lock().unwrap_or_else(PoisonError::into_inner);
        if !claims.insert(hash) {
            break 'content Content::Twin(hash);
        }
        drop(claims);
        match picture::decode(&bytes, &request.limits) {
            Ok(picture) => Content::Fresh {
                hash,
                width: picture.width(),
                height: picture.height(),
                pixels: encoders.image().prepare(&picture),
            },
            Err(error) => bad(Some(hash), error.to_string()),
        }
    };
    Prepared { candidate, content }
}

/// The cause without the path, which the report shows beside it.
fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => "no permission to read it".to_owned(),
        std::io::ErrorKind::NotFound => "gone before it was read".to_owned(),
        kind => kind.to_string(),
    }
}
