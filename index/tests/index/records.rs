//! Images, paths and captions: what replaces, removes and keeps what.

use std::path::{Path, PathBuf};

use sightline_index::{
    FileRecord, IndexError, IndexReader, IndexWriter, Item, ItemId, ItemKind, Library, Nearest,
    RecordsError,
};

use crate::support::{assert_healthy, binding, file, hash, photo, put_photo, vector};

fn new_index() -> (tempfile::TempDir, IndexWriter) {
    let dir = tempfile::tempdir().unwrap();
    let writer = IndexWriter::open_or_create(dir.path(), &binding(4)).unwrap();
    (dir, writer)
}

#[test]
fn identical_files_are_one_image_until_the_last_path_is_removed() {
    let (dir, mut writer) = new_index();
    let id = put_photo(&mut writer, 1, vector(4, 1));
    assert_eq!(
        writer.put_image(hash(1), 1, 1, vector(4, 2)).unwrap(),
        id,
        "the first vector is kept"
    );
    let second = Path::new("/elsewhere/copy.jpg");
    writer.put_file(second, file(id)).unwrap();
    writer
        .set_captions(
            Some(id),
            Path::new("/c.txt"),
            vec![("a dog".into(), vector(4, 3))],
        )
        .unwrap();
    assert_eq!(writer.n_pending(), 2);
    writer.commit().unwrap();
    assert_eq!(writer.n_pending(), 0);
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let Some(Item::Image(image)) = reader.item(id).unwrap() else {
        panic!("no image")
    };
    assert_eq!(
        (image.width, image.height, image.content_hash),
        (640, 480, hash(1))
    );
    assert_eq!(image.paths, [second.to_owned(), photo(1)]);
    assert_eq!(
        (
            reader.counts().n_images,
            reader.counts().n_captions,
            reader.counts().n_files
        ),
        (1, 1, 2)
    );

    writer.remove_file(&photo(1)).unwrap();
    assert_eq!(writer.image_with_hash(&hash(1)).unwrap(), Some(id));
    writer.remove_file(second).unwrap();
    writer.remove_file(second).unwrap();
    assert_eq!(
        writer.image_with_hash(&hash(1)).unwrap(),
        Some(id),
        "another path may follow"
    );
    writer.commit().unwrap();
    assert_eq!(writer.image_with_hash(&hash(1)).unwrap(), None);
    let after = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(
        (
            after.counts().n_images,
            after.counts().n_captions,
            after.counts().n_files
        ),
        (0, 0, 0)
    );
    assert!(
        after
            .matching(ItemKind::Caption, "dog", 5)
            .unwrap()
            .is_empty()
    );
    assert!(
        after
            .nearest(ItemKind::Caption, &vector(4, 3), 5, &Nearest::default())
            .unwrap()
            .is_empty()
    );
    assert!(
        reader.item(id).unwrap().is_some(),
        "a reader keeps its generation"
    );
    assert_healthy(dir.path());
}

#[test]
fn a_changed_file_gets_a_new_image() {
    let (dir, mut writer) = new_index();
    let old = put_photo(&mut writer, 1, vector(4, 1));
    writer.commit().unwrap();
    let new = writer.put_image(hash(2), 10, 10, vector(4, 2)).unwrap();
    writer
        .put_file(
            &photo(1),
            FileRecord {
                n_bytes: 7,
                modified_ns: -3,
                image: new,
                change: None,
            },
        )
        .unwrap();
    assert_eq!(writer.file(&photo(1)).unwrap().unwrap().n_bytes, 7);
    writer.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(reader.item(old).unwrap(), None);
    assert_eq!(
        reader.file(&photo(1)).unwrap(),
        Some(FileRecord {
            n_bytes: 7,
            modified_ns: -3,
            image: new,
            change: None,
        })
    );
    assert_eq!((reader.counts().n_images, reader.counts().n_files), (1, 1));
    assert_healthy(dir.path());
}

