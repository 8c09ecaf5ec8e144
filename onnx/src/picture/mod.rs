//! What does a file show?
//!
//! Bytes in, upright 8-bit RGB out. The format is told by the content, since names lie. Sizes are
//! checked from the header, before memory is asked for. Orientation from EXIF is applied, what is
//! transparent stands on white, of an animation the first picture counts, colour profiles are not
//! applied (nor did the models see them applied).

mod ink;
mod jpeg;
mod smallest;
mod sniff;

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
    RgbImage,
};

pub use smallest::Smallest;
use sniff::Kind;

/// Lowercase extensions of files that are worth trying. What a file really is, its content says.
pub const EXTENSIONS: &[&str] = &[
    "apng", "bmp", "dib", "gif", "ico", "jfif", "jpe", "jpeg", "jpg", "pam", "pbm", "pgm", "png",
    "pnm", "ppm", "qoi", "tga", "tif", "tiff", "webp",
];

/// How large a picture may be. Both limits are checked against the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeLimits {
    /// The most pixels. The default is 268,435,456 (2^28), more than any camera makes, so that a
    /// decoded picture takes at most 768 MiB.
    pub max_pixels: u64,
    /// The most bytes of memory for decoding, as far as the header tells. The default is 1 GiB.
    pub max_bytes: u64,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            max_pixels: 1 << 28,
            max_bytes: 1 << 30,
        }
    }
}

impl DecodeLimits {
    /// The same limits with this many pixels.
    #[must_use]
    pub fn with_max_pixels(mut self, max_pixels: u64) -> Self {
        self.max_pixels = max_pixels;
        self
    }

    /// The same limits with this many bytes.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    fn check(&self, width: u32, height: u32, n_bytes: u64) -> Result<(), DecodeError> {
        if u64::from(width) * u64::from(height) > self.max_pixels {
            return Err(DecodeError::TooLarge {
                width,
                height,
                max_pixels: self.max_pixels,
            });
        }
        if n_bytes > self.max_bytes {
            return Err(DecodeError::TooManyBytes {
                width,
                height,
                n_bytes,
                max_bytes: self.max_bytes,
            });
        }
        Ok(())
    }
}

/// Why bytes did not become a picture. The caller knows the file's name and says it first.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There are no bytes.
    #[error("the file is empty")]
    Empty,
    /// The content is no picture format that is known.
    #[error("this is not a picture")]
    NotAPicture,
    /// The content is a picture, in a format or variant that is not read.
    #[error("pictures of this kind are not supported: {format}")]
    Unsupported {
        /// The format or variant.
        format: String,
    },
    /// The picture has more pixels than allowed.
    #[error(
        "the picture is too large: {width} × {height} pixels, the limit is {max_pixels} in all"
    )]
    TooLarge {
        /// Width in pixels, from the header.
        width: u32,
        /// Height in pixels, from the header.
        height: u32,
        /// The limit.
        max_pixels: u64,
    },
    /// Decoding the picture takes more memory than allowed.
    #[error(
        "the picture is too large: {width} × {height} pixels take {n_bytes} bytes to decode, the \
         limit is {max_bytes}"
    )]
    TooManyBytes {
        /// Width in pixels, from the header.
        width: u32,
        /// Height in pixels, from the header.
        height: u32,
        /// What decoding takes.
        n_bytes: u64,
        /// The limit.
        max_bytes: u64,
    },
    /// The file ends before the picture does. Half a picture is not shown for a whole one.
    #[error("the file ends before the picture does")]
    Truncated,
    /// The content contradicts its format.
    #[error("the picture is broken")]
    Broken {
        /// What the decoder said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A decoded picture and the size that it has in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The picture, upright, perhaps at a reduced size.
    pub image: RgbImage,
    /// Width of the whole picture in pixels, when it is upright.
    pub width: u32,
    /// Height of the whole picture in pixels, when it is upright.
    pub height: u32,
}

impl Decoded {
    fn whole(image: RgbImage) -> Self {
        let (width, height) = image.dimensions();
        Self {
            image,
            width,
            height,
        }
    }
}

/// Decodes a picture file's content at its full size.
///
/// # Errors
/// [`DecodeError`]; never panics, whatever the bytes are.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, DecodeError> {
    decode_reduced(bytes, limits, Smallest::whole()).map(|decoded| decoded.image)
}

/// As [`decode`], but a large JPEG may come out at 1/2, 1/4 or 1/8 of its size, as far as
/// `smallest` allows.
///
/// # Errors
/// [`DecodeError`]; never panics, whatever the bytes are.
pub fn decode_reduced(
    bytes: &[u8],
    limits: &DecodeLimits,
    smallest: Smallest,
) -> Result<Decoded, DecodeError> {
    // Decoders are large and their input comes from anywhere: a mistake in one of them must cost
    // one picture, not the run. Nothing of ours is shared with the closure but the input.
    catch_unwind(AssertUnwindSafe(|| {
        decode_unguarded(bytes, limits, smallest)
    }))
    .unwrap_or_else(|_| {
        Err(DecodeError::Broken {
            source: "the decoder gave up on contradictory content".into(),
        })
    })
}

