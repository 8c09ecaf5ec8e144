//! Every step of every kind of work goes wrong once: the disk is full for a moment, or the process is killed. Which
//! steps there are is found by watching; a step that no work comes to fails `every_step_is_reached`.

use std::path::Path;
use std::process::{Command, Stdio};

use super::crash_tests::{answers, binding, copy, first, open, put_first, second};
use super::successor_tests::to_format_1;
use crate::disk::steps::{Fault, Step, Steps};
use crate::health::repair::repair_stepwise;
use crate::{
    Binding, IndexError, IndexReader, IndexWriter, Problem, Successor, WriterOptions, check,
};

/// Something that changes an index, in several steps on the disk.
struct Work {
    name: &'static str,
    /// Makes the index as it is before; it may be none at all.
    prepare: fn(&Path),
    /// Whether that index is whole, so that it must be so after each step.
    is_sound: bool,
    /// Brings the index from any state that `run` may leave to the one that it leaves when nothing goes wrong.
    run: fn(&Path, Steps, Patience) -> Result<(), IndexError>,
}

/// What is done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    GiveUp,
    /// The same again, with the same writer where there still is one.
    TryAgain,
}

impl Patience {
    fn with<T>(self, mut work: impl FnMut() -> Result<T, IndexError>) -> Result<T, IndexError> {
        work().or_else(|error| match self {
            Self::GiveUp => Err(error),
            Self::TryAgain => work(),
        })
    }
}

/// A kind of work that has steps belongs in this list.
const WORKS: [Work; 6] = [
    Work {
        name: "create",
        prepare: |_| {},
        is_sound: true,
        run: |dir, steps, patience| {
            drop(patience.with(|| open(dir, steps))?);
            patience.with(|| {
                let mut writer = open(dir, steps)?;
                if writer.generation().0 == 0 {
                    put_first(&mut writer);
                    patience.with(|| writer.commit())?;
                }
                writer.finish().map(drop)
            })
        },
    },
    Work {
        name: "change",
        prepare: first,
        is_sound: true,
        run: |dir, steps, patience| {
            let mut writer = patience.with(|| open(dir, steps))?;
            if writer.generation().0 == 1 {
                second(&mut writer);
                patience.with(|| writer.commit())?;
            }
            drop(writer);
            patience.with(|| open(dir, steps)?.finish().map(drop))
        },
    },
    Work {
        name: "upgrade",
        prepare: |dir| {
            first(dir);
            to_format_1(dir);
        },
        is_sound: true,
        run: |dir, steps, patience| patience.with(|| open(dir, steps)?.finish().map(drop)),
    },
    Work {
        name: "switch",
        prepare: first,
        is_sound: true,
        run: |dir, steps, patience| patience.with(|| switch(dir, steps)),
    },
    Work {
        name: "compact",
        prepare: |dir| {
            first(dir);
            let mut writer = open(dir, Steps::default()).unwrap();
            second(&mut writer);
            writer.commit().unwrap();
        },
        is_sound: true,
        run: |dir, steps, patience| {
            patience.with(|| open(dir, steps)?.compact(&mut |_| {}).map(drop))
        },
    },
    Work {
        name: "repair",
        prepare: |dir| {
            first(dir);
            spoil_a_table(dir);
        },
        is_sound: false,
        run: |dir, steps, patience| {
            patience.with(|| repair_stepwise(dir, OPTIONS, steps, &mut |_| {}).map(drop))
        },
    },
];

const OPTIONS: WriterOptions = WriterOptions {
    min_graph_items: 40,
    language: None,
};

/// Changes the model, and what is in the index with it.
fn switch(dir: &Path, steps: Steps) -> Result<(), IndexError> {
    let other = Binding {
        fingerprint: "beef".into(),
        ..binding()
    };
    let Some(successor) = Successor::begin_stepwise(dir, &other, steps)? else {
        let writer = IndexWriter::open_stepwise(dir, &other, OPTIONS, steps)?;
        return writer.finish().map(drop);
    };
    let mut writer = successor.writer(OPTIONS)?;
    if writer.generation().0 == 0 {
        put_first(&mut writer);
        writer.commit()?;
    }
    if writer.generation().0 == 1 {
        second(&mut writer);
    }
    writer.finish()?;
    successor.replace()
}

/// Spoils the first table that can be made again from the others, so that the answers afterwards are all that there were.
fn spoil_a_table(dir: &Path) {
    let entries = fs_err::read_dir(dir.join("records")).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| {
            Path::new(name)
                .extension()
                .is_some_and(|found| found == "sst")
        })
        .collect();
    names.sort();
    let spoil = |dir: &Path, name: &std::ffi::OsStr| {
        let path = dir.join("records").join(name);
        let mut bytes = fs_err::read(&path).unwrap();
        bytes[30] ^= 1;
        fs_err::write(&path, bytes).unwrap();
    };
    let loses_nothing = |name: &std::ffi::OsString| {
        let trial = copy_of(dir);
        spoil(trial.path(), name);
        let told = repair_stepwise(trial.path(), OPTIONS, Steps::default(), &mut |_| {}).unwrap();
        assert!(!told.found.is_empty(), "{}", name.display());
        !told.has_losses()
    };
    let name = names.into_iter().find(loses_nothing);
    spoil(dir, &name.expect("a table of look-ups"));
}

/// Tells the child which index, work and step; without it the test below does nothing.
const CHILD: &str = "SIGHTLINE_TEST_KILLED_AT_STEP";

