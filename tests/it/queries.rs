//! `sightline search`: mixed queries, phrases, exclusions, filters, and what is said about them.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::corpus::{self, COLOURS};
use crate::support::{TestEnv, hits};

/// Eight pictures of one colour each in two folders, two of them with captions, one with a date.
fn two_folders() -> TestEnv {
    let env = TestEnv::new();
    for (number, (name, _)) in COLOURS.iter().enumerate() {
        let folder = ["warm", "cold/north"][number % 2];
        corpus::plain(&env.path(format!("photos/{folder}/IMG_{number}.png")), name);
    }
    let details = corpus::jpeg_with_details(&corpus::halves("red", "black"));
    env.write("photos/camera.jpg", details);
    env.write("photos/warm/IMG_0.txt", "a fire engine in the street\n");
    env.write(
        "photos/cold/north/IMG_1.txt",
        "a street with a green engine\n",
    );
    env.index_photos();
    env
}

fn by_meaning(env: &TestEnv, arguments: &[&str]) -> Vec<(String, f64)> {
    let ran = env.sightline(["search", "--by", "meaning", "--json"]);
    let answer = ran.args(arguments).run().expect(0).json();
    hits(&answer)
}

/// The same hits, up to rounding: a sum depends on the order of its terms in the last bits.
#[track_caller]
fn assert_close(mut found: Vec<(String, f64)>, expected: &[(String, f64)]) {
    let mut expected = expected.to_vec();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(&expected) {
        assert!(a.0 == b.0 && (a.1 - b.1).abs() < 1e-4, "{a:?} and {b:?}");
    }
}

#[test]
fn texts_and_pictures_are_added_and_subtracted() {
    let env = two_folders();
    let red = "photos/warm/IMG_0.png";
    // A picture by its file, through stdin and by its vector in the index.
    let by_file = by_meaning(&env, &["--image", red]);
    assert_eq!(by_file[0].0, "IMG_0.png");
    assert_close(by_meaning(&env, &["--like", red]), &by_file);
    assert_close(by_meaning(&env, &["--plus", red]), &by_file);
    for (option, value) in [("--image", "-"), ("--plus", "-")] {
        let ran = env.sightline(["search", "--by", "meaning", "--json", option, value]);
        let answer = ran.stdin(&env.path(red)).run().expect(0).json();
        assert_close(hits(&answer), &by_file);
    }
    let ran = env.sightline(["captions", "-", "--json"]);
    let answer = ran.stdin(&env.path(red)).run().expect(0).json();
    let expected = env.succeed(["captions", red, "--json"]).json();
    assert_eq!(answer["hits"], expected["hits"]);
    // In any order, and as heavy as it is.
    let mixed = by_meaning(&env, &["red", "--plus", "blue", "--minus", "green"]);
    assert_eq!(mixed[0].0, "IMG_4.png", "pink: {mixed:?}");
    let other = by_meaning(&env, &["blue", "--minus", "0.5:green", "--plus", "1:red"]);
    assert_close(other, &mixed);
    let heavy = by_meaning(&env, &["red", "--plus", "50:blue"]);
    assert_eq!(heavy[0].0, "IMG_2.png", "{heavy:?}");
    // What is subtracted moves down.
    let similarity =
        |hits: &[(String, f64)]| hits.iter().find(|hit| hit.0 == "IMG_1.png").unwrap().1;
    let without = by_meaning(&env, &["red", "--plus", "blue"]);
    assert!(similarity(&mixed) < similarity(&without));
    // Words beside a picture count twice.
    let usual = by_meaning(&env, &["green", "--image", red]);
    let given = by_meaning(&env, &["--plus", "2:green", "--plus", &format!("1:{red}")]);
    assert_close(given, &usual);
}

