//! Holes in the log: zeroed pages, changed bytes and missing ends. Damage behind the last
//! acknowledged commit costs nothing; damage to anything acknowledged is reported, and what is left
//! stays as it is.

use std::path::{Path, PathBuf};

use sightline_index::{
    Generation, IndexError, IndexReader, IndexWriter, ItemKind, Nearest, Problem, check, repair,
};

use crate::support::{binding, copy_folder, hash, make_index, put_photo, vector, with_graphs_from};

const DIMENSION: usize = 200;

/// Photos in tables, and in each commit of the log. The sizes of the commits are such that several
/// fit into a block of the log, and one takes several.
const N_IN_TABLES: u64 = 60;
const COMMITS: [u64; 6] = [1, 2, 1, 60, 3, 1];

fn open(dir: &Path) -> Result<IndexWriter, IndexError> {
    IndexWriter::open_or_create_with(dir, &binding(DIMENSION), with_graphs_from(50))
}

/// All content of an index.
fn content(reader: &IndexReader) -> Vec<String> {
    let mut content = vec![format!("{:?}", reader.files().unwrap())];
    let n_photos = N_IN_TABLES + COMMITS.iter().sum::<u64>();
    for number in 0..n_photos {
        let id = reader.image_with_hash(&hash(number)).unwrap();
        let item = id.map(|id| reader.item(id).unwrap());
        content.push(format!("{id:?} {item:?}"));
    }
    let query = vector(DIMENSION, 1_000_000);
    let near = reader.nearest(ItemKind::Image, &query, 500, &Nearest::default());
    content.push(format!("{:?}", near.unwrap()));
    content
}

/// An index after each commit, with the end of its log.
struct Stage {
    dir: tempfile::TempDir,
    generation: Generation,
    content: Vec<String>,
    n_bytes: u64,
}

/// The newest log of an index.
fn log(dir: &Path) -> PathBuf {
    logs(dir).pop().unwrap()
}

/// All logs of an index, the oldest first.
fn logs(dir: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(dir.join("records")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut logs: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|found| found == "log"))
        .collect();
    logs.sort();
    logs
}

fn stages() -> Vec<Stage> {
    let dir = tempfile::tempdir().unwrap();
    make_index(dir.path(), DIMENSION, N_IN_TABLES);
    let mut writer = open(dir.path()).unwrap();
    let mut number = N_IN_TABLES;
    let mut stages = Vec::new();
    for n in [0].into_iter().chain(COMMITS) {
        for _ in 0..n {
            put_photo(&mut writer, number, vector(DIMENSION, number));
            number += 1;
        }
        let generation = writer.commit().unwrap();
        let copy = tempfile::tempdir().unwrap();
        copy_folder(dir.path(), copy.path());
        let reader = IndexReader::open(copy.path(), None).unwrap();
        assert_eq!(reader.generation(), generation);
        stages.push(Stage {
            generation,
            content: content(&reader),
            n_bytes: fs_err::metadata(log(copy.path())).unwrap().len(),
            dir: copy,
        });
    }
    stages
}

/// Damage to bytes `from..to` of a log.
#[derive(Debug, Clone, Copy)]
enum Harm {
    /// Zeros, as of a page that was never written.
    Zero,
    Flip,
    /// The log ends before.
    Cut,
}

impl Harm {
    const ALL: [Self; 3] = [Self::Zero, Self::Flip, Self::Cut];

    fn inflict(self, path: &Path, from: u64, to: u64) {
        let mut bytes = fs_err::read(path).unwrap();
        let place = |at: u64| usize::try_from(at).unwrap().min(bytes.len());
        let (from, to) = (place(from), place(to));
        match self {
            Self::Zero => bytes[from..to].fill(0),
            Self::Flip => bytes[from] ^= 0x10,
            Self::Cut => bytes.truncate(from),
        }
        fs_err::write(path, bytes).unwrap();
    }
}

/// Places to damage in bytes `from..to`: the first bytes, where the numbers are, then everywhere.
fn places(from: u64, to: u64) -> Vec<(u64, u64)> {
    let head = (from..to.min(from + 30)).step_by(7);
    let step = ((to - from) / 3).max(512);
    let body = (from..to).step_by(usize::try_from(step).unwrap());
    let pieces = head
        .map(|at| (at, at + 5))
        .chain(body.map(|at| (at, at + 512)));
    let pages = (from / 4096..=(to - 1) / 4096).map(|page| (page * 4096, (page + 1) * 4096));
    pieces.chain(pages).collect()
}

/// What an index opens as, by a reader and then by a writer, which must agree.
fn opened(dir: &Path, when: &str) -> Option<(Generation, Vec<String>)> {
    let evidence = fs_err::read(log(dir)).unwrap();
    let read = IndexReader::open(dir, None);
    let found = match &read {
        Ok(reader) => Some((reader.generation(), content(reader))),
        Err(error) => {
            assert!(error.is_damage(), "{when}: {error:?}");
            None
        }
    };
    drop(read);
    match open(dir) {
        Ok(writer) => {
            let generation = found.as_ref().map(|(generation, _)| *generation);
            assert_eq!(Some(writer.generation()), generation, "{when}");
            writer.finish().unwrap();
            let reader = IndexReader::open(dir, None).unwrap();
            assert_eq!(
                Some((reader.generation(), content(&reader))),
                found,
                "{when}"
            );
        }
        Err(error) => {
            assert!(found.is_none() && error.is_damage(), "{when}: {error:?}");
            assert_eq!(
                fs_err::read(log(dir)).unwrap(),
                evidence,
                "{when}: it is kept"
            );
        }
    }
    found
}

