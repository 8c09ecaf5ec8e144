//! The bytes of a file for `zune-jpeg`, until the deadline.
//!
//! That decoder has no time limit, and a few bytes can make it process a picture of a hundred
//! million pixels once more. So after the deadline it sees the end of the file.

use zune_core::bytestream::{ZByteIoError, ZByteReaderTrait, ZSeekFrom};

use crate::limits::Deadline;

/// Calls between two checks of the clock. A scan makes dozens, so that at most a few passes over
/// the picture lie between two checks.
const CALLS_PER_CHECK: u32 = 64;

/// Single bytes read between two checks: a row of pixels takes thousands of them.
const BYTES_PER_CHECK: usize = 1 << 14;

pub(super) struct TimedBytes<'a> {
    bytes: &'a [u8],
    at: usize,
    deadline: Deadline,
    n_calls: u32,
    /// The position at which reading single bytes checks the clock again.
    next_check: usize,
}

impl<'a> TimedBytes<'a> {
    pub(super) fn new(bytes: &'a [u8], deadline: Deadline) -> Self {
        Self {
            bytes,
            at: 0,
            deadline,
            n_calls: 0,
            next_check: BYTES_PER_CHECK,
        }
    }

    fn check(&mut self) {
        if self.deadline.has_passed() {
            self.bytes = &[];
        }
    }

    fn call(&mut self) {
        self.n_calls += 1;
        if self.n_calls.is_multiple_of(CALLS_PER_CHECK) {
            self.check();
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

impl ZByteReaderTrait for TimedBytes<'_> {
    #[inline]
    fn read_byte_no_error(&mut self) -> u8 {
        if self.at >= self.next_check {
            self.next_check = self.at + BYTES_PER_CHECK;
            self.check();
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

    use super::*;
    use crate::DecodeLimits;

    #[test]
    fn bytes_are_read_in_order_until_the_deadline() {
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

        let expired = DecodeLimits::default()
            .with_max_time(Duration::ZERO)
            .deadline();
        let mut reader = TimedBytes::new(&bytes, expired);
        let n_read = (0..bytes.len())
            .filter(|&n| reader.read_byte_no_error() == bytes[n] && bytes[n] > 0)
            .count();
        assert!(n_read <= BYTES_PER_CHECK, "{n_read}");
        let mut reader = TimedBytes::new(&bytes, expired);
        let n_read = (0..bytes.len())
            .filter(|_| reader.read_exact_bytes(&mut [0]).is_ok())
            .count();
        assert!(n_read < CALLS_PER_CHECK as usize, "{n_read}");
    }
}
