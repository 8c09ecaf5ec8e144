//! What the operating system reports, as far as it matters here.

use std::path::PathBuf;

use notify_debouncer_full::DebounceEventResult;
use notify_debouncer_full::notify::event::{AccessKind, AccessMode};
use notify_debouncer_full::notify::{Error, ErrorKind, EventKind};

/// Something that the operating system reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signal {
    /// Something happened to this file or folder.
    Changed(PathBuf),
    /// Reports were lost: anything may have happened.
    Lost,
    /// No more folders can be watched: the limit of the system is reached.
    Limit,
    /// A report failed, and why.
    Failed(String),
}

/// The signals in what the debouncer passes on. That files are opened and read is left out: an
/// index run does that.
pub(super) fn signals(result: DebounceEventResult) -> Vec<Signal> {
    match result {
        Ok(events) => {
            let mut signals = Vec::new();
            for event in events {
                if event.need_rescan() {
                    signals.push(Signal::Lost);
                } else if is_change(event.kind) {
                    let paths = event.event.paths.into_iter();
                    signals.extend(paths.map(Signal::Changed));
                }
            }
            signals
        }
        Err(errors) => errors.into_iter().map(|error| failure(&error)).collect(),
    }
}

fn is_change(kind: EventKind) -> bool {
    let is_written = matches!(
        kind,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
    );
    is_written || !kind.is_access()
}

/// What a failed report or a failed watch means.
pub(super) fn failure(error: &Error) -> Signal {
    match (&error.kind, error.paths.first()) {
        (ErrorKind::MaxFilesWatch, _) => Signal::Limit,
        (ErrorKind::Io(reason), Some(path)) => {
            Signal::Failed(format!("{}: {reason}", path.display()))
        }
        _ => Signal::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use notify_debouncer_full::DebouncedEvent;
    use notify_debouncer_full::notify::Event;
    use notify_debouncer_full::notify::event::{
        CreateKind, DataChange, Flag, ModifyKind, RemoveKind, RenameMode,
    };

    use super::*;

    fn of(event: Event) -> Vec<Signal> {
        signals(Ok(vec![DebouncedEvent::new(event, Instant::now())]))
    }

    #[test]
    fn changes_matter_and_reading_does_not() {
        let rows = [
            (EventKind::Create(CreateKind::Folder), true),
            (EventKind::Modify(ModifyKind::Data(DataChange::Any)), true),
            (EventKind::Modify(ModifyKind::Name(RenameMode::From)), true),
            (EventKind::Remove(RemoveKind::File), true),
            (
                EventKind::Access(AccessKind::Close(AccessMode::Write)),
                true,
            ),
            (
                EventKind::Access(AccessKind::Close(AccessMode::Read)),
                false,
            ),
            (EventKind::Access(AccessKind::Open(AccessMode::Any)), false),
        ];
        for (kind, matters) in rows {
            let found = of(Event::new(kind).add_path("a.jpg".into()));
            let expected = matters.then(|| Signal::Changed("a.jpg".into()));
            assert_eq!(found, Vec::from_iter(expected), "{kind:?}");
        }
        assert_eq!(rows.len(), 7);
    }

    #[test]
    fn both_ends_of_a_rename_changed() {
        let kind = EventKind::Modify(ModifyKind::Name(RenameMode::Both));
        let event = Event::new(kind)
            .add_path("a.jpg".into())
            .add_path("b.jpg".into());
        let expected = ["a.jpg", "b.jpg"].map(|name| Signal::Changed(name.into()));
        assert_eq!(of(event), expected);
    }

    /// The event that `notify` makes of `IN_Q_OVERFLOW`.
    #[test]
    fn an_overflow_of_the_queue_loses_reports() {
        let event = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert_eq!(of(event), [Signal::Lost]);
    }

    #[test]
    fn the_limit_of_the_system_is_not_any_failure() {
        let limit = Error::new(ErrorKind::MaxFilesWatch).add_path("photos".into());
        assert_eq!(signals(Err(vec![limit])), [Signal::Limit]);
        let other = Error::io(std::io::Error::other("refused"));
        assert_eq!(
            signals(Err(vec![other.add_path("photos".into())])),
            [Signal::Failed("photos: refused".to_owned())]
        );
    }
}
