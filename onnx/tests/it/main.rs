//! Tests of the public API against the Python reference and against invalid input.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

/// Changed model folders and what the reference makes of them.
mod cases;
/// Devices besides the processor, and session options.
mod devices;
/// The forms that model folders take.
mod forms;
/// Each stage against golden tensors: decoding, resizing, normalising, tokens, embeddings.
mod golden;
/// Model folders as each exporter writes them.
mod layouts;
/// Model folders that are incomplete, contradictory or broken.
mod models;
/// Models whose towers are in two folders.
mod pairs;
/// The forms of `preprocessor_config.json`.
mod processors;
/// Int8 copies of graphs.
mod quantize;
/// What a model loses when a picture is decoded at a reduced size.
mod reduced;
/// Opening ONNX Runtime: twice, missing, too old, another library.
mod runtime;
/// When a fingerprint is not computed again.
mod stamps;
/// The built-in model against the framework that trained it.
mod starter;
mod support;
/// Texts through tokenizer and tower.
mod texts;
/// Several text towers in one model.
mod towers;
/// Weight files beside a graph.
mod weights;
