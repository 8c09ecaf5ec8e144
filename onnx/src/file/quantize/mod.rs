//! Dynamic quantisation: smaller, faster graphs with int8 instead of fp32 matrices.
//!
//! The weights of `MatMul` and `Gemm` are stored as int8 with a scale per output column;
//! activations are quantised while the graph runs, with a scale per tensor. Everything else
//! (embeddings, convolutions, normalisations, attention scores) stays as it is. The method is that
//! of ONNX Runtime's `quantize_dynamic` with `per_channel=True`,
//! <https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html>; it needs no
//! sample data and no Python.
//!
//! The ONNX file is not decoded and encoded again: what does not change is copied byte for byte, so
//! that fields of newer versions of the format survive, and weights are read through a memory map
//! and quantised one matrix at a time.

mod beside;
mod error;
mod plan;
mod weights;
mod write;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub use error::QuantizeError;
pub use weights::WeightRange;

use beside::{Beside, Place};
use plan::NodePlan;

use crate::file::graph::{self, Data, Graph};
use crate::file::mapped::Mapped;
use crate::file::wire::Malformed;

/// The oldest opset with `DynamicQuantizeLinear`.
const OLDEST_OPSET: i64 = 11;

/// Options of quantising a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuantizeOptions {
    /// How much of the int8 range weights may use.
    pub range: WeightRange,
    /// Whether to overwrite a target that [`quantize`] did not write.
    pub replace: bool,
    /// A graph larger than this, in bytes, has its weights in a file beside it, `<target>_data`.
    /// The limit of a protobuf message is 2 GiB, hence the default of 1.9 GiB.
    pub largest_file: u64,
}

impl Default for QuantizeOptions {
    fn default() -> Self {
        Self {
            range: WeightRange::default(),
            replace: false,
            largest_file: (1 << 31) - (100 << 20),
        }
    }
}

/// What [`quantize`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// `MatMul` and `Gemm` nodes that now multiply in int8.
    pub n_quantized: usize,
    /// Those that were left unchanged: both sides are computed, or the form is unsupported.
    pub n_kept: usize,
    /// Size of the source with the weight files beside it, in bytes.
    pub bytes_before: u64,
    /// Size of the copy with its weight file, in bytes.
    pub bytes_after: u64,
}

/// Writes an int8 copy of a graph: dynamic quantisation of the weights of `MatMul` and `Gemm`, with
/// a scale per column.
///
/// The copy does not depend on the original's files. It is written to a temporary file, synced and
/// renamed, so that `target` is never incomplete. An existing `target` is overwritten only if an
/// earlier call wrote it.
///
/// # Errors
/// [`QuantizeError`] when the source cannot be read, is damaged, too old, or has nothing to
/// quantise, or the target cannot be written.
pub fn quantize(
    source: &Path,
    target: &Path,
    options: &QuantizeOptions,
) -> Result<Report, QuantizeError> {
    let mapped = Mapped::open(source).map_err(QuantizeError::unreadable(source))?;
    let bytes = mapped.bytes();
    let malformed = QuantizeError::malformed(source);
    let model = graph::read(bytes)
        .map_err(&malformed)?
        .ok_or_else(|| malformed(Malformed(bytes.len())))?;
    if model.opset < OLDEST_OPSET {
        return Err(QuantizeError::OldOpset {
            file: source.to_path_buf(),
            found: model.opset,
        });
    }
    let plan = plan::plan(&model).map_err(&malformed)?;
    if plan.n_quantized == 0 {
        let file = source.to_path_buf();
        return Err(if plan.n_half > 0 {
            QuantizeError::HalfPrecision { file }
        } else {
            QuantizeError::NothingToDo {
                file,
                was_quantized: plan.was_quantized,
            }
        });
    }
    let mut beside = Beside::new(source);
    let mut weight_places = Vec::with_capacity(plan.weights.len());
    for weight in &plan.weights {
        let n_bytes = weight.n_rows * weight.n_columns * size_of::<f32>();
        let place = beside.place(weight.source, Some(n_bytes))?;
        weight_places.push(place.ok_or_else(|| malformed(Malformed(weight.source.span.start)))?);
    }
    let mut kept_places = HashMap::new();
    place_kept(&model.graph, &plan, &mut beside, &mut kept_places)?;
    check_target(source, target, &beside, options.replace)?;
    let copy = write::Int8Copy {
        file: bytes,
        model: &model,
        plan: &plan,
        beside: &beside,
        weight_places,
        kept_places,
        range: options.range,
        source,
        target,
    };
    let bytes_after = copy.write(options.largest_file)?;
    Ok(Report {
        n_quantized: plan.n_quantized,
        n_kept: plan.n_kept,
        bytes_before: bytes.len() as u64 + beside.n_bytes(),
        bytes_after,
    })
}

/// Whether [`quantize`] wrote this graph.
fn is_quantized_here(graph: &Path) -> Result<bool, QuantizeError> {
    let mapped = Mapped::open(graph).map_err(QuantizeError::unreadable(graph))?;
    graph::has_metadata(mapped.bytes(), write::METADATA_KEY)
        .map_err(QuantizeError::malformed(graph))
}

/// Finds the values of the initializers that stay and are in files beside the graph.
fn place_kept(
    graph: &Graph<'_>,
    plan: &plan::Plan<'_>,
    beside: &mut Beside<'_>,
    places: &mut HashMap<usize, Place>,
) -> Result<(), QuantizeError> {
    for tensor in &graph.initializers {
        let start = tensor.span.start;
        if matches!(tensor.data, Data::External { .. })
            && !plan.dropped.contains(&start)
            && let Some(place) = beside.place(tensor, None)?
        {
            places.insert(start, place);
        }
    }
    for node in &graph.nodes {
        let is_dropped = matches!(plan.nodes.get(&node.span.start), Some(NodePlan::Drop));
        let tensors = node.attributes.iter().filter_map(|one| one.tensor.as_ref());
        for tensor in tensors.filter(|_| !is_dropped) {
            if let Data::External { location, .. } = &tensor.data {
                return Err(QuantizeError::External {
                    file: beside.graph().to_path_buf(),
                    tensor: node.name.to_owned(),
                    location: (*location).to_owned(),
                    reason: "only initializers may have their values in another file",
                });
            }
        }
        for inner in node.graphs() {
            place_kept(inner, plan, beside, places)?;
        }
    }
    Ok(())
}

fn check_target(
    source: &Path,
    target: &Path,
    beside: &Beside<'_>,
    replace: bool,
) -> Result<(), QuantizeError> {
    let data = write::beside_path(target);
    for path in [target, &data] {
        let Ok(path) = fs_err::canonicalize(path) else {
            continue;
        };
        let mut sources =
            std::iter::once(source).chain(beside.paths().iter().map(PathBuf::as_path));
        if sources.any(|one| fs_err::canonicalize(one).is_ok_and(|one| one == path)) {
            return Err(QuantizeError::OntoItself {
                file: source.to_path_buf(),
            });
        }
    }
    if target.exists() && !replace && !is_quantized_here(target).unwrap_or(false) {
        return Err(QuantizeError::Exists {
            file: target.to_path_buf(),
        });
    }
    Ok(())
}
