use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use image::RgbImage;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use sightline_onnx::{Model, SessionOptions, TextEncoder};

use crate::counted::counted;
use crate::spoilt::Change;
use crate::support::{copy_of, runtime};

/// One folder of each layout.
const FOLDERS: [&str; 9] = [
    "clip",
    "plain",
    "layouts/siglip",
    "layouts/siglip2",
    "layouts/chinese_clip",
    "layouts/immich",
    "layouts/open_clip",
    "layouts/jina_clip",
    "layouts/mobileclip",
];

/// What a model's own files may ask for at most before its graphs are loaded: the largest picture
/// that a manifest may name takes 768 MiB as it goes into the graph, and 192 MiB before.
const MOST: u64 = 1 << 30;

/// One case: what becomes of a file.
#[derive(Debug, Clone)]
enum Spoil {
    Bytes(Change),
    /// A value of the file's tree becomes another one, or leaves.
    Value(Index, Option<Value>),
}

impl Spoil {
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
                    exchange(&mut tree, *place, value.as_ref());
                    // TOML has no null and no number beyond 64 bits: then nothing is left.
                    toml::to_string(&tree).unwrap_or_default().into_bytes()
                } else {
                    let mut tree: Value = serde_json::from_str(text).unwrap();
                    exchange(&mut tree, *place, value.as_ref());
                    serde_json::to_vec(&tree).unwrap()
                }
            }
        }
    }
}

/// Every place below the top, by its JSON pointer.
fn places(tree: &Value, above: &str, found: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match tree {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value))
            .collect(),
        // Of long lists, as of a vocabulary, the first values stand for all.
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

