//! The engine with real pictures, a real index and a fake encoder.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use image::{Rgb, RgbImage};
use sightline_index::{IndexError, IndexReader, IndexWriter, ItemKind, Nearest};

use super::*;

pub(crate) const RED: [u8; 3] = [220, 20, 20];
pub(crate) const GREEN: [u8; 3] = [20, 200, 20];
pub(crate) const BLUE: [u8; 3] = [20, 20, 220];

pub(crate) struct Place {
    _root: tempfile::TempDir,
    pub(crate) photos: PathBuf,
    pub(crate) index: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        // Links resolved, as the walk does: temporary folders are links on some systems.
        let base = root.path().canonicalize().unwrap();
        let (photos, index) = (base.join("photos"), base.join("index"));
        fs_err::create_dir_all(&photos).unwrap();
        Self {
            _root: root,
            photos,
            index,
        }
    }

    pub(crate) fn engine(&self) -> Engine {
        Engine::open(&self.index, fake::encoders("one"))
    }

    /// Draws a picture of one colour; another width makes it another content.
    pub(crate) fn draw(&self, name: &str, colour: [u8; 3], width: u32) -> PathBuf {
        let path = self.photos.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        RgbImage::from_pixel(width, 20, Rgb(colour))
            .save(&path)
            .unwrap();
        path
    }

    pub(crate) fn index(&self) -> IndexReport {
        self.engine()
            .index(&IndexRequest::folder(&self.photos), &mut quietly)
            .unwrap()
    }

    pub(crate) fn found(&self, text: &str) -> Vec<String> {
        let hits = self
            .engine()
            .search(&SearchRequest::text(text, 10))
            .unwrap();
        hits.iter().map(|hit| name(hit.path())).collect()
    }
}

pub(crate) fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Added, unchanged, changed, moved, copies, removed, skipped.
pub(crate) fn counts(report: &IndexReport) -> [usize; 7] {
    [
        report.n_added,
        report.n_unchanged,
        report.n_changed + report.n_changed_to_known,
        report.n_moved,
        report.n_copies,
        report.n_removed,
        report.skipped.len(),
    ]
}

#[test]
fn texts_and_pictures_find_pictures() {
    let place = Place::new();
    place.draw("a.png", RED, 30);
    place.draw("b.png", GREEN, 31);
    let blue = place.draw("c.png", BLUE, 32);
    assert_eq!(counts(&place.index()), [3, 0, 0, 0, 0, 0, 0]);
    assert_eq!(place.found("green")[0], "b.png");
    let hits = place
        .engine()
        .search(&SearchRequest::picture(&blue, 2))
        .unwrap();
    assert_eq!((hits.len(), name(hits[0].path())), (2, "c.png".to_owned()));
    assert!(hits[0].similarity.unwrap() > 0.999 && hits[1].similarity.unwrap() < 0.5);
    assert_eq!((hits[0].width, hits[0].height), (32, 20));
}

#[test]
fn a_second_run_reads_only_what_changed() {
    let place = Place::new();
    let red = place.draw("a.png", RED, 30);
    place.draw("b.png", GREEN, 31);
    place.draw("c.png", BLUE, 32);
    place.index();
    assert_eq!(counts(&place.index()), [0, 3, 0, 0, 0, 0, 0]);

    place.draw("b.png", BLUE, 33);
    fs_err::create_dir_all(place.photos.join("sub")).unwrap();
    fs_err::rename(&red, place.photos.join("sub/renamed.png")).unwrap();
    fs_err::copy(place.photos.join("c.png"), place.photos.join("copy.png")).unwrap();
    place.draw("new.png", GREEN, 34);
    assert_eq!(counts(&place.index()), [1, 1, 1, 1, 1, 0, 0]);
    assert_eq!(place.found("red")[0], "renamed.png");

    let hits = place
        .engine()
        .search(&SearchRequest::text("blue", 10))
        .unwrap();
    let twice = hits.iter().find(|hit| hit.paths.len() == 2).unwrap();
    let names: Vec<_> = twice.paths.iter().map(|path| name(path)).collect();
    assert_eq!(names, ["c.png", "copy.png"]);

    fs_err::remove_file(place.photos.join("new.png")).unwrap();
    fs_err::remove_file(place.photos.join("c.png")).unwrap();
    assert_eq!(counts(&place.index()), [0, 3, 0, 0, 0, 2, 0]);
    assert_eq!(place.found("green").len(), 3);
}

