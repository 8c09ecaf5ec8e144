//! What a user types while a command runs: on a terminal a line that can be edited, else the lines
//! of stdin.

use std::io::{self, BufRead as _, IsTerminal as _};

use rustyline::config::Behavior;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor};

use super::printer::Printer;

/// What was typed at a prompt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    Line(String),
    /// Ctrl-C: the line is given up.
    Cancelled,
    /// Ctrl-D, or the end of stdin.
    End,
}

/// Where lines come from.
pub(super) enum Lines {
    /// With the lines before in reach of the arrow keys, as long as the program runs.
    Terminal(Box<Editor<(), MemHistory>>),
    Stdin,
}

impl Lines {
    /// Lines of the terminal that stdin is, or of stdin.
    pub(super) fn open() -> rustyline::Result<Self> {
        if !io::stdin().is_terminal() {
            return Ok(Self::Stdin);
        }
        // The prompt belongs on the terminal, and not among the data in a pipe.
        let behavior = if Printer::is_terminal() {
            Behavior::Stdio
        } else {
            Behavior::PreferTerm
        };
        let config = Config::builder()
            .auto_add_history(true)
            .behavior(behavior)
            .build();
        let history = MemHistory::with_config(&config);
        Ok(Self::Terminal(Box::new(Editor::with_history(
            config, history,
        )?)))
    }

    /// Whether someone types them, as opposed to a script.
    pub(super) fn are_typed(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    /// The next line, without its end. Bytes that are not UTF-8 are replaced.
    pub(super) fn next(&mut self, prompt: &str) -> rustyline::Result<Typed> {
        let editor = match self {
            Self::Terminal(editor) => editor,
            Self::Stdin => {
                let mut bytes = Vec::new();
                let n_read = io::stdin().lock().read_until(b'\n', &mut bytes)?;
                let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                return Ok(if n_read == 0 {
                    Typed::End
                } else {
                    Typed::Line(line)
                });
            }
        };
        match editor.readline(prompt) {
            Ok(line) => Ok(Typed::Line(line)),
            Err(ReadlineError::Interrupted) => Ok(Typed::Cancelled),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(error) => Err(error),
        }
    }
}
