//! Every step of every scenario fails once: the disk is full for a moment, or the process is
//! killed. The steps are recorded in an uninterrupted run; a step that no scenario reaches fails
//! `every_step_is_reached`.

use std::path::Path;
use std::process::{Command, Stdio};

use super::crash_tests::{
    answers, binding, copy_folder, finish, first, go_on, open, put_first, second,
};
use super::successor_tests::to_format_1;
use crate::atomic::temporary_path;
use crate::disk::layout::Layout;
use crate::disk::manifest::Manifest;
use crate::disk::steps::{Fault, Step, Steps};
use crate::health::repair::repair_stepwise;
use crate::records::store::{MAX_LOGS, Store};
use crate::{
    Binding, IndexError, IndexReader, IndexWriter, ItemKind, Language, Problem, Successor,
    WriterOptions, check,
};

/// Work that changes an index in several steps on disk.
struct Scenario {
    name: &'static str,
    /// Creates the initial index, if any.
    prepare: fn(&Path),
    /// Whether that index is sound, so that it must be so after each step.
    is_sound: bool,
    /// Does the work, or completes it from any state in which an interrupted `run` may leave the
    /// index.
    run: fn(&Path, Steps, Retry) -> Result<(), IndexError>,
}

/// The reaction to an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    Never,
    /// Retry, with the same writer if there still is one.
    Once,
}

impl Retry {
    fn with<T>(self, mut attempt: impl FnMut() -> Result<T, IndexError>) -> Result<T, IndexError> {
        attempt().or_else(|error| match self {
            Self::Never => Err(error),
            Self::Once => attempt(),
        })
    }
}

/// All work that has steps.
const SCENARIOS: [Scenario; 8] = [
    Scenario {
        name: "create",
        prepare: |_| {},
        is_sound: true,
        run: |dir, steps, retry| {
            drop(retry.with(|| open(dir, steps))?);
            retry.with(|| {
                let mut writer = open(dir, steps)?;
                if writer.generation().0 == 0 {
                    put_first(&mut writer);
                    retry.with(|| commit(&mut writer))?;
                }
                finish(writer)
            })
        },
    },
    Scenario {
        name: "change",
        prepare: first,
        is_sound: true,
        run: |dir, steps, retry| {
            let mut writer = retry.with(|| open(dir, steps))?;
            if writer.generation().0 == 1 {
                second(&mut writer);
                retry.with(|| commit(&mut writer))?;
            }
            drop(writer);
            retry.with(|| finish(open(dir, steps)?))
        },
    },
    Scenario {
        name: "flush",
        prepare: |dir| {
            first(dir);
            for _ in 0..=MAX_LOGS {
                let store = Store::open(&dir.join("records"), false).unwrap();
                store.write_language(Language::English).unwrap();
            }
        },
        is_sound: true,
        run: |dir, steps, retry| retry.with(|| finish(open(dir, steps)?)),
    },
    Scenario {
        name: "upgrade",
        prepare: |dir| {
            first(dir);
            to_format_1(dir);
        },
        is_sound: true,
        run: |dir, steps, retry| retry.with(|| finish(open(dir, steps)?)),
    },
    Scenario {
        name: "switch",
        prepare: first,
        is_sound: true,
        run: |dir, steps, retry| retry.with(|| switch(dir, steps)),
    },
    Scenario {
        name: "compact",
        prepare: |dir| {
            first(dir);
            let mut writer = open(dir, Steps::default()).unwrap();
            second(&mut writer);
            writer.commit().unwrap();
        },
        is_sound: true,
        run: |dir, steps, retry| retry.with(|| open(dir, steps)?.compact(&mut go_on).map(drop)),
    },
    Scenario {
        name: "lost-graph",
        prepare: |dir| {
            first(dir);
            let graph = Layout::new(dir).segment(ItemKind::Image, 1);
            fs_err::write(graph, "not a graph").unwrap();
        },
        is_sound: true,
        run: |dir, steps, retry| retry.with(|| finish(open(dir, steps)?)),
    },
    Scenario {
        name: "repair",
        prepare: |dir| {
            first(dir);
            damage_a_table(dir);
        },
        is_sound: false,
        run: |dir, steps, retry| {
            retry.with(|| repair_stepwise(dir, OPTIONS, steps, &mut |_| {}).map(drop))
        },
    },
];

