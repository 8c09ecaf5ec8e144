//! What a file says about its picture: camera, date and places.
//!
//! Cameras write EXIF, programs for photographers IPTC and XMP; all are stored beside the pixels,
//! which are not decoded here. Malformed metadata counts as missing. Lengths and offsets are
//! checked against the file, and the texts that are kept are short.

mod blocks;
mod exif;
mod fields;
mod iptc;
#[cfg(test)]
mod tests;
mod xmp;

use super::limits::guarded;
use blocks::Blocks;
use fields::MAX_PLACES;
pub use fields::Taken;

/// What a file says about its picture. Texts have no control characters, but are otherwise as
/// somebody wrote them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// Make and model of the camera.
    pub camera: Option<String>,
    /// When the picture was taken, by the camera's clock.
    pub taken: Option<Taken>,
    /// Names of the place, the narrowest first: spot, city, region, country.
    pub places: Vec<String>,
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
    let mut places: Vec<String> = Vec::new();
    for place in xmp.places.into_iter().chain(iptc.places) {
        let lowercase = place.to_lowercase();
        let is_known = places.iter().any(|known| known.to_lowercase() == lowercase);
        if places.len() < MAX_PLACES && !is_known {
            places.push(place);
        }
    }
    Metadata {
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
