//! The folder of an index: its paths, its manifest, its locks.

pub(crate) mod kept;
pub(crate) mod layout;
pub(crate) mod lock;
pub(crate) mod manifest;
pub(crate) mod steps;
pub(crate) mod sweep;
