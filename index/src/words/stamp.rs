//! Which index and generation a word index belongs to: the payload of its commit.

use std::io;
use std::path::Path;

use tantivy::TantivyError;
use tantivy::index::IndexMeta;

use super::error::WordsError;

/// The index and generation that a word index belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WordsStamp {
    pub(crate) index_id: [u8; 16],
    pub(crate) generation: u64,
}

impl WordsStamp {
    pub(super) fn to_payload(self) -> String {
        let id = u128::from_be_bytes(self.index_id);
        format!("{id:032x} {}", self.generation)
    }

    pub(super) fn from_payload(payload: &str) -> Option<Self> {
        let (id, generation) = payload.split_once(' ')?;
        let index_id = u128::from_str_radix(id, 16).ok()?.to_be_bytes();
        Some(Self {
            index_id,
            generation: generation.parse().ok()?,
        })
    }

    /// The stamp of the newest commit in a folder, read without opening it; none when there is no
    /// commit, its file is damaged, or this user may not read it.
    ///
    /// # Errors
    /// When the file is there and cannot be read for the moment.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, WordsError> {
        let meta = match fs_err::read(dir.join("meta.json")) {
            Ok(meta) => meta,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound
                        | io::ErrorKind::NotADirectory
                        | io::ErrorKind::IsADirectory
                        | io::ErrorKind::PermissionDenied
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(TantivyError::from(error).into()),
        };
        let meta = serde_json::from_slice::<serde_json::Value>(&meta);
        Ok(meta
            .ok()
            .and_then(|meta| Self::from_payload(meta.get("payload")?.as_str()?)))
    }

    pub(super) fn of(metas: &IndexMeta) -> Option<Self> {
        Self::from_payload(metas.payload.as_deref()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_cannot_be_read_for_the_moment_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let meta = dir.path().join("meta.json");
        let read = || WordsStamp::read(dir.path());
        assert_eq!(read().unwrap(), None, "missing");
        assert_eq!(WordsStamp::read(&meta.join("x")).unwrap(), None);
        for text in ["", "{", "{}", r#"{"payload":"0"}"#] {
            fs_err::write(&meta, text).unwrap();
            assert_eq!(read().unwrap(), None, "{text}");
            assert_eq!(WordsStamp::read(&meta).unwrap(), None, "no folder");
        }
        let stamp = WordsStamp {
            index_id: [7; 16],
            generation: 9,
        };
        let text = format!(r#"{{"payload":"{}"}}"#, stamp.to_payload());
        fs_err::write(&meta, text).unwrap();
        assert_eq!(read().unwrap(), Some(stamp));
        fs_err::remove_file(&meta).unwrap();
        fs_err::create_dir(&meta).unwrap();
        assert_eq!(read().unwrap(), None, "a folder");
        fs_err::remove_dir(&meta).unwrap();
        #[cfg(unix)]
        {
            // As when no file handles are left, but in one process.
            std::os::unix::fs::symlink("meta.json", &meta).unwrap();
            assert!(read().is_err());
        }
    }
}
