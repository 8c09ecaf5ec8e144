//! One file per command, each thin: workspace in, one call of the library, results out.

pub(super) mod bench;
pub(super) mod captions;
pub(super) mod check;
pub(super) mod compact;
pub(super) mod embed;
pub(super) mod eval;
pub(super) mod export;
pub(super) mod import;
pub(super) mod index;
pub(super) mod models;
pub(super) mod remove;
pub(super) mod search;
pub(super) mod status;
