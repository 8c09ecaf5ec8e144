//! Hub biases: what items owe to being near everything.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sightline_index::{
    BuildStep, IndexReader, IndexWriter, ItemId, ItemKind, Problem, UnitVector, WriterOptions,
    check, repair,
};

use crate::support::{binding, put_photo, unit, vector, with_graphs_from};

const DIMENSION: usize = 24;
const N_PHOTOS: u64 = 400;

/// The mean of many vectors with one more random vector in small part: near all of them.
fn near_everything(vectors: &[UnitVector]) -> UnitVector {
    let mut sum = vec![0.0; DIMENSION];
    for vector in vectors {
        for (sum, value) in sum.iter_mut().zip(vector.as_slice()) {
            *sum += value;
        }
    }
    unit(sum)
}

/// Vectors around one direction, as embeddings of pictures are.
fn photos() -> Vec<UnitVector> {
    let around = |number| {
        let mut values = vector(DIMENSION, number).as_slice().to_vec();
        values[0] += 0.7;
        unit(values)
    };
    (0..N_PHOTOS).map(around).collect()
}

/// Photos, then a hub, then a burst of eight that are nearly equal.
fn index(dir: &Path, min_graph_items: usize) -> (Vec<ItemId>, ItemId, Vec<ItemId>) {
    let options = with_graphs_from(min_graph_items);
    let mut writer = IndexWriter::open_or_create_with(dir, &binding(DIMENSION), options).unwrap();
    let photos = photos();
    let hub = near_everything(&photos);
    let mut ids = Vec::new();
    for (vector, number) in photos.iter().zip(0..) {
        ids.push(put_photo(&mut writer, number, vector.clone()));
    }
    let hub = put_photo(&mut writer, N_PHOTOS, hub);
    let mut burst = Vec::new();
    for number in N_PHOTOS + 1..N_PHOTOS + 9 {
        let mut values = photos[7].as_slice().to_vec();
        values[1] += 0.01 * (number - N_PHOTOS) as f32;
        burst.push(put_photo(&mut writer, number, unit(values)));
    }
    writer.finish().unwrap();
    (ids, hub, burst)
}

#[test]
fn a_hub_has_the_highest_bias_and_a_burst_none() {
    let dir = tempfile::tempdir().unwrap();
    let (ids, hub, burst) = index(dir.path(), 10_000);
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let biases = |ids: &[ItemId]| reader.hub_biases(ItemKind::Image, ids, 1).unwrap();
    let of_photos = biases(&ids);
    let of_hub = biases(&[hub])[0];
    assert_eq!(of_photos.len(), 400);
    assert!(of_photos.iter().all(|&bias| bias < of_hub), "{of_hub}");
    assert!(of_hub > 0.1, "{of_hub}");
    // The average photo has none.
    let mean = of_photos.iter().sum::<f32>() / 400.0;
    assert!(mean.abs() < 0.05, "{mean}");
    for bias in biases(&burst) {
        assert!(
            (bias - of_photos[7]).abs() < 0.1,
            "{bias}, {}",
            of_photos[7]
        );
    }
}

#[test]
fn biases_do_not_depend_on_graphs() {
    let (with, without) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (ids, ..) = index(with.path(), 50);
    index(without.path(), 10_000);
    let biases = |dir: &Path| {
        let reader = IndexReader::open(dir, None).unwrap();
        reader.hub_biases(ItemKind::Image, &ids, 1).unwrap()
    };
    assert_eq!(biases(with.path()), biases(without.path()));
}

#[test]
fn few_pictures_and_missing_items_have_no_bias() {
    let dir = tempfile::tempdir().unwrap();
    let (ids, ..) = index(dir.path(), 10_000);
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let none = reader
        .hub_biases(ItemKind::Image, &ids[..3], 1_000)
        .unwrap();
    assert_eq!(none, [0.0; 3]);
    let missing = reader
        .hub_biases(ItemKind::Image, &[ItemId(9_999)], 1)
        .unwrap();
    assert_eq!(missing, [0.0]);
}

#[test]
fn a_caption_near_many_pictures_is_a_hub() {
    let dir = tempfile::tempdir().unwrap();
    let (ids, ..) = index(dir.path(), 10_000);
    let mut writer = IndexWriter::open_or_create(dir.path(), &binding(DIMENSION)).unwrap();
    let source = Path::new("/photos/captions.jsonl");
    let photos = photos();
    for (id, vector) in ids.iter().zip(&photos) {
        let caption = (format!("photo {}", id.0), vector.clone());
        writer
            .set_captions(Some(*id), source, vec![caption])
            .unwrap();
    }
    let general = ("a photo".to_owned(), near_everything(&photos));
    writer.set_captions(None, source, vec![general]).unwrap();
    writer.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let captions: Vec<ItemId> = ids
        .iter()
        .map(|&id| reader.captions_of(id).unwrap()[0].id)
        .collect();
    let general = reader.captions_alone().unwrap()[0].id;
    let biases = |ids: &[ItemId]| reader.hub_biases(ItemKind::Caption, ids, 1).unwrap();
    let of_general = biases(&[general])[0];
    let of_captions = biases(&captions);
    // Each has its own photo among the four, and three that are like others'.
    let n_below = of_captions
        .iter()
        .filter(|&&bias| bias < of_general)
        .count();
    assert!(n_below > 390, "{n_below} of 400 below {of_general}");
}

