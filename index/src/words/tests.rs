use super::*;

fn words(rows: &[(usize, u32, &str)]) -> Words {
    words_in(Language::English, rows)
}

fn words_in(language: Language, rows: &[(usize, u32, &str)]) -> Words {
    Words::in_memory::<WordsError>(language, |put| {
        rows.iter().try_for_each(|&(kind, id, text)| {
            put(&Document {
                kind,
                id,
                text: text.to_owned(),
            })
        })
    })
    .unwrap()
}

fn check(words: &Words, kind: usize, query: &str, expected: &[(u32, &[&str])]) {
    let found = words.matching(kind, query, 10, None).unwrap();
    let found: Vec<(u32, Vec<&str>)> = found
        .iter()
        .map(|found| (found.id.0, found.words.iter().map(String::as_str).collect()))
        .collect();
    let expected: Vec<(u32, Vec<&str>)> = expected
        .iter()
        .map(|(id, words)| (*id, words.to_vec()))
        .collect();
    assert_eq!(found, expected, "{query:?}");
}

#[test]
fn bags_of_words_find_items_of_their_kind() {
    let words = words(&[
        (0, 1, "IMG_2024-BeachParty.jpg two dogs running"),
        (0, 2, "a dog on the beach"),
        (0, 3, "Café in Zürich"),
        (0, 4, "iPhone photo"),
        (1, 5, "a dog"),
    ]);
    check(
        &words,
        0,
        "beaches",
        &[(2, &["beaches"]), (1, &["beaches"])],
    );
    check(
        &words,
        0,
        "Running DOG!",
        &[(1, &["Running", "DOG"]), (2, &["DOG"])],
    );
    check(&words, 1, "dog", &[(5, &["dog"])]);
    check(&words, 0, "cafe zurich", &[(3, &["cafe", "zurich"])]);
    check(&words, 0, "iphone", &[(4, &["iphone"])]);
    check(&words, 0, "iPhone", &[(4, &["iPhone"])]);
    check(
        &words,
        0,
        "beach-party 2024",
        &[(1, &["beach", "party", "2024"]), (2, &["beach"])],
    );
    check(&words, 0, "the dog", &[(2, &["dog"]), (1, &["dog"])]);
    check(&words, 0, "the", &[(2, &["the"])]);
    check(&words, 0, "unicorn", &[]);
}

#[test]
fn words_are_found_in_the_language_of_the_index() {
    let rows = [
        (0, 1, "Zwei Häuser am Strand"),
        (0, 2, "ein Haus in München"),
        (0, 3, "Café an der Straße"),
    ];
    let german = words_in(Language::German, &rows);
    check(&german, 0, "haus", &[(1, &["haus"]), (2, &["haus"])]);
    check(&german, 0, "Muenchen", &[(2, &["Muenchen"])]);
    check(&german, 0, "strassen", &[(3, &["strassen"])]);
    check(&german, 0, "cafés", &[(3, &["cafés"])]);
    check(&german, 0, "der Strand", &[(1, &["Strand"])]);
    let plain = words_in(Language::None, &rows);
    check(&plain, 0, "haus", &[(2, &["haus"])]);
    check(&plain, 0, "hauser", &[(1, &["hauser"])]);
    check(&plain, 0, "strände", &[]);
    check(&plain, 0, "CAFE", &[(3, &["CAFE"])]);
}

