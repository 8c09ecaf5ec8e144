//! The index as its users see it, in one program. What needs a look inside (crashes between two steps, single
//! modules) is tested in `src/`.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests end the test where something fails, as tests do"
)]

/// What every test needs: bindings, vectors from seeds, small collections.
mod support;

/// Old formats stay readable: stored indexes of every format version.
mod compat;
/// Missing, cut and changed files.
mod damage;
/// A writer that is killed at any moment, and readers beside it.
mod kill;
/// Every kind of file, changed, cut and deleted.
mod matrix;
/// Random sequences of operations against a map that is obviously right.
mod model;
/// Who may open what: locks, other models, other formats, other folders.
mod opening;
/// Readers on folders that may not be written, and readers beside a writer.
mod reading;
/// Is the graph as good as the scan?
mod recall;
/// Images, paths and captions: what replaces, removes and keeps what.
mod records;
/// Every file missing, cut and changed, and what a repair makes of it.
mod repair;
/// Search in one call: both rankings, restrictions, and the items of the hits.
mod search;
/// Words by language, without spaces, and those of details.
mod words;
