//! How does an index get as small and quick as it can be? By writing anew what has gathered leftovers.

use super::IndexWriter;
use crate::error::{IndexError, Within};
use crate::lock::Gate;
use crate::shelf::{BuildProgress, Due};
use crate::steps::Step;

/// What compacting gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// The bytes of all files of the index before.
    pub n_bytes_before: u64,
    /// And after. More than before where graphs are built that were not there.
    pub n_bytes_after: u64,
}

impl IndexWriter {
    /// Commits, then writes the derived parts and the tables of the records anew: graphs that have fresh, removed or
    /// loose items are built, with which all tombstones go; RocksDB's tables are freed of what was removed or
    /// replaced; the word index becomes one segment. The answers stay the same, and readers beside this are not
    /// disturbed.
    ///
    /// # Errors
    /// Those of [`commit`](Self::commit), and when something cannot be built or written; nothing is lost then, and
    /// compacting can be done again.
    pub fn compact(
        &mut self,
        progress: &mut dyn FnMut(BuildProgress),
    ) -> Result<Compacted, IndexError> {
        let n_bytes_before = self.layout.n_bytes();
        let dir = self.layout.dir().to_owned();
        let stopped = |source| IndexError::Io {
            path: dir.clone(),
            source,
        };
        self.commit()?;
        self.build_graphs(Due::WhenAnythingIsLoose, progress)?;
        {
            // Only here do records move from the log to tables. Afterwards tables are replaced by others that say the
            // same; a reader that misses one of them opens again.
            let _closed = Gate::close(&self.layout)?;
            self.draft.store().flush().within(&dir)?;
        }
        self.steps.reach(Step::CompactFlushed).map_err(stopped)?;
        self.draft.store().compact().within(&dir)?;
        self.steps.reach(Step::CompactTables).map_err(stopped)?;
        if let Some(words) = &mut self.words
            && let Err(source) = words.merge()
        {
            self.give_up_words();
            return Err(IndexError::Words { dir, source });
        }
        self.steps.reach(Step::CompactWords).map_err(stopped)?;
        self.wrote = false;
        Ok(Compacted {
            n_bytes_before,
            n_bytes_after: self.layout.n_bytes(),
        })
    }
}
