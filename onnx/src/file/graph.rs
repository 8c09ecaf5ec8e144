//! The parts of an ONNX file that rewriting one needs.
//!
//! Field numbers are those of `onnx.proto`,
//! <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>.

use super::wire::{Field, Fields, Malformed, Span, Value};

/// Maximum nesting of graphs inside graphs (`If`, `Loop`, `Scan`), against malicious files.
const MAX_LEVELS: usize = 16;
/// Maximum number of nodes of a file, against malicious files; large models have about ten
/// thousand.
const MAX_NODES: usize = 1 << 20;

/// Field numbers, by message.
pub(crate) mod field {
    pub(crate) mod model {
        pub(crate) const GRAPH: u64 = 7;
        pub(crate) const OPSET_IMPORT: u64 = 8;
        pub(crate) const METADATA: u64 = 14;
    }
    pub(crate) mod graph {
        pub(crate) const NODE: u64 = 1;
        pub(crate) const INITIALIZER: u64 = 5;
        pub(crate) const INPUT: u64 = 11;
        pub(crate) const OUTPUT: u64 = 12;
        pub(crate) const VALUE_INFO: u64 = 13;
    }
    pub(crate) mod node {
        pub(crate) const INPUT: u64 = 1;
        pub(crate) const OUTPUT: u64 = 2;
        pub(crate) const NAME: u64 = 3;
        pub(crate) const OP_TYPE: u64 = 4;
        pub(crate) const ATTRIBUTE: u64 = 5;
    }
    pub(crate) mod attribute {
        pub(crate) const NAME: u64 = 1;
        pub(crate) const INTEGER: u64 = 3;
        pub(crate) const GRAPH: u64 = 6;
        pub(crate) const GRAPHS: u64 = 11;
        pub(crate) const TYPE: u64 = 20;
    }
    pub(crate) mod tensor {
        pub(crate) const DIMS: u64 = 1;
        pub(crate) const DATA_TYPE: u64 = 2;
        pub(crate) const NAME: u64 = 8;
        pub(crate) const RAW_DATA: u64 = 9;
        pub(crate) const EXTERNAL_DATA: u64 = 13;
        pub(crate) const DATA_LOCATION: u64 = 14;
    }
}

/// `TensorProto.DataType`.
pub(crate) const FLOAT: i64 = 1;
pub(crate) const UINT8: i64 = 2;
pub(crate) const INT8: i64 = 3;
pub(crate) const FLOAT16: i64 = 10;

#[derive(Debug)]
pub(crate) struct ModelProto<'a> {
    pub(crate) ir_version: i64,
    /// Opset version of the standard operators; 0 if the file does not give it.
    pub(crate) opset: i64,
    pub(crate) graph: Graph<'a>,
}

#[derive(Debug, Default)]
pub(crate) struct Graph<'a> {
    pub(crate) span: Span,
    pub(crate) nodes: Vec<Node<'a>>,
    pub(crate) initializers: Vec<Tensor<'a>>,
    /// The name and the whole field of each.
    pub(crate) inputs: Vec<(&'a str, Span)>,
    pub(crate) outputs: Vec<&'a str>,
}

#[derive(Debug, Default)]
pub(crate) struct Node<'a> {
    /// The whole field, as in all structs here. Its start identifies the node.
    pub(crate) span: Span,
    pub(crate) name: &'a str,
    pub(crate) op_type: &'a str,
    pub(crate) domain: &'a str,
    pub(crate) inputs: Vec<&'a str>,
    pub(crate) outputs: Vec<&'a str>,
    pub(crate) attributes: Vec<Attribute<'a>>,
}

impl Node<'_> {
    /// Whether it is this standard operator.
    pub(crate) fn is(&self, op_type: &str) -> bool {
        self.op_type == op_type && matches!(self.domain, "" | "ai.onnx")
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&Attribute<'_>> {
        self.attributes.iter().find(|one| one.name == name)
    }

    pub(crate) fn graphs(&self) -> impl Iterator<Item = &Graph<'_>> {
        self.attributes.iter().flat_map(|one| &one.graphs)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Attribute<'a> {
    pub(crate) name: &'a str,
    pub(crate) float: Option<f32>,
    pub(crate) integer: Option<i64>,
    pub(crate) integers: Vec<i64>,
    pub(crate) tensor: Option<Tensor<'a>>,
    pub(crate) graphs: Vec<Graph<'a>>,
}

