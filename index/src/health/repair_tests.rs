//! What a repair does with data, notes and successors that it finds.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::disk::layout::Layout;
use crate::disk::lock::WriteLock;
use crate::disk::steps::{Fault, Step, Steps};
use crate::health::check_tests::{OPTIONS, binding, make, vector};
use crate::health::repair::repair_stepwise;
use crate::health::rules;
use crate::health::salvage::Salvaged;
use crate::records::facet_keys::{self, Facet, FacetValue};
use crate::records::keys::{self, Column};
use crate::records::read::Records;
use crate::records::store::Store;
use crate::writer::crash_tests::copy_folder;
use crate::{
    Binding, Filter, Generation, IndexError, IndexReader, IndexWriter, ItemId, ItemKind, Nearest,
    Orientation, Problem, Repair, Successor, check, damaged_data, discard_damaged, unfinished,
};

fn repair(dir: &Path) -> Repair {
    let repaired = repair_stepwise(dir, OPTIONS, Steps::default(), &mut |_| {}).unwrap();
    assert_eq!(repaired.left, []);
    assert_eq!(check(dir).unwrap(), []);
    repaired
}

/// Removes the vector of an image from the records in a folder of data.
fn lose(data: &Path, image: u32) {
    let store = Store::open(&data.join("records"), false).unwrap();
    let key = keys::vector(ItemKind::Image, ItemId(image));
    store
        .write([(Column::Vectors, key.as_slice(), None)])
        .unwrap();
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    let damaged = damaged_data(dir).unwrap();
    assert!(damaged.iter().all(|data| data.n_bytes > 0));
    damaged.into_iter().map(|data| data.folder).collect()
}

fn open(dir: &Path) -> IndexWriter {
    IndexWriter::open_or_create_with(dir, &binding(), OPTIONS).unwrap()
}

#[test]
fn a_second_repair_keeps_the_data_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir);
    assert!(discard_damaged(dir).unwrap().is_empty());
    lose(dir, 3);
    let before = IndexReader::open(dir, None).unwrap();
    assert_eq!(repair(dir).kept, Some(dir.join("damaged-1")));
    let first = damaged_data(dir).unwrap();
    lose(&dir.join("data-2"), 19);
    let repaired = repair(dir);
    assert_eq!(repaired.kept, Some(dir.join("damaged-2")));
    assert_eq!((repaired.n_lost_images, repaired.n_lost_captions), (1, 1));
    assert_eq!(
        folders(dir),
        ["damaged-1", "damaged-2"].map(|name| dir.join(name))
    );
    assert_eq!(damaged_data(dir).unwrap()[0], first[0], "it is not changed");

    // A reader that had them open keeps them, and the ids are the same and not assigned again.
    let near = |reader: &IndexReader, n| {
        let how = Nearest::default();
        let found = reader
            .nearest(ItemKind::Image, &vector(n), 1, &how)
            .unwrap();
        found[0].id
    };
    assert_eq!(near(&before, 9), ItemId(19));
    let after = IndexReader::open(dir, None).unwrap();
    let ids = (1..=18).filter(|id| !matches!(id, 3 | 4)).map(ItemId);
    assert_eq!(after.ids().unwrap(), ids.collect::<Vec<_>>());
    assert_eq!(near(&after, 5), ItemId(11));
    let mut writer = open(dir);
    assert_eq!(
        writer.put_image([77; 32], 1, 1, vector(77)).unwrap(),
        ItemId(21)
    );
    drop(writer);

    // They do not keep a writer from restoring a lost manifest.
    fs_err::remove_file(dir.join("manifest.json")).unwrap();
    open(dir).finish().unwrap();
    assert_eq!(check(dir).unwrap(), []);
    let writer = open(dir);
    assert!(discard_damaged(dir).is_err(), "the index is locked");
    drop(writer);
    assert_eq!(discard_damaged(dir).unwrap().len(), 2);
    assert!(folders(dir).is_empty());
    assert_eq!(check(dir).unwrap(), []);
}

#[test]
fn an_unfinished_change_of_the_model_survives_a_repair() {
    let other = Binding {
        fingerprint: "g".into(),
        ..binding()
    };
    let mut n_stops = 0;
    for stop in [
        None,
        Some(Step::RepairCopied),
        Some(Step::SuccessorSwitched),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        make(dir);
        let successor = Successor::begin(dir, &other).unwrap().unwrap();
        let mut writer = successor.writer(OPTIONS).unwrap();
        writer.put_image([1; 32], 1, 1, vector(1)).unwrap();
        writer.commit().unwrap();
        drop((writer, successor));
        lose(dir, 3);
        if let Some(step) = stop {
            let steps = Steps::stop_at(step);
            repair_stepwise(dir, OPTIONS, steps, &mut |_| {}).unwrap_err();
            n_stops += 1;
        }
        let repaired = repair(dir);
        assert_eq!(repaired.n_lost_images, 1, "{stop:?}");
        assert_eq!(folders(dir), [dir.join("damaged-1")], "{stop:?}");
        let found = unfinished(dir).unwrap().map(|found| found.binding);
        assert_eq!(found.as_ref(), Some(&other), "{stop:?}");
        let successor = Successor::begin(dir, &other).unwrap().unwrap();
        let writer = successor.writer(OPTIONS).unwrap();
        assert_eq!(writer.generation(), Generation(1), "{stop:?}");
    }
    assert_eq!(n_stops, 2);
}

