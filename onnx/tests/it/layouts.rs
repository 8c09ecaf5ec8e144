use image::RgbImage;
use sightline_onnx::{Model, ModelError, Precision};

use crate::golden::decoded;
use crate::support::{
    GoldenText, Tensors, chain, copy_of, cosine, data, edit, golden_texts, image_tower,
    least_of_full_range, text_tower,
};

/// Folder below `layouts`, layout, dimension, context length, height and width.
const MODELS: [(&str, &str, usize, usize, u32); 7] = [
    ("siglip", "transformers.js", 32, 16, 24),
    ("siglip2", "transformers.js", 32, 12, 32),
    ("chinese_clip", "transformers.js", 24, 20, 32),
    ("immich", "Immich", 20, 77, 29),
    ("open_clip", "open_clip", 20, 14, 30),
    ("jina_clip", "transformers.js", 20, 24, 28),
    ("mobileclip", "transformers.js", 20, 77, 32),
];

fn folder(name: &str) -> std::path::PathBuf {
    data().join("layouts").join(name)
}

fn tensors() -> Tensors {
    Tensors::read(&data().join("layouts.safetensors"))
}

/// Where `tokenizers`, which runs a model's `tokenizer.json`, differs from the reference:
/// `SigLIP`'s tokenizer in Python puts a space into an empty text; `MobileCLIP`'s reference,
/// `open_clip`, takes ligatures apart, of which the folder says nothing; and the part of CLIP's
/// vocabulary in Immich's folder has no `fish`.
const KNOWN_TO_DIFFER: [(&str, &str); 4] = [
    ("siglip", ""),
    ("siglip", " "),
    ("immich", "Ünïcödé naïve café ﬁsh"),
    ("mobileclip", "Ünïcödé naïve café ﬁsh"),
];

fn is_known_to_differ(name: &str, text: &str) -> bool {
    KNOWN_TO_DIFFER.contains(&(name, text))
}

/// The golden pictures of one model: name and resized picture of each.
fn pictures<'a>(tensors: &'a Tensors, model: &Model, name: &str) -> Vec<(&'a str, RgbImage)> {
    let prefix = format!("{name}/resized/");
    let names = tensors.names().filter(|key| key.starts_with(&prefix));
    names
        .map(|key| {
            let picture = key.split_at(prefix.len()).1;
            let resized = model.preprocessor().resized(&decoded(picture));
            (picture, resized)
        })
        .collect()
}

fn texts(name: &str) -> Vec<GoldenText> {
    let listing = fs_err::read(data().join("layouts.json")).unwrap();
    let listing: serde_json::Value = serde_json::from_slice(&listing).unwrap();
    golden_texts(&listing[name])
}

