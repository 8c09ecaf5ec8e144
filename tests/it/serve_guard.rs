//! `sightline serve` under attack: each rule of the guard, tried over a real socket.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::http::{Server, reply};
use crate::support::{TestEnv, corpus};

#[test]
fn requests_to_other_hosts_are_refused() {
    let env = TestEnv::indexed();
    let server = Server::start(
        &env,
        &["--host", "photos.local", "--host", "proxy.test:8443"],
    );
    let port = server.address.rsplit_once(':').unwrap().1;
    let status = |host: &str| {
        let path = "/v1/search";
        server.send("GET", path, &[("Host", host)], b"").status
    };
    let at = |host: &str| format!("{host}:{port}");
    for host in [
        &*at("localhost"),
        &at("LocalHost"),
        &at("127.0.0.1"),
        &at("[::1]"),
        &at("photos.local"),
        "photos.local",
        "proxy.test:8443",
    ] {
        assert_eq!(status(host), 200, "{host}");
    }
    for host in [
        "evil.example",
        &at("evil.example"),
        &at("0.0.0.0"),
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost:80",
        &at("localhost.evil.example"),
        &at("photos.local.evil.example"),
        "proxy.test",
        "proxy.test:80",
        &at("user@localhost"),
    ] {
        let sent = server.send("GET", "/v1/search", &[("Host", host)], b"");
        let detail = sent.problem(403, "forbidden");
        assert!(detail.contains("Host"), "{host}");
        assert_eq!(sent.header("access-control-allow-origin"), None);
    }
    let raw = |request: String| reply(&server.raw(request.as_bytes())).status;
    let close = "Connection: close\r\n\r\n";
    assert_eq!(raw(format!("GET / HTTP/1.0\r\n{close}")), 403);
    assert!([400, 403].contains(&raw(format!("GET / HTTP/1.1\r\n{close}"))));
    let two = format!("Host: {}\r\nHost: evil.example\r\n{close}", server.address);
    assert!([400, 403].contains(&raw(format!("GET / HTTP/1.1\r\n{two}"))));
    let host = format!("Host: {}\r\n{close}", server.address);
    assert_eq!(
        raw(format!("GET http://evil.example/ HTTP/1.1\r\n{host}")),
        403
    );
}

#[test]
fn requests_of_other_sites_are_refused() {
    let env = TestEnv::indexed();
    let server = Server::start(&env, &[]);
    let own = format!("http://{}", server.address);
    let get = |path: &str, headers: &[(&str, &str)]| server.send("GET", path, headers, b"").status;
    assert_eq!(get("/v1/search", &[("Origin", &own)]), 200);
    for origin in [
        "http://evil.example",
        "null",
        "https://localhost",
        "http://localhost:1",
        "x",
    ] {
        assert_eq!(get("/v1/search", &[("Origin", origin)]), 403, "{origin}");
    }
    for (site, expected) in [("same-origin", 200), ("none", 200), ("same-site", 403)] {
        assert_eq!(
            get("/v1/search", &[("Sec-Fetch-Site", site)]),
            expected,
            "{site}"
        );
    }
    let site = |site| ("Sec-Fetch-Site", site);
    assert_eq!(get("/v1/search", &[site("CROSS-SITE")]), 403);
    // Which of two counts would depend on who reads them.
    for (name, value) in [("Origin", &*own), site("same-origin")] {
        assert_eq!(get("/v1/search", &[(name, value), (name, value)]), 400);
    }
    let cross = ("Sec-Fetch-Site", "cross-site");
    assert_eq!(get("/v1/items/1/thumbnail", &[cross]), 403);
    // A link leads to the page, and to nothing else; other sites cannot show it in a frame.
    let followed = [cross, ("Sec-Fetch-Mode", "navigate")];
    assert_eq!(get("/", &followed), 200);
    assert_eq!(get("/", &[cross]), 403);
    assert_eq!(get("/v1/search", &followed), 403);
    let page = server.get("/");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("cross-origin-resource-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        for path in ["/", "/v1/search", "/nothing", "/v1/items/1/file"] {
            assert_eq!(server.get(path).header(name), Some(value), "{path}");
        }
    }
    assert_eq!(page.header("access-control-allow-origin"), None);
    assert_eq!(server.send("OPTIONS", "/v1/search", &[], b"").status, 405);
}

