//! Search quality of the built-in model on the sample photos.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use image::ImageDecoder;
use serde::Deserialize;
use sightline::{
    By, CaptionSource, DescribeRequest, DescriptionHits, Encoders, Engine, IndexReport,
    IndexRequest, Part, SearchRequest, Strength, TagRequest, platform, quietly,
};
use tempfile::TempDir;

const PHOTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/photos");

/// Minimum percentage of captions that find their photo first.
const RIGHT_FIRST: f64 = 95.0;

/// The same without the words of captions and names.
const RIGHT_FIRST_BY_MEANING: f64 = 60.0;

/// Minimum percentage of photos that find one of their own captions first.
const OWN_CAPTION_FIRST: f64 = 65.0;

/// Minimum percentage of photos of which one of the first five phrases of the bank names the thing.
const NAMED_BY_A_PHRASE: usize = 85;

/// Minimum percentage of tags that are right, at the usual confidence.
const RIGHT_TAGS: usize = 80;

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

/// Index of the photos and captions by the built-in model, built once for all tests.
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

/// Index of the photos without captions, whose texts are asked for.
fn photos_alone() -> &'static Demo {
    static ALONE: OnceLock<Demo> = OnceLock::new();
    ALONE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let encoders = Encoders::starter(platform::runtime_source()).unwrap();
        let engine = Engine::open(folder.path(), encoders);
        let report = engine.index(&IndexRequest::folder(PHOTOS), &mut quietly);
        Demo {
            engine,
            report: report.unwrap(),
            _folder: folder,
        }
    })
}

/// Percentage of captions that find their photo first; the others are printed.
fn right_first(Demo { engine, .. }: &Demo, by: By) -> f64 {
    let (mut n_asked, mut n_right) = (0, 0);
    for Described { image, captions } in described() {
        for caption in captions {
            let request = SearchRequest {
                by,
                ..SearchRequest::text(caption.as_str(), 1)
            };
            let hits = engine.search(&request).unwrap();
            n_asked += 1;
            if hits[0].path().ends_with(&image) {
                n_right += 1;
            } else {
                eprintln!("“{caption}” finds {}", hits[0].path().display());
            }
        }
    }
    assert!(n_asked >= 80, "only {n_asked} captions were searched for");
    let share = 100.0 * f64::from(n_right) / f64::from(n_asked);
    eprintln!("{by:?}: {n_right} of {n_asked} captions find their photo first, {share:.1} %");
    share
}

