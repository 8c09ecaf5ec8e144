//! Random sequences of operations, compared with a simple in-memory model.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sightline_index::{GraphState, IndexReader, IndexWriter, Item, ItemId, ItemKind, Nearest};

use crate::support::{EXACT, assert_healthy, binding, file, hash, vector, with_graphs_from};

const DIMENSION: usize = 6;

#[derive(Debug, Clone)]
enum Operation {
    /// Puts a picture in the file at a path.
    Put {
        path: u8,
        picture: u8,
    },
    Remove {
        path: u8,
    },
    /// Sets captions of a picture (if it is indexed) or of none, from a source.
    Captions {
        picture: Option<u8>,
        source: u8,
        texts: Vec<u8>,
    },
    Commit,
    /// Drops the writer with all uncommitted changes.
    Reopen,
    /// Commits, builds graphs, opens again.
    Finish,
    /// Compacts; the writer stays open.
    Compact,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation = prop_oneof![
        8 => (0..24u8, 0..18u8).prop_map(|(path, picture)| Operation::Put { path, picture }),
        3 => (0..24u8).prop_map(|path| Operation::Remove { path }),
        4 => (proptest::option::of(0..18u8), 0..3u8, proptest::collection::vec(0..12u8, 0..4))
            .prop_map(|(picture, source, texts)| Operation::Captions { picture, source, texts }),
        2 => Just(Operation::Commit),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Finish),
        1 => Just(Operation::Compact),
    ];
    proptest::collection::vec(operation, 1..50)
}

/// The expected content of the index.
#[derive(Debug, Clone, Default)]
struct Model {
    files: BTreeMap<PathBuf, u8>,
    /// Existing pictures. Those without a file are removed by the next commit.
    known: BTreeSet<u8>,
    captions: BTreeMap<(Option<u8>, u8), Vec<u8>>,
}

impl Model {
    fn pictures(&self) -> BTreeSet<u8> {
        self.files.values().copied().collect()
    }

    /// Commits: removes pictures without a file, and their captions.
    fn committed(&mut self) -> Self {
        let pictures = self.pictures();
        self.captions
            .retain(|(owner, _), _| owner.is_none_or(|owner| pictures.contains(&owner)));
        self.known = pictures;
        self.clone()
    }
}

fn path(number: u8) -> PathBuf {
    PathBuf::from(format!("/p/{}/Photo{number}.jpg", number % 3))
}

fn source(number: u8) -> PathBuf {
    PathBuf::from(format!("/p/captions{number}.txt"))
}

fn picture_vector(picture: u8) -> sightline_index::UnitVector {
    // Some pictures have the same vector.
    vector(DIMENSION, u64::from(picture / 2))
}

fn text_vector(text: u8) -> sightline_index::UnitVector {
    vector(DIMENSION, 500 + u64::from(text))
}

fn text(number: u8) -> String {
    format!("word{number} shared")
}

fn image_id(writer: &IndexWriter, picture: u8) -> Option<ItemId> {
    writer.image_with_hash(&hash(u64::from(picture))).unwrap()
}

fn open(dir: &Path) -> IndexWriter {
    IndexWriter::open_or_create_with(dir, &binding(DIMENSION), with_graphs_from(6)).unwrap()
}

