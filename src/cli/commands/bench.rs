//! `sightline bench`

use std::time::Duration;

use anyhow::{Context, Result};

use crate::answers::BenchAnswer;
use crate::cli::args::BenchArgs;
use crate::cli::exit::{self, ExitStatus};
use crate::cli::printer::Printer;
use crate::engine::bench::{BenchReport, BenchRequest, BenchRound, BenchStage, bench};
use crate::engine::{EngineError, IndexRequest};
use crate::workspace::Workspace;

/// Longest time for which encoding alone is measured in a round.
const MAX_ENCODING_TIME: Duration = Duration::from_secs(20);

pub(in crate::cli) fn run(
    args: &BenchArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    if !args.photos.is_dir() {
        let path = args.photos.clone();
        let error = if path.exists() {
            EngineError::NotAFolder { path }
        } else {
            EngineError::FolderMissing { path, n_indexed: 0 }
        };
        return Err(error.into());
    }
    let encoders = workspace.encoders()?;
    let model = encoders.identity().name.clone();
    let work = tempfile::tempdir().context("cannot create a temporary folder for the index")?;
    let request = BenchRequest {
        index: IndexRequest {
            folders: vec![args.photos.clone()],
            ..args.pipeline.request(workspace.session().n_threads)
        },
        decode: args.pipeline.decode.options(),
        work: work.path().to_path_buf(),
        n_rounds: args.rounds.into(),
        only_index: args.only_index,
        longest_encoding: MAX_ENCODING_TIME,
    };
    exit::catch_ctrl_c();
    let mut last = None;
    let report = bench(&encoders, &request, &mut |round, stage| {
        if last.replace((round, stage)) != Some((round, stage)) {
            printer.note(format_args!(
                "round {round} of {}: {}",
                request.n_rounds,
                title(stage)
            ));
        }
        exit::check_ctrl_c()
    })?;
    let Some(report) = report else {
        return Ok(ExitStatus::Interrupted);
    };
    let device = workspace.session().device.to_string();
    if args.json {
        printer.json(&BenchAnswer::new(&report, &model, &device))?;
    } else {
        for line in lines(&report, &model, &device) {
            printer.line(line)?;
        }
    }
    Ok(ExitStatus::Found)
}

fn title(stage: BenchStage) -> &'static str {
    match stage {
        BenchStage::Preparing => "loading the model and decoding the first pictures",
        BenchStage::Encoding => "encoding",
        BenchStage::Decoding => "decoding",
        BenchStage::Indexing => "indexing",
    }
}

fn lines(report: &BenchReport, model: &str, device: &str) -> Vec<String> {
    let megabytes = report.n_bytes as f64 / 1e6;
    let mut lines = vec![format!(
        "{} pictures, {megabytes:.1} MB; model {model} on {device}, loaded in {:.2} s",
        report.n_pictures,
        report.load.as_secs_f64()
    )];
    let both = report.rounds.iter().all(|round| round.encode > 0.0);
    if both {
        lines.extend([
            format!(
                "E  encoding alone   {:8.1}/s",
                report.median(|round| round.encode)
            ),
            format!(
                "D  decoding alone   {:8.1}/s",
                report.median(|round| round.decode)
            ),
            format!(
                "   ideal            {:8.1}/s",
                report.median(BenchRound::ideal)
            ),
        ]);
    }
    lines.push(format!(
        "P  indexing         {:8.1}/s",
        report.median(|round| round.index)
    ));
    if both {
        lines.push(format!(
            "   P / ideal        {:10.3}",
            report.median(BenchRound::ratio)
        ));
    }
    if let Some(last) = report.rounds.last() {
        let batch = last.encoding.batch_size;
        lines.push(format!(
            "batches of {}; the encoder waited for {:.0} % of them, {:.1} s in total; {:.0} % of \
             the time was spent on the last commit and the search graphs",
            batch.map_or_else(|| "several sizes".to_owned(), |n| n.to_string()),
            100.0 * last.encoding.starved(),
            last.encoding.waited.as_secs_f64(),
            100.0 * last.finish_share,
        ));
    }
    if let Some(peak) = report.peak_memory {
        lines.push(format!("peak memory: {:.0} MB", peak as f64 / 1e6));
    }
    lines
}
