//! Model folders with changed files, and what the reference makes of them.
//!
//! `make_golden_reference.py` says how the numbers came about.

use std::collections::BTreeMap;
use std::path::Path;

use image::RgbImage;
use serde_json::{Map, Value};
use sightline_onnx::{ImageTower, Model, Runtime, SessionOptions, TextTower};

use sightline_picture::DecodeLimits;

use crate::support::{Tensors, cosine, data, runtime, sample_pictures};

/// A listing of cases and its tensors.
pub(crate) struct Golden {
    listing: Value,
    tensors: Tensors,
    texts: Vec<String>,
    /// Of these texts, vectors are stored.
    probes: Vec<usize>,
    pictures: Vec<RgbImage>,
    runtime: Runtime,
}

/// What a folder gives for the texts and pictures of a listing.
pub(crate) struct Answers {
    fingerprint: String,
    ids: Vec<Vec<u32>>,
    texts: Vec<Vec<f32>>,
    /// The size of each picture, and some of its values.
    pixels: Vec<([u32; 2], Vec<f32>)>,
    pictures: Vec<Vec<f32>>,
    /// The difference that one step of a picture's 8-bit values makes.
    step: f32,
}

/// An outcome that is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The vectors of the unchanged folder, which are the reference's.
    Same,
    /// The reference's vectors for the changed folder.
    Reference,
    Refused,
}

impl Golden {
    /// Reads `NAME.json` and `NAME.safetensors`.
    pub(crate) fn read(name: &str) -> Self {
        let file = data().join(format!("{name}.json"));
        let listing: Value = serde_json::from_slice(&fs_err::read(file).unwrap()).unwrap();
        let names: Vec<String> = serde_json::from_value(listing["pictures"].clone()).unwrap();
        Self {
            tensors: Tensors::read(&data().join(format!("{name}.safetensors"))),
            texts: serde_json::from_value(listing["texts"].clone()).unwrap(),
            probes: serde_json::from_value(listing["probes"].clone()).unwrap(),
            pictures: names.iter().map(|name| decoded(name)).collect(),
            runtime: runtime(),
            listing,
        }
    }

    pub(crate) fn cases(&self) -> &[Value] {
        self.listing["cases"].as_array().unwrap()
    }

    pub(crate) fn folders(&self) -> impl Iterator<Item = &str> {
        let folders = self.listing["folders"].as_object().unwrap();
        folders.keys().map(String::as_str)
    }

    /// What a folder gives, or the error.
    pub(crate) fn answers(&self, folder: &Path) -> Result<Answers, String> {
        let model = Model::open(folder).map_err(|error| error.to_string())?;
        self.answers_of(&model).map_err(|error| error.to_string())
    }

    fn answers_of(&self, model: &Model) -> Result<Answers, sightline_onnx::EncodeError> {
        let options = SessionOptions::default();
        let mut tower = TextTower::load(&self.runtime, model, &options)?;
        let ids = self.texts.iter().map(|text| tower.token_ids(text));
        let ids = ids.collect::<Result<_, _>>()?;
        let texts = self.probes.iter().map(|&probe| self.texts[probe].as_str());
        let texts = tower.encode(&texts.collect::<Vec<_>>())?;
        let mut tower = ImageTower::load(&self.runtime, model, &options)?;
        let preprocessor = model.preprocessor();
        let pixels: Vec<_> = self
            .pictures
            .iter()
            .map(|p| preprocessor.pixels(p))
            .collect();
        let pictures = tower.encode(&pixels)?;
        let config = model.preprocess();
        let deviation = config.std.into_iter().reduce(f32::min).unwrap();
        #[expect(clippy::cast_possible_truncation, reason = "about 1 / 255")]
        let step = config.rescale as f32 / deviation;
        Ok(Answers {
            fingerprint: model.fingerprint().to_owned(),
            ids,
            texts: texts.iter().map(|v| v.as_slice().to_vec()).collect(),
            pixels: pixels
                .iter()
                .map(|p| ([p.height(), p.width()], spread(p.as_slice())))
                .collect(),
            pictures: pictures.iter().map(|v| v.as_slice().to_vec()).collect(),
            step,
        })
    }

