//! What does a file show?
//!
//! Bytes in, upright 8-bit RGB out. The format is told by the content, since names lie. Sizes are
//! checked from the header, before memory is asked for. Orientation from EXIF is applied, what is
//! transparent stands on white (`opaque` says why), of an animation the first picture counts,
//! embedded colour profiles are converted to sRGB. What the file says besides, [`details`] reads.

mod colour;
mod directories;
mod error;
mod exr;
mod formats;
mod general;
mod guard;
mod heif;
mod ink;
mod jpeg;
mod jxl;
mod light;
mod limits;
mod memory;
mod metadata;
mod opaque;
mod page;
mod palette;
mod raw;
mod smallest;
mod sniff;
mod svg;
mod thumbnail;

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

pub use error::DecodeError;
pub use formats::{EXTENSIONS, Format, formats, is_picture};
use guard::guarded;
pub use guard::panics_are_caught;
use limits::Deadline;
pub use limits::DecodeLimits;
pub use memory::memory_needed;
pub use metadata::{Details, Taken, details};
pub use smallest::Smallest;
use sniff::Kind;
pub use thumbnail::{Thumbnail, thumbnail};

/// A decoded picture and the size that it has in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The picture, upright, perhaps at a reduced size.
    pub image: RgbImage,
    /// Width of the whole picture in pixels, when it is upright.
    pub width: u32,
    /// Height of the whole picture in pixels, when it is upright.
    pub height: u32,
}

impl Decoded {
    fn whole(image: RgbImage) -> Self {
        let (width, height) = image.dimensions();
        Self {
            image,
            width,
            height,
        }
    }
}

/// The error for a file of a picture format that is not read, by the first few bytes of it: of a
/// large one no more need be read.
#[must_use]
pub fn unread(start: &[u8]) -> Option<DecodeError> {
    sniff::unread(start).map(DecodeError::unsupported)
}

/// Decodes a picture file's content at its full size.
///
/// # Errors
/// [`DecodeError`]; never panics, whatever the bytes are.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, DecodeError> {
    decode_reduced(bytes, limits, Smallest::whole()).map(|decoded| decoded.image)
}

/// As [`decode`], but a large JPEG may come out at 1/2, 1/4 or 1/8 of its size, as far as
/// `smallest` allows.
///
/// # Errors
/// [`DecodeError`]; never panics, whatever the bytes are.
pub fn decode_reduced(
    bytes: &[u8],
    limits: &DecodeLimits,
    smallest: Smallest,
) -> Result<Decoded, DecodeError> {
    guarded(|| decode_unguarded(bytes, limits, smallest)).unwrap_or_else(|| {
        Err(DecodeError::broken(
            "the decoder gave up on contradictory content",
        ))
    })
}

fn decode_unguarded(
    bytes: &[u8],
    limits: &DecodeLimits,
    smallest: Smallest,
) -> Result<Decoded, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let deadline = limits.deadline();
    match sniff::kind(bytes) {
        Kind::Jpeg => decode_jpeg(bytes, limits, deadline, smallest, None),
        Kind::Readable(format) => {
            general::decode(bytes, format, limits, deadline).map(Decoded::whole)
        }
        Kind::Heif => heif::decode(bytes, limits, deadline).map(Decoded::whole),
        Kind::Jxl => jxl::decode(bytes, limits, deadline).map(Decoded::whole),
        Kind::Svg | Kind::Svgz => svg::decode(bytes, limits, deadline).map(Decoded::whole),
        Kind::Raw(name) => match raw::preview(bytes) {
            Some(preview) => decode_jpeg(
                preview.jpeg,
                limits,
                deadline,
                smallest,
                preview.orientation,
            ),
            None => Err(DecodeError::unsupported(format!(
                "camera RAW ({name}) without an embedded JPEG"
            ))),
        },
        Kind::Known(format) => Err(DecodeError::unsupported(format)),
        Kind::Unknown => Err(DecodeError::NotAPicture),
    }
}

/// A JPEG, turned as the file around it says, else as it says itself.
fn decode_jpeg(
    bytes: &[u8],
    limits: &DecodeLimits,
    deadline: Deadline,
    smallest: Smallest,
    orientation: Option<Orientation>,
) -> Result<Decoded, DecodeError> {
    deadline.check()?;
    let mut jpeg = jpeg::decode(bytes, limits, deadline, smallest)?;
    if let Some(icc) = &jpeg.icc {
        colour::to_srgb(&mut jpeg.image, icc);
    }
    let orientation = orientation.unwrap_or(jpeg.orientation);
    let (width, height) = if turns_sides(orientation) {
        (jpeg.height, jpeg.width)
    } else {
        (jpeg.width, jpeg.height)
    };
    Ok(Decoded {
        image: upright(jpeg.image, orientation),
        width,
        height,
    })
}

/// Whether width becomes height.
fn turns_sides(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// Some writers of WebP and PNG keep the marker that EXIF has inside JPEG.
fn from_exif(exif: &[u8]) -> Orientation {
    let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    Orientation::from_exif_chunk(tiff).unwrap_or(Orientation::NoTransforms)
}

fn upright(picture: RgbImage, orientation: Orientation) -> RgbImage {
    if orientation == Orientation::NoTransforms {
        return picture;
    }
    let mut picture = DynamicImage::ImageRgb8(picture);
    picture.apply_orientation(orientation);
    picture.into_rgb8()
}
