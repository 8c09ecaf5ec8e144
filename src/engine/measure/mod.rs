//! Measures how well a model retrieves, and how fast this machine indexes.

pub mod bench;
mod evaluate;
mod process;

pub use evaluate::{Evaluation, Recalls, evaluate};
