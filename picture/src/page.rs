//! What does the first page of a TIFF show, where the `image` crate refuses or misreads it?
//!
//! Luminance with colour differences, as scanners write JPEG inside of TIFF; grey of 2, 4 and 32
//! bits, and with alpha; palettes of fewer than 256 colours; whole numbers of 32 bits; and colours
//! that are multiplied with their alpha already. All of these by the decoder below that crate.

use image::{DynamicImage, GrayAlphaImage, GrayImage, RgbImage, RgbaImage};
use tiff::TiffError;
use tiff::decoder::{Decoder, DecodingResult, Limits};

use super::directories::{Directory, Tiff};
use super::jpeg::without_differences;
use super::limits::{Deadline, TimedReader};
use super::{DecodeError, light};

mod tag {
    pub(super) const WIDTH: u16 = 256;
    pub(super) const HEIGHT: u16 = 257;
    pub(super) const BITS: u16 = 258;
    pub(super) const PHOTOMETRIC: u16 = 262;
    pub(super) const ORIENTATION: u16 = 274;
    pub(super) const SAMPLES: u16 = 277;
    pub(super) const PLANAR: u16 = 284;
    pub(super) const EXTRA: u16 = 338;
    pub(super) const FORMAT: u16 = 339;
}

/// How the values of a page are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Luminance and two colour differences.
    Differences,
    /// Grey, or places in a palette, several in a byte.
    Packed {
        n_bits: usize,
        is_grey: bool,
    },
    GreyAlpha,
    /// Whole numbers of 32 bits, this many a pixel.
    Wide {
        n_channels: usize,
    },
    /// Grey in proportion to light.
    Light,
    /// Red, green and blue are multiplied with alpha.
    Premultiplied,
}

/// A page whose directory was read.
pub(super) struct Page {
    kind: Kind,
    pub(super) width: u32,
    pub(super) height: u32,
    /// What EXIF calls the orientation, 1 to 8.
    pub(super) orientation: Option<u8>,
    bytes_per_pixel: u64,
}

/// What a page shows.
pub(super) enum Shown {
    Picture(DynamicImage),
    /// Done already: light has no colour profile.
    Exposed(RgbImage),
    /// Places in the page's palette, one a pixel.
    Indices(Vec<u8>),
}

impl Page {
    /// The first page, when it is one of those that are read here.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let tiff = Tiff::open(bytes)?;
        let first = tiff.first()?;
        let number = |tag| first.number(&tiff, tag);
        let samples = number(tag::SAMPLES).unwrap_or(1);
        let bits = first.numbers(&tiff, tag::BITS).unwrap_or(vec![1]);
        let n_bits = *bits.first()?;
        if bits.iter().any(|&other| other != n_bits) || number(tag::PLANAR) == Some(2) {
            return None;
        }
        let kind = kind(&first, &tiff, samples, n_bits)?;
        let orientation = number(tag::ORIENTATION);
        Some(Self {
            kind,
            width: number(tag::WIDTH)?,
            height: number(tag::HEIGHT)?,
            orientation: orientation.and_then(|n| u8::try_from(n).ok()),
            bytes_per_pixel: u64::from(samples * n_bits).div_ceil(8),
        })
    }

    /// What is held at once, at most: the values, once more as they are unpacked, what becomes of
    /// them, and the picture on white and upright.
    pub(super) fn n_bytes(&self) -> u64 {
        let n_pixels = u64::from(self.width) * u64::from(self.height);
        let becomes = match self.kind {
            Kind::Light => 12,
            _ => 4,
        };
        n_pixels.saturating_mul(2 * self.bytes_per_pixel + becomes + 6)
    }

    /// Reads the page. Its directory must say grey where there is a palette.
    pub(super) fn read(
        &self,
        bytes: &[u8],
        max_bytes: u64,
        deadline: Deadline,
    ) -> Result<Shown, DecodeError> {
        let mut limits = Limits::default();
        limits.decoding_buffer_size = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        limits.intermediate_buffer_size = limits.decoding_buffer_size;
        let decoder = Decoder::new(TimedReader::new(bytes, deadline)).map_err(from_tiff)?;
        let mut decoder = decoder.with_limits(limits);
        let values = decoder.read_image().map_err(from_tiff)?;
        drop(decoder);
        self.shown(values)
            .ok_or_else(|| DecodeError::broken("the directory contradicts the pixels"))
    }

    fn shown(&self, values: DecodingResult) -> Option<Shown> {
        let (width, height) = (self.width, self.height);
        let picture = match (self.kind, values) {
            (Kind::Differences, DecodingResult::U8(mut values)) => {
                values.chunks_exact_mut(3).for_each(without_differences);
                RgbImage::from_raw(width, height, values)?.into()
            }
            (Kind::Packed { n_bits, is_grey }, DecodingResult::U8(values)) => {
                let mut unpacked = unpacked(&values, width as usize, height as usize, n_bits)?;
                if !is_grey {
                    return Some(Shown::Indices(unpacked));
                }
                let factor = if n_bits == 2 { 85 } else { 17 };
                for value in &mut unpacked {
                    *value *= factor;
                }
                GrayImage::from_raw(width, height, unpacked)?.into()
            }
            (Kind::GreyAlpha, DecodingResult::U8(values)) => {
                GrayAlphaImage::from_raw(width, height, values)?.into()
            }
            (Kind::GreyAlpha, DecodingResult::U16(values)) => {
                GrayAlphaImage::from_raw(width, height, upper(&values, 8))?.into()
            }
            (Kind::Wide { n_channels }, DecodingResult::U32(values)) => {
                let values = upper(&values, 24);
                match n_channels {
                    1 => GrayImage::from_raw(width, height, values)?.into(),
                    3 => RgbImage::from_raw(width, height, values)?.into(),
                    _ => RgbaImage::from_raw(width, height, values)?.into(),
                }
            }
            (Kind::Light, DecodingResult::F32(values)) => {
                let n_pixels = usize::try_from(u64::from(width) * u64::from(height)).ok()?;
                if values.len() != n_pixels {
                    return None;
                }
                let light: Vec<f32> = values.into_iter().flat_map(|value| [value; 3]).collect();
                return Some(Shown::Exposed(light::expose(&light, 3, width, height)));
            }
            (Kind::Premultiplied, DecodingResult::U8(values)) => {
                RgbaImage::from_raw(width, height, divided(values))?.into()
            }
            (Kind::Premultiplied, DecodingResult::U16(values)) => {
                RgbaImage::from_raw(width, height, divided(upper(&values, 8)))?.into()
            }
            _ => return None,
        };
        Some(Shown::Picture(picture))
    }
}

