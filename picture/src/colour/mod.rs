//! Conversion of decoded pixels to 8-bit sRGB on white.
//!
//! Encoders were trained on pictures as browsers and viewers show them, in sRGB. A photo in Display
//! P3 or Adobe RGB whose numbers are taken for sRGB looks faded. So the embedded ICC profile is
//! applied (ICC.1:2022), or the code points of ITU-T H.273 where a file has those instead.
//!
//! Most phone pictures carry a profile that is sRGB, or nearly. A profile whose conversion moves
//! none of about a thousand test colours by more than one step of 255 is not applied, so that these
//! pictures cost nothing. The last few profiles are cached, since neighbouring files share them.

pub(super) mod exposure;

use std::sync::{Arc, Mutex, PoisonError};

use image::{DynamicImage, RgbImage};
use moxcms::{
    ColorProfile, DataColorSpace, Layout, ToneReprCurve, Transform8BitExecutor, TransformOptions,
};

use super::limits::guarded;

/// Number of cached profiles.
const CACHE_SIZE: usize = 8;

/// Pixels converted at once, in buffers that stay in the processor's cache.
const CHUNK_PIXELS: usize = 4096;

/// Memory of an ink profile's conversion table in bytes.
pub(super) const INK_TABLE_BYTES: u64 = 4 << 20;

/// The colour space of a file's pixels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum ColourSpace {
    /// Also for files that do not name one.
    #[default]
    Srgb,
    /// By an ICC profile.
    Icc(Vec<u8>),
    /// By colour primaries and transfer characteristics of ITU-T H.273.
    Codes { primaries: u16, transfer: u16 },
}

impl ColourSpace {
    /// By a profile, sRGB without one.
    pub(super) fn from_icc(icc: Option<Vec<u8>>) -> Self {
        icc.map_or(Self::Srgb, Self::Icc)
    }

    /// Converts pixels of `N` bytes to sRGB in place: red, green, blue, and alpha, which does not
    /// change.
    ///
    /// A profile that is corrupt, or neither for RGB nor for grey, changes nothing: the picture is
    /// shown as it is stored, as viewers do.
    pub(super) fn apply<const N: usize>(&self, pixels: &mut [u8]) {
        let conversion = match self {
            Self::Srgb => Conversion::None,
            Self::Icc(icc) => cached(icc),
            Self::Codes {
                primaries,
                transfer,
            } => of_codes(*primaries, *transfer),
        };
        conversion.apply::<N>(pixels);
    }
}

/// Converts pixels of any type to 8-bit sRGB on white.
///
/// White, because transparent pictures are drawn for white backgrounds: web pages and viewers have
/// them, and encoders were trained on pictures from such pages. On black, the other usual choice, a
/// drawing with black lines becomes a black square.
pub(super) fn flatten(picture: DynamicImage, space: &ColourSpace) -> RgbImage {
    let (width, height) = (picture.width(), picture.height());
    let rgb = |values: Vec<u8>| RgbImage::from_raw(width, height, values).unwrap_or_default();
    let mut picture = match picture {
        DynamicImage::ImageRgb8(picture) => picture,
        DynamicImage::ImageLumaA8(_) | DynamicImage::ImageRgba8(_) => {
            let mut rgba = picture.into_rgba8().into_raw();
            space.apply::<4>(&mut rgba);
            return rgb(on_white(&rgba));
        }
        DynamicImage::ImageLumaA16(_) | DynamicImage::ImageRgba16(_) => {
            let wide = picture.into_rgba16();
            let mut rgba: Vec<u8> = wide.as_raw().iter().map(|&v| high_byte(v)).collect();
            drop(wide);
            space.apply::<4>(&mut rgba);
            return rgb(on_white(&rgba));
        }
        DynamicImage::ImageLuma16(grey) => {
            let grey = grey.as_raw().iter();
            rgb(grey.flat_map(|&v| [high_byte(v); 3]).collect())
        }
        DynamicImage::ImageRgb16(colour) => {
            rgb(colour.as_raw().iter().map(|&v| high_byte(v)).collect())
        }
        other => other.into_rgb8(),
    };
    space.apply::<3>(&mut picture);
    picture
}

