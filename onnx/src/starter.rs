//! Which model works offline the minute the program is built?
//!
//! The starter model's files are part of the program. What it was made of is written in
//! `onnx/starter/MODEL_CARD.md`.

use std::path::Path;
use std::sync::OnceLock;

use crate::error::ModelError;
use crate::model::Model;
use crate::source::Source;
use crate::{layouts, manifest};

const MANIFEST: &str = include_str!("../starter/sightline.toml");

/// Name in the manifest, name in messages, content.
const FILES: &[(&str, &str, &[u8])] = &[
    (
        "image.onnx",
        "(built-in model) image.onnx",
        include_bytes!("../starter/image.onnx"),
    ),
    (
        "text.onnx",
        "(built-in model) text.onnx",
        include_bytes!("../starter/text.onnx"),
    ),
    (
        "tokenizer.json",
        "(built-in model) tokenizer.json",
        include_bytes!("../starter/tokenizer.json"),
    ),
];

impl Model {
    /// The model that is built into the program. It is hashed once per process.
    ///
    /// # Errors
    /// None as long as the program was built from the project's own files, which a test checks.
    pub fn starter() -> Result<Self, ModelError> {
        static STARTER: OnceLock<Model> = OnceLock::new();
        if let Some(model) = STARTER.get() {
            return Ok(model.clone());
        }
        let file = Path::new("(built-in model) sightline.toml");
        let description =
            layouts::complete_built_in(manifest::parse(MANIFEST, file)?, file, |wanted| {
                FILES
                    .iter()
                    .find(|(name, _, _)| *name == wanted)
                    .map(|&(_, name, bytes)| Source::Embedded { name, bytes })
            })?;
        let model = Self::new(description)?;
        Ok(STARTER.get_or_init(|| model).clone())
    }
}
