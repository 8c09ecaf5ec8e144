//! Memory maps of a graph's file and of the weight files beside it.

use std::io;
use std::path::{Component, Path};

use fs_err::File;
use memmap2::Mmap;

/// A file in memory. An empty one has no map.
pub(crate) struct Mapped(Option<Mmap>);

impl Mapped {
    #[allow(unsafe_code, reason = "a memory map")]
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if metadata.len() == 0 {
            return Ok(Self(None));
        }
        // SAFETY: the map is only read, as bytes of any value. If another program truncates the
        // file meanwhile, reading beyond its new end kills this process; if it changes the file,
        // a copy being written is wrong. Every map of model weights carries this risk, ONNX
        // Runtime's included.
        let map = unsafe { Mmap::map(file.file())? };
        Ok(Self(Some(map)))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

/// Whether a relative path, as a model's files name other files, stays in its folder.
pub(crate) fn stays_inside(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    !name.is_empty() && parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}
