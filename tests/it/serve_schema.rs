//! The API as its document describes it: Schemathesis tries it out, and the examples of
//! `docs/api.md` are run.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::http::Server;
use crate::support::{PROGRAM, TestEnv, corpus};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The folder of Schemathesis, in the build folder.
fn packages() -> PathBuf {
    let build = Path::new(PROGRAM).parent().unwrap().parent().unwrap();
    let folder = build.join("tools/schemathesis");
    let done = Command::new("python3")
        .arg(Path::new(ROOT).join("scripts/packages.py"))
        .arg(Path::new(ROOT).join("tests/api/requirements.txt"))
        .arg(&folder)
        .status();
    assert!(
        done.is_ok_and(|done| done.success()),
        "no Python package `schemathesis`: see above"
    );
    folder
}

/// What a schema cannot say makes some requests that it allows bad ones: a cursor is that of an
/// answer, a query has a language of its own, an upload is a picture. Events do not end.
#[test]
fn the_document_describes_what_the_server_does() {
    let env = TestEnv::indexed();
    env.write("photos/red.txt", "red\n");
    corpus::plain(&env.path("photos/again.bmp"), "red");
    env.index_photos();
    let server = Server::start(&env, &[]);
    let document = format!("http://{}/openapi.json", server.address);
    let tried = env
        .program("python3", ["-m", "schemathesis.cli", "run", &document])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "10",
        ])
        .args(["--exclude-checks", "positive_data_acceptance"])
        .args([
            "--exclude-path",
            "/v1/index/events",
            "--request-timeout",
            "60",
        ])
        .args(["--seed", "1", "--max-time", "60", "--no-color"])
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("PYTHONPATH", packages())
        .run()
        .expect(0);
    let n_tested = tried.stdout().lines().find_map(|line| {
        let (_, n) = line.trim().split_once("Tested: ")?;
        n.parse::<usize>().ok()
    });
    assert!(n_tested.is_some_and(|n| n >= 24), "{tried}");
    // It is still there.
    assert_eq!(server.get("/healthz").status, 200);
}

/// The code blocks of a language in `docs/api.md`.
fn blocks(language: &str) -> Vec<String> {
    let document = fs_err::read_to_string(Path::new(ROOT).join("docs/api.md")).unwrap();
    let start = format!("```{language}\n");
    let blocks = document.split(&*start).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_python_client_of_the_document_works() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env.index_photos();
    let server = Server::start(&env, &[]);
    let clients = blocks("python");
    assert_eq!(clients.len(), 1);
    assert!(clients[0].lines().count() <= 20, "{}", clients[0]);
    let client = clients[0].replace("127.0.0.1:7878", &server.address);
    env.write("client.py", client);
    let ran = env
        .program("python3", ["client.py", "red"])
        .env("PATH", std::env::var_os("PATH").unwrap())
        .run()
        .expect(0);
    let lines: Vec<&str> = ran.stdout().lines().collect();
    assert!(lines[0].ends_with("photos/red.png"), "{ran}");
    assert_eq!(lines.len(), 11, "{ran}");
    let jpeg = fs_err::read(env.path("thumbnail.jpg")).unwrap();
    assert_eq!(
        image::guess_format(&jpeg).unwrap(),
        image::ImageFormat::Jpeg
    );
}

#[test]
fn every_route_and_problem_is_documented() {
    let env = TestEnv::indexed();
    let server = Server::start(&env, &[]);
    let document = fs_err::read_to_string(Path::new(ROOT).join("docs/api.md")).unwrap();
    let described = server.get("/openapi.json").ok();
    let paths = described["paths"].as_object().unwrap();
    for path in paths.keys() {
        let named = [format!(" {path}`"), format!(" {path}?")];
        assert!(named.iter().any(|named| document.contains(named)), "{path}");
    }
    let source = fs_err::read_to_string(Path::new(ROOT).join("src/web/problem.rs")).unwrap();
    let kinds = source.split("const KINDS").nth(1).unwrap();
    let kinds = kinds.split("];").next().unwrap();
    let names = kinds.split('"').skip(1).step_by(2);
    let names: Vec<&str> = names.filter(|name| !name.contains(' ')).collect();
    assert!(names.len() >= 14, "{names:?}");
    for name in names {
        assert!(document.contains(&format!("`{name}`")), "{name}");
    }
}
