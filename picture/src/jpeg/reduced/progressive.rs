//! Decodes progressive scans (ITU-T T.81, annex G).
//!
//! The coefficients that are needed are stored until the last scan. The others are not stored, and
//! scans that hold only those are skipped.

use super::bits::{Bits, Restarts, Stop, Window, check};
use super::header::Scan;
use super::huffman::Huffman;
use super::idct::{Block, CoefficientSink, Quarters, Transform};
use super::planes::{Pass, Plane};
use crate::limits::Deadline;

/// The stored coefficients of one component.
pub(super) struct Coefficients {
    /// Block by block, in zigzag order.
    values: Vec<i16>,
    /// Number of stored coefficients per block.
    n_stored: usize,
    /// Allocated blocks across.
    across: usize,
}

/// Which scans are read, and the number of stored coefficients per block of each component.
pub(super) struct Plan {
    pub(super) is_read: Vec<bool>,
    pub(super) n_stored: Vec<usize>,
}

impl Plan {
    /// Goes from the last scan to the first. A scan that refines coefficients can only be read when
    /// it is known which of its whole band are zero, so it needs all of them.
    pub(super) fn new(scans: &[Scan], planes: &[Plane]) -> Self {
        let up_to = |last: usize| u64::MAX >> (63 - last);
        let mut needed: Vec<u64> = planes.iter().map(|plane| up_to(plane.last)).collect();
        let mut is_read = vec![true; scans.len()];
        for (scan, is_read) in scans.iter().zip(&mut is_read).rev() {
            let (first, last) = scan.band;
            if let ([part], 1..) = (scan.parts.as_slice(), first) {
                let band = up_to(last) & !up_to(first - 1);
                let needed = &mut needed[part.component];
                *is_read = *needed & band != 0;
                if *is_read && scan.high > 0 {
                    *needed |= band;
                }
            }
        }
        let count = |needed: &u64| 64 - needed.leading_zeros() as usize;
        Self {
            is_read,
            n_stored: needed.iter().map(count).collect(),
        }
    }
}

impl Coefficients {
    /// Allocates a component's coefficients, all zero.
    pub(super) fn new(plane: &Plane, n_stored: usize) -> Self {
        Self {
            values: vec![0; plane.blocks.0 * plane.blocks.1 * n_stored],
            n_stored,
            across: plane.blocks.0,
        }
    }

    #[inline(always)]
    fn block(&mut self, (column, row): (usize, usize)) -> &mut [i16] {
        let start = (row * self.across + column) * self.n_stored;
        &mut self.values[start..start + self.n_stored]
    }

    /// Transforms the coefficients to samples.
    pub(super) fn write(&self, plane: &mut Plane, deadline: Deadline) -> Result<(), Stop> {
        let transform = Transform::new();
        let mut block = Block::default();
        for (at, values) in self.values.chunks_exact(self.n_stored).enumerate() {
            let position = (at % self.across, at / self.across);
            if position.0 == 0 {
                check(deadline)?;
            }
            let used = &values[..self.n_stored.min(plane.last + 1)];
            if let Some(weights) = plane.quarters() {
                let mut quarters = Quarters::new(weights);
                put_all(used, &mut quarters);
                plane.write_quarters(quarters.samples(), position);
            } else {
                put_all(used, &mut block);
                plane.write(&transform, &block, position);
                block.clear();
            }
        }
        Ok(())
    }
}

fn put_all(values: &[i16], block: &mut impl CoefficientSink) {
    for (place, &value) in values.iter().enumerate() {
        // The mean value is always passed: clearing a block that has nothing else keeps it.
        if value != 0 || place == 0 {
            block.put(place, value);
        }
    }
}

/// Decodes a scan. `tables` belong to the scan's parts; a scan that refines mean values has none.
pub(super) fn decode(
    pass: &Pass<'_>,
    planes: &[Plane],
    coefficients: &mut [Coefficients],
    tables: &[Option<&Huffman>],
    bits: &mut Bits<'_>,
    mut restarts: Restarts,
) -> Result<(), Stop> {
    let scan = pass.scan;
    let (across, down) = pass.units;
    let is_interleaved = scan.parts.len() > 1;
    let mut means = [0_i32; 4];
    let mut run = 0_u32;
    for unit_row in 0..down {
        check(pass.deadline)?;
        for unit_column in 0..across {
            if restarts.is_due(bits)? {
                means = [0; 4];
                if run > 0 {
                    return Err(Stop::Unexpected("a run of empty blocks crosses a restart"));
                }
            }
            for ((part, table), mean) in scan.parts.iter().zip(tables).zip(&mut means) {
                let plane = &planes[part.component];
                let (h, v) = if is_interleaved {
                    (plane.h, plane.v)
                } else {
                    (1, 1)
                };
                for (y, x) in (0..v).flat_map(|y| (0..h).map(move |x| (y, x))) {
                    let position = (unit_column * h + x, unit_row * v + y);
                    let block = coefficients[part.component].block(position);
                    let mut window = bits.window()?;
                    match (scan.band.0, scan.high, table) {
                        (0, 0, Some(table)) => first_mean(&mut window, table, mean, scan, block)?,
                        (0, 1.., _) => {
                            window.refill();
                            block[0] |= i16::from(window.flag()) << scan.low;
                        }
                        (_, 0, Some(table)) => first(&mut window, table, &mut run, scan, block)?,
                        (_, _, Some(table)) => refine(&mut window, table, &mut run, scan, block)?,
                        _ => return Err(Stop::Unexpected("a Huffman table is missing")),
                    }
                    let state = window.state();
                    bits.resume(state);
                }
            }
        }
    }
    if run > 0 {
        return Err(Stop::Unexpected("a run of empty blocks is too long"));
    }
    Ok(())
}

