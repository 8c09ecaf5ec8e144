//! What is known of a model: its files, the names of its inputs and outputs, and its numbers.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::calibration::Calibration;
use crate::error::ModelError;
use crate::head::HeadSpec;
use crate::language::Language;
use crate::precision::Precision;
use crate::preprocess::PreprocessConfig;
use crate::source::{self, Source};
use crate::tokenize::TokenizeConfig;

/// A checked description of a model, which a layout gives.
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) license: Option<String>,
    pub(crate) dimension: usize,
    /// What its cosines mean, which no vector depends on.
    pub(crate) calibration: Option<Calibration>,
    pub(crate) folder: Option<PathBuf>,
    /// The layout that the description was read from, for people.
    pub(crate) layout: &'static str,
    /// The less exact precision of the image tower's graph and the first text tower's.
    pub(crate) precision: Precision,
    /// Whether one graph holds the image tower and the first text tower.
    pub(crate) is_joint: bool,
    pub(crate) preprocess: PreprocessConfig,
    pub(crate) image: ImageSpec,
    /// The first text tower, which encodes texts of unknown languages.
    pub(crate) text: Arc<TextSpec>,
    /// The text towers of other languages.
    pub(crate) others: Vec<Arc<TextSpec>>,
}

/// The image tower's graph and its ports.
pub(crate) struct ImageSpec {
    pub(crate) source: Source,
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) head: HeadSpec,
    /// Whether the graph holds more than this tower.
    pub(crate) is_part: bool,
}

/// A text tower's graph and its ports, and its tokenizer.
pub(crate) struct TextSpec {
    /// The languages whose texts it encodes; may be empty if there is no other text tower.
    pub(crate) languages: Vec<Language>,
    pub(crate) source: Source,
    pub(crate) input_ids: String,
    pub(crate) attention_mask: Option<String>,
    pub(crate) token_type_ids: Option<String>,
    pub(crate) position_ids: Option<String>,
    pub(crate) output: String,
    pub(crate) head: HeadSpec,
    /// Whether the graph holds more than this tower.
    pub(crate) is_part: bool,
    pub(crate) tokenizer: Source,
    pub(crate) tokenize: TokenizeConfig,
}

impl TextSpec {
    /// Names of the graph's inputs.
    pub(crate) fn inputs(&self) -> Vec<&str> {
        let others = [
            &self.attention_mask,
            &self.token_type_ids,
            &self.position_ids,
        ];
        let others = others.into_iter().flatten();
        let all = std::iter::once(&self.input_ids).chain(others);
        all.map(String::as_str).collect()
    }

    /// The settings of a text tower besides the first, which are not in the bytes of its files.
    fn numbers(&self) -> String {
        let Self {
            languages,
            source: _,
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            output,
            head,
            is_part: _,
            tokenizer: _,
            tokenize,
        } = self;
        format!(
            "text tower {}\n{}\n\
             {input_ids:?} {attention_mask:?} {token_type_ids:?} {position_ids:?} {output:?}{}\n",
            sorted(languages),
            tokenize.describe(),
            head.describe(),
        )
    }
}

/// Languages in an order that does not depend on how a manifest lists them.
fn sorted(languages: &[Language]) -> String {
    let mut codes: Vec<&str> = languages.iter().map(|language| language.code()).collect();
    codes.sort_unstable();
    codes.join(" ")
}

impl Description {
    /// The text towers, the first one first.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &Arc<TextSpec>> {
        std::iter::once(&self.text).chain(&self.others)
    }

    /// Graph of the image tower; graph and tokenizer of each text tower.
    pub(crate) fn sources(&self) -> Vec<&Source> {
        let of_texts = self
            .texts()
            .flat_map(|text| [&text.source, &text.tokenizer]);
        std::iter::once(&self.image.source)
            .chain(of_texts)
            .collect()
    }

    /// The files on disk, each once.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut seen = HashSet::new();
        let files = self.sources().into_iter().flat_map(Source::files);
        files.filter(|file| seen.insert(file.clone())).collect()
    }

    /// A hash of everything that changes a vector.
    pub(crate) fn fingerprint(&self) -> Result<String, ModelError> {
        let numbers = self.numbers();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(numbers.len() as u64).to_le_bytes());
        hasher.update(numbers.as_bytes());
        for source in self.sources() {
            source.hash_into(&mut hasher)?;
        }
        Ok(short_hex(&hasher))
    }

    /// A hash of the numbers and of the files' metadata, cheap to compute: as long as it stays the
    /// same, so does the fingerprint. `None` for a model that is not on disk.
    pub(crate) fn stamp(&self) -> Result<Option<String>, ModelError> {
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.numbers().as_bytes());
        for file in self.sources().into_iter().flat_map(Source::files) {
            let name = file.strip_prefix(folder).unwrap_or(&file);
            let line = format!("\n{} {}", name.display(), source::state(&file)?);
            hasher.update(line.as_bytes());
        }
        Ok(Some(short_hex(&hasher)))
    }

    /// All that is not in the bytes of the graphs and the tokenizer. The structs are destructured,
    /// so that a new field does not compile here until someone decides whether it counts.
    fn numbers(&self) -> String {
        let Self {
            name: _,
            license: _,
            calibration: _,
            folder: _,
            layout: _,
            precision: _,
            is_joint: _,
            dimension,
            preprocess,
            image,
            text,
            others,
        } = self;
        let ImageSpec {
            source: _,
            input,
            output: image_output,
            head: image_head,
            is_part: _,
        } = image;
        let TextSpec {
            languages,
            source: _,
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            output: text_output,
            head: text_head,
            is_part: _,
            tokenizer: _,
            tokenize,
        } = &**text;
        let mut numbers = format!(
            "sightline model 1\ndimension {dimension}\n{}\n{}\n\
             {input:?} {image_output:?}\n\
             {input_ids:?} {attention_mask:?} {token_type_ids:?} {text_output:?}\n",
            preprocess.describe(),
            tokenize.describe(),
        );
        // Added later; left out when absent, so that older fingerprints stay valid.
        if let Some(position_ids) = position_ids {
            let _ = writeln!(numbers, "positions {position_ids:?}");
        }
        for (tower, head) in [("image", image_head), ("text", text_head)] {
            let head = head.describe();
            if !head.is_empty() {
                let _ = writeln!(numbers, "{tower}{head}");
            }
        }
        // The languages choose among several towers; of one alone they are information.
        if !others.is_empty() {
            let _ = writeln!(numbers, "languages {}", sorted(languages));
            numbers.extend(others.iter().map(|text| text.numbers()));
        }
        numbers
    }
}

fn short_hex(hasher: &blake3::Hasher) -> String {
    let mut digits = hasher.finalize().to_hex().to_string();
    digits.truncate(32);
    digits
}
