//! Repairs after every file of an index was deleted, truncated and changed: undamaged items are
//! kept, lost ones reported.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sightline_index::{
    Filter, IndexError, IndexReader, IndexWriter, Item, ItemId, ItemKind, Nearest, Problem, Repair,
    UnitVector, check, damaged_data,
};

use crate::support::{
    assert_healthy, binding, copy_folder, file, hash, photo, put_photo, vector, with_graphs_from,
};

const DIMENSION: usize = 96;
/// Number of photos in the two finished generations, and in the two that are only in the log.
const PARTS: [std::ops::Range<u64>; 4] = [0..70, 70..130, 130..150, 150..170];
const N_PHOTOS: u64 = 170;
const N_TAGS: u64 = 5;
/// Upper bound on the number of items in a block of 4 KiB.
const N_IN_A_BLOCK: usize = 60;

fn caption_source(number: u64) -> PathBuf {
    PathBuf::from(format!("/photos/captions{}.jsonl", number % 3))
}

fn caption_vector(number: u64) -> UnitVector {
    vector(DIMENSION, 5000 + number)
}

fn put(writer: &mut IndexWriter, number: u64) {
    let id = put_photo(writer, number, vector(DIMENSION, number));
    let caption = (format!("caption {number}"), caption_vector(number));
    writer
        .set_captions(Some(id), &caption_source(number), vec![caption])
        .unwrap();
    writer.set_tags(id, [tag(number)]).unwrap();
}

fn tag(number: u64) -> String {
    format!("tag {}", number % N_TAGS)
}

fn open(dir: &Path) -> IndexWriter {
    IndexWriter::open_or_create_with(dir, &binding(DIMENSION), with_graphs_from(50)).unwrap()
}

/// Number of runs after which their logs are moved to tables.
const N_RUNS: u64 = 17;

/// An index partly in two tables per column and partly in the log, with graphs that lack the newest
/// items.
fn make(dir: &Path) {
    let mut writer = open(dir);
    PARTS[0].clone().for_each(|number| put(&mut writer, number));
    writer
        .compact(&mut |_| std::ops::ControlFlow::Continue(()))
        .unwrap();
    drop(writer);
    let (start, n) = (PARTS[1].start, PARTS[1].end - PARTS[1].start);
    for run in 0..N_RUNS {
        let mut writer = open(dir);
        let run = start + run * n / N_RUNS..start + (run + 1) * n / N_RUNS;
        run.for_each(|number| put(&mut writer, number));
        writer.finish().unwrap();
    }
    let mut writer = open(dir);
    for part in &PARTS[2..] {
        part.clone().for_each(|number| put(&mut writer, number));
        writer.commit().unwrap();
    }
}

fn repair(dir: &Path) -> Result<Repair, IndexError> {
    sightline_index::repair(dir, with_graphs_from(50), &mut |_| {})
}

/// What a reader finds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    photos: BTreeSet<u64>,
    captions: BTreeSet<u64>,
}

fn everything() -> Found {
    Found {
        photos: (0..N_PHOTOS).collect(),
        captions: (0..N_PHOTOS).collect(),
    }
}

