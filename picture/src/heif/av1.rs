//! Decodes AV1 items.

use re_rav1d::dav1d::pixel::{
    ColorPrimaries, MatrixCoefficients, TransferCharacteristic, YUVRange,
};
use re_rav1d::dav1d::{
    Decoder, Error, Picture, PixelLayout, PlanarImageComponent, Plane, Settings,
};

use super::planes::{Coding, Planes, Sampling};
use crate::limits::guarded;
use crate::{DecodeError, DecodeLimits};

/// Decodes one item and passes its planes and their colour coding to `put`.
///
/// The decoder takes the item as a whole and cannot be interrupted.
pub(super) fn decode(
    data: Vec<u8>,
    limits: &DecodeLimits,
    put: &mut dyn FnMut(&dyn Planes, Coding) -> Result<(), DecodeError>,
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
    put(&Av1::new(&picture), coding(&picture))
}

fn from_dav1d(error: Error) -> DecodeError {
    match error {
        Error::Again => DecodeError::Truncated,
        Error::UnsupportedBitstream => {
            DecodeError::unsupported("AVIF with an unknown variant of AV1")
        }
        error => DecodeError::corrupt(error),
    }
}

/// The colour coding in the coded picture (AV1, section 6.4.2), as code points of H.273.
///
/// The decoder's crate panics for code points that H.273 reserves. They count as unspecified.
fn coding(picture: &Picture) -> Coding {
    let matrix = guarded(|| picture.matrix_coefficients());
    let primaries = guarded(|| picture.color_primaries());
    let transfer = guarded(|| picture.transfer_characteristic());
    Coding {
        matrix: match matrix {
            Some(MatrixCoefficients::Identity) => 0,
            Some(MatrixCoefficients::BT709) => 1,
            Some(MatrixCoefficients::BT470M) => 4,
            Some(MatrixCoefficients::ST240M) => 7,
            Some(MatrixCoefficients::YCgCo) => 8,
            Some(MatrixCoefficients::BT2020NonConstantLuminance) => 9,
            Some(MatrixCoefficients::BT2020ConstantLuminance) => 10,
            _ => 6,
        },
        is_full_range: picture.color_range() == YUVRange::Full,
        primaries: match primaries {
            Some(ColorPrimaries::BT2020) => 9,
            Some(ColorPrimaries::P3DCI) => 11,
            Some(ColorPrimaries::P3Display) => 12,
            _ => 1,
        },
        transfer: match transfer {
            Some(TransferCharacteristic::BT470M) => 4,
            Some(TransferCharacteristic::BT470BG) => 5,
            Some(TransferCharacteristic::Linear) => 8,
            Some(TransferCharacteristic::PerceptualQuantizer) => 16,
            Some(TransferCharacteristic::HybridLogGamma) => 18,
            _ => 13,
        },
    }
}

struct Av1 {
    size: (u32, u32),
    n_bits: u32,
    sampling: Sampling,
    /// Plane and stride. Values with more than 8 bits take two bytes in native order.
    planes: Vec<(Plane, usize)>,
}

impl Av1 {
    fn new(picture: &Picture) -> Self {
        let sampling = match picture.pixel_layout() {
            PixelLayout::I400 => Sampling::Grey,
            PixelLayout::I420 => Sampling::Colour {
                in_width: 1,
                in_height: 1,
            },
            PixelLayout::I422 => Sampling::Colour {
                in_width: 1,
                in_height: 0,
            },
            PixelLayout::I444 => Sampling::Colour {
                in_width: 0,
                in_height: 0,
            },
        };
        let all = [
            PlanarImageComponent::Y,
            PlanarImageComponent::U,
            PlanarImageComponent::V,
        ];
        // A grey picture has no colour planes.
        let n = if sampling == Sampling::Grey { 1 } else { 3 };
        let planes = all[..n]
            .iter()
            .map(|&which| (picture.plane(which), picture.stride(which) as usize))
            .collect();
        let n_bits = picture.bits_per_component().map_or(8, |bits| bits.0);
        Self {
            size: (picture.width(), picture.height()),
            n_bits: u32::try_from(n_bits).unwrap_or(8),
            sampling,
            planes,
        }
    }
}

impl Planes for Av1 {
    fn width(&self) -> u32 {
        self.size.0
    }

    fn height(&self) -> u32 {
        self.size.1
    }

    fn n_bits(&self) -> u32 {
        self.n_bits
    }

    fn sampling(&self) -> Sampling {
        self.sampling
    }

    fn is_interpolated(&self) -> bool {
        true
    }

    fn row(&self, plane: usize, y: u32, into: &mut [u16]) {
        let Some((values, stride)) = self.planes.get(plane) else {
            return;
        };
        let bytes: &[u8] = values;
        let row = bytes.get(y as usize * stride..).unwrap_or_default();
        let row = &row[..row.len().min(*stride)];
        if self.n_bits == 8 {
            for (into, &value) in into.iter_mut().zip(row) {
                *into = u16::from(value);
            }
        } else {
            for (into, value) in into.iter_mut().zip(row.as_chunks().0) {
                *into = u16::from_ne_bytes(*value);
            }
        }
    }
}
