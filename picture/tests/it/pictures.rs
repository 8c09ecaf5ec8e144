use sightline_picture::{DecodeError, DecodeLimits, decode};

use crate::data;

fn sample(name: &str) -> Vec<u8> {
    fs_err::read(data().join("pictures").join(name)).unwrap()
}

fn error_of(bytes: &[u8]) -> DecodeError {
    decode(bytes, &DecodeLimits::default()).unwrap_err()
}

#[test]
fn an_empty_file_differs_from_one_that_is_not_a_picture() {
    assert!(matches!(error_of(b""), DecodeError::Empty));
    for bytes in [
        &b"x"[..],
        b"A letter to my aunt.",
        &[0; 5000],
        b"%PDF-1.7",
        b"PK\x03\x04",
    ] {
        assert!(
            matches!(error_of(bytes), DecodeError::NotAPicture),
            "{bytes:?}"
        );
    }
    assert_eq!(
        error_of(b"8BPS\0\x01 and so on").to_string(),
        "unsupported picture format: Photoshop"
    );
}

#[test]
fn the_format_is_detected_from_the_content() {
    let bytes = sample("png_named_jpg.jpg");
    assert!(bytes.starts_with(b"\x89PNG"));
    assert_eq!(
        decode(&bytes, &DecodeLimits::default())
            .unwrap()
            .dimensions(),
        (48, 31)
    );
}

#[test]
fn truncated_files_are_reported_as_such() {
    let names = [
        "landscape_420.jpg",
        "portrait_444.jpg",
        "progressive.jpg",
        "grey.jpg",
        "cmyk_adobe.jpg",
        "alpha.png",
        "rgb16.png",
        "plain.ppm",
    ];
    let mut n_cases = 0;
    for name in names {
        let bytes = sample(name);
        for (part, parts) in [(1, 2), (3, 4), (19, 20)] {
            let cut = &bytes[..bytes.len() * part / parts];
            let error = error_of(cut);
            assert!(
                matches!(error, DecodeError::Truncated),
                "{name} {part}/{parts}: {error:?}"
            );
            n_cases += 1;
        }
    }
    assert_eq!(n_cases, 24);
}

#[test]
fn no_format_returns_half_a_picture() {
    // Left out: files whose first picture is complete before their half.
    let mut n_cases = 0;
    for entry in fs_err::read_dir(data().join("pictures")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("animated") || name == "one_pixel.png" {
            continue;
        }
        let bytes = fs_err::read(&path).unwrap();
        let error = decode(&bytes[..bytes.len() / 2], &DecodeLimits::default());
        assert!(error.is_err(), "{name}");
        n_cases += 1;
    }
    assert_eq!(n_cases, 43 - 3);
}

#[test]
fn truncated_and_changed_files_cause_no_panic() {
    let limits = DecodeLimits::default()
        .with_max_pixels(1 << 20)
        .with_max_bytes(1 << 24);
    let (mut n_cases, mut n_decoded) = (0, 0);
    let mut state = 0x2026_1123_u64;
    for entry in fs_err::read_dir(data().join("pictures")).unwrap() {
        let bytes = fs_err::read(entry.unwrap().path()).unwrap();
        for n in 0..40 {
            n_cases += 1;
            let cut = &bytes[..bytes.len() * n / 40];
            n_decoded += usize::from(decode(cut, &limits).is_ok());
            // A fixed sequence of pseudo-random positions (Knuth's MMIX constants).
            let mut changed = bytes.clone();
            for _ in 0..=n / 8 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let at = usize::try_from(state >> 33).unwrap() % changed.len().min(600);
                changed[at] ^= 1 << (state % 8);
            }
            n_decoded += usize::from(decode(&changed, &limits).is_ok());
        }
    }
    assert_eq!(n_cases, 43 * 40);
    assert!(n_decoded > 100, "{n_decoded}");
}

#[test]
fn sizes_are_checked_before_memory_is_allocated() {
    let jpeg = |width: u16, height: u16| {
        let mut bytes = sample("landscape_420.jpg");
        let at = bytes.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        bytes[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
        bytes[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
        bytes
    };
    let png = |width: u32, height: u32| {
        let mut bytes = sample("rgb16.png");
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = crc32(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        bytes
    };
    for bytes in [
        jpeg(30_000, 30_000),
        png(30_000, 30_000),
        jpeg(65_535, 65_535),
    ] {
        let error = error_of(&bytes);
        assert!(matches!(error, DecodeError::TooLarge { .. }), "{error:?}");
    }
    let message = error_of(&png(30_000, 30_000)).to_string();
    let expected = "the picture is too large: 30000 × 30000 pixels, the limit is 268435456 in all";
    assert_eq!(message, expected);
    // Few enough pixels, but six bytes each.
    let error = error_of(&png(16_000, 16_000));
    assert!(
        matches!(
            error,
            DecodeError::TooManyBytes {
                // And three each for the resulting picture.
                n_bytes: 2_304_000_000,
                ..
            }
        ),
        "{error:?}"
    );
    let limits = DecodeLimits::default().with_max_pixels(320 * 214 - 1);
    let error = decode(&sample("landscape_420.jpg"), &limits).unwrap_err();
    assert!(
        matches!(
            error,
            DecodeError::TooLarge {
                width: 320,
                height: 214,
                ..
            }
        ),
        "{error:?}"
    );
    let limits = DecodeLimits::default().with_max_pixels(320 * 214);
    assert!(decode(&sample("landscape_420.jpg"), &limits).is_ok());
    let limits = DecodeLimits::default().with_max_bytes(150 * 235 * 3 + 1);
    let error = decode(&sample("progressive.jpg"), &limits).unwrap_err();
    assert!(
        matches!(error, DecodeError::TooManyBytes { .. }),
        "{error:?}"
    );
    assert!(decode(&sample("portrait_444.jpg"), &limits).is_ok());
}

/// The checksum of PNG chunks.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))
        })
    })
}