    /// The texts of an unchanged folder for which it gives other ids than the reference. Everything
    /// else must be the reference's.
    pub(crate) fn different_texts(&self, folder: &str, found: &Answers) -> Vec<&str> {
        let expected: Vec<Vec<u32>> =
            serde_json::from_value(self.listing["folders"][folder]["ids"].clone()).unwrap();
        let is_other = |&i: &usize| found.ids[i] != expected[i];
        let others: Vec<usize> = (0..expected.len()).filter(is_other).collect();
        let vectors = self.rows(&format!("{folder}/texts"), self.probes.len());
        for ((probe, vector), expected) in self.probes.iter().zip(&found.texts).zip(&vectors) {
            let similarity = cosine(vector, expected);
            let text = &self.texts[*probe];
            assert!(
                others.contains(probe) || similarity > 0.9999,
                "{folder}: {text}: {similarity}"
            );
        }
        let sizes: Vec<_> = found.pixels.iter().map(|(size, _)| *size).collect();
        if let Err(why) = self.compare_pictures(folder, &sizes, found) {
            panic!("{folder}: {why}");
        }
        others.iter().map(|&i| self.texts[i].as_str()).collect()
    }

    /// Judges what was found in a changed folder. `usual` is what the unchanged folder gives,
    /// `skipped` are texts that are known to differ from the reference. The error says what is
    /// silently wrong.
    pub(crate) fn judge(
        &self,
        n: usize,
        usual: &Answers,
        found: Result<&Answers, &str>,
        skipped: &[&str],
    ) -> Result<Outcome, String> {
        let Ok(found) = found else {
            return Ok(Outcome::Refused);
        };
        let case = &self.cases()[n];
        let is_same = |part: &Value| part == "same" || part.get("refused").is_some();
        let (texts, pictures) = (&case["texts"], &case["pictures"]);
        if is_same(texts) {
            self.check_same_texts(usual, found)?;
        } else {
            self.compare_texts(n, usual, found, skipped)?;
        }
        if is_same(pictures) {
            check_same_pictures(usual, found)?;
        } else {
            let sizes: Vec<[u32; 2]> = serde_json::from_value(pictures["sizes"].clone()).unwrap();
            self.compare_pictures(&n.to_string(), &sizes, found)?;
        }
        Ok(if is_same(texts) && is_same(pictures) {
            Outcome::Same
        } else {
            Outcome::Reference
        })
    }

    fn check_same_texts(&self, usual: &Answers, found: &Answers) -> Result<(), String> {
        if usual.fingerprint == found.fingerprint {
            return Ok(());
        }
        for (text, (a, b)) in self.texts.iter().zip(found.ids.iter().zip(&usual.ids)) {
            if a != b {
                return Err(format!("{text:.30?}: {a:?}, not {b:?} as before"));
            }
        }
        check_vectors("text", &found.texts, &usual.texts, 0.9999)
    }

    fn compare_texts(
        &self,
        n: usize,
        usual: &Answers,
        found: &Answers,
        skipped: &[&str],
    ) -> Result<(), String> {
        let ids = self.cases()[n]["texts"]["ids"].as_array().unwrap();
        let vectors = self.rows(&format!("{n}/texts"), self.probes.len());
        for (i, text) in self.texts.iter().enumerate() {
            if skipped.contains(&text.as_str()) {
                continue;
            }
            let of_case: Option<Vec<u32>> = serde_json::from_value(ids[i].clone()).unwrap();
            let expected = of_case.as_ref().unwrap_or(&usual.ids[i]);
            if found.ids[i] != *expected {
                let found = &found.ids[i];
                return Err(format!("{text:.30?}: {found:?}, not {expected:?}"));
            }
            if let Some(at) = self.probes.iter().position(|&probe| probe == i) {
                let similarity = cosine(&found.texts[at], &vectors[at]);
                if similarity < 0.9999 {
                    return Err(format!("{text:.30?}: cosine {similarity}"));
                }
            }
        }
        Ok(())
    }

    fn compare_pictures(
        &self,
        prefix: &str,
        sizes: &[[u32; 2]],
        found: &Answers,
    ) -> Result<(), String> {
        let n = self.pictures.len();
        let pixels = self.rows(&format!("{prefix}/pixels"), n);
        for (i, (size, values)) in found.pixels.iter().enumerate() {
            if *size != sizes[i] {
                return Err(format!("a size of {size:?}, not {:?}", sizes[i]));
            }
            let step = found.step * 1.01 + 1e-5;
            let pairs = values.iter().zip(&pixels[i]);
            let n_off = pairs.filter(|(a, b)| (*a - *b).abs() > step).count();
            if n_off * 20 > values.len() {
                return Err(format!("{n_off} of {} pixel values are off", values.len()));
            }
        }
        let vectors = self.rows(&format!("{prefix}/pictures"), n);
        // Pillow 13 resizes tall pictures rows first, which shows in small ones.
        check_vectors("picture", &found.pictures, &vectors, 0.999)
    }

