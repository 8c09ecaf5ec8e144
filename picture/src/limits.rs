//! Bounds on what one picture may cost: pixels, memory and time. A panic of a decoder costs that
//! picture too, not the whole run.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{BufRead, Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::DecodeError;

/// Bounds on decoding one picture. Sizes are checked against the header, before memory is
/// allocated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeLimits {
    /// Maximum number of pixels. The default is 268,435,456 (2^28), more than any camera makes, so
    /// that a decoded picture takes at most 768 MiB.
    pub max_pixels: u64,
    /// Maximum memory for decoding in bytes, as estimated by
    /// [`memory_needed`](super::memory_needed). The default is 1 GiB.
    pub max_bytes: u64,
    /// Maximum time for decoding. The default is 10 seconds.
    ///
    /// Decoding is cooperative: the clock is checked while a file is read, and between the tiles or
    /// groups of HEIC, AVIF and JPEG XL. A lossy WebP, one tile of an AVIF and an SVG cannot be
    /// interrupted; for these the number of pixels bounds the time.
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
    /// Sets the maximum number of pixels.
    #[must_use]
    pub fn with_max_pixels(mut self, max_pixels: u64) -> Self {
        self.max_pixels = max_pixels;
        self
    }

    /// Sets the maximum memory in bytes.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Sets the maximum time.
    #[must_use]
    pub fn with_max_time(mut self, max_time: Duration) -> Self {
        self.max_time = max_time;
        self
    }

    /// Checks a picture's size in pixels and the bytes that decoding it takes.
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

    /// The deadline of a picture whose decoding starts now.
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
    /// `None` when it is too far in the future to be represented.
    end: Option<Instant>,
    max_time: Duration,
}

impl Deadline {
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

    /// Replaces a broken file after the deadline by [`DecodeError::TooSlow`]: decoders report a
    /// reader that stopped as that.
    pub(super) fn explain(&self, error: DecodeError) -> DecodeError {
        match error {
            DecodeError::Truncated | DecodeError::Corrupt { .. } => {
                self.check().err().unwrap_or(error)
            }
            error => error,
        }
    }
}

/// Reads a file's bytes; fails once the deadline has passed.
///
/// The start and the end of a file can be replaced without a copy of what is between them.
#[derive(Debug)]
pub(super) struct TimedReader<'a> {
    /// Read one after the other.
    parts: [Cow<'a, [u8]>; 3],
    /// Position in all parts together.
    at: usize,
    deadline: Deadline,
    /// What may be spent before the clock is checked again: a check takes as long as reading a few
    /// hundred bytes.
    credit: usize,
}

/// Bytes between two checks of the clock, and the most that are returned at once.
const CHECK_INTERVAL: usize = 1 << 16;

/// What a read costs beside its bytes, so that a loop of empty reads ends too.
const READ_COST: usize = 16;

/// What any other call costs. A scan of a JPEG may process every pixel of the picture for a few
/// dozen of them, so at most 64 lie between two checks.
const CALL_COST: usize = CHECK_INTERVAL / 64;

impl<'a> TimedReader<'a> {
    pub(super) fn new(bytes: &'a [u8], deadline: Deadline) -> Self {
        Self {
            parts: [Cow::default(), Cow::Borrowed(bytes), Cow::default()],
            at: 0,
            deadline,
            credit: 0,
        }
    }

    /// Reads `start` instead of the first bytes, as many as it has.
    pub(super) fn with_start(mut self, start: Vec<u8>) -> Self {
        let [first, Cow::Borrowed(bytes), _] = &mut self.parts else {
            return self;
        };
        *bytes = bytes.get(start.len()..).unwrap_or_default();
        *first = Cow::Owned(start);
        self
    }

    /// Reads `end` after all bytes.
    pub(super) fn with_end(mut self, end: Vec<u8>) -> Self {
        self.parts[2] = Cow::Owned(end);
        self
    }

    /// The bytes from the position to the end of the part that it is in; empty at the end.
    fn rest(&self) -> &[u8] {
        let mut at = self.at;
        for part in &self.parts {
            match part.get(at..) {
                Some(rest) if !rest.is_empty() => return rest,
                _ => at = at.saturating_sub(part.len()),
            }
        }
        &[]
    }

