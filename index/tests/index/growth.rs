//! An index that is fed by many small runs, read by many, short of file handles.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use sightline_index::{Binding, Generation, IndexReader, IndexWriter, Successor, check};

use crate::support::{assert_healthy, binding, put_photo, vector, with_graphs_from};

const DIMENSION: usize = 64;

fn open(dir: &Path) -> IndexWriter {
    IndexWriter::open_or_create(dir, &binding(DIMENSION)).unwrap()
}

fn n_with_extension(dir: &Path, wanted: &str) -> usize {
    fs_err::read_dir(dir.join("records"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == wanted))
        .count()
}

#[test]
fn many_small_runs_leave_few_tables_and_logs() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let n_runs = 150;
    let (mut n_tables, mut n_logs) = (0, 0);
    for number in 0..n_runs {
        let mut writer = open(dir);
        put_photo(&mut writer, number, vector(DIMENSION, number));
        writer.finish().unwrap();
        n_tables = n_tables.max(n_with_extension(dir, "sst"));
        n_logs = n_logs.max(n_with_extension(dir, "log"));
    }
    let reader = IndexReader::open(dir, None).unwrap();
    assert_eq!(reader.generation(), Generation(n_runs));
    assert_eq!(reader.counts().n_files, n_runs);
    assert!(n_tables > 0, "the log is never moved to tables");
    assert!(n_tables < 60, "{n_tables}");
    assert!(n_logs < 30, "{n_logs}");
    assert_healthy(dir);
}

/// Runs without a change leave nothing behind.
#[test]
fn runs_without_a_change_leave_no_logs() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut writer = open(dir);
    put_photo(&mut writer, 1, vector(DIMENSION, 1));
    writer.finish().unwrap();
    for _ in 0..60 {
        open(dir).finish().unwrap();
    }
    let n_logs = n_with_extension(dir, "log");
    assert!(n_logs < 30, "{n_logs}");
    assert_healthy(dir);
}

/// Neither a reader that opens an index all the time nor a lock on any file that a reader may open
/// holds up the writer.
#[test]
fn readers_do_not_hold_up_a_writer() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    open(dir).finish().unwrap();
    fs_err::write(dir.join("gate"), "").unwrap();
    let gate = fs_err::File::open(dir.join("gate")).unwrap();
    gate.file().try_lock_shared().unwrap();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let read = || {
            let mut n_opened = 0;
            while !ended.load(Ordering::SeqCst) {
                let reader = IndexReader::open(dir, None).unwrap();
                assert_eq!(reader.counts().n_files, reader.generation().0);
                n_opened += 1;
            }
            n_opened
        };
        let readers: Vec<_> = (0..8).map(|_| scope.spawn(read)).collect();
        for number in 0..10 {
            let mut writer = open(dir);
            put_photo(&mut writer, number, vector(DIMENSION, number));
            writer
                .compact(&mut |_| std::ops::ControlFlow::Continue(()))
                .unwrap();
            writer.finish().unwrap();
        }
        ended.store(true, Ordering::SeqCst);
        let n_opened: u32 = readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .sum();
        assert!(n_opened > 8, "{n_opened}");
    });
    assert_healthy(dir);
}

/// Names the index for the child. Without it, the test below does nothing.
#[cfg(unix)]
const FOLDER: &str = "SIGHTLINE_TEST_FEW_HANDLES";

#[cfg(unix)]
fn new_model() -> Binding {
    Binding {
        fingerprint: "beef".into(),
        ..binding(DIMENSION)
    }
}

/// Uses up all file handles, then releases `n`.
#[cfg(unix)]
fn leave_handles(n: usize) -> Vec<fs_err::File> {
    let mut taken = Vec::new();
    while let Ok(file) = fs_err::File::open("/dev/null") {
        taken.push(file);
    }
    taken.truncate(taken.len().saturating_sub(n));
    taken
}

/// The body of the child process, which may have few files open, not a test of its own.
#[cfg(unix)]
#[test]
fn child_with_few_file_handles() {
    let Some(dir) = std::env::var_os(FOLDER) else {
        return;
    };
    let dir = Path::new(&dir);
    let (mut n_failed, mut n_opened) = (0, 0);
    for n in 0..70 {
        let taken = leave_handles(n);
        let read = IndexReader::open(dir, None).map(|reader| reader.counts().n_files);
        let written = Successor::begin(dir, &new_model()).and_then(|successor| {
            let writer = successor.unwrap().writer(with_graphs_from(50))?;
            Ok(writer.generation())
        });
        drop(taken);
        match read {
            Ok(n_files) => assert_eq!(n_files, 80, "{n} handles"),
            Err(error) => assert!(!error.is_damage(), "{n} handles: {error:?}"),
        }
        match &written {
            Ok(generation) => assert_eq!(*generation, Generation(1), "{n} handles"),
            Err(error) => assert!(!error.is_damage(), "{n} handles: {error:?}"),
        }
        n_failed += usize::from(written.is_err());
        n_opened += usize::from(written.is_ok());
    }
    assert!(n_failed > 5 && n_opened > 5, "{n_failed}, {n_opened}");
    println!("the child is done");
}

/// A successor holds what took days to embed. Only damage is a reason to begin it again.
#[cfg(unix)]
#[test]
fn running_out_of_file_handles_deletes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("index");
    let fill = |mut writer: IndexWriter| {
        for number in 0..80 {
            put_photo(&mut writer, number, vector(DIMENSION, number));
        }
        writer.finish().unwrap();
    };
    let options = with_graphs_from(50);
    fill(IndexWriter::open_or_create_with(&dir, &binding(DIMENSION), options).unwrap());
    let successor = Successor::begin(&dir, &new_model()).unwrap().unwrap();
    fill(successor.writer(options).unwrap());
    drop(successor);
    let child = Command::new("sh")
        .args(["-c", "ulimit -n 256; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args([
            "growth::child_with_few_file_handles",
            "--exact",
            "--nocapture",
        ])
        .args(["--test-threads", "1"])
        .env(FOLDER, &dir)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
    assert!(text.contains("the child is done"), "{text}");
    let successor = Successor::begin(&dir, &new_model()).unwrap().unwrap();
    let reader = IndexReader::open(successor.folder(), None).unwrap();
    assert_eq!(reader.counts().n_images, 80);
    drop(reader);
    assert_eq!(check(successor.folder()).unwrap(), []);
    assert_eq!(check(&dir).unwrap(), []);
}
