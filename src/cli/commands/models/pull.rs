//! `sightline models pull`

use std::path::Path;

use anyhow::{Result, bail};

use super::add::suggest_quantize;
use super::check;
use crate::cli::args::PullArgs;
use crate::cli::exit::{self, ExitStatus};
use crate::cli::printer::{Printer, Style};
use crate::cli::progress::BytesView;
use crate::models::hub::{self, Choice, HubError, HubOptions};
use crate::models::{CATALOGUE, ModelsError, Origin, every_precision, in_catalogue};
use crate::platform;
use crate::workspace::Workspace;

pub(super) fn run(
    args: &PullArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let Some(which) = &args.which else {
        return list(printer);
    };
    let (repository, own_name, license) = match in_catalogue(which) {
        Some(entry) => (entry.repository, entry.name, Some(entry.license)),
        None => match which.split_once('/') {
            Some((_, name)) if hub::is_repository(which) => (which.as_str(), name, None),
            _ => return Err(unknown(which).into()),
        },
    };
    let name = args.name.as_deref().unwrap_or(own_name);
    let registry = workspace.registry();
    let taken = registry.check_new_name(name);
    let replaced = match taken {
        Err(ModelsError::Taken { name }) if args.force => Some(name),
        taken => taken.map(|()| None)?,
    };
    exit::catch_ctrl_c();
    let options = platform::hub_options();
    let choice = hub::look_up(&options, repository, workspace.precision())?;
    let origin = Origin {
        repository: choice.repository.clone(),
        commit: choice.commit.clone(),
        license: choice.license.clone().or(license.map(ToOwned::to_owned)),
    };
    show(&choice, origin.license.as_deref(), printer);

    let arriving = registry.download_folder(name)?;
    if !download(&options, &choice, arriving.path(), printer)? {
        return Ok(ExitStatus::Interrupted);
    }
    let models = every_precision(arriving.path()).map_err(|error| match error {
        ModelsError::Model(source) => ModelsError::from(HubError::Unusable {
            repository: repository.to_owned(),
            folder: arriving.path().to_path_buf(),
            name: name.to_owned(),
            source: Box::new(source),
        }),
        other => other,
    })?;
    let Some(check) = check::check(&models, workspace, printer, false)? else {
        return Ok(ExitStatus::Interrupted);
    };
    if check.verdict.chosen.is_none() {
        let why = check
            .checked
            .iter()
            .filter_map(|one| one.outcome.as_ref().err());
        let why: Vec<&str> = why.map(String::as_str).collect();
        bail!("{repository}: {}", why.join("; "));
    }
    check::show(&check, workspace, name, printer)?;
    if let Err(refused) = check::require_matches(&check, name, args.anyway, printer) {
        printer.note("the download is kept: with `--anyway` it is not repeated");
        return Err(refused);
    }
    // The old model is removed only once the new one is known to work.
    let mut was_default = false;
    if let Some(replaced) = replaced {
        let removed = registry.remove(&replaced)?;
        was_default = removed.was_default;
    }
    let pending = registry.pending(arriving.path(), Some(name))?;
    let entry = registry.adopt(&pending, &check)?;
    arriving.finish();
    registry.record_origin(&entry, origin)?;
    if was_default {
        registry.set_default(name)?;
    }
    suggest_quantize(&choice.precisions, name, printer);
    printer.line(format_args!(
        "pulled {0}; use it with `--model {0}`, or by default with `sightline models default {0}`",
        entry.label()
    ))?;
    Ok(ExitStatus::Found)
}

/// Downloads the files of a model into a folder; false when Ctrl-C interrupted it.
fn download(
    options: &HubOptions,
    choice: &Choice,
    folder: &Path,
    printer: &mut Printer,
) -> Result<bool> {
    // What cannot work is refused before anything large is downloaded.
    let described = hub::pull_description(options, choice, folder, &mut |_| exit::check_ctrl_c());
    let mut view = BytesView::new(printer, "Downloading");
    let pulled = described.and_then(|described| {
        let pulled = hub::pull(options, choice, folder, &mut |progress| {
            view.show(progress.n_done, progress.n_total);
            exit::check_ctrl_c()
        })?;
        Ok(described.n_from_cache + pulled.n_from_cache)
    });
    drop(view);
    let n_from_cache = match pulled {
        Err(HubError::Stopped) => {
            printer.note(
                "interrupted; downloaded data is kept. Run the same command again to resume.",
            );
            return Ok(false);
        }
        pulled => pulled?,
    };
    if n_from_cache > 0 {
        printer.note(format_args!(
            "{} of {} files were in the Hugging Face cache",
            n_from_cache,
            choice.files.len()
        ));
    }
    Ok(true)
}

fn list(printer: &mut Printer) -> Result<ExitStatus> {
    for entry in &CATALOGUE {
        let name = printer.paint(Style::Bold, &format!("{:<18}", entry.name));
        printer.line(format_args!("{name}{}", entry.about))?;
        let (repository, license) = (entry.repository, entry.license);
        printer.line(format_args!("{:18}{repository} ({license})", ""))?;
    }
    Ok(ExitStatus::Found)
}

fn unknown(name: &str) -> ModelsError {
    let known = CATALOGUE.iter().map(|entry| entry.name).collect();
    let name = name.to_owned();
    HubError::UnknownName { name, known }.into()
}

fn show(choice: &Choice, license: Option<&str>, printer: &Printer) {
    let precisions: Vec<&str> = choice.precisions.iter().map(|one| one.as_str()).collect();
    let license = license.unwrap_or("not stated");
    let commit: String = choice.commit.chars().take(8).collect();
    printer.note(format_args!(
        "{} at {}: {}, {:.1} MB in {} files; licence: {}",
        choice.repository,
        Printer::safe(&commit),
        precisions.join(" and "),
        choice.n_bytes() as f64 / 1e6,
        choice.files.len(),
        Printer::safe(license)
    ));
}
