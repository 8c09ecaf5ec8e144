//! Searches of several graph segments and of items in none, compared with plain scans.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sightline_index::{
    IdSet, IndexReader, IndexWriter, ItemId, ItemKind, Nearest, SearchQuery, UnitVector,
};

use crate::support::{
    Clusters, EXACT, assert_healthy, binding, photo, put_photo, vector, with_graphs_from,
};

const DIMENSION: usize = 32;
/// So few candidates that graphs of hundreds of items are walked.
const WALK: Nearest = Nearest {
    exact: false,
    ef: 16,
};

fn open(dir: &Path) -> IndexWriter {
    let options = with_graphs_from(100);
    IndexWriter::open_or_create_with(dir, &binding(DIMENSION), options).unwrap()
}

/// Segments of 2,000, 500 and 150 items and 60 fresh ones; every seventh is removed. Every
/// fifteenth photo has one of ten vectors. Returns the vectors that exist, by id.
fn make(dir: &Path, clusters: &mut Clusters) -> BTreeMap<u32, UnitVector> {
    let mut vectors = BTreeMap::new();
    let mut number = 0;
    for n in [2_000, 500, 150, 60] {
        let mut writer = open(dir);
        for _ in 0..n {
            let next = match number % 15 {
                0 => vector(DIMENSION, number / 15 % 10),
                _ => clusters.next(),
            };
            let id = put_photo(&mut writer, number, next.clone());
            vectors.insert(id.0, next);
            number += 1;
        }
        writer.finish().unwrap();
    }
    let mut writer = open(dir);
    for number in (0..number).step_by(7) {
        writer.remove_file(&photo(number)).unwrap();
        vectors.remove(&(u32::try_from(number).unwrap() + 1));
    }
    writer.finish().unwrap();
    let files = fs_err::read_dir(dir.join("graphs")).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let n_segments = paths.filter(|path| path.extension().is_some_and(|end| end == "graph"));
    let n_segments = n_segments.count();
    assert_eq!(n_segments, 3, "three segments");
    vectors
}

/// The ids of the nearest 10 among `wanted`, with the bits of their similarities.
fn ask(
    reader: &IndexReader,
    query: &UnitVector,
    how: Nearest,
    wanted: Option<&IdSet>,
) -> Vec<(u32, u32)> {
    let query = SearchQuery {
        kind: ItemKind::Image,
        vector: Some(query),
        words: None,
        n: 10,
        among: wanted,
        filter: None,
        nearest: how,
    };
    let found = reader.search(&query).unwrap();
    let bits = |similarity: Option<f32>| similarity.unwrap().to_bits();
    found
        .iter()
        .map(|found| (found.id.0, bits(found.similarity)))
        .collect()
}

#[test]
fn all_segments_and_fresh_items_are_ranked_together() {
    let dir = tempfile::tempdir().unwrap();
    let mut clusters = Clusters::new(DIMENSION, 40, 0.5, 11);
    let vectors = make(dir.path(), &mut clusters);
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let (mut n_right, mut n_asked) = (0, 0);
    for round in 0..100 {
        // Every other query is one of the vectors that many items have.
        let query = match round % 2 {
            0 => clusters.next(),
            _ => vector(DIMENSION, round / 2 % 10),
        };
        let truth = ask(&reader, &query, EXACT, None);
        assert_eq!(truth.len(), 10);
        assert!(truth.iter().all(|(id, _)| vectors.contains_key(id)));
        if round % 2 == 1 {
            let equal = vectors.iter().filter(|(_, vector)| **vector == query);
            let equal: Vec<u32> = equal.map(|(&id, _)| id).take(10).collect();
            let found: Vec<u32> = truth.iter().map(|hit| hit.0).collect();
            assert_eq!(found, equal, "equal similarities are sorted by id");
        }
        assert_eq!(ask(&reader, &query, Nearest::default(), None), truth);
        let found = ask(&reader, &query, WALK, None);
        n_asked += truth.len();
        n_right += found.iter().filter(|hit| truth.contains(hit)).count();
    }
    assert_eq!(n_asked, 1_000);
    assert!(
        n_right >= 980,
        "a walk of width 16 finds {n_right} of 1,000"
    );
    assert_healthy(dir.path());
}

