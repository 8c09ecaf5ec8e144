//! The crash table of FORMAT.md for upgrades and changes of the model, row by row, and what readers
//! see meanwhile.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::disk::layout::Layout;
use crate::disk::manifest::Manifest;
use crate::disk::steps::{Step, Steps};
use crate::records::codec;
use crate::records::facets;
use crate::records::keys::{Column, meta};
use crate::records::read::Records;
use crate::records::store::Store;
use crate::{
    Binding, FileRecord, Generation, GraphState, IndexError, IndexReader, IndexWriter, Item,
    ItemKind, Nearest, Successor, UnitVector, WriterOptions, check, unfinished,
};

fn old() -> Binding {
    Binding {
        dimension: 3,
        fingerprint: "f00d".into(),
        model: "old".into(),
    }
}

fn new() -> Binding {
    Binding {
        dimension: 5,
        fingerprint: "beef".into(),
        model: "new".into(),
    }
}

const OPTIONS: WriterOptions = WriterOptions {
    min_graph_items: 20,
    max_graph_items: 1_000,
    language: None,
};

/// A vector for a number, far from those of other numbers.
fn vector(binding: &Binding, number: u32) -> UnitVector {
    let mut state = u64::from(number) + 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        f32::from(u16::try_from(state >> 48).unwrap()) / 32768.0 - 1.0
    };
    let values: Vec<f32> = (0..binding.dimension).map(|_| next()).collect();
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    UnitVector::new(values.iter().map(|value| value / length).collect()).unwrap()
}

fn put(writer: &mut IndexWriter, binding: &Binding, number: u32) {
    let mut hash = [0; 32];
    hash[..4].copy_from_slice(&number.to_be_bytes());
    let image = writer
        .put_image(hash, 4, 3, vector(binding, number))
        .unwrap();
    let file = FileRecord {
        n_bytes: 1,
        modified_ns: 2,
        image,
        change: None,
    };
    let path = PathBuf::from(format!("/photos/set{}/photo{number}.jpg", number % 5));
    writer.put_file(&path, file).unwrap();
    let caption = (format!("caption {number}"), vector(binding, 1000 + number));
    writer
        .set_captions(Some(image), Path::new("/photos/c.jsonl"), vec![caption])
        .unwrap();
}

/// Thirty photos with captions in two commits, and graphs.
fn fill(mut writer: IndexWriter, binding: &Binding) {
    (0..25).for_each(|number| put(&mut writer, binding, number));
    writer.commit().unwrap();
    (25..30).for_each(|number| put(&mut writer, binding, number));
    assert_eq!(writer.finish().unwrap(), Generation(2));
}

fn make(dir: &Path, binding: &Binding) {
    fill(
        IndexWriter::open_or_create_with(dir, binding, OPTIONS).unwrap(),
        binding,
    );
}

fn begin(dir: &Path, binding: &Binding, steps: Steps) -> Successor {
    Successor::begin_stepwise(dir, binding, steps)
        .unwrap()
        .expect("it was made with another model")
}

/// Changes the model of a whole index.
fn change(dir: &Path, binding: &Binding) {
    let successor = begin(dir, binding, Steps::default());
    fill(successor.writer(OPTIONS).unwrap(), binding);
    successor.replace().unwrap();
}

/// Everything that can be asked of a reader, as text.
fn answers_of(reader: &IndexReader) -> Vec<String> {
    let binding = reader.binding().clone();
    let mut answers = vec![format!("{binding:?} {:?}", reader.generation())];
    for (path, file) in reader.files().unwrap() {
        let Some(Item::Image(image)) = reader.item(file.image).unwrap() else {
            panic!("{}", path.display())
        };
        let captions = reader.captions_of(image.id).unwrap();
        answers.push(format!("{path:?} {image:?} {captions:?}"));
    }
    for kind in ItemKind::ALL {
        for number in [3, 14, 29, 1003, 1029] {
            for exact in [true, false] {
                let how = Nearest { exact, ef: 4 };
                let near = reader.nearest(kind, &vector(&binding, number), 2, &how);
                answers.push(format!("{:?}", near.unwrap()));
            }
        }
        let found = reader.matching(kind, "photo3 set2 caption", 1000).unwrap();
        let ids: BTreeSet<_> = found.into_iter().map(|found| found.id).collect();
        answers.push(format!("{ids:?}"));
    }
    assert!(answers.len() > 20);
    answers
}

