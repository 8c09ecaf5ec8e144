//! Int8 copies: their results against the fp32 graph and against ONNX Runtime's own quantiser, what
//! is kept of the file, what is refused, and invalid files.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use sightline_onnx::quantize::{QuantizeError, QuantizeOptions, Report, WeightRange, quantize};
use sightline_onnx::{Embedding, Model};

use crate::support::{copy_of, data, edit, image_tower, least_of_full_range};

fn graphs() -> PathBuf {
    data().join("quantize")
}

fn quantize_by_default(source: &Path, target: &Path) -> Result<Report, QuantizeError> {
    quantize(source, target, &QuantizeOptions::default())
}

fn full_range() -> QuantizeOptions {
    QuantizeOptions {
        range: WeightRange::Full,
        ..QuantizeOptions::default()
    }
}

/// The graph's embeddings of eight pictures.
fn embeddings(graph: &Path) -> Vec<Embedding> {
    let folder = copy_of("plain");
    for name in [
        graph.to_path_buf(),
        beside(graph, ".data"),
        beside(graph, "_data"),
    ] {
        if name.is_file() {
            fs_err::copy(&name, folder.path().join(name.file_name().unwrap())).unwrap();
        }
    }
    let name = graph.file_name().unwrap().to_str().unwrap();
    edit(&folder.path().join("sightline.toml"), "pictures.onnx", name);
    let model = Model::open(folder.path()).unwrap();
    let mut encoder = image_tower(&model);
    let byte = |value: u32| u8::try_from(value % 256).unwrap();
    let pictures: Vec<_> = (0..8_u32)
        .map(|i| {
            let picture = image::RgbImage::from_fn(80, 48, |x, y| {
                image::Rgb([x * (i + 1), y * (7 - i), (x * y) >> i].map(byte))
            });
            model.preprocessor().pixels(&picture)
        })
        .collect();
    encoder.encode(&pictures).unwrap()
}

