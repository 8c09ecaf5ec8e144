//! What is in an ONNX file, and how is another one made of it?
//!
//! An ONNX file is a protobuf message. It is read where it lies, in a memory map, and rewritten by
//! copying what stays, so that fields of newer versions of the format survive.

pub(crate) mod graph;
pub(crate) mod wire;

use std::io;
use std::path::Path;

use fs_err::File;
use memmap2::Mmap;

/// A file in memory. An empty one has no map.
pub(crate) struct Mapped(Option<Mmap>);

impl Mapped {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if metadata.len() == 0 {
            return Ok(Self(None));
        }
        // SAFETY: the map is only read, as bytes that may hold anything. A program that shortens
        // the file meanwhile ends this process, one that changes it spoils the copy being written,
        // which is the risk of every map of a model's weights; ONNX Runtime takes it too.
        let map = unsafe { Mmap::map(file.file())? };
        Ok(Self(Some(map)))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}
