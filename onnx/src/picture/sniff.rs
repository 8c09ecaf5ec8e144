//! What kind of picture is this, by its content?

use image::ImageFormat;

/// What the first bytes, and for TGA the last, give away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Jpeg,
    Readable(ImageFormat),
    /// A picture, but of a format that is not read.
    Known(&'static str),
    Unknown,
}

pub(super) fn kind(bytes: &[u8]) -> Kind {
    use ImageFormat::{Bmp, Gif, Ico, Jpeg, Png, Pnm, Qoi, Tga, Tiff, WebP};
    match image::guess_format(bytes) {
        Ok(Jpeg) => Kind::Jpeg,
        Ok(format @ (Bmp | Gif | Ico | Png | Pnm | Qoi | Tiff | WebP)) => Kind::Readable(format),
        Ok(_) | Err(_) => unread(bytes).map_or_else(
            || {
                if is_tga(bytes) {
                    Kind::Readable(Tga)
                } else {
                    Kind::Unknown
                }
            },
            Kind::Known,
        ),
    }
}

/// The name of a picture format that is not read.
fn unread(bytes: &[u8]) -> Option<&'static str> {
    const SIGNATURES: &[(usize, &[u8], &str)] = &[
        (4, b"ftypheic", "HEIC"),
        (4, b"ftypheix", "HEIC"),
        (4, b"ftyphevc", "HEIC"),
        (4, b"ftypmif1", "HEIF"),
        (4, b"ftypmsf1", "HEIF"),
        (4, b"ftypavif", "AVIF"),
        (4, b"ftypavis", "AVIF"),
        (4, b"ftypcrx ", "CR3 raw"),
        (0, b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (0, b"\xff\x0a", "JPEG XL"),
        (0, b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
        (0, b"8BPS", "Photoshop"),
        (0, b"FUJIFILMCCD-RAW", "RAF raw"),
        (0, b"v/1\x01", "OpenEXR"),
        (0, b"#?RADIANCE", "Radiance HDR"),
        (0, b"DDS ", "DirectDraw Surface"),
        (0, b"farbfeld", "farbfeld"),
        (0, b"gimp xcf", "XCF"),
        (0, b"<svg", "SVG"),
    ];
    SIGNATURES
        .iter()
        .find(|(at, signature, _)| bytes.get(*at..).is_some_and(|b| b.starts_with(signature)))
        .map(|&(_, _, name)| name)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_that_are_not_read_are_named_and_other_files_are_not_pictures() {
        let cases: &[(&[u8], Kind)] = &[
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Kind::Known("HEIC")),
            (b"\0\0\0\x1cftypavif\0\0\0\0", Kind::Known("AVIF")),
            (b"\xff\x0a\xfa\x7f", Kind::Known("JPEG XL")),
            (b"8BPS\0\x01", Kind::Known("Photoshop")),
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
        assert_eq!(cases.len(), 10);
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
