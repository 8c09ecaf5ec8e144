//! Hub biases: what items owe to being near everything.

use std::path::Path;

use sightline_index::{IndexReader, IndexWriter, ItemId, ItemKind, UnitVector};

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