#[test]
fn files_that_swap_names_keep_their_images() {
    let place = Place::new();
    let (red, blue) = (place.draw("a.png", RED, 30), place.draw("b.png", BLUE, 31));
    fs_err::write(place.photos.join("a.txt"), "the first").unwrap();
    place.index();
    let aside = place.photos.join("aside");
    fs_err::rename(&red, &aside).unwrap();
    fs_err::rename(&blue, &red).unwrap();
    fs_err::rename(&aside, &blue).unwrap();
    // The hardest case: an image may be committed without a path before the other file is read.
    let request = IndexRequest {
        commit_every: 1,
        ..IndexRequest::folder(&place.photos)
    };
    place.engine().index(&request, &mut quietly).unwrap();
    assert_eq!(place.found("red")[0], "b.png");
    assert_eq!(place.found("blue")[0], "a.png");
    let hits = place
        .engine()
        .search(&SearchRequest::text("blue", 1))
        .unwrap();
    assert_eq!(hits[0].captions, ["the first"]);
    let hits = place
        .engine()
        .search(&SearchRequest::text("red", 1))
        .unwrap();
    assert!(hits[0].captions.is_empty());
}

#[test]
fn files_with_only_a_new_time_are_unchanged() {
    let place = Place::new();
    let red = place.draw("a.png", RED, 30);
    place.index();
    let file = fs_err::OpenOptions::new().append(true).open(&red).unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_mins(1);
    file.file().set_modified(later).unwrap();
    assert_eq!(counts(&place.index()), [0, 1, 0, 0, 0, 0, 0]);
}

#[test]
fn identical_files_are_decoded_once_and_become_one_image() {
    let place = Place::new();
    for i in 0..20 {
        place.draw(&format!("{i:02}.png"), RED, 30);
    }
    assert_eq!(counts(&place.index()), [1, 0, 0, 0, 19, 0, 0]);
    let hits = place
        .engine()
        .search(&SearchRequest::text("red", 10))
        .unwrap();
    assert_eq!((hits.len(), hits[0].paths.len()), (1, 20));
}

#[test]
fn bad_files_are_reported_and_the_others_indexed() {
    let place = Place::new();
    place.draw("a.png", RED, 30);
    let broken = place.draw("b.png", GREEN, 31);
    place.index();
    fs_err::write(&broken, b"not a picture any more").unwrap();
    fs_err::write(place.photos.join("empty.jpg"), b"").unwrap();
    place.draw("c.png", BLUE, 32);
    let report = place.index();
    assert_eq!(counts(&report), [1, 1, 0, 0, 0, 0, 2]);
    let mut bad: Vec<_> = report
        .skipped
        .iter()
        .map(|skipped| name(&skipped.path))
        .collect();
    bad.sort();
    assert_eq!(bad, ["b.png", "empty.jpg"]);
    // The old content of the broken file must not be found.
    assert_eq!(place.found("green").len(), 2);
}

#[test]
fn an_empty_library_folder_removes_nothing_without_prune() {
    let place = Place::new();
    let red = place.draw("a.png", RED, 30);
    place.index();
    fs_err::remove_file(&red).unwrap();
    let report = place.index();
    assert_eq!(report.held_back, [(place.photos.clone(), 1)]);
    assert_eq!(place.found("red").len(), 1);

    fs_err::remove_dir_all(&place.photos).unwrap();
    let request = IndexRequest::folder(&place.photos);
    let error = place.engine().index(&request, &mut quietly).unwrap_err();
    assert!(
        matches!(error, EngineError::FolderMissing { n_indexed: 1, .. }),
        "{error:?}"
    );

    let request = IndexRequest {
        prune: true,
        ..request
    };
    let report = place.engine().index(&request, &mut quietly).unwrap();
    assert_eq!(report.n_removed, 1);
    assert_eq!(place.found("red").len(), 0);
}

