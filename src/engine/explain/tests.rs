//! Explanations by the fake model, which sees colours.

use super::*;
use crate::engine::fake;
use crate::engine::quietly;

/// Grey, with a red square in the lower right ninth.
fn picture(side: u32) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| {
        if x >= side * 2 / 3 && y >= side * 2 / 3 {
            Rgb([255, 0, 0])
        } else {
            Rgb([90, 90, 90])
        }
    })
}

fn png(picture: &RgbImage) -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

fn request(picture: &RgbImage, text: &str) -> ExplainRequest {
    ExplainRequest {
        picture: ExplainedPicture::Bytes(png(picture)),
        text: text.to_owned(),
        language: None,
        overlay: Some(24),
    }
}

fn explained(request: &ExplainRequest) -> Explanation {
    let encoders = fake::encoders("a");
    let options = DecodeOptions::default();
    let hint = LanguageHint::default();
    explain(&encoders, &options, hint, request, &mut quietly)
        .unwrap()
        .unwrap()
}

#[test]
fn the_part_and_the_word_that_match_are_found() {
    for side in [12, 48, 600] {
        let explanation = explained(&request(&picture(side), "one red thing"));
        let strongest = explanation.heat.strongest();
        assert_eq!(strongest[0].name, "lower right", "{side}");
        assert!(strongest[0].share > 0.7, "{side}: {strongest:?}");
        let words = &explanation.words;
        let named: Vec<&str> = words.iter().map(|effect| effect.word.as_str()).collect();
        assert_eq!(named, ["one", "red", "thing"]);
        assert!(words[1].support > 0.1 && words[0].support.abs() < 1e-5);
        // The whole, the copy without a mask, 34 large masks and some small ones.
        let n_small = explanation.n_encoded - 36;
        assert!((1..=24).contains(&n_small), "{n_small}");
        let overlay = explanation.overlay.unwrap();
        assert_eq!(overlay.width(), side.min(24));
    }
}

#[test]
fn masking_what_does_not_match_counts_against_it() {
    let explanation = explained(&request(&picture(48), "green"));
    let heat = &explanation.heat;
    assert!(heat.values[143] < 0.0, "red is no green");
    assert!(heat.values.iter().all(|value| value.is_finite()));
    assert_eq!(explanation.words, []);
}

#[test]
fn a_stopped_run_explains_nothing() {
    let encoders = fake::encoders("a");
    for n_calls in [1, 2, 9, 10] {
        let mut n = 0;
        let mut stop = |progress: &Progress| {
            assert_eq!(progress.stage, Stage::Masking);
            assert!(progress.n_done <= progress.n_total);
            n += 1;
            if n == n_calls {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let request = request(&picture(48), "red");
        let options = DecodeOptions::default();
        let hint = LanguageHint::default();
        let found = explain(&encoders, &options, hint, &request, &mut stop).unwrap();
        assert!(found.is_none());
    }
}

#[test]
fn a_shortened_text_stays_with_its_tower() {
    let used = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let watched = std::sync::Arc::clone(&used);
    let encoders = fake::bilingual_encoders("a", move |tower, texts: &[&str]| {
        let texts = texts.iter().map(|text| (*text).to_owned());
        watched
            .lock()
            .unwrap()
            .extend(texts.map(|text| (tower, text)));
    });
    let request = request(&picture(48), "der Hund ist rot");
    let options = DecodeOptions::default();
    let hint = LanguageHint::default();
    explain(&encoders, &options, hint, &request, &mut quietly).unwrap();
    let used = used.lock().unwrap();
    assert_eq!(used.len(), 5, "{used:?}");
    assert!(used.iter().all(|(tower, _)| *tower == 1), "{used:?}");
}

#[test]
fn blank_texts_and_broken_pictures_are_errors() {
    let encoders = fake::encoders("a");
    let options = DecodeOptions::default();
    let mut n_errors = 0;
    for (bytes, text, expected) in [
        (png(&picture(9)), " ", "the query is empty"),
        (b"none".to_vec(), "red", "the given picture: "),
    ] {
        let request = ExplainRequest {
            picture: ExplainedPicture::Bytes(bytes),
            ..request(&picture(9), text)
        };
        let hint = LanguageHint::default();
        let error = explain(&encoders, &options, hint, &request, &mut quietly).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        n_errors += 1;
    }
    assert_eq!(n_errors, 2);
}