fn beside(graph: &Path, suffix: &str) -> PathBuf {
    let mut name = graph.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The least cosine between the embeddings of each picture.
fn least_cosine(a: &[Embedding], b: &[Embedding]) -> f64 {
    assert_eq!((a.len(), b.len()), (8, 8));
    let cosines = a.iter().zip(b).map(|(a, b)| f64::from(a.similarity(b)));
    cosines.fold(1.0, f64::min)
}

/// Embeddings must differ, or every cosine would be near 1.
fn assert_apart(embeddings: &[Embedding]) {
    let apart = embeddings[1..]
        .iter()
        .any(|one| one.similarity(&embeddings[0]) < 0.9);
    assert!(apart, "all pictures have the same embedding");
}

#[test]
fn int8_copies_agree_with_fp32_and_with_onnx_runtimes_quantiser() {
    let expected: serde_json::Value =
        serde_json::from_slice(&fs_err::read(graphs().join("expected.json")).unwrap()).unwrap();
    let mut n_towers = 0;
    for (tower, counts) in expected.as_object().unwrap() {
        let folder = tempfile::tempdir().unwrap();
        let source = graphs().join(format!("{tower}.onnx"));
        let exact = embeddings(&source);
        assert_apart(&exact);
        let reference = embeddings(&graphs().join(format!("{tower}_by_onnxruntime.onnx")));

        let target = folder.path().join("full.onnx");
        let report = quantize(&source, &target, &full_range()).unwrap();
        assert_eq!(
            report.n_quantized as u64,
            counts["quantized"].as_u64().unwrap()
        );
        assert_eq!(report.n_kept as u64, counts["kept"].as_u64().unwrap());
        assert!(
            report.bytes_after < report.bytes_before * 4 / 5,
            "{report:?}"
        );
        assert_eq!(report.bytes_after, fs_err::metadata(&target).unwrap().len());
        let full = embeddings(&target);
        // The same weights and scales: only the order of float operations may differ.
        assert!(least_cosine(&full, &reference) > 0.999_99, "{tower}");
        let cosine = least_cosine(&full, &exact);
        assert!(cosine >= least_of_full_range(), "{tower}: {cosine}");

        let target = folder.path().join("default.onnx");
        quantize_by_default(&source, &target).unwrap();
        let default = embeddings(&target);
        let cosine = least_cosine(&default, &exact);
        assert!(cosine >= 0.99, "{tower}: {cosine}");
        assert!(
            default.iter().zip(&full).any(|(a, b)| a != b),
            "{tower}: the same range"
        );
        n_towers += 1;
    }
    assert_eq!(n_towers, 2);
}

#[test]
fn every_form_of_a_multiplication_keeps_its_result() {
    let folder = tempfile::tempdir().unwrap();
    let source = graphs().join("forms.onnx");
    let exact = embeddings(&source);
    assert_apart(&exact);
    let mut n_cases = 0;
    for (options, least) in [
        (full_range(), least_of_full_range()),
        (QuantizeOptions::default(), 0.99),
    ] {
        let target = folder.path().join("copy.onnx");
        let report = quantize(&source, &target, &options).unwrap();
        assert_eq!((report.n_quantized, report.n_kept), (12, 6));
        let cosine = least_cosine(&embeddings(&target), &exact);
        assert!(cosine >= least, "{cosine}");
        n_cases += 1;

        // A copy has nothing more to quantise.
        let error = quantize_by_default(&target, &folder.path().join("twice.onnx")).unwrap_err();
        let QuantizeError::NothingToDo {
            was_quantized: true,
            ..
        } = &error
        else {
            panic!("{error}");
        };
        assert!(
            error
                .to_string()
                .ends_with("this graph is already quantised")
        );
    }
    assert_eq!(n_cases, 2);
    let bytes = fs_err::read(folder.path().join("copy.onnx")).unwrap();
    // A table used for lookups and for products is kept in both forms, the others in int8 only.
    assert!(contains(&bytes, b"w_table_quantized"));
    assert!(contains(&bytes, b"\x42\x07w_table\x4a"), "w_table itself");
    assert!(
        !contains(&bytes, b"\x42\x06w_same\x4a"),
        "w_same is no longer used"
    );
    assert!(
        !contains(&bytes, b"\x22\x08Identity"),
        "nor is the path to it"
    );
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn weights_too_large_for_one_file_are_beside_the_copy() {
    let folder = tempfile::tempdir().unwrap();
    let source = graphs().join("tower_dynamo.onnx");
    let (one, two) = (
        folder.path().join("one.onnx"),
        folder.path().join("two.onnx"),
    );
    quantize_by_default(&source, &one).unwrap();
    assert!(!beside(&one, "_data").exists());
    let options = QuantizeOptions {
        largest_file: 30_000,
        ..QuantizeOptions::default()
    };
    let report = quantize(&source, &two, &options).unwrap();
    let sizes = [&two, &beside(&two, "_data")].map(|file| fs_err::metadata(file).unwrap().len());
    assert_eq!(report.bytes_after, sizes[0] + sizes[1]);
    assert!(sizes[0] < 30_000 && sizes[1] > 20_000, "{sizes:?}");
    assert_eq!(embeddings(&one), embeddings(&two));
    // A copy that needs no weight file removes the old one.
    quantize_by_default(&source, &two).unwrap();
    assert!(!beside(&two, "_data").exists());
}

#[test]
fn unknown_fields_are_copied() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source.onnx");
    let mut bytes = fs_err::read(graphs().join("tower.onnx")).unwrap();
    // Field 1000 of the model, a string: no version of the format has it yet.
    bytes.extend_from_slice(b"\xc2\x3e\x0bfrom-future");
    fs_err::write(&source, &bytes).unwrap();
    let target = folder.path().join("target.onnx");
    quantize_by_default(&source, &target).unwrap();
    let copy = fs_err::read(&target).unwrap();
    assert!(contains(&copy, b"\xc2\x3e\x0bfrom-future"));
    assert!(contains(&copy, b"pytorch"), "the exporter's name");
    let mark = b"sightline.quantized";
    assert!(contains(&copy, mark) && !contains(&bytes, mark));
}

#[test]
fn only_its_own_targets_are_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (
        graphs().join("tower.onnx"),
        folder.path().join("model.onnx"),
    );
    for foreign in [
        b"something of the user's".to_vec(),
        fs_err::read(&source).unwrap(),
    ] {
        fs_err::write(&target, &foreign).unwrap();
        let error = quantize_by_default(&source, &target).unwrap_err();
        assert!(matches!(error, QuantizeError::Exists { .. }), "{error}");
        assert!(fs_err::read(&target).unwrap() == foreign);
    }
    let replace = QuantizeOptions {
        replace: true,
        ..QuantizeOptions::default()
    };
    quantize(&source, &target, &replace).unwrap();
    // Its own copy is overwritten; a graph is never quantised in place.
    quantize_by_default(&source, &target).unwrap();
    let error = quantize(&target, &target, &replace).unwrap_err();
    assert!(
        matches!(error, QuantizeError::NothingToDo { .. }),
        "{error}"
    );
    let own = folder.path().join("own.onnx");
    fs_err::copy(&source, &own).unwrap();
    let error = quantize(&own, &own, &replace).unwrap_err();
    assert!(matches!(error, QuantizeError::OntoItself { .. }), "{error}");
    let left: Vec<_> = fs_err::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "temporary files are left: {left:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs_err::metadata(&target).unwrap().permissions().mode();
        assert_eq!(mode & 0o400, 0o400, "{mode:o}");
    }
}