#[test]
fn captions_follow_the_changes_of_sidecars_and_captions_files() {
    let place = Place::new();
    let red = place.draw("a.png", RED, 30);
    place.draw("b.png", GREEN, 31);
    let sidecar = place.photos.join("a.txt");
    fs_err::write(&sidecar, "a red door\n\nred red\n").unwrap();
    let file = place.photos.join("captions.jsonl");
    fs_err::write(
        &file,
        "{\"image\": \"b.png\", \"captions\": [\"green grass\"]}\n",
    )
    .unwrap();
    let list = place.photos.parent().unwrap().join("list.txt");
    fs_err::write(&list, "blue sky\n").unwrap();
    let request = IndexRequest {
        captions: vec![file.clone(), list.clone()],
        ..IndexRequest::folder(&place.photos)
    };
    let report = place.engine().index(&request, &mut quietly).unwrap();
    assert_eq!((report.n_captions_added, report.skipped.len()), (4, 0));

    let texts = |picture: &Path| -> Vec<String> {
        let hits = place.engine().captions(picture, 10).unwrap();
        hits.into_iter().map(|hit| hit.text).collect()
    };
    assert_eq!(texts(&red).len(), 4);
    assert!(texts(&red)[..2].contains(&"red red".to_owned()));
    let green = &place
        .engine()
        .captions(&place.photos.join("b.png"), 1)
        .unwrap()[0];
    assert_eq!(green.text, "green grass");
    assert_eq!(green.pictures, [place.photos.join("b.png")]);

    let again = place.engine().index(&request, &mut quietly).unwrap();
    assert_eq!((again.n_captions_added, again.n_captions_removed), (0, 0));

    fs_err::remove_file(&sidecar).unwrap();
    fs_err::write(&list, "blue sky\nblue sea\n").unwrap();
    let report = place.engine().index(&request, &mut quietly).unwrap();
    assert_eq!((report.n_captions_added, report.n_captions_removed), (1, 2));
    assert_eq!(texts(&red).len(), 3);
}

#[test]
fn captions_of_pictures_outside_the_index_are_reported() {
    let place = Place::new();
    place.draw("a.png", RED, 30);
    let file = place.photos.join("captions.jsonl");
    fs_err::write(&file, "{\"image\": \"gone.png\", \"captions\": [\"x\"]}\n").unwrap();
    let request = IndexRequest {
        captions: vec![file],
        ..IndexRequest::folder(&place.photos)
    };
    let report = place.engine().index(&request, &mut quietly).unwrap();
    assert_eq!(report.skipped.len(), 1);
    assert_eq!(name(&report.skipped[0].path), "gone.png");
    assert_eq!(report.n_captions_added, 0);
}

#[test]
fn a_query_is_encoded_once_however_far_the_search_is_widened() {
    let place = Place::new();
    // Far more equal captions than the first search fetches.
    for i in 0..30 {
        place.draw(&format!("{i}.png"), RED, 30 + i);
        fs_err::write(place.photos.join(format!("{i}.txt")), "red\n").unwrap();
    }
    fs_err::write(place.photos.join("0.txt"), "green\n").unwrap();
    assert_eq!(place.index().n_captions_added, 30);
    let n_encoded = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&n_encoded);
    let encoders = fake::watched_encoders("one", move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let engine = Engine::open(&place.index, encoders);
    let hits = engine.captions(&place.photos.join("0.png"), 2).unwrap();
    let texts: Vec<&str> = hits.iter().map(|hit| hit.text.as_str()).collect();
    assert_eq!(texts, ["red", "green"]);
    assert_eq!(n_encoded.load(Ordering::Relaxed), 1);
}

#[test]
fn a_caption_of_many_pictures_is_counted_and_names_only_some() {
    let place = Place::new();
    for i in 0..60 {
        place.draw(&format!("{i}.png"), RED, 30 + i);
        fs_err::write(place.photos.join(format!("{i}.txt")), "red door\n").unwrap();
    }
    // Copies are one picture with several files.
    for i in 0..3 {
        place.draw(&format!("copy{i}.png"), GREEN, 30);
    }
    // The model does not know these words, so that the vectors are equal.
    let texts = ["red gate", "red barn", "red door"];
    fs_err::write(place.photos.join("copy0.txt"), texts.join("\n")).unwrap();
    place.index();
    for by in [By::Meaning, By::Words, By::Both] {
        let hits = |text: &str, n| {
            let request = SearchRequest {
                by,
                ..SearchRequest::text(text, n)
            };
            let hits = place.engine().search_captions(&request).unwrap();
            let counts = hits
                .into_iter()
                .map(|hit| (hit.text, hit.n_captions, hit.pictures.len()));
            counts.collect::<Vec<_>>()
        };
        // The 31 that are not read count as this text.
        let door = ("red door".to_owned(), 63, CaptionHit::MAX_PICTURES);
        assert_eq!(hits("red door", 1), [door], "{by:?}");
        if by != By::Meaning {
            let barn = ("red barn".to_owned(), 1, 3);
            assert_eq!(hits("barn", 1), [barn], "{by:?}");
        }
    }
}

