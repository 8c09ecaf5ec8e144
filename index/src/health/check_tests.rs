//! Every problem that the check can find, created on purpose.

use std::path::{Path, PathBuf};

use crate::disk::layout::Layout;
use crate::records::codec::{self, StoredCounts};
use crate::records::facet_keys::{self, Facet, FacetValue};
use crate::records::keys::{self, Column, meta};
use crate::records::store::Store;
use crate::words::{Document, WordsStamp, WordsWriter};
use crate::writer::crash_tests::copy_folder;
use crate::{
    Binding, FileRecord, IndexWriter, ItemId, ItemKind, Language, Orientation, Problem, UnitVector,
    WriterOptions, check,
};

/// A key of a column with its new value, or none to remove it.
type OwnedChange = (Column, Vec<u8>, Option<Vec<u8>>);

pub(super) fn vector(number: u8) -> UnitVector {
    let angle = f32::from(number) / 20.0;
    UnitVector::new(vec![angle.cos(), angle.sin()]).unwrap()
}

pub(super) fn binding() -> Binding {
    Binding {
        dimension: 2,
        fingerprint: "f".into(),
        model: "m".into(),
    }
}

pub(super) const OPTIONS: WriterOptions = WriterOptions {
    min_graph_items: 5,
    max_graph_items: 1_000,
    language: None,
};

/// Ten images (ids 1, 3, 5, …) with a caption each (2, 4, 6, …), and graphs of both.
pub(super) fn make(dir: &Path) {
    let mut writer = IndexWriter::open_or_create_with(dir, &binding(), OPTIONS).unwrap();
    for number in 0..10u8 {
        let image = writer
            .put_image([number; 32], 1, 1, vector(number))
            .unwrap();
        let file = FileRecord {
            n_bytes: 1,
            modified_ns: 1,
            image,
            change: None,
        };
        writer
            .put_file(Path::new(&format!("/{number}.jpg")), file)
            .unwrap();
        let caption = (format!("text {number}"), vector(100 + number));
        writer
            .set_captions(Some(image), Path::new("/c.txt"), vec![caption])
            .unwrap();
    }
    writer.finish().unwrap();
}

/// Words that miss the newest commits, as after a kill, are completed by the next writer, unless
/// something else is wrong with them.
#[test]
fn words_that_are_behind_are_sound() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir);
    let (words, old) = (dir.join("words"), dir.join("lock.old"));
    copy_folder(&words, &old);
    let stamp = WordsStamp::read(&old).unwrap().unwrap();
    // One image is removed, and another one gets another caption.
    let mut writer = IndexWriter::open_or_create_with(dir, &binding(), OPTIONS).unwrap();
    let image = writer.image_with_hash(&[1; 32]).unwrap().unwrap();
    let caption = ("new".to_owned(), vector(200));
    writer
        .set_captions(Some(image), Path::new("/c.txt"), vec![caption])
        .unwrap();
    writer.remove_file(Path::new("/2.jpg")).unwrap();
    writer.finish().unwrap();
    let reported = |stamp: Option<WordsStamp>, change: &dyn Fn(&mut WordsWriter)| {
        fs_err::remove_dir_all(&words).unwrap();
        copy_folder(&old, &words);
        if let Some(stamp) = stamp {
            let mut writer = WordsWriter::open(&words, Language::English).unwrap();
            change(&mut writer);
            writer.prepare(stamp).unwrap().commit().unwrap();
        }
        let problems = check(dir).unwrap();
        problems.iter().map(Problem::to_string).collect::<Vec<_>>()
    };
    assert_eq!(reported(None, &|_| {}), [""; 0]);
    assert_eq!(reported(Some(stamp), &|_| {}), [""; 0]);
    // Changed items are left out, whether their documents are there or not.
    assert_eq!(reported(Some(stamp), &|words| words.remove(3)), [""; 0]);
    let differs = ["the word index: its documents do not match the items"];
    assert_eq!(reported(Some(stamp), &|words| words.remove(7)), differs);
    let again = |words: &mut WordsWriter| {
        words.add_again(&Document {
            kind: ItemKind::Image.number(),
            id: 7,
            text: "stale".into(),
        });
    };
    assert_eq!(reported(Some(stamp), &again), differs);
    let other = WordsStamp {
        index_id: [9; 16],
        ..stamp
    };
    let foreign = ["the word index: it does not belong to generation 2"];
    assert_eq!(reported(Some(other), &|_| {}), foreign);

    // The words are behind again; after the newest 64 lists of changes, too far.
    assert_eq!(reported(None, &|_| {}), [""; 0]);
    drop(IndexWriter::open_or_create_with(dir, &binding(), OPTIONS).unwrap());
    let mut writer = IndexWriter::open_or_create_with(dir, &binding(), OPTIONS).unwrap();
    for number in 0..64u8 {
        let caption = (format!("text {number}"), vector(200));
        writer
            .set_captions(Some(image), Path::new("/c.txt"), vec![caption])
            .unwrap();
        writer.commit().unwrap();
    }
    drop(writer);
    assert_eq!(check(dir).unwrap(), []);
    let far = ["the word index: it does not belong to generation 66"];
    assert_eq!(reported(None, &|_| {}), far);
}

