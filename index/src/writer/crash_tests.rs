//! The crash table of FORMAT.md, row by row: the writer is interrupted after a step. The index must
//! then open at a complete generation, give the answers of an uninterrupted index, and be sound
//! after the next writer.

#[path = "../../../tests/it/support/copy.rs"]
mod copy;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

pub(crate) use copy::copy_folder;

use crate::disk::steps::{Step, Steps};
use crate::health::repair::repair_stepwise;
use crate::records::keys::Column;
use crate::records::read::Records;
use crate::records::store::Store;
use crate::words::{Document, WordsStamp, WordsWriter};
use crate::{
    Binding, BuildProgress, FileRecord, Filter, Generation, GraphState, IndexError, IndexReader,
    IndexWriter, Item, ItemKind, Language, Nearest, Problem, UnitVector, WriterOptions, check,
};

const DIMENSION: usize = 6;

pub(crate) fn go_on(_: BuildProgress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

pub(crate) fn binding() -> Binding {
    Binding {
        dimension: DIMENSION,
        fingerprint: "f00d".into(),
        model: "toy".into(),
    }
}

pub(crate) fn open(dir: &Path, steps: Steps) -> Result<IndexWriter, IndexError> {
    IndexWriter::open_stepwise(
        dir,
        &binding(),
        WriterOptions {
            min_graph_items: 40,
            ..WriterOptions::default()
        },
        steps,
    )
}

/// Finishes, and fails if anything had to be postponed.
pub(crate) fn finish(writer: IndexWriter) -> Result<(), IndexError> {
    let mut postponed = writer.finish_with(&mut go_on)?.postponed;
    postponed.pop().map_or(Ok(()), Err)
}

/// A vector for a number, far from those of other numbers.
fn vector(number: u32) -> UnitVector {
    let mut state = u64::from(number) + 1;
    let mut values = [0.0f32; DIMENSION];
    for value in &mut values {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *value = f32::from(u16::try_from(state >> 48).unwrap()) / 32768.0 - 1.0;
    }
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    UnitVector::new(values.iter().map(|value| value / length).collect()).unwrap()
}

fn put(writer: &mut IndexWriter, number: u32) {
    let mut hash = [0; 32];
    hash[..4].copy_from_slice(&number.to_be_bytes());
    let image = writer.put_image(hash, 4, 3, vector(number)).unwrap();
    let path = PathBuf::from(format!("/photos/set{}/photo{number}.jpg", number % 5));
    writer
        .put_file(
            &path,
            FileRecord {
                n_bytes: 1,
                modified_ns: 2,
                image,
                change: None,
            },
        )
        .unwrap();
    let caption = (format!("caption {number}"), vector(1000 + number));
    writer
        .set_captions(Some(image), Path::new("/photos/c.jsonl"), vec![caption])
        .unwrap();
}

/// The first generation: 50 photos with captions, and graphs.
pub(crate) fn first(dir: &Path) {
    let mut writer = open(dir, Steps::default()).unwrap();
    put_first(&mut writer);
    // So that there are tables.
    writer.compact(&mut go_on).unwrap();
    assert_eq!(writer.finish().unwrap(), Generation(1));
}

pub(crate) fn put_first(writer: &mut IndexWriter) {
    (0..50).for_each(|number| put(writer, number));
}

/// The second generation: some photos removed, some added, enough of both for new graphs.
pub(crate) fn second(writer: &mut IndexWriter) {
    for number in 0..20 {
        writer
            .remove_file(&PathBuf::from(format!(
                "/photos/set{}/photo{number}.jpg",
                number % 5
            )))
            .unwrap();
    }
    (50..90).for_each(|number| put(writer, number));
}

/// Everything that can be asked of an index, as text.
pub(crate) fn answers(dir: &Path) -> Vec<String> {
    let reader = IndexReader::open(dir, None).unwrap();
    let mut answers = vec![format!("{:?}", reader.generation())];
    for (path, file) in reader.files().unwrap() {
        let Some(Item::Image(image)) = reader.item(file.image).unwrap() else {
            panic!("{}", path.display())
        };
        answers.push(format!(
            "{path:?} {image:?} {:?}",
            reader.captions_of(image.id).unwrap()
        ));
    }
    for kind in ItemKind::ALL {
        for number in [3, 30, 60, 1003, 1030, 1060] {
            for exact in [true, false] {
                let how = Nearest { exact, ef: 12 };
                answers.push(format!(
                    "{:?}",
                    reader.nearest(kind, &vector(number), 3, &how).unwrap()
                ));
            }
        }
        for filter in [
            Filter::Folder("/photos/set2".into()),
            Filter::Not(Box::new(Filter::Folder("/photos/set3".into()))),
        ] {
            answers.push(format!("{:?}", reader.select(kind, &filter).unwrap()));
        }
        for words in ["photo3", "set2 photo60 caption", "caption 30"] {
            let found = reader.matching(kind, words, 1000).unwrap();
            answers.push(format!("{found:?}"));
        }
    }
    assert!(
        answers.len() >= 35,
        "the generation, photos, and 34 queries"
    );
    answers
}

/// The answers at both generations of an uninterrupted index.
fn uninterrupted() -> [Vec<String>; 2] {
    let dir = tempfile::tempdir().unwrap();
    first(dir.path());
    let before = answers(dir.path());
    let mut writer = open(dir.path(), Steps::default()).unwrap();
    second(&mut writer);
    assert_eq!(writer.finish().unwrap(), Generation(2));
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(
        reader.counts().image_graph,
        GraphState::Ready {
            n_items: 70,
            n_fresh: 0
        }
    );
    [before, answers(dir.path())]
}

/// Interrupts the second generation at `step` and checks the generation and the state of the words.
fn check_stop(step: Step, expected: Generation, words_behind: bool) {
    let [before, after] = uninterrupted();
    let dir = tempfile::tempdir().unwrap();
    first(dir.path());
    let mut writer = open(dir.path(), Steps::stop_at(step)).unwrap();
    second(&mut writer);
    let error = finish(writer).unwrap_err();
    assert!(
        format!("{error:?}").contains(&format!("stopped at {step:?}")),
        "{error:?}"
    );

    assert_eq!(check(dir.path()).unwrap(), []);
    let words = WordsStamp::read(&dir.path().join("words")).unwrap();
    let n_behind = expected.0 - words.unwrap().generation;
    assert_eq!(n_behind, u64::from(words_behind));
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(reader.generation(), expected);
    drop(reader);
    let whole = if expected == Generation(1) {
        &before
    } else {
        &after
    };
    assert_eq!(
        &answers(dir.path()),
        whole,
        "a reader sees a complete generation"
    );

    drop(open(dir.path(), Steps::default()).unwrap());
    assert_eq!(check(dir.path()).unwrap(), []);
    assert_eq!(
        &answers(dir.path()),
        whole,
        "a writer without changes does not change the answers"
    );
    let mut writer = open(dir.path(), Steps::default()).unwrap();
    if expected == Generation(1) {
        second(&mut writer);
    }
    assert_eq!(writer.finish().unwrap(), Generation(2));
    assert_eq!(answers(dir.path()), after);
    assert_eq!(check(dir.path()).unwrap(), []);
    let reader = IndexReader::open(dir.path(), None).unwrap();
    for state in [reader.counts().image_graph, reader.counts().caption_graph] {
        assert_eq!(
            state,
            GraphState::Ready {
                n_items: 70,
                n_fresh: 0
            }
        );
    }
    assert!(!dir.path().join("graphs/image-1.graph.tmp").exists());
}

#[test]
fn stopped_before_the_commit() {
    check_stop(Step::WordsPrepared, Generation(1), false);
}

#[test]
fn stopped_between_records_and_words() {
    check_stop(Step::RecordsCommitted, Generation(2), true);
}

#[test]
fn stopped_before_the_flush() {
    check_stop(Step::WordsCommitted, Generation(2), false);
}

#[test]
fn stopped_with_a_graph_aside() {
    check_stop(Step::GraphAside, Generation(2), false);
}

#[test]
fn stopped_with_a_graph_in_place_and_its_tombstones() {
    check_stop(Step::GraphNamed, Generation(2), false);
}

#[test]
fn stopped_after_one_of_two_graphs() {
    check_stop(Step::GraphListed, Generation(2), false);
}

#[test]
fn stopped_while_being_created() {
    let dir = tempfile::tempdir().unwrap();
    let Err(error) = open(dir.path(), Steps::stop_at(Step::RecordsCreated)) else {
        panic!("not stopped")
    };
    assert!(error.to_string().contains("records"), "{error}");
    let Err(error) = IndexReader::open(dir.path(), None) else {
        panic!("there is nothing to read")
    };
    assert!(matches!(error, IndexError::NoIndex { .. }), "{error}");
    first(dir.path());
    assert_eq!(check(dir.path()).unwrap(), []);
    assert_eq!(answers(dir.path()), uninterrupted()[0]);
    // With something committed, the same files are a damaged index rather than an unfinished one.
    fs_err::remove_file(dir.path().join("manifest.json")).unwrap();
    let Err(error) = IndexReader::open(dir.path(), None) else {
        panic!("it has no manifest")
    };
    assert!(matches!(error, IndexError::Damaged { .. }), "{error}");
}

/// RocksDB creates the columns of a new database one after another.
#[test]
fn stopped_while_the_columns_are_created() {
    for n_columns in 1..Column::ALL.len() {
        let dir = tempfile::tempdir().unwrap();
        Store::create_columns(&dir.path().join("records"), &Column::ALL[..n_columns]);
        let error = IndexReader::open(dir.path(), None).unwrap_err();
        assert!(matches!(error, IndexError::NoIndex { .. }), "{error}");
        first(dir.path());
        assert_eq!(check(dir.path()).unwrap(), []);
        assert_eq!(answers(dir.path()), uninterrupted()[0]);
    }
}

/// What is committed is not reported as failed because the words or a graph cannot be written.
#[test]
fn failed_work_after_the_commit_is_postponed() {
    let after = &uninterrupted()[1];
    let mut n_postponed = 0;
    for step in [
        Step::RecordsCommitted,
        Step::WordsCommitted,
        Step::GraphAside,
        Step::WordsMerged,
    ] {
        let dir = tempfile::tempdir().unwrap();
        first(dir.path());
        let mut writer = open(dir.path(), Steps::stop_at(step)).unwrap();
        second(&mut writer);
        let finished = writer.finish_with(&mut go_on).unwrap();
        assert_eq!(finished.generation, Generation(2), "{step:?}");
        let [error] = &finished.postponed[..] else {
            panic!("{step:?}: {:?}", finished.postponed)
        };
        assert!(
            format!("{error:?}").contains(&format!("{step:?}")),
            "{error:?}"
        );
        assert_eq!(&answers(dir.path()), after, "{step:?}");
        let writer = open(dir.path(), Steps::default()).unwrap();
        let finished = writer.finish_with(&mut go_on).unwrap();
        assert!(finished.postponed.is_empty(), "{:?}", finished.postponed);
        assert_eq!(&answers(dir.path()), after, "{step:?}");
        assert_eq!(check(dir.path()).unwrap(), []);
        n_postponed += 1;
    }
    assert_eq!(n_postponed, 4);
}

/// Words that a commit could not switch, and that cannot be opened at the end either.
#[cfg(unix)]
#[test]
fn a_run_whose_words_cannot_be_written_ends_with_what_it_committed() {
    let dir = tempfile::tempdir().unwrap();
    first(dir.path());
    let mut writer = open(dir.path(), Steps::stop_at(Step::RecordsCommitted)).unwrap();
    second(&mut writer);
    assert_eq!(writer.commit().unwrap(), Generation(2));
    assert!(!writer.is_pending());
    let (list, aside) = (
        dir.path().join("words/meta.json"),
        dir.path().join("lock.list"),
    );
    fs_err::rename(&list, &aside).unwrap();
    fs_err::os::unix::fs::symlink("meta.json", &list).unwrap();
    let finished = writer.finish_with(&mut go_on).unwrap();
    assert_eq!(finished.generation, Generation(2));
    assert!(finished.postponed.len() >= 2, "{:?}", finished.postponed);
    fs_err::rename(&aside, &list).unwrap();
    let after = &uninterrupted()[1];
    assert_eq!(&answers(dir.path()), after);
    open(dir.path(), Steps::default())
        .unwrap()
        .finish()
        .unwrap();
    assert_eq!(&answers(dir.path()), after);
    assert_eq!(check(dir.path()).unwrap(), []);
}

/// Readers learn from the newest lists of changes what an older generation lacks.
#[test]
fn the_newest_lists_of_changes_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path(), Steps::default()).unwrap();
    for number in 0..70 {
        put(&mut writer, number);
        writer.commit().unwrap();
    }
    let store = Store::open_read_only(&dir.path().join("records")).unwrap();
    let lists = store.changes_after(Generation(0)).unwrap();
    let generations: Vec<u64> = lists.iter().map(|(generation, _)| generation.0).collect();
    assert_eq!(generations, (7..=70).collect::<Vec<u64>>());
    drop(writer);
    assert_eq!(check(dir.path()).unwrap(), []);
}

