//! Every format against what another program sees in the same file.

use std::collections::BTreeMap;
use std::time::Duration;

use sightline_picture::{
    DecodeError, DecodeLimits, EXTENSIONS, Smallest, decode, decode_reduced, formats, memory_needed,
};

use crate::data;

/// What `make_formats.py` wrote down about a file.
#[derive(serde::Deserialize)]
struct Expected {
    width: u32,
    height: u32,
    /// How far off a value may be, in steps of 255, and all of them on average.
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
fn every_format_shows_what_others_see_in_it() {
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
    assert_eq!(golden.len(), 91);
    let told: Vec<(&str, usize)> = per_extension.into_iter().collect();
    let expected = [
        ("arw", 1),
        ("avif", 15),
        ("cr2", 1),
        ("cr3", 1),
        ("dng", 1),
        ("exr", 3),
        ("hdr", 1),
        ("heic", 21),
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
        ("tif", 20),
        ("webp", 1),
    ];
    assert_eq!(told, expected);
}

/// Numbers that H.273 reserves, in the header of the coded picture: they say nothing about its
/// colours, and the decoder panics when it is asked for them.
#[test]
fn reserved_numbers_for_colours_count_as_none() {
    // Primaries, transfer and matrix: those of sRGB.
    const PLACE: std::ops::Range<usize> = 284..287;
    let limits = DecodeLimits::default();
    let sound = sample("plain.avif");
    let expected = decode(&sound, &limits).unwrap();
    assert_eq!(sound[PLACE], [1, 13, 6]);
    let box_of_colours = sound.windows(8).position(|bytes| bytes == b"colrnclx");
    let mut n_read = 0;
    for reserved in [[3, 13, 6], [1, 3, 6], [1, 13, 3], [0, 0, 3]] {
        let mut bytes = sound.clone();
        bytes[PLACE].copy_from_slice(&reserved);
        assert_eq!(decode(&bytes, &limits).unwrap(), expected, "{reserved:?}");
        // Without the container's word on it, the coded picture's own counts.
        bytes[box_of_colours.unwrap()..][..4].copy_from_slice(b"free");
        assert_eq!(decode(&bytes, &limits).unwrap(), expected, "{reserved:?}");
        n_read += 2;
    }
    assert_eq!(n_read, 8);
}

#[test]
fn what_is_not_read_says_why() {
    let cases = [
        (
            "broken_422.heic",
            "pictures of this kind are not supported: HEIC with colour in full width (4:2:2 or 4:4:4); convert it, for example to JPEG or PNG",
        ),
        (
            "broken_444.heic",
            "pictures of this kind are not supported: HEIC with colour in full width (4:2:2 or 4:4:4); convert it, for example to JPEG or PNG",
        ),
        ("broken_grid.heic", "the picture is broken"),
        (
            "no_preview.dng",
            "pictures of this kind are not supported: camera RAW (DNG) without an embedded JPEG; convert it, for example to JPEG or PNG",
        ),
    ];
    for (name, message) in cases {
        let error = decode(&sample(name), &DecodeLimits::default()).unwrap_err();
        assert_eq!(error.to_string(), message, "{name}");
    }
    // With those that are read, these are all files.
    let n_files = fs_err::read_dir(data().join("formats")).unwrap().count();
    assert_eq!(n_files, golden().len() + cases.len());
}

/// A RAW file's preview is a JPEG like any other: it is turned, and the whole size is told.
#[test]
fn previews_are_decoded_as_jpegs_are() {
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
        let few = DecodeLimits::default().with_max_bytes(5000);
        let error = decode(&bytes, &few).map(drop).unwrap_err();
        let is_refused = matches!(
            error,
            DecodeError::TooManyBytes { .. } | DecodeError::Broken { .. }
        );
        assert!(is_refused, "{name}: {error:?}");
        n_cases += 1;
    }
    assert_eq!(n_cases, 91);
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
    assert_eq!(n_cases, 91 + 43);
}

#[test]
fn every_format_that_is_read_has_its_extensions_and_a_name() {
    let mut names: Vec<&str> = formats().iter().map(|format| format.name).collect();
    let n_read = formats().iter().filter(|format| format.read).count();
    assert!(formats()[..n_read].iter().all(|format| format.read));
    assert_eq!((n_read, names.len()), (17, 23));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 23);
    for name in golden().keys() {
        assert!(EXTENSIONS.contains(&extension(name)), "{name}");
    }
    let read = formats().iter().filter(|format| format.read);
    assert!(
        read.flat_map(|format| format.extensions)
            .all(|e| EXTENSIONS.contains(e))
    );
}