#[test]
fn the_leftover_of_a_repair_is_no_change_of_the_model() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir);
    lose(dir, 3);
    let steps = Steps::stop_at(Step::RepairFilling);
    repair_stepwise(dir, OPTIONS, steps, &mut |_| {}).unwrap_err();
    assert!(!dir.join("data-2").exists(), "the disk may be full of it");
    // As after a kill.
    open(&dir.join("data-2")).commit().unwrap();
    assert_eq!(unfinished(dir).unwrap(), None);
    assert_eq!(repair(dir).n_lost_images, 1);
}

/// The note of a repair of format 2: one lost image with its caption and file.
const OLD_NOTE: &str = r#"{"files":[[47,120]],"n_images":1,"n_captions":1,"sources":[[47,99]],
    "n_libraries":0,"n_generations":0,"n_files_to_read":0}"#;

#[test]
fn an_interrupted_repair_of_format_2_is_finished() {
    let original = tempfile::tempdir().unwrap();
    make(original.path());
    let prepare = |names: &[&str], note: bool| {
        let dir = tempfile::tempdir().unwrap();
        copy_folder(original.path(), dir.path());
        let records = dir.path().join("records");
        fs_err::rename(&records, dir.path().join("whole")).unwrap();
        for name in names {
            copy_folder(&dir.path().join("whole"), &dir.path().join(name));
        }
        fs_err::remove_dir_all(dir.path().join("whole")).unwrap();
        if note {
            fs_err::write(dir.path().join("repair.json"), OLD_NOTE).unwrap();
        }
        dir
    };
    let leftovers = [
        "records.new",
        "records.damaged",
        "records.tmp",
        "repair.json",
    ];
    let check_left = |dir: &Path| {
        assert!(leftovers.iter().all(|name| !dir.join(name).exists()));
        assert_eq!(IndexReader::open(dir, None).unwrap().counts().n_images, 10);
    };
    // Both renames were to follow, or the second, or none.
    let dir = prepare(&["records", "records.new", "records.tmp"], true);
    let repaired = repair(dir.path());
    assert!(!repaired.has_losses(), "nothing was damaged");
    check_left(dir.path());
    for names in [
        ["records.damaged", "records.new"],
        ["records", "records.damaged"],
    ] {
        let dir = prepare(&names, true);
        let repaired = repair(dir.path());
        assert_eq!(repaired.lost_files, [Path::new("/x")]);
        assert_eq!((repaired.n_lost_images, repaired.n_lost_captions), (1, 1));
        assert_eq!(repaired.kept, Some(dir.path().join("damaged-1")));
        assert!(dir.path().join("damaged-1/records/CURRENT").exists());
        check_left(dir.path());
        assert!(!repair(dir.path()).has_losses(), "reported once");
    }
    // It was complete, and a writer comes next.
    let dir = prepare(&["records", "records.damaged"], false);
    open(dir.path()).finish().unwrap();
    assert_eq!(folders(dir.path()), [dir.path().join("damaged-1")]);
    check_left(dir.path());
}

#[test]
fn images_that_wait_for_a_path_are_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir);
    let mut writer = open(dir);
    writer.remove_file(Path::new("/0.jpg")).unwrap();
    writer.checkpoint().unwrap();
    drop(writer);
    lose(dir, 3);
    let repaired = repair(dir);
    assert_eq!((repaired.n_lost_images, repaired.n_lost_captions), (1, 1));
    let counts = IndexReader::open(dir, None).unwrap().counts();
    assert_eq!(
        (counts.n_images, counts.n_captions),
        (8, 8),
        "removed by the commit"
    );
}

