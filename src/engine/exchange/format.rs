//! The files of an export.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sightline_index::{Coordinates, Details};

/// Value of `format` in index.json.
pub(super) const FORMAT: &str = "sightline-export";
pub(super) const VERSION: u32 = 1;

pub(super) const ABOUT: &str = "index.json";
pub(super) const ITEMS: &str = "items.jsonl";
pub(super) const VECTORS: &str = "vectors.npy";

/// The content of index.json.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) format: String,
    pub(super) version: u32,
    pub(super) model: ModelLine,
    /// Code of the language of its words; missing in exports of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) language: Option<String>,
    pub(super) images: u64,
    pub(super) captions: u64,
    pub(super) libraries: Vec<LibraryLine>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ModelLine {
    pub(super) name: String,
    pub(super) fingerprint: String,
    pub(super) dimension: usize,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LibraryLine {
    #[serde(flatten)]
    pub(super) folder: PathText,
    pub(super) files: u64,
    pub(super) last_run_unix_s: u64,
}

/// A path as text, and as its exact bytes if it is not UTF-8.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PathText {
    pub(super) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) path_base64: Option<String>,
}

impl PathText {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_string_lossy().into_owned(),
            path_base64: path
                .to_str()
                .is_none()
                .then(|| STANDARD.encode(path.as_os_str().as_encoded_bytes())),
        }
    }

    /// The path; `None` if it is not valid on this system.
    pub(super) fn to_path(&self) -> Option<PathBuf> {
        match &self.path_base64 {
            None => Some(PathBuf::from(&self.path)),
            Some(encoded) => from_bytes(STANDARD.decode(encoded).ok()?),
        }
    }
}

#[cfg(unix)]
#[expect(
    clippy::unnecessary_wraps,
    reason = "on other systems not all bytes are a path"
)]
fn from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    Some(std::ffi::OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

/// A file of an image, in a line of items.jsonl.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FileLine {
    pub(super) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) path_base64: Option<String>,
    pub(super) bytes: u64,
    pub(super) modified_ns: i128,
}

/// The metadata of an image, in a line of items.jsonl.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DetailsLine {
    pub(super) camera: Option<String>,
    pub(super) taken: Option<String>,
    pub(super) places: Vec<String>,
    /// Latitude and longitude in degrees. This and what follows is missing where there is none, and
    /// in exports of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) position: Option<[f64; 2]>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) keywords: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) texts: Vec<String>,
}

impl DetailsLine {
    pub(super) fn new(details: &Details) -> Self {
        let Details {
            camera,
            taken,
            places,
            position,
            keywords,
            texts,
        } = details;
        Self {
            camera: camera.clone(),
            taken: taken.map(|taken| taken.to_string()),
            places: places.clone(),
            position: position.map(|at| [at.latitude(), at.longitude()]),
            keywords: keywords.clone(),
            texts: texts.clone(),
        }
    }

    pub(super) fn into_details(self) -> Result<Details, String> {
        let taken = self.taken.map(|taken| {
            let invalid = |error| format!("invalid \"taken\" {taken:?}: {error}");
            taken.parse().map_err(invalid)
        });
        let position = self.position.map(|[latitude, longitude]| {
            let invalid = || format!("invalid \"position\" [{latitude}, {longitude}]");
            Coordinates::new(latitude, longitude).ok_or_else(invalid)
        });
        Ok(Details {
            camera: self.camera,
            taken: taken.transpose()?,
            places: self.places,
            position: position.transpose()?,
            keywords: self.keywords,
            texts: self.texts,
        })
    }
}
