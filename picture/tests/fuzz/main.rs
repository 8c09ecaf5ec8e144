//! All decoders on truncated, changed and malicious files, and the reduced JPEG decoder against the
//! general one on random files.
//!
//! Nothing may panic, take longer than five seconds, or hold more memory than its limit. This is a
//! test program of its own because it counts all allocations.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

/// Small files that ask for much memory or time.
mod bombs;
/// Random changes of a file.
mod change;
/// Valid files with random changes.
mod changed;
/// An allocator that counts.
mod counted;
/// Estimated against measured memory.
mod needs;
/// The reduced JPEG decoder against the general one.
mod reduced;

use std::collections::BTreeMap;
use std::path::Path;

/// The files of all formats in the test data, by their extension.
fn samples() -> BTreeMap<String, Vec<(String, Vec<u8>)>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut samples = BTreeMap::<String, Vec<_>>::new();
    for folder in ["formats", "pictures"] {
        for entry in fs_err::read_dir(data.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let extension = path.extension().unwrap().to_string_lossy().into_owned();
            let bytes = fs_err::read(&path).unwrap();
            samples.entry(extension).or_default().push((name, bytes));
        }
    }
    for files in samples.values_mut() {
        files.sort();
    }
    samples
}
