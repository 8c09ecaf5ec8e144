//! Detects a file's format from its content.

use image::ImageFormat;

use super::{raw, svg};

/// The format of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    Jpeg,
    Tiff,
    /// Decoded by the `image` crate.
    Image(ImageFormat),
    /// HEIC or AVIF.
    Heif,
    Jxl,
    /// An SVG, compressed or not.
    Svg,
    /// A camera's raw file, with the name of its format.
    Raw(&'static str),
    /// A picture in a known format that is not supported.
    Unsupported(&'static str),
    Unknown,
}

/// Detects the format by the first bytes, for TGA also by the last.
pub(super) fn sniff(bytes: &[u8]) -> FileKind {
    use ImageFormat::{Bmp, Gif, Hdr, Ico, Jpeg, OpenExr, Png, Pnm, Qoi, Tga, Tiff, WebP};
    // Most of these begin like TIFF files.
    if let Some(name) = raw::format_name(bytes) {
        return FileKind::Raw(name);
    }
    match image::guess_format(bytes) {
        Ok(Jpeg) => return FileKind::Jpeg,
        Ok(Tiff) => return FileKind::Tiff,
        Ok(format @ (Bmp | Gif | Hdr | Ico | OpenExr | Png | Pnm | Qoi | WebP)) => {
            return FileKind::Image(format);
        }
        Ok(_) | Err(_) => {}
    }
    if is_heif(bytes) {
        FileKind::Heif
    } else if bytes.starts_with(b"\0\0\0\x0cJXL \r\n\x87\n") || bytes.starts_with(b"\xff\x0a") {
        FileKind::Jxl
    } else if svg::is_svg(bytes) {
        FileKind::Svg
    } else if let Some(name) = unsupported_name(bytes) {
        FileKind::Unsupported(name)
    } else if is_tga(bytes) {
        FileKind::Image(Tga)
    } else {
        FileKind::Unknown
    }
}

/// Whether the major brand or a compatible one belongs to HEIC or AVIF.
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

/// The name of a known but unsupported picture format. Needs only the first few bytes.
pub(super) fn unsupported_name(bytes: &[u8]) -> Option<&'static str> {
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

/// TGA files have no signature at the start. Newer ones end with one; in older ones every field of
/// the header must be valid.
fn is_tga(bytes: &[u8]) -> bool {
    if bytes.ends_with(b"TRUEVISION-XFILE.\0") {
        return true;
    }
    let Some(&[_, map, kind, .., w0, w1, h0, h1, depth, flags]) = bytes.first_chunk::<18>() else {
        return false;
    };
    let is_kind_valid = match kind {
        1 | 9 => map == 1 && depth == 8,
        2 | 10 => map <= 1 && matches!(depth, 15 | 16 | 24 | 32),
        3 | 11 => map == 0 && matches!(depth, 8 | 16),
        _ => false,
    };
    // The map's fields are zero where there is no map; bits 6 and 7 of the flags are reserved.
    let is_map_valid = map == 1 || bytes[3..8].iter().all(|&byte| byte == 0);
    let has_pixels = [w0, w1] != [0, 0] && [h0, h1] != [0, 0];
    is_kind_valid && is_map_valid && has_pixels && flags & 0xC0 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsupported_formats_are_named_and_other_files_are_unknown() {
        let cases: &[(&[u8], FileKind)] = &[
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", FileKind::Heif),
            (b"\0\0\0\x1cftypavif\0\0\0\0", FileKind::Heif),
            (b"\0\0\0\x18ftypxyz \0\0\0\0mif1\0\0\0\0", FileKind::Heif),
            (b"\0\0\0\x18ftypisom\0\0\0\0mp41iso2", FileKind::Unknown),
            (b"\0\0\0\x18ftypcrx \0\0\0\0", FileKind::Raw("CR3")),
            (b"\xff\x0a\xfa\x7f", FileKind::Jxl),
            (b"8BPS\0\x01", FileKind::Unsupported("Photoshop")),
            (b"II\xbc\x01\x20\0\0\0", FileKind::Unsupported("JPEG XR")),
            (b"II\x1a\0\0\0HEAPCCDR\x02\0", FileKind::Raw("CRW")),
            (b"FOVb\x03\0\x02\0", FileKind::Raw("X3F")),
            (b"\0MRM\0\0\0\0", FileKind::Raw("MRW")),
            (b"FUJIFILMCCD-RAW 0201", FileKind::Raw("RAF")),
            (b"v/1\x01\x02\0\0\0", FileKind::Image(ImageFormat::OpenExr)),
            (b"#?RADIANCE\n", FileKind::Image(ImageFormat::Hdr)),
            (b"<svg xmlns='...'>", FileKind::Svg),
            (
                b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- <a> --> <svg>",
                FileKind::Svg,
            ),
            (
                b"<!DOCTYPE svg [ <!ENTITY a '<b>'> ]><s:svg>",
                FileKind::Svg,
            ),
            (b"<!DOCTYPE svg PUBLIC \"x\"><svg/>", FileKind::Svg),
            (b"<!DOCTYPE html><html><svg>", FileKind::Unknown),
            (b"<svgs>", FileKind::Unknown),
            (b"\xff\xfe<\0s\0v\0g\0>\0", FileKind::Svg),
            (b"\xfe\xff\0<\0s\0v\0g\0>", FileKind::Svg),
            (b"\xff\xfe<\0p\0>\0", FileKind::Unknown),
            (b"<!-- never ends <svg>", FileKind::Unknown),
            (b"\xff\xd8\xff\xe0", FileKind::Jpeg),
            (b"\x89PNG\r\n\x1a\n", FileKind::Image(ImageFormat::Png)),
            (b"Hello, I am a text of some length.", FileKind::Unknown),
            (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", FileKind::Unknown),
            (b"\0", FileKind::Unknown),
            (&[0; 64], FileKind::Unknown),
        ];
        for (bytes, expected) in cases {
            assert_eq!(sniff(bytes), *expected, "{bytes:?}");
        }
        assert_eq!(cases.len(), 30);
    }

    #[test]
    fn a_tga_is_detected_by_its_whole_header() {
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