#[test]
fn damaged_facets_are_made_again_and_tags_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir);
    let (first, third) = (ItemId(1), ItemId(3));
    let mut writer = open(dir);
    for (image, tag) in [(first, "dog"), (third, "cat"), (ItemId(5), "dog")] {
        writer.set_tags(image, [tag.to_owned()]).unwrap();
    }
    writer.finish().unwrap();
    let select = |filter: Filter| {
        let reader = IndexReader::open(dir, None).unwrap();
        let found = reader.select(ItemKind::Image, &filter).unwrap();
        found.iter().map(|id| id.0).collect::<Vec<_>>()
    };
    let tagged = |tag: &str| select(Filter::Tag(tag.to_owned()));
    let square = || select(Filter::Orientation(Orientation::Square));
    assert_eq!(square().len(), 10);

    let chunk = |facet, value: &[u8]| {
        let value = value.to_vec();
        facet_keys::chunk(&FacetValue { facet, value }, first)
    };
    let store = Store::open(&dir.join("records"), false).unwrap();
    let cat = store.get(Column::Default, &chunk(Facet::Tag, b"cat"));
    let cat = cat.unwrap().unwrap();
    let dog = chunk(Facet::Tag, b"dog");
    let shape = chunk(Facet::Orientation, &[Orientation::Square.number()]);
    let changes: [(_, &[u8], Option<&[u8]>); 2] = [
        (Column::Default, &dog, Some(&cat)),
        (Column::Default, &shape, None),
    ];
    store.write(changes).unwrap();
    drop(store);
    assert_eq!((tagged("dog"), square()), (vec![3], vec![]), "damaged");

    let repaired = repair(dir);
    let found = &repaired.found;
    assert!(matches!(found[..], [Problem::Facets { .. }]), "{found:?}");
    assert!(!repaired.has_losses());
    assert_eq!((tagged("dog"), tagged("cat")), (vec![1, 5], vec![3]));
    assert_eq!(square().len(), 10);

    // Those of a lost image are lost with it.
    lose(&dir.join("data-2"), 5);
    assert_eq!(repair(dir).n_lost_images, 1);
    assert_eq!((tagged("dog"), tagged("cat")), (vec![1], vec![3]));
    assert_eq!(square().len(), 9);
    let writer = open(dir);
    assert_eq!(writer.tags_of(first).unwrap(), ["dog"]);
    assert_eq!(writer.tags_of(third).unwrap(), ["cat"]);
}

/// Whatever is known of it, nothing that it may be about is deleted.
#[test]
fn data_are_kept_when_the_note_of_a_repair_is_damaged() {
    let switched = |dir: &Path| {
        make(dir);
        lose(dir, 3);
        let steps = Steps::stop_at(Step::SuccessorSwitched);
        repair_stepwise(dir, OPTIONS, steps, &mut |_| {}).unwrap_err();
        assert!(dir.join("records/CURRENT").exists());
        dir.join("data-2/repair.json")
    };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let note = switched(dir);
    fs_err::write(&note, "{").unwrap();
    open(dir).finish().unwrap();
    assert_eq!(folders(dir), [dir.join("damaged-1")]);
    assert!(dir.join("damaged-1/records/CURRENT").exists());
    let repaired = repair(dir);
    assert_eq!(repaired.kept, Some(dir.join("damaged-1")));
    assert!(!note.exists(), "reported");
    open(dir).finish().unwrap();
    assert_eq!(folders(dir), [dir.join("damaged-1")]);

    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let note = switched(dir);
    fs_err::remove_file(&note).unwrap();
    fs_err::create_dir(&note).unwrap();
    let refused = IndexWriter::open_or_create_with(dir, &binding(), OPTIONS);
    let is_named =
        |error: &IndexError| matches!(error, IndexError::Io { path, .. } if *path == note);
    assert!(refused.as_ref().is_err_and(is_named), "{refused:?}");
    repair_stepwise(dir, OPTIONS, Steps::default(), &mut |_| {}).unwrap_err();
    assert!(dir.join("records/CURRENT").exists(), "nothing is deleted");
}

#[test]
fn what_a_repair_read_from_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir);
    open(dir)
        .compact(&mut |_| ControlFlow::Continue(()))
        .unwrap();
    fs_err::remove_file(dir.join("records/CURRENT")).unwrap();
    let steps = Steps::stop_at(Step::SuccessorSwitched);
    repair_stepwise(dir, OPTIONS, steps, &mut |_| {}).unwrap_err();
    assert!(dir.join("records.tmp").exists());
    open(dir).finish().unwrap();
    assert!(!dir.join("records.tmp").exists());
    repair(dir);

    // Nor is it kept with data that are not in the index folder itself.
    fs_err::remove_file(dir.join("data-2/records/CURRENT")).unwrap();
    assert_eq!(repair(dir).kept, Some(dir.join("damaged-2")));
    let tmp = ["records.tmp", "damaged-2/records.tmp"];
    assert!(tmp.iter().all(|tmp| !dir.join(tmp).exists()));
}

