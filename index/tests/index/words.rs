//! Words by language, without spaces, and those of a picture's metadata.

use std::path::Path;

use sightline_index::{
    Details, IndexError, IndexReader, IndexWriter, Item, ItemId, ItemKind, Language, Library,
    Moment, Problem, RecordsError, WriterOptions, check,
};

use crate::support::{assert_healthy, binding, file, hash, vector};

const DIMENSION: usize = 4;

fn open(dir: &Path, language: Option<Language>) -> IndexWriter {
    let mut options = WriterOptions::default();
    options.language = language;
    IndexWriter::open_or_create_with(dir, &binding(DIMENSION), options).unwrap()
}

fn put(writer: &mut IndexWriter, number: u64, name: &str, captions: &[&str]) -> ItemId {
    let id = writer
        .put_image(hash(number), 4, 3, vector(DIMENSION, number))
        .unwrap();
    let path = Path::new("/photos").join(name);
    writer.put_file(&path, file(id)).unwrap();
    let captions = captions
        .iter()
        .zip(1000 * number..)
        .map(|(text, seed)| ((*text).to_owned(), vector(DIMENSION, seed)))
        .collect();
    writer
        .set_captions(Some(id), &path.with_extension("txt"), captions)
        .unwrap();
    id
}

/// The images that a query finds, and the matched words of the first.
fn found(dir: &Path, query: &str) -> (Vec<u32>, Vec<String>) {
    let reader = IndexReader::open(dir, None).unwrap();
    let mut found = reader.matching(ItemKind::Image, query, 10).unwrap();
    let words = found.first().map(|found| found.words.clone());
    found.sort_by_key(|found| found.id);
    let ids = found.iter().map(|found| found.id.0).collect();
    (ids, words.unwrap_or_default())
}

#[track_caller]
fn check_found(dir: &Path, query: &str, ids: &[u32], words: &[&str]) {
    let (found_ids, found_words) = found(dir, query);
    assert_eq!(found_ids, ids, "{query}");
    assert_eq!(found_words, words, "{query}");
}

/// Three images with the ids 1, 3 and 5. The first two have a German caption each.
fn make(dir: &Path, language: Option<Language>) {
    let mut writer = open(dir, language);
    put(
        &mut writer,
        1,
        "IMG_2023-08-beach.jpg",
        &["zwei Häuser am Meer"],
    );
    put(&mut writer, 2, "MyCafé.jpg", &["ein Haus"]);
    put(
        &mut writer,
        3,
        "a.jpg",
        &["我们在海滩散步", "ビーチで遊ぶ犬", "바다에서 수영"],
    );
    writer.finish().unwrap();
}

#[test]
fn words_are_found_in_every_script() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), None);
    let rows: [(&str, &[u32], &[&str]); 14] = [
        ("beach", &[1], &["beach"]),
        ("beaches", &[1], &["beaches"]),
        ("2023", &[1], &["2023"]),
        ("2023-08", &[1], &["2023-08"]),
        ("cafe", &[3], &["cafe"]),
        ("café", &[3], &["café"]),
        ("cafe\u{301}", &[3], &["cafe\u{301}"]),
        ("mycafe", &[3], &["mycafe"]),
        ("海滩", &[5], &["海滩"]),
        ("ビーチ", &[5], &["ビーチ"]),
        ("犬の写真", &[5], &["犬"]),
        ("바다", &[5], &["바다"]),
        ("수영", &[5], &["수영"]),
        ("haus", &[3], &["haus"]),
    ];
    let mut n_asked = 0;
    for (query, ids, words) in rows {
        check_found(dir.path(), query, ids, words);
        n_asked += 1;
    }
    assert_eq!(n_asked, 14);
}

#[test]
fn the_language_is_stored_and_changing_it_rebuilds_the_words() {
    let dir = tempfile::tempdir().unwrap();
    let language = || IndexReader::open(dir.path(), None).unwrap().language();
    make(dir.path(), Some(Language::German));
    assert_eq!(language(), Language::German);
    check_found(dir.path(), "haus", &[1, 3], &["haus"]);
    // Without a word index, a reader builds one in the same language.
    fs_err::remove_dir_all(dir.path().join("words")).unwrap();
    check_found(dir.path(), "haus", &[1, 3], &["haus"]);
    // A writer without a language keeps it.
    open(dir.path(), None).finish().unwrap();
    assert_eq!(language(), Language::German);
    check_found(dir.path(), "haus", &[1, 3], &["haus"]);
    assert_healthy(dir.path());
    let generation = IndexReader::open(dir.path(), None).unwrap().generation();
    let writer = open(dir.path(), Some(Language::None));
    assert_eq!(language(), Language::None);
    writer.finish().unwrap();
    assert_eq!(language(), Language::None);
    check_found(dir.path(), "haus", &[3], &["haus"]);
    check_found(dir.path(), "beaches", &[], &[]);
    // No item changed.
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(reader.generation(), generation);
    assert_healthy(dir.path());
}

#[test]
fn words_of_another_language_are_rebuilt() {
    let (german, english) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    make(german.path(), Some(Language::German));
    make(english.path(), None);
    // As after a crash between storing the language and rebuilding the words.
    fs_err::remove_dir_all(german.path().join("words")).unwrap();
    let words = english.path().join("words");
    crate::support::copy_folder(&words, &german.path().join("words"));
    check_found(german.path(), "haus", &[1, 3], &["haus"]);
    let problems = check(german.path()).unwrap();
    assert!(
        matches!(&problems[..], [Problem::Words { .. }]),
        "{problems:?}"
    );
    open(german.path(), None).finish().unwrap();
    check_found(german.path(), "haus", &[1, 3], &["haus"]);
    assert_healthy(german.path());
}

