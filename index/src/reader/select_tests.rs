//! Filters, compared with a naive evaluation over random histories: as recorded, as computed from
//! an index without facets, while an upgrade is interrupted, and after it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::disk::steps::{Step, Steps};
use crate::records::codec;
use crate::records::facets;
use crate::records::keys::{Column, meta};
use crate::records::store::Store;
use crate::{
    Binding, Coordinates, Details, FacetCounts, FileRecord, Filter, IdSet, IndexReader,
    IndexWriter, ItemId, ItemKind, Moment, Nearest, Orientation, SearchQuery, UnitVector,
    WriterOptions, check,
};

/// What an image should be found by.
#[derive(Default)]
struct Expected {
    id: u32,
    size: (u32, u32),
    details: Details,
    tags: Vec<String>,
    paths: BTreeSet<PathBuf>,
    captions: Vec<u32>,
}

const CAMERAS: [&str; 4] = ["NIKON Z 6", "nikon d70", "Canon\0EOS", ""];
const PLACES: [&str; 5] = ["Köln", "Berlin", "Germany", "berlin mitte", "Ko\u{308}ln"];
const TAGS: [&str; 4] = ["best", "Best", "bester", "two words"];
const FOLDERS: [&str; 7] = ["/", "/p", "/p/a", "/p/a/x", "/p/a-b", "/p/ab", "/p/b"];
const ENDINGS: [&str; 4] = [".jpg", ".JPG", ".png", ""];

fn binding() -> Binding {
    Binding {
        dimension: 6,
        fingerprint: "f00d".into(),
        model: "toy".into(),
    }
}

fn vector(rng: &mut StdRng) -> UnitVector {
    let mut values = [0.0f32; 6];
    for value in &mut values {
        *value = rng.random::<f32>() - 0.5;
    }
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    UnitVector::new(values.iter().map(|value| value / length).collect()).unwrap()
}

fn any<'a>(rng: &mut StdRng, of: &[&'a str]) -> &'a str {
    of[rng.random_range(0..of.len())]
}

fn moment(rng: &mut StdRng) -> Moment {
    let (year, month) = (rng.random_range(1992..1995), rng.random_range(0..=12));
    let day = if month == 0 {
        0
    } else {
        rng.random_range(0..=31)
    };
    Moment::new(year, month, day, None).unwrap_or_else(|| moment(rng))
}

/// Some in one town, some on both sides of the date line, some at the poles, some anywhere.
fn position(rng: &mut StdRng) -> Coordinates {
    let small = rng.random::<f64>() - 0.5;
    let any = rng.random::<f64>() * 360.0 - 180.0;
    let (latitude, longitude) = match rng.random_range(0..6) {
        0 | 1 => (35.0 + small, 135.7 + small * rng.random::<f64>()),
        2 => (-17.0 + small, 179.9 * small.signum()),
        3 => (89.9_f64.copysign(small), any),
        4 => (90.0_f64.copysign(small), 180.0_f64.copysign(any)),
        _ => (any / 2.0, any),
    };
    Coordinates::new(latitude, longitude).unwrap()
}

fn details(rng: &mut StdRng) -> Details {
    let n_places = rng.random_range(0..3);
    Details {
        camera: Some(any(rng, &CAMERAS).to_owned()).filter(|camera| !camera.is_empty()),
        taken: rng.random::<bool>().then(|| moment(rng)),
        places: (0..n_places)
            .map(|_| any(rng, &PLACES).to_owned())
            .collect(),
        position: (rng.random_range(0..4) > 0).then(|| position(rng)),
        ..Details::default()
    }
}

