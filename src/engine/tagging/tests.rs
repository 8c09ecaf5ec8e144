//! Tags and phrases with real pictures, a real index and a fake encoder that knows colours.

use std::ops::ControlFlow;
use std::path::PathBuf;

use sightline_index::{Filter, ItemKind};
use sightline_onnx::{Calibration, Unrelated};
use sightline_picture::sidecar_metadata;

use crate::engine::tests::{BLUE, GREEN, Place, RED, name};
use crate::engine::{
    CaptionSource, Condition, DescribeRequest, DescriptionHits, Engine, EngineError, IndexRequest,
    Key, NoCaptions, Part, Progress, Query, SearchRequest, Stage, TagReport, TagRequest, fake,
    quietly,
};

/// A colour is seen from a cosine of 0.7 on.
fn calibration(mean: f32) -> Option<Calibration> {
    let unrelated = Unrelated::new(mean, 0.1)?;
    Some(Calibration {
        text_picture: unrelated,
        text_text: unrelated,
        picture_picture: unrelated,
    })
}

fn calibrated(place: &Place, mean: f32) -> Engine {
    let encoders = fake::encoders("one").with_calibration(calibration(mean));
    Engine::open(&place.index, encoders)
}

fn labels(place: &Place) -> PathBuf {
    let path = place.index.with_extension("labels");
    fs_err::write(&path, "# colours\nred\ntone: green\ntone: blue\n").unwrap();
    path
}

fn request(place: &Place) -> TagRequest {
    TagRequest {
        labels: Some(labels(place)),
        ..TagRequest::new([&place.photos])
    }
}

fn tag(place: &Place, request: &TagRequest) -> TagReport {
    let engine = calibrated(place, 0.3);
    engine.tag(request, &mut quietly).unwrap()
}

fn tags(report: &TagReport) -> Vec<(String, Vec<&str>)> {
    let pictures = report.pictures.iter();
    let names = pictures.map(|picture| {
        let tags = picture.tags.iter().map(|tag| tag.name.as_str());
        (name(&picture.path), tags.collect())
    });
    names.collect()
}

fn three_colours() -> Place {
    let place = Place::new();
    place.draw("a.png", RED, 30);
    place.draw("b.png", GREEN, 31);
    place.draw("c.png", BLUE, 32);
    place
}

#[test]
fn pictures_are_tagged_with_or_without_an_index() {
    let place = three_colours();
    fs_err::write(place.photos.join("d.png"), "no picture").unwrap();
    let alone = tag(&place, &request(&place));
    let expected = [
        ("a.png".to_owned(), vec!["red"]),
        ("b.png".to_owned(), vec!["green"]),
        ("c.png".to_owned(), vec!["blue"]),
    ];
    assert_eq!(tags(&alone), expected);
    assert_eq!(alone.skipped.len(), 1);
    assert_eq!(name(&alone.skipped[0].path), "d.png");
    assert_eq!(alone.pictures[1].tags[0].set.as_deref(), Some("tone"));
    place.index();
    let mut indexed = tag(&place, &request(&place));
    assert_eq!(tags(&indexed), expected);
    // Of a picture on a disk that is not mounted, the index has the vector.
    let missing = place.photos.join("a.png");
    fs_err::remove_file(&missing).unwrap();
    indexed = tag(
        &place,
        &TagRequest {
            paths: vec![missing.clone(), missing],
            ..request(&place)
        },
    );
    assert_eq!(tags(&indexed), expected[..1]);
}

#[test]
fn labels_that_are_unknown_or_there_again_are_left_out() {
    let place = three_colours();
    let path = labels(&place);
    fs_err::write(&path, "red\n\nRed\n红\ngreen\n").unwrap();
    // The fake encoder returns the same for all that it does not know.
    let report = tag(
        &place,
        &TagRequest {
            labels: Some(path),
            min_confidence: 0.0,
            ..TagRequest::new([&place.photos])
        },
    );
    for picture in &report.pictures {
        let mut names: Vec<&str> = picture.tags.iter().map(|tag| tag.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["green", "red"]);
    }
    assert_eq!(report.pictures.len(), 3);
    assert_eq!(report.labels.unknown, ["红"]);
    let repeated = &report.labels.repeated;
    assert_eq!((repeated.len(), repeated[0].line), (1, 3));
    assert_eq!(repeated[0].name, "Red");
}

