//! Every key of the golden model folders, removed and changed.
//!
//! The outcome is the vectors of before where the key changes nothing, the reference's vectors for
//! the changed key, or a refusal: never other vectors in silence.

use std::collections::BTreeMap;

use serde_json::Value;
use sightline_onnx::Model;

use crate::cases::{Answers, Golden, Tally, apply};
use crate::counted::alone;
use crate::support::{copy_of, cosine, runtime};

/// A golden folder to change.
struct Folder<'a> {
    copy: tempfile::TempDir,
    /// What it gives unchanged.
    usual: Answers,
    /// Texts for which it is known to differ from the reference.
    known: Vec<&'a str>,
}

#[test]
fn no_key_is_ignored_in_silence() {
    let _alone = alone();
    let golden = Golden::read("keys");
    let mut folders: BTreeMap<&str, Folder<'_>> = BTreeMap::new();
    let (mut tally, mut failures) = (Tally::default(), Vec::new());
    for (n, case) in golden.cases().iter().enumerate() {
        let folder = case["folder"].as_str().unwrap();
        let folder = folders.entry(folder).or_insert_with(|| {
            let copy = copy_of(folder);
            let usual = golden.answers(copy.path()).unwrap();
            let known = golden.different_texts(folder, &usual);
            Folder { copy, usual, known }
        });
        let home = folder.copy.path();
        let file = home.join(case["file"].as_str().unwrap());
        let original = fs_err::read(&file).unwrap();
        apply(home, case);
        let found = golden.answers(home);
        fs_err::write(&file, original).unwrap();
        let found = found.as_ref().map_err(String::as_str);
        match golden.judge(n, &folder.usual, found, &folder.known) {
            Ok(outcome) => tally.add(outcome),
            Err(why) => failures.push(format!("{}: {why}", described(case))),
        }
    }
    let n = failures.len();
    assert!(failures.is_empty(), "{n} silent:\n{}", failures.join("\n"));
    assert_eq!(folders.len(), golden.folders().count());
    assert_eq!(golden.cases().len(), 1453);
    assert!(tally.n("same") > 500, "{tally:?}");
    assert!(tally.n("reference") > 100, "{tally:?}");
    assert!(tally.n("refused") < 700, "{tally:?}");
}

fn described(case: &Value) -> String {
    let key: Vec<String> = serde_json::from_value(case["key"].clone()).unwrap();
    let to = case
        .get("value")
        .map_or_else(|| "removed".to_owned(), Value::to_string);
    let [folder, file] = ["folder", "file"].map(|part| case[part].as_str().unwrap());
    format!("{folder}/{file}: {} = {to}", key.join("."))
}

/// What a manifest leaves out has a default, and is asked for where no default is safe.
#[test]
fn removing_any_key_of_a_manifest_changes_no_vector() {
    let _alone = alone();
    let copy = copy_of("plain");
    let file = copy.path().join("sightline.toml");
    let text = fs_err::read_to_string(&file).unwrap();
    let vector = || -> Result<Vec<f32>, String> {
        let model = Model::open(copy.path()).map_err(|error| error.to_string())?;
        let options = sightline_onnx::SessionOptions::default();
        let tower = sightline_onnx::TextTower::load(&runtime(), &model, &options);
        let mut tower = tower.map_err(|error| error.to_string())?;
        let texts = ["a dog", "A DOG Runs over the green grass!"];
        let texts = tower.encode(&texts).map_err(|error| error.to_string())?;
        let tower = sightline_onnx::ImageTower::load(&runtime(), &model, &options);
        let mut tower = tower.map_err(|error| error.to_string())?;
        let picture = image::RgbImage::from_fn(50, 31, |x, y| {
            image::Rgb([x, y, x ^ y].map(|value| u8::try_from(value * 3).unwrap()))
        });
        let pixels = model.preprocessor().pixels(&picture);
        let pictures = tower.encode(&[pixels]).map_err(|error| error.to_string())?;
        let all = texts.iter().chain(&pictures);
        Ok(all.flat_map(|v| v.as_slice().to_vec()).collect())
    };
    let usual = vector().unwrap();
    let (mut n_same, mut n_refused) = (0, 0);
    for line in text.lines().filter(|line| line.contains(" = ")) {
        fs_err::write(&file, text.replace(&format!("{line}\n"), "")).unwrap();
        match vector() {
            Err(_) => n_refused += 1,
            Ok(found) => {
                let similarity = cosine(&found, &usual);
                assert!(similarity > 0.999_999, "{line}: {similarity}");
                n_same += 1;
            }
        }
    }
    assert_eq!((n_same, n_refused), (8, 12));
}