/// Commits, and fails if anything had to be postponed.
fn commit(writer: &mut IndexWriter) -> Result<(), IndexError> {
    writer.commit()?;
    writer.postponed.pop().map_or(Ok(()), Err)
}

const OPTIONS: WriterOptions = WriterOptions {
    min_graph_items: 40,
    max_graph_items: 1_000,
    language: None,
};

/// Changes the model and the content of the index.
fn switch(dir: &Path, steps: Steps) -> Result<(), IndexError> {
    let other = Binding {
        fingerprint: "beef".into(),
        ..binding()
    };
    let Some(successor) = Successor::begin_stepwise(dir, &other, steps)? else {
        let writer = IndexWriter::open_stepwise(dir, &other, OPTIONS, steps)?;
        return finish(writer);
    };
    let mut writer = successor.writer(OPTIONS)?;
    if writer.generation().0 == 0 {
        put_first(&mut writer);
        writer.commit()?;
    }
    if writer.generation().0 == 1 {
        second(&mut writer);
    }
    finish(writer)?;
    successor.replace()
}

/// Damages the first table that can be restored completely from the others.
fn damage_a_table(dir: &Path) {
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
    let damage = |dir: &Path, name: &std::ffi::OsStr| {
        let path = dir.join("records").join(name);
        let mut bytes = fs_err::read(&path).unwrap();
        bytes[30] ^= 1;
        fs_err::write(&path, bytes).unwrap();
    };
    let loses_nothing = |name: &std::ffi::OsString| {
        let trial = copy_of(dir);
        damage(trial.path(), name);
        let repaired =
            repair_stepwise(trial.path(), OPTIONS, Steps::default(), &mut |_| {}).unwrap();
        assert!(!repaired.found.is_empty(), "{}", name.display());
        !repaired.has_losses()
    };
    let name = names.into_iter().find(loses_nothing);
    damage(dir, &name.expect("a table of look-ups"));
}

/// Names the index, scenario and step for the child. Without it, the test below does nothing.
const CHILD: &str = "SIGHTLINE_TEST_KILLED_AT_STEP";

/// The body of the child process, not a test of its own.
#[test]
fn child_that_is_killed_at_a_step() {
    let Ok(repaired) = std::env::var(CHILD) else {
        return;
    };
    let parts: Vec<&str> = repaired.splitn(3, ' ').collect();
    let scenario = SCENARIOS
        .iter()
        .find(|scenario| scenario.name == parts[0])
        .unwrap();
    let steps = Steps::with_fault(
        parts[1].parse().unwrap(),
        Fault::Kill(|| std::process::abort()),
    );
    (scenario.run)(Path::new(parts[2]), steps, Retry::Never).unwrap();
}

fn kill_at(scenario: &Scenario, n: usize, dir: &Path) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args([
            "writer::fault_tests::child_that_is_killed_at_a_step",
            "--exact",
            "--test-threads",
            "1",
        ])
        .env(CHILD, format!("{} {n} {}", scenario.name, dir.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(
        !status.success(),
        "{} continues after step {n}",
        scenario.name
    );
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(6),
        "{} does not reach step {n}",
        scenario.name
    );
}

fn copy_of(from: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy_folder(from, dir.path());
    dir
}

/// The answers before and after an uninterrupted run, and its steps.
struct Uninterrupted {
    prepared: tempfile::TempDir,
    before: Option<Vec<String>>,
    after: Vec<String>,
    steps: Vec<Step>,
}

