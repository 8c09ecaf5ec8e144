//! EXIF, in a block or in the directories of a TIFF (CIPA DC-008, EXIF 2.32).

use super::fields::{Fields, Taken, date, text};
use crate::directory::{Directory, Tiff, tag};

/// Reads a block. Some writers keep the marker that EXIF has in a JPEG.
pub(super) fn read(bytes: &[u8]) -> Fields {
    let bytes = bytes.strip_prefix(b"Exif\0\0").unwrap_or(bytes);
    Tiff::open(bytes)
        .and_then(|tiff| Some(fields(&tiff, &tiff.first()?)))
        .unwrap_or_default()
}

fn fields(tiff: &Tiff<'_>, first: &Directory) -> Fields {
    let text_of = |tag| first.bytes(tiff, tag).and_then(text);
    let date_of = |directory: &Directory, tag| {
        let bytes = directory.bytes(tiff, tag)?;
        let bytes = bytes.split(|&byte| byte == 0).next()?;
        date(std::str::from_utf8(bytes.get(..bytes.len().min(32))?).ok()?)
    };
    let exif = first
        .number(tiff, tag::EXIF)
        .and_then(|at| tiff.at(at as usize));
    let taken = exif.and_then(|exif| {
        let original = date_of(&exif, tag::DATE_TIME_ORIGINAL);
        Taken::merged(original, date_of(&exif, tag::DATE_TIME_DIGITIZED))
    });
    Fields {
        make: text_of(tag::MAKE),
        model: text_of(tag::MODEL),
        // Raw files based on TIFF have it in the first directory.
        taken: Taken::merged(taken, date_of(first, tag::DATE_TIME_ORIGINAL)),
        changed: date_of(first, tag::DATE_TIME),
        places: Vec::new(),
    }
}
