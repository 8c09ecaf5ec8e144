//! Decodes any JPEG at its full size, with `zune-jpeg`.
//!
//! That decoder shows as much of a damaged file as it can, which suits a viewer. In an index, half
//! a picture would be found for the wrong reasons, so a file without its end is refused.

use image::RgbImage;
use image::metadata::Orientation;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::reduced::MAX_SCANS;
use crate::chunks::jpeg_segments;
use crate::colour::{INK_TABLE_BYTES, inks_to_rgb, ycc_to_rgb};
use crate::limits::{Deadline, TimedReader};
use crate::orientation::{from_exif, swaps_sides};
use crate::{DecodeError, DecodeLimits};

/// Memory for inks in bytes per pixel, beside the colours made of them.
const INK_BYTES_PER_PIXEL: u64 = 4;

/// The picture of a JPEG file as stored.
#[derive(Debug)]
pub(crate) struct Jpeg {
    /// The pixels before they are turned upright, as RGB in the file's colour space. Inks are
    /// converted already.
    pub(crate) image: RgbImage,
    /// Width of the whole picture as stored, in pixels.
    pub(crate) width: u32,
    /// Height of the whole picture as stored, in pixels.
    pub(crate) height: u32,
    /// The orientation of the pixels.
    pub(crate) orientation: Orientation,
    /// The ICC profile, when it is still to be applied.
    pub(crate) icc: Option<Vec<u8>>,
}

/// Decodes a JPEG: grey, YCbCr, RGB, CMYK and YCCK, baseline and progressive.
///
/// CMYK is taken as inverted (0 is full ink), with or without Adobe's marker, as all programs write
/// it and Pillow reads it.
///
/// The end of an open file stands for its end marker.
pub(super) fn decode(
    bytes: &[u8],
    is_open: bool,
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<Jpeg, DecodeError> {
    let complete = is_open || has_end(bytes);
    // Each scan may process every pixel for a few bytes, and the decoder has no limit.
    if markers(bytes).filter(|&marker| marker == 0xDA).count() > MAX_SCANS {
        return Err(DecodeError::corrupt("more scans than any program writes"));
    }
    if let Some(kind) = unsupported_coding(bytes) {
        return Err(DecodeError::unsupported(format!("JPEG, {kind}")));
    }
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let explain = |error: DecodeErrors| match error {
        _ if !complete => DecodeError::Truncated,
        DecodeErrors::ExhaustedData => DecodeError::Truncated,
        error => DecodeError::damaged(&error),
    };
    let mut source = TimedReader::new(bytes, deadline);
    if is_open {
        source = source.with_end(vec![0xFF, 0xD9]);
    }
    let mut decoder = JpegDecoder::new_with_options(source, options);
    decoder.decode_headers().map_err(explain)?;
    let info = decoder.info().ok_or(DecodeError::NotAPicture)?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let n_pixels = u64::from(width) * u64::from(height);
    // All coefficients of a file with several scans, two bytes each, are held until the last one.
    let n_channels = u64::from(info.components);
    let coefficients = if is_progressive(bytes) || has_separate_scans(bytes) {
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
        INK_BYTES_PER_PIXEL * n_pixels + INK_TABLE_BYTES
    } else {
        0
    };
    limits.check(width, height, n_pixels * (3 + coefficients) + inks)?;
    if !complete {
        return Err(DecodeError::Truncated);
    }
    let output = output_space(decoder.input_colorspace(), profile.is_some())?;
    decoder.set_options(options.jpeg_set_out_colorspace(output));
    let mut values = decoder.decode().map_err(explain)?;
    if output == ColorSpace::Luma {
        values = values.into_iter().flat_map(|grey| [grey; 3]).collect();
    }
    if let Some(profile) = profile {
        invert_inks(&mut values, output == ColorSpace::YCCK);
        values = inks_to_rgb(&values, Some(profile));
    }
    // The decoder shows what it has when it can read no more.
    deadline.check()?;
    let orientation = decoder.exif().map(|exif| from_exif(exif));
    Ok(Jpeg {
        image: RgbImage::from_raw(width, height, values).ok_or(DecodeError::Truncated)?,
        width,
        height,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        icc: icc.filter(|_| !has_inks),
    })
}

/// The colours requested from the decoder. Inks with a profile are requested as stored.
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
        _ => Err(DecodeError::unsupported("JPEG with colours of a rare kind")),
    }
}

/// Converts inks as stored, where 0 is full, to amounts of ink.
fn invert_inks(values: &mut [u8], is_ycck: bool) {
    if is_ycck {
        // Converted from YCC these are amounts of ink; only black is stored inverted.
        for pixel in values.chunks_exact_mut(4) {
            ycc_to_rgb(pixel);
            for value in &mut pixel[..3] {
                *value = 255 - *value;
            }
        }
    }
    for value in values {
        *value = 255 - *value;
    }
}

/// The name of a coding that is not supported (ITU-T T.81, table B.1).
fn unsupported_coding(bytes: &[u8]) -> Option<&'static str> {
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

/// How a file goes on after the coded data of its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Structure {
    /// With the markers that may follow, the last of which is an end marker.
    Regular,
    /// It ends with data.
    Open,
    /// With something else: the start of another picture, or what only looks like a marker.
    Interrupted,
}