#[test]
fn pictures_without_a_file_are_tagged_before_the_others() {
    let place = three_colours();
    let bytes = fs_err::read(place.photos.join("b.png")).unwrap();
    let given = vec![
        ("one".into(), bytes),
        ("two".into(), b"not a picture".to_vec()),
    ];
    let report = tag(
        &place,
        &TagRequest {
            given,
            write_xmp: true,
            ..request(&place)
        },
    );
    let alone = tag(&place, &request(&place));
    let alone = tags(&alone);
    let found = tags(&report);
    assert_eq!(found[1..], alone[..]);
    assert_eq!(found[0].0, "one");
    assert_eq!(found[0].1, alone[1].1);
    assert!(!alone[1].1.is_empty());
    assert_eq!(report.skipped[0].path, PathBuf::from("two"));
    assert_eq!(report.unwritten[0].path, PathBuf::from("one"));
}

#[test]
fn what_cannot_be_tagged_is_an_error_before_anything_is_written() {
    let place = three_colours();
    let save = TagRequest {
        save: true,
        ..request(&place)
    };
    let refused = |engine: Engine, request: &TagRequest| {
        let error = engine.tag(request, &mut quietly).unwrap_err();
        error.to_string()
    };
    let error = refused(calibrated(&place, 0.3), &save);
    assert!(error.contains("no index here"), "{error}");
    let error = refused(place.engine(), &request(&place));
    assert!(error.contains("is not calibrated"), "{error}");
    let missing = TagRequest::new([place.photos.join("e.png")]);
    let error = refused(calibrated(&place, 0.3), &missing);
    assert!(error.contains("e.png"), "{error}");
    fs_err::write(labels(&place), "red\n: \n").unwrap();
    let bad = TagRequest {
        labels: Some(place.index.with_extension("labels")),
        write_xmp: true,
        ..TagRequest::new([&place.photos])
    };
    let error = refused(calibrated(&place, 0.3), &bad);
    assert!(error.contains("line 2: expected `label`"), "{error}");
    fs_err::write(labels(&place), "rot–\n").unwrap();
    let error = refused(calibrated(&place, 0.3), &bad);
    let expected = "the model knows none of the labels";
    assert!(error.contains(expected), "{error}");
    assert_eq!(fs_err::read_dir(&place.photos).unwrap().count(), 3);
}

#[test]
fn saved_tags_replace_those_stored_before_and_later_runs_keep_them() {
    let place = three_colours();
    place.index();
    place.draw("new.png", RED, 40);
    let save = TagRequest {
        save: true,
        ..request(&place)
    };
    let report = tag(&place, &save);
    assert_eq!((report.n_saved, report.n_not_indexed), (3, 1));
    let tagged = |tag: &str| {
        let condition = Condition::new(Key::Tag, tag).unwrap();
        let request = SearchRequest::new(Query::default().under(condition), 10);
        let hits = place.engine().search(&request).unwrap();
        let names = hits.iter().map(|hit| (name(hit.path()), hit.tags.clone()));
        names.collect::<Vec<_>>()
    };
    let red = [("a.png".to_owned(), vec!["red".to_owned()])];
    assert_eq!(tagged("red"), red);
    place.index();
    assert_eq!(tagged("red"), red);
    // At this confidence there are none.
    let none = TagRequest {
        min_confidence: 1.0,
        ..save
    };
    assert_eq!(tag(&place, &none).n_saved, 4);
    assert_eq!(tagged("red"), []);
}

#[test]
fn indexing_tags_pictures_that_have_no_tags_yet() {
    let place = three_colours();
    // With unrelated pairs that far off, every tag is likely.
    let engine = calibrated(&place, -1.0);
    let request = IndexRequest {
        tag: true,
        ..IndexRequest::folder(&place.photos)
    };
    let index = |request: &IndexRequest| engine.index(request, &mut quietly).unwrap().n_tagged;
    assert_eq!(index(&request), Some(3));
    assert_eq!(index(&request), Some(0));
    place.draw("d.png", RED, 33);
    assert_eq!(index(&IndexRequest::folder(&place.photos)), None);
    let n_dogs = || {
        let reader = engine.reader().unwrap();
        let filter = Filter::Tag("dog".to_owned());
        reader.select(ItemKind::Image, &filter).unwrap().len()
    };
    assert_eq!(n_dogs(), 3);
    assert_eq!(index(&request), Some(1));
    assert_eq!(n_dogs(), 4);
    // A model that says nothing about tags cannot give any.
    let error = place.engine().index(
        &IndexRequest {
            tag: true,
            ..IndexRequest::folder(place.draw("more/e.png", RED, 34).parent().unwrap())
        },
        &mut quietly,
    );
    assert!(matches!(error, Err(EngineError::TagsNotCalibrated { .. })));
}

