//! Another model for an index that is there, on real pictures and fake encoders.

use sightline_index::IndexError;

use crate::engine::tests::{BLUE, GREEN, Place, RED, name};
use crate::engine::*;

fn change(place: &Place, encoders: Encoders, request: &IndexRequest) -> IndexReport {
    let request = IndexRequest {
        change_model: true,
        ..request.clone()
    };
    let engine = Engine::open(&place.index, encoders);
    engine.index(&request, &mut quietly).unwrap()
}

fn is_done(report: &IndexReport) -> bool {
    report.model_change.as_ref().unwrap().is_done
}

/// What is found for a few questions, with all that is told of it.
fn answers(engine: &Engine) -> Vec<String> {
    let mut answers = Vec::new();
    for text in ["red", "green", "blue", "door"] {
        let request = SearchRequest::text(text, 50);
        // What is equally near comes in the order in which it was put, which threads decide.
        let hits = engine.search(&request).unwrap();
        let told = |hit: &SearchHit| {
            let SearchHit {
                paths,
                similarity,
                words,
                captions,
                ..
            } = hit;
            format!("{paths:?} {similarity:?} {words:?} {captions:?}")
        };
        let mut hits: Vec<_> = hits.iter().map(told).collect();
        hits.sort();
        answers.extend(hits);
        let captions = engine.search_captions(&request).unwrap();
        let mut captions: Vec<_> = captions.iter().map(|hit| format!("{hit:?}")).collect();
        captions.sort();
        answers.extend(captions);
    }
    answers
}

/// A red, a green and a blue picture in two library folders, captions from everywhere.
fn with_captions() -> (Place, IndexRequest) {
    let place = Place::new();
    place.draw("a/red.png", RED, 30);
    place.draw("a/green.png", GREEN, 31);
    place.draw("b/blue.png", BLUE, 32);
    fs_err::write(place.photos.join("a/red.txt"), "a red door\n").unwrap();
    let lines = "{\"image\": \"green.png\", \"captions\": [\"green grass\", \"a green door\"]}\n";
    fs_err::write(place.photos.join("a/captions.jsonl"), lines).unwrap();
    fs_err::write(place.photos.join("list.txt"), "a blue lake\n").unwrap();
    let request = IndexRequest {
        folders: vec![place.photos.join("a"), place.photos.join("b")],
        captions: vec![
            place.photos.join("a/captions.jsonl"),
            place.photos.join("list.txt"),
        ],
        ..IndexRequest::default()
    };
    place.engine().index(&request, &mut quietly).unwrap();
    (place, request)
}

#[test]
fn everything_is_embedded_again_with_a_model_of_another_dimension() {
    let (place, request) = with_captions();
    let anew = Engine::open(place.index.join("../anew"), fake::wider_encoders("two"));
    anew.index(&request, &mut quietly).unwrap();
    let (expected, old) = (answers(&anew), place.engine());
    let with_old = answers(&old);
    assert_ne!(with_old, expected, "the similarities differ");

    // Only a wish changes the model.
    let encoders = || fake::wider_encoders("two");
    let unwilling = Engine::open(&place.index, encoders()).index(&request, &mut quietly);
    assert!(
        matches!(
            unwilling,
            Err(EngineError::Index(IndexError::OtherDimension {
                built_with: 4,
                asked: 5,
                ..
            }))
        ),
        "{unwilling:?}"
    );

    // The texts are those of the index: their files are not needed.
    fs_err::remove_file(place.photos.join("a/captions.jsonl")).unwrap();
    fs_err::remove_file(place.photos.join("list.txt")).unwrap();
    let planned = Engine::open(&place.index, encoders()).planned_change();
    let planned = planned.unwrap().unwrap();
    assert_eq!((planned.n_images, planned.n_before), (3, 0));
    assert_eq!((&*planned.from, &*planned.to), ("colours", "wide colours"));
    let report = change(&place, encoders(), &IndexRequest::default());
    assert!(is_done(&report), "{report:?}");
    assert_eq!((report.n_added, report.n_captions_added), (3, 4));
    let engine = Engine::open(&place.index, encoders());
    assert_eq!(answers(&engine), expected);
    assert_eq!(answers(&old), with_old, "what is open goes on");
    let status = Engine::status(&place.index).unwrap();
    assert_eq!((status.dimension, status.libraries.len()), (5, 2));
    assert_eq!((status.n_captions, status.unfinished), (4, None));
    assert_eq!(sightline_index::check(&place.index).unwrap(), []);
    let error = place.engine().search(&SearchRequest::text("red", 1));
    assert!(
        matches!(
            error,
            Err(EngineError::Index(IndexError::OtherDimension { .. }))
        ),
        "{error:?}"
    );
    // Once more is nothing to do, and an ordinary run.
    let request = IndexRequest {
        folders: request.folders,
        ..IndexRequest::default()
    };
    assert_eq!(engine.planned_change().unwrap(), None);
    let report = change(&place, encoders(), &request);
    assert_eq!((report.n_unchanged, report.model_change), (3, None));
}