/// The words of a commit show that it was acknowledged.
#[test]
fn a_hole_behind_the_last_acknowledged_commit_costs_nothing() {
    let stages = stages();
    let mut n_cases = 0;
    for pair in stages.windows(2) {
        let [before, after] = pair else { panic!() };
        for (from, to) in places(before.n_bytes, after.n_bytes) {
            if from < before.n_bytes {
                continue;
            }
            for harm in Harm::ALL {
                let when = format!("{harm:?} {from}..{to} of {:?}", after.generation);
                let dir = tempfile::tempdir().unwrap();
                copy_folder(after.dir.path(), dir.path());
                fs_err::remove_dir_all(dir.path().join("words")).unwrap();
                copy_folder(&before.dir.path().join("words"), &dir.path().join("words"));
                harm.inflict(&log(dir.path()), from, to);
                let Some((generation, content)) = opened(dir.path(), &when) else {
                    panic!("{when}: refused")
                };
                let expected = if generation == before.generation {
                    before
                } else {
                    after
                };
                assert_eq!(generation, expected.generation, "{when}");
                assert!(content == expected.content, "{when}");
                n_cases += 1;
            }
        }
    }
    assert!(n_cases > 80, "{n_cases}");
}

#[test]
fn a_hole_in_an_acknowledged_commit_is_reported() {
    let stages = stages();
    let [.., before_last, last] = &stages[..] else {
        panic!()
    };
    let (mut n_cases, mut n_refused) = (0, 0);
    for without_words in [false, true] {
        for pair in stages.windows(2) {
            let [before, after] = pair else { panic!() };
            let places = places(before.n_bytes, after.n_bytes);
            for (from, to) in places.into_iter().step_by(2) {
                for harm in Harm::ALL {
                    let when = format!("{harm:?} {from}..{to} of {:?}", after.generation);
                    let dir = tempfile::tempdir().unwrap();
                    copy_folder(last.dir.path(), dir.path());
                    if without_words {
                        fs_err::remove_dir_all(dir.path().join("words")).unwrap();
                    }
                    harm.inflict(&log(dir.path()), from, to);
                    n_cases += 1;
                    let Some((generation, content)) = opened(dir.path(), &when) else {
                        n_refused += 1;
                        continue;
                    };
                    // Without the last batch or the words, nothing tells that there was more.
                    let may_be_shorter =
                        without_words && (to > before_last.n_bytes || matches!(harm, Harm::Cut));
                    assert!(generation == last.generation || may_be_shorter, "{when}");
                    let stage = stages.iter().find(|stage| stage.generation == generation);
                    assert!(content == stage.unwrap().content, "{when}");
                }
            }
        }
    }
    assert!(n_cases > 100 && n_refused > 50, "{n_refused} of {n_cases}");
}

/// Commits of one photo in each of several logs. Those of the third log replace every list of
/// changes of the first two, so the lists do not show that a log is missing.
const LOGS: [u64; 4] = [1, 2, 70, 1];

/// Each writer begins a log. RocksDB does not notice that one is missing.
#[test]
fn the_loss_of_any_of_several_logs_is_reported() {
    let original = tempfile::tempdir().unwrap();
    make_index(original.path(), DIMENSION, N_IN_TABLES);
    let mut number = N_IN_TABLES;
    for n in LOGS {
        let mut writer = open(original.path()).unwrap();
        for _ in 0..n {
            put_photo(&mut writer, number, vector(DIMENSION, number));
            writer.commit().unwrap();
            number += 1;
        }
        writer.finish().unwrap();
    }
    let is_used = |path: &PathBuf| fs_err::metadata(path).unwrap().len() > 0;
    let used: Vec<PathBuf> = logs(original.path()).into_iter().filter(is_used).collect();
    assert_eq!(used.len(), LOGS.len(), "{used:?}");
    let mut n_cases = 0;
    for (path, n) in used.iter().zip(LOGS) {
        let is_last = used.last() == Some(path);
        for (is_deleted, without_words) in
            [(true, false), (true, true), (false, false), (false, true)]
        {
            if is_last && without_words {
                // Nothing tells that there was more.
                continue;
            }
            let when = format!("{} deleted {is_deleted}, {without_words}", path.display());
            let folder = tempfile::tempdir().unwrap();
            let dir = folder.path();
            copy_folder(original.path(), dir);
            if without_words {
                fs_err::remove_dir_all(dir.join("words")).unwrap();
            }
            let path = dir.join(path.strip_prefix(original.path()).unwrap());
            if is_deleted {
                fs_err::remove_file(path).unwrap();
            } else {
                fs_err::write(path, []).unwrap();
            }
            assert!(opened(dir, &when).is_none(), "{when}");
            let problems = check(dir).unwrap();
            let is_reported = |problem: &Problem| matches!(problem, Problem::Records { .. });
            assert!(problems.iter().any(is_reported), "{when}: {problems:?}");
            let repaired = repair(dir, with_graphs_from(50), &mut |_| {}).unwrap();
            assert_eq!(repaired.left, [], "{when}");
            let n_lost = if is_last {
                repaired.n_lost_commits
            } else {
                repaired.n_lost_images
            };
            assert_eq!(n_lost, n, "{when}: {repaired:?}");
            let counts = IndexReader::open(dir, None).unwrap().counts();
            assert_eq!(counts.n_images, number - n, "{when}");
            n_cases += 1;
        }
    }
    assert_eq!(n_cases, 4 * LOGS.len() - 2);
}
