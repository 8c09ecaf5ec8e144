//! Writes the quantised copy to disk.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::beside::{Beside, Place};
use super::error::QuantizeError;
use super::plan::{NodePlan, Plan, Weight};
use super::weights::{self, WeightRange};
use crate::file::graph::{Data, FLOAT, Graph, INT8, ModelProto, Node, Tensor, field};
use crate::file::wire::{Fields, Malformed, Message, Piece, Rope, Span};

/// Key of the metadata entry that marks a copy as written by [`quantize`](super::quantize).
pub(super) const METADATA_KEY: &str = "sightline.quantized";
/// Tensors in a weight file start at multiples of this, so that they can be memory-mapped.
const ALIGNMENT: u64 = 4096;
/// Smaller tensors, in bytes, stay in the graph's file.
const MIN_BESIDE: u64 = 1024;

/// Bytes that are computed when they are written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Computed {
    /// The int8 matrix of a weight, by its index.
    Values(usize),
    /// Its scales.
    Scales(usize),
    /// Values from a file beside the source graph, by their index.
    Beside(usize),
}

/// The copy to write: the graph, and weights beside it when they are too large for one file.
pub(super) struct Int8Copy<'a> {
    pub(super) file: &'a [u8],
    pub(super) model: &'a ModelProto<'a>,
    pub(super) plan: &'a Plan<'a>,
    pub(super) beside: &'a Beside<'a>,
    /// Where each weight's floats are.
    pub(super) weight_places: Vec<Place>,
    /// Where the values of initializers beside the graph are, by the start of their span.
    pub(super) kept_places: HashMap<usize, Place>,
    pub(super) range: WeightRange,
    pub(super) source: &'a Path,
    pub(super) target: &'a Path,
}

/// The layout of a copy.
struct Layout {
    graph: Rope<Computed>,
    /// The parts of the weight file and their offsets, in order.
    beside: Vec<(Computed, u64)>,
    kept: Vec<Place>,
}

impl Int8Copy<'_> {
    /// Writes the copy and returns its size in bytes.
    pub(super) fn write(&self, largest_file: u64) -> Result<u64, QuantizeError> {
        let malformed = QuantizeError::malformed(self.source);
        let mut layout = self.layout(None).map_err(&malformed)?;
        let mut n_bytes = layout.graph.len;
        let mut data = None;
        let mut scales = vec![None; self.plan.weights.len()];
        let data_path = beside_path(self.target);
        if layout.graph.len > largest_file {
            let name = data_path.file_name().unwrap_or_default();
            let name = name.to_string_lossy().into_owned();
            layout = self.layout(Some(&name)).map_err(&malformed)?;
            n_bytes = layout.graph.len;
            let unwritable = QuantizeError::unwritable(&data_path);
            let mut file = AtomicFile::new(&data_path).map_err(&unwritable)?;
            let mut at = 0;
            for (part, start) in &layout.beside {
                let gap = usize::try_from(start - at).unwrap_or_default();
                file.write(&vec![0; gap]).map_err(&unwritable)?;
                let bytes = self.part(*part, &layout.kept, &mut scales)?;
                file.write(&bytes).map_err(&unwritable)?;
                at = start + bytes.len() as u64;
            }
            n_bytes += at;
            data = Some(file);
        }
        let unwritable = QuantizeError::unwritable(self.target);
        let mut file = AtomicFile::new(self.target).map_err(&unwritable)?;
        for piece in &layout.graph.pieces {
            match piece {
                Piece::Copy(span) => file.write(&self.file[span.clone()]),
                Piece::Bytes(bytes) => file.write(bytes),
                Piece::Later(part) => {
                    let bytes = self.part(*part, &layout.kept, &mut scales)?;
                    file.write(&bytes)
                }
            }
            .map_err(&unwritable)?;
        }
        let is_alone = data.is_none();
        // The weights first: a graph without its weights would be broken, but not the reverse.
        if let Some(data) = data {
            data.commit().map_err(&unwritable)?;
        }
        file.commit().map_err(&unwritable)?;
        if is_alone && data_path.exists() {
            // Left over from an earlier, larger copy.
            fs_err::remove_file(&data_path).map_err(&unwritable)?;
        }
        Ok(n_bytes)
    }

    /// The bytes of a part. A matrix's scales are computed with it and kept until they are written,
    /// since they are small and come after it.
    fn part(
        &self,
        part: Computed,
        kept: &[Place],
        scales: &mut [Option<Vec<u8>>],
    ) -> Result<std::borrow::Cow<'_, [u8]>, QuantizeError> {
        let index = match part {
            Computed::Beside(index) => {
                return Ok(self.beside.bytes(self.file, &kept[index]).into());
            }
            Computed::Scales(index) => match scales[index].take() {
                Some(bytes) => return Ok(bytes.into()),
                None => index,
            },
            Computed::Values(index) => index,
        };
        let weight = &self.plan.weights[index];
        let floats = self.beside.bytes(self.file, &self.weight_places[index]);
        let (n_rows, n_columns) = (weight.n_rows, weight.n_columns);
        let made = weights::quantize(floats, n_rows, n_columns, weight.transposed, self.range)
            .map_err(|weights::NotFinite| QuantizeError::NotFinite {
                file: self.source.to_path_buf(),
                tensor: weight.source.name.to_owned(),
            })?;
        let as_bytes = |scale: &f32| (scale * weight.alpha).to_le_bytes();
        let made_scales: Vec<u8> = made.scales.iter().flat_map(as_bytes).collect();
        Ok(if matches!(part, Computed::Scales(_)) {
            made_scales.into()
        } else {
            scales[index] = Some(made_scales);
            made.values.into()
        })
    }

    /// `data_file` is the name of the weight file for large tensors; `None` keeps them in the
    /// graph.
    fn layout(&self, data_file: Option<&str>) -> Result<Layout, Malformed> {
        let mut builder = Builder {
            copy: self,
            data_file,
            data_end: 0,
            beside: Vec::new(),
            kept: Vec::new(),
        };
        let mut rope = Rope::default();
        for field in Fields::new(self.file, &(0..self.file.len())) {
            let field = field?;
            if field.number == field::model::GRAPH {
                let graph = builder.graph(&self.model.graph, true)?;
                rope.nested(field::model::GRAPH, graph);
            } else {
                rope.copy(&field.whole);
            }
        }
        let range = match self.range {
            WeightRange::Full => "full range",
            WeightRange::SaturationFree => "free of saturation",
        };
        let entry = Message::default()
            .text(1, METADATA_KEY)
            .text(2, &format!("dynamic int8, per column, {range}"));
        rope.message(Message::default().message(field::model::METADATA, &entry));
        Ok(Layout {
            graph: rope,
            beside: builder.beside,
            kept: builder.kept,
        })
    }
}

