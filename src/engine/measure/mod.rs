//! How good is a model, and how fast is this machine?

pub mod bench;
mod evaluate;

pub use evaluate::{Evaluation, Recalls};
