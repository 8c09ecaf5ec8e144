//! Words for pictures about which nobody wrote any: a bank of English phrases and of tags, which a
//! model compares with a picture as it compares captions.
//!
//! [`contents`] has the words, [`vectors`] encodes them once per model, [`choice`] says which of
//! them a picture gets; [`labels`] are tags, those of the bank or of a file.

pub(crate) mod choice;
pub(crate) mod contents;
pub(crate) mod labels;
pub(crate) mod vectors;

pub(crate) use vectors::{Bank, BankPart};
