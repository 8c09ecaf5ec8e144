//! `sightline serve`: the API over a real socket.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::http::{Server, reply};
use crate::support::{TestEnv, corpus};

fn names(answer: &Value) -> Vec<String> {
    let hits = answer["hits"].as_array().unwrap();
    let name = |hit: &Value| {
        let path = hit["path"].as_str().unwrap();
        path.rsplit('/').next().unwrap().to_owned()
    };
    hits.iter().map(name).collect()
}

fn id_of(server: &Server, name: &str) -> u64 {
    let all = server.get("/v1/search?limit=1000").ok();
    let hits = all["hits"].as_array().unwrap();
    let found = hits
        .iter()
        .find(|hit| hit["path"].as_str().unwrap().ends_with(name));
    found.unwrap_or_else(|| panic!("no {name}"))["id"]
        .as_u64()
        .unwrap()
}

#[test]
fn a_search_answers_as_the_command_does() {
    let env = TestEnv::indexed();
    let server = Server::start(&env, &[]);
    let answer = server.get("/v1/search?q=red&limit=3").ok();
    let printed = env.succeed(["search", "red", "-k", "3", "--json"]).json();
    assert_eq!(names(&answer)[0], "red.png");
    for key in ["query", "by", "known_to_model"] {
        assert_eq!(answer[key], printed[key], "{key}");
    }
    let hits = |answer: &Value| -> Vec<Value> {
        let hits = answer["hits"].as_array().unwrap().clone();
        let without = |mut hit: Value| {
            // Written as 32-bit floats by the one and as 64-bit floats by the other.
            let similarity = hit["similarity"].take().as_f64().unwrap();
            (hit, (similarity * 1e5).round())
        };
        let hits = hits.into_iter().map(without);
        hits.map(|(hit, similarity)| json!([hit, similarity]))
            .collect()
    };
    assert_eq!(hits(&answer), hits(&printed));
    assert_eq!(answer["total"], 8);
    let filtered = server.get("/v1/search?q=type:png%20-red").ok();
    assert_eq!(filtered["query"]["excluded"], json!(["red"]));
    assert_eq!(filtered["total"], 7);
    let by_words = server.get("/v1/search?q=red&by=words").ok();
    assert_eq!(names(&by_words), ["red.png"]);
    let all = server.get("/v1/search").ok();
    assert_eq!((&all["total"], &all["n_likely"]), (&json!(8), &Value::Null));
}

#[test]
fn bad_parameters_are_problems() {
    let env = TestEnv::indexed();
    let server = Server::start(&env, &[]);
    let rows = [
        ("/v1/search?q=red&limit=0", 400, "bad-request", "1 to 1000"),
        ("/v1/search?q=red&limit=x", 400, "bad-request", "limit"),
        ("/v1/search?q=red&limt=3", 400, "bad-request", "limt"),
        ("/v1/search?q=red&by=sound", 400, "bad-request", "sound"),
        (
            "/v1/search?q=red&min_confidence=2",
            400,
            "bad-request",
            "0 to 1",
        ),
        ("/v1/search?q=after:soon", 400, "bad-request", "soon"),
        ("/v1/search?q=in:/etc", 404, "not-found", "/etc"),
        ("/v1/search?cursor=abc", 400, "bad-request", "cursor"),
        ("/v1/search?cursor=77.0", 410, "list-expired", "again"),
        ("/v1/items/99", 404, "not-found", "99"),
        ("/v1/items/-1", 400, "bad-request", "whole number"),
        (
            "/v1/items/..%2f..%2fetc%2fpasswd",
            400,
            "bad-request",
            "whole",
        ),
        ("/v1/items/1/thumbnail?size=0", 400, "bad-request", "size"),
        ("/v1/items/99/thumbnail", 404, "not-found", "99"),
        ("/v1/similar/99", 404, "not-found", "99"),
        ("/v1/captions", 400, "bad-request", "id"),
        ("/v1/explain?id=1&q=", 400, "bad-request", "empty"),
        ("/v1/duplicates?folder=/etc", 404, "not-found", "/etc"),
        ("/v1/nothing", 404, "not-found", "openapi"),
        ("/../../etc/passwd", 404, "not-found", "openapi"),
        ("/%2e%2e/%2e%2e/etc/passwd", 404, "not-found", "openapi"),
    ];
    assert_eq!(rows.len(), 21);
    for (path, status, name, part) in rows {
        let detail = server.get(path).problem(status, name);
        assert!(detail.contains(part), "{path}: {detail}");
    }
    let refused = server.send("DELETE", "/v1/items/1", &[], b"");
    refused.problem(405, "method-not-allowed");
    assert_eq!(refused.header("allow"), Some("GET,HEAD"));
    let kind = [("Content-Type", "application/json")];
    let broken = server.send("POST", "/v1/search", &kind, b"{");
    broken.problem(400, "bad-request");
    let unknown = server.post("/v1/search", &json!({ "query": "red" }));
    assert!(unknown.problem(400, "bad-request").contains("query"));
}

