//! Formats decoded by the `image` crate.

use image::metadata::Orientation;
use image::{
    ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, ImageReader, Limits,
    RgbImage,
};

use super::chunks::{png_chunks, webp_chunk};
use super::colour::{ColourSpace, INK_TABLE_BYTES, exposure, flatten};
use super::limits::{Deadline, TimedReader};
use super::orientation::{from_exif, swaps_sides, upright};
use super::{DecodeError, DecodeLimits, exr, png};

/// What a TIFF's directory says beside the pixels.
pub(super) struct Tagged {
    /// Offset of the directory, if it is not the one that the header names.
    pub(super) start: Option<u32>,
    pub(super) orientation: Orientation,
    pub(super) icc: Option<Vec<u8>>,
}

impl Default for Tagged {
    fn default() -> Self {
        Self {
            start: None,
            orientation: Orientation::NoTransforms,
            icc: None,
        }
    }
}

/// A file whose header was read.
struct Opened<'a> {
    decoder: Box<dyn ImageDecoder + 'a>,
    orientation: Orientation,
    /// Estimated memory for decoding.
    n_bytes: u64,
}

/// Decodes a picture to upright 8-bit sRGB on white.
pub(super) fn decode(
    bytes: &[u8],
    format: ImageFormat,
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<RgbImage, DecodeError> {
    decode_tagged(bytes, format, Tagged::default(), limits, deadline)
}

/// Decodes a page of a TIFF, whose directory was read by the caller.
pub(super) fn decode_tiff(
    bytes: &[u8],
    page: Tagged,
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<RgbImage, DecodeError> {
    decode_tagged(bytes, ImageFormat::Tiff, page, limits, deadline)
}

fn decode_tagged(
    bytes: &[u8],
    format: ImageFormat,
    page: Tagged,
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<RgbImage, DecodeError> {
    let Opened {
        mut decoder,
        orientation,
        n_bytes,
    } = open(bytes, format, &page, limits, deadline)?;
    let (width, height) = decoder.dimensions();
    limits.check(width, height, n_bytes)?;
    let icc = match format {
        ImageFormat::Tiff => page.icc,
        ImageFormat::WebP => webp_chunk(bytes, *b"ICCP").map(<[u8]>::to_vec),
        _ => decoder.icc_profile().ok().flatten(),
    };
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| match error.into() {
        // Its pixels end with a chunk, but before the last row.
        DecodeError::Corrupt { .. } if is_open_png(bytes, format) => DecodeError::Truncated,
        error => error,
    })?;
    let picture = match picture {
        DynamicImage::ImageRgb32F(light) => exposure::expose(&light, 3, width, height),
        DynamicImage::ImageRgba32F(light) => exposure::expose(&light, 4, width, height),
        picture => flatten(picture, &ColourSpace::from_icc(icc)),
    };
    Ok(upright(picture, orientation))
}

fn is_open_png(bytes: &[u8], format: ImageFormat) -> bool {
    format == ImageFormat::Png && png::ending(bytes) != png::Ending::Regular
}

/// Upper estimate of the memory for decoding in bytes, from the header.
pub(super) fn memory_needed(bytes: &[u8], format: ImageFormat) -> Result<u64, DecodeError> {
    tagged_memory_needed(bytes, format, &Tagged::default())
}

/// Upper estimate of the memory for decoding a page of a TIFF in bytes.
pub(super) fn tiff_memory_needed(bytes: &[u8], page: &Tagged) -> Result<u64, DecodeError> {
    tagged_memory_needed(bytes, ImageFormat::Tiff, page)
}

fn tagged_memory_needed(
    bytes: &[u8],
    format: ImageFormat,
    page: &Tagged,
) -> Result<u64, DecodeError> {
    let limits = DecodeLimits::default();
    open(bytes, format, page, &limits, limits.deadline()).map(|opened| opened.n_bytes)
}

/// Reads a TIFF as if its header named the directory at `start`.
pub(super) fn tiff_reader(bytes: &[u8], start: Option<u32>, deadline: Deadline) -> TimedReader<'_> {
    let source = TimedReader::new(bytes, deadline);
    match (start, bytes.first_chunk::<4>()) {
        (Some(start), Some(order @ b"II*\0")) => {
            source.with_start([&order[..], &start.to_le_bytes()].concat())
        }
        (Some(start), Some(order @ b"MM\0*")) => {
            source.with_start([&order[..], &start.to_be_bytes()].concat())
        }
        _ => source,
    }
}

fn open<'a>(
    bytes: &'a [u8],
    format: ImageFormat,
    page: &Tagged,
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<Opened<'a>, DecodeError> {
    let source = match format {
        ImageFormat::Png => png::reader(bytes, deadline)?,
        _ => tiff_reader(bytes, page.start, deadline),
    };
    if let Some((width, height)) = header_size(bytes, format) {
        limits.check(width, height, 0)?;
    }
    let mut reader = ImageReader::with_format(source, format);
    let mut allocation = Limits::no_limits();
    allocation.max_alloc = Some(match format {
        // For PNG this bounds what is compressed beside the pixels: profiles and text.
        ImageFormat::Png => limits.max_bytes.min(1 << 28) / 16,
        _ => limits.max_bytes,
    });
    reader.limits(allocation);
    let mut decoder = reader.into_decoder()?;
    let orientation = match format {
        ImageFormat::Tiff => page.orientation,
        _ => orientation(&mut decoder, bytes, format),
    };
    let mut n_bytes = n_bytes(&decoder, format, orientation);
    if format == ImageFormat::OpenExr {
        let blocks = exr::block_bytes(bytes)
            .ok_or_else(|| DecodeError::corrupt("the header contradicts itself"))?;
        // One of the compression methods has a table of fixed size.
        n_bytes = n_bytes.saturating_add(blocks).saturating_add(2 << 20);
    }
    Ok(Opened {
        decoder: Box::new(decoder),
        orientation,
        n_bytes,
    })
}