/// The upper eight of 16 bits, as Pillow does.
pub(super) fn high_byte(value: u16) -> u8 {
    value.to_be_bytes()[0]
}

/// Puts red, green, blue, alpha over white.
fn on_white(rgba: &[u8]) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(rgba.len() / 4 * 3);
    for pixel in rgba.chunks_exact(4) {
        let alpha = u32::from(pixel[3]);
        for &value in &pixel[..3] {
            let sum = u32::from(value) * alpha + 255 * (255 - alpha);
            // At most 255: a rounded mean of two bytes.
            rgb.push(u8::try_from((sum + 127) / 255).unwrap_or(u8::MAX));
        }
    }
    rgb
}

/// Converts luminance and two colour differences in place to red, green and blue, or to inks
/// (JFIF 1.02). A fourth value does not change.
pub(super) fn ycc_to_rgb(pixel: &mut [u8]) {
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

/// Converts cyan, magenta, yellow and black (255 is full ink) to red, green and blue: by a CMYK
/// profile, without one as Pillow does.
pub(super) fn inks_to_rgb(inks: &[u8], icc: Option<&[u8]>) -> Vec<u8> {
    icc.and_then(|icc| inks_by_profile(inks, icc))
        .unwrap_or_else(|| mix_inks(inks))
}

/// `None` when the profile is not for CMYK.
fn inks_by_profile(inks: &[u8], icc: &[u8]) -> Option<Vec<u8>> {
    guarded(|| {
        let profile = ColorProfile::new_from_slice(icc).ok()?;
        if profile.color_space != DataColorSpace::Cmyk {
            return None;
        }
        let mut rgb = vec![0; inks.len() / 4 * 3];
        let transform = transform_of(&profile, Layout::Rgba)?;
        transform.transform(inks, &mut rgb).ok()?;
        Some(rgb)
    })
    .flatten()
}

fn mix_inks(inks: &[u8]) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(inks.len() / 4 * 3);
    for pixel in inks.chunks_exact(4) {
        let paper = u32::from(255 - pixel[3]);
        for &ink in &pixel[..3] {
            let dark = (u32::from(ink) * paper + 127) / 255;
            rgb.push(u8::try_from(paper - dark.min(paper)).unwrap_or(0));
        }
    }
    rgb
}

/// A conversion to sRGB.
#[derive(Clone)]
enum Conversion {
    None,
    Grey(Arc<[[u8; 3]; 256]>),
    Colour(Arc<Transform8BitExecutor>),
}

impl Conversion {
    /// Converts pixels of `N` bytes whose first three are the colour.
    fn apply<const N: usize>(&self, pixels: &mut [u8]) {
        match self {
            Self::None => {}
            Self::Grey(table) => {
                for pixel in pixels.chunks_exact_mut(N) {
                    let colour = table[usize::from(pixel[0])];
                    pixel[..3].copy_from_slice(&colour);
                }
            }
            Self::Colour(transform) => {
                let mut from = vec![0; CHUNK_PIXELS * 3];
                let mut to = vec![0; CHUNK_PIXELS * 3];
                for pixels in pixels.chunks_mut(CHUNK_PIXELS * N) {
                    let n_bytes = pixels.len() / N * 3;
                    let (from, to) = (&mut from[..n_bytes], &mut to[..n_bytes]);
                    if N == 3 {
                        from.copy_from_slice(pixels);
                    } else {
                        for (pixel, from) in pixels.chunks_exact(N).zip(from.chunks_exact_mut(3)) {
                            from.copy_from_slice(&pixel[..3]);
                        }
                    }
                    if transform.transform(from, to).is_err() {
                        return;
                    }
                    if N == 3 {
                        pixels.copy_from_slice(to);
                    } else {
                        for (pixel, to) in pixels.chunks_exact_mut(N).zip(to.chunks_exact(3)) {
                            pixel[..3].copy_from_slice(to);
                        }
                    }
                }
            }
        }
    }
}