#[test]
fn pictures_that_got_no_tag_are_not_tagged_again() {
    let place = three_colours();
    // With unrelated pairs that near, no tag is likely.
    let [unlikely, likely] = [1.0, -1.0].map(|mean| calibrated(&place, mean));
    let request = IndexRequest {
        tag: true,
        ..IndexRequest::folder(&place.photos)
    };
    // Images that got tags, and images that were compared with tags.
    let index = |engine: &Engine| {
        let mut n_compared = 0;
        let report = engine.index(&request, &mut |now| {
            if now.stage == Stage::Tagging {
                n_compared = now.n_total;
            }
            ControlFlow::Continue(())
        });
        (report.unwrap().n_tagged.unwrap(), n_compared)
    };
    assert_eq!(index(&unlikely), (0, 3));
    assert_eq!(index(&unlikely), (0, 0));
    assert_eq!(index(&likely), (0, 0));
    place.draw("d.png", RED, 33);
    assert_eq!(index(&likely), (1, 1));
    // Nor those that have none of the user's own labels.
    place.draw("e.png", RED, 34);
    place.index();
    let own = TagRequest {
        save: true,
        min_confidence: 1.0,
        ..self::request(&place)
    };
    assert_eq!(tag(&place, &own).n_saved, 5);
    assert_eq!(index(&likely), (0, 0));
}

#[test]
fn indexing_that_is_stopped_while_it_tags_goes_on_later() {
    let place = three_colours();
    for number in 0..70 {
        place.draw(&format!("more/{number}.png"), RED, 40 + number);
    }
    let engine = calibrated(&place, -1.0);
    let request = IndexRequest {
        tag: true,
        ..IndexRequest::folder(&place.photos)
    };
    let mut stop = |now: &Progress| match (now.stage, now.n_done) {
        (Stage::Tagging, 1..) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let report = engine.index(&request, &mut stop).unwrap();
    assert_eq!((report.n_tagged, report.interrupted), (Some(64), true));
    let report = engine.index(&request, &mut quietly).unwrap();
    assert_eq!((report.n_tagged, report.interrupted), (Some(9), false));
}

#[test]
fn tags_are_merged_into_sidecars_and_nothing_else_changes() {
    let place = three_colours();
    let [of_a, of_b, of_c] =
        ["a.png.xmp", "b.xmp", "c.png.xmp"].map(|name| place.photos.join(name));
    let rated = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF \
                 xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description \
                 rdf:about='' xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmp:Rating='5'/></rdf:RDF>\
                 </x:xmpmeta>";
    fs_err::write(&of_b, rated).unwrap();
    fs_err::write(&of_c, "<broken").unwrap();
    let pictures = ["a.png", "b.png", "c.png"].map(|name| place.photos.join(name));
    let before = pictures.each_ref().map(|path| fs_err::read(path).unwrap());
    let write = TagRequest {
        write_xmp: true,
        ..request(&place)
    };
    let report = tag(&place, &write);
    let written: Vec<_> = report
        .pictures
        .iter()
        .map(|one| one.sidecar.as_ref())
        .collect();
    assert!(written[0].is_some_and(|one| one.path == of_a && one.is_changed));
    assert!(written[1].is_some_and(|one| one.path == of_b && one.is_changed));
    assert_eq!((written[2], report.unwritten.len()), (None, 1));
    assert_eq!(report.unwritten[0].path, of_c);
    assert_eq!(fs_err::read_to_string(&of_c).unwrap(), "<broken");
    let keywords = |path| {
        sidecar_metadata(&fs_err::read(path).unwrap())
            .unwrap()
            .keywords
    };
    assert_eq!(
        (keywords(&of_a), keywords(&of_b)),
        (vec!["red".into()], vec!["green".into()])
    );
    let merged = fs_err::read_to_string(&of_b).unwrap();
    assert!(merged.contains("xmp:Rating='5'"));
    let again = tag(&place, &write);
    let changed = again.pictures.iter().filter_map(|one| one.sidecar.as_ref());
    assert_eq!(
        changed.map(|one| one.is_changed).collect::<Vec<_>>(),
        [false, false]
    );
    assert_eq!(fs_err::read_to_string(&of_b).unwrap(), merged);
    assert_eq!(
        pictures.each_ref().map(|path| fs_err::read(path).unwrap()),
        before
    );
}

#[test]
fn pictures_that_share_a_name_get_a_sidecar_each() {
    let place = three_colours();
    place.draw("a.jpg", GREEN, 33);
    let empty = sightline_picture::with_keywords(None, &["sea"]);
    let empty = empty.unwrap().unwrap();
    let file = |name: &str| place.photos.join(name);
    for name in ["a.xmp", "b.xmp"] {
        fs_err::write(file(name), &empty).unwrap();
    }
    let write = TagRequest {
        write_xmp: true,
        ..request(&place)
    };
    let report = tag(&place, &write);
    let sidecars = report.pictures.iter().map(|one| one.sidecar.as_ref());
    let names: Vec<_> = sidecars.map(|one| name(&one.unwrap().path)).collect();
    assert_eq!(names, ["a.jpg.xmp", "a.png.xmp", "b.xmp", "c.png.xmp"]);
    assert_eq!(fs_err::read_to_string(file("a.xmp")).unwrap(), empty);
    // What is written for one is not found for the other; what is for both is.
    place.index();
    let found = |tag: &str| {
        let condition = Condition::new(Key::Tag, tag).unwrap();
        let request = SearchRequest::new(Query::default().under(condition), 10);
        let hits = place.engine().search(&request).unwrap();
        let mut names: Vec<_> = hits.iter().map(|hit| name(hit.path())).collect();
        names.sort();
        names
    };
    assert_eq!(found("red"), ["a.png"]);
    assert_eq!(found("green"), ["a.jpg", "b.png"]);
    assert_eq!(found("sea"), ["a.jpg", "a.png", "b.png"]);
}

#[test]
fn what_a_killed_run_left_beside_pictures_is_removed() {
    let place = three_colours();
    let left = place.photos.join(".sightline-0aB3456789.tmp");
    let other = place.photos.join(".sightline-notes.tmp");
    for path in [&left, &other] {
        fs_err::write(path, "<x").unwrap();
    }
    let write = TagRequest {
        write_xmp: true,
        ..request(&place)
    };
    tag(&place, &request(&place));
    assert!(left.exists(), "nothing was to be written");
    tag(&place, &write);
    assert!(!left.exists() && other.exists());
}

#[cfg(unix)]
#[test]
fn links_and_permissions_of_sidecars_stay() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let place = three_colours();
    let [of_a, of_b, of_c] =
        ["a.png.xmp", "b.png.xmp", "c.png.xmp"].map(|name| place.photos.join(name));
    let elsewhere = place.photos.join("elsewhere.txt");
    let empty = sightline_picture::with_keywords(None, &["sea"])
        .unwrap()
        .unwrap();
    fs_err::write(&elsewhere, &empty).unwrap();
    fs_err::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&elsewhere, &of_a).unwrap();
    symlink("missing.xmp", &of_b).unwrap();
    fs_err::write(&of_c, &empty).unwrap();
    fs_err::hard_link(&of_c, place.photos.join("other name")).unwrap();
    let write = TagRequest {
        write_xmp: true,
        ..request(&place)
    };
    let report = tag(&place, &write);
    assert!(of_a.is_symlink() && of_b.is_symlink() && !of_b.exists());
    let changed = fs_err::read_to_string(&elsewhere).unwrap();
    assert!(
        changed.contains("red") && changed.contains("sea"),
        "{changed}"
    );
    let mode = fs_err::metadata(&elsewhere).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs_err::read_to_string(&of_c).unwrap(), empty);
    let unwritten: Vec<_> = report.unwritten.iter().map(|one| &one.path).collect();
    assert_eq!(unwritten, [&of_b, &of_c]);
}

