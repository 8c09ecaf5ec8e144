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
const FILES: &[(&str, &[u8])] = &[
    ("image.onnx", include_bytes!("../starter/image.onnx")),
    ("text.onnx", include_bytes!("../starter/text.onnx")),
    (
        "tokenizer.json",
        include_bytes!("../starter/tokenizer.json"),
    ),
    (
        "text-other.onnx",
        include_bytes!("../starter/text-other.onnx"),
    ),
    (
        "tokenizer-other.json",
        include_bytes!("../starter/tokenizer-other.json"),
    ),
];

/// [`Model::fingerprint`] of these files; a test compares them. Hashing the files at each start
/// would read all of them, and a search needs one text tower.
const FINGERPRINT: &str = "aa8048ea8fe6a19f08256f302f771d00";

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
            let (name, bytes) = FILES.iter().find(|(name, _)| *name == wanted)?;
            Some(Source {
                path: format!("(built-in model) {name}").into(),
                beside: Vec::new(),
                built_in: Some(*bytes),
            })
        })?;
        let model = Self::built_in(description, FINGERPRINT);
        Ok(STARTER.get_or_init(|| model).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Runtime, SessionOptions};
    use crate::text::TextTower;

    /// The model in a test folder as if it were built in.
    fn as_built_in(folder: &Path) -> Model {
        let manifest = fs_err::read_to_string(folder.join("sightline.toml")).unwrap();
        let locate = |name: &str| {
            let bytes = fs_err::read(folder.join(name)).ok()?;
            Some(Source {
                path: format!("(built-in model) {name}").into(),
                beside: Vec::new(),
                built_in: Some(bytes.leak()),
            })
        };
        let file = Path::new("(built-in model) sightline.toml");
        let description = layouts::describe_built_in(&manifest, file, locate).unwrap();
        let fingerprint = description.fingerprint().unwrap();
        Model::built_in(description, &fingerprint)
    }

    #[test]
    fn a_built_in_model_may_have_several_text_towers() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/towers");
        let (built_in, on_disk) = (as_built_in(&folder), Model::open(&folder).unwrap());
        assert_eq!(built_in.fingerprint(), on_disk.fingerprint());
        assert_eq!(built_in.text_languages(), on_disk.text_languages());
        assert_eq!(built_in.n_bytes().unwrap(), on_disk.n_bytes().unwrap());
        assert!(built_in.files().is_empty() && built_in.graphs().is_empty());
        let runtime = Runtime::open_exactly(&library()).unwrap();
        let options = SessionOptions::default();
        let mut n_equal = 0;
        for n in 0..2 {
            let encode = |model| {
                let mut tower = TextTower::load_nth(&runtime, model, n, &options).unwrap();
                tower.encode(&["两只猫", "un bus rouge"]).unwrap()
            };
            for (a, b) in encode(&built_in).iter().zip(&encode(&on_disk)) {
                assert_eq!(a.as_slice(), b.as_slice());
                n_equal += 1;
            }
        }
        assert_eq!(n_equal, 4);
    }

    /// As the integration tests find it.
    fn library() -> std::path::PathBuf {
        if let Some(path) = std::env::var_os("ORT_DYLIB_PATH") {
            return path.into();
        }
        let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        let name = format!("{prefix}onnxruntime{suffix}");
        let executable = std::env::current_exe().unwrap();
        let mut places = executable.ancestors().map(|folder| folder.join(&name));
        places.find(|path| path.is_file()).unwrap()
    }
}