fn decode_unguarded(
    bytes: &[u8],
    limits: &DecodeLimits,
    smallest: Smallest,
) -> Result<Decoded, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    match sniff::kind(bytes) {
        Kind::Jpeg => {
            let jpeg = jpeg::decode(bytes, limits, smallest)?;
            let (width, height) = match jpeg.orientation {
                Orientation::Rotate90
                | Orientation::Rotate270
                | Orientation::Rotate90FlipH
                | Orientation::Rotate270FlipH => (jpeg.height, jpeg.width),
                _ => (jpeg.width, jpeg.height),
            };
            Ok(Decoded {
                image: upright(jpeg.image, jpeg.orientation),
                width,
                height,
            })
        }
        Kind::Readable(format) => decode_with_image(bytes, format, limits).map(Decoded::whole),
        Kind::Known(format) => Err(DecodeError::Unsupported {
            format: format.to_owned(),
        }),
        Kind::Unknown => Err(DecodeError::NotAPicture),
    }
}

/// Every format but JPEG.
fn decode_with_image(
    bytes: &[u8],
    format: ImageFormat,
    limits: &DecodeLimits,
) -> Result<RgbImage, DecodeError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut allocation = Limits::no_limits();
    allocation.max_alloc = Some(limits.max_bytes);
    reader.limits(allocation);
    let mut decoder = reader.into_decoder().map_err(from_image)?;
    let (width, height) = decoder.dimensions();
    limits.check(width, height, decoder.total_bytes())?;
    let orientation = orientation(&mut decoder, bytes, format);
    if decoder.original_color_type() == ExtendedColorType::Cmyk8
        && let Some(picture) = ink::read(bytes, limits.max_bytes)
    {
        return Ok(upright(picture, orientation));
    }
    let picture = DynamicImage::from_decoder(decoder).map_err(from_image)?;
    Ok(upright(opaque(picture), orientation))
}

/// What EXIF says about which way is up; when it says nothing sensible, the picture is upright.
fn orientation(decoder: &mut impl ImageDecoder, bytes: &[u8], format: ImageFormat) -> Orientation {
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

/// Some writers of WebP and PNG keep the marker that EXIF has inside JPEG.
fn from_exif(exif: &[u8]) -> Orientation {
    let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    Orientation::from_exif_chunk(tiff).unwrap_or(Orientation::NoTransforms)
}

fn upright(picture: RgbImage, orientation: Orientation) -> RgbImage {
    if orientation == Orientation::NoTransforms {
        return picture;
    }
    let mut picture = DynamicImage::ImageRgb8(picture);
    picture.apply_orientation(orientation);
    picture.into_rgb8()
}

/// Eight bits, three channels, on white.
fn opaque(picture: DynamicImage) -> RgbImage {
    let (width, height) = (picture.width(), picture.height());
    let rgb = |values: Vec<u8>| RgbImage::from_raw(width, height, values).unwrap_or_default();
    match picture {
        DynamicImage::ImageRgb8(picture) => picture,
        DynamicImage::ImageLumaA8(_) | DynamicImage::ImageRgba8(_) => {
            rgb(on_white(picture.into_rgba8().as_raw()))
        }
        DynamicImage::ImageLuma16(grey) => {
            rgb(grey.as_raw().iter().flat_map(|&v| [high(v); 3]).collect())
        }
        DynamicImage::ImageRgb16(colour) => rgb(colour.as_raw().iter().map(|&v| high(v)).collect()),
        DynamicImage::ImageLumaA16(_) | DynamicImage::ImageRgba16(_) => {
            let rgba = picture.into_rgba16();
            let eight: Vec<u8> = rgba.as_raw().iter().map(|&v| high(v)).collect();
            rgb(on_white(&eight))
        }
        other => other.into_rgb8(),
    }
}

/// Of 16 bits the upper eight are kept, as Pillow does.
fn high(value: u16) -> u8 {
    value.to_be_bytes()[0]
}

/// Puts red, green, blue, alpha over white.
fn on_white(rgba: &[u8]) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(rgba.len() / 4 * 3);
    for pixel in rgba.chunks_exact(4) {
        let alpha = u32::from(pixel[3]);
        for &value in &pixel[..3] {
            let sum = u32::from(value) * alpha + 255 * (255 - alpha);
            // At most 255: a mean of two bytes, rounded.
            rgb.push(u8::try_from((sum + 127) / 255).unwrap_or(u8::MAX));
        }
    }
    rgb
}

fn from_image(error: ImageError) -> DecodeError {
    match error {
        error if is_early_end(&error) => DecodeError::Truncated,
        ImageError::Unsupported(error) => DecodeError::Unsupported {
            format: error.to_string(),
        },
        error => DecodeError::Broken {
            source: Box::new(error),
        },
    }
}

/// Whether the cause is that the bytes ran out.
fn is_early_end(error: &ImageError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::UnexpectedEof
        {
            return true;
        }
        cause = error.source();
    }
    // `ImageError::IoError` shows its error's source, not the error itself.
    matches!(error, ImageError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof)
}
