//! `sightline eval`

use anyhow::Result;

use crate::answers::EvalAnswer;
use crate::cli::args::EvalArgs;
use crate::cli::exit::{self, ExitStatus};
use crate::cli::printer::Printer;
use crate::cli::progress::ProgressView;
use crate::engine::{DecodeOptions, LanguageHint, Recalls, Skipped, evaluate};
use crate::workspace::Workspace;

pub(in crate::cli) fn run(
    args: &EvalArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let encoders = workspace.encoders()?;
    exit::catch_ctrl_c();
    let mut view = ProgressView::new(printer);
    let decode = DecodeOptions::default();
    let hint = LanguageHint {
        asked: args.language,
        ..LanguageHint::default()
    };
    let evaluation = evaluate(&encoders, &decode, &args.dataset, hint, &mut |progress| {
        view.show(progress);
        exit::check_ctrl_c()
    });
    drop(view);
    let Some(evaluation) = evaluation? else {
        return Ok(ExitStatus::Interrupted);
    };
    for Skipped { path, reason } in &evaluation.skipped {
        printer.note(format_args!(
            "skipped {}: {}",
            printer.shown(path),
            Printer::safe(reason)
        ));
    }
    if evaluation.n_captions_cut > 0 {
        printer.note(format_args!(
            "{} captions are too long for the model: their last tokens were ignored",
            evaluation.n_captions_cut
        ));
    }
    if args.json {
        printer.json(&EvalAnswer::from((&evaluation, &*encoders.identity().name)))?;
    } else {
        let model = &encoders.identity().name;
        let (n_images, n_captions) = (evaluation.n_images, evaluation.n_captions);
        printer.line(format_args!(
            "{model}: {n_images} images, {n_captions} captions, exact scan\n"
        ))?;
        printer.line("                              R@1     R@5    R@10   median rank")?;
        let rows = [
            ("text → image", evaluation.text_to_image),
            ("image → text", evaluation.image_to_text),
            (
                "text → image, less hub bias",
                evaluation.text_to_image_without_hubs,
            ),
            (
                "image → text, less hub bias",
                evaluation.image_to_text_without_hubs,
            ),
        ];
        for (
            name,
            Recalls {
                r1,
                r5,
                r10,
                median_rank,
            },
        ) in rows
        {
            printer.line(format_args!(
                "{name:<27}  {r1:>5.1}%  {r5:>5.1}%  {r10:>5.1}%   {median_rank:>11}"
            ))?;
        }
    }
    Ok(ExitStatus::Found)
}
