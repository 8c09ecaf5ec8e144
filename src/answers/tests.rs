//! Holds `docs/json.md` to the answers, and the answers to it.
//!
//! Each section of the document with a table describes one answer. The samples below show each of
//! them with everything that it can hold and with nothing, and every key that they have must be
//! described, with its type and whether it may be `null` or missing, and no other key.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use sightline_index::{DamagedData, GraphState, ItemId, ItemKind, LastRun, Problem, Repair};
use sightline_onnx::{Model, Precision, Side};

use super::models::OriginAnswer;
use super::*;
use crate::engine::bench::{BenchReport, BenchRound, CpuTimes};
use crate::engine::exchange::{ExportRequest, ImportReport};
use crate::engine::{
    By, CaptionHit, CaptionMatch, Condition, Confidence, Details, DuplicateFile, DuplicateGroup,
    DuplicatesReport, EncodingFigures, Engine, Evaluation, Explanation, Facets, Heat, IndexReport,
    IndexRequest, KeepReason, Key, LabelReport, ModelChange, Moment, Part, PhraseHit, Query,
    Reading, Recalls, RemoveReport, RepeatedLabel, SearchHit, SeenPart, Tag, TagReport, TagSidecar,
    TaggedPicture, UnfinishedChange, UnknownKey, WordEffect, fake, quietly,
};
use crate::models::{
    Agreement, Check, Checked, Figures, Language, Matches, OtherText, Outcome, Registry, Rewritten,
    Tower, Verdict,
};

/// The keys of an answer, such as `hits[].rank`, each with its description, such as
/// `number or null, may be missing`.
pub(super) type Keys = BTreeMap<String, String>;

/// What the samples of one answer have at a key.
#[derive(Default)]
struct Seen {
    n: usize,
    n_objects: usize,
    types: BTreeSet<&'static str>,
    children: BTreeMap<String, Seen>,
    elements: Option<Box<Seen>>,
}

impl Seen {
    fn add(&mut self, value: &Value) {
        self.n += 1;
        self.types.insert(match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "text",
            Value::Array(_) => "list",
            Value::Object(_) => "object",
        });
        match value {
            Value::Array(values) => {
                let elements = self.elements.get_or_insert_default();
                for value in values {
                    elements.add(value);
                }
            }
            Value::Object(values) => {
                self.n_objects += 1;
                for (key, value) in values {
                    self.children.entry(key.clone()).or_default().add(value);
                }
            }
            _ => {}
        }
    }

    fn is_file(&self) -> bool {
        let keys: Vec<&str> = self.children.keys().map(String::as_str).collect();
        keys == ["path"] || keys == ["path", "path_base64"]
    }

    fn description(&self, n_parents: usize) -> String {
        let named = |seen: &Self| -> String {
            let types = seen.types.iter().filter(|&&seen| seen != "null");
            let types: Vec<&str> = types.copied().collect();
            match types[..] {
                ["object"] if seen.is_file() => "file".to_owned(),
                [one] => one.to_owned(),
                // A key of another answer, which is described there.
                [] => "nothing".to_owned(),
                _ => panic!("{types:?}"),
            }
        };
        let mut description = named(self);
        if let Some(elements) = &self.elements {
            description = format!("list of {}s", named(elements));
        }
        if self.types.contains("null") {
            description += " or null";
        }
        if self.n < n_parents {
            description += ", may be missing";
        }
        description
    }

    fn collect(&self, prefix: &str, keys: &mut Keys) {
        if let Some(elements) = &self.elements {
            elements.collect(&format!("{prefix}[]"), keys);
        }
        if !prefix.is_empty() && self.is_file() {
            return;
        }
        for (key, child) in &self.children {
            let dot = if prefix.is_empty() { "" } else { "." };
            let key = format!("{prefix}{dot}{key}");
            keys.insert(key.clone(), child.description(self.n_objects));
            child.collect(&key, keys);
        }
    }
}