/// Searches every photo by every means, and asserts that those found are complete.
fn find_all(dir: &Path, name: &str) -> Found {
    let reader = IndexReader::open(dir, Some(&binding(DIMENSION))).unwrap();
    let mut found = Found::default();
    let mut by_tag: BTreeMap<u64, BTreeSet<ItemId>> = BTreeMap::new();
    for number in 0..N_PHOTOS {
        let Some(record) = reader.file(&photo(number)).unwrap() else {
            assert_eq!(
                reader.image_with_hash(&hash(number)).unwrap(),
                None,
                "{name}: photo {number} has lost its file"
            );
            continue;
        };
        found.photos.insert(number);
        let image = record.image;
        by_tag.entry(number % N_TAGS).or_default().insert(image);
        assert_eq!(reader.image_with_hash(&hash(number)).unwrap(), Some(image));
        let vector = vector(DIMENSION, number);
        assert_eq!(reader.vector(image).unwrap().as_ref(), Some(&vector));
        let how = Nearest {
            exact: number % 2 == 0,
            ef: 20,
        };
        let near = reader.nearest(ItemKind::Image, &vector, 1, &how).unwrap();
        assert_eq!(near[0].id, image, "{name}: photo {number} by its vector");
        let word = format!("photo{number}");
        let words = reader.matching(ItemKind::Image, &word, 1000).unwrap();
        assert!(
            words.iter().any(|found| found.id == image),
            "{name}: photo {number} by its name"
        );
        let captions = reader.captions_of(image).unwrap();
        if let [caption] = captions.as_slice() {
            assert_eq!(caption.text, format!("caption {number}"));
            let near = reader
                .nearest(
                    ItemKind::Caption,
                    &caption_vector(number),
                    1,
                    &Nearest::default(),
                )
                .unwrap();
            assert_eq!(near[0].id, caption.id, "{name}: caption {number}");
            found.captions.insert(number);
        } else {
            assert!(captions.is_empty(), "{name}: {captions:?}");
        }
    }
    for number in 0..N_TAGS {
        let filter = Filter::Tag(tag(number));
        let selected = reader.select(ItemKind::Image, &filter).unwrap();
        let selected: BTreeSet<ItemId> = selected.iter().collect();
        let images = by_tag.remove(&number).unwrap_or_default();
        assert_eq!(selected, images, "{name}: {}", tag(number));
    }
    let counts = reader.counts();
    assert_eq!(counts.n_images, found.photos.len() as u64, "{name}");
    assert_eq!(counts.n_files, found.photos.len() as u64, "{name}");
    assert_eq!(counts.n_captions, found.captions.len() as u64, "{name}");
    found
}

/// Damages and repairs a copy, and checks that every loss is reported. Lost items are then
/// restored, as by indexing again.
fn check_repair(original: &Path, name: &str, damage: &dyn Fn(&Path)) -> (Vec<Problem>, Found) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    copy_folder(original, dir);
    damage(dir);
    let problems = check(dir).unwrap();
    let repaired = repair(dir).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    assert_eq!(repaired.found, problems, "{name}");
    assert_eq!(repaired.left, [], "{name}");
    assert_healthy(dir);
    let found = find_all(dir, name);
    let all = everything();
    let n_images = (all.photos.len() - found.photos.len()) as u64;
    let n_captions = (all.captions.len() - found.captions.len()) as u64;
    if repaired.n_lost_commits == 0 {
        assert_eq!(repaired.n_lost_images, n_images, "{name}: {repaired:?}");
        assert_eq!(repaired.n_lost_captions, n_captions, "{name}: {repaired:?}");
    } else {
        // Their content is unknown, so only an upper bound is known.
        assert!(repaired.n_lost_images <= n_images, "{name}: {repaired:?}");
        assert!(
            repaired.n_lost_captions <= n_captions,
            "{name}: {repaired:?}"
        );
    }
    for path in &repaired.lost_files {
        assert!(
            (0..N_PHOTOS).any(|number| photo(number) == *path && !found.photos.contains(&number)),
            "{name}: {} is not lost",
            path.display()
        );
    }
    if problems.is_empty() {
        assert_eq!(found, all, "{name}: lost, but not reported");
    }
    // Damaged data are kept whether anything is known to be lost or not.
    let is_derived = |problem: &Problem| {
        matches!(
            problem,
            Problem::Manifest { .. } | Problem::Graph { .. } | Problem::Words { .. }
        )
    };
    let is_replaced = !problems.iter().all(is_derived);
    let kept = is_replaced.then(|| dir.join("damaged-1"));
    assert_eq!(repaired.kept, kept, "{name}");
    assert!(is_replaced || !repaired.has_losses(), "{name}");
    let damaged = damaged_data(dir).unwrap();
    assert_eq!(damaged.first().map(|data| &data.folder), kept.as_ref());
    assert!(damaged.iter().all(|data| data.n_bytes > 0), "{name}");
    if !name.ends_with("deleted") {
        return (problems, found);
    }
    let again = repair(dir).unwrap();
    assert_eq!((again.found, again.left), (vec![], vec![]), "{name}: again");
    let mut writer = open(dir);
    (0..N_PHOTOS).for_each(|number| put(&mut writer, number));
    writer.finish().unwrap();
    assert_eq!(find_all(dir, name), all, "{name}: indexed again");
    assert_healthy(dir);
    (problems, found)
}

