//! The steps between two changes on disk, at each of which tests interrupt the writer.

use std::io;

/// Defines an enum that lists its variants, so that no test can omit one.
macro_rules! listed {
    ($(#[$about:meta])* pub(crate) enum $name:ident { $($(#[$doc:meta])* $variant:ident,)* }) => {
        $(#[$about])*
        pub(crate) enum $name {
            $($(#[$doc])* $variant,)*
        }

        #[cfg(test)]
        impl $name {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];
        }
    };
}

listed! {
/// A moment between two changes on disk, in chronological order. FORMAT.md has a row for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A new index has its records, but no manifest yet.
    RecordsCreated,
    /// An index of an older format: the copy of the manifest in its records is upgraded, the
    /// manifest is not.
    UpgradeCopied,
    /// The facets of a portion of the images of an older index are recorded.
    FacetsRecorded,
    /// The words of a generation are written, but not committed.
    WordsPrepared,
    /// The records of a generation are committed, its words are not.
    RecordsCommitted,
    /// Records and words are committed; tables are not flushed yet.
    WordsCommitted,
    /// The log is moved to tables.
    TablesFlushed,
    /// An index of format 2: its graphs are listed as segments.
    GraphsAdopted,
    /// Segments whose files are missing or damaged are no longer listed; the files still exist.
    GraphsUnlisted,
    /// A new segment is complete under a temporary name.
    GraphAside,
    /// The new segment has its name, but is not listed.
    GraphNamed,
    /// The new segment is listed, and those that it replaces are not; their files still exist.
    GraphListed,
    /// The files of the replaced segments are deleted.
    GraphsDeleted,
    /// Finishing: the hub biases are complete under a temporary name.
    HubsAside,
    /// Finishing: segments of the words are rewritten without their removed documents.
    WordsMerged,
    /// The records of the successor state that they are current; the manifest does not name them
    /// yet.
    SuccessorCopied,
    /// The manifest names the new data; the old data still exist.
    SuccessorSwitched,
    /// The old records can no longer be opened, but are not all deleted.
    OldDataDisabled,
    /// Compacting: the log is moved to tables, which are about to be rewritten.
    CompactFlushed,
    /// Compacting: the tables are rewritten, the words are not merged yet.
    CompactTables,
    /// Compacting: the words are merged.
    CompactWords,
    /// Repairing: a portion of what is readable is committed to the successor.
    RepairFilling,
    /// Repairing: everything readable is in the successor, and the losses are noted beside it.
    RepairCopied,
    /// Repairing: after the switch, the damaged data are renamed.
    RepairSetAside,
    /// Repairing: the result is checked, and the note of the losses is about to be deleted.
    RepairChecked,
}
}

/// Lets the writer continue at each step, except in tests that interrupt it.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Steps {
    #[cfg(test)]
    stop_at: Option<Step>,
    #[cfg(test)]
    plan: Option<&'static Plan>,
}

/// What happens at a step chosen by a test.
#[cfg(test)]
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// One write fails because the disk is full.
    Fail,
    /// The process ends at once, by this function.
    Kill(fn()),
}

/// The steps reached so far, and the one that fails.
#[cfg(test)]
#[derive(Debug)]
struct Plan {
    reached: std::sync::Mutex<Vec<Step>>,
    fault: Option<(usize, Fault)>,
}

#[cfg(test)]
impl Steps {
    /// Fails whenever `step` is reached.
    pub(crate) fn stop_at(step: Step) -> Self {
        Self {
            stop_at: Some(step),
            plan: None,
        }
    }

    /// Only records the steps.
    pub(crate) fn watched() -> Self {
        Self::planned(None)
    }

    /// Lets the `n`-th reached step fail, counted from 0.
    pub(crate) fn with_fault(n: usize, fault: Fault) -> Self {
        Self::planned(Some((n, fault)))
    }

    fn planned(fault: Option<(usize, Fault)>) -> Self {
        let reached = std::sync::Mutex::default();
        Self {
            stop_at: None,
            // Tests leak a few dozen plans; lifetimes in everything that takes steps would not pay
            // off.
            plan: Some(Box::leak(Box::new(Plan { reached, fault }))),
        }
    }

    /// The steps in the order in which they were reached.
    pub(crate) fn reached(self) -> Vec<Step> {
        self.plan
            .map_or_else(Vec::new, |plan| plan.reached.lock().unwrap().clone())
    }

    fn interrupt(self, step: Step) -> io::Result<()> {
        if self.stop_at == Some(step) {
            return Err(io::Error::other(format!("stopped at {step:?}")));
        }
        let Some(plan) = self.plan else {
            return Ok(());
        };
        let mut reached = plan.reached.lock().unwrap();
        reached.push(step);
        match plan.fault {
            Some((n, fault)) if n + 1 == reached.len() => match fault {
                Fault::Fail => Err(io::ErrorKind::StorageFull.into()),
                Fault::Kill(kill) => {
                    kill();
                    Ok(())
                }
            },
            _ => Ok(()),
        }
    }
}

impl Steps {
    /// Marks a step as reached.
    ///
    /// # Errors
    /// Only in tests, when one lets the writer fail at this step.
    #[cfg_attr(
        not(test),
        expect(clippy::unused_self, reason = "only tests interrupt the writer")
    )]
    #[cfg_attr(
        not(test),
        expect(clippy::unnecessary_wraps, reason = "only tests interrupt the writer")
    )]
    pub(crate) fn reach(self, step: Step) -> io::Result<()> {
        #[cfg(test)]
        self.interrupt(step)?;
        let _ = step;
        Ok(())
    }
}