/// Three segments large enough to be walked together. So narrow a walk misses some of the nearest,
/// which shows that it was one: scans of codes miss none.
#[test]
fn several_segments_are_walked_together() {
    let dir = tempfile::tempdir().unwrap();
    for first in [0, 2_000, 4_000] {
        let mut writer = open(dir.path());
        for number in first..first + 2_000 {
            put_photo(&mut writer, number, vector(DIMENSION, number));
        }
        writer.finish().unwrap();
    }
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(reader.n_graphs(ItemKind::Image), 3);
    let most: IdSet = (1..=6_000).filter(|id| id % 10 > 0).map(ItemId).collect();
    for wanted in [None, Some(&most)] {
        let mut n_right = [0, 0];
        for number in 10_000..10_200 {
            // Far from all vectors, so that the nearest lie apart.
            let query = vector(DIMENSION, number);
            let truth = ask(&reader, &query, EXACT, wanted);
            for (n_right, ef) in n_right.iter_mut().zip([10, 48]) {
                let how = Nearest { exact: false, ef };
                let found = ask(&reader, &query, how, wanted);
                assert_eq!(found.len(), 10);
                *n_right += found.iter().filter(|hit| truth.contains(hit)).count();
            }
        }
        assert!((1_700..1_990).contains(&n_right[0]), "{n_right:?}");
        assert!(n_right[1] > n_right[0], "{n_right:?}");
        println!("{n_right:?}");
    }
}

#[test]
fn a_restriction_holds_in_all_segments() {
    let dir = tempfile::tempdir().unwrap();
    let mut clusters = Clusters::new(DIMENSION, 40, 0.5, 12);
    let vectors = make(dir.path(), &mut clusters);
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let (mut n_right, mut n_asked) = (0, 0);
    for step in [1, 2, 5, 40, 700] {
        for first in 1..20 {
            let wanted: IdSet = (first..4_000).step_by(step).map(ItemId).collect();
            let query = clusters.next();
            let truth = ask(&reader, &query, EXACT, Some(&wanted));
            let n_wanted = vectors.keys().filter(|&&id| wanted.contains(ItemId(id)));
            assert_eq!(truth.len(), n_wanted.count().min(10));
            assert!(truth.iter().all(|&(id, _)| wanted.contains(ItemId(id))));
            let found = ask(&reader, &query, Nearest::default(), Some(&wanted));
            assert_eq!(found, truth, "every {step}th from {first}");
            let found = ask(&reader, &query, WALK, Some(&wanted));
            assert_eq!(found.len(), truth.len());
            n_asked += truth.len();
            n_right += found.iter().filter(|hit| truth.contains(hit)).count();
        }
    }
    assert!(n_asked > 700, "{n_asked}");
    assert!(n_right * 100 >= n_asked * 98, "{n_right} of {n_asked}");
}

