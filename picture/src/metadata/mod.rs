//! What a file says about its picture: camera, date, places, position, descriptions and keywords.
//!
//! Cameras write EXIF, programs for photographers IPTC and XMP; all are stored beside the pixels,
//! which are not decoded here, or XMP in a file of its own. Malformed metadata counts as missing.
//! Lengths and offsets are checked against the file, and the texts that are kept are short.

mod blocks;
mod described;
#[cfg(test)]
mod described_tests;
mod exif;
mod fields;
mod iptc;
mod keywords;
#[cfg(test)]
mod tests;
mod xmp;

use super::limits::guarded;
use blocks::Blocks;
pub use fields::Taken;
use fields::{Fields, MAX_PLACES};

/// What a file says about its picture. Texts have no control characters, but are otherwise as
/// somebody wrote them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metadata {
    /// Make and model of the camera.
    pub camera: Option<String>,
    /// When the picture was taken, by the camera's clock.
    pub taken: Option<Taken>,
    /// Names of the place, the narrowest first: spot, city, region, country.
    pub places: Vec<String>,
    /// Latitude, -90 to 90, and longitude, -180 to 180, both in degrees. Never 0, 0, which devices
    /// write while they do not know their position.
    pub position: Option<(f64, f64)>,
    /// What somebody wrote about the picture: titles, then descriptions, each once, of at most
    /// 2,000 characters. What cameras write into the same fields is left out.
    pub texts: Vec<String>,
    /// Keywords, each once, of at most 100 characters.
    pub keywords: Vec<String>,
}

/// The largest XMP sidecar that is read, in bytes, and how many elements and texts it may have.
/// Programs that edit keep histories and masks there.
const MAX_SIDECAR: usize = 8 << 20;
const MAX_SIDECAR_NODES: u32 = 1 << 18;

/// Reads an XMP sidecar, a file that says about a picture what could be in the picture's file.
///
/// # Errors
/// When it is larger than 8 MiB, is not text or not valid XML, or is nested or composed of more
/// parts than any program writes; the text says which.
pub fn sidecar_metadata(bytes: &[u8]) -> Result<Metadata, String> {
    if bytes.len() > MAX_SIDECAR {
        return Err(format!("larger than {} MiB", MAX_SIDECAR >> 20));
    }
    let fields = guarded(|| xmp::parse(bytes, MAX_SIDECAR_NODES));
    let fields = fields.unwrap_or_else(|| Err("the XML parser failed".to_owned()))?;
    Ok(joined(Fields::default(), fields, Fields::default()))
}

/// The content of an XMP sidecar with these keywords (`dc:subject`) added to those that it has;
/// `None` if it has them all, in upper or lower case. Everything else in it stays as it is, to the
/// byte. Without an `existing` sidecar, the content of a new one.
///
/// # Errors
/// As [`sidecar_metadata`]; and when it is not XMP in UTF-8, or a keyword has characters that XML
/// does not allow.
pub fn with_keywords(
    existing: Option<&[u8]>,
    keywords: &[impl AsRef<str>],
) -> Result<Option<String>, String> {
    let keywords: Vec<&str> = keywords
        .iter()
        .map(|keyword| keyword.as_ref().trim())
        .collect();
    let Some(bytes) = existing else {
        return keywords::added(keywords::EMPTY, &keywords, MAX_SIDECAR_NODES);
    };
    if bytes.len() > MAX_SIDECAR {
        return Err(format!("larger than {} MiB", MAX_SIDECAR >> 20));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8 text")?;
    let added = guarded(|| keywords::added(text, &keywords, MAX_SIDECAR_NODES));
    added.unwrap_or_else(|| Err("the XML parser failed".to_owned()))
}

/// Reads a picture file's metadata, without decoding the picture. Empty for files without metadata
/// and for files that are not pictures. Never panics.
#[must_use]
pub fn metadata(bytes: &[u8]) -> Metadata {
    guarded(|| merge(&Blocks::find(bytes))).unwrap_or_default()
}

fn merge(blocks: &Blocks<'_>) -> Metadata {
    let exif = blocks.exif.as_deref().map(exif::read).unwrap_or_default();
    let xmp = blocks.xmp.as_deref().map(xmp::read).unwrap_or_default();
    let iptc = blocks.iptc.map(iptc::read).unwrap_or_default();
    joined(exif, xmp, iptc)
}

fn joined(exif: Fields, xmp: Fields, iptc: Fields) -> Metadata {
    let (mut texts, mut keywords) = (Vec::new(), Vec::new());
    for fields in [&xmp, &iptc, &exif] {
        let written = fields
            .texts
            .iter()
            .filter_map(|text| described::written(text));
        described::add(&mut texts, written, described::MAX_TEXTS);
        let words = fields
            .keywords
            .iter()
            .filter_map(|text| described::keyword(text));
        described::add(&mut keywords, words, described::MAX_KEYWORDS);
    }
    let mut places: Vec<String> = Vec::new();
    for place in xmp.places.into_iter().chain(iptc.places) {
        let lowercase = place.to_lowercase();
        let is_known = places.iter().any(|known| known.to_lowercase() == lowercase);
        if places.len() < MAX_PLACES && !is_known {
            places.push(place);
        }
    }
    let is_place = |&(latitude, longitude): &(f64, f64)| {
        let is_on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        is_on_earth && (latitude != 0.0 || longitude != 0.0)
    };
    let positions = [exif.position, xmp.position];
    Metadata {
        position: positions.into_iter().flatten().find(is_place),
        texts,
        keywords,
        camera: camera(exif.make.or(xmp.make), exif.model.or(xmp.model)),
        taken: [xmp.taken, iptc.taken, exif.changed, xmp.changed]
            .into_iter()
            .fold(exif.taken, Taken::merged),
        places,
    }
}

/// Joins make and model. The make is left out where the model begins with its first word: `Canon`
/// and `Canon EOS 5D`, `NIKON CORPORATION` and `NIKON D750`.
fn camera(make: Option<String>, model: Option<String>) -> Option<String> {
    let (make, model) = match (make, model) {
        (Some(make), Some(model)) => (make, model),
        (make, model) => return make.or(model),
    };
    let first = |text: &str| text.split(' ').next().map(str::to_lowercase);
    Some(if first(&make) == first(&model) {
        model
    } else {
        format!("{make} {model}")
    })
}
