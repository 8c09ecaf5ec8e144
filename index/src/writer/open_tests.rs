//! Indexes without a manifest: which data are opened, and that none are replaced by an empty index.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::crash_tests::{answers, binding, copy_folder, first, open, put_first, second};
use crate::disk::steps::Steps;
use crate::{
    Binding, IndexError, IndexReader, IndexWriter, Problem, Successor, WriterOptions, check, repair,
};

/// Damages the data in a folder.
type Damage = fn(&Path);

const DAMAGES: [(&str, Damage); 5] = [
    ("nothing", |_| {}),
    ("no CURRENT", |data| {
        fs_err::remove_file(data.join("records/CURRENT")).unwrap();
    }),
    ("no list of tables", |data| {
        for path in files_with("MANIFEST-", &data.join("records")) {
            fs_err::remove_file(path).unwrap();
        }
    }),
    ("a changed list of tables", |data| {
        for path in files_with("MANIFEST-", &data.join("records")) {
            let mut bytes = fs_err::read(&path).unwrap();
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
            fs_err::write(&path, bytes).unwrap();
        }
    }),
    ("no tables", |data| {
        for path in files_with("0", &data.join("records")) {
            if path.extension().is_some_and(|ending| ending == "sst") {
                fs_err::remove_file(path).unwrap();
            }
        }
    }),
];

fn files_with(start: &str, folder: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_str().is_some_and(|name| name.starts_with(start)))
        })
        .collect()
}

/// All files below a folder but locks, with their content.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut content = BTreeMap::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            content.extend(self::content(&path));
        } else if !path.ends_with("lock") {
            content.insert(path.clone(), fs_err::read(path).unwrap());
        }
    }
    content
}

/// An index with its data in the index folder itself, in `data-2` or in `data-3`.
fn make(dir: &Path, n_changes: u32) -> PathBuf {
    first(dir);
    let mut name = String::new();
    for n in 0..n_changes {
        let model = Binding {
            fingerprint: format!("model {n}"),
            ..binding()
        };
        let successor = Successor::begin(dir, &model).unwrap().unwrap();
        let mut writer = successor.writer(WriterOptions::default()).unwrap();
        put_first(&mut writer);
        writer.finish().unwrap();
        successor.replace().unwrap();
        name = format!("data-{}", n + 2);
    }
    let data = dir.join(name);
    assert!(data.join("records/CURRENT").exists());
    data
}

#[test]
fn damaged_data_without_a_manifest_are_not_replaced_by_an_empty_index() {
    let mut n_refused = 0;
    for n_changes in 0..3 {
        let original = tempfile::tempdir().unwrap();
        let data = make(original.path(), n_changes);
        let data = data.strip_prefix(original.path()).unwrap();
        let model = model_of(original.path());
        let expected = answers(original.path());
        for (name, damage) in DAMAGES {
            let when = format!("{name}, {}", data.display());
            let folder = tempfile::tempdir().unwrap();
            let dir = folder.path();
            copy_folder(original.path(), dir);
            fs_err::remove_file(dir.join("manifest.json")).unwrap();
            damage(&dir.join(data));
            let before = content(dir);
            let read = IndexReader::open(dir, None).unwrap_err();
            assert!(matches!(read, IndexError::Damaged { .. }), "{when}: {read}");
            let is_sound = name == "nothing";
            match IndexWriter::open_or_create(dir, &model) {
                Ok(writer) => {
                    assert!(is_sound, "{when}");
                    writer.finish().unwrap();
                    assert_eq!(answers(dir), expected, "{when}");
                    continue;
                }
                Err(error) => {
                    assert!(!is_sound && error.is_damage(), "{when}: {error:?}");
                    n_refused += 1;
                }
            }
            assert!(content(dir) == before, "{when}: nothing is changed");
            let problems = check(dir).unwrap();
            let is_manifest = |problem: &Problem| matches!(problem, Problem::Manifest { .. });
            assert!(problems.iter().any(is_manifest), "{when}: {problems:?}");
            let repaired = repair(dir, WriterOptions::default(), &mut |_| {});
            if name == "no tables" {
                // The copy is lost with them.
                assert!(repaired.is_err_and(|error| error.is_damage()), "{when}");
                continue;
            }
            let repaired = repaired.unwrap_or_else(|error| panic!("{when}: {error:?}"));
            assert_eq!(repaired.left, [], "{when}");
            assert!(!repaired.has_losses(), "{when}: {repaired:?}");
            assert_eq!(answers(dir), expected, "{when}");
        }
    }
    assert_eq!(n_refused, 3 * (DAMAGES.len() - 1));
}

fn model_of(dir: &Path) -> Binding {
    crate::disk::manifest::binding(dir).unwrap().unwrap()
}

/// An older state is not taken for the current one because the newest is damaged.
#[test]
fn older_data_do_not_replace_damaged_newer_ones() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    make(dir, 1);
    let old = tempfile::tempdir().unwrap();
    first(old.path());
    // As when the old data could not be deleted.
    copy_folder(&old.path().join("records"), &dir.join("records"));
    fs_err::remove_file(dir.join("manifest.json")).unwrap();
    fs_err::remove_file(dir.join("data-2/records/CURRENT")).unwrap();
    let before = content(dir);
    for binding in [binding(), model_of(old.path())] {
        let error = IndexWriter::open_or_create(dir, &binding).unwrap_err();
        assert!(matches!(error, IndexError::Damaged { .. }), "{error:?}");
    }
    assert!(content(dir) == before);
}

#[test]
fn a_lost_manifest_does_not_hide_lost_commits() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    first(dir);
    let backup = tempfile::tempdir().unwrap();
    copy_folder(&dir.join("records"), backup.path());
    let mut writer = open(dir, Steps::default()).unwrap();
    second(&mut writer);
    writer.finish().unwrap();
    fs_err::remove_dir_all(dir.join("records")).unwrap();
    copy_folder(backup.path(), &dir.join("records"));
    fs_err::remove_file(dir.join("manifest.json")).unwrap();
    let before = content(dir);
    let error = open(dir, Steps::default()).unwrap_err();
    assert!(error.to_string().contains("commits were lost"), "{error}");
    assert!(content(dir) == before);
    // Nor when the log was all that there was.
    let emptied = tempfile::tempdir().unwrap();
    let dir = emptied.path();
    let mut writer = open(dir, Steps::default()).unwrap();
    put_first(&mut writer);
    writer.commit().unwrap();
    drop(writer);
    fs_err::remove_file(dir.join("manifest.json")).unwrap();
    for path in files_with("0", &dir.join("records")) {
        let n_bytes = fs_err::metadata(&path).unwrap().len();
        fs_err::write(&path, vec![0; usize::try_from(n_bytes).unwrap()]).unwrap();
    }
    let error = open(dir, Steps::default()).unwrap_err();
    assert!(error.is_damage(), "{error:?}");
    assert!(dir.join("words").exists());
}
