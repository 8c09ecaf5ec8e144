//! Recall of graph searches, compared with exact scans.

use std::collections::HashSet;
use std::path::Path;

use sightline_index::{
    BuildStep, GraphState, IdSet, IndexReader, IndexWriter, ItemId, ItemKind, Nearest, SearchQuery,
    UnitVector,
};

use crate::support::{
    Clusters, EXACT, assert_healthy, binding, hash, ids, photo, put_photo, unit, vector,
    with_graphs_from,
};

const DIMENSION: usize = 128;
const N: u64 = 12_000;

/// Recall, self-search, removed and new items, all on one graph, since building it takes most of
/// the time.
#[test]
fn recall_at_10_is_high() {
    let dir = tempfile::tempdir().unwrap();
    let mut clusters = Clusters::new(DIMENSION, 300, 0.5, 42);
    let vectors: Vec<_> = (0..N).map(|_| clusters.next()).collect();
    let mut writer = IndexWriter::open_or_create(dir.path(), &binding(DIMENSION)).unwrap();
    for (number, vector) in (0u64..).zip(&vectors) {
        put_photo(&mut writer, number, vector.clone());
    }
    let mut reported = Vec::new();
    writer
        .finish_with(&mut |progress| {
            let number = (progress.n_done, progress.n_total);
            reported.push((progress.step, progress.kind, number));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    let built = (BuildStep::Graph, ItemKind::Image, (12_000, 12_000));
    let biased = (BuildStep::HubBiases, ItemKind::Image, (8_192, 12_000));
    assert!(reported.ends_with(&[built, (biased.0, biased.1, (4_096, 12_000)), biased]));

    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(
        reader.counts().image_graph,
        GraphState::Ready {
            n_items: N,
            n_fresh: 0
        }
    );
    let own: Vec<_> = (0..500).map(|_| clusters.next()).collect();
    let (n_right, n_asked) = recall(&reader, &own);
    assert_eq!(n_asked, 5_000);
    assert!(
        n_right * 1000 >= n_asked * 995,
        "recall@10 is {n_right} of {n_asked}"
    );
    // As far from every item as a text is from the pictures it describes.
    let other: Vec<_> = (0u64..500)
        .map(|seed| {
            let noise = vector(DIMENSION, 77_000 + seed);
            let near = clusters.next();
            let both = near.as_slice().iter().zip(noise.as_slice());
            unit(both.map(|(near, noise)| 0.4 * near + 0.9 * noise).collect())
        })
        .collect();
    let (n_right, n_asked) = recall(&reader, &other);
    assert_eq!(n_asked, 5_000);
    assert!(
        n_right * 100 >= n_asked * 99,
        "recall@10 across kinds is {n_right} of {n_asked}"
    );

    let mut n_found = 0;
    for (number, vector) in (0u64..).zip(&vectors) {
        let hits = reader
            .nearest(ItemKind::Image, vector, 1, &Nearest::default())
            .unwrap();
        let id = reader.image_with_hash(&hash(number)).unwrap().unwrap();
        assert_eq!(
            hits[0].id, id,
            "photo {number} is not found by its own vector"
        );
        assert!(hits[0].similarity > 0.9999);
        n_found += 1;
    }
    assert_eq!(n_found, N);
    drop(reader);

    check_changes(dir.path(), &vectors, &mut clusters);
    assert_healthy(dir.path());
}

/// How many of the 10 nearest by scan the graph finds, and how many there are.
fn recall(reader: &IndexReader, queries: &[UnitVector]) -> (usize, usize) {
    let (mut n_right, mut n_asked) = (0, 0);
    for query in queries {
        let truth = reader.nearest(ItemKind::Image, query, 10, &EXACT).unwrap();
        let how = Nearest::default();
        let found = reader.nearest(ItemKind::Image, query, 10, &how).unwrap();
        let truth: HashSet<u32> = ids(&truth).into_iter().collect();
        n_asked += truth.len();
        n_right += ids(&found).iter().filter(|id| truth.contains(id)).count();
    }
    (n_right, n_asked)
}

/// Checks that removed items are not found and new ones are, without a new graph.
fn check_changes(dir: &Path, vectors: &[UnitVector], clusters: &mut Clusters) {
    let mut writer = IndexWriter::open_or_create(dir, &binding(DIMENSION)).unwrap();
    for number in 0..300 {
        writer.remove_file(&photo(number)).unwrap();
    }
    let added: Vec<_> = (N..N + 100)
        .map(|number| put_photo(&mut writer, number, clusters.next()))
        .collect();
    writer.finish().unwrap();
    let reader = IndexReader::open(dir, None).unwrap();
    assert_eq!(
        reader.counts().image_graph,
        GraphState::Ready {
            n_items: N - 300,
            n_fresh: 100
        }
    );
    let mut n_checked = 0;
    for (number, vector) in vectors.iter().enumerate().take(300) {
        let found = reader
            .nearest(ItemKind::Image, vector, 10, &Nearest::default())
            .unwrap();
        assert_eq!(found.len(), 10);
        assert!(
            ids(&found).iter().all(|&id| id > 300),
            "photo {number} was removed"
        );
        n_checked += 1;
    }
    for &id in &added {
        let vector = reader.vector(id).unwrap().unwrap();
        assert_eq!(
            reader
                .nearest(ItemKind::Image, &vector, 1, &Nearest::default())
                .unwrap()[0]
                .id,
            id
        );
        n_checked += 1;
    }
    assert_eq!(n_checked, 400);
}

/// A tight cluster beside scattered vectors: links must not all lead to the cluster.
#[test]
fn tight_clusters_stay_reachable() {
    let dir = tempfile::tempdir().unwrap();
    let mut clusters = Clusters::new(32, 40, 0.02, 7);
    let mut writer =
        IndexWriter::open_or_create_with(dir.path(), &binding(32), with_graphs_from(1000)).unwrap();
    let mut vectors = Vec::new();
    for number in 0..3_000 {
        let vector = clusters.next();
        put_photo(&mut writer, number, vector.clone());
        vectors.push(vector);
    }
    writer.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(
        reader.counts().image_graph,
        GraphState::Ready {
            n_items: 3_000,
            n_fresh: 0
        }
    );
    let mut n_found = 0;
    for vector in &vectors {
        let near = reader
            .nearest(
                ItemKind::Image,
                vector,
                1,
                &Nearest {
                    exact: false,
                    ef: 32,
                },
            )
            .unwrap();
        n_found += usize::from(near[0].similarity > 0.99999);
    }
    assert_eq!(n_found, 3_000);
    assert_healthy(dir.path());
}

#[test]
fn small_sets_are_searched_without_a_graph() {
    for n in [0u64, 1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let mut writer =
            IndexWriter::open_or_create_with(dir.path(), &binding(4), with_graphs_from(0)).unwrap();
        for number in 0..n {
            put_photo(&mut writer, number, vector(4, number));
        }
        writer.finish().unwrap();
        let reader = IndexReader::open(dir.path(), None).unwrap();
        for how in [
            EXACT,
            Nearest::default(),
            Nearest {
                exact: false,
                ef: 0,
            },
        ] {
            let found = reader
                .nearest(ItemKind::Image, &vector(4, 0), 10, &how)
                .unwrap();
            assert_eq!(found.len() as u64, n);
            assert!(
                found
                    .iter()
                    .all(|hit| (-1.0..=1.0).contains(&hit.similarity))
            );
            assert!(
                reader
                    .nearest(ItemKind::Caption, &vector(4, 0), 10, &how)
                    .unwrap()
                    .is_empty()
            );
            assert!(
                reader
                    .nearest(ItemKind::Image, &vector(4, 0), 0, &how)
                    .unwrap()
                    .is_empty()
            );
        }
        assert!(
            reader
                .matching(ItemKind::Caption, "photo", 10)
                .unwrap()
                .is_empty()
        );
        assert_healthy(dir.path());
    }
}

#[test]
fn identical_vectors_are_all_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer =
        IndexWriter::open_or_create_with(dir.path(), &binding(16), with_graphs_from(100)).unwrap();
    let same = vector(16, 99);
    for number in 0..500 {
        put_photo(&mut writer, number, same.clone());
    }
    for number in 500..1_500 {
        put_photo(&mut writer, number, vector(16, number));
    }
    writer.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(
        reader.counts().image_graph,
        GraphState::Ready {
            n_items: 1_500,
            n_fresh: 0
        }
    );
    let found = reader
        .nearest(ItemKind::Image, &same, 10, &Nearest::default())
        .unwrap();
    assert_eq!(
        ids(&found),
        (1..=10).collect::<Vec<u32>>(),
        "equal similarities are sorted by id"
    );
    let found = reader
        .nearest(ItemKind::Image, &same, 500, &Nearest::default())
        .unwrap();
    assert_eq!(ids(&found), (1..=500).collect::<Vec<u32>>());
    let found = reader
        .nearest(ItemKind::Image, &same, usize::MAX, &Nearest::default())
        .unwrap();
    assert_eq!(found.len(), 1_500);
    drop(reader);
    // Remove most of them: the point remains for the others.
    let mut writer =
        IndexWriter::open_or_create_with(dir.path(), &binding(16), with_graphs_from(100)).unwrap();
    for number in 0..499 {
        writer.remove_file(&photo(number)).unwrap();
    }
    writer.commit().unwrap();
    drop(writer);
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(
        ids(&reader
            .nearest(ItemKind::Image, &same, 1, &Nearest::default())
            .unwrap()),
        [500]
    );
    assert_healthy(dir.path());
}

#[test]
fn fresh_items_become_segments_and_worn_segments_are_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let options = with_graphs_from(100);
    let open = || IndexWriter::open_or_create_with(dir.path(), &binding(8), options).unwrap();
    let state = || {
        IndexReader::open(dir.path(), None)
            .unwrap()
            .counts()
            .image_graph
    };
    let mut writer = open();
    for number in 0..400 {
        put_photo(&mut writer, number, vector(8, number));
    }
    writer.commit().unwrap();
    assert_eq!(state(), GraphState::Absent, "a commit builds no graph");
    writer.finish().unwrap();
    assert_eq!(
        state(),
        GraphState::Ready {
            n_items: 400,
            n_fresh: 0
        }
    );
    let mut writer = open();
    for number in 400..500 {
        put_photo(&mut writer, number, vector(8, number));
    }
    writer.finish().unwrap();
    assert_eq!(
        state(),
        GraphState::Ready {
            n_items: 500,
            n_fresh: 0
        }
    );
    let mut writer = open();
    put_photo(&mut writer, 500, vector(8, 500));
    writer.finish().unwrap();
    assert_eq!(
        state(),
        GraphState::Ready {
            n_items: 500,
            n_fresh: 1
        }
    );
    let leftovers = || {
        let reader = IndexReader::open(dir.path(), None).unwrap();
        reader.leftovers(ItemKind::Image).unwrap().n_tombstones
    };
    let mut writer = open();
    (0..200).for_each(|number| writer.remove_file(&photo(number)).unwrap());
    writer.finish().unwrap();
    assert_eq!(
        state(),
        GraphState::Ready {
            n_items: 300,
            n_fresh: 1
        }
    );
    assert_eq!(leftovers(), 0, "the worn segment is rebuilt");
    assert_healthy(dir.path());
    let mut writer = open();
    (200..450).for_each(|number| writer.remove_file(&photo(number)).unwrap());
    writer.finish().unwrap();
    assert_eq!(state(), GraphState::Absent, "51 photos need no graph");
    assert_healthy(dir.path());
}

