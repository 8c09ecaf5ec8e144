//! JPEG files, at full or at reduced size.
//!
//! There are two decoders. `reduced` is our own and fast: it decodes what cameras and programs
//! write at 1/2, 1/4 or 1/8 of the size. `whole` decodes nearly everything at full size, and every
//! file that the first one rejects, so that errors do not depend on the requested size. Sequential
//! files with one scan per component are decoded by the first one at full size too: the library of
//! the second gets them wrong where colour is subsampled.
//!
//! The second decoder shows what it has of a damaged file, so what is left to it is walked over
//! first: the end of the coded data decides whether the picture is whole, not the end marker. That
//! takes half as long as decoding a progressive file, of which the first decoder leaves only small
//! and damaged ones.

mod reduced;
mod whole;

use image::RgbImage;
use image::metadata::Orientation;

use super::limits::Deadline;
use super::orientation::from_exif;
use super::{DecodeError, DecodeLimits};
use reduced::{Detail, Reduced, Stop, Walk};
use whole::{Jpeg, Structure};

/// The size that a picture must keep when it is decoded at a reduced size.
///
/// A JPEG can be decoded at 1/2, 1/4 or 1/8 of its size in a fraction of the time. The larger the
/// reduced picture is compared to a model's input size, the less the model's result changes. A
/// preprocessor asks for twice its input size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Smallest {
    /// Pixels that the shorter side keeps.
    shorter: u32,
    /// Pixels that the longer side keeps.
    longer: u32,
}

impl Smallest {
    /// The picture is never reduced.
    #[must_use]
    pub const fn whole() -> Self {
        // No picture has a side as long as this.
        Self::shorter_side(u32::MAX)
    }

    /// The shorter side keeps at least this many pixels.
    #[must_use]
    pub const fn shorter_side(length: u32) -> Self {
        Self {
            shorter: length,
            longer: 0,
        }
    }

    /// The longer side keeps at least this many pixels.
    #[must_use]
    pub const fn longer_side(length: u32) -> Self {
        Self {
            shorter: 0,
            longer: length,
        }
    }

    /// The picture keeps at least this width and height in either orientation: both sides keep the
    /// longer of the two.
    #[must_use]
    pub const fn both_sides(width: u32, height: u32) -> Self {
        // The shorter side is the first to fall below a length that both must keep.
        Self::shorter_side(if width > height { width } else { height })
    }

    /// The largest of 1, 2, 4 and 8 by which the sides of a picture of this size may be divided,
    /// rounding up as JPEG decoders do.
    fn divisor(self, width: u32, height: u32) -> u32 {
        let (short, long) = (width.min(height), width.max(height));
        let keeps = |divisor: &u32| {
            short.div_ceil(*divisor) >= self.shorter.max(1)
                && long.div_ceil(*divisor) >= self.longer
        };
        [8, 4, 2].into_iter().find(keeps).unwrap_or(1)
    }
}

/// Decodes a JPEG, reduced as far as `smallest` allows.
pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    deadline: Deadline,
    smallest: Smallest,
) -> Result<Jpeg, DecodeError> {
    let too_slow = || DecodeError::TooSlow {
        max_time: limits.max_time,
    };
    let reduced = |data, is_open| match decode_reduced(data, is_open, limits, deadline, smallest) {
        Some(Ok(jpeg)) => Ok(Some(jpeg)),
        Some(Err(Stop::Late)) => Err(too_slow()),
        Some(Err(Stop::Unexpected(_) | Stop::Early | Stop::Memory)) | None => Ok(None),
    };
    // It refuses a file without an end marker right behind the data.
    if let Some(jpeg) = reduced(bytes, false)? {
        return Ok(jpeg);
    }
    if let Some((width, height)) = reduced::walked_size(bytes) {
        limits.check(width, height, 0)?;
    }
    let structure = whole::structure(bytes);
    let is_regular = structure == Structure::Regular;
    let walked = reduced::walk(bytes, limits.max_bytes, deadline);
    let (data, is_open) = match walked.map_err(|_| too_slow())? {
        Walk::Whole { end } => (bytes.get(..end).unwrap_or(bytes), true),
        // Programs write many a regular file that violates the standard.
        Walk::Doubtful | Walk::Broken if is_regular => (bytes, false),
        Walk::Broken if structure == Structure::Interrupted => {
            return Err(DecodeError::corrupt("its data are interrupted"));
        }
        Walk::Cut | Walk::Doubtful | Walk::Broken => return Err(DecodeError::Truncated),
        Walk::Other => (bytes, false),
    };
    if is_open && let Some(jpeg) = reduced(data, true)? {
        return Ok(jpeg);
    }
    whole::decode(data, is_open, limits, deadline)
}

