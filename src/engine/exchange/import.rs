//! Adds an export to an index, after checking all of it.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sightline_index::{
    Binding, Details, FileRecord, IndexWriter, ItemId, Language, Library, UnitVector, WriterOptions,
};

use super::format::{
    ABOUT, About, DetailsLine, FORMAT, FileLine, ITEMS, LibraryLine, PathText, VECTORS, VERSION,
};
use super::npy::NpyReader;
use crate::engine::error::{EngineError, ExchangeError, LineError};
use crate::engine::report::{OnBuilding, building, reasons};

/// Items per commit.
const COMMIT_EVERY: usize = 10_000;

/// What was imported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Images of the export.
    pub n_images: u64,
    /// Images among them that the index already held; they keep their vectors.
    pub n_known: u64,
    /// Files of those images.
    pub n_files: u64,
    /// Captions of the export.
    pub n_captions: u64,
    /// Work after the last commit that failed, and why: the next run does it.
    pub postponed: Vec<String>,
}

/// A line of items.jsonl, of either kind.
#[derive(Debug, Deserialize)]
struct ItemLine {
    id: u32,
    kind: LineKind,
    row: usize,
    hash: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    files: Option<Vec<FileLine>>,
    details: Option<DetailsLine>,
    /// Missing for an image that was never tagged, and in exports of older versions.
    tags: Option<Vec<String>>,
    text: Option<String>,
    image: Option<u32>,
    source: Option<PathText>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LineKind {
    Image,
    Caption,
}

/// The item in a line.
enum ExportedItem {
    Image {
        id: u32,
        row: usize,
        hash: [u8; 32],
        width: u32,
        height: u32,
        files: Vec<(PathBuf, u64, i128)>,
        details: Option<Details>,
        tags: Option<Vec<String>>,
    },
    Caption {
        row: usize,
        text: String,
        image: Option<u32>,
        source: PathBuf,
    },
}

impl ExportedItem {
    fn row(&self) -> usize {
        match self {
            Self::Image { row, .. } | Self::Caption { row, .. } => *row,
        }
    }
}

const FORM: &str = "{\"id\": …, \"kind\": \"image\" or \"caption\", \"row\": …, …}";

/// See [`Engine::import`](crate::engine::Engine::import).
pub(crate) fn import(
    folder: &Path,
    from: &Path,
    progress: &mut OnBuilding<'_>,
) -> Result<ImportReport, EngineError> {
    let about = read_about(&from.join(ABOUT))?;
    let items = from.join(ITEMS);
    let mut vectors = open_vectors(&from.join(VECTORS), about.model.dimension)?;
    let records = read_items(&items, vectors.n_rows())?;
    check_counts(&from.join(ABOUT), &about, &records)?;
    for (place, record) in records.iter().enumerate() {
        vector(&mut vectors, record, &items, place)?;
    }
    let binding = Binding {
        dimension: about.model.dimension,
        fingerprint: about.model.fingerprint.clone(),
        model: about.model.name.clone(),
    };
    let libraries = libraries(&from.join(ABOUT), &about)?;
    let mut options = WriterOptions::default();
    if sightline_index::binding(folder)?.is_none() {
        options.language = language(&from.join(ABOUT), &about)?;
    }
    let mut writer = IndexWriter::open_or_create_with(folder, &binding, options)?;
    let known: HashSet<PathBuf> = writer
        .libraries()?
        .into_iter()
        .map(|library| library.folder)
        .collect();
    // Before their files, whose keywords start at the library folder.
    for library in libraries {
        if !known.contains(&library.folder) {
            writer.put_library(library)?;
        }
    }
    let exported = language(&from.join(ABOUT), &about)?;
    if exported.is_some_and(|exported| exported != writer.language()) {
        // Another text tower may have encoded its captions.
        writer.note_language_changed(true);
    }
    let mut report = put_all(&mut writer, &records, &mut vectors, &items)?;
    let finished = writer.finish_with(&mut building(progress))?;
    report.postponed = reasons(&finished.postponed);
    Ok(report)
}

fn file_error(path: &Path, what: impl Into<String>) -> EngineError {
    ExchangeError::File {
        path: path.to_path_buf(),
        what: what.into(),
    }
    .into()
}

fn line_error(path: &Path, place: usize, what: impl Into<String>) -> EngineError {
    ExchangeError::Line {
        path: path.to_path_buf(),
        line: place + 1,
        what: what.into(),
    }
    .into()
}

fn read_about(path: &Path) -> Result<About, EngineError> {
    #[derive(Deserialize)]
    struct Any {
        format: String,
        version: u32,
    }
    let bytes = fs_err::read(path)?;
    let any: Any = serde_json::from_slice(&bytes)
        .map_err(|error| file_error(path, format!("not a Sightline export: {error}")))?;
    if any.format != FORMAT {
        return Err(file_error(path, "not a Sightline export"));
    }
    if any.version > VERSION {
        return Err(ExchangeError::NewerVersion {
            path: path.to_path_buf(),
            found: any.version,
            supported: VERSION,
        }
        .into());
    }
    if any.version != VERSION {
        let found = any.version;
        return Err(file_error(
            path,
            format!("unsupported version {found}: this program reads version {VERSION}"),
        ));
    }
    let about: About =
        serde_json::from_slice(&bytes).map_err(|error| file_error(path, error.to_string()))?;
    if about.model.dimension == 0 {
        return Err(file_error(path, "dimension is 0"));
    }
    Ok(about)
}

fn libraries(path: &Path, about: &About) -> Result<Vec<Library>, EngineError> {
    let one = |line: &LibraryLine| {
        let folder = line.folder.to_path();
        Ok(Library {
            folder: folder.ok_or_else(|| {
                file_error(path, "contains a path that is not valid on this system")
            })?,
            n_files: line.files,
            last_run_unix_s: line.last_run_unix_s,
        })
    };
    about.libraries.iter().map(one).collect()
}

/// The language of a new index.
fn language(path: &Path, about: &About) -> Result<Option<Language>, EngineError> {
    let Some(code) = &about.language else {
        return Ok(None);
    };
    let unknown = |_| file_error(path, format!("unknown language {code:?}"));
    code.parse().map(Some).map_err(unknown)
}

fn open_vectors(path: &Path, dimension: usize) -> Result<NpyReader, EngineError> {
    let vectors = NpyReader::open(path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::InvalidData {
            file_error(path, error.to_string())
        } else {
            error.into()
        }
    })?;
    if vectors.dimension() != dimension {
        return Err(file_error(
            path,
            format!(
                "shape [{}, {}] does not match dimension {dimension} in {ABOUT}",
                vectors.n_rows(),
                vectors.dimension()
            ),
        ));
    }
    Ok(vectors)
}

