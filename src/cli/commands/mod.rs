//! The commands, each thin: arguments in, one call of the library, results out.

pub(super) mod bench;
pub(super) mod check;
pub(super) mod duplicates;
pub(super) mod embed;
pub(super) mod eval;
pub(super) mod exchange;
pub(super) mod explain;
pub(super) mod index;
pub(super) mod models;
pub(super) mod refine;
pub(super) mod search;
pub(super) mod status;
pub(super) mod tag;
pub(super) mod upkeep;
