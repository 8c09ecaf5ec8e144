use std::path::{Path, PathBuf};
use std::process::Command;

use sightline_onnx::{Runtime, RuntimeError};

use crate::support::{chain, library, runtime};

/// Builds a small library from C source with the system's compiler, which RocksDB needs too.
fn build(folder: &Path, name: &str, source: &str) -> PathBuf {
    let file = folder.join(name).with_extension("c");
    fs_err::write(&file, source).unwrap();
    let library = folder.join(name);
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &file])
        .status()
        .expect("a C compiler, `cc`");
    assert!(status.success());
    library
}

fn one_line(error: &RuntimeError) -> String {
    for line in chain(error) {
        assert!(!line.contains('\n'), "{line}");
    }
    error.to_string()
}

#[test]
fn a_library_opens_twice_and_reports_its_version() {
    let first = runtime();
    let again = Runtime::open(&[PathBuf::from("/nonexistent/one.so"), library()]).unwrap();
    assert_eq!(first.version(), again.version());
    assert_eq!(first.library(), again.library());
    assert!(first.version().starts_with("1."), "{}", first.version());
    assert!(first.library().is_absolute());
}

#[test]
fn a_missing_library_is_an_error_and_not_skipped() {
    let error = Runtime::open_exactly(Path::new("/nonexistent/libonnxruntime.so")).unwrap_err();
    assert!(matches!(error, RuntimeError::NotFound { .. }));
    let expected = "ONNX Runtime not found (tried /nonexistent/libonnxruntime.so)";
    assert_eq!(one_line(&error), expected);
}

#[test]
fn an_old_library_is_refused_by_its_version_before_its_api_is_used() {
    let folder = tempfile::tempdir().unwrap();
    // Asking this library for its API aborts the process, so the version alone must decide.
    let source = r#"
        #include <stdlib.h>
        static const void *api(unsigned version) { (void)version; abort(); }
        static const char *version(void) { return "1.10.2"; }
        struct base { const void *(*api)(unsigned); const char *(*version)(void); };
        static const struct base the_base = { api, version };
        const struct base *OrtGetApiBase(void) { return &the_base; }
    "#;
    let library = build(folder.path(), "libold.so", source);
    for candidates in [
        vec![library.clone()],
        vec!["/nonexistent/x.so".into(), library.clone()],
    ] {
        let error = Runtime::open(&candidates).unwrap_err();
        assert!(matches!(error, RuntimeError::TooOld { .. }), "{error:?}");
        let message = one_line(&error);
        assert!(
            message.ends_with("libold.so: ONNX Runtime 1.10.2 is too old: 1.17 or newer is needed"),
            "{message}"
        );
    }
}

#[test]
fn a_library_of_a_new_version_without_an_api_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let source = r#"
        static const void *api(unsigned version) { (void)version; return 0; }
        static const char *version(void) { return "1.99.0"; }
        struct base { const void *(*api)(unsigned); const char *(*version)(void); };
        static const struct base the_base = { api, version };
        const struct base *OrtGetApiBase(void) { return &the_base; }
    "#;
    let library = build(folder.path(), "libempty.so", source);
    let error = Runtime::open_exactly(&library).unwrap_err();
    assert!(matches!(error, RuntimeError::TooOld { .. }), "{error:?}");
    let none = build(
        folder.path(),
        "libnull.so",
        "void *OrtGetApiBase(void) { return 0; }",
    );
    let error = Runtime::open_exactly(&none).unwrap_err();
    assert!(matches!(error, RuntimeError::TooOld { .. }), "{error:?}");
}

#[test]
fn a_library_other_than_onnx_runtime_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let library = build(
        folder.path(),
        "libother.so",
        "int other(void) { return 7; }",
    );
    let error = Runtime::open_exactly(&library).unwrap_err();
    assert!(
        matches!(error, RuntimeError::NotOnnxRuntime { .. }),
        "{error:?}"
    );
    let message = one_line(&error);
    assert!(
        message.ends_with("libother.so: not an ONNX Runtime library"),
        "{message}"
    );
}

#[test]
fn a_file_that_is_not_a_library_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [("libtext.so", "not a library"), ("libempty.so", "")] {
        let file = folder.path().join(name);
        fs_err::write(&file, content).unwrap();
        let error = Runtime::open(&[file]).unwrap_err();
        assert!(
            matches!(error, RuntimeError::NotLoadable { .. }),
            "{error:?}"
        );
        let message = one_line(&error);
        assert!(
            message.ends_with(": cannot load this file as a library"),
            "{message}"
        );
    }
}

#[test]
fn a_second_library_in_one_process_is_refused() {
    let first = runtime();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("libonnxruntime.so");
    fs_err::copy(library(), &copy).unwrap();
    let error = Runtime::open_exactly(&copy).unwrap_err();
    assert!(
        matches!(error, RuntimeError::AlreadyOpen { .. }),
        "{error:?}"
    );
    let message = one_line(&error);
    let expected = format!(
        "already uses ONNX Runtime from {}",
        first.library().display()
    );
    assert!(message.ends_with(&expected), "{message}");
    // A link to the same file is the same library.
    let link = folder.path().join("link.so");
    std::os::unix::fs::symlink(library(), &link).unwrap();
    assert_eq!(
        Runtime::open_exactly(&link).unwrap().library(),
        first.library()
    );
}
