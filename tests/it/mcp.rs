//! The MCP server, asked by the official client of the protocol (Python), over both transports.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::GenericImageView as _;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{PROGRAM, Ran, Running, TestEnv, corpus, wait_until};

const PHOTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/photos");

/// The Python interpreter and the folder of the client's packages, in the build folder.
fn packages() -> &'static PathBuf {
    static PACKAGES: OnceLock<PathBuf> = OnceLock::new();
    PACKAGES.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let build = Path::new(PROGRAM).parent().unwrap().parent().unwrap();
        let folder = build.join("tools/mcp-client");
        let done = Command::new("python3")
            .arg(root.join("scripts/packages.py"))
            .arg(root.join("tests/mcp/requirements.txt"))
            .arg(&folder)
            .status();
        assert!(
            done.is_ok_and(|done| done.success()),
            "no Python package `mcp`: see above"
        );
        folder
    })
}

/// What the client is connected to, and how it begins: `auto` or `legacy`.
fn ask(env: &TestEnv, mode: &str, server: &[&str], steps: &Value) -> Vec<Value> {
    let client = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mcp/client.py");
    let ran = env
        .program("python3", [client, mode])
        .args(server)
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("PYTHONPATH", packages())
        .starter()
        .typed(&steps.to_string())
        .run()
        .expect(0);
    let lines = ran.stdout().lines();
    let answers: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), 1 + steps.as_array().unwrap().len(), "{ran}");
    answers
}

/// The sample photos with their captions, indexed by the built-in model.
fn library() -> &'static TestEnv {
    static LIBRARY: OnceLock<TestEnv> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let env = TestEnv::new();
        let captions = format!("{PHOTOS}/captions.jsonl");
        let index = ["index", PHOTOS, "--captions", &captions];
        env.sightline(index).starter().run().expect(0);
        env
    })
}

/// A server over HTTP and its address, such as `127.0.0.1:40001`.
fn serve(env: &TestEnv, arguments: &[&str]) -> (Running, String) {
    let command = env.sightline(["serve", "--port", "0"]).args(arguments);
    let mut server = command.starter().spawn();
    let note = server.next_note();
    let address = note
        .split("http://")
        .nth(1)
        .unwrap_or_else(|| panic!("{note}"));
    let address = address.split('/').next().unwrap().to_owned();
    (server, address)
}

fn stop(server: Running) -> Ran {
    server.signal(Signal::SIGINT);
    server.wait()
}

/// The text of an answer that is a failure of a tool.
#[track_caller]
fn failure(answer: &Value) -> &str {
    assert_eq!(answer["isError"], true, "{answer}");
    answer["content"][0]["text"].as_str().unwrap()
}

/// The message of an answer that is an error of the protocol.
#[track_caller]
fn refusal(answer: &Value) -> &str {
    answer["error"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
}

/// Size in pixels of a JPEG in base64.
fn size(picture: &Value) -> (u32, u32) {
    let jpeg = STANDARD.decode(picture.as_str().unwrap()).unwrap();
    let format = image::ImageFormat::Jpeg;
    image::load_from_memory_with_format(&jpeg, format)
        .unwrap()
        .dimensions()
}

/// Rounds numbers: the last digits depend on how the model is set up for few or many queries.
fn round(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(round),
        Value::Object(values) => values.values_mut().for_each(round),
        Value::Number(number) if number.is_f64() => {
            *value = json!((number.as_f64().unwrap() * 1e4).round());
        }
        _ => {}
    }
}

/// Answers without what differs between runs and versions of the protocol.
fn without_times(mut answers: Vec<Value>) -> Vec<Value> {
    for answer in &mut answers {
        let content = answer.get("structuredContent").cloned();
        if let Some(mut content) = content
            && content.get("took_ms").is_some()
        {
            content["took_ms"] = json!(0);
            // The text is a copy of it.
            answer["content"] = json!([]);
            round(&mut content);
            answer["structuredContent"] = content;
        }
        if let Some(answer) = answer.as_object_mut() {
            // What only one version of the protocol has.
            for key in ["_meta", "resultType", "ttlMs", "cacheScope", "protocol"] {
                answer.remove(key);
            }
        }
    }
    answers
}

