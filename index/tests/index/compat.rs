//! Old formats stay readable: `tests/data` has an index of every format version, which the present
//! program must read, change, and find sound.
//!
//! The index of the current version was written by [`write_the_index_of_this_version`]. A stored
//! index is never changed once its version is released. The command, from the root of the
//! repository:
//!
//! ```sh
//! SIGHTLINE_TEST_WRITE_FORMAT=$PWD/index/tests/data/format_v3 \
//!     cargo test --release -p sightline-index --test index write_the_index_of_this_version
//! ```

use std::path::{Path, PathBuf};

use sightline_index::{
    Binding, Filter, GraphState, IndexReader, IndexWriter, Item, ItemKind, Library, Nearest,
    Problem, Successor, check,
};

use crate::support::{
    assert_healthy, binding, copy_folder, hash, ids, photo, put_photo, vector, with_graphs_from,
};

const DIMENSION: usize = 4;
const N: u64 = 24;
/// The present version of the format.
const VERSION: u64 = 3;

fn stored(version: u64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/format_v{version}"))
}

fn open(dir: &Path) -> IndexWriter {
    IndexWriter::open_or_create_with(dir, &binding(DIMENSION), with_graphs_from(20)).unwrap()
}

/// Writes the index to the folder that `SIGHTLINE_TEST_WRITE_FORMAT` names, replacing its content.
/// The model is changed once, so that the data are in a folder of their own.
#[test]
fn write_the_index_of_this_version() {
    let temporary = tempfile::tempdir().unwrap();
    let named = std::env::var_os("SIGHTLINE_TEST_WRITE_FORMAT").map(PathBuf::from);
    let dir = named.as_deref().unwrap_or(temporary.path());
    if let Some(named) = &named {
        let is_this = named.file_name() == stored(VERSION).file_name();
        assert!(is_this, "the stored index of another version must stay");
    }
    if dir.exists() {
        fs_err::remove_dir_all(dir).unwrap();
    }
    let other = Binding {
        fingerprint: "beef".into(),
        ..binding(DIMENSION)
    };
    let mut writer = IndexWriter::open_or_create(dir, &other).unwrap();
    put_photo(&mut writer, 1, vector(DIMENSION, 77));
    writer.finish().unwrap();
    let successor = Successor::begin(dir, &binding(DIMENSION)).unwrap().unwrap();
    let mut writer = successor.writer(with_graphs_from(20)).unwrap();
    let library = Library {
        folder: "/photos".into(),
        n_files: N,
        last_run_unix_s: 1_700_000_000,
    };
    writer.put_library(library).unwrap();
    for number in 0..=N {
        let id = put_photo(&mut writer, number, vector(DIMENSION, number));
        let caption = (
            format!("caption {number}"),
            vector(DIMENSION, 5_000 + number),
        );
        let source = Path::new("/photos/captions.jsonl");
        writer
            .set_captions(Some(id), source, vec![caption])
            .unwrap();
        if number % 4 == 0 {
            writer.set_tags(id, ["blue".to_owned()]).unwrap();
        }
    }
    writer.finish().unwrap();
    successor.replace().unwrap();
    // A second generation, with a tombstone and a new item for each graph.
    let mut writer = open(dir);
    writer.remove_file(&photo(0)).unwrap();
    let alone = vec![("nobody's caption".to_owned(), vector(DIMENSION, 9_999))];
    writer
        .set_captions(None, Path::new("/photos/list.txt"), alone)
        .unwrap();
    writer.finish().unwrap();
    // Files that a copy of an index need not have.
    fs_err::remove_file(dir.join("lock")).unwrap();
    check_contents(dir, VERSION);
    assert_healthy(dir);
}

