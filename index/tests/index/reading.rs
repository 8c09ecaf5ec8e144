//! Readers of read-only folders, readers beside a writer, and several threads on one reader.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sightline_index::{GraphState, IndexError, IndexReader, IndexWriter, ItemKind, Nearest, check};

use crate::support::{
    answers, assert_healthy, binding, ids, make_index, put_photo, vector, with_graphs_from,
};

const DIMENSION: usize = 12;

/// All files and folders with their sizes and modification times.
fn listing(dir: &Path) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs_err::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let data = entry.metadata().unwrap();
        found.insert(entry.path(), (data.len(), data.modified().unwrap()));
        if data.is_dir() {
            found.extend(listing(&entry.path()));
        }
    }
    found
}

#[test]
fn a_reader_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    make_index(dir.path(), DIMENSION, 120);
    let expected = answers(dir.path(), DIMENSION);
    let mut n_compared = 0;
    for damage in ["nothing", "words", "graphs"] {
        if damage != "nothing" {
            fs_err::remove_dir_all(dir.path().join(damage)).unwrap();
        }
        let before = listing(dir.path());
        assert!(before.len() > 5);
        assert_eq!(answers(dir.path(), DIMENSION), expected, "without {damage}");
        check(dir.path()).unwrap();
        assert_eq!(listing(dir.path()), before, "without {damage}");
        n_compared += 1;
    }
    assert_eq!(n_compared, 3);
    drop(
        IndexWriter::open_or_create_with(dir.path(), &binding(DIMENSION), with_graphs_from(50))
            .unwrap(),
    );
    assert_healthy(dir.path());
}

#[test]
fn a_reader_does_not_change_an_unflushed_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = IndexWriter::open_or_create(dir.path(), &binding(DIMENSION)).unwrap();
    for number in 0..30 {
        put_photo(&mut writer, number, vector(DIMENSION, number));
    }
    writer.commit().unwrap();
    drop(writer);
    let before = listing(dir.path());
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(reader.counts().n_images, 30);
    drop(reader);
    assert_eq!(listing(dir.path()), before);
    assert_healthy(dir.path());
}

/// Runs a part of this program as the user `nobody`, for whom a folder can be made read-only.
#[cfg(target_os = "linux")]
mod as_nobody {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    const FOLDER: &str = "SIGHTLINE_TEST_READ_ONLY";
    const NOBODY: u32 = 65_534;

    /// The body of the child process that runs as `nobody`, not a test of its own.
    #[test]
    fn child_without_write_permission() {
        let Some(dir) = std::env::var_os(FOLDER) else {
            return;
        };
        let dir = Path::new(&dir);
        assert!(
            fs_err::write(dir.join("probe"), "x").is_err(),
            "the folder is not read-only"
        );
        let reader = IndexReader::open(dir, None).unwrap();
        assert_eq!(reader.counts().n_images, 120);
        assert_eq!(
            reader.counts().image_graph,
            GraphState::Ready {
                n_items: 120,
                n_fresh: 0
            }
        );
        let near = reader
            .nearest(
                ItemKind::Image,
                &vector(DIMENSION, 7),
                1,
                &Nearest::default(),
            )
            .unwrap();
        assert_eq!(ids(&near), [15]);
        assert_eq!(
            reader.matching(ItemKind::Image, "photo7", 1).unwrap()[0].id,
            near[0].id
        );
        match IndexWriter::open_or_create(dir, &binding(DIMENSION)) {
            Err(error @ IndexError::ReadOnly { .. }) => {
                assert_eq!(
                    error.to_string(),
                    format!("{}: the index is not writable", dir.display())
                );
            }
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it could be written"),
        }
        match IndexWriter::open_or_create(&dir.join("new"), &binding(DIMENSION)) {
            Err(IndexError::ReadOnly { .. }) => {}
            _ => panic!("a folder was made"),
        }
        fs_err::write(
            std::env::temp_dir().join(std::env::var("SIGHTLINE_TEST_PROOF").unwrap()),
            "done",
        )
        .unwrap();
    }

