//! Running graphs in ONNX Runtime: the only module that uses `ort`.
//!
//! A graph's inputs and outputs are checked when it is loaded, so that a run can only fail inside
//! ONNX Runtime itself. Outputs are copied before the next run, since they borrow the session.

mod options;
mod runtime;
mod weights;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use half::f16;
use ndarray::{Array2, Array4};
use ort::session::builder::SessionBuilder;
use ort::session::{OutputSelector, RunOptions, SessionInputValue};
use ort::value::{Outlet, Tensor, TensorElementType, TensorRef, ValueType};

use crate::error::EncodeError;
use crate::file::part;
use crate::head::{Head, HeadSpec};
use crate::source::Source;

pub use options::SessionOptions;
pub use runtime::{Runtime, RuntimeError};
use weights::Weights;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Element types of pictures and embeddings; f16 is converted on the way in and out.
const FLOATS: [TensorElementType; 2] = [TensorElementType::Float32, TensorElementType::Float16];

/// The values of one input.
pub(crate) enum Feed {
    /// `[n, 3, height, width]`
    Pixels(Array4<f32>),
    /// `[n, n_tokens]`
    Ids(Array2<i64>),
}

/// A graph's inputs and outputs: the name, and type and shape as text, such as
/// `("pixel_values", "Tensor<f32>(batch, 3, 224, 224)")`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signature {
    /// The inputs.
    pub inputs: Vec<(String, String)>,
    /// The outputs.
    pub outputs: Vec<(String, String)>,
}

/// What a session runs.
pub(crate) struct Target<'a> {
    pub(crate) source: &'a Source,
    pub(crate) output: &'a str,
    pub(crate) head: &'a HeadSpec,
    pub(crate) dimension: usize,
    /// Whether only a part of the graph computes the output.
    pub(crate) is_part: bool,
}

/// One loaded graph with one checked output, `[batch, width]`, or `[batch, n_tokens, width]` to be
/// pooled, and what makes embeddings of it.
pub(crate) struct Session {
    graph: ort::session::Session,
    file: PathBuf,
    selected: RunOptions<ort::session::HasSelectedOutputs>,
    output: String,
    head: Head,
    is_pooled: bool,
    width: usize,
    /// What the other tower's inputs are fed with in every run, where the towers cannot be
    /// separated.
    unused: Vec<(String, Feed)>,
    /// Weights that are fed in every run.
    weights: Weights,
}

impl Session {
    /// Loads a graph and checks its output, f32 or f16. Of a graph with both towers, only the part
    /// that computes the output is loaded, where it can be separated.
    pub(crate) fn load(
        runtime: &Runtime,
        target: &Target<'_>,
        options: &SessionOptions,
    ) -> Result<Self, EncodeError> {
        let Target { source, output, .. } = *target;
        let file = source.path.clone();
        let load = |cause: ort::Error| EncodeError::Load {
            file: file.clone(),
            source: Box::new(cause),
        };
        let builder = || {
            let builder = ort::session::Session::builder(runtime.environment()).map_err(load)?;
            options.apply(builder, runtime.library(), source)
        };
        let part = if target.is_part {
            part_of(&file, output, builder()?)
        } else {
            None
        };
        let mut weights = Weights::default();
        let graph = match (part, source.built_in) {
            (Some(part), _) => part,
            (None, None) => builder()?.commit_from_file(&file).map_err(load)?,
            (None, Some(bytes)) => {
                let lifted = options.runs_as_it_is(source).then(|| Weights::lift(bytes));
                let lifted = lifted.flatten();
                let mut graph = Cow::Borrowed(bytes);
                if let Some((without, lifted)) = lifted {
                    (graph, weights) = (Cow::Owned(without), lifted);
                }
                builder()?.commit_from_memory(&graph).map_err(load)?
            }
        };
        let selected = RunOptions::new()
            .map_err(load)?
            .with_outputs(OutputSelector::no_default().with(output));
        let session = Self {
            graph,
            file,
            selected,
            output: output.to_owned(),
            head: Head::load(target.head)?,
            is_pooled: target.head.pool.is_some(),
            width: target.head.width(target.dimension),
            unused: Vec::new(),
            weights,
        };
        session.check_output()?;
        Ok(session)
    }