/// Samples of an answer as they are printed.
#[derive(Default)]
pub(super) struct Samples(BTreeMap<&'static str, Seen>);

impl Samples {
    pub(super) fn add(&mut self, answer: &'static str, sample: &impl Serialize) {
        let sample = serde_json::to_value(sample).unwrap();
        self.0.entry(answer).or_default().add(&sample);
    }

    fn keys(&self) -> BTreeMap<String, Keys> {
        let keys = |(answer, seen): (&&str, &Seen)| {
            let mut keys = Keys::new();
            seen.collect("", &mut keys);
            ((*answer).to_owned(), keys)
        };
        self.0.iter().map(keys).collect()
    }
}

/// The tables of `docs/json.md` by the headings of their sections.
fn described() -> BTreeMap<String, Keys> {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md");
    let document = fs_err::read_to_string(document).unwrap();
    let mut answers = BTreeMap::new();
    let mut heading = String::new();
    for line in document.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            heading = title.replace('`', "");
        } else if let Some(row) = line.strip_prefix("| `") {
            let cells: Vec<&str> = row.split(" | ").collect();
            let key = cells[0].trim_end_matches('`').to_owned();
            let keys: &mut Keys = answers.entry(heading.clone()).or_default();
            let before = keys.insert(key, cells[1].to_owned());
            assert_eq!(before, None, "twice in {heading}: {line}");
        }
    }
    answers
}

#[test]
fn the_document_describes_every_key_and_no_other() {
    let mut samples = Samples::default();
    of_searches(&mut samples);
    of_tags(&mut samples);
    of_duplicates(&mut samples);
    of_explanations(&mut samples);
    of_indexing(&mut samples);
    of_an_index(&mut samples);
    of_upkeep(&mut samples);
    of_measuring(&mut samples);
    of_models(&mut samples);
    serve_tests::of_items(&mut samples);
    serve_tests::of_collections(&mut samples);
    let (mut found, described) = (samples.keys(), described());
    serve_tests::without_others(&mut found);
    assert!(found.len() >= 16, "{} answers", found.len());
    let answers = |keys: &BTreeMap<String, Keys>| keys.keys().cloned().collect::<Vec<_>>();
    assert_eq!(answers(&found), answers(&described));
    for (answer, found) in found {
        let described = &described[&answer];
        let lines = |keys: &Keys, other: &Keys| -> Vec<String> {
            let differ = keys.iter().filter(|(key, is)| other.get(*key) != Some(is));
            differ.map(|(key, is)| format!("{key}: {is}")).collect()
        };
        assert!(
            &found == described,
            "{answer}\nproduced, not described:\n  {}\ndescribed, not produced:\n  {}",
            lines(&found, described).join("\n  "),
            lines(described, &found).join("\n  ")
        );
    }
}

/// A path that is not UTF-8.
pub(super) fn odd_path() -> PathBuf {
    PathBuf::from(OsStr::from_bytes(b"/photos/\xff.jpg"))
}

pub(super) fn odd_file() -> Skipped {
    Skipped {
        path: odd_path(),
        reason: "truncated".to_owned(),
    }
}

fn caption_hits() -> [CaptionHit; 2] {
    let caption = CaptionHit {
        text: "a dog".to_owned(),
        similarity: None,
        confidence: None,
        words: vec!["a".to_owned()],
        pictures: vec![odd_path()],
        n_captions: 1,
        are_equal: true,
        source: odd_path(),
    };
    let other = CaptionHit {
        similarity: Some(0.5),
        confidence: Confidence::new(0.5),
        ..caption.clone()
    };
    [caption, other]
}

fn phrase_hits() -> [PhraseHit; 2] {
    let phrase = PhraseHit {
        text: "a dog".to_owned(),
        group: "animals",
        similarity: 0.5,
        confidence: None,
    };
    let other = PhraseHit {
        confidence: Confidence::new(0.5),
        ..phrase.clone()
    };
    [phrase, other]
}

