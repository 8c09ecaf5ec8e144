//! When a fingerprint is not computed again.

use std::cell::RefCell;

use sightline_onnx::{Model, Precision};

use crate::support::{copy_of, edit};

#[test]
fn a_known_fingerprint_is_used_and_an_unknown_one_computed() {
    let folder = copy_of("clip");
    let computed = Model::open(folder.path()).unwrap();
    let stamp = computed.stamp().unwrap().to_owned();
    let asked = RefCell::new(Vec::new());
    let open = |answer: Option<&str>| {
        let known = |stamp: &str| {
            asked.borrow_mut().push(stamp.to_owned());
            answer.map(ToOwned::to_owned)
        };
        Model::open_known(folder.path(), Some(Precision::Fp32), &known).unwrap()
    };
    assert_eq!(open(None).fingerprint(), computed.fingerprint());
    assert_eq!(open(Some("f00d")).fingerprint(), "f00d");
    assert_eq!(asked.into_inner(), [stamp.clone(), stamp]);
    assert_eq!(Model::starter().unwrap().stamp(), None);
}

#[test]
fn a_stamp_changes_with_every_file_and_setting() {
    let folder = copy_of("clip");
    let stamp = || {
        let model = Model::open(folder.path()).unwrap();
        model.stamp().unwrap().to_owned()
    };
    let mut seen = vec![stamp()];
    assert_eq!(stamp(), seen[0], "nothing has changed");
    let files = [
        "onnx/vision_model.onnx",
        "onnx/text_model.onnx",
        "tokenizer.json",
    ];
    for file in files {
        // The same bytes, written again.
        let path = folder.path().join(file);
        let bytes = fs_err::read(&path).unwrap();
        fs_err::remove_file(&path).unwrap();
        fs_err::write(&path, bytes).unwrap();
        seen.push(stamp());
    }
    let config = folder.path().join("preprocessor_config.json");
    edit(&config, "0.48145466", "0.5");
    seen.push(stamp());
    let n = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((n, seen.len()), (5, 5));
}