#[test]
fn words_without_spaces_are_found() {
    let words = words(&[
        (0, 1, "我们在海滩散步"),
        (0, 2, "ビーチで遊ぶ犬"),
        (0, 3, "바다에서 수영"),
        (0, 4, "ビール"),
        (0, 5, "上海的海"),
        (0, 6, "ชายหาดสวยมาก"),
        (0, 7, "\u{1107}\u{1161}\u{1103}\u{1161} 2023年8月"),
    ]);
    check(&words, 0, "海滩", &[(1, &["海滩"])]);
    check(&words, 0, "散步 海滩", &[(1, &["散步", "海滩"])]);
    check(&words, 0, "ビーチ", &[(2, &["ビーチ"])]);
    check(
        &words,
        0,
        "\u{ff8b}\u{ff9e}\u{ff70}\u{ff99}",
        &[(4, &["\u{ff8b}\u{ff9e}\u{ff70}\u{ff99}"])],
    );
    check(&words, 0, "犬", &[(2, &["犬"])]);
    check(&words, 0, "바다", &[(7, &["바다"]), (3, &["바다"])]);
    check(
        &words,
        0,
        "바다에서",
        &[(7, &["바다에서"]), (3, &["바다에서"])],
    );
    check(&words, 0, "海", &[(5, &["海"]), (1, &["海"])]);
    check(&words, 0, "ชายหาด", &[(6, &["ชายหาด"])]);
    check(&words, 0, "海浪", &[]);
}

