//! The RocksDB database: opened, read, and written in one atomic batch.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rocksdb::{
    BlockBasedOptions, BottommostLevelCompaction, Cache, ColumnFamily, ColumnFamilyDescriptor,
    CompactOptions, DB, DBCompactionStyle, DBCompressionType, DBRecoveryMode, FlushOptions,
    LogLevel, Options, ReadOptions, UniversalCompactOptions, WaitForCompactOptions, WriteBatch,
    WriteOptions,
};

use super::folder::{TableList, log_number};
use super::keys::{Column, meta};
use super::log::Logs;
use super::read::{Records, Visit};
use super::{RecordsError, damaged};
use crate::language::Language;

/// RocksDB flushes on its own only beyond this size, or when its log reaches twice [`FLUSH_BYTES`].
const WRITE_BUFFER_BYTES: usize = 512 << 20;

/// Size of the log beyond which it is moved to tables in the middle of a run.
const FLUSH_BYTES: u64 = 32 << 20;

/// Size of the log beyond which it is moved to tables at the end of a run. Below, reading it again
/// costs less than one more table per column.
const SMALL_FLUSH_BYTES: u64 = 4 << 20;

/// Number of log files beyond which they are moved to tables at the end of a run. Each writer
/// begins one.
pub(crate) const MAX_LOGS: usize = 16;

/// Number of tables of a column above which they are merged.
const MAX_RUNS: i32 = 4;

/// Number of tables beyond which the end of a run waits until they are merged. Below, a merge that
/// the end of the process interrupts is left to a later writer.
const MAX_TABLES: usize = 40;

/// Size of a table beyond which a merge begins another one.
const TABLE_BYTES: u64 = 256 << 20;

/// Size of a block of vectors, the unit of reading and of loss. Each block has an entry in memory,
/// and in blocks of the usual 4 KiB there is only one vector of 512 values.
const VECTOR_BLOCK_BYTES: usize = 16 << 10;

/// Blocks kept in memory for repeated reading.
const CACHE_BYTES: usize = 32 << 20;

/// Tables that a writer keeps open, and a reader that is short of file handles.
const FEW_FILES: i32 = 64;

/// How long a reader tries to open records that a writer keeps changing. A writer changes the list
/// of tables a few times for every few MiB of log.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open database.
pub(crate) struct Store {
    db: DB,
    /// Blocks read before. Readers of the same database can share it, since RocksDB gives every
    /// table an id of its own.
    cache: Cache,
}

/// A key with its new value, or none to remove it.
pub(crate) type Change<'a> = (Column, &'a [u8], Option<&'a [u8]>);

/// How a database is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Its tables and logs are changed.
    Write,
    /// All tables are opened at once, so that a merge cannot delete one before it is read.
    Read,
    /// The same with few files open at a time. A merge may then delete a table that is needed.
    ReadWithFewFiles,
    /// Missing tables and broken parts of the log are skipped.
    Tolerate,
}

impl Store {
    /// Opens a database for reading and writing. With `create`, a missing one is created.
    ///
    /// # Errors
    /// When it is damaged, or commits are missing from its log; the log is then kept.
    pub(crate) fn open(dir: &Path, create: bool) -> Result<Self, RecordsError> {
        let mut options = options(Access::Write)?;
        options.create_if_missing(create);
        options.create_missing_column_families(create);
        let logs = if dir.exists() {
            Some(Logs::read(dir)?)
        } else {
            None
        };
        let cache = Cache::new_lru_cache(CACHE_BYTES);
        let db = DB::open_cf_descriptors(&options, dir, columns(Column::ALL, &cache))?;
        Self { db, cache }.checked(logs.as_ref())
    }

