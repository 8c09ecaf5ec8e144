//! Captions with different texts that match words.

use std::path::Path;

use sightline_index::{IdSet, IndexReader, IndexWriter, ItemId, ItemKind, UnitVector};

use crate::support::{binding, vector};

/// Puts captions without an image, from one list.
fn with_captions(captions: Vec<(String, UnitVector)>) -> (tempfile::TempDir, IndexReader) {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = IndexWriter::open_or_create(dir.path(), &binding(4)).unwrap();
    writer
        .set_captions(None, Path::new("/list.txt"), captions)
        .unwrap();
    writer.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    (dir, reader)
}

/// The same by reading every match.
fn expected(
    reader: &IndexReader,
    words: &str,
    n: usize,
    among: Option<&IdSet>,
) -> Vec<(String, ItemId)> {
    let captions = reader.captions_alone().unwrap();
    let text = |id: ItemId| captions.iter().find(|caption| caption.id == id).unwrap();
    let mut found: Vec<(String, ItemId)> = Vec::new();
    for one in reader.matching(ItemKind::Caption, words, 10_000).unwrap() {
        let text = &text(one.id).text;
        if among.is_none_or(|among| among.contains(one.id))
            && found.iter().all(|known| known.0 != *text)
        {
            found.push((text.clone(), one.id));
        }
    }
    found.truncate(n);
    found
}

#[test]
fn equal_texts_are_found_once_whether_their_vectors_are_equal_or_not() {
    // A label of most captions, some of a few, and texts of their own.
    let text = |number: u64| match number {
        0..600 => "red dog".to_owned(),
        600..900 => format!("red cat {}", number % 40),
        _ => format!("red boat number {number}"),
    };
    for with_equal_vectors in [true, false] {
        let caption = |number: u64| {
            let seed = if with_equal_vectors && number < 900 {
                number % 40
            } else {
                number
            };
            let seed = if with_equal_vectors && number < 600 {
                50
            } else {
                seed
            };
            (text(number), vector(4, seed))
        };
        let (_dir, reader) = with_captions((0..960).map(caption).collect());
        let even: IdSet = (1..2_000).filter(|id| id % 2 == 0).map(ItemId).collect();
        let mut n_cases = 0;
        for words in ["red", "red dog", "dog", "cat 7", "boat", "none"] {
            for n in [1, 2, 5, 50, 200] {
                for among in [None, Some(&even)] {
                    let found = reader.matching_texts(words, n, among).unwrap();
                    assert!(found.is_sorted_by(|a, b| a.1.bm25 >= b.1.bm25));
                    let found: Vec<_> = found
                        .into_iter()
                        .map(|(text, one)| (text, one.id))
                        .collect();
                    assert_eq!(found, expected(&reader, words, n, among), "{words} {n}");
                    n_cases += 1;
                }
            }
        }
        assert_eq!(n_cases, 60);
        assert!(reader.matching_texts("red", 0, None).unwrap().is_empty());
    }
}
