//! Every decoder, on files that are cut off, changed, or made to do harm.
//!
//! Nothing may panic, take longer than five seconds, or hold more memory than its limit. This is a
//! program of its own because it counts every byte that is allocated.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

/// Files that ask for far more than they hold.
mod bombs;
/// How a file is changed at random.
mod change;
/// How much memory is held, and by whom.
mod counted;
/// What is needed for a sound file.
mod needs;
/// Sound files that were changed at random.
mod spoilt;

use std::collections::BTreeMap;
use std::path::Path;

/// The files of all formats that lie in the test data, by their kind.
fn samples() -> BTreeMap<String, Vec<(String, Vec<u8>)>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut samples = BTreeMap::<String, Vec<_>>::new();
    for folder in ["formats", "pictures"] {
        for entry in fs_err::read_dir(data.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let kind = path.extension().unwrap().to_string_lossy().into_owned();
            let bytes = fs_err::read(&path).unwrap();
            samples.entry(kind).or_default().push((name, bytes));
        }
    }
    for files in samples.values_mut() {
        files.sort();
    }
    samples
}