fn cow() -> Value {
    let env = library();
    let found = env
        .sightline(["search", "a cow in a meadow", "--json"])
        .starter();
    found.run().expect(0).json()["hits"][0].clone()
}

#[test]
fn both_transports_and_both_handshakes_answer_alike() {
    let env = library();
    let cow = cow();
    let (id, path) = (cow["id"].clone(), cow["path"].clone());
    let uri = format!("sightline://item/{id}");
    let steps = json!([
        ["list_tools"],
        ["call_tool", "search_images", {"query": "a cow in a meadow", "limit": 3}],
        ["call_tool", "search_images", {"query": "in:animals type:webp"}],
        ["call_tool", "search_images", {"query": ""}],
        ["call_tool", "find_similar", {"id": id, "limit": 4}],
        ["call_tool", "find_captions", {"id": id}],
        ["call_tool", "find_captions", {"path": path}],
        ["call_tool", "describe_collection", {"top": 2}],
        ["call_tool", "status", {}],
        ["call_tool", "get_image", {"id": id, "max_side": 200}],
        ["list_resources"],
        ["list_resource_templates"],
        ["read_resource", uri],
    ]);
    let answers = ask(env, "auto", &[PROGRAM, "mcp"], &steps);
    check_answers(&answers, &cow);
    let over_stdio = without_times(ask(env, "legacy", &[PROGRAM, "mcp"], &steps));
    assert_eq!(answers[0]["protocol"], "2026-07-28");
    let answers = without_times(answers);
    assert_eq!(over_stdio, answers);
    let (server, address) = serve(env, &["--mcp"]);
    let url = format!("http://{address}/mcp");
    for mode in ["auto", "legacy"] {
        let over_http = without_times(ask(env, mode, &[&url], &steps));
        assert_eq!(over_http, answers, "{mode}");
    }
    let ran = stop(server).expect(0);
    assert_eq!(ran.stdout(), "", "{ran}");
}

