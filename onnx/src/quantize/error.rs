//! Why could a graph not be quantised?

use std::path::PathBuf;

/// Why no int8 copy was written. Every message is one line and names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuantizeError {
    /// The graph, or a file with weights beside it, cannot be read.
    #[error("{}: this file of the model cannot be read", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The copy cannot be written; what was there before still is.
    #[error("{}: the quantised copy cannot be written", file.display())]
    Unwritable {
        /// The copy.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is no ONNX graph, or a damaged one.
    #[error("{}: this is no ONNX graph, or a damaged one (at byte {offset})", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// Where it stops making sense, in bytes from the start.
        offset: usize,
    },
    /// The graph was exported for operators that had no dynamic quantisation yet.
    #[error(
        "{}: this graph is of opset {found}, dynamic quantisation needs 11 or newer: export it again",
        file.display()
    )]
    OldOpset {
        /// The file.
        file: PathBuf,
        /// Its version of the standard operators.
        found: i64,
    },
    /// The weights are half-precision floats.
    #[error("{}: the weights are fp16; quantise the fp32 copy of this graph", file.display())]
    HalfPrecision {
        /// The file.
        file: PathBuf,
    },
    /// There is nothing in the graph that could be quantised.
    #[error(
        "{}: {}", file.display(),
        if *was_quantized { "this graph is quantised already" }
        else { "no MatMul or Gemm of this graph multiplies by a constant fp32 matrix" }
    )]
    NothingToDo {
        /// The file.
        file: PathBuf,
        /// Whether it holds integer multiplications already.
        was_quantized: bool,
    },
    /// A tensor says that its values are where they cannot be.
    #[error(
        "{}: the values of tensor {tensor} should lie in {location}: {reason}",
        file.display()
    )]
    External {
        /// The graph.
        file: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// The file named by the tensor.
        location: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A weight is infinite or not a number.
    #[error("{}: tensor {tensor} holds values that are no finite numbers", file.display())]
    NotFinite {
        /// The graph.
        file: PathBuf,
        /// The tensor's name.
        tensor: String,
    },
    /// The target exists and was not written by [`quantize`](super::quantize).
    #[error("{}: this file exists and was not made by sightline", file.display())]
    Exists {
        /// The target.
        file: PathBuf,
    },
    /// Source and target are the same file.
    #[error("{}: a graph cannot be quantised onto itself", file.display())]
    OntoItself {
        /// The file.
        file: PathBuf,
    },
}
