//! `sightline search`: ranking, output forms, exit codes, pages.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use base64::Engine as _;
use serde_json::Value;

use crate::support::corpus::{self, COLOURS};
use crate::support::{TestEnv, hits, snapshot};

/// Index of eight pictures of one colour each, with neutral file names; three have captions.
fn eight_pictures() -> TestEnv {
    let env = TestEnv::new();
    for (number, (name, _)) in COLOURS.iter().enumerate() {
        corpus::plain(&env.path(format!("photos/IMG_{number}.png")), name);
    }
    env.write(
        "photos/IMG_0.txt",
        "a fire engine in the street\na red apple\n",
    );
    env.write("photos/IMG_1.txt", "a frog on a leaf\n");
    env.write("photos/IMG_6.txt", "fresh snow in the street\n");
    env.index_photos();
    env
}

#[test]
fn a_text_query_finds_the_picture_that_shows_it() {
    let env = eight_pictures();
    let mut n_asked = 0;
    for (number, (name, _)) in COLOURS.iter().enumerate() {
        let query = format!("A {name} picture!");
        let found = env.found([query.as_str(), "--by", "meaning"]);
        assert_eq!(found.len(), 8, "{query}");
        assert_eq!(found[0], format!("photos/IMG_{number}.png"), "{query}");
        n_asked += 1;
    }
    assert_eq!(n_asked, 8);
}

#[test]
fn similarities_are_cosines_in_descending_order() {
    let env = eight_pictures();
    let answer = env.succeed(["search", "red", "--by", "meaning", "--json"]);
    let hits = hits(&answer.json());
    // 12 values of ±1 and one of 0.5; none, a third, two thirds or all of the 12 differ.
    let expected = [1.0, 4.25 / 12.25, -3.75 / 12.25, -11.75 / 12.25];
    let n_of_each = [1, 3, 3, 1];
    let expected: Vec<f64> = expected
        .into_iter()
        .zip(n_of_each)
        .flat_map(|(similarity, n)| std::iter::repeat_n(similarity, n))
        .collect();
    assert_eq!(hits.len(), expected.len());
    for ((name, similarity), expected) in hits.iter().zip(expected) {
        assert!(
            (similarity - expected).abs() < 1e-4,
            "{name}: {similarity}, not {expected}"
        );
    }
}

#[test]
fn a_picture_query_finds_similar_pictures() {
    let env = eight_pictures();
    let answer = env.succeed(["search", "--image", "photos/IMG_4.png", "--json"]);
    let found = hits(&answer.json());
    assert_eq!(found[0].0, "IMG_4.png");
    assert!((found[0].1 - 1.0).abs() < 1e-4, "{}", found[0].1);
    // A picture that is not in the index: three quarters blue.
    let mut picture = corpus::halves("blue", "cyan");
    for pixel in picture.pixels_mut().take(48 * 16) {
        *pixel = image::Rgb(corpus::colour("blue"));
    }
    corpus::save(&env.path("asked.bmp"), &picture);
    let found = env.found(["--image", "asked.bmp", "-k", "2"]);
    assert_eq!(found, ["photos/IMG_2.png", "photos/IMG_5.png"]);
}