#[test]
fn a_moved_file_keeps_its_image() {
    let (dir, mut writer) = new_index();
    let id = put_photo(&mut writer, 1, vector(4, 1));
    writer.commit().unwrap();
    let new = Path::new("/sunsets/moved.jpg");
    writer.put_file(new, file(id)).unwrap();
    writer.remove_file(&photo(1)).unwrap();
    writer.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(reader.image_with_hash(&hash(1)).unwrap(), Some(id));
    assert_eq!(
        reader.matching(ItemKind::Image, "sunset", 5).unwrap()[0].id,
        id,
        "its words follow the path"
    );
    assert!(
        reader
            .matching(ItemKind::Image, "photo1", 5)
            .unwrap()
            .is_empty()
    );
    assert_healthy(dir.path());
}

#[test]
fn two_files_can_swap_their_paths() {
    let (dir, mut writer) = new_index();
    let first = put_photo(&mut writer, 1, vector(4, 1));
    let second = put_photo(&mut writer, 2, vector(4, 2));
    writer
        .set_captions(
            Some(first),
            Path::new("/c.txt"),
            vec![("a dog".into(), vector(4, 3))],
        )
        .unwrap();
    writer.commit().unwrap();
    writer.put_file(&photo(1), file(second)).unwrap();
    writer.put_file(&photo(2), file(first)).unwrap();
    writer.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(reader.file(&photo(2)).unwrap().unwrap().image, first);
    assert_eq!(
        reader.captions_of(first).unwrap().len(),
        1,
        "no image was removed"
    );
    assert_eq!(reader.counts().n_images, 2);
    assert_healthy(dir.path());
}

#[test]
fn a_checkpoint_keeps_images_whose_files_may_turn_up_elsewhere() {
    let (dir, mut writer) = new_index();
    let [moved, gone] = [1, 2].map(|number| put_photo(&mut writer, number, vector(4, number)));
    writer.checkpoint().unwrap();
    let new = put_photo(&mut writer, 3, vector(4, 3));
    for number in [1, 2] {
        writer.put_file(&photo(number), file(new)).unwrap();
        writer.checkpoint().unwrap();
        assert_healthy(dir.path());
    }
    for (number, image) in [(1, moved), (2, gone)] {
        assert_eq!(writer.image_with_hash(&hash(number)).unwrap(), Some(image));
    }
    writer.put_file(&photo(4), file(moved)).unwrap();
    writer.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(reader.image_with_hash(&hash(1)).unwrap(), Some(moved));
    assert_eq!(reader.image_with_hash(&hash(2)).unwrap(), None);
    assert_eq!(reader.counts().n_images, 2);
    assert_healthy(dir.path());
}

#[test]
fn images_left_without_a_path_by_a_killed_writer_go_with_the_next_commit() {
    let (dir, mut writer) = new_index();
    let [first, second] = [1, 2].map(|number| put_photo(&mut writer, number, vector(4, number)));
    writer.put_file(&photo(1), file(second)).unwrap();
    writer.checkpoint().unwrap();
    drop(writer);
    let n_images = || {
        let reader = IndexReader::open(dir.path(), None).unwrap();
        reader.counts().n_images
    };
    assert_eq!(n_images(), 2);
    let mut writer = IndexWriter::open_or_create(dir.path(), &binding(4)).unwrap();
    assert_eq!(writer.image_with_hash(&hash(1)).unwrap(), Some(first));
    writer.commit().unwrap();
    drop(writer);
    assert_eq!(n_images(), 1);
    assert_healthy(dir.path());
}

#[test]
fn captions_with_the_same_text_keep_their_ids_and_vectors() {
    let (dir, mut writer) = new_index();
    let id = put_photo(&mut writer, 1, vector(4, 1));
    let source = Path::new("/a.jsonl");
    let caption = |text: &str, seed| (text.to_owned(), vector(4, seed));
    for owner in [Some(id), None] {
        let captions = vec![caption("one", 1), caption("two", 2), caption("two", 3)];
        writer.set_captions(owner, source, captions).unwrap();
    }
    writer.commit().unwrap();
    let listed = |owner: Option<ItemId>| {
        let reader = IndexReader::open(dir.path(), None).unwrap();
        let captions = match owner {
            Some(image) => reader.captions_of(image).unwrap(),
            None => reader.captions_alone().unwrap(),
        };
        let mut listed = Vec::new();
        for caption in captions {
            listed.push((
                caption.id,
                caption.text,
                reader.vector(caption.id).unwrap().unwrap(),
            ));
        }
        listed
    };
    for owner in [Some(id), None] {
        let before = listed(owner);
        let captions = [
            caption("two", 4),
            caption("new", 5),
            caption("one", 6),
            caption("one", 7),
        ];
        writer
            .set_captions(owner, source, captions.to_vec())
            .unwrap();
        writer.commit().unwrap();
        let after = listed(owner);
        let texts: Vec<&str> = after.iter().map(|caption| &*caption.1).collect();
        assert_eq!(texts, ["two", "new", "one", "one"]);
        assert_eq!([&after[0], &after[2]], [&before[1], &before[0]]);
        assert_eq!([&after[1].2, &after[3].2], [&captions[1].1, &captions[3].1]);
        assert!(after[1].0 > before[2].0 && after[3].0 > after[1].0);
    }
    writer.finish().unwrap();
    assert_healthy(dir.path());
}

