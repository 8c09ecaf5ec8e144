//! The view of the index that queries are answered from, and the thread that keeps it new.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use sightline_index::{Binding, IndexReader};

use super::error::EngineError;

/// The current view, opened by the first query.
pub(super) struct Views {
    folder: PathBuf,
    current: Arc<Mutex<Option<Arc<IndexReader>>>>,
    /// Dropping it ends the thread that follows the index.
    follower: Mutex<Option<Sender<()>>>,
}

impl Views {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            current: Arc::default(),
            follower: Mutex::default(),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The current view.
    ///
    /// # Errors
    /// When there is none yet and the index cannot be opened.
    pub(super) fn current(
        &self,
        binding: impl FnOnce() -> Binding,
    ) -> Result<Arc<IndexReader>, EngineError> {
        let mut slot = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = slot.as_ref() {
            return Ok(Arc::clone(view));
        }
        let view = Arc::new(IndexReader::open(&self.folder, Some(&binding()))?);
        *slot = Some(Arc::clone(&view));
        Ok(view)
    }

    /// Replaces the current view, if any, by one of the newest generation. Queries meanwhile are
    /// answered from the old one.
    pub(super) fn refresh(&self) {
        // The next query reports why it cannot be opened.
        if refresh(&self.current).is_err() {
            *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// Looks for a newer generation every `interval`, on a thread of its own, until this is
    /// dropped. If the index cannot be opened, the last view stays.
    pub(super) fn follow(&self, interval: Duration) -> Result<(), EngineError> {
        let (stop, stopped) = mpsc::channel();
        let current = Arc::downgrade(&self.current);
        thread::Builder::new()
            .name("sightline-views".to_owned())
            .spawn(move || {
                while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(interval) {
                    let Some(current) = Weak::upgrade(&current) else {
                        return;
                    };
                    // It is tried again at the next look.
                    let _ = refresh(&current);
                }
            })?;
        let mut follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
        *follower = Some(stop);
        Ok(())
    }
}

/// Opens a newer view beside the current one, then puts it in its place.
fn refresh(current: &Mutex<Option<Arc<IndexReader>>>) -> Result<(), sightline_index::IndexError> {
    let lock = || current.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(old) = lock().clone() else {
        return Ok(());
    };
    if let Some(newer) = old.newer()? {
        *lock() = Some(Arc::new(newer));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::SearchRequest;
    use crate::engine::tests::{GREEN, Place, RED};

    #[test]
    fn an_engine_that_follows_sees_what_others_commit() {
        let place = Place::new();
        place.draw("a.png", RED, 30);
        place.index();
        let (still, following) = (place.engine(), place.engine());
        let n_found = |engine: &crate::engine::Engine| {
            let hits = engine.search(&SearchRequest::text("green", 10));
            hits.unwrap().len()
        };
        following.follow(Duration::from_millis(5)).unwrap();
        assert_eq!((n_found(&still), n_found(&following)), (1, 1));
        place.draw("b.png", GREEN, 31);
        place.index();
        let mut n_waits = 0;
        while n_found(&following) < 2 {
            n_waits += 1;
            assert!(n_waits < 6000, "the newer generation is never seen");
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(n_found(&still), 1);
        let current = Arc::downgrade(&following.views.current);
        drop(following);
        while current.strong_count() > 0 {
            n_waits += 1;
            assert!(n_waits < 6000, "the thread never ends");
            thread::sleep(Duration::from_millis(10));
        }
    }
}