#[test]
fn pages_fit_together_while_the_index_changes() {
    let env = TestEnv::new();
    corpus::numbered(&env.path("photos"), 30);
    env.index_photos();
    let server = Server::start(&env, &[]);
    let first = server.get("/v1/search?q=red&limit=10").ok();
    let cursor = first["next"].as_str().unwrap().to_owned();
    for number in 0..9 {
        fs_err::remove_file(env.path(format!("photos/000{number}.png"))).unwrap();
    }
    corpus::plain(&env.path("photos/new.png"), "red");
    env.index_photos();
    let began = Instant::now();
    while server.get("/v1/search?q=red&limit=1").ok()["total"] != 22 {
        assert!(began.elapsed() < Duration::from_mins(1), "never newer");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut all = names(&first);
    let mut next = Some(cursor);
    while let Some(cursor) = next {
        let page = server
            .get(&format!("/v1/search?cursor={cursor}&limit=10"))
            .ok();
        assert_eq!(page["generation"], first["generation"]);
        assert_eq!(page["total"], 30);
        all.extend(names(&page));
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(all.len(), 30);
    let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(distinct.len(), 30);
    // Any place of the same list.
    let list = first["cursor"].as_str().unwrap().split('.').next().unwrap();
    let place = server
        .get(&format!("/v1/search?cursor={list}.25&limit=2"))
        .ok();
    assert_eq!(names(&place), all[25..27]);
    assert_eq!(place["hits"][0]["rank"], 26);
    let beyond = server.get(&format!("/v1/search?cursor={list}.900")).ok();
    assert_eq!((names(&beyond).len(), &beyond["next"]), (0, &Value::Null));
    let other = server.get(&format!("/v1/search?q=blue&cursor={list}.0"));
    other.problem(400, "bad-request");
}

#[test]
fn pictures_are_searched_with() {
    let env = TestEnv::indexed();
    let server = Server::start(&env, &[]);
    let red = fs_err::read(env.path("photos/red.png")).unwrap();
    let answer = server
        .upload("/v1/search", &red, Some(&json!({ "limit": 2 })))
        .ok();
    assert_eq!(names(&answer)[0], "red.png");
    assert_eq!(answer["hits"].as_array().unwrap().len(), 2);
    let next = answer["next"].as_str().unwrap();
    let more = server.get(&format!("/v1/search?cursor={next}")).ok();
    assert_eq!(names(&more).len(), 6);
    let base64 = base64(&red);
    let same = server
        .post("/v1/search", &json!({ "image": base64, "limit": 2 }))
        .ok();
    assert_eq!(names(&same), names(&answer));
    let (green, yellow) = (id_of(&server, "green.png"), id_of(&server, "yellow.png"));
    let sum = json!({ "like": [yellow], "minus": [{ "id": green, "weight": 1.0 }] });
    let answer = server.post("/v1/search", &sum).ok();
    let parts = answer["query"]["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 2);
    assert_eq!(
        (&parts[1]["weight"], &parts[0]["is_indexed"]),
        (&json!(-1.0), &json!(true))
    );
    let similar = server.get(&format!("/v1/similar/{yellow}?limit=3")).ok();
    assert_eq!(similar["total"], 7);
    assert!(!names(&similar).contains(&"yellow.png".to_owned()));
    for (body, part) in [
        (json!({ "image": "%%" }), "base64"),
        (json!({ "plus": [{ "weight": 2 }] }), "either"),
        (json!({ "plus": [{ "text": "a", "weight": -2 }] }), "weight"),
        (json!({ "minus": [{ "text": "red" }] }), "negative"),
        (json!({ "image": base64, "by": "words" }), "words"),
    ] {
        let detail = server.post("/v1/search", &body).problem(400, "bad-request");
        assert!(detail.contains(part), "{body}: {detail}");
    }
    let not_a_picture = server.upload("/v1/search", b"Dear diary", None);
    not_a_picture.problem(422, "unusable-picture");
    let bomb = server.upload("/v1/search", &corpus::jpeg_bomb(), None);
    assert!(bomb.problem(422, "unusable-picture").contains("pixels"));
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn captions_explanations_and_the_collection() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    env.write("photos/red.txt", "red\n");
    corpus::plain(&env.path("photos/z/red again.png"), "red");
    env.index_photos();
    let server = Server::start(&env, &[]);
    let red = id_of(&server, "red.png");
    let item = server.get(&format!("/v1/items/{red}")).ok();
    assert_eq!(item["captions"][0]["text"], "red");
    assert_eq!(item["other_paths"].as_array().unwrap().len(), 1);
    let captions = server.get(&format!("/v1/captions?id={red}")).ok();
    assert_eq!(captions["hits"][0]["text"], "red");
    let bytes = fs_err::read(env.path("photos/red.png")).unwrap();
    let uploaded = server.upload("/v1/captions", &bytes, None).ok();
    assert_eq!(uploaded["hits"], captions["hits"]);
    let explained = server.get(&format!("/v1/explain?id={red}&q=red")).ok();
    let overlay = explained["overlay"].as_str().unwrap();
    assert!(
        overlay.starts_with("data:image/png;base64,iVBOR"),
        "{overlay}"
    );
    let printed = env
        .succeed(["explain", "photos/red.png", "red", "--json"])
        .json();
    assert_eq!(explained["grid"], printed["grid"]);
    let facets = server.get("/v1/facets").ok();
    assert_eq!(facets["types"], json!([{ "name": "png", "count": 8 }]));
    let folders = facets["folders"].as_array().unwrap();
    assert_eq!((folders.len(), &folders[0]["count"]), (2, &json!(8)));
    assert_eq!(server.get("/v1/tags").ok(), json!({ "tags": [] }));
    let map = server.get("/v1/map").ok();
    let points = map["points"].as_array().unwrap();
    assert_eq!(points.len(), 8);
    let is_inside = |value: &Value| value.as_f64().unwrap().abs() <= 1.0;
    assert!(
        points
            .iter()
            .all(|point| is_inside(&point[1]) && is_inside(&point[2]))
    );
    let groups = server.get("/v1/duplicates").ok();
    assert_eq!(groups["groups"][0]["keep"]["id"], red);
    let models = server.get("/v1/models").ok();
    assert!(
        models["models"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["place"] == "built in")
    );
}

#[test]
fn thumbnails_are_upright_and_tagged() {
    let env = TestEnv::new();
    let turned = corpus::jpeg_with_orientation(&corpus::halves("red", "blue"), 6);
    env.write("photos/turned.jpg", turned);
    env.index_photos();
    let server = Server::start(&env, &[]);
    let first = server.get("/v1/items/1/thumbnail?size=100");
    assert_eq!(first.status, 200);
    assert_eq!(first.header("content-type"), Some("image/jpeg"));
    let picture = image::load_from_memory(&first.body).unwrap();
    assert_eq!((picture.width(), picture.height()), (32, 48));
    let tag = first.header("etag").unwrap().to_owned();
    let again = server.send(
        "GET",
        "/v1/items/1/thumbnail",
        &[("If-None-Match", &tag)],
        b"",
    );
    assert_eq!((again.status, again.body.len()), (304, 0));
    let larger = server.get("/v1/items/1/thumbnail?size=500");
    assert_ne!(larger.header("etag"), Some(&*tag));
    let hash = server.get("/v1/items/1").ok()["thumbhash"].clone();
    assert!(hash.as_str().is_some_and(|hash| hash.len() > 20), "{hash}");
    let hits = server.get("/v1/search").ok();
    assert_eq!(hits["hits"][0]["thumbhash"], hash);
    // Kept: the file is not read again, as long as it is the one that was indexed.
    fs_err::remove_file(env.path("photos/turned.jpg")).unwrap();
    assert_eq!(server.get("/v1/items/1/thumbnail").body, first.body);
    server.get("/v1/items/1/file").problem(404, "not-found");
    server
        .get("/v1/items/1/thumbnail?size=1600")
        .problem(404, "not-found");
}

#[test]
fn thumbnails_are_made_while_nobody_asks() {
    let env = TestEnv::indexed();
    let server = Server::start(&env, &[]);
    let cache = env.path("home/.cache/sightline/thumbnails/thumbhashes");
    let began = Instant::now();
    while fs_err::metadata(&cache).map_or(0, |about| about.len()) < 8 * 64 {
        assert!(began.elapsed() < Duration::from_mins(1), "none are made");
        std::thread::sleep(Duration::from_millis(50));
    }
    let hits = server.get("/v1/search").ok();
    let hits = hits["hits"].as_array().unwrap();
    assert!(hits.iter().all(|hit| hit["thumbhash"].is_string()));
}

#[test]
fn files_are_sent_as_they_are() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/rötlich \"x\".png"), "red");
    let svg = "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='40'>\
               <script>alert(1)</script><rect width='40' height='40' fill='red'/></svg>";
    env.write("photos/drawn.svg", svg);
    env.index_photos();
    let server = Server::start(&env, &[]);
    let png = id_of(&server, ".png");
    let sent = server.get(&format!("/v1/items/{png}/file"));
    let path = env.path("photos/rötlich \"x\".png");
    assert_eq!(sent.body, fs_err::read(path).unwrap());
    assert_eq!(sent.header("content-type"), Some("image/png"));
    let name = "filename*=UTF-8''r%C3%B6tlich%20%22x%22.png";
    let shown = format!("inline; {name}");
    assert_eq!(sent.header("content-disposition"), Some(&*shown));
    let kept = server.get(&format!("/v1/items/{png}/file?download=true"));
    let kept = kept.header("content-disposition").unwrap().to_owned();
    assert_eq!(kept, format!("attachment; {name}"));
    // A script in a drawing is not run.
    let svg = id_of(&server, ".svg");
    let sent = server.get(&format!("/v1/items/{svg}/file"));
    let policy = sent.header("content-security-policy").unwrap();
    assert!(
        policy.contains("sandbox") && policy.contains("default-src 'none'"),
        "{policy}"
    );
}

