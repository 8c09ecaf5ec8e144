use std::path::Path;

use sightline_onnx::{EncodeError, ImageTower, Model, ModelError, SessionOptions};

use crate::support::{
    chain, copy_of, data, edit, image_tower, plain_with, runtime, text_error, text_tower,
};

fn open_error(folder: &Path) -> (ModelError, Vec<String>) {
    let error = Model::open(folder).unwrap_err();
    let lines = chain(&error);
    (error, lines)
}

fn image_error(folder: &Path) -> EncodeError {
    let model = Model::open(folder).unwrap();
    ImageTower::load(&runtime(), &model, &SessionOptions::default())
        .err()
        .unwrap()
}

#[test]
fn both_layouts_are_read() {
    let clip = Model::open(&data().join("clip")).unwrap();
    assert_eq!(
        (
            clip.name(),
            clip.dimension(),
            clip.tokenize().context_length
        ),
        ("clip", 24, 24)
    );
    assert_eq!(
        [clip.preprocess().height, clip.preprocess().width],
        [32, 32]
    );
    assert_eq!(clip.license(), None);
    let plain = Model::open(&data().join("plain")).unwrap();
    assert_eq!(
        (
            plain.name(),
            plain.dimension(),
            plain.tokenize().context_length
        ),
        ("plain", 20, 16)
    );
    assert_eq!(
        [plain.preprocess().height, plain.preprocess().width],
        [24, 40]
    );
    assert_eq!(plain.license(), Some("CC0-1.0"));
    assert_eq!(plain.folder(), Some(data().join("plain").as_path()));
    for model in [&clip, &plain] {
        assert_eq!(model.fingerprint().len(), 32);
        assert!(model.fingerprint().bytes().all(|b| b.is_ascii_hexdigit()));
    }
    assert_ne!(clip.fingerprint(), plain.fingerprint());
}

#[test]
fn folders_that_are_not_models_are_refused() {
    let (error, lines) = open_error(Path::new("/nonexistent/model"));
    assert!(matches!(error, ModelError::NoFolder { .. }));
    assert_eq!(lines, ["/nonexistent/model: no such model folder"]);
    let empty = tempfile::tempdir().unwrap();
    let (error, lines) = open_error(empty.path());
    assert!(matches!(error, ModelError::NotAModel { .. }));
    assert!(lines[0].contains("not a model folder"), "{lines:?}");
}

#[test]
fn each_missing_file_is_named() {
    let clip = [
        "config.json",
        "tokenizer.json",
        "onnx/vision_model.onnx",
        "onnx/text_model.onnx",
    ];
    let plain = ["pictures.onnx", "words.onnx", "words.json"];
    let cases = clip
        .map(|f| ("clip", f))
        .into_iter()
        .chain(plain.map(|f| ("plain", f)));
    let mut n_cases = 0;
    for (layout, file) in cases {
        let folder = copy_of(layout);
        fs_err::remove_file(folder.path().join(file)).unwrap();
        let (error, lines) = open_error(folder.path());
        assert!(
            matches!(&error, ModelError::MissingFile { file: missing } if missing.ends_with(file)),
            "{lines:?}"
        );
        n_cases += 1;
    }
    assert_eq!(n_cases, 7);
}

/// Each case: what is edited in the manifest, and a part of the expected message.
#[test]
fn errors_in_a_manifest_are_named() {
    let cases = [
        ("resize =", "resise =", "unknown field `resise`"),
        (
            "mean = [0.5, 0.4, 0.3]\n",
            "",
            "cannot determine image.mean",
        ),
        ("\"bilinear\"", "\"sharp\"", "unknown variant `sharp`"),
        ("dimension = 20", "dimension = \"20\"", "invalid type"),
        ("dimension = 20", "dimension = 0", "invalid dimension = 0: "),
        ("dimension = 20", "dimension = ", "invalid manifest"),
        (
            "std = [0.25, 0.5, 1.0]",
            "std = [0.25, 0.0, 1.0]",
            "expected numbers above zero",
        ),
        (
            "size = [24, 40]",
            "size = [0, 40]",
            "expected sides of 1 to 8192",
        ),
        (
            "size = [24, 40]",
            "size = [24, 999999]",
            "expected sides of 1 to 8192",
        ),
        ("\"squash\"", "\"shortest-edge\"", "needs image.edge"),
        (
            "\"squash\"",
            "\"longest-edge\"\nedge = 40",
            "only squashed pictures",
        ),
        (
            "\"words.json\"",
            "\"../words.json\"",
            "must be inside its folder",
        ),
        (
            "\"words.json\"",
            "\"/etc/passwd\"",
            "must be inside its folder",
        ),
    ];
    for (from, to, expected) in cases {
        let folder = plain_with(from, to);
        let (error, lines) = open_error(folder.path());
        let is_unknown = matches!(error, ModelError::Unknown { .. });
        assert!(
            is_unknown || lines[0].contains("sightline.toml"),
            "{lines:?}"
        );
        assert!(
            lines.join(": ").contains(expected),
            "{from} -> {to}: {lines:?}"
        );
    }
    assert_eq!(cases.len(), 13);
}