/// The conversion of a profile, from the cache of recently used ones.
fn cached(icc: &[u8]) -> Conversion {
    static CACHE: Mutex<Vec<(blake3::Hash, Conversion)>> = Mutex::new(Vec::new());
    let hash = blake3::hash(icc);
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = cache.iter().position(|(known, _)| *known == hash) {
        let entry = cache.remove(at);
        cache.push(entry);
    } else {
        // Takes a few milliseconds at most, in which other pictures wait for the lock. A profile
        // that makes the library panic is a corrupt one.
        let conversion = guarded(|| of_profile(icc)).flatten();
        let conversion = conversion.unwrap_or(Conversion::None);
        if cache.len() == CACHE_SIZE {
            cache.remove(0);
        }
        cache.push((hash, conversion));
    }
    cache
        .last()
        .map_or(Conversion::None, |(_, conversion)| conversion.clone())
}

fn of_profile(icc: &[u8]) -> Option<Conversion> {
    let profile = ColorProfile::new_from_slice(icc).ok()?;
    match profile.color_space {
        DataColorSpace::Rgb => of_colour(&profile),
        DataColorSpace::Gray => of_grey(&profile),
        _ => None,
    }
}

/// The transform of a profile's values, in this layout, to red, green and blue of sRGB.
fn transform_of(profile: &ColorProfile, layout: Layout) -> Option<Arc<Transform8BitExecutor>> {
    let (srgb, options) = (ColorProfile::new_srgb(), TransformOptions::default());
    let transform = profile.create_transform_8bit(layout, &srgb, Layout::Rgb, options);
    transform.ok()
}

fn of_colour(profile: &ColorProfile) -> Option<Conversion> {
    let transform = transform_of(profile, Layout::Rgb)?;
    let colours = test_colours();
    let mut converted = vec![0; colours.len()];
    transform.transform(&colours, &mut converted).ok()?;
    let moves = |(&a, &b): (&u8, &u8)| a.abs_diff(b) > 1;
    Some(if colours.iter().zip(&converted).any(moves) {
        Conversion::Colour(transform)
    } else {
        Conversion::None
    })
}

fn of_grey(profile: &ColorProfile) -> Option<Conversion> {
    let ramp: Vec<u8> = (0..=u8::MAX).collect();
    let mut table = [[0; 3]; 256];
    let transform = transform_of(profile, Layout::Gray)?;
    transform.transform(&ramp, table.as_flattened_mut()).ok()?;
    let moves = |(grey, colour): (&u8, &[u8; 3])| colour.iter().any(|c| c.abs_diff(*grey) > 1);
    Some(if ramp.iter().zip(&table).any(moves) {
        Conversion::Grey(Arc::new(table))
    } else {
        Conversion::None
    })
}

/// All combinations of nine steps per channel, and every grey.
fn test_colours() -> Vec<u8> {
    let steps = || (0..=8u8).map(|step| step.saturating_mul(32));
    let mut colours = Vec::with_capacity(3 * (9 * 9 * 9 + 256));
    for red in steps() {
        for green in steps() {
            for blue in steps() {
                colours.extend([red, green, blue]);
            }
        }
    }
    colours.extend((0..=u8::MAX).flat_map(|grey| [grey; 3]));
    colours
}

/// The conversion of code points.
///
/// Files that name one of television's transfer curves (1, 6, 14, 15), or none, mean sRGB's in
/// practice, and browsers show them so. Only other primaries, pure powers and the two HDR curves
/// are distinguished.
fn of_codes(primaries: u16, transfer: u16) -> Conversion {
    let mut profile = match primaries {
        9 => ColorProfile::new_bt2020(),
        11 | 12 => ColorProfile::new_display_p3(),
        _ => ColorProfile::new_srgb(),
    };
    let curve = match transfer {
        4 => Some(ToneReprCurve::Parametric(vec![2.2])),
        5 => Some(ToneReprCurve::Parametric(vec![2.8])),
        8 => Some(ToneReprCurve::Parametric(vec![1.0])),
        16 => Some(of_nits(perceptual_quantizer)),
        18 => Some(of_nits(hybrid_log_gamma)),
        _ => ColorProfile::new_srgb().red_trc,
    };
    profile.red_trc.clone_from(&curve);
    profile.green_trc.clone_from(&curve);
    profile.blue_trc = curve;
    let conversion = guarded(|| of_colour(&profile)).flatten();
    conversion.unwrap_or(Conversion::None)
}

