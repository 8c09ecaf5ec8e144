//! `sightline refine` and `sightline search --interactive`

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};

use super::search::{note_on_keys, note_on_readings, note_on_text, query, ranking, readings};
use crate::cli::args::{MAX_HITS, OutputArgs, QueryArgs, SearchArgs};
use crate::cli::count::counted;
use crate::cli::deliver;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::{is_broken_pipe, report};
use crate::cli::lines::{Lines, Typed};
use crate::cli::output::{self, FoundHits};
use crate::cli::printer::Printer;
use crate::cli::query_line;
use crate::cli::rows::Hits;
use crate::engine::{
    DecodeOptions, Engine, How, Query, QueryChange, RefineOptions, Refinement, SearchHit, Turn,
};
use crate::platform;
use crate::workspace::Workspace;

const PROMPT: &str = "refine> ";

const HELP: &str = "\
more like 3, +3          more like the third hit; also several: more like 3 and 5, or 2-4
less like 2, -2          less like the second hit
but at night, + night    adds a text to the query
no people, without cars  subtracts one
only 2023                filters: a date, only in FOLDER, only landscape, only jpg, camera:nikon,
                         after:2022, -type:png, only \"these words\", -word
undo, undo 2, redo       back to earlier hits, and forth
reset                    back to the query as it was asked
next, show 30, show      the hits that follow, this many hits, the hits again
why, why 3               similarity, ranks and caption of the hits
open 3                   opens a hit in the viewer
copy DIR, copy 3 to DIR  copies the hits into a folder
search TEXT              a new query, as is any line that is no command
quit, Ctrl-D             ends";

/// The same for both commands.
pub(in crate::cli) fn run(
    args: &SearchArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    if reads_stdin(&args.query) {
        bail!("stdin holds the commands of a refined search: `-` cannot be a picture as well");
    }
    let decode = args.decode.options();
    let options = RefineOptions {
        by: args.by.map(ranking),
        n: args.output.top as usize,
        min_confidence: args.output.min_confidence,
        language: args.language,
    };
    let engine = workspace.engine()?.with_decode_options(decode.clone());
    let understand = |text: &str| Ok(engine.understand(text, options.by, options.language)?);
    let first = query(&args.query, &args.filters, understand, &decode)?;
    let mut session = Session {
        engine: &engine,
        workspace,
        output: args.output.clone(),
        decode,
        refinement: Refinement::new(options),
        printer,
    };
    let mut lines = Lines::open()?;
    if first == Query::default() {
        session
            .printer
            .note("type what to look for; `help` lists what else can be typed");
    } else {
        session.refine(&[QueryChange::Search(first)])?;
        if let (Some(text), Some(request)) = (&args.query.text, session.refinement.request()) {
            note_on_text(text, &request.query, workspace, session.printer);
        }
        if lines.are_typed() {
            session
                .printer
                .note("more like N, less like N, but …, only …, undo, open N, help");
        }
    }
    let mut status = ExitStatus::Found;
    loop {
        session.printer.flush()?;
        let typed = match lines.next(PROMPT)? {
            Typed::Line(typed) => typed,
            Typed::Cancelled => continue,
            Typed::End => return Ok(status),
        };
        // Several lines can be pasted at once.
        for line in typed.lines() {
            match session.turn(line) {
                Ok(true) => {}
                Ok(false) => return Ok(status),
                Err(error) if is_broken_pipe(&error) => return Err(error),
                Err(error) => {
                    report(&error, Some(workspace), session.printer);
                    // A script does not read stderr.
                    if !lines.are_typed() {
                        status = ExitStatus::Error;
                    }
                }
            }
        }
    }
}

/// Whether a picture is to be read from stdin.
fn reads_stdin(query: &QueryArgs) -> bool {
    let values = query.plus.iter().chain(&query.minus);
    query.image.iter().any(|path| path == Path::new("-")) || values.into_iter().any(|v| v == "-")
}

/// A search that goes on.
struct Session<'a> {
    engine: &'a Engine,
    workspace: &'a Workspace,
    output: OutputArgs,
    decode: DecodeOptions,
    refinement: Refinement,
    printer: &'a mut Printer,
}

