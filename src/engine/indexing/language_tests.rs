//! Which text tower of a model encodes a caption, and what a change of the language changes.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use sightline_index::Language;

use crate::engine::tests::{Place, RED};
use crate::engine::{
    By, Engine, EngineError, IndexReport, IndexRequest, LanguageHint, Progress, SearchRequest,
    Stage, TextLanguage, fake, isolate,
};

/// A place with an indexed list of captions, and the tower of each text that was encoded.
struct Captions {
    place: Place,
    encoded: Arc<Mutex<Vec<(usize, String)>>>,
}

const TEXTS: &str = "a rose in the garden\neine Rose im Garten\nTaxi\n";

impl Captions {
    fn new() -> Self {
        let place = Place::new();
        place.draw("red.png", RED, 8);
        Self {
            place,
            encoded: Arc::default(),
        }
    }

    fn engine(&self) -> Engine {
        let encoded = Arc::clone(&self.encoded);
        let encoders = fake::bilingual_encoders("two", move |tower, texts| {
            let texts = texts.iter().map(|&text| (tower, text.to_owned()));
            encoded.lock().unwrap().extend(texts);
        });
        Engine::open(&self.place.index, encoders)
    }

    fn index_until(
        &self,
        language: Option<Language>,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> IndexReport {
        let list = self.place.photos.parent().unwrap().join("list.txt");
        fs_err::write(&list, TEXTS).unwrap();
        let request = IndexRequest {
            captions: vec![list],
            language,
            ..IndexRequest::folder(&self.place.photos)
        };
        let report = self.engine().index(&request, &mut |now| progress(now));
        report.unwrap()
    }

    /// Indexes with a language, if any; which tower encoded which texts.
    fn index(&self, language: Option<Language>) -> Vec<(usize, String)> {
        let report = self.index_until(language, &mut |_| ControlFlow::Continue(()));
        assert!(report.skipped.is_empty(), "{:?}", report.skipped);
        assert_eq!(sightline_index::check(&self.place.index).unwrap(), []);
        let status = Engine::status(&self.place.index).unwrap();
        assert_eq!(status.n_captions, 3);
        let mut encoded = std::mem::take(&mut *self.encoded.lock().unwrap());
        encoded.sort();
        encoded
    }
}

fn towers(texts: &[(usize, &str)]) -> Vec<(usize, String)> {
    let texts = texts.iter();
    texts.map(|&(tower, text)| (tower, text.into())).collect()
}

#[test]
fn another_language_encodes_only_the_captions_of_another_tower_again() {
    let captions = Captions::new();
    let first = towers(&[
        (0, "Taxi"),
        (0, "a rose in the garden"),
        (1, "eine Rose im Garten"),
    ]);
    assert_eq!(captions.index(None), first);
    assert_eq!(captions.index(None), []);
    let german = captions.index(Some(Language::German));
    assert_eq!(german, towers(&[(1, "Taxi")]));
    assert_eq!(captions.index(None), []);
    assert_eq!(captions.index(Some(Language::German)), []);
    let english = captions.index(Some(Language::English));
    assert_eq!(english, towers(&[(0, "Taxi")]));
}

#[test]
fn a_change_of_the_language_that_was_stopped_is_completed() {
    let captions = Captions::new();
    captions.index(None);
    let report = captions.index_until(Some(Language::German), &mut |now| match now.stage {
        Stage::Captions => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(report.interrupted);
    captions.encoded.lock().unwrap().clear();
    assert_eq!(captions.index(None), towers(&[(1, "Taxi")]));
}

#[test]
fn a_model_with_one_text_tower_encodes_nothing_again() {
    let place = Place::new();
    place.draw("red.png", RED, 8);
    fs_err::write(place.photos.join("red.txt"), "Taxi").unwrap();
    let n_encoded = Arc::new(Mutex::new(0));
    for (language, expected) in [(None, 1), (Some(Language::German), 1)] {
        let n_encoded_now = Arc::clone(&n_encoded);
        let encoders = fake::encoders_with_watched_texts("one", move |texts| {
            *n_encoded_now.lock().unwrap() += texts.len();
        });
        let request = IndexRequest {
            language,
            ..IndexRequest::folder(&place.photos)
        };
        let engine = Engine::open(&place.index, encoders);
        engine.index(&request, &mut crate::engine::quietly).unwrap();
        assert_eq!(*n_encoded.lock().unwrap(), expected);
    }
}

#[test]
fn queries_go_to_the_tower_of_their_language_or_of_the_index() {
    let captions = Captions::new();
    captions.index(None);
    let similarity = |text: &str, language: Option<&str>| {
        let language = language.map(|code| code.parse::<TextLanguage>().unwrap());
        let request = SearchRequest {
            by: By::Meaning,
            language,
            ..SearchRequest::text(text, 1)
        };
        let hits = captions.engine().search(&request)?;
        Ok::<bool, EngineError>(hits[0].similarity.unwrap() > 0.9)
    };
    assert!(similarity("red", None).unwrap());
    assert!(similarity("das Haus ist rot", None).unwrap());
    assert!(!similarity("rot", None).unwrap());
    assert!(similarity("rot", Some("de")).unwrap());
    assert!(!similarity("das Haus ist rot", Some("en")).unwrap());
    let error = similarity("rot", Some("sv")).unwrap_err().to_string();
    let expected = "colours: the model has no text tower for `sv` (languages: de, en)";
    assert_eq!(error, expected);
    let read = |text: &str| captions.engine().reading(text, None).unwrap();
    assert_eq!(read("a rose in the garden").tower, Some(0));
    let german = read("eine Rose im Garten");
    assert_eq!(german.tower, Some(1));
    assert_eq!(german.language.map(TextLanguage::code), Some("de"));

    captions.index(Some(Language::German));
    assert!(similarity("rot", None).unwrap());
    assert_eq!(read("rot").tower, Some(1));
}

#[test]
fn texts_of_several_towers_keep_their_order() {
    let encoders = fake::bilingual_encoders("two", |tower, texts| {
        let is_german = |text: &&str| text.contains("das");
        assert!(texts.iter().all(|text| is_german(text) == (tower == 1)));
    });
    let texts = ["the red", "das ist grün", "a blue", "das ist rot"];
    let vectors = isolate::texts(&encoders, &texts, LanguageHint::default()).unwrap();
    let largest = vectors.into_iter().map(|vector| {
        let vector = vector.unwrap();
        (0..3).find(|&at| vector[at] > 0.9)
    });
    let largest: Vec<Option<usize>> = largest.collect();
    assert_eq!(largest, [Some(0), Some(1), Some(2), Some(0)]);
}
