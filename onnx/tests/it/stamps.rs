//! When a fingerprint is not computed again.

use std::cell::RefCell;

use sightline_onnx::{Model, Precision};

use crate::support::{copy_of, data, edit};

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

/// An index is bound to its model's fingerprint, so a release must not change one without need.
#[test]
fn fingerprints_of_earlier_releases_stay_valid() {
    let folders = [
        ("clip", "63c1f1df2088830edd6b526f3b548cbb"),
        ("plain", "9e9c070dfaa0821372418a4a6965d64a"),
        ("layouts/siglip", "8063af6ad967bf3232eb025a44c37354"),
        ("layouts/siglip2", "ff4bb35185c273262223121caf8776f7"),
        ("layouts/chinese_clip", "88e89cb936f94e6170d78e682b98f334"),
        ("layouts/immich", "0e411b1463b32322e95822811c30c4f0"),
        ("layouts/open_clip", "06fc745d3f79e93549624259ec291469"),
        ("layouts/jina_clip", "7228035a5e3dc6a73a1f3fb0d4d45eeb"),
        ("layouts/mobileclip", "9fd043830bbaa2f92493ba64c503a3e4"),
    ];
    for (folder, expected) in folders {
        let model = Model::open(&data().join(folder)).unwrap();
        assert_eq!(model.fingerprint(), expected, "{folder}");
    }
    assert_eq!(folders.len(), 9);
}
