//! Indexing on a full disk: one error, nothing committed is lost, and the same command resumes once
//! there is space.

use std::process::{Command, Output};

use sightline_index::check;

use crate::support::{COLOUR_MODEL, PROGRAM, TestEnv, content, corpus};

/// Number of pictures before the disk is full, and in total.
const N_BEFORE: usize = 60;
const N_ALL: usize = 240;

/// Free kilobytes when the second run starts, so that it fails at different places.
const LEFT_KB: [u32; 5] = [0, 40, 200, 700, 1500];

/// How disk space is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scarcity {
    /// A small file system in memory, filled up, mounted for the script only.
    SmallDisk,
    /// A limit on the size of each file, where mounting is not permitted.
    ShortFiles,
}

/// Indexes without the limit, with it, and without it again; copies the index after each run.
const SCRIPT: &str = r#"
set -eu
cd "$WORLD"
mkdir small
if [ "$KIND" = disk ]; then mount -t tmpfs -o size=96m none small; fi
run() {
    options="--index small/index --commit-every 20 --batch 1"
    "$PROGRAM" index "$1" $options 2> "$2" || echo $? > "$2.code"
}
run photos first.err
cp -R small/index stage1
mv more/* photos/
if [ "$KIND" = disk ]; then
    free=$(df -Pk small | awk 'NR == 2 { print $4 }')
    head -c $(( (free - LEFT_KB) * 1024 )) /dev/zero > small/filler
    run photos second.err
    cp -R small/index stage2
    rm small/filler
else
    (trap '' XFSZ; ulimit -f $(( LEFT_KB / 20 )); run photos second.err)
    cp -R small/index stage2
fi
run photos third.err
cp -R small/index stage3
"#;

fn script(scarcity: Scarcity, env: &TestEnv, left_kb: u32) -> Output {
    let mut command = match scarcity {
        Scarcity::SmallDisk => {
            let mut command = Command::new("unshare");
            // A user namespace, so that any user may mount.
            command.args(["-Urm", "sh", "-c", SCRIPT]);
            command
        }
        Scarcity::ShortFiles => {
            let mut command = Command::new("sh");
            command.args(["-c", SCRIPT]);
            command
        }
    };
    let kind = if scarcity == Scarcity::SmallDisk {
        "disk"
    } else {
        "files"
    };
    command
        .env("WORLD", env.path(""))
        .env("PROGRAM", PROGRAM)
        .env("SIGHTLINE_MODEL", COLOUR_MODEL)
        .env("KIND", kind)
        .env("LEFT_KB", left_kb.to_string())
        .output()
        .unwrap()
}

fn may_mount() -> bool {
    Command::new("unshare")
        .args(["-Urm", "sh", "-c", "mount -t tmpfs -o size=1m none /mnt"])
        .output()
        .is_ok_and(|output| output.status.success())
}

#[test]
fn a_full_disk_is_reported_and_loses_nothing() {
    let scarcity = if may_mount() {
        Scarcity::SmallDisk
    } else {
        Scarcity::ShortFiles
    };
    let (mut n_full, mut n_complete) = (0, 0);
    for left_kb in LEFT_KB {
        let env = TestEnv::new();
        corpus::numbered(&env.path("more"), N_ALL);
        for number in 0..N_BEFORE {
            let name = format!("{number:04}.png");
            let (from, to) = (env.path("more").join(&name), env.path("photos").join(&name));
            fs_err::rename(from, to).unwrap();
        }
        let output = script(scarcity, &env, left_kb);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let when = format!("{scarcity:?}, {left_kb} KB left");
        assert!(output.status.success(), "{when}: {stderr}");
        let code = |run: &str| fs_err::read_to_string(env.path(format!("{run}.err.code"))).ok();
        let messages = |run: &str| fs_err::read_to_string(env.path(format!("{run}.err"))).unwrap();
        assert_eq!(code("first"), None, "{when}: {}", messages("first"));
        assert_eq!(code("third"), None, "{when}: {}", messages("third"));

        let stages = ["stage1", "stage2", "stage3"].map(|stage| content(&env.path(stage)));
        assert_eq!(stages[0].len(), N_BEFORE);
        for (before, now) in [(&stages[0], &stages[1]), (&stages[1], &stages[2])] {
            for (path, record) in before {
                assert_eq!(now.get(path), Some(record), "{when}: {}", path.display());
            }
        }
        assert_eq!(stages[2].len(), N_ALL, "{when}");
        let problems = check(&env.path("stage3")).unwrap();
        assert!(problems.is_empty(), "{when}: {problems:?}");

        match code("second").as_deref().map(str::trim) {
            None => n_complete += 1,
            Some("2") => {
                n_full += 1;
                let messages = messages("second");
                let lines: Vec<&str> = messages.lines().filter(|line| !line.is_empty()).collect();
                let at = lines.iter().position(|line| line.starts_with("error: "));
                let at = at.unwrap_or_else(|| panic!("{when}: {messages}"));
                let folder = env.path("small/index");
                let error = format!(
                    "error: {}: disk full while writing the index",
                    folder.display()
                );
                assert_eq!(
                    lines[at..],
                    [
                        error.as_str(),
                        "hint: free some space and run the same command again to resume; \
                         everything committed is kept",
                    ],
                    "{when}"
                );
            }
            Some(other) => panic!("{when}: exit code {other}: {}", messages("second")),
        }
    }
    println!("{scarcity:?}: full {n_full} times, 0 items lost");
    assert_eq!(n_full + n_complete, LEFT_KB.len());
    assert!(n_full >= 2, "the disk was full in only {n_full} runs");
}
