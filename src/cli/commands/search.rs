//! `sightline search`, `sightline captions` and `sightline similar`

use std::mem::ManuallyDrop;
use std::time::Instant;

use anyhow::{Result, bail};

use super::tag::note_on_bank;
use crate::cli::args::{
    ByArg, CaptionsArgs, FilterArgs, FindArg, FromArg, QueryArgs, SearchArgs, SimilarArgs,
};
use crate::cli::count::counted;
use crate::cli::exit::{self, ExitStatus};
use crate::cli::hints;
use crate::cli::output::{self, FoundHits};
use crate::cli::printer::Printer;
use crate::cli::progress::ProgressView;
use crate::cli::rows::Hits;
use crate::cli::stdin::Stdin;
use crate::engine::{
    By, CaptionSource, Condition, DecodeOptions, DescribeRequest, DescriptionHits, Engine, Key,
    NoCaptions, Part, PartContent, Query, Reading, SearchRequest, TextLanguage, TypedPath,
};
use crate::workspace::Workspace;

pub(in crate::cli) fn search(
    args: &SearchArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let began = Instant::now();
    let options = args.decode.options();
    let by = args.by.map(ranking);
    let engine = engine_for_one_query(workspace, &options)?;
    let understand = |text: &str| Ok(engine.understand(text, by, args.language)?);
    let query = query(&args.query, &args.filters, understand, &options)?;
    let mut request = SearchRequest {
        by: by.unwrap_or_else(|| query.usual_ranking()),
        query,
        n: args.output.top as usize,
        filter: None,
        min_confidence: args.output.min_confidence,
        language: args.language,
    };
    request.query = engine.settled(&request)?;
    let hits = match args.find {
        FindArg::Images => Hits::Images(engine.search(&request)?),
        FindArg::Captions => Hits::Captions(engine.search_captions(&request)?),
    };
    let SearchRequest { query, by, .. } = &request;
    let found = FoundHits {
        query,
        by: *by,
        readings: readings(query, *by, args.language, &engine)?,
        began,
        hits,
    };
    let status = output::show(&found, &args.output, workspace, printer)?;
    if !query.is_plain() {
        let query = Printer::one_line(&query.to_string());
        printer.note(format_args!("understood as: {query}"));
    }
    note_on_keys(query, printer);
    note_on_readings(&found, printer);
    if let Some(text) = &args.query.text {
        note_on_text(text, query, workspace, printer);
    }
    Ok(status)
}

/// An engine that is left as it is when the command ends: freeing the vocabulary and the graph of
/// the model piece by piece, just before the process ends, takes a tenth of the time of a search.
fn engine_for_one_query(
    workspace: &Workspace,
    options: &DecodeOptions,
) -> Result<ManuallyDrop<Engine>> {
    let engine = workspace.engine()?.with_decode_options(options.clone());
    Ok(ManuallyDrop::new(engine))
}

pub(super) fn ranking(by: ByArg) -> By {
    match by {
        ByArg::Meaning => By::Meaning,
        ByArg::Words => By::Words,
        ByArg::Both => By::Both,
    }
}

/// The query that the arguments stand for.
pub(super) fn query(
    asked: &QueryArgs,
    filters: &FilterArgs,
    understand: impl FnOnce(&str) -> Result<Query>,
    options: &DecodeOptions,
) -> Result<Query> {
    let mut query = match &asked.text {
        Some(text) if asked.literal => Query::text(text),
        Some(text) => understand(text)?,
        None => Query::default(),
    };
    let mut stdin = Stdin::new(options);
    for path in &asked.image {
        query = query.plus(stdin.picture(path)?);
    }
    for value in &asked.like {
        query = query.plus(Part::parse_item(value)?);
    }
    for value in &asked.plus {
        query = query.plus(stdin.part(value)?);
    }
    for value in &asked.minus {
        query = query.minus(stdin.part(value)?);
    }
    for value in &asked.unlike {
        query = query.minus(Part::parse_item(value)?);
    }
    query.phrases.extend(filters.phrase.iter().cloned());
    query.conditions.extend(filters.conditions().cloned());
    Ok(query)
}

/// What the model makes of the text of each part.
pub(super) fn readings(
    query: &Query,
    by: By,
    language: Option<TextLanguage>,
    engine: &Engine,
) -> Result<Vec<Option<Reading>>> {
    let reading = |part: &Part| match &part.content {
        PartContent::Text(text) if by != By::Words => Ok(Some(engine.reading(text, language)?)),
        _ => Ok(None),
    };
    query.parts.iter().map(reading).collect()
}

/// Which words look like a filter with a mistake in it, and which names could mean other towns.
pub(super) fn note_on_keys(query: &Query, printer: &Printer) {
    for condition in &query.conditions {
        note_on_vicinity(condition, printer);
    }
    for unknown in &query.unknown_keys {
        let (typed, similar) = (&unknown.typed, unknown.similar);
        if Key::named(typed).is_some() {
            printer.note(format_args!(
                "`{typed}:` was searched as a word: the value of a filter follows without a space"
            ));
        } else {
            printer.note(format_args!(
                "`{typed}:` was searched as a word: did you mean `{similar}:`?"
            ));
        }
    }
}

