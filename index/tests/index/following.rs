//! Readers that move on: newer views beside older ones, while another process commits.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sightline_index::{Generation, IndexReader, IndexWriter, ItemKind, Nearest, SearchQuery};

use crate::support::{assert_healthy, binding, hash, photo, put_photo, vector, with_graphs_from};

const DIMENSION: usize = 48;

/// Photos before the first commit of the child.
const N_FIRST: u64 = 300;
const N_COMMITS: u64 = 500;
/// The child finishes after this many commits, so that graphs are built and logs moved.
const N_TO_FINISH: u64 = 50;

fn open(dir: &Path) -> IndexWriter {
    IndexWriter::open_or_create_with(dir, &binding(DIMENSION), with_graphs_from(100)).unwrap()
}

/// The first generation.
fn make(dir: &Path) {
    let mut writer = open(dir);
    (0..N_FIRST).for_each(|number| add(&mut writer, number));
    assert_eq!(writer.finish().unwrap(), Generation(1));
}

fn add(writer: &mut IndexWriter, number: u64) {
    put_photo(writer, number, vector(DIMENSION, number));
}

/// Adds a photo in each commit, and removes one that is as old as the first photos are many.
fn commit(writer: &mut IndexWriter, number: u64) {
    add(writer, number);
    writer.remove_file(&photo(number - N_FIRST)).unwrap();
    writer.commit().unwrap();
}

/// Asserts that a view has exactly the photos of its generation, by every kind of search.
fn compare(view: &IndexReader, seed: u64) {
    let n_commits = view.generation().0 - 1;
    let (oldest, newest) = (n_commits, n_commits + N_FIRST - 1);
    let counts = view.counts();
    assert_eq!((counts.n_images, counts.n_files), (N_FIRST, N_FIRST));
    for number in [oldest, newest, oldest + seed % N_FIRST] {
        let vector = vector(DIMENSION, number);
        let word = format!("photo{number}");
        let found = view.search(&SearchQuery {
            kind: ItemKind::Image,
            vector: Some(&vector),
            words: Some(&word),
            n: 1,
            among: None,
            filter: None,
            nearest: Nearest::default(),
        });
        let found = found.unwrap();
        let id = view.image_with_hash(&hash(number)).unwrap();
        assert_eq!(found.len(), 1, "{number} in {:?}", view.generation());
        assert_eq!(Some(found[0].id), id);
        assert_eq!(found[0].rank_by_words, Some(1));
        assert_eq!(view.items(&[found[0].id]).unwrap().len(), 1);
    }
    for missing in [oldest.wrapping_sub(1), newest + 1] {
        assert_eq!(view.image_with_hash(&hash(missing)).unwrap(), None);
    }
    let all = view.nearest(
        ItemKind::Image,
        &vector(DIMENSION, seed),
        1000,
        &Nearest::default(),
    );
    assert_eq!(all.unwrap().len() as u64, N_FIRST);
}

#[test]
fn a_newer_view_has_the_newest_generation_and_an_older_one_keeps_its_own() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    let mut views = vec![IndexReader::open(dir.path(), None).unwrap()];
    compare(&views[0], 7);
    assert!(views[0].newer().unwrap().is_none(), "nothing was committed");
    let mut writer = open(dir.path());
    let mut n_newer = 0;
    for number in N_FIRST..N_FIRST + 100 {
        commit(&mut writer, number);
        let last = views.last().unwrap();
        // Some are skipped.
        if number % 3 == 0 {
            continue;
        }
        let newer = last.newer().unwrap().unwrap();
        assert_eq!(newer.generation(), writer.generation());
        compare(&newer, number);
        // RocksDB may still be merging tables.
        let again = newer.newer().unwrap();
        assert!(again.is_none_or(|again| again.generation() == newer.generation()));
        n_newer += 1;
        views.push(newer);
        if number % 20 == 1 {
            writer
                .compact(&mut |_| std::ops::ControlFlow::Continue(()))
                .unwrap();
        }
        if number % 20 == 11 {
            writer.finish().unwrap();
            writer = open(dir.path());
        }
        if number % 7 == 1 {
            views.remove(views.len() / 2);
        }
    }
    assert!(n_newer > 60, "{n_newer}");
    for (view, seed) in views.iter().zip(0..) {
        compare(view, seed);
    }
    drop(writer);
    assert_healthy(dir.path());
}

