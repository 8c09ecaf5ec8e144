//! Errors of quantising a graph.

use std::path::{Path, PathBuf};

use crate::file::wire::Malformed;

/// Why no int8 copy was written. Every message is one line that names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuantizeError {
    /// The graph, or a weight file beside it, cannot be read.
    #[error("{}: cannot read this model file", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The copy cannot be written; a file that was there before is unchanged.
    #[error("{}: cannot write the int8 copy", file.display())]
    Unwritable {
        /// The copy.
        file: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The file is not an ONNX graph, or is damaged.
    #[error("{}: not an ONNX graph, or a damaged one (at byte {offset})", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// Where reading failed, in bytes from the start.
        offset: usize,
    },
    /// The graph's opset is older than dynamic quantisation.
    #[error(
        "{}: opset {found} is too old: dynamic quantisation needs 11 or newer",
        file.display()
    )]
    OldOpset {
        /// The file.
        file: PathBuf,
        /// The graph's opset version.
        found: i64,
    },
    /// The weights are half-precision floats.
    #[error("{}: the weights are fp16, only fp32 weights can be quantised", file.display())]
    HalfPrecision {
        /// The file.
        file: PathBuf,
    },
    /// The graph has nothing to quantise.
    #[error(
        "{}: {}", file.display(),
        if *was_quantized { "this graph is already quantised" }
        else { "no MatMul or Gemm multiplies by a constant fp32 matrix" }
    )]
    NothingToDo {
        /// The file.
        file: PathBuf,
        /// Whether it already has integer multiplications.
        was_quantized: bool,
    },
    /// A tensor's values are not where it says.
    #[error(
        "{}: cannot take the values of tensor {tensor} from {location}: {reason}",
        file.display()
    )]
    External {
        /// The graph.
        file: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// The file that the tensor names.
        location: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A weight is infinite or not a number.
    #[error("{}: tensor {tensor} has values that are not finite", file.display())]
    NotFinite {
        /// The graph.
        file: PathBuf,
        /// The tensor's name.
        tensor: String,
    },
    /// The target exists and was not written by `quantize`.
    #[error("{}: this file exists and was not written by sightline", file.display())]
    Exists {
        /// The target.
        file: PathBuf,
    },
    /// Source and target are the same file.
    #[error("{}: source and target are the same file", file.display())]
    OntoItself {
        /// The file.
        file: PathBuf,
    },
}

impl QuantizeError {
    /// Makes [`QuantizeError::Unreadable`] for a file.
    pub(super) fn unreadable(file: &Path) -> impl Fn(std::io::Error) -> Self {
        |source| Self::Unreadable {
            file: file.to_path_buf(),
            source,
        }
    }

    /// Makes [`QuantizeError::Unwritable`] for a file.
    pub(super) fn unwritable(file: &Path) -> impl Fn(std::io::Error) -> Self {
        |source| Self::Unwritable {
            file: file.to_path_buf(),
            source,
        }
    }

    /// Makes [`QuantizeError::Malformed`] for a file.
    pub(super) fn malformed(file: &Path) -> impl Fn(Malformed) -> Self {
        |Malformed(offset)| Self::Malformed {
            file: file.to_path_buf(),
            offset,
        }
    }
}
