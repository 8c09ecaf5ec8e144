//! What goes into a graph, and what comes out?

/// A graph's inputs and outputs: the name, and type and shape as text, such as
/// `("pixel_values", "Tensor<f32>(batch, 3, 224, 224)")`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signature {
    /// What the graph must be fed with.
    pub inputs: Vec<(String, String)>,
    /// What it gives.
    pub outputs: Vec<(String, String)>,
}