/// Ids that only the words still know are not assigned again either.
#[test]
fn ids_of_lost_commits_are_not_assigned_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir);
    let mut writer = open(dir);
    writer.compact(&mut |_| ControlFlow::Continue(())).unwrap();
    let put = |writer: &mut IndexWriter, number| {
        let image = writer.put_image([number; 32], 1, 1, vector(number));
        image.unwrap()
    };
    assert_eq!(put(&mut writer, 77), ItemId(21));
    writer.commit().unwrap();
    drop(writer);
    for entry in fs_err::read_dir(dir.join("records")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "log") {
            fs_err::remove_file(path).unwrap();
        }
    }
    assert_eq!(repair(dir).n_lost_commits, 1);
    assert_eq!(put(&mut open(dir), 78), ItemId(22));
}

/// The index of the next test, for a function without arguments.
static LOCKED: OnceLock<PathBuf> = OnceLock::new();

/// A writer that comes in between would commit what the check takes for a problem.
#[test]
fn a_repair_holds_the_lock_until_its_result_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir);
    let _ = LOCKED.set(dir.to_owned());
    let assert_locked = || {
        let dir = LOCKED.get().unwrap();
        let writer = IndexWriter::open_or_create_with(dir, &binding(), OPTIONS);
        assert!(matches!(writer, Err(IndexError::Locked { .. })));
    };
    let damages: [fn(&Path); 2] = [
        |dir| fs_err::remove_dir_all(dir.join("words")).unwrap(),
        |dir| lose(dir, 3),
    ];
    for damage in damages {
        damage(dir);
        let copy = tempfile::tempdir().unwrap();
        copy_folder(dir, copy.path());
        let steps = Steps::watched();
        repair_stepwise(copy.path(), OPTIONS, steps, &mut |_| {}).unwrap();
        let reached = steps.reached();
        assert_eq!(reached.last(), Some(&Step::RepairChecked));
        let steps = Steps::with_fault(reached.len() - 1, Fault::Kill(assert_locked));
        let repaired = repair_stepwise(dir, OPTIONS, steps, &mut |_| {}).unwrap();
        assert_eq!(steps.reached(), reached);
        assert_eq!(repaired.left, []);
        drop(open(dir));
    }
}

#[test]
fn an_unclean_end_is_remembered_until_the_files_are_verified() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir);
    let layout = Layout::new(dir);
    let is_remembered = || WriteLock::take(&layout).unwrap().is_after_crash();
    assert!(!is_remembered());
    fs_err::write(layout.lock(), "77\n").unwrap();
    // Neither verifies anything.
    assert!(Successor::begin(dir, &binding()).unwrap().is_none());
    fs_err::create_dir(dir.join("damaged-1")).unwrap();
    assert_eq!(discard_damaged(dir).unwrap().len(), 1);
    assert!(is_remembered());
    // Nor does a writer that fails before.
    let current = dir.join("records/CURRENT");
    fs_err::rename(&current, dir.join("aside")).unwrap();
    IndexWriter::open_or_create_with(dir, &binding(), OPTIONS).unwrap_err();
    fs_err::rename(dir.join("aside"), &current).unwrap();
    assert!(is_remembered());
    drop(open(dir));
    assert!(!is_remembered());
    fs_err::write(layout.lock(), "77\n").unwrap();
    assert_eq!(repair(dir).found, []);
    assert!(!is_remembered());
}

/// Names the index for the child. Without it, the test below does nothing.
const CHILD: &str = "SIGHTLINE_TEST_FEW_FILE_HANDLES";

/// The body of the child process, not a test of its own.
#[test]
fn child_with_few_file_handles() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let records = Path::new(&dir).join("records");
    let scratch = Path::new(&dir).join("records.tmp");
    let read = Salvaged::open(&records, &scratch, Generation(1))
        .and_then(|salvaged| rules::Survey::of(&salvaged, 2).map(drop));
    let text = format!("{:?}", read.unwrap_err());
    assert!(text.contains("Too many open files"), "{text}");
}

#[cfg(unix)]
#[test]
fn nothing_is_lost_for_want_of_file_handles() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    open(dir.path())
        .compact(&mut |_| ControlFlow::Continue(()))
        .unwrap();
    let ran = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 6 && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args([
            "health::repair_tests::child_with_few_file_handles",
            "--exact",
        ])
        .env(CHILD, dir.path())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
}

/// The rules in FORMAT.md are those that are applied.
#[test]
fn every_rule_is_documented() {
    let text = include_str!("../../FORMAT.md");
    let rules = rules::rules::<Store>();
    for rule in &rules {
        let row = format!("| {} | {} |", rule.holds, rule.repair);
        assert!(text.contains(&row), "{row}");
    }
    let (_, table) = text.split_once("| what must hold |").unwrap();
    let n_rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .count();
    assert_eq!(n_rows, rules.len());
}
