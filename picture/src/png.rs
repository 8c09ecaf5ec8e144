//! What PNG files need beside a decoder: a closing chunk where there is none, and a name for the
//! variant that nobody else reads.

use super::DecodeError;
use super::limits::{Deadline, TimedReader};

/// Bytes before the first chunk.
const SIGNATURE_BYTES: usize = 8;

/// Bytes of a chunk beside its content: length and type before, a checksum behind.
const HEAD_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 4;

/// The chunk that ends a file.
const END: [u8; 12] = *b"\0\0\0\0IEND\xae\x42\x60\x82";

/// How a file ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With the chunk that ends it, or in a way that nothing can be said about.
    Regular,
    /// Without that chunk, but the chunks of pixels are whole up to this offset. Of the last one's
    /// checksum these bytes are missing.
    Open { at: usize, missing: Vec<u8> },
    /// Within a chunk of pixels.
    Cut,
}

/// Reads a PNG. Where only the end is missing, it is added.
///
/// # Errors
/// [`DecodeError::Unsupported`] for a file that Apple's tools made for iOS.
pub(super) fn reader(bytes: &[u8], deadline: Deadline) -> Result<TimedReader<'_>, DecodeError> {
    // The pixels are stored with red and blue exchanged, premultiplied, and compressed without the
    // header that every other PNG has.
    if bytes.get(12..16) == Some(b"CgBI") {
        return Err(DecodeError::unsupported(
            "PNG as Apple's tools pack it for iOS (CgBI); unpack it with `pngcrush \
             -revert-iphone-optimizations`",
        ));
    }
    Ok(match ending(bytes) {
        Ending::Open { at, mut missing } => {
            missing.extend(END);
            TimedReader::new(bytes.get(..at).unwrap_or_default(), deadline).with_end(missing)
        }
        Ending::Regular | Ending::Cut => TimedReader::new(bytes, deadline),
    })
}

/// Walks over the chunks to the end of the file.
pub(super) fn ending(bytes: &[u8]) -> Ending {
    let mut at = SIGNATURE_BYTES;
    let mut has_pixels = false;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let open = if has_pixels {
            let missing = Vec::new();
            Ending::Open { at, missing }
        } else {
            Ending::Regular
        };
        let Some((&[l0, l1, l2, l3, kind @ ..], tail)) = rest.split_first_chunk::<HEAD_BYTES>()
        else {
            return open;
        };
        match &kind {
            b"IEND" => return Ending::Regular,
            b"IDAT" => has_pixels = true,
            // Zeros or a trailer instead of a chunk.
            _ if !kind.iter().all(u8::is_ascii_alphabetic) => return open,
            _ => {}
        }
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let Some((content, checksum)) = tail.split_at_checked(length) else {
            return match &kind {
                b"IDAT" => Ending::Cut,
                _ => open,
            };
        };
        if checksum.len() < CHECKSUM_BYTES {
            if kind != *b"IDAT" {
                return open;
            }
            let mut crc = flate2::Crc::new();
            crc.update(&kind);
            crc.update(content);
            return Ending::Open {
                at: bytes.len(),
                missing: crc.sum().to_be_bytes()[checksum.len()..].to_vec(),
            };
        }
        at += HEAD_BYTES + length + CHECKSUM_BYTES;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        let mut crc = flate2::Crc::new();
        crc.update(&kind);
        crc.update(content);
        [&length[..], &kind, content, &crc.sum().to_be_bytes()].concat()
    }

    #[test]
    fn a_file_is_open_after_its_last_whole_chunk_of_pixels() {
        let head = [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(*b"IHDR", &[0; 13])].concat();
        let pixels = chunk(*b"IDAT", b"pixels");
        let whole = [&head[..], &pixels, &chunk(*b"tEXt", b"a")].concat();
        let open = |at, missing: &[u8]| Ending::Open {
            at,
            missing: missing.to_vec(),
        };
        let after_pixels = head.len() + pixels.len();
        let checksum = &pixels[pixels.len() - 4..];
        let with = |tail: &[u8]| [&whole[..], tail].concat();
        let rows = [
            (with(&END), Ending::Regular),
            (whole.clone(), open(whole.len(), b"")),
            (with(&END[..11]), Ending::Regular),
            (with(&END[..7]), open(whole.len(), b"")),
            (with(&[0; 100]), open(whole.len(), b"")),
            (whole[..whole.len() - 1].to_vec(), open(after_pixels, b"")),
            (whole[..after_pixels].to_vec(), open(after_pixels, b"")),
            (
                whole[..after_pixels - 1].to_vec(),
                open(after_pixels - 1, &checksum[3..]),
            ),
            (
                whole[..after_pixels - 4].to_vec(),
                open(after_pixels - 4, checksum),
            ),
            (whole[..after_pixels - 5].to_vec(), Ending::Cut),
            (head.clone(), Ending::Regular),
            (Vec::new(), Ending::Regular),
        ];
        assert_eq!(rows.len(), 12);
        for (n, (bytes, expected)) in rows.into_iter().enumerate() {
            assert_eq!(ending(&bytes), expected, "{n}");
        }
    }
}