#[test]
fn full_decode_gives_a_query_the_vector_of_an_index_made_with_it() {
    let env = TestEnv::new();
    // Fine detail, so that full and reduced decoding differ, and more than twice the model's size,
    // so that it is reduced.
    let picture = image::RgbImage::from_fn(1600, 1200, |x, y| {
        let [value, ..] = (x * 7919 + y * 104_729 + x * y).to_le_bytes();
        image::Rgb([value, value.wrapping_mul(3), 255 - value / 2])
    });
    env.write("photos/large.jpg", corpus::jpeg(&picture));
    env.write("photos/large.txt", "noise\n");
    let run = |arguments: &[&str]| {
        let ran = env.sightline(arguments).args(["--model", "starter"]);
        // Noise is nothing that a text is likely to be about.
        let ran = ran.run();
        let is_captions = arguments[0] == "captions";
        ran.expect(i32::from(is_captions)).json()
    };
    run(&["index", "photos", "--full-decode", "--json"]);
    let similarity = |command: &[&str], full: &[&str]| {
        let json = run(&[command, &["photos/large.jpg", "--json"], full].concat());
        json["hits"][0]["similarity"].as_f64().unwrap()
    };
    let search = |full: &[&str]| similarity(&["search", "--image"], full);
    let (full, reduced) = (search(&["--full-decode"]), search(&[]));
    assert!((full - 1.0).abs() < 1e-6, "{full}");
    assert!(reduced < full, "{reduced}");
    let captions = |full: &[&str]| similarity(&["captions"], full);
    assert_ne!(captions(&["--full-decode"]), captions(&[]));
}

#[test]
fn searching_by_words_needs_no_model() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    corpus::plain(
        &env.path("photos/zoo/SummerHoliday_2023/DSC-0042.png"),
        "red",
    );
    corpus::save(&env.path("photos/x1.png"), &corpus::halves("red", "white"));
    env.write("photos/x1.txt", "two dogs running along the beach\n");
    env.index_photos();
    let by_words = |words: &str| {
        let ran = env
            .sightline(["search", "--by", "words", "--json", words])
            .env("ORT_DYLIB_PATH", "/nowhere.so")
            .run();
        let json = ran.expect(0).json();
        assert_eq!(json["hits"][0]["similarity"], Value::Null, "{json:#}");
        hits(&json)
            .into_iter()
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    };
    assert_eq!(by_words("beach"), ["x1.png"]);
    // Inflected forms.
    assert_eq!(by_words("dog runs"), ["x1.png"]);
    // Parts of file and folder names; the picture has two paths.
    assert_eq!(by_words("holiday"), ["red.png"]);
    assert_eq!(by_words("0042"), ["red.png"]);
    assert_eq!(by_words("dsc"), ["red.png"]);
    assert_eq!(by_words("green"), ["green.png"]);
    env.sightline(["search", "--by", "words", "elephant"])
        .run()
        .expect(1);
}

#[test]
fn only_folder_names_inside_the_library_are_searched() {
    let env = TestEnv::new();
    corpus::plain(
        &env.path("above/photos/Italy/Rome/day one/morning/red.png"),
        "red",
    );
    corpus::plain(&env.path("above/photos/green.png"), "green");
    env.succeed(["index", "above/photos"]);
    for word in ["italy", "rome", "day", "morning"] {
        let found = env.found([word, "--by", "words"]);
        assert_eq!(
            found,
            ["above/photos/Italy/Rome/day one/morning/red.png"],
            "{word}"
        );
    }
    // Folders above the library say nothing about a picture, and often contain the user's name.
    for word in ["above", "sightline"] {
        env.sightline(["search", word, "--by", "words"])
            .run()
            .expect(1);
    }
}

#[test]
fn hits_by_words_and_by_meaning_are_merged() {
    let env = eight_pictures();
    // The model does not know "street"; no caption contains "white".
    let answer = env.succeed(["search", "white street", "--json"]).json();
    let first = &answer["hits"][0];
    assert_eq!(hits(&answer)[0].0, "IMG_6.png");
    assert_eq!(first["by"], serde_json::json!(["meaning", "words"]));
    assert_eq!(first["words"], serde_json::json!(["street"]));
    assert_eq!(
        hits(&answer)[1].0,
        "IMG_0.png",
        "found by its words: {answer:#}"
    );
    let by_meaning = env.found(["white street", "--by", "meaning"]);
    assert_eq!(by_meaning[0], "photos/IMG_6.png");
    assert_ne!(by_meaning[1], "photos/IMG_0.png");
    let by_words: HashSet<_> = env
        .found(["white street", "--by", "words"])
        .into_iter()
        .collect();
    assert_eq!(
        by_words,
        ["photos/IMG_0.png", "photos/IMG_6.png"]
            .map(String::from)
            .into()
    );
}