fn hubs(dir: &Path) -> PathBuf {
    dir.join("graphs/image.hubs")
}

/// The biases of these photos, less that of the first: the average of all does not matter then.
fn relative(dir: &Path, ids: &[ItemId]) -> Vec<f32> {
    let reader = IndexReader::open(dir, None).unwrap();
    let biases = reader.hub_biases(ItemKind::Image, ids, 1).unwrap();
    biases.iter().map(|bias| bias - biases[0]).collect()
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
}

/// Adds photos with these numbers.
fn add(dir: &Path, numbers: std::ops::Range<u64>) -> Vec<ItemId> {
    let mut writer = IndexWriter::open_or_create(dir, &binding(DIMENSION)).unwrap();
    let put = |number| put_photo(&mut writer, number, vector(DIMENSION, number));
    let ids = numbers.map(put).collect();
    writer.finish().unwrap();
    ids
}

#[test]
fn stored_biases_are_those_that_a_reader_computes() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (ids, ..) = index(dir, 50);
    let file = hubs(dir);
    let stored = relative(dir, &ids);
    let bytes = fs_err::read(&file).unwrap();
    // All photos are references of either, so the values are the same.
    fs_err::remove_file(&file).unwrap();
    assert_close(&relative(dir, &ids), &stored);
    assert_eq!(check(dir).unwrap(), []);
    // The next writer makes the same file again.
    drop(add(dir, 0..0));
    assert_eq!(fs_err::read(&file).unwrap(), bytes);
    assert_eq!(relative(dir, &ids), stored);
}

#[test]
fn references_stay_until_the_index_has_doubled() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (ids, ..) = index(dir, 50);
    let file = hubs(dir);
    let (before, size) = (relative(dir, &ids), fs_err::metadata(&file).unwrap().len());
    // One photo more can wait; it is computed by the reader, with the same references.
    add(dir, 1_000..1_001);
    assert_eq!(fs_err::metadata(&file).unwrap().len(), size);
    let newer = add(dir, 1_001..1_050);
    assert_eq!(fs_err::metadata(&file).unwrap().len(), size + 50 * 8);
    assert_close(&relative(dir, &ids), &before);
    let of_newer = relative(dir, &newer);
    assert!(of_newer.iter().any(|bias| bias.abs() > 0.01));
    assert_eq!(check(dir).unwrap(), []);
    add(dir, 2_000..2_400);
    let after = relative(dir, &ids);
    let n_moved = after
        .iter()
        .zip(&before)
        .filter(|(a, b)| (*a - *b).abs() > 1e-4);
    assert!(n_moved.count() > 100);
    assert_eq!(check(dir).unwrap(), []);
    // Few photos have none.
    let mut writer = IndexWriter::open_or_create(dir, &binding(DIMENSION)).unwrap();
    for (path, file) in IndexReader::open(dir, None).unwrap().files().unwrap() {
        if file.image.0 > 200 {
            writer.remove_file(&path).unwrap();
        }
    }
    writer.finish().unwrap();
    assert!(!file.exists());
    assert_eq!(check(dir).unwrap(), []);
}

#[test]
fn damaged_biases_are_reported_computed_and_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (ids, ..) = index(dir, 50);
    let file = hubs(dir);
    let right = fs_err::read(&file).unwrap();
    let before = relative(dir, &ids);
    // One value is another, and its checksum right.
    let mut moved = right.clone();
    let at = right.len() - 4 - 400;
    moved[at..at + 4].copy_from_slice(&0.77f32.to_le_bytes());
    let sum = crc32fast::hash(&moved[..right.len() - 4]);
    moved[right.len() - 4..].copy_from_slice(&sum.to_le_bytes());
    let mut flipped = right.clone();
    flipped[300] ^= 1;
    let rows: [(Vec<u8>, bool); 5] = [
        (Vec::new(), true),
        (right[..100].to_vec(), true),
        (right[..right.len() - 1].to_vec(), true),
        (flipped, true),
        (moved, false),
    ];
    for (bytes, is_noticed) in rows {
        fs_err::write(&file, &bytes).unwrap();
        if is_noticed {
            assert_close(&relative(dir, &ids), &before);
        }
        let found = check(dir).unwrap();
        assert!(matches!(found[..], [Problem::Hubs { .. }]), "{found:?}");
        let options = WriterOptions::default();
        let repaired = repair(dir, options, &mut |_| {}).unwrap();
        assert_eq!(repaired.found.len(), 1);
        assert_eq!(fs_err::read(&file).unwrap(), right);
        assert_eq!(check(dir).unwrap(), []);
    }
}

