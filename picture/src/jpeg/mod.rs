//! What does a JPEG file show?
//!
//! Two decoders. The one in `reduced` is ours and quick: it reads what cameras and programs write,
//! at 1/2, 1/4 or 1/8 of its size. The general one in `whole` reads everything, at full size; it
//! also has the word on every file that the first does not understand, so that what is said of a
//! broken file does not depend on the size that was asked for.

mod reduced;
mod timed;
mod whole;

pub(super) use whole::{INKS_BYTES, TABLE_BYTES, without_differences};

use image::RgbImage;
use image::metadata::Orientation;

use reduced::{Deadline, Detail, Reduced, Stop};

use super::limits::Deadline as Limit;
use super::{DecodeError, DecodeLimits, Smallest, from_exif};

/// What a JPEG file holds, as it is stored.
#[derive(Debug)]
pub(super) struct Jpeg {
    /// The pixels, not turned yet, in the file's own RGB colours; inks are mixed already.
    pub(super) image: RgbImage,
    /// Width of the whole picture as stored, in pixels.
    pub(super) width: u32,
    /// Height of the whole picture as stored, in pixels.
    pub(super) height: u32,
    /// How the pixels must be turned.
    pub(super) orientation: Orientation,
    /// The ICC profile of the pixels, when it is still to be applied.
    pub(super) icc: Option<Vec<u8>>,
}

/// Decodes a JPEG, reduced as far as `smallest` allows.
pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    deadline: Limit,
    smallest: Smallest,
) -> Result<Jpeg, DecodeError> {
    match reduced(bytes, limits, deadline, smallest) {
        Some(Ok(jpeg)) => Ok(jpeg),
        Some(Err(Stop::Late)) => Err(DecodeError::TooSlow {
            max_time: limits.max_time,
        }),
        Some(Err(Stop::Surprise(_) | Stop::Memory)) | None => {
            whole::decode(bytes, limits, deadline)
        }
    }
}

/// The picture at a reduced size, when it may be reduced and is of a kind that the quick decoder
/// knows.
fn reduced(
    bytes: &[u8],
    limits: &DecodeLimits,
    deadline: Limit,
    smallest: Smallest,
) -> Option<Result<Jpeg, Stop>> {
    let (width, height) = reduced::size(bytes)?;
    let divisor = smallest.divisor(width, height);
    if divisor == 1 || limits.check(width, height, 0).is_err() {
        return None;
    }
    let deadline = Deadline(deadline.end());
    let found = reduced::decode(bytes, divisor, Detail::Enough, limits.max_bytes, deadline);
    found.map(|found| jpeg(found, width, height)).transpose()
}

fn jpeg(found: Reduced<'_>, width: u32, height: u32) -> Option<Jpeg> {
    Some(Jpeg {
        image: RgbImage::from_raw(found.width, found.height, found.rgb)?,
        width,
        height,
        orientation: found.exif.map_or(Orientation::NoTransforms, from_exif),
        icc: found.icc,
    })
}
