//! TIFF pages that the `image` crate refuses or decodes wrongly.
//!
//! Luminance with colour differences, as scanners write JPEG inside TIFF; CMYK, which that crate
//! darkens by rounding down; palettes of 256 colours; and colours premultiplied by alpha. All are
//! decoded by the `tiff` crate directly.

use image::{DynamicImage, RgbImage, RgbaImage};
use tiff::decoder::{Decoder, DecodingResult, Limits};

use crate::colour::{ColourSpace, INK_TABLE_BYTES, flatten, high_byte, inks_to_rgb, ycc_to_rgb};
use crate::directory::{Directory, Tiff, tag};
use crate::image_crate::{self, Tagged};
use crate::limits::Deadline;
use crate::orientation::upright;
use crate::{DecodeError, DecodeLimits};

/// How the pixels of a page are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PixelKind {
    /// Luminance and two colour differences.
    Ycc,
    Cmyk,
    /// Indices of a palette.
    Indexed,
    /// Red, green and blue premultiplied by alpha.
    Premultiplied,
}

/// A page whose directory was read.
pub(super) struct Page {
    kind: PixelKind,
    width: u32,
    height: u32,
    palette: Option<Palette>,
    bytes_per_pixel: u64,
}

impl Page {
    /// Reads a page's directory; `None` for pages that the `image` crate decodes, or
    /// refuses with its own error.
    ///
    /// # Errors
    /// [`DecodeError::Unsupported`] for pixels that are not supported.
    pub(super) fn read(page: &Directory, tiff: &Tiff<'_>) -> Result<Option<Self>, DecodeError> {
        let kind = pixel_kind(page, tiff).map_err(DecodeError::unsupported)?;
        Ok(kind.and_then(|kind| Self::of_kind(kind, page, tiff)))
    }

    fn of_kind(kind: PixelKind, page: &Directory, tiff: &Tiff<'_>) -> Option<Self> {
        let number = |tag| page.number(tiff, tag);
        let bits = page.numbers(tiff, tag::BITS_PER_SAMPLE)?;
        let n_bits = *bits.first()?;
        let is_planar = number(tag::PLANAR_CONFIGURATION) == Some(2);
        if is_planar || bits.iter().any(|&other| other != n_bits) {
            return None;
        }
        let samples = number(tag::SAMPLES_PER_PIXEL).unwrap_or(1);
        let palette = match kind {
            PixelKind::Indexed => Some(Palette::read(page, tiff)?),
            _ => None,
        };
        Some(Self {
            kind,
            width: number(tag::WIDTH)?,
            height: number(tag::HEIGHT)?,
            palette,
            bytes_per_pixel: u64::from(samples * n_bits / 8),
        })
    }

    /// Upper estimate of the memory for decoding in bytes: the values, twice while they are
    /// converted, the pixels made of them, and the picture on white and upright.
    pub(super) fn n_bytes(&self) -> u64 {
        let n_pixels = u64::from(self.width) * u64::from(self.height);
        let tables = match (self.kind, &self.palette) {
            (PixelKind::Cmyk, _) => INK_TABLE_BYTES,
            (_, Some(palette)) => palette.as_grey.len() as u64,
            _ => 0,
        };
        n_pixels
            .saturating_mul(2 * self.bytes_per_pixel + 10)
            .saturating_add(tables)
    }

    /// Decodes the page to upright 8-bit sRGB on white.
    pub(super) fn decode(
        self,
        bytes: &[u8],
        tagged: Tagged,
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
        let source = image_crate::tiff_reader(bytes, tagged.start, deadline);
        let decoder = Decoder::new(source)?;
        let mut decoder = decoder.with_limits(allocation);
        let values = decoder.read_image()?;
        drop(decoder);
        let picture = self
            .into_picture(values, tagged.icc)
            .ok_or_else(|| DecodeError::corrupt("the directory contradicts the pixels"))?;
        Ok(upright(picture, tagged.orientation))
    }

