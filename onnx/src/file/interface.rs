//! A graph's inputs, outputs and weight files, read without its nodes and values.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;

use super::graph::{self, Data, field, last};
use super::mapped::Mapped;
use super::wire::{Fields, Malformed, Span};
use crate::error::ModelError;

/// What a graph takes and returns.
#[derive(Debug, Default)]
pub(crate) struct Interface {
    /// In the graph's order, without weights, which old exporters list among the inputs.
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
    /// The files beside the graph that hold weights, as the graph names them, and how many bytes
    /// of each it needs at least.
    pub(crate) weight_files: BTreeMap<String, u64>,
}

/// An input or output that is a tensor.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Port {
    pub(crate) name: String,
    /// `TensorProto.DataType`.
    data_type: i64,
    /// Length of each dimension, `None` where the graph leaves it open; no shape: not given.
    pub(crate) shape: Option<Vec<Option<usize>>>,
}

impl Port {
    /// Whether it takes 32-bit, 16-bit or 64-bit floating point numbers.
    pub(crate) fn is_float(&self) -> bool {
        matches!(self.data_type, 1 | 10 | 11)
    }

    /// Whether it takes 32-bit or 64-bit integers.
    pub(crate) fn is_integer(&self) -> bool {
        matches!(self.data_type, 6 | 7)
    }

    pub(crate) fn rank(&self) -> Option<usize> {
        self.shape.as_ref().map(Vec::len)
    }

    /// The length of a dimension if the graph fixes it.
    pub(crate) fn fixed(&self, dimension: usize) -> Option<usize> {
        *self.shape.as_ref()?.get(dimension)?
    }
}

impl Interface {
    /// Reads the interface of the graph in a file.
    pub(crate) fn read(file: &Path) -> Result<Self, ModelError> {
        let unreadable = ModelError::unreadable(file);
        ModelError::check_exists(file)?;
        let mapped = Mapped::open(file).map_err(&unreadable)?;
        let interface = of_model(mapped.bytes()).ok().flatten();
        interface.ok_or_else(|| {
            unreadable(io::Error::new(
                io::ErrorKind::InvalidData,
                "not an ONNX graph",
            ))
        })
    }

    pub(crate) fn input(&self, name: &str) -> Option<&Port> {
        self.inputs.iter().find(|port| port.name == name)
    }

    pub(crate) fn output(&self, name: &str) -> Option<&Port> {
        self.outputs.iter().find(|port| port.name == name)
    }
}

/// Names of the inputs of the graph in a file; `None` if it is not a graph.
#[must_use]
pub fn graph_inputs(file: &Path) -> Option<Vec<String>> {
    let graph = Interface::read(file).ok()?;
    Some(graph.inputs.into_iter().map(|port| port.name).collect())
}

/// Checks that the file of a graph is complete, and so are the files with its weights. Values are
/// not read.
///
/// # Errors
/// [`ModelError`] for the file that is missing or cut short.
pub fn check_complete(file: &Path) -> Result<(), ModelError> {
    let graph = Interface::read(file)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    for (name, n_bytes) in &graph.weight_files {
        let weights = folder.join(name);
        ModelError::check_exists(&weights)?;
        let unreadable = ModelError::unreadable(&weights);
        let length = fs_err::metadata(&weights).map_err(&unreadable)?.len();
        if length < *n_bytes {
            let message = format!("{length} bytes, of which the graph needs {n_bytes}");
            return Err(unreadable(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                message,
            )));
        }
    }
    Ok(())
}

fn of_model(file: &[u8]) -> Result<Option<Interface>, Malformed> {
    let graph = last(file, &(0..file.len()), field::model::GRAPH)?;
    graph
        .map(|graph| of_graph(file, &graph.bytes()?))
        .transpose()
}

