//! Tables with a picture and a caption per row: CSV and its relatives with a header, and the token
//! files of Flickr8k and Flickr30k. They are read as a stream.

use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder};
use sightline_picture::is_picture;

use super::lines::{LineFeeds, text_of};
use super::rows::{CaptionFile, CaptionSet, RowPlace, add_captions};
use crate::engine::decode::extension;

/// Names of the column with the picture, the one that says most first.
const IMAGE_COLUMNS: [&str; 9] = [
    "path",
    "filepath",
    "file_path",
    "image_path",
    "file_name",
    "filename",
    "file",
    "image_name",
    "image",
];

/// Names of columns with captions.
const CAPTION_COLUMNS: [&str; 6] = [
    "caption",
    "captions",
    "comment",
    "description",
    "text",
    "title",
];

/// What may separate columns.
const DELIMITERS: [u8; 4] = [b'\t', b',', b';', b'|'];

/// Lines that a field in quotes may span. One that spans more lacks its closing quote.
const MAX_FIELD_LINES: usize = 100;

/// How the columns of a table are separated, and which of them matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) delimiter: u8,
    image: usize,
    captions: Vec<usize>,
    n_columns: usize,
}

impl Header {
    /// Whether a field has lines in it that look like rows themselves.
    fn holds_rows(&self, record: &ByteRecord) -> bool {
        let is_row = |line: &[u8]| {
            let mut columns = line.split(|&byte| byte == self.delimiter);
            let image = columns.nth(self.image).map(String::from_utf8_lossy);
            let is_image = |image: &str| is_picture_name(image.trim().trim_matches('"'));
            columns.next().is_some() && image.is_some_and(|image| is_image(&image))
        };
        let mut fields = record.iter();
        fields.any(|field| field.split(|&byte| byte == b'\n').skip(1).any(is_row))
    }

    /// The header in the first line of a table; `None` if none of its columns names a picture, or
    /// none a caption.
    pub(super) fn find(line: &str) -> Option<Self> {
        let headers = DELIMITERS.iter();
        headers
            .filter_map(|&delimiter| Self::with(delimiter, line))
            .max_by_key(|header| header.n_columns)
    }

    fn with(delimiter: u8, line: &str) -> Option<Self> {
        let mut record = ByteRecord::new();
        let mut reader = reader(delimiter, line.as_bytes());
        reader.read_byte_record(&mut record).ok()?;
        let names = record.iter().map(|name| {
            let name = text_of(name).unwrap_or_default().trim();
            name.to_lowercase().replace([' ', '-'], "_")
        });
        let names: Vec<String> = names.collect();
        let place_of = |wanted: &str| names.iter().position(|name| name == wanted);
        let image = IMAGE_COLUMNS.iter().find_map(|name| place_of(name))?;
        let is_caption = |name: &String| CAPTION_COLUMNS.contains(&name.as_str());
        let captions = names.iter().enumerate();
        let captions = captions.filter(|(_, name)| is_caption(name));
        let captions: Vec<usize> = captions.map(|(place, _)| place).collect();
        (!captions.is_empty()).then_some(Self {
            delimiter,
            image,
            captions,
            n_columns: names.len(),
        })
    }

    /// The picture and the captions of a row.
    fn row<'r>(&self, record: &'r ByteRecord) -> Result<(&'r str, Vec<String>), &'static str> {
        const NOT_TEXT: &str = "not UTF-8 text";
        let image = record.get(self.image).unwrap_or_default();
        let image = text_of(image).ok_or(NOT_TEXT)?.trim();
        if image.is_empty() {
            return Err("the name of the picture is empty");
        }
        let mut texts = Vec::new();
        for &column in &self.captions {
            let field = record.get(column).ok_or("it has too few columns")?;
            let mut text = text_of(field).ok_or(NOT_TEXT)?.to_owned();
            // Some programs put no quotes around captions with commas.
            if column + 1 == self.n_columns {
                for field in record.iter().skip(self.n_columns) {
                    text.push(char::from(self.delimiter));
                    text.push_str(text_of(field).ok_or(NOT_TEXT)?);
                }
            }
            texts.push(text);
        }
        Ok((image, texts))
    }
}

