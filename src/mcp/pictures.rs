//! Pictures small enough to be sent to an assistant.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sightline_picture::{DecodeLimits, Thumbnail, thumbnail};

use super::failure::Failure;
use super::library::Library;
use crate::engine::Image;

/// The type of all pictures that are sent.
pub(super) const MEDIA_TYPE: &str = "image/jpeg";

/// A copy of a picture with at most `side` pixels along its longer side, as JPEG: upright, sRGB,
/// without metadata.
///
/// # Errors
/// When no file of the image is as it was indexed within its library folder, or cannot be decoded.
pub(super) fn scaled(library: &Library, image: &Image, side: u32) -> Result<Thumbnail, Failure> {
    let Some((path, file)) = library.engine().open_file_of(image)? else {
        let path = image
            .paths
            .first()
            .map_or_else(String::new, |path| path.display().to_string());
        let what = "missing or changed since it was indexed, or a link that leaves its library \
                    folder";
        return Err(Failure::new(format!("{path}: {what}"))
            .with_advice("the user updates the index with `sightline index FOLDER`"));
    };
    let limits = DecodeLimits::default();
    let fails = |reason: String| Failure::new(format!("{}: {reason}", path.display()));
    let mut bytes = Vec::new();
    file.take(limits.max_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| fails(error.to_string()))?;
    if bytes.len() as u64 > limits.max_bytes {
        return Err(fails(format!("larger than {} bytes", limits.max_bytes)));
    }
    thumbnail(&bytes, &limits, side).map_err(|error| fails(error.reason()))
}

/// The content of a picture as base64.
pub(super) fn encoded(picture: &Thumbnail) -> String {
    STANDARD.encode(&picture.jpeg)
}
