//! Copies of a graph in other precisions.
//!
//! Exporters store smaller copies of a graph `X.onnx` beside it, distinguished by a suffix:
//! `X_fp16.onnx`, `X_int8.onnx`, `X_quantized.onnx`, `X_uint8.onnx`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::ModelError;
use crate::file::pointer::is_lfs_pointer;
use crate::precision::Precision;

/// Suffixes of a file name before `.onnx`; of two for the same precision, the first whose file
/// exists is run.
const SUFFIXES: [(&str, Precision); 4] = [
    ("_fp16", Precision::Fp16),
    ("_int8", Precision::Int8),
    ("_quantized", Precision::Int8),
    ("_uint8", Precision::Int8),
];

/// Splits a file name like `X_int8.onnx` into `X` and the precision that the suffix means.
fn split(graph: &Path) -> (String, Precision) {
    let stem = graph
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    for (suffix, precision) in SUFFIXES {
        if let Some(base) = stem.strip_suffix(suffix)
            && !base.is_empty()
        {
            return (base.to_owned(), precision);
        }
    }
    (stem, Precision::Fp32)
}

/// The precision that a graph's file name says; `plain` when it has no suffix.
fn of_name(graph: &Path, plain: Precision) -> Precision {
    match split(graph).1 {
        Precision::Fp32 => plain,
        precision => precision,
    }
}

/// Whether a graph exists. A git-lfs pointer in its place stands for a graph that does not.
fn is_there(graph: &Path) -> bool {
    graph.is_file() && !is_lfs_pointer(graph)
}

/// The existing copies of a graph, itself included, by precision.
///
/// `plain` is the precision of the copy without a suffix.
pub(super) fn copies(graph: &Path, plain: Precision) -> BTreeMap<Precision, PathBuf> {
    let (base, _) = split(graph);
    let mut copies = BTreeMap::new();
    // The file that was named takes precedence over others of the same precision.
    if is_there(graph) {
        copies.insert(of_name(graph, plain), graph.to_path_buf());
    }
    for (suffix, precision) in std::iter::once(("", plain)).chain(SUFFIXES) {
        let file = graph.with_file_name(format!("{base}{suffix}.onnx"));
        if !copies.contains_key(&precision) && is_there(&file) {
            copies.insert(precision, file);
        }
    }
    copies
}

/// The graphs to run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) image: PathBuf,
    pub(super) text: PathBuf,
    /// The less exact of the two.
    pub(super) precision: Precision,
}

/// The precisions that both towers have, the most exact first.
pub(crate) fn in_common(image: &Path, text: &Path, plain: Precision) -> Vec<Precision> {
    let texts = copies(text, plain);
    let images = copies(image, plain).into_keys();
    images.filter(|of| texts.contains_key(of)).collect()
}

/// Chooses the graphs of one precision. When none was asked for and the towers have none in
/// common, each gets its most exact one.
pub(super) fn choose(
    model: &str,
    image: &Path,
    text: &Path,
    plain: Precision,
    asked: Option<Precision>,
) -> Result<Chosen, ModelError> {
    let (mut images, mut texts) = (copies(image, plain), copies(text, plain));
    let missing = |file: &Path| ModelError::MissingFile {
        file: file.to_path_buf(),
    };
    let first_image = *images.keys().next().ok_or_else(|| missing(image))?;
    let first_text = *texts.keys().next().ok_or_else(|| missing(text))?;
    let both = in_common(image, text, plain);
    let named = of_name(image, plain);
    let (of_image, of_text) = match (asked, both.first()) {
        (Some(asked), _) if both.contains(&asked) => (asked, asked),
        (Some(asked), _) => {
            return Err(ModelError::NoPrecision {
                model: model.to_owned(),
                asked,
                found: both,
            });
        }
        (None, _) if is_there(image) && both.contains(&named) => (named, named),
        (None, Some(&first)) => (first, first),
        (None, None) => (first_image, first_text),
    };
    Ok(Chosen {
        image: images.remove(&of_image).ok_or_else(|| missing(image))?,
        text: texts.remove(&of_text).ok_or_else(|| missing(text))?,
        precision: of_image.max(of_text),
    })
}

/// The graph of a text tower besides the first: its copy of this precision, or its most exact one.
pub(super) fn nearest(
    graph: &Path,
    plain: Precision,
    wanted: Precision,
) -> Result<PathBuf, ModelError> {
    let mut found = copies(graph, plain);
    let chosen = match found.remove(&wanted) {
        Some(chosen) => Some(chosen),
        None => found.into_values().next(),
    };
    chosen.ok_or_else(|| ModelError::MissingFile {
        file: graph.to_path_buf(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_gives_the_precision() {
        let cases = [
            ("a/vision_model.onnx", "vision_model", Precision::Fp32),
            ("vision_model_fp16.onnx", "vision_model", Precision::Fp16),
            ("vision_model_int8.onnx", "vision_model", Precision::Int8),
            ("model_quantized.onnx", "model", Precision::Int8),
            ("model_uint8.onnx", "model", Precision::Int8),
            ("_int8.onnx", "_int8", Precision::Fp32),
        ];
        for (name, base, precision) in cases {
            let found = split(Path::new(name));
            assert_eq!(found, (base.to_owned(), precision), "{name}");
        }
    }

    #[test]
    fn copies_are_found_from_any_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["m.onnx", "m_quantized.onnx", "m_uint8.onnx", "n.onnx"] {
            fs_err::write(path(name), name).unwrap();
        }
        let found = copies(&path("m.onnx"), Precision::Fp32);
        let expected = [
            (Precision::Fp32, path("m.onnx")),
            (Precision::Int8, path("m_quantized.onnx")),
        ];
        assert_eq!(found, BTreeMap::from(expected));
        // Named explicitly, the other 8-bit file is taken.
        let found = copies(&path("m_uint8.onnx"), Precision::Fp32);
        assert_eq!(found[&Precision::Int8], path("m_uint8.onnx"));
        assert_eq!(found[&Precision::Fp32], path("m.onnx"));
        let found = copies(&path("n.onnx"), Precision::Int8);
        assert_eq!(found, BTreeMap::from([(Precision::Int8, path("n.onnx"))]));
        assert!(copies(&path("o.onnx"), Precision::Fp32).is_empty());
        let nearest = |wanted| nearest(&path("m.onnx"), Precision::Fp32, wanted).unwrap();
        assert_eq!(nearest(Precision::Int8), path("m_quantized.onnx"));
        assert_eq!(nearest(Precision::Fp16), path("m.onnx"));
        // Of a clone without the large files, those that were fetched.
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n";
        fs_err::write(path("m.onnx"), pointer).unwrap();
        let found = copies(&path("m.onnx"), Precision::Fp32);
        let expected = [(Precision::Int8, path("m_quantized.onnx"))];
        assert_eq!(found, BTreeMap::from(expected));
    }
}
