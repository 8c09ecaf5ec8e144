//! One file a command, each thin: settings in, engine called, results out.

pub(super) mod bench;
pub(super) mod captions;
pub(super) mod embed;
pub(super) mod eval;
pub(super) mod index;
pub(super) mod models;
pub(super) mod search;
pub(super) mod status;
