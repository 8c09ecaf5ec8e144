//! `sightline serve` in a test, and a client of few lines that sends any request.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{TestCommand, TestEnv};

/// A server that runs until it is dropped.
pub(crate) struct Server {
    child: Child,
    stderr: BufReader<ChildStderr>,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    /// The token that it printed.
    pub(crate) token: Option<String>,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let body = &self.body;
        serde_json::from_slice(body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(body)))
    }

    /// Asserts that it is a problem of this status and kind, and returns its detail.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, name: &str) -> String {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        let kind = self.header("content-type");
        assert_eq!(kind, Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["type"], format!("/problems/{name}"));
        assert_eq!(problem["status"], status);
        assert!(problem["title"].as_str().unwrap().len() > 3);
        problem["detail"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }
}

impl Server {
    /// Serves the index of `env` at a free port.
    #[track_caller]
    pub(crate) fn start(env: &TestEnv, arguments: &[&str]) -> Self {
        let command = env.sightline(["serve", "--port", "0"]).args(arguments);
        Self::of(command)
    }

    #[track_caller]
    pub(crate) fn of(command: TestCommand) -> Self {
        let TestCommand { mut command } = command;
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let (mut address, mut token, mut said) = (None, None, String::new());
        while address.is_none() {
            let mut line = String::new();
            let n = stderr.read_line(&mut line).unwrap();
            said += &line;
            assert!(n > 0, "the server ended: {said}");
            if let Some((_, rest)) = line.split_once("http://") {
                address = rest.split('/').next().map(str::to_owned);
            }
            if let Some(shown) = line.trim().strip_prefix("token: ") {
                token = Some(shown.to_owned());
            }
        }
        Self {
            child,
            stderr,
            address: address.unwrap(),
            token,
        }
    }

    /// Sends these bytes as they are, and reads until the server closes the connection.
    pub(crate) fn raw(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        reply
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_mins(1)))
            .unwrap();
        stream
    }

    /// Sends a request; `Host`, the length and `Connection` are added unless they are given.
    #[track_caller]
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let has = |name: &str| {
            headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        let mut add = |name: &str, value: &str| head += &[name, ": ", value, "\r\n"].concat();
        if !has("Host") {
            add("Host", &self.address);
        }
        if method == "POST" {
            add("Content-Length", &body.len().to_string());
        }
        add("Connection", "close");
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            add(name, value);
        }
        let request = [head.as_bytes(), b"\r\n", body].concat();
        reply(&self.raw(&request))
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], b"")
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        let kind = [("Content-Type", "application/json")];
        self.send("POST", path, &kind, body.to_string().as_bytes())
    }

    /// Sends a picture, and JSON beside it, as the parts of a form.
    #[track_caller]
    pub(crate) fn upload(&self, path: &str, picture: &[u8], query: Option<&Value>) -> Reply {
        let mut body = b"--xyz\r\nContent-Disposition: form-data; name=\"picture\"; \
            filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
            .to_vec();
        body.extend(picture);
        if let Some(query) = query {
            body.extend(b"\r\n--xyz\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\n");
            body.extend(query.to_string().as_bytes());
        }
        body.extend(b"\r\n--xyz--\r\n");
        let kind = [("Content-Type", "multipart/form-data; boundary=xyz")];
        self.send("POST", path, &kind, &body)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    /// Waits for its end, and returns the exit code.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert_eq!(status.signal(), None);
                return status.code();
            }
            assert!(began.elapsed() < Duration::from_mins(1), "it never ends");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it says on stderr until it ends.
    pub(crate) fn said(&mut self) -> String {
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a reply; a body in chunks is joined.
#[track_caller]
pub(crate) fn reply(bytes: &[u8]) -> Reply {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no reply: {}", String::from_utf8_lossy(bytes)));
    let head = str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut body = bytes[end + 4..].to_vec();
    if headers.contains(&("transfer-encoding".to_owned(), "chunked".to_owned())) {
        let (mut rest, mut joined) = (&body[..], Vec::new());
        while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
            let n = usize::from_str_radix(str::from_utf8(&rest[..at]).unwrap(), 16).unwrap();
            if n == 0 {
                break;
            }
            joined.extend(&rest[at + 2..at + 2 + n]);
            rest = &rest[at + 4 + n..];
        }
        body = joined;
    }
    Reply {
        status: status.parse().unwrap(),
        headers,
        body,
    }
}