#[test]
fn forms_of_other_sites_cannot_post() {
    let env = TestEnv::indexed();
    let server = Server::start(&env, &[]);
    for kind in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
    ] {
        for path in ["/v1/index", "/v1/search", "/v1/index/cancel", "/v1/session"] {
            let sent = server.send("POST", path, &[("Content-Type", kind)], b"{}");
            sent.problem(415, "unsupported-media-type");
        }
    }
    let kind = [("Content-Type", "Application/JSON; charset=utf-8")];
    assert_eq!(server.send("POST", "/v1/search", &kind, b"{}").status, 200);
    assert_eq!(server.get("/v1/status").ok()["indexing"], Value::Null);
}

#[test]
fn a_token_is_demanded_where_there_is_one() {
    let env = TestEnv::indexed();
    let token = "0123456789abcdef-token";
    env.write("token.txt", format!("{token}\n"));
    let server = Server::start(&env, &["--token-file", "token.txt"]);
    assert_eq!(server.token, None);
    let get = |path: &str, headers: &[(&str, &str)]| server.send("GET", path, headers, b"");
    let refused = get("/v1/search", &[]);
    refused.problem(401, "unauthorized");
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    for path in [
        "/v1/items/1/file",
        "/v1/items/1/thumbnail",
        "/v1/status",
        "/metrics",
        "/openapi.json",
        "/nothing",
    ] {
        get(path, &[]).problem(401, "unauthorized");
    }
    for path in ["/", "/healthz", "/readyz"] {
        assert_eq!(get(path, &[]).status, 200, "{path}");
    }
    let bearer = |token: &str| format!("Bearer {token}");
    for wrong in [
        "",
        "Basic x",
        &bearer("0123456789abcdef-tokem"),
        &bearer(""),
        token,
    ] {
        get("/v1/search", &[("Authorization", wrong)]).problem(401, "unauthorized");
    }
    for right in [&*bearer(token), &format!("bearer {token}")] {
        assert_eq!(get("/v1/search", &[("Authorization", right)]).status, 200);
    }
    // The page keeps it in a cookie that no script can read and no other site can make use of.
    server
        .post("/v1/session", &json!({ "token": "wrong" }))
        .problem(401, "unauthorized");
    let session = server.post("/v1/session", &json!({ "token": token }));
    assert_eq!(session.status, 204);
    let cookie = session.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    let pair = cookie.split(';').next().unwrap();
    assert_eq!(
        get("/v1/search", &[("Cookie", &format!("a=b; {pair}"))]).status,
        200
    );
    get("/v1/search", &[("Cookie", "sightline_token=wrong")]).problem(401, "unauthorized");

    for bad in ["short", "with spaces in it, long", ""] {
        env.write("bad.txt", bad);
        let ran = env.fail(["serve", "--token-file", "bad.txt"]);
        assert!(ran.stderr().contains("bad.txt: expected one line"), "{ran}");
    }
    // Other machines can connect: a token is made, and it is another one each time.
    let tokens = [0, 1].map(|_| {
        let server = Server::start(&env, &["--bind", "0.0.0.0"]);
        // Requests to 0.0.0.0 are refused, so the URL that is printed has another host.
        assert!(
            server.address.starts_with("127.0.0.1:"),
            "{}",
            server.address
        );
        server.get("/v1/search").problem(401, "unauthorized");
        server.token.clone().unwrap()
    });
    assert_ne!(tokens[0], tokens[1]);
    assert_eq!(tokens[0].len(), 32);
}

#[test]
fn every_address_of_this_machine_is_a_host_where_every_one_is_served() {
    let env = TestEnv::indexed();
    let server = Server::start(&env, &["--bind", "0.0.0.0"]);
    let port = server.address.rsplit_once(':').unwrap().1;
    let status = |headers: &[(&str, &str)]| server.send("GET", "/", headers, b"").status;
    let at = |host: &str| format!("{host}:{port}");
    let (here, there) = (at("198.51.100.7"), at("[2001:db8::7]"));
    for host in [&here, &there] {
        assert_eq!(status(&[("Host", host)]), 200, "{host}");
        let origin = format!("http://{host}");
        assert_eq!(status(&[("Host", host), ("Origin", &origin)]), 200);
        // A page at another address is another site.
        assert_eq!(status(&[("Origin", &origin)]), 403, "{host}");
    }
    for host in [
        "198.51.100.7:1",
        "198.51.100.7",
        &at("0.0.0.0"),
        &at("a.test"),
    ] {
        let sent = server.send("GET", "/", &[("Host", host)], b"");
        let detail = sent.problem(403, "forbidden");
        assert!(detail.contains("--host NAME"), "{detail}");
    }
}

