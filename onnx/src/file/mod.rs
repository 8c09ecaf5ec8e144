//! ONNX files: reading them, cutting a tower or the weights out of one, and writing int8 copies.
//!
//! An ONNX file is a protobuf message. It is read in place, through a memory map, and rewritten by
//! copying what stays, so that fields of newer versions of the format survive.

pub(crate) mod graph;
pub(crate) mod interface;
pub(crate) mod lift;
pub(crate) mod mapped;
pub(crate) mod part;
pub(crate) mod pointer;
pub mod quantize;
pub(crate) mod wire;
