//! The only place that writes to stdout and stderr: data to stdout, messages to stderr.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::path::{Path, PathBuf};

use super::args::PreviewArg;
use super::preview::{Graphics, TerminalNames};
use super::question;

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
        let wants_colour = wants_colour();
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
        writeln!(
            self.out,
            "{}",
            safe_lines(&line.to_string(), self.colour_out)
        )
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

    /// Prints a header and rows as CSV (RFC 4180), with a newline after each.
    pub(super) fn csv<R: AsRef<[String]>>(
        &mut self,
        header: &[&str],
        rows: impl IntoIterator<Item = R>,
    ) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(&mut self.out);
        writer.write_record(header)?;
        for row in rows {
            writer.write_record(row.as_ref())?;
        }
        writer.flush()
    }

    /// Whether stdout is a terminal.
    pub(super) fn is_terminal() -> bool {
        io::stdout().is_terminal()
    }

    /// Columns of the terminal that stdout is; `None` if it is none, and lines are not to be cut.
    pub(super) fn width() -> Option<usize> {
        if !io::stdout().is_terminal() {
            return None;
        }
        let (columns, _) = terminal_size::terminal_size_of(io::stdout())?;
        Some(usize::from(columns.0)).filter(|columns| *columns > 0)
    }

    /// How stdout shows pictures, or why it cannot. What is asked for by name is taken, in a pipe
    /// too.
    pub(super) fn graphics(&self, asked: PreviewArg) -> Result<Graphics, &'static str> {
        let read = |name| std::env::var(name).unwrap_or_default();
        let names = TerminalNames {
            term: read("TERM"),
            term_program: read("TERM_PROGRAM"),
            lc_terminal: read("LC_TERMINAL"),
            colorterm: read("COLORTERM"),
            is_in_kitty: std::env::var_os("KITTY_WINDOW_ID").is_some(),
        };
        let graphics = match asked {
            PreviewArg::Kitty => return Ok(Graphics::Kitty),
            PreviewArg::Iterm => return Ok(Graphics::ITerm),
            PreviewArg::Sixel => {
                let answer = question::ask(&io::stdout());
                return Ok(Graphics::Sixel(answer.cell.unwrap_or_default()));
            }
            PreviewArg::Blocks => return Ok(Graphics::blocks(&names)),
            PreviewArg::Auto if !io::stdout().is_terminal() => {
                return Err("stdout is not a terminal");
            }
            PreviewArg::Auto => Graphics::of(&names, || question::ask(&io::stdout())),
        };
        let is_drawn_in_colour = matches!(graphics, Graphics::Blocks | Graphics::BlocksOf256);
        if is_drawn_in_colour && !self.colour_out {
            return Err("this terminal shows no colours, or NO_COLOR is set");
        }
        Ok(graphics)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Prints a message, unless quiet.
    pub(super) fn note(&self, note: impl Display) {
        if !self.quiet {
            write_message(&safe_lines(&note.to_string(), false));
        }
    }

    /// Says what work after a commit failed.
    pub(super) fn postponed(&self, reasons: &[String]) {
        for reason in reasons {
            self.note(format_args!(
                "everything is saved, but searches may be slower until the next run: {}",
                Self::one_line(reason)
            ));
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
            safe_lines(&error.to_string(), false)
        ));
        if let Some(hint) = hint {
            self.write_hint(hint);
        }
    }

    fn write_hint(&self, hint: &str) {
        write_message(&format!(
            "\n{}: {}",
            paint(self.colour_err, Style::Bold, "hint"),
            safe_lines(hint, false)
        ));
    }

    /// A path for people: relative if it is below the current folder, control characters escaped.
    pub(super) fn shown(&self, path: &Path) -> String {
        Self::safe(&self.relative(path).to_string_lossy())
    }

    /// A path, relative if it is below the current folder.
    pub(super) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        self.current_folder
            .as_deref()
            .and_then(|folder| path.strip_prefix(folder).ok())
            .filter(|relative| !relative.as_os_str().is_empty())
            .unwrap_or(path)
    }

    /// Text for stdout, styled when it is a terminal.
    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        paint(self.colour_out, style, text)
    }

    /// Escapes what could control the terminal, or reorder text or break lines, such as escape
    /// sequences and bidirectional controls in file names, captions and metadata.
    pub(super) fn safe(text: &str) -> String {
        let mut safe = String::with_capacity(text.len());
        for character in text.chars() {
            push_safe(&mut safe, character);
        }
        safe
    }

    /// [`safe`](Self::safe), on one line: the messages of some libraries have several.
    pub(super) fn one_line(text: &str) -> String {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let place = lines
            .iter()
            .find_map(|line| line.strip_prefix("TOML parse error at "));
        let joined = match place {
            Some(place) => {
                // What is wrong comes after a drawing of the place.
                let is_drawing = |line: &str| {
                    let line = line.trim_start_matches(|letter: char| letter.is_ascii_digit());
                    line.trim_start().starts_with('|')
                };
                let is_wrong =
                    |line: &&str| !(is_drawing(line) || line.starts_with("TOML parse error"));
                let wrong: Vec<&str> = lines.iter().copied().filter(is_wrong).collect();
                format!("{place}: {}", wrong.join(" ").trim())
            }
            None => lines.join(" "),
        };
        Self::safe(joined.trim())
    }

    /// Prints what the command line's parser says on stderr, in its colours.
    pub(super) fn usage_error(error: &clap::Error) {
        let rendered = error.render();
        let is_coloured = io::stderr().is_terminal() && wants_colour();
        let text = if is_coloured {
            rendered.ansi().to_string()
        } else {
            rendered.to_string()
        };
        write_message(&safe_lines(text.trim_end(), is_coloured));
    }
}