/// The structure of a file, by its markers.
pub(super) fn structure(bytes: &[u8]) -> Structure {
    let mut segments = segments(bytes).skip_while(|&(marker, _)| marker != 0xDA);
    let Some((_, mut at)) = segments.next() else {
        return Structure::Open;
    };
    loop {
        at = segment_end(bytes, at);
        // Bytes of the scan, if it is one, up to a marker that does not belong to it.
        let Some(next) = data_end(bytes, at) else {
            return Structure::Open;
        };
        match bytes.get(next + 1) {
            Some(0xD9) => return Structure::Regular,
            Some(0xC4 | 0xCC | 0xDA..=0xDD | 0xE0..=0xEF | 0xFE) => at = next,
            _ => return Structure::Interrupted,
        }
    }
}

/// The end of the segment whose marker is at `at`.
fn segment_end(bytes: &[u8], at: usize) -> usize {
    let length = bytes.get(at + 2..at + 4).unwrap_or_default();
    let length = length.iter().fold(0, |n, &byte| n << 8 | usize::from(byte));
    at + 2 + length
}

/// The position of the first marker from `at` on that is neither escaped nor a restart.
fn data_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xFF)?;
        match bytes.get(at + 1)? {
            0xFF => at += 1,
            0x00 | 0xD0..=0xD7 => at += 2,
            _ => return Some(at),
        }
    }
}

/// Whether there is an end marker, outside of segments: thumbnails inside them have their own.
fn has_end(bytes: &[u8]) -> bool {
    markers(bytes).any(|marker| marker == 0xD9)
}

fn is_progressive(bytes: &[u8]) -> bool {
    // SOF2, and its rare relatives SOF6, SOF10 and SOF14.
    markers(bytes).any(|marker| matches!(marker, 0xC2 | 0xC6 | 0xCA | 0xCE))
}

/// Whether the first scan of a sequential file does not hold all components.
pub(super) fn has_separate_scans(bytes: &[u8]) -> bool {
    let mut segments = segments(bytes);
    let frame = segments.find(|(marker, _)| matches!(marker, 0xC0..=0xC2));
    let scan = segments.find(|(marker, _)| *marker == 0xDA);
    match (frame, scan) {
        // The numbers of components in the headers of the scan and of the frame.
        (Some((0xC0 | 0xC1, frame)), Some((_, scan))) => bytes.get(scan + 4) < bytes.get(frame + 9),
        _ => false,
    }
}

/// The markers of a JPEG, without the restart markers inside scans (ITU-T T.81, B.1.1).
fn markers(bytes: &[u8]) -> impl Iterator<Item = u8> + '_ {
    segments(bytes).map(|(marker, _)| marker)
}

/// The markers with their positions, to the end of the file.
fn segments(bytes: &[u8]) -> impl Iterator<Item = (u8, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            // Skips stray bytes outside of scans, and entropy-coded ones inside.
            at += bytes.get(at..)?.iter().position(|&byte| byte == 0xFF)?;
            let marker = *bytes.get(at + 1)?;
            match marker {
                // Fill bytes, an escaped 0xFF, and markers without content.
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

/// Upper estimate of the memory for decoding in bytes, from the segments before the first scan;
/// zero when there is no frame.
pub(crate) fn memory_needed(bytes: &[u8]) -> u64 {
    let mut orientation = Orientation::NoTransforms;
    for (marker, segment) in jpeg_segments(bytes) {
        match (marker, segment) {
            (0xE1, exif) if exif.starts_with(b"Exif\0\0") => orientation = from_exif(exif),
            (
                0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF,
                &[_, h0, h1, w0, w1, n_components, ..],
            ) => {
                let height = u64::from(u16::from_be_bytes([h0, h1]));
                let width = u64::from(u16::from_be_bytes([w0, w1]));
                // Sides are padded to whole blocks, at most 16 pixels where colour is halved.
                let n_pixels = width.next_multiple_of(16) * height.next_multiple_of(16);
                let n_components = u64::from(n_components);
                let is_progressive = matches!(marker, 0xC2 | 0xC6 | 0xCA | 0xCE);
                let has_several_scans = is_progressive || has_separate_scans(bytes);
                let coefficients = if has_several_scans {
                    2 * n_components
                } else {
                    0
                };
                // Grey is expanded to three channels; a turned picture is a copy.
                let beside =
                    u64::from(n_components == 1).max(3 * u64::from(swaps_sides(orientation)));
                // A few rows of blocks, as 16-bit values and interpolated.
                let rows = 64 * 4 * n_components * width.next_multiple_of(16);
                let (inks, table) = if n_components == 4 {
                    (INK_BYTES_PER_PIXEL, INK_TABLE_BYTES)
                } else {
                    (0, 0)
                };
                return n_pixels * (3 + coefficients.max(beside) + inks) + rows + table;
            }
            _ => {}
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_end_outside_of_segments_counts() {
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
    fn unsupported_codings_are_detected_by_the_frame() {
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
            assert_eq!(
                unsupported_coding(&jpeg(marker, n_bits)),
                expected,
                "{marker:X}"
            );
        }
        assert_eq!(cases.len(), 9);
        assert_eq!(unsupported_coding(&[0xFF, 0xD8]), None);
    }
}