impl Session<'_> {
    /// Does what a line says. False to end.
    fn turn(&mut self, line: &str) -> Result<bool> {
        let n = self.refinement.hits().len();
        match Turn::parse(line)? {
            Turn::Change(changes) => self.refine(&changes)?,
            Turn::Undo(n) => {
                self.refinement.undo(n)?;
                self.show(Instant::now(), &|_| true)?;
            }
            Turn::Redo(n) => {
                self.refinement.redo(n)?;
                self.show(Instant::now(), &|_| true)?;
            }
            Turn::Show(None) => self.resize(n, 0)?,
            Turn::Show(Some(n)) => self.resize(n, 0)?,
            Turn::Next => self.resize(n + self.refinement.options().n, n)?,
            Turn::Open(ranks) => {
                for hit in self.refinement.hits_at(&ranks)? {
                    deliver::open_in_viewer(&hit.paths)?;
                }
            }
            Turn::Why(ranks) => {
                self.refinement.hits_at(&ranks)?;
                let why = std::mem::replace(&mut self.output.why, true);
                let is_meant = |rank| ranks.is_empty() || ranks.contains(&rank);
                let shown = self.show_hits(Instant::now(), &is_meant);
                self.output.why = why;
                shown?;
            }
            Turn::Copy { hits, folder } => self.copy(&hits, &folder)?,
            Turn::Help => self.printer.note(HELP),
            Turn::Quit => return Ok(false),
            Turn::Nothing => {}
        }
        Ok(true)
    }

    fn refine(&mut self, changes: &[QueryChange]) -> Result<()> {
        let began = Instant::now();
        let is_first = self.refinement.request().is_none();
        self.engine.refine(&mut self.refinement, changes)?;
        for change in changes {
            if let QueryChange::Ask(text) = change {
                if !is_first {
                    let text = Printer::one_line(text);
                    let note = format_args!("new query: {text} (`undo` goes back)");
                    self.printer.note(note);
                }
                if let Some(request) = self.refinement.request() {
                    note_on_text(text, &request.query, self.workspace, self.printer);
                }
            }
        }
        self.show(began, &|_| true)
    }

    /// Searches for `n` hits and shows those after the first `n_shown`.
    fn resize(&mut self, n: usize, n_shown: usize) -> Result<()> {
        let began = Instant::now();
        let most = MAX_HITS as usize;
        if n > most && !(1..most).contains(&n_shown) {
            bail!("a list has at most {}", counted(MAX_HITS, "hit"));
        }
        self.engine.show(&mut self.refinement, n.min(most))?;
        if n_shown > 0 && self.refinement.hits().len() <= n_shown {
            self.printer.note("these are all hits");
            return Ok(());
        }
        self.show(began, &|rank| rank > n_shown)
    }

    /// Shows hits, and the command that has the same.
    fn show(&mut self, began: Instant, ranks: &dyn Fn(usize) -> bool) -> Result<()> {
        self.show_hits(began, ranks)?;
        let Some(request) = self.refinement.request() else {
            return Ok(());
        };
        let options = self.refinement.options();
        let full_decode = self.decode.full_decode;
        let command = query_line::command(
            &request,
            options,
            full_decode,
            self.engine,
            self.workspace,
            self.printer,
        );
        self.printer.note(command);
        Ok(())
    }

    fn show_hits(&mut self, began: Instant, ranks: &dyn Fn(usize) -> bool) -> Result<()> {
        let Some(mut request) = self.refinement.request() else {
            bail!(crate::engine::RefineError::NoQuery);
        };
        request.query = self.engine.settled(&request)?;
        let found = FoundHits {
            query: &request.query,
            by: request.by,
            readings: readings(&request.query, request.by, request.language, self.engine)?,
            began,
            hits: Hits::Images(self.refinement.hits().to_vec()),
        };
        output::show_some(&found, ranks, &self.output, self.printer)?;
        let rows = found.hits.rows(self.printer);
        if rows.is_empty() {
            output::note_nothing_found(&found.hits, self.workspace, self.printer);
            if self.refinement.can_undo() {
                self.printer.note("`undo` goes back to the hits before");
            }
        } else {
            output::note_if_unlikely(&rows, self.printer);
        }
        note_on_keys(found.query, self.printer);
        note_on_readings(&found, self.printer);
        Ok(())
    }

    fn copy(&self, ranks: &[usize], folder: &Path) -> Result<()> {
        let hits: Vec<&SearchHit> = if ranks.is_empty() {
            self.refinement.hits().iter().collect()
        } else {
            self.refinement.hits_at(ranks)?
        };
        if hits.is_empty() {
            bail!("there are no hits to copy");
        }
        let pictures: Vec<&[PathBuf]> = hits.iter().map(|hit| hit.paths.as_slice()).collect();
        let home = folder.strip_prefix("~").ok().zip(platform::home_folder());
        let folder = home.map_or(folder.to_path_buf(), |(below, home)| home.join(below));
        deliver::gather_in(&folder, How::Copy, &pictures, self.printer)?;
        Ok(())
    }
}
