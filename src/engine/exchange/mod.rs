//! An index as files that other programs read: vectors as NumPy, everything else as JSON lines.
//!
//! ```text
//! DIR/index.json     the model, its dimension, the library folders
//! DIR/items.jsonl    one line per item
//! DIR/vectors.npy    f32 [n, dimension]; each line gives its row
//! ```

mod export;
mod format;
mod import;
pub(crate) mod npy;

pub(crate) use export::export;
pub use export::{ExportReport, ExportRequest};
pub use import::ImportReport;
pub(crate) use import::import;

pub use crate::engine::error::ExchangeError;
