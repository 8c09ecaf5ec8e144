//! The colour coding in an HEVC picture.
//!
//! It is in the video usability information at the end of the sequence parameter set (ITU-T H.265,
//! 7.3.2.2 and E.2.1). Decoders skip it, since it changes no sample. A photo without a `colr`
//! property says nowhere else whether its values use the full range.

use super::planes::Coding;

/// The colour coding in a sequence parameter set; `None` when there is none or it is another unit.
pub(super) fn coding(unit: &[u8]) -> Option<Coding> {
    const SEQUENCE_PARAMETER_SET: u8 = 33;
    if (unit.first()? >> 1) & 0x3F != SEQUENCE_PARAMETER_SET {
        return None;
    }
    let payload = without_emulation(unit.get(2..)?);
    BitReader::new(&payload).sequence_parameter_set()
}

/// Removes the bytes that prevent start codes (7.4.2).
fn without_emulation(unit: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(unit.len());
    let mut n_zeros = 0;
    for &byte in unit {
        if n_zeros >= 2 && byte == 3 {
            n_zeros = 0;
            continue;
        }
        n_zeros = if byte == 0 { n_zeros + 1 } else { 0 };
        payload.push(byte);
    }
    payload
}

struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn flag(&mut self) -> Option<bool> {
        self.number(1).map(|bit| bit == 1)
    }

    /// Reads an unsigned number of at most 32 bits.
    fn number(&mut self, n_bits: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..n_bits {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    fn skip(&mut self, n_bits: usize) -> Option<()> {
        self.at += n_bits;
        (self.at <= 8 * self.bytes.len()).then_some(())
    }

    /// Reads an Exp-Golomb number (9.2). The sign of signed ones is not needed.
    fn golomb(&mut self) -> Option<u32> {
        let mut n_zeros = 0;
        while !self.flag()? {
            n_zeros += 1;
            if n_zeros > 31 {
                return None;
            }
        }
        Some((1 << n_zeros) - 1 + self.number(n_zeros)?)
    }

    /// Skips `n` Exp-Golomb numbers.
    fn skip_golombs(&mut self, n: u32) -> Option<()> {
        for _ in 0..n {
            self.golomb()?;
        }
        Some(())
    }

    fn sequence_parameter_set(&mut self) -> Option<Coding> {
        self.skip(4)?;
        let n_layers = self.number(3)? + 1;
        self.skip(1)?;
        self.profile(n_layers)?;
        self.golomb()?;
        if self.golomb()? == 3 {
            self.skip(1)?;
        }
        self.skip_golombs(2)?;
        if self.flag()? {
            self.skip_golombs(4)?;
        }
        self.skip_golombs(2)?;
        let n_order_bits = self.golomb()? + 4;
        let n_listed = if self.flag()? { n_layers } else { 1 };
        self.skip_golombs(3 * n_listed + 6)?;
        if self.flag()? && self.flag()? {
            self.scaling_lists()?;
        }
        self.skip(2)?;
        if self.flag()? {
            self.skip(8)?;
            self.skip_golombs(2)?;
            self.skip(1)?;
        }
        let n_sets = self.golomb()?;
        self.reference_sets(n_sets)?;
        if self.flag()? {
            for _ in 0..self.golomb()?.min(32) {
                self.skip(n_order_bits as usize + 1)?;
            }
        }
        self.skip(2)?;
        if !self.flag()? {
            return None;
        }
        self.usability()
    }

    /// Skips profile and level (7.3.3) of the picture and its layers.
    fn profile(&mut self, n_layers: u32) -> Option<()> {
        self.skip(88 + 8)?;
        let mut present = Vec::new();
        for _ in 1..n_layers {
            present.push((self.flag()?, self.flag()?));
        }
        if n_layers > 1 {
            self.skip(2 * (9 - n_layers as usize))?;
        }
        for (profile, level) in present {
            self.skip(88 * usize::from(profile) + 8 * usize::from(level))?;
        }
        Some(())
    }

    /// Skips quantisation matrices (7.3.4).
    fn scaling_lists(&mut self) -> Option<()> {
        for size in 0..4u32 {
            for _ in 0..if size == 3 { 2 } else { 6 } {
                let n_values = if self.flag()? {
                    64.min(1 << (4 + 2 * size)) + u32::from(size > 1)
                } else {
                    1
                };
                self.skip_golombs(n_values)?;
            }
        }
        Some(())
    }

    /// Skips reference picture sets (7.3.7). Stills use none, but may list some.
    fn reference_sets(&mut self, n_sets: u32) -> Option<()> {
        if n_sets > 64 {
            return None;
        }
        let mut n_before = 0;
        for n in 0..n_sets {
            if n > 0 && self.flag()? {
                self.skip(1)?;
                self.golomb()?;
                let mut n_pictures = 0;
                for _ in 0..=n_before {
                    let is_used = self.flag()?;
                    if is_used || self.flag()? {
                        n_pictures += 1;
                    }
                }
                n_before = n_pictures;
            } else {
                n_before = self.golomb()?.checked_add(self.golomb()?)?;
                if n_before > 32 {
                    return None;
                }
                for _ in 0..n_before {
                    self.golomb()?;
                    self.skip(1)?;
                }
            }
        }
        Some(())
    }

    /// Reads the usability information (E.2.1) up to the colours.
    fn usability(&mut self) -> Option<Coding> {
        const EXTENDED_ASPECT_RATIO: u32 = 255;
        if self.flag()? && self.number(8)? == EXTENDED_ASPECT_RATIO {
            self.skip(32)?;
        }
        if self.flag()? {
            self.skip(1)?;
        }
        if !self.flag()? {
            return None;
        }
        self.skip(3)?;
        let is_full_range = self.flag()?;
        let has_codes = self.flag()?;
        let mut code = |default| {
            let code = if has_codes { self.number(8)? } else { default };
            u16::try_from(code).ok()
        };
        Some(Coding {
            primaries: code(2)?,
            transfer: code(2)?,
            matrix: code(2)?,
            is_full_range,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A parameter set written bit by bit.
    #[derive(Default)]
    struct Written(Vec<bool>);

    impl Written {
        fn number(&mut self, n_bits: u32, value: u32) -> &mut Self {
            self.0
                .extend((0..n_bits).rev().map(|n| value >> n & 1 == 1));
            self
        }

        fn golomb(&mut self, value: u32) -> &mut Self {
            let n_bits = (value + 1).ilog2();
            self.number(n_bits, 0).number(n_bits + 1, value + 1)
        }

        fn unit(&self) -> Vec<u8> {
            let mut unit = vec![33 << 1, 1];
            for bits in self.0.chunks(8) {
                let byte = bits
                    .iter()
                    .enumerate()
                    .map(|(n, &bit)| u8::from(bit) << (7 - n));
                unit.push(byte.sum());
                if unit.ends_with(&[0, 0]) {
                    unit.push(3);
                }
            }
            unit
        }
    }

    fn parameter_set(has_lists: bool, n_sets: u32) -> Written {
        let mut set = Written::default();
        set.number(4, 0).number(3, 1).number(1, 1);
        // Profile and level, then those of one layer, which has both.
        set.number(32, 0x0123_4567).number(32, 0).number(32, 93);
        set.number(2, 3)
            .number(14, 0)
            .number(32, 1)
            .number(32, 2)
            .number(32, 3);
        set.golomb(0).golomb(1).golomb(4032).golomb(3024);
        set.number(1, 1).golomb(0).golomb(1).golomb(0).golomb(2);
        set.golomb(2).golomb(2).golomb(4);
        set.number(1, 1);
        for n in 0..6 {
            set.golomb(n);
        }
        for n in 0..6 {
            set.golomb(n);
        }
        set.number(1, u32::from(has_lists));
        if has_lists {
            set.number(1, 1);
            for size in 0..4u32 {
                for list in 0..if size == 3 { 2 } else { 6 } {
                    set.number(1, list % 2);
                    let n_values = if list % 2 == 1 {
                        64.min(1 << (4 + 2 * size)) + u32::from(size > 1)
                    } else {
                        1
                    };
                    for n in 0..n_values {
                        set.golomb(n);
                    }
                }
            }
        }
        set.number(2, 1);
        set.number(1, 1)
            .number(8, 0x77)
            .golomb(0)
            .golomb(1)
            .number(1, 0);
        set.golomb(n_sets);
        for n in 0..n_sets {
            if n == 1 {
                // Predicted from the one before, which has three pictures.
                set.number(1, 1).number(1, 0).golomb(5);
                set.number(1, 1)
                    .number(2, 0b01)
                    .number(2, 0b00)
                    .number(1, 1);
            } else {
                if n > 0 {
                    set.number(1, 0);
                }
                set.golomb(2).golomb(1);
                for n in 0..3 {
                    set.golomb(n).number(1, 1);
                }
            }
        }
        set.number(1, 1).golomb(2).number(9, 5).number(9, 6);
        set.number(2, 0);
        set
    }

    #[test]
    fn the_coding_is_found_after_all_optional_fields() {
        let mut n_cases = 0;
        for has_lists in [false, true] {
            for n_sets in [0, 1, 2, 3] {
                let mut set = parameter_set(has_lists, n_sets);
                set.number(1, 1);
                set.number(1, 1).number(8, 255).number(32, 0x0001_0001);
                set.number(1, 1).number(1, 0);
                set.number(1, 1).number(3, 5).number(1, 1).number(1, 1);
                set.number(8, 12).number(8, 13).number(8, 6);
                let expected = Coding {
                    matrix: 6,
                    is_full_range: true,
                    primaries: 12,
                    transfer: 13,
                };
                let unit = set.unit();
                assert_eq!(coding(&unit), Some(expected), "{has_lists} {n_sets}");
                for n in 0..unit.len() - 1 {
                    assert_eq!(coding(&unit[..n]), None);
                }
                n_cases += 1;
            }
        }
        assert_eq!(n_cases, 8);
    }

    #[test]
    fn a_range_without_codes_differs_from_no_information() {
        let mut set = parameter_set(false, 0);
        set.number(1, 1)
            .number(2, 0)
            .number(1, 1)
            .number(3, 5)
            .number(2, 0b10);
        let expected = Coding {
            matrix: 2,
            is_full_range: true,
            primaries: 2,
            transfer: 2,
        };
        assert_eq!(coding(&set.unit()), Some(expected));
        let mut set = parameter_set(false, 0);
        set.number(1, 0).number(32, u32::MAX);
        assert_eq!(coding(&set.unit()), None);
        // Another kind of unit.
        let mut unit = set.unit();
        unit[0] = 34 << 1;
        assert_eq!(coding(&unit), None);
        assert_eq!(coding(&[]), None);
    }
}
