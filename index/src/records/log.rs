//! Are batches missing from the beginning or the middle of the write-ahead log?
//!
//! RocksDB stops at the first entry with a wrong checksum, and skips zeros up to the next block
//! without a word. The first hides the batches behind it, the second leaves a hole between two. It
//! does not notice a missing log file either. Each batch states the number of its first change
//! and how many follow, and one is begun only when the one before is on the disk. The list of
//! tables states the number of the newest change in them. So a batch behind missing numbers proves
//! that something acknowledged is lost, whereas damage to the last batch loses nothing
//! acknowledged. Both are read here without RocksDB, by the format of its logs, which is also that
//! of the list.

use std::io;
use std::path::Path;

use super::folder::{TableList, log_number};

/// Entries do not cross the borders of blocks.
const BLOCK: usize = 32_768;

/// Checksum u32, length u16, type u8.
const HEADER: usize = 7;

const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

/// A batch begins with the number of its first change and the number of changes.
const BATCH_HEADER: usize = 12;

/// An entry of the list of tables has the number of the newest change within this many bytes.
const EDIT_HEAD: usize = 256;

/// What a database consists of: the content of its list of tables, and of all log files in the
/// order in which they were written.
pub(super) struct Logs {
    list: Vec<u8>,
    logs: Vec<Vec<u8>>,
}

/// The numbers of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Numbers {
    first: u64,
    n: u64,
}

impl Logs {
    /// Reads the list of tables and the log files in a folder.
    ///
    /// # Errors
    /// When one cannot be read, for instance because it was deleted meanwhile.
    pub(super) fn read(dir: &Path) -> io::Result<Self> {
        // First: tables that are written meanwhile then have numbers beyond it, as their logs do.
        let list = TableList::read(dir)?;
        let mut files = Vec::new();
        for entry in fs_err::read_dir(dir)? {
            let path = entry?.path();
            if let Some(number) = log_number(&path) {
                files.push((number, path));
            }
        }
        files.sort_unstable();
        let contents = files.iter().map(|(_, path)| fs_err::read(path));
        let logs = contents.collect::<io::Result<_>>()?;
        Ok(Self { list, logs })
    }

    /// Whether a complete batch follows missing ones. `recovered` is the number of the last change
    /// that RocksDB has found, in the log or in tables.
    pub(super) fn lost_something(&self, recovered: u64) -> bool {
        let after_tables = self.last_in_tables().saturating_add(1);
        let misses_some = |batches: &[Numbers]| {
            let last = batches.last().map_or(0, |last| last.first);
            let mut next = after_tables;
            let mut is_behind_missing = |batch: &Numbers| {
                let is_behind = batch.first > next;
                // A log whose batches are all in tables may be deleted or still be there.
                next = batch.end().max(after_tables);
                is_behind
            };
            last > recovered || batches.iter().any(&mut is_behind_missing)
        };
        // Checksums take time, and a log that looks sound without them hides nothing.
        let quick = self.batches(false);
        (quick.has_hole || misses_some(&quick.found)) && misses_some(&self.batches(true).found)
    }

    /// Finds all complete batches. With `verify`, those with a wrong checksum are left out, and the
    /// next one after a hole is looked for at every byte.
    fn batches(&self, verify: bool) -> Scan<Numbers> {
        let mut scan = Scan::new(verify, BATCH_HEADER, numbers);
        self.logs.iter().for_each(|log| scan.read(log));
        scan
    }

    /// The number of the newest change in tables; 0 without tables. All columns are moved to
    /// tables at once, so no log is needed for the changes up to it.
    fn last_in_tables(&self) -> u64 {
        let mut scan = Scan::new(true, EDIT_HEAD, last_number);
        scan.read(&self.list);
        scan.found.into_iter().max().unwrap_or(0)
    }
}

/// What was found so far in files of entries.
struct Scan<T> {
    verify: bool,
    /// Number of bytes at the beginning of a batch that are kept for `parse`. A batch may be
    /// divided among several entries.
    n_kept: usize,
    parse: fn(&[u8]) -> Option<T>,
    found: Vec<T>,
    /// Whether there was anything else than entries, and zeros behind them.
    has_hole: bool,
    /// The beginning of a batch whose end is yet to come.
    begun: Option<Vec<u8>>,
}