#[test]
fn filters_are_options_and_words_of_the_box() {
    let env = two_folders();
    let found = |arguments: &[&str]| -> Vec<String> {
        let ran = env
            .sightline(["search", "--json"])
            .args(arguments)
            .run()
            .expect(0);
        let answer = ran.json();
        let mut found: Vec<String> = hits(&answer).into_iter().map(|hit| hit.0).collect();
        found.sort();
        found
    };
    let rows: [(&[&str], &str, usize); 8] = [
        (&["--in", "photos/warm"], "in:warm", 4),
        (
            &["--in", "photos/warm", "--in", "photos/cold"],
            "in:warm in:cold",
            8,
        ),
        (&["--since", "2023-08-14"], "after:2023/08/14", 1),
        (&["--since", "2023", "--until", "2023-08"], "date:2023", 1),
        (
            &["--camera", "nikon", "--place", "kyoto"],
            "camera:Nikon place:Kyoto",
            1,
        ),
        (&["--type", "jpeg"], "type:jpg", 1),
        (
            &["--has", "caption", "--min-size", "32"],
            "has:caption min-size:32",
            2,
        ),
        (
            &["--orientation", "landscape", "--type", "png"],
            "orientation:landscape type:PNG",
            8,
        ),
    ];
    assert_eq!(rows.len(), 8);
    for (options, text, n) in rows {
        let by_options = found(options);
        assert_eq!(by_options.len(), n, "{text}: {by_options:?}");
        assert_eq!(found(&[text]), by_options, "{text}");
        // Beside words the same pictures are ranked.
        assert_eq!(found(&[options, &["red"]].concat()), by_options, "{text}");
    }
    assert_eq!(found(&["\"green engine\""]), ["IMG_1.png"]);
    assert_eq!(found(&["engine -street", "--by", "meaning"]).len(), 7);
    assert_eq!(found(&["red -type:png"]), ["camera.jpg"]);
    // By date, then by when they were added.
    let listed = env.found(["orientation:landscape", "-k", "3"]);
    assert_eq!(listed[0], "photos/camera.jpg");
    for nothing in ["before:1999", "tag:best", "place:Rome"] {
        let ran = env.sightline(["search", nothing]).run().expect(1);
        assert!(ran.stderr().starts_with("no picture found\n"), "{ran}");
    }
    // A list runs no model.
    let ran = env
        .sightline(["search", "in:warm"])
        .env("ORT_DYLIB_PATH", "/nowhere.so");
    ran.run().expect(0);
}

#[test]
fn what_was_understood_is_said() {
    let env = two_folders();
    let said = |arguments: &[&str]| {
        let ran = env.sightline(["search"]).args(arguments).run().expect(0);
        ran.stderr().to_owned()
    };
    let mixed = said(&["street without green -fire", "--in", "photos/cold"]);
    let first = "understood as: “street” − 0.5 × “green”; not with “fire”; in: photos/cold\n";
    assert!(mixed.starts_with(first), "{mixed}");
    let unknown = "the model knows no part of “street”: only keywords were searched\n";
    assert!(mixed.contains(unknown), "{mixed}");
    assert_eq!(said(&["type:jpg"]), "understood as: type: jpg\n");
    assert_eq!(
        said(&["red -near:0,180,20000"]),
        "understood as: red; not near: 20000 km around 0, 180\n"
    );
    assert_eq!(
        said(&["red -near:paris,5"]),
        "understood as: red; not near: 5 km around Paris, Ile-de-France, France \
         (48.85341, 2.3488)\n10 other towns of the same name: near:\"Paris, Maine\" means another\n"
    );
    let remarks = said(&["red cameras:nikon on: 2023", "--by", "meaning"]);
    let expected = "`cameras:` was searched as a word: did you mean `camera:`?\n\
                    `on:` was searched as a word: the value of a filter follows without a space\n";
    assert!(remarks.starts_with(expected), "{remarks}");
    // Plain words are not repeated.
    assert_eq!(env.succeed(["search", "red"]).stderr(), "");
    let query = |arguments: &[&str]| -> Value {
        let ran = env
            .sightline(["search", "--json"])
            .args(arguments)
            .run()
            .expect(0);
        ran.json()["query"].clone()
    };
    let text = "red \"fire engine\" cameras:x without green -snow -in:cold";
    assert_eq!(
        query(&[text, "--image", "photos/camera.jpg", "--has", "caption"]),
        json!({
            "text": text,
            "image": { "path": "photos/camera.jpg" },
            "parts": [
                { "text": "red fire engine cameras:x", "weight": 2.0, "known_to_model": true },
                { "text": "green", "weight": -0.5, "known_to_model": true },
                {
                    "image": { "path": "photos/camera.jpg" },
                    "is_indexed": false,
                    "weight": 1.0,
                    "known_to_model": null,
                },
            ],
            "phrases": ["fire engine"],
            "excluded": ["snow"],
            "filters": [
                { "key": "in", "value": "cold", "negated": true },
                { "key": "has", "value": "caption", "negated": false },
            ],
            "unknown_keys": [{ "typed": "cameras", "similar": "camera" }],
        })
    );
    let literal = query(&[text, "--literal"]);
    assert_eq!(literal["parts"][0]["text"], text);
    assert_eq!(literal["parts"].as_array().unwrap().len(), 1);
    assert_eq!(literal["filters"], json!([]));
}

