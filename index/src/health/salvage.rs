//! Reads damaged records block by block: whatever is readable by any method.
//!
//! RocksDB's own repair drops a whole table for one bad block, so it is used only when the list of
//! tables is unusable, a table is missing, or a bad block hides records of intact tables.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::rules::Source;
use crate::item::{Generation, ItemId, ItemKind};
use crate::records::RecordsError;
use crate::records::keys::{self, Column};
use crate::records::read::{Records, Visit};
use crate::records::store::Store;

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

/// Damaged records, readable as far as possible. The folder of the records is not changed.
pub(crate) struct Salvaged<'a> {
    dir: &'a Path,
    /// A temporary folder.
    scratch: &'a Path,
    /// What each method makes of them, opened when needed; none when it cannot.
    stores: [OnceCell<Option<Store>>; METHODS.len()],
    /// By column, the number of the method that reads it.
    methods: [usize; Column::ALL.len()],
    /// By column, whether something could not be read.
    gaps: [Cell<bool>; Column::ALL.len()],
}

impl<'a> Salvaged<'a> {
    /// Opens the records in `dir` by the first method that yields generation `expected`, which
    /// other parts of the index show to have been committed, or else by the one with the newest
    /// generation. A column that a method cannot read is read by the methods after it.
    ///
    /// # Errors
    /// When nothing can be read.
    pub(crate) fn open(
        dir: &'a Path,
        scratch: &'a Path,
        expected: Generation,
    ) -> Result<Self, RecordsError> {
        let mut salvaged = Self {
            dir,
            scratch,
            stores: Default::default(),
            methods: Default::default(),
            gaps: Default::default(),
        };
        let mut best = None;
        for first in 0..METHODS.len() {
            let Some(methods) = salvaged.methods_from(first)? else {
                continue;
            };
            salvaged.methods = methods;
            let generation = readable(salvaged.generation())?.unwrap_or(Generation(0));
            if best.is_none_or(|(newest, _)| generation > newest) {
                best = Some((generation, methods));
            }
            if generation >= expected {
                break;
            }
        }
        let (_, methods) = best.ok_or(RecordsError::Damaged {
            what: "every file of the database",
        })?;
        salvaged.methods = methods;
        for (gap, method) in salvaged.gaps.iter().zip(methods) {
            // RocksDB's repair does not report which tables it dropped.
            gap.set(METHODS[method] == Method::NewList);
        }
        Ok(salvaged)
    }

    /// For each column the first method from number `first` on that can read it. None when none can
    /// for some column.
    fn methods_from(
        &self,
        first: usize,
    ) -> Result<Option<[usize; Column::ALL.len()]>, RecordsError> {
        let mut methods = [0; Column::ALL.len()];
        for column in Column::ALL {
            let mut found = None;
            for method in first..METHODS.len() {
                if let Some(store) = self.store(method)?
                    && readable(store.seek(column, &END))?.is_some()
                {
                    found = Some(method);
                    break;
                }
            }
            let Some(found) = found else { return Ok(None) };
            methods[column as usize] = found;
        }
        Ok(Some(methods))
    }

    fn store(&self, method: usize) -> Result<Option<&Store>, RecordsError> {
        if self.stores[method].get().is_none() {
            let path = readable(prepare(self.dir, self.scratch, METHODS[method]))?.flatten();
            let store = path.map(|path| readable(Store::open_tolerant(&path)));
            let _ = self.stores[method].set(store.transpose()?.flatten());
        }
        Ok(self.stores[method].get().and_then(Option::as_ref))
    }

    fn store_of(&self, column: Column) -> Result<&Store, RecordsError> {
        let store = self.store(self.methods[column as usize])?;
        store.ok_or(RecordsError::Damaged {
            what: "every file of the database",
        })
    }

    /// The intact tables, in which records may be found that a bad block hides. They may be
    /// outdated if the bad block replaced or removed them; then they contradict the other columns.
    /// Hashes and lists of captions are not looked up: they follow from the items.
    fn intact(&self, column: Column) -> Result<Option<&Store>, RecordsError> {
        if matches!(column, Column::Hashes | Column::Captions) {
            return Ok(None);
        }
        self.store(METHODS.len() - 1)
    }

