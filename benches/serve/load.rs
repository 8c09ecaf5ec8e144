//! Clients that ask a server, each over one connection that stays open.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What became of some requests.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Milliseconds of each that was answered with 200, in order of size.
    pub(crate) ms: Vec<f64>,
    pub(crate) n_failed: usize,
    pub(crate) per_second: f64,
}

impl Outcome {
    /// The time within which a share of the requests was answered, in milliseconds.
    pub(crate) fn at(&self, share: f64) -> f64 {
        let place = (self.ms.len() as f64 * share).ceil().max(1.0);
        let place = self
            .ms
            .iter()
            .zip(1..)
            .find(|(_, n)| f64::from(*n) >= place);
        place.map_or(f64::NAN, |(ms, _)| *ms)
    }
}

/// A connection.
struct Client {
    address: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    /// Sends a GET and reads the whole answer. Returns its status; 0 when the connection broke.
    fn get(&mut self, path: &str) -> u16 {
        let status = self.exchange(path);
        if status.is_none() {
            self.stream = None;
        }
        status.unwrap_or(0)
    }

    fn exchange(&mut self, path: &str) -> Option<u16> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(&self.address).ok()?;
            stream.set_nodelay(true).ok()?;
            self.stream = Some(BufReader::new(stream));
        }
        let stream = self.stream.as_mut()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        stream.get_mut().write_all(request.as_bytes()).ok()?;
        let (mut status, mut n_bytes) = (None, 0);
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            let lower = line.to_ascii_lowercase();
            if let Some(length) = lower.strip_prefix("content-length: ") {
                n_bytes = length.parse().ok()?;
            } else if lower.starts_with("http/1.1 ") {
                status = lower.split(' ').nth(1)?.parse().ok();
            }
        }
        let mut body = vec![0; n_bytes];
        stream.read_exact(&mut body).ok()?;
        status
    }
}

/// What is asked, by number.
pub(crate) type Ask<'a> = &'a (dyn Fn(u64) -> String + Sync);

/// Each client asks again as soon as it is answered, until `n` were asked or the time is over.
pub(crate) fn closed(
    address: &str,
    n_clients: usize,
    n: u64,
    time: Duration,
    ask: Ask<'_>,
) -> Outcome {
    run(address, n_clients, n, ask, Pace::Closed(time))
}

/// Requests arrive at a fixed rate per second, and the next idle client sends each. Its time counts
/// from when it arrived, so that it includes the time in which no client was idle.
pub(crate) fn arriving(
    address: &str,
    n_clients: usize,
    rate: f64,
    time: Duration,
    ask: Ask<'_>,
) -> Outcome {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small count"
    )]
    let n = (rate * time.as_secs_f64()) as u64;
    run(address, n_clients, n, ask, Pace::Rate(rate))
}

/// When requests are sent.
#[derive(Clone, Copy)]
enum Pace {
    /// As soon as a client is idle, for this time.
    Closed(Duration),
    /// At a rate per second.
    Rate(f64),
}

fn run(address: &str, n_clients: usize, n: u64, ask: Ask<'_>, pace: Pace) -> Outcome {
    let next = AtomicU64::new(0);
    let outcome = Mutex::new(Outcome::default());
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..n_clients {
            scope.spawn(|| {
                let mut client = Client {
                    address: address.to_owned(),
                    stream: None,
                };
                let (mut ms, mut n_failed) = (Vec::new(), 0);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let is_over = matches!(pace, Pace::Closed(time) if began.elapsed() > time);
                    if number >= n || is_over {
                        break;
                    }
                    let path = ask(number);
                    let arrived = match pace {
                        Pace::Rate(rate) => began + Duration::from_secs_f64(number as f64 / rate),
                        Pace::Closed(_) => Instant::now(),
                    };
                    thread::sleep(arrived.saturating_duration_since(Instant::now()));
                    if client.get(&path) == 200 {
                        ms.push(arrived.elapsed().as_secs_f64() * 1e3);
                    } else {
                        n_failed += 1;
                    }
                }
                let mut outcome = outcome.lock().unwrap();
                outcome.ms.extend(ms);
                outcome.n_failed += n_failed;
            });
        }
    });
    let mut outcome = outcome.into_inner().unwrap();
    outcome.per_second = outcome.ms.len() as f64 / began.elapsed().as_secs_f64();
    outcome.ms.sort_by(f64::total_cmp);
    outcome
}