#[derive(Debug, Default)]
pub(crate) struct Tensor<'a> {
    pub(crate) span: Span,
    pub(crate) name: &'a str,
    pub(crate) dims: Vec<i64>,
    pub(crate) data_type: i64,
    pub(crate) data: Data<'a>,
}

/// Where a tensor's values are.
#[derive(Debug, Default)]
pub(crate) enum Data<'a> {
    /// In this file, little-endian.
    Raw(Span),
    /// In another file.
    External {
        location: &'a str,
        offset: u64,
        length: Option<u64>,
    },
    /// In a form that float weights do not use, or nowhere.
    #[default]
    Other,
}

pub(crate) fn read(file: &[u8]) -> Result<Option<ModelProto<'_>>, Malformed> {
    let mut reader = Reader { file, n_nodes: 0 };
    let (mut ir_version, mut opset, mut graph) = (0, 0, None);
    for field in Fields::new(file, &(0..file.len())) {
        let field = field?;
        match field.number {
            1 => ir_version = field.integer()?,
            field::model::GRAPH => {
                // Protobuf would merge two graphs; no exporter writes such a file.
                if graph.is_some() {
                    return Err(Malformed(field.whole.start));
                }
                graph = Some(reader.graph(&field.bytes()?, MAX_LEVELS)?);
            }
            field::model::OPSET_IMPORT => {
                let (mut domain, mut version) = ("", 0);
                for field in Fields::new(file, &field.bytes()?) {
                    let field = field?;
                    match field.number {
                        1 => domain = field.text(file)?,
                        2 => version = field.integer()?,
                        _ => {}
                    }
                }
                if matches!(domain, "" | "ai.onnx") {
                    opset = version;
                }
            }
            _ => {}
        }
    }
    Ok(graph.map(|graph| ModelProto {
        ir_version,
        opset,
        graph,
    }))
}

/// Whether the file's `metadata_props` have this key.
pub(crate) fn has_metadata(file: &[u8], key: &str) -> Result<bool, Malformed> {
    for field in Fields::new(file, &(0..file.len())) {
        let field = field?;
        if field.number == field::model::METADATA {
            // The value may be anything.
            if name_of(file, &field.bytes()?)? == key {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The name of a `ValueInfoProto`, or the key of an entry; empty if it has none.
pub(crate) fn name_of<'a>(file: &'a [u8], span: &Span) -> Result<&'a str, Malformed> {
    let name = last(file, span, 1)?;
    name.map_or(Ok(""), |name| name.text(file))
}

/// The field of this number in a message; the last one counts, as protobuf says.
pub(super) fn last(file: &[u8], span: &Span, number: u64) -> Result<Option<Field>, Malformed> {
    let mut last = None;
    for field in Fields::new(file, span) {
        let field = field?;
        if field.number == number {
            last = Some(field);
        }
    }
    Ok(last)
}

struct Reader<'a> {
    file: &'a [u8],
    n_nodes: usize,
}

impl<'a> Reader<'a> {
    fn graph(&mut self, span: &Span, n_levels: usize) -> Result<Graph<'a>, Malformed> {
        let n_levels = n_levels.checked_sub(1).ok_or(Malformed(span.start))?;
        let mut graph = Graph {
            span: span.clone(),
            ..Graph::default()
        };
        for field in Fields::new(self.file, span) {
            let field = field?;
            match field.number {
                field::graph::NODE => {
                    self.n_nodes += 1;
                    if self.n_nodes > MAX_NODES {
                        return Err(Malformed(field.whole.start));
                    }
                    let inner = field.bytes()?;
                    graph.nodes.push(self.node(field.whole, &inner, n_levels)?);
                }
                field::graph::INITIALIZER => {
                    let inner = field.bytes()?;
                    graph
                        .initializers
                        .push(tensor(self.file, field.whole, &inner)?);
                }
                field::graph::INPUT => {
                    let name = name_of(self.file, &field.bytes()?)?;
                    graph.inputs.push((name, field.whole));
                }
                field::graph::OUTPUT => graph.outputs.push(name_of(self.file, &field.bytes()?)?),
                _ => {}
            }
        }
        Ok(graph)
    }

    fn node(&mut self, whole: Span, inner: &Span, n_levels: usize) -> Result<Node<'a>, Malformed> {
        let mut node = Node {
            span: whole,
            ..Node::default()
        };
        for field in Fields::new(self.file, inner) {
            let field = field?;
            match field.number {
                field::node::INPUT => node.inputs.push(field.text(self.file)?),
                field::node::OUTPUT => node.outputs.push(field.text(self.file)?),
                field::node::NAME => node.name = field.text(self.file)?,
                field::node::OP_TYPE => node.op_type = field.text(self.file)?,
                field::node::ATTRIBUTE => {
                    let inner = field.bytes()?;
                    node.attributes.push(self.attribute(&inner, n_levels)?);
                }
                7 => node.domain = field.text(self.file)?,
                _ => {}
            }
        }
        Ok(node)
    }

    fn attribute(&mut self, inner: &Span, n_levels: usize) -> Result<Attribute<'a>, Malformed> {
        let mut attribute = Attribute::default();
        for field in Fields::new(self.file, inner) {
            let field = field?;
            match field.number {
                field::attribute::NAME => attribute.name = field.text(self.file)?,
                2 => {
                    if let Value::Fixed32(bytes) = field.value {
                        attribute.float = Some(f32::from_le_bytes(bytes));
                    }
                }
                field::attribute::INTEGER => attribute.integer = Some(field.integer()?),
                5 => {
                    let inner = field.bytes()?;
                    attribute.tensor = Some(tensor(self.file, field.whole, &inner)?);
                }
                field::attribute::GRAPH | field::attribute::GRAPHS => {
                    let graph = self.graph(&field.bytes()?, n_levels)?;
                    attribute.graphs.push(graph);
                }
                8 => field.integers(self.file, &mut attribute.integers)?,
                _ => {}
            }
        }
        Ok(attribute)
    }
}