/// That a name could mean other towns.
fn note_on_vicinity(condition: &Condition, printer: &Printer) {
    let others = condition.vicinity().map(|vicinity| &vicinity.others[..]);
    let Some([other, ..]) = others else {
        return;
    };
    let within = if other.region.is_empty() {
        other.country()
    } else {
        other.region
    };
    printer.note(format_args!(
        "{} of the same name: near:\"{}, {within}\" means another",
        counted(others.unwrap_or_default().len(), "other town"),
        other.name
    ));
}

/// Notes on what the model made of the texts, after the hits.
pub(super) fn note_on_readings(found: &FoundHits<'_>, printer: &Printer) {
    let is_single = matches!(found.query.parts[..], [_]);
    for (part, reading) in found.query.parts.iter().zip(&found.readings) {
        if let (PartContent::Text(text), Some(reading)) = (&part.content, reading) {
            let name = if is_single {
                "query".to_owned()
            } else {
                format!("“{}”", Printer::one_line(text))
            };
            note_on_reading(&name, part, *reading, found.by, printer);
        }
    }
}

pub(super) fn note_on_reading(
    name: &str,
    part: &Part,
    reading: Reading,
    by: By,
    printer: &Printer,
) {
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
                "{name} in language {language}, encoded by text tower {tower}"
            )),
            None => printer.note(format_args!("{name} encoded by text tower {tower}")),
        }
    }
    if !is_known {
        let name = if name == "query" { "this query" } else { name };
        let effect = match (by, part.is_negative) {
            (By::Meaning, _) => "the similarities mean nothing",
            (_, false) => "only keywords were searched",
            (_, true) => "it was not subtracted",
        };
        printer.note(format_args!("the model knows no part of {name}: {effect}"));
    }
    if n_tokens_dropped > 0 {
        printer.note(format_args!(
            "{name} too long for the model: its last {n_tokens_dropped} tokens were ignored"
        ));
    }
}

/// Notes on a text that is a path or looks like one, after the hits. Of a filter, no words are
/// searched.
pub(super) fn note_on_text(text: &str, query: &Query, workspace: &Workspace, printer: &Printer) {
    if query.texts().all(|words| words != text) {
        return;
    }
    let typed = TypedPath::of(text);
    let command = |arguments: &str| {
        let arguments = format!("{arguments} {}", hints::shell_word(text));
        Printer::safe(&hints::command(&arguments, workspace.named_index()))
    };
    let shown = Printer::safe(text);
    match typed {
        TypedPath::Picture => printer.hint(format_args!(
            "{shown} is a file; to search by the picture itself: `{}`",
            command("search --image")
        )),
        TypedPath::MissingPicture => printer.hint(format_args!(
            "{shown}: no such file, so its words were searched; to search by a picture: `{}`",
            Printer::safe(&hints::command(
                "search --image FILE",
                workspace.named_index()
            ))
        )),
        TypedPath::Folder => printer.hint(format_args!(
            "{shown} is a folder; to list its indexed pictures: `{}`; to index it: `{}`",
            command("search --in"),
            command("index")
        )),
        TypedPath::No => {}
    }
}

pub(in crate::cli) fn captions(
    args: &CaptionsArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let began = Instant::now();
    let options = args.decode.options();
    let engine = engine_for_one_query(workspace, &options)?;
    let mut stdin = Stdin::new(&options);
    let request = DescribeRequest {
        picture: stdin.picture(&args.image)?,
        n: args.output.top as usize,
        min_confidence: args.output.min_confidence,
        from: args.from.map(|from| match from {
            FromArg::Captions => CaptionSource::Captions,
            FromArg::Bank => CaptionSource::Bank,
        }),
    };
    exit::catch_ctrl_c();
    let mut view = ProgressView::new(printer);
    let described = engine.describe(&request, &mut |progress| {
        view.show(progress);
        exit::check_ctrl_c()
    });
    drop(view);
    let Some(described) = described? else {
        printer.note("interrupted: the phrase bank is not encoded");
        return Ok(ExitStatus::Interrupted);
    };
    note_on_bank(&described.bank, printer);
    if let Some(why) = described.fallback {
        let why = match why {
            NoCaptions::NoIndex => "there is no index",
            NoCaptions::NoneIndexed => "the index has no captions",
        };
        printer.note(format_args!(
            "{why}: answered with phrases of the built-in bank (--from bank)"
        ));
    }
    let query = Query::default().plus(request.picture);
    let found = FoundHits {
        query: &query,
        by: By::Meaning,
        readings: Vec::new(),
        began,
        hits: match described.hits {
            DescriptionHits::Phrases(_) if args.output.wants_files() => bail!(
                "phrases of the bank have no files: leave out `--paths`, `--open`, `--copy-to` and \
                 `--link-to`, or give `--from captions`"
            ),
            DescriptionHits::Captions(hits) => Hits::Captions(hits),
            DescriptionHits::Phrases(hits) => Hits::Phrases(hits),
        },
    };
    output::show(&found, &args.output, workspace, printer)
}

pub(in crate::cli) fn similar(
    args: &SimilarArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let began = Instant::now();
    let engine = engine_for_one_query(workspace, &args.decode.options())?;
    let hits = engine.similar(
        &args.image,
        args.output.top as usize,
        args.output.min_confidence,
    )?;
    let found = FoundHits {
        query: &Query::picture(&args.image),
        by: By::Meaning,
        readings: Vec::new(),
        began,
        hits: Hits::Images(hits),
    };
    output::show(&found, &args.output, workspace, printer)
}
