//! Encoding in lanes: when there is more than one, and that it changes no result.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use image::{Rgb, RgbImage};

use sightline_onnx::{Model, SessionOptions};

use super::tuning::MIN_PICTURES_FOR_TWO_SESSIONS;
use crate::engine::encoder::{Lane, options_of_parts};
use crate::engine::{Encoders, Engine, EngineError, IndexRequest, SearchRequest, fake, quietly};

/// As many pictures as are worth a second lane.
fn n_many() -> u32 {
    u32::try_from(MIN_PICTURES_FOR_TWO_SESSIONS).unwrap()
}

/// Two lanes wait here for each other, once.
#[derive(Default)]
struct Meeting {
    here: Mutex<[bool; 2]>,
    came: Condvar,
}

impl Meeting {
    fn wait(&self, lane: Lane) {
        let Lane::Part(number) = lane else {
            panic!("a batch was encoded on the whole machine")
        };
        let mut here = self.here.lock().unwrap();
        here[number] = true;
        self.came.notify_all();
        // Not reached when both lanes run: each arrives within moments.
        let patience = Duration::from_mins(1);
        let missed = self
            .came
            .wait_timeout_while(here, patience, |here| *here != [true, true])
            .unwrap()
            .1;
        assert!(!missed.timed_out(), "lane {number} encodes alone");
    }
}

#[test]
fn two_lanes_encode_at_once_with_the_results_of_one() {
    let root = tempfile::tempdir().unwrap();
    let photos = root.path().join("photos");
    fs_err::create_dir(&photos).unwrap();
    for (i, value) in (0..n_many() + 20).zip((0..=255).cycle()) {
        // The width makes each file's bytes its own.
        let colour = Rgb([value, 255 - value, 60]);
        RgbImage::from_pixel(8 + i, 4, colour)
            .save(photos.join(format!("{i:03}.png")))
            .unwrap();
    }
    let meeting = Arc::new(Meeting::default());
    let meets = Arc::clone(&meeting);
    let alone = |lane| assert_eq!(lane, Lane::Whole);
    let split = IndexRequest::folder(&photos);
    let whole = IndexRequest {
        no_split: true,
        ..split.clone()
    };
    let mut answers = Vec::new();
    for (name, request, encoders) in [
        (
            "split",
            split,
            fake::watched_encoders("one", move |lane| meets.wait(lane)),
        ),
        ("whole", whole, fake::watched_encoders("one", alone)),
    ] {
        let engine = Engine::open(root.path().join(name), encoders);
        let report = engine.index(&request, &mut quietly).unwrap();
        assert_eq!((report.n_added, report.encoding.n_encoded), (120, 120));
        assert!(report.encoding.batch_size.is_some(), "enough to find it");
        let hits = engine.search(&SearchRequest::text("green", 120)).unwrap();
        let mut hits: Vec<_> = hits
            .into_iter()
            .map(|hit| (hit.path().to_path_buf(), hit.similarity))
            .collect();
        hits.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(hits.len(), 120);
        answers.push(hits);
    }
    assert_eq!(*meeting.here.lock().unwrap(), [true, true]);
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn parts_split_the_threads() {
    let model = Model::starter().unwrap();
    let cases: [(usize, &[usize]); 4] = [(1, &[]), (2, &[1, 1]), (3, &[1, 2]), (8, &[4, 4])];
    for (n_threads, expected) in cases {
        let options = SessionOptions {
            n_threads: Some(n_threads),
            ..SessionOptions::default()
        };
        let parts = options_of_parts(&model, &options);
        let parts: Vec<usize> = parts.iter().map(SessionOptions::threads).collect();
        assert_eq!(parts, expected);
    }
    // Other devices are not split.
    let device = SessionOptions {
        n_threads: Some(8),
        device: sightline_onnx::Device::Cuda,
        ..SessionOptions::default()
    };
    assert_eq!(options_of_parts(&model, &device), []);
}

#[test]
fn few_pictures_use_one_lane() {
    let root = tempfile::tempdir().unwrap();
    RgbImage::from_pixel(8, 8, Rgb([200, 0, 0]))
        .save(root.path().join("one.png"))
        .unwrap();
    let encoders = fake::watched_encoders("one", |lane| assert_eq!(lane, Lane::Whole));
    let engine = Engine::open(root.path().join("index"), encoders);
    let request = IndexRequest::folder(root.path());
    let report = engine.index(&request, &mut quietly).unwrap();
    assert_eq!(report.n_added, 1);
}

#[test]
fn an_error_in_one_lane_ends_the_run() {
    // The encoder of every lane fails to load.
    let root = tempfile::tempdir().unwrap();
    for i in 0..n_many() {
        RgbImage::from_pixel(8 + i, 4, Rgb([9, 9, 9]))
            .save(root.path().join(format!("{i:03}.png")))
            .unwrap();
    }
    let no_runtime = || Err(sightline_onnx::RuntimeError::NotFound { tried: Vec::new() });
    let encoders = Encoders::starter(no_runtime).unwrap();
    let engine = Engine::open(root.path().join("index"), encoders);
    let error = engine
        .index(&IndexRequest::folder(root.path()), &mut quietly)
        .unwrap_err();
    assert!(matches!(error, EngineError::Runtime(_)), "{error}");
}
