//! `sightline embed`

use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, Result};

use crate::answers::EmbedAnswer;
use crate::cli::args::EmbedArgs;
use crate::cli::exit::{self, ExitStatus};
use crate::cli::printer::Printer;
use crate::engine::npy::NpyWriter;
use crate::engine::{Encoders, EngineError, LanguageHint};
use crate::workspace::Workspace;

pub(in crate::cli) fn run(
    args: &EmbedArgs,
    workspace: &Workspace,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let encoders = workspace.encoders()?;
    let texts = texts(args)?;
    exit::catch_ctrl_c();
    let mut output = Output {
        npy: match &args.npy {
            Some(path) => Some(NpyWriter::create(path, encoders.identity().dimension)?),
            None => None,
        },
        printer,
        result: Ok(()),
        n_failed: 0,
        interrupted: false,
    };
    if args.files.is_empty() {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let hint = LanguageHint {
            asked: args.language,
            ..LanguageHint::default()
        };
        encoders.embed_texts(&texts, hint, &mut |place, vector| {
            output.note_ignored_tokens(&encoders, place, texts[place], hint);
            let input = Input::Text(texts[place]);
            output.take(&input, &format!("text {}", place + 1), vector)
        })?;
    } else {
        encoders.embed_files(&args.files, &mut |place, vector| {
            let file = &args.files[place];
            let shown = output.printer.shown(file);
            output.take(&Input::File(file), &shown, vector)
        })?;
    }
    output.finish()
}

/// The texts on the command line, or the lines of stdin.
fn texts(args: &EmbedArgs) -> Result<Vec<String>> {
    if args.text != ["-"] {
        return Ok(args.text.clone());
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("cannot read texts from stdin")?;
    Ok(text.lines().map(ToOwned::to_owned).collect())
}

/// What a vector was computed from.
enum Input<'a> {
    File(&'a Path),
    Text(&'a str),
}

/// Where the vectors are written.
struct Output<'a> {
    printer: &'a mut Printer,
    npy: Option<NpyWriter>,
    /// The first failure to write, after which nothing more is written.
    result: Result<()>,
    n_failed: usize,
    interrupted: bool,
}

impl Output<'_> {
    fn take(
        &mut self,
        input: &Input<'_>,
        shown: &str,
        vector: Result<Vec<f32>, EngineError>,
    ) -> ControlFlow<()> {
        match vector {
            Ok(vector) => self.result = self.write(input, &vector),
            Err(error) => {
                self.n_failed += 1;
                let mut message = Printer::safe(&error.to_string());
                // Most errors about files already begin with the file's name.
                if !message.contains(shown) {
                    message = format!("{}: {message}", Printer::safe(shown));
                }
                self.printer.error(message, None);
            }
        }
        self.interrupted = exit::check_ctrl_c().is_break();
        if self.result.is_err() || self.interrupted {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn write(&mut self, input: &Input<'_>, vector: &[f32]) -> Result<()> {
        let row = match &mut self.npy {
            Some(npy) => Some(npy.push(vector)?),
            None => None,
        };
        self.printer.json_line(&match *input {
            Input::File(path) => EmbedAnswer::picture(path, vector, row),
            Input::Text(text) => EmbedAnswer::text(text, vector, row),
        })?;
        Ok(())
    }

    fn note_ignored_tokens(
        &self,
        encoders: &Encoders,
        place: usize,
        text: &str,
        hint: LanguageHint,
    ) {
        let tower = encoders.text(text, hint);
        if let Ok(n_dropped @ 1..) = tower.and_then(|tower| tower.n_tokens_dropped(text)) {
            self.printer.note(format_args!(
                "text {} is too long for the model: its last {n_dropped} tokens were ignored",
                place + 1
            ));
        }
    }

    fn finish(self) -> Result<ExitStatus> {
        self.result?;
        if self.interrupted {
            return Ok(ExitStatus::Interrupted);
        }
        if let Some(npy) = self.npy {
            npy.finish()?;
        }
        Ok(if self.n_failed > 0 {
            ExitStatus::Error
        } else {
            ExitStatus::Found
        })
    }
}