/// An old graph restored from a backup contains items whose tombstones are dropped.
#[test]
fn graphs_of_other_generations_are_not_used() {
    let [before, after] = uninterrupted();
    let dir = tempfile::tempdir().unwrap();
    first(dir.path());
    let path = dir.path().join("graphs/image-1.graph");
    let old = fs_err::read(&path).unwrap();
    let mut writer = open(dir.path(), Steps::default()).unwrap();
    second(&mut writer);
    writer.finish().unwrap();
    assert!(!path.exists(), "the replaced graph is deleted");
    let path = dir.path().join("graphs/image-2.graph");
    let new = fs_err::read(&path).unwrap();
    fs_err::write(&path, &old).unwrap();
    assert_eq!(answers(dir.path()), after, "the old graph is not used");
    assert_eq!(check(dir.path()).unwrap().len(), 1);
    open(dir.path(), Steps::default())
        .unwrap()
        .finish()
        .unwrap();
    assert_eq!(check(dir.path()).unwrap(), []);
    assert_eq!(answers(dir.path()), after);

    let dir = tempfile::tempdir().unwrap();
    first(dir.path());
    let path = dir.path().join("graphs/image-1.graph");
    // Within the same index, the file must be refused for its generation; from another index, for
    // its id.
    fs_err::write(&path, &new).unwrap();
    assert_eq!(answers(dir.path()), before);
    assert_eq!(check(dir.path()).unwrap().len(), 1);
    open(dir.path(), Steps::default())
        .unwrap()
        .finish()
        .unwrap();
    assert_eq!(check(dir.path()).unwrap(), []);
}

