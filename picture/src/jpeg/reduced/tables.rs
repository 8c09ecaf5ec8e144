//! Which Huffman tables does a scan use?

use super::Stop;
use super::header::{self, Scan};
use super::huffman::{Huffman, Skip, Specification};
use super::sequential::Tables;

const MISSING: Stop = Stop::Surprise("a Huffman table is missing");

/// The tables in force: first those for mean values, then the others.
#[derive(Default)]
pub(super) struct TableSet {
    specifications: [[Option<Specification>; 4]; 2],
    made: [[Option<Made>; 4]; 2],
}

/// A table that a scan used, and for coefficients of sequential scans what skips them.
struct Made {
    table: Huffman,
    skip: Option<Skip>,
}

impl TableSet {
    /// Reads a segment of tables. They are made ready when a scan needs them.
    pub(super) fn read(&mut self, body: &[u8]) -> Result<(), Stop> {
        header::huffman(body, &mut self.specifications)
    }

    fn make(&mut self, class: usize, place: usize, skips: bool) -> Result<&Made, Stop> {
        let specification = self.specifications[class][place].as_ref().ok_or(MISSING)?;
        let made = &mut self.made[class][place];
        if !matches!(made, Some(made) if made.table.is(specification)) {
            let table = Huffman::new(specification)?;
            let skip = skips.then(|| Skip::new(&table));
            *made = Some(Made { table, skip });
        }
        made.as_ref().ok_or(MISSING)
    }

    /// The tables of a sequential scan's parts.
    pub(super) fn sequential(&mut self, scan: &Scan) -> Result<Vec<Tables<'_>>, Stop> {
        for part in &scan.parts {
            self.make(0, part.dc_table, false)?;
            self.make(1, part.ac_table, true)?;
        }
        let [dc, ac] = &self.made;
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

    /// The tables of a progressive scan's parts; one that refines mean values has none.
    pub(super) fn progressive(&mut self, scan: &Scan) -> Result<Vec<Option<&Huffman>>, Stop> {
        let is_mean = scan.band.0 == 0;
        if is_mean && scan.high > 0 {
            return Ok(vec![None; scan.parts.len()]);
        }
        let class = usize::from(!is_mean);
        let choice = |part: &header::ScanPart| {
            if is_mean {
                part.dc_table
            } else {
                part.ac_table
            }
        };
        for part in &scan.parts {
            self.make(class, choice(part), false)?;
        }
        let table = |part| Some(&self.made[class][choice(part)].as_ref()?.table);
        Ok(scan.parts.iter().map(table).collect())
    }
}