#[test]
fn folders_and_captions_given_come_along() {
    let (place, request) = with_captions();
    place.draw("c/more.png", RED, 33);
    fs_err::write(place.photos.join("list.txt"), "a green lake\n").unwrap();
    let request = IndexRequest {
        folders: vec![place.photos.join("c")],
        ..request
    };
    let report = change(&place, fake::encoders("two"), &request);
    assert!(is_done(&report));
    assert_eq!((report.n_added, report.n_captions_added), (4, 4));
    let engine = Engine::open(&place.index, fake::encoders("two"));
    let lakes = engine
        .search_captions(&SearchRequest::text("lake", 1))
        .unwrap();
    assert_eq!(lakes[0].text, "a green lake");
    assert_eq!(Engine::status(&place.index).unwrap().libraries.len(), 3);
}

#[test]
fn an_interrupted_change_goes_on_and_a_third_model_begins_anew() {
    // More than all queues hold, so that it cannot be through before it is stopped.
    const N: u32 = 300;
    let place = Place::new();
    for i in 0..N {
        place.draw(&format!("{i}.png"), if i == 7 { BLUE } else { RED }, 30 + i);
    }
    place.index();
    let with_old = answers(&place.engine());
    let interrupted = |fingerprint: &str, n: usize| {
        let mut stop = |progress: &Progress| {
            if progress.n_done >= n {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let request = IndexRequest {
            change_model: true,
            ..IndexRequest::default()
        };
        let engine = Engine::open(&place.index, fake::encoders(fingerprint));
        let report = engine.index(&request, &mut stop).unwrap();
        assert!(report.interrupted && !is_done(&report));
        assert_eq!(answers(&place.engine()), with_old);
        let unfinished = UnfinishedChange::read(&place.index).unwrap().unwrap();
        assert_eq!(unfinished.fingerprint, fingerprint);
        let n_done = report.n_added + report.n_unchanged;
        assert_eq!(unfinished.n_images, n_done as u64);
        assert!((n..N as usize).contains(&n_done), "{n_done}");
        report
    };
    let first = interrupted("two", 20);
    // The old model's index is kept up to date meanwhile, and what is new in it comes along.
    place.draw("new.png", GREEN, 999);
    assert_eq!(place.index().n_added, 1);
    fs_err::remove_file(place.photos.join("new.png")).unwrap();
    assert_eq!(place.index().n_removed, 1);
    assert!(UnfinishedChange::read(&place.index).unwrap().is_some());

    let third = interrupted("three", 10);
    let change_of = |report: IndexReport| report.model_change.unwrap();
    assert_eq!(change_of(first).discarded, None);
    let third_change = change_of(third.clone());
    assert_eq!(third_change.discarded.as_deref(), Some("colours"));
    assert_eq!((third_change.n_before, third.n_unchanged), (0, 0));
    let report = change(&place, fake::encoders("three"), &IndexRequest::default());
    assert!(is_done(&report));
    assert_eq!(
        (report.n_unchanged, report.n_added),
        (third.n_added, N as usize - third.n_added)
    );
    let before = report.model_change.unwrap().n_before;
    assert_eq!(before, third.n_added as u64);
    let engine = Engine::open(&place.index, fake::encoders("three"));
    let hits = engine.search(&SearchRequest::text("blue", 1)).unwrap();
    assert_eq!(name(hits[0].path()), "7.png");
    assert_eq!(sightline_index::check(&place.index).unwrap(), []);
}

#[test]
fn a_library_that_is_away_or_empty_holds_the_change_back() {
    let (place, _) = with_captions();
    let (away, aside) = (place.photos.join("b"), place.photos.join("aside"));
    let with_old = answers(&place.engine());
    let nothing = IndexRequest::default();
    for empty in [false, true] {
        fs_err::rename(&away, &aside).unwrap();
        if empty {
            fs_err::create_dir(&away).unwrap();
        }
        let report = change(&place, fake::encoders("two"), &nothing);
        assert!(!is_done(&report) && !report.interrupted);
        assert_eq!(report.held_back, [(away.clone(), 1)]);
        assert_eq!(answers(&place.engine()), with_old);
        if empty {
            fs_err::remove_dir(&away).unwrap();
        }
        fs_err::rename(&aside, &away).unwrap();
    }
    // A single file that is gone leaves, as ever.
    fs_err::remove_file(place.photos.join("a/red.png")).unwrap();
    fs_err::remove_dir_all(&away).unwrap();
    let report = change(&place, fake::encoders("two"), &nothing);
    assert_eq!(report.held_back, [(away, 1)]);
    let prune = IndexRequest {
        prune: true,
        ..nothing
    };
    let report = change(&place, fake::encoders("two"), &prune);
    assert!(is_done(&report));
    assert_eq!(report.held_back, []);
    let status = Engine::status(&place.index).unwrap();
    assert_eq!((status.n_images, status.n_captions), (1, 3));
    assert_eq!(sightline_index::check(&place.index).unwrap(), []);
}
