//! `scripts/setup.sh` says in one line what is missing, before anything is fetched or built.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

/// Runs the script with nothing on its path but a few plain tools and these programs, each a
/// script that ends with this status.
fn setup(programs: &[(&str, i32)]) -> Output {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("bin");
    fs_err::create_dir_all(&path).unwrap();
    for tool in ["dirname", "mkdir"] {
        let found = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool));
        let found = found.iter().find(|tool| tool.exists()).unwrap();
        symlink(found, path.join(tool)).unwrap();
    }
    for (program, status) in programs {
        let program = path.join(program);
        fs_err::write(&program, format!("#!/bin/sh\nexit {status}\n")).unwrap();
        fs_err::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    }
    Command::new("/bin/sh")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/setup.sh"))
        .arg(root.path().join("target"))
        .env_clear()
        .env("PATH", &path)
        .output()
        .unwrap()
}

#[test]
fn what_is_missing_is_named_with_the_way_to_get_it() {
    let on_path = [("cargo", 0), ("c++", 0), ("python3", 1)];
    let cases = [
        ("error: cargo is missing", "rustup"),
        ("error: no C++ compiler (c++)", "g++"),
        ("error: python3 is missing", "python3-pip"),
        ("error: python3 has no pip", "python3-pip"),
    ];
    let mut n_checked = 0;
    for (n_found, (error, way_out)) in cases.into_iter().enumerate() {
        let output = setup(&on_path[..n_found]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        let (said, advice) = stderr.split_once(": install ").unwrap();
        assert_eq!(said, error);
        assert!(
            advice.contains(way_out) && stderr.lines().count() == 1,
            "{stderr}"
        );
        n_checked += 1;
    }
    assert_eq!(n_checked, 4);
}
