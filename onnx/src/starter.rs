//! The starter model, built into the program so that it works offline at once.
//!
//! `onnx/starter/MODEL_CARD.md` says how it was made.

use std::path::Path;
use std::sync::OnceLock;

use crate::error::ModelError;
use crate::layouts;
use crate::model::Model;
use crate::source::Source;

const MANIFEST: &str = include_str!("../starter/sightline.toml");

/// Names in the manifest, and contents.
const FILES: [(&str, &[u8]); 3] = [
    ("image.onnx", include_bytes!("../starter/image.onnx")),
    ("text.onnx", include_bytes!("../starter/text.onnx")),
    (
        "tokenizer.json",
        include_bytes!("../starter/tokenizer.json"),
    ),
];

/// [`Model::fingerprint`] of these files; a test compares them. Hashing the files at each start
/// would read all of them, and a search needs one text tower.
const FINGERPRINT: &str = "ac004f2d58384f2bb1d6f62ef176576c";

impl Model {
    /// The built-in model. Its files are not read until a tower is loaded.
    ///
    /// # Errors
    /// None if the program was built from the project's own files, which a test checks.
    pub fn starter() -> Result<Self, ModelError> {
        static STARTER: OnceLock<Model> = OnceLock::new();
        if let Some(model) = STARTER.get() {
            return Ok(model.clone());
        }
        let file = Path::new("(built-in model) sightline.toml");
        let description = layouts::describe_built_in(MANIFEST, file, |wanted| {
            let (name, bytes) = FILES.into_iter().find(|(name, _)| *name == wanted)?;
            Some(Source {
                path: format!("(built-in model) {name}").into(),
                beside: Vec::new(),
                built_in: Some(bytes),
            })
        })?;
        let model = Self::built_in(description, FINGERPRINT);
        Ok(STARTER.get_or_init(|| model).clone())
    }
}