/// Width and height in the header of a format whose decoder refuses large ones without saying them.
fn header_size(bytes: &[u8], format: ImageFormat) -> Option<(u32, u32)> {
    let long = |at: usize| bytes.get(at..)?.first_chunk::<4>().copied();
    let short = |at: usize| bytes.get(at..)?.first_chunk::<2>().copied();
    match format {
        ImageFormat::Png => Some((u32::from_be_bytes(long(16)?), u32::from_be_bytes(long(20)?))),
        ImageFormat::Qoi => Some((u32::from_be_bytes(long(4)?), u32::from_be_bytes(long(8)?))),
        // The oldest header has sides of 16 bits; in the others a negative height means that the
        // top row comes first.
        ImageFormat::Bmp if u32::from_le_bytes(long(14)?) == 12 => {
            let side = |at| Some(u32::from(u16::from_le_bytes(short(at)?)));
            Some((side(18)?, side(20)?))
        }
        ImageFormat::Bmp => {
            let side = |at| Some(i32::from_le_bytes(long(at)?).unsigned_abs());
            Some((side(18)?, side(22)?))
        }
        ImageFormat::Gif => {
            let side = |at| Some(u32::from(u16::from_le_bytes(short(at)?)));
            Some((side(6)?, side(8)?))
        }
        _ => None,
    }
}

/// Upper estimate of what is held at once: the decoder's buffers, its output, and the picture made
/// of that.
fn n_bytes(decoder: &impl ImageDecoder, format: ImageFormat, orientation: Orientation) -> u64 {
    let (width, height) = decoder.dimensions();
    let n_pixels = u64::from(width) * u64::from(height);
    let output = decoder.total_bytes();
    let buffers = match format {
        // A canvas of four bytes per pixel, or planes of luminance and colour beside it.
        ImageFormat::Gif | ImageFormat::WebP => n_pixels.saturating_mul(6),
        // One strip or tile, compressed and decompressed, which may be the whole picture; or the
        // values before they are copied to the output.
        ImageFormat::Tiff | ImageFormat::OpenExr | ImageFormat::Ico | ImageFormat::Hdr => output,
        _ => 0,
    };
    // Bytes per pixel beside the output, while it becomes upright 8-bit RGB on white.
    let beside = match decoder.color_type() {
        ColorType::Rgb8 => 0,
        ColorType::La8 => 5,
        ColorType::La16 => 8,
        ColorType::Rgba16 => 4,
        _ => 3,
    };
    let inks = match decoder.original_color_type() {
        ExtendedColorType::Cmyk8 => INK_TABLE_BYTES,
        _ => 0,
    };
    let turned = if swaps_sides(orientation) { 6 } else { 0 };
    output
        .saturating_add(n_pixels.saturating_mul(beside))
        .max(n_pixels.saturating_mul(turned))
        .saturating_add(buffers)
        .saturating_add(inks)
}

/// The orientation in EXIF, upright when there is none or it is invalid.
fn orientation(decoder: &mut impl ImageDecoder, bytes: &[u8], format: ImageFormat) -> Orientation {
    if format == ImageFormat::WebP {
        // The decoder allocates as much as the chunk claims to hold, up to 4 GB.
        let exif = webp_chunk(bytes, *b"EXIF");
        return exif.map_or(Orientation::NoTransforms, from_exif);
    }
    if let Ok(Some(exif)) = decoder.exif_metadata() {
        return from_exif(&exif);
    }
    if format == ImageFormat::Png
        // The decoder sees only chunks before the pixels.
        && let Some((_, exif)) = png_chunks(bytes).find(|(kind, _)| kind == b"eXIf")
    {
        return from_exif(exif);
    }
    decoder.orientation().unwrap_or(Orientation::NoTransforms)
}
