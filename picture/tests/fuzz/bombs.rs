use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use sightline_picture::{DecodeError, DecodeLimits, decode, memory_needed};

use crate::counted::{Took, alone, counted};
use crate::samples;

/// Decodes a file that must be refused, quickly and within `max_bytes` of memory.
fn refused(name: &str, bytes: &[u8], max_bytes: u64) -> DecodeError {
    let (result, Took { memory, time }) = counted(|| decode(bytes, &DecodeLimits::default()));
    assert!(time < Duration::from_secs(5), "{name}: {time:?}");
    assert!(memory <= max_bytes, "{name}: {memory} bytes");
    let (_, estimated) = counted(|| memory_needed(bytes));
    assert!(
        estimated.memory <= max_bytes,
        "{name}: {} bytes",
        estimated.memory
    );
    match result {
        Ok(_) => panic!("{name} was decoded"),
        Err(error) => error,
    }
}

fn sample(name: &str) -> Vec<u8> {
    let mut all = samples().into_values().flatten();
    all.find(|(known, _)| known == name).unwrap().1
}

fn svg(content: &str) -> Vec<u8> {
    let start = "<svg xmlns='http://www.w3.org/2000/svg' width='100' height='100'>";
    format!("{start}{content}</svg>").into_bytes()
}

#[test]
fn drawings_with_endless_work_are_refused() {
    let _alone = alone();
    let mut uses = String::from("<defs><rect id='a0' width='1' height='1'/>");
    for n in 1..10 {
        let use_before = format!("<use href='#a{}'/>", n - 1).repeat(10);
        uses.extend(["<g id='a", &n.to_string(), "'>", &use_before, "</g>"]);
    }
    uses += "</defs><use href='#a9'/>";
    let filtered = |filter: &str| {
        let rect = "<rect width='100' height='100' filter='url(#f)'/>".repeat(20);
        svg(&format!(
            "<filter id='f' x='-9' y='-9' width='19' height='19'>{filter}</filter>{rect}"
        ))
    };
    let layers = "<g opacity='0.5'>".repeat(600)
        + "<rect width='100' height='100'/><rect width='9' height='9'/>"
        + &"</g>".repeat(600);
    let entities = (1..12).fold("<!ENTITY e0 'x'>".to_owned(), |all, n| {
        let before = format!("&e{};", n - 1).repeat(10);
        format!("{all}<!ENTITY e{n} '{before}'>")
    });
    let entities =
        format!("<!DOCTYPE svg [{entities}]><svg width='9' height='9'><text>&e11;</text></svg>");
    let pattern = "<pattern id='p' width='20000' height='20000' patternUnits='userSpaceOnUse'>\
        <rect width='9' height='9'/></pattern><rect width='100' height='100' fill='url(#p)'/>";
    let cases: &[(&str, Vec<u8>)] = &[
        ("uses", svg(&uses)),
        (
            "turbulence",
            filtered("<feTurbulence baseFrequency='1' numOctaves='100000'/>"),
        ),
        ("morphology", filtered("<feMorphology radius='5000'/>")),
        (
            "many filters",
            filtered(&"<feGaussianBlur stdDeviation='100'/>".repeat(500)),
        ),
        ("layers", svg(&layers)),
        ("entities", entities.into_bytes()),
        ("pattern", svg(pattern)),
        ("open groups", svg(&"<g>".repeat(200_000))),
        (
            "groups",
            svg(&("<g>".repeat(100_000) + &"</g>".repeat(100_000))),
        ),
        (
            "no size",
            b"<svg xmlns='http://www.w3.org/2000/svg' width='0' height='0'/>".to_vec(),
        ),
    ];
    for (name, bytes) in cases {
        refused(name, bytes, 300 << 20);
    }
    assert_eq!(cases.len(), 10);
}

/// Up to the depth that the parser allows.
#[test]
fn deep_drawings_do_not_overflow_the_stack() {
    let _alone = alone();
    for depth in [100, 500, 1000, 1020, 1100] {
        let groups = "<g transform='scale(1)'>".repeat(depth);
        let text = groups + "<rect width='100' height='100'/>" + &"</g>".repeat(depth);
        let (result, took) = counted(|| decode(&svg(&text), &DecodeLimits::default()));
        assert!(took.time < Duration::from_secs(5) && took.memory < 100 << 20);
        assert!(depth > 200 || result.is_ok(), "{depth}: {result:?}");
    }
}