fn run(operations: &[Operation]) {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path());
    let (mut now, mut committed) = (Model::default(), Model::default());
    for operation in operations {
        match operation {
            Operation::Put {
                path: number,
                picture,
            } => {
                let id = writer
                    .put_image(hash(u64::from(*picture)), 4, 3, picture_vector(*picture))
                    .unwrap();
                writer.put_file(&path(*number), file(id)).unwrap();
                now.files.insert(path(*number), *picture);
                now.known.insert(*picture);
            }
            Operation::Remove { path: number } => {
                writer.remove_file(&path(*number)).unwrap();
                now.files.remove(&path(*number));
            }
            Operation::Captions {
                picture,
                source: number,
                texts,
            } => {
                let owner = picture.map(|picture| image_id(&writer, picture));
                assert_eq!(
                    owner.map(|id| id.is_some()),
                    picture.map(|picture| now.known.contains(&picture))
                );
                if owner == Some(None) {
                    continue;
                }
                let captions = texts
                    .iter()
                    .map(|&number| (text(number), text_vector(number)))
                    .collect();
                writer
                    .set_captions(owner.flatten(), &source(*number), captions)
                    .unwrap();
                now.captions.insert((*picture, *number), texts.clone());
                now.captions.retain(|_, texts| !texts.is_empty());
            }
            Operation::Commit => {
                writer.commit().unwrap();
                committed = now.committed();
            }
            Operation::Reopen => {
                drop(writer);
                writer = open(dir.path());
                now = committed.clone();
            }
            Operation::Compact => {
                writer.compact(&mut |_| ControlFlow::Continue(())).unwrap();
                committed = now.committed();
            }
            Operation::Finish => {
                writer.finish().unwrap();
                committed = now.committed();
                compare(dir.path(), &committed);
                writer = open(dir.path());
            }
        }
        compare_pending(&writer, &now);
        if matches!(operation, Operation::Compact) {
            N_COMPACTED.fetch_add(1, Ordering::Relaxed);
            compare(dir.path(), &committed);
            assert_compact(dir.path());
        }
    }
    drop(writer);
    compare(dir.path(), &committed);
    assert_healthy(dir.path());
}

/// Asserts that there is nothing left to compact.
fn assert_compact(dir: &Path) {
    let reader = IndexReader::open(dir, None).unwrap();
    let counts = reader.counts();
    for (kind, n_items, graph) in [
        (ItemKind::Image, counts.n_images, &counts.image_graph),
        (ItemKind::Caption, counts.n_captions, &counts.caption_graph),
    ] {
        let n_fresh = 0;
        let expected = if n_items < 6 {
            GraphState::Absent
        } else {
            GraphState::Ready { n_items, n_fresh }
        };
        assert_eq!(*graph, expected);
        assert_eq!(reader.leftovers(kind).unwrap().n_tombstones, 0);
    }
}

/// Asserts that the writer's look-ups see uncommitted changes.
fn compare_pending(writer: &IndexWriter, now: &Model) {
    let files: Vec<PathBuf> = writer
        .files_under(Path::new("/p"))
        .unwrap()
        .into_iter()
        .map(|found| found.0)
        .collect();
    assert_eq!(files, now.files.keys().cloned().collect::<Vec<_>>());
    for (path, &picture) in &now.files {
        assert_eq!(
            writer.file(path).unwrap().map(|file| file.image),
            image_id(writer, picture)
        );
    }
    for (&(owner, number), texts) in &now.captions {
        let owner = owner.map(|picture| image_id(writer, picture).unwrap());
        let expected: Vec<String> = texts.iter().map(|&number| text(number)).collect();
        assert_eq!(
            writer.captions_from(owner, &source(number)).unwrap(),
            expected
        );
    }
}

fn compare(dir: &Path, model: &Model) {
    let reader = IndexReader::open(dir, None).unwrap();
    let counts = reader.counts();
    assert_eq!(counts.n_files, model.files.len() as u64);
    assert_eq!(counts.n_images, model.pictures().len() as u64);
    assert_eq!(
        counts.n_captions,
        model.captions.values().map(Vec::len).sum::<usize>() as u64
    );
    let mut images = BTreeMap::new();
    for picture in model.pictures() {
        let id = reader
            .image_with_hash(&hash(u64::from(picture)))
            .unwrap()
            .unwrap();
        let Some(Item::Image(image)) = reader.item(id).unwrap() else {
            panic!("{picture}")
        };
        let paths: Vec<PathBuf> = model
            .files
            .iter()
            .filter(|(_, held)| **held == picture)
            .map(|(path, _)| path.clone())
            .collect();
        assert_eq!(image.paths, paths);
        images.insert(id, picture);
        let mut texts: Vec<String> = model
            .captions
            .iter()
            .filter(|((owner, _), _)| *owner == Some(picture))
            .flat_map(|(_, texts)| texts.iter().map(|&number| text(number)))
            .collect();
        let mut found: Vec<String> = reader
            .captions_of(id)
            .unwrap()
            .into_iter()
            .map(|caption| caption.text)
            .collect();
        texts.sort();
        found.sort();
        assert_eq!(found, texts);
    }
    compare_search(&reader, model, &images);
    compare_words(&reader, model, &images);
}

