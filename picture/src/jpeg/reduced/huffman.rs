//! Huffman tables.

use super::bits::{Stop, Window};
use super::header::{Scan, ScanPart};

/// Codes of up to this many bits are decoded by one table lookup; longer ones are rare.
const LOOKUP_BITS: u32 = 11;
/// Bits per table lookup when symbols are skipped.
const SKIP_BITS: u32 = 13;

const MISSING: Stop = Stop::Unexpected("a Huffman table is missing");

/// A Huffman table as stored in the file (ITU-T T.81, B.2.4.2).
#[derive(Clone, PartialEq, Eq)]
struct Specification {
    /// Number of codes of each length, 1 to 16 bits.
    counts: [u8; 16],
    /// The symbols, shortest codes first.
    symbols: Vec<u8>,
}

/// A symbol: the number of zero coefficients before the next one, the size of that one in bits, and
/// the number of bits of code and coefficient together.
#[derive(Clone, Copy)]
pub(super) struct Symbol(u16);

impl Symbol {
    fn new(byte: u8, code_length: u32) -> Self {
        let size = u16::from(byte & 15);
        let length = code_length as u16;
        Self((length + size) | size << 5 | u16::from(byte >> 4) << 9)
    }

    /// Number of bits of the code and the coefficient after it, at most 31.
    #[inline(always)]
    pub(super) fn n_bits(self) -> u32 {
        u32::from(self.0 & 31)
    }

    /// Number of bits of the coefficient: the lower half of the symbol.
    #[inline(always)]
    pub(super) fn size(self) -> u32 {
        u32::from(self.0 >> 5 & 15)
    }

    /// The upper half of the symbol.
    #[inline(always)]
    pub(super) fn run(self) -> usize {
        usize::from(self.0 >> 9)
    }

    /// The coefficient, when `bits` begins with its code.
    #[inline(always)]
    pub(super) fn value(self, bits: u64) -> i32 {
        let size = self.size();
        let after_code = bits << (self.n_bits() - size);
        let value = (after_code >> 1 >> (63 - size)) as i32;
        // The highest bit is the sign; negative numbers count up from the lowest (F.2.2.1).
        let negative = !(after_code as i64 >> 63) as i32;
        value + (negative & (1 - (1 << size)))
    }
}

/// A Huffman table prepared for decoding.
pub(super) struct Huffman {
    specification: Specification,
    lookup: Box<[Symbol; 1 << LOOKUP_BITS]>,
    /// For each length, the first 16 bits after all codes up to this length.
    limits: [u32; 17],
    /// For each length, the difference between the index of a symbol and its code.
    offsets: [i32; 17],
}