#[test]
fn every_layout_is_read_from_its_own_files() {
    for (name, layout, dimension, context_length, side) in MODELS {
        let model = Model::open(&folder(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let found = (
            model.name(),
            model.layout(),
            model.dimension(),
            model.tokenize().context_length,
        );
        assert_eq!(found, (name, layout, dimension, context_length));
        assert_eq!(
            [model.preprocess().height, model.preprocess().width],
            [side, side],
            "{name}"
        );
        assert_eq!(model.precision(), Precision::Fp32);
        let n_bytes: u64 = model
            .files()
            .iter()
            .map(|file| fs_err::metadata(file).unwrap().len())
            .sum();
        assert_eq!(model.n_bytes().unwrap(), n_bytes, "{name}");
    }
}

#[test]
fn resized_and_cropped_pictures_equal_the_reference() {
    let tensors = tensors();
    let (mut n_pictures, mut n_values, mut n_all_off) = (0, 0, 0);
    let mut failures = Vec::new();
    for (name, ..) in MODELS {
        let model = Model::open(&folder(name)).unwrap();
        for (picture, resized) in pictures(&tensors, &model, name) {
            let key = format!("{name}/resized/{picture}");
            let size = [resized.height(), resized.width(), 3];
            assert_eq!(tensors.shape(&key), size, "{key}");
            let expected = tensors.u8s(&key);
            let pairs = resized.as_raw().iter().zip(expected);
            let n_off = pairs.filter(|(a, b)| a.abs_diff(**b) > 1).count();
            // JPEG decoders differ slightly, and Pillow 13 resizes tall pictures rows first, which
            // shows in small pictures.
            if n_off * 50 > expected.len() {
                failures.push(format!("{key}: {n_off} of {}", expected.len()));
            }
            n_pictures += 1;
            n_values += expected.len();
            n_all_off += n_off;
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(n_pictures, 7 * 11 - 1);
    assert!(
        n_all_off * 1000 <= n_values,
        "{n_all_off} of {n_values} values are off"
    );
}

#[test]
fn normalized_values_equal_the_reference() {
    let tensors = tensors();
    for (name, ..) in MODELS {
        let model = Model::open(&folder(name)).unwrap();
        let pixels = model.preprocessor().pixels(&decoded("landscape_420.jpg"));
        let expected = tensors.f32s(&format!("{name}/pixels/landscape_420.jpg"));
        let deviation = model.preprocess().std.into_iter().reduce(f32::min).unwrap();
        let step = 1.0 / 255.0 / deviation + 1e-5;
        assert_eq!(pixels.as_slice().len(), expected.len());
        let pairs = || pixels.as_slice().iter().zip(&expected);
        let n_off = pairs().filter(|(a, b)| (**a - **b).abs() > step).count();
        assert!(n_off * 200 <= expected.len(), "{name}: {n_off}");
        // Most come from the same pixel value and differ only by rounding in f32.
        let n_same = pairs().filter(|(a, b)| (**a - **b).abs() < 1e-5).count();
        assert!(n_same * 2 > expected.len(), "{name}: only {n_same}");
    }
}

/// The least cosine of a model's pictures to the reference, and their number.
fn least_of_pictures(
    name: &str,
    model: &Model,
    tensors: &Tensors,
    least_of_jpegs: f64,
) -> (f64, usize) {
    let mut encoder = image_tower(model);
    let prefix = format!("{name}/image/");
    let names: Vec<&str> = tensors
        .names()
        .filter(|key| key.starts_with(&prefix))
        .collect();
    let pixels: Vec<_> = names
        .iter()
        .map(|key| model.preprocessor().pixels(&decoded(&key[prefix.len()..])))
        .collect();
    let embeddings = encoder.encode(&pixels).unwrap();
    assert_eq!(embeddings.len(), names.len());
    let cosines = names.iter().zip(&embeddings).map(|(key, found)| {
        let similarity = cosine(found.as_slice(), &tensors.f32s(key));
        // A JPEG's loss to another decoder's rounding (a step of 255 in a value out of three) is
        // not an error of the stages after it, so JPEGs have a bound of their own.
        if key.contains(".jpg") {
            assert!(similarity >= least_of_jpegs, "{key}: {similarity}");
            1.0
        } else {
            similarity
        }
    });
    (cosines.fold(1.0, f64::min), names.len())
}

/// The least cosine of a model's texts to the reference, and their number.
fn least_of_texts(name: &str, model: &Model, tensors: &Tensors) -> (f64, usize) {
    let mut encoder = text_tower(model);
    let texts = texts(name);
    let words: Vec<&str> = texts.iter().map(|(words, ..)| words.as_str()).collect();
    let embeddings = encoder.encode(&words).unwrap();
    assert_eq!(embeddings.len(), texts.len());
    let known = |i: usize| !is_known_to_differ(name, &texts[i].0);
    let alike = embeddings.iter().enumerate().filter(|(i, _)| known(*i));
    let cosines = alike.map(|(i, found)| {
        let expected = tensors.f32s(&format!("{name}/text/{i}"));
        cosine(found.as_slice(), &expected)
    });
    (cosines.fold(1.0, f64::min), texts.len())
}

#[test]
fn embeddings_equal_the_reference_in_every_layout() {
    let tensors = tensors();
    let (mut n_pictures, mut n_texts, mut failures) = (0, 0, Vec::new());
    for (name, ..) in MODELS {
        let model = Model::open(&folder(name)).unwrap();
        let (pictures, n) = least_of_pictures(name, &model, &tensors, 0.998);
        n_pictures += n;
        let (texts, n) = least_of_texts(name, &model, &tensors);
        n_texts += n;
        if pictures < 0.9999 || texts < 0.9999 {
            failures.push(format!("{name}: pictures {pictures}, texts {texts}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!((n_pictures, n_texts), (7 * 11 - 1, 7 * 16));
}

#[test]
fn token_ids_equal_the_reference_in_every_layout() {
    let (mut n_texts, mut n_different, mut failures) = (0, 0, Vec::new());
    for (name, ..) in MODELS {
        let model = Model::open(&folder(name)).unwrap();
        let encoder = text_tower(&model);
        for (words, ids, n_dropped) in texts(name) {
            let start: String = words.chars().take(40).collect();
            let found = encoder.token_ids(&words).unwrap();
            if is_known_to_differ(name, &words) {
                n_different += usize::from(found != ids);
            } else if found != ids {
                failures.push(format!("{name}: {start:?}: {found:?}, not {ids:?}"));
            }
            let found = encoder
                .n_tokens_dropped(sightline_onnx::TextRole::Caption, &words)
                .unwrap();
            if found != n_dropped && !is_known_to_differ(name, &words) {
                failures.push(format!(
                    "{name}: {start:?}: {found} cut off, not {n_dropped}"
                ));
            }
            n_texts += 1;
        }
    }
    assert!(
        failures.is_empty(),
        "{} wrong:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert_eq!((n_texts, n_different), (7 * 16, KNOWN_TO_DIFFER.len()));
}

#[test]
fn smaller_precisions_give_nearly_the_same_embeddings() {
    let tensors = tensors();
    let all = [Precision::Fp32, Precision::Fp16, Precision::Int8];
    assert_eq!(Model::variants(&folder("siglip")).unwrap(), all);
    let mut fingerprints = Vec::new();
    // The int8 graphs are written by onnxruntime, with weights of the full range.
    let int8 = least_of_full_range();
    for (precision, least) in all.into_iter().zip([0.9999, 0.999, int8]) {
        let model = Model::open_with(&folder("siglip"), Some(precision)).unwrap();
        assert_eq!(model.precision(), precision);
        let (pictures, _) = least_of_pictures("siglip", &model, &tensors, least.min(0.99));
        let (texts, _) = least_of_texts("siglip", &model, &tensors);
        assert!(
            pictures >= least && texts >= least,
            "{precision}: pictures {pictures}, texts {texts}"
        );
        fingerprints.push(model.fingerprint().to_owned());
    }
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 3);
    let error = Model::open_with(&folder("immich"), Some(Precision::Int8)).unwrap_err();
    assert!(matches!(error, ModelError::NoPrecision { .. }), "{error}");
    assert!(error.to_string().contains("int8"), "{error}");
    assert!(error.to_string().ends_with("(available: fp32)"), "{error}");
}

#[test]
fn towers_without_a_common_precision_run_their_most_exact_one() {
    let copy = copy_of("layouts/siglip");
    let graphs = copy.path().join("onnx");
    for missing in [
        "vision_model.onnx",
        "vision_model_int8.onnx",
        "text_model.onnx",
        "text_model_fp16.onnx",
    ] {
        fs_err::remove_file(graphs.join(missing)).unwrap();
    }
    let model = Model::open(copy.path()).unwrap();
    let names = ["vision_model_fp16.onnx", "text_model_int8.onnx"];
    assert_eq!(model.graphs(), names.map(|name| graphs.join(name)));
    assert_eq!(model.precision(), Precision::Int8);
    assert!(Model::variants(copy.path()).unwrap().is_empty());
}

#[test]
fn a_plain_vocabulary_gives_the_same_tokens() {
    let copy = copy_of("layouts/chinese_clip");
    fs_err::remove_file(copy.path().join("tokenizer.json")).unwrap();
    let model = Model::open(copy.path()).unwrap();
    let encoder = text_tower(&model);
    let texts = texts("chinese_clip");
    for (words, ids, _) in &texts {
        assert_eq!(encoder.token_ids(words).unwrap(), *ids);
    }
    assert_eq!(texts.len(), 16);
}

#[test]
fn a_plain_vocabulary_lowercases_as_its_config_says() {
    const UNKNOWN: u32 = 1;
    let copy = copy_of("layouts/chinese_clip");
    fs_err::remove_file(copy.path().join("tokenizer.json")).unwrap();
    let config = copy.path().join("tokenizer_config.json");
    let open = || {
        let model = Model::open(copy.path()).unwrap();
        let tower = text_tower(&model);
        let ids = ["a Dog", "a dog"].map(|text| tower.token_ids(text).unwrap());
        (model.fingerprint().to_owned(), ids)
    };
    let (lowercased, [upper, lower]) = open();
    assert_eq!(upper, lower);
    // transformers' default for BERT.
    edit(&config, "\"do_lower_case\": true,", "");
    assert_eq!(open().0, lowercased);
    edit(&config, "{", "{\"do_lower_case\": false,");
    let (cased, [upper, same]) = open();
    assert_eq!(same, lower);
    assert!(upper.contains(&UNKNOWN) && !lower.contains(&UNKNOWN));
    assert_ne!(cased, lowercased);
}

#[test]
fn only_one_tower_of_a_joint_graph_is_loaded() {
    let names = |outlets: &[(String, String)]| -> Vec<String> {
        outlets.iter().map(|(name, _)| name.clone()).collect()
    };
    let cases = [
        ("chinese_clip", "image_embeds", "text_embeds"),
        (
            "jina_clip",
            "l2norm_image_embeddings",
            "l2norm_text_embeddings",
        ),
    ];
    for (name, of_image, of_text) in cases {
        let model = Model::open(&folder(name)).unwrap();
        assert_eq!(model.graphs().len(), 1, "{name}");
        let image = image_tower(&model);
        let signature = image.signature();
        assert_eq!(names(&signature.inputs), ["pixel_values"], "{name}");
        assert_eq!(names(&signature.outputs), [of_image], "{name}");
        let text = text_tower(&model);
        let signature = text.signature();
        let inputs = ["input_ids", "attention_mask"];
        assert_eq!(names(&signature.inputs), inputs, "{name}");
        assert_eq!(names(&signature.outputs), [of_text], "{name}");
    }
    assert_eq!(cases.len(), 2);
}

/// Each case: what is edited, and the keys that the error must name.
#[test]
fn what_no_file_says_is_reported_by_its_keys() {
    let jina = ("jina_clip", "preprocessor_config.json");
    let cases = [
        (jina, "\"size\": 28,", "", None),
        (
            jina,
            "JinaCLIPImageProcessor",
            "FooImageProcessor",
            // All at once; the graph gives the size.
            Some(
                "image.resize, image.interpolation, image.mean, image.std, image.edge, \
                 image.rescale",
            ),
        ),
        (
            ("jina_clip", "tokenizer_config.json"),
            "\"model_max_length\": 24,",
            "",
            Some("text.context_length"),
        ),
        (
            ("siglip2", "config.json"),
            "\"model_type\": \"siglip\"",
            "\"model_type\": \"other\"",
            Some("image.output, text.output"),
        ),
    ];
    for ((name, file), from, to, key) in cases {
        let copy = copy_of(&format!("layouts/{name}"));
        edit(&copy.path().join(file), from, to);
        if name == "siglip2" {
            // Only SigLIP's models follow it.
            let config = copy.path().join("tokenizer_config.json");
            edit(&config, "\"do_lower_case\": true,", "");
        }
        match (Model::open(copy.path()), key) {
            // The graph gives the size.
            (Ok(model), None) => assert_eq!(
                [model.preprocess().height, model.preprocess().width],
                [28, 28]
            ),
            (Err(error), Some(expected)) => {
                let line = error.to_string();
                let ModelError::Unknown { keys, .. } = &error else {
                    panic!("{line}");
                };
                assert_eq!(keys.join(", "), expected);
                let reported = format!("cannot determine {expected} from");
                assert!(line.contains(&reported), "{line}");
            }
            (found, _) => panic!("{name}: {from} -> {to}: {found:?}"),
        }
    }
    assert_eq!(cases.len(), 4);
}

#[test]
fn a_manifest_beside_another_layout_says_only_what_it_changes() {
    let copy = copy_of("layouts/immich");
    let before = Model::open(copy.path()).unwrap();
    let manifest = copy.path().join("sightline.toml");
    fs_err::write(&manifest, "name = \"mine\"\n[image]\nchannels = \"bgr\"\n").unwrap();
    let after = Model::open(copy.path()).unwrap();
    assert_eq!((after.name(), after.layout()), ("mine", "Immich"));
    assert_ne!(before.fingerprint(), after.fingerprint());
    let picture = decoded("tiny.png");
    let (rgb, bgr) = (
        before.preprocessor().pixels(&picture),
        after.preprocessor().pixels(&picture),
    );
    let n = rgb.as_slice().len() / 3;
    assert_eq!(rgb.as_slice()[..n], bgr.as_slice()[2 * n..]);
    assert_eq!(rgb.as_slice()[n..2 * n], bgr.as_slice()[n..2 * n]);
    // A typo is an error.
    fs_err::write(&manifest, "[image]\nchanels = \"bgr\"\n").unwrap();
    let lines = chain(&Model::open(copy.path()).unwrap_err());
    assert!(
        lines.join(": ").contains("unknown field `chanels`"),
        "{lines:?}"
    );
}