#[test]
fn metadata_is_stored_and_its_words_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let details = Details {
        camera: Some("Nikon D750".into()),
        taken: Moment::new(2023, 8, 14, Some([17, 3, 21])),
        places: vec!["Köln".into(), "Germany".into()],
        ..Details::default()
    };
    let mut writer = open(dir.path(), Some(Language::French));
    let id = put(&mut writer, 1, "a.jpg", &[]);
    put(&mut writer, 2, "b.jpg", &[]);
    writer.set_details(id, details.clone()).unwrap();
    writer.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let Some(Item::Image(image)) = reader.item(id).unwrap() else {
        panic!("no image");
    };
    assert_eq!(image.details.as_ref(), Some(&details));
    let queries = [
        "nikon",
        "D750",
        "2023",
        "2023-08",
        "2023-08-14",
        "20230814",
        "august",
        "août",
        "aout",
        "monday",
        "lundi",
        "koln",
        "Köln",
        "germany",
    ];
    let mut n_asked = 0;
    for query in queries {
        assert_eq!(found(dir.path(), query).0, [id.0], "{query}");
        n_asked += 1;
    }
    assert_eq!(n_asked, 14);
    // New metadata replaces the old.
    let mut writer = open(dir.path(), None);
    let other = Details {
        camera: Some("Canon".into()),
        ..Details::default()
    };
    writer.set_details(id, other).unwrap();
    writer.finish().unwrap();
    check_found(dir.path(), "nikon", &[], &[]);
    check_found(dir.path(), "canon", &[1], &["canon"]);
    assert_healthy(dir.path());
}

#[test]
fn images_without_metadata_are_listed_until_there_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path(), None);
    let ids = [1, 2, 3].map(|number| put(&mut writer, number, &format!("{number}.jpg"), &[]));
    writer.finish().unwrap();
    let mut writer = open(dir.path(), None);
    assert_eq!(writer.images_without_details().unwrap(), ids);
    for id in ids {
        writer.set_details(id, Details::default()).unwrap();
    }
    assert_eq!(writer.n_pending(), 3);
    writer.commit().unwrap();
    // The same metadata again changes nothing.
    writer.set_details(ids[0], Details::default()).unwrap();
    assert_eq!(writer.n_pending(), 0);
    assert!(writer.images_without_details().unwrap().is_empty());
    writer.finish().unwrap();
    let mut writer = open(dir.path(), None);
    assert!(writer.images_without_details().unwrap().is_empty());
    let missing = ItemId(99);
    let refused = writer.set_details(missing, Details::default());
    assert!(matches!(
        refused,
        Err(IndexError::Records { source: RecordsError::NoSuchImage { id }, .. }) if id == missing
    ));
    assert_healthy(dir.path());
}

/// Names begin at the outermost library folder, so another one changes the words of images that are
/// indexed already.
#[test]
fn words_follow_the_library_folders_as_if_just_built() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let answers = |dir: &Path| {
        let reader = IndexReader::open(dir, None).unwrap();
        ["home", "trips", "2020", "rome", "oslo", "img"].map(|word| {
            let found = reader.matching(ItemKind::Image, word, 10).unwrap();
            format!("{word} {found:?}")
        })
    };
    let mut writer = open(dir, None);
    put(&mut writer, 1, "/home/trips/2020/rome/img1.jpg", &["sun"]);
    put(&mut writer, 2, "/home/trips/2021/oslo/img2.jpg", &[]);
    writer.finish().unwrap();
    // The folder that becomes a library folder, or ceases to be one; then the images with the
    // words `trips`, `2020` and `home`.
    let rows: [(bool, &str, [&[u32]; 3]); 8] = [
        (true, "/home/trips/2020/rome", [&[], &[], &[]]),
        (true, "/home/trips/2020", [&[], &[1], &[]]),
        (true, "/home/trips", [&[1, 3], &[1], &[]]),
        (true, "/home/trips/2021", [&[1, 3], &[1], &[]]),
        (false, "/home/trips/2020", [&[1, 3], &[1], &[]]),
        (true, "/home", [&[1, 3], &[1], &[1, 3]]),
        (false, "/home", [&[1, 3], &[1], &[]]),
        (false, "/home/trips", [&[], &[], &[]]),
    ];
    let mut n_compared = 0;
    for (is_put, folder, expected) in rows {
        let mut writer = open(dir, None);
        if is_put {
            let library = Library {
                folder: folder.into(),
                n_files: 0,
                last_run_unix_s: 0,
            };
            // Again, as each run does.
            writer.put_library(library.clone()).unwrap();
            writer.put_library(library).unwrap();
        } else {
            writer.remove_library(Path::new(folder)).unwrap();
        }
        writer.finish().unwrap();
        for (word, expected) in ["trips", "2020", "home"].into_iter().zip(expected) {
            assert_eq!(found(dir, word).0, expected, "{folder}: {word}");
        }
        let grown = answers(dir);
        let copy = tempfile::tempdir().unwrap();
        crate::support::copy_folder(dir, copy.path());
        fs_err::remove_dir_all(copy.path().join("words")).unwrap();
        open(copy.path(), None).finish().unwrap();
        assert_eq!(grown, answers(copy.path()), "{folder}");
        assert_healthy(dir);
        n_compared += 1;
    }
    assert_eq!(n_compared, 8);
    // A known folder changes no words.
    let mut writer = open(dir, None);
    let known = writer.libraries().unwrap().remove(0);
    writer.put_library(known).unwrap();
    assert_eq!(writer.n_pending(), 0);
}
