//! TIFF pages that the `image` crate refuses or decodes wrongly.
//!
//! Luminance with colour differences, as scanners write JPEG inside TIFF; CMYK, which that crate
//! darkens by rounding down; palettes; grey of 2, 4 and 32 bits, and with alpha; 32-bit integers;
//! and colours premultiplied by alpha. All are decoded by the `tiff` crate directly.

use image::metadata::Orientation;
use image::{DynamicImage, GrayAlphaImage, GrayImage, RgbImage, RgbaImage};
use tiff::decoder::{Decoder, DecodingResult, Limits};

use super::directory::{Directory, Tiff, tag};
use crate::colour::{
    ColourSpace, INK_TABLE_BYTES, exposure, flatten, high_byte, inks_to_rgb, ycc_to_rgb,
};
use crate::limits::{Deadline, TimedReader};
use crate::orientation::upright;
use crate::{DecodeError, DecodeLimits};

/// How the pixels of a page are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PixelKind {
    /// Luminance and two colour differences.
    Ycc,
    Cmyk,
    /// Grey values or indices of a palette, of this many bits.
    Packed {
        n_bits: usize,
        is_grey: bool,
    },
    GreyAlpha,
    /// 32-bit integers, this many per pixel.
    Wide {
        n_channels: usize,
    },
    /// Grey in proportion to light.
    Light,
    /// Red, green and blue premultiplied by alpha.
    Premultiplied,
}

/// A page whose directory was read.
pub(super) struct Page {
    kind: PixelKind,
    width: u32,
    height: u32,
    orientation: Orientation,
    icc: Option<Vec<u8>>,
    palette: Option<Palette>,
    bytes_per_pixel: u64,
}

impl Page {
    /// The first page, when it is of a kind that is decoded here.
    pub(super) fn open(bytes: &[u8]) -> Option<Self> {
        let tiff = Tiff::open(bytes)?;
        let first = tiff.first()?;
        let number = |tag| first.number(&tiff, tag);
        let samples = number(tag::SAMPLES_PER_PIXEL).unwrap_or(1);
        let bits = first
            .numbers(&tiff, tag::BITS_PER_SAMPLE)
            .unwrap_or(vec![1]);
        let n_bits = *bits.first()?;
        let is_planar = number(tag::PLANAR_CONFIGURATION) == Some(2);
        if is_planar || bits.iter().any(|&other| other != n_bits) {
            return None;
        }
        let kind = pixel_kind(&first, &tiff, samples, n_bits)?;
        let palette = match kind {
            PixelKind::Packed { is_grey: false, .. } => Some(Palette::read(&first, &tiff, n_bits)?),
            _ => None,
        };
        Some(Self {
            kind,
            width: number(tag::WIDTH)?,
            height: number(tag::HEIGHT)?,
            orientation: number(tag::ORIENTATION)
                .and_then(|n| Orientation::from_exif(u8::try_from(n).ok()?))
                .unwrap_or(Orientation::NoTransforms),
            icc: first.bytes(&tiff, tag::ICC_PROFILE).map(<[u8]>::to_vec),
            palette,
            bytes_per_pixel: u64::from(samples * n_bits).div_ceil(8),
        })
    }

    /// Upper estimate of the memory for decoding in bytes: the values, twice while they are
    /// unpacked, the pixels made of them, and the picture on white and upright.
    pub(super) fn n_bytes(&self) -> u64 {
        let n_pixels = u64::from(self.width) * u64::from(self.height);
        let pixels = match self.kind {
            PixelKind::Light => 12,
            _ => 4,
        };
        let tables = match (self.kind, &self.palette) {
            (PixelKind::Cmyk, _) => INK_TABLE_BYTES,
            (_, Some(palette)) => palette.as_grey.len() as u64,
            _ => 0,
        };
        n_pixels
            .saturating_mul(2 * self.bytes_per_pixel + pixels + 6)
            .saturating_add(tables)
    }