#[test]
fn captions_with_one_vector_and_different_texts_are_different_hits() {
    let place = Place::new();
    for (i, text) in ["red door", "red gate", "red door", "red barn"]
        .iter()
        .enumerate()
    {
        place.draw(&format!("{i}.png"), RED, 30 + u32::try_from(i).unwrap());
        fs_err::write(place.photos.join(format!("{i}.txt")), text).unwrap();
    }
    place.index();
    let found = |by, text: &str, n| {
        let request = SearchRequest {
            by,
            ..SearchRequest::text(text, n)
        };
        let hits = place.engine().search_captions(&request).unwrap();
        let found = hits
            .into_iter()
            .map(|hit| (hit.text, hit.n_captions, hit.words));
        found.collect::<Vec<_>>()
    };
    let hit = |text: &str, n_captions, words: &[&str]| {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        (text.to_owned(), n_captions, words)
    };
    let (door, gate) = (hit("red door", 2, &[]), hit("red gate", 1, &[]));
    let barn = hit("red barn", 1, &[]);
    for n in 1..=3 {
        let all = [door.clone(), gate.clone(), barn.clone()];
        assert_eq!(found(By::Meaning, "red", n), all[..n]);
    }
    let barn = hit("red barn", 1, &["barn"]);
    assert_eq!(found(By::Words, "barn", 3), std::slice::from_ref(&barn));
    assert_eq!(found(By::Both, "barn", 3), [barn, door, gate]);
}

#[test]
fn hits_report_their_ranks_by_meaning_and_by_words() {
    let place = Place::new();
    place.draw("tulip_field.png", GREEN, 30);
    place.draw("plain.png", RED, 31);
    place.index();
    let search = |by| {
        let request = SearchRequest {
            by,
            ..SearchRequest::text("red tulip", 10)
        };
        place.engine().search(&request).unwrap()
    };
    let by_meaning = search(By::Meaning);
    assert_eq!(name(by_meaning[0].path()), "plain.png");
    let by_words = search(By::Words);
    assert_eq!(
        (by_words.len(), name(by_words[0].path())),
        (1, "tulip_field.png".to_owned())
    );
    assert_eq!(
        (by_words[0].similarity, by_words[0].rank_by_words),
        (None, Some(1))
    );
    let both = search(By::Both);
    assert_eq!(both.len(), 2);
    assert_eq!(both[0].words, ["tulip"]);
    assert_eq!(
        (both[0].rank_by_meaning, both[0].rank_by_words),
        (Some(2), Some(1))
    );
    assert!(both[0].similarity.is_some());
}

/// What the fake model's cosines mean: colours that have nothing in common have a cosine near 0.
fn calibration() -> Calibration {
    let unrelated = Unrelated::new(0.05, 0.2).unwrap();
    Calibration {
        text_picture: unrelated,
        text_text: unrelated,
        picture_picture: unrelated,
    }
}

fn calibrated(place: &Place) -> Engine {
    let encoders = fake::encoders("one").with_calibration(Some(calibration()));
    Engine::open(&place.index, encoders)
}

