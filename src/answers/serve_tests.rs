//! Samples of what only the server answers, for the test of `docs/json.md`.

use std::path::Path;
use std::time::Duration;

use sightline_index::{Caption, Coordinates, ItemId};

use super::tests::{Keys, Samples, odd_file, odd_path};
use super::*;
use crate::engine::{
    By, Details, Engine, Explanation, Facets, Filter, GatherReport, Generation, Image, IndexReport,
    MapPoint, Moment, Progress, Query, SearchRequest, Skipped, Stage, Status,
};

/// Answers that have all keys of another one beside their own, and where they have them.
pub(super) const AS: [(&str, &str, &str); 4] = [
    ("/v1/search", "search", ""),
    ("/v1/explain", "explain", ""),
    ("/v1/status", "status", ""),
    ("/v1/status", "index", "indexing.report."),
];

/// Removes what is described at another answer. `keys` are those of all answers.
pub(super) fn without_others(answers: &mut std::collections::BTreeMap<String, Keys>) {
    for (answer, other, prefix) in AS {
        let others: Vec<String> = answers[other].keys().cloned().collect();
        let keys = answers.get_mut(answer).unwrap();
        let n = keys.len();
        for other in others {
            keys.remove(&format!("{prefix}{other}"));
        }
        assert!(keys.len() < n, "{answer} has nothing of {other}");
    }
}

pub(super) fn of_items(samples: &mut Samples) {
    let caption = |source: &Path| Caption {
        id: ItemId(2),
        text: "a dog".to_owned(),
        source: source.to_path_buf(),
        image: Some(ItemId(1)),
    };
    let captions = [caption(Path::new("a")), caption(&odd_path())];
    let mut image = Image {
        id: ItemId(1),
        content_hash: [0; 32],
        width: 4,
        height: 3,
        details: None,
        tags: vec!["dog".to_owned()],
        is_tagged: true,
        paths: vec![odd_path(), odd_path()],
    };
    let bare = image.clone();
    image.details = Some(Details {
        camera: Some("Nikon".to_owned()),
        taken: Moment::new(2023, 8, 14, None),
        position: Coordinates::new(35.0, 135.0),
        places: vec!["Kyoto".to_owned()],
        keywords: vec!["trip".to_owned()],
        texts: Vec::new(),
    });
    image.paths = vec!["a".into()];
    let item = ItemAnswer::from((&bare, &captions[..]));
    samples.add("/v1/items/{id}", &item);
    let item = ItemAnswer::from((&image, &captions[..]));
    samples.add("/v1/items/{id}", &item.with_thumbhash(Some(&[1, 2])));
}

pub(super) fn of_collections(samples: &mut Samples) {
    let named = |name: &str| vec![(name.to_owned(), 3)];
    let facets = Facets {
        cameras: named("Nikon"),
        tags: named("dog"),
        folders: vec![(odd_path(), 1), ("a".into(), 1)],
        places: named("Kyoto"),
        types: named("jpg"),
        years: vec![(2023, 3)],
        dates: None,
    };
    samples.add("/v1/tags", &TagsAnswer::from(&facets));
    samples.add("/v1/facets", &FacetsAnswer::from(&facets));
    let point = MapPoint {
        id: ItemId(1),
        x: 0.5,
        y: -0.5,
    };
    samples.add("/v1/map", &MapAnswer::from((Generation(1), &[point][..])));
    let report = GatherReport {
        n_done: 1,
        n_there: 1,
        skipped: vec![
            odd_file(),
            Skipped {
                path: "a".into(),
                ..odd_file()
            },
        ],
    };
    samples.add("/v1/copy", &CopyAnswer::from((Path::new("a"), &report)));
}

pub(super) fn of_explanation(samples: &mut Samples, explanation: &Explanation) {
    let answer = ExplainAnswer::new(Path::new("a"), "a", explanation);
    samples.add("/v1/explain", &answer.with_overlay(b"png"));
}

/// Pages of a real list, and the state of its index.
pub(super) fn of_an_engine(samples: &mut Samples, engine: &Engine, status: &Status) {
    let everything = SearchRequest {
        filter: Some(Filter::All(Vec::new())),
        ..SearchRequest::new(Query::default(), 10)
    };
    let colour = SearchRequest::text("green", 10);
    for (request, hash, is_rated) in [
        (&everything, None, false),
        (&colour, Some(&b"ab"[..]), true),
    ] {
        let mut found = engine.find(request).unwrap();
        if is_rated {
            found = found.rated();
        }
        let hits = found.hits(0..1).unwrap();
        assert_eq!(hits.len(), 1);
        for end in [0, 1] {
            let answers = (1..)
                .zip(&hits)
                .take(end)
                .map(|hit| HitAnswer::Image(ImageHitAnswer::from(hit).with_thumbhash(hash)));
            let took = Duration::ZERO;
            let answer = FoundAnswer::new(&request.query, By::Both, &[], took, answers.collect());
            samples.add("/v1/search", &PageAnswer::new(answer, &found, 1, 0, end));
        }
    }
    let progress = Progress {
        stage: Stage::Pictures,
        n_done: 1,
        n_total: 2,
        n_skipped: 0,
        elapsed: Duration::from_secs(1),
        first_runs: crate::engine::FirstRuns::default(),
    };
    let (folders, report) = ([odd_path(), "a".into()], IndexReport::default());
    let texts = [vec!["en".parse().unwrap()]];
    for run in [
        None,
        Some(RunAnswer::new(1, false, &folders, None, Some(Err("why")))),
        Some(RunAnswer::new(1, false, &folders, Some(&progress), None)),
        Some(RunAnswer::new(
            1,
            true,
            &folders,
            Some(&progress),
            Some(Ok(&report)),
        )),
    ] {
        let answer = ServerStatusAnswer::new(status, &texts, run, true);
        samples.add("/v1/status", &answer);
    }
}