    fn set_modes(dir: &Path, folder: u32, file: u32) {
        for entry in fs_err::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                set_modes(&path, folder, file);
            } else {
                fs_err::set_permissions(&path, std::fs::Permissions::from_mode(file)).unwrap();
            }
        }
        fs_err::set_permissions(dir, std::fs::Permissions::from_mode(folder)).unwrap();
    }

    #[test]
    fn an_index_in_a_read_only_folder_can_be_read() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("index");
        make_index(&dir, DIMENSION, 120);
        // Only root can become another user; for anyone else the modes are enough.
        let probe = place.path().join("probe");
        fs_err::write(&probe, "x").unwrap();
        fs_err::set_permissions(&probe, std::fs::Permissions::from_mode(0o000)).unwrap();
        let is_root = fs_err::read(&probe).is_ok();
        let program = place.path().join("program");
        fs_err::copy(std::env::current_exe().unwrap(), &program).unwrap();
        fs_err::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        fs_err::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        set_modes(&dir, 0o555, 0o444);
        let before = listing(&dir);
        let proofs = tempfile::tempdir().unwrap();
        fs_err::set_permissions(proofs.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let mut command = Command::new(&program);
        command
            .args([
                "reading::as_nobody::child_without_write_permission",
                "--exact",
                "--nocapture",
            ])
            .env(FOLDER, &dir)
            .env("TMPDIR", proofs.path())
            .env("SIGHTLINE_TEST_PROOF", "proof")
            .current_dir("/");
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned()
            + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        assert!(
            proofs.path().join("proof").exists(),
            "the child did nothing: {text}"
        );
        assert_eq!(listing(&dir), before);
        set_modes(&dir, 0o755, 0o644);
        assert_healthy(&dir);
    }
}

#[test]
fn a_reader_keeps_its_generation_while_a_writer_commits() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer =
        IndexWriter::open_or_create_with(dir.path(), &binding(DIMENSION), with_graphs_from(50))
            .unwrap();
    let mut readers = Vec::new();
    for round in 0..6u64 {
        for number in round * 20..(round + 1) * 20 {
            put_photo(&mut writer, number, vector(DIMENSION, number));
        }
        writer.commit().unwrap();
        readers.push(IndexReader::open(dir.path(), None).unwrap());
        if round % 2 == 1 {
            writer.finish().unwrap();
            writer = IndexWriter::open_or_create_with(
                dir.path(),
                &binding(DIMENSION),
                with_graphs_from(50),
            )
            .unwrap();
            readers.push(IndexReader::open(dir.path(), None).unwrap());
        }
    }
    let mut n_checked = 0;
    for reader in &readers {
        let n = reader.generation().0 * 20;
        assert_eq!(reader.counts().n_images, n);
        for number in [0, n - 1] {
            let near = reader
                .nearest(
                    ItemKind::Image,
                    &vector(DIMENSION, number),
                    1,
                    &Nearest::default(),
                )
                .unwrap();
            assert!(near[0].similarity > 0.9999);
            assert_eq!(
                reader
                    .matching(ItemKind::Image, &format!("photo{number}"), 500)
                    .unwrap()[0]
                    .id,
                near[0].id
            );
        }
        let all = reader
            .nearest(
                ItemKind::Image,
                &vector(DIMENSION, 1),
                10_000,
                &Nearest::default(),
            )
            .unwrap();
        assert_eq!(all.len() as u64, n);
        n_checked += 1;
    }
    assert_eq!(n_checked, 9);
    drop(writer);
    assert_healthy(dir.path());
}

#[test]
fn threads_can_share_a_reader() {
    let dir = tempfile::tempdir().unwrap();
    make_index(dir.path(), DIMENSION, 300);
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let ask = |number: u64| {
        let near = reader.nearest(
            ItemKind::Image,
            &vector(DIMENSION, number),
            5,
            &Nearest {
                exact: false,
                ef: 16,
            },
        );
        let found = reader.matching(ItemKind::Image, &format!("photo{number}"), 5);
        (ids(&near.unwrap()), found.unwrap()[0].id.0)
    };
    let alone: Vec<_> = (0..100).map(ask).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let ask = &ask;
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(move || (0..100).map(ask).collect::<Vec<_>>()))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(together.len(), 8);
    for answers in together {
        assert_eq!(answers, alone);
    }
    assert_healthy(dir.path());
}
