//! Lists of captions of any length, and what of them is encoded and committed when.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sightline_index::{IndexReader, ItemId, ItemKind};

use crate::engine::tests::{Place, RED};
use crate::engine::{Engine, IndexReport, IndexRequest, Progress, Stage, fake};

/// A place with a list of captions, and the texts that were encoded.
struct Lists {
    place: Place,
    list: PathBuf,
    encoded: Arc<Mutex<Vec<String>>>,
}

impl Lists {
    fn new() -> Self {
        let place = Place::new();
        let list = place.photos.parent().unwrap().join("list.txt");
        Self {
            place,
            list,
            encoded: Arc::default(),
        }
    }

    fn write(&self, lines: impl IntoIterator<Item = String>) {
        let lines: Vec<String> = lines.into_iter().collect();
        fs_err::write(&self.list, lines.join("\n")).unwrap();
    }

    fn index(
        &self,
        request: &IndexRequest,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> IndexReport {
        let encoded = Arc::clone(&self.encoded);
        let encoders = fake::encoders_with_watched_texts("one", move |texts| {
            assert!(texts.len() <= 32, "{} in a batch", texts.len());
            let mut encoded = encoded.lock().unwrap();
            encoded.extend(texts.iter().map(|&text| text.to_owned()));
        });
        let engine = Engine::open(&self.place.index, encoders);
        engine
            .index(request, &mut |progress_now| progress(progress_now))
            .unwrap()
    }

    /// Indexes the list; how many captions were added and removed, and how many texts encoded.
    fn index_list(&self) -> [usize; 3] {
        let report = self.index(&self.request(), &mut |_| ControlFlow::Continue(()));
        let n_encoded = self.take_encoded().len();
        let faults = report.skipped.iter().map(|one| one.reason.as_str());
        let is_empty = fs_err::metadata(&self.list).unwrap().len() == 0;
        let expected = is_empty.then_some("it has no captions");
        assert_eq!(faults.collect::<Vec<_>>(), Vec::from_iter(expected));
        [
            report.n_captions_added,
            report.n_captions_removed,
            n_encoded,
        ]
    }

    fn request(&self) -> IndexRequest {
        let captions = vec![self.list.clone()];
        IndexRequest {
            captions,
            ..IndexRequest::default()
        }
    }

    fn take_encoded(&self) -> Vec<String> {
        std::mem::take(&mut *self.encoded.lock().unwrap())
    }

    fn listed(&self) -> Vec<(String, ItemId)> {
        assert_eq!(sightline_index::check(&self.place.index).unwrap(), []);
        let reader = IndexReader::open(&self.place.index, None).unwrap();
        let captions = reader.captions_alone().unwrap().into_iter();
        captions.map(|caption| (caption.text, caption.id)).collect()
    }

    fn texts(&self) -> Vec<String> {
        self.listed().into_iter().map(|caption| caption.0).collect()
    }
}

fn line(number: usize) -> String {
    format!("red number {number}")
}

#[test]
fn only_new_lines_of_a_list_are_encoded() {
    let lists = Lists::new();
    lists.write((0..300).map(line));
    assert_eq!(lists.index_list(), [300, 0, 300]);
    let before: BTreeMap<String, ItemId> = lists.listed().into_iter().collect();
    // Appended, removed, inserted, and in another order.
    let rows: [(Vec<usize>, [usize; 3]); 5] = [
        ((0..301).collect(), [1, 0, 1]),
        (
            (0..301).filter(|number| number % 3 > 0).collect(),
            [0, 101, 0],
        ),
        ((300..302).chain(1..3).collect(), [2, 198, 2]),
        (vec![2, 301, 300, 1], [0, 0, 0]),
        (vec![2, 1], [0, 2, 0]),
    ];
    for (numbers, expected) in rows {
        lists.write(numbers.iter().copied().map(line));
        assert_eq!(lists.index_list(), expected, "{numbers:?}");
        let texts: Vec<String> = numbers.iter().copied().map(line).collect();
        assert_eq!(lists.texts(), texts);
        assert_eq!(lists.index_list(), [0, 0, 0]);
    }
    assert_eq!(lists.listed()[0].1, before[&line(2)]);
    lists.write([]);
    assert_eq!(lists.index_list(), [0, 2, 0]);
    assert_eq!(lists.texts(), Vec::<String>::new());
}

#[test]
fn a_long_list_is_committed_while_it_is_encoded() {
    let lists = Lists::new();
    lists.write((0..1_000).map(line));
    let request = IndexRequest {
        commit_every: 100,
        ..lists.request()
    };
    let mut n_seen = Vec::new();
    let report = lists.index(&request, &mut |progress| {
        if progress.stage == Stage::Captions {
            assert_eq!(progress.n_total, 1_000);
            let counts = IndexReader::open(&lists.place.index, None)
                .unwrap()
                .counts();
            n_seen.push((progress.n_done as u64, counts.n_captions));
        }
        ControlFlow::Continue(())
    });
    assert_eq!(report.n_captions_added, 1_000);
    assert!(n_seen.len() > 30, "{n_seen:?}");
    for (n_done, n_committed) in n_seen {
        let n_pending = n_done - n_committed;
        assert!(n_pending < 132, "{n_done} encoded, {n_committed} committed");
    }
}

#[test]
fn a_stopped_list_keeps_what_was_encoded_and_the_next_run_encodes_the_rest() {
    let lists = Lists::new();
    lists.write((0..50).map(line));
    assert_eq!(lists.index_list(), [50, 0, 50]);
    let before = lists.listed();
    // New lines before, between and after the old ones.
    let numbers = || (100..400).chain(20..40).chain(400..700);
    lists.write(numbers().map(line));
    let report = lists.index(&lists.request(), &mut |progress| {
        if progress.stage == Stage::Captions && progress.n_done >= 350 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(report.interrupted);
    let n_added = report.n_captions_added;
    assert_eq!(lists.take_encoded().len(), n_added);
    assert!((300..420).contains(&n_added), "{n_added}");
    // Nothing is removed before all is there.
    assert_eq!(report.n_captions_removed, 0);
    assert_eq!(lists.listed().len(), 50 + n_added);
    assert_eq!(lists.listed()[..50], before);
    let n_left = 600 - n_added;
    assert_eq!(lists.index_list(), [n_left, 30, n_left]);
    assert_eq!(lists.texts(), numbers().map(line).collect::<Vec<_>>());
    let after: BTreeMap<String, ItemId> = lists.listed().into_iter().collect();
    assert!(before[20..40].iter().all(|(text, id)| after[text] == *id));
}

#[test]
fn equal_captions_of_many_pictures_are_encoded_once() {
    let lists = Lists::new();
    for number in 0..60 {
        let name = format!("{number}.png");
        lists.place.draw(&name, RED, 30 + number);
        let label = if number % 2 == 0 { "red" } else { "red door" };
        let sidecar = Path::new(&name).with_extension("txt");
        fs_err::write(lists.place.photos.join(sidecar), label).unwrap();
    }
    let request = IndexRequest::folder(&lists.place.photos);
    let report = lists.index(&request, &mut |_| ControlFlow::Continue(()));
    assert_eq!(report.n_captions_added, 60);
    assert_eq!(lists.take_encoded(), ["red", "red door"]);
    let status = Engine::status(&lists.place.index).unwrap();
    assert_eq!((status.n_captions, status.n_captions_alone), (60, 0));
}

#[test]
fn sidecars_of_many_copies_of_a_picture_follow_their_files() {
    let lists = Lists::new();
    let place = &lists.place;
    for number in 0..40 {
        place.draw(&format!("{number}.png"), RED, 30);
        let sidecar = place.photos.join(format!("{number}.txt"));
        fs_err::write(sidecar, line(number)).unwrap();
    }
    assert_eq!(place.index().n_captions_added, 40);
    // One file with its sidecar, one without, one sidecar without its file.
    for name in ["3.png", "3.txt", "5.png", "7.txt"] {
        fs_err::remove_file(place.photos.join(name)).unwrap();
    }
    let report = place.index();
    assert_eq!((report.n_removed, report.n_captions_removed), (2, 3));
    let status = Engine::status(&place.index).unwrap();
    assert_eq!((status.n_images, status.n_files), (1, 38));
    assert_eq!(status.n_captions, 37);
    assert_eq!(sightline_index::check(&place.index).unwrap(), []);
}

/// As many captions as are worth a graph.
#[test]
fn a_run_that_is_stopped_builds_nothing_and_the_next_one_does() {
    let lists = Lists::new();
    lists.write((0..8_200).map(line));
    let request = IndexRequest {
        commit_every: usize::MAX,
        commit_interval: Duration::MAX,
        ..lists.request()
    };
    let n_graphs = || {
        let reader = IndexReader::open(&lists.place.index, None).unwrap();
        assert!(reader.counts().n_captions >= 8_192);
        reader.n_graphs(ItemKind::Caption)
    };
    let mut n_built = 0;
    let stopped = lists.index(&request, &mut |progress| {
        n_built += usize::from(progress.stage == Stage::Building);
        match progress.stage {
            Stage::Captions if progress.n_done >= 8_192 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    assert!(stopped.interrupted);
    assert_eq!((n_built, n_graphs()), (0, 0));
    let stopped = lists.index(&request, &mut |progress| match progress.stage {
        Stage::Building => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(stopped.interrupted, "building can be stopped");
    assert_eq!(n_graphs(), 0);
    let whole = lists.index(&request, &mut |_| ControlFlow::Continue(()));
    assert!(!whole.interrupted);
    assert_eq!(n_graphs(), 1);
}