#[test]
fn an_orientation_of_another_integer_type_turns_the_picture() {
    // Type SHORT, one value: 6 or 8, as both byte orders store it.
    let entries: [(&[u8], &[u8]); 2] = [
        (b"\x12\x01\x03\0\x01\0\0\0", b"\x12\x01\x04\0\x01\0\0\0"),
        (b"\x01\x12\0\x03\0\0\0\x01", b"\x01\x12\0\x04\0\0\0\x01"),
    ];
    let mut n_cases = 0;
    for name in [
        "exif_6.jpg",
        "exif_8.webp",
        "exif_6_after_the_pixels.png",
        "exif_5.tif",
    ] {
        let bytes = sample(name);
        let expected = decode(&bytes, &DecodeLimits::default()).unwrap();
        for (short, long) in entries {
            let Some(at) = bytes.windows(8).position(|window| window == short) else {
                continue;
            };
            let mut changed = bytes.clone();
            changed[at..at + 8].copy_from_slice(long);
            if long[3] == 4 {
                // Big-endian: the value is in the last two bytes.
                changed.copy_within(at + 8..at + 10, at + 10);
                changed[at + 8..at + 10].fill(0);
            }
            assert_ne!(changed, bytes);
            let found = decode(&changed, &DecodeLimits::default()).unwrap();
            assert!(found == expected, "{name}");
            n_cases += 1;
        }
    }
    assert_eq!(n_cases, 4);
}

/// Only the chunk that ends the file is missing, or there are zeros after
/// the pixels.
#[test]
fn a_png_needs_its_pixels_but_not_its_end() {
    let limits = DecodeLimits::default();
    let mut n_cases = 0;
    for name in [
        "alpha.png",
        "rgb16.png",
        "palette_transparent.png",
        "exif_6.png",
    ] {
        let whole = sample(name);
        let expected = decode(&whole, &limits).unwrap();
        let pixels = whole.windows(4).rposition(|kind| kind == b"IDAT").unwrap();
        let length = u32::from_be_bytes(whole[pixels - 4..pixels].try_into().unwrap());
        let checksum = pixels + 4 + length as usize;
        for kept in [
            checksum + 4,
            checksum + 3,
            checksum,
            checksum + 8,
            whole.len() - 1,
        ] {
            for tail in [&[][..], &[0; 9], &[0; 400]] {
                let open = [&whole[..kept], tail].concat();
                if kept < checksum + 4 && !tail.is_empty() {
                    // A wrong checksum is an error of its own.
                    continue;
                }
                let found = decode(&open, &limits).unwrap();
                assert!(
                    found == expected,
                    "{name}: {} bytes and {}",
                    kept,
                    tail.len()
                );
                n_cases += 1;
            }
        }
        for kept in [checksum - 1, checksum - 5, pixels + 4 + length as usize / 2] {
            for end in [&b""[..], b"\0\0\0\0IEND\xae\x42\x60\x82"] {
                let error = error_of(&[&whole[..kept], end].concat());
                assert!(matches!(error, DecodeError::Truncated), "{name}: {error:?}");
                n_cases += 1;
            }
        }
        // The data ends with a chunk, but before the last row.
        let half = &whole[pixels + 4..pixels + 4 + length as usize / 2];
        let mut crc_of = b"IDAT".to_vec();
        crc_of.extend(half);
        let cut = [
            &whole[..pixels - 4],
            &u32::try_from(half.len()).unwrap().to_be_bytes(),
            &crc_of,
            &crc32(&crc_of).to_be_bytes(),
        ]
        .concat();
        let error = error_of(&cut);
        assert!(matches!(error, DecodeError::Truncated), "{name}: {error:?}");
        n_cases += 1;
    }
    assert_eq!(n_cases, 4 * (11 + 6 + 1));
}

#[test]
fn a_png_packed_for_ios_is_named_with_the_fix() {
    let plain = sample("alpha.png");
    let packed = [
        &plain[..8],
        b"\0\0\0\x04CgBI\x50\0\x20\x02\x2b\xd5\xb3\x7f",
        &plain[8..],
    ];
    let error = error_of(&packed.concat()).to_string();
    assert_eq!(
        error,
        "unsupported picture format: PNG as Apple's tools pack it for iOS (CgBI); unpack it with \
         `pngcrush -revert-iphone-optimizations`"
    );
}