/// Upper estimate of the memory for decoding in bytes, from the segments before the first scan;
/// zero when there is no frame.
pub(super) fn memory_needed(bytes: &[u8], smallest: Smallest) -> u64 {
    let whole = whole::memory_needed(bytes);
    let reduced =
        reduced::size(bytes).and_then(|(width, height)| match smallest.divisor(width, height) {
            1 => None,
            divisor => reduced::memory_needed(bytes, divisor),
        });
    reduced.map_or(whole, |reduced| reduced.min(whole))
}

/// Decodes with the reduced decoder; `None` for files that are left to the general one.
fn decode_reduced(
    bytes: &[u8],
    is_open: bool,
    limits: &DecodeLimits,
    deadline: Deadline,
    smallest: Smallest,
) -> Option<Result<Jpeg, Stop>> {
    let (width, height) = reduced::size(bytes)?;
    let divisor = smallest.divisor(width, height);
    let is_general = divisor == 1 && !whole::has_separate_scans(bytes);
    if is_general || limits.check(width, height, 0).is_err() {
        return None;
    }
    let detail = Detail::Enough;
    let reduced = reduced::decode(bytes, is_open, divisor, detail, limits.max_bytes, deadline);
    reduced
        .map(|reduced| into_jpeg(reduced, width, height))
        .transpose()
}

fn into_jpeg(reduced: Reduced<'_>, width: u32, height: u32) -> Option<Jpeg> {
    Some(Jpeg {
        image: RgbImage::from_raw(reduced.width, reduced.height, reduced.rgb)?,
        width,
        height,
        orientation: reduced.exif.map_or(Orientation::NoTransforms, from_exif),
        icc: reduced.icc,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reduced_picture_keeps_at_least_the_smallest_size() {
        let cases = [
            (Smallest::shorter_side(448), 4000, 3000, 4),
            (Smallest::shorter_side(448), 3000, 4000, 4),
            (Smallest::shorter_side(448), 1792, 9000, 4),
            // 447.75 is rounded up to 448; 447.5 to 448 as well; 447 is below.
            (Smallest::shorter_side(448), 1791, 9000, 4),
            (Smallest::shorter_side(448), 1788, 9000, 2),
            (Smallest::shorter_side(448), 894, 9000, 1),
            (Smallest::shorter_side(448), 895, 9000, 2),
            (Smallest::shorter_side(448), 8000, 6000, 8),
            (Smallest::shorter_side(448), 100, 90_000, 1),
            (Smallest::longer_side(448), 100, 90_000, 8),
            (Smallest::longer_side(448), 2000, 400, 4),
            (Smallest::both_sides(448, 448), 2000, 400, 1),
            (Smallest::both_sides(300, 600), 4000, 2400, 4),
            (Smallest::both_sides(600, 300), 2396, 4000, 2),
            (Smallest::whole(), 60_000, 60_000, 1),
            (Smallest::shorter_side(0), 8, 8, 8),
            (Smallest::shorter_side(1), 0, 0, 1),
        ];
        for (smallest, width, height, divisor) in cases {
            let found = smallest.divisor(width, height);
            assert_eq!(found, divisor, "{smallest:?} {width} × {height}");
        }
        assert_eq!(cases.len(), 17);
    }
}
