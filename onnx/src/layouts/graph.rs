//! What does a graph take and give, without loading it?
//!
//! A walk over the protocol buffer of an ONNX file (onnx.proto3, `ModelProto`) that reads the names,
//! types and shapes of inputs and outputs and skips all else, so that even a graph of gigabytes
//! costs a few reads.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::Path;

use crate::error::ModelError;

/// What lies between towers and their users: the names in a graph's own order.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
    /// The files beside the graph that hold weights, as the graph names them.
    pub(crate) beside: BTreeSet<String>,
}

/// An input or output that is a tensor.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Port {
    pub(crate) name: String,
    /// `TensorProto.DataType`.
    kind: u64,
    /// Length of each dimension, `None` where the graph leaves it open; no shape: not said.
    pub(crate) shape: Option<Vec<Option<usize>>>,
}

impl Port {
    /// 32-bit, 16-bit or 64-bit floating point numbers.
    pub(crate) fn is_float(&self) -> bool {
        matches!(self.kind, 1 | 10 | 11)
    }

    pub(crate) fn is_integer(&self) -> bool {
        matches!(self.kind, 6 | 7)
    }

    pub(crate) fn rank(&self) -> Option<usize> {
        self.shape.as_ref().map(Vec::len)
    }

    /// The length of a dimension when the graph fixes it.
    pub(crate) fn fixed(&self, dimension: usize) -> Option<usize> {
        *self.shape.as_ref()?.get(dimension)?
    }
}

impl Graph {
    /// Reads inputs and outputs. Weights that old exporters list among the inputs are left out.
    pub(crate) fn read(file: &Path) -> Result<Self, ModelError> {
        let unreadable = |source| ModelError::Unreadable {
            file: file.to_path_buf(),
            source,
        };
        if !file.is_file() {
            return Err(ModelError::MissingFile {
                file: file.to_path_buf(),
            });
        }
        let reader = fs_err::File::open(file).map_err(unreadable)?;
        let n_bytes = reader.metadata().map_err(unreadable)?.len();
        let mut walk = Walk {
            reader: BufReader::new(reader),
            at: 0,
        };
        match walk.model(n_bytes) {
            Ok(Some(graph)) => Ok(graph),
            Ok(None) => Err(unreadable(broken())),
            Err(error) => Err(unreadable(error)),
        }
    }

    pub(crate) fn input(&self, name: &str) -> Option<&Port> {
        self.inputs.iter().find(|port| port.name == name)
    }

    pub(crate) fn output(&self, name: &str) -> Option<&Port> {
        self.outputs.iter().find(|port| port.name == name)
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is not an ONNX graph")
}

/// One field of a message.
enum Field {
    Number(u64),
    /// So many bytes follow.
    Bytes(u64),
    /// Of fixed size, and skipped already.
    Skipped,
}

/// What is wanted of a `TensorProto`.
#[derive(Default)]
struct Weight {
    name: String,
    /// The file that its values are in, when that is not the graph's own.
    beside: Option<String>,
}

struct Walk<R> {
    reader: R,
    at: u64,
}

/// No name, and no description of an input, is longer; what claims to be is broken.
const MAX_BYTES: u64 = 1 << 20;

impl<R: Read + Seek> Walk<R> {
    fn model(&mut self, end: u64) -> io::Result<Option<Graph>> {
        let mut graph = None;
        while self.at < end {
            match self.field(end)? {
                (7, Field::Bytes(n)) => graph = Some(self.graph(self.at + n)?),
                (_, field) => self.skip(&field)?,
            }
        }
        Ok(graph)
    }

    fn graph(&mut self, end: u64) -> io::Result<Graph> {
        let mut graph = Graph::default();
        let mut weights = HashSet::new();
        while self.at < end {
            match self.field(end)? {
                (5, Field::Bytes(n)) => {
                    let weight = self.weight(self.at + n)?;
                    weights.insert(weight.name);
                    graph.beside.extend(weight.beside);
                }
                (11, Field::Bytes(n)) => graph.inputs.push(self.port(n)?),
                (12, Field::Bytes(n)) => graph.outputs.push(self.port(n)?),
                (_, field) => self.skip(&field)?,
            }
        }
        graph.inputs.retain(|port| !weights.contains(&port.name));
        Ok(graph)
    }

    /// A `TensorProto`, of which the values are skipped.
    fn weight(&mut self, end: u64) -> io::Result<Weight> {
        let mut weight = Weight::default();
        let (mut location, mut is_beside) = (None, false);
        while self.at < end {
            match self.field(end)? {
                (8, Field::Bytes(n)) => weight.name = self.text(n)?,
                (13, Field::Bytes(n)) => {
                    let (mut key, mut value) = (String::new(), String::new());
                    each_field(&self.bytes(n)?, |number, _, bytes| {
                        let text = || String::from_utf8_lossy(bytes).into_owned();
                        match number {
                            1 => key = text(),
                            2 => value = text(),
                            _ => {}
                        }
                        Ok(())
                    })?;
                    if key == "location" {
                        location = Some(value);
                    }
                }
                (14, Field::Number(place)) => is_beside = place == 1,
                (_, field) => self.skip(&field)?,
            }
        }
        weight.beside = location.filter(|_| is_beside);
        Ok(weight)
    }