/// An item, and the words of the query that it contains.
type Expected<'a> = (u32, &'a [&'a str]);

#[test]
fn a_date_is_found_as_a_whole_and_never_by_its_parts() {
    let words = words(&[
        (0, 1, "IMG_2023-08-beach"),
        (0, 2, "PXL_20230814_120000"),
        (0, 3, "08 of 2023"),
        (0, 4, "2014-08-02 Kyoto"),
        (0, 5, "Urlaub 08.2023"),
        (0, 6, "Urlaub 14.8.2023"),
        (0, 7, "scan 14 of 08, 1993"),
    ]);
    let rows: &[(&str, &[Expected<'_>])] = &[
        // A date is also found in other forms, where all of its numbers are.
        (
            "2023-08",
            &[
                (1, &["2023-08"]),
                (2, &["2023-08"]),
                (3, &["2023-08"]),
                (5, &["2023-08"]),
                (6, &["2023-08"]),
            ],
        ),
        ("２０１４－０８", &[(4, &["２０１４－０８"])]),
        ("2023-08-14", &[(2, &["2023-08-14"]), (6, &["2023-08-14"])]),
        ("20230814", &[(2, &["20230814"])]),
        ("2023-08-15", &[]),
        ("1993-08", &[(7, &["1993-08"])]),
        ("1993_08_14", &[(7, &["1993_08_14"])]),
        ("1994-08", &[]),
        ("2014-02", &[]),
        ("scan 1994-08", &[(7, &["scan"])]),
        (
            "08.2023",
            &[
                (1, &["08.2023"]),
                (2, &["08.2023"]),
                (3, &["08.2023"]),
                (5, &["08.2023"]),
                (6, &["08.2023"]),
            ],
        ),
        (
            "2023-8",
            &[
                (1, &["2023-8"]),
                (2, &["2023-8"]),
                (3, &["2023-8"]),
                (5, &["2023-8"]),
                (6, &["2023-8"]),
            ],
        ),
        ("14.8.2023", &[(6, &["14.8.2023"]), (2, &["14.8.2023"])]),
        ("02.08.2014", &[(4, &["02.08.2014"])]),
        ("8/2/2014", &[(4, &["8/2/2014"])]),
        ("2.2.2014", &[]),
        (
            "2023",
            &[
                (5, &["2023"]),
                (3, &["2023"]),
                (6, &["2023"]),
                (1, &["2023"]),
                (2, &["2023"]),
            ],
        ),
    ];
    assert_eq!(rows.len(), 17);
    for (query, expected) in rows {
        let mut found: Vec<(u32, Vec<String>)> = words
            .matching(0, query, 9, None)
            .unwrap()
            .into_iter()
            .map(|found| (found.id.0, found.words))
            .collect();
        found.sort();
        let mut expected: Vec<(u32, Vec<String>)> = expected
            .iter()
            .map(|(id, words)| (*id, words.iter().map(ToString::to_string).collect()))
            .collect();
        expected.sort();
        assert_eq!(found, expected, "{query}");
    }
}

#[test]
fn an_index_of_another_language_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let stamp = WordsStamp {
        index_id: [1; 16],
        generation: 1,
    };
    let mut writer = WordsWriter::open(dir.path(), Language::German).unwrap();
    writer.prepare(stamp).unwrap().commit().unwrap();
    writer.close().unwrap();
    assert!(Words::open(dir.path(), Some(Language::German)).is_ok());
    let refused = Words::open(dir.path(), Some(Language::English)).map(|_| ());
    assert!(matches!(refused, Err(WordsError::OtherSchema)));
    let refused = WordsWriter::open(dir.path(), Language::English).map(|_| ());
    assert!(matches!(refused, Err(WordsError::OtherSchema)));
}

#[test]
fn unusual_queries_are_not_errors() {
    let words = words(&[(0, 1, "a \"dog\" AND cat"), (1, 2, "x")]);
    let mut many: Vec<String> = (0..10_000).map(|i| format!("word{i}")).collect();
    many.push("dog".to_owned());
    let many = many.join(" ");
    let long = "x".repeat(1 << 20);
    let odd = [
        "", " ", "\"", "(", "dog AND", "NOT", "a:b", "*", "dog~2", "[a TO", "\\", "\0", "🦄", "+-",
        "title:(", &many, &long,
    ];
    let mut n_asked = 0;
    for query in odd {
        for kind in 0..2 {
            words.matching(kind, query, 10, None).unwrap();
            n_asked += 1;
        }
    }
    assert_eq!(n_asked, 34);
    check(&words, 0, "dog AND \"cat", &[(1, &["dog", "cat"])]);
    assert!(words.matching(0, "dog", 0, None).unwrap().is_empty());
    assert_eq!(words.matching(0, "dog", usize::MAX, None).unwrap().len(), 1);
}

#[test]
fn bm25_does_not_depend_on_the_other_kind() {
    let alone = words(&[(0, 1, "red dog"), (0, 2, "blue cat sits")]);
    let many: Vec<(usize, u32, &str)> = (10..60)
        .map(|id| (1, id, "red dog and a long text about it"))
        .collect();
    let mixed = words(&[&[(0, 1, "red dog"), (0, 2, "blue cat sits")], &many[..]].concat());
    assert_eq!(
        alone.matching(0, "red cat", 9, None).unwrap(),
        mixed.matching(0, "red cat", 9, None).unwrap()
    );
}

#[test]
fn changes_are_visible_only_after_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let stamp = WordsStamp {
        index_id: [171; 16],
        generation: 7,
    };
    let mut writer = WordsWriter::open(dir.path(), Language::English).unwrap();
    assert_eq!(writer.stamp, None);
    writer
        .put(&Document {
            kind: 0,
            id: 1,
            text: "dog".into(),
        })
        .unwrap();
    let prepared = writer.prepare(stamp).unwrap();
    assert!(
        Words::open(dir.path(), Some(Language::English))
            .unwrap()
            .matching(0, "dog", 5, None)
            .unwrap()
            .is_empty()
    );
    prepared.commit().unwrap();
    let seen = Words::open(dir.path(), Some(Language::English)).unwrap();
    assert_eq!(seen.matching(0, "dog", 5, None).unwrap().len(), 1);
    assert_eq!((seen.stamp, writer.stamp), (Some(stamp), Some(stamp)));
    writer.remove(1);
    writer
        .put(&Document {
            kind: 0,
            id: 2,
            text: "dog".into(),
        })
        .unwrap();
    let later = WordsStamp {
        generation: 8,
        ..stamp
    };
    drop(writer.prepare(later).unwrap());
    writer.rollback().unwrap();
    writer
        .put(&Document {
            kind: 1,
            id: 3,
            text: "cat".into(),
        })
        .unwrap();
    writer
        .prepare(WordsStamp {
            generation: 9,
            ..stamp
        })
        .unwrap()
        .commit()
        .unwrap();
    writer.close().unwrap();
    assert_eq!(
        Words::open(dir.path(), Some(Language::English))
            .unwrap()
            .verified_ids()
            .unwrap(),
        [1, 3]
    );
    assert_eq!(
        WordsWriter::open(dir.path(), Language::English)
            .unwrap()
            .stamp,
        Some(WordsStamp {
            generation: 9,
            ..stamp
        })
    );
}

/// Only Unix deletes files that are open.
#[cfg(unix)]
#[test]
fn a_failed_write_is_reported_with_its_cause() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("words");
    fs_err::create_dir(&folder).unwrap();
    let mut writer = WordsWriter::open(&folder, Language::English).unwrap();
    fs_err::remove_dir_all(&folder).unwrap();
    let document = Document {
        kind: 0,
        id: 1,
        text: "dog".into(),
    };
    // The writing thread fails some time after it got the document.
    let error = std::iter::repeat_with(|| writer.put(&document))
        .take(1_000_000)
        .find_map(Result::err)
        .unwrap();
    let mut causes = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source());
    let is_missing = |cause: &dyn std::error::Error| cause.to_string().contains("No such file");
    assert!(causes.any(is_missing), "{error:?}");
}

