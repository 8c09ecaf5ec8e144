//! Requests to the hub.
//!
//! Redirects are followed here and not by the HTTP library: the token is sent to the hub only,
//! never after a redirect to another host, scheme or port.

use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use ureq::http::{Response, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy};

use super::choose::{Listing, RemoteFile, is_inside};
use super::error::HubError;

/// Redirects followed for one request.
const MAX_REDIRECTS: usize = 8;
/// Largest listing of a repository that is read.
const MAX_LISTING_BYTES: u64 = 32 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest wait for the next bytes of a response.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// Which hub, and how to reach it. Nothing here reads the environment, so everything is given.
#[derive(Clone, PartialEq, Eq)]
pub struct HubOptions {
    /// URL of the hub, such as `https://huggingface.co`.
    pub endpoint: String,
    /// Access token, for models that need one.
    pub token: Option<String>,
    /// URL of a proxy, such as `http://proxy.example:3128`.
    pub proxy: Option<String>,
    /// Hosts that are reached without the proxy, separated by commas.
    pub no_proxy: Option<String>,
    /// Folder of the shared cache of Hugging Face's own libraries, which is only read.
    pub cache: Option<PathBuf>,
}

impl std::fmt::Debug for HubOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token must not reach a log.
        f.debug_struct("HubOptions")
            .field("endpoint", &self.endpoint)
            .field("has_token", &self.token.is_some())
            .finish_non_exhaustive()
    }
}

/// HTTP client of one hub.
pub(super) struct Client {
    agent: Agent,
    endpoint: String,
    origin: WebOrigin,
    token: Option<String>,
}

/// Scheme, host and port of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
struct WebOrigin {
    scheme: String,
    host: String,
    port: u16,
}

impl WebOrigin {
    fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        Some(Self {
            host: uri.host()?.to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(default_port),
            scheme,
        })
    }

    /// Host, and port unless it is the default one, for messages.
    fn shown(&self) -> String {
        match (self.scheme.as_str(), self.port) {
            ("https", 443) | ("http", 80) => self.host.clone(),
            _ => format!("{}:{}", self.host, self.port),
        }
    }
}