#[test]
#[expect(clippy::too_many_lines, reason = "most of it is a table")]
fn inconsistent_records_are_reported_and_repaired() {
    let image = ItemId(3);
    let caption = ItemId(4);
    let path = Path::new("/1.jpg");
    let source = Path::new("/c.txt");
    let long = codec::encode_vector(&[3.0, 4.0]);
    let counts = StoredCounts {
        n_images: 11,
        n_captions: 10,
        n_files: 10,
    };
    let bytes = |number: u64| number.to_le_bytes().to_vec();
    let square = FacetValue {
        facet: Facet::Orientation,
        value: vec![Orientation::Square.number()],
    };
    let rows: Vec<(&str, OwnedChange, &str)> = vec![
        (
            "item",
            (Column::Items, keys::item(image).to_vec(), None),
            "does not exist with that kind",
        ),
        (
            "vector",
            (Column::Vectors, keys::vector(ItemKind::Image, image), None),
            "has no vector",
        ),
        (
            "length",
            (
                Column::Vectors,
                keys::vector(ItemKind::Image, image),
                Some(long),
            ),
            "unit length",
        ),
        (
            "hash",
            (Column::Hashes, vec![1; 32], None),
            "hash does not refer to it",
        ),
        (
            "stray hash",
            (Column::Hashes, vec![77; 32], Some(codec::encode_id(image))),
            "that it does not have",
        ),
        (
            "file",
            (Column::Paths, keys::file(path).unwrap(), None),
            "an image that it does not contain",
        ),
        (
            "link",
            (Column::Paths, keys::link(image, path).unwrap(), None),
            "its image does not refer to it",
        ),
        (
            "listing",
            (
                Column::Captions,
                keys::caption(Some(image), source, 0).unwrap(),
                None,
            ),
            "does not list it",
        ),
        (
            "source",
            (
                Column::Captions,
                keys::source(source, Some(image)).unwrap(),
                None,
            ),
            "caption files",
        ),
        (
            "counts",
            (
                Column::Default,
                meta::COUNTS.to_vec(),
                Some(codec::encode_counts(&counts)),
            ),
            "11 images",
        ),
        (
            "next id",
            (
                Column::Default,
                meta::NEXT_ID.to_vec(),
                Some(codec::encode_id(ItemId(20))),
            ),
            "never assigned",
        ),
        (
            "list",
            (Column::Default, keys::changes(1), None),
            "do not end with the newest",
        ),
        (
            "generation",
            (Column::Default, meta::GENERATION.to_vec(), Some(bytes(2))),
            "do not end with the newest",
        ),
        (
            "tombstone",
            (
                Column::Default,
                keys::removed(ItemKind::Caption, caption),
                Some(vec![]),
            ),
            "marked as removed",
        ),
        (
            "segments",
            (
                Column::Default,
                keys::segment(ItemKind::Image, ItemId(2)),
                Some(vec![1, 0]),
            ),
            "list of graph segments",
        ),
        (
            "facet",
            (Column::Default, facet_keys::chunk(&square, image), None),
            "not those of the images",
        ),
        (
            "stray facet",
            (
                Column::Default,
                facet_keys::chunk(&square, ItemId(77_777)),
                Some(vec![1, 0, 0]),
            ),
            "not those of the images",
        ),
        (
            "cursor of facets",
            (Column::Default, meta::FACETED.to_vec(), Some(vec![1])),
            "an id is damaged",
        ),
    ];
    assert_eq!(rows.len(), 18);
    for (name, (column, key, value), expected) in rows {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path());
        assert_eq!(check(dir.path()).unwrap(), [], "{name}");
        let store = Store::open(&Layout::new(dir.path()).records(), false).unwrap();
        store
            .write([(column, key.as_slice(), value.as_deref())])
            .unwrap();
        drop(store);
        let problems = check(dir.path()).unwrap();
        assert!(
            problems
                .iter()
                .any(|problem| problem.to_string().contains(expected)),
            "{name}: {problems:?}"
        );
        check_repaired(dir.path(), name, problems);
    }
}

