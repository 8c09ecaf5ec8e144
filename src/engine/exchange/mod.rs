//! An index as files that other programs read: vectors as NumPy, everything else as JSON lines.
//!
//! ```text
//! DIR/index.json     the model, its dimension, the library folders
//! DIR/items.jsonl    one line an item
//! DIR/vectors.npy    f32 [n, dimension]; each line names its row
//! ```

mod export;
mod import;
pub mod npy;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sightline_index::Details;

pub use export::{ExportReport, ExportRequest};
pub use import::ImportReport;

/// What the `format` of index.json says.
const FORMAT: &str = "sightline-export";
const VERSION: u32 = 1;

const ABOUT: &str = "index.json";
const ITEMS: &str = "items.jsonl";
const VECTORS: &str = "vectors.npy";

/// Why an index could not be exported or imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// There is something where the export should go.
    #[error("{}: there is something already", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// Something that is no export was to be replaced.
    #[error("{}: it is no export, so it is not replaced", path.display())]
    NotReplaced {
        /// The file or folder.
        path: PathBuf,
    },
    /// A file of an export is missing, or is not what it should be.
    #[error("{}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A line of an export contradicts the rest of it.
    #[error("{}: line {line}: {what}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
}

/// index.json.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    format: String,
    version: u32,
    model: Model,
    /// The code of the language of its words; missing in exports of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    images: u64,
    captions: u64,
    libraries: Vec<LibraryLine>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Model {
    name: String,
    fingerprint: String,
    dimension: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct LibraryLine {
    #[serde(flatten)]
    folder: PathText,
    files: u64,
    last_run_unix_s: u64,
}

/// A path as text, and as its exact bytes where it is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct PathText {
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
}

impl PathText {
    fn new(path: &std::path::Path) -> Self {
        Self {
            path: path.to_string_lossy().into_owned(),
            path_base64: path
                .to_str()
                .is_none()
                .then(|| STANDARD.encode(path.as_os_str().as_encoded_bytes())),
        }
    }

    /// The path, where this system can have such a one.
    fn to_path(&self) -> Option<PathBuf> {
        match &self.path_base64 {
            None => Some(PathBuf::from(&self.path)),
            Some(encoded) => from_bytes(STANDARD.decode(encoded).ok()?),
        }
    }
}

#[cfg(unix)]
#[expect(
    clippy::unnecessary_wraps,
    reason = "elsewhere not all bytes are a path"
)]
fn from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    Some(std::ffi::OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

/// A file in a line of items.jsonl.
#[derive(Debug, Serialize, Deserialize)]
struct FileLine {
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    bytes: u64,
    modified_ns: i128,
}

/// What the file of a picture says, in a line of items.jsonl.
#[derive(Debug, Serialize, Deserialize)]
struct DetailsLine {
    camera: Option<String>,
    taken: Option<String>,
    places: Vec<String>,
}

impl DetailsLine {
    fn new(details: &Details) -> Self {
        let Details {
            camera,
            taken,
            places,
        } = details;
        Self {
            camera: camera.clone(),
            taken: taken.map(|taken| taken.to_string()),
            places: places.clone(),
        }
    }

    fn into_details(self) -> Result<Details, String> {
        let taken = self.taken.map(|taken| {
            let wrong = |error| format!("its \"taken\" is {taken:?}: {error}");
            taken.parse().map_err(wrong)
        });
        Ok(Details {
            camera: self.camera,
            taken: taken.transpose()?,
            places: self.places,
        })
    }
}
