//! The only place that writes to stdout and stderr: data to stdout, messages to stderr.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::path::{Path, PathBuf};

/// Writes results and messages; knows about `--quiet`, colours and the current folder.
pub(super) struct Printer {
    out: BufWriter<Stdout>,
    quiet: bool,
    colour_out: bool,
    colour_err: bool,
    current_folder: Option<PathBuf>,
}

/// How a text is emphasised. Colour never carries meaning alone.
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
        let wants_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        #[expect(
            clippy::disallowed_methods,
            reason = "only to shorten the paths that are printed"
        )]
        let current_folder = std::env::current_dir().ok();
        Self {
            out: BufWriter::new(io::stdout()),
            quiet,
            colour_out: wants_colour && io::stdout().is_terminal(),
            colour_err: wants_colour && io::stderr().is_terminal(),
            current_folder,
        }
    }

    pub(super) fn quiet(&self) -> bool {
        self.quiet
    }

    /// Prints a line of data.
    pub(super) fn line(&mut self, line: impl Display) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    /// Prints raw data, such as paths that need not be UTF-8.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// Prints an answer as JSON, indented, with the keys of each object in alphabetical order.
    pub(super) fn json(&mut self, answer: &impl serde::Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.out, &serde_json::to_value(answer)?)?;
        self.out.write_all(b"\n")
    }

    /// Prints a JSON value on one line.
    pub(super) fn json_line(&mut self, value: &impl serde::Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Prints a message, unless quiet.
    pub(super) fn note(&self, note: impl Display) {
        if !self.quiet {
            write_message(&format!("{note}"));
        }
    }

    /// Prints what to do about the message before, after a blank line, unless quiet.
    pub(super) fn hint(&self, hint: impl Display) {
        if !self.quiet {
            self.write_hint(&hint.to_string());
        }
    }

    /// Prints an error, and after a blank line what to do about it, even when quiet.
    pub(super) fn error(&self, error: impl Display, hint: Option<&str>) {
        write_message(&format!(
            "{}: {}",
            paint(self.colour_err, Style::Red, "error"),
            safe_lines(&error.to_string())
        ));
        if let Some(hint) = hint {
            self.write_hint(hint);
        }
    }

    fn write_hint(&self, hint: &str) {
        write_message(&format!(
            "\n{}: {}",
            paint(self.colour_err, Style::Bold, "hint"),
            safe_lines(hint)
        ));
    }

    /// A path for people: relative if it is below the current folder, control characters escaped.
    pub(super) fn shown(&self, path: &Path) -> String {
        let relative = self
            .current_folder
            .as_deref()
            .and_then(|folder| path.strip_prefix(folder).ok())
            .filter(|relative| !relative.as_os_str().is_empty())
            .unwrap_or(path);
        Self::safe(&relative.to_string_lossy())
    }

    /// Text for stdout, styled when it is a terminal.
    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        paint(self.colour_out, style, text)
    }

    /// Escapes control characters, so that a file name cannot control the terminal.
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

/// As [`Printer::safe`], but keeps line breaks.
fn safe_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(Printer::safe).collect();
    lines.join("\n")
}

/// A closed terminal is no reason to fail.
fn write_message(text: &str) {
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
    fn control_characters_in_file_names_are_escaped() {
        assert_eq!(
            Printer::safe("a\u{1b}[31mb\nc é 猫"),
            "a\\u{1b}[31mb\\nc é 猫"
        );
    }
}