fn of_searches(samples: &mut Samples) {
    let text = Query::text("a dog");
    let picture = Query::picture(odd_path());
    let camera = Condition::new(Key::Camera, "canon").unwrap();
    let mut rich = Query::text("a dog")
        .plus(Part::picture(odd_path()))
        .plus(Part::item("a.jpg"))
        .plus(Part::bytes([1, 2]))
        .minus(Part::text("snow"))
        .under(camera.negated())
        .under(Condition::new(Key::Near, "kyoto,20").unwrap())
        .under(Condition::new(Key::Near, "35,135.7").unwrap());
    rich.phrases.push("a dog".to_owned());
    rich.excluded.push("cat".to_owned());
    rich.unknown_keys.push(UnknownKey {
        typed: "cameras".to_owned(),
        similar: "camera",
    });
    let texts = || vec!["a".to_owned()];
    let confidence = Confidence::new(0.5).unwrap();
    let images = [
        SearchHit::default(),
        SearchHit {
            paths: vec![odd_path(), odd_path()],
            similarity: Some(0.5),
            confidence: Some(confidence),
            caption: Some(CaptionMatch {
                text: "a".to_owned(),
                similarity: 0.5,
            }),
            rank_by_meaning: Some(1),
            rank_by_words: Some(1),
            words: texts(),
            captions: texts(),
            details: Details {
                camera: Some("Nikon D750".to_owned()),
                taken: Moment::new(2023, 8, 14, None),
                places: texts(),
                keywords: texts(),
                ..Details::default()
            },
            tags: texts(),
            ..SearchHit::default()
        },
    ];
    let (captions, phrases) = (caption_hits(), phrase_hits());
    let reading = |tower, language: &str| Reading {
        language: language.parse().ok(),
        tower,
        is_known: true,
        n_tokens_dropped: 0,
    };
    let (of_one, of_two) = (reading(None, ""), reading(Some(1), "de"));
    for (query, reading) in [
        (&text, Some(of_one)),
        (&text, Some(of_two)),
        (&picture, None),
        (&rich, Some(of_one)),
    ] {
        let reading = &[reading];
        let hits = (1..).zip(&images).map(HitAnswer::from).collect();
        let found = FoundAnswer::new(query, By::Both, reading, Duration::from_millis(8), hits);
        samples.add("search", &found);
        let hits = (1..).zip(&captions).map(HitAnswer::from).collect();
        let found = FoundAnswer::new(query, By::Meaning, reading, Duration::ZERO, hits);
        samples.add("captions", &found);
        let hits = (1..).zip(&phrases).map(HitAnswer::from).collect();
        let found = FoundAnswer::new(query, By::Meaning, reading, Duration::ZERO, hits);
        samples.add("captions", &found);
    }
}

fn facets() -> Facets {
    let named = |name: &str| vec![(name.to_owned(), 3)];
    let day = Moment::new(2023, 6, 0, None).unwrap();
    Facets {
        cameras: named("NIKON Z 6"),
        folders: vec![("/photos".into(), 3)],
        places: named("Rome"),
        tags: named("best"),
        types: named("jpg"),
        years: vec![(2023, 3)],
        dates: Some((day, day)),
    }
}

fn of_tags(samples: &mut Samples) {
    let tag = |set: Option<&str>| Tag {
        name: "outdoors".to_owned(),
        set: set.map(ToOwned::to_owned),
        similarity: 0.5,
        confidence: Confidence::new(0.5).unwrap(),
    };
    let skipped = |path: &Path| Skipped {
        path: path.to_path_buf(),
        ..odd_file()
    };
    let picture = |path: &Path, has_sidecar: bool| TaggedPicture {
        path: path.to_path_buf(),
        tags: vec![tag(None), tag(Some("place"))],
        sidecar: has_sidecar.then(|| TagSidecar {
            path: path.to_path_buf(),
            is_changed: true,
        }),
    };
    let (odd, plain) = (odd_path(), Path::new("a"));
    let report = TagReport {
        pictures: vec![
            picture(plain, false),
            picture(plain, true),
            picture(&odd, true),
        ],
        skipped: vec![skipped(plain), skipped(&odd)],
        unwritten: vec![skipped(plain), skipped(&odd)],
        postponed: vec!["why".to_owned()],
        labels: LabelReport {
            repeated: vec![RepeatedLabel {
                line: 2,
                name: "Dog".to_owned(),
            }],
            unknown: vec!["🐶".to_owned()],
        },
        ..TagReport::default()
    };
    samples.add("tag", &TagAnswer::from(&report));
    samples.add("tag", &TagAnswer::from(&TagReport::default()));
}

