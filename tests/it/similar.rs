//! `sightline similar`.

use crate::support::corpus;
use crate::support::{TestEnv, hits};

fn names(answer: &serde_json::Value) -> Vec<String> {
    hits(answer).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn the_picture_itself_and_its_copies_are_left_out() {
    let env = TestEnv::indexed();
    fs_err::copy(env.path("photos/red.png"), env.path("photos/again.png")).unwrap();
    env.index_photos();
    // Under both of its paths, under one that is not indexed, and with other bytes.
    fs_err::copy(env.path("photos/red.png"), env.path("elsewhere.png")).unwrap();
    corpus::plain(&env.path("other.bmp"), "red");
    for asked in ["photos/red.png", "photos/again.png", "elsewhere.png"] {
        let answer = env.succeed(["similar", asked, "--json"]).json();
        assert_eq!(answer["query"]["image"]["path"], asked);
        let names = names(&answer);
        assert_eq!(names.len(), 7, "{asked}");
        assert!(!names.contains(&"red.png".to_owned()), "{asked}");
        // Three colours share two thirds of red's light.
        assert_eq!(answer["hits"][0]["rank"], 1);
        let near = ["black.png", "pink.png", "yellow.png"];
        let mut nearest = names[..3].to_vec();
        nearest.sort();
        assert_eq!(nearest, near, "{asked}");
    }
    let answer = env
        .succeed(["similar", "other.bmp", "-k", "1", "--json"])
        .json();
    assert_eq!(names(&answer), ["again.png"]);
    let ran = env.succeed(["similar", "photos/red.png", "-k1"]);
    // Of thirteen components with 12.25 in all, 8.25 are the same and four differ in sign.
    assert!(ran.stdout().starts_with("  1   0.347  photos/"), "{ran}");
    assert!(ran.stdout().ends_with(".png  meaning\n"), "{ran}");
    assert_eq!((ran.stdout().lines().count(), ran.stderr()), (1, ""));
}

#[test]
fn an_indexed_picture_needs_no_file_and_no_model_session() {
    let env = TestEnv::indexed();
    let asked = |arguments: &[&str]| {
        let ran = env
            .sightline(["similar", "photos/red.png", "--json"])
            .args(arguments);
        ran.env("ORT_DYLIB_PATH", "/nowhere.so").run()
    };
    let expected = names(&asked(&[]).expect(0).json());
    assert_eq!(expected.len(), 7);
    fs_err::remove_file(env.path("photos/red.png")).unwrap();
    assert_eq!(names(&asked(&[]).expect(0).json()), expected);
    // A file with another content is encoded.
    corpus::save(&env.path("photos/red.png"), &corpus::halves("blue", "cyan"));
    assert!(asked(&[]).expect(2).stderr().contains("ONNX Runtime"));
    let answer = env.succeed(["similar", "photos/red.png", "--json"]).json();
    let mut nearest = names(&answer)[..2].to_vec();
    nearest.sort();
    assert_eq!(nearest, ["blue.png", "cyan.png"], "{answer:#}");
}

#[test]
fn full_decoding_encodes_an_indexed_picture_again() {
    let env = TestEnv::indexed();
    let ran = env.sightline(["similar", "photos/red.png", "--full-decode"]);
    let ran = ran.env("ORT_DYLIB_PATH", "/nowhere.so").run();
    assert!(ran.expect(2).stderr().contains("ONNX Runtime"));
    let answer = env
        .succeed(["similar", "photos/red.png", "--full-decode", "--json"])
        .json();
    let names = names(&answer);
    assert_eq!(
        (names.len(), names.contains(&"red.png".to_owned())),
        (7, false)
    );
}

#[test]
fn errors_and_nothing_found() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/red.png"), "red");
    env.index_photos();
    env.sightline(["similar", "photos/red.png"]).run().expect(1);
    for wrong in ["absent.png", "photos"] {
        let ran = env.fail(["similar", wrong]);
        assert!(ran.stderr().contains(wrong), "{ran}");
    }
    env.write("text.png", "not a picture");
    assert!(
        env.fail(["similar", "text.png"])
            .stderr()
            .contains("text.png: ")
    );
    env.sightline(["similar"]).run().expect_usage_error();
}
