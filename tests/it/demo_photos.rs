//! What the built-in model finds in the sample photos that come with the project.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use image::ImageDecoder;
use serde::Deserialize;
use sightline::{
    By, Encoders, Engine, IndexReport, IndexRequest, Query, SearchRequest, platform, quietly,
};
use tempfile::TempDir;

const PHOTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/photos");

/// Of a hundred captions, so many must find their photo first.
const RIGHT_FIRST: f64 = 95.0;

/// As much without the words of captions and names.
const RIGHT_FIRST_BY_MEANING: f64 = 60.0;

/// Of a hundred photos, so many must find one of their own captions first.
const OWN_CAPTION_FIRST: f64 = 65.0;

#[derive(Deserialize)]
struct Described {
    image: PathBuf,
    captions: Vec<String>,
}

/// The photos with their captions.
fn described() -> Vec<Described> {
    let text = fs_err::read_to_string(Path::new(PHOTOS).join("captions.jsonl")).unwrap();
    let described: Vec<Described> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        described.len() >= 40,
        "only {} photos are described",
        described.len()
    );
    for Described { image, captions } in &described {
        assert!(
            captions.len() >= 2,
            "{} has too few captions",
            image.display()
        );
    }
    described
}

/// The photos indexed with their captions by the built-in model, once for all tests.
struct Demo {
    engine: Engine,
    report: IndexReport,
    _folder: TempDir,
}

fn demo() -> &'static Demo {
    static DEMO: OnceLock<Demo> = OnceLock::new();
    DEMO.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let encoders = Encoders::starter(platform::runtime_source()).unwrap();
        let engine = Engine::open(folder.path(), encoders);
        let request = IndexRequest {
            captions: vec![Path::new(PHOTOS).join("captions.jsonl")],
            ..IndexRequest::folder(PHOTOS)
        };
        let report = engine.index(&request, &mut quietly).unwrap();
        Demo {
            engine,
            report,
            _folder: folder,
        }
    })
}

/// The share of captions, in per cent, that find their photo first; those that do not are printed.
fn right_first(by: By) -> f64 {
    let (mut n_asked, mut n_right) = (0, 0);
    for Described { image, captions } in described() {
        for caption in captions {
            let request = SearchRequest {
                by,
                ..SearchRequest::text(caption.as_str(), 1)
            };
            let hits = demo().engine.search(&request).unwrap();
            n_asked += 1;
            if hits[0].path().ends_with(&image) {
                n_right += 1;
            } else {
                eprintln!("“{caption}” finds {}", hits[0].path().display());
            }
        }
    }
    assert!(n_asked >= 80, "only {n_asked} captions were asked");
    let share = 100.0 * f64::from(n_right) / f64::from(n_asked);
    eprintln!("{by:?}: {n_right} of {n_asked} captions find their photo first, {share:.1} %");
    share
}

#[test]
fn all_photos_are_read_and_the_broken_files_named() {
    let report = &demo().report;
    let described = described();
    assert_eq!(
        report.n_added,
        described.len(),
        "every photo has a line of captions"
    );
    let n_captions: usize = described.iter().map(|photo| photo.captions.len()).sum();
    assert_eq!(report.n_captions_added, n_captions);
    let mut skipped: Vec<_> = report.skipped.iter().map(|skipped| &skipped.path).collect();
    skipped.sort();
    let broken = Path::new(PHOTOS).join("broken");
    let expected = ["empty.jpg", "text.png", "truncated.jpg"].map(|name| broken.join(name));
    assert_eq!(
        skipped,
        expected.iter().collect::<Vec<_>>(),
        "{:?}",
        report.skipped
    );
}

#[test]
fn captions_find_their_photo_first() {
    assert!(right_first(By::Both) >= RIGHT_FIRST);
}

#[test]
fn captions_find_their_photo_by_what_it_shows() {
    // Without the words of captions and names, which would make it easy.
    assert!(right_first(By::Meaning) >= RIGHT_FIRST_BY_MEANING);
}

#[test]
fn photos_find_their_own_captions() {
    let (mut n_asked, mut n_right) = (0, 0);
    for Described { image, captions } in described() {
        let hits = demo()
            .engine
            .captions(&Path::new(PHOTOS).join(&image), 1)
            .unwrap();
        n_asked += 1;
        if captions.contains(&hits[0].text) {
            n_right += 1;
            assert!(hits[0].pictures.iter().any(|path| path.ends_with(&image)));
        } else {
            eprintln!("{} finds “{}”", image.display(), hits[0].text);
        }
    }
    let share = 100.0 * f64::from(n_right) / f64::from(n_asked);
    eprintln!("{n_right} of {n_asked} photos find a caption of their own first, {share:.1} %");
    assert!(share >= OWN_CAPTION_FIRST);
}

#[test]
fn photos_find_themselves() {
    let mut n_asked = 0;
    for Described { image, .. } in described() {
        let request = SearchRequest::picture(Path::new(PHOTOS).join(&image), 2);
        assert!(matches!(request.query, Query::Picture(_)));
        let hits = demo().engine.search(&request).unwrap();
        assert!(
            hits[0].path().ends_with(&image),
            "{} finds another one",
            image.display()
        );
        assert!(hits[0].similarity.unwrap() > 0.999);
        assert!(
            hits[1].similarity.unwrap() < 0.99,
            "{} has a twin",
            image.display()
        );
        n_asked += 1;
    }
    assert!(n_asked >= 40);
}

/// Width and height of every photo as it is shown, for those that EXIF turns by a quarter.
#[test]
fn photos_that_a_camera_turned_are_upright() {
    let mut turned = BTreeMap::new();
    for Described { image, captions } in described() {
        let file = Path::new(PHOTOS).join(&image);
        let reader = image::ImageReader::open(&file)
            .unwrap()
            .with_guessed_format()
            .unwrap();
        let mut decoder = reader.into_decoder().unwrap();
        let stored = decoder.dimensions();
        let orientation = decoder.orientation().unwrap();
        if orientation == image::metadata::Orientation::NoTransforms {
            continue;
        }
        let request = SearchRequest {
            by: By::Meaning,
            ..SearchRequest::text(&captions[0], 1000)
        };
        let hits = demo().engine.search(&request).unwrap();
        let hit = hits
            .iter()
            .find(|hit| hit.path().ends_with(&image))
            .expect("the photo");
        turned.insert(
            image,
            ((hit.height, hit.width) == stored, stored.0 > stored.1),
        );
    }
    assert!(turned.len() >= 2, "too few photos are turned: {turned:?}");
    assert!(
        turned.values().all(|state| *state == (true, true)),
        "not portrait: {turned:?}"
    );
}
