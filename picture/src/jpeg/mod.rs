//! JPEG files, at full or at reduced size.
//!
//! There are two decoders. `reduced` is our own and fast: it decodes what cameras and programs
//! write at 1/2, 1/4 or 1/8 of the size. `whole` decodes nearly everything at full size, and every
//! file that the first one rejects, so that errors do not depend on the requested size. Sequential
//! files with one scan per component are decoded by the first one at full size too: the library of
//! the second gets them wrong where colour is subsampled.

mod reduced;
mod whole;

use image::RgbImage;
use image::metadata::Orientation;

use super::limits::Deadline;
use super::orientation::from_exif;
use super::{DecodeError, DecodeLimits};
use reduced::{Detail, Reduced, Stop};
use whole::Jpeg;
pub(super) use whole::memory_needed;

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
    match decode_reduced(bytes, limits, deadline, smallest) {
        Some(Ok(jpeg)) => Ok(jpeg),
        Some(Err(Stop::Late)) => Err(DecodeError::TooSlow {
            max_time: limits.max_time,
        }),
        Some(Err(Stop::Unexpected(_) | Stop::Memory)) | None => {
            whole::decode(bytes, limits, deadline)
        }
    }
}

/// Decodes with the reduced decoder; `None` for files that are left to the general one.
fn decode_reduced(
    bytes: &[u8],
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
    let reduced = reduced::decode(bytes, divisor, Detail::Enough, limits.max_bytes, deadline);
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