fn uninterrupted(scenario: &Scenario) -> Uninterrupted {
    let prepared = tempfile::tempdir().unwrap();
    (scenario.prepare)(prepared.path());
    let dir = copy_of(prepared.path());
    let is_index = dir.path().join("manifest.json").exists();
    let before = (is_index && scenario.is_sound).then(|| answers(dir.path()));
    let steps = Steps::watched();
    (scenario.run)(dir.path(), steps, Retry::Never).unwrap();
    assert_eq!(check(dir.path()).unwrap(), [], "{}", scenario.name);
    Uninterrupted {
        prepared,
        before,
        after: answers(dir.path()),
        steps: steps.reached(),
    }
}

/// Checks that an index interrupted at a step opens at a complete generation, and that the work can
/// be completed.
fn check_left(scenario: &Scenario, expected: &Uninterrupted, dir: &Path, when: &str) {
    match IndexReader::open(dir, None) {
        // A damaged index need not be sound before the work is complete.
        _ if !scenario.is_sound => {}
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
    (scenario.run)(dir, Steps::default(), Retry::Never)
        .unwrap_or_else(|error| panic!("{when}, then: {error}"));
    assert_eq!(answers(dir), expected.after, "{when}");
    assert_eq!(check(dir).unwrap(), [], "{when}");
    let manifest = Manifest::read(&Layout::new(dir)).unwrap().unwrap();
    let hubs = Layout::new(dir).with_data(&manifest.data).hubs();
    assert!(hubs.exists(), "{when}");
    assert!(!temporary_path(&hubs).exists(), "{when}");
}

#[test]
fn every_step_is_reached() {
    let mut reached = Vec::new();
    for scenario in &SCENARIOS {
        reached.extend(uninterrupted(scenario).steps);
    }
    for step in Step::ALL {
        assert!(
            reached.contains(step),
            "no scenario reaches {step:?}: add one to SCENARIOS"
        );
    }
    assert!(Step::ALL.len() >= 9);
}

#[test]
fn a_full_disk_at_any_step_loses_nothing() {
    let mut n_faults = 0;
    for scenario in &SCENARIOS {
        let expected = uninterrupted(scenario);
        for (n, step) in expected.steps.iter().enumerate() {
            for retry in [Retry::Never, Retry::Once] {
                let when = format!("{} failed at step {n}, {step:?}, {retry:?}", scenario.name);
                let dir = copy_of(expected.prepared.path());
                let steps = Steps::with_fault(n, Fault::Fail);
                let ran = (scenario.run)(dir.path(), steps, retry);
                assert!(steps.reached().len() > n, "{when}: not reached");
                match (retry, ran) {
                    (Retry::Never, Err(error)) => {
                        // A full disk is reported as such wherever it occurs.
                        let is_reported = matches!(error, IndexError::DiskFull { .. })
                            || format!("{error:?}").contains("StorageFull");
                        assert!(is_reported, "{when}: {error:?}");
                    }
                    (Retry::Once, Ok(())) => {
                        assert_eq!(answers(dir.path()), expected.after, "{when}");
                        assert_eq!(check(dir.path()).unwrap(), [], "{when}");
                    }
                    (_, ran) => panic!("{when}: {ran:?}"),
                }
                check_left(scenario, &expected, dir.path(), &when);
                n_faults += 1;
            }
        }
    }
    assert!(n_faults >= 2 * 20, "{n_faults}");
    println!("{n_faults} full disks, 0 items lost");
}

#[test]
fn a_kill_at_any_step_loses_nothing() {
    let mut n_kills = 0;
    for scenario in &SCENARIOS {
        let expected = uninterrupted(scenario);
        for (n, step) in expected.steps.iter().enumerate() {
            let when = format!("{} killed at step {n}, {step:?}", scenario.name);
            let dir = copy_of(expected.prepared.path());
            kill_at(scenario, n, dir.path());
            check_left(scenario, &expected, dir.path(), &when);
            n_kills += 1;
        }
    }
    assert!(n_kills >= 20, "{n_kills}");
    println!("{n_kills} crashes survived, 0 items lost");
}
