//! `sightline duplicates`: groups, the file to keep, output forms, exit codes.

use std::collections::BTreeMap;
use std::path::Path;

use image::RgbImage;
use image::imageops::{self, FilterType};
use serde_json::Value;

use crate::support::TestEnv;

/// The sample photos that the library of a test is made of.
const PHOTOS: [&str; 6] = [
    "animals/cow.jpg",
    "animals/giraffes.jpg",
    "animals/german_shepherd.jpg",
    "buildings/pagoda.jpg",
    "nature/forest_stream.jpg",
    "night/suspension_bridge.jpg",
];

fn sample(below: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/photos")
        .join(below)
}

fn as_jpeg(path: &Path, picture: &RgbImage, quality: u8) {
    let mut bytes = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality);
    picture.write_with_encoder(encoder).unwrap();
    fs_err::write(path, bytes).unwrap();
}

/// Sample photos; a compressed, a smaller, a lossless and an exact copy of one of them each.
fn library() -> TestEnv {
    let env = TestEnv::new();
    for photo in PHOTOS {
        let name = Path::new(photo).file_name().unwrap();
        fs_err::copy(sample(photo), env.path("photos").join(name)).unwrap();
    }
    fs_err::create_dir(env.path("photos/phone")).unwrap();
    let open = |name: &str| {
        image::open(env.path("photos").join(name))
            .unwrap()
            .to_rgb8()
    };
    as_jpeg(&env.path("photos/phone/cow.jpg"), &open("cow.jpg"), 40);
    let giraffes = open("giraffes.jpg");
    let (width, height) = giraffes.dimensions();
    let half = imageops::resize(&giraffes, width / 2, height / 2, FilterType::Lanczos3);
    as_jpeg(&env.path("photos/phone/small.jpg"), &half, 85);
    open("pagoda.jpg")
        .save(env.path("photos/phone/pagoda.png"))
        .unwrap();
    let copy = env.path("photos/german_shepherd (1).jpg");
    fs_err::copy(env.path("photos/german_shepherd.jpg"), copy).unwrap();
    env.sightline(["index", "photos"]).starter().run().expect(0);
    env
}