fn filter(rng: &mut StdRng, depth: u32) -> Filter {
    let n = if depth == 0 { 13 } else { 17 };
    let parts = |rng: &mut StdRng| {
        let n = rng.random_range(0..4);
        (0..n).map(|_| filter(rng, depth - 1)).collect()
    };
    let part = |rng: &mut StdRng, of: &[&str]| {
        let text = any(rng, of);
        let n_chars = rng.random_range(0..=text.chars().count());
        text.chars()
            .take(n_chars)
            .collect::<String>()
            .to_uppercase()
    };
    match rng.random_range(0..n) {
        0 => Filter::Taken {
            from: (rng.random_range(0..4) > 0).then(|| moment(rng)),
            to: (rng.random_range(0..4) > 0).then(|| moment(rng)),
        },
        1 => Filter::Folder(any(rng, &FOLDERS).into()),
        2 => Filter::Camera(part(rng, &CAMERAS)),
        3 => Filter::Place(part(rng, &PLACES)),
        4 => Filter::Extension(any(rng, &["jpg", ".JPG", "png", "jp"]).into()),
        5 => {
            use Orientation::{Landscape, Portrait, Square};
            Filter::Orientation([Landscape, Portrait, Square][rng.random_range(0..3)])
        }
        6 => Filter::SmallestSide(rng.random_range(0..600)),
        7 => Filter::Tag(any(rng, &TAGS).to_lowercase()),
        8 => Filter::Ids(
            (0..100)
                .map(|_| ItemId(rng.random_range(0..5000)))
                .collect(),
        ),
        9 => Filter::Tagged,
        10 | 11 => Filter::Near {
            centre: position(rng),
            metres: [1, 30_000, 300_000, 9_000_000][rng.random_range(0..4)],
        },
        12 => Filter::Copied,
        13 => Filter::All(parts(rng)),
        14 => Filter::Any(parts(rng)),
        15 => Filter::Captioned,
        _ => Filter::Not(Box::new(filter(rng, depth - 1))),
    }
}

/// Every day that a date may mean.
fn days(date: Moment) -> Vec<(u16, u8, u8)> {
    let is_meant = |known: u8, number: u8| known == 0 || known == number;
    let months = (1..=12).filter(|&month| is_meant(date.month(), month));
    let days = months.flat_map(|month| (1..=31).map(move |day| (month, day)));
    days.filter(|&(_, day)| is_meant(date.day(), day))
        .filter(|&(month, day)| Moment::new(date.year(), month, day, None).is_some())
        .map(|(month, day)| (date.year(), month, day))
        .collect()
}

/// Metres between two positions, by the angle between their directions from the earth's centre.
fn metres(from: Coordinates, to: Coordinates) -> f64 {
    let direction = |at: Coordinates| {
        let (latitude, longitude) = (at.latitude().to_radians(), at.longitude().to_radians());
        let [x, y] = [longitude.cos(), longitude.sin()].map(|value| value * latitude.cos());
        [x, y, latitude.sin()]
    };
    let (from, to) = (direction(from), direction(to));
    let cross = [(1, 2), (2, 0), (0, 1)].map(|(i, j)| from[i] * to[j] - from[j] * to[i]);
    let sine = cross.map(|value| value * value).iter().sum::<f64>().sqrt();
    let cosine: f64 = from.iter().zip(to).map(|(one, other)| one * other).sum();
    Coordinates::EARTH_RADIUS_M * sine.atan2(cosine)
}

fn contains(text: &str, part: &str) -> bool {
    let lower = |text: &str| text.to_lowercase().replace("o\u{308}", "ö");
    lower(text).contains(&lower(part))
}

