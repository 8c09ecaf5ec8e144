//! `sightline watch`, and what a watcher says.

use std::collections::HashSet;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};

use super::index::counts;
use super::tag::note_on_bank;
use crate::answers::IndexAnswer;
use crate::cli::args::WatchArgs;
use crate::cli::exit::{self, ExitStatus};
use crate::cli::failure;
use crate::cli::hints;
use crate::cli::output::counted;
use crate::cli::printer::Printer;
use crate::cli::progress::ProgressView;
use crate::engine::{EngineError, IndexReport, IndexRequest, Skipped};
use crate::platform;
use crate::watch::{WatchEvent, WatchOptions, Watcher};
use crate::workspace::Workspace;

/// How soon library folders are noticed that other processes add or remove.
const FOLLOWED: Duration = Duration::from_secs(2);

/// Number of skipped files listed after a run.
const N_LISTED: usize = 10;

pub(in crate::cli) fn run(
    args: &WatchArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    platform::limit_heaps();
    let engine = workspace
        .engine()?
        .with_decode_options(args.pipeline.decode.options());
    if args.folders.is_empty() {
        if engine.libraries()?.is_empty() {
            bail!("the index has no library folders: name the folders to watch");
        }
        engine.follow(FOLLOWED)?;
    }
    let options = WatchOptions {
        request: IndexRequest {
            folders: args.folders.clone(),
            tag: args.tag,
            ..args.pipeline.request(workspace.session().n_threads)
        },
        is_alone: true,
        every: args.every,
        free_after: WatchOptions::FREE_AFTER,
    };
    if let Some(kept) = workspace.kept_model() {
        printer.note(hints::on_kept_model(&kept, workspace.named_index()));
    }
    exit::catch_ctrl_c();
    let messages = Printer::new(printer.quiet());
    let mut view = ProgressView::new(&messages);
    let mut log = WatchLog::new(Printer::new(printer.quiet()), workspace.named_index());
    let mut is_stopping = false;
    let mut output = Ok(());
    let watcher = Watcher::new(Arc::new(engine), options);
    watcher.run(&mut |event| {
        if let WatchEvent::Progress(progress) = event {
            view.show(progress);
        } else {
            view.clear();
        }
        log.note(event);
        if let WatchEvent::Indexed(report) = event
            && args.json
        {
            output = print(report, printer);
        }
        let flow = exit::check_ctrl_c();
        if flow.is_break() && matches!(event, WatchEvent::Progress(_)) && !is_stopping {
            is_stopping = true;
            view.stopping();
        }
        if output.is_err() {
            ControlFlow::Break(())
        } else {
            flow
        }
    })?;
    output?;
    Ok(ExitStatus::Found)
}

/// Prints a report for whoever reads along.
fn print(report: &IndexReport, printer: &mut Printer) -> io::Result<()> {
    printer.json_line(&IndexAnswer::from(report))?;
    printer.flush()
}

/// Says on stderr what a watcher does, and nothing twice.
pub(super) struct WatchLog {
    printer: Printer,
    index: Option<PathBuf>,
    has_indexed: bool,
    /// What the run before left out, which each run does again.
    skipped: HashSet<(PathBuf, String)>,
    held_back: Vec<(PathBuf, usize)>,
}

impl WatchLog {
    /// `index`: the index folder, if it was named.
    pub(super) fn new(printer: Printer, index: Option<&Path>) -> Self {
        Self {
            printer,
            index: index.map(Path::to_path_buf),
            has_indexed: false,
            skipped: HashSet::new(),
            held_back: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, event: &WatchEvent<'_>) {
        let printer = &self.printer;
        match event {
            WatchEvent::Watching([]) => {}
            WatchEvent::Watching(folders) => {
                let folders: Vec<String> = folders.iter().map(|one| printer.shown(one)).collect();
                printer.note(format_args!("watching {}", folders.join(", ")));
            }
            WatchEvent::Missing(folder) => printer.note(format_args!(
                "{} is missing: waiting for it; its items stay in the index",
                printer.shown(folder)
            )),
            WatchEvent::Limited => {
                printer.note(
                    "the system's limit for watched folders is reached: changes in the others are \
                     found by the next scan",
                );
                printer.hint(hints::RAISE_WATCH_LIMIT);
            }
            WatchEvent::Unwatched(reason) => printer.note(format_args!(
                "cannot watch a folder, whose changes are found by the next scan: {}",
                Printer::one_line(reason)
            )),
            WatchEvent::Waiting(error) => printer.note(format_args!(
                "{}; waiting until it is done",
                Printer::one_line(&error.to_string())
            )),
            WatchEvent::Failed(error) => {
                self.error(error);
                printer.note("trying again later");
            }
            WatchEvent::Indexed(report) => self.note_report(report),
            _ => {}
        }
    }

    /// Prints an error with its hint.
    pub(super) fn error(&self, error: &EngineError) {
        let hint = hints::on_engine_error(error, self.index.as_deref());
        let error = failure::chain(anyhow::Chain::new(error));
        self.printer.error(error, hint.as_deref());
    }

    /// One line for a run that changed something, after what it left out for the first time.
    fn note_report(&mut self, report: &IndexReport) {
        let key = |skipped: &Skipped| (skipped.path.clone(), skipped.reason.clone());
        let mut news = report.clone();
        news.skipped
            .retain(|skipped| !self.skipped.contains(&key(skipped)));
        news.n_captions_skipped = news.n_captions_skipped.min(news.skipped.len());
        // Files whose times changed and nothing else.
        news.n_reread = 0;
        self.skipped = report.skipped.iter().map(key).collect();
        let printer = &self.printer;
        for Skipped { path, reason } in news.skipped.iter().take(N_LISTED) {
            let reason = Printer::one_line(reason);
            printer.note(format_args!("skipped {}: {reason}", printer.shown(path)));
        }
        if news.skipped.len() > N_LISTED {
            let n_more = news.skipped.len() - N_LISTED;
            printer.note(format_args!("… and {n_more} more"));
        }
        for (folder, n) in &report.held_back {
            if !self.held_back.contains(&(folder.clone(), *n)) {
                printer.note(format_args!(
                    "no pictures in {}, but {n} in the index: nothing was removed",
                    printer.shown(folder)
                ));
            }
        }
        self.held_back.clone_from(&report.held_back);
        printer.postponed(&report.postponed);
        note_on_bank(&report.bank, printer);
        let files = counted(report.n_seen, "picture file");
        match counts(&news, &[]) {
            Some(counts) => printer.note(format_args!("{counts} ({files})")),
            None if !self.has_indexed => printer.note(format_args!("up to date ({files})")),
            None => {}
        }
        if let Some(n_tagged @ 1..) = report.n_tagged {
            let tagged = counted(n_tagged as u64, "picture");
            printer.note(format_args!("tagged {tagged}"));
        }
        self.has_indexed = true;
    }
}