/// All that `next` returns, at most `n` each time, after the last one that it returned.
fn in_parts<T>(n: usize, next: impl Fn(Option<&T>) -> Vec<T>) -> Vec<T> {
    let mut found = Vec::new();
    loop {
        let some = next(found.last());
        assert!(some.len() <= n);
        let is_last = some.len() < n;
        found.extend(some);
        if is_last {
            return found;
        }
    }
}

#[test]
fn files_and_captions_below_a_folder_are_found_in_parts() {
    let (dir, mut writer) = new_index();
    let id = writer.put_image(hash(1), 640, 480, vector(4, 1)).unwrap();
    let paths = [
        "/a",
        "/a/b",
        "/a/b/c.txt",
        "/a/b/cc.txt",
        "/a/b/d/e.txt",
        "/a/bb.txt",
        "/a/bc/x.txt",
        "/b/c.txt",
        "/a/b/c.txt/f",
        "/ab",
        "/a/b.txt",
        "/a/a/longer/than/the/others/in/it.txt",
    ];
    let caption = || vec![("one".to_owned(), vector(4, 2))];
    for (number, path) in paths.into_iter().enumerate() {
        let path = Path::new(path);
        for owner in [None, Some(id)] {
            writer.set_captions(owner, path, caption()).unwrap();
        }
        writer.put_file(path, file(id)).unwrap();
        // Some are committed, some pending.
        if number == 6 {
            writer.commit().unwrap();
        }
    }
    let removed = Path::new("/a/b/cc.txt");
    writer.set_captions(None, removed, vec![]).unwrap();
    writer.remove_file(removed).unwrap();
    for folder in "/a/b /a / /b/c.txt /a/bb /none /a/b/c.txt".split(' ') {
        let folder = Path::new(folder);
        let mut expected: Vec<(PathBuf, Option<ItemId>)> = Vec::new();
        let below = paths
            .iter()
            .map(Path::new)
            .filter(|path| path.starts_with(folder));
        for path in below.clone() {
            let owners = [None, Some(id)].into_iter();
            let owners = owners.filter(|owner| path != removed || owner.is_some());
            expected.extend(owners.map(|owner| (path.to_owned(), owner)));
        }
        expected.sort_by_key(|(path, owner)| {
            let bytes = path.as_os_str().to_owned();
            (bytes.len(), bytes, *owner)
        });
        let mut files: Vec<PathBuf> = below
            .filter(|path| *path != removed)
            .map(PathBuf::from)
            .collect();
        files.sort_by_key(|path| path.as_os_str().to_owned());
        assert_eq!(writer.n_files_under(folder).unwrap(), files.len() as u64);
        for n in [1, 2, 5, 100] {
            let sources = |after: Option<&(PathBuf, Option<ItemId>)>| {
                writer.caption_sources_under(folder, after, n).unwrap()
            };
            let found = in_parts(n, sources);
            assert_eq!(found, expected, "{n} at a time below {}", folder.display());
            let some_files = |after: Option<&PathBuf>| {
                let after = after.map(PathBuf::as_path);
                let some = writer.some_files_under(folder, after, n).unwrap();
                some.into_iter().map(|file| file.0).collect()
            };
            let found = in_parts(n, some_files);
            assert_eq!(found, files, "{n} at a time below {}", folder.display());
        }
    }
    let mut all = Vec::new();
    writer
        .for_each_caption_source(&mut |source| all.push(source))
        .unwrap();
    assert_eq!(all.len(), 2 * paths.len() - 1);
    writer.finish().unwrap();
    assert_healthy(dir.path());
}

