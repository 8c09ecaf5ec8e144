//! `sightline completions` and `man`, and what `make install` installs.

use std::path::Path;
use std::process::Command;

use crate::help::COMMANDS;
use crate::support::{PROGRAM, TestEnv, corpus, file_names, runtime_library};

#[test]
fn every_shell_gets_completions_of_all_commands() {
    let env = TestEnv::new();
    let shells = ["bash", "elvish", "fish", "powershell", "zsh"];
    for shell in shells {
        let ran = env.succeed(["completions", shell]);
        for word in ["refine", "quantize", "min-confidence"] {
            assert!(ran.stdout().contains(word), "{shell}: no {word}");
        }
        assert_eq!(ran.stderr(), "");
    }
    assert_eq!(shells.len(), 5);
    let ran = env.fail(["completions", "tcsh"]);
    assert!(ran.stderr().contains("possible values: bash"), "{ran}");
}

#[test]
fn bash_completes_commands_and_options() {
    let env = TestEnv::new();
    let rows = [
        ("sightline dup", "duplicates"),
        ("sightline models qua", "quantize"),
        ("sightline search --min-c", "--min-confidence"),
        ("sightline search --by wor", "words"),
    ];
    for (typed, expected) in rows {
        let line = format!(
            "source <(sightline completions bash)
            COMP_WORDS=({typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
            cur=${{COMP_WORDS[COMP_CWORD]}}; prev=${{COMP_WORDS[COMP_CWORD - 1]}}
            _sightline sightline \"$cur\" \"$prev\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let ran = env.shell(&line).run().expect(0);
        assert_eq!(ran.stdout(), format!("{expected}\n"), "{typed}");
    }
    assert_eq!(rows.len(), 4);
}

#[test]
fn every_command_has_a_manual_page() {
    let env = TestEnv::new();
    let pages: Vec<String> = COMMANDS
        .iter()
        .map(|command| {
            let words = std::iter::once("sightline").chain(command.split_whitespace());
            format!("{}.1", words.collect::<Vec<_>>().join("-"))
        })
        .collect();
    let ran = env.succeed(["man", "pages/man1"]);
    assert_eq!(ran.stderr(), format!("wrote {} pages\n", pages.len()));
    let mut expected = pages.clone();
    expected.sort();
    assert_eq!(file_names(&env.path("pages/man1")), expected);
    for page in &pages {
        let text = fs_err::read_to_string(env.path("pages/man1").join(page)).unwrap();
        for part in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH EXAMPLES\n.nf\n"] {
            assert!(text.contains(part), "{page}: no {part}");
        }
    }
    let main = fs_err::read(env.path("pages/man1/sightline.1")).unwrap();
    assert_eq!(env.succeed(["man"]).stdout_bytes(), main);
}

#[test]
fn what_is_installed_works_from_there() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    let tools = env.path("onnxruntime");
    fs_err::create_dir(&tools).unwrap();
    fs_err::os::unix::fs::symlink(runtime_library(), tools.join("libonnxruntime.so")).unwrap();
    for notice in ["LICENSE", "ThirdPartyNotices.txt"] {
        fs_err::write(tools.join(notice), "as shipped\n").unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/install.sh");
    let install = |prefix: &str| {
        let mut command = Command::new(&script);
        command
            .args([Path::new(PROGRAM), &tools, Path::new(prefix)])
            .arg(env.path("root"));
        command.output().unwrap()
    };
    let output = install("relative");
    assert_eq!(output.status.code(), Some(2));
    let output = install("/opt/sightline");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
    let prefix = env.path("root/opt/sightline");
    for (file, part) in [
        (
            "share/man/man1/sightline-search.1",
            ".TH sightline-search 1",
        ),
        (
            "share/bash-completion/completions/sightline",
            "complete -F _sightline",
        ),
        (
            "share/fish/vendor_completions.d/sightline.fish",
            "complete -c sightline",
        ),
        ("share/zsh/site-functions/_sightline", "#compdef sightline"),
        (
            "share/applications/sightline.desktop",
            "Exec=/opt/sightline/bin/sightline serve",
        ),
        (
            "lib/systemd/user/sightline.service",
            "ExecStart=/opt/sightline/bin/sightline serve",
        ),
        ("share/icons/hicolor/scalable/apps/sightline.svg", "<svg"),
        ("share/doc/sightline/LICENSE-MIT", "MIT"),
        ("share/doc/sightline/onnxruntime/LICENSE", "as shipped"),
    ] {
        let text = fs_err::read_to_string(prefix.join(file)).unwrap();
        assert!(text.contains(part), "{file}: no {part}");
    }
    // It finds ONNX Runtime where it was installed.
    let program = prefix.join("bin/sightline");
    env.program(&program, ["index", "photos"]).run().expect(0);
    let ran = env.program(&program, ["search", "red", "-k", "1"]).run();
    assert!(ran.expect(0).stdout().contains("red.png"));
}
