//! Where ONNX Runtime is searched for, and the error when it is missing.

use std::path::PathBuf;

use crate::support::{Ran, TestEnv, copy_program, runtime_library, snapshot};

/// Asserts an error of one line and the hint with the command that installs ONNX Runtime.
#[track_caller]
fn assert_one_line_and_install_command(env: &TestEnv, ran: &Ran) {
    let (error, hint) = ran
        .stderr()
        .split_once("\n\n")
        .unwrap_or_else(|| panic!("{ran}"));
    assert!(
        error.starts_with("error: ") && !error.contains('\n'),
        "{ran}"
    );
    let folder = env.path("data/sightline/onnxruntime");
    let command = format!(
        "hint: install it with `python3 -m pip install --no-deps --target '{}' onnxruntime=={}`\n",
        folder.display(),
        sightline::platform::RUNTIME_RELEASE,
    );
    assert_eq!(hint, command);
    assert_eq!(ran.stdout(), "");
}

#[test]
fn the_pinned_library_reports_to_nobody() {
    let library = fs_err::read(runtime_library()).unwrap();
    let address = b"events.data.microsoft.com";
    let reports = library.windows(address.len()).any(|bytes| bytes == address);
    assert!(
        !reports,
        "choose a release of ONNX Runtime without telemetry"
    );
}

#[test]
fn a_missing_library_in_ort_dylib_path_is_an_error() {
    let env = TestEnv::indexed();
    let commands: [&[&str]; 4] = [
        &["search", "red"],
        &["search", "--image", "photos/red.png"],
        &["captions", "photos/red.png"],
        &["index", "photos", "--index", "another"],
    ];
    for command in commands {
        let ran = env
            .sightline(command)
            .env("ORT_DYLIB_PATH", "/nowhere/lib.so")
            .run()
            .expect(2);
        assert_one_line_and_install_command(&env, &ran);
    }
    let ran = env
        .sightline(["search", "red"])
        .env("ORT_DYLIB_PATH", "/nowhere/lib.so")
        .run();
    snapshot!(env, ran, @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: ONNX Runtime not found (tried /nowhere/lib.so)

    hint: install it with `python3 -m pip install --no-deps --target '[ROOT]/data/sightline/onnxruntime' onnxruntime==1.28.0`
    ");
}

#[test]
fn a_library_that_is_not_onnx_runtime_is_an_error() {
    let env = TestEnv::indexed();
    let text = env.write("libonnxruntime.so", "not a library");
    let ran = env
        .sightline(["search", "red"])
        .env("ORT_DYLIB_PATH", &text)
        .run()
        .expect(2);
    assert_one_line_and_install_command(&env, &ran);
    assert!(
        ran.stderr().contains("cannot load this file as a library"),
        "{ran}"
    );
    // A valid library of something else: the C library loaded by this test.
    let maps = fs_err::read_to_string("/proc/self/maps").unwrap_or_default();
    let libc = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .find(|path| {
            let name = path.rsplit('/').next().unwrap_or_default();
            name.starts_with("libc.so") || name.starts_with("libc-")
        });
    if cfg!(all(target_os = "linux", target_env = "gnu")) {
        let libc = libc.expect("the C library among the maps of this process");
        let ran = env
            .sightline(["search", "red"])
            .env("ORT_DYLIB_PATH", libc)
            .run()
            .expect(2);
        assert_one_line_and_install_command(&env, &ran);
        assert!(
            ran.stderr().contains("not an ONNX Runtime library"),
            "{ran}"
        );
    }
}

#[test]
fn the_error_lists_every_path_tried() {
    let env = TestEnv::indexed();
    let alone = copy_program(&env, "alone", false);
    let ran = env.program(&alone, ["search", "red"]).run().expect(2);
    assert_one_line_and_install_command(&env, &ran);
    snapshot!(env, ran, @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: ONNX Runtime not found (tried [ROOT]/alone/libonnxruntime.so, [ROOT]/alone/../lib/sightline/libonnxruntime.so, [ROOT]/alone/../lib/libonnxruntime.so, [ROOT]/data/sightline/libonnxruntime.so, libonnxruntime.so)

    hint: install it with `python3 -m pip install --no-deps --target '[ROOT]/data/sightline/onnxruntime' onnxruntime==1.28.0`
    ");
    // The starter model needs ONNX Runtime, too.
    let index = ["index", "photos", "--index", "another"];
    let ran = env.program(&alone, index).starter().run().expect(2);
    assert_one_line_and_install_command(&env, &ran);
}

#[test]
fn commands_that_encode_nothing_need_no_onnx_runtime() {
    let env = TestEnv::indexed();
    let alone = copy_program(&env, "alone", false);
    env.program(&alone, ["search", "red", "--by", "words"])
        .run()
        .expect(0);
    env.program(&alone, ["status"]).run().expect(0);
    env.program(&alone, ["index", "photos"]).run().expect(0);
    env.program(&alone, ["--help"]).run().expect(0);
}

#[test]
fn the_library_is_found_where_the_hint_installs_it() {
    let env = TestEnv::indexed();
    let alone = copy_program(&env, "alone", false);
    env.program(&alone, ["search", "red"]).run().expect(2);
    let release = sightline::platform::RUNTIME_RELEASE;
    let capi = "data/sightline/onnxruntime/onnxruntime/capi";
    // The wheel contains a second library, which is not ONNX Runtime.
    env.write(
        format!("{capi}/libonnxruntime_providers_shared.so"),
        "another library",
    );
    link_runtime(env.path(capi).join(format!("libonnxruntime.so.{release}")));
    env.program(&alone, ["search", "red"]).run().expect(0);
}

#[test]
fn the_library_is_found_in_the_data_folder_and_beside_the_program() {
    let env = TestEnv::indexed();
    let alone = copy_program(&env, "alone", false);
    let name = sightline::platform::RUNTIME_LIBRARY;
    for place in ["data/sightline", "lib", "alone"] {
        let library = env.path(place).join(name);
        fs_err::create_dir_all(library.parent().unwrap()).unwrap();
        env.program(&alone, ["search", "red"]).run().expect(2);
        link_runtime(library.clone());
        env.program(&alone, ["search", "red"]).run().expect(0);
        // An empty variable counts as unset.
        env.program(&alone, ["search", "red"])
            .env("ORT_DYLIB_PATH", "")
            .run()
            .expect(0);
        fs_err::remove_file(library).unwrap();
    }
}

#[test]
fn ort_dylib_path_takes_precedence_over_the_library_beside_the_program() {
    let env = TestEnv::indexed();
    let both = copy_program(&env, "both", true);
    env.program(&both, ["search", "red"]).run().expect(0);
    env.program(&both, ["search", "red"])
        .env("ORT_DYLIB_PATH", "/nowhere.so")
        .run()
        .expect(2);
}

fn link_runtime(to: PathBuf) {
    std::os::unix::fs::symlink(runtime_library(), to).unwrap();
}
