use std::path::Path;

use super::IndexReader;
use crate::disk::layout::Layout;
use crate::disk::steps::{Step, Steps};
use crate::item::{FileRecord, ItemId, ItemKind};
use crate::vector::UnitVector;
use crate::words::Words;
use crate::writer::crash_tests::{first, open, second};

/// Words that are behind are completed by the lists of changes, not replaced.
#[test]
fn words_that_are_behind_are_used() {
    let dir = tempfile::tempdir().unwrap();
    first(dir.path());
    let mut writer = open(dir.path(), Steps::stop_at(Step::RecordsCommitted)).unwrap();
    second(&mut writer);
    writer.commit().unwrap();
    drop(writer);
    let on_disk = Words::open(&Layout::new(dir.path()).words(), None).unwrap();
    let behind = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(behind.generation().0, on_disk.stamp.unwrap().generation + 1);
    let words = behind.words().unwrap();
    assert_eq!(
        words.n_segments_of(&on_disk),
        on_disk.n_segments_of(&on_disk)
    );
    let ask = |reader: &IndexReader| {
        let asked = ItemKind::ALL.map(|kind| {
            ["photo3", "set2 photo60 caption", "caption 30"]
                .map(|words| reader.matching(kind, words, 100).unwrap())
        });
        assert!(!asked[0][0].is_empty() && !asked[1][1].is_empty());
        asked
    };
    let answers = ask(&behind);
    drop(open(dir.path(), Steps::default()).unwrap());
    let complete = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(ask(&complete), answers);
    fs_err::remove_dir_all(dir.path().join("words")).unwrap();
    assert_eq!(
        ask(&IndexReader::open(dir.path(), None).unwrap()),
        answers,
        "in memory"
    );
}

/// A link to itself stands for an error that passes, such as too many open files.
#[cfg(unix)]
#[test]
fn words_that_could_not_be_opened_once_are_opened_by_the_next_query() {
    let dir = tempfile::tempdir().unwrap();
    first(dir.path());
    let aside = dir.path().join("lock.words");
    fs_err::create_dir(&aside).unwrap();
    let moved = |from: &Path, to: &Path, replaced: bool| {
        let mut n_moved = 0;
        for entry in fs_err::read_dir(from).unwrap() {
            let (name, path) = entry
                .map(|entry| (entry.file_name(), entry.path()))
                .unwrap();
            if path
                .extension()
                .is_some_and(|extension| extension == "term")
            {
                fs_err::rename(&path, to.join(&name)).unwrap();
                if replaced {
                    fs_err::os::unix::fs::symlink(&name, &path).unwrap();
                }
                n_moved += 1;
            }
        }
        assert!(n_moved > 0);
    };
    let words = dir.path().join("words");
    let hide = || moved(&words, &aside, true);
    let show = || moved(&aside, &words, false);
    let ask = |reader: &IndexReader, word: &str| reader.matching(ItemKind::Image, word, 100);
    let undisturbed = IndexReader::open(dir.path(), None).unwrap();
    hide();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    for _ in 0..2 {
        let error = ask(&reader, "photo3").unwrap_err();
        assert!(
            matches!(error, crate::IndexError::Words { .. }),
            "{error:?}"
        );
    }
    show();
    let found = ask(&reader, "7").unwrap();
    assert_eq!(found, ask(&undisturbed, "7").unwrap());
    assert_eq!(found.len(), 1);

    // A newer view goes on from the words of the older one.
    let mut writer = open(dir.path(), Steps::default()).unwrap();
    second(&mut writer);
    writer.finish().unwrap();
    hide();
    let newer = reader.newer().unwrap().unwrap();
    assert_eq!(newer.generation().0, 2);
    let found = ask(&newer, "60").unwrap();
    assert_eq!(found.len(), 1);
    assert!(ask(&newer, "7").unwrap().is_empty());
    show();
    let opened = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(found, ask(&opened, "60").unwrap());
}

/// A phrase is found in captions, in names and across neither; and of its words alone, in any
/// inflection.
#[test]
fn phrases_are_found_in_one_line_of_an_item() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path(), Steps::default()).unwrap();
    let vector = UnitVector::new(vec![1.0, 0.0, 0.0, 0.0, 0.0, 0.0]).unwrap();
    let rows = [
        ("/p/Golden Gate/a.jpg", "a red bridge"),
        ("/p/b.jpg", "the golden garden gate"),
        ("/p/golden.jpg", "gates of a park"),
    ];
    let mut ids = Vec::new();
    for ((path, caption), n) in rows.into_iter().zip(1..) {
        let image = writer.put_image([n; 32], 3, 2, vector.clone()).unwrap();
        let (n_bytes, modified_ns, change) = (1, 2, None);
        let file = FileRecord {
            n_bytes,
            modified_ns,
            image,
            change,
        };
        writer.put_file(Path::new(path), file).unwrap();
        let captions = vec![(caption.to_owned(), vector.clone())];
        writer
            .set_captions(Some(image), Path::new("/c.txt"), captions)
            .unwrap();
        ids.push(image);
    }
    writer.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let found = |phrase: &str| -> Vec<usize> {
        let found = reader.containing(ItemKind::Image, phrase).unwrap();
        let place = |id: ItemId| ids.iter().position(|&known| known == id).unwrap();
        found.iter().map(place).collect()
    };
    for (phrase, expected) in [
        ("golden gate", vec![0]),
        ("gate", vec![0, 1, 2]),
        ("Gates", vec![0, 1, 2]),
        ("the golden", vec![1]),
        ("gate golden", vec![]),
        ("unknown", vec![]),
        ("?", vec![]),
    ] {
        assert_eq!(found(phrase), expected, "{phrase}");
    }
    let captions = reader
        .containing(ItemKind::Caption, "golden garden")
        .unwrap();
    assert_eq!(captions.len(), 1);
    assert!(
        reader
            .containing(ItemKind::Caption, "golden gate")
            .unwrap()
            .is_empty()
    );
}
