//! Recognizes SVG and decodes its text.
//!
//! XML is UTF-8 unless it begins with a UTF-16 byte order mark or names another encoding (XML 1.0,
//! section 4.3.3). Of those, drawing programs write UTF-16, Latin-1 and Windows-1252.

use std::borrow::Cow;
use std::io::Read;

use super::DecodeError;

/// Bytes in which the first element must begin.
const PROLOG_BYTES: usize = 1 << 14;

/// Whether the file is an SVG, compressed or not.
pub(crate) fn is_svg(bytes: &[u8]) -> bool {
    if !is_gzip(bytes) {
        return is_plain_svg(bytes);
    }
    // An early end is expected: only the prolog is decompressed.
    let mut start = Vec::new();
    let reader = flate2::read::GzDecoder::new(bytes);
    let _ = reader.take(PROLOG_BYTES as u64).read_to_end(&mut start);
    is_plain_svg(&start)
}

pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x1f\x8b\x08")
}

/// Whether the first element, after the prolog that XML allows, is `svg`.
fn is_plain_svg(bytes: &[u8]) -> bool {
    let start;
    let bytes = if is_utf16(bytes) {
        start = from_utf16(&bytes[..bytes.len().min(PROLOG_BYTES)]);
        start.as_bytes()
    } else {
        bytes
    };
    let mut rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let after = |rest: &[u8], end: &[u8]| {
        let at = rest.windows(end.len()).position(|window| window == end)?;
        Some(at + end.len())
    };
    loop {
        rest = rest.trim_ascii_start();
        let end = if rest.starts_with(b"<?") {
            after(rest, b"?>")
        } else if rest.starts_with(b"<!--") {
            after(rest, b"-->")
        } else if rest.starts_with(b"<!DOCTYPE") {
            // Declarations inside brackets may contain `>`.
            let plain = after(rest, b">");
            match rest.iter().position(|&byte| byte == b'[') {
                Some(at) if plain.is_some_and(|end| at < end) => after(rest, b"]>"),
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

/// Decodes the text of a drawing.
pub(super) fn text_of(bytes: &[u8]) -> Result<Cow<'_, str>, DecodeError> {
    if is_utf16(bytes) {
        return Ok(from_utf16(bytes).into());
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        Err(_) if is_latin(bytes) => Ok(bytes.iter().map(|&byte| windows_1252(byte)).collect()),
        Err(_) => Err(DecodeError::unsupported(
            "SVG in an encoding other than UTF-8, UTF-16 and Latin-1",
        )),
    }
}

/// Whether there is a UTF-16 byte order mark.
fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff")
}

/// The text after the byte order mark. An odd byte at the end is dropped, and half a surrogate pair
/// becomes a replacement character.
fn from_utf16(bytes: &[u8]) -> String {
    let is_little = bytes.starts_with(b"\xff\xfe");
    let (units, _) = bytes.get(2..).unwrap_or_default().as_chunks();
    let unit = if is_little {
        u16::from_le_bytes
    } else {
        u16::from_be_bytes
    };
    let units: Vec<u16> = units.iter().map(|&bytes| unit(bytes)).collect();
    String::from_utf16_lossy(&units)
}

/// Whether the XML declaration names Latin-1 or a close relative.
fn is_latin(bytes: &[u8]) -> bool {
    const NAMES: [&str; 5] = [
        "iso-8859-1\"",
        "iso-8859-1'",
        "iso-8859-15",
        "latin1",
        "windows-1252",
    ];
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(256)]).to_ascii_lowercase();
    let declaration = start.split_once("?>").map(|(declaration, _)| declaration);
    declaration.is_some_and(|declaration| NAMES.iter().any(|name| declaration.contains(name)))
}

/// Latin-1, with printable characters in place of control characters that XML forbids anyway.
fn windows_1252(byte: u8) -> char {
    const CHARACTERS: [char; 32] = [
        '€', ' ', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', ' ', 'Ž', ' ', ' ', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', ' ', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9F => CHARACTERS[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_encodings_are_decoded() {
        let text = "<?xml version='1.0' encoding='X'?><svg><title>café „x“ 🐶</title></svg>";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let cases = [
            text.as_bytes().to_vec(),
            [b"\xff\xfe".as_slice(), &little].concat(),
            [b"\xfe\xff".as_slice(), &big].concat(),
        ];
        for bytes in &cases {
            assert_eq!(text_of(bytes).unwrap(), text);
        }
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><title>caf\xe9 \x84x\x93</title>";
        assert!(text_of(latin).unwrap().ends_with("<title>café „x“</title>"));
        let unknown = b"<?xml version='1.0' encoding='Shift_JIS'?><title>\x83\x41</title>";
        let message = text_of(unknown).unwrap_err().to_string();
        assert!(message.contains("encoding other than"), "{message}");
        assert!(text_of(b"<svg>\xe9</svg>").is_err());
        assert_eq!(from_utf16(b"\xff\xfe<\0\x3d"), "<");
        assert_eq!(cases.len(), 3);
    }
}
