//! Missing, truncated and changed files: derived parts are rebuilt, damage to others is reported.

use std::path::Path;

use sightline_index::{GraphState, IndexError, IndexReader, IndexWriter, Problem, check};

use crate::support::{answers, assert_healthy, binding, copy_folder, make_index, with_graphs_from};

const DIMENSION: usize = 12;

/// Damages the index in a folder.
type Damage<'a> = &'a dyn Fn(&Path);

fn reopen(dir: &Path) -> IndexWriter {
    IndexWriter::open_or_create_with(dir, &binding(DIMENSION), with_graphs_from(50)).unwrap()
}

/// Damages a copy of an index and checks that a reader still gives the same answers, that [`check`]
/// reports the damage, and that the next writer repairs it.
fn check_derived(original: &Path, expected: &[String], name: &str, damage: Damage<'_>) {
    let dir = tempfile::tempdir().unwrap();
    copy_folder(original, dir.path());
    damage(dir.path());
    assert_eq!(answers(dir.path(), DIMENSION), expected, "{name}: reading");
    reopen(dir.path()).finish().unwrap();
    assert_healthy(dir.path());
    assert_eq!(answers(dir.path(), DIMENSION), expected, "{name}: repaired");
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(
        reader.counts().image_graph,
        GraphState::Ready {
            n_items: 120,
            n_fresh: 0
        },
        "{name}"
    );
}

#[test]
fn graphs_and_words_are_rebuilt() {
    let original = tempfile::tempdir().unwrap();
    make_index(original.path(), DIMENSION, 120);
    let expected = answers(original.path(), DIMENSION);
    let check_derived = |name: &str, damage: Damage<'_>| {
        check_derived(original.path(), &expected, name, damage);
    };
    let graph = |dir: &Path| dir.join("graphs/image-1.graph");
    let length = fs_err::metadata(graph(original.path())).unwrap().len();
    check_derived("nothing", &|_| {});
    check_derived("no graph", &|dir| fs_err::remove_file(graph(dir)).unwrap());
    check_derived("no graphs", &|dir| {
        fs_err::remove_dir_all(dir.join("graphs")).unwrap();
    });
    check_derived("no words", &|dir| {
        fs_err::remove_dir_all(dir.join("words")).unwrap();
    });
    check_derived("empty words", &|dir| {
        fs_err::remove_dir_all(dir.join("words")).unwrap();
        fs_err::create_dir(dir.join("words")).unwrap();
    });
    check_derived("neither", &|dir| {
        fs_err::remove_dir_all(dir.join("graphs")).unwrap();
        fs_err::remove_dir_all(dir.join("words")).unwrap();
    });
    check_derived("words without their head", &|dir| {
        fs_err::write(dir.join("words/meta.json"), "{").unwrap();
    });
    check_derived("the graph of captions", &|dir| {
        fs_err::copy(dir.join("graphs/caption-1.graph"), graph(dir)).unwrap();
    });
    let mut n_cuts = 0;
    for n_bytes in [0, 1, 8, 100, 255, 256, 300, length / 2, length - 1] {
        check_derived(&format!("graph truncated to {n_bytes}"), &|dir| {
            fs_err::OpenOptions::new()
                .write(true)
                .open(graph(dir))
                .unwrap()
                .set_len(n_bytes)
                .unwrap();
        });
        n_cuts += 1;
    }
    assert_eq!(n_cuts, 9);
}

#[test]
fn a_changed_byte_in_a_graph_is_detected() {
    let dir = tempfile::tempdir().unwrap();
    make_index(dir.path(), DIMENSION, 60);
    let path = dir.path().join("graphs/image-1.graph");
    let bytes = fs_err::read(&path).unwrap();
    let mut n_detected = 0;
    for position in (0..116)
        .chain([252, 255])
        .chain((256..bytes.len()).step_by(97))
    {
        let mut changed = bytes.clone();
        changed[position] ^= 0x41;
        fs_err::write(&path, &changed).unwrap();
        let problems = check(dir.path()).unwrap();
        // Sections begin at multiples of 64. The padding between them is not checked.
        if problems.is_empty() {
            assert_eq!(bytes[position], 0, "byte {position}");
            continue;
        }
        assert!(
            matches!(problems[..], [Problem::Graph { .. }]),
            "byte {position}: {problems:?}"
        );
        n_detected += 1;
    }
    assert!(n_detected > 170, "{n_detected}");
    fs_err::write(&path, &bytes).unwrap();
    assert_healthy(dir.path());
}

