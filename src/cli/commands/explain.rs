//! `sightline explain`

use std::path::Path;

use anyhow::{Result, bail};

use super::search::note_on_reading;
use crate::answers::ExplainAnswer;
use crate::cli::args::ExplainArgs;
use crate::cli::exit::{self, ExitStatus};
use crate::cli::fit;
use crate::cli::hints;
use crate::cli::printer::{Printer, Style};
use crate::cli::progress::ProgressView;
use crate::cli::stdin::Stdin;
use crate::engine::{
    By, Confidence, ExplainRequest, ExplainedPicture, Explanation, OverlayFile, Part, PartContent,
    SeenPart,
};
use crate::workspace::Workspace;

/// Longest side of the map, in pixels.
const SIDE: u32 = 1600;

/// Words that are listed; JSON has all of them.
const N_WORDS: usize = 12;

/// Columns that a preview takes where the terminal does not say how many there are.
const COLUMNS: usize = 48;

pub(in crate::cli) fn run(
    args: &ExplainArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    if args.text.trim().is_empty() {
        bail!("TEXT is empty: say what the picture is compared with");
    }
    check_order(args)?;
    let options = args.decode.options();
    let mut stdin = Stdin::new(&options);
    let picture = match stdin.picture(&args.image)?.content {
        PartContent::Bytes(bytes) => ExplainedPicture::Bytes(bytes),
        _ => ExplainedPicture::File(args.image.clone()),
    };
    let graphics = args
        .preview
        .map(|asked| printer.graphics(asked))
        .transpose();
    let is_drawn = args.output.is_some() || matches!(graphics, Ok(Some(_)));
    let request = ExplainRequest {
        picture,
        text: args.text.clone(),
        language: args.language,
        overlay: is_drawn.then_some(SIDE),
    };
    let engine = workspace.engine()?.with_decode_options(options.clone());
    // A file that cannot be written is reported before the work.
    let file = args
        .output
        .as_deref()
        .map(OverlayFile::create)
        .transpose()?;
    exit::catch_ctrl_c();
    let mut view = ProgressView::new(printer);
    let explanation = engine.explain(&request, &mut |progress| {
        view.show(progress);
        exit::check_ctrl_c()
    });
    drop(view);
    let Some(explanation) = explanation? else {
        return Ok(ExitStatus::Interrupted);
    };
    if args.json {
        printer.json(&ExplainAnswer::new(&args.image, &args.text, &explanation))?;
    } else {
        print(&explanation, printer)?;
    }
    if let (Ok(Some(graphics)), Some(map)) = (graphics, &explanation.overlay) {
        let drawing = graphics.drawn(map, 0, Printer::width().unwrap_or(COLUMNS));
        printer.bytes(drawing.map_err(anyhow::Error::msg)?.as_bytes())?;
    }
    printer.flush()?;
    if let Err(reason) = graphics {
        printer.note(format_args!("no picture is shown: {reason}"));
    }
    if let (Some(file), Some(map), Some(path)) = (file, &explanation.overlay, &args.output) {
        file.finish(map)?;
        printer.note(format_args!("wrote {}", printer.shown(path)));
    }
    note(&explanation, printer);
    let text = Part::text(args.text.as_str());
    note_on_reading("query", &text, explanation.reading, By::Meaning, printer);
    Ok(ExitStatus::Found)
}

/// Refuses a text before its picture, rather than saying that the text is no file.
fn check_order(args: &ExplainArgs) -> Result<()> {
    if !args.image.exists() && Path::new(&args.text).is_file() {
        let image = args.image.to_string_lossy();
        bail!(
            "{image}: no such file; the picture goes first: `sightline explain {} {}`",
            hints::shell_word(&args.text),
            hints::shell_word(&image)
        );
    }
    Ok(())
}

fn print(explanation: &Explanation, printer: &mut Printer) -> Result<()> {
    let similarity = explanation.similarity;
    match explanation.confidence {
        Some(confidence) => printer.line(format_args!(
            "confidence {:.2} ({}), similarity {similarity:.3}",
            confidence.value(),
            Confidence::strength(confidence).as_str()
        ))?,
        None => printer.line(format_args!("similarity {similarity:.3}"))?,
    }
    // Nothing supports a text that the model does not know, and nothing speaks against it.
    if !explanation.reading.is_known {
        return Ok(());
    }
    print_places(explanation, printer)?;
    print_words(explanation, printer)
}

/// The ninths of the picture as they lie, those that matter most in green.
fn print_places(explanation: &Explanation, printer: &mut Printer) -> Result<()> {
    let strongest = explanation.heat.strongest();
    printer.line("")?;
    for row in explanation.heat.places().chunks(3) {
        let cells = row.iter().map(|place| {
            let cell = format!("{:<12} {:>3.0} %", place.name, 100.0 * place.share);
            if strongest.iter().any(|strong| strong.name == place.name) {
                printer.paint(Style::Green, &cell)
            } else {
                cell
            }
        });
        let line = cells.collect::<Vec<_>>().join("    ");
        printer.line(line)?;
    }
    let names: Vec<&str> = strongest.iter().map(|place| place.name).collect();
    if !names.is_empty() {
        printer.line(format_args!("mostly {}", listed(&names)))?;
    }
    Ok(())
}

/// `a, b and c`
fn listed(names: &[&str]) -> String {
    match names {
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        names => names.concat(),
    }
}

/// What the similarity falls by without each word, those that matter most first.
fn print_words(explanation: &Explanation, printer: &mut Printer) -> Result<()> {
    let mut words: Vec<_> = explanation.words.iter().collect();
    if words.is_empty() {
        return Ok(());
    }
    words.sort_by(|a, b| b.support.abs().total_cmp(&a.support.abs()));
    let n_more = words.len().saturating_sub(N_WORDS);
    words.truncate(N_WORDS);
    printer.line("")?;
    printer.line("similarity that each word adds")?;
    for effect in words {
        let support = format!("{:>+7.3}", effect.support).replace('-', "−");
        let word = fit::cut(&Printer::safe(&effect.word), COLUMNS);
        printer.line(format_args!("{support}  {word}"))?;
    }
    if n_more > 0 {
        printer.line(format_args!("… and {n_more} more (--json lists all)"))?;
    }
    Ok(())
}

/// `56 %`, `0.03 %`: never 0 % of what is there.
fn percent(share: f32) -> String {
    let percent = 100.0 * share;
    if percent < 1.0 {
        format!("{percent:.2} %")
    } else {
        format!("{percent:.0} %")
    }
}

fn note(explanation: &Explanation, printer: &Printer) {
    if !explanation.reading.is_known {
        return;
    }
    let seen = explanation.heat.seen;
    if seen != SeenPart::WHOLE {
        let (wide, high) = (seen.right - seen.left, seen.bottom - seen.top);
        let part = |share: f32, side| {
            (share < 1.0).then(|| format!("the middle {} of the {side}", percent(share)))
        };
        let parts = [part(wide, "width"), part(high, "height")];
        let parts = parts
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" and ");
        printer.note(format_args!(
            "the model sees only {parts} of this picture; the places are within that part"
        ));
    }
    if explanation.heat.strongest().is_empty() {
        printer
            .note("no part of the picture supports this text: masking any raises the similarity");
    }
}
