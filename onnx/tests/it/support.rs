//! Where the test data and ONNX Runtime are, and how golden tensors are read.

#[path = "../../../tests/it/support/copy.rs"]
mod copy;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) use copy::copy_folder;
use sightline_onnx::{EncodeError, ImageTower, Model, Runtime, SessionOptions, TextTower};

pub(crate) fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// The sample pictures, which the picture package owns.
pub(crate) fn sample_pictures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../picture/tests/data/pictures")
}

/// The ONNX Runtime to test with: `ORT_DYLIB_PATH`, else in a folder above the test executable.
pub(crate) fn library() -> PathBuf {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH") {
        return PathBuf::from(path);
    }
    let name = format!(
        "{}onnxruntime{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    let executable = std::env::current_exe().unwrap();
    executable
        .ancestors()
        .skip(1)
        .map(|folder| folder.join(&name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is not beside the tests; run `make setup` first"))
}

pub(crate) fn runtime() -> Runtime {
    Runtime::open_exactly(&library()).unwrap()
}

pub(crate) fn image_tower(model: &Model) -> ImageTower {
    ImageTower::load(&runtime(), model, &SessionOptions::default()).unwrap()
}

pub(crate) fn text_tower(model: &Model) -> TextTower {
    nth_text_tower(model, 0)
}

pub(crate) fn nth_text_tower(model: &Model, n: usize) -> TextTower {
    TextTower::load_nth(&runtime(), model, n, &SessionOptions::default()).unwrap()
}

/// The error of loading the text tower of the model in a folder.
pub(crate) fn text_error(folder: &Path) -> EncodeError {
    let model = Model::open(folder).unwrap();
    let tower = TextTower::load(&runtime(), &model, &SessionOptions::default());
    tower.err().unwrap()
}

/// A copy of a tiny model's folder for a test to change.
pub(crate) fn copy_of(model: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&data().join(model), folder.path());
    folder
}

/// Replaces a text that must be in a file.
pub(crate) fn edit(file: &Path, from: &str, to: &str) {
    let text = fs_err::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from} is not in {}", file.display());
    fs_err::write(file, text.replace(from, to)).unwrap();
}

/// A copy of the tiny model `plain`, with this text of its manifest replaced.
pub(crate) fn plain_with(from: &str, to: &str) -> tempfile::TempDir {
    let folder = copy_of("plain");
    edit(&folder.path().join("sightline.toml"), from, to);
    folder
}

/// As [`edit`], for a binary file; both byte strings have the same length.
pub(crate) fn edit_bytes(file: &Path, from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs_err::read(file).unwrap();
    let mut n_found = 0;
    for at in 0..=bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
            n_found += 1;
        }
    }
    assert!(n_found > 0, "it is not in {}", file.display());
    fs_err::write(file, bytes).unwrap();
}

/// An error and all its causes, one line each.
pub(crate) fn chain(error: &dyn std::error::Error) -> Vec<String> {
    let mut lines = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        lines.push(error.to_string());
        cause = error.source();
    }
    lines
}

/// Tensors in the safetensors format: a length, a JSON table, the bytes.
pub(crate) struct Tensors {
    table: BTreeMap<String, serde_json::Value>,
    bytes: Vec<u8>,
}

impl Tensors {
    pub(crate) fn read(file: &Path) -> Self {
        let bytes = fs_err::read(file).unwrap();
        let n = usize::try_from(u64::from_le_bytes(*bytes.first_chunk().unwrap())).unwrap();
        Self {
            table: serde_json::from_slice(&bytes[8..8 + n]).unwrap(),
            bytes: bytes[8 + n..].to_vec(),
        }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.table.keys().map(String::as_str)
    }

    pub(crate) fn shape(&self, name: &str) -> Vec<u32> {
        serde_json::from_value(self.table[name]["shape"].clone()).unwrap()
    }

    pub(crate) fn u8s(&self, name: &str) -> &[u8] {
        assert_eq!(self.table[name]["dtype"], "U8");
        self.raw(name)
    }

    pub(crate) fn f32s(&self, name: &str) -> Vec<f32> {
        assert_eq!(self.table[name]["dtype"], "F32");
        let (values, rest) = self.raw(name).as_chunks();
        assert!(rest.is_empty());
        values
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect()
    }

    fn raw(&self, name: &str) -> &[u8] {
        let range: [usize; 2] =
            serde_json::from_value(self.table[name]["data_offsets"].clone()).unwrap();
        &self.bytes[range[0]..range[1]]
    }
}

/// A text, its token ids, and the number of tokens beyond the context length.
pub(crate) type GoldenText = (String, Vec<u32>, usize);

/// The golden texts of one model in a listing.
pub(crate) fn golden_texts(model: &serde_json::Value) -> Vec<GoldenText> {
    let one = |text: &serde_json::Value| {
        // The longest text is not stored.
        let words = text["text"]
            .as_str()
            .map_or_else(|| "word ".repeat(10_000), str::to_owned);
        let ids = serde_json::from_value(text["ids"].clone()).unwrap();
        let n_dropped = serde_json::from_value(text["n_dropped"].clone()).unwrap();
        (words, ids, n_dropped)
    };
    model["texts"].as_array().unwrap().iter().map(one).collect()
}

pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(&x, &y)| f64::from(x) * f64::from(y))
            .sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The least cosine to fp32 that int8 weights of the full range must reach. x86-64 processors
/// without VNNI add pairs of products in 16 bits, where such weights overflow: ONNX Runtime
/// saturates the sums (`reduce_range` in its documentation of quantisation). Weights of the smaller
/// range, the default of `quantize`, are equally exact on every processor.
pub(crate) fn least_of_full_range() -> f64 {
    #[cfg(target_arch = "x86_64")]
    if !(is_x86_feature_detected!("avx512vnni") || is_x86_feature_detected!("avxvnni")) {
        return 0.9;
    }
    0.99
}