    /// Decodes the page to upright 8-bit sRGB on white.
    pub(super) fn decode(
        self,
        bytes: &[u8],
        limits: &DecodeLimits,
        deadline: Deadline,
    ) -> Result<RgbImage, DecodeError> {
        limits.check(self.width, self.height, self.n_bytes())?;
        let bytes = self
            .palette
            .as_ref()
            .map_or(bytes, |palette| &palette.as_grey);
        let mut allocation = Limits::default();
        allocation.decoding_buffer_size = usize::try_from(limits.max_bytes).unwrap_or(usize::MAX);
        allocation.intermediate_buffer_size = allocation.decoding_buffer_size;
        let decoder = Decoder::new(TimedReader::new(bytes, deadline))?;
        let mut decoder = decoder.with_limits(allocation);
        let values = decoder.read_image()?;
        drop(decoder);
        let orientation = self.orientation;
        let picture = self
            .into_picture(values)
            .ok_or_else(|| DecodeError::corrupt("the directory contradicts the pixels"))?;
        Ok(upright(picture, orientation))
    }

    fn into_picture(self, values: DecodingResult) -> Option<RgbImage> {
        let (width, height) = (self.width, self.height);
        let picture: DynamicImage = match (self.kind, values) {
            (PixelKind::Ycc, DecodingResult::U8(mut values)) => {
                values.chunks_exact_mut(3).for_each(ycc_to_rgb);
                RgbImage::from_raw(width, height, values)?.into()
            }
            (PixelKind::Cmyk, DecodingResult::U8(inks)) => {
                let rgb = inks_to_rgb(&inks, self.icc.as_deref());
                return RgbImage::from_raw(width, height, rgb);
            }
            (PixelKind::Packed { n_bits, is_grey }, DecodingResult::U8(values)) => {
                let mut values = unpacked(&values, width as usize, height as usize, n_bits)?;
                if is_grey {
                    let factor = if n_bits == 2 { 85 } else { 17 };
                    for value in &mut values {
                        *value *= factor;
                    }
                    GrayImage::from_raw(width, height, values)?.into()
                } else {
                    let rgb = self.palette?.apply(&values);
                    RgbImage::from_raw(width, height, rgb)?.into()
                }
            }
            (PixelKind::GreyAlpha, DecodingResult::U8(values)) => {
                GrayAlphaImage::from_raw(width, height, values)?.into()
            }
            (PixelKind::GreyAlpha, DecodingResult::U16(values)) => {
                GrayAlphaImage::from_raw(width, height, upper(&values, 8))?.into()
            }
            (PixelKind::Wide { n_channels }, DecodingResult::U32(values)) => {
                let values = upper(&values, 24);
                match n_channels {
                    1 => GrayImage::from_raw(width, height, values)?.into(),
                    3 => RgbImage::from_raw(width, height, values)?.into(),
                    _ => RgbaImage::from_raw(width, height, values)?.into(),
                }
            }
            (PixelKind::Light, DecodingResult::F32(values)) => {
                let n_pixels = usize::try_from(u64::from(width) * u64::from(height)).ok()?;
                if values.len() != n_pixels {
                    return None;
                }
                let light: Vec<f32> = values.into_iter().flat_map(|value| [value; 3]).collect();
                return Some(exposure::expose(&light, 3, width, height));
            }
            (PixelKind::Premultiplied, DecodingResult::U8(values)) => {
                RgbaImage::from_raw(width, height, unpremultiplied(values))?.into()
            }
            (PixelKind::Premultiplied, DecodingResult::U16(values)) => {
                RgbaImage::from_raw(width, height, unpremultiplied(upper(&values, 8)))?.into()
            }
            _ => return None,
        };
        Some(flatten(picture, &ColourSpace::from_icc(self.icc)))
    }
}

fn pixel_kind(first: &Directory, tiff: &Tiff<'_>, samples: u32, n_bits: u32) -> Option<PixelKind> {
    const INTEGER: u32 = 1;
    const FLOAT: u32 = 3;
    const PREMULTIPLIED: u32 = 1;
    let numbers = |tag| first.numbers(tiff, tag).unwrap_or_default();
    let format = numbers(tag::SAMPLE_FORMAT).first().copied();
    let extra = numbers(tag::EXTRA_SAMPLES).first().copied();
    let photometric = first.number(tiff, tag::PHOTOMETRIC)?;
    let packed = |is_grey| PixelKind::Packed {
        n_bits: n_bits as usize,
        is_grey,
    };
    let wide = PixelKind::Wide {
        n_channels: samples as usize,
    };
    match (photometric, samples, n_bits, format.unwrap_or(INTEGER)) {
        (0 | 1, 1, 2 | 4, INTEGER) => Some(packed(true)),
        (0 | 1, 1, 32, FLOAT) => Some(PixelKind::Light),
        (0 | 1, 1, 32, INTEGER) | (2, 3 | 4, 32, INTEGER) => Some(wide),
        (1, 2, 8 | 16, INTEGER) => Some(PixelKind::GreyAlpha),
        (2, 4, 8 | 16, INTEGER) if extra == Some(PREMULTIPLIED) => Some(PixelKind::Premultiplied),
        (3, 1, 1 | 2 | 4 | 8, INTEGER) => Some(packed(false)),
        (5, 4, 8, INTEGER) => Some(PixelKind::Cmyk),
        (6, 3, 8, INTEGER) => Some(PixelKind::Ycc),
        _ => None,
    }
}