fn of_duplicates(samples: &mut Samples) {
    let file = |path: &Path, similarity, taken: &str| DuplicateFile {
        path: path.to_path_buf(),
        id: ItemId(1),
        width: 4,
        height: 3,
        n_bytes: 12,
        taken: taken.parse().ok(),
        similarity,
        hash_distance: 0,
    };
    let (odd, plain) = (odd_path(), Path::new("a"));
    let group = |keep: &Path, others| DuplicateGroup {
        keep: file(keep, None, if keep == plain { "2023" } else { "" }),
        reason: KeepReason::MorePixels,
        others,
    };
    let others = vec![file(&odd, Some(0.9), ""), file(plain, None, "2023")];
    let report = DuplicatesReport {
        groups: vec![group(plain, others.clone()), group(&odd, others)],
        skipped: vec![
            odd_file(),
            Skipped {
                path: "a".into(),
                ..odd_file()
            },
        ],
        ..DuplicatesReport::default()
    };
    samples.add("duplicates", &DuplicatesAnswer::from(&report));
    samples.add(
        "duplicates",
        &DuplicatesAnswer::from(&DuplicatesReport::default()),
    );
}

fn of_explanations(samples: &mut Samples) {
    let bare = Explanation {
        similarity: 0.5,
        confidence: None,
        reading: Reading {
            language: None,
            tower: None,
            is_known: true,
            n_tokens_dropped: 0,
        },
        heat: Heat {
            seen: SeenPart::WHOLE,
            side: 12,
            values: vec![0.5; 144],
        },
        words: Vec::new(),
        n_encoded: 60,
        overlay: None,
        elapsed: Duration::ZERO,
    };
    let rich = Explanation {
        confidence: Confidence::new(0.5),
        reading: Reading {
            language: "de".parse().ok(),
            tower: Some(1),
            ..bare.reading
        },
        words: vec![WordEffect {
            word: "a".to_owned(),
            support: 0.5,
        }],
        ..bare.clone()
    };
    serve_tests::of_explanation(samples, &bare);
    samples.add("explain", &ExplainAnswer::new(&odd_path(), "a", &bare));
    samples.add("explain", &ExplainAnswer::new(Path::new("-"), "a", &rich));
}

fn of_indexing(samples: &mut Samples) {
    samples.add("index", &IndexAnswer::from(&IndexReport::default()));
    let change = |discarded| ModelChange {
        from: "a".to_owned(),
        to: "b".to_owned(),
        n_images: 2,
        n_before: 1,
        discarded,
        is_done: true,
    };
    let report = |discarded, path: &Path| IndexReport {
        skipped: vec![
            odd_file(),
            Skipped {
                path: path.to_path_buf(),
                ..odd_file()
            },
        ],
        unused_texts: vec![odd_path(), path.to_path_buf()],
        held_back: vec![(odd_path(), 3), (path.to_path_buf(), 3)],
        model_change: Some(change(discarded)),
        postponed: vec!["why".to_owned()],
        n_tagged: Some(3),
        encoding: EncodingFigures {
            batch_size: Some(8),
            ..EncodingFigures::default()
        },
        ..IndexReport::default()
    };
    samples.add("index", &IndexAnswer::from(&report(None, Path::new("a"))));
    let discarded = Some("c".to_owned());
    samples.add(
        "index",
        &IndexAnswer::from(&report(discarded, Path::new("a"))),
    );
}

/// A real index, with what cannot be made without one.
fn of_an_index(samples: &mut Samples) {
    let folder = tempfile::tempdir().unwrap();
    let (photos, index) = (folder.path().join("photos"), folder.path().join("index"));
    fs_err::create_dir(&photos).unwrap();
    image::RgbImage::new(8, 8)
        .save(photos.join("a.png"))
        .unwrap();
    let engine = Engine::open(&index, fake::encoders("one"));
    let request = IndexRequest::folder(&photos);
    engine.index(&request, &mut quietly).unwrap();
    let mut status = Engine::status(&index).unwrap();
    assert_eq!((status.libraries.len(), status.n_images), (1, 1));
    status.images.graph = GraphState::Unusable {
        reason: "damaged".to_owned(),
    };
    status.captions.graph = GraphState::Unusable {
        reason: "damaged".to_owned(),
    };
    let mut library = status.libraries[0].clone();
    library.folder = odd_path();
    status.libraries.push(library);
    status.last_run = Some(LastRun::default());
    status.unfinished = Some(UnfinishedChange {
        folder: odd_path(),
        model: "b".to_owned(),
        fingerprint: "c".to_owned(),
        dimension: 4,
        n_images: 1,
    });
    serve_tests::of_an_engine(samples, &engine, &status);
    let texts = [vec!["en".parse().unwrap()], vec!["zh".parse().unwrap()]];
    status.damaged = damaged();
    samples.add("status", &StatusAnswer::from((&status, texts.as_slice())));
    for facets in [facets(), Facets::default()] {
        let answer = CollectionAnswer::from((&status, &facets, 20));
        samples.add("collection", &answer);
    }
    status.images.graph = GraphState::Absent;
    status.captions.graph = GraphState::Absent;
    (status.last_run, status.unfinished) = (None, None);
    samples.add("status", &StatusAnswer::from((&status, texts.as_slice())));

    let compacted = Engine::compact(&index, &mut |_| ()).unwrap();
    samples.add("compact", &CompactAnswer::from(&compacted));
    let to = folder.path().join("export");
    let request = ExportRequest {
        to: to.clone(),
        force: false,
    };
    let exported = Engine::export(&index, &request).unwrap();
    samples.add("export", &ExportAnswer::from((&*to, &exported)));
    samples.add("import", &ImportAnswer::from(&ImportReport::default()));
}

