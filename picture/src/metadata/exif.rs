//! EXIF, in a block or in the directories of a TIFF (CIPA DC-008, EXIF 2.32).

use super::fields::{Fields, Taken, date, decoded, text};
use crate::directory::{Directory, Tiff, tag};

/// How much of a description is read, in bytes.
const MAX_BYTES: usize = 8_000;

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
    let taken = exif.as_ref().and_then(|exif| {
        let original = date_of(exif, tag::DATE_TIME_ORIGINAL);
        Taken::merged(original, date_of(exif, tag::DATE_TIME_DIGITIZED))
    });
    // Windows writes UTF-16, keywords between semicolons.
    let utf16_of = |tag| {
        let bytes = first.bytes(tiff, tag)?;
        Some(tiff.utf16(&bytes[..bytes.len().min(MAX_BYTES)]))
    };
    let described = first.bytes(tiff, tag::IMAGE_DESCRIPTION);
    let comment = exif
        .as_ref()
        .and_then(|exif| exif.bytes(tiff, tag::USER_COMMENT));
    let texts = [
        utf16_of(tag::XP_TITLE),
        described.map(|bytes| decoded(bytes, MAX_BYTES)),
        utf16_of(tag::XP_SUBJECT),
        utf16_of(tag::XP_COMMENT),
        comment.and_then(|bytes| comment_of(tiff, bytes)),
    ];
    let keywords = utf16_of(tag::XP_KEYWORDS).unwrap_or_default();
    Fields {
        make: text_of(tag::MAKE),
        model: text_of(tag::MODEL),
        // Raw files based on TIFF have it in the first directory.
        taken: Taken::merged(taken, date_of(first, tag::DATE_TIME_ORIGINAL)),
        changed: date_of(first, tag::DATE_TIME),
        places: Vec::new(),
        position: position(tiff, first),
        texts: texts.into_iter().flatten().collect(),
        keywords: keywords.split(';').map(str::to_owned).collect(),
    }
}

/// The comment after the name of its encoding, eight bytes.
fn comment_of(tiff: &Tiff<'_>, bytes: &[u8]) -> Option<String> {
    let (encoding, text) = bytes.split_first_chunk::<8>()?;
    let text = &text[..text.len().min(MAX_BYTES)];
    match encoding {
        b"UNICODE\0" => {
            // Some programs write UTF-8 nevertheless, or a byte order mark.
            let text = text.strip_prefix(&[0xFE, 0xFF]).unwrap_or(text);
            Some(tiff.utf16(text).trim_start_matches('\u{feff}').to_owned())
        }
        b"ASCII\0\0\0" | [0, 0, 0, 0, 0, 0, 0, 0] => Some(decoded(text, MAX_BYTES)),
        // Japanese in JIS, or a comment without the name of its encoding.
        b"JIS\0\0\0\0\0" => None,
        _ => Some(decoded(bytes, MAX_BYTES)),
    }
}

/// Latitude and longitude in degrees; `None` when one of them does not say on which side it is.
fn position(tiff: &Tiff<'_>, first: &Directory) -> Option<(f64, f64)> {
    let gps = tiff.at(first.number(tiff, tag::GPS)? as usize)?;
    let degrees = |tag, reference, [positive, negative]: [u8; 2]| {
        let [degrees, minutes, seconds] = gps.fractions(tiff, tag)?;
        let degrees = degrees + minutes / 60.0 + seconds / 3600.0;
        let side = gps.bytes(tiff, reference)?.first()?.to_ascii_uppercase();
        match side {
            _ if side == positive => Some(degrees),
            _ if side == negative => Some(-degrees),
            _ => None,
        }
    };
    let latitude = degrees(tag::LATITUDE, tag::LATITUDE_REF, *b"NS")?;
    let longitude = degrees(tag::LONGITUDE, tag::LONGITUDE_REF, *b"EW")?;
    Some((latitude, longitude))
}