const STAMP: WordsStamp = WordsStamp {
    index_id: [3; 16],
    generation: 1,
};

fn dog(id: u32) -> Document {
    Document {
        kind: 0,
        id,
        text: "dog".into(),
    }
}

/// Commits one more document, in a segment of its own.
fn commit_dog(writer: &mut WordsWriter, id: u32) {
    writer.put(&dog(id)).unwrap();
    let stamp = WordsStamp {
        generation: u64::from(id),
        ..STAMP
    };
    writer.prepare(stamp).unwrap().commit().unwrap();
}

fn found(words: &Words) -> Vec<u32> {
    let found = words.matching(0, "dog", 99, None).unwrap();
    found.into_iter().map(|found| found.id.0).collect()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(dir).unwrap();
    let name = |entry: std::io::Result<fs_err::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[cfg(unix)]
#[test]
fn all_files_have_the_permissions_of_new_files() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other");
    fs_err::write(&other, "").unwrap();
    let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode();
    let folder = dir.path().join("words");
    fs_err::create_dir(&folder).unwrap();
    let mut writer = WordsWriter::open(&folder, Language::English).unwrap();
    commit_dog(&mut writer, 1);
    writer.close().unwrap();
    let names = names(&folder);
    assert!(names.len() >= 7 && names.iter().any(|name| name == "meta.json"));
    for name in names {
        assert_eq!(mode(&folder.join(&name)), mode(&other), "{name}");
    }
}

#[test]
fn a_newer_view_shares_what_did_not_change() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = WordsWriter::open(dir.path(), Language::English).unwrap();
    (1..=3).for_each(|id| commit_dog(&mut writer, id));
    let old = Words::open(dir.path(), None).unwrap();
    commit_dog(&mut writer, 4);
    let new = old.newer(dir.path()).unwrap();
    let is_shared =
        |segment: &&Arc<WordsSegment>| old.segments.iter().any(|other| Arc::ptr_eq(segment, other));
    assert_eq!(new.segments.iter().filter(is_shared).count(), 3);
    assert_eq!((old.segments.len(), new.segments.len()), (3, 4));
    assert_eq!(new.stamp.unwrap().generation, 4);
    assert_eq!(
        (found(&old), found(&new)),
        (vec![1, 2, 3], vec![1, 2, 3, 4])
    );
    // A removal changes one segment.
    writer.remove(2);
    let stamp = WordsStamp {
        generation: 5,
        ..STAMP
    };
    writer.prepare(stamp).unwrap().commit().unwrap();
    assert_eq!(found(&new.newer(dir.path()).unwrap()), [1, 3, 4]);
}

/// Only Unix deletes files that are open.
#[cfg(unix)]
#[test]
fn a_view_outlives_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = WordsWriter::open(dir.path(), Language::English).unwrap();
    (1..=3).for_each(|id| commit_dog(&mut writer, id));
    let old = Words::open(dir.path(), None).unwrap();
    let before = names(dir.path());
    writer.close().unwrap();
    assert!(WordsWriter::merge(dir.path(), Language::English, Merge::Everything).unwrap());
    let after = names(dir.path());
    assert!(
        before
            .iter()
            .all(|name| name == "meta.json" || !after.contains(name))
    );
    assert_eq!(
        found(&old),
        [1, 2, 3],
        "its checksums were never computed before"
    );
    assert_eq!(found(&old.newer(dir.path()).unwrap()), [1, 2, 3]);
}

