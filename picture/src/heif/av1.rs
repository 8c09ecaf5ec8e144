//! Decodes AV1 items.

use re_rav1d::dav1d::pixel::YUVRange;
use re_rav1d::dav1d::{Decoder, Error, Picture, PixelLayout, PlanarImageComponent, Settings};

use super::planes::{Coding, Planes};
use crate::limits::guarded;
use crate::{DecodeError, DecodeLimits};

/// Decodes one item and passes its planes and their colour coding to `put`.
///
/// The decoder takes the item as a whole and cannot be interrupted.
pub(super) fn decode(
    data: Vec<u8>,
    limits: &DecodeLimits,
    put: &mut dyn FnMut(&Planes<'_>, Coding) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut settings = Settings::new();
    // The caller decodes several pictures at once already.
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    let max_pixels = limits.max_pixels.min(limits.max_bytes / 12);
    settings.set_frame_size_limit(u32::try_from(max_pixels).unwrap_or(u32::MAX).max(1));
    let mut decoder = Decoder::with_settings(&settings).map_err(from_dav1d)?;
    match decoder.send_data(data, None, None, None) {
        Ok(()) | Err(Error::Again) => {}
        Err(error) => return Err(from_dav1d(error)),
    }
    let picture = match decoder.get_picture() {
        // It takes the rest of the data now; without a picture after that there is none.
        Err(Error::Again) => {
            decoder.send_pending_data().map_err(from_dav1d)?;
            decoder.get_picture()
        }
        other => other,
    };
    let picture = picture.map_err(from_dav1d)?;
    let sampling = match picture.pixel_layout() {
        PixelLayout::I400 => None,
        PixelLayout::I420 => Some((1, 1)),
        PixelLayout::I422 => Some((1, 0)),
        PixelLayout::I444 => Some((0, 0)),
    };
    let n_bits = picture.bits_per_component().map_or(8, |bits| bits.0);
    let components = [
        PlanarImageComponent::Y,
        PlanarImageComponent::U,
        PlanarImageComponent::V,
    ];
    // A grey picture has no colour planes.
    let n_planes = if sampling.is_some() { 3 } else { 1 };
    let planes = components[..n_planes]
        .iter()
        .map(|&which| (picture.plane(which), picture.stride(which) as usize));
    let planes: Vec<_> = planes.collect();
    let row = |plane: usize, y: u32, into: &mut [u16]| {
        let Some((values, stride)) = planes.get(plane) else {
            return;
        };
        let bytes: &[u8] = values;
        let row = bytes.get(y as usize * stride..).unwrap_or_default();
        let row = &row[..row.len().min(*stride)];
        if n_bits == 8 {
            for (into, &value) in into.iter_mut().zip(row) {
                *into = u16::from(value);
            }
        } else {
            // Two bytes in native order.
            for (into, value) in into.iter_mut().zip(row.as_chunks().0) {
                *into = u16::from_ne_bytes(*value);
            }
        }
    };
    let planes = Planes {
        width: picture.width(),
        height: picture.height(),
        n_bits: u32::try_from(n_bits).unwrap_or(8),
        sampling,
        is_interpolated: true,
        row: &row,
    };
    put(&planes, coding(&picture))
}

fn from_dav1d(error: Error) -> DecodeError {
    match error {
        Error::Again => DecodeError::Truncated,
        Error::UnsupportedBitstream => {
            DecodeError::unsupported("AVIF with an unknown variant of AV1")
        }
        error => DecodeError::damaged(&error),
    }
}

/// The colour coding in the coded picture (AV1, section 6.4.2), as code points of H.273.
///
/// The decoder's crate panics for code points that H.273 reserves. They count as unspecified.
fn coding(picture: &Picture) -> Coding {
    const UNSPECIFIED: u16 = 2;
    Coding {
        matrix: guarded(|| picture.matrix_coefficients() as u16).unwrap_or(UNSPECIFIED),
        is_full_range: picture.color_range() == YUVRange::Full,
        primaries: guarded(|| picture.color_primaries() as u16).unwrap_or(UNSPECIFIED),
        transfer: guarded(|| picture.transfer_characteristic() as u16).unwrap_or(UNSPECIFIED),
    }
}
