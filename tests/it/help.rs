//! `--help` of every command, word for word.

use crate::support::TestEnv;

const COMMANDS: [&str; 22] = [
    "",
    "index",
    "search",
    "captions",
    "status",
    "remove",
    "check",
    "compact",
    "export",
    "import",
    "eval",
    "bench",
    "embed",
    "models",
    "models list",
    "models info",
    "models add",
    "models pull",
    "models quantize",
    "models remove",
    "models check",
    "models default",
];

#[test]
fn of_every_command() {
    let env = TestEnv::new();
    let mut n_commands = 0;
    let mut n_of_models = 0;
    for command in COMMANDS {
        let arguments = command.split_whitespace().chain(["--help"]);
        // Help is given whatever the state of the machine.
        let ran = env
            .sightline(arguments)
            .env("SIGHTLINE_MODEL", "/nowhere")
            .env("ORT_DYLIB_PATH", "/nowhere.so")
            .run()
            .expect(0);
        assert_eq!(ran.stderr(), "");
        let name = if command.is_empty() {
            "sightline".to_owned()
        } else {
            command.replace(' ', "_")
        };
        let examples = ran.stdout().split("Examples:").nth(1).unwrap_or_default();
        assert!(
            examples.contains(&format!("  sightline {command}")),
            "an example of {name}"
        );
        env.settings(&ran)
            .bind(|| insta::assert_snapshot!(name.clone(), ran.stdout()));
        if command.contains(' ') {
            n_of_models += 1;
        } else {
            n_commands += 1;
        }
    }
    // One for each line under "Commands:", besides `help` itself, and one for the whole.
    let n_listed = |arguments: &[&str]| {
        let overview = env.sightline(arguments).run().expect(0);
        let commands = overview.stdout().split("Commands:\n").nth(1).unwrap();
        let commands = commands.split("\n\n").next().unwrap();
        commands.lines().count()
    };
    assert_eq!(n_listed(&["--help"]), n_commands);
    assert_eq!(n_listed(&["models", "--help"]), n_of_models + 1);
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
