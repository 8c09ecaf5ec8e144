//! Which models does this machine know, by which names, and which one is meant?
//!
//! A [`Registry`] is two things in the user's data folder: `models/NAME/`, models that were copied
//! there, and `models.toml`, what is written down about models. Without them there is
//! still the model that is built in.

mod add;
mod catalogue;
mod check;
mod error;
pub mod hub;
mod open;
mod registry;
mod verdict;

pub use add::{CopyProgress, Newcomer, Removed};
pub use catalogue::{CATALOGUE, CatalogueEntry, in_catalogue};
pub use check::{Check, Checked, Outcome, Tower};
pub use error::ModelsError;
pub use open::{Opened, Wanted};
pub use registry::{Entry, Origin, Place, Registry, STARTER};
pub use verdict::{Agreement, Figures, NEAR_ENOUGH, Verdict};