fn files_in(folder: &Path, is_meant: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs_err::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| is_meant(&path.file_name().unwrap().to_string_lossy()))
        .collect();
    files.sort();
    files
}

fn has_ending(name: &str, ending: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension == ending)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs_err::read(path).unwrap();
    let at = at.min(bytes.len() - 1);
    bytes[at] ^= 0x55;
    fs_err::write(path, bytes).unwrap();
}

fn truncate(path: &Path) {
    let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length / 2).unwrap();
}

/// A way to damage a file of a given size.
type Damage = fn(&Path, usize);

const DAMAGES: [(&str, Damage); 4] = [
    ("deleted", |path, _| fs_err::remove_file(path).unwrap()),
    ("truncated", |path, _| truncate(path)),
    ("a bit near its start", |path, length| {
        flip(path, length / 9);
    }),
    ("a bit near its end", |path, length| flip(path, length - 30)),
];

#[test]
fn a_damaged_table_loses_only_its_own_items() {
    let original = tempfile::tempdir().unwrap();
    make(original.path());
    assert_healthy(original.path());
    assert_eq!(find_all(original.path(), "undamaged"), everything());
    let tables = files_in(&original.path().join("records"), |name| {
        has_ending(name, "sst")
    });
    let (mut n_damaged, mut n_lossless) = (0, 0);
    for table in &tables {
        let below = table.strip_prefix(original.path()).unwrap();
        let length = usize::try_from(fs_err::metadata(table).unwrap().len()).unwrap();
        for (how, inflict) in DAMAGES {
            let name = format!("{}: {how}", below.display());
            let (problems, found) = check_repair(original.path(), &name, &|dir| {
                inflict(&dir.join(below), length);
            });
            assert!(
                matches!(problems[..], [Problem::Records { .. }, ..]),
                "{name}: {problems:?}"
            );
            // One bad block must not lose the whole table.
            if how == "a bit near its start" {
                let n_lost = 170 - found.photos.len() + 170 - found.captions.len();
                assert!(n_lost <= 2 * N_IN_A_BLOCK, "{name}: {n_lost} lost");
            }
            n_damaged += 1;
            n_lossless += usize::from(found == everything());
        }
    }
    // Six columns, flushed twice.
    assert_eq!(n_damaged, 12 * DAMAGES.len());
    // Hashes and lists of captions are rebuilt from the other columns.
    assert!(n_lossless >= 16, "{n_lossless} of {n_damaged}");
}

#[test]
fn a_lost_list_of_tables_is_rebuilt_from_the_tables() {
    let original = tempfile::tempdir().unwrap();
    make(original.path());
    let lists = files_in(&original.path().join("records"), |name| {
        name == "CURRENT" || name.starts_with("MANIFEST-")
    });
    assert_eq!(lists.len(), 2, "{lists:?}");
    let mut n_damaged = 0;
    for list in &lists {
        let below = list.strip_prefix(original.path()).unwrap();
        let length = usize::try_from(fs_err::metadata(list).unwrap().len()).unwrap();
        let cuts = (0..length).step_by((length / 8).max(5));
        let check_damaged = |how: String, inflict: &dyn Fn(&Path)| {
            let name = format!("{}: {how}", below.display());
            let (_, found) = check_repair(original.path(), &name, &|dir| inflict(&dir.join(below)));
            assert_eq!(found, everything(), "{name}");
        };
        check_damaged("deleted".to_owned(), &|path| {
            fs_err::remove_file(path).unwrap();
        });
        n_damaged += 1;
        for at in cuts {
            check_damaged(format!("truncated to {at}"), &|path| {
                let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
                file.set_len(at as u64).unwrap();
            });
            check_damaged(format!("a bit at {at}"), &|path| flip(path, at));
            n_damaged += 2;
        }
    }
    assert!(n_damaged > 12, "{n_damaged}");
}