fn damaged() -> Vec<DamagedData> {
    [odd_path(), "damaged-1".into()]
        .map(|folder| DamagedData { folder, n_bytes: 1 })
        .into()
}

fn of_upkeep(samples: &mut Samples) {
    let formats = sightline_picture::formats();
    let limits = sightline_picture::DecodeLimits::default();
    samples.add("status --formats", &FormatsAnswer::from((formats, &limits)));
    let removed = RemoveReport {
        libraries: vec![odd_path()],
        unknown: vec![odd_path()],
        ..RemoveReport::default()
    };
    samples.add("remove", &RemoveAnswer::from(&removed));
    let problems = || {
        vec![
            Problem::Item {
                id: ItemId(17),
                what: "it has no vector",
            },
            Problem::File {
                path: "a".into(),
                what: "wrong",
            },
            Problem::File {
                path: odd_path(),
                what: "wrong",
            },
            Problem::Graph {
                kind: ItemKind::Image,
                what: "damaged".to_owned(),
            },
        ]
    };
    let (found, kept) = (problems(), damaged());
    samples.add("check", &CheckAnswer::new(&found, &kept, &kept));
    let mut repair = Repair::default();
    (repair.found, repair.left) = (problems(), problems());
    repair.lost_files = vec![odd_path()];
    repair.lost_caption_sources = vec![odd_path()];
    samples.add("check", &CheckAnswer::repaired(&repair, &[]));
    repair.kept = Some(odd_path());
    samples.add("check", &CheckAnswer::repaired(&repair, &[]));
}

fn of_measuring(samples: &mut Samples) {
    let round = BenchRound {
        encode: 2.0,
        decode: 2.0,
        index: 1.0,
        cpu_ms: Some(CpuTimes {
            encode: 1.0,
            decode: 1.0,
            index: 1.0,
        }),
        encoding: EncodingFigures {
            batch_size: Some(8),
            ..EncodingFigures::default()
        },
        finish_share: 0.1,
    };
    let only_index = BenchRound {
        cpu_ms: Some(CpuTimes::default()),
        ..BenchRound::default()
    };
    let unmeasured = BenchRound::default();
    for rounds in [vec![round], vec![only_index], vec![unmeasured]] {
        let report = BenchReport {
            peak_memory: (rounds[0].encode > 0.0).then_some(7),
            memory: [(1, 2)].into(),
            rounds,
            ..BenchReport::default()
        };
        samples.add("bench", &BenchAnswer::new(&report, "clip", "cpu"));
    }
    let recalls = Recalls {
        r1: 1.0,
        r5: 1.0,
        r10: 1.0,
        median_rank: 1.0,
    };
    let evaluation = Evaluation {
        n_images: 1,
        n_captions: 1,
        n_captions_cut: 0,
        text_to_image: recalls,
        image_to_text: recalls,
        text_to_image_without_hubs: recalls,
        image_to_text_without_hubs: recalls,
        skipped: vec![
            odd_file(),
            Skipped {
                path: "a".into(),
                ..odd_file()
            },
        ],
    };
    samples.add("eval", &EvalAnswer::from((&evaluation, "clip")));
    samples.add("embed", &EmbedAnswer::text("a", &[0.5], None));
    samples.add("embed", &EmbedAnswer::picture(&odd_path(), &[0.5], Some(0)));
}