    fn into_picture(self, values: DecodingResult, icc: Option<Vec<u8>>) -> Option<RgbImage> {
        let (width, height) = (self.width, self.height);
        let picture: DynamicImage = match (self.kind, values) {
            (PixelKind::Ycc, DecodingResult::U8(mut values)) => {
                values.chunks_exact_mut(3).for_each(ycc_to_rgb);
                RgbImage::from_raw(width, height, values)?.into()
            }
            (PixelKind::Cmyk, DecodingResult::U8(inks)) => {
                let rgb = inks_to_rgb(&inks, icc.as_deref());
                return RgbImage::from_raw(width, height, rgb);
            }
            (PixelKind::Indexed, DecodingResult::U8(indices)) => {
                let rgb = self.palette?.apply(&indices);
                RgbImage::from_raw(width, height, rgb)?.into()
            }
            (PixelKind::Premultiplied, DecodingResult::U8(values)) => {
                RgbaImage::from_raw(width, height, unpremultiplied(values))?.into()
            }
            (PixelKind::Premultiplied, DecodingResult::U16(values)) => RgbaImage::from_raw(
                width,
                height,
                unpremultiplied(values.into_iter().map(high_byte).collect()),
            )?
            .into(),
            _ => return None,
        };
        Some(flatten(picture, &ColourSpace::from_icc(icc)))
    }
}

/// How the pixels of a page are stored that is decoded here; `None` for other pages.
///
/// # Errors
/// The description of pixels that are not supported: no camera or scanner writes them.
fn pixel_kind(page: &Directory, tiff: &Tiff<'_>) -> Result<Option<PixelKind>, String> {
    const INTEGER: u32 = 1;
    const FLOAT: u32 = 3;
    const PREMULTIPLIED: u32 = 1;
    let value = |tag, default| {
        let values = page.numbers(tiff, tag).unwrap_or_default();
        values.first().copied().unwrap_or(default)
    };
    let n_samples = value(tag::SAMPLES_PER_PIXEL, 1);
    let n_bits = value(tag::BITS_PER_SAMPLE, 1);
    let format = value(tag::SAMPLE_FORMAT, INTEGER);
    let extra = value(tag::EXTRA_SAMPLES, 0);
    Ok(Some(
        match (value(tag::PHOTOMETRIC, 0), n_samples, n_bits, format) {
            (2, 4, 8 | 16, INTEGER) if extra == PREMULTIPLIED => PixelKind::Premultiplied,
            (3, 1, 8, INTEGER) => PixelKind::Indexed,
            (5, 4, 8, INTEGER) => PixelKind::Cmyk,
            (6, 3, 8, INTEGER) => PixelKind::Ycc,
            (0 | 1, 1, 1 | 8 | 16, _) | (2, _, 8 | 16, _) | (2, _, 32, FLOAT) => return Ok(None),
            (0 | 1, 1, ..) => return Err(format!("TIFF with {n_bits}-bit grey")),
            (0 | 1, ..) => return Err("TIFF with grey and alpha".to_owned()),
            (2, ..) => return Err(format!("TIFF with {n_bits}-bit RGB")),
            (3, ..) => return Err(format!("TIFF with a {n_bits}-bit palette")),
            _ => return Ok(None),
        },
    ))
}

/// A palette of 256 colours.
///
/// The `tiff` crate refuses palettes. Indices are stored like grey values, so a copy of the file
/// whose directory says "grey" is decoded, and the colours are looked up here.
struct Palette {
    as_grey: Vec<u8>,
    colours: Vec<[u8; 3]>,
}

impl Palette {
    fn read(page: &Directory, tiff: &Tiff<'_>) -> Option<Self> {
        const GREY: u8 = 1;
        // All reds, all greens, all blues, 16 bits each.
        let n_colours = 256;
        let start = page.entry(tag::COLOUR_MAP)?.offset(tiff)?;
        if page.bytes(tiff, tag::COLOUR_MAP)?.len() != 3 * n_colours * 2 {
            return None;
        }
        let value = |n: usize| tiff.short(start + 2 * n).map(high_byte);
        let colour = |n| Some([value(n)?, value(n + n_colours)?, value(n + 2 * n_colours)?]);
        let colours = (0..n_colours).map(colour).collect::<Option<_>>()?;
        let mut as_grey = tiff.bytes.to_vec();
        let at = page.entry(tag::PHOTOMETRIC)?.offset(tiff)?;
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
    fn colours_are_divided_by_alpha() {
        let rgba = vec![64, 128, 0, 128, 9, 9, 9, 0, 10, 20, 30, 255];
        assert_eq!(
            unpremultiplied(rgba)[..4],
            [128, 255, 0, 128],
            "half covered, so twice as bright"
        );
    }
}
