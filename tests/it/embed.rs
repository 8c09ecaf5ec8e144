//! `sightline embed`: vectors for use in other programs.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::Value;

use crate::support::corpus;
use crate::support::{Ran, TestEnv, os, snapshot};

const DIMENSION: usize = 13;

/// Each input and its vector.
fn lines(ran: &Ran) -> Vec<(String, Vec<f32>)> {
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let vector = line["vector"].as_array().unwrap().iter();
        let vector: Vec<f32> = vector.map(|x| x.to_string().parse().unwrap()).collect();
        assert_eq!(vector.len(), DIMENSION);
        (line["input"].as_str().unwrap().to_owned(), vector)
    };
    ran.stdout().lines().map(line).collect()
}

fn length(vector: &[f32]) -> f32 {
    vector.iter().map(|x| x * x).sum::<f32>().sqrt()
}

fn with_pictures() -> TestEnv {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env
}

#[test]
fn text_vectors_are_as_calculated_by_hand() {
    let env = TestEnv::new();
    snapshot!(env, env.sightline(["embed", "--text", "red", "the green"]).run(), @r#"
    exit code: 0
    ----- stdout -----
    {"input":"red","vector":[0.2857143,0.2857143,0.2857143,0.2857143,-0.2857143,-0.2857143,-0.2857143,-0.2857143,-0.2857143,-0.2857143,-0.2857143,-0.2857143,0.14285715]}
    {"input":"the green","vector":[-0.2773501,-0.2773501,-0.2773501,-0.2773501,0.2773501,0.2773501,0.2773501,0.2773501,-0.2773501,-0.2773501,-0.2773501,-0.2773501,0.2773501]}

    ----- stderr -----
    "#);
    let with_json = env.sightline(["embed", "--json", "--text", "red"]).run();
    let without = env.sightline(["embed", "--text", "red"]).run();
    assert_eq!(with_json.stdout(), without.stdout());
}

#[test]
fn picture_vectors_are_in_input_order_and_of_length_one() {
    let env = with_pictures();
    // More than one batch.
    let files: Vec<String> = (0..5)
        .flat_map(|_| corpus::COLOURS.map(|(name, _)| format!("photos/{name}.png")))
        .collect();
    let ran = env.sightline(["embed"]).args(&files).run().expect(0);
    let found = lines(&ran);
    assert_eq!(found.len(), 40);
    for ((input, vector), file) in found.iter().zip(&files) {
        assert_eq!(input, file);
        assert!((length(vector) - 1.0).abs() < 1e-6, "{input}");
        assert_eq!(vector, &found.iter().find(|(i, _)| i == input).unwrap().1);
    }
    // A picture of one colour is most similar to its word.
    let ran = env.succeed(["embed", "--text", "red"]);
    let (_, red) = &lines(&ran)[0];
    let similarity = |vector: &[f32]| vector.iter().zip(red).map(|(a, b)| a * b).sum::<f32>();
    let best = found
        .iter()
        .max_by(|a, b| similarity(&a.1).total_cmp(&similarity(&b.1)));
    assert_eq!(best.unwrap().0, "photos/red.png");
}

#[test]
fn a_numpy_file_holds_the_same_values_bit_for_bit() {
    let env = with_pictures();
    let files = ["photos/red.png", "photos/blue.png", "photos/pink.png"];
    let json = env.sightline(["embed"]).args(files).run().expect(0);
    let npy = env
        .sightline(["embed", "--npy", "out.npy"])
        .args(files)
        .run()
        .expect(0);
    assert_eq!(
        npy.stdout(),
        "{\"input\":\"photos/red.png\",\"row\":0}\n\
         {\"input\":\"photos/blue.png\",\"row\":1}\n\
         {\"input\":\"photos/pink.png\",\"row\":2}\n"
    );
    let bytes = fs_err::read(env.path("out.npy")).unwrap();
    assert_eq!(bytes[..8], *b"\x93NUMPY\x01\x00");
    let n_header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!((10 + n_header) % 64, 0);
    let header = str::from_utf8(&bytes[10..10 + n_header]).unwrap();
    assert_eq!(
        header.trim_end(),
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 13), }"
    );
    assert!(header.ends_with('\n'));
    let values: Vec<f32> = bytes[10 + n_header..]
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
        .collect();
    let expected: Vec<f32> = lines(&json).into_iter().flat_map(|(_, v)| v).collect();
    assert_eq!(values.len(), 3 * DIMENSION);
    assert_eq!(values, expected);
}

