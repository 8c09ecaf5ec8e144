//! Which copies of a graph lie in a folder, and which one is run?
//!
//! Exporters put smaller copies of a graph `X.onnx` beside it and tell them apart by the end of the
//! name: `X_fp16.onnx`, `X_int8.onnx`, `X_quantized.onnx`, `X_uint8.onnx`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::ModelError;

/// Which copy of a graph is run, told by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Precision {
    /// `X.onnx`: weights of 32 bits, the reference.
    Fp32,
    /// `X_fp16.onnx`: weights of 16 bits.
    Fp16,
    /// `X_int8.onnx`, `X_quantized.onnx` or `X_uint8.onnx`, in this order: weights of 8 bits.
    Int8,
}

/// Ends of a name before `.onnx`; where two mean the same precision, the first one that exists is
/// run.
const ENDS: [(&str, Precision); 4] = [
    ("_fp16", Precision::Fp16),
    ("_int8", Precision::Int8),
    ("_quantized", Precision::Int8),
    ("_uint8", Precision::Int8),
];

impl Precision {
    /// All of them, the most exact one first.
    pub const ALL: [Self; 3] = [Self::Fp32, Self::Fp16, Self::Int8];

    /// The name on the command line: `fp32`, `fp16` or `int8`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Int8 => "int8",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Text that names no [`Precision`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no precision, it must be fp32, fp16 or int8")]
pub struct UnknownPrecision(String);

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(text: &str) -> Result<Self, UnknownPrecision> {
        let mut all = Self::ALL.into_iter();
        all.find(|precision| precision.as_str() == text)
            .ok_or_else(|| UnknownPrecision(text.to_owned()))
    }
}

/// The graph named `X` in a name like `X_int8.onnx`, and what the end says.
fn taken_apart(graph: &Path) -> (String, Precision) {
    let stem = graph
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    for (end, precision) in ENDS {
        if let Some(base) = stem.strip_suffix(end)
            && !base.is_empty()
        {
            return (base.to_owned(), precision);
        }
    }
    (stem, Precision::Fp32)
}

/// The precision that a graph's name tells; `plain` when it says nothing.
pub(crate) fn of_name(graph: &Path, plain: Precision) -> Precision {
    match taken_apart(graph).1 {
        Precision::Fp32 => plain,
        told => told,
    }
}

/// The copies of this graph that exist, it among them.
///
/// `plain` is the precision of the copy whose name says nothing.
pub(crate) fn copies(graph: &Path, plain: Precision) -> BTreeMap<Precision, PathBuf> {
    let (base, _) = taken_apart(graph);
    let mut copies = BTreeMap::new();
    // The file that was named wins over others that mean the same.
    if graph.is_file() {
        copies.insert(of_name(graph, plain), graph.to_path_buf());
    }
    for (end, precision) in std::iter::once(("", plain)).chain(ENDS) {
        let file = graph.with_file_name(format!("{base}{end}.onnx"));
        if !copies.contains_key(&precision) && file.is_file() {
            copies.insert(precision, file);
        }
    }
    copies
}

/// The graphs to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) image: PathBuf,
    pub(crate) text: PathBuf,
    /// The less exact of the two.
    pub(crate) precision: Precision,
}

/// The precisions that both towers have, the most exact one first.
pub(crate) fn in_common(image: &Path, text: &Path, plain: Precision) -> Vec<Precision> {
    let texts = copies(text, plain);
    let images = copies(image, plain).into_keys();
    images.filter(|of| texts.contains_key(of)).collect()
}

/// Settles on the graphs of one precision. Where nobody asked for one and the towers have none in
/// common, each runs its most exact one.
pub(crate) fn choose(
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
        (None, _) if image.is_file() && both.contains(&named) => (named, named),
        (None, Some(&first)) => (first, first),
        (None, None) => (first_image, first_text),
    };
    Ok(Chosen {
        image: images.remove(&of_image).ok_or_else(|| missing(image))?,
        text: texts.remove(&of_text).ok_or_else(|| missing(text))?,
        precision: of_image.max(of_text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for precision in Precision::ALL {
            assert_eq!(precision.to_string().parse(), Ok(precision));
        }
        assert!("fp8".parse::<Precision>().is_err());
        assert_eq!(format!("{:>6}", Precision::Int8), "  int8");
    }

    #[test]
    fn the_end_of_a_name_tells_the_precision() {
        let cases = [
            ("a/vision_model.onnx", "vision_model", Precision::Fp32),
            ("vision_model_fp16.onnx", "vision_model", Precision::Fp16),
            ("vision_model_int8.onnx", "vision_model", Precision::Int8),
            ("model_quantized.onnx", "model", Precision::Int8),
            ("model_uint8.onnx", "model", Precision::Int8),
            ("_int8.onnx", "_int8", Precision::Fp32),
        ];
        for (name, base, precision) in cases {
            let (found, told) = taken_apart(Path::new(name));
            assert_eq!((found.as_str(), told), (base, precision), "{name}");
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
        // Named by hand, the other file of 8 bits is the one.
        let found = copies(&path("m_uint8.onnx"), Precision::Fp32);
        assert_eq!(found[&Precision::Int8], path("m_uint8.onnx"));
        assert_eq!(found[&Precision::Fp32], path("m.onnx"));
        let found = copies(&path("n.onnx"), Precision::Int8);
        assert_eq!(found, BTreeMap::from([(Precision::Int8, path("n.onnx"))]));
        assert!(copies(&path("o.onnx"), Precision::Fp32).is_empty());
    }
}