    fn spend(&mut self, cost: usize) -> Result<()> {
        if self.credit < cost {
            if self.deadline.has_passed() {
                return Err(Error::new(ErrorKind::TimedOut, "decoding took too long"));
            }
            self.credit = CHECK_INTERVAL.max(cost);
        }
        self.credit -= cost;
        Ok(())
    }
}

impl Read for TimedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let n = buffer.len().min(CHECK_INTERVAL);
        self.spend(n + READ_COST)?;
        let n = self.rest().read(&mut buffer[..n])?;
        self.at += n;
        Ok(n)
    }
}

impl BufRead for TimedReader<'_> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        self.spend(CALL_COST)?;
        let rest = self.rest();
        Ok(&rest[..rest.len().min(CHECK_INTERVAL)])
    }

    fn consume(&mut self, n_bytes: usize) {
        self.credit = self.credit.saturating_sub(n_bytes);
        self.at = self.at.saturating_add(n_bytes);
    }
}

impl Seek for TimedReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.spend(CALL_COST)?;
        let n_bytes: usize = self.parts.iter().map(|part| part.len()).sum();
        let (start, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(by) => (self.at as u64, by),
            SeekFrom::End(by) => (n_bytes as u64, by),
        };
        let at = start.checked_add_signed(by);
        let at = at.and_then(|at| usize::try_from(at).ok());
        self.at = at.ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
        Ok(self.at as u64)
    }
}

thread_local! {
    static GUARD_DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Whether a panic of this thread would be caught by this package and become the error of one
/// picture. A panic hook can use it to stay silent about such panics.
#[must_use]
pub fn panics_are_caught() -> bool {
    GUARD_DEPTH.try_with(Cell::get).is_ok_and(|depth| depth > 0)
}

/// Runs `work` and catches panics; `None` when it panicked. Decoders are large and their input
/// comes from anywhere. `work` must share nothing mutable with its surroundings.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    struct Guard;
    impl Guard {
        fn step(by: i32) {
            let _ = GUARD_DEPTH.try_with(|depth| depth.set(depth.get().saturating_add_signed(by)));
        }
    }
    impl Drop for Guard {
        fn drop(&mut self) {
            Self::step(-1);
        }
    }
    Guard::step(1);
    let _guard = Guard;
    catch_unwind(AssertUnwindSafe(work)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timed_reader_returns_everything_before_the_deadline_and_nothing_after() {
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
        assert_eq!(n_chunks, 300_000usize.div_ceil(CHECK_INTERVAL));

        let expired = DecodeLimits::default()
            .with_max_time(Duration::ZERO)
            .deadline();
        let mut reader = TimedReader::new(&bytes, expired);
        assert_eq!(
            reader.read(&mut [0; 9]).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
        assert_eq!(reader.fill_buf().unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(
            reader.seek(SeekFrom::Start(0)).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
        // A limit that passes between two calls is noticed within a few of them, between two reads
        // within a few thousand bytes.
        let short = DecodeLimits::default()
            .with_max_time(Duration::from_millis(20))
            .deadline();
        let mut readers = [(); 2].map(|()| TimedReader::new(&bytes, short));
        for reader in &mut readers {
            let _ = reader.read(&mut [0]);
        }
        std::thread::sleep(Duration::from_millis(20));
        let [mut reader, mut seeker] = readers;
        let n_read = (0..bytes.len())
            .take_while(|_| reader.read(&mut [0]).is_ok())
            .count();
        assert!(n_read < 4096, "{n_read}");
        let n_sought = (0..bytes.len())
            .take_while(|_| seeker.seek(SeekFrom::Start(0)).is_ok())
            .count();
        assert!(n_sought < 64, "{n_sought}");
        // A limit beyond the clock's range never expires.
        let never = DecodeLimits::default()
            .with_max_time(Duration::MAX)
            .deadline();
        assert!(!never.has_passed());
    }

    #[test]
    fn caught_panics_are_distinguished_from_others() {
        assert!(!panics_are_caught());
        let inside = guarded(|| {
            assert_eq!(guarded(|| panic!("for the test") as u8), None);
            panics_are_caught()
        });
        assert_eq!(inside, Some(true));
        assert!(!panics_are_caught());
    }
}
