//! What the folder of a database looks like from outside, to notice that a writer changes it.

use std::io;
use std::path::Path;

/// The list of tables. RocksDB only appends to it, or begins another one and names it in `CURRENT`.
/// It deletes tables and logs only after that, so whoever finds the same before and after reading
/// them has missed none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TableList {
    /// The content of `CURRENT`; none if there is no such file.
    current: Option<Vec<u8>>,
    /// The size of the list that it names; none if there is no such file.
    n_bytes: Option<u64>,
}

impl TableList {
    /// Looks at the list in a folder.
    ///
    /// # Errors
    /// When a file cannot be read for another reason than that it is missing.
    pub(super) fn look(dir: &Path) -> io::Result<Self> {
        let current = present(fs_err::read(dir.join("CURRENT")))?;
        let n_bytes = match current.as_deref().and_then(name_of_list) {
            Some(name) => present(fs_err::metadata(dir.join(name)))?.map(|list| list.len()),
            None => None,
        };
        Ok(Self { current, n_bytes })
    }

    /// The content of the list in a folder; empty if there is none.
    ///
    /// # Errors
    /// As [`look`](Self::look).
    pub(super) fn read(dir: &Path) -> io::Result<Vec<u8>> {
        let current = present(fs_err::read(dir.join("CURRENT")))?;
        let content = match current.as_deref().and_then(name_of_list) {
            Some(name) => present(fs_err::read(dir.join(name)))?,
            None => None,
        };
        Ok(content.unwrap_or_default())
    }
}

/// The file that `CURRENT` names. A damaged one may contain anything.
fn name_of_list(current: &[u8]) -> Option<&str> {
    let name = str::from_utf8(current).ok()?.trim_end();
    let number = name.strip_prefix("MANIFEST-")?;
    let is_number = number.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then_some(name)
}

/// Everything that shows whether something was committed: the list of tables, and each log with
/// its size. Logs only grow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    tables: TableList,
    logs: Vec<(u64, u64)>,
}

impl Outline {
    /// Looks at the database in a folder.
    ///
    /// # Errors
    /// When the folder or a file cannot be read for another reason than that it is missing.
    pub(crate) fn look(dir: &Path) -> io::Result<Self> {
        let tables = TableList::look(dir)?;
        let mut logs = Vec::new();
        for entry in fs_err::read_dir(dir)? {
            let entry = entry?;
            if let Some(number) = log_number(&entry.path())
                && let Some(log) = present(entry.metadata())?
            {
                logs.push((number, log.len()));
            }
        }
        logs.sort_unstable();
        Ok(Self { tables, logs })
    }
}

/// The number of a log file, or none for another file.
pub(super) fn log_number(path: &Path) -> Option<u64> {
    let is_log = path.extension().is_some_and(|found| found == "log");
    path.file_stem()?.to_str()?.parse().ok().filter(|_| is_log)
}

/// None for a missing file.
fn present<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
