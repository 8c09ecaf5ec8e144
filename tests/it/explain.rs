//! `sightline explain`: the parts and words that matter, the map as a file, and JSON.

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage, imageops};
use serde::Deserialize;
use serde_json::Value;
use sightline::engine::{ExplainRequest, ExplainedPicture, Explanation};
use sightline::{Encoders, Engine, platform, quietly};

use crate::support::{TestEnv, corpus};

const PHOTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/photos");

/// Composites of two photos.
const N_COMPOSITES: usize = 20;

/// How many of them must name the half that was asked for.
const N_RIGHT: usize = 18;

#[derive(Deserialize)]
struct Described {
    image: PathBuf,
    captions: Vec<String>,
}

/// The middle of a photo, 200 × 400 pixels.
fn half(photo: &Path) -> RgbImage {
    let bytes = fs_err::read(Path::new(PHOTOS).join(photo)).unwrap();
    let photo = sightline_picture::decode(&bytes, &sightline_picture::DecodeLimits::default());
    let photo = photo.unwrap();
    let (width, height) = photo.dimensions();
    let (wide, high) = (width.min(height / 2), height.min(2 * width));
    let (x, y) = ((width - wide) / 2, (height - high) / 2);
    let middle = imageops::crop_imm(&photo, x, y, wide, high).to_image();
    imageops::resize(&middle, 200, 400, imageops::FilterType::Triangle)
}

/// The share of what supports the text that lies in the right half of the grid.
fn share_of_right(explanation: &Explanation) -> f32 {
    let heat = &explanation.heat;
    let sum = |is_counted: &dyn Fn(usize) -> bool| -> f32 {
        let values = heat.values.iter().enumerate();
        let counted = values.filter(|(cell, _)| is_counted(cell % heat.side));
        counted.map(|(_, value)| value.max(0.0)).sum()
    };
    sum(&|column| column >= heat.side / 2) / sum(&|_| true).max(f32::MIN_POSITIVE)
}

#[test]
fn the_half_that_a_caption_is_about_has_most_of_the_evidence() {
    let text = fs_err::read_to_string(Path::new(PHOTOS).join("captions.jsonl")).unwrap();
    let described: Vec<Described> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let encoders = Encoders::starter(platform::runtime_source()).unwrap();
    let engine = Engine::open(folder.path(), encoders);
    let mut wrong = Vec::new();
    for number in 0..N_COMPOSITES {
        let left = &described[3 * number];
        let right = &described[(3 * number + described.len() / 2 + 1) % described.len()];
        let mut composite = RgbImage::new(400, 400);
        imageops::replace(&mut composite, &half(&left.image), 0, 0);
        imageops::replace(&mut composite, &half(&right.image), 200, 0);
        let asked_for_right = number % 2 == 1;
        let asked = if asked_for_right { right } else { left };
        let mut png = std::io::Cursor::new(Vec::new());
        composite
            .write_to(&mut png, image::ImageFormat::Png)
            .unwrap();
        let request = ExplainRequest {
            picture: ExplainedPicture::Bytes(png.into_inner()),
            text: asked.captions[0].clone(),
            language: None,
            overlay: None,
        };
        let explanation = engine.explain(&request, &mut quietly).unwrap().unwrap();
        if (share_of_right(&explanation) > 0.5) != asked_for_right {
            wrong.push((&left.image, &right.image, &asked.captions[0]));
        }
    }
    let n_right = N_COMPOSITES - wrong.len();
    assert!(n_right >= N_RIGHT, "{n_right} of {N_COMPOSITES}: {wrong:?}");
}

/// A grey picture with a red square in the lower right corner.
fn with_red_corner(env: &TestEnv) {
    let picture = RgbImage::from_fn(96, 96, |x, y| {
        Rgb(if x >= 64 && y >= 64 {
            [255, 0, 0]
        } else {
            [128, 128, 128]
        })
    });
    corpus::save(&env.path("corner.png"), &picture);
}

