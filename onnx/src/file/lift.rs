//! Takes the large weights out of a graph that is in memory, so that they become inputs.
//!
//! ONNX Runtime copies the weights of a graph twice while it loads it: out of the message, and into
//! tensors. Of a graph that is run once, this takes most of the time. An input is read where it is.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use super::graph::{self, Data, Graph, INT8, UINT8, field};
use super::wire::{Fields, Malformed, Message, Piece, Rope, Span};

/// Smaller weights stay in the graph.
const MIN_BYTES: usize = 16 * 1024;

/// Operators that treat a weight and an input alike. Others, such as products of matrices, arrange
/// constant weights when they are loaded, and their results may differ in rounding.
const READ_IN_PLACE: [&str; 3] = ["Cast", "Flatten", "Gather"];

/// A graph without its large weights, which are inputs of it.
#[derive(Debug)]
pub(crate) struct Lifted {
    /// An ONNX file.
    pub(crate) graph: Vec<u8>,
    pub(crate) weights: Vec<LiftedWeight>,
}

/// A weight of 8-bit integers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LiftedWeight {
    /// Name of the input.
    pub(crate) name: String,
    pub(crate) dims: Vec<i64>,
    pub(crate) is_signed: bool,
    /// Where its values are in the file that it was taken from.
    pub(crate) span: Span,
}

/// The graph in `file` without its large 8-bit weights; `None` if it has none, and for invalid
/// files, whose error ONNX Runtime reports. Weights of more bits might not be aligned in the file.
pub(crate) fn weights_to_inputs(file: &[u8]) -> Option<Lifted> {
    lift(file).ok()?
}

fn lift(file: &[u8]) -> Result<Option<Lifted>, Malformed> {
    let Some(model) = graph::read(file)? else {
        return Ok(None);
    };
    let weights = liftable(&model.graph);
    if weights.is_empty() {
        return Ok(None);
    }
    let mut rope: Rope<Infallible> = Rope::default();
    for field in Fields::new(file, &(0..file.len())) {
        let field = field?;
        if field.number == field::model::GRAPH {
            let inner = without(file, &model.graph, &weights)?;
            rope.nested(field::model::GRAPH, inner);
        } else {
            rope.copy(&field.whole);
        }
    }
    let mut graph = Vec::new();
    for piece in rope.pieces {
        match piece {
            Piece::Copy(span) => graph.extend_from_slice(&file[span]),
            Piece::Bytes(bytes) => graph.extend_from_slice(&bytes),
            Piece::Later(never) => match never {},
        }
    }
    Ok(Some(Lifted { graph, weights }))
}

/// The weights that can be inputs, in the order of the file.
fn liftable(graph: &Graph<'_>) -> Vec<LiftedWeight> {
    let mut kept: HashSet<&str> = graph.outputs.iter().copied().collect();
    kept.extend(graph.inputs.iter().map(|(name, _)| *name));
    keep_others(graph, &mut kept);
    let mut n_named: HashMap<&str, usize> = HashMap::new();
    for tensor in &graph.initializers {
        *n_named.entry(tensor.name).or_default() += 1;
    }
    let tensors = graph.initializers.iter();
    let weights = tensors.filter_map(|tensor| {
        let Data::Raw(span) = &tensor.data else {
            return None;
        };
        let sides = tensor.dims.iter().map(|&side| usize::try_from(side).ok());
        let n_values = sides.reduce(|a, b| a?.checked_mul(b?)).flatten()?;
        let is_lifted = matches!(tensor.data_type, INT8 | UINT8)
            && span.len() >= MIN_BYTES
            && span.len() == n_values
            && n_named.get(tensor.name) == Some(&1)
            && !kept.contains(tensor.name);
        is_lifted.then(|| LiftedWeight {
            name: tensor.name.to_owned(),
            dims: tensor.dims.clone(),
            is_signed: tensor.data_type == INT8,
            span: span.clone(),
        })
    });
    weights.collect()
}

/// Adds the names that other operators than [`READ_IN_PLACE`] read, or graphs inside of nodes.
fn keep_others<'a>(graph: &'a Graph<'a>, kept: &mut HashSet<&'a str>) {
    for node in &graph.nodes {
        if !READ_IN_PLACE.iter().any(|op_type| node.is(op_type)) {
            kept.extend(&node.inputs);
        }
        for inner in node.graphs() {
            kept.extend(inner.nodes.iter().flat_map(|node| &node.inputs));
            kept.extend(&inner.outputs);
            keep_others(inner, kept);
        }
    }
}