#[test]
fn mistakes_in_queries_are_named() {
    let env = two_folders();
    let rows: [(&[&str], &str); 20] = [
        (
            &["dog after:\"last summer\""],
            "after:\"last summer\": expected a date such as 2023, 2023-06 or 2023-06-14",
        ),
        (
            &["--since", "yesterday"],
            "invalid value 'yesterday' for '--since <DATE>': expected a date such as 2023",
        ),
        (
            &["--orientation", "tall"],
            "expected landscape, portrait or square",
        ),
        (
            &["--near", "95,0"],
            "invalid value '95,0' for '--near <LAT,LON,KM|TOWN>': expected a latitude from -90",
        ),
        (
            &["--near", "-35,200,5"],
            "expected a latitude from -90 to 90, a longitude from -180 to 180",
        ),
        (
            &["dog near:xanadu9"],
            "near:xanadu9: expected a town of GeoNames (kyoto)",
        ),
        (
            &["near:kyoto,0"],
            "near:kyoto,0: expected a distance above 0 and at most 20000 km",
        ),
        (&["is:sharp"], "is:sharp: expected duplicate"),
        (
            &["red", "--in", "photos/hot"],
            "photos/hot: no such folder in the index",
        ),
        (
            &["red", "--in", "photos/hot"],
            "hint: to see which folders are indexed: `sightline status",
        ),
        (
            &["--like", "photos/none.png"],
            "photos/none.png: no such picture in the index",
        ),
        (&["red", "--plus", "none.png"], "none.png"),
        (
            &["red", "--plus", "0:blue"],
            "`0:blue`: expected a weight above 0",
        ),
        (
            &["red", "--minus", "1:red"],
            "the parts of the query cancel out: “red” − 1 × “red”",
        ),
        (
            &["red", "--minus", "green", "--by", "words"],
            "a search by words alone cannot subtract",
        ),
        (
            &["--image", "-", "--plus", "-"],
            "stdin holds one picture: `-` was given twice",
        ),
        (&["--minus", "red"], "the query has only negative parts"),
        (&["--minus", "red"], "hint: say what to look for, too"),
        (
            &["--unlike", "photos/red.png"],
            "the query has only negative parts",
        ),
        (
            &["min-size:99999999999999"],
            "expected a number of pixels from 1 to 4294967295",
        ),
    ];
    assert_eq!(rows.len(), 20);
    for (arguments, expected) in rows {
        let ran = env.sightline(["search"]).args(arguments).run().expect(2);
        assert!(ran.stderr().contains(expected), "{ran}");
        assert_eq!(ran.stdout(), "");
    }
    // A language without a text.
    let ran = env.sightline(["search", "--image", "a.png", "--language", "en"]);
    ran.run().expect_usage_error();
}

#[test]
fn a_filter_that_looks_like_a_file_gets_no_remark_on_words() {
    let env = TestEnv::indexed();
    let remark = "no such file, so its words were searched";
    let rows = [
        (["search", "type:.png"], false),
        (["search", "-red.png"], false),
        (["search", "none.png"], true),
    ];
    for (line, expected) in rows {
        let ran = env.sightline(line).run();
        assert_eq!(ran.stderr().contains(remark), expected, "{ran}");
    }
    env.write("lines.txt", "type:.png\nnone.png\n");
    let ran = env.sightline(["refine", "type:.png"]);
    let ran = ran.stdin(&env.path("lines.txt")).run();
    assert_eq!(ran.stderr().matches(remark).count(), 1, "{ran}");
}

#[test]
fn a_folder_with_quotation_marks_or_lines_in_its_name_is_found_as_it_is_shown() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/we\"ird dir/red.png"), "red");
    corpus::plain(&env.path("photos/two\nlines/green.png"), "green");
    corpus::plain(&env.path("photos/back\\ slash\\/blue.png"), "blue");
    env.index_photos();
    let rows = [
        (r#"in:"we\"ird dir""#, "red.png"),
        ("in:\"two\nlines\"", "green.png"),
        (r#"in:"back\\ slash\\""#, "blue.png"),
        (r#"in:"back\ slash\\""#, "blue.png"),
    ];
    for (text, expected) in rows {
        let ran = env.succeed(["search", text, "--paths"]);
        assert!(ran.stdout().ends_with(&format!("{expected}\n")), "{ran}");
        // What is excluded has no option of its own: the text below the hits has it.
        let negated = format!("red -{text}");
        let ran = env.sightline(["refine", negated.as_str(), "--paths"]);
        let ran = ran.stdin(Path::new("/dev/null")).run();
        let mut lines = ran.stderr().lines();
        let shown = lines.find(|line| line.starts_with("sightline search "));
        let again = env.shell(&format!("{} --paths", shown.unwrap())).run();
        assert_eq!(again.stdout(), ran.stdout(), "{ran}");
        assert!(!again.stdout().contains(expected), "{again}");
        assert_eq!(again.stdout().matches(".png").count(), 2, "{again}");
    }
    assert_eq!(rows.len(), 4);
}
