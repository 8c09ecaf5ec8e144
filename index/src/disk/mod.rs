//! The folder of an index: its paths, its manifest, its locks, and how a file is replaced
//! atomically.

pub(crate) mod atomic;
pub(crate) mod layout;
pub(crate) mod lock;
pub(crate) mod manifest;
pub(crate) mod steps;
pub(crate) mod sweep;