#[expect(clippy::too_many_lines, reason = "most of it is sample values")]
fn of_models(samples: &mut Samples) {
    let registry = Registry::new(None);
    let mut entries = registry.list().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join(OsStr::from_bytes(b"\xff"));
    fs_err::create_dir(&empty).unwrap();
    entries.push(registry.find(&empty).unwrap());
    let list = ModelListAnswer::new(&registry, &entries, "starter");
    samples.add("models list", &list);

    let (entry, model) = (&entries[0], Model::starter().unwrap());
    let agreement = Agreement {
        mean_cosine: 1.0,
        worst_cosine: 1.0,
        picture_speed: 1.0,
        text_speed: 1.0,
    };
    let figures = |to_fp32| Figures {
        ms_per_picture: 1.0,
        ms_per_text: 1.0,
        to_fp32,
    };
    let (of_fp32, of_int8) = (figures(None), figures(Some(agreement)));
    let signature = || SignatureAnswer {
        inputs: vec![TensorAnswer {
            name: "a",
            kind: "b",
        }],
        outputs: vec![TensorAnswer {
            name: "a",
            kind: "b",
        }],
    };
    let towers = Path::new(env!("CARGO_MANIFEST_DIR")).join("onnx/tests/data/towers");
    let (entry_of_towers, towers) = (
        registry.find(&towers).unwrap(),
        Model::open(&towers).unwrap(),
    );
    let mut of_towers = ModelInfoAnswer::new(&entry_of_towers, &towers, true, None).unwrap();
    samples.add("models info", &of_towers);
    let other = &mut of_towers.other_texts[0];
    other.text = Some(signature());
    (other.texts.pad_token, other.texts.pad_id) = (Some("a"), Some(0));
    other.texts.pad_side = Some(Side::Left);
    samples.add("models info", &of_towers);
    let mut info = ModelInfoAnswer::new(entry, &model, true, None).unwrap();
    (info.license, info.reason) = (None, None);
    (
        info.preprocessing.edge,
        info.texts.pad_token,
        info.texts.pad_id,
    ) = (None, None, None);
    samples.add("models info", &info);
    let odd = odd_path();
    info.folder = Some(odd.as_path().into());
    info.preprocessing.edge = Some(224);
    (info.texts.pad_token, info.texts.pad_id) = (Some("a"), Some(0));
    info.texts.pad_side = Some(Side::Left);
    info.license = Some("MIT");
    info.origin = Some(OriginAnswer {
        repository: "a/b",
        commit: "c",
    });
    info.reason = Some("it is the only one".to_owned());
    let measured = |figures| PrecisionAnswer {
        precision: Precision::Int8,
        figures,
    };
    info.precisions = vec![
        measured(None),
        measured(Some(&of_fp32)),
        measured(Some(&of_int8)),
    ];
    info.checked_unix_s = Some(1);
    (info.image, info.text) = (Some(signature()), Some(signature()));
    samples.add("models info", &info);

    let tower = || Tower {
        load: Duration::ZERO,
        raw_norm: (1.0, 2.0),
    };
    let rewritten = Rewritten {
        cosine: 1.0,
        n_texts_first: 16,
    };
    let matches = Matches {
        language: Language::English,
        n_texts_first: 16,
        n_pictures_first: 16,
    };
    let other = |matches| OtherText {
        languages: vec!["zh"],
        tower: tower(),
        ms_per_text: 1.0,
        matches,
    };
    let works = |figures| {
        Ok(Outcome {
            calibration: None,
            image: tower(),
            text: tower(),
            other_texts: vec![other(None), other(Some(matches))],
            n_pairs: 16,
            n_batch: 8,
            matches,
            n_needed: 5,
            capitals: rewritten,
            punctuation: rewritten,
            accents: rewritten,
            colours: 0.5,
            figures,
        })
    };
    let outcomes = [works(of_fp32), works(of_int8), Err("no".to_owned())];
    let checked = outcomes.map(|outcome| Checked {
        model: model.clone(),
        outcome,
    });
    let check = Check {
        checked: checked.into(),
        verdict: Verdict {
            chosen: Some(Precision::Fp32),
            reason: "it is the only one".to_owned(),
        },
    };
    for asked in [true, false] {
        let answer = ModelCheckAnswer::new(entry, &check, asked);
        samples.add("models check", &answer);
    }
}