/// Nothing but the time of a query depends on the file.
#[test]
fn a_file_that_cannot_be_used_never_stops_a_search() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (dir, other) = (dir.path(), other.path());
    let (ids, ..) = index(dir, 50);
    index(other, 50);
    let file = hubs(dir);
    let right = fs_err::read(&file).unwrap();
    let before = relative(dir, &ids);
    let spoil: [(&str, &dyn Fn()); 3] = [
        ("of another index", &|| {
            fs_err::copy(hubs(other), &file).unwrap();
        }),
        ("a folder", &|| {
            fs_err::remove_file(&file).unwrap();
            fs_err::create_dir(&file).unwrap();
        }),
        ("of another format", &|| {
            let mut bytes = right.clone();
            bytes[8] = 2;
            let n = bytes.len() - 4;
            let sum = crc32fast::hash(&bytes[..n]);
            bytes[n..].copy_from_slice(&sum.to_le_bytes());
            fs_err::write(&file, bytes).unwrap();
        }),
    ];
    for (what, spoil) in spoil {
        spoil();
        assert_close(&relative(dir, &ids), &before);
        let found = check(dir).unwrap();
        assert!(
            matches!(found[..], [Problem::Hubs { .. }]),
            "{what}: {found:?}"
        );
        repair(dir, WriterOptions::default(), &mut |_| {}).unwrap();
        assert_eq!(fs_err::read(&file).unwrap(), right, "{what}");
    }
}

#[test]
fn a_stale_file_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (ids, ..) = index(dir, 50);
    let file = hubs(dir);
    let stale = fs_err::read(&file).unwrap();
    let before = relative(dir, &ids);
    add(dir, 1_000..1_500);
    let after = relative(dir, &ids);
    fs_err::write(&file, &stale).unwrap();
    assert_close(&relative(dir, &ids), &after);
    assert_eq!(check(dir).unwrap(), []);
    let n_moved = after.iter().zip(&before).filter(|(a, b)| a != b).count();
    assert!(n_moved > 100, "{n_moved}");
    // A writer chooses references again.
    drop(add(dir, 0..0));
    assert_eq!(relative(dir, &ids), after);
    assert_ne!(fs_err::read(&file).unwrap(), stale);
}

#[test]
fn a_view_keeps_the_biases_that_it_has_read() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (ids, ..) = index(dir, 50);
    let kept = IndexReader::open(dir, None).unwrap();
    let biases = |reader: &IndexReader| reader.hub_biases(ItemKind::Image, &ids, 1).unwrap();
    let before = biases(&kept);
    let late = IndexReader::open(dir, None).unwrap();
    let mut writer = IndexWriter::open_or_create(dir, &binding(DIMENSION)).unwrap();
    for (path, file) in kept.files().unwrap() {
        if file.image <= ids[100] {
            writer.remove_file(&path).unwrap();
        }
    }
    // Exactly twice as many, so references are chosen again, and may stand for either view.
    for number in 1_000..1_510 {
        put_photo(&mut writer, number, vector(DIMENSION, number));
    }
    writer.finish().unwrap();
    assert_eq!(biases(&kept), before);
    // Finds the newer file, which lacks photos that this view still has.
    let found = biases(&late);
    assert!(found.iter().all(|bias| bias.is_finite()));
    assert!(found[..101].iter().any(|bias| bias.abs() > 0.01));
    let newest = IndexReader::open(dir, None).unwrap();
    assert_close(&biases(&newest)[101..], &found[101..]);
    fs_err::remove_dir_all(dir.join("graphs")).unwrap();
    assert_eq!(biases(&kept), before);
    assert_eq!(biases(&late), found);
}

#[test]
fn a_leftover_of_a_killed_writer_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    index(dir, 50);
    let file = hubs(dir);
    let right = fs_err::read(&file).unwrap();
    let leftover = dir.join("graphs/image.hubs.tmp");
    fs_err::write(&leftover, &right[..500]).unwrap();
    assert_eq!(check(dir).unwrap(), []);
    drop(IndexWriter::open_or_create(dir, &binding(DIMENSION)).unwrap());
    assert!(!leftover.exists());
    assert_eq!(fs_err::read(&file).unwrap(), right);
}

#[test]
fn computing_many_biases_can_be_stopped() {
    const N: u64 = 5_000;
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let open = || IndexWriter::open_or_create(dir, &binding(DIMENSION)).unwrap();
    let mut writer = open();
    for number in 0..N {
        put_photo(&mut writer, number, vector(DIMENSION, number));
    }
    // Too few for a graph.
    let mut reported = Vec::new();
    let finished = writer.finish_with(&mut |done| {
        reported.push((done.step, done.n_done, done.n_total));
        ControlFlow::Break(())
    });
    assert_eq!(reported, [(BuildStep::HubBiases, 4_096, 5_000)]);
    assert!(finished.unwrap().postponed.is_empty());
    assert!(!hubs(dir).exists());
    let ids: Vec<ItemId> = IndexReader::open(dir, None)
        .unwrap()
        .files()
        .unwrap()
        .iter()
        .map(|(_, file)| file.image)
        .collect();
    assert_eq!(ids.len(), 5_000);
    let computed = relative(dir, &ids);
    open().finish().unwrap();
    assert!(hubs(dir).exists());
    assert_close(&relative(dir, &ids), &computed);
    assert_eq!(check(dir).unwrap(), []);
}
