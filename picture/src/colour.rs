//! Which sRGB colours are a file's colours?
//!
//! Encoders learned from pictures as browsers and viewers show them, in sRGB. A photo in Display P3
//! or Adobe RGB whose numbers are taken for sRGB looks faded. So the embedded ICC profile is
//! applied (ICC.1:2022), or the colour code points of ITU-T H.273 where a file has those instead.
//!
//! Most phone pictures carry a profile that says sRGB, or nearly. A profile whose conversion moves
//! none of some hundred test colours by more than one step of 255 is not applied, so that they cost
//! nothing. Profiles come back file after file: what the last few of them do is remembered.

use std::sync::{Arc, Mutex, PoisonError};

use image::RgbImage;
use moxcms::{
    ColorProfile, DataColorSpace, Layout, ToneReprCurve, Transform8BitExecutor, TransformOptions,
};

/// How many profiles are remembered.
const N_REMEMBERED: usize = 8;

/// Pixels that are converted at once, in a buffer that stays in the processor's cache.
const N_AT_ONCE: usize = 4096;

/// Where a file's colours come from when they are not sRGB.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Source {
    /// The file says nothing, so the colours are sRGB.
    #[default]
    Srgb,
    /// An ICC profile.
    Icc(Vec<u8>),
    /// Colour primaries and transfer characteristics, as numbered in ITU-T H.273.
    Codes { primaries: u16, transfer: u16 },
}

impl Source {
    /// From an optional ICC profile.
    pub(super) fn from_icc(icc: Option<Vec<u8>>) -> Self {
        icc.map_or(Self::Srgb, Self::Icc)
    }

    /// Converts red, green, blue in place.
    pub(super) fn apply(&self, rgb: &mut [u8]) {
        self.conversion().apply::<3>(rgb);
    }

    /// Converts red, green, blue, alpha in place. Alpha stays.
    pub(super) fn apply_rgba(&self, rgba: &mut [u8]) {
        self.conversion().apply::<4>(rgba);
    }

    fn conversion(&self) -> Conversion {
        match self {
            Self::Srgb => Conversion::None,
            Self::Icc(icc) => remembered(icc),
            Self::Codes {
                primaries,
                transfer,
            } => of_codes(*primaries, *transfer),
        }
    }
}

/// Converts a picture from the colours of an ICC profile to sRGB.
///
/// A profile that is broken, or not one for red, green and blue or for grey, changes nothing: such
/// a picture is shown as it is stored, as viewers do.
pub(super) fn to_srgb(image: &mut RgbImage, icc: &[u8]) {
    remembered(icc).apply::<3>(image);
}

/// Red, green and blue of inks (255 is full ink) by a CMYK profile; `None` when it is not one.
pub(super) fn inks_to_srgb(inks: &[u8], icc: &[u8]) -> Option<Vec<u8>> {
    guarded(|| {
        let profile = ColorProfile::new_from_slice(icc).ok()?;
        if profile.color_space != DataColorSpace::Cmyk {
            return None;
        }
        let options = TransformOptions::default();
        let transform = profile
            .create_transform_8bit(
                Layout::Rgba,
                &ColorProfile::new_srgb(),
                Layout::Rgb,
                options,
            )
            .ok()?;
        let mut rgb = vec![0; inks.len() / 4 * 3];
        transform.transform(inks, &mut rgb).ok()?;
        Some(rgb)
    })
}

/// What must be done to a picture's pixels.
#[derive(Clone)]
enum Conversion {
    None,
    Grey(Arc<[[u8; 3]; 256]>),
    Colour(Arc<Transform8BitExecutor>),
}

