//! Text files as a stream of lines, whatever their encoding and line ends.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

/// Reads one unit of UTF-16, in the byte order of the file.
type Utf16Unit = fn([u8; 2]) -> u16;

/// Opens a text file: UTF-8, or UTF-16 with a byte order mark. The bytes that come out are UTF-8
/// where the file is text, without a byte order mark at the start. UTF-16 is held in memory.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    utf8(BufReader::new(fs_err::File::open(path)?))
}

/// The same of bytes in memory.
pub(super) fn utf8<R: BufRead + 'static>(mut reader: R) -> io::Result<Box<dyn BufRead>> {
    let start = reader.fill_buf()?;
    let (n_mark, from_bytes) = match start {
        [0xff, 0xfe, ..] => (2, Some(u16::from_le_bytes as Utf16Unit)),
        [0xfe, 0xff, ..] => (2, Some(u16::from_be_bytes as Utf16Unit)),
        [0xef, 0xbb, 0xbf, ..] => (3, None),
        _ => (0, None),
    };
    reader.consume(n_mark);
    let Some(from_bytes) = from_bytes else {
        return Ok(Box::new(reader));
    };
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    Ok(Box::new(Cursor::new(transcoded(&bytes, from_bytes))))
}

/// UTF-16 as UTF-8. What is no text becomes a byte that is none in UTF-8 either.
fn transcoded(bytes: &[u8], from_bytes: Utf16Unit) -> Vec<u8> {
    const NO_TEXT: u8 = 0xff;
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut out = Vec::with_capacity(bytes.len());
    for unit in char::decode_utf16(pairs.iter().map(|&pair| from_bytes(pair))) {
        match unit {
            Ok(character) => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Err(_) => out.push(NO_TEXT),
        }
    }
    if !rest.is_empty() {
        out.push(NO_TEXT);
    }
    out
}

/// Makes every end of a line, CR, LF or both, an LF, and ends the last line too, so that lines can
/// be counted.
pub(super) struct LineFeeds<R> {
    reader: R,
    /// The last byte that was read.
    last: u8,
    /// Whether the end of the last line was added.
    is_ended: bool,
}

impl<R: BufRead> LineFeeds<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            last: b'\n',
            is_ended: false,
        }
    }
}

impl<R: BufRead> Read for LineFeeds<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut n_out = 0;
        while n_out == 0 && !out.is_empty() {
            let bytes = self.reader.fill_buf()?;
            let n_taken = bytes.len().min(out.len());
            if bytes.is_empty() {
                if self.is_ended || matches!(self.last, b'\n' | b'\r') {
                    return Ok(0);
                }
                self.is_ended = true;
                out[0] = b'\n';
                return Ok(1);
            }
            for &byte in &bytes[..n_taken] {
                if !(byte == b'\n' && self.last == b'\r') {
                    out[n_out] = if byte == b'\r' { b'\n' } else { byte };
                    n_out += 1;
                }
                self.last = byte;
            }
            self.reader.consume(n_taken);
        }
        Ok(n_out)
    }
}

/// The lines of a text without their ends; `None` for one that is not text.
pub(super) fn lines<R: BufRead>(reader: R) -> impl Iterator<Item = io::Result<Option<String>>> {
    let mut reader = BufReader::new(LineFeeds::new(reader));
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => {
                line.pop();
                Some(Ok(text_of(&line).map(ToOwned::to_owned)))
            }
            Err(error) => Some(Err(error)),
        }
    })
}

/// Bytes as text, without byte order marks at its start: joined files have them in the middle.
pub(super) fn text_of(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.trim_start_matches('\u{feff}');
    (!text.contains('\0')).then_some(text)
}