/// Bursts of photos: hundreds of vectors that codes of 8 bits cannot distinguish.
#[test]
fn bursts_are_ranked_as_by_a_scan() {
    let dir = tempfile::tempdir().unwrap();
    let dimension = 64;
    let mut bursts = Clusters::new(dimension, 30, 0.002, 3);
    let mut others = Clusters::new(dimension, 100, 0.5, 4);
    let options = with_graphs_from(1000);
    let mut writer =
        IndexWriter::open_or_create_with(dir.path(), &binding(dimension), options).unwrap();
    for number in 0..9_000 {
        let next = if number % 2 == 0 {
            bursts.next()
        } else {
            others.next()
        };
        put_photo(&mut writer, number, next);
    }
    writer.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let queries: Vec<_> = (0..200).map(|_| bursts.next()).collect();
    let (n_right, n_asked) = recall(&reader, &queries);
    assert_eq!(n_asked, 2_000);
    assert!(
        n_right * 100 >= n_asked * 99,
        "recall@10 within bursts is {n_right} of {n_asked}"
    );
}

/// The ids of the 10 nearest images among those in `wanted`.
fn restricted(reader: &IndexReader, query: &UnitVector, how: Nearest, wanted: &IdSet) -> Vec<u32> {
    let candidates = reader.search(&SearchQuery {
        kind: ItemKind::Image,
        vector: Some(query),
        words: None,
        n: 10,
        among: Some(wanted),
        filter: None,
        nearest: how,
    });
    let ids = candidates.unwrap().into_iter().map(|found| found.id.0);
    ids.collect()
}

