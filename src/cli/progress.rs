//! Progress of long work: a bar on a terminal, a line every few seconds elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};

use super::printer::Printer;
use crate::engine::{Progress, Stage};

/// Interval between lines where no bar can be drawn.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Draws the progress of one run on stderr.
pub(super) struct ProgressView<'a> {
    printer: &'a Printer,
    bar: Option<(Stage, ProgressBar)>,
    on_terminal: bool,
    last_line: Instant,
}

impl<'a> ProgressView<'a> {
    pub(super) fn new(printer: &'a Printer) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        Self {
            printer,
            bar: None,
            on_terminal,
            last_line: Instant::now(),
        }
    }

    pub(super) fn show(&mut self, progress: &Progress) {
        if self.printer.quiet() {
            return;
        }
        if self.on_terminal {
            self.draw(progress);
        } else if self.last_line.elapsed() >= LINE_INTERVAL && progress.n_total > 0 {
            self.last_line = Instant::now();
            self.printer.note(line(progress));
        }
    }

    fn draw(&mut self, progress: &Progress) {
        if self
            .bar
            .as_ref()
            .is_none_or(|(stage, _)| *stage != progress.stage)
        {
            self.clear();
            let bar = ProgressBar::new(progress.n_total as u64);
            let template = match progress.stage {
                Stage::Waiting | Stage::Walking => "{spinner} {prefix}",
                Stage::Details
                | Stage::Pictures
                | Stage::Captions
                | Stage::Building
                | Stage::Biases
                | Stage::Comparing
                | Stage::Masking
                | Stage::Phrases
                | Stage::Labels
                | Stage::Tagging => "{prefix} {wide_bar:.green} {human_pos}/{human_len}  {msg}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("━╸─"));
            }
            bar.set_prefix(title(progress.stage));
            self.bar = Some((progress.stage, bar));
        }
        if let Some((_, bar)) = &self.bar {
            bar.set_length(progress.n_total as u64);
            bar.set_message(details(progress));
            bar.set_position(progress.n_done as u64);
        }
    }

    /// Acknowledges Ctrl-C while the work in progress is completed.
    pub(super) fn stopping(&mut self) {
        self.clear();
        self.printer
            .note("finishing the work in progress; press Ctrl-C again to quit at once");
    }

    /// Removes the bar from the screen.
    pub(super) fn clear(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for ProgressView<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Draws the number of bytes copied or downloaded, on a terminal only.
pub(super) struct BytesView<'a> {
    printer: &'a Printer,
    title: &'static str,
    bar: Option<ProgressBar>,
}

impl<'a> BytesView<'a> {
    pub(super) fn new(printer: &'a Printer, title: &'static str) -> Self {
        Self {
            printer,
            title,
            bar: None,
        }
    }

    pub(super) fn show(&mut self, n_done: u64, n_total: u64) {
        if self.printer.quiet() || !std::io::stderr().is_terminal() {
            return;
        }
        let title = self.title;
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(n_total);
            let template =
                "{prefix} {wide_bar:.green} {bytes}/{total_bytes}  {bytes_per_sec}, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("━╸─"));
            }
            bar.set_prefix(title);
            bar
        });
        bar.set_length(n_total);
        bar.set_position(n_done);
    }
}

impl Drop for BytesView<'_> {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn title(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "Waiting for another run",
        Stage::Walking => "Searching for pictures",
        Stage::Details => "Reading metadata",
        Stage::Pictures => "Pictures",
        Stage::Captions => "Captions",
        Stage::Building => "Building the search graph",
        Stage::Biases => "Comparing pictures with a sample of all",
        Stage::Comparing => "Comparing pictures",
        Stage::Masking => "Masking parts",
        Stage::Phrases => "Encoding the phrase bank, once per model",
        Stage::Labels => "Encoding the tags, once per model",
        Stage::Tagging => "Tagging pictures",
    }
}

/// `32.1/s, 3 minutes left, 2 skipped`
fn details(progress: &Progress) -> String {
    let mut details = vec![format!("{:.1}/s", progress.rate())];
    if let Some(remaining) = progress.remaining() {
        details.push(format!("{} left", HumanDuration(remaining)));
    }
    if progress.n_skipped > 0 {
        details.push(format!("{} skipped", HumanCount(progress.n_skipped as u64)));
    }
    details.join(", ")
}

fn line(progress: &Progress) -> String {
    let (done, total) = (progress.n_done as u64, progress.n_total as u64);
    let title = title(progress.stage);
    format!(
        "{title}: {} of {} ({})",
        HumanCount(done),
        HumanCount(total),
        details(progress)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::FirstRuns;

    #[test]
    fn a_line_has_count_rate_and_remaining_time() {
        let progress = Progress {
            stage: Stage::Pictures,
            n_done: 1200,
            n_total: 8400,
            n_skipped: 2,
            elapsed: Duration::from_mins(1),
            first_runs: FirstRuns::default(),
        };
        let expected = "Pictures: 1,200 of 8,400 (20.0/s, 6 minutes left, 2 skipped)";
        assert_eq!(line(&progress), expected);
        // A device took 40 of these seconds to get ready, in the first batches.
        let first_runs = FirstRuns {
            n_pictures: 200,
            took: Duration::from_secs(40),
        };
        let progress = Progress {
            first_runs,
            ..progress
        };
        let expected = "Pictures: 1,200 of 8,400 (50.0/s, 2 minutes left, 2 skipped)";
        assert_eq!(line(&progress), expected);
    }
}
