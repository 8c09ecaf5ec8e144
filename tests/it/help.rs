//! `--help` of every command, word for word.

use crate::support::TestEnv;

#[test]
fn of_every_command() {
    let env = TestEnv::new();
    let mut n_commands = 0;
    for command in ["", "index", "search", "captions", "status", "eval", "bench"] {
        let arguments = [command, "--help"]
            .into_iter()
            .filter(|argument| !argument.is_empty());
        // Help is given whatever the state of the machine.
        let ran = env
            .sightline(arguments)
            .env("SIGHTLINE_MODEL", "/nowhere")
            .env("ORT_DYLIB_PATH", "/nowhere.so")
            .run()
            .expect(0);
        assert_eq!(ran.stderr(), "");
        let name = if command.is_empty() {
            "sightline"
        } else {
            command
        };
        let examples = ran.stdout().split("Examples:").nth(1).unwrap_or_default();
        assert!(
            examples.contains(&format!("  sightline {command}")),
            "an example of {name}"
        );
        env.settings(&ran)
            .bind(|| insta::assert_snapshot!(name, ran.stdout()));
        n_commands += 1;
    }
    // One for each line under "Commands:", besides `help` itself, and one for the whole.
    let overview = env.sightline(["--help"]).run().expect(0);
    let commands = overview
        .stdout()
        .split("Commands:\n")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next();
    assert_eq!(commands.unwrap().lines().count(), n_commands);
}

#[test]
fn version() {
    let env = TestEnv::new();
    let ran = env.sightline(["--version"]).run().expect(0);
    assert_eq!(
        ran.stdout(),
        format!("sightline {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn slips_of_the_keyboard_are_errors_on_stderr() {
    let env = TestEnv::new();
    let slips: [&[&str]; 8] = [
        &[],
        &["serach", "dog"],
        &["search"],
        &["search", "dog", "--image", "dog.jpg"],
        &["search", "dog", "--by", "luck"],
        &["search", "dog", "--jsno"],
        &["index"],
        &["captions"],
    ];
    for slip in slips {
        let ran = env.sightline(slip).run().expect(2);
        assert_eq!(ran.stdout(), "", "{slip:?}");
        let ways_on = ["Usage: sightline", "try '--help'"];
        let is_told = ways_on.iter().any(|way| ran.stderr().contains(way));
        assert!(is_told, "{slip:?}: {ran}");
    }
}