/// As <https://no-color.org> says, and not on dumb terminals.
fn wants_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn push_safe(safe: &mut String, character: char) {
    if character.is_control() || reorders_or_breaks(character) {
        safe.extend(character.escape_default());
    } else {
        safe.push(character);
    }
}

/// Bidirectional embeddings, overrides and isolates, and the line and paragraph separators. Other
/// characters without a shape of their own are part of ordinary text: the zero width space in
/// Khmer and Thai, joiners and direction marks in Persian, Arabic and Hebrew, joiners in emoji.
fn reorders_or_breaks(character: char) -> bool {
    matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// As [`Printer::safe`], but keeps line breaks, and colours if the output has them.
fn safe_lines(text: &str, keeps_colours: bool) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let colour = Some(rest)
            .filter(|_| keeps_colours)
            .and_then(leading_colour);
        if let Some(n_bytes) = colour {
            safe.push_str(&rest[..n_bytes]);
            rest = &rest[n_bytes..];
            continue;
        }
        match character {
            '\n' => safe.push('\n'),
            character => push_safe(&mut safe, character),
        }
        rest = &rest[character.len_utf8()..];
    }
    safe
}

/// The length of the sequence at the start of a text that changes the colour and nothing else.
fn leading_colour(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|letter: char| !letter.is_ascii_digit() && letter != ';')?;
    parameters[end..].starts_with('m').then_some(end + 3)
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
    fn only_what_controls_a_terminal_or_reorders_text_is_escaped() {
        let rows = [
            ("a\u{1b}[31mb\nc é 猫", "a\\u{1b}[31mb\\nc é 猫"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
            ("\u{2066}a\u{2069}", "\\u{2066}a\\u{2069}"),
            ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"),
            ("\u{9b}31m\t\r", "\\u{9b}31m\\t\\r"),
        ];
        assert_eq!(rows.len(), 5);
        for (text, expected) in rows {
            assert_eq!(Printer::safe(text), expected);
            for keeps_colours in [false, true] {
                let lines = safe_lines("a\u{1b}]0;title\u{7}\u{202e}\nb", keeps_colours);
                assert_eq!(lines, "a\\u{1b}]0;title\\u{7}\\u{202e}\nb");
            }
        }
        let painted = paint(true, Style::Red, "é\u{1b}[2J");
        assert_eq!(
            safe_lines(&painted, true),
            "\u{1b}[1;31mé\\u{1b}[2J\u{1b}[0m"
        );
        assert!(!safe_lines(&painted, false).contains('\u{1b}'));
    }

    #[test]
    fn invisible_characters_of_ordinary_text_are_kept() {
        let texts = [
            "ឆ្កែ\u{200b}មួយ\u{200b}ក្បាល",
            "หมา\u{200b}แดง",
            "می\u{200c}خواهم",
            "\u{200f}שלום\u{200e} \u{61c}كلب",
            "👩\u{200d}🚀 🏴\u{e0067}\u{e0062}\u{e007f}",
            "Donau\u{ad}dampfer e\u{301}",
        ];
        for text in texts {
            assert_eq!(Printer::safe(text), text);
            assert_eq!(safe_lines(text, false), text);
        }
        assert_eq!(texts.len(), 6);
    }

    #[test]
    fn messages_of_several_lines_become_one() {
        let error = toml::from_str::<toml::Table>("a = 1\nb = = 2\n").unwrap_err();
        let line = Printer::one_line(&error.to_string());
        assert!(line.starts_with("line 2, column 5: "), "{line}");
        assert!(
            line.len() > 25 && !line.contains('|') && !line.contains("\\n"),
            "{line}"
        );
        assert_eq!(Printer::one_line("a\n  b\n"), "a b");
    }
}
