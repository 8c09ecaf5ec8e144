//! Reads the bits of a scan.
//!
//! Entropy-coded data is read from the highest bit of each byte. A byte 0xFF is followed by a
//! stuffed zero; 0xFF and anything else is a marker and ends the data (ITU-T T.81, B.1.1.5 and
//! F.1.2.3). The zeros are removed a few thousand bytes ahead, so that the innermost loops read
//! eight bytes at once without checking them.

use crate::limits::Deadline;

/// Bytes kept ready in the buffer.
const CAPACITY: usize = 16 * 1024;
/// Maximum size of one block in bytes: 64 codes of 16 bits, each followed by at most 15 bits.
const BLOCK: usize = 64 * 4;
/// Zeros after the last byte, so that a block that begins there can be read to its end and the
/// excess be detected afterwards.
const PADDING: usize = BLOCK + 8;
/// Bytes that are searched for 0xFF at once.
pub(super) const STRIDE: usize = 32;

/// Why decoding stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The file is corrupt, or of a kind that is left to the general decoder.
    Unexpected(&'static str),
    /// The data of a scan, or between two restart markers, end before the last unit.
    Early,
    /// Decoding would take too much memory.
    Memory,
    /// The deadline has passed.
    Late,
}

/// Stops after the deadline.
pub(super) fn check(deadline: Deadline) -> Result<(), Stop> {
    if deadline.has_passed() {
        return Err(Stop::Late);
    }
    Ok(())
}

/// The bits of one scan, or between two restart markers of one.
pub(super) struct Bits<'a> {
    source: &'a [u8],
    /// Position of the first source byte that is not in the buffer yet.
    at: usize,
    /// Whether the source is at a marker, so that nothing follows the buffer's content.
    ended: bool,
    /// Whether the source may end without a marker.
    is_open: bool,
    buffer: Vec<u8>,
    /// Number of valid bytes in the buffer.
    end: usize,
    word: u64,
    n_valid: u32,
    position: usize,
}

/// A view of [`Bits`] for one block, which the innermost loops keep in registers.
pub(super) struct Window<'b> {
    buffer: &'b [u8],
    /// The next bits, from the highest down. Those below the `n_valid` highest are either zero or
    /// the bits that will follow.
    pub(super) word: u64,
    n_valid: u32,
    position: usize,
}

impl<'a> Bits<'a> {
    /// Reads from byte `at` of `source`, which may end without a marker if it `is_open`.
    pub(super) fn new(source: &'a [u8], at: usize, is_open: bool) -> Self {
        Self {
            source,
            at,
            ended: false,
            is_open,
            buffer: vec![0; CAPACITY + PADDING],
            end: 0,
            word: 0,
            n_valid: 0,
            position: 0,
        }
    }