/// The luminance in cd/m² that is shown as sRGB's white: that of a page or a bright wall in HDR
/// pictures (ITU-R BT.2408). Only light sources and reflections are brighter; they are clipped.
const WHITE_NITS: f64 = 203.0;

/// The curve of a signal from 0 to 1 with the given luminance in cd/m².
fn of_nits(nits: impl Fn(f64) -> f64) -> ToneReprCurve {
    let light = |code: u8| (nits(f64::from(code) / 255.0) / WHITE_NITS).min(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to 65,535"
    )]
    let value = |code| (light(code) * 65_535.0).round() as u16;
    ToneReprCurve::Lut((0..=u8::MAX).map(value).collect())
}

/// SMPTE ST 2084, as in ITU-R BT.2100, table 4.
fn perceptual_quantizer(signal: f64) -> f64 {
    const M1: f64 = 2610.0 / 16_384.0;
    const M2: f64 = 2523.0 / 4096.0 * 128.0;
    const C1: f64 = 3424.0 / 4096.0;
    const C2: f64 = 2413.0 / 4096.0 * 32.0;
    const C3: f64 = 2392.0 / 4096.0 * 32.0;
    let power = signal.powf(1.0 / M2);
    10_000.0 * ((power - C1).max(0.0) / (C2 - C3 * power)).powf(1.0 / M1)
}

