//! Reads files of captions: sidecars of text, plain lists, JSON lines, tables, and the captions of
//! public data sets.
//!
//! Text is UTF-8, or UTF-16 with a byte order mark. Lines end with LF, CR or both. Bad rows are
//! left out and named; a plain text has no structure to tell its lines apart by, so if one of them
//! is not text, none is read. Files are read as a stream; in memory are the captions and the names
//! of pictures.

mod document;
mod format;
mod json_lines;
mod lines;
mod rows;
mod table;
#[cfg(test)]
mod tests;

use std::io::{BufRead, Cursor, Read as _};
use std::path::Path;

use crate::engine::EngineError;
use crate::engine::error::DocumentError;

pub use format::CaptionFormat;
use format::ReadAs;
pub(crate) use rows::{BadRow, CaptionFile, CaptionSet, CaptionText, RowPlace};

/// The largest sidecar, in bytes. A larger text beside a picture is something else.
const MAX_SIDECAR: u64 = 16 << 20;

/// Reads a captions file of this format, or of the one that its content shows.
///
/// # Errors
/// When it is a folder or cannot be read, its format is unclear, a plain list is not text, or a
/// JSON document is malformed.
pub(crate) fn read_file(
    path: &Path,
    format: Option<CaptionFormat>,
) -> Result<CaptionFile, EngineError> {
    refuse_folder(path)?;
    let reading = format::reading(path, format)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let text = lines::open(path)?;
    Ok(match reading {
        ReadAs::JsonLines => json_lines::read(folder, text)?,
        ReadAs::Tokens => table::read_tokens(folder, text)?,
        ReadAs::Table(header) => table::read(folder, &header, text)?,
        ReadAs::Document(kind) => {
            let read = document::read(folder, kind, text);
            let read = read.map_err(|source| EngineError::CaptionsDocument {
                path: path.to_path_buf(),
                source: DocumentError(source),
            })?;
            read.ok_or_else(|| EngineError::UnclearCaptions {
                path: path.to_path_buf(),
                what: "has neither the `annotations` of COCO nor the `sentences` of Karpathy's \
                       data sets",
            })?
        }
        ReadAs::Text => {
            let mut file = CaptionFile::default();
            let captions = plain(path, text, &mut file.bad)?;
            file.sets.push(CaptionSet {
                image: None,
                at: RowPlace::Line(1),
                captions,
            });
            file
        }
    })
}

/// Reads a captions file of JSON lines, the form of data sets.
pub(crate) fn read_json_lines(path: &Path) -> Result<CaptionFile, EngineError> {
    refuse_folder(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    Ok(json_lines::read(folder, lines::open(path)?)?)
}

fn refuse_folder(path: &Path) -> Result<(), EngineError> {
    if path.is_dir() {
        let path = path.to_path_buf();
        return Err(EngineError::CaptionsFolder { path });
    }
    Ok(())
}

/// Reads a sidecar of text: one caption per line, for the picture that it is beside.
pub(crate) fn read_sidecar(path: &Path) -> Result<(Vec<CaptionText>, Vec<BadRow>), SidecarError> {
    let text = lines::utf8(Cursor::new(read_limited(path, MAX_SIDECAR)?))?;
    let mut bad = Vec::new();
    match plain(path, text, &mut bad) {
        Ok(captions) => Ok((captions, bad)),
        Err(_) => Err(SidecarError::NotText),
    }
}

/// The bytes of a sidecar.
pub(crate) fn read_limited(path: &Path, max_bytes: u64) -> Result<Vec<u8>, SidecarError> {
    let mut bytes = Vec::new();
    let file = fs_err::File::open(path)?;
    file.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(SidecarError::TooLarge { max_bytes });
    }
    Ok(bytes)
}

/// Why a sidecar could not be read; whoever reports it names the file beside it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SidecarError {
    #[error("not UTF-8 text")]
    NotText,
    #[error("larger than {} MiB: not read as captions", max_bytes >> 20)]
    TooLarge { max_bytes: u64 },
    #[error("not valid {format}: {reason}")]
    Malformed {
        format: &'static str,
        reason: String,
    },
    #[error("{}", .0.kind())]
    Io(#[from] std::io::Error),
}

/// The captions of a plain text.
fn plain(
    path: &Path,
    text: impl BufRead,
    bad: &mut Vec<BadRow>,
) -> Result<Vec<CaptionText>, EngineError> {
    let mut captions = Vec::new();
    for (number, line) in (1..).zip(lines::lines(text)) {
        let Some(line) = line? else {
            return Err(EngineError::NotText {
                path: path.to_path_buf(),
            });
        };
        rows::add_captions(&line, RowPlace::Line(number), &mut captions, bad);
    }
    Ok(captions)
}