    /// All inputs and outputs of the graph, or of the part of it that was loaded, without weights.
    pub(crate) fn signature(&self) -> Signature {
        let listed = |outlets: &[Outlet]| {
            let one = |outlet: &Outlet| (outlet.name().to_owned(), outlet.dtype().to_string());
            let outlets = outlets.iter();
            let own = outlets.filter(|outlet| !self.weights.contain(outlet.name()));
            own.map(one).collect()
        };
        Signature {
            inputs: listed(self.graph.inputs()),
            outputs: listed(self.graph.outputs()),
        }
    }

    /// Fails when the graph has an input that is neither among these nor fed as unused.
    pub(crate) fn check_no_other_inputs(&self, known: &[&str]) -> Result<(), EncodeError> {
        let mut names = self.graph.inputs().iter().map(Outlet::name);
        let is_unused = |name: &str| self.unused.iter().any(|(unused, _)| unused == name);
        let is_fed = |name: &str| is_unused(name) || self.weights.contain(name);
        match names.find(|name| !known.contains(name) && !is_fed(name)) {
            None => Ok(()),
            Some(name) => Err(EncodeError::UnknownInput {
                file: self.file.clone(),
                name: name.to_owned(),
            }),
        }
    }

    /// Checks that input `name` is f32 or f16 `[batch, 3, height, width]`. Returns the batch size
    /// if the graph fixes it.
    pub(crate) fn check_pixels(
        &self,
        name: &str,
        height: u32,
        width: u32,
    ) -> Result<Option<usize>, EncodeError> {
        let outlet = self.input(name)?;
        let expected = format!("Tensor<f32>(batch, 3, {height}, {width})");
        let wanted = [
            None,
            Some(3),
            Some(i64::from(height)),
            Some(i64::from(width)),
        ];
        if !fits(outlet, &wanted, &FLOATS) {
            return Err(self.mismatch(outlet, &expected));
        }
        Ok(fixed_batch(outlet))
    }

    /// Checks that input `name` is i64 or i32 `[batch, n_tokens]`; `padded` is the number of tokens
    /// if all texts are padded to it. Returns the batch size if the graph fixes it.
    pub(crate) fn check_ids(
        &self,
        name: &str,
        padded: Option<usize>,
    ) -> Result<Option<usize>, EncodeError> {
        let outlet = self.input(name)?;
        let types = [TensorElementType::Int64, TensorElementType::Int32];
        let n_tokens = padded.and_then(|n| i64::try_from(n).ok());
        // A graph of fixed length only works with texts padded to it.
        let is_cut_off = padded.is_none() && fixed(outlet, 1).is_some();
        if is_cut_off || !fits(outlet, &[None, n_tokens], &types) {
            let n_tokens = padded.map_or_else(|| "n_tokens".to_owned(), |n| n.to_string());
            return Err(self.mismatch(outlet, &format!("Tensor<i64>(batch, {n_tokens})")));
        }
        Ok(fixed_batch(outlet))
    }

    /// Feeds the text inputs of a graph of both towers with ones: ones are valid ids, and a mask of
    /// ones is a whole text. Inputs that were not loaded need none.
    pub(crate) fn feed_unused_texts(&mut self, inputs: &[&str]) -> Result<(), EncodeError> {
        let loaded = inputs.iter().filter(|name| self.input(name).is_ok());
        let loaded: Vec<&str> = loaded.copied().collect();
        let fixed_tokens = |name: &&str| fixed(self.input(name).ok()?, 1);
        let n_tokens = loaded.iter().find_map(fixed_tokens).unwrap_or(2);
        for name in loaded {
            let n = self.check_ids(name, Some(n_tokens))?.unwrap_or(1);
            let ones = Feed::Ids(Array2::ones((n, n_tokens)));
            self.unused.push((name.to_owned(), ones));
        }
        Ok(())
    }

