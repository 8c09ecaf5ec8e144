//! The web page and its API, served on this machine.
//!
//! A request passes the guard (`guard`), is turned into one call of the engine by a handler in
//! `routes`, and answered with the JSON of [`crate::answers`]. Nothing here decides what is
//! found. [`Runs`] keep the index up to date beside the requests.

mod ahead;
mod connections;
mod extract;
mod guard;
mod hashes;
mod layers;
mod lists;
mod locking;
mod metrics;
mod options;
mod page;
mod problem;
mod routes;
mod runs;
mod state;
mod thumbnails;
mod token;

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::net::TcpListener;

use crate::engine::Engine;
use crate::workspace::Workspace;
use connections::ConnectionLimits;
use state::Served;

pub use options::{DEFAULT_PORT, ServeError, ServeOptions};
pub use runs::{RunInProgress, Runs};
pub use token::Token;

/// Ports that are tried after the default one, when that is taken.
const MORE_PORTS: u16 = 20;

/// How often the index is checked for a newer generation.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// A server that listens, and answers once it is run.
pub struct Server {
    listener: TcpListener,
    served: Arc<Served>,
    address: SocketAddr,
}

impl Server {
    /// Opens the index and listens.
    ///
    /// # Errors
    /// When the model or the address is not available, a token is needed and none is given, or an
    /// option cannot work.
    pub async fn bind(
        workspace: Arc<Workspace>,
        options: ServeOptions,
    ) -> Result<Self, ServeError> {
        options.check()?;
        let engine = Arc::new(workspace.engine()?);
        engine.follow(CHECK_EVERY)?;
        let listener = listen(&options).await?;
        let address = listener.local_addr()?;
        let served = Arc::new(Served::new(engine, workspace, address, options));
        Ok(Self {
            listener,
            served,
            address,
        })
    }

    /// Where the page is for a browser on this machine.
    #[must_use]
    pub fn url(&self) -> String {
        let mut address = self.address;
        // The guard refuses requests to every address (0.0.0.0): it is no name of this server.
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("http://{address}/")
    }

    /// Where other machines find the page, when every address of this one is served and it has a
    /// network.
    #[must_use]
    pub fn url_for_others(&self) -> Option<String> {
        let any = self.address.ip();
        if !any.is_unspecified() {
            return None;
        }
        // Nothing is sent: the system only says which of its addresses it would send from. Both
        // are reserved for documents (RFC 5737, RFC 3849).
        let far: (IpAddr, u16) = match any {
            IpAddr::V4(_) => (Ipv4Addr::new(192, 0, 2, 1).into(), 9),
            IpAddr::V6(_) => (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(), 9),
        };
        let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
        socket.connect(far).ok()?;
        let mut own = socket.local_addr().ok()?;
        own.set_port(self.address.port());
        Some(format!("http://{own}/"))
    }

    /// The engine that answers.
    #[must_use]
    pub fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.served.engine)
    }

    /// The index runs of the server.
    #[must_use]
    pub fn runs(&self) -> Arc<Runs> {
        Arc::clone(&self.served.runs)
    }

    /// Answers requests until `stop` is done, then finishes those that were begun, and commits what
    /// an index run has done.
    ///
    /// # Errors
    /// When no thread can be started.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let served = self.served;
        ahead::start(&served)?;
        tokio::spawn(follow(Arc::downgrade(&served)));
        let app = routes::router(Arc::clone(&served));
        let closing = Arc::clone(&served);
        let stop = async move {
            stop.await;
            closing.runs.close();
        };
        connections::serve(self.listener, app, ConnectionLimits::default(), stop).await;
        let finished = tokio::task::spawn_blocking(move || served.runs.finish()).await;
        finished.map_err(io::Error::other)
    }
}

/// Tells those that watch about newer generations, for as long as there is the server.
async fn follow(served: Weak<Served>) {
    loop {
        let Some(served) = served.upgrade() else {
            return;
        };
        let look = move || served.runs.note_generation(served.engine.generation().ok());
        if tokio::task::spawn_blocking(look).await.is_err() {
            return;
        }
        tokio::time::sleep(CHECK_EVERY).await;
    }
}

async fn listen(options: &ServeOptions) -> Result<TcpListener, ServeError> {
    let first = options.port.unwrap_or(DEFAULT_PORT);
    let n_more = options.port.map_or(MORE_PORTS, |_| 0);
    let mut address = SocketAddr::new(options.address, first);
    let first = TcpListener::bind(address).await;
    let Err(source) = first else {
        return Ok(first?);
    };
    let is_taken = source.kind() == io::ErrorKind::AddrInUse;
    let failure = ServeError::Bind { address, source };
    for _ in 0..if is_taken { n_more } else { 0 } {
        address.set_port(address.port() + 1);
        if let Ok(listener) = TcpListener::bind(address).await {
            return Ok(listener);
        }
    }
    Err(failure)
}