#[test]
fn options_that_cannot_work_are_refused() {
    let env = TestEnv::indexed();
    for host in [
        "http://x.test",
        "a/b",
        "0.0.0.0",
        "[::]:80",
        "",
        "a@b",
        "x:",
    ] {
        let ran = env.fail(["serve", "--port", "0", "--host", host]);
        let said = format!("--host {host}: expected a name");
        assert!(ran.stderr().contains(&said), "{ran}");
    }
    env.write("file", "x");
    for folder in ["file", "/proc/nowhere"] {
        let ran = env.fail(["serve", "--port", "0", "--allow-copy", folder]);
        let said = format!("--allow-copy {folder}: this is not a folder");
        assert!(ran.stderr().contains(&said), "{ran}");
    }
}

#[test]
fn a_form_that_breaks_off_is_a_bad_request() {
    let env = TestEnv::indexed();
    let server = Server::start(&env, &[]);
    let body =
        b"--xyz\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"a\"\r\n\r\nx";
    let kind = [("Content-Type", "multipart/form-data; boundary=xyz")];
    let sent = server.send("POST", "/v1/search", &kind, body);
    sent.problem(400, "bad-request");
}

#[test]
fn the_token_is_demanded_however_a_path_is_written() {
    let env = TestEnv::indexed();
    env.write("token.txt", "0123456789abcdef-token\n");
    let server = Server::start(&env, &["--token-file", "token.txt"]);
    for path in ["/", "/healthz", "/readyz"] {
        let head = server.send("HEAD", path, &[], b"");
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
    let file = "/v1/items/1/file";
    assert_eq!(server.send("HEAD", file, &[], b"").status, 401);
    for path in [
        "/healthz/",
        "/healthz/../v1/status",
        "//",
        "/%2e/v1/status",
        "/v1/%73tatus",
    ] {
        server.get(path).problem(401, "unauthorized");
    }
}

#[test]
fn only_files_of_the_library_are_sent() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    corpus::save(&env.path("secret.png"), &corpus::halves("red", "blue"));
    corpus::save(
        &env.path("photos/inner.png"),
        &corpus::halves("red", "green"),
    );
    env.index_photos();
    let server = Server::start(&env, &[]);
    let n_images = server.get("/v1/search").ok()["total"].as_u64().unwrap();
    assert_eq!(n_images, 9);
    let all = server.get("/v1/search?limit=100").ok();
    let inner = all["hits"].as_array().unwrap().iter().find(|hit| {
        let path = hit["path"].as_str().unwrap();
        path.ends_with("inner.png")
    });
    let id = inner.unwrap()["id"].as_u64().unwrap();
    let file = format!("/v1/items/{id}/file");
    assert_eq!(server.get(&file).status, 200);
    // After indexing, a link to a file elsewhere takes its place.
    let path = env.path("photos/inner.png");
    let about = fs_err::metadata(&path).unwrap();
    fs_err::rename(&path, env.path("moved.png")).unwrap();
    std::os::unix::fs::symlink(env.path("moved.png"), &path).unwrap();
    let same = fs_err::metadata(&path).unwrap();
    assert_eq!(same.modified().unwrap(), about.modified().unwrap());
    for path in [&*file, &format!("/v1/items/{id}/thumbnail?size=640")] {
        let refused = server.get(path);
        let detail = refused.problem(404, "not-found");
        assert!(detail.contains("library folder"), "{detail}");
    }
    // Another file takes its place.
    fs_err::remove_file(&path).unwrap();
    fs_err::copy(env.path("secret.png"), &path).unwrap();
    server.get(&file).problem(404, "not-found");
    fs_err::remove_file(&path).unwrap();
    fs_err::rename(env.path("moved.png"), &path).unwrap();
    assert_eq!(server.get(&file).status, 200);
}

