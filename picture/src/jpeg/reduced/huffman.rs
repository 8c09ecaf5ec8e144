//! Which symbol do the next bits stand for?

use super::Stop;
use super::bits::Window;

/// Codes of up to so many bits are found in one step; longer ones are rare.
const LOOK: u32 = 11;
/// Bits that are looked at together when symbols are skipped.
const SKIP: u32 = 13;

/// A Huffman table as the file gives it (ITU-T T.81, B.2.4.2).
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Specification {
    /// How many codes there are of each length, 1 to 16 bits.
    pub(super) counts: [u8; 16],
    /// Their symbols, shortest codes first.
    pub(super) symbols: Vec<u8>,
}

/// A symbol: how many coefficients are zero before the next one, how many bits that has, and how
/// many bits code and coefficient have together.
#[derive(Clone, Copy)]
pub(super) struct Symbol(u16);

impl Symbol {
    fn new(byte: u8, code_length: u32) -> Self {
        let size = u16::from(byte & 15);
        let length = code_length as u16;
        Self((length + size) | size << 5 | u16::from(byte >> 4) << 9)
    }

    /// Bits of the code and of the coefficient after it, at most 31.
    #[inline(always)]
    pub(super) fn n_bits(self) -> u32 {
        u32::from(self.0 & 31)
    }

    /// Bits of the coefficient: the lower half of the symbol.
    #[inline(always)]
    pub(super) fn size(self) -> u32 {
        u32::from(self.0 >> 5 & 15)
    }

    /// The upper half of the symbol.
    #[inline(always)]
    pub(super) fn run(self) -> usize {
        usize::from(self.0 >> 9)
    }

    /// The coefficient, when code and coefficient are the next bits and are still there.
    #[inline(always)]
    pub(super) fn value(self, bits: u64) -> i32 {
        let size = self.size();
        let after_code = bits << (self.n_bits() - size);
        let value = (after_code >> 1 >> (63 - size)) as i32;
        // The highest bit tells the sign; negative numbers count from the lowest (F.2.2.1).
        let negative = !(after_code as i64 >> 63) as i32;
        value + (negative & (1 - (1 << size)))
    }
}

/// A Huffman table made for decoding.
pub(super) struct Huffman {
    specification: Specification,
    look: Box<[Symbol; 1 << LOOK]>,
    /// For each length: the first 16 bits after all codes up to this length.
    limits: [u32; 17],
    /// For each length: what leads from a code to the place of its symbol.
    offsets: [i32; 17],
}

impl Huffman {
    /// # Errors
    /// When there are more codes of a length than this length has.
    pub(super) fn new(specification: &Specification) -> Result<Self, Stop> {
        let mut huffman = Self {
            specification: specification.clone(),
            look: Box::new([Symbol(0); 1 << LOOK]),
            limits: [0; 17],
            offsets: [0; 17],
        };
        let (mut code, mut n_seen) = (0_u32, 0_usize);
        for length in 1..=16_u32 {
            let count = usize::from(specification.counts[length as usize - 1]);
            huffman.offsets[length as usize] = n_seen as i32 - code as i32;
            for &symbol in specification.symbols.iter().skip(n_seen).take(count) {
                if code >> length != 0 {
                    return Err(Stop::Surprise("a Huffman table has too many codes"));
                }
                if length <= LOOK {
                    let first = (code << (LOOK - length)) as usize;
                    let places = first..first + (1 << (LOOK - length));
                    huffman.look[places].fill(Symbol::new(symbol, length));
                }
                code += 1;
            }
            n_seen += count;
            huffman.limits[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Ok(huffman)
    }

    pub(super) fn is(&self, specification: &Specification) -> bool {
        self.specification == *specification
    }

    /// The next symbol; none of its bits is taken yet. Needs 16 valid bits.
    #[inline(always)]
    pub(super) fn symbol(&self, window: &Window<'_>) -> Result<Symbol, Stop> {
        let symbol = self.look[window.peek(LOOK)];
        if symbol.0 == 0 {
            self.long_symbol(window.peek(16) as u32)
        } else {
            Ok(symbol)
        }
    }

    #[cold]
    #[inline(never)]
    fn long_symbol(&self, bits: u32) -> Result<Symbol, Stop> {
        for length in LOOK + 1..=16 {
            if bits < self.limits[length as usize] {
                let place = (bits >> (16 - length)) as i32 + self.offsets[length as usize];
                let symbol = usize::try_from(place).ok();
                let symbol = symbol.and_then(|place| self.specification.symbols.get(place));
                let symbol = symbol.ok_or(Stop::Surprise("a code has no symbol"))?;
                return Ok(Symbol::new(*symbol, length));
            }
        }
        Err(Stop::Surprise("there is no such code"))
    }
}

/// Several symbols at once, for coefficients of sequential scans that are not needed: what the next
/// bits hold of whole symbols with their coefficients.
///
/// An entry has the number of bits in its lower six bits and above them how many coefficients they
/// go on, plus [`Skip::END`] when an end of block is the last of them.
pub(super) struct Skip {
    entries: Box<[u16; 1 << SKIP]>,
}

impl Skip {
    /// Added to the coefficients when the block ends.
    pub(super) const END: usize = 128;
    /// More than any coefficients, for bits that do not hold even one symbol.
    const NONE: u16 = 1023;

    pub(super) fn new(huffman: &Huffman) -> Self {
        let mut entries = Box::new([Self::NONE << 6; 1 << SKIP]);
        for (bits, entry) in (0_u32..).zip(entries.iter_mut()) {
            let (mut n_bits, mut advance, mut is_end) = (0, 0, false);
            while n_bits < SKIP && !is_end {
                let left = SKIP - n_bits;
                // The bits that are left, and zeros; a symbol that reaches into them is not taken.
                let next = bits << n_bits & ((1 << SKIP) - 1);
                let symbol = huffman.look[(next >> (SKIP - LOOK)) as usize];
                if symbol.0 == 0 || symbol.n_bits() > left {
                    break;
                }
                match (symbol.size(), symbol.run()) {
                    (0, 0) => is_end = true,
                    (0, 15) => advance += 16,
                    // Sequential scans have no such symbol.
                    (0, _) => break,
                    (_, run) => advance += run as u16 + 1,
                }
                n_bits += symbol.n_bits();
            }
            if n_bits > 0 {
                let end = if is_end { Self::END as u16 } else { 0 };
                *entry = n_bits as u16 | (advance + end) << 6;
            }
        }
        Self { entries }
    }

    /// Bits, and coefficients as described above.
    #[inline(always)]
    pub(super) fn next(&self, window: &Window<'_>) -> (u32, usize) {
        let entry = self.entries[window.peek(SKIP)];
        (u32::from(entry & 63), usize::from(entry >> 6))
    }
}