    /// Opens the newest state for reading. Creates and changes nothing, not even RocksDB's own log.
    /// No lock is needed: if a writer changes the list of tables meanwhile, it is opened again.
    ///
    /// # Errors
    /// When it is damaged, or commits are missing from its log, or a writer keeps changing it.
    pub(crate) fn open_read_only(dir: &Path) -> Result<Self, RecordsError> {
        Self::open_sharing(dir, &Cache::new_lru_cache(CACHE_BYTES))
    }

    /// The same for the database of this one, whose cached blocks are shared.
    ///
    /// # Errors
    /// As [`open_read_only`](Self::open_read_only).
    pub(crate) fn open_again(&self, dir: &Path) -> Result<Self, RecordsError> {
        Self::open_sharing(dir, &self.cache)
    }

    fn open_sharing(dir: &Path, cache: &Cache) -> Result<Self, RecordsError> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            let before = TableList::look(dir)?;
            let opened = Self::open_present_state(dir, cache);
            if TableList::look(dir)? == before {
                return opened;
            }
            if start.elapsed() > PATIENCE {
                return Err(RecordsError::Busy);
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    fn open_present_state(dir: &Path, cache: &Cache) -> Result<Self, RecordsError> {
        let logs = Logs::read(dir)?;
        let opened = match Self::open_as(Access::Read, dir, cache) {
            Err(error) if error.is_out_of_files() => {
                Self::open_as(Access::ReadWithFewFiles, dir, cache)
            }
            opened => opened,
        };
        opened?.checked(Some(&logs))
    }

    /// Opens a database for reading. Columns that it does not have yet are empty.
    fn open_as(access: Access, dir: &Path, cache: &Cache) -> Result<Self, RecordsError> {
        let options = options(access)?;
        let open = |present: &[Column]| {
            let columns = columns(present.iter().copied(), cache);
            DB::open_cf_descriptors_read_only(&options, dir, columns, false)
        };
        let db = match open(&Column::ALL) {
            Err(error) if error.to_string().contains("Column family not found") => {
                let names = DB::list_cf(&options, dir)?;
                let is_present = |column: &Column| names.iter().any(|name| name == column.name());
                let present: Vec<Column> = Column::ALL.into_iter().filter(is_present).collect();
                open(&present)?
            }
            opened => opened?,
        };
        Ok(Self {
            db,
            cache: cache.clone(),
        })
    }

    /// Refuses records whose log has lost a commit. RocksDB opens them at the commit before.
    fn checked(self, logs: Option<&Logs>) -> Result<Self, RecordsError> {
        let recovered = self.db.latest_sequence_number();
        if logs.is_some_and(|logs| logs.lost_something(recovered)) {
            return Err(damaged("the log of the records"));
        }
        Ok(self)
    }

    /// Refuses a database without some of its columns. They are created one after another before
    /// anything is written, so one without is either new or damaged.
    pub(crate) fn require_columns(&self) -> Result<(), RecordsError> {
        Column::ALL
            .into_iter()
            .try_for_each(|column| self.column(column).map(drop))
    }

    /// Opens damaged records for reading. Missing tables and broken parts of the log are skipped;
    /// reading what they contained fails.
    pub(crate) fn open_tolerant(dir: &Path) -> Result<Self, RecordsError> {
        Self::open_as(Access::Tolerate, dir, &Cache::new_lru_cache(CACHE_BYTES))
    }

    /// RocksDB's own repair: a new list of the intact tables, and new tables from the logs.
    pub(crate) fn rebuild_list_of_tables(dir: &Path) -> Result<(), RecordsError> {
        Ok(DB::repair(&options(Access::Write)?, dir)?)
    }

    fn column(&self, column: Column) -> Result<&ColumnFamily, RecordsError> {
        self.present(column).ok_or(damaged("the list of columns"))
    }

    /// None for a column that the database does not have yet.
    fn present(&self, column: Column) -> Option<&ColumnFamily> {
        self.db.cf_handle(column.name())
    }

    /// Makes all changes or none. When this returns, they survive a power failure.
    pub(crate) fn write<'a>(
        &self,
        changes: impl IntoIterator<Item = Change<'a>>,
    ) -> Result<(), RecordsError> {
        let mut batch = WriteBatch::default();
        for (column, key, value) in changes {
            let column = self.column(column)?;
            match value {
                Some(value) => batch.put_cf(column, key, value),
                None => batch.delete_cf(column, key),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        Ok(self.db.write_opt(batch, &options)?)
    }

    /// Stores a copy of the manifest.
    pub(crate) fn write_manifest_copy(&self, manifest: &[u8]) -> Result<(), RecordsError> {
        self.write([(Column::Default, meta::MANIFEST, Some(manifest))])
    }

    /// Stores the language of the words at once, without a generation of its own: words of another
    /// language are rebuilt whatever their generation. Notes that it was changed.
    pub(crate) fn write_language(&self, language: Language) -> Result<(), RecordsError> {
        let code = language.code().as_bytes();
        self.write([
            (Column::Default, meta::LANGUAGE, Some(code)),
            (
                Column::Default,
                meta::LANGUAGE_CHANGED,
                Some(b"".as_slice()),
            ),
        ])
    }

    /// Whether the log is long enough to slow down opening, in the middle of a run or at its end.
    pub(crate) fn is_flush_due(&self, at_end: bool) -> bool {
        let mut logs = Vec::new();
        let entries = fs_err::read_dir(self.db.path()).into_iter().flatten();
        for entry in entries.flatten() {
            let is_log = log_number(&entry.path()).is_some();
            if is_log && let Ok(log) = entry.metadata() {
                logs.push(log.len());
            }
        }
        let n_bytes: u64 = logs.iter().sum();
        if at_end {
            n_bytes > SMALL_FLUSH_BYTES || (n_bytes > 0 && logs.len() > MAX_LOGS)
        } else {
            n_bytes > FLUSH_BYTES
        }
    }

    /// The first key that is not before `key`. Fails when it is in an unreadable block.
    pub(crate) fn seek(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, RecordsError> {
        let mut iterator = self.db.raw_iterator_cf(self.column(column)?);
        iterator.seek(key);
        let found = iterator.key().map(<[u8]>::to_vec);
        iterator.status()?;
        Ok(found)
    }

    /// Reads every block of a column, which checks its checksum.
    pub(crate) fn verify(&self, column: Column) -> Result<(), RecordsError> {
        self.scan(column, &[], &[], &mut |_, _| Ok(true))
    }

    /// Rewrites the tables without removed and replaced records.
    pub(crate) fn compact(&self) -> Result<(), RecordsError> {
        for column in Column::ALL {
            self.compact_column(column)?;
        }
        Ok(())
    }

    fn compact_column(&self, column: Column) -> Result<(), RecordsError> {
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::ForceOptimized);
        let column = self.column(column)?;
        self.db
            .compact_range_cf_opt(column, None::<&[u8]>, None::<&[u8]>, &options);
        Ok(())
    }

    /// Merges tables where there are too many. RocksDB merges them in the background, but short
    /// runs end before it gets to it, and older versions of this program left many tables that it
    /// would not merge.
    pub(crate) fn merge_tables(&self) -> Result<(), RecordsError> {
        if self.db.live_files()?.len() <= MAX_TABLES {
            return Ok(());
        }
        self.db
            .wait_for_compact(&WaitForCompactOptions::default())?;
        let live = self.db.live_files()?;
        for column in Column::ALL {
            let tables = live
                .iter()
                .filter(|table| table.column_family_name == column.name());
            let (mut n, mut n_bytes) = (0, 0);
            for table in tables {
                n += 1;
                n_bytes += table.size as u64;
            }
            let n_needed = n_bytes.div_ceil(TABLE_BYTES);
            if n > 2 * n_needed + u64::from(MAX_RUNS.unsigned_abs()) {
                self.compact_column(column)?;
            }
        }
        Ok(())
    }

    /// Moves the log to tables.
    pub(crate) fn flush(&self) -> Result<(), RecordsError> {
        let columns = Column::ALL
            .into_iter()
            .map(|column| self.column(column))
            .collect::<Result<Vec<_>, _>>()?;
        let mut options = FlushOptions::default();
        options.set_wait(true);
        Ok(self.db.flush_cfs_opt(&columns, &options)?)
    }
}

impl Records for Store {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, RecordsError> {
        match self.present(column) {
            Some(column) => Ok(self.db.get_cf(column, key)?),
            None => Ok(None),
        }
    }

    fn scan(
        &self,
        column: Column,
        prefix: &[u8],
        start: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), RecordsError> {
        let Some(column) = self.present(column) else {
            return Ok(());
        };
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_async_io(false);
        let mut iterator = self.db.raw_iterator_cf_opt(column, options);
        iterator.seek(prefix.max(start));
        while let Some((key, value)) = iterator.item() {
            if !key.starts_with(prefix) || !visit(key, value)? {
                return Ok(());
            }
            iterator.next();
        }
        // An iterator also ends at an unreadable block.
        Ok(iterator.status()?)
    }
}

fn options(access: Access) -> Result<Options, rocksdb::Error> {
    // Otherwise each writer would begin with tables of what the one before has logged. The crate
    // has no method for this option.
    let mut options =
        Options::default().get_options_from_string("avoid_flush_during_recovery=true")?;
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    // RocksDB preallocates this much disk space for its log. The flushes of the writer keep the log
    // well below.
    options.set_max_total_wal_size(2 * FLUSH_BYTES);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(2);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options.set_skip_stats_update_on_db_open(true);
    options.set_max_open_files(match access {
        Access::Read | Access::Tolerate => -1,
        Access::Write | Access::ReadWithFewFiles => FEW_FILES,
    });
    // By default, RocksDB starts 15 threads for each column to open its tables, even of one that
    // has none.
    options.set_max_file_opening_threads(1);
    // All columns are flushed together, so that the log ends at the same commit for all of them.
    options.set_atomic_flush(true);
    if access == Access::Tolerate {
        options.set_wal_recovery_mode(DBRecoveryMode::SkipAnyCorruptedRecord);
        options.set_paranoid_checks(false);
    } else {
        // Up to the first damage. `checked` makes sure that nothing acknowledged is behind it.
        options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    }
    Ok(options)
}

fn columns(
    columns: impl IntoIterator<Item = Column>,
    cache: &Cache,
) -> Vec<ColumnFamilyDescriptor> {
    let describe = |column: Column| {
        let mut options = Options::default();
        options.set_write_buffer_size(WRITE_BUFFER_BYTES);
        // Vectors are nearly random and do not compress.
        let compression = if column == Column::Vectors {
            DBCompressionType::None
        } else {
            DBCompressionType::Lz4
        };
        options.set_compression_type(compression);
        // Keys mostly arrive in order. Merging by levels would keep each small table for good, as
        // none overlaps another.
        options.set_compaction_style(DBCompactionStyle::Universal);
        options.set_universal_compaction_options(&UniversalCompactOptions::default());
        options.set_level_zero_file_num_compaction_trigger(MAX_RUNS);
        options.set_target_file_size_base(TABLE_BYTES);
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(cache);
        if column == Column::Vectors {
            blocks.set_block_size(VECTOR_BLOCK_BYTES);
        }
        // Indexing asks for files and contents that are mostly new.
        if matches!(column, Column::Hashes | Column::Paths) {
            blocks.set_bloom_filter(10.0, false);
        }
        options.set_block_based_table_factory(&blocks);
        ColumnFamilyDescriptor::new(column.name(), options)
    };
    columns.into_iter().map(describe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n_tables(dir: &Path) -> usize {
        let entries = fs_err::read_dir(dir).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|found| found == "sst"))
            .count()
    }

    impl Store {
        /// Creates a database with some of its columns only.
        pub(crate) fn create_columns(dir: &Path, present: &[Column]) {
            let mut options = options(Access::Write).unwrap();
            options.create_if_missing(true);
            options.create_missing_column_families(true);
            let columns = columns(present.iter().copied(), &Cache::new_lru_cache(CACHE_BYTES));
            fs_err::create_dir_all(dir).unwrap();
            drop(DB::open_cf_descriptors(&options, dir, columns).unwrap());
        }
    }

    /// A database of an older version of this program: levels, and tables that do not overlap.
    fn with_many_tables(dir: &Path) {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        let columns = Column::ALL.map(|column| (column.name(), options.clone()));
        let db = DB::open_cf_with_opts(&options, dir, columns).unwrap();
        for number in 0..N_TABLES {
            let items = db.cf_handle(Column::Items.name()).unwrap();
            db.put_cf(items, number.to_be_bytes(), [7; 100]).unwrap();
            db.flush_cf(items).unwrap();
        }
        // Each table is moved to a lower level as it is.
        let all = WaitForCompactOptions::default();
        db.wait_for_compact(&all).unwrap();
        drop(db);
        assert!(n_tables(dir) > 150, "{}", n_tables(dir));
    }

    const N_TABLES: u32 = 200;

    fn n_items(store: &Store) -> u32 {
        let mut n = 0;
        let scan = store.scan(Column::Items, &[], &[], &mut |_, _| {
            n += 1;
            Ok(true)
        });
        scan.unwrap();
        n
    }

    #[test]
    fn many_tables_of_an_older_version_are_merged() {
        let dir = tempfile::tempdir().unwrap();
        with_many_tables(dir.path());
        let store = Store::open(dir.path(), false).unwrap();
        store.merge_tables().unwrap();
        assert_eq!(n_items(&store), N_TABLES);
        drop(store);
        drop(Store::open(dir.path(), false).unwrap());
        assert!(n_tables(dir.path()) < 10, "{}", n_tables(dir.path()));
    }

    /// Names the database for the child. Without it, the test below does nothing.
    #[cfg(unix)]
    const FOLDER: &str = "SIGHTLINE_TEST_MANY_TABLES";

    /// The body of the child process, which may have few files open, not a test of its own.
    #[cfg(unix)]
    #[test]
    fn child_with_fewer_handles_than_tables() {
        let Some(dir) = std::env::var_os(FOLDER) else {
            return;
        };
        let dir = Path::new(&dir);
        let reader = Store::open_read_only(dir).unwrap();
        assert_eq!(n_items(&reader), N_TABLES);
        drop(reader);
        let store = Store::open(dir, false).unwrap();
        assert_eq!(n_items(&store), N_TABLES);
        store.merge_tables().unwrap();
        println!("the child is done");
    }

    #[cfg(unix)]
    #[test]
    fn more_tables_than_file_handles_can_be_read_and_merged() {
        let dir = tempfile::tempdir().unwrap();
        with_many_tables(dir.path());
        let child = std::process::Command::new("sh")
            .args(["-c", "ulimit -n 128; exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().unwrap())
            .args(["records::store::tests::child_with_fewer_handles_than_tables"])
            .args(["--exact", "--nocapture", "--test-threads", "1"])
            .env(FOLDER, dir.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
        assert!(text.contains("the child is done"), "{text}");
    }

    #[test]
    fn columns_of_a_later_version_are_empty_in_an_older_database() {
        let dir = tempfile::tempdir().unwrap();
        Store::create_columns(dir.path(), &[Column::Default]);
        let store = Store::open_read_only(dir.path()).unwrap();
        assert_eq!(store.get(Column::Items, &[1]).unwrap(), None);
        assert_eq!(n_items(&store), 0);
        assert!(
            store
                .require_columns()
                .is_err_and(|error| error.is_damage())
        );
    }
}