#[test]
fn all_photos_are_indexed_and_broken_files_skipped() {
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

/// Queries of different lengths that come together share runs of the encoder: padding must not
/// show.
#[test]
fn queries_of_many_threads_are_answered_as_each_alone() {
    let demo = photos_alone();
    let texts = described().into_iter().flat_map(|photo| photo.captions);
    let texts: Vec<String> = texts
        .zip(1..)
        .map(|(text, n): (String, usize)| {
            text.split(' ')
                .cycle()
                .take(n % 40)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .filter(|text| !text.is_empty())
        .collect();
    assert!(texts.len() >= 80, "{} texts", texts.len());
    let similarities = |engine: &Engine, text: &str| {
        let request = SearchRequest {
            by: By::Meaning,
            ..SearchRequest::text(text, 1_000)
        };
        let hits = engine.search(&request).unwrap();
        let by_id = hits
            .into_iter()
            .map(|hit| (hit.id, hit.similarity.unwrap()));
        by_id.collect::<BTreeMap<_, _>>()
    };
    let fresh = || {
        let encoders = Encoders::starter(platform::runtime_source()).unwrap();
        Engine::open(demo.engine.folder(), encoders)
    };
    let (alone, shared) = (fresh(), fresh());
    let expected: Vec<_> = texts
        .iter()
        .map(|text| similarities(&alone, text))
        .collect();
    let found: Vec<_> = std::thread::scope(|scope| {
        let shared = &shared;
        let ask = |text| scope.spawn(move || similarities(shared, text));
        let threads: Vec<_> = texts.iter().map(String::as_str).map(ask).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    for ((text, expected), found) in texts.iter().zip(expected).zip(found) {
        assert!(expected.len() > 50 && expected.len() == found.len());
        for (id, similarity) in expected {
            let other = found[&id];
            assert!(
                (similarity - other).abs() < 1e-4,
                "{text}: {similarity} {other}"
            );
        }
    }
}

#[test]
fn captions_find_their_photo_first() {
    assert!(right_first(demo(), By::Both) >= RIGHT_FIRST);
}

#[test]
fn captions_find_their_photo_by_meaning_alone() {
    assert!(right_first(photos_alone(), By::Meaning) >= RIGHT_FIRST_BY_MEANING);
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

/// Things of which there is no sample photo.
const ABSENT: [&str; 12] = [
    "a kitchen with a refrigerator",
    "people playing basketball",
    "an X-ray image of a hand",
    "a wedding couple cutting a cake",
    "a baby in a bathtub",
    "a laptop on an office desk",
    "children in a classroom",
    "a soccer goalkeeper",
    "a dentist with a patient",
    "a person typing on a keyboard",
    "a surfer riding a wave",
    "a bathroom sink and a mirror",
];

#[test]
fn confidence_tells_photos_that_are_there_from_those_that_are_not() {
    let strength = |text: &str| {
        let hits = photos_alone().engine.search(&SearchRequest::text(text, 10));
        let hits = hits.unwrap();
        let confidences = hits.iter().map(|hit| hit.confidence.unwrap().value());
        assert!(confidences.is_sorted_by(|a, b| a >= b), "{text}");
        hits[0].confidence.unwrap().strength()
    };
    let is_likely = |text: &&str| matches!(strength(text), Strength::Strong | Strength::Fair);
    let n_absent = ABSENT.iter().filter(|text| is_likely(text)).count();
    let described = described();
    let captions = described.iter().flat_map(|photo| &photo.captions);
    let captions: Vec<&str> = captions.map(String::as_str).collect();
    let n_there = captions.iter().filter(|text| is_likely(text)).count();
    let share = 100.0 * n_there as f64 / captions.len() as f64;
    eprintln!(
        "likely: {share:.0} % of captions, {n_absent} of {} absent things",
        ABSENT.len()
    );
    assert!(captions.len() >= 80 && share >= 75.0, "{share}");
    assert!(n_absent <= 3, "{n_absent}");
}

#[test]
fn captions_found_for_a_text_are_ranked_by_confidence() {
    let captions_of = |text: &str| {
        let request = SearchRequest::text(text, 10);
        let hits = demo().engine.search_captions(&request).unwrap();
        let confidences: Vec<f32> = hits
            .iter()
            .map(|hit| hit.confidence.unwrap().value())
            .collect();
        assert!(confidences.is_sorted_by(|a, b| a >= b), "{text}");
        (hits, confidences)
    };
    let (mut n_first, described) = (0, described());
    for Described { captions, .. } in &described {
        // The caption itself, and then mostly the other one of its photo.
        let (hits, confidences) = captions_of(&captions[0]);
        assert_eq!(hits[0].text, captions[0]);
        assert!(confidences[0] > 0.9, "{}: {}", captions[0], confidences[0]);
        n_first += usize::from(captions.contains(&hits[1].text));
    }
    let share = 100.0 * n_first as f64 / described.len() as f64;
    eprintln!("the other caption is second for {share:.0} %");
    assert!(share >= 70.0, "{share}");
    let (_, absent) = captions_of("an astronaut on the moon");
    assert!(absent[0] < 0.27, "{}", absent[0]);
}

#[test]
fn photos_find_themselves() {
    let mut n_asked = 0;
    for Described { image, .. } in described() {
        let request = SearchRequest::picture(Path::new(PHOTOS).join(&image), 2);
        assert_eq!(request.by, By::Meaning);
        let hits = demo().engine.search(&request).unwrap();
        assert!(
            hits[0].path().ends_with(&image),
            "{} finds another photo",
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

/// The stored width and height are swapped for photos that EXIF rotates by a quarter.
#[test]
fn rotated_photos_are_upright() {
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
    assert!(turned.len() >= 2, "too few photos are rotated: {turned:?}");
    assert!(
        turned.values().all(|state| *state == (true, true)),
        "not portrait: {turned:?}"
    );
}

#[test]
fn phrases_of_the_bank_name_what_is_in_the_photos() {
    let named = [
        ("animals/butterfly.jpg", "butterfly"),
        ("animals/camels.jpg", "camel"),
        ("animals/clownfish.webp", "fish"),
        ("animals/cow.jpg", "cow"),
        ("animals/crab.jpg", "crab"),
        ("animals/elephant.png", "elephant"),
        ("animals/giraffes.jpg", "giraffe"),
        ("animals/hens.jpg", "chicken"),
        ("animals/horses.jpg", "horse"),
        ("animals/koala.jpg", "koala"),
        ("animals/macaw.jpg", "parrot"),
        ("animals/panda.jpg", "panda"),
        ("animals/penguin.jpg", "penguin"),
        ("animals/swans.jpg", "swan"),
        ("flowers/bee_on_aster.jpg", "bee"),
        ("flowers/zinnias.gif", "flower"),
        ("food/coffee.jpg", "coffee"),
        ("nature/forest_stream.jpg", "river"),
        ("nature/hay_bales.jpg", "hay"),
        ("nature/mountain_path.jpg", "mountain"),
        ("night/suspension_bridge.jpg", "bridge"),
        ("objects/light_bulb.png", "light bulb"),
        ("objects/paintbrushes.jpg", "paintbrush"),
        ("people/orchestra.jpg", "orchestra"),
        ("sea/beach.jpg", "beach"),
        ("sea/wave.jpg", "wave"),
        ("sport/football_stadium.jpg", "stadium"),
        ("vehicles/blue_car.png", "blue car"),
        ("vehicles/bus.png", "bus"),
        ("vehicles/sailing_ship.png", "sailing boat"),
    ];
    let mut n_right = 0;
    for (photo, word) in named {
        let request = DescribeRequest {
            picture: Part::picture(Path::new(PHOTOS).join(photo)),
            n: 5,
            min_confidence: None,
            from: Some(CaptionSource::Bank),
        };
        let found = demo().engine.describe(&request, &mut quietly);
        let DescriptionHits::Phrases(hits) = found.unwrap().unwrap().hits else {
            panic!("captions");
        };
        let phrases: Vec<&str> = hits.iter().map(|hit| hit.text.as_str()).collect();
        if phrases.iter().any(|phrase| phrase.contains(word)) {
            n_right += 1;
        } else {
            eprintln!("{photo}: {phrases:?}");
        }
    }
    assert!(
        100 * n_right >= NAMED_BY_A_PHRASE * named.len(),
        "{n_right} of {}",
        named.len()
    );
}

#[test]
fn most_tags_of_the_photos_are_right() {
    let right = include_str!("../data/tags.tsv").lines().skip(1);
    let right: BTreeMap<&str, Vec<&str>> = right
        .map(|line| {
            let (photo, tags) = line.split_once('\t').unwrap();
            (photo, tags.split(", ").collect())
        })
        .collect();
    let report = demo().engine.tag(&TagRequest::new([PHOTOS]), &mut quietly);
    let report = report.unwrap();
    assert_eq!(report.pictures.len(), right.len());
    let photos = fs_err::canonicalize(PHOTOS).unwrap();
    let (mut n_tags, mut n_right, mut n_tagged) = (0, 0, 0);
    for picture in &report.pictures {
        let photo = picture
            .path
            .strip_prefix(&photos)
            .unwrap()
            .to_str()
            .unwrap();
        n_tagged += usize::from(!picture.tags.is_empty());
        for tag in &picture.tags {
            n_tags += 1;
            if right[photo].contains(&tag.name.as_str()) {
                n_right += 1;
            } else {
                eprintln!("{photo}: {} {:.2}", tag.name, tag.confidence.value());
            }
        }
    }
    eprintln!("{n_right} of {n_tags} tags right, {n_tagged} photos tagged");
    assert!(n_tagged >= 60, "{n_tagged}");
    assert!(
        100 * n_right >= RIGHT_TAGS * n_tags,
        "{n_right} of {n_tags}"
    );
}