#[test]
fn distinct_vectors_are_found_with_all_their_items() {
    let dir = tempfile::tempdir().unwrap();
    let mut clusters = Clusters::new(DIMENSION, 40, 0.5, 13);
    let vectors = make(dir.path(), &mut clusters);
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let odd: IdSet = (1..4_000).step_by(2).map(ItemId).collect();
    let mut n_shared = 0;
    for round in 0..60 {
        let query = match round % 2 {
            0 => clusters.next(),
            _ => vector(DIMENSION, round / 2 % 10),
        };
        let wanted = (round % 3 == 0).then_some(&odd);
        let is_wanted = |id: u32| wanted.is_none_or(|wanted| wanted.contains(ItemId(id)));
        for how in [EXACT, Nearest::default()] {
            let distinct = || reader.nearest_distinct(ItemKind::Image, &query, 5, 3, &how, wanted);
            let found = distinct().unwrap();
            assert_eq!(found.len(), 5);
            let ordered = found.windows(2).all(|pair| {
                let (a, b) = (&pair[0], &pair[1]);
                a.similarity > b.similarity || a.similarity == b.similarity && a.ids < b.ids
            });
            assert!(ordered, "{found:?}");
            let mut seen = BTreeSet::new();
            for near in &found {
                let own = &vectors[&near.ids[0].0];
                let equal = vectors
                    .iter()
                    .filter(|&(&id, vector)| vector == own && is_wanted(id));
                let ids: Vec<ItemId> = equal.map(|(&id, _)| ItemId(id)).collect();
                assert_eq!(near.n_items, ids.len());
                assert_eq!(near.ids, ids[..ids.len().min(3)]);
                assert!(seen.insert(ids[0]), "each vector once");
                n_shared += usize::from(ids.len() > 3);
            }
            let nearest = reader.search(&SearchQuery {
                kind: ItemKind::Image,
                vector: Some(&query),
                words: None,
                n: vectors.len(),
                among: wanted,
                filter: None,
                nearest: EXACT,
            });
            let mut expected = Vec::new();
            for hit in nearest.unwrap() {
                let own = &vectors[&hit.id.0];
                if !expected.contains(&own) {
                    expected.push(own);
                }
            }
            let found: Vec<_> = found.iter().map(|near| &vectors[&near.ids[0].0]).collect();
            assert_eq!(
                found,
                expected[..5],
                "the nearest distinct vectors, round {round}"
            );
        }
    }
    assert!(n_shared > 50, "{n_shared}");
    let none =
        reader.nearest_distinct(ItemKind::Caption, &vector(DIMENSION, 1), 5, 3, &EXACT, None);
    assert!(none.unwrap().is_empty());
}

#[test]
fn a_damaged_segment_does_not_change_the_answers() {
    let original = tempfile::tempdir().unwrap();
    let mut clusters = Clusters::new(DIMENSION, 40, 0.5, 14);
    make(original.path(), &mut clusters);
    let queries: Vec<_> = (0..20).map(|_| clusters.next()).collect();
    let answers = |dir: &Path| -> Vec<_> {
        let reader = IndexReader::open(dir, None).unwrap();
        let answers = queries
            .iter()
            .map(|query| ask(&reader, query, Nearest::default(), None));
        answers.collect()
    };
    let expected = answers(original.path());
    let mut n_damaged = 0;
    for entry in fs_err::read_dir(original.path().join("graphs")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs_err::read(&path).unwrap();
        for position in (0..bytes.len()).step_by(bytes.len() / 8) {
            let mut changed = bytes.clone();
            changed[position] ^= 0x41;
            fs_err::write(&path, &changed).unwrap();
            assert_eq!(answers(original.path()), expected, "byte {position}");
            n_damaged += 1;
        }
        fs_err::remove_file(&path).unwrap();
        assert_eq!(answers(original.path()), expected, "no {}", path.display());
        fs_err::write(&path, &bytes).unwrap();
    }
    assert!(n_damaged >= 24, "{n_damaged}");
    assert_healthy(original.path());
}

/// A graph is built of what is committed, whatever is about to be removed.
#[test]
fn an_item_that_is_removed_while_its_graph_is_built_is_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let source = Path::new("/list.txt");
    let mut writer = open(dir.path());
    let caption = |number: u64| (format!("caption {number}"), vector(DIMENSION, number));
    let all = |without: u64| {
        (0..150)
            .filter(|&number| number != without)
            .map(caption)
            .collect()
    };
    writer.set_captions(None, source, all(150)).unwrap();
    writer.commit().unwrap();
    writer.set_captions(None, source, all(70)).unwrap();
    let built = writer.build_graphs(&mut |_| std::ops::ControlFlow::Continue(()));
    assert!(built.unwrap().is_continue());
    writer.commit().unwrap();
    drop(writer);
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(reader.n_graphs(ItemKind::Caption), 1);
    for how in [EXACT, WALK] {
        let near = reader.nearest(ItemKind::Caption, &vector(DIMENSION, 70), 150, &how);
        let near = near.unwrap();
        assert!(near.iter().all(|near| near.id != ItemId(71)), "{near:?}");
        assert!(!near.is_empty());
    }
    assert_healthy(dir.path());
}