    /// A `ValueInfoProto` of `n` bytes.
    fn port(&mut self, n: u64) -> io::Result<Port> {
        let bytes = self.bytes(n)?;
        let mut port = Port::default();
        each_field(&bytes, |number, field, bytes| {
            match (number, field) {
                (1, _) => port.name = String::from_utf8_lossy(bytes).into_owned(),
                // TypeProto, of which only tensors matter: tensor_type = 1.
                (2, _) => each_field(bytes, |number, _, bytes| match number {
                    1 => tensor_type(bytes, &mut port),
                    _ => Ok(()),
                })?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(port)
    }

    fn text(&mut self, n: u64) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&self.bytes(n)?).into_owned())
    }

    fn bytes(&mut self, n: u64) -> io::Result<Vec<u8>> {
        if n > MAX_BYTES {
            return Err(broken());
        }
        let mut bytes = Vec::new();
        self.reader.by_ref().take(n).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != n {
            return Err(broken());
        }
        self.at += n;
        Ok(bytes)
    }

    fn skip(&mut self, field: &Field) -> io::Result<()> {
        if let Field::Bytes(n) = field {
            self.seek(*n)?;
        }
        Ok(())
    }

    fn seek(&mut self, n: u64) -> io::Result<()> {
        let offset = i64::try_from(n).map_err(|_| broken())?;
        self.reader.seek_relative(offset)?;
        self.at += n;
        Ok(())
    }

    /// The next field's number and kind. None of it reaches beyond `end`.
    fn field(&mut self, end: u64) -> io::Result<(u64, Field)> {
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Number(self.varint()?),
            1 => {
                self.seek(8)?;
                Field::Skipped
            }
            2 => Field::Bytes(self.varint()?),
            5 => {
                self.seek(4)?;
                Field::Skipped
            }
            _ => return Err(broken()),
        };
        let length = match field {
            Field::Bytes(n) => n,
            _ => 0,
        };
        if self.at.checked_add(length).is_none_or(|last| last > end) {
            return Err(broken());
        }
        Ok((tag >> 3, field))
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.reader.read_exact(&mut byte).map_err(|_| broken())?;
            self.at += 1;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(broken())
    }
}

/// Calls `take` with each field of a message: its number, its value when it is a number, its
/// content when it is bytes.
fn each_field(
    message: &[u8],
    mut take: impl FnMut(u64, Option<u64>, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let end = message.len() as u64;
    let mut walk = Walk {
        reader: Cursor::new(message),
        at: 0,
    };
    while walk.at < end {
        match walk.field(end)? {
            (number, Field::Number(value)) => take(number, Some(value), &[])?,
            (number, Field::Bytes(n)) => take(number, None, &walk.bytes(n)?)?,
            (_, Field::Skipped) => {}
        }
    }
    Ok(())
}

/// `TypeProto.Tensor`: `elem_type` = 1, shape = 2 with its dim = 1, each with `dim_value` = 1.
fn tensor_type(bytes: &[u8], port: &mut Port) -> io::Result<()> {
    each_field(bytes, |number, value, bytes| {
        match (number, value) {
            (1, Some(kind)) => port.kind = kind,
            (2, None) => {
                let mut shape = Vec::new();
                each_field(bytes, |number, _, bytes| {
                    if number == 1 {
                        let mut length = None;
                        each_field(bytes, |number, value, _| {
                            if number == 1 {
                                length = value.and_then(|n| usize::try_from(n).ok());
                            }
                            Ok(())
                        })?;
                        // Some exporters write 0 or -1 for a dimension that is left open.
                        shape.push(length.filter(|&n| n > 0 && n < 1 << 32));
                    }
                    Ok(())
                })?;
                port.shape = Some(shape);
            }
            _ => {}
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
    }

    #[test]
    fn inputs_and_outputs_are_read_without_the_weights() {
        let graph = Graph::read(&data().join("clip/onnx/vision_model.onnx")).unwrap();
        let [pixels] = &graph.inputs[..] else {
            panic!("{graph:?}")
        };
        assert_eq!(pixels.name, "pixel_values");
        assert!(pixels.is_float());
        let open = [None, Some(3), Some(32), Some(32)];
        assert_eq!(pixels.shape.as_deref(), Some(&open[..]));
        let output = graph.output("image_embeds").unwrap();
        assert_eq!((output.rank(), output.fixed(1)), (Some(2), Some(24)));

        let graph = Graph::read(&data().join("plain/words_by_two.onnx")).unwrap();
        let names: Vec<&str> = graph.inputs.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["ids", "mask", "types"]);
        let ids = graph.input("ids").unwrap();
        assert!(ids.is_integer());
        assert_eq!((ids.fixed(0), ids.fixed(1)), (Some(2), Some(16)));
    }

    #[test]
    fn what_is_no_graph_is_an_error() {
        let good = fs_err::read(data().join("plain/words.onnx")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("g.onnx");
        assert!(matches!(
            Graph::read(&file),
            Err(ModelError::MissingFile { .. })
        ));
        let mut n_cases = 0;
        for n in (0..good.len()).step_by(97) {
            fs_err::write(&file, &good[..n]).unwrap();
            let found = Graph::read(&file);
            assert!(
                matches!(found, Err(ModelError::Unreadable { .. })),
                "{n}: {found:?}"
            );
            n_cases += 1;
        }
        assert!(n_cases > 100, "{n_cases}");
        fs_err::write(&file, "{\"not\": \"a graph\"}").unwrap();
        assert!(Graph::read(&file).is_err());
    }
}