#[test]
fn unreadable_files_are_reported_and_the_rest_embedded() {
    let env = with_pictures();
    env.write("photos/notes.png", "no picture");
    let files = [
        "photos/red.png",
        "photos/notes.png",
        "photos/absent.png",
        "photos/blue.png",
    ];
    let ran = env.sightline(["embed"]).args(files).run().expect(2);
    let inputs: Vec<String> = lines(&ran).into_iter().map(|(input, _)| input).collect();
    assert_eq!(inputs, ["photos/red.png", "photos/blue.png"]);
    let errors: Vec<&str> = ran.stderr().lines().collect();
    assert_eq!(errors.len(), 2, "{ran}");
    assert!(errors[0].starts_with("error: photos/notes.png: "), "{ran}");
    assert!(errors[1].contains("photos/absent.png"), "{ran}");
    // Rows of a numpy file have no gaps.
    let npy = ["embed", "--npy", "out.npy"];
    let ran = env.sightline(npy).args(files).run().expect(2);
    assert!(
        ran.stdout()
            .ends_with("{\"input\":\"photos/blue.png\",\"row\":1}\n")
    );
    let bytes = fs_err::read(env.path("out.npy")).unwrap();
    assert_eq!(bytes.len(), 128 + 2 * DIMENSION * 4);
    // No readable file at all.
    let ran = env.fail(["embed", "photos/notes.png"]);
    assert_eq!(ran.stdout(), "");
}

#[test]
fn stdin_is_read_as_one_text_per_line() {
    let env = TestEnv::new();
    let words = env.write("words.txt", "red\n\nblue sky\r\ngreen");
    let ran = env.sightline(["embed", "--text", "-"]).stdin(&words).run();
    // The colour model has no embedding for a text without words.
    let ran = ran.expect(2);
    let inputs: Vec<String> = lines(&ran).into_iter().map(|(input, _)| input).collect();
    assert_eq!(inputs, ["red", "blue sky", "green"]);
    assert!(ran.stderr().starts_with("error: text 2: "), "{ran}");
    let bytes = env.write("bytes.txt", b"caf\xe9\n");
    let ran = env.sightline(["embed", "--text", "-"]).stdin(&bytes).run();
    let ran = ran.expect(2);
    assert!(ran.stderr().contains("stdin"), "{ran}");
}

#[test]
fn each_tower_works_without_the_other() {
    let env = with_pictures();
    let model = env.colour_model("half", "0.5");
    let model = model.to_str().unwrap();
    let text = ["embed", "--model", model, "--text", "red"];
    let picture = ["embed", "--model", model, "photos/red.png"];
    let both = |codes: [i32; 2]| {
        env.sightline(text).run().expect(codes[0]);
        env.sightline(picture).run().expect(codes[1]);
    };
    both([0, 0]);
    let sound = fs_err::read(env.path("half/image.onnx")).unwrap();
    env.write("half/image.onnx", "not a graph");
    both([0, 2]);
    env.write("half/image.onnx", sound);
    env.write("half/text.onnx", "not a graph");
    both([2, 0]);
    env.write("half/tokenizer.json", "not a tokenizer");
    both([2, 0]);
}

#[test]
fn a_text_too_long_for_the_model_is_cut_with_a_note() {
    let env = TestEnv::new();
    let long = format!("red {}", vec!["of"; 99].join(" "));
    let ran = env.sightline(["embed", "--text", "red", &long]).run();
    let ran = ran.expect(0);
    assert_eq!(lines(&ran).len(), 2);
    assert_eq!(
        ran.stderr(),
        "text 2 is too long for the model: its last 84 tokens were ignored\n"
    );
    let quiet = env.sightline(["embed", "-q", "--text", &long]).run();
    assert_eq!(quiet.expect(0).stderr(), "");
}

#[test]
fn names_that_are_not_utf8_are_also_printed_as_base64() {
    let env = TestEnv::new();
    let name = OsStr::from_bytes(b"caf\xe9.png");
    let path = env.path(name);
    corpus::plain(&path, "red");
    let ran = env.succeed(os(&[&"embed", &name]));
    let line: Value = serde_json::from_str(ran.stdout()).unwrap();
    assert_eq!(line["input_base64"], "Y2Fm6S5wbmc=");
    assert_eq!(line["input"], "caf\u{fffd}.png");
}

#[test]
fn invalid_arguments_fail_and_write_nothing() {
    let env = with_pictures();
    let invalid: [&[&str]; 4] = [
        &["embed"],
        &["embed", "photos/red.png", "--text", "red"],
        &["embed", "photos/red.png", "--json", "--npy", "out.npy"],
        &["embed", "photos/red.png", "--npy"],
    ];
    for arguments in invalid {
        env.sightline(arguments).run().expect_usage_error();
    }
    let ran = env.fail(["embed", "photos/red.png", "--npy", "absent/out.npy"]);
    assert!(ran.stderr().contains("absent/out.npy"), "{ran}");
    // As when the name of the output is forgotten.
    let picture = fs_err::read(env.path("photos/red.png")).unwrap();
    let ran = env.fail(["embed", "--npy", "photos/red.png", "photos/blue.png"]);
    let refused = "photos/red.png: not a NumPy file; refusing to replace it";
    assert!(ran.stderr().contains(refused), "{ran}");
    assert_eq!(fs_err::read(env.path("photos/red.png")).unwrap(), picture);
    // An existing file is kept and no temporary file left.
    env.write("out.npy", "mine");
    let npy = [
        "embed", "--npy", "out.npy", "--model", "absent", "--text", "red",
    ];
    env.fail(npy);
    assert_eq!(fs_err::read(env.path("out.npy")).unwrap(), b"mine");
    let mut names = fs_err::read_dir(env.path("")).unwrap();
    assert!(!names.any(|entry| entry.unwrap().path().extension() == Some("tmp".as_ref())));
}
