//! Search by words: metadata, languages, and scripts without spaces.

use serde_json::{Value, json};

use crate::support::TestEnv;
use crate::support::corpus;

/// Paths found by words.
fn found(env: &TestEnv, query: &str) -> Vec<String> {
    let ran = env.sightline(["search", "--by", "words", "--paths", query]);
    let ran = ran.run();
    ran.stdout().lines().map(|path| env.shown(path)).collect()
}

fn hit(env: &TestEnv, query: &str) -> Value {
    let ran = env.sightline(["search", "--by", "words", "--json", query]);
    let answer = ran.run().expect(0).json();
    answer["hits"][0].clone()
}

/// Index of two photos, the first with camera, date and places.
fn two_photos() -> TestEnv {
    let env = TestEnv::new();
    let photo = corpus::jpeg_with_details(&corpus::halves("red", "blue"));
    env.write("photos/DSC1.jpg", photo);
    let photo = corpus::jpeg(&corpus::halves("green", "blue"));
    env.write("photos/plain.jpg", photo);
    env.index_photos();
    env
}

#[test]
fn camera_date_and_places_are_found_and_shown() {
    let env = two_photos();
    let queries = [
        "nikon",
        "D750",
        "2023",
        "2023-08",
        "2023-08-14",
        "August",
        "monday",
        "kyoto",
        "Fushimi Inari",
        "japan",
    ];
    let mut n_asked = 0;
    for query in queries {
        assert_eq!(found(&env, query), ["photos/DSC1.jpg"], "{query}");
        n_asked += 1;
    }
    assert_eq!(n_asked, 10);
    let hit = hit(&env, "nikon in kyoto");
    assert_eq!(hit["words"], json!(["nikon", "kyoto"]));
    assert_eq!(hit["camera"], json!("NIKON [31m D750"));
    assert_eq!(hit["taken"], json!("2023-08-14T17:03:21"));
    assert_eq!(hit["places"], json!(["Fushimi Inari", "Kyoto", "Japan"]));
    let shown = env.sightline(["search", "--by", "words", "nikon"]).run();
    let shown = shown.expect(0);
    let lines: Vec<&str> = shown.stdout().lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(
        lines[1].trim(),
        "2023-08-14, NIKON [31m D750, Fushimi Inari, Kyoto, Japan"
    );
}

#[test]
fn a_file_without_metadata_has_no_details() {
    let env = two_photos();
    let hit = hit(&env, "plain");
    let details = ["camera", "taken", "places"].map(|key| &hit[key]);
    assert_eq!(details, [&json!(null), &json!(null), &json!([])]);
    let shown = env.sightline(["search", "--by", "words", "plain"]).run();
    assert_eq!(shown.expect(0).stdout().lines().count(), 1);
}

#[test]
fn malformed_metadata_does_not_skip_a_picture() {
    let env = TestEnv::new();
    let whole = corpus::jpeg_with_details(&corpus::halves("red", "blue"));
    // One corrupted EXIF byte at a time.
    let n = 100;
    for at in 0..n {
        let mut corrupted = whole.clone();
        corrupted[12 + at] = 0xFF;
        env.write(format!("photos/{at:03}.jpg"), corrupted);
    }
    let report = env.index_photos();
    assert_eq!(report["seen"], json!(n));
    assert_eq!(report["skipped"], json!([]));
}

#[test]
fn words_are_found_without_spaces_and_in_any_spelling() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/IMG_2023-08-beach.png"), "red");
    corpus::plain(&env.path("photos/MyCafe\u{301}.png"), "green");
    corpus::plain(&env.path("photos/walk.png"), "blue");
    env.write(
        "photos/walk.txt",
        "我们在海滩散步\nビーチで遊ぶ犬\n바다에서 수영\n",
    );
    env.index_photos();
    let rows = [
        ("beaches", "photos/IMG_2023-08-beach.png"),
        ("2023-08", "photos/IMG_2023-08-beach.png"),
        ("café", "photos/MyCafe\u{301}.png"),
        ("cafe", "photos/MyCafe\u{301}.png"),
        ("海滩", "photos/walk.png"),
        ("ビーチ", "photos/walk.png"),
        ("바다", "photos/walk.png"),
    ];
    let mut n_asked = 0;
    for (query, name) in rows {
        assert_eq!(found(&env, query), [name], "{query}");
        n_asked += 1;
    }
    assert_eq!(n_asked, 7);
    // The word index is derived data: damaged or deleted, it changes no hits.
    let words = env.index().join("words");
    fs_err::write(words.join("meta.json"), "{").unwrap();
    assert_eq!(found(&env, "海滩"), ["photos/walk.png"]);
    env.index_photos();
    assert_eq!(found(&env, "海滩"), ["photos/walk.png"]);
    fs_err::remove_dir_all(&words).unwrap();
    assert_eq!(found(&env, "海滩"), ["photos/walk.png"]);
}

#[test]
fn the_language_is_a_setting_of_the_index() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/1.png"), "red");
    env.write("photos/1.txt", "zwei Häuser am Strand\n");
    env.index_photos();
    assert_eq!(env.status()["language"], json!("en"));
    assert!(found(&env, "haus").is_empty());
    let index = |code: &str| env.sightline(["index", "photos", "--language", code]).run();
    index("de").expect(0);
    assert_eq!(env.status()["language"], json!("de"));
    assert_eq!(found(&env, "haus"), ["photos/1.png"]);
    env.index_photos();
    assert_eq!(env.status()["language"], json!("de"), "it is kept");
    assert_eq!(found(&env, "haus"), ["photos/1.png"]);
    let refused = index("xx").expect(2);
    assert!(
        refused.stderr().contains("none, ar, da, de"),
        "{}",
        refused.stderr()
    );
    index("none").expect(0);
    assert!(found(&env, "haus").is_empty());
    assert_eq!(found(&env, "hauser"), ["photos/1.png"]);
}
