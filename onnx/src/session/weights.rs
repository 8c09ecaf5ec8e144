//! Weights of a built-in graph that are fed in every run, from where they are in the program.

use ort::session::SessionInputValue;
use ort::value::TensorRef;

use crate::file::lift::{self, LiftedWeight};

/// The weights of one graph.
#[derive(Default)]
pub(super) struct Weights {
    file: &'static [u8],
    weights: Vec<LiftedWeight>,
}

impl Weights {
    /// The graph without its large weights, and these; `None` if they cannot be separated.
    pub(super) fn lift(file: &'static [u8]) -> Option<(Vec<u8>, Self)> {
        let lift::Lifted { graph, weights } = lift::weights_to_inputs(file)?;
        Some((graph, Self { file, weights }))
    }

    /// Whether one of them has this name.
    pub(super) fn contain(&self, name: &str) -> bool {
        self.weights.iter().any(|weight| weight.name == name)
    }

    /// Adds them to the inputs of a run, without copying them.
    pub(super) fn feed<'a>(
        &'a self,
        inputs: &mut Vec<(&'a str, SessionInputValue<'a>)>,
    ) -> ort::Result<()> {
        for weight in &self.weights {
            let (dims, bytes) = (weight.dims.as_slice(), &self.file[weight.span.clone()]);
            let value = if weight.is_signed {
                let values: &[i8] = bytemuck::cast_slice(bytes);
                TensorRef::from_array_view((dims, values))?.into()
            } else {
                TensorRef::from_array_view((dims, bytes))?.into()
            };
            inputs.push((&weight.name, value));
        }
        Ok(())
    }
}