fn meets(image: &Expected, filter: &Filter) -> bool {
    let Details {
        camera,
        taken,
        places,
        position,
        ..
    } = &image.details;
    match filter {
        Filter::Taken { from, to } => taken.is_some_and(|taken| {
            days(taken).iter().all(|day| {
                from.is_none_or(|from| days(from).first() <= Some(day))
                    && to.is_none_or(|to| days(to).last() >= Some(day))
            })
        }),
        Filter::Folder(folder) => image
            .paths
            .iter()
            .any(|path| path.parent().unwrap().starts_with(folder)),
        Filter::Camera(part) => camera.as_ref().is_some_and(|name| contains(name, part)),
        Filter::Place(part) => places.iter().any(|name| contains(name, part)),
        Filter::Extension(ending) => image.paths.iter().any(|path| {
            let own = path.extension().unwrap_or_default().to_str().unwrap();
            !own.is_empty() && own.eq_ignore_ascii_case(ending.trim_start_matches('.'))
        }),
        Filter::Orientation(orientation) => {
            let (width, height) = image.size;
            match orientation {
                Orientation::Landscape => width > height,
                Orientation::Portrait => width < height,
                Orientation::Square => width == height,
            }
        }
        Filter::Near {
            centre,
            metres: most,
        } => position.is_some_and(|position| metres(*centre, position) <= f64::from(*most)),
        Filter::Copied => image.paths.len() > 1,
        Filter::SmallestSide(n) => image.size.0 >= *n && image.size.1 >= *n,
        Filter::Tag(tag) => image.tags.iter().any(|own| own.to_lowercase() == *tag),
        Filter::Tagged => !image.tags.is_empty(),
        Filter::Captioned => !image.captions.is_empty(),
        Filter::Ids(ids) => ids.contains(ItemId(image.id)),
        Filter::All(parts) => parts.iter().all(|part| meets(image, part)),
        Filter::Any(parts) => parts.iter().any(|part| meets(image, part)),
        Filter::Not(part) => !meets(image, part),
    }
}

fn records(dir: &Path) -> Store {
    Store::open(&dir.join("records"), false).unwrap()
}

fn writer(dir: &Path) -> IndexWriter {
    IndexWriter::open_or_create_with(dir, &binding(), WriterOptions::default()).unwrap()
}

/// 500 changes in several commits, around a border between two chunks of ids.
fn history(dir: &Path, rng: &mut StdRng) -> Vec<Expected> {
    drop(writer(dir));
    let start = codec::encode_id(ItemId(facets::PORTION - 150));
    records(dir)
        .write([(Column::Default, meta::NEXT_ID, Some(start.as_slice()))])
        .unwrap();
    let mut images: Vec<Expected> = Vec::new();
    let mut open = writer(dir);
    change(&mut open, &mut images, rng, 0..500);
    let alone = vec![("alone".to_owned(), vector(rng))];
    open.set_captions(None, Path::new("/list.txt"), alone)
        .unwrap();
    open.finish().unwrap();
    images
}

/// Random changes, each with a number of its own, and a commit after each 60.
fn change(
    open: &mut IndexWriter,
    images: &mut Vec<Expected>,
    rng: &mut StdRng,
    numbers: Range<u32>,
) {
    for n in numbers {
        let file = |image| FileRecord {
            n_bytes: 1,
            modified_ns: 2,
            image: ItemId(image),
            change: None,
        };
        let path = || -> PathBuf { format!("{n}").into() };
        let ending = any(rng, &ENDINGS);
        let path = Path::new(any(rng, &FOLDERS))
            .join(path())
            .with_extension("");
        let path = PathBuf::from(format!("{}{ending}", path.display()));
        let at = rng.random_range(0..=images.len());
        match rng.random_range(0..10) {
            0 if at < images.len() => {
                images[at].details = details(rng);
                let image = ItemId(images[at].id);
                open.set_details(image, images[at].details.clone()).unwrap();
            }
            1 if at < images.len() => {
                let n_tags = rng.random_range(0..3);
                let tags: Vec<String> = (0..n_tags).map(|_| any(rng, &TAGS).into()).collect();
                open.set_tags(ItemId(images[at].id), tags.clone()).unwrap();
                images[at].tags = tags;
            }
            2 if at < images.len() => {
                open.put_file(&path, file(images[at].id)).unwrap();
                images[at].paths.insert(path);
            }
            3 | 4 if at < images.len() => {
                let path = images[at].paths.pop_first().unwrap();
                open.remove_file(&path).unwrap();
                if images[at].paths.is_empty() {
                    images.remove(at);
                }
            }
            _ => {
                let size = (
                    rng.random_range(1..600),
                    [100, 300, 500][rng.random_range(0..3)],
                );
                let mut hash = [0; 32];
                hash[..4].copy_from_slice(&n.to_be_bytes());
                let id = open.put_image(hash, size.0, size.1, vector(rng)).unwrap();
                open.put_file(&path, file(id.0)).unwrap();
                let source = Path::new("/c.txt");
                let caption = vec![(format!("text {n}"), vector(rng))];
                open.set_captions(Some(id), source, caption).unwrap();
                images.push(Expected {
                    id: id.0,
                    size,
                    paths: BTreeSet::from([path]),
                    captions: vec![id.0 + 1],
                    ..Expected::default()
                });
            }
        }
        if n % 60 == 0 {
            open.commit().unwrap();
        }
    }
}

