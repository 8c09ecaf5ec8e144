//! Decodes sequential scans (ITU-T T.81, F.2.2). Coefficients that are not needed are skipped,
//! several at a time.

use super::bits::{Bits, Restarts, Stop, Window, check};
use super::huffman::{Skip, Tables};
use super::idct::{Block, CoefficientSink, Quarters, Transform};
use super::planes::{Pass, Plane};

/// Decodes a scan into the planes of its components. `tables` belong to the scan's parts.
pub(super) fn decode(
    pass: &Pass<'_>,
    planes: &mut [Plane],
    tables: &[Tables<'_>],
    bits: &mut Bits<'_>,
    mut restarts: Restarts,
) -> Result<(), Stop> {
    let transform = Transform::new();
    let scan = pass.scan;
    let (across, down) = pass.units;
    let is_interleaved = scan.parts.len() > 1;
    let mut means = [0_i32; 4];
    let mut block = Block::default();
    for unit_row in 0..down {
        check(pass.deadline)?;
        for unit_column in 0..across {
            if restarts.is_due(bits)? {
                means = [0; 4];
            }
            for ((part, tables), mean) in scan.parts.iter().zip(tables).zip(&mut means) {
                let plane = &mut planes[part.component];
                let (h, v) = if is_interleaved {
                    (plane.h, plane.v)
                } else {
                    (1, 1)
                };
                for y in 0..v {
                    for x in 0..h {
                        let position = (unit_column * h + x, unit_row * v + y);
                        let mut window = bits.window()?;
                        if let Some(weights) = plane.quarters() {
                            let mut quarters = Quarters::new(weights);
                            read_block(&mut window, tables, mean, plane.last, &mut quarters)?;
                            plane.write_quarters(quarters.samples(), position);
                        } else {
                            read_block(&mut window, tables, mean, plane.last, &mut block)?;
                            plane.write(&transform, &block, position);
                            block.clear();
                        }
                        let state = window.state();
                        bits.resume(state);
                    }
                }
            }
        }
    }
    Ok(())
}

/// Reads the coefficients of a block up to place `last`.
#[inline(always)]
fn read_block(
    window: &mut Window<'_>,
    tables: &Tables<'_>,
    mean: &mut i32,
    last: usize,
    block: &mut impl CoefficientSink,
) -> Result<(), Stop> {
    window.refill();
    let symbol = tables.dc.symbol(window)?;
    if symbol.run() != 0 {
        return Err(Stop::Unexpected("a mean value has too many bits"));
    }
    *mean += symbol.value(window.word);
    window.consume(symbol.n_bits());
    let value = i16::try_from(*mean).map_err(|_| Stop::Unexpected("a mean value is too large"))?;
    block.put(0, value);
    let mut next = 1;
    while next <= last {
        window.refill();
        let symbol = tables.ac.symbol(window)?;
        if symbol.size() == 0 {
            window.consume(symbol.n_bits());
            match symbol.run() {
                0 => return Ok(()),
                15 => next += 16,
                _ => return Err(Stop::Unexpected("there is no such symbol")),
            }
            continue;
        }
        let place = next + symbol.run();
        let value = symbol.value(window.word) as i16;
        window.consume(symbol.n_bits());
        if place <= last {
            block.put(place, value);
        }
        next = place + 1;
    }
    skip_rest(window, tables, next)
}

/// Skips the coefficients from place `next` to the end of the block.
#[inline(always)]
fn skip_rest(window: &mut Window<'_>, tables: &Tables<'_>, mut next: usize) -> Result<(), Stop> {
    while next < 64 {
        window.refill();
        // Four times 13 bits are fewer than the 56 that a refill makes valid.
        for _ in 0..4 {
            let (n_bits, advance) = tables.skip.next(window);
            let after = next + advance;
            if after < 64 {
                window.consume(n_bits);
                next = after;
                continue;
            }
            // Exactly full, or an end of block before that.
            if after == 64 || (Skip::END..Skip::END + 64).contains(&after) {
                window.consume(n_bits);
                return Ok(());
            }
            window.refill();
            let symbol = tables.ac.symbol(window)?;
            window.consume(symbol.n_bits());
            next += match (symbol.size(), symbol.run()) {
                (0, 0) => return Ok(()),
                (0, 15) => 16,
                (0, _) => return Err(Stop::Unexpected("there is no such symbol")),
                (_, run) => run + 1,
            };
            break;
        }
    }
    if next > 64 {
        return Err(Stop::Unexpected("a block has too many coefficients"));
    }
    Ok(())
}
