//! `manifest.json`: the identity of an index, the model that made its vectors, and the folder of
//! its data.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::layout::{Layout, data_number};
use crate::atomic;
use crate::error::IndexError;

/// The index format that this program writes.
pub(crate) const FORMAT: u32 = 3;

/// The oldest format that it reads. Writers upgrade it.
pub(crate) const OLDEST_FORMAT: u32 = 1;

/// The model that made the vectors of an index. The fields are keys of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The dimension of the vectors.
    pub dimension: usize,
    /// A hash of the model's files and its preprocessing. Vectors of different fingerprints cannot
    /// be compared.
    pub fingerprint: String,
    /// The model's name, for messages.
    pub model: String,
}

/// The model that made the index in a folder, or none when there is no index. Reads one small file.
///
/// # Errors
/// When the manifest cannot be read, is damaged, or has an unsupported format.
pub fn binding(dir: &Path) -> Result<Option<Binding>, IndexError> {
    let manifest = Manifest::read(&Layout::new(dir))?;
    Ok(manifest.map(|manifest| manifest.binding))
}

/// The content of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    /// 32 random hex digits, repeated in the graphs and the word index.
    index_id: String,
    /// The folder of the data inside the index folder; empty for the index folder itself, as in
    /// format 1.
    #[serde(default)]
    pub(crate) data: String,
    #[serde(flatten)]
    pub(crate) binding: Binding,
}

/// The part that is the same in all formats.
#[derive(Deserialize)]
struct AnyFormat {
    format: u32,
}

impl Manifest {
    pub(crate) fn new(binding: &Binding) -> Self {
        // The standard library seeds its hash tables with random numbers of the operating system.
        let random = || RandomState::new().build_hasher().finish();
        Self {
            format: FORMAT,
            index_id: format!("{:016x}{:016x}", random(), random()),
            data: String::new(),
            binding: binding.clone(),
        }
    }

    /// Reads the manifest of an index, or none when it is missing.
    pub(crate) fn read(layout: &Layout) -> Result<Option<Self>, IndexError> {
        let path = layout.manifest();
        match fs_err::read(&path) {
            Ok(bytes) => Self::parse(layout, &bytes).map(Some),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(source) => Err(IndexError::Io { path, source }),
        }
    }

