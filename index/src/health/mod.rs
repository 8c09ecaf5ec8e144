//! Finds and repairs damage.
//!
//! [`check`] reads all of an index and compares its parts. [`repair`] rebuilds everything derived
//! from the records. Where records themselves are damaged, [`salvage`] copies what can still be
//! read of them, and [`reconcile`] makes the records consistent again.

pub(crate) mod check;
#[cfg(test)]
mod check_tests;
pub(crate) mod reconcile;
pub(crate) mod repair;
mod rules;
pub(crate) mod salvage;
