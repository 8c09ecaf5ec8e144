//! Search in one call: both rankings joined, restricted, and the items of the hits.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use sightline_index::{
    Candidate, FullItem, IdSet, IndexReader, IndexWriter, Item, ItemId, ItemKind, Nearest,
    SearchQuery,
};

use crate::support::{
    EXACT, assert_healthy, binding, make_index, photo, put_photo, vector, with_graphs_from,
};

const DIMENSION: usize = 16;
const N_PHOTOS: u64 = 300;

/// An index with a graph, a few items newer than it, and a few removed from it.
fn index() -> (tempfile::TempDir, IndexReader) {
    let dir = tempfile::tempdir().unwrap();
    make_index(dir.path(), DIMENSION, N_PHOTOS);
    let mut writer =
        IndexWriter::open_or_create_with(dir.path(), &binding(DIMENSION), with_graphs_from(10_000))
            .unwrap();
    for number in N_PHOTOS..N_PHOTOS + 20 {
        put_photo(&mut writer, number, vector(DIMENSION, number));
    }
    (0..10).for_each(|number| writer.remove_file(&photo(number)).unwrap());
    writer.commit().unwrap();
    drop(writer);
    let reader = IndexReader::open(dir.path(), None).unwrap();
    (dir, reader)
}

fn query(kind: ItemKind) -> SearchQuery<'static> {
    SearchQuery {
        kind,
        vector: None,
        words: None,
        n: 12,
        among: None,
        filter: None,
        nearest: Nearest::default(),
    }
}

fn ids_by(candidates: &[Candidate], rank: impl Fn(&Candidate) -> Option<usize>) -> Vec<ItemId> {
    let mut ranked: Vec<(usize, ItemId)> = candidates
        .iter()
        .filter_map(|candidate| Some((rank(candidate)?, candidate.id)))
        .collect();
    ranked.sort_unstable();
    let ranks: Vec<usize> = ranked.iter().map(|&(rank, _)| rank).collect();
    assert_eq!(ranks, (1..=ranks.len()).collect::<Vec<_>>());
    ranked.into_iter().map(|(_, id)| id).collect()
}

#[test]
fn a_search_joins_both_rankings() {
    let (dir, reader) = index();
    let (mut n_both, mut n_words_alone) = (0, 0);
    for (kind, words) in [
        (ItemKind::Image, "album3 photo40"),
        (ItemKind::Image, "photo305"),
        (ItemKind::Caption, "caption 20 40 60"),
    ] {
        for seed in [40, 305, 5040, 77_777] {
            let vector = vector(DIMENSION, seed);
            let found = reader
                .search(&SearchQuery {
                    vector: Some(&vector),
                    words: Some(words),
                    ..query(kind)
                })
                .unwrap();
            let near = reader
                .nearest(kind, &vector, 12, &Nearest::default())
                .unwrap();
            let matches = reader.matching(kind, words, 12).unwrap();
            let by_meaning: Vec<ItemId> = near.iter().map(|near| near.id).collect();
            let by_words: Vec<ItemId> = matches.iter().map(|found| found.id).collect();
            assert_eq!(ids_by(&found, |c| c.rank_by_meaning), by_meaning);
            assert_eq!(ids_by(&found, |c| c.rank_by_words), by_words);
            assert!(found[..near.len()].iter().map(|c| c.id).eq(by_meaning));
            let distinct: HashSet<ItemId> = found.iter().map(|c| c.id).collect();
            assert_eq!(distinct.len(), found.len());

            let exact = reader.nearest(kind, &vector, 10_000, &EXACT).unwrap();
            for candidate in &found {
                let same = exact.iter().find(|near| near.id == candidate.id).unwrap();
                let similarity = candidate.similarity.unwrap();
                assert_eq!(similarity.to_bits(), same.similarity.to_bits());
                let found_by_words = matches.iter().find(|found| found.id == candidate.id);
                assert_eq!(candidate.bm25, found_by_words.map(|found| found.bm25));
                assert_eq!(
                    candidate.words,
                    found_by_words.map_or(Vec::new(), |found| found.words.clone())
                );
                match (candidate.rank_by_meaning, candidate.rank_by_words) {
                    (Some(_), Some(_)) => n_both += 1,
                    (None, Some(_)) => n_words_alone += 1,
                    _ => {}
                }
            }
        }
    }
    assert!(n_both > 0, "some items are in both rankings");
    assert!(n_words_alone > 20, "{n_words_alone} found by words alone");
    assert_healthy(dir.path());
}

