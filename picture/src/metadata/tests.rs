//! The blocks are built here byte by byte, so that their content is known.

use std::io::Write;

use super::fields::{Fields, MAX_CHARS, date, text};
use super::*;

/// A little-endian TIFF with a first directory and an EXIF directory.
fn tiff(make: &str, model: &str, changed: &str, taken: &str) -> Vec<u8> {
    let first = [(271, make), (272, model), (306, changed)];
    tiff_of(&first, &[(36_867, taken)])
}

/// The same with any texts; empty ones are left out.
fn tiff_of(first: &[(u16, &str)], exif: &[(u16, &str)]) -> Vec<u8> {
    let written = |texts: &[(u16, &str)]| -> Vec<(u16, String)> {
        let texts = texts.iter().filter(|(_, text)| !text.is_empty());
        texts.map(|&(tag, text)| (tag, text.to_owned())).collect()
    };
    let (first, exif) = (written(first), written(exif));
    let n_first = first.len() + 1;
    let exif_at = 8 + 2 + 12 * n_first + 4;
    let mut text_at = exif_at + 2 + 12 * exif.len() + 4;
    let mut texts = Vec::new();
    let mut out = b"II\x2a\0\x08\0\0\0".to_vec();
    let mut ascii = |out: &mut Vec<u8>, tag: u16, text: &str| {
        let bytes = [text.as_bytes(), b"\0"].concat();
        out.extend(tag.to_le_bytes());
        out.extend(2u16.to_le_bytes());
        out.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
        if bytes.len() <= 4 {
            let mut inline = bytes;
            inline.resize(4, 0);
            out.extend(inline);
        } else {
            out.extend(u32::try_from(text_at).unwrap().to_le_bytes());
            text_at += bytes.len();
            texts.extend(bytes);
        }
    };
    out.extend(u16::try_from(n_first).unwrap().to_le_bytes());
    for (tag, text) in &first {
        ascii(&mut out, *tag, text);
    }
    out.extend(34_665u16.to_le_bytes());
    out.extend(4u16.to_le_bytes());
    out.extend(1u32.to_le_bytes());
    out.extend(u32::try_from(exif_at).unwrap().to_le_bytes());
    out.extend([0; 4]);
    out.extend(u16::try_from(exif.len()).unwrap().to_le_bytes());
    for (tag, text) in &exif {
        ascii(&mut out, *tag, text);
    }
    out.extend([0; 4]);
    out.extend(texts);
    out
}

fn camera_tiff() -> Vec<u8> {
    tiff(
        "Nikon",
        "NIKON D750",
        "2024:01:02 03:04:05",
        "2023:08:14 17:03:21",
    )
}

fn data_set(number: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[0x1C, 2, number][..], &length, content].concat()
}

fn iptc() -> Vec<u8> {
    [
        [0x1C, 1, 90, 0, 3, 0x1B, b'%', b'G'].to_vec(),
        data_set(101, b"Germany"),
        data_set(90, "Köln".as_bytes()),
        data_set(95, b"Nordrhein-Westfalen"),
        data_set(55, b"20220301"),
    ]
    .concat()
}

fn resources() -> Vec<u8> {
    let iptc = iptc();
    let mut out = b"8BIM\x03\xed\x03abc\0\0\0\x03xyz\0".to_vec();
    out.extend(b"8BIM\x04\x04\0\0");
    out.extend(u32::try_from(iptc.len()).unwrap().to_be_bytes());
    out.extend(&iptc);
    out
}

const XMP: &str = r#"<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
 xmlns:ext="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Make="Apple" tiff:Model="iPhone 13"
 photoshop:City="Kyoto" photoshop:DateCreated="2021-11-05T09:30:00+09:00"
 xmp:CreateDate="2020-01-01">
<photoshop:Country>Japan</photoshop:Country>
<Iptc4xmpCore:Location>Fushimi  Inari
 Taisha</Iptc4xmpCore:Location>
<ext:LocationShown><rdf:Bag><rdf:li rdf:parseType="Resource"><ext:City>kyoto</ext:City>
<ext:LocationName><rdf:Alt><rdf:li xml:lang="x-default">Torii path</rdf:li></rdf:Alt>
</ext:LocationName>
</rdf:li></rdf:Bag></ext:LocationShown>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>   "#;

fn jpeg(segments: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = vec![0xFF, 0xD8];
    for (marker, content) in segments {
        out.extend([0xFF, *marker]);
        out.extend(u16::try_from(content.len() + 2).unwrap().to_be_bytes());
        out.extend(*content);
    }
    out.extend([0xFF, 0xDA, 0, 2, 0xFF, 0xD9]);
    out
}

fn chunk(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&length[..], &kind, content, &[0; 4]].concat()
}

