//! The whole program, run as a user runs it: the real executable, its exit code, stdout, stderr.
//!
//! Most tests use the colour model (`colour_model/make.py`), whose answers can be worked out by
//! hand; those that judge what the program is for use the built-in starter model on real photos.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a helper of a test panics and prints as the test itself may"
)]

/// Temporary worlds to run the program in, pictures drawn in code.
mod support;

/// Files that are no pictures, broken, dangerous, or strangely named.
mod bad_files;
/// `sightline bench`, devices, threads, batches.
mod bench;
/// `sightline captions`: from a picture to the words that fit it.
mod captions;
/// What the built-in model finds in the sample photos that come with the project.
mod demo_photos;
/// `sightline embed`: vectors for those who keep their own index.
mod embed;
/// What else goes wrong: the index, the model, the query. What it says and how to go on.
mod errors;
/// `sightline eval`: figures that can be worked out by hand.
mod eval;
/// `sightline export` and `import`: an index as files that other programs read.
mod exchange;
/// A disk without room.
mod full_disk;
/// `--help` of every command, word for word.
mod help;
/// `sightline index`: what is added, kept, moved, removed and left out, and captions.
mod index;
/// Killed again and again, while the folder changes.
mod kills;
/// `sightline models`, `--model NAME`, `--precision`.
mod models;
/// What may not be read or written, by a user whom permissions bind.
mod permissions;
/// `sightline models pull`, from a hub that runs in the test.
mod pull;
/// `sightline models quantize`.
mod quantize;
/// Killed and stopped runs: nothing committed is lost, the next run goes on.
mod recovery;
/// Where ONNX Runtime is looked for, and what is said when it is not there.
mod runtime;
/// `sightline search`: ranking, output forms, exit codes, pages.
mod search;
/// What the set-up says when a tool is missing.
mod setup;
/// `sightline status`.
mod status;
/// Circles and arrows: the drawing in `ARCHITECTURE.md`, held to the code's own imports.
mod structure;
/// Another model for an index, and indexes of other models, dimensions and formats.
mod switch;
/// The architecture's rules, checked on the source text.
mod tidy;
/// `sightline check`, `compact` and `remove`: what looks after an index.
mod upkeep;
/// Words of what a picture's file says, of languages, and of scripts without spaces.
mod words;