/// Each case: a tower with one change, and a part of the expected message.
#[test]
fn graphs_that_cannot_be_quantised_say_why() {
    let tower = fs_err::read(graphs().join("tower.onnx")).unwrap();
    let opset_at = tower.len() - 2;
    assert_eq!(&tower[opset_at..], [0x10, 17], "the opset ends the file");
    let old = [&tower[..=opset_at], &[10]].concat();
    let mut infinite = tower.clone();
    let weight = find(&tower, b"\x4a\x80\x20");
    infinite[weight + 3..weight + 7].copy_from_slice(&f32::INFINITY.to_le_bytes());
    let dynamo = fs_err::read(graphs().join("tower_dynamo.onnx")).unwrap();
    let renamed = |from: &[u8], to: &[u8]| {
        assert_eq!(from.len(), to.len());
        let mut bytes = dynamo.clone();
        while let Some(at) = bytes.windows(from.len()).position(|part| part == from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
        bytes
    };
    let cases: [(Vec<u8>, &str); 8] = [
        (
            Vec::new(),
            "not an ONNX graph, or a damaged one (at byte 0)",
        ),
        (
            b"not a graph at all".to_vec(),
            "not an ONNX graph, or a damaged one",
        ),
        (
            tower[..tower.len() / 2].to_vec(),
            "not an ONNX graph, or a damaged one",
        ),
        (
            old,
            "opset 10 is too old: dynamic quantisation needs 11 or newer",
        ),
        (infinite, "has values that are not finite"),
        (
            renamed(b"tower_dynamo.onnx.data", b"../er_dynamo.onnx.data"),
            "not inside the graph's folder",
        ),
        (
            renamed(b"tower_dynamo.onnx.data", b"tower_dynamo.onnx.gone"),
            "cannot read this model file",
        ),
        (dynamo.clone(), "file too short"),
    ];
    let n_cases = cases.len();
    for (bytes, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("model.onnx");
        fs_err::write(&source, bytes).unwrap();
        fs_err::write(folder.path().join("tower_dynamo.onnx.data"), "short").unwrap();
        let target = folder.path().join("int8.onnx");
        let error = quantize_by_default(&source, &target).unwrap_err();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        assert!(
            error
                .to_string()
                .starts_with(&folder.path().display().to_string()),
            "{error}"
        );
        assert!(!target.exists());
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 2);
    }
    assert_eq!(n_cases, 8);
    let missing = quantize_by_default(
        Path::new("/nonexistent.onnx"),
        Path::new("/tmp/target.onnx"),
    );
    assert!(matches!(missing, Err(QuantizeError::Unreadable { .. })));
}

fn find(bytes: &[u8], part: &[u8]) -> usize {
    bytes
        .windows(part.len())
        .position(|window| window == part)
        .unwrap()
}

/// Randomly truncated and changed files give a copy or an error, never a panic. A copy exceeds its
/// source by names only, so nothing is allocated for a size that a field claims.
#[test]
fn damaged_graphs_are_refused_or_quantised() {
    let (mut n_cases, mut n_refused) = (0_u32, 0_u32);
    let folder = tempfile::tempdir().unwrap();
    let originals = ["tower.onnx", "forms.onnx", "tower_dynamo.onnx"].map(|name| {
        fs_err::copy(
            graphs().join("tower_dynamo.onnx.data"),
            folder.path().join("tower_dynamo.onnx.data"),
        )
        .unwrap();
        fs_err::read(graphs().join(name)).unwrap()
    });
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        ProptestConfig {
            cases: 600,
            failure_persistence: None,
            ..ProptestConfig::default()
        },
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12);
    let cases = (
        0..3_usize,
        prop::option::of(any::<prop::sample::Index>()),
        changes,
        any::<bool>(),
    );
    let counts = std::cell::RefCell::new((&mut n_cases, &mut n_refused));
    runner
        .run(&cases, |(which, cut, changes, in_front)| {
            let mut bytes = originals[which].clone();
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            // Structure is at the start and end of these files, values in the middle.
            let n = if in_front {
                bytes.len().min(4000)
            } else {
                bytes.len()
            };
            for (at, value) in changes.iter().filter(|_| n > 0) {
                let at = at.index(n);
                bytes[at] = *value;
            }
            let source = folder.path().join("source.onnx");
            fs_err::write(&source, &bytes).unwrap();
            let target = folder.path().join("target.onnx");
            let options = QuantizeOptions {
                replace: true,
                ..QuantizeOptions::default()
            };
            let mut counts = counts.borrow_mut();
            *counts.0 += 1;
            match quantize(&source, &target, &options) {
                Ok(report) => {
                    prop_assert!(report.bytes_after < report.bytes_before + 100_000);
                }
                Err(_) => *counts.1 += 1,
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(n_cases, 600);
    assert!(n_refused > 150 && n_refused < 600, "{n_refused} refused");
}