fn answers(dir: &Path) -> Vec<String> {
    answers_of(&IndexReader::open(dir, None).unwrap())
}

/// The answers of an index built from scratch with a model.
fn rebuilt(binding: &Binding) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), binding);
    answers(dir.path())
}

fn names(dir: &Path) -> BTreeSet<String> {
    let entries = fs_err::read_dir(dir).unwrap();
    let name = |entry: std::io::Result<fs_err::DirEntry>| entry.unwrap().file_name();
    entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect()
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// Asserts that the index has the new model, is sound, and has no files of the old one.
fn assert_changed(dir: &Path, data: &str) {
    assert_eq!(check(dir).unwrap(), []);
    assert_eq!(names(dir), set(["manifest.json", "lock", data]));
    let expected = set(["records", "graphs", "words"]);
    assert_eq!(names(&dir.join(data)), expected);
    let reader = IndexReader::open(dir, None).unwrap();
    let whole = GraphState::Ready {
        n_items: 30,
        n_fresh: 0,
    };
    assert_eq!(reader.counts().image_graph, whole);
    let manifest = Manifest::read(&Layout::new(dir)).unwrap().unwrap();
    let layout = Layout::new(dir).with_data(data);
    let store = Store::open_read_only(&layout.records()).unwrap();
    let copy = store.manifest_copy().unwrap().unwrap();
    assert_eq!(copy, manifest.to_bytes().unwrap());
}

#[test]
fn the_model_of_an_index_can_be_changed_repeatedly() {
    let (with_old, with_new) = (rebuilt(&old()), rebuilt(&new()));
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir, &old());
    assert!(Successor::begin(dir, &old()).unwrap().is_none());
    assert_eq!(unfinished(dir).unwrap(), None);

    // Begin it, commit once, and drop it.
    let successor = begin(dir, &new(), Steps::default());
    let mut writer = successor.writer(OPTIONS).unwrap();
    (0..25).for_each(|number| put(&mut writer, &new(), number));
    writer.commit().unwrap();
    put(&mut writer, &new(), 25);
    assert!(matches!(
        IndexWriter::open_or_create(dir, &old()),
        Err(IndexError::Locked { .. })
    ));
    assert_eq!(answers(dir), with_old, "readers see the old data");
    drop((writer, successor));
    assert_eq!(check(dir).unwrap(), []);
    let found = unfinished(dir).unwrap().unwrap();
    assert_eq!((found.binding, &found.folder), (new(), &dir.join("data-2")));
    // Writers of the old model keep working and leave it alone.
    let writer = IndexWriter::open_or_create_with(dir, &old(), OPTIONS).unwrap();
    assert_eq!(writer.finish().unwrap(), Generation(2));
    assert_eq!(answers(dir), with_old);

    // Continue it: the committed items are there.
    let successor = begin(dir, &new(), Steps::default());
    assert_eq!(unfinished(dir).unwrap().unwrap().binding, new());
    let mut writer = successor.writer(OPTIONS).unwrap();
    assert_eq!(writer.generation(), Generation(1));
    (25..30).for_each(|number| put(&mut writer, &new(), number));
    assert_eq!(writer.finish().unwrap(), Generation(2));
    let before = IndexReader::open(dir, None).unwrap();
    successor.replace().unwrap();
    assert_changed(dir, "data-2");
    assert_eq!(answers(dir), with_new);
    assert_eq!(answers_of(&before), with_old, "open readers keep working");
    assert_eq!(unfinished(dir).unwrap(), None);

    // It is an index like any other.
    assert!(matches!(
        IndexWriter::open_or_create(dir, &old()),
        Err(IndexError::OtherDimension { .. })
    ));
    let mut writer = IndexWriter::open_or_create_with(dir, &new(), OPTIONS).unwrap();
    put(&mut writer, &new(), 77);
    assert_eq!(writer.finish().unwrap(), Generation(3));
    assert_eq!(check(dir).unwrap(), []);
    change(dir, &old());
    assert_changed(dir, "data-3");
    assert_eq!(answers(dir), with_old);
    change(dir, &new());
    assert_changed(dir, "data-4");
    assert_eq!(answers(dir), with_new);
}

