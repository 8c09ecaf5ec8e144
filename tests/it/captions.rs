//! `sightline captions`: the captions that best match a picture.

use crate::support::corpus;
use crate::support::{TestEnv, snapshot};

/// Index of pictures with captions, one of them shared by two, and captions without a picture.
fn described() -> TestEnv {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env.write("photos/red.txt", "something red\na colour\n");
    env.write("photos/green.txt", "something green\na colour\n");
    env.write("words.txt", "blue\nwhite or black\n");
    env.index_photos();
    env.succeed(["index", "--captions", "words.txt"]);
    env
}

#[test]
fn captions_are_ranked_by_similarity() {
    let env = described();
    snapshot!(env, env.sightline(["captions", "photos/red.png"]).run(), @r"
    exit code: 0
    ----- stdout -----
      1   0.991  something red  photos/red.png
      2   0.143  a colour  photos/green.png and 1 more
      3   0.143  white or black  words.txt
      4  -0.277  something green  photos/green.png
      5  -0.306  blue  words.txt

    ----- stderr -----
    ");
}

#[test]
fn the_query_picture_need_not_be_in_the_index() {
    let env = described();
    corpus::save(&env.path("new.jpg"), &corpus::halves("green", "green"));
    snapshot!(env, env.sightline(["captions", "new.jpg", "-k1"]).run(), @r"
    exit code: 0
    ----- stdout -----
      1   0.991  something green  photos/green.png

    ----- stderr -----
    ");
    corpus::save(&env.path("sky.webp"), &corpus::halves("blue", "blue"));
    snapshot!(env, env.sightline(["captions", "sky.webp", "-k1", "--json"]).run(), @r#"
    exit code: 0
    ----- stdout -----
    {
      "by": "meaning",
      "hits": [
        {
          "confidence": null,
          "count": 1,
          "from": "captions",
          "images": [],
          "rank": 1,
          "similarity": 1.0,
          "source": {
            "path": "[ROOT]/words.txt"
          },
          "strength": null,
          "text": "blue",
          "words": []
        }
      ],
      "known_to_model": null,
      "language": null,
      "query": {
        "excluded": [],
        "filters": [],
        "image": {
          "path": "sky.webp"
        },
        "parts": [
          {
            "image": {
              "path": "sky.webp"
            },
            "is_indexed": false,
            "known_to_model": null,
            "weight": 1.0
          }
        ],
        "phrases": [],
        "unknown_keys": []
      },
      "text_tower": null,
      "took_ms": [TIME]
    }

    ----- stderr -----
    "#);
}

#[test]
fn equal_captions_are_one_hit() {
    let env = described();
    let answer = env.succeed(["captions", "photos/red.png", "--json"]).json();
    let hits = answer["hits"].as_array().unwrap();
    let texts: Vec<_> = hits
        .iter()
        .map(|hit| hit["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts.len(), 5, "{texts:?}");
    let shared = hits.iter().find(|hit| hit["text"] == "a colour").unwrap();
    let mut of: Vec<_> = shared["images"].as_array().unwrap().iter().collect();
    of.sort_by_key(|image| image["path"].as_str().unwrap());
    let of: Vec<_> = of
        .iter()
        .map(|image| env.shown(image["path"].as_str().unwrap()))
        .collect();
    assert_eq!(of, ["photos/green.png", "photos/red.png"]);
    assert_eq!(shared["count"], 2);
    // -k counts hits after merging equal captions.
    for n in 1..=5 {
        let n_asked = n.to_string();
        let ran = env
            .sightline(["captions", "photos/red.png", "--json", "-k", &n_asked])
            .run();
        assert_eq!(ran.expect(0).json()["hits"].as_array().unwrap().len(), n);
    }
}

/// Of captions with one vector 32 are read.
#[test]
fn captions_that_are_not_read_are_not_called_equal() {
    for (n, more) in [
        (3, "2 more"),
        (40, "39 more that the model cannot distinguish from it"),
    ] {
        let env = TestEnv::new();
        corpus::numbered(&env.path("photos"), n);
        for i in 0..n {
            env.write(format!("photos/{i:04}.txt"), "something red\n");
        }
        env.index_photos();
        let ran = env.succeed(["captions", "photos/0000.png"]);
        let line = format!("something red  photos/0000.png and {more}\n");
        assert!(ran.stdout().ends_with(&line), "{ran}");
        assert_eq!(ran.stdout().lines().count(), 1, "{ran}");
        let hits = env
            .succeed(["captions", "photos/0000.png", "--json"])
            .json();
        assert_eq!(hits["hits"][0]["count"], n);
    }
}

#[test]
fn an_index_without_captions_gives_a_hint() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    env.index_photos();
    let command = ["captions", "photos/red.png", "--from", "captions"];
    snapshot!(env, env.sightline(command).run(), @r"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    no caption found

    hint: the index has no captions yet; add some with `sightline index --captions FILE --index [ROOT]/index`, or text files beside pictures
    ");
}

#[test]
fn captions_can_be_written_as_a_page() {
    let env = described();
    let arguments = ["captions", "photos/red.png", "-k2", "--html", "out.html"];
    env.succeed(arguments);
    let page = fs_err::read_to_string(env.path("out.html")).unwrap();
    assert!(page.contains("something red"));
    assert_eq!(
        page.matches("src=\"data:image/jpeg;base64,").count(),
        1,
        "the query picture"
    );
    assert_eq!(page.matches("<li>").count(), 2);
}

/// The colour model reads at most 16 tokens.
#[test]
fn captions_too_long_for_the_model_are_reported_and_found_by_all_words() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    let long = "red ".repeat(30) + "tail";
    env.write("photos/red.txt", format!("{long}\nsomething red\n"));
    snapshot!(env, env.sightline(["index", "photos"]).run(), @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    a caption in photos/red.txt is too long for the model: its last tokens were ignored
    8 picture files in [TIME]: 8 added, 2 captions added
    ");
    assert_eq!(
        env.found(["tail", "--by", "words"]),
        ["photos/red.png".to_owned()]
    );
    // Reported again only when the text has changed.
    assert_eq!(env.index_photos()["captions_cut"], 0);
    env.write("photos/blue.txt", format!("{long}\n{long} 2\n"));
    let report = env.index_photos();
    assert_eq!(
        (&report["captions_cut"], &report["captions_added"]),
        (&2.into(), &2.into())
    );
    env.write("photos/blue.txt", format!("{long} 3\n{long} 4\n"));
    let ran = env.succeed(["index", "photos"]);
    let note = "2 captions are too long for the model: their last tokens were ignored; the first \
                is in photos/blue.txt\n";
    assert!(ran.stderr().contains(note), "{ran}");
}