fn check_filters(dir: &Path, images: &[Expected], filters: &[Filter], when: &str) {
    check_view(
        &IndexReader::open(dir, None).unwrap(),
        images,
        filters,
        when,
    );
}

fn check_view(reader: &IndexReader, images: &[Expected], filters: &[Filter], when: &str) {
    let (mut n_checked, mut n_found) = (0, 0);
    for filter in filters {
        let chosen = || images.iter().filter(|image| meets(image, filter));
        let expected: IdSet = chosen().map(|image| ItemId(image.id)).collect();
        let found = reader.select(ItemKind::Image, filter).unwrap();
        assert_eq!(*found, expected, "{when}: {filter:?}");
        let expected: IdSet = chosen()
            .flat_map(|image| image.captions.iter().copied().map(ItemId))
            .collect();
        let found = reader.select(ItemKind::Caption, filter).unwrap();
        assert_eq!(*found, expected, "{when}: {filter:?}");
        n_found += expected.len();
        n_checked += 1;
    }
    assert_eq!(n_checked, filters.len());
    let n_all = images.len() * filters.len();
    assert!((n_all / 10..n_all * 9 / 10).contains(&n_found), "{n_found}");
}

#[test]
fn filters_select_what_a_naive_evaluation_selects() {
    for seed in 0..4 {
        let mut rng = StdRng::seed_from_u64(seed);
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let images = history(dir, &mut rng);
        assert!(images.len() > 100, "{}", images.len());
        let filters: Vec<Filter> = (0..150).map(|n| filter(&mut rng, n % 3)).collect();
        check_filters(dir, &images, &filters, "recorded");
        assert_eq!(check(dir).unwrap(), []);
        // As an older program would have left it.
        let store = records(dir);
        let mut keys = facets::keys(&store).unwrap();
        assert!(keys.len() > 50);
        keys.push(meta::FACETED.to_vec());
        let removed = keys.iter().map(|key| (Column::Default, &**key, None));
        store.write(removed).unwrap();
        drop(store);
        check_filters(dir, &images, &filters, "computed");
        assert_eq!(check(dir).unwrap(), []);
        let options = WriterOptions::default();
        let stopped = Steps::stop_at(Step::FacetsRecorded);
        IndexWriter::open_stepwise(dir, &binding(), options, stopped).unwrap_err();
        let next = facets::next_to_record(&records(dir)).unwrap();
        assert_eq!(next, Some(ItemId(facets::PORTION)), "one of two portions");
        check_filters(dir, &images, &filters, "partly recorded");
        assert_eq!(check(dir).unwrap(), []);
        drop(writer(dir));
        check_filters(dir, &images, &filters, "upgraded");
        assert_eq!(check(dir).unwrap(), []);
        // The cursor is lost, and an entry is wrong.
        let store = records(dir);
        let (key, wrong): (&[u8], &[u8]) = (b"xt/none\0\0\0\0\0\x01", b"\x01\x05\0");
        store
            .write([
                (Column::Default, meta::FACETED, None),
                (Column::Default, key, Some(wrong)),
            ])
            .unwrap();
        drop(store);
        drop(writer(dir));
        assert!(facets::are_complete(&records(dir)).unwrap());
        check_filters(dir, &images, &filters, "recorded again");
        assert_eq!(check(dir).unwrap(), []);
    }
}