#[test]
fn a_log_damaged_in_the_middle_loses_one_commit() {
    let original = tempfile::tempdir().unwrap();
    make(original.path());
    let logs = files_in(&original.path().join("records"), |name| {
        has_ending(name, "log")
    });
    let [log] = logs.as_slice() else {
        panic!("{logs:?}")
    };
    let below = log.strip_prefix(original.path()).unwrap();
    let length = usize::try_from(fs_err::metadata(log).unwrap().len()).unwrap();
    let mut n_damaged = 0;
    for at in (0..length).step_by(length / 6) {
        let name = format!("a bit of the log at {at}");
        let (problems, found) =
            check_repair(original.path(), &name, &|dir| flip(&dir.join(below), at));
        assert!(!problems.is_empty(), "{name}");
        assert!(found.photos.len() >= 130, "{name}: {}", found.photos.len());
        n_damaged += 1;
    }
    assert!(n_damaged >= 6);
    let (problems, found) = check_repair(original.path(), "truncated log", &|dir| {
        truncate(&dir.join(below));
    });
    assert!(!problems.is_empty());
    assert!(found.photos.len() >= 130);
}

#[test]
fn damaged_derived_parts_lose_nothing() {
    let original = tempfile::tempdir().unwrap();
    make(original.path());
    let words = files_in(&original.path().join("words"), |name| {
        // Not locks and a list of files to delete.
        !name.starts_with('.') && !has_ending(name, "lock")
    });
    let mut files = words;
    files.extend(files_in(&original.path().join("graphs"), |_| true));
    files.push(original.path().join("manifest.json"));
    assert!(files.len() >= 10, "{files:?}");
    let (mut n_damaged, mut n_detected) = (0, 0);
    for path in &files {
        let below = path.strip_prefix(original.path()).unwrap();
        let length = usize::try_from(fs_err::metadata(path).unwrap().len()).unwrap();
        if length < 30 {
            continue;
        }
        for (how, inflict) in &DAMAGES[..3] {
            let name = format!("{}: {how}", below.display());
            let (problems, found) = check_repair(original.path(), &name, &|dir| {
                inflict(&dir.join(below), length);
            });
            assert_eq!(found, everything(), "{name}");
            n_damaged += 1;
            n_detected += usize::from(!problems.is_empty());
        }
    }
    assert!(n_damaged >= 30, "{n_damaged}");
    // A missing graph is no damage, and the model's name in the manifest is not checked.
    assert!(n_detected + 8 >= n_damaged, "{n_detected} of {n_damaged}");
}

#[test]
fn an_index_without_manifest_and_copy_cannot_be_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    assert!(matches!(repair(dir), Err(IndexError::NoIndex { .. })));
    assert_eq!(
        fs_err::read_dir(dir).unwrap().count(),
        0,
        "nothing is created"
    );
    make(dir);
    let writer = open(dir);
    assert!(matches!(repair(dir), Err(IndexError::Locked { .. })));
    drop(writer);
    let repaired = repair(dir).unwrap();
    assert!(repaired.found.is_empty() && repaired.left.is_empty() && !repaired.has_losses());
    assert_eq!(find_all(dir, "sound"), everything());
}

#[test]
fn a_file_without_size_and_time_is_kept_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    make(dir);
    open(dir)
        .compact(&mut |_| std::ops::ControlFlow::Continue(()))
        .unwrap();
    let tables = files_in(&dir.join("records"), |name| has_ending(name, "sst"));
    // Damage the first block of each table; that of the paths has the records with size and time.
    let mut n_to_read = 0;
    for table in tables {
        let below = table.strip_prefix(dir).unwrap();
        let copy = tempfile::tempdir().unwrap();
        copy_folder(dir, copy.path());
        flip(&copy.path().join(below), 40);
        let repaired = repair(copy.path()).unwrap();
        n_to_read += repaired.n_files_to_read;
        let reader = IndexReader::open(copy.path(), None).unwrap();
        let mut unknown = reader.files().unwrap();
        unknown.retain(|(_, known)| known.n_bytes == u64::MAX);
        assert_eq!(unknown.len() as u64, repaired.n_files_to_read);
        let before = find_all(copy.path(), "before it is read");
        let mut writer = open(copy.path());
        for (path, known) in &unknown {
            let Some(Item::Image(image)) = reader.item(known.image).unwrap() else {
                panic!("{} has no image", path.display())
            };
            assert_eq!(image.paths, std::slice::from_ref(path));
            writer.put_file(path, file(known.image)).unwrap();
        }
        writer.finish().unwrap();
        assert_eq!(find_all(copy.path(), "read again"), before);
        assert_healthy(copy.path());
    }
    assert!(n_to_read > 10, "{n_to_read}");
}
