//! `sightline bench`, and the options for devices, threads and batches.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{TestEnv, corpus};

const SAMPLE_PHOTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/photos/animals");

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is not a number"))
}

/// Ranked pictures for "red": path and similarity in ten-thousandths.
fn similarities(env: &TestEnv, index: &str) -> Vec<(String, i64)> {
    let command = [
        "search", "red", "-k", "1000", "--by", "meaning", "--json", "--index", index,
    ];
    let answer = env.succeed(command).json();
    let hits = answer["hits"].as_array().unwrap();
    hits.iter()
        .map(|hit| {
            #[expect(clippy::cast_possible_truncation, reason = "within ±10,000")]
            let similarity = (1e4 * number(&hit["similarity"])).round() as i64;
            (hit["path"].as_str().unwrap().to_owned(), similarity)
        })
        .collect()
}

#[test]
fn bench_reports_the_rates_of_encoding_decoding_and_indexing() {
    let env = TestEnv::new();
    let arguments = [
        "bench",
        "--photos",
        SAMPLE_PHOTOS,
        "--rounds",
        "2",
        "--json",
    ];
    let ran = env.succeed(arguments);
    let report = ran.json();
    let n_photos = fs_err::read_dir(SAMPLE_PHOTOS).unwrap().count() as u64;
    assert!(n_photos >= 5);
    assert!(report["pictures"].as_u64().unwrap() <= n_photos);
    assert_eq!(report["skipped"], 0);
    for name in [
        "bytes",
        "load_seconds",
        "encode",
        "decode",
        "index",
        "ideal",
        "ratio",
    ] {
        assert!(number(&report[name]) > 0.0, "{name}: {}", report[name]);
    }
    for name in ["starved", "finish_share"] {
        let share = number(&report[name]);
        assert!((0.0..=1.0).contains(&share), "{name}: {share}");
    }
    if cfg!(target_os = "linux") {
        assert!(number(&report["peak_memory"]) > 1e7);
    }
    assert_eq!(report["device"], "cpu");
    let rounds = report["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 2);
    for round in rounds {
        let (encode, decode) = (number(&round["encode"]), number(&round["decode"]));
        assert!(encode > 0.0 && decode > 0.0 && number(&round["index"]) > 0.0);
        assert_eq!(round["encoded"], report["pictures"]);
        let (starved, batches) = (&round["starved_batches"], &round["batches"]);
        assert!(number(starved) <= number(batches) && number(batches) >= 1.0);
    }
    // The median of two values is their mean, for each rate separately.
    let of = |name: &str| rounds.iter().map(|round| number(&round[name])).sum::<f64>() / 2.0;
    for name in ["encode", "decode", "index"] {
        let reported = number(&report[name]);
        assert!((reported - of(name)).abs() < 1e-6 * reported, "{name}");
    }
    assert!(number(&report["ideal"]) < number(&report["encode"]).min(number(&report["decode"])));
    // The user's own index is not touched.
    assert!(!env.index().exists());

    let alone = [
        "bench",
        "--photos",
        SAMPLE_PHOTOS,
        "--rounds",
        "1",
        "--only-index",
    ];
    let ran = env.succeed(alone);
    assert!(ran.stdout().contains("P  indexing"), "{ran}");
    assert!(!ran.stdout().contains("ideal"), "{ran}");
}

#[test]
fn bench_needs_pictures() {
    let env = TestEnv::new();
    let ran = env.fail(["bench", "--photos", "nowhere"]);
    assert!(ran.stderr().contains("nowhere: no such folder"), "{ran}");
    let ran = env.fail(["bench", "--photos", "photos"]);
    assert!(
        ran.stderr().contains("photos: no readable pictures"),
        "{ran}"
    );
}

#[test]
fn a_device_that_is_not_built_in_is_refused_before_indexing() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    let mut n_refused = 0;
    for device in ["cuda", "coreml", "directml"] {
        let ran = env.fail(["index", "photos", "--device", device]);
        assert_eq!(ran.stdout(), "");
        let mut lines = ran.stderr().lines();
        let reported = lines.next().unwrap_or_default();
        let expected =
            format!("this build does not support {device}: it needs the cargo feature `{device}`");
        assert!(reported.contains(&expected), "{ran}");
        let hint = format!(
            "hint: build it in with `cargo build --release --workspace --features {device}`"
        );
        assert!(ran.stderr().contains(&hint), "{ran}");
        assert!(!env.index().exists(), "an index was created");
        n_refused += 1;
    }
    assert_eq!(n_refused, 3);
    let ran = env.fail(["index", "photos", "--device", "gpu"]);
    assert!(
        ran.stderr()
            .contains("unknown device `gpu`: expected cpu, cuda, coreml or directml"),
        "{ran}"
    );
    env.succeed(["index", "photos", "--device", "cpu"]);
}

