//! `scripts/setup.sh` names a missing tool and how to install it, before it fetches or builds.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

/// Runs the script with only a few basic tools and these programs on its path, each a script that
/// exits with this status.
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
fn missing_tools_are_reported_with_a_hint() {
    let on_path = [("cargo", 0), ("c++", 0), ("python3", 1)];
    let cases = [
        ("error: cargo not found", "rustup"),
        ("error: C++ compiler c++ not found", "g++"),
        ("error: python3 not found", "python3-pip"),
        ("error: pip for python3 not found", "python3-pip"),
    ];
    let mut n_checked = 0;
    for (n_found, (error, package)) in cases.into_iter().enumerate() {
        let output = setup(&on_path[..n_found]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        let (reported, hint) = stderr.split_once("\n\nhint: install ").unwrap();
        assert_eq!(reported, error);
        assert!(
            hint.contains(package) && hint.lines().count() == 1,
            "{stderr}"
        );
        n_checked += 1;
    }
    assert_eq!(n_checked, 4);
}