/// The hub API's description of a repository, as far as it is used.
#[derive(Deserialize)]
struct Repository {
    sha: String,
    #[serde(rename = "cardData")]
    card: Option<Card>,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Card {
    license: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
    size: Option<u64>,
}

impl Client {
    pub(super) fn new(options: &HubOptions) -> Result<Self, HubError> {
        let endpoint = options.endpoint.trim_end_matches('/').to_owned();
        let origin = WebOrigin::of(&endpoint).ok_or_else(|| HubError::BadEndpoint {
            endpoint: options.endpoint.clone(),
        })?;
        let proxy = options.proxy.as_deref().map(|address| {
            proxy(address, options.no_proxy.as_deref()).map_err(|_| HubError::BadProxy {
                proxy: address.to_owned(),
            })
        });
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy.transpose()?)
            .user_agent(concat!("sightline/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(READ_TIMEOUT))
            .timeout_per_read(Some(READ_TIMEOUT))
            .tls_config(
                TlsConfig::builder()
                    .root_certs(RootCerts::PlatformVerifier)
                    .build(),
            )
            .build()
            .new_agent();
        Ok(Self {
            agent,
            endpoint,
            origin,
            token: options.token.clone(),
        })
    }

    /// The hub's name, for messages.
    pub(super) fn host(&self) -> String {
        self.origin.shown()
    }

    /// Lists the files of a repository at its newest commit.
    pub(super) fn listing(&self, repository: &str) -> Result<Listing, HubError> {
        let endpoint = &self.endpoint;
        let url = format!("{endpoint}/api/models/{repository}/revision/main?blobs=true");
        let response = self.get(&url, 0).map_err(|error| match error {
            GetError::Network(source) => HubError::Offline {
                host: self.host(),
                source: Box::new(source),
            },
            GetError::Hub(error) => error,
        })?;
        self.check(&response, &url, repository)?;
        let body = response
            .into_body()
            .into_with_config()
            .limit(MAX_LISTING_BYTES)
            .read_to_vec()
            .map_err(|source| HubError::Offline {
                host: self.host(),
                source: Box::new(source),
            })?;
        let found: Repository =
            serde_json::from_slice(&body).map_err(|source| HubError::BadListing { url, source })?;
        let license = found.card.and_then(|card| card.license);
        let files = found.siblings.into_iter().filter_map(|file| {
            let lfs_size = file.lfs.as_ref().and_then(|lfs| lfs.size);
            is_inside(&file.rfilename).then(|| RemoteFile {
                path: file.rfilename,
                n_bytes: lfs_size.or(file.size).unwrap_or_default(),
                // The blob of a file in LFS is only a pointer to it.
                git_sha1: file.blob_id.filter(|_| file.lfs.is_none()),
                sha256: file.lfs.map(|lfs| lfs.sha256.to_ascii_lowercase()),
            })
        });
        Ok(Listing {
            commit: found.sha,
            license: license.and_then(|text| text.as_str().map(ToOwned::to_owned)),
            files: files.collect(),
        })
    }

    /// Requests a file of a repository at a commit, starting at byte `from`.
    pub(super) fn open(
        &self,
        repository: &str,
        commit: &str,
        path: &str,
        from: u64,
    ) -> Result<FileBody, GetError> {
        let (endpoint, commit, path) = (&self.endpoint, encoded(commit), encoded(path));
        let url = format!("{endpoint}/{repository}/resolve/{commit}/{path}");
        let response = self.get(&url, from)?;
        let status = response.status().as_u16();
        // Rate limits and server errors pass.
        if status == 429 || status >= 500 {
            return Err(GetError::Network(ureq::Error::StatusCode(status)));
        }
        if status == 416 {
            return Ok(FileBody::Nothing);
        }
        self.check(&response, &url, repository)?;
        let starts_at = if status == 206 {
            range_start(&response)
        } else {
            Some(0)
        };
        let body = response.into_body().into_reader();
        Ok(match starts_at {
            Some(start) if start == from => FileBody::Rest(Box::new(body)),
            Some(0) => FileBody::All(Box::new(body)),
            _ => FileBody::Nothing,
        })
    }

    fn check(
        &self,
        response: &Response<Body>,
        url: &str,
        repository: &str,
    ) -> Result<(), HubError> {
        let (repository, host) = (repository.to_owned(), self.host());
        match response.status().as_u16() {
            200 | 206 => Ok(()),
            // The hub responds with 401 to a missing repository too; this header distinguishes
            // them.
            401 | 403 | 404
                if header(response, "x-error-code") == Some("RepoNotFound")
                    && self.token.is_some() =>
            {
                Err(HubError::NotFound { repository, host })
            }
            401 | 403 => Err(HubError::Denied {
                repository,
                host,
                had_token: self.token.is_some(),
            }),
            404 => Err(HubError::NotFound { repository, host }),
            status => Err(HubError::Status {
                url: url.to_owned(),
                status,
            }),
        }
    }

    fn get(&self, url: &str, from: u64) -> Result<Response<Body>, GetError> {
        let mut url = url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.agent.get(&url).header("Accept-Encoding", "identity");
            if from > 0 {
                request = request.header("Range", format!("bytes={from}-"));
            }
            if let Some(token) = &self.token
                && WebOrigin::of(&url).as_ref() == Some(&self.origin)
            {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            let response = request.call().map_err(GetError::Network)?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let refused = |reason| {
                GetError::Hub(HubError::Redirect {
                    url: url.clone(),
                    reason,
                })
            };
            let location =
                header(&response, "location").ok_or_else(|| refused("it has no location"))?;
            let target = joined(&url, location);
            let to = WebOrigin::of(&target)
                .ok_or_else(|| refused("its location is not a web address"))?;
            if self.origin.scheme == "https" && to.scheme != "https" {
                return Err(refused("its location is not encrypted"));
            }
            url = target;
        }
        Err(GetError::Hub(HubError::Redirect {
            url,
            reason: "too many redirects",
        }))
    }
}

/// The body of a file that was requested from some byte on.
pub(super) enum FileBody {
    /// From that byte on.
    Rest(Box<dyn Read>),
    /// From the first byte: the server does not support ranges.
    All(Box<dyn Read>),
    /// The file has nothing from that byte on.
    Nothing,
}

/// Why a request failed.
pub(super) enum GetError {
    /// A network error or a temporary server error: worth a retry.
    Network(ureq::Error),
    /// A retry would fail the same way.
    Hub(HubError),
}

impl From<HubError> for GetError {
    fn from(error: HubError) -> Self {
        Self::Hub(error)
    }
}

/// Converts to an I/O error, as reading a body returns it.
pub(super) fn to_io(error: ureq::Error) -> io::Error {
    match error {
        ureq::Error::Io(error) => error,
        other => io::Error::other(other),
    }
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// First byte of a partial response: `Content-Range: bytes 5-9/10`.
fn range_start(response: &Response<Body>) -> Option<u64> {
    let range = header(response, "content-range")?.strip_prefix("bytes ")?;
    range.split_once('-')?.0.trim().parse().ok()
}

fn proxy(address: &str, no_proxy: Option<&str>) -> Result<Proxy, ureq::Error> {
    let proxy = Proxy::new(address)?;
    let mut builder = Proxy::builder(proxy.protocol())
        .host(proxy.host())
        .port(proxy.port());
    if let Some(username) = proxy.username() {
        builder = builder.username(username);
    }
    if let Some(password) = proxy.password() {
        builder = builder.password(password);
    }
    for host in no_proxy.unwrap_or_default().split(',').map(str::trim) {
        if !host.is_empty() {
            builder = builder.no_proxy(host);
        }
    }
    builder.build()
}

/// Target of a redirect (RFC 3986, section 5, as far as servers use it).
fn joined(base: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    if let Some(other) = location.strip_prefix("//") {
        return format!("{scheme}://{other}");
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if location.starts_with('/') {
        return format!("{scheme}://{host}{location}");
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let slash = if folder.is_empty() { "" } else { "/" };
    format!("{scheme}://{host}/{folder}{slash}{location}")
}

/// Percent-encodes a path for a URL, all but unreserved characters and `/`.
fn encoded(path: &str) -> String {
    let digit = |value: u8| char::from(b"0123456789ABCDEF"[usize::from(value)]);
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_resolve_against_their_base() {
        let base = "https://hub.example/a/b/resolve/main/c.onnx?x=1";
        let cases = [
            ("https://cdn.example/x?y#z", "https://cdn.example/x?y#z"),
            ("//cdn.example/x", "https://cdn.example/x"),
            ("/d/e", "https://hub.example/d/e"),
            ("f", "https://hub.example/a/b/resolve/main/f"),
        ];
        for (location, expected) in cases {
            assert_eq!(joined(base, location), expected);
        }
        assert_eq!(joined("http://h:1", "x"), "http://h:1/x");
    }

    #[test]
    fn origins_differ_in_scheme_host_or_port() {
        let hub = WebOrigin::of("https://huggingface.co").unwrap();
        assert_eq!(WebOrigin::of("https://HuggingFace.co:443/x").unwrap(), hub);
        let others = [
            "http://huggingface.co",
            "https://huggingface.co:444",
            "https://huggingface.co.evil.example",
            "https://huggingface.co@evil.example/",
        ];
        for other in others {
            assert_ne!(WebOrigin::of(other), Some(hub.clone()), "{other}");
        }
        assert_eq!(WebOrigin::of("huggingface.co"), None);
        assert_eq!(WebOrigin::of("ftp://huggingface.co"), None);
        assert_eq!(hub.shown(), "huggingface.co");
        assert_eq!(
            WebOrigin::of("http://127.0.0.1:80").unwrap().shown(),
            "127.0.0.1"
        );
        assert_eq!(
            WebOrigin::of("http://127.0.0.1:8000").unwrap().shown(),
            "127.0.0.1:8000"
        );
    }

    #[test]
    fn paths_are_percent_encoded() {
        assert_eq!(encoded("onnx/a b?é.onnx"), "onnx/a%20b%3F%C3%A9.onnx");
    }

    #[test]
    fn debug_output_hides_the_token() {
        let options = HubOptions {
            endpoint: "https://huggingface.co".to_owned(),
            token: Some("hf_secret".to_owned()),
            proxy: None,
            no_proxy: None,
            cache: None,
        };
        assert!(!format!("{options:?}").contains("secret"));
    }
}