#[test]
fn a_restricted_search_finds_what_a_restricted_scan_finds() {
    let dir = tempfile::tempdir().unwrap();
    let dimension = 32;
    let mut clusters = Clusters::new(dimension, 100, 0.5, 9);
    let mut writer = IndexWriter::open_or_create(dir.path(), &binding(dimension)).unwrap();
    for number in 0..10_000 {
        put_photo(&mut writer, number, clusters.next());
    }
    writer.finish().unwrap();
    // Some are newer than the graph, some are removed from it.
    let mut writer = IndexWriter::open_or_create(dir.path(), &binding(dimension)).unwrap();
    for number in 10_000..10_200 {
        put_photo(&mut writer, number, clusters.next());
    }
    (0..500).for_each(|number| writer.remove_file(&photo(number)).unwrap());
    writer.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(
        reader.counts().image_graph,
        GraphState::Ready {
            n_items: 9_500,
            n_fresh: 200
        }
    );
    let (mut n_right, mut n_asked, mut n_checked) = (0, 0, 0);
    // All, half, a seventh, a hundredth, and a few.
    for step in [1, 2, 7, 100, 6_000] {
        let wanted: IdSet = (1..=20_000).step_by(step).map(ItemId).collect();
        for _ in 0..50 {
            let query = clusters.next();
            let ask = |how| restricted(&reader, &query, how, &wanted);
            let (truth, found) = (ask(EXACT), ask(Nearest::default()));
            assert_eq!(found.len(), truth.len());
            assert!(
                found
                    .iter()
                    .all(|&id| id > 500 && wanted.contains(ItemId(id)))
            );
            n_asked += truth.len();
            n_right += found.iter().filter(|id| truth.contains(id)).count();
            n_checked += 1;
        }
    }
    assert_eq!(n_checked, 250);
    assert_eq!(n_asked, 4 * 50 * 10 + 50);
    assert!(
        n_right * 1000 >= n_asked * 995,
        "recall@10 of parts is {n_right} of {n_asked}"
    );
    let nothing = IdSet::from([ItemId(1), ItemId(77_777)]);
    for how in [EXACT, Nearest::default()] {
        let query = clusters.next();
        assert!(restricted(&reader, &query, how, &nothing).is_empty());
    }
}
