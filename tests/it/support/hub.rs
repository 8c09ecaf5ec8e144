//! A model hub served by the test, faults included.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use sha1::Digest;

use super::{CLIP_FILES, CLIP_MODEL};

/// The repository that it serves.
pub(crate) const REPOSITORY: &str = "someone/tiny-clip";
/// The commit of its files.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A request received by the hub.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
}

/// Behaviour of the hub, faults included.
#[derive(Clone, Default)]
pub(crate) struct Behaviour {
    /// Breaks the connection: the file, after how many bytes, and how many times.
    pub(crate) cut: Option<(&'static str, usize, usize)>,
    /// Sends this file with a wrong byte.
    pub(crate) corrupted: Option<&'static str>,
    /// Responds to every request with this status.
    pub(crate) status: Option<u16>,
    /// Requires this token.
    pub(crate) token: Option<&'static str>,
    pub(crate) no_ranges: bool,
    /// Redirects requests for files to this address.
    pub(crate) files_at: Option<String>,
    /// Sends this file slowly enough to be interrupted.
    pub(crate) slow: Option<&'static str>,
    /// Files with other contents; an empty one is missing.
    pub(crate) replaced: &'static [(&'static str, &'static str)],
    /// Name of the repository, if not [`REPOSITORY`].
    pub(crate) repository: Option<&'static str>,
}

impl Behaviour {
    pub(crate) fn repository(&self) -> &'static str {
        self.repository.unwrap_or(REPOSITORY)
    }

    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = files();
        for (path, content) in self.replaced {
            if content.is_empty() {
                files.remove(*path);
            } else {
                files.insert((*path).to_owned(), content.as_bytes().to_vec());
            }
        }
        files
    }
}

/// HTTP server that stands in for the hub.
pub(crate) struct Hub {
    pub(crate) address: String,
    pub(crate) requests: Arc<Mutex<Vec<Request>>>,
    pub(crate) behaviour: Arc<Mutex<Behaviour>>,
}

impl Hub {
    pub(crate) fn new(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hub = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            requests: Arc::default(),
            behaviour: Arc::new(Mutex::new(behaviour)),
        };
        let (requests, behaviour) = (Arc::clone(&hub.requests), Arc::clone(&hub.behaviour));
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (requests, behaviour) = (Arc::clone(&requests), Arc::clone(&behaviour));
                std::thread::spawn(move || serve(connection.unwrap(), &requests, &behaviour));
            }
        });
        hub
    }

    pub(crate) fn requests_of(&self, part: &str) -> Vec<Request> {
        let requests = self.requests.lock().unwrap();
        let matching = requests.iter().filter(|one| one.path.contains(part));
        matching.cloned().collect()
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }
}

/// The files of the repository by path: those of the model and two more.
pub(crate) fn files() -> BTreeMap<String, Vec<u8>> {
    let read = |name: &str| fs_err::read(Path::new(CLIP_MODEL).join(name)).unwrap();
    let mut files: BTreeMap<_, _> = CLIP_FILES.map(|name| (name.to_owned(), read(name))).into();
    files.insert("README.md".to_owned(), b"---\nlicense: mit\n---\n".to_vec());
    files.insert("pytorch_model.bin".to_owned(), vec![0; 1000]);
    files
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Git's hash of a file.
pub(crate) fn git_sha1(content: &[u8]) -> String {
    let mut blob = format!("blob {}\0", content.len()).into_bytes();
    blob.extend(content);
    hex(&sha1::Sha1::digest(&blob))
}

/// The hub's description of the repository: large files with SHA-256, others as git blobs.
fn listing(behaviour: &Behaviour) -> Vec<u8> {
    let siblings: Vec<_> = behaviour
        .files()
        .iter()
        .map(|(path, content)| {
            let mut sibling = json!({
                "rfilename": path,
                "size": content.len(),
                "blobId": git_sha1(content),
            });
            if path.contains(".onnx") || path.contains(".bin") {
                let sha256 = hex(&sha2::Sha256::digest(content));
                sibling["blobId"] = json!("0000000000000000000000000000000000000000");
                sibling["lfs"] =
                    json!({ "sha256": sha256, "size": content.len(), "pointerSize": 130 });
            }
            sibling
        })
        .collect();
    let mut more = json!({
        "id": behaviour.repository(),
        "sha": COMMIT,
        "gated": false,
        "siblings": siblings,
    });
    // Repositories with copies of other models often state no licence.
    if behaviour.repository.is_none() {
        more["cardData"] = json!({ "license": "mit" });
    }
    serde_json::to_vec(&more).unwrap()
}

fn serve(mut connection: TcpStream, requests: &Mutex<Vec<Request>>, behaviour: &Mutex<Behaviour>) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() || line.is_empty() {
        return;
    }
    let path = line.split(' ').nth(1).unwrap().to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let request = Request { path, headers };
    requests.lock().unwrap().push(request.clone());
    // A killed client closes its connection.
    let _ = answer(&mut connection, &request, behaviour);
}

