//! `sightline serve`

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Result, bail};
use tokio::runtime::Runtime;

use super::watch::WatchLog;
use crate::cli::args::ServeArgs;
use crate::cli::exit::{self, ExitStatus};
use crate::cli::printer::Printer;
use crate::engine::IndexRequest;
use crate::platform;
use crate::watch::{WatchEvent, WatchOptions, Watcher};
use crate::web::{Runs, ServeError, ServeOptions, Server, Token};
use crate::workspace::Workspace;

pub(in crate::cli) fn run(
    args: &ServeArgs,
    workspace: &Arc<Workspace>,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    platform::limit_heaps();
    let usual = ServeOptions::default();
    let address = args.bind.unwrap_or(usual.address);
    let needs_token = !address.is_loopback() || args.allow_copy.is_some();
    let options = ServeOptions {
        address,
        port: args.port,
        hosts: args.host.clone(),
        token: token(args, needs_token, printer)?,
        thumbnails: platform::thumbnail_folder(),
        mcp: args.mcp,
        copy_to: args.allow_copy.clone(),
    };
    exit::catch_ctrl_c();
    Runtime::new()?.block_on(async {
        let server = Server::bind(Arc::clone(workspace), options).await;
        let server = server.map_err(with_advice)?;
        let url = server.url();
        printer.note(format_args!("serving {url} (Ctrl-C stops)"));
        if let Some(url) = server.url_for_others() {
            printer.note(format_args!(
                "other machines: {url} (with --host NAME also by a name)"
            ));
        }
        if args.open && open::that(&url).is_err() {
            printer.note(format_args!("no browser can be opened: open {url} in one"));
        }
        let watching = args
            .watch
            .then(|| WatchThread::start(&server, args, workspace, printer));
        server.run(exit::stopped()).await?;
        if let Some(watching) = watching {
            watching.stop();
        }
        Ok(ExitStatus::Found)
    })
}

/// Failures of the workspace are known to the hints; so they are passed on bare.
fn with_advice(error: ServeError) -> anyhow::Error {
    match error {
        ServeError::Workspace(error) => error.into(),
        error => error.into(),
    }
}

/// A watcher on a thread beside the server.
struct WatchThread {
    is_stopped: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl WatchThread {
    fn start(server: &Server, args: &ServeArgs, workspace: &Workspace, printer: &Printer) -> Self {
        let options = WatchOptions {
            request: IndexRequest {
                n_decoders: workspace.session().n_threads,
                ..IndexRequest::default()
            },
            is_alone: false,
            every: args.every,
            free_after: WatchOptions::FREE_AFTER,
        };
        let watcher = Watcher::new(server.engine(), options);
        let mut shown = Shown {
            runs: server.runs(),
            folders: Vec::new(),
        };
        let messages = Printer::new(printer.quiet());
        let index = workspace.named_index().map(Path::to_path_buf);
        let is_stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_stopped);
        let thread = thread::spawn(move || {
            let mut log = WatchLog::new(messages, index.as_deref());
            let outcome = watcher.run(&mut |event| {
                log.note(event);
                shown.note(event);
                if stop.load(Ordering::Relaxed) {
                    ControlFlow::Break(())
                } else {
                    exit::check_ctrl_c()
                }
            });
            if let Err(error) = outcome {
                log.error(&error);
            }
        });
        Self { is_stopped, thread }
    }

    /// Waits until the work in progress is committed.
    fn stop(self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        // What it panicked about is on the screen.
        let _ = self.thread.join();
    }
}

/// Shows the runs of the watcher on the page.
struct Shown {
    runs: Arc<Runs>,
    /// The folders of the run in progress.
    folders: Vec<PathBuf>,
}

impl Shown {
    fn note(&mut self, event: &WatchEvent<'_>) {
        match event {
            WatchEvent::Indexing(folders) => self.folders = folders.to_vec(),
            WatchEvent::Progress(progress) => self.runs.show(&self.folders, progress),
            WatchEvent::Indexed(report) => self.runs.show_end(Ok(report)),
            WatchEvent::Waiting(error) | WatchEvent::Failed(error) => {
                self.runs.show_end(Err(Some(error)));
            }
            WatchEvent::Idle => self.runs.show_end(Err(None)),
            _ => {}
        }
    }
}

/// The token of a file, or a new one where one is needed.
fn token(args: &ServeArgs, is_needed: bool, printer: &Printer) -> Result<Option<Token>> {
    if let Some(path) = &args.token_file {
        let text = fs_err::read_to_string(path)?;
        let Some(token) = Token::new(text.trim()) else {
            bail!(
                "{}: expected one line of at least {} letters, digits and -._~+/=",
                path.display(),
                Token::MIN_LENGTH
            );
        };
        return Ok(Some(token));
    }
    if !is_needed {
        return Ok(None);
    }
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}")?;
    }
    printer.note(format_args!("token: {text}"));
    Ok(Token::new(&text))
}