#[test]
fn errors_in_a_clip_folder_are_named() {
    let cases = [
        (
            "config.json",
            "\"projection_dim\": 24",
            "\"projection_dim\": 0",
            "expected 1 to 65536",
        ),
        ("config.json", "{", "", "invalid model file"),
        (
            "preprocessor_config.json",
            "\"resample\": 3",
            "\"resample\": 9",
            "invalid resample = 9",
        ),
        (
            "preprocessor_config.json",
            "\"do_center_crop\": true",
            "\"do_center_crop\": false",
            "pictures have no fixed size",
        ),
    ];
    for (file, from, to, expected) in cases {
        let folder = copy_of("clip");
        edit(&folder.path().join(file), from, to);
        let (_, lines) = open_error(folder.path());
        assert!(lines[0].contains(&format!("{file}: ")), "{lines:?}");
        assert!(
            lines.join(": ").contains(expected),
            "{from} -> {to}: {lines:?}"
        );
    }
    assert_eq!(cases.len(), 4);
}

#[test]
fn a_graph_that_differs_from_its_description_is_refused() {
    let folder = plain_with("input = \"pixels\"", "input = \"pixel_values\"");
    let error = image_error(folder.path());
    assert!(matches!(error, EncodeError::NoInput { .. }), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("no input `pixel_values` (inputs: pixels)"),
        "{error}"
    );

    let folder = plain_with("output = \"vector\"", "output = \"embedding\"");
    let error = image_error(folder.path());
    assert!(matches!(error, EncodeError::NoOutput { .. }), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("no output `embedding` (outputs: vector)"),
        "{error}"
    );
    assert!(matches!(
        text_error(folder.path()),
        EncodeError::NoOutput { .. }
    ));

    let folder = plain_with("dimension = 20", "dimension = 21");
    for error in [image_error(folder.path()), text_error(folder.path())] {
        assert!(
            matches!(
                error,
                EncodeError::Dimension {
                    found: 20,
                    expected: 21,
                    ..
                }
            ),
            "{error}"
        );
    }

    let folder = plain_with("size = [24, 40]", "size = [24, 41]");
    let error = image_error(folder.path());
    assert!(matches!(error, EncodeError::Signature { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("expected Tensor<f32>(batch, 3, 24, 41)"),
        "{error}"
    );

    let folder = plain_with("token_type_ids = \"types\"\n", "");
    let error = text_error(folder.path());
    assert!(
        matches!(&error, EncodeError::UnknownInput { name, .. } if name == "types"),
        "{error}"
    );

    let folder = plain_with("attention_mask = \"mask\"", "attention_mask = \"masque\"");
    assert!(matches!(
        text_error(folder.path()),
        EncodeError::NoInput { .. }
    ));

    // The towers' graphs swapped.
    let folder = plain_with("file = \"pictures.onnx\"", "file = \"words.onnx\"");
    assert!(matches!(
        image_error(folder.path()),
        EncodeError::NoInput { .. }
    ));
}

#[test]
fn a_graph_that_onnx_runtime_cannot_read_is_named() {
    let good = fs_err::read(data().join("plain/pictures.onnx")).unwrap();
    for content in [&b""[..], b"no graph at all", &good[..good.len() / 2]] {
        let folder = copy_of("plain");
        let file = folder.path().join("pictures.onnx");
        fs_err::write(&file, content).unwrap();
        let error = image_error(folder.path());
        assert!(matches!(error, EncodeError::Load { .. }), "{error}");
        assert!(
            error.to_string().starts_with(&file.display().to_string()),
            "{error}"
        );
        // The other tower is unaffected.
        let model = Model::open(folder.path()).unwrap();
        text_tower(&model);
    }
}

#[test]
fn a_picture_prepared_for_another_model_is_refused() {
    let clip = Model::open(&data().join("clip")).unwrap();
    let plain = Model::open(&data().join("plain")).unwrap();
    let mut encoder = image_tower(&plain);
    assert!(encoder.encode(&[]).unwrap().is_empty());
    let picture = image::RgbImage::new(50, 40);
    let batch = [
        plain.preprocessor().pixels(&picture),
        clip.preprocessor().pixels(&picture),
    ];
    let error = encoder.encode(&batch).unwrap_err();
    assert!(
        matches!(error, EncodeError::OtherSize { position: 1, .. }),
        "{error}"
    );
    assert_eq!(encoder.encode(&batch[..1]).unwrap().len(), 1);
}

#[test]
fn the_fingerprint_changes_with_every_byte_and_setting_that_counts() {
    let folder = copy_of("plain");
    let manifest = folder.path().join("sightline.toml");
    let original = Model::open(folder.path()).unwrap().fingerprint().to_owned();
    let text = fs_err::read_to_string(&manifest).unwrap();
    let counts = [
        ("\"squash\"", "\"shortest-edge\"\nedge = 24"),
        ("\"bilinear\"", "\"bicubic\""),
        ("[24, 40]", "[24, 41]"),
        ("[0.5, 0.4, 0.3]", "[0.5, 0.4, 0.31]"),
        ("[0.25, 0.5, 1.0]", "[0.25, 0.5, 1.01]"),
        ("crop = \"none\"", "rescale = 0.004"),
        ("context_length = 16", "context_length = 15"),
        ("pad = \"context\"", "pad = \"longest\""),
        (
            "pad = \"context\"",
            "pad = \"context\"\npad_token = \"[PAD]\"",
        ),
        ("dimension = 20", "dimension = 19"),
    ];
    let mut seen = vec![original.clone()];
    for (from, to) in counts {
        assert!(text.contains(from), "{from}");
        fs_err::write(
            &manifest,
            text.replace("crop = \"none\"", "crop = \"center\"")
                .replace(from, to),
        )
        .unwrap();
        if from.starts_with("crop") {
            fs_err::write(&manifest, text.replace(from, to)).unwrap();
        }
        seen.push(Model::open(folder.path()).unwrap().fingerprint().to_owned());
    }
    fs_err::write(&manifest, &text).unwrap();
    for file in ["pictures.onnx", "words.onnx", "words.json"] {
        let path = folder.path().join(file);
        let content = fs_err::read(&path).unwrap();
        let mut changed = content.clone();
        *changed.last_mut().unwrap() ^= 1;
        fs_err::write(&path, changed).unwrap();
        seen.push(Model::open(folder.path()).unwrap().fingerprint().to_owned());
        fs_err::write(&path, content).unwrap();
    }
    let n = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((seen.len(), n), (14, 14), "two of them are the same");
    // A file that the graph does not refer to does not belong to the model.
    let stray = folder.path().join("words.onnx_data");
    fs_err::write(&stray, "weights of another graph").unwrap();
    assert_eq!(Model::open(folder.path()).unwrap().fingerprint(), original);
    fs_err::remove_file(stray).unwrap();
    // Name, licence and folder do not count.
    fs_err::write(
        &manifest,
        text.replace("\"plain\"", "\"other\"")
            .replace("CC0-1.0", "MIT"),
    )
    .unwrap();
    let renamed = Model::open(folder.path()).unwrap();
    assert_eq!(
        (renamed.name(), renamed.fingerprint()),
        ("other", original.as_str())
    );
}

#[test]
fn graphs_of_fixed_batch_size_give_the_same_embeddings() {
    let free = Model::open(&data().join("plain")).unwrap();
    let folder = copy_of("plain");
    let manifest = folder.path().join("sightline.toml");
    edit(&manifest, "\"pictures.onnx\"", "\"pictures_by_two.onnx\"");
    edit(&manifest, "\"words.onnx\"", "\"words_by_two.onnx\"");
    let fixed = Model::open(folder.path()).unwrap();

    let byte = |value: u32| u8::try_from(value % 256).unwrap();
    let picture =
        |seed| image::RgbImage::from_fn(60, 40, |x, y| image::Rgb([x, y, seed].map(byte)));
    let batch: Vec<_> = (0..5)
        .map(|i| free.preprocessor().pixels(&picture(i * 50)))
        .collect();
    let mut encoder = image_tower(&free);
    let expected = encoder.encode(&batch).unwrap();
    let mut encoder = image_tower(&fixed);
    let found = encoder.encode(&batch).unwrap();
    assert_eq!((found.len(), expected.len()), (5, 5));
    for (found, expected) in found.iter().zip(&expected) {
        assert!(found.similarity(expected) > 0.999_99);
    }

    let texts = ["a dog", "two dogs play in the snow", ""];
    let mut encoder = text_tower(&free);
    let expected = encoder.encode(&texts).unwrap();
    let mut encoder = text_tower(&fixed);
    let found = encoder.encode(&texts).unwrap();
    assert_eq!((found.len(), expected.len()), (3, 3));
    for (found, expected) in found.iter().zip(&expected) {
        assert!(found.similarity(expected) > 0.999_99);
    }

    // A graph of fixed length takes no texts of other lengths.
    for (from, to) in [
        ("\"context\"", "\"longest\""),
        ("length = 16", "length = 12"),
    ] {
        let folder = copy_of("plain");
        let manifest = folder.path().join("sightline.toml");
        edit(&manifest, "\"words.onnx\"", "\"words_by_two.onnx\"");
        edit(&manifest, from, to);
        let error = text_error(folder.path());
        assert!(matches!(error, EncodeError::Signature { .. }), "{error}");
    }
}