fn read_items(path: &Path, n_rows: usize) -> Result<Vec<ExportedItem>, EngineError> {
    let mut bytes = fs_err::read(path)?;
    let has_whole_lines = bytes.last().is_none_or(|last| *last == b'\n');
    if !has_whole_lines {
        // The last line may end within a character.
        let n_whole = String::from_utf8_lossy(&bytes)
            .lines()
            .count()
            .saturating_sub(1);
        let start = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        if serde_json::from_slice::<ItemLine>(&bytes[start..]).is_err_and(|e| !e.is_data()) {
            return Err(ExchangeError::Cut {
                path: path.to_path_buf(),
                line: n_whole + 1,
            }
            .into());
        }
        bytes.push(b'\n');
    }
    let text = String::from_utf8(bytes).map_err(|_| EngineError::NotText {
        path: path.to_path_buf(),
    })?;
    let mut items = Vec::new();
    let mut is_taken = vec![false; n_rows];
    let mut images = HashMap::new();
    for (place, line) in text.lines().enumerate() {
        let line: ItemLine = serde_json::from_str(line).map_err(|source| EngineError::BadLine {
            path: path.to_path_buf(),
            line: place + 1,
            form: FORM,
            source: LineError(source),
        })?;
        let wrong = |what: String| line_error(path, place, what);
        match is_taken.get_mut(line.row) {
            None => {
                return Err(wrong(format!(
                    "row {} is out of range: {VECTORS} has {n_rows} rows",
                    line.row
                )));
            }
            Some(taken) if *taken => {
                return Err(wrong(format!(
                    "row {} is used by an earlier line",
                    line.row
                )));
            }
            Some(taken) => *taken = true,
        }
        if line.kind == LineKind::Image && images.insert(line.id, place).is_some() {
            return Err(wrong(format!(
                "image {} is defined by an earlier line",
                line.id
            )));
        }
        if let Some(image) = line.image
            && !images.contains_key(&image)
        {
            return Err(wrong(format!(
                "image {image} is not defined by an earlier line"
            )));
        }
        items.push(item(line).map_err(wrong)?);
    }
    if items.len() != n_rows {
        let n = items.len();
        return Err(file_error(
            path,
            format!("{n} lines, but {VECTORS} has {n_rows} rows"),
        ));
    }
    Ok(items)
}