/// Records of an older generation (from a backup, or without their log) are refused. Without the
/// derived parts of newer ones, they are an index of their own.
#[test]
fn records_that_lost_a_commit_are_refused() {
    let [before, after] = uninterrupted();
    let dir = tempfile::tempdir().unwrap();
    first(dir.path());
    let backup = tempfile::tempdir().unwrap();
    copy_folder(&dir.path().join("records"), backup.path());
    let mut writer = open(dir.path(), Steps::default()).unwrap();
    second(&mut writer);
    writer.finish().unwrap();
    assert_eq!(answers(dir.path()), after);
    fs_err::remove_dir_all(dir.path().join("records")).unwrap();
    copy_folder(backup.path(), &dir.path().join("records"));
    let is_reported = |error: IndexError| {
        matches!(error, IndexError::Damaged { .. })
            && error.to_string().contains("commits were lost")
    };
    assert!(IndexReader::open(dir.path(), None).is_err_and(is_reported));
    assert!(open(dir.path(), Steps::default()).is_err_and(is_reported));
    assert_eq!(
        check(dir.path()).unwrap().len(),
        4,
        "two graphs, the words, and the records themselves"
    );
    // The graphs alone show it, too, and are not deleted.
    fs_err::remove_dir_all(dir.path().join("words")).unwrap();
    assert!(IndexReader::open(dir.path(), None).is_err_and(is_reported));
    assert!(open(dir.path(), Steps::default()).is_err_and(is_reported));
    assert!(IndexReader::open(dir.path(), None).is_err_and(is_reported));
    fs_err::remove_dir_all(dir.path().join("graphs")).unwrap();
    assert_eq!(
        answers(dir.path()),
        before,
        "nothing from a later generation is found"
    );
    open(dir.path(), Steps::default())
        .unwrap()
        .finish()
        .unwrap();
    assert_eq!(check(dir.path()).unwrap(), []);
    assert_eq!(answers(dir.path()), before);
}