/// Repairs inconsistent records. Only an item that is incomplete is lost, with its captions and
/// files.
fn check_repaired(dir: &Path, name: &str, problems: Vec<Problem>) {
    let repaired = crate::repair(dir, OPTIONS, &mut |_| {}).unwrap();
    assert_eq!(
        (repaired.found, repaired.left),
        (problems, vec![]),
        "{name}"
    );
    let expected: (u64, u64, &[&str]) = match name {
        // The caption is lost with its image.
        "item" | "vector" | "length" => (1, 1, &["/1.jpg"]),
        _ => (0, 0, &[]),
    };
    let lost: Vec<&Path> = repaired.lost_files.iter().map(PathBuf::as_path).collect();
    assert_eq!(
        (repaired.n_lost_images, repaired.n_lost_captions),
        (expected.0, expected.1),
        "{name}"
    );
    assert_eq!(
        lost,
        expected.2.iter().map(Path::new).collect::<Vec<_>>(),
        "{name}"
    );
    assert_eq!(
        repaired.n_files_to_read,
        u64::from(name == "file"),
        "{name}"
    );
    assert_eq!(repaired.kept, Some(dir.join("damaged-1")), "{name}");
    let counts = crate::IndexReader::open(dir, None).unwrap().counts();
    let n_whole = 10 - u64::from(!lost.is_empty());
    assert_eq!(
        (counts.n_images, counts.n_captions, counts.n_files),
        (n_whole, n_whole, n_whole),
        "{name}"
    );
}

#[test]
fn a_graph_that_does_not_match_the_records_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    let other = tempfile::tempdir().unwrap();
    make(other.path());
    let graph = |dir: &Path| Layout::new(dir).segment(ItemKind::Image, 1);
    fs_err::copy(graph(other.path()), graph(dir.path())).unwrap();
    let problems = check(dir.path()).unwrap();
    assert!(
        matches!(
            problems[..],
            [Problem::Graph {
                kind: ItemKind::Image,
                ..
            }]
        ),
        "{problems:?}"
    );
    // The graph of this index, with another vector in the records.
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    let store = Store::open(&Layout::new(dir.path()).records(), false).unwrap();
    let turned = codec::encode_vector(vector(55).as_slice());
    let key = keys::vector(ItemKind::Image, ItemId(3));
    store
        .write([(Column::Vectors, key.as_slice(), Some(turned.as_slice()))])
        .unwrap();
    drop(store);
    let problems: Vec<String> = check(dir.path())
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        problems,
        [
            "the image graph: it contains another vector of item 3",
            "the hub biases: that of item 3 is another"
        ]
    );
}

/// Names the index for the child. Without it, the test below does nothing.
#[cfg(unix)]
const CHILD: &str = "SIGHTLINE_TEST_CHECK_WITH_FEW_FILES";

/// The body of the child process, which may have few files open, not a test of its own.
#[cfg(unix)]
#[test]
fn child_that_checks_with_few_files() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let dir = Path::new(&dir);
    let checked = check(dir);
    let repaired = crate::repair(dir, OPTIONS, &mut |_| {});
    println!("checked {checked:?}");
    println!("repaired {:?}", repaired.map(|repaired| repaired.found));
}

/// A process without free file handles must not take files that it cannot open for damaged, and
/// delete them.
#[cfg(unix)]
#[test]
fn a_lack_of_file_handles_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir);
    // So that there are tables, which stay open.
    let mut writer = IndexWriter::open_or_create_with(dir, &binding(), OPTIONS).unwrap();
    let mut go_on = |_| std::ops::ControlFlow::Continue(());
    writer.compact(&mut go_on).unwrap();
    drop(writer);
    let derived = || {
        let mut names = Vec::new();
        for folder in ["graphs", "words"] {
            for entry in fs_err::read_dir(dir.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                names.push((fs_err::read(&path).unwrap(), path));
            }
        }
        names.sort();
        names
    };
    let before = derived();
    assert!(before.len() > 6);
    let (mut n_failed, mut n_sound, mut n_derived) = (0, 0, 0);
    for n in 5..80 {
        let child = std::process::Command::new("sh")
            .args(["-c", "ulimit -n $1; shift; exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().unwrap())
            .arg(n.to_string())
            .args(["health::check_tests::child_that_checks_with_few_files"])
            .args(["--exact", "--nocapture", "--test-threads", "1"])
            .env(CHILD, dir)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&child.stdout);
        for what in ["checked", "repaired"] {
            if text.contains(&format!("{what} Ok([])")) {
                n_sound += 1;
            } else if text.contains(&format!("{what} Err(")) {
                n_failed += 1;
            } else {
                panic!("{n} files: {text}");
            }
        }
        n_derived += usize::from(text.contains("checked Err(Graph") || text.contains("Err(Words"));
        assert!(derived() == before, "{n} files: {text}");
        if text.matches("Ok([])").count() == 2 {
            break;
        }
    }
    println!("{n_failed} failed, {n_derived} of them at graphs or words");
    assert!(n_failed > 6 && n_sound >= 2, "{n_failed} {n_sound}");
    assert!(n_derived > 0);
    assert_eq!(check(dir).unwrap(), []);
}
