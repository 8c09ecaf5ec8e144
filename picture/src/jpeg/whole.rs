//! What does any JPEG show at its full size?
//!
//! The decoder shows as much of a broken file as it can, which suits a viewer; half a picture in
//! an index would be found for the wrong reasons. So a file whose end is missing is refused, as
//! Pillow does.

use image::RgbImage;
use image::metadata::Orientation;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::super::colour::inks_to_srgb;
use super::super::ink::mix;
use super::super::limits::Deadline;
use super::super::{DecodeError, DecodeLimits, from_exif};
use super::Jpeg;
use super::reduced::MAX_SCANS;
use super::timed::TimedBytes;

/// Decodes a JPEG: grey, YCbCr, RGB, CMYK and YCCK, baseline and progressive.
///
/// CMYK is taken as inverted (0 is full ink), with or without Adobe's marker: so write all
/// programs that write it, and so Pillow reads it. A profile for inks says how they look.
pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<Jpeg, DecodeError> {
    let decoded = decode_in_time(bytes, limits, deadline)?;
    // When time is up, the decoder sees the end of the file, and may take that for the picture's.
    deadline.check()?;
    Ok(decoded)
}

fn decode_in_time(
    bytes: &[u8],
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<Jpeg, DecodeError> {
    let complete = has_end(bytes);
    // Each scan may touch every pixel for a handful of bytes, and the decoder takes no limit.
    if markers(bytes).filter(|&marker| marker == 0xDA).count() > MAX_SCANS {
        return Err(DecodeError::Broken {
            source: "it has more scans than any program writes".into(),
        });
    }
    if let Some(kind) = unread(bytes) {
        return Err(DecodeError::unsupported(format!("JPEG, {kind}")));
    }
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let broken = |error: DecodeErrors| match error {
        _ if deadline.check().is_err() => deadline.explain(DecodeError::Truncated),
        _ if !complete => DecodeError::Truncated,
        DecodeErrors::ExhaustedData => DecodeError::Truncated,
        error => DecodeError::Broken {
            source: Box::new(error),
        },
    };
    let mut decoder = JpegDecoder::new_with_options(TimedBytes::new(bytes, deadline), options);
    decoder.decode_headers().map_err(broken)?;
    let info = decoder.info().ok_or(DecodeError::NotAPicture)?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let n_pixels = u64::from(width) * u64::from(height);
    // A progressive file keeps all coefficients, two bytes each, until its last scan.
    let n_channels = u64::from(info.components);
    let coefficients = if is_progressive(bytes) {
        2 * n_channels
    } else {
        0
    };
    let has_inks = matches!(
        decoder.input_colorspace(),
        Some(ColorSpace::CMYK | ColorSpace::YCCK)
    );
    let icc = decoder.icc_profile();
    let profile = if has_inks { icc.as_deref() } else { None };
    let inks = if profile.is_some() {
        INKS_BYTES * n_pixels + TABLE_BYTES
    } else {
        0
    };
    limits.check(width, height, n_pixels * (3 + coefficients) + inks)?;
    if !complete {
        return Err(DecodeError::Truncated);
    }
    let output = output_space(decoder.input_colorspace(), profile.is_some())?;
    decoder.set_options(options.jpeg_set_out_colorspace(output));
    let mut values = decoder.decode().map_err(broken)?;
    if output == ColorSpace::Luma {
        values = values.into_iter().flat_map(|grey| [grey; 3]).collect();
    }
    if let Some(profile) = profile {
        invert_inks(&mut values, output == ColorSpace::YCCK);
        values = inks_to_srgb(&values, profile).unwrap_or_else(|| mix(&values));
    }
    let orientation = decoder.exif().map(|exif| from_exif(exif));
    Ok(Jpeg {
        image: RgbImage::from_raw(width, height, values).ok_or(DecodeError::Truncated)?,
        width,
        height,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        icc: icc.filter(|_| !has_inks),
    })
}

/// The colours to ask the decoder for. Inks with a profile come as they are stored.
fn output_space(stored: Option<ColorSpace>, has_profile: bool) -> Result<ColorSpace, DecodeError> {
    match stored {
        Some(ColorSpace::Luma) => Ok(ColorSpace::Luma),
        Some(inks) if has_profile => Ok(inks),
        Some(ColorSpace::YCbCr | ColorSpace::RGB | ColorSpace::CMYK | ColorSpace::YCCK) => {
            Ok(ColorSpace::RGB)
        }
        Some(ColorSpace::MultiBand(n)) => {
            Err(DecodeError::unsupported(format!("JPEG of {n} channels")))
        }
        other => Err(DecodeError::unsupported(format!("JPEG, {other:?}"))),
    }
}

/// From inks as they are stored, 0 for full, to amounts of ink.
fn invert_inks(values: &mut [u8], are_differences: bool) {
    if are_differences {
        // What comes out of the differences is ink already; only black is stored inverted.
        for pixel in values.chunks_exact_mut(4) {
            without_differences(pixel);
            for value in &mut pixel[..3] {
                *value = 255 - *value;
            }
        }
    }
    for value in values {
        *value = 255 - *value;
    }
}

/// Bytes a pixel for inks, beside the colours that become of them.
pub(crate) const INKS_BYTES: u64 = 4;

/// A table of a profile's inks, spread for speed.
pub(crate) const TABLE_BYTES: u64 = 4 << 20;

/// How the pixels are coded, when that is a way that is not read (ITU-T T.81, table B.1).
fn unread(bytes: &[u8]) -> Option<&'static str> {
    let (marker, at) = segments(bytes).find(|(marker, _)| {
        matches!(marker, 0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF | 0xF7)
    })?;
    match marker {
        0xC3 | 0xC7 | 0xCB | 0xCF => Some("lossless"),
        0xC9 | 0xCA => Some("arithmetic coding"),
        0xC5 | 0xC6 | 0xCD | 0xCE => Some("hierarchical"),
        0xF7 => Some("JPEG-LS"),
        _ if bytes.get(at + 4).is_some_and(|&n_bits| n_bits != 8) => Some("more than 8 bits"),
        _ => None,
    }
}

