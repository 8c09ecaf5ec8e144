//! `sightline search`, `sightline captions` and `sightline similar`

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use crate::cli::args::{ByArg, CaptionsArgs, FindArg, SearchArgs, SimilarArgs};
use crate::cli::exit::ExitStatus;
use crate::cli::hints;
use crate::cli::output::{self, Found};
use crate::cli::printer::Printer;
use crate::cli::rows::Hits;
use crate::engine::{By, Query, Reading, SearchRequest};
use crate::workspace::Workspace;

pub(in crate::cli) fn search(
    args: &SearchArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let began = Instant::now();
    let query = match (&args.text, &args.image) {
        (Some(text), _) => Query::Text(text.clone()),
        (None, Some(image)) => Query::Picture(image.clone()),
        (None, None) => unreachable!("clap requires one of the two"),
    };
    let by = match (args.by, &query) {
        (Some(ByArg::Meaning), _) | (None, Query::Picture(_)) => By::Meaning,
        (Some(ByArg::Words), _) => By::Words,
        (Some(ByArg::Both), _) | (None, Query::Text(_)) => By::Both,
    };
    let engine = workspace
        .engine()?
        .with_decode_options(args.decode.options());
    let request = SearchRequest {
        query,
        n: args.output.top as usize,
        by,
        filter: None,
        language: args.language,
    };
    let hits = match args.find {
        FindArg::Images => Hits::Images(engine.search(&request)?),
        FindArg::Captions => Hits::Captions(engine.search_captions(&request)?),
    };
    let found = Found {
        query: &request.query,
        by,
        reading: match &request.query {
            Query::Text(text) if by != By::Words => Some(engine.reading(text, args.language)?),
            Query::Text(_) | Query::Picture(_) => None,
        },
        began,
        hits,
    };
    let status = output::show(&found, &args.output, workspace, printer)?;
    if let Some(reading) = found.reading {
        note_on_reading(reading, by, printer);
    }
    if let Query::Text(text) = &request.query {
        note_on_text(text, workspace, printer);
    }
    Ok(status)
}

/// Notes on what the model made of the query, after the hits.
fn note_on_reading(reading: Reading, by: By, printer: &Printer) {
    let Reading {
        language,
        tower,
        is_known,
        n_tokens_dropped,
    } = reading;
    // The first is the model's usual tower; that an English query is English goes without saying.
    if let Some(tower @ 1..) = tower {
        let tower = tower + 1;
        match language {
            Some(language) => printer.note(format_args!(
                "query in language {language}, encoded by text tower {tower}"
            )),
            None => printer.note(format_args!("query encoded by text tower {tower}")),
        }
    }
    if !is_known {
        printer.note(match by {
            By::Meaning => "the model knows no part of this query: the similarities mean nothing",
            _ => "the model knows no part of this query: only keywords were searched",
        });
    }
    if n_tokens_dropped > 0 {
        printer.note(format_args!(
            "query too long for the model: its last {n_tokens_dropped} tokens were ignored"
        ));
    }
}

/// Notes on the text of the query, after the hits.
fn note_on_text(text: &str, workspace: &Workspace, printer: &Printer) {
    if Path::new(text).is_file() {
        printer.hint(format_args!(
            "{} is a file; to search by the picture itself: `{}`",
            Printer::safe(text),
            Printer::safe(&hints::command(
                &format!("search --image {}", hints::shell_word(text)),
                workspace.named_index()
            ))
        ));
    }
}

pub(in crate::cli) fn captions(
    args: &CaptionsArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let began = Instant::now();
    let hits = workspace
        .engine()?
        .with_decode_options(args.decode.options())
        .captions(&args.image, args.output.top as usize)?;
    let found = Found {
        query: &Query::Picture(args.image.clone()),
        by: By::Meaning,
        reading: None,
        began,
        hits: Hits::Captions(hits),
    };
    output::show(&found, &args.output, workspace, printer)
}

pub(in crate::cli) fn similar(
    args: &SimilarArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let began = Instant::now();
    let hits = workspace
        .engine()?
        .with_decode_options(args.decode.options())
        .similar(&args.image, args.output.top as usize)?;
    let found = Found {
        query: &Query::Picture(args.image.clone()),
        by: By::Meaning,
        reading: None,
        began,
        hits: Hits::Images(hits),
    };
    output::show(&found, &args.output, workspace, printer)
}
