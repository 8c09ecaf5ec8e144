//! A file's bytes for the general decoder, until time is up.
//!
//! The decoder takes no limit on its time, and a handful of bytes can make it go over a picture of
//! a hundred million pixels once more. So when time is up, it sees the end of the file.

use zune_core::bytestream::{ZByteIoError, ZByteReaderTrait, ZSeekFrom};

use super::super::limits::Deadline;

/// Calls between two looks at the clock. A scan makes dozens, so that between two looks it goes
/// over the picture once or a few times at most.
const N_PER_LOOK: u32 = 64;

/// Bytes read one by one, which is done thousands of times for a row of pixels, count less.
const N_BYTES_PER_LOOK: usize = 1 << 14;

pub(super) struct TimedBytes<'a> {
    bytes: &'a [u8],
    at: usize,
    deadline: Deadline,
    n_calls: u32,
    /// The place at which single bytes look at the clock again.
    next_look: usize,
}

impl<'a> TimedBytes<'a> {
    pub(super) fn new(bytes: &'a [u8], deadline: Deadline) -> Self {
        Self {
            bytes,
            at: 0,
            deadline,
            n_calls: 0,
            next_look: N_BYTES_PER_LOOK,
        }
    }

    fn look(&mut self) {
        if self.deadline.has_passed() {
            self.bytes = &[];
        }
    }

    fn call(&mut self) {
        self.n_calls += 1;
        if self.n_calls.is_multiple_of(N_PER_LOOK) {
            self.look();
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

impl ZByteReaderTrait for TimedBytes<'_> {
    #[inline]
    fn read_byte_no_error(&mut self) -> u8 {
        if self.at >= self.next_look {
            self.next_look = self.at + N_BYTES_PER_LOOK;
            self.look();
        }
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte
    }

    fn read_exact_bytes(&mut self, buffer: &mut [u8]) -> Result<(), ZByteIoError> {
        self.peek_exact_bytes(buffer)?;
        self.at += buffer.len();
        Ok(())
    }

    fn read_bytes(&mut self, buffer: &mut [u8]) -> Result<usize, ZByteIoError> {
        let n = self.peek_bytes(buffer)?;
        self.at += n;
        Ok(n)
    }

    fn peek_bytes(&mut self, buffer: &mut [u8]) -> Result<usize, ZByteIoError> {
        self.call();
        let rest = self.rest();
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn peek_exact_bytes(&mut self, buffer: &mut [u8]) -> Result<(), ZByteIoError> {
        let n = self.peek_bytes(buffer)?;
        if n < buffer.len() {
            return Err(ZByteIoError::NotEnoughBytes(n, buffer.len()));
        }
        Ok(())
    }

    fn z_seek(&mut self, to: ZSeekFrom) -> Result<u64, ZByteIoError> {
        self.call();
        let at = match to {
            ZSeekFrom::Start(at) => usize::try_from(at).ok(),
            ZSeekFrom::End(by) => moved(self.bytes.len(), by),
            ZSeekFrom::Current(by) => moved(self.at, by),
        };
        self.at = at.ok_or(ZByteIoError::SeekError("before the start"))?;
        Ok(self.at as u64)
    }

    fn is_eof(&mut self) -> Result<bool, ZByteIoError> {
        self.call();
        Ok(self.at >= self.bytes.len())
    }

    fn z_position(&mut self) -> Result<u64, ZByteIoError> {
        Ok(self.at as u64)
    }

    fn read_remaining(&mut self, sink: &mut Vec<u8>) -> Result<usize, ZByteIoError> {
        self.call();
        let rest = self.rest();
        sink.extend(rest);
        self.at = self.at.max(self.bytes.len());
        Ok(rest.len())
    }
}

fn moved(from: usize, by: i64) -> Option<usize> {
    from.checked_add_signed(isize::try_from(by).ok()?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::DecodeLimits;
    use super::*;

    #[test]
    fn bytes_come_in_order_until_time_is_up() {
        let bytes: Vec<u8> = (0..=255u8).cycle().take(100_000).collect();
        let ample = DecodeLimits::default().deadline();
        let mut reader = TimedBytes::new(&bytes, ample);
        assert!(
            bytes
                .iter()
                .all(|&byte| reader.read_byte_no_error() == byte)
        );
        assert!(reader.is_eof().unwrap());
        assert_eq!(reader.read_byte_no_error(), 0);
        let mut four = [0; 4];
        assert!(reader.read_exact_bytes(&mut four).is_err());
        reader.z_seek(ZSeekFrom::Start(258)).unwrap();
        reader.read_exact_bytes(&mut four).unwrap();
        assert_eq!((four, reader.z_position().unwrap()), ([2, 3, 4, 5], 262));
        reader.z_seek(ZSeekFrom::Current(-262)).unwrap();
        assert!(reader.z_seek(ZSeekFrom::Current(-1)).is_err());
        reader.z_seek(ZSeekFrom::End(-2)).unwrap();
        assert_eq!(reader.read_bytes(&mut four).unwrap(), 2);
        reader.z_seek(ZSeekFrom::Start(1)).unwrap();
        let mut rest = Vec::new();
        assert_eq!(reader.read_remaining(&mut rest).unwrap(), 99_999);
        assert!(rest == bytes[1..]);

        let over = DecodeLimits::default()
            .with_max_time(Duration::ZERO)
            .deadline();
        let mut reader = TimedBytes::new(&bytes, over);
        let n_read = (0..bytes.len())
            .filter(|&n| reader.read_byte_no_error() == bytes[n] && bytes[n] > 0)
            .count();
        assert!(n_read <= N_BYTES_PER_LOOK, "{n_read}");
        let mut reader = TimedBytes::new(&bytes, over);
        let n_read = (0..bytes.len())
            .filter(|_| reader.read_exact_bytes(&mut [0]).is_ok())
            .count();
        assert!(n_read < N_PER_LOOK as usize, "{n_read}");
    }
}