fn kind(first: &Directory, tiff: &Tiff<'_>, samples: u32, n_bits: u32) -> Option<Kind> {
    const WHOLE: u32 = 1;
    const FLOATING: u32 = 3;
    const PREMULTIPLIED: u32 = 1;
    let numbers = |tag| first.numbers(tiff, tag).unwrap_or_default();
    let format = numbers(tag::FORMAT).first().copied().unwrap_or(WHOLE);
    let extra = numbers(tag::EXTRA).first().copied();
    let packed = |is_grey| Kind::Packed {
        n_bits: n_bits as usize,
        is_grey,
    };
    let wide = Kind::Wide {
        n_channels: samples as usize,
    };
    match (
        first.number(tiff, tag::PHOTOMETRIC)?,
        samples,
        n_bits,
        format,
    ) {
        (0 | 1, 1, 2 | 4, WHOLE) => Some(packed(true)),
        (0 | 1, 1, 32, FLOATING) => Some(Kind::Light),
        (0 | 1, 1, 32, WHOLE) | (2, 3 | 4, 32, WHOLE) => Some(wide),
        (1, 2, 8 | 16, WHOLE) => Some(Kind::GreyAlpha),
        (2, 4, 8 | 16, WHOLE) if extra == Some(PREMULTIPLIED) => Some(Kind::Premultiplied),
        (3, 1, 1 | 2 | 4, WHOLE) => Some(packed(false)),
        (6, 3, 8, WHOLE) => Some(Kind::Differences),
        _ => None,
    }
}

/// One value a byte. Rows begin with a byte of their own.
fn unpacked(values: &[u8], width: usize, height: usize, n_bits: usize) -> Option<Vec<u8>> {
    let row = (width * n_bits).div_ceil(8);
    let per_byte = 8 / n_bits;
    let mask = (1u8 << n_bits) - 1;
    let mut unpacked = Vec::with_capacity(width * height);
    for values in values.chunks_exact(row.max(1)).take(height) {
        unpacked.extend((0..width).map(|x| {
            let shift = 8 - n_bits * (x % per_byte + 1);
            values[x / per_byte] >> shift & mask
        }));
    }
    (unpacked.len() == width * height).then_some(unpacked)
}

/// The upper eight bits, as of all deep pictures.
fn upper<T: Copy + Into<u32>>(values: &[T], shift: u32) -> Vec<u8> {
    values
        .iter()
        .map(|&value| u8::try_from(value.into() >> shift).unwrap_or(u8::MAX))
        .collect()
}

/// Takes alpha out of red, green and blue again.
fn divided(mut rgba: Vec<u8>) -> Vec<u8> {
    for pixel in rgba.chunks_exact_mut(4) {
        let alpha = u32::from(pixel[3]);
        for value in &mut pixel[..3] {
            let whole = (u32::from(*value) * 255 + alpha / 2) / alpha.max(1);
            *value = u8::try_from(whole).unwrap_or(u8::MAX);
        }
    }
    rgba
}

fn from_tiff(error: TiffError) -> DecodeError {
    match error {
        TiffError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated
        }
        TiffError::UnsupportedError(error) => DecodeError::unsupported(format!("TIFF: {error}")),
        error => DecodeError::broken(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_unpacked_row_by_row() {
        let values = [0b0001_1011, 0b1100_0000, 0b1110_0100, 0b0100_0000];
        let expected = [0, 1, 2, 3, 3, 3, 2, 1, 0, 1];
        assert_eq!(unpacked(&values, 5, 2, 2).unwrap(), expected);
        assert_eq!(unpacked(&[0x1F, 0x20], 3, 1, 4).unwrap(), [1, 15, 2]);
        assert_eq!(unpacked(&[0xA0], 3, 1, 1).unwrap(), [1, 0, 1]);
        assert!(unpacked(&values, 5, 3, 2).is_none());
    }

    #[test]
    fn alpha_is_taken_out_of_colours() {
        let rgba = vec![64, 128, 0, 128, 9, 9, 9, 0, 10, 20, 30, 255];
        assert_eq!(
            divided(rgba)[..4],
            [128, 255, 0, 128],
            "half covered, so twice as bright"
        );
        assert_eq!(upper(&[0xFF00u16, 0x12FF], 8), [0xFF, 0x12]);
        assert_eq!(upper(&[0x8000_0000u32], 24), [0x80]);
    }
}
