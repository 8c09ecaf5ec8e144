//! Reading and rewriting protobuf messages without losing unknown fields.
//!
//! An ONNX file is one protobuf message. Libraries that decode a message into structs drop fields
//! that they do not know, such as those of newer versions of the format, and hold every weight in
//! memory. Here a message stays in its memory map: [`Fields`] iterates over it, and a [`Rope`]
//! lists which spans of it are copied and what is put between them.
//!
//! Wire format: <https://protobuf.dev/programming-guides/encoding/>.

use std::ops::Range;

/// A byte range of the source file.
pub(crate) type Span = Range<usize>;

/// The bytes are not a protobuf message; gives the byte offset from the start of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) usize);

/// One field of a message.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) number: u64,
    pub(crate) value: Value,
    /// Tag and value together.
    pub(crate) whole: Span,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Varint(u64),
    /// A string, bytes, a message, or packed numbers.
    Bytes(Span),
    Fixed32([u8; 4]),
    Fixed64,
}

impl Field {
    /// The span of a field that must hold bytes.
    pub(crate) fn bytes(&self) -> Result<Span, Malformed> {
        match &self.value {
            Value::Bytes(span) => Ok(span.clone()),
            _ => Err(Malformed(self.whole.start)),
        }
    }

    /// The value of a field that must hold an integer; negative ones are in two's complement.
    pub(crate) fn integer(&self) -> Result<i64, Malformed> {
        match self.value {
            Value::Varint(value) => Ok(value.cast_signed()),
            _ => Err(Malformed(self.whole.start)),
        }
    }

    /// The string of a field that must hold one.
    pub(crate) fn text<'a>(&self, file: &'a [u8]) -> Result<&'a str, Malformed> {
        let span = self.bytes()?;
        std::str::from_utf8(&file[span]).map_err(|_| Malformed(self.whole.start))
    }

    /// Appends the integers of a repeated field, packed or not.
    pub(crate) fn integers(&self, file: &[u8], into: &mut Vec<i64>) -> Result<(), Malformed> {
        match &self.value {
            Value::Varint(value) => into.push(value.cast_signed()),
            Value::Bytes(span) => {
                let mut at = span.start;
                while at < span.end {
                    into.push(varint(file, &mut at, span.end)?.cast_signed());
                }
            }
            _ => return Err(Malformed(self.whole.start)),
        }
        Ok(())
    }
}

/// Iterates over the fields of the message in `span`. Ends after the first error.
pub(crate) struct Fields<'a> {
    file: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(file: &'a [u8], span: &Span) -> Self {
        Self {
            file,
            at: span.start,
            end: span.end.min(file.len()),
        }
    }

    fn read(&mut self) -> Result<Field, Malformed> {
        let start = self.at;
        let tag = varint(self.file, &mut self.at, self.end)?;
        let value = match tag & 7 {
            0 => Value::Varint(varint(self.file, &mut self.at, self.end)?),
            1 => {
                self.skip(8)?;
                Value::Fixed64
            }
            2 => {
                let length = varint(self.file, &mut self.at, self.end)?;
                Value::Bytes(self.skip(usize::try_from(length).map_err(|_| Malformed(start))?)?)
            }
            5 => {
                let span = self.skip(4)?;
                let bytes = self.file[span].first_chunk().ok_or(Malformed(start))?;
                Value::Fixed32(*bytes)
            }
            // Groups, which ONNX does not use, and undefined wire types.
            _ => return Err(Malformed(start)),
        };
        if tag >> 3 == 0 {
            return Err(Malformed(start));
        }
        Ok(Field {
            number: tag >> 3,
            value,
            whole: start..self.at,
        })
    }

    fn skip(&mut self, n: usize) -> Result<Span, Malformed> {
        let end = self.at.checked_add(n).filter(|end| *end <= self.end);
        let span = self.at..end.ok_or(Malformed(self.at))?;
        self.at = span.end;
        Ok(span)
    }
}

impl Iterator for Fields<'_> {
    type Item = Result<Field, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.at = self.end;
        }
        Some(field)
    }
}

fn varint(file: &[u8], at: &mut usize, end: usize) -> Result<u64, Malformed> {
    let start = *at;
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *file
            .get(*at)
            .filter(|_| *at < end)
            .ok_or(Malformed(start))?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed(start))
}

