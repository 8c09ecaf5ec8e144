//! Changes of the model of an index, on real pictures with fake encoders.

use std::ops::ControlFlow;
use std::path::Path;

use sightline_index::{IndexError, IndexReader, IndexWriter, Item, ItemKind};

use crate::engine::exchange::ExportRequest;
use crate::engine::tests::{BLUE, GREEN, Place, RED, name};
use crate::engine::{
    Encoders, Engine, EngineError, Filter, IndexReport, IndexRequest, Progress, SearchHit,
    SearchRequest, UnfinishedChange, fake, quietly,
};

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

/// The hits of a few queries, with everything that is reported of them.
fn answers(engine: &Engine) -> Vec<String> {
    let mut answers = Vec::new();
    for text in ["red", "green", "blue", "door"] {
        let request = SearchRequest::text(text, 50);
        // The order of equally near hits depends on the threads that indexed them.
        let hits = engine.search(&request).unwrap();
        let shown = |hit: &SearchHit| {
            let SearchHit {
                paths,
                similarity,
                words,
                captions,
                ..
            } = hit;
            format!("{paths:?} {similarity:?} {words:?} {captions:?}")
        };
        let mut hits: Vec<_> = hits.iter().map(shown).collect();
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
fn everything_is_embedded_again_even_with_another_dimension() {
    let (place, request) = with_captions();
    let scratch = Engine::open(place.index.join("../scratch"), fake::wider_encoders("two"));
    scratch.index(&request, &mut quietly).unwrap();
    let (expected, old) = (answers(&scratch), place.engine());
    let with_old = answers(&old);
    assert_ne!(with_old, expected, "the similarities differ");

    // Only on request.
    let encoders = || fake::wider_encoders("two");
    let refused = Engine::open(&place.index, encoders()).index(&request, &mut quietly);
    assert!(
        matches!(
            refused,
            Err(EngineError::Index(IndexError::OtherDimension {
                built_with: 4,
                asked: 5,
                ..
            }))
        ),
        "{refused:?}"
    );

    // The texts come from the index; their files are not needed.
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
    assert_eq!(answers(&old), with_old, "open readers keep working");
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
    // The same again is an ordinary run with nothing to do.
    let request = IndexRequest {
        folders: request.folders,
        ..IndexRequest::default()
    };
    assert_eq!(engine.planned_change().unwrap(), None);
    let report = change(&place, encoders(), &request);
    assert_eq!((report.n_unchanged, report.model_change), (3, None));
}

#[test]
fn tags_survive_a_change_of_the_model_and_an_export() {
    let (place, request) = with_captions();
    let binding = fake::encoders("one").binding();
    let mut writer = IndexWriter::open_or_create(&place.index, &binding).unwrap();
    let red = place.photos.join("a/red.png");
    let image = writer.file(&red).unwrap().unwrap().image;
    writer.set_tags(image, ["Best".to_owned()]).unwrap();
    let blue = writer.file(&place.photos.join("b/blue.png")).unwrap();
    writer.set_tags(blue.unwrap().image, []).unwrap();
    writer.finish().unwrap();
    let tagged = |index: &Path| {
        let reader = IndexReader::open(index, None).unwrap();
        let all = reader.select(ItemKind::Image, &Filter::All(Vec::new()));
        let images = all.unwrap().iter().collect::<Vec<_>>().into_iter();
        let mut tagged = images
            .filter_map(|id| match reader.item(id).unwrap() {
                Some(Item::Image(image)) if image.is_tagged => Some(name(&image.paths[0])),
                _ => None,
            })
            .collect::<Vec<_>>();
        tagged.sort();
        tagged
    };
    let all_tagged = ["blue.png", "red.png"];
    assert_eq!(tagged(&place.index), all_tagged);
    let found = |engine: &Engine, filter| {
        let request = SearchRequest {
            filter: Some(filter),
            ..SearchRequest::text("door", 9)
        };
        let images = engine.search(&request).unwrap();
        let captions = engine.search_captions(&request).unwrap();
        let images: Vec<String> = images.iter().map(|hit| name(hit.path())).collect();
        let captions: Vec<String> = captions.into_iter().map(|hit| hit.text).collect();
        (images, captions)
    };
    let tag = || Filter::Tag("best".into());
    let expected = (vec!["red.png".to_owned()], vec!["a red door".to_owned()]);
    assert_eq!(found(&place.engine(), tag()), expected);
    let folder = Filter::Folder(place.photos.join("b"));
    let blue = found(&place.engine(), folder);
    assert_eq!(blue, (vec!["blue.png".to_owned()], vec![]));

    let encoders = || fake::wider_encoders("two");
    assert!(is_done(&change(&place, encoders(), &request)));
    let engine = Engine::open(&place.index, encoders());
    assert_eq!(found(&engine, tag()), expected);
    assert_eq!(tagged(&place.index), all_tagged);

    let exported = place.index.with_file_name("exported");
    let to = ExportRequest {
        to: exported.clone(),
        force: false,
    };
    Engine::export(&place.index, &to).unwrap();
    let copy = place.index.with_file_name("copy");
    for _ in 0..2 {
        Engine::import(&copy, &exported, &mut |_| {}).unwrap();
        assert_eq!(found(&Engine::open(&copy, encoders()), tag()), expected);
        assert_eq!(tagged(&copy), all_tagged);
    }
    // Tags of an image that the index has already are joined.
    let binding = encoders().binding();
    let mut writer = IndexWriter::open_or_create(&copy, &binding).unwrap();
    let image = writer.file(&red).unwrap().unwrap().image;
    writer.set_tags(image, ["own".to_owned()]).unwrap();
    writer.finish().unwrap();
    Engine::import(&copy, &exported, &mut |_| {}).unwrap();
    let engine = Engine::open(&copy, encoders());
    for tag in ["own", "best"] {
        let found = found(&engine, Filter::Tag(tag.into()));
        assert_eq!(found, expected, "{tag}");
    }
}

#[test]
fn a_change_also_indexes_the_given_folders_and_captions() {
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
fn an_interrupted_change_is_continued_and_a_third_model_starts_over() {
    // More than all queues hold, so that the run cannot end before it is stopped.
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
    // The index of the old model can be updated meanwhile.
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
fn an_emptied_folder_of_many_pictures_holds_the_change_back() {
    let place = Place::new();
    place.draw("own.png", RED, 20);
    for number in 0..10 {
        place.draw(&format!("disk/{number}.png"), BLUE, 30 + number);
    }
    place.index();
    let (disk, aside) = (place.photos.join("disk"), place.photos.join("aside"));
    fs_err::rename(&disk, &aside).unwrap();
    fs_err::create_dir(&disk).unwrap();
    // Found in another folder, nothing is missing.
    let nothing = IndexRequest::default();
    let report = change(&place, fake::encoders("two"), &nothing);
    assert!(is_done(&report));
    assert_eq!(report.held_back, []);
    let elsewhere = place.photos.with_file_name("elsewhere");
    fs_err::remove_dir(&disk).unwrap();
    fs_err::rename(&aside, &disk).unwrap();
    Engine::open(&place.index, fake::encoders("two"))
        .index(&IndexRequest::folder(&place.photos), &mut quietly)
        .unwrap();
    fs_err::rename(&disk, &elsewhere).unwrap();
    fs_err::create_dir(&disk).unwrap();
    let report = change(&place, fake::encoders("three"), &nothing);
    assert!(!is_done(&report));
    assert_eq!(report.held_back, [(disk, 10)]);
}

#[test]
fn a_missing_or_empty_library_folder_holds_the_change_back() {
    let (place, _) = with_captions();
    let (missing, aside) = (place.photos.join("b"), place.photos.join("aside"));
    let with_old = answers(&place.engine());
    let nothing = IndexRequest::default();
    for empty in [false, true] {
        fs_err::rename(&missing, &aside).unwrap();
        if empty {
            fs_err::create_dir(&missing).unwrap();
        }
        let report = change(&place, fake::encoders("two"), &nothing);
        assert!(!is_done(&report) && !report.interrupted);
        assert_eq!(report.held_back, [(missing.clone(), 1)]);
        assert_eq!(answers(&place.engine()), with_old);
        if empty {
            fs_err::remove_dir(&missing).unwrap();
        }
        fs_err::rename(&aside, &missing).unwrap();
    }
    // A single deleted file is removed as usual.
    fs_err::remove_file(place.photos.join("a/red.png")).unwrap();
    fs_err::remove_dir_all(&missing).unwrap();
    let report = change(&place, fake::encoders("two"), &nothing);
    assert_eq!(report.held_back, [(missing, 1)]);
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
