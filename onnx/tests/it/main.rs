//! The package as its users see it, against numbers from the Python reference and against bad input.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

/// Devices besides the processor, threads.
mod devices;
/// Each stage against golden tensors: decoding, resizing, normalising, tokens, embeddings.
mod golden;
/// Model folders as each exporter writes them.
mod layouts;
/// Model folders that are incomplete, contradictory or broken.
mod models;
/// Descriptions of picture processors in all their forms.
mod processors;
/// Int8 copies of graphs.
mod quantize;
/// What a model loses when a picture is decoded at a reduced size.
mod reduced;
/// Opening ONNX Runtime: twice, missing, too old, another library.
mod runtime;
/// When a fingerprint need not be computed again.
mod stamps;
/// The built-in model against the framework that trained it.
mod starter;
mod support;
/// Texts of every kind through tokenizer and tower.
mod texts;
/// Weights beside a graph.
mod weights;
