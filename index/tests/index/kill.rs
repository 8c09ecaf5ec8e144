//! A writer killed at any moment, with concurrent readers.

use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use sightline_index::{Generation, IndexReader, IndexWriter, ItemKind, Nearest, check};

use crate::support::{assert_healthy, binding, hash, put_photo, vector, with_graphs_from};

const DIMENSION: usize = 32;

/// Photos in each commit of the child.
const N_PER_COMMIT: u64 = 25;

/// Names the index for the child. Without it, the test below does nothing.
const FOLDER: &str = "SIGHTLINE_TEST_KILLED_WRITER";

fn open(dir: &Path) -> IndexWriter {
    IndexWriter::open_or_create_with(dir, &binding(DIMENSION), with_graphs_from(50)).unwrap()
}

/// The body of the child process until it is killed, not a test of its own. It regularly finishes
/// and opens again, so that tables are flushed, graphs switched and logs deleted while readers are
/// open.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(FOLDER) else {
        return;
    };
    let dir = Path::new(&dir);
    let mut out = std::io::stdout();
    let mut writer = open(dir);
    loop {
        let start = writer.generation().0 * N_PER_COMMIT;
        for number in start..start + N_PER_COMMIT {
            let id = put_photo(&mut writer, number, vector(DIMENSION, number));
            let caption = (
                format!("caption {number}"),
                vector(DIMENSION, number + 1_000_000),
            );
            writer
                .set_captions(Some(id), Path::new("/c.txt"), vec![caption])
                .unwrap();
        }
        let generation = writer.commit().unwrap();
        let built = writer.build_graphs(&mut |_| ControlFlow::Continue(()));
        assert!(built.unwrap().is_continue());
        if generation.0.is_multiple_of(7) {
            writer.finish().unwrap();
            writer = open(dir);
        }
        writeln!(out, "committed {}", generation.0).unwrap();
        out.flush().unwrap();
    }
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_child(dir: &Path) -> Killed {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "kill::child_that_writes_until_it_is_killed",
            "--exact",
            "--nocapture",
            "--test-threads",
            "1",
        ])
        .env(FOLDER, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Killed(child)
}

/// The generations that the child commits, as it commits them.
struct Commits(Receiver<u64>);

impl Commits {
    fn of(child: &mut Killed) -> Self {
        let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(number) = line.split("committed ").nth(1) {
                    // The test may have ended.
                    let _ = sender.send(number.trim().parse().unwrap());
                }
            }
        });
        Self(receiver)
    }

    fn wait(&self) -> u64 {
        let next = self.0.recv_timeout(Duration::from_mins(5));
        next.unwrap_or_else(|_| panic!("the writer makes no progress"))
    }
}

/// Asserts that the index contains every photo of every committed generation, and nothing else.
fn compare(reader: &IndexReader) {
    let n = reader.generation().0 * N_PER_COMMIT;
    let counts = reader.counts();
    assert_eq!(
        (counts.n_images, counts.n_captions, counts.n_files),
        (n, n, n)
    );
    if n == 0 {
        return;
    }
    for number in [0, n / 2, n - 1] {
        let id = reader.image_with_hash(&hash(number)).unwrap().unwrap();
        let how = Nearest {
            exact: number == 0,
            ef: 64,
        };
        let near = reader
            .nearest(ItemKind::Image, &vector(DIMENSION, number), 1, &how)
            .unwrap();
        assert_eq!(near[0].id, id, "photo {number} of {n}");
        assert_eq!(reader.captions_of(id).unwrap().len(), 1);
        let found = reader
            .matching(ItemKind::Caption, &format!("{number}"), 1)
            .unwrap();
        assert_eq!(found.len(), 1, "caption {number} of {n}");
    }
}

#[test]
fn a_killed_writer_loses_nothing_committed() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = 0;
    let mut n_kills = 0;
    for (n_commits, delay_us) in [
        (1, 0),
        (3, 700),
        (4, 2_500),
        (2, 6_000),
        (6, 300),
        (1, 11_000),
    ] {
        let mut child = start_child(dir.path());
        let committed = Commits::of(&mut child);
        for _ in 0..n_commits {
            last = committed.wait();
        }
        thread::sleep(Duration::from_micros(delay_us));
        drop(child);
        n_kills += 1;

        let reader = IndexReader::open(dir.path(), None).unwrap();
        assert!(
            reader.generation() >= Generation(last),
            "{:?} of {last}",
            reader.generation()
        );
        compare(&reader);
        let generation = reader.generation();
        drop(reader);
        let writer = open(dir.path());
        assert_eq!(writer.generation(), generation);
        drop(writer);
        assert_healthy(dir.path());
    }
    assert_eq!(n_kills, 6);
    assert!(last >= 17);
    open(dir.path()).finish().unwrap();
    compare(&IndexReader::open(dir.path(), None).unwrap());
    assert_healthy(dir.path());
}

/// The number of the last segment of images that was built and remains.
fn highest_segment(dir: &Path) -> u64 {
    let files = fs_err::read_dir(dir.join("graphs")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let numbers = names.filter_map(|name| {
        let number = name.strip_prefix("image-")?.strip_suffix(".graph")?;
        number.parse().ok()
    });
    numbers.max().unwrap()
}

/// Fifty kills while segments are built and merged after each commit and at each end.
#[test]
fn fifty_kills_while_segments_are_merged_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = 0;
    for kill in 0..50u64 {
        let mut child = start_child(dir.path());
        let committed = Commits::of(&mut child);
        for _ in 0..=(kill % 3) {
            last = committed.wait();
        }
        thread::sleep(Duration::from_micros(kill * 7_919 % 40_000));
        drop(child);
        let reader = IndexReader::open(dir.path(), None).unwrap();
        assert!(reader.generation() >= Generation(last), "kill {kill}");
        compare(&reader);
        if kill % 10 == 9 {
            drop(reader);
            drop(open(dir.path()));
            assert_healthy(dir.path());
        }
    }
    open(dir.path()).finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    compare(&reader);
    let n_items = reader.generation().0 * N_PER_COMMIT;
    assert!(n_items >= 50 * N_PER_COMMIT, "{n_items}");
    let n_graphs = reader.n_graphs(ItemKind::Image);
    assert!(n_graphs <= 12, "{n_graphs} of {n_items} items");
    let highest = highest_segment(dir.path());
    assert!(highest > 3 * n_graphs, "{n_graphs} of {highest} remain");
    assert_healthy(dir.path());
    println!("50 kills, {n_items} items, {n_graphs} segments, 0 lost");
}

#[test]
fn readers_see_complete_generations_while_another_process_writes() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let mut child = start_child(dir.path());
    let committed = Commits::of(&mut child);
    let mut seen = std::collections::BTreeSet::new();
    let mut n_opened = 0;
    while n_opened < 60 || seen.len() < 8 {
        if n_opened >= 60 {
            // On a busy machine readers alone could keep it from the writer.
            committed.wait();
        }
        let reader = IndexReader::open(dir.path(), Some(&binding(DIMENSION))).unwrap();
        compare(&reader);
        assert!(
            seen.last()
                .is_none_or(|&last| last <= reader.generation().0),
            "generations only increase"
        );
        seen.insert(reader.generation().0);
        n_opened += 1;
    }
    drop(child);
    drop(open(dir.path()));
    assert_eq!(check(dir.path()).unwrap(), []);
}