/// The content of the graph with inputs in place of these weights.
fn without(
    file: &[u8],
    graph: &Graph<'_>,
    weights: &[LiftedWeight],
) -> Result<Rope<Infallible>, Malformed> {
    let lifted: HashSet<&str> = weights.iter().map(|weight| weight.name.as_str()).collect();
    let mut tensors = graph.initializers.iter();
    let mut rope = Rope::default();
    for field in Fields::new(file, &graph.span) {
        let field = field?;
        if field.number == field::graph::INITIALIZER {
            let tensor = tensors.next().ok_or(Malformed(field.whole.start))?;
            if lifted.contains(tensor.name) {
                continue;
            }
        }
        rope.copy(&field.whole);
    }
    for weight in weights {
        let input = Message::default().message(field::graph::INPUT, &input(weight));
        rope.message(input);
    }
    Ok(rope)
}

/// A `ValueInfoProto`.
fn input(weight: &LiftedWeight) -> Message {
    let dims = weight.dims.iter();
    let shape = dims.fold(Message::default(), |shape, &side| {
        shape.message(1, &Message::default().integer(1, side))
    });
    let element = if weight.is_signed { INT8 } else { UINT8 };
    let tensor = Message::default().integer(1, element).message(2, &shape);
    let kind = Message::default().message(1, &tensor);
    Message::default().text(1, &weight.name).message(2, &kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, data_type: i64, dims: &[i64], n_bytes: usize) -> Message {
        let dims = dims.iter();
        let tensor = dims.fold(Message::default(), |tensor, &side| {
            tensor.integer(field::tensor::DIMS, side)
        });
        tensor
            .integer(field::tensor::DATA_TYPE, data_type)
            .text(field::tensor::NAME, name)
            .bytes(field::tensor::RAW_DATA, &vec![7; n_bytes])
    }

    fn node(op_type: &str, input: &str, output: &str) -> Message {
        Message::default()
            .text(field::node::INPUT, input)
            .text(field::node::OUTPUT, output)
            .text(field::node::OP_TYPE, op_type)
    }

    /// A model of these nodes and weights, whose output is `out`.
    fn model(nodes: &[Message], tensors: &[Message]) -> Vec<u8> {
        let output = Message::default().text(1, "out");
        let mut graph = Message::default().message(field::graph::OUTPUT, &output);
        for node in nodes {
            graph = graph.message(field::graph::NODE, node);
        }
        for tensor in tensors {
            graph = graph.message(field::graph::INITIALIZER, tensor);
        }
        let model = Message::default().integer(1, 8);
        model.message(field::model::GRAPH, &graph).0
    }

    #[test]
    fn large_8_bit_weights_become_inputs_with_their_bytes() {
        let nodes = [
            node("Cast", "signed", "a"),
            node("Gather", "unsigned", "b"),
            node("Cast", "small", "c"),
            node("Cast", "float", "d"),
            node("MatMulNBits", "packed", "e"),
            node("Cast", "both", "f"),
            node("MatMulInteger", "both", "g"),
            node("Cast", "wrong size", "h"),
        ];
        let n = 128 * 256;
        let tensors = [
            tensor("signed", INT8, &[128, 256], n),
            tensor("unsigned", UINT8, &[64, 512], n),
            tensor("small", INT8, &[8], 8),
            tensor("float", graph::FLOAT, &[128, 64], n),
            tensor("packed", UINT8, &[128, 256], n),
            tensor("both", INT8, &[128, 256], n),
            tensor("wrong size", INT8, &[128, 255], n),
        ];
        let file = model(&nodes, &tensors);
        let lifted = weights_to_inputs(&file).unwrap();
        let weights: Vec<_> = lifted
            .weights
            .iter()
            .map(|weight| (weight.name.as_str(), &weight.dims[..], weight.is_signed))
            .collect();
        let expected = [
            ("signed", &[128, 256][..], true),
            ("unsigned", &[64, 512][..], false),
        ];
        assert_eq!(weights, expected);
        for weight in &lifted.weights {
            assert!(file[weight.span.clone()].iter().all(|&byte| byte == 7));
            assert_eq!(weight.span.len(), n);
        }
        let read = graph::read(&lifted.graph).unwrap().unwrap();
        assert_eq!(read.ir_version, 8);
        let inputs: Vec<&str> = read.graph.inputs.iter().map(|(name, _)| *name).collect();
        assert_eq!(inputs, ["signed", "unsigned"]);
        let left: Vec<&str> = read.graph.initializers.iter().map(|one| one.name).collect();
        assert_eq!(left, ["small", "float", "packed", "both", "wrong size"]);
        assert_eq!(read.graph.nodes.len(), nodes.len());
        assert_eq!(read.graph.outputs, ["out"]);
    }

    #[test]
    fn a_graph_without_such_weights_stays_as_it_is() {
        let n = MIN_BYTES;
        let side = i64::try_from(n).unwrap();
        let of = |name: &str| {
            model(
                &[node("Cast", name, "a")],
                &[tensor(name, INT8, &[side], n)],
            )
        };
        assert!(weights_to_inputs(&of("weight")).is_some());
        // An output of the graph cannot be an input too.
        let files = [of("out"), b"not a model".to_vec(), Vec::new()];
        for file in &files {
            assert!(weights_to_inputs(file).is_none());
        }
        assert_eq!(files.len(), 3);
    }
}
