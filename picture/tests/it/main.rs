//! The package as its users see it, against what other programs see and against bad input.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

/// Every picture format against what another program sees in the same file.
mod formats;
/// JPEGs at reduced sizes.
mod jpeg;
/// Files that are empty, cut off, mislabelled, huge, or no pictures.
mod pictures;
/// Thumbnails.
mod thumbnail;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}