fn check_contents(dir: &Path, version: u64) {
    let reader = IndexReader::open(dir, Some(&binding(DIMENSION))).unwrap();
    assert_eq!(reader.generation().0, 2);
    let counts = reader.counts();
    assert_eq!(
        (counts.n_images, counts.n_captions, counts.n_files),
        (N, N + 1, N)
    );
    let ready = |n_fresh| GraphState::Ready {
        n_items: N,
        n_fresh,
    };
    let graphs = (counts.image_graph, counts.caption_graph);
    // Graphs of version 1 are not read.
    if version >= 2 {
        assert_eq!(graphs, (ready(0), ready(1)));
    } else {
        assert_eq!(graphs, (GraphState::Absent, GraphState::Absent));
    }
    assert_eq!(
        reader.libraries().unwrap()[0].last_run_unix_s,
        1_700_000_000
    );
    // Tags came with version 3.
    let tagged = Filter::Tag("blue".to_owned());
    let tagged = reader.select(ItemKind::Image, &tagged).unwrap();
    assert_eq!(tagged.len(), if version >= 3 { 6 } else { 0 });
    let mut n_found = 0;
    for number in 1..=N {
        let id = reader.image_with_hash(&hash(number)).unwrap().unwrap();
        for exact in [true, false] {
            let how = Nearest { exact, ef: 4 };
            let near = reader
                .nearest(ItemKind::Image, &vector(DIMENSION, number), 1, &how)
                .unwrap();
            assert_eq!(ids(&near), [id.0]);
        }
        let Some(Item::Image(image)) = reader.item(id).unwrap() else {
            panic!("{number}")
        };
        assert_eq!(image.paths, [photo(number)]);
        assert_eq!(
            reader.captions_of(id).unwrap()[0].text,
            format!("caption {number}")
        );
        let found = reader
            .matching(ItemKind::Image, &format!("photo{number}"), 1)
            .unwrap();
        assert_eq!(found[0].id, id);
        n_found += 1;
    }
    assert_eq!(n_found, N);
    let near = reader
        .nearest(
            ItemKind::Caption,
            &vector(DIMENSION, 9_999),
            1,
            &Nearest::default(),
        )
        .unwrap();
    let Some(Item::Caption(caption)) = reader.item(near[0].id).unwrap() else {
        panic!("no caption")
    };
    assert_eq!(
        (caption.text.as_str(), caption.image),
        ("nobody's caption", None)
    );
}

#[test]
fn stored_indexes_are_read_and_written() {
    let mut n_versions = 0;
    for version in 1..=VERSION {
        let dir = tempfile::tempdir().unwrap();
        copy_folder(&stored(version), dir.path());
        let format = || {
            let manifest = fs_err::read(dir.path().join("manifest.json")).unwrap();
            let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
            manifest["format"].as_u64().unwrap()
        };
        check_contents(dir.path(), version);
        // Graphs and words of version 1 have old formats, which the next writer rebuilds; readers
        // do without them.
        let problems = check(dir.path()).unwrap();
        assert!(
            problems
                .iter()
                .all(|problem| matches!(problem, Problem::Words { .. } | Problem::Graph { .. })),
            "{problems:?}"
        );
        assert_eq!(problems.is_empty(), version >= 2, "{problems:?}");
        assert_eq!(format(), version, "reading changes nothing");
        let graph = if version < 3 {
            "image.graph"
        } else {
            "image-1.graph"
        };
        let graph = dir.path().join("data-2/graphs").join(graph);
        let stored = fs_err::read(&graph).ok();
        // Computed from the items of an older format, then recorded by the writer.
        let filtered = || {
            let reader = IndexReader::open(dir.path(), None).unwrap();
            let filters = [
                Filter::Folder("/photos/album3".into()),
                Filter::Extension("jpg".into()),
            ];
            filters.map(|filter| reader.select(ItemKind::Image, &filter).unwrap())
        };
        let before = filtered();
        let n_before = before.each_ref().map(|ids| ids.len());
        assert_eq!(n_before, [4, 24], "{version}");
        let mut writer = open(dir.path());
        let n_without = writer.images_without_details().unwrap().len();
        assert_eq!(n_without as u64, N);
        put_photo(&mut writer, 1_000, vector(DIMENSION, 1_000));
        writer.remove_file(&photo(1_000)).unwrap();
        writer.finish().unwrap();
        let reader = IndexReader::open(dir.path(), None).unwrap();
        assert_eq!((reader.generation().0, reader.counts().n_images), (3, N));
        assert_healthy(dir.path());
        assert_eq!(stored.is_some(), version >= 2);
        assert_eq!(fs_err::read(&graph).ok(), stored, "a graph stays as it is");
        assert_eq!(format(), VERSION);
        assert_eq!(filtered(), before, "{version}");
        n_versions += 1;
    }
    assert_eq!(n_versions, VERSION);
}
