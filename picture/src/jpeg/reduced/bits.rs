//! What are the next bits of a scan?
//!
//! Entropy-coded data is bytes, the highest bit first, in which a byte 0xFF is followed by a zero
//! that does not count; 0xFF and anything else is a marker and ends the data (ITU-T T.81, B.1.1.5
//! and F.1.2.3). The zeros are removed a few thousand bytes ahead, so that the innermost loops read
//! eight bytes at once without a look at any of them.

use super::Stop;

/// Bytes that are kept ready.
const CAPACITY: usize = 16 * 1024;
/// One block takes less: at most 64 codes of 16 bits, each followed by at most 15 bits.
const BLOCK: usize = 64 * 4;
/// Zeros after the last byte, so that a block that begins there can be read to its end and the
/// excess be seen afterwards.
const PADDING: usize = BLOCK + 8;
/// Bytes that are looked at together for a 0xFF.
pub(super) const STRIDE: usize = 32;

/// The bits of one scan, or of one stretch between two restart markers.
pub(super) struct Bits<'a> {
    source: &'a [u8],
    /// The first byte of the source that is not in the buffer yet.
    at: usize,
    /// Whether the source stands at a marker, so that nothing follows what is in the buffer.
    ended: bool,
    buffer: Vec<u8>,
    /// Bytes of the buffer that count.
    end: usize,
    word: u64,
    n_valid: u32,
    position: usize,
}

/// What the innermost loops keep in registers: a view of [`Bits`] for one block.
pub(super) struct Window<'b> {
    buffer: &'b [u8],
    /// The next bits, from the highest down. Those below the `n_valid` that are valid are either
    /// zero or what will be there.
    pub(super) word: u64,
    n_valid: u32,
    position: usize,
}

impl<'a> Bits<'a> {
    /// Reads from byte `at` of `source` on.
    pub(super) fn new(source: &'a [u8], at: usize) -> Self {
        Self {
            source,
            at,
            ended: false,
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
    /// When more was read than there was.
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

    /// Goes on after what was read through a view.
    #[inline]
    pub(super) fn resume(&mut self, (word, n_valid, position): (u64, u32, usize)) {
        self.word = word;
        self.n_valid = n_valid;
        self.position = position;
    }

    /// Bits in the buffer that were not read; negative when too many were.
    fn n_left(&self) -> i64 {
        let bits_of = |n_bytes: usize| i64::try_from(n_bytes).unwrap_or(i64::MAX / 16) * 8;
        bits_of(self.end) - bits_of(self.position) + i64::from(self.n_valid)
    }

    #[cold]
    #[inline(never)]
    fn fill(&mut self) -> Result<(), Stop> {
        if self.n_left() < 0 {
            return Err(Stop::Surprise("a scan ends early"));
        }
        if self.ended {
            return Ok(());
        }
        // Of the bytes whose bits are partly taken none is needed again but the one at `position`,
        // whose upper bits may be in `word` already.
        let kept = self.end.saturating_sub(self.position);
        self.buffer.copy_within(self.end - kept..self.end, 0);
        self.position -= self.end - kept;
        self.end = kept;
        self.unstuff()?;
        let padding = self.end..(self.end + PADDING).min(self.buffer.len());
        self.buffer[padding].fill(0);
        Ok(())
    }

    /// Moves bytes from the source until the buffer is full or a marker comes.
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
                Some([] | [0xFF]) | None => return Err(Stop::Surprise("a scan has no end")),
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Ends the scan: the place of the marker that follows.
    ///
    /// # Errors
    /// When bits were missing, or bytes are left over.
    pub(super) fn finish(&mut self) -> Result<usize, Stop> {
        if self.position + BLOCK > self.end {
            self.fill()?;
        }
        // The last byte is filled up with bits that mean nothing.
        if self.ended && (0..8).contains(&self.n_left()) {
            Ok(self.at)
        } else {
            Err(Stop::Surprise("a scan does not end where it should"))
        }
    }

    /// Steps over the restart marker with this number, 0 to 7.
    ///
    /// # Errors
    /// When another thing stands there.
    pub(super) fn restart(&mut self, number: u8) -> Result<(), Stop> {
        let at = self.finish()?;
        if self.source.get(at + 1) != Some(&(0xD0 + number)) {
            return Err(Stop::Surprise("a restart marker is missing"));
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

/// Whether there is a 0xFF. All bytes are compared, which the compiler does at once.
#[inline(always)]
pub(super) fn holds_marker(chunk: &[u8; STRIDE]) -> bool {
    chunk
        .iter()
        .fold(0, |found, &byte| found | u8::from(byte == 0xFF))
        != 0
}

impl Window<'_> {
    /// Makes at least 56 bits valid, or zeros after the end.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        let next = self.buffer.get(self.position..);
        let bytes = next.and_then(|rest| rest.first_chunk());
        self.word |= bytes.map_or(0, |&bytes| u64::from_be_bytes(bytes)) >> self.n_valid;
        self.position += ((63 - self.n_valid) >> 3) as usize;
        self.n_valid |= 0x38;
    }

    /// The next `n` bits, 1 to 32, as a number.
    #[inline(always)]
    pub(super) fn peek(&self, n: u32) -> usize {
        (self.word >> (64 - n)) as usize
    }

    /// Takes `n` bits, at most those that are valid.
    #[inline(always)]
    pub(super) fn consume(&mut self, n: u32) {
        self.word <<= n;
        self.n_valid -= n;
    }

    /// The next `n` bits, 0 to 15, and takes them.
    #[inline(always)]
    pub(super) fn take(&mut self, n: u32) -> u32 {
        // Two shifts, since one by 64 is none.
        let value = (self.word >> 1 >> (63 - n)) as u32;
        self.consume(n);
        value
    }

    /// Takes one bit.
    #[inline(always)]
    pub(super) fn flag(&mut self) -> bool {
        self.take(1) == 1
    }

    /// The state to go on from.
    #[inline(always)]
    pub(super) fn state(&self) -> (u64, u32, usize) {
        (self.word, self.n_valid, self.position)
    }
}
