//! The program that serves an index.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use serde_json::Value;

/// A server that runs until it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(program: &Path, index: &Path) -> Self {
        let mut child = Command::new(program)
            .arg("--index")
            .arg(index)
            .args(["serve", "--port", "0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().unwrap().unwrap();
            if let Some((_, rest)) = line.split_once("http://") {
                break rest.split('/').next().unwrap().to_owned();
            }
        };
        thread::spawn(move || {
            let lines = lines.map_while(Result::ok);
            lines.for_each(|line| eprintln!("{line}"));
        });
        Self { child, address }
    }

    /// Sends a request over a connection of its own; the answer is JSON.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str(body).unwrap()
    }

    /// Milliseconds of processor time that the process has taken.
    pub(crate) fn cpu_ms(&self) -> f64 {
        cpu_ms(&self.child.id().to_string())
    }

    /// A figure of the process from the kernel, such as `RssAnon:`, in MB.
    pub(crate) fn mb(&self, name: &str) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs_err::read_to_string(path).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with(name));
        let kb = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        kb.map_or(f64::NAN, |kb| kb * 1024.0 / 1e6)
    }
}

/// Milliseconds of processor time that a process has taken, in steps of 10; `self` for this one.
pub(crate) fn cpu_ms(process: &str) -> f64 {
    let stat = fs_err::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name of the program, in parentheses, may have spaces.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks = after.split_whitespace().skip(11).take(2);
    10.0 * ticks.filter_map(|n| n.parse::<f64>().ok()).sum::<f64>()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