#[test]
fn threads_decoders_batches_and_full_decoding_change_no_hits() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    let splits: [&[&str]; 4] = [
        &[],
        &["--threads", "1"],
        &["--batch", "3", "--decoders", "5", "--threads", "2"],
        &["--batch", "1", "--decoders", "1", "--full-decode"],
    ];
    let mut answers = Vec::new();
    for (place, split) in splits.iter().enumerate() {
        let index = format!("index-{place}");
        let arguments = ["index", "photos", "--json", "--index", &index];
        let ran = env.succeed(arguments.iter().chain(*split));
        let report = ran.json();
        assert_eq!(report["added"], 8);
        let batch = split.windows(2).find(|pair| pair[0] == "--batch");
        let batch = batch.map(|pair| pair[1].parse::<u64>().unwrap());
        assert_eq!(report["batch_size"], serde_json::json!(batch));
        assert!(is_share(&report["starved"]));
        let hits = similarities(&env, &index);
        assert!(hits[0].0.ends_with("/red.png"));
        assert_eq!(hits.len(), 8);
        // Sorted by path: some pictures are equally similar.
        answers.push(hits.into_iter().collect::<BTreeMap<_, _>>());
    }
    assert_eq!(answers.len(), 4);
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );

    for wrong in ["--threads", "--batch", "--decoders"] {
        env.fail(["index", "photos", wrong, "0"]);
    }
}

#[test]
fn two_sessions_give_the_vectors_of_one() {
    const N: u32 = 120;
    let env = TestEnv::new();
    fs_err::create_dir(env.path("many")).unwrap();
    for i in 0..N {
        let [red, green] = [i * 2, 255 - i].map(|value| u8::try_from(value).unwrap());
        image::RgbImage::from_pixel(16 + i, 16, image::Rgb([red, green, 90]))
            .save(env.path("many").join(format!("{i:03}.png")))
            .unwrap();
    }
    let mut answers = Vec::new();
    for (index, split) in [("two", &[][..]), ("one", &["--no-split"][..])] {
        let arguments = [
            "index",
            "many",
            "--json",
            "--threads",
            "2",
            "--index",
            index,
        ];
        let ran = env.succeed(arguments.iter().chain(split));
        let report = ran.json();
        assert_eq!(report["added"], N);
        // With half of the threads per session, only smaller sizes are tried.
        let largest = if split.is_empty() { 4 } else { 8 };
        let size = report["batch_size"].as_u64().unwrap();
        assert!(size <= largest, "{size}");
        let hits = similarities(&env, index);
        assert_eq!(hits.len(), N as usize);
        answers.push(hits.into_iter().collect::<BTreeMap<_, _>>());
    }
    assert_eq!(answers[0], answers[1]);
    let different: std::collections::BTreeSet<_> = answers[0].values().collect();
    assert!(
        different.len() > 50,
        "the pictures have different similarities"
    );
}

fn is_share(share: &Value) -> bool {
    share
        .as_f64()
        .is_some_and(|share| (0.0..=1.0).contains(&share))
}
