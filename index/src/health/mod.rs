//! Finds and repairs damage.
//!
//! [`rules`] is the list of what must hold in the records. [`check`] reads all of an index and
//! applies them. [`repair`] rebuilds what is derived from the records; if the records themselves
//! are damaged, [`replay`] puts everything that the rules keep into a new index by the ordinary
//! writer. [`salvage`] reads records whose files are damaged.

pub(crate) mod check;
#[cfg(test)]
mod check_tests;
pub(crate) mod problem;
pub(crate) mod repair;
#[cfg(test)]
mod repair_tests;
mod replay;
mod rules;
mod salvage;
