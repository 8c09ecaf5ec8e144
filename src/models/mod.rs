//! The models known on this machine: found by name or folder, added, checked, downloaded.
//!
//! A [`Registry`] is two things in the user's data folder: `models/NAME/`, the models copied there,
//! and `models.toml`, choices and figures about models. Without them the built-in model remains.

mod add;
mod catalogue;
mod chance;
mod check;
mod error;
pub mod hub;
mod lock;
mod open;
mod pairs;
mod registry;
mod signatures;
mod unsupported;
mod verdict;

pub use add::{DownloadFolder, PendingModel, Removed};
pub(crate) use add::{every_precision, fp32_in};
pub use catalogue::{CATALOGUE, CatalogueEntry, in_catalogue};
pub use check::{Check, Checked, Matches, OtherText, Outcome, Rewritten, Tower};
pub use error::ModelsError;
pub use open::Inspected;
pub(crate) use open::{Opened, Wanted};
pub use pairs::Language;
pub(crate) use registry::OLD_STARTERS;
pub use registry::{Entry, Origin, Place, Registry, STARTER};
pub use sightline_onnx::quantize::{self, QuantizeError};
pub use sightline_onnx::{
    Device, DeviceError, EncodeError, Model, ModelError, Precision, SessionOptions, Signature,
};
pub use signatures::Signatures;
pub use unsupported::{TowerKind, Unsupported};
pub use verdict::{Agreement, Figures, Verdict};