    /// Feeds the image input of a graph of both towers with a black picture, if it was loaded.
    pub(crate) fn feed_unused_pixels(
        &mut self,
        name: &str,
        height: u32,
        width: u32,
    ) -> Result<(), EncodeError> {
        if self.input(name).is_ok() {
            let n = self.check_pixels(name, height, width)?.unwrap_or(1);
            let black = Feed::Pixels(Array4::zeros((n, 3, height as usize, width as usize)));
            self.unused.push((name.to_owned(), black));
        }
        Ok(())
    }

    /// Runs the graph on `n` items. Returns `n × dimension` values in row-major order. `mask` is
    /// `[n, n_tokens]`, 0 for tokens that a mean leaves out.
    pub(crate) fn run(
        &mut self,
        n: usize,
        feeds: &[(&str, Feed)],
        mask: Option<&Array2<i64>>,
    ) -> Result<Vec<f32>, EncodeError> {
        let run = self.run_inner(n, feeds);
        let (values, n_tokens) = run.map_err(|source| EncodeError::Run {
            file: self.file.clone(),
            source,
        })?;
        Ok(self.head.apply(values, self.width, n_tokens, mask))
    }

    /// Integers and floats are converted to the width that the graph takes, and the output to f32.
    /// Returns the output and its number of tokens, 1 where it has none.
    fn run_inner(&mut self, n: usize, feeds: &[(&str, Feed)]) -> Result<(Vec<f32>, usize), Cause> {
        let unused = self.unused.iter().map(|(name, feed)| (name.as_str(), feed));
        let feeds = feeds.iter().map(|(name, feed)| (*name, feed));
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> = Vec::new();
        for (name, feed) in feeds.chain(unused) {
            let element_type = self.input(name)?.dtype().tensor_type();
            let value = match (feed, element_type) {
                (Feed::Ids(ids), Some(TensorElementType::Int32)) => {
                    let narrow = |&id: &i64| i32::try_from(id).unwrap_or(i32::MAX);
                    Tensor::from_array(ids.map(narrow))?.into()
                }
                (Feed::Ids(ids), _) => TensorRef::from_array_view(ids)?.into(),
                (Feed::Pixels(pixels), Some(TensorElementType::Float16)) => {
                    Tensor::from_array(pixels.mapv(f16::from_f32))?.into()
                }
                (Feed::Pixels(pixels), _) => TensorRef::from_array_view(pixels)?.into(),
            };
            inputs.push((name, value));
        }
        self.weights.feed(&mut inputs)?;
        let (shape, values) = {
            let outputs = self.graph.run_with_options(inputs, &self.selected)?;
            let output = outputs
                .get(&self.output)
                .ok_or("the requested output is missing")?;
            if output.dtype().tensor_type() == Some(TensorElementType::Float16) {
                let (shape, values) = output.try_extract_tensor::<f16>()?;
                let values: Vec<f32> = values.iter().map(|value| value.to_f32()).collect();
                (shape.to_vec(), values)
            } else {
                let (shape, values) = output.try_extract_tensor::<f32>()?;
                (shape.to_vec(), values.to_vec())
            }
        };
        let sides: Vec<usize> = shape.iter().filter_map(|&n| n.try_into().ok()).collect();
        match sides[..] {
            [rows, width] if !self.is_pooled && (rows, width) == (n, self.width) => Ok((values, 1)),
            [rows, n_tokens, width]
                if self.is_pooled && (rows, width) == (n, self.width) && n_tokens > 0 =>
            {
                Ok((values, n_tokens))
            }
            _ => {
                let expected = self.expected(&n.to_string());
                Err(format!("the output has shape {shape:?}, expected {expected}").into())
            }
        }
    }