fn check_answers(answers: &[Value], cow: &Value) {
    assert_eq!(answers[0]["name"], "sightline");
    assert!(
        answers[0]["instructions"]
            .as_str()
            .unwrap()
            .contains("search_images")
    );
    check_tools(&answers[1]);
    let content = |answer: &Value| answer["structuredContent"].clone();
    let found = content(&answers[2]);
    assert_eq!(found["hits"].as_array().unwrap().len(), 3);
    let rounded = |hit: &Value| {
        let mut hit = hit.clone();
        round(&mut hit);
        hit
    };
    assert_eq!(rounded(&found["hits"][0]), rounded(cow));
    assert_eq!(found["known_to_model"], true);
    let text: Value =
        serde_json::from_str(answers[2]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(
        text, found,
        "clients that know no structured content read the text"
    );
    let filtered = content(&answers[3])["hits"].clone();
    assert!(!filtered.as_array().unwrap().is_empty());
    for hit in filtered.as_array().unwrap() {
        let path = hit["path"].as_str().unwrap();
        let is_webp = Path::new(path)
            .extension()
            .is_some_and(|ending| ending == "webp");
        assert!(path.contains("/animals/") && is_webp, "{path}");
    }
    assert_eq!(content(&answers[4])["hits"].as_array().unwrap().len(), 10);
    let similar = content(&answers[5])["hits"].clone();
    assert_eq!(similar.as_array().unwrap().len(), 4);
    let has_itself = similar
        .as_array()
        .unwrap()
        .iter()
        .any(|hit| hit["id"] == cow["id"]);
    assert!(!has_itself, "{similar}");
    for answer in &answers[6..8] {
        let caption = content(answer)["hits"][0].clone();
        assert!(
            caption["text"].as_str().unwrap().contains("cow"),
            "{caption}"
        );
        assert_eq!(caption["from"], "captions");
    }
    let collection = content(&answers[8]);
    assert_eq!(collection["libraries"][0]["path"], PHOTOS);
    assert_eq!(collection["types"]["most_common"][0]["name"], "jpg");
    assert!(
        collection["types"]["distinct"].as_u64().unwrap() > 2,
        "{collection}"
    );
    assert_eq!(
        collection["types"]["most_common"].as_array().unwrap().len(),
        2
    );
    let status = content(&answers[9]);
    assert_eq!(status["images"], collection["images"]);
    assert!(status["images"].as_u64().unwrap() > 40);
    check_pictures(&answers[10..], cow);
}

fn check_tools(listed: &Value) {
    let tools = listed["tools"].as_array().unwrap();
    let names: Vec<&str> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    let expected = [
        "search_images",
        "find_similar",
        "find_captions",
        "get_image",
        "describe_collection",
        "status",
    ];
    assert_eq!(names, expected);
    for tool in tools {
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
        assert_eq!(tool["annotations"]["openWorldHint"], false, "{tool}");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
        let has_schema = tool.get("outputSchema").is_some();
        assert_eq!(has_schema, tool["name"] != "get_image", "{tool}");
        assert!(tool["description"].as_str().unwrap().len() > 80, "{tool}");
    }
    let output = &tools[0]["outputSchema"]["properties"]["hits"]["items"];
    assert_eq!(
        output["properties"]["confidence"]["type"],
        json!(["number", "null"])
    );
}

fn check_pictures(answers: &[Value], cow: &Value) {
    let [image, text] = &answers[0]["content"].as_array().unwrap()[..] else {
        panic!("{}", answers[0]);
    };
    assert_eq!(
        (&image["type"], &image["mimeType"]),
        (&json!("image"), &json!("image/jpeg"))
    );
    let (width, height) = size(&image["data"]);
    assert_eq!(width.max(height), 200);
    let facts: Value = serde_json::from_str(text["text"].as_str().unwrap()).unwrap();
    assert_eq!((&facts["id"], &facts["path"]), (&cow["id"], &cow["path"]));
    assert_eq!(facts["captions"].as_array().unwrap().len(), 2);
    let resources = answers[1]["resources"].as_array().unwrap();
    assert!(
        resources.len() > 40 && resources.len() <= 50,
        "{}",
        resources.len()
    );
    let id = |resource: &Value| -> u32 {
        let uri = resource["uri"].as_str().unwrap();
        uri.strip_prefix("sightline://item/")
            .unwrap()
            .parse()
            .unwrap()
    };
    // Without dates, the last added come first.
    let ids: Vec<u32> = resources.iter().map(id).collect();
    assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
    let template = &answers[2]["resourceTemplates"][0];
    assert_eq!(template["uriTemplate"], "sightline://item/{id}");
    let [facts_again, copy] = &answers[3]["contents"].as_array().unwrap()[..] else {
        panic!("{}", answers[3]);
    };
    assert_eq!(facts_again["mimeType"], "application/json");
    assert_eq!(facts_again["text"], text["text"]);
    let (width, height) = size(&copy["blob"]);
    assert!(
        width.max(height) <= 800 && width.max(height) > 200,
        "{width} × {height}"
    );
}

#[test]
fn what_cannot_be_answered_is_a_failure_that_says_what_helps() {
    let env = library();
    let steps = json!([
        ["call_tool", "search_images", {"query": "a cow", "limit": 0}],
        ["call_tool", "search_images", {"query": "a cow", "min_confidence": 7}],
        ["call_tool", "search_images", {"qery": "a cow"}],
        ["call_tool", "search_images", {"query": "date:soon"}],
        ["call_tool", "search_images", {"query": "in:Nowhere"}],
        ["call_tool", "get_image", {"id": 4_000_000_000_u32}],
        ["call_tool", "get_image", {"id": 1, "max_side": 100_000}],
        ["call_tool", "find_captions", {"path": "/etc/passwd"}],
        ["call_tool", "find_captions", {}],
        ["call_tool", "describe_collection", {"top": 0}],
        ["call_tool", "status", {"verbose": true}],
        ["call_tool", "delete_everything", {}],
        ["read_resource", "sightline://item/999999"],
        ["read_resource", "file:///etc/passwd"],
    ]);
    let answers = ask(env, "auto", &[PROGRAM, "mcp"], &steps);
    let parts = [
        "`limit` is a number from 1 to 100",
        "`min_confidence` is a number from 0 to 1",
        "unknown field `qery`, expected one of `query`, `limit`, `min_confidence`",
        "date:soon: expected a date such as 2023",
        "`describe_collection` lists the folders",
        "no image has the id 4000000000: use an `id` of a hit",
        "`max_side` is a number from 64 to 1600",
        "/etc/passwd: no such picture in the index; give the `path` of a hit",
        "give the photo as `id` or as `path`",
        "`top` is a number from 1 to 200",
        "unknown field `verbose`",
    ];
    for (answer, part) in answers[1..].iter().zip(parts) {
        assert!(failure(answer).contains(part), "{part}\n{answer}");
    }
    let refused = &answers[1 + parts.len()..];
    assert!(refusal(&refused[0]).contains("no tool `delete_everything`: there are search_images"));
    assert!(refusal(&refused[1]).contains("no image has the id 999999"));
    assert!(refusal(&refused[2]).contains("expected sightline://item/ID"));
    assert_eq!(refused.len(), 3);
}

#[test]
fn without_an_index_a_failure_names_the_command_and_a_new_index_is_seen() {
    let env = TestEnv::new();
    let search = json!(["call_tool", "search_images", {"query": "in:photos"}]);
    let steps = json!([
        ["list_tools"],
        search,
        ["call_tool", "status", {}],
        ["list_resources"]
    ]);
    let answers = ask(&env, "auto", &[PROGRAM, "mcp"], &steps);
    assert_eq!(answers[1]["tools"].as_array().unwrap().len(), 6);
    for answer in &answers[2..4] {
        assert!(failure(answer).contains("index FOLDER`"), "{answer}");
    }
    assert!(refusal(&answers[4]).contains("index FOLDER`"));
    // A server that was started before there is an index finds it, and what is added to it.
    let (server, address) = serve(&env, &["--mcp"]);
    let url = format!("http://{address}/mcp");
    let n_hits = || {
        let answers = ask(&env, "auto", &[&url], &json!([search]));
        let hits = answers[1]["structuredContent"]["hits"].as_array();
        hits.map(Vec::len)
    };
    assert_eq!(n_hits(), None);
    corpus::one_of_each(&env.path("photos"));
    let index = || env.sightline(["index", "photos"]).starter().run().expect(0);
    index();
    wait_until("the new index is seen", || n_hits() == Some(8));
    fs_err::remove_file(first_photo(&env)).unwrap();
    index();
    wait_until("the new generation is seen", || n_hits() == Some(7));
    stop(server).expect(0);
}

fn first_photo(env: &TestEnv) -> PathBuf {
    let mut photos = fs_err::read_dir(env.path("photos")).unwrap();
    photos.next().unwrap().unwrap().path()
}

#[test]
fn a_picture_outside_its_library_folder_or_changed_is_not_sent() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("outside"));
    let outside = fs_err::read_dir(env.path("outside"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs_err::os::unix::fs::symlink(&outside, env.path("photos/link.png")).unwrap();
    env.sightline(["index", "photos"]).starter().run().expect(0);
    let found = env
        .sightline(["search", "--in", "photos", "--json"])
        .starter();
    let id = found.run().expect(0).json()["hits"][0]["id"].clone();
    let uri = format!("sightline://item/{id}");
    let steps = json!([["call_tool", "get_image", {"id": id}], ["read_resource", uri]]);
    let answers = ask(&env, "auto", &[PROGRAM, "mcp"], &steps);
    assert!(failure(&answers[1]).contains("a link that leaves its library folder"));
    let contents = &answers[2]["contents"];
    assert_eq!(contents[0]["mimeType"], "application/json");
    let instead = contents[1]["text"].as_str().unwrap();
    assert!(
        instead.contains("a link that leaves its library folder"),
        "{instead}"
    );
}

#[test]
fn only_the_protocol_is_on_stdout_and_the_program_ends_with_its_input() {
    let env = library();
    let handshake = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}),
    ];
    let lines = handshake.map(|line| line.to_string()).join("\n") + "\n";
    let ran = env
        .sightline(["mcp"])
        .starter()
        .typed(&lines)
        .run()
        .expect(0);
    let answers: Vec<Value> = ran
        .stdout()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut ids: Vec<&Value> = answers.iter().map(|answer| &answer["id"]).collect();
    ids.sort_by_key(|id| id.as_u64());
    assert_eq!(ids, [&json!(1), &json!(2)], "{ran}");
    assert!(
        answers.iter().all(|answer| answer["jsonrpc"] == "2.0"),
        "{ran}"
    );
    assert_eq!(ran.stderr(), "");
    // With its input open, Ctrl-C ends it.
    let (reader, writer) = std::io::pipe().unwrap();
    let mut running = env.sightline(["mcp"]).starter().piped(reader).spawn();
    (&writer).write_all(lines.as_bytes()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(!running.has_ended());
    let ran = stop(running);
    assert_eq!(ran.signal(), None, "{ran}");
    drop(writer);
    // What is not a client gets an error that says so.
    let ran = env
        .sightline(["mcp"])
        .starter()
        .typed("hello\n")
        .run()
        .expect(2);
    assert!(ran.stderr().contains("not a client of MCP"), "{ran}");
    assert_eq!(ran.stdout(), "");
}

