//! The whole program, run as a user runs it: the real executable, its exit code, stdout, stderr.
//!
//! Most tests use the colour model (`colour_model/make.py`), whose similarities can be calculated
//! by hand; tests of search quality use the built-in starter model on real photos.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "helpers of tests may panic and print, as tests may"
)]

/// Temporary environments to run the program in, and generated pictures.
mod support;

/// Files that are not pictures, damaged, dangerous or oddly named.
mod bad_files;
mod bank;
/// `sightline bench`, and the options for devices, threads and batches.
mod bench;
/// Files of captions: bad lines and captions, encodings, and whose they are.
mod caption_files;
/// `sightline captions`: the captions that best match a picture.
mod captions;
/// Search quality of the built-in model on the sample photos.
mod demo_photos;
/// `sightline duplicates`: groups, the file to keep, output forms, exit codes.
mod duplicates;
/// `sightline embed`: vectors for use in other programs.
mod embed;
/// Errors about the index, the model and the query: message, hint and exit code.
mod errors;
/// `sightline eval`: figures that can be calculated by hand.
mod eval;
/// `sightline export` and `import`: an index as files for other programs.
mod exchange;
/// `sightline explain`: the parts and words that matter, the map as a file, and JSON.
mod explain;
/// Indexing on a full disk.
mod full_disk;
/// `--help` of every command, word for word.
mod help;
/// `sightline index`: added, changed, moved, removed and ignored files, and captions.
mod index;
/// Runs that are killed repeatedly while the folder changes.
mod kills;
/// `sightline mcp` and `serve --mcp`, asked by the official client of the protocol.
#[cfg(feature = "serve")]
mod mcp;
/// Verdict of `sightline models check` and `add` on good and broken copies of the starter model.
mod model_checks;
/// Folders that look like models and are something else, damaged or incomplete.
mod model_folders;
/// `sightline models`, `--model NAME`, `--precision`.
mod models;
/// Forms of hits: CSV, copies, links, the viewer, and lines and pictures on a terminal.
mod output;
/// The web page, in a real browser where there is one.
#[cfg(feature = "serve")]
mod page;
/// The web page while its index changes, is missing, or its server is lost.
#[cfg(feature = "serve")]
mod page_changes;
/// The views, dialogs and keys of the web page, its languages, and what axe-core says of it.
#[cfg(feature = "serve")]
mod page_views;
/// Files and folders without read or write permission.
mod permissions;
/// `sightline models pull`, from a hub served by the test.
mod pull;
/// `sightline models quantize`.
mod quantize;
/// Mixed queries, phrases, exclusions and filters of `sightline search`.
mod queries;
/// Killed and interrupted runs: nothing committed is lost, and the next run resumes.
mod recovery;
/// `sightline refine` and `search -i`, also on a terminal.
mod refine;
/// Where ONNX Runtime is searched for, and the error when it is missing.
mod runtime;
/// `sightline search`: ranking, output forms, exit codes, pages.
mod search;
/// `sightline serve`: the API.
#[cfg(feature = "serve")]
mod serve;
/// `sightline serve` while its index, model and thumbnails change.
#[cfg(feature = "serve")]
mod serve_changes;
/// `sightline serve` under attack.
#[cfg(feature = "serve")]
mod serve_guard;
/// The document of the API, and its examples.
#[cfg(feature = "serve")]
mod serve_schema;
/// Errors of the set-up script when a tool is missing.
mod setup;
/// `sightline completions` and `man`, and what `make install` installs.
mod shell;
/// `sightline similar`.
mod similar;
/// Where captions and facts come from: data sets, XMP, Google Takeout, the pictures themselves.
mod sources;
/// `sightline status`.
mod status;
/// Circles and arrows: the drawing in `ARCHITECTURE.md`, held to the code's own imports.
mod structure;
/// Changing the model of an index; indexes of other models, dimensions and formats.
mod switch;
/// Models of several text towers.
mod text_towers;
/// The architecture's rules, checked on the source text.
mod tidy;
/// `sightline check`, `compact` and `remove`: maintenance of an index.
mod upkeep;
/// `sightline watch` and `serve --watch`: real changes of files, and what the index makes of them.
#[cfg(feature = "serve")]
mod watch;
/// Search by words: metadata, languages, and scripts without spaces.
mod words;