/// Hybrid log-gamma on a screen of 1,000 cd/m² (ITU-R BT.2100, table 5). The system gamma of 1.2
/// applies to the luminance of a pixel; here it is applied to each channel, which is the same for
/// greys.
fn hybrid_log_gamma(signal: f64) -> f64 {
    const A: f64 = 0.178_832_77;
    const B: f64 = 1.0 - 4.0 * A;
    let c = 0.5 - A * (4.0 * A).ln();
    let scene = if signal <= 0.5 {
        signal * signal / 3.0
    } else {
        (((signal - c) / A).exp() + B) / 12.0
    };
    1000.0 * scene.powf(1.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(profile: &ColorProfile, colour: [u8; 3]) -> [u8; 3] {
        let mut image = RgbImage::from_pixel(3, 2, image::Rgb(colour));
        ColourSpace::Icc(profile.encode().unwrap()).apply::<3>(&mut image);
        assert!(image.pixels().all(|pixel| pixel == image.get_pixel(0, 0)));
        image.get_pixel(0, 0).0
    }

    /// Expected values calculated by hand, through linear light with the spaces' matrices.
    #[test]
    fn other_colour_spaces_are_converted_to_srgb() {
        let near = |a: [u8; 3], b: [u8; 3]| a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 1);
        let p3 = ColorProfile::new_display_p3();
        // (0.5, 0.25, 0.25) of Display P3 is 0.5385, 0.2390, 0.2476 of sRGB.
        assert!(
            near(converted(&p3, [128, 64, 64]), [137, 60, 63]),
            "{:?}",
            converted(&p3, [128, 64, 64])
        );
        let adobe = ColorProfile::new_adobe_rgb();
        let found = converted(&adobe, [128, 160, 96]);
        assert!(near(found, [113, 161, 92]), "{found:?}");
        for profile in [&p3, &adobe] {
            for grey in [0, 255] {
                assert!(near(converted(profile, [grey; 3]), [grey; 3]));
            }
        }
    }

    #[test]
    fn srgb_and_corrupt_profiles_change_nothing() {
        let colours = test_colours();
        let n = u32::try_from(colours.len() / 3).unwrap();
        let image = RgbImage::from_raw(n, 1, colours).unwrap();
        let srgb = ColorProfile::new_srgb().encode().unwrap();
        let cut = &srgb[..srgb.len() / 2];
        let mut n_cases = 0;
        for icc in [&srgb[..], cut, b"", b"not a profile", &[0; 200]] {
            let mut same = image.clone();
            ColourSpace::Icc(icc.to_vec()).apply::<3>(&mut same);
            assert!(same == image);
            n_cases += 1;
        }
        assert_eq!(n_cases, 5);
    }

    #[test]
    fn a_linear_grey_profile_brightens_grey() {
        let linear = ColorProfile::new_gray_with_gamma(1.0);
        let [r, g, b] = converted(&linear, [64; 3]);
        // 64/255 of the light is 137 in sRGB.
        assert!(r.abs_diff(137) <= 1 && r == g && g == b, "{r} {g} {b}");
    }

    #[test]
    fn code_points_are_converted_and_alpha_is_not() {
        let p3 = ColourSpace::Codes {
            primaries: 12,
            transfer: 13,
        };
        let mut rgba: Vec<u8> = [128, 64, 64, 7].repeat(5000);
        p3.apply::<4>(&mut rgba);
        let (first, rest) = rgba.split_at(4);
        assert!(first[0].abs_diff(137) <= 1 && first[3] == 7, "{first:?}");
        assert!(rest.chunks_exact(4).all(|pixel| pixel == first));
        for (primaries, transfer) in [(1, 13), (2, 2), (1, 1), (6, 6)] {
            let mut rgb = vec![9, 99, 199];
            ColourSpace::Codes {
                primaries,
                transfer,
            }
            .apply::<3>(&mut rgb);
            assert_eq!(rgb, [9, 99, 199]);
        }
    }

    /// Expected values from the formulas of BT.2100 and sRGB, calculated in Python.
    #[test]
    fn hdr_up_to_white_is_as_bright_as_on_a_screen() {
        let shown = |transfer, codes: [u8; 6]| {
            let mut rgb: Vec<u8> = codes.iter().flat_map(|&code| [code; 3]).collect();
            let primaries = 9;
            ColourSpace::Codes {
                primaries,
                transfer,
            }
            .apply::<3>(&mut rgb);
            assert!(rgb.chunks_exact(3).all(|p| p[0].abs_diff(p[1]) <= 1));
            rgb.chunks_exact(3).map(|p| p[0]).collect::<Vec<_>>()
        };
        let near = |a: &[u8], b: [u8; 6]| a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 1);
        let codes = [0, 64, 97, 128, 148, 255];
        let quantized = shown(16, codes);
        assert!(
            near(&quantized, [0, 45, 100, 181, 255, 255]),
            "{quantized:?}"
        );
        let hybrid = shown(18, codes);
        assert!(near(&hybrid, [0, 62, 101, 137, 165, 255]), "{hybrid:?}");
    }

    #[test]
    fn more_profiles_than_the_cache_holds_still_work() {
        for round in 0..2 {
            for n in 0..2 * CACHE_SIZE {
                let gamma = 1.0 + f32::from(u8::try_from(n).unwrap()) / 8.0;
                let found = converted(&ColorProfile::new_gray_with_gamma(gamma), [64; 3])[0];
                let light = (64.0f32 / 255.0).powf(gamma);
                let srgb = if light <= 0.003_130_8 {
                    12.92 * light
                } else {
                    1.055 * light.powf(1.0 / 2.4) - 0.055
                };
                let expected = 255.0 * srgb;
                assert!(
                    (f32::from(found) - expected).abs() <= 2.0,
                    "{round} {gamma}: {found}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn transparent_pixels_are_white() {
        let rgba = [10, 20, 30, 0, 10, 20, 30, 255, 0, 100, 255, 128];
        assert_eq!(on_white(&rgba), [255, 255, 255, 10, 20, 30, 127, 177, 255]);
    }

    #[test]
    fn inks_darken_white_paper() {
        let cases = [
            ([0, 0, 0, 0], [255, 255, 255]),
            ([255, 0, 0, 0], [0, 255, 255]),
            ([0, 0, 0, 255], [0, 0, 0]),
            ([0, 128, 255, 51], [204, 102, 0]),
        ];
        for (inks, rgb) in cases {
            assert_eq!(inks_to_rgb(&inks, None), rgb);
        }
    }
}
