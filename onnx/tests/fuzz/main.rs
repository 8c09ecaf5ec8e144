//! Every reader of a model's files, on files that are cut off, changed, or made to do harm.
//!
//! Nothing may panic, take longer than five seconds, or hold more memory than its limit. This is a
//! program of its own because it counts every byte that is allocated.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

/// How a file is changed at random.
#[path = "../../../picture/tests/fuzz/change.rs"]
mod change;
/// How much memory is held, and by whom.
#[path = "../../../picture/tests/fuzz/counted.rs"]
mod counted;
/// Model folders whose files were changed at random.
mod manifests;
#[path = "../it/support.rs"]
#[expect(
    dead_code,
    reason = "shared with another test program, which uses all of it"
)]
mod support;