fn answer(
    connection: &mut TcpStream,
    request: &Request,
    shared: &Mutex<Behaviour>,
) -> std::io::Result<()> {
    let behaviour = shared.lock().unwrap().clone();
    let mut head = |status: &str, headers: &str| {
        write!(
            connection,
            "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n"
        )
    };
    let empty = "Content-Length: 0\r\n";
    if let Some(status) = behaviour.status {
        return head(&format!("{status} No"), empty);
    }
    let authorized = request.headers.get("authorization");
    if let Some(token) = behaviour.token
        && authorized != Some(&format!("Bearer {token}"))
    {
        return head("401 Unauthorized", empty);
    }
    let repository = behaviour.repository();
    let listed = format!("/api/models/{repository}/revision/main?blobs=true");
    if request.path == listed {
        let body = listing(&behaviour);
        head("200 OK", &format!("Content-Length: {}\r\n", body.len()))?;
        return connection.write_all(&body);
    }
    let resolved = format!("/{repository}/resolve/{COMMIT}/");
    let all = behaviour.files();
    let found = request.path.strip_prefix(&resolved);
    let Some((path, content)) = found.and_then(|path| Some((path, all.get(path)?))) else {
        return head("404 Not Found", empty);
    };
    if let Some(elsewhere) = &behaviour.files_at {
        let location = format!("Location: {elsewhere}{}\r\n{empty}", request.path);
        return head("302 Found", &location);
    }
    let mut content = content.clone();
    if behaviour.corrupted == Some(path) {
        content[0] ^= 1;
    }
    let range = request
        .headers
        .get("range")
        .filter(|_| !behaviour.no_ranges);
    let from: usize = range.map_or(0, |range| {
        range
            .strip_prefix("bytes=")
            .unwrap()
            .trim_end_matches('-')
            .parse()
            .unwrap()
    });
    let rest = &content[from..];
    let length = format!("Content-Length: {}\r\n", rest.len());
    if range.is_some() {
        let total = content.len();
        let range = format!("Content-Range: bytes {from}-{}/{total}\r\n", total - 1);
        head("206 Partial Content", &format!("{length}{range}"))?;
    } else {
        head("200 OK", &length)?;
    }
    if behaviour.slow == Some(path) {
        for piece in rest.chunks(2000) {
            connection.write_all(piece)?;
            connection.flush()?;
            std::thread::sleep(Duration::from_millis(100));
        }
        return Ok(());
    }
    if let Some((cut, n_bytes, n_times)) = behaviour.cut
        && cut == path
        && n_times > 0
    {
        shared.lock().unwrap().cut = Some((cut, n_bytes, n_times - 1));
        return connection.write_all(&rest[..n_bytes.min(rest.len())]);
    }
    connection.write_all(rest)
}