fn full_jpeg() -> Vec<u8> {
    let exif = [b"Exif\0\0", &camera_tiff()[..]].concat();
    let xmp = [b"http://ns.adobe.com/xap/1.0/\0", XMP.as_bytes()].concat();
    let photoshop = [b"Photoshop 3.0\0", &resources()[..]].concat();
    jpeg(&[
        (0xE0, b"JFIF\0\x01\x01"),
        (0xE1, &exif),
        (0xE1, &xmp),
        (0xED, &photoshop),
    ])
}

#[expect(clippy::unnecessary_wraps, reason = "compared with an option")]
fn taken(year: u16, month: u8, day: u8, time: Option<[u8; 3]>) -> Option<Taken> {
    Some(Taken {
        year,
        month,
        day,
        time,
    })
}

#[test]
fn all_blocks_of_a_jpeg_are_merged() {
    let found = metadata(&full_jpeg());
    assert_eq!(found.camera.as_deref(), Some("NIKON D750"));
    assert_eq!(found.taken, taken(2023, 8, 14, Some([17, 3, 21])));
    assert_eq!(
        found.places,
        [
            "Fushimi Inari Taisha",
            "Torii path",
            "Kyoto",
            "Japan",
            "Köln",
            "Nordrhein-Westfalen",
            "Germany"
        ]
    );
}

#[test]
fn each_block_alone_is_enough() {
    let xmp = [b"http://ns.adobe.com/xap/1.0/\0", XMP.as_bytes()].concat();
    let found = metadata(&jpeg(&[(0xE1, &xmp)]));
    assert_eq!(found.camera.as_deref(), Some("Apple iPhone 13"));
    assert_eq!(found.taken, taken(2021, 11, 5, Some([9, 30, 0])));
    assert_eq!(found.places.len(), 4);
    let photoshop = [b"Photoshop 3.0\0", &resources()[..]].concat();
    let found = metadata(&jpeg(&[(0xED, &photoshop)]));
    assert_eq!(found.camera, None);
    assert_eq!(found.taken, taken(2022, 3, 1, None));
    assert_eq!(found.places, ["Köln", "Nordrhein-Westfalen", "Germany"]);
    let changed = tiff("", "", "2024:01:02 03:04:05", "0000:00:00 00:00:00");
    let exif = [b"Exif\0\0", &changed[..]].concat();
    let found = metadata(&jpeg(&[(0xE1, &exif)]));
    assert_eq!(found.taken, taken(2024, 1, 2, Some([3, 4, 5])));
}

#[test]
fn other_containers_are_read() {
    let tiff = camera_tiff();
    let text = [b"XML:com.adobe.xmp\0\0\0\0\0", XMP.as_bytes()].concat();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(XMP.as_bytes()).unwrap();
    let packed = [
        b"XML:com.adobe.xmp\0\x01\0\0\0",
        &zlib.finish().unwrap()[..],
    ]
    .concat();
    let png = |text: &[u8]| {
        [
            b"\x89PNG\r\n\x1a\n".to_vec(),
            chunk(*b"iTXt", b"Comment\0\0\0\0\0hello"),
            chunk(*b"iTXt", text),
            chunk(*b"IDAT", b"pixels"),
            chunk(*b"eXIf", &tiff),
        ]
        .concat()
    };
    let riff = |kind: &[u8; 4], content: &[u8]| {
        let length = u32::try_from(content.len()).unwrap().to_le_bytes();
        let mut out = [kind, &length[..], content].concat();
        out.resize(out.len().next_multiple_of(2), 0);
        out
    };
    let webp = [
        b"RIFF\0\0\0\0WEBP".to_vec(),
        riff(b"VP8 ", b"abc"),
        riff(b"EXIF", &tiff),
        riff(b"XMP ", XMP.as_bytes()),
    ]
    .concat();
    let boxed = |kind: &[u8; 4], content: &[u8]| {
        let length = u32::try_from(content.len() + 8).unwrap().to_be_bytes();
        [&length[..], kind, content].concat()
    };
    let jxl = [
        b"\0\0\0\x0cJXL \r\n\x87\n".to_vec(),
        boxed(b"Exif", &[&[0; 4][..], &tiff].concat()),
        boxed(b"xml ", XMP.as_bytes()),
        b"\0\0\0\0jxlc\xff\x0a".to_vec(),
    ]
    .concat();
    let files = [png(&text), png(&packed), webp, jxl];
    let mut n_read = 0;
    for file in &files {
        let found = metadata(file);
        assert_eq!(found.camera.as_deref(), Some("NIKON D750"), "{n_read}");
        assert_eq!(found.taken, taken(2023, 8, 14, Some([17, 3, 21])));
        assert_eq!(found.places.len(), 4);
        n_read += 1;
    }
    assert_eq!(n_read, 4);
    assert_eq!(metadata(&tiff).camera.as_deref(), Some("NIKON D750"));
}

