//! Duplicates among real files, with vectors of mean colours.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use super::*;
use crate::engine::tests::{Place, name};
use crate::engine::{Engine, EngineError, quietly};

/// A picture of blurred spots around a colour, others for each seed.
fn spots(seed: u64, colour: [u8; 3]) -> RgbImage {
    let mut state = seed;
    let coarse = RgbImage::from_fn(40, 30, |_, _| {
        // Knuth's generator (MMIX), of which the upper bits are used.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let light = i16::try_from((state >> 40) % 121).unwrap() - 60;
        let shade = |part: u8| (i16::from(part) + light).clamp(0, 255);
        Rgb(colour.map(|part| u8::try_from(shade(part)).unwrap()))
    });
    imageops::resize(&coarse, 400, 300, FilterType::CatmullRom)
}

const COLOUR: [u8; 3] = [150, 100, 80];

fn as_jpeg(path: &Path, picture: &RgbImage, quality: u8) {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    picture.write_with_encoder(encoder).unwrap();
    fs_err::write(path, bytes).unwrap();
}

fn found(place: &Place, request: &DuplicatesRequest) -> DuplicatesReport {
    Engine::duplicates(&place.index, request, &mut quietly).unwrap()
}

/// The names of each group, the one to keep first, and why it is.
fn groups(report: &DuplicatesReport) -> Vec<(Vec<String>, KeepReason)> {
    let names = |group: &DuplicateGroup| {
        let others = group.others.iter();
        let mut names: Vec<String> = others.map(|file| name(&file.path)).collect();
        names.sort();
        names.insert(0, name(&group.keep.path));
        (names, group.reason)
    };
    report.groups.iter().map(names).collect()
}

/// A photo with three copies that look the same, one that has its content, and others that have
/// either its vector or its hash.
fn library() -> Place {
    let place = Place::new();
    let path = |name: &str| place.photos.join(name);
    let photo = spots(1, COLOUR);
    as_jpeg(&path("a.jpg"), &photo, 90);
    fs_err::copy(path("a.jpg"), path("a copy.jpg")).unwrap();
    as_jpeg(&path("a-low.jpg"), &photo, 30);
    imageops::resize(&photo, 200, 150, FilterType::Triangle)
        .save(path("a-half.png"))
        .unwrap();
    spots(2, COLOUR).save(path("same colour.png")).unwrap();
    let mut other = photo;
    for Rgb([red, _, blue]) in other.pixels_mut() {
        std::mem::swap(red, blue);
    }
    other.save(path("same light.png")).unwrap();
    place.index();
    place
}

#[test]
fn copies_are_one_group_around_the_best_of_them() {
    let place = library();
    let report = found(&place, &DuplicatesRequest::default());
    let expected = ["a.jpg", "a copy.jpg", "a-half.png", "a-low.jpg"]
        .map(String::from)
        .to_vec();
    assert_eq!(groups(&report), [(expected, KeepReason::PlainName)]);
    assert_eq!((report.n_compared, report.interrupted), (5, false));
    assert!(report.skipped.is_empty());
    let group = &report.groups[0];
    assert!(!group.is_exact());
    let file = |wanted: &str| {
        group
            .others
            .iter()
            .find(|file| name(&file.path) == wanted)
            .unwrap()
    };
    let copy = file("a copy.jpg");
    assert_eq!((copy.similarity, copy.hash_distance), (None, 0));
    assert!(file("a-low.jpg").similarity.unwrap() > 0.99);
    assert_eq!(
        (file("a-half.png").width, file("a-half.png").height),
        (200, 150)
    );
    let n_bytes = |name: &str| fs_err::metadata(place.photos.join(name)).unwrap().len();
    let others = ["a copy.jpg", "a-half.png", "a-low.jpg"];
    assert_eq!(
        group.n_bytes_of_others(),
        others.map(n_bytes).iter().sum::<u64>()
    );
}

#[test]
fn exact_groups_need_no_reading() {
    let place = library();
    let request = DuplicatesRequest {
        exact_only: true,
        ..DuplicatesRequest::default()
    };
    let report = found(&place, &request);
    let expected = ["a.jpg", "a copy.jpg"].map(String::from).to_vec();
    assert_eq!(groups(&report), [(expected, KeepReason::PlainName)]);
    assert!(report.groups[0].is_exact());
}