#[test]
fn the_index_is_brought_up_to_date() {
    let env = TestEnv::indexed();
    let server = Server::start(&env, &[]);
    let mut events = server.connect();
    let request = format!(
        "GET /v1/index/events HTTP/1.1\r\nHost: {}\r\n\r\n",
        server.address
    );
    events.write_all(request.as_bytes()).unwrap();
    assert_eq!(server.get("/v1/status").ok()["indexing"], Value::Null);
    server
        .post("/v1/index/cancel", &json!({}))
        .problem(409, "conflict");
    corpus::plain(&env.path("photos/new.bmp"), "red");
    let outside = server.post("/v1/index", &json!({ "folders": ["/etc"] }));
    assert!(
        outside
            .problem(404, "not-found")
            .contains("/etc: not a library folder")
    );
    server
        .post("/v1/index", &json!({ "folders": [] }))
        .problem(400, "bad-request");
    let started = server.post("/v1/index", &json!({}));
    assert_eq!((started.status, &started.json()["run"]), (202, &json!(1)));
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    // The generation is sent at the start, and again when the run has made a newer one.
    while !seen.contains("event: done") || seen.matches("event: generation").count() < 2 {
        let n = events.read(&mut buffer).unwrap();
        assert!(n > 0, "{seen}");
        seen += &String::from_utf8_lossy(&buffer[..n]);
    }
    assert!(seen.contains("event: progress"), "{seen}");
    let status = server.get("/v1/status").ok();
    let run = &status["indexing"];
    assert_eq!(
        (&run["running"], &run["report"]["added"]),
        (&json!(false), &json!(1))
    );
    assert_eq!(
        (&status["images"], &status["allows_copy"]),
        (&json!(9), &json!(false))
    );
    assert_eq!(
        names(&server.get("/v1/search?q=type:bmp").ok()),
        ["new.bmp"]
    );
    let folder = env.path("photos").display().to_string();
    let named = server.post("/v1/index", &json!({ "folders": [folder] }));
    assert_eq!(named.status, 202);
}

