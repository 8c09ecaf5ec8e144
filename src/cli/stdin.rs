//! The picture in standard input.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Result, bail};

use crate::engine::{DecodeOptions, Part};

/// Standard input, where a `-` stands for the picture in it.
pub(super) struct Stdin<'a> {
    options: &'a DecodeOptions,
    is_read: bool,
}

impl<'a> Stdin<'a> {
    pub(super) fn new(options: &'a DecodeOptions) -> Self {
        let is_read = false;
        Self { options, is_read }
    }

    pub(super) fn picture(&mut self, path: &Path) -> Result<Part> {
        if path != Path::new("-") {
            return Ok(Part::picture(path));
        }
        if std::mem::replace(&mut self.is_read, true) {
            bail!("stdin holds one picture: `-` was given twice");
        }
        let mut bytes = Vec::new();
        // One byte more than is allowed, so that the decoder refuses it.
        let n_most = self.options.limits.max_bytes.saturating_add(1);
        std::io::stdin()
            .lock()
            .take(n_most)
            .read_to_end(&mut bytes)?;
        Ok(Part::bytes(bytes))
    }

    pub(super) fn part(&mut self, value: &str) -> Result<Part> {
        match value {
            "-" => self.picture(Path::new(value)),
            value => Ok(Part::parse(value)?),
        }
    }
}