/// A `TensorProto` in the field `whole`, whose content is `inner`. Its values are not read.
pub(super) fn tensor<'a>(
    file: &'a [u8],
    whole: Span,
    inner: &Span,
) -> Result<Tensor<'a>, Malformed> {
    let mut tensor = Tensor {
        span: whole,
        ..Tensor::default()
    };
    let (mut n_data, mut is_external) = (0, false);
    let (mut location, mut offset, mut length) = (None, 0, None);
    for field in Fields::new(file, inner) {
        let field = field?;
        match field.number {
            field::tensor::DIMS => field.integers(file, &mut tensor.dims)?,
            field::tensor::DATA_TYPE => tensor.data_type = field.integer()?,
            field::tensor::NAME => tensor.name = field.text(file)?,
            // Packed floats are the same bytes as raw ones. Several runs, or unpacked floats, are
            // valid but not written by any exporter.
            4 | field::tensor::RAW_DATA => {
                n_data += 1;
                if let Value::Bytes(span) = field.value {
                    tensor.data = Data::Raw(span);
                }
            }
            // A segment of a tensor, which no exporter writes.
            3 => n_data += 2,
            field::tensor::EXTERNAL_DATA => {
                let (key, value) = entry(file, &field.bytes()?)?;
                match key {
                    "location" => location = Some(value),
                    "offset" => {
                        offset = value.parse().map_err(|_| Malformed(field.whole.start))?;
                    }
                    "length" => {
                        let parsed = value.parse().map_err(|_| Malformed(field.whole.start))?;
                        length = Some(parsed);
                    }
                    _ => {}
                }
            }
            field::tensor::DATA_LOCATION => is_external = field.integer()? == 1,
            _ => {}
        }
    }
    if n_data > 1 {
        tensor.data = Data::Other;
    }
    if is_external {
        let location = location.ok_or(Malformed(tensor.span.start))?;
        tensor.data = Data::External {
            location,
            offset,
            length,
        };
    }
    Ok(tensor)
}

/// A `StringStringEntryProto`.
fn entry<'a>(file: &'a [u8], span: &Span) -> Result<(&'a str, &'a str), Malformed> {
    let (mut key, mut value) = ("", "");
    for field in Fields::new(file, span) {
        let field = field?;
        match field.number {
            1 => key = field.text(file)?,
            2 => value = field.text(file)?,
            _ => {}
        }
    }
    Ok((key, value))
}
