//! Views that take over what older ones have read, and searches without a usable graph.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::vectors::{KindState, Vectors};
use crate::disk::layout::Layout;
use crate::disk::manifest::Manifest;
use crate::ids::IdSet;
use crate::item::{FileRecord, Generation, ItemId, ItemKind};
use crate::reader::IndexReader;
use crate::reader::nearest::Nearest;
use crate::records::read::Records;
use crate::records::store::Store;
use crate::{Binding, IndexWriter, UnitVector, WriterOptions};

const DIMENSION: usize = 8;
const EXACT: Nearest = Nearest { exact: true, ef: 0 };

fn vector(seed: u64) -> UnitVector {
    let mut rng = StdRng::seed_from_u64(seed);
    let values: Vec<f32> = (0..DIMENSION).map(|_| rng.random::<f32>() - 0.5).collect();
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    UnitVector::new(values.iter().map(|value| value / length).collect()).unwrap()
}

fn open(dir: &Path) -> IndexWriter {
    let binding = Binding {
        dimension: DIMENSION,
        fingerprint: "f00d".into(),
        model: "toy".into(),
    };
    let options = WriterOptions {
        min_graph_items: 40,
        ..WriterOptions::default()
    };
    IndexWriter::open_or_create_with(dir, &binding, options).unwrap()
}

fn photo(number: u64) -> PathBuf {
    format!("/p/{number}.jpg").into()
}

fn put(writer: &mut IndexWriter, number: u64, vector: UnitVector) {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    let image = writer.put_image(hash, 1, 1, vector).unwrap();
    let file = FileRecord {
        n_bytes: 1,
        modified_ns: 1,
        image,
        change: None,
    };
    writer.put_file(&photo(number), file).unwrap();
}

/// The state of the images of the newest generation.
fn newest(dir: &Path, older: Option<&KindState>) -> (Store, KindState) {
    let layout = Layout::new(dir);
    let manifest = Manifest::read(&layout).unwrap().unwrap();
    // The writer may be rewriting tables.
    let mut attempts = (0..1_000).map(|_| Store::open_read_only(&layout.records()));
    let store = attempts.find_map(Result::ok).unwrap();
    let held = older.map_or(&[][..], |older| older.segments.as_slice());
    let (state, settled) =
        KindState::open(&layout, &manifest, &store, ItemKind::Image, held).unwrap();
    assert!(settled);
    (store, state)
}

/// Everything that a search depends on.
#[derive(Debug, PartialEq)]
struct Content {
    segments: Vec<u64>,
    /// Ids in segments that exist.
    alive: Vec<u32>,
    uncovered: Vec<RangeInclusive<ItemId>>,
    /// Ids and codes of fresh items, by id.
    fresh: Option<Vec<(u32, Vec<u8>)>>,
}

fn content(vectors: &Vectors) -> Content {
    let ids = vectors
        .segments
        .iter()
        .flat_map(|segment| segment.graph.rows());
    let mut alive: Vec<u32> = ids.map(|row| row.0).collect();
    alive.retain(|&id| !vectors.removed.contains(ItemId(id)));
    alive.sort_unstable();
    let fresh = vectors.fresh.as_ref().map(|fresh| {
        let points = fresh.points();
        let numbers = (0u32..).take(points.n_points());
        let mut rows: Vec<(u32, Vec<u8>)> = numbers
            .flat_map(|point| {
                let row = points.row(point).unwrap().to_vec();
                points
                    .ids_of(point)
                    .iter()
                    .map(move |&id| (id, row.clone()))
            })
            .collect();
        rows.sort_unstable();
        rows
    });
    Content {
        segments: vectors
            .segments
            .iter()
            .map(|segment| segment.entry.number)
            .collect(),
        alive,
        uncovered: vectors.uncovered.clone(),
        fresh,
    }
}

