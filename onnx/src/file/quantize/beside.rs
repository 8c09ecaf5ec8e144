//! The weight files beside a graph.
//!
//! Files are memory-mapped, so that a graph of many gigabytes needs little memory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::error::QuantizeError;
use crate::file::graph::{Data, Tensor};
use crate::file::mapped::{Mapped, stays_inside};
use crate::file::wire::Span;

/// Where a tensor's values are.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Index of the file beside the graph; `None`: in the graph itself.
    file: Option<usize>,
    span: Span,
}

impl Place {
    pub(super) fn n_bytes(&self) -> u64 {
        self.span.len() as u64
    }
}

/// The weight files beside a graph, opened when a tensor refers to them.
pub(super) struct Beside<'a> {
    graph: &'a Path,
    files: Vec<Mapped>,
    paths: Vec<PathBuf>,
    by_location: HashMap<String, usize>,
}

impl<'a> Beside<'a> {
    pub(super) fn new(graph: &'a Path) -> Self {
        Self {
            graph,
            files: Vec::new(),
            paths: Vec::new(),
            by_location: HashMap::new(),
        }
    }

    pub(super) fn graph(&self) -> &Path {
        self.graph
    }

    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    pub(super) fn n_bytes(&self) -> u64 {
        self.files.iter().map(|one| one.bytes().len() as u64).sum()
    }

    /// The bytes at a place; `graph`: those of the graph's file.
    pub(super) fn bytes<'b>(&'b self, graph: &'b [u8], place: &Place) -> &'b [u8] {
        let file = place.file.map_or(graph, |index| self.files[index].bytes());
        &file[place.span.clone()]
    }

    /// Where the tensor's values are, which must be `n_bytes` if that is given; `None` if they have
    /// an unsupported form.
    pub(super) fn place(
        &mut self,
        tensor: &Tensor<'_>,
        n_bytes: Option<usize>,
    ) -> Result<Option<Place>, QuantizeError> {
        let (location, offset, length) = match &tensor.data {
            Data::Raw(span) => {
                return Ok(Some(Place {
                    file: None,
                    span: span.clone(),
                }));
            }
            Data::Other => return Ok(None),
            Data::External {
                location,
                offset,
                length,
            } => (*location, *offset, *length),
        };
        let graph = self.graph;
        let invalid = |reason| QuantizeError::External {
            file: graph.to_path_buf(),
            tensor: tensor.name.to_owned(),
            location: location.to_owned(),
            reason,
        };
        let index = match self.by_location.get(location) {
            Some(index) => *index,
            None => self.open(location, invalid)?,
        };
        let file_length = self.files[index].bytes().len();
        let too_short = || invalid("file too short");
        let start = usize::try_from(offset).map_err(|_| too_short())?;
        let length = match length {
            Some(length) => usize::try_from(length).map_err(|_| too_short())?,
            None => n_bytes.unwrap_or(file_length.saturating_sub(start)),
        };
        if n_bytes.is_some_and(|n| n != length) {
            return Err(invalid("the length does not match the tensor's shape"));
        }
        let end = start.checked_add(length).filter(|end| *end <= file_length);
        Ok(Some(Place {
            file: Some(index),
            span: start..end.ok_or_else(too_short)?,
        }))
    }

    fn open(
        &mut self,
        location: &str,
        invalid: impl Fn(&'static str) -> QuantizeError,
    ) -> Result<usize, QuantizeError> {
        if !stays_inside(location) {
            return Err(invalid("not inside the graph's folder"));
        }
        let folder = self.graph.parent().unwrap_or(Path::new(""));
        let path = folder.join(location);
        let file = Mapped::open(&path).map_err(QuantizeError::unreadable(&path))?;
        self.files.push(file);
        self.paths.push(path);
        let index = self.files.len() - 1;
        self.by_location.insert(location.to_owned(), index);
        Ok(index)
    }
}