/// Interrupts the switch at a step: the index is completely the old or the new one, and the change
/// can be continued.
fn check_stop(step: Step, switched: bool) {
    let (with_old, with_new) = (rebuilt(&old()), rebuilt(&new()));
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir, &old());
    let successor = begin(dir, &new(), Steps::stop_at(step));
    fill(successor.writer(OPTIONS).unwrap(), &new());
    let error = successor.replace().unwrap_err();
    let expected = format!("stopped at {step:?}");
    assert!(format!("{error:?}").contains(&expected), "{error:?}");

    let now = if switched { &with_new } else { &with_old };
    assert_eq!(&answers(dir), now);
    assert_eq!(check(dir).unwrap(), []);
    if switched {
        let writer = IndexWriter::open_or_create_with(dir, &new(), OPTIONS).unwrap();
        writer.finish().unwrap();
    } else {
        // The old index is sound and can be written.
        let writer = IndexWriter::open_or_create_with(dir, &old(), OPTIONS).unwrap();
        writer.finish().unwrap();
        assert_eq!(&answers(dir), now);
        let successor = begin(dir, &new(), Steps::default());
        let writer = successor.writer(OPTIONS).unwrap();
        assert_eq!(writer.generation(), Generation(2), "nothing is done twice");
        writer.finish().unwrap();
        successor.replace().unwrap();
    }
    assert_changed(dir, "data-2");
    assert_eq!(answers(dir), with_new);
}

#[test]
fn stopped_before_the_switch() {
    check_stop(Step::SuccessorCopied, false);
}

#[test]
fn stopped_after_the_switch() {
    check_stop(Step::SuccessorSwitched, true);
}

#[test]
fn stopped_while_the_old_data_are_deleted() {
    check_stop(Step::OldDataDisabled, true);
}

/// Rewrites the manifest and its copy in format 1, and removes the facets.
pub(crate) fn to_format_1(dir: &Path) -> String {
    let path = dir.join("manifest.json");
    let text = fs_err::read_to_string(&path).unwrap();
    let text = text
        .replace("\"format\": 3", "\"format\": 1")
        .replace("  \"data\": \"\",\n", "");
    assert!(text.contains("\"format\": 1") && !text.contains("data"));
    fs_err::write(&path, &text).unwrap();
    let store = Store::open(&dir.join("records"), false).unwrap();
    store.write_manifest_copy(text.as_bytes()).unwrap();
    unlist_graphs(dir, &store);
    let mut keys = facets::keys(&store).unwrap();
    keys.push(meta::FACETED.to_vec());
    let removed = keys.iter().map(|key| (Column::Default, &**key, None));
    store.write(removed).unwrap();
    text
}

