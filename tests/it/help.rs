//! `--help` of every command, word for word.

use crate::support::TestEnv;

pub(crate) const COMMANDS: &[&str] = &[
    "",
    "index",
    "search",
    "refine",
    "captions",
    "tag",
    "similar",
    "explain",
    "duplicates",
    #[cfg(feature = "serve")]
    "serve",
    #[cfg(feature = "serve")]
    "mcp",
    #[cfg(feature = "serve")]
    "watch",
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
    "completions",
    "man",
];

#[test]
fn every_command_has_help_with_an_example() {
    let env = TestEnv::new();
    let mut n_commands = 0;
    let mut n_of_models = 0;
    for &command in COMMANDS {
        let arguments = command.split_whitespace().chain(["--help"]);
        // Help needs neither model nor ONNX Runtime.
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
            "no example of {name}"
        );
        // Without the server, the overview lists fewer commands.
        if !command.is_empty() || cfg!(feature = "serve") {
            env.settings(&ran)
                .bind(|| insta::assert_snapshot!(name.clone(), ran.stdout()));
        }
        if command.contains(' ') {
            n_of_models += 1;
        } else {
            n_commands += 1;
        }
    }
    // One for each line under "Commands:" except `help` itself, and one for the program.
    let n_listed = |arguments: &[&str]| {
        let overview = env.succeed(arguments);
        let commands = overview.stdout().split("Commands:\n").nth(1).unwrap();
        let commands = commands.split("\n\n").next().unwrap();
        commands.lines().count()
    };
    assert_eq!(n_listed(&["--help"]), n_commands);
    assert_eq!(n_listed(&["models", "--help"]), n_of_models + 1);
}

#[test]
fn the_version_is_that_of_the_package() {
    let env = TestEnv::new();
    let ran = env.succeed(["--version"]);
    assert_eq!(
        ran.stdout(),
        format!("sightline {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn usage_errors_are_written_to_stderr() {
    let env = TestEnv::new();
    let invalid: [&[&str]; 8] = [
        &[],
        &["serach", "dog"],
        &["search"],
        &["search", "--image", "dog.jpg", "--literal"],
        &["search", "dog", "--by", "luck"],
        &["search", "dog", "--jsno"],
        &["index"],
        &["captions"],
    ];
    for arguments in invalid {
        env.sightline(arguments).run().expect_usage_error();
    }
}