fn exchange(tree: &mut Value, place: Index, value: Option<&Value>) {
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

/// All files of a folder whose names end so.
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

/// An error of one line that names the folder or a file in it.
fn is_fit_to_show(message: &str, folder: &Path) -> bool {
    message.starts_with(&*folder.to_string_lossy())
}

#[test]
fn spoilt_model_folders_do_no_harm() {
    const N_CASES: u32 = 48;
    let byte = |value: u32| u8::try_from(value).unwrap();
    let picture = RgbImage::from_fn(31, 17, |x, y| image::Rgb([x, y, x ^ y].map(byte)));
    let n_refused = Cell::new(0);
    let (mut n_files, n_cases) = (0, Cell::new(0));
    for name in FOLDERS {
        let copy = copy_of(name);
        let folder = copy.path();
        for file in files(folder, &["json", "toml"]) {
            if file.ends_with("tokenizer.json") || file.ends_with("words.json") {
                continue;
            }
            n_files += 1;
            let sound = fs_err::read(&file).unwrap();
            let outcome = runner(N_CASES).run(&Spoil::any(), |spoil| {
                fs_err::write(&file, spoil.apply(&file, &sound)).unwrap();
                let (result, took) = counted(|| {
                    Model::open(folder).map(|model| {
                        let pixels = model.preprocessor().pixels(&picture);
                        assert_eq!(
                            pixels.as_slice().len(),
                            3 * pixels.width() as usize * pixels.height() as usize
                        );
                    })
                });
                n_cases.set(n_cases.get() + 1);
                prop_assert!(took.time < Duration::from_secs(5), "{:?}", took.time);
                prop_assert!(took.memory <= MOST, "{} bytes", took.memory);
                if let Err(error) = result {
                    n_refused.set(n_refused.get() + 1);
                    let message = error.to_string();
                    prop_assert!(is_fit_to_show(&message, folder), "{message}");
                }
                Ok(())
            });
            fs_err::write(&file, &sound).unwrap();
            assert!(
                outcome.is_ok(),
                "{}: {}",
                file.display(),
                outcome.unwrap_err()
            );
        }
        // Nothing was left behind that would make all further cases the same.
        assert!(Model::open(folder).is_ok(), "{name}");
    }
    assert_eq!(n_files, 24);
    assert_eq!(n_cases.get(), n_files * N_CASES);
    let (n_refused, n_cases) = (n_refused.get(), n_cases.get());
    assert!(
        n_refused > n_cases / 3 && n_refused < n_cases,
        "{n_refused} of {n_cases}"
    );
}

/// Names, types and shapes are read from a graph by our own reader, which ONNX Runtime never sees.
#[test]
fn spoilt_graphs_do_no_harm_when_a_folder_is_looked_at() {
    const N_CASES: u32 = 48;
    let (mut n_files, n_cases, n_refused) = (0, Cell::new(0), Cell::new(0));
    for name in FOLDERS {
        let copy = copy_of(name);
        let folder = copy.path();
        for file in files(folder, &["onnx"]) {
            n_files += 1;
            let sound = fs_err::read(&file).unwrap();
            let outcome = runner(N_CASES).run(&Change::any(), |change| {
                fs_err::write(&file, change.apply(&sound)).unwrap();
                let (result, took) = counted(|| Model::open(folder).map(drop));
                n_cases.set(n_cases.get() + 1);
                prop_assert!(took.time < Duration::from_secs(5), "{:?}", took.time);
                prop_assert!(took.memory <= 16 << 20, "{} bytes", took.memory);
                if let Err(error) = result {
                    n_refused.set(n_refused.get() + 1);
                    let message = error.to_string();
                    prop_assert!(is_fit_to_show(&message, folder), "{message}");
                }
                Ok(())
            });
            fs_err::write(&file, &sound).unwrap();
            assert!(
                outcome.is_ok(),
                "{}: {}",
                file.display(),
                outcome.unwrap_err()
            );
        }
    }
    assert_eq!(n_files, 22);
    assert_eq!(n_cases.get(), n_files * N_CASES);
    assert!(n_refused.get() > n_cases.get() / 10, "{}", n_refused.get());
}

#[test]
fn spoilt_tokenizers_do_no_harm() {
    const N_CASES: u32 = 24;
    let runtime = runtime();
    let texts = [
        "",
        "a dog in the snow",
        "一只狗 \u{1f436} كلب",
        &"word ".repeat(300),
    ];
    let (mut n_files, n_cases, n_refused) = (0, Cell::new(0), Cell::new(0));
    for name in FOLDERS {
        let copy = copy_of(name);
        let folder = copy.path();
        for file in files(folder, &["json", "txt"]) {
            let is_tokenizer = ["tokenizer.json", "words.json", "vocab.txt"]
                .iter()
                .any(|name| file.ends_with(name));
            if !is_tokenizer {
                continue;
            }
            if file.ends_with("vocab.txt") {
                fs_err::remove_file(folder.join("tokenizer.json")).unwrap();
            }
            n_files += 1;
            let sound = fs_err::read(&file).unwrap();
            let is_text = file.extension().is_some_and(|end| end == "txt");
            let outcome = runner(N_CASES).run(&Spoil::any(), |spoil| {
                if is_text && matches!(spoil, Spoil::Value(..)) {
                    return Ok(());
                }
                fs_err::write(&file, spoil.apply(&file, &sound)).unwrap();
                let (result, took) = counted(|| {
                    let model = Model::open(folder).unwrap();
                    let options = SessionOptions::default();
                    let encoder = TextEncoder::load(&runtime, &model, &options)?;
                    for text in texts {
                        encoder.token_ids(text)?;
                        encoder.n_tokens_dropped(text)?;
                    }
                    Ok::<_, sightline_onnx::EncodeError>(())
                });
                n_cases.set(n_cases.get() + 1);
                prop_assert!(took.time < Duration::from_secs(5), "{:?}", took.time);
                prop_assert!(took.memory <= 64 << 20, "{} bytes", took.memory);
                if let Err(error) = result {
                    n_refused.set(n_refused.get() + 1);
                    prop_assert!(!error.to_string().contains('\n'), "{error}");
                }
                Ok(())
            });
            assert!(
                outcome.is_ok(),
                "{}: {}",
                file.display(),
                outcome.unwrap_err()
            );
            fs_err::write(&file, &sound).unwrap();
        }
    }
    assert_eq!(n_files, 10);
    assert!(n_cases.get() > 9 * N_CASES, "{}", n_cases.get());
    assert!(n_refused.get() > n_cases.get() / 10, "{}", n_refused.get());
}