/// Keeps the graphs as an older version of this program did: one of each kind, not listed.
fn unlist_graphs(dir: &Path, store: &Store) {
    let layout = Layout::new(dir);
    let generation = store.generation().unwrap();
    let purged = codec::encode_purged([generation; 2]);
    let mut changes = vec![
        (meta::SEGMENTED.to_vec(), None),
        (meta::PURGED.to_vec(), Some(purged)),
    ];
    for kind in ItemKind::ALL {
        for entry in store.segments(kind).unwrap() {
            changes.push((entry.encode(kind).0, None));
            fs_err::rename(layout.segment(kind, entry.number), layout.graph(kind)).unwrap();
        }
    }
    store
        .write(
            changes
                .iter()
                .map(|(key, value)| (Column::Default, key.as_slice(), value.as_deref())),
        )
        .unwrap();
}

#[test]
fn stopped_during_the_upgrade() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir, &old());
    let expected = answers(dir);
    let second = fs_err::read(dir.join("manifest.json")).unwrap();
    let first = to_format_1(dir);
    assert_eq!(
        answers(dir),
        expected,
        "format 1 is read without an upgrade"
    );
    assert_eq!(check(dir).unwrap(), []);

    let open = |steps| IndexWriter::open_stepwise(dir, &old(), OPTIONS, steps);
    let Err(error) = open(Steps::stop_at(Step::UpgradeCopied)) else {
        panic!("not stopped")
    };
    assert!(format!("{error:?}").contains("UpgradeCopied"), "{error:?}");
    let manifest = || fs_err::read(dir.join("manifest.json")).unwrap();
    let copy = || {
        let store = Store::open_read_only(&dir.join("records")).unwrap();
        store.manifest_copy().unwrap().unwrap()
    };
    assert_eq!((manifest(), copy()), (first.clone().into(), second.clone()));
    assert_eq!(answers(dir), expected);
    // The reverse, as if the disk had kept only the later change.
    for stopped in [true, false] {
        if !stopped {
            fs_err::write(dir.join("manifest.json"), &second).unwrap();
            let store = Store::open(&dir.join("records"), false).unwrap();
            store.write_manifest_copy(first.as_bytes()).unwrap();
            drop(store);
            assert_eq!(answers(dir), expected);
        }
        open(Steps::default()).unwrap().finish().unwrap();
        assert_eq!((manifest(), copy()), (second.clone(), second.clone()));
        assert_eq!(answers(dir), expected);
        assert_eq!(check(dir).unwrap(), []);
    }
}

#[test]
fn the_model_of_an_index_of_format_1_can_be_changed() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &old());
    to_format_1(dir.path());
    change(dir.path(), &new());
    assert_changed(dir.path(), "data-2");
    assert_eq!(answers(dir.path()), rebuilt(&new()));
}

#[test]
fn a_successor_of_another_model_or_a_damaged_one_is_begun_again() {
    let third = Binding {
        fingerprint: "cafe".into(),
        model: "third".into(),
        ..new()
    };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir, &old());
    let with_old = answers(dir);
    // Begins one, and returns the model of the one that it replaces, if that is another.
    let half = |binding: &Binding| {
        let found = unfinished(dir).unwrap().map(|found| found.binding);
        let discarded = found.filter(|found| found != binding);
        let successor = begin(dir, binding, Steps::default());
        let mut writer = successor.writer(OPTIONS).unwrap();
        assert_eq!(writer.generation(), Generation(0), "it is begun again");
        put(&mut writer, binding, 1);
        writer.finish().unwrap();
        let now = unfinished(dir).unwrap().map(|found| found.binding);
        assert_eq!(now.as_ref(), Some(binding));
        discarded
    };
    assert_eq!(half(&new()), None);
    assert_eq!(half(&third), Some(new()));
    assert_eq!(half(&new()), Some(third));
    // Its manifest is damaged or missing.
    fs_err::write(dir.join("data-2/manifest.json"), "{").unwrap();
    assert_eq!(unfinished(dir).unwrap(), None);
    assert_eq!(half(&new()), None);
    fs_err::remove_file(dir.join("data-2/manifest.json")).unwrap();
    assert_eq!(half(&new()), None);
    // Its records are missing.
    fs_err::remove_file(dir.join("data-2/records/CURRENT")).unwrap();
    assert_eq!(half(&new()), None);
    assert_eq!(answers(dir), with_old);
    // One of a newer program is not touched.
    let path = dir.join("data-2/manifest.json");
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, text.replace("\"format\": 3", "\"format\": 4")).unwrap();
    let error = Successor::begin(dir, &new()).unwrap_err();
    assert!(matches!(error, IndexError::NewerFormat { .. }), "{error}");
    fs_err::write(&path, text).unwrap();
    // Leftovers of an interrupted deletion are deleted.
    fs_err::create_dir_all(dir.join("data-2.gone/records")).unwrap();
    fs_err::create_dir_all(dir.join("data-7/records")).unwrap();
    fs_err::create_dir_all(dir.join("mine")).unwrap();
    fs_err::write(dir.join("gate"), "").unwrap();
    let writer = IndexWriter::open_or_create_with(dir, &old(), OPTIONS).unwrap();
    writer.finish().unwrap();
    let expected = [
        "manifest.json",
        "lock",
        "records",
        "graphs",
        "words",
        "data-2",
        "mine",
    ];
    assert_eq!(names(dir), set(expected));
    assert_eq!(answers(dir), with_old);
}