fn numbers(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().unwrap().iter();
    numbers.map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn places_and_words_are_printed_without_an_index() {
    let env = TestEnv::new();
    with_red_corner(&env);
    let ran = env.succeed(["explain", "corner.png", "the red corner"]);
    let lines: Vec<&str> = ran.stdout().lines().collect();
    assert!(lines[0].starts_with("similarity "), "{ran}");
    for (line, row) in lines[2..5].iter().zip(["upper", "middle", "lower"]) {
        assert!(line.starts_with(&format!("{row} left ")), "{ran}");
        assert_eq!(line.matches(" %").count(), 3, "{ran}");
    }
    assert!(lines[5].starts_with("mostly lower right"), "{ran}");
    assert_eq!(lines[7], "similarity that each word adds");
    assert!(lines[8].ends_with("  red"), "{ran}");
    assert_eq!((lines.len(), ran.stderr()), (11, ""), "{ran}");
    // The same of an indexed picture, and of one from stdin.
    fs_err::rename(env.path("corner.png"), env.path("photos/corner.png")).unwrap();
    env.index_photos();
    let indexed = env.succeed(["explain", "photos/corner.png", "the red corner"]);
    assert_eq!(indexed.stdout(), ran.stdout());
    let stdin = env.sightline(["explain", "-", "the red corner"]);
    let stdin = stdin.stdin(&env.path("photos/corner.png"));
    assert_eq!(stdin.run().expect(0).stdout(), ran.stdout());
}

#[test]
fn json_has_the_grid_in_the_part_that_is_seen() {
    let env = TestEnv::new();
    with_red_corner(&env);
    let answer = env
        .succeed(["explain", "corner.png", "the red corner", "--json"])
        .json();
    assert_eq!(answer["image"]["path"], "corner.png");
    assert_eq!(answer["text"], "the red corner");
    let grid = &answer["grid"];
    assert_eq!((&grid["columns"], &grid["rows"]), (&12.into(), &12.into()));
    let values = numbers(&grid["values"]);
    assert_eq!(values.len(), 144);
    let most = values.iter().copied().fold(f64::MIN, f64::max);
    let at = values.iter().position(|&value| value == most).unwrap();
    assert!(at / 12 >= 8 && at % 12 >= 8, "{at}");
    assert_eq!(answer["strongest"][0], "lower right");
    let shares = answer["places"].as_array().unwrap().iter();
    let sum: f64 = shares.map(|place| place["share"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-4, "{sum}");
    let support = |word: usize| answer["words"][word]["support"].as_f64().unwrap();
    assert!(
        support(1) > support(0) && support(1) > support(2),
        "{answer:#}"
    );
    assert!(answer["encoded"].as_u64().unwrap() <= 60);
}

#[test]
fn the_map_is_written_as_png_and_replaces_no_photo() {
    let env = TestEnv::new();
    with_red_corner(&env);
    let explain = |file: &str| {
        env.sightline(["explain", "corner.png", "red", "-o", file])
            .run()
    };
    for _ in 0..2 {
        let ran = explain("heat.png").expect(0);
        assert!(ran.stderr().contains("wrote heat.png"), "{ran}");
    }
    let map = image::open(env.path("heat.png")).unwrap().to_rgb8();
    assert_eq!(map.dimensions(), (96, 96));
    let light = |x, y| {
        let Rgb(pixel) = *map.get_pixel(x, y);
        pixel.iter().map(|value| u32::from(*value)).sum::<u32>()
    };
    assert!(light(80, 80) > light(16, 16) + 60);
    let before = fs_err::read(env.path("corner.png")).unwrap();
    let ran = explain("corner.png").expect(2);
    assert!(ran.stderr().contains("corner.png: not a map"), "{ran}");
    assert!(ran.stderr().contains("hint: "), "{ran}");
    assert_eq!(fs_err::read(env.path("corner.png")).unwrap(), before);
    let ran = explain("heat.jpg").expect(2);
    assert!(
        ran.stderr()
            .contains("hint: give a name that ends with .png"),
        "{ran}"
    );
    assert!(
        explain("no/heat.png")
            .expect(2)
            .stderr()
            .contains("no/heat.png")
    );
}

#[test]
fn a_crop_is_mentioned() {
    let env = TestEnv::new();
    corpus::save(&env.path("wide.png"), &corpus::halves("red", "blue"));
    let ran = env
        .sightline(["explain", "wide.png", "a red thing"])
        .starter()
        .run();
    let ran = ran.expect(0);
    assert!(
        ran.stderr().contains("only the middle 67 % of the width"),
        "{ran}"
    );
    assert!(ran.stdout().starts_with("confidence "), "{ran}");
}

#[test]
fn of_a_text_that_the_model_does_not_know_no_part_is_judged() {
    let env = TestEnv::new();
    corpus::save(&env.path("wide.png"), &corpus::halves("red", "blue"));
    let ran = env.sightline(["explain", "wide.png", "🐶"]).starter();
    let ran = ran.run().expect(0);
    let expected = "the model knows no part of this query: the similarities mean nothing\n";
    assert_eq!(ran.stderr(), expected);
    assert!(ran.stdout().starts_with("similarity "), "{ran}");
    assert_eq!(ran.stdout().lines().count(), 1, "{ran}");
}

#[test]
fn a_sliver_that_the_model_sees_is_not_nothing() {
    let env = TestEnv::new();
    corpus::save(&env.path("thin.png"), &RgbImage::new(1, 3000));
    let ran = env.sightline(["explain", "thin.png", "a dog"]).starter();
    let ran = ran.run().expect(0);
    let expected = "only the middle 0.03 % of the height";
    assert!(ran.stderr().contains(expected), "{ran}");
}

#[test]
fn mistakes_are_named() {
    let env = TestEnv::new();
    with_red_corner(&env);
    let rows: [(&[&str], &str); 6] = [
        (&["absent.png", "red"], "absent.png"),
        (&["red", "corner.png"], "`sightline explain corner.png red`"),
        (&["photos", "red"], "photos: a folder, not a file"),
        (&["corner.png", " "], "TEXT is empty"),
        (
            &["corner.png", "red", "--model", "nope"],
            "nope: no such model",
        ),
        (&["corner.png", "red", "--language", "de"], "de"),
    ];
    assert_eq!(rows.len(), 6);
    for (arguments, expected) in rows {
        let ran = env.sightline(["explain"]).args(arguments).run().expect(2);
        assert!(ran.stderr().contains(expected), "{ran}");
        assert_eq!(ran.stdout(), "");
    }
    env.sightline(["explain", "corner.png"])
        .run()
        .expect_usage_error();
}
