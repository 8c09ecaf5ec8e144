//! The RocksDB database: opened, read, and written in one atomic batch.

use std::path::Path;

use rocksdb::{
    BottommostLevelCompaction, ColumnFamily, ColumnFamilyDescriptor, CompactOptions, DB,
    DBCompressionType, DBRecoveryMode, FlushOptions, LogLevel, Options, ReadOptions, WriteBatch,
    WriteOptions,
};

use super::keys::{Column, meta};
use super::read::{Records, Visit};
use super::{RecordsError, damaged};
use crate::language::Language;

/// RocksDB flushes on its own only beyond this size, or when its log reaches twice [`FLUSH_BYTES`].
/// The writer flushes long before, while it holds the gate, which readers in other processes rely
/// on.
const WRITE_BUFFER_BYTES: usize = 512 << 20;

/// Unflushed bytes beyond which [`Store::is_flush_due`].
const FLUSH_BYTES: u64 = 32 << 20;

/// An open database.
pub(crate) struct Store {
    db: DB,
}

/// A key with its new value, or none to remove it.
pub(crate) type Change<'a> = (Column, &'a [u8], Option<&'a [u8]>);

impl Store {
    /// Opens a database for reading and writing. With `create`, a missing one is created.
    pub(crate) fn open(dir: &Path, create: bool) -> Result<Self, RecordsError> {
        let mut options = options();
        options.create_if_missing(create);
        options.create_missing_column_families(create);
        // Commits are synced, so only the very end of the log may be torn. Anything else is damage,
        // to be reported rather than cut off.
        options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
        Ok(Self {
            db: DB::open_cf_descriptors(&options, dir, columns())?,
        })
    }

    /// Opens the newest state for reading. Creates and changes nothing, not even RocksDB's own log.
    pub(crate) fn open_read_only(dir: &Path) -> Result<Self, RecordsError> {
        let mut options = options();
        options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
        Ok(Self {
            db: DB::open_cf_descriptors_read_only(&options, dir, columns(), false)?,
        })
    }

    /// Opens damaged records for reading. Missing tables and broken parts of the log are skipped;
    /// reading what they contained fails.
    pub(crate) fn open_tolerant(dir: &Path) -> Result<Self, RecordsError> {
        let mut options = options();
        options.set_wal_recovery_mode(DBRecoveryMode::SkipAnyCorruptedRecord);
        options.set_paranoid_checks(false);
        Ok(Self {
            db: DB::open_cf_descriptors_read_only(&options, dir, columns(), false)?,
        })
    }

    /// RocksDB's own repair: a new list of the intact tables, and new tables from the logs.
    pub(crate) fn rebuild_list_of_tables(dir: &Path) -> Result<(), RecordsError> {
        Ok(DB::repair(&options(), dir)?)
    }

    fn column(&self, column: Column) -> Result<&ColumnFamily, RecordsError> {
        self.db
            .cf_handle(column.name())
            .ok_or(damaged("the list of columns"))
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
    /// language are rebuilt whatever their generation.
    pub(crate) fn write_language(&self, language: Language) -> Result<(), RecordsError> {
        let code = language.code().as_bytes();
        self.write([(Column::Default, meta::LANGUAGE, Some(code))])
    }

    /// Whether enough was written since the last flush to slow down opening.
    pub(crate) fn is_flush_due(&self) -> bool {
        let unflushed = |column: Column| {
            let column = self.column(column).ok()?;
            self.db
                .property_int_value_cf(column, rocksdb::properties::CUR_SIZE_ALL_MEM_TABLES)
                .ok()?
        };
        Column::ALL.into_iter().filter_map(unflushed).sum::<u64>() > FLUSH_BYTES
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

    /// Whether the folder contains tables that the list of tables does not name, or a log that is
    /// not empty.
    ///
    /// Either is normal after a crash. Together with a derived part of a newer generation it means
    /// that commits are missing because the list or the log was truncated.
    pub(crate) fn has_more_than_it_knows(&self, dir: &Path) -> bool {
        let Ok(live) = self.db.live_files() else {
            return true;
        };
        let live: Vec<&str> = live
            .iter()
            .map(|file| file.name.trim_start_matches('/'))
            .collect();
        let Ok(entries) = fs_err::read_dir(dir) else {
            return false;
        };
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let path = Path::new(&name);
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("sst") => !live.iter().any(|live| name == *live),
                Some("log") => entry.metadata().is_ok_and(|data| data.len() > 0),
                _ => false,
            }
        })
    }

    /// Rewrites the tables without removed and replaced records. Flush before: otherwise the log
    /// would be moved to tables while readers are not locked out.
    pub(crate) fn compact(&self) -> Result<(), RecordsError> {
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::ForceOptimized);
        for column in Column::ALL {
            let column = self.column(column)?;
            self.db
                .compact_range_cf_opt(column, None::<&[u8]>, None::<&[u8]>, &options);
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
        Ok(self.db.get_cf(self.column(column)?, key)?)
    }

    fn scan(
        &self,
        column: Column,
        prefix: &[u8],
        start: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), RecordsError> {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_async_io(false);
        let mut iterator = self.db.raw_iterator_cf_opt(self.column(column)?, options);
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

fn options() -> Options {
    let mut options = Options::default();
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    // RocksDB preallocates this much disk space for its log. The flushes of the writer keep the log
    // well below.
    options.set_max_total_wal_size(2 * FLUSH_BYTES);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(2);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    // Readers open all tables at once, so that a later compaction cannot delete one before they
    // open it.
    options.set_max_open_files(-1);
    options
}

fn columns() -> Vec<ColumnFamilyDescriptor> {
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
        ColumnFamilyDescriptor::new(column.name(), options)
    };
    Column::ALL.into_iter().map(describe).collect()
}