#[test]
fn a_changed_byte_in_the_words_does_not_change_the_answers() {
    let original = tempfile::tempdir().unwrap();
    make_index(original.path(), DIMENSION, 120);
    let expected = answers(original.path(), DIMENSION);
    let mut n_changed = 0;
    for entry in fs_err::read_dir(original.path().join("words")).unwrap() {
        let name = entry.unwrap().file_name();
        let is_segment = Path::new(&name)
            .extension()
            .is_some_and(|extension| extension != "json" && extension != "lock");
        let path = Path::new("words").join(&name);
        let bytes = fs_err::read(original.path().join(&path)).unwrap();
        if !is_segment || bytes.is_empty() {
            continue;
        }
        check_derived(
            original.path(),
            &expected,
            &path.display().to_string(),
            &|dir| {
                let mut changed = bytes.clone();
                changed[bytes.len() / 3] ^= 0x55;
                fs_err::write(dir.join(&path), changed).unwrap();
                assert!(!check(dir).unwrap().is_empty(), "{}", path.display());
            },
        );
        n_changed += 1;
    }
    assert!(n_changed >= 4, "{n_changed}");
}

#[test]
fn a_lost_manifest_is_restored_from_the_records() {
    let dir = tempfile::tempdir().unwrap();
    make_index(dir.path(), DIMENSION, 60);
    let manifest = dir.path().join("manifest.json");
    let text = fs_err::read_to_string(&manifest).unwrap();
    let expected = answers(dir.path(), DIMENSION);
    let mut n_damaged = 0;
    for damage in [
        None,
        Some(""),
        Some("{\"format\": 1"),
        Some("{\"format\": 1}"),
        Some("\0\0\0\0"),
    ] {
        match damage {
            None => fs_err::remove_file(&manifest).unwrap(),
            Some(damage) => fs_err::write(&manifest, damage).unwrap(),
        }
        let Err(error) = IndexReader::open(dir.path(), None) else {
            panic!("{damage:?}")
        };
        assert!(matches!(error, IndexError::Damaged { .. }), "{error}");
        drop(reopen(dir.path()));
        assert_eq!(fs_err::read_to_string(&manifest).unwrap(), text);
        assert_eq!(answers(dir.path(), DIMENSION), expected);
        n_damaged += 1;
    }
    assert_eq!(n_damaged, 5);
    // Another model is refused even without a manifest.
    fs_err::remove_file(&manifest).unwrap();
    let other = IndexWriter::open_or_create(dir.path(), &binding(DIMENSION + 1));
    assert!(matches!(other, Err(IndexError::OtherDimension { .. })));
    drop(reopen(dir.path()));
    assert_healthy(dir.path());
}

/// Records cannot be rebuilt, and they are never replaced by empty ones.
#[test]
fn lost_and_damaged_records_are_errors() {
    let original = tempfile::tempdir().unwrap();
    make_index(original.path(), DIMENSION, 60);
    let records = |dir: &Path| dir.join("records");
    let table = |dir: &Path| {
        let mut tables: Vec<_> = fs_err::read_dir(records(dir))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "sst"))
            .collect();
        tables.sort();
        tables.pop().unwrap()
    };
    let damages: [(&str, Damage<'_>); 4] = [
        ("deleted", &|dir| {
            fs_err::remove_dir_all(records(dir)).unwrap();
        }),
        ("no head", &|dir| {
            fs_err::remove_file(records(dir).join("CURRENT")).unwrap();
        }),
        ("a table deleted", &|dir| {
            fs_err::remove_file(table(dir)).unwrap();
        }),
        ("a table empty", &|dir| {
            fs_err::write(table(dir), "").unwrap();
        }),
    ];
    assert_eq!(damages.len(), 4);
    for (name, damage) in damages {
        let dir = tempfile::tempdir().unwrap();
        copy_folder(original.path(), dir.path());
        damage(dir.path());
        let is_right = |error: &IndexError| {
            matches!(
                error,
                IndexError::Damaged { .. } | IndexError::Records { .. }
            )
        };
        let Err(error) = IndexReader::open(dir.path(), None) else {
            panic!("{name}: read")
        };
        assert!(is_right(&error), "{name}: {error}");
        let Err(error) = IndexWriter::open_or_create(dir.path(), &binding(DIMENSION)) else {
            panic!("{name}: written")
        };
        assert!(is_right(&error), "{name}: {error}");
    }
    assert_healthy(original.path());
}
