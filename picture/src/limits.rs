//! How much may one picture cost?

use std::io::{BufRead, Cursor, Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::time::{Duration, Instant};

use super::DecodeError;

/// How much one picture may cost. Sizes are checked against the header, before memory is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeLimits {
    /// The most pixels. The default is 268,435,456 (2^28), more than any camera makes, so that a
    /// decoded picture takes at most 768 MiB.
    pub max_pixels: u64,
    /// The most bytes of memory for decoding, by [`memory_needed`](super::memory_needed). The
    /// default is 1 GiB.
    pub max_bytes: u64,
    /// The longest time for decoding. The default is 10 seconds.
    ///
    /// Decoders are asked to stop, not stopped: the clock is looked at while a file is read, and
    /// between the tiles or groups of HEIC, AVIF and JPEG XL. A lossy WebP, one tile of an AVIF and
    /// an SVG have no such places; there the number of pixels bounds the time.
    pub max_time: Duration,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            max_pixels: 1 << 28,
            max_bytes: 1 << 30,
            max_time: Duration::from_secs(10),
        }
    }
}

impl DecodeLimits {
    /// The same limits with this many pixels.
    #[must_use]
    pub fn with_max_pixels(mut self, max_pixels: u64) -> Self {
        self.max_pixels = max_pixels;
        self
    }

    /// The same limits with this many bytes.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// The same limits with this much time.
    #[must_use]
    pub fn with_max_time(mut self, max_time: Duration) -> Self {
        self.max_time = max_time;
        self
    }

    /// Refuses a picture of this size that takes this much memory.
    pub(super) fn check(
        &self,
        width: u32,
        height: u32,
        n_bytes: u64,
    ) -> std::result::Result<(), DecodeError> {
        if u64::from(width) * u64::from(height) > self.max_pixels {
            return Err(DecodeError::TooLarge {
                width,
                height,
                max_pixels: self.max_pixels,
            });
        }
        if n_bytes > self.max_bytes {
            return Err(DecodeError::TooManyBytes {
                width,
                height,
                n_bytes,
                max_bytes: self.max_bytes,
            });
        }
        Ok(())
    }

    /// Starts the clock.
    pub(super) fn deadline(&self) -> Deadline {
        Deadline {
            end: Instant::now().checked_add(self.max_time),
            max_time: self.max_time,
        }
    }
}

/// The moment at which a picture has taken too long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    end: Option<Instant>,
    max_time: Duration,
}

impl Deadline {
    /// `None`: so far away that no clock reaches it.
    pub(super) fn end(&self) -> Option<Instant> {
        self.end
    }

    pub(super) fn has_passed(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }

    pub(super) fn check(&self) -> std::result::Result<(), DecodeError> {
        if self.has_passed() {
            return Err(DecodeError::TooSlow {
                max_time: self.max_time,
            });
        }
        Ok(())
    }

    /// An error that comes after the deadline is the deadline's: decoders tell what a reader that
    /// refused to go on made of them.
    pub(super) fn explain(&self, error: DecodeError) -> DecodeError {
        self.check().err().unwrap_or(error)
    }
}

/// A file's bytes that are no longer given out once the time is over.
#[derive(Debug)]
pub(super) struct TimedReader<'a> {
    bytes: Cursor<&'a [u8]>,
    deadline: Deadline,
    /// What may still be read before the clock is looked at: looking takes as long as reading
    /// some hundred bytes.
    credit: usize,
}

/// Bytes given out between two looks at the clock, and at once.
const N_PER_LOOK: usize = 1 << 16;

impl<'a> TimedReader<'a> {
    pub(super) fn new(bytes: &'a [u8], deadline: Deadline) -> Self {
        Self {
            bytes: Cursor::new(bytes),
            deadline,
            credit: 0,
        }
    }

    fn spend(&mut self, n_bytes: usize) -> Result<()> {
        // Every call counts for a little, so that reading nothing for ever ends too.
        let cost = n_bytes + 16;
        if self.credit < cost {
            if self.deadline.has_passed() {
                return Err(Error::new(ErrorKind::TimedOut, "decoding takes too long"));
            }
            self.credit = N_PER_LOOK.max(cost);
        }
        self.credit -= cost;
        Ok(())
    }
}

impl Read for TimedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let n = buffer.len().min(N_PER_LOOK);
        self.spend(n)?;
        self.bytes.read(&mut buffer[..n])
    }
}

impl BufRead for TimedReader<'_> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        self.spend(0)?;
        let rest = self.bytes.fill_buf()?;
        Ok(&rest[..rest.len().min(N_PER_LOOK)])
    }

    fn consume(&mut self, n_bytes: usize) {
        self.credit = self.credit.saturating_sub(n_bytes);
        self.bytes.consume(n_bytes);
    }
}

impl Seek for TimedReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.spend(0)?;
        self.bytes.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_gives_all_its_bytes_in_time_and_none_afterwards() {
        let bytes: Vec<u8> = (0..=255u8).cycle().take(300_000).collect();
        let mut read = Vec::new();
        let ample = DecodeLimits::default().deadline();
        TimedReader::new(&bytes, ample)
            .read_to_end(&mut read)
            .unwrap();
        assert!(read == bytes);
        let mut n_chunks = 0;
        let mut reader = TimedReader::new(&bytes, ample);
        while let n @ 1.. = reader.fill_buf().unwrap().len() {
            reader.consume(n);
            n_chunks += 1;
        }
        assert_eq!(n_chunks, 300_000usize.div_ceil(N_PER_LOOK));

        let over = DecodeLimits::default()
            .with_max_time(Duration::ZERO)
            .deadline();
        let mut reader = TimedReader::new(&bytes, over);
        assert_eq!(
            reader.read(&mut [0; 9]).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
        assert_eq!(reader.fill_buf().unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(
            reader.seek(SeekFrom::Start(0)).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
        // A limit that no clock reaches is none.
        let never = DecodeLimits::default()
            .with_max_time(Duration::MAX)
            .deadline();
        assert!(!never.has_passed());
    }
}
