use std::collections::BTreeMap;
use std::time::Duration;

use sightline_picture::{
    DecodeError, DecodeLimits, Smallest, decode, decode_reduced, formats, is_supported,
    memory_needed,
};

use crate::data;

/// What `make_formats.py` recorded for a file.
#[derive(serde::Deserialize)]
struct Expected {
    width: u32,
    height: u32,
    /// The largest and the mean error that are allowed, in steps of 255.
    most: u8,
    mean: f64,
    points: Vec<[u32; 5]>,
}

fn golden() -> BTreeMap<String, Expected> {
    let listing = fs_err::read_to_string(data().join("formats.json")).unwrap();
    serde_json::from_str(&listing).unwrap()
}

fn sample(name: &str) -> Vec<u8> {
    fs_err::read(data().join("formats").join(name)).unwrap()
}

fn extension(name: &str) -> &str {
    name.rsplit('.').next().unwrap()
}

#[test]
fn every_format_matches_other_decoders() {
    let golden = golden();
    let mut failures = Vec::new();
    let mut per_extension = BTreeMap::<&str, usize>::new();
    for (name, expected) in &golden {
        *per_extension.entry(extension(name)).or_default() += 1;
        let picture = match decode(&sample(name), &DecodeLimits::default()) {
            Ok(picture) => picture,
            Err(error) => {
                failures.push(format!("{name}: {error:?}"));
                continue;
            }
        };
        if picture.dimensions() != (expected.width, expected.height) {
            let wanted = (expected.width, expected.height);
            failures.push(format!(
                "{name}: {:?}, not {wanted:?}",
                picture.dimensions()
            ));
            continue;
        }
        assert_eq!(expected.points.len(), 64);
        let off = |&[x, y, red, green, blue]: &[u32; 5]| {
            let found = picture.get_pixel(x, y).0.map(u32::from);
            [red, green, blue]
                .into_iter()
                .zip(found)
                .map(|(a, b)| a.abs_diff(b))
                .collect::<Vec<_>>()
        };
        let off: Vec<u32> = expected.points.iter().flat_map(off).collect();
        let most = off.iter().max().unwrap();
        let mean = f64::from(off.iter().sum::<u32>()) / off.len() as f64;
        if *most > u32::from(expected.most) || mean > expected.mean {
            failures.push(format!("{name}: off by {mean:.2}, at most {most}"));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} wrong:\n{}",
        failures.len(),
        golden.len(),
        failures.join("\n")
    );
    assert_eq!(golden.len(), 105);
    let counts: Vec<(&str, usize)> = per_extension.into_iter().collect();
    let expected = [
        ("arw", 1),
        ("avif", 16),
        ("cr2", 1),
        ("cr3", 1),
        ("dng", 1),
        ("exr", 3),
        ("hdr", 1),
        ("heic", 26),
        ("jpg", 4),
        ("jxl", 7),
        ("nef", 1),
        ("orf", 1),
        ("pef", 1),
        ("png", 6),
        ("raf", 1),
        ("rw2", 1),
        ("svg", 3),
        ("svgz", 1),
        ("tif", 28),
        ("webp", 1),
    ];
    assert_eq!(counts, expected);
}

/// The AV1 decoder's crate panics when it is asked for them.
#[test]
fn reserved_colour_codes_count_as_unspecified() {
    // Primaries, transfer and matrix: those of sRGB.
    const CODES: std::ops::Range<usize> = 284..287;
    let limits = DecodeLimits::default();
    let valid = sample("plain.avif");
    let expected = decode(&valid, &limits).unwrap();
    assert_eq!(valid[CODES], [1, 13, 6]);
    let box_of_colours = valid.windows(8).position(|bytes| bytes == b"colrnclx");
    let mut n_read = 0;
    for reserved in [[3, 13, 6], [1, 3, 6], [1, 13, 3], [0, 0, 3]] {
        let mut bytes = valid.clone();
        bytes[CODES].copy_from_slice(&reserved);
        assert_eq!(decode(&bytes, &limits).unwrap(), expected, "{reserved:?}");
        // Without codes in the container, those of the coded picture count.
        bytes[box_of_colours.unwrap()..][..4].copy_from_slice(b"free");
        assert_eq!(decode(&bytes, &limits).unwrap(), expected, "{reserved:?}");
        n_read += 2;
    }
    assert_eq!(n_read, 8);
}

#[test]
fn unsupported_variants_are_named() {
    let cases = [
        ("broken_422.heic", "HEIC with 4:2:2 or 4:4:4 chroma"),
        ("broken_444.heic", "HEIC with 4:2:2 or 4:4:4 chroma"),
        ("broken_grey_2.tif", "TIFF with 2-bit grey"),
        ("broken_grey_4.tif", "TIFF with 4-bit grey"),
        ("broken_grey_alpha.tif", "TIFF with grey and alpha"),
        ("broken_palette_1.tif", "TIFF with a 1-bit palette"),
        ("broken_palette_2.tif", "TIFF with a 2-bit palette"),
        ("broken_palette_4.tif", "TIFF with a 4-bit palette"),
        ("broken_rgb32.tif", "TIFF with 32-bit RGB"),
        (
            "no_preview.dng",
            "camera RAW (DNG) without an embedded JPEG",
        ),
    ];
    for (name, format) in cases {
        let error = decode(&sample(name), &DecodeLimits::default()).unwrap_err();
        let message = format!("unsupported picture format: {format}");
        assert_eq!(error.to_string(), message, "{name}");
    }
    let error = decode(&sample("broken_grid.heic"), &DecodeLimits::default()).unwrap_err();
    assert_eq!(error.to_string(), "the picture is corrupt");
    // Together with the supported ones, these are all files.
    let n_files = fs_err::read_dir(data().join("formats")).unwrap().count();
    assert_eq!(n_files, golden().len() + cases.len() + 1);
}

