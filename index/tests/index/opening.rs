//! Opening an index: locks, other models, other formats, other folders.

use std::path::Path;

use sightline_index::{Binding, Generation, IndexError, IndexReader, IndexWriter, check};

use crate::support::{assert_healthy, binding, make_index, put_photo, vector};

fn open_writer(dir: &Path) -> Result<IndexWriter, IndexError> {
    IndexWriter::open_or_create(dir, &binding(8))
}

fn refused<T>(result: Result<T, IndexError>) -> IndexError {
    match result {
        Ok(_) => panic!("it should have been refused"),
        Err(error) => error,
    }
}

#[test]
fn a_second_writer_is_refused_with_the_pid_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open_writer(dir.path()).unwrap();
    let error = refused(open_writer(dir.path()));
    let message = format!(
        "{}: the index is being written by process {}",
        dir.path().display(),
        std::process::id()
    );
    assert_eq!(error.to_string(), message);
    assert!(
        matches!(error, IndexError::Locked { pid: Some(pid), .. } if pid == std::process::id())
    );
    put_photo(&mut writer, 1, vector(8, 1));
    assert_eq!(writer.finish().unwrap(), Generation(1));
    drop(open_writer(dir.path()).unwrap());
    assert_healthy(dir.path());
}

#[test]
fn the_model_of_an_index_is_known_without_opening_it() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(sightline_index::binding(dir.path()).unwrap(), None);
    let absent = dir.path().join("absent");
    assert_eq!(sightline_index::binding(&absent).unwrap(), None);
    let writer = open_writer(dir.path()).unwrap();
    // Also while a writer has it open.
    let model = sightline_index::binding(dir.path()).unwrap();
    assert_eq!(model, Some(binding(8)));
    drop(writer);
    fs_err::write(dir.path().join("manifest.json"), "{").unwrap();
    let error = refused(sightline_index::binding(dir.path()));
    assert!(matches!(error, IndexError::Damaged { .. }), "{error}");
}

#[test]
fn readers_and_writers_refuse_other_models_and_dimensions() {
    let dir = tempfile::tempdir().unwrap();
    make_index(dir.path(), 8, 3);
    let other = Binding {
        dimension: 8,
        fingerprint: "beef".into(),
        model: "big".into(),
    };
    let errors = [
        refused(IndexWriter::open_or_create(dir.path(), &other)),
        refused(IndexReader::open(dir.path(), Some(&other))),
    ];
    for error in errors {
        let message = format!(
            "{}: the index was built with model toy, not with big",
            dir.path().display()
        );
        assert_eq!(error.to_string(), message);
        assert!(matches!(error, IndexError::OtherModel { .. }));
    }
    let message = format!(
        "{}: the index was built with model toy (dimension 8), not with toy (dimension 9)",
        dir.path().display()
    );
    let errors = [
        refused(IndexWriter::open_or_create(dir.path(), &binding(9))),
        refused(IndexReader::open(dir.path(), Some(&binding(9)))),
    ];
    for error in errors {
        assert_eq!(error.to_string(), message);
        assert!(
            matches!(
                error,
                IndexError::OtherDimension {
                    built_with: 8,
                    asked: 9,
                    ..
                }
            ),
            "{error}"
        );
    }
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(reader.binding(), &binding(8));
    assert_healthy(dir.path());
}

#[test]
fn unsupported_formats_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    make_index(dir.path(), 8, 3);
    let manifest = dir.path().join("manifest.json");
    let text = fs_err::read_to_string(&manifest).unwrap();
    for (format, newer) in [("4", true), ("0", false)] {
        let changed = text.replace("\"format\": 3", &format!("\"format\": {format}"));
        assert_ne!(changed, text);
        fs_err::write(&manifest, changed).unwrap();
        for error in [
            refused(open_writer(dir.path())),
            refused(IndexReader::open(dir.path(), None)),
        ] {
            match error {
                IndexError::NewerFormat {
                    found: 4,
                    supported: 3,
                    ..
                } => assert!(newer),
                IndexError::OlderFormat {
                    found: 0,
                    supported: 1,
                    ..
                } => assert!(!newer),
                error => panic!("{error}"),
            }
        }
    }
    fs_err::write(&manifest, text).unwrap();
    assert_healthy(dir.path());
}