/// A small message under construction, in memory.
#[derive(Debug, Default, Clone)]
pub(crate) struct Message(pub(crate) Vec<u8>);

impl Message {
    fn push_varint(&mut self, mut value: u64) {
        loop {
            let [low, ..] = value.to_le_bytes();
            value >>= 7;
            if value == 0 {
                self.0.push(low & 0x7f);
                return;
            }
            self.0.push(low | 0x80);
        }
    }

    pub(crate) fn integer(mut self, field: u64, value: i64) -> Self {
        self.push_varint(field << 3);
        self.push_varint(value.cast_unsigned());
        self
    }

    pub(crate) fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.header(field, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub(crate) fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    /// The tag and length before the `length` bytes of a field.
    fn header(&mut self, field: u64, length: u64) {
        self.push_varint(field << 3 | 2);
        self.push_varint(length);
    }
}

/// A piece of the file to be written.
#[derive(Debug, Clone)]
pub(crate) enum Piece<P> {
    /// Copied from the source.
    Copy(Span),
    Bytes(Vec<u8>),
    /// Computed when it is written; only its length is known before.
    Later(P),
}

/// A message to be written: its pieces and their total length.
#[derive(Debug, Clone)]
pub(crate) struct Rope<P> {
    pub(crate) pieces: Vec<Piece<P>>,
    pub(crate) len: u64,
}

impl<P> Default for Rope<P> {
    fn default() -> Self {
        Self {
            pieces: Vec::new(),
            len: 0,
        }
    }
}

impl<P> Rope<P> {
    pub(crate) fn copy(&mut self, span: &Span) {
        self.len += span.len() as u64;
        match self.pieces.last_mut() {
            Some(Piece::Copy(last)) if last.end == span.start => last.end = span.end,
            _ => self.pieces.push(Piece::Copy(span.clone())),
        }
    }

    pub(crate) fn message(&mut self, message: Message) {
        self.len += message.0.len() as u64;
        match self.pieces.last_mut() {
            Some(Piece::Bytes(last)) => last.extend_from_slice(&message.0),
            _ => self.pieces.push(Piece::Bytes(message.0)),
        }
    }

    /// A field whose `length` bytes are computed later.
    pub(crate) fn later(&mut self, field: u64, piece: P, length: u64) {
        let mut header = Message::default();
        header.header(field, length);
        self.message(header);
        self.len += length;
        self.pieces.push(Piece::Later(piece));
    }

    /// A field that holds another message.
    pub(crate) fn nested(&mut self, field: u64, inner: Self) {
        let mut header = Message::default();
        header.header(field, inner.len);
        self.message(header);
        self.len += inner.len;
        self.pieces.extend(inner.pieces);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_back_as_written() {
        let inner = Message::default().integer(1, -1).text(2, "é");
        let message = Message::default()
            .integer(8, 300)
            .message(7, &inner)
            .bytes(200, &[]);
        let file = message.0;
        let fields: Vec<_> = Fields::new(&file, &(0..file.len()))
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(fields.len(), 3);
        assert_eq!((fields[0].number, fields[0].integer()), (8, Ok(300)));
        let inner: Vec<_> = Fields::new(&file, &fields[1].bytes().unwrap())
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(inner[0].integer(), Ok(-1));
        assert_eq!(inner[1].text(&file), Ok("é"));
        assert_eq!(
            (fields[2].number, fields[2].bytes()),
            (200, Ok(file.len()..file.len()))
        );
        let spans: usize = fields.iter().map(|field| field.whole.len()).sum();
        assert_eq!(spans, file.len());
    }

    #[test]
    fn a_truncated_message_is_malformed() {
        let file = Message::default().integer(1, 1).bytes(2, &[7; 9]).0;
        for end in [3, 4, 5, file.len() - 1] {
            let last = Fields::new(&file[..end], &(0..end)).last().unwrap();
            assert!(last.is_err(), "{end}");
        }
        // A group, field number 0, a varint of eleven bytes.
        for bytes in [&[0x0b_u8][..], &[0x00, 0x01], &[0xff; 11]] {
            let first = Fields::new(bytes, &(0..bytes.len())).next();
            assert_eq!(first.map(|field| field.is_err()), Some(true));
        }
    }
}