/// Compacts after `second` and interrupts it at `step`: the answers never change.
fn check_stopped_compaction(step: Step) {
    let [_, after] = uninterrupted();
    let dir = tempfile::tempdir().unwrap();
    first(dir.path());
    // So that there is something to rewrite: new and removed items, and two segments of words.
    let mut writer = IndexWriter::open_or_create(dir.path(), &binding()).unwrap();
    second(&mut writer);
    writer.commit().unwrap();
    drop(writer);
    let mut writer = open(dir.path(), Steps::stop_at(step)).unwrap();
    let error = writer.compact(&mut go_on).unwrap_err();
    assert!(
        format!("{error:?}").contains(&format!("stopped at {step:?}")),
        "{error:?}"
    );
    // A concurrent reader, and a later one.
    assert_eq!(answers(dir.path()), after, "{step:?}");
    drop(writer);
    assert_eq!(answers(dir.path()), after, "{step:?}");
    assert_eq!(check(dir.path()).unwrap(), [], "{step:?}");
    let mut writer = open(dir.path(), Steps::default()).unwrap();
    writer.compact(&mut go_on).unwrap();
    assert_eq!(writer.finish().unwrap(), Generation(2));
    assert_eq!(answers(dir.path()), after, "{step:?}");
    assert_eq!(check(dir.path()).unwrap(), [], "{step:?}");
    let reader = IndexReader::open(dir.path(), None).unwrap();
    for kind in ItemKind::ALL {
        assert_eq!(reader.leftovers(kind).unwrap().n_tombstones, 0, "{step:?}");
    }
}

