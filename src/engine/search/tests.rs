//! Mixed, restricted and refused queries on a real index with a fake encoder.

use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::engine::tests::{BLUE, GREEN, Place, RED, name};
use crate::engine::{Engine, fake};

/// Six pictures in two folders, three with captions.
fn place() -> Place {
    let place = Place::new();
    place.draw("Italy/Rome/red.png", RED, 30);
    place.draw("Italy/Rome/green.png", GREEN, 31);
    place.draw("Italy/blue.jpg", BLUE, 10);
    place.draw("spain/purple.png", [130, 20, 130], 20);
    place.draw("spain/yellow.jpeg", [200, 180, 20], 34);
    place.draw("white.png", [240, 240, 240], 35);
    for (name, caption) in [
        ("Italy/Rome/red.txt", "a red car in the old town"),
        ("Italy/blue.txt", "an old red door"),
        ("spain/purple.txt", "a car that is red"),
    ] {
        fs_err::write(place.photos.join(name), caption).unwrap();
    }
    place.index();
    place
}

fn hits_of(engine: &Engine, query: Query) -> Vec<String> {
    let hits = engine.search(&SearchRequest::new(query, 10)).unwrap();
    hits.iter().map(|hit| name(hit.path())).collect()
}

/// What a text finds, sorted by name.
fn found(engine: &Engine, text: &str) -> Vec<String> {
    let mut found = hits_of(engine, engine.understand(text, None, None).unwrap());
    found.sort();
    found
}

#[test]
fn parts_are_added_and_subtracted() {
    let place = place();
    let engine = place.engine();
    let by_meaning = |query: Query| {
        let by = By::Meaning;
        let request = SearchRequest {
            by,
            ..SearchRequest::new(query, 10)
        };
        let hits = engine.search(&request).unwrap();
        let hits = hits
            .iter()
            .map(|hit| (name(hit.path()), hit.similarity.unwrap()));
        hits.collect::<Vec<_>>()
    };
    let first = |query| by_meaning(query)[0].0.clone();
    let (red, blue) = (|| Part::text("red"), || Part::text("blue"));
    assert_eq!(first(Query::text("red")), "red.png");
    assert_eq!(first(Query::text("red").plus(blue())), "purple.png");
    assert_eq!(first(Query::text("blue").plus(red())), "purple.png");
    assert_eq!(
        first(Query::text("red").plus(blue().weighing(9.0))),
        "blue.jpg"
    );
    let picture = place.photos.join("Italy/blue.jpg");
    let bytes = fs_err::read(&picture).unwrap();
    let yellow = Query::picture(place.photos.join("spain/yellow.jpeg"));
    assert_eq!(
        first(yellow.clone().minus(Part::text("green").weighing(1.0))),
        "red.png"
    );
    // A file, its bytes, and its vector in the index are the same.
    let all = [
        Part::picture(&picture),
        Part::bytes(bytes),
        Part::item(&picture),
    ];
    let asked = all.map(|part| by_meaning(Query::default().plus(part)));
    assert_eq!(asked[0], asked[1]);
    assert_eq!(asked[0], asked[2]);
    // Twice the same query is the same query, in whatever order.
    let once = by_meaning(Query::text("red").plus(blue()));
    let twice = by_meaning(Query::text("blue").plus(red()).plus(red()).plus(blue()));
    for ((name, similarity), (of, other)) in once.iter().zip(&twice) {
        assert!(name == of && (similarity - other).abs() < 1e-6);
    }
    // What is subtracted comes last.
    let less = by_meaning(Query::text("red").plus(blue()).minus(Part::text("green")));
    assert_eq!(less.last().unwrap().0, "green.png");
    // The file is not needed.
    fs_err::remove_file(&picture).unwrap();
    assert_eq!(
        by_meaning(Query::default().plus(Part::item(&picture))),
        asked[2]
    );
}

#[test]
fn only_texts_that_are_added_are_keywords() {
    let place = place();
    let engine = place.engine();
    let query = Query::text("car").minus(Part::text("door"));
    let hits = engine.search(&SearchRequest::new(query, 10)).unwrap();
    let by_words = hits.iter().filter(|hit| hit.rank_by_words.is_some());
    let mut words: Vec<_> = by_words
        .map(|hit| (name(hit.path()), hit.words.clone()))
        .collect();
    words.sort();
    let expected = ["purple.png", "red.png"].map(|name| (name.to_owned(), vec!["car".to_owned()]));
    assert_eq!(words, expected);
}