/// The copies of the manifest in the records state which data are current.
#[test]
fn a_lost_manifest_is_restored_before_and_after_the_switch() {
    let lose = |dir: &Path| {
        let manifest = fs_err::read(dir.join("manifest.json")).unwrap();
        fs_err::remove_file(dir.join("manifest.json")).unwrap();
        let error = IndexReader::open(dir, None).unwrap_err();
        assert!(matches!(error, IndexError::Damaged { .. }), "{error}");
        manifest
    };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir, &old());
    let successor = begin(dir, &new(), Steps::default());
    fill(successor.writer(OPTIONS).unwrap(), &new());
    let manifest = lose(dir);
    drop(successor);
    assert!(IndexWriter::open_or_create(dir, &new()).is_err());
    let writer = IndexWriter::open_or_create_with(dir, &old(), OPTIONS).unwrap();
    writer.finish().unwrap();
    assert_eq!(fs_err::read(dir.join("manifest.json")).unwrap(), manifest);
    assert_eq!(answers(dir), rebuilt(&old()));

    change_on(dir);
    let manifest = lose(dir);
    assert!(IndexWriter::open_or_create(dir, &old()).is_err());
    let writer = IndexWriter::open_or_create_with(dir, &new(), OPTIONS).unwrap();
    writer.finish().unwrap();
    assert_eq!(fs_err::read(dir.join("manifest.json")).unwrap(), manifest);
    assert_changed(dir, "data-2");
    assert_eq!(answers(dir), rebuilt(&new()));
}

/// Replaces the index by its complete successor.
fn change_on(dir: &Path) {
    let successor = begin(dir, &new(), Steps::default());
    let writer = successor.writer(OPTIONS).unwrap();
    assert_eq!(writer.generation(), Generation(2));
    writer.finish().unwrap();
    successor.replace().unwrap();
}

#[test]
fn readers_see_either_the_old_or_the_new_data_during_the_switch() {
    let expected = [rebuilt(&old()), rebuilt(&new())];
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir, &old());
    let ended = AtomicBool::new(false);
    let n_seen = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut n_seen = [0, 0];
            while !ended.load(Ordering::SeqCst) {
                let reader = IndexReader::open(dir, None).unwrap();
                let which = usize::from(*reader.binding() == new());
                assert_eq!(answers_of(&reader), expected[which]);
                n_seen[which] += 1;
            }
            n_seen
        });
        for _ in 0..6 {
            change(dir, &new());
            change(dir, &old());
        }
        ended.store(true, Ordering::SeqCst);
        reading.join().unwrap()
    });
    assert!(n_seen.iter().all(|&n| n > 0), "{n_seen:?}");
    assert_changed(dir, "data-13");
}
