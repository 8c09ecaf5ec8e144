//! What does a file show whose format the `image` crate reads?

use image::metadata::Orientation;
use image::{
    ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, ImageReader, Limits,
    RgbImage,
};

use super::colour::Source;
use super::directories::Tiff;
use super::limits::{Deadline, TimedReader};
use super::opaque::opaque;
use super::page::{Page, Shown};
use super::palette::Palette;
use super::{DecodeError, DecodeLimits, from_exif, ink, light, sniff, turns_sides, upright};

/// A file whose header was read.
struct Opened<'a> {
    decoder: Box<dyn ImageDecoder + 'a>,
    orientation: Orientation,
    n_bytes: u64,
}

/// Decodes a picture: 8-bit sRGB on white, upright.
pub(super) fn decode(
    bytes: &[u8],
    format: ImageFormat,
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<RgbImage, DecodeError> {
    let decoded = decode_in_time(bytes, format, limits, deadline);
    decoded.map_err(|error| deadline.explain(error))
}

fn decode_in_time(
    bytes: &[u8],
    format: ImageFormat,
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<RgbImage, DecodeError> {
    let palette = palette_of(bytes, format);
    if format == ImageFormat::Tiff
        && is_plausible(bytes)
        && let Some(page) = Page::of(bytes)
    {
        return show(&page, bytes, palette.as_ref(), limits, deadline);
    }
    let bytes = palette.as_ref().map_or(bytes, |palette| &palette.as_grey);
    let Opened {
        mut decoder,
        orientation,
        n_bytes,
    } = open(bytes, format, limits, deadline)?;
    let (width, height) = decoder.dimensions();
    limits.check(width, height, n_bytes)?;
    let icc = match format {
        // Written as bytes of no type, which the decoder does not take for a profile.
        ImageFormat::Tiff => super::palette::icc(bytes),
        ImageFormat::WebP => sniff::webp_chunk(bytes, *b"ICCP").map(<[u8]>::to_vec),
        _ => decoder.icc_profile().ok().flatten(),
    };
    if decoder.original_color_type() == ExtendedColorType::Cmyk8
        && let Some(picture) = ink::read(bytes, limits.max_bytes, icc.as_deref())
    {
        return Ok(upright(picture, orientation));
    }
    let picture = match DynamicImage::from_decoder(decoder)? {
        DynamicImage::ImageRgb32F(light) => light::expose(&light, 3, width, height),
        DynamicImage::ImageRgba32F(light) => light::expose(&light, 4, width, height),
        DynamicImage::ImageLuma8(indices) if palette.is_some() => {
            let coloured = palette.and_then(|p| p.apply(indices.as_raw(), width, height));
            let coloured = coloured.unwrap_or_default();
            opaque(DynamicImage::ImageRgb8(coloured), &Source::from_icc(icc))
        }
        picture => opaque(picture, &Source::from_icc(icc)),
    };
    Ok(upright(picture, orientation))
}

/// A page that the `image` crate does not read, or not rightly.
fn show(
    page: &Page,
    bytes: &[u8],
    palette: Option<&Palette>,
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<RgbImage, DecodeError> {
    limits.check(page.width, page.height, page.n_bytes())?;
    let as_grey = palette.map_or(bytes, |palette| &palette.as_grey);
    let picture = match page.read(as_grey, limits.max_bytes, deadline)? {
        Shown::Exposed(picture) => picture,
        Shown::Picture(picture) => opaque(picture, &Source::from_icc(super::palette::icc(bytes))),
        Shown::Indices(indices) => {
            let coloured = palette.and_then(|p| p.apply(&indices, page.width, page.height));
            let coloured = coloured.ok_or_else(|| DecodeError::broken("the palette is missing"))?;
            let colours = Source::from_icc(super::palette::icc(bytes));
            opaque(DynamicImage::ImageRgb8(coloured), &colours)
        }
    };
    let orientation = page.orientation.and_then(Orientation::from_exif);
    Ok(upright(
        picture,
        orientation.unwrap_or(Orientation::NoTransforms),
    ))
}

/// Whether no entry of a TIFF's first directory is longer than the file.
fn is_plausible(bytes: &[u8]) -> bool {
    Tiff::open(bytes).is_none_or(|tiff| {
        let first = tiff.first();
        first.is_none_or(|first| first.is_plausible(&tiff))
    })
}

/// The most bytes that decoding takes, by the header.
pub(super) fn memory_needed(bytes: &[u8], format: ImageFormat) -> Result<u64, DecodeError> {
    let limits = DecodeLimits::default();
    let palette = palette_of(bytes, format);
    let as_grey = palette.as_ref().map(|palette| palette.as_grey.as_slice());
    if format == ImageFormat::Tiff
        && let Some(page) = Page::of(bytes)
    {
        return Ok(page.n_bytes() + as_grey.map_or(0, |copy| copy.len() as u64));
    }
    let opened = open(as_grey.unwrap_or(bytes), format, &limits, limits.deadline())?;
    Ok(opened.n_bytes + as_grey.map_or(0, |copy| copy.len() as u64))
}

fn palette_of(bytes: &[u8], format: ImageFormat) -> Option<Palette> {
    if format == ImageFormat::Tiff {
        Palette::of(bytes)
    } else {
        None
    }
}

fn open<'a>(
    bytes: &'a [u8],
    format: ImageFormat,
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<Opened<'a>, DecodeError> {
    if format == ImageFormat::Tiff && !is_plausible(bytes) {
        return Err(DecodeError::broken("an entry is longer than the file"));
    }
    let source = TimedReader::new(bytes, deadline);
    let mut reader = ImageReader::with_format(source, format);
    let mut allocation = Limits::no_limits();
    allocation.max_alloc = Some(match format {
        // Here it bounds what is packed beside the pixels: profiles and texts.
        ImageFormat::Png => limits.max_bytes.min(1 << 28) / 16,
        _ => limits.max_bytes,
    });
    reader.limits(allocation);
    let mut decoder = reader.into_decoder()?;
    let orientation = orientation(&mut decoder, bytes, format);
    let mut n_bytes = n_bytes(&decoder, format, orientation);
    if format == ImageFormat::OpenExr {
        let blocks = super::exr::block_bytes(bytes);
        let blocks = blocks.ok_or_else(|| DecodeError::broken("the header contradicts itself"))?;
        // And a fixed table for one of the ways of packing.
        n_bytes = n_bytes.saturating_add(blocks).saturating_add(2 << 20);
    }
    Ok(Opened {
        decoder: Box::new(decoder),
        orientation,
        n_bytes,
    })
}

/// What is held at once, at most: the decoder's own buffers, its output, and what that becomes.
fn n_bytes(decoder: &impl ImageDecoder, format: ImageFormat, orientation: Orientation) -> u64 {
    let (width, height) = decoder.dimensions();
    let n_pixels = u64::from(width) * u64::from(height);
    let output = decoder.total_bytes();
    let inside = match format {
        // A canvas of four bytes a pixel, or planes of luminance and colour beside it.
        ImageFormat::Gif | ImageFormat::WebP => n_pixels.saturating_mul(6),
        // One strip or tile, compressed and not, which may be the whole picture; or the values
        // before they are copied into the output.
        ImageFormat::Tiff | ImageFormat::OpenExr | ImageFormat::Ico | ImageFormat::Hdr => output,
        _ => 0,
    };
    // Bytes a pixel beside the output, when that is made eight bits, on white, and upright.
    let beside = match decoder.color_type() {
        ColorType::Rgb8 => 0,
        ColorType::La8 => 5,
        ColorType::La16 => 8,
        ColorType::Rgba16 => 4,
        _ => 3,
    };
    // A table of a profile's inks, spread for speed.
    let inks = match decoder.original_color_type() {
        ExtendedColorType::Cmyk8 => 4 << 20,
        _ => 0,
    };
    let turned = if turns_sides(orientation) { 6 } else { 0 };
    output
        .saturating_add(n_pixels.saturating_mul(beside))
        .max(n_pixels.saturating_mul(turned))
        .saturating_add(inside)
        .saturating_add(inks)
}

/// What EXIF says about which way is up; when it says nothing sensible, the picture is upright.
fn orientation(decoder: &mut impl ImageDecoder, bytes: &[u8], format: ImageFormat) -> Orientation {
    if format == ImageFormat::WebP {
        // The decoder sets as much memory aside as the chunk says it is long, up to 4 GB.
        let exif = sniff::webp_chunk(bytes, *b"EXIF");
        return exif.map_or(Orientation::NoTransforms, from_exif);
    }
    let exif = decoder.exif_metadata().ok().flatten();
    let late;
    let exif = match (&exif, format) {
        (Some(exif), _) => Some(exif.as_slice()),
        // The decoder reads the header only, but the chunk may also follow the pixels.
        (None, ImageFormat::Png) => {
            late = sniff::png_chunk(bytes, *b"eXIf");
            late
        }
        (None, _) => None,
    };
    match exif {
        Some(exif) => from_exif(exif),
        None => decoder.orientation().unwrap_or(Orientation::NoTransforms),
    }
}
