//! Copies everything readable of damaged records, block by block, into a new database.
//!
//! RocksDB's own repair drops a whole table for one bad block, so it is used only when the list of
//! tables is unusable or a table is missing. The caller finds out what the copy lacks.

use std::path::{Path, PathBuf};

use crate::item::{Generation, ItemId, ItemKind};
use crate::records::RecordsError;
use crate::records::keys::{self, Column};
use crate::records::read::Records;
use crate::records::store::Store;

/// Bytes written at once.
const PORTION: usize = 4 << 20;

/// A key after all keys of every column.
const END: [u8; 64] = [0xff; 64];

/// Maximum number of bisections of a gap: one for each bit of a path of 4 KiB.
const MAX_BISECTIONS: usize = 8 * 4096;

/// The key of a record that makes RocksDB's repair aware of a column.
const STUB: &[u8] = &[0xff; 16];

/// A method of making damaged records readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// Open them as they are, skipping what is missing.
    Tolerant,
    /// Use the newest list of tables, whatever `CURRENT` says.
    NewestList,
    /// Create a new list of tables.
    NewList,
}

const METHODS: [Method; 3] = [Method::Tolerant, Method::NewestList, Method::NewList];

/// Copies everything readable of the database in `dir` to a new one in `target`.
///
/// Returns the columns that could not be read completely. `scratch` is a temporary folder; `dir` is
/// not changed. Other parts of the index show that generation `expected` was committed.
///
/// # Errors
/// When nothing can be read, or the copy cannot be written.
pub(crate) fn salvage(
    dir: &Path,
    scratch: &Path,
    target: &Path,
    expected: Generation,
) -> Result<Vec<Column>, RecordsError> {
    let mut incomplete = Vec::new();
    let mut best: Option<(Generation, usize)> = None;
    for number in 0..METHODS.len() {
        let Some(generation) = copy(dir, scratch, target, number, &mut incomplete)? else {
            continue;
        };
        if generation >= expected {
            return Ok(incomplete);
        }
        if best.is_none_or(|(found, _)| generation > found) {
            best = Some((generation, number));
        }
    }
    match best {
        Some((_, number)) => copy(dir, scratch, target, number, &mut incomplete)?
            .map(|_| incomplete)
            .ok_or(RecordsError::Damaged {
                what: "the database",
            }),
        None => Err(RecordsError::Damaged {
            what: "every file of the database",
        }),
    }
}

/// Copies what the method number `first` can read, and the columns it cannot read by the methods
/// after it. Returns the generation of the copy, or none when a column cannot be read at all.
fn copy(
    dir: &Path,
    scratch: &Path,
    target: &Path,
    first: usize,
    incomplete: &mut Vec<Column>,
) -> Result<Option<Generation>, RecordsError> {
    remove_folder(target)?;
    fs_err::create_dir_all(target)?;
    let copy = Store::open(target, true)?;
    let mut missing = Column::ALL.to_vec();
    let mut gaps = Vec::new();
    incomplete.clear();
    for method in METHODS.into_iter().skip(first) {
        let Ok(Some(path)) = prepare(dir, scratch, method) else {
            continue;
        };
        let Ok(source) = Store::open_tolerant(&path) else {
            continue;
        };
        missing.retain(|&column| {
            let Ok(found) = copy_column(&source, &copy, column) else {
                return true;
            };
            // RocksDB's repair does not report which tables it dropped.
            if !found.is_empty() || method == Method::NewList {
                incomplete.push(column);
            }
            gaps.extend(found.into_iter().map(|gap| (column, gap)));
            false
        });
        if missing.is_empty() {
            break;
        }
    }
    let generation = if missing.is_empty() {
        fill_gaps(dir, scratch, &copy, &gaps)?;
        copy.flush()?;
        Some(copy.generation().unwrap_or(Generation(0)))
    } else {
        None
    };
    drop(copy);
    remove_folder(scratch)?;
    Ok(generation)
}

/// From the first key that cannot be read to the first that can.
type Gap = (Vec<u8>, Vec<u8>);

/// Copies records in the gaps from the tables that are intact.
///
/// A bad block also hides records of other tables, since RocksDB merges all tables and reads up to
/// three of them for any key. A record found here may be outdated if the bad block replaced or
/// removed it; it then contradicts the other columns. Hashes and lists of captions are skipped:
/// they follow from the items.
fn fill_gaps(
    dir: &Path,
    scratch: &Path,
    target: &Store,
    gaps: &[(Column, Gap)],
) -> Result<(), RecordsError> {
    let mut gaps = gaps
        .iter()
        .filter(|(column, _)| !matches!(column, Column::Hashes | Column::Captions))
        .peekable();
    if gaps.peek().is_none() {
        return Ok(());
    }
    let Some(path) = prepare(dir, scratch, Method::NewList)? else {
        return Ok(());
    };
    let source = Store::open_tolerant(&path)?;
    for (column, (from, to)) in gaps {
        let mut portion = Portion::default();
        source.scan(*column, &[], from, &mut |key, value| {
            if key >= to.as_slice() {
                return Ok(false);
            }
            if key != STUB && target.get(*column, key)?.is_none() {
                portion.put(target, *column, key, value)?;
            }
            Ok(true)
        })?;
        portion.write(target, *column)?;
    }
    Ok(())
}