    /// A view that holds at least one block.
    ///
    /// # Errors
    /// When more bits were read than there are.
    #[inline]
    pub(super) fn window(&mut self) -> Result<Window<'_>, Stop> {
        if self.position + BLOCK > self.end {
            self.fill()?;
        }
        Ok(Window {
            buffer: &self.buffer,
            word: self.word,
            n_valid: self.n_valid,
            position: self.position,
        })
    }

    /// Continues after what was read through a view.
    #[inline]
    pub(super) fn resume(&mut self, (word, n_valid, position): (u64, u32, usize)) {
        self.word = word;
        self.n_valid = n_valid;
        self.position = position;
    }

    /// Number of unread bits in the buffer; negative when too many were read.
    fn n_left(&self) -> i64 {
        let bits_of = |n_bytes: usize| i64::try_from(n_bytes).unwrap_or(i64::MAX / 16) * 8;
        bits_of(self.end) - bits_of(self.position) + i64::from(self.n_valid)
    }

    #[cold]
    #[inline(never)]
    fn fill(&mut self) -> Result<(), Stop> {
        if self.n_left() < 0 {
            return Err(Stop::Early);
        }
        if self.ended {
            return Ok(());
        }
        // Nothing before `position` is needed again. The upper bits of the byte there may be in
        // `word` already.
        let kept = self.end.saturating_sub(self.position);
        self.buffer.copy_within(self.end - kept..self.end, 0);
        self.position -= self.end - kept;
        self.end = kept;
        self.unstuff()?;
        let padding = self.end..(self.end + PADDING).min(self.buffer.len());
        self.buffer[padding].fill(0);
        Ok(())
    }

    /// Copies bytes from the source until the buffer is full or a marker follows.
    fn unstuff(&mut self) -> Result<(), Stop> {
        while self.end + STRIDE <= CAPACITY {
            let rest = &self.source[self.at.min(self.source.len())..];
            let target = &mut self.buffer[self.end..];
            let n_plain = match rest.first_chunk::<STRIDE>() {
                Some(chunk) if !holds_marker(chunk) => {
                    target[..STRIDE].copy_from_slice(chunk);
                    STRIDE
                }
                _ => {
                    let n = rest.iter().take(STRIDE - 1).take_while(|&&b| b != 0xFF);
                    let n = n.count();
                    target[..n].copy_from_slice(&rest[..n]);
                    n
                }
            };
            self.at += n_plain;
            self.end += n_plain;
            match rest.get(n_plain..) {
                Some([0xFF, 0x00, ..]) => {
                    self.buffer[self.end] = 0xFF;
                    self.end += 1;
                    self.at += 2;
                }
                // 0xFF may be repeated before a marker.
                Some([0xFF, 0xFF, ..]) => self.at += 1,
                Some([0xFF, _, ..]) => {
                    self.ended = true;
                    return Ok(());
                }
                Some([] | [0xFF]) | None if self.is_open => {
                    self.ended = true;
                    return Ok(());
                }
                Some([] | [0xFF]) | None => return Err(Stop::Unexpected("a scan has no end")),
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Ends the scan and returns the position of the marker that follows.
    ///
    /// # Errors
    /// When bits were missing, or bytes are left over.
    pub(super) fn finish(&mut self) -> Result<usize, Stop> {
        if self.position + BLOCK > self.end {
            self.fill()?;
        }
        // The last byte is padded.
        match self.n_left() {
            0..8 if self.ended => Ok(self.at),
            ..0 => Err(Stop::Early),
            _ => Err(Stop::Unexpected("a scan does not end where it should")),
        }
    }

    /// Position of the first byte of which no bit was read, and whether the bits between are ones,
    /// as the standard asks for.
    ///
    /// # Errors
    /// When more bits were read than there are.
    pub(super) fn end(&mut self) -> Result<(usize, bool), Stop> {
        if self.position + BLOCK > self.end {
            self.fill()?;
        }
        let n_left = u32::try_from(self.n_left()).map_err(|_| Stop::Early)?;
        let (n_bytes, n_bits) = (n_left / 8, n_left % 8);
        let mut at = self.at.min(self.source.len());
        for _ in 0..n_bytes {
            let is_stuffed = self.source[..at].ends_with(&[0xFF, 0x00]);
            at = at.saturating_sub(if is_stuffed { 2 } else { 1 });
        }
        // 0xFF may be repeated before a marker.
        while n_bytes == 0 && self.source[..at].ends_with(&[0xFF]) {
            at -= 1;
        }
        let padding = self.word >> 1 >> (63 - n_bits);
        Ok((at, padding + 1 == 1 << n_bits))
    }

    /// Whether at most one block is left before the end of the data, and that end is not a restart
    /// marker.
    pub(super) fn is_near_end(&self) -> bool {
        let restarts = matches!(self.source.get(self.at..), Some([0xFF, 0xD0..=0xD7, ..]));
        self.ended && !restarts && self.n_left() < 8 * BLOCK as i64
    }

    /// Skips the restart marker with this number, 0 to 7.
    ///
    /// # Errors
    /// When anything else is there.
    pub(super) fn restart(&mut self, number: u8) -> Result<(), Stop> {
        let at = self.finish()?;
        match self.source.get(at + 1) {
            Some(&marker) if marker == 0xD0 + number => {}
            Some(0xD0..=0xD7) => return Err(Stop::Unexpected("a restart marker is missing")),
            _ => return Err(Stop::Early),
        }
        self.at = at + 2;
        self.ended = false;
        self.end = 0;
        self.position = 0;
        self.word = 0;
        self.n_valid = 0;
        Ok(())
    }
}

/// Whether there is a 0xFF. Compares all bytes, which the compiler vectorizes.
#[inline(always)]
pub(super) fn holds_marker(chunk: &[u8; STRIDE]) -> bool {
    chunk
        .iter()
        .fold(0, |found, &byte| found | u8::from(byte == 0xFF))
        != 0
}

impl Window<'_> {
    /// Makes at least 56 bits valid, with zeros after the end.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        let next = self.buffer.get(self.position..);
        let bytes = next.and_then(|rest| rest.first_chunk());
        self.word |= bytes.map_or(0, |&bytes| u64::from_be_bytes(bytes)) >> self.n_valid;
        self.position += ((63 - self.n_valid) >> 3) as usize;
        self.n_valid |= 0x38;
    }

    /// The next `n` bits, 1 to 32, without consuming them.
    #[inline(always)]
    pub(super) fn peek(&self, n: u32) -> usize {
        (self.word >> (64 - n)) as usize
    }

    /// Consumes `n` bits, at most the valid ones.
    #[inline(always)]
    pub(super) fn consume(&mut self, n: u32) {
        self.word <<= n;
        self.n_valid -= n;
    }

    /// Reads `n` bits, 0 to 15.
    #[inline(always)]
    pub(super) fn take(&mut self, n: u32) -> u32 {
        // Two shifts, since a shift by 64 is not allowed.
        let value = (self.word >> 1 >> (63 - n)) as u32;
        self.consume(n);
        value
    }

    /// Reads one bit.
    #[inline(always)]
    pub(super) fn flag(&mut self) -> bool {
        self.take(1) == 1
    }

    /// The state to continue from, for [`Bits::resume`].
    #[inline(always)]
    pub(super) fn state(&self) -> (u64, u32, usize) {
        (self.word, self.n_valid, self.position)
    }
}

/// Counts the units of a scan between restart markers.
pub(super) struct Restarts {
    interval: usize,
    n_left: usize,
    number: u8,
}

impl Restarts {
    pub(super) fn new(interval: usize) -> Self {
        Self {
            interval,
            n_left: interval,
            number: 0,
        }
    }

    /// Called before each unit. Skips a marker where one is due, and returns whether it did.
    #[inline(always)]
    pub(super) fn is_due(&mut self, bits: &mut Bits<'_>) -> Result<bool, Stop> {
        if self.interval == 0 {
            return Ok(false);
        }
        if self.n_left > 0 {
            self.n_left -= 1;
            return Ok(false);
        }
        bits.restart(self.number)?;
        self.number = (self.number + 1) & 7;
        self.n_left = self.interval - 1;
        Ok(true)
    }
}