#[test]
fn a_run_that_is_stopped_says_so() {
    let place = three_colours();
    let stop = &mut |_: &_| ControlFlow::Break(());
    let engine = calibrated(&place, 0.3);
    let report = engine.tag(&request(&place), stop).unwrap();
    assert!(report.interrupted && report.pictures.is_empty());
    let report = engine.tag(&TagRequest::new([&place.photos]), stop).unwrap();
    assert!(report.interrupted);
}

#[test]
fn the_bank_answers_where_nobody_wrote_captions() {
    let place = three_colours();
    let red = place.photos.join("a.png");
    let describe = |from| {
        let request = DescribeRequest {
            picture: Part::picture(&red),
            n: 3,
            min_confidence: None,
            from,
        };
        place.engine().describe(&request, &mut quietly)
    };
    let phrases = |from| {
        let found = describe(from).unwrap().unwrap();
        let DescriptionHits::Phrases(hits) = found.hits else {
            panic!("captions");
        };
        assert!(hits.iter().any(|hit| hit.text.contains("red")), "{hits:?}");
        assert!(
            hits.windows(2)
                .all(|pair| pair[0].similarity >= pair[1].similarity)
        );
        found.fallback
    };
    assert_eq!(phrases(None), Some(NoCaptions::NoIndex));
    assert_eq!(phrases(Some(CaptionSource::Bank)), None);
    let error = describe(Some(CaptionSource::Captions)).unwrap_err();
    assert!(error.to_string().contains("no index here"), "{error}");
    place.index();
    assert_eq!(phrases(None), Some(NoCaptions::NoneIndexed));
    fs_err::write(place.photos.join("a.txt"), "my red one\n").unwrap();
    place.index();
    let found = describe(None).unwrap().unwrap();
    assert_eq!(found.fallback, None);
    let DescriptionHits::Captions(hits) = found.hits else {
        panic!("phrases");
    };
    assert_eq!(hits[0].text, "my red one");
    assert_eq!(phrases(Some(CaptionSource::Bank)), None);
}