    fn rows(&self, name: &str, n: usize) -> Vec<Vec<f32>> {
        let values = self.tensors.f32s(name);
        let rows = values.chunks_exact(values.len() / n);
        rows.map(<[f32]>::to_vec).collect()
    }
}

fn check_same_pictures(usual: &Answers, found: &Answers) -> Result<(), String> {
    if found.pixels != usual.pixels {
        return Err("other pixels than before".to_owned());
    }
    check_vectors("picture", &found.pictures, &usual.pictures, 0.9999)
}

fn check_vectors(
    what: &str,
    found: &[Vec<f32>],
    expected: &[Vec<f32>],
    least: f64,
) -> Result<(), String> {
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        let similarity = cosine(a, b);
        if similarity < least {
            return Err(format!("{what} {i}: cosine {similarity}"));
        }
    }
    assert_eq!(found.len(), expected.len());
    Ok(())
}

fn decoded(name: &str) -> RgbImage {
    let bytes = fs_err::read(sample_pictures().join(name)).unwrap();
    sightline_picture::decode(&bytes, &DecodeLimits::default()).unwrap()
}

/// 48 values, evenly spread, as the reference's are.
fn spread(values: &[f32]) -> Vec<f32> {
    let last = values.len() - 1;
    (0..48).map(|i| values[last * i / 47]).collect()
}

/// Applies one change to the files of a folder.
pub(crate) fn apply(folder: &Path, edit: &Value) {
    let file = folder.join(edit["file"].as_str().unwrap());
    if let Some(content) = edit.get("content") {
        fs_err::write(file, content.to_string()).unwrap();
    } else if let Some(path) = edit.get("from") {
        let parent = file.parent().unwrap();
        let tokenizer = fs_err::read(parent.join("tokenizer.json")).unwrap();
        let tokenizer: Value = serde_json::from_slice(&tokenizer).unwrap();
        let value = keys(path).iter().fold(&tokenizer, |value, key| &value[key]);
        let is_text = file.extension().is_some_and(|end| end == "txt");
        let text = if is_text {
            merges(value)
        } else {
            value.to_string()
        };
        fs_err::write(file, text).unwrap();
    } else if let Some(path) = edit.get("key") {
        let text = fs_err::read(&file).unwrap();
        let mut tree: Value = serde_json::from_slice(&text).unwrap();
        let path = keys(path);
        let (last, above) = path.split_last().unwrap();
        let mut place = &mut tree;
        for key in above {
            let map = place.as_object_mut().unwrap();
            place = map.entry(key.as_str()).or_insert_with(|| Map::new().into());
        }
        let map = place.as_object_mut().unwrap();
        match edit.get("value") {
            Some(value) => drop(map.insert(last.clone(), value.clone())),
            None => drop(map.remove(last)),
        }
        fs_err::write(file, tree.to_string()).unwrap();
    } else {
        fs_err::remove_file(file).unwrap();
    }
}

fn keys(path: &Value) -> Vec<String> {
    serde_json::from_value(path.clone()).unwrap()
}

/// The lines of a `merges.txt`.
fn merges(list: &Value) -> String {
    let one = |merge: &Value| match merge.as_str() {
        Some(merge) => merge.to_owned(),
        None => keys(merge).join(" "),
    };
    let lines = list.as_array().unwrap().iter().map(one);
    let lines: Vec<String> = std::iter::once("#version: 0.2".to_owned())
        .chain(lines)
        .collect();
    lines.join("\n") + "\n"
}

/// How many cases had each outcome.
#[derive(Default, Debug)]
pub(crate) struct Tally(BTreeMap<&'static str, usize>);

impl Tally {
    pub(crate) fn add(&mut self, outcome: Outcome) {
        let name = match outcome {
            Outcome::Same => "same",
            Outcome::Reference => "reference",
            Outcome::Refused => "refused",
        };
        *self.0.entry(name).or_default() += 1;
    }

    pub(crate) fn n(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or_default()
    }
}
