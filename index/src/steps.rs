//! Where may a crash cut the writer short? These are the places; tests stop it at each of them.

use std::io;

/// A moment between two changes on disk, in the order in which they come; FORMAT.md has a row for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A new index: the records are there, the manifest is not.
    RecordsCreated,
    /// An index of an older format: the copy of the manifest in its records is of the newest, the manifest is not.
    UpgradeCopied,
    /// The words of a generation are written out but not switched to.
    WordsPrepared,
    /// The records of a generation are committed, its words are not.
    RecordsCommitted,
    /// Records and words are committed; tables are not flushed yet.
    WordsCommitted,
    /// A new graph is complete beside the old one.
    GraphAside,
    /// The new graph is in place; the tombstones that it made needless are still there.
    GraphSwitched,
    /// The tombstones are gone too.
    GraphPurged,
    /// The records of the index that takes another's place say that they are the present ones; the manifest does not.
    SuccessorCopied,
    /// The manifest names the new data; the old are still there.
    SuccessorSwitched,
    /// The old records cannot be opened any more, but are not all deleted.
    OldDataDisabled,
    /// Compacting: what the log held is in tables, which are about to be written anew.
    CompactFlushed,
    /// Compacting: the tables are written anew, the words are not merged yet.
    CompactTables,
    /// Compacting: the words are merged too.
    CompactWords,
    /// Repairing: what can be read of the records is in new ones beside them.
    RepairCopied,
    /// Repairing: the damaged records have another name, the new ones do not have theirs.
    RepairSetAside,
    /// Repairing: the new records are in place; graphs and words are still those of the old ones.
    RepairSwitched,
}

/// Tells the writer to go on, except in tests that stop it.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Steps {
    #[cfg(test)]
    stop_at: Option<Step>,
}

impl Steps {
    #[cfg(test)]
    pub(crate) fn stop_at(step: Step) -> Self {
        Self {
            stop_at: Some(step),
        }
    }

    /// An error when a test wants the writer to end here.
    #[cfg_attr(
        not(test),
        expect(clippy::unused_self, reason = "only tests stop the writer")
    )]
    #[cfg_attr(
        not(test),
        expect(clippy::unnecessary_wraps, reason = "only tests stop the writer")
    )]
    pub(crate) fn reach(self, step: Step) -> io::Result<()> {
        #[cfg(test)]
        if self.stop_at == Some(step) {
            return Err(io::Error::other(format!("stopped at {step:?}")));
        }
        let _ = step;
        Ok(())
    }
}