#[test]
fn facets_that_an_older_program_did_not_know_are_recorded_by_the_next_writer() {
    let mut rng = StdRng::seed_from_u64(21);
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let images = history(dir, &mut rng);
    let centre = Coordinates::new(35.0, 135.7).unwrap();
    let metres = 50_000;
    let filters = [Filter::Near { centre, metres }, Filter::Copied];
    check_filters(dir, &images, &filters, "recorded");
    let store = records(dir);
    let keys = facets::keys(&store).unwrap();
    let is_new = |key: &&Vec<u8>| key.starts_with(b"xg") || key.starts_with(b"xm");
    let new: Vec<_> = keys.iter().filter(is_new).collect();
    assert!(new.len() > 20 && new.len() < keys.len(), "{}", new.len());
    let removed = new.iter().map(|key| (Column::Default, &***key, None));
    let everything = codec::encode_id(facets::ALL);
    let note = (Column::Default, meta::FACETED, Some(everything.as_slice()));
    store.write(removed.chain([note])).unwrap();
    drop(store);
    assert!(!facets::are_complete(&records(dir)).unwrap());
    check_filters(dir, &images, &filters, "computed");
    assert_eq!(check(dir).unwrap(), []);
    drop(writer(dir));
    check_filters(dir, &images, &filters, "upgraded");
    assert_eq!(facets::keys(&records(dir)).unwrap(), keys);
    assert_eq!(check(dir).unwrap(), []);
    // One of a newer program is not taken for nothing.
    let newer = [everything.as_slice(), &[3]].concat();
    records(dir)
        .write([(Column::Default, meta::FACETED, Some(newer.as_slice()))])
        .unwrap();
    assert!(facets::are_complete(&records(dir)).is_err());
}

#[test]
fn a_newer_view_takes_over_selections_and_judges_changed_images_again() {
    let mut rng = StdRng::seed_from_u64(5);
    let dir = tempfile::tempdir().unwrap();
    let mut images = history(dir.path(), &mut rng);
    let filters: Vec<Filter> = (0..25).map(|_| filter(&mut rng, 0)).collect();
    let older = IndexReader::open(dir.path(), None).unwrap();
    check_view(&older, &images, &filters, "older");
    let n_known = older.selections.len();
    assert!(n_known > 10, "{n_known}");
    let mut open = writer(dir.path());
    change(&mut open, &mut images, &mut rng, 500..700);
    open.finish().unwrap();
    let newer = older.newer().unwrap().unwrap();
    assert!(newer.generation() > older.generation());
    assert_eq!(
        newer.selections.len(),
        n_known,
        "taken over before it is asked"
    );
    check_view(&newer, &images, &filters, "newer");
    assert_eq!(newer.selections.len(), n_known, "nothing was read");
}

#[test]
fn captions_that_come_and_go_are_seen_by_the_next_view() {
    let mut rng = StdRng::seed_from_u64(6);
    let dir = tempfile::tempdir().unwrap();
    let mut images = history(dir.path(), &mut rng);
    let captioned = |reader: &IndexReader| {
        let with = reader.select(ItemKind::Image, &Filter::Captioned).unwrap();
        let without = Filter::Not(Box::new(Filter::Captioned));
        let without = reader.select(ItemKind::Image, &without).unwrap();
        [with, without].map(|ids| ids.iter().map(|id| id.0).collect::<BTreeSet<u32>>())
    };
    let expected = |images: &[Expected]| {
        [false, true].map(|is_empty| -> BTreeSet<u32> {
            let wanted = images
                .iter()
                .filter(|image| image.captions.is_empty() == is_empty);
            wanted.map(|image| image.id).collect()
        })
    };
    let mut reader = IndexReader::open(dir.path(), None).unwrap();
    assert_eq!(captioned(&reader), expected(&images));
    for step in [2, 3] {
        let mut open = writer(dir.path());
        for image in images.iter_mut().step_by(step) {
            let source = Path::new("/c.txt");
            open.set_captions(Some(ItemId(image.id)), source, Vec::new())
                .unwrap();
            image.captions.clear();
        }
        open.finish().unwrap();
        reader = reader.newer().unwrap().unwrap();
        let [with, without] = captioned(&reader);
        assert!(with.len() > 20 && without.len() > 20);
        assert_eq!([with, without], expected(&images));
    }
}