impl Conversion {
    /// Converts pixels of `N` bytes, the first three of which are the colour.
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
                let mut from = vec![0; N_AT_ONCE * 3];
                let mut to = vec![0; N_AT_ONCE * 3];
                for pixels in pixels.chunks_mut(N_AT_ONCE * N) {
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

/// The conversion of a profile, made at most once while it is among the last ones used.
fn remembered(icc: &[u8]) -> Conversion {
    static LAST: Mutex<Vec<(blake3::Hash, Conversion)>> = Mutex::new(Vec::new());
    let hash = blake3::hash(icc);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = last.iter().position(|(known, _)| *known == hash) {
        let entry = last.remove(at);
        last.push(entry);
    } else {
        // Making one takes some milliseconds at most; another picture may wait for it.
        let conversion = guarded(|| of_profile(icc)).unwrap_or(Conversion::None);
        if last.len() == N_REMEMBERED {
            last.remove(0);
        }
        last.push((hash, conversion));
    }
    last.last()
        .map_or(Conversion::None, |(_, conversion)| conversion.clone())
}

/// Profiles come from anywhere: one that makes the library panic is a broken one.
fn guarded<T>(work: impl FnOnce() -> Option<T>) -> Option<T> {
    super::guard::guarded(work).flatten()
}

fn of_profile(icc: &[u8]) -> Option<Conversion> {
    let profile = ColorProfile::new_from_slice(icc).ok()?;
    match profile.color_space {
        DataColorSpace::Rgb => of_colour(&profile),
        DataColorSpace::Gray => of_grey(&profile),
        _ => None,
    }
}

fn of_colour(profile: &ColorProfile) -> Option<Conversion> {
    let transform = profile
        .create_transform_8bit(
            Layout::Rgb,
            &ColorProfile::new_srgb(),
            Layout::Rgb,
            TransformOptions::default(),
        )
        .ok()?;
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
    let transform = profile
        .create_transform_8bit(
            Layout::Gray,
            &ColorProfile::new_srgb(),
            Layout::Rgb,
            TransformOptions::default(),
        )
        .ok()?;
    let ramp: Vec<u8> = (0..=u8::MAX).collect();
    let mut converted = vec![0; 3 * ramp.len()];
    transform.transform(&ramp, &mut converted).ok()?;
    let mut table = [[0; 3]; 256];
    for (entry, colour) in table.iter_mut().zip(converted.chunks_exact(3)) {
        entry.copy_from_slice(colour);
    }
    let moves = |(grey, colour): (&u8, &[u8; 3])| colour.iter().any(|c| c.abs_diff(*grey) > 1);
    Some(if ramp.iter().zip(&table).any(moves) {
        Conversion::Grey(Arc::new(table))
    } else {
        Conversion::None
    })
}

/// All mixtures of nine steps of each colour, and every grey.
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

/// The conversion of colour code points.
///
/// Files that name one of television's curves (1, 6, 14, 15) mean sRGB's in practice, and are shown
/// so by browsers; the same holds for what is not specified. Only other primaries, pure powers and
/// the two curves of HDR are told apart.
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
    guarded(|| of_colour(&profile)).unwrap_or(Conversion::None)
}

/// White of a page or a bright wall in HDR pictures, in candela a square metre (ITU-R BT.2408): what
/// sRGB's white shows. Only lights and glints are brighter, and they are cut off.
const WHITE_NITS: f64 = 203.0;

/// The curve of a signal from 0 to 1 that means a brightness in candela a square metre.
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

/// Hybrid log-gamma on a screen of 1,000 nits (ITU-R BT.2100, table 5). The screen's gamma of 1.2
/// belongs to the brightness of a pixel; here it is applied to each colour, which is the same for
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
        to_srgb(&mut image, &profile.encode().unwrap());
        assert!(image.pixels().all(|pixel| pixel == image.get_pixel(0, 0)));
        image.get_pixel(0, 0).0
    }

    /// Expected values by hand: through linear light with the matrices of the colour spaces.
    #[test]
    fn colours_of_other_spaces_become_srgb() {
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
    fn a_profile_that_says_srgb_or_nothing_changes_no_value() {
        let colours = test_colours();
        let n = u32::try_from(colours.len() / 3).unwrap();
        let image = RgbImage::from_raw(n, 1, colours).unwrap();
        let srgb = ColorProfile::new_srgb().encode().unwrap();
        let cut = &srgb[..srgb.len() / 2];
        let mut n_cases = 0;
        for icc in [&srgb[..], cut, b"", b"not a profile", &[0; 200]] {
            let mut same = image.clone();
            to_srgb(&mut same, icc);
            assert!(same == image);
            n_cases += 1;
        }
        assert_eq!(n_cases, 5);
    }

    #[test]
    fn a_grey_profile_brightens_grey() {
        let linear = ColorProfile::new_gray_with_gamma(1.0);
        let [r, g, b] = converted(&linear, [64; 3]);
        // 64/255 of the light is 137 in sRGB.
        assert!(r.abs_diff(137) <= 1 && r == g && g == b, "{r} {g} {b}");
    }

    #[test]
    fn alpha_is_left_alone_and_code_points_are_followed() {
        let p3 = Source::Codes {
            primaries: 12,
            transfer: 13,
        };
        let mut rgba: Vec<u8> = [128, 64, 64, 7].repeat(5000);
        p3.apply_rgba(&mut rgba);
        let (first, rest) = rgba.split_at(4);
        assert!(first[0].abs_diff(137) <= 1 && first[3] == 7, "{first:?}");
        assert!(rest.chunks_exact(4).all(|pixel| pixel == first));
        for (primaries, transfer) in [(1, 13), (2, 2), (1, 1), (6, 6)] {
            let mut rgb = vec![9, 99, 199];
            Source::Codes {
                primaries,
                transfer,
            }
            .apply(&mut rgb);
            assert_eq!(rgb, [9, 99, 199]);
        }
    }

    /// Expected values from the formulas of BT.2100 and sRGB, worked out apart (in Python).
    #[test]
    fn hdr_is_as_bright_as_on_a_screen_up_to_white() {
        let shown = |transfer, codes: [u8; 6]| {
            let mut rgb: Vec<u8> = codes.iter().flat_map(|&code| [code; 3]).collect();
            let primaries = 9;
            Source::Codes {
                primaries,
                transfer,
            }
            .apply(&mut rgb);
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
    fn more_profiles_than_are_remembered_still_work() {
        for round in 0..2 {
            for n in 0..2 * N_REMEMBERED {
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
}
