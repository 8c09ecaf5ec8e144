//! `sightline status`.

use serde_json::Value;

use crate::support::TestEnv;
use crate::support::corpus;

fn env_with_index() -> TestEnv {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    corpus::plain(&env.path("photos/again/red.png"), "red");
    env.write("photos/red.txt", "an apple\n");
    env.index_photos();
    env
}

#[test]
fn the_status_is_printed_as_lines() {
    let env = env_with_index();
    let ran = env.succeed(["status"]);
    let mut settings = env.settings(&ran);
    settings.add_filter(r"[\d.]+ (Ki|Mi|)B\b", "[SIZE]");
    settings.add_filter(r"(generation +)\d+", "$1[NUMBER]");
    settings.bind(|| {
        insta::assert_snapshot!(ran.to_string(), @r"
    exit code: 0
    ----- stdout -----
    index         [ROOT]/index
    model         colours (13 dimensions, 3e7867d17d98)
    images        8 in 9 files
    captions      1
    language      en
    image graph   none, searches scan all items
    caption graph none, searches scan all items
    on disk       [SIZE] (records [SIZE], graphs [SIZE], words [SIZE])
    generation    [NUMBER]
    library       [ROOT]/photos (9 files, just now)
    last run      just now: 9 files seen, 8 added, 0 changed, 0 removed, 0 skipped

    ----- stderr -----
    ");
    });
}

#[test]
fn the_json_status_has_every_field() {
    let env = env_with_index();
    let status = env.succeed(["status", "--json"]).json();
    let keys = status.as_object().unwrap().keys();
    let keys: Vec<_> = keys.map(String::as_str).collect();
    let mut expected = [
        "index",
        "model",
        "text_towers",
        "language",
        "generation",
        "images",
        "files",
        "captions",
        "captions_with_image",
        "captions_alone",
        "graphs",
        "bytes_on_disk",
        "sizes",
        "libraries",
        "unfinished_change",
        "last_run",
        "damaged",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(
        (&status["images"], &status["files"]),
        (&8.into(), &9.into())
    );
    assert_eq!(status["captions"], 1);
    assert_eq!(status["index"]["path"], env.index().to_str().unwrap());
    assert_eq!(status["model"]["name"], "colours");
    assert_eq!(status["model"]["dimension"], 13);
    assert_eq!(status["model"]["fingerprint"].as_str().unwrap().len(), 32);
    assert!(status["generation"].as_u64().unwrap() >= 1);
    assert_eq!(
        (&status["captions_with_image"], &status["captions_alone"]),
        (&1.into(), &0.into())
    );
    for (kind, n) in [("image", 8), ("caption", 1)] {
        let graph = &status["graphs"][kind];
        assert_eq!(
            (&graph["state"], &graph["reason"]),
            (&"absent".into(), &Value::Null)
        );
        let keys = ["segments", "in_graph", "fresh", "tombstones", "loose"];
        let numbers = keys.map(|key| graph[key].as_u64().unwrap());
        assert_eq!(numbers, [0, 0, n, 0, 0]);
    }
    let sizes = ["records", "graphs", "words"].map(|key| status["sizes"][key].as_u64().unwrap());
    assert!(sizes[0] > 1000 && sizes[2] > 100, "{sizes:?}");
    assert!(sizes.iter().sum::<u64>() <= status["bytes_on_disk"].as_u64().unwrap());
    let run = &status["last_run"];
    assert_eq!(run["seen"], 9);
    assert_eq!(run["interrupted"], false);
    assert!(run["ended_unix_s"].as_u64().unwrap() > 1_700_000_000);
    let library = &status["libraries"][0];
    assert_eq!(library["path"], env.path("photos").to_str().unwrap());
    assert_eq!(library["files"], 9);
    // The size on disk is close to the sum of the file sizes.
    let mut n_bytes = 0;
    let mut folders = vec![env.index()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                n_bytes += metadata.len();
            }
        }
    }
    let n_reported = status["bytes_on_disk"].as_u64().unwrap();
    assert!(
        n_reported.abs_diff(n_bytes) * 2 < n_bytes,
        "reported {n_reported}, found {n_bytes}"
    );
}

#[test]
fn the_status_does_not_depend_on_the_given_model() {
    let env = env_with_index();
    let status = env
        .sightline(["status", "--json"])
        .starter()
        .run()
        .expect(0)
        .json();
    assert_eq!(status["model"]["name"], "colours");
}

#[test]
fn formats_are_listed_without_an_index() {
    let env = TestEnv::new();
    let answer = env.succeed(["status", "--formats", "--json"]).json();
    let formats = answer["formats"].as_array().unwrap();
    let find = |name: &str| {
        formats
            .iter()
            .find(|format| format["name"] == name)
            .unwrap()
    };
    assert_eq!(formats.len(), 23);
    let n_read = formats
        .iter()
        .filter(|format| format["read"] == true)
        .count();
    assert_eq!(n_read, 17);
    assert_eq!(find("HEIC")["extensions"][0], "heic");
    assert_eq!(find("HEIC")["read"], true);
    assert_eq!(find("JPEG 2000")["read"], false);
    for format in formats {
        assert!(!format["extensions"].as_array().unwrap().is_empty());
        assert!(format["note"].is_string());
    }
    assert_eq!(answer["limits"]["pixels"], 1 << 28);
    assert_eq!(answer["limits"]["bytes"], 1 << 30);
    assert_eq!(answer["limits"]["seconds"], 10.0);

    let ran = env.succeed(["status", "--formats"]);
    let shown = ran.to_string();
    for format in formats {
        let name = format["name"].as_str().unwrap();
        assert_eq!(
            shown
                .lines()
                .filter(|line| line.starts_with(&format!("{name:<19} ")))
                .count(),
            1,
            "{name}"
        );
    }
    assert!(shown.contains("Limits per picture: 268,435,456 pixels, 1.00 GiB of memory, 10 s"));
}

#[test]
fn large_numbers_are_grouped() {
    let env = TestEnv::new();
    let words: Vec<String> = (0..1_200).map(|n| format!("red {n}")).collect();
    env.write("words.txt", words.join("\n"));
    env.succeed(["index", "--captions", "words.txt"]);
    let line = "captions      1,200, 1,200 without an image\n";
    let ran = env.succeed(["status"]);
    assert!(ran.stdout().contains(line), "{ran}");
}