/// Whether a line looks like a row of a table without a header: a picture's file name, a delimiter,
/// and more.
pub(super) fn is_headless_row(line: &str) -> bool {
    DELIMITERS.iter().any(|&delimiter| {
        let parts = line.split_once(char::from(delimiter));
        parts.is_some_and(|(name, _)| is_picture_name(name.trim().trim_matches('"')))
    })
}

/// The picture and the caption in a line of a token file: `photo.jpg#0`, a tab, the caption. The
/// number may be missing.
pub(super) fn token(line: &str) -> Option<(&str, &str)> {
    let (name, caption) = line.split_once('\t')?;
    let name = match name.rsplit_once('#') {
        Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => name,
    };
    let name = name.trim();
    // In Flickr8k, one name ends in `.jpg.1`.
    let is_name = is_picture_name(name) || is_picture_name(name.trim_end_matches(".1"));
    is_name.then_some((name, caption))
}

fn is_picture_name(name: &str) -> bool {
    is_picture(&extension(Path::new(name)))
}

fn reader<R: Read>(delimiter: u8, reader: R) -> csv::Reader<R> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        // Files with bars, such as Flickr30k's, contain single quotation marks.
        .quoting(delimiter != b'|')
        .from_reader(reader)
}

/// Gathers the rows of each picture.
struct Rows<'a> {
    folder: &'a Path,
    file: CaptionFile,
    /// The place of each picture's set.
    places: HashMap<String, usize>,
}

impl<'a> Rows<'a> {
    fn new(folder: &'a Path) -> Self {
        let file = CaptionFile {
            is_by_name: true,
            ..CaptionFile::default()
        };
        Self {
            folder,
            file,
            places: HashMap::new(),
        }
    }

    fn add(&mut self, image: &str, at: RowPlace, text: &str) {
        let CaptionFile { sets, bad, .. } = &mut self.file;
        let place = if let Some(&place) = self.places.get(image) {
            place
        } else {
            self.places.insert(image.to_owned(), sets.len());
            sets.push(CaptionSet {
                image: Some(self.folder.join(PathBuf::from(image))),
                at,
                captions: Vec::new(),
            });
            sets.len() - 1
        };
        add_captions(text, at, &mut sets[place].captions, bad);
    }
}

/// Reads a table whose first line is this header.
pub(super) fn read(
    folder: &Path,
    header: &Header,
    text: impl BufRead,
) -> std::io::Result<CaptionFile> {
    let mut rows = Rows::new(folder);
    let mut reader = reader(header.delimiter, LineFeeds::new(text));
    let mut record = ByteRecord::new();
    let (mut is_header, mut began) = (true, 1);
    while reader.read_byte_record(&mut record)? {
        let n_inside = record.as_slice().split(|&byte| byte == b'\n').count() - 1;
        // Every line ends with LF here, so that the reader stands behind the row's last one.
        let end = usize::try_from(reader.position().line()).unwrap_or(usize::MAX);
        let at = |n_ends: usize| RowPlace::Line(end.saturating_sub(n_inside + n_ends));
        // The last line ends, too: inside of the field if that is never closed.
        let is_open = n_inside > 0 && end.saturating_sub(began) == n_inside;
        began = end;
        if std::mem::take(&mut is_header) {
            continue;
        }
        if is_open || n_inside > MAX_FIELD_LINES || header.holds_rows(&record) {
            let reason = "a field in quotes goes on over the next lines, which were not read: its \
                          closing quotation mark is missing";
            rows.file.refuse(at(usize::from(!is_open)), reason);
            continue;
        }
        let at = at(1);
        match header.row(&record) {
            Ok((image, texts)) => {
                for text in texts {
                    rows.add(image, at, &text);
                }
            }
            Err(reason) => rows.file.refuse(at, reason),
        }
    }
    Ok(rows.file.shortened("row"))
}

/// Reads a token file.
pub(super) fn read_tokens(folder: &Path, text: impl BufRead) -> std::io::Result<CaptionFile> {
    let mut rows = Rows::new(folder);
    for (number, line) in (1..).zip(super::lines::lines(text)) {
        let at = RowPlace::Line(number);
        match line?.as_deref() {
            Some(line) if line.trim().is_empty() => {}
            Some(line) => match token(line) {
                Some((image, caption)) => rows.add(image, at, caption),
                None => rows
                    .file
                    .refuse(at, "expected a picture's name, a tab and its caption"),
            },
            None => rows.file.refuse(at, "not UTF-8 text"),
        }
    }
    Ok(rows.file.shortened("line"))
}
