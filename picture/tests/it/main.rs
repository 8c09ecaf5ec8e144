//! The public functions of the package, against other programs' results and on bad input.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

/// Every format against what another program decodes from the same file.
mod formats;
/// JPEGs at reduced sizes.
mod jpeg;
/// JPEGs with and without their end, and what follows it.
mod jpeg_ends;
/// Files that are empty, truncated, mislabelled, huge, or not pictures.
mod pictures;
/// Thumbnails.
mod thumbnail;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}