#[test]
fn a_ranking_that_is_not_asked_for_is_empty() {
    let (_dir, reader) = index();
    let vector = vector(DIMENSION, 50);
    let by_meaning = reader
        .search(&SearchQuery {
            vector: Some(&vector),
            ..query(ItemKind::Image)
        })
        .unwrap();
    assert_eq!(by_meaning.len(), 12);
    assert!(
        by_meaning
            .iter()
            .all(|c| { c.similarity.is_some() && c.rank_by_words.is_none() && c.bm25.is_none() })
    );
    let by_words = reader
        .search(&SearchQuery {
            words: Some("album3"),
            ..query(ItemKind::Image)
        })
        .unwrap();
    assert_eq!(by_words.len(), 12);
    assert!(by_words.iter().all(|c| {
        c.similarity.is_none() && c.rank_by_meaning.is_none() && c.words == ["album3"]
    }));
    assert_eq!(reader.search(&query(ItemKind::Image)).unwrap(), []);
}

#[test]
fn a_restriction_limits_vectors_and_words_alike() {
    let (_dir, reader) = index();
    let everything: Vec<ItemId> = reader.ids().unwrap();
    let mut n_checked = 0;
    for kind in ItemKind::ALL {
        for step in [1, 3, 40] {
            let among: IdSet = everything
                .iter()
                .copied()
                .step_by(step)
                .chain([ItemId(1), ItemId(99_999)])
                .collect();
            let vector = vector(DIMENSION, 123);
            let ask = |among, n| {
                let found = reader.search(&SearchQuery {
                    vector: Some(&vector),
                    words: Some("album3 album5 caption"),
                    n,
                    among,
                    nearest: EXACT,
                    ..query(kind)
                });
                found.unwrap()
            };
            let all = ask(None, 10_000);
            let found = ask(Some(&among), 7);
            let expected = |rank: fn(&Candidate) -> Option<usize>| -> Vec<ItemId> {
                let ids = ids_by(&all, rank).into_iter();
                ids.filter(|&id| among.contains(id)).take(7).collect()
            };
            let by_meaning = |c: &Candidate| c.rank_by_meaning;
            let by_words = |c: &Candidate| c.rank_by_words;
            assert_eq!(ids_by(&found, by_meaning), expected(by_meaning));
            assert_eq!(ids_by(&found, by_words), expected(by_words));
            for candidate in &found {
                let same = all.iter().find(|c| c.id == candidate.id).unwrap();
                assert_eq!(candidate.similarity, same.similarity);
                assert_eq!(candidate.bm25.is_some(), candidate.rank_by_words.is_some());
            }
            n_checked += found.len();
        }
    }
    assert!(n_checked > 40, "{n_checked} candidates");
}

#[test]
fn items_come_with_what_a_hit_shows_of_them() {
    let (dir, _) = index();
    let mut writer = IndexWriter::open_or_create(dir.path(), &binding(DIMENSION)).unwrap();
    let alone = ("a line of a list".to_owned(), vector(DIMENSION, 9));
    writer
        .set_captions(None, Path::new("/lists/captions.txt"), vec![alone])
        .unwrap();
    writer.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let mut ids = reader.ids().unwrap();
    let n_items = ids.len();
    ids.extend([ItemId(1), ItemId(99_999)]);
    let items = reader.items(&ids).unwrap();
    assert_eq!(items.len(), n_items, "removed and unknown ids are left out");
    let (mut n_with_captions, mut n_alone) = (0, 0);
    for (id, item) in items {
        match (item, reader.item(id).unwrap().unwrap()) {
            (FullItem::Image { image, captions }, Item::Image(expected)) => {
                assert_eq!(image, expected);
                assert_eq!(captions, reader.captions_of(id).unwrap());
                n_with_captions += captions.len();
            }
            (
                FullItem::Caption {
                    caption,
                    image_paths,
                },
                Item::Caption(expected),
            ) => {
                assert_eq!(caption, expected);
                let paths: Vec<PathBuf> = match caption.image {
                    Some(image) => match reader.item(image).unwrap().unwrap() {
                        Item::Image(image) => image.paths,
                        Item::Caption(_) => panic!("a caption describes an image"),
                    },
                    None => Vec::new(),
                };
                assert_eq!(image_paths, paths);
                n_alone += usize::from(paths.is_empty());
            }
            (item, expected) => panic!("{item:?} is not {expected:?}"),
        }
    }
    assert_eq!((n_with_captions, n_alone), (290, 1));
    assert_healthy(dir.path());
}
