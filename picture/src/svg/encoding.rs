//! Which letters are an SVG's bytes?
//!
//! XML is UTF-8 unless it begins with UTF-16's mark or names another encoding (XML 1.0, section
//! 4.3.3). Of those, drawing programs write UTF-16, Latin-1 and Windows-1252.

use std::borrow::Cow;

use super::DecodeError;

/// The text of a drawing.
pub(super) fn text_of(bytes: &[u8]) -> Result<Cow<'_, str>, DecodeError> {
    if is_utf16(bytes) {
        return Ok(from_utf16(bytes).into());
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        Err(_) if is_latin(bytes) => Ok(bytes.iter().map(|&byte| windows_1252(byte)).collect()),
        Err(_) => Err(DecodeError::unsupported(
            "SVG in another encoding than UTF-8, UTF-16 and Latin-1",
        )),
    }
}

/// By its byte order mark.
pub(crate) fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff")
}

/// The text behind the mark. Half a letter at the end, as of a part of a file, is left out.
pub(crate) fn from_utf16(bytes: &[u8]) -> String {
    let is_little = bytes.starts_with(b"\xff\xfe");
    let (units, _) = bytes.get(2..).unwrap_or_default().as_chunks();
    let units = units.iter().map(|&unit| {
        if is_little {
            u16::from_le_bytes(unit)
        } else {
            u16::from_be_bytes(unit)
        }
    });
    char::decode_utf16(units)
        .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// Whether the declaration names an encoding of one byte a letter that is Latin-1 or nearly.
fn is_latin(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(256)];
    let start = start.to_ascii_lowercase();
    let Some(end) = start.windows(2).position(|window| window == b"?>") else {
        return false;
    };
    let declaration = &start[..end];
    [
        &b"iso-8859-1\""[..],
        b"iso-8859-1'",
        b"iso-8859-15",
        b"latin1",
        b"windows-1252",
    ]
    .iter()
    .any(|name| {
        declaration
            .windows(name.len())
            .any(|window| window == *name)
    })
}

/// Latin-1 with printable letters where that has control characters that XML forbids anyway.
fn windows_1252(byte: u8) -> char {
    const LETTERS: [char; 32] = [
        '€', ' ', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', ' ', 'Ž', ' ', ' ', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', ' ', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9F => LETTERS[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_the_usual_encodings_are_read() {
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
        let told = text_of(unknown).unwrap_err().to_string();
        assert!(told.contains("another encoding"), "{told}");
        assert!(text_of(b"<svg>\xe9</svg>").is_err());
        // An odd byte and half a pair at the end.
        assert_eq!(from_utf16(b"\xff\xfe<\0\x3d"), "<");
        assert_eq!(cases.len(), 3);
    }
}
