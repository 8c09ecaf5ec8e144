//! Asks the terminal what it can show.

use std::io::Stdout;

use super::preview::TerminalAnswer;

/// What the terminal that stdout is answers, within 500 ms; nothing where it is none. It is
/// asked once, since what is typed meanwhile is lost.
#[cfg(unix)]
pub(super) fn ask(screen: &Stdout) -> TerminalAnswer {
    use std::sync::OnceLock;

    static ANSWER: OnceLock<TerminalAnswer> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let answer = unix::exchange(screen).unwrap_or_default();
        let mut answer = TerminalAnswer::read(&answer);
        answer.cell = answer.cell.or_else(|| unix::cell(screen));
        answer
    })
}

/// The consoles of other systems are not asked.
#[cfg(not(unix))]
pub(super) fn ask(_: &Stdout) -> TerminalAnswer {
    TerminalAnswer::default()
}

#[cfg(unix)]
mod unix {
    use std::io::{Stdout, Write as _};
    use std::time::{Duration, Instant};

    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcgetwinsize, tcsetattr,
    };

    use crate::cli::preview::{CellSize, TerminalAnswer};

    /// Time for the answer, which may come from another machine.
    const PATIENCE: Duration = Duration::from_millis(500);

    /// Sends the question and returns what has come back by then. The terminal does not show the
    /// answer, and hands it over without a line break.
    pub(super) fn exchange(screen: &Stdout) -> std::io::Result<String> {
        let usual = tcgetattr(screen)?;
        let mut modes = usual.clone();
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        // A read ends after 100 ms without a byte.
        modes.special_codes[SpecialCodeIndex::VMIN] = 0;
        modes.special_codes[SpecialCodeIndex::VTIME] = 1;
        tcsetattr(screen, OptionalActions::Drain, &modes)?;
        let answer = read(screen);
        tcsetattr(screen, OptionalActions::Drain, &usual)?;
        answer
    }

    fn read(screen: &Stdout) -> std::io::Result<String> {
        let mut writer = screen.lock();
        writer.write_all(TerminalAnswer::QUESTION.as_bytes())?;
        writer.flush()?;
        let began = Instant::now();
        let mut answer = String::new();
        let mut buffer = [0; 256];
        while !TerminalAnswer::is_complete(&answer) && began.elapsed() < PATIENCE {
            let n = rustix::io::read(screen, &mut buffer)?;
            answer.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
        Ok(answer)
    }

    /// The size of a character by the size of the window.
    pub(super) fn cell(screen: &Stdout) -> Option<CellSize> {
        let window = tcgetwinsize(screen).ok()?;
        let part = |pixels: u16, n: u16| {
            let pixels = u32::from(pixels).checked_div(u32::from(n))?;
            (1..=200).contains(&pixels).then_some(pixels)
        };
        Some(CellSize {
            width: part(window.ws_xpixel, window.ws_col)?,
            height: part(window.ws_ypixel, window.ws_row)?,
        })
    }
}