/// As for camera RAW, whose pixels are not supported either.
#[test]
fn of_a_tiff_with_an_unsupported_main_page_the_reduced_copy_is_shown() {
    // Offsets of values in the directories of the copy and the main page.
    const COPY_ROLE: usize = 208;
    const COPY_COLOURS: usize = 268;
    const MAIN_COMPRESSION: usize = 2_434;
    const MAIN_COLOURS: usize = 2_446;
    const MAIN_PIXELS: usize = 2_458;
    let limits = DecodeLimits::default();
    let sound = sample("pages_preview_first.tif");
    assert_eq!(decode(&sound, &limits).unwrap().dimensions(), (31, 22));
    let (width, height) = (9, 7);
    let copy = image::RgbImage::from_raw(width, height, sound[8..8 + 9 * 7 * 3].to_vec()).unwrap();
    let changed = |changes: &[(usize, u16)]| {
        let mut bytes = sound.clone();
        for &(at, value) in changes {
            bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    };
    // Refused by its directory, by the decoder at once, and by the decoder at its pixels.
    let kinds = [
        (MAIN_COLOURS, 3),
        (MAIN_COLOURS, 8),
        (MAIN_COMPRESSION, 34_925),
    ];
    for kind in kinds {
        let bytes = changed(&[kind]);
        assert_eq!(decode(&bytes, &limits).unwrap(), copy, "{kind:?}");
        assert!(memory_needed(&bytes) >= 9 * 7 * 3, "{kind:?}");
        // A mask and a grey copy do not stand for it.
        for other in [(COPY_ROLE, 5), (COPY_COLOURS, 1)] {
            let error = decode(&changed(&[kind, other]), &limits).unwrap_err();
            let is_named = matches!(error, DecodeError::Unsupported { .. });
            assert!(is_named, "{kind:?} {other:?}: {error:?}");
        }
    }
    // A damaged main page is no reason to show its copy.
    let damaged = changed(&[(MAIN_PIXELS, 60_000)]);
    assert!(decode(&damaged, &limits).is_err());
}

#[test]
fn embedded_jpegs_of_raw_files_are_reduced_and_turned_upright() {
    let limits = DecodeLimits::default();
    let mut n_cases = 0;
    for name in golden().keys().filter(|name| name.starts_with("plain.")) {
        let bytes = sample(name);
        let whole = decode(&bytes, &limits).unwrap();
        let reduced = decode_reduced(&bytes, &limits, Smallest::shorter_side(16)).unwrap();
        assert_eq!(
            (reduced.width, reduced.height),
            whole.dimensions(),
            "{name}"
        );
        let landscape = whole.width() > whole.height();
        let (width, height) = reduced.image.dimensions();
        assert_eq!(width > height, landscape, "{name}");
        assert!(width.min(height) >= 16, "{name}");
        n_cases += 1;
    }
    assert_eq!(n_cases, 12);
}

#[test]
fn pixels_and_bytes_are_limited_in_every_format() {
    let mut n_cases = 0;
    for name in golden().keys() {
        let bytes = sample(name);
        let few = DecodeLimits::default().with_max_pixels(100);
        let error = decode(&bytes, &few).map(drop).unwrap_err();
        assert!(
            matches!(error, DecodeError::TooLarge { .. }),
            "{name}: {error:?}"
        );
        let needed = memory_needed(&bytes);
        assert!(needed > 0, "{name}");
        let few = DecodeLimits::default().with_max_bytes(1000);
        let error = decode(&bytes, &few).map(drop).unwrap_err();
        let is_refused = matches!(
            error,
            DecodeError::TooManyBytes { .. } | DecodeError::BeyondLimits
        );
        assert!(is_refused, "{name}: {error:?}");
        n_cases += 1;
    }
    assert_eq!(n_cases, 105);
}

#[test]
fn time_is_limited_in_every_format() {
    let limits = DecodeLimits::default().with_max_time(Duration::ZERO);
    let mut n_cases = 0;
    for folder in ["formats", "pictures"] {
        for entry in fs_err::read_dir(data().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs_err::read(&path).unwrap();
            if decode(&bytes, &DecodeLimits::default()).is_ok() {
                let error = decode(&bytes, &limits).map(drop).unwrap_err();
                assert!(
                    matches!(error, DecodeError::TooSlow { .. }),
                    "{}: {error:?}",
                    path.display()
                );
                n_cases += 1;
            }
        }
    }
    assert_eq!(n_cases, 105 + 43);
}

#[test]
fn supported_formats_come_first_and_names_are_unique() {
    let mut names: Vec<&str> = formats().iter().map(|format| format.name).collect();
    let n_supported = formats().iter().filter(|format| format.supported).count();
    assert!(
        formats()[..n_supported]
            .iter()
            .all(|format| format.supported)
    );
    assert_eq!((n_supported, names.len()), (17, 23));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 23);
    for name in golden().keys() {
        assert!(is_supported(extension(name)), "{name}");
    }
}