/// The status of a request to call a tool, with this host and further headers.
fn status_of(address: &str, host: &str, headers: &str) -> u16 {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer
        .split(' ')
        .nth(1)
        .unwrap_or_else(|| panic!("{answer}"));
    status.parse().unwrap()
}

#[test]
fn other_hosts_and_origins_are_refused_over_http() {
    let env = library();
    let (server, address) = serve(env, &["--mcp"]);
    let own = format!("Origin: http://{address}\r\n");
    assert_eq!(status_of(&address, &address, ""), 200);
    assert_eq!(status_of(&address, &address, &own), 200);
    for (host, headers) in [
        ("evil.example", ""),
        ("evil.example:80", own.as_str()),
        ("0.0.0.0", ""),
        (address.as_str(), "Origin: http://evil.example\r\n"),
        (address.as_str(), "Origin: null\r\n"),
        (address.as_str(), "Origin: https://localhost\r\n"),
        (address.as_str(), "Sec-Fetch-Site: cross-site\r\n"),
    ] {
        assert_eq!(status_of(&address, host, headers), 403, "{host} {headers}");
    }
    stop(server).expect(0);
    let (server, address) = serve(env, &[]);
    assert_eq!(status_of(&address, &address, ""), 404, "not without --mcp");
    stop(server).expect(0);
}

#[test]
fn a_call_in_progress_does_not_keep_the_program() {
    let env = library();
    let call = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {
        "name": "search_images", "arguments": {"query": "a cow"}}});
    let first = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"}}});
    let lines = format!(
        "{first}\n{}\n{call}\n",
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
    );
    let mut child = Command::new(PROGRAM)
        .args(["--index".as_ref(), env.index().as_os_str(), "mcp".as_ref()])
        .env("HOME", env.path("home"))
        .env_remove("SIGHTLINE_MODEL")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines.as_bytes()).unwrap();
    drop(stdin);
    wait_until("the program ends", || child.try_wait().unwrap().is_some());
    assert!(child.wait().unwrap().success());
}