#[test]
fn a_folder_shows_the_same_groups_as_far_as_it_has_a_file_in_them() {
    let place = Place::new();
    let photo = spots(1, COLOUR);
    for (path, quality) in [("one/a.jpg", 90), ("two/a.jpg", 50), ("three/a.jpg", 30)] {
        let path = place.photos.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        as_jpeg(&path, &photo, quality);
    }
    as_jpeg(&place.photos.join("three/b.jpg"), &spots(7, COLOUR), 90);
    as_jpeg(&place.photos.join("b.jpg"), &spots(7, COLOUR), 80);
    place.index();
    let of = |folder: PathBuf| {
        let folder = Some(folder);
        let request = DuplicatesRequest {
            folder,
            ..DuplicatesRequest::default()
        };
        found(&place, &request).groups
    };
    let all = found(&place, &DuplicatesRequest::default()).groups;
    assert_eq!(all.len(), 2);
    assert_eq!(of(place.photos.clone()), all);
    assert_eq!(of(place.photos.join("three")), all);
    let two = of(place.photos.join("two"));
    assert_eq!((two.len(), two[0].others.len()), (1, 2));
    assert!(all.contains(&two[0]));
    let folder = place.photos.join("none");
    let request = DuplicatesRequest {
        folder: Some(folder.clone()),
        ..DuplicatesRequest::default()
    };
    let error = Engine::duplicates(&place.index, &request, &mut quietly).unwrap_err();
    assert!(matches!(error, EngineError::NotIndexed { path, .. } if path == folder));
}

/// A suggestion to delete must not rest on what the index says of files that are no longer so.
#[test]
fn files_that_are_missing_or_changed_are_left_out() {
    let place = library();
    fs_err::remove_file(place.photos.join("a.jpg")).unwrap();
    fs_err::write(place.photos.join("a-low.jpg"), "something else").unwrap();
    let report = found(&place, &DuplicatesRequest::default());
    let expected = ["a copy.jpg", "a-half.png"].map(String::from).to_vec();
    assert_eq!(groups(&report), [(expected, KeepReason::MorePixels)]);
    let skipped = report.skipped.iter();
    let skipped: Vec<_> = skipped
        .map(|skipped| (name(&skipped.path), skipped.reason.as_str()))
        .collect();
    let expected = [
        ("a-low.jpg".to_owned(), "changed since it was indexed"),
        ("a.jpg".to_owned(), "no longer there"),
    ];
    assert_eq!(skipped, expected);
}

/// Of a file and links to it, deleting the file would leave nothing.
#[cfg(unix)]
#[test]
fn links_to_a_file_are_not_its_copies() {
    let place = Place::new();
    let path = |name: &str| place.photos.join(name);
    as_jpeg(&path("z.jpg"), &spots(1, COLOUR), 90);
    fs_err::os::unix::fs::symlink(path("z.jpg"), path("a.jpg")).unwrap();
    fs_err::hard_link(path("z.jpg"), path("b.jpg")).unwrap();
    place.index();
    assert_eq!(found(&place, &DuplicatesRequest::default()).groups, []);
    // The link comes first by its name, and still what it leads to is kept.
    fs_err::remove_file(path("b.jpg")).unwrap();
    fs_err::copy(path("z.jpg"), path("z copy.jpg")).unwrap();
    place.index();
    let report = found(&place, &DuplicatesRequest::default());
    let expected = ["z.jpg", "z copy.jpg"].map(String::from).to_vec();
    assert_eq!(groups(&report), [(expected, KeepReason::PlainName)]);
}

#[test]
fn a_run_that_is_stopped_says_so() {
    let place = library();
    let mut stop = |_: &crate::engine::Progress| ControlFlow::Break(());
    let request = DuplicatesRequest::default();
    let report = Engine::duplicates(&place.index, &request, &mut stop).unwrap();
    assert!(report.interrupted);
    // Equal content is known without comparing.
    let expected = ["a.jpg", "a copy.jpg"].map(String::from).to_vec();
    assert_eq!(groups(&report), [(expected, KeepReason::PlainName)]);
}

#[test]
fn many_files_that_look_the_same_are_one_group() {
    let place = Place::new();
    let photo = spots(3, COLOUR);
    for number in 0..40_u8 {
        let path = place.photos.join(format!("{number:02}.jpg"));
        as_jpeg(&path, &photo, 50 + number);
    }
    place.index();
    let report = found(&place, &DuplicatesRequest::default());
    assert_eq!(report.groups.len(), 1);
    let group = &report.groups[0];
    assert_eq!(
        (name(&group.keep.path).as_str(), group.reason),
        ("39.jpg", KeepReason::LargerFile)
    );
    assert_eq!(group.others.len(), 39);
}
