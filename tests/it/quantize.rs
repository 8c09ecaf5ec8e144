//! `sightline models quantize`: an int8 copy beside the model, compared with it.

use std::path::Path;

use crate::support::{CLIP_FILES, CLIP_MODEL, TestEnv, snapshot};

fn copy_model(env: &TestEnv) {
    for file in CLIP_FILES {
        let content = fs_err::read(Path::new(CLIP_MODEL).join(file)).unwrap();
        env.write(format!("clip/{file}"), content);
    }
}

#[test]
fn an_int8_copy_is_written_and_compared() {
    let env = TestEnv::new();
    copy_model(&env);
    let ran = env.succeed(["models", "quantize", "clip", "--json"]);
    assert!(
        ran.stderr()
            .contains("wrote clip/onnx/vision_model_int8.onnx: "),
        "{ran}"
    );
    assert!(
        ran.stderr()
            .contains("wrote clip/onnx/text_model_int8.onnx: "),
        "{ran}"
    );
    let report = ran.json();
    let precisions = report["precisions"].as_array().unwrap();
    assert_eq!(precisions.len(), 2, "{report:#}");
    let int8 = &precisions[1];
    assert_eq!(int8["precision"], "int8");
    let agreement = &int8["figures"]["to_fp32"];
    assert!(
        agreement["worst_cosine"].as_f64().unwrap() >= 0.99,
        "{report:#}"
    );
    assert!(
        agreement["picture_speed"].as_f64().unwrap() > 0.0,
        "{report:#}"
    );

    // It can be used like any other precision.
    let vectors = |precision: &str| {
        let ran = env.sightline(["embed", "--model", "clip", "--text", "a dog", "--precision"]);
        let ran = ran.args([precision, "--json"]).run().expect(0);
        ran.stdout().to_owned()
    };
    assert_ne!(vectors("int8"), vectors("fp32"));
    // A copy written by Sightline is replaced.
    env.succeed(["models", "quantize", "clip"]);
}

#[test]
fn foreign_files_and_the_built_in_model_are_not_overwritten() {
    let env = TestEnv::new();
    copy_model(&env);
    let theirs = env.write("clip/onnx/vision_model_int8.onnx", "theirs");
    snapshot!(env, env.sightline(["models", "quantize", "clip"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: clip/onnx/vision_model_int8.onnx: this file exists and was not written by sightline

    hint: use `--force` to replace it
    ");
    assert_eq!(fs_err::read(&theirs).unwrap(), b"theirs");
    env.succeed(["models", "quantize", "clip", "--force"]);
    snapshot!(env, env.sightline(["models", "quantize", "starter"]).run(), @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: starter: the built-in model cannot be quantized

    hint: add a model with `sightline models pull` or `sightline models add`, and quantize that one
    ");
}