/// The item in a line, or what is wrong with the line.
fn item(line: ItemLine) -> Result<ExportedItem, String> {
    let missing = |key: &str| format!("missing \"{key}\"");
    let path = |text: &PathText| {
        let path = text.to_path();
        path.ok_or_else(|| format!("{}: not a valid path on this system", text.path))
    };
    Ok(match line.kind {
        LineKind::Image => {
            let hash = line.hash.ok_or_else(|| missing("hash"))?;
            let hash = blake3::Hash::from_hex(&hash);
            let mut files = Vec::new();
            for file in line.files.ok_or_else(|| missing("files"))? {
                let FileLine {
                    path: name,
                    path_base64,
                    bytes,
                    modified_ns,
                } = file;
                let name = PathText {
                    path: name,
                    path_base64,
                };
                files.push((path(&name)?, bytes, modified_ns));
            }
            ExportedItem::Image {
                id: line.id,
                row: line.row,
                hash: *hash
                    .map_err(|_| "hash is not 64 hex digits".to_owned())?
                    .as_bytes(),
                width: line.width.ok_or_else(|| missing("width"))?,
                height: line.height.ok_or_else(|| missing("height"))?,
                files,
                details: line.details.map(DetailsLine::into_details).transpose()?,
                tags: line.tags,
            }
        }
        LineKind::Caption => ExportedItem::Caption {
            row: line.row,
            text: line.text.ok_or_else(|| missing("text"))?,
            image: line.image,
            source: path(&line.source.ok_or_else(|| missing("source"))?)?,
        },
    })
}

fn check_counts(path: &Path, about: &About, records: &[ExportedItem]) -> Result<(), EngineError> {
    let is_image = |record: &&ExportedItem| matches!(record, ExportedItem::Image { .. });
    let n_images = records.iter().filter(is_image).count() as u64;
    let n_captions = records.len() as u64 - n_images;
    if (about.images, about.captions) == (n_images, n_captions) {
        return Ok(());
    }
    Err(file_error(
        path,
        format!(
            "{} images and {} captions, but {ITEMS} has {n_images} and {n_captions}",
            about.images, about.captions
        ),
    ))
}

fn vector(
    vectors: &mut NpyReader,
    record: &ExportedItem,
    items: &Path,
    place: usize,
) -> Result<UnitVector, EngineError> {
    let row = record.row();
    UnitVector::new(vectors.row(row)?)
        .map_err(|error| line_error(items, place, format!("row {row} of {VECTORS}: {error}")))
}

fn put_all(
    writer: &mut IndexWriter,
    records: &[ExportedItem],
    vectors: &mut NpyReader,
    items: &Path,
) -> Result<ImportReport, EngineError> {
    // Captions of the same image from the same file are set together, where the first one stands.
    let mut groups: HashMap<(Option<u32>, &Path), Vec<usize>> = HashMap::new();
    for (place, record) in records.iter().enumerate() {
        if let ExportedItem::Caption { image, source, .. } = record {
            groups.entry((*image, source)).or_default().push(place);
        }
    }
    let mut report = ImportReport::default();
    let mut ids: HashMap<u32, ItemId> = HashMap::new();
    for (place, record) in records.iter().enumerate() {
        match record {
            ExportedItem::Image {
                id,
                hash,
                width,
                height,
                files,
                details,
                tags,
                ..
            } => {
                let is_known = writer.image_with_hash(hash)?.is_some();
                report.n_known += u64::from(is_known);
                let vector = vector(vectors, record, items, place)?;
                let image = writer.put_image(*hash, *width, *height, vector)?;
                ids.insert(*id, image);
                if let Some(details) = details.as_ref().filter(|_| !is_known) {
                    writer.set_details(image, details.clone())?;
                }
                if let Some(tags) = tags {
                    let known = writer.tags_of(image)?;
                    writer.set_tags(image, known.into_iter().chain(tags.iter().cloned()))?;
                }
                for (path, n_bytes, modified_ns) in files {
                    writer.put_file(
                        path,
                        FileRecord {
                            n_bytes: *n_bytes,
                            modified_ns: *modified_ns,
                            image,
                            change: None,
                        },
                    )?;
                }
                report.n_images += 1;
                report.n_files += files.len() as u64;
            }
            ExportedItem::Caption { image, source, .. } => {
                let group = &groups[&(*image, source.as_path())];
                if group.first() != Some(&place) {
                    continue;
                }
                let mut captions = Vec::with_capacity(group.len());
                for &member in group {
                    let vector = vector(vectors, &records[member], items, member)?;
                    if let ExportedItem::Caption { text, .. } = &records[member] {
                        captions.push((text.clone(), vector));
                    }
                }
                report.n_captions += captions.len() as u64;
                let owner = image.and_then(|image| ids.get(&image).copied());
                writer.set_captions(owner, source, captions)?;
            }
        }
        if writer.n_pending() >= COMMIT_EVERY {
            writer.commit()?;
        }
    }
    Ok(report)
}
