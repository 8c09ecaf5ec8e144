//! What to serve, and to whom.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use axum::http::uri::Authority;

use super::token::Token;
use crate::workspace::WorkspaceError;

/// The port that is served unless another one is named.
pub const DEFAULT_PORT: u16 = 7878;

/// What to serve, and to whom.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The address to listen at.
    pub address: IpAddr,
    /// The port; `None` for the default one or, when that is taken, one of the next.
    pub port: Option<u16>,
    /// Other names that requests may reach the server by, such as `photos.local` or, behind a
    /// mapped port, `localhost:8080`. Without a port, any port is meant.
    pub hosts: Vec<String>,
    /// What requests have to show as `Authorization: Bearer …`; `None` where only this machine can
    /// connect.
    pub token: Option<Token>,
    /// Where thumbnails are kept; `None`: nowhere.
    pub thumbnails: Option<PathBuf>,
    /// The folder that pictures may be copied into; `None`: none. Needs a token.
    pub copy_to: Option<PathBuf>,
    /// Whether assistants are answered at `/mcp`.
    pub mcp: bool,
}

impl ServeOptions {
    /// # Errors
    /// When what they say cannot be served.
    pub(super) fn check(&self) -> Result<(), ServeError> {
        if !self.address.is_loopback() && self.token.is_none() {
            return Err(ServeError::NoToken(self.address));
        }
        if let Some(host) = self.hosts.iter().find(|host| !is_host(host)) {
            return Err(ServeError::Host(host.clone()));
        }
        let Some(path) = &self.copy_to else {
            return Ok(());
        };
        if self.token.is_none() {
            return Err(ServeError::NoTokenToCopy);
        }
        let there = fs_err::create_dir_all(path).and_then(|()| tempfile::tempfile_in(path));
        there.map(|_| ()).map_err(|source| ServeError::CopyTo {
            path: path.clone(),
            source,
        })
    }
}

/// Whether a name, perhaps with a port, can be the host of a request to this server.
fn is_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else {
        return false;
    };
    let host = authority.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_every_address = bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    !host.is_empty() && !text.contains('@') && !text.ends_with(':') && !is_every_address
}

impl Default for ServeOptions {
    /// This machine only, at the default port.
    fn default() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: None,
            hosts: Vec::new(),
            token: None,
            thumbnails: None,
            copy_to: None,
            mcp: false,
        }
    }
}

/// Failure to serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened at.
    #[error("cannot listen at {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Other machines can connect, and no token was given.
    #[error("{0} can be reached from other machines, so a token is needed")]
    NoToken(IpAddr),
    /// Pictures may be copied, and no token was given.
    #[error("copying pictures writes files, so a token is needed")]
    NoTokenToCopy,
    /// A name that no request can have as its host.
    #[error(
        "--host {0}: expected a name or an address that browsers show for this server, such as \
         photos.local or photos.local:8080"
    )]
    Host(String),
    /// The folder that pictures may be copied into cannot be used.
    #[error("--allow-copy {}: this is not a folder that can be written to", path.display())]
    CopyTo {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The model or the index is not available.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The server stopped.
    #[error("the server stopped")]
    Io(#[from] io::Error),
}
