//! What do pixels of any kind look like as eight-bit red, green and blue on white?
//!
//! White, because it is what transparent pictures are drawn for: web pages and picture viewers have
//! white ground, and the pictures that encoders learned from were taken from such pages. On black,
//! the other usual choice, a drawing with black lines is a black square.

use image::{DynamicImage, RgbImage};

use super::colour::Source;

/// Eight bits, three channels, sRGB, on white.
pub(super) fn opaque(picture: DynamicImage, colours: &Source) -> RgbImage {
    let (width, height) = (picture.width(), picture.height());
    let rgb = |values: Vec<u8>| RgbImage::from_raw(width, height, values).unwrap_or_default();
    let mut picture = match picture {
        DynamicImage::ImageRgb8(picture) => picture,
        DynamicImage::ImageLumaA8(_) | DynamicImage::ImageRgba8(_) => {
            let mut rgba = picture.into_rgba8().into_raw();
            colours.apply_rgba(&mut rgba);
            return rgb(on_white(&rgba));
        }
        DynamicImage::ImageLumaA16(_) | DynamicImage::ImageRgba16(_) => {
            let wide = picture.into_rgba16();
            let mut rgba: Vec<u8> = wide.as_raw().iter().map(|&v| high(v)).collect();
            drop(wide);
            colours.apply_rgba(&mut rgba);
            return rgb(on_white(&rgba));
        }
        DynamicImage::ImageLuma16(grey) => {
            rgb(grey.as_raw().iter().flat_map(|&v| [high(v); 3]).collect())
        }
        DynamicImage::ImageRgb16(colour) => rgb(colour.as_raw().iter().map(|&v| high(v)).collect()),
        other => other.into_rgb8(),
    };
    colours.apply(&mut picture);
    picture
}

/// Of 16 bits the upper eight are kept, as Pillow does.
pub(super) fn high(value: u16) -> u8 {
    value.to_be_bytes()[0]
}

/// Puts red, green, blue, alpha over white.
pub(super) fn on_white(rgba: &[u8]) -> Vec<u8> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_transparent_is_white() {
        let rgba = [10, 20, 30, 0, 10, 20, 30, 255, 0, 100, 255, 128];
        assert_eq!(on_white(&rgba), [255, 255, 255, 10, 20, 30, 127, 177, 255]);
    }
}
