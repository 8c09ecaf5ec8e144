//! Where may a crash cut the writer short? These are the places; tests stop it at each of them.

use std::io;

/// An enum that can list its variants, so that no test forgets one.
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
    /// Readers are kept out; what the log holds is not in tables yet.
    GateClosed,
    /// The tables are written and the log is dropped; readers are still kept out.
    TablesFlushed,
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
}

/// Tells the writer to go on, except in tests that disturb it.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Steps {
    #[cfg(test)]
    stop_at: Option<Step>,
    #[cfg(test)]
    plan: Option<&'static Plan>,
}

/// What happens at a step that a test has chosen.
#[cfg(test)]
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// The disk is full, this once.
    Fail,
    /// The process ends on the spot, by this.
    Kill(fn()),
}

/// The steps that were reached, and which of them goes wrong.
#[cfg(test)]
#[derive(Debug)]
struct Plan {
    reached: std::sync::Mutex<Vec<Step>>,
    fault: Option<(usize, Fault)>,
}

#[cfg(test)]
impl Steps {
    /// Ends the writer each time that it comes to `step`.
    pub(crate) fn stop_at(step: Step) -> Self {
        Self {
            stop_at: Some(step),
            plan: None,
        }
    }

    /// Only takes down the steps.
    pub(crate) fn watched() -> Self {
        Self::planned(None)
    }

    /// Lets the `n`-th step that is reached go wrong, counted from 0.
    pub(crate) fn with_fault(n: usize, fault: Fault) -> Self {
        Self::planned(Some((n, fault)))
    }

    fn planned(fault: Option<(usize, Fault)>) -> Self {
        let reached = std::sync::Mutex::default();
        Self {
            stop_at: None,
            // Tests plan some dozens of times; it is not worth lifetimes in all that takes steps.
            plan: Some(Box::leak(Box::new(Plan { reached, fault }))),
        }
    }

    /// The steps in the order in which they were reached.
    pub(crate) fn reached(self) -> Vec<Step> {
        self.plan
            .map_or_else(Vec::new, |plan| plan.reached.lock().unwrap().clone())
    }

    fn disturb(self, step: Step) -> io::Result<()> {
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
    /// An error when a test wants the writer to fail here.
    #[cfg_attr(
        not(test),
        expect(clippy::unused_self, reason = "only tests disturb the writer")
    )]
    #[cfg_attr(
        not(test),
        expect(clippy::unnecessary_wraps, reason = "only tests disturb the writer")
    )]
    pub(crate) fn reach(self, step: Step) -> io::Result<()> {
        #[cfg(test)]
        self.disturb(step)?;
        let _ = step;
        Ok(())
    }
}