/// Reads the mean value of a block without its lowest bits (G.1.2.1).
#[inline(always)]
fn first_mean(
    window: &mut Window<'_>,
    table: &Huffman,
    mean: &mut i32,
    scan: &Scan,
    block: &mut [i16],
) -> Result<(), Stop> {
    window.refill();
    let symbol = table.symbol(window)?;
    if symbol.run() != 0 {
        return Err(Stop::Unexpected("a mean value has too many bits"));
    }
    *mean += symbol.value(window.word);
    window.consume(symbol.n_bits());
    let large = |_| Stop::Unexpected("a mean value is too large");
    i16::try_from(*mean).map_err(large)?;
    block[0] = i16::try_from(*mean << scan.low).map_err(large)?;
    Ok(())
}

/// Reads the coefficients of a band without their lowest bits (G.1.2.2).
#[inline(always)]
fn first(
    window: &mut Window<'_>,
    table: &Huffman,
    run: &mut u32,
    scan: &Scan,
    block: &mut [i16],
) -> Result<(), Stop> {
    if *run > 0 {
        *run -= 1;
        return Ok(());
    }
    let mut next = scan.band.0;
    while next <= scan.band.1 {
        window.refill();
        let symbol = table.symbol(window)?;
        if symbol.size() == 0 {
            window.consume(symbol.n_bits());
            if symbol.run() < 15 {
                *run = empty_blocks(window, symbol.run()) - 1;
                return Ok(());
            }
            next += 16;
            continue;
        }
        let place = next + symbol.run();
        if place > scan.band.1 {
            return Err(Stop::Unexpected("a band has too many coefficients"));
        }
        let value = symbol.value(window.word);
        window.consume(symbol.n_bits());
        if let Some(target) = block.get_mut(place) {
            *target = (value << scan.low) as i16;
        }
        next = place + 1;
    }
    Ok(())
}

/// Reads the number of blocks that have no more coefficients in this band, this one included.
#[inline(always)]
fn empty_blocks(window: &mut Window<'_>, n_bits: usize) -> u32 {
    let n_bits = n_bits as u32;
    (1 << n_bits) + window.take(n_bits)
}

/// Reads one more bit of each coefficient of a band (G.1.2.3).
#[inline(always)]
fn refine(
    window: &mut Window<'_>,
    table: &Huffman,
    run: &mut u32,
    scan: &Scan,
    block: &mut [i16],
) -> Result<(), Stop> {
    let bit = 1_i16 << scan.low;
    let mut next = scan.band.0;
    while *run == 0 && next <= scan.band.1 {
        window.refill();
        let symbol = table.symbol(window)?;
        let new = match symbol.size() {
            0 => {
                window.consume(symbol.n_bits());
                if symbol.run() < 15 {
                    *run = empty_blocks(window, symbol.run());
                    break;
                }
                0
            }
            1 => {
                let is_positive = symbol.value(window.word) > 0;
                window.consume(symbol.n_bits());
                if is_positive { bit } else { -bit }
            }
            _ => return Err(Stop::Unexpected("there is no such symbol")),
        };
        // Counts zeros; every other coefficient on the way gets its bit.
        let mut n_zeros = symbol.run();
        loop {
            let Some(target) = block.get_mut(next).filter(|_| next <= scan.band.1) else {
                return Err(Stop::Unexpected("a band has too many coefficients"));
            };
            next += 1;
            if *target != 0 {
                correct(window, target, bit);
            } else if n_zeros == 0 {
                *target = new;
                break;
            } else {
                n_zeros -= 1;
            }
        }
    }
    if *run > 0 {
        for target in block.get_mut(next..=scan.band.1).unwrap_or_default() {
            if *target != 0 {
                correct(window, target, bit);
            }
        }
        *run -= 1;
    }
    Ok(())
}

/// Reads the next bit of a coefficient that is not zero.
#[inline(always)]
fn correct(window: &mut Window<'_>, target: &mut i16, bit: i16) {
    window.refill();
    if window.flag() && *target & bit == 0 {
        *target = target.wrapping_add(if *target > 0 { bit } else { -bit });
    }
}