    /// Visits what can be read in a gap. False when `visit` ends the scan.
    fn visit_gap(
        &self,
        column: Column,
        gap: &Gap,
        visit: &mut Visit<'_>,
    ) -> Result<bool, RecordsError> {
        // A bad block also hides records of tables that are not intact themselves; where keys are
        // numbers, each is looked up.
        let mut found = numbered_keys(column, gap, self.next_id().unwrap_or(ItemId(0)));
        if let Some(intact) = self.intact(column)? {
            let scanned = intact.scan(column, &gap.prefix, &gap.from, &mut |key, _| {
                let is_within = key < gap.to.as_slice();
                if is_within && key != STUB {
                    found.insert(key.to_vec());
                }
                Ok(is_within)
            });
            readable(scanned)?;
        }
        for key in found {
            if let Some(value) = self.get(column, &key)?
                && !visit(&key, &value)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Source for Salvaged<'_> {
    fn is_damaged(&self) -> bool {
        true
    }

    fn has_gaps(&self, column: Column) -> bool {
        self.gaps[column as usize].get()
    }
}

/// From the first key that cannot be read to the first that can, below a prefix.
struct Gap {
    prefix: Vec<u8>,
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Records for Salvaged<'_> {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, RecordsError> {
        if let Some(found) = readable(self.store_of(column)?.get(column, key))? {
            return Ok(found);
        }
        let intact = self.intact(column)?;
        let found = intact.map(|intact| readable(intact.get(column, key)));
        Ok(found.transpose()?.flatten().flatten())
    }

    fn scan(
        &self,
        column: Column,
        prefix: &[u8],
        start: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), RecordsError> {
        let store = self.store_of(column)?;
        let mut start = prefix.max(start).to_vec();
        loop {
            let mut last = Vec::new();
            let mut ended = None;
            let scanned = store.scan(column, prefix, &start, &mut |key, value| {
                last.clear();
                last.extend_from_slice(key);
                if key == STUB {
                    return Ok(true);
                }
                match visit(key, value) {
                    Ok(true) => return Ok(true),
                    Ok(false) => ended = Some(Ok(())),
                    Err(error) => ended = Some(Err(error)),
                }
                Ok(false)
            });
            if let Some(ended) = ended {
                return ended;
            }
            if readable(scanned)?.is_some() {
                return Ok(());
            }
            self.gaps[column as usize].set(true);
            let from = if last.is_empty() { start } else { after(last) };
            let next = first_after(store, column, &from)?;
            let gap = Gap {
                prefix: prefix.to_vec(),
                from,
                to: next.unwrap_or(END.to_vec()),
            };
            let goes_on = self.visit_gap(column, &gap, visit)?;
            if !goes_on || (gap.to.as_slice() > prefix && !gap.to.starts_with(prefix)) {
                return Ok(());
            }
            // A key that can be found but not read is part of the gap.
            start = if gap.to <= gap.from {
                after(gap.from)
            } else {
                gap.to
            };
        }
    }
}

/// The first key after another one.
fn after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// The value, or none when it cannot be read. An error that may pass is returned: a process
/// without free file handles must not take everything for lost.
fn readable<T>(result: Result<T, RecordsError>) -> Result<Option<T>, RecordsError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if may_pass(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

fn may_pass(error: &RecordsError) -> bool {
    const TEXTS: [&str; 6] = [
        "Too many open files",
        "Cannot allocate memory",
        "Permission denied",
        "No space left on device",
        "Disk quota exceeded",
        "Read-only file system",
    ];
    match error {
        RecordsError::Storage { source } => {
            let text = source.to_string();
            TEXTS.iter().any(|passing| text.contains(passing))
        }
        RecordsError::File { source } => source.kind() != std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// The keys in a gap of a column whose keys are numbers, for ids below `next`.
fn numbered_keys(column: Column, gap: &Gap, next: ItemId) -> BTreeSet<Vec<u8>> {
    let prefixes: &[&[u8]] = match column {
        Column::Items => &[&[]],
        Column::Vectors => &[&[ItemKind::Image as u8], &[ItemKind::Caption as u8]],
        _ => &[],
    };
    let mut keys = BTreeSet::new();
    for prefix in prefixes {
        // The number in a bound of the gap, in the place of the id.
        let bound = |key: &[u8]| {
            let rest = key.strip_prefix(*prefix)?;
            let mut bytes = [0; 4];
            let n = rest.len().min(4);
            bytes[..n].copy_from_slice(&rest[..n]);
            Some(u32::from_be_bytes(bytes))
        };
        let first = bound(&gap.from).unwrap_or(0);
        let last = bound(&gap.to).unwrap_or(u32::MAX).min(next.0);
        let all = (first..=last).map(|id| [*prefix, &keys::item(ItemId(id))].concat());
        let is_within =
            |key: &Vec<u8>| *key >= gap.from && *key < gap.to && key.starts_with(&gap.prefix);
        keys.extend(all.filter(is_within));
    }
    keys
}

/// Makes the records readable by one method and returns their folder, or none if the method is the
/// same as the one before.
fn prepare(dir: &Path, scratch: &Path, method: Method) -> Result<Option<PathBuf>, RecordsError> {
    if method == Method::Tolerant {
        return Ok(Some(dir.to_owned()));
    }
    let scratch = &scratch.join(format!("{method:?}"));
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
    Ok(Some(scratch.clone()))
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

/// The first key after an unreadable range that begins at `from`, or none at the end of the column.
fn first_after(
    source: &Store,
    column: Column,
    from: &[u8],
) -> Result<Option<Vec<u8>>, RecordsError> {
    let seek = |key: &[u8]| readable(source.seek(column, key));
    if let Some(found) = seek(from)? {
        return Ok(found);
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
        if seek(&key)?.is_some() {
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
        match seek(&middle)? {
            Some(key) => {
                high = middle;
                found = key;
            }
            None => low = middle,
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