#[test]
fn captions_are_replaced_by_source() {
    let (dir, mut writer) = new_index();
    let id = put_photo(&mut writer, 1, vector(4, 1));
    let (first, second) = (Path::new("/a.jsonl"), Path::new("/b.txt"));
    let caption = |text: &str, seed| (text.to_owned(), vector(4, seed));
    writer
        .set_captions(Some(id), first, vec![caption("one", 1), caption("two", 2)])
        .unwrap();
    writer
        .set_captions(Some(id), second, vec![caption("three", 3)])
        .unwrap();
    writer
        .set_captions(None, second, vec![caption("alone", 4), caption("alone", 4)])
        .unwrap();
    assert_eq!(
        writer.captions_from(Some(id), first).unwrap(),
        ["one", "two"]
    );
    assert_eq!(writer.caption_owners(second).unwrap(), [None, Some(id)]);
    writer.commit().unwrap();
    let texts = |reader: &IndexReader| {
        reader
            .captions_of(id)
            .unwrap()
            .into_iter()
            .map(|caption| caption.text)
            .collect::<Vec<_>>()
    };
    let before = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(texts(&before), ["three", "one", "two"]);

    let generation = writer.generation();
    writer
        .set_captions(Some(id), first, vec![caption("one", 1), caption("two", 2)])
        .unwrap();
    assert_eq!(
        writer.commit().unwrap(),
        generation,
        "the same texts change nothing"
    );
    writer
        .set_captions(Some(id), first, vec![caption("two", 2)])
        .unwrap();
    writer.set_captions(None, second, vec![]).unwrap();
    assert_eq!(
        writer.captions_from(None, second).unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(writer.caption_owners(second).unwrap(), [Some(id)]);
    writer.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(texts(&reader), ["three", "two"]);
    assert_eq!(reader.counts().n_captions, 2);
    assert!(
        reader
            .matching(ItemKind::Image, "one", 5)
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        reader.matching(ItemKind::Image, "TWO photo1", 5).unwrap()[0].words,
        ["TWO", "photo1"]
    );
    let alone = reader.matching(ItemKind::Caption, "alone", 5).unwrap();
    assert!(alone.is_empty());
    let Some(Item::Caption(found)) = reader.item(reader.captions_of(id).unwrap()[1].id).unwrap()
    else {
        panic!("no caption")
    };
    assert_eq!(
        (found.text.as_str(), found.image, found.source.as_path()),
        ("two", Some(id), first)
    );
    assert_healthy(dir.path());
}

#[test]
fn invalid_items_are_refused() {
    let (dir, mut writer) = new_index();
    let nobody = ItemId(77);
    let missing = |result: Result<(), IndexError>| {
        assert!(matches!(
            result,
            Err(IndexError::Records {
                source: RecordsError::NoSuchImage { id },
                ..
            }) if id == nobody
        ));
    };
    missing(writer.put_file(&photo(1), file(nobody)));
    missing(writer.set_captions(
        Some(nobody),
        Path::new("/a"),
        vec![("x".into(), vector(4, 1))],
    ));
    let wrong = writer.put_image(hash(1), 1, 1, vector(5, 1));
    assert!(matches!(
        wrong,
        Err(IndexError::WrongDimension {
            expected: 4,
            found: 5
        })
    ));
    let wrong = writer.set_captions(None, Path::new("/a"), vec![("x".into(), vector(3, 1))]);
    assert!(matches!(
        wrong,
        Err(IndexError::WrongDimension {
            expected: 4,
            found: 3
        })
    ));
    assert_eq!(writer.n_pending(), 0);
    writer.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let wrong = reader.nearest(ItemKind::Image, &vector(5, 1), 3, &Nearest::default());
    assert!(matches!(
        wrong,
        Err(IndexError::WrongDimension {
            expected: 4,
            found: 5
        })
    ));
    assert_healthy(dir.path());
}

#[cfg(unix)]
#[test]
fn paths_need_not_be_unicode() {
    use std::os::unix::ffi::OsStrExt;
    let (dir, mut writer) = new_index();
    let path = |bytes: &[u8]| PathBuf::from(std::ffi::OsStr::from_bytes(bytes));
    let names: [&[u8]; 6] = [
        b"/p/\xff\xfe.jpg",
        b"/p/a\nb.jpg",
        b"/p/ .jpg",
        b"/p-other/x.jpg",
        b"/p/sub/\x80",
        b"/p/\xc3\xa4.jpg",
    ];
    for (number, name) in (1u64..).zip(names) {
        let id = writer
            .put_image(hash(number), 1, 1, vector(4, number))
            .unwrap();
        writer.put_file(&path(name), file(id)).unwrap();
    }
    let pending: Vec<PathBuf> = writer
        .files_under(Path::new("/p"))
        .unwrap()
        .into_iter()
        .map(|found| found.0)
        .collect();
    writer.commit().unwrap();
    let mut sorted: Vec<&[u8]> = names.to_vec();
    sorted.retain(|name| name.starts_with(b"/p/"));
    sorted.sort_unstable();
    let expected: Vec<PathBuf> = sorted.into_iter().map(path).collect();
    assert_eq!(pending, expected);
    let reader = IndexReader::open(dir.path(), None).unwrap();
    for folder in ["/p", "/p/"] {
        let found: Vec<PathBuf> = reader
            .files_under(Path::new(folder))
            .unwrap()
            .into_iter()
            .map(|found| found.0)
            .collect();
        assert_eq!(found, expected);
    }
    assert_eq!(reader.files_under(Path::new("/")).unwrap().len(), 6);
    assert_eq!(reader.files().unwrap().len(), 6);
    assert_eq!(reader.files_under(Path::new("/p/sub")).unwrap().len(), 1);
    for name in [&b"/p/ .jpg"[..], b"/p/ .jpg/"] {
        let itself = reader.files_under(&path(name)).unwrap();
        assert_eq!(itself.len(), 1, "a file is under itself");
        assert_eq!(itself[0].0, path(b"/p/ .jpg"));
    }
    drop(writer);
    assert_healthy(dir.path());
}

#[test]
fn library_folders_are_stored_and_searchable() {
    let (dir, mut writer) = new_index();
    let library = |n_files| Library {
        folder: "/home/ana/Pictures".into(),
        n_files,
        last_run_unix_s: 1_700_000_000,
    };
    writer.put_library(library(1)).unwrap();
    let id = writer.put_image(hash(1), 1, 1, vector(4, 1)).unwrap();
    writer
        .put_file(
            Path::new("/home/ana/Pictures/Rome2019/IMG_0042.JPG"),
            file(id),
        )
        .unwrap();
    writer.commit().unwrap();
    writer.put_library(library(2)).unwrap();
    writer.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(reader.libraries().unwrap(), [library(2)]);
    let rows = [
        ("rome", 1),
        ("2019", 1),
        ("pictures", 1),
        ("0042", 1),
        ("home", 0),
        ("ana", 0),
        ("jpg", 0),
    ];
    assert_eq!(rows.len(), 7);
    for (word, n) in rows {
        assert_eq!(
            reader.matching(ItemKind::Image, word, 5).unwrap().len(),
            n,
            "{word}"
        );
    }
    assert_healthy(dir.path());
}

#[test]
fn uncommitted_items_are_lost_and_their_ids_are_reused() {
    let (dir, mut writer) = new_index();
    let first = put_photo(&mut writer, 1, vector(4, 1));
    writer.commit().unwrap();
    put_photo(&mut writer, 2, vector(4, 2));
    writer.remove_file(&photo(1)).unwrap();
    drop(writer);
    let mut writer = IndexWriter::open_or_create(dir.path(), &binding(4)).unwrap();
    assert_eq!(writer.image_with_hash(&hash(2)).unwrap(), None);
    assert_eq!(writer.image_with_hash(&hash(1)).unwrap(), Some(first));
    writer.remove_file(&photo(1)).unwrap();
    writer.commit().unwrap();
    let second = put_photo(&mut writer, 1, vector(4, 1));
    assert!(second > first, "a committed id is never reused");
    writer.finish().unwrap();
    assert_healthy(dir.path());
}