struct Builder<'a> {
    copy: &'a Int8Copy<'a>,
    data_file: Option<&'a str>,
    data_end: u64,
    beside: Vec<(Computed, u64)>,
    kept: Vec<Place>,
}

impl Builder<'_> {
    fn graph(
        &mut self,
        graph: &Graph<'_>,
        is_outermost: bool,
    ) -> Result<Rope<Computed>, Malformed> {
        let Int8Copy { file, plan, .. } = self.copy;
        let mut rope = Rope::default();
        let mut nodes = graph.nodes.iter();
        let mut initializers = graph.initializers.iter();
        for field in Fields::new(file, &graph.span) {
            let field = field?;
            let is_dropped = plan.dropped.contains(&field.whole.start);
            match field.number {
                field::graph::NODE => {
                    let node = nodes.next().ok_or(Malformed(field.whole.start))?;
                    match plan.nodes.get(&node.span.start) {
                        Some(NodePlan::Drop) => {}
                        Some(NodePlan::Replace(message)) => rope.message(message.clone()),
                        None => self.node(node, &mut rope)?,
                    }
                }
                field::graph::INITIALIZER => {
                    let tensor = initializers.next().ok_or(Malformed(field.whole.start))?;
                    if !is_dropped {
                        self.initializer(tensor, &mut rope)?;
                    }
                }
                field::graph::INPUT if is_dropped => {}
                _ => rope.copy(&field.whole),
            }
        }
        if is_outermost {
            // Inner graphs see the names of the graphs around them.
            for (index, weight) in plan.weights.iter().enumerate() {
                self.weight(index, weight, &mut rope);
            }
            for scalar in &plan.scalars {
                let scalar = Message::default().message(field::graph::INITIALIZER, scalar);
                rope.message(scalar);
            }
        }
        Ok(rope)
    }

    /// Writes a node that stays, whose inner graphs may change.
    fn node(&mut self, node: &Node<'_>, rope: &mut Rope<Computed>) -> Result<(), Malformed> {
        if node.graphs().next().is_none() {
            rope.copy(&node.span);
            return Ok(());
        }
        let file = self.copy.file;
        let mut graphs = node.graphs();
        let mut inner = Rope::default();
        for field in Fields::new(file, &content(file, &node.span)?) {
            let field = field?;
            if field.number != field::node::ATTRIBUTE {
                inner.copy(&field.whole);
                continue;
            }
            let mut attribute = Rope::default();
            for part in Fields::new(file, &field.bytes()?) {
                let part = part?;
                if matches!(
                    part.number,
                    field::attribute::GRAPH | field::attribute::GRAPHS
                ) {
                    let graph = graphs.next().ok_or(Malformed(part.whole.start))?;
                    attribute.nested(part.number, self.graph(graph, false)?);
                } else {
                    attribute.copy(&part.whole);
                }
            }
            inner.nested(field::node::ATTRIBUTE, attribute);
        }
        rope.nested(field::graph::NODE, inner);
        Ok(())
    }

    /// Writes an initializer that stays. Values in files beside the source graph move to the copy,
    /// which must not depend on the original's files.
    fn initializer(
        &mut self,
        tensor: &Tensor<'_>,
        rope: &mut Rope<Computed>,
    ) -> Result<(), Malformed> {
        let place = self.copy.kept_places.get(&tensor.span.start);
        let (Data::External { .. }, Some(place)) = (&tensor.data, place) else {
            rope.copy(&tensor.span);
            return Ok(());
        };
        let file = self.copy.file;
        let mut inner = Rope::default();
        for field in Fields::new(file, &content(file, &tensor.span)?) {
            let field = field?;
            if !matches!(
                field.number,
                field::tensor::EXTERNAL_DATA
                    | field::tensor::DATA_LOCATION
                    | field::tensor::RAW_DATA
            ) {
                inner.copy(&field.whole);
            }
        }
        self.kept.push(place.clone());
        let part = Computed::Beside(self.kept.len() - 1);
        self.values(part, place.n_bytes(), &mut inner);
        rope.nested(field::graph::INITIALIZER, inner);
        Ok(())
    }

    fn weight(&mut self, index: usize, weight: &Weight<'_>, rope: &mut Rope<Computed>) {
        let dim = |n: usize| n.cast_signed() as i64;
        let header = |data_type, name: &str| {
            Message::default()
                .integer(field::tensor::DATA_TYPE, data_type)
                .text(field::tensor::NAME, name)
        };
        let n_columns = weight.n_columns as u64;
        let mut values = Rope::default();
        values.message(
            header(INT8, &weight.name)
                .integer(field::tensor::DIMS, dim(weight.n_rows))
                .integer(field::tensor::DIMS, dim(weight.n_columns)),
        );
        let n_values = weight.n_rows as u64 * n_columns;
        self.values(Computed::Values(index), n_values, &mut values);
        rope.nested(field::graph::INITIALIZER, values);
        let mut scales = Rope::default();
        scales.message(
            header(FLOAT, &weight.scale_name).integer(field::tensor::DIMS, dim(weight.n_columns)),
        );
        let n_bytes = n_columns * size_of::<f32>() as u64;
        scales.later(field::tensor::RAW_DATA, Computed::Scales(index), n_bytes);
        rope.nested(field::graph::INITIALIZER, scales);
    }

    /// Writes the values of a tensor, in it or in the weight file.
    fn values(&mut self, part: Computed, n_bytes: u64, tensor: &mut Rope<Computed>) {
        let Some(data_file) = self.data_file.filter(|_| n_bytes >= MIN_BESIDE) else {
            tensor.later(field::tensor::RAW_DATA, part, n_bytes);
            return;
        };
        let start = self.data_end.next_multiple_of(ALIGNMENT);
        self.data_end = start + n_bytes;
        self.beside.push((part, start));
        let mut message = Message::default();
        let entries = [
            ("location", data_file.to_owned()),
            ("offset", start.to_string()),
            ("length", n_bytes.to_string()),
        ];
        for (key, value) in entries {
            let entry = Message::default().text(1, key).text(2, &value);
            message = message.message(field::tensor::EXTERNAL_DATA, &entry);
        }
        tensor.message(message.integer(field::tensor::DATA_LOCATION, 1));
    }
}

/// The content of a field that holds a message.
fn content(file: &[u8], whole: &Span) -> Result<Span, Malformed> {
    let field = Fields::new(file, whole).next();
    field.ok_or(Malformed(whole.start))??.bytes()
}

/// The weight file of a copy that is too large for one file.
pub(super) fn beside_path(graph: &Path) -> PathBuf {
    let mut path = graph.as_os_str().to_owned();
    path.push("_data");
    path.into()
}

/// A file that appears under its name only when it is complete and synced.
struct AtomicFile {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl AtomicFile {
    fn new(path: &Path) -> io::Result<Self> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".quantizing-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As any new file, less the process's umask; a temporary file is readable only by its
            // owner.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        Ok(Self {
            file: BufWriter::with_capacity(1 << 20, builder.tempfile_in(folder)?),
            path: path.to_path_buf(),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn commit(self) -> io::Result<()> {
        let file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        // The name is durable once its folder is synced.
        #[cfg(unix)]
        if let Some(folder) = self.path.parent().filter(|one| !one.as_os_str().is_empty()) {
            fs_err::File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}