/// A JPEG with a date in each of these places, numbered in the order in which they count.
fn dated(dates: &[(usize, &str)]) -> Vec<u8> {
    let at = |place| {
        let found = dates.iter().find(|&&(other, _)| other == place);
        found.map_or("", |&(_, date)| date)
    };
    let tiff = tiff_of(
        &[(306, at(6)), (36_867, at(2))],
        &[(36_867, at(0)), (36_868, at(1))],
    );
    let property = |name: &str, place| match at(place) {
        "" => String::new(),
        date => format!("<{name}>{}</{name}>", date.replacen(':', "-", 2)),
    };
    let xmp = [
        "http://ns.adobe.com/xap/1.0/\0<x xmlns:p=\"http://ns.adobe.com/photoshop/1.0/\" \
         xmlns:e=\"http://ns.adobe.com/exif/1.0/\" xmlns:x=\"http://ns.adobe.com/xap/1.0/\">",
        &property("x:CreateDate", 7),
        &property("p:DateCreated", 4),
        &property("e:DateTimeOriginal", 3),
        "</x>",
    ]
    .concat();
    let date = at(5).replace(':', "");
    let date = data_set(55, date.split(' ').next().unwrap().as_bytes());
    let length = u32::try_from(date.len()).unwrap().to_be_bytes();
    let photoshop = [b"Photoshop 3.0\x008BIM\x04\x04\0\0", &length[..], &date].concat();
    let exif = [b"Exif\0\0", &tiff[..]].concat();
    jpeg(&[(0xE1, &exif), (0xE1, xmp.as_bytes()), (0xED, &photoshop)])
}

#[test]
fn a_later_date_counts_where_it_completes_the_first() {
    const IPTC: usize = 5;
    let full = "2012:03:04 10:11:12";
    // A date, a later one, and whether that counts.
    let rows = [
        ("2012:00:00", full, true),
        ("2012:03:00", full, true),
        ("2012:03:04", full, true),
        ("2012:00:00", "2012:03:00", true),
        ("2011:00:00", full, false),
        ("2012:04:00", full, false),
        ("2012:03:05", full, false),
        ("2012:03:04", "2012:00:00", false),
        ("2012:03:00", "2012:00:00", false),
        (full, "2012:03:05 10:11:12", false),
    ];
    let mut n_pairs = 0;
    for first in 0..8 {
        for later in first + 1..8 {
            for (one, other, is_later) in rows {
                let found = metadata(&dated(&[(first, one), (later, other)])).taken;
                // IPTC has the time elsewhere.
                let of_place = |place, text: &str| match date(text).unwrap() {
                    found if place == IPTC => Taken {
                        time: None,
                        ..found
                    },
                    found => found,
                };
                let (one, other) = (of_place(first, one), of_place(later, other));
                let expected = if is_later { other } else { one };
                assert_eq!(found, Some(expected), "{first} {one:?}, {later} {other:?}");
            }
            n_pairs += 1;
        }
    }
    assert_eq!(n_pairs, 28);
}

