//! `sightline eval`: figures that can be calculated by hand.

use serde_json::json;

use crate::support::corpus;
use crate::support::{TestEnv, snapshot};

/// Four pictures and six captions; both captions of black are wrong.
fn dataset(env: &TestEnv) {
    for name in ["red", "green", "blue", "black"] {
        corpus::plain(&env.path(format!("set/pictures/{name}.png")), name);
    }
    env.write(
        "set/captions.jsonl",
        r#"{"image": "pictures/red.png", "captions": ["red", "all red"]}
{"image": "pictures/green.png", "captions": ["green"]}
{"image": "pictures/blue.png", "captions": ["blue"]}
{"image": "pictures/black.png", "captions": ["white", "yellow"]}
"#,
    );
}

#[test]
fn figures_are_as_calculated_by_hand() {
    let env = TestEnv::new();
    dataset(&env);
    let ran = env.succeed(["eval", "set/captions.jsonl", "--json"]);
    // Text to image. "red", "all red", "green", "blue": rank 1. "white": black differs in three
    // channels, the other three pictures in two: rank 4. "yellow": red and green differ in one,
    // black in two, blue in three: rank 3. So 4 of 6 at 1, all within 5, median (1 + 1) / 2.
    // Image to text. Red, green and blue are nearest to their own words: rank 1. Black: of its own
    // captions "yellow" differs in two channels; before it are "red", "all red", "green" and
    // "blue", which differ in one: rank 5.
    let expected = json!({
        "model": "colours",
        "images": 4,
        "captions": 6,
        "captions_cut": 0,
        "text_to_image": { "r1": 66.67, "r5": 100.0, "r10": 100.0, "median_rank": 1.0 },
        "image_to_text": { "r1": 75.0, "r5": 100.0, "r10": 100.0, "median_rank": 1.0 },
        "text_to_image_without_hubs": {
            "r1": 66.67, "r5": 100.0, "r10": 100.0, "median_rank": 1.0
        },
        "image_to_text_without_hubs": {
            "r1": 75.0, "r5": 100.0, "r10": 100.0, "median_rank": 1.0
        },
        "skipped": [],
    });
    assert_eq!(ran.json(), expected);
    assert!(!env.index().exists(), "an index was created");
}

#[test]
fn figures_are_printed_as_a_table() {
    let env = TestEnv::new();
    dataset(&env);
    env.write("set/pictures/blue.png", "not a picture");
    fs_err::remove_file(env.path("set/pictures/green.png")).unwrap();
    snapshot!(env, env.sightline(["eval", "set/captions.jsonl"]).run(), @r"
    exit code: 0
    ----- stdout -----
    colours: 2 images, 4 captions, exact scan

                                  R@1     R@5    R@10   median rank
    text → image                  50.0%  100.0%  100.0%           1.5
    image → text                  50.0%  100.0%  100.0%             2
    text → image, less hub bias   50.0%  100.0%  100.0%           1.5
    image → text, less hub bias   50.0%  100.0%  100.0%             2

    ----- stderr -----
    skipped set/pictures/blue.png: this is not a picture
    skipped set/pictures/green.png: failed to open file `set/pictures/green.png`: No such file or directory (os error 2)
    ");
}

#[test]
fn unreadable_pictures_are_skipped_with_their_captions() {
    let env = TestEnv::new();
    dataset(&env);
    fs_err::remove_file(env.path("set/pictures/black.png")).unwrap();
    let report = env.succeed(["eval", "set/captions.jsonl", "--json"]).json();
    assert_eq!(
        (&report["images"], &report["captions"]),
        (&json!(3), &json!(4))
    );
    assert_eq!(report["text_to_image"]["r1"], 100.0);
    let skipped = report["skipped"].as_array().unwrap();
    assert_eq!(skipped.len(), 1);
    assert!(
        skipped[0]["path"]
            .as_str()
            .unwrap()
            .ends_with("set/pictures/black.png")
    );
}

#[test]
fn empty_and_invalid_datasets_are_refused() {
    let env = TestEnv::new();
    env.write("empty.jsonl", "\n");
    snapshot!(env, env.sightline(["eval", "empty.jsonl"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: empty.jsonl: no pictures with captions
    ");
    env.write(
        "away.jsonl",
        r#"{"image": "away.png", "captions": ["away"]}"#,
    );
    snapshot!(env, env.sightline(["eval", "away.jsonl"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: away.jsonl: no pictures with captions
    ");
    env.write(
        "bad.jsonl",
        "{\"image\": \"a.png\", \"captions\": [\"a\"]}\nred.png: red\n",
    );
    snapshot!(env, env.sightline(["eval", "bad.jsonl"]).run(), @r#"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: bad.jsonl: no pictures with captions (line 2: expected {"image": "relative/path.jpg", "captions": ["…"]}: not valid JSON: expected a text in double quotes, a number, a list or an object at column 1)
    "#);
    snapshot!(env, env.sightline(["eval", "absent.jsonl"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: failed to open file `absent.jsonl`: No such file or directory (os error 2)

    hint: check the path; a relative one starts at the current folder
    ");
}

/// The colour model reads at most 16 tokens.
#[test]
fn captions_too_long_for_the_model_are_reported() {
    let env = TestEnv::new();
    dataset(&env);
    let long = "red ".repeat(30);
    env.write(
        "set/captions.jsonl",
        format!(
            "{{\"image\": \"pictures/red.png\", \"captions\": [\"{long}\", \"red\", \"{long}\"]}}\n"
        ),
    );
    let ran = env.succeed(["eval", "set/captions.jsonl", "--json"]);
    assert_eq!(ran.json()["captions_cut"], 2);
    assert_eq!(
        ran.stderr(),
        "2 captions are too long for the model: their last tokens were ignored\n"
    );
}