/// Makes the records readable by one method and returns their folder, or none if the method is the
/// same as the one before.
fn prepare(dir: &Path, scratch: &Path, method: Method) -> Result<Option<PathBuf>, RecordsError> {
    if method == Method::Tolerant {
        return Ok(Some(dir.to_owned()));
    }
    remove_folder(scratch)?;
    fs_err::create_dir_all(scratch)?;
    let mut newest: Option<String> = None;
    for entry in fs_err::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(text) = name.to_str() else { continue };
        if !entry.file_type()?.is_file() || matches!(text, "LOCK" | "CURRENT") {
            continue;
        }
        if text.starts_with("MANIFEST-") && newest.as_deref().is_none_or(|known| known < text) {
            newest = Some(text.to_owned());
        }
        let to = scratch.join(&name);
        // Neither method changes a file; both only rename and remove files.
        if std::fs::hard_link(entry.path(), &to).is_err() {
            fs_err::copy(entry.path(), &to)?;
        }
    }
    let current = scratch.join("CURRENT");
    match (method, newest) {
        (Method::NewestList, Some(newest)) => {
            let line = format!("{newest}\n");
            if fs_err::read(dir.join("CURRENT")).is_ok_and(|found| found == line.as_bytes()) {
                return Ok(None);
            }
            fs_err::write(&current, line)?;
        }
        (Method::NewestList, None) => return Ok(None),
        (Method::Tolerant | Method::NewList, newest) => {
            if let Some(newest) = newest {
                fs_err::write(&current, format!("{newest}\n"))?;
            }
            add_stubs(scratch)?;
            Store::rebuild_list_of_tables(scratch)?;
        }
    }
    Ok(Some(scratch.to_owned()))
}

/// Gives each column a table with an unused record. RocksDB's repair infers the columns from the
/// tables, and drops what the logs contain for others.
fn add_stubs(scratch: &Path) -> Result<(), RecordsError> {
    let aside = scratch.join("stubs");
    {
        let store = Store::open(&aside, true)?;
        store.write(
            Column::ALL
                .into_iter()
                .map(|column| (column, STUB, Some(STUB))),
        )?;
        store.flush()?;
    }
    let mut number = 9_000_000;
    for entry in fs_err::read_dir(&aside)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sst") {
            fs_err::rename(&path, scratch.join(format!("{number}.sst")))?;
            number += 1;
        }
    }
    remove_folder(&aside)?;
    Ok(())
}

/// Copies everything readable of a column and returns the gaps. Fails if nothing can be read.
fn copy_column(source: &Store, target: &Store, column: Column) -> Result<Vec<Gap>, RecordsError> {
    source.seek(column, &END)?;
    let mut gaps = Vec::new();
    let mut start = Vec::new();
    loop {
        let mut portion = Portion::default();
        let mut last = None;
        let copied = source.scan(column, &[], &start, &mut |key, value| {
            last = Some(key.to_vec());
            if key == STUB {
                return Ok(true);
            }
            portion.put(target, column, key, value)?;
            Ok(true)
        });
        portion.write(target, column)?;
        if copied.is_ok() {
            return Ok(gaps);
        }
        let mut from = start.clone();
        if let Some(last) = last {
            from = last;
            from.push(0);
        }
        let Some(next) = first_after(source, column, &from)? else {
            copy_gap(source, target, column, &from, &END)?;
            gaps.push((from, END.to_vec()));
            return Ok(gaps);
        };
        copy_gap(source, target, column, &from, &next)?;
        gaps.push((from.clone(), next.clone()));
        // A key that can be found but not read is part of the gap.
        start = if next <= from {
            let mut next = from;
            next.push(0);
            next
        } else {
            next
        };
    }
}

/// Records to be written to the new database.
#[derive(Default)]
struct Portion {
    records: Vec<(Vec<u8>, Vec<u8>)>,
    n_bytes: usize,
}

impl Portion {
    fn put(
        &mut self,
        target: &Store,
        column: Column,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), RecordsError> {
        self.n_bytes += key.len() + value.len();
        self.records.push((key.to_vec(), value.to_vec()));
        if self.n_bytes > PORTION {
            self.write(target, column)?;
        }
        Ok(())
    }

