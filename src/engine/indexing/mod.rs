//! Brings an index up to date with library folders: walk, prepare, encode, store.

mod batch_size;
pub(crate) mod caption_files;
pub(crate) mod captions;
mod encode;
mod ledger;
mod metadata;
mod model_change;
pub(crate) mod pipeline;
pub(crate) mod prepare;
pub(crate) mod request;
pub(crate) mod run;
mod store;
pub(crate) mod walk;

#[cfg(test)]
mod incremental_tests;
#[cfg(test)]
mod lane_tests;
#[cfg(test)]
mod model_change_tests;

pub use model_change::{ModelChange, UnfinishedChange};
pub use request::IndexRequest;
pub use walk::{IGNORE_FILE, SKIPPED_FOLDERS};
