//! Which colours does a TIFF's palette give, and which profile does it carry?
//!
//! The `image` crate refuses palettes. Their indices are stored just as grey values are: a copy of
//! the file that says "grey" in its directory is read as such, and the colours are looked up here.

use image::RgbImage;

use super::directories::Tiff;

const BITS: u16 = 258;
const PHOTOMETRIC: u16 = 262;
const COLOURS: u16 = 320;
const ICC: u16 = 34_675;

/// TIFF's numbers for how values are meant.
const GREY: u8 = 1;
const PALETTE: u32 = 3;

/// The ICC profile of the first picture.
pub(super) fn icc(bytes: &[u8]) -> Option<Vec<u8>> {
    let tiff = Tiff::open(bytes)?;
    let icc = tiff.first()?.bytes(&tiff, ICC)?;
    Some(icc.to_vec())
}

/// A TIFF's palette, and its bytes as if they meant grey.
pub(super) struct Palette {
    pub(super) as_grey: Vec<u8>,
    colours: Vec<[u8; 3]>,
}

impl Palette {
    /// `None` when the file has no palette, or one of more than 256 colours.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let tiff = Tiff::open(bytes)?;
        let directory = tiff.first()?;
        let n_bits = directory.number(&tiff, BITS).unwrap_or(1);
        if directory.number(&tiff, PHOTOMETRIC)? != PALETTE || !matches!(n_bits, 1 | 2 | 4 | 8) {
            return None;
        }
        let n_colours = 1usize << n_bits;
        let table = directory.bytes(&tiff, COLOURS)?;
        let start = directory.entry(COLOURS)?.place(&tiff)?;
        if table.len() != 3 * n_colours * 2 {
            return None;
        }
        // All reds, all greens, all blues, 16 bits each.
        let value = |n: usize| {
            tiff.short(start + 2 * n)
                .map(|value| value.to_be_bytes()[0])
        };
        let colour = |n| Some([value(n)?, value(n + n_colours)?, value(n + 2 * n_colours)?]);
        let colours = (0..n_colours).map(colour).collect::<Option<_>>()?;
        let mut as_grey = bytes.to_vec();
        let at = directory.entry(PHOTOMETRIC)?.place(&tiff)?;
        // Of two bytes the lower one is the first or the second.
        let low = if bytes.starts_with(b"II") { at } else { at + 1 };
        *as_grey.get_mut(low)? = GREY;
        Some(Self { as_grey, colours })
    }

    /// The colours of indices.
    pub(super) fn apply(&self, indices: &[u8], width: u32, height: u32) -> Option<RgbImage> {
        let colour = |&index: &u8| self.colours.get(usize::from(index)).copied();
        let rgb = indices
            .iter()
            .flat_map(|index| colour(index).unwrap_or_default());
        RgbImage::from_raw(width, height, rgb.collect())
    }
}