/// The colours of a page with a palette.
///
/// The `tiff` crate refuses palettes. Indices are stored like grey values, so a copy of the file
/// whose directory says "grey" is decoded, and the colours are looked up here.
struct Palette {
    as_grey: Vec<u8>,
    colours: Vec<[u8; 3]>,
}

impl Palette {
    fn read(first: &Directory, tiff: &Tiff<'_>, n_bits: u32) -> Option<Self> {
        const GREY: u8 = 1;
        // All reds, all greens, all blues, 16 bits each.
        let n_colours = 1usize << n_bits;
        let start = first.entry(tag::COLOUR_MAP)?.offset(tiff)?;
        if first.bytes(tiff, tag::COLOUR_MAP)?.len() != 3 * n_colours * 2 {
            return None;
        }
        let value = |n: usize| tiff.short(start + 2 * n).map(high_byte);
        let colour = |n| Some([value(n)?, value(n + n_colours)?, value(n + 2 * n_colours)?]);
        let colours = (0..n_colours).map(colour).collect::<Option<_>>()?;
        let mut as_grey = tiff.bytes.to_vec();
        let at = first.entry(tag::PHOTOMETRIC)?.offset(tiff)?;
        let low_byte = if as_grey.starts_with(b"II") {
            at
        } else {
            at + 1
        };
        *as_grey.get_mut(low_byte)? = GREY;
        Some(Self { as_grey, colours })
    }

    /// Red, green and blue of indices.
    fn apply(&self, indices: &[u8]) -> Vec<u8> {
        let colour = |&index: &u8| self.colours.get(usize::from(index)).copied();
        indices
            .iter()
            .flat_map(|index| colour(index).unwrap_or_default())
            .collect()
    }
}

/// Unpacks values of `n_bits` bits to one byte each. Each row begins at a new byte.
fn unpacked(values: &[u8], width: usize, height: usize, n_bits: usize) -> Option<Vec<u8>> {
    let row = (width * n_bits).div_ceil(8);
    let per_byte = 8 / n_bits;
    let mask = u8::MAX >> (8 - n_bits);
    let mut unpacked = Vec::with_capacity(width * height);
    for values in values.chunks_exact(row.max(1)).take(height) {
        unpacked.extend((0..width).map(|x| {
            let shift = 8 - n_bits * (x % per_byte + 1);
            values[x / per_byte] >> shift & mask
        }));
    }
    (unpacked.len() == width * height).then_some(unpacked)
}

/// The upper eight bits.
fn upper<T: Copy + Into<u32>>(values: &[T], shift: u32) -> Vec<u8> {
    values
        .iter()
        .map(|&value| u8::try_from(value.into() >> shift).unwrap_or(u8::MAX))
        .collect()
}

/// Divides red, green and blue by alpha.
fn unpremultiplied(mut rgba: Vec<u8>) -> Vec<u8> {
    for pixel in rgba.chunks_exact_mut(4) {
        let alpha = u32::from(pixel[3]);
        for value in &mut pixel[..3] {
            let whole = (u32::from(*value) * 255 + alpha / 2) / alpha.max(1);
            *value = u8::try_from(whole).unwrap_or(u8::MAX);
        }
    }
    rgba
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
    fn colours_are_divided_by_alpha() {
        let rgba = vec![64, 128, 0, 128, 9, 9, 9, 0, 10, 20, 30, 255];
        assert_eq!(
            unpremultiplied(rgba)[..4],
            [128, 255, 0, 128],
            "half covered, so twice as bright"
        );
        assert_eq!(upper(&[0xFF00u16, 0x12FF], 8), [0xFF, 0x12]);
        assert_eq!(upper(&[0x8000_0000u32], 24), [0x80]);
    }
}
