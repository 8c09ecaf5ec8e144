//! Files and folders without read or write permission.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::support::corpus;
use crate::support::{TestEnv, as_root, copy_program, file_names, set_mode, snapshot};

/// An environment, a program and a model that another user may read and run.
fn for_another_user() -> (TestEnv, PathBuf, String) {
    let env = TestEnv::new();
    env.open_to_all();
    let program = copy_program(&env, "bin", true);
    let model = env.colour_model("colours", "0.5");
    for file in file_names(&model) {
        set_mode(&model.join(file), 0o644);
    }
    set_mode(&model, 0o755);
    let model = model.to_str().unwrap().to_owned();
    corpus::one_of_each(&env.path("photos"));
    (env, program, model)
}

#[test]
fn unreadable_folders_are_skipped_and_stay_in_the_index() {
    let (env, program, model) = for_another_user();
    corpus::plain(&env.path("photos/locked/yellow.png"), "yellow");
    corpus::save(
        &env.path("photos/secret.png"),
        &corpus::halves("red", "white"),
    );
    fs_err::create_dir(env.path("writable")).unwrap();
    set_mode(&env.path("writable"), 0o777);
    let index = || {
        env.program(&program, ["index", "photos", "--index", "writable/index"])
            .env("SIGHTLINE_MODEL", &model)
            .bound_by_permissions()
    };
    // First with read permission, so that everything is in the index.
    index().run().expect(0);
    set_mode(&env.path("photos/locked"), 0o000);
    fs_err::OpenOptions::new()
        .append(true)
        .open(env.path("photos/secret.png"))
        .unwrap()
        .file()
        .set_modified(SystemTime::UNIX_EPOCH)
        .unwrap();
    set_mode(&env.path("photos/secret.png"), 0o000);
    let ran = index().run();
    let status = env
        .sightline(["status", "--json", "--index", "writable/index"])
        .run();
    // The whole library.
    set_mode(&env.path("photos"), 0o000);
    let nothing = index().run();
    set_mode(&env.path("photos"), 0o755);
    set_mode(&env.path("photos/locked"), 0o755);
    set_mode(&env.path("photos/secret.png"), 0o644);
    snapshot!(env, ran, @r"
    exit code: 0
    ----- stdout -----

    ----- stderr -----
    skipped photos/locked: permission denied
    skipped photos/secret.png: permission denied
    9 picture files in [TIME]: 8 unchanged, 2 skipped
    ");
    snapshot!(env, nothing, @r"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    skipped photos: permission denied
    no pictures in photos, but 10 in the index: nothing was removed

    hint: if they were deleted, and not on an unmounted disk, run again with `--prune`
    0 picture files in [TIME]: 1 skipped
    ");
    // Unreadable files are not removed.
    assert_eq!(status.json()["files"], 10, "{ran}");
    let ran = index().run().expect(0);
    assert!(ran.stderr().contains("10 unchanged"), "{ran}");
}

#[test]
fn a_read_only_index_can_only_be_searched() {
    let (env, program, model) = for_another_user();
    env.succeed(["index", "photos"]);
    set_modes(&env, 0o755, 0o644);
    let run = |arguments: &[&str]| {
        let run = env
            .program(&program, arguments)
            .env("SIGHTLINE_MODEL", &model);
        run.bound_by_permissions().run()
    };
    if !as_root() {
        set_modes(&env, 0o555, 0o444);
    }
    let found = run(&["search", "red", "--by", "both", "-k1", "--paths"]);
    let status = run(&["status"]);
    let indexing = run(&["index", "photos"]);
    let creating = run(&["index", "photos", "--index", "colours/index"]);
    set_modes(&env, 0o755, 0o644);
    assert_eq!(
        env.shown(found.expect(0).stdout().trim_end()),
        "photos/red.png"
    );
    status.expect(0);
    snapshot!(env, indexing, @r"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error: [ROOT]/index: the index is not writable: Permission denied (os error 13)

    hint: make the folder writable, or use another index with `--index`; a read-only index can only be searched
    ");
    if as_root() {
        snapshot!(env, creating, @r"
        exit code: 2
        ----- stdout -----

        ----- stderr -----
        error: [ROOT]/colours/index: the index is not writable: Permission denied (os error 13)

        hint: make the folder writable, or use another index with `--index`; a read-only index can only be searched
        ");
    }
}

/// Sets the permissions of the index's folders and files.
fn set_modes(env: &TestEnv, folder_mode: u32, file_mode: u32) {
    let mut folders = vec![env.index()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                set_mode(&path, file_mode);
            }
        }
        set_mode(&folder, folder_mode);
    }
}