    pub(crate) fn parse(layout: &Layout, bytes: &[u8]) -> Result<Self, IndexError> {
        let damaged = || IndexError::Damaged {
            path: layout.manifest(),
            what: "it is not a valid manifest",
        };
        let AnyFormat { format: found } = serde_json::from_slice(bytes).map_err(|_| damaged())?;
        let dir = || layout.dir().to_owned();
        if found > FORMAT {
            return Err(IndexError::NewerFormat {
                dir: dir(),
                found,
                supported: FORMAT,
            });
        }
        if found < OLDEST_FORMAT {
            return Err(IndexError::OlderFormat {
                dir: dir(),
                found,
                supported: OLDEST_FORMAT,
            });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(|_| damaged())?;
        let is_sound = manifest.parse_id().is_some()
            && manifest.binding.dimension > 0
            && data_number(&manifest.data).is_some();
        if is_sound {
            Ok(manifest)
        } else {
            Err(damaged())
        }
    }

    /// The same manifest in the newest format.
    pub(crate) fn upgraded(&self) -> Self {
        Self {
            format: FORMAT,
            ..self.clone()
        }
    }

    /// The same index with its data in another folder.
    pub(crate) fn moved_to(&self, data: &str) -> Self {
        Self {
            data: data.to_owned(),
            ..self.upgraded()
        }
    }

    /// The number of the folder of the data.
    pub(crate) fn data_number(&self) -> u32 {
        data_number(&self.data).unwrap_or(super::layout::FIRST_DATA)
    }

    pub(crate) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Replaces the manifest of an index.
    pub(crate) fn write(&self, layout: &Layout) -> Result<(), IndexError> {
        let path = layout.manifest();
        self.to_bytes()
            .and_then(|bytes| atomic::write(&path, &bytes))
            .map_err(|source| IndexError::writing(layout.dir(), &path, source))
    }

    pub(crate) fn index_id(&self) -> [u8; 16] {
        self.parse_id().unwrap_or_default()
    }

    fn parse_id(&self) -> Option<[u8; 16]> {
        if self.index_id.len() != 32 {
            return None;
        }
        Some(u128::from_str_radix(&self.index_id, 16).ok()?.to_be_bytes())
    }

    /// Refuses a model whose vectors cannot be compared with those of the index.
    pub(crate) fn check_binding(&self, dir: &Path, asked: &Binding) -> Result<(), IndexError> {
        let own = &self.binding;
        if own.dimension != asked.dimension {
            return Err(IndexError::OtherDimension {
                dir: dir.to_owned(),
                built_with: own.dimension,
                model: own.model.clone(),
                asked: asked.dimension,
                asked_model: asked.model.clone(),
            });
        }
        if own.fingerprint != asked.fingerprint {
            let same_name = own.model == asked.model;
            let name = |binding: &Binding| {
                if same_name {
                    format!("{} ({})", binding.model, binding.fingerprint)
                } else {
                    binding.model.clone()
                }
            };
            return Err(IndexError::OtherModel {
                dir: dir.to_owned(),
                built_with: name(own),
                asked: name(asked),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_formats_and_invalid_manifests_are_distinguished() {
        let layout = Layout::new(Path::new("/index"));
        let binding = Binding {
            dimension: 3,
            fingerprint: "f".into(),
            model: "m".into(),
        };
        let manifest = Manifest::new(&binding);
        let bytes = manifest.to_bytes().unwrap();
        assert_eq!(Manifest::parse(&layout, &bytes).unwrap(), manifest);
        assert_eq!(manifest.binding, binding);
        assert_ne!(manifest.index_id(), Manifest::new(&binding).index_id());
        let parse = |text: &str| Manifest::parse(&layout, text.as_bytes()).unwrap_err();
        assert!(matches!(
            parse(r#"{"format": 4, "more": []}"#),
            IndexError::NewerFormat {
                found: 4,
                supported: 3,
                ..
            }
        ));
        assert!(matches!(
            parse(r#"{"format": 0}"#),
            IndexError::OlderFormat {
                found: 0,
                supported: 1,
                ..
            }
        ));
        let text = String::from_utf8(bytes).unwrap();
        // Format 1 did not name the folder of the data.
        let first = text
            .replace("\"format\": 3", "\"format\": 1")
            .replace("  \"data\": \"\",\n", "");
        assert_eq!(first.lines().count() + 1, text.lines().count());
        let first = Manifest::parse(&layout, first.as_bytes()).unwrap();
        assert_ne!(first, manifest);
        assert_eq!(
            (first.data.as_str(), first.upgraded()),
            ("", manifest.clone())
        );
        let moved = manifest.moved_to("data-2");
        assert_eq!((moved.data.as_str(), moved.data_number()), ("data-2", 2));
        // The data cannot be outside the index folder.
        for elsewhere in ["..", "/", "data-1", "data-02", "data-", "data-2/..", "next"] {
            let changed = text.replace("\"data\": \"\"", &format!("\"data\": \"{elsewhere}\""));
            assert_ne!(changed, text);
            assert!(
                matches!(parse(&changed), IndexError::Damaged { .. }),
                "{elsewhere}"
            );
        }
        for broken in ["", "{", "{}", r#"{"format": 1}"#, "\u{0}\u{0}"] {
            assert!(
                matches!(parse(broken), IndexError::Damaged { .. }),
                "{broken:?}"
            );
        }
    }

    #[test]
    fn another_model_is_refused_by_name() {
        let binding = Binding {
            dimension: 3,
            fingerprint: "f".into(),
            model: "m".into(),
        };
        let manifest = Manifest::new(&binding);
        let dir = Path::new("/index");
        manifest.check_binding(dir, &binding).unwrap();
        let message = |asked: Binding| manifest.check_binding(dir, &asked).unwrap_err().to_string();
        let other = Binding {
            fingerprint: "g".into(),
            model: "n".into(),
            ..binding.clone()
        };
        assert_eq!(
            message(other),
            "/index: the index was built with model m, not with n"
        );
        let twin = Binding {
            fingerprint: "g".into(),
            ..binding.clone()
        };
        assert_eq!(
            message(twin),
            "/index: the index was built with model m (f), not with m (g)"
        );
        let wider = Binding {
            dimension: 4,
            ..binding
        };
        assert_eq!(
            message(wider),
            "/index: the index was built with model m (dimension 3), not with m (dimension 4)"
        );
    }
}