#[test]
fn stopped_while_compacting() {
    let steps = [
        Step::GraphAside,
        Step::GraphNamed,
        Step::GraphListed,
        Step::CompactFlushed,
        Step::CompactTables,
        Step::CompactWords,
    ];
    assert_eq!(steps.len(), 6);
    steps.into_iter().for_each(check_stopped_compaction);
}

#[test]
fn compacting_does_not_affect_an_open_reader() {
    let dir = tempfile::tempdir().unwrap();
    first(dir.path());
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let mut writer = open(dir.path(), Steps::default()).unwrap();
    second(&mut writer);
    writer.compact(&mut go_on).unwrap();
    assert_eq!(reader.generation(), Generation(1));
    for number in 0..50 {
        let found = reader
            .nearest(ItemKind::Image, &vector(number), 1, &Nearest::default())
            .unwrap();
        let Some(Item::Image(image)) = reader.item(found[0].id).unwrap() else {
            panic!("photo {number}")
        };
        let name = format!("photo{number}.jpg");
        assert!(image.paths[0].ends_with(name));
        assert_eq!(reader.captions_of(image.id).unwrap().len(), 1);
    }
    assert_eq!(
        reader
            .matching(ItemKind::Caption, "caption", 1000)
            .unwrap()
            .len(),
        50
    );
}

/// Interrupts a repair at each of its steps. The next one completes it and reports the losses of
/// both.
#[test]
fn stopped_while_repairing() {
    let options = WriterOptions {
        min_graph_items: 40,
        max_graph_items: 1_000,
        language: None,
    };
    let mut n_lost = Vec::new();
    for step in [
        None,
        Some(Step::RepairFilling),
        Some(Step::RepairCopied),
        Some(Step::SuccessorCopied),
        Some(Step::SuccessorSwitched),
        Some(Step::RepairSetAside),
        Some(Step::RepairChecked),
    ] {
        let dir = tempfile::tempdir().unwrap();
        first(dir.path());
        let records = dir.path().join("records");
        let table = fs_err::read_dir(&records)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "sst"))
            .max_by_key(|path| fs_err::metadata(path).unwrap().len())
            .unwrap();
        let mut bytes = fs_err::read(&table).unwrap();
        bytes[300] ^= 1;
        fs_err::write(&table, bytes).unwrap();
        if let Some(step) = step {
            let error = repair_stepwise(dir.path(), options, Steps::stop_at(step), &mut |_| {})
                .unwrap_err();
            assert!(
                format!("{error:?}").contains(&format!("stopped at {step:?}")),
                "{error:?}"
            );
        }
        let repaired = repair_stepwise(dir.path(), options, Steps::default(), &mut |_| {}).unwrap();
        assert_eq!(repaired.left, [], "{step:?}");
        assert_eq!(check(dir.path()).unwrap(), [], "{step:?}");
        let counts = IndexReader::open(dir.path(), None).unwrap().counts();
        assert_eq!(counts.n_images, 50 - repaired.n_lost_images, "{step:?}");
        assert_eq!(counts.n_captions, 50 - repaired.n_lost_captions, "{step:?}");
        assert!(repaired.has_losses() && repaired.kept.is_some(), "{step:?}");
        n_lost.push((
            repaired.n_lost_images,
            repaired.n_lost_captions,
            repaired.lost_files,
        ));
        let again = repair_stepwise(dir.path(), options, Steps::default(), &mut |_| {}).unwrap();
        assert!(again.found.is_empty() && !again.has_losses(), "{step:?}");
    }
    assert_eq!(n_lost.len(), 7);
    assert!(
        n_lost.windows(2).all(|pair| pair[0] == pair[1]),
        "{n_lost:?}"
    );
}