    /// The output's shape, in words.
    fn expected(&self, batch: &str) -> String {
        let width = self.width;
        if self.is_pooled {
            format!("[{batch}, n_tokens, {width}]")
        } else {
            format!("[{batch}, {width}]")
        }
    }

    fn input(&self, name: &str) -> Result<&Outlet, EncodeError> {
        let inputs = self.graph.inputs();
        inputs
            .iter()
            .find(|outlet| outlet.name() == name)
            .ok_or_else(|| EncodeError::NoInput {
                file: self.file.clone(),
                name: name.to_owned(),
                found: inputs.iter().map(|o| o.name().to_owned()).collect(),
            })
    }

    fn check_output(&self) -> Result<(), EncodeError> {
        let outputs = self.graph.outputs();
        let outlet = outputs
            .iter()
            .find(|outlet| outlet.name() == self.output)
            .ok_or_else(|| EncodeError::NoOutput {
                file: self.file.clone(),
                name: self.output.clone(),
                found: outputs.iter().map(|o| o.name().to_owned()).collect(),
            })?;
        let rank = if self.is_pooled { 3 } else { 2 };
        if !fits(outlet, &[None, None, None][..rank], &FLOATS) {
            let shape = self.expected("batch");
            let expected = format!("Tensor<f32>({})", shape.trim_matches(['[', ']']));
            return Err(self.mismatch(outlet, &expected));
        }
        match fixed(outlet, rank - 1) {
            Some(found) if found != self.width => Err(EncodeError::Dimension {
                file: self.file.clone(),
                found,
                expected: self.width,
            }),
            _ => Ok(()),
        }
    }

    fn mismatch(&self, outlet: &Outlet, expected: &str) -> EncodeError {
        EncodeError::Signature {
            file: self.file.clone(),
            name: outlet.name().to_owned(),
            found: outlet.dtype().to_string(),
            expected: expected.to_owned(),
        }
    }
}

/// Loads the part of a graph that computes an output; `None` where the whole graph is needed.
fn part_of(file: &Path, output: &str, builder: SessionBuilder) -> Option<ort::session::Session> {
    let bytes = part::leading_to(file, output)?;
    // Where the weight files are. A library too old for this key fails on them, and the whole graph
    // is loaded from its file.
    let key = "session.model_external_initializers_file_folder_path";
    let folder = file.parent()?.to_str()?;
    let mut builder = builder.with_config_entry(key, folder).ok()?;
    builder.commit_from_memory(&bytes).ok()
}

/// Whether the outlet has one of these element types and its shape fits; `None` in `shape` and a
/// dynamic dimension in the graph fit everything.
fn fits(outlet: &Outlet, shape: &[Option<i64>], types: &[TensorElementType]) -> bool {
    let ValueType::Tensor {
        ty, shape: found, ..
    } = outlet.dtype()
    else {
        return false;
    };
    // A graph may leave the whole shape open; the output's shape is checked after each run.
    let has_shape = found.is_empty()
        || found.len() == shape.len()
            && found
                .iter()
                .zip(shape)
                .all(|(&found, &wanted)| found < 0 || wanted.is_none_or(|wanted| wanted == found));
    has_shape && types.contains(ty)
}

/// The batch size if the graph fixes it. No sound graph has one beyond a few thousand; such a size
/// is left to ONNX Runtime to refuse, since inputs of it could not be allocated.
fn fixed_batch(outlet: &Outlet) -> Option<usize> {
    fixed(outlet, 0).filter(|&n| n <= 4096)
}

/// The size of a dimension if the graph fixes it.
fn fixed(outlet: &Outlet, dimension: usize) -> Option<usize> {
    let ValueType::Tensor { shape, .. } = outlet.dtype() else {
        return None;
    };
    usize::try_from(*shape.get(dimension)?).ok()
}