#[test]
fn a_folder_that_became_a_link_leads_nowhere() {
    let env = TestEnv::new();
    corpus::plain(&env.path("photos/below/red.png"), "red");
    env.index_photos();
    let server = Server::start(&env, &[]);
    assert_eq!(server.get("/v1/items/1/file").status, 200);
    fs_err::rename(env.path("photos/below"), env.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(env.path("elsewhere"), env.path("photos/below")).unwrap();
    assert!(env.path("photos/below/red.png").exists());
    server.get("/v1/items/1/file").problem(404, "not-found");
}

/// How many chunks of a megabyte of spaces are taken as a body, of at most `n`. What the system
/// keeps of what the server does not read counts too: a few.
fn sent_in_chunks(server: &Server, path: &str, n: usize) -> usize {
    let mut stream = server.connect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n\
         Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
        server.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = [&b"100000\r\n"[..], &vec![b' '; 1 << 20], b"\r\n"].concat();
    let mut n_sent = 0;
    while n_sent < n && stream.write_all(&chunk).is_ok() {
        n_sent += 1;
    }
    n_sent
}

#[test]
fn uploads_are_limited() {
    let env = TestEnv::indexed();
    let server = Server::start(&env, &["--mcp"]);
    // What is announced as too large is refused before it is sent.
    let mut stream = server.connect();
    let head = format!(
        "POST /v1/search HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{{",
        server.address,
        1_u64 << 40
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    reply(&bytes).problem(413, "too-large");
    // What is not announced is refused when it is too much.
    assert!(sent_in_chunks(&server, "/v1/search", 110) < 110);
    // So is one that has no picture in it, long before, and one that only assistants send.
    for path in ["/v1/session", "/v1/index", "/mcp"] {
        let n_sent = sent_in_chunks(&server, path, 80);
        assert!(n_sent < 40, "{path} took {n_sent} MB");
    }
    let ids = vec![1; 100_001];
    let many = server.post("/v1/export", &json!({ "ids": ids, "as": "list" }));
    many.problem(413, "too-large");
}

#[test]
fn too_many_long_requests_are_put_off() {
    let env = TestEnv::indexed();
    let server = Server::start(&env, &[]);
    // 2 at work and 30 waiting are taken.
    let mut streams = Vec::new();
    for _ in 0..120 {
        let mut stream = server.connect();
        let request = format!(
            "GET /v1/explain?id=1&q=red HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            server.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        streams.push(stream);
    }
    // Short ones are answered meanwhile.
    assert_eq!(server.get("/v1/search?q=red").status, 200);
    let (mut n_done, mut n_refused) = (0, 0);
    for mut stream in streams {
        stream
            .set_read_timeout(Some(Duration::from_mins(2)))
            .unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let reply = reply(&bytes);
        if reply.status == 200 {
            n_done += 1;
        } else {
            reply.problem(429, "too-many-requests");
            assert_eq!(reply.header("retry-after"), Some("1"));
            n_refused += 1;
        }
    }
    assert!(
        n_done >= 32 && n_refused >= 1,
        "{n_done} done, {n_refused} refused"
    );
}

#[test]
fn long_questions_are_refused() {
    let env = TestEnv::indexed();
    let server = Server::start(&env, &[]);
    let text = "red ".repeat(5_000);
    for question in [
        json!({ "q": text }),
        json!({ "plus": [{ "text": text }] }),
        json!({ "like": vec![1; 101] }),
    ] {
        let refused = server.post("/v1/search", &question);
        assert!(refused.problem(400, "bad-request").contains("at most"));
    }
    let path = format!("/v1/search?q={}", "x".repeat(40_000));
    assert_eq!(server.get(&path).status, 431);
    assert_eq!(server.get("/v1/search?q=red").status, 200);
}

#[test]
fn streams_of_events_are_limited() {
    let env = TestEnv::indexed();
    let server = Server::start(&env, &[]);
    let open = || {
        let mut stream = server.connect();
        let request = format!(
            "GET /v1/index/events HTTP/1.1\r\nHost: {}\r\n\r\n",
            server.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).unwrap();
        (String::from_utf8_lossy(&start).into_owned(), stream)
    };
    let mut streams = Vec::new();
    for _ in 0..64 {
        let (start, stream) = open();
        assert_eq!(start, "HTTP/1.1 200");
        streams.push(stream);
    }
    assert_eq!(open().0, "HTTP/1.1 429");
    assert_eq!(server.get("/v1/search?q=red").status, 200);
    // One that is closed makes room.
    drop(streams.pop());
    let began = std::time::Instant::now();
    while open().0 != "HTTP/1.1 200" {
        assert!(began.elapsed() < Duration::from_mins(1), "no room");
        std::thread::sleep(Duration::from_millis(50));
    }
}