impl Huffman {
    /// # Errors
    /// When there are more codes of a length than fit.
    fn new(specification: &Specification) -> Result<Self, Stop> {
        let mut huffman = Self {
            specification: specification.clone(),
            lookup: Box::new([Symbol(0); 1 << LOOKUP_BITS]),
            limits: [0; 17],
            offsets: [0; 17],
        };
        let (mut code, mut n_seen) = (0_u32, 0_usize);
        for length in 1..=16_u32 {
            let count = usize::from(specification.counts[length as usize - 1]);
            huffman.offsets[length as usize] = n_seen as i32 - code as i32;
            for &symbol in specification.symbols.iter().skip(n_seen).take(count) {
                if code >> length != 0 {
                    return Err(Stop::Unexpected("a Huffman table has too many codes"));
                }
                if length <= LOOKUP_BITS {
                    let first = (code << (LOOKUP_BITS - length)) as usize;
                    let places = first..first + (1 << (LOOKUP_BITS - length));
                    huffman.lookup[places].fill(Symbol::new(symbol, length));
                }
                code += 1;
            }
            n_seen += count;
            huffman.limits[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Ok(huffman)
    }

    /// The next symbol, without consuming its bits. Needs 16 valid bits.
    #[inline(always)]
    pub(super) fn symbol(&self, window: &Window<'_>) -> Result<Symbol, Stop> {
        let symbol = self.lookup[window.peek(LOOKUP_BITS)];
        if symbol.0 == 0 {
            self.long_symbol(window.peek(16) as u32)
        } else {
            Ok(symbol)
        }
    }

    #[cold]
    #[inline(never)]
    fn long_symbol(&self, bits: u32) -> Result<Symbol, Stop> {
        for length in LOOKUP_BITS + 1..=16 {
            if bits < self.limits[length as usize] {
                let place = (bits >> (16 - length)) as i32 + self.offsets[length as usize];
                let symbol = usize::try_from(place).ok();
                let symbol = symbol.and_then(|place| self.specification.symbols.get(place));
                let symbol = symbol.ok_or(Stop::Unexpected("a code has no symbol"))?;
                return Ok(Symbol::new(*symbol, length));
            }
        }
        Err(Stop::Unexpected("there is no such code"))
    }
}

/// Skips several symbols with their coefficients at once, for coefficients of sequential scans that
/// are not needed.
///
/// The lower six bits of an entry are the number of bits to skip. The others are the number of
/// coefficients to advance, plus [`Skip::END`] when the last symbol is an end of block.
pub(super) struct Skip {
    entries: Box<[u16; 1 << SKIP_BITS]>,
}

impl Skip {
    /// Added to the number of coefficients when the block ends.
    pub(super) const END: usize = 128;
    /// More than any number of coefficients, for bits that do not hold a whole symbol.
    const NONE: u16 = 1023;

    fn new(huffman: &Huffman) -> Self {
        let mut entries = Box::new([Self::NONE << 6; 1 << SKIP_BITS]);
        for (bits, entry) in (0_u32..).zip(entries.iter_mut()) {
            let (mut n_bits, mut advance, mut is_end) = (0, 0, false);
            while n_bits < SKIP_BITS && !is_end {
                let left = SKIP_BITS - n_bits;
                // The remaining bits, then zeros. A symbol that reaches into the zeros is kept.
                let next = bits << n_bits & ((1 << SKIP_BITS) - 1);
                let symbol = huffman.lookup[(next >> (SKIP_BITS - LOOKUP_BITS)) as usize];
                if symbol.0 == 0 || symbol.n_bits() > left {
                    break;
                }
                match (symbol.size(), symbol.run()) {
                    (0, 0) => is_end = true,
                    (0, 15) => advance += 16,
                    // Invalid in sequential scans.
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

    /// The number of bits to skip, and of coefficients to advance as described above.
    #[inline(always)]
    pub(super) fn next(&self, window: &Window<'_>) -> (u32, usize) {
        let entry = self.entries[window.peek(SKIP_BITS)];
        (u32::from(entry & 63), usize::from(entry >> 6))
    }
}

/// The tables of one component in a sequential scan.
pub(super) struct Tables<'t> {
    pub(super) dc: &'t Huffman,
    pub(super) ac: &'t Huffman,
    pub(super) skip: &'t Skip,
}

/// The current tables: first those for mean values, then the others.
#[derive(Default)]
pub(super) struct TableSet {
    specifications: [[Option<Specification>; 4]; 2],
    prepared: [[Option<Prepared>; 4]; 2],
}

/// A table that a scan used, and for coefficients of sequential scans the table that skips them.
struct Prepared {
    table: Huffman,
    skip: Option<Skip>,
}

impl TableSet {
    /// Parses a segment of tables. They are prepared when a scan uses them.
    pub(super) fn read(&mut self, mut body: &[u8]) -> Result<(), Stop> {
        let unsupported = Stop::Unexpected("a Huffman table of another kind");
        while let Some((&choice, rest)) = body.split_first() {
            let counts = *rest.first_chunk::<16>().ok_or(unsupported)?;
            let n_symbols = counts
                .iter()
                .map(|&count| usize::from(count))
                .sum::<usize>();
            let class = self
                .specifications
                .get_mut(usize::from(choice >> 4))
                .ok_or(unsupported)?;
            let place = class.get_mut(usize::from(choice & 15)).ok_or(unsupported)?;
            let symbols = rest.get(16..16 + n_symbols).ok_or(unsupported)?;
            if n_symbols > 256 {
                return Err(unsupported);
            }
            *place = Some(Specification {
                counts,
                symbols: symbols.to_vec(),
            });
            body = &rest[16 + n_symbols..];
        }
        Ok(())
    }

    fn prepare(&mut self, class: usize, place: usize, skips: bool) -> Result<&Prepared, Stop> {
        let specification = self.specifications[class][place].as_ref().ok_or(MISSING)?;
        let prepared = &mut self.prepared[class][place];
        if !matches!(prepared, Some(p) if p.table.specification == *specification) {
            let table = Huffman::new(specification)?;
            let skip = skips.then(|| Skip::new(&table));
            *prepared = Some(Prepared { table, skip });
        }
        prepared.as_ref().ok_or(MISSING)
    }

    /// The tables for the parts of a sequential scan.
    pub(super) fn sequential(&mut self, scan: &Scan) -> Result<Vec<Tables<'_>>, Stop> {
        for part in &scan.parts {
            self.prepare(0, part.dc_table, false)?;
            self.prepare(1, part.ac_table, true)?;
        }
        let [dc, ac] = &self.prepared;
        let parts = scan.parts.iter().map(|part| {
            let (dc, ac) = (dc[part.dc_table].as_ref()?, ac[part.ac_table].as_ref()?);
            Some(Tables {
                dc: &dc.table,
                ac: &ac.table,
                skip: ac.skip.as_ref()?,
            })
        });
        parts.collect::<Option<_>>().ok_or(MISSING)
    }

    /// The tables for the parts of a progressive scan; a scan that refines mean values has none.
    pub(super) fn progressive(&mut self, scan: &Scan) -> Result<Vec<Option<&Huffman>>, Stop> {
        let is_mean = scan.band.0 == 0;
        if is_mean && scan.high > 0 {
            return Ok(vec![None; scan.parts.len()]);
        }
        let class = usize::from(!is_mean);
        let choice = |part: &ScanPart| {
            if is_mean {
                part.dc_table
            } else {
                part.ac_table
            }
        };
        for part in &scan.parts {
            self.prepare(class, choice(part), false)?;
        }
        let table = |part| Some(&self.prepared[class][choice(part)].as_ref()?.table);
        Ok(scan.parts.iter().map(table).collect())
    }
}
