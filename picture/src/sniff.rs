//! What kind of picture is this, by its content?

use std::io::Read;

use image::ImageFormat;

use super::{raw, svg};

/// What the first bytes, and for TGA the last, give away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Jpeg,
    /// The `image` crate reads it.
    Readable(ImageFormat),
    /// HEIC or AVIF.
    Heif,
    Jxl,
    Svg,
    /// An SVG, packed by gzip.
    Svgz,
    /// A camera's file, with the name of its kind.
    Raw(&'static str),
    /// A picture, but of a format that is not read.
    Known(&'static str),
    Unknown,
}

pub(super) fn kind(bytes: &[u8]) -> Kind {
    use ImageFormat::{Bmp, Gif, Hdr, Ico, Jpeg, OpenExr, Png, Pnm, Qoi, Tga, Tiff, WebP};
    // Most of these begin as TIFF files do.
    if let Some(name) = raw::kind(bytes) {
        return Kind::Raw(name);
    }
    match image::guess_format(bytes) {
        Ok(Jpeg) => return Kind::Jpeg,
        Ok(format @ (Bmp | Gif | Hdr | Ico | OpenExr | Png | Pnm | Qoi | Tiff | WebP)) => {
            return Kind::Readable(format);
        }
        Ok(_) | Err(_) => {}
    }
    if is_heif(bytes) {
        Kind::Heif
    } else if bytes.starts_with(b"\0\0\0\x0cJXL \r\n\x87\n") || bytes.starts_with(b"\xff\x0a") {
        Kind::Jxl
    } else if is_svg(bytes) {
        Kind::Svg
    } else if is_gzip(bytes) {
        // Enough for whatever stands before the drawing; an early end is expected.
        let mut start = Vec::new();
        let reader = flate2::read::GzDecoder::new(bytes);
        let _ = reader.take(1 << 14).read_to_end(&mut start);
        if is_svg(&start) {
            Kind::Svgz
        } else {
            Kind::Unknown
        }
    } else if let Some(name) = unread(bytes) {
        Kind::Known(name)
    } else if is_tga(bytes) {
        Kind::Readable(Tga)
    } else {
        Kind::Unknown
    }
}

/// By the brands of HEIF's derivates, the file's own or those it says it is compatible with.
fn is_heif(bytes: &[u8]) -> bool {
    const BRANDS: &[&[u8; 4]] = &[
        b"avif", b"avis", b"heic", b"heim", b"heis", b"heix", b"hevc", b"hevx", b"mif1", b"mif2",
        b"msf1",
    ];
    let Some((&length, rest)) = bytes.split_first_chunk() else {
        return false;
    };
    let length = u32::from_be_bytes(length).clamp(8, 256) as usize - 4;
    let Some(brands) = rest[..rest.len().min(length)].strip_prefix(b"ftyp") else {
        return false;
    };
    let (brands, _) = brands.as_chunks();
    brands.iter().any(|brand| BRANDS.contains(&brand))
}

/// Whether the first element is an SVG drawing, behind what XML allows before it.
fn is_svg(bytes: &[u8]) -> bool {
    let start;
    let bytes = if svg::is_utf16(bytes) {
        start = svg::from_utf16(&bytes[..bytes.len().min(1 << 14)]);
        start.as_bytes()
    } else {
        bytes
    };
    let mut rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let behind = |rest: &[u8], end: &[u8]| {
        let at = rest.windows(end.len()).position(|window| window == end)?;
        Some(at + end.len())
    };
    loop {
        rest = rest.trim_ascii_start();
        let end = if rest.starts_with(b"<?") {
            behind(rest, b"?>")
        } else if rest.starts_with(b"<!--") {
            behind(rest, b"-->")
        } else if rest.starts_with(b"<!DOCTYPE") {
            // Declarations inside brackets hold marks like its own end.
            let plain = behind(rest, b">");
            match rest.iter().position(|&byte| byte == b'[') {
                Some(at) if plain.is_some_and(|end| at < end) => behind(rest, b"]>"),
                _ => plain,
            }
        } else {
            let Some(name) = rest.strip_prefix(b"<") else {
                return false;
            };
            let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/');
            let name = name.split(is_end).next().unwrap_or_default();
            return name == b"svg" || name.ends_with(b":svg");
        };
        match end {
            Some(end) => rest = &rest[end..],
            None => return false,
        }
    }
}

pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x1f\x8b\x08")
}

/// The name of a picture format that is not read. A few bytes of the start are enough.
pub(super) fn unread(bytes: &[u8]) -> Option<&'static str> {
    const SIGNATURES: &[(&[u8], &str)] = &[
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51", "JPEG 2000"),
        (b"8BPS", "Photoshop"),
        (b"DDS ", "DirectDraw Surface"),
        (b"farbfeld", "farbfeld"),
        (b"gimp xcf", "XCF"),
        (b"II\xbc\x01", "JPEG XR"),
        (b"II+\0", "BigTIFF"),
        (b"MM\0+", "BigTIFF"),
    ];
    SIGNATURES
        .iter()
        .find(|(signature, _)| bytes.starts_with(signature))
        .map(|&(_, name)| name)
}

