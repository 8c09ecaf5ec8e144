//! The view of the index that queries are answered from, and the thread that keeps it new.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use sightline_index::{Binding, IndexError, IndexReader};

use super::error::EngineError;

/// The current view, opened by the first query.
pub(super) struct Views {
    folder: PathBuf,
    current: Arc<Slot>,
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
        let mut slot = lock(&self.current);
        if let Some(view) = slot.as_ref() {
            return Ok(Arc::clone(view));
        }
        let view = Arc::new(IndexReader::open(&self.folder, Some(&binding()))?);
        *slot = Some(Arc::clone(&view));
        Ok(view)
    }

    /// Replaces the current view, if any, by one of the newest generation. Queries meanwhile are
    /// answered from the old one, and so they are after an error that may pass.
    pub(super) fn refresh(&self) {
        refresh_or_close(&self.current);
    }

    /// Does the same every `interval`, on a thread of its own, until this is dropped.
    pub(super) fn follow(&self, interval: Duration) -> io::Result<()> {
        let (stop, stopped) = mpsc::channel();
        let current = Arc::downgrade(&self.current);
        thread::Builder::new()
            .name("sightline-views".to_owned())
            .spawn(move || {
                while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(interval) {
                    let Some(current) = Weak::upgrade(&current) else {
                        return;
                    };
                    refresh_or_close(&current);
                }
            })?;
        let mut follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
        *follower = Some(stop);
        Ok(())
    }
}

/// The current view, shared with the thread that follows the index.
type Slot = Mutex<Option<Arc<IndexReader>>>;

fn lock(slot: &Slot) -> MutexGuard<'_, Option<Arc<IndexReader>>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refresh_or_close(slot: &Slot) {
    if refresh(slot).is_err_and(|error| is_final(&error)) {
        // The next query reports why it cannot be opened.
        *lock(slot) = None;
    }
}

/// Opens a newer view beside the current one, then puts it in its place.
fn refresh(slot: &Slot) -> Result<(), IndexError> {
    loop {
        let Some(old) = lock(slot).clone() else {
            return Ok(());
        };
        let Some(newer) = old.newer()? else {
            return Ok(());
        };
        if replace(slot, &old, newer) {
            return Ok(());
        }
        // Another thread has put a view that may be newer than this one, or not.
    }
}

/// Puts a newer view in the place of `old`. Returns false when another one is there already.
fn replace(slot: &Slot, old: &Arc<IndexReader>, newer: IndexReader) -> bool {
    let mut current = lock(slot);
    let is_there = current.as_ref().is_some_and(|view| Arc::ptr_eq(view, old));
    if is_there {
        *current = Some(Arc::new(newer));
    }
    is_there
}