#[test]
fn the_box_restricts_what_is_found() {
    let place = place();
    let engine = place.engine();
    let rome = place.photos.join("Italy/Rome");
    let all = [
        "blue.jpg",
        "green.png",
        "purple.png",
        "red.png",
        "white.png",
        "yellow.jpeg",
    ];
    let in_path = format!("in:{}", rome.display());
    let rows: [(&str, &[&str]); 19] = [
        ("red", &all),
        ("\"red car\"", &["red.png"]),
        ("\"old town\" blue", &["red.png"]),
        (
            "red -car",
            &["blue.jpg", "green.png", "white.png", "yellow.jpeg"],
        ),
        (
            "red -\"red car\"",
            &[
                "blue.jpg",
                "green.png",
                "purple.png",
                "white.png",
                "yellow.jpeg",
            ],
        ),
        (&in_path, &["green.png", "red.png"]),
        ("in:Italy red", &["blue.jpg", "green.png", "red.png"]),
        ("in:italy/rome", &["green.png", "red.png"]),
        (
            "in:ROME in:spain",
            &["green.png", "purple.png", "red.png", "yellow.jpeg"],
        ),
        ("in:Italy -in:Rome", &["blue.jpg"]),
        ("type:jpg", &["blue.jpg", "yellow.jpeg"]),
        ("type:png in:Rome red", &["green.png", "red.png"]),
        ("red -type:png", &["blue.jpg", "yellow.jpeg"]),
        ("orientation:portrait", &["blue.jpg"]),
        (
            "orientation:square orientation:portrait",
            &["blue.jpg", "purple.png"],
        ),
        ("min-size:11 in:spain", &["purple.png", "yellow.jpeg"]),
        ("has:caption red", &["blue.jpg", "purple.png", "red.png"]),
        ("-has:caption", &["green.png", "white.png", "yellow.jpeg"]),
        ("after:2000", &[]),
    ];
    assert_eq!(rows.len(), 19);
    for (text, expected) in rows {
        assert_eq!(found(&engine, text), expected, "{text}");
    }
    let captions = |text: &str| -> Vec<String> {
        let query = engine.understand(text, None, None).unwrap();
        let hits = engine
            .search_captions(&SearchRequest::new(query, 10))
            .unwrap();
        hits.into_iter().map(|hit| hit.text).collect()
    };
    assert_eq!(captions("\"red car\""), ["a red car in the old town"]);
    assert_eq!(captions("red -car"), ["an old red door"]);
    let mut listed = captions("in:Italy");
    listed.sort();
    assert_eq!(listed, ["a red car in the old town", "an old red door"]);
    assert_eq!(captions("-door").len(), 2);
}

#[test]
fn a_list_needs_no_model() {
    let place = place();
    let encoders = fake::encoders_with_watched_texts("one", |_| panic!("nothing to encode"));
    let engine = Engine::open(&place.index, encoders);
    assert_eq!(found(&engine, "in:spain"), ["purple.png", "yellow.jpeg"]);
}

#[test]
fn english_negation_is_subtracted() {
    let place = place();
    let engine = place.engine();
    let understand = |text: &str, by| engine.understand(text, by, None).unwrap().to_string();
    assert_eq!(
        understand("a red thing without blue", None),
        "“a red thing” − 0.5 × “blue”"
    );
    assert_eq!(
        understand("a red thing without blue", Some(By::Words)),
        "a red thing without blue"
    );
    let german = engine
        .understand("a red thing without blue", None, "de".parse().ok())
        .unwrap();
    assert!(german.is_plain());
    assert_eq!(
        understand("um gato no sofá da sala", None),
        "um gato no sofá da sala"
    );
    let literal = SearchRequest::text("red without green", 10);
    assert!(literal.query.is_plain());
    let query = engine
        .understand("yellow red green without green", None, None)
        .unwrap();
    assert_eq!(query.weights(), [1.0, -0.5]);
}