#[test]
fn dates_are_read_in_all_notations() {
    let rows = [
        (
            "2023:08:14 17:03:21\0",
            taken(2023, 8, 14, Some([17, 3, 21])),
        ),
        ("2023-08-14T17:03", taken(2023, 8, 14, Some([17, 3, 0]))),
        (
            "2023-08-14T17:03:21.5+02:00",
            taken(2023, 8, 14, Some([17, 3, 21])),
        ),
        ("2023-08-14", taken(2023, 8, 14, None)),
        ("20230814", taken(2023, 8, 14, None)),
        ("2023:08:14 99:99:99", taken(2023, 8, 14, None)),
        ("2023-08-14+02:00", taken(2023, 8, 14, None)),
        ("0000:00:00 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("2023-08", taken(2023, 8, 0, None)),
        ("1993", taken(1993, 0, 0, None)),
        ("1993:08:00", taken(1993, 8, 0, None)),
        ("1993:08:00 00:00:00", taken(1993, 8, 0, None)),
        ("1993:08:00 11:12:13", taken(1993, 8, 0, None)),
        ("1993:00:00 00:00:00", taken(1993, 0, 0, None)),
        ("1993:00:05", taken(1993, 0, 0, None)),
        ("1993:08:  ", taken(1993, 8, 0, None)),
        ("1993:08:     :  :  ", taken(1993, 8, 0, None)),
        ("1993:  :     :  :  ", taken(1993, 0, 0, None)),
        ("19930800", taken(1993, 8, 0, None)),
        ("19930000", taken(1993, 0, 0, None)),
        ("2012: 3: 4", taken(2012, 3, 4, None)),
        ("2012: 3: 4  9: 5: 7", taken(2012, 3, 4, Some([9, 5, 7]))),
        ("2012:3:4 9:05:07", taken(2012, 3, 4, Some([9, 5, 7]))),
        ("2012/03/04 09:05", taken(2012, 3, 4, Some([9, 5, 0]))),
        ("2012.03.04", taken(2012, 3, 4, None)),
        ("2012:03:04T09:05:07Z", taken(2012, 3, 4, Some([9, 5, 7]))),
        ("20120304T090507", taken(2012, 3, 4, Some([9, 5, 7]))),
        ("20120304090507", taken(2012, 3, 4, Some([9, 5, 7]))),
        ("20120304 090507+0100", taken(2012, 3, 4, Some([9, 5, 7]))),
        (
            "2012:03:04 09:05:07.123",
            taken(2012, 3, 4, Some([9, 5, 7])),
        ),
        ("2012:03:04 09:05:07 PM", taken(2012, 3, 4, None)),
        ("2012:03:04 24:00:00", taken(2012, 3, 4, None)),
        ("2012:03:04 23:59:60", taken(2012, 3, 4, None)),
        ("2012:13:04", None),
        ("2012:03:32", None),
        ("2012:003:04", None),
        ("201203", None),
        ("2012-030", None),
        ("2012:03:04:05", taken(2012, 3, 4, None)),
        ("0000:08:14", None),
        ("12:03:04", None),
        ("03/04/2012", None),
        ("3/4/2012 9:05", None),
        ("2012x", None),
        ("14.08.2023", None),
        ("yesterday", None),
        ("", None),
    ];
    assert_eq!(rows.len(), 48);
    for (text, expected) in rows {
        assert_eq!(date(text), expected, "{text:?}");
    }
}

#[test]
fn texts_are_cleaned_and_the_make_is_not_repeated() {
    let cases: [(&[u8], Option<&str>); 6] = [
        (b"Canon\0garbage", Some("Canon")),
        (b"  two \x1b[31m\n words ", Some("two [31m words")),
        (b"\x00", None),
        (b"   ", None),
        (b"K\xf6ln", Some("Köln")),
        ("Zürich".as_bytes(), Some("Zürich")),
    ];
    for (bytes, expected) in cases {
        assert_eq!(text(bytes).as_deref(), expected);
    }
    assert_eq!(text(&[b'x'; 5000]).unwrap().len(), MAX_CHARS);
    assert_eq!(
        text("ü".repeat(5000).as_bytes()).unwrap(),
        "ü".repeat(MAX_CHARS)
    );
    assert_eq!(text(&b"\xff".repeat(5000)).unwrap(), "ÿ".repeat(MAX_CHARS));
    assert_eq!(
        text("a猫".repeat(200).as_bytes()).unwrap(),
        "a猫".repeat(64)
    );
    let own = |text: &str| Some(text.to_owned());
    let rows = [
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("NIKON CORPORATION", "NIKON D750", "NIKON D750"),
        ("Apple", "iPhone 13", "Apple iPhone 13"),
    ];
    for (make, model, expected) in rows {
        assert_eq!(camera(own(make), own(model)).as_deref(), Some(expected));
    }
    assert_eq!(camera(None, own("X100")), own("X100"));
    assert_eq!(camera(own("Leica"), None), own("Leica"));
    assert_eq!(camera(None, None), None);
}

#[test]
fn malformed_metadata_counts_as_missing() {
    let whole = full_jpeg();
    let mut n_cuts = 0;
    for cut in 0..whole.len() {
        let _ = metadata(&whole[..cut]);
        n_cuts += 1;
    }
    assert_eq!(n_cuts, whole.len());
    // Each byte in turn is set to values that make lengths and offsets extreme.
    let tiff = camera_tiff();
    let mut n_changed = 0;
    for at in 0..tiff.len() {
        for value in [0, 0x7F, 0xFF] {
            let mut changed = tiff.clone();
            changed[at] = value;
            let exif = [b"Exif\0\0", &changed[..]].concat();
            let found = metadata(&jpeg(&[(0xE1, &exif)]));
            let n_bytes = found.camera.map_or(0, |camera| camera.len());
            assert!(n_bytes <= 2 * MAX_CHARS + 1);
            n_changed += 1;
        }
    }
    assert_eq!(n_changed, 3 * tiff.len());
    let iptc = iptc();
    for at in 0..iptc.len() {
        let mut changed = iptc.clone();
        changed[at] = 0xFF;
        assert!(iptc::read(&changed).places.len() <= 4);
    }
    for xmp in [
        "",
        "<",
        "<a",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        "<a/>",
    ] {
        assert_eq!(xmp::read(xmp.as_bytes()), Fields::default(), "{xmp}");
    }
    let huge = format!("<a>{}</a>", " ".repeat(xmp::MAX_BYTES));
    assert_eq!(xmp::read(huge.as_bytes()), Fields::default());
    assert_eq!(metadata(&[]), Metadata::default());
}