/// Whether an error is about what the index is, so that the same view can never be renewed.
fn is_final(error: &IndexError) -> bool {
    error.is_damage()
        || matches!(
            error,
            IndexError::NoIndex { .. }
                | IndexError::NotAnIndex { .. }
                | IndexError::OtherModel { .. }
                | IndexError::OtherDimension { .. }
                | IndexError::NewerFormat { .. }
                | IndexError::OlderFormat { .. }
        )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use image::{Rgb, RgbImage};

    use super::*;
    use crate::engine::tests::{GREEN, Place, RED};
    use crate::engine::{Engine, IndexRequest, SearchRequest, fake, quietly};

    /// All pictures are found, the more similar ones first.
    fn n_found(engine: &Engine) -> usize {
        let hits = engine.search(&SearchRequest::text("green", 1000));
        hits.unwrap().len()
    }

    /// Waits until a query finds this many pictures.
    #[track_caller]
    fn wait_for(engine: &Engine, n: usize) {
        let mut n_waits = 0;
        while n_found(engine) < n {
            n_waits += 1;
            assert!(n_waits < 6000, "the newest generation is never seen");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn an_index_made_after_its_engine_is_followed_too() {
        let place = Place::new();
        let following = place.engine();
        following.follow(Duration::from_millis(5)).unwrap();
        assert!(following.search(&SearchRequest::text("green", 1)).is_err());
        place.draw("a.png", RED, 30);
        place.index();
        // Any call may open the first generation, or one that a later commit replaces.
        assert_eq!(n_found(&following), 1);
        place.draw("b.png", GREEN, 31);
        place.index();
        wait_for(&following, 2);
    }

    #[test]
    fn a_change_of_model_ends_the_answers() {
        let place = Place::new();
        place.draw("a.png", RED, 30);
        place.index();
        let following = place.engine();
        following.follow(Duration::from_millis(5)).unwrap();
        assert_eq!(n_found(&following), 1);
        let (before, generation) = (
            following.view_id().unwrap(),
            following.generation().unwrap(),
        );
        fs_err::remove_dir_all(&place.index).unwrap();
        let other = Engine::open(&place.index, fake::encoders("two"));
        let request = IndexRequest::folder(&place.photos);
        other.index(&request, &mut quietly).unwrap();
        let mut n_waits = 0;
        loop {
            match following.search(&SearchRequest::text("green", 1)) {
                Err(EngineError::Index(IndexError::OtherModel { .. })) => break,
                _ => thread::sleep(Duration::from_millis(10)),
            }
            n_waits += 1;
            assert!(n_waits < 6000, "the change of model is never seen");
        }
        assert_ne!(other.view_id().unwrap(), before);
        assert_eq!(other.generation().unwrap(), generation);
    }

    #[test]
    fn an_engine_that_follows_sees_what_others_commit() {
        let place = Place::new();
        place.draw("a.png", RED, 30);
        place.index();
        let (still, following) = (place.engine(), place.engine());
        following.follow(Duration::from_millis(5)).unwrap();
        assert_eq!((n_found(&still), n_found(&following)), (1, 1));
        place.draw("b.png", GREEN, 31);
        place.index();
        wait_for(&following, 2);
        assert_eq!(n_found(&still), 1);
        let current = Arc::downgrade(&following.views.current);
        drop(following);
        let mut n_waits = 0;
        while current.strong_count() > 0 {
            n_waits += 1;
            assert!(n_waits < 6000, "the thread never ends");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn an_older_view_never_replaces_a_newer_one() {
        let place = Place::new();
        place.draw("a.png", RED, 30);
        place.index();
        let engine = place.engine();
        assert_eq!(n_found(&engine), 1);
        let slot = &engine.views.current;
        let old = lock(slot).clone().unwrap();
        place.draw("b.png", GREEN, 31);
        place.index();
        let newer = old.newer().unwrap().unwrap();
        // Meanwhile, another thread goes on to the newest generation.
        place.draw("c.png", GREEN, 32);
        place.index();
        engine.views.refresh();
        assert_eq!(n_found(&engine), 3);
        assert!(!replace(slot, &old, newer));
        assert_eq!(n_found(&engine), 3);
    }

    /// A link to itself stands for an error that passes, such as too many open files.
    #[cfg(unix)]
    #[test]
    fn a_view_stays_after_an_error_that_may_pass() {
        let place = Place::new();
        place.draw("a.png", RED, 30);
        place.index();
        let engine = place.engine();
        assert_eq!(n_found(&engine), 1);
        place.draw("b.png", GREEN, 31);
        place.index();
        let manifest = place.index.join("manifest.json");
        let aside = place.photos.join("aside");
        fs_err::rename(&manifest, &aside).unwrap();
        fs_err::os::unix::fs::symlink("manifest.json", &manifest).unwrap();
        engine.views.refresh();
        assert_eq!(n_found(&engine), 1);
        fs_err::rename(&aside, &manifest).unwrap();
        engine.views.refresh();
        assert_eq!(n_found(&engine), 2);
        fs_err::remove_dir_all(&place.index).unwrap();
        engine.views.refresh();
        let error = engine.search(&SearchRequest::text("green", 1)).unwrap_err();
        let is_reported = error.to_string().contains("there is no index here");
        assert!(is_reported, "{error}");
    }

    /// Name the folder for each child. Without it, their tests do nothing.
    const ASKING: &str = "SIGHTLINE_TEST_ASKING";
    const FEEDING: &str = "SIGHTLINE_TEST_FEEDING";

    /// Runs of the child that indexes, each with one new picture.
    const N_RUNS: u8 = 100;

    fn child(test: &str, variable: &str, base: &Path) -> Command {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args([test, "--exact", "--nocapture", "--test-threads", "1"])
            .env_remove(ASKING)
            .env(variable, base);
        child
    }

    /// The body of the child that indexes, not a test of its own.
    #[test]
    fn child_that_indexes_many_times() {
        let Some(base) = std::env::var_os(FEEDING) else {
            return;
        };
        let photos = Path::new(&base).join("photos");
        let engine = Engine::open(Path::new(&base).join("index"), fake::encoders("one"));
        for run in 0..N_RUNS {
            RgbImage::from_pixel(40 + u32::from(run), 20, Rgb([0, 100 + run, 0]))
                .save(photos.join(format!("run{run}.png")))
                .unwrap();
            let request = IndexRequest::folder(&photos);
            let report = engine.index(&request, &mut quietly).unwrap();
            assert_eq!(report.n_added, 1);
        }
    }

    /// Resident memory of this process in bytes, where the system tells.
    fn resident() -> Option<u64> {
        let text = fs_err::read_to_string("/proc/self/statm").ok()?;
        let n_pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
        Some(n_pages * 4096)
    }

    /// The body of the child that asks, whose memory is its own, not a test of its own.
    #[test]
    fn child_that_asks_while_another_indexes() {
        let Some(base) = std::env::var_os(ASKING) else {
            return;
        };
        let base = Path::new(&base);
        let engine = Engine::open(base.join("index"), fake::encoders("one"));
        engine.follow(Duration::from_millis(5)).unwrap();
        let test = "engine::views::tests::child_that_indexes_many_times";
        let mut feeding = child(test, FEEDING, base).spawn().unwrap();
        let (mut n_before, mut n_steps, mut held) = (1, 0, Vec::new());
        let ended = loop {
            let ended = feeding.try_wait().unwrap();
            let n = n_found(&engine);
            assert!(n >= n_before, "{n} after {n_before}: an older view");
            n_steps += usize::from(n > n_before);
            n_before = n;
            held.extend(resident());
            if let Some(status) = ended {
                break status;
            }
            thread::sleep(Duration::from_millis(2));
        };
        assert!(ended.success());
        wait_for(&engine, 1 + usize::from(N_RUNS));
        assert!(n_steps >= 5, "{n_steps} views in {N_RUNS} runs");
        let (early, late) = held.split_at(held.len() / 2);
        if let (Some(early), Some(late)) = (early.iter().max(), late.iter().max()) {
            assert!(late < &(early + (64 << 20)), "{early}, then {late} bytes");
        }
        println!("all was answered");
    }

    #[test]
    fn queries_follow_another_process_that_indexes_all_the_time() {
        let place = Place::new();
        place.draw("a.png", RED, 30);
        place.index();
        let test = "engine::views::tests::child_that_asks_while_another_indexes";
        let base = place.photos.parent().unwrap();
        let asked = child(test, ASKING, base).output().unwrap();
        let said = String::from_utf8_lossy(&asked.stdout) + String::from_utf8_lossy(&asked.stderr);
        assert!(said.contains("all was answered"), "{said}");
    }
}
