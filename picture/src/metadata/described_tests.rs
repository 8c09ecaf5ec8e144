//! Descriptions, keywords and positions in blocks that are built byte by byte.

use super::*;

/// An entry: tag, type, number of values, and their bytes.
type Entry = (u16, u16, u32, Vec<u8>);

/// A big-endian TIFF with a first directory, an EXIF directory and a GPS directory.
fn tiff(first: &[Entry], exif: &[Entry], gps: &[Entry]) -> Vec<u8> {
    let n_bytes = |entries: &[Entry], n_more: usize| 2 + 12 * (entries.len() + n_more) + 4;
    let exif_at = 8 + n_bytes(first, 2);
    let gps_at = exif_at + n_bytes(exif, 0);
    let mut values_at = gps_at + n_bytes(gps, 0);
    let mut values = Vec::new();
    let mut out = b"MM\0\x2a\0\0\0\x08".to_vec();
    let offset = |at: usize| u32::try_from(at).unwrap().to_be_bytes().to_vec();
    let below = [
        (34_665, 4, 1, offset(exif_at)),
        (34_853, 4, 1, offset(gps_at)),
    ];
    for entries in [[first, &below].concat(), exif.to_vec(), gps.to_vec()] {
        out.extend(u16::try_from(entries.len()).unwrap().to_be_bytes());
        for (tag, kind, n, bytes) in entries {
            out.extend(tag.to_be_bytes());
            out.extend(kind.to_be_bytes());
            out.extend(n.to_be_bytes());
            if bytes.len() <= 4 {
                let mut inline = bytes;
                inline.resize(4, 0);
                out.extend(inline);
            } else {
                out.extend(offset(values_at));
                values_at += bytes.len();
                values.extend(bytes);
            }
        }
        out.extend([0; 4]);
    }
    out.extend(values);
    out
}

fn ascii(tag: u16, text: &str) -> Entry {
    let bytes = [text.as_bytes(), b"\0"].concat();
    (tag, 2, u32::try_from(bytes.len()).unwrap(), bytes)
}

fn bytes(tag: u16, kind: u16, bytes: Vec<u8>) -> Entry {
    (tag, kind, u32::try_from(bytes.len()).unwrap(), bytes)
}

fn utf16(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().chain([0]);
    units.flat_map(u16::to_be_bytes).collect()
}

fn fractions(tag: u16, values: &[(u32, u32)]) -> Entry {
    let bytes = values
        .iter()
        .flat_map(|(above, below)| [above.to_be_bytes(), below.to_be_bytes()].concat());
    (
        tag,
        5,
        u32::try_from(values.len()).unwrap(),
        bytes.collect(),
    )
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, marker][..], &length, content].concat()
}

fn jpeg(segments: &[Vec<u8>]) -> Vec<u8> {
    let segments = segments.concat();
    [
        &[0xFF, 0xD8][..],
        &segments,
        &[0xFF, 0xDA, 0, 2, 0xFF, 0xD9],
    ]
    .concat()
}

fn jpeg_with_exif(tiff: &[u8]) -> Vec<u8> {
    jpeg(&[segment(0xE1, &[b"Exif\0\0", tiff].concat())])
}

#[test]
fn exif_descriptions_and_keywords_are_read_in_every_encoding() {
    let comments: [(Vec<u8>, Option<&str>); 7] = [
        (
            [&b"ASCII\0\0\0"[..], b"a comment\0\0\0"].concat(),
            Some("a comment"),
        ),
        (
            [&b"UNICODE\0"[..], &utf16("Käse 🧀")].concat(),
            Some("Käse 🧀"),
        ),
        (
            [&b"UNICODE\0\xFE\xFF"[..], &utf16("marked")].concat(),
            Some("marked"),
        ),
        ([&[0; 8][..], b"undefined"].concat(), Some("undefined")),
        (b"no encoding at all".to_vec(), Some("no encoding at all")),
        ([&b"JIS\0\0\0\0\0"[..], b"\x1b$B"].concat(), None),
        ([&b"ASCII\0\0\0"[..], &[b' '; 250]].concat(), None),
    ];
    let mut n_cases = 0;
    for (comment, expected) in comments {
        let first = [
            ascii(270, "A description"),
            bytes(0x9C9B, 1, utf16("Título")),
            bytes(0x9C9C, 1, utf16("A DESCRIPTION")),
            bytes(0x9C9E, 1, utf16("sea; Käse ;;sea")),
            bytes(0x9C9F, 1, utf16("subject")),
        ];
        let exif = [bytes(0x9286, 7, comment)];
        let found = metadata(&jpeg_with_exif(&tiff(&first, &exif, &[])));
        let texts = ["Título", "A description", "subject"].into_iter();
        let texts: Vec<&str> = texts.chain(expected).collect();
        assert_eq!(found.texts, texts);
        assert_eq!(found.keywords, ["sea", "Käse"]);
        assert_eq!(found.position, None);
        n_cases += 1;
    }
    assert_eq!(n_cases, 7);
    let junk = [ascii(270, "OLYMPUS DIGITAL CAMERA         ")];
    let found = metadata(&jpeg_with_exif(&tiff(&junk, &[], &[])));
    assert_eq!(found.texts, [""; 0]);
    // The file itself may have the form of an EXIF block.
    let found = metadata(&tiff(&[ascii(270, "A scan")], &[], &[]));
    assert_eq!(found.texts, ["A scan"]);
}

