//! Which index is this, whose vectors does it hold, and where do they lie? One small file, replaced as a whole.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::atomic;
use super::layout::{Layout, data_number};
use crate::error::IndexError;

/// The format of a whole index that this program writes.
pub(crate) const FORMAT: u32 = 2;

/// The oldest format that it reads. Writers make a newer one of it.
pub(crate) const OLDEST_FORMAT: u32 = 1;

/// The model that made the vectors of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The dimension of the vectors.
    pub dimension: usize,
    /// A hash over the model's files and its preprocessing; vectors of different fingerprints cannot be compared.
    pub fingerprint: String,
    /// The model's name, for messages.
    pub model: String,
}

/// The model that made the index in a folder; nothing when there is no index. Only one small file
/// is read.
///
/// # Errors
/// When that file cannot be read, is damaged, or tells of another format.
pub fn binding(dir: &Path) -> Result<Option<Binding>, IndexError> {
    let manifest = Manifest::read(&Layout::new(dir))?;
    Ok(manifest.map(|manifest| manifest.binding()))
}

/// What `manifest.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    /// 32 hex digits drawn at random, which the graphs and the word index repeat.
    index_id: String,
    /// The folder inside the index folder where its data lie; empty for the index folder itself, as in format 1.
    #[serde(default)]
    data: String,
    dimension: usize,
    fingerprint: String,
    model: String,
}

/// The part that stays the same in all formats.
#[derive(Deserialize)]
struct AnyFormat {
    format: u32,
}

impl Manifest {
    pub(crate) fn new(binding: &Binding) -> Self {
        let Binding {
            dimension,
            fingerprint,
            model,
        } = binding.clone();
        // The standard library seeds its hash tables from the system's source of randomness.
        let random = || RandomState::new().build_hasher().finish();
        Self {
            format: FORMAT,
            index_id: format!("{:016x}{:016x}", random(), random()),
            data: String::new(),
            dimension,
            fingerprint,
            model,
        }
    }

    /// Reads the manifest of an index; nothing when there is none.
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
            what: "it does not say what the index holds",
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
            && manifest.dimension > 0
            && data_number(&manifest.data).is_some();
        if is_sound {
            Ok(manifest)
        } else {
            Err(damaged())
        }
    }

    /// The same in the newest format.
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

    /// The folder inside the index folder where the data lie; empty for the index folder itself.
    pub(crate) fn data(&self) -> &str {
        &self.data
    }

    /// The number of that folder.
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

    pub(crate) fn binding(&self) -> Binding {
        let Self {
            format: _,
            index_id: _,
            data: _,
            dimension,
            fingerprint,
            model,
        } = self.clone();
        Binding {
            dimension,
            fingerprint,
            model,
        }
    }

    pub(crate) fn dimension(&self) -> usize {
        self.dimension
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
        let Binding {
            dimension,
            fingerprint,
            model,
        } = asked;
        if self.dimension != *dimension {
            return Err(IndexError::OtherDimension {
                dir: dir.to_owned(),
                built_with: self.dimension,
                model: self.model.clone(),
                asked: *dimension,
                asked_model: model.clone(),
            });
        }
        if self.fingerprint != *fingerprint {
            let same_name = self.model == *model;
            let name = |model: &str, fingerprint: &str| {
                if same_name {
                    format!("{model} ({fingerprint})")
                } else {
                    model.to_owned()
                }
            };
            return Err(IndexError::OtherModel {
                dir: dir.to_owned(),
                built_with: name(&self.model, &self.fingerprint),
                asked: name(model, fingerprint),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_nonsense_are_told_apart() {
        let layout = Layout::new(Path::new("/index"));
        let binding = Binding {
            dimension: 3,
            fingerprint: "f".into(),
            model: "m".into(),
        };
        let manifest = Manifest::new(&binding);
        let bytes = manifest.to_bytes().unwrap();
        assert_eq!(Manifest::parse(&layout, &bytes).unwrap(), manifest);
        assert_eq!(manifest.binding(), binding);
        assert_ne!(manifest.index_id(), Manifest::new(&binding).index_id());
        let parse = |text: &str| Manifest::parse(&layout, text.as_bytes()).unwrap_err();
        assert!(matches!(
            parse(r#"{"format": 3, "more": []}"#),
            IndexError::NewerFormat {
                found: 3,
                supported: 2,
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
        // Format 1 did not say where the data lie.
        let first = text
            .replace("\"format\": 2", "\"format\": 1")
            .replace("  \"data\": \"\",\n", "");
        assert_eq!(first.lines().count() + 1, text.lines().count());
        let first = Manifest::parse(&layout, first.as_bytes()).unwrap();
        assert_ne!(first, manifest);
        assert_eq!((first.data(), first.upgraded()), ("", manifest.clone()));
        let moved = manifest.moved_to("data-2");
        assert_eq!((moved.data(), moved.data_number()), ("data-2", 2));
        // It is no way out of the index folder.
        for elsewhere in ["..", "/", "data-1", "data-02", "data-", "data-2/..", "next"] {
            let told = text.replace("\"data\": \"\"", &format!("\"data\": \"{elsewhere}\""));
            assert_ne!(told, text);
            assert!(
                matches!(parse(&told), IndexError::Damaged { .. }),
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
    fn other_models_are_refused_by_name() {
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
            "/index: the index was built with model m, whose vectors have dimension 3, not 4 as those of m"
        );
    }
}
