//! Tests of the index through its public API, in one program. Crashes between two steps and single
//! modules are tested in `src/`.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests end the test where something fails, as tests do"
)]

/// Helpers: bindings, vectors from seeds, small indexes.
mod support;

/// Graph segments: built during and after a run, merged, stopped, and removed.
mod building;
/// Old formats stay readable: stored indexes of every format version.
mod compat;
/// Missing, truncated and changed files.
mod damage;
/// Newer views beside older ones, while another process commits.
mod following;
/// Many small runs, many readers, few file handles.
mod growth;
/// Holes in the log of the records.
mod holes;
/// Hub biases.
mod hubs;
/// A writer killed at any moment, with concurrent readers.
mod kill;
/// Every kind of file, changed, truncated and deleted.
mod matrix;
/// Random sequences of operations, compared with a simple model.
mod model;
/// Opening an index: locks, other models, other formats, other folders.
mod opening;
/// Readers of read-only folders, and readers beside a writer.
mod reading;
/// Recall of graph searches, compared with exact scans.
mod recall;
/// Images, paths and captions: what replaces, removes and keeps what.
mod records;
/// Repairs after every file was deleted, truncated and changed.
mod repair;
/// Search in one call: both rankings, restrictions, and the items of the hits.
mod search;
/// Several graph segments, and items in none.
mod segments;
/// Captions with different texts that match words.
mod texts;
/// Words by language, without spaces, and those of metadata.
mod words;