#[test]
fn the_newest_images_and_the_folders_are_those_of_a_naive_evaluation() {
    let mut rng = StdRng::seed_from_u64(7);
    let dir = tempfile::tempdir().unwrap();
    let mut images = history(dir.path(), &mut rng);
    let mut open = writer(dir.path());
    // Times of one day.
    for (image, minute) in images.iter_mut().step_by(5).zip(0..) {
        let taken = Moment::new(1993, 8, 14, Some([12, minute % 60, 0]));
        image.details.taken = taken;
        open.set_details(ItemId(image.id), image.details.clone())
            .unwrap();
    }
    // Dates of sidecars, some of which the files contradict.
    let mut n_by_sidecar = 0;
    for (image, minute) in images.iter_mut().skip(1).step_by(5).zip(0..) {
        let taken = Moment::new(1993, 8, 14, Some([11, minute % 60, 30]));
        let sidecar = Details {
            taken,
            ..Details::default()
        };
        open.set_sidecar_details(ItemId(image.id), Path::new("/s.xmp"), sidecar)
            .unwrap();
        n_by_sidecar += usize::from(image.details.taken.is_none());
        image.details.taken = image.details.taken.or(taken);
    }
    assert!(n_by_sidecar > 10, "{n_by_sidecar}");
    open.finish().unwrap();
    let mut sorted: Vec<&Expected> = images.iter().collect();
    sorted.sort_by_key(|image| std::cmp::Reverse((image.details.taken, image.id)));
    assert!(sorted.iter().any(|image| image.details.taken.is_none()));
    let parents = images.iter().flat_map(|image| &image.paths);
    let folders: BTreeSet<PathBuf> = parents.map(|path| path.parent().unwrap().into()).collect();
    let check_order = |when: &str| {
        let reader = IndexReader::open(dir.path(), None).unwrap();
        let found: BTreeSet<PathBuf> = reader.folders().unwrap().into_iter().collect();
        assert_eq!(found, folders, "{when}");
        let everything = reader.every_id().unwrap();
        for n in [0, 1, 10, 60, 1000] {
            for some in [1, 3] {
                let is_chosen = |id: u32| id.is_multiple_of(some);
                let chosen: IdSet = everything.iter().filter(|id| is_chosen(id.0)).collect();
                let found = reader.newest(&chosen, n).unwrap();
                let expected = sorted
                    .iter()
                    .map(|image| image.id)
                    .filter(|&id| is_chosen(id));
                let expected: Vec<ItemId> = expected.take(n).map(ItemId).collect();
                assert_eq!(found, expected, "{when}: {n} of every {some}");
            }
        }
    };
    check_order("recorded");
    let store = records(dir.path());
    let mut keys = facets::keys(&store).unwrap();
    keys.push(meta::FACETED.to_vec());
    store
        .write(keys.iter().map(|key| (Column::Default, &**key, None)))
        .unwrap();
    drop(store);
    check_order("without facets");
}

/// How many images have each value, counted one by one.
fn counts(images: &[Expected]) -> FacetCounts {
    fn count<T: Ord>(values: impl Iterator<Item = BTreeSet<T>>) -> Vec<(T, u64)> {
        let mut counts = BTreeMap::new();
        for value in values.flatten() {
            *counts.entry(value).or_default() += 1;
        }
        counts.into_iter().collect()
    }
    let paths = |image: &Expected, part: fn(&Path) -> Option<PathBuf>| -> BTreeSet<PathBuf> {
        image.paths.iter().filter_map(|path| part(path)).collect()
    };
    let folders = images
        .iter()
        .map(|image| paths(image, |path| path.parent().map(Into::into)));
    let extension = |path: &Path| Some(path.extension()?.to_ascii_lowercase().into());
    let extensions = images.iter().map(|image| paths(image, extension));
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let all = |texts: &[String]| texts.iter().cloned().collect::<BTreeSet<_>>();
    let day = |taken: Moment| Moment::new(taken.year(), taken.month(), taken.day(), None);
    let details = || images.iter().map(|image| &image.details);
    FacetCounts {
        cameras: count(details().map(|details| details.camera.iter().cloned().collect())),
        days: count(details().map(|details| details.taken.and_then(day).into_iter().collect())),
        extensions: count(extensions.map(|paths| paths.iter().map(text).collect())),
        folders: count(folders),
        places: count(details().map(|details| all(&details.places))),
        tags: count(images.iter().map(|image| all(&image.tags))),
    }
}