#[test]
fn captions_lift_their_photos_and_bury_no_others() {
    let place = Place::new();
    place.draw("shown.png", RED, 30);
    for (name, caption, width) in [
        ("both", "red", 31),
        ("said", "red", 32),
        ("none", "blue", 33),
    ] {
        let colour = if name == "both" { RED } else { GREEN };
        place.draw(&format!("{name}.png"), colour, width);
        fs_err::write(place.photos.join(format!("{name}.txt")), caption).unwrap();
    }
    place.index();
    let request = SearchRequest {
        by: By::Meaning,
        ..SearchRequest::text("red", 10)
    };
    let hits = calibrated(&place).search(&request).unwrap();
    let names: Vec<String> = hits.iter().map(|hit| name(hit.path())).collect();
    assert_eq!(names, ["both.png", "shown.png", "said.png", "none.png"]);
    let captions: Vec<Option<&str>> = hits
        .iter()
        .map(|hit| hit.caption.as_ref().map(|caption| caption.text.as_str()))
        .collect();
    assert_eq!(captions, [Some("red"), None, Some("red"), None]);
    let confidences: Vec<f32> = hits
        .iter()
        .map(|hit| hit.confidence.unwrap().value())
        .collect();
    assert!(confidences.is_sorted_by(|a, b| a >= b), "{confidences:?}");
    assert_eq!(hits[0].confidence.unwrap().strength(), Strength::Strong);
    assert_eq!(hits[3].confidence.unwrap().strength(), Strength::Unlikely);
}

#[test]
fn a_lowest_confidence_leaves_out_what_is_less_likely() {
    let place = Place::new();
    place.draw("red.png", RED, 30);
    place.draw("green.png", GREEN, 31);
    place.index();
    let request = SearchRequest {
        min_confidence: Some(Confidence::FAIR),
        ..SearchRequest::text("red", 10)
    };
    let hits = calibrated(&place).search(&request).unwrap();
    assert_eq!(hits.len(), 1);
    assert_eq!(name(hits[0].path()), "red.png");
    let error = place.engine().search(&request).unwrap_err();
    assert!(
        matches!(error, EngineError::NotCalibrated { .. }),
        "{error}"
    );
    let by_words = SearchRequest {
        by: By::Words,
        ..request
    };
    let error = calibrated(&place).search(&by_words).unwrap_err();
    assert!(matches!(error, EngineError::ConfidenceByWords), "{error}");
    // Without it, a model that is not calibrated has hits without confidence.
    let hits = place
        .engine()
        .search(&SearchRequest::text("red", 10))
        .unwrap();
    assert!(hits.len() == 2 && hits.iter().all(|hit| hit.confidence.is_none()));
}

#[test]
fn a_query_by_picture_decodes_as_the_index_did() {
    let place = Place::new();
    let photo = place.photos.join("large.jpg");
    // Fine detail, so that full and reduced decoding differ.
    let picture = RgbImage::from_fn(640, 480, |x, y| {
        let value = u8::try_from((x * 7919 + y * 104_729 + x * y) % 256).unwrap();
        Rgb([value, value.wrapping_mul(3), 255 - value / 2])
    });
    picture.save(&photo).unwrap();
    let options = |full_decode| DecodeOptions {
        full_decode,
        ..DecodeOptions::default()
    };
    for full_decode in [true, false] {
        let index = place.index.join(full_decode.to_string());
        let engine = |full_decode| {
            Engine::open(&index, fake::encoders("one")).with_decode_options(options(full_decode))
        };
        let request = IndexRequest::folder(&place.photos);
        engine(full_decode).index(&request, &mut quietly).unwrap();
        let similarity = |full_decode| {
            let request = SearchRequest::picture(&photo, 1);
            let hits = engine(full_decode).search(&request).unwrap();
            hits[0].similarity.unwrap()
        };
        let reader = IndexReader::open(&index, None).unwrap();
        let image = reader.file(&photo).unwrap().unwrap().image;
        let stored = reader.vector(image).unwrap().unwrap();
        let with_itself = reader
            .nearest(ItemKind::Image, &stored, 1, &Nearest::default())
            .unwrap()[0]
            .similarity;
        assert_eq!(similarity(full_decode), with_itself);
        assert!(similarity(!full_decode) < with_itself);
    }
}

#[test]
fn queries_without_an_answer_are_errors() {
    let place = Place::new();
    place.draw("a.png", RED, 30);
    place.index();
    let search = |request: &SearchRequest| place.engine().search(request).unwrap_err();
    assert!(matches!(
        search(&SearchRequest::text("  ", 5)),
        EngineError::EmptyQuery
    ));
    let by_words = SearchRequest {
        by: By::Words,
        ..SearchRequest::picture("a.png", 5)
    };
    assert!(matches!(search(&by_words), EngineError::PictureByWords));
    let text = place.photos.join("x.jpg");
    fs_err::write(&text, "words").unwrap();
    let error = search(&SearchRequest::picture(&text, 5));
    assert!(matches!(error, EngineError::Picture { .. }), "{error:?}");
}

