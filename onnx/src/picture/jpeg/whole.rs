//! What does any JPEG show at its full size?
//!
//! The decoder shows as much of a broken file as it can, which suits a viewer; half a picture in
//! an index would be found for the wrong reasons. So a file whose end is missing is refused, as
//! Pillow does.

use image::RgbImage;
use image::metadata::Orientation;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::super::{DecodeError, DecodeLimits, from_exif};
use super::Jpeg;
use super::reduced::MAX_SCANS;

/// Decodes a JPEG: grey, YCbCr, RGB, CMYK and YCCK, baseline and progressive.
///
/// CMYK is taken as inverted (0 is full ink), with or without Adobe's marker: so write all
/// programs that write it, and so Pillow reads it.
pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Jpeg, DecodeError> {
    let complete = has_end(bytes);
    // Each scan may touch every pixel for a handful of bytes, and the decoder takes no limit.
    if markers(bytes).filter(|&marker| marker == 0xDA).count() > MAX_SCANS {
        return Err(DecodeError::Broken {
            source: "it has more scans than any program writes".into(),
        });
    }
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let broken = |error: DecodeErrors| match error {
        DecodeErrors::Unsupported(scheme) => DecodeError::Unsupported {
            format: format!("JPEG, {scheme:?}"),
        },
        _ if !complete => DecodeError::Truncated,
        DecodeErrors::ExhaustedData => DecodeError::Truncated,
        error => DecodeError::Broken {
            source: Box::new(error),
        },
    };
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(broken)?;
    let info = decoder.info().ok_or(DecodeError::NotAPicture)?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let n_pixels = u64::from(width) * u64::from(height);
    // A progressive file keeps all coefficients, two bytes each, until its last scan.
    let n_channels = u64::from(info.components);
    let n_bytes = n_pixels
        * (3 + if is_progressive(bytes) {
            2 * n_channels
        } else {
            0
        });
    limits.check(width, height, n_bytes)?;
    if !complete {
        return Err(DecodeError::Truncated);
    }
    let output = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => ColorSpace::Luma,
        Some(ColorSpace::YCbCr | ColorSpace::RGB | ColorSpace::CMYK | ColorSpace::YCCK) => {
            ColorSpace::RGB
        }
        other => {
            return Err(DecodeError::Unsupported {
                format: format!("JPEG, {other:?}"),
            });
        }
    };
    decoder.set_options(options.jpeg_set_out_colorspace(output));
    let mut values = decoder.decode().map_err(broken)?;
    if output == ColorSpace::Luma {
        values = values.into_iter().flat_map(|grey| [grey; 3]).collect();
    }
    let orientation = decoder.exif().map(|exif| from_exif(exif));
    let icc = match decoder.input_colorspace() {
        Some(ColorSpace::CMYK | ColorSpace::YCCK) => None,
        _ => decoder.icc_profile(),
    };
    Ok(Jpeg {
        image: RgbImage::from_raw(width, height, values).ok_or(DecodeError::Truncated)?,
        width,
        height,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        icc,
    })
}

/// Walks the file's segments from the start: is there an end marker after the first scan?
///
/// Thumbnails inside segments have end markers of their own, so looking at the bytes alone would
/// be fooled by a file that is cut off inside its pixels.
fn has_end(bytes: &[u8]) -> bool {
    markers(bytes).any(|marker| marker == 0xD9)
}

fn is_progressive(bytes: &[u8]) -> bool {
    // SOF2, and its rare relatives SOF6, SOF10 and SOF14.
    markers(bytes).any(|marker| matches!(marker, 0xC2 | 0xC6 | 0xCA | 0xCE))
}

/// The markers of a JPEG in order, without the restart markers inside scans (ITU-T T.81, B.1.1).
fn markers(bytes: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            // Outside of scans this steps over stray bytes, inside over the entropy-coded ones.
            at += bytes.get(at..)?.iter().position(|&byte| byte == 0xFF)?;
            let marker = *bytes.get(at + 1)?;
            match marker {
                // Fill bytes, an escaped 0xFF, and markers that stand alone.
                0xFF => at += 1,
                0x00 | 0x01 | 0xD0..=0xD8 => at += 2,
                0xD9 => {
                    at += 2;
                    return Some(marker);
                }
                _ => {
                    let length = [*bytes.get(at + 2)?, *bytes.get(at + 3)?];
                    at += 2 + usize::from(u16::from_be_bytes(length));
                    return Some(marker);
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_after_the_pixels_only() {
        let start = [0xFF, 0xD8];
        // A segment of 6 bytes that holds an end marker, as a thumbnail does.
        let thumbnail = [0xFF, 0xE1, 0x00, 0x06, 0xFF, 0xD8, 0xFF, 0xD9];
        let scan = [
            0xFF, 0xDA, 0x00, 0x02, 0x12, 0xFF, 0x00, 0x34, 0xFF, 0xD0, 0x56,
        ];
        let end = [0xFF, 0xD9];
        let cut = [&start[..], &thumbnail, &scan].concat();
        assert!(!has_end(&cut));
        assert!(has_end(&[&cut[..], &end].concat()));
        assert!(!has_end(&[&cut[..], &[0xFF]].concat()));
        assert!(!has_end(&[]));
        assert!(!is_progressive(&cut));
        let progressive = [&start[..], &[0xFF, 0xC2, 0x00, 0x02], &scan].concat();
        assert!(is_progressive(&progressive));
    }
}