/// Not a test of its own: what the child does until it comes to its step.
#[test]
fn child_that_is_killed_at_a_step() {
    let Ok(told) = std::env::var(CHILD) else {
        return;
    };
    let parts: Vec<&str> = told.splitn(3, ' ').collect();
    let work = WORKS.iter().find(|work| work.name == parts[0]).unwrap();
    let steps = Steps::with_fault(
        parts[1].parse().unwrap(),
        Fault::Kill(|| std::process::abort()),
    );
    (work.run)(Path::new(parts[2]), steps, Patience::GiveUp).unwrap();
}

fn kill_at(work: &Work, n: usize, dir: &Path) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args([
            "writer::fault_tests::child_that_is_killed_at_a_step",
            "--exact",
            "--test-threads",
            "1",
        ])
        .env(CHILD, format!("{} {n} {}", work.name, dir.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success(), "{} goes on after step {n}", work.name);
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(6),
        "{} does not come to step {n}",
        work.name
    );
}

fn copy_of(from: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(from, dir.path());
    dir
}

/// What a work leaves when nothing goes wrong, by generation, and the steps on the way.
struct Undisturbed {
    prepared: tempfile::TempDir,
    before: Option<Vec<String>>,
    after: Vec<String>,
    steps: Vec<Step>,
}

fn undisturbed(work: &Work) -> Undisturbed {
    let prepared = tempfile::tempdir().unwrap();
    (work.prepare)(prepared.path());
    let dir = copy_of(prepared.path());
    let is_index = dir.path().join("manifest.json").exists();
    let before = (is_index && work.is_sound).then(|| answers(dir.path()));
    let steps = Steps::watched();
    (work.run)(dir.path(), steps, Patience::GiveUp).unwrap();
    assert_eq!(check(dir.path()).unwrap(), [], "{}", work.name);
    Undisturbed {
        prepared,
        before,
        after: answers(dir.path()),
        steps: steps.reached(),
    }
}

/// An index that was left at a step: it opens at a whole generation, and the same work brings it to its end.
fn check_left(work: &Work, expected: &Undisturbed, dir: &Path, when: &str) {
    match IndexReader::open(dir, None) {
        // What is damaged is only known to be whole when the work is done.
        _ if !work.is_sound => {}
        Err(IndexError::NoIndex { .. }) if expected.before.is_none() => {}
        Err(error) => panic!("{when}: {error}"),
        Ok(reader) if reader.generation().0 == 0 => assert!(expected.before.is_none(), "{when}"),
        Ok(reader) => {
            drop(reader);
            let found = answers(dir);
            assert!(
                found == expected.after || Some(&found) == expected.before.as_ref(),
                "{when}: neither the old generation nor the new one"
            );
            let derived = |problem: &Problem| {
                matches!(problem, Problem::Words { .. } | Problem::Graph { .. })
            };
            let problems = check(dir).unwrap();
            assert!(problems.iter().all(derived), "{when}: {problems:?}");
        }
    }
    (work.run)(dir, Steps::default(), Patience::GiveUp)
        .unwrap_or_else(|error| panic!("{when}, then: {error}"));
    assert_eq!(answers(dir), expected.after, "{when}");
    assert_eq!(check(dir).unwrap(), [], "{when}");
}

#[test]
fn every_step_is_reached() {
    let mut reached = Vec::new();
    for work in &WORKS {
        reached.extend(undisturbed(work).steps);
    }
    for step in Step::ALL {
        assert!(
            reached.contains(step),
            "no work comes to {step:?}: add the one that does to WORKS"
        );
    }
    assert!(Step::ALL.len() >= 9);
}

#[test]
fn the_disk_is_full_at_any_step() {
    let mut n_faults = 0;
    for work in &WORKS {
        let expected = undisturbed(work);
        for (n, step) in expected.steps.iter().enumerate() {
            for patience in [Patience::GiveUp, Patience::TryAgain] {
                let when = format!("{} failed at step {n}, {step:?}, {patience:?}", work.name);
                let dir = copy_of(expected.prepared.path());
                let steps = Steps::with_fault(n, Fault::Fail);
                let ran = (work.run)(dir.path(), steps, patience);
                assert!(steps.reached().len() > n, "{when}: it was not reached");
                match (patience, ran) {
                    (Patience::GiveUp, Err(error)) => {
                        // A full disk is told from other errors wherever it comes from.
                        let is_told = matches!(error, IndexError::DiskFull { .. })
                            || format!("{error:?}").contains("StorageFull");
                        assert!(is_told, "{when}: {error:?}");
                    }
                    (Patience::TryAgain, Ok(())) => {
                        assert_eq!(answers(dir.path()), expected.after, "{when}");
                        assert_eq!(check(dir.path()).unwrap(), [], "{when}");
                    }
                    (_, ran) => panic!("{when}: {ran:?}"),
                }
                check_left(work, &expected, dir.path(), &when);
                n_faults += 1;
            }
        }
    }
    assert!(n_faults >= 2 * 20, "{n_faults}");
    println!("{n_faults} times without room, 0 items lost");
}

#[test]
fn the_process_is_killed_at_any_step() {
    let mut n_kills = 0;
    for work in &WORKS {
        let expected = undisturbed(work);
        for (n, step) in expected.steps.iter().enumerate() {
            let when = format!("{} killed at step {n}, {step:?}", work.name);
            let dir = copy_of(expected.prepared.path());
            kill_at(work, n, dir.path());
            check_left(work, &expected, dir.path(), &when);
            n_kills += 1;
        }
    }
    assert!(n_kills >= 20, "{n_kills}");
    println!("{n_kills} crashes survived, 0 items lost");
}