impl<T> Scan<T> {
    fn new(verify: bool, n_kept: usize, parse: fn(&[u8]) -> Option<T>) -> Self {
        Self {
            verify,
            n_kept,
            parse,
            found: Vec::new(),
            has_hole: false,
            begun: None,
        }
    }

    fn read(&mut self, file: &[u8]) {
        self.begun = None;
        file.chunks(BLOCK).for_each(|block| self.read_block(block));
    }

    fn read_block(&mut self, mut block: &[u8]) {
        while block.len() >= HEADER {
            if let Some((kind, content)) = self.entry(block) {
                block = &block[HEADER + content.len()..];
                self.take(kind, content);
            } else {
                self.begun = None;
                self.has_hole |= block.iter().any(|&byte| byte != 0);
                if !self.verify {
                    return;
                }
                block = &block[1..];
            }
        }
    }

    /// The kind and content of the entry at the beginning of a block.
    fn entry<'a>(&self, block: &'a [u8]) -> Option<(u8, &'a [u8])> {
        let (header, rest) = block.split_first_chunk::<HEADER>()?;
        let [c0, c1, c2, c3, l0, l1, kind] = *header;
        let content = rest.get(..usize::from(u16::from_le_bytes([l0, l1])))?;
        let sum = u32::from_le_bytes([c0, c1, c2, c3]);
        let is_entry = kind != 0
            && (!self.verify || kind <= LAST && masked(crc32c(&[&[kind], content])) == sum);
        is_entry.then_some((kind, content))
    }

    fn take(&mut self, kind: u8, content: &[u8]) {
        let start = &content[..content.len().min(self.n_kept)];
        match kind {
            FULL => {
                self.begun = None;
                self.found.extend((self.parse)(start));
            }
            FIRST => self.begun = Some(start.to_vec()),
            MIDDLE | LAST => {
                if let Some(begun) = &mut self.begun {
                    begun.extend_from_slice(start);
                }
                if kind == LAST
                    && let Some(begun) = self.begun.take()
                {
                    self.found.extend((self.parse)(&begun));
                }
            }
            // Notes of RocksDB about the log itself.
            _ => {}
        }
    }
}

impl Numbers {
    fn end(self) -> u64 {
        self.first.saturating_add(self.n)
    }
}

/// The numbers at the beginning of a batch. None for an empty batch, which RocksDB writes when it
/// opens a log after damage.
fn numbers(batch: &[u8]) -> Option<Numbers> {
    let (first, rest) = batch.split_first_chunk::<8>()?;
    let n = u32::from_le_bytes(*rest.first_chunk::<4>()?);
    let first = u64::from_le_bytes(*first);
    (n > 0).then_some(Numbers {
        first,
        n: u64::from(n),
    })
}

/// The number of the newest change in tables, from the beginning of an entry of the list of tables.
/// It is behind a few other numbers and names, each after its tag.
fn last_number(mut edit: &[u8]) -> Option<u64> {
    loop {
        match varint(&mut edit)? {
            // The name of the order of keys, and the id of the database.
            1 | 8_193 => {
                let n_bytes = usize::try_from(varint(&mut edit)?).ok()?;
                edit = edit.get(n_bytes..)?;
            }
            // Numbers of logs, of the next file, and of the newest column.
            2 | 3 | 9 | 10 | 203 => {
                varint(&mut edit)?;
            }
            4 => return varint(&mut edit),
            _ => return None,
        }
    }
}

/// Takes a number off the beginning of some bytes: seven bits per byte, the lowest first.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// CRC-32C of several parts.
fn crc32c(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    !bytes.fold(!0, |sum, byte| {
        (sum >> 8) ^ TABLE[usize::from(sum.to_le_bytes()[0] ^ byte)]
    })
}

/// RocksDB stores checksums in this form.
fn masked(sum: u32) -> u32 {
    sum.rotate_right(15).wrapping_add(0xa282_ead8)
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let (mut number, mut start) = (0, 0);
    while number < 256 {
        let mut sum: u32 = start;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum >> 1) ^ if sum & 1 == 1 { 0x82f6_3b78 } else { 0 };
            bit += 1;
        }
        table[number] = sum;
        number += 1;
        start += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_castagnoli() {
        assert_eq!(crc32c(&[b"1234", b"56789"]), 0xe306_9283);
    }
}