#[test]
fn a_run_is_cancelled_and_searches_go_on_meanwhile() {
    let env = TestEnv::indexed();
    corpus::numbered(&env.path("photos"), 3000);
    let mut server = Server::start(&env, &[]);
    assert_eq!(server.post("/v1/index", &json!({})).status, 202);
    server
        .post("/v1/index", &json!({}))
        .problem(409, "conflict");
    assert_eq!(
        names(&server.get("/v1/search?q=red&limit=1").ok()),
        ["red.png"]
    );
    let stopping = server.post("/v1/index/cancel", &json!({}));
    assert_eq!(stopping.status, 202);
    let began = Instant::now();
    let run = loop {
        let run = server.get("/v1/status").ok()["indexing"].clone();
        if run["running"] == false {
            break run;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "it never stops");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(run["report"]["interrupted"], true);
    // A run in progress is committed when the server is stopped, though a page watches it.
    let mut events = server.connect();
    let request = format!(
        "GET /v1/index/events HTTP/1.1\r\nHost: {}\r\n\r\n",
        server.address
    );
    events.write_all(request.as_bytes()).unwrap();
    assert_eq!(server.post("/v1/index", &json!({})).status, 202);
    std::thread::sleep(Duration::from_millis(200));
    server.signal(Signal::SIGINT);
    assert_eq!(server.wait(), Some(0), "{}", server.said());
    env.succeed(["check"]);
}

#[test]
fn a_request_is_finished_before_the_server_ends() {
    let env = TestEnv::indexed();
    let mut server = Server::start(&env, &[]);
    let mut stream = server.connect();
    let body = json!({ "q": "red" }).to_string();
    let head = format!(
        "POST /v1/search HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        server.address,
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    server.signal(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(300));
    stream.write_all(body.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    assert_eq!(names(&reply(&bytes).ok())[0], "red.png");
    assert_eq!(server.wait(), Some(0));
    // A request that is never finished: the second Ctrl-C quits.
    let mut server = Server::start(&env, &[]);
    let mut stream = server.connect();
    let head = head.replace("Host: ", &format!("Host: {}\r\nX-Before: ", server.address));
    stream.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    server.signal(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(300));
    server.signal(Signal::SIGINT);
    assert_eq!(server.wait(), Some(130));
}

#[test]
fn pictures_are_exported_and_copied() {
    let env = TestEnv::indexed();
    let server = Server::start(&env, &[]);
    let ids = [id_of(&server, "red.png"), id_of(&server, "blue.png")];
    let list = server.post("/v1/export", &json!({ "ids": ids, "as": "list" }));
    let root = env.path("photos").display().to_string();
    let expected = format!("{root}/red.png\n{root}/blue.png\n");
    assert_eq!(String::from_utf8_lossy(&list.body), expected);
    let zip = server.post("/v1/export", &json!({ "ids": ids, "as": "zip" }));
    assert_eq!(zip.header("content-type"), Some("application/zip"));
    let name = "attachment; filename*=UTF-8''pictures.zip";
    assert_eq!(zip.header("content-disposition"), Some(name));
    fs_err::write(env.path("pictures.zip"), &zip.body).unwrap();
    let listed = "import zipfile; z = zipfile.ZipFile('pictures.zip'); print(z.testzip(), \
                  [(i.filename, i.file_size) for i in z.infolist()])";
    let listed = env
        .program("/usr/bin/env", ["python3", "-c", listed])
        .run()
        .expect(0);
    let size = fs_err::metadata(env.path("photos/red.png")).unwrap().len();
    assert!(
        listed.stdout().starts_with("None [('red.png', "),
        "{listed}"
    );
    assert!(listed.stdout().contains(&size.to_string()), "{listed}");
    server
        .post("/v1/export", &json!({ "ids": [], "as": "zip" }))
        .problem(400, "bad-request");
    server
        .post("/v1/export", &json!({ "ids": [99], "as": "zip" }))
        .problem(404, "not-found");
    let copy = json!({ "ids": ids, "to": "best" });
    assert!(
        server
            .post("/v1/copy", &copy)
            .problem(403, "forbidden")
            .contains("--allow-copy")
    );

    let chosen = env.path("chosen").display().to_string();
    let server = Server::start(&env, &["--allow-copy", &chosen]);
    server.post("/v1/copy", &copy).problem(401, "unauthorized");
    let bearer = format!("Bearer {}", server.token.as_ref().unwrap());
    let headers = [
        ("Content-Type", "application/json"),
        ("Authorization", &*bearer),
    ];
    let send =
        |body: &Value| server.send("POST", "/v1/copy", &headers, body.to_string().as_bytes());
    let done = send(&copy).ok();
    assert_eq!(
        (&done["copied"], &done["already_there"]),
        (&json!(2), &json!(0))
    );
    assert!(env.path("chosen/best/red.png").exists());
    assert_eq!(send(&copy).ok()["already_there"], 2);
    std::os::unix::fs::symlink(env.path("home"), env.path("chosen/out")).unwrap();
    let unknown = send(&json!({ "ids": [99], "to": "empty" }));
    unknown.problem(404, "not-found");
    assert!(!env.path("chosen/empty").exists());
    let long = "x".repeat(300);
    for to in ["a\u{0}b", &long, "red.png/x/\u{0}"] {
        send(&json!({ "ids": ids, "to": to })).problem(400, "bad-request");
    }
    for to in ["../x", "/etc", "a/../../x", "out", "."] {
        let refused = send(&json!({ "ids": ids, "to": to }));
        assert!([200, 400].contains(&refused.status));
        assert!(to == "." || refused.status == 400, "{to}");
    }
    assert!(!env.path("home/red.png").exists() && !env.path("x").exists());
}

#[test]
fn the_server_says_how_it_is() {
    let env = TestEnv::indexed();
    let server = Server::start(&env, &[]);
    assert_eq!(server.get("/healthz").ok()["status"], "ok");
    assert_eq!(server.get("/readyz").ok()["status"], "ok");
    assert_eq!(
        server.get("/version").ok()["version"],
        env!("CARGO_PKG_VERSION")
    );
    server.get("/v1/search?q=red").ok();
    server.get("/v1/search?q=red&limit=0");
    let figures = server.get("/metrics");
    let text = String::from_utf8_lossy(&figures.body);
    for line in [
        "sightline_requests_total{route=\"/v1/search\",status=\"200\"} 1",
        "sightline_requests_total{route=\"/v1/search\",status=\"400\"} 1",
        "sightline_images 8",
        "sightline_request_seconds_count{route=\"/healthz\"} 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let document = server.get("/openapi.json").ok();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 22, "{} paths", paths.len());
    for (path, methods) in paths {
        for operation in methods.as_object().unwrap().values() {
            assert!(operation["responses"]["default"].is_object(), "{path}");
        }
    }
    assert!(document["components"]["schemas"]["Problem"].is_object());
    // Without an index.
    let env = TestEnv::new();
    let server = Server::start(&env, &[]);
    assert_eq!(server.get("/healthz").ok()["status"], "ok");
    server.get("/readyz").problem(503, "no-index");
    server.get("/v1/search?q=red").problem(503, "no-index");
    // One that is made later is served.
    corpus::one_of_each(&env.path("photos"));
    env.index_photos();
    assert_eq!(server.get("/v1/search?q=red").ok()["total"], 8);
}

#[test]
fn a_named_port_is_that_port_and_the_default_one_may_move() {
    let env = TestEnv::indexed();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ran = env.fail(["serve", "--port", &port]);
    let expected = format!("error: cannot listen at 127.0.0.1:{port}: ");
    assert!(ran.stderr().starts_with(&expected), "{ran}");
    let hint = format!("hint: another program uses port {port}, ");
    assert!(ran.stderr().contains(&hint), "{ran}");
    assert!(ran.stderr().contains("`sightline serve --port 0"), "{ran}");
    // Whoever has it: the first of two has the default port or a later one, the second another.
    let first = Server::of(env.sightline(["serve"]));
    let second = Server::of(env.sightline(["serve"]));
    assert_ne!(first.address, second.address);
    for server in [&first, &second] {
        assert_eq!(server.get("/healthz").status, 200);
    }
}