#[test]
fn iptc_and_xmp_come_before_exif_and_equal_texts_count_once() {
    let data_set = |number: u8, text: &str| {
        let length = u16::try_from(text.len()).unwrap().to_be_bytes();
        [&[0x1C, 2, number][..], &length, text.as_bytes()].concat()
    };
    let iptc = [
        data_set(120, "A caption of IPTC"),
        data_set(105, "A headline"),
        data_set(5, "An object"),
        data_set(25, "Tree"),
        data_set(25, "caf\u{e9}"),
    ]
    .concat();
    let n_iptc = u32::try_from(iptc.len()).unwrap().to_be_bytes();
    let photoshop = [&b"Photoshop 3.0\x008BIM\x04\x04\0\0"[..], &n_iptc, &iptc].concat();
    let xmp = "http://ns.adobe.com/xap/1.0/\0<x xmlns:dc='http://purl.org/dc/elements/1.1/' \
               xmlns:rdf='r' xmlns:e='http://ns.adobe.com/exif/1.0/' e:GPSLatitude='33,51.408S' \
               e:GPSLongitude='151,12,55E'><dc:description><rdf:Alt><rdf:li xml:lang='x-default'>\
               A description of XMP</rdf:li><rdf:li xml:lang='de'>Anders</rdf:li></rdf:Alt>\
               </dc:description><dc:title><rdf:Alt><rdf:li>A headline</rdf:li></rdf:Alt></dc:title>\
               <dc:subject><rdf:Bag><rdf:li>tree</rdf:li><rdf:li>two words</rdf:li></rdf:Bag>\
               </dc:subject></x>";
    let exif = [b"Exif\0\0", &tiff(&[ascii(270, "Of EXIF")], &[], &[])[..]].concat();
    let file = jpeg(&[
        segment(0xE1, &exif),
        segment(0xE1, xmp.as_bytes()),
        segment(0xED, &photoshop),
    ]);
    let found = metadata(&file);
    let expected = [
        "A headline",
        "A description of XMP",
        "An object",
        "A caption of IPTC",
        "Of EXIF",
    ];
    assert_eq!(found.texts, expected);
    assert_eq!(found.keywords, ["tree", "two words", "café"]);
    let (latitude, longitude) = found.position.unwrap();
    assert!((latitude + 33.8568).abs() < 1e-6, "{latitude}");
    assert!((longitude - 151.215_277_8).abs() < 1e-6, "{longitude}");
    // A sidecar says the same as a block of its own.
    let packet = xmp.split_once('\0').unwrap().1;
    let alone = sidecar_metadata(packet.as_bytes()).unwrap();
    assert_eq!(alone.texts, ["A headline", "A description of XMP"]);
    assert_eq!(alone.keywords, ["tree", "two words"]);
    let marked = format!("\u{feff}{packet}");
    let units = marked.encode_utf16().flat_map(u16::to_le_bytes);
    let in_utf16: Vec<u8> = units.collect();
    for other in [marked.as_bytes(), &in_utf16] {
        assert_eq!(sidecar_metadata(other).unwrap(), alone);
    }
    assert_eq!(sidecar_metadata(b"\xff").unwrap_err(), "not UTF-8 text");
    // A latitude has neither east nor west.
    let odd = packet.replace("33,51.408S", "33,51.408W");
    assert_ne!(odd, packet);
    assert_eq!(sidecar_metadata(odd.as_bytes()).unwrap().position, None);
    let large = vec![b' '; (8 << 20) + 1];
    assert_eq!(sidecar_metadata(&large).unwrap_err(), "larger than 8 MiB");
}

#[test]
fn positions_are_read_and_impossible_ones_are_not() {
    let gps = |latitude: &[(u32, u32)], side: &str, longitude: &[(u32, u32)], other: &str| {
        let entries = [
            ascii(1, side),
            fractions(2, latitude),
            ascii(3, other),
            fractions(4, longitude),
        ];
        metadata(&jpeg_with_exif(&tiff(&[], &[], &entries))).position
    };
    let paris = [(48, 1), (51, 1), (3012, 100)];
    let east = [(2, 1), (17, 1), (402, 10)];
    let (latitude, longitude) = gps(&paris, "N", &east, "E").unwrap();
    assert!((latitude - 48.858_366_7).abs() < 1e-6, "{latitude}");
    assert!((longitude - 2.2945).abs() < 1e-6, "{longitude}");
    let (latitude, longitude) = gps(&paris, "S", &east, "W").unwrap();
    assert!(latitude < -48.0 && longitude < -2.0);
    // Without seconds; seconds of 0/0.
    let short = [(48, 1), (511_302, 10_000), (0, 0)];
    let (latitude, _) = gps(&short, "N", &east, "E").unwrap();
    assert!((latitude - 48.852_17).abs() < 1e-6, "{latitude}");
    let zero = [(0, 1), (0, 1), (0, 1)];
    let wrong = [(1, 0), (0, 1), (0, 1)];
    let north_of_pole = [(91, 1), (0, 1), (0, 1)];
    let rows = [
        gps(&zero, "N", &zero, "E"),
        gps(&wrong, "N", &east, "E"),
        gps(&north_of_pole, "N", &east, "E"),
        gps(&paris[..1], "N", &east, "E"),
    ];
    assert_eq!(rows, [None; 4]);
    // Neither north nor south, east nor west.
    for (side, other) in [("X", "E"), ("E", "E"), ("", "E"), ("N", "N"), ("N", " ")] {
        assert_eq!(gps(&paris, side, &east, other), None, "{side} {other}");
    }
    assert!(gps(&paris, "n", &east, "w").is_some());
    assert!(gps(&zero, "N", &east, "E").is_some(), "on the equator");
}