/// Luminance and colour differences become what they are of: red, green and blue, or inks
/// (JFIF 1.02). A fourth value stays.
pub(crate) fn without_differences(pixel: &mut [u8]) {
    let [y, cb, cr] = [0, 1, 2].map(|n| f32::from(pixel[n]));
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    let values = [
        y + 1.402 * cr,
        y - 0.344_136 * cb - 0.714_136 * cr,
        y + 1.772 * cb,
    ];
    for (stored, value) in pixel.iter_mut().zip(values) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 255.5"
        )]
        let byte = (value.clamp(0.0, 255.0) + 0.5) as u8;
        *stored = byte;
    }
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
    segments(bytes).map(|(marker, _)| marker)
}

/// The markers, and where each is.
fn segments(bytes: &[u8]) -> impl Iterator<Item = (u8, usize)> + '_ {
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
                    return Some((marker, at - 2));
                }
                _ => {
                    let length = [*bytes.get(at + 2)?, *bytes.get(at + 3)?];
                    let start = at;
                    at += 2 + usize::from(u16::from_be_bytes(length));
                    return Some((marker, start));
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

    #[test]
    fn kinds_that_are_not_read_are_told_by_their_frame() {
        let jpeg = |marker, n_bits| {
            let thumbnail = [0xFF, 0xE1, 0x00, 0x06, 0xFF, 0xC9, 0x00, 0x00];
            let frame = [0xFF, marker, 0x00, 0x0B, n_bits, 0, 8, 0, 8, 1, 1, 0x11, 0];
            [&[0xFF, 0xD8][..], &thumbnail, &frame].concat()
        };
        let cases = [
            (0xC0, 8, None),
            (0xC1, 8, None),
            (0xC2, 8, None),
            (0xC1, 12, Some("more than 8 bits")),
            (0xC3, 8, Some("lossless")),
            (0xC9, 8, Some("arithmetic coding")),
            (0xCA, 8, Some("arithmetic coding")),
            (0xCD, 8, Some("hierarchical")),
            (0xF7, 8, Some("JPEG-LS")),
        ];
        for (marker, n_bits, expected) in cases {
            assert_eq!(unread(&jpeg(marker, n_bits)), expected, "{marker:X}");
        }
        assert_eq!(cases.len(), 9);
        assert_eq!(unread(&[0xFF, 0xD8]), None);
    }
}