/// The file to keep of each group, with kind, reason and others.
fn groups(env: &TestEnv, answer: &Value) -> BTreeMap<String, (String, String, Vec<String>)> {
    let shown = |file: &Value| env.shown(file["path"].as_str().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let groups = answer["groups"].as_array().unwrap().iter();
    groups
        .map(|group| {
            let others = group["others"]
                .as_array()
                .unwrap()
                .iter()
                .map(shown)
                .collect();
            let about = (text(&group["kind"]), text(&group["reason"]), others);
            (shown(&group["keep"]), about)
        })
        .collect()
}

#[test]
fn exact_and_near_copies_are_found_and_the_best_is_kept() {
    let env = library();
    let answer = env
        .sightline(["duplicates", "--json"])
        .starter()
        .run()
        .expect(0)
        .json();
    let expected = [
        (
            "photos/cow.jpg",
            "near",
            "larger file",
            "photos/phone/cow.jpg",
        ),
        (
            "photos/giraffes.jpg",
            "near",
            "more pixels",
            "photos/phone/small.jpg",
        ),
        (
            "photos/phone/pagoda.png",
            "near",
            "lossless format",
            "photos/pagoda.jpg",
        ),
        (
            "photos/german_shepherd.jpg",
            "exact",
            "not named as a copy",
            "photos/german_shepherd (1).jpg",
        ),
    ];
    let expected: BTreeMap<_, _> = expected
        .into_iter()
        .map(|(keep, kind, reason, other)| {
            let about = (kind.to_owned(), reason.to_owned(), vec![other.to_owned()]);
            (keep.to_owned(), about)
        })
        .collect();
    assert_eq!(groups(&env, &answer), expected);
    assert_eq!(
        (&answer["compared"], &answer["skipped"]),
        (&9.into(), &Value::Array(Vec::new()))
    );

    // Paths are those of the files not to keep, byte for byte, and can be piped on.
    let ran = env.succeed(["duplicates", "--paths"]);
    let others: Vec<String> = ran.stdout().lines().map(|path| env.shown(path)).collect();
    let mut expected_others: Vec<String> = expected
        .values()
        .flat_map(|(_, _, others)| others.clone())
        .collect();
    expected_others.sort();
    let mut sorted = others.clone();
    sorted.sort();
    assert_eq!(sorted, expected_others);
    let ran = env.succeed(["duplicates", "--paths", "-0"]);
    let null: Vec<String> = ran
        .stdout()
        .split_terminator('\0')
        .map(|path| env.shown(path))
        .collect();
    assert_eq!(null, others);
    // Nothing is deleted by that.
    assert!(others.iter().all(|path| env.path(path).is_file()));

    let exact = env.succeed(["duplicates", "--exact", "--paths"]);
    assert_eq!(
        env.shown(exact.stdout().trim_end()),
        "photos/german_shepherd (1).jpg"
    );
    let phone = env.succeed(["duplicates", "photos/phone", "--json"]).json();
    assert_eq!(groups(&env, &phone).len(), 3);
}

#[test]
fn groups_are_printed_as_lines() {
    let env = library();
    let ran = env.succeed(["duplicates", "--exact"]);
    let lines: Vec<&str> = ran.stdout().lines().collect();
    assert_eq!(lines.len(), 2, "{ran}");
    assert!(
        lines[0].starts_with("  1  exact  photos/german_shepherd.jpg  "),
        "{ran}"
    );
    assert!(lines[0].ends_with(", keep: not named as a copy"), "{ran}");
    assert_eq!(
        lines[1],
        "            photos/german_shepherd (1).jpg  same content"
    );
    let said = "1 group among 9 pictures (1 exact, 0 near): 1 file not to keep, ";
    assert!(ran.stderr().starts_with(said), "{ran}");

    let ran = env.succeed(["duplicates"]);
    let lines: Vec<&str> = ran.stdout().lines().collect();
    assert_eq!(lines.len(), 8, "{ran}");
    assert!(
        lines[0].starts_with("  1  near   photos/cow.jpg  "),
        "{ran}"
    );
    assert!(lines[0].ends_with(", keep: larger file"), "{ran}");
    assert!(
        lines[1].starts_with("            photos/phone/cow.jpg  "),
        "{ran}"
    );
    assert!(lines[1].contains(", similarity 0.9"), "{ran}");
    let said = "4 groups among 9 pictures (1 exact, 3 near): 4 files not to keep, ";
    assert!(ran.stderr().starts_with(said), "{ran}");
}

#[test]
fn no_duplicates_is_exit_status_1() {
    let env = TestEnv::new();
    fs_err::copy(sample("animals/cow.jpg"), env.path("photos/cow.jpg")).unwrap();
    fs_err::copy(sample("animals/koala.jpg"), env.path("photos/koala.jpg")).unwrap();
    env.sightline(["index", "photos"]).starter().run().expect(0);
    let ran = env.sightline(["duplicates"]).run().expect(1);
    assert_eq!(
        (ran.stdout(), ran.stderr()),
        ("", "no duplicates among 2 pictures\n")
    );
    let ran = env.sightline(["duplicates", "--json"]).run().expect(1);
    assert_eq!(ran.json()["groups"], Value::Array(Vec::new()));
    let ran = env
        .sightline(["duplicates", "--exact", "--paths"])
        .run()
        .expect(1);
    assert_eq!(ran.stdout(), "");
    fs_err::create_dir(env.path("other")).unwrap();
    let ran = env.fail(["duplicates", "other"]);
    assert!(
        ran.stderr()
            .starts_with("error: other: no such folder in the index\n"),
        "{ran}"
    );
    assert!(
        ran.stderr().contains("`sightline index other --index "),
        "{ran}"
    );
    for usage in [["--paths", "--json"], ["--json", "-0"]] {
        env.sightline(["duplicates"])
            .args(usage)
            .run()
            .expect_usage_error();
    }
}

/// What is piped to `rm` must be true of the files as they are now.
#[test]
fn changed_and_missing_files_are_left_out_and_named() {
    let env = library();
    fs_err::remove_file(env.path("photos/german_shepherd.jpg")).unwrap();
    fs_err::copy(sample("animals/koala.jpg"), env.path("photos/cow.jpg")).unwrap();
    let ran = env.succeed(["duplicates", "--paths"]);
    let others: Vec<String> = ran.stdout().lines().map(|path| env.shown(path)).collect();
    assert_eq!(others, ["photos/phone/small.jpg", "photos/pagoda.jpg"]);
    for said in [
        "left out photos/cow.jpg: changed since it was indexed",
        "left out photos/german_shepherd.jpg: no longer there",
        "sightline index FOLDER --index",
    ] {
        assert!(ran.stderr().contains(said), "{said}\n{ran}");
    }
}

/// A part of a picture, in per cent of its width and height.
fn part(picture: &RgbImage, [x, y, width, height]: [u32; 4]) -> RgbImage {
    let (w, h) = picture.dimensions();
    let of = |per_cent: u32, side: u32| side * per_cent / 100;
    imageops::crop_imm(picture, of(x, w), of(y, h), of(width, w), of(height, h)).to_image()
}

#[test]
fn small_copies_and_small_crops_are_duplicates_and_other_views_are_not() {
    let env = TestEnv::new();
    for photo in PHOTOS {
        let picture = image::open(sample(photo)).unwrap().to_rgb8();
        let name = Path::new(photo).file_stem().unwrap().to_str().unwrap();
        let folder = env.path("photos").join(name);
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::copy(sample(photo), folder.join("photo.jpg")).unwrap();
        let scaled = |by: u32, quality: u8| {
            let (width, height) = picture.dimensions();
            let small = imageops::resize(&picture, width / by, height / by, FilterType::Lanczos3);
            as_jpeg(&folder.join(format!("by-{by}.jpg")), &small, quality);
        };
        scaled(2, 85);
        scaled(3, 40);
        scaled(5, 85);
        as_jpeg(&folder.join("low.jpg"), &picture, 20);
        as_jpeg(
            &folder.join("crop.jpg"),
            &part(&picture, [1, 1, 97, 97]),
            90,
        );
        // From one spot, a little to the left and to the right.
        as_jpeg(
            &folder.join("view-left.jpg"),
            &part(&picture, [0, 0, 85, 100]),
            90,
        );
        as_jpeg(
            &folder.join("view-right.jpg"),
            &part(&picture, [15, 0, 85, 100]),
            90,
        );
    }
    env.sightline(["index", "photos"]).starter().run().expect(0);
    let found = env.sightline(["duplicates", "--json"]).starter().run();
    let found = groups(&env, &found.expect(0).json());
    let copies = ["by-2.jpg", "by-3.jpg", "by-5.jpg", "crop.jpg", "low.jpg"];
    for photo in PHOTOS {
        let name = Path::new(photo).file_stem().unwrap().to_str().unwrap();
        let path = |file: &str| format!("photos/{name}/{file}");
        let (kind, _, mut others) = found[&path("photo.jpg")].clone();
        others.sort();
        assert_eq!((kind.as_str(), others), ("near", copies.map(path).to_vec()));
    }
    assert_eq!(found.len(), PHOTOS.len());
}