/// TGA files begin with no signature: newer ones end with one, of older ones every field of the
/// header must make sense.
fn is_tga(bytes: &[u8]) -> bool {
    if bytes.ends_with(b"TRUEVISION-XFILE.\0") {
        return true;
    }
    let Some(&[_, map, kind, .., w0, w1, h0, h1, depth, flags]) = bytes.first_chunk::<18>() else {
        return false;
    };
    let kind_is_sound = match kind {
        1 | 9 => map == 1 && depth == 8,
        2 | 10 => map <= 1 && matches!(depth, 15 | 16 | 24 | 32),
        3 | 11 => map == 0 && matches!(depth, 8 | 16),
        _ => false,
    };
    // The map's fields are zero where there is no map; bits 6 and 7 of the flags are reserved.
    let map_is_sound = map == 1 || bytes[3..8].iter().all(|&byte| byte == 0);
    let has_pixels = [w0, w1] != [0, 0] && [h0, h1] != [0, 0];
    kind_is_sound && map_is_sound && has_pixels && flags & 0xC0 == 0
}

/// The content of the first chunk of this type in a PNG.
pub(super) fn png_chunk(bytes: &[u8], wanted: [u8; 4]) -> Option<&[u8]> {
    let mut rest = bytes.get(8..)?;
    loop {
        let length = u32::from_be_bytes(*rest.first_chunk()?);
        let length = usize::try_from(length).ok()?;
        let content = rest.get(8..8usize.checked_add(length)?)?;
        if rest.get(4..8)? == wanted {
            return Some(content);
        }
        rest = rest.get(length.checked_add(12)?..)?;
    }
}

/// The content of the first chunk of this type in a WebP, where all of it lies in the file.
pub(super) fn webp_chunk(bytes: &[u8], wanted: [u8; 4]) -> Option<&[u8]> {
    let mut rest = bytes.get(12..)?;
    loop {
        let length = usize::try_from(u32::from_le_bytes(*rest.get(4..)?.first_chunk()?)).ok()?;
        let content = rest.get(8..8usize.checked_add(length)?)?;
        if rest.get(..4)? == wanted {
            return Some(content);
        }
        rest = rest.get(length.next_multiple_of(2).checked_add(8)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_that_are_not_read_are_named_and_other_files_are_not_pictures() {
        let cases: &[(&[u8], Kind)] = &[
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Kind::Heif),
            (b"\0\0\0\x1cftypavif\0\0\0\0", Kind::Heif),
            (b"\0\0\0\x18ftypxyz \0\0\0\0mif1\0\0\0\0", Kind::Heif),
            (b"\0\0\0\x18ftypisom\0\0\0\0mp41iso2", Kind::Unknown),
            (b"\0\0\0\x18ftypcrx \0\0\0\0", Kind::Raw("CR3")),
            (b"\xff\x0a\xfa\x7f", Kind::Jxl),
            (b"8BPS\0\x01", Kind::Known("Photoshop")),
            (b"II\xbc\x01\x20\0\0\0", Kind::Known("JPEG XR")),
            (b"II\x1a\0\0\0HEAPCCDR\x02\0", Kind::Raw("CRW")),
            (b"FOVb\x03\0\x02\0", Kind::Raw("X3F")),
            (b"\0MRM\0\0\0\0", Kind::Raw("MRW")),
            (b"FUJIFILMCCD-RAW 0201", Kind::Raw("RAF")),
            (b"v/1\x01\x02\0\0\0", Kind::Readable(ImageFormat::OpenExr)),
            (b"#?RADIANCE\n", Kind::Readable(ImageFormat::Hdr)),
            (b"<svg xmlns='...'>", Kind::Svg),
            (
                b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- <a> --> <svg>",
                Kind::Svg,
            ),
            (b"<!DOCTYPE svg [ <!ENTITY a '<b>'> ]><s:svg>", Kind::Svg),
            (b"<!DOCTYPE svg PUBLIC \"x\"><svg/>", Kind::Svg),
            (b"<!DOCTYPE html><html><svg>", Kind::Unknown),
            (b"<svgs>", Kind::Unknown),
            (b"\xff\xfe<\0s\0v\0g\0>\0", Kind::Svg),
            (b"\xfe\xff\0<\0s\0v\0g\0>", Kind::Svg),
            (b"\xff\xfe<\0p\0>\0", Kind::Unknown),
            (b"<!-- never ends <svg>", Kind::Unknown),
            (b"\xff\xd8\xff\xe0", Kind::Jpeg),
            (b"\x89PNG\r\n\x1a\n", Kind::Readable(ImageFormat::Png)),
            (b"Hello, I am a text of some length.", Kind::Unknown),
            (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", Kind::Unknown),
            (b"\0", Kind::Unknown),
            (&[0; 64], Kind::Unknown),
        ];
        for (bytes, expected) in cases {
            assert_eq!(kind(bytes), *expected, "{bytes:?}");
        }
        assert_eq!(cases.len(), 30);
    }

    #[test]
    fn a_tga_is_told_by_its_whole_header() {
        let mut header = [0u8; 18];
        header[2] = 2;
        header[12] = 4;
        header[14] = 3;
        header[16] = 24;
        assert!(is_tga(&header));
        for (at, value) in [(2, 7), (12, 0), (14, 0), (16, 9), (17, 0xC0), (5, 1)] {
            let mut broken = header;
            broken[at] = value;
            assert!(!is_tga(&broken), "byte {at}");
        }
    }
}