fn of_graph(file: &[u8], span: &Span) -> Result<Interface, Malformed> {
    let mut interface = Interface::default();
    let mut weights = HashSet::new();
    for field in Fields::new(file, span) {
        let field = field?;
        match field.number {
            field::graph::INITIALIZER => {
                let tensor = graph::tensor(file, field.whole.clone(), &field.bytes()?)?;
                weights.insert(tensor.name);
                if let Data::External {
                    location,
                    offset,
                    length,
                } = tensor.data
                {
                    let end = offset.saturating_add(length.unwrap_or(0));
                    let needed = interface.weight_files.entry(location.to_owned());
                    let needed = needed.or_default();
                    *needed = end.max(*needed);
                }
            }
            field::graph::INPUT => interface.inputs.push(port(file, &field.bytes()?)?),
            field::graph::OUTPUT => interface.outputs.push(port(file, &field.bytes()?)?),
            _ => {}
        }
    }
    interface
        .inputs
        .retain(|port| !weights.contains(port.name.as_str()));
    Ok(interface)
}

/// A `ValueInfoProto`: `name` = 1, type = 2, of which only `tensor_type` = 1 matters.
fn port(file: &[u8], span: &Span) -> Result<Port, Malformed> {
    let mut port = Port {
        name: graph::name_of(file, span)?.to_owned(),
        ..Port::default()
    };
    if let Some(kind) = last(file, span, 2)?
        && let Some(tensor) = last(file, &kind.bytes()?, 1)?
    {
        tensor_type(file, &tensor.bytes()?, &mut port)?;
    }
    Ok(port)
}

/// A `TypeProto.Tensor`: `elem_type` = 1, shape = 2 with its dim = 1, each with `dim_value` = 1.
fn tensor_type(file: &[u8], span: &Span, port: &mut Port) -> Result<(), Malformed> {
    for field in Fields::new(file, span) {
        let field = field?;
        match field.number {
            1 => port.data_type = field.integer()?,
            2 => {
                let mut shape = Vec::new();
                for field in Fields::new(file, &field.bytes()?) {
                    let field = field?;
                    if field.number == 1 {
                        shape.push(length(file, &field.bytes()?)?);
                    }
                }
                port.shape = Some(shape);
            }
            _ => {}
        }
    }
    Ok(())
}

/// The length of a dimension; some exporters write 0 or -1 for an open one.
fn length(file: &[u8], span: &Span) -> Result<Option<usize>, Malformed> {
    let length = last(file, span, 1)?.map(|field| field.integer());
    let length = length.transpose()?.and_then(|n| usize::try_from(n).ok());
    Ok(length.filter(|&n| n > 0 && n < 1 << 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
    }

    #[test]
    fn inputs_and_outputs_are_read_without_weights() {
        let graph = Interface::read(&data().join("clip/onnx/vision_model.onnx")).unwrap();
        let [pixels] = &graph.inputs[..] else {
            panic!("{graph:?}")
        };
        assert_eq!(pixels.name, "pixel_values");
        assert!(pixels.is_float());
        let open = [None, Some(3), Some(32), Some(32)];
        assert_eq!(pixels.shape.as_deref(), Some(&open[..]));
        let output = graph.output("image_embeds").unwrap();
        assert_eq!((output.rank(), output.fixed(1)), (Some(2), Some(24)));

        let graph = Interface::read(&data().join("plain/words_by_two.onnx")).unwrap();
        let names: Vec<&str> = graph.inputs.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["ids", "mask", "types"]);
        let ids = graph.input("ids").unwrap();
        assert!(ids.is_integer());
        assert_eq!((ids.fixed(0), ids.fixed(1)), (Some(2), Some(16)));
    }

    #[test]
    fn files_that_are_not_graphs_are_errors() {
        let good = fs_err::read(data().join("plain/words.onnx")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("g.onnx");
        assert!(matches!(
            Interface::read(&file),
            Err(ModelError::MissingFile { .. })
        ));
        let mut n_cases = 0;
        for n in (0..good.len()).step_by(97) {
            fs_err::write(&file, &good[..n]).unwrap();
            let found = Interface::read(&file);
            assert!(
                matches!(found, Err(ModelError::Unreadable { .. })),
                "{n}: {found:?}"
            );
            n_cases += 1;
        }
        assert!(n_cases > 100, "{n_cases}");
        fs_err::write(&file, "{\"not\": \"a graph\"}").unwrap();
        assert!(Interface::read(&file).is_err());
    }
}
