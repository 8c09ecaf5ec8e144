//! Walks over the segments of a JPEG and the chunks of a PNG or WebP. Lengths are checked against
//! the file; a walk ends at the first one that is not in it.

/// The segments of a JPEG before its first scan: marker and content (ITU-T T.81, B.1.1.4).
pub(super) fn jpeg_segments(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = bytes.strip_prefix(&[0xFF, 0xD8]).unwrap_or_default();
    std::iter::from_fn(move || {
        // Fill bytes may precede a marker.
        while let [0xFF, 0xFF, ..] = rest {
            rest = &rest[1..];
        }
        let [0xFF, marker, tail @ ..] = rest else {
            return None;
        };
        if matches!(marker, 0xD8..=0xDA) {
            return None;
        }
        let length = usize::from(u16::from_be_bytes(*tail.first_chunk()?));
        let content = tail.get(2..length)?;
        rest = &tail[length..];
        Some((*marker, content))
    })
}

/// The chunks of a PNG: type and content (PNG, third edition, 5.3).
pub(super) fn png_chunks(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, tail) = rest.split_first_chunk()?;
        let (kind, tail) = tail.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (content, tail) = tail.split_at_checked(length)?;
        // A checksum follows.
        rest = tail.get(4..).unwrap_or_default();
        Some((*kind, content))
    })
}

/// The content of the first chunk of this type in a WebP.
pub(super) fn webp_chunk(bytes: &[u8], wanted: [u8; 4]) -> Option<&[u8]> {
    let mut rest = bytes.get(12..)?;
    loop {
        let (kind, tail) = rest.split_first_chunk()?;
        let (length, tail) = tail.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let content = tail.get(..length)?;
        if *kind == wanted {
            return Some(content);
        }
        rest = tail.get(length.checked_next_multiple_of(2)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_end_at_the_first_scan() {
        let bytes = b"\xff\xd8\xff\xff\xe1\0\x05abc\xff\xfe\0\x02\xff\xda\0\x02\xff\xe0\0\x02";
        let found: Vec<_> = jpeg_segments(bytes).collect();
        assert_eq!(found, [(0xE1, &b"abc"[..]), (0xFE, b"")]);
    }

    #[test]
    fn lengths_beyond_the_file_end_a_walk() {
        assert_eq!(jpeg_segments(b"\xff\xd8\xff\xe1\0\x06abc").count(), 0);
        assert_eq!(jpeg_segments(b"\xff\xd8\xff\xe1\0\x01abc").count(), 0);
        assert_eq!(jpeg_segments(b"").count(), 0);
        let png = b"12345678\0\0\0\x01eXIfa4567\xff\xff\xff\xfftEXt";
        let found: Vec<_> = png_chunks(png).collect();
        assert_eq!(found, [(*b"eXIf", &b"a"[..])]);
        let webp = b"RIFF\0\0\0\0WEBPVP8 \x01\0\0\0a\0EXIF\x02\0\0\0bcXMP \xff\0\0\0";
        assert_eq!(webp_chunk(webp, *b"EXIF"), Some(&b"bc"[..]));
        assert_eq!(webp_chunk(webp, *b"XMP "), None);
        assert_eq!(webp_chunk(webp, *b"ICCP"), None);
    }
}
