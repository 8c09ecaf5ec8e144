use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use image::RgbImage;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use sightline_onnx::{Model, SessionOptions, TextTower};

use crate::change::Change;
use crate::counted::{alone, counted};
use crate::support::{copy_of, runtime};

/// One folder of each layout.
const FOLDERS: [&str; 10] = [
    "clip",
    "plain",
    "layouts/siglip",
    "layouts/siglip2",
    "layouts/chinese_clip",
    "layouts/immich",
    "layouts/open_clip",
    "layouts/jina_clip",
    "layouts/mobileclip",
    "towers",
];

/// Files of their vocabularies.
const TOKENIZERS: [&str; 3] = ["tokenizer.json", "tokenizer-other.json", "words.json"];

/// Memory limit, in bytes, before a model's graphs are loaded: the largest input that a manifest
/// may ask for takes 768 MiB as f32, and 192 MiB as a picture.
const MAX_MEMORY: u64 = 1 << 30;

/// One case: how a file is damaged.
#[derive(Debug, Clone)]
enum Damage {
    Bytes(Change),
    /// A value of the file's tree is replaced or removed.
    Value(Index, Option<Value>),
}

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        let numbers = [
            json!(0),
            json!(1),
            json!(-1),
            json!(7),
            json!(8192),
            json!(8193),
            json!(65_536),
            json!(i32::MAX),
            json!(u32::MAX),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(1e-300),
            json!(1e300),
            json!(0.5),
        ];
        let others = [
            Value::Null,
            json!(true),
            json!(""),
            json!("../../etc/passwd"),
            json!("/etc/passwd"),
            json!("a\nb\u{1b}[31m"),
            json!("x".repeat(10_000)),
            json!([]),
            json!([[[[]]]]),
            json!([224, 224]),
            json!([u32::MAX, 1]),
            json!({}),
            json!({"height": u32::MAX, "width": 1}),
            json!({"shortest_edge": 8192}),
        ];
        let values: Vec<Value> = numbers.into_iter().chain(others).collect();
        let value = prop::option::weighted(0.9, prop::sample::select(values));
        prop_oneof![
            Change::any().prop_map(Self::Bytes),
            (any::<Index>(), value).prop_map(|(place, value)| Self::Value(place, value)),
        ]
    }

    fn apply(&self, file: &Path, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Bytes(change) => change.apply(bytes),
            Self::Value(place, value) => {
                let text = std::str::from_utf8(bytes).unwrap();
                if file.extension().is_some_and(|end| end == "toml") {
                    let mut tree: Value = toml::from_str(text).unwrap();
                    replace(&mut tree, *place, value.as_ref());
                    // TOML has no null and no number beyond 64 bits: the file is then empty.
                    toml::to_string(&tree).unwrap_or_default().into_bytes()
                } else {
                    let mut tree: Value = serde_json::from_str(text).unwrap();
                    replace(&mut tree, *place, value.as_ref());
                    serde_json::to_vec(&tree).unwrap()
                }
            }
        }
    }
}

/// JSON pointers to all values below the root.
fn places(tree: &Value, above: &str, found: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match tree {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value))
            .collect(),
        // The first values stand for all of a long list, such as a vocabulary.
        Value::Array(list) => list
            .iter()
            .take(4)
            .enumerate()
            .map(|(n, value)| (n.to_string(), value))
            .collect(),
        _ => Vec::new(),
    };
    for (key, value) in below.into_iter().take(200) {
        let place = format!("{above}/{key}");
        places(value, &place, found);
        found.push(place);
    }
}

fn replace(tree: &mut Value, place: Index, value: Option<&Value>) {
    let mut found = Vec::new();
    places(tree, "", &mut found);
    let place = place.get(&found);
    let (above, key) = place.rsplit_once('/').unwrap();
    match value {
        Some(value) => *tree.pointer_mut(place).unwrap() = value.clone(),
        None => match tree.pointer_mut(above).unwrap() {
            Value::Object(map) => drop(map.remove(&key.replace("~1", "/").replace("~0", "~"))),
            Value::Array(list) => drop(list.remove(key.parse().unwrap())),
            _ => unreachable!("only these have something below them"),
        },
    }
}

/// All files of a folder with these extensions.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, endings));
        } else if path
            .extension()
            .is_some_and(|end| endings.iter().any(|known| end == *known))
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn runner(n_cases: u32) -> TestRunner {
    let config = Config {
        cases: n_cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[9; 32]))
}

/// How many files were damaged, in how many cases, and how many of those were refused.
#[derive(Default)]
#[expect(clippy::struct_field_names, reason = "each is a count")]
struct Tally {
    n_files: u32,
    n_cases: Cell<u32>,
    n_refused: Cell<u32>,
}

impl Tally {
    /// Damages a file in `limits.n_cases` ways, without those for which `apply` returns `None`, and
    /// restores it. Each time, `open` must return in time and within the memory limit, and errors
    /// must be one line that starts with `limits.named`.
    fn damage<S: Strategy, E: std::fmt::Display>(
        &mut self,
        file: &Path,
        damages: &S,
        apply: impl Fn(S::Value, &[u8]) -> Option<Vec<u8>>,
        limits: &Limits<'_>,
        open: impl Fn() -> Result<(), E>,
    ) {
        self.n_files += 1;
        let original = fs_err::read(file).unwrap();
        let outcome = runner(limits.n_cases).run(damages, |damage| {
            let Some(changed) = apply(damage, &original) else {
                return Ok(());
            };
            fs_err::write(file, changed).unwrap();
            let (result, took) = counted(&open);
            self.n_cases.set(self.n_cases.get() + 1);
            prop_assert!(took.time < Duration::from_secs(5), "{:?}", took.time);
            prop_assert!(took.memory <= limits.memory, "{} bytes", took.memory);
            if let Err(error) = result {
                self.n_refused.set(self.n_refused.get() + 1);
                let message = error.to_string();
                prop_assert!(message.starts_with(limits.named), "{message}");
                prop_assert!(!message.contains('\n'), "{message}");
            }
            Ok(())
        });
        fs_err::write(file, &original).unwrap();
        let failed = outcome.err().map(|error| error.to_string());
        assert_eq!(failed, None, "{}", file.display());
    }
}

