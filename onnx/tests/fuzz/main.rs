//! Fuzzes the readers of a model's files with truncated, changed and malicious files.
//!
//! Nothing may panic, take longer than five seconds, or hold more memory than its limit. This is a
//! separate program because it counts every byte that is allocated.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

/// Changed model folders and what the reference makes of them.
#[path = "../it/cases.rs"]
mod cases;
/// Random changes of a file.
#[path = "../../../picture/tests/fuzz/change.rs"]
mod change;
/// Counts allocated memory.
#[path = "../../../picture/tests/fuzz/counted.rs"]
mod counted;
/// Every key of the golden model folders, removed and changed.
mod keys;
/// Model folders with randomly changed files.
mod manifests;
#[path = "../it/support.rs"]
#[expect(
    dead_code,
    reason = "shared with another test program, which uses all of it"
)]
mod support;