#[test]
fn compressed_zeros_are_not_decompressed() {
    let _alone = alone();
    let zeros = vec![0; 1 << 20];
    let mut compressed = GzEncoder::new(Vec::new(), Compression::best());
    compressed
        .write_all(b"<svg xmlns='http://www.w3.org/2000/svg'>")
        .unwrap();
    for _ in 0..200 {
        compressed.write_all(&zeros).unwrap();
    }
    refused("svgz", &compressed.finish().unwrap(), 64 << 20);

    // Text chunks and a profile of 200 MB in a picture of a few kB are ignored or refused.
    let mut compressed = ZlibEncoder::new(Vec::new(), Compression::best());
    for _ in 0..200 {
        compressed.write_all(&zeros).unwrap();
    }
    let compressed = compressed.finish().unwrap();
    let png = sample("grey.png");
    let mut n_cases = 0;
    for (name, head) in [
        (b"zTXt", &b"key\0\0"[..]),
        (b"iCCP", b"name\0\0"),
        (b"iTXt", b"key\0\x01\0\0\0"),
    ] {
        let content = [head, &compressed].concat();
        let mut bytes = png[..33].to_vec();
        bytes.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
        bytes.extend(name);
        bytes.extend(&content);
        let mut crc = flate2::Crc::new();
        crc.update(name);
        crc.update(&content);
        bytes.extend(crc.sum().to_be_bytes());
        bytes.extend(&png[33..]);
        let limits = DecodeLimits::default().with_max_bytes(16 << 20);
        let (_, took) = counted(|| decode(&bytes, &limits));
        let label = String::from_utf8_lossy(name);
        assert!(
            took.memory <= limits.max_bytes,
            "{label}: {} bytes",
            took.memory
        );
        n_cases += 1;
    }
    assert_eq!(n_cases, 3);
}

#[test]
fn metadata_longer_than_its_file_is_ignored() {
    let _alone = alone();
    let valid = sample("exif_8.webp");
    let at = valid
        .windows(4)
        .rposition(|bytes| bytes == b"EXIF")
        .unwrap();
    let limits = DecodeLimits::default();
    let upright = decode(&valid, &limits).unwrap().dimensions();
    let mut n_read = 0;
    // The byte after VP8X's length has flags for the other chunks.
    for (kind, flag) in [(b"EXIF", 0x08), (b"ICCP", 0x20)] {
        let mut bytes = valid.clone();
        assert_eq!(bytes[20] & 0x28, 0x08);
        bytes[20] = bytes[20] & !0x28 | flag;
        bytes[at..at + 4].copy_from_slice(kind);
        bytes[at + 4..at + 8].copy_from_slice(&0xF000_0000_u32.to_le_bytes());
        let (picture, decoding) = counted(|| decode(&bytes, &limits).unwrap());
        // Without the orientation.
        assert_eq!(picture.dimensions(), (upright.1, upright.0));
        let (_, estimating) = counted(|| memory_needed(&bytes));
        assert!(decoding.memory < 1 << 20, "{} bytes", decoding.memory);
        assert!(estimating.memory < 1 << 20, "{} bytes", estimating.memory);
        n_read += 1;
    }
    assert_eq!(n_read, 2);
}

#[test]
fn huge_sizes_are_refused_by_the_header() {
    let _alone = alone();
    let patched = |name: &str, at: usize, bytes: &[u8]| {
        let mut file = sample(name);
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let behind = |name: &str, mark: &[u8]| {
        let file = sample(name);
        file.windows(mark.len()).position(|w| w == mark).unwrap() + mark.len()
    };
    let most = u32::MAX.to_be_bytes();
    let cases = [
        ("gif", patched("animated.gif", 6, &[0xFF; 4])),
        (
            "bmp",
            patched("palette.bmp", 18, &[0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0, 0]),
        ),
        (
            "webp",
            patched(
                "animated.webp",
                behind("animated.webp", b"VP8X") + 8,
                &[0xFF; 6],
            ),
        ),
        ("tga", patched("plain.tga", 12, &[0xFF; 4])),
        (
            "heic",
            patched("plain.heic", behind("plain.heic", b"ispe") + 4, &most),
        ),
        (
            "avif",
            patched("plain.avif", behind("plain.avif", b"ispe") + 4, &most),
        ),
        (
            "grid",
            patched(
                "grid.heic",
                behind("grid.heic", b"\0\0\x01\x02\0\x96\0\x64") - 4,
                &[0xFF; 4],
            ),
        ),
        (
            "hdr",
            b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 90000 +X 90000\n".to_vec(),
        ),
        ("ppm", b"P6 90000 90000 255\n".to_vec()),
        (
            "qoi",
            [
                b"qoif".as_slice(),
                &[0, 1, 0, 0, 0, 1, 0, 0, 3, 0],
                &[0; 8],
                &[1],
            ]
            .concat(),
        ),
    ];
    for (name, bytes) in &cases {
        refused(name, bytes, 16 << 20);
    }
    assert_eq!(cases.len(), 10);
}

/// Each start is followed by comments up to the end of the file, and each comment holds the next
/// start.
#[test]
fn a_raw_file_of_nothing_but_starts_of_jpegs_is_refused() {
    let _alone = alone();
    let mut bytes = b"FUJIFILMCCD-RAW ".to_vec();
    bytes.extend(b"\xff\xd8\xff\xfe\0\x04".repeat(1 << 20));
    let error = refused("RAW", &bytes, 1 << 20);
    assert!(matches!(error, DecodeError::Unsupported { .. }), "{error}");
}