#[test]
fn values_are_counted_as_recorded_and_as_computed() {
    let mut rng = StdRng::seed_from_u64(12);
    let dir = tempfile::tempdir().unwrap();
    let images = history(dir.path(), &mut rng);
    let expected = counts(&images);
    let n_values = [
        expected.days.len(),
        expected.tags.len(),
        expected.folders.len(),
    ];
    assert!(n_values.iter().all(|&n| n > 1), "{n_values:?}");
    let check_counts = |when: &str| {
        let reader = IndexReader::open(dir.path(), None).unwrap();
        let mut found = reader.facet_counts().unwrap();
        // Paths are sorted by their bytes.
        found.folders.sort();
        assert_eq!(found, expected, "{when}");
    };
    check_counts("recorded");
    let store = records(dir.path());
    let mut keys = facets::keys(&store).unwrap();
    keys.push(meta::FACETED.to_vec());
    store
        .write(keys.iter().map(|key| (Column::Default, &**key, None)))
        .unwrap();
    drop(store);
    check_counts("computed");
}

#[test]
fn a_filter_restricts_vectors_and_words_alike() {
    let mut rng = StdRng::seed_from_u64(9);
    let dir = tempfile::tempdir().unwrap();
    let images = history(dir.path(), &mut rng);
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let filter = Filter::Orientation(Orientation::Portrait);
    let some: IdSet = images
        .iter()
        .step_by(2)
        .map(|image| ItemId(image.id))
        .collect();
    let vector = vector(&mut rng);
    let ask = |among, filter| {
        let query = SearchQuery {
            kind: ItemKind::Image,
            vector: Some(&vector),
            words: Some("text"),
            n: 1000,
            among,
            filter,
            nearest: Nearest::default(),
        };
        let found = reader.search(&query).unwrap();
        let by = |rank: fn(&crate::Candidate) -> Option<usize>| -> BTreeSet<u32> {
            let ranked = found.iter().filter(|found| rank(found).is_some());
            ranked.map(|found| found.id.0).collect()
        };
        let (meaning, words) = (by(|c| c.rank_by_meaning), by(|c| c.rank_by_words));
        assert_eq!(meaning, words, "every image has the word");
        meaning
    };
    let wanted = |is_wanted: &dyn Fn(&Expected) -> bool| -> BTreeSet<u32> {
        let wanted = images.iter().filter(|image| is_wanted(image));
        wanted.map(|image| image.id).collect()
    };
    let is_tall = |image: &Expected| image.size.0 < image.size.1;
    let is_some = |image: &Expected| some.contains(ItemId(image.id));
    assert_eq!(ask(None, None), wanted(&|_| true));
    assert_eq!(ask(None, Some(&filter)), wanted(&is_tall));
    assert_eq!(ask(Some(&some), None), wanted(&is_some));
    let both = wanted(&|image| is_tall(image) && is_some(image));
    assert!(both.len() > 20);
    assert_eq!(ask(Some(&some), Some(&filter)), both);
    let none = Filter::Any(Vec::new());
    assert!(ask(None, Some(&none)).is_empty());
}

#[test]
fn tags_are_words_and_survive_other_changes() {
    let dir = tempfile::tempdir().unwrap();
    let mut open = writer(dir.path());
    let mut rng = StdRng::seed_from_u64(3);
    let image = open.put_image([1; 32], 3, 2, vector(&mut rng)).unwrap();
    let file = FileRecord {
        n_bytes: 1,
        modified_ns: 2,
        image,
        change: None,
    };
    open.put_file(Path::new("/a.jpg"), file).unwrap();
    let tags = [" zebra ", "", "two words", "zebra"].map(str::to_owned);
    open.set_tags(image, tags).unwrap();
    open.commit().unwrap();
    open.set_details(image, details(&mut rng)).unwrap();
    open.finish().unwrap();
    let open = writer(dir.path());
    let stored = open.tags_of(image).unwrap();
    assert_eq!(stored, ["two words", "zebra"]);
    drop(open);
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let found = reader.matching(ItemKind::Image, "zebra", 5).unwrap();
    assert_eq!(found[0].id, image);
    let mut open = writer(dir.path());
    let generation = open.generation();
    open.set_tags(image, stored).unwrap();
    assert_eq!(open.commit().unwrap(), generation, "nothing changed");
    open.set_tags(image, Vec::new()).unwrap();
    open.finish().unwrap();
    let reader = IndexReader::open(dir.path(), None).unwrap();
    assert!(
        reader
            .matching(ItemKind::Image, "zebra", 5)
            .unwrap()
            .is_empty()
    );
    let filter = Filter::Tag("zebra".into());
    assert!(reader.select(ItemKind::Image, &filter).unwrap().is_empty());
    assert_eq!(check(dir.path()).unwrap(), []);
}

