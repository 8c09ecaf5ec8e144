//! The only place that writes to stdout and stderr. stdout is data, stderr is talk.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

/// Writes results and talk; knows about `--quiet` and colours.
pub(super) struct Printer {
    out: BufWriter<Stdout>,
    quiet: bool,
    colour_out: bool,
    colour_err: bool,
}

/// How a piece of text stands out. Colour never carries meaning alone.
#[derive(Debug, Clone, Copy)]
pub(super) enum Style {
    Bold,
    Dim,
    Green,
    Red,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Green => "32",
            Self::Red => "1;31",
        }
    }
}

impl Printer {
    pub(super) fn new(quiet: bool) -> Self {
        // https://no-color.org, and dumb terminals.
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self {
            out: BufWriter::new(io::stdout()),
            quiet,
            colour_out: wanted && io::stdout().is_terminal(),
            colour_err: wanted && io::stderr().is_terminal(),
        }
    }

    pub(super) fn quiet(&self) -> bool {
        self.quiet
    }

    /// A line of data.
    pub(super) fn line(&mut self, line: impl Display) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    /// Data as it is: paths that need not be UTF-8.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// An answer as JSON, indented, the keys of each object in alphabetical order.
    pub(super) fn json(&mut self, answer: &impl serde::Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.out, &serde_json::to_value(answer)?)?;
        self.out.write_all(b"\n")
    }

    /// A JSON value on a line of its own.
    pub(super) fn json_line(&mut self, value: &impl serde::Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// A line of talk.
    pub(super) fn note(&self, note: impl Display) {
        if !self.quiet {
            talk(&format!("{note}"));
        }
    }

    /// An error, and after a blank line what to do about it. Shown even when quiet.
    pub(super) fn error(&self, error: impl Display, hint: Option<&str>) {
        // Both may name files, and quote what is in them.
        let safe = |text: &str| -> Vec<String> { text.lines().map(Self::safe).collect() };
        talk(&format!(
            "{}: {}",
            paint(self.colour_err, Style::Red, "error"),
            safe(&error.to_string()).join("\n")
        ));
        if let Some(hint) = hint {
            talk(&format!(
                "\n{}: {}",
                paint(self.colour_err, Style::Bold, "hint"),
                safe(hint).join("\n")
            ));
        }
    }

    /// Text for stdout, styled when it is a terminal.
    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        paint(self.colour_out, style, text)
    }

    /// Control characters made visible: a file name must not drive the terminal.
    pub(super) fn safe(text: &str) -> String {
        let mut safe = String::with_capacity(text.len());
        for character in text.chars() {
            if character.is_control() {
                safe.extend(character.escape_default());
            } else {
                safe.push(character);
            }
        }
        safe
    }
}

/// A terminal that has gone away is no reason to fail.
fn talk(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn paint(on: bool, style: Style, text: &str) -> String {
    if on {
        format!("\u{1b}[{}m{text}\u{1b}[0m", style.code())
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_cannot_drive_the_terminal() {
        assert_eq!(
            Printer::safe("a\u{1b}[31mb\nc é 猫"),
            "a\\u{1b}[31mb\\nc é 猫"
        );
    }
}
