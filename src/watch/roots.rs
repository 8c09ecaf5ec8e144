//! The library folders that are watched, as they appear, disappear and are replaced.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::time::Duration;

use notify_debouncer_full::file_id::{FileId, get_file_id};
use notify_debouncer_full::notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{Debouncer, RecommendedCache, new_debouncer};

use super::signals::{Signal, failure, signals};

/// Reports about one file within this time become one.
const DEBOUNCE: Duration = Duration::from_millis(500);

/// A library folder.
struct Root {
    /// With links resolved, if it was there when it was named.
    folder: PathBuf,
    /// Which folder is watched under this path. Another one may be there later: an unmounted disk
    /// leaves its mount point, and a folder may be deleted and created again.
    watched: Option<FileId>,
    is_there: bool,
    /// Whether something in it changed since it was indexed.
    is_changed: bool,
}

/// The library folders, none inside another.
pub(super) struct Roots {
    debouncer: Option<Debouncer<RecommendedWatcher, RecommendedCache>>,
    roots: Vec<Root>,
}

/// What became of a folder at the last look.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It is missing now.
    Missing(PathBuf),
    /// Some of it, or all, cannot be watched.
    Unwatched(Signal),
}

impl Roots {
    /// Passes on signals to `sender`. Without support by the system, all that follows still works,
    /// but for the signals; the second value says why.
    pub(super) fn new(sender: Sender<Signal>) -> (Self, Option<Signal>) {
        let pass_on = move |result| {
            for signal in signals(result) {
                let _ = sender.send(signal);
            }
        };
        let (debouncer, trouble) = match new_debouncer(DEBOUNCE, None, pass_on) {
            Ok(debouncer) => (Some(debouncer), None),
            Err(error) => (None, Some(failure(&error))),
        };
        let roots = Vec::new();
        (Self { debouncer, roots }, trouble)
    }

    /// Watches these folders and no others. Folders inside others are left out.
    pub(super) fn set(&mut self, folders: &[PathBuf]) {
        let mut folders: Vec<PathBuf> = folders.iter().map(|folder| resolved(folder)).collect();
        folders.sort();
        folders.dedup_by(|inner, outer| inner.starts_with(&*outer));
        for index in (0..self.roots.len()).rev() {
            if !folders.contains(&self.roots[index].folder) {
                self.unwatch(index);
                self.roots.swap_remove(index);
            }
        }
        for folder in folders {
            if !self.roots.iter().any(|root| root.folder == folder) {
                self.roots.push(Root {
                    folder,
                    watched: None,
                    is_there: true,
                    is_changed: true,
                });
            }
        }
    }

    /// The folders that are there.
    pub(super) fn available(&self) -> Vec<PathBuf> {
        let available = self.roots.iter().filter(|root| root.is_there);
        available.map(|root| root.folder.clone()).collect()
    }

    /// The folders that are there and in which something changed. They count as unchanged from now
    /// on.
    pub(super) fn take_changed(&mut self) -> Vec<PathBuf> {
        let mut changed = Vec::new();
        for root in &mut self.roots {
            if root.is_there && std::mem::take(&mut root.is_changed) {
                changed.push(root.folder.clone());
            }
        }
        changed
    }

    /// The folder that a path is in.
    pub(super) fn folder_of(&self, path: &Path) -> Option<&Path> {
        let mut roots = self.roots.iter();
        let root = roots.find(|root| path.starts_with(&root.folder));
        root.map(|root| root.folder.as_path())
    }

    /// Notes that something changed in the folder that a path is in.
    pub(super) fn note_changed(&mut self, path: &Path) {
        for root in &mut self.roots {
            root.is_changed |= path.starts_with(&root.folder);
        }
    }

    /// Watches everything again at the next look, in case a folder was missed, as after a loss of
    /// signals. Everything may have changed.
    pub(super) fn renew(&mut self) {
        for index in 0..self.roots.len() {
            self.unwatch(index);
            self.roots[index].is_changed = true;
        }
    }

    /// Watches a folder again at the next look, if `path` is one: it was deleted, moved or
    /// replaced.
    pub(super) fn renew_at(&mut self, path: &Path) {
        for index in 0..self.roots.len() {
            if self.roots[index].folder == path {
                self.unwatch(index);
            }
        }
    }

    /// Looks which folders are there, and watches those that are new or others than before.
    pub(super) fn look(&mut self) -> Vec<Look> {
        let mut found = Vec::new();
        for index in 0..self.roots.len() {
            let root = &self.roots[index];
            let current = folder_id(&root.folder);
            if current.is_some() && current == root.watched {
                continue;
            }
            self.unwatch(index);
            let root = &mut self.roots[index];
            match current {
                Some(id) => {
                    root.is_there = true;
                    root.is_changed = true;
                    root.watched = Some(id);
                    if let Some(debouncer) = &mut self.debouncer {
                        let mut trouble = Vec::new();
                        watch(debouncer, &root.folder, &mut trouble);
                        found.extend(trouble.into_iter().map(Look::Unwatched));
                    }
                }
                None if root.is_there => {
                    root.is_there = false;
                    found.push(Look::Missing(root.folder.clone()));
                }
                None => {}
            }
        }
        found
    }

    fn unwatch(&mut self, index: usize) {
        let root = &mut self.roots[index];
        if root.watched.take().is_some()
            && let Some(debouncer) = &mut self.debouncer
        {
            // Of a folder that was deleted, the system has dropped the watch.
            let _ = debouncer.unwatch(&root.folder);
        }
    }
}

/// A path with links resolved, or at least absolute.
fn resolved(folder: &Path) -> PathBuf {
    let resolved = fs_err::canonicalize(folder).or_else(|_| std::path::absolute(folder));
    resolved.unwrap_or_else(|_| folder.to_path_buf())
}

/// Which folder a path is.
fn folder_id(folder: &Path) -> Option<FileId> {
    let id = || -> io::Result<FileId> { get_file_id(folder) };
    folder.is_dir().then(id)?.ok()
}

/// Watches a folder with everything in it. The watcher gives up at the first folder that it cannot
/// watch, so the folders beside that one are then watched one by one.
fn watch(
    debouncer: &mut Debouncer<RecommendedWatcher, RecommendedCache>,
    folder: &Path,
    trouble: &mut Vec<Signal>,
) {
    let Err(error) = debouncer.watch(folder, RecursiveMode::Recursive) else {
        return;
    };
    let failed = failure(&error);
    let is_own = error.paths.is_empty() || error.paths.iter().any(|path| path == folder);
    if failed == Signal::Limit || is_own {
        trouble.push(failed);
        return;
    }
    let Ok(entries) = fs_err::read_dir(folder) else {
        trouble.push(failed);
        return;
    };
    for entry in entries.flatten() {
        // Links may lead back up.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            watch(debouncer, &entry.path(), trouble);
            if trouble.contains(&Signal::Limit) {
                return;
            }
        }
    }
}
