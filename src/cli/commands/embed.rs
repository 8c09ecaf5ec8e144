//! `sightline embed`

use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, Result};

use crate::answers::EmbedAnswer;
use crate::cli::args::EmbedArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::interrupt;
use crate::cli::printer::Printer;
use crate::cli::settings::Settings;
use crate::engine::npy::NpyWriter;
use crate::engine::{Encoders, EngineError};

pub(in crate::cli) fn run(
    args: &EmbedArgs,
    settings: &Settings,
    printer: &mut Printer,
) -> Result<ExitStatus> {
    let encoders = settings.encoders()?;
    let texts = texts(args)?;
    interrupt::listen();
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
        encoders.embed_texts(&texts, &mut |place, vector| {
            output.say_what_was_not_read(&encoders, place, texts[place]);
            let input = Input::Text(texts[place]);
            output.take(&input, &format!("text {}", place + 1), vector)
        })?;
    } else {
        encoders.embed_files(&args.files, &mut |place, vector| {
            let file = &args.files[place];
            output.take(&Input::File(file), &settings.shown(file), vector)
        })?;
    }
    output.finish()
}

/// The texts given, or the lines of stdin.
fn texts(args: &EmbedArgs) -> Result<Vec<String>> {
    if args.text != ["-"] {
        return Ok(args.text.clone());
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("the texts on stdin cannot be read")?;
    Ok(text.lines().map(ToOwned::to_owned).collect())
}

/// What a vector is of.
enum Input<'a> {
    File(&'a Path),
    Text(&'a str),
}

/// Where vectors go.
struct Output<'a> {
    printer: &'a mut Printer,
    npy: Option<NpyWriter>,
    /// What went wrong with writing; nothing more is written then.
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
                let told = Printer::safe(&error.to_string());
                // Errors about files mostly begin with the file's name.
                let told = if told.contains(shown) {
                    told
                } else {
                    format!("{}: {told}", Printer::safe(shown))
                };
                self.printer.error(told, None);
            }
        }
        self.interrupted = interrupt::check().is_break();
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

    fn say_what_was_not_read(&self, encoders: &Encoders, place: usize, text: &str) {
        if let Ok(n_dropped @ 1..) = encoders.text().n_tokens_dropped(text) {
            self.printer.note(format_args!(
                "text {}: the model reads only the beginning of so long a text: {n_dropped} \
                 tokens at its end were left out",
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
