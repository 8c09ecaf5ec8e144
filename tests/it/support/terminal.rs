//! Runs the program with a terminal as its stdout.

use std::fs::File;
use std::io::Read as _;
use std::process::Stdio;

use nix::pty::{Winsize, openpty};

use super::TestCommand;

/// What a command printed on a terminal and on stderr, and its exit code.
pub(crate) struct OnTerminal {
    /// Lines end with `\n` alone.
    pub(crate) screen: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl TestCommand {
    /// Runs the command with a terminal of this many columns as stdout.
    pub(crate) fn run_on_terminal(mut self, columns: u16) -> OnTerminal {
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
        let mut screen = Vec::new();
        // When the child has ended, Linux reports an error instead of the end.
        let _ = File::from(pair.master).read_to_end(&mut screen);
        let output = child.wait_with_output().unwrap();
        OnTerminal {
            screen: String::from_utf8(screen).unwrap().replace("\r\n", "\n"),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
        }
    }
}