#[test]
fn other_folders_are_refused_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    fs_err::write(dir.path().join("holiday.jpg"), "x").unwrap();
    assert!(matches!(
        refused(open_writer(dir.path())),
        IndexError::NotAnIndex { .. }
    ));
    let entries: Vec<_> = fs_err::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(entries, ["holiday.jpg"]);
    let file = dir.path().join("holiday.jpg");
    assert!(matches!(
        refused(open_writer(&file)),
        IndexError::NotAnIndex { .. }
    ));
    for place in [dir.path(), &file, &dir.path().join("missing")] {
        assert!(matches!(
            refused(IndexReader::open(place, None)),
            IndexError::NoIndex { .. }
        ));
        assert!(matches!(refused(check(place)), IndexError::NoIndex { .. }));
    }
    assert!(
        !dir.path().join("missing").exists(),
        "a reader creates no folder"
    );
    let deep = dir.path().join("a/b/c");
    open_writer(&deep).unwrap().finish().unwrap();
    assert_eq!(
        IndexReader::open(&deep, None).unwrap().generation(),
        Generation(0)
    );
    assert_healthy(&deep);
}

#[cfg(unix)]
#[test]
fn the_name_of_the_folder_need_not_be_unicode() {
    use std::os::unix::ffi::OsStrExt;
    let place = tempfile::tempdir().unwrap();
    let dir = place
        .path()
        .join(std::ffi::OsStr::from_bytes(b"ind\xffex \n"));
    make_index(&dir, 8, 60);
    let reader = IndexReader::open(&dir, None).unwrap();
    assert_eq!(reader.counts().n_images, 60);
    assert_eq!(fs_err::read_dir(place.path()).unwrap().count(), 1);
    assert_healthy(&dir);
}

#[test]
fn readers_are_sync_and_writers_are_send() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open_writer(dir.path()).unwrap();
    let put = move || {
        put_photo(&mut writer, 1, vector(8, 1));
        writer.finish()
    };
    let generation = std::thread::spawn(put).join().unwrap().unwrap();
    assert_eq!(generation, Generation(1));
    let reader = &IndexReader::open(dir.path(), None).unwrap();
    let counts = std::thread::scope(|scope| {
        let count = || reader.counts().n_images;
        let threads = [scope.spawn(count), scope.spawn(count)];
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(counts, [1, 1]);
    assert_healthy(dir.path());
}

#[test]
fn too_large_a_dimension_is_refused_and_nothing_is_created() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("index");
    let error = IndexWriter::open_or_create(&dir, &binding(65_537)).unwrap_err();
    assert!(
        matches!(
            error,
            IndexError::DimensionTooLarge {
                dimension: 65_537,
                largest: 65_536
            }
        ),
        "{error:?}"
    );
    assert!(!dir.exists());
    drop(IndexWriter::open_or_create(&dir, &binding(65_536)).unwrap());
}

#[test]
fn an_empty_commit_makes_no_generation() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open_writer(dir.path()).unwrap();
    assert_eq!(writer.commit().unwrap(), Generation(0));
    put_photo(&mut writer, 1, vector(8, 1));
    assert_eq!(writer.commit().unwrap(), Generation(1));
    assert_eq!(writer.commit().unwrap(), Generation(1));
    assert_eq!(writer.finish().unwrap(), Generation(1));
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let counts = reader.counts();
    assert_eq!(
        (counts.n_images, counts.n_captions, counts.n_files),
        (1, 0, 1)
    );
    assert!(counts.n_bytes_on_disk > 1000);
    assert_healthy(dir.path());
}