/// Names the index for each child. Without it, their tests do nothing.
const FOLLOWED: &str = "SIGHTLINE_TEST_FOLLOWED";
const FOLLOWING: &str = "SIGHTLINE_TEST_FOLLOWING";

fn child(test: &str, variable: &str, dir: &Path) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args([test, "--exact", "--nocapture", "--test-threads", "1"])
        .env_remove(FOLLOWING)
        .env(variable, dir);
    child
}

/// The body of the child process, not a test of its own.
#[test]
fn child_that_commits_many_times() {
    let Some(dir) = std::env::var_os(FOLLOWED) else {
        return;
    };
    let dir = Path::new(&dir);
    let mut writer = open(dir);
    for number in N_FIRST..N_FIRST + N_COMMITS {
        commit(&mut writer, number);
        if number % N_TO_FINISH == 0 {
            writer.finish().unwrap();
            writer = open(dir);
        }
    }
    println!("the child is done");
}

/// Resident memory of this process and its open files, where the system tells.
fn held() -> Option<(u64, usize)> {
    let text = fs_err::read_to_string("/proc/self/statm").ok()?;
    let n_pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    let n_files = fs_err::read_dir("/proc/self/fd").ok()?.count();
    Some((n_pages * 4096, n_files))
}

/// A process that asks 200 times per second while another commits 500 times.
#[test]
fn queries_follow_another_process_that_commits_all_the_time() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    let test = "following::child_that_asks_while_another_commits";
    let asked = child(test, FOLLOWING, dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&asked.stdout) + String::from_utf8_lossy(&asked.stderr);
    assert!(said.contains("all was answered"), "{said}");
    assert_healthy(dir.path());
}

/// The body of the asking process, whose memory is its own, not a test of its own.
#[test]
fn child_that_asks_while_another_commits() {
    let Some(dir) = std::env::var_os(FOLLOWING) else {
        return;
    };
    let dir = Path::new(&dir);
    let current = Mutex::new(Arc::new(IndexReader::open(dir, None).unwrap()));
    let view = || Arc::clone(&current.lock().unwrap());
    compare(&view(), 0);
    let mut child = child("following::child_that_commits_many_times", FOLLOWED, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let is_done = AtomicBool::new(false);
    let (n_queries, n_views, n_held) = thread::scope(|scope| {
        let following = scope.spawn(|| {
            let mut n_views = 0;
            while !is_done.load(Ordering::SeqCst) {
                if let Some(newer) = view().newer().unwrap() {
                    assert!(newer.generation() >= view().generation());
                    *current.lock().unwrap() = Arc::new(newer);
                    n_views += 1;
                }
                thread::sleep(Duration::from_millis(20));
            }
            n_views
        });
        let asking = scope.spawn(|| {
            let (mut n_queries, mut n_held) = (0, Vec::new());
            let start = Instant::now();
            while !is_done.load(Ordering::SeqCst) {
                compare(&view(), n_queries);
                n_queries += 1;
                if n_queries % 50 == 0 {
                    n_held.extend(held());
                }
                let due = Duration::from_millis(5 * n_queries);
                thread::sleep(due.saturating_sub(start.elapsed()));
            }
            (n_queries, n_held)
        });
        let lines: Vec<String> = out.lines().map_while(Result::ok).collect();
        is_done.store(true, Ordering::SeqCst);
        let (n_queries, n_held) = asking.join().unwrap();
        let n_views = following.join().unwrap();
        assert!(
            lines.iter().any(|line| line.contains("the child is done")),
            "{lines:?}"
        );
        (n_queries, n_views, n_held)
    });
    child.wait().unwrap();
    assert!(n_queries > 100 && n_views > 20, "{n_queries}, {n_views}");
    let newest = view().newer().unwrap().map_or_else(view, Arc::new);
    assert_eq!(newest.generation(), Generation(1 + N_COMMITS));
    compare(&newest, 1);
    // Old views are freed: neither memory nor open files grow with the commits.
    let half = n_held.len() / 2;
    if let (Some(early), Some(late)) = (n_held[..half].iter().max(), n_held[half..].iter().max()) {
        assert!(
            late.0 < early.0 + (64 << 20),
            "{early:?} {late:?} bytes and files"
        );
    }
    let most_files = |held: &[(u64, usize)]| held.iter().map(|held| held.1).max();
    let (early, late) = (most_files(&n_held[..half]), most_files(&n_held[half..]));
    if let (Some(early), Some(late)) = (early, late) {
        assert!(late < early + 100, "{early} {late} files");
    }
    println!("all was answered");
}
