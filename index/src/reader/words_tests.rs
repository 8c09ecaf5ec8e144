use super::IndexReader;
use crate::disk::layout::Layout;
use crate::disk::steps::{Step, Steps};
use crate::item::ItemKind;
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