fn compare_search(reader: &IndexReader, model: &Model, images: &BTreeMap<ItemId, u8>) {
    for seed in [1, 600] {
        let query = vector(DIMENSION, seed);
        let mut expected: Vec<(f32, ItemId)> = images
            .iter()
            .map(|(&id, &picture)| (picture_vector(picture).similarity(&query), id))
            .collect();
        expected.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (how, n) in [
            (EXACT, 100),
            (EXACT, 3),
            (
                Nearest {
                    exact: false,
                    ef: 1,
                },
                100,
            ),
            (Nearest::default(), 4),
        ] {
            let found = reader.nearest(ItemKind::Image, &query, n, &how).unwrap();
            let found: Vec<(f32, ItemId)> = found
                .into_iter()
                .map(|hit| (hit.similarity, hit.id))
                .collect();
            assert_eq!(found, expected[..n.min(expected.len())]);
        }
        let n_captions = model.captions.values().map(Vec::len).sum::<usize>();
        let found = reader
            .nearest(ItemKind::Caption, &query, 1000, &Nearest::default())
            .unwrap();
        assert_eq!(found.len(), n_captions);
        for hit in found {
            let Some(Item::Caption(caption)) = reader.item(hit.id).unwrap() else {
                panic!("{hit:?}")
            };
            let number: u8 = caption
                .text
                .trim_start_matches("word")
                .trim_end_matches(" shared")
                .parse()
                .unwrap();
            assert_eq!(text_vector(number).similarity(&query), hit.similarity);
        }
    }
}

fn compare_words(reader: &IndexReader, model: &Model, images: &BTreeMap<ItemId, u8>) {
    for number in 0..12u8 {
        let n = model
            .captions
            .values()
            .flatten()
            .filter(|&&held| held == number)
            .count();
        let word = format!("word{number}");
        let exact = reader.matching(ItemKind::Caption, &word, 1000).unwrap();
        let with_whole_word = exact
            .iter()
            .filter(|found| found.words.contains(&word))
            .count();
        assert_eq!(with_whole_word, n, "{word}");
    }
    for number in 0..24u8 {
        let name = format!("Photo{number}");
        let found = reader.matching(ItemKind::Image, &name, 1000).unwrap();
        let whole: Vec<ItemId> = found
            .iter()
            .filter(|found| found.words.contains(&name))
            .map(|found| found.id)
            .collect();
        let expected: Vec<ItemId> = model
            .files
            .get(&path(number))
            .map(|picture| {
                images
                    .iter()
                    .find(|(_, held)| *held == picture)
                    .map(|(&id, _)| id)
                    .unwrap()
            })
            .into_iter()
            .collect();
        assert_eq!(whole, expected, "{name}");
    }
}

static N_COMPACTED: AtomicUsize = AtomicUsize::new(0);

#[test]
fn any_sequence_of_operations_agrees_with_the_model() {
    static N_RUN: AtomicUsize = AtomicUsize::new(0);
    let config = Config {
        cases: 24,
        failure_persistence: None,
        max_shrink_iters: 60,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&operations(), |operations| {
        N_RUN.fetch_add(1, Ordering::Relaxed);
        run(&operations);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    assert_eq!(N_RUN.load(Ordering::Relaxed), 24);
    let n_compacted = N_COMPACTED.load(Ordering::Relaxed);
    assert!(n_compacted >= 10, "{n_compacted}");
}
