//! The commands, each thin: arguments in, one call of the library, results out.

pub(super) mod bench;
pub(super) mod check;
pub(super) mod duplicates;
pub(super) mod embed;
pub(super) mod eval;
pub(super) mod exchange;
pub(super) mod explain;
pub(super) mod index;
#[cfg(feature = "serve")]
pub(super) mod mcp;
pub(super) mod models;
pub(super) mod refine;
pub(super) mod search;
#[cfg(feature = "serve")]
pub(super) mod serve;
pub(super) mod shell;
pub(super) mod status;
pub(super) mod tag;
pub(super) mod upkeep;
#[cfg(feature = "serve")]
pub(super) mod watch;