#[test]
fn an_index_belongs_to_one_model() {
    let place = Place::new();
    place.draw("a.png", RED, 30);
    place.index();
    let other = Engine::open(&place.index, fake::encoders("two"));
    let error = other.search(&SearchRequest::text("red", 1)).unwrap_err();
    assert!(
        matches!(error, EngineError::Index(IndexError::OtherModel { .. })),
        "{error:?}"
    );
    let error = other
        .index(&IndexRequest::folder(&place.photos), &mut quietly)
        .unwrap_err();
    assert!(
        matches!(error, EngineError::Index(IndexError::OtherModel { .. })),
        "{error:?}"
    );
}

#[test]
fn a_stopped_run_keeps_finished_work_and_the_next_continues() {
    // More than all queues hold, so that the run cannot end before it is stopped.
    const N: u32 = 300;
    let place = Place::new();
    for i in 0..N {
        place.draw(&format!("{i}.png"), RED, 30 + i);
    }
    let mut stop = |progress: &Progress| {
        if progress.n_done >= 20 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let request = IndexRequest::folder(&place.photos);
    let report = place.engine().index(&request, &mut stop).unwrap();
    assert!(report.interrupted);
    assert!(
        (20..N as usize).contains(&report.n_added),
        "{}",
        report.n_added
    );
    let status = Engine::status(&place.index).unwrap();
    let n_added = report.n_added as u64;
    assert_eq!(
        (status.n_images, status.libraries[0].n_files),
        (n_added, n_added)
    );
    let rest = place.index();
    assert_eq!(
        (rest.n_unchanged, rest.n_added),
        (report.n_added, N as usize - report.n_added)
    );
    assert!(!rest.interrupted);
}

#[test]
fn batches_threads_and_memory_do_not_change_the_index() {
    let place = Place::new();
    for (i, colour) in (0..45).zip([RED, GREEN, BLUE].into_iter().cycle()) {
        place.draw(&format!("{i:02}.png"), colour, 30 + i);
    }
    fs_err::copy(place.photos.join("00.png"), place.photos.join("copy.png")).unwrap();
    let request = IndexRequest::folder(&place.photos);
    let split = |batch_size, n_decoders| IndexRequest {
        batch_size: Some(batch_size),
        n_decoders: Some(n_decoders),
        ..request.clone()
    };
    let usual = DecodeOptions::default();
    let full = DecodeOptions {
        full_decode: true,
        ..usual.clone()
    };
    // Less memory than any file or picture takes: each is decoded alone.
    let tight = DecodeOptions {
        memory: 1,
        ..usual.clone()
    };
    let splits = [
        (request.clone(), usual.clone()),
        (split(1, 1), usual),
        (split(7, 5), full),
        (split(64, 4), tight),
    ];
    let mut answers = Vec::new();
    for (number, (request, decode)) in splits.iter().enumerate() {
        let folder = place.index.join(number.to_string());
        let engine =
            Engine::open(folder, fake::encoders("one")).with_decode_options(decode.clone());
        let report = engine.index(request, &mut quietly).unwrap();
        assert_eq!(counts(&report), [45, 0, 0, 0, 1, 0, 0], "{request:?}");
        let figures = &report.encoding;
        assert_eq!(figures.n_encoded, 45);
        assert!(figures.n_starved <= figures.n_batches);
        match request.batch_size {
            // Pauses may make batches smaller, never larger.
            Some(size) => assert!(figures.n_batches >= 45_usize.div_ceil(size)),
            // Choosing takes 24 pictures of each size, in turns; 45 are too few.
            None => assert_eq!((figures.batch_size, figures.n_batches), (None, 19)),
        }
        let hits = engine.search(&SearchRequest::text("green", 45)).unwrap();
        let mut hits: Vec<_> = hits
            .into_iter()
            .map(|hit| (name(hit.path()), hit.paths.len(), hit.width, hit.similarity))
            .collect();
        hits.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(hits.len(), 45);
        answers.push(hits);
    }
    assert_eq!(answers.len(), 4);
    for other in &answers[1..] {
        assert_eq!(&answers[0], other);
    }
}

#[test]
fn the_benchmark_measures_everything_it_reports() {
    use bench::BenchStage::{Decoding, Encoding, Indexing, Preparing};

    let place = Place::new();
    for i in 0..40 {
        place.draw(&format!("{i:02}.png"), GREEN, 30 + i);
    }
    let request = bench::BenchRequest {
        index: IndexRequest::folder(&place.photos),
        decode: DecodeOptions::default(),
        work: place.index.clone(),
        n_rounds: 2,
        only_index: false,
        longest_encoding: std::time::Duration::from_millis(50),
    };
    fs_err::create_dir(&place.index).unwrap();
    let mut stages = Vec::new();
    let mut on_stage = |round, stage| {
        stages.push((round, stage));
        ControlFlow::Continue(())
    };
    let report = bench::bench(&fake::encoders("one"), &request, &mut on_stage);
    let report = report.unwrap().expect("not stopped");
    stages.dedup();
    let turns = [(1, Preparing)].into_iter().chain(
        (1..=2).flat_map(|round| [Encoding, Decoding, Indexing].map(|stage| (round, stage))),
    );
    assert!(stages.iter().copied().eq(turns), "{stages:?}");
    assert_eq!((report.n_pictures, report.n_skipped), (40, 0));
    assert_eq!(report.rounds.len(), 2);
    for round in &report.rounds {
        assert!(round.encode > 0.0 && round.decode > 0.0 && round.index > 0.0);
        assert!(round.ideal() < round.encode.min(round.decode));
        assert!((round.ratio() * round.ideal() - round.index).abs() < 1e-6 * round.index);
        assert!((0.0..=1.0).contains(&round.finish_share));
        assert_eq!(round.encoding.n_encoded, 40);
    }
    // The temporary indexes are deleted.
    assert_eq!(fs_err::read_dir(&place.index).unwrap().count(), 0);

    let mut stop = |_, _| ControlFlow::Break(());
    let stopped = bench::bench(&fake::encoders("one"), &request, &mut stop).unwrap();
    assert_eq!(stopped, None);
    let empty = bench::BenchRequest {
        index: IndexRequest::folder(&place.index),
        ..request
    };
    let mut go_on = |_, _| ControlFlow::Continue(());
    let error = bench::bench(&fake::encoders("one"), &empty, &mut go_on).unwrap_err();
    assert!(matches!(error, EngineError::NoPictures { .. }), "{error:?}");
}

#[test]
fn hidden_ignored_and_junk_files_are_skipped() {
    let place = Place::new();
    for name in [
        "a.png",
        ".hidden.png",
        "@eaDir/t.png",
        "private/p.png",
        "x.bak.png",
    ] {
        place.draw(name, RED, 30);
    }
    fs_err::write(
        place.photos.join(".sightlineignore"),
        "private/\n*.bak.png\n",
    )
    .unwrap();
    let report = place.index();
    assert_eq!((report.n_seen, report.n_added), (1, 1));
}

#[test]
fn status_reports_what_the_index_holds() {
    let place = Place::new();
    place.draw("a.png", RED, 30);
    place.draw("b.png", RED, 30);
    fs_err::write(place.photos.join("a.txt"), "a red wall").unwrap();
    place.index();
    let status = Engine::status(&place.index).unwrap();
    assert_eq!(
        (status.n_images, status.n_files, status.n_captions),
        (1, 2, 1)
    );
    assert_eq!((status.model.as_str(), status.dimension), ("colours", 4));
    assert_eq!(status.libraries.len(), 1);
    assert_eq!(
        (&status.libraries[0].folder, status.libraries[0].n_files),
        (&place.photos, 2)
    );
    assert!(status.n_bytes_on_disk > 0);
    // A run that was killed has noted only that it began.
    let binding = place.engine().encoders.binding();
    let mut writer = IndexWriter::open_or_create(&place.index, &binding).unwrap();
    let mut library = status.libraries[0].clone();
    library.n_files = 1;
    library.last_run_unix_s += 1000;
    writer.put_library(library).unwrap();
    writer.finish().unwrap();
    let status = Engine::status(&place.index).unwrap();
    assert_eq!(status.libraries[0].n_files, 2);
    let nowhere = Engine::status(&place.photos).unwrap_err();
    assert!(
        matches!(nowhere, EngineError::Index(IndexError::NoIndex { .. })),
        "{nowhere:?}"
    );
}
