//! JPEG XL files.
//!
//! The decoder is libjxl's own in Rust. It returns the first frame upright, in the colour space of
//! a profile. The deadline is checked between the groups of a frame.

use std::borrow::Cow;

use ::jxl::api::{
    AlphaMode, Event, JxlColorProfile, JxlColorType, JxlDataFormat, JxlDecoder, JxlDecoderOptions,
    JxlOutputBuffer, JxlParallelRunner, JxlParallelRunnerFun, JxlPixelFormat, ProfileLevel,
};
use ::jxl::error::{Error, Result as JxlResult};
use image::{DynamicImage, GrayAlphaImage, GrayImage, RgbImage, RgbaImage};

use super::colour::{ColourSpace, flatten};
use super::limits::Deadline;
use super::{DecodeError, DecodeLimits};

/// Memory for decoding in bytes per pixel and channel: values of four bytes as coded, as output,
/// and those that later parts of the frame are predicted from.
const BYTES_PER_SAMPLE: u64 = 12;

/// Decodes the first frame to upright 8-bit sRGB on white.
pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    deadline: Deadline,
) -> Result<RgbImage, DecodeError> {
    let mut rest = bytes;
    deadline.check()?;
    let mut header = Header::read(&mut rest, limits)?;
    let (width, height) = (header.width, header.height);
    limits.check(width, height, header.n_bytes())?;
    let n_channels = header.kind.samples_per_pixel();
    let row = width as usize * n_channels;
    let mut values = vec![0; row * height as usize];
    let mut groups = Groups { deadline };
    loop {
        let buffer = JxlOutputBuffer::new(&mut values, height as usize, row);
        let event = header
            .decoder
            .process(&mut rest, Some(&mut [buffer]), Some(&mut groups));
        match event.map_err(|error| from_jxl(error, limits))? {
            Event::BasicInfo | Event::FrameHeader => {}
            Event::FrameComplete { .. } | Event::Complete => break,
            Event::NeedMoreInput { .. } => return Err(DecodeError::Truncated),
        }
    }
    let space = header.colour_space();
    let picture = match header.kind {
        JxlColorType::Grayscale => {
            GrayImage::from_raw(width, height, values).map(DynamicImage::ImageLuma8)
        }
        JxlColorType::GrayscaleAlpha => {
            GrayAlphaImage::from_raw(width, height, values).map(DynamicImage::ImageLumaA8)
        }
        JxlColorType::Rgba => {
            RgbaImage::from_raw(width, height, values).map(DynamicImage::ImageRgba8)
        }
        _ => RgbImage::from_raw(width, height, values).map(DynamicImage::ImageRgb8),
    };
    let picture = picture.ok_or_else(|| DecodeError::corrupt("the size contradicts the pixels"))?;
    Ok(flatten(picture, &space))
}

/// Upper estimate of the memory for decoding in bytes, from the header.
pub(super) fn memory_needed(bytes: &[u8]) -> Result<u64, DecodeError> {
    let mut rest = bytes;
    Header::read(&mut rest, &DecodeLimits::default()).map(|header| header.n_bytes())
}

/// The header of a file, and the decoder that read it.
struct Header {
    decoder: JxlDecoder,
    kind: JxlColorType,
    width: u32,
    height: u32,
    /// Colour channels and extra ones: alpha, depth, spot colours.
    n_channels: u64,
}

impl Header {
    fn read(rest: &mut &[u8], limits: &DecodeLimits) -> Result<Self, DecodeError> {
        let mut options = JxlDecoderOptions::default();
        let most = limits
            .max_pixels
            .min((limits.max_bytes / BYTES_PER_SAMPLE).max(1 << 20));
        options.sample_limit = usize::try_from(most.saturating_mul(8)).ok();
        options.alpha_mode = AlphaMode::Unpremultiplied;
        options.max_profile_level = ProfileLevel::Main10;
        let mut decoder = JxlDecoder::new(options);
        match decoder
            .process(rest, None, None)
            .map_err(|error| from_jxl(error, limits))?
        {
            Event::BasicInfo => {}
            Event::NeedMoreInput { .. } => return Err(DecodeError::Truncated),
            _ => return Err(DecodeError::corrupt("the header is missing")),
        }
        let Some(info) = decoder.basic_info() else {
            return Err(DecodeError::corrupt("the header is missing"));
        };
        let (width, height) = info.size;
        let n_extra = info.extra_channels.len();
        let has_alpha = info
            .extra_channels
            .iter()
            // The enum itself is not public.
            .any(|channel| format!("{:?}", channel.ec_type) == "Alpha");
        let is_grey = decoder
            .current_pixel_format()
            .is_some_and(|format| format.color_type.is_grayscale());
        if decoder
            .embedded_color_profile()
            .is_some_and(JxlColorProfile::is_cmyk)
        {
            return Err(DecodeError::unsupported("JPEG XL, CMYK"));
        }
        let kind = match (is_grey, has_alpha) {
            (true, false) => JxlColorType::Grayscale,
            (true, true) => JxlColorType::GrayscaleAlpha,
            (false, false) => JxlColorType::Rgb,
            (false, true) => JxlColorType::Rgba,
        };
        decoder
            .set_pixel_format(JxlPixelFormat {
                color_type: kind,
                color_data_format: Some(JxlDataFormat::U8 { bit_depth: 8 }),
                extra_channel_format: vec![None; n_extra],
            })
            .map_err(|error| from_jxl(error, limits))?;
        Ok(Self {
            decoder,
            kind,
            width: u32::try_from(width).unwrap_or(u32::MAX),
            height: u32::try_from(height).unwrap_or(u32::MAX),
            n_channels: (if is_grey { 1 } else { 3 }) + n_extra as u64,
        })
    }

    fn n_bytes(&self) -> u64 {
        let n_pixels = u64::from(self.width) * u64::from(self.height);
        let shown = self.kind.samples_per_pixel() as u64 + 4;
        n_pixels
            .saturating_mul(BYTES_PER_SAMPLE.saturating_mul(self.n_channels) + shown)
            .saturating_add(16 << 20)
    }

    /// The colour space of the decoder's output.
    fn colour_space(&self) -> ColourSpace {
        let profile = self.decoder.output_color_profile();
        let icc = profile.and_then(JxlColorProfile::try_as_icc);
        ColourSpace::from_icc(icc.map(Cow::into_owned))
    }
}

/// Decodes the groups of a frame one after the other until the deadline.
struct Groups {
    deadline: Deadline,
}

impl JxlParallelRunner for Groups {
    fn run(&mut self, n_groups: usize, work: &JxlParallelRunnerFun<'_>) -> JxlResult<()> {
        for group in 0..n_groups {
            if self.deadline.has_passed() {
                return Err(Error::ApiUsageError("the deadline has passed"));
            }
            work(group)?;
        }
        Ok(())
    }

    fn num_threads(&self) -> usize {
        1
    }
}

fn from_jxl(error: Error, limits: &DecodeLimits) -> DecodeError {
    match error {
        Error::OutOfBounds(_) => DecodeError::Truncated,
        Error::ImageSizeTooLarge(width, height) => {
            let side = |length| u32::try_from(length).unwrap_or(u32::MAX);
            DecodeError::TooLarge {
                width: side(width),
                height: side(height),
                max_pixels: limits.max_pixels,
            }
        }
        Error::OutOfMemory(_) | Error::ImageOutOfMemory(..) | Error::ImageDimensionTooLarge(_) => {
            DecodeError::BeyondLimits
        }
        error => DecodeError::damaged(&error),
    }
}
