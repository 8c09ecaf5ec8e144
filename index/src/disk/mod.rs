//! The folder of an index: which file is where, who may change it, and how a file is replaced as a whole.

pub(crate) mod atomic;
pub(crate) mod layout;
pub(crate) mod lock;
pub(crate) mod manifest;
pub(crate) mod steps;
pub(crate) mod sweep;
