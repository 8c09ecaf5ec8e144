//! Runs the program with a terminal as its stdout, or on a terminal on which something is typed.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use nix::pty::{Winsize, openpty};

use super::TestCommand;

/// What a program asks a terminal about its graphics.
const QUESTION: &[u8] = b"\x1b[16t\x1b[c";

/// What a command printed on a terminal and on stderr, and its exit code.
pub(crate) struct OnTerminal {
    /// Lines end with `\n` alone.
    pub(crate) screen: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl TestCommand {
    /// Runs the command with a terminal of this many columns as stdout, which shows characters
    /// only.
    pub(crate) fn run_on_terminal(self, columns: u16) -> OnTerminal {
        self.run_on_terminal_that_answers(columns, b"\x1b[?1;2c")
    }

    /// The same with a terminal that answers this when it is asked what it can show.
    pub(crate) fn run_on_terminal_that_answers(
        mut self,
        columns: u16,
        answer: &[u8],
    ) -> OnTerminal {
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pair = openpty(&size, None).unwrap();
        self.command
            .stdout(Stdio::from(pair.slave))
            .stderr(Stdio::piped());
        let child = self.command.spawn().unwrap();
        // Closes this process's end of what the child writes to.
        drop(self);
        let (mut terminal, mut screen) = (File::from(pair.master), Vec::new());
        let mut buffer = [0; 4096];
        // When the child has ended, Linux reports an error instead of the end.
        while let Ok(n @ 1..) = terminal.read(&mut buffer) {
            screen.extend_from_slice(&buffer[..n]);
            if let Some(at) = screen.windows(QUESTION.len()).position(|w| w == QUESTION) {
                screen.drain(at..at + QUESTION.len());
                terminal.write_all(answer).unwrap();
            }
        }
        let output = child.wait_with_output().unwrap();
        OnTerminal {
            screen: String::from_utf8(screen).unwrap().replace("\r\n", "\n"),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
        }
    }
}

/// A command that runs on a terminal.
pub(crate) struct Typing {
    child: Child,
    keyboard: File,
    output: Receiver<Vec<u8>>,
    bytes: Vec<u8>,
    /// How much of what was printed was read.
    n_seen: usize,
}

impl TestCommand {
    /// Starts the command on a terminal.
    pub(crate) fn type_on_terminal(mut self) -> Typing {
        let size = Winsize {
            ws_row: 50,
            ws_col: 500,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pair = openpty(&size, None).unwrap();
        let end = || Stdio::from(pair.slave.try_clone().unwrap());
        self.command.stdin(end()).stdout(end()).stderr(end());
        self.command.env("TERM", "xterm");
        let child = self.command.spawn().unwrap();
        drop((self, pair.slave));
        let keyboard = File::from(pair.master);
        let mut screen = keyboard.try_clone().unwrap();
        let (sender, output) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = screen.read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        Typing {
            child,
            keyboard,
            output,
            bytes: Vec::new(),
            n_seen: 0,
        }
    }
}

impl Typing {
    /// Presses keys; Enter is `\r`.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for a text, and returns what was printed up to its end, without escape sequences.
    /// Lines end with `\n` alone.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, what: &str) -> String {
        loop {
            let screen = plain(&self.bytes);
            let shown = &screen[self.n_seen..];
            if let Some(at) = shown.find(what) {
                let end = at + what.len();
                self.n_seen += end;
                return shown[..end].to_owned();
            }
            match self.output.recv_timeout(Duration::from_mins(1)) {
                Ok(bytes) => self.bytes.extend(bytes),
                Err(error) => panic!("no {what:?}: {error}\n{shown}"),
            }
        }
    }

    /// Waits for the end of the command, and returns its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

/// A text of a terminal without escape sequences and carriage returns.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' if characters.next() == Some('[') => {
                characters.find(|&c| c.is_ascii_alphabetic());
            }
            '\u{1b}' | '\r' => {}
            character => plain.push(character),
        }
    }
    plain
}