    fn write(&mut self, target: &Store, column: Column) -> Result<(), RecordsError> {
        if !self.records.is_empty() {
            target.write(
                self.records
                    .iter()
                    .map(|(key, value)| (column, key.as_slice(), Some(value.as_slice()))),
            )?;
        }
        self.records.clear();
        self.n_bytes = 0;
        Ok(())
    }
}

/// The first key after an unreadable range that begins at `from`, or none at the end of the column.
fn first_after(
    source: &Store,
    column: Column,
    from: &[u8],
) -> Result<Option<Vec<u8>>, RecordsError> {
    let is_readable = |key: &[u8]| source.seek(column, key).is_ok();
    if is_readable(from) {
        return source.seek(column, from);
    }
    // Increasing steps, then bisection of the last one: blocks are small, and another bad one may
    // follow.
    let mut low = from.to_vec();
    let mut high = END.to_vec();
    for length in (1..=from.len()).rev() {
        let mut key = from[..length].to_vec();
        let Some(byte) = key[length - 1].checked_add(1) else {
            continue;
        };
        key[length - 1] = byte;
        if is_readable(&key) {
            high = key;
            break;
        }
        low = key;
    }
    let mut found = source.seek(column, &high)?;
    // Until both bounds agree in every digit that can distinguish the found key from an earlier
    // one.
    for _ in 0..MAX_BISECTIONS {
        let middle = between(&low, &high);
        let n_equal = low.iter().zip(&high).take_while(|(a, b)| a == b).count();
        let n_distinguishing = found.as_ref().map_or(END.len(), Vec::len);
        if middle <= low || middle >= high || n_equal > n_distinguishing {
            break;
        }
        match source.seek(column, &middle) {
            Ok(key) => {
                high = middle;
                found = key;
            }
            Err(_) => low = middle,
        }
    }
    Ok(found)
}

/// The middle of two keys, as fractions in base 256, with one digit more than the longer one.
fn between(low: &[u8], high: &[u8]) -> Vec<u8> {
    let n_digits = low.len().max(high.len()) + 1;
    let digit = |key: &[u8], place: usize| u16::from(key.get(place).copied().unwrap_or(0));
    // The sum, from the last digit to the first, and its carry.
    let mut sum = vec![0u16; n_digits];
    let mut carry = 0;
    for place in (0..n_digits).rev() {
        let total = digit(low, place) + digit(high, place) + carry;
        sum[place] = total & 0xff;
        carry = total >> 8;
    }
    let mut rest = carry;
    sum.into_iter()
        .map(|digit| {
            let value = (rest << 8) | digit;
            rest = value & 1;
            u8::try_from(value >> 1).unwrap_or(u8::MAX)
        })
        .collect()
}

/// Copies records in a gap by key. A bad block hides newer records of the same keys in other
/// tables; where keys are numbers, each is looked up.
fn copy_gap(
    source: &Store,
    target: &Store,
    column: Column,
    from: &[u8],
    to: &[u8],
) -> Result<(), RecordsError> {
    if !matches!(column, Column::Items | Column::Vectors) {
        return Ok(());
    }
    let Ok(next) = source.next_id() else {
        return Ok(());
    };
    let mut portion = Portion::default();
    let mut copy = |key: &[u8]| -> Result<(), RecordsError> {
        if let Ok(Some(value)) = source.get(column, key) {
            portion.put(target, column, key, &value)?;
        }
        Ok(())
    };
    let is_within = |key: &[u8]| key >= from && key < to;
    for id in 1..next.0 {
        let id = ItemId(id);
        if column == Column::Items {
            let key = keys::item(id);
            if is_within(&key) {
                copy(&key)?;
            }
        } else {
            for kind in ItemKind::ALL {
                let key = keys::vector(kind, id);
                if is_within(&key) {
                    copy(&key)?;
                }
            }
        }
    }
    portion.write(target, column)
}

fn remove_folder(path: &Path) -> Result<(), RecordsError> {
    match fs_err::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_between_both_keys() {
        let rows: [(&[u8], &[u8], &[u8]); 5] = [
            (b"\x10", b"\x20", b"\x18\0"),
            (b"\x10", b"\x11", b"\x10\x80"),
            (b"", b"\xff\xff", b"\x7f\xff\x80"),
            (b"\xfe", b"\xff", b"\xfe\x80"),
            (b"a\xff", b"b", b"a\xff\x80"),
        ];
        assert_eq!(rows.len(), 5);
        for (low, high, middle) in rows {
            assert_eq!(between(low, high), middle, "{low:?} {high:?}");
        }
    }
}