#[test]
fn sidecars_complete_the_details_and_keywords_are_found_as_tags() {
    let dir = tempfile::tempdir().unwrap();
    let mut open = writer(dir.path());
    let mut rng = StdRng::seed_from_u64(4);
    let image = open.put_image([1; 32], 3, 2, vector(&mut rng)).unwrap();
    let file = FileRecord {
        n_bytes: 1,
        modified_ns: 2,
        image,
        change: None,
    };
    open.put_file(Path::new("/a.jpg"), file).unwrap();
    let keywords = |words: &[&str]| Details {
        keywords: words.iter().map(|&word| word.to_owned()).collect(),
        ..Details::default()
    };
    let own = keywords(&["zebra"]);
    open.set_details(image, own.clone()).unwrap();
    let (xmp, json) = (Path::new("/a.xmp"), Path::new("/a.jpg.json"));
    open.set_sidecar_details(image, xmp, keywords(&["Zebra", "heron"]))
        .unwrap();
    let dated = Details {
        taken: Moment::new(1994, 5, 6, None),
        ..keywords(&["otter"])
    };
    open.set_sidecar_details(image, json, dated.clone())
        .unwrap();
    open.finish().unwrap();
    let finds = |filter: &Filter| {
        let reader = IndexReader::open(dir.path(), None).unwrap();
        !reader.select(ItemKind::Image, filter).unwrap().is_empty()
    };
    let has_word = |word: &str| {
        let reader = IndexReader::open(dir.path(), None).unwrap();
        !reader
            .matching(ItemKind::Image, word, 5)
            .unwrap()
            .is_empty()
    };
    for word in ["zebra", "heron", "otter"] {
        assert!(finds(&Filter::Tag(word.into())) && has_word(word), "{word}");
    }
    let in_1994 = Filter::Taken {
        from: Moment::new(1994, 1, 1, None),
        to: Moment::new(1994, 12, 31, None),
    };
    assert!(finds(&in_1994));
    let reader = IndexReader::open(dir.path(), None).unwrap();
    let Some(crate::Item::Image(found)) = reader.item(image).unwrap() else {
        panic!("no image")
    };
    let expected = own
        .clone()
        .completed_by(&dated)
        .completed_by(&keywords(&["heron"]));
    assert_eq!((found.details, found.tags.len()), (Some(expected), 0));
    // Each file's are kept apart, so that what a deleted one said is forgotten.
    let mut open = writer(dir.path());
    let (stored, beside) = open.details_of(image).unwrap();
    assert_eq!((stored, beside.len()), (own.clone(), 2));
    let generation = open.generation();
    open.set_sidecar_details(image, json, dated).unwrap();
    assert_eq!(open.commit().unwrap(), generation, "nothing changed");
    open.set_sidecar_details(image, json, Details::default())
        .unwrap();
    open.finish().unwrap();
    assert!(!finds(&in_1994) && !has_word("otter") && !finds(&Filter::Tag("otter".into())));
    assert!(has_word("heron"));
    let mut open = writer(dir.path());
    open.set_sidecar_details(image, xmp, Details::default())
        .unwrap();
    open.finish().unwrap();
    assert!(!has_word("heron") && has_word("zebra"));
    assert_eq!(writer(dir.path()).details_of(image).unwrap().0, own);
    assert_eq!(check(dir.path()).unwrap(), []);
}