/// Limits on opening a damaged file.
struct Limits<'a> {
    n_cases: u32,
    memory: u64,
    /// The start of every error: the folder, or a file in it.
    named: &'a str,
}

#[test]
fn damaged_model_folders_do_no_harm() {
    const N_CASES: u32 = 48;
    let _alone = alone();
    let byte = |value: u32| u8::try_from(value).unwrap();
    let picture = RgbImage::from_fn(31, 17, |x, y| image::Rgb([x, y, x ^ y].map(byte)));
    let mut tally = Tally::default();
    for name in FOLDERS {
        let copy = copy_of(name);
        let folder = copy.path();
        let limits = Limits {
            n_cases: N_CASES,
            memory: MAX_MEMORY,
            named: folder.to_str().unwrap(),
        };
        for file in files(folder, &["json", "toml"]) {
            if TOKENIZERS.iter().any(|name| file.ends_with(name)) {
                continue;
            }
            let apply = |damage: Damage, original: &[u8]| Some(damage.apply(&file, original));
            tally.damage(&file, &Damage::any(), apply, &limits, || {
                Model::open(folder).map(|model| {
                    let pixels = model.preprocessor().pixels(&picture);
                    assert_eq!(
                        pixels.as_slice().len(),
                        3 * pixels.width() as usize * pixels.height() as usize
                    );
                })
            });
        }
        // The file was restored, or all further cases would be the same.
        assert!(Model::open(folder).is_ok(), "{name}");
    }
    assert_eq!(tally.n_files, 25);
    let (n_refused, n_cases) = (tally.n_refused.get(), tally.n_cases.get());
    assert_eq!(n_cases, tally.n_files * N_CASES);
    assert!(
        n_refused > n_cases / 3 && n_refused < n_cases,
        "{n_refused} of {n_cases}"
    );
}

/// A graph's names, types and shapes are read by our own reader before ONNX Runtime sees the file.
#[test]
fn damaged_graphs_do_no_harm_when_a_folder_is_opened() {
    const N_CASES: u32 = 48;
    let _alone = alone();
    let mut tally = Tally::default();
    for name in FOLDERS {
        let copy = copy_of(name);
        let folder = copy.path();
        let limits = Limits {
            n_cases: N_CASES,
            memory: 16 << 20,
            named: folder.to_str().unwrap(),
        };
        for file in files(folder, &["onnx"]) {
            let apply = |change: Change, original: &[u8]| Some(change.apply(original));
            tally.damage(&file, &Change::any(), apply, &limits, || {
                Model::open(folder).map(drop)
            });
        }
    }
    assert_eq!(tally.n_files, 25);
    let (n_refused, n_cases) = (tally.n_refused.get(), tally.n_cases.get());
    assert_eq!(n_cases, tally.n_files * N_CASES);
    assert!(n_refused > n_cases / 10, "{n_refused}");
}

#[test]
fn damaged_tokenizers_do_no_harm() {
    const N_CASES: u32 = 24;
    let _alone = alone();
    let runtime = runtime();
    let texts = [
        "",
        "a dog in the snow",
        "一只狗 \u{1f436} كلب",
        &"word ".repeat(300),
    ];
    let mut tally = Tally::default();
    for name in FOLDERS {
        let copy = copy_of(name);
        let folder = copy.path();
        let limits = Limits {
            n_cases: N_CASES,
            memory: 64 << 20,
            named: folder.to_str().unwrap(),
        };
        for file in files(folder, &["json", "txt"]) {
            let mut names = TOKENIZERS.iter().chain(&["vocab.txt"]);
            if !names.any(|name| file.ends_with(name)) {
                continue;
            }
            if file.ends_with("vocab.txt") {
                fs_err::remove_file(folder.join("tokenizer.json")).unwrap();
            }
            let is_text = file.extension().is_some_and(|end| end == "txt");
            let apply = |damage: Damage, original: &[u8]| {
                let has_place = !(is_text && matches!(damage, Damage::Value(..)));
                has_place.then(|| damage.apply(&file, original))
            };
            tally.damage(&file, &Damage::any(), apply, &limits, || {
                let model = Model::open(folder)?;
                let options = SessionOptions::default();
                for n in 0..model.text_languages().len() {
                    let encoder = TextTower::load_nth(&runtime, &model, n, &options)?;
                    for text in texts {
                        encoder.token_ids(text)?;
                        encoder.n_tokens_dropped(sightline_onnx::TextRole::Caption, text)?;
                    }
                }
                Ok::<_, sightline_onnx::EncodeError>(())
            });
        }
    }
    assert_eq!(tally.n_files, 12);
    let (n_refused, n_cases) = (tally.n_refused.get(), tally.n_cases.get());
    assert!(n_cases > 11 * N_CASES, "{n_cases}");
    assert!(n_refused > n_cases / 10, "{n_refused}");
}
