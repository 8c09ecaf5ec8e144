//! What every request has to pass, whatever it asks for.
//!
//! A page of another site can make the browser of the user send requests to this machine, and a
//! domain name of an attacker can point to it (DNS rebinding). The Host list stops the latter;
//! `Origin`, `Sec-Fetch-Site` and the content types that a form cannot send stop the former.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::OnceLock;

use axum::extract::{MatchedPath, Request};
use axum::http::header::{self, HeaderName};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use super::page;
use super::problem::Problem;
use super::token::Token;

/// The cookie that holds the token, so that pictures are sent to a page.
pub(super) const COOKIE: &str = "sightline_token";

/// The most bytes of a body: a picture file of 48 MB as base64.
pub(super) const MAX_BODY: usize = 64 << 20;

/// Paths that need no token beside the files of the page: they say nothing about the pictures.
const OPEN: [&str; 3] = ["/v1/session", "/healthz", "/readyz"];

/// The rules for one address.
pub(super) struct Guard {
    /// Hosts that requests may name, in lower case, with the port.
    hosts: Vec<String>,
    /// Hosts that they may name with any port.
    names: Vec<String>,
    /// The port at which every address of this machine is served. Which ones it has changes, and a
    /// number is no name that an attacker could point here.
    any_address: Option<u16>,
    pub(super) token: Option<Token>,
    /// Routes that nothing can be posted to.
    read_only: OnceLock<HashSet<String>>,
}

impl Guard {
    pub(super) fn new(address: SocketAddr, more: &[String], token: Option<Token>) -> Self {
        let port = address.port();
        let own = ["localhost", "127.0.0.1", "[::1]"];
        let mut hosts: Vec<String> = own.iter().map(|host| format!("{host}:{port}")).collect();
        // Every address (0.0.0.0) is no name of this server: browsers take it for this machine.
        if !address.ip().is_unspecified() {
            hosts.push(address.to_string());
        }
        let mut names = Vec::new();
        if port == 80 {
            names.extend(own.map(str::to_owned));
        }
        for host in more {
            let host = host.to_ascii_lowercase();
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| {
                !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
            });
            if has_port {
                hosts.push(host);
            } else {
                names.push(host);
            }
        }
        Self {
            hosts,
            names,
            any_address: address.ip().is_unspecified().then_some(port),
            token,
            read_only: OnceLock::new(),
        }
    }

    /// All hosts that requests may name, some with the port.
    pub(super) fn all_hosts(&self) -> Vec<String> {
        [&self.hosts[..], &self.names].concat()
    }

    /// Notes the routes that nothing can be posted to: for these the method is what is wrong, not
    /// the type of the body.
    pub(super) fn note_read_only(&self, routes: HashSet<String>) {
        let _ = self.read_only.set(routes);
    }

    fn is_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let name = host.rsplit_once(':').map_or(&*host, |(name, _)| name);
        self.hosts.contains(&host)
            || self.any_address.is_some_and(|port| is_address(&host, port))
            || self
                .names
                .iter()
                .any(|known| *known == host || known == name)
    }

    pub(super) fn check(&self, request: &Request) -> Result<(), Problem> {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        self.check_sender(method, uri, headers)?;
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        let route = request.extensions().get::<MatchedPath>();
        let is_read_only = route.is_some_and(|route| {
            let read_only = self.read_only.get();
            read_only.is_some_and(|routes| routes.contains(route.as_str()))
        });
        if *method == Method::POST && !is_read_only {
            let kind = text(header::CONTENT_TYPE).unwrap_or_default();
            let kind = kind.split(';').next().unwrap_or_default().trim();
            let kind = kind.to_ascii_lowercase();
            if !["application/json", "multipart/form-data"].contains(&&*kind) {
                return Err(Problem::of(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "send the body as application/json or multipart/form-data",
                ));
            }
        }
        let length: Option<u64> = text(header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
        if length.is_some_and(|length| length > MAX_BODY as u64) {
            let detail = format!("a body has at most {} MB", MAX_BODY >> 20);
            return Err(Problem::too_large(detail));
        }
        match &self.token {
            Some(token) if !is_page(method, uri) && !OPEN.contains(&uri.path()) => {
                let is_shown = shown(headers).any(|shown| token.is(shown));
                is_shown.then_some(()).ok_or_else(Problem::unauthorized)
            }
            _ => Ok(()),
        }
    }

    /// Refuses requests to other servers, and those that a page of another site sends.
    fn check_sender(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str());
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        let is_one = hosts.next().is_none();
        let named = uri.authority().map(Authority::as_str);
        let is_host = is_one && host.is_some_and(|host| self.is_host(host));
        if !is_host || named.is_some_and(|named| !self.is_host(named)) {
            let detail = "the Host header names another server; where it is a name of this one, \
                          start it with --host NAME";
            return Err(Problem::forbidden(detail));
        }
        for name in [header::ORIGIN, FETCH_SITE, FETCH_MODE, header::CONTENT_TYPE] {
            if headers.get_all(&name).iter().nth(1).is_some() {
                let detail = format!("two headers `{name}`: expected one");
                return Err(Problem::bad_request(detail));
            }
        }
        if let Some(origin) = text(header::ORIGIN) {
            let origin_host = origin.ok().and_then(|origin| {
                let https = origin.strip_prefix("https://");
                https.or_else(|| origin.strip_prefix("http://"))
            });
            // A page at another address that is a number is not this server, unlike at its names.
            let is_own = |origin: &str| match &self.any_address {
                Some(port) if is_address(origin, *port) => host == Some(origin),
                _ => self.is_host(origin),
            };
            if !origin_host.is_some_and(is_own) {
                return Err(Problem::forbidden("another site sent this request"));
            }
        }
        // A link on another site may lead to the page: that reads nothing and changes nothing.
        let is = |name, value: &str| {
            text(name).is_some_and(|text| text.is_ok_and(|text| text.eq_ignore_ascii_case(value)))
        };
        let is_followed = is_page(method, uri) && is(FETCH_MODE, "navigate");
        let is_from_other = is(FETCH_SITE, "cross-site") || is(FETCH_SITE, "same-site");
        if is_from_other && !is_followed {
            return Err(Problem::forbidden("another site sent this request"));
        }
        Ok(())
    }
}

/// Whether a host is an address, as a number, with this port.
fn is_address(host: &str, port: u16) -> bool {
    let address = host.parse::<SocketAddr>();
    address.is_ok_and(|address| address.port() == port && !address.ip().is_unspecified())
}

/// Whether a file of the page is asked for.
fn is_page(method: &Method, uri: &Uri) -> bool {
    let reads = [Method::GET, Method::HEAD].contains(method);
    reads && page::files().any(|(path, _)| path == uri.path())
}

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// The tokens that a request shows.
fn shown(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let bearer = headers.get(header::AUTHORIZATION);
    let bearer = bearer.and_then(|value| value.to_str().ok());
    // The name of a scheme has no case (RFC 9110, 11.1).
    let bearer = bearer.and_then(|value| value.split_once(' '));
    let bearer = bearer.and_then(|(scheme, token)| {
        let is_bearer = scheme.eq_ignore_ascii_case("Bearer");
        is_bearer.then(|| token.trim_start())
    });
    let cookies = headers.get_all(header::COOKIE).iter();
    let cookies = cookies.filter_map(|value| value.to_str().ok());
    let cookies = cookies.flat_map(|value| value.split(';'));
    let cookies = cookies.filter_map(|pair| pair.trim().split_once('='));
    let cookies = cookies.filter_map(|(name, value)| (name == COOKIE).then_some(value));
    bearer.into_iter().chain(cookies)
}