#[test]
fn hits_are_printed_as_lines() {
    let env = eight_pictures();
    fs_err::copy(
        env.path("photos/IMG_1.png"),
        env.path("photos/copy of frog.png"),
    )
    .unwrap();
    env.index_photos();
    snapshot!(env, env.sightline(["search", "green frog", "-k3"]).run(), @r"
    exit code: 0
    ----- stdout -----
      1   0.991  photos/IMG_1.png  meaning + words (frog)
                 also photos/copy of frog.png
                 “a frog on a leaf”
      2   0.357  photos/IMG_3.png  meaning
      3   0.357  photos/IMG_5.png  meaning

    ----- stderr -----
    ");
    snapshot!(env, env.sightline(["search", "frog", "--by", "words"]).run(), @r"
    exit code: 0
    ----- stdout -----
      1       –  photos/IMG_1.png  words (frog)
                 also photos/copy of frog.png
                 “a frog on a leaf”

    ----- stderr -----
    ");
    snapshot!(env, env.sightline(["search", "--image", "photos/IMG_0.png", "-k1"]).run(), @r"
    exit code: 0
    ----- stdout -----
      1   1.000  photos/IMG_0.png  meaning
                 “a fire engine in the street”

    ----- stderr -----
    ");
    snapshot!(env, env.sightline(["search", "apple", "--by", "words", "--quiet"]).run(), @r"
    exit code: 0
    ----- stdout -----
      1       –  photos/IMG_0.png  words (apple)
                 “a fire engine in the street”

    ----- stderr -----
    ");
    snapshot!(env, env.sightline(["search", "elephant", "--by", "words"]).run(), @r"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    no picture found
    ");
    snapshot!(env, env.sightline(["search", "green frog", "--find", "captions", "-k2"]).run(), @r"
    exit code: 0
    ----- stdout -----
      1   0.277  a frog on a leaf  photos/IMG_1.png
      2   0.277  a fire engine in the street  photos/IMG_0.png

    ----- stderr -----
    ");
}

#[test]
#[expect(clippy::too_many_lines, reason = "most of it is a snapshot")]
fn hits_are_printed_as_json() {
    let env = eight_pictures();
    snapshot!(env, env.sightline(["search", "green frog", "-k1", "--json"]).run(), @r#"
    exit code: 0
    ----- stdout -----
    {
      "by": "both",
      "hits": [
        {
          "by": [
            "meaning",
            "words"
          ],
          "camera": null,
          "caption": null,
          "captions": [
            "a frog on a leaf"
          ],
          "confidence": null,
          "height": 32,
          "id": [ID],
          "keywords": [],
          "other_paths": [],
          "path": "[ROOT]/photos/IMG_1.png",
          "places": [],
          "rank": 1,
          "rank_by_meaning": 1,
          "rank_by_words": 1,
          "similarity": 0.990,
          "strength": null,
          "tags": [],
          "taken": null,
          "width": 48,
          "words": [
            "frog"
          ]
        }
      ],
      "known_to_model": true,
      "language": null,
      "query": {
        "excluded": [],
        "filters": [],
        "parts": [
          {
            "known_to_model": true,
            "text": "green frog",
            "weight": 1.0
          }
        ],
        "phrases": [],
        "text": "green frog",
        "unknown_keys": []
      },
      "text_tower": null,
      "took_ms": [TIME]
    }

    ----- stderr -----
    "#);
    let captions = ["search", "frog", "--find", "captions", "-k1", "--json"];
    snapshot!(env, env.sightline(captions).run(), @r#"
    exit code: 0
    ----- stdout -----
    {
      "by": "both",
      "hits": [
        {
          "confidence": null,
          "count": 1,
          "from": "captions",
          "images": [
            {
              "path": "[ROOT]/photos/IMG_1.png"
            }
          ],
          "rank": 1,
          "similarity": null,
          "source": {
            "path": "[ROOT]/photos/IMG_1.txt"
          },
          "strength": null,
          "text": "a frog on a leaf",
          "words": [
            "frog"
          ]
        }
      ],
      "known_to_model": false,
      "language": null,
      "query": {
        "excluded": [],
        "filters": [],
        "parts": [
          {
            "known_to_model": false,
            "text": "frog",
            "weight": 1.0
          }
        ],
        "phrases": [],
        "text": "frog",
        "unknown_keys": []
      },
      "text_tower": null,
      "took_ms": [TIME]
    }

    ----- stderr -----
    the model knows no part of this query: only keywords were searched
    "#);
    snapshot!(env, env.sightline(["search", "elephant", "--by", "words", "--json"]).run(), @r#"
    exit code: 1
    ----- stdout -----
    {
      "by": "words",
      "hits": [],
      "known_to_model": null,
      "language": null,
      "query": {
        "excluded": [],
        "filters": [],
        "parts": [
          {
            "known_to_model": null,
            "text": "elephant",
            "weight": 1.0
          }
        ],
        "phrases": [],
        "text": "elephant",
        "unknown_keys": []
      },
      "text_tower": null,
      "took_ms": [TIME]
    }

    ----- stderr -----
    no picture found
    "#);
}

#[test]
fn k_limits_the_number_of_hits() {
    let env = eight_pictures();
    for n in [1, 3, 8] {
        assert_eq!(env.found(["red", "-k", &n.to_string()]).len(), n);
    }
    assert_eq!(env.found(["red", "-k", "10000"]).len(), 8);
    assert_eq!(env.found(["red"]).len(), 8, "ten by default");
    for n in ["0", "10001", "-1", "many"] {
        env.fail(["search", "red", "-k", n]);
    }
}

#[test]
fn paths_are_printed_byte_for_byte() {
    let env = TestEnv::new();
    let names: [&[u8]; 4] = [
        b"two words.png",
        b"a\nnew line.png",
        b"quote'\".png",
        b"plain.png",
    ];
    for (name, (colour, _)) in names.iter().zip(COLOURS) {
        corpus::plain(&env.path("photos").join(OsStr::from_bytes(name)), colour);
    }
    env.index_photos();
    let ran = env.succeed(["search", "red", "--paths", "-0"]);
    let found: HashSet<&[u8]> = ran
        .stdout_bytes()
        .split(|&byte| byte == 0)
        .filter(|path| !path.is_empty())
        .collect();
    let folder = [env.path("photos").as_os_str().as_bytes(), b"/"].concat();
    let expected: Vec<Vec<u8>> = names.iter().map(|name| [&folder, *name].concat()).collect();
    assert_eq!(found, expected.iter().map(Vec::as_slice).collect());
    assert!(ran.stdout_bytes().ends_with(b"\0"));
    // In readable output a name cannot break the line.
    let ran = env.succeed(["search", "green", "--by", "meaning", "-k1"]);
    assert!(ran.stdout().contains(r"photos/a\nnew line.png"), "{ran}");
    env.fail(["search", "red", "-0"]);
    env.fail(["search", "red", "--paths", "--json"]);
}

#[test]
fn captions_can_be_searched_by_text_and_by_picture() {
    let env = eight_pictures();
    let texts = |arguments: &[&str]| {
        let ran = env
            .sightline(["search", "--find", "captions", "--json"])
            .args(arguments)
            .run();
        let json = ran.expect(0).json();
        let hits = json["hits"].as_array().unwrap().clone();
        hits.iter()
            .map(|hit| hit["text"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(texts(&["red", "--by", "meaning", "-k1"]), ["a red apple"]);
    assert_eq!(
        texts(&["--image", "photos/IMG_0.png", "-k1"]),
        ["a red apple"]
    );
    let streets: HashSet<_> = texts(&["street", "--by", "words"]).into_iter().collect();
    let expected = ["a fire engine in the street", "fresh snow in the street"];
    assert_eq!(streets, expected.map(String::from).into());
    assert_eq!(texts(&["anything", "--by", "meaning"]).len(), 4);
    // --paths prints the pictures of the captions.
    assert_eq!(
        env.found(["leaf", "--find", "captions", "--by", "words"]),
        ["photos/IMG_1.png"]
    );
}

#[test]
fn any_text_is_a_valid_query() {
    let env = eight_pictures();
    let odd = [
        "\"unbalanced",
        "a AND (b OR",
        "field:value",
        "NOT",
        "-red",
        "*",
        "?",
        "~1 ^2",
        "[a TO b]",
        "猫 🐈 кошка",
        "\u{202e}reversed",
        "\u{1b}[31mred",
        "a\tb\nc",
        "'; DROP TABLE items; --",
        "🏳️‍🌈",
    ];
    for text in odd {
        for by in ["both", "meaning", "words"] {
            // `--` keeps texts from being parsed as options.
            let ran = env
                .sightline(["search", "--by", by, "--json", "--", text])
                .run();
            let found = !ran.json()["hits"].as_array().unwrap().is_empty();
            ran.expect(i32::from(!found));
            assert!(found || by != "meaning", "{text}");
        }
    }
    assert_eq!(odd.len(), 15);
}

/// A model of which all unknown texts have the same embedding must not rank by it in silence.
#[test]
fn a_query_unknown_to_the_model_is_searched_by_keywords_alone_and_says_so() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/IMG_1.png"), "red");
    corpus::plain(&env.path("photos/IMG_2.png"), "blue");
    env.write("photos/IMG_2.txt", "አንድ ውሻ\n");
    let index = env.sightline(["index", "photos"]).starter().run();
    index.expect(0);
    let only_keywords = "the model knows no part of this query: only keywords were searched\n";
    let means_nothing = "the model knows no part of this query: the similarities mean nothing\n";
    // "A dog" in Amharic, which no tower of the built-in model reads.
    // Query, ranking, number of hits, whether the model knows it, what is said.
    let rows = [
        ("ውሻ", "both", 1, Some(false), only_keywords),
        ("🐶", "both", 0, Some(false), only_keywords),
        ("ውሻ", "meaning", 2, Some(false), means_nothing),
        ("ውሻ", "words", 1, None, ""),
        ("ውሻ dog", "both", 2, Some(true), ""),
        ("dog", "both", 2, Some(true), ""),
        (
            "狗",
            "both",
            2,
            Some(true),
            "query in language zh, encoded by text tower 2\n",
        ),
    ];
    for (query, by, n_hits, known, said) in rows {
        let ran = env
            .sightline(["search", "--by", by, "--json", query])
            .starter()
            .run();
        let answer = ran.json();
        assert_eq!(
            answer["hits"].as_array().unwrap().len(),
            n_hits,
            "{query} {by}"
        );
        assert_eq!(answer["known_to_model"].as_bool(), known, "{query} {by}");
        let unlikely = "probably nothing fits: even the best hit is unlikely\n";
        let stderr = ran.stderr().replace("no picture found\n", "");
        assert_eq!(stderr.replace(unlikely, ""), said, "{query} {by}");
        let is_nothing = n_hits == 0 || ran.stderr().contains(unlikely);
        ran.expect(i32::from(is_nothing));
    }
    assert_eq!(rows.len(), 7);
}

#[test]
fn a_closed_stdout_is_not_an_error() {
    let env = eight_pictures();
    for form in [["--json", "-k8"], ["--paths", "-k8"]] {
        let mut running = env.sightline(["search", "red"]).args(form).spawn();
        running.close_stdout();
        let ran = running.wait().expect(0);
        assert_eq!(ran.stderr(), "");
    }
}

#[test]
fn a_query_that_names_a_file_gets_a_hint() {
    let env = eight_pictures();
    snapshot!(env, env.sightline(["search", "photos/IMG_1.png", "-k1"]).run(), @r"
    exit code: 0
    ----- stdout -----
      1       –  photos/IMG_1.png  words (photos, IMG, 1)
                 “a frog on a leaf”

    ----- stderr -----
    the model knows no part of this query: only keywords were searched

    hint: photos/IMG_1.png is a file; to search by the picture itself: `sightline search --image photos/IMG_1.png --index [ROOT]/index`
    ");
}

#[test]
fn texts_that_look_like_paths_get_a_hint() {
    let env = eight_pictures();
    env.write("photos/notes.txt", "red");
    let rows = [
        ("IMG_9.JPG", Some("IMG_9.JPG: no such file, so its words")),
        ("photos/", Some("`sightline search --in photos/ --index")),
        ("./photos", Some("`sightline index ./photos --index")),
        ("photos", None),
        ("photos/notes.txt", None),
        ("red in a.jpg", None),
        ("red 3.5", None),
    ];
    assert_eq!(rows.len(), 7);
    for (text, expected) in rows {
        let ran = env.sightline(["search", text, "-k1"]).run();
        match expected {
            Some(expected) => assert!(ran.stderr().contains(expected), "{ran}"),
            None => assert!(!ran.stderr().contains("hint: "), "{ran}"),
        }
    }
}

#[test]
fn the_html_page_is_self_contained() {
    let env = eight_pictures();
    let ran = env.succeed(["search", "red", "-k3", "--html", "out.html"]);
    assert!(ran.stderr().contains("wrote out.html"), "{ran}");
    let page = fs_err::read_to_string(env.path("out.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    for reference in [
        "http:", "https:", "<link", "<script", "@import", "url(", "src=\"/",
    ] {
        assert!(!page.contains(reference), "the page refers to {reference}");
    }
    let mut n_thumbnails = 0;
    for part in page.split("src=\"data:image/jpeg;base64,").skip(1) {
        let encoded = part.split('"').next().unwrap();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .unwrap();
        let thumbnail = image::load_from_memory(&bytes).unwrap();
        assert_eq!((thumbnail.width(), thumbnail.height()), (48, 32));
        n_thumbnails += 1;
    }
    assert_eq!((n_thumbnails, page.matches("src=").count()), (3, 3));
    assert!(page.contains("“red”") && page.contains("a fire engine in the street"));
    let address = format!("href=\"file://{}\"", env.path("photos/IMG_0.png").display());
    assert!(page.contains(&address), "no link to the picture");

    // A second query appended to the page, then the page overwritten.
    let again = [
        "search",
        "--image",
        "photos/IMG_1.png",
        "-k2",
        "--html",
        "out.html",
    ];
    env.sightline(again).args(["--append"]).run().expect(0);
    let both = fs_err::read_to_string(env.path("out.html")).unwrap();
    // Two hits and the query picture.
    assert_eq!(
        (
            both.matches("<section>").count(),
            both.matches("src=").count()
        ),
        (2, 6)
    );
    env.succeed(again);
    let alone = fs_err::read_to_string(env.path("out.html")).unwrap();
    assert_eq!(
        (
            alone.matches("<section>").count(),
            alone.matches("src=").count()
        ),
        (1, 3)
    );
}

#[test]
fn the_html_page_is_written_without_hits_and_with_missing_pictures() {
    let env = eight_pictures();
    fs_err::remove_file(env.path("photos/IMG_0.png")).unwrap();
    env.succeed(["search", "red", "-k2", "--html", "out.html"]);
    let page = fs_err::read_to_string(env.path("out.html")).unwrap();
    assert_eq!(page.matches("picture unavailable").count(), 1);
    let none = ["search", "elephant", "--by", "words", "--html", "none.html"];
    env.sightline(none).run().expect(1);
    assert!(
        fs_err::read_to_string(env.path("none.html"))
            .unwrap()
            .contains("nothing found")
    );
}