#[test]
fn files_of_a_killed_writer_are_deleted_and_those_of_others_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = WordsWriter::open(dir.path(), Language::English).unwrap();
    commit_dog(&mut writer, 1);
    writer.close().unwrap();
    let leftovers = [
        "0123456789abcdef0123456789abcdef.term",
        "0123456789abcdef0123456789abcdef.12.del",
    ];
    let others = ["notes.txt", "0123456789abcdef0123456789abcdef"];
    for name in leftovers.iter().chain(&others) {
        fs_err::write(dir.path().join(name), "").unwrap();
    }
    let mut writer = WordsWriter::open(dir.path(), Language::English).unwrap();
    commit_dog(&mut writer, 2);
    writer.close().unwrap();
    let names = names(dir.path());
    let n_left = |all: &[&str]| {
        names
            .iter()
            .filter(|name| all.contains(&name.as_str()))
            .count()
    };
    assert_eq!(n_left(&leftovers), 0, "{names:?}");
    assert_eq!(n_left(&others), 2, "{names:?}");
    assert_eq!(found(&Words::open(dir.path(), None).unwrap()), [1, 2]);
}

#[test]
fn only_segments_with_many_removed_documents_are_worth_rewriting() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = WordsWriter::open(dir.path(), Language::English).unwrap();
    let commit = |writer: &mut WordsWriter| writer.prepare(STAMP).unwrap().commit().unwrap();
    (1..=20).for_each(|id| writer.put(&dog(id)).unwrap());
    commit(&mut writer);
    for (n_removed, expected) in [(2, false), (3, true)] {
        (1..=n_removed).for_each(|id| writer.remove(id));
        commit(&mut writer);
        writer.close().unwrap();
        let merge = WordsWriter::merge(dir.path(), Language::English, Merge::Worthwhile);
        assert_eq!(merge.unwrap(), expected, "{n_removed} of 20");
        writer = WordsWriter::open(dir.path(), Language::English).unwrap();
        assert_eq!(writer.stamp, Some(STAMP));
    }
    writer.close().unwrap();
    assert!(!WordsWriter::merge(dir.path(), Language::English, Merge::Everything).unwrap());
    let left: Vec<u32> = (4..=20).collect();
    assert_eq!(found(&Words::open(dir.path(), None).unwrap()), left);
}

/// A link to itself stands for errors such as too many open files.
#[cfg(unix)]
#[test]
fn an_error_of_the_system_is_not_damage() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = WordsWriter::open(dir.path(), Language::English).unwrap();
    commit_dog(&mut writer, 1);
    writer.close().unwrap();
    let read = || Words::open(dir.path(), None)?.verified_ids();
    let mut n_errors = 0;
    for name in names(dir.path()) {
        let path = dir.path().join(&name);
        let aside = dir.path().join("aside");
        fs_err::rename(&path, &aside).unwrap();
        let errors = || {
            let written = WordsWriter::open(dir.path(), Language::English)
                .map(drop)
                .unwrap_err();
            (written, read().unwrap_err())
        };
        // A link to itself.
        fs_err::os::unix::fs::symlink(&name, &path).unwrap();
        let (written, read) = errors();
        assert!(
            !written.is_damage() && !read.is_damage(),
            "{name}: {written:?}, {read:?}"
        );
        fs_err::remove_file(&path).unwrap();
        if name != "meta.json" {
            let (written, read) = errors();
            assert!(
                written.is_damage() && read.is_damage(),
                "{name}: {written:?}, {read:?}"
            );
        }
        fs_err::rename(&aside, &path).unwrap();
        n_errors += 1;
    }
    assert!(n_errors >= 7, "{n_errors}");
    let missing = dir.path().join("missing");
    assert!(
        Words::open(&missing, None)
            .map(drop)
            .unwrap_err()
            .is_damage()
    );
}