/// A failed commit drops the prepared words. If that fails, too, the words are closed.
#[test]
fn words_that_cannot_be_rolled_back_are_opened_again() {
    let [before, after] = uninterrupted();
    let dir = tempfile::tempdir().unwrap();
    first(dir.path());
    let mut writer = open(dir.path(), Steps::stop_at(Step::WordsPrepared)).unwrap();
    second(&mut writer);
    let (list, aside) = (
        dir.path().join("words/meta.json"),
        dir.path().join("lock.list"),
    );
    fs_err::rename(&list, &aside).unwrap();
    let error = writer.commit().unwrap_err();
    assert!(
        format!("{error:?}").contains("stopped at WordsPrepared"),
        "{error:?}"
    );
    fs_err::rename(&aside, &list).unwrap();
    let error = writer.commit().unwrap_err();
    assert!(
        format!("{error:?}").contains("stopped at WordsPrepared"),
        "{error:?}"
    );
    drop(writer);
    assert_eq!(answers(dir.path()), before);
    let mut writer = open(dir.path(), Steps::default()).unwrap();
    second(&mut writer);
    writer.finish().unwrap();
    assert_eq!(answers(dir.path()), after);
    assert_eq!(check(dir.path()).unwrap(), []);
}

/// As a program of version 0.1 could leave it after a kill.
#[test]
fn words_with_another_number_of_documents_are_rebuilt() {
    let [before, after] = uninterrupted();
    for is_missing in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        first(dir.path());
        let path = dir.path().join("words");
        let mut words = WordsWriter::open(&path, Language::English).unwrap();
        let stamp = words.stamp.unwrap();
        if is_missing {
            words.remove(1);
        } else {
            words.add_again(&Document {
                kind: ItemKind::Image.number(),
                id: 1,
                text: "stale".into(),
            });
        }
        words.prepare(stamp).unwrap().commit().unwrap();
        drop(words);
        let problems = check(dir.path()).unwrap();
        assert!(
            matches!(problems.as_slice(), [Problem::Words { .. }]),
            "{problems:?}"
        );
        let mut writer = open(dir.path(), Steps::default()).unwrap();
        assert_eq!(check(dir.path()).unwrap(), []);
        assert_eq!(answers(dir.path()), before);
        second(&mut writer);
        writer.finish().unwrap();
        assert_eq!(answers(dir.path()), after);
        assert_eq!(check(dir.path()).unwrap(), []);
    }
}

/// The names of the files of the words, which are random.
fn names_of_words(dir: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(dir.join("words")).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

#[test]
fn words_are_not_rebuilt_for_a_lock() {
    let dir = tempfile::tempdir().unwrap();
    first(dir.path());
    let names = names_of_words(dir.path());
    // Older versions, and tantivy itself, take this lock.
    let lock = fs_err::File::create(dir.path().join("words/.tantivy-writer.lock")).unwrap();
    lock.file().lock().unwrap();
    drop(open(dir.path(), Steps::default()).unwrap());
    assert_eq!(names_of_words(dir.path()), names);
}

/// A link to itself stands for errors that are not damage.
#[cfg(unix)]
#[test]
fn words_that_cannot_be_read_are_an_error_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    first(dir.path());
    let names = names_of_words(dir.path());
    let before = answers(dir.path());
    let mut n_errors = 0;
    for name in &names {
        let (path, aside) = (
            dir.path().join("words").join(name),
            dir.path().join("lock.words"),
        );
        fs_err::rename(&path, &aside).unwrap();
        fs_err::os::unix::fs::symlink(name, &path).unwrap();
        let error = open(dir.path(), Steps::default()).unwrap_err();
        assert!(
            matches!(error, IndexError::Words { .. }),
            "{name}: {error:?}"
        );
        let reader = IndexReader::open(dir.path(), None);
        // The stamp of the words shows whether commits were lost.
        assert_eq!(reader.is_ok(), name != "meta.json", "{name}");
        let found = reader.and_then(|reader| reader.matching(ItemKind::Image, "photo3", 1));
        assert!(
            matches!(found, Err(IndexError::Words { .. })),
            "{name}: {found:?}"
        );
        assert_eq!(names_of_words(dir.path()), names, "{name}");
        fs_err::rename(&aside, &path).unwrap();
        n_errors += 1;
    }
    assert!(n_errors >= 7, "{n_errors}");
    assert_eq!(answers(dir.path()), before);
}