#[test]
fn queries_that_mean_nothing_are_refused() {
    let place = place();
    let engine = place.engine();
    let error = |query: Query, by| {
        let request = SearchRequest {
            by,
            ..SearchRequest::new(query, 10)
        };
        engine.search(&request).unwrap_err().to_string()
    };
    let red = || Part::text("red");
    let picture = || Part::picture(place.photos.join("white.png"));
    let missing = place.photos.join("none.png");
    let folder = Condition::new(Key::In, "France").unwrap();
    let rows = [
        (Query::default(), By::Both, "the query is empty"),
        (Query::text(" "), By::Both, "the query is empty"),
        (
            Query::text("red").plus(Part::text("")),
            By::Both,
            "the query is empty",
        ),
        (
            Query::default().minus(red()),
            By::Both,
            "the query has only negative parts",
        ),
        (
            Query::text("red").minus(red().weighing(1.0)),
            By::Both,
            "the parts of the query cancel out: “red” − 1 × “red”",
        ),
        (
            Query::text("red").plus(picture()),
            By::Words,
            "a picture cannot be searched by words alone",
        ),
        (
            Query::text("red").minus(Part::text("blue")),
            By::Words,
            "a search by words alone cannot subtract",
        ),
        (
            Query::text("red").plus(red().weighing(-1.0)),
            By::Both,
            "`-1`: expected a weight",
        ),
        (
            Query::default().plus(Part::item(missing)),
            By::Both,
            "none.png: no such picture in",
        ),
        (
            Query::text("red").under(folder),
            By::Both,
            "France: no such folder in the index",
        ),
        (
            Query::default().plus(Part::bytes(*b"none")),
            By::Meaning,
            "the given picture: ",
        ),
    ];
    assert_eq!(rows.len(), 11);
    for (query, by, expected) in rows {
        let error = error(query, by);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn parts_are_read_as_users_write_them() {
    let place = place();
    let file = place.photos.join("white.png");
    let file = file.to_str().unwrap();
    let odd = place.photos.join("2:odd name");
    fs_err::copy(file, &odd).unwrap();
    let odd = odd.to_str().unwrap();
    let weighted = format!("1.5:{file}");
    let rows = [
        ("a red car", Part::text("a red car")),
        ("2:a red car", Part::text("a red car").weighing(2.0)),
        ("2:\"a red car\"", Part::text("a red car").weighing(2.0)),
        ("0.5: red", Part::text("red").weighing(0.5)),
        (file, Part::picture(file)),
        (odd, Part::picture(odd)),
        (weighted.as_str(), Part::picture(file).weighing(1.5)),
        ("missing.jpg", Part::picture("missing.jpg")),
        ("a photo.jpg", Part::text("a photo.jpg")),
        ("note: red", Part::text("note: red")),
        ("1:\"missing.jpg\"", Part::text("missing.jpg").weighing(1.0)),
        ("2:\"2:red\"", Part::text("2:red").weighing(2.0)),
    ];
    assert_eq!(rows.len(), 12);
    for (value, expected) in rows {
        assert_eq!(Part::parse(value).unwrap(), expected, "{value}");
    }
    for value in ["0:red", "2:", "101:red", "1.2.3:red", ".:x"] {
        let error = Part::parse(value).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("`{value}`: expected a weight")),
            "{error}"
        );
    }
    // An image of the index has a path in any case.
    let rows = [
        (file, Part::item(file)),
        (odd, Part::item(odd)),
        (weighted.as_str(), Part::item(file).weighing(1.5)),
        ("0.667:a b.jpg", Part::item("a b.jpg").weighing(0.667)),
        ("2:3:a.jpg", Part::item("3:a.jpg").weighing(2.0)),
        ("a:b.jpg", Part::item("a:b.jpg")),
        ("2023", Part::item("2023")),
    ];
    assert_eq!(rows.len(), 7);
    for (value, expected) in rows {
        assert_eq!(
            Part::parse_item(OsStr::new(value)).unwrap(),
            expected,
            "{value}"
        );
    }
    for value in ["0:a.jpg", "2:", "101:a.jpg"] {
        assert!(Part::parse_item(OsStr::new(value)).is_err(), "{value}");
    }
}

#[test]
fn a_refined_search_is_the_search_for_its_query() {
    let place = place();
    let n_encoded = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&n_encoded);
    let count = move |texts: &[&str]| {
        counted.fetch_add(texts.len(), Ordering::Relaxed);
    };
    let engine = Engine::open(
        &place.index,
        fake::encoders_with_watched_texts("one", count),
    );
    let mut refinement = Refinement::new(RefineOptions {
        by: Some(By::Meaning),
        ..RefineOptions::new(10)
    });
    let found = |refinement: &Refinement| -> Vec<String> {
        refinement
            .hits()
            .iter()
            .map(|hit| name(hit.path()))
            .collect()
    };
    let mut lists = Vec::new();
    for line in [
        "red",
        "more like 2",
        "but blue",
        "only in spain",
        "-car",
        "less like 1",
        "reset",
    ] {
        let Ok(Turn::Change(changes)) = Turn::parse(line) else {
            panic!("{line}");
        };
        engine.refine(&mut refinement, &changes).unwrap();
        let request = refinement.request().unwrap();
        assert_eq!(
            engine.search(&request).unwrap(),
            refinement.hits(),
            "{line}"
        );
        lists.push(found(&refinement));
    }
    // Each text was encoded once.
    assert_eq!(n_encoded.load(Ordering::Relaxed), 2);
    assert_eq!(lists[0][..2], ["red.png", "yellow.jpeg"]);
    assert_eq!(lists[1][0], "yellow.jpeg");
    assert_eq!(
        (lists[3].len(), &lists[4][..]),
        (2, &["yellow.jpeg".to_owned()][..])
    );
    assert_eq!(lists[6], lists[0]);
    for list in lists.iter().rev().skip(1) {
        refinement.undo(1).unwrap();
        assert_eq!(&found(&refinement), list);
    }
    // What is refused changes nothing.
    let before = found(&refinement);
    let refused = engine.refine(&mut refinement, &[QueryChange::Like(vec![7])]);
    assert!(matches!(
        refused,
        Err(RefineError::NoSuchHit { number: 7, n: 6 })
    ));
    let nothing = [QueryChange::Narrow(
        engine.understand("date:1999", None, None).unwrap(),
    )];
    engine.refine(&mut refinement, &nothing).unwrap();
    assert!(refinement.hits().is_empty() && refinement.can_undo());
    refinement.undo(1).unwrap();
    assert_eq!(found(&refinement), before);
    engine.show(&mut refinement, 3).unwrap();
    assert_eq!(found(&refinement), before[..3]);
    // Another number of hits is no turn.
    assert!(!refinement.can_undo());
}
