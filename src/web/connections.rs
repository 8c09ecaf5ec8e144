//! Connections: how many there may be, and how long one may keep the server waiting.
//!
//! A client that sends its headers byte by byte, or never reads what it asked for, costs a
//! connection. Both have a time limit, so that connections come free however many such clients
//! there are.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectionLimits {
    /// Connections that are served at once. More wait in the queue of the system.
    pub(super) n: usize,
    /// The longest time from one answer, or from connecting, to the end of the next headers.
    pub(super) headers: Duration,
    /// The longest time in which a client takes nothing of an answer.
    pub(super) stalled: Duration,
    /// The most bytes of the headers of a request, its path included.
    pub(super) n_header_bytes: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            n: 256,
            headers: Duration::from_secs(20),
            stalled: Duration::from_mins(1),
            n_header_bytes: 32 << 10,
        }
    }
}

/// The time to wait where the system has no room for a connection, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers requests until `stop` is done, then finishes those that were begun.
pub(super) async fn serve(
    listener: TcpListener,
    app: Router,
    limits: ConnectionLimits,
    stop: impl Future<Output = ()>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .max_header_size(limits.n_header_bytes);
    let open = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.n));
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut stop => break,
        };
        let Some((stream, place)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let mut stream = Box::pin(TimeoutStream::new(stream));
        let stalled = Some(limits.stalled);
        stream.as_mut().set_write_timeout_pinned(stalled);
        let service = TowerToHyperService::new(app.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let connection = open.watch(connection);
        tokio::spawn(async move {
            // A client that breaks off, or does not speak HTTP, is no failure of the server.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    open.shutdown().await;
}

/// The next connection, once there is a place for it; `None` when it broke, or when the system has
/// no room for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    let (stream, _) = listener.accept().await.ok()?;
    // Answers are short: waiting for more to send with them only delays them.
    let _ = stream.set_nodelay(true);
    Some((stream, place))
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read as _, Write as _};
    use std::net::{SocketAddr, TcpStream};
    use std::thread;

    use axum::body::Body;
    use axum::routing::get;
    use tokio::sync::oneshot;

    use super::*;

    /// A server with these limits, which answers `/` shortly and `/long` at length.
    struct Serving {
        address: SocketAddr,
        stop: oneshot::Sender<()>,
        thread: thread::JoinHandle<()>,
    }

    const LONG: usize = 64 << 20;

    impl Serving {
        fn start(limits: ConnectionLimits) -> Self {
            let (stop, stopped) = oneshot::channel();
            let (said, address) = std::sync::mpsc::channel();
            let thread = thread::spawn(move || {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(async {
                    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                    said.send(listener.local_addr().unwrap()).unwrap();
                    let long = async || Body::from(vec![0; LONG]);
                    let app = Router::new()
                        .route("/", get(async || "short"))
                        .route("/long", get(long));
                    let stop = async {
                        let _ = stopped.await;
                    };
                    serve(listener, app, limits, stop).await;
                });
            });
            Self {
                address: address.recv().unwrap(),
                stop,
                thread,
            }
        }

        fn connect(&self) -> TcpStream {
            let stream = TcpStream::connect(self.address).unwrap();
            let wait = Some(Duration::from_secs(30));
            stream.set_read_timeout(wait).unwrap();
            stream
        }

        fn ask(&self, request: &str) -> String {
            let mut stream = self.connect();
            stream.write_all(request.as_bytes()).unwrap();
            rest(&mut stream)
        }

        fn stop(self) {
            self.stop.send(()).unwrap();
            self.thread.join().unwrap();
        }
    }

    /// What is sent until the connection is closed. Panics if it is not.
    fn rest(stream: &mut TcpStream) -> String {
        let mut bytes = Vec::new();
        match stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => {
                panic!("the connection stays open: {error}")
            }
            _ => String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    const SHORT: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    fn limits() -> ConnectionLimits {
        ConnectionLimits {
            n: 2,
            headers: Duration::from_millis(300),
            stalled: Duration::from_millis(300),
            n_header_bytes: 8 << 10,
        }
    }

    #[test]
    fn clients_that_never_end_their_headers_are_disconnected() {
        let serving = Serving::start(limits());
        let mut slow = [serving.connect(), serving.connect()];
        slow[0]
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
            .unwrap();
        // Both places are taken until the time for their headers is over.
        assert!(serving.ask(SHORT).ends_with("short"));
        for slow in &mut slow {
            assert_eq!(rest(slow), "");
        }
        // So is a client that was answered and asks for nothing more.
        let idle = serving.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(idle.ends_with("short"), "{idle}");
        serving.stop();
    }

    #[test]
    fn a_byte_now_and_then_does_not_extend_the_time_for_headers() {
        let serving = Serving::start(limits());
        let mut slow = serving.connect();
        let mut n_sent = 0;
        while n_sent < 200 && slow.write_all(b"G").is_ok() {
            n_sent += 1;
            thread::sleep(Duration::from_millis(50));
        }
        assert!(n_sent < 200, "it goes on sending");
        serving.stop();
    }

    #[test]
    fn clients_that_take_nothing_of_an_answer_are_disconnected() {
        let serving = Serving::start(limits());
        let mut deaf = [serving.connect(), serving.connect()];
        for deaf in &mut deaf {
            deaf.write_all(b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
                .unwrap();
        }
        assert!(serving.ask(SHORT).ends_with("short"));
        for deaf in &mut deaf {
            assert!(rest(deaf).len() < LONG, "it was sent whole");
        }
        serving.stop();
    }

    #[test]
    fn headers_that_are_too_long_are_refused() {
        let serving = Serving::start(limits());
        let path = "x".repeat(9_000);
        let refused = serving.ask(&format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(refused.starts_with("HTTP/1.1 431"), "{refused}");
        serving.stop();
    }
}
