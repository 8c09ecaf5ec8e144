//! Writes an export to a temporary folder beside the target, and renames it when it is complete.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sightline_index::{IndexReader, Item, ItemId};

use super::format::{
    ABOUT, About, DetailsLine, FORMAT, FileLine, ITEMS, LibraryLine, ModelLine, PathText, VECTORS,
    VERSION,
};
use super::npy::NpyWriter;
use crate::atomic;
use crate::engine::error::{EngineError, ExchangeError};

/// Where to export to.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// The folder, which need not exist.
    pub to: PathBuf,
    /// Replace an existing export.
    pub force: bool,
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportReport {
    /// Images.
    pub n_images: u64,
    /// Captions.
    pub n_captions: u64,
}

#[derive(Serialize)]
struct ImageLine<'a> {
    id: u32,
    kind: &'static str,
    row: usize,
    hash: String,
    width: u32,
    height: u32,
    files: Vec<FileLine>,
    details: Option<DetailsLine>,
    /// Left out for an image that was never tagged.
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a [String]>,
}

#[derive(Serialize)]
struct CaptionLine<'a> {
    id: u32,
    kind: &'static str,
    row: usize,
    text: &'a str,
    image: Option<u32>,
    source: PathText,
}

/// See [`Engine::export`](crate::engine::Engine::export).
pub(crate) fn export(folder: &Path, request: &ExportRequest) -> Result<ExportReport, EngineError> {
    let ExportRequest { to, force } = request;
    let reader = IndexReader::open(folder, None)?;
    let to = std::path::absolute(to)?;
    let exists = match fs_err::symlink_metadata(&to) {
        Ok(data) => !data.is_dir() || fs_err::read_dir(&to)?.next().is_some(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error.into()),
    };
    if exists {
        let path = to.clone();
        if !force {
            return Err(ExchangeError::Exists { path }.into());
        }
        if !is_export(&to) {
            return Err(ExchangeError::NotReplaced { path }.into());
        }
    }
    let aside = beside(&to, "tmp");
    clear(&aside)?;
    fs_err::create_dir_all(&aside)?;
    let written = write(&reader, &aside);
    let report = match written {
        Ok(report) => report,
        Err(error) => {
            let _ = clear(&aside);
            return Err(error);
        }
    };
    let old = beside(&to, "old");
    clear(&old)?;
    if to.exists() {
        fs_err::rename(&to, &old)?;
    }
    atomic::rename(&aside, &to)?;
    clear(&old)?;
    Ok(report)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn clear(folder: &Path) -> io::Result<()> {
    match fs_err::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn is_export(folder: &Path) -> bool {
    let about = fs_err::read(folder.join(ABOUT));
    let about = about.ok().and_then(|bytes| {
        let about: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
        Some(about.get("format")?.as_str()? == FORMAT)
    });
    about == Some(true)
}

fn write(reader: &IndexReader, folder: &Path) -> Result<ExportReport, EngineError> {
    let binding = reader.binding();
    let mut vectors = NpyWriter::create(&folder.join(VECTORS), binding.dimension)?;
    let mut items = BufWriter::new(fs_err::File::create(folder.join(ITEMS))?);
    let mut report = ExportReport {
        n_images: 0,
        n_captions: 0,
    };
    for id in reader.ids()? {
        // Both exist: the reader sees a single generation.
        let (Some(item), Some(vector)) = (reader.item(id)?, reader.vector(id)?) else {
            continue;
        };
        let row = vectors.push(vector.as_slice())?;
        match &item {
            Item::Image(_) => report.n_images += 1,
            Item::Caption(_) => report.n_captions += 1,
        }
        write_item(reader, &mut items, id, row, &item)?;
        items.write_all(b"\n")?;
    }
    vectors.finish()?;
    items.flush()?;
    items.get_ref().sync_all()?;
    let about = About {
        format: FORMAT.to_owned(),
        version: VERSION,
        model: ModelLine {
            name: binding.model.clone(),
            fingerprint: binding.fingerprint.clone(),
            dimension: binding.dimension,
        },
        language: Some(reader.language().code().to_owned()),
        images: report.n_images,
        captions: report.n_captions,
        libraries: reader
            .libraries()?
            .iter()
            .map(|library| LibraryLine {
                folder: PathText::new(&library.folder),
                files: library.n_files,
                last_run_unix_s: library.last_run_unix_s,
            })
            .collect(),
    };
    let mut file = fs_err::File::create(folder.join(ABOUT))?;
    let text = serde_json::to_vec_pretty(&about).map_err(io::Error::from)?;
    file.write_all(&text)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    Ok(report)
}

fn write_item(
    reader: &IndexReader,
    out: &mut impl Write,
    id: ItemId,
    row: usize,
    item: &Item,
) -> Result<(), EngineError> {
    let written = match item {
        Item::Image(image) => {
            let mut files = Vec::with_capacity(image.paths.len());
            for path in &image.paths {
                if let Some(known) = reader.file(path)? {
                    let PathText { path, path_base64 } = PathText::new(path);
                    files.push(FileLine {
                        path,
                        path_base64,
                        bytes: known.n_bytes,
                        modified_ns: known.modified_ns,
                    });
                }
            }
            let line = ImageLine {
                id: id.0,
                kind: "image",
                row,
                hash: blake3::Hash::from_bytes(image.content_hash)
                    .to_hex()
                    .to_string(),
                width: image.width,
                height: image.height,
                files,
                details: image.details.as_ref().map(DetailsLine::new),
                tags: image.is_tagged.then_some(image.tags.as_slice()),
            };
            serde_json::to_writer(out, &line)
        }
        Item::Caption(caption) => {
            let line = CaptionLine {
                id: id.0,
                kind: "caption",
                row,
                text: &caption.text,
                image: caption.image.map(|image| image.0),
                source: PathText::new(&caption.source),
            };
            serde_json::to_writer(out, &line)
        }
    };
    Ok(written.map_err(io::Error::from)?)
}
