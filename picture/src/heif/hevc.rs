//! Decodes HEVC items.

use heic_rs::hevc::{self, ChromaFormat};
use heic_rs::props::ItemProps;

use super::planes::{Coding, Planes};
use super::vui;
use crate::{DecodeError, DecodeLimits};

/// The coding of a picture that does not name one: sYCC, as in libheif.
const DEFAULT_CODING: Coding = Coding {
    matrix: 6,
    is_full_range: true,
    primaries: 1,
    transfer: 13,
};

/// Width and height of an item in pixels, from its parameter sets.
pub(super) fn size(props: &ItemProps<'_>) -> Result<(u32, u32), DecodeError> {
    let sets = parameter_sets(props)?;
    let info = hevc::probe(&sets)?;
    // The decoder misreads the colours of other pictures, and fails on what follows them.
    match info.chroma {
        ChromaFormat::Monochrome | ChromaFormat::Yuv420 => Ok((info.width, info.height)),
        ChromaFormat::Yuv422 | ChromaFormat::Yuv444 => {
            Err(DecodeError::unsupported("HEIC with 4:2:2 or 4:4:4 chroma"))
        }
    }
}

/// Decodes one item and passes its planes and their colour coding to `put`.
pub(super) fn decode(
    props: &ItemProps<'_>,
    data: &[u8],
    limits: &DecodeLimits,
    put: &mut dyn FnMut(&Planes<'_>, Coding) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let sets = parameter_sets(props)?;
    let (width, height) = size(props)?;
    limits.check(width, height, u64::from(width) * u64::from(height) * 10)?;
    let config = props.hvcc.as_ref().ok_or_else(no_configuration)?;
    let slices = config.split_nals(data)?;
    let frame = hevc::decode_still(&sets, &slices)?;
    frame.validate()?;
    let coding = sets.iter().find_map(|set| vui::coding(set));
    let row = |plane: usize, y: u32, into: &mut [u16]| {
        let (values, stride) = match plane {
            0 => (&frame.y, frame.y_stride),
            1 => (&frame.cb, frame.c_stride),
            _ => (&frame.cr, frame.c_stride),
        };
        let stride = stride as usize;
        let start = (y as usize).saturating_mul(stride);
        let row = values.get(start..).unwrap_or_default();
        let n = into.len().min(stride).min(row.len());
        into[..n].copy_from_slice(&row[..n]);
    };
    let planes = Planes {
        width: frame.width,
        height: frame.height,
        n_bits: u32::from(frame.bit_depth.clamp(8, 16)),
        sampling: match frame.chroma {
            ChromaFormat::Monochrome => None,
            chroma => Some((chroma.x_shift(), chroma.y_shift())),
        },
        is_interpolated: false,
        row: &row,
    };
    put(&planes, coding.unwrap_or(DEFAULT_CODING))
}

fn parameter_sets<'a>(props: &ItemProps<'a>) -> Result<Vec<&'a [u8]>, DecodeError> {
    let config = props.hvcc.as_ref().ok_or_else(no_configuration)?;
    Ok(config.parameter_sets())
}

fn no_configuration() -> DecodeError {
    DecodeError::corrupt("the decoder configuration is missing")
}