/// Commits random changes, and compares what a newer view takes over with what it would read.
#[test]
fn a_newer_view_takes_over_what_did_not_change() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut rng = StdRng::seed_from_u64(4);
    let mut writer = open(dir);
    writer.commit().unwrap();
    let (mut store, mut state) = newest(dir, None);
    state.vectors(&store).unwrap();
    let mut exists: Vec<u64> = Vec::new();
    let (mut number, mut n_shared, mut n_kept) = (0, 0, 0);
    for round in 0..60 {
        for _ in 0..rng.random_range(0..20) {
            // Some vectors are those of several photos.
            put(&mut writer, number, vector(number % 150));
            exists.push(number);
            number += 1;
        }
        for _ in 0..rng.random_range(0..6) {
            if !exists.is_empty() {
                let at = rng.random_range(0..exists.len());
                writer.remove_file(&photo(exists.swap_remove(at))).unwrap();
            }
        }
        writer.commit().unwrap();
        if round % 7 == 3 {
            writer.finish().unwrap();
            writer = open(dir);
        }
        let before: Generation = store.generation().unwrap();
        let (new_store, new_state) = newest(dir, Some(&state));
        let lists = new_store.changes_after(before).unwrap();
        let changed = lists.into_iter().flat_map(|(_, items)| items);
        let changed: IdSet = changed
            .filter(|item| item.0 == ItemKind::Image)
            .map(|item| item.1)
            .collect();
        new_state.take_over(&state, &new_store, &changed).unwrap();
        let old = state.vectors(&store).unwrap();
        let taken = new_state.vectors(&new_store).unwrap();
        let (fresh_store, scratch) = newest(dir, None);
        let expected = content(&scratch.vectors(&fresh_store).unwrap());
        assert_eq!(content(&taken), expected, "round {round}");
        let n_items = expected.alive.len() + expected.fresh.map_or(0, |fresh| fresh.len());
        assert_eq!(n_items, exists.len(), "round {round}");
        let is_held = |segment| {
            old.segments
                .iter()
                .any(|old| std::sync::Arc::ptr_eq(old, segment))
        };
        n_shared += taken
            .segments
            .iter()
            .filter(|segment| is_held(segment))
            .count();
        n_kept += usize::from(std::sync::Arc::ptr_eq(&old.removed, &taken.removed));
        (store, state) = (new_store, new_state);
    }
    assert!(
        n_shared > 60,
        "{n_shared} segments were opened once for several views"
    );
    assert!(n_kept > 3, "{n_kept}");
    assert!(state.segments.len() > 1);
}

/// Without a usable graph, fresh items beyond a number are not kept but read by each search.
#[test]
fn too_many_fresh_items_are_read_from_the_records() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut writer = open(dir);
    for number in 0..900 {
        // Each vector twice.
        put(&mut writer, number, vector(number % 450));
    }
    writer.commit().unwrap();
    let count = |dir: &Path| {
        let (store, state) = newest(dir, None);
        let vectors = state.vectors(&store).unwrap();
        vectors
            .fresh
            .as_ref()
            .map(|fresh| fresh.points().n_points())
    };
    let ask = |how, wanted: Option<&IdSet>| {
        let reader = IndexReader::open(dir, None).unwrap();
        let hits = reader
            .nearest_of(ItemKind::Image, &vector(1_000), 10, &how, wanted)
            .unwrap();
        let distinct = reader
            .nearest_distinct(ItemKind::Image, &vector(1_000), 5, 9, &how, wanted)
            .unwrap();
        (hits, distinct)
    };
    let few: IdSet = (1..2_000).step_by(60).map(ItemId).collect();
    let many: IdSet = (1..2_000).step_by(2).map(ItemId).collect();
    let wanted = [None, Some(&few), Some(&many)];
    let all = |how| wanted.map(|wanted| ask(how, wanted));
    assert_eq!(count(dir), Some(450), "equal vectors are kept once");
    let before = all(Nearest::default());
    assert_eq!(before, all(EXACT));
    assert_eq!(before[0].1[0].n_items, 2);
    // Far from the query, so that the answers stay the same.
    let opposite: Vec<f32> = vector(1_000)
        .as_slice()
        .iter()
        .map(|value| -value)
        .collect();
    for number in 900..1_000u16 {
        let mut values = opposite.clone();
        values[0] += f32::from(number) * 1e-5;
        let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
        let values = values.iter().map(|value| value / length).collect();
        put(&mut writer, number.into(), UnitVector::new(values).unwrap());
    }
    writer.commit().unwrap();
    assert_eq!(count(dir), None, "550 distinct vectors are too many");
    assert_eq!(before, all(Nearest::default()));
    assert_eq!(before, all(EXACT));
    writer.finish().unwrap();
    assert_eq!(count(dir), Some(0), "a graph holds them");
    assert_eq!(before, all(EXACT));
}
